"""Files and trees copied between any two storages: several at once, resumed, verified, whole or not at all."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mltable_lite.errors import (
    ArgumentError,
    MLTableError,
    SourceNotFoundError,
    StorageError,
    TargetExistsError,
)
from mltable_lite.storage.filesystem import filesystem, info, open_input, opened, settled
from mltable_lite.storage.listing import list_all
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.patterns import is_glob
from mltable_lite.storage.progress import Progress, size_text
from mltable_lite.storage.remote import ask
from mltable_lite.storage.upload import new_file
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mltable_lite.storage.listing import FileEntry

CHUNK_BYTES = 16 * 1024 * 1024
_WORKERS = 8
_MD5_TEXT = 32

Place = str | os.PathLike[str]
Overwrite = bool | Literal["changed"]


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a copy: `source` and `target` are addresses without credentials, `copied` tells whether it moved."""

    source: str
    target: str
    bytes: int
    copied: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a copy did, or with `dry_run` would do."""

    items: tuple[Item, ...]
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def copied_files(self) -> int:
        """How many files were copied."""
        return sum(item.copied for item in self.items)

    @property
    def skipped_files(self) -> int:
        """How many files were there already."""
        return len(self.items) - self.copied_files

    @property
    def copied_bytes(self) -> int:
        """How many bytes were copied."""
        return sum(item.bytes for item in self.items if item.copied)

    def __str__(self) -> str:
        verb = "would copy" if self.dry_run else "copied"
        there = f"; {self.skipped_files} were there already" if self.skipped_files else ""
        took = "" if self.dry_run else f" in {self.seconds:.1f} s"
        return f"{verb} {self.copied_files} files ({size_text(self.copied_bytes)}){took}{there}"


# --------------------------------------------------------------------------- public
def copy(
    source: Place,
    target: Place,
    *,
    recursive: bool = False,
    overwrite: Overwrite = "changed",
    dry_run: bool = False,
    show_progress: bool = False,
    callback: Any = None,
    storage_options: Mapping[str, Any] | None = None,
    source_options: Mapping[str, Any] | None = None,
    target_options: Mapping[str, Any] | None = None,
) -> Summary:
    """Copy a file, a folder or all files that match a pattern, and return what was done.

    A file goes to `target`, or into it where that is a folder or ends in ``/``. A folder's content goes to the same
    names below `target`; so does what matches a pattern, below the folder before its first ``*``. Every file is
    checked against its size and, where a storage keeps it, its MD5. What was interrupted goes on where it stopped
    when it is called again.

    Args:
        source: A path or URI.
        target: A path or URI.
        recursive: A folder is only copied with this.
        overwrite: ``"changed"`` replaces files that differ (by size and MD5, or by size and time where no MD5 is
            known); `True` replaces all; `False` raises when a file that differs is there.
        dry_run: Only tell what would be done.
        show_progress: Show a line of progress on standard error.
        callback: Has ``set_size(bytes)`` and ``relative_update(bytes)``, as fsspec's callbacks have.
        storage_options: Options of both storages, as fsspec takes them, and ``retry``.
        source_options: Options of the source alone, over `storage_options`.
        target_options: Options of the target alone, over `storage_options`.

    Raises:
        SourceNotFoundError: There is nothing at the source.
        TargetExistsError: A file that differs is there, and `overwrite` is `False`. Nothing was copied.
        ArgumentError: The source is a folder and `recursive` is not set, or a name leads out of the target.
        StorageError: A storage failed, or a copy differs from its source. Finished files stay.

    Example:
        >>> from mltable_lite import transfer
        >>> print(transfer.copy("docs/examples/taxi", "memory://taxi", recursive=True, dry_run=True))
        would copy ... files (...)
    """
    start = time.monotonic()
    mine = StorageOptions({**(storage_options or {}), **(source_options or {})})
    theirs = StorageOptions({**(storage_options or {}), **(target_options or {})})
    pairs = _planned(_place(source, mine), _place(target, theirs), mine, theirs, recursive=recursive)
    with ThreadPoolExecutor(_WORKERS) as pool:
        same = list(pool.map(lambda pair: overwrite is not True and _same(pair, mine, theirs), pairs))
    if overwrite is False:
        _refuse_conflicts(pairs, same)
    wanted = [pair for pair, there in zip(pairs, same, strict=True) if not there]
    if not dry_run:
        with Progress("copied", show=show_progress) as progress:
            told = [progress.relative_update]
            progress.set_size(sum(pair.size or 0 for pair in wanted))
            if callback is not None:
                callback.set_size(progress.size)
                told.append(callback.relative_update)

            def tell(count: int) -> None:
                for each in told:
                    each(count)

            _copy_all(wanted, mine, theirs, tell)
    items = (
        Item(pair.source.uri, pair.target.uri, pair.size or 0, not there)
        for pair, there in zip(pairs, same, strict=True)
    )
    return Summary(tuple(items), time.monotonic() - start, dry_run)


def upload(source: Place, target: Place, *, recursive: bool = True, **options: Any) -> Summary:
    """Copy a local file or folder to a storage; everything else is as in `copy`.

    Raises:
        ArgumentError: The source is not local.
    """
    _must_be_local("upload", "source", source)
    return copy(source, target, recursive=recursive, **options)


def download(source: Place, target: Place, *, recursive: bool = True, **options: Any) -> Summary:
    """Copy a file or folder of a storage to a local path; everything else is as in `copy`.

    Raises:
        ArgumentError: The target is not local.
    """
    _must_be_local("download", "target", target)
    return copy(source, target, recursive=recursive, **options)


def copy_file(entry: FileEntry, target: Location, options: StorageOptions = NO_OPTIONS) -> None:
    """Copy a listed file to `target`, in chunks and verified; it appears whole or not at all."""
    pair = _Pair(entry.location, target, entry.size, entry.tag, None)
    _copy_one(pair, entry.options, options, lambda _: None)


# --------------------------------------------------------------------------- plan
class _Pair(NamedTuple):
    source: Location
    target: Location
    size: int | None
    tag: str | None
    target_size: int | None  # of what is there now; `None` for nothing


def _place(given: Place, options: StorageOptions) -> Location:
    text = os.fspath(given)
    if not isinstance(text, str):
        raise ArgumentError(f"copy: {given!r} is bytes; give a text.")
    place = settled(parse_uri(text), options)
    # A path that ends in a slash names a folder, whether it is there or not.
    return place.at(place.key.rstrip("/") + "/") if text.endswith(("/", os.sep)) else place


def _must_be_local(function: str, name: str, given: Place) -> None:
    place = parse_uri(str(os.fspath(given)))
    if not place.is_local:
        raise ArgumentError(f"{function}: {name} {place.uri} is not local; use copy() between storages.")


def _planned(
    source: Location, target: Location, mine: StorageOptions, theirs: StorageOptions, *, recursive: bool
) -> list[_Pair]:
    """Return what is to be copied where, in the order of names."""
    found = None if is_glob(source.key) else info(source, mine)
    if found is not None and found.kind == "file":
        folder = target.key.endswith("/")
        there = info(target.at(target.key.rstrip("/")) if folder else target, theirs)
        if folder or (there is not None and there.kind == "folder"):
            target = target.join(source.name)
            there = info(target, theirs)
        return [_Pair(source, target, found.size, found.tag, None if there is None else there.size)]
    if found is None and not is_glob(source.key):
        raise SourceNotFoundError(
            f"{source.uri}: The requested stream was not found: there is nothing to copy."
        )
    if found is not None and not recursive:
        raise ArgumentError(
            f"copy: {source.uri} is a folder; give recursive=True (--recursive) to copy all of it."
        )
    folder_of, files = list_all(source.at(source.key.rstrip("/")) if source.key != "/" else source, mine)
    if not files:
        raise SourceNotFoundError(f"{source.uri}: The requested stream was not found: no file is there.")
    base = target.at(target.key.rstrip("/")) if target.key != "/" else target
    there_now = (
        {file.key: file.size for file in list_all(base, theirs)[1]} if _may_exist(base, theirs) else {}
    )
    start = len(folder_of.key.rstrip("/")) + 1 if folder_of.key else 0
    pairs = []
    for file in sorted(files, key=lambda file: file.key):
        name = file.key[start:]
        if ".." in name.split("/") or name.startswith("/"):
            raise ArgumentError(
                f"copy: the name {name!r} in {source.uri} leads out of {target.uri}; rename it first."
            )
        new = base.join(name)
        pairs.append(_Pair(source.at(file.key), new, file.size, file.tag, there_now.get(new.key)))
    return pairs


def _may_exist(folder: Location, options: StorageOptions) -> bool:
    return folder.protocol not in ("http", "https") and info(folder, options) is not None


def _refuse_conflicts(pairs: Sequence[_Pair], same: Sequence[bool]) -> None:
    conflict = next(
        (p for p, s in zip(pairs, same, strict=True) if not s and p.target_size is not None), None
    )
    if conflict is not None:
        raise TargetExistsError(
            f"copy: {conflict.target.uri} exists and differs from {conflict.source.uri}. Copy elsewhere, or use "
            "overwrite='changed' or overwrite=True."
        )


# --------------------------------------------------------------------------- equal or not
class _Details(NamedTuple):
    md5: bytes | None
    modified: float | None


def _same(pair: _Pair, mine: StorageOptions, theirs: StorageOptions) -> bool:
    """Tell whether the target is there and holds what the source holds."""
    if pair.target_size is None or pair.target_size != pair.size:
        return False
    source, target = _details(pair.source, mine), _details(pair.target, theirs)
    if source.md5 is None and target.md5 is not None and pair.source.is_local:
        source = source._replace(md5=_local_md5(pair.source.key))
    if target.md5 is None and source.md5 is not None and pair.target.is_local:
        target = target._replace(md5=_local_md5(pair.target.key))
    if source.md5 is not None and target.md5 is not None:
        return source.md5 == target.md5
    if source.modified is None or target.modified is None:
        return False
    return source.modified <= target.modified


def _details(location: Location, options: StorageOptions) -> _Details:
    with opened(location, options) as (place, own):
        if place.is_local:
            return _Details(None, os.stat(place.key).st_mtime)  # noqa: PTH116 - places are texts here
        told = ask(filesystem(place, own), own, "info", place.path)
    modified = next(
        (
            told[name]
            for name in ("last_modified", "LastModified", "mtime", "created", "updated")
            if told.get(name)
        ),
        None,
    )
    if isinstance(modified, dt.datetime):
        modified = modified.timestamp()
    return _Details(_known_md5(told), modified if isinstance(modified, int | float) else None)


def _known_md5(told: Mapping[str, Any]) -> bytes | None:
    """Return the MD5 of a file's content where the storage tells it."""
    kept = getattr(told.get("content_settings"), "content_md5", None) or told.get("content_md5")
    if kept:
        return bytes(kept)
    text = told.get("Content-MD5") or told.get("md5Hash")
    if text:
        return base64.b64decode(text)
    # S3's ETag is the MD5 of what came in one part without a key of one's own; else it has a dash or another length.
    tag = str(told.get("ETag", "")).strip('"')
    if "LastModified" in told and len(tag) == _MD5_TEXT and not told.get("SSEKMSKeyId"):
        return bytes.fromhex(tag)
    return None


def _local_md5(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - places are texts here
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()


# --------------------------------------------------------------------------- bytes
def _copy_all(
    pairs: Sequence[_Pair], mine: StorageOptions, theirs: StorageOptions, tell: Callable[[int], None]
) -> None:
    done = 0
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [pool.submit(_copy_one, pair, mine, theirs, tell) for pair in pairs]
        try:
            for future in futures:
                future.result()
                done += 1
        except MLTableError as error:
            pool.shutdown(cancel_futures=True)
            if len(pairs) > 1:
                done = sum(f.done() and not f.cancelled() and f.exception() is None for f in futures)
                error.args = (f"{error} ({done} of {len(pairs)} files were copied; call it again to go on.)",)
            raise
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _copy_one(pair: _Pair, mine: StorageOptions, theirs: StorageOptions, tell: Callable[[int], None]) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    count = 0
    expected = None if pair.source.is_local else _details(pair.source, mine).md5
    with open_input(pair.source, mine, pair.size, pair.tag) as source, new_file(pair.target, theirs) as sink:
        for data in _chunks(source, pair.size):
            digest.update(data)
            sink.write(data)
            count += len(data)
            tell(len(data))
        # Inside the block: what differs never gets its name.
        if pair.size is not None and count != pair.size:
            raise StorageError(
                f"{pair.source.uri}: {count} of {pair.size} bytes came; the file is being changed. Copy it again."
            )
        if expected is not None and digest.digest() != expected:
            raise StorageError(
                f"{pair.source.uri}: the bytes do not have the MD5 that the storage keeps of the file; nothing was "
                "written. Copy it again, or upload the source anew."
            )


def _chunks(source: Any, size: int | None) -> Iterator[bytes]:
    """Yield a file's bytes; of a long one the next chunk is read while this one is used."""
    if size is not None and size <= CHUNK_BYTES:
        yield source.read()
        return
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(source.read, CHUNK_BYTES)
        while data := waiting.result():
            waiting = ahead.submit(source.read, CHUNK_BYTES)
            yield data
