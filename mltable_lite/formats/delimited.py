"""Delimited text: a source that guesses types from a sample and never loses a cell that does not fit them.

Read a file here in this order: `inspect` looks at the first rows and fixes the columns; `DelimitedSource.read`
decodes a partition and raises where a cell does not fit; `DelimitedSource.widen` looks at all rows and returns the
source that they all fit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mltable_lite.errors import ArgumentError, Notice, Notices, SchemaMismatchError, TypeWidenedWarning
from mltable_lite.expr import Bounds
from mltable_lite.formats.base import InputFile, Partition, Request, Source
from mltable_lite.formats.delimited_columns import Column, given_types, shown
from mltable_lite.formats.delimited_header import Headers, column_names
from mltable_lite.formats.delimited_parse import Parser
from mltable_lite.formats.delimited_pieces import Piece, dialect_of, pieces, short_first
from mltable_lite.formats.delimited_rows import QUOTE, Lines, OpenQuoteError, rows
from mltable_lite.formats.delimited_survey import Survey
from mltable_lite.formats.text_blocks import Block, split_ranges
from mltable_lite.formats.text_joined import join, with_rows
from mltable_lite.formats.text_types import EMPTY_TEXT, NOTHING, TEXT, Kind, Seen, type_of, type_texts
from mltable_lite.spec.model import SAMPLE_ROWS, InferTypes, ReadDelimited

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["DelimitedSource", "inspect", "type_texts"]

_FIRST_ROWS = 10_000  # a read of fewer rows begins with a short piece


@dataclass(frozen=True)
class DelimitedSource(Source):
    """Delimited files under one schema.

    Attributes:
        files: The files.
        reader: How to read them.
        columns: The columns, in the order of the schema.
        layouts: The header cells and the width of the rows, for all files or one a file.
        first_file: The number and URI of the first file that has a line; where there is one header, it is there.
        threads: Whether Arrow's reader may use its threads inside a partition.
        exact: Every row was looked at for its columns, not only a sample.
        schema: The Arrow schema.
    """

    joins = True
    spare_threads = 1
    files: tuple[InputFile, ...]
    reader: ReadDelimited
    columns: tuple[Column, ...]
    layouts: tuple[tuple[tuple[str, ...], int], ...]
    first_file: tuple[int, str] | None = None
    threads: bool = False
    exact: bool = False
    schema: pa.Schema = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "schema", pa.schema([(column.name, column.arrow) for column in self.columns])
        )

    def partitions(self) -> Iterator[Partition]:
        """Yield blocks of `partition_size` bytes; a file that is compressed or may have multi-line fields is one."""
        for file, entry in enumerate(self.files):
            ranges = split_ranges(entry, self.reader.partition_size, whole=self.reader.support_multi_line)
            for number, (start, stop) in enumerate(ranges):
                yield Partition(file, number, start, stop)

    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:
        """Decode the rows that start in a partition, in batches of some ten thousand.

        Raises:
            SchemaMismatchError: A cell does not fit its column's guessed type, a row has more fields than any row
                that was seen, or a header is another than that of the first file.
            ConversionError: A cell of an overridden column is no boolean and the table asks for an error.
            InvalidLineError: A quote is open at the end of a line.
        """
        ranges = [(partition.start, partition.stop)]
        if request.first_rows is not None and request.first_rows <= _FIRST_ROWS:
            ranges = short_first(partition, request.first_rows)
        headers = self._headers()
        positions = self._positions(headers.layout(partition.file))
        parser: Parser | None = None
        for piece in pieces(self.files[partition.file], partition.file, ranges, self.reader, headers):
            request.bytes_read += piece.stored_bytes
            parser = parser or Parser(piece.dialect, max(len(positions), 1), self.threads)
            yield self._decoded(piece, parser, positions, request)

    def read_together(
        self, partitions: Sequence[Partition], request: Request
    ) -> tuple[pa.RecordBatch, list[int]] | None:
        """Decode partitions as one text, where their rows are cut alike and none has more than a line."""
        headers = self._headers()
        layouts = {headers.layout(partition.file) for partition in partitions}
        texts, dialects = [], {dialect_of(self.reader)}
        for p in partitions:
            text = b""
            for piece in pieces(self.files[p.file], p.file, [(p.start, p.stop)], self.reader, headers):
                text += piece.lines.data
                request.bytes_read += piece.stored_bytes
                dialects.add(piece.dialect)
            texts.append(text)
        if len(layouts) > 1 or len(dialects) > 1:
            return None
        joined, lines = join(texts)
        block = Block(self.files[0], self.reader.encoding, joined, 0, len(joined), 0, leading=False)
        dialect, positions = dialects.pop(), self._positions(layouts.pop())
        parser = Parser(dialect, max(len(positions), 1), self.threads)
        batch = self._decoded(
            Piece(block, Lines(joined, 0, len(joined)), dialect, 0), parser, positions, request
        )
        return with_rows(batch, lines)

    def _positions(self, layout: int) -> dict[str, int]:
        """Return where the columns of a layout stand."""
        header, width = self.layouts[layout] if self.layouts else ((), 0)
        return {name: position for position, name in enumerate(column_names(header, width))}

    def _decoded(
        self, piece: Piece, parser: Parser, positions: dict[str, int], request: Request
    ) -> pa.RecordBatch:
        """Return the rows of a piece."""
        by_name = {column.name: column for column in self.columns}
        wanted = [by_name[name] for name in request.columns]
        cells, size = self._cells(piece, parser, wanted, positions, new_columns=request.new_columns)
        arrays = [
            column.values(cells[positions[column.name]], piece, request.notices, self._guessed_from)
            if column.name in positions
            else pa.nulls(size, column.arrow)
            for column in wanted
        ]
        return pa.RecordBatch.from_arrays(
            arrays, schema=pa.schema([(column.name, column.arrow) for column in wanted])
        )

    def select(self, files: Sequence[int]) -> DelimitedSource:
        """Return this source over only some files, with their headers; which file was the first is kept."""
        layouts = self.layouts
        if self.reader.header == "all_files_different_headers":
            layouts = tuple(layouts[file] for file in files)
        first = self.first_file
        if first is not None:
            first = (files.index(first[0]) if first[0] in files else -1, first[1])
        chosen = tuple(self.files[file] for file in files)
        return replace(self, files=chosen, layouts=layouts, first_file=first)

    def bounds(self, partition: Partition, columns: Sequence[str]) -> dict[str, Bounds]:
        """Return that columns which the partition's file does not have are null in it."""
        header, width = self.layouts[self._headers().layout(partition.file)] if self.layouts else ((), 0)
        present = column_names(header, width)
        return {name: Bounds.of(None) for name in columns if name not in present}

    def _cells(
        self,
        piece: Piece,
        parser: Parser,
        wanted: Sequence[Column],
        positions: dict[str, int],
        *,
        new_columns: bool,
    ) -> tuple[dict[int, Any], int]:
        """Return the wanted columns of a piece that its file has, as texts or values, and the number of rows."""
        types = {positions[column.name]: column.read_as for column in wanted if column.name in positions}
        try:
            # Rows are counted by a column, so one is read even where the file has none of those wanted.
            typed = parser.typed(piece.lines, types or {0: pa.string()})
            if typed is not None:
                return typed, len(next(iter(typed.values())))
            texts = parser.texts(piece.lines, list(types))
        except OpenQuoteError as error:
            raise piece.open_quote(error) from None
        if new_columns and len(texts.columns) > len(positions):
            raise self._long_row(piece, positions)
        return {position: texts.column(position) for position in types}, texts.rows

    def may_change(self, column: str) -> bool:
        """Tell whether cells past the sample may not fit the guessed type, or rows be long enough for a new column."""
        for known in self.columns:
            if known.name == column:
                return known.is_guess
        return not self.exact and re.fullmatch(r"Column[0-9]+(_[0-9]+)*", column) is not None

    def widen(self, columns: tuple[str, ...]) -> tuple[DelimitedSource, Notices]:
        """Return the source whose types, in these columns, are those of all rows, with every column that a row has.

        Reads everything once, and keeps only what the cells are.
        """
        known = {column.name: column.type for column in self.columns}
        open_to = {column.name for column in self.columns if column.name in columns and column.is_guess}
        survey = Survey(self.reader, self._headers(), known, frozenset(open_to))
        survey.look_at(self.files)
        seen = {name: flags for name, flags in survey.seen.items() if name in open_to or name not in known}
        source = _source(self.reader, self.files, survey, {c.name: c for c in self.columns}, seen, exact=True)
        notices, now = Notices(), {column.name: column for column in source.columns}
        for name, found in survey.misfits.items():
            if name in known and known[name].kind is now[name].type.kind is Kind.TEXT:
                continue  # a text all the same
            what = (
                f"values are not {known[name].called}, as guessed from {self._guessed_from}: read as {now[name].type.called}"
                if name in known
                else f"rows have this column, past {self._guessed_from} and without a header"
            )
            notices.add(Notice(TypeWidenedWarning, name, found.count, what, shown(found.first), found.where))
        return replace(source, threads=self.threads), notices

    def _headers(self) -> Headers:
        known = {number: header for number, (header, _) in enumerate(self.layouts) if header}
        return Headers(self.reader.header, known, self.first_file)

    @property
    def _guessed_from(self) -> str:
        count = _sample_rows(self.reader)
        return "the first row" if count == 1 else f"the first {count} rows"

    def _long_row(self, piece: Piece, positions: Mapping[str, int]) -> SchemaMismatchError:
        row, fields = next(
            (number, len(row.fields))
            for number, row in enumerate(rows(piece.lines.data.decode(), piece.dialect))
            if len(row.fields) > len(positions)
        )
        uri, line = piece.block.file.uri, piece.line_of(row)
        name = column_names(tuple(positions), len(positions) + 1)[-1]
        return SchemaMismatchError(
            f"{uri}:{line}: the row has {fields} fields, but {self._guessed_from} and their header have "
            f"{len(positions)}; check its quotes and delimiters, or to get the column {name!r} raise the sample over it:\n"
            "    infer_column_types: {sample_size: <rows>}",
            column=name,
            file=uri,
            line=line,
        )


def inspect(read: ReadDelimited, files: Sequence[InputFile]) -> DelimitedSource:
    """Return the source of delimited files, with types guessed from their first rows. Reads only what that takes.

    Raises:
        ArgumentError: An option has a value that is not accepted.
        ColumnNotFoundError: An override names a column that is not there.
        DataError: The first rows are not what the options say.
    """
    delimiter = dialect_of(read).delimiter
    if len(delimiter) not in (1, 2) or set(delimiter) & set(f"{QUOTE}\r\n"):
        raise ArgumentError(
            f"read_delimited: delimiter: {read.delimiter!r} is not accepted; give one or two characters that are "
            "neither quotes nor line ends, such as ',' or '\\t'."
        )
    most_rows = _sample_rows(read)
    if most_rows < 1 or read.partition_size < 1:
        option = "sample_size" if most_rows < 1 else "partition_size"
        raise ArgumentError(f"read_delimited: {option}: give a positive number.")
    survey = Survey(read, Headers(read.header))
    survey.look_at(files, most_rows)
    return _source(read, tuple(files), survey, {}, survey.seen, exact=survey.rows < most_rows)


def _sample_rows(read: ReadDelimited) -> int:
    return (
        read.infer_column_types.sample_size
        if isinstance(read.infer_column_types, InferTypes)
        else SAMPLE_ROWS
    )


def _source(
    read: ReadDelimited,
    files: tuple[InputFile, ...],
    survey: Survey,
    known: Mapping[str, Column],
    seen: Mapping[str, Seen],
    *,
    exact: bool,
) -> DelimitedSource:
    """Return the source that a survey found, of all rows if `exact`; columns that it did not see stay as they are known."""
    headers = survey.headers
    count = len(files) if headers.mode == "all_files_different_headers" else 1
    layouts = tuple((headers.cells.get(number, ()), len(survey.names(number))) for number in range(count))
    names = tuple(dict.fromkeys(name for number in range(count) for name in survey.names(number)))
    infer = read.infer_column_types
    given = given_types(infer, names) if isinstance(infer, InferTypes) else {}

    def column(name: str) -> Column:
        if name in known and name not in seen:
            return known[name]
        flags = seen.get(name)
        if infer is False or (flags is None and survey.rows):
            # No row that was seen belongs to a file with this column: text loses nothing.
            return Column(name, TEXT)
        guess = type_of(flags or NOTHING)
        guess = EMPTY_TEXT if guess.kind is Kind.NULL and read.empty_as_string else guess
        date_only = Seen.CLOCK not in (flags or NOTHING)
        return Column(name, guess, given.get(name), date_only=date_only, exact=exact)

    columns = tuple(map(column, names))
    return DelimitedSource(files, read, columns, layouts, headers.first, exact=exact)
