"""Text is written as text, however it is kept: as views, as categories, in lists; a single column is no table."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd
import polars
import pyarrow as pa
import pytest

import mltable_lite as mltable
from mltable_lite.errors import ArgumentError, ArgumentTypeError

FORMATS = ["parquet", "delta", "csv", "json_lines"]


class Streamed:
    """A table of another library, as far as it is known here."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


VIEWS = pa.table(
    {
        "t": pa.array(["007", None, "", "ü\n"], pa.string_view()),
        "c": pa.DictionaryArray.from_arrays(
            pa.array([1, None, 0, 1], pa.uint32()), pa.array(["low", "high"], pa.string_view())
        ),
        "n": pa.array([1, 2, 3, 4]),
    }
)
NESTED = pa.table(
    {
        "list": pa.array([["a", None], None], pa.large_list(pa.string_view())),
        "struct": pa.array([{"s": "x", "l": ["y"]}, None]).cast(
            pa.struct([("s", pa.string_view()), ("l", pa.list_(pa.string_view()))])
        ),
        "categories": pa.ListArray.from_arrays([0, 1, 2], VIEWS["c"].chunk(0).slice(1, 2)),
    }
)


@pytest.mark.parametrize("kind", FORMATS)
def test_views_and_categories_are_written_as_the_text_that_they_are(kind, tmp_path):
    mltable.write(Streamed(VIEWS), tmp_path / "t", format=kind)
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert found.to_pylist() == VIEWS.to_pylist()
    kept = {"dictionary<values=string, indices=uint32, ordered=0>"} if kind == "parquet" else set()
    assert str(found.schema.field("t").type) in ("string", "large_string")
    assert str(found.schema.field("c").type) in (kept or {"string", "large_string"})
    chosen = mltable.load(tmp_path / "t").filter('c == "high" and t == "007"').to_arrow_table()
    assert chosen["n"].to_pylist() == [1]


@pytest.mark.parametrize("kind", ["parquet", "delta", "json_lines"])
def test_views_and_categories_in_lists_and_structs_are_written_as_well(kind, tmp_path):
    mltable.write(NESTED, tmp_path / "t", format=kind)
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert found.to_pylist() == NESTED.to_pylist()
    assert "view" not in str(found.schema)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("column", ["t", "c"])
def test_views_and_categories_make_folders(kind, column, tmp_path):
    mltable.write(VIEWS, tmp_path / "t", format=kind, partition_by=column)
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert sorted(found.to_pylist(), key=lambda row: row["n"]) == VIEWS.to_pylist()


@pytest.mark.parametrize("kind", ["parquet", "json_lines", "delta"])
def test_views_of_lists_are_written_as_lists_also_where_they_are_cut(kind, tmp_path):
    inner = pa.list_view(pa.int64())
    lists = pa.array([[[1]], [[2], [3, 4]], []], pa.list_view(inner))
    table = pa.table({"a": [1, 2, 3], "l": lists}).slice(1)
    written = mltable.write(table, tmp_path / "t", format=kind)
    assert mltable.load(written.uri).to_arrow_table().to_pylist() == table.to_pylist()


def test_views_of_bytes_are_written_where_bytes_are(tmp_path):
    table = pa.table({"b": pa.array([b"\xff", None], pa.binary_view())})
    for kind in ("parquet", "delta"):
        mltable.write(table, tmp_path / kind, format=kind)
        assert mltable.load(tmp_path / kind).to_arrow_table()["b"].to_pylist() == [b"\xff", None]
    for kind in ("csv", "json_lines"):
        with pytest.raises(ArgumentError, match="column 'b' is large_binary, which"):
            mltable.write(table, tmp_path / kind, format=kind)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_polars_frame_with_text_and_categories_is_taken_by_every_format(kind, tmp_path):
    frame = polars.DataFrame(
        {
            "t": ["a", None, "c"],
            "c": polars.Series(["u", "v", "u"], dtype=polars.Categorical),
            "e": polars.Series(["u", None, "v"], dtype=polars.Enum(["v", "u"])),
        }
    )
    frame = polars.concat([frame, frame.reverse()], rechunk=False)
    mltable.write(frame, tmp_path / "t", format=kind)
    assert mltable.load(tmp_path / "t").to_arrow_table().to_pylist() == frame.to_dicts()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_pandas_frame_with_categories_is_taken_by_every_format(kind, tmp_path):
    frame = pd.DataFrame({"c": pd.Categorical(["a", None, "b\nb"]), "i": pd.Categorical([2, 1, 2])})
    mltable.write(frame, tmp_path / "t", format=kind)
    found = mltable.load(tmp_path / "t").to_arrow_table()
    assert found.to_pydict() == {"c": ["a", None, "b\nb"], "i": [2, 1, 2]}
    if kind == "parquet":
        assert mltable.load(tmp_path / "t").to_pandas_dataframe()["c"].dtype == "category"


def test_a_frame_of_views_is_not_held_twice(tmp_path):
    code = f"""
import resource, pyarrow as pa, mltable_lite as mltable
texts = pa.array([f"{{i:0>100}}" for i in range(20_000)], pa.string_view())
table = pa.table({{"t": pa.concat_arrays([texts] * 200)}})  # one batch of 400 MB
mltable.write(table.slice(0, 10), "{tmp_path}/warm")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
mltable.write(table, "{tmp_path}/t")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300
    assert mltable.load(tmp_path / "t").count_rows() == 4_000_000


@pytest.mark.parametrize(
    "series", [pd.Series([1, 2], name="x"), polars.Series("x", ["a"]), pd.Index([1]), pa.array([1])]
)
def test_one_column_is_no_table(series, tmp_path):
    with pytest.raises(ArgumentTypeError, match="is not accepted; give a pandas DataFrame") as caught:
        mltable.write(series, tmp_path / "t")
    assert ("data.to_frame()" in str(caught.value)) == hasattr(series, "to_frame")
    assert not (tmp_path / "t").exists()
