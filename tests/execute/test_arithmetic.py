"""Numbers as floats, rounded and taken apart: as Python computes them, for every value."""

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mltable_lite.execute.arithmetic import as_float, rounded
from mltable_lite.execute.evaluate import evaluate, mask
from mltable_lite.execute.fields import field_of
from mltable_lite.expr import bind, parse

# What comes near a half, or near the end of what float64 tells apart.
HALVES = st.builds(lambda n, digits: (n + 0.5) / 10**digits, st.integers(-(10**7), 10**7), st.integers(0, 15))
SHORT = st.builds(lambda n, digits: n / 10**digits, st.integers(-(10**17), 10**17), st.integers(0, 17))
BINARY = st.builds(lambda n, bits: n / 2**bits, st.integers(-(2**54), 2**54), st.integers(0, 60))
LARGEST = st.builds(lambda n, digits: (2**53 + n) / 10**digits, st.integers(-4, 4), st.integers(0, 15))
NEXT = st.builds(math.nextafter, HALVES | LARGEST, st.sampled_from([math.inf, -math.inf]))


def passing(text, batch):
    return mask(bind(parse(text), [field_of(field) for field in batch.schema]), batch).to_pylist()


# --------------------------------------------------------------------------- round
def python_round(number, digits):
    if number is None or math.isnan(number):
        return number
    try:
        return round(number, digits)
    except OverflowError:  # where Python rounds the largest floats up, or is asked for an infinite one
        return number


@given(
    st.lists(st.none() | st.floats() | HALVES | SHORT | BINARY | LARGEST | NEXT, max_size=30),
    st.integers(0, 15),
)
@example([1.115, 2.675, 0.285, 0.1, 1.7976931348623157e308, -0.0, 5e-324, math.inf, None], 2)
def test_round_is_pythons(numbers, digits):
    found = rounded(pa.array(numbers, pa.float64()), digits).to_pylist()
    assert list(map(repr, found)) == [repr(python_round(number, digits)) for number in numbers]


def test_round_of_numbers_that_are_no_float64():
    assert rounded(pa.array([2**62 + 1, None]), 2).to_pylist() == [2**62 + 1, None]
    assert rounded(pa.array([0.1, 2.5], pa.float32()), 3).to_pylist() == [0.1, 2.5]
    assert rounded(pa.array([Decimal("2.675"), None]), 2).to_pylist() == [2.67, None]
    assert rounded(pa.array([1.25, 1.35])[1:], 1).to_pylist() == [round(1.35, 1)]


def test_round_in_a_filter_neither_loses_digits_nor_overflows():
    batch = pa.record_batch({"f": [0.1, 1.7e308, 1.115, None]})
    assert passing("round(f, 15) == f", batch) == [True, True, True, False]
    assert passing("round(f, 2) == 1.11", batch) == [False, False, True, False]
    assert passing("f < 10 and round(f, 1) == 0.1", batch) == [True, False, False, False]


# --------------------------------------------------------------------------- decimals as floats
@pytest.mark.parametrize(
    "kind",
    [
        pa.decimal32(9, 2),
        pa.decimal64(18, 3),
        pa.decimal128(10, 2),
        pa.decimal128(38, 30),
        pa.decimal128(10, -3),
        pa.decimal256(76, 0),
    ],
    ids=str,
)
@given(data=st.data())
def test_a_decimal_is_the_nearest_float(kind, data):
    most = 10**kind.precision - 1
    digits = st.integers(-most, most) | st.integers(-min(most, 10**17), min(most, 10**17))
    unscaled = data.draw(st.lists(st.none() | digits, max_size=10))
    numbers = [None if n is None else Decimal(f"{n}E{-kind.scale}") for n in unscaled]
    array = pa.array([None, Decimal(0), *numbers], kind).slice(2)
    assert as_float(array).to_pylist() == [None if n is None else float(n) for n in numbers]


def test_a_decimal_equals_the_float_that_has_its_digits():
    number = Decimal("-1754612.38")
    batch = pa.record_batch({"d": pa.array([number], pa.decimal128(10, 2)), "f": [float(number)], "g": [0.0]})
    for text in (
        "d == f",
        "f == d",
        "not d < f",
        "d * 1 == f",
        "d in [f]",
        "d == -1754612.38 + g",
        "coalesce(d, f) == f",
    ):
        assert passing(text, batch) == [True], text


# --------------------------------------------------------------------------- zeros
@pytest.mark.parametrize(
    "text", ["f in [-0.0]", "f in [0.0]", "f in [0]", "f in [1, -0.0, 0.0]", "not f not in [-0.0]"]
)
@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.float16()], ids=str)
def test_both_zeros_are_in_a_list_that_has_one(text, kind):
    array = pa.array(np.array([0.0, -0.0, 3.0], kind.to_pandas_dtype()))
    assert passing(text, pa.record_batch({"f": array})) == [True, True, False]


# --------------------------------------------------------------------------- parts of datetimes
@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_parts_of_a_datetime_beyond_the_years_of_arrow(unit):
    texts = ["67556-03-01T05:06:07", "-40000-12-31T23:00:00", "32768-01-01T00:00:00", "2020-02-29T01:00:00"]
    moments = np.array([*texts, "NaT"], f"datetime64[{unit}]")
    batch = pa.record_batch({"t": pa.array(moments), "n": [0, 1, 2, 3, 4]})
    parts = [evaluate(parse(f"{name}(t)"), batch) for name in ("year", "month", "day", "hour")]
    assert list(zip(*(part.to_pylist() for part in parts), strict=True)) == [
        (67556, 3, 1, 5),
        (-40000, 12, 31, 23),
        (32768, 1, 1, 0),
        (2020, 2, 29, 1),
        (None, None, None, None),
    ]
    if unit == "s":
        days = pa.array(moments.astype("datetime64[D]"))
        assert passing("year(d) == 67556 and day(d) == 1", pa.record_batch({"d": days})) == [
            True,
            *[False] * 4,
        ]


@given(st.lists(st.none() | st.datetimes(), min_size=1, max_size=10), st.sampled_from(["s", "ms", "us"]))
def test_parts_of_a_datetime_are_pythons_beside_one_that_is_beyond(moments, unit):
    near = pa.array(moments, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    far = pa.array(np.array(["67556-03-01"], f"datetime64[{unit}]"))
    batch = pa.record_batch({"t": pa.concat_arrays([near, far])})
    for name in ("year", "month", "day", "hour"):
        found = evaluate(parse(f"{name}(t)"), batch).to_pylist()
        assert found[:-1] == [None if m is None else getattr(m, name) for m in moments]


def test_a_moment_that_is_literal_has_its_parts():
    batch = pa.record_batch({"t": [dt.datetime(2020, 1, 2)]})
    assert passing("year(t) == 2020 and year(datetime(2020, 1, 1)) == 2020", batch) == [True]
