"""What lies in a folder, the same questions to local disks and to remote storages.

A walk yields keys as `Location.key` has them, with sizes as the listing tells them; it never asks file by file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mltable_lite.errors import SourceNotFoundError, UnsupportedFeatureError
from mltable_lite.storage.failures import storage_error, storage_errors
from mltable_lite.storage.filesystem import filesystem, info, local_tag
from mltable_lite.storage.pages import names
from mltable_lite.storage.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location

_MARKERS = ("_committed_", "_started_")
_MARKER_NAMES = frozenset({"MLTable", "_SUCCESS", "_metadata", "_common_metadata", "_delta_log"})
#: How they begin; most names do not, and need no further look.
_MARKER_LETTERS = "._M"


class Child(NamedTuple):
    """One name in a folder; for files `size` in bytes and `tag`, which another version has not, where it tells."""

    key: str
    name: str
    is_folder: bool
    size: int | None
    tag: str | None = None


class Found(NamedTuple):
    """One file of a walk."""

    key: str
    size: int | None
    tag: str | None = None


def is_marker(name: str) -> bool:
    """Tell whether a name in a folder is no data: hidden, the MLTable file, or left by a writer."""
    if name[0] in _MARKER_LETTERS and (name[0] == "." or name in _MARKER_NAMES or name.startswith(_MARKERS)):
        return True
    return name.endswith(".crc")


def children(folder: Location, options: StorageOptions) -> Iterator[Child]:
    """Yield what lies directly in a folder, in no particular order; nothing where there is no such folder."""
    place, own = resolve(folder, options)
    found = _local_children(place) if place.is_local else iter(_remote(place, own, below=False))
    if place.key == folder.key:
        return found
    return (child._replace(key=_key_in(folder, child.key, place)) for child in found)


def files_below(
    folder: Location, options: StorageOptions, skip: Callable[[str], bool], skipped: list[str]
) -> Iterator[Found]:
    """Yield key, size and tag of every file below a folder, in no particular order; nothing where there is no folder.

    Names for which `skip` is true are left out, folders with all that is in them, and appended to `skipped`.
    """
    place, own = resolve(folder, options)
    found = (
        _local_files(place, skip, skipped, ()) if place.is_local else _remote_files(place, own, skip, skipped)
    )
    if place.key == folder.key:
        yield from found
    else:
        for file in found:
            yield file._replace(key=_key_in(folder, file.key, place))


def _key_in(folder: Location, key: str, place: Location) -> str:
    """Return the key below `folder` of what is below `place`, the storage's own name for that folder."""
    relative = key.strip("/")[len(place.key.strip("/")) :].lstrip("/")
    return f"{folder.key.rstrip('/')}/{relative}" if folder.key else relative


def _remote_files(
    folder: Location, options: StorageOptions, skip: Callable[[str], bool], skipped: list[str]
) -> Iterator[Found]:
    start = len(folder.key.strip("/")) + 1 if folder.key else 0
    left_out = set()
    for child in _remote(folder, options, below=True):
        segments = child.key[start:].split("/")
        marked = next((i for i, name in enumerate(segments) if name and skip(name)), None)
        if marked is None:
            yield Found(child.key, child.size, child.tag)
        else:
            left_out.add(child.key[:start] + "/".join(segments[: marked + 1]))
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
                    stat = entry.stat()
                    yield Child(entry.path, entry.name, False, stat.st_size, local_tag(stat))
                elif entry.is_symlink():
                    raise _broken_link(entry.path)


def _local_files(
    folder: Location, skip: Callable[[str], bool], skipped: list[str], above: tuple[tuple[int, int], ...]
) -> Iterator[Found]:
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
        elif entry.is_file():
            stat = entry.stat()
            yield Found(entry.path, stat.st_size, local_tag(stat))
        elif entry.is_dir():
            folders.append(entry.path)
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
        try:
            found = names(fs, folder, options, below=below)
        except Exception as error:
            missing = isinstance(storage_error(error, folder, options), SourceNotFoundError)
            if not missing or info(folder, options) is not None:
                raise
            return []
    result = []
    prefix = folder.key.strip("/") + "/" if folder.key else ""
    for name in found:
        key = name.key.rstrip("/")
        # A folder's own marker blob, and on some storages the folder itself, stand in its listing.
        if key.startswith(prefix) and key != prefix.rstrip("/") and not (below and name.is_folder):
            size = None if name.is_folder else name.size
            result.append(Child(key, key.rpartition("/")[2], name.is_folder, size, name.tag))
    return result
