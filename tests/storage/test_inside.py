"""Copies inside one account are made by the storage: what the proxy before it passes on tells."""

from __future__ import annotations

import asyncio
import hashlib
import os
from types import SimpleNamespace

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from storage.servers import ACCOUNT, FIXTURES, KEY

from mltable_lite import datastores, transfer
from mltable_lite.errors import AccessDeniedError, StorageError
from mltable_lite.storage import inside
from mltable_lite.storage.retry import DEFAULT

DATA = os.urandom(3_000_000)


def bodies(store):
    """Return the bytes of files that went through the proxy in either direction."""
    requests = store.proxy.requests()
    down = sum(r["bytes"] for r in requests if r["method"] == "GET" and r["range"])
    return down + sum(r.get("sent", 0) for r in requests if r["method"] in ("PUT", "POST"))


@pytest.fixture(params=["azure", "s3"])
def store(request):
    store = request.getfixturevalue(FIXTURES[request.param])
    for name in ("a b.bin", "d/ü%20.bin"):
        store.put(f"t/{name}", DATA)
    store.proxy.fault()
    return store


def test_no_byte_comes_here_when_files_are_copied_inside_an_account(store):
    done = transfer.copy(f"{store.uri}/t", f"{store.uri}/u", recursive=True, storage_options=store.options)
    assert (done.copied_files, done.copied_bytes) == (2, 2 * len(DATA))
    assert bodies(store) < 10_000
    assert store.get("u/a b.bin") == store.get("u/d/ü%20.bin") == DATA


def test_a_copy_keeps_the_checksum_and_is_not_made_twice(azurite, tmp_path):
    (tmp_path / "a.bin").write_bytes(DATA)
    transfer.upload(tmp_path / "a.bin", f"{azurite.uri}/a.bin", storage_options=azurite.options)
    for count in (1, 0):
        done = transfer.copy(f"{azurite.uri}/a.bin", f"{azurite.uri}/b.bin", storage_options=azurite.options)
        assert done.copied_files == count
    kept = azurite.fs().info(f"{azurite.direct_uri}/b.bin")["content_settings"].content_md5
    assert bytes(kept) == hashlib.md5(DATA).digest()


def test_the_filesystem_copies_and_moves_inside_an_account(azurite, workplace):
    folder = azurite.uri.removeprefix("az://data/")
    fs = datastores.register_azure_blob_container(
        "blob", "data", ACCOUNT, account_key=KEY, endpoint=f"http://127.0.0.1:{azurite.proxy.port}"
    ).filesystem()
    azurite.put("a", DATA)
    azurite.proxy.fault()
    fs.cp(f"{folder}/a", f"{folder}/b")
    fs.mv(f"{folder}/b", f"{folder}/c")
    assert bodies(azurite) < 10_000
    assert azurite.get("c") == DATA
    assert azurite.names() == ["a", "c"]


def test_a_signature_copies_too_and_one_that_may_not_is_denied(azurite):
    def options(**rights):
        import datetime as dt

        until = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        sas = generate_container_sas(
            ACCOUNT, "data", account_key=KEY, permission=ContainerSasPermissions(**rights), expiry=until
        )
        endpoint = f"http://127.0.0.1:{azurite.proxy.port}/{ACCOUNT}"
        return {"account_name": ACCOUNT, "endpoint": endpoint, "sas_token": sas}

    azurite.put("a", DATA)
    azurite.proxy.fault()
    able = options(read=True, write=True, create=True, list=True)
    transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/b", storage_options=able)
    assert bodies(azurite) < 10_000
    assert azurite.get("b") == DATA
    with pytest.raises(AccessDeniedError, match="access denied") as caught:
        transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/c", storage_options=options(read=True, list=True))
    assert "sig" not in str(caught.value)


def test_two_credentials_or_a_refusal_let_the_bytes_come_here(azurite):
    azurite.put("a", DATA)
    azurite.proxy.fault()
    options = {"source_options": azurite.options, "target_options": azurite.direct}
    transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/b", **options)
    assert bodies(azurite) >= len(DATA)
    azurite.proxy.fault(
        {"do": "status", "status": 409, "code": "CannotVerifyCopySource", "times": 1, "method": "PUT"}
    )
    transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/c", storage_options=azurite.options)
    assert azurite.get("b") == azurite.get("c") == DATA


def test_a_source_that_changes_after_the_listing_is_an_error(azurite, monkeypatch):
    store = azurite  # the emulator of S3 does not look at the tag that it is sent
    store.put("a", b"one")
    listed = transfer.copy.__globals__["planned"]

    def then_changed(*args, **kwargs):
        pairs = listed(*args, **kwargs)
        store.put("a", b"two")
        return pairs

    monkeypatch.setitem(transfer.copy.__globals__, "planned", then_changed)
    with pytest.raises(StorageError, match="/a: the file has changed since it was listed"):
        transfer.copy(f"{store.uri}/a", f"{store.uri}/b", storage_options=store.options)
    assert "b" not in store.names()


def test_a_large_blob_is_copied_in_steps_only_where_nobody_reads_another(azurite, monkeypatch):
    monkeypatch.setattr(inside, "_ONE_STEP_BYTES", 1000)
    azurite.put("a", DATA)
    azurite.put("c", b"old")
    azurite.proxy.fault()
    transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/b", storage_options=azurite.options)
    assert bodies(azurite) < 10_000
    transfer.copy(f"{azurite.uri}/a", f"{azurite.uri}/c", storage_options=azurite.options)
    assert bodies(azurite) >= len(DATA)
    assert azurite.get("b") == azurite.get("c") == DATA


class Copy:
    """A blob as the service shows it while it is being copied, one state after the other."""

    def __init__(self, *states):
        self.states, self.done = list(states), []

    async def get_blob_properties(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return SimpleNamespace(copy=SimpleNamespace(status=state, status_description="500 Internal", id="7"))

    async def abort_copy(self, name):
        self.done.append(f"abort {name}")

    async def delete_blob(self):
        self.done.append("delete")


def test_a_copy_that_takes_its_time_is_waited_for(monkeypatch):
    monkeypatch.setattr(inside, "_POLL_SECONDS", 0.01)
    copy = Copy("pending", "pending", "success")
    asyncio.run(inside.finished(copy, DEFAULT))
    assert (copy.states, copy.done) == (["success"], [])


def test_a_copy_that_fails_or_that_nobody_waits_for_leaves_nothing(monkeypatch):
    monkeypatch.setattr(inside, "_POLL_SECONDS", 0.01)
    failed = Copy("pending", "failed")
    with pytest.raises(StorageError, match="ended the copy as failed \\(500 Internal\\)"):
        asyncio.run(inside.finished(failed, DEFAULT))
    assert failed.done == ["delete"]
    endless = Copy("pending")
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(inside.finished(endless, DEFAULT), 0.05))
    assert endless.done == ["abort 7", "delete"]
