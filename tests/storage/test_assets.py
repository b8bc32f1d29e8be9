from __future__ import annotations

import os
import pickle
import threading

import deltalake
import pandas as pd
import pyarrow as pa
import pytest

import mltable_lite
from mltable_lite import assets, datastores
from mltable_lite.errors import (
    ArgumentError,
    DataChangedWarning,
    SourceNotFoundError,
    SpecError,
    StrictModeError,
    TargetExistsError,
)
from mltable_lite.storage import registry
from mltable_lite.storage.resolve import forget

pytestmark = pytest.mark.usefixtures("workplace")
LONG = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/data/"


@pytest.fixture
def table(workplace):
    folder = workplace / "t"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n2\n")
    (folder / "MLTable").write_text("paths: [{pattern: './*.csv'}]\ntransformations: [read_delimited]\n")
    return folder


def later(file, text):
    """Write a file so that its time is another one."""
    file.write_text(text)
    os.utime(file, ns=(1, file.stat().st_mtime_ns + 1_000_000))


# --------------------------------------------------------------------------- versions
def test_versions_are_counted_kept_in_order_and_written_beside_the_datastores(workplace, table):
    first = assets.register("trips", "t", description="all trips", tags={"team": "a"})
    assert (first.name, first.version, first.type, first.uri) == ("trips", "1", "mltable", "azureml:trips:1")
    assert (first.description, first.tags, first.path) == ("all trips", {"team": "a"}, str(table))
    text = (workplace / ".mltable/data/trips/1.yml").read_text()
    assert "path: ./t\n" in text
    assert "version: '1'\n" in text
    assert assets.register("trips", table, version="2024.10").version == "2024.10"
    assert assets.register("trips", table).version == "2"
    assert assets.register("trips", table, version=10).version == "10"
    assert assets.register("trips", table).version == "11"
    assert [a.version for a in assets.versions("trips")] == ["1", "2024.10", "2", "10", "11"]
    assert (
        assets.get("trips")
        == assets.get("trips", label="latest")
        == assets.get("trips", "latest")
        == assets.get("trips", 11)
    )
    assert [a.uri for a in assets.list()] == ["azureml:trips:11"]


def test_a_version_never_changes(workplace, table):
    first = assets.register("trips", "t", version=1)
    assert assets.register("trips", "t", version=1) == first
    (workplace / "other").mkdir()
    (workplace / "other/b.csv").write_text("x\n3\n")
    for path in ("other", "t/a.csv"):
        with pytest.raises(
            TargetExistsError, match=r"azureml:trips:1 is registered \(AlreadyExists\) and a version never"
        ):
            assets.register("trips", path, version=1)
    later(table / "a.csv", "x\n1\n2\n3\n")
    with pytest.raises(TargetExistsError):
        assets.register("trips", "t", version=1)
    assert assets.get("trips", 1) == first


def test_of_two_that_register_a_version_at_once_one_wins(workplace, table):
    (workplace / "u").mkdir()
    (workplace / "u/b.csv").write_text("x\n3\n")
    outcomes = []

    def work(path):
        try:
            outcomes.append(assets.register("trips", path, version=1).path)
        except TargetExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=work, args=(path,)) for path in ("t", "u")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("exists") == 1
    assert assets.get("trips").path in outcomes


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (
            lambda: assets.register("a", "not-there"),
            SourceNotFoundError,
            "not-there: The requested stream was not found",
        ),
        (lambda: assets.register("a b", "t"), SpecError, "name: 'a b'"),
        (lambda: assets.register("../x", "t"), SpecError, "name: '../x'"),
        (lambda: assets.register("a", "t", version="latest"), SpecError, "version: 'latest'"),
        (lambda: assets.register("a", "t", version="../1"), SpecError, "version: '../1'"),
        (lambda: assets.register("a", "t", type="table"), ArgumentError, "uri_file, uri_folder, mltable"),
        (
            lambda: assets.register("a", "https://acc.blob.core.windows.net/c/a.csv?sv=1&sig=s3cr3t"),
            ArgumentError,
            "no credential",
        ),
        (lambda: assets.get("b"), SourceNotFoundError, "no data asset 'b'; none is registered"),
        (lambda: assets.versions("b"), SourceNotFoundError, "no data asset 'b'"),
    ],
)
def test_what_cannot_be_registered_or_found_says_why(workplace, table, call, error, match):
    with pytest.raises(error, match=match) as caught:
        call()
    assert "s3cr3t" not in str(caught.value)
    assert list((workplace / ".mltable").rglob("*.yml")) == []


def test_the_type_is_what_is_there(workplace, table):
    assert assets.register("one", "t/a.csv").type == "uri_file"
    assert assets.register("two", "t", type="uri_folder").type == "uri_folder"
    (table / "MLTable").unlink()
    assert assets.register("three", "t").type == "uri_folder"


# --------------------------------------------------------------------------- loading
@pytest.mark.parametrize(
    "uri",
    [
        "azureml:trips:1",
        "azureml:trips@latest",
        "azureml:trips",
        LONG + "trips/versions/1",
        LONG.replace("azureml://", "azureml:/") + "trips/versions/1",
        LONG + "trips",
        "azureml://registries/reg/data/trips/versions/1",
    ],
)
def test_every_form_of_an_asset_loads(table, uri):
    assets.register("trips", "t")
    assert mltable_lite.load(uri).to_pandas_dataframe()["x"].tolist() == [1, 2]


def test_the_latest_is_decided_when_a_table_is_loaded(workplace, table):
    assets.register("trips", "t")
    loaded = mltable_lite.load("azureml:trips@latest")
    (workplace / "new").mkdir()
    (workplace / "new/a.csv").write_text("x\n9\n")
    (workplace / "new/MLTable").write_text((table / "MLTable").read_text())
    assets.register("trips", "new")
    assert loaded.to_pandas_dataframe()["x"].tolist() == [1, 2]
    assert mltable_lite.load("azureml:trips@latest").to_pandas_dataframe()["x"].tolist() == [9]
    assert mltable_lite.load("azureml:trips:1").to_pandas_dataframe()["x"].tolist() == [1, 2]


def test_an_asset_stands_in_the_paths_of_a_table(workplace, table):
    assets.register("trips", "t")
    assets.register("file", "t/a.csv")
    for entry in (
        {"file": "azureml:file:1"},
        {"file": "azureml:trips:1/a.csv"},
        {"pattern": "azureml:trips:1/*.csv"},
        {"folder": "azureml:trips@latest"},
    ):
        assert mltable_lite.from_delimited_files([entry]).count_rows() == 2
    (workplace / "m").mkdir()
    (workplace / "m/MLTable").write_text(
        "paths: [{file: 'azureml:file:1'}]\ntransformations: [read_delimited]\n"
    )
    assert mltable_lite.load("m").count_rows() == 2


def test_an_asset_may_be_in_a_datastore(workplace, table):
    datastores.register_local("store", "t")
    assets.register("trips", "azureml://datastores/store/paths/")
    assert assets.get("trips").path == "azureml://datastores/store/paths"
    table = mltable_lite.load("azureml:trips:1")
    assert table.to_pandas_dataframe()["x"].tolist() == [1, 2]
    assert pickle.loads(pickle.dumps(table)).count_rows() == 2


def test_a_missing_version_and_a_circle_are_told(workplace, table):
    assets.register("trips", "t")
    with pytest.raises(SourceNotFoundError, match="data asset 'trips' has no version '7'; it has 1"):
        mltable_lite.load("azureml:trips:7")
    with pytest.raises(
        SourceNotFoundError, match="no data asset 'trisp'; registered are trips. Did you mean 'trips'"
    ):
        mltable_lite.load("azureml:trisp:1")
    for name, other in (("a", "b"), ("b", "a")):
        folder = workplace / f".mltable/data/{name}"
        folder.mkdir()
        (folder / "1.yml").write_text(f"name: {name}\npath: azureml:{other}:1\n")
    with pytest.raises(ArgumentError, match="never come to a place"):
        mltable_lite.from_delimited_files([{"file": "azureml:a:1"}]).count_rows()


def test_a_file_written_by_hand_is_enough_and_a_wrong_one_is_told(workplace, table):
    folder = workplace / ".mltable/data/hand"
    folder.mkdir(parents=True)
    (folder / "1.yml").write_text("name: hand\nversion: 1.10\npath: ./t\n")
    assert assets.get("hand").version == "1.10"
    assert mltable_lite.load("azureml:hand:1.10").count_rows() == 2
    with pytest.raises(SourceNotFoundError, match="no listing was kept"):
        assets.changes("hand")
    (folder / "2.yml").write_text("name: hand\npth: x\n")
    with pytest.raises(SpecError, match=r"2.yml:2:1 unknown key 'pth'; accepted:.*Did you mean 'path'"):
        assets.get("hand")


# --------------------------------------------------------------------------- what changed
def test_files_that_came_went_and_changed_are_named(workplace, table):
    for name in ("b", "c"):
        (table / f"{name}.csv").write_text("x\n1\n")
    assets.register("trips", "t", type="uri_folder")
    assert not assets.changes("trips")
    assert str(assets.changes("trips")) == "azureml:trips:1 is as it was registered."
    later(table / "a.csv", "x\n1\n3\n")
    (table / "b.csv").unlink()
    (table / "sub").mkdir()
    (table / "sub/d.csv").write_text("x\n4\n")
    changes = assets.changes("trips", 1)
    assert (changes.added, changes.removed, changes.modified) == (("sub/d.csv",), ("b.csv",), ("a.csv",))
    assert str(changes) == (
        "azureml:trips:1 has changed since it was registered: 1 file added (sub/d.csv); 1 file removed (b.csv); "
        "1 file changed (a.csv)."
    )
    assets.register("trips", "t", type="uri_folder")
    assert not assets.changes("trips")


def test_files_outside_the_folder_that_a_table_reads_belong_to_it(workplace, table):
    (workplace / "elsewhere").mkdir()
    (workplace / "elsewhere/z.csv").write_text("x\n5\n")
    (table / "MLTable").write_text(
        "paths: [{file: ./a.csv}, {folder: ../elsewhere}]\ntransformations: [read_delimited]\n"
    )
    assets.register("trips", "t")
    later(workplace / "elsewhere/z.csv", "x\n6\n")
    assert assets.changes("trips").modified == (str(workplace / "elsewhere/z.csv"),)
    later(table / "MLTable", "paths: [{file: ./a.csv}]\ntransformations: [read_delimited]\n")
    changes = assets.changes("trips")
    assert changes.modified == ("MLTable",)
    assert changes.removed == (str(workplace / "elsewhere/z.csv"),)


def test_the_version_of_a_delta_table_is_kept(workplace):
    deltalake.write_deltalake("d", pa.table({"x": [1]}))
    (workplace / "d/MLTable").write_text("paths: [{folder: .}]\ntransformations: [read_delta_lake]\n")
    for name, kind in (("folder", "uri_folder"), ("table", "mltable")):
        assert assets.register(name, "d", type=kind).fingerprint["delta_version"] == 0
    deltalake.write_deltalake("d", pa.table({"x": [2]}), mode="append")
    assert "from version 0 to 1" in str(assets.changes("folder"))
    assert len(assets.changes("folder").added) == 2
    assert assets.changes("table").tables == (f"Delta table {workplace / 'd'} from version 0 to 1",)


def test_a_blob_has_its_etag(azurite, workplace):
    uri = azurite.put("t/a.csv", b"x\n1\n").removesuffix("/a.csv")
    given = {"storage_options": azurite.options}
    asset = assets.register("blob", uri, **given)
    assert asset.path == uri
    assert not assets.changes("blob", **given)
    azurite.put("t/a.csv", b"x\n2\n")  # of the same size
    assert assets.changes("blob", **given).modified == ("a.csv",)


def test_validate_warns_of_what_changed_and_is_an_error_in_strict_mode(workplace, table):
    assets.register("trips", "t")
    loaded = mltable_lite.load("azureml:trips:1")
    loaded.validate()
    later(table / "a.csv", "x\n1\n2\n3\n")
    with pytest.warns(
        DataChangedWarning,
        match=r"azureml:trips:1 has changed since it was registered: 1 file changed \(a.csv\)",
    ):
        loaded.filter("x > 1").validate()
    with pytest.warns(DataChangedWarning, match="1 file changed"):
        mltable_lite.from_delimited_files([{"folder": "azureml:trips@latest"}]).validate()
    with pytest.raises(StrictModeError, match="1 file changed"):
        mltable_lite.load("azureml:trips:1", strict=True).validate()
    mltable_lite.load("t").validate()  # by its folder it is no asset


def test_a_broken_listing_is_told(workplace, table):
    assets.register("trips", "t")
    (workplace / ".mltable/data/trips/1.files.jsonl").write_text("nonsense")
    with pytest.raises(SourceNotFoundError, match=r"1.files.jsonl cannot be read"):
        assets.changes("trips")


def test_assets_of_the_users_folder_are_found_after_those_of_the_project(workplace, table, tmp_path):
    assets.register("trips", "t")
    folder = tmp_path / "config/mltable_lite/data"
    for name in ("trips", "mine"):
        (folder / name).mkdir(parents=True)
        (folder / name / "5.yml").write_text(f"name: {name}\nversion: '5'\npath: {table}\n")
    forget()
    assert registry.asset_names() == ["mine", "trips"]
    assert assets.get("trips").version == "1"
    assert mltable_lite.load("azureml:mine:5").count_rows() == 2


def test_pandas_reads_an_asset(workplace, table):
    assets.register("file", "t/a.csv")
    assert pd.read_csv(LONG + "file/versions/1")["x"].tolist() == [1, 2]
