"""Statistics of row groups and files as the bounds that predicates are held against.

Every doubt gives wider bounds or none: a bound only ever spares work, it must not cost a row.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import pyarrow.types as pt

from mltable_lite.expr import Bounds

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_MICROSECOND = dt.timedelta(microseconds=1)


def chunk_bounds(
    row_group: pq.RowGroupMetaData, leaf: int | None, stored: pa.DataType | None, table_type: pa.DataType
) -> Bounds | None:
    """Return the bounds of a column in a row group, or `None` where nothing is known.

    Args:
        row_group: The row group.
        leaf: The number of its column chunk; `None`: the file lacks the column, every row is null.
        stored: The type that the file has for it; of type null every row is.
        table_type: The type that the table has for it.
    """
    rows = row_group.num_rows
    if leaf is None or stored is None or pt.is_null(stored):
        return Bounds(None, None, rows, rows)
    chunk = row_group.column(leaf)
    if not chunk.is_stats_set:
        return None
    stats = chunk.statistics
    nulls = stats.null_count if stats.has_null_count else None
    low = high = None
    if stats.has_min_max and chunk.physical_type != "INT96":
        low, high = _read(stats, "min"), _read(stats, "max")
    return bounds_of(low, high, nulls, rows, _decoded(stored), table_type)


def bounds_of(
    low: Any, high: Any, nulls: int | None, rows: int | None, stored: pa.DataType, table_type: pa.DataType
) -> Bounds:
    """Return bounds in the values of the table's type; without an end where it cannot be compared for sure."""
    low, high = _value(low, stored, table_type), _value(high, stored, table_type, up=True)
    return Bounds(low, high, nulls, rows)


def _read(stats: pq.Statistics, end: str) -> Any:
    try:
        return getattr(stats, end)
    except (ValueError, OverflowError, NotImplementedError):  # a far year has no Python value
        return None


def _decoded(t: pa.DataType) -> pa.DataType:
    return t.value_type if pt.is_dictionary(t) else t


def _value(value: Any, stored: pa.DataType, table_type: pa.DataType, *, up: bool = False) -> Any:
    """Return an end as a value of the table's type, moved outwards where digits are lost; `None` when in doubt."""
    if value is None:
        return None
    table_type = _decoded(table_type)
    numbers = (pt.is_integer, pt.is_floating, pt.is_decimal)
    if any(kind(stored) for kind in numbers) and any(kind(table_type) for kind in numbers):
        if not isinstance(value, float):
            return None if isinstance(value, bytes) else value  # float16 ends come as bytes
        return None if math.isnan(value) else value
    if pt.is_boolean(stored) and pt.is_boolean(table_type):
        return value if isinstance(value, bool) else None
    if isinstance(value, str):
        return (
            value
            if pt.is_string(table_type) or pt.is_large_string(table_type) or pt.is_string_view(table_type)
            else None
        )
    if isinstance(value, dt.datetime) and pt.is_timestamp(table_type):
        return _instant(value, zoned=table_type.tz is not None, up=up)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        if pt.is_date(table_type):
            return value
        if pt.is_timestamp(table_type) and table_type.tz is None:
            return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the table's type is naive
    return None


def _instant(value: dt.datetime, *, zoned: bool, up: bool) -> dt.datetime | None:
    if (value.tzinfo is not None) != zoned:
        return None
    try:
        if nanoseconds := getattr(value, "nanosecond", None):
            value = value.to_pydatetime(warn=False)  # type: ignore[attr-defined]
            value += _MICROSECOND if up and nanoseconds else dt.timedelta(0)
        elif nanoseconds is not None:
            value = value.to_pydatetime()  # type: ignore[attr-defined]
        return value.astimezone(dt.UTC) if zoned else value
    except (OverflowError, ValueError):
        return None
