"""Pushdown is proved by what was listed, opened, skipped and decoded."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite.errors import TypeWidenedWarning
from mltable_lite.execute.query import Query, Settings
from mltable_lite.plan import build

FILES, GROUPS, ROWS = 6, 4, 1000


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parquet")
    for file in range(FILES):
        start = file * GROUPS * ROWS
        ids = np.arange(start, start + GROUPS * ROWS)
        table = pa.table({"id": ids, "x": ids * 0.5, "s": [f"name {i}" for i in ids], "day": ids // ROWS})
        (folder / f"d={file}").mkdir()
        pq.write_table(table, folder / f"d={file}" / "part.parquet", row_group_size=ROWS)
    return mltable.from_parquet_files([{"folder": str(folder)}])


@pytest.fixture(scope="module")
def csv(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    for file in range(3):
        lines = "".join(f"{i},{i * 2},text {i}\n" for i in range(20_000))
        (folder / f"{file}.csv").write_text("a,b,c\n" + lines)
    return folder


def run(table):
    query = Query(build(table._spec), Settings())
    rows = sum(batch.num_rows for batch in query.batches())
    return rows, query.stats


def test_take_opens_one_file_and_reads_one_row_group(parquet):
    rows, stats = run(parquet.take(20))
    assert (rows, stats.files_listed, stats.files_opened, stats.partitions_read) == (20, FILES, 1, 1)


def test_take_behind_skip_reads_only_up_to_there(parquet):
    rows, stats = run(parquet.skip(ROWS).take(5))
    assert rows == 5
    assert stats.files_opened == 1
    assert stats.partitions_read <= 3


def test_row_groups_are_pruned_by_statistics(parquet):
    rows, stats = run(parquet.filter("id >= 2500 and id < 2600"))
    assert rows == 100
    assert (stats.files_opened, stats.partitions_read) == (1, 1)
    assert stats.partitions_skipped == FILES * GROUPS - 1


def test_only_needed_columns_are_decoded(parquet):
    _, everything = run(parquet)
    rows, stats = run(parquet.filter("day == 1").keep_columns("x"))
    assert rows == ROWS
    assert stats.columns_read == ("x", "day")
    assert stats.bytes_read * 10 < everything.bytes_read


def test_a_filter_on_a_partition_column_opens_only_its_files(parquet):
    table = parquet.extract_columns_from_partition_format("/d={d}/part.parquet").filter('d == "3"')
    rows, stats = run(table)
    assert rows == GROUPS * ROWS
    assert stats.files_opened == 1


def test_a_filter_that_is_never_true_reads_nothing(parquet):
    rows, stats = run(parquet.filter("1 > 2"))
    assert (rows, stats.partitions_read) == (0, 0)


def test_selected_partitions_are_the_only_ones_read(parquet):
    rows, stats = run(parquet.select_partitions([1, 7]))
    assert (rows, stats.partitions_read, stats.files_opened) == (2 * ROWS, 2, 2)


def test_a_tiny_sample_skips_row_groups_without_a_hit(parquet):
    table = parquet.take_random_sample(0.0002, seed=3)
    rows, stats = run(table)
    assert stats.partitions_read <= max(rows, 1)
    assert stats.partitions_skipped >= FILES * GROUPS - rows


def test_take_on_text_reads_one_block(csv):
    table = mltable.from_delimited_files([{"folder": str(csv)}]).take(20)
    rows, stats = run(table)
    assert (rows, stats.files_opened, stats.partitions_read) == (20, 1, 1)
    assert stats.rows_decoded < 20_000


def test_take_before_the_read_step_takes_files(csv):
    (csv / "MLTable").write_text(
        "paths: [{pattern: '*.csv'}]\ntransformations: [{take: 1}, read_delimited]\n"
    )
    rows, stats = run(mltable.load(csv))
    assert (rows, stats.files_listed) == (20_000, 1)


def test_explain_shows_the_plans_and_what_a_run_did(parquet):
    text = str(parquet.filter("id < 10").keep_columns("x").explain(analyze=True))
    for part in (
        "Logical plan",
        "Optimised plan",
        "row-group statistics",
        "23 of 24 partitions",
        "1 opened",
        "10 rows in",
    ):
        assert part in text


def test_counting_reads_one_narrow_column(parquet):
    query = Query(build(parquet.filter('s != "x"')._spec), Settings())
    assert query.count_rows() == FILES * GROUPS * ROWS
    assert query.stats.columns_read == ("id", "s")


def test_explain_of_a_table_whose_column_widens_tells_what_the_read_did(tmp_path):
    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 300 + "word\n")
    table = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}])
    with pytest.warns(TypeWidenedWarning, match="line 302"):
        text = str(table.explain(analyze=True))
    assert "result      301 rows" in text
