"""What is written is what is read, from every kind of data, in every format, to every storage; whole or not at all."""

from __future__ import annotations

import datetime as dt
import decimal
import os
import subprocess
import sys
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from killing import killed
from storage.servers import Server

import mltable_lite as mltable
from mltable_lite.errors import (
    ArgumentError,
    ArgumentTypeError,
    ColumnNotFoundError,
    SaveError,
    StorageError,
    TargetExistsError,
)
from mltable_lite.output import rows as rows_module
from mltable_lite.output import write as module

FORMATS = ["parquet", "delta", "csv", "json_lines"]
TABLE = pa.table(
    {
        "id": pa.array([3, 1, None, 2]),
        "x": [0.5, None, 1.5, -2.0],
        "text": ["007", "", None, 'a "quoted", line'],
        "ok": [True, False, None, True],
        "at": pa.array(
            [dt.datetime(2024, 1, 1, 5, 6, 7), None, dt.datetime(1999, 1, 1), dt.datetime(2024, 1, 2)]
        ),
    }
)
HASTY = {"attempts": 2, "deadline_seconds": 4, "attempt_seconds": 2, "first_wait_seconds": 0.05}


@pytest.fixture(params=["local", "azure", "s3"])
def folder(request, tmp_path):
    """Return a folder in a storage, its options, and a function that tells the names in it."""
    if request.param == "local":
        root = tmp_path / "t"
        return (
            str(root),
            {},
            lambda: sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()),
        )
    store: Server = request.getfixturevalue({"azure": "azurite", "s3": "s3"}[request.param])
    return f"{store.uri}/t", store.options, lambda: [name.removeprefix("t/") for name in store.names()]


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_written_is_read(kind, folder):
    uri, options, names = folder
    written = mltable.write(TABLE, uri, format=kind, storage_options=options)
    assert (written.uri, written.format, written.rows, len(written.files)) == (uri, kind, 4, 1)
    assert written.bytes > 0
    found = mltable.load(uri, storage_options=options).to_arrow_table()
    assert found.to_pylist() == TABLE.to_pylist()
    assert "MLTable" in names()


SOURCES = {
    "pandas": lambda: TABLE.to_pandas(types_mapper=pd.ArrowDtype),
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "reader": TABLE.to_reader,
    "polars": lambda: polars.from_arrow(TABLE),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_kind_of_data_is_taken(kind, tmp_path):
    mltable.write(SOURCES[kind](), tmp_path / "t")
    found = mltable.load(tmp_path / "t").to_arrow_table().cast(TABLE.schema)
    assert found.to_pylist() == TABLE.to_pylist()


def test_a_table_is_written_with_its_steps_done(tmp_path):
    mltable.write(TABLE, tmp_path / "a")
    steps = mltable.load(tmp_path / "a").filter("id > 1").keep_columns(["id"])
    mltable.write(steps, tmp_path / "b", format="csv")
    assert mltable.load(tmp_path / "b").to_arrow_table().to_pydict() == {"id": [3, 2]}


def test_a_frame_keeps_a_named_index_as_its_index_and_leaves_an_unnamed_one(tmp_path):
    frame = pd.DataFrame({"x": [1, 2, 3]}, index=pd.Index(["a", "b", "c"], name="key"))
    mltable.write(frame, tmp_path / "named")
    pd.testing.assert_frame_equal(mltable.load(tmp_path / "named").to_pandas_dataframe(), frame)
    mltable.write(frame[frame.x > 1].reset_index(drop=True)[::-1], tmp_path / "unnamed")
    found = mltable.load(tmp_path / "unnamed").to_pandas_dataframe()
    assert found.to_dict("list") == {"x": [3, 2]}


@pytest.mark.parametrize("kind", FORMATS)
def test_no_rows_are_written_with_their_columns(kind, tmp_path):
    mltable.write(TABLE.slice(0, 0), tmp_path / "t", format=kind)
    if kind == "json_lines":  # an empty file names no columns
        return
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert (found.column_names, found.num_rows) == (TABLE.column_names, 0)


# --------------------------------------------------------------------------- folders and files
@pytest.mark.parametrize("name", ["out.parquet", "out.CSV", "out.csv.gz", "o.x.jsonl"])
def test_the_name_of_a_file_is_no_folder(name, tmp_path):
    for options in ({}, {"overwrite": True}, {"format": "delta"}):
        with pytest.raises(
            ArgumentError, match=f"{name} is the name of a file.*Give a folder.*or end the name in"
        ):
            mltable.write(TABLE, tmp_path / name, **options)
    with pytest.raises(ArgumentError, match="for example 'out'"):
        mltable.write(TABLE, "memory://names/out.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_the_name_of_a_file_is_made_with_a_slash_and_taken_when_there(tmp_path):
    mltable.write(TABLE, f"{tmp_path}/out.parquet/")
    mltable.write(TABLE.slice(1), tmp_path / "out.parquet", overwrite=True)
    assert mltable.load(tmp_path / "out.parquet").count_rows() == 3
    for name in ("v1.2", "parquet", "trips.parquet.d"):
        assert mltable.write(TABLE, tmp_path / name).rows == 4


@pytest.mark.parametrize("kind", FORMATS)
def test_partitions_are_folders_and_their_columns_keep_type_and_null(kind, folder):
    uri, options, names = folder
    table = TABLE.append_column("part", pa.array(["a b", None, "x/y", "a b"]))
    written = mltable.write(table, uri, format=kind, partition_by="part", storage_options=options)
    assert len(written.files) == 3
    found = mltable.load(uri, storage_options=options).to_arrow_table()
    key = lambda row: str(row["x"])
    assert sorted(found.to_pylist(), key=key) == sorted(table.to_pylist(), key=key)
    if kind != "delta":
        folders = {name.rpartition("/")[0] for name in names()} - {""}
        assert folders == {"part=a b", "part=__HIVE_DEFAULT_PARTITION__", "part=x%2Fy"}


def test_two_keys_make_folders_in_folders(tmp_path):
    table = pa.table({"y": [2024, 2024, 2023], "m": [1, 2, 1], "x": [1, 2, 3]})
    mltable.write(table, tmp_path / "t", partition_by=["y", "m"])
    assert (tmp_path / "t/y=2024/m=2").is_dir()
    loaded = mltable.load(tmp_path / "t").filter("y == 2024 and m == 2")
    assert loaded.to_arrow_table().to_pylist() == [{"y": 2024, "m": 2, "x": 2}]


def test_long_data_becomes_row_groups_and_files_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "ROW_GROUP_ROWS", 100)
    monkeypatch.setattr(module, "FILE_BYTES", 1000)
    table = pa.table({"x": np.arange(1050), "r": np.random.default_rng(1).random(1050)})
    written = mltable.write(table.to_reader(max_chunksize=70), tmp_path / "t")
    assert len(written.files) > 3
    groups = [pq.read_metadata(name).row_group(0).num_rows for name in written.files]
    assert max(groups) <= 100
    assert mltable.load(tmp_path / "t").to_arrow_table().equals(table)


def test_partitions_that_fill_memory_become_several_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PARTITIONS_BYTES", 4000)
    monkeypatch.setattr(rows_module, "ROW_GROUP_ROWS", 100)
    table = pa.table({"x": range(1000), "k": [i % 3 for i in range(1000)]})
    written = mltable.write(table, tmp_path / "t", partition_by="k")
    assert len(written.files) > 3
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert sorted(found.column("x").to_pylist()) == list(range(1000))


def test_pages_carry_checksums(tmp_path):
    (name,) = mltable.write(pa.table({"x": list(range(1000))}), tmp_path / "t").files
    data = bytearray(Path(name).read_bytes())
    data[pq.read_metadata(name).row_group(0).column(0).data_page_offset + 200] ^= 1
    Path(name).write_bytes(data)
    with pytest.raises(mltable.UserErrorException, match="row group 0, column 'x'"):
        mltable.load(tmp_path / "t").to_arrow_table()


# --------------------------------------------------------------------------- replacing
@pytest.mark.parametrize("kind", FORMATS)
def test_overwrite_replaces_what_write_made_and_nothing_else(kind, folder):
    uri, options, names = folder
    mltable.write(TABLE, uri, format=kind, storage_options=options)
    with pytest.raises(TargetExistsError, match="is not empty"):
        mltable.write(TABLE, uri, format=kind, storage_options=options)
    mltable.write(TABLE.slice(1, 2), uri, format=kind, overwrite=True, storage_options=options)
    found = mltable.load(uri, storage_options=options).to_arrow_table()
    assert found.to_pylist() == TABLE.slice(1, 2).to_pylist()
    if kind != "delta":
        assert len(names()) == 2


@pytest.mark.parametrize("word", ["never", "no", "skip", "false", "FAIL_ON_FILE_CONFLICT", 0, 1, None])
@pytest.mark.parametrize("kind", ["parquet", "delta"])
def test_a_word_for_overwrite_replaces_nothing(word, kind, tmp_path):
    mltable.write(TABLE, tmp_path / "t", format=kind)
    for place in ("t", "new"):
        with pytest.raises(ArgumentError, match="write: overwrite=.* is not accepted; use True or False"):
            mltable.write(TABLE.slice(1), tmp_path / place, format=kind, overwrite=word)
    assert mltable.load(tmp_path / "t").count_rows() == 4
    assert not (tmp_path / "new").exists()


def test_files_of_others_are_never_deleted(tmp_path):
    mltable.write(TABLE, tmp_path / "t")
    (tmp_path / "t/notes.txt").write_text("mine")
    with pytest.raises(TargetExistsError, match="holds 'notes.txt', which write\\(\\) did not make"):
        mltable.write(TABLE, tmp_path / "t", overwrite=True)
    with pytest.raises(TargetExistsError, match="does not replace"):
        mltable.write(TABLE, tmp_path / "t", overwrite=True, format="delta")
    assert mltable.load(tmp_path / "t").count_rows() == 4


def test_a_reader_of_the_old_table_is_not_disturbed_until_the_new_one_is_there(tmp_path):
    mltable.write(TABLE, tmp_path / "t")
    seen = []

    def batches():
        yield TABLE.to_batches()[0]
        seen.append(mltable.load(tmp_path / "t").count_rows())
        yield TABLE.to_batches()[0]

    mltable.write(pa.RecordBatchReader.from_batches(TABLE.schema, batches()), tmp_path / "t", overwrite=True)
    assert seen == [4]
    assert mltable.load(tmp_path / "t").count_rows() == 8


@pytest.mark.parametrize("kind", FORMATS)
def test_a_write_that_fails_leaves_nothing(kind, folder):
    uri, options, names = folder

    def batches():
        yield TABLE.to_batches()[0]
        raise RuntimeError("no more")

    with pytest.raises(SaveError, match="no more"):
        mltable.write(
            pa.RecordBatchReader.from_batches(TABLE.schema, batches()),
            uri,
            format=kind,
            storage_options=options,
        )
    assert names() == []


def test_a_delta_table_that_somebody_made_meanwhile_is_left_alone(tmp_path):
    def batches():
        yield pa.record_batch({"x": [1]})
        mltable.write(pa.table({"x": [7]}), tmp_path / "t")
        yield pa.record_batch({"x": [2]})

    rows = pa.RecordBatchReader.from_batches(pa.schema([("x", pa.int64())]), batches())
    with pytest.raises(TargetExistsError, match="made by somebody else meanwhile; nothing was written"):
        mltable.write(rows, tmp_path / "t", format="delta")
    assert [path.name for path in tmp_path.iterdir()] == ["t"]
    assert mltable.load(tmp_path / "t").to_arrow_table().to_pylist() == [{"x": 7}]


def test_a_failure_of_the_data_is_not_called_one_of_the_storage(folder, monkeypatch):
    uri, options, names = folder
    monkeypatch.setattr(rows_module, "ROW_GROUP_ROWS", 2)

    def batches():
        yield from TABLE.to_batches()
        raise RuntimeError("no more")

    rows = pa.RecordBatchReader.from_batches(TABLE.schema, batches())
    with pytest.raises(SaveError, match="t cannot be written: no more"):
        mltable.write(rows, uri, storage_options=options)
    assert names() == []


def test_a_storage_that_fails_leaves_the_old_table(azurite):
    options = {**azurite.options, "retry": HASTY}
    mltable.write(TABLE, f"{azurite.uri}/t", storage_options=options)
    before = azurite.names()
    azurite.proxy.fault({"do": "status", "status": 503, "method": "PUT", "match": "MLTable"})
    with pytest.raises(StorageError, match="t/MLTable: the storage failed after 2 attempts"):
        mltable.write(TABLE.slice(1), f"{azurite.uri}/t", overwrite=True, storage_options=options)
    azurite.proxy.fault()
    assert azurite.names() == before
    assert mltable.load(f"{azurite.uri}/t", storage_options=options).count_rows() == 4


def test_without_an_mltable_file_there_are_only_data_files(tmp_path):
    written = mltable.write(TABLE, tmp_path / "t", mltable=False)
    assert os.listdir(tmp_path / "t") == [os.path.basename(written.files[0])]  # noqa: PTH208, PTH119
    mltable.write(TABLE.slice(1), tmp_path / "t", mltable=False, overwrite=True)
    assert mltable.from_parquet_files([{"folder": str(tmp_path / "t")}]).count_rows() == 3


# --------------------------------------------------------------------------- refusals
@pytest.mark.parametrize(
    ("data", "options", "error", "text"),
    [
        (
            TABLE,
            {"format": "parket"},
            ArgumentError,
            "format='parket' is not accepted.*Did you mean 'parquet'",
        ),
        ([1], {}, ArgumentTypeError, "data of type list is not accepted"),
        (TABLE, {"partition_by": "idd"}, ColumnNotFoundError, "no column 'idd'.*Did you mean 'id'"),
        (pa.table([[1], [2]], ["a", "a"]), {}, ArgumentError, "two columns are called 'a'"),
        (
            pd.DataFrame({"x": [1, "a"]}),
            {},
            ArgumentError,
            "column 'x' has values that go together in no type",
        ),
        (
            pa.table({"x": [[1]]}),
            {"format": "csv"},
            ArgumentError,
            "column 'x' is list.*which format='csv' does not keep",
        ),
        (pa.table({"x": [decimal.Decimal("1.10")]}), {"format": "csv"}, ArgumentError, "does not keep"),
        (
            pa.table({"x": [1], "y": pa.array([None], pa.month_day_nano_interval())}),
            {},
            ArgumentError,
            "column 'y' is month_day_nano_interval, which format='parquet' does not keep; convert",
        ),
        (pd.DataFrame([[1, 2]]), {}, ArgumentError, "column 0 has a name that is no text"),
        (pa.table({"x": [b"a"]}), {"format": "json_lines"}, ArgumentError, "does not keep"),
        (pa.table({"x": [float("nan")]}), {"format": "json_lines"}, ArgumentError, "'x' holds NaN"),
    ],
)
def test_what_cannot_be_written_is_told_and_nothing_is_made(data, options, error, text, tmp_path):
    with pytest.raises(error, match=text):
        mltable.write(data, tmp_path / "t", **options)
    assert not (tmp_path / "t").exists()


@settings(max_examples=30)
@given(
    texts=st.lists(
        st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1
    ),
    kind=st.sampled_from(["csv", "json_lines", "parquet"]),
)
def test_any_text_comes_back_as_it_was(texts, kind, tmp_path_factory):
    folder = tmp_path_factory.mktemp("w") / "t"
    table = pa.table({"t": pa.array(texts, pa.string()), "n": range(len(texts))})
    mltable.write(table, folder, format=kind)
    assert mltable.load(folder).to_arrow_table().column("t").to_pylist() == texts


WRITER = """
import sys
import adlfs, pyarrow as pa, s3fs
import mltable_lite as mltable
uri, options = sys.argv[1], eval(sys.argv[2])
tables = [pa.table({"v": [name] * 40_000, "n": range(40_000)}) for name in ("one", "two")]
mltable.write(tables[0], sys.argv[3])
def again(number):
    mltable.write(tables[number % 2], uri, overwrite=True, storage_options=options)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test kills forked processes")
def test_a_write_that_is_killed_leaves_the_old_table_or_the_new_one(folder, tmp_path):
    uri, options, names = folder
    seen = set()
    arguments = [uri, repr(options), str(tmp_path / "warm")]
    most_seconds = 1.2 if "://" in uri else 0.4
    for _ in killed(
        WRITER, *arguments, times=12, most_seconds=most_seconds, until=lambda: seen == {"one", "two"}
    ):
        if "MLTable" in names():
            rows = mltable.load(uri, storage_options=options).to_arrow_table()["v"].unique().to_pylist()
            assert rows in (["one"], ["two"])
            seen.update(rows)
        for name in names():
            if name.endswith(".parquet"):  # under its name, so it is whole
                file = mltable.from_parquet_files([{"file": f"{uri}/{name}"}], storage_options=options)
                assert file.count_rows() == 40_000
    assert seen == {"one", "two"}


def test_memory_is_bounded_whatever_the_size_of_the_data(azurite, tmp_path):
    code = f"""
import resource, numpy as np, pyarrow as pa, mltable_lite as mltable
schema = pa.schema([("x", pa.float64())])
def batches():
    for seed in range(100):
        yield pa.record_batch([np.random.default_rng(seed).random(500_000)], schema=schema)
mltable.write(pa.table({{"x": [1.0]}}), "{azurite.uri}/warm", storage_options={azurite.direct!r})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
mltable.write(pa.RecordBatchReader.from_batches(schema, batches()), "{azurite.uri}/t", storage_options={azurite.direct!r})
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300  # of 400 MB
