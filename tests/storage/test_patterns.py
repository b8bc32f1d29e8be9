from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import ArgumentError
from mltable_lite.storage.patterns import is_glob, split_pattern, translate


def matches(pattern, path):
    return any(translate(segments).fullmatch(path) for segments in split_pattern(pattern))


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", ".csv", True),
        ("*", ".hidden", True),
        ("*.csv", "d/a.csv", False),
        ("?.csv", "é.csv", True),
        ("a?c", "a/c", False),
        ("[ab].csv", "b.csv", True),
        ("[a-c].csv", "c.csv", True),
        ("[!ab].csv", "c.csv", True),
        ("[!ab].csv", "a.csv", False),
        ("[!a]", "/", False),
        ("[^ab].csv", "^.csv", True),
        ("[^ab].csv", "c.csv", False),
        ("[[]x", "[x", True),
        ("[]]x", "]x", True),
        ("[c-a]", "b", False),
        ("[a-]", "-", True),
        ("a[b", "a[b", True),
        ("t/**", "t/a", True),
        ("t/**", "t/d/e/a", True),
        ("t/**", "t", False),
        ("t/**/*.csv", "t/a.csv", True),
        ("t/**/*.csv", "t/d/.e/a.csv", True),
        ("**/**/a", "x/a", True),
        ("**", "x/y", True),
        ("{a,b}.csv", "b.csv", True),
        ("{a,b}.csv", "c.csv", False),
        ("{a,{b,c}d}.csv", "cd.csv", True),
        ("{x/a,b}.csv", "x/a.csv", True),
        ("{x/a,b}.csv", "b.csv", True),
        ("{a}.csv", "{a}.csv", True),
        ("{a,b.csv", "{a,b.csv", True),
        ("a.c(s)v+", "a.c(s)v+", True),
        ("a*", "a\nb", True),
    ],
)
def test_a_pattern_matches_as_the_rules_say(pattern, path, expected):
    assert matches(pattern, path) is expected


@pytest.mark.parametrize("pattern", ["a**", "t/**.csv", "**a/b"])
def test_two_stars_beside_other_characters_are_refused_with_the_right_form(pattern):
    with pytest.raises(ArgumentError, match="whole segment"):
        split_pattern(pattern)


def test_braces_that_explode_are_refused():
    with pytest.raises(ArgumentError, match="more than 1000"):
        split_pattern("{a/,b/,c/,d/}" * 8)


@given(st.text("ab[]{},*?!-^/.\\", max_size=12))
def test_any_text_is_a_pattern_or_a_clear_error(text):
    try:
        for segments in split_pattern(text):
            assert isinstance(translate(segments), re.Pattern)
    except ArgumentError:
        assert "**" in text


@given(st.text(st.characters(blacklist_characters="*?[{/", blacklist_categories=["Cs"]), min_size=1))
def test_a_text_without_special_characters_matches_itself_only(text):
    assert not is_glob(text)
    assert matches(text, text)
    assert not matches(text, text + "x")
