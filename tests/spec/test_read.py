"""The YAML reader: what plain words mean, where things stand, and what is refused in time."""

from __future__ import annotations

import math
import time

import pytest

from mltable_lite.errors import SpecError
from mltable_lite.spec.read import MAX_BYTES, read, resolve


def refusal(text):
    started = time.process_time()
    with pytest.raises(SpecError) as caught:
        read(text, "MLTable")
    return str(caught.value), time.process_time() - started


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False), ("yes", "yes"), ("no", "no"),
        ("On", "On"), ("0", 0), ("-12", -12), ("+3", 3), ("012", "012"), ("0o14", "0o14"), ("0x1F", 31), ("0b11", 3),
        ("1_000", 1000), ("1:30", "1:30"), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1.5E-2", 0.015),
        ("-.inf", -math.inf), ("2020-01-01", "2020-01-01"), ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z"),
        ("0x", "0x"), ("_1", "_1"), ("1e", "1e"), ("9" * 5000, "9" * 5000), ("=", "="),
    ],
)  # fmt: skip
def test_plain_words_mean_what_yaml_1_2_says(written, meant):
    found = resolve(written)
    assert found == meant
    assert type(found) is type(meant)


def test_not_a_number_is_a_number():
    assert math.isnan(resolve(".nan"))


def test_every_value_and_key_knows_its_place():
    root = read("a: 1\nb:\n  - {c: 'x'}\n  - >\n    folded\n", "MLTable")
    assert root.at(("b", 0, "c")).place == (3, 9)
    assert root.at(("b", 0, "c")).key_place == (3, 6)
    assert root.at(("b",)).key_place == (2, 1)
    assert root.plain() == {"a": 1, "b": [{"c": "x"}, "folded\n"]}


def test_quotes_and_tags_make_text():
    root = read("[\"1\", '1', !!str 1, !!int 1, 1]", "MLTable")
    assert root.plain() == ["1", "1", "1", 1, 1]
    assert [item.quoted for item in root.children()] == [True, True, False, False, False]


def test_keys_are_text_as_spelled():
    assert read("{1: a, 2020-01-01: b, true: c, null: d}", "MLTable").plain() == {
        "1": "a", "2020-01-01": "b", "true": "c", "null": "d",
    }  # fmt: skip


def test_merged_keys_give_way_to_own_and_earlier_ones():
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {<<: [*a, *b], x: 3}\n"
    assert read(text, "MLTable").plain()["c"] == {"x": 3, "y": 1, "z": 2}


def test_quoted_merge_sign_is_a_key():
    assert read("{'<<': 1}", "MLTable").plain() == {"<<": 1}


def test_marks_of_an_alias_are_where_the_alias_stands():
    assert read("a: &a {x: 1}\nb: *a\n", "MLTable").at(("b",)).place == (2, 4)


def test_byte_order_mark_and_crlf_are_fine():
    assert read(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", "MLTable").plain() == {"a": 1, "b": 2}
    assert read("\ufeffa: 1", "MLTable").plain() == {"a": 1}


def test_one_document_may_begin_with_a_marker_and_a_version():
    assert read("%YAML 1.1\n---\na: 1\n...\n", "MLTable").plain() == {"a": 1}


LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9)
)
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}], k{n}: 1}}\n" for n in range(1, 12)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[[[[[*a{n - 1}]]]]]]]\n" for n in range(1, 20))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(LAUGHS, "more than", id="billion laughs"),
        pytest.param(MERGES, "more than", id="merged laughs"),
        pytest.param(CHAIN, "deep", id="depth by aliases"),
        pytest.param("a: &a {b: *a}", "no complete anchor", id="recursion"),
        pytest.param("[" * 500_000, "deep", id="nested lists"),
        pytest.param("{a: " * 200_000, "deep", id="nested mappings"),
        pytest.param("- " * 200_000, "deep", id="nested items"),
        pytest.param("? " * 200_000, "deep", id="nested keys"),
        pytest.param("a: [" + "x," * 400_000, "more than 100000 values", id="many values"),
        pytest.param("- &a x\n" * 101_000, "more than 100000 values", id="many anchors"),
        pytest.param("- &a x\n" + "- *a\n" * 101, "more than 100 aliases", id="many aliases"),
        pytest.param("%TAG !a! x\n" * 90_000, "directive", id="many directives"),
        pytest.param("a" * (MAX_BYTES + 1), "bytes", id="big text"),
        pytest.param(b"a" * 50 * MAX_BYTES, "bytes", id="huge bytes"),
        pytest.param("a: !!python/name:os.system", "'!!python/name:os.system'", id="python tag"),
        pytest.param("a: !!binary aGk=", "'!!binary'", id="binary tag"),
        pytest.param("a: !own x", "'!own'", id="own tag"),
        pytest.param("a: 1\n---\nb: 1\n", "second YAML document", id="two documents"),
        pytest.param(b"\xff\xfea\0", "0xff is not UTF-8", id="utf-16"),
        pytest.param("a: \ud800", "surrogate", id="half a surrogate pair"),
        pytest.param("a: 1\na: 2", "'a' stands twice: in line 1 and here", id="duplicate"),
        pytest.param("{[a]: 1}", "a key is a text", id="list as key"),
        pytest.param("a: 1\nb: {<<: 1}", "takes a mapping", id="merged scalar"),
    ],
)
def test_what_no_table_needs_is_refused_at_once(text, reason):
    refusal("warm: up\nwarm: up")
    message, seconds = refusal(text)
    assert message.startswith("MLTable yaml is invalid")
    assert reason in message
    assert len(message) < 400
    assert seconds < 2  # of this process alone; on an idle machine 0.005, and 0.3 for the many values
