"""Credentials: references to secrets, identities, and one credential in the forms that the libraries want.

A file never holds a secret, only a reference: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER``. No text made
here repeats what a reference leads to.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
from functools import cache
from pathlib import Path
from typing import Any, Self

from mltable_lite.errors import AccessDeniedError, ArgumentError, UnsupportedFeatureError

#: The right to ask for in a token for Azure's storages.
STORAGE_SCOPE = "https://storage.azure.com/.default"

_REFERENCE = re.compile(r"(env|file|keyring):(.+)", re.DOTALL)


# --------------------------------------------------------------------------- references
def is_reference(text: object) -> bool:
    """Tell whether a text says where a secret is, instead of being one."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None


def secret(reference: str, where: str, folder: Path | None = None) -> str:
    """Return the secret that a reference leads to.

    Args:
        reference: ``env:NAME``, ``file:PATH`` or ``keyring:SERVICE/USER``.
        where: How error texts call the place of the reference.
        folder: What a relative path is relative to; by default the working directory.

    Raises:
        AccessDeniedError: There is nothing at that place.
        UnsupportedFeatureError: The keyring needs a package that is not installed.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise AccessDeniedError(
            f"{where}: not a reference; accepted: env:NAME, file:PATH or keyring:SERVICE/USER."
        )
    kind, name = match.groups()
    found = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}[kind](
        name, where, folder
    )
    if not found:
        raise AccessDeniedError(f"{where}: {reference} leads to an empty text; put the secret there.")
    return found


def _from_environment(name: str, where: str, _: Path | None) -> str:
    found = os.environ.get(name)
    if found is None:
        raise AccessDeniedError(f"{where}: the environment variable {name} is not set; set it to the secret.")
    return found


def _from_file(name: str, where: str, folder: Path | None) -> str:
    path = (folder or Path.cwd()) / Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise AccessDeniedError(
            f"{where}: the file {path} cannot be read ({reason}); put the secret there."
        ) from None


def _from_keyring(name: str, where: str, _: Path | None) -> str:
    service, slash, user = name.rpartition("/")
    if not slash:
        raise AccessDeniedError(f"{where}: keyring:{name} has no user; write keyring:SERVICE/USER.")
    try:
        import keyring
    except ImportError:
        raise UnsupportedFeatureError(
            f"{where}: keyring:{name} needs the package keyring; install it with: pip install keyring"
        ) from None
    try:
        found = keyring.get_password(service, user)
    except Exception as error:  # noqa: BLE001 - every backend has its own errors
        raise AccessDeniedError(f"{where}: the keyring failed: {type(error).__name__}.") from None
    if found is None:
        raise AccessDeniedError(
            f"{where}: the keyring has no password of {user!r} for {service!r}; store it with: keyring set {service} {user}"
        )
    return str(found)


# --------------------------------------------------------------------------- identities
def identity(kind: str, client_id: str | None = None, tenant_id: str | None = None) -> Any:
    """Return an azure-identity credential, the same one for the same process and arguments.

    ``default`` is the chain of azure-identity: environment, workload, managed identity, command lines. A browser
    opens for ``interactive`` only.
    """
    return _identity(os.getpid(), kind, client_id, tenant_id)


@cache
def _identity(_process: int, kind: str, client_id: str | None, tenant_id: str | None) -> Any:
    try:
        import azure.identity as azure
    except ImportError:
        raise UnsupportedFeatureError(
            f"identity: {kind} needs the package azure-identity; install it with: pip install azure-identity"
        ) from None
    # Where nobody listens it would print every credential that it tried on standard error, also where the data is
    # public and nothing is wrong. What came of it stands in our errors.
    logging.getLogger("azure.identity").addHandler(logging.NullHandler())
    if kind == "managed":
        return (
            azure.ManagedIdentityCredential(client_id=client_id)
            if client_id
            else azure.ManagedIdentityCredential()
        )
    tenant = {"tenant_id": tenant_id} if tenant_id else {}
    if kind == "cli":
        return azure.AzureCliCredential(tenant_id=tenant_id or "")
    if kind == "interactive":
        return azure.InteractiveBrowserCredential(**tenant, **({"client_id": client_id} if client_id else {}))
    return azure.DefaultAzureCredential(
        exclude_interactive_browser_credential=True, managed_identity_client_id=client_id
    )


def service_principal(tenant_id: str, client_id: str, client_secret: str, authority: str | None) -> Any:
    """Return the credential of an application; the same one for the same process and arguments."""
    return _service_principal(os.getpid(), tenant_id, client_id, client_secret, authority)


@cache
def _service_principal(
    _process: int, tenant: str, client: str, client_secret: str, authority: str | None
) -> Any:
    from azure.identity import ClientSecretCredential

    more = {"authority": authority} if authority else {}
    try:
        return ClientSecretCredential(tenant, client, client_secret, **more)
    except ValueError as error:
        raise ArgumentError(f"credentials: {error}") from None


# --------------------------------------------------------------------------- forms
def asynchronous(credential: Any) -> Any:
    """Return a credential as adlfs wants it, whose methods are coroutines; texts stay as they are."""
    ask = getattr(credential, "get_token", None)
    if ask is None or inspect.iscoroutinefunction(ask):
        return credential
    return _Asynchronous(credential)


class _Asynchronous:
    """A credential whose `get_token` runs in a thread, so that the event loop goes on meanwhile."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential

    async def get_token(self, *scopes: str, **options: Any) -> Any:
        import asyncio  # most reads are local and never get here

        return await asyncio.to_thread(self._credential.get_token, *scopes, **options)

    async def close(self) -> None:
        """Do nothing: whoever made the credential closes it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asynchronous) and self._credential is other._credential

    def __hash__(self) -> int:
        return hash((_Asynchronous, id(self._credential)))


def bearer_token(credential: Any, scope: str = STORAGE_SCOPE) -> str:
    """Return a token of a credential, for libraries that take no credential object."""
    if inspect.iscoroutinefunction(credential.get_token):
        from fsspec.asyn import get_loop, sync

        return str(sync(get_loop(), credential.get_token, scope).token)
    return str(credential.get_token(scope).token)
