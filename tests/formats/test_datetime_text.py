"""Texts to datetimes: what each format reads, which formats are refused, and Python's own parser as the judge."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import ArgumentError
from mltable_lite.formats.datetime_text import DatetimeFormats
from mltable_lite.formats.text_values import parse_datetimes


def moment(text, formats, constant=None):
    """Return what one text is, as ISO text, or None."""
    parsed = parse_datetimes(pa.array([text]), (formats,) if isinstance(formats, str) else formats, constant)
    assert parsed.failed[0].as_py() == (parsed.values[0].as_py() is None)
    value = parsed.values.cast(pa.timestamp("ns") if parsed.values.type.unit == "ns" else pa.timestamp("us"))
    return value.cast(pa.string())[0].as_py()


DAY = "2020-01-02 00:00:00.000000"
MINUTE = "2020-01-02 03:04:00.000000"
SECOND = "2020-01-02 03:04:05.000000"
DATETIME_TABLE = [
    ("%Y-%m-%d", "2020-01-02", DAY),
    ("%Y-%m-%d", "2020-1-2", DAY),
    ("%Y-%m-%d", " 2020-01-02 ", DAY),
    ("%Y-%m-%d", "2020- 01-02", DAY),
    ("%Y-%m-%d", "+2020-01-02", DAY),
    ("%Y-%m-%d", "0020-01-02", "0020-01-02 00:00:00.000000"),
    ("%Y-%m-%d", "9999-12-31", "9999-12-31 00:00:00.000000"),
    ("%Y-%m-%d", "20-01-02", None),
    ("%Y-%m-%d", "0000-01-02", None),
    ("%Y-%m-%d", "12020-01-02", None),
    ("%Y-%m-%d", "2020-001-02", None),
    ("%Y-%m-%d", "2020-02-30", None),
    ("%Y-%m-%d", "2020-13-01", None),
    ("%Y-%m-%d", "2020-00-01", None),
    ("%Y-%m-%d", "2020-01-02x", None),
    ("%Y-%m-%d", "2020 -01-02", None),
    ("%Y-%m-%d", "", None),
    ("%Y-%m-%d", "2020-02-29", "2020-02-29 00:00:00.000000"),
    ("%Y-%m-%d", "1900-02-29", None),
    ("%Y", "2020", "2020-01-01 00:00:00.000000"),
    ("%Y-%m", "2020-05", "2020-05-01 00:00:00.000000"),
    ("%Y-%d", "2020-05", "2020-01-05 00:00:00.000000"),
    ("%F", "2020-01-02", DAY),
    ("%D", "1/2/20", DAY),
    ("%x", "01/02/20", DAY),
    ("%v", "2-Jan-2020", DAY),
    ("%y-%m-%d", "69-01-02", "2069-01-02 00:00:00.000000"),
    ("%y-%m-%d", "70-01-02", "1970-01-02 00:00:00.000000"),
    ("%C%y-%m-%d", "2020-01-02", DAY),
    ("%y%m%d", "200102", DAY),
    ("%Y%m%d", "20200102", DAY),
    ("%Y%m%d", "2020112", "2020-11-02 00:00:00.000000"),
    ("%Y%m%d", "2020 1 2", DAY),
    ("%Y%m%d", "20201", None),
    ("%d%m%Y", "12 2020", None),
    ("%m%d%Y", "1022020", None),
    ("%-d/%_m/%Y", "2/1/2020", DAY),
    ("%Y-%j", "2020-033", "2020-02-02 00:00:00.000000"),
    ("%Y-%j", "2019-366", None),
    ("%Y-%m-%d %j", "2020-01-02 002", DAY),
    ("%Y-%m-%d %j", "2020-01-02 003", None),
    ("%G-W%V-%u", "2020-W01-4", DAY),
    ("%G-W%V-%u", "2021-W53-1", None),
    ("%G-W%V-%u", "2020-W53-5", "2021-01-01 00:00:00.000000"),
    ("%s", "1577934245", SECOND),
    ("%s %z", "1577934245 +0200", SECOND),
    ("%s", "-1", "1969-12-31 23:59:59.000000"),
    ("%Y-%b-%d", "2020-jan-02", DAY),
    ("%Y-%b-%d", "2020-JAN-02", DAY),
    ("%Y-%b-%d", "2020-January-02", None),
    ("%Y-%h-%d", "2020-jan-02", DAY),
    ("%d %B %Y", "2 january 2020", DAY),
    ("%d %B %Y", "2 Jan 2020", DAY),
    ("%d %B %Y", "2 janu 2020", None),
    ("%Y-%m-%d %a", "2020-01-02 THU", DAY),
    ("%Y-%m-%d %a", "2020-01-02 Fri", None),
    ("%Y-%m-%d %A", "2020-01-02 thursday", DAY),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 03:04:05", SECOND),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02  3:4:5", SECOND),
    ("%Y-%m-%d %H:%M:%S", "2020-01-0203:04:05", SECOND),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02T03:04:05", None),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 24:00:00", None),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 03:60:00", None),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 03:04:60", "2020-01-02 03:05:00.000000"),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 03:04:61", None),
    ("%Y-%m-%d %T", "2020-01-02 03:04:05", SECOND),
    ("%Y-%m-%d %X", "2020-01-02 03:04:05", SECOND),
    ("%Y-%m-%d %R", "2020-01-02 03:04", MINUTE),
    ("%Y-%m-%d%n%k:%M", "2020-01-02  3:04", MINUTE),
    ("%Y-%m-%d %I:%M %p", "2020-01-02 03:04 PM", "2020-01-02 15:04:00.000000"),
    ("%Y-%m-%d %I:%M %P", "2020-01-02 12:04am", "2020-01-02 00:04:00.000000"),
    ("%Y-%m-%d %I:%M %p", "2020-01-02 12:04 pm", "2020-01-02 12:04:00.000000"),
    ("%Y-%m-%d %I:%M %p", "2020-01-02 13:04 PM", None),
    ("%Y-%m-%d %I:%M %p", "2020-01-02 00:04 AM", None),
    ("%Y-%m-%d %H %p", "2020-01-02 15 PM", "2020-01-02 15:00:00.000000"),
    ("%Y-%m-%d %H %p", "2020-01-02 03 PM", None),
    ("%Y-%m-%d %r", "2020-01-02 03:04:05 AM", SECOND),
    ("%Y-%m-%d %l %p", "2020-01-02  3 AM", "2020-01-02 03:00:00.000000"),
    ("%Y-%m-%d %H:%M:%S%3f", "2020-01-02 03:04:05678", "2020-01-02 03:04:05.678000"),
    ("%Y-%m-%d %H:%M:%S.%6f", "2020-01-02 03:04:05.678901", "2020-01-02 03:04:05.678901"),
    ("%Y-%m-%d %H:%M:%S.%6f", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999"),
    ("%Y-%m-%d %H:%M:%S.%f", "2020-01-02 03:04:05.678", SECOND.replace("000000", "678000000")),
    ("%Y-%m-%d %H:%M:%S.%f", "2020-01-02 03:04:05", SECOND + "000"),
    ("%Y-%m-%d %H:%M:%S.%f", "2020-01-02 03:04:05.", None),
    ("%Y-%m-%d %H:%M:%S.%f", "2020-01-02 03:04:05678", None),
    ("%Y-%m-%d %H:%M:%S.%f", "2020-01-02 03:04:05.123456789", SECOND.replace("000000", "123456789")),
    ("%Y-%m-%d %H:%M:%S.%f", "9999-12-31 23:59:59.5", None),
    ("%Y-%m-%d %H:%M:%S%.f", "2020-01-02 03:04:05.678", SECOND.replace("000000", "678000000")),
    ("%Y-%m-%d %H:%M:%S,%f", "2020-01-02 03:04:05,678", SECOND.replace("000000", "678000000")),
    ("%Y-%m-%d %H:%M:%S%f", "2020-01-02 03:04:05.678", None),
    ("%Y-%m-%d %H:%M:%S", "2020-01-02 03:04:05.678", None),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T05:04:05+0200", SECOND),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T05:04:05 +02:00", SECOND),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-01T23:34:05-03:30", SECOND),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T03:04:05Z", SECOND),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T03:04:05+02", None),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T03:04:05+0260", None),
    ("%Y-%m-%dT%H:%M:%S%z", "2020-01-02T03:04:05+2500", None),
    ("%Y-%m-%dT%H:%M:%S%:z", "2020-01-02T05:04:05+02:00", SECOND),
    ("%Y-%m-%dT%H:%M:%S%#z", "2020-01-02T05:04:05+02", SECOND),
    ("%+", "2020-01-02T05:04:05+02:00", SECOND + "000"),
    ("%+", "2020-01-02t03:04:05.5z", SECOND.replace("000000", "500000000")),
    ("%+", "2020-01-02T03:04:05", None),
    ("%+", "2020-1-2T03:04:05Z", None),
    ("%Y-%m-%d %H:%M:%S %Z", "2020-01-02 03:04:05 UTC", SECOND),
    ("%Y-%m-%d %H:%M:%S %Z", "2020-01-02 03:04:05 GMT", SECOND),
    ("%Y-%m-%d %H:%M:%S %Z", "2020-01-02 03:04:05 EST", None),
    ("%Y-%m-%d 100%%", "2020-01-02 100%", DAY),
    ("Date: %Y", "Date: 2020", "2020-01-01 00:00:00.000000"),
    ("Date: %Y", "date: 2020", None),
    ("%Y (é+) %m", "2020 (é+) 02", "2020-02-01 00:00:00.000000"),
    ("%Y-%m-%d %Y", "2020-01-02 2020", DAY),
    ("%Y-%m-%d %Y", "2020-01-02 2021", None),
]


@pytest.mark.parametrize(("form", "text", "value"), DATETIME_TABLE)
def test_a_datetime_text_means(form, text, value):
    assert moment(text, form) == value


def test_formats_are_tried_in_order_also_after_a_field_out_of_range():
    both = ("%m/%d/%Y", "%d/%m/%Y")
    assert moment("13/02/2020", both) == "2020-02-13 00:00:00.000000"
    assert moment("01/02/2020", both) == "2020-01-02 00:00:00.000000"
    parsed = parse_datetimes(
        pa.array(["2020-01-02", "x", None, "2020-01-02 03:04:05"]), ("%Y-%m-%d", "%Y-%m-%d %T")
    )
    assert parsed.failed.to_pylist() == [False, True, False, False]
    assert parsed.values.to_pylist() == [
        dt.datetime(2020, 1, 2),
        None,
        None,
        dt.datetime(2020, 1, 2, 3, 4, 5),
    ]


def test_the_constant_stands_before_every_value():
    assert moment("03:04:05", "%Y-%m-%d %H:%M:%S", "2020-01-02") == SECOND
    assert moment("2020-05-06 03:04:05", "%Y-%m-%d %H:%M:%S", "2020-01-02") is None


def test_the_constant_is_the_date_of_a_format_without_one():
    assert moment("03:04:05", "%H:%M:%S", "2020-01-02") == SECOND


@pytest.mark.parametrize(
    ("form", "constant", "match"),
    [
        ("%H:%M:%S", None, "says a time but no date.*Give date_constant"),
        ("%X", None, "says a time but no date"),
        ("%H:%M:%S", "today", "date_constant 'today' is not a date"),
        ("%H:%M:%S", "2020-13-01", "date_constant '2020-13-01' is not a date"),
        ("%m-%d", None, "says no year"),
        ("%G-%V", None, "needs %G, %V and %u together"),
        ("%Y-%m-%d %I:%M", None, "12-hour clock"),
        ("%Y-%m-%d %p", None, "without an hour"),
        ("%C-%m", None, "without %y"),
        ("%s %Y", None, "whole instant"),
        ("%Q", None, r"'%Q' in format '%Q' is not known; accepted: .*%Y"),
        ("%Y-%m-%d %c", None, "'%c' in format"),
        ("yyyy-MM-dd HH:mm:ss", None, "Did you mean '%Y-%m-%d %H:%M:%S'"),
        ("", None, "has no directive"),
        ("%Y-%", None, "ends in '%'"),
    ],
)
def test_a_format_that_cannot_give_an_instant_is_refused(form, constant, match):
    with pytest.raises(ArgumentError, match=match):
        parse_datetimes(pa.array(["x"]), (form,), constant)


@pytest.mark.parametrize(
    ("formats", "unit"),
    [
        (("%Y-%m-%d",), "us"),
        (("%Y-%m-%d %T.%6f",), "us"),
        (("%Y-%m-%d %T.%f",), "ns"),
        (("%Y", "%Y-%m-%d %T%.f"), "ns"),
        (("%+",), "ns"),
    ],
)
def test_the_formats_alone_decide_the_unit(formats, unit):
    assert DatetimeFormats(formats).type == pa.timestamp(unit)
    for texts in ([], ["x"], ["2020"]):
        assert parse_datetimes(pa.array(texts, pa.string()), formats).values.type == pa.timestamp(unit)


def test_digits_beyond_nanoseconds_are_told():
    texts = pa.array(["2020-01-02 00:00:00.1234567899", "2020-01-02 00:00:00.1234567890"])
    assert parse_datetimes(texts, ("%F %T.%f",)).lossy.to_pylist() == [True, False]


FORMATS_OF_PYTHON = [
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d",
    "%d.%m.%Y %H:%M",
    "%Y%m%d%H%M%S",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%H:%M:%S.%fZ %Y-%m-%d",
    "%d-%b-%Y",
    "%A, %d %B %Y %I:%M:%S %p",
    "%Y-%m-%dT%H:%M:%S%z",
    "%G-W%V-%u",
    "%Y-%j",
    "%m/%d/%y",
]
moments = st.datetimes(
    min_value=dt.datetime(1970, 1, 1), max_value=dt.datetime(2068, 12, 31), timezones=st.just(dt.UTC)
)


@given(st.lists(moments, min_size=1, max_size=20), st.sampled_from(FORMATS_OF_PYTHON))
def test_what_python_writes_and_reads_is_read_alike(values, form):
    texts = [value.strftime(form) for value in values]
    expected = [dt.datetime.strptime(text, form).replace(tzinfo=None) for text in texts]
    parsed = parse_datetimes(pa.array(texts), (form,))
    assert parsed.values.cast(pa.timestamp("us")).to_pylist() == expected
    assert parsed.failed.true_count == parsed.lossy.true_count == 0


FIXED_FORMATS = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y%m%d",
    "%d/%m/%Y",
    "%H:%M:%S.%fZ %F",
    "%F %T.%f",
    "%y%m%d",
    "%F %F",
]
nearly_dates = st.from_regex(
    r"[0-9]{2,4}[-/ ]?[0-9]{1,2}[-/]?[0-9]{1,2}( [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,10})?)?", fullmatch=True
)
exact_dates = st.sampled_from(
    ["2020-01-02", "2020-01-32", "20200102", "13/02/2020", "2020-01-02 03:04:05.5", "0000-01-01"]
)


@given(st.lists(st.none() | nearly_dates | exact_dates, max_size=12), st.sampled_from(FIXED_FORMATS))
def test_reading_by_position_gives_what_the_expression_gives(texts, form):
    compiled = DatetimeFormats((form,))
    slow = DatetimeFormats((form,))
    slow._formats = tuple(replace(f, ways=f.ways[-1:]) for f in slow._formats)
    array = pa.array(texts, pa.string())
    for left, right in zip(compiled.parse(array), slow.parse(array), strict=True):
        assert left.equals(right)


def test_reading_by_position_is_what_reads_fixed_widths():
    layout, expression = DatetimeFormats(("%Y-%m-%d",))._formats[0].ways
    texts = pa.array(["2020-01-02", None, "2020-1-2", "2020-01-0é"])
    assert layout.extract(texts)[0].tolist() == [0]
    assert expression.extract(texts)[0].tolist() == [0, 2]


def test_repeated_texts_give_the_same_as_single_ones():
    distinct = ["2020-01-02", "x", None, "2021-02-03 "]
    alone = parse_datetimes(pa.array(distinct), ("%Y-%m-%d",))
    many = parse_datetimes(pa.array(distinct * 1000), ("%Y-%m-%d",))
    assert many.values.to_pylist() == alone.values.to_pylist() * 1000
    assert many.failed.to_pylist() == alone.failed.to_pylist() * 1000
    assert many.lossy.to_pylist() == alone.lossy.to_pylist() * 1000


def test_every_day_of_the_calendar_is_read():
    days = np.arange("0001-01-01", "2401-01-01", 13, dtype="datetime64[D]")
    texts = pc.strftime(pa.array(days).cast(pa.timestamp("s")), "%Y-%m-%d")
    assert np.array_equal(
        np.asarray(parse_datetimes(texts, ("%Y-%m-%d",)).values), days.astype("datetime64[us]")
    )
