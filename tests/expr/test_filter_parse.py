"""Text to expression: the grammar, its refusals and their hints."""

import pickle
import threading
import warnings
from datetime import datetime

import pytest

from mltable_lite.errors import ArgumentTypeError, FilterSyntaxError, UserErrorException
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
    parse,
    to_text,
)

a, b = Column("a"), Column("b")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('col("a") > 1', Compare(">", a, Literal(1))),
        ("col('a')>1", Compare(">", a, Literal(1))),
        ('col ( r"a" ) > 1', Compare(">", a, Literal(1))),
        ('col("a b.c") == 1', Compare("==", Column("a b.c"), Literal(1))),
        ("größe == 1", Compare("==", Column("größe"), Literal(1))),
        (
            "class == 'x' or x.from == 1",
            Or(
                (
                    Compare("==", Column("class"), Literal("x")),
                    Compare("==", FieldAccess(Column("x"), "from"), Literal(1)),
                )
            ),
        ),
        ("not(a == 1)", Not(Compare("==", a, Literal(1)))),
        ("a==1and b", And((Compare("==", a, Literal(1)), b))),
        ("1 < a <= 4", And((Compare("<", Literal(1), a), Compare("<=", a, Literal(4))))),
        ("a in [1, 'x', None]", In(a, (Literal(1), Literal("x"), Literal(None)))),
        ("a not in (1,)", Not(In(a, (Literal(1),)))),
        ("a in []", In(a, ())),
        ("a is None", IsNull(a)),
        ("a is not None", Not(IsNull(a))),
        ("a == None", IsNull(a)),
        ("None != a", Not(IsNull(a))),
        ("isnull(a) or a.notnull()", Or((IsNull(a), Not(IsNull(a))))),
        ("true", Word("true")),
        ('col("true")', Column("true")),
        ("True", Literal(True)),
        ("-2 ** 2", Negate(Arithmetic("**", Literal(2), Literal(2)))),
        ("-9223372036854775808", Literal(-(2**63))),
        ("+1", Literal(1)),
        ("0x10 + 1_0", Arithmetic("+", Literal(16), Literal(10))),
        (".5 < 1.e0", Compare("<", Literal(0.5), Literal(1.0))),
        ("a == ''", Compare("==", a, Literal(""))),
        (r"a == '\u00e9\x41\n' ", Compare("==", a, Literal("éA\n"))),
        (r"a == r'\d'", Compare("==", a, Literal(r"\d"))),
        ("1 if a else 2", IfElse(a, Literal(1), Literal(2))),
        ("a.startswith('x')", Call("startswith", (a, Literal("x")))),
        ("starts_with(a, 'x')", Call("startswith", (a, Literal("x")))),
        ("Length(ToLower(a))", Call("length", (Call("lower", (a,)),))),
        ("Power(a, 2)", Arithmetic("**", a, Literal(2))),
        ("Modulo(a, 2)", Arithmetic("%", a, Literal(2))),
        ("datetime(2023, 5, 1, 4)", Literal(datetime(2023, 5, 1, 4))),
        ("CreateDateTime(2023, '5')", Literal(datetime(2023, 5, 1))),
        ("datetime(2023, 5, 1, 4, 5, 6, 7)", Literal(datetime(2023, 5, 1, 4, 5, 6, 7))),
        ('a["x y"].z', FieldAccess(FieldAccess(a, "x y"), "z")),
        ("a == 1\n\tand b", And((Compare("==", a, Literal(1)), b))),
    ],
)
def test_a_text_is_read_as_this_expression(text, expected):
    assert parse(text) == expected
    assert parse(to_text(expected)) == expected
    assert pickle.loads(pickle.dumps(expected)) == expected
    assert hash(parse(text)) == hash(expected)


def test_literals_of_different_kinds_are_different_expressions():
    assert len({Literal(1), Literal(1.0), Literal(True), Literal("1")}) == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "(a > 1) & (b == 2)",
            r"'&' is not an operator here; it is written 'and'. Write: \(a > 1\) and \(b == 2\)",
        ),
        ("a > 1 | b < 2", "Write: a > 1 or b < 2"),
        ("~(a == 1)", r"Write: not \(a == 1\)"),
        ("a = 1", "'=' is not an operator here; it is written '=='. Write: a == 1"),
        ("a <> 1", "Write: a != 1"),
        ("a => 1", "Write: a >= 1"),
        ("a && !b || b", "Write: a and not b or b"),
        ("a === 1", "Write: a == 1"),
        ("a == 1 AND b", "Write: a == 1 and b"),
        ("NOT (a == 1)", r"Write: not \(a == 1\)"),
        ("a IS NOT NULL", "Write: a is not None"),
        ("a like 'x%'", "Instead of 'like', use x.startswith"),
        ("a between 1 and 2", "Instead of 'between', write 1 <= x <= 2"),
        ("a is 'x'", "compare values with =="),
        ("col(a) == 1", r'col takes the name in quotes: col\("a"\)'),
        ("col() == 1", "col takes one column name in quotes"),
        ("", "the expression is empty"),
        ("  \n", "the expression is empty"),
        ("a >", "ends too early"),
        ("(a", r"'\(' is never closed"),
        ("a)", r"'\)' closes nothing"),
        ("a == 'x", "not closed"),
        ("a == “x”", "typographic quote"),
        (r"a == 'x\q'", "unknown escape"),
        (r"a == '\400'", "unknown escape"),
        ("a == 'x' 'y'", "two text literals"),
        ('a == """x"""', "two text literals"),
        ("a == f'x'", "prefix r"),
        ("a == b'x'", "prefix r"),
        ("1j == a", r'col\("1j"\)'),
        ("a == 01", "leading zeros"),
        ("a == 1e999", "float64"),
        ("a == " + "9" * 78, "more digits"),
        ("a == " + "9" * 5000, "too many digits"),
        ("a # c", "comments are not part"),
        ("a; b", "one expression"),
        ("a, b", "a list only stands after in"),
        ("a == [1]", "a list only stands after in"),
        ("'x' in a", "after in stands a list"),
        ("a[0] == 1", "only fields of a struct"),
        ("startwith(a, 'x')", "Did you mean 'startswith'"),
        ("a.datetime()", "datetime is no method"),
        ("startswith(a)", "startswith takes 2 arguments, not 1"),
        ("round(a, 1, 2)", "round takes 1 to 2 arguments, not 3"),
        ("coalesce()", "coalesce takes 1 or more arguments, not 0"),
        ("startswith(*a)", "by position"),
        ("GetStreamInfo(a)", "a stream column compares as its path"),
        ("datetime(2020, 13)", "no such moment"),
        ("datetime(a)", "a part of datetime"),
        ("datetime()", "datetime takes 1 to 7 arguments"),
        ("-'x'", "no number"),
        ("a@b", r'col\("name"\)'),
        ("ﬁ == 1", r'col\("ﬁ"\)'),
        ("a == '\ud800'", "not closed"),
        (r"a == '\ud800'", "surrogate"),
        ("a\0", "not a character"),
        ("lambda: a", "no meaning"),
        ("[x for x in a]", "cannot be read"),
        ("a if b", "cannot be read"),
        ("x" * 10_001, "10001 characters, more than 10000"),
        ("(" * 101 + "a" + ")" * 101, "more than 100 brackets"),
        ("-" * 9_000 + "1", "more than 100 forms"),
        ("not " * 2_000 + "a", "more than 100 forms"),
        ("a + " * 2_400 + "a", "more than 100 forms"),
        ("a" + ".b" * 1_000, "more than 100 forms"),
        ("(1 == " * 90 + "a" + " == 3)" * 90, "grow too large"),
    ],
)
def test_a_text_outside_the_language_is_refused_with_the_fix(text, message):
    with pytest.raises(FilterSyntaxError, match=message):
        parse(text)


def test_a_suggestion_that_is_no_filter_is_not_shown():
    with pytest.raises(FilterSyntaxError) as caught:
        parse("a & ")
    assert "Write:" not in str(caught.value)


def test_the_caret_stands_under_the_place_that_is_wrong():
    with pytest.raises(FilterSyntaxError) as caught:
        parse("größe == 'é'\nand lwer(x) == 1")
    _, line, caret = str(caught.value).split("\n")
    assert line.index("lwer") == caret.index("^")


def test_the_caret_stands_under_the_place_in_a_long_text():
    with pytest.raises(FilterSyntaxError) as caught:
        parse("a == 1 and " * 100 + "b $ 1" + " and a == 1" * 100)
    _, line, caret = str(caught.value).split("\n")
    assert line[caret.index("^")] == "$"
    assert len(line) < 120


def test_a_filter_that_is_no_text_is_an_argument_error():
    with pytest.raises(ArgumentTypeError, match="5 is not a text"):
        parse(5)


def test_long_flat_filters_are_fine():
    assert len(parse(" or ".join(f"a == {n}" for n in range(600))).operands) == 600
    assert len(parse(f"a in {list(range(1500))}").items) == 1500


def test_a_power_of_literals_is_never_computed_while_parsing():
    assert to_text(parse("9 ** 9 ** 9 ** 9 == a")) == "9 ** 9 ** 9 ** 9 == a"


def test_parsing_warns_of_nothing_and_leaves_the_warning_filters_alone():
    before = list(warnings.filters)

    def work():
        for text in ("a==1and b", r"a == '\q'", "0x1for x in [1]", "1if a else 2"):
            try:
                parse(text)
            except UserErrorException:
                continue

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
