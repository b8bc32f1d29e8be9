"""File, folder and pattern entries -> the ordered list of files, or of Delta tables."""

from __future__ import annotations

import itertools
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from mltable_lite.errors import (
    AccessDeniedError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFeatureError,
    did_you_mean,
    listed,
)
from mltable_lite.storage import filesystem as storage
from mltable_lite.storage.azure import object_store_options
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions, without_secrets
from mltable_lite.storage.patterns import is_glob, split_pattern, translate
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.retry import RetryPolicy
from mltable_lite.storage.uri import Location, parse_uri
from mltable_lite.storage.walk import Child, Found, children, files_below, is_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from mltable_lite.spec.model import PathSpec

NOT_FOUND = "The requested stream was not found"
_PARALLEL_CHECKS = 16
_NAMES_LOOKED_AT = 10_000
#: The options of s3fs and gcsfs in the words of object_store.
_DELTA_WORDS = {
    "s3": {
        "key": "aws_access_key_id",
        "secret": "aws_secret_access_key",
        "token": "aws_session_token",
        "endpoint_url": "aws_endpoint",
    },
    "gs": {"token": "google_service_account", "endpoint_url": "google_base_url"},
}


class FileEntry(NamedTuple):
    """A listed file. Small and quickly made, because a table may have 100,000: all of one folder share `place`.

    Attributes:
        place: Any location on the file's filesystem.
        key: The file's key there.
        size: Bytes, where the listing told.
        position: Its number in the listing.
        options: The caller's storage options.
        tag: What tells this version of the file from others, where the listing told.
    """

    place: Location
    key: str
    size: int | None
    position: int
    options: StorageOptions = NO_OPTIONS
    tag: str | None = None

    @property
    def location(self) -> Location:
        """Where the file is."""
        return self.place.at(self.key)

    @property
    def uri(self) -> str:
        """A local path, or a URI without credentials."""
        return self.place.uri_at(self.key)

    @property
    def path(self) -> str:
        """What the path column shows."""
        return self.uri

    def open(self, ranges: Sequence[tuple[int, int]] = ()) -> pa.NativeFile:
        """Open for random access; these ranges of a remote file are fetched at once."""
        return storage.open_input(self.location, self.options, self.size, self.tag, ranges)

    def read_range(self, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop), fewer only where the file ends."""
        if self.place.is_local:
            data = storage.read_local(self.place, self.key, self.tag, start, stop)
            if data is not None:
                return data
        return storage.read_range(self.location, start, stop, self.options, self.size, self.tag)


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A listed folder: a Delta table."""

    location: Location
    position: int
    options: StorageOptions = NO_OPTIONS

    @property
    def uri(self) -> str:
        """A local path, or a URI without credentials."""
        return self.location.uri

    @property
    def path(self) -> str:
        """What the path column would show."""
        return self.location.display

    def table_uri(self) -> str:
        """Return the address as deltalake takes it."""
        location, _ = resolve(self.location, self.options)
        if location.protocol in ("http", "https"):
            raise UnsupportedFeatureError(
                f"{self.uri}: a web server has no listing of folders, which a Delta table's log needs; give the table's "
                "address in its storage (az, abfss, s3, gs), or copy the folder to a local disk."
            )
        return location.delta_uri()

    def delta_options(self) -> dict[str, str]:
        """Return the storage options as deltalake takes them: all texts."""
        location, options = resolve(self.location, self.options)
        if location.is_local:
            return {}
        policy = RetryPolicy.of(options).object_store_options()
        if location.protocol == "abfs":
            return {**policy, **object_store_options(location, options)}
        words = _DELTA_WORDS.get(location.protocol, {})
        given = {words.get(name, name): value for name, value in options.items() if isinstance(value, str)}
        if given.get("google_service_account") == "anon":
            del given["google_service_account"]
            given["google_skip_signature"] = "true"
        if str(options.get("endpoint_url")).startswith("http:"):
            given["allow_http"] = "true"
        region = (options.get("client_kwargs") or {}).get("region_name")
        if region:
            given["aws_region"] = str(region)
        return {**policy, **given}

    def file(self, relative: str, size: int | None, position: int) -> FileEntry:
        """Return a file of the table by its path relative to the folder."""
        key = f"{self.location.key.rstrip('/')}/{relative}" if self.location.key else relative
        return FileEntry(self.location, key, size, position, self.options)


@dataclass(frozen=True, slots=True)
class Listing:
    """The listed files in order, and the names in folders that were left out as no data."""

    entries: list[FileEntry]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of ``paths``.

    Attributes:
        spec: As written.
        location: Its place; for a pattern, the folder before the first segment with a pattern in it.
        pattern: That segment and all after it; empty for a file, a folder, and a pattern that is none.
        source: How error texts call the MLTable file.
    """

    spec: PathSpec
    location: Location
    pattern: str
    source: str

    @property
    def place(self) -> str:
        """``MLTable:4``: where the entry stands in the MLTable file."""
        return self.source + (f":{self.spec.line}" if self.spec.line is not None else "")

    @property
    def shown(self) -> str:
        """What a person may see of the entry's address."""
        return self.spec.value if self.location.is_local else without_secrets(self.spec.value)

    def missing(self, found: str) -> SourceNotFoundError:
        """Return the error that tells what is there instead."""
        named = f"{self.place} {self.spec.kind}: {self.shown!r}"
        return SourceNotFoundError(f"{named}: {NOT_FOUND}: {self.location.uri} {found}")


# --------------------------------------------------------------------------- public
def list_files(
    paths: Sequence[PathSpec],
    base: str,
    options: StorageOptions | None = None,
    *,
    source: str = "MLTable",
    expand: bool = True,
) -> Listing:
    """Return every file that the paths name: entries in their order, a folder's or pattern's files sorted bytewise.

    A ``file:`` entry that is a folder becomes its files; without `expand` it stands for itself.

    Raises:
        SourceNotFoundError: An entry names nothing, or a folder entry names a file.
        StorageError: The storage cannot be listed.
    """
    options = options or NO_OPTIONS
    entries = _located(paths, base, options, source)
    found = _look(entries, options)
    files: list[FileEntry] = []
    skipped: list[str] = []
    for entry, (location, info) in zip(entries, found, strict=True):
        if (
            entry.spec.kind != "folder"
            and info is not None
            and (info.kind == "file" or (entry.spec.kind == "file" and not expand))
        ):
            files.append(FileEntry(location, location.key, info.size, len(files), options, info.tag))
            continue
        if info is not None and info.kind == "file":
            raise entry.missing("is a file, not a folder; write 'file:' instead of 'folder:'.")
        if info is not None:
            before = len(skipped)
            keys = list(files_below(location, options, is_marker, skipped))
            if not keys:
                left = len(skipped) - before
                raise entry.missing(
                    f"is a folder without data files{f' ({left} names are no data)' if left else ''}."
                )
        elif entry.pattern:
            keys = _match_files(entry, options, skipped)
        else:
            raise _nothing_there(entry, options)
        keys.sort(key=itemgetter(0))
        files += [
            FileEntry(location, key, size, n, options, tag)
            for n, (key, size, tag) in enumerate(keys, len(files))
        ]
    return Listing(files, tuple(skipped))


def list_folders(
    paths: Sequence[PathSpec], base: str, options: StorageOptions | None = None, *, source: str = "MLTable"
) -> list[FolderEntry]:
    """Return every folder that the paths name, for formats whose table is a folder.

    Raises:
        SourceNotFoundError: An entry names nothing, or a file.
    """
    options = options or NO_OPTIONS
    folders: list[Location] = []
    entries = _located(paths, base, options, source)
    for entry, (location, info) in zip(entries, _look(entries, options), strict=True):
        if info is not None and info.kind == "folder":
            folders.append(location)
        elif info is not None:
            raise entry.missing("is a file; this reader wants the table's folder: use 'folder:'.")
        elif entry.pattern:
            matched = sorted({c.key for c in _match(entry, options) if c.is_folder})
            if not matched:
                raise entry.missing("matches no folder.")
            folders += [entry.location.at(key) for key in matched]
        else:
            raise _nothing_there(entry, options)
    return [FolderEntry(location, position, options) for position, location in enumerate(folders)]


def list_all(place: Location, options: StorageOptions = NO_OPTIONS) -> tuple[Location, list[Found]]:
    """Return a folder and every file of it that a place names: all below a folder, or all that match a pattern.

    Here nothing is left out: hidden names, markers and the MLTable file are files like all others.
    """
    if not is_glob(place.key):
        return place, list(files_below(place, options, lambda _: False, []))
    fixed, pattern = _fixed(place.key)
    folder = place.at(fixed)
    found: dict[str, Found] = {}
    for segments in split_pattern(pattern):
        for child in _descend(folder, segments, options):
            if not child.is_folder:
                found[child.key] = Found(child.key, child.size, child.tag)
    return folder, list(found.values())


# --------------------------------------------------------------------------- entries
def _located(paths: Sequence[PathSpec], base: str, options: StorageOptions, source: str) -> list[_Entry]:
    root = parse_uri(base)
    entries = []
    for spec in paths:
        location = root if spec.value in ("", ".", "./") else parse_uri(spec.value, base)
        pattern = ""
        if spec.kind == "pattern" and is_glob(spec.value):
            if ":/" in spec.value or os.path.isabs(spec.value):  # noqa: PTH117 - it may be a URI
                fixed, pattern = _fixed(location.key)
                location = location.at(fixed)
            else:  # glob characters in the names of the base's own folders mean nothing
                fixed, pattern = _fixed(posixpath.normpath(spec.value))
                location = parse_uri(fixed, base) if fixed else root
        entries.append(_Entry(spec, storage.settled(location, options), pattern, source))
    return entries


def _fixed(pattern: str) -> tuple[str, str]:
    """Split a pattern into the folders that hold no pattern and the rest; both may be empty."""
    segments = pattern.split("/")
    count = next(
        (i for i, segment in enumerate(segments) if is_glob(segment) or "{" in segment), len(segments)
    )
    return "/".join(segments[:count]) or pattern[: pattern.startswith("/")], "/".join(segments[count:])


def _look(entries: list[_Entry], options: StorageOptions) -> list[tuple[Location, storage.Info | None]]:
    """Return what stands at each entry's place; remote places are asked in parallel."""

    def look(entry: _Entry) -> tuple[Location, storage.Info | None]:
        if entry.pattern:
            return entry.location, None
        if entry.location.protocol in ("http", "https") and entry.spec.kind == "folder":
            return entry.location, storage.Info("folder", None)
        try:
            return entry.location, storage.info(entry.location, options)
        except (StorageError, AccessDeniedError) as error:
            raise type(error)(f"{entry.place} {error}") from error

    if sum(not e.location.is_local for e in entries) < 2:  # noqa: PLR2004 - one question needs no second thread
        return [look(entry) for entry in entries]
    with ThreadPoolExecutor(_PARALLEL_CHECKS) as pool:
        return list(pool.map(look, entries))


def _nothing_there(entry: _Entry, options: StorageOptions) -> SourceNotFoundError:
    if entry.spec.kind == "file" and is_glob(entry.shown):
        return entry.missing(f"names no file; for all files that match write 'pattern: {entry.shown}'.")
    if entry.location.protocol in ("http", "https"):
        return entry.missing("is not there.")
    missing, folder = entry.location, entry.location.parent
    while folder.key != missing.key and not storage.is_folder(folder, options):
        missing, folder = folder, folder.parent
    names = _names(folder, options)
    holds = f"holds {listed(names)}." if names else "is empty."
    hint = did_you_mean(missing.name, [name.rstrip("/") for name in names])
    return entry.missing(f"is not there; {folder.uri} {holds}{hint}")


def _names(folder: Location, options: StorageOptions) -> list[str]:
    """Return what lies in a folder for an error text: data before hidden names and markers."""
    first = list(itertools.islice(children(folder, options), _NAMES_LOOKED_AT))
    first.sort(key=lambda child: (is_marker(child.name), child.name))
    return [child.name + "/" * child.is_folder for child in first]


# --------------------------------------------------------------------------- patterns
def _match_files(entry: _Entry, options: StorageOptions, skipped: list[str]) -> list[Found]:
    if entry.spec.value.endswith("/") and not entry.pattern.endswith("**"):
        raise entry.missing("matches only folders, as it ends in '/'; for all files below end it in '/**'.")
    found = {c.key: Found(c.key, c.size, c.tag) for c in _match(entry, options) if not c.is_folder}
    own = [key for key in found if key.rpartition("/")[2] == "MLTable"]
    for key in own:
        del found[key]
    skipped += own
    if not found:
        if not storage.is_folder(entry.location, options):
            raise _nothing_there(entry, options)
        holds = listed(_names(entry.location, options)) or "nothing"
        raise entry.missing(f"has no file that matches {entry.pattern!r}; it holds {holds}.")
    return list(found.values())


def _match(entry: _Entry, options: StorageOptions) -> Iterator[Child]:
    for segments in split_pattern(entry.pattern):
        yield from _descend(entry.location, segments, options)


def _descend(folder: Location, segments: list[str], options: StorageOptions) -> Iterator[Child]:
    """Yield what matches below a folder; lists only folders that can hold a match."""
    if segments[0] == "**":
        wanted = translate(segments).fullmatch
        start = len(folder.key.rstrip("/")) + 1 if folder.key else 0
        for key, size, tag in files_below(folder, options, lambda _: False, []):
            if wanted(key[start:]):
                yield Child(key, key.rpartition("/")[2], is_folder=False, size=size, tag=tag)
        return
    head, *tail = segments
    matches: Iterable[Child]
    if not is_glob(head) and tail:
        key = f"{folder.key.rstrip('/')}/{head}" if folder.key else head
        matches = [Child(key, head, is_folder=True, size=None)]
    else:
        wanted = translate([head]).fullmatch
        matches = (child for child in children(folder, options) if wanted(child.name))
    for child in matches:
        if not tail:
            yield child
        elif child.is_folder:
            yield from _descend(folder.at(child.key), tail, options)
