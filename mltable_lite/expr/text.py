"""Expressions back to text of the filter language, with as few parentheses as possible."""

from __future__ import annotations

from datetime import datetime

from mltable_lite.expr.lex import is_bare_name
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
    Word,
)

# How tightly each form binds, as in Python.
_TERNARY, _OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _UNARY, _POWER, _ATOM = range(10)
_BINDING = {"+": _ADD, "-": _ADD, "*": _MULTIPLY, "/": _MULTIPLY, "//": _MULTIPLY, "%": _MULTIPLY}


def to_text(expr: Expr) -> str:
    """Return the expression in the filter language; `parse` reads it back as an equal expression.

    Literals that binding made print in the nearest form that binds to them again: a Decimal as a number.

    Example:
        >>> from mltable_lite.expr import parse, to_text
        >>> to_text(parse("not(a == 1) and (b is  not None)"))
        'not a == 1 and b is not None'
    """
    return _render(expr)[0]


def _within(expr: Expr, least: int) -> str:
    text, binding = _render(expr)
    return text if binding >= least else f"({text})"


def _render(expr: Expr) -> tuple[str, int]:
    match expr:
        case Column(name):
            return (name if is_bare_name(name) else f"col({quote(name)})"), _ATOM
        case Word(name):
            return name, _ATOM
        case Literal(value):
            return literal_text(value)
        case And(operands):
            return " and ".join(_within(operand, _NOT) for operand in operands), _AND
        case Or(operands):
            return " or ".join(_within(operand, _AND) for operand in operands), _OR
        case Not(IsNull(operand)):
            return f"{_within(operand, _ADD)} is not None", _COMPARE
        case Not(In(operand, items)):
            return f"{_within(operand, _ADD)} not in [{_listed(items)}]", _COMPARE
        case Not(operand):
            return f"not {_within(operand, _NOT)}", _NOT
        case IsNull(operand):
            return f"{_within(operand, _ADD)} is None", _COMPARE
        case In(operand, items):
            return f"{_within(operand, _ADD)} in [{_listed(items)}]", _COMPARE
        case Compare(operator, left, right):
            return f"{_within(left, _ADD)} {operator} {_within(right, _ADD)}", _COMPARE
        case Arithmetic("**", left, right):
            return f"{_within(left, _ATOM)} ** {_within(right, _UNARY)}", _POWER
        case Arithmetic(operator, left, right):
            binding = _BINDING[operator]
            return f"{_within(left, binding)} {operator} {_within(right, binding + 1)}", binding
        case Negate(operand):
            return f"-{_within(operand, _UNARY)}", _UNARY
        case IfElse(condition, then, otherwise):
            parts = _within(then, _OR), _within(condition, _OR), _within(otherwise, _TERNARY)
            return "{} if {} else {}".format(*parts), _TERNARY
        case Call(function, arguments):
            return f"{function}({_listed(arguments)})", _ATOM
        case FieldAccess(operand, name):
            base = f"({to_text(operand)})" if isinstance(operand, Literal) else _within(operand, _ATOM)
            return (f"{base}.{name}" if is_bare_name(name) else f"{base}[{quote(name)}]"), _ATOM
    raise AssertionError(expr)


def _listed(items: tuple[Expr, ...]) -> str:
    return ", ".join(to_text(item) for item in items)


def literal_text(value: Value) -> tuple[str, int]:
    """Return a constant's text, and how tightly it binds: a negative number like a unary minus."""
    if isinstance(value, str):
        return quote(value), _ATOM
    if isinstance(value, datetime):
        parts = [
            value.year,
            value.month,
            value.day,
            value.hour,
            value.minute,
            value.second,
            value.microsecond,
        ]
        while len(parts) > 3 and not parts[-1]:  # noqa: PLR2004 - year, month and day always stay
            parts.pop()
        return f"datetime({', '.join(map(str, parts))})", _ATOM
    text = str(value)
    return text, _UNARY if text.startswith("-") else _ATOM


def quote(text: str) -> str:
    """Return a text as a literal in double quotes, or in single ones where that saves escapes."""
    plain = repr(text)
    return f'"{plain[1:-1]}"' if plain[0] == "'" and '"' not in plain and "\\'" not in plain else plain
