"""Rows that are dropped are not decoded where that can be known: late columns, encoded texts, drawn row groups."""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.execute import scan, together
from mltable_lite.execute.query import Query, Settings
from mltable_lite.formats import footers, row_groups
from mltable_lite.plan import build

GROUPS, ROWS = 16, 1_000


@pytest.fixture(scope="module", autouse=True)
def _row_groups_are_long_enough():
    """Let those of this module pass for ones that are worth a second go."""
    least = scan.SMALL_ROWS
    scan.SMALL_ROWS = together.SMALL_ROWS = ROWS
    yield
    scan.SMALL_ROWS = together.SMALL_ROWS = least


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Numbers in no order, so that statistics rule nothing out, and texts that repeat and that do not."""
    numbers = np.random.default_rng(7).permutation(GROUPS * ROWS)
    folder = tmp_path_factory.mktemp("shuffled")
    data = pa.table(
        {
            "number": numbers,
            "word": pa.array([f"word {i % 7}" if i % 5 else None for i in numbers]),
            "name": pa.array([f"name {i}" for i in numbers]),
            "weight": numbers / 3,
        }
    )
    pq.write_table(data, folder / "a.parquet", row_group_size=ROWS)
    return mltable.from_parquet_files([{"folder": str(folder)}])


def run(table):
    query = Query(build(table._spec), Settings())
    return pa.Table.from_batches(list(query.batches()), query.schema), query.stats


def test_a_row_group_where_no_row_passes_is_read_only_in_the_columns_of_the_filter(table):
    everything, full = run(table)
    rows, stats = run(table.filter("number == 7001"))
    assert rows.to_pylist() == [row for row in everything.to_pylist() if row["number"] == 7_001]
    assert stats.rows_decoded == GROUPS * ROWS
    assert stats.bytes_read < full.bytes_read / 2


def test_a_short_row_group_is_read_at_once(table, monkeypatch):
    for module in (scan, together):
        monkeypatch.setattr(module, "SMALL_ROWS", ROWS + 1)
    _, full = run(table)
    assert run(table.filter("number == 7001"))[1].bytes_read == full.bytes_read


def test_columns_are_read_together_again_where_every_row_group_has_rows_that_pass(table):
    everything, full = run(table)
    rows, stats = run(table.filter("number % 2 == 0"))
    assert rows.equals(
        everything.filter(pa.array(np.asarray(everything["number"]) % 2 == 0)).combine_chunks()
    )
    assert stats.bytes_read == full.bytes_read


@settings(max_examples=30)
@pytest.mark.parametrize("two_goes", [0, 10**9])
@given(modulus=st.integers(1, 20_000), probability=st.sampled_from([None, 0.002, 0.5]), columns=st.booleans())
def test_rows_are_the_same_in_one_go_and_in_two(table, two_goes, modulus, probability, columns):
    asked = table if probability is None else table.take_random_sample(probability, seed=3)
    drawn, _ = run(asked)
    asked = asked.filter(f"number % {modulus} == 1 and word is not None")
    asked = asked.keep_columns(["name"]) if columns else asked
    before = scan._TRIALS
    scan._TRIALS = two_goes
    try:
        rows, _ = run(asked)
    finally:
        scan._TRIALS = before
    keep = (drawn["number"].to_numpy() % modulus == 1) & drawn["word"].is_valid().to_numpy()
    assert rows.equals(drawn.select(rows.column_names).filter(pa.array(keep)))


def test_batches_of_the_two_goes_need_not_end_at_the_same_rows(table, monkeypatch):
    expected, _ = run(table.filter("number % 1000 == 1"))
    sizes = iter([1000, 700] * 50)
    monkeypatch.setattr(row_groups.Decoder, "_batches", _resized(row_groups.Decoder._batches, sizes))
    assert run(table.filter("number % 1000 == 1"))[0].equals(expected)


def _resized(batches, sizes):
    def other_sizes(self, names, batch_rows, **options):
        return batches(self, names, next(sizes), **options)

    return other_sizes


def test_texts_that_repeat_come_out_plain_in_every_output(table):
    for asked in (table, table.filter("number > 100"), table.take_random_sample(0.1, seed=1)):
        rows, _ = run(asked)
        assert rows.schema.field("word").type == pa.string()
        assert (
            rows["word"].to_pylist() == asked.to_pandas_dataframe()["word"].replace({np.nan: None}).tolist()
        )


def test_footers_are_given_up_with_the_table_they_were_read_for(table):
    gc.collect()
    before = len(footers._CACHE)
    query = Query(build(table._spec), Settings())
    assert len(footers._CACHE) == before + 1
    del query
    gc.collect()
    assert len(footers._CACHE) == before
