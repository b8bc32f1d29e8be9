"""An unbound expression against a table's columns: names checked, kinds checked, literals given the column's kind."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from mltable_lite.errors import ColumnNotFoundError, FilterTypeError, listed
from mltable_lite.expr import functions
from mltable_lite.expr.analyse import columns_of
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
from mltable_lite.expr.places import first_of, inside
from mltable_lite.expr.text import to_text
from mltable_lite.types import Field, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Kinds that compare with each other; a kind that is not here compares with itself only.
_FAMILY = {
    **dict.fromkeys(functions.TEXT, "text"),
    **dict.fromkeys(functions.NUMBER, "number"),
    **dict.fromkeys(functions.TEMPORAL, "moment"),
}
_INCOMPARABLE = frozenset({Kind.LIST, Kind.STRUCT, Kind.MAP, Kind.OTHER})
_COLUMN_TYPE = {
    Kind.INTEGER: "int",
    Kind.FLOAT: "float",
    Kind.DECIMAL: "float",
    Kind.STRING: "string",
    Kind.STREAM: "string",
    Kind.BOOLEAN: "boolean",
    Kind.DATE: '{datetime: {formats: "%Y-%m-%d"}}',
    Kind.DATETIME: '{datetime: {formats: "%Y-%m-%d"}}',
}
_TOO_FINE = re.compile(r"[.,]\d{6}\d*[1-9]")


@dataclass(frozen=True, slots=True)
class _Typed:
    """A bound expression and what it holds."""

    expr: Expr
    field: Field

    @property
    def kind(self) -> Kind:
        return self.field.kind

    @property
    def family(self) -> str:
        return _FAMILY.get(self.kind, self.kind.value)

    def __str__(self) -> str:
        return f"{self.kind} {to_text(self.expr)}"


def bind(expr: Expr, fields: Sequence[Field]) -> Expr:
    """Return the expression checked against columns, ready to be evaluated; binding it again changes nothing.

    ``true``, ``false`` and ``null`` are resolved, an ISO text compared with a date or datetime becomes a datetime (a
    zone is brought to UTC), and a number compared with a decimal becomes a decimal.

    Raises:
        ColumnNotFoundError: It names columns that are not among the fields.
        FilterTypeError: Kinds that do not go together, or a result that is not boolean.
    """
    by_name = {field.name: field for field in fields}
    missing = sorted(columns_of(expr) - by_name.keys())
    if missing:
        error = ColumnNotFoundError("filter", missing, list(by_name))
        inside(error, Column(first_of(missing, expr)))
        raise error
    bound = _Binder(by_name).bind(expr)
    if bound.kind is not Kind.BOOLEAN and not (bound.kind is Kind.NULL and isinstance(bound.expr, Column)):
        raise FilterTypeError(
            f"filter: {to_text(bound.expr)!r} is {bound.kind}, not boolean; write a condition, "
            f"such as {to_text(Not(IsNull(bound.expr)))!r} or a comparison."
        )
    return bound.expr


class _Binder:
    def __init__(self, fields: dict[str, Field]) -> None:
        self.fields = fields

    def bind(self, expr: Expr) -> _Typed:
        try:
            return self.bound(expr)
        except (FilterTypeError, ColumnNotFoundError) as error:
            inside(error, expr)
            raise

    def bound(self, expr: Expr) -> _Typed:
        match expr:
            case Column(name):
                return _Typed(expr, self.fields[name])
            case Word(name):
                field = self.fields.get(name)
                return _Typed(Column(name), field) if field else _literal(Word.MEANINGS[name])
            case Literal(value):
                return _literal(value)
            case And() | Or() | Not():
                operands = tuple(self.boolean(child, expr) for child in expr.children)
                return _Typed(expr.with_children(operands), _field(Kind.BOOLEAN))
            case IsNull(operand):
                return _Typed(IsNull(self.bind(operand).expr), _field(Kind.BOOLEAN))
            case Compare():
                return self.compare(expr)
            case In(operand, items):
                sides = [self.bind(operand), *(self.bind(item) for item in items)]
                unified, _ = self.unify(sides, expr, "compares {} with {}")
                return _Typed(In(unified[0], tuple(unified[1:])), _field(Kind.BOOLEAN))
            case Arithmetic():
                return self.arithmetic(expr)
            case Negate(operand):
                typed = self.number(operand, expr)
                return _Typed(Negate(typed.expr), _field(_computed(typed.kind)))
            case IfElse(condition, then, otherwise):
                test = self.boolean(condition, expr)
                branches, field = self.unify(
                    [self.bind(then), self.bind(otherwise)], expr, "chooses between {} and {}", compare=False
                )
                return _Typed(IfElse(test, *branches), field)
            case Call():
                return self.call(expr)
            case FieldAccess(operand, name):
                return self.field_access(self.bind(operand), name)
        raise AssertionError(expr)

    def boolean(self, expr: Expr, whole: Expr) -> Expr:
        typed = self.bind(expr)
        if typed.kind not in (Kind.BOOLEAN, Kind.NULL):
            hint = f"write a comparison, such as {to_text(Not(IsNull(typed.expr)))!r}"
            if isinstance(typed.expr, Column) and typed.family in ("number", "text"):
                example = {"number": Literal(0), "text": Literal("")}[typed.family]
                hint = f"write a comparison, such as {to_text(Compare('!=', typed.expr, example))!r}"
            word = type(whole).__name__.lower() if not isinstance(whole, IfElse) else "if"
            raise _at(
                expr,
                f"filter: {word!r} takes booleans, and {to_text(typed.expr)!r} is {typed.kind}; {hint}.",
            )
        return typed.expr

    def number(self, expr: Expr, whole: Expr) -> _Typed:
        typed = self.bind(expr)
        if typed.kind not in functions.NUMBER | {Kind.NULL}:
            raise _at(
                expr,
                f"filter: {to_text(whole)!r} computes with {typed}, which is no number.{_convert(typed, Kind.FLOAT)}",
            )
        return typed

    def compare(self, expr: Compare) -> _Typed:
        left, right = self.bind(expr.left), self.bind(expr.right)
        for one, other in ((left, right), (right, left)):
            if one.expr == Literal(None):
                if expr.operator == "==":
                    return _Typed(IsNull(other.expr), _field(Kind.BOOLEAN))
                if expr.operator == "!=":
                    return _Typed(Not(IsNull(other.expr)), _field(Kind.BOOLEAN))
                raise FilterTypeError(
                    f"filter: {to_text(expr)!r} is never true, as None has no order; "
                    f"ask {to_text(IsNull(other.expr))!r} or {to_text(Not(IsNull(other.expr)))!r}."
                )
        (first, second), _ = self.unify([left, right], expr, "compares {} with {}")
        return _Typed(Compare(expr.operator, first, second), _field(Kind.BOOLEAN))

    def arithmetic(self, expr: Arithmetic) -> _Typed:
        left, right = self.bind(expr.left), self.bind(expr.right)
        if expr.operator == "+" and {left.family, right.family} <= {"text", Kind.NULL}:
            result = _field(Kind.NULL if left.kind is right.kind is Kind.NULL else Kind.STRING)
            return _Typed(Arithmetic("+", left.expr, right.expr), result)
        if expr.operator == "+" and {left.family, right.family} == {"text", "number"}:
            raise _clash(expr, "adds {} to {}", left, right)
        left, right = self.number(expr.left, expr), self.number(expr.right, expr)
        integer = {left.kind, right.kind} <= {Kind.INTEGER, Kind.NULL} and expr.operator != "/"
        if expr.operator == "**":
            # The sign of the exponent decides the type of the result, so it must be known without data.
            value = right.expr.value if isinstance(right.expr, Literal) else None
            integer = integer and isinstance(value, int) and value >= 0
        result = _field(Kind.INTEGER if integer else Kind.FLOAT)
        return _Typed(Arithmetic(expr.operator, left.expr, right.expr), result)

    def call(self, expr: Call) -> _Typed:
        typed = [self.bind(argument) for argument in expr.arguments]
        if expr.function == "coalesce":
            unified, field = self.unify(typed, expr, "chooses between {} and {}", compare=False)
            return _Typed(Call(expr.function, tuple(unified)), field)
        function = functions.FUNCTIONS[expr.function]
        for position, (argument, accepted) in enumerate(zip(typed, function.parameters, strict=False)):
            if argument.kind not in accepted | {Kind.NULL}:
                wanted = (
                    Kind.STRING
                    if Kind.STRING in accepted
                    else Kind.DATETIME
                    if Kind.DATE in accepted
                    else Kind.FLOAT
                )
                raise _at(
                    expr.arguments[position],
                    f"filter: {expr.function} takes {listed(sorted(accepted - {Kind.STREAM}))}, "
                    f"and {to_text(argument.expr)!r} is {argument.kind}.{_convert(argument, wanted)}",
                )
            if position in function.literal and not isinstance(argument.expr, Literal):
                raise _at(
                    expr.arguments[position],
                    f"filter: the second argument of {expr.function} is a literal, not {to_text(argument.expr)!r}.",
                )
        if expr.function == "matches":
            _check_pattern(expr)
        if (
            expr.function == "round"
            and len(typed) > 1
            and typed[1].expr not in [Literal(n) for n in range(16)]
        ):
            raise FilterTypeError(f"filter: round takes 0 to 15 digits, not {to_text(typed[1].expr)}.")
        result = _field(function.result or _computed(typed[0].kind))
        return _Typed(Call(expr.function, tuple(argument.expr for argument in typed)), result)

    def field_access(self, struct: _Typed, name: str) -> _Typed:
        text = to_text(struct.expr)
        if struct.kind is Kind.NULL:
            return _Typed(FieldAccess(struct.expr, name), _field(Kind.NULL))
        if struct.kind is not Kind.STRUCT:
            dotted = f"{text}.{name}"
            hint = (
                f' The column with a dot in its name is written col("{dotted}").'
                if dotted in self.fields
                else ""
            )
            hint = hint or f" A function is called with brackets: {dotted}()." * (name in functions.NAMES)
            raise FilterTypeError(
                f"filter: {dotted} asks for a field of {text!r}, which is {struct.kind}, no struct.{hint}"
            )
        for field in struct.field.fields:
            if field.name == name:
                return _Typed(FieldAccess(struct.expr, name), field)
        names = [field.name for field in struct.field.fields]
        raise ColumnNotFoundError(f"filter: in the struct {text!r}", [name], names)

    def unify(
        self, sides: list[_Typed], whole: Expr, verb: str, *, compare: bool = True
    ) -> tuple[list[Expr], Field]:
        """Return the sides with literals of their common kind, and what they hold together."""
        kinds = {side.kind for side in sides}
        if kinds & functions.TEMPORAL:
            sides = [_moment(side, whole) for side in sides]
        elif Kind.DECIMAL in kinds:
            sides = [_decimal(side) for side in sides]
        known = [side for side in sides if side.kind is not Kind.NULL]
        for side in known:
            if compare and side.kind in _INCOMPARABLE:
                raise FilterTypeError(
                    f"filter: {to_text(whole)!r} compares {side}, and a {side.kind} does not compare; "
                    "ask for a field, its length, or is None."
                )
            if side.family != known[0].family:
                raise _clash(whole, verb, known[0], side)
        field = known[0].field if known else _field(Kind.NULL)
        kinds = {side.kind for side in known}
        for wider in (Kind.FLOAT, Kind.DECIMAL, Kind.DATETIME, Kind.STRING):
            if wider in kinds and len(kinds) > 1:
                field = replace(_field(wider), zoned=any(side.field.zoned for side in known))
                break
        return [side.expr for side in sides], field


# --------------------------------------------------------------------------- literals
def _field(kind: Kind) -> Field:
    return Field("", kind)


def _literal(value: Value) -> _Typed:
    kinds: tuple[tuple[type, Kind], ...] = (
        (bool, Kind.BOOLEAN),
        (int, Kind.INTEGER),
        (float, Kind.FLOAT),
        (Decimal, Kind.DECIMAL),
        (str, Kind.STRING),
        (datetime, Kind.DATETIME),
    )
    return _Typed(
        Literal(value), _field(next((kind for t, kind in kinds if isinstance(value, t)), Kind.NULL))
    )


def _computed(kind: Kind) -> Kind:
    """Return the kind of a number computed from one of another kind: decimals are computed as floats."""
    return Kind.FLOAT if kind is Kind.DECIMAL else kind


def _decimal(side: _Typed) -> _Typed:
    # 0.1 against a decimal column means one tenth, not the float nearest to it.
    if isinstance(side.expr, Literal) and isinstance(side.expr.value, float):
        return _literal(Decimal(repr(side.expr.value)))
    return side


def _moment(side: _Typed, whole: Expr) -> _Typed:
    text = side.expr.value if isinstance(side.expr, Literal) else None
    if not isinstance(text, str):
        return side
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise FilterTypeError(
            f"filter: {to_text(whole)!r} compares a datetime with {to_text(side.expr)}, which is no ISO date; "
            "write '2024-01-31', '2024-01-31T12:30:00' or datetime(2024, 1, 31)."
        ) from None
    if _TOO_FINE.search(text):
        raise FilterTypeError(
            f"filter: {to_text(side.expr)} is finer than microseconds, the limit of a literal."
        )
    return _literal(moment)


_OTHER_DIALECT = re.compile(r"(?<!\\)(?:\\\\)*(\(\?(?:[=!>(#]|<[=!]|P=)|\\[1-9]|[*+?}]\+)")


def _check_pattern(expr: Call) -> None:
    pattern = expr.arguments[1]
    text = pattern.value if isinstance(pattern, Literal) else None
    if not isinstance(text, str):
        return
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise FilterTypeError(f"filter: {to_text(pattern)} is no regular expression: {error}.") from None
    found = _OTHER_DIALECT.search(text)
    if found:
        raise FilterTypeError(
            f"filter: {found[1]!r} in {to_text(pattern)} is not supported; look-around, back references and possessive "
            "repeats are not part of the RE2 syntax."
        )


# --------------------------------------------------------------------------- texts
def _at(expr: Expr, message: str) -> FilterTypeError:
    error = FilterTypeError(message)
    inside(error, expr)
    return error


def _clash(whole: Expr, verb: str, one: _Typed, other: _Typed) -> FilterTypeError:
    literal, rest = (one, other) if isinstance(one.expr, Literal) else (other, one)
    return FilterTypeError(f"filter: {to_text(whole)!r} {verb.format(one, other)}.{_advice(literal, rest)}")


def _advice(one: _Typed, other: _Typed) -> str:
    value = one.expr.value if isinstance(one.expr, Literal) else None
    if isinstance(value, str) and other.family == "number" and re.fullmatch(r"[-+]?\d+(\.\d+)?", value):
        return f" Write the number without quotes: {value}."
    if isinstance(value, str) and other.kind is Kind.BOOLEAN and value.lower() in ("true", "false"):
        return f" Write {value.title()} without quotes."
    if other.kind is Kind.BOOLEAN and value in (0, 1):
        return f" Write {bool(value)}."
    if value is not None and not isinstance(value, (bool, datetime)) and other.family == "text":
        return f" Write the text in quotes: '{value}'.{_convert(other, one.kind)}"
    if isinstance(value, (int, float, Decimal)) and other.family == "moment":
        return " Write a date: '2024-01-31', or datetime(2024, 1, 31, 12, 30)."
    return _convert(other, one.kind) or _convert(one, other.kind)


def _convert(side: _Typed, kind: Kind) -> str:
    column = next((node for node in side.expr.walk() if isinstance(node, Column)), None)
    if column is None or kind not in _COLUMN_TYPE:
        return ""
    step = f"convert_column_types: [{{columns: {column.name}, column_type: {_COLUMN_TYPE[kind]}}}]"
    return f" To convert the column, put before the filter: {step}"
