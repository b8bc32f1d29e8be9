"""The file objects of the ``azureml`` filesystem: whole or not there at all."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
from typing import TYPE_CHECKING, Any

from fsspec.compression import compr

from mltable_lite.errors import ArgumentError
from mltable_lite.storage.filesystem import info
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.upload import new_file

if TYPE_CHECKING:
    from types import TracebackType

    from mltable_lite.storage.filesystem import Info
    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.remote import RangeFile
    from mltable_lite.storage.uri import Location

_BUFFER_BYTES = 64 * 1024
#: What a text in these encodings begins with.
_MARKS = {"utf-16": codecs.BOM_UTF16, "utf-32": codecs.BOM_UTF32}


class LocalReadFile(io.BufferedReader):
    """A local file opened for reading."""

    def __init__(self, path: str) -> None:
        super().__init__(io.FileIO(path))
        self.size = os.stat(path).st_size  # noqa: PTH116 - places are texts here

    def __del__(self) -> None:
        # Libraries that take files from a filesystem often leave the closing to us.
        with contextlib.suppress(ValueError):  # it was never opened
            self.close()


class ReadFile(io.BufferedReader):
    """A remote file opened for reading: lines and small reads from a buffer, a large read as one request."""

    def __init__(self, raw: RangeFile, size: int) -> None:
        super().__init__(raw, _BUFFER_BYTES)
        self._file = raw
        self.size = size

    def read(self, size: int | None = -1, /) -> bytes:
        """Return so many bytes, fewer only at the end of the file."""
        if size is not None and 0 <= size < _BUFFER_BYTES:
            return super().read(size)
        at = self.tell()
        self._file.seek(at)
        data = self._file.read(size)
        self.seek(at + len(data))
        return data


class WriteFile(io.RawIOBase):
    """A file opened for writing that appears under its name when it is closed, and never where its block fails.

    `commit` and `discard` are what a transaction of fsspec calls; without `autocommit` closing alone does nothing.
    """

    def __init__(
        self, location: Location, options: StorageOptions, *, exclusive: bool, autocommit: bool
    ) -> None:
        self._location, self._options = location, options
        self._exclusive = exclusive
        self._autocommit = autocommit
        self._size = 0
        place, _ = resolve(location, options)
        if place.is_local and os.path.isdir(place.key):  # noqa: PTH112 - places are texts here
            raise IsADirectoryError(location.uri)
        if exclusive:
            self._refuse(info(location, options))
        self._stack = contextlib.ExitStack()
        self._sink = self._stack.enter_context(new_file(location, options))
        self._open = True

    def _refuse(self, found: Info | None) -> None:
        if found is not None and found.kind == "file":
            raise FileExistsError(self._location.uri)

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any, /) -> int:
        """Write bytes and return how many."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        count = int(self._sink.write(data))
        self._size += count
        return count

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._size

    def close(self) -> None:
        """Let the file appear under its name, unless a transaction does it."""
        if not self.closed:
            try:
                if self._autocommit:
                    self.commit()
            finally:
                super().close()

    def commit(self) -> None:
        """Let the file appear under its name."""
        if not getattr(self, "_open", False):
            return
        if self._exclusive:
            try:
                self._refuse(info(self._location, self._options))
            except FileExistsError:
                self.discard()
                raise
        self._open = False
        self._stack.close()

    def discard(self) -> None:
        """Throw away what was written."""
        if getattr(self, "_open", False):
            self._open = False
            with contextlib.suppress(_Discarded):
                self._stack.__exit__(_Discarded, _Discarded(), None)
        super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()


class _Discarded(BaseException):
    """Makes a new file leave nothing behind; no failure, so nothing turns it into one."""


class CompressedWriteFile(io.BufferedIOBase):
    """A compressor on top of a new file, which is thrown away where the block fails."""

    def __init__(self, compressor: Any, file: WriteFile) -> None:
        self._compressor, self._file = compressor, file

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any, /) -> int:
        """Compress bytes and return how many."""
        self._compressor.write(data)
        return len(data)

    def tell(self) -> int:
        """Return how many bytes were given."""
        return int(self._compressor.tell())

    def close(self) -> None:
        """Let the file appear under its name."""
        if not self.closed:
            try:
                self._compressor.close()
                self._file.close()
            finally:
                super().close()

    def discard(self) -> None:
        """Throw away what was written."""
        self._file.discard()
        with contextlib.suppress(ValueError):  # left open, it would try to write its rest later, and complain
            self._compressor.close()
        super().close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.discard()
        self.close()


def compressed(file: Any, mode: str, name: str) -> Any:
    """Return a file that compresses what it writes, or decompresses what it reads, by the name fsspec gives it."""
    wrapped = compr[name](file, mode=mode[0])
    return CompressedWriteFile(wrapped, file) if isinstance(file, WriteFile) else wrapped


class TextFile(io.TextIOWrapper):
    """Text on top of one of these files, which is thrown away where the block fails."""

    def __init__(self, file: Any, encoding: str | None = None, **words: Any) -> None:
        super().__init__(file, encoding, **words)
        # Python leaves the mark out where it cannot seek.
        mark = _MARKS.get(codecs.lookup(self.encoding).name)
        if mark is not None and isinstance(file, WriteFile | CompressedWriteFile) and file.tell() == 0:
            file.write(mark)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and isinstance(self.buffer, WriteFile | CompressedWriteFile):
            self.buffer.discard()
        self.close()


def refuse_mode(mode: str) -> ArgumentError:
    """Return the error for a mode that no file of a storage is opened in."""
    return ArgumentError(
        f"open: the mode {mode!r} is not accepted; use 'rb', 'wb', 'xb', 'ab' or the same without b."
    )
