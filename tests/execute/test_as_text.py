"""Values as texts: what each kind of value looks like, and that a float's text means the same float."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.execute.as_text import as_text
from mltable_lite.execute.fields import field_of
from mltable_lite.formats.text_values import parse_float
from mltable_lite.types import Kind


def kind_of(array):
    return field_of(pa.field("v", array.type)).kind


@pytest.mark.parametrize(
    ("array", "texts"),
    [
        (
            pa.array([1.0, 2.5, 1e20, 1e-7, 0.1, -0.0]),
            ["1", "2.5", "100000000000000000000", "0.0000001", "0.1", "-0"],
        ),
        (pa.array([math.nan, math.inf, -math.inf, 1e16]), ["NaN", "inf", "-inf", "10000000000000000"]),
        (pa.array([0.1, 16777216], pa.float32()), ["0.10000000149011612", "16777216"]),
        (pa.array([0.5], pa.float16()), ["0.5"]),
        (pa.array([2**63], pa.uint64()), ["9223372036854775808"]),
        (pa.array([Decimal("1.50"), Decimal("-3.00"), Decimal("0.00")]), ["1.5", "-3", "0"]),
        (
            pa.array([Decimal("0.0000000100"), Decimal(0), Decimal(100)], pa.decimal128(20, 10)),
            ["0.00000001", "0", "100"],
        ),
        (pa.array([dt.time(0, 0), dt.time(10, 0, 0, 100)]), ["00:00:00", "10:00:00.0001"]),
        (pa.array([Decimal("1E+5")], pa.decimal128(6, -3)), ["100000"]),
        (pa.array([Decimal(100), Decimal(0)], pa.decimal128(6, 0)), ["100", "0"]),
        (pa.array([dt.date(1, 1, 1)]), ["0001-01-01T00:00:00+00:00"]),
        (pa.array([dt.date(2020, 1, 2)], pa.date64()), ["2020-01-02T00:00:00+00:00"]),
        (
            pa.array([1, 1_500_000_000], pa.timestamp("s")),
            ["1970-01-01T00:00:01+00:00", "2017-07-14T02:40:00+00:00"],
        ),
        (
            pa.array([678_000, 678_901, 0], pa.timestamp("us")),
            [f"1970-01-01T00:00:00{f}+00:00" for f in (".678", ".678901", "")],
        ),
        (
            pa.array([1, 100_000_000], pa.timestamp("ns")),
            [f"1970-01-01T00:00:00{f}+00:00" for f in (".000000001", ".100")],
        ),
        (
            pa.array([dt.datetime(2020, 6, 1)], pa.timestamp("us", "Europe/Paris")),
            ["2020-06-01T00:00:00+00:00"],
        ),
        (pa.array([dt.datetime(2020, 6, 1)], pa.timestamp("ms", "+05:30")), ["2020-06-01T00:00:00+00:00"]),
        (pa.array([dt.time(3, 4, 5, 678000)]), ["03:04:05.678"]),
        (pa.array([10], pa.time32("s")), ["00:00:10"]),
        (
            pa.array([10**18, -(2**63), 2**40], pa.int64()).view(pa.timestamp("us")),
            [
                "33658-09-27T01:46:40+00:00",
                "-290308-12-21T19:59:05.224192+00:00",
                "1970-01-13T17:25:11.627776+00:00",
            ],
        ),
        (
            pa.array([-(2**63)], pa.int64()).view(pa.timestamp("s")),
            ["-292277022657-01-27T08:29:52+00:00"],
        ),
        (
            pa.array([2**31 - 1, 0], pa.int32()).view(pa.date32()),
            ["5881580-07-11T00:00:00+00:00", "1970-01-01T00:00:00+00:00"],
        ),
        (pa.array([100_000, -1], pa.int32()).view(pa.time32("s")), ["27:46:40", "-00:00:01"]),
        (pa.array([[10**14]], pa.list_(pa.int64())).cast(pa.list_(pa.time64("us"))), ["[27777:46:40]"]),
        (pa.array([1500, -1], pa.duration("ms")), ["PT1.5S", "PT-0.001S"]),
        (pa.array([[1, None], []]), ["[1, null]", "[]"]),
        (pa.array([["x", None, 'a"b\\c']]), ['["x", null, "a\\"b\\c"]']),
        (pa.array([[True, False]]), ["[true, false]"]),
        (pa.array([[1.0, math.nan, 1e20]]), ["[1, NaN, 100000000000000000000]"]),
        (pa.array([[dt.datetime(2020, 1, 2)]]), ["[2020-01-02T00:00:00+00:00]"]),
        (pa.array([[{"a": 1, "b": "x"}, None]]), ['[{"a": 1, "b": "x"}, null]']),
        (pa.array([[[1], None, [2, 3]]]), ["[[1], null, [2, 3]]"]),
        (pa.array([[1, 2]], pa.list_(pa.int64(), 2)), ["[1, 2]"]),
        (pa.array([["x"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))), ['["x"]']),
        (
            pa.array([{"a": 1, "b": "c", "d": None, "e": True, "f": {"g": "h i"}}]),
            ["{a: 1, b: c, d: Null, e: True, f: {g: h i}}"],
        ),
        (pa.array([{"l": ["q"], "e": 1e20}]), ['{l: ["q"], e: 100000000000000000000}']),
        (pa.array([{}], pa.struct([])), ["{}"]),
        (pa.array([None, [("b", None)]], pa.map_(pa.string(), pa.int64())).slice(1), ["{b: Null}"]),
    ],
)
def test_a_value_as_text_is(array, texts):
    assert as_text(array, kind_of(array)).to_pylist() == texts
    sliced = pa.concat_arrays([array, pa.nulls(1, array.type), array]).slice(len(array))
    assert as_text(sliced, kind_of(array)).to_pylist() == [None, *texts]


@given(st.lists(st.none() | st.floats(), max_size=30))
def test_a_float_comes_back_from_its_text(numbers):
    texts = as_text(pa.array(numbers, pa.float64()), Kind.FLOAT)
    assert not any("e" in text for text in texts.to_pylist() if text is not None)
    again = parse_float(texts)
    assert again.failed.true_count == again.lossy.true_count == 0
    assert [repr(number) for number in again.values.to_pylist()] == [repr(number) for number in numbers]
