"""Delimited text where a reader may lose, change or hide cells: each with the exact answer, warning or error."""

from __future__ import annotations

import datetime as dt
import gzip
import math

from fidelity.fidelity_case import Case, by_name, warned

from mltable_lite.errors import (
    ConversionError,
    ConversionWarning,
    InvalidLineError,
    PrecisionWarning,
    SchemaMismatchError,
    TypeWidenedWarning,
)

TEXT_OVERRIDE = "column_type_overrides: [{columns: v, column_type: string}]"


def column(*cells: str) -> dict[str, str]:
    """Return a file with a text column and the column ``v`` of these cells."""
    return {"a.csv": "k,v\n" + "".join(f"x,{cell}\n" for cell in cells)}


def late(usual: str, *cells: str) -> dict[str, str]:
    """Return a file whose last cells come after 200 of another kind: the first of them stands in line 202."""
    return column(*[usual] * 200, *cells)


def guessed(name, cells, values, dtype, *warns):
    return Case(
        name,
        column(*cells),
        frame={"k": ["x"] * len(values), "v": values},
        dtypes=f"str {dtype}",
        warns=warns,
    )


def widened(name, usual, cells, values, dtype, *warns):
    return Case(
        name,
        late(usual, *cells),
        frame={"k": ["x"] * len(values), "v": values},
        dtypes=f"str {dtype}",
        tail=len(values),
        warns=warns,
    )


def misfit(count, first, line, was, now):
    return warned(
        TypeWidenedWarning,
        count,
        f"values are not {was}, as guessed from the first 200 rows: read as {now}",
        f"first: '{first}' at ",
        f"a.csv line {line}",
    )


TYPES = [
    guessed("integers_with_a_blank_keep_every_digit", ["9007199254740993", ""], [2**53 + 1, None], "Int64"),
    guessed("zeros_in_front_are_integers", ["00", "00"], [0, 0], "int64"),
    guessed("a_plus_is_an_integer", ["+1", "1"], [1, 1], "int64"),
    guessed("zero_one_is_an_integer", ["01", "0"], [1, 0], "int64"),
    guessed("only_zero_and_one_are_integers", ["0", "1"], [0, 1], "int64"),
    guessed(
        "integers_past_int64_are_floats_and_told",
        ["9223372036854775808", "5"],
        [2.0**63, 5.0],
        "float64",
        warned(PrecisionWarning, 1, "'9223372036854775808' at ", "a.csv line 2", TEXT_OVERRIDE),
    ),
    guessed("ambiguous_dates_are_text", ["01/02/2020", "03/04/2020"], ["01/02/2020", "03/04/2020"], "str"),
    guessed(
        "ambiguous_datetimes_are_text",
        ["1/2/2020 3:04:05 PM", "1/3/2020 3:04:05 PM"],
        ["1/2/2020 3:04:05 PM", "1/3/2020 3:04:05 PM"],
        "str",
    ),
    guessed("years_of_two_digits_are_text", ["01/02/20", "03/04/20"], ["01/02/20", "03/04/20"], "str"),
    guessed(
        "iso_and_ambiguous_dates_are_text", ["2020-01-01", "01/02/2020"], ["2020-01-01", "01/02/2020"], "str"
    ),
    guessed(
        "naive_and_zoned_are_text",
        ["2020-01-01", "2020-01-01T00:00:00Z"],
        ["2020-01-01", "2020-01-01T00:00:00Z"],
        "str",
    ),
    guessed(
        "far_years_are_kept",
        ["3000-01-01", "0001-01-01"],
        [dt.datetime(3000, 1, 1), dt.datetime(1, 1, 1)],
        "datetime64[us]",
    ),
    guessed(
        "an_offset_becomes_utc_and_is_told",
        ["2020-01-02T03:04:05+02:00", "2020-01-02T03:04:05Z"],
        [dt.datetime(2020, 1, 2, 1, 4, 5), dt.datetime(2020, 1, 2, 3, 4, 5)],
        "datetime64[ns]",
        warned(ConversionWarning, 1, "'2020-01-02T03:04:05+02:00' at ", "a.csv line 2", "in UTC"),
    ),
    Case(
        "a_quoted_empty_cell_is_null_in_a_column_of_numbers",
        {"a.csv": 'a,b\n5,x\n"",y\n,z\n'},
        frame={"a": [5.0, None, None], "b": ["x", "y", "z"]},
        dtypes="float64 str",
    ),
    Case(
        "empty_as_string_is_about_text",
        {"a.csv": "i,s,d\n5,x,2020-01-01\n,,\n"},
        "[{read_delimited: {empty_as_string: true}}]",
        frame={"i": [5.0, None], "s": ["x", ""], "d": [dt.datetime(2020, 1, 1), None]},
        dtypes="float64 str datetime64[ns]",
    ),
]

LATER = [
    widened(
        "text_in_integers", "5", ["abc", "6"], ["abc", "6"], "str", misfit(1, "abc", 202, "int64", "text")
    ),
    widened(
        "fractions_in_integers",
        "5",
        ["1.5", "2.9"],
        [1.5, 2.9],
        "float64",
        misfit(2, "1.5", 202, "int64", "float64"),
    ),
    widened(
        "nan_and_inf_in_integers",
        "5",
        ["NaN", "inf"],
        [None, math.inf],
        "float64",
        misfit(2, "NaN", 202, "int64", "float64"),
    ),
    widened(
        "overflow_in_integers",
        "5",
        ["9223372036854775808", "1e400"],
        [2.0**63, math.inf],
        "float64",
        misfit(2, "9223372036854775808", 202, "int64", "float64"),
        warned(PrecisionWarning, 1, "'9223372036854775808' at ", "a.csv line 202", TEXT_OVERRIDE),
        warned(PrecisionWarning, 1, "became infinite; first: '1e400' at ", "a.csv line 203", TEXT_OVERRIDE),
    ),
    widened("a_blank_in_integers", "5", ["", "6"], [None, 6.0], "float64"),
    widened(
        "a_date_in_integers",
        "5",
        ["2020-01-01"],
        ["2020-01-01"],
        "str",
        misfit(1, "2020-01-01", 202, "int64", "text"),
    ),
    widened("a_number_after_ones", "1", ["5", "2"], [5, 2], "int64"),
    widened("a_number_among_words", "true", ["5"], ["5"], "str", misfit(1, "5", 202, "bool", "text")),
    widened(
        "another_word_among_words", "true", ["yes"], ["yes"], "str", misfit(1, "yes", 202, "bool", "text")
    ),
    widened(
        "text_in_floats",
        "1.5",
        ["abc", "NaN", "inf"],
        ["abc", "NaN", "inf"],
        "str",
        misfit(1, "abc", 202, "float64", "text"),
    ),
    widened(
        "other_forms_of_dates",
        "2020-01-01",
        ["2020-01-02 10:00:00", "13/02/2020"],
        [dt.datetime(2020, 1, 2, 10), dt.datetime(2020, 2, 13)],
        "datetime64[ns]",
        misfit(1, "13/02/2020", 203, "a datetime", "a datetime (day first)"),
    ),
    widened(
        "text_in_dates", "2020-01-01", ["soon"], ["soon"], "str", misfit(1, "soon", 202, "a datetime", "text")
    ),
    Case(
        "a_sample_of_one_row_is_only_a_guess",
        column("5", "abc"),
        "[{read_delimited: {infer_column_types: {sample_size: 1}}}]",
        frame={"k": ["x", "x"], "v": ["5", "abc"]},
        dtypes="str str",
        warns=(warned(TypeWidenedWarning, 1, "as guessed from the first row", "'abc' at ", "a.csv line 3"),),
    ),
]

OVERRIDES = [
    Case(
        "an_override_to_int_counts_what_it_loses",
        column("5", "abc", "1.5", "", "inf"),
        "[{read_delimited: {infer_column_types: {column_type_overrides: [{columns: [v], column_type: int}]}}}]",
        frame={"k": ["x"] * 5, "v": [5.0, None, 1.0, None, None]},
        dtypes="str float64",
        warns=(
            warned(ConversionWarning, 2, "became null", "'abc' at ", "a.csv line 3"),
            warned(ConversionWarning, 1, "lost a part", "'1.5' at ", "a.csv line 4"),
        ),
    ),
    Case(
        "an_override_gives_every_mismatch_its_value_and_blanks_none",
        column("x", '""', "", "z", "y"),
        "[{read_delimited: {infer_column_types: {column_type_overrides: [{columns: v, column_type: "
        "{boolean: {true_values: [x], false_values: ['y'], mismatch_as: 'true'}}}]}}}]",
        frame={"k": ["x"] * 5, "v": [True, True, None, True, False]},
        dtypes="str object",
    ),
    Case(
        "an_override_that_wants_errors_raises_them",
        column("yes", "no", "zzz"),
        "[{read_delimited: {infer_column_types: {column_type_overrides: [{columns: v, column_type: "
        "{boolean: {true_values: ['yes'], false_values: ['no'], mismatch_as: error}}}]}}}]",
        error=(ConversionError, ("a.csv:4 column 'v': 'zzz'", "accepted: yes, no")),
    ),
]

LINES = [
    Case(
        "a_quote_open_at_the_end_of_its_line",
        {"a.csv": 'a,b\n"abc,2\nx,3\n'},
        error=(InvalidLineError, ("a.csv:2", "'\"abc,2'", "support_multi_line: true")),
    ),
    Case(
        "a_field_of_two_lines",
        {"a.csv": 'a,b\n"l1\nl2",2\nx,3\n'},
        error=(InvalidLineError, ("a.csv:2", "'\"l1'", "support_multi_line: true")),
    ),
    Case(
        "a_field_of_two_lines_where_allowed",
        {"a.csv": 'a,b\n"l1\nl2",2\nx,3\n'},
        "[{read_delimited: {support_multi_line: true}}]",
        frame={"a": ["l1\nl2", "x"], "b": [2, 3]},
        dtypes="str int64",
    ),
    Case(
        "a_quote_that_is_never_closed",
        {"a.csv": 'a,b\nw,1\n"abc,2\nx,3\ny,4\n'},
        "[{read_delimited: {support_multi_line: true}}]",
        error=(InvalidLineError, ("a.csv:3", "never closed", "close or double it")),
    ),
    Case(
        "blank_lines_in_multi_line_files",
        {"a.csv": 'a,b\n\n"x",1\n\n\ny,2\n\n'},
        "[{read_delimited: {support_multi_line: true}}]",
        frame={"a": ["x", "y"], "b": [1, 2]},
        dtypes="str int64",
    ),
    Case("a_header_alone", {"a.csv": "a,b\n"}, frame={"a": [], "b": []}, dtypes="object object"),
    Case(
        "carriage_returns_alone",
        {"a.csv": "a,b\rx,2\ry,3\r"},
        frame={"a": ["x", "y"], "b": [2, 3]},
        dtypes="str int64",
    ),
    Case(
        "a_tab_written_as_backslash_t",
        {"a.csv": "a\tb\nx\t2\n"},
        r"[{read_delimited: {delimiter: '\t'}}]",
        frame={"a": ["x"], "b": [2]},
        dtypes="str int64",
    ),
    Case(
        "a_delimiter_of_two_characters",
        {"a.csv": "a::b\nx:y::2\n"},
        "[{read_delimited: {delimiter: '::'}}]",
        frame={"a": ["x:y"], "b": [2]},
        dtypes="str int64",
    ),
    Case(
        "a_delimiter_outside_ascii",
        {"a.csv": "a§b\nx§2\n"},
        "[{read_delimited: {delimiter: '§'}}]",
        frame={"a": ["x"], "b": [2]},
        dtypes="str int64",
    ),
    Case(
        "another_header_in_a_later_file",
        {"f1.csv": "a,b\nx,2\n", "f2.csv": "b,a\n4,z\n"},
        error=(
            SchemaMismatchError,
            ("f2.csv:1", "[b, a]", "f1.csv is [a, b]", "header: all_files_different_headers"),
        ),
    ),
    Case(
        "other_names_in_a_later_file",
        {"f1.csv": "a,b\nx,2\n", "f2.csv": "a,c\n4,z\n"},
        error=(SchemaMismatchError, ("f2.csv:1", "[a, c]", "[a, b]", "header: all_files_different_headers")),
    ),
    Case(
        "utf8_with_a_mark_by_its_name",
        {"a.csv": "\ufeffa\n7\n"},
        "[{read_delimited: {encoding: utf8 bom}}]",
        frame={"a": [7]},
        dtypes="int64",
    ),
    Case(
        "utf16_with_the_high_byte_first",
        {"a.csv": "\ufeffa,b\nx,2\n".encode("utf-16-be")},
        "[{read_delimited: {encoding: utf16}}]",
        frame={"a": ["x"], "b": [2]},
        dtypes="str int64",
    ),
    Case(
        "a_compressed_file",
        {"a.csv.gz": gzip.compress(b"a,b\nx,2\n")},
        frame={"a": ["x"], "b": [2]},
        dtypes="str int64",
    ),
]


@by_name(TYPES + LATER + OVERRIDES + LINES)
def test_no_cell_is_lost(case, tmp_path):
    case.check(tmp_path)
