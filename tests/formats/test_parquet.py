import datetime as dt
import decimal
import json
import pickle

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats.local_input import LocalFile, files, read_all
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.errors import CorruptFileError, SchemaMismatchError, StorageError, UnsupportedFeatureError
from mltable_lite.formats import footers, row_groups
from mltable_lite.formats.base import Partition, Request
from mltable_lite.formats.parquet import inspect
from mltable_lite.spec.model import ReadParquet

D = decimal.Decimal
EVERY_TYPE = {
    "i8": pa.array([1, None, -3], pa.int8()),
    "u64": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "f16": pa.array([1.5, None, float("inf")], pa.float16()),
    "f32": pa.array([0.1, None, float("inf")], pa.float32()),
    "bool": pa.array([True, None, False]),
    "text": pa.array(["é", None, ""]),
    "large": pa.array(["é", None, ""], pa.large_string()),
    "view": pa.array(["é", None, "more than twelve bytes"], pa.string_view()),
    "bytes": pa.array([b"\x00\xff", None, b""]),
    "fixed": pa.array([b"ab", None, b"cd"], pa.binary(2)),
    "d32": pa.array([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]),
    "ms": pa.array([-62135596800000, None, 253402300799999], pa.timestamp("ms")),
    "us": pa.array([1, None, 2], pa.timestamp("us", "Europe/Paris")),
    "ns": pa.array([1, None, 2**62], pa.timestamp("ns")),
    "t32": pa.array([1, None, 86399999], pa.time32("ms")),
    "t64": pa.array([1, None, 86399 * 10**9], pa.time64("ns")),
    "span": pa.array([1, None, -(10**9)], pa.duration("s")),
    "dec": pa.array([D("1.50"), None, D("-99.99")], pa.decimal128(4, 2)),
    "dec256": pa.array([D(10) ** 40, None, D(-1)], pa.decimal256(50, 2)),
    "dict": pa.array(["a", None, "b"]).dictionary_encode(),
    "nulls": pa.nulls(3),
    "list": pa.array([[1, None], None, []]),
    "nested": pa.array([[["a"], None], None, []], pa.list_(pa.list_(pa.string()))),
    "pair": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int32(), 2)),
    "struct": pa.array([{"a": 1, "b": {"c": "x"}}, None, {"a": None, "b": None}]),
    "structs": pa.array([[{"a": 1}], None, [None]]),
    "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "dotted.name": pa.array([1, 2, 3]),
    "": pa.array([4, 5, 6]),
}


def write(path, columns, **options):
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def source(*paths):
    return inspect(ReadParquet(), files(*paths))


# ------------------------------------------------------------------ types
@pytest.mark.parametrize("version", ["1.0", "2.4", "2.6"])
def test_every_arrow_type_comes_back(tmp_path, version):
    columns = dict(EVERY_TYPE)
    if version != "2.6":
        columns["ns"] = columns["ns"].cast(pa.timestamp("us"), safe=False)
    table = pa.table(columns)
    read = read_all(source(write(tmp_path / "a.parquet", table, version=version)))
    assert read.to_pydict() == table.to_pydict()
    assert read.schema.names == table.schema.names
    same = [n for n in table.schema.names if n not in ("list", "nested", "structs", "pair", "view")]
    assert [read.schema.field(n).type for n in same] == [table.schema.field(n).type for n in same]


def test_seconds_are_seconds_although_parquet_stores_milliseconds(tmp_path):
    moment = dt.datetime(2020, 1, 2, 3, 4, 5)
    columns = {"t": pa.array([moment], pa.timestamp("s")), "c": pa.array([11045], pa.time32("s"))}
    read = read_all(source(write(tmp_path / "a.parquet", columns)))
    assert read.to_pylist() == [{"t": moment, "c": dt.time(3, 4, 5)}]


def test_uuid_and_json_written_by_others_are_bytes_and_text(tmp_path):
    columns = {
        "u": pa.array([b"0" * 16], pa.binary(16)).cast(pa.uuid()),
        "j": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
    }
    read = read_all(source(write(tmp_path / "a.parquet", columns, store_schema=False)))
    assert read.schema == pa.schema([("u", pa.binary(16)), ("j", pa.string())])


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "brotli", "zstd", "lz4"])
def test_every_codec_is_read(tmp_path, codec):
    path = write(tmp_path / "a.parquet", {"a": ["x"] * 100}, compression=codec)
    assert read_all(source(path)).column("a").to_pylist() == ["x"] * 100


def test_int96_timestamps_are_nanoseconds(tmp_path):
    column = pa.array([10**18 + 1, None], pa.timestamp("ns"))
    path = write(tmp_path / "a.parquet", {"t": column}, use_deprecated_int96_timestamps=True)
    assert read_all(source(path)).column("t").combine_chunks() == column


def test_int96_years_that_nanoseconds_cannot_hold_widen_to_microseconds_instead_of_wrapping(tmp_path):
    far = pa.array([dt.datetime(9999, 12, 31), None, dt.datetime(2020, 1, 1)], pa.timestamp("us"))
    path = write(tmp_path / "a.parquet", {"t": far, "i": [1, 2, 3]}, use_deprecated_int96_timestamps=True)
    table = source(path)
    assert table.widen(("i",)) is None
    with pytest.raises(
        SchemaMismatchError, match=r"a\.parquet: row group 0, column 't'.*9999-12-31"
    ) as caught:
        read_all(table)
    widened, notices = table.widen((caught.value.column,))
    assert not len(notices)
    assert read_all(widened).column("t").combine_chunks() == far
    assert widened.widen(("t",)) is None


# ------------------------------------------------------------------ several files
def test_columns_are_joined_by_name_with_nulls_where_a_file_lacks_them(tmp_path):
    one = write(tmp_path / "1.parquet", {"a": pa.array([1], pa.int32()), "b": ["x"]})
    two = write(tmp_path / "2.parquet", {"c": [True], "a": pa.array([2**40])})
    read = read_all(source(one, two))
    assert read.schema == pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.bool_())])
    assert read.to_pylist() == [{"a": 1, "b": "x", "c": None}, {"a": 2**40, "b": None, "c": True}]


def test_only_columns_that_a_file_lacks_still_gives_its_rows(tmp_path):
    one = write(tmp_path / "1.parquet", {"a": list(range(70_000))})
    two = write(tmp_path / "2.parquet", {"b": [1]})
    read = read_all(source(one, two), columns=["b"])
    assert read.num_rows == 70_001
    assert read.column("b").null_count == 70_000


def test_types_that_do_not_join_name_both_files(tmp_path):
    one, two = write(tmp_path / "1.parquet", {"a": [1]}), write(tmp_path / "2.parquet", {"a": ["x"]})
    with pytest.raises(
        SchemaMismatchError, match=r"2\.parquet: column 'a' is string here but int64 in .*1\.parquet"
    ):
        source(one, two)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (pa.array([2**53 + 1]), pa.array([0.5]), "does not fit double.*9007199254740993"),
        (pa.array([2**63 + 5], pa.uint64()), pa.array([1]), "does not fit int64.*9223372036854775813"),
        (
            pa.array([10**14], pa.timestamp("ms")),
            pa.array([1], pa.timestamp("ns")),
            r"does not fit timestamp\[ns\]",
        ),
    ],
)
def test_a_value_that_the_joined_type_cannot_hold_is_an_error_that_names_it(tmp_path, first, second, text):
    one, two = write(tmp_path / "1.parquet", {"a": first}), write(tmp_path / "2.parquet", {"a": second})
    with pytest.raises(
        SchemaMismatchError, match=rf"1\.parquet: row group 0, column 'a': .*{text}"
    ) as caught:
        read_all(source(one, two))
    assert caught.value.column == "a"


def test_a_file_without_rows_adds_columns_but_gives_way_on_types(tmp_path):
    full = write(tmp_path / "1.parquet", {"a": [1]})
    empty = {"a": pa.array([], pa.string()), "b": pa.array([], pa.null())}
    first = write(tmp_path / "0.parquet", empty)
    last = write(tmp_path / "2.parquet", {"b": pa.array([], pa.int8())})
    assert read_all(source(first, full, last)).to_pylist() == [{"a": 1, "b": None}]
    assert source(first, full, last).schema == pa.schema([("a", pa.int64()), ("b", pa.int8())])


def test_an_empty_file_alone_keeps_its_columns_and_has_no_partitions(tmp_path):
    table = source(
        write(tmp_path / "a.parquet", {"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())})
    )
    assert table.schema == pa.schema([("a", pa.int64()), ("b", pa.string())])
    assert list(table.partitions()) == []


def test_no_files_are_a_table_without_columns():
    assert source().schema == pa.schema([])


def test_a_file_without_columns_is_read(tmp_path):
    none = write(tmp_path / "1.parquet", pa.table({"a": [1]}).select([]))
    assert source(none).schema == pa.schema([])
    assert read_all(source(none, write(tmp_path / "2.parquet", {"a": [1]}))).to_pylist() == [{"a": 1}]


def test_structs_with_different_fields_are_joined(tmp_path):
    one = write(tmp_path / "1.parquet", {"s": [{"a": 1}], "l": [[{"x": 1}]]})
    two = write(tmp_path / "2.parquet", {"s": [{"b": "y", "a": 0.5}], "l": [[{"y": 2}, None]]})
    assert read_all(source(one, two)).to_pylist() == [
        {"s": {"a": 1.0, "b": None}, "l": [{"x": 1, "y": None}]},
        {"s": {"a": 0.5, "b": "y"}, "l": [{"x": None, "y": 2}, None]},
    ]


def test_dictionaries_that_differ_are_decoded_and_equal_ones_stay(tmp_path):
    words = pa.array(["a", "b"]).dictionary_encode()
    one, two = write(tmp_path / "1.parquet", {"w": words}), write(tmp_path / "2.parquet", {"w": ["c"]})
    assert source(one, one).schema.field("w").type == words.type
    assert read_all(source(one, two)).column("w").to_pylist() == ["a", "b", "c"]


def test_folder_names_add_no_columns(tmp_path):
    path = tmp_path / "y=2020" / "a.parquet"
    path.parent.mkdir()
    assert read_all(source(write(path, {"a": [1]}))).to_pylist() == [{"a": 1}]


# ------------------------------------------------------------------ pandas
def pandas_index(schema):
    return json.loads(schema.metadata[b"pandas"])["index_columns"] if schema.metadata else None


def test_a_named_pandas_index_is_told_when_all_files_have_it(tmp_path):
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="b"))
    frame.to_parquet(tmp_path / "1.parquet")
    frame.to_parquet(tmp_path / "2.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "3.parquet")
    assert pandas_index(source(tmp_path / "1.parquet", tmp_path / "2.parquet").schema) == ["b"]
    assert pandas_index(source(tmp_path / "1.parquet", tmp_path / "3.parquet").schema) is None
    assert (
        pandas_index(source(tmp_path / "1.parquet", write(tmp_path / "4.parquet", {"a": [1]})).schema) is None
    )


def test_range_indexes_of_several_files_are_left_out_but_types_stay(tmp_path):
    frame = pd.DataFrame({"n": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "1.parquet")
    pd.concat([frame, frame]).reset_index(drop=True).to_parquet(tmp_path / "2.parquet")
    table = source(tmp_path / "1.parquet", tmp_path / "2.parquet")
    assert pandas_index(table.schema) == []
    restored = pa.Table.from_batches(read_all(table).to_batches(), schema=table.schema).to_pandas()
    assert str(restored["n"].dtype) == "Int64"
    assert list(restored.index) == list(range(6))


# ------------------------------------------------------------------ partitions and reading
def test_partitions_are_the_row_groups_with_their_rows(tmp_path):
    one = write(tmp_path / "1.parquet", {"a": range(25)}, row_group_size=10)
    two = write(tmp_path / "2.parquet", {"a": range(3)})
    assert list(source(one, two).partitions()) == [
        Partition(0, 0, 0, 1, 10),
        Partition(0, 1, 1, 2, 10),
        Partition(0, 2, 2, 3, 5),
        Partition(1, 0, 0, 1, 3),
    ]


def test_rows_come_in_order_in_batches_of_the_requested_columns(tmp_path):
    numbers = np.arange(200_000)
    table = source(write(tmp_path / "a.parquet", {"a": numbers, "b": numbers}, row_group_size=150_000))
    request = Request(("b",))
    batches = [b for p in table.partitions() for b in table.read(p, request)]
    assert max(b.num_rows for b in batches) <= 65_536
    assert all(b.schema.names == ["b"] for b in batches)
    assert np.array_equal(np.concatenate([b.column(0).to_numpy() for b in batches]), numbers)


def test_a_read_counts_the_stored_bytes_of_its_columns_only(tmp_path):
    rows = 20_000
    path = write(tmp_path / "a.parquet", {"a": range(rows), "s": [{"x": i, "y": "t"} for i in range(rows)]})
    footer = pq.read_metadata(path).row_group(0)
    sizes = {footer.column(i).path_in_schema: footer.column(i).total_compressed_size for i in range(3)}
    table = source(path)
    (partition,) = table.partitions()
    for columns, expected in ((("a",), sizes["a"]), (("s",), sizes["s.x"] + sizes["s.y"])):
        request = Request(columns)
        list(table.read(partition, request))
        assert request.bytes_read == expected


def test_a_small_file_is_read_whole_and_counted_so(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000), "b": range(1000)})
    table = source(path)
    (partition,) = table.partitions()
    request = Request(("b",))
    (batch,) = table.read(partition, request)
    assert batch.column("b").to_pylist() == list(range(1000))
    assert request.bytes_read == path.stat().st_size


def test_small_files_of_other_types_and_columns_are_told_apart(tmp_path):
    # All that is found out once for a schema must not be taken for another that has the same names or types.
    paths = [
        write(tmp_path / "0.parquet", {"a": [1, 2], "b": ["x", "y"]}),
        write(tmp_path / "1.parquet", {"b": ["z", None], "a": [3, 4]}),
        write(tmp_path / "2.parquet", {"a": pa.array([5], pa.int8())}),
        write(tmp_path / "3.parquet", {"c": [1.5], "b": pa.array(["u"]).dictionary_encode()}),
        write(tmp_path / "4.parquet", {"a": [6], "b": ["v"]}),
    ]
    table = source(*paths)
    for _ in range(2):
        assert read_all(table).to_pydict() == {
            "a": [1, 2, 3, 4, 5, None, 6],
            "b": ["x", "y", "z", None, None, "u", "v"],
            "c": [None, None, None, None, None, 1.5, None],
        }


def test_few_rows_are_decoded_when_few_are_wanted(tmp_path):
    table = source(write(tmp_path / "a.parquet", {"a": range(100_000)}))
    (partition,) = table.partitions()
    first = next(table.read(partition, Request(("a",), first_rows=20)))
    assert 20 <= first.num_rows <= 1024
    assert read_all(table, first_rows=20).num_rows == 100_000


class RemoteFile(LocalFile):
    @property
    def uri(self):
        return f"test://{self.path}"


@pytest.mark.parametrize("fetched_whole_bytes", [0, 2**30])
def test_remote_files_are_read_in_joined_or_in_buffered_requests(tmp_path, monkeypatch, fetched_whole_bytes):
    monkeypatch.setattr(row_groups, "_FETCH_WHOLE_BYTES", fetched_whole_bytes)
    path = write(tmp_path / "a.parquet", {"a": range(100_000), "b": ["x"] * 100_000})
    table = inspect(ReadParquet(), [RemoteFile(str(path))])
    assert read_all(table).num_rows == 100_000
    assert read_all(table, first_rows=5).column("a").to_pylist() == list(range(100_000))


def test_footers_are_read_once_also_while_an_older_table_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(footers._TAILS, "_budget_bytes", 10_000)
    paths = [write(tmp_path / f"{number:02}.parquet", {"a": [number]}) for number in range(30)]
    older, newer = source(*paths), source(*paths)
    partitions = list(newer.partitions())
    LocalFile.opened.clear()
    assert newer.bounds(partitions[1], ["a"])["a"].min == 1
    assert LocalFile.opened == set()
    assert older.bounds(partitions[2], ["a"])["a"].min == 2


def test_a_source_crosses_processes(tmp_path):
    table = source(write(tmp_path / "a.parquet", {"a": [1, 2]}))
    list(read_all(table))
    assert read_all(pickle.loads(pickle.dumps(table))).equals(read_all(table))


def test_the_same_file_twice_gives_its_rows_twice(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1]})
    assert read_all(source(path, path)).column("a").to_pylist() == [1, 1]


def test_a_column_and_a_struct_field_of_one_path_are_told_apart(tmp_path):
    table = source(write(tmp_path / "a.parquet", {"a.b": [1], "a": [{"b": "x"}]}))
    assert read_all(table, columns=["a.b"]).to_pylist() == [{"a.b": 1}]
    assert read_all(table, columns=["a"]).to_pylist() == [{"a": {"b": "x"}}]


# ------------------------------------------------------------------ damage
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "0 bytes"),
        (b"PAR1", "4 bytes"),
        (b"a,b\n1,2\n3,4\n5,6\n", "magic bytes"),
        (b"PAR1" + bytes(30) + b"PAR1", "thrift"),
    ],
)
def test_what_is_no_parquet_file_is_named(tmp_path, data, text):
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(
        CorruptFileError, match=rf"a\.parquet: is not a Parquet file, or a damaged one.*{text}"
    ):
        source(tmp_path / "a.parquet")


def test_a_truncated_file_is_named(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(1000)})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorruptFileError, match=r"a\.parquet"):
        source(path)


def test_an_encrypted_footer_is_refused_by_name(tmp_path):
    (tmp_path / "a.parquet").write_bytes(bytes(30) + b"PARE")
    with pytest.raises(UnsupportedFeatureError, match=r"a\.parquet.*encrypted"):
        source(tmp_path / "a.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(UnsupportedFeatureError, match=r"a\.parquet: two columns are called 'a'"):
        source(write(tmp_path / "a.parquet", table))


def test_a_flipped_bit_is_found_by_the_page_checksum_and_its_column_named(tmp_path):
    columns = {"good": np.arange(5000), "bad": np.arange(5000)[::-1].copy()}
    path = write(
        tmp_path / "a.parquet",
        columns,
        row_group_size=2500,
        write_page_checksum=True,
        compression="none",
        use_dictionary=False,
    )
    chunk = pq.read_metadata(path).row_group(1).column(1)
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"a\.parquet: row group 1, column 'bad'.*[Cc][Rr][Cc]"):
        read_all(source(path))
    assert read_all(source(path), columns=["good"]).num_rows == 5000


def test_a_file_that_changes_after_it_was_opened_is_found(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": range(10)})
    table = pickle.loads(pickle.dumps(source(path)))
    object.__setattr__(table, "token", "another process")
    write(path, {"a": range(11)})
    with pytest.raises(CorruptFileError, match=r"a\.parquet.*written anew"):
        read_all(table)


def test_a_file_written_anew_is_read_anew(tmp_path):
    path = write(tmp_path / "a.parquet", {"a": [1]})
    read_all(source(path))
    write(path, {"a": [2]})
    assert read_all(source(path)).column("a").to_pylist() == [2]


class DirectoryFile(LocalFile):
    size = None

    def open(self):
        return pa.OSFile(self.path)


def test_a_storage_failure_is_not_called_damage(tmp_path):
    with pytest.raises(StorageError, match="cannot be read"):
        inspect(ReadParquet(), [DirectoryFile(str(tmp_path / "nothing"))])


# ------------------------------------------------------------------ properties
@settings(max_examples=30)
@given(
    st.lists(st.lists(st.integers(-5, 5) | st.none(), max_size=12), min_size=1, max_size=4), st.integers(1, 5)
)
def test_any_split_into_files_and_row_groups_gives_the_same_rows(tmp_path_factory, parts, group_rows):
    folder = tmp_path_factory.mktemp("split")
    paths = [
        write(folder / f"{i}.parquet", {"a": pa.array(part, pa.int64())}, row_group_size=group_rows)
        for i, part in enumerate(parts)
    ]
    assert read_all(source(*paths)).column("a").to_pylist() == [v for part in parts for v in part]
