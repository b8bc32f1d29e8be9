"""`x is null` asks what `x is None` asks, unless a column is called null."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite.expr import bind, parse
from mltable_lite.types import Field, Kind

X = Field("x", Kind.INTEGER)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("x is null", "x is None"),
        ("x is not null", "x is not None"),
        ("null is null", "None is None"),
        ("not x is null or x is not null", "not x is None or x is not None"),
    ],
)
def test_null_after_is_means_none(text, meant):
    assert bind(parse(text), [X]) == bind(parse(meant), [X])


@pytest.mark.parametrize("text", ["x is NULL", "x IS NULL", "x is Null"])
def test_other_spellings_are_refused_with_the_right_one(text):
    with pytest.raises(mltable.UserErrorException, match="only None stands after is|Write: x is None"):
        parse(text)


def test_a_column_called_null_keeps_its_meaning(tmp_path):
    table = pa.table({"x": [1, 2, None, None], "null": [1, 3, 4, None]})
    pq.write_table(table, tmp_path / "a.parquet")
    read = mltable.from_parquet_files([{"file": str(tmp_path / "a.parquet")}])

    def rows(text):
        return read.filter(text).to_arrow_table().to_pydict()["null"]

    assert rows("x is null") == rows("x == null") == [1]
    assert rows("x is not null") == rows("x != null") == [3]
    assert rows("x is None") == [4, None]
    assert rows("null is None") == [None]
