"""Texts that are written: the exact form, absolute paths, and never a credential."""

from __future__ import annotations

import datetime

import pytest

from mltable_lite.errors import ArgumentTypeError, SaveError
from mltable_lite.masking import has_credential, masked
from mltable_lite.spec import (
    PathSpec,
    ReadDelimited,
    ReadDeltaLake,
    ReadJsonLines,
    ReadParquet,
    Sample,
    TableSpec,
    Traits,
    parse_text,
    to_mapping,
    to_text,
    to_yaml,
)
from mltable_lite.spec.write import absolute


def table(*steps, path="./a.csv", **more):
    return TableSpec((PathSpec("file", path),), steps, base="/data", **more)


def test_full_text_spells_out_every_default():
    assert to_text(table(ReadDelimited(), Sample(1.0, 1, 0.5))) == (
        "paths:\n- file: file:///data/a.csv\ntransformations:\n- read_delimited:\n    delimiter: ','\n"
        "    empty_as_string: false\n    encoding: utf8\n    header: all_files_same_headers\n"
        "    include_path_column: false\n    infer_column_types: true\n    partition_size: 20971520\n"
        "    path_column: Path\n    support_multi_line: false\n- sample:\n    sampler: random_percent\n"
        "    sampler_arguments:\n      probability: 1.0\n      probability_lower_bound: 0.5\n      seed: 1\n"
        "type: mltable\n"
    )


def test_full_text_of_the_other_readers():
    steps = to_mapping(table(ReadParquet(), ReadJsonLines(), ReadDeltaLake()), full=True)["transformations"]
    assert steps == [
        {"read_parquet": {"include_path_column": False, "path_column": "Path"}},
        {"read_json_lines": {
            "invalid_lines": "error", "encoding": "utf8", "include_path_column": False, "partition_size": 20971520,
            "path_column": "Path",
        }},
        {"read_delta_lake": {"include_path_column": False}},
    ]  # fmt: skip


def test_minimal_text_keeps_paths_and_leaves_defaults_out():
    spec = table(
        ReadDelimited(delimiter=";"),
        schema="http://x",
        traits=Traits(None, ("a",)),
        metadata={"b": 1, "a": None},
    )
    assert to_yaml(to_mapping(spec, full=False)) == (
        "$schema: http://x\nmetadata:\n  a: null\n  b: 1\npaths:\n- file: ./a.csv\ntraits:\n  index_columns:\n  - a\n"
        "transformations:\n- read_delimited:\n    delimiter: ;\ntype: mltable\n"
    )


@pytest.mark.parametrize(
    ("value", "base", "uri"),
    [
        ("./a.csv", "/d", "file:///d/a.csv"),
        ("././a b.csv", "/d/", "file:///d/a b.csv"),
        ("../x/**/*.csv", "/d/e", "file:///d/x/**/*.csv"),
        ("sub/", "/d", "file:///d/sub"),
        ("", "/d", "file:///d"),
        ("/abs/a.csv", "/d", "file:///abs/a.csv"),
        ("/abs/a.csv", "abfss://c@acc.dfs.core.windows.net/t", "file:///abs/a.csv"),
        ("a.csv", "file:///d/e", "file:///d/e/a.csv"),
        ("file:///x/a.csv", "/d", "file:///x/a.csv"),
        ("./a.csv", "abfss://c@acc.dfs.core.windows.net/t", "abfss://c@acc.dfs.core.windows.net/t/a.csv"),
        ("../a.csv", "azureml://datastores/d/paths/t/", "azureml://datastores/d/paths/a.csv"),
        ("a.csv", "https://host", "https://host/a.csv"),
        ("a.csv", "https://host/t?version=1", "https://host/t/a.csv?version=1"),
        ("azureml:/subscriptions/s", "/d", "azureml:/subscriptions/s"),
        (r"C:\d\a.csv", "/d", "file:///C:/d/a.csv"),
        ("a.csv", r"C:\d", "file:///C:/d/a.csv"),
    ],
)
def test_paths_become_absolute(value, base, uri):
    assert absolute(value, base) == uri


SECRET = "T0pSecret"
CREDENTIALS = [
    f"https://host/c/a.csv?sv=2024&sig={SECRET}&se=1",
    f"https://host/a.csv?SIG={SECRET}",
    f"https://host/a.csv?a=1%26sig%3D{SECRET}",
    f"https://user:{SECRET}@host/a.csv",
    f"https://{SECRET}@host/a.csv",
    f"abfss://user:{SECRET}@acc.dfs.core.windows.net/a.csv",
    f"https://bucket.host/a.csv?X-Amz-Signature={SECRET}",
    f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={SECRET};EndpointSuffix=y",
    f"Server=x;Password={SECRET}",
]
HARMLESS = [
    "wasbs://data@acc.blob.core.windows.net/a.csv",
    "abfss://c@acc.dfs.core.windows.net/a@b.csv",
    "https://host/a.csv?design=1&version=2",
    "https://host/me@home/a.csv",
    'token == "x" and password=="y"',
    "./sig/a.csv",
    "/d/sign=1.csv",
]


@pytest.mark.parametrize("text", CREDENTIALS)
def test_credentials_are_refused_and_masked(text):
    spec = table(path=text)
    for full in (True, False):
        with pytest.raises(SaveError, match="credential") as caught:
            to_mapping(spec, full=full)
        assert SECRET not in str(caught.value)
    assert SECRET not in to_text(spec)
    assert "***" in masked(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_texts_are_written_as_they_are(text):
    assert not has_credential(text)
    assert masked(text) == text
    assert to_mapping(table(path=text), full=False)["paths"] == [{"file": text}]


def test_credentials_in_metadata_and_queries_are_refused():
    for more in (
        {"metadata": {"a": [{"b": CREDENTIALS[0]}]}},
        {"query_source": {"connection": CREDENTIALS[-2]}},
    ):
        with pytest.raises(SaveError, match="credential"):
            to_mapping(table(**more), full=False)


def test_credentials_do_not_show_in_errors_of_the_spec():
    for text in CREDENTIALS:
        for yaml in (
            f"paths: '{text}'",
            f"paths: ['{text}']",
            f"paths: [{{'{text}': x}}]",
            f"'{text}': x",
            f"type: '{text}'\n- a",
        ):
            with pytest.raises(ValueError, match="MLTable") as caught:
                parse_text(yaml, source="MLTable", base="/d")
            assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", {1: "a", "b": "c"}])
def test_what_yaml_cannot_hold_is_refused(value):
    with pytest.raises(ArgumentTypeError, match="metadata"):
        to_yaml(to_mapping(table(metadata={"k": value}), full=False))


def test_dates_in_metadata_come_back_as_text():
    text = to_yaml(to_mapping(table(metadata={"day": datetime.date(2020, 1, 2)}), full=False))
    assert parse_text(text, source="MLTable", base="/d")[0].metadata == {"day": "2020-01-02"}


def test_shared_values_are_written_out():
    shared = ["x"]
    assert "&" not in to_yaml({"a": shared, "b": shared})
