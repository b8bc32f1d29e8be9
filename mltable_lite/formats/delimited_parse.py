"""Whole lines of delimited text -> columns, fast: by Arrow's reader wherever it reads as `delimited_rows` does.

Arrow reads faster than anything else, and differs from our rules in some places. Each place is guarded here: text it
would cut otherwise goes to the exact tokeniser, cells it would convert otherwise stay text for `text_types`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from mltable_lite.formats.delimited_rows import (
    QUOTE,
    Dialect,
    Lines,
    OpenQuoteError,
    Texts,
    has_plain_quotes,
    rows,
    tokenise,
)
from mltable_lite.formats.text_dates import NS_YEARS, are_within
from mltable_lite.formats.text_types import EXACT_FLOAT, FALSE_WORDS, TRUE_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BOM = "\ufeff".encode()
_THREAD_BYTES = 1024 * 1024
_PART_BYTES = 256 * 1024
_FAILED_COLUMN = re.compile(r"In CSV column #(\d+)")


@dataclass(slots=True)
class Parser:
    """Parses the pieces of one partition, and remembers what did not go for the one before.

    Attributes:
        dialect: How lines are cut.
        width: How many columns are expected.
        threads: Whether Arrow may use its threads.
        arrow: Whether Arrow's reader is used at all.
    """

    dialect: Dialect
    width: int
    threads: bool = False
    arrow: bool = True
    _as_text: set[int] = field(default_factory=set)

    def typed(self, lines: Lines, wanted: Mapping[int, pa.DataType]) -> dict[int, Any] | None:
        """Return the columns at some positions: of the types wanted where Arrow reads them as we do, else texts.

        `None` where rows are not as wide as expected.

        Args:
            lines: The lines.
            wanted: string, int64, double, bool, or date32 for dates without a time, by position.
        """
        columns: dict[int, Any] = {}
        while len(columns) < len(wanted):
            types = {
                position: pa.string() if position in self._as_text else kind
                for position, kind in wanted.items()
                if position not in columns
            }
            try:
                read = self._read(lines, types)
            except pa.ArrowInvalid as error:
                # What is in this piece will mostly be in the next one, too.
                failed = _FAILED_COLUMN.search(str(error))
                known = failed is not None and types.get(int(failed[1])) not in (None, pa.string())
                self._as_text.update([int(failed[1])] if failed and known else types)
                continue
            if read is None:
                return None
            other = _read_otherwise(lines, read)
            self._as_text.update(other)
            columns.update((position, read[position]) for position in read.keys() - other)
        return columns

    def texts(
        self, lines: Lines, positions: Sequence[int] | None = None, most_rows: int | None = None
    ) -> Texts:
        """Return the columns of the first rows as texts; those at other than the given positions may be all null.

        Raises:
            OpenQuoteError: A quoted field does not end.
        """
        wanted = range(self.width) if positions is None else positions
        ragged: list[tuple[int, list[str | None]]] = []
        columns = self._read(lines, dict.fromkeys(wanted, pa.string()), ragged)
        if columns is None:
            return tokenise(lines.data.decode(), self.dialect, most_rows)
        size = len(next(iter(columns.values())))
        width = max(
            [
                self.width,
                *(len(fields) for number, fields in ragged if most_rows is None or number < most_rows),
            ]
        )
        missing = pa.nulls(size, pa.string())
        every = [columns.get(position, missing) for position in range(width)]
        if ragged:
            every, size = _insert_rows(every, ragged), size + len(ragged)
        return Texts([column.slice(0, most_rows) for column in every], min(size, most_rows or size))

    def _read(
        self,
        lines: Lines,
        types: Mapping[int, pa.DataType],
        ragged: list[tuple[int, list[str | None]]] | None = None,
    ) -> dict[int, Any] | None:
        """Return columns by Arrow's reader, `None` where it cannot cut the text or cuts it otherwise than we do.

        Rows of another width are left out and go to `ragged`, each with its place; without `ragged` none may be there.

        Raises:
            ArrowInvalid: A cell is not of its column's type.
        """
        dialect = self.dialect
        if not lines.text.endswith(b"\n", lines.begin, lines.end):
            data = lines.data + b"\n"  # without it Arrow takes a blank last field for an empty text
            lines = Lines(data, 0, len(data))
        if not (self.arrow and _is_plain(lines, dialect)):
            return None
        size = lines.end - lines.begin
        quoted = not dialect.multi_line and lines.hold(QUOTE.encode())
        line_ends = (
            _count_line_ends(lines, dialect) if quoted else 0
        )  # now: they are in the processor's cache
        odd: list[tuple[int, str]] = []

        def keep(row: Any) -> str:
            odd.append((row.number or 0, row.text))  # to be cut later: an exception would be lost here
            return "error" if ragged is None else "skip"

        threads = self.threads and ragged is None  # Arrow's threads do not know the numbers of rows
        try:
            table = pa_csv.read_csv(
                pa.BufferReader(pa.py_buffer(lines.text).slice(lines.begin, size)),
                pa_csv.ReadOptions(
                    use_threads=threads,
                    block_size=_THREAD_BYTES if threads else size + 1,
                    column_names=[str(position) for position in range(self.width)],
                ),
                pa_csv.ParseOptions(
                    delimiter=dialect.delimiter,
                    newlines_in_values=dialect.multi_line,
                    invalid_row_handler=keep,
                ),
                pa_csv.ConvertOptions(
                    check_utf8=False,  # the block is checked already
                    column_types={str(position): kind for position, kind in types.items()},
                    include_columns=[str(position) for position in types],
                    null_values=[""],
                    true_values=TRUE_WORDS,
                    false_values=FALSE_WORDS,
                    strings_can_be_null=dialect.blank is None,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "conversion error" in str(error):
                raise
            return None
        count = table.num_rows + len(odd)
        if quoted and not _one_line_each(lines, line_ends, count, dialect):
            return None
        if ragged is not None:
            # Every odd row is closed in itself here: in its line, or among quotes that all are plain.
            ragged += [(number - 1, next(rows(text, dialect)).fields) for number, text in odd]
        return {position: _one_array(table.column(str(position))) for position in types}


def _one_array(column: Any) -> Any:
    """Return a column as one array; ``combine_chunks`` copies even what is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _insert_rows(columns: list[Any], ragged: Sequence[tuple[int, list[str | None]]]) -> list[Any]:
    """Return columns with rows put in at their places."""
    size = len(columns[0])
    places = np.array([place for place, _ in ragged])
    order = np.arange(size + len(ragged))
    order[places] = np.arange(size, size + len(ragged))
    order[np.delete(np.arange(len(order)), places)] = np.arange(size)
    cells = [list(column) for column in zip_longest(*(fields for _, fields in ragged))]
    cells += [[None] * len(ragged)] * (len(columns) - len(cells))
    return [
        pa.concat_arrays([column, pa.array(new, pa.string())]).take(pa.array(order))
        for column, new in zip(columns, cells, strict=False)
    ]


# --------------------------------------------------------------------------- where Arrow differs
def _is_plain(lines: Lines, dialect: Dialect) -> bool:
    """Tell whether Arrow cuts text as we do, apart from quotes that stay open at a line's end."""
    if len(dialect.delimiter) != 1 or not "\0" < dialect.delimiter < "\x80":
        return False
    if lines.text.startswith(_BOM, lines.begin, lines.end):
        return False
    if not dialect.cr_only and lines.hold(b"\r") and _has_lone_return(lines.array):
        return False  # Arrow ends a line at any CR, we only at one before LF
    return not dialect.multi_line or has_plain_quotes(lines.data, dialect)


def _has_lone_return(text: npt.NDArray[np.uint8]) -> bool:
    """Tell whether a CR stands elsewhere than before LF, in text that ends with LF."""
    return any(
        bool(((part == ord("\r")) & (after != ord("\n"))).any())
        for part, after in zip(_parts(text[:-1]), _parts(text[1:]), strict=True)
    )


def _parts(text: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield parts of text that stay in a near cache, together with what is made of them."""
    return (text[start : start + _PART_BYTES] for start in range(0, len(text), _PART_BYTES))


def _count_line_ends(lines: Lines, dialect: Dialect) -> int:
    parts = _parts(lines.array)
    if dialect.cr_only:
        return sum(int(np.count_nonzero((part == ord("\n")) | (part == ord("\r")))) for part in parts)
    return sum(int(np.count_nonzero(part == ord("\n"))) for part in parts)


def _one_line_each(lines: Lines, line_ends: int, count: int, dialect: Dialect) -> bool:
    """Tell whether no row took a line end into a quoted field, and the last row's quotes are closed."""
    text = lines.array
    if line_ends != count:
        if dialect.cr_only:
            text = np.where(text == ord("\r"), np.uint8(ord("\n")), text)
        starts = np.concatenate([[0], np.flatnonzero(text == ord("\n")) + 1])
        starts = starts[starts < len(text)]
        second = text[np.minimum(starts + 1, len(text) - 1)]
        blank = (text[starts] == ord("\n")) | ((text[starts] == ord("\r")) & (second == ord("\n")))
        if len(starts) - np.count_nonzero(blank) != count:
            return False
    marks = (b"\n", b"\r") if dialect.cr_only else (b"\n",)
    last = max(lines.text.rfind(mark, lines.begin, lines.end - 2) + 1 for mark in marks)
    line = Lines(lines.text, max(last, lines.begin), lines.end)
    try:
        return not line.hold(QUOTE.encode()) or sum(1 for _ in rows(line.data.decode(), dialect)) <= 1
    except OpenQuoteError:
        return False


def _read_otherwise(lines: Lines, columns: Mapping[int, Any]) -> set[int]:
    """Return the columns of numbers that may hold texts which are no numbers for us, or lose digits."""
    integers = {position for position, column in columns.items() if pa.types.is_integer(column.type)}
    other = integers if integers and _has_hexadecimal(lines) else set()
    for position, column in columns.items():
        if pa.types.is_floating(column.type):
            if _are_small(column):
                continue
            ends = pc.min_max(column).as_py()
            large = ends["max"] is not None and max(-ends["min"], ends["max"]) >= EXACT_FLOAT
            # Arrow reads nan(1), too.
            if large or (lines.hold(b"(") and pc.any(pc.is_nan(column)).as_py()):
                other.add(position)
        if pa.types.is_date32(column.type) and not are_within(column, NS_YEARS):
            other.add(position)
    return other


def _are_small(floats: Any) -> bool:
    """Tell, faster than Arrow does, whether all floats are small numbers; not so where one is NaN."""
    values = np.frombuffer(floats.buffers()[1], np.float64)[floats.offset :][: len(floats)]
    return not len(values) or bool(max(values.max(), -values.min()) < EXACT_FLOAT)


def _has_hexadecimal(lines: Lines) -> bool:
    if not (lines.hold(b"x") or lines.hold(b"X")):
        return False
    text = lines.array
    return bool(((text[:-1] == ord("0")) & ((text[1:] | 32) == ord("x"))).any())
