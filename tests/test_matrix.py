"""One meaning: every format gives the same rows, types and order through every output."""

import datetime as dt

import deltalake
import duckdb
import fsspec
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable

ROWS = [
    {
        "id": i,
        "x": i / 4,
        "word": None if i % 7 == 0 else f"w{i % 5}",
        "ok": i % 3 == 0,
        "at": dt.datetime(2024, 1, 1 + i % 28, 5),
    }
    for i in range(60)
]
TABLE = pa.Table.from_pylist(ROWS)
STEPS = {
    "everything": lambda t: t,
    "filter": lambda t: t.filter('x > 3 and word != "w1"'),
    "columns": lambda t: t.keep_columns(["word", "id"]),
    "take": lambda t: t.skip(7).take(20),
    "sample": lambda t: t.take_random_sample(0.5, seed=7),
    "convert": lambda t: t.convert_column_types({"id": "string", "ok": "int"}),
    "chain": lambda t: t.filter("ok").take(9).keep_columns("id").take_random_sample(0.7, seed=1),
    "empty": lambda t: t.filter("id > 1000"),
}


def write(kind, folder):
    """Write 60 rows as three files or commits."""
    for number in range(3):
        part = TABLE.slice(number * 20, 20)
        path = f"{folder}/{number}"
        if kind == "delta":
            deltalake.write_deltalake(folder, part, mode="append")
        elif kind == "parquet":
            pq.write_table(part, f"{path}.parquet", row_group_size=7)
        elif kind == "csv":
            pyarrow.csv.write_csv(part, f"{path}.csv")
        else:
            part.to_pandas().to_json(f"{path}.jsonl", orient="records", lines=True, date_format="iso")


def table(kind, uri, **options):
    paths = [{"folder": uri}]
    if kind == "delta":
        return mltable.from_delta_lake(uri, **options)
    if kind == "parquet":
        return mltable.from_parquet_files(paths, **options)
    if kind == "csv":
        return mltable.from_delimited_files(paths, **options)
    formats = mltable.DataType.to_datetime("%Y-%m-%dT%H:%M:%S.%f")
    return mltable.from_json_lines_files(paths, **options).convert_column_types({"at": formats})


#: deltalake reads object stores by itself and knows no in-memory one.
PLACES = [(kind, place) for kind in ("csv", "parquet", "jsonl", "delta") for place in ("local", "memory")]
PLACES.remove(("delta", "memory"))


@pytest.fixture(scope="module", params=PLACES, ids="-".join)
def source(request, tmp_path_factory):
    kind, place = request.param
    folder = tmp_path_factory.mktemp(kind)
    write(kind, folder)
    if place == "local":
        return table(kind, str(folder))
    memory = fsspec.filesystem("memory")
    for path in sorted(folder.iterdir()):
        memory.pipe(f"/{kind}/{path.name}", path.read_bytes())
    return table(kind, f"memory://{kind}")


def expected(step):
    """Return what the step means, told by pandas."""
    frame = TABLE.to_pandas()
    return {
        "everything": lambda: frame,
        "filter": lambda: frame[(frame.x > 3) & (frame.word != "w1") & frame.word.notna()],
        "columns": lambda: frame[["id", "word"]],
        "take": lambda: frame[7:27],
        "convert": lambda: frame.assign(id=frame.id.astype(str), ok=frame.ok.astype("int64")),
        "empty": lambda: frame[:0],
    }.get(step)


@pytest.mark.parametrize("step", STEPS)
def test_every_output_gives_the_same_rows(source, step):
    chained = STEPS[step](source)
    frame = chained.to_pandas_dataframe()
    arrow = chained.to_arrow_table()
    batches = chained.to_arrow_batches()
    assert batches.schema == arrow.schema
    assert batches.read_all() == arrow
    assert polars.DataFrame(chained).rows() == polars.DataFrame(arrow).rows()
    assert duckdb.sql("select * from chained").fetchall() == duckdb.sql("select * from arrow").fetchall()
    assert chained.count_rows() == arrow.num_rows == len(frame)
    want = expected(step)
    if want is not None:
        plain = want().reset_index(drop=True)
        assert list(frame.columns) == list(plain.columns)
        for name in frame.columns:
            pd.testing.assert_series_equal(
                frame[name], plain[name], check_dtype=name != "at" and len(plain) > 0, check_index_type=False
            )


def test_types_belong_to_the_table_and_not_to_the_steps(source):
    whole = source.to_arrow_table().schema
    for step in ("filter", "take", "sample", "empty"):
        assert STEPS[step](source).to_arrow_table().schema.types == whole.types


def test_a_split_is_disjoint_and_complete(source):
    first, second = source.random_split(0.4, seed=5)
    a, b = first.to_pandas_dataframe().id.tolist(), second.to_pandas_dataframe().id.tolist()
    assert sorted(a + b) == list(range(60))
    assert a == source.take_random_sample(0.4, seed=5).to_pandas_dataframe().id.tolist()


def test_a_sample_is_the_same_under_columns_filters_and_threads(source, monkeypatch):
    sampled = source.take_random_sample(0.5, seed=11)
    ids = sampled.to_pandas_dataframe().id.tolist()
    assert sampled.keep_columns("id").to_pandas_dataframe().id.tolist() == ids
    assert sampled.filter("id >= 30").to_pandas_dataframe().id.tolist() == [i for i in ids if i >= 30]
    before = source.filter("id >= 30").take_random_sample(0.5, seed=11)
    assert before.to_pandas_dataframe().id.tolist() == [i for i in ids if i >= 30]
    for threads in ("1", "7"):
        monkeypatch.setenv("MLTABLE_LITE_THREADS", threads)
        assert sampled.to_pandas_dataframe().id.tolist() == ids
