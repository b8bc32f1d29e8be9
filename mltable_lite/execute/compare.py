"""Exact comparisons on Arrow arrays: by value, whatever the widths, units and scales of both sides.

Arrow compares through a common type, which rounds, overflows or does not exist. Here a literal is first brought to the
column's own type, rounded down, with a note whether it was exact: ``x > 2.5`` on integers is ``x > 2``, and so on.
Two columns go through Arrow's kernel where that is exact, and through Python's values where it is not.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.execute.arithmetic import as_float
from mltable_lite.expr.analyse import COMPARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mltable_lite.expr.nodes import CompareOperator, Value

_KERNELS: dict[str, Callable[[Any, Any], Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
FLIPPED: dict[CompareOperator, CompareOperator] = {
    "==": "==",
    "!=": "!=",
    "<": ">",
    "<=": ">=",
    ">": "<",
    ">=": "<=",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TICKS_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_INT64 = range(-(2**63), 2**63)
_is = pa.types


def compare_literal(operator: CompareOperator, array: pa.Array, value: Value) -> pa.Array:
    """Return ``array operator value`` by value; null where the array is."""
    if compares_as_floats(array, value):
        array = as_float(array)
    nearest, exact = floor_to(array.type, value)
    if nearest is None:
        # Less, or greater, than all values of the type: the sign of `exact` tells which.
        return _constant(array, COMPARE[operator](0, exact))
    if exact:
        return _KERNELS[operator](array, nearest)
    if operator in ("==", "!="):
        return _constant(array, operator == "!=")
    # Nothing of this type lies between the rounded value and the literal.
    return pc.less_equal(array, nearest) if operator in ("<", "<=") else pc.greater(array, nearest)


def compares_as_floats(array: pa.Array, value: Value) -> bool:
    """Tell whether this is a decimal against a float: as in SQL, both are floats then."""
    return _is.is_decimal(array.type) and isinstance(value, float)


def floor_to(arrow: pa.DataType, value: Value) -> tuple[pa.Scalar | None, int]:
    """Return the greatest value of the type that is not above the literal, and whether they are equal.

    A literal beyond the type's range gives no value, and 1 when it is above the range or -1 when below.
    """
    if _is.is_integer(arrow) and isinstance(value, (int, float, Decimal)):
        floor = math.floor(value)
        bits = arrow.bit_width
        least, greatest = (
            (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if _is.is_signed_integer(arrow) else (0, 2**bits - 1)
        )
        if not least <= floor <= greatest:
            return None, 1 if floor > greatest else -1
        return pa.scalar(floor, arrow), floor == value
    if _is.is_floating(arrow) and isinstance(value, (int, float, Decimal)):
        nearest = float(value)
        if nearest > value:
            nearest = math.nextafter(nearest, -math.inf)
        return pa.scalar(nearest, pa.float64()), nearest == value
    if _is.is_decimal(arrow) and isinstance(value, (int, Decimal)):
        scaled = Fraction(value) * Fraction(10) ** arrow.scale
        unscaled = math.floor(scaled)
        if abs(unscaled) >= 10**arrow.precision:
            return None, 1 if unscaled > 0 else -1
        sign, digits = int(unscaled < 0), tuple(map(int, str(abs(unscaled))))
        return pa.scalar(Decimal((sign, digits, -arrow.scale)), arrow), unscaled == scaled
    if isinstance(value, datetime):
        # Integer arithmetic: neither floats nor Python's range of years may cut the instant.
        micros = (value.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
        if _is.is_date32(arrow):
            days, rest = divmod(micros, 86_400 * 10**6)
            return pa.scalar(days, pa.int32()).cast(arrow), rest == 0
        ticks, rest = divmod(micros * TICKS_PER_SECOND[arrow.unit], 10**6)
        if ticks not in _INT64:
            return None, 1 if ticks > 0 else -1
        return pa.scalar(ticks, pa.int64()).cast(arrow), rest == 0
    return pa.scalar(value, arrow), True


def contained(array: pa.Array, values: Sequence[Value]) -> pa.Array:
    """Return whether each value of the array is among the literals; null where the array is."""
    scalars = [
        scalar for scalar, equal in (floor_to(array.type, value) for value in values) if scalar and equal
    ]
    if _is.is_timestamp(array.type):
        # As ticks: Python has no nanoseconds.
        array, chosen = array.view(pa.int64()), pa.array([scalar.value for scalar in scalars], pa.int64())
    elif _is.is_floating(array.type):
        numbers = [scalar.as_py() for scalar in scalars]
        # Arrow's hashing tells the two zeros apart.
        zeros = [0.0, -0.0] if 0.0 in numbers else []
        array, chosen = array.cast(pa.float64()), pa.array(numbers + zeros, pa.float64())
    else:
        chosen = pa.array([scalar.as_py() for scalar in scalars], array.type)
    return pc.if_else(pc.is_valid(array), pc.is_in(array, chosen), pa.scalar(None, pa.bool_()))


def compare_arrays(operator: CompareOperator, left: pa.Array, right: pa.Array) -> pa.Array:
    """Return ``left operator right`` by value; a decimal against a float is compared as floats, as in SQL."""
    left, right = _common(left, right), _common(right, left)
    try:
        return _KERNELS[operator](left, right)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        compare = COMPARE[operator]
        pairs = zip(_exact_values(left), _exact_values(right), strict=True)
        return pa.array([None if a is None or b is None else compare(a, b) for a, b in pairs], pa.bool_())


def _common(array: pa.Array, other: pa.Array) -> pa.Array:
    """Return the array in a type that Arrow compares exactly with the other, where there is one."""
    if _is.is_floating(array.type) or (_is.is_floating(other.type) and _is.is_decimal(array.type)):
        return as_float(array)
    if _is.is_date32(array.type) and _is.is_timestamp(other.type):
        return array.cast(pa.timestamp("s"))
    if _is.is_string(array.type) and _is.is_large_string(other.type):
        return array.cast(pa.large_string())
    return array


def _exact_values(array: pa.Array) -> list[Any]:
    if _is.is_timestamp(array.type) or _is.is_duration(array.type) or _is.is_time(array.type):
        factor = 10**9 // TICKS_PER_SECOND[array.type.unit]
        ticks = array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())  # noqa: PLR2004 - bits
        return [None if value is None else value * factor for value in ticks.to_pylist()]
    values: list[Any] = array.to_pylist()
    return values


def _constant(array: pa.Array, value: bool) -> pa.Array:
    return pc.if_else(pc.is_valid(array), pa.scalar(value), pa.scalar(None, pa.bool_()))
