"""The type of a column of texts, and its values."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.formats.text_types import (
    Misfits,
    Seen,
    classify,
    convert,
    find_misfits,
    find_rounded,
    see,
    type_of,
    type_texts,
)

INT, FLOAT, BOOL, TEXT = pa.int64(), pa.float64(), pa.bool_(), pa.string()
NS, US = pa.timestamp("ns"), pa.timestamp("us")


def date(*fields):
    return pa.scalar(dt.datetime(*fields), US).cast(NS).as_py()


@pytest.mark.parametrize(
    ("texts", "kind", "values"),
    [
        (["5", "-5", "+5", "007", " 6 ", "\t7\xa0"], INT, [5, -5, 5, 7, 6, 7]),
        (["0", "1"], INT, [0, 1]),
        (["00", "+1", "-0"], INT, [0, 1, 0]),
        (["9223372036854775807", "-9223372036854775808"], INT, [2**63 - 1, -(2**63)]),
        (["0" * 30 + "7"], INT, [7]),
        (["9223372036854775808", "5"], FLOAT, [2.0**63, 5.0]),
        (["1", "1.5", "1.", ".5", "1e5", "1.e5", "-0.0"], FLOAT, [1, 1.5, 1, 0.5, 1e5, 1e5, -0.0]),
        (["inf", "-Infinity", "+INF", "1e400"], FLOAT, [math.inf, -math.inf, math.inf, math.inf]),
        (["true", "T", "Yes", "1", "False", "N", "0"], BOOL, [True, True, True, True, False, False, False]),
        (["true", None, "f"], BOOL, [True, None, False]),
        (["5", None, ""], INT, [5, None, None]),
        (["x", None, ""], TEXT, ["x", None, ""]),
        ([None, None], pa.null(), [None, None]),
        (["", None], TEXT, ["", None]),
    ],
)
def test_numbers_and_words(texts, kind, values):
    array = type_texts(texts)
    assert array.type == kind
    assert array.to_pylist() == values


@pytest.mark.parametrize(
    "texts",
    [
        *(["yes"], ["on"], ["tRuE"], ["true", "2"], ["true", "+1"], ["true", "1.0"], ["true", "nan"]),
        *(["NA"], ["null"], ["-"], [" "], ["1,000"], ["1_000"], ["0x10"], ["1d"], ["--1"], ["٣"], ["nan(1)"]),
        *(["1", "NA"], ["1", " "], ["1", "2020-01-02"], ["nan", "2020-01-02"], ["NaN", "x"]),
        *(
            ["2020-01-02 03:04"],
            ["2020-01"],
            ["2020.01.02"],
            ["20200102T030405"],
            ["Jan 2 2020"],
            ["2020-02-30"],
        ),
        *(
            ["24:00:00"],
            [" 2020-01-02"],
            ["2020-01-02T03:04:05z"],
            ["10000-01-01"],
            ["0000-01-01"],
            ["-2020-01-02"],
        ),
        *(["13/02-2020"], ["2020-01/02"], ["2020-01-02Z"], ["2020-01-02 03:04:05 AM"], ["02-Jan/2020"]),
        *(["13/02/2020 13:04 PM"], ["13/02/2020 0:04 PM"], ["2020-01-02T03:04:05+24:00"], ["31/04/2020"]),
        *(
            ["01/02/2020", "03/04/2020"],
            ["01/02/20"],
            ["13/01/20"],
            ["2-Jan-20"],
            ["02/13/2020", "13/02/2020"],
        ),
        *(["2020-01-01", "01/02/2020"], ["2020-01-01T00:00:00Z", "2020-01-01"]),
        *(["3000-01-01", "2020-01-01 00:00:00.123456789"],),
    ],
)
def test_what_is_nothing_else_stays_text(texts):
    array = type_texts(texts)
    assert array.type == TEXT
    assert array.to_pylist() == texts


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["2020-01-02", "2020/1/3", None], [date(2020, 1, 2), date(2020, 1, 3), None]),
        (["2020-01-02", "2020-01-02 10:00:00"], [date(2020, 1, 2), date(2020, 1, 2, 10)]),
        (
            ["2020-1-2T3:4:5", "2020-01-02  03:04:05.5"],
            [date(2020, 1, 2, 3, 4, 5), date(2020, 1, 2, 3, 4, 5, 500000)],
        ),
        (
            ["2020-01-02T03:04:05+02:00", "2020-01-02 03:04:05 UTC"],
            [date(2020, 1, 2, 1, 4, 5), date(2020, 1, 2, 3, 4, 5)],
        ),
        (["2020-01-02 23:59:60", "2020-01-02 10:30:60"], [date(2020, 1, 3), date(2020, 1, 2, 10, 31)]),
        (["01/02/2020", "13/02/2020"], [date(2020, 2, 1), date(2020, 2, 13)]),
        (["01-02-2020", "01-13-2020"], [date(2020, 1, 2), date(2020, 1, 13)]),
        (["2020-01-01", "13/02/2020"], [date(2020, 1, 1), date(2020, 2, 13)]),
        (["1/13/2020 3:04 PM", "01/13/2020 15:04"], [date(2020, 1, 13, 15, 4)] * 2),
        (["13/02/2020 12:04:05am"], [date(2020, 2, 13, 0, 4, 5)]),
        (["02-Jan-2020", "3/FEB/2020"], [date(2020, 1, 2), date(2020, 2, 3)]),
    ],
)
def test_dates(texts, values):
    array = type_texts(texts)
    assert array.type == NS
    assert array.to_pylist() == values


def test_nanoseconds_are_kept_and_far_years_are_microseconds():
    assert type_texts(["2020-01-02T03:04:05.123456789"]).cast(INT).to_pylist() == [1577934245123456789]
    far = type_texts(["3000-01-01", "0001-01-01", "9999-12-31"])
    assert far.type == US
    assert [value.year for value in far.to_pylist()] == [3000, 1, 9999]


CELLS = st.lists(
    st.sampled_from(
        [
            "0",
            "1",
            "5",
            "+1",
            "00",
            "9223372036854775808",
            "1.5",
            "1e5",
            "nan",
            "inf",
            "true",
            "F",
            "x",
            "",
            " ",
            None,
        ]
    )
    | st.sampled_from(
        ["2020-01-02", "2020-01-02 03:04:05", "3000-01-01", "13/02/2020", "02/13/2020", "01/02/2020"]
    )
    | st.integers().map(str)
    | st.floats().map(repr)
    | st.datetimes().map(lambda value: value.isoformat(" "))
    | st.dates().map(str)
    | st.text(max_size=3),
    max_size=6,
)


@given(CELLS)
def test_seeing_quickly_gives_the_same_type_as_classifying(cells):
    texts = pa.array(cells, TEXT)
    assert type_of(see(texts)) == type_of(Seen(int(np.bitwise_or.reduce(classify(texts), initial=0))))


@given(CELLS, CELLS)
def test_what_two_parts_are_is_what_the_whole_is(one, two):
    parts = see(pa.array(one, TEXT)) | see(pa.array(two, TEXT))
    assert type_of(parts) == type_of(see(pa.array(one + two, TEXT)))


@given(CELLS, CELLS)
def test_a_cell_fits_a_type_exactly_where_it_does_not_change_it(sample, later):
    guess = type_of(see(pa.array(sample, TEXT)))
    if guess.arrow == TEXT:
        return
    texts = pa.array(later, TEXT)
    converted = convert(texts, guess)
    misfits = find_misfits(texts, guess)
    whole = type_of(see(pa.array(sample + later, TEXT)))
    assert (converted == misfits) if isinstance(converted, Misfits) else (misfits is None)
    assert (misfits is None) == (whole == guess)


@given(CELLS)
def test_values_are_those_that_python_reads(cells):
    texts = pa.array(cells, TEXT)
    array = type_texts(cells)
    read = {INT: int, FLOAT: float}.get(array.type)
    if read is not None:
        assert repr(array.to_pylist()) == repr(
            [read(cell) if cell and cell.strip() else None for cell in cells]
        )
    assert len(array) == len(texts)


@given(st.lists(st.integers(-(2**70), 2**70) | st.floats(allow_nan=False), max_size=5))
def test_rounded_integers_are_found(numbers):
    texts = pa.array(map(str, numbers), TEXT)
    rounded = [isinstance(n, int) and (float(n) != n or not -(2**63) <= n < 2**63) for n in numbers]
    found = find_rounded(texts, texts.cast(FLOAT))
    assert found == (Misfits(sum(rounded), rounded.index(True)) if any(rounded) else None)
