"""What the parser adds to the tree: lines, seeds, defaults; and how long it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from mltable_lite.errors import SpecError, SpecWarning
from mltable_lite.spec import ReadDelimited, Take, TakeRandomSample, Traits, parse_text
from mltable_lite.spec.validate import load_schema


def parse(text):
    return parse_text(text, source="data/MLTable", base="/d")


def test_spec_knows_its_source_base_and_lines():
    text = "# one\npaths:\n- file: a\n\n- folder: b\ntransformations:\n- read_delimited\n- take: 5\n"
    spec, notices = parse(text)
    assert (spec.source, spec.base) == ("data/MLTable", "/d")
    assert [path.line for path in spec.paths] == [3, 5]
    assert spec.steps == (ReadDelimited(), Take(5))
    assert spec.step_lines == (7, 8)
    assert len(notices) == 0


def test_errors_name_the_source():
    with pytest.raises(SpecError, match=r"data/MLTable:1:8 paths: 5 is not accepted"):
        parse("paths: 5")


def test_issues_are_told_all_at_once_in_file_order():
    with pytest.raises(SpecError) as caught:
        parse("zzz: 1\ntransformations: 5\npaths: 6\naaa: 2\n")
    assert [issue.line for issue in caught.value.issues] == [1, 2, 3, 4]


@pytest.mark.parametrize("pattern", ["(", "a{99999999999999999999}", "(" * 5000 + ")" * 5000, "\\\\p{L}"])
def test_bad_regular_expressions_are_refused_with_their_line(pattern):
    with pytest.raises(SpecError, match="MLTable:3:27 .*is no regular expression") as caught:
        parse(f'paths: []\ntransformations:\n- keep_columns: {{pattern: "{pattern}"}}\n')
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "text",
    [
        "paths: [{file: '" + "a." * 200_000 + "', x: 1}]",
        "paths: '" + "a." * 200_000 + "'",
        "paths: '" + "a://" * 100_000 + "'",
        "'" + "a." * 200_000 + "': 1",
        'x: "' + ": {" * 100_000,
        "? " + "k" * 500 + "\n: 1\n? " + "k" * 500 + "\n: 2\n",
        "a: *" + "b" * 100_000,
        "a: !" + "b" * 100_000 + " x",
    ],
    ids=range(8),
)
def test_long_texts_are_explained_shortly_and_soon(text):
    started = time.process_time()
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert time.process_time() - started < 5  # minutes, where a pattern tries again and again
    assert len(str(caught.value)) < 700


def test_a_flood_of_issues_is_cut():
    with pytest.raises(SpecError, match="there may be more") as caught:
        parse("paths: [" + "x, " * 30_000 + "]")
    assert len(caught.value.issues) == 51


def test_a_table_may_list_many_files():
    files = [f"./part-{number:05}.parquet" for number in range(10_000)]
    spec, _ = parse("paths:\n" + "".join(f"- file: {name}\n" for name in files))
    assert [path.value for path in spec.paths] == files


def test_missing_seed_is_drawn_once_and_kept():
    text = "paths: []\ntransformations:\n- take_random_sample: {probability: 0.5}\n"
    seeds = {parse(text)[0].steps[0].seed for _ in range(5)}
    assert len(seeds) > 1
    assert all(isinstance(seed, int) and seed >= 0 for seed in seeds)


def test_whole_probability_becomes_a_float():
    spec, _ = parse("paths: []\ntransformations:\n- take_random_sample: {probability: 1, seed: 3}\n")
    assert spec.steps == (TakeRandomSample(1.0, 3),)
    assert isinstance(spec.steps[0].probability, float)


def test_traits_keep_unknown_keys():
    spec, _ = parse("paths: []\ntraits: {timestamp_column: t, index_columns: [2020, b], team: x}\n")
    assert spec.traits == Traits("t", ("2020", "b"), {"team": "x"})


def test_lenient_forms_warn_with_place_and_right_spelling():
    _, notices = parse("type: table\npaths: []\n")
    (notice,) = notices
    assert notice.category is SpecWarning
    assert notice.where == "data/MLTable:1:7"
    assert notice.fix == "Write type: mltable."


def test_schema_is_valid_and_explains_every_property_to_an_editor():
    from jsonschema import Draft202012Validator

    schema = load_schema()
    Draft202012Validator.check_schema(schema)
    for definition in _schemas(schema):
        for name, prop in definition.get("properties", {}).items():
            target = schema["$defs"][prop["$ref"].rsplit("/")[-1]] if "$ref" in prop else {}
            whole = {**target, **prop}
            missing = {"title", "description", "examples"} - set(whole)
            assert not missing, (name, missing)
            checked = Draft202012Validator({**prop, "$defs": schema["$defs"]})
            for example in [*whole["examples"], *([whole["default"]] if "default" in whole else [])]:
                checked.validate(example)


def _schemas(value):
    if isinstance(value, dict):
        if "title" in value and isinstance(value.get("properties"), dict):
            yield value
        for inner in value.values():
            yield from _schemas(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _schemas(inner)


def test_every_default_of_the_schema_is_the_default_of_the_model():
    steps = load_schema()["$defs"]["step"]["anyOf"][1]["properties"]
    assert set(steps["read_delimited"]["properties"]) == set(ReadDelimited.__dataclass_fields__)
    for name, option in steps["read_delimited"]["properties"].items():
        assert option["default"] == ReadDelimited.__dataclass_fields__[name].default


def test_importing_the_spec_loads_neither_yaml_nor_jsonschema():
    code = "import sys, json, mltable_lite.spec; print(json.dumps([m for m in ('yaml', 'jsonschema', 'pyarrow', 'pandas') if m in sys.modules]))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
