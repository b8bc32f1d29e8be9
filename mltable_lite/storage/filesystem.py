"""Location -> filesystem -> bytes. Local files go through pyarrow, everything else through fsspec.

Filesystems are kept per process and per credential. What a storage raises leaves here as an error of our tree that
names the place and never a credential.
"""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import zlib
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa

from mltable_lite.errors import AccessDeniedError, MLTableError, SourceNotFoundError, UnsupportedFeatureError
from mltable_lite.storage.azure import azure_filesystem
from mltable_lite.storage.databricks import databricks_filesystem
from mltable_lite.storage.failures import changed, raise_alone, storage_error, storage_errors
from mltable_lite.storage.google import google_filesystem
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.remote import RangeFile, Remote, ask, fetch, tag_of
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.retry import RetryPolicy

if TYPE_CHECKING:
    import io
    from collections.abc import Iterator, Sequence

    from mltable_lite.storage.uri import Location

_PACKAGES = {
    "abfs": "adlfs",
    "s3": "s3fs",
    "gs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "dbfs": "requests",
}
#: Storage options that are for this library and not for the filesystem.
_OURS = ("retry", "ml_client", "override_credentials")
#: How the tags of local files begin.
_HERE = f"@{zlib.crc32(platform.node().encode()):x}."
#: Listings of Windows leave out the numbers of files.
_NUMBERED = os.name != "nt"
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0)
#: Filesystems by process, protocol and options. No lock, so that a fork can never inherit a held one.
_FILESYSTEMS: dict[tuple[Any, ...], Any] = {}


class Info(NamedTuple):
    """What stands at a place; `size` in bytes and `tag`, which another version has not, where the storage tells."""

    kind: Literal["file", "folder"]
    size: int | None
    tag: str | None = None


# --------------------------------------------------------------------------- filesystems
def filesystem(location: Location, options: StorageOptions = NO_OPTIONS) -> Any:
    """Return the fsspec filesystem of a remote place, the same one for the same process and options.

    Raises:
        UnsupportedFeatureError: The protocol needs a package that is not installed, or cannot be resolved here.
    """
    if location.protocol == "azureml":
        from mltable_lite.storage.azureml import AzureMachineLearningFileSystem  # it stands on this module

        return AzureMachineLearningFileSystem.of(location, options)
    location = options.sign(location)
    site = location.bucket if "://" in location.bucket else ""
    key = (os.getpid(), location.protocol, site, location.options, location.secrets, options)
    found = _FILESYSTEMS.get(key)
    return found if found is not None else _FILESYSTEMS.setdefault(key, _make(location, options))


def _make(location: Location, options: StorageOptions) -> Any:
    import fsspec

    policy = RetryPolicy.of(options)
    given: dict[str, Any] = {name: value for name, value in options.items() if name not in _OURS}
    if location.protocol in ("http", "https"):
        # A signed query must reach the server as it was signed.
        given.setdefault("encoded", bool(location.secrets) and " " not in location.path)
    elif location.protocol == "s3":
        times = dict.fromkeys(("connect_timeout", "read_timeout"), policy.attempt_seconds)
        own = {"retries": {"total_max_attempts": 1}, "max_pool_connections": 64, **times}
        given["config_kwargs"] = {**own, **given.get("config_kwargs", {})}
    try:
        if location.protocol == "abfs":
            return azure_filesystem(location, options)
        if location.protocol == "gs":
            return google_filesystem(given)
        if location.protocol == "dbfs":
            return databricks_filesystem(location, given, policy.attempt_seconds)
        if location.protocol not in ("http", "https") and "://" in location.bucket:
            # An address of any other kind: its host, port and user are for the filesystem to tell.
            told = fsspec.get_filesystem_class(location.protocol)._get_kwargs_from_urls(location.path)  # noqa: SLF001
            given = {**told, **given}
        fs = fsspec.filesystem(location.protocol, skip_instance_cache=True, use_listings_cache=False, **given)
    except ImportError as error:
        package = _PACKAGES.get(location.protocol, location.protocol)
        raise UnsupportedFeatureError(
            f"{location.uri}: reading {location.protocol} needs the package {package}; install it with: pip install {package}"
        ) from error
    except MLTableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a filesystem makes of the options
        raise_alone(storage_error(error, location, options))
    if location.protocol == "s3":
        fs.retries = 1  # the policy stands above all libraries
    return fs


@contextlib.contextmanager
def opened(location: Location, options: StorageOptions) -> Iterator[tuple[Location, StorageOptions]]:
    """Give the real place of a location and the options that open it, and name both in errors."""
    place, own = resolve(location, options)
    try:
        with storage_errors(place, own):
            yield place, own
    except MLTableError as error:
        raise named(error, location, place) from error.__cause__


def named(error: MLTableError, location: Location, place: Location) -> MLTableError:
    """Return an error about a place that also names the location which led to it."""
    if location.protocol != "azureml" or place.uri == location.uri or location.uri in str(error):
        return error
    text = str(error).replace(place.uri, f"{location.uri} ({place.uri})", 1)
    if isinstance(error, AccessDeniedError):
        text += (
            " Or register the datastore in this process, or with a reference that every process can follow: "
            "account_key='env:NAME'."
        )
    error.args = (text,)
    return error


# --------------------------------------------------------------------------- asking
def info(location: Location, options: StorageOptions = NO_OPTIONS) -> Info | None:
    """Return what stands at a place, or `None` for nothing. A trailing symlink is followed."""
    with opened(location, options) as (place, own):
        if place.is_local:
            try:
                found = os.stat(place.key)  # noqa: PTH116 - 100,000 Path objects cost a second
            except (FileNotFoundError, NotADirectoryError):
                return None
            return (
                Info("folder", None)
                if S_ISDIR(found.st_mode)
                else Info("file", found.st_size, local_tag(found))
            )
        fs = filesystem(place, own)
        try:
            told = ask(fs, own, "info", place.path)
        except FileNotFoundError as error:
            if isinstance(storage_error(error, place, own), SourceNotFoundError):
                return None
            raise
        size = told.get("size")
        return (
            Info("folder", None)
            if told["type"] == "directory"
            else Info("file", None if size is None else int(size), tag_of(told))
        )


def exists(location: Location, options: StorageOptions = NO_OPTIONS) -> bool:
    """Tell whether a file or folder stands at the place."""
    return info(location, options) is not None


def is_folder(location: Location, options: StorageOptions = NO_OPTIONS) -> bool:
    """Tell whether a folder stands at the place."""
    found = info(location, options)
    return found is not None and found.kind == "folder"


def settled(location: Location, options: StorageOptions = NO_OPTIONS) -> Location:
    """Return the place itself, or its percent-decoded name where only that one exists (``file:///a%20b``)."""
    decoded = location.decoded()
    return (
        decoded
        if decoded is not None and not exists(location, options) and exists(decoded, options)
        else location
    )


# --------------------------------------------------------------------------- reading
def open_input(
    location: Location,
    options: StorageOptions = NO_OPTIONS,
    size: int | None = None,
    tag: str | None = None,
    ranges: Sequence[tuple[int, int]] = (),
) -> pa.NativeFile:
    """Open a file for random access.

    Args:
        location: The file.
        options: Storage options.
        size: Its bytes, where a listing told: that spares a question to a remote storage.
        tag: Its tag in the listing; a file with another tag is an error.
        ranges: Bytes of a remote file that will be read: they are fetched now, at once.
    """
    with opened(location, options) as (place, own):
        if place.is_local:
            return _local(place, tag)
        fs = filesystem(place, own)
        file = _remote(fs, place, own, size, tag)
        if file is None:
            return pa.BufferReader(ask(fs, own, "cat_file", place.path))
        return pa.PythonFile(RangeFile(file, ranges), mode="r")


def read_range(
    location: Location,
    start: int,
    stop: int,
    options: StorageOptions = NO_OPTIONS,
    size: int | None = None,
    tag: str | None = None,
) -> bytes:
    """Return the bytes [start, stop) of a file, fewer only where the file ends."""
    with opened(location, options) as (place, own):
        if place.is_local:
            return _local_range(place, place.key, tag, start, stop)
        fs = filesystem(place, own)
        file = _remote(fs, place, own, size, tag)
        if file is None:
            return bytes(ask(fs, own, "cat_file", place.path))[start:stop]
        stop = min(stop, file.size)
        return fetch(file, start, stop) if start < stop else b""


def _local(place: Location, tag: str | None) -> pa.OSFile:
    """Open a local file, if it is the one that was listed."""
    # Not a memory map: a file that someone cuts while it is read must be an error, not a dead process.
    file = pa.OSFile(place.key, "rb")
    if _is_other(tag, os.fstat(file.fileno())):
        file.close()
        raise changed(place)
    return file


def read_local(place: Location, key: str, tag: str | None, start: int, stop: int) -> bytes | None:
    """Return what `read_range` returns of a local file beside a place, for 100,000 footers with few calls.

    `None` where that fails: why, `read_range` says.
    """
    try:
        return _local_range(place, key, tag, start, stop)
    except (OSError, ValueError):
        return None


def _local_range(place: Location, key: str, tag: str | None, start: int, stop: int) -> bytes:
    file = os.open(key, _READ_ONLY)
    try:
        told = os.fstat(file)
        if _is_other(tag, told):
            raise changed(place.at(key))
        if start:
            os.lseek(file, start, os.SEEK_SET)
        # Most files end where they say, so that no further call has to find that out.
        wanted = max(min(stop, told.st_size or stop) - start, 0)
        data = os.read(file, wanted)
        while 0 < len(data) < wanted and (more := os.read(file, wanted - len(data))):
            data += more
        return data
    finally:
        os.close(file)


def _is_other(tag: str | None, told: os.stat_result) -> bool:
    """Tell whether an open file is another one than the tag is of, as far as the tag is of this machine."""
    return tag is not None and tag.startswith(_HERE) and local_tag(told) != tag


def local_tag(told: os.stat_result) -> str:
    """Return what tells a version of a local file from others, on this machine: others may hold copies of it."""
    return f"{_HERE}{told.st_ino if _NUMBERED else 0:x}.{told.st_mtime_ns}"


def read_text(location: Location, options: StorageOptions = NO_OPTIONS) -> bytes:
    """Return all bytes of a (small) file."""
    with opened(location, options) as (place, own):
        if place.is_local:
            return Path(place.key).read_bytes()
        with open_input(place, own) as file:
            return bytes(file.read())


def _remote(
    fs: Any, location: Location, options: StorageOptions, size: int | None, tag: str | None
) -> Remote | None:
    """Return a file as it is now, or as it was listed; `None` where the storage does not tell its size."""
    if size is None:
        told = ask(fs, options, "info", location.path)
        if told.get("type") == "directory":
            raise IsADirectoryError(f"{location.name} is a folder")
        if told.get("size") is None:
            return None
        size, tag = int(told["size"]), tag_of(told)
    return Remote(fs, location, options, size, tag)


# --------------------------------------------------------------------------- writing
def write_atomic(location: Location, data: bytes, options: StorageOptions = NO_OPTIONS) -> None:
    """Write a file so that a reader sees the old or the new bytes, never a part. Makes missing local folders."""
    with opened(location, options) as (place, own):
        if place.is_local:
            with replacing(Path(place.key)) as file:
                file.write(data)
        else:
            ask(filesystem(place, own), own, "pipe_file", place.path, data)


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[io.BufferedWriter]:
    """Open a new local file beside `target` that takes its place at the end, or vanishes when the block fails."""
    target = Path(os.path.realpath(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}.tmp")
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o666
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, target)  # noqa: PTH105 - the word for it
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
