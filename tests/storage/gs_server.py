"""An emulator of Google Cloud Storage, with what it leaves out and readers of the real one are told: the generation of a
file beside its bytes, and listings in the XML form, which Delta's reader asks for. Run as a program it prints its port.
"""

from __future__ import annotations

import email.utils
import time
from html import escape
from http import HTTPStatus

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.server import GET


def download(request, response, storage):
    objects.download(request, response, storage)
    if response.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    names = request.params
    told = storage.get_file_obj(names["bucket_name"], names["object_id"])
    response["x-goog-generation"] = told["generation"]
    response["ETag"] = f'"{told["generation"]}"'
    response["Last-Modified"] = email.utils.formatdate(usegmt=True)


def list_as_xml(request, response, storage):
    asked = {name: values[0] for name, values in request.query.items()}
    files, prefixes = storage.get_file_list(
        request.params["bucket_name"], asked.get("prefix"), asked.get("delimiter")
    )
    contents = "".join(
        f"<Contents><Key>{escape(file['name'])}</Key><Size>{file['size']}</Size>"
        f"<LastModified>{file['updated']}</LastModified><ETag>{file['generation']}</ETag></Contents>"
        for file in sorted(files, key=lambda file: file["name"])
        if file["name"] > asked.get("start-after", "")
    )
    folders = "".join(
        f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in prefixes
    )
    body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{folders}</ListBucketResult>"
    response.write_file(body, content_type="application/xml")


def run() -> None:
    for _, handlers in server.HANDLERS:
        if handlers.get(GET) is objects.download:
            handlers[GET] = download
    server.HANDLERS = (*server.HANDLERS, (r"^/(?P<bucket_name>[-.\w]+)$", {GET: list_as_xml}))
    emulator = server.create_server("127.0.0.1", 0, in_memory=True, default_bucket="data")
    emulator.start()
    print(emulator._api._httpd.server_port, flush=True)  # noqa: T201
    time.sleep(10**6)


if __name__ == "__main__":
    run()
