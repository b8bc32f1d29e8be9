"""One row group of a Parquet file -> arrays of the table's types; one file's schema; pruning by statistics."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from mltable_lite.errors import CorruptFileError, MLTableError, SchemaMismatchError
from mltable_lite.formats.conform import batch_of, conform, renames, stored_fields
from mltable_lite.formats.footers import ARROW_ERRORS, explained, no_parquet
from mltable_lite.formats.stored import Stored, stored_of
from mltable_lite.formats.utf8 import check_texts, holds_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from mltable_lite.formats.base import InputFile, Partition, Request, Source

#: Rows of a batch: small enough to stay in the processor's cache through a filter, as fast as whole row groups.
BATCH_ROWS = 65_536
#: Rows of a batch when only a few rows are wanted; a page holds more, so fewer would not spare work.
FIRST_BATCH_ROWS = 1024
#: A remote row group up to this size is fetched in few, joined requests even when only its first rows are wanted.
_FETCH_WHOLE_BYTES = 8 * 1024 * 1024
_BUFFER_BYTES = 1024 * 1024
_PLAIN_TEXT_BYTES = 4
#: Decoded row groups are put together up to about so many bytes.
_MOST_JOINED_BYTES = 64 * 1024 * 1024
#: A local file up to this size is read whole: further calls would take longer than the bytes that are not asked for.
_SMALL_BYTES = 64 * 1024
#: Below, what an encoded column costs besides its rows is more than it spares.
_REPETITIVE_ROWS = 16_384


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the fields of a table stand in a file.

    Attributes:
        names: The columns to decode.
        places: For each field the number of its column among them, or `None` when the file lacks it.
        texts: The columns that must not stay encoded.
        schema: The fields.
        as_stored: Whether they and their order are the columns' own, but for the types.
        chunks: The numbers of the column chunks that are read.
        flat: The chunk of one column that has one value a row, where the file has such a column.
        selected: Whether more columns may come, and in another order: see `Stored.dotted`.
        with_text: The columns that are or hold text.
    """

    names: tuple[str, ...]
    places: tuple[int | None, ...]
    texts: Collection[int | None]
    schema: pa.Schema
    as_stored: bool
    chunks: tuple[int, ...]
    flat: int | None
    selected: bool
    with_text: tuple[str, ...]


def layout_of(stored: Stored, wanted: pa.Schema) -> Layout:
    """Return where fields stand in a file: the same for all files that have one schema."""
    sources = stored_fields(stored.fields, wanted)
    names = tuple(dict.fromkeys(stored.fields[i].name for i in sources if i is not None))
    places = tuple(None if i is None else names.index(stored.fields[i].name) for i in sources)
    texts = frozenset(i for f, i in zip(wanted, places, strict=True) if not pt.is_dictionary(f.type))
    as_stored = places == tuple(range(len(wanted))) and not any(renames(f.type) for f in wanted)
    chunks = tuple(stored.chunks(names))
    flat = [stored.leaves[name] for name in (*names, *stored.leaves) if name in stored.leaves]
    with_text = tuple(f.name for f in stored.fields if f.name in names and holds_text(f.type))
    flat_chunk = next(iter(flat), None)
    return Layout(names, places, texts, wanted, as_stored, chunks, flat_chunk, stored.dotted, with_text)


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes one row group of one file.

    Attributes:
        file: The file.
        footer: Its footer.
        group: The number of the row group.
        threads: Whether columns are decoded in parallel threads.
        int96_unit: The unit that INT96 timestamps are read with.
        opened: The file, where it is open already.
    """

    file: InputFile
    footer: pq.FileMetaData
    group: int
    threads: bool = False
    int96_unit: str = "ns"
    opened: pq.ParquetFile | None = None

    def decode(self, layout: Layout, request: Request) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield batches with the layout's fields, after the number of their rows; a field that the file lacks is null.

        Raises:
            SchemaMismatchError: A value does not fit the field's type.
            CorruptFileError: The row group cannot be decoded, or not to as many rows as the footer says; names the
                column.
        """
        row_group = self.footer.row_group(self.group)
        rows = row_group.num_rows
        # Arrow stops after the rows that the footer says. Fewer values than rows come to light when they are decoded.
        if layout.flat is not None and (values := row_group.column(layout.flat).num_values) > rows:
            raise self._miscounted(row_group.column(layout.flat).path_in_schema, values, rows)
        few = request.first_rows is not None and request.first_rows < rows
        batch_rows = min(BATCH_ROWS, max(FIRST_BATCH_ROWS, request.first_rows or 0)) if few else BATCH_ROWS
        if not layout.names:
            for start in range(0, rows, batch_rows):
                count = min(batch_rows, rows - start)
                yield count, batch_of([pa.nulls(count, f.type) for f in layout.schema], layout.schema)
            return
        size_bytes = (
            sum(row_group.column(number).total_compressed_size for number in layout.chunks)
            if self.opened is None
            else self.file.size or 0
        )
        request.bytes_read += size_bytes
        left = rows
        for batch in self._batches(layout, batch_rows, buffered=few and size_bytes > _FETCH_WHOLE_BYTES):
            left -= batch.num_rows
            if layout.as_stored and batch.schema.equals(layout.schema):
                yield batch.num_rows, batch
                continue
            for part in [batch] if request.encoded else _gathered(batch, layout.texts):
                arrays = [
                    pa.nulls(part.num_rows, f.type) if place is None else self.fit(part.column(place), f)
                    for f, place in zip(layout.schema, layout.places, strict=True)
                ]
                yield part.num_rows, batch_of(arrays, layout.schema)
        if left:
            raise self._miscounted(*self._shortest(layout.names), rows)

    def fit(self, array: pa.Array, wanted: pa.Field) -> pa.Array:
        """Return an array of this row group with the field's type; one that is encoded stays so.

        Raises:
            SchemaMismatchError: A value does not fit.
        """
        if pt.is_dictionary(array.type) and array.type.value_type == wanted.type:
            return array
        try:
            return conform(array, wanted.type)
        except (pa.ArrowException, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SchemaMismatchError(
                f"{self.file.uri}: row group {self.group}, column {wanted.name!r}: a value of type {array.type} does "
                f"not fit {wanted.type}, the type that the column has in the table: {reason}. Read the files with the "
                "other type as a table of their own and convert the column there.",
                column=wanted.name,
                file=self.file.uri,
            ) from error

    def _miscounted(self, column: str, values: int, rows: int) -> CorruptFileError:
        return CorruptFileError(
            f"{self.file.uri}: row group {self.group}, column {column!r} holds {values} values, but the file's footer "
            f"says {rows} rows. Write the file anew or leave it out of the paths."
        )

    def _batches(self, layout: Layout, batch_rows: int, *, buffered: bool) -> Iterator[pa.RecordBatch]:
        names = layout.names
        old = [name for name in self._stored.int96 if name in names]
        with ExitStack() as stack:
            try:
                other_unit = "us" if self.int96_unit == "ns" else "ns"
                batches = self._open(stack, self.int96_unit, names, batch_rows, buffered=buffered)
                controls = self._open(stack, other_unit, old, batch_rows, buffered=buffered) if old else None
                for batch in batches:
                    if layout.selected:
                        batch = batch.select(names)  # noqa: PLW2901 - the columns that were asked for
                    check_texts(batch, layout.with_text, f"{self.file.uri}: row group {self.group}")
                    if controls is not None:
                        self._check_int96(batch.select(old), next(controls))
                    yield batch
            except MLTableError:
                raise
            except ARROW_ERRORS as error:
                place = f"{self.file.uri}: row group {self.group}{self._culprit(names)}"
                raise explained(error, place, "cannot be decoded") from error

    def _open(
        self, stack: ExitStack, int96_unit: str, names: Sequence[str], batch_rows: int, *, buffered: bool
    ) -> Iterator[pa.RecordBatch]:
        # A remote file's column chunks come at once and exactly. Arrow's own pre-buffering would do so on eight threads
        # of its own for the whole process, and read one range of a file after the other.
        at_once = "://" in self.file.uri and not buffered
        parquet = self.opened
        if parquet is None:
            stream = stack.enter_context(self.file.open(self._ranges(names)) if at_once else self.file.open())
            parquet = _parquet_file(
                stream,
                metadata=self.footer,
                buffer_size=_BUFFER_BYTES if buffered else 0,
                coerce_int96_timestamp_unit=int96_unit,
                read_dictionary=self._repetitive(names),
            )
        batches: Iterator[pa.RecordBatch] = parquet.iter_batches(
            batch_rows, row_groups=[self.group], columns=list(names), use_threads=self.threads
        )
        return batches

    def _check_int96(self, batch: pa.RecordBatch, control: pa.RecordBatch) -> None:
        """Refuse INT96 timestamps that the unit cannot hold: Arrow wraps far years and cuts digits silently."""
        for name in batch.schema.names:
            self._check_instants(batch.column(name), control.column(name), name)

    def _check_instants(self, one: pa.Array, other: pa.Array, name: str) -> None:
        """Refuse what the one reading of a column lost, by the other; inside it, too."""
        if one.type == other.type:
            return
        if not pt.is_timestamp(one.type):
            for parts in zip(_inner(one), _inner(other), strict=True):
                self._check_instants(*parts, name)
            return
        fine, coarse = (one, other) if self.int96_unit == "ns" else (other, one)
        fits = pc.equal(pc.cast(fine, coarse.type, safe=False), coarse)
        if self.int96_unit == "us":
            # Already widened: only nanoseconds of a year that nanoseconds can hold would be lost.
            fits = pc.or_(
                pc.invert(fits),
                pc.equal(pc.cast(pc.cast(fine, coarse.type, safe=False), fine.type, safe=False), fine),
            )
        wrong = pc.index(fits, False).as_py()
        if wrong >= 0:
            raise SchemaMismatchError(
                f"{self.file.uri}: row group {self.group}, column {name!r}: the INT96 timestamp "
                f"{coarse[wrong].cast(pa.string())} does not fit {self.int96_unit} together with the column's other "
                "values. "
                + (
                    "Read the table as a whole, which gives microseconds, or write"
                    if self.int96_unit == "ns"
                    else "Write"
                )
                + " the column with 64-bit timestamps.",
                column=name,
                file=self.file.uri,
            )

    @property
    def _stored(self) -> Stored:
        return stored_of(self.file, self.footer)

    def _ranges(self, names: Sequence[str]) -> list[tuple[int, int]]:
        """Return where the columns' chunks stand in the file."""
        ranges = []
        for chunk in self._chunks(names):
            start = chunk.data_page_offset
            if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < start:
                start = chunk.dictionary_page_offset
            ranges.append((start, start + chunk.total_compressed_size))
        return ranges

    def _repetitive(self, names: Sequence[str]) -> list[str]:
        """Return the columns of texts that repeat: gathering each from a dictionary is faster than copying them all.

        A plain text takes four bytes at least, so what takes fewer is in the dictionary for the most part.
        """
        if self.footer.row_group(self.group).num_rows < _REPETITIVE_ROWS:
            return []
        return [
            chunk.path_in_schema
            for chunk in self._chunks(names)
            if chunk.physical_type == "BYTE_ARRAY"
            and chunk.has_dictionary_page
            and "." not in chunk.path_in_schema
            and chunk.total_uncompressed_size < _PLAIN_TEXT_BYTES * chunk.num_values
        ]

    def _chunks(self, names: Sequence[str]) -> list[pq.ColumnChunkMetaData]:
        group = self.footer.row_group(self.group)
        return [group.column(number) for number in self._stored.chunks(names)]

    def _shortest(self, names: Sequence[str]) -> tuple[str, int]:
        """Return the column with the fewest rows, and how many, by reading each alone."""
        counts = {}
        for name in names:
            with ExitStack() as stack:
                batches = self._open(stack, self.int96_unit, [name], BATCH_ROWS, buffered=False)
                counts[name] = sum(batch.num_rows for batch in batches)
        return min(counts.items(), key=itemgetter(1))

    def _culprit(self, names: Sequence[str]) -> str:
        """Return the first column that cannot be decoded, as text, by reading each alone."""
        for name in names:
            with ExitStack() as stack:
                try:
                    for _ in self._open(stack, self.int96_unit, [name], BATCH_ROWS, buffered=False):
                        pass
                except ARROW_ERRORS:
                    return f", column {name!r}"
        return ""


def one_after_the_other(
    source: Source, partitions: Sequence[Partition], request: Request
) -> tuple[pa.RecordBatch, list[int]] | None:
    """Return the rows of short local row groups as one batch, and how many are each one's.

    Of the first only, where they hold more than anyone would think.
    """
    batches: list[pa.RecordBatch] = []
    rows: list[int] = []
    most = pa.total_allocated_bytes() + _MOST_JOINED_BYTES
    for partition in partitions:
        before = len(batches)
        batches += source.read(partition, request)
        rows.append(sum(batch.num_rows for batch in batches[before:]))
        if pa.total_allocated_bytes() > most:
            break
    joined = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return (joined[0], rows) if len(joined) == 1 else None


def open_small(file: InputFile, rows: int, footer: pq.FileMetaData | None = None) -> pq.ParquetFile | None:
    """Return a small local file that is read with few calls: its bytes at once, its footer from them; else `None`.

    Not for files with INT96 timestamps, whose unit is a matter of the whole table.

    Args:
        file: The file.
        rows: How many the row group has.
        footer: The file's, where it is known already.

    Raises:
        CorruptFileError: The file is no Parquet file, or cut off.
    """
    if not file.size or file.size > _SMALL_BYTES or rows >= _REPETITIVE_ROWS or "://" in file.uri:
        return None
    try:
        data = file.read_range(0, _SMALL_BYTES + 1)
        if len(data) > _SMALL_BYTES:  # a Delta log may tell a wrong size
            return None
        return _parquet_file(pa.BufferReader(data), metadata=footer)
    except MLTableError:
        raise
    except ARROW_ERRORS as error:
        raise no_parquet(error, file) from error


def _parquet_file(stream: pa.NativeFile, **options: Any) -> pq.ParquetFile:
    return pq.ParquetFile(
        stream,
        pre_buffer=False,
        page_checksum_verification=True,
        arrow_extensions_enabled=False,
        **options,
    )


def _inner(array: pa.Array) -> list[pa.Array]:
    """Return the arrays of what stands inside the values of an array."""
    if pt.is_struct(array.type):
        return [array.field(number) for number in range(array.type.num_fields)]
    return [array.keys, array.items] if pt.is_map(array.type) else [array.flatten()]


def _gathered(batch: pa.RecordBatch, places: Collection[int | None]) -> Iterator[pa.RecordBatch]:
    """Yield the batch with the columns at these places decoded; in parts, where one array cannot hold the texts."""
    try:
        columns = [
            c.dictionary.take(c.indices) if i in places and pt.is_dictionary(c.type) else c
            for i, c in enumerate(batch.columns)
        ]
    except pa.ArrowInvalid:
        half = batch.num_rows // 2
        if not half:
            raise
        yield from _gathered(batch.slice(0, half), places)
        yield from _gathered(batch.slice(half), places)
    else:
        yield pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
