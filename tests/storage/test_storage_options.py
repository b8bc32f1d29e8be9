from __future__ import annotations

import pickle

from mltable_lite.storage.azure import adlfs_options, object_store_options
from mltable_lite.storage.options import StorageOptions, without_secrets
from mltable_lite.storage.uri import parse_uri

OPTIONS = {
    "account_name": "acc",
    "account_key": "s3cr3t",
    "anon": False,
    "credential": object(),
    "client_kwargs": {"headers": {"Authorization": "Bearer s3cr3t"}, "trust_env": True},
}


def test_secrets_are_not_shown():
    shown = repr(StorageOptions(OPTIONS))
    assert "s3cr3t" not in shown
    assert "object at" not in shown
    assert "'account_name': 'acc'" in shown
    assert "'account_key': '***'" in shown


def test_secrets_stay_behind_when_pickled_and_are_named():
    data = pickle.dumps(StorageOptions(OPTIONS))
    assert b"s3cr3t" not in data
    other = pickle.loads(data)
    assert dict(other) == {
        "account_name": "acc",
        "anon": False,
        "client_kwargs": {"headers": {}, "trust_env": True},
    }
    assert other.dropped == ("account_key", "credential", "client_kwargs")
    assert pickle.loads(pickle.dumps(other)).dropped == other.dropped


def test_options_compare_and_hash_by_value():
    assert StorageOptions({"a": {"b": [1]}}) == StorageOptions({"a": {"b": [1]}})
    assert hash(StorageOptions({"a": {"b": [1]}})) == hash(StorageOptions({"a": {"b": [1]}}))
    assert StorageOptions({"a": 1}) != StorageOptions({"a": 2})


def test_texts_of_other_libraries_lose_queries_and_secrets():
    text = "GET https://me:pw1234@host/a.csv?sig=abc failed for key s3cr3t"
    assert without_secrets(text, ("s3cr3t",)) == "GET https://host/a.csv failed for key ***"


def test_a_credential_turns_anonymous_access_off(monkeypatch):
    for name in ("KEY", "CONNECTION_STRING", "SAS_TOKEN"):
        monkeypatch.delenv(f"AZURE_STORAGE_{name}", raising=False)
    public = parse_uri("https://acc.blob.core.windows.net/c/a.csv")
    assert adlfs_options(public, {}) == {"account_name": "acc", "anon": True}
    assert adlfs_options(public, {"account_key": "k"})["anon"] is False
    assert adlfs_options(public, {"anon": False})["anon"] is False
    signed = parse_uri("https://acc.blob.core.windows.net/c/a.csv?sv=1&sig=x")
    assert adlfs_options(signed, {}) == {"account_name": "acc", "sas_token": "sv=1&sig=x", "anon": False}
    assert "anon" not in adlfs_options(parse_uri("abfss://c@acc.dfs.core.windows.net/a"), {})


def test_object_store_gets_the_same_credential_in_its_own_words():
    table = parse_uri("abfss://c@acc.dfs.core.windows.net/t")
    assert object_store_options(table, {"account_key": "k"}) == {"account_name": "acc", "account_key": "k"}
    text = (
        "DefaultEndpointsProtocol=http;AccountName=dev;AccountKey=a2V5==;BlobEndpoint=http://127.0.0.1:1/dev"
    )
    assert object_store_options(parse_uri("az://c/t"), {"connection_string": text}) == {
        "account_name": "dev",
        "account_key": "a2V5==",
        "endpoint": "http://127.0.0.1:1/dev",
        "allow_http": "true",
    }
