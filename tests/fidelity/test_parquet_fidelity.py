"""Parquet where a reader may lose, change or hide values: each with the exact answer or error."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest
from fidelity.fidelity_case import Case, by_name

import mltable_lite as mltable
from mltable_lite.errors import CorruptFileError, FilterTypeError, SchemaMismatchError

PARIS = ZoneInfo("Europe/Paris")
MANY = pa.table(
    {
        "i": pa.array([1, 2, 3]),
        "i8": pa.array([1, 2, 3], pa.int8()),
        "u64": pa.array([1, 2, 2**63], pa.uint64()),
        "f32": pa.array([1.5, 2.0, 0.5], pa.float32()),
        "ts": pa.array([dt.datetime(2020, 1, 2), None, dt.datetime(1, 1, 1)], pa.timestamp("us")),
        "tz": pa.array(
            [dt.datetime(2020, 1, 2, 3), dt.datetime(2020, 6, 1), None], pa.timestamp("us", "Europe/Paris")
        ),
        "day": pa.array([dt.date(2020, 1, 2), dt.date(1960, 1, 1), None]),
        "dec": pa.array([Decimal("1.50"), Decimal("2.25"), None]),
        "tm": pa.array([dt.time(1, 2, 3), None, dt.time(4)], pa.time64("us")),
    }
)
MANY_DTYPES = "int64 int8 uint64 float32 datetime64[us] datetime64[us, Europe/Paris] object object object"


def many(rows: slice) -> dict[str, list[object]]:
    """Return rows of `MANY` as the frame must have them."""
    frame: dict[str, list[object]] = {name: MANY.column(name).to_pylist()[rows] for name in MANY.column_names}
    frame["tz"] = [value and value.astimezone(PARIS) for value in frame["tz"]]
    return frame


def one(name, array, values, dtype):
    return Case(
        name, {"a.parquet": pa.table({"v": array})}, "[read_parquet]", frame={"v": values}, dtypes=dtype
    )


def two(name, first, second, frame=None, dtypes="", error=None):
    files = {f"{number}.parquet": pa.table(columns) for number, columns in enumerate((first, second))}
    return Case(name, files, "[read_parquet]", frame=frame, dtypes=dtypes, error=error)


TYPES = [
    one("big_integers_with_nulls", pa.array([2**53 + 1, None]), [2**53 + 1, None], "Int64"),
    one("times_in_seconds", pa.array([dt.time(3, 4, 5)], pa.time32("s")), [dt.time(3, 4, 5)], "object"),
    one(
        "timestamps_in_seconds",
        pa.array([dt.datetime(2020, 1, 2)], pa.timestamp("s")),
        [dt.datetime(2020, 1, 2)],
        "datetime64[ms]",
    ),
    one("a_dictionary", pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"], "category"),
    one("halves", pa.array([1.5], pa.float16()), [1.5], "float16"),
    one("durations", pa.array([5], pa.duration("us")), [pd.Timedelta(5, "us")], "timedelta64[us]"),
    one("lists_of_lists", pa.array([[[1, 2], []], None]), [[[1, 2], []], None], "object"),
    one("bytes_of_one_length", pa.array([b"ab", None], pa.binary(2)), [b"ab", None], "object"),
    one(
        "decimals_of_fifty_digits",
        pa.array([Decimal(10**49)], pa.decimal256(50, 0)),
        [Decimal(10**49)],
        "object",
    ),
    one("records_keep_integers_beside_null", pa.array([{"x": 1}, None]), [{"x": 1}, None], "object"),
    one("no_rows_keep_the_column", pa.array([], pa.int64()), [], "int64"),
]

STEPS = [
    Case(
        "take_keeps_types",
        {"a.parquet": MANY},
        "[read_parquet, {take: 3}]",
        frame=many(slice(3)),
        dtypes=MANY_DTYPES,
    ),
    Case(
        "filter_keeps_types",
        {"a.parquet": MANY},
        "[read_parquet, {filter: i > 1}]",
        frame=many(slice(1, 3)),
        dtypes=MANY_DTYPES,
    ),
    Case(
        "skip_keeps_types",
        {"a.parquet": MANY},
        "[read_parquet, {skip: 1}]",
        frame=many(slice(1, 3)),
        dtypes=MANY_DTYPES,
    ),
    Case(
        "an_instant_is_an_instant",
        {"a.parquet": MANY.select(["i", "tz"])},
        "[read_parquet, {filter: 'tz == datetime(2020, 1, 2, 3)'}]",
        frame={"i": [1], "tz": [dt.datetime(2020, 1, 2, 4, tzinfo=PARIS)]},
        dtypes="int64 datetime64[us, Europe/Paris]",
    ),
]

TIMES = pa.table({"t": pa.array([dt.time(1)], pa.time32("ms")), "d": pa.array([dt.datetime(2020, 1, 1)])})
REFUSED = [
    Case(
        f"a_time_is_no_datetime_{number}",
        {"a.parquet": TIMES},
        f"[read_parquet, {{filter: '{expression}'}}]",
        error=(FilterTypeError, ("time t", "datetime")),
    )
    for number, expression in enumerate(["t > datetime(2020, 1, 1)", "t == d", "t in [datetime(2020, 1, 1)]"])
]

FILES = [
    two(
        "other_columns_keep_types",
        {
            "day": pa.array([dt.date(2020, 1, 1)]),
            "dec": pa.array([Decimal("1.50")]),
            "tm": pa.array([dt.time(1, 2, 3)]),
        },
        {"z": pa.array([1])},
        {
            "day": [dt.date(2020, 1, 1), None],
            "dec": [Decimal("1.50"), None],
            "tm": [dt.time(1, 2, 3), None],
            "z": [None, 1.0],
        },
        "object object object float64",
    ),
    two(
        "int64_and_uint64_where_all_fits",
        {"a": pa.array([1])},
        {"a": pa.array([2**63 - 1], pa.uint64())},
        {"a": [1, 2**63 - 1]},
        "int64",
    ),
    two(
        "int64_and_uint64_where_not",
        {"a": pa.array([1])},
        {"a": pa.array([5, 2**63 + 5], pa.uint64())},
        error=(SchemaMismatchError, ("1.parquet", "column 'a'", "uint64", "int64", "9223372036854775813")),
    ),
    two(
        "text_and_numbers",
        {"a": pa.array([1])},
        {"a": pa.array(["x"])},
        error=(SchemaMismatchError, ("0.parquet", "1.parquet", "'a'", "int64", "string")),
    ),
    two(
        "naive_and_zoned",
        {"a": pa.array([0], pa.timestamp("us"))},
        {"a": pa.array([0], pa.timestamp("us", "UTC"))},
        error=(
            SchemaMismatchError,
            ("0.parquet", "1.parquet", "'a'", "timestamp[us]", "timestamp[us, tz=UTC]"),
        ),
    ),
    two(
        "micro_and_nanoseconds",
        {"a": pa.array([1000], pa.timestamp("us"))},
        {"a": pa.array([1], pa.timestamp("ns"))},
        {"a": [pd.Timestamp(1_000_000), pd.Timestamp(1)]},
        "datetime64[ns]",
    ),
    Case("no_bytes", {"a.parquet": b""}, "[read_parquet]", error=(CorruptFileError, ("a.parquet",))),
]


@by_name(TYPES + STEPS + REFUSED + FILES)
def test_no_value_is_lost(case, tmp_path):
    case.check(tmp_path)


@pytest.mark.parametrize("step", ["", ", {take: 2}", ", {filter: 'b != \"\"'}"])
def test_an_index_written_by_pandas_is_the_index_again(tmp_path, step):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).set_index("b")
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "MLTable").write_text(
        f"paths: [{{file: a.parquet}}]\ntransformations: [read_parquet{step}]\n"
    )
    pd.testing.assert_frame_equal(mltable.load(tmp_path).to_pandas_dataframe(), frame)
