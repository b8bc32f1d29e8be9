"""New files on any storage: written as a stream in bounded memory, visible under their name only when they are whole.

On Azure, S3 and Google a file goes up in blocks, each tried again as the retry policy says; committing them is what
makes the file. On a local disk it is written beside its place and moved there. Elsewhere it is first written to a
temporary file here.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import json
import tempfile
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from mltable_lite.errors import MLTableError, StorageError, UnsupportedFeatureError
from mltable_lite.storage.failures import storage_errors
from mltable_lite.storage.filesystem import filesystem, info, named, opened, replacing
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.remote import ask, wait
from mltable_lite.storage.retry import RetryPolicy, tried

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from concurrent.futures import Future

    from mltable_lite.storage.uri import Location

BLOCK_BYTES = 8 * 1024 * 1024
_BLOCKS_AT_ONCE = 4
#: Azure and S3 limit the number of blocks; after so many they are twice as long, so that terabytes fit.
_BLOCKS_OF_A_SIZE = 2000
_TEMPORARY_BYTES = 64 * 1024 * 1024
#: Azure's library hands a body that it sends in one request over as bytes; aiohttp warns of those that are larger.
_LARGE_BYTES = 1024 * 1024
#: What Google says to a piece that is not the last.
_RESUME = 308


class Sink(Protocol):
    """What a new file is written to."""

    def write(self, data: Any, /) -> int:
        """Take some bytes."""


@contextlib.contextmanager
def new_file(location: Location, options: StorageOptions = NO_OPTIONS) -> Iterator[Sink]:
    """Give a sink for a new file, which stands at its place when the block ends and never when it fails.

    A file that is there is replaced, and readers see the old or the new one. Missing folders are made. What the block
    raises by itself leaves here as it is: it is no failure of this storage.

    Raises:
        StorageError: The storage fails, or does not hold what was sent.
        UnsupportedFeatureError: The storage takes no files.
    """
    failure: Exception | None = None
    with (
        contextlib.suppress(_BlockFailed),
        opened(location, options) as (place, own),
        _made(location, place, own) as sink,
    ):
        try:
            yield _Named(sink, location, place, own)
        except Exception as error:  # noqa: BLE001 - whatever the caller does
            failure = error
            raise _BlockFailed from None
    if failure is not None:
        raise failure


class _BlockFailed(BaseException):
    """Takes the file back where the caller's block fails, past all who would call it a failure of the storage."""


class _Named:
    """A sink whose own failures are errors of our tree that name the place."""

    def __init__(self, sink: Sink, location: Location, place: Location, options: StorageOptions) -> None:
        self._sink, self._location, self._place, self._options = sink, location, place, options

    def write(self, data: Any, /) -> int:
        try:
            with storage_errors(self._place, self._options):
                return self._sink.write(data)
        except MLTableError as error:
            raise named(error, self._location, self._place) from error.__cause__


@contextlib.contextmanager
def _made(location: Location, place: Location, own: StorageOptions) -> Iterator[Sink]:
    """Give the sink of a new file on the storage itself."""
    if place.is_local:
        with replacing(Path(place.key)) as file:
            yield file
        return
    if place.protocol in ("http", "https"):
        raise UnsupportedFeatureError(
            f"{location.uri}: a web server takes no files; give an address in a storage: az, abfss, s3, gs."
        )
    fs = filesystem(place, own)
    kind = _BLOCKS.get(place.protocol)
    if kind is None:
        with tempfile.SpooledTemporaryFile(_TEMPORARY_BYTES) as spooled:
            yield spooled
            size = spooled.tell()
            _put(fs, place, own, spooled)
    else:
        blocks = kind(fs, place.path, RetryPolicy.of(own))
        try:
            yield blocks
            size = blocks.commit()
        except BaseException:
            blocks.abort()
            raise
    found = info(place, own)
    if found is None or found.size != size:
        raise StorageError(
            f"{location.uri}: the storage holds {0 if found is None else found.size} of the {size} bytes that were "
            "sent. Write the file again."
        )


def _put(fs: Any, place: Location, options: StorageOptions, spooled: Any) -> None:
    spooled.seek(0)
    if not getattr(spooled, "_rolled", True):
        ask(fs, options, "pipe_file", place.path, spooled.read())
        return
    with tempfile.NamedTemporaryFile() as named:
        while data := spooled.read(BLOCK_BYTES):
            named.write(data)
        named.flush()
        ask(fs, options, "put_file", named.name, place.path)


class _Blocks(io.RawIOBase):
    """Collects blocks and sends them, some at once, while the next ones are written."""

    at_once = _BLOCKS_AT_ONCE

    def __init__(self, fs: Any, path: str, policy: RetryPolicy) -> None:
        self.fs = fs
        self.path = path
        self.policy = policy
        self.md5 = hashlib.md5(usedforsecurity=False)
        self._pending = bytearray()
        self._size = 0
        self._count = 0
        self._sent: list[Future[Any]] = []
        self._running: deque[Future[Any]] = deque()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self.md5.update(view)
        self._size += len(view)
        self._pending += view
        length = BLOCK_BYTES << (self._count // _BLOCKS_OF_A_SIZE)
        while len(self._pending) >= length:
            self._send(bytes(memoryview(self._pending)[:length]))
            del self._pending[:length]
        return len(view)

    def commit(self) -> int:
        """Make the file of what was written; return its bytes."""
        rest = bytes(self._pending)
        if self._count:
            self.end(rest)
        else:
            self.run(partial(self.whole, rest))
        return self._size

    def end(self, rest: bytes) -> None:
        """Make the file of the blocks and what is left."""
        if rest:
            self._send(rest)
        self.run(partial(self.finish, self.sent()))

    def sent(self) -> list[Any]:
        """Return what `send` returned for each block, when all are there."""
        return [future.result() for future in self._sent]

    def abort(self) -> None:
        """Drop what was sent."""
        for future in self._sent:
            future.cancel()
        if self._count:
            with contextlib.suppress(Exception):
                self.run(self.drop)

    def _send(self, block: bytes) -> None:
        if len(self._running) >= self.at_once:
            self._running.popleft().result()
        number, self._count = self._count, self._count + 1
        future = asyncio.run_coroutine_threadsafe(self._started(number, block), self.fs.loop)
        self._sent.append(future)
        self._running.append(future)

    async def _started(self, number: int, block: bytes) -> Any:
        await self.start()
        return await tried(self.policy, partial(self.send, number, block))

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Return what a request of the storage returns, tried again as the policy says."""
        return wait(self.fs, tried(self.policy, work))

    # What the storages do differently.
    async def start(self) -> None:
        """Prepare for blocks."""

    async def send(self, number: int, block: bytes) -> Any:
        """Send a block and return what `finish` wants of it."""
        raise NotImplementedError

    async def finish(self, blocks: list[Any]) -> None:
        """Make the file of the blocks."""
        raise NotImplementedError

    async def whole(self, data: bytes) -> None:
        """Make a file that is no longer than a block."""
        raise NotImplementedError

    async def drop(self) -> None:
        """Take back the blocks; what storages drop by themselves needs nothing."""


class _AzureBlocks(_Blocks):
    """Blocks are checked by the service on arrival; the file carries the MD5 of its content."""

    async def send(self, number: int, block: bytes) -> Any:
        from azure.storage.blob import BlobBlock

        name = f"{number:08d}"
        async with self._client() as client:
            await client.stage_block(name, io.BytesIO(block), length=len(block), validate_content=True)
        return BlobBlock(name)

    async def finish(self, blocks: list[Any]) -> None:
        async with self._client() as client:
            await client.commit_block_list(blocks, content_settings=self._settings())

    async def whole(self, data: bytes) -> None:
        if len(data) > _LARGE_BYTES:
            await self.finish([await self.send(0, data)])
            return
        async with self._client() as client:
            await client.upload_blob(
                io.BytesIO(data), overwrite=True, validate_content=True, content_settings=self._settings()
            )

    def _client(self) -> Any:
        container, blob, _ = self.fs.split_path(self.path)
        return self.fs.service_client.get_blob_client(container, blob)

    def _settings(self) -> Any:
        from azure.storage.blob import ContentSettings

        return ContentSettings(content_md5=bytearray(self.md5.digest()))


class _S3Blocks(_Blocks):
    """A multipart upload; botocore sends a checksum with each part."""

    _upload: str | None = None
    _starting: asyncio.Lock | None = None

    async def start(self) -> None:
        self._starting = self._starting or asyncio.Lock()
        async with self._starting:
            if self._upload is None:
                told = await tried(self.policy, partial(self._call, "create_multipart_upload"))
                self._upload = told["UploadId"]

    async def send(self, number: int, block: bytes) -> Any:
        told = await self._call("upload_part", UploadId=self._upload, PartNumber=number + 1, Body=block)
        return {"PartNumber": number + 1, "ETag": told["ETag"]}

    async def finish(self, blocks: list[Any]) -> None:
        await self._call(
            "complete_multipart_upload", UploadId=self._upload, MultipartUpload={"Parts": blocks}
        )

    async def whole(self, data: bytes) -> None:
        await self._call("put_object", Body=data)

    async def drop(self) -> None:
        if self._upload is not None:
            await self._call("abort_multipart_upload", UploadId=self._upload)

    async def _call(self, method: str, **kwargs: Any) -> Any:
        bucket, key, _ = self.fs.split_path(self.path)
        return await self.fs._call_s3(method, Bucket=bucket, Key=key, **kwargs)  # noqa: SLF001 - the asynchronous face


class _GoogleBlocks(_Blocks):
    """A resumable upload: pieces one after the other, the last of which makes the file.

    Source: "Perform resumable uploads" of Google Cloud Storage's manual.
    """

    at_once = 1
    _url = ""
    _done = 0
    _last_tried: int | None = None

    async def send(self, number: int, block: bytes) -> None:
        again, self._last_tried = number == self._last_tried, number
        if number == 0:
            self._url = await self._begun()
        start = (await self._held("*") or 0) if again and number else self._done
        rest = block[start - self._done :]
        if rest:
            await self._put(f"bytes {start}-{start + len(rest) - 1}/*", rest)
        self._done += len(block)

    def end(self, rest: bytes) -> None:
        self.sent()
        self.run(partial(self._ended, rest))

    async def _ended(self, rest: bytes) -> None:
        total = self._done + len(rest)
        again, self._last_tried = self._last_tried == -1, -1
        held = await self._held(str(total)) if again else self._done
        if held is None:  # the answer was lost, not the file
            return
        piece = rest[held - self._done :]
        span = f"{held}-{total - 1}" if piece else "*"
        self._compared(json.loads(await self._put(f"bytes {span}/{total}", piece)))

    async def whole(self, data: bytes) -> None:
        if not data:  # servers differ about a body of nothing
            await self.fs._pipe_file(self.path, data)  # noqa: SLF001 - the asynchronous face
            return
        self._compared(await self._post({"uploadType": "media"}, json_out=True, data=io.BytesIO(data)))

    async def drop(self) -> None:
        await self.fs._call("DELETE", self._url)  # noqa: SLF001 - the asynchronous face

    def _compared(self, told: dict[str, Any]) -> None:
        if told.get("md5Hash", "") not in ("", base64.b64encode(self.md5.digest()).decode()):
            raise StorageError(
                f"{self.path}: the storage holds other bytes than were sent. Write the file again."
            )

    async def _begun(self) -> str:
        headers, _ = await self._post({"uploadType": "resumable"})
        return str(headers["Location"])

    async def _post(self, query: dict[str, str], **more: Any) -> Any:
        bucket, key, _ = self.fs.split_path(self.path)
        path = f"{self.fs._location}/upload/storage/v1/b/{quote(bucket, safe='')}/o"  # noqa: SLF001
        return await self.fs._call("POST", path, name=key, **query, **more)  # noqa: SLF001

    async def _put(self, span: str, data: bytes) -> bytes:
        _, content = await self.fs._call(  # noqa: SLF001
            "PUT", self._url, headers={"Content-Range": span}, data=io.BytesIO(data)
        )
        return bytes(content)

    async def _held(self, total: str) -> int | None:
        """Return how many bytes the storage has; `None` when it has made the file."""
        status, headers, _, _ = await self.fs._request(  # noqa: SLF001
            "PUT", self._url, headers={"Content-Range": f"bytes */{total}"}
        )
        if status != _RESUME:
            return None
        return int(headers["Range"].rpartition("-")[2]) + 1 if "Range" in headers else 0


_BLOCKS: dict[str, type[_Blocks]] = {"abfs": _AzureBlocks, "s3": _S3Blocks, "gs": _GoogleBlocks}
