"""Text files as they are stored: opened, with compression undone as their extension says."""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mltable_lite.errors import CorruptFileError, UnsupportedFeatureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mltable_lite.formats.base import InputFile

_CHUNK_BYTES = 1 << 16
_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zip")


def size_of(file: InputFile) -> int:
    """Return how many bytes a file has as it is stored."""
    if file.size is not None:
        return file.size
    with file.open() as stream:
        return int(stream.size())


def is_compressed(file: InputFile) -> bool:
    """Tell whether the file's extension names a compression that is undone on reading."""
    return _extension(file) in _COMPRESSIONS


def _extension(file: InputFile) -> str:
    return posixpath.splitext(file.uri.partition("?")[0])[1].lower()


class Reader:
    """A (decompressed) stream whose errors name the file."""

    def __init__(self, file: InputFile, stream: Any) -> None:
        self._file = file
        self._stream = stream

    def read(self, count: int = -1) -> bytes:
        """Return up to `count` bytes, fewer only at the end; all that are left without a count."""
        try:
            return bytes(self._stream.read() if count < 0 else self._stream.read(count))
        except (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pa.ArrowInvalid) as error:
            raise _corrupt(self._file, error) from error


class _Streams:
    """The compressed streams of a .bz2 or .xz file, one after the other.

    Tools that compress in parallel write many. Python's own files take one that is damaged at its start for something
    that does not belong to the data, and end there in silence.
    """

    def __init__(self, raw: Any, decompressor: Callable[[], Any]) -> None:
        self._raw = raw
        self._decompressor = decompressor
        self._stream = decompressor()

    def read(self, count: int = -1) -> bytes:
        parts = []
        while count and (part := self._some(count)):
            parts.append(part)
            count -= len(part) if count > 0 else 0
        return b"".join(parts)

    def _some(self, most: int) -> bytes:
        """Return up to so many bytes, all that come if negative; none at the end only."""
        while True:
            compressed = b""
            if self._stream.eof:
                compressed = self._stream.unused_data.lstrip(b"\0")  # zeros may fill up what lies between
                while not compressed:
                    if not (chunk := self._raw.read(_CHUNK_BYTES)):
                        return b""
                    compressed = chunk.lstrip(b"\0")
                self._stream = self._decompressor()
            elif self._stream.needs_input and not (compressed := self._raw.read(_CHUNK_BYTES)):
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            if part := self._stream.decompress(compressed, most):
                return bytes(part)


def _corrupt(file: InputFile, error: Exception) -> CorruptFileError:
    kind = _extension(file)
    return CorruptFileError(f"{file.uri}: this is no whole {kind} file ({error}); write it again.")


@contextmanager
def open_text(file: InputFile) -> Iterator[Reader]:
    """Open a file for reading from its start, decompressed as its extension says."""
    with ExitStack() as stack:
        raw: Any = stack.enter_context(file.open())
        kind = _extension(file)
        opened = raw
        if kind == ".gz":
            opened = stack.enter_context(gzip.GzipFile(fileobj=raw))
        elif kind == ".bz2":
            opened = _Streams(raw, bz2.BZ2Decompressor)
        elif kind == ".xz":
            opened = _Streams(raw, lzma.LZMADecompressor)
        elif kind == ".zst":
            opened = stack.enter_context(pa.CompressedInputStream(raw, "zstd"))
        elif kind == ".zip":
            opened = stack.enter_context(_open_member(file, stack, raw))
        yield Reader(file, opened)


def _open_member(file: InputFile, stack: ExitStack, raw: Any) -> Any:
    """Open the one member of a zip archive."""
    try:
        archive = stack.enter_context(zipfile.ZipFile(raw))
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) == 1:
            return archive.open(members[0])
    except (
        zipfile.BadZipFile,
        EOFError,
        ValueError,
    ) as error:  # ValueError is Arrow's for a place outside the file
        raise _corrupt(file, error) from error
    except (RuntimeError, NotImplementedError) as error:
        raise UnsupportedFeatureError(f"{file.uri}: the archive cannot be unpacked: {error}.") from error
    raise UnsupportedFeatureError(
        f"{file.uri}: the archive has {len(members)} files; a .zip is read when it holds exactly one: unpack it."
    )
