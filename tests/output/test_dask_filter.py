"""A filter that dask hands over means what it means in pandas: on every dtype, around every null."""

import datetime as dt
import functools
import operator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mltable_lite as mltable
from mltable_lite.execute.evaluate import mask
from mltable_lite.execute.fields import field_of
from mltable_lite.expr import bind, conjoin
from mltable_lite.output.dask_expr import ReadMLTable
from mltable_lite.output.dask_filter import split_predicate

EDGE = 2**53
NAIVE = [
    dt.datetime(2024, 1, 1),
    None,
    dt.datetime(2024, 1, 1, 0, 0, 0, 1),
    dt.datetime(1900, 5, 5),
    None,
    dt.datetime(2024, 2, 1),
]
TABLE = pa.table(
    {
        "row": range(6),
        "int": [0, 1, -1, EDGE - 1, EDGE, -EDGE],
        "gaps": [0, None, 1, 2, None, -3],
        "wide": [EDGE + 1, None, -EDGE - 1, 2**62, 0, 1],
        "byte": pa.array([0, 127, -128, None, 1, 2], pa.int8()),
        "word": pa.array([0, 2**64 - 1, None, 1, 2, EDGE], pa.uint64()),
        "float": [0.0, -0.0, None, float("nan"), 2.5, float("inf")],
        "single": pa.array([0.1, None, 0.5, float("nan"), -1.5, 2.5], pa.float32()),
        "text": ["a", "", None, "b", "B", "ä"],
        "flag": [True, False, True, False, True, False],
        "maybe": [True, None, False, None, True, False],
        "at": pa.array(NAIVE, pa.timestamp("us")),
        "nanos": pa.array([0, 1, None, 1704067200000000001, 1704067200000000000, 5], pa.timestamp("ns")),
        "zoned": pa.array(NAIVE[:2] + NAIVE[3:] + [None], pa.timestamp("ms")).cast(
            pa.timestamp("ms", "Europe/Rome")
        ),
        "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 2), None, None, dt.date(1970, 1, 1)],
    }
)
ROME = dt.timezone(dt.timedelta(hours=1))
NUMBERS = [
    0,
    1,
    -1,
    2,
    -3,
    2.5,
    0.1,
    0.5,
    EDGE - 1,
    EDGE,
    EDGE + 1,
    -EDGE - 1,
    2**62,
    float("nan"),
    float("inf"),
    np.int64(1),
    np.float64(0.1),
    np.float32(0.1),
    np.uint8(1),
]
MOMENTS = [
    dt.datetime(2024, 1, 1),
    pd.Timestamp("2024-01-01T00:00:00.000001"),
    np.datetime64("2024-01-01"),
    pd.Timestamp(1704067200000000001),
    "2024-01-01",
    pd.NaT,
]
CONSTANTS = {
    **dict.fromkeys(["int", "gaps", "wide", "byte", "word", "float", "single"], NUMBERS),
    "text": ["a", "", "b", "aa", "ä", "Z"],
    "flag": [True, False, 1, 0],
    "maybe": [True, False],
    **dict.fromkeys(["at", "nanos"], MOMENTS),
    "zoned": [dt.datetime(2024, 1, 1, tzinfo=ROME), pd.Timestamp("2024-02-01", tz="UTC")],
    "day": [dt.date(2024, 1, 1)],
}
ALL = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
EQUAL = ALL[:2]


@functools.cache
def frames(folder, backend):
    """Return the table as dask and as pandas have it."""
    path = f"{folder}/t.parquet"
    pq.write_table(TABLE, path)
    made = mltable.from_parquet_files([{"file": path}])
    lazy = made.to_dask_dataframe(dtype_backend=backend)
    return lazy, lazy.compute(scheduler="sync")


@st.composite
def comparisons(draw):
    column = draw(st.sampled_from(list(CONSTANTS)))
    operators = EQUAL if column in ("maybe", "day", "flag") else ALL
    return (
        column,
        draw(st.sampled_from(operators)),
        draw(st.sampled_from(CONSTANTS[column])),
        draw(st.booleans()),
    )


TREES = st.recursive(
    comparisons(),
    lambda inner: st.tuples(st.sampled_from([operator.and_, operator.or_]), inner, inner),
    max_leaves=4,
)


def condition(frame, tree):
    if len(tree) == 3:
        join, left, right = tree
        return join(condition(frame, left), condition(frame, right))
    column, compare, constant, flipped = tree
    if flipped and not isinstance(
        constant, (np.generic, pd.Timestamp)
    ):  # those take the comparison to themselves
        swapped = {
            operator.lt: operator.gt,
            operator.gt: operator.lt,
            operator.le: operator.ge,
            operator.ge: operator.le,
        }
        return swapped.get(compare, compare)(constant, frame[column])
    return compare(frame[column], constant)


def check(folder, backend, tree):
    """Hold the rows that the translated filter keeps against those that pandas keeps."""
    lazy, whole = frames(folder, backend)
    try:
        expected = whole[condition(whole, tree)].row.tolist()
        predicate = condition(lazy, tree).expr
    except (TypeError, ValueError, OverflowError):
        return  # what pandas refuses has no meaning to keep
    taken, rest = split_predicate(predicate, lazy.expr)
    if rest is None:
        bound = bind(conjoin(taken), [field_of(field) for field in TABLE.schema])
        [batch] = TABLE.to_batches()
        assert batch.filter(mask(bound, batch))["row"].to_pylist() == expected


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("filters"))


@settings(max_examples=100)
@given(tree=TREES)
@pytest.mark.parametrize("backend", [None, "pyarrow", "numpy_nullable"])
def test_a_filter_keeps_the_rows_that_pandas_keeps(folder, backend, tree):
    check(folder, backend, tree)


@pytest.mark.parametrize("backend", [None, "pyarrow", "numpy_nullable"])
@pytest.mark.parametrize("column", CONSTANTS)
def test_every_comparison_of_a_column_keeps_the_rows_that_pandas_keeps(folder, backend, column):
    for constant in CONSTANTS[column]:
        for compare in EQUAL if column in ("maybe", "day", "flag") else ALL:
            check(folder, backend, (column, compare, constant, False))


@pytest.mark.parametrize(
    ("column", "constant"),
    [
        ("int", 1),
        ("gaps", 1),
        ("float", 2.5),
        ("single", 0.5),
        ("text", "a"),
        ("at", dt.datetime(2024, 1, 1)),
        ("flag", True),
    ],
)
def test_common_comparisons_are_handed_over(folder, column, constant):
    lazy, _ = frames(folder, None)
    for compare in EQUAL:
        chosen = lazy[compare(lazy[column], constant)].optimize(fuse=False).expr
        assert isinstance(chosen, ReadMLTable)
        assert chosen.operand("predicate") is not None


@pytest.mark.parametrize(
    ("column", "constant"),
    [("int", EDGE + 1), ("single", 0.1), ("float", float("nan")), ("maybe", True), ("at", "2024-01-01")],
)
def test_comparisons_that_may_differ_stay_with_dask(folder, column, constant):
    lazy, _ = frames(folder, None)
    chosen = lazy[lazy[column] == constant].optimize(fuse=False).expr
    assert not isinstance(chosen, ReadMLTable)
