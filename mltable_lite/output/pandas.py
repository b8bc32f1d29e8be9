"""An Arrow table to a pandas DataFrame, with the dtypes that pandas users expect and no digit lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import ArgumentError
from mltable_lite.formats.streams import STREAM_METADATA

if TYPE_CHECKING:
    import pandas as pd

    from mltable_lite.storage.options import StorageOptions

DtypeBackend = Literal["pyarrow", "numpy_nullable"]

#: The largest integer that float64 holds together with all smaller ones.
_EXACT = 2**53


def to_dataframe(table: pa.Table, backend: DtypeBackend | None, options: StorageOptions) -> pd.DataFrame:
    """Return the table as a DataFrame.

    Without a backend: integers with nulls become float64, or nullable Int64 where a value is beyond 2**53; booleans
    with nulls become object; text becomes `str`; datetimes keep their unit. A stream column holds `Stream` objects.

    Raises:
        ArgumentError: The backend is another word.
    """
    if backend not in (None, "pyarrow", "numpy_nullable"):
        raise ArgumentError(
            f"dtype_backend={backend!r} is not accepted; use 'pyarrow' or 'numpy_nullable', or leave it out."
        )
    import pandas as pd

    names, rows = table.schema.names, table.num_rows
    apart: dict[str, Any] = {}
    column = None
    for field in table.schema:
        column = table.column(field.name)
        if (field.metadata or {}).items() >= STREAM_METADATA.items():
            apart[field.name] = _streams(column, options)
        elif backend is None and _loses_digits(column):
            apart[field.name] = column.to_pandas(types_mapper=_nullable_integers().get)
    rest = table.drop_columns(list(apart)).replace_schema_metadata(_pandas_metadata(table.schema))
    del table, column
    # Each block is converted and freed in turn, so that no second copy of the whole table is ever needed. A table
    # that destroyed itself crashes the process when it is asked anything: nothing may refer to it any more.
    frame: pd.DataFrame = rest.to_pandas(types_mapper=_mapper(backend), split_blocks=True, self_destruct=True)
    del rest
    if not apart:
        return frame
    index = frame.index if len(apart) < len(names) else pd.RangeIndex(rows)
    columns = {name: apart[name].set_axis(index) if name in apart else frame.get(name) for name in names}
    return pd.DataFrame({name: values for name, values in columns.items() if values is not None}, index=index)


def _streams(column: pa.ChunkedArray, options: StorageOptions) -> pd.Series[Any]:
    import pandas as pd

    from mltable_lite.storage.streams import Stream

    values = [None if path is None else Stream(path, options) for path in column.to_pylist()]
    return pd.Series(values, dtype=object)


def _loses_digits(column: pa.ChunkedArray) -> bool:
    """Tell whether an integer column has nulls and values that float64 cannot hold."""
    if not pa.types.is_integer(column.type) or column.null_count == 0:
        return False
    ends = pc.min_max(column).as_py()
    return any(end is not None and abs(end) > _EXACT for end in (ends["min"], ends["max"]))


def _nullable_integers() -> dict[pa.DataType, Any]:
    import pandas as pd

    return {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
    }


def _mapper(backend: DtypeBackend | None) -> Any:
    import pandas as pd

    if backend == "pyarrow":
        return pd.ArrowDtype
    if backend == "numpy_nullable":
        nullable = {
            pa.bool_(): pd.BooleanDtype(),
            pa.float32(): pd.Float32Dtype(),
            pa.float64(): pd.Float64Dtype(),
            pa.string(): pd.StringDtype(),
            pa.large_string(): pd.StringDtype(),
            **_nullable_integers(),
        }
        return nullable.get
    return None


def _pandas_metadata(schema: pa.Schema) -> dict[bytes, bytes] | None:
    """Return what pandas noted in a Parquet file, as far as it still holds.

    An index is restored when its columns are still there; a RangeIndex is not, as it counted one file's rows.
    Nullable dtypes are restored for columns that no step converted.
    """
    raw = (schema.metadata or {}).get(b"pandas")
    if raw is None:
        return None
    noted = json.loads(raw)
    index = noted.get("index_columns", [])
    restorable = all(isinstance(name, str) and name in schema.names for name in index)
    columns = [entry for entry in noted.get("columns", []) if _still_holds(entry, schema)]
    kept = {**noted, "index_columns": index if restorable else [], "columns": columns, "column_indexes": []}
    return {b"pandas": json.dumps(kept).encode()}


def _still_holds(entry: dict[str, Any], schema: pa.Schema) -> bool:
    name = entry.get("field_name", entry.get("name"))
    if name not in schema.names:
        return False
    noted = str(entry.get("numpy_type")).lower().removesuffix("ean")
    return noted in ("object", "str", str(schema.field(name).type)) or noted.startswith("datetime64")
