"""Location -> filesystem -> bytes. Local files go through pyarrow, everything else through fsspec.

Filesystems are kept per process and per credential. What a storage raises leaves here as an error of our tree that
names the place and never a credential.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from pathlib import Path
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pyarrow as pa

from mltable_lite.errors import (
    AccessDeniedError,
    MLTableError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFeatureError,
)
from mltable_lite.storage.azure import adlfs_options
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions, without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltable_lite.storage.uri import Location

_PACKAGES = {
    "abfs": "adlfs",
    "s3": "s3fs",
    "gs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "dbfs": "requests",
}
_DENIED = (401, 403)
_GONE = (404, 410)
#: Filesystems by process, protocol and options. No lock, so that a fork can never inherit a held one.
_FILESYSTEMS: dict[tuple[Any, ...], Any] = {}


class Info(NamedTuple):
    """What stands at a place; `size` in bytes, where the storage tells."""

    kind: Literal["file", "folder"]
    size: int | None


# --------------------------------------------------------------------------- filesystems
def filesystem(location: Location, options: StorageOptions = NO_OPTIONS) -> Any:
    """Return the fsspec filesystem of a remote place, the same one for the same process and options.

    Raises:
        UnsupportedFeatureError: The protocol needs a package that is not installed, or cannot be resolved here.
    """
    if location.protocol == "azureml":
        raise UnsupportedFeatureError(
            f"{location.uri}: an azureml address cannot be read directly; give the address of the storage behind it, "
            "for example abfss://container@account.dfs.core.windows.net/path"
        )
    key = (os.getpid(), location.protocol, location.options, location.secrets, options)
    found = _FILESYSTEMS.get(key)
    return found if found is not None else _FILESYSTEMS.setdefault(key, _make(location, options))


def _make(location: Location, options: StorageOptions) -> Any:
    import fsspec

    given: dict[str, Any] = dict(options)
    if location.protocol == "abfs":
        given = adlfs_options(location, options)
    elif location.protocol in ("http", "https"):
        # A signed query must reach the server as it was signed.
        given.setdefault("encoded", bool(location.secrets) and " " not in location.path)
    try:
        return fsspec.filesystem(
            location.protocol, skip_instance_cache=True, use_listings_cache=False, **given
        )
    except ImportError as error:
        package = _PACKAGES.get(location.protocol, location.protocol)
        raise UnsupportedFeatureError(
            f"{location.uri}: reading {location.protocol} needs the package {package}; install it with: pip install {package}"
        ) from error
    except Exception as error:  # noqa: BLE001 - whatever a filesystem makes of the options
        raise storage_error(error, location, options) from None


# --------------------------------------------------------------------------- errors
@contextlib.contextmanager
def storage_errors(location: Location, options: StorageOptions = NO_OPTIONS) -> Iterator[None]:
    """Turn what a storage raises inside into errors of our tree that name `location`."""
    try:
        yield
    except MLTableError:
        raise
    except Exception as error:  # noqa: BLE001 - every storage library has its own tree
        # The cause is not chained: its text may hold the credential that we take out of ours.
        raise storage_error(error, location, options) from None


def storage_error(error: BaseException, location: Location, options: StorageOptions) -> MLTableError:
    """Return the error of our tree for what a storage raised."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    status = next(
        (s for e in chain if isinstance(s := getattr(e, "status", getattr(e, "status_code", None)), int)), 0
    )
    names = {cls.__name__ for e in chain for cls in type(e).__mro__}
    if status in _DENIED or names & {
        "PermissionError",
        "ClientAuthenticationError",
        "CredentialUnavailableError",
    }:
        return AccessDeniedError(
            f"{location.uri}: access denied ({_reason(chain[-1], options)}). {_hint(location, options)}"
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
        return SourceNotFoundError(f"{location.uri}: The requested stream was not found.")
    return StorageError(f"{location.uri}: the storage failed: {_reason(chain[-1], options)}")


def _reason(error: BaseException, options: StorageOptions) -> str:
    lines = str(error).strip().splitlines()
    return without_secrets(
        f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__, options.secrets
    )


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
    if location.protocol == "abfs":
        return (
            "Give storage_options={'account_key': ...}, {'sas_token': ...} or {'anon': True} for a public container, "
            "{'anon': False} to use your identity."
        )
    return "Give the credential in storage_options."


# --------------------------------------------------------------------------- asking
def info(location: Location, options: StorageOptions = NO_OPTIONS) -> Info | None:
    """Return what stands at a place, or `None` for nothing. A trailing symlink is followed."""
    with storage_errors(location, options):
        if location.is_local:
            try:
                found = os.stat(location.key)  # noqa: PTH116 - 100,000 Path objects cost a second
            except (FileNotFoundError, NotADirectoryError):
                return None
            return Info("folder", None) if S_ISDIR(found.st_mode) else Info("file", found.st_size)
        fs = filesystem(location, options)
        try:
            told = fs.info(location.path)
        except FileNotFoundError as error:
            if isinstance(storage_error(error, location, options), SourceNotFoundError):
                return None
            raise
        size = told.get("size")
        return (
            Info("folder", None)
            if told["type"] == "directory"
            else Info("file", None if size is None else int(size))
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
    location: Location, options: StorageOptions = NO_OPTIONS, size: int | None = None
) -> pa.NativeFile:
    """Open a file for random access. `size` in bytes spares a question to a remote storage."""
    with storage_errors(location, options):
        if location.is_local:
            # Not a memory map: a file that someone cuts while it is read must be an error, not a dead process.
            return pa.OSFile(location.key, "rb")
        fs = filesystem(location, options)
        if size is None:
            found = fs.info(location.path).get("size")
            if found is None:
                return pa.BufferReader(fs.cat_file(location.path))
            size = int(found)
        return pa.PythonFile(_RangeFile(location, options, size), mode="r")


def read_range(
    location: Location, start: int, stop: int, options: StorageOptions = NO_OPTIONS, size: int | None = None
) -> bytes:
    """Return the bytes [start, stop) of a file, fewer only where the file ends."""
    with storage_errors(location, options):
        if location.is_local:
            with pa.OSFile(location.key, "rb") as file:
                file.seek(start)
                return bytes(file.read(max(stop - start, 0)))
        if size is None:
            found = filesystem(location, options).info(location.path).get("size")
            size = stop if found is None else int(found)
        return _fetch(location, options, start, min(stop, size), size)


def read_text(location: Location, options: StorageOptions = NO_OPTIONS) -> bytes:
    """Return all bytes of a (small) file."""
    with storage_errors(location, options):
        if location.is_local:
            return Path(location.key).read_bytes()
        return bytes(filesystem(location, options).cat_file(location.path))


def _fetch(location: Location, options: StorageOptions, start: int, stop: int, size: int) -> bytes:
    if stop <= start:
        return b""
    got = bytes(filesystem(location, options).cat_file(location.path, start=start, end=stop))
    if len(got) == stop - start:
        return got
    if len(got) == size:  # a server without ranges sends the whole file
        return got[start:stop]
    raise StorageError(
        f"{location.uri}: the storage sent {len(got)} of the bytes {start} to {stop}; the file has changed or the "
        "connection broke. Read again."
    )


class _RangeFile(io.RawIOBase):
    """A remote file as pyarrow reads it: one request a read, nothing read ahead, nothing kept."""

    def __init__(self, location: Location, options: StorageOptions, size: int) -> None:
        self._location, self._options, self._size, self._at = location, options, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        stop = self._size if size is None or size < 0 else min(self._at + size, self._size)
        with storage_errors(self._location, self._options):
            data = _fetch(self._location, self._options, self._at, stop, self._size)
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


# --------------------------------------------------------------------------- writing
def write_atomic(location: Location, data: bytes, options: StorageOptions = NO_OPTIONS) -> None:
    """Write a file so that a reader sees the old or the new bytes, never a part. Makes missing local folders."""
    with storage_errors(location, options):
        if location.is_local:
            with replacing(Path(location.key)) as file:
                file.write(data)
        else:
            filesystem(location, options).pipe_file(location.path, data)


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
