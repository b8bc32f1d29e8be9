"""Blocks of JSON lines -> Arrow the fast way: by pyarrow, wherever that gives exactly what `json_values` gives."""

from __future__ import annotations

import re
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
import pyarrow.types as pt

WHITE = b" \t\r\n"
_NO_NUMBER = re.compile(rb"[:,\[]\s*-?(?:NaN|Inf)")
_LONG_INTEGER = re.compile(rb"[:,\[]\s*-?[0-9]{16,}\s*[,\]}]")
_EXACT_IN_FLOAT64 = 2**53
#: What stays in the fastest caches while it is looked at several times.
_LOOKED_AT_BYTES = 64 * 1024
#: What pyarrow parses at once: as much as stays in the processor's caches, but never less than a line.
_PARSED_BYTES = 1024 * 1024


def decode_block(data: bytes, schema: pa.Schema, unexpected: Literal["error", "ignore"]) -> pa.Table | None:
    """Return the lines as pyarrow decodes them under a schema, or `None` where that fails or may not be exact.

    pyarrow takes several objects in one line, an object over several lines, NaN and Infinity for good, and dies on a
    first line ``null``: so lines are counted, and must all begin and end as objects.
    """
    if not schema.names or (found := _object_lines(data)) is None:
        return None
    text, count, longest = found
    if not count:
        return schema.empty_table()
    # In columns that are decoded such numbers are seen afterwards; in the others only here.
    if unexpected == "ignore" and _may_hold_no_number(text) and _NO_NUMBER.search(text):
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(text),
            pj.ReadOptions(use_threads=False, block_size=max(_PARSED_BYTES, longest + 2)),
            pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior=unexpected),
        )
        table.validate()  # a list of nothing but nulls comes out with too short an array of values
    except pa.ArrowException:
        return None
    if table.num_rows != count or table.schema != schema:
        return None
    doubtful = any(_is_doubtful(chunk) for column in table.columns for chunk in column.chunks)
    return None if doubtful and (_LONG_INTEGER.search(text) or _NO_NUMBER.search(text)) else table


def _object_lines(data: bytes) -> tuple[bytes, int, int] | None:
    """Return the lines that are not blank, their number and longest length, if each is ``{...}``."""
    joined = _count_joined(data)
    if joined:
        return data, *joined
    text = b"\n".join(stripped for line in data.split(b"\n") if (stripped := line.strip(WHITE))) + b"\n"
    if text == b"\n":
        return b"", 0, 0
    joined = _count_joined(text)
    return (text, *joined) if joined else None


def _count_joined(data: bytes) -> tuple[int, int] | None:
    """Return how many lines there are and the longest one's bytes, if each is ``{...}`` with nothing around it."""
    if not (data.startswith(b"{") and data.endswith((b"}\n", b"}\r\n"))):
        return None
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    before = characters[ends - 1]
    if before[0] == ord("\r"):
        before = np.where(before == ord("\r"), characters[ends - 2], 0)
    if (before == ord("}")).all() and (characters[ends[:-1] + 1] == ord("{")).all():
        return len(ends), int(np.diff(ends, prepend=-1).max())
    return None


def _may_hold_no_number(data: bytes) -> bool:
    """Tell whether ``Na`` or ``In`` occurs: several times as fast as ``in``, and other threads go on meanwhile."""
    characters = np.frombuffer(data, np.uint8)
    for start in range(0, len(data), _LOOKED_AT_BYTES):
        part = characters[start : start + _LOOKED_AT_BYTES + 1]
        one, next_one = part[:-1], part[1:]
        if ((one == ord("N")) & (next_one == ord("a"))).any() or (
            (one == ord("I")) & (next_one == ord("n"))
        ).any():
            return True
    return False


def _is_doubtful(array: pa.Array[Any]) -> bool:
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
        return _is_doubtful(array.flatten())
    return pt.is_struct(array.type) and any(map(_is_doubtful, array.flatten()))
