"""Listings of remote folders: page by page, each page under the retry policy, every name once.

A failed page is asked for again; the listing does not start anew and is never cut.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from mltable_lite.storage.remote import ask, tag_of, wait
from mltable_lite.storage.retry import RetryPolicy, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location


class Name(NamedTuple):
    """One name of a listing: its key in the bucket or container, whether it is a folder, its size and its tag."""

    key: str
    is_folder: bool
    size: int | None
    tag: str | None = None


def names(fs: Any, folder: Location, options: StorageOptions, *, below: bool) -> list[Name]:
    """Return what a listing of a remote folder tells: all files below it, or the names directly in it.

    The folder's own marker may be among them.

    Raises:
        FileNotFoundError: Some storages: there is no such folder. Others return nothing.
    """
    page = _PAGES.get(folder.protocol)
    if page is None:
        return _other_names(fs, folder, options, below=below)
    bucket = folder.bucket.strip("/")
    prefix = folder.key.strip("/") + "/" if folder.key.strip("/") else ""
    return wait(
        fs, _all_pages(partial(page, fs, bucket, prefix, "" if below else "/"), RetryPolicy.of(options))
    )


async def _all_pages(
    page: Callable[[Any], Coroutine[Any, Any, tuple[list[Name], Any]]], policy: RetryPolicy
) -> list[Name]:
    result: list[Name] = []
    token = None
    while True:
        found, token = await tried(policy, partial(page, token))
        result += found
        if not token:
            return result


async def _azure_page(
    fs: Any, container: str, prefix: str, delimiter: str, token: str | None
) -> tuple[list[Name], str | None]:
    result = []
    async with fs.service_client.get_container_client(container) as client:
        if delimiter:
            found = client.walk_blobs(name_starts_with=prefix, delimiter=delimiter, include=["metadata"])
        else:
            found = client.list_blobs(name_starts_with=prefix, include=["metadata"])
        pages = found.by_page(token)
        async for blob in await anext(pages):
            size = blob.get("size")
            # Accounts with a hierarchical namespace list a folder as an empty blob with a mark.
            marks = blob.get("metadata") or {}
            folder = size is None or "true" in (marks.get("hdi_isfolder"), marks.get("is_directory"))
            result.append(Name(blob.name, folder, None if folder else size, tag_of(blob)))
        return result, pages.continuation_token


async def _s3_page(
    fs: Any, bucket: str, prefix: str, delimiter: str, token: str | None
) -> tuple[list[Name], str | None]:
    asked = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter, **fs.req_kw}
    if token:
        asked["ContinuationToken"] = token
    told = await fs._call_s3("list_objects_v2", **asked)  # noqa: SLF001 - the asynchronous face
    folders = [Name(one["Prefix"], True, None) for one in told.get("CommonPrefixes", ())]
    files = [Name(one["Key"], False, one["Size"], tag_of(one)) for one in told.get("Contents", ())]
    # A key that ends in a slash is the mark of a folder.
    files = [name if not name.key.endswith("/") else Name(name.key, True, None) for name in files]
    return folders + files, told.get("NextContinuationToken") if told.get("IsTruncated") else None


def _other_names(fs: Any, folder: Location, options: StorageOptions, *, below: bool) -> list[Name]:
    fs.invalidate_cache()
    if below:
        found = list(ask(fs, options, "find", folder.path, detail=True).values())
    else:
        found = ask(fs, options, "ls", folder.path, detail=True)
    # Names come without what the filesystem takes away from an address: a host, a bucket, nothing.
    start = fs._strip_protocol(folder.path).strip("/")  # noqa: SLF001 - fsspec's own word for it

    def key(name: str) -> str:
        below = name.strip("/").removeprefix(start).lstrip("/")
        return "/".join(part for part in (folder.key.strip("/"), below) if part)

    return [
        Name(
            key(entry["name"]),
            entry["type"] == "directory",
            None if entry.get("size") is None else int(entry["size"]),
            tag_of(entry),
        )
        for entry in found
    ]


_PAGES: dict[str, Callable[..., Coroutine[Any, Any, tuple[list[Name], Any]]]] = {
    "abfs": _azure_page,
    "s3": _s3_page,
}
