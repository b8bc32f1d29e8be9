"""Whether two files are equal: by their bytes on local disks, by MD5 where both are known, else by size and time."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING, NamedTuple

from mltable_lite.storage.filesystem import filesystem, open_input, opened
from mltable_lite.storage.options import NO_OPTIONS
from mltable_lite.storage.remote import ask
from mltable_lite.storage.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location

_MD5_TEXT = 32
_CHUNK_BYTES = 1024 * 1024


class Details(NamedTuple):
    """What a storage tells of a file's content; `None` where it does not."""

    md5: bytes | None
    modified: float | None


def equal(
    source: Location, target: Location, mine: StorageOptions, theirs: StorageOptions, *, surely: bool
) -> bool:
    """Tell whether two files of the same size hold the same bytes.

    Local files are read; a remote one is never, so only what its storage tells counts.

    Args:
        source: One file.
        target: The other one.
        mine: Options of the source.
        theirs: Options of the target.
        surely: Only bytes and checksums count; else, where none is known, a target that is not older counts as well.
    """
    source, mine = resolve(source, mine)
    target, theirs = resolve(target, theirs)
    if source.is_local and target.is_local:
        return _same_bytes(source, target)
    first, second = details(source, mine), details(target, theirs)
    if source.is_local and second.md5 is not None:
        first = first._replace(md5=_local_md5(source))
    if target.is_local and first.md5 is not None:
        second = second._replace(md5=_local_md5(target))
    if first.md5 is not None and second.md5 is not None:
        return first.md5 == second.md5
    if surely or first.modified is None or second.modified is None:
        return False
    return first.modified <= second.modified


def details(location: Location, options: StorageOptions) -> Details:
    """Return what a storage tells of a file's content."""
    with opened(location, options) as (place, own):
        if place.is_local:
            return Details(None, os.stat(place.key).st_mtime)  # noqa: PTH116 - places are texts here
        told = ask(filesystem(place, own), own, "info", place.path)
    modified = next(
        (
            told[name]
            for name in ("last_modified", "LastModified", "mtime", "created", "updated")
            if told.get(name)
        ),
        None,
    )
    if isinstance(modified, dt.datetime):
        modified = modified.timestamp()
    return Details(_known_md5(told), modified if isinstance(modified, int | float) else None)


def _known_md5(told: Mapping[str, Any]) -> bytes | None:
    """Return the MD5 of a file's content where the storage tells it."""
    kept = getattr(told.get("content_settings"), "content_md5", None) or told.get("content_md5")
    if kept:
        return bytes(kept)
    text = told.get("Content-MD5") or told.get("md5Hash")
    if text:
        return base64.b64decode(text)
    # S3's ETag is the MD5 of what came in one part without a key of one's own; else it has a dash or another length.
    tag = str(told.get("ETag", "")).strip('"')
    if "LastModified" in told and len(tag) == _MD5_TEXT and not told.get("SSEKMSKeyId"):
        return bytes.fromhex(tag)
    return None


def _local_md5(place: Location) -> bytes:
    with opened(place, NO_OPTIONS), open(place.key, "rb") as file:  # noqa: PTH123 - places are texts here
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


def _same_bytes(one: Location, other: Location) -> bool:
    """Tell whether two local files hold the same bytes, reading both no further than the first difference."""
    with open_input(one) as first, open_input(other) as second:
        while data := first.read(_CHUNK_BYTES):
            if data != second.read(_CHUNK_BYTES):
                return False
        return not second.read(1)
