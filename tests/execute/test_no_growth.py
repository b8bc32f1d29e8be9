"""A process that reads again and again holds no more than after its first reads."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

READS = 15

#: A process of its own: one that ran other tests has threads and files of theirs, which come and go.
SCRIPT = """
import gc, json, os, sys, threading
import mltable_lite as mltable

kind, folder, reads = sys.argv[1], sys.argv[2], int(sys.argv[3])
paths = [{"folder": folder}]
{
    "parquet": lambda: mltable.from_parquet_files(paths),
    "csv": lambda: mltable.from_delimited_files(paths),
    "jsonl": lambda: mltable.from_json_lines_files(paths),
    "delta": lambda: mltable.from_delta_lake(folder),
}[kind]().save(folder + "-saved")

def read():
    table = mltable.load(folder + "-saved")
    assert len(table.filter("i % 2 == 0").take_random_sample(0.9, seed=1).to_pandas_dataframe()) > 0
    assert len(table.take(3).to_pandas_dataframe()) == 3
    for _ in table.to_arrow_batches():
        break  # given up early
    assert table.count_rows() == 300
    table.to_dask_dataframe()

def held():
    return threading.active_count(), len(os.listdir("/proc/self/fd")), len(gc.get_objects())

for _ in range(3):
    read()
gc.collect()
gc.disable()  # it comes seldom: what waits for it, footers among it, would be that of hundreds of reads
before = held()
for _ in range(reads):
    read()
print(json.dumps([before, held()]))
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    data = pa.table({"i": range(300), "s": [f"text {i % 5}" for i in range(300)]})
    for kind in ("parquet", "csv", "jsonl"):
        (folder / kind).mkdir()
    pq.write_table(data, folder / "parquet/a.parquet", row_group_size=50)
    pyarrow.csv.write_csv(data, folder / "csv/a.csv")
    (folder / "jsonl/a.jsonl").write_text("".join(f'{{"i":{i},"s":"text"}}\n' for i in range(300)))
    write_deltalake(str(folder / "delta"), data)
    return folder


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "delta"])
def test_reading_again_and_again_leaves_nothing_behind(folders, kind):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind, str(folders / kind), str(READS)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (threads, files, objects), (threads_after, files_after, objects_after) = json.loads(done.stdout)
    assert (threads_after, files_after) == (threads, files)
    assert objects_after < objects + READS  # less than one object a read


#: Reads once and tells how many pages of memory it was given by the system.
PAGES = """
import resource, sys
import mltable_lite as mltable

def read(name):
    table = mltable.from_json_lines_files([{"file": f"{sys.argv[1]}/{name}"}])
    assert len(table.keep_columns(["i"]).to_pandas_dataframe())

def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

read("small.jsonl")
before = pages()
read("large.jsonl")
print((pages() - before) * resource.getpagesize())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc's allocator")
def test_decoding_uses_the_same_memory_again(tmp_path):
    line = '{"i":%d,"s":"a text","f":%d.5,"t":"another text"}\n'
    (tmp_path / "small.jsonl").write_text("".join(line % (i, i) for i in range(300)))
    (tmp_path / "large.jsonl").write_text("".join(line % (i, i) for i in range(1_000_000)))
    # A dask cluster of processes, in a test before this one, leaves a setting that stops glibc from doing so.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", PAGES, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert int(done.stdout) < (tmp_path / "large.jsonl").stat().st_size
