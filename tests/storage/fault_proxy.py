"""A proxy that spoils answers on demand and remembers every request. Run as a program, one for each storage:

    python fault_proxy.py UPSTREAM_HOST:PORT

prints the port it listens on. ``POST /__faults`` takes a list of faults and forgets the requests so far,
``GET /__requests`` lists them. The first fault that matches a request and is not used up is done to it:

    {"do": "status", "status": 503, "retry_after": 1}    an answer of the proxy's own
    {"do": "reset" | "hang"}                             before the storage is asked
    {"do": "reset_body" | "hang_body" | "cut_body"}      after half of the body; "cut" closes the connection
    {"do": "short_body"}                                 half of the body, with a length that says so
    {"do": "flip"}                                       one bit of the body
    {"do": "slow"}                                       the body byte by byte
    {"do": "whole"}                                      the range is taken from the request
    {"do": "delay", "seconds": 0.02}                     nothing but time

Each may have ``times`` (how often; by default always), ``method`` and ``match`` (a regular expression of path and
query), ``data`` (true: only requests that read a file's bytes; false: only others).
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import sys
import time
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

# The name of the host stays ours, so that the storage names itself as its clients do.
OF_THE_CONNECTION = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-encoding",
    "content-length",
}
LONG_SECONDS = 3600


class Proxy:
    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: list[dict[str, Any]] = []
        self.requests: list[dict[str, Any]] = []

    async def set_faults(self, request: web.Request) -> web.Response:
        self.faults = await request.json()
        self.requests.clear()
        return web.json_response({})

    async def get_requests(self, _: web.Request) -> web.Response:
        return web.json_response(self.requests)

    def fault_for(self, request: web.Request, span: str) -> dict[str, Any]:
        reads_data = request.method == "GET" and "comp=list" not in request.query_string
        reads_data = reads_data and "list-type" not in request.query_string
        for fault in self.faults:
            if (
                fault.get("times", 1) > 0
                and fault.get("method", request.method) == request.method
                and fault.get("data", reads_data) == reads_data
                and re.search(fault.get("match", ""), request.raw_path)
                and ("span" not in fault or bool(span) == fault["span"])
            ):
                if "times" in fault:
                    fault["times"] -= 1
                return fault
        return {"do": "nothing"}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        span = request.headers.get("x-ms-range") or request.headers.get("Range") or ""
        fault = self.fault_for(request, span)
        told = {
            "method": request.method,
            "path": request.raw_path,
            "range": span,
            "at": time.monotonic(),
            "fault": fault["do"],
            "bytes": 0,
        }
        self.requests.append(told)
        match fault["do"]:
            case "status":
                headers = {"x-ms-error-code": fault.get("code", "ServerBusy")}
                if "retry_after" in fault:
                    headers["Retry-After"] = str(fault["retry_after"])
                text = "<Error><Code>{code}</Code><Message>as asked</Message></Error>"
                return web.Response(
                    status=fault["status"],
                    headers=headers,
                    text=text.format(code=fault.get("code", "ServerBusy")),
                    content_type="application/xml",
                )
            case "reset":
                break_off(request)
                return web.Response()
            case "hang":
                await asyncio.sleep(LONG_SECONDS)
            case "delay":
                await asyncio.sleep(fault["seconds"])
        return await self.pass_on(request, fault["do"], told)

    async def pass_on(self, request: web.Request, do: str, told: dict[str, Any]) -> web.StreamResponse:
        dropped = OF_THE_CONNECTION | ({"range", "x-ms-range"} if do == "whole" else set())
        headers = {k: v for k, v in request.headers.items() if k.lower() not in dropped}
        url = URL(f"http://{self.upstream}{request.raw_path}", encoded=True)
        body = await request.read()
        told["sent"] = len(body)
        session = request.app[SESSION]
        try:
            async with session.request(
                request.method,
                url,
                headers=headers,
                data=body or None,
                allow_redirects=False,
                skip_auto_headers=(
                    "Content-Type",
                    "User-Agent",
                    "Accept",
                    "Accept-Encoding",
                ),  # they may be signed
            ) as answer:
                data = await answer.read()
        except ClientError:
            break_off(request)
            return web.Response()
        told.update(status=answer.status, bytes=len(data))
        kept = {k: v for k, v in answer.headers.items() if k.lower() not in OF_THE_CONNECTION}
        if request.method == "HEAD":
            if "Content-Length" in answer.headers:
                kept["Content-Length"] = answer.headers["Content-Length"]
            return web.Response(status=answer.status, headers=kept)
        middle = len(data) // 2
        if do == "short_body":
            data = data[:middle]
        elif do == "flip" and data:
            data = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        response = web.StreamResponse(status=answer.status, headers=kept)
        response.content_length = len(data)
        await response.prepare(request)
        if do in ("reset_body", "hang_body", "cut_body"):
            await response.write(data[:middle])
            await asyncio.sleep(LONG_SECONDS if do == "hang_body" else 0.02)
            if do == "cut_body" and request.transport is not None:
                request.transport.close()
            else:
                break_off(request)
            return response
        if do == "slow":
            for position in range(len(data)):
                await response.write(data[position : position + 1])
                await asyncio.sleep(0.2)
        else:
            await response.write(data)
        await response.write_eof()
        return response


def break_off(request: web.Request) -> None:
    """End the connection with a reset instead of a farewell."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


SESSION = web.AppKey("session", ClientSession)


async def main(upstream: str) -> None:
    proxy = Proxy(upstream)
    app = web.Application(client_max_size=1 << 30)
    connector = TCPConnector(limit=128)
    app[SESSION] = ClientSession(
        connector=connector, auto_decompress=False, timeout=ClientTimeout(total=None)
    )
    app.router.add_post("/__faults", proxy.set_faults)
    app.router.add_get("/__requests", proxy.get_requests)
    app.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)  # noqa: T201
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
