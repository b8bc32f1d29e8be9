"""Errors that only the data's columns show name the MLTable file and the line of their step."""

from __future__ import annotations

import warnings

import pytest

import mltable_lite as mltable
from mltable_lite import errors


@pytest.fixture
def load(tmp_path, monkeypatch):
    (tmp_path / "t").mkdir()
    (tmp_path / "t/a.csv").write_text("id,name\n1,a\n2,b\n")
    monkeypatch.chdir(tmp_path)

    def write_and_load(step):
        text = (
            f"paths:\n- file: ./a.csv\ntransformations:\n- read_delimited\n- skip: 0\n- {step}\n- take: 1\n"
        )
        (tmp_path / "t/MLTable").write_text(text)
        return mltable.load("t")

    return write_and_load


STEPS = {
    "keep_columns: [nam]": (
        errors.ColumnNotFoundError,
        "keep_columns: no column 'nam'; the table has: id, name.",
    ),
    "drop_columns: [id, name]": (errors.NoColumnsError, "drop_columns: no column is left"),
    "convert_column_types: [{columns: nam, column_type: int}]": (
        errors.ColumnNotFoundError,
        "convert_column_types: no column 'nam'",
    ),
    "filter: nam > 3": (errors.ColumnNotFoundError, "filter: no column 'nam'"),
    "filter: id > 'x'": (errors.FilterTypeError, "filter: 'id > \"x\"' compares integer id with string"),
    "extract_columns_from_partition_format: '{id}.csv'": (
        errors.ArgumentError,
        "extract_columns_from_partition_format: the table already has a column 'id'",
    ),
    "extract_columns_from_partition_format: 'dat/{x}.csv'": (
        errors.ArgumentError,
        "extract_columns_from_partition_format: ",
    ),
}


@pytest.mark.parametrize("step", STEPS)
def test_the_error_begins_with_the_file_and_the_line_of_its_step(load, step):
    kind, text = STEPS[step]
    table = load(step)
    for read in (
        table.to_pandas_dataframe, lambda: table.schema, table.validate, table.explain,
        lambda: table.filter("id > 0").show(),
    ):  # fmt: skip
        with pytest.raises(kind) as caught:
            read()
        assert type(caught.value) is kind
        assert str(caught.value).startswith(f"t/MLTable:6 {text}")


def test_the_attributes_of_the_error_stay(load):
    with pytest.raises(errors.ColumnNotFoundError) as caught:
        load("keep_columns: [nam]").to_arrow_table()
    assert caught.value.missing == ("nam",)


def test_a_column_to_drop_that_is_not_there_is_warned_of_with_its_line(load):
    with pytest.warns(
        errors.MissingColumnWarning, match=r"'nam': 1 column to drop is not there at t/MLTable:6\. drop"
    ):
        load("drop_columns: nam").to_pandas_dataframe()


def test_a_step_that_is_put_first_moves_no_line(load):
    table = load("keep_columns: [nam]").extract_columns_from_partition_format("/{x}.csv")
    with pytest.raises(errors.ColumnNotFoundError, match="^t/MLTable:6 keep_columns"):
        table.to_pandas_dataframe()


def test_a_step_that_no_file_has_names_no_line(load):
    with pytest.raises(errors.ColumnNotFoundError, match="^keep_columns: no column"):
        load("take: 1").keep_columns("nam").to_pandas_dataframe()


def test_the_place_is_no_part_of_a_plan():
    from mltable_lite.plan import build
    from mltable_lite.spec import parse_text

    one, other = (
        build(parse_text(f"{top}paths: []\ntransformations: [take: 3]\n", source="M", base="/")[0])
        for top in ("", "# two\n\n")
    )
    assert one == other
    assert hash(one) == hash(other)
    assert (one.where, other.where) == ("M:2", "M:4")


def test_a_path_that_does_not_fit_a_format_is_named_once(load):
    with warnings.catch_warnings(), pytest.raises(errors.ArgumentError) as caught:
        load("extract_columns_from_partition_format: 'dat/{x}.csv'").to_pandas_dataframe()
    assert str(caught.value).count("a.csv") == 1
    assert "as written. Mend the format" in str(caught.value)
