"""Large fields, many columns, odd line ends and bytes, and tables that change while they are read."""

from __future__ import annotations

import json
import threading

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import mltable_lite as mltable
from mltable_lite.errors import SchemaMismatchError, TypeWidenedWarning
from mltable_lite.execute.query import Query, Settings
from mltable_lite.plan import build

MEGABYTE = 1 << 20


def table(path, text, stored="utf8", **options):
    path.write_bytes(text.encode(stored))
    steps = json.dumps([{"read_delimited": options}])
    (path.parent / "MLTable").write_text(f"paths: [{{file: {path.name}}}]\ntransformations: {steps}\n")
    return mltable.load(path.parent)


# --------------------------------------------------------------------------- size
@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("multi_line", [False, True])
def test_fields_of_a_megabyte(tmp_path, quoted, multi_line):
    large = ("é" * 10 + "\n" * multi_line + ",") * (MEGABYTE // 20) if quoted else "x" * MEGABYTE
    field = f'"{large}"' if quoted else large
    rows = [f"{number},{field},{number * 2}" for number in range(4)]
    read = table(tmp_path / "a.csv", "\n".join(["a,b,c", *rows, ""]), support_multi_line=multi_line)
    if quoted and not multi_line:
        large = large.replace("\n", "")
    frame = read.to_pandas_dataframe()
    assert frame["a"].tolist() == [0, 1, 2, 3]
    assert frame["c"].tolist() == [0, 2, 4, 6]
    assert all(value == large for value in frame["b"])


def test_json_values_of_a_megabyte(tmp_path):
    (tmp_path / "a.jsonl").write_text("".join(f'{{"a":{n},"b":"{"x" * MEGABYTE}"}}\n' for n in range(4)))
    frame = mltable.from_json_lines_files([{"file": str(tmp_path / "a.jsonl")}]).to_pandas_dataframe()
    assert frame["a"].tolist() == [0, 1, 2, 3]
    assert frame["b"].str.len().tolist() == [MEGABYTE] * 4


def test_ten_thousand_columns(tmp_path):
    count = 10_000
    names = ",".join(f"c{number}" for number in range(count))
    rows = ["\n" + ",".join(str(number + row) for number in range(count)) for row in range(5)]
    read = table(tmp_path / "a.csv", names + "".join(rows) + "\n")
    frame = read.to_pandas_dataframe()
    assert frame.shape == (5, count)
    assert frame["c9999"].tolist() == [9999, 10000, 10001, 10002, 10003]
    kept = read.keep_columns(["c1", "c9998"]).filter("c1 > 3").to_pandas_dataframe()
    assert kept.to_numpy().tolist() == [[4, 10001], [5, 10002]]


def test_a_misfit_in_the_last_of_many_columns_and_rows_names_its_line(tmp_path):
    text = "a,b\n" + "".join(f"{number},x\n" for number in range(100_000)) + "oops,x\n"
    read = table(tmp_path / "a.csv", text, partition_size=100_000)
    with pytest.raises(SchemaMismatchError, match=r"a\.csv:100002 column 'a': 'oops'"):
        read.to_arrow_batches().read_all()
    with pytest.warns(TypeWidenedWarning, match=r"'a': 1 values .* 'oops' at .*a\.csv line 100002"):
        assert read.to_pandas_dataframe()["a"].tolist()[-2:] == ["99999", "oops"]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("step", ["", "a % 2 == 0"])
def test_a_text_file_is_streamed_with_few_partitions_in_memory(tmp_path, monkeypatch, threads, step):
    monkeypatch.setenv("MLTABLE_LITE_THREADS", str(threads))
    text = "a,b\n" + "".join(f"{number},{'x' * 700}\n" for number in range(20_000))
    read = table(tmp_path / "a.csv", text, partition_size=600_000)
    query = Query(build((read.filter(step) if step else read)._spec), Settings())
    rows, consumed, ahead = 0, set(), []
    for block in query.blocks():
        rows += block.batch.num_rows
        consumed.add(block.ordinal)
        ahead.append(query.stats.partitions - len(consumed))
    assert rows == (10_000 if step else 20_000)
    assert len(consumed) == query.stats.partitions > 20
    assert 0 < max(ahead) <= threads + 2


# --------------------------------------------------------------------------- bytes
ROWS = [("r0", 1, "é"), ("r1", 2, "日本"), ("r2", 3, "😀 x")]
TEXT = "a,b,c\n" + "".join(f"{a},{b},{c}\n" for a, b, c in ROWS)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("partition_size", [7, 20 * MEGABYTE])
def test_line_ends_encodings_and_partitions_in_every_combination(tmp_path, end, encoding, partition_size):
    text = TEXT.replace("\n", end)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    options = {"encoding": "utf16"} if "16" in encoding else {}
    read = table(tmp_path / "a.csv", mark + text, encoding, partition_size=partition_size, **options)
    assert list(read.to_pandas_dataframe().itertuples(index=False, name=None)) == ROWS
    for step in (read.filter("b > 1"), read.skip(1)):
        assert list(step.to_pandas_dataframe().itertuples(index=False, name=None)) == ROWS[1:]


def test_utf16_without_a_mark_is_little_endian(tmp_path):
    read = table(tmp_path / "a.csv", TEXT, "utf-16-le", encoding="utf16")
    assert read.to_pandas_dataframe()["c"].tolist() == [c for _, _, c in ROWS]


# --------------------------------------------------------------------------- tables that change
def test_a_snapshot_is_a_snapshot_while_others_write(tmp_path):
    place = str(tmp_path / "t")
    for number in range(6):
        write_deltalake(place, pa.table({"v": [number] * 1000}), mode="append")
    read = mltable.from_delta_lake(place)
    reader = read.to_arrow_batches()
    first = reader.read_next_batch()
    write_deltalake(place, pa.table({"v": [99] * 10}), mode="overwrite")
    write_deltalake(place, pa.table({"v": [98] * 10, "w": ["new"] * 10}), mode="append", schema_mode="merge")
    rest = reader.read_all()
    rows = [*first["v"].to_pylist(), *rest["v"].to_pylist()]
    assert sorted(rows) == sorted([number for number in range(6) for _ in range(1000)])
    assert sorted(set(read.to_arrow_table()["v"].to_pylist())) == [98, 99]


def test_reads_during_many_commits_each_see_one_version(tmp_path):
    place = str(tmp_path / "t")
    write_deltalake(place, pa.table({"v": [0] * 10, "version": [0] * 10}))
    stop = threading.Event()

    def write() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            mode = "overwrite" if version % 3 == 0 else "append"
            write_deltalake(place, pa.table({"v": [version] * 10, "version": [version] * 10}), mode=mode)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(15):
            seen = mltable.from_delta_lake(place).to_arrow_table()["version"].to_pylist()
            last = max(seen)
            # Every version writes ten rows, and every third one begins anew.
            expected = {version for version in range(last + 1) if version >= last - last % 3}
            assert set(seen) == expected
            assert all(seen.count(version) == 10 for version in expected)
    finally:
        stop.set()
        writer.join()
    history = len(DeltaTable(place).history())
    assert history > 1
    old = mltable.from_delta_lake(place, version_as_of=0).to_arrow_table()
    assert old["version"].to_pylist() == [0] * 10
