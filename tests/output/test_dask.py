"""dask DataFrames: the rows, order and dtypes of pandas, lazily, with what dask asks for pushed into the reading."""

import datetime as dt
import decimal
import pickle
import shutil
import warnings
from dataclasses import fields

import dask
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal
from test_matrix import PLACES, STEPS, table, write

import mltable_lite as mltable
from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ConversionWarning,
    SchemaMismatchError,
    StrictModeError,
)
from mltable_lite.output.dask_expr import ReadMLTable


def computed(frame, scheduler="sync"):
    return frame.compute(scheduler=scheduler).reset_index(drop=True)


def parquet(folder, *tables, **options):
    folder.mkdir(exist_ok=True)
    for number, part in enumerate(tables):
        pq.write_table(part, folder / f"{number}.parquet", **options)
    return mltable.from_parquet_files([{"folder": str(folder)}])


def csv(folder, *texts, **options):
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"{number}.csv").write_text(text)
    return mltable.from_delimited_files([{"folder": str(folder)}], **options)


def only_read(frame):
    """Return the one expression that is left when all else was taken into it."""
    found = frame.optimize(fuse=False).expr
    assert isinstance(found, ReadMLTable), found.tree_repr()
    return found


# --------------------------------------------------------------------------- one meaning
@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def source(request, tmp_path_factory):
    import fsspec

    kind, place = request.param
    folder = tmp_path_factory.mktemp(kind)
    write(kind, folder)
    if place == "local":
        return table(kind, str(folder))
    memory = fsspec.filesystem("memory")
    for path in sorted(folder.iterdir()):
        memory.pipe(f"/dask-{kind}/{path.name}", path.read_bytes())
    return table(kind, f"memory://dask-{kind}")


@pytest.mark.parametrize("step", STEPS)
def test_rows_order_and_dtypes_are_those_of_pandas(source, step):
    chained = STEPS[step](source)
    for backend in (None, "pyarrow", "numpy_nullable"):
        expected = chained.to_pandas_dataframe(dtype_backend=backend)
        for size in (1, "128MiB") if backend is None else (500,):
            frame = chained.to_dask_dataframe(dtype_backend=backend, partition_bytes=size)
            assert_frame_equal(frame._meta, expected[:0], check_index_type=False)
            assert_frame_equal(computed(frame, "threads"), expected)
            assert len(frame) == len(expected)


def test_each_partition_has_the_dtypes_that_were_promised(tmp_path):
    kinds = {
        "flag": pa.array([True, None, False, True]),
        "small": pa.array([1, None, 3, 4], pa.int8()),
        "whole": pa.array([1, 2, 3, 4]),
        "wide": pa.array([None, 2**60 + 1, 3, 4]),
        "huge": pa.array([None, 2**64 - 1, 3, 4], pa.uint64()),
        "float": pa.array([1.5, None, 2.5, 3.5]),
        "text": pa.array(["a", None, "c", "d"]),
        "day": pa.array([dt.date(2024, 1, 1), None, None, None]),
        "at": pa.array([dt.datetime(2024, 1, 1), None, None, None], pa.timestamp("ms")),
        "zoned": pa.array([dt.datetime(2024, 1, 1), None, None, None], pa.timestamp("ns", "Europe/Rome")),
        "long": pa.array([dt.timedelta(1), None, None, None], pa.duration("us")),
        "price": pa.array([decimal.Decimal("1.50"), None, None, None]),
        "list": pa.array([[1], None, [], [2]]),
        "struct": pa.array([{"a": 1}, None, {"a": None}, {"a": 2}]),
        "nothing": pa.nulls(4),
        "binary": pa.array([b"x", None, b"", b"y"]),
    }
    made = parquet(tmp_path / "t", pa.table(kinds), row_group_size=1)
    for backend in (None, "pyarrow", "numpy_nullable"):
        frame = made.to_dask_dataframe(partition_bytes=1, dtype_backend=backend)
        assert frame.npartitions == 4
        for number in range(4):
            found = frame.partitions[number].compute(scheduler="sync")
            assert found.dtypes.to_dict() == frame.dtypes.to_dict()
        assert_frame_equal(computed(frame), made.to_pandas_dataframe(dtype_backend=backend))


def test_categories_are_joined_as_pandas_joins_them(tmp_path):
    parts = [pa.table({"c": pa.array(words).dictionary_encode()}) for words in (["b", "a"], ["c", "b", None])]
    made = parquet(tmp_path / "t", *parts)
    assert_frame_equal(
        computed(made.to_dask_dataframe(partition_bytes=1)),
        made.to_pandas_dataframe(),
        check_categorical=False,
    )


def test_a_table_of_files_gives_streams(tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    frame = mltable.from_paths([{"file": str(tmp_path / "a.txt")}]).to_dask_dataframe()
    with computed(frame, "threads").Path[0].open() as stream:
        assert stream.read() == b"hello"
    assert len(frame) == 1


def test_an_index_that_pandas_wrote_is_there_again_and_stays_with_selected_columns(tmp_path):
    frame = pd.DataFrame({"x": range(6), "y": range(6)}, index=pd.Index(list("abcdef"), name="key"))
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=2)
    made = mltable.from_parquet_files([{"file": str(tmp_path / "a.parquet")}])
    lazy = made.to_dask_dataframe(partition_bytes=1)
    assert_frame_equal(lazy.compute(scheduler="sync"), frame)
    assert_frame_equal(lazy[["y"]].compute(scheduler="sync"), frame[["y"]])
    assert_frame_equal(lazy[lazy.x > 3][["y"]].compute(scheduler="sync"), frame[frame.x > 3][["y"]])


def test_files_with_other_headers_and_partition_columns_keep_their_own(tmp_path):
    for year, text in ((2023, "a,b\n1,x\n"), (2024, "b,c\ny,2.5\n")):
        (tmp_path / f"year={year}").mkdir()
        (tmp_path / f"year={year}" / "f.csv").write_text(text)
    made = mltable.from_delimited_files(
        [{"folder": str(tmp_path)}], header="all_files_different_headers", include_path_column=True
    )
    for partitioned in (made.extract_columns_from_partition_format("/year={year}/"), made):
        frame = partitioned.to_dask_dataframe(partition_bytes=1)
        assert frame.npartitions == 2
        assert_frame_equal(computed(frame), partitioned.to_pandas_dataframe())
    by_year = made.extract_columns_from_partition_format("/year={year}/").to_dask_dataframe(partition_bytes=1)
    assert computed(by_year[by_year.year == 2024]).b.tolist() == ["y"]


def test_a_header_in_the_first_file_alone_is_known_in_every_task(tmp_path):
    made = csv(tmp_path / "t", "a,b\n1,2\n", "3,4\n", "5,6\n", header="from_first_file")
    assert computed(made.to_dask_dataframe(partition_bytes=1)).a.tolist() == [1, 3, 5]


def test_deletion_and_order_of_a_delta_table_survive(tmp_path):
    import deltalake

    for start in (0, 10, 20):
        part = pa.table({"x": range(start, start + 10), "g": ["u", "v"] * 5})
        deltalake.write_deltalake(tmp_path, part, mode="append", partition_by=["g"])
    made = mltable.from_delta_lake(str(tmp_path))
    frame = made.to_dask_dataframe(partition_bytes=1)
    assert_frame_equal(computed(frame), made.to_pandas_dataframe())
    assert computed(frame[frame.g == "v"]).x.tolist() == [
        x for x, g in zip(*map(made.to_pandas_dataframe().get, "xg"), strict=True) if g == "v"
    ]


# --------------------------------------------------------------------------- rows that are counted
def test_take_and_skip_count_over_filters_and_samples(tmp_path):
    made = csv(tmp_path / "t", *("x\n" + "".join(f"{n}\n" for n in range(i, i + 50)) for i in (0, 50, 100)))
    for chained in (
        made.filter("x % 3 == 0").skip(10).take(20),
        made.take(60).filter("x % 2 == 0").skip(3),
        made.take_random_sample(0.5, seed=3).take(30).take_random_sample(0.5, seed=4),
        made.skip(120).take(100),
        made.skip(1000),
        made.filter("x > 60").take(5).select_partitions(0),
        made.select_partitions([0, 2]).skip(45).take(10),
    ):
        frame = chained.to_dask_dataframe(partition_bytes=1)
        assert_frame_equal(computed(frame), chained.to_pandas_dataframe())
        assert len(frame) == len(chained.to_pandas_dataframe())


def test_a_take_reads_only_the_files_that_it_needs(tmp_path):
    made = csv(tmp_path / "t", "x\n1\n2\n", "x\n3\n", "x\n4\n").take(2)
    frame = made.to_dask_dataframe(partition_bytes=1)
    (tmp_path / "t" / "1.csv").unlink()
    (tmp_path / "t" / "2.csv").unlink()
    assert computed(frame).x.tolist() == [1, 2]


def test_a_column_chosen_later_does_not_change_which_rows_are_counted(tmp_path):
    made = csv(tmp_path / "t", "x,y\n1,1\n2,2\n3,3\n", "x,y\n4,4\n5,5\n6,6\n")
    chained = made.skip(1).convert_column_types({"y": "string"}).skip(1).take(3)
    frame = chained.to_dask_dataframe(partition_bytes=1)
    assert computed(frame[["x"]]).x.tolist() == [3, 4, 5]
    assert computed(frame[frame.x > 3]).y.tolist() == ["4", "5"]


# --------------------------------------------------------------------------- dtypes
def test_integers_have_one_dtype_though_only_some_partitions_have_nulls(tmp_path):
    made = parquet(
        tmp_path / "t", pa.table({"x": [1, 2], "k": ["a", "b"]}), pa.table({"x": [None, 3], "k": ["c", "d"]})
    )
    frame = made.to_dask_dataframe(partition_bytes=1)
    assert frame.dtypes["x"] == "float64"
    assert computed(frame.partitions[0]).dtypes["x"] == "float64"
    assert_frame_equal(computed(frame), made.to_pandas_dataframe())


def test_integers_stay_integers_where_the_filter_lets_no_null_pass(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": [1, None]}), pa.table({"x": [2, 3]})).filter("x >= 1")
    frame = made.to_dask_dataframe(partition_bytes=1)
    assert frame.dtypes["x"] == "int64"
    assert_frame_equal(computed(frame), made.to_pandas_dataframe())


def test_a_column_that_some_file_lacks_has_nulls(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": [1], "ok": [True]}), pa.table({"y": [1]}))
    frame = made.to_dask_dataframe(partition_bytes=1)
    assert frame.dtypes.astype(str).to_dict() == {"x": "float64", "ok": "object", "y": "float64"}
    assert_frame_equal(computed(frame), made.to_pandas_dataframe())


def test_a_null_that_nothing_foretold_is_an_error_that_offers_the_dtypes_for_it(tmp_path):
    late = "x,ok\n" + "1,true\n" * 50_000 + ",\n"
    made = csv(tmp_path / "t", late)
    with pytest.raises(
        SchemaMismatchError, match=r"column 'x' has a null.*column 'ok' has a null.*numpy_nullable"
    ) as error:
        computed(made.to_dask_dataframe())
    assert error.value.column == "x"
    for backend in ("pyarrow", "numpy_nullable"):
        frame = made.to_dask_dataframe(dtype_backend=backend)
        assert_frame_equal(computed(frame), made.to_pandas_dataframe(dtype_backend=backend))


def test_an_integer_that_a_float_would_round_is_an_error(tmp_path):
    made = csv(tmp_path / "t", "x\n1\n\n" + '""\n' + "1\n" * 300_000 + f"{2**60 + 1}\n")
    assert made.to_dask_dataframe().dtypes["x"] == "float64"
    with pytest.raises(SchemaMismatchError, match=r"column 'x' has an integer beyond 2\*\*53"):
        computed(made.to_dask_dataframe())


def test_a_value_past_the_sample_that_does_not_fit_is_an_error_and_not_a_null(tmp_path):
    made = csv(tmp_path / "t", "x\n" + "1\n" * 300 + "oops\n")
    with pytest.raises(SchemaMismatchError, match="oops"):
        computed(made.to_dask_dataframe())


# --------------------------------------------------------------------------- pushed into the reading
def test_columns_and_comparisons_are_read_and_not_computed(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": [1, 5, None], "y": list("abc"), "z": [1.5, 2.5, 3.5]}))
    frame = made.to_dask_dataframe()
    chosen = frame[(frame.x > 1) & ((frame.y == "b") | (frame.z > 2))][["z"]]
    read = only_read(chosen)
    assert read.columns == ["z"]
    assert "x > 1" in read.tree_repr()
    assert computed(chosen).z.tolist() == [2.5]


def test_what_cannot_be_pushed_is_left_to_dask_and_the_rest_is_pushed(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": [1, 5, 7], "y": ["ab", "bc", "cd"]}))
    frame = made.to_dask_dataframe()
    chosen = frame[(frame.x > 1) & frame.y.str.contains("c")]
    [read] = chosen.optimize(fuse=False).expr.find_operations(ReadMLTable)
    assert "x > 1" in read.tree_repr()
    assert computed(chosen).x.tolist() == [5, 7]


def test_a_partition_that_statistics_rule_out_is_not_opened(tmp_path):
    made = parquet(tmp_path / "t", *(pa.table({"x": range(i, i + 10)}) for i in (0, 10, 20)))
    frame = made.to_dask_dataframe(partition_bytes=1)
    (tmp_path / "t" / "0.parquet").write_bytes(b"gone")
    assert computed(frame[frame.x >= 12]).x.tolist() == list(range(12, 30))


def test_filters_are_not_pushed_where_the_whole_is_needed_too(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": [1.0, 2.0, 3.0]}), pa.table({"x": [4.0]}))
    frame = made.to_dask_dataframe(partition_bytes=1)
    assert computed(frame[frame.x > frame.x.mean()]).x.tolist() == [3.0, 4.0]
    assert dask.compute(frame[frame.x > 1].x.sum() / frame.x.sum(), scheduler="sync")[0] == 0.9


def test_known_lengths_are_answered_without_the_files(tmp_path):
    made = parquet(tmp_path / "t", pa.table({"x": range(10), "y": range(10)}), row_group_size=3)
    frame = made.skip(2).take(7).to_dask_dataframe(partition_bytes=1)
    shutil.rmtree(tmp_path / "t")
    assert len(frame) == len(frame[["y"]]) == len(frame.x) == 7
    assert frame.shape[0].compute() == 7


def test_an_index_has_divisions_where_statistics_tell_them(tmp_path):
    at = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=n) for n in range(40)]
    made = parquet(tmp_path / "t", pa.table({"at": at, "x": range(40)}), row_group_size=10)
    frame = made.to_dask_dataframe(index="at", partition_bytes=1)
    assert frame.known_divisions
    assert frame.divisions[1] == pd.Timestamp(at[10])
    expected = made.to_pandas_dataframe().set_index("at")
    assert_frame_equal(frame.compute(scheduler="sync"), expected)
    some = frame.loc["2024-01-01T12":"2024-01-01T15"].compute(scheduler="sync")
    assert some.x.tolist() == [12, 13, 14, 15]


@pytest.mark.parametrize("values", [[[1, 5], [5, 9]], [[5, 6], [1, 2]], [[1, None], [3, 4]]])
def test_divisions_are_unknown_where_partitions_overlap_or_have_nulls(tmp_path, values):
    made = parquet(tmp_path / "t", *(pa.table({"x": pa.array(v, pa.int64()), "y": v}) for v in values))
    frame = made.to_dask_dataframe(index="x", partition_bytes=1)
    assert not frame.known_divisions
    assert frame.compute(scheduler="sync").index.isna().sum() == sum(v.count(None) for v in values)


# --------------------------------------------------------------------------- partitions and tasks
def test_small_files_are_grouped_and_big_row_groups_stay(tmp_path):
    made = parquet(tmp_path / "t", *(pa.table({"x": range(1000)}) for _ in range(50)))
    assert made.to_dask_dataframe().npartitions == 1
    assert (
        made.to_dask_dataframe(partition_bytes="1 MiB").npartitions == 7
    )  # opening a file counts as 128 KiB
    assert made.to_dask_dataframe(partition_bytes=10).npartitions == 50


def test_an_empty_table_is_one_empty_partition(tmp_path):
    frame = parquet(tmp_path / "t", pa.table({"x": pa.array([], pa.int64())})).to_dask_dataframe()
    assert frame.npartitions == 1
    assert len(frame) == 0
    assert computed(frame).dtypes["x"] == "int64"


def test_a_task_carries_its_own_files_only_and_the_message_stays_small(tmp_path):
    made = csv(tmp_path / "t", *("x\n1\n" for _ in range(1000)))
    frame = made.to_dask_dataframe(partition_bytes="2MiB")
    assert frame.npartitions == 63
    assert len(pickle.dumps(frame.optimize().expr)) < 40_000
    for task in frame.optimize().__dask_graph__().values():
        assert len(pickle.dumps(task)) < 10_000
        assert b"0.csv" in pickle.dumps(task)


def test_no_credential_is_in_the_graph(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    made = mltable.from_delimited_files(
        [{"file": str(tmp_path / "a.csv")}], storage_options={"account_key": "c2VjcmV0", "account_name": "me"}
    )
    frame = made.to_dask_dataframe()
    [read] = pickle.loads(pickle.dumps(frame.optimize().expr)).find_operations(ReadMLTable)
    inside = pickle.dumps([getattr(read.frames, field.name) for field in fields(read.frames)])
    tasks = pickle.dumps(list(frame.optimize().__dask_graph__().values()))
    for sent in (inside, tasks):
        assert b"c2VjcmV0" not in sent
        assert b"a.csv" in sent


def test_tasks_run_in_other_processes(tmp_path):
    made = csv(tmp_path / "t", "x\n1\n", "x\n2\n").filter("x > 0")
    frame = made.to_dask_dataframe(partition_bytes=1)
    with dask.config.set(scheduler="processes", num_workers=2):
        assert frame.x.sum().compute() == 3


def test_two_readings_are_told_apart_and_one_is_not(tmp_path):
    made = csv(tmp_path / "t", "x\n1\n")
    first, second = made.to_dask_dataframe(), made.to_dask_dataframe()
    assert first._name != second._name
    assert pickle.loads(pickle.dumps(first))._name == first._name


# --------------------------------------------------------------------------- warnings and arguments
def test_warnings_come_when_dask_computes(tmp_path):
    made = csv(tmp_path / "t", "x\na\n").convert_column_types({"x": "int"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frame = made.to_dask_dataframe(dtype_backend="pyarrow")
    with pytest.warns(ConversionWarning, match="'a'|: a"):
        assert computed(frame).x.isna().all()


def test_strict_mode_raises_when_dask_computes(tmp_path):
    (tmp_path / "a.csv").write_text("x\na\n")
    made = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}], strict=True)
    frame = made.convert_column_types({"x": "int"}).to_dask_dataframe(dtype_backend="pyarrow")
    with pytest.raises(StrictModeError, match="ConversionWarning"):
        computed(frame)


@pytest.mark.parametrize("size", [0, -1, True, "big", 1.5, None, "12 parsecs"])
def test_sizes_that_are_none_are_refused(tmp_path, size):
    with pytest.raises(ArgumentError, match="partition_bytes"):
        csv(tmp_path / "t", "x\n1\n").to_dask_dataframe(partition_bytes=size)


def test_other_wrong_arguments_are_refused(tmp_path):
    made = csv(tmp_path / "t", "x\n1\n")
    with pytest.raises(ArgumentError, match="dtype_backend"):
        made.to_dask_dataframe(dtype_backend="numpy")
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'x'"):
        made.to_dask_dataframe(index="X")
