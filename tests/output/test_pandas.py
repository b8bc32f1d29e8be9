"""Frames: the dtypes pandas users expect, and no digit lost."""

import datetime as dt
import decimal
import itertools

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite.errors import ConversionError
from mltable_lite.output.frame import FrameBuilder
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


# --------------------------------------------------------------------------- lists and records
BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("kind", "plain", "holed"),
    [
        (pa.list_(pa.int64()), [BIG], [1, None]),
        (pa.list_(pa.uint64()), [2**64 - 1], [None]),
        (pa.large_list(pa.int8()), [1, 2, 3], [None, -1]),
        (pa.list_(pa.int64(), 2), [BIG, 2], [1, None]),
        (pa.list_view(pa.int32()), [1], [1, None]),
        (pa.list_(pa.bool_()), [True, False], [None, True]),
        (pa.list_(pa.list_(pa.int64())), [[BIG], None, []], [[1, None], [2]]),
        (pa.list_(pa.list_(pa.struct([("n", pa.int64())]))), [[{"n": BIG}], None], [[{"n": None}, None]]),
        (pa.map_(pa.string(), pa.int64()), [("k", BIG)], [("k", None)]),
        (pa.map_(pa.string(), pa.list_(pa.int64())), [("k", [BIG])], [("k", [1, None]), ("l", None)]),
        (pa.struct([("l", pa.list_(pa.int64()))]), {"l": [BIG]}, {"l": [None]}),
    ],
    ids=str,
)
def test_a_row_of_lists_looks_the_same_whatever_the_other_rows_hold(tmp_path, kind, plain, holed):
    pq.write_table(
        pa.table({"id": [1, 2, 3], "v": pa.array([plain, holed, None], kind)}), tmp_path / "t.parquet"
    )
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    whole = table.to_pandas_dataframe()
    frames = [
        whole,
        table.to_pandas_dataframe(dtype_backend="numpy_nullable"),
        pd.concat(table.iter_pandas(1)),
        table.to_dask_dataframe().compute(),
        pd.concat([table.filter(f"id == {i}").to_pandas_dataframe() for i in (1, 2, 3)]),
    ]
    for frame in frames:
        assert list(map(plainly, frame["v"])) == [plain, holed, None]
        assert [getattr(value, "dtype", None) for value in frame["v"]] == [
            getattr(value, "dtype", None) for value in whole["v"]
        ]
    if pa.types.is_list(kind) and pa.types.is_integer(kind.value_type):
        assert whole["v"][0].dtype == kind.value_type.to_pandas_dtype()
        assert whole["v"][1].dtype == object


def plainly(value):
    """The value with lists in place of arrays, and their numbers as Python's; a float stays one, to be told."""
    if isinstance(value, np.ndarray):
        return [plainly(item) for item in value.tolist()]
    assert not isinstance(value, float)
    return value


def test_lists_without_nulls_are_the_arrays_that_arrow_makes(read):
    table = pa.table(
        {
            "i": [[1, 2], [], None],
            "f": [[1.5, None], [], None],
            "s": [["a", None], [], None],
            "t": pa.array([[0, None], [], None], pa.list_(pa.timestamp("us"))),
            "d": pa.array([[dt.date(1, 1, 1), None], [], None]),
            "l": pa.array([[[1], None], [], None]),
        }
    )
    frame, expected = read(table), table.to_pandas()
    for name in table.column_names:
        for value, other in zip(frame[name], expected[name], strict=True):
            assert (value is None) == (other is None)
            assert value is None or (value.dtype, repr(value)) == (other.dtype, repr(other))
            assert value is None or value.flags.writeable == other.flags.writeable


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (pa.list_view(pa.string()), [["a", "b"], [None], [], None, ["c"]]),
        (pa.struct([("n", pa.null()), ("i", pa.int64())]), [{"n": None, "i": i} for i in range(5)]),
        (
            pa.map_(pa.string(), pa.struct([("n", pa.null())])),
            [[("k", {"n": None})], [], None, [], [("l", None)]],
        ),
    ],
    ids=str,
)
def test_rows_that_were_sliced_out_of_an_array_keep_their_values(kind, rows):
    array = pa.concat_arrays([pa.array([rows[0], None], kind), pa.array(rows, kind)])[2:]
    for cut in range(len(rows) + 1):
        builder = FrameBuilder(pa.schema([("v", kind)]), len(rows))
        for row, part in ((0, array[:cut]), (cut, array[cut:])):
            builder.put([pa.record_batch({"v": part})], row)
        assert list(map(plainly, builder.frame()["v"])) == rows


# --------------------------------------------------------------------------- what Python has no object for
NANO = pa.array([None, 8], pa.time64("ns"))
FAR = pa.array([None, 4_000_000], pa.int32()).view(pa.date32())
LATE = pa.array([None, 10**18], pa.int64()).view(pa.timestamp("us"))


def record(array):
    return pa.StructArray.from_arrays([array], ["x"])


def a_list(array):
    return pa.ListArray.from_arrays(pa.array([0, 1, 2], pa.int32()), array)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (NANO, "00:00:00.000000008 has nanoseconds"),
        (record(NANO), "00:00:00.000000008 has nanoseconds"),
        (a_list(NANO), "00:00:00.000000008 has nanoseconds"),
        (NANO.dictionary_encode(), "00:00:00.000000008 has nanoseconds"),
        (FAR, "12921-08-18 is beyond the years 1 to 9999"),
        (record(FAR), "12921-08-18 is beyond"),
        (a_list(FAR), "12921-08-18 is beyond"),
        (FAR.cast(pa.date64()), "12921-08-18 is beyond"),
        (pa.array([None, 100_000], pa.int32()).view(pa.time32("s")), "27:46:40 is no time of a day"),
        (
            record(pa.array([None, -1], pa.int64()).view(pa.time64("us"))),
            "-00:00:00.000001 is no time of a day",
        ),
        (pa.array([None, 0], pa.timestamp("us", "Foo/Bar")), "time zone 'Foo/Bar' is not known"),
        (record(pa.array([None, 0], pa.timestamp("us", "Foo/Bar"))), "zone"),
        (record(LATE.cast(pa.timestamp("us", "Europe/Rome"))), "33658-09-27 01:46:40 UTC"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_a_value_that_python_has_no_object_for_is_an_error_that_names_column_and_value(tmp_path, array, text):
    pq.write_table(pa.table({"v": array}), tmp_path / "t.parquet")
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    for read in (
        table.to_pandas_dataframe,
        lambda: table.to_pandas_dataframe(dtype_backend="numpy_nullable"),
        lambda: list(table.iter_pandas(1)),
        lambda: table.to_dask_dataframe().compute(),
        table.show,
    ):
        with pytest.raises(
            ConversionError, match=f"column 'v': .*{text}.*dtype_backend='pyarrow'.*to_arrow_table"
        ):
            read()
    assert (
        table.to_pandas_dataframe(dtype_backend="pyarrow")["v"].dtype.pyarrow_dtype
        == table.to_arrow_table()["v"].type
    )


def test_datetimes_and_time_spans_beyond_python_are_those_of_pandas(read):
    spans = pa.array([None, 10**15], pa.int64()).view(pa.duration("s"))
    frame = read(pa.table({"c": LATE, "r": record(LATE), "l": a_list(LATE), "d": record(spans)}))
    moment = pd.Timestamp(np.datetime64(10**18, "us"))
    assert moment.year == 33658
    assert frame["c"][1] == frame["r"][1]["x"] == pd.Timestamp(frame["l"][1][0]) == moment
    assert frame["d"][1] == {"x": pd.Timedelta(np.timedelta64(10**15, "s"))}


def test_a_value_beyond_python_does_not_change_its_neighbours(read):
    near = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
    zoned = pa.array([near, None], pa.timestamp("us", "UTC"))
    both = pa.concat_arrays([pa.array([near.replace(tzinfo=None)], pa.timestamp("us")), LATE[1:]])
    frame = read(pa.table({"z": record(zoned), "r": record(both)}))
    assert frame["z"][0] == {"x": near}
    assert type(frame["r"][0]["x"]) is dt.datetime


# --------------------------------------------------------------------------- categories
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (pa.array(["b", "a", None]), "str"),
        (pa.array(["b", "a", None], pa.large_string()), "str"),
        (pa.array([7, None, 8], pa.int16()), "int16"),
        (pa.array([0, 1, None], pa.timestamp("us", "Europe/Rome")), "datetime64[us, Europe/Rome]"),
        (pa.array([dt.date(2020, 1, 1), None, None]), "object"),
    ],
    ids=str,
)
def test_categories_have_the_dtype_of_the_values_also_where_there_are_none(values, dtype):
    encoded = values.dictionary_encode()
    for array in (encoded, encoded.filter(values.is_null()), encoded.slice(0, 0), pa.nulls(2, encoded.type)):
        builder = FrameBuilder(pa.schema([("v", encoded.type)]), len(array))
        builder.put([pa.record_batch({"v": array})] if len(array) else [], 0)
        column = builder.frame()["v"]
        assert str(column.cat.categories.dtype) == dtype
        assert [None if pd.isna(v) else v for v in column] == array.to_pylist()


def test_categories_of_files_are_joined_and_keep_their_order(tmp_path):
    for number, words in enumerate((["b", "a"], ["c", None, "b"], [None])):
        array = pa.array(words, pa.string()).dictionary_encode()
        ordered = pa.DictionaryArray.from_arrays(array.indices, array.dictionary, ordered=True)
        pq.write_table(pa.table({"v": array, "o": ordered}), tmp_path / f"{number}.parquet")
    frame = mltable.from_parquet_files([{"folder": str(tmp_path)}]).to_pandas_dataframe()
    for name in ("v", "o"):
        assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == [
            "b",
            "a",
            "c",
            None,
            "b",
            None,
        ]
        assert list(frame[name].cat.categories) == ["b", "a", "c"]
        assert frame[name].cat.ordered == (name == "o")


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
