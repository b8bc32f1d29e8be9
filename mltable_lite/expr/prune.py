"""Statistics against a bound expression: can any row of a partition pass at all?

Every sub-expression is given the set of results that rows may have, computed from bounds. The set may be too large,
never too small: so "no" is a proof and "yes" a maybe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mltable_lite.expr.analyse import COMPARE, fold
from mltable_lite.expr.nodes import (
    And,
    Call,
    Column,
    Compare,
    Expr,
    IfElse,
    In,
    IsNull,
    Literal,
    Not,
    Or,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


_NULL = Literal(None)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What statistics tell of a column in one partition.

    Attributes:
        min: No value is less, NaN aside; not necessarily a value itself (long texts are cut). `None`: unknown.
        max: No value is greater, NaN aside. `None`: unknown.
        nulls: How many are null; `None`: unknown.
        rows: How many rows the partition has; `None`: unknown.
        constant: Every row that is not null holds exactly `min`; there is no NaN then.

    Bounds of a float column must be floats: that is how NaN is reckoned with. Those of a datetime column are naive UTC
    or aware, rounded outwards where the column is finer than microseconds.
    """

    min: Any = None
    max: Any = None
    nulls: int | None = None
    rows: int | None = None
    constant: bool = False

    @classmethod
    def of(cls, value: Any, rows: int | None = None) -> Bounds:
        """Return the bounds of a column that holds this value, or null, in every row."""
        if value is None:
            return cls(nulls=rows, rows=rows, constant=True)
        return cls(value, value, 0, rows, constant=True)


def can_match(expr: Expr, bounds: Mapping[str, Bounds]) -> bool:
    """Tell whether a row may pass the bound expression; `False` only if the bounds prove that none does.

    A column without bounds is unknown. Bounds of an unexpected type are unknown too; nothing is raised.
    """
    if any(known.rows == 0 for known in bounds.values()):
        return False
    if any(
        known.constant or (known.nulls is not None and known.nulls == known.rows) for known in bounds.values()
    ):
        expr = fold(_with_constants(expr, bounds))
    return True in _truth(expr, bounds)


def _with_constants(expr: Expr, bounds: Mapping[str, Bounds]) -> Expr:
    """Return the expression with constant columns replaced by their value: folding then computes with them."""
    if isinstance(expr, Column):
        known = bounds.get(expr.name)
        if known is None:
            return expr
        if (known.constant and known.min is None) or (known.nulls is not None and known.nulls == known.rows):
            return Literal(None)
        if not known.constant:
            return expr
        value = _plain(known.min)
        if (
            known.nulls == 0
            and isinstance(value, (bool, int, float, Decimal, str, datetime))
            and _usable(value)
        ):
            return Literal(value)
        return expr
    children = [_with_constants(child, bounds) for child in expr.children]
    if isinstance(expr, In):
        # Only a written None asks whether the value is null; an item that happens to be null does not.
        children[1:] = [
            old if new == _NULL else new for old, new in zip(expr.items, children[1:], strict=True)
        ]
    return expr.with_children(tuple(children))


# --------------------------------------------------------------------------- truth
_Truth = frozenset[bool | None]
_ANY: _Truth = frozenset({True, False, None})


def _truth(expr: Expr, bounds: Mapping[str, Bounds]) -> _Truth:
    """Return the results that rows may have: of true, false and null."""
    match expr:
        case Literal(bool() | None as value):
            return frozenset({value})
        case And(operands):
            return _all([_truth(operand, bounds) for operand in operands])
        case Or(operands):
            return _negated(_all([_negated(_truth(operand, bounds)) for operand in operands]))
        case Not(operand):
            return _negated(_truth(operand, bounds))
        case IsNull(operand):
            values = _range(operand, bounds)
            return frozenset({True} & {values.null} | ({False} if values.some else set()))
        case Compare(operator, left, right):
            return _compared(operator, _range(left, bounds), _range(right, bounds))
        case In(operand, items):
            if not items:
                return frozenset({False})
            others = [_range(item, bounds) for item in items if item != _NULL]
            return _contained(_range(operand, bounds), others, asks_null=_NULL in items)
        case IfElse(condition, then, otherwise):
            test = _truth(condition, bounds)
            chosen = _truth(then, bounds) if True in test else frozenset()
            return chosen | (_truth(otherwise, bounds) if test & {False, None} else frozenset())
        case Call("startswith", (operand, Literal(str(prefix)))):
            return _prefixed(_range(operand, bounds), prefix)
        case Column():
            values = _range(expr, bounds)
            return (
                _compared("==", values, _Range(True, True))
                if values.kind == "boolean" or not values.some
                else _ANY
            )
    return _ANY


def _negated(truth: _Truth) -> _Truth:
    return frozenset(None if value is None else not value for value in truth)


def _all(truths: list[_Truth]) -> _Truth:
    result: set[bool | None] = set()
    if all(True in truth for truth in truths):
        result.add(True)
    if any(False in truth for truth in truths):
        result.add(False)
    # Null needs an operand that is null while no other is false on all rows.
    if any(None in truth for truth in truths) and all(truth != {False} for truth in truths):
        result.add(None)
    return frozenset(result)


# --------------------------------------------------------------------------- ranges of values
@dataclass(frozen=True, slots=True)
class _Range:
    """Values that rows may have.

    Attributes:
        min: No value is less; `None`: unknown.
        max: No value is greater; `None`: unknown.
        null: Whether a row may be null.
        some: Whether a row may be other than null.
        nan: Whether a row may be NaN.
    """

    min: Any = None
    max: Any = None
    null: bool = False
    some: bool = True
    nan: bool = False

    @property
    def kind(self) -> str | None:
        """The family of both ends, as far as known; `None` when nothing is, or they differ."""
        kinds = {_family(end) for end in (self.min, self.max) if end is not None}
        return kinds.pop() if len(kinds) == 1 else None


_UNKNOWN = _Range(null=True, nan=True)


def _range(expr: Expr, bounds: Mapping[str, Bounds]) -> _Range:
    match expr:
        case Literal(None):
            return _Range(null=True, some=False)
        case Literal(value):
            return _Range(value, value)
        case Column(name) if name in bounds:
            return _of_bounds(bounds[name])
        case Call("year", (operand,)):
            values = _range(operand, bounds)
            if values.kind == "datetime":
                least, greatest = (end and end.year for end in (values.min, values.max))
                return _Range(least, greatest, null=values.null, some=values.some)
        case IfElse(condition, then, otherwise):
            test = _truth(condition, bounds)
            if True not in test or test == {True}:  # else it may be either
                return _range(then if test == {True} else otherwise, bounds)
        case IsNull() | And() | Or() | Not() | Compare() | In():
            truth = _truth(expr, bounds)
            values_seen = [value for value in (False, True) if value in truth]
            if values_seen:
                return _Range(values_seen[0], values_seen[-1], null=None in truth)
            return _Range(null=True, some=False)
    return _UNKNOWN


def _of_bounds(known: Bounds) -> _Range:
    all_null = known.nulls is not None and known.nulls == known.rows
    least, greatest = _plain(known.min), _plain(known.max)
    ends = [end for end in (least, greatest) if end is not None]
    comparable = len({_family(end) for end in ends}) <= 1 and all(_usable(end) for end in ends)
    if not comparable or (len(ends) == 2 and not _holds("<=", least, greatest)):  # noqa: PLR2004 - both ends
        least = greatest = None
    nan = not known.constant and not all(
        isinstance(end, (int, Decimal, str, bytes, date)) for end in (least, greatest)
    )
    return _Range(least, greatest, null=known.nulls != 0, some=not all_null, nan=nan)


def _plain(value: Any) -> Any:
    """Return a bound in the form in which literals come: moments as naive UTC datetimes."""
    try:
        if isinstance(value, datetime):
            return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - naive means UTC here
    except (ValueError, OverflowError):
        return None
    return value


_FAMILIES = {
    bool: "boolean",
    int: "integer",
    float: "float",
    Decimal: "decimal",
    str: "text",
    bytes: "bytes",
    datetime: "datetime",
}


def _family(value: Any) -> str:
    """Return the family within which Python compares values exactly as the engine does; empty for none."""
    if type(value) in _FAMILIES:
        return _FAMILIES[type(value)]
    return next((name for kind, name in _FAMILIES.items() if isinstance(value, kind)), "")


def _usable(value: Any) -> bool:
    """Tell whether a bound has an order: NaN, NaT and foreign objects have none."""
    try:
        return bool(_family(value)) and bool(value <= value)  # noqa: PLR0124 - only false for what has no order
    except (TypeError, ValueError, ArithmeticError):
        return False


# A decimal against a float is compared as floats by the engine, which exact comparison would get wrong.
_MIXED = ({"integer", "float"}, {"integer", "decimal"})


def _holds(operator: str, left: Any, right: Any) -> bool:
    """Tell whether two bounds compare so; unknown bounds and strange values always may."""
    kinds = {_family(left), _family(right)}
    if left is None or right is None or "" in kinds or (len(kinds) > 1 and kinds not in _MIXED):
        return True
    try:
        return bool(COMPARE[operator](left, right))
    except (TypeError, ValueError, ArithmeticError):
        return True


_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def _compared(operator: str, left: _Range, right: _Range) -> _Truth:
    if not (left.some and right.some):
        return frozenset({None})
    truth: set[bool | None] = {None} if left.null or right.null else set()
    if _may(operator, left, right):
        truth.add(True)
    if _may(_OPPOSITE[operator], left, right):
        truth.add(False)
    if left.nan or right.nan:
        # Every comparison with NaN is false, but for !=.
        truth.add(operator == "!=")
    return frozenset(truth)


def _may(operator: str, left: _Range, right: _Range) -> bool:
    """Tell whether some values of both ranges may compare so."""
    if operator in ("<", "<="):
        return _holds(operator, left.min, right.max)
    if operator in (">", ">="):
        return _holds(operator, left.max, right.min)
    overlap = _holds("<=", left.min, right.max) and _holds("<=", right.min, left.max)
    if operator == "==":
        return overlap
    ends = (left.min, left.max, right.min, right.max)
    single = (
        None not in ends
        and _holds_surely("==", left.min, left.max)
        and _holds_surely("==", right.min, right.max)
    )
    return not (single and _holds_surely("==", left.min, right.min))


def _holds_surely(operator: str, left: Any, right: Any) -> bool:
    return not _holds(_OPPOSITE[operator], left, right)


def _contained(value: _Range, items: list[_Range], *, asks_null: bool) -> _Truth:
    """Return the results of ``value in items``; `asks_null` tells that ``None`` is among the items."""
    result: set[bool | None] = set()
    if value.some:
        known = replace(value, null=False)
        result |= _negated(_all([_negated(_compared("==", known, item)) for item in items]))
    if value.null:
        result.add(True if asks_null else None)
    return frozenset(result)


def _prefixed(values: _Range, prefix: str) -> _Truth:
    truth: set[bool | None] = {None} if values.null else set()
    if not values.some:
        return frozenset({None})
    least, greatest = values.min, values.max
    if not (isinstance(least, str) or least is None) or not (isinstance(greatest, str) or greatest is None):
        return _ANY
    below = greatest is not None and greatest < prefix
    above = least is not None and least > prefix and not least.startswith(prefix)
    if not (below or above):
        truth.add(True)
    # Between two texts with a prefix, every text has it.
    if not (
        least is not None
        and greatest is not None
        and least.startswith(prefix)
        and greatest.startswith(prefix)
    ):
        truth.add(False)
    return frozenset(truth)
