"""Parquet files: one partition a row group, one schema for all files, pruned by row-group statistics."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import CorruptFileError, Notices
from mltable_lite.expr import columns_of
from mltable_lite.formats.base import Partition, Request, Source, cores
from mltable_lite.formats.conform import with_inner
from mltable_lite.formats.footer_bytes import Likeness
from mltable_lite.formats.footers import footer_of, forget_with, known_footer, parse_footer, read_tail
from mltable_lite.formats.parallel import are_local, in_parallel
from mltable_lite.formats.row_groups import Decoder, Layout, layout_of, one_after_the_other, open_small
from mltable_lite.formats.stored import Stored, stored_of
from mltable_lite.formats.unify import promote, unify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.parquet as pq

    from mltable_lite.expr import Bounds, Expr
    from mltable_lite.formats.base import InputFile
    from mltable_lite.spec.model import ReadParquet

#: Schemas and writers whose footers are told by their bytes.
_MOST_KINDS = 8


def inspect(read: ReadParquet, files: Sequence[InputFile]) -> ParquetSource:  # noqa: ARG001 - all formats look alike
    """Return the source over the files, after reading each footer once, in parallel.

    The schema is the union of the files' columns by name. A file without rows adds its columns, but where their
    types differ from those of files with rows, it gives way: it has no value to lose. What pandas wrote about its
    index and its types is kept when all files agree on the index.

    Raises:
        CorruptFileError: A file is no Parquet file, or cut off.
        UnsupportedFeatureError: A file is encrypted, or has two columns of one name.
        SchemaMismatchError: The types of a column go together in no type without loss.
    """
    token = uuid.uuid4().hex
    groups: list[tuple[int, ...]] = []
    distinct: list[_Distinct] = []
    int96: set[str] = set()
    index = _PandasIndex()
    last: tuple[Stored, _Distinct] | None = None
    local = are_local(files)
    summaries = in_parallel(_Summaries(token, local=local), files, local=local)
    for (stored, rows), file in zip(summaries, files, strict=True):
        groups.append(rows)
        if last is None or stored is not last[0]:
            index.add(stored.pandas)
            int96.update(stored.int96)
            own = next((known for known in distinct if known.schema.equals(stored.schema)), None)
            if own is None:
                own = _Distinct(file.uri, stored.schema)
                distinct.append(own)
            last = stored, own
        last[1].has_rows = last[1].has_rows or any(rows)
    schema = pa.schema(_union(distinct), metadata=index.metadata())
    source = ParquetSource(tuple(files), schema, tuple(groups), frozenset(int96), token=token)
    forget_with(source, token)
    return source


@dataclass(slots=True)
class _Distinct:
    """A schema among the files: the first file that has it, and whether any of them has rows."""

    file: str
    schema: pa.Schema
    has_rows: bool = False


@dataclass(slots=True)
class _Summaries:
    """Reads footers for the little that `inspect` needs of them; they themselves take a hundred times the memory.

    Files of one writer mostly have one schema, and most of their footers need not be parsed to see that.
    """

    token: str
    local: bool
    _known: list[tuple[Likeness, Stored]] = field(default_factory=list)

    def __call__(self, file: InputFile) -> tuple[Stored, tuple[int, ...]]:
        """Return a file's own schema and the rows of its row groups."""
        tail = read_tail(file, self.token, local=self.local)
        for likeness, stored in self._known:
            rows = likeness.rows(tail)
            if rows is not None:
                return stored, (rows,)
        footer = parse_footer(file, self.token, tail)
        stored = stored_of(file, footer)
        if footer.num_row_groups == 1 and len(self._known) < _MOST_KINDS:
            kind = Likeness.of(tail)
            if kind is not None:
                self._known.append((kind, stored))
        return stored, tuple(footer.row_group(i).num_rows for i in range(footer.num_row_groups))


@dataclass(slots=True, eq=False)
class ParquetSource(Source):
    """Parquet files under one schema; per file it holds no more than the row counts of its row groups.

    Attributes:
        files: The files, in reading order.
        schema: The union of the files' columns.
        groups: For each file the rows of its row groups.
        int96: Columns that hold values stored as INT96, the old timestamps, in some file.
        int96_unit: How they are read: nanoseconds, or microseconds where years are out of the range of those.
        token: Tells this reading of the files from others, for cached footers.
    """

    columnar = True
    joins = True
    files: Sequence[InputFile]
    schema: pa.Schema
    groups: tuple[tuple[int, ...], ...]
    int96: frozenset[str] = frozenset()
    int96_unit: str = "ns"
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    _layouts: dict[tuple[tuple[str, ...], Stored], Layout] = field(
        default_factory=dict, init=False, repr=False
    )

    def partitions(self) -> Iterator[Partition]:
        """Yield one partition a row group that has rows."""
        for file, groups in enumerate(self.groups):
            for number, rows in enumerate(groups):
                if rows:
                    yield Partition(file, number, number, number + 1, rows)

    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:
        """Decode a row group in batches; the file is closed when the consumer stops."""
        file = self.files[partition.file]
        known = known_footer(file, self.token)
        opened = None if self.int96 else open_small(file, partition.rows or 0, known)
        footer = self._footer(partition) if opened is None else self._checked(opened.metadata, partition)
        layout = self._layout(request.columns, stored_of(file, footer))
        decoder = Decoder(file, footer, partition.number, self._threads(), self.int96_unit, opened)
        for _, batch in decoder.decode(layout, request):
            yield batch

    def read_together(
        self, partitions: Sequence[Partition], request: Request
    ) -> tuple[pa.RecordBatch, list[int]] | None:
        """Decode row groups one after the other, into one batch."""
        return one_after_the_other(self, partitions, request)

    def stored_bytes(self, partition: Partition) -> int:
        """Return the average of the file's row groups."""
        return (self.files[partition.file].size or 0) // max(len(self.groups[partition.file]), 1)

    def can_skip(self, partition: Partition, predicate: Expr) -> bool:
        """Tell whether the row group's statistics rule the predicate out."""
        footer = self._footer(partition, ahead=True)
        wanted = [self.schema.field(name) for name in columns_of(predicate) if name in self.schema.names]
        stored = stored_of(self.files[partition.file], footer)
        return not stored.may_match(footer, partition.number, wanted, predicate)

    def select(self, files: Sequence[int]) -> ParquetSource:
        """Return this source over only some files, with their row counts."""
        chosen = tuple([self.files[file] for file in files])
        groups = tuple([self.groups[file] for file in files])
        return ParquetSource(chosen, self.schema, groups, self.int96, self.int96_unit, self.token)

    def bounds(self, partition: Partition, columns: Sequence[str]) -> dict[str, Bounds]:
        """Return the bounds that the row group's statistics give."""
        footer = self._footer(partition, ahead=True)
        stored = stored_of(self.files[partition.file], footer)
        return stored.bounds(footer, partition.number, [self.schema.field(name) for name in columns])

    def widen(self, columns: tuple[str, ...]) -> tuple[Source, Notices] | None:
        """Return the source with INT96 timestamps in microseconds, when the columns are such; else `None`."""
        if self.int96_unit == "us" or not columns or not self.int96.issuperset(columns):
            return None
        fields = [f.with_type(_in_microseconds(f.type)) if f.name in self.int96 else f for f in self.schema]
        schema = pa.schema(fields, metadata=self.schema.metadata)
        return replace(self, schema=schema, int96_unit="us"), Notices()

    @property
    def pushdown(self) -> str:
        """What partitions are pruned by."""
        return "row-group statistics"

    def _threads(self) -> bool:
        """Whether columns are decoded in parallel: only where partitions alone cannot keep all cores busy."""
        return len(self.groups) < cores() and sum(map(len, self.groups)) < cores()

    def _layout(self, columns: tuple[str, ...], stored: Stored) -> Layout:
        """Return where the columns of a read stand in files of one schema: found out once, not per file."""
        found = self._layouts.get((columns, stored))
        if found is None:
            wanted = pa.schema([self.schema.field(name) for name in columns])
            found = self._layouts[columns, stored] = layout_of(stored, wanted)
        return found

    def _footer(self, partition: Partition, *, ahead: bool = False) -> pq.FileMetaData:
        return self._checked(footer_of(self.files, partition.file, self.token, ahead=ahead), partition)

    def _checked(self, footer: pq.FileMetaData, partition: Partition) -> pq.FileMetaData:
        expected = self.groups[partition.file]
        if (
            footer.num_row_groups != len(expected)
            or footer.row_group(partition.number).num_rows != partition.rows
        ):
            raise CorruptFileError(
                f"{self.files[partition.file].uri}: the file was written anew after the table was opened. "
                "Load the table again."
            )
        return footer


def _in_microseconds(t: pa.DataType) -> pa.DataType:
    """Return the type with microseconds for the nanoseconds of timestamps, inside it, too."""
    if pt.is_timestamp(t):
        return pa.timestamp("us", t.tz) if t.unit == "ns" else t
    return with_inner(t, _in_microseconds)


def _union(distinct: Sequence[_Distinct]) -> pa.Schema:
    """Return the union of the schemas; one without rows takes over the types of the others."""
    full = unify([(known.file, known.schema) for known in distinct if known.has_rows])
    types = {f.name: f.type for f in full}
    for known in distinct:
        for f in known.schema:
            if f.name not in full.names:
                types[f.name] = promote(types.get(f.name, f.type), f.type) or types[f.name]
    return unify(
        [
            (
                known.file,
                known.schema
                if known.has_rows
                else pa.schema([f.with_type(types[f.name]) for f in known.schema]),
            )
            for known in distinct
        ]
    )


@dataclass(slots=True)
class _PandasIndex:
    """What pandas wrote into the files about index and types; kept when all files have the same index columns."""

    _first: bytes | None = None
    _columns: list[Any] | None = None
    _last: bytes | None = None
    _agree: bool = True
    _files: int = 0

    def add(self, blob: bytes | None) -> None:
        self._files += 1
        if blob is None or not self._agree:
            self._agree = False
        elif blob != self._last:
            columns = _stored_index(blob)
            if self._first is None:
                self._first, self._columns = blob, columns
            self._agree = columns == self._columns
            self._last = blob

    def metadata(self) -> dict[bytes, bytes] | None:
        """Return the schema's metadata: a range index is left out, since every output has a fresh one."""
        if not self._agree or self._first is None:
            return None
        return {b"pandas": json.dumps({**json.loads(self._first), "index_columns": self._columns}).encode()}


def _stored_index(blob: bytes) -> list[str]:
    try:
        return [name for name in json.loads(blob).get("index_columns", []) if isinstance(name, str)]
    except (ValueError, AttributeError):
        return []
