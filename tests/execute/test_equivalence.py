"""The optimiser's contract: an optimised plan gives the same rows in the same order, with the same schema."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import UserErrorException
from mltable_lite.execute.query import Query, Settings
from mltable_lite.optimise import RULES, optimise
from mltable_lite.plan import build
from mltable_lite.spec import model
from mltable_lite.types import DataType

SCHEMA = pa.schema(
    [("i", pa.int64()), ("f", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("t", pa.timestamp("us"))]
)

rows = st.fixed_dictionaries(
    {
        "i": st.none() | st.integers(-3, 3),
        "f": st.none() | st.sampled_from([-1.5, 0.0, 0.5, 2.0, float("nan")]),
        "s": st.none() | st.sampled_from(["", "a", "ab", "x", "12"]),
        "b": st.none() | st.booleans(),
        "t": st.none() | st.sampled_from([dt.datetime(2020, 1, d) for d in (1, 2, 3)]),
    }
)
files = st.lists(st.lists(rows, max_size=12), min_size=1, max_size=4)

predicates = st.sampled_from(
    [
        'col("i") > 0',
        "i != 1",
        "not (i > 1)",
        "i is None",
        "f > 0.25",
        "not (f > 0.25)",
        "f == f",
        's == "a" or i < 0',
        's in ["a", "x"] and b',
        's.startswith("a")',
        "b or i == 2",
        "b is not None and not b",
        "t >= datetime(2020, 1, 2)",
        't == "2020-01-03"',
        "i != 0 and 6 / i > 2",
        "i + 1 > f",
        "coalesce(i, 2) == 2",
        "True",
        "1 > 2",
    ]
)
columns = st.lists(st.sampled_from(SCHEMA.names), min_size=1, max_size=4, unique=True)
targets = st.sampled_from([DataType.to_string(), DataType.to_float(), DataType.to_int(), DataType.to_bool()])
steps = st.lists(
    st.one_of(
        predicates.map(model.Filter),
        columns.map(lambda c: model.KeepColumns(model.Names(tuple(c)))),
        columns.map(lambda c: model.DropColumns(model.Names(tuple(c)))),
        st.builds(
            lambda c, t: model.ConvertColumnTypes((model.Conversion(model.Names(tuple(c)), t),)),
            columns,
            targets,
        ),
        st.integers(0, 15).map(model.Take),
        st.integers(0, 15).map(model.Skip),
        st.builds(model.TakeRandomSample, st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(0, 3)),
        st.builds(
            lambda a, s: model.Sample(lower=a, upper=1.0, seed=s),
            st.sampled_from([0.2, 0.5]),
            st.integers(0, 3),
        ),
        st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda i: model.SelectPartitions(tuple(i))),
    ),
    max_size=6,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


def write(folder, tables):
    for old in folder.glob("*.parquet"):
        old.unlink()
    for number, table in enumerate(tables):
        data = pa.Table.from_pylist(table, schema=SCHEMA)
        pq.write_table(data, folder / f"{number}.parquet", row_group_size=5)


def outcome(spec, rules):
    """Return the schema and rows, or the class of the error."""
    try:
        query = Query(build(spec), Settings(), optimised=False)
        query.use(optimise(query.plan, rules))
        table = pa.Table.from_batches(query.batches(), schema=query.schema)
    except UserErrorException as error:
        return type(error)
    return query.schema, [tuple(map(repr, row.values())) for row in table.to_pylist()]


@given(files, steps, st.sampled_from([*((rule,) for rule in RULES), RULES, tuple(reversed(RULES))]))
def test_an_optimised_plan_gives_the_same_rows_in_the_same_order(folder, tables, chain, rules):
    write(folder, tables)
    spec = model.TableSpec((model.PathSpec("folder", "."),), (model.ReadParquet(), *chain), base=str(folder))
    assert outcome(spec, rules) == outcome(spec, ())


@given(files, steps, st.lists(st.integers(2, 9), max_size=3))
def test_the_rows_do_not_depend_on_the_number_of_threads(folder, tables, chain, counts):
    write(folder, tables)
    spec = model.TableSpec((model.PathSpec("folder", "."),), (model.ReadParquet(), *chain), base=str(folder))
    results = []
    for threads in (1, *counts):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLTABLE_LITE_THREADS", str(threads))
            results.append(outcome(spec, RULES))
    assert all(result == results[0] for result in results)
