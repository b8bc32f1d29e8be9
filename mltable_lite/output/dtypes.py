"""The dtypes of a DataFrame that is made piece by piece: fixed before a row is read, the same in every piece.

pandas has no nulls in its NumPy integers and booleans, so a whole frame's dtypes depend on its values: integers with
nulls are float64, or Int64 where digits would be lost, and booleans with nulls are objects. Here that is decided from
metadata, or for text from the first rows. A piece that does not fit what was decided is an error; nothing is changed to
make it fit.

Only the categories of a categorical column cannot be known before all of it is read. Each piece has its own, of the
dtype of the values and never ordered, as an order is one of all categories: dask joins such pieces to a categorical
column, and so does `pandas.api.types.union_categoricals`; `pandas.concat` makes texts of those that differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from mltable_lite.errors import MLTableError, SchemaMismatchError
from mltable_lite.expr import Bounds, can_match
from mltable_lite.formats.base import Request
from mltable_lite.output.frame import EXACT_FLOAT
from mltable_lite.output.pandas import piece_to_dataframe
from mltable_lite.plan import Convert, Filter, PartitionColumns, Scan
from mltable_lite.spec.model import SAMPLE_ROWS, Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from mltable_lite.execute.query import Query
    from mltable_lite.formats.base import Partition, Source
    from mltable_lite.output.pandas import DtypeBackend
    from mltable_lite.storage.options import StorageOptions

#: The metadata of so many partitions is looked at; for 100,000 files that would take longer than many a read.
_LOOKED_AT = 1000
_WIDE = {pa.int64(): "Int64", pa.uint64(): "UInt64"}


@dataclass(frozen=True, slots=True)
class Dtypes:
    """Makes frames of the same dtypes of the pieces of a table.

    Attributes:
        schema: The pieces' schema.
        backend: As in `to_pandas_dataframe`.
        nullable: Integer and boolean columns that are made ready for nulls.
        wide: Those among them that are made ready for integers beyond 2**53.
        fixed: Columns whose dtype does not depend on values, whatever their type.
    """

    schema: pa.Schema
    backend: DtypeBackend | None = None
    nullable: frozenset[str] = frozenset()
    wide: frozenset[str] = frozenset()
    fixed: frozenset[str] = frozenset()

    def select(self, schema: pa.Schema) -> Dtypes:
        """Return the dtypes of pieces with only some of the columns."""
        return replace(self, schema=schema)

    def frame(
        self, batches: Sequence[pa.RecordBatch], options: StorageOptions, where: str = ""
    ) -> pd.DataFrame:
        """Return the rows of a piece as a frame, with a fresh index.

        Args:
            batches: The rows, with the schema.
            options: For the streams of stream columns.
            where: Which rows these are, for an error's text.

        Raises:
            SchemaMismatchError: A column has a null or an integer that its dtype cannot hold.
        """
        frame = piece_to_dataframe(batches, self.schema, self.backend, options)
        misfits = {}
        for field in self.schema:
            if pt.is_dictionary(field.type) and self.backend != "pyarrow" and field.name in frame.columns:
                frame[field.name] = frame[field.name].cat.as_unordered()
            known = self.backend is not None or field.name in self.fixed or field.name not in frame.columns
            if not known and _depends_on_values(field.type) and (misfit := self._fit(frame, field)):
                misfits[field.name] = misfit
        if misfits:
            raise SchemaMismatchError(
                f"{where}: {'; '.join(misfits.values())}. The dtypes of a frame in pieces are decided before it is "
                "read, from metadata or the first rows. Ask for dtypes that hold every value, with "
                "dtype_backend='numpy_nullable' or dtype_backend='pyarrow', or read the table as a whole.",
                column=next(iter(misfits)),
            )
        return frame

    def _fit(self, frame: pd.DataFrame, field: pa.Field) -> str:
        """Give a column the dtype that was decided; return what stands against it, or nothing."""
        name = field.name
        column = frame[name]
        wanted = self._wanted(field)
        if column.dtype == wanted:
            return ""
        if name not in self.nullable:
            return f"column {name!r} has a null, which its dtype {wanted} cannot hold"
        if wanted == "float64" and len(column):
            ends = int(column.max()), int(column.min())
            if max(ends[0], -ends[1]) > EXACT_FLOAT:
                return f"column {name!r} has an integer beyond 2**53, which its dtype float64 would round"
        frame[name] = column.astype(wanted)
        return ""

    def _wanted(self, field: pa.Field) -> str:
        if field.name not in self.nullable:
            return str(np.dtype(field.type.to_pandas_dtype()))
        if pt.is_boolean(field.type):
            return "object"
        return _WIDE[field.type] if field.name in self.wide else "float64"


def decide(
    query: Query, partitions: Iterable[Partition], backend: DtypeBackend | None, options: StorageOptions
) -> Dtypes:
    """Return the dtypes of the pieces of a query. Reads metadata; of text files the first rows of the first one.

    A column is made ready for nulls when there is evidence of one in the partitions: a null count, a file that lacks
    the column, a null among the first rows of text; unless the query's own filters let no null pass.
    """
    schema = query.schema
    asked: list[str] = []
    fixed: list[str] = []
    if backend is None:
        empty = piece_to_dataframe([], schema, backend, options)
        for field in schema:
            if field.name in empty.columns and _depends_on_values(field.type):
                (asked if isinstance(empty[field.name].dtype, np.dtype) else fixed).append(field.name)
    asked = [name for name in asked if not _refuses_null(query, name)]
    nullable: set[str] = set()
    wide: set[str] = set()
    for name, bounds in _evidence(query, partitions, asked):
        if bounds.nulls or (bounds.constant and bounds.min is None):
            nullable.add(name)
        if schema.field(name).type in _WIDE and any(
            isinstance(end, int) and abs(end) > EXACT_FLOAT for end in (bounds.min, bounds.max)
        ):
            wide.add(name)
    return Dtypes(schema, backend, frozenset(nullable), frozenset(wide & nullable), frozenset(fixed))


def stored_columns(query: Query) -> list[str]:
    """Return the columns of the query's result whose values are just as they are stored."""
    made: set[str] = set()
    for node in query.plan.walk():
        if isinstance(node, Convert):
            made.update(
                name for columns, _ in node.items if isinstance(columns, Names) for name in columns.names
            )
        elif isinstance(node, PartitionColumns):
            made.update(node.names)
    names = query.resolved.source.schema.names
    return [name for name in query.schema.names if name in names and name not in made]


def _depends_on_values(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_boolean(kind))


def _refuses_null(query: Query, name: str) -> bool:
    """Tell whether the query's filters let no row pass in which this column is null."""
    null = {name: Bounds(nulls=1, rows=1)}
    filters = [node.predicate for node in query.plan.walk() if isinstance(node, Filter | Scan)]
    return any(predicate is not None and not can_match(predicate, null) for predicate in filters)


def _evidence(
    query: Query, partitions: Iterable[Partition], names: Sequence[str]
) -> Iterator[tuple[str, Bounds]]:
    """Yield what is known of the values of columns as they are stored: a null stays null in every conversion."""
    added = [node for node in query.plan.walk() if isinstance(node, PartitionColumns)]
    for table in [query.resolved.constants, *map(query.catalogue.partition_columns, added)]:
        for name in set(names).intersection(table.column_names):
            yield name, _bounds_of(table.column(name))
    source, as_stored = query.resolved.source, set(stored_columns(query))
    names = [name for name in names if name in source.schema.names]
    looked_at = list(islice(partitions, _LOOKED_AT)) if names else []
    for partition in looked_at:
        for name, bounds in source.bounds(partition, names).items():
            yield name, bounds if name in as_stored else replace(bounds, min=None, max=None)
    if looked_at and not source.pushdown:
        for name, column in _first_rows(source, looked_at[0], names):
            yield name, Bounds(nulls=column.null_count, rows=len(column))


def _first_rows(source: Source, partition: Partition, names: Sequence[str]) -> Iterator[tuple[str, pa.Array]]:
    rows = source.read(partition, Request(tuple(names), first_rows=SAMPLE_ROWS))
    try:
        batch = next(rows, None)
    except MLTableError:
        return  # it comes again where these rows are asked for
    if batch is not None:
        yield from zip(names, batch.columns, strict=True)


def _bounds_of(values: pa.ChunkedArray) -> Bounds:
    ends = pc.min_max(values).as_py() if pt.is_integer(values.type) else {"min": None, "max": None}
    return Bounds(ends["min"], ends["max"], values.null_count, len(values))
