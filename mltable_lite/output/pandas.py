"""A query to a pandas DataFrame, with the dtypes that pandas users expect and no digit lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from mltable_lite.errors import ArgumentError
from mltable_lite.formats.streams import is_stream
from mltable_lite.output.arrow import restarting
from mltable_lite.output.frame import FrameBuilder
from mltable_lite.output.growing import fill_as_rows_come

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from mltable_lite.execute.query import Query
    from mltable_lite.storage.options import StorageOptions

DtypeBackend = Literal["pyarrow", "numpy_nullable"]


def to_dataframe(query: Query, backend: DtypeBackend | None, options: StorageOptions) -> pd.DataFrame:
    """Return all rows as a DataFrame.

    Without a backend: integers with nulls become float64, or nullable Int64 where a value is beyond 2**53; booleans
    with nulls become object; text becomes `str`; datetimes keep their unit. A stream column holds `Stream` objects.

    Raises:
        ArgumentError: The backend is another word.
        ConversionError: Neither Python nor pandas has an object for a value.
    """
    check_backend(backend)
    if backend is None:
        frame = restarting(query, _fill)
    else:
        batches = restarting(query, lambda query: list(query.batches()))
        frame = _with_backend(batches, query.schema, backend)
    return _as_noted(frame, query.schema, options)


def piece_to_dataframe(
    batches: Sequence[pa.RecordBatch],
    schema: pa.Schema,
    backend: DtypeBackend | None,
    options: StorageOptions,
) -> pd.DataFrame:
    """Return some rows of a table as a DataFrame, as `to_dataframe` returns all of them."""
    frame = _built(batches, schema) if backend is None else _with_backend(batches, schema, backend)
    return _as_noted(frame, schema, options)


def check_backend(backend: str | None) -> None:
    """Raise where a dtype backend is none.

    Raises:
        ArgumentError: It is another word.
    """
    if backend not in (None, "pyarrow", "numpy_nullable"):
        raise ArgumentError(
            f"dtype_backend={backend!r} is not accepted; use 'pyarrow' or 'numpy_nullable', or leave it out."
        )


def _fill(query: Query) -> pd.DataFrame:
    """Return the rows as a frame: filled by the workers where each partition's place is known."""
    if query.row_numbers_are_known:
        builder = FrameBuilder(query.schema, query.count_rows())
        for _ in query.blocks(builder.put):
            pass
        return builder.frame()
    return fill_as_rows_come(query)


def _built(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pd.DataFrame:
    builder = FrameBuilder(schema, sum(batch.num_rows for batch in batches))
    builder.put(batches, 0)
    return builder.frame()


def _with_backend(
    batches: Sequence[pa.RecordBatch], schema: pa.Schema, backend: DtypeBackend
) -> pd.DataFrame:
    """Return a frame of a backend's dtypes; columns that it has none for are as without a backend."""
    import pandas as pd

    schema = schema.remove_metadata()
    rest = [] if backend == "pyarrow" else [field for field in schema if field.type not in _nullable()]
    names = [field.name for field in rest]
    # Without a batch columns have no chunk, with which pandas does less than with an empty one.
    table = pa.Table.from_batches(batches, schema) if batches else schema.empty_table()
    mapper = pd.ArrowDtype if backend == "pyarrow" else _nullable().get
    frame: pd.DataFrame = table.drop_columns(names).to_pandas(types_mapper=mapper)
    if not rest:
        return frame
    others = _built([batch.select(names) for batch in batches], pa.schema(rest))
    columns = {name: (others if name in names else frame)[name] for name in schema.names}
    return pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows), copy=False)


def _as_noted(frame: pd.DataFrame, schema: pa.Schema, options: StorageOptions) -> pd.DataFrame:
    """Put streams in, and what pandas noted in a Parquet file, as far as it still holds.

    An index is restored when its columns are still there. Nullable dtypes are restored for columns that no step
    converted.
    """
    for field in schema:
        if is_stream(field):
            frame[field.name] = _streams(frame[field.name], options)
    noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    for entry in noted.get("columns", []):
        name, dtype = entry.get("field_name"), str(entry.get("numpy_type"))
        if name in schema.names and dtype in _NULLABLE and _NULLABLE[dtype] == str(schema.field(name).type):
            frame[name] = frame[name].astype(dtype)
    index = noted.get("index_columns", [])
    if index and all(isinstance(name, str) and name in schema.names for name in index):
        names = {entry.get("field_name"): entry.get("name") for entry in noted["columns"]}
        frame = frame.set_index(index)
        frame.index.names = [names.get(name) for name in index]
    return frame


#: Nullable dtypes as pandas notes them, and the Arrow type that holds their values.
_NULLABLE = {
    **{f"{sign}Int{bits}": f"{sign.lower()}int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)},
    "Float32": "float",
    "Float64": "double",
    "boolean": "bool",
}


def _streams(column: pd.Series[Any], options: StorageOptions) -> pd.Series[Any]:
    import pandas as pd

    from mltable_lite.storage.streams import Stream

    values = [None if pd.isna(path) else Stream(path, options) for path in column]
    return pd.Series(values, index=column.index, dtype=object)


def _nullable() -> dict[pa.DataType, Any]:
    """Return the Arrow types that pandas has a nullable dtype for."""
    import pandas as pd

    return {
        pa.bool_(): pd.BooleanDtype(),
        pa.float32(): pd.Float32Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.string(): pd.StringDtype(),
        pa.large_string(): pd.StringDtype(),
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
    }
