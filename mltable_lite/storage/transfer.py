"""Files and trees copied between any two storages: several at once, resumed, verified, whole or not at all."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from mltable_lite import arguments
from mltable_lite.errors import (
    ArgumentError,
    MLTableError,
    StorageError,
    TargetExistsError,
    did_you_mean,
)
from mltable_lite.storage.failures import storage_errors
from mltable_lite.storage.filesystem import open_input
from mltable_lite.storage.inside import copied_inside
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.pairs import WORKERS, Pair, Place, ask_each, place_of, planned, sizes_at
from mltable_lite.storage.progress import Progress, size_text
from mltable_lite.storage.same import details, equal
from mltable_lite.storage.upload import new_file
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from mltable_lite.storage.filesystem import Info
    from mltable_lite.storage.listing import FileEntry

CHUNK_BYTES = 16 * 1024 * 1024

Overwrite = bool | Literal["changed"]


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a copy.

    Attributes:
        source: Its address, without credentials.
        target: That of the copy.
        bytes: Its size.
        copied: Whether it was copied, or was there already.
    """

    source: str
    target: str
    bytes: int
    copied: bool


@dataclass(frozen=True, slots=True)
class Summary:
    """What a copy did, or with `dry_run` would do.

    Attributes:
        items: The files.
        seconds: How long it took.
        dry_run: Whether nothing was done.
    """

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
        overwrite: ``"changed"`` replaces files that differ (two local files by their bytes, others by size and MD5, or
            by size and time where no MD5 is known); `True` replaces all; `False` raises when a file that differs is
            there. Nothing else is accepted.
        dry_run: Only tell what would be done.
        show_progress: Show a line of progress on standard error.
        callback: Has ``set_size(bytes)`` and ``relative_update(bytes)``, as fsspec's callbacks have.
        storage_options: Options of both storages, as fsspec takes them, and ``retry``.
        source_options: Options of the source alone, over `storage_options`.
        target_options: Options of the target alone, over `storage_options`.

    Raises:
        SourceNotFoundError: There is nothing at the source.
        TargetExistsError: A file that differs is there, and `overwrite` is `False`. Nothing was copied.
        ArgumentError: The source is a folder and `recursive` is not set, a name leads out of the target, or
            `overwrite` is something else.
        StorageError: A storage failed, or a copy differs from its source. Finished files stay.

    Example:
        >>> from mltable_lite import transfer
        >>> print(transfer.copy("docs/examples/taxi", "memory://taxi", recursive=True, dry_run=True))
        would copy ... files (...)
    """
    _check_overwrite(overwrite)
    both, of_source, of_target = (
        arguments.mapping("copy", name, given)
        for name, given in (
            ("storage_options", storage_options),
            ("source_options", source_options),
            ("target_options", target_options),
        )
    )
    mine, theirs = StorageOptions(both | of_source), StorageOptions(both | of_target)
    places = (
        place_of(arguments.place("copy", "source", source), mine),
        place_of(arguments.place("copy", "target", target), theirs),
    )
    pairs = planned(*places, mine, theirs, recursive=recursive)
    same = ask_each(lambda pair: overwrite is not True and _same(pair, mine, theirs), pairs)
    if overwrite is False:
        _refuse_conflicts(pairs, same)
    return _run(pairs, same, mine, theirs, dry_run=dry_run, show_progress=show_progress, callback=callback)


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


def copy_each(
    files: Sequence[tuple[Location, Info, Location]], *, overwrite: bool, show_progress: bool = False
) -> Summary:
    """Copy listed files to their targets; what is there is kept, or with `overwrite` made equal.

    Raises:
        StorageError: A storage failed, or a copy differs from its source. Finished files stay.
        ArgumentError: `overwrite` is no boolean.
    """
    overwrite = arguments.flag("copy", "overwrite", overwrite)
    now = sizes_at([target for *_, target in files], NO_OPTIONS)
    wanted = [
        Pair(source, target, found.size, found.tag, size)
        for (source, found, target), size in zip(files, now, strict=True)
    ]

    def stays(pair: Pair) -> bool:
        return pair.target_size is not None and (
            not overwrite or _same(pair, NO_OPTIONS, NO_OPTIONS, surely=True)
        )

    return _run(wanted, ask_each(stays, wanted), NO_OPTIONS, NO_OPTIONS, show_progress=show_progress)


def copy_file(entry: FileEntry, target: Location, options: StorageOptions = NO_OPTIONS) -> None:
    """Copy a listed file to `target`, in chunks and verified; it appears whole or not at all."""
    _copy_one(
        Pair(entry.location, target, entry.size, entry.tag, None), entry.options, options, lambda _: None
    )


def copy_found(
    source: Location,
    target: Location,
    found: Info,
    options: StorageOptions,
    tell: Callable[[int], object] = lambda _: None,
) -> None:
    """Copy a file that was just asked for, as `copy_file` does; `tell` is given the bytes of each chunk.

    The options are those of both sides; a local one needs none.
    """
    _copy_one(Pair(source, target, found.size, found.tag, None), options, options, tell)


# --------------------------------------------------------------------------- conditions
def _must_be_local(function: str, name: str, given: Place) -> None:
    place = parse_uri(arguments.place(function, name, given))
    if not place.is_local:
        raise ArgumentError(f"{function}: {name} {place.uri} is not local; use copy() between storages.")


def _check_overwrite(given: object) -> None:
    if not isinstance(given, bool) and not (isinstance(given, str) and given == "changed"):
        hint = did_you_mean(given, ["changed"]) if isinstance(given, str) else ""
        raise ArgumentError(
            f"copy: overwrite={given!r} is not accepted; use 'changed' (replace files that differ), True (replace all) or "
            f"False (refuse to replace a file that differs).{hint}"
        )


def _refuse_conflicts(pairs: Sequence[Pair], same: Sequence[bool]) -> None:
    conflict = next(
        (p for p, s in zip(pairs, same, strict=True) if not s and p.target_size is not None), None
    )
    if conflict is not None:
        raise TargetExistsError(
            f"copy: {conflict.target.uri} exists and differs from {conflict.source.uri}. Copy elsewhere, or use "
            "overwrite='changed' or overwrite=True."
        )


def _same(pair: Pair, mine: StorageOptions, theirs: StorageOptions, *, surely: bool = False) -> bool:
    """Tell whether the target is there and holds what the source holds."""
    if pair.target_size is None or pair.target_size != pair.size:
        return False
    return equal(pair.source, pair.target, mine, theirs, surely=surely)


# --------------------------------------------------------------------------- bytes
def _run(
    pairs: Sequence[Pair],
    same: Sequence[bool],
    mine: StorageOptions,
    theirs: StorageOptions,
    *,
    dry_run: bool = False,
    show_progress: bool = False,
    callback: Any = None,
) -> Summary:
    """Copy the pairs that are not the same."""
    start = time.monotonic()
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


def _copy_all(
    pairs: Sequence[Pair], mine: StorageOptions, theirs: StorageOptions, tell: Callable[[int], object]
) -> None:
    done = 0
    with ThreadPoolExecutor(WORKERS) as pool:
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


def _copy_one(
    pair: Pair, mine: StorageOptions, theirs: StorageOptions, tell: Callable[[int], object]
) -> None:
    if copied_inside(pair.source, pair.target, mine, theirs, pair.size, pair.tag):
        tell(pair.size or 0)
        return
    digest = hashlib.md5(usedforsecurity=False)
    count = 0
    expected = None if pair.source.is_local else details(pair.source, mine).md5
    with (
        open_input(pair.source, mine, pair.size, pair.tag) as source,
        new_file(pair.target, theirs) as sink,
        storage_errors(pair.source, mine),
    ):
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
