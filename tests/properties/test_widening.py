"""A sample only guesses: whatever it shows, the frame is that of the whole input, and a stream is the same or an error.

For every format: tables of random columns whose later rows do not fit what the first ones showed.
"""

from __future__ import annotations

import json
import re
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.errors import ColumnNotFoundError, FilterTypeError, SchemaMismatchError, TypeWidenedWarning
from mltable_lite.formats import json_lines

EVERYTHING = 10**6
FEW = settings(max_examples=40 if settings().max_examples <= 100 else settings().max_examples)


def outcome(table):
    """Return the frame, or the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return table.to_pandas_dataframe()
        except SchemaMismatchError as error:
            return error
        except FilterTypeError:
            return pd.DataFrame()


def stream(table):
    """Return the rows as a stream gives them, or the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return table.to_arrow_batches().read_all()
        except SchemaMismatchError as error:
            return error
        except FilterTypeError:
            return None


def check_stream(table, folder, *fixes):
    """Check that a stream agrees with the table as a whole, or names the place and what to do."""
    streamed = stream(table)
    if streamed is None:
        return
    if isinstance(streamed, SchemaMismatchError):
        text = str(streamed)
        assert re.search(rf"^{re.escape(str(folder))}/\w+\.\w+:\d+", text), text
        assert any(fix in text for fix in fixes), text
        assert streamed.column is not None
        assert streamed.line is not None
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = table.to_arrow_table()
    assert streamed.schema == whole.schema
    assert streamed.equals(whole) or streamed.to_pydict().__repr__() == whole.to_pydict().__repr__()  # NaN


# --------------------------------------------------------------------------- delimited text
KINDS = {
    "int": ["0", "1", "2", "-7", "12345678901"],
    "float": ["1.5", "2", ".5", "1e5", "nan"],
    "bits": ["0", "1", "1", "01"],
    "words": ["true", "False", "Yes", "N", "1"],
    "dates": ["2020-01-02", "2020-01-02 03:04:05", "2020/1/2"],
    "orders": ["01/02/2020", "13/02/2020", "02/13/2020", "02-Jan-2020"],
    "zones": ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05+02:00", "2020-01-02"],
    "text": ["x", "é", "NA", " ", "a b"],
    "zeros": ["007", "00", "+3", "-0"],
    "big": ["9223372036854775807", "9223372036854775808", "9007199254740993", "-9223372036854775809"],
    "blank": ["", '""', "", ""],
    "quoted": ['"x"', '"5"', '"a,b"', '""""'],
    "far": ["3000-01-01", "0001-01-01", "2020-01-02T03:04:05.000000001"],
}
#: The kind of the first rows and that of the later ones.
COLUMN = st.tuples(st.sampled_from(list(KINDS)), st.sampled_from(list(KINDS)))


@st.composite
def texts(draw):
    """Return lines of two to four columns; some later ones may have more fields."""
    columns = draw(st.lists(COLUMN, min_size=1, max_size=3))
    rows = []
    for number in range(draw(st.integers(1, 12))):
        early = number < 4
        cells = [draw(st.sampled_from(KINDS[first if early else later])) for first, later in columns]
        more = [] if early else draw(st.sampled_from([[]] * 6 + [["7"], ["x", "2020-01-01"]]))
        rows.append(",".join([f"r{number}", *cells, *more]))
    return [",".join(["rid", *"abc"[: len(columns)]]), *rows]


STEPS = st.sampled_from(["", "drop", "keep", "filter", "typed filter"])


def stepped(table, steps):
    return {
        "": lambda: table,
        "drop": lambda: table.drop_columns("a"),
        "keep": lambda: table.keep_columns(["rid", "a"]),
        "filter": lambda: table.filter("rid != 'r0'"),
        "typed filter": lambda: table.filter("a == 'x' or a is None or a != 'x'"),
    }[steps]()


@FEW
@given(lines=texts(), steps=STEPS, size=st.sampled_from([1, 2, 3]))
@example(lines=["rid,a", "r0,1", "r1,2,3"], steps="drop", size=1)
@example(lines=["rid,a", "r0,1", "r1,2,3"], steps="keep", size=1)
def test_a_sample_of_delimited_text_changes_nothing(lines, steps, size):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.csv").write_text("\n".join(lines) + "\n")
        paths = [{"file": f"{folder}/a.csv"}]

        def table(sample_size):
            read = mltable.from_delimited_files(paths, infer_column_types={"sample_size": sample_size})
            return stepped(read, steps)

        expected = outcome(table(EVERYTHING))
        for sample_size in (size, 200, EVERYTHING):
            frame = outcome(table(sample_size))
            pd.testing.assert_frame_equal(frame, expected)
            fixes = ["column_type: string"] if steps == "keep" else ["column_type: string", "sample_size"]
            check_stream(table(sample_size), folder, *fixes)


def guessed_from_two(folder, *rows, sample_size=2):
    """Return a table whose types are guessed from its first two rows."""
    (folder / "a.csv").write_text("\n".join(["rid,a", "r0,1", "r1,2", *rows, ""]))
    infer = {"sample_size": sample_size}
    return mltable.from_delimited_files([{"file": str(folder / "a.csv")}], infer_column_types=infer)


def test_a_filter_that_does_not_fit_a_guess_is_held_against_the_whole_input(tmp_path):
    table = guessed_from_two(tmp_path, "r2,x").filter("a == 'x'")
    with pytest.warns(TypeWidenedWarning, match=r"'a': 1 values .* 'x' at .*a\.csv line 4"):
        assert table.to_pandas_dataframe()["rid"].tolist() == ["r2"]
    with pytest.warns(TypeWidenedWarning):
        assert table.to_arrow_batches().read_all()["rid"].to_pylist() == ["r2"]


def test_so_is_one_that_besides_names_a_column_of_later_rows_only(tmp_path):
    table = guessed_from_two(tmp_path, "r2,x,7").filter("Column3 == 7").filter("a == 'x'")
    with pytest.warns(TypeWidenedWarning):
        assert table.to_pandas_dataframe()["rid"].tolist() == ["r2"]


OPEN_QUOTE = '"'


def test_a_filter_that_fits_no_row_is_refused_as_if_the_sample_were_everything(tmp_path):
    errors = []
    for sample_size in (2, EVERYTHING):
        with pytest.raises(FilterTypeError, match="compares integer a with string") as caught:
            guessed_from_two(tmp_path, "r2,3", sample_size=sample_size).filter("a == 'x'").to_arrow_table()
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("steps", "expression"),
    [
        (lambda table: table.convert_column_types({"a": mltable.DataType.to_int()}), "a == 'x'"),
        (lambda table: table, "rid == 5"),
        (lambda table: table.keep_columns("rid"), "a == 1"),
    ],
    ids=["converted", "text", "not kept"],
)
def test_what_no_later_row_can_mend_is_refused_before_they_are_read(tmp_path, steps, expression):
    table = steps(guessed_from_two(tmp_path, f"r2,{OPEN_QUOTE}")).filter(expression)
    with pytest.raises((FilterTypeError, ColumnNotFoundError)):
        table.to_arrow_table()


# --------------------------------------------------------------------------- JSON lines
SCALARS = st.sampled_from([None, 0, 1, -5, 1.5, 2.0, True, "x", "", "1"])
BIG = st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1])
VALUES = st.one_of(
    SCALARS,
    BIG,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.sampled_from("xyz"), SCALARS | st.lists(SCALARS, max_size=2), max_size=2),
)


@st.composite
def objects(draw):
    """Return lines whose columns change their kind, or their fields, somewhere; later ones may have new keys."""
    rows = []
    early = {key: draw(st.sampled_from([SCALARS, BIG, VALUES])) for key in "abc"}
    for number in range(draw(st.integers(1, 14))):
        row = {"rid": f"r{number}"}
        for key in "abc":
            if draw(st.integers(0, 9)):
                row[key] = draw(early[key] if number < 5 else VALUES)
        if number > 5 and not draw(st.integers(0, 5)):
            row["new"] = draw(VALUES)
        rows.append(json.dumps(row))
    return rows


SAMPLES = ("SAMPLE_BYTES", "LEAST_SAMPLE_BYTES")


@pytest.fixture
def small_sample(monkeypatch):
    """Let the sample, and the blocks that are decoded at once, be some lines."""
    for name in SAMPLES:
        monkeypatch.setattr(json_lines, name, 90)
    monkeypatch.setattr(json_lines, "PIECE_BYTES", 200)


@FEW
@given(lines=objects(), steps=STEPS)
@example(lines=['{"rid":"r0","a":1}'] * 9 + ['{"rid":"r9","a":1,"new":2}'], steps="drop")
@example(lines=['{"rid":"r0","a":1}'] * 9 + ['{"rid":"r9","a":1,"new":2}'], steps="keep")
@example(
    lines=['{"rid":"r0","a":1}'] * 9 + ['{"rid":"r9","a":18446744073709551615}', '{"rid":"r","a":-1}'],
    steps="",
)
def test_a_sample_of_json_lines_changes_nothing(small_sample, lines, steps):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.jsonl").write_text("\n".join(lines) + "\n")
        table = mltable.from_json_lines_files([{"file": f"{folder}/a.jsonl"}])
        if steps in ("", "filter") or any('"a"' in line for line in lines):
            table = stepped(table, steps)
        frame = outcome(table)
        check_stream(table, folder, "to_pandas_dataframe")
        with pytest.MonkeyPatch.context() as patch:
            for name in SAMPLES:
                patch.setattr(json_lines, name, EVERYTHING)
            pd.testing.assert_frame_equal(frame, outcome(table))
            check_nothing_is_lost(lines, frame)


def test_a_filter_that_does_not_fit_the_first_lines_is_held_against_all(small_sample, tmp_path):
    rows = [{"rid": f"r{number}", "a": number} for number in range(9)] + [{"rid": "r9", "a": "x"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = mltable.from_json_lines_files([{"file": str(tmp_path / "a.jsonl")}]).filter("a == 'x'")
    with pytest.warns(TypeWidenedWarning, match="'a': 9 values"):
        assert table.to_pandas_dataframe()["rid"].tolist() == ["r9"]


def check_nothing_is_lost(lines, frame):
    """Check every value of the frame against what Python reads."""
    by_row = {row["rid"]: row for row in map(json.loads, lines)}
    for _, got in frame.iterrows():
        for key, value in by_row[got["rid"]].items():
            if key in frame:
                assert holds(got[key], value), (key, got[key], value)


def holds(got, value):
    """Tell whether a value of a frame is a value of JSON, its text, or its nearest float."""
    if hasattr(got, "tolist"):
        got = got.tolist()
    if isinstance(got, str) and got != value:
        return json.loads(got) == value
    if value is None or value == {}:
        return all(item is None for item in got.values()) if isinstance(got, dict) else bool(pd.isna(got))
    if got is pd.NA:
        return False
    if isinstance(value, dict):
        return all(holds(got[key], item) for key, item in value.items())
    if isinstance(value, list):
        return len(got) == len(value) and all(map(holds, got, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return got == value or got == float(value)
    return got == value


# --------------------------------------------------------------------------- Parquet
DAY = 86_400 * 10**6
COLUMNS = [
    pa.array([1, None, -3], pa.int8()),
    pa.array([1, 2**31 - 1, None], pa.int32()),
    pa.array([1, 2**53 + 1, None]),
    pa.array([1, 2**53], pa.int64()),
    pa.array([1, 2**64 - 1], pa.uint64()),
    pa.array([5], pa.uint64()),
    pa.array([1.5, None], pa.float32()),
    pa.array([0.1, None]),
    pa.array([True, None]),
    pa.array(["x", None]),
    pa.array(["x", ""], pa.large_string()),
    pa.array([0, DAY, None], pa.timestamp("us")),
    pa.array([0, 1], pa.timestamp("ns")),
    pa.array([0, DAY], pa.timestamp("us", "UTC")),
    pa.array([0, 1], pa.int32()).cast(pa.date32()),
    pa.array([1, None], pa.decimal128(5, 2)),
    pa.array([1], pa.decimal128(9, 4)),
    pa.array([None], pa.null()),
    pa.array([[1, 2], None]),
    pa.array([[1.5]]),
    pa.array([{"x": 1}, None]),
    pa.array([{"x": 1.5, "y": "a"}]),
]


@FEW
@given(
    files=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.sampled_from(COLUMNS), min_size=1), min_size=1, max_size=3
    ),
    steps=st.sampled_from(["", "take"]),
)
def test_parquet_files_that_differ_lose_nothing(files, steps):
    with tempfile.TemporaryDirectory() as folder:
        rows = {}
        for number, columns in enumerate(files):
            size = min(map(len, columns.values()))
            table = pa.table({name: column[:size] for name, column in columns.items()})
            pq.write_table(table, f"{folder}/{number}.parquet")
            rows[number] = table.to_pylist()
        table = mltable.from_parquet_files([{"pattern": f"{folder}/*.parquet"}])
        table = table.take(99) if steps else table
        streamed, frame = stream(table), outcome(table)
        if isinstance(streamed, SchemaMismatchError):
            assert str(streamed) == str(frame)
            assert re.search(r"/\d\.parquet.*'[abc]'.* (convert|with)", str(streamed), re.DOTALL)
            return
        got = streamed.to_pylist()
        expected = [row for number in rows for row in rows[number]]
        assert len(got) == len(expected) == len(frame)
        for one, other in zip(got, expected, strict=True):
            assert all(same(one[name], other.get(name)) for name in streamed.schema.names), (one, other)


def same(got, value):
    """Tell whether a value is what was written, in a wider type at most."""
    if isinstance(value, dict):
        return all(same(got[key], item) for key, item in value.items()) and all(
            got[key] is None for key in got if key not in value
        )
    if isinstance(value, list):
        return len(got) == len(value) and all(map(same, got, value))
    if hasattr(value, "hour") != hasattr(got, "hour"):
        return (got.year, got.month, got.day) == (value.year, value.month, value.day)
    return got == value
