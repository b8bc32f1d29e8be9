"""A filter on dask's side keeps the rows, and the labels of them, that it keeps in pandas, whatever is pushed."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dask.dataframe.dask_expr._reductions import Len
from deltalake import write_deltalake

import mltable_lite as mltable
from mltable_lite.output.dask_expr import ReadMLTable

FILES, ROWS = 6, 40


def frame_of(number):
    rows = range(number * ROWS, (number + 1) * ROWS)
    return pd.DataFrame({"a": [i * 7 % 10 for i in rows], "b": [*rows], "s": [f"text {i % 3}" for i in rows]})


def of_csv(folder):
    for number in range(FILES):
        frame_of(number).to_csv(folder / f"{number}.csv", index=False)
    return mltable.from_delimited_files([{"folder": str(folder)}])


def of_csv_blocks(folder):
    pd.concat(map(frame_of, range(FILES))).to_csv(folder / "all.csv", index=False)
    (folder / "MLTable").write_text(
        "paths: [file: all.csv]\ntransformations:\n  - read_delimited: {partition_size: 300}\n"
    )
    return mltable.load(folder)


def of_json_lines(folder):
    for number in range(FILES):
        frame_of(number).to_json(folder / f"{number}.jsonl", orient="records", lines=True)
    return mltable.from_json_lines_files([{"folder": str(folder)}])


def of_parquet(folder):
    for number in range(FILES):
        table = pa.Table.from_pandas(frame_of(number), preserve_index=False)
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=15)
    return mltable.from_parquet_files([{"folder": str(folder)}])


def of_delta(folder):
    for number in range(FILES):
        write_deltalake(folder, frame_of(number), mode="append")
    return mltable.from_delta_lake(str(folder))


SOURCES = [of_csv, of_csv_blocks, of_json_lines, of_parquet, of_delta]
STEPS = {
    "all": lambda table: table,
    "filter": lambda table: table.filter("a != 2"),
    "sample": lambda table: table.take_random_sample(0.7, seed=4),
    "take": lambda table: table.take(100),
    "skip": lambda table: table.skip(55),
    "skip, filter, take": lambda table: table.skip(5).filter("b % 3 != 0").take(90),
    "partitions": lambda table: table.select_partitions([1, 3]),
    "columns": lambda table: table.keep_columns(["b", "a"]),
    "convert": lambda table: table.convert_column_types({"b": mltable.DataType.to_float()}),
}
#: Of a partition's frame and the whole table: a mean or a maximum is that of the whole.
CONDITIONS = {
    "pushed": lambda frame, _: frame.a > 3,
    "pushed, by statistics": lambda frame, _: (frame.b >= 70) & (frame.b < 130),
    "and what dask does": lambda frame, _: (frame.a > 3) & (frame.b % 2 == 1),
    "and a list": lambda frame, _: (frame.a > 3) & frame.b.isin([1, 5, 77, 150]),
    "and a mean": lambda frame, whole: (frame.a > 3) & (frame.b > whole.b.mean()),
    "and a maximum, or": lambda frame, whole: (
        (frame.a < 3) & ((frame.b > whole.b.max() - 50) | (frame.a == 0))
    ),
}


@pytest.fixture(scope="module", params=SOURCES, ids=lambda make: make.__name__)
def table(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("labels"))


def pieces(lazy):
    return [lazy.get_partition(number).compute(scheduler="sync") for number in range(lazy.npartitions)]


@pytest.mark.parametrize("partition_bytes", [1, "100MB"])
@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_rows_and_labels_are_those_of_pandas(table, step, condition, partition_bytes):
    lazy = step(table).to_dask_dataframe(partition_bytes=partition_bytes)
    found = pieces(lazy)
    whole = pd.concat(found)
    kept = lazy[condition(lazy, lazy)].compute(scheduler="sync")
    pd.testing.assert_frame_equal(kept, pd.concat([each[condition(each, whole)] for each in found]))
    column = lazy[condition(lazy, lazy)]["b"].compute(scheduler="sync")
    pd.testing.assert_series_equal(column, kept["b"])


@pytest.mark.parametrize(
    "condition",
    [
        lambda frame: (frame.a > 3) & (frame.b.shift(1) > 20),
        lambda frame: (frame.a > 3) & (frame.b.diff() == 1),
        lambda frame: (frame.a > 3) & (frame.index > 7),
        lambda frame: (frame.a > 3) & (frame.a.cumsum() < 300),
        lambda frame: (frame.a > 3) & (frame.a.where(frame.a > 5).ffill() == 7),
    ],
)
def test_what_looks_at_other_rows_sees_all_of_them(table, condition):
    lazy = table.to_dask_dataframe()
    [whole] = pieces(lazy)
    pd.testing.assert_frame_equal(lazy[condition(lazy)].compute(scheduler="sync"), whole[condition(whole)])


def test_a_second_filter_may_ask_for_the_mean_of_the_first(table):
    lazy = table.to_dask_dataframe()
    [whole] = pieces(lazy)
    few, expected = lazy[lazy.b > lazy.b.mean()], whole[whole.b > whole.b.mean()]
    found = few[few.a > 3].compute(scheduler="sync")
    pd.testing.assert_frame_equal(found, expected[expected.a > 3])


def test_what_is_filtered_goes_with_what_is_not(table):
    lazy = table.to_dask_dataframe(partition_bytes=1)
    found = pieces(lazy)
    total = (lazy.b + lazy[lazy.a > 3].b).compute(scheduler="sync")
    expected = pd.concat([each.b + each[each.a > 3].b for each in found])
    pd.testing.assert_series_equal(total, expected)


def test_labels_count_rows_of_files_that_their_folder_ruled_out(tmp_path):
    for number in range(FILES):
        (tmp_path / f"day={number}").mkdir()
        frame_of(number).to_csv(tmp_path / f"day={number}/a.csv", index=False)
    table = mltable.from_delimited_files([{"folder": str(tmp_path)}])
    table = table.extract_columns_from_partition_format("day={day}/a.csv")
    lazy = table.to_dask_dataframe()
    [whole] = pieces(lazy)
    last = whole.day.iloc[-1]
    chosen = lazy[(lazy.day == last) | (lazy.b == 3)]
    assert isinstance(chosen.optimize(fuse=False).expr, ReadMLTable)
    pd.testing.assert_frame_equal(
        chosen.compute(scheduler="sync"), whole[(whole.day == last) | (whole.b == 3)]
    )
    chosen = lazy[lazy.day == last]
    pd.testing.assert_frame_equal(chosen.compute(scheduler="sync"), whole[whole.day == last])


def test_lengths_that_nobody_knows_are_counted_by_one_column(table):
    lazy = table.filter("a != 2").to_dask_dataframe()
    [read] = Len(lazy.expr).optimize(fuse=False).find_operations(ReadMLTable)
    assert read.columns == []
    assert len(lazy) == sum(map(len, pieces(lazy))) == table.filter("a != 2").count_rows()
    assert len(lazy[lazy.b % 2 == 1]) == table.filter("a != 2 and b % 2 == 1").count_rows()
