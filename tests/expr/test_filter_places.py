"""Errors that only a table's columns show point at their place in the filter's text, too."""

import pickle

import pytest

import mltable_lite as mltable
from mltable_lite.errors import ColumnNotFoundError, FilterTypeError


@pytest.fixture
def table(tmp_path):
    (tmp_path / "a.csv").write_text("a,b,d,p\n1,x,2020-01-01,true\n")
    return mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}])


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a > 1 and  bb == 1", "bb"),
        ('a > 1 or col("b b") is None', 'col("b b")'),
        ("a > 0 and b  >  1", "b  >"),
        ('1 < a < "x"', "a <"),
        ("not a", "a"),
        ("p or (p and b)", "b)"),
        ("p and lower(a) == 'x'", "a)"),
        ("a == 1 or a + b > 1", "a + b"),
        ("a == 1 and b * 2 > 3", "b * 2"),
        ("d > '2020-01-01' and d < 'soon'", "d < 'soon'"),
        ("p and a not in [1, 'x']", "a not in"),
        ("p and a.size == 1", "a.size"),
        ("p if b else p", "b else"),
        ("p and round(a, 99) == 1", "round"),
        ("b", "b"),
    ],
)
def test_the_caret_stands_under_the_expression(table, text, place):
    with pytest.raises((ColumnNotFoundError, FilterTypeError)) as raised:
        table.filter(text).to_pandas_dataframe()
    *_, shown, caret = str(raised.value).split("\n")
    assert shown == f"    {text}"
    assert caret.index("^") - 4 == text.index(place)


def test_of_equal_expressions_the_caret_stands_under_the_one_that_is_wrong(table):
    with pytest.raises(FilterTypeError) as raised:
        table.filter("a > 1 and a").to_pandas_dataframe()
    assert str(raised.value).endswith("\n    a > 1 and a\n              ^")


def test_the_caret_stands_in_the_filter_that_is_wrong(table):
    with pytest.raises(FilterTypeError, match=r"\n    b > 1\n    \^$"):
        table.filter("a > 1").filter("b > 1").filter("p").to_pandas_dataframe()


def test_the_picture_of_a_long_filter_is_short(table):
    text = " or ".join(f"a == {number}" for number in range(500)) + " or b > 7 or a == 0"
    with pytest.raises(FilterTypeError) as raised:
        table.filter(text).to_pandas_dataframe()
    *_, shown, caret = str(raised.value).split("\n")
    assert shown[caret.index("^") :].startswith("b > 7")
    assert len(shown) < 120


def test_the_error_still_crosses_processes(table):
    with pytest.raises(ColumnNotFoundError) as raised:
        table.filter("zz == 1").to_pandas_dataframe()
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value)
    assert again.missing == ("zz",)
