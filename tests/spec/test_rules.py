"""What the texts of a file mean is checked when it is loaded, beside its form: all mistakes at once, in file order."""

from __future__ import annotations

import pickle

import pytest

import mltable_lite as mltable
from mltable_lite.errors import ArgumentError, FilterSyntaxError, SpecError
from mltable_lite.spec import parse_text
from mltable_lite.spec.read import read


@pytest.fixture
def load(tmp_path):
    def write_and_load(steps):
        (tmp_path / "MLTable").write_text(f"paths:\n- file: ./a.csv\ntransformations:\n{steps}")
        return mltable.load(tmp_path)

    return write_and_load


def issues(load, steps):
    with pytest.raises(SpecError) as caught:
        load(steps)
    return caught.value


def test_every_mistake_of_a_file_comes_at_once_in_file_order(load):
    error = issues(
        load,
        "- read_delimited: {delimiter: '\"'}\n"
        "- filter: id = 3\n"
        "- take: x\n"
        "- convert_column_types:\n"
        "  - columns: a\n"
        "    column_type: {datetime: {formats: yyyy-MM-dd}}\n"
        "  - columns: b\n"
        "    column_type: {datetime: {formats: ['%Y-%m-%d', '%H:%M']}}\n"
        "- read_delta_lake: {timestamp_as_of: yesterday}\n"
        "- extract_columns_from_partition_format: '/{a}/{a}/'\n"
        "- sample: {sampler: random_percent, sampler_arguments: {probability: 0.1, probability_lower_bound: 1}}\n",
    )
    found = [(issue.line, issue.column, issue.key.rpartition("].")[2]) for issue in error.issues]
    assert found == [
        (4, 31, "read_delimited.delimiter"),
        (5, 11, "filter"),
        (6, 9, "take"),
        (9, 39, "column_type.datetime.formats"),
        (11, 52, "column_type.datetime.formats[1]"),
        (12, 3, "transformations[4]"),
        (12, 38, "read_delta_lake.timestamp_as_of"),
        (13, 42, "extract_columns_from_partition_format"),
        (14, 100, "sample.sampler_arguments.probability_lower_bound"),
    ]
    text = str(error)
    for part in (
        (
            "MLTable:5:11 transformations[1].filter: '=' is not an operator here; it is written '=='. Write: id == 3\n"
            "      id = 3\n         ^\n"
        ),
        "Did you mean '%Y-%m-%d'?",
        "'%H:%M' says a time but no date",
        "2 read steps (read_delimited, read_delta_lake); a table has one.",
        "'yesterday' is not an RFC 3339 time",
        "the name 'a' stands in it twice",
    ):
        assert part in text


def test_a_filter_that_is_none_is_a_filter_syntax_error_as_well(load):
    error = issues(load, "- filter: a ==\n")
    assert isinstance(error, FilterSyntaxError)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.issues) == (type(error), str(error), error.issues)


@pytest.mark.parametrize("steps", ["- take: x\n", "- read_parquet\n- read_json_lines\n"])
def test_other_mistakes_are_no_filter_syntax_errors(load, steps):
    error = issues(load, steps)
    assert isinstance(error, ArgumentError)  # what reading raised, before loading told
    assert not isinstance(error, FilterSyntaxError)


@pytest.mark.parametrize(
    "column_type",
    [
        "{formats: '%H:%M', date_constant: '2020-01-02'}",
        "{formats: ['%Y', '%d/%m/%y']}",
        "{formats: '%s'}",
    ],
)
def test_formats_of_whole_instants_are_right(load, column_type):
    load(f"- convert_column_types: [{{columns: a, column_type: {{datetime: {column_type}}}}}]\n")


@pytest.mark.parametrize(
    "steps",
    [
        "- read_delimited\n- filter: col('a') > 1 # note\n- extract_columns_from_partition_format: '/{a}/'\n",
        "- read_delta_lake: {timestamp_as_of: '2024-05-01T00:00:00Z'}\n",
        "- read_delta_lake: {timestamp_as_of: null}\n",
        "- filter: |\n    a > 1\n    and b is null\n",
    ],
)
def test_right_texts_are_right(load, steps):
    load(steps)


def test_a_wrong_override_is_told_with_its_place(load):
    overrides = "[{columns: a, column_type: {datetime: {formats: '%Q'}}}]"
    error = issues(
        load, f"- read_delimited: {{infer_column_types: {{column_type_overrides: {overrides}}}}}\n"
    )
    assert "'%Q' in format '%Q' is not known" in str(error)


def test_a_text_that_yaml_ends_at_a_comment_is_shown_in_quotes(load):
    error = issues(load, '- filter: name == "n #3"\n')
    assert str(error).endswith(
        "YAML takes ' #' for the beginning of a comment. Put the whole filter in quotes: filter: 'name == \"n #3\"'"
    )


def test_a_comment_that_mends_nothing_is_not_blamed(load):
    assert "YAML takes" not in str(issues(load, "- filter: id = 3  # only these\n"))
    assert "YAML takes" not in str(issues(load, "- filter: 'id = 3' # == 4\n"))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_scalar_knows_the_comment_behind_it(end):
    text = end.join(
        ["\ufeff# é", "é: [ü 'x' #5] 7, b]", "c: 'q' # z", "d: w\t # v", "e: x#y", "f: |  # n", "  g # h", ""]
    )
    root = read(text.replace("[ü 'x' #5] 7, b]", "ü 'x' #5"), "MLTable")
    assert {key: node.comment for key, node in root.value.items()} == {
        "é": " #5", "c": "", "d": "\t # v", "e": "", "f": "",
    }  # fmt: skip


def test_a_text_alone_is_only_asked_for_its_form():
    spec, _ = parse_text("paths: []\ntransformations: [{filter: a =}]\n", source="MLTable", base="/d")
    assert spec.steps[0].expression == "a ="


def test_no_credential_comes_back_in_an_issue(load):
    assert "hunter2" not in str(issues(load, "- filter: 'a = \"https://x?password=hunter2&b\"'\n"))
