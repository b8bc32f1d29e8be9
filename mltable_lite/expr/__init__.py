"""The filter language: text -> unbound expression -> bound expression. Pure Python.

`parse` reads the text, `bind` checks it against a table's columns, `execute.evaluate` computes it, `can_match` asks
statistics whether it can be true at all.
"""

from mltable_lite.expr.analyse import can_fail, columns_of, conjoin, conjuncts, fold
from mltable_lite.expr.bind import bind
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
    Word,
)
from mltable_lite.expr.parse import parse
from mltable_lite.expr.places import show_place
from mltable_lite.expr.prune import Bounds, can_match
from mltable_lite.expr.text import to_text

__all__ = [
    "And",
    "Arithmetic",
    "Bounds",
    "Call",
    "Column",
    "Compare",
    "Expr",
    "FieldAccess",
    "IfElse",
    "In",
    "IsNull",
    "Literal",
    "Negate",
    "Not",
    "Or",
    "Word",
    "bind",
    "can_fail",
    "can_match",
    "columns_of",
    "conjoin",
    "conjuncts",
    "fold",
    "parse",
    "show_place",
    "to_text",
]
