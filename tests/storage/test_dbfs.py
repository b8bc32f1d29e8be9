"""Databricks' filesystem, over a server that keeps the contract of its REST calls."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import ipaddress
import json
import ssl
import threading

import pandas as pd
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import mltable_lite
from mltable_lite import datastores, transfer
from mltable_lite.errors import AccessDeniedError, ArgumentError, SourceNotFoundError, StorageError

TOKEN = "dapi-s3cr3t"
MOST_BYTES = 2**20

pytestmark = pytest.mark.usefixtures("workplace")


class RefusedError(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Workspace:
    """The calls: https://docs.databricks.com/api/workspace/dbfs, with files in a dict."""

    def __init__(self):
        self.files, self.handles, self.seen, self.fail = {}, {}, [], []

    def call(self, name, given, allowed):
        if not allowed:
            raise RefusedError(403, "PERMISSION_DENIED")
        self.seen.append(name)
        if self.fail and self.fail[0][0] == name:
            _, status, code = self.fail.pop(0)
            raise RefusedError(status, code)
        return getattr(self, name.replace("-", "_"))(**given)

    def told(self, path):
        is_dir = path not in self.files
        size = 0 if is_dir else len(self.files[path])
        return {"path": path, "is_dir": is_dir, "file_size": size, "modification_time": 1_700_000_000_000}

    def list(self, path):
        path = "/" + path.strip("/")
        if path in self.files:
            return {"files": [self.told(path)]}
        prefix = path.rstrip("/") + "/"
        names = {prefix + name[len(prefix) :].split("/")[0] for name in self.files if name.startswith(prefix)}
        if not names and path != "/":
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST")
        return {"files": [self.told(name) for name in sorted(names)]} if names else {}

    def get_status(self, path):
        self.list(path)
        return self.told(path)

    def read(self, path, offset, length):
        if path not in self.files:
            raise RefusedError(404, "RESOURCE_DOES_NOT_EXIST")
        if length > MOST_BYTES:
            raise RefusedError(400, "MAX_READ_SIZE_EXCEEDED")
        data = self.files[path][offset : offset + length]
        return {"bytes_read": len(data), "data": base64.b64encode(data).decode()}

    def create(self, path, overwrite):
        if path in self.files and not overwrite:
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS")
        self.files[path] = b""  # it is shown from now on
        self.handles[len(self.handles)] = path
        return {"handle": len(self.handles) - 1}

    def add_block(self, handle, data):
        block = base64.b64decode(data)
        if len(block) > MOST_BYTES:
            raise RefusedError(400, "MAX_BLOCK_SIZE_EXCEEDED")
        self.files[self.handles[handle]] += block
        return {}

    def close(self, handle):
        return {}

    def mkdirs(self, path):
        return {}

    def move(self, source_path, destination_path):
        if destination_path in self.files:
            raise RefusedError(400, "RESOURCE_ALREADY_EXISTS")
        self.files[destination_path] = self.files.pop(source_path)
        return {}

    def delete(self, path, recursive):
        self.files.pop(path, None)
        return {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer()

    def do_POST(self):
        self.answer()

    def answer(self):
        given = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        status = 200
        try:
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            told = self.server.workspace.call(self.path.removeprefix("/api/2.0/dbfs/"), given, allowed)
        except RefusedError as error:
            status, told = error.status, {"error_code": error.code, "message": "as it is"}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate for this machine, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + signed.public_bytes(serialization.Encoding.PEM))
    return str(file)


@pytest.fixture
def workspace(certificate, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.workspace = workspace = Workspace()
    workspace.instance = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield workspace
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(workspace):
    return datastores.register_dbfs("lake", f"https://{workspace.instance}/", token=TOKEN)


def test_it_is_a_datastore_that_is_listed_read_and_written(store, workspace):
    workspace.files = {"/t/a.csv": b"x\n1\n", "/t/d/b.csv": b"x\n2\n", "/u": b""}
    fs = store.filesystem()
    assert fs.ls("t") == ["t/a.csv", "t/d"]
    assert fs.find("") == ["t/a.csv", "t/d/b.csv", "u"]
    assert fs.glob("t/**/*.csv") == ["t/a.csv", "t/d/b.csv"]
    table = mltable_lite.from_delimited_files([{"pattern": store.path("t/**/*.csv")}])
    assert table.to_pandas_dataframe()["x"].tolist() == [1, 2]
    fs.pipe_file("new.txt", b"new")
    assert workspace.files["/new.txt"] == b"new"
    fs.rm_file("new.txt")
    assert "/new.txt" not in workspace.files


def test_its_addresses_are_read_with_options(workspace):
    workspace.files = {"/t/a.csv": b"x\n1\n"}
    options = {"instance": workspace.instance, "token": TOKEN}
    for uri in ("dbfs:/t/a.csv", "dbfs:///t/a.csv"):
        table = mltable_lite.from_delimited_files([{"file": uri}], storage_options=options)
        assert table.to_pandas_dataframe()["x"].tolist() == [1]


def test_long_files_and_trees_go_there_and_back(store, workspace, tmp_path):
    data = bytes(range(256)) * 10_000  # more than one call takes
    (tmp_path / "tree/d").mkdir(parents=True)
    (tmp_path / "tree/d/big.bin").write_bytes(data)
    (tmp_path / "tree/empty").write_bytes(b"")
    transfer.upload(tmp_path / "tree", store.path("t"))
    assert workspace.files == {"/t/d/big.bin": data, "/t/empty": b""}
    transfer.download(store.path("t"), tmp_path / "back")
    assert (tmp_path / "back/d/big.bin").read_bytes() == data
    frame = pd.DataFrame({"x": range(1000)})
    written = mltable_lite.write(frame, store.path("w"))
    assert mltable_lite.load(written.uri).to_pandas_dataframe().equals(frame)


def test_a_write_that_fails_leaves_the_old_file(store, workspace):
    fs = store.filesystem(retry={"attempts": 2, "first_wait_seconds": 0.01})
    fs.pipe_file("a", b"old")
    workspace.fail = [("add-block", 403, "PERMISSION_DENIED")]
    with pytest.raises(AccessDeniedError, match="azureml://datastores/lake/paths/a"):
        fs.pipe_file("a", b"new")
    assert workspace.files == {"/a": b"old"}
    workspace.fail = [("add-block", 503, "TEMPORARILY_UNAVAILABLE")]
    fs.pipe_file("a", b"new")
    assert workspace.files == {"/a": b"new"}


def test_a_busy_workspace_is_asked_as_often_as_the_policy_says(store, workspace):
    workspace.files = {"/a": b"x"}
    fs = store.filesystem(retry={"attempts": 3, "first_wait_seconds": 0.01})
    workspace.fail = [("read", 503, "TEMPORARILY_UNAVAILABLE")] * 2
    assert fs.cat("a") == b"x"
    workspace.seen.clear()
    workspace.fail = [("read", 503, "TEMPORARILY_UNAVAILABLE")] * 9
    with pytest.raises(StorageError, match="after 3 attempts"):
        fs.cat("a")
    assert workspace.seen.count("read") == 3


def test_what_is_missing_is_told_without_the_token(store, workspace):
    with pytest.raises(SourceNotFoundError, match=r"azureml://datastores/lake/paths/no\.csv"):
        store.filesystem().cat("no.csv")
    wrong = datastores.register_dbfs("wrong", workspace.instance, token="dapi-0ther")
    with pytest.raises(AccessDeniedError, match="access denied") as caught:
        wrong.filesystem().ls("")
    assert "dapi" not in str(caught.value)
    for options, word in (({}, "instance"), ({"instance": "adb-1.2.azuredatabricks.net"}, "token")):
        with pytest.raises(ArgumentError, match=f"the {word} of the Databricks workspace is not known"):
            mltable_lite.from_delimited_files(
                [{"file": "dbfs:/a.csv"}], storage_options=options
            ).to_pandas_dataframe()
