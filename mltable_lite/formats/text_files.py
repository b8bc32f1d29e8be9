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
    from collections.abc import Iterator

    from mltable_lite.formats.base import InputFile

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
            opened = stack.enter_context(bz2.BZ2File(raw))
        elif kind == ".xz":
            opened = stack.enter_context(lzma.LZMAFile(raw))
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
    except zipfile.BadZipFile as error:
        raise _corrupt(file, error) from error
    except (RuntimeError, NotImplementedError) as error:
        raise UnsupportedFeatureError(f"{file.uri}: the archive cannot be unpacked: {error}.") from error
    raise UnsupportedFeatureError(
        f"{file.uri}: the archive has {len(members)} files; a .zip is read when it holds exactly one: unpack it."
    )
