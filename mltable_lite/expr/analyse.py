"""What can be known of an expression without data, and the same expression made simpler."""

from __future__ import annotations

import math
import operator
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mltable_lite.expr.nodes import (
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
    Value,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TRUE, FALSE, NULL = Literal(True), Literal(False), Literal(None)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_MAX_FOLDED_BITS = 63


def columns_of(expr: Expr) -> frozenset[str]:
    """Return the names of the columns that the expression reads."""
    return frozenset(node.name for node in expr.walk() if isinstance(node, Column))


def conjuncts(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions that must all be true, in order: ``a and (b and c)`` -> ``a, b, c``."""
    if isinstance(expr, And):
        return tuple(part for operand in expr.operands for part in conjuncts(operand))
    return (expr,)


def conjoin(exprs: Iterable[Expr]) -> Expr:
    """Return the expression that is true when all are; the inverse of `conjuncts`. Of none: ``True``."""
    parts = tuple(part for expr in exprs for part in conjuncts(expr))
    if not parts:
        return TRUE
    return parts[0] if len(parts) == 1 else And(parts)


def can_fail(expr: Expr) -> bool:
    """Tell whether evaluating may raise on some row: a division by zero, or an integer that overflows.

    An expression that can fail must not be evaluated on rows that an earlier one has ruled out.
    """
    return any(_node_can_fail(node) for node in expr.walk())


def _node_can_fail(expr: Expr) -> bool:
    if isinstance(expr, Arithmetic):
        if expr.operator in ("/", "//", "%") and isinstance(expr.right, Literal):
            # Minus one overflows on the smallest integer.
            return expr.right.value in (0, -1)
        return True
    return isinstance(expr, Negate) or (isinstance(expr, Call) and expr.function == "abs")


# --------------------------------------------------------------------------- folding
def fold(expr: Expr) -> Expr:
    """Return an equivalent expression in which what is constant is computed; itself when nothing is.

    Three-valued logic and errors stay as they are: ``x and None`` stays, and so does ``1 / 0``.

    Example:
        >>> from mltable_lite.expr import fold, parse, to_text
        >>> to_text(fold(parse("a > 2 * 30 and not False")))
        'a > 60'
    """
    children = tuple(fold(child) for child in expr.children)
    if isinstance(expr, In):
        # Only a written None asks whether the value is null; an item that is computed to null does not.
        kept = [old if new == NULL else new for old, new in zip(expr.items, children[1:], strict=True)]
        children = (children[0], *kept)
    if any(new is not old for new, old in zip(children, expr.children, strict=True)):
        expr = expr.with_children(children)
    match expr:
        case And(operands):
            return _fold_logic(expr, operands, And, FALSE, TRUE)
        case Or(operands):
            return _fold_logic(expr, operands, Or, TRUE, FALSE)
        case Not(Literal(bool(value))):
            return Literal(not value)
        case Not(Literal(None)):
            return NULL
        case IsNull(Literal(value)):
            return Literal(value is None)
        case Compare(op, Literal(left), Literal(right)):
            return _fold_compare(expr, op, left, right)
        case In(_, ()) if not can_fail(expr):
            return FALSE
        case In(Literal(value), items) if all(isinstance(item, Literal) for item in items):
            return _fold_in(expr, value, [item.value for item in items if isinstance(item, Literal)])
        case IfElse(Literal(bool() | None as value), then, otherwise):
            return then if value else otherwise
        case Arithmetic() | Negate() | FieldAccess() if NULL in expr.children and not any(
            map(can_fail, children)
        ):
            return NULL
        case Arithmetic(op, Literal(left), Literal(right)):
            return _fold_arithmetic(expr, op, left, right)
        case Negate(Literal(int() | float() | Decimal() as value)) if not isinstance(value, bool):
            return Literal(-value)
        case Call(function, arguments) if all(isinstance(argument, Literal) for argument in arguments):
            return _fold_call(expr, function, [a.value for a in arguments if isinstance(a, Literal)])
    return expr


def _fold_logic(
    expr: Expr, operands: tuple[Expr, ...], make: type[And | Or], deciding: Literal, neutral: Literal
) -> Expr:
    kept: list[Expr] = []
    for operand in operands:
        if operand == neutral:
            continue
        if operand == deciding:
            # What stands before it may still fail; what stands after it is never evaluated.
            kept = [*(k for k in kept if can_fail(k)), deciding]
            break
        kept.append(operand)
    if len(kept) == len(operands):
        return expr
    if len(kept) > 1:
        return make(tuple(kept))
    return kept[0] if kept else neutral


def _comparable(left: Value, right: Value) -> bool:
    """Tell whether Python compares two constants exactly as the engine does."""
    families = {_family(left), _family(right)}
    # The engine compares a decimal with a float as two floats.
    return families in ({"integer", "float"}, {"integer", "decimal"}) or (
        len(families) == 1 and None not in (left, right)
    )


def _family(value: Value) -> str:
    names = {bool: "boolean", int: "integer", float: "float", Decimal: "decimal"}
    return names.get(type(value), "time" if isinstance(value, datetime) else type(value).__name__)


def _fold_compare(expr: Expr, op: str, left: Value, right: Value) -> Expr:
    return Literal(COMPARE[op](left, right)) if _comparable(left, right) else expr


def _fold_in(expr: Expr, value: Value, items: list[Value]) -> Expr:
    if value is None:
        return TRUE if None in items else NULL
    known = [item for item in items if item is not None]
    if not all(_comparable(value, item) for item in known):
        return expr
    return Literal(value in known)


def _fold_arithmetic(expr: Expr, op: str, left: Value, right: Value) -> Expr:
    if isinstance(left, str) and isinstance(right, str) and op == "+":
        return Literal(left + right)
    if not all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in (left, right)):
        return expr
    result = _number(op, left, right)
    return expr if result is None else Literal(result)


def _number(op: str, left: Any, right: Any) -> int | float | None:
    """Return the result of an operation on two numbers; `None` when it fails or is too large to be folded."""
    if op == "**" and isinstance(left, int) and isinstance(right, int) and right >= 0:
        # An upper bound, known before anything is computed.
        if left.bit_length() * right > 2 * _MAX_FOLDED_BITS:
            return None
    elif op in ("/", "**"):
        left, right = float(left), float(right)
    try:
        result = _OPERATIONS[op](left, right)
    except (ArithmeticError, ValueError):
        return None
    if isinstance(result, int):
        return result if result.bit_length() <= _MAX_FOLDED_BITS else None
    return result if isinstance(result, float) and math.isfinite(result) else None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}


def _fold_call(expr: Expr, function: str, values: list[Value]) -> Expr:
    if function == "coalesce":
        return Literal(next((value for value in values if value is not None), None))
    if None in values:
        return NULL
    match function, values:
        case "startswith", [str(text), str(part)]:
            return Literal(text.startswith(part))
        case "endswith", [str(text), str(part)]:
            return Literal(text.endswith(part))
        case "contains", [str(text), str(part)]:
            return Literal(part in text)
        case "length", [str(text)]:
            return Literal(len(text))
        # Beyond ASCII the engine's tables may differ from Python's.
        case "lower" | "upper" | "strip", [str(text)] if text.isascii() and text.isprintable():
            return Literal(getattr(text, function)())
        case "year" | "month" | "day" | "hour", [datetime() as moment]:
            return Literal(getattr(moment, function))
        case "abs", [int() | float() as number] if not isinstance(number, bool):
            return Literal(abs(number))
    return expr
