"""Texts to values: the tables of what each text means, and properties against Python's own arithmetic."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.formats.text_values import parse_bool, parse_datetimes, parse_float, parse_int

# fmt: off
NOT_NUMBERS = [
    "", "  ", "0x10", "1,000", "1_000", "abc", "true", "$5", "5%", "1 2", "--1", "+ 1", ".", "e5", "1e", "1d", "\u0661",
]
# fmt: on
INT_TABLE = [
    ("1", 1, ""),
    ("-2", -2, ""),
    ("+3", 3, ""),
    (" 4 ", 4, ""),
    ("\t5\u00a0", 5, ""),
    ("007", 7, ""),
    ("-0", 0, ""),
    ("5.0", 5, ""),
    ("5.", 5, ""),
    ("5.7", 5, "lossy"),
    ("-5.7", -5, "lossy"),
    (".5", 0, "lossy"),
    ("1e3", 1000, ""),
    ("15e-1", 1, "lossy"),
    ("1e-400", 0, "lossy"),
    ("0e400", 0, ""),
    ("9223372036854775807", 2**63 - 1, ""),
    ("-9223372036854775808", -(2**63), ""),
    ("9007199254740993", 9007199254740993, ""),
    ("9.223372036854775807e18", 2**63 - 1, ""),
    ("00000000000000000000000000001", 1, ""),
    *[
        (text, None, "failed")
        for text in [*NOT_NUMBERS, "9223372036854775808", "-9223372036854775809", "1e30"]
    ],
    *[(text, None, "failed") for text in ["1e99999999999999999999", "NaN", "inf"]],
]


@pytest.mark.parametrize(("text", "value", "problem"), INT_TABLE)
def test_an_integer_text_means(text, value, problem):
    parsed = parse_int(pa.array([text]))
    assert parsed.values.to_pylist() == [value]
    assert (parsed.failed.to_pylist(), parsed.lossy.to_pylist()) == (
        [problem == "failed"],
        [problem == "lossy"],
    )


FLOAT_TABLE = [
    ("1.5", 1.5, ""),
    (" 4.5 ", 4.5, ""),
    ("1e3", 1000.0, ""),
    (".5", 0.5, ""),
    ("5.", 5.0, ""),
    ("+.5", 0.5, ""),
    ("1E-2", 0.01, ""),
    ("inf", math.inf, ""),
    ("-INF", -math.inf, ""),
    ("Infinity", math.inf, ""),
    ("0e5", 0.0, ""),
    ("0.1", 0.1, ""),
    ("1e400", math.inf, "lossy"),
    ("-1e400", -math.inf, "lossy"),
    ("1e-400", 0.0, "lossy"),
    ("9007199254740992", 2.0**53, ""),
    ("9007199254740993", 2.0**53, "lossy"),
    ("12345678901234567890.12", 12345678901234567890.12, "lossy"),
    ("99308398588524580", 99308398588524576.0, ""),
    ("99308398588524576", 99308398588524576.0, ""),
    ("99308398588524577", 99308398588524576.0, "lossy"),
    *[(text, None, "failed") for text in [*NOT_NUMBERS, "nano", "infinit", "+inf1"]],
]


@pytest.mark.parametrize(("text", "value", "problem"), FLOAT_TABLE)
def test_a_float_text_means(text, value, problem):
    parsed = parse_float(pa.array([text]))
    assert parsed.values.to_pylist() == [value]
    assert (parsed.failed.to_pylist(), parsed.lossy.to_pylist()) == (
        [problem == "failed"],
        [problem == "lossy"],
    )


@pytest.mark.parametrize("text", ["NaN", "nan", "-NAN"])
def test_not_a_number_is_a_float(text):
    parsed = parse_float(pa.array([text]))
    assert math.isnan(parsed.values[0].as_py())
    assert parsed.failed.to_pylist() == parsed.lossy.to_pylist() == [False]


def test_null_is_null_and_no_failure():
    texts = pa.array([None, "1", None])
    for parsed in (parse_int(texts), parse_float(texts), parse_bool(texts), parse_datetimes(texts, ("%Y",))):
        assert parsed.values.is_null().to_pylist()[::2] == [True, True]
        assert parsed.failed.to_pylist()[::2] == [False, False]
        assert parsed.lossy.null_count == 0


@pytest.mark.parametrize(
    "texts", [pa.array([], pa.string()), pa.array([None, None], pa.string()), pa.nulls(2)]
)
def test_empty_and_all_null_arrays_parse(texts):
    for parsed in (
        parse_int(texts),
        parse_float(texts),
        parse_bool(texts),
        parse_datetimes(texts, ("%Y-%m-%d",)),
    ):
        assert parsed.values.null_count == len(parsed.values) == len(texts)
        assert parsed.failed.true_count == 0


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_kind_of_string_array_parses_also_sliced(kind):
    texts = pa.array(["x", "1", None, "2020", "x"]).cast(kind).slice(1, 3)
    assert parse_int(texts).values.to_pylist() == [1, None, 2020]
    assert parse_float(texts).values.to_pylist() == [1.0, None, 2020.0]
    assert parse_bool(texts).values.to_pylist() == [True, None, None]
    assert parse_datetimes(texts, ("%Y",)).values.to_pylist() == [None, None, dt.datetime(2020, 1, 1)]


numbers_as_text = st.from_regex(
    r"[ \t]*[+-]?([0-9]{1,22}\.?[0-9]{0,4}|\.[0-9]{1,4})([eE][+-]?[0-9]{1,2})?[ \t]*", fullmatch=True
)


@given(st.lists(numbers_as_text | st.text(alphabet="0159+-.eE _x", max_size=8), min_size=1, max_size=30))
def test_integers_agree_with_exact_decimal_arithmetic(texts):
    parsed = parse_int(pa.array(texts))
    for text, value, failed, lossy in zip(texts, *(a.to_pylist() for a in _parts(parsed)), strict=True):
        exact = _decimal(text)
        whole = None if exact is None else int(exact)
        if whole is None or not -(2**63) <= whole < 2**63:
            assert (value, failed, lossy) == (None, True, False)
        else:
            assert (value, failed, lossy) == (whole, False, exact != whole)


@given(st.lists(numbers_as_text | st.text(alphabet="0159+-.eE _x", max_size=8), min_size=1, max_size=30))
def test_floats_agree_with_python(texts):
    values = parse_float(pa.array(texts)).values.to_pylist()
    assert values == [None if _decimal(text) is None else float(text) for text in texts]


def _parts(parsed):
    return parsed.values, parsed.failed, parsed.lossy


def _decimal(text):
    try:
        return None if "_" in text else Decimal(text.strip())
    except ArithmeticError:
        return None


# --------------------------------------------------------------------------- booleans
def test_default_words_are_those_of_columns_of_text():
    texts = ["true", "FALSE", " 1 ", "0", "t", "F", " Yes", "NO", "yes", "tRuE", "", "3"]
    parsed = parse_bool(pa.array(texts))
    assert parsed.values.to_pylist() == [True, False, True, False, True, False, True, False] + [None] * 4
    assert parsed.failed.to_pylist() == [False] * 8 + [True] * 4


def test_own_words_are_exact_and_replace_the_default_ones():
    parsed = parse_bool(pa.array(["yes", " no ", "Yes", "true", "1"]), ("yes",), ("no",))
    assert parsed.values.to_pylist() == [True, False, None, None, None]


def test_own_words_are_not_trimmed():
    assert parse_bool(pa.array(["yes"]), (" yes",), ("no",)).values.to_pylist() == [None]


@pytest.mark.parametrize(("mismatch_as", "value"), [("true", True), ("false", False)])
def test_mismatch_as_replaces_every_other_text_but_not_null(mismatch_as, value):
    parsed = parse_bool(pa.array(["yes", "no", "other", "", None]), ("yes",), ("no",), mismatch_as)
    assert parsed.values.to_pylist() == [True, False, value, value, None]
    assert parsed.failed.true_count == 0
