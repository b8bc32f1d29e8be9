import datetime as dt
import decimal
import math
import operator

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from formats.local_input import files
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.expr import Column, Compare, IsNull, Literal, Not
from mltable_lite.formats.parquet import inspect
from mltable_lite.spec.model import ReadParquet

OPERATORS = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def kept(table, predicate):
    """Return the (file, row group) pairs that are not skipped."""
    return [(p.file, p.number) for p in table.partitions() if not table.can_skip(p, predicate)]


def opened(tmp_path, *tables, **options):
    paths = []
    for number, columns in enumerate(tables):
        paths.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table(columns), paths[-1], **options)
    return inspect(ReadParquet(), files(*paths))


def where(column, op, value):
    return Compare(op, Column(column), Literal(value))


def test_row_groups_are_skipped_by_their_bounds(tmp_path):
    table = opened(tmp_path, {"a": range(30)}, {"a": range(100, 110)}, row_group_size=10)
    assert kept(table, where("a", "==", 15)) == [(0, 1)]
    assert kept(table, where("a", ">=", 20)) == [(0, 2), (1, 0)]
    assert kept(table, where("a", "<", 0)) == []
    assert table.pushdown == "row-group statistics"


def test_null_counts_and_columns_that_a_file_lacks_decide_questions_for_null(tmp_path):
    table = opened(tmp_path, {"a": [1, None], "b": [1, 2]}, {"b": [3]})
    assert kept(table, IsNull(Column("a"))) == [(0, 0), (1, 0)]
    assert kept(table, Not(IsNull(Column("a")))) == [(0, 0)]
    assert kept(table, IsNull(Column("b"))) == []
    assert kept(table, where("a", "==", 1)) == [(0, 0)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Paris"])
def test_timestamps_are_held_against_instants_in_utc(tmp_path, unit, zone):
    moment = dt.datetime(2020, 6, 1, 12, tzinfo=dt.UTC if zone else None)
    table = opened(tmp_path, {"t": pa.array([moment], pa.timestamp(unit, zone))})
    naive = moment.replace(tzinfo=None)
    assert kept(table, where("t", "==", naive)) == [(0, 0)]
    assert kept(table, where("t", ">", naive)) == []
    assert kept(table, where("t", ">=", naive)) == [(0, 0)]


def test_nanosecond_bounds_are_rounded_outwards(tmp_path):
    table = opened(tmp_path, {"t": pa.array([1001], pa.timestamp("ns"))})
    moment = dt.datetime(1970, 1, 1, 0, 0, 0, 1)
    assert kept(table, where("t", ">", moment)) == [(0, 0)]
    assert kept(table, where("t", "<", moment)) == []


def test_dates_joined_with_timestamps_are_held_as_timestamps(tmp_path):
    table = opened(
        tmp_path,
        {"t": pa.array([dt.date(2020, 1, 1)])},
        {"t": pa.array([dt.datetime(2021, 1, 1, 5)], pa.timestamp("us"))},
    )
    assert kept(table, where("t", "<=", dt.datetime(2020, 1, 1))) == [(0, 0)]
    assert kept(table, where("t", ">", dt.datetime(2020, 1, 1))) == [(1, 0)]


def test_int96_and_columns_without_statistics_are_never_skipped(tmp_path):
    moment = dt.datetime(2020, 1, 1)
    old = opened(
        tmp_path, {"t": pa.array([moment], pa.timestamp("ns"))}, use_deprecated_int96_timestamps=True
    )
    assert kept(old, where("t", "<", dt.datetime(2000, 1, 1))) == [(0, 0)]
    plain = opened(tmp_path, {"a": [1]}, write_statistics=False)
    assert kept(plain, where("a", "==", 7)) == [(0, 0)]


@pytest.mark.parametrize("names", [("a.b", "a"), ("a", "a.b")])
def test_of_a_path_that_two_columns_share_only_the_column_s_own_is_used(tmp_path, names):
    columns = {"a.b": [1], "a": [{"b": 7}]}
    table = opened(tmp_path, {name: columns[name] for name in names})
    assert kept(table, where("a.b", "==", 1)) == [(0, 0)]
    assert kept(table, where("a.b", "==", 7)) == []


def test_a_struct_s_path_is_no_column_s(tmp_path):
    table = opened(tmp_path, {"a": [{"b": None}], "a.b": [[{"c": 1}]]})
    assert kept(table, Not(IsNull(Column("a.b")))) == [(0, 0)]


floats = st.floats(allow_nan=True, width=32)
KINDS = [
    (pa.int8(), st.integers(-128, 127)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.float64(), floats),
    (pa.float32(), floats),
    (pa.string(), st.text(max_size=3)),
    (pa.dictionary(pa.int32(), pa.string()), st.text(max_size=3)),
    (pa.bool_(), st.booleans()),
    (pa.timestamp("us"), st.datetimes()),
    (
        pa.timestamp("ms", "Asia/Tokyo"),
        st.datetimes().map(lambda d: d.replace(microsecond=d.microsecond // 1000 * 1000)),
    ),
    (pa.decimal128(9, 2), st.integers(-(10**9) + 1, 10**9 - 1).map(lambda n: decimal.Decimal(n) / 100)),
]


@pytest.mark.parametrize(
    ("arrow_type", "values"), KINDS, ids=lambda x: str(x) if isinstance(x, pa.DataType) else ""
)
@settings(max_examples=30)
@given(data=st.data())
def test_no_row_that_passes_is_ever_skipped(tmp_path_factory, arrow_type, values, data):
    column = data.draw(st.lists(values | st.none(), min_size=1, max_size=12))
    probe = data.draw(values | st.sampled_from([v for v in column if v is not None] or [None]))
    op = data.draw(st.sampled_from(list(OPERATORS)))
    if probe is None or (isinstance(probe, float) and math.isnan(probe)):
        return
    stored = pa.array(column, arrow_type)
    table = opened(tmp_path_factory.mktemp("p"), {"a": stored}, row_group_size=3)
    groups = kept(table, where("a", op, probe))
    for number, start in enumerate(range(0, len(column), 3)):
        passes = any(v is not None and OPERATORS[op](v, probe) for v in column[start : start + 3])
        assert not passes or (0, number) in groups
