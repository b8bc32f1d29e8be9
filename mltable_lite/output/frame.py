"""Arrow batches into the columns of a DataFrame as they come, so that no second copy of the table ever exists.

Columns are allocated once and filled in place, by several threads: what most readers lose is not decoding but the page
faults of fresh memory, and here each page of the frame is touched once. Text stays in Arrow's buffers, where pandas
keeps it; what has no NumPy form (dates, decimals, lists) is collected and converted at the end, by `objects`.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.execute.width import SMALL_ROWS
from mltable_lite.output.objects import as_objects, check_zone, naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

#: The largest integer that float64 holds together with all smaller ones.
EXACT_FLOAT = 2**53
#: Placing fewer rows takes longer than copying them to others first.
SHORT_ROWS = 2048


class FrameBuilder:
    """Builds a frame of a known number of rows. `put` may be called from several threads for different rows."""

    def __init__(self, schema: pa.Schema, rows: int) -> None:
        self._names = schema.names
        self._columns = [_column_of(field.type, rows) for field in schema]
        self.rows = rows

    def put(self, batches: Sequence[pa.RecordBatch], row: int) -> None:
        """Store batches, one after the other, the first row of which is `row`."""
        for batch in _merged(batches):
            for column, name in zip(self._columns, self._names, strict=True):
                column.put(batch.column(name), row)
            row += batch.num_rows

    def resize(self, rows: int, kept: int) -> None:
        """Make room for so many rows, of which the first ones are kept. While nothing is being put."""
        self.rows = rows
        for column in self._columns:
            column.resize(rows, kept)

    def frame(self) -> pd.DataFrame:
        """Return the frame; the builder is used up.

        Raises:
            ConversionError: Neither Python nor pandas has an object for a value.
        """
        import pandas as pd

        columns = {}
        for name in self._names:
            with naming(name):
                columns[name] = self._columns.pop(0).finish()
        # Not copied into one block per dtype: that would touch all memory once more.
        return pd.DataFrame(columns, index=pd.RangeIndex(self.rows), copy=False)


def _merged(batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in fewer batches where they are short: each costs more than its rows."""
    short: list[pa.RecordBatch] = []
    for batch in batches:
        if batch.num_rows < SHORT_ROWS:
            short.append(batch)
            continue
        yield from _joined(short)
        short = []
        yield batch
    yield from _joined(short)


def _joined(batches: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    if len(batches) == 1:
        yield batches[0]
    elif batches:
        # Several where one array cannot hold the texts.
        yield from pa.Table.from_batches(batches).combine_chunks().to_batches()


class _Allocated:
    """A column of a NumPy type."""

    values: np.ndarray

    def resize(self, rows: int, kept: int) -> None:
        if rows <= len(self.values):
            self.values = self.values[:rows]
            return
        values = np.empty(rows, self.values.dtype)
        values[:kept] = self.values[:kept]
        self.values = values


class _Numbers(_Allocated):
    """Floats, datetimes and time spans: null is NaN or NaT."""

    def __init__(self, kind: pa.DataType, rows: int) -> None:
        if pt.is_timestamp(kind):
            dtype = f"datetime64[{kind.unit}]"
        else:
            dtype = f"timedelta64[{kind.unit}]" if pt.is_duration(kind) else kind.to_pandas_dtype()
        self.values = np.empty(rows, dtype)
        self.kind = kind

    def put(self, array: pa.Array, row: int) -> None:
        if pt.is_timestamp(self.kind):
            array = array.cast(pa.timestamp(self.kind.unit)) if self.kind.tz else array
        self.values[row : row + len(array)] = array.to_numpy(zero_copy_only=False)

    def finish(self) -> Any:
        import pandas as pd

        if pt.is_timestamp(self.kind) and self.kind.tz:
            check_zone(self.kind.tz)
            return pd.DatetimeIndex(self.values, copy=False).tz_localize("UTC").tz_convert(self.kind.tz)
        return self.values


class _Counted(_Allocated):
    """Integers and booleans: NumPy has no null for them, so where nulls stand is remembered."""

    def __init__(self, kind: pa.DataType, rows: int) -> None:
        self.values = np.empty(rows, kind.to_pandas_dtype())
        self.kind = kind
        self.nulls: list[np.ndarray] = []

    def put(self, array: pa.Array, row: int) -> None:
        if array.null_count:
            self.nulls.append(row + np.flatnonzero(np.asarray(array.is_null())))
            array = array.fill_null(False if pt.is_boolean(self.kind) else 0)
        self.values[row : row + len(array)] = array.to_numpy(zero_copy_only=False)

    def finish(self) -> Any:
        import pandas as pd

        if not self.nulls:
            return self.values
        nulls = np.concatenate(self.nulls)
        if pt.is_boolean(self.kind):
            objects = self.values.astype(object)
            objects[nulls] = None
            return objects
        if self.values.size and max(int(self.values.max()), -int(self.values.min())) > EXACT_FLOAT:
            mask = np.zeros(len(self.values), bool)
            mask[nulls] = True
            return pd.arrays.IntegerArray(self.values, mask)
        floats = self.values.astype(np.float64)
        floats[nulls] = np.nan
        return floats


class _Collected:
    """Text, kept in Arrow's buffers, and everything that has no NumPy form."""

    def __init__(self, kind: pa.DataType) -> None:
        # pandas keeps text with 64-bit offsets: casting each batch in its worker spares a pass over the whole column.
        # Small ones are cast together at the end: each would cost more than its rows.
        self.kind = pa.large_string() if pt.is_string(kind) else kind
        self.arrays: list[tuple[int, pa.Array]] = []

    def resize(self, rows: int, kept: int) -> None:
        """Make room: there is always some."""

    def put(self, array: pa.Array, row: int) -> None:
        fits = array.type == self.kind or len(array) < SMALL_ROWS
        self.arrays.append((row, array if fits else array.cast(self.kind)))

    def finish(self) -> Any:
        return as_objects(self._whole())

    def _whole(self) -> pa.ChunkedArray:
        self.arrays.sort(key=lambda item: item[0])
        chunks: list[pa.Array] = []
        for kind, run in groupby((array for _, array in self.arrays), key=attrgetter("type")):
            # A cast to the same type is not for nothing: Arrow 26 loses rows of nulls in a record that was sliced.
            arrays = list(run)
            chunks += arrays if kind == self.kind else pa.chunked_array(arrays, kind).cast(self.kind).chunks
        self.arrays = []
        return pa.chunked_array(chunks, self.kind)


class _Categories(_Collected):
    """What a dictionary encodes. The categories have the dtype of the values, also where there are none."""

    def finish(self) -> Any:
        import pandas as pd

        whole = self._whole().unify_dictionaries()
        dictionary = whole.chunk(0).dictionary if whole.num_chunks else pa.nulls(0, self.kind.value_type)
        values = _column_of(self.kind.value_type, len(dictionary))
        values.put(dictionary, 0)
        codes = np.concatenate([np.empty(0, np.int32), *map(_codes, whole.chunks)])
        return pd.Categorical.from_codes(codes, pd.Index(values.finish()), ordered=self.kind.ordered)


def _codes(array: pa.DictionaryArray) -> np.ndarray:
    wide = pa.int32() if array.type.index_type.bit_width < 32 else pa.int64()  # noqa: PLR2004 - bits
    codes: np.ndarray = array.indices.cast(wide).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes


def _column_of(kind: pa.DataType, rows: int) -> _Numbers | _Counted | _Collected:
    if pt.is_floating(kind) or pt.is_timestamp(kind) or pt.is_duration(kind):
        return _Numbers(kind, rows)
    if pt.is_integer(kind) or pt.is_boolean(kind):
        return _Counted(kind, rows)
    return _Categories(kind) if pt.is_dictionary(kind) else _Collected(kind)
