"""Small partitions are executed together, and nobody can tell, but by the clock."""

from __future__ import annotations

import gzip
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.execute import together
from mltable_lite.execute.scan import ScanTask
from mltable_lite.formats.delimited import DelimitedSource
from mltable_lite.formats.json_lines import JsonLinesSource

PLAIN = {
    "csv": [
        b"1,2.5,x,2024-05-01 10:00:00\n",
        b"22,0.25,,2024-05-02 10:00:00\n",
        b'3,,"a, b",\n',
        b",1e3,y,\n",
    ],
    "jsonl": [
        b'{"i":1,"f":2.5,"s":"x"}\n',
        b'{"i":null,"f":1e3,"s":"y"}\n',
        b'{"i":22,"f":-0.25,"s":null}\n',
    ],
}
ODD = {
    "csv": [
        b"\n",
        b"\r\n",
        b"4,4.5,z,2024-05-03 10:00:00\r\n",
        b'5,5.5,"two\nlines",\n',
        b'6,6.5,"open,\n',
        b'7,7.5,""",\n',
        b"8\n",
        b"9,9.5,z,2024-05-03 10:00:00,more\n",
        b"word,1.0,z,\n",
        b"1,9007199254740993,z,\n",
        b"1,1.5,z,2024-05-03\n",
        b"1,1.5,z,2024-05-03T10:00:00+02:00\n",
        b"1,1.5,\xff,\n",
        b"i,f,s,t\n",
    ],
    "jsonl": [
        b"\n",
        b'{"i":4,"f":4.5,"s":"z"}\r\n',
        b'{"i": 5, "f": 5.5, "s": "z"}\n',
        b'{"f":6.5,"i":6}\n',
        b'{"i":7,"f":7.5,"s":"\\u00e4"}\n',
        b'{"i":8,"f":"text","s":"z"}\n',
        b'{"i":9.5,"f":9.5,"s":["z"]}\n',
        b'{"i":1,"f":1.5,"s":"z","new":1}\n',
        b'{"i":1,"i":2,"f":1.5,"s":"z"}\n',
        b'{"i":18446744073709551616,"f":1.5,"s":"z"}\n',
        b'{"i":01,"f":1.5,"s":"z"}\n',
        b"junk\n",
        b'{"i":1,"f":1.5,"s":"\xff"}\n',
    ],
}
MARKS = [b"", b"", b"", b"\xef\xbb\xbf"]


@contextmanager
def apart():
    """Let each file be decoded by itself."""
    before, together.SMALL_BYTES = together.SMALL_BYTES, 0
    try:
        yield
    finally:
        together.SMALL_BYTES = before


@st.composite
def folders(draw, kind):
    """The bytes of some small files, most of them plain."""
    files = []
    for _ in range(draw(st.integers(2, 8))):
        lines = draw(st.lists(st.sampled_from(PLAIN[kind]), max_size=6))
        if draw(st.integers(0, 5)) == 0:
            lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(ODD[kind])))
        text = b"".join(lines)
        if kind == "csv":
            text = draw(st.sampled_from([b"i,f,s,t\n"] * 9 + [b"i,f,s,u\n"])) + text
        if draw(st.integers(0, 3)) == 0:
            text = text.removesuffix(b"\n")
        files.append(draw(st.sampled_from(MARKS)) + text)
    return files


OPENED = {
    "csv": mltable.from_delimited_files,
    "jsonl": mltable.from_json_lines_files,
    "parquet": mltable.from_parquet_files,
    "delta": lambda paths, **options: mltable.from_delta_lake(paths[0]["folder"], **options),
}


def outcome(kind, folder, options, steps, read):
    """What a user sees of a read: rows, warnings, or the error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = read(steps(OPENED[kind]([{"folder": str(folder)}], **options)))
        except mltable.MLTableError as error:
            found = f"{type(error).__name__}: {error}"
    return found, [str(warning.message) for warning in caught]


STEPS = {
    "all": lambda table: table,
    "columns": lambda table: table.keep_columns(["f"]),
    "filter": lambda table: table.filter("i > 1"),
    "failing filter": lambda table: table.filter("1 // (i - 22) < 1"),
    "sample": lambda table: table.take_random_sample(0.5, seed=1),
    "few": lambda table: table.take_random_sample(0.1, seed=1),
    "sample, filter": lambda table: table.take_random_sample(0.7, seed=2).filter("i > 1"),
    "filter, sample": lambda table: table.filter("i > 1").take_random_sample(0.7, seed=2),
    "two samples": lambda table: table.take_random_sample(0.7, seed=3).take_random_sample(0.7, seed=3),
    "by file": lambda table: table.extract_columns_from_partition_format("{number}.{kind}").filter(
        "number > '1' and i > 0"
    ),
    "file only": lambda table: table.extract_columns_from_partition_format("{number}.{kind}").keep_columns(
        ["number"]
    ),
    "partitions": lambda table: table.select_partitions([1]),
    "take": lambda table: table.take(7),
    "skip": lambda table: table.skip(3),
    "text": lambda table: table.convert_column_types({"s": mltable.DataType.to_string()}),
}
READS = {
    "pandas": lambda table: table.to_pandas_dataframe(),
    "arrow": lambda table: table.to_arrow_table().to_pandas(),
    "batches": lambda table: table.to_arrow_batches().read_all().to_pandas(),
    "dask": lambda table: table.to_dask_dataframe().compute(scheduler="sync"),
}
OPTIONS = {
    "csv": [
        {},
        {"header": "all_files_different_headers"},
        {"header": "from_first_file"},
        {"header": "no_header"},
        {"support_multi_line": True},
        {"empty_as_string": True},
        {"infer_column_types": {"sample_size": 2}},
        {"include_path_column": True},
    ],
    "jsonl": [{}, {"invalid_lines": "drop"}, {"include_path_column": True}],
}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@settings(max_examples=120)
@given(data=st.data())
def test_files_read_together_are_read_as_each_by_itself(kind, data):
    files = data.draw(folders(kind))
    options = data.draw(st.sampled_from(OPTIONS[kind]))
    steps, read = (data.draw(st.sampled_from([*each.values()])) for each in (STEPS, READS))
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(files):
            (Path(folder) / f"{number}.{kind}").write_bytes(content)
        assert_nobody_can_tell(kind, folder, options, steps, read)


def assert_nobody_can_tell(kind, folder, options, steps, read):
    together = outcome(kind, folder, options, steps, read)
    with apart():
        expected = outcome(kind, folder, options, steps, read)
    if isinstance(expected[0], pd.DataFrame):
        pd.testing.assert_frame_equal(together[0], expected[0])
    else:
        assert together[0] == expected[0]
    assert together[1] == expected[1]


#: What the columns of a Parquet file may be, by name.
TYPES = {
    "i": [pa.int64(), pa.int32(), pa.float64()],
    "f": [pa.float64(), pa.float32()],
    "s": [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())],
    "t": [pa.timestamp("us"), pa.timestamp("ms")],
    "o": [pa.struct([("a", pa.int64()), ("b", pa.string())]), pa.struct([("b", pa.string())])],
}


@st.composite
def tables(draw, *, usual=False):
    """A small table, most often with all columns in their usual types and order."""
    rows = draw(st.integers(0, 12))
    usual = usual or draw(st.integers(0, 3)) > 0
    names = list(TYPES) if usual else draw(st.permutations(list(TYPES)))[: draw(st.integers(1, 5))]
    columns = {}
    for name in names:
        numbers = draw(st.lists(st.sampled_from([None, 0, 1, 2, 3, 22]), min_size=rows, max_size=rows))
        kind = TYPES[name][0] if usual else draw(st.sampled_from(TYPES[name]))
        if pa.types.is_struct(kind):
            values = [
                n if n is None else {f.name: str(n) if f.name == "b" else n for f in kind} for n in numbers
            ]
        else:
            values = [n if n is None or name != "s" else f"text {n}" for n in numbers]
        columns[name] = pa.array(values, kind)
    return pa.table(columns)


@settings(max_examples=150)
@given(data=st.data())
def test_parquet_files_read_together_are_read_as_each_by_itself(data):
    steps, read = (data.draw(st.sampled_from([*each.values()])) for each in (STEPS, READS))
    options = data.draw(st.sampled_from([{}, {"include_path_column": True}]))
    with tempfile.TemporaryDirectory() as folder:
        for number, table in enumerate(data.draw(st.lists(tables(), min_size=2, max_size=8))):
            pq.write_table(
                table,
                Path(folder) / f"{number}.parquet",
                row_group_size=data.draw(st.sampled_from([3, 100])),
                use_deprecated_int96_timestamps=data.draw(st.integers(0, 19)) == 0,
            )
        if data.draw(st.integers(0, 9)) == 0:
            damaged = Path(folder) / "1.parquet"
            content = bytearray(damaged.read_bytes())
            content[4:40] = bytes(36)
            damaged.write_bytes(content)
        assert_nobody_can_tell("parquet", folder, options, steps, read)


@settings(max_examples=30)
@given(data=st.data())
def test_files_of_a_delta_table_read_together_are_read_as_each_by_itself(data):
    steps, read = (data.draw(st.sampled_from([*each.values()])) for each in (STEPS, READS))
    with tempfile.TemporaryDirectory() as folder:
        partitioned = data.draw(st.sampled_from([None, ["s"]]))
        for table in data.draw(st.lists(tables(usual=True), min_size=1, max_size=4)):
            write_deltalake(folder, table, mode="append", partition_by=partitioned)
        if data.draw(st.booleans()):
            DeltaTable(folder).delete("i = 2")
        assert_nobody_can_tell("delta", folder, {}, steps, read)


@pytest.fixture
def counted(monkeypatch):
    """Counts partitions that are executed by themselves."""
    alone = []
    run = ScanTask.run

    def counting(self, partition, *rest):
        if not self.source.in_memory:
            alone.append(partition)
        return run(self, partition, *rest)

    monkeypatch.setattr(ScanTask, "run", counting)
    return alone


def small_files(folder, kind, count, odd=()):
    for number in range(count):
        rows = range(3 * number, 3 * number + 3)
        if kind == "parquet":
            columns = {"i": [*rows], "f": [i + 0.5 for i in rows]}
            pq.write_table(pa.table(columns), folder / f"{number:03}.parquet")
            continue
        text = "".join(f"{i},{i}.5\n" if kind == "csv" else f'{{"i":{i},"f":{i}.5}}\n' for i in rows)
        text = ("i,f\n" if kind == "csv" else "") + text + ("\n" if number in odd else "")
        (folder / f"{number:03}.{kind}").write_text(text)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_hardly_any_of_many_small_files_is_decoded_by_itself(kind, read, tmp_path, counted):
    small_files(tmp_path, kind, 300)

    frame, told = outcome(kind, tmp_path, {}, STEPS["all"], READS[read])

    assert frame["i"].tolist() == list(range(900))
    assert not told
    assert len(counted) < 10


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_of_compressed_files_nobody_knows_how_much_they_hold(kind, tmp_path, counted):
    small_files(tmp_path, kind, 20)
    for file in [*tmp_path.iterdir()]:
        Path(f"{file}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()

    frame, _ = outcome(kind, tmp_path, {}, STEPS["all"], READS["pandas"])

    assert frame["i"].tolist() == list(range(60))
    assert len(counted) == 20


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_where_files_are_odd_the_attempt_is_given_up(kind, tmp_path, counted, monkeypatch):
    small_files(tmp_path, kind, 300, odd=range(300))
    attempts = []
    for source in (DelimitedSource, JsonLinesSource):
        together = source.read_together

        def counting(self, partitions, request, together=together):
            attempts.append(partitions)
            return together(self, partitions, request)

        monkeypatch.setattr(source, "read_together", counting)

    frame, _ = outcome(kind, tmp_path, {}, STEPS["all"], READS["pandas"])

    assert frame["i"].tolist() == list(range(900))
    assert len(counted) == 300
    assert len(attempts) == 3


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_file_that_went_missing_is_named(kind, tmp_path):
    small_files(tmp_path, kind, 30)
    frame = OPENED[kind]([{"folder": str(tmp_path)}]).to_dask_dataframe()
    (tmp_path / f"019.{kind}").unlink()
    with pytest.raises(mltable.MLTableError, match=rf"019\.{kind}"):
        frame.compute(scheduler="sync")


def test_short_blocks_of_a_file_are_partitions_like_others(tmp_path):
    rows = "".join(f'{{"i":{i},"s":"{"x" * (i % 50)}"}}\n' for i in range(2_000))
    (tmp_path / "a.jsonl").write_text(rows)
    (tmp_path / "MLTable").write_text(
        "paths: [file: a.jsonl]\ntransformations:\n  - read_json_lines: {partition_size: 700}\n"
    )
    table = mltable.load(tmp_path).take_random_sample(0.5, seed=3)
    together = table.to_pandas_dataframe()
    with apart():
        pd.testing.assert_frame_equal(table.to_pandas_dataframe(), together)
    assert table.get_partition_count() > 50
    assert 900 < len(together) < 1_100
