"""An expression against the columns of a table."""

from datetime import datetime
from decimal import Decimal

import pytest

from mltable_lite.errors import ColumnNotFoundError, FilterTypeError
from mltable_lite.expr import Column, Compare, In, IsNull, Literal, bind, parse, to_text
from mltable_lite.types import Field, Kind

FIELDS = [
    Field("i", Kind.INTEGER),
    Field("f", Kind.FLOAT),
    Field("dec", Kind.DECIMAL),
    Field("s", Kind.STRING),
    Field("b", Kind.BOOLEAN),
    Field("d", Kind.DATE),
    Field("t", Kind.DATETIME),
    Field("z", Kind.DATETIME, zoned=True),
    Field("n", Kind.NULL),
    Field("l", Kind.LIST),
    Field("p", Kind.STREAM),
    Field("bin", Kind.BINARY),
    Field("rec", Kind.STRUCT, fields=(Field("x", Kind.INTEGER), Field("y z", Kind.STRING))),
    Field("x.y", Kind.INTEGER),
]


def bound(text):
    expr = bind(parse(text), FIELDS)
    assert bind(expr, FIELDS) == expr
    assert bind(parse(to_text(expr)), FIELDS) == expr
    return expr


@pytest.mark.parametrize(
    "text",
    [
        "i > 1 and f > 1 and dec > 1 and i > f and dec < i",
        "i == 99999999999999999999",
        "s == 'x' and p == 'x' and s == p",
        "b and not b and b == True and b != (i > 1)",
        "t > z and d <= t",
        "n",
        "n and b",
        "n == 1 and n == 'x' and n + 1 > 2 and lower(n) == 'x'",
        "l is None and length(l) == 1 and length(s) == 1 and length(bin) == 0",
        "bin == bin",
        "rec.x > 1 and rec['y z'] == 'a'",
        "s + s == 'ab' and s + n == 'a'",
        "i + f > 1 and dec * 2 == 0.5 and -i < 0 and abs(f) > 1 and round(f, 2) == 1.5",
        "year(d) == 2020 and hour(t) == 1 and day(z) < 3",
        "coalesce(i, f, 0) > 1 and coalesce(t, '2020-01-01') > '2020-01-01'",
        "(i if b else 0.5) > 1 and (None if b else s) == 'x'",
        "matches(s, '^a(?i:b)?$') and contains(p, 'x')",
        "i in [1, 2.5, None, f] and s not in ['a'] and n in [1]",
        'col("x.y") == 1',
        "i in []",
    ],
)
def test_kinds_that_go_together_are_accepted(text):
    bound(text)


def test_an_iso_text_against_a_date_or_datetime_becomes_a_datetime():
    assert bound("t >= '2020-01-02'") == Compare(">=", Column("t"), Literal(datetime(2020, 1, 2)))
    assert bound("'2020-01-02T03:04:05+01:00' < z") == Compare(
        "<", Literal(datetime(2020, 1, 2, 2, 4, 5)), Column("z")
    )
    assert bound("d in ['2020-01-02', None]") == In(
        Column("d"), (Literal(datetime(2020, 1, 2)), Literal(None))
    )


def test_a_number_against_a_decimal_means_its_decimal_digits():
    assert bound("dec == 0.1") == Compare("==", Column("dec"), Literal(Decimal("0.1")))


def test_bare_words_are_literals_unless_there_is_such_a_column():
    assert bound("b == true") == Compare("==", Column("b"), Literal(True))
    assert bound("i == null") == IsNull(Column("i"))
    true = Field("true", Kind.INTEGER)
    assert bind(parse("true == 1"), [true]) == Compare("==", Column("true"), Literal(1))
    with pytest.raises(ColumnNotFoundError):
        bind(parse('col("true")'), FIELDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("i < '1'", 'compares integer i with string "1". Write the number without quotes: 1'),
        ("i == 'x'", r"compares integer i with string \"x\". To convert .*columns: i, column_type: string"),
        ("s > 1", "Write the text in quotes: '1'.*columns: s, column_type: int"),
        ("b == 1", "compares boolean b with integer 1. Write True"),
        ("b == 'true'", "Write True without quotes"),
        ("t > 2020", r"Write a date: '2024-01-31'"),
        ("t > 'yesterday'", "no ISO date"),
        ("t > '2020-01-01T00:00:00.0000001'", "finer than microseconds"),
        ("t == s", "compares datetime t with string s"),
        ("i == s", "compares integer i with string s"),
        ("i in [1, 'x']", "compares integer i with string"),
        ("bin == 'x'", "compares binary bin with string"),
        ("l == l", "a list does not compare"),
        ("rec == rec", "a struct does not compare"),
        ("i < None", "ask 'i is None' or 'i is not None'"),
        ("i < null", "None has no order"),
        ("i", "'i' is integer, not boolean"),
        ("1", "'1' is integer, not boolean"),
        ("None", "not boolean"),
        ("s + 'x'", "is string, not boolean"),
        ("not i", "'not' takes booleans, and 'i' is integer; .* 'i != 0'"),
        ("b and s", "'and' takes booleans, and 's' is string; .* 's != \"\"'"),
        ("1 if i else 2", "'if' takes booleans"),
        ("i + s > 1", "adds integer i to string s"),
        ("i - s > 1", "computes with string s"),
        ("t - t > 1", "computes with datetime t"),
        ("b + 1 > 1", "computes with boolean b"),
        ("-s == 'x'", "computes with string s"),
        ("(i if b else s) == 1", "chooses between integer i and string s"),
        ("coalesce(i, 'x') == 1", "chooses between integer i and string"),
        ("startswith(i, 'x')", "startswith takes string, and 'i' is integer"),
        ("startswith(s, 1)", "startswith takes string, and '1' is integer"),
        ("year(s) == 1", "year takes date, datetime, and 's' is string. To convert .*datetime: {formats"),
        ("matches(s, s)", "second argument of matches is a literal"),
        ("matches(s, '[')", "no regular expression"),
        ("matches(s, '(?=x)')", "look-around"),
        (r"matches(s, r'(a)\1')", "back references"),
        ("round(f, -1) == 1", "round takes 0 to 15 digits"),
        ("i.x == 1", "asks for a field of 'i', which is integer"),
        ("s.length > 1", "A function is called with brackets: s.length()"),
    ],
)
def test_kinds_that_do_not_go_together_are_refused_with_the_way_out(text, message):
    with pytest.raises(FilterTypeError, match=message):
        bind(parse(text), FIELDS)


def test_missing_columns_are_named_all_at_once_with_a_suggestion():
    with pytest.raises(
        ColumnNotFoundError, match="filter: no columns 'recc', 'zzz'; the table has: i, f.*Did you mean 'rec'"
    ):
        bind(parse("zzz == 1 and recc.x == 2"), FIELDS)


def test_a_missing_struct_field_is_named_with_a_suggestion():
    with pytest.raises(
        ColumnNotFoundError,
        match="in the struct 'rec': no column 'yz'; the table has: x, y z.*Did you mean 'y z'",
    ):
        bind(parse("rec.yz == 'a'"), FIELDS)


def test_a_dotted_column_is_suggested_where_a_field_is_asked_of_no_struct():
    fields = [Field("x", Kind.INTEGER), Field("x.y", Kind.INTEGER)]
    with pytest.raises(FilterTypeError, match=r'col\("x.y"\)'):
        bind(parse("x.y == 1"), fields)
