from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys

import deltalake
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from storage.servers import ACCOUNT, KEY, endpoint_of

import mltable_lite
from mltable_lite import datastores
from mltable_lite.errors import (
    AccessDeniedError,
    ArgumentError,
    MLTableNotFoundError,
    SourceNotFoundError,
    SpecError,
    StorageError,
    TargetExistsError,
    UnsupportedFeatureError,
)
from mltable_lite.storage import registry, stores
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.records import datastore_record
from mltable_lite.storage.resolve import forget, resolve
from mltable_lite.storage.uri import parse_uri

SECRET = "c2VjcmV0LXMzY3IzdC1zZWNyZXQ="
LONG = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/store/paths/"

pytestmark = pytest.mark.usefixtures("workplace")


def write(folder, name, text):
    file = folder / ".mltable" / "datastores" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    forget()


def local(name="store", root="data", **more):
    return datastores.register_local(datastore_name=name, root=root, **more)


# --------------------------------------------------------------------------- writing down and looking up
def test_a_registered_folder_is_written_down_in_the_form_of_the_azure_ml_command_line(workplace):
    store = local(description="mine", tags={"team": "a"})
    assert (store.name, store.type, store.uri) == ("store", "local", "azureml://datastores/store")
    assert store.path("a/b.csv") == store.path("/a/b.csv") == "azureml://datastores/store/paths/a/b.csv"
    text = (workplace / ".mltable/datastores/store.yml").read_text()
    assert text == "description: mine\nname: store\nroot: ./data\ntags:\n  team: a\ntype: local\n"
    assert datastores.get("store") == store


def test_list_is_sorted_and_get_suggests():
    for name in ("zeta", "alpha"):
        local(name)
    assert [store.name for store in datastores.list()] == ["alpha", "zeta"]
    with pytest.raises(
        SourceNotFoundError, match=r"no datastore 'alhpa'; registered are alpha, zeta. Did you mean 'alpha'"
    ):
        datastores.get("alhpa")


def test_a_name_is_given_to_another_storage_only_on_request(workplace):
    local()
    assert local() == datastores.get("store")  # the same again: a notebook's cell may run twice
    with pytest.raises(TargetExistsError, match=r"is registered \(AlreadyExists\).*overwrite=True"):
        local(root="elsewhere")
    with pytest.raises(ArgumentError, match=r"'store': overwrite='never' is not accepted; use True or False"):
        local(root="elsewhere", overwrite="never")
    local(root="elsewhere", overwrite=True)
    assert resolve(parse_uri("azureml://datastores/store/paths/a"))[0].path == str(workplace / "elsewhere/a")


def test_the_default_is_kept_until_it_is_unregistered():
    with pytest.raises(SourceNotFoundError, match="no default datastore"):
        datastores.default()
    local()
    datastores.set_default("store")
    assert datastores.default().name == "store"
    datastores.unregister("store")
    assert datastores.list() == []
    for ask in (datastores.default, lambda: datastores.get("store"), lambda: datastores.unregister("store")):
        with pytest.raises(SourceNotFoundError):
            ask()
    with pytest.raises(SourceNotFoundError):
        datastores.set_default("store")


def test_a_name_is_looked_for_upwards_then_in_the_users_folder_then_where_the_variable_says(
    workplace, tmp_path, monkeypatch
):
    def place(folder, root):
        (folder / "datastores").mkdir(parents=True)
        (folder / "datastores/any.yml").write_text(f"name: store\ntype: local\nroot: {root}\n")
        forget()

    def root():
        return resolve(parse_uri("azureml://datastores/store"))[0].path

    monkeypatch.setenv("MLTABLE_LITE_DATASTORES", str(tmp_path / "named"))
    place(tmp_path / "named", "/by-variable")
    assert root() == "/by-variable"
    place(tmp_path / "config/mltable_lite", "/of-user")
    assert root() == "/of-user"
    place(workplace / ".mltable", "/of-project")
    (workplace / "deep/er").mkdir(parents=True)
    monkeypatch.chdir(workplace / "deep/er")
    assert root() == "/of-project"
    assert len(datastores.list()) == 1


def test_without_any_registry_a_new_one_is_made_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "new").mkdir()
    monkeypatch.chdir(tmp_path / "new")
    local()
    assert (tmp_path / "new/.mltable/datastores/store.yml").exists()


def test_a_file_edited_by_another_program_is_read_anew(workplace):
    local()
    write(workplace, "store.yml", "name: store\ntype: local\nroot: /other/place\n")
    assert resolve(parse_uri("azureml://datastores/store/paths/a"))[0].path == "/other/place/a"


# --------------------------------------------------------------------------- files that are wrong
def test_all_that_is_wrong_in_a_file_is_told_with_line_and_column_and_no_secret(workplace):
    write(
        workplace,
        "bad.yml",
        f"name: bad\ntype: azure_blob\naccount_nme: x\ncredentials:\n  account_key: {SECRET}\n  sas: x\n",
    )
    with pytest.raises(SpecError) as caught:
        datastores.get("bad")
    text = str(caught.value)
    for part in (
        "bad.yml:1:1 the key 'account_name' is missing",
        "bad.yml:3:1 unknown key 'account_nme'; accepted:",
        "Did you mean 'account_name'?",
        "bad.yml:5:16 credentials.account_key: *** is not accepted",
        "env:NAME, file:PATH or keyring:SERVICE/USER",
        "bad.yml:6:3 credentials: unknown key 'sas'",
    ):
        assert part in text
    assert SECRET not in text


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("type: local\nroot: x\n", "1:1 the key 'name' is missing"),
        ("name: bad\ntype: azureblob\n", "2:7 type: 'azureblob' is not accepted.*Did you mean 'azure_blob'"),
        ("name: bad\ntype: local\n", "the key 'root' is missing"),
        ("name: a b\ntype: local\nroot: x\n", "1:7 name: 'a b' is not accepted"),
        ("name: bad\nname: bad\n", "stands twice"),
        ("name: bad\ntype: s3\nbucket: b\ncredentials: {access_key_id: 'env:A'}\n", "secret_access_key"),
        ("- name\n", "a list is not accepted for a datastore"),
    ],
)
def test_a_file_that_is_no_datastore_is_refused(workplace, text, match):
    write(workplace, "bad.yml", text)
    with pytest.raises(SpecError, match=match):
        datastores.get("bad")
    with pytest.raises(SpecError, match=match):
        datastores.list()


def test_a_wrong_file_does_not_hide_the_others(workplace):
    local()
    write(workplace, "bad.yml", "nonsense\n")
    assert datastores.get("store").name == "store"


def test_gen1_is_refused_as_retired(workplace):
    write(workplace, "old.yml", "name: old\ntype: azure_data_lake_gen1\nstore_name: x\n")
    for ask in (
        lambda: datastores.get("old"),
        lambda: datastores.register_azure_data_lake(datastore_name="old", store_name="x"),
    ):
        with pytest.raises(UnsupportedFeatureError, match="retired in 2024"):
            ask()


@pytest.mark.parametrize(
    ("register", "match"),
    [
        (lambda: datastores.register_local("a b", "x"), "name: 'a b' is not accepted"),
        (lambda: datastores.register_local("s", "s3://b/x"), "not a local folder"),
        (lambda: datastores.register_fsspec("s", "some/folder"), "is a local path; use register_local"),
        (lambda: datastores.register_fsspec("s", f"sftp://me:{SECRET}@host/x"), "holds no credential"),
        (
            lambda: datastores.register_azure_blob_container("s", "c", "a", credential=SECRET),
            "a text is one of",
        ),
        (lambda: datastores.register_azure_blob_container("s", "c", "a", protocol="ftp"), "protocol: 'ftp'"),
    ],
)
def test_an_argument_that_is_not_accepted_is_an_error_without_the_secret(workplace, register, match):
    with pytest.raises((SpecError, ArgumentError), match=match) as caught:
        register()
    assert SECRET not in str(caught.value)
    assert list((workplace / ".mltable").rglob("*.yml")) == []


# --------------------------------------------------------------------------- what a record opens
@pytest.mark.parametrize(
    ("yaml", "uri", "options"),
    [
        (
            "type: azure_blob\naccount_name: acc\ncontainer_name: c\n",
            "wasbs://c@acc.blob.core.windows.net",
            {},
        ),
        (
            "type: azure_blob\naccount_name: acc\ncontainer_name: c\nendpoint: core.chinacloudapi.cn\n",
            "wasbs://c@acc.blob.core.chinacloudapi.cn",
            {},
        ),
        (
            "type: azure_data_lake_gen2\naccount_name: acc\nfilesystem: f\n",
            "abfss://f@acc.dfs.core.windows.net",
            {},
        ),
        (
            "type: azure_blob\naccount_name: acc\ncontainer_name: c\nendpoint: http://127.0.0.1:10000\n",
            "http://127.0.0.1:10000/acc/c/",
            {},
        ),
        (
            "type: azure_blob\naccount_name: acc\ncontainer_name: c\ncredentials: {identity: anonymous}\n",
            "wasbs://c@acc.blob.core.windows.net",
            {"anon": True},
        ),
        (
            "type: azure_blob\naccount_name: acc\ncontainer_name: c\ncredentials: {sas_token: 'env:SAS'}\n",
            "wasbs://c@acc.blob.core.windows.net",
            {"sas_token": "sv=1&sig=x"},
        ),
        (
            (
                "type: s3\nbucket: b\nprefix: /p/\nregion: eu-west-1\nendpoint: http://127.0.0.1:1\n"
                "credentials: {access_key_id: 'env:ID', secret_access_key: 'file:key.txt'}\n"
            ),
            "s3://b/p",
            {
                "endpoint_url": "http://127.0.0.1:1",
                "client_kwargs": {"region_name": "eu-west-1"},
                "key": "the-id",
                "secret": "the-key",
            },
        ),
        ("type: s3\nbucket: b\ncredentials: {identity: anonymous}\n", "s3://b", {"anon": True}),
        (
            "type: gcs\nbucket: b\nproject: p\ncredentials: {identity: anonymous}\n",
            "gs://b",
            {"project": "p", "token": "anon"},
        ),
        (
            "type: dbfs\ninstance: host\ncredentials: {token: 'env:ID'}\n",
            "dbfs:///",
            {"instance": "host", "token": "the-id"},
        ),
        (
            "type: fsspec\nroot: memory://x/y\ncredentials: {password: 'env:ID'}\n",
            "memory://x/y",
            {"password": "the-id"},
        ),
    ],
)
def test_a_record_opens_its_storage_with_the_credentials_that_it_refers_to(
    workplace, monkeypatch, yaml, uri, options
):
    monkeypatch.setenv("ID", "the-id")
    monkeypatch.setenv("SAS", "?sv=1&sig=x")
    (workplace / "key.txt").write_text("the-key\n")
    write(workplace, "store.yml", "name: store\n" + yaml)
    place, own = resolve(parse_uri("azureml://datastores/store"))
    assert place.uri.rstrip("/") == uri.rstrip("/")
    assert dict(own) == options


def test_identities_are_those_of_azure_identity_and_made_once():
    text = "name: s\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: {%s}\n"
    names = {
        "identity: managed": "ManagedIdentityCredential",
        "identity: managed, client_id: x": "ManagedIdentityCredential",
        "identity: cli": "AzureCliCredential",
        "identity: default": "DefaultAzureCredential",
        "identity: interactive": "InteractiveBrowserCredential",
        "tenant_id: t, client_id: c, client_secret: 'env:PATH'": "ClientSecretCredential",
    }
    for credentials, name in names.items():
        record = datastore_record(text % credentials, "s")
        first = stores.root_of(record)[1]["credential"]
        assert type(first).__name__ == name
        assert stores.root_of(record)[1]["credential"] is first


def test_the_default_identity_never_opens_a_browser():
    record = datastore_record(
        "name: s\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: {identity: default}\n",
        "s",
    )
    chain = stores.root_of(record)[1]["credential"]
    assert "InteractiveBrowserCredential" not in [type(c).__name__ for c in chain.credentials]


@pytest.mark.parametrize(
    ("reference", "match"),
    [
        (
            "env:NOT_SET",
            "datastore 'store', credentials.account_key: the environment variable NOT_SET is not set",
        ),
        ("file:not-there", "the file .*not-there cannot be read"),
        ("keyring:no-user", "write keyring:SERVICE/USER"),
        ("env:EMPTY", "leads to an empty text"),
    ],
)
def test_a_reference_that_leads_nowhere_says_where_it_stands(monkeypatch, reference, match):
    monkeypatch.setenv("EMPTY", "")
    store = datastores.register_azure_blob_container("store", "c", "a", account_key=reference)
    with pytest.raises(AccessDeniedError, match=match):
        store.filesystem().ls()


def test_a_file_share_is_written_down_and_refused_when_it_is_used(workplace):
    store = datastores.register_azure_file_share("share", "s", "acc", account_key="env:K")
    assert "file_share_name: s" in (workplace / ".mltable/datastores/share.yml").read_text()
    for use in (store.filesystem().ls, lambda: mltable_lite.load(store.path("t")), store.as_download):
        with pytest.raises(
            UnsupportedFeatureError, match=r"(?s)Mount the share.*azcopy copy 'https://acc\.file\.core"
        ):
            use()


# --------------------------------------------------------------------------- secrets
def test_a_secret_stays_in_the_process_unless_it_is_a_reference(workplace, monkeypatch):
    monkeypatch.setenv("THE_KEY", SECRET)
    store = datastores.register_azure_blob_container("store", "c", "a", account_key=SECRET)
    file = workplace / ".mltable/datastores/store.yml"
    assert SECRET not in file.read_text()
    assert "not kept: account_key" in file.read_text()
    place = parse_uri(store.uri)
    assert resolve(place)[1]["account_key"] == SECRET
    registry._SECRETS.clear()  # as another process finds it
    forget()
    assert "account_key" not in resolve(place)[1]
    datastores.register_azure_blob_container("store", "c", "a", account_key="env:THE_KEY", overwrite=True)
    assert "account_key: env:THE_KEY" in file.read_text()
    assert resolve(place)[1]["account_key"] == SECRET


def test_the_options_of_its_filesystem_come_before_those_of_the_datastore_but_not_the_account():
    store = datastores.register_azure_blob_container("store", "c", "a", account_key=SECRET)
    given = {"sas_token": "sig=mine", "account_name": "other"}
    fs = store.filesystem(**given)
    place, own = resolve(fs._root, fs._options)
    assert dict(place.options)["account_name"] == "a"
    assert dict(own) == {"sas_token": "sig=mine"}


def test_the_credential_of_a_tables_options_does_not_reach_a_datastore_that_has_one():
    datastores.register_azure_blob_container("own", "c", "a", account_key=SECRET)
    datastores.register_azure_blob_container("none", "c", "a")
    given = StorageOptions({"sas_token": "sig=other", "account_name": "other", "max_concurrency": 3})
    assert dict(resolve(parse_uri("azureml://datastores/own"), given)[1]) == {
        "account_key": SECRET,
        "max_concurrency": 3,
    }
    assert dict(resolve(parse_uri("azureml://datastores/none"), given)[1]) == {
        "sas_token": "sig=other",
        "max_concurrency": 3,
    }
    first = StorageOptions({**given, "override_credentials": True})
    assert dict(resolve(parse_uri("azureml://datastores/own"), first)[1]) == {
        "sas_token": "sig=other",
        "max_concurrency": 3,
    }


# --------------------------------------------------------------------------- tables
@pytest.fixture
def table(workplace):
    folder = workplace / "data/t"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,a\n2,b\n")
    (folder / "b.csv").write_text("x,y\n3,c\n")
    (folder / "MLTable").write_text("paths: [{pattern: './*.csv'}]\ntransformations: [read_delimited]\n")
    local()
    return folder


@pytest.mark.parametrize(
    "uri",
    [
        "azureml://datastores/store/paths/t",
        "azureml://datastores/store/paths/t/",
        "azureml://datastores/store/paths/t/MLTable",
        LONG + "t",
        LONG.replace("resourcegroups", "resourceGroups") + "t",
        LONG.replace("workspaces", "providers/Microsoft.MachineLearningServices/workspaces") + "t",
        LONG.replace("azureml://", "azureml:/") + "t",
    ],
)
def test_every_form_of_an_address_loads(table, uri):
    assert mltable_lite.load(uri).to_pandas_dataframe()["x"].tolist() == [1, 2, 3]


def test_the_path_column_shows_the_address_that_was_given(table):
    paths = [{"pattern": "azureml://datastores/store/paths/t/*.csv"}]
    frame = mltable_lite.from_delimited_files(paths, include_path_column=True).to_pandas_dataframe()
    assert frame["Path"].unique().tolist() == [
        "azureml://datastores/store/paths/t/a.csv",
        "azureml://datastores/store/paths/t/b.csv",
    ]


def test_files_folders_and_patterns_of_several_storages_are_one_table(table, memory):
    memory.pipe_file("/m/c.csv", b"x,y\n4,d\n")
    datastores.register_fsspec("mem", "memory://m")
    paths = [
        {"file": "azureml://datastores/mem/paths/c.csv"},
        {"folder": "azureml://datastores/store/paths/t"},
        {"pattern": "azureml://datastores/store/paths/**/a.csv"},
        {"file": str(table / "b.csv")},
    ]
    assert mltable_lite.from_delimited_files(paths).to_pandas_dataframe()["x"].tolist() == [
        4,
        1,
        2,
        3,
        1,
        2,
        3,
    ]


def test_a_missing_file_is_named_with_what_is_there(table):
    with pytest.raises(
        SourceNotFoundError,
        match=r"azureml://datastores/store/paths/t holds a.csv, b.csv.*Did you mean 'a.csv'",
    ):
        mltable_lite.from_delimited_files(
            [{"file": "azureml://datastores/store/paths/t/aa.csv"}]
        ).to_pandas_dataframe()


def test_an_unknown_datastore_is_named_with_the_known_ones(table):
    with pytest.raises(
        SourceNotFoundError, match="no datastore 'stor'; registered are store. Did you mean 'store'"
    ):
        mltable_lite.load("azureml://datastores/stor/paths/t")


def test_a_path_cannot_leave_its_datastore(table):
    with pytest.raises(ArgumentError, match="must not leave"):
        mltable_lite.from_delimited_files(
            [{"file": "azureml://datastores/store/paths/../secret.csv"}]
        ).to_pandas_dataframe()


def test_a_table_is_saved_to_a_datastore_with_its_data(table):
    mltable_lite.load("azureml://datastores/store/paths/t").save(
        "azureml://datastores/store/paths/copy", colocated=True
    )
    assert mltable_lite.load("azureml://datastores/store/paths/copy").count_rows() == 3
    assert sorted(p.name for p in (table.parent / "copy").iterdir()) == ["MLTable", "a.csv", "b.csv"]


def test_a_delta_table_of_a_datastore_is_read(workplace):
    local()
    deltalake.write_deltalake(str(workplace / "data/d"), pa.table({"x": [1, 2]}))
    table = mltable_lite.from_delta_lake("azureml://datastores/store/paths/d")
    assert table.to_pandas_dataframe()["x"].tolist() == [1, 2]


# --------------------------------------------------------------------------- Azure, really
@pytest.fixture
def container(azurite):
    """A new container of the emulator."""
    name = azurite.uri.rpartition("/")[2]
    service = BlobServiceClient.from_connection_string(azurite.direct["connection_string"])
    service.create_container(name)
    yield name, endpoint_of(azurite), service
    service.close()


def sas(name, permission):
    import datetime as dt

    until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    return generate_container_sas(
        ACCOUNT, name, account_key=KEY, permission=ContainerSasPermissions(**permission), expiry=until
    )


def test_a_container_is_written_and_read_with_its_key(container):
    name, endpoint, _ = container
    store = datastores.register_azure_blob_container(
        datastore_name="blob", container_name=name, account_name=ACCOUNT, account_key=KEY, endpoint=endpoint
    )
    frame = pd.DataFrame({"x": range(10), "y": list("abcdefghij")})
    frame.to_parquet(store.path("t/part.parquet"))
    deltalake_uri = store.path("delta")
    mltable_lite.from_parquet_files([{"file": store.path("t/part.parquet")}]).save(store.path("t"))
    loaded = mltable_lite.load(store.path("t"))
    assert loaded.filter("x > 7").to_pandas_dataframe()["y"].tolist() == ["i", "j"]
    assert pq.ParquetFile("t/part.parquet", filesystem=store.filesystem()).read().num_rows == 10
    entry_options = {
        "account_name": ACCOUNT,
        "account_key": KEY,
        "endpoint": f"{endpoint}/{ACCOUNT}",
        "allow_http": "true",
    }
    deltalake.write_deltalake(f"az://{name}/delta", pa.table({"x": [5]}), storage_options=entry_options)
    assert mltable_lite.from_delta_lake(deltalake_uri).to_pandas_dataframe()["x"].tolist() == [5]


def test_a_container_is_made_on_request_only(container):
    _, endpoint, service = container
    given = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": endpoint}
    store = datastores.register_azure_blob_container("one", "made-1-" + container[0], **given)
    with pytest.raises(SourceNotFoundError):
        store.filesystem().ls()
    datastores.register_azure_data_lake_gen2(
        "two", "made-2-" + container[0], create_if_not_exists=True, **given
    )
    names = {c.name for c in service.list_containers(name_starts_with="made")}
    assert names >= {"made-2-" + container[0]}
    assert "made-1-" + container[0] not in names


def test_a_missing_container_is_told_when_it_is_read_and_written(container, workplace):
    _, endpoint, _ = container
    store = datastores.register_azure_blob_container(
        "none", "not-there", ACCOUNT, account_key=KEY, endpoint=endpoint
    )
    with pytest.raises(
        MLTableNotFoundError, match="paths/t does not exist, and neither does azureml://datastores/none"
    ):
        mltable_lite.load(store.path("t"))
    (workplace / "a.txt").write_text("a")
    for write in (
        lambda: store.upload_files(["a.txt"], show_progress=False),
        lambda: store.filesystem().pipe_file("a.txt", b"a"),
        lambda: mltable_lite.write(pd.DataFrame({"x": [1]}), store.path("t")),
    ):
        with pytest.raises(SourceNotFoundError, match="there is no container 'not-there'"):
            write()


def test_a_sas_opens_what_it_is_for_and_is_not_in_the_error(container):
    name, endpoint, service = container
    service.get_blob_client(name, "a.csv").upload_blob(b"x\n1\n")
    token = sas(name, {"read": True, "list": True})
    store = datastores.register_azure_blob_container(
        "sas", name, ACCOUNT, sas_token="?" + token, endpoint=endpoint
    )
    table = mltable_lite.from_delimited_files([{"folder": store.path()}])
    assert table.to_pandas_dataframe()["x"].tolist() == [1]
    with pytest.raises(AccessDeniedError, match="azureml://datastores/sas/paths/new") as caught:
        store.filesystem().pipe_file("new", b"x")
    assert token.partition("sig=")[2][:10] not in str(caught.value)


def test_the_environment_of_another_account_is_not_used(container, monkeypatch):
    name, endpoint, service = container
    service.get_blob_client(name, "a.csv").upload_blob(b"x\n1\n")
    monkeypatch.setenv(
        "AZURE_STORAGE_CONNECTION_STRING",
        "AccountName=other;AccountKey=a2V5;BlobEndpoint=http://127.0.0.1:9/other",
    )
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    store = datastores.register_azure_blob_container(
        "blob", name, ACCOUNT, account_key=KEY, endpoint=endpoint
    )
    assert store.filesystem().find("") == ["a.csv"]


def test_the_credential_in_the_address_given_to_load_also_opens_its_files(container):
    name, endpoint, service = container
    for key, data in {
        "t/a.csv": b"x\n1\n",
        "t/MLTable": b"paths: [{file: ./a.csv}]\ntransformations: [read_delimited]\n",
    }.items():
        service.get_blob_client(name, key).upload_blob(data)
    token = sas(name, {"read": True, "list": True})
    table = mltable_lite.load(f"{endpoint}/{ACCOUNT}/{name}/t?{token}")
    assert table.to_pandas_dataframe()["x"].tolist() == [1]
    signature = token.partition("sig=")[2]
    for text in (str(table), repr(table), str(table.explain()), repr(table._options), repr(table._spec)):
        assert signature not in text
    data = pickle.dumps(table)
    assert signature.encode() not in data
    with pytest.raises(AccessDeniedError, match="never sent to another process"):
        pickle.loads(data).to_pandas_dataframe()


def test_another_process_follows_a_reference(container, monkeypatch):
    name, endpoint, service = container
    service.get_blob_client(name, "a.csv").upload_blob(b"x\n1\n2\n")
    monkeypatch.setenv("THE_KEY", KEY)
    datastores.register_azure_blob_container(
        "blob", name, ACCOUNT, account_key="env:THE_KEY", endpoint=endpoint
    )
    code = "import pandas; print(len(pandas.read_csv('azureml://datastores/blob/paths/a.csv')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "2"


def test_a_bucket_of_s3_is_a_datastore(s3):
    given = s3.direct
    store = datastores.register_s3(
        "bucket",
        "data",
        prefix=s3.uri.partition("data/")[2],
        access_key_id=given["key"],
        secret_access_key=given["secret"],
        region="us-east-1",
        endpoint=given["endpoint_url"],
    )
    pd.DataFrame({"x": [1, 2]}).to_csv(store.path("d/a.csv"), index=False)
    assert s3.names() == ["d/a.csv"]
    assert store.filesystem().glob("**/*.csv") == ["d/a.csv"]
    assert mltable_lite.from_delimited_files([{"folder": store.path("d")}]).count_rows() == 2


def test_a_bucket_of_google_is_a_datastore(gs):
    store = datastores.register_gcs(
        "bucket",
        "data",
        prefix=gs.uri.partition("data/")[2],
        anonymous=True,
        project="p",
        endpoint=gs.direct["endpoint_url"],
    )
    pd.DataFrame({"x": [1, 2]}).to_csv(store.path("d/a.csv"), index=False)
    assert gs.names() == ["d/a.csv"]
    assert store.filesystem().glob("**/*.csv") == ["d/a.csv"]
    assert mltable_lite.from_delimited_files([{"folder": store.path("d")}]).count_rows() == 2
    deltalake.write_deltalake("t", pa.table({"x": [5]}))
    store.upload("t", "t", show_progress=False)
    assert mltable_lite.from_delta_lake(store.path("t")).to_pandas_dataframe()["x"].tolist() == [5]


# --------------------------------------------------------------------------- moving files
def test_a_folder_is_uploaded_and_what_is_there_is_kept(workplace, capsys):
    store = local()
    (workplace / "src/sub").mkdir(parents=True)
    (workplace / "src/a.txt").write_text("a")
    (workplace / "src/sub/b.txt").write_text("b")
    (workplace / "data/up").mkdir(parents=True)
    (workplace / "data/up/a.txt").write_text("old")
    assert store.upload(src_dir="src", target_path="up") == "azureml://datastores/store/paths/up"
    assert capsys.readouterr().out == "upload to store: 1 file, 1 kept as they are\n"
    assert (workplace / "data/up/a.txt").read_text() == "old"
    assert (workplace / "data/up/sub/b.txt").read_text() == "b"
    store.upload(src_dir="src", target_path="up", overwrite=True, show_progress=False)
    assert (workplace / "data/up/a.txt").read_text() == "a"
    assert capsys.readouterr().out == ""


def test_single_files_are_uploaded_side_by_side_or_with_their_folders(workplace):
    store = local()
    (workplace / "src/sub").mkdir(parents=True)
    files = [workplace / "src/a.txt", workplace / "src/sub/a.txt"]
    for file in files:
        file.write_text(file.parent.name)
    with pytest.raises(ArgumentError, match="two files would become 'a.txt'"):
        store.upload_files(files)
    store.upload_files(files, relative_root="src", target_path="t", show_progress=False)
    assert store.filesystem().find("") == ["t/a.txt", "t/sub/a.txt"]
    with pytest.raises(SourceNotFoundError, match="no.txt"):
        store.upload_files(["no.txt"])
    with pytest.raises(SourceNotFoundError, match="no folder"):
        store.upload("nowhere")


def test_files_are_downloaded_under_their_paths(workplace):
    store = local()
    fs = store.filesystem()
    fs.pipe({"d/a.txt": b"a", "d/e/b.txt": b"b", "c.txt": b"c"})
    assert store.download(target_path="out", prefix="d", show_progress=False) == 2
    assert (workplace / "out/d/e/b.txt").read_text() == "b"
    assert not (workplace / "out/c.txt").exists()
    (workplace / "out/d/a.txt").write_text("mine")
    assert store.download(target_path="out", show_progress=False) == 1
    assert (workplace / "out/d/a.txt").read_text() == "mine"
    assert store.download(target_path="out", overwrite=True, show_progress=False) == 1  # the others are equal
    assert (workplace / "out/d/a.txt").read_text() == "a"
    with pytest.raises(SourceNotFoundError, match="there are no files"):
        store.download(target_path="out", prefix="nothing")
    assert sorted(p.name for p in __import__("pathlib").Path(store.as_download()).iterdir()) == ["c.txt", "d"]


def test_files_of_a_container_are_moved_with_checksums_and_again_only_where_they_differ(
    container, workplace, capsys
):
    name, endpoint, service = container
    store = datastores.register_azure_blob_container(
        "blob", name, ACCOUNT, account_key=KEY, endpoint=endpoint
    )
    (workplace / "src/sub").mkdir(parents=True)
    for file in ("a.txt", "sub/b.txt"):
        (workplace / "src" / file).write_text(file)
    store.upload("src", "up")
    assert capsys.readouterr().out == "upload to blob: 2 files\n"
    kept = service.get_blob_client(name, "up/a.txt").get_blob_properties()
    assert bytes(kept.content_settings.content_md5) == hashlib.md5(b"a.txt").digest()
    service.get_blob_client(name, "up/sub/b.txt").upload_blob(b"other", overwrite=True)
    store.upload("src", "up", overwrite=True)
    assert capsys.readouterr().out == "upload to blob: 1 file, 1 kept as they are\n"
    assert service.get_blob_client(name, "up/a.txt").get_blob_properties().etag == kept.etag
    assert store.download("out", "up", show_progress=False) == 2
    assert (workplace / "out/up/sub/b.txt").read_text() == "sub/b.txt"
    (workplace / "out/up/a.txt").write_text("a.tx!")  # of the same size
    assert store.download("out", "up", overwrite=True) == 1
    told = capsys.readouterr()
    assert told.out == "download from blob: 1 file, 1 kept as they are\n"
    assert "copied 5 bytes of 5 bytes" in told.err


def test_a_download_whose_bytes_are_damaged_on_the_way_is_never_written(azurite, workplace):
    proxied = f"http://127.0.0.1:{azurite.proxy.port}"
    root = azurite.uri.removeprefix("az://data/")
    store = datastores.register_azure_blob_container(
        "blob", "data", ACCOUNT, account_key=KEY, endpoint=proxied
    )
    (workplace / "x.bin").write_bytes(b"x" * 1000)
    store.upload_files(["x.bin"], target_path=root, show_progress=False)
    azurite.proxy.fault({"do": "flip", "data": True, "method": "GET", "match": "x.bin"})
    with pytest.raises(StorageError, match=r"x\.bin: the bytes do not have the MD5"):
        store.download("out", root, show_progress=False)
    with pytest.raises(StorageError, match=r"x\.bin: the bytes do not have the MD5"):
        store.filesystem().get(f"{root}/x.bin", "out.bin")
    assert not list((workplace / "out").rglob("*.bin"))
    assert not (workplace / "out.bin").exists()


def test_a_blob_whose_name_leads_out_of_the_folder_is_refused(s3, workplace):
    s3.fs().call_s3("put_object", Bucket="data", Key=s3.uri.rpartition("/")[2] + "/t/../../evil", Body=b"x")
    store = datastores.register_fsspec("bucket", s3.uri, **s3.direct)
    with pytest.raises(ArgumentError, match="leads out of|leaves|must not leave"):
        store.download("in", show_progress=False)
    assert not (workplace / "in").exists()
