"""What lies in a folder, the same questions to local disks and to remote storages.

A walk yields keys as `Location.key` has them, with sizes as the listing tells them; it never asks file by file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mltable_lite.errors import SourceNotFoundError, UnsupportedFeatureError
from mltable_lite.storage.filesystem import filesystem, info, storage_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location

_MARKERS = ("_committed_", "_started_")
_MARKER_NAMES = frozenset({"MLTable", "_SUCCESS", "_metadata", "_common_metadata", "_delta_log"})


class Child(NamedTuple):
    """One name in a folder; `size` in bytes for files where the listing tells."""

    key: str
    name: str
    is_folder: bool
    size: int | None


def is_marker(name: str) -> bool:
    """Tell whether a name in a folder is no data: hidden, the MLTable file, or left by a writer."""
    return name[0] == "." or name in _MARKER_NAMES or name.startswith(_MARKERS) or name.endswith(".crc")


def children(folder: Location, options: StorageOptions) -> Iterator[Child]:
    """Yield what lies directly in a folder, in no particular order; nothing where there is no such folder."""
    if folder.is_local:
        return _local_children(folder)
    return iter(_remote(folder, options, below=False))


def files_below(
    folder: Location, options: StorageOptions, skip: Callable[[str], bool], skipped: list[str]
) -> Iterator[tuple[str, int | None]]:
    """Yield key and size of every file below a folder, in no particular order; nothing where there is no folder.

    Names for which `skip` is true are left out, folders with all that is in them, and appended to `skipped`.
    """
    if folder.is_local:
        yield from _local_files(folder, skip, skipped, ())
        return
    start = len(folder.key.strip("/")) + 1 if folder.key else 0
    left_out = set()
    for child in _remote(folder, options, below=True):
        segments = child.key[start:].split("/")
        marked = next((i for i, name in enumerate(segments) if name and skip(name)), None)
        if marked is None:
            yield child.key, child.size
        else:
            left_out.add("/".join(segments[: marked + 1]))
    skipped += sorted(left_out)


# --------------------------------------------------------------------------- local
def _local_children(folder: Location) -> Iterator[Child]:
    with storage_errors(folder):
        try:
            found = os.scandir(folder.key or "/")
        except (FileNotFoundError, NotADirectoryError):
            return
        with found:
            for entry in found:
                if entry.is_dir():
                    yield Child(entry.path, entry.name, is_folder=True, size=None)
                elif entry.is_file():
                    yield Child(entry.path, entry.name, is_folder=False, size=entry.stat().st_size)
                elif entry.is_symlink():
                    raise _broken_link(entry.path)


def _local_files(
    folder: Location, skip: Callable[[str], bool], skipped: list[str], above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, int | None]]:
    with storage_errors(folder):
        try:
            stat = os.stat(folder.key)  # noqa: PTH116 - as everywhere on this hot path
        except (FileNotFoundError, NotADirectoryError):
            return
        identity = (stat.st_dev, stat.st_ino)
        if identity in above:  # a link that leads back to where we come from
            skipped.append(folder.key)
            return
        with os.scandir(folder.key) as found:
            entries = list(found)
    folders = []
    for entry in entries:
        if skip(entry.name):
            skipped.append(entry.path)
        elif entry.is_dir():
            folders.append(entry.path)
        elif entry.is_file():
            yield entry.path, entry.stat().st_size
        elif entry.is_symlink():
            raise _broken_link(entry.path)
    for path in folders:
        yield from _local_files(folder.at(path), skip, skipped, (*above, identity))


def _broken_link(path: str) -> SourceNotFoundError:
    return SourceNotFoundError(
        f"{path}: The requested stream was not found: it is a link to {Path(path).readlink()}, which is not there."
    )


# --------------------------------------------------------------------------- remote
def _remote(folder: Location, options: StorageOptions, *, below: bool) -> list[Child]:
    if folder.protocol in ("http", "https"):
        raise UnsupportedFeatureError(
            f"{folder.uri}: a web server has no listing of folders; give every file as its own 'file:' entry."
        )
    with storage_errors(folder, options):
        fs = filesystem(folder, options)
        fs.invalidate_cache()
        try:
            if below:
                found: list[dict[str, Any]] = list(fs.find(folder.path, detail=True).values())
            else:
                found = fs.ls(folder.path, detail=True)
        except FileNotFoundError:
            if info(folder, options) is not None:
                raise
            return []
    result = []
    prefix = folder.key.strip("/") + "/" if folder.key else ""
    for entry in found:
        key = entry["name"].lstrip("/").removeprefix(folder.bucket.lstrip("/")).rstrip("/")
        is_folder = entry["type"] == "directory"
        # A folder's own marker blob, and on some storages the folder itself, stand in its listing.
        if key.startswith(prefix) and key != prefix.rstrip("/") and not (below and is_folder):
            size = entry.get("size")
            result.append(
                Child(
                    key, key.rpartition("/")[2], is_folder, None if is_folder or size is None else int(size)
                )
            )
    return result
