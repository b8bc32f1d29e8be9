from __future__ import annotations

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import ArgumentError, UnsupportedFeatureError
from mltable_lite.storage.uri import parse_uri


@pytest.mark.parametrize(
    ("text", "base", "expected"),
    [
        ("a.csv", "/x/y", "/x/y/a.csv"),
        ("./a.csv", "/x/y", "/x/y/a.csv"),
        ("../b//c.csv", "/x/y", "/x/b/c.csv"),
        ("/abs/a.csv", "/x/y", "/abs/a.csv"),
        ("a.csv", "file:///x/y", "/x/y/a.csv"),
        ("file:///abs/a.csv", "/x", "/abs/a.csv"),
        ("file://localhost/abs/a.csv", "", "/abs/a.csv"),
        ("file:/abs/a.csv", "", "/abs/a.csv"),
        ("FILE:///abs/a.csv", "", "/abs/a.csv"),
        ("p%20c é#?.csv", "/x", "/x/p%20c é#?.csv"),
        ("/abs/a.csv", "abfss://c@a.dfs.core.windows.net/t", "/abs/a.csv"),
    ],
)
def test_local_paths_become_absolute_and_are_never_decoded(text, base, expected):
    location = parse_uri(text, base)
    assert location.is_local
    assert location.path == location.uri == location.display == expected


def test_a_relative_path_without_base_is_relative_to_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert parse_uri("a.csv").path == os.path.join(os.getcwd(), "a.csv")  # noqa: PTH109, PTH118


@pytest.mark.parametrize(
    ("text", "path", "options"),
    [
        ("azureml:n:1/d/a.csv", "d/a.csv", {"asset": "n", "version": "1"}),
        ("azureml:n", "", {"asset": "n"}),
        ("azureml:n@latest", "", {"asset": "n", "version": "latest"}),
        ("azureml:/subscriptions/s/resourceGroups/r/workspaces/w/data/n/labels/latest", "", None),
        (
            "azureml://registries/reg/data/n/versions/2/a.csv",
            "a.csv",
            {"registry": "reg", "asset": "n", "version": "2"},
        ),
        ("azureml://datastores/d", "", {"datastore": "d"}),
        ("azureml://datastores/d/paths", "", {"datastore": "d"}),
        ("azureml://datastores/d/pathsx/a", "pathsx/a", {"datastore": "d"}),
        ("azureml:azureml://datastores/d/paths/a", "a", {"datastore": "d"}),
        ("AzureML://Datastores/d/paths/a", "a", {"datastore": "d"}),
        ("AmlDatastore://d/x/a.csv", "x/a.csv", {"datastore": "d"}),
    ],
)
def test_every_form_of_azure_ml_is_taken_and_its_text_means_the_same_again(text, path, options):
    location = parse_uri(text)
    assert (location.protocol, location.path) == ("azureml", path)
    if options is not None:
        assert dict(location.options) == options
    again = parse_uri(location.uri)
    assert (again.options, again.key) == (location.options, location.key)
    below = location.join("sub/b.csv")
    assert parse_uri(below.uri) == below


@pytest.mark.parametrize(
    ("text", "uri", "path"),
    [
        ("sftp://me:s3cr3t@host:22/d/a.csv", "sftp://host:22/d/a.csv", "sftp://me:s3cr3t@host:22/d/a.csv"),
        ("ftp://host/d", "ftp://host/d", "ftp://host/d"),
        ("hdfs:///d/a.csv", "hdfs:///d/a.csv", "hdfs:///d/a.csv"),
        ("hf://datasets/a/b.csv", "hf://datasets/a/b.csv", "hf://datasets/a/b.csv"),
    ],
)
def test_what_fsspec_knows_is_an_address_that_its_filesystem_gets_whole(text, uri, path):
    location = parse_uri(text)
    assert (location.uri, location.path) == (uri, path)
    assert "s3cr3t" not in repr(location)


def test_the_address_of_an_emulator_is_azures():
    for text in (
        "http://127.0.0.1:10000/devstoreaccount1/c/d/a.csv",
        "http://localhost:10000/acc/c/d/a.csv?sv=1&sig=x",
    ):
        location = parse_uri(text)
        assert (location.protocol, location.path) == ("abfs", "c/d/a.csv")
        assert location.uri == text.partition("?")[0]
    assert parse_uri("http://127.0.0.1:8000/files/c/a.csv?sig=x").protocol == "http"


LONG = "azureml://subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/"


@pytest.mark.parametrize(
    ("text", "protocol", "path", "options"),
    [
        ("abfss://data@acc.dfs.core.windows.net/d/a.csv", "abfs", "data/d/a.csv", {"account_name": "acc"}),
        ("abfs://data@acc.dfs.core.windows.net/d", "abfs", "data/d", {"account_name": "acc"}),
        ("wasbs://data@acc.blob.core.windows.net/d/a.csv", "abfs", "data/d/a.csv", {"account_name": "acc"}),
        ("wasb://data@acc.blob.core.windows.net/", "abfs", "data/", {"account_name": "acc"}),
        ("az://data/d/a.csv", "abfs", "data/d/a.csv", {}),
        (
            "abfss://data@acc.dfs.core.chinacloudapi.cn/a",
            "abfs",
            "data/a",
            {"account_name": "acc", "account_host": "acc.blob.core.chinacloudapi.cn"},
        ),
        (
            "https://acc.blob.core.windows.net/data/d%20e/a.csv",
            "abfs",
            "data/d e/a.csv",
            {"account_name": "acc", "anon": "true"},
        ),
        ("azureml:wasbs://data@acc.blob.core.windows.net/a", "abfs", "data/a", {"account_name": "acc"}),
        ("https://host.org/d/a.csv", "https", "https://host.org/d/a.csv", {}),
        ("s3://bucket/d//a.csv", "s3", "bucket/d//a.csv", {}),
        ("gs://bucket/d/a.csv", "gs", "bucket/d/a.csv", {}),
        ("memory://d/a.csv", "memory", "/d/a.csv", {}),
        ("dbfs:/d/a.csv", "dbfs", "/d/a.csv", {}),
        ("dbfs:///d/a.csv", "dbfs", "/d/a.csv", {}),
        (
            "azureml://datastores/store/paths/d/a.csv",
            "azureml",
            "d/a.csv",
            {"datastore": "store"},
        ),
        ("azureml:titanic:3", "azureml", "", {"asset": "titanic", "version": "3"}),
        ("azureml:titanic@latest", "azureml", "", {"asset": "titanic", "version": "latest"}),
        (
            "azureml://subscriptions/s/resourcegroups/r/workspaces/w/datastores/d/paths/p/*.csv",
            "azureml",
            "p/*.csv",
            {"subscription": "s", "resource_group": "r", "workspace": "w", "datastore": "d"},
        ),
        (
            LONG + "w/data/n/versions/2",
            "azureml",
            "",
            {"subscription": "s", "resource_group": "r", "workspace": "w", "asset": "n", "version": "2"},
        ),
    ],
)
def test_every_scheme_names_its_filesystem_and_path(text, protocol, path, options):
    location = parse_uri(text)
    assert (location.protocol, location.path, dict(location.options)) == (protocol, path, options)
    assert location.uri == text.removeprefix("azureml:" if "wasbs" in text else "").replace(
        "dbfs:/d", "dbfs:///d"
    ).rstrip("/")


@pytest.mark.parametrize(
    "uri",
    [
        "https://host.org/d/a.csv?sv=1&sig=s3cr3t",
        "https://me:s3cr3t@host.org/d/a.csv",
        "https://acc.blob.core.windows.net/data/d/a.csv?sv=1&sig=s3cr3t",
        "abfss://data@acc.dfs.core.windows.net/d/a.csv?sv=1&sig=s3cr3t",
    ],
)
def test_credentials_in_a_uri_are_used_but_never_shown_or_pickled(uri):
    location = parse_uri(uri)
    assert "s3cr3t" in str(location.secrets)
    for shown in (location.uri, location.display, repr(location), str(location)):
        assert "s3cr3t" not in shown
    data = pickle.dumps(location)
    assert b"s3cr3t" not in data
    other = pickle.loads(data)
    assert (other.uri, other.secrets, other.lost_secrets) == (location.uri, (), True)


def test_a_relative_path_below_a_signed_uri_keeps_the_signature():
    location = parse_uri("d/../e/a.csv", "https://host.org/t?sig=s3cr3t")
    assert location.path == "https://host.org/t/e/a.csv?sig=s3cr3t"
    assert location.uri == "https://host.org/t/e/a.csv"


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("a.csv", "t/u/a.csv"),
        ("../a.csv", "t/a.csv"),
        ("./x//a.csv", "t/u/x/a.csv"),
        ("../../../a.csv", "a.csv"),
    ],
)
def test_relative_paths_join_to_a_remote_base(relative, expected):
    base = "abfss://c@acc.dfs.core.windows.net/t/u"
    assert parse_uri(relative, base).uri == "abfss://c@acc.dfs.core.windows.net/" + expected


def test_a_question_mark_in_a_pattern_is_no_query():
    assert parse_uri("https://acc.blob.core.windows.net/c/t/?.csv").key == "t/?.csv"


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("adl://store.azuredatalakestore.net/a", UnsupportedFeatureError, "retired"),
        ("ftpx://host/a", ArgumentError, "scheme 'ftpx' is not known.*Did you mean 'ftp'"),
        ("zip://a.csv::/x/y.zip", ArgumentError, "'::'"),
        ("s3://key:s3cr3t@bucket/a", ArgumentError, "storage_options"),
        ("abfss://@acc.dfs.core.windows.net/a", ArgumentError, "container is missing"),
        ("https:///a.csv", ArgumentError, "without a host"),
        ("azureml://models/x", ArgumentError, "not an azureml address"),
        ("file://server/a.csv", ArgumentError, "three slashes"),
    ],
)
def test_what_is_no_address_is_refused_with_the_accepted_form(text, error, match):
    with pytest.raises(error, match=match) as caught:
        parse_uri(text)
    assert "s3cr3t" not in str(caught.value)


def test_decoded_names_the_file_with_a_space_only_for_file_uris():
    assert parse_uri("file:///a%20b").decoded() == parse_uri("/a b")
    assert parse_uri("/a%20b").decoded() is None


def test_the_parent_of_a_place_is_its_folder_up_to_the_root():
    location = parse_uri("s3://b/d/a.csv")
    assert location.parent.uri == "s3://b/d"
    assert location.parent.parent.uri == location.parent.parent.parent.uri == "s3://b"
    assert parse_uri("/d/a.csv").parent.parent.path == parse_uri("/").parent.path == "/"


_names = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1
).filter(lambda s: s not in (".", ".."))


@given(st.lists(_names, min_size=1, max_size=4))
def test_any_names_below_a_base_come_out_unchanged(names):
    relative = "/".join(names)
    if ":/" in relative:
        return
    assert parse_uri("./" + relative, "/base").path == "/base/" + relative
    assert parse_uri("./" + relative, "s3://b/base").path == "b/base/" + relative
