"""Checks of the sections on delimited text."""

from __future__ import annotations

import datetime as dt

import pytest
from docs.rows import dtypes, read, row, values

from mltable_lite import DataType, MLTableHeaders, errors
from mltable_lite.errors import ConversionWarning, TypeWidenedWarning


def guessed(make, *cells):
    assert values(make.column(*cells), "v") == list(cells)


def widened(make, usual, late, dtype, last):
    table = make.late(usual, late)
    assert dtypes(read(table, TypeWidenedWarning))[1] == dtype
    assert values(table, "v", TypeWidenedWarning)[-1] == last


# --------------------------------------------------------------------------- types
@row("bits")
def bits(make):
    frame = read(make.column("0", "1"))
    assert dtypes(frame)[1] == "int64"
    assert frame["v"].tolist() == [0, 1]


@row("signed-bits")
def signed_bits(make):
    assert values(make.column("00", "01", "+1"), "v") == [0, 1, 1]
    guessed(make, "true", "00")


@row("late-after-bits")
def late_after_bits(make):
    frame = read(make.late("1", "5"))
    assert dtypes(frame)[1] == "int64"
    assert frame["v"].tolist()[-1] == 5


@row("late-text-in-int")
def late_text_in_int(make):
    widened(make, "2", "abc", "str", "abc")
    widened(make, "2", '"1,000"', "str", "1,000")
    widened(make, "2", "2020-01-01", "str", "2020-01-01")


@row("late-fraction-in-int")
def late_fraction_in_int(make):
    widened(make, "2", "1.5", "float64", 1.5)


@row("late-nan-in-int")
def late_nan_in_int(make):
    widened(make, "2", "NaN", "float64", None)
    widened(make, "2", "inf", "float64", float("inf"))


@row("late-text-in-float")
def late_text_in_float(make):
    widened(make, "2.5", "x", "str", "x")


@row("late-word-in-bool")
def late_word_in_bool(make):
    widened(make, "true", "perhaps", "str", "perhaps")


@row("late-date-form")
def late_date_form(make):
    table = make.late("2020-01-01", "2020-01-02 10:00:00")
    assert values(table, "v")[-1] == dt.datetime(2020, 1, 2, 10)
    widened(make, "2020-01-01", "13/02/2020", "datetime64[ns]", dt.datetime(2020, 2, 13))
    widened(make, "2020-01-01", "01/02/2020", "str", "01/02/2020")


@row("late-in-stream")
def late_in_stream(make):
    line = SAMPLE_AND_HEADER + 1
    with pytest.raises(
        errors.SchemaMismatchError,
        match=rf"0\.csv:{line} column 'v': 'abc'.*(?s:.*)columns: v, column_type: string",
    ):
        make.late("1", "abc").to_arrow_batches().read_all()


SAMPLE_AND_HEADER = 201


@row("late-new-column")
def late_new_column(make):
    frame = read(make.late("", "7"), TypeWidenedWarning)
    assert frame["v"].tolist()[-1] == 7


@row("date-ambiguous")
def date_ambiguous(make):
    guessed(make, "01/02/2020", "03/04/2020")


@row("date-two-digit-year")
def date_two_digit_year(make):
    for cell in ("1/2/20", "01/13/20", "2-Mar-20"):
        guessed(make, cell, cell)


@row("date-mixed-order")
def date_mixed_order(make):
    guessed(make, "2020-01-01", "01/02/2020")


@row("date-order-by-column")
def date_order_by_column(make):
    table = make.column("01/02/2020", "13/02/2020 10:00:00")
    assert values(table, "v") == [dt.datetime(2020, 2, 1), dt.datetime(2020, 2, 13, 10)]
    guessed(make, "02/13/2020", "13/02/2020 10:00:00")


@row("date-mixed-zones")
def date_mixed_zones(make):
    guessed(make, "2020-01-01T00:00:00", "2020-01-01T00:00:00Z")


@row("date-far")
def date_far(make):
    frame = read(make.column("3000-01-01", "0001-01-01"))
    assert dtypes(frame)[1] == "datetime64[us]"
    assert frame["v"].tolist() == [dt.datetime(3000, 1, 1), dt.datetime(1, 1, 1)]
    guessed(make, "0000-01-01", "2020-01-01")


@row("quoted-empty")
def quoted_empty(make):
    assert values(make.csv('a,b\n1,x\n"",""\n'), "a") == [1.0, None]


@row("empty-as-string")
def empty_as_string(make):
    frame = read(make.csv("a,b\n1,x\n,\n", empty_as_string=True))
    assert dtypes(frame) == ["float64", "str"]
    assert frame["b"].tolist() == ["x", ""]


def override(kind):
    return {"infer_column_types": {"column_type_overrides": {"v": kind}}}


@row("override-bool-error")
def override_bool_error(make):
    with pytest.raises(errors.ConversionError, match="'maybe'"):
        read(make.column("yes", "maybe", **override(DataType.to_bool(["yes"], ["no"], "error"))))


@row("override-late")
def override_late(make):
    infer = {"sample_size": 1, "column_type_overrides": {"b": "int"}}
    different = MLTableHeaders.all_files_different_headers
    table = make.csv("a\n1\n2\n", "a,b\n3,4\n", header=different, infer_column_types=infer)
    assert values(table, "b") == [None, None, 4]


@row("override-int")
def override_int(make):
    table = make.column("1.5", "NaN", "inf", **override("int"))
    assert values(table, "v", ConversionWarning, ConversionWarning) == [1.0, None, None]


# --------------------------------------------------------------------------- lines
def two_columns(make, text, **options):
    frame = read(make.csv(text, **options))
    assert list(frame) == ["a", "b"]
    assert frame.to_numpy().tolist() == [[1, 2]]


@row("quote-over-lines")
def quote_over_lines(make):
    with pytest.raises(errors.InvalidLineError, match=r"0\.csv:2"):
        read(make.csv('a,b\n"x\ny,2\n'))


@row("quote-never-closed")
def quote_never_closed(make):
    with pytest.raises(errors.InvalidLineError, match=r"0\.csv:2.*never closed"):
        read(make.csv('a,b\n"x\ny,2\n', support_multi_line=True))


@row("multi-line-blank-lines")
def multi_line_blank_lines(make):
    two_columns(make, "a,b\n\n1,2\n\n", support_multi_line=True)


@row("blank-crlf-lines")
def blank_crlf_lines(make):
    two_columns(make, "a,b\r\n\r\n1,2\r\n\r\n")


@row("empty-name-position")
def empty_name_position(make):
    assert list(read(make.csv("a,b,\n1,2,3\n", include_path_column=True))) == ["Path", "a", "b", "Column3"]


@row("cr-only")
def cr_only(make):
    two_columns(make, "a,b\r1,2\r")


@row("header-only")
def header_only(make):
    assert list(read(make.csv("a,b\n"))) == ["a", "b"]


@row("header-differs")
def header_differs(make):
    with pytest.raises(errors.SchemaMismatchError, match=r"1\.csv:1: the header is \[b, a\].*\[a, b\]"):
        read(make.csv("a,b\n1,2\n", "b,a\n1,2\n"))


@row("two-character-delimiter")
def two_character_delimiter(make):
    two_columns(make, "a::b\n1::2\n", delimiter="::")


@row("backslash-t-delimiter")
def backslash_t_delimiter(make):
    two_columns(make, "a\tb\n1\t2\n", delimiter="\\t")


@row("non-ascii-delimiter")
def non_ascii_delimiter(make):
    two_columns(make, "a§b\n1§2\n", delimiter="§")


@row("utf16-big-endian")
def utf16_big_endian(make):
    two_columns(make, "\ufeffa,b\n1,2\n".encode("utf-16-be"), encoding="utf16")


@row("more-encodings")
def more_encodings(make):
    two_columns(make, "\ufeffa,b\n1,2\n", encoding="utf8bom")
    table = make.steps(
        "{read_delimited: {encoding: utf8 bom}}", "[{file: a.csv}]", **{"a.csv": "\ufeffa\n1\n"}
    )
    assert values(table, "a") == [1]
    two_columns(make, "\ufeffa,b\n1,2\n".encode("utf-32-le"), encoding="utf32")
