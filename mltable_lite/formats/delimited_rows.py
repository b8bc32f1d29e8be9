"""Lines of delimited text -> fields, exactly: the one definition of how a line is cut.

A quote is special as the first character of a field only. Inside quotes, two quotes are one; what stands between the
closing quote and the next delimiter is text of the field, too. Blank lines are no rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

QUOTE = '"'
_ANY_LINE_END = re.compile(r"\r\n|\r|\n")


class OpenQuoteError(Exception):
    """A quoted field does not end where it must; `line` is its line in the text, from 0."""

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        self.text = text
        super().__init__(line, text)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How lines are cut.

    Attributes:
        delimiter: Characters between fields, one or two.
        multi_line: A quoted field may hold line ends.
        cr_only: CR ends a line, too.
        blank: What a blank field becomes; a quoted empty field is always an empty text.
    """

    delimiter: str
    multi_line: bool = False
    cr_only: bool = False
    blank: str | None = None


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines: `text` from `begin` to `end`, which so need not be copied."""

    text: bytes | bytearray
    begin: int
    end: int

    @property
    def data(self) -> bytes:
        """The lines, copied."""
        return bytes(self.text[self.begin : self.end])

    @property
    def array(self) -> npt.NDArray[np.uint8]:
        """Their bytes, not copied."""
        return np.frombuffer(self.text, np.uint8, self.end - self.begin, self.begin)

    def hold(self, characters: bytes) -> bool:
        """Tell whether the characters stand somewhere in the lines."""
        return self.text.find(characters, self.begin, self.end) >= 0


class Row(NamedTuple):
    """The fields of a row, its line in the text, from 0, and where the next one begins."""

    fields: list[str | None]
    line: int
    end: int


def rows(text: str, dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of whole lines of text.

    Raises:
        OpenQuoteError: A quote is still open at the end of its line, or of the text where lines may go on.
    """
    delimiter, blank = dialect.delimiter, dialect.blank
    start, line, size = 0, 0, len(text)
    while start < size:
        stop, after = _line_end(text, start, dialect)
        whole = text[start:stop]
        if QUOTE not in whole:
            if whole:
                yield Row([field or blank for field in whole.split(delimiter)], line, after)
            line += 1
        else:
            fields, after, lines = _quoted_row(text, start, line, dialect)
            yield Row(fields, line, after)
            line += lines
        start = after


def _quoted_row(text: str, start: int, line: int, dialect: Dialect) -> tuple[list[str | None], int, int]:
    """Return the fields of the row at `start`, where the next row starts, and how many lines it has."""
    fields: list[str | None] = []
    delimiter, lines = dialect.delimiter, 1
    stop, after = _line_end(text, start, dialect)
    position = start
    while True:
        value: str | None
        if text.startswith(QUOTE, position, stop):
            close = _closing_quote(text, position + 1)
            if close < 0 or (close >= stop and not dialect.multi_line):
                raise OpenQuoteError(line + lines - 1, text[position:stop])
            while close >= stop:
                stop, after = _line_end(text, after, dialect)
                lines += 1
            end = text.find(delimiter, close + 1, stop)
            value = text[position + 1 : close].replace('""', '"') + text[close + 1 : stop if end < 0 else end]
        else:
            end = text.find(delimiter, position, stop)
            value = text[position : stop if end < 0 else end] or dialect.blank
        fields.append(value)
        if end < 0:
            return fields, after, lines
        position = end + len(delimiter)


def _closing_quote(text: str, position: int) -> int:
    while True:
        close = text.find(QUOTE, position)
        if close < 0 or not text.startswith(QUOTE, close + 1):
            return close
        position = close + 2


def _line_end(text: str, start: int, dialect: Dialect) -> tuple[int, int]:
    """Return where the line at `start` ends and where the next one starts."""
    if dialect.cr_only:
        found = _ANY_LINE_END.search(text, start)
        return found.span() if found else (len(text), len(text))
    stop = text.find("\n", start)
    if stop < 0:
        stop, after = len(text), len(text)
    else:
        after = stop + 1
    return (stop - 1 if stop > start and text[stop - 1] == "\r" else stop), after


@dataclass(frozen=True, slots=True)
class Texts:
    """Fields as columns of text; null is a blank field or one that a short row does not have.

    Attributes:
        columns: One string array for each position that any row has.
        rows: The number of rows.
    """

    columns: list[Any]
    rows: int

    def column(self, position: int) -> Any:
        """Return the column at a position, all null where no row is so long."""
        return self.columns[position] if position < len(self.columns) else pa.nulls(self.rows, pa.string())


def tokenise(text: str, dialect: Dialect, most_rows: int | None = None) -> Texts:
    """Return the fields of whole lines as columns."""
    table = [row.fields for row in islice(rows(text, dialect), most_rows)]
    return Texts([pa.array(column, pa.string()) for column in zip_longest(*table)], len(table))


# --------------------------------------------------------------------------- rows that span lines
def whole_rows(data: bytes, dialect: Dialect, *, final: bool) -> int:
    """Return how many bytes of text that begins with a row are whole rows; 0 where that takes more text.

    Where quoted fields may hold line ends, only quotes at the edges of fields are understood; with others the whole
    text is needed.
    """
    if final:
        return len(data)
    end = data.rfind(b"\n")
    if not dialect.multi_line:
        return end + 1
    quotes = _quotes(data)
    if not _at_edges(data, quotes, dialect):
        return 0
    while end >= 0 and (before := int(np.searchsorted(quotes, end))) % 2:
        end = data.rfind(b"\n", 0, int(quotes[before - 1]))
    return end + 1


def has_plain_quotes(data: bytes, dialect: Dialect) -> bool:
    """Tell whether quotes come in pairs that enclose whole fields, so that every reader agrees on them."""
    quotes = _quotes(data)
    return len(quotes) % 2 == 0 and _at_edges(data, quotes, dialect)


def _quotes(data: bytes) -> Any:
    return np.flatnonzero(np.frombuffer(data, np.uint8) == ord(QUOTE))


def _at_edges(data: bytes, quotes: Any, dialect: Dialect) -> bool:
    """Tell whether, counted from the start, odd quotes open fields or follow a quote, and even ones close them."""
    if not len(quotes):
        return True
    if not (len(dialect.delimiter) == 1 and dialect.delimiter.isascii()):
        return False
    padded = np.frombuffer(b"\n" + data + b"\n", np.uint8)
    before, after = np.zeros(256, bool), np.zeros(256, bool)
    before[[ord(c) for c in '\n"' + dialect.delimiter]] = True
    after[[ord(c) for c in '\r\n"' + dialect.delimiter]] = True
    return bool(before[padded[quotes[0::2]]].all() and after[padded[quotes[1::2] + 2]].all())
