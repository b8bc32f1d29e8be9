"""Partition formats: what a path gives, and which formats are refused."""

from __future__ import annotations

import pickle
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import ArgumentError
from mltable_lite.plan.partition_format import compile_format

PATH = "/tmp/x/data/us/2020/01/02/f.csv"
MATCHES = [
    ("/data/{c}/{y}/", {"c": "us", "y": "2020"}),
    ("data/{c}", {"c": "us"}),
    ("ata/{c}/", {"c": "us"}),
    ("/data/u{c}/", {"c": "s"}),
    ("/data/{c}s/", {"c": "u"}),
    ("/data/{a}{b}/", {"a": "u", "b": "s"}),
    ("{c}", {"c": "tmp"}),
    ("/{a}/{b}/", {"a": "tmp", "b": "x"}),
    ("{a}/{b}/*.csv", {"a": "01", "b": "02"}),
    ("/data/*/{y}/", {"y": "2020"}),
    ("/data/us*/{y}/", {"y": "2020"}),
    ("/data/**/{y}/", {"y": "2020"}),
    ("/us/{y}/**", {"y": "2020"}),
    ("/data/**/02/{y}", None),
    ("/DATA/{c}/", None),
    ("/d.ta/{c}/", None),
    ("/dat/{c}/", None),
    ("./data/{c}/", None),
    ("file:///tmp/x/data/{c}/", None),
    ("/tmp/x/data/{c}/", {"c": "us"}),
    ("/data/{a}/{y}/{m}/{d}/*", {"a": "us", "y": "2020", "m": "01", "d": "02"}),
    ("/data/{a}/{y}/{m}/{d}/*/", None),
    ("/us/{y}/{m}/{d}/*.cs", {"y": "2020", "m": "01", "d": "02"}),
    ("/us/{y}/{m}/{d}.csv", None),
    ("/data/{ a }/", {" a ": "us"}),
    ("/data/{c}/{d:yyyy/MM/dd}/", {"c": "us", "d": datetime(2020, 1, 2)}),
    ("/data/{c}/{d:yyyy/MM/dd}/{f}.{e}", {"c": "us", "f": "f", "e": "csv", "d": datetime(2020, 1, 2)}),
    ("/data/{c}/{d:yyyy/MM/dd}/*.parquet", None),
    ("/data/{c}/{d:yyyy/MM}/", {"c": "us", "d": datetime(2020, 1, 1)}),
    ("/data/{c}/{d:yyyy/dd/MM}/", {"c": "us", "d": datetime(2020, 2, 1)}),
    ("{d:yyyy}", {"d": datetime(2020, 1, 1)}),
    ("/us/{d:yyyy}0", None),
]


@pytest.mark.parametrize(("text", "values"), MATCHES)
def test_a_path_gives(text, values):
    assert compile_format(text).match(PATH) == values


@pytest.mark.parametrize(
    ("text", "path", "values"),
    [
        ("/d/{d:yyyy-MM-dd}/", "/d/2020-01-02/x", {"d": datetime(2020, 1, 2)}),
        ("/d/{d:yyyyMMdd}/", "/d/20200102/x", {"d": datetime(2020, 1, 2)}),
        ("/d/{d:yyyy/MM/dd/HH/mm/ss}/", "/d/2020/01/02/03/04/05/x", {"d": datetime(2020, 1, 2, 3, 4, 5)}),
        ("/d/{d:yyyyMMddTHHmmssZ}", "/d/20200102T030405Z.csv", {"d": datetime(2020, 1, 2, 3, 4, 5)}),
        ("/d/{d:dd.MM.yyyy}", "/d/02.01.2020", {"d": datetime(2020, 1, 2)}),
        ("/d/{d:yyyy/MM/dd}/", "/d/2020/1/2/x", None),
        ("/d/{d:yyyy/MM/dd}/", "/d/2020/13/01/x", None),
        ("/d/{d:yyyy/dd/MM}/", "/d/2020/12/31/x", None),
        ("/d/{d:yyyy}/", "/d/20201/x", None),
        ("/d/{d:yyyy}/", "/d/0000/x", None),
        ("/k={k}/y={y}", "/a/k=uk/y=2021/g.csv", {"k": "uk", "y": "2021"}),
        ("/{a}_{b}-{c}/", "/a_b-c/x", {"a": "a", "b": "b", "c": "c"}),
        ("/{a}X{b}/", "/aXbXc/f", {"a": "aXb", "b": "c"}),
        ("/{a}+b(c)/x[1].csv", "/a+b(c)/x[1].csv", {"a": "a"}),
        ("/{a}?x=1", "/f?x=1", {"a": "f"}),
        ("/{a}/{f}.csv", "/é b/x%20.csv", {"a": "é b", "f": "x%20"}),
        ("{host}/{f}.csv", "https://a.b/c/x.csv", {"host": "c", "f": "x"}),
    ],
)
def test_another_path_gives(text, path, values):
    assert compile_format(text).match(path) == values


def test_the_date_comes_after_all_other_columns():
    assert compile_format("/{d:yyyy}/{a}/{b}").names == ("a", "b", "d")
    assert list(compile_format("/data/us/{d:yyyy}/{m}").match(PATH)) == ["m", "d"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no part in braces"),
        ("/data/x", "no part in braces"),
        ("/{a/", "'{' at character 2 has no partner"),
        ("/a}/", "'}' at character 3 has no partner"),
        ("/{a{b}}/", "has no partner"),
        ("/{}/", "no name"),
        ("/{ }/", "no name"),
        ("/{:yyyy}/", "no name"),
        ("/{a}/{a}/", "'a' stands in it twice"),
        ("/{a}/{a:yyyy}/", "'a' stands in it twice"),
        ("/{a:yyyy}/{a}/", "'a' stands in it twice"),
        ("/{d:yyyy}/{e:MM}", "both 'd' and 'e' are dates"),
        ("/{a:}/", "'a' needs 'yyyy'"),
        ("/{d:MM/dd}/", "'d' needs 'yyyy'"),
        ("/{d:yyyy/dd}/", "'d' needs 'MM'"),
        ("/{d:yyyy/MM/HH}/", "'d' needs 'dd'"),
        ("/{d:yyyy/M/d}/", "unknown part 'M' .known: yyyy, MM, dd, HH, mm, ss."),
        ("/{d:YYYY}/", "unknown part 'YYYY'"),
        ("/{d:%Y}/", "unknown part 'Y'"),
        ("/{y:int}/", "unknown part 'int'"),
        ("/{d:yyyy/yyyy}/", "'yyyy' twice"),
    ],
)
def test_a_format_is_refused_with_the_reason(text, why):
    with pytest.raises(ArgumentError, match=why) as caught:
        compile_format(text)
    assert str(caught.value).startswith(f"extract_columns_from_partition_format: partition_format {text!r}: ")


def test_why_a_path_does_not_match_can_be_told():
    compiled = compile_format("/d/{d:yyyy/MM}/")
    assert compiled.why_not("/d/2020/13/x") == "There is no such date as 'd' has in the first of them."
    assert compiled.why_not("/e/x").endswith("all else must stand in the path as written.")


def test_a_compiled_format_pickles_and_compares():
    compiled = compile_format("/data/{c}/{d:yyyy/MM/dd}/")
    again = pickle.loads(pickle.dumps(compiled))
    assert again == compiled == compile_format(compiled.text)
    assert again.match(PATH) == compiled.match(PATH)


segments = st.text(st.characters(codec="utf-8", exclude_characters="/{}*\n"), min_size=1, max_size=8)


@given(st.lists(segments, min_size=1, max_size=4), segments)
def test_folders_come_back_as_they_are(folders, literal):
    text = f"//{literal}/" + "/".join(f"{{p{i}}}" for i in range(len(folders))) + "/"
    values = compile_format(text).match(f"/root//{literal}/{'/'.join(folders)}/file.csv")
    assert values == {f"p{i}": folder for i, folder in enumerate(folders)}
