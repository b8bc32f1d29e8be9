"""The functions of the filter language: names, aliases, and what they take and give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mltable_lite.types import Kind

if TYPE_CHECKING:
    from mltable_lite.expr.nodes import ArithmeticOperator

TEXT = frozenset({Kind.STRING, Kind.STREAM})
NUMBER = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.DECIMAL})
TEMPORAL = frozenset({Kind.DATE, Kind.DATETIME})
SIZED = TEXT | {Kind.BINARY, Kind.LIST}


@dataclass(frozen=True, slots=True)
class Function:
    """What a function takes and gives.

    Attributes:
        parameters: The accepted kinds, one set a parameter.
        result: The kind of its result; `None` for the kind of the first argument.
        required: How many arguments must be given.
        literal: Parameters, by position, that must be written as a literal.
    """

    parameters: tuple[frozenset[Kind], ...]
    result: Kind | None
    required: int
    literal: frozenset[int] = frozenset()


_TEXT_TEST = Function((TEXT, TEXT), Kind.BOOLEAN, 2)
_TEXT_CHANGE = Function((TEXT,), Kind.STRING, 1)
_TIME_PART = Function((TEMPORAL,), Kind.INTEGER, 1)

FUNCTIONS: dict[str, Function] = {
    "startswith": _TEXT_TEST,
    "endswith": _TEXT_TEST,
    "contains": _TEXT_TEST,
    "matches": Function((TEXT, TEXT), Kind.BOOLEAN, 2, frozenset({1})),
    "lower": _TEXT_CHANGE,
    "upper": _TEXT_CHANGE,
    "strip": _TEXT_CHANGE,
    "length": Function((SIZED,), Kind.INTEGER, 1),
    "abs": Function((NUMBER,), None, 1),
    "round": Function((NUMBER, frozenset({Kind.INTEGER})), None, 1, frozenset({1})),
    "year": _TIME_PART,
    "month": _TIME_PART,
    "day": _TIME_PART,
    "hour": _TIME_PART,
    # Any number of arguments of one family: `bind` has the rule.
    "coalesce": Function((), None, 1),
}

#: Other spellings of a function.
ALIASES = {"starts_with": "startswith", "Length": "length", "ToLower": "lower", "ToUpper": "upper"}

#: Functions that are operators in disguise.
OPERATORS: dict[str, ArithmeticOperator] = {
    "Power": "**",
    "Add": "+",
    "Subtract": "-",
    "Multiply": "*",
    "Modulo": "%",
}

#: Functions that make other nodes than `Call`.
SPECIAL = ("col", "datetime", "CreateDateTime", "isnull", "notnull")

#: Functions on streams that need the bytes or the storage behind them.
STREAM_ONLY = ("GetStreamInfo", "GetPortablePath", "GetResourceName", "GetStreamProperties")

NAMES = (*FUNCTIONS, *ALIASES, *OPERATORS, *SPECIAL)
