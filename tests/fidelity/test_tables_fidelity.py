"""Loading and saving where data may go astray: each with the exact place or error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mltable_lite as mltable
from mltable_lite.errors import MissingColumnWarning, SourceNotFoundError, SpecError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("a\n7\n")
    (tmp_path / "MLTable").write_text("paths: [{file: a.csv}]\ntransformations: [read_delimited]\n")
    return tmp_path


def values(table):
    return table.to_pandas_dataframe()["a"].tolist()


@pytest.mark.parametrize("place", ["file://{0}", "{0}/MLTable", "file://{0}/MLTable", "{0}/"])
def test_every_way_to_name_a_table_loads_it(folder, place):
    assert values(mltable.load(place.format(folder))) == [7]
    assert values(mltable.load(Path(place.removeprefix("file://").format(folder)))) == [7]


def test_a_file_uri_is_no_folder_of_that_name(folder, tmp_path, monkeypatch):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    mltable.load(folder).save(f"file://{tmp_path}/out")
    assert os.listdir(work) == []  # noqa: PTH208
    assert values(mltable.load(tmp_path / "out")) == [7]


def test_saving_data_that_is_not_there_names_it_and_leaves_nothing(tmp_path):
    table = mltable.from_delimited_files([{"file": str(tmp_path / "nope.csv")}])
    with pytest.raises(SourceNotFoundError, match=r"nope\.csv is not there"):
        table.save(str(tmp_path / "out"), colocated=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("together", [True, False])
def test_two_files_of_one_name_are_both_saved(tmp_path, together):
    places = [tmp_path / "c1" / "z.csv", tmp_path / "c2" / "deep" / "z.csv"]
    for number, place in enumerate(places):
        place.parent.mkdir(parents=True)
        place.write_text(f"a\n{number + 7}\n5\n")
    table = mltable.from_delimited_files([{"file": str(place)} for place in places])
    if not together:
        table = mltable.from_delimited_files([{"pattern": str(tmp_path / "c*" / "**" / "z.csv")}])
    table.save(str(tmp_path / "out"), colocated=True)
    for place in places:
        place.unlink()
    assert values(mltable.load(tmp_path / "out")) == [7, 5, 8, 5]


def test_traits_of_no_column_are_told_at_read_and_refused_by_validate(folder):
    table = mltable.load(folder)
    table.traits.timestamp_column = "nope"
    with pytest.warns(MissingColumnWarning, match=r"'nope'.*the table has: a"):
        table.to_pandas_dataframe()
    with pytest.raises(KeyError, match="'nope'"):
        table.validate()


def test_a_key_that_stands_twice_is_refused_with_both_lines(folder):
    (folder / "MLTable").write_text("paths: [{file: a.csv}]\npaths: [{file: b.csv}]\n")
    with pytest.raises(SpecError, match=r"MLTable:2.*'paths'.*twice|MLTable:2.*twice.*line 1"):
        mltable.load(folder)
