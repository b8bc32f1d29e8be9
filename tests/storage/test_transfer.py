"""Files and trees between local disks and real storages: equal, resumed, verified, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import fsspec
import pytest
from storage.servers import FIXTURES

from mltable_lite import datastores, transfer
from mltable_lite.errors import (
    AccessDeniedError,
    ArgumentError,
    SourceNotFoundError,
    StorageError,
    TargetExistsError,
)
from mltable_lite.storage import upload as upload_module
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.upload import new_file
from mltable_lite.storage.uri import parse_uri

HASTY = {"attempts": 3, "deadline_seconds": 4, "attempt_seconds": 1.5, "first_wait_seconds": 0.05}
#: Google's uploads have a name of their own.
OF_BIG = "big.bin|upload_id"
FILES = {
    "MLTable": b"paths: []",
    "a b.bin": b"",
    "d/1.bin": bytes(range(256)) * 40,
    "d/.hidden": b"h",
    "d/e/ünï%20.bin": b"u" * 1000,
}


@pytest.fixture(params=["azure", "s3", "gs"])
def store(request):
    return request.getfixturevalue(FIXTURES[request.param])


@pytest.fixture
def tree(tmp_path):
    for name, data in FILES.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(data)
    return tmp_path / "tree"


def files_of(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_tree_goes_up_and_comes_down_as_it_was(store, tree, tmp_path):
    up = transfer.upload(tree, f"{store.uri}/t", storage_options=store.options)
    assert (up.copied_files, up.skipped_files, up.copied_bytes) == (5, 0, sum(map(len, FILES.values())))
    assert store.names() == sorted(f"t/{name}" for name in FILES)
    transfer.download(f"{store.uri}/t", tmp_path / "back", storage_options=store.options)
    assert files_of(tmp_path / "back") == FILES


def test_what_is_there_and_equal_is_not_copied_again(store, tree, tmp_path):
    transfer.upload(tree, f"{store.uri}/t", storage_options=store.options)
    again = transfer.upload(tree, f"{store.uri}/t", storage_options=store.options)
    assert (again.copied_files, again.skipped_files) == (0, 5)
    (tree / "d/1.bin").write_bytes(bytes(reversed(FILES["d/1.bin"])))  # the same size
    os.utime(tree / "d/1.bin", (1, 1))  # and older
    changed = transfer.upload(tree, f"{store.uri}/t", storage_options=store.options)
    assert [item.source for item in changed.items if item.copied] == [str(tree / "d/1.bin")]
    assert store.get("t/d/1.bin") == bytes(reversed(FILES["d/1.bin"]))
    assert "copied 1 files (10.2 kB)" in str(changed)
    assert "4 were there already" in str(changed)


def test_a_copy_between_two_storages_and_back_into_memory(azurite, s3, tree):
    transfer.upload(tree, f"{azurite.uri}/t", storage_options=azurite.options)
    transfer.copy(
        f"{azurite.uri}/t/",
        f"{s3.uri}/u",
        recursive=True,
        source_options=azurite.options,
        target_options=s3.options,
    )
    assert s3.names() == sorted(f"u/{name}" for name in FILES)
    memory = fsspec.filesystem("memory")
    transfer.copy(f"{s3.uri}/u", "memory://transfer/u", recursive=True, storage_options=s3.options)
    assert memory.cat_file("/transfer/u/d/1.bin") == FILES["d/1.bin"]
    memory.rm("/transfer", recursive=True)


def test_a_file_goes_to_its_target_or_into_a_folder(tree, tmp_path, website, store):
    uri = website.put("x.bin", b"abc")
    transfer.copy(uri, tmp_path / "y.bin")
    transfer.copy(uri, f"{tmp_path}/new/")
    transfer.copy(uri, tmp_path / "new")
    assert (tmp_path / "y.bin").read_bytes() == (tmp_path / "new/x.bin").read_bytes() == b"abc"
    transfer.copy(tmp_path / "y.bin", f"{store.uri}/z.bin", storage_options=store.options)
    transfer.copy(tmp_path / "y.bin", f"{store.uri}/k/", storage_options=store.options)
    assert store.names() == ["k/y.bin", "z.bin"]


def test_a_pattern_copies_what_matches_below_its_fixed_part(tree, tmp_path, store):
    transfer.upload(tree, f"{store.uri}/t", storage_options=store.options)
    transfer.download(f"{store.uri}/t/d/**/*.bin", tmp_path / "back", storage_options=store.options)
    assert sorted(files_of(tmp_path / "back")) == ["1.bin", "e/ünï%20.bin"]


def test_a_dry_run_copies_nothing(store, tree):
    told = transfer.upload(tree, f"{store.uri}/t", dry_run=True, storage_options=store.options)
    assert told.copied_files == 5
    assert str(told).startswith("would copy 5 files (11.2 kB)")
    assert store.names() == []


def test_large_files_go_in_blocks_and_ranges(store, tmp_path, monkeypatch):
    data = os.urandom(21_000_000)
    (tmp_path / "big.bin").write_bytes(data)
    seen = []

    class Callback:
        def set_size(self, size):
            seen.append(size)

        def relative_update(self, inc=1):
            seen.append(inc)

    transfer.upload(
        tmp_path / "big.bin", f"{store.uri}/big.bin", storage_options=store.options, callback=Callback()
    )
    assert seen[0] == sum(seen[1:]) == len(data)
    sent = [
        r for r in store.proxy.requests() if r["method"] in ("PUT", "POST") and re.search(OF_BIG, r["path"])
    ]
    assert len(sent) >= 4
    assert hashlib.md5(store.get("big.bin")).digest() == hashlib.md5(data).digest()
    transfer.download(f"{store.uri}/big.bin", tmp_path / "back.bin", storage_options=store.options)
    assert (tmp_path / "back.bin").read_bytes() == data


@pytest.mark.parametrize("do", ["reset", "reset_body", {"do": "status", "status": 503}, "hang"])
def test_a_fault_amid_an_upload_is_tried_again(store, tmp_path, do, monkeypatch):
    monkeypatch.setattr(upload_module, "BLOCK_BYTES", 6 * 2**20)
    data = os.urandom(13_000_000)
    (tmp_path / "big.bin").write_bytes(data)
    fault = do if isinstance(do, dict) else {"do": do}
    store.proxy.fault({**fault, "times": 2, "method": "PUT", "match": OF_BIG})
    transfer.upload(
        tmp_path / "big.bin", f"{store.uri}/big.bin", storage_options={**store.options, "retry": HASTY}
    )
    assert store.get("big.bin") == data


def test_an_upload_that_fails_leaves_nothing_under_its_name(store, tmp_path, monkeypatch):
    monkeypatch.setattr(upload_module, "BLOCK_BYTES", 6 * 2**20)
    (tmp_path / "big.bin").write_bytes(os.urandom(13_000_000))
    (tmp_path / "small.bin").write_bytes(b"small")
    store.proxy.fault(
        {"do": "status", "status": 503, "match": "big.bin.*(comp=block|partNumber=2)|upload_id"}
    )
    with pytest.raises(StorageError, match="big.bin: the storage failed after 3 attempts"):
        transfer.upload(
            tmp_path / "big.bin", f"{store.uri}/big.bin", storage_options={**store.options, "retry": HASTY}
        )
    assert store.names() == []
    with pytest.raises(StorageError, match="1 of 2 files were copied; call it again to go on"):
        transfer.upload(tmp_path, f"{store.uri}", storage_options={**store.options, "retry": HASTY})
    store.proxy.fault()
    resumed = transfer.upload(tmp_path, f"{store.uri}", storage_options=store.options)
    assert (resumed.copied_files, resumed.skipped_files) == (1, 1)


def test_an_error_inside_the_block_leaves_nothing_and_replaces_nothing(store, tmp_path):
    places = [
        (parse_uri(f"{store.uri}/x"), StorageOptions(store.options)),
        (parse_uri(str(tmp_path / "x")), None),
    ]
    for place, options in places:
        args = (place,) if options is None else (place, options)
        with new_file(*args) as file:
            file.write(b"old")

        def fail(args=args):
            with new_file(*args) as file:
                file.write(b"n" * 9_000_000)
                raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            fail()
    assert store.get("x") == (tmp_path / "x").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]  # noqa: PTH208


def test_a_download_that_fails_leaves_nothing(store, tmp_path):
    store.put("x.bin", b"x" * 1000)
    store.proxy.fault({"do": "cut_body", "data": True, "method": "GET", "match": "x.bin"})
    with pytest.raises(StorageError, match="x.bin: the storage failed after"):
        transfer.download(
            f"{store.uri}/x.bin", tmp_path / "x.bin", storage_options={**store.options, "retry": HASTY}
        )
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_differ_from_the_kept_md5_are_never_written(azurite, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"x" * 1000)
    transfer.upload(tmp_path / "x.bin", f"{azurite.uri}/x.bin", storage_options=azurite.options)
    azurite.proxy.fault({"do": "flip", "data": True, "method": "GET", "match": "x.bin"})
    with pytest.raises(StorageError, match="do not have the MD5"):
        transfer.download(f"{azurite.uri}/x.bin", tmp_path / "back.bin", storage_options=azurite.options)
    assert not (tmp_path / "back.bin").exists()


def test_overwrite_false_refuses_what_differs_before_anything_is_copied(store, tree):
    store.put("t/d/1.bin", b"other")
    with pytest.raises(TargetExistsError, match=r"t/d/1\.bin exists and differs"):
        transfer.upload(tree, f"{store.uri}/t", overwrite=False, storage_options=store.options)
    assert store.names() == ["t/d/1.bin"]
    transfer.upload(tree, f"{store.uri}/t", overwrite=True, storage_options=store.options)
    assert store.get("t/d/1.bin") == FILES["d/1.bin"]
    same = transfer.upload(tree, f"{store.uri}/t", overwrite=False, storage_options=store.options)
    assert same.copied_files == 0


@pytest.mark.parametrize(
    "word",
    ["never", "no", "false", 0, 1, None, "", "APPEND", "FAIL_ON_FILE_CONFLICT", "Changed", ["changed"]],
)
def test_a_word_for_overwrite_that_is_not_known_copies_nothing(word, tmp_path):
    (tmp_path / "new.txt").write_text("two")
    (tmp_path / "there.txt").write_text("one, and longer")
    for function in (transfer.copy, transfer.upload, transfer.download):
        for target in ("there.txt", "elsewhere.txt"):
            with pytest.raises(ArgumentError, match="is not accepted; use 'changed' .*True .*or False"):
                function(tmp_path / "new.txt", tmp_path / target, overwrite=word)
    assert (tmp_path / "there.txt").read_text() == "one, and longer"
    assert not (tmp_path / "elsewhere.txt").exists()


@pytest.mark.parametrize("word", ["never", "no", 0])
def test_a_datastore_takes_no_word_for_overwrite_either(word, tmp_path, workplace):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a").write_text("new")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/a").write_text("old, and longer")
    store = datastores.register_local(datastore_name="here", root=tmp_path / "root")
    with pytest.raises(ArgumentError, match=f"overwrite={word!r} is not accepted; use True or False"):
        store.upload(tmp_path / "src", overwrite=word, show_progress=False)
    assert (tmp_path / "root/a").read_text() == "old, and longer"


def test_names_that_lead_out_of_the_target_are_refused(s3, tmp_path):
    s3.fs().call_s3("put_object", Bucket="data", Key=s3.uri.rpartition("/")[2] + "/t/../../evil", Body=b"x")
    with pytest.raises(ArgumentError, match="leads out of"):
        transfer.download(f"{s3.uri}/t", tmp_path / "in", storage_options=s3.options)
    assert not (tmp_path / "in").exists()


def test_what_cannot_be_copied_says_why(tmp_path, website):
    (tmp_path / "d").mkdir()
    with pytest.raises(SourceNotFoundError, match="nothing to copy"):
        transfer.copy(tmp_path / "no", tmp_path / "x")
    with pytest.raises(ArgumentError, match="is a folder; give recursive=True"):
        transfer.copy(tmp_path / "d", tmp_path / "x")
    with pytest.raises(ArgumentError, match="is not local"):
        transfer.upload("az://c/x", tmp_path / "x")
    with pytest.raises(ArgumentError, match="is not local"):
        transfer.download(tmp_path / "x", "az://c/x")
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(Exception, match="a web server takes no files"):
        transfer.copy(tmp_path / "f", f"{website.uri}/f")


def test_progress_is_one_line_that_overwrites_itself(tree, tmp_path, capsys):
    transfer.copy(tree, tmp_path / "copy", recursive=True, show_progress=True)
    shown = capsys.readouterr().err
    assert shown.endswith("\n")
    assert shown.count("\n") == 1
    assert "copied 11.2 kB of 11.2 kB" in shown.rpartition("\r")[2]


def test_a_local_file_that_is_newer_is_copied_again(tmp_path):
    (tmp_path / "a").write_bytes(b"one")
    transfer.copy(tmp_path / "a", tmp_path / "b")
    assert transfer.copy(tmp_path / "a", tmp_path / "b").copied_files == 0
    (tmp_path / "a").write_bytes(b"two")
    later = time.time() + 10
    os.utime(tmp_path / "a", (later, later))
    assert transfer.copy(tmp_path / "a", tmp_path / "b").copied_files == 1
    assert (tmp_path / "b").read_bytes() == b"two"


@pytest.mark.parametrize("length", [3, 3_000_001])
def test_local_files_of_one_size_are_told_apart_by_their_bytes(length, tmp_path):
    (tmp_path / "a").write_bytes(b"a" * length + b"NEW")
    (tmp_path / "b").write_bytes(b"a" * length + b"old")
    os.utime(tmp_path / "a", (1, 1))  # the target is newer
    with pytest.raises(TargetExistsError, match="exists and differs"):
        transfer.copy(tmp_path / "a", tmp_path / "b", overwrite=False)
    assert transfer.copy(tmp_path / "a", tmp_path / "b", dry_run=True).copied_files == 1
    assert (tmp_path / "b").read_bytes().endswith(b"old")
    assert transfer.copy(tmp_path / "a", tmp_path / "b").copied_files == 1
    assert (tmp_path / "b").read_bytes().endswith(b"NEW")


def test_local_files_of_the_same_bytes_are_left_alone_however_old(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"same")
    os.utime(tmp_path / "b", (1, 1))
    assert transfer.copy(tmp_path / "a", tmp_path / "b").skipped_files == 1
    assert transfer.copy(tmp_path / "a", tmp_path / "b", overwrite=False).skipped_files == 1
    assert (tmp_path / "b").stat().st_mtime == 1


def test_comparing_long_local_files_takes_little_memory(tmp_path):
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(200_000_000)
    code = f"""
import resource
from mltable_lite import transfer
transfer.copy("{tmp_path}/a", "{tmp_path}/b", dry_run=True, overwrite=True)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert transfer.copy("{tmp_path}/a", "{tmp_path}/b").skipped_files == 1
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20


def test_a_local_file_that_may_not_be_read_is_named():
    with tempfile.TemporaryDirectory() as folder:
        one, other = Path(folder, "a"), Path(folder, "b")
        one.write_bytes(b"one")
        other.write_bytes(b"two")
        transfer.copy(one, other)  # all that is loaded when it is needed
        other.write_bytes(b"two")
        one.chmod(0)
        Path(folder).chmod(0o755)
        me = os.geteuid()
        if me == 0:  # who reads everything
            os.seteuid(65534)
        try:
            with pytest.raises(AccessDeniedError, match=r"/a: access denied"):
                transfer.copy(one, other)
        finally:
            os.seteuid(me)


# --------------------------------------------------------------------------- the commands
def run(*arguments):
    from click.testing import CliRunner

    from mltable_lite.cli import main

    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_the_commands_copy_and_list_by_a_sas_address_as_azcopy_takes_it(azurite, tree, tmp_path):
    import datetime as dt

    from azure.storage.blob import ContainerSasPermissions, generate_container_sas
    from storage.servers import ACCOUNT, KEY

    permission = ContainerSasPermissions(read=True, write=True, list=True, create=True)
    expiry = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    sas = generate_container_sas(ACCOUNT, "data", account_key=KEY, permission=permission, expiry=expiry)
    root = f"http://127.0.0.1:{azurite.proxy.port}/{ACCOUNT}/{azurite.uri.removeprefix('az://')}"
    planned = run("cp", tree, f"{root}/t?{sas}", "--recursive", "--dry-run")
    assert planned.output.count("copy ") == 6
    assert "sig=" not in planned.output
    assert azurite.names() == []
    done = run("cp", tree, f"{root}/t?{sas}", "-r")
    assert (done.exit_code, done.output.partition(" in ")[0]) == (0, "copied 5 files (11.2 kB)")
    assert azurite.names() == sorted(f"t/{name}" for name in FILES)
    assert run("ls", f"{root}/t?{sas}").output == "9  MLTable\n0  a b.bin\n   d/\n"
    assert run("ls", "-r", f"{root}/t?{sas}").output.splitlines()[-1] == " 1000  d/e/ünï%20.bin"


def test_every_command_takes_storage_options(azurite):
    azurite.put("t/a.csv", b"i\n1\n2\n")
    azurite.put("t/MLTable", b"paths: [{file: a.csv}]\ntransformations: [read_delimited]\n")
    options = [word for name, value in azurite.options.items() for word in ("-o", f"{name}={value}")]
    printed = {"count": "2\n", "schema": "i: int64\n", "show": "   i\n0  1\n1  2\n"}
    printed["validate"] = f"{azurite.uri}/t: valid\n"
    for command, output in printed.items():
        assert run(command, f"{azurite.uri}/t", *options).output == output
    assert "i: int64" not in (wrong := run("schema", f"{azurite.uri}/t", "-o", "anon")).output
    assert "write NAME=VALUE" in wrong.output


def test_cp_with_overwrite_never_tells_and_keeps_what_is_there(tmp_path):
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    kept = run("cp", tmp_path / "a", tmp_path / "b", "--overwrite", "never")
    assert kept.exit_code == 1
    assert "exists and differs" in kept.output
    assert (tmp_path / "b").read_text() == "old"


def test_a_command_that_fails_is_one_line(tmp_path):
    failed = run("cp", tmp_path, tmp_path / "x")
    assert failed.exit_code == 1
    assert failed.output.count("\n") == 1
    assert "give recursive=True (--recursive)" in failed.output
    assert run("ls", tmp_path / "no").exit_code == 1
