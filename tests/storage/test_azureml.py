from __future__ import annotations

import gc
import io
import multiprocessing
import pickle
import threading
import time

import dask.dataframe as dd
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from fsspec.callbacks import Callback
from storage.servers import ACCOUNT, KEY, endpoint_of

import mltable_lite
from mltable_lite import assets, datastores
from mltable_lite.errors import ArgumentError, SourceNotFoundError, StorageError, TargetExistsError
from mltable_lite.storage.azureml import AzureMachineLearningFileSystem

LONG = "azureml://subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/w/"

pytestmark = pytest.mark.usefixtures("workplace")


@pytest.fixture
def fs(workplace):
    fs = datastores.register_local("store", workplace / "data").filesystem()
    fs.pipe({"d/a.csv": b"x,y\n1,a\n2,b\n", "d/e/b.csv": b"x,y\n3,c\n", "top.txt": b"top"})
    return fs


@pytest.fixture(params=["local", "memory", "azure"])
def any_fs(request, workplace):
    """The filesystem on datastores of three kinds, each with the same files."""
    if request.param == "local":
        store = datastores.register_local("store", workplace / "data")
    elif request.param == "memory":
        request.getfixturevalue("memory")
        store = datastores.register_fsspec("store", "memory://root/deep")
    else:
        azurite = request.getfixturevalue("azurite")
        store = datastores.register_azure_blob_container(
            "store",
            azurite.uri.rpartition("/")[2],
            ACCOUNT,
            account_key=KEY,
            endpoint=endpoint_of(azurite),
            create_if_not_exists=True,
        )
    fs = store.filesystem()
    fs.pipe({"d/a.csv": b"x,y\n1,a\n2,b\n", "d/e/b.csv": b"x,y\n3,c\n", "top.txt": b"top"})
    return fs


# --------------------------------------------------------------------------- paths
@pytest.mark.parametrize(
    "path",
    [
        "d/a.csv",
        "/d/a.csv",
        "./d/a.csv",
        "d//./e/../a.csv",
        "azureml://datastores/store/paths/d/a.csv",
        "azureml://datastores/store/d/a.csv",
        LONG + "datastores/store/paths/d/a.csv",
    ],
)
def test_a_path_may_be_written_in_every_form(fs, path):
    assert fs.cat(path) == b"x,y\n1,a\n2,b\n"
    assert fs.exists(path)
    assert fs.info(path)["name"] == "d/a.csv"
    assert fs.size(path) == 12


def test_what_is_listed_is_relative_to_the_root_on_every_storage(any_fs):
    fs = any_fs
    assert fs.ls() == fs.ls("") == fs.ls("/") == fs.ls(".") == ["d", "top.txt"]
    assert fs.ls("d") == fs.ls("./d/") == fs.ls("/d") == ["d/a.csv", "d/e"]
    assert [(e["name"], e["type"]) for e in fs.ls("d", detail=True)] == [
        ("d/a.csv", "file"),
        ("d/e", "directory"),
    ]
    assert fs.ls("d/a.csv") == ["d/a.csv"]
    assert fs.glob("*/*.csv") == fs.glob("/d/*.csv") == fs.glob("./d/*.csv") == ["d/a.csv"]
    assert fs.glob("**/*.csv") == ["d/a.csv", "d/e/b.csv"]
    assert fs.glob("azureml://datastores/store/paths/d/*.csv") == ["d/a.csv"]
    assert fs.find("d") == fs.find("/d/") == ["d/a.csv", "d/e/b.csv"]
    assert fs.find("d", maxdepth=1) == ["d/a.csv"]
    assert fs.find("", withdirs=True) == ["d", "d/a.csv", "d/e", "d/e/b.csv", "top.txt"]
    assert fs.find("nothing") == []
    assert list(fs.walk("")) == [("", ["d"], ["top.txt"]), ("d", ["e"], ["a.csv"]), ("d/e", [], ["b.csv"])]
    assert (fs.isdir("d"), fs.isfile("d"), fs.isdir("d/a.csv"), fs.isfile("d/a.csv")) == (
        True,
        False,
        False,
        True,
    )
    assert fs.isdir("")
    assert fs.du("") == 23
    assert [fs.exists(p) for p in ("d", "d/e/", "no", "d/no")] == [True, True, False, False]
    with pytest.raises(FileNotFoundError):
        fs.ls("no")
    with pytest.raises(SourceNotFoundError, match="azureml://datastores/store/paths/d/no"):
        fs.info("d/no")


def test_the_path_in_the_uri_is_what_is_listed_first(fs):
    inside = AzureMachineLearningFileSystem("azureml://datastores/store/paths/d/")
    assert inside.ls() == ["d/a.csv", "d/e"]
    assert inside.ls("") == ["d", "top.txt"]
    assert inside.exists("d/a.csv")


def test_a_path_of_another_datastore_or_outside_is_refused(fs):
    for path in (
        "azureml://datastores/other/paths/d/a.csv",
        "azureml:asset:1",
        LONG.replace("/w/", "/w2/") + "datastores/other/paths/a",
    ):
        with pytest.raises(ArgumentError, match="is not in azureml://datastores/store"):
            fs.cat(path)
    long = AzureMachineLearningFileSystem(LONG + "datastores/store/paths/")
    assert long.cat("azureml://datastores/store/paths/top.txt") == b"top"
    with pytest.raises(ArgumentError, match="is not in"):
        long.cat(LONG.replace("/w/", "/w2/") + "datastores/store/paths/top.txt")
    for path in ("..", "../x", "d/../../x"):
        with pytest.raises(ArgumentError, match="leaves the datastore"):
            fs.ls(path)


@pytest.mark.parametrize(
    "uri", [None, "", "abfss://c@a.dfs.core.windows.net/", "/local", "azureml://models/x"]
)
def test_what_is_no_azureml_address_is_refused(uri):
    with pytest.raises(ArgumentError, match="azureml address"):
        AzureMachineLearningFileSystem(uri)


def test_a_path_becomes_a_whole_address_again(fs):
    assert (
        fs.unstrip_protocol("d/a.csv")
        == fs.to_absolute_path("/d/a.csv")
        == "azureml://datastores/store/paths/d/a.csv"
    )


def test_a_data_asset_is_a_filesystem_with_its_own_root(fs, workplace):
    assets.register("one", "azureml://datastores/store/paths/d")
    assets.register("file", "data/top.txt")
    for uri in (
        "azureml:one:1",
        "azureml:one@latest",
        LONG + "data/one/versions/1",
        "azureml://registries/r/data/one/versions/1",
    ):
        inside = AzureMachineLearningFileSystem(uri)
        assert inside.ls() == ["a.csv", "e"]
        assert inside.cat("e/b.csv") == b"x,y\n3,c\n"
    assert pd.read_csv(LONG + "data/one/versions/1/a.csv")["x"].tolist() == [1, 2]
    with fsspec.open(LONG + "data/file/versions/1") as file:
        assert file.read() == b"top"


# --------------------------------------------------------------------------- other libraries
def test_pandas_reads_and_writes_addresses(any_fs):
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})
    for form, write, read in [
        ("csv", lambda f, u: f.to_csv(u, index=False), pd.read_csv),
        ("parquet", lambda f, u: f.to_parquet(u), pd.read_parquet),
        (
            "json",
            lambda f, u: f.to_json(u, orient="records", lines=True),
            lambda u: pd.read_json(u, lines=True),
        ),
        ("csv.gz", lambda f, u: f.to_csv(u, index=False), pd.read_csv),
    ]:
        uri = f"azureml://datastores/store/paths/out/f.{form}"
        write(frame, uri)
        assert read(uri)["x"].tolist() == [1, 2]
    assert any_fs.ls("out") == ["out/f.csv", "out/f.csv.gz", "out/f.json", "out/f.parquet"]


@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_dask_reads_and_writes_addresses(any_fs):
    frame = pd.DataFrame({"x": range(10)})
    dd.from_pandas(frame, npartitions=2).to_parquet("azureml://datastores/store/paths/p")
    loaded = dd.read_parquet("azureml://datastores/store/paths/p", columns=["x"])
    assert loaded["x"].sum().compute() == 45
    loaded = dd.read_csv("azureml://datastores/store/paths/d/*.csv")
    assert loaded["x"].sum().compute() == 3
    assert "x" in dd.read_parquet("azureml://datastores/store/paths/p/*.parquet").columns


def test_pyarrow_reads_and_writes_through_it(any_fs):
    table = pa.table({"x": range(1000), "y": ["a"] * 1000})
    pq.write_table(table, "q/f.parquet", filesystem=any_fs)
    file = pq.ParquetFile("q/f.parquet", filesystem=any_fs)
    assert file.read(columns=["x"]).num_rows == 1000
    assert ds.dataset("q", filesystem=any_fs).count_rows() == 1000
    pq.write_to_dataset(table, "h", filesystem=any_fs, partition_cols=["y"])
    assert ds.dataset("h", filesystem=any_fs, partitioning="hive").to_table().num_rows == 1000


# --------------------------------------------------------------------------- files
def test_lines_slices_and_seeks_of_a_file(any_fs):
    data = b"".join(b"%06d\n" % i for i in range(30_000))
    any_fs.pipe_file("big.txt", data)
    with any_fs.open("big.txt") as file:
        assert [next(file), file.readline()] == [b"000000\n", b"000001\n"]
        file.seek(70_000)
        assert file.read(7) == b"010000\n"
        assert file.tell() == 70_007
        assert file.read() == data[70_007:]
        assert file.seek(-7, 2) == len(data) - 7
        assert file.read(100) == b"029999\n"
    with any_fs.open("big.txt", "r", encoding="ascii", newline="") as file:
        assert sum(1 for _ in file) == 30_000
    assert any_fs.cat_file("big.txt", 7, 13) == b"000001"
    assert any_fs.cat_file("big.txt", -7) == any_fs.tail("big.txt", 7) == b"029999\n"
    assert any_fs.head("big.txt", 6) == b"000000"
    assert any_fs.cat_ranges(["big.txt"] * 2, [0, 7], [6, 13]) == [b"000000", b"000001"]
    assert any_fs.read_block("big.txt", 3, 10, delimiter=b"\n") == b"000001\n"


def test_text_is_written_and_read(any_fs):
    with any_fs.open("t.txt", "w", encoding="utf-16") as file:
        file.write("Grüße")
    assert any_fs.read_text("t.txt", encoding="utf-16") == "Grüße"
    with any_fs.open("t.gz", "wb", compression="gzip") as file:
        file.write(b"abc")
    with any_fs.open("t.gz", "rb", compression="infer") as file:
        assert file.read() == b"abc"
    with any_fs.open("u.gz", "w", compression="infer") as file:
        file.write("def")
    with any_fs.open("u.gz", "r", compression="gzip") as file:
        assert file.read() == "def"
    with pytest.raises(FileExistsError):
        any_fs.open("t.txt", "xb")
    with pytest.raises(FileExistsError):
        any_fs.open("t.txt", "x")
    with pytest.raises(ArgumentError, match="mode"):
        any_fs.open("t.txt", "q")


def test_a_folder_is_no_file(any_fs):
    with pytest.raises((IsADirectoryError, FileNotFoundError)):
        any_fs.cat("d")
    if any_fs._store()[1].is_local:
        with pytest.raises(IsADirectoryError):
            any_fs.open("d", "wb")


def test_bytes_are_appended_to_a_local_file(fs):
    with fs.open("top.txt", "ab") as file:
        file.write(b"!")
    assert fs.cat("top.txt") == b"top!"


@pytest.mark.parametrize(("mode", "compression"), [("wb", None), ("w", None), ("wb", "gzip"), ("w", "gzip")])
def test_a_file_whose_block_fails_is_not_written(any_fs, mode, compression):
    def fail():
        with any_fs.open("top.txt", mode, compression=compression) as file:
            file.write(b"half" if mode == "wb" else "half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    gc.collect()  # a compressor that was left open would complain now, which is an error here
    assert any_fs.cat("top.txt") == b"top"
    assert any_fs.find("") == ["d/a.csv", "d/e/b.csv", "top.txt"]


def test_a_closed_file_takes_no_more(any_fs):
    with any_fs.open("new.txt", "wb") as file:
        file.write(b"all")
    with pytest.raises(ValueError, match="closed file"):
        file.write(b"more")
    assert any_fs.cat("new.txt") == b"all"


def test_a_transaction_lets_files_appear_together_or_not_at_all(fs):
    with fs.transaction:
        with fs.open("one", "wb") as file:
            file.write(b"1")
        assert not fs.exists("one")
    assert fs.cat("one") == b"1"

    def fail():
        with fs.transaction:
            with fs.open("two", "wb") as file:
                file.write(b"2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert fs.find("", maxdepth=1) == ["one", "top.txt"]


#: Longer than one request brings, so that a reader asks several times.
OLD, NEW = b"\1" * 9_000_000, b"\2" * 9_000_000


class Replacing:
    """Replaces a file again and again, by one content and the other, until its block ends."""

    def __init__(self, put, contents):
        self.put, self.contents = put, contents
        self.stop, self.count = threading.Event(), 0
        self.thread = threading.Thread(target=self._run)

    def _run(self):
        while not self.stop.is_set():
            self.count += 1
            self.put(self.contents[self.count % 2])
            time.sleep(0.05)  # a reader that never gets through would prove nothing

    def __enter__(self):
        self.put(self.contents[0])
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


@pytest.fixture(params=["local", "azure"])
def kept_fs(request, workplace):
    """The filesystem on storages that tell one version of a file from another."""
    if request.param == "local":
        return datastores.register_local("store", workplace / "data").filesystem()
    azurite = request.getfixturevalue("azurite")
    name = azurite.uri.rpartition("/")[2]
    given = {"account_key": KEY, "endpoint": endpoint_of(azurite), "create_if_not_exists": True}
    return datastores.register_azure_blob_container("store", name, ACCOUNT, **given).filesystem()


def seen_while_replaced(replacing, read):
    """Return what readers saw: whole contents, and how often they were told that the file had changed."""
    seen, changed = [], 0
    give_up = time.monotonic() + 30
    with replacing:
        while time.monotonic() < give_up and (replacing.count < 20 or len(set(seen)) < 2):
            try:
                seen.append(read())
            except StorageError as error:
                assert "has changed since it was listed" in str(error)  # noqa: PT017
                changed += 1
    return set(seen), changed


@pytest.mark.parametrize("length", [len(OLD), len(NEW) // 2])
def test_readers_see_the_old_or_the_new_file_while_it_is_replaced(kept_fs, length):
    contents = (OLD, NEW[:length])
    seen, _ = seen_while_replaced(
        Replacing(lambda data: kept_fs.pipe_file("f", data), contents), lambda: kept_fs.cat("f")
    )
    assert seen == set(contents)


def test_a_file_that_is_open_stays_what_it_was_or_is_an_error(kept_fs):
    kept_fs.pipe_file("f", OLD)
    with kept_fs.open("f") as file:
        first = file.read(1_000_000)
        kept_fs.pipe_file("f", NEW)
        try:
            rest = file.read()
        except StorageError as error:
            assert "has changed since it was listed" in str(error)  # noqa: PT017
        else:
            assert first + rest == OLD


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_has_the_old_or_the_new_rows_while_its_file_is_replaced(kept_fs, kind):
    def content(number):
        frame = pd.DataFrame({"x": [number] * 300_000, "y": range(300_000)})
        file = io.BytesIO()
        frame.to_parquet(file, row_group_size=30_000) if kind == "parquet" else frame.to_csv(
            file, index=False
        )
        return file.getvalue()

    make = mltable_lite.from_parquet_files if kind == "parquet" else mltable_lite.from_delimited_files

    def read():
        table = make([{"file": kept_fs.unstrip_protocol(f"f.{kind}")}]).to_arrow_table()
        return tuple(sorted(set(table.column("x").to_pylist()))), table.num_rows

    seen, _ = seen_while_replaced(
        Replacing(lambda data: kept_fs.pipe_file(f"f.{kind}", data), (content(1), content(2))), read
    )
    assert seen == {((1,), 300_000), ((2,), 300_000)}


# --------------------------------------------------------------------------- changing
def test_files_are_copied_moved_and_removed(any_fs):
    fs = any_fs
    fs.cp("d/a.csv", "copy.csv")
    assert fs.cat("copy.csv") == fs.cat("d/a.csv")
    fs.mv("copy.csv", "deep/er/moved.csv")
    assert not fs.exists("copy.csv")
    assert fs.cat("deep/er/moved.csv") == fs.cat("d/a.csv")
    fs.mv("d", "e", recursive=True)
    assert fs.find("") == ["deep/er/moved.csv", "e/a.csv", "e/e/b.csv", "top.txt"]
    fs.rm("e/*.csv")
    fs.rm("deep", recursive=True)
    assert fs.find("") == ["e/e/b.csv", "top.txt"]
    fs.rm(["e", "top.txt"], recursive=True)
    assert fs.find("") == []
    with pytest.raises(FileNotFoundError):
        fs.rm("e")


def test_touch_makes_an_empty_file_and_a_folder_can_be_made(any_fs):
    fs = any_fs
    fs.touch("t/new")
    assert fs.size("t/new") == 0
    fs.touch("top.txt")
    assert fs.size("top.txt") == 0
    fs.makedirs("m/n", exist_ok=True)
    fs.mkdir("q")
    with pytest.raises(FileExistsError):
        fs.mkdir("d")


def test_touch_without_truncating_gives_a_new_time_only(fs):
    before = fs.modified("top.txt")
    fs.touch("top.txt", truncate=False)
    assert fs.cat("top.txt") == b"top"
    assert fs.modified("top.txt") >= before
    fs.rm("d/e/b.csv")
    fs.rmdir("d/e")
    assert not fs.exists("d/e")


# --------------------------------------------------------------------------- upload and download
class Counting(Callback):
    def __init__(self):
        super().__init__()
        self.files = []

    def branched(self, path_1, path_2, **kwargs):
        self.files.append((path_1, path_2))
        return super().branched(path_1, path_2, **kwargs)


@pytest.fixture
def source(workplace):
    folder = workplace / "src"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"A")
    (folder / "sub/b.csv").write_bytes(b"B")
    return folder


def test_a_file_is_uploaded_into_a_folder_or_to_a_name(any_fs, source):
    fs = any_fs
    assert (
        fs.upload(
            lpath=str(source / "a.csv"), rpath="up/here", recursive=False, overwrite="MERGE_WITH_OVERWRITE"
        )
        == 1
    )
    fs.upload(source / "a.csv", "/up/slash/")
    fs.upload(source / "a.csv", "./up/renamed.csv")
    assert fs.find("up") == ["up/here/a.csv", "up/renamed.csv", "up/slash/a.csv"]


def test_a_folder_is_uploaded_and_downloaded_with_all_below(any_fs, source, workplace):
    fs, counting = any_fs, Counting()
    assert fs.upload(str(source), "up", recursive=True, callback=counting) == 2
    assert fs.find("up") == ["up/a.csv", "up/sub/b.csv"]
    assert (counting.size, counting.value, len(counting.files)) == (2, 2, 2)
    assert fs.download("up", str(workplace / "back"), recursive=True) == 2
    assert (workplace / "back/sub/b.csv").read_bytes() == b"B"
    assert fs.download("up/a.csv", str(workplace / "one")) == 1
    assert (workplace / "one/a.csv").read_bytes() == b"A"
    for ask in (lambda: fs.upload(str(source), "up"), lambda: fs.download("up", "x")):
        with pytest.raises(ArgumentError, match="recursive=True"):
            ask()
    with pytest.raises(SourceNotFoundError):
        fs.upload("not-there", "up")
    with pytest.raises(SourceNotFoundError):
        fs.download("not-there", "x")


@pytest.mark.parametrize(
    ("overwrite", "count", "content"), [("APPEND", 1, b"old"), ("MERGE_WITH_OVERWRITE", 2, b"A")]
)
def test_what_is_there_is_kept_or_replaced(fs, source, workplace, overwrite, count, content):
    fs.pipe_file("up/a.csv", b"old")
    assert fs.upload(str(source), "up", recursive=True, overwrite=overwrite) == count
    assert fs.cat("up/a.csv") == content
    assert fs.cat("up/sub/b.csv") == b"B"
    (workplace / "back").mkdir()
    (workplace / "back/a.csv").write_bytes(b"old")
    fs.pipe_file("up/a.csv", b"A")
    assert fs.download("up", "back", recursive=True, overwrite=overwrite) == count
    assert (workplace / "back/a.csv").read_bytes() == content


def test_a_conflict_is_an_error_before_anything_is_written(fs, source):
    fs.pipe_file("up/sub/b.csv", b"old")
    with pytest.raises(
        TargetExistsError, match=r"azureml://datastores/store/paths/up/sub/b.csv exists \(AlreadyExists\)"
    ):
        fs.upload(str(source), "up", recursive=True, overwrite="FAIL_ON_FILE_CONFLICT")
    assert fs.find("up") == ["up/sub/b.csv"]
    with pytest.raises(ArgumentError, match="MERGE_WITH_OVERWRITE"):
        fs.upload(str(source), "up", recursive=True, overwrite="YES")


def test_a_download_that_fails_leaves_nothing_under_the_final_name(any_fs, workplace, monkeypatch):
    data = b"x" * 1000
    any_fs.pipe_file("f", data)

    def fail(*_):
        raise OSError("connection lost")

    monkeypatch.setattr("mltable_lite.storage.transfer._chunks", fail)
    with pytest.raises(StorageError, match="connection lost"):
        any_fs.get("f", str(workplace / "f"))
    assert not (workplace / "f").exists()
    assert [p.name for p in workplace.iterdir() if p.name.endswith(".tmp")] == []


def test_many_files_are_moved_with_gets_and_puts(any_fs, workplace):
    files = {f"many/{i:02}.bin": bytes([i]) * 100 for i in range(30)}
    any_fs.pipe(files)
    any_fs.get("many", str(workplace / "local"), recursive=True)
    assert {f"many/{p.name}": p.read_bytes() for p in (workplace / "local").iterdir()} == files
    any_fs.put(str(workplace / "local"), "again", recursive=True)
    assert any_fs.cat("again", recursive=True) == {k.replace("many", "again"): v for k, v in files.items()}


# --------------------------------------------------------------------------- processes and threads
def _count(fs, queue):
    queue.put(len(fs.cat("d/a.csv")))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_and_a_spawned_child_use_it(workplace, azurite, monkeypatch):
    monkeypatch.setenv("THE_KEY", KEY)
    fs = datastores.register_azure_blob_container(
        "store",
        azurite.uri.rpartition("/")[2],
        ACCOUNT,
        account_key="env:THE_KEY",
        endpoint=endpoint_of(azurite),
        create_if_not_exists=True,
    ).filesystem()
    fs.pipe_file("d/a.csv", b"12345")
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.Queue()
        child = context.Process(target=_count, args=(fs, queue))
        child.start()
        assert queue.get(timeout=60) == 5
        child.join()


def test_threads_share_it(any_fs):
    def work(number):
        for i in range(5):
            any_fs.pipe_file(f"w/{number}-{i}", b"%d" % number)
            assert any_fs.cat(f"w/{number}-{i}") == b"%d" % number

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(any_fs.find("w")) == 30


def test_it_is_pickled_without_secrets_and_is_the_same_again(fs):
    secret = "c2VjcmV0LXMzY3IzdA=="
    own = AzureMachineLearningFileSystem(
        "azureml://datastores/store/paths/d",
        account_key=secret,
        credential=object(),
        ml_client=object(),
        retry={"attempts": 2},
    )
    data = pickle.dumps(own)
    assert secret.encode() not in data
    other = pickle.loads(data)
    assert other.ls() == ["d/a.csv", "d/e"]
    assert other._options["retry"]["attempts"] == 2
    for text in (
        repr(own),
        str(own),
        own.to_json(),
        str(own.to_dict()),
        str(own.storage_options),
        str(vars(other)),
    ):
        assert secret not in text
    assert AzureMachineLearningFileSystem.from_json(own.to_json()).ls() == ["d/a.csv", "d/e"]


def test_two_of_the_same_datastore_are_equal_in_every_process(fs):
    other = datastores.get("store").filesystem()
    assert fs == other
    assert hash(fs) == hash(pickle.loads(pickle.dumps(fs)))
    assert fs != AzureMachineLearningFileSystem("azureml://datastores/other")
    assert fs.fsid == "azureml://datastores/store/paths"
