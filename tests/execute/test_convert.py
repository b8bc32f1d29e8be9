"""convert_column_types on arrays: values, types that do not depend on values, and notices for all that is lost."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.errors import ArgumentError, ConversionError, ConversionWarning, CorruptFileError, Notices
from mltable_lite.execute.convert import CONVERSIONS, convert, output_field
from mltable_lite.formats.streams import is_stream, stream_field
from mltable_lite.types import DataType, Kind

TARGETS = {
    "int": DataType.to_int(),
    "float": DataType.to_float(),
    "boolean": DataType.to_bool(),
    "string": DataType.to_string(),
    "datetime": DataType.to_datetime("%Y-%m-%d"),
    "stream_info": DataType.to_stream(),
}


def run(array, target, field=None):
    """Return the converted array and the texts of the notices."""
    notices = Notices()
    field = field or pa.field("v", array.type)
    target = TARGETS[target] if isinstance(target, str) else target
    result = convert(
        array, field, target, column="v", notices=notices, where=lambda row: f"a.csv line {row + 2}"
    )
    assert result.type == output_field(field, target).type
    assert len(result) == len(array)
    assert all(notice.category is ConversionWarning for notice in notices)
    return result, [notice.text() for notice in notices]


def values(array, target, field=None):
    """Return the converted values of a conversion that says nothing."""
    result, notices = run(array, target, field)
    assert notices == []
    return result.to_pylist()


# --------------------------------------------------------------------------- every source to every target
SOURCES = {
    Kind.NULL: pa.nulls(2),
    Kind.BOOLEAN: pa.array([True, None]),
    Kind.INTEGER: pa.array([7, None], pa.int8()),
    Kind.FLOAT: pa.array([7.0, None], pa.float32()),
    Kind.DECIMAL: pa.array([Decimal("7.00"), None]),
    Kind.STRING: pa.array(["7", None]),
    Kind.BINARY: pa.array([b"7", None]),
    Kind.DATE: pa.array([dt.date(2020, 1, 2), None]),
    Kind.DATETIME: pa.array([dt.datetime(2020, 1, 2), None]),
    Kind.TIME: pa.array([dt.time(3, 4), None]),
    Kind.DURATION: pa.array([dt.timedelta(seconds=1), None]),
    Kind.LIST: pa.array([[7], None]),
    Kind.STRUCT: pa.array([{"a": 7}, None]),
    Kind.MAP: pa.array([[("a", 7)], None], pa.map_(pa.string(), pa.int64())),
}
KEPT = {
    ("int", Kind.BOOLEAN): 1,
    ("int", Kind.INTEGER): 7,
    ("int", Kind.FLOAT): 7,
    ("int", Kind.DECIMAL): 7,
    ("int", Kind.STRING): 7,
    ("float", Kind.BOOLEAN): 1.0,
    ("float", Kind.INTEGER): 7.0,
    ("float", Kind.FLOAT): 7.0,
    ("float", Kind.DECIMAL): 7.0,
    ("float", Kind.STRING): 7.0,
    ("boolean", Kind.BOOLEAN): True,
    ("boolean", Kind.INTEGER): True,
    ("boolean", Kind.FLOAT): True,
    ("boolean", Kind.DECIMAL): True,
    ("string", Kind.BOOLEAN): "True",
    ("string", Kind.INTEGER): "7",
    ("string", Kind.FLOAT): "7",
    ("string", Kind.DECIMAL): "7",
    ("string", Kind.STRING): "7",
    ("string", Kind.DATE): "2020-01-02T00:00:00+00:00",
    ("string", Kind.DATETIME): "2020-01-02T00:00:00+00:00",
    ("string", Kind.TIME): "03:04:00",
    ("string", Kind.DURATION): "PT1S",
    ("string", Kind.LIST): "[7]",
    ("string", Kind.STRUCT): "{a: 7}",
    ("string", Kind.MAP): "{a: 7}",
    ("datetime", Kind.DATE): dt.datetime(2020, 1, 2),
    ("datetime", Kind.DATETIME): dt.datetime(2020, 1, 2),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_kind_is_kept_or_becomes_null_with_a_notice(kind, target):
    result, notices = run(SOURCES[kind], target)
    if (target, kind) in KEPT:
        assert (result.to_pylist(), notices) == ([KEPT[target, kind], None], [])
    elif (target, kind) == ("string", Kind.BINARY):
        assert result.to_pylist() == ["[1 bytes]", None]
        assert "hold bytes" in notices[0]
    elif kind is Kind.NULL:
        assert (result.to_pylist(), notices) == ([None, None], [])
    else:
        assert result.null_count == 2
        assert len(notices) == 1
        assert notices[0].startswith("column 'v': 1 values ")
        assert notices[0].rpartition("at ")[2].startswith("a.csv line 2")


def test_every_target_has_its_conversions():
    assert set(CONVERSIONS) == set(TARGETS)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("kind", SOURCES)
def test_an_empty_column_has_the_type_of_a_full_one(kind, target):
    full = SOURCES[kind]
    assert run(full.slice(0, 0), target)[0].type == run(full, target)[0].type


@pytest.mark.parametrize("target", TARGETS)
def test_encodings_of_a_text_column_convert_alike(target):
    plain = pa.array(["7", "x", None, "2020-01-02", "/a", "7"])
    expected, notices = run(plain, target)
    runs = pa.RunEndEncodedArray.from_arrays(pa.array(range(1, 7), pa.int32()), plain)
    chunked = pa.chunked_array([plain.slice(0, 2), plain.slice(2)])
    for array in (
        plain.cast(pa.large_string()),
        plain.cast(pa.string_view()),
        plain.dictionary_encode(),
        runs,
        chunked,
    ):
        result, said = run(array, target)
        assert result.to_pylist() == expected.to_pylist()
        assert said == notices


# --------------------------------------------------------------------------- numbers
def test_what_an_integer_cannot_hold_is_null_and_told():
    result, notices = run(pa.array([1.0, math.nan, math.inf, 2.0**63, -(2.0**63), None]), "int")
    assert result.to_pylist() == [1, None, None, None, -(2**63), None]
    assert notices == [
        "column 'v': 3 values are not 64-bit integers and became null; first: NaN at a.csv line 3"
    ]


def test_a_fraction_is_cut_and_told():
    result, notices = run(pa.array([2.9, -2.9, 3.0]), "int")
    assert result.to_pylist() == [2, -2, 3]
    assert notices == [
        "column 'v': 2 values lost their fraction; first: 2.9 at a.csv line 2. Convert to float to keep it."
    ]
    assert run(pa.array(["5.7"]), "int")[1] == [
        "column 'v': 1 values lost their fraction; first: '5.7' at a.csv line 2. Convert to float to keep it."
    ]


def test_uint64_beyond_int64_is_null_and_told():
    result, notices = run(pa.array([2**63, 2**63 - 1, None], pa.uint64()), "int")
    assert result.to_pylist() == [None, 2**63 - 1, None]
    assert "1 values are not 64-bit integers" in notices[0]


def test_decimals_are_exact_as_integers():
    array = pa.array([Decimal("9007199254740993.00"), Decimal("1.50"), Decimal("12345678901234567890.12")])
    result, notices = run(array, "int")
    assert result.to_pylist() == [9007199254740993, 1, None]
    assert len(notices) == 2


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_that_float64_rounds_are_told(numbers):
    result, notices = run(pa.array(numbers, pa.int64()), "float")
    lost = sum(number is not None and int(float(number)) != number for number in numbers)
    assert result.to_pylist() == [None if number is None else float(number) for number in numbers]
    assert [text.split()[2] for text in notices] == ([str(lost)] if lost else [])


@pytest.mark.parametrize(("number", "lost"), [(2**64 - 1, 1), (2**63, 0), (2**53 + 1, 1)])
def test_unsigned_integers_that_float64_rounds_are_told(number, lost):
    result, notices = run(pa.array([number], pa.uint64()), "float")
    assert result.to_pylist() == [float(number)]
    assert len(notices) == lost


def test_a_number_is_false_when_zero():
    assert values(pa.array([0, 1, -1, None]), "boolean") == [False, True, True, None]
    assert values(pa.array([0.0, -0.0, 0.5, math.nan]), "boolean") == [False, False, True, True]
    assert values(pa.array([0, 1], pa.float16()), "boolean") == [False, True]
    assert values(pa.array([Decimal("0.00000"), Decimal("0.00001")], pa.decimal128(5, 5)), "boolean") == [
        False,
        True,
    ]


def test_own_lists_are_asked_for_the_text_of_a_number():
    target = DataType.to_bool(["1", "2.5"], ["0"])
    for array in (
        pa.array([1, 0, 2, None]),
        pa.array([1.0, 0.0, 2.0, None], pa.float32()),
        pa.array([Decimal("1.00"), Decimal(0), Decimal(2), None]),
    ):
        result, notices = run(array, target)
        assert result.to_pylist() == [True, False, None, None]
        assert len(notices) == 1
        assert "1 values are not boolean (true: '1', '2.5'; false: '0')" in notices[0]
        assert "first: 2 at a.csv line 4" in notices[0]
        with pytest.raises(ConversionError, match="line 4: column 'v': 2 is not boolean"):
            run(array, DataType.to_bool(["1"], ["0"], "error"))
        assert values(array, DataType.to_bool(["1"], ["0"], "true")) == [True, False, True, None]
    assert values(pa.array([2.5, 0]), target) == [True, False]
    assert values(pa.array([True, False]), target) == [True, False]
    words = DataType.to_bool(["yes"], ["no"])
    assert values(pa.array([0, 1]), words) == [False, True]
    assert values(pa.array([0.0, 1.0]), DataType.to_bool(["0"], ["1"])) == [True, False]
    assert run(pa.array([0, 1, 2]), words)[0].to_pylist() == [False, True, None]


# --------------------------------------------------------------------------- booleans from text
def test_mismatch_as_error_raises_and_names_the_value_and_the_place():
    target = DataType.to_bool(["yes"], ["no"], "error")
    with pytest.raises(
        ConversionError, match="a.csv line 3: column 'v': 'maybe' is not boolean; accepted: true: 'yes'"
    ):
        run(pa.array(["yes", "maybe", "x"]), target)


def test_mismatch_as_a_value_is_silent():
    assert values(pa.array(["yes", "x", "", None]), DataType.to_bool(["yes"], ["no"], "true")) == [
        True,
        True,
        True,
        None,
    ]


def test_a_mismatch_without_choice_is_null_and_told():
    result, notices = run(pa.array(["true", "yes"]), "boolean")
    assert result.to_pylist() == [True, None]
    assert notices[0] == (
        "column 'v': 1 values are not boolean (true: 'true', 'True', 'TRUE', 't', 'T', 'Y', 'Yes', 'YES', '1'; "
        "false: 'false', 'False', 'FALSE', 'f', 'F', 'N', 'No', 'NO', '0') and became null;"
        " first: 'yes' at a.csv line 3. Set mismatch_as to choose a value."
    )


# --------------------------------------------------------------------------- bytes
BROKEN = pa.Array.from_buffers(
    pa.string(), 1, [None, pa.array([0, 1], pa.int32()).buffers()[1], pa.py_buffer(b"\xff")]
)


@pytest.mark.parametrize("target", ["int", "float", "boolean", "datetime"])
@pytest.mark.parametrize("steps", ["in the scan", "above it"])
def test_bytes_that_are_no_text_are_an_error_that_names_file_and_column(tmp_path, target, steps):
    pq.write_table(pa.table({"v": BROKEN}), tmp_path / "t.parquet")
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    table = table if steps == "in the scan" else table.take(1)
    for read in (
        table.convert_column_types({"v": TARGETS[target]}).to_arrow_table,
        lambda: table.convert_column_types({"v": TARGETS[target]}).to_dask_dataframe().compute(),
    ):
        with pytest.raises(
            CorruptFileError, match=r"t\.parquet: row group 0, column 'v' holds bytes that are no"
        ):
            read()
    with pytest.raises(
        CorruptFileError, match=r"t\.parquet: row group 0, column 'v' holds bytes that are no"
    ):
        table.filter("lower(v) == 'a'").to_arrow_table()


def test_a_datetime_beyond_the_years_of_arrow_has_its_text():
    far = pa.array([10**18, None], pa.int64()).view(pa.timestamp("us"))
    assert values(far, "string") == ["33658-09-27T01:46:40+00:00", None]
    assert "first: 33658-09-27T01:46:40+00:00 at a.csv line 2" in run(far, "int")[1][0]


def test_bytes_as_text_are_told():
    result, notices = run(pa.array([b"ab", b"", None], pa.binary_view()), "string")
    assert result.to_pylist() == ["[2 bytes]", "[0 bytes]", None]
    assert notices[0].startswith("column 'v': 2 values hold bytes")
    assert "hold bytes" in run(pa.array([[{"a": b"x"}]]), "string")[1][0]


# --------------------------------------------------------------------------- datetimes
def test_datetimes_keep_their_unit_and_zone():
    for kind in (
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("us", "Europe/Paris"),
        pa.timestamp("ms", "UTC"),
    ):
        result, notices = run(pa.array([1, None], kind), "datetime")
        assert (result.type, notices) == (kind, [])


def test_a_date_becomes_its_midnight_and_one_beyond_reach_is_told():
    assert values(pa.array([dt.date(9999, 12, 31)]), "datetime") == [dt.datetime(9999, 12, 31)]
    result, notices = run(pa.array([2**30], pa.int32()).cast(pa.date32()), "datetime")
    assert result.null_count == len(notices) == 1


def test_a_text_that_is_no_datetime_is_told_with_the_formats():
    result, notices = run(pa.array(["2020-01-02", "2020-02-30", "x"]), "datetime")
    assert result.to_pylist() == [dt.datetime(2020, 1, 2), None, None]
    assert notices == [
        "column 'v': 2 values are no datetime of '%Y-%m-%d' and became null; first: '2020-02-30' at a.csv line 3"
    ]


def test_years_that_nanoseconds_do_not_reach_are_told_with_the_way_out():
    notices = run(pa.array(["9999-12-31 00:00:00.5"]), DataType.to_datetime("%Y-%m-%d %H:%M:%S.%f"))[1]
    assert "%6f in place of %f" in notices[0]


def test_a_zone_that_would_be_ignored_is_told_with_the_way_out():
    result, notices = run(pa.array(["2020-01-02 EST", "2020-01-02 UTC"]), DataType.to_datetime("%Y-%m-%d %Z"))
    assert result.to_pylist() == [None, dt.datetime(2020, 1, 2)]
    assert notices[0].endswith("%Z takes only UTC and GMT; other zones need their offset and %z.")


def test_a_format_without_a_date_is_refused_also_for_an_empty_column():
    with pytest.raises(ArgumentError, match="says a time but no date"):
        run(pa.array([], pa.string()), DataType.to_datetime("%H:%M"))


# --------------------------------------------------------------------------- streams
def test_locations_become_streams_and_other_texts_are_told():
    texts = [
        "file:///x",
        "https://a/b",
        "/abs/path",
        "C:\\x",
        "azureml://datastores/d/paths/p",
        "dbfs:/x",
        None,
    ]
    array = pa.array([*texts, "rel/x", "azureml:x:1", "", "/"])
    result, notices = run(array, "stream_info")
    assert result.to_pylist() == [*texts, None, None, None, None]
    assert "4 values are neither a URI nor an absolute path" in notices[0]
    assert is_stream(output_field(pa.field("v", pa.string()), TARGETS["stream_info"]))


def test_a_stream_is_its_text_in_other_types():
    array = pa.array(["/a/b", "https://a/b"])
    assert values(array, "string", stream_field("v")) == ["/a/b", "https://a/b"]
    assert values(array, "stream_info", stream_field("v")) == ["/a/b", "https://a/b"]
    assert not is_stream(output_field(stream_field("v"), TARGETS["string"]))


# --------------------------------------------------------------------------- notices
def test_a_long_or_broken_value_is_shown_short_on_one_line():
    assert "'" + "x" * 60 + "...'" in run(pa.array(["x" * 1000]), "int")[1][0]
    assert "\n" not in run(pa.array([["a\nb"]]), "int")[1][0]


def test_a_shown_location_keeps_its_secret():
    assert "SECRET" not in run(pa.array(["https://a.blob.core.windows.net/c/x.csv?sig=SECRET"]), "int")[1][0]


def test_notices_of_batches_merge_to_one():
    notices = Notices()
    for start in (0, 10):
        convert(
            pa.array(["x", "1"]),
            pa.field("v", pa.string()),
            TARGETS["int"],
            column="v",
            notices=notices,
            where=lambda row, start=start: f"row {start + row}",
        )
    assert [notice.text() for notice in notices] == [
        "column 'v': 2 values are not 64-bit integers and became null; first: 'x' at row 0"
    ]


@given(
    st.lists(st.none() | st.text("017. eTrue-x", max_size=6), max_size=12),
    st.integers(0, 12),
    st.sampled_from(list(TARGETS)),
)
def test_cutting_a_column_into_batches_changes_nothing(texts, cut, target):
    array = pa.array(texts, pa.string())
    whole = run(array, target)[0].to_pylist()
    parts = [run(array.slice(0, cut), target)[0], run(array.slice(cut), target)[0]]
    assert repr([value for part in parts for value in part.to_pylist()]) == repr(whole)
