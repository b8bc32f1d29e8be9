"""Frames: the dtypes pandas users expect, and no digit lost."""

import datetime as dt
import decimal
import itertools

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite.storage.streams import Stream


@pytest.fixture
def read(tmp_path):
    def through_parquet(table, **options):
        pq.write_table(table, tmp_path / "t.parquet")
        return mltable.from_parquet_files([{"file": str(tmp_path / "t.parquet")}]).to_pandas_dataframe(
            **options
        )

    return through_parquet


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1, 2], pa.int8(), "int8"),
        ([1, None], pa.int64(), "float64"),
        ([2**53 + 1, None], pa.int64(), "Int64"),
        ([2**63 + 1, None], pa.uint64(), "UInt64"),
        ([2**63 + 1, 2], pa.uint64(), "uint64"),
        ([True, None], pa.bool_(), "object"),
        ([True, False], pa.bool_(), "bool"),
        (["a", None], pa.string(), "str"),
        ([1.5, None], pa.float32(), "float32"),
        ([dt.date(2020, 1, 1), None], pa.date32(), "object"),
        ([decimal.Decimal("1.10"), None], pa.decimal128(5, 2), "object"),
        ([dt.datetime(1, 1, 1), dt.datetime(9999, 1, 1)], pa.timestamp("us"), "datetime64[us]"),
        ([dt.datetime(2020, 1, 1)], pa.timestamp("ms", "Europe/Rome"), "datetime64[ms, Europe/Rome]"),
        ([None, None], pa.null(), "object"),
    ],
)
def test_a_column_has_the_dtype_that_keeps_its_values(read, values, kind, dtype):
    table = pa.table({"first": range(len(values)), "v": pa.array(values, kind), "last": ["x"] * len(values)})
    frame = read(table)
    assert str(frame["v"].dtype) == dtype
    assert list(frame.columns) == ["first", "v", "last"]
    back = [None if pd.isna(v) else v for v in frame["v"]]
    assert [
        v if v is None or not isinstance(v, pd.Timestamp) else v.to_pydatetime() for v in back
    ] == pa.array(values, kind).to_pylist() or kind == pa.timestamp("ms", "Europe/Rome")


def test_a_table_whose_columns_are_all_special_has_its_rows(read):
    frame = read(pa.table({"v": pa.array([2**60, None], pa.int64())}))
    assert frame["v"].tolist() == [2**60, pd.NA]


@pytest.mark.parametrize(("backend", "dtype"), [("pyarrow", "int64[pyarrow]"), ("numpy_nullable", "Int64")])
def test_dtype_backends_are_those_of_pandas(read, backend, dtype):
    assert str(read(pa.table({"v": [1, None]}), dtype_backend=backend)["v"].dtype) == dtype


def test_an_unknown_backend_is_refused(read):
    with pytest.raises(mltable.UserErrorException, match="numpy_nullable"):
        read(pa.table({"v": [1]}), dtype_backend="polars")


def test_an_empty_result_keeps_columns_and_types(tmp_path):
    pq.write_table(pa.table({"a": pa.array([1], pa.int8()), "s": ["x"]}), tmp_path / "t.parquet")
    frame = mltable.from_parquet_files([{"folder": str(tmp_path)}]).filter("a > 5").to_pandas_dataframe()
    assert frame.shape == (0, 2)
    assert [str(t) for t in frame.dtypes] == ["int8", "str"]
    assert isinstance(frame.index, pd.RangeIndex)


def test_a_named_index_of_pandas_comes_back_while_its_column_is_there(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "k": ["x", "y"]}).set_index("k")
    frame.to_parquet(tmp_path / "t.parquet")
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    pd.testing.assert_frame_equal(table.to_pandas_dataframe(), frame)
    without = table.keep_columns("a").to_pandas_dataframe()
    assert isinstance(without.index, pd.RangeIndex)
    assert without["a"].tolist() == [1, 2]


def test_nullable_integers_of_pandas_come_back(tmp_path):
    pd.DataFrame({"a": pd.array([1, None], "Int64")}).to_parquet(tmp_path / "t.parquet")
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    assert str(table.to_pandas_dataframe()["a"].dtype) == "Int64"
    assert table.convert_column_types({"a": "string"}).to_pandas_dataframe()["a"].tolist()[0] == "1"


def test_the_index_counts_the_rows_of_the_result(tmp_path):
    for name in ("1", "2"):
        pd.DataFrame({"a": [1, 2, 3]}).to_parquet(tmp_path / f"{name}.parquet")
    frame = mltable.from_parquet_files([{"folder": str(tmp_path)}]).filter("a > 1").to_pandas_dataframe()
    assert frame.index.tolist() == [0, 1, 2, 3]


def test_a_table_of_files_holds_streams_that_open(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"abc")
    frame = mltable.from_paths([{"file": str(tmp_path / "a.bin")}]).to_pandas_dataframe()
    stream = frame["Path"][0]
    assert isinstance(stream, Stream)
    assert str(stream) == str(tmp_path / "a.bin")
    with stream.open() as opened:
        assert opened.read() == b"abc"


def test_integers_inside_a_struct_stay_integers_beside_a_null(read):
    rows = [{"n": 1}, None, {"n": None}]
    frame = read(pa.table({"v": rows, "w": [[{"n": 3}, None], None, []]}))
    assert repr(frame["v"].tolist()) == "[{'n': 1}, None, {'n': None}]"
    assert repr(frame["w"][0].tolist()) == "[{'n': 3}, None]"
    assert frame["w"][1] is None


def test_the_frame_filled_by_workers_is_the_one_that_arrow_makes(tmp_path):
    parts = []
    for number in range(4):
        ids = [None if number == 2 and i == 3 else number * 10 + i for i in range(10)]
        parts.append(
            pa.table(
                {
                    "i": pa.array(ids, pa.int32()),
                    "b": pa.array([None if i == number else i % 2 == 0 for i in range(10)]),
                    "f": pa.array([None if i == 1 else i / 3 for i in range(10)], pa.float32()),
                    "t": pa.array([None if i == 2 else i * 10**12 for i in range(10)], pa.timestamp("us")),
                    "z": pa.array(
                        [None if i == 2 else i * 10**12 for i in range(10)], pa.timestamp("ns", "Asia/Tokyo")
                    ),
                    "s": [None if i == 4 else f"{number}-{i}" for i in range(10)],
                    "d": pa.array(list(range(10)), pa.date32()),
                    "l": [[number, i] for i in range(10)],
                    "c": pa.array(["x", "y"] * 5).dictionary_encode(),
                }
            )
        )
        pq.write_table(parts[-1], tmp_path / f"{number}.parquet", row_group_size=3)
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    filled, collected = table.to_pandas_dataframe(), table.filter("i is None or i >= 0").to_pandas_dataframe()
    pd.testing.assert_frame_equal(filled, collected)
    pd.testing.assert_frame_equal(filled, pa.concat_tables(parts).to_pandas(), check_dtype=True)


# --------------------------------------------------------------------------- rows of which nobody knows how many come
FILES = {
    "long": "".join(f"{i},{i / 4},2020-01-01 00:00:0{i % 10},{'x' * 1000},true\n" for i in range(100)),
    "short": "".join(
        f"{i},,2021-01-01 00:00:0{i % 10},{'' if i % 3 else i},{'false' if i % 2 else ''}\n"
        for i in range(40_000)
    ),
    "none": "-1,0.5,2020-01-01 00:00:00,dropped,true\n" * 3_000,
}


@pytest.mark.parametrize("order", list(itertools.permutations(FILES)), ids="-".join)
def test_a_frame_grows_when_later_partitions_hold_more_rows_than_the_first_let_expect(tmp_path, order):
    for number, name in enumerate(order):
        (tmp_path / f"{number}.csv").write_text("i,f,d,t,b\n" + FILES[name])
    table = mltable.from_delimited_files(
        [{"folder": str(tmp_path)}], infer_column_types={"sample_size": 100_000}
    )
    table = table.filter("i >= 0")
    frame, rows = table.to_pandas_dataframe(), table.to_arrow_table()
    assert len(frame) == 40_100
    assert frame["i"].tolist() == rows["i"].to_pylist()
    assert frame["d"].tolist() == rows["d"].to_pylist()
    for name in ("f", "t", "b"):
        assert frame[name].isna().sum() == rows[name].null_count
        assert frame[name].dropna().tolist() == rows[name].drop_null().to_pylist()
