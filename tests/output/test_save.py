"""Saving: what is saved loads to the same rows; it appears whole or not at all."""

import fsspec
import pytest

import mltable_lite as mltable
from mltable_lite.errors import SaveError, TargetExistsError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data" / "c1").mkdir(parents=True)
    (tmp_path / "data" / "c2").mkdir()
    (tmp_path / "data" / "c1" / "a.csv").write_text("v\n1\n2\n")
    (tmp_path / "data" / "c2" / "a.csv").write_text("v\n8\n9\n")
    return tmp_path


@pytest.fixture
def table(folder):
    paths = [{"file": str(folder / "data" / name / "a.csv")} for name in ("c1", "c2")]
    return mltable.from_delimited_files(paths, delimiter=",").filter("v > 1")


def values(table):
    return table.to_pandas_dataframe()["v"].tolist()


def test_a_saved_table_loads_to_the_same_rows(folder, table):
    table.save(str(folder / "out"))
    assert [path.name for path in (folder / "out").iterdir()] == ["MLTable"]
    assert values(mltable.load(folder / "out")) == values(table) == [2, 8, 9]


@pytest.mark.parametrize("name", ["d-[x]", "d-?", "d-*", "d-{x,y}"])
@pytest.mark.parametrize("target", ["out", ".", "NAME", "NAME/below"])
def test_a_pattern_stays_below_its_folder_whatever_the_folder_is_called(name, target, tmp_path):
    for each, value in ((name, 1), ("d-x", 2)):
        (tmp_path / each).mkdir()
        (tmp_path / each / "a.csv").write_text(f"v\n{value}\n")
    (tmp_path / name / "MLTable").write_text(
        "paths: [{pattern: ./*.csv}]\ntransformations: [read_delimited]\n"
    )
    place = tmp_path / target.replace("NAME", name)
    mltable.load(tmp_path / name).save(place)
    assert values(mltable.load(place)) == [1]


def test_only_what_differs_from_the_defaults_is_written(folder, table):
    table.save(str(folder))
    assert (folder / "MLTable").read_text() == (
        "paths:\n- file: ./data/c1/a.csv\n- file: ./data/c2/a.csv\n"
        "transformations:\n- read_delimited\n- filter: v > 1\ntype: mltable\n"
    )


def test_colocated_files_of_one_name_stay_two(folder, table):
    table.save(str(folder / "out"), colocated=True)
    saved = mltable.load(folder / "out")
    assert saved.paths == [{"file": "./c1/a.csv"}, {"file": "./c2/a.csv"}]
    for name in ("c1", "c2"):
        (folder / "data" / name / "a.csv").unlink()
    assert values(saved) == [2, 8, 9]


def test_a_colocated_delta_table_comes_with_its_log(folder):
    import deltalake
    import pyarrow as pa

    deltalake.write_deltalake(folder / "delta", pa.table({"v": [1, 2, 3]}))
    mltable.from_delta_lake(str(folder / "delta")).save(str(folder / "out"), colocated=True)
    assert values(mltable.load(folder / "out")) == [1, 2, 3]


def test_a_table_saves_to_any_fsspec_target(folder, table):
    table.save("memory://saved/t", colocated=True)
    assert values(mltable.load("memory://saved/t")) == [2, 8, 9]
    assert fsspec.filesystem("memory").exists("/saved/t/MLTable")


def test_local_data_is_not_saved_to_a_remote_target_without_it(table):
    with pytest.raises(mltable.UserErrorException, match="colocated=True"):
        table.save("memory://saved/u")


@pytest.mark.parametrize(
    "overwrite", [False, "fail_on_conflict", mltable.MLTableSaveOverwriteOption.FAIL_ON_CONFLICT]
)
def test_an_existing_file_is_kept_when_asked(folder, table, overwrite):
    table.save(str(folder / "out"))
    before = (folder / "out" / "MLTable").read_bytes()
    with pytest.raises(TargetExistsError, match="AlreadyExists"):
        table.take(1).save(str(folder / "out"), overwrite=overwrite)
    assert (folder / "out" / "MLTable").read_bytes() == before


def test_skip_leaves_what_is_there(folder, table):
    table.save(str(folder / "out"))
    table.take(1).save(str(folder / "out"), overwrite="skip")
    assert values(mltable.load(folder / "out")) == [2, 8, 9]


def test_a_file_is_no_target(folder, table):
    with pytest.raises(SaveError, match="is a file"):
        table.save(str(folder / "data" / "c1" / "a.csv"))


def test_a_missing_source_leaves_nothing_behind(folder, table):
    (folder / "data" / "c2" / "a.csv").unlink()
    with pytest.raises(mltable.UserErrorException, match="not found"):
        table.save(str(folder / "out"), colocated=True)
    assert not (folder / "out").exists()


def test_a_credential_is_never_written(folder):
    table = mltable.from_parquet_files(
        [{"file": "https://acct.blob.core.windows.net/c/a.parquet?sig=SECRET&se=1"}]
    )
    with pytest.raises(mltable.UserErrorException) as caught:
        table.save(str(folder / "out"))
    assert "SECRET" not in str(caught.value)
    assert "SECRET" not in str(table)
    assert not (folder / "out" / "MLTable").exists()


def test_a_file_uri_is_a_place_on_disk(folder, table):
    table.save(f"file://{folder}/out")
    assert values(mltable.load(folder / "out")) == [2, 8, 9]
