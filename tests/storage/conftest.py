from __future__ import annotations

import http.server
import threading
from functools import partial

import fsspec
import pytest
from storage.servers import (  # noqa: F401 - fixtures of the whole folder
    azurite,
    azurite_session,
    gs,
    gs_session,
    s3,
    s3_session,
    server,
    web_session,
    website,
)
from storage.workplace import workplace  # noqa: F401 - a fixture of the whole folder


class _Handler(http.server.BaseHTTPRequestHandler):
    """Serves bytes from a dict; with or without ranges; 403 without the right query; cut bodies on demand."""

    protocol_version = "HTTP/1.1"

    def __init__(self, files, seen, *args):
        self.files, self.seen = files, seen
        super().__init__(*args)

    def log_message(self, *args):
        pass

    def _body(self):
        path, _, query = self.path.partition("?")
        name = path.lstrip("/")
        self.seen.append((self.command, name, self.headers.get("Range"), self.headers.get("Authorization")))
        if name not in self.files:
            return 404, b"", {}
        if name.startswith("private/") and query != "sig=s3cr3t%2B":
            return 403, b"", {}
        data = self.files[name]
        span = self.headers.get("Range")
        if span and not name.startswith("norange/"):
            first, last = span.removeprefix("bytes=").split("-")
            return 206, data[int(first) : int(last) + 1], {}
        return 200, data, {}

    def _send(self, *, body):
        status, data, _ = self._body()
        self.send_response(status)
        if not self.path.startswith("/norange/"):
            self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def do_GET(self):
        self._send(body=True)

    def do_HEAD(self):
        self._send(body=False)


@pytest.fixture
def web():
    """A web server: `web.files` is what it has, `web.seen` what it was asked for, `web.url` its address."""
    files, seen = {}, []
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, files, seen))
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    web.files, web.seen, web.url = files, seen, f"http://127.0.0.1:{web.server_port}/"
    yield web
    web.shutdown()
    web.server_close()
    thread.join()


@pytest.fixture
def memory():
    """The memory filesystem, empty before and after."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    yield fs
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
