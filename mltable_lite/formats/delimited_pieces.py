"""Files of delimited text -> pieces: whole rows, some megabytes at most, without header lines.

A piece is what is parsed at once. It bounds memory, and what must be parsed again where a piece is not plain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from mltable_lite.errors import InvalidLineError
from mltable_lite.formats.base import Partition
from mltable_lite.formats.delimited_rows import Dialect, Lines, OpenQuoteError, rows, whole_rows
from mltable_lite.formats.text_blocks import HEAD_BYTES, Block, Place, read_blocks, read_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mltable_lite.formats.base import InputFile
    from mltable_lite.formats.delimited_header import Headers
    from mltable_lite.spec.model import ReadDelimited

PIECE_BYTES = 4 * 1024 * 1024  # of a piece, at most, unless one row has more
FIRST_BYTES = 256 * 1024
_ROW_BYTES = 1024  # hardly any row has more
_HEADER_BYTES = 64 * 1024
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole rows of a file.

    Attributes:
        block: The block they are cut from.
        lines: They; gone when the next piece is asked for.
        dialect: How they are cut into fields.
        stored_bytes: Bytes taken from the storage for this piece.
    """

    block: Block
    lines: Lines
    dialect: Dialect
    stored_bytes: int

    def line_of(self, row: int) -> int:
        """Return the number of the file's line that a row begins at. For errors: it reads."""
        return self.place(row).line

    def place(self, row: int) -> Place:
        """Return the file's line that a row begins at."""
        found = next(
            row_ for number, row_ in enumerate(rows(self.lines.data.decode(), self.dialect)) if number == row
        )
        return self.block.place(self._start, found.line)

    def open_quote(self, error: OpenQuoteError) -> InvalidLineError:
        """Return the error for a quote that does not end in this piece."""
        return _open_quote(self.block, self._start, error, self.dialect)

    @property
    def _start(self) -> int:
        """Where in the block they begin."""
        return self.lines.begin - self.block.begin


def pieces(
    file: InputFile,
    number: int,
    ranges: Iterable[tuple[int, int]],
    reader: ReadDelimited,
    headers: Headers,
) -> Iterator[Piece]:
    """Yield the rows that start in consecutive byte ranges of a file; its header line goes to `headers`.

    Args:
        file: The file.
        number: Its number in the source.
        ranges: (start, stop) in bytes; (0, -1) is the whole file.
        reader: How to read it.
        headers: Checks or collects the header line.

    Raises:
        SchemaMismatchError: The header is not the expected one.
        InvalidLineError: The header line has an open quote.
    """
    for start, stop in ranges:
        dialect = dialect_of(reader)
        if stop < 0:
            blocks = read_blocks(file, reader.encoding, partial(_whole_rows, dialect), FIRST_BYTES)
        else:
            blocks = read_pieces(file, Partition(number, 0, start, stop), reader.encoding, PIECE_BYTES)
        for block in blocks:
            dialect = dialect_of(reader, cr_only=block.cr_only)
            begin = 0
            if block.leading and headers.has_header(number):
                header = _first_row(block, dialect)
                if header is not None:
                    cells, begin, line = header
                    headers.meet(number, file.uri, (block.line or 1) + line, cells)
            elif block.leading and headers.first is None and block.data.strip(b"\r\n"):
                headers.first = (number, file.uri)
            yield from _cut(block, begin, dialect)


def short_first(partition: Partition, first_rows: int) -> list[tuple[int, int]]:
    """Return the ranges of a partition for a consumer that will mostly stop after so many rows."""
    start, stop = partition.start, partition.stop
    middle = start + min(max(first_rows * _ROW_BYTES, HEAD_BYTES), FIRST_BYTES)
    return [(start, middle), (middle, stop)] if middle < stop else [(start, stop)]


def dialect_of(reader: ReadDelimited, *, cr_only: bool = False) -> Dialect:
    """Return how the lines of a reader's files are cut."""
    delimiter = "\t" if reader.delimiter == "\\t" else reader.delimiter
    return Dialect(delimiter, reader.support_multi_line, cr_only, "" if reader.empty_as_string else None)


def _whole_rows(dialect: Dialect, data: bytes, final: bool) -> int:
    return whole_rows(data, dialect, final=final)


def _first_row(block: Block, dialect: Dialect) -> tuple[list[str | None], int, int] | None:
    """Return the fields of a block's first row, how long it is with the blank lines before it, and its line from 0."""
    length = block.end - block.begin
    for size in (_HEADER_BYTES, length):
        text = block.text[block.begin : block.begin + min(size, length)].decode(errors="ignore")
        try:
            row = next(rows(text, dialect), None)
        except OpenQuoteError as error:
            if size < length:
                continue
            raise _open_quote(block, 0, error, dialect) from None
        if size >= length or (row is not None and row.end < len(text)):
            break
    return None if row is None else (row.fields, len(text[: row.end].encode()), row.line)


def _cut(block: Block, start: int, dialect: Dialect) -> Iterator[Piece]:
    text, begin, stored = block.text, block.begin + start, block.stored_bytes
    while begin < block.end:
        end = block.end
        if end - begin > PIECE_BYTES and not dialect.multi_line and not dialect.cr_only:
            far = begin + PIECE_BYTES
            end = text.rfind(b"\n", begin, far) + 1 or text.find(b"\n", far, block.end) + 1 or block.end
        yield Piece(block, Lines(text, begin, end), dialect, stored)
        begin, stored = end, 0


def _open_quote(block: Block, start: int, error: OpenQuoteError, dialect: Dialect) -> InvalidLineError:
    line = block.line_at(start) + error.line
    shown = error.text[:_SHOWN_CHARACTERS] + ("..." if len(error.text) > _SHOWN_CHARACTERS else "")
    if dialect.multi_line:
        return InvalidLineError(
            f"{block.file.uri}:{line}: the quote of {shown!r} is never closed; close or double it."
        )
    return InvalidLineError(
        f"{block.file.uri}:{line}: the quote of {shown!r} is still open at the end of the line; close or double it, "
        "or where fields hold line ends set\n    support_multi_line: true"
    )
