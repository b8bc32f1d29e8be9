"""dask DataFrames on a cluster: two worker processes, tasks and errors that cross between them."""

import distributed
import pytest
from pandas.testing import assert_frame_equal
from test_matrix import STEPS, table, write

import mltable_lite as mltable
from mltable_lite.errors import ConversionWarning, SchemaMismatchError


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl", "delta"])
def test_rows_order_and_dtypes_are_those_of_pandas_on_a_cluster(client, kind, tmp_path):
    write(kind, tmp_path)
    made = table(kind, str(tmp_path))
    for step in STEPS.values():
        chained = step(made)
        expected = chained.to_pandas_dataframe()
        frame = chained.to_dask_dataframe(partition_bytes=500)
        assert_frame_equal(frame.compute().reset_index(drop=True), expected)
        name = expected.columns[0]
        kept = expected[expected[name] > expected[name].min()] if len(expected) else expected
        if len(kept):
            found = frame[frame[name] > expected[name].min()].compute()
            assert_frame_equal(found.reset_index(drop=True), kept.reset_index(drop=True))


def test_both_workers_take_part(client, tmp_path):
    write("csv", tmp_path)
    frame = table("csv", str(tmp_path)).to_dask_dataframe(partition_bytes=1).persist()
    distributed.wait(frame)
    assert sum(len(keys) for keys in client.has_what().values()) == 3
    assert frame.id.sum().compute() == sum(range(60))


def test_an_error_keeps_its_class_and_text_between_processes(client, tmp_path):
    (tmp_path / "a.csv").write_text("x\n" + "1\n" * 300 + "oops\n")
    frame = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}]).to_dask_dataframe()
    with pytest.raises(SchemaMismatchError, match=r"a\.csv:302 column 'x': 'oops'"):
        frame.compute()


def test_a_warning_of_a_worker_reaches_the_client(client, tmp_path):
    (tmp_path / "a.csv").write_text("x\na\n")
    made = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}])
    frame = made.convert_column_types({"x": "int"}).to_dask_dataframe(dtype_backend="pyarrow")
    with pytest.warns(ConversionWarning, match="column 'x'"):
        frame.compute()
