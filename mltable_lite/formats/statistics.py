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


def row_group_bounds(
    footer: pq.FileMetaData, group: int, columns: dict[str, tuple[pa.Field | None, pa.DataType]]
) -> dict[str, Bounds]:
    """Return the bounds of columns in a row group, by the table's names.

    Args:
        footer: The file's footer.
        group: The number of the row group.
        columns: For each column of the table the field of the file that holds it (`None`: the file lacks it, every
            row is null) and the table's type.
    """
    row_group = footer.row_group(group)
    rows = row_group.num_rows
    leaves: dict[str, int | None] = {}
    for index in range(footer.num_columns):
        path = row_group.column(index).path_in_schema
        # A column called 'a.b' and the field b of a struct a have one path; neither can then be told.
        leaves[path] = None if path in leaves else index
    bounds: dict[str, Bounds] = {}
    for name, (field, table_type) in columns.items():
        if field is None:
            bounds[name] = Bounds(None, None, rows, rows)
            continue
        leaf = leaves.get(field.name)
        if leaf is None:
            continue
        chunk = row_group.column(leaf)
        if not chunk.is_stats_set:
            continue
        stats = chunk.statistics
        nulls = stats.null_count if stats.has_null_count else None
        low = high = None
        if stats.has_min_max and chunk.physical_type != "INT96":
            low, high = _read(stats, "min"), _read(stats, "max")
        bounds[name] = bounds_of(low, high, nulls, rows, _decoded(field.type), table_type)
    return bounds


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
