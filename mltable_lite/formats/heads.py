"""The beginnings of remote text files, read ahead in parallel for a survey that looks at one file after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mltable_lite.errors import MLTableError
from mltable_lite.formats.parallel import are_local, in_parallel
from mltable_lite.formats.text_blocks import HEAD_BYTES, is_compressed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from mltable_lite.formats.base import InputFile

_AHEAD_FILES = 32
#: The shortest range that a survey asks for, and as much again: small files are read whole.
_AHEAD_BYTES = 2 * HEAD_BYTES


def with_heads(files: Sequence[InputFile]) -> Iterator[InputFile]:
    """Yield the files; of remote ones the beginnings are there already, of twice as many each time.

    So a survey that has seen enough after the first file has read no other.
    """
    start, window = 0, 1
    while start < len(files):
        chunk = files[start : start + window]
        if window == 1 or are_local(chunk):
            yield from chunk
        else:
            yield from in_parallel(_with_head, chunk, local=False)
        start += window
        window = min(2 * window, _AHEAD_FILES)


def _with_head(file: InputFile) -> InputFile:
    if is_compressed(file):
        return file
    try:
        return _Headed(file, file.read_range(0, _AHEAD_BYTES))
    except MLTableError:  # an error only once the file's turn comes
        return file


@dataclass(frozen=True, slots=True)
class _Headed:
    """A file whose first bytes are in memory."""

    file: InputFile
    head: bytes

    @property
    def uri(self) -> str:
        return self.file.uri

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def size(self) -> int | None:
        return self.file.size

    @property
    def position(self) -> int:
        return self.file.position

    def open(self, ranges: Sequence[tuple[int, int]] = ()) -> pa.NativeFile:
        return self.file.open(ranges)

    def read_range(self, start: int, stop: int) -> bytes:
        if stop <= len(self.head) or len(self.head) < _AHEAD_BYTES:
            return self.head[start:stop]
        return self.file.read_range(start, stop)
