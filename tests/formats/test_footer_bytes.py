"""Footers told by their bytes: never another schema, never another number of rows than Arrow finds."""

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.errors import CorruptFileError
from mltable_lite.formats.footer_bytes import Likeness

TYPES = st.sampled_from(
    [
        pa.int8(),
        pa.int64(),
        pa.float32(),
        pa.string(),
        pa.bool_(),
        pa.decimal128(9, 2),
        pa.timestamp("ns"),
        pa.timestamp("us", "UTC"),
        pa.list_(pa.int32()),
        pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))]),
        pa.map_(pa.string(), pa.float64()),
        pa.dictionary(pa.int32(), pa.string()),
    ]
)
FIELDS = st.lists(
    st.builds(pa.field, st.sampled_from("abcdefghijklmnopqrst"), TYPES),
    min_size=1,
    max_size=18,
    unique_by=lambda f: f.name,
)
METADATA = st.none() | st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["", "v" * 300]))
FILES = st.tuples(
    FIELDS,
    METADATA,
    st.integers(0, 300),
    st.fixed_dictionaries(
        {},
        optional={
            "row_group_size": st.sampled_from([7, 150, 300]),
            "version": st.sampled_from(["1.0", "2.6"]),
            "write_statistics": st.booleans(),
            "store_schema": st.booleans(),
            "use_deprecated_int96_timestamps": st.just(value=True),
            "compression": st.sampled_from(["none", "snappy", "zstd"]),
        },
    ),
)


def bytes_of(fields, metadata, rows, options):
    schema = pa.schema(fields, metadata=metadata)
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays([pa.nulls(rows, f.type) for f in schema], schema=schema), sink, **options
    )
    return sink.getvalue().to_pybytes()


@settings(max_examples=150, deadline=None)
@given(FILES, FILES, st.integers(0, 1000))
def test_what_bytes_tell_is_what_arrow_finds(one, other, rows):
    likeness = Likeness.of(bytes_of(*one))
    for fields, metadata, count, options in (other, (*one[:2], rows, one[3]), (*one[:2], rows, other[3])):
        file = bytes_of(fields, metadata, count, options)
        told = likeness.rows(file)
        if told is not None:
            found, known = (
                pq.read_metadata(pa.BufferReader(file)),
                pq.read_metadata(pa.BufferReader(bytes_of(*one))),
            )
            assert told == found.num_rows == found.row_group(0).num_rows
            assert found.num_row_groups == 1
            assert found.schema.equals(known.schema)
            assert found.schema.to_arrow_schema().equals(known.schema.to_arrow_schema(), check_metadata=True)


def written_by(writer, folder, rows):
    frame = pl.DataFrame({"a": range(rows), "b": [f"text {i}" for i in range(rows)]})
    path = folder / f"{writer}-{rows}.parquet"
    if writer == "pyarrow":
        pq.write_table(frame.to_arrow(), path)
    elif writer == "polars":
        frame.write_parquet(path)
    else:
        duckdb.sql(f"copy (select * from frame) to '{path}' (format parquet)")
    return path.read_bytes()


@pytest.mark.parametrize("writer", ["pyarrow", "polars", "duckdb"])
def test_the_files_of_every_writer_are_told_by_their_bytes(writer, tmp_path):
    likeness = Likeness.of(written_by(writer, tmp_path, 3))
    assert [likeness.rows(written_by(writer, tmp_path, rows)) for rows in (1, 2, 70, 9000)] == [
        1,
        2,
        70,
        9000,
    ]


@given(st.binary(max_size=400) | st.sampled_from([b"\x19" * 9000, b"\x19\xf1" + b"\xff" * 9 + b"\x01"]))
def test_damaged_footers_tell_nothing_and_raise_nothing(junk):
    file = bytes_of([pa.field("a", pa.int64())], None, 3, {})
    likeness = Likeness.of(file)
    trailer = len(junk).to_bytes(4, "little") + b"PAR1"
    for tail in (
        junk,
        junk + b"PAR1",
        junk + trailer,
        file[-30:-8] + junk + file[-8:],
        file[:-8] + junk + trailer,
    ):
        Likeness.of(tail)
        assert likeness.rows(tail) is None or tail == file
    footer = likeness.before + junk + likeness.after
    between = footer + len(footer).to_bytes(4, "little") + b"PAR1"
    for start in range(len(between)):
        likeness.rows(between[start:])


def test_many_files_of_several_writers_are_one_table(tmp_path):
    expected = []
    for number in range(40):
        columns = {"a": pa.array(range(number % 5), pa.int32() if number % 3 else pa.int64())}
        if number % 7 == 0:
            columns["late"] = pa.array([str(number)] * (number % 5))
        table = pa.table(columns)
        pq.write_table(table, tmp_path / f"{number:02}.parquet", row_group_size=3)
        expected += table["a"].to_pylist()
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    whole = table.to_arrow_table()
    assert whole.schema.field("a").type == pa.int64()
    assert whole.schema.names == ["a", "late"]
    assert whole["a"].to_pylist() == expected
    assert table.get_partition_count() == sum(1 + (n % 5 > 3) for n in range(40) if n % 5)


def test_a_late_file_that_is_cut_is_named(tmp_path):
    for number in range(6):
        pq.write_table(pa.table({"a": [1]}), tmp_path / f"{number}.parquet")
    cut = tmp_path / "5.parquet"
    cut.write_bytes(cut.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match=r"5\.parquet"):
        mltable.from_parquet_files([{"folder": str(tmp_path)}]).to_arrow_table()
