"""Copies inside one account, made by the storage itself: no byte of the file comes here."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import StorageError
from mltable_lite.storage.failures import changed
from mltable_lite.storage.filesystem import filesystem, info, opened
from mltable_lite.storage.remote import wait
from mltable_lite.storage.retry import RetryPolicy, status_of, tried

if TYPE_CHECKING:
    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location

#: Up to this size a file is copied in one step, so that readers see the old one or the new one.
#: Source: the operation "Copy Blob From URL" of Azure's Blob service. S3 would take more, but not in the time of one attempt.
_ONE_STEP_BYTES = 256 * 1024 * 1024
_POLL_SECONDS = 0.5
_SIGNED_HOURS = 24
#: The storage does not copy this by itself, but the bytes may still be read and written.
_REFUSED = (400, 401, 403, 404, 409, 501)
_CHANGED = 412


def copied_inside(
    source: Location,
    target: Location,
    mine: StorageOptions,
    theirs: StorageOptions,
    size: int | None,
    tag: str | None,
) -> bool:
    """Copy a file inside its account, and tell whether that was done.

    It is not where the places are of two accounts or two credentials, where the storage refuses, or where a file is so
    large that it is copied in steps and another stands in its place: readers would see a part.

    Args:
        source: The file.
        target: The new file.
        mine: Options of the source.
        theirs: Options of the target.
        size: Bytes of the source.
        tag: The tag of the source; another version is not copied.

    Raises:
        StorageError: The source has changed, the storage failed, or the copy has another size.
    """
    if size is None:
        return False
    with opened(source, mine) as (here, own), opened(target, theirs) as (there, its):
        if here.protocol != there.protocol or here.protocol not in ("abfs", "s3") or here.path == there.path:
            return False
        fs = filesystem(here, own)
        if fs is not filesystem(there, its):
            return False
        one_step = size <= _ONE_STEP_BYTES
        if not one_step and (here.protocol != "abfs" or info(there, its) is not None):
            return False
        copy = _azure_at_once if one_step else _azure_in_steps
        if here.protocol == "s3":
            copy = _s3
        try:
            wait(fs, copy(fs, here.path, there.path, tag, RetryPolicy.of(own)))
        except Exception as error:
            if status_of(error) in _REFUSED:
                return False
            if status_of(error) == _CHANGED:
                raise changed(source) from None
            raise
        found = info(there, its)
        if found is None or found.size != size:
            raise StorageError(
                f"{target.uri}: the storage holds {0 if found is None else found.size} of the {size} bytes of {source.uri}. "
                "Copy it again."
            )
        return True


# --------------------------------------------------------------------------- Azure
async def _azure_at_once(fs: Any, source: str, target: str, tag: str | None, policy: RetryPolicy) -> None:
    await _azure(fs, source, target, tag, policy, requires_sync=True)


async def _azure_in_steps(fs: Any, source: str, target: str, tag: str | None, policy: RetryPolicy) -> None:
    await _azure(fs, source, target, tag, policy)


async def _azure(
    fs: Any, source: str, target: str, tag: str | None, policy: RetryPolicy, **given: Any
) -> None:
    from azure.core import MatchConditions

    if tag is not None:
        given |= {"source_etag": f'"{tag}"', "source_match_condition": MatchConditions.IfNotModified}
    origin, copy = (fs.service_client.get_blob_client(*fs.split_path(path)[:2]) for path in (source, target))
    async with origin, copy:
        url, token = await _readable(fs.service_client, origin)
        if token is not None:
            given["source_authorization"] = f"Bearer {token}"
        told = await tried(policy, partial(copy.start_copy_from_url, url, **given))
        if told.get("copy_status") != "success":
            await finished(copy, policy)


async def _readable(service: Any, origin: Any) -> tuple[str, str | None]:
    """Return the address by which the storage may read the source, and a token where that is what opens it."""
    from azure.storage.blob import BlobSasPermissions, generate_blob_sas

    key = getattr(service.credential, "account_key", None)
    if key is not None:
        sas = generate_blob_sas(
            origin.account_name,
            origin.container_name,
            origin.blob_name,
            account_key=key,
            permission=BlobSasPermissions(read=True),
            expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=_SIGNED_HOURS),
        )
        return f"{origin.url}?{sas}", None
    if hasattr(service.credential, "get_token"):
        return origin.url, (await service.credential.get_token("https://storage.azure.com/.default")).token
    return origin.url, None


async def finished(copy: Any, policy: RetryPolicy) -> None:
    """Return when the storage has ended a copy; where it fails, or nobody waits any more, nothing is left of it.

    Raises:
        StorageError: The storage gave up.
    """
    state = (await tried(policy, copy.get_blob_properties)).copy
    try:
        while state.status == "pending":
            await asyncio.sleep(_POLL_SECONDS)
            state = (await tried(policy, copy.get_blob_properties)).copy
    except BaseException:
        with contextlib.suppress(Exception):
            await copy.abort_copy(state.id)
        await _gone(copy)
        raise
    if state.status != "success":
        await _gone(copy)
        raise StorageError(
            f"the storage ended the copy as {state.status} ({state.status_description}). Copy it again."
        )


async def _gone(copy: Any) -> None:
    """Remove what is left of a copy."""
    with contextlib.suppress(Exception):
        await copy.delete_blob()


# --------------------------------------------------------------------------- S3
async def _s3(fs: Any, source: str, target: str, tag: str | None, policy: RetryPolicy) -> None:
    given = {} if tag is None else {"CopySourceIfMatch": f'"{tag}"'}
    await tried(policy, partial(fs._cp_file, source, target, **given))  # noqa: SLF001 - the asynchronous face
