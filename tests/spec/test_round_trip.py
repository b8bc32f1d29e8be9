"""What is written is read back as the same spec."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import SpecError
from mltable_lite.spec import parse_text, to_mapping, to_text, to_yaml

from . import strategies as own


def back(text: str):
    spec, notices = parse_text(text, source="MLTable", base="/base/folder")
    assert [notice.text() for notice in notices] == []
    return spec


@given(own.tables())
def test_minimal_form_gives_the_same_spec(spec):
    again = back(to_yaml(to_mapping(spec, full=False)))
    assert again == spec
    assert again.schema == spec.schema


@given(own.tables(own.uris))
def test_full_form_gives_the_same_spec(spec):
    assert back(to_yaml(to_mapping(spec, full=True))) == spec


@given(own.tables())
def test_full_form_is_stable_for_any_path(spec):
    text = to_text(spec)
    assert to_text(back(text)) == text


def issues_of(text):
    try:
        parse_text(text, source="MLTable", base="/d")
    except SpecError as error:
        return error.issues
    return ()


@given(own.plain_values)
def test_any_value_is_a_spec_or_a_spec_error(value):
    for mapping in ({"paths": value}, {"paths": [], "transformations": [value]}, {"k": value}):
        assert all(issue.line and issue.column for issue in issues_of(to_yaml(mapping)))


@given(st.one_of(st.text(), st.binary(), st.text("[]{}:-,#&*!|>'\"%@`\n\t a<")))
def test_any_text_is_a_spec_or_a_spec_error(text):
    assert all(issue.line and issue.column for issue in issues_of(text))


words = st.sampled_from(
    ["read_delimited", "take", "columns", "column_type", "datetime", "formats", "pattern", "filter"]
)
nearly = st.recursive(
    st.one_of(words, st.none(), st.integers(-1, 3), st.booleans()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@given(nearly)
def test_nearly_right_steps_are_a_spec_or_explained(value):
    text = to_yaml({"paths": [], "transformations": [value]})
    assert all(issue.key.startswith("transformations") for issue in issues_of(text))
