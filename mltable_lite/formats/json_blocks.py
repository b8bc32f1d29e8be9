"""Blocks of JSON lines -> Arrow the fast way: by pyarrow, wherever that gives exactly what `json_values` gives."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Callable

WHITE = b" \t\r\n"
_NO_NUMBER = re.compile(rb"[:,\[]\s*-?(?:NaN|Inf)")
_LONG_INTEGER = re.compile(rb"[:,\[]\s*-?[0-9]{16,}\s*[,\]}]")
_EXACT_IN_FLOAT64 = 2**53
#: What stays in the fastest caches while it is looked at several times.
_LOOKED_AT_BYTES = 128 * 1024
#: What pyarrow parses at once: as much as stays in the processor's caches, but never less than a line.
_PARSED_BYTES = 1024 * 1024


def decode_block(
    data: bytes | memoryview, schema: pa.Schema, unexpected: Literal["error", "ignore"]
) -> pa.Table | None:
    """Return the lines as pyarrow decodes them under a schema, or `None` where that fails or may not be exact.

    pyarrow takes several objects in one line, an object over several lines, NaN and Infinity for good, and dies on a
    first line ``null``: so lines are counted, and must all begin and end as objects.
    """
    if not schema.names:
        return None
    text, look = data, _look_at(data)
    if look is None:
        lines = (line.strip(WHITE) for line in bytes(data).split(b"\n"))
        text = b"\n".join(line for line in lines if line) + b"\n"
        if text == b"\n":
            return schema.empty_table()
        look = _look_at(text)
    if look is None:
        return None
    # In columns that are decoded such numbers are seen afterwards; in the others only here.
    if unexpected == "ignore" and look.may_hold_no_number and _NO_NUMBER.search(text):
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            pj.ReadOptions(use_threads=False, block_size=max(_PARSED_BYTES, look.longest + 2)),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )
        table.validate()  # a list of nothing but nulls comes out with too short an array of values
    except pa.ArrowException:
        return None
    if table.num_rows != look.lines or table.schema != schema:
        return None
    doubtful = any(is_doubtful(chunk) for column in table.columns for chunk in column.chunks)
    return None if doubtful and (_LONG_INTEGER.search(text) or _NO_NUMBER.search(text)) else table


class _Look(NamedTuple):
    """What lines that are each ``{...}``, with nothing around it, look like."""

    lines: int
    longest: int  # at most so many bytes
    may_hold_no_number: bool  # ``Na`` or ``In`` occurs


def _look_at(data: bytes | memoryview) -> _Look | None:
    """Return what lines look like, `None` where one is not an object alone.

    In parts that stay in the fastest caches: so it takes an eighth of what parsing takes, and other threads go on.
    """
    returns = data[-3:] == b"}\r\n"
    if data[:1] != b"{" or data[1:2] == b"\n" or not (returns or data[-2:] == b"}\n"):
        return None
    around = ((1, ord("{")), (-1, ord("\r")), (-2, ord("}"))) if returns else ((1, ord("{")), (-1, ord("}")))
    text, last = np.frombuffer(data, np.uint8), len(data) - 1
    lines, longest, no_number = 1, 2 * _LOOKED_AT_BYTES, False
    one, other = np.empty(_LOOKED_AT_BYTES, bool), np.empty(_LOOKED_AT_BYTES, bool)
    for start in range(2, last, _LOOKED_AT_BYTES):
        stop = min(start + _LOOKED_AT_BYTES, last)
        found, also = one[: stop - start], other[: stop - start]
        np.equal(text[start:stop], ord("\n"), out=found)
        count = int(np.count_nonzero(found))
        for place, character in around:
            np.equal(text[start + place : stop + place], character, out=also)
            np.logical_and(found, also, out=found)
        if np.count_nonzero(found) != count:
            return None
        lines += count
        if not count and stop < last:
            longest = len(data)
        for first, second in (b"Na", b"In"):
            if no_number or not np.equal(text[start:stop], first, out=found).any():
                continue
            np.equal(text[start + 1 : stop + 1], second, out=also)
            no_number = bool(np.logical_and(found, also, out=found).any())
    return _Look(lines, longest, no_number)


def is_doubtful(array: pa.Array[Any]) -> bool:
    """Tell whether an array holds NaN, Infinity, or floats so big that an integer may have been rounded to them."""
    if pt.is_float64(array.type):
        if array.null_count == 0 and len(array):
            # Faster than Arrow where there is no null; NaN is not less than anything.
            values = np.asarray(array)
            return not max(values.max(), -values.min()) < _EXACT_IN_FLOAT64
        biggest = pc.max(pc.abs(array)).as_py()
        return (biggest is not None and not biggest < _EXACT_IN_FLOAT64) or pc.any(
            pc.is_nan(array)
        ).as_py() is True
    if pt.is_list(array.type):
        return is_doubtful(array.flatten())
    return pt.is_struct(array.type) and any(map(is_doubtful, array.flatten()))


def holds(t: pa.DataType, wanted: Callable[[pa.DataType], bool]) -> bool:
    """Tell whether a type is, or has anywhere inside, what is wanted."""
    if pt.is_list(t):
        return wanted(t) or holds(t.value_type, wanted)
    return wanted(t) or (pt.is_struct(t) and any(holds(field.type, wanted) for field in t))
