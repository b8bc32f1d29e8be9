"""Frames in their users' hands: whatever pandas does with frames of its own, it does with these."""

import datetime as dt
import decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

import mltable_lite as mltable

COLUMNS = {
    "integer": pa.array([1, 2, 3]),
    "float": pa.array([1.5, 2, 3]),
    "boolean": pa.array([True, False, True]),
    "text": pa.array(["a", "b", "c"]),
    "category": pa.array(["a", "b", "a"]).dictionary_encode(),
    "moment": pa.array([dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 3)]),
    "zoned": pa.array([0, 1, 2], pa.timestamp("ms", "Europe/Rome")),
    "span": pa.array([dt.timedelta(1), dt.timedelta(2), dt.timedelta(3)]),
    "day": pa.array([dt.date(2020, 1, 1), dt.date(2020, 1, 2), dt.date(2020, 1, 3)]),
    "decimal": pa.array([decimal.Decimal("1.10"), decimal.Decimal("2.20"), decimal.Decimal("3.30")]),
    "bytes": pa.array([b"a", b"b", b"c"]),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("use") / "a.parquet"
    pq.write_table(pa.table(COLUMNS), path)
    return mltable.from_parquet_files([{"file": str(path)}])


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
@pytest.mark.parametrize("name", COLUMNS)
def test_values_are_set_in_place_and_no_other_frame_changes(made, name, backend):
    frame, other = (made.to_pandas_dataframe(dtype_backend=backend) for _ in range(2))
    last = frame[name].iloc[-1]
    frame.loc[0, name] = last
    frame.iloc[[1], frame.columns.get_loc(name)] = last
    assert frame[name].tolist() == [last, last, last]
    assert frame.dtypes[name] == other.dtypes[name]
    assert_frame_equal(other, made.to_pandas_dataframe(dtype_backend=backend))


@pytest.mark.parametrize("name", sorted(COLUMNS.keys() - {"boolean"}))  # which pandas refuses, here and there
def test_values_become_null_as_in_a_frame_of_pandas(made, name):
    frame = made.to_pandas_dataframe()
    own = pd.DataFrame({name: pd.Series(frame[name].tolist(), dtype=frame[name].dtype)})
    for each in (frame, own):
        each.loc[1, name] = None
    assert_frame_equal(frame[[name]], own)


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow"])
def test_a_frame_without_rows_can_be_turned(made, backend):
    frame = made.filter("integer > 9").to_pandas_dataframe(dtype_backend=backend)
    assert frame[["integer"]].T.shape == (1, 0)
    assert len(pd.concat([frame, made.to_pandas_dataframe(dtype_backend=backend)])) == 3
