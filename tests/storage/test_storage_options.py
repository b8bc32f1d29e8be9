from __future__ import annotations

import pickle

import pytest

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


def test_passwords_in_any_address_are_taken_out_and_containers_stay():
    text = "sftp://me:pw1234@host/a failed, abfss://c@acc.dfs.core.windows.net/a and http://me@host/a did not"
    assert without_secrets(text) == (
        "sftp://host/a failed, abfss://c@acc.dfs.core.windows.net/a and http://host/a did not"
    )


SIGNED = parse_uri("https://acc.blob.core.windows.net/c/t?sv=1&sig=s3cr3t")


@pytest.mark.parametrize(
    ("uri", "signed"),
    [
        ("https://acc.blob.core.windows.net/c/t/a.csv", True),
        ("abfss://c@acc.dfs.core.windows.net/x.csv", True),
        ("https://acc.blob.core.windows.net/d/a.csv", False),
        ("https://other.blob.core.windows.net/c/t/a.csv", False),
        ("https://acc.blob.core.chinacloudapi.cn/c/a.csv", False),
        ("https://host.org/c/t/a.csv", False),
        ("/c/t/a.csv", False),
    ],
)
def test_the_credential_of_an_address_is_good_for_its_container_alone(uri, signed):
    options = StorageOptions({"x": 1}).keeping_secrets_of(SIGNED)
    assert bool(options.sign(parse_uri(uri)).secrets) is signed
    assert "s3cr3t" not in repr(options)
    assert any("s3cr3t" in secret for secret in options.secrets)


def test_the_credential_of_an_address_stays_behind_and_is_missed():
    options = StorageOptions().keeping_secrets_of(SIGNED)
    assert options
    assert options != StorageOptions()
    data = pickle.dumps(options)
    assert b"s3cr3t" not in data
    place = pickle.loads(data).sign(parse_uri("https://acc.blob.core.windows.net/c/t/a.csv"))
    assert (place.secrets, place.lost_secrets) == ((), True)
    own = parse_uri("https://acc.blob.core.windows.net/c/t/a.csv?sv=1&sig=own")
    assert options.sign(own) is own


def test_an_emulator_is_reached_by_its_whole_address():
    place = parse_uri("http://127.0.0.1:10000/devstoreaccount1/c/t")
    assert adlfs_options(place, {"account_key": "k"})["connection_string"] == (
        "AccountName=devstoreaccount1;BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;AccountKey=k"
    )
    assert object_store_options(place, {"account_key": "k"}) == {
        "account_name": "devstoreaccount1",
        "account_key": "k",
        "endpoint": "http://127.0.0.1:10000/devstoreaccount1",
        "allow_http": "true",
    }
    secure = parse_uri("https://127.0.0.1:10000/devstoreaccount1/c/t")
    assert adlfs_options(secure, {})["account_host"] == "127.0.0.1:10000/devstoreaccount1"


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
