"""Checks of the sections Parquet, JSON lines and Delta Lake."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from docs.rows import Make, dtypes, read, row, values
from formats.delta_tables import DAY, FIRST, LONG, add, commit, info, metadata, protocol

import mltable_lite as mltable
from mltable_lite import errors


def reads(make: Make, column: pa.Array) -> None:
    table = make.parquet(column)
    assert table.to_arrow_table()["a"].to_pylist() == column.to_pylist()
    assert len(read(table)) == len(column)


def refuses(make: Make, first: pa.Array, second: pa.Array) -> None:
    with pytest.raises(errors.SchemaMismatchError, match=r"1\.parquet.*'a'"):
        read(make.parquet(first, second))


def joins(make: Make, first: pa.Array, second: pa.Array, joined: pa.DataType) -> None:
    table = make.parquet(first, second).to_arrow_table()
    assert table.schema.field("a").type == joined
    assert table["a"].to_pylist() == pa.concat_arrays([first.cast(joined), second.cast(joined)]).to_pylist()


# --------------------------------------------------------------------------- Parquet
@row("seconds-timestamp")
def seconds_timestamp(make):
    reads(make, pa.array([dt.datetime(2020, 1, 1)], pa.timestamp("s")))


@row("seconds-time")
def seconds_time(make):
    reads(make, pa.array([dt.time(3)], pa.time32("s")))


@row("more-arrow-types")
def more_arrow_types(make):
    for column in (
        pa.array(["x"]).dictionary_encode(),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([5], pa.duration("s")),
        pa.array([[[1]]]),
        pa.array([b"ab"], pa.binary(2)),
        pa.array([1.5], pa.float16()),
        pa.array([1], pa.decimal256(50, 2)),
    ):
        reads(make, column)


@row("lz4")
def lz4(make):
    assert values(make.tables(pa.table({"a": [1]}), compression="lz4"), "a") == [1]


@row("files-differ")
def files_differ(make):
    tables = pa.table({"a": pa.array([1], pa.int8()), "b": [dt.date(2020, 1, 1)]}), pa.table({"c": ["x"]})
    schema = make.tables(*tables).to_arrow_table().schema
    assert schema.names == ["a", "b", "c"]
    assert schema.types == [pa.int8(), pa.date32(), pa.string()]


@row("int64-uint64")
def int64_uint64(make):
    joins(make, pa.array([1]), pa.array([2], pa.uint64()), pa.int64())
    refuses(make, pa.array([1]), pa.array([2**63], pa.uint64()))


@row("int64-float")
def int64_float(make):
    joins(make, pa.array([2**53]), pa.array([1.5]), pa.float64())
    with pytest.raises(errors.SchemaMismatchError, match=r"0\.parquet.*'a'.*9007199254740993"):
        read(make.parquet(pa.array([2**53 + 1]), pa.array([1.5])))


@row("text-and-numbers")
def text_and_numbers(make):
    refuses(make, pa.array([1]), pa.array(["x"]))
    refuses(make, pa.array([True]), pa.array([dt.date(2020, 1, 1)]))


@row("naive-and-zoned")
def naive_and_zoned(make):
    refuses(make, pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC")))


@row("us-and-ns")
def us_and_ns(make):
    joins(make, pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("ns")), pa.timestamp("ns"))


@row("decimal-scales")
def decimal_scales(make):
    joins(make, pa.array([1], pa.decimal128(5, 2)), pa.array([1], pa.decimal128(5, 3)), pa.decimal128(6, 3))


@row("no-rows-counted")
def no_rows_counted(make):
    for name, rows in (("a", []), ("b", [1, 2])):
        pq.write_table(pa.table({"v": pa.array(rows, pa.int64())}), make.folder / f"{name}.parquet")
    table = mltable.from_parquet_files([{"folder": str(make.folder)}], include_path_column=True)
    assert values(table.take(1), "v") == [1]
    assert values(table.skip(1), "v") == [2]


@row("no-rows-parquet")
def no_rows_parquet(make):
    assert dtypes(read(make.parquet(pa.array([], pa.int64())))) == ["int64"]


@row("no-bytes-parquet")
def no_bytes_parquet(make):
    (make.folder / "a.parquet").touch()
    with pytest.raises(errors.CorruptFileError, match=r"a\.parquet"):
        read(mltable.from_parquet_files([{"folder": str(make.folder)}]))


@row("pandas-index")
def pandas_index(make):
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key"))
    frame.to_parquet(make.folder / "a.parquet")
    table = mltable.from_parquet_files([{"folder": str(make.folder)}])
    pd.testing.assert_frame_equal(read(table), frame)
    assert read(table.filter("a > 1")).index.to_list() == ["y"]


# --------------------------------------------------------------------------- JSON lines
@row("json-int-float")
def json_int_float(make):
    assert values(make.json('{"a":1};{"a":1.5}'), "a") == [1.0, 1.5]
    assert values(make.json(f'{{"a":1}};{{"a":{2**64}}}'), "a") == [1.0, 2.0**64]


@row("json-mixed")
def json_mixed(make):
    table = make.json('{"a":1};{"a":"x"};{"a":{"b":[1]}}')
    assert values(table, "a", errors.TypeWidenedWarning) == ["1", "x", '{"b":[1]}']


@row("json-mixed-to-text")
def json_mixed_to_text(make):
    table = make.json('{"a":1};{"a":"true"};{"a":true};{"a":1e3};{"a":{"b":[true]}};{"a":[1,"x"]}')
    texts = ["1", "true", "True", "1000", "{b: [true]}", '[1, "x"]']
    assert values(table.convert_column_types({"a": "string"}), "a") == texts


@row("json-empty-object")
def json_empty_object(make):
    assert values(make.json('{"a":{}};{"a":{"b":1}}'), "a") == [{"b": None}, {"b": 1}]


@row("json-record-keys")
def json_record_keys(make):
    table = make.json('{"a":{"b":1}}', '{"a":{"c":2},"d":1}')
    assert values(table, "a") == [{"b": 1, "c": None}, {"b": None, "c": 2}]


@row("json-record-panic")
def json_record_panic(make):
    table = make.json('{"a":{"c":"y"}}', '{"a":null};{"a":{}}', '{"a":{"b":2,"c":"x"}}')
    assert values(table, "a")[-1] == {"c": "x", "b": 2}


@row("json-uint64")
def json_uint64(make):
    assert values(make.json('{"a":1};{"a":18446744073709551615}'), "a") == [1, 2**64 - 1]
    table = make.json('{"a":-1};{"a":18446744073709551615}')
    assert values(table, "a", errors.PrecisionWarning) == [-1.0, 2.0**64]


@row("json-trailing-text")
def json_trailing_text(make):
    with pytest.raises(errors.InvalidLineError, match=r"0\.jsonl:1"):
        read(make.json('{"a":1} x'))


@row("json-white-line")
def json_white_line(make):
    assert values(make.json('{"a":1};   ;{"a":2}'), "a") == [1, 2]


@row("json-duplicate-key")
def json_duplicate_key(make):
    assert values(make.json('{"a":1,"a":2}'), "a", errors.DuplicateKeyWarning) == [2]


@row("json-dropped-lines")
def json_dropped_lines(make):
    assert values(make.json('{"a":1};x', invalid_lines="drop"), "a", errors.InvalidLinesWarning) == [1]


@row("json-array")
def json_array(make):
    with pytest.raises(errors.InvalidLineError, match="array"):
        read(make.json('[{"a":1}]', invalid_lines="drop"))
    with pytest.raises(errors.InvalidLineError, match=r":1: it is null; .* so there are no columns"):
        read(make.json("null;junk", invalid_lines="drop"))


# --------------------------------------------------------------------------- Delta
def history(make: Make) -> str:
    """Return the place of a table of two versions, a day apart, whose data files look older."""
    table = make.folder / "t"
    commit(table, 0, info(FIRST), protocol(), metadata([{"name": "a", **LONG}]), add("p0.parquet", 1))
    commit(table, 1, info(FIRST + DAY), add("p1.parquet", 1))
    for number in (0, 1):
        pq.write_table(pa.table({"a": [number]}), table / f"p{number}.parquet")
    return str(table)


@row("delta-partition-columns")
def delta_partition_columns(make):
    write_deltalake(make.folder / "t", pa.table({"a": [1, 2], "p": ["x", "y"]}), partition_by=["p"])
    assert sorted(values(mltable.from_delta_lake(str(make.folder / "t")), "p")) == ["x", "y"]


@row("delta-column-mapping")
def delta_column_mapping(make):
    table = make.folder / "t"
    mapped = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-abc"}
    schema = metadata([{"name": "nice", **LONG, "metadata": mapped}], delta_columnMapping_mode="name")
    commit(
        table,
        0,
        info(FIRST),
        {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
        schema,
        add("p.parquet"),
    )
    pq.write_table(pa.table({"col-abc": [1]}), table / "p.parquet")
    assert values(mltable.from_delta_lake(str(table)), "nice") == [1]


@row("delta-deletion-vectors")
def delta_deletion_vectors(make):
    table = make.folder / "t"
    vector = {"storageType": "i", "pathOrInlineDv": "broken", "sizeInBytes": 34, "cardinality": 1}
    schema = metadata([{"name": "a", **LONG}], delta_enableDeletionVectors="true")
    commit(
        table, 0, info(FIRST), protocol("deletionVectors"), schema, add("p.parquet", deletionVector=vector)
    )
    with pytest.raises(errors.UnsupportedFeatureError, match="deletion vector"):
        read(mltable.from_delta_lake(str(table)))


@row("delta-time")
def delta_time(make):
    table = mltable.from_delta_lake(history(make), timestamp_as_of="2020-01-01T12:00:00Z")
    assert values(table, "a") == [0]


@row("delta-before-first")
def delta_before_first(make):
    with pytest.raises(errors.ArgumentError, match="before the first version"):
        read(mltable.from_delta_lake(history(make), timestamp_as_of="2019-01-01T00:00:00Z"))


@row("delta-no-rows")
def delta_no_rows(make):
    commit(make.folder / "t", 0, info(FIRST), protocol(), metadata([{"name": "a", **LONG}]))
    assert dtypes(read(mltable.from_delta_lake(str(make.folder / "t")))) == ["int64"]


@row("delta-several-folders")
def delta_several_folders(make):
    for name in ("t", "u"):
        write_deltalake(make.folder / name, pa.table({"a": [name]}))
    table = make.steps("read_delta_lake", "[{folder: t}, {folder: u}]")
    assert values(table, "a") == ["t", "u"]


@row("delta-row-order")
def delta_row_order(make):
    for number in range(12):
        write_deltalake(make.folder / "t", pa.table({"a": [number]}), mode="append")
    table = mltable.from_delta_lake(str(make.folder / "t"))
    first = values(table, "a")
    assert sorted(first) == list(range(12))
    assert all(values(table, "a") == first for _ in range(3))


@row("delta-empty-uri")
def delta_empty_uri(make):
    with pytest.raises(errors.ArgumentError, match="empty"):
        mltable.from_delta_lake("")
