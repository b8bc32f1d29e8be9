"""What a storage raises -> an error of our tree that names the place, the attempts and the cause; never a credential."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qs

from mltable_lite.errors import AccessDeniedError, MLTableError, SourceNotFoundError, StorageError
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions, without_secrets
from mltable_lite.storage.retry import GaveUpError, causes, names_of, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltable_lite.storage.uri import Location

_DENIED = (401, 403)
_GONE = (404, 410)
_CHANGED = (412, 416)


@contextlib.contextmanager
def storage_errors(location: Location, options: StorageOptions = NO_OPTIONS) -> Iterator[None]:
    """Turn what a storage raises inside into errors of our tree that name `location`."""
    try:
        yield
    except MLTableError:
        raise
    except Exception as error:  # noqa: BLE001 - every storage library has its own tree
        raise_alone(storage_error(error, location, options))


def raise_alone(error: Exception) -> NoReturn:
    """Raise an error without the one that is being handled: its text may hold the credential that ours leaves out.

    ``from None`` only hides it: whoever walks or pickles an error finds it in its context.
    """
    try:
        raise error
    except type(error):
        error.__context__ = None
        raise


def storage_error(error: BaseException, location: Location, options: StorageOptions) -> MLTableError:
    """Return the error of our tree for what a storage raised."""
    *_, cause = causes(error)
    status, names = status_of(error), names_of(error)
    if status in _DENIED or names & {
        "PermissionError",
        "ClientAuthenticationError",
        "CredentialUnavailableError",
    }:
        return AccessDeniedError(
            f"{location.uri}: access denied ({_reason(cause, location, options)}). {_hint(location, options)}"
        )
    connected = not names & {
        "ClientConnectionError",
        "ServiceRequestError",
        "TimeoutError",
        "ConnectionError",
    }
    if status in _GONE or (
        connected and status == 0 and names & {"FileNotFoundError", "ResourceNotFoundError"}
    ):
        return SourceNotFoundError(
            f"{location.uri}: The requested stream was not found{_no_container(error, location)}."
        )
    if status in _CHANGED:
        return changed(location)
    attempts = f" {error}" if isinstance(error, GaveUpError) else ""
    return StorageError(f"{location.uri}: the storage failed{attempts}: {_reason(cause, location, options)}")


def changed(location: Location) -> StorageError:
    """Return the error for a file that is not the one that was listed."""
    return StorageError(
        f"{location.uri}: the file has changed since it was listed, so its parts would not fit together. "
        "Read the table again."
    )


def _no_container(error: BaseException, location: Location) -> str:
    """Return that not the file but all of its container is missing, where the storage tells."""
    codes = {
        str(getattr(getattr(cause, "error_code", ""), "value", getattr(cause, "error_code", "")))
        for cause in causes(error)
    }
    missing = codes & {"ContainerNotFound", "FilesystemNotFound"} or "NoSuchBucket" in names_of(error)
    return (
        f": there is no container {location.bucket.strip('/')!r}; make it, or correct its name"
        if missing
        else ""
    )


def _reason(error: BaseException, location: Location, options: StorageOptions) -> str:
    lines = str(error).strip().splitlines()
    secrets = (*options.secrets, *(value for _, value in location.secrets))
    return without_secrets(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__, secrets)


def _hint(location: Location, options: StorageOptions) -> str:
    if location.lost_secrets:
        return (
            "The credential in the address is never sent to another process; "
            "give it there in the environment or by an identity."
        )
    if options.dropped:
        gone = ", ".join(options.dropped)
        return f"storage_options[{gone}] is never sent to another process; give it there in the environment."
    if location.is_local:
        return "Check the permissions of the file and of the folders above it."
    expired = _expired(location, options)
    if expired:
        return f"The SAS expired at {expired}; make a new one."
    if location.protocol == "abfs":
        return (
            "Give storage_options={'account_key': ...}, {'sas_token': ...} or {'anon': True} for a public container, "
            "{'anon': False} to use your identity."
        )
    return "Give the credential in storage_options."


def _expired(location: Location, options: StorageOptions) -> str:
    """Return when the SAS of a place expired, or an empty text."""
    sas = dict(location.secrets).get("sas_token") or options.get("sas_token") or ""
    told = parse_qs(str(sas).lstrip("?")).get("se", [""])[0]
    try:
        moment = dt.datetime.fromisoformat(told)
    except ValueError:
        return ""
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    return told if moment < dt.datetime.now(dt.UTC) else ""
