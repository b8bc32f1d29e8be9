"""Bytes of remote files: ranges asked for in parallel, each one checked, and tried again as the retry policy says.

A range is only given out when it has the length asked for and comes from the file that was listed (ETag or time of
change, and size, where the storage tells them). No library does that by itself.
"""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pyarrow as pa

from mltable_lite.storage.failures import changed, storage_errors
from mltable_lite.storage.retry import RetryPolicy, ShortBodyError, tried, tried_here

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import Location

T = TypeVar("T")

#: A longer range is asked for in parts of this size, so that one slow connection does not hold it back.
PART_BYTES = 8 * 1024 * 1024
_PARTS_AT_ONCE = 8
#: Ranges with a smaller gap between them are asked for as one: the gap costs less than a request.
_GAP_BYTES = 8 * 1024
#: Reads below this size that follow each other are served from one larger request, which doubles up to the most.
_SMALL_READ_BYTES = 1024 * 1024
_FIRST_AHEAD_BYTES = 256 * 1024
_MOST_AHEAD_BYTES = 4 * 1024 * 1024
_PARTIAL_CONTENT = 206
Range = tuple[int, int]


class Part(NamedTuple):
    """What one request brought: the bytes, and what the storage told of the file they are from."""

    data: bytes
    tag: str | None = None
    total_bytes: int | None = None


class Remote(NamedTuple):
    """One remote file, as it was when it was listed.

    Attributes:
        fs: Its fsspec filesystem.
        location: Its place.
        options: The caller's storage options.
        size: Bytes.
        tag: ETag or time of change, where the storage tells.
    """

    fs: Any
    location: Location
    options: StorageOptions
    size: int
    tag: str | None = None


def tag_of(told: Mapping[str, Any]) -> str | None:
    """Return what tells a version of a file from others, from what a storage tells of it; `None` if nothing does."""
    # Google's ETag is another one for the file than for its description; the generation is the same.
    for name in ("generation", "etag", "ETag", "Last-Modified"):
        if told.get(name):
            return str(told[name]).removeprefix("W/").strip('"')
    return None


# --------------------------------------------------------------------------- asking
def ask(fs: Any, options: StorageOptions, method: str, *args: Any, **kwargs: Any) -> Any:
    """Return what a method of an fsspec filesystem returns, under the retry policy."""
    policy = RetryPolicy.of(options)
    if getattr(fs, "async_impl", False):
        return wait(fs, tried(policy, partial(getattr(fs, f"_{method}"), *args, **kwargs)))
    return tried_here(policy, partial(getattr(fs, method), *args, **kwargs))


def wait(fs: Any, work: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns on the filesystem's event loop; it is cancelled when the waiting ends early."""
    import asyncio  # not needed for local files

    future = asyncio.run_coroutine_threadsafe(work, fs.loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def together(work: Iterable[Coroutine[Any, Any, T]], most: int) -> list[T]:
    """Return the results in order, with at most so many at once; the first failure cancels the others."""
    import asyncio

    slots = asyncio.Semaphore(most)

    async def one(coroutine: Coroutine[Any, Any, T]) -> T:
        async with slots:
            return await coroutine

    coroutines = list(work)
    tasks = [asyncio.ensure_future(one(coroutine)) for coroutine in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for coroutine in coroutines:
            coroutine.close()  # one that never began would warn
        raise


# --------------------------------------------------------------------------- ranges
def fetch(file: Remote, start: int, stop: int) -> bytes:
    """Return the bytes [start, stop) of a file, all of them.

    Raises:
        Exception: As the storage's library raises it, or `StorageError` for a file that has changed.
    """
    return fetch_all(file, [(start, stop)])[0]


def fetch_all(file: Remote, ranges: Sequence[Range]) -> list[bytes]:
    """Return the bytes of several ranges of a file, asked for at once."""
    policy = RetryPolicy.of(file.options)
    parts = [part for begin, end in ranges for part in _parts(file, begin, end)]
    if not getattr(file.fs, "async_impl", False):
        data = [tried_here(policy, partial(_here, file, *part)) for part in parts]
    elif len(parts) == 1:
        data = [wait(file.fs, tried(policy, partial(_checked, file, *parts[0])))]
    else:
        work = (tried(policy, partial(_checked, file, *part)) for part in parts)
        data = wait(file.fs, together(work, _PARTS_AT_ONCE))
    result, pieces = [], iter(data)
    for begin, end in ranges:
        mine = [next(pieces) for _ in _parts(file, begin, end)]
        result.append(mine[0] if len(mine) == 1 else b"".join(mine))
    return result


def _parts(file: Remote, start: int, stop: int) -> list[Range]:
    # A web server may not know ranges and send the whole file each time, so it is asked once.
    step = max(stop - start, 1) if file.location.protocol in ("http", "https") else PART_BYTES
    return [(begin, min(begin + step, stop)) for begin in range(start, stop, step)]


def _here(file: Remote, start: int, stop: int) -> bytes:
    return _as_asked(
        file, start, stop, Part(bytes(file.fs.cat_file(file.location.path, start=start, end=stop)))
    )


async def _checked(file: Remote, start: int, stop: int) -> bytes:
    part = await _READERS.get(file.location.protocol, _any_range)(file.fs, file.location.path, start, stop)
    return _as_asked(file, start, stop, part)


def _as_asked(file: Remote, start: int, stop: int, part: Part) -> bytes:
    if (part.tag and file.tag and part.tag != file.tag) or part.total_bytes not in (None, file.size):
        raise changed(file.location)
    if len(part.data) == stop - start:
        return part.data
    if len(part.data) == file.size:  # a server without ranges sends the whole file
        return part.data[start:stop]
    raise ShortBodyError(f"the storage sent {len(part.data)} of the bytes {start} to {stop}")


async def _azure_range(fs: Any, path: str, start: int, stop: int) -> Part:
    container, blob, version = fs.split_path(path)
    async with fs.service_client.get_blob_client(container, blob) as client:
        stream = await client.download_blob(
            offset=start, length=stop - start, version_id=version, max_concurrency=1
        )
        data = await stream.readall()
        return Part(data, tag_of(stream.properties), _total(stream.properties.content_range))


async def _s3_range(fs: Any, path: str, start: int, stop: int) -> Part:
    bucket, key, version = fs.split_path(path)
    asked = {"Bucket": bucket, "Key": key, "Range": f"bytes={start}-{stop - 1}"}
    response = await fs._call_s3("get_object", **asked, **({"VersionId": version} if version else {}))  # noqa: SLF001
    body = response["Body"]
    try:
        return Part(await body.read(), tag_of(response), _total(response.get("ContentRange")))
    finally:
        body.close()


async def _http_range(fs: Any, path: str, start: int, stop: int) -> Part:
    session = await fs.set_session()
    kwargs = dict(fs.kwargs)
    # Compressed on the way, the bytes would not be those of the range.
    headers = {
        "Accept-Encoding": "identity",
        **kwargs.pop("headers", {}),
        "Range": f"bytes={start}-{stop - 1}",
    }
    async with session.get(fs.encode_url(path), headers=headers, **kwargs) as response:
        response.raise_for_status()
        total = response.headers.get("Content-Range") if response.status == _PARTIAL_CONTENT else None
        return Part(await response.read(), tag_of(response.headers), _total(total))


async def _google_range(fs: Any, path: str, start: int, stop: int) -> Part:
    headers, data = await fs._call("GET", fs.url(path), headers={"Range": f"bytes={start}-{stop - 1}"})  # noqa: SLF001
    return Part(bytes(data), headers.get("x-goog-generation"), _total(headers.get("Content-Range")))


async def _any_range(fs: Any, path: str, start: int, stop: int) -> Part:
    return Part(bytes(await fs._cat_file(path, start=start, end=stop)))  # noqa: SLF001 - the asynchronous face


_READERS: dict[str, Callable[[Any, str, int, int], Coroutine[Any, Any, Part]]] = {
    "abfs": _azure_range,
    "s3": _s3_range,
    "gs": _google_range,
    "http": _http_range,
    "https": _http_range,
}


def _total(content_range: str | None) -> int | None:
    """Return the file's size from ``bytes 0-99/1234``."""
    total = (content_range or "").rpartition("/")[2]
    return int(total) if total.isdigit() else None


# --------------------------------------------------------------------------- files
class RangeFile(io.RawIOBase):
    """A remote file as pyarrow and decompressors read it.

    A large read is one request of exactly its size. Small reads that follow each other are served from larger
    requests. `ranges` are fetched at once, when the file is opened, and served from memory.
    """

    def __init__(self, file: Remote, ranges: Sequence[Range] = ()) -> None:
        self._file, self._at, self._end_of_last, self._ahead = file, 0, -1, _FIRST_AHEAD_BYTES
        self._held: list[tuple[int, int, bytes]] = []
        if ranges:
            joined = _joined(ranges)
            with storage_errors(file.location, file.options):
                data = fetch_all(file, joined)
            self._held = [(begin, end, piece) for (begin, end), piece in zip(joined, data, strict=True)]

    def readable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Let the next read begin elsewhere."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._file.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end; all that are left without a size."""
        return bytes(self._view(size))

    def read_buffer(self, size: int | None = -1) -> pa.Buffer:
        """Return the bytes without copying them: pyarrow asks for this where it is offered."""
        return pa.py_buffer(self._view(size))

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; return how many bytes it took."""
        data = self._view(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _view(self, size: int | None) -> memoryview:
        start = self._at
        stop = self._file.size if size is None or size < 0 else min(start + size, self._file.size)
        self._at = max(start, stop)
        if stop <= start:
            return memoryview(b"")
        for begin, end, data in self._held:
            if begin <= start and stop <= end:
                self._end_of_last = stop
                return memoryview(data)[start - begin : stop - begin]
        end = stop
        if start == self._end_of_last and stop - start < _SMALL_READ_BYTES:
            end = min(max(stop, start + self._ahead), self._file.size)
            self._ahead = min(2 * self._ahead, _MOST_AHEAD_BYTES)
        with storage_errors(self._file.location, self._file.options):
            data = fetch(self._file, start, end)
        if end > stop:
            self._held = [(start, end, data)]
        self._end_of_last = stop
        return memoryview(data)[: stop - start]


def _joined(ranges: Iterable[Range]) -> list[Range]:
    """Return the ranges in order, with those joined that overlap or nearly touch."""
    result: list[Range] = []
    for begin, end in sorted(ranges):
        if result and begin - result[-1][1] <= _GAP_BYTES:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((begin, end))
    return result
