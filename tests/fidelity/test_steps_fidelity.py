"""Steps that may lose, change or hide rows and values: each with the exact answer, warning or error."""

from __future__ import annotations

import datetime as dt

import pytest
from fidelity.fidelity_case import Case, by_name, warned

import mltable_lite as mltable
from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ConversionError,
    ConversionWarning,
    FilterSyntaxError,
    FilterTypeError,
    MissingColumnWarning,
    SkippedFilesWarning,
    SourceNotFoundError,
    SpecError,
)

ROWS = "i,a,b,c,d,e\n1,1,x,1.5,true,2020-01-02\n2,2,yy,,false,2021-03-04\n3,3,,2.5,true,\n4,,X,3.5,,2022-05-06\n5,5,it is,5.0,false,2020-01-02\n"


def kept(name, expression, rows):
    steps = f"[read_delimited, {{filter: '{expression}'}}, {{keep_columns: i}}]"
    return Case(name, {"a.csv": ROWS}, steps, frame={"i": rows}, dtypes="int64")


def refused(name, expression, error, *texts):
    steps = f"[read_delimited, {{filter: '{expression}'}}]"
    return Case(name, {"a.csv": ROWS}, steps, error=(error, texts))


FILTERS = [
    kept("not_before_a_bracket", "not(a == 1)", [2, 3, 5]),
    kept("equal_to_none_asks_for_null", "a == None", [4]),
    kept("equal_to_null_asks_for_null", "a == null", [4]),
    kept("unequal_to_none_asks_for_values", "a != None", [1, 2, 3, 5]),
    kept("true_in_small_letters", "d == true", [1, 3]),
    kept("comparisons_chain", "1 < a < 4", [2, 3]),
    kept("floor_division_floors", "-7 // 2 == -3", []),
    kept("floor_division_floors_to_less", "-7 // 2 == -4", [1, 2, 3, 4, 5]),
    kept("the_empty_text", 'b == ""', []),
    kept("a_prefix_of_null", 'startswith(b, "x")', [1]),
    kept("a_date_in_a_text", 'e > "2021-01-01"', [2, 4]),
    Case(
        "no_row_keeps_columns_and_types",
        {"a.csv": ROWS},
        "[read_delimited, {filter: a > 99}, {keep_columns: [i, a, b, e]}]",
        frame={"i": [], "a": [], "b": [], "e": []},
        dtypes="int64 int64 str datetime64[ns]",
    ),
    Case(
        "take_of_nothing_keeps_columns_and_types",
        {"a.csv": ROWS},
        "[read_delimited, {take: 0}, {keep_columns: [i, b]}]",
        frame={"i": [], "b": []},
        dtypes="int64 str",
    ),
    refused("a_column_that_is_not_there", "zzz == 1", ColumnNotFoundError, "'zzz'", "i, a, b, c, d, e"),
    refused("a_text_without_quotes", "b == x", ColumnNotFoundError, "'x'", "i, a, b, c, d, e"),
    refused("a_column_in_quotes", '"a" > 1', FilterTypeError, 'string "a" with integer 1'),
    refused(
        "a_number_against_a_text",
        'a < "1"',
        FilterTypeError,
        'integer a with string "1"',
        "without quotes: 1",
    ),
    refused(
        "a_text_against_a_number", "b > 1", FilterTypeError, "string b with integer 1", "convert_column_types"
    ),
    Case(
        "a_column_that_was_dropped",
        {"a.csv": ROWS},
        "[read_delimited, {drop_columns: a}, {filter: a == 1}]",
        error=(ColumnNotFoundError, ("'a'", "i, b, c, d, e")),
    ),
]


@pytest.mark.parametrize("expression", ["col(a) == 1", "a ==", "", "a & b", "~d"])
def test_what_is_no_filter_is_refused_when_the_file_is_loaded(tmp_path, expression):
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "MLTable").write_text(
        f"paths: [{{file: a.csv}}]\ntransformations: [read_delimited, {{filter: '{expression}'}}]\n"
    )
    with pytest.raises(FilterSyntaxError):
        mltable.load(tmp_path).to_pandas_dataframe()


def converted(name, cells, target, values, dtype, *warns, error=None):
    text = "".join(f'{i},"{cell}"\n' for i, cell in enumerate(cells))
    steps = (
        "[{read_delimited: {infer_column_types: false, empty_as_string: true}}, {keep_columns: v}, "
        f"{{convert_column_types: [{{columns: v, column_type: {target}}}]}}]"
    )
    frame = None if error else {"v": values}
    return Case(name, {"a.csv": "i,v\n" + text}, steps, frame=frame, dtypes=dtype, warns=warns, error=error)


def failed(count, what, first, row):
    return warned(ConversionWarning, count, what, f"first: '{first}' at ", f"a.csv, row {row}")


INT = "values are not 64-bit integers and became null"
WORDS = (
    "values are not boolean (true: 'true', 'True', 'TRUE', 't', 'T', 'Y', 'Yes', 'YES', '1'; false: 'false'"
)
DAY = "{datetime: {formats: '%Y-%m-%d'}}"
CONVERSIONS = [
    converted(
        "overflow_to_int",
        ["9223372036854775808", "inf"],
        "int",
        [None, None],
        "float64",
        failed(2, INT, "9223372036854775808", 1),
    ),
    converted("nan_to_int", ["NaN", "1"], "int", [None, 1.0], "float64", failed(1, INT, "NaN", 1)),
    converted(
        "big_and_bad_to_int",
        ["9007199254740993", "x"],
        "int",
        [2**53 + 1, None],
        "Int64",
        failed(1, INT, "x", 2),
    ),
    converted(
        "a_fraction_to_int",
        ["3", "2.9", "-2.9"],
        "int",
        [3, 2, -2],
        "int64",
        failed(2, "lost their fraction", "2.9", 2),
    ),
    converted(
        "other_words_to_boolean",
        ["true", "0", "t", "yes", ""],
        "boolean",
        [True, False, True, None, None],
        "object",
        failed(2, WORDS, "yes", 4),
    ),
    converted(
        "other_words_to_boolean_as_errors",
        ["yes", "maybe"],
        "{boolean: {true_values: ['yes'], false_values: ['no'], mismatch_as: error}}",
        [],
        "",
        error=(ConversionError, ("a.csv, row 2: column 'v': 'maybe'", "true: 'yes'; false: 'no'")),
    ),
    converted(
        "no_dates_to_datetime",
        ["2020-01-02", "x", "2020-02-30"],
        DAY,
        [dt.datetime(2020, 1, 2), None, None],
        "datetime64[us]",
        failed(2, "values are no datetime of '%Y-%m-%d' and became null", "x", 2),
    ),
    converted(
        "far_years_to_datetime",
        ["1600-01-01", "2300-01-01", "2020-01-01"],
        DAY,
        [dt.datetime(1600, 1, 1), dt.datetime(2300, 1, 1), dt.datetime(2020, 1, 1)],
        "datetime64[us]",
    ),
    converted(
        "the_next_format_after_month_13",
        ["13/02/2020"],
        "{datetime: {formats: ['%m/%d/%Y', '%d/%m/%Y']}}",
        [dt.datetime(2020, 2, 13)],
        "datetime64[us]",
    ),
    converted(
        "a_zone_that_has_no_meaning",
        ["2020-01-02 EST", "2020-01-02 UTC"],
        "{datetime: {formats: '%Y-%m-%d %Z'}}",
        [None, dt.datetime(2020, 1, 2)],
        "datetime64[us]",
        failed(1, "values are no datetime", "2020-01-02 EST", 1),
    ),
    converted(
        "a_time_without_a_date",
        ["03:04:05"],
        "{datetime: {formats: '%H:%M:%S'}}",
        [],
        "",
        error=(SpecError, ("%H:%M:%S", "date_constant")),
    ),
    Case(
        "a_column_to_convert_that_is_not_there",
        {"a.csv": "a,b\n1,x\n"},
        "[read_delimited, {convert_column_types: [{columns: [a, zzz], column_type: int}]}]",
        error=(ColumnNotFoundError, ("convert_column_types", "'zzz'", "a, b")),
    ),
    Case(
        "ignore_case_in_snake_case",
        {"a.csv": "a,b\n1,2\n"},
        "[{read_delimited: {infer_column_types: false}}, "
        "{convert_column_types: [{columns: {pattern: ^A$, ignore_case: true}, column_type: int}]}]",
        frame={"a": [1], "b": ["2"]},
        dtypes="int64 str",
    ),
    Case(
        "booleans_to_numbers",
        {"a.csv": "b,c\ntrue,false\nfalse,true\n"},
        "[read_delimited, {convert_column_types: [{columns: b, column_type: int}, {columns: c, column_type: float}]}]",
        frame={"b": [1, 0], "c": [0.0, 1.0]},
        dtypes="int64 float64",
    ),
    Case(
        "a_filter_over_what_did_not_convert",
        {"a.csv": "v\n10\nabc\n"},
        "[{read_delimited: {infer_column_types: false}}, {convert_column_types: [{columns: v, column_type: int}]}, {filter: v > 5}]",
        frame={"v": [10]},
        dtypes="int64",
        warns=(failed(1, INT, "abc", 2),),
    ),
]

STORES = {"data/uk/2021/g.csv": "a,b\n3,z\n4,w\n", "data/us/2020/f.csv": "a,b\n1,x\n2,y\n"}
ALL = "[{pattern: ./data/**/*.csv}]"


def extract(more=""):
    return f"{{extract_columns_from_partition_format: {{partition_format: '/data/us/{{y}}/'{more}}}}}"


OTHERS = [
    Case(
        "a_path_that_does_not_fit",
        STORES,
        f"[{extract()}, read_delimited]",
        paths=ALL,
        error=(
            ArgumentError,
            ("1 of 2 paths", "data/uk/2021/g.csv", "'/data/us/{y}/'", "ignore_errors: true"),
        ),
    ),
    Case(
        "paths_that_do_not_fit_are_left_out",
        STORES,
        f"[{extract(', ignore_errors: true')}, read_delimited]",
        paths=ALL,
        frame={"y": [2020, 2020], "a": [1, 2], "b": ["x", "y"]},
        dtypes="int64 int64 str",
        warns=(warned(SkippedFilesWarning, 1, "files left out", "data/uk/2021/g.csv"),),
    ),
    Case(
        "a_partition_format_after_the_read_step",
        STORES,
        "[read_delimited, {extract_columns_from_partition_format: {partition_format: '/data/{c}/{y}/'}}]",
        paths=ALL,
        frame={
            "a": [3, 4, 1, 2],
            "b": ["z", "w", "x", "y"],
            "c": ["uk", "uk", "us", "us"],
            "y": [2021, 2021, 2020, 2020],
        },
        dtypes="int64 str str int64",
    ),
    Case(
        "partition_values_with_zeros_in_front",
        {"01/a.csv": "a\n7\n"},
        "[{extract_columns_from_partition_format: {partition_format: '/{m}/a.csv'}}, read_delimited]",
        frame={"m": [1], "a": [7]},
        dtypes="int64 int64",
    ),
    Case(
        "a_column_to_keep_that_is_not_there",
        {"a.csv": "a,b\n1,x\n"},
        "[read_delimited, {keep_columns: [a, bb]}]",
        error=(ColumnNotFoundError, ("keep_columns", "'bb'", "a, b", "Did you mean 'b'?")),
    ),
    Case(
        "a_column_to_drop_that_is_not_there",
        {"a.csv": "a,b\n1,x\n"},
        "[read_delimited, {drop_columns: [b, zzz]}]",
        frame={"a": [1]},
        dtypes="int64",
        warns=(warned(MissingColumnWarning, 1, "column 'zzz'", "drop_columns", "a, b"),),
    ),
    Case(
        "a_probability_of_one_as_an_integer",
        {"a.csv": "a\n7\n8\n"},
        "[read_delimited, {take_random_sample: {probability: 1, seed: 1}}]",
        frame={"a": [7, 8]},
        dtypes="int64",
    ),
    Case(
        "a_folder_is_sorted_and_without_hidden_files",
        {
            f"t/{name}": f"a\n{name}\n"
            for name in (
                "2",
                ".hid",
                "a",
                "Z",
                "b",
                "10",
                "_und",
                "_SUCCESS",
                "sub/c",
                "sub/deep/d",
                ".dir/x",
            )
        },
        paths="[{folder: t}]",
        frame={"a": ["10", "2", "Z", "_und", "a", "b", "sub/c", "sub/deep/d"]},
        dtypes="str",
    ),
    Case(
        "a_file_that_is_not_there_and_no_read_step",
        {},
        "[]",
        paths="[{file: nope.csv}]",
        error=(SourceNotFoundError, ("MLTable:1", "nope.csv", "The requested stream was not found")),
    ),
]


@by_name(FILTERS + CONVERSIONS + OTHERS)
def test_nothing_is_lost(case, tmp_path):
    case.check(tmp_path)
