"""What the columns of delimited files are: seen in the first rows, or in all, in bounded memory.

A survey keeps a set of flags for each column, never its data. So the sample and the whole input are typed alike.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mltable_lite.formats.delimited_header import Headers, column_names
from mltable_lite.formats.delimited_parse import Parser
from mltable_lite.formats.delimited_pieces import FIRST_BYTES, Piece, pieces
from mltable_lite.formats.delimited_rows import OpenQuoteError
from mltable_lite.formats.heads import with_heads
from mltable_lite.formats.parallel import are_local
from mltable_lite.formats.text_blocks import CHUNK_BYTES, HEAD_BYTES, split_ranges
from mltable_lite.formats.text_types import NOTHING, NULL, Seen, TextType, find_misfits, see

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mltable_lite.formats.base import InputFile
    from mltable_lite.spec.model import ReadDelimited


@dataclass(slots=True)
class Found:
    """Cells that do not fit the type of their column: how many, and the first with its place."""

    count: int
    first: str
    where: object


@dataclass(slots=True)
class Survey:
    """What was seen so far in the files of a table.

    Attributes:
        reader: How to read them.
        headers: The header lines met.
        known: Where it is not the first survey, the types to check cells against, by column.
        columns: With `known`, the columns to look at; others than known ones always are.
        widths: The most fields of a row, by layout.
        seen: What the cells are, by column; only of columns that a row was seen of.
        misfits: Cells that do not fit their known type, by column.
        rows: How many rows were looked at.
    """

    reader: ReadDelimited
    headers: Headers
    known: Mapping[str, TextType] | None = None
    columns: frozenset[str] = frozenset()
    widths: dict[int, int] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    misfits: dict[str, Found] = field(default_factory=dict)
    rows: int = 0

    def names(self, layout: int) -> tuple[str, ...]:
        """Return the column names of a layout, as far as its rows were seen."""
        return column_names(self.headers.cells.get(layout, ()), self.widths.get(layout, 0))

    def look_at(self, files: Sequence[InputFile], most_rows: int | None = None) -> None:
        """Look at the rows of all files, or at the first of them, and at every header line that gives names.

        Of columns that no such row has the first rows are looked at, wherever they are.
        """
        for number, file in enumerate(with_heads(files)):
            enough = most_rows is not None and self.rows >= most_rows
            if enough and (
                self.headers.mode == "no_header" or self.headers.layout(number) in self.headers.cells
            ):
                return
            self._look_at_file(file, number, most_rows)

    def _look_at_file(self, file: InputFile, number: int, most_rows: int | None) -> None:
        layout = self.headers.layout(number)
        # Where only the header line is missing, the shortest range has it.
        first_bytes = 1 if self.rows == most_rows else FIRST_BYTES
        if most_rows is not None and are_local(
            [file]
        ):  # a remote storage is asked once rather than for little
            first_bytes = min(first_bytes, HEAD_BYTES)
        for piece in pieces(
            file, number, _growing(file, self.reader, first_bytes), self.reader, self.headers
        ):
            left = None if most_rows is None else most_rows - self.rows
            if left != 0:
                self._look_at_piece(piece, layout, left)
                continue
            # Enough rows were seen, but none of columns that this file is the first to have.
            new = frozenset(self.names(layout)) - self.seen.keys()
            if new:
                self._look_at_piece(piece, layout, most_rows, new)
            elif layout in self.headers.cells or not self.headers.has_header(number):
                return  # else only blank lines came, and the header line is still to come

    def _look_at_piece(
        self, piece: Piece, layout: int, most_rows: int | None, only: frozenset[str] | None = None
    ) -> None:
        names = self.names(layout)
        wanted = [position for position, name in enumerate(names) if self._is_wanted(name, only)]
        try:
            texts = Parser(piece.dialect, len(names) or 1).texts(piece.lines, wanted or [0], most_rows)
        except OpenQuoteError as error:
            raise piece.open_quote(error) from None
        if not texts.rows:
            return
        self.widths[layout] = max(len(texts.columns), len(names))
        self.rows += texts.rows if only is None else 0
        for position, name in enumerate(self.names(layout)):
            self.seen.setdefault(name, NOTHING)
            if self._is_wanted(name, only):
                self._look_at_column(name, texts.column(position), piece)

    def _is_wanted(self, name: str, only: frozenset[str] | None) -> bool:
        if only is not None:
            return name in only
        return self.known is None or name in self.columns or name not in self.known

    def _look_at_column(self, name: str, texts: Any, piece: Piece) -> None:
        if self.known is None:
            if Seen.TEXT not in self.seen[name]:  # nothing more can change it
                self.seen[name] |= see(texts)
            return
        seen, known = see(texts), self.known.get(name, NULL)
        self.seen[name] |= seen
        misfits = find_misfits(texts, known) if seen & ~known.fitting else None
        if misfits is not None:
            if name not in self.misfits:
                self.misfits[name] = Found(0, texts[misfits.first].as_py(), piece.place(misfits.first))
            self.misfits[name].count += misfits.count


def _growing(file: InputFile, reader: ReadDelimited, first_bytes: int) -> Iterator[tuple[int, int]]:
    """Yield consecutive ranges of a file, short ones first: most often the first will do."""
    for whole_start, stop in split_ranges(file, sys.maxsize, whole=reader.support_multi_line):
        start, step = whole_start, first_bytes
        if stop < 0:
            yield start, stop
        while start < stop:
            yield start, min(start + step, stop)
            start, step = start + step, min(max(4 * step, FIRST_BYTES), CHUNK_BYTES)
