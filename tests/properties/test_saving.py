"""A table that is saved and loaded is the same table, whatever it does; a save is there in full or not at all."""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killing import killed

import mltable_lite as mltable
from mltable_lite import DataType
from mltable_lite.errors import UserErrorException

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"

# --------------------------------------------------------------------------- round trips
names = st.sampled_from(["a", "b", "c", "d"])
kinds = st.sampled_from(
    [
        "int",
        "float",
        "string",
        "boolean",
        DataType.to_datetime("%Y-%m-%d"),
        DataType.to_datetime(["%d/%m/%Y", "%Y"], "2020-01-01"),
        DataType.to_bool(["x", "yes"], ["no", "1"], "false"),
    ]
)
conditions = st.sampled_from(
    [
        "a > 1",
        'b == "x"',
        "c is None",
        'd != "2020-01-02"',
        "a in [1, 2] or c > 0.5",
        "not (a == 2)",
        'col("b").startswith("y")',
    ]
)
strange = st.sampled_from(
    ["", "x", "no", "1", "1e3", "null", "é", "a: b", "- x", "#", "'", '"', "\n", "2020-01-01", " "]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | strange
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strange, inner, max_size=3),
    max_leaves=5,
)
steps = st.one_of(
    st.tuples(st.just("filter"), conditions),
    st.tuples(st.just("keep_columns"), st.lists(names, min_size=1, unique=True)),
    st.tuples(st.just("drop_columns"), names | st.lists(names, min_size=1, max_size=2, unique=True)),
    st.tuples(st.just("convert_column_types"), st.dictionaries(names, kinds, min_size=1, max_size=2)),
    st.tuples(st.just("take"), st.integers(1, 10)),
    st.tuples(st.just("skip"), st.integers(1, 3)),
    st.tuples(st.just("take_random_sample"), st.floats(0, 1), st.integers(0, 2**31)),
    st.tuples(st.just("select_partitions"), st.lists(st.integers(0, 1), min_size=1, max_size=2)),
    st.tuples(
        st.just("extract_columns_from_partition_format"), st.sampled_from(["/{x}.", "{y}/", "/p_{z}/{w}.csv"])
    ),
)
delimited = st.fixed_dictionaries(
    {},
    optional={
        "header": st.sampled_from(
            ["no_header", "from_first_file", "all_files_different_headers", "all_files_same_headers"]
        ),
        "delimiter": st.sampled_from([",", ";", "\t", "::"]),
        "encoding": st.sampled_from(["utf8", "ascii", "latin1"]),
        "support_multi_line": st.booleans(),
        "empty_as_string": st.booleans(),
        "include_path_column": st.booleans(),
        "infer_column_types": st.booleans()
        | st.fixed_dictionaries({}, optional={"sample_size": st.integers(1, 500)}),
    },
)
flags = st.fixed_dictionaries({}, optional={"include_path_column": st.booleans()})
invalid = st.fixed_dictionaries({}, optional={"invalid_lines": st.sampled_from(["error", "drop"])})
readers = st.one_of(
    st.tuples(st.just(mltable.from_delimited_files), st.just("csv"), delimited),
    st.tuples(st.just(mltable.from_parquet_files), st.just("parquet"), flags),
    st.tuples(st.just(mltable.from_json_lines_files), st.just("jsonl"), invalid),
    st.tuples(st.just(mltable.from_paths), st.just("csv"), st.just({})),
)
places = st.sampled_from(["{0}/p_1/data.{1}", "{0}/*/data.{1}", "{0}/p_1"])


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of two small files in each format."""
    folder = tmp_path_factory.mktemp("data set é")
    frame = pd.DataFrame(
        {
            "a": [1, 2, 3],
            "b": ["x", "", "yes"],
            "c": [0.5, None, 2.0],
            "d": ["2020-01-02", "01/02/2020", None],
        }
    )
    for number in (1, 2):
        place = folder / f"p_{number}"
        place.mkdir()
        frame.to_csv(place / "data.csv", index=False)
        pq.write_table(pa.Table.from_pandas(frame), place / "data.parquet")
        frame.to_json(place / "data.jsonl", orient="records", lines=True)
    return folder


@st.composite
def tables(draw, folder):
    """Return a table over the files, with steps that may or may not make sense for them."""
    make, kind, options = draw(readers)
    place = draw(places).format(folder, kind)
    entry = "pattern" if "*" in place or place.endswith("p_1") else "file"
    if place.endswith("p_1"):
        place = f"{place}/*.{kind}"
    table = make([{entry: place}], **options)
    for step, *arguments in draw(st.lists(steps, max_size=4)):
        try:
            table = getattr(table, step)(*arguments)
        except UserErrorException:
            continue
    for key, value in draw(st.dictionaries(strange.filter(bool), values, max_size=2)).items():
        table.metadata.add(key, value)
    if draw(st.booleans()):
        table.traits.index_columns = draw(st.lists(strange, max_size=2))
    return table


def outcome(table):
    """Return the frame as text, or the class of the error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            frame = table.to_pandas_dataframe()
        except UserErrorException as error:
            return type(error)
    return frame.dtypes.to_string(), frame.to_csv()


@settings(max_examples=10_000 if DEEP else 200)
@given(drawn=st.data())
def test_a_saved_table_is_the_same_table(data, drawn):
    table = drawn.draw(tables(data))
    with tempfile.TemporaryDirectory() as folder:
        table.save(folder)
        again = mltable.load(folder)
        assert again == table
        assert hash(again) == hash(table)
        assert outcome(again) == outcome(table)
        again.save(folder)
        assert mltable.load(folder) == table


@settings(max_examples=1_000 if DEEP else 40)
@given(drawn=st.data())
def test_a_table_saved_with_its_data_gives_the_same_rows(data, drawn):
    table = drawn.draw(tables(data))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "out"
        table.save(str(target), colocated=True)
        again = mltable.load(target)
        assert all(path["file"].startswith("./") for path in again.paths)
        saved, original = outcome(again), outcome(table)
        if "partition_format" in str(table):
            return  # it may not fit where the data are now
        if "include_path_column: true" in str(table) or "- read_" not in str(table):
            assert type(saved) is type(original)  # rows show the paths
        else:
            assert saved == original


# --------------------------------------------------------------------------- kill -9
SAVER = """
import sys
import mltable_lite as mltable
target, one, two, colocated = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "True"
tables = [mltable.from_delimited_files([{"pattern": path + "/*.csv"}]).take(9_999) for path in (one, two)]
tables[0].save(target + "/warm")
def again(number):
    tables[number % 2].save(target + "/out", colocated=colocated)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the test kills forked processes")
@pytest.mark.parametrize("colocated", [False, True])
def test_a_save_that_is_killed_leaves_the_old_table_or_the_new_one(tmp_path, colocated):
    folders = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        folders.append(str(folder))
        for number in range(3):
            (folder / f"{name}{number}.csv").write_text("v\n" + f"{name}\n" * 50)
    whole = [[name] * 150 for name in ("one", "two")]
    out = tmp_path / "out"
    seen = set()
    arguments = [str(tmp_path), *folders, str(colocated)]
    times = 1_000 if DEEP else 60
    for _ in killed(SAVER, *arguments, times=times, most_seconds=0.03, until=lambda: seen == {"one", "two"}):
        if (out / "MLTable").exists():
            rows = mltable.load(out).to_pandas_dataframe()["v"].tolist()
            assert rows in whole
            seen.add(rows[0])
    assert seen == {"one", "two"}
