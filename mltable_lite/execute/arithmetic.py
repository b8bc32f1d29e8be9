"""Arithmetic on Arrow arrays with Python's meaning: true division, floors, rounding, and no integer that wraps.

Integers are computed in int64, and must stay there; with a uint64 on one side they may go up to that type's end. Where
the fast kernels overflow, the rows are computed once more as Python integers: exactly, or to tell which row is at fault.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Callable

_is = pa.types
_CHECKED: dict[str, Callable[[Any, Any], Any]] = {
    "+": pc.add_checked,
    "-": pc.subtract_checked,
    "*": pc.multiply_checked,
    "/": pc.divide,
    "**": pc.power_checked,
}
_PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
#: Holds int64 and uint64 together: the type of all results with a uint64 on one side, whatever the values are.
WIDE_INTEGER = pa.decimal256(20, 0)
#: No int64 or uint64 has more bits; a power that surely has more is not computed at all.
_MAX_BITS = 64
#: Up to these float64 holds every integer, and every power of ten.
_EXACT_INTEGER = 2**53
_EXACT_POWER = 22
#: A product below the first is off by less than the second.
_PRECISE, _NEAR_HALF = 2**30, 1e-6


def arithmetic(op: str, left: pa.Array, right: pa.Array, what: str, *, integer: bool) -> pa.Array:
    """Return ``left op right`` on numbers; null where a side is null.

    Args:
        op: The operator.
        left: Numbers.
        right: As many numbers.
        what: The expression's text, for errors.
        integer: Both sides are integers and the result is one too; else all is computed as float64.

    Raises:
        EvaluationError: A division by zero, or an integer result that no 64-bit integer holds.
    """
    if op in ("/", "//", "%"):
        _refuse(
            pc.and_(pc.equal(right, pa.scalar(0, right.type)), pc.is_valid(left)), what, "divides by zero"
        )
    if integer:
        return _integers(op, left, right, what)
    left, right = as_float(left), as_float(right)
    if op == "**":
        bad = pc.and_(pc.equal(left, 0.0), pc.less(right, 0.0))
        _refuse(bad, what, "raises zero to a negative power")
    if op in ("//", "%"):
        return _floored_floats(op, left, right)
    return {"+": pc.add, "-": pc.subtract, "*": pc.multiply, "/": pc.divide, "**": pc.power}[op](left, right)


def is_integer(arrow: pa.DataType) -> bool:
    """Tell whether a type is one of integers, as columns or `arithmetic` have them."""
    return bool(_is.is_integer(arrow) or arrow == WIDE_INTEGER)


def as_float(array: pa.Array) -> pa.Array:
    """Return numbers as float64, rounded to the nearest where they are finer."""
    if _is.is_decimal(array.type):
        return _decimals_as_float(array)
    return array.cast(pa.float64(), safe=False)


def _decimals_as_float(array: pa.Array) -> pa.Array:
    """Return decimals as the nearest float64. Arrow's cast multiplies by a power of ten that is rounded itself."""
    bits, scale = array.type.bit_width, array.type.scale
    word = np.dtype(f"<i{min(bits, 64) // 8}")
    words = np.frombuffer(array.buffers()[1], word).reshape(-1, bits // 8 // word.itemsize)
    words = words[array.offset : array.offset + len(array)].astype(np.int64)
    digits, rest = words[:, 0], words[:, 1:]
    # One rounding, that of the division, where both numbers are exact.
    exact = (rest == (digits >> 63)[:, None]).all(axis=1)
    exact &= (digits <= _EXACT_INTEGER) & (digits >= -_EXACT_INTEGER) & (abs(scale) <= _EXACT_POWER)
    power = 10.0 ** min(abs(scale), _EXACT_POWER)
    floats = digits / power if scale >= 0 else digits * power
    others = pc.and_(array.is_valid(), pa.array(~exact))
    result = pa.array(floats, pa.float64(), mask=np.asarray(array.is_null()))
    if not pc.any(others, min_count=0).as_py():
        return result
    # Arrow reads texts with correct rounding.
    texts = array.filter(others).cast(pa.string())
    return pc.replace_with_mask(result, others, texts.cast(pa.float64()))


def rounded(array: pa.Array, digits: int) -> pa.Array:
    """Return numbers rounded to 0 to 15 digits after the point as Python's `round` does; integers as they are.

    What counts is the exact value of the float64, which for 1.115 is below the half, and of two neighbours as near the
    even one.
    """
    if is_integer(array.type):
        return array
    floats = as_float(array)
    numbers, power = floats.to_numpy(zero_copy_only=False), 10.0**digits
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        product = numbers * power
        result = np.rint(product)
        clear = (np.abs(np.abs(product - result) - 0.5) > _NEAR_HALF) & (np.abs(product) < _PRECISE)
        result /= power
        if not clear.all():
            result[~clear] = _rounded_exactly(numbers[~clear], power)
    return pa.array(result, pa.float64(), mask=np.asarray(floats.is_null()))


def _rounded_exactly(numbers: np.ndarray, power: float) -> np.ndarray:
    product = numbers * power
    error = _product_error(numbers, power, product)
    whole = np.rint(product)
    # The exact product is `product + error`. It rounds as `product` does, unless that is a half, or the error is one,
    # neither of which `rint` could tell.
    step = np.sign(error)
    past = (np.abs(product - whole) == 0.5) & (step * (product - whole) > 0)  # noqa: PLR2004 - a half
    half = (np.abs(error) == 0.5) & (whole % 2 == 1)  # noqa: PLR2004 - a half
    whole = np.where(past | half, whole + step, whole)
    # Beyond these, neighbours are further apart than what is rounded to.
    large = (np.abs(product) > _EXACT_INTEGER) | ((np.abs(product) == _EXACT_INTEGER) & (step * product > 0))
    return np.where(large | ~np.isfinite(numbers), numbers, whole / power)


def _product_error(left: np.ndarray, right: float, product: np.ndarray) -> np.ndarray:
    """Return what rounding took from a product. Source: Dekker 1971, by halves of 26 bits."""
    splitter = 2.0**27 + 1
    high = left * splitter
    high = high - (high - left)
    low = left - high
    right_high = right * splitter
    right_high = right_high - (right_high - right)
    right_low = right - right_high
    error: np.ndarray = low * right_low - (
        ((product - high * right_high) - low * right_high) - high * right_low
    )
    return error


def negate(array: pa.Array, what: str) -> pa.Array:
    """Return the numbers with the opposite sign."""
    if is_integer(array.type):
        return arithmetic("-", pa.repeat(pa.scalar(0), len(array)), array, what, integer=True)
    return pc.negate(as_float(array))


def absolute(array: pa.Array, what: str) -> pa.Array:
    """Return the numbers without their sign."""
    if not is_integer(array.type):
        return pc.abs(as_float(array))
    if _is.is_unsigned_integer(array.type):
        return array
    sign = pc.if_else(pc.less(array, pa.scalar(0).cast(array.type)), -1, 1)
    return arithmetic("*", array, sign, what, integer=True)


def _refuse(bad: pa.Array, what: str, why: str) -> None:
    row = pc.index(bad, True).as_py()
    if row >= 0:
        hint = "keep such rows out with a condition before it: b != 0 and a / b > 1"
        raise EvaluationError(f"{what!r} {why}; {hint}.", row=row)


def _integers(op: str, left: pa.Array, right: pa.Array, what: str) -> pa.Array:
    wide = any(array.type in (pa.uint64(), WIDE_INTEGER) for array in (left, right))
    try:
        result = _int64(op, left.cast(pa.int64()), right.cast(pa.int64()))
    except pa.ArrowInvalid:
        return _python_integers(op, left, right, what, wide=wide)
    return result.cast(WIDE_INTEGER) if wide else result


def _int64(op: str, left: pa.Array, right: pa.Array) -> pa.Array:
    if op not in ("//", "%"):
        return _CHECKED[op](left, right)
    # The zeros that are left stand opposite a null.
    right = pc.if_else(pc.equal(right, 0), pa.scalar(None, pa.int64()), right)
    quotient = pc.divide_checked(left, right)
    remainder = pc.subtract(left, pc.multiply(quotient, right))
    # Arrow truncates toward zero, Python floors.
    below = pc.and_(pc.not_equal(remainder, 0), pc.xor(pc.less(remainder, 0), pc.less(right, 0)))
    if op == "//":
        return pc.if_else(below, pc.subtract(quotient, 1), quotient)
    return pc.if_else(below, pc.add(remainder, right), remainder)


def _python_integers(op: str, left: pa.Array, right: pa.Array, what: str, *, wide: bool) -> pa.Array:
    end, name = (2**64, "64-bit integers") if wide else (2**63, "int64")
    results: list[int | None] = []
    for row, (a, b) in enumerate(zip(left.to_pylist(), right.to_pylist(), strict=True)):
        if a is None or b is None:
            results.append(None)
            continue
        a, b = int(a), int(b)  # noqa: PLW2901 - a wide integer comes as a Decimal
        too_large = op == "**" and abs(a) > 1 and b > _MAX_BITS
        result = None if too_large else _PYTHON[op](a, b)
        if result is None or not -(2**63) <= result < end:
            hint = "make one side a float, such as 1.0 * x"
            raise EvaluationError(f"{what!r} overflows {name} (with {a} and {b}); {hint}.", row=row)
        results.append(result)
    return pa.array(results, WIDE_INTEGER if wide else pa.int64())


def _floored_floats(op: str, left: pa.Array, right: pa.Array) -> pa.Array:
    function = np.floor_divide if op == "//" else np.remainder
    null = pc.or_(pc.is_null(left), pc.is_null(right))
    # A divisor of zero is only left where the dividend is null.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        result = function(left.to_numpy(zero_copy_only=False), right.to_numpy(zero_copy_only=False))
    return pa.array(result, pa.float64(), mask=null.to_numpy(zero_copy_only=False))
