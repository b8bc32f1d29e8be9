"""Arrow values without a NumPy type -> Python objects, and arrays of them.

What a value looks like follows from its type and the value alone, never from the other rows:

* A list is a NumPy array of its elements' type. One of integers or booleans that holds a null is an array of objects,
  with `None` there; floats have NaN and datetimes NaT, as in a column.
* A record is a dict and a map a list of pairs; lists inside them are lists.
* A date, time, decimal or datetime is Python's; beyond the years 1 to 9999 a datetime or time span is that of pandas.

What neither has an object for is an error, never another value.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from mltable_lite.errors import ConversionError
from mltable_lite.execute.as_text import as_text, map_entries
from mltable_lite.types import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The first and last day of Python's dates, counted from 1970.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_DAY_SECONDS = 86_400
_TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


@contextmanager
def naming(column: str) -> Iterator[None]:
    """Name the column in what goes wrong while its values become objects.

    Raises:
        ConversionError: Neither Python nor pandas has an object for a value.
    """
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, ValueError, ArithmeticError, LookupError, NotImplementedError) as error:
        raise ConversionError(
            f"column {column!r}: pandas has no object for a value: {error}. With dtype_backend='pyarrow' the values "
            "stay as they are, and so they do in to_arrow_table()."
        ) from error


def as_objects(column: pa.ChunkedArray) -> Any:
    """Return what a DataFrame takes for a column: text or objects.

    Raises:
        ValueError: Neither Python nor pandas has an object for a value; also pyarrow's errors, and the other
            builtins that `naming` knows.
    """
    if is_list(column.type):
        # Arrow's own conversion is faster, but makes floats of integers wherever a null is among them.
        if all(map(_is_done_by_arrow, column.chunks)):
            return column.to_pandas()
        return np.concatenate([np.empty(0, object), *map(_arrays, column.chunks)])
    if pt.is_nested(_stored(column.type)):
        return _array_of([value for chunk in column.chunks for value in _values(chunk)])
    for chunk in column.chunks:
        _refuse_what_python_lacks(chunk)
    return column.to_pandas()


def is_list(kind: pa.DataType) -> bool:
    """Tell whether values are lists, whatever their layout. A map is none."""
    return bool(
        pt.is_list(kind)
        or pt.is_large_list(kind)
        or pt.is_fixed_size_list(kind)
        or pt.is_list_view(kind)
        or pt.is_large_list_view(kind)
    )


def _stored(kind: pa.DataType) -> pa.DataType:
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


# --------------------------------------------------------------------------- lists as NumPy arrays
def _is_done_by_arrow(array: Any) -> bool:
    while is_list(array.type):
        if pt.is_list_view(array.type) or pt.is_large_list_view(array.type):
            return False  # Arrow 26 takes the null of another row where an array was sliced
        array = array.values
    kind = array.type
    if pt.is_integer(kind) or pt.is_boolean(kind):
        return bool(array.null_count == 0)
    return bool(
        pt.is_floating(kind)
        or pt.is_string(kind)
        or pt.is_large_string(kind)
        or pt.is_binary(kind)
        or pt.is_decimal128(kind)
        or pt.is_timestamp(kind)
        or pt.is_duration(kind)
    )


def _arrays(array: Any) -> np.ndarray:
    """Return one NumPy array for each list, `None` for null."""
    counts = pc.list_value_length(array)
    elements, nulls = _elements(pc.list_flatten(array))
    ends = np.cumsum(np.asarray(counts.fill_null(0)), dtype=np.int64)
    rows = np.empty(len(array), object)
    start = 0
    for row, (count, end) in enumerate(zip(counts.to_pylist(), ends.tolist(), strict=True)):
        if count is not None:
            rows[row] = elements[start:end]
            start = end
    if nulls is not None:
        starts = ends - np.asarray(counts.fill_null(0))
        for row in np.unique(np.searchsorted(ends, np.flatnonzero(nulls), side="right")):
            objects = rows[row].astype(object)
            objects[nulls[starts[row] : ends[row]]] = None
            rows[row] = objects
    return rows


def _elements(flat: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the values as one array, and where the nulls are that it has no value for."""
    flat = _decoded(flat)
    kind = flat.type
    if pt.is_integer(kind) or pt.is_boolean(kind):
        nulls = np.asarray(flat.is_null()) if flat.null_count else None
        flat = flat if nulls is None else flat.fill_null(False if pt.is_boolean(kind) else 0)
        # A copy, as Arrow's own conversion makes one: its memory cannot be written to.
        return np.array(flat.to_numpy(zero_copy_only=False)), nulls
    if pt.is_floating(kind) or pt.is_timestamp(kind) or pt.is_duration(kind):
        return np.array(flat.to_numpy(zero_copy_only=False)), None
    return (_arrays(flat) if is_list(kind) else _array_of(_values(flat))), None


def _array_of(values: list[Any]) -> np.ndarray:
    return np.fromiter(values, dtype=object, count=len(values))


# --------------------------------------------------------------------------- values as Python has them
def _values(array: Any) -> list[Any]:
    array = _decoded(array)
    kind = array.type
    if pt.is_struct(kind):
        rows = _records(array)
    elif pt.is_map(kind):
        keys, items, counts = map_entries(array)
        rows = _cut(list(zip(_values(keys), _values(items), strict=True)), counts)
    elif is_list(kind):
        counts = pc.list_value_length(array).fill_null(0).to_pylist()
        rows = _cut(_values(pc.list_flatten(array)), counts)
    else:
        return _leaves(array)
    if not array.null_count:
        return rows
    return [row if valid else None for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)]


def _records(array: Any) -> list[Any]:
    names = [field.name for field in array.type]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"a record with two fields named {twice!r}")
    if not names:
        return [{} for _ in range(len(array))]
    columns = map(_values, array.flatten())
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _cut(values: list[Any], counts: list[int]) -> list[Any]:
    elements = iter(values)
    return [list(islice(elements, count)) for count in counts]


def _leaves(array: Any) -> list[Any]:
    _refuse_what_python_lacks(array)
    try:
        values: list[Any] = array.to_pylist()
    except (ArithmeticError, ValueError):
        if not (pt.is_timestamp(array.type) or pt.is_duration(array.type)):
            raise
        values = [_far(item) for item in array]
    return values


def _far(item: Any) -> Any:
    """Return a datetime or time span; that of pandas where Python's does not reach so far."""
    import pandas as pd

    try:
        return item.as_py()
    except (ArithmeticError, ValueError) as error:
        if pt.is_duration(item.type):
            return pd.Timedelta(np.timedelta64(item.value, item.type.unit))
        moment = pd.Timestamp(np.datetime64(item.value, item.type.unit))
        if item.type.tz is None:
            return moment
        check_zone(item.type.tz)
        raise ValueError(f"{moment} UTC, in the time zone {item.type.tz}") from error


def check_zone(name: str) -> None:
    """Raise where nobody here knows a time zone.

    Raises:
        ValueError: The name is none.
    """
    import pandas as pd

    try:
        pd.DatetimeTZDtype("ns", name)
    except (LookupError, ValueError) as error:
        raise ValueError(f"the time zone {name!r} is not known here") from error


def _decoded(array: Any) -> Any:
    """Return the values without dictionary or runs, and without an extension type if it only names a nested one."""
    while True:
        if pt.is_dictionary(array.type):
            array = array.dictionary_decode()
        elif pt.is_run_end_encoded(array.type):
            array = pc.run_end_decode(array)
        elif isinstance(array, pa.ExtensionArray) and pt.is_nested(array.storage.type):
            array = array.storage
        else:
            return array


def _refuse_what_python_lacks(array: Any) -> None:
    """Raise where a date or time is none of Python's. Arrow would cut it, wrap it around, or fail without its name."""
    kind = array.type
    if pt.is_date(kind):
        a_day = 1 if pt.is_date32(kind) else _DAY_SECONDS * 1000
        ticks = array.view(pa.int32() if pt.is_date32(kind) else pa.int64())
        far = _outside(ticks, _FIRST_DAY * a_day, (_LAST_DAY + 1) * a_day)
        _refuse(array, far, "is beyond the years 1 to 9999 of Python's dates")
    elif pt.is_time(kind):
        ticks = array.view(pa.int32() if pt.is_time32(kind) else pa.int64())
        _refuse(array, _outside(ticks, 0, _DAY_SECONDS * _TICKS_PER_SECOND[kind.unit]), "is no time of a day")
        if kind.unit == "ns":
            rest = pc.subtract(ticks, pc.multiply(pc.divide(ticks, 1000), 1000))
            _refuse(array, pc.not_equal(rest, 0), "has nanoseconds, which Python's times have not")


def _outside(ticks: Any, start: int, stop: int) -> Any:
    return pc.or_(pc.less(ticks, pa.scalar(start)), pc.greater_equal(ticks, pa.scalar(stop)))


def _refuse(array: Any, bad: Any, why: str) -> None:
    if not pc.any(bad, min_count=0).as_py():
        return
    first = array.filter(bad).slice(0, 1)
    text = as_text(first, Kind.DATE if pt.is_date(array.type) else Kind.TIME)[0].as_py()
    raise ValueError(f"{text.removesuffix('T00:00:00+00:00')} {why}")
