"""Reading delimited files: headers, ragged rows, quotes, types past the sample, and what it costs."""

from __future__ import annotations

import gzip
import pickle

import pyarrow as pa
import pytest
from formats.delimited_files import load, read_all, write

from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ConversionError,
    ConversionWarning,
    InvalidLineError,
    PrecisionWarning,
    SchemaMismatchError,
    TypeWidenedWarning,
)
from mltable_lite.formats.base import Request
from mltable_lite.formats.delimited import inspect
from mltable_lite.formats.delimited_header import column_names
from mltable_lite.spec.model import InferTypes, ReadDelimited
from mltable_lite.types import DataType


def source_of(tmp_path, *texts, **options):
    return inspect(ReadDelimited(**options), write(tmp_path, *texts))


def late(cell, before="5", rows=200, after="6"):
    return "k,a\n" + f"x,{before}\n" * rows + f"x,{cell}\nx,{after}\n"


# --------------------------------------------------------------------------- names
@pytest.mark.parametrize(
    ("header", "width", "names"),
    [
        (["a", "a", "a_1", "a"], 4, ("a", "a_1", "a_1_2", "a_3")),
        (["Column2", ""], 2, ("Column2", "Column2_1")),
        (["r", "a", "b", "a", "b"], 5, ("r", "a", "b", "a_1", "b_2")),
        (["r", "a_1", "a", "a", "b", "b"], 6, ("r", "a_1", "a", "a_1_2", "b", "b_3")),
        (["a", "", "", "c"], 4, ("a", "Column2", "Column3", "c")),
        ([], 2, ("Column1", "Column2")),
        (["a"], 3, ("a", "Column2", "Column3")),
    ],
)
def test_column_names_are_unique(header, width, names):
    assert column_names(header, width) == names


def test_names_are_trimmed_and_values_are_not(tmp_path):
    assert load(tmp_path, ' a ," b "\n x , y\n') == {"a": [" x "], "b": [" y"]}


# --------------------------------------------------------------------------- lines and quotes
@pytest.mark.parametrize(
    ("text", "options", "rows"),
    [
        ('"ab"c,2\n"x" ,3\n', {}, [["abc", 2], ["x ", 3]]),
        (' "ab",2\nab"c,3\n', {}, [[' "ab"', 2], ['ab"c', 3]]),
        ('"a""b",2\n', {}, [['a"b', 2]]),
        ('5,x\n"",y\n,z\n', {}, [[5, "x"], [None, "y"], [None, "z"]]),
        ('x,5\n"",6\n,7\n', {}, [["x", 5], ["", 6], [None, 7]]),
        ("5,x\n,\n", {"empty_as_string": True}, [[5, "x"], [None, ""]]),
        ("x\ny,5\n", {"empty_as_string": True}, [["x", None], ["y", 5]]),
        ('"l1\nl2",2\nx,3\n', {"support_multi_line": True}, [["l1\nl2", 2], ["x", 3]]),
        ('"l1\r\nl2",2\r\n\r\nx,3\r\n', {"support_multi_line": True}, [["l1\r\nl2", 2], ["x", 3]]),
        ("\n\nx,2\n\n\ny,3\n\n", {"support_multi_line": True}, [["x", 2], ["y", 3]]),
        ("x,2\r\n\r\ny,3", {}, [["x", 2], ["y", 3]]),
        ("x,2\ry,3\r", {}, [["x", 2], ["y", 3]]),
        ('x,2\r"l1\nl2",3\ry,4\r', {"support_multi_line": True}, [["x", 2], ["l1\nl2", 3], ["y", 4]]),
        ('"l1\r\nl2",3\ry,4\r', {"support_multi_line": True}, [["l1\r\nl2", 3], ["y", 4]]),
        ("   \ny,3\n", {}, [["   ", None], ["y", 3]]),
        ("x\0y,2\n", {}, [["x\0y", 2]]),
        ("# c,2\n", {}, [["# c", 2]]),
        ("x::2\n", {"delimiter": "::"}, [["x", 2]]),
        ('"x::y"::2\nz\n', {"delimiter": "::"}, [["x::y", 2], ["z", None]]),
        ('"x§y"§2\n', {"delimiter": "§"}, [["x§y", 2]]),
        ("x\t2\n", {"delimiter": "\\t"}, [["x", 2]]),
        ("x 2\n", {"delimiter": " "}, [["x", 2]]),
    ],
)
def test_lines_become_rows(tmp_path, text, options, rows):
    read = load(tmp_path, text, header="no_header", **options)
    assert [list(row) for row in zip(*read.values(), strict=True)] == rows


def test_a_file_of_cr_lines_is_split(tmp_path):
    assert load(tmp_path, "a,b\rx,2\ry,3\r", partition_size=4) == {"a": ["x", "y"], "b": [2, 3]}


@pytest.mark.parametrize("text", ['a,b\nx,1\n"abc,2\nx,3\n', 'a,b\nx,1\n"l1\nl2",2\n', 'a,b\nx,1\nx,"'])
@pytest.mark.parametrize("rows", [1, 200])
def test_an_open_quote_at_the_end_of_a_line_offers_multi_line(tmp_path, text, rows):
    with pytest.raises(
        InvalidLineError, match=r"f1.csv:3: .*still open at the end of the line.*\n.*multi_line: true"
    ):
        load(tmp_path, text, infer_column_types=InferTypes(rows))


def test_an_open_quote_at_the_end_of_a_file_is_an_error(tmp_path):
    with pytest.raises(InvalidLineError, match=r"f1.csv:2: the quote of '\"abc,2' is never closed"):
        load(tmp_path, 'a,b\n"abc,2\nx,3\ny,4\n', support_multi_line=True)


def test_many_lines_in_quotes_are_read_in_bounded_pieces(tmp_path):
    text = "a,b\n" + "".join(f'"line {i}\nand, more ""{i}""",{i}\n' for i in range(200_000))
    source = source_of(tmp_path, text, support_multi_line=True)
    (partition,) = source.partitions()
    batches = list(source.read(partition, Request(("a", "b"))))
    assert len(batches) > 1
    table = pa.Table.from_batches(batches)
    assert table["b"].to_pylist() == list(range(200_000))
    assert table["a"][199_999].as_py() == 'line 199999\nand, more "199999"'


# --------------------------------------------------------------------------- ragged rows
def test_short_rows_are_filled_and_long_rows_add_columns(tmp_path):
    assert load(tmp_path, "a,b\nx\ny,3,E,\nz,4\n") == {
        "a": ["x", "y", "z"],
        "b": [None, 3, 4],
        "Column3": [None, "E", None],
        "Column4": [None, None, None],
    }


def test_a_long_row_past_the_sample_is_an_error_that_widening_heals(tmp_path):
    source = source_of(tmp_path, "a,b\n" + "x,1\n" * 200 + "\ny,2,3\n")
    with pytest.raises(
        SchemaMismatchError, match=r"f1.csv:203: the row has 3 fields, .* 'Column3'"
    ) as caught:
        read_all(source)
    assert (caught.value.column, caught.value.line) == ("Column3", 203)
    wide, notices = source.widen(("a", "b"))
    assert read_all(wide)[0].slice(199).to_pydict() == {"a": ["x", "y"], "b": [1, 2], "Column3": [None, 3]}
    assert [(notice.column, notice.count, notice.category) for notice in notices] == [
        ("Column3", 1, TypeWidenedWarning)
    ]


# --------------------------------------------------------------------------- headers
F1 = "a,b\nx,2\ny,3\n"


@pytest.mark.parametrize(
    ("mode", "f2", "expected"),
    [
        (
            "no_header",
            "a,b\nz,4\n",
            {"Column1": ["a", "x", "y", "a", "z"], "Column2": ["b", "2", "3", "b", "4"]},
        ),
        ("from_first_file", "a,b\nz,4\n", {"a": ["x", "y", "a", "z"], "b": ["2", "3", "b", "4"]}),
        ("all_files_same_headers", " a,b\nz,4\n", {"a": ["x", "y", "z"], "b": [2, 3, 4]}),
        ("all_files_different_headers", "b,a\n4,z\n", {"a": ["x", "y", "z"], "b": [2, 3, 4]}),
        (
            "all_files_different_headers",
            "c,a\nC,z\n",
            {"a": ["x", "y", "z"], "b": [2, 3, None], "c": [None, None, "C"]},
        ),
        (
            "all_files_different_headers",
            "b\n4,5\n",
            {
                "a": [
                    "x",
                    "y",
                    None,
                ],
                "b": [2, 3, 4],
                "Column2": [None, None, 5],
            },
        ),
    ],
)
def test_header_modes(tmp_path, mode, f2, expected):
    assert load(tmp_path, "", F1, "\n\n", f2, header=mode) == expected
    assert load(tmp_path, "", F1, "\n\n", f2, header=mode, partition_size=3) == expected


@pytest.mark.parametrize("header", ["b,a", "a", "a,b,c", "c,d"])
@pytest.mark.parametrize("rows", [1, 200])
def test_other_headers_are_refused_when_all_must_be_the_same(tmp_path, header, rows):
    source = source_of(tmp_path, F1) if rows == 200 else None
    assert source is None or source.schema.names == ["a", "b"]
    expected = rf"(?s)f2.csv:2: the header is \[{', '.join(header.split(','))}\], but that of .*f1.csv is \[a, b\].*different"
    with pytest.raises(SchemaMismatchError, match=expected):
        load(tmp_path, F1, f"\n{header}\nz,4\n", infer_column_types=InferTypes(rows))


def test_headers_that_differ_in_what_has_no_glyph_are_told_apart(tmp_path):
    with pytest.raises(
        SchemaMismatchError, match=r"the header is \[a, \\u200bb\], but that of .* is \[a, b\]"
    ):
        load(tmp_path, F1, "a,\u200bb\nz,4\n")


def test_a_file_with_a_header_only_keeps_its_columns(tmp_path):
    source = source_of(tmp_path, "a,b\n")
    assert source.schema == pa.schema([("a", pa.null()), ("b", pa.null())])
    assert read_all(source)[0].num_rows == 0


def test_no_files_and_empty_files_have_no_columns(tmp_path):
    assert source_of(tmp_path, "", "\n").schema.names == []
    assert inspect(ReadDelimited(), []).schema.names == []


def test_columns_of_files_past_the_sample_are_guessed_from_their_own_first_rows(tmp_path):
    source = source_of(
        tmp_path, F1, "c\n5\n", header="all_files_different_headers", infer_column_types=InferTypes(1)
    )
    assert source.schema.field("c").type == pa.int64()
    assert read_all(source)[0]["c"].to_pylist() == [None, None, 5]


@pytest.mark.parametrize(("later", "columns"), [("k,a\nx,5\n", ["k", "a"]), ("c\n5\n", ["k", "a", "c"])])
def test_blank_lines_before_the_header_of_a_file_past_the_sample_are_skipped(tmp_path, later, columns):
    first = "k,a\nx,1\nx,2\n"
    options = {"header": "all_files_different_headers", "infer_column_types": InferTypes(1)}
    source = source_of(tmp_path, first, "\n\r\n" + later, **options)
    assert source.schema.names == columns
    assert read_all(source)[0][columns[-1]].to_pylist()[-1] == 5


# --------------------------------------------------------------------------- past the sample
@pytest.mark.parametrize(
    ("before", "cell", "after", "kind", "values"),
    [
        ("5", "abc", "6", "string", ["abc", "6"]),
        ("5", "1.5", "2.9", "double", [1.5, 2.9]),
        ("5", "inf", "", "double", [float("inf"), None]),
        ("5", "9223372036854775808", "1e400", "double", [2.0**63, float("inf")]),
        ("1.5", "abc", "NaN", "string", ["abc", "NaN"]),
        ("1", "5", "2", "int64", [5, 2]),
        ("1", "true", "0", "bool", [True, False]),
        ("true", "2", "0", "string", ["2", "0"]),
        ("2020-01-01", "x", "2020-01-02", "string", ["x", "2020-01-02"]),
        ("", "5", "abc", "string", ["5", "abc"]),
        ("", "5", "6", "int64", [5, 6]),
    ],
)
def test_cells_that_do_not_fit_widen_the_column(tmp_path, before, cell, after, kind, values):
    table = load(tmp_path, late(cell, before, after=after))
    assert table["a"][-2:] == values
    source = source_of(tmp_path, late(cell, before, after=after))
    wide, _ = source.widen(("a",))
    assert str(wide.schema.field("a").type) == kind


def test_a_misfit_is_an_error_that_says_how_to_read_the_column(tmp_path):
    source = source_of(tmp_path, late("abc"), partition_size=100)
    with pytest.raises(SchemaMismatchError) as caught:
        read_all(source)
    assert str(caught.value) == (
        f"{tmp_path / 'f1.csv'}:202 column 'a': 'abc' is not int64 (guessed from the first 200 rows); to read the "
        "column as text add\n    infer_column_types: {column_type_overrides: [{columns: a, column_type: string}]}"
    )
    assert (caught.value.column, caught.value.line, caught.value.file) == ("a", 202, str(tmp_path / "f1.csv"))


def test_a_column_that_is_not_asked_for_is_not_checked(tmp_path):
    source = source_of(tmp_path, late("abc"))
    assert set(read_all(source, "k")[0]["k"].to_pylist()) == {"x"}


def test_widening_tells_how_many_cells_and_where(tmp_path):
    source = source_of(tmp_path, late("abc", after="def"), late("ghi"))
    wide, notices = source.widen(("k", "a"))
    (notice,) = notices
    assert notice.text() == (
        "column 'a': 3 values are not int64, as guessed from the first 200 rows: read as text; first: 'abc' "
        f"at {tmp_path / 'f1.csv'} line 202"
    )
    assert read_all(wide)[0]["a"].to_pylist().count("5") == 400


def test_widening_touches_no_other_column(tmp_path):
    source = source_of(tmp_path, "a,b\n1,1\nx,y\n", infer_column_types=InferTypes(1))
    wide, _ = source.widen(("b",))
    assert wide.schema == pa.schema([("a", pa.int64()), ("b", pa.string())])


def test_integers_that_lose_digits_as_float_are_told(tmp_path):
    table, notices = read_all(source_of(tmp_path, "a\n9007199254740993\n1.5\n9223372036854775809\n"))
    assert table["a"].to_pylist() == [9007199254740992.0, 1.5, 2.0**63]
    (notice,) = notices
    assert (notice.category, notice.count, notice.first) == (PrecisionWarning, 2, "'9007199254740993'")


# --------------------------------------------------------------------------- given types
def given(columns, to, **more):
    return {"infer_column_types": InferTypes(overrides=((tuple(columns.split()), to),)), **more}


@pytest.mark.parametrize(
    ("to", "cells", "values", "told"),
    [
        (DataType.to_string(), ["007", "", '""'], ["007", None, ""], 0),
        (DataType.to_int(), ["5", "abc", "1.5", "", '""'], [5, None, 1, None, None], 2),
        (DataType.to_float(), ["5", "x", "nan(1)"], [5.0, None, None], 1),
        (DataType.to_bool(["on"], ["off"]), ["on", "off", "1", ""], [True, False, None, None], 1),
        (DataType.to_bool(["on"], ["off"], "false"), ["on", "x", ""], [True, False, None], 0),
    ],
)
def test_given_types_never_lose_a_cell_silently(tmp_path, to, cells, values, told):
    source = source_of(tmp_path, "k,a\n" + "".join(f"x,{cell}\n" for cell in cells), **given("a", to))
    table, notices = read_all(source)
    assert table["a"].to_pylist() == values
    assert [notice.category for notice in notices] == [ConversionWarning] * told


def test_given_dates(tmp_path):
    table, notices = read_all(
        source_of(tmp_path, "a,b\n03.04.2020,x\n04/2020,y\n", **given("a", DataType.to_datetime("%d.%m.%Y")))
    )
    assert [value and value.isoformat() for value in table["a"].to_pylist()] == ["2020-04-03T00:00:00", None]
    assert [(notice.count, notice.first) for notice in notices] == [(1, "'04/2020'")]


def test_mismatch_as_error_is_an_error(tmp_path):
    source = source_of(tmp_path, "a\non\nzzz\n", **given("a", DataType.to_bool(["on"], ["off"], "error")))
    with pytest.raises(ConversionError, match=r"f1.csv:3 column 'a': 'zzz' is none of .*accepted: on, off"):
        read_all(source)


def test_an_override_of_a_missing_column_suggests(tmp_path):
    with pytest.raises(
        ColumnNotFoundError, match="no column 'prise'; the table has: price. Did you mean 'price'"
    ):
        source_of(tmp_path, "price\n1\n", **given("prise", DataType.to_int()))


def test_an_override_to_a_stream_is_refused(tmp_path):
    with pytest.raises(ArgumentError, match="'a' cannot be read as stream_info"):
        source_of(tmp_path, "a\n1\n", **given("a", DataType.to_stream()))


def test_without_guessing_all_is_text(tmp_path):
    assert load(tmp_path, late("abc"), infer_column_types=False)["a"][-2:] == ["abc", "6"]
    assert load(tmp_path, 'a,b\n5,\n,""\n', infer_column_types=False) == {"a": ["5", None], "b": [None, ""]}


@pytest.mark.parametrize("delimiter", ["", ",,,", '"', "\n", ",\r"])
def test_delimiters_that_cannot_be_are_refused(tmp_path, delimiter):
    with pytest.raises(ArgumentError, match="delimiter: .* is not accepted; give one or two characters"):
        source_of(tmp_path, "a\n", delimiter=delimiter)


@pytest.mark.parametrize("options", [{"partition_size": 0}, {"infer_column_types": InferTypes(0)}])
def test_sizes_must_be_positive(tmp_path, options):
    with pytest.raises(ArgumentError, match="give a positive number"):
        source_of(tmp_path, "a\n", **options)


# --------------------------------------------------------------------------- partitions and cost
def test_a_source_can_be_pickled_and_compared(tmp_path):
    source = source_of(tmp_path, F1)
    again = pickle.loads(pickle.dumps(source))
    assert again == source
    assert again.schema == source.schema
    assert read_all(again)[0] == read_all(source)[0]


def test_compressed_files_are_one_partition_and_keep_their_lines(tmp_path):
    files = write(tmp_path, gzip.compress(late("abc").encode()), name="f{}.csv.gz")
    source = inspect(ReadDelimited(partition_size=10), files)
    assert len(list(source.partitions())) == 1
    with pytest.raises(SchemaMismatchError, match=r"f1.csv.gz:202 column 'a'"):
        read_all(source)


def test_a_read_of_few_rows_reads_little(tmp_path):
    (file,) = write(tmp_path, "a,b\n" + "1,x\n" * 1_000_000)
    source = inspect(ReadDelimited(), [file])
    (partition,) = source.partitions()
    request = Request(("a",), first_rows=20)
    batch = next(source.read(partition, request))
    assert batch.num_rows < 100_000
    assert 0 < request.bytes_read < file.size / 4
    whole = Request(("a",), first_rows=20)
    assert sum(batch.num_rows for batch in source.read(partition, whole)) == 1_000_000


def test_columns_come_in_the_order_of_the_request(tmp_path):
    source = source_of(tmp_path, "a,b,c\n1,x,2.5\n")
    assert read_all(source, "c", "a")[0].to_pydict() == {"c": [2.5], "a": [1]}


def test_threads_change_nothing(tmp_path):
    from dataclasses import replace

    source = source_of(tmp_path, "a,b\n" + "".join(f"{i},x{i}\n" for i in range(200_000)) + "short\n")
    with pytest.raises(SchemaMismatchError, match="f1.csv:200002 column 'a': 'short' is not int64"):
        read_all(replace(source, threads=True))
    wide, _ = replace(source, threads=True).widen(("a", "b"))
    assert wide.threads
    assert read_all(wide)[0].to_pydict() == read_all(replace(wide, threads=False))[0].to_pydict()
