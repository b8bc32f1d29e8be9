"""Streams: the same rows in pieces, in bounded memory, and nothing left behind when the consumer stops."""

import gc
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.api.types import union_categoricals
from pandas.testing import assert_frame_equal
from test_matrix import STEPS, table, write

import mltable_lite as mltable
from mltable_lite.errors import ArgumentError, SchemaMismatchError
from mltable_lite.output import iterate

KINDS = ["csv", "parquet", "jsonl", "delta"]


@pytest.fixture(scope="module", params=KINDS)
def source(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    write(request.param, folder)
    return table(request.param, str(folder))


# --------------------------------------------------------------------------- one meaning
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("max_memory", [None, 1, "64MB"])
def test_batches_of_any_size_hold_the_same_rows(source, step, max_memory):
    chained = STEPS[step](source)
    expected = chained.to_arrow_table()
    for rows in (None, 1, 7, 1000):
        batches = list(chained.to_arrow_batches(batch_rows=rows, max_memory=max_memory))
        assert pa.Table.from_batches(batches, expected.schema) == expected
        assert all(batch.num_rows == rows for batch in batches[:-1]) or rows is None
        assert all(batch.num_rows for batch in batches)


@pytest.mark.parametrize("step", STEPS)
def test_frames_are_the_whole_frame_in_pieces(source, step):
    chained = STEPS[step](source)
    for backend in (None, "pyarrow"):
        expected = chained.to_pandas_dataframe(dtype_backend=backend)
        pieces = list(chained.iter_pandas(7, dtype_backend=backend, max_memory="64MB"))
        assert [len(piece) for piece in pieces[:-1]] == [7] * (len(pieces) - 1)
        if pieces:
            assert_frame_equal(pd.concat(pieces), expected)
        else:
            assert len(expected) == 0


def test_the_sample_is_the_same_in_every_piece_size_and_thread_count(source, monkeypatch):
    sampled = source.take_random_sample(0.4, seed=3)
    expected = sampled.to_pandas_dataframe().id.tolist()
    for threads in ("1", "3"):
        monkeypatch.setenv("MLTABLE_LITE_THREADS", threads)
        for size in (1, "1GB"):
            assert [x for f in sampled.iter_pandas(5, max_memory=size) for x in f.id] == expected


def test_frames_have_one_dtype_though_only_one_has_nulls(tmp_path):
    pq.write_table(pa.table({"x": [1, 2, 3, None], "ok": [True, True, None, None]}), tmp_path / "a.parquet")
    made = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    assert [str(frame.dtypes["x"]) for frame in made.iter_pandas(2)] == ["float64", "float64"]
    assert [str(frame.dtypes["ok"]) for frame in made.iter_pandas(2)] == ["object", "object"]


def test_a_file_with_a_column_of_type_null_foretells_nulls(tmp_path):
    pq.write_table(pa.table({"i": [1, 2], "b": [True, False]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"i": pa.nulls(2), "b": pa.nulls(2)}), tmp_path / "2.parquet")
    made = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    frames = list(made.iter_pandas(1))
    assert [str(frame["i"].dtype) for frame in frames] == ["float64"] * 4
    assert [str(frame["b"].dtype) for frame in frames] == ["object"] * 4
    assert_frame_equal(pd.concat(frames), made.to_pandas_dataframe())
    computed = made.to_dask_dataframe(partition_bytes=1).compute()
    assert_frame_equal(computed.reset_index(drop=True), made.to_pandas_dataframe())
    assert made.filter("i is None").count_rows() == 2
    assert made.filter("i > 1").count_rows() == 1


@pytest.mark.parametrize("ordered", [False, True])
def test_pieces_of_a_categorical_column_have_categories_of_one_dtype(tmp_path, ordered):
    for number, words in enumerate((["b", "a"], ["c", None, "b"], [None])):
        array = pa.array(words, pa.string()).dictionary_encode()
        encoded = pa.DictionaryArray.from_arrays(array.indices, array.dictionary, ordered=ordered)
        pq.write_table(pa.table({"i": range(len(words)), "v": encoded}), tmp_path / f"{number}.parquet")
    pq.write_table(pa.table({"i": [0]}), tmp_path / "3.parquet")
    made = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    expected = ["b", "a", "c", None, "b", None, None]
    frames = list(made.iter_pandas(1))
    for dtype in (frame["v"].dtype for frame in frames):
        assert (dtype, str(dtype.categories.dtype), dtype.ordered) == ("category", "str", False)
    joined = union_categoricals([frame["v"] for frame in frames])
    computed = made.to_dask_dataframe(partition_bytes=1).compute()["v"]
    for column in (joined, pd.concat(frames)["v"], computed):
        assert [None if pd.isna(value) else value for value in column] == expected
    assert computed.dtype == "category"


def test_a_null_that_nothing_foretold_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 200_000 + '""\n')
    made = mltable.from_delimited_files([{"folder": str(tmp_path)}])
    with pytest.raises(SchemaMismatchError, match="rows 200001 to 200001: column 'x' has a null"):
        list(made.iter_pandas(100_000))
    frames = list(made.iter_pandas(100_000, dtype_backend="numpy_nullable"))
    assert frames[-1].x.isna().all()


@pytest.mark.parametrize("max_memory", [None, "64MB"])
def test_a_late_misfit_comes_after_the_rows_before_it(tmp_path, max_memory):
    for number, text in enumerate(["x\n1\n" * 1, "x\n" + "2\n" * 300, "x\n3\noops\n"]):
        (tmp_path / f"{number}.csv").write_text(text)
    made = mltable.from_delimited_files([{"folder": str(tmp_path)}])
    seen = 0

    def read():
        nonlocal seen
        for batch in made.to_arrow_batches(max_memory=max_memory):
            seen += batch.num_rows

    with pytest.raises(SchemaMismatchError, match="oops"):
        read()
    assert seen == 301


def test_a_big_partition_is_given_out_while_it_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(iterate, "_BIG_PARTITION_BYTES", 2**20)
    rows = 200_000
    (tmp_path / "a.csv").write_text("x,t\n" + '1,"two\nlines"\n' * rows + 'oops,"x\ny"\n')
    made = mltable.from_delimited_files([{"folder": str(tmp_path)}], support_multi_line=True)
    assert made.get_partition_count() == 1
    batches = made.to_arrow_batches()
    assert 0 < batches.read_next_batch().num_rows < rows
    with pytest.raises(SchemaMismatchError, match=f"a.csv:{2 * rows + 2}"):
        batches.read_all()


# --------------------------------------------------------------------------- bounded
PROGRAM = """
import sys, time
from pathlib import Path
import mltable_lite as mltable

def peak():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

folder, cap, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
made = mltable.from_parquet_files([{"folder": folder}])
made.take(1).to_pandas_dataframe()
before, rows, size = peak(), 0, 0
for number, batch in enumerate(made.filter("a > 0.5").to_arrow_batches(max_memory=cap)):
    rows += batch.num_rows
    size += batch.nbytes
    if number < 10:
        time.sleep(pause)
print(rows, size, peak() - before)
"""


@pytest.mark.parametrize("pause", [0, 0.05], ids=["fast", "slow"])
def test_memory_stays_under_the_cap_however_slow_the_consumer_is(tmp_path, pause):
    random = np.random.default_rng(1)
    columns = {name: random.random(400_000) for name in "abcdef"}
    pq.write_table(pa.table(columns), tmp_path / "0.parquet", row_group_size=100_000, compression="none")
    for number in range(1, 20):
        os.link(tmp_path / "0.parquet", tmp_path / f"{number}.parquet")  # 384 MB to read
    cap = 128 * 1024 * 1024
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path), str(cap), str(pause)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    rows, size, grown = map(int, run.stdout.split())
    assert rows == 20 * int((columns["a"] > 0.5).sum())
    assert size > cap > grown


def test_the_first_batch_comes_before_the_rest_is_read(tmp_path):
    for number in range(40):
        pq.write_table(
            pa.table({"x": range(number * 10, number * 10 + 10)}), tmp_path / f"{number:02d}.parquet"
        )
    made = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    for max_memory in (None, "64MB"):
        batches = made.to_arrow_batches(max_memory=max_memory)
        (tmp_path / "39.parquet").rename(tmp_path / "away")
        assert batches.read_next_batch()["x"].to_pylist() == list(range(10))
        (tmp_path / "away").rename(tmp_path / "39.parquet")
        assert sum(batch.num_rows for batch in batches) == 390


def test_an_early_exit_leaves_no_thread_and_no_open_file(tmp_path):
    for number in range(30):
        pq.write_table(pa.table({"x": range(50_000)}), tmp_path / f"{number:02d}.parquet")
    made = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    made.to_arrow_table()

    def open_files():
        links = [fd for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
        return [fd for fd in links if str(tmp_path) in str(fd.readlink())]

    threads = set(threading.enumerate())
    for max_memory in (None, 1, "64MB"):
        batches = made.to_arrow_batches(max_memory=max_memory, batch_rows=100)
        batches.read_next_batch()
        del batches
        frames = made.iter_pandas(100, max_memory=max_memory)
        next(frames)
        frames.close()
        for _ in made.iter_pandas(100, max_memory=max_memory):
            break
        gc.collect()
        assert set(threading.enumerate()) == threads
        assert open_files() == []


LEAVES = """
import sys
import mltable_lite as mltable

made = mltable.from_parquet_files([{"folder": sys.argv[1]}])
batches = made.to_arrow_batches(max_memory=1)
frames = made.iter_pandas(100, max_memory=1)
print(batches.read_next_batch().num_rows, len(next(frames)))
"""


def test_a_program_that_leaves_streams_open_ends_and_says_nothing(tmp_path):
    for number in range(30):
        pq.write_table(pa.table({"x": range(5000)}), tmp_path / f"{number:02d}.parquet", row_group_size=100)
    code = [sys.executable, "-X", "dev", "-W", "error", "-c", LEAVES, str(tmp_path)]
    run = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True)
    assert (run.stdout, run.stderr) == ("100 100\n", "")


@pytest.mark.parametrize("wrong", [0, -5, True, "much", 2.5])
def test_sizes_that_are_none_are_refused_at_once(source, wrong):
    with pytest.raises(ArgumentError, match="max_memory"):
        source.to_arrow_batches(max_memory=wrong)
    with pytest.raises(ArgumentError, match="batch_rows"):
        source.to_arrow_batches(batch_rows=wrong)
    with pytest.raises(ArgumentError, match="rows"):
        source.iter_pandas(wrong)
