"""Arrow's types as the kinds that plans and filters speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from mltable_lite.formats.streams import is_stream
from mltable_lite.types import Field, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

_is = pa.types
_KINDS: tuple[tuple[Callable[[pa.DataType], bool], Kind], ...] = (
    (_is.is_null, Kind.NULL),
    (_is.is_boolean, Kind.BOOLEAN),
    (_is.is_integer, Kind.INTEGER),
    (_is.is_floating, Kind.FLOAT),
    (_is.is_decimal, Kind.DECIMAL),
    (_is.is_string, Kind.STRING),
    (_is.is_large_string, Kind.STRING),
    (_is.is_string_view, Kind.STRING),
    (_is.is_binary, Kind.BINARY),
    (_is.is_large_binary, Kind.BINARY),
    (_is.is_binary_view, Kind.BINARY),
    (_is.is_fixed_size_binary, Kind.BINARY),
    (_is.is_date, Kind.DATE),
    (_is.is_timestamp, Kind.DATETIME),
    (_is.is_time, Kind.TIME),
    (_is.is_duration, Kind.DURATION),
    (_is.is_list, Kind.LIST),
    (_is.is_large_list, Kind.LIST),
    (_is.is_fixed_size_list, Kind.LIST),
    (_is.is_list_view, Kind.LIST),
    (_is.is_large_list_view, Kind.LIST),
    (_is.is_struct, Kind.STRUCT),
    (_is.is_map, Kind.MAP),
)


def value_type(arrow: pa.DataType) -> pa.DataType:
    """Return the type of the values behind an encoding: of a dictionary, of runs, of an extension type."""
    while True:
        if _is.is_dictionary(arrow) or _is.is_run_end_encoded(arrow):
            arrow = arrow.value_type
        elif isinstance(arrow, pa.BaseExtensionType):
            arrow = arrow.storage_type
        else:
            return arrow


def field_of(field: pa.Field) -> Field:
    """Return what plans and filters need to know of an Arrow field; text marked as stream is `Kind.STREAM`."""
    arrow = value_type(field.type)
    kind = next((kind for holds, kind in _KINDS if holds(arrow)), Kind.OTHER)
    if kind is Kind.STRING and is_stream(field):
        kind = Kind.STREAM
    fields = tuple(field_of(arrow.field(i)) for i in range(arrow.num_fields)) if kind is Kind.STRUCT else ()
    return Field(field.name, kind, zoned=kind is Kind.DATETIME and arrow.tz is not None, fields=fields)
