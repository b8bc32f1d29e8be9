"""A bound expression on a record batch: the only place that translates the filter language to Arrow.

Evaluation is eager and vectorised. What can fail on a row is only evaluated on the rows that need it: the right side of
``b != 0 and a / b > 1`` never sees a zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import EvaluationError
from mltable_lite.execute.arithmetic import (
    WIDE_INTEGER,
    absolute,
    arithmetic,
    as_float,
    is_integer,
    negate,
    rounded,
)
from mltable_lite.execute.compare import (
    FLIPPED,
    TICKS_PER_SECOND,
    compare_arrays,
    compare_literal,
    compares_as_floats,
    contained,
)
from mltable_lite.expr import (
    And,
    Arithmetic,
    Call,
    Column,
    Compare,
    Expr,
    FieldAccess,
    IfElse,
    In,
    IsNull,
    Literal,
    Negate,
    Not,
    Or,
    can_fail,
    columns_of,
    to_text,
)

_is = pa.types
_TEXT_TESTS = {"startswith": pc.starts_with, "endswith": pc.ends_with, "contains": pc.match_substring}
_PYTHON_TESTS = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}
_TEXT_CHANGES = {"lower": pc.utf8_lower, "upper": pc.utf8_upper, "strip": pc.utf8_trim_whitespace}
_TIME_PARTS = {"year": pc.year, "month": pc.month, "day": pc.day, "hour": pc.hour}
#: 30,000 years: Arrow reckons with somewhat more.
_ARROW_SECONDS = 30_000 * 365 * 86_400


def mask(expr: Expr, batch: pa.RecordBatch) -> pa.BooleanArray:
    """Return which rows pass: true where the bound expression is true, false where it is false or null.

    Raises:
        EvaluationError: A division by zero or an integer overflow on a row that had to be evaluated.
    """
    result = _boolean(evaluate(expr, batch))
    return result.fill_null(False) if result.null_count else result


def evaluate(expr: Expr, batch: pa.RecordBatch) -> pa.Array:
    """Return the value of a bound expression on every row; three-valued logic, nulls for null.

    Raises:
        EvaluationError: A division by zero or an integer overflow on a row that had to be evaluated.
    """
    match expr:
        case Column(name):
            return _plain(batch.column(name))
        case Literal(value):
            return _repeated(value, batch.num_rows)
        case And(operands):
            return _logic(operands, batch, stop=False)
        case Or(operands):
            return _logic(operands, batch, stop=True)
        case Not(operand):
            return pc.invert(_boolean(evaluate(operand, batch)))
        case IsNull(operand):
            return pc.is_null(evaluate(operand, batch))
        case Compare():
            return _compare(expr, batch)
        case In(operand, items):
            return _in(evaluate(operand, batch), items, batch)
        case Arithmetic():
            return _arithmetic(expr, batch)
        case Negate(operand):
            array = evaluate(operand, batch)
            return array if _is.is_null(array.type) else negate(array, to_text(expr))
        case IfElse():
            return _if_else(expr, batch)
        case Call():
            return _call(expr, batch)
        case FieldAccess(operand, name):
            array = evaluate(operand, batch)
            return array if _is.is_null(array.type) else _plain(pc.struct_field(array, name))
    raise AssertionError(expr)


# --------------------------------------------------------------------------- values
def _plain(array: pa.Array) -> pa.Array:
    """Return the array in a type that Arrow's kernels know: no encodings, no views, instants as naive UTC."""
    arrow = array.type
    if isinstance(arrow, pa.BaseExtensionType):
        return _plain(array.storage)
    if _is.is_dictionary(arrow):
        return _plain(array.dictionary_decode())
    if _is.is_run_end_encoded(arrow):
        return _plain(pc.run_end_decode(array))
    if _is.is_string_view(arrow):
        return array.cast(pa.large_string())
    if _is.is_binary_view(arrow):
        return array.cast(pa.large_binary())
    if _is.is_float16(arrow):
        return array.cast(pa.float32())
    if _is.is_date64(arrow):
        return array.cast(pa.timestamp("ms"))
    if _is.is_timestamp(arrow) and arrow.tz is not None:
        return array.view(pa.timestamp(arrow.unit))
    return array


def _repeated(value: Any, rows: int) -> pa.Array:
    try:
        scalar = pa.scalar(value)
    except (OverflowError, pa.ArrowInvalid):
        # An integer beyond int64: uint64 holds it, or computing with it needs floats.
        scalar = pa.scalar(value, pa.uint64()) if 0 <= value < 2**64 else pa.scalar(float(value))
    return pa.repeat(scalar, rows)


def _boolean(array: pa.Array) -> pa.Array:
    return array.cast(pa.bool_()) if _is.is_null(array.type) else array


# --------------------------------------------------------------------------- logic
def _logic(operands: tuple[Expr, ...], batch: pa.RecordBatch, *, stop: bool) -> pa.Array:
    """Return ``and`` (stops at false) or ``or`` (stops at true) of the operands, left to right."""
    combine = pc.or_kleene if stop else pc.and_kleene
    result = _boolean(evaluate(operands[0], batch))
    for operand in operands[1:]:
        if can_fail(operand):
            decided = pc.equal(result, pa.scalar(stop)).fill_null(False)
            part = _on_rows(operand, batch, pc.invert(decided))
        else:
            part = evaluate(operand, batch)
        result = combine(result, _boolean(part))
    return result


def _if_else(expr: IfElse, batch: pa.RecordBatch) -> pa.Array:
    chosen = mask(expr.condition, batch)
    then, otherwise = (
        _on_rows(branch, batch, rows) if can_fail(branch) else evaluate(branch, batch)
        for branch, rows in ((expr.then, chosen), (expr.otherwise, pc.invert(chosen)))
    )
    return pc.if_else(chosen, *_same_type([then, otherwise], to_text(expr)))


def _on_rows(expr: Expr, batch: pa.RecordBatch, rows: pa.Array) -> pa.Array:
    """Return the expression's value on the rows where the mask is true, and null on the others."""
    if rows.true_count == len(rows):
        return evaluate(expr, batch)
    needed = batch.select([name for name in batch.schema.names if name in columns_of(expr)])
    numbers = pc.indices_nonzero(rows)
    try:
        # A batch without columns has no rows to select from: what reads no column is evaluated as it is.
        part = evaluate(expr, needed.take(numbers) if needed.num_columns else batch.slice(0, len(numbers)))
    except EvaluationError as error:
        if error.row is not None:
            error.row = numbers[error.row].as_py()
        raise
    position = pc.subtract(pc.cumulative_sum(rows.cast(pa.int64())), 1)
    return part.take(pc.if_else(rows, position, pa.scalar(None, pa.int64())))


def _same_type(arrays: list[pa.Array], what: str) -> list[pa.Array]:
    """Return arrays of one family in one type that holds the values of all."""
    types = [array.type for array in arrays if not _is.is_null(array.type)]
    if len(set(types)) <= 1:
        return [array.cast(types[0]) for array in arrays] if types else arrays
    if any(_is.is_floating(t) for t in types):
        return [as_float(array) for array in arrays]
    if all(is_integer(t) for t in types):
        wider: pa.DataType = pa.int64() if {pa.uint64(), WIDE_INTEGER}.isdisjoint(types) else WIDE_INTEGER
    elif any(_is.is_decimal(t) for t in types):
        scale = max(t.scale if _is.is_decimal(t) else 0 for t in types)
        wider = pa.decimal256(76, scale)
    elif any(_is.is_temporal(t) for t in types):
        units = [t.unit for t in types if _is.is_timestamp(t)]
        wider = pa.timestamp(next((unit for unit in ("ns", "us", "ms") if unit in units), "s"))
    else:
        wider = pa.large_string()
    try:
        return [array.cast(wider) for array in arrays]
    except pa.ArrowInvalid as error:
        raise EvaluationError(
            f"{what!r} mixes values that no type holds together: {types[0]} and {types[1]}."
        ) from error


# --------------------------------------------------------------------------- comparisons
def _compare(expr: Compare, batch: pa.RecordBatch) -> pa.Array:
    operator, left, right = expr.operator, expr.left, expr.right
    if isinstance(left, Literal):
        operator, left, right = FLIPPED[operator], right, left
    array = evaluate(left, batch)
    if isinstance(right, Literal):
        if _is.is_null(array.type) or right.value is None:
            return pa.nulls(len(array), pa.bool_())
        return compare_literal(operator, array, right.value)
    return _compare_values(operator, array, evaluate(right, batch))


def _compare_values(operator: Any, left: pa.Array, right: pa.Array) -> pa.Array:
    if _is.is_null(left.type) or _is.is_null(right.type):
        return pa.nulls(len(left), pa.bool_())
    return compare_arrays(operator, left, right)


def _in(array: pa.Array, items: tuple[Expr, ...], batch: pa.RecordBatch) -> pa.Array:
    if not items:
        return pa.repeat(pa.scalar(False), len(array))
    literals = [item.value for item in items if isinstance(item, Literal) and item.value is not None]
    as_floats = [value for value in literals if compares_as_floats(array, value)]
    literals = [value for value in literals if value not in as_floats]
    result = pa.nulls(len(array), pa.bool_()) if _is.is_null(array.type) else contained(array, literals)
    for item in items:
        if not isinstance(item, Literal):
            result = pc.or_kleene(result, _compare_values("==", array, evaluate(item, batch)))
    for value in as_floats:
        result = pc.or_kleene(result, compare_literal("==", array, value))
    return pc.or_kleene(result, pc.is_null(array)) if Literal(None) in items else result


# --------------------------------------------------------------------------- numbers and functions
def _arithmetic(expr: Arithmetic, batch: pa.RecordBatch) -> pa.Array:
    left, right = evaluate(expr.left, batch), evaluate(expr.right, batch)
    if _is.is_null(left.type) or _is.is_null(right.type):
        return pa.nulls(batch.num_rows)
    if expr.operator == "+" and not _is.is_primitive(left.type) and not _is.is_decimal(left.type):
        left, right = _same_type([left, right], to_text(expr))
        return pc.binary_join_element_wise(left, right, pa.scalar("", left.type))
    integer = expr.operator != "/" and is_integer(left.type) and is_integer(right.type)
    if expr.operator == "**":
        exponent = expr.right.value if isinstance(expr.right, Literal) else None
        integer = integer and isinstance(exponent, int) and exponent >= 0
    return arithmetic(expr.operator, left, right, to_text(expr), integer=integer)


def _call(expr: Call, batch: pa.RecordBatch) -> pa.Array:
    name = expr.function
    arrays = [evaluate(argument, batch) for argument in expr.arguments]
    if name == "coalesce":
        return pc.coalesce(*_same_type(arrays, to_text(expr)))
    if any(_is.is_null(array.type) for array in arrays):
        return pa.nulls(batch.num_rows)
    first = arrays[0]
    if name in _TEXT_TESTS:
        pattern = expr.arguments[1]
        if isinstance(pattern, Literal):
            return _TEXT_TESTS[name](first, pattern.value)
        pairs = zip(first.to_pylist(), arrays[1].to_pylist(), strict=True)
        test = _PYTHON_TESTS[name]
        return pa.array([None if a is None or b is None else test(a, b) for a, b in pairs], pa.bool_())
    if name in _TEXT_CHANGES:
        return _TEXT_CHANGES[name](first)
    if name in _TIME_PARTS:
        return _time_part(name, first)
    if name == "matches":
        return _matches(expr, first)
    if name == "length":
        return _length(first)
    if name == "abs":
        return absolute(first, to_text(expr))
    assert name == "round"
    digits = expr.arguments[1] if len(expr.arguments) > 1 else Literal(0)
    assert isinstance(digits, Literal)
    assert isinstance(digits.value, int)
    return rounded(first, digits.value)


def _time_part(name: str, array: pa.Array) -> pa.Array:
    """Return a part of dates or datetimes. Arrow's years have 16 bits and wrap around; NumPy's do not."""
    if _is.is_date32(array.type):
        array = array.cast(pa.timestamp("s"))
    ends = pc.min_max(array.view(pa.int64())).as_py()
    most = _ARROW_SECONDS * TICKS_PER_SECOND[array.type.unit]
    if ends["min"] is None or (-most < ends["min"] and ends["max"] < most):
        return _TIME_PARTS[name](array)
    # As whole numbers: NumPy takes the first tick of all for no time, and wraps around beside it.
    hours = array.view(pa.int64()).fill_null(0).to_numpy() // (3600 * TICKS_PER_SECOND[array.type.unit])
    days = (hours // 24).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    parts = {
        "year": months.astype(np.int64) // 12 + 1970,
        "month": months.astype(np.int64) % 12 + 1,
        "day": (days - months).astype(np.int64) + 1,
        "hour": hours % 24,
    }
    return pa.array(parts[name], pa.int64(), mask=np.asarray(array.is_null()))


def _matches(expr: Call, array: pa.Array) -> pa.Array:
    pattern = expr.arguments[1]
    assert isinstance(pattern, Literal)
    try:
        return pc.match_substring_regex(array, pattern.value)
    except pa.ArrowInvalid as error:
        raise EvaluationError(f"{to_text(expr)!r}: no RE2 regular expression: {error}") from error


def _length(array: pa.Array) -> pa.Array:
    if _is.is_string(array.type) or _is.is_large_string(array.type):
        return pc.utf8_length(array)
    if array.type.num_fields:
        return pc.list_value_length(array)
    return pc.binary_length(array)
