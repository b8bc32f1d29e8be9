from __future__ import annotations

import os
import pickle
import sys
import tracemalloc

import pytest

import mltable_lite as mltable
from mltable_lite.errors import ArgumentError, EncodingError, SourceNotFoundError, UnsupportedFeatureError
from mltable_lite.spec.model import PathSpec
from mltable_lite.storage.listing import list_files, list_folders
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.streams import Stream
from mltable_lite.storage.uri import parse_uri

NAMES = [
    "2.csv",
    ".hid.csv",
    "a.csv",
    "Z.csv",
    "b.csv",
    "10.csv",
    "_und.csv",
    "é.csv",
    "sub/c.csv",
    "sub/deep/d.csv",
    "sub.csv",
]
MARKERS = [
    "MLTable", "_SUCCESS", "_committed_1", "_started_1", "_metadata", "_common_metadata", "_delta_log/0.json",
    "a.csv.crc", ".git/config",
]  # fmt: skip
PLAIN = [
    "10.csv",
    "2.csv",
    "Z.csv",
    "_und.csv",
    "a.csv",
    "b.csv",
    "sub.csv",
    "sub/c.csv",
    "sub/deep/d.csv",
    "é.csv",
]


@pytest.fixture(params=["local", "memory"])
def tree(request, tmp_path, memory):
    """A base with a folder t full of names, local and remote; returns the base."""
    for name in [*NAMES, *MARKERS]:
        if request.param == "local":
            path = tmp_path / "t" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("xyz")
        else:
            memory.pipe_file("/base/t/" + name, b"xyz")
    return str(tmp_path) if request.param == "local" else "memory://base"


def names(base, *entries):
    listing = list_files([PathSpec(kind, value) for kind, value in entries], base)
    assert [e.position for e in listing.entries] == list(range(len(listing.entries)))
    assert all(e.size == 3 for e in listing.entries)
    return [e.path.removeprefix(base).removeprefix("/") for e in listing.entries]


def test_a_folder_is_recursive_sorted_bytewise_and_without_markers(tree):
    assert names(tree, ("folder", "t")) == ["t/" + name for name in PLAIN]
    assert len(list_files([PathSpec("folder", "./t/")], tree).skipped) == 10


def test_the_base_itself_is_a_folder(tree):
    assert names(tree, ("folder", "")) == names(tree, ("folder", ".")) == ["t/" + name for name in PLAIN]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("t/?.csv", ["2.csv", "Z.csv", "a.csv", "b.csv", "é.csv"]),
        (
            "./t//*.csv",
            [".hid.csv", "10.csv", "2.csv", "Z.csv", "_und.csv", "a.csv", "b.csv", "sub.csv", "é.csv"],
        ),
        ("t/[ab].csv", ["a.csv", "b.csv"]),
        ("t/*/*.csv", ["sub/c.csv"]),
        ("t/s*/deep/*", ["sub/deep/d.csv"]),
        ("t/**/d.csv", ["sub/deep/d.csv"]),
        ("t/**/[cd].csv", ["sub/c.csv", "sub/deep/d.csv"]),
        ("**/sub/c.csv", ["sub/c.csv"]),
        ("t/{sub/c,b,a}.csv", ["a.csv", "b.csv", "sub/c.csv"]),
        ("t/sub", ["sub/c.csv", "sub/deep/d.csv"]),
        ("t/sub/**", ["sub/c.csv", "sub/deep/d.csv"]),
        ("t/sub/../a.csv", ["a.csv"]),
    ],
)
def test_a_pattern_lists_sorted_files(tree, pattern, expected):
    assert names(tree, ("pattern", pattern)) == ["t/" + name for name in expected]


def test_a_pattern_never_lists_the_mltable_file(tree):
    listing = list_files([PathSpec("pattern", "t/M*"), PathSpec("file", "t/a.csv")][1:], tree)
    assert len(listing.entries) == 1
    listing = list_files([PathSpec("pattern", "t/[Ma]*")], tree)
    assert [e.location.name for e in listing.entries] == ["a.csv", "a.csv.crc"]
    assert len(listing.skipped) == 1


def test_entries_keep_their_order_and_a_file_listed_twice_is_there_twice(tree):
    got = names(
        tree, ("pattern", "t/b*"), ("file", "t/a.csv"), ("file", "./t/a.csv"), ("folder", "t/sub/deep")
    )
    assert got == ["t/b.csv", "t/a.csv", "t/a.csv", "t/sub/deep/d.csv"]


def test_a_folder_under_file_is_read_as_a_folder(tree):
    assert names(tree, ("file", "t/sub")) == ["t/sub/c.csv", "t/sub/deep/d.csv"]


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("file", "t/aa.csv", "holds .*a.csv.*Did you mean 'a.csv'"),
        ("file", "t/subb/x.csv", "Did you mean 'sub'"),
        ("folder", "nope", r"is not there; \S+ holds t/"),
        ("folder", "t/a.csv", "is a file, not a folder; write 'file:'"),
        ("folder", "t/_delta_log", "is a folder"),
        ("pattern", "t/*.txt", r"has no file that matches '\*.txt'; it holds 10.csv"),
        ("pattern", "t/nope.csv", "is not there"),
        ("pattern", "nope/*.csv", "is not there"),
        ("pattern", "t/*/", "matches only folders"),
        ("file", "t/*.csv", r"write 'pattern: t/\*.csv'"),
    ],
)
def test_what_is_missing_says_where_it_stands_and_what_is_there(tree, kind, value, found):
    if value == "t/_delta_log":
        assert names(tree, (kind, value)) == ["t/_delta_log/0.json"]
        return
    with pytest.raises(SourceNotFoundError, match=found) as caught:
        list_files([PathSpec("file", "t/a.csv", 2), PathSpec(kind, value, 7)], tree, source="x/MLTable")
    assert str(caught.value).startswith(f"x/MLTable:7 {kind}: {value!r}: The requested stream was not found")
    assert isinstance(caught.value, FileNotFoundError)


def test_a_folder_with_markers_only_is_an_error_that_counts_them(tmp_path):
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(SourceNotFoundError, match=r"folder without data files \(1 names are no data\)"):
        list_files([PathSpec("folder", ".")], str(tmp_path))


def test_two_stars_beside_characters_are_refused(tree):
    with pytest.raises(ArgumentError, match="whole segment"):
        list_files([PathSpec("pattern", "t/**.csv")], tree)


def test_no_paths_are_no_files(tmp_path):
    assert list_files([], str(tmp_path)).entries == []


def test_special_characters_in_names_and_in_the_base_are_literal(tmp_path):
    base = tmp_path / "b[a]s{e,f} *"
    base.mkdir()
    for name in ("p%20c.csv", "d é#?.csv", "x[1]{y}.csv"):
        (base / name).write_text("xyz")
        assert names(str(base), ("file", name)) == [name]
    assert names(str(base), ("pattern", "p*")) == ["p%20c.csv"]
    assert len(names(str(base), ("pattern", "./*.csv"))) == 3


def test_a_file_uri_may_be_percent_encoded(tmp_path):
    (tmp_path / "a b.csv").write_text("xyz")
    assert list_files([PathSpec("file", f"file://{tmp_path}/a%20b.csv")], "").entries[0].path == str(
        tmp_path / "a b.csv"
    )


def test_links_are_followed_loops_end_and_broken_links_are_errors(tmp_path):
    (tmp_path / "t/d").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/o.csv").write_text("xyz")
    (tmp_path / "t/d/a.csv").write_text("xyz")
    (tmp_path / "t/d/up").symlink_to("..")
    (tmp_path / "t/linked").symlink_to("../other")
    (tmp_path / "t/one.csv").symlink_to("d/a.csv")
    expected = ["t/d/a.csv", "t/linked/o.csv", "t/one.csv"]
    assert names(str(tmp_path), ("folder", "t")) == expected
    assert names(str(tmp_path), ("pattern", "t/**/*.csv")) == expected
    (tmp_path / "t/broken.csv").symlink_to("gone.csv")
    for kind, value in (("folder", "t"), ("pattern", "t/b*"), ("pattern", "t/**")):
        with pytest.raises(SourceNotFoundError, match="a link to gone.csv"):
            list_files([PathSpec(kind, value)], str(tmp_path))


def test_web_files_are_checked_and_web_folders_refused(web):
    web.files["d/a.csv"] = b"xyz"
    entries = list_files(
        [PathSpec("file", "d/a.csv"), PathSpec("file", web.url + "d/a.csv")], web.url
    ).entries
    assert [e.size for e in entries] == [3, 3]
    assert entries[0].open().read() == b"xyz"
    with pytest.raises(SourceNotFoundError, match="MLTable:3 .*d/b.csv"):
        list_files([PathSpec("file", "d/b.csv", 3)], web.url)
    for kind, value in (("folder", "d"), ("pattern", "d/*.csv")):
        with pytest.raises(UnsupportedFeatureError, match="no listing of folders"):
            list_files([PathSpec(kind, value)], web.url)


def test_entries_are_picklable_and_show_no_secret():
    options = StorageOptions({"account_key": "s3cr3t"})
    place = parse_uri("abfss://c@acc.dfs.core.windows.net/t?sig=s3cr3t")
    from mltable_lite.storage.listing import FileEntry, FolderEntry

    for entry in (FileEntry(place, "t/a.csv", 3, 0, options), FolderEntry(place, 0, options)):
        assert "s3cr3t" not in repr(entry)
        data = pickle.dumps(entry)
        assert b"s3cr3t" not in data
        assert pickle.loads(data).uri == entry.uri


# --------------------------------------------------------------------------- folders
def test_folders_of_tables_are_listed_by_folder_and_pattern(tree):
    folders = list_folders([PathSpec("folder", "t/sub"), PathSpec("pattern", "t/s*")], tree)
    assert [f.uri.removeprefix(tree) for f in folders] == ["/t/sub", "/t/sub"]
    assert [f.position for f in folders] == [0, 1]
    file = folders[0].file("x=1/a b.parquet", 5, 9)
    assert (file.uri.removeprefix(tree), file.size, file.position) == ("/t/sub/x=1/a b.parquet", 5, 9)


@pytest.mark.parametrize(
    ("kind", "value", "found"),
    [
        ("file", "t/a.csv", "is a file; this reader wants"),
        ("folder", "nope", "not there"),
        ("pattern", "t/x*", "no folder"),
    ],
)
def test_a_table_that_is_no_folder_is_an_error(tree, kind, value, found):
    with pytest.raises(SourceNotFoundError, match=found):
        list_folders([PathSpec(kind, value)], tree)


def test_a_delta_table_gets_its_address_and_options(tmp_path):
    (tmp_path / "t").mkdir()
    (folder,) = list_folders([PathSpec("folder", "t")], str(tmp_path))
    assert (folder.table_uri(), folder.delta_options()) == (str(tmp_path / "t"), {})
    from mltable_lite.storage.listing import FolderEntry

    table = FolderEntry(
        parse_uri("abfss://c@acc.dfs.core.windows.net/t"), 0, StorageOptions({"account_key": "k"})
    )
    assert table.table_uri() == "az://c/t"
    assert table.delta_options().items() >= {"account_name": "acc", "account_key": "k"}.items()


# --------------------------------------------------------------------------- streams
def test_a_stream_opens_compares_and_prints_its_path(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"x\n")
    stream = Stream(str(tmp_path / "a.csv"))
    with stream.open() as file:
        assert file.read() == b"x\n"
    assert (
        str(stream)
        == stream.uri
        == stream.resource_identifier
        == stream.resource_id
        == str(tmp_path / "a.csv")
    )
    assert repr(stream) == f"Stream({tmp_path}/a.csv)"
    assert stream.handler == "Local"
    assert stream == Stream(f"file://{tmp_path}/a.csv")
    assert hash(stream) == hash(Stream(f"file://{tmp_path}/a.csv"))
    assert stream != Stream(str(tmp_path / "b.csv"))


def test_a_pickled_stream_keeps_no_secret():
    stream = Stream("https://host.org/a.csv?sig=s3cr3t", {"token": "s3cr3t"})
    assert "s3cr3t" not in repr(stream) + str(stream)
    data = pickle.dumps(stream)
    assert b"s3cr3t" not in data
    assert str(pickle.loads(data)) == "https://host.org/a.csv"


# --------------------------------------------------------------------------- size
def test_many_files_are_kept_small(tmp_path):
    for i in range(5000):
        (tmp_path / f"{i}.csv").touch()
    tracemalloc.start()
    listing = list_files([PathSpec("folder", ".")], str(tmp_path))
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept / len(listing.entries) < 600


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file system refuses such a name")
@pytest.mark.parametrize("read", ["to_pandas_dataframe", "to_arrow_table", "to_dask_dataframe", "count_rows"])
def test_a_file_whose_name_is_no_text_is_named(tmp_path, read):
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / os.fsdecode(b"\xff\xe9.csv")).write_text("x\n2\n")
    made = mltable.from_delimited_files([{"folder": str(tmp_path)}])
    with pytest.raises(EncodingError, match=r"/\\xff\\xe9\.csv: the file's name is no UTF-8.*pattern"):
        getattr(made, read)()
    assert mltable.from_delimited_files([{"pattern": f"{tmp_path}/a*"}]).count_rows() == 1
