"""A storage that only fsspec knows is read, written and moved like all others."""

from __future__ import annotations

from typing import ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.utils import infer_storage_options

import mltable_lite
from mltable_lite import datastores
from mltable_lite.errors import ArgumentError, SourceNotFoundError


class ToyFileSystem(MemoryFileSystem):
    """Names have no host, as those of ftp; host and password are options."""

    protocol = "toy"
    store: ClassVar = {}
    pseudo_dirs: ClassVar = [""]
    cachable = False

    def __init__(self, host=None, username=None, password=None, **more):
        super().__init__(**more)
        assert (host, password) == ("server", "s3cr3t"), (host, password)

    @classmethod
    def _strip_protocol(cls, path):
        inside = infer_storage_options(path)["path"] if "://" in path else path
        return ("/" + inside.strip("/")).rstrip("/")

    @staticmethod
    def _get_kwargs_from_urls(path):
        told = infer_storage_options(path)
        return {name: told[name] for name in ("host", "username", "password") if told.get(name)}


@pytest.fixture
def toy():
    fsspec.register_implementation("toy", ToyFileSystem, clobber=True)
    ToyFileSystem.store.clear()
    ToyFileSystem.pseudo_dirs[:] = [""]
    fs = ToyFileSystem("server", password="s3cr3t")
    fs.pipe({"/d/a.csv": b"x\n1\n", "/d/b.csv": b"x\n2\n", "/d/e/c.csv": b"x\n3\n"})
    fs.pipe_file("/d/MLTable", b"paths: [{pattern: '*.csv'}]\ntransformations: [read_delimited]\n")
    return fs


def test_its_files_folders_and_patterns_are_read(toy):
    base = "toy://me:s3cr3t@server/"
    for entry, rows in (
        ({"file": base + "d/a.csv"}, [1]),
        ({"folder": base + "d"}, [1, 2, 3]),
        ({"pattern": base + "**/c.csv"}, [3]),
    ):
        table = mltable_lite.from_delimited_files([entry], include_path_column=True)
        frame = table.to_pandas_dataframe()
        assert frame["x"].tolist() == rows
        assert frame["Path"].str.startswith("toy://server/d/").all()
    with pytest.raises(SourceNotFoundError, match=r"toy://server/d holds a.csv, b.csv") as caught:
        mltable_lite.from_delimited_files([{"file": base + "d/z.csv"}]).count_rows()
    assert "s3cr3t" not in str(caught.value)


def test_a_table_on_it_is_loaded_and_its_files_keep_the_password(toy):
    table = mltable_lite.load("toy://me:s3cr3t@server/d")
    assert table.to_pandas_dataframe()["x"].tolist() == [1, 2]
    options = {"password": "s3cr3t"}
    table = mltable_lite.load("toy://server/d", storage_options=options)
    assert table.count_rows() == 2
    table.save("toy://server/copy", colocated=True)
    assert mltable_lite.load("toy://server/copy", storage_options=options).count_rows() == 2


def test_it_is_a_datastore(toy, workplace):
    store = datastores.register_fsspec("toy", "toy://server/d", password="s3cr3t")
    assert store.filesystem().find("") == ["MLTable", "a.csv", "b.csv", "e/c.csv"]
    assert mltable_lite.load(store.path()).count_rows() == 2


def test_a_scheme_that_nobody_knows_is_refused(toy):
    with pytest.raises(ArgumentError, match="scheme 'toyx' is not known.*Did you mean 'toy'"):
        mltable_lite.load("toyx://server/d")
