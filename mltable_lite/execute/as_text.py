"""Values of any type -> texts, as ``convert_column_types: string`` writes them.

Numbers have the fewest digits that give the same float64 back and no exponent; booleans are ``True`` and ``False``;
datetimes are ISO 8601 in UTC with ``+00:00`` and a fraction of three, six or nine digits where there is one; lists
look like ``[1, "x", null]``, records like ``{a: 1, b: c}``, bytes like ``[2 bytes]``.

Source: the reference's texts. Where it has none, the text was chosen: times ``03:04:05.678``, and ``27:46:40`` for one
that is none of a day; durations in seconds ``PT1.5S`` (ISO 8601), maps as records.
"""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.execute.fields import field_of, value_type
from mltable_lite.types import Kind, plain_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Writer = Callable[[Any], Any]

_UNIT_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_DAY_SECONDS = 86_400
#: How Arrow writes what it cannot: datetimes beyond the years -32767 to 32767, times that are none of a day.
_NOT_WRITTEN = "<value out of range"


def as_text(array: pa.Array[Any], kind: Kind) -> pa.Array[Any]:
    """Return a string array (large_string stays so); null stays null, everything else has a text."""
    return _WRITERS.get(kind, _nested)(array)


def decoded(array: Any) -> Any:
    """Return the values of a plain type in one array, without chunks, dictionary, runs or extension type."""
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    while array.type != value_type(array.type):
        if isinstance(array, pa.ExtensionArray):
            array = array.storage
        elif pa.types.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        else:
            array = array.dictionary_decode()
    return array


def map_entries(array: Any) -> tuple[Any, Any, list[int]]:
    """Return the keys and the values of all maps, and how many each map has.

    No cast to lists, which are easier to take apart: of an array that was sliced, Arrow 26 makes a broken one where the
    values have fields of type null, and may end the process.
    """
    ends = array.offsets.to_pylist() or [0]
    keys, items = (part.slice(ends[0], ends[-1] - ends[0]) for part in (array.keys, array.items))
    return keys, items, [end - start for start, end in pairwise(ends)]


def _text(array: Any) -> Any:
    return array if pa.types.is_large_string(array.type) else array.cast(pa.string())


def _boolean(array: Any) -> Any:
    return pc.if_else(array, "True", "False")


def _float(array: Any) -> Any:
    texts = array.cast(pa.float64()).cast(pa.string())
    special = pc.match_substring_regex(texts, "e|nan")
    if not pc.any(special, min_count=0).as_py():
        return texts
    plain = [_plain_float(value) for value in array.filter(special).to_pylist()]
    return pc.replace_with_mask(texts, special, pa.array(plain, pa.string()))


def _plain_float(value: float) -> str:
    return "NaN" if value != value else plain_digits(Decimal(repr(float(value))))  # noqa: PLR0124 - NaN


def _decimal(array: Any) -> Any:
    texts = array.cast(pa.string())
    exponent = pc.match_substring(texts, "E")
    if pc.any(exponent, min_count=0).as_py():
        plain = [plain_digits(value) for value in array.filter(exponent).to_pylist()]
        texts = pc.replace_with_mask(texts, exponent, pa.array(plain, pa.string()))
    return _without_trailing_zeros(texts)


def _without_trailing_zeros(texts: Any) -> Any:
    """Return texts without the zeros that end a fraction, nor its point if nothing else follows."""
    return pc.replace_substring_regex(texts, r"(?:\.0+|(\.[0-9]*[1-9])0+)$", r"\1")


def _datetime(array: Any) -> Any:
    """Return the instants in UTC; a datetime without a zone counts as UTC."""
    texts = _temporal(array.cast(pa.timestamp(array.type.unit)))
    return _with_offset(pc.replace_substring(texts, " ", "T", max_replacements=1))


def _with_offset(texts: Any) -> Any:
    texts = pc.replace_substring_regex(texts, r"(\.(?:[0-9]{3})*?)(?:000)+$", r"\1")
    return pc.binary_join_element_wise(pc.replace_substring_regex(texts, r"\.$", ""), "+00:00", "")


def _date(array: Any) -> Any:
    return pc.binary_join_element_wise(_temporal(array.cast(pa.date32())), "T00:00:00+00:00", "")


def _time(array: Any) -> Any:
    return _without_trailing_zeros(_temporal(array))


def _temporal(array: Any) -> Any:
    """Return dates, times and datetimes as Arrow writes them, also where it does not."""
    texts = array.cast(pa.string())
    beyond = pc.starts_with(texts, _NOT_WRITTEN)
    if not pc.any(beyond, min_count=0).as_py():
        return texts
    ticks = array.filter(beyond).view(pa.int64() if array.type.bit_width > 32 else pa.int32())  # noqa: PLR2004 - bits
    written = [_beyond(value, array.type) for value in ticks.to_pylist()]
    return pc.replace_with_mask(texts, beyond, pa.array(written, pa.string()))


def _beyond(ticks: int, kind: pa.DataType) -> str:
    if pa.types.is_date(kind):
        return str(np.datetime64(ticks, "D"))
    if pa.types.is_time(kind):
        return ("-" if ticks < 0 else "") + _clock(abs(ticks), _UNIT_DIGITS[kind.unit])
    digits = _UNIT_DIGITS[kind.unit]
    days, rest = divmod(ticks, _DAY_SECONDS * 10**digits)
    return f"{np.datetime64(days, 'D')} {_clock(rest, digits)}"


def _clock(ticks: int, digits: int) -> str:
    seconds, fraction = divmod(ticks, 10**digits)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:0{digits}}" if digits else text


def _duration(array: Any) -> Any:
    return pa.array([_duration_text(item) for item in array], pa.string())


def _duration_text(item: Any) -> str | None:
    if not item.is_valid:
        return None
    return f"PT{plain_digits(Decimal(item.value).scaleb(-_UNIT_DIGITS[item.type.unit]))}S"


_WRITERS: Mapping[Kind, Writer] = {
    Kind.NULL: _text,
    Kind.STRING: _text,
    Kind.STREAM: _text,
    Kind.INTEGER: _text,
    Kind.BOOLEAN: _boolean,
    Kind.FLOAT: _float,
    Kind.DECIMAL: _decimal,
    Kind.DATETIME: _datetime,
    Kind.DATE: _date,
    Kind.TIME: _time,
    Kind.DURATION: _duration,
    Kind.OTHER: lambda array: pa.array(
        [None if v is None else str(v) for v in array.to_pylist()], pa.string()
    ),
}


# --------------------------------------------------------------------------- values inside values
def _nested(array: Any) -> Any:
    return pa.array(_texts(array, quoted=False), pa.string(), mask=np.asarray(array.is_null()))


def _texts(array: Any, *, quoted: bool) -> list[str]:
    """Return a text for every element; `quoted` is the style inside lists, where texts need their quotes."""
    array = decoded(array)
    kind = field_of(pa.field("", array.type)).kind
    if kind is Kind.LIST:
        elements = iter(_texts(pc.list_flatten(array), quoted=True))
        counts = pc.list_value_length(array).fill_null(0).to_pylist()
        texts = [f"[{', '.join(islice(elements, count))}]" for count in counts]
    elif kind is Kind.MAP:
        *entries, counts = map_entries(array)
        keys, values = (_texts(part, quoted=quoted) for part in entries)
        pairs = iter([f"{key}: {value}" for key, value in zip(keys, values, strict=True)])
        texts = [f"{{{', '.join(islice(pairs, count))}}}" for count in counts]
    elif kind is Kind.STRUCT:
        names = [json.dumps(f.name, ensure_ascii=False) if quoted else f.name for f in array.type]
        columns = [_texts(part, quoted=quoted) for part in array.flatten()]
        texts = [
            "{" + ", ".join(f"{name}: {value}" for name, value in zip(names, row, strict=True)) + "}"
            for row in (zip(*columns, strict=True) if columns else [()] * len(array))
        ]
    elif kind is Kind.BINARY:
        texts = [
            f"[{length} bytes]" for length in pc.binary_length(array.cast(pa.large_binary())).to_pylist()
        ]
    elif quoted and kind is Kind.STRING:
        texts = ['"' + (text or "").replace('"', '\\"') + '"' for text in array.to_pylist()]
    elif quoted and kind is Kind.BOOLEAN:
        texts = ["true" if value else "false" for value in array.to_pylist()]
    else:
        texts = as_text(array, kind).to_pylist()
    null = "null" if quoted else "Null"
    valid = array.is_valid().to_pylist()
    return [text if there else null for text, there in zip(texts, valid, strict=True)]
