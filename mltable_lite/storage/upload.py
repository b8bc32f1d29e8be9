"""New files on any storage: written as a stream in bounded memory, visible under their name only when they are whole.

On Azure and S3 a file goes up in blocks, some at once, each tried again as the retry policy says; committing them is
what makes the file. On a local disk it is written beside its place and moved there. Elsewhere it is first written to a
temporary file here.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import tempfile
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from mltable_lite.errors import StorageError, UnsupportedFeatureError
from mltable_lite.storage.filesystem import filesystem, info, opened, replacing
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.remote import ask, wait
from mltable_lite.storage.retry import RetryPolicy, tried

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from concurrent.futures import Future

    from mltable_lite.storage.uri import Location

BLOCK_BYTES = 8 * 1024 * 1024
_BLOCKS_AT_ONCE = 4
#: Both storages limit the number of blocks; after so many they are twice as long, so that terabytes fit.
_BLOCKS_OF_A_SIZE = 2000
_TEMPORARY_BYTES = 64 * 1024 * 1024


class Sink(Protocol):
    """What a new file is written to."""

    def write(self, data: Any, /) -> int:
        """Take some bytes."""


@contextlib.contextmanager
def new_file(location: Location, options: StorageOptions = NO_OPTIONS) -> Iterator[Sink]:
    """Give a sink for a new file, which stands at its place when the block ends and never when it fails.

    A file that is there is replaced, and readers see the old or the new one. Missing folders are made.

    Raises:
        StorageError: The storage fails, or does not hold what was sent.
        UnsupportedFeatureError: The storage takes no files.
    """
    with opened(location, options) as (place, own):
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
        if not self._count:
            self._run(partial(self.whole, rest))
            return self._size
        if rest:
            self._send(rest)
        self._run(partial(self.finish, [future.result() for future in self._sent]))
        return self._size

    def abort(self) -> None:
        """Drop what was sent."""
        for future in self._sent:
            future.cancel()
        if self._count:
            with contextlib.suppress(Exception):
                self._run(self.drop)

    def _send(self, block: bytes) -> None:
        if len(self._running) >= _BLOCKS_AT_ONCE:
            self._running.popleft().result()
        number, self._count = self._count, self._count + 1
        future = asyncio.run_coroutine_threadsafe(self._started(number, block), self.fs.loop)
        self._sent.append(future)
        self._running.append(future)

    async def _started(self, number: int, block: bytes) -> Any:
        await self.start()
        return await tried(self.policy, partial(self.send, number, block))

    def _run(self, work: Callable[[], Awaitable[Any]]) -> Any:
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


_BLOCKS: dict[str, type[_Blocks]] = {"abfs": _AzureBlocks, "s3": _S3Blocks}
