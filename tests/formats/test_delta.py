import datetime as dt
import decimal
import json
import pickle
import struct
import sys
import zlib
from subprocess import run

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from formats.delta_tables import DAY, FIRST, LONG, add, commit, info, metadata, numbers, protocol, source
from formats.local_input import read_all

import mltable_lite as mltable
from mltable_lite.errors import (
    ArgumentError,
    CorruptFileError,
    SaveError,
    SchemaMismatchError,
    SourceNotFoundError,
    UnsupportedFeatureError,
)
from mltable_lite.expr import Column, Compare, Literal


@pytest.fixture
def history(tmp_path):
    """A table of three versions, a day each: rows 1, 2; and 3; then only 9. Its data files look a year older."""
    table = tmp_path / "t"
    commit(table, 0, info(FIRST), protocol(), metadata([{"name": "a", **LONG}]), add("p0.parquet", 1))
    commit(table, 1, info(FIRST + DAY), add("p1.parquet", 2))
    gone = [{"remove": {"path": f"p{i}.parquet", "deletionTimestamp": 3, "dataChange": True}} for i in (0, 1)]
    commit(table, 2, info(FIRST + 2 * DAY), *gone, add("p2.parquet", 3))
    for number, rows in enumerate(([1, 2], [3], [9])):
        pq.write_table(pa.table({"a": rows}), table / f"p{number}.parquet")
    return table


# ------------------------------------------------------------------ places
@pytest.mark.parametrize(("name", "other"), [("a%20b", "a b"), ("a\\b", "a/b")])
def test_a_name_that_the_library_takes_for_another_is_refused(name, other, tmp_path):
    write_deltalake(tmp_path / other, pa.table({"x": [1]}))
    (tmp_path / name).mkdir()
    with pytest.raises(UnsupportedFeatureError, match="takes this name for .* rename the folder"):
        mltable.from_delta_lake(tmp_path / name).to_pandas_dataframe()
    with pytest.raises(UnsupportedFeatureError, match="rename the folder"):
        mltable.write(pa.table({"x": [1]}), tmp_path / name, format="delta")


def test_a_fork_of_a_process_that_has_read_a_table_is_told_to_spawn(tmp_path):
    write_deltalake(tmp_path, pa.table({"x": [1]}))
    script = f"""
import os, mltable_lite as mltable
from mltable_lite.errors import UnsupportedFeatureError
table = mltable.from_delta_lake({str(tmp_path)!r})
USE
if not (child := os.fork()):
    for work in (table.to_pandas_dataframe, lambda: mltable.write(table, {str(tmp_path / "w")!r}, format="delta")):
        try:
            work()
        except UnsupportedFeatureError as error:
            print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
"""
    ours, own = "table.count_rows()", f"import deltalake; deltalake.DeltaTable({str(tmp_path)!r})"
    for use in (ours, own):
        done = run(
            [sys.executable, "-W", "ignore", "-c", script.replace("USE", use)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.count("does not work in a process that was forked") == 2
        assert use == own or not done.stderr  # newer Pythons warn of forks beside threads: ignored above


def test_a_panic_of_the_library_is_an_error_of_ours(tmp_path):
    with pytest.raises(SaveError, match=r"\[x\] cannot be written: Invalid object store url"):
        mltable.write(pa.table({"x": [1]}), tmp_path / "[x]", format="delta")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ versions
def test_the_latest_version_is_read_by_default(history):
    assert numbers(source(history)) == [9]


def test_a_version_is_read_in_the_order_in_which_files_were_added(history):
    assert numbers(source(history, version_as_of=0)) == [1, 2]
    assert numbers(source(history, version_as_of=1)) == [1, 2, 3]


@pytest.mark.parametrize("version", [3, -1, 2**63 - 1, 2**64])
def test_a_version_that_does_not_exist_names_those_that_do(history, version):
    with pytest.raises(ArgumentError, match=rf"no version {version}; its log has versions 0 to 2"):
        source(history, version_as_of=version)


@pytest.mark.parametrize("version", [1, 3])
def test_a_version_beside_the_only_checkpoint_does_not_exist(history, version):
    DeltaTable(history).create_checkpoint()
    for number in range(3):
        (history / "_delta_log" / f"{number:020d}.json").unlink()
    assert numbers(source(history)) == [9]
    with pytest.raises(ArgumentError, match=rf"has no version {version}; the latest version is 2\.$"):
        source(history, version_as_of=version)


@pytest.mark.parametrize(
    ("moment", "rows"),
    [
        ("2020-01-01T00:00:00Z", [1, 2]),
        ("2020-01-02T01:00:00.5+02:00", [1, 2]),
        ("2020-01-02T12:00:00Z", [1, 2, 3]),
        ("2099-01-01T00:00:00Z", [9]),
    ],
)
def test_a_timestamp_is_held_against_the_times_of_the_commits(history, moment, rows):
    assert numbers(source(history, timestamp_as_of=moment)) == rows


def test_in_commit_timestamps_come_first(history):
    commit(
        history,
        3,
        {"commitInfo": {"timestamp": 5, "inCommitTimestamp": FIRST + 3 * DAY}},
        add("p0.parquet", 4),
    )
    assert numbers(source(history, timestamp_as_of="2020-01-03T12:00:00Z")) == [9]
    assert numbers(source(history, timestamp_as_of="2020-01-04T00:00:00Z")) == [9, 1, 2]


def test_a_timestamp_before_the_first_version_is_an_error(history):
    with pytest.raises(
        ArgumentError, match=r"before the first version .*version 0, committed 2020-01-01T00:00:00Z"
    ):
        source(history, timestamp_as_of="2019-12-31T23:59:59Z")


@pytest.mark.parametrize(
    "text", ["2020-01-02T12:00:00", "2020-01-02", "2020-01-02 12:00:00Z", "2020-13-02T12:00:00Z", "now"]
)
def test_a_timestamp_without_a_zone_or_of_another_form_is_an_error(history, text):
    with pytest.raises(ArgumentError, match=r"not an RFC 3339 time with a zone; write it as '2024"):
        source(history, timestamp_as_of=text)


def test_version_and_timestamp_together_are_an_error(history):
    with pytest.raises(ArgumentError, match="not both"):
        source(history, version_as_of=0, timestamp_as_of="2020-01-02T12:00:00Z")


def test_commits_that_do_not_tell_their_time_are_not_guessed_at(history):
    commit(history, 3, add("p0.parquet", 4))
    with pytest.raises(UnsupportedFeatureError, match="do not tell their time"):
        source(history, timestamp_as_of="2020-01-02T12:00:00Z")
    assert numbers(source(history)) == [9, 1, 2]


def test_a_version_stays_what_it_was_when_the_table_goes_on(history):
    table = source(history)
    commit(history, 3, info(FIRST + 3 * DAY), add("p0.parquet", 4))
    assert numbers(table) == [9]
    assert numbers(pickle.loads(pickle.dumps(table))) == [9]


# ------------------------------------------------------------------ schema
def test_partition_columns_are_typed_and_stand_where_the_schema_has_them(tmp_path):
    rows = {
        "p": ["x y", "é%/=", None],
        "a": [1, 2, 3],
        "d": [dt.date(2020, 1, 1)] * 3,
        "t": pa.array([dt.datetime(2020, 1, 1, 1, 2, 3)] * 3, pa.timestamp("us", "UTC")),
        "m": [decimal.Decimal("1.50")] * 3,
    }
    write_deltalake(tmp_path / "t", pa.table(rows), partition_by=["p", "d", "t", "m"])
    table = source(tmp_path / "t")
    assert table.schema == pa.table(rows).schema
    read = read_all(table).sort_by("a")
    assert read.to_pydict() == pa.table(rows).to_pydict()
    assert read_all(table, columns=["p"]).column("p").null_count == 1
    assert sorted(read_all(table, columns=["m", "a"]).column("a").to_pylist()) == [1, 2, 3]


def test_bytes_of_a_partition_are_those_that_were_written(tmp_path):
    rows = {"p": [b"\x00\xff", b"a", None], "a": [1, 2, 3]}
    write_deltalake(tmp_path / "t", pa.table(rows), partition_by=["p"])
    assert read_all(source(tmp_path / "t")).sort_by("a").to_pydict() == rows


def test_columns_added_later_are_null_in_older_files(tmp_path):
    write_deltalake(tmp_path / "t", pa.table({"a": [1]}))
    write_deltalake(tmp_path / "t", pa.table({"a": [2], "b": ["x"]}), mode="append", schema_mode="merge")
    assert read_all(source(tmp_path / "t")).to_pylist() == [{"a": 1, "b": None}, {"a": 2, "b": "x"}]


def test_a_table_without_data_files_has_its_columns(tmp_path):
    commit(tmp_path / "t", 0, protocol(), metadata([{"name": "a", **LONG}]))
    assert read_all(source(tmp_path / "t")).schema == pa.schema([("a", pa.int64())])


def test_files_with_narrower_types_are_read_as_the_log_says(tmp_path):
    table = tmp_path / "t"
    commit(table, 0, protocol("typeWidening"), metadata([{"name": "a", **LONG}]), add("p.parquet"))
    pq.write_table(pa.table({"a": pa.array([1, None], pa.int32())}), table / "p.parquet")
    assert read_all(source(table)).column("a").to_pylist() == [1, None]


def test_int96_timestamps_of_far_years_are_read_in_microseconds(tmp_path):
    table = tmp_path / "t"
    field = {"name": "t", "type": "timestamp", "nullable": True, "metadata": {}}
    commit(table, 0, protocol(), metadata([field]), add("p.parquet"))
    far = dt.datetime(9999, 12, 31, 1)
    pq.write_table(
        pa.table({"t": pa.array([far])}), table / "p.parquet", use_deprecated_int96_timestamps=True
    )
    assert read_all(source(table)).column("t").to_pylist() == [far.replace(tzinfo=dt.UTC)]


def test_several_tables_are_concatenated(tmp_path, history):
    write_deltalake(tmp_path / "u", pa.table({"a": pa.array([5], pa.int32()), "b": ["x"]}))
    table = source(history, tmp_path / "u")
    assert read_all(table).to_pylist() == [{"a": 9, "b": None}, {"a": 5, "b": "x"}]
    assert [f.position for f in table.files] == [0, 1]


def test_tables_whose_types_do_not_join_are_an_error(tmp_path, history):
    write_deltalake(tmp_path / "u", pa.table({"a": ["x"]}))
    with pytest.raises(SchemaMismatchError, match=r"u: column 'a' is string here but int64 in .*t;"):
        source(history, tmp_path / "u")


def mapped(name, identity, kind, physical):
    keys = {"delta.columnMapping.id": identity, "delta.columnMapping.physicalName": physical}
    return {"name": name, "type": kind, "nullable": True, "metadata": keys}


MAPPED = [
    mapped("nice", 1, {"type": "struct", "fields": [mapped("in", 3, "long", "c3")]}, "c1"),
    mapped("part", 2, "integer", "c2"),
    mapped(
        "many",
        4,
        {
            "type": "array",
            "containsNull": True,
            "elementType": {"type": "struct", "fields": [mapped("z", 5, "string", "c5")]},
        },
        "c4",
    ),
    mapped("c6", 7, "long", "c7"),
    mapped("c7", 6, "long", "c6"),
]


def field_with_id(name, kind, identity):
    return pa.field(name, kind, metadata={"PARQUET:field_id": str(identity)})


@pytest.mark.parametrize("mode", ["name", "id"])
def test_mapped_columns_come_under_their_own_names_on_every_level(tmp_path, mode):
    table = tmp_path / "t"
    stats = {
        "numRecords": 1,
        "minValues": {"c6": 1, "c7": 100},
        "maxValues": {"c6": 1, "c7": 100},
        "nullCount": {},
    }
    commit(
        table,
        0,
        {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
        metadata(MAPPED, ["part"], delta_columnMapping_mode=mode),
        add("p%201.parquet", partition={"c2": "7"}, stats=json.dumps(stats)),
    )
    names = {1: "c1", 3: "c3", 4: "c4", 5: "c5", 6: "c6", 7: "c7"}
    if mode == "id":  # then names in files mean nothing
        names = {identity: f"any{identity}" for identity in names}
    schema = pa.schema(
        [
            field_with_id(names[6], pa.int64(), 6),
            field_with_id(names[1], pa.struct([field_with_id(names[3], pa.int64(), 3)]), 1),
            field_with_id(names[4], pa.list_(pa.struct([field_with_id(names[5], pa.string(), 5)])), 4),
            field_with_id(names[7], pa.int64(), 7),
        ]
    )
    row = {names[6]: 1, names[1]: {names[3]: 5}, names[4]: [{names[5]: "x"}, None], names[7]: 100}
    pq.write_table(pa.Table.from_pylist([row], schema=schema), table / "p 1.parquet")
    opened = source(table)
    assert read_all(opened).to_pylist() == [
        {"nice": {"in": 5}, "part": 7, "many": [{"z": "x"}, None], "c6": 100, "c7": 1}
    ]
    (partition,) = opened.partitions()
    for column, value in (("c6", 100), ("c7", 1), ("part", 7)):
        assert not opened.can_skip(partition, Compare("==", Column(column), Literal(value)))
        assert opened.can_skip(partition, Compare("==", Column(column), Literal(50)))
        assert list(opened.prune(Compare("==", Column(column), Literal(value))).partitions()) == [partition]


# ------------------------------------------------------------------ deletion vectors
INLINE = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000005c8Xg0rr91",
    "sizeInBytes": 34,
    "cardinality": 1,
}


def with_deletion_vector(table, rows=3, group_rows=None, **more):
    configuration = {"delta_enableDeletionVectors": "true"}
    commit(
        table,
        0,
        protocol("deletionVectors"),
        metadata([{"name": "a", **LONG}], **configuration),
        add("p%200.parquet", deletionVector=INLINE, **more),
        add("q.parquet", FIRST + 1, stats=json.dumps({"numRecords": 1})),
    )
    pq.write_table(pa.table({"a": range(1, rows + 1)}), table / "p 0.parquet", row_group_size=group_rows)
    pq.write_table(pa.table({"a": [100]}), table / "q.parquet")
    return table


@pytest.mark.parametrize("group_rows", [1, 2, 3])
def test_deleted_rows_are_left_out_and_not_counted(tmp_path, group_rows):
    table = source(with_deletion_vector(tmp_path / "t", 3, group_rows, stats=json.dumps({"numRecords": 3})))
    assert numbers(table) == [1, 3, 100]
    assert sum(p.rows for p in table.partitions()) == 3
    assert numbers(pickle.loads(pickle.dumps(table))) == [1, 3, 100]


def test_a_deletion_vector_that_cannot_be_read_is_refused_before_reading(tmp_path):
    with pytest.raises(UnsupportedFeatureError, match="deletion vector that cannot be read.*numRecords"):
        source(with_deletion_vector(tmp_path / "t"))


def deletion_vector_file(path, rows):
    """Write a file with one deletion vector of these rows, as the Delta protocol lays it out; return its length."""
    array = struct.pack("<IIHHI", 12346, 1, 0, len(rows) - 1, 16) + struct.pack(f"<{len(rows)}H", *rows)
    bitmap = struct.pack("<IQI", 1681511377, 1, 0) + array
    path.write_bytes(
        b"\x01" + struct.pack(">I", len(bitmap)) + bitmap + struct.pack(">I", zlib.crc32(bitmap))
    )
    return len(bitmap)


def test_deletion_vectors_in_files_are_honoured(tmp_path):
    table = tmp_path / "a b"
    table.mkdir()
    deleted = [0, 1, 5, 19]
    size = deletion_vector_file(table / "dv.bin", deleted)
    vector = {
        "storageType": "p",
        "pathOrInlineDv": (table / "dv.bin").as_uri(),
        "offset": 1,
        "sizeInBytes": size,
    }
    file = add(
        "x/p.parquet", stats=json.dumps({"numRecords": 20}), deletionVector={**vector, "cardinality": 4}
    )
    (table / "x").mkdir()
    pq.write_table(pa.table({"a": range(20)}), table / "x" / "p.parquet", row_group_size=6)
    commit(table, 0, protocol("deletionVectors"), metadata([{"name": "a", **LONG}]), file)
    assert numbers(source(table)) == [i for i in range(20) if i not in deleted]
    assert [p.rows for p in source(table).partitions()] == [3, 6, 6, 1]


def test_deletes_that_copy_leave_the_other_rows(tmp_path):
    table = tmp_path / "t"
    write_deltalake(table, pa.table({"a": range(10)}), configuration={"delta.enableDeletionVectors": "true"})
    DeltaTable(table).delete("a % 3 = 0")
    assert numbers(source(table)) == [1, 2, 4, 5, 7, 8]


# ------------------------------------------------------------------ refusals and damage
@pytest.mark.parametrize(("feature", "kind"), [("variantType", "variant"), ("noSuchThing", "long")])
def test_features_that_would_be_read_wrongly_are_refused_by_name(tmp_path, feature, kind):
    commit(tmp_path / "t", 0, protocol(feature), metadata([{"name": "a", **LONG, "type": kind}]))
    with pytest.raises(UnsupportedFeatureError, match=rf"t: the Delta table needs .*{feature}"):
        source(tmp_path / "t")


def test_a_newer_protocol_is_refused(tmp_path):
    commit(
        tmp_path / "t",
        0,
        {"protocol": {"minReaderVersion": 9, "minWriterVersion": 9}},
        metadata([{"name": "a", **LONG}]),
    )
    with pytest.raises(UnsupportedFeatureError, match="minimum reader version 9"):
        source(tmp_path / "t")


def test_a_folder_without_a_log_is_no_delta_table(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(
        SourceNotFoundError, match=r"not a Delta table.*requested stream was not found.*read_parquet"
    ):
        source(tmp_path)


def test_a_file_instead_of_the_folder_is_an_error_that_says_folder(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    with pytest.raises(
        SourceNotFoundError, match=r"a\.parquet: not a Delta table.*'folder:' in paths, not 'file:'"
    ):
        source(tmp_path / "a.parquet")


def test_a_damaged_log_is_named(tmp_path):
    commit(tmp_path / "t", 0, protocol(), metadata([]))
    (tmp_path / "t" / "_delta_log" / f"{0:020d}.json").write_text("{nonsense")
    with pytest.raises(CorruptFileError, match="t: the Delta log cannot be read"):
        source(tmp_path / "t")


def test_a_commit_that_breaks_off_is_told_without_the_stack_of_the_library(history):
    last = history / "_delta_log" / f"{2:020d}.json"
    last.write_bytes(last.read_bytes()[:40])
    with pytest.raises(CorruptFileError, match=r"t: the Delta log cannot be read: [^<]*number\.$"):
        source(history)


def test_missing_commits_are_named_by_their_neighbours(history):
    (history / "_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(CorruptFileError, match=r"commits between version 0 and version 2 are missing\.$"):
        source(history)
    assert numbers(source(history, version_as_of=0)) == [1, 2]


def test_a_vacuumed_file_is_named_with_its_version(history):
    (history / "p0.parquet").unlink()
    assert numbers(source(history)) == [9]
    with pytest.raises(
        SourceNotFoundError, match=r"p0\.parquet.*data file of version 1 of the Delta table .*vacuum"
    ):
        numbers(source(history, version_as_of=1))


def test_data_files_outside_the_folder_are_refused(tmp_path):
    commit(
        tmp_path / "t", 0, protocol(), metadata([{"name": "a", **LONG}]), add("file:///elsewhere/p.parquet")
    )
    with pytest.raises(UnsupportedFeatureError, match="shallow clones"):
        source(tmp_path / "t")
