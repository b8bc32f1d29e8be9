"""Delta tables: the data files of one version, read as Parquet, pruned by the log before a file is opened."""

from __future__ import annotations

import datetime as dt
import uuid
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import SourceNotFoundError
from mltable_lite.expr import Bounds, can_match, columns_of
from mltable_lite.formats.base import Partition, Request, Source, cores
from mltable_lite.formats.conform import STORED_NAME, batch_of, without_marks
from mltable_lite.formats.delta_log import Snapshot, open_snapshot
from mltable_lite.formats.footers import footer_of, forget_with
from mltable_lite.formats.row_groups import Decoder, Layout, layout_of, one_after_the_other, open_small
from mltable_lite.formats.statistics import bounds_of
from mltable_lite.formats.stored import Stored, stored_of
from mltable_lite.formats.unify import unify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow.parquet as pq
    from numpy.typing import NDArray

    from mltable_lite.expr import Expr
    from mltable_lite.formats.base import InputFile, InputFolder
    from mltable_lite.spec.model import ReadDeltaLake

#: Writers cut timestamps in the log's statistics to milliseconds; a maximum may be this much less than the values.
_STATISTICS_UNIT = dt.timedelta(milliseconds=1)
#: Writers put decimals into the statistics as floats, which are exact up to so many digits.
_FLOAT_DIGITS = 15


def inspect(read: ReadDeltaLake, folders: Sequence[InputFolder]) -> DeltaSource:
    """Return the source over the tables' versions; several tables are concatenated in the listed order.

    Only the log is read: the schema is the log's, and data files are opened when their partitions are asked for.

    Raises:
        ArgumentError: The version or timestamp is not accepted or not in the log.
        SourceNotFoundError: There is no Delta table.
        UnsupportedFeatureError: A table needs a feature that would be read wrongly.
        SchemaMismatchError: The tables' columns go together in no type without loss.
    """
    snapshots = tuple(open_snapshot(read, folder) for folder in folders)
    files: list[InputFile] = []
    for snapshot in snapshots:
        columns = [snapshot.files.column(name).to_pylist() for name in ("path", "size_bytes")]
        for path, size in zip(*columns, strict=True):
            files.append(snapshot.folder.file(path, size, len(files)))
    schema = unify([(s.folder.uri, _as_seen(s.schema)) for s in snapshots])
    source = DeltaSource(tuple(files), schema, snapshots)
    forget_with(source, source.token)
    return source


def _as_seen(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, without_marks(f.type), f.nullable) for f in schema])


@dataclass(slots=True, eq=False)
class DeltaSource(Source):
    """The data files of Delta tables at fixed versions.

    Attributes:
        files: The data files of all tables, in reading order.
        schema: The union of the tables' columns.
        snapshots: The tables.
        kept: Indices of the files that a predicate left, or `None` for all.
        token: Tells this reading of the files from others, for cached footers.
    """

    columnar = True
    joins = True
    files: Sequence[InputFile]
    schema: pa.Schema
    snapshots: tuple[Snapshot, ...]
    kept: tuple[int, ...] | None = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    _layouts: dict[tuple[Snapshot, tuple[str, ...], Stored], Layout] = field(
        default_factory=dict, init=False, repr=False
    )

    def partitions(self) -> Iterator[Partition]:
        """Yield one partition a row group that has rows left, opening files as they come."""
        kept = range(len(self.files)) if self.kept is None else self.kept
        files = [self.files[file] for file in kept]
        for place, file in enumerate(kept):
            footer = self._footer(file, files, place)
            first = 0
            for number in range(footer.num_row_groups):
                rows = footer.row_group(number).num_rows
                left = rows - len(self._deleted(file, first, rows))
                first += rows
                if left:
                    yield Partition(file, number, number, number + 1, left)

    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:
        """Decode the row group's rows that are not deleted, with the partition columns of its file."""
        snapshot, index = self._locate(partition.file)
        wanted = pa.schema([self.schema.field(name) for name in request.columns])
        constants = [name for name in request.columns if name in snapshot.partition_columns]
        decoded = [n for n in request.columns if n in snapshot.schema.names and n not in constants]
        file, footer = self.files[partition.file], self._footer(partition.file)
        stored = stored_of(file, footer)
        first = sum(footer.row_group(i).num_rows for i in range(partition.number))
        deleted = self._deleted(partition.file, first, footer.row_group(partition.number).num_rows) - first
        # Delta has microseconds; read as nanoseconds, far years of old INT96 timestamps would not fit.
        threads = len(self.files) < cores()
        opened = None if stored.int96 else open_small(file, partition.rows or 0, footer)
        decoder = Decoder(file, footer, partition.number, threads, int96_unit="us", opened=opened)
        done = 0
        layout = self._layout(snapshot, tuple(decoded), stored)
        for rows, batch in decoder.decode(layout, request):
            here = deleted[np.searchsorted(deleted, done) : np.searchsorted(deleted, done + rows)] - done
            done += rows
            left = rows - len(here)
            columns = dict(zip(decoded, batch.columns, strict=True))
            if len(here):
                keep = np.ones(rows, dtype=bool)
                keep[here] = False
                columns = {name: array.filter(pa.array(keep)) for name, array in columns.items()}
            columns |= {name: _repeated(snapshot.constant(index, name), left) for name in constants}
            yield batch_of(
                [
                    decoder.fit(columns[f.name], f) if f.name in columns else pa.nulls(left, f.type)
                    for f in wanted
                ],
                wanted,
            )

    def read_together(
        self, partitions: Sequence[Partition], request: Request
    ) -> tuple[pa.RecordBatch, list[int]] | None:
        """Decode row groups one after the other, into one batch."""
        return one_after_the_other(self, partitions, request)

    def can_skip(self, partition: Partition, predicate: Expr) -> bool:
        """Tell whether partition values, the log's file statistics or row-group statistics rule the predicate out."""
        if self._ruled_out(partition.file, predicate):
            return True
        snapshot, _ = self._locate(partition.file)
        names = columns_of(predicate) - set(snapshot.partition_columns)
        # Where several tables are joined, the bounds are of this table's type, the predicate of the joined one.
        wanted = [f for f in snapshot.schema if f.name in names and f.type == self.schema.field(f.name).type]
        footer = self._footer(partition.file)
        stored = stored_of(self.files[partition.file], footer)
        return not stored.may_match(footer, partition.number, wanted, predicate)

    def prune(self, predicate: Expr) -> Source:
        """Return the source without the files that partition values and the log's statistics rule out."""
        files = range(len(self.files)) if self.kept is None else self.kept
        return replace(self, kept=tuple(file for file in files if not self._ruled_out(file, predicate)))

    def select(self, files: Sequence[int]) -> DeltaSource:
        """Return this source over only some files, with what the log tells of them."""
        chosen: list[list[int]] = [[] for _ in self.snapshots]
        for number, index in map(self._place, files):
            chosen[number].append(index)
        snapshots = tuple(s.select(indices) for s, indices in zip(self.snapshots, chosen, strict=True))
        return replace(self, files=tuple(self.files[f] for f in files), snapshots=snapshots, kept=None)

    def bounds(self, partition: Partition, columns: Sequence[str]) -> dict[str, Bounds]:
        """Return the bounds that the log tells for the whole file; no file is opened."""
        snapshot, index = self._locate(partition.file)
        found = {name: _file_bounds(snapshot, index, name, self.schema.field(name).type) for name in columns}
        return {name: known for name, known in found.items() if known is not None}

    @property
    def pushdown(self) -> str:
        """What partitions are pruned by."""
        return "partition values, file and row-group statistics"

    def _layout(self, snapshot: Snapshot, columns: tuple[str, ...], stored: Stored) -> Layout:
        """Return where a table's columns stand in files of one schema: found out once, not per file."""
        found = self._layouts.get((snapshot, columns, stored))
        if found is None:
            wanted = pa.schema([snapshot.schema.field(name) for name in columns])
            found = self._layouts[snapshot, columns, stored] = layout_of(stored, wanted)
        return found

    def _locate(self, file: int) -> tuple[Snapshot, int]:
        """Return a file's table and its index there."""
        number, index = self._place(file)
        return self.snapshots[number], index

    def _place(self, file: int) -> tuple[int, int]:
        ends = list(accumulate(s.files.num_rows for s in self.snapshots))
        number = bisect_right(ends, file)
        return number, file - (ends[number - 1] if number else 0)

    def _deleted(self, file: int, first: int, rows: int) -> NDArray[np.int64]:
        """Return the numbers, within the file, of the deleted rows in [first, first + rows)."""
        snapshot, index = self._locate(file)
        deleted = snapshot.deleted.get(index, np.empty(0, np.int64))
        return deleted[np.searchsorted(deleted, first) : np.searchsorted(deleted, first + rows)]

    def _footer(
        self, file: int, files: Sequence[InputFile] | None = None, place: int | None = None
    ) -> pq.FileMetaData:
        """Return a file's footer; given the files that will be read and its place there, the next are fetched too."""
        try:
            if files is None or place is None:
                return footer_of(self.files, file, self.token)
            return footer_of(files, place, self.token, ahead=True)
        except SourceNotFoundError as error:
            snapshot, _ = self._locate(file)
            raise SourceNotFoundError(
                f"{error} It is a data file of version {snapshot.version} of the Delta table {snapshot.folder.uri}; "
                "probably a vacuum removed it. Read a later version."
            ) from error

    def _ruled_out(self, file: int, predicate: Expr) -> bool:
        snapshot, index = self._locate(file)
        bounds = {}
        for name in columns_of(predicate):
            if name in self.schema.names:
                found = _file_bounds(snapshot, index, name, self.schema.field(name).type)
                if found is not None:
                    bounds[name] = found
        return not can_match(predicate, bounds)


def _repeated(value: pa.Scalar, rows: int) -> pa.Array:
    return pa.repeat(value, rows) if value.is_valid else pa.nulls(rows, value.type)


def _file_bounds(snapshot: Snapshot, index: int, name: str, table_type: pa.DataType) -> Bounds | None:
    """Return what the log knows of a column in a file; `None` for nothing."""
    files = snapshot.files
    if name not in snapshot.schema.names:
        return Bounds.of(None)
    column = snapshot.schema.field(name)
    if name in snapshot.partition_columns:
        value = snapshot.constant(index, name)
        if not value.is_valid:
            return Bounds.of(None)
        known = bounds_of(value.as_py(), value.as_py(), 0, None, value.type, table_type)
        return replace(known, constant=known.min is not None)
    rows = files.column("num_records")[index].as_py()
    stored = (column.metadata or {}).get(STORED_NAME, name.encode()).decode()
    low, high, nulls = (_statistic(files, kind, index, stored) for kind in ("min", "max", "null_count"))
    if pt.is_decimal(column.type) and column.type.precision > _FLOAT_DIGITS:
        low = high = None
    if isinstance(high, dt.datetime):
        high = high + _STATISTICS_UNIT if high.year < dt.MAXYEAR else None
    return bounds_of(low, high, nulls, rows, column.type, table_type)


def _statistic(files: pa.Table, kind: str, index: int, stored: str) -> Any:
    if kind not in files.column_names:
        return None
    values = files.column(kind)
    if not any(f.name == stored for f in values.type):
        return None
    value = values[index]
    try:
        return value[stored].as_py() if value.is_valid else None
    except (ValueError, OverflowError):  # a far year has no Python value
        return None
