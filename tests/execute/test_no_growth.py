"""A process that reads again and again holds no more than after its first reads."""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

import mltable_lite as mltable

READS = 15
OPEN_FILES = Path("/proc/self/fd")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = pa.table({"i": range(300), "s": [f"text {i % 5}" for i in range(300)]})
    for kind in ("parquet", "csv", "jsonl"):
        (folder / kind).mkdir()
    pq.write_table(data, folder / "parquet/a.parquet", row_group_size=50)
    pyarrow.csv.write_csv(data, folder / "csv/a.csv")
    (folder / "jsonl/a.jsonl").write_text("".join(f'{{"i":{i},"s":"text"}}\n' for i in range(300)))
    write_deltalake(str(folder / "delta"), data)
    return {
        "parquet": mltable.from_parquet_files([{"folder": str(folder / "parquet")}]),
        "csv": mltable.from_delimited_files([{"folder": str(folder / "csv")}]),
        "jsonl": mltable.from_json_lines_files([{"folder": str(folder / "jsonl")}]),
        "delta": mltable.from_delta_lake(str(folder / "delta")),
    }


def held():
    """Return what this process holds: threads, open files, objects."""
    gc.collect()
    return threading.active_count(), len(list(OPEN_FILES.iterdir())), len(gc.get_objects())


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="open files are counted in /proc")
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "delta"])
def test_reading_again_and_again_leaves_nothing_behind(tables, kind):
    table = tables[kind]

    def read():
        assert len(table.filter("i % 2 == 0").take_random_sample(0.9, seed=1).to_pandas_dataframe()) > 0
        assert len(table.take(3).to_pandas_dataframe()) == 3
        for _ in table.to_arrow_batches():
            break  # given up early

    for _ in range(3):
        read()
    threads, files, objects = held()
    for _ in range(READS):
        read()
    threads_after, files_after, objects_after = held()
    assert (threads_after, files_after) == (threads, files)
    assert objects_after < objects + READS  # less than one object a read
