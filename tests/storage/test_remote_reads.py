"""Remote reads download what is needed, in few requests, many at once, and no more of them than memory bears."""

from __future__ import annotations

import gzip
import random
import time

import fsspec
import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

import mltable_lite as mltable
from mltable_lite.execute import width
from mltable_lite.execute.width import Width
from mltable_lite.storage import remote, retry
from mltable_lite.storage.filesystem import filesystem
from mltable_lite.storage.options import NO_OPTIONS
from mltable_lite.storage.remote import RangeFile, Remote
from mltable_lite.storage.uri import parse_uri


def asked(server, text):
    return [r for r in server.proxy.requests() if text in r["path"] and r["method"] == "GET"]


def test_two_of_ten_columns_download_little_more_than_their_chunks(server, tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "a.parquet"
    table = pa.table({f"c{i}": rng.random(400_000) for i in range(10)})
    pq.write_table(table, path, row_group_size=100_000, use_dictionary=False)
    uri = server.put("a.parquet", path.read_bytes())
    server.proxy.fault()
    read = mltable.from_parquet_files([{"file": uri}], storage_options=server.options).keep_columns(
        ["c1", "c7"]
    )
    assert read.to_arrow_table().equals(table.select(["c1", "c7"]))
    footer = pq.read_metadata(path)
    useful = sum(footer.row_group(g).column(c).total_compressed_size for g in range(4) for c in (1, 7))
    requests = [r for r in asked(server, "a.parquet") if r["range"]]
    assert sum(r["bytes"] for r in requests) <= 1.1 * useful
    assert len(requests) == 1 + 4 * 2  # the footer, and both chunks of each row group


def test_a_small_file_takes_two_requests_and_the_folder_a_few(azurite, tmp_path):
    for number in range(40):
        pq.write_table(pa.table({"x": [number] * 500, "y": [1.5] * 500}), tmp_path / f"{number:02}.parquet")
    uri = azurite.put_folder(tmp_path, "t")
    azurite.proxy.fault()
    read = mltable.from_parquet_files([{"folder": uri}], storage_options=azurite.options)
    assert read.to_arrow_table().num_rows == 20_000
    requests = azurite.proxy.requests()
    assert sum(r["path"].endswith(".parquet") for r in requests) == 80
    assert len(requests) <= 83  # and what is at the folder's place, and its listing


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_many_small_files_wait_for_a_far_storage_together(azurite, tmp_path, kind):
    for number in range(60):
        if kind == "csv":
            (tmp_path / f"{number:02}.csv").write_text(f"x\n{number}\n")
        else:
            pq.write_table(pa.table({"x": [number]}), tmp_path / f"{number:02}.parquet")
    uri = azurite.put_folder(tmp_path, "t")
    azurite.proxy.fault({"do": "delay", "seconds": 0.3})
    paths = [{"folder": uri}]
    function = {"parquet": mltable.from_parquet_files, "csv": mltable.from_delimited_files}[kind]
    start = time.monotonic()
    read = function(paths, storage_options=azurite.options).to_arrow_table()
    seconds = time.monotonic() - start
    assert read.column("x").to_pylist() == list(range(60))
    one_after_the_other = 0.3 * len(azurite.proxy.requests())  # far more than a busy machine adds
    assert one_after_the_other >= 36
    assert seconds < one_after_the_other / 2


def test_a_long_range_comes_in_parts_at_once(s3, monkeypatch):
    monkeypatch.setattr(remote, "PART_BYTES", 100_000)
    data = random.Random(1).randbytes(950_000)
    uri = s3.put("a.bin", data)
    s3.proxy.fault({"do": "delay", "seconds": 0.5})
    start = time.monotonic()
    place, options = parse_uri(uri), mltable.from_paths([], storage_options=s3.options)._options
    from mltable_lite.storage.filesystem import read_range

    assert read_range(place, 10, 900_010, options, len(data)) == data[10:900_010]
    assert len(asked(s3, "a.bin")) == 9
    assert time.monotonic() - start < 9 * 0.5 - 1


def test_small_reads_that_follow_each_other_are_joined(azurite):
    lines = "".join(f"{i},{i * 7919 % 10007},{random.Random(i).random()}\n" for i in range(60_000))
    data = gzip.compress(f"a,b,c\n{lines}".encode())
    uri = azurite.put("a.csv.gz", data)
    azurite.proxy.fault()
    read = mltable.from_delimited_files([{"file": uri}], storage_options=azurite.options)
    assert read.count_rows() == 60_000
    requests = asked(azurite, "a.csv.gz")
    assert len(data) > 500_000
    assert len(requests) < 16
    assert sum(r["bytes"] for r in requests) < 3.2 * len(data)


@given(
    data=st.binary(max_size=3000),
    moves=st.lists(st.tuples(st.booleans(), st.integers(0, 3100), st.integers(-1, 900)), max_size=30),
    ranges=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 400)), max_size=4),
)
def test_a_range_file_reads_as_a_file_does(data, moves, ranges):
    import io

    fsspec.filesystem("memory").pipe_file("/range", data)
    place = parse_uri("memory://range")
    inside = [(a, min(a + n, len(data))) for a, n in ranges if a < len(data)]
    ours = RangeFile(Remote(filesystem(place), place, NO_OPTIONS, len(data)), inside)
    plain = io.BytesIO(data)
    for seeks, position, count in moves:
        if seeks:
            assert ours.seek(position) == plain.seek(position)
        assert ours.read(count) == plain.read(count)
        assert ours.tell() == plain.tell()


# --------------------------------------------------------------------------- how many at once
class _Files:
    def __init__(self, uri, size):
        self.uri, self.size = uri, size


class _Source:
    in_memory = False
    spare_threads = 0

    def __init__(self, uri, size):
        self.files = [_Files(uri, size)]

    def stored_bytes(self, _):
        return self.files[0].size


def in_flight(uri, size):
    found = Width(_Source(uri, size))
    count = 0
    while count < 100 and found.has_room(100):
        found.begin(size)
        count += 1
    return count


def test_small_remote_partitions_are_many_at_once_and_big_or_local_ones_few(monkeypatch):
    monkeypatch.delenv("MLTABLE_LITE_THREADS", raising=False)
    monkeypatch.setattr(width, "thread_count", lambda: 2)
    assert in_flight("/data/a.parquet", 1000) == 4
    assert in_flight("az://c/a.parquet", 1000) == 34
    assert in_flight("az://c/a.parquet", 8 * 2**20) == 8
    assert in_flight("az://c/a.parquet", 2**30) == 4
    monkeypatch.setenv("MLTABLE_LITE_THREADS", "1")
    assert in_flight("az://c/a.parquet", 1000) == 3


# --------------------------------------------------------------------------- the policy
def test_waits_double_with_jitter_up_to_the_most_and_never_pass_the_deadline():
    policy = retry.RetryPolicy(attempts=9, deadline_seconds=100, first_wait_seconds=1, most_wait_seconds=5)
    trial = retry._Trial(policy)
    waits = [trial.failed(TimeoutError()) for _ in range(6)]
    for wait, most in zip(waits, [1, 2, 4, 5, 5, 5], strict=True):
        assert most / 2 <= wait <= most
    with pytest.raises(retry.GaveUpError, match="after 1 attempt in"):
        retry._Trial(retry.RetryPolicy(deadline_seconds=0.1, first_wait_seconds=1)).failed(TimeoutError())


def test_retry_after_is_read_as_seconds_or_as_a_date():
    class Told(Exception):  # noqa: N818
        def __init__(self, value):
            self.headers = {"retry-after": value}
            self.status = 503

    assert retry.retry_after(Told("7")) == 7
    assert retry.retry_after(Told("soon")) == 0
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 30))
    assert 25 < retry.retry_after(Told(later)) <= 30
