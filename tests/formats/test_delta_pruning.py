import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake
from formats.delta_tables import LONG, add, commit, info, metadata, numbers, protocol, source
from formats.local_input import LocalFile, read_all

from mltable_lite.errors import SchemaMismatchError
from mltable_lite.expr import And, Column, Compare, IsNull, Literal


def where(column, op, value):
    return Compare(op, Column(column), Literal(value))


@pytest.fixture
def partitioned(tmp_path):
    write_deltalake(
        tmp_path / "t", pa.table({"a": range(30), "y": [2020, 2021, None] * 10}), partition_by=["y"]
    )
    return source(tmp_path / "t")


def values(table, column="a"):
    return sorted(read_all(table).column(column).to_pylist())


def test_files_are_pruned_by_partition_values_before_they_are_opened(partitioned):
    pruned = partitioned.prune(where("y", "==", 2021))
    LocalFile.opened.clear()
    assert values(pruned) == list(range(1, 30, 3))
    assert LocalFile.opened == {pruned.files[pruned.kept[0]].path}
    assert [f.position for f in pruned.files] == [0, 1, 2]
    assert len(partitioned.prune(IsNull(Column("y"))).kept) == 1
    assert partitioned.prune(where("y", ">", 2021)).kept == ()


def test_opening_a_table_opens_no_data_file(tmp_path):
    write_deltalake(tmp_path / "t", pa.table({"a": [1]}))
    LocalFile.opened.clear()
    source(tmp_path / "t", timestamp_as_of="2099-01-01T00:00:00Z")
    assert LocalFile.opened == set()


def test_values_that_do_not_fit_the_type_of_several_tables_are_an_error(tmp_path):
    write_deltalake(tmp_path / "t", pa.table({"a": [2**53 + 1]}))
    write_deltalake(tmp_path / "u", pa.table({"a": [0.5]}))
    with pytest.raises(
        SchemaMismatchError, match="column 'a'.*does not fit double.*9007199254740993"
    ) as caught:
        read_all(source(tmp_path / "t", tmp_path / "u"))
    assert caught.value.column == "a"


def test_a_table_made_anew_at_the_same_place_is_read_anew(tmp_path):
    for rows in ([1], [2, 3]):
        pq.write_table(pa.table({"a": rows}), tmp_path / "p.parquet")
        commit(tmp_path, 0, protocol(), metadata([{"name": "a", **LONG}]), add("p.parquet"))
        assert numbers(source(tmp_path)) == rows


def test_files_are_pruned_by_the_statistics_in_the_log(tmp_path):
    for start in (0, 100, 200):
        rows = {
            "a": range(start, start + 10),
            "t": pa.array([start * 1_000_500], pa.timestamp("us")).take([0] * 10),
        }
        write_deltalake(tmp_path / "t", pa.table(rows), mode="append")
    table = source(tmp_path / "t")
    assert table.prune(where("a", "<", 50)).kept == (0,)
    assert table.prune(And((where("a", ">", 5), where("a", "<", 150)))).kept == (0, 1)
    assert table.prune(where("a", "<", 50)).prune(where("a", ">", 50)).kept == ()
    assert 2 in table.prune(where("t", ">", dt.datetime(1970, 1, 1, 0, 3, 20, 99_999))).kept


def test_statistics_that_cut_timestamps_to_milliseconds_cost_no_row(tmp_path):
    table = tmp_path / "t"
    stamp = {"name": "t", "type": "timestamp", "nullable": True, "metadata": {}}
    bounds = {"t": "2020-01-01T00:00:00.000Z"}
    stats = {"numRecords": 1, "minValues": bounds, "maxValues": bounds, "nullCount": {"t": 0}}
    commit(table, 0, protocol(), metadata([stamp]), add("p.parquet", stats=json.dumps(stats)))
    moment = dt.datetime(2020, 1, 1, 0, 0, 0, 999, tzinfo=dt.UTC)
    pq.write_table(pa.table({"t": pa.array([moment], pa.timestamp("us", "UTC"))}), table / "p.parquet")
    assert source(table).prune(where("t", ">", dt.datetime(2020, 1, 1))).kept == (0,)
    assert source(table).prune(where("t", ">", dt.datetime(2020, 1, 2))).kept == ()


def test_row_groups_are_skipped_inside_a_file(tmp_path):
    table = tmp_path / "t"
    commit(table, 0, protocol(), metadata([{"name": "a", **LONG}]), add("p.parquet"))
    pq.write_table(pa.table({"a": range(30)}), table / "p.parquet", row_group_size=10)
    opened = source(table)
    kept = [p.number for p in opened.partitions() if not opened.can_skip(p, where("a", "==", 15))]
    assert kept == [1]
    assert opened.pushdown == "partition values, file and row-group statistics"


def test_ten_thousand_files_open_in_time(tmp_path):
    table = tmp_path / "t"
    files = [
        add(
            f"f{i}.parquet",
            stats=json.dumps(
                {"numRecords": 1, "minValues": {"a": i}, "maxValues": {"a": i}, "nullCount": {"a": 0}}
            ),
        )
        for i in range(10_000)
    ]
    commit(table, 0, info(1), protocol(), metadata([{"name": "a", **LONG}]), *files)
    began = dt.datetime.now(dt.UTC)
    opened = source(table)
    assert opened.prune(where("a", "==", 5)).kept is not None
    assert (dt.datetime.now(dt.UTC) - began).total_seconds() < 5
    assert len(opened.files) == 10_000
