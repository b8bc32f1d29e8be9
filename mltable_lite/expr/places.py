"""Where in a filter's text an error stands that only a table's columns show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mltable_lite.expr.lex import picture
from mltable_lite.expr.nodes import Column, Expr
from mltable_lite.expr.parse import places

if TYPE_CHECKING:
    from mltable_lite.errors import ColumnNotFoundError, FilterTypeError


def inside(error: FilterTypeError | ColumnNotFoundError, expr: Expr) -> None:
    """Note that an error arose in an expression; called with the innermost one first."""
    error.__dict__.setdefault("path", []).append(expr)


def show_place(error: FilterTypeError | ColumnNotFoundError, text: str) -> None:
    """Add the filter's text to that of an error, with a caret under the expression that it arose in."""
    path: list[Expr] = error.__dict__.pop("path", [])
    start, end = 0, len(text)
    within = places(text)
    for expr in reversed(path):
        found = [place for place in within if place[0] == expr]
        if found:
            # Of equal ones it is the least nested, and of these the first: what comes first is bound first.
            depths = [sum(p[1] <= start and end <= p[2] for p in within) for _, start, end in found]
            _, start, end = found[depths.index(min(depths))]
            within = [place for place in within if start <= place[1] and place[2] <= end]
    error.args = (f"{error}\n{picture(text, start)}",)


def first_of(names: list[str], expr: Expr) -> str:
    """Return which of the names an expression has first."""
    return next(node.name for node in expr.walk() if isinstance(node, Column) and node.name in names)
