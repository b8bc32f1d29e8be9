from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import sys

import pytest

from mltable_lite.errors import AccessDeniedError, SourceNotFoundError, StorageError, UnsupportedFeatureError
from mltable_lite.spec.model import PathSpec
from mltable_lite.storage import filesystem as storage
from mltable_lite.storage import google
from mltable_lite.storage.listing import FileEntry, list_files
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.transfer import copy_file
from mltable_lite.storage.uri import parse_uri

DATA = bytes(range(256)) * 40


def places(tmp_path, memory, web):
    (tmp_path / "a.bin").write_bytes(DATA)
    memory.pipe_file("/d/a.bin", DATA)
    web.files.update({"d/a.bin": DATA, "norange/a.bin": DATA, "private/a.bin": DATA})
    return [
        parse_uri(str(tmp_path / "a.bin")),
        parse_uri("memory://d/a.bin"),
        parse_uri(web.url + "d/a.bin"),
        parse_uri(web.url + "norange/a.bin"),
        parse_uri(web.url + "private/a.bin?sig=s3cr3t%2B"),
    ]


def test_every_storage_gives_the_same_bytes_for_the_same_ranges(tmp_path, memory, web):
    for place in places(tmp_path, memory, web):
        entry = FileEntry(place, place.key, len(DATA), 0)
        for start, stop in [
            (0, 10),
            (100, 5000),
            (len(DATA) - 5, len(DATA) + 50),
            (len(DATA) + 1, len(DATA) + 9),
            (7, 7),
        ]:
            assert entry.read_range(start, stop) == DATA[start:stop], place
            assert storage.read_range(place, start, stop) == DATA[start:stop], place
        with entry.open() as file:
            assert file.size() == len(DATA)
            assert file.read_at(20, 300) == DATA[300:320]
            file.seek(5)
            assert file.read(3) == DATA[5:8]
            file.seek(0)
            assert file.read() == DATA
        assert storage.read_text(place) == DATA
        assert storage.exists(place)
        assert not storage.is_folder(place)


@pytest.mark.parametrize(
    ("what", "error", "text"),
    [
        ("gone", SourceNotFoundError, r"a\.bin: The requested stream was not found"),
        ("written anew", StorageError, r"a\.bin: the file has changed since it was listed"),
        ("longer", StorageError, r"a\.bin: the file has changed since it was listed"),
        ("a folder now", StorageError, r"a\.bin: the file has changed since it was listed"),
        ("below a file", StorageError, r"a\.bin: the storage failed: NotADirectoryError"),
    ],
)
def test_a_range_of_a_local_file_is_of_the_file_that_was_listed(what, error, text, tmp_path):
    folder, file = tmp_path / "d", tmp_path / "d" / "a.bin"
    folder.mkdir()
    file.write_bytes(DATA)
    (entry,) = list_files([PathSpec("folder", "d")], str(tmp_path)).entries
    assert entry.read_range(1, 9) == DATA[1:9]
    if what == "longer":
        file.write_bytes(DATA + b"x")
        os.utime(file, ns=(0, os.stat(file).st_mtime_ns + 1))  # noqa: PTH116 - it may be the same tick of the clock
    else:
        file.rename(tmp_path / "old")
    if what == "written anew":
        file.write_bytes(DATA)
    elif what == "a folder now":
        file.mkdir()
    elif what == "below a file":
        folder.rmdir()
        folder.write_bytes(DATA)
    with pytest.raises(error, match=text):
        entry.read_range(1, 9)


def test_a_remote_read_asks_for_its_range_only(web):
    web.files["a.bin"] = DATA
    place = parse_uri(web.url + "a.bin")
    with storage.open_input(place, size=len(DATA)) as file:
        file.seek(1000)
        file.read(10)
    assert web.seen == [("GET", "a.bin", "bytes=1000-1009", None)]


def test_user_name_and_password_of_a_uri_reach_the_server(web):
    web.files["a.bin"] = DATA
    place = parse_uri(web.url.replace("://", "://me:pw@") + "a.bin")
    assert storage.read_text(place) == DATA
    assert web.seen[-1][3] == "Basic bWU6cHc="


def test_a_missing_file_is_not_found_everywhere(tmp_path, memory, web):
    for uri in (str(tmp_path / "no"), "memory://no", web.url + "no"):
        place = parse_uri(uri)
        assert storage.info(place) is None
        with pytest.raises(SourceNotFoundError, match="The requested stream was not found") as caught:
            storage.open_input(place)
        assert place.uri in str(caught.value)
        with pytest.raises(FileNotFoundError):
            storage.read_text(place)


def test_a_refused_file_is_denied_and_the_text_holds_no_credential(web):
    web.files["private/a.bin"] = DATA
    place = parse_uri(web.url + "private/a.bin?sig=wrong-s3cr3t")
    for ask in (storage.info, storage.open_input, storage.read_text):
        with pytest.raises(AccessDeniedError, match="access denied") as caught:
            ask(place)
        assert "s3cr3t" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


def test_a_signature_dropped_by_pickling_is_explained(web):
    web.files["private/a.bin"] = DATA
    place = pickle.loads(pickle.dumps(parse_uri(web.url + "private/a.bin?sig=s3cr3t%2B")))
    with pytest.raises(AccessDeniedError, match="never sent to another process"):
        storage.read_text(place)


def test_an_unreachable_server_is_a_storage_error_and_not_a_missing_file():
    with pytest.raises(StorageError, match="the storage failed"):
        storage.info(parse_uri("http://127.0.0.1:9/a.csv"))


def test_a_body_shorter_than_the_listing_said_is_an_error(memory):
    memory.pipe_file("/a.bin", b"half")
    place = parse_uri("memory://a.bin")
    with pytest.raises(StorageError, match="sent 4 of the bytes 0 to 8"):
        storage.read_range(place, 0, 8, size=8)


def test_a_folder_opened_as_a_file_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError):
        storage.read_text(parse_uri(str(tmp_path)))


def test_a_file_without_permission_is_denied(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "a").chmod(0)
    with as_nobody(), pytest.raises(AccessDeniedError, match="permissions"):
        storage.read_text(parse_uri(str(tmp_path / "a")))


@contextlib.contextmanager
def as_nobody():
    """Give up root for a while, who may read everything."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_missing_package_and_an_unknown_datastore_say_what_to_do(workplace, monkeypatch):
    google._filesystem_class.cache_clear()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    monkeypatch.setitem(sys.modules, "gcsfs.core", None)
    with pytest.raises(UnsupportedFeatureError, match="pip install gcsfs"):
        storage.read_text(parse_uri("gs://bucket/a.csv"))
    with pytest.raises(SourceNotFoundError, match="no datastore 'd'; none is registered. Register it with"):
        storage.read_text(parse_uri("azureml://datastores/d/paths/a.csv"))


def test_a_filesystem_is_kept_for_the_same_options_only():
    place = parse_uri("memory://a")
    first = storage.filesystem(place, StorageOptions({"x": 1}))
    assert storage.filesystem(parse_uri("memory://b"), StorageOptions({"x": 1})) is first
    assert storage.filesystem(place, StorageOptions({"x": 2})) is not first


def _child(url, queue):
    queue.put(storage.read_text(parse_uri(url)))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_reads_with_its_own_filesystem(web):
    web.files["a.bin"] = DATA
    assert storage.read_text(parse_uri(web.url + "a.bin")) == DATA
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(web.url + "a.bin", queue))
    child.start()
    assert queue.get(timeout=20) == DATA
    child.join()


def test_the_literal_name_of_a_file_uri_wins_over_the_decoded_one(tmp_path):
    (tmp_path / "a b").write_text("decoded")
    place = parse_uri(f"file://{tmp_path}/a%20b")
    assert storage.settled(place).path == str(tmp_path / "a b")
    (tmp_path / "a%20b").write_text("literal")
    assert storage.settled(place).path == str(tmp_path / "a%20b")


# --------------------------------------------------------------------------- writing
def test_an_atomic_write_makes_folders_and_leaves_nothing_beside(tmp_path, memory):
    for place in (parse_uri(str(tmp_path / "d/e/MLTable")), parse_uri("memory://d/MLTable")):
        storage.write_atomic(place, b"one")
        storage.write_atomic(place, b"two")
        assert storage.read_text(place) == b"two"
    assert os.listdir(tmp_path / "d/e") == ["MLTable"]  # noqa: PTH208


def test_an_atomic_write_keeps_mode_and_link(tmp_path):
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    storage.write_atomic(parse_uri(str(tmp_path / "link")), b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")

    def write_half():
        with storage.replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]  # noqa: PTH208


def test_copy_file_copies_between_storages(tmp_path, memory, web):
    for place in places(tmp_path, memory, web):
        entry = FileEntry(place, place.key, len(DATA), 0)
        copy_file(entry, parse_uri(str(tmp_path / "copy/b.bin")))
        copy_file(entry, parse_uri("memory://copy/b.bin"))
        assert (tmp_path / "copy/b.bin").read_bytes() == memory.cat_file("/copy/b.bin") == DATA
