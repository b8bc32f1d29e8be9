"""A storage that fails: the right rows after some attempts, or one error that names file, attempts and cause, in time.

The matrix does every fault to every format on every storage. A fault hits the requests for data files, or those for
listings; what may come of it stands beside it. Never other rows, never a longer wait than the policy's.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from storage.servers import ACCOUNT, KEY, Server, azure_connection, azurite_process
from storage.test_servers import READERS, local, table, write

import mltable_lite as mltable
from mltable_lite.errors import (
    AccessDeniedError,
    CorruptFileError,
    SourceNotFoundError,
    StorageError,
    UserErrorException,
)

PATIENT = {"attempts": 5, "deadline_seconds": 10, "attempt_seconds": 1.5, "first_wait_seconds": 0.05}
HASTY = {"attempts": 3, "deadline_seconds": 1.5, "attempt_seconds": 0.6, "first_wait_seconds": 0.05}
BUSY_SECONDS = 4  # what a busy machine may add to a deadline; a fault that hangs would add an hour


@dataclass(frozen=True)
class Fault:
    """A fault: what the proxy does, and what must come of it.

    Attributes:
        do: For the proxy.
        error: The error that must come; without one, the right rows.
        text: A regular expression that its text must hold.
        listing: Whether listings are hit, instead of data.
        kinds: The formats that can notice; a text file has no checksum.
    """

    do: dict[str, Any]
    error: type[Exception] | tuple[type[Exception], ...] | None = None
    text: str = ""
    listing: bool = False
    kinds: frozenset[str] = field(default_factory=lambda: frozenset(READERS))

    @property
    def policy(self) -> dict[str, float]:
        return PATIENT if "times" in self.do or self.error is None else HASTY


def status(status_code: int, /, **more: Any) -> dict[str, Any]:
    return {"do": "status", "status": status_code, **more}


GAVE_UP = r"the storage failed after \d attempts? in \d\.\d s: \w+"
FAULTS = {
    "503 once": Fault(status(503, times=1)),
    "429 once, asks for a second": Fault(status(429, times=1, retry_after=1, code="TooManyRequests")),
    "500 twice": Fault(status(500, times=2, code="InternalError")),
    "503 for ever": Fault(status(503), StorageError, GAVE_UP),
    "503, asks for an hour": Fault(status(503, retry_after=3600), StorageError, "after 1 attempt in"),
    "401 after the listing": Fault(
        status(401, code="InvalidAuthenticationInfo"), AccessDeniedError, "access denied"
    ),
    "403 after the listing": Fault(
        status(403, code="AuthorizationFailure"), AccessDeniedError, "access denied"
    ),
    "404 after the listing": Fault(status(404, code="NoSuchKey"), SourceNotFoundError, "was not found"),
    "reset once": Fault({"do": "reset", "times": 1}),
    "reset for ever": Fault({"do": "reset"}, StorageError, GAVE_UP),
    "reset amid the body, once": Fault({"do": "reset_body", "times": 1}),
    "cut body, once": Fault({"do": "cut_body", "times": 1}),
    "cut body, for ever": Fault({"do": "cut_body"}, StorageError, GAVE_UP),
    "short but consistent body, once": Fault({"do": "short_body", "times": 1}),
    "short but consistent body, for ever": Fault({"do": "short_body"}, StorageError, GAVE_UP),
    "hang once": Fault({"do": "hang", "times": 1}),
    "hang amid the body, once": Fault({"do": "hang_body", "times": 1}),
    "hang for ever": Fault({"do": "hang"}, StorageError, GAVE_UP),
    "a byte now and then": Fault({"do": "slow"}, StorageError, GAVE_UP),
    # S3 has a checksum of every answer; elsewhere the pages of a Parquet file have.
    "flipped bit": Fault(
        {"do": "flip"},
        (CorruptFileError, StorageError),
        "row group|checksum|damaged",
        kinds=frozenset({"parquet", "delta"}),
    ),
    "whole file instead of a range": Fault({"do": "whole"}),
    "listing: 503 once": Fault(status(503, times=1), listing=True),
    "listing: cut, once": Fault({"do": "cut_body", "times": 1}, listing=True),
    "listing: cut but consistent, once": Fault({"do": "short_body", "times": 1}, listing=True),
    "listing: cut but consistent, for ever": Fault({"do": "short_body"}, StorageError, GAVE_UP, listing=True),
    "listing: 403": Fault(status(403, code="AuthorizationFailure"), AccessDeniedError, listing=True),
}


SERVERS = {"azure": "azurite_session", "s3": "s3_session", "gs": "gs_session", "http": "web_session"}


def kinds(fault: str, name: str) -> list[str]:
    """Return the formats that a fault can happen to on a storage."""
    given = FAULTS[fault]
    if name == "azure" and given.do["do"] == "whole":
        return []  # the range is a part of what is signed
    if given.listing:  # a web server has none, and the log of a Delta table is listed by deltalake: see below
        return [] if name == "http" else [kind for kind in READERS if kind != "delta"]
    return [kind for kind in READERS if kind in given.kinds and not (kind == "delta" and name == "http")]


CELLS = [(fault, name) for fault in FAULTS for name in SERVERS if kinds(fault, name)]


@pytest.fixture(scope="module")
def stored(request, tmp_path_factory):
    """Return a function that gives a storage, the folder there that holds all formats, and their rows."""
    folder = tmp_path_factory.mktemp("stored")
    rows = {}
    for kind in READERS:
        write(kind, folder / kind)
        rows[kind] = local(kind, folder / kind)
    known: dict[str, str] = {}

    def get(name: str) -> tuple[Server, str, dict[str, Any]]:
        server = request.getfixturevalue(SERVERS[name])
        server.proxy.fault()
        if name not in known:
            known[name] = server.put_folder(folder, "faults")
        return server, known[name], rows

    return get


def test_the_matrix_has_every_fault_format_and_storage():
    count = sum(len(kinds(*cell)) for cell in CELLS)
    print(f"{len(FAULTS)} faults, {count} cells")  # noqa: T201
    assert len(FAULTS) >= 25
    assert count >= 240


@pytest.mark.parametrize(("fault", "name"), CELLS)
def test_a_fault_gives_the_right_rows_or_one_error_in_time(fault, name, stored):
    server, root, rows = stored(name)
    given = FAULTS[fault]
    ends = (
        r"(?=.*(comp=list|list-type|/o\?))"
        if given.listing
        else r"(?=.*\.(parquet|csv|jsonl)(\?alt=media)?$)"
    )
    server.proxy.fault(
        *({**given.do, "match": rf"{ends}.*faults(/|%2F){kind}"} for kind in kinds(fault, name))
    )

    def read(kind: str) -> str:
        start = time.monotonic()
        try:
            found = table(kind, server, f"{root}/{kind}", retry=given.policy).to_arrow_table()
        except UserErrorException as error:
            wrong = wrong_error(given, error, f"{root}/{kind}")
        else:
            wrong = (
                "silently wrong rows" if not found.equals(rows[kind]) else "no error" if given.error else ""
            )
        seconds = time.monotonic() - start
        return wrong or ("too late" if seconds > given.policy["deadline_seconds"] + BUSY_SECONDS else "")

    tried = kinds(fault, name)
    with ThreadPoolExecutor(len(tried)) as pool:
        found = dict(zip(tried, pool.map(read, tried), strict=True))
    # A busy machine that made one of them late deserves a second look, alone.
    found |= {kind: read(kind) for kind, wrong in found.items() if wrong == "too late"}
    assert found == dict.fromkeys(tried, "")
    hit = [asked["path"] for asked in server.proxy.requests() if asked["fault"] == given.do["do"]]
    assert all(any(kind in path for path in hit) for kind in tried), "the fault did not happen"


def wrong_error(given: Fault, error: UserErrorException, root: str) -> str:
    """Return what is wrong with an error, or an empty text."""
    text = str(error)
    if given.error is None or not isinstance(error, given.error):
        return f"{type(error).__name__}: {text}"
    if KEY in text or "test-secret" in text:
        return "the text holds a secret"
    if "\n" in text or root not in text or not re.search(given.text, text):
        return f"the text does not say what it should: {text}"
    return ""


# --------------------------------------------------------------------------- the log of a Delta table
LOG_FAULTS = {
    "503 once": Fault(status(503, times=1)),
    "503 for ever": Fault(status(503), StorageError),
    "403": Fault(status(403, code="AuthorizationFailure"), AccessDeniedError),
    "reset once": Fault({"do": "reset", "times": 1}),
    "hang once": Fault({"do": "hang", "times": 1}),
    "hang for ever": Fault({"do": "hang"}, StorageError),
    "cut body, once": Fault({"do": "cut_body", "times": 1}),
    "short but consistent body": Fault({"do": "short_body"}, UserErrorException),
}


@pytest.mark.parametrize("name", ["azure", "s3"])
@pytest.mark.parametrize("fault", LOG_FAULTS)
def test_a_fault_in_the_log_gives_the_right_rows_or_one_error_in_time(fault, name, stored):
    given = LOG_FAULTS[fault]
    server, root, rows = stored(name)
    root += "/delta"
    server.proxy.fault({**given.do, "match": r"_delta_log/\d+\.json"})
    start = time.monotonic()
    if given.error is None:
        assert table("delta", server, root, retry=given.policy).to_arrow_table().equals(rows["delta"])
    else:
        with pytest.raises(given.error) as caught:
            table("delta", server, root, retry=given.policy).to_arrow_table()
        assert wrong_error(given, caught.value, root) == ""
    assert time.monotonic() - start <= given.policy["deadline_seconds"] + BUSY_SECONDS


# --------------------------------------------------------------------------- other faults
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_file_that_changes_between_listing_and_reading_is_an_error(kind, server, tmp_path):
    write(kind, tmp_path / kind)
    root = server.put_folder(tmp_path / kind, kind)
    read = table(kind, server, root, retry=HASTY)
    query = read._query()  # lists, and looks at the schema
    data = (tmp_path / kind / f"1.{kind}").read_bytes()
    time.sleep(1.1)  # a web server's ETag may have seconds only
    server.put(f"{kind}/1.{kind}", data[:-9] + b"x" + data[-8:])
    with pytest.raises(StorageError, match=rf"{kind}/1\.{kind}: the file has changed since it was listed"):
        list(query.batches())


def test_a_host_that_does_not_exist_is_told_at_once():
    start = time.monotonic()
    for uri in ("https://no-such-host.invalid/a.parquet", "abfss://c@no-such-account.dfs.invalid/a.parquet"):
        options = {"anon": True} if uri.startswith("abfss") else {}
        with pytest.raises(StorageError, match="no-such-.*the storage failed: gaierror: .*not known"):
            mltable.from_parquet_files([{"file": uri}], storage_options=options).to_arrow_table()
    assert time.monotonic() - start < 20


def test_an_expired_sas_is_told_with_its_end(azurite):
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas

    azurite.put("a.csv", b"x\n1\n")
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    sas = generate_container_sas(
        ACCOUNT,
        "data",
        account_key=KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=ended,
    )
    endpoint = f"http://127.0.0.1:{azurite.proxy.port}/{ACCOUNT}"
    options = {"account_name": ACCOUNT, "endpoint": endpoint, "sas_token": sas}
    with pytest.raises(AccessDeniedError, match=rf"The SAS expired at {ended.year}-") as caught:
        mltable.from_delimited_files(
            [{"file": f"{azurite.uri}/a.csv"}], storage_options=options
        ).to_arrow_table()
    assert sas.rpartition("sig=")[2] not in str(caught.value)


def test_a_server_that_stops_amid_a_read_is_an_error_in_time(tmp_path):
    import adlfs

    write("parquet", tmp_path / "t")
    with azurite_process() as port:
        options = {"connection_string": azure_connection(port), "retry": HASTY}
        fs = adlfs.AzureBlobFileSystem(
            connection_string=options["connection_string"], skip_instance_cache=True
        )
        fs.mkdir("gone")
        for file in (tmp_path / "t").iterdir():
            fs.pipe_file(f"gone/t/{file.name}", file.read_bytes())
        read = mltable.from_parquet_files([{"folder": "az://gone/t"}], storage_options=options)
        batches = read._query().batches()
    start = time.monotonic()
    with pytest.raises(StorageError, match=r"az://gone/t/0\.parquet: the storage failed after 3 attempts"):
        list(batches)
    assert time.monotonic() - start < HASTY["deadline_seconds"] + BUSY_SECONDS


def test_a_wrong_policy_is_refused_when_it_is_given():
    for retry, text in (
        ({"atempts": 3}, "unknown key 'atempts'.*Did you mean 'attempts'"),
        ({"attempts": 0}, "attempts=0 is not accepted"),
        (3, "give a mapping"),
    ):
        with pytest.raises(UserErrorException, match=text):
            mltable.from_paths([{"file": "a"}], storage_options={"retry": retry})
