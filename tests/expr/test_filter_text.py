"""Expression to text and back."""

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.expr import (
    And,
    Arithmetic,
    Call,
    Column,
    Compare,
    FieldAccess,
    IfElse,
    In,
    IsNull,
    Literal,
    Negate,
    Not,
    Or,
    Word,
    fold,
    parse,
    to_text,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NAMES = (
    st.sampled_from(["a", "b c", "class", "and", "true", 'q"q', "q'q", "é", "1a", "", "\\", "a.b"]) | TEXTS
)
LITERALS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)).map(lambda moment: moment.replace(fold=0)),
).map(Literal)
LEAVES = LITERALS | NAMES.map(Column) | st.sampled_from(["true", "false", "null"]).map(Word)


def compare(operator, left, right):
    # The parser makes null tests of comparisons with None.
    return IsNull(left) if Literal(None) in (left, right) else Compare(operator, left, right)


def negate(operand):
    # The parser makes negative literals.
    return Not(operand) if isinstance(operand, Literal) else Negate(operand)


def larger(inner):
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Not, inner),
        st.builds(IsNull, inner),
        st.builds(compare, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), inner, inner),
        st.builds(Arithmetic, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner, inner),
        st.builds(negate, inner),
        st.builds(In, inner, st.lists(inner, max_size=3).map(tuple)),
        st.builds(IfElse, inner, inner, inner),
        st.builds(Call, st.just("lower"), st.tuples(inner)),
        st.builds(Call, st.just("startswith"), st.tuples(inner, inner)),
        st.builds(FieldAccess, inner, NAMES),
    )


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS)
def test_the_text_of_an_expression_is_read_back_as_the_same(expr):
    assert parse(to_text(expr)) == expr


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS)
def test_folding_twice_is_folding_once(expr):
    once = fold(expr)
    assert fold(once) is once or fold(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "a and b or not c",
        "a and (b or c)",
        "a and (b and c)",
        "not (a and b)",
        "not a == 1",
        "(a == b) == c",
        "a - (b - c) - d",
        "a * (b + c) ** -d ** 2",
        "(-1) ** 2",
        "-a ** 2",
        "(-a) ** 2",
        "(a if b else c) + 1",
        "a if b else c if d else e",
        "(a if b else c) if d else e",
        'a in [1, -2.5, "x"]',
        "(a in [1]) is None",
        "a is not None and b not in []",
        'x.y["z z"] == 1',
        "(a + b).y == 1",
        'lower(a) == "it\'s"',
        "a == 'say \"hi\"'",
        'col("a b") < datetime(2020, 1, 2, 0, 0, 0, 1)',
        'col("true") == true',
    ],
)
def test_text_has_no_parentheses_that_are_not_needed(text):
    assert to_text(parse(text)) == text
