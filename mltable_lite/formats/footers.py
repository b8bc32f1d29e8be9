"""Parquet footers: read in parallel, kept within a budget per process, with errors in our words."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from mltable_lite.errors import CorruptFileError, MLTableError, StorageError, UnsupportedFeatureError
from mltable_lite.formats.footer_bytes import TRAILER_BYTES, footer_in
from mltable_lite.formats.parallel import are_local, in_parallel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mltable_lite.formats.base import InputFile

T = TypeVar("T")

#: What pyarrow raises on bytes that are not what they should be; ArrowInvalid is a ValueError.
ARROW_ERRORS = (pa.ArrowException, OSError, ValueError, NotImplementedError)
_ADVICE = "Write the file anew or leave it out of the paths."
#: What files of other formats are called, and the step that reads them.
_TEXT = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "read_delimited"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), "read_json_lines"),
}
#: Serialised; in memory a footer takes about ten times as much.
CACHE_BYTES = 4 * 1024 * 1024
_AHEAD = 64
#: What is read of a file's end, where a byte is cheap and where a request is dear.
_LOCAL_TAIL_BYTES = 16 * 1024
#: About what a small file's footer takes.
_FOOTER_BYTES = 4 * 1024
_REMOTE_TAIL_BYTES = 64 * 1024


class _Cache(Generic[T]):
    """Something of each of the files used last, within a budget of bytes. Safe between threads."""

    def __init__(self, budget_bytes: int) -> None:
        self._budget_bytes = budget_bytes
        self._held_bytes = 0
        self._held: OrderedDict[tuple[str, str], tuple[T, int]] = OrderedDict()
        self._lock = threading.Lock()

    def is_full(self, token: str) -> bool:
        """Tell whether there is no room for more of the first of a reading: others give way to it."""
        with self._lock:
            oldest = next(iter(self._held), ("", ""))
            return self._held_bytes + _FOOTER_BYTES > self._budget_bytes and oldest[0] == token

    def get(self, key: tuple[str, str]) -> T | None:
        with self._lock:
            held = self._held.get(key)
            if held is None:
                return None
            self._held.move_to_end(key)
            return held[0]

    def put(self, key: tuple[str, str], value: T, size: int, *, first: bool = False) -> None:
        """Keep a value; for want of room the oldest are given up, but with `first` none of the same reading."""
        with self._lock:
            if key in self._held:
                return
            while self._held and self._held_bytes + size > self._budget_bytes:
                if first and next(iter(self._held))[0] == key[0]:
                    return
                self._held_bytes -= self._held.popitem(last=False)[1][1]
            self._held[key] = value, size
            self._held_bytes += size

    def drop(self, token: str) -> None:
        with self._lock:
            for key in [key for key in self._held if key[0] == token]:
                self._held_bytes -= self._held.pop(key)[1]

    def __len__(self) -> int:
        return len(self._held)


_CACHE: _Cache[pq.FileMetaData] = _Cache(CACHE_BYTES)
#: Footers as bytes. Planning reads those of all files, and the first files are the first to be read after it.
_TAILS: _Cache[bytes] = _Cache(CACHE_BYTES)


def footer_of(files: Sequence[InputFile], index: int, token: str, *, ahead: bool = False) -> pq.FileMetaData:
    """Return the footer of ``files[index]``, from the cache when it is there.

    Args:
        files: The files of a source.
        index: Which of them.
        token: What tells this reading of the files from others: a file written anew has another footer.
        ahead: Whether the next files will be asked for too. Then a window of them is read in parallel; it grows
            with the index, so that a reader that stops early has read little.
    """
    found = _CACHE.get((token, files[index].uri))
    if found is not None:
        return found
    last = index + min(_AHEAD, 1 + 2 * index) if ahead else index + 1
    window = [f for f in files[index + 1 : last] if _CACHE.get((token, f.uri)) is None]
    wanted = [files[index], *window]
    footers = list(in_parallel(partial(_read_or_error, token), wanted, local=are_local(files)))
    for file, footer in zip(wanted, footers, strict=True):
        if not isinstance(footer, MLTableError):
            _CACHE.put((token, file.uri), footer, footer.serialized_size)
    if isinstance(footers[0], MLTableError):
        raise footers[0]
    return footers[0]


def known_footer(file: InputFile, token: str) -> pq.FileMetaData | None:
    """Return a file's footer where it is in the cache."""
    return _CACHE.get((token, file.uri))


def _read_or_error(token: str, file: InputFile) -> pq.FileMetaData | MLTableError:
    """Return a footer, or why it cannot be read: that is an error only once the file's turn comes."""
    try:
        tail = _TAILS.get((token, file.uri))
        return read_footer(file) if tail is None else _parsed(file, tail)
    except MLTableError as error:
        return error


def forget_with(source: object, token: str) -> None:
    """Give up the footers that are kept under a token when the source that was made of them is gone."""
    for cache in (_CACHE, _TAILS):
        weakref.finalize(source, cache.drop, token).atexit = False


def read_footer(file: InputFile) -> pq.FileMetaData:
    """Return a file's footer.

    Raises:
        CorruptFileError: The file is no Parquet file, or cut off.
        UnsupportedFeatureError: Its footer is encrypted.
    """
    try:
        with file.open() as stream:
            return pq.read_metadata(stream)
    except MLTableError:
        raise
    except ARROW_ERRORS as error:
        raise no_parquet(error, file) from error


def read_tail(file: InputFile, token: str, *, local: bool) -> bytes:
    """Return a file's last bytes; mostly the whole footer is among them. No bytes where the size is not known."""
    size = file.size
    if not size:
        return b""
    most = _LOCAL_TAIL_BYTES if local else _REMOTE_TAIL_BYTES
    tail = file.read_range(max(size - most, 0), size)
    footer = None if _TAILS.is_full(token) else footer_in(tail)
    if footer is not None:
        tail = tail[-len(footer) - TRAILER_BYTES :]
        _TAILS.put((token, file.uri), tail, len(tail), first=True)
    return tail


def parse_footer(file: InputFile, token: str, tail: bytes) -> pq.FileMetaData:
    """Return a file's footer, from the file's last bytes if it is all there, else read anew.

    Raises:
        CorruptFileError: The file is no Parquet file, or cut off.
        UnsupportedFeatureError: Its footer is encrypted.
    """
    footer = read_footer(file) if footer_in(tail) is None else _parsed(file, tail)
    _CACHE.put((token, file.uri), footer, footer.serialized_size, first=True)
    return footer


def _parsed(file: InputFile, tail: bytes) -> pq.FileMetaData:
    try:
        return pq.read_metadata(pa.BufferReader(tail))
    except ARROW_ERRORS as error:
        raise no_parquet(error, file) from error


def no_parquet(error: BaseException, file: InputFile) -> MLTableError:
    """Return the error for a file that does not open as Parquet; by its name it may be text."""
    name = file.uri.lower()
    step = next((step for ending, step in _TEXT.items() if name.endswith(ending)), "")
    advice = f"By its name it is text: read it with {step}." if step else _ADVICE
    return explained(error, file.uri, "is not a Parquet file, or a damaged one", advice)


def explained(error: BaseException, place: str, what: str, advice: str = "") -> MLTableError:
    """Return an error of pyarrow as one of ours, with the place and what it means.

    One of ours says that already: it is raised again as it is. Raised from itself it would be its own cause, and what
    follows causes, as dask's scheduler does, would never end.
    """
    assert not isinstance(error, MLTableError)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
    if "crypt" in reason:
        return UnsupportedFeatureError(
            f"{place}: the file is encrypted ({reason}); mltable_lite reads no encrypted Parquet. Write it decrypted."
        )
    if isinstance(error, OSError) and error.errno is not None:
        return StorageError(f"{place}: cannot be read: {reason}.")
    return CorruptFileError(f"{place}: {what}: {reason}. {advice or _ADVICE}")
