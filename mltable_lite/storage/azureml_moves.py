"""Many files between a filesystem and the local disk: planned by fsspec's rules, moved several at a time."""

from __future__ import annotations

import copy
import os
import posixpath
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem
from fsspec.callbacks import DEFAULT_CALLBACK, NoOpCallback

from mltable_lite.errors import ArgumentError, SourceNotFoundError, TargetExistsError
from mltable_lite.storage.filesystem import info
from mltable_lite.storage.transfer import copy_found
from mltable_lite.storage.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mltable_lite.storage.uri import Location

_AT_ONCE = 8
_CHUNK_BYTES = 8 * 1024 * 1024
_MODES = ("APPEND", "FAIL_ON_FILE_CONFLICT", "MERGE_WITH_OVERWRITE")

_Pair = tuple[str, str]


class Moves(AbstractFileSystem):  # type: ignore[misc]
    """What a filesystem does with many files at a time. A part of `AzureMachineLearningFileSystem`."""

    # ---------------------------------------------------------------- one file
    def get_file(self, rpath: str, lpath: Any, callback: Any = DEFAULT_CALLBACK, **kwargs: Any) -> None:
        """Copy a file to the local disk, where it appears whole; a folder is made."""
        if hasattr(lpath, "write"):
            with self.open(rpath, "rb", **kwargs) as source:
                pour(source, lpath, callback)
        elif self.isdir(rpath):
            Path(lpath).mkdir(parents=True, exist_ok=True)
        else:
            self._copied(self._root.at(self._own(rpath)), parse_uri(os.fspath(lpath)), callback)

    def put_file(
        self,
        lpath: str,
        rpath: str,
        callback: Any = DEFAULT_CALLBACK,
        mode: str = "overwrite",
        **_: Any,
    ) -> None:
        """Copy a local file to the storage, where it appears whole; a folder is made."""
        if Path(lpath).is_dir():
            self.makedirs(rpath, exist_ok=True)
            return
        if mode == "create" and self.exists(rpath):
            raise FileExistsError(self.unstrip_protocol(rpath))
        self._copied(parse_uri(os.fspath(lpath)), self._root.at(self._own(rpath)), callback)

    def _copied(self, source: Location, target: Location, callback: Any) -> None:
        found = info(source, self._options)
        if found is None:
            raise SourceNotFoundError(f"{source.uri}: The requested stream was not found.")
        callback.set_size(found.size)
        copy_found(source, target, found, self._options, callback.relative_update)

    # ---------------------------------------------------------------- many, as fsspec plans them
    def get(
        self,
        rpath: Any,
        lpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy files to the local disk, with `recursive` folders; paths as fsspec takes them."""
        plan = _planned(
            self,
            "get_file",
            lambda fs: AbstractFileSystem.get(fs, rpath, lpath, recursive, maxdepth=maxdepth),
        )
        _together(self.get_file, plan, callback, kwargs)

    def put(
        self,
        lpath: Any,
        rpath: Any,
        recursive: bool = False,
        callback: Any = DEFAULT_CALLBACK,
        maxdepth: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Copy local files to the storage, with `recursive` folders; paths as fsspec takes them."""
        plan = _planned(
            self,
            "put_file",
            lambda fs: AbstractFileSystem.put(fs, lpath, rpath, recursive, maxdepth=maxdepth),
        )
        _together(self.put_file, plan, callback, kwargs)

    # ---------------------------------------------------------------- many, as azureml-fsspec has it
    def upload(
        self,
        lpath: str | os.PathLike[str],
        rpath: str,
        recursive: bool = False,
        overwrite: str = "MERGE_WITH_OVERWRITE",
        callback: Any = DEFAULT_CALLBACK,
        **kwargs: Any,
    ) -> int:
        """Copy a local file, or with `recursive` a folder's contents, into a folder of the storage; return how many.

        Args:
            lpath: The file or folder.
            rpath: The folder. For a single file it is the file's new name where it ends in that name or in the same
                extension: ``upload("a.csv", "x/b.csv")``.
            recursive: Must be set for a folder.
            overwrite: What happens to a file that is there: ``APPEND`` keeps it, ``FAIL_ON_FILE_CONFLICT`` is an error
                before anything is written, ``MERGE_WITH_OVERWRITE`` replaces it.
            callback: One of fsspec's, for the progress.
            **kwargs: For the filesystem's `put_file`.

        Raises:
            SourceNotFoundError: There is no such file or folder.
            TargetExistsError: With ``FAIL_ON_FILE_CONFLICT``.
        """
        source = Path(lpath)
        if not source.exists():
            raise SourceNotFoundError(f"upload: {source}: The requested stream was not found.")
        pairs = _into(
            "upload",
            str(lpath),
            rpath,
            recursive,
            is_folder=source.is_dir(),
            files=lambda: _local_files(source),
        )
        wanted = self._wanted(pairs, overwrite, self.exists, self.unstrip_protocol)
        _together(self.put_file, wanted, callback, kwargs)
        return len(wanted)

    def download(
        self,
        rpath: str,
        lpath: str | os.PathLike[str],
        recursive: bool = False,
        overwrite: str = "MERGE_WITH_OVERWRITE",
        callback: Any = DEFAULT_CALLBACK,
        **kwargs: Any,
    ) -> int:
        """Copy a file, or with `recursive` a folder's contents, into a local folder; return how many.

        Args:
            rpath: The file or folder.
            lpath: The local folder; for a single file as `rpath` in `upload`.
            recursive: Must be set for a folder.
            overwrite: As in `upload`.
            callback: One of fsspec's, for the progress.
            **kwargs: For the filesystem's `get_file`.

        Raises:
            SourceNotFoundError: There is no such file or folder.
            TargetExistsError: With ``FAIL_ON_FILE_CONFLICT``.
        """
        is_folder = self.info(rpath)["type"] == "directory"
        root = self._strip_protocol(rpath)

        def below() -> list[_Pair]:
            return [(name, name[len(root) :].lstrip("/")) for name in self.find(rpath)]

        pairs = _into("download", rpath, str(lpath), recursive, is_folder=is_folder, files=below)
        wanted = self._wanted(pairs, overwrite, os.path.exists, str)
        _together(self.get_file, wanted, callback, kwargs)
        return len(wanted)

    @staticmethod
    def _wanted(
        pairs: list[_Pair], overwrite: str, exists: Callable[[str], bool], name: Callable[[str], str]
    ) -> list[_Pair]:
        mode = getattr(overwrite, "name", overwrite)
        if mode not in _MODES:
            raise ArgumentError(f"overwrite={overwrite!r} is not accepted; use one of {', '.join(_MODES)}.")
        if mode == "MERGE_WITH_OVERWRITE":
            return pairs
        taken = {target for _, target in pairs if exists(target)}
        if taken and mode == "FAIL_ON_FILE_CONFLICT":
            raise TargetExistsError(
                f"{name(min(taken))} exists (AlreadyExists); nothing was written. Use overwrite='APPEND' to keep what is "
                "there, or 'MERGE_WITH_OVERWRITE' to replace it."
            )
        return [pair for pair in pairs if pair[1] not in taken]


def _into(
    verb: str,
    source: str,
    target: str,
    recursive: bool,
    *,
    is_folder: bool,
    files: Callable[[], Iterable[_Pair]],
) -> list[_Pair]:
    """Return source and target of each file."""
    if is_folder:
        if not recursive:
            raise ArgumentError(f"{verb}: {source} is a folder; use recursive=True.")
        return [(file, posixpath.join(target, relative)) for file, relative in files()]
    name = posixpath.basename(source.replace(os.sep, "/").rstrip("/"))
    last = posixpath.basename(target)
    extension = posixpath.splitext(name)[1]
    is_name = last == name or (extension != "" and posixpath.splitext(last)[1] == extension)
    return [(source, target if is_name else posixpath.join(target, name))]


def _local_files(folder: Path) -> list[_Pair]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted((str(file), file.relative_to(folder).as_posix()) for file in files)


def _planned(fs: Any, method: str, run: Callable[[Any], None]) -> list[_Pair]:
    """Return the pairs that fsspec would move one by one."""
    pairs: list[_Pair] = []
    planner = copy.copy(fs)
    setattr(planner, method, lambda source, target, **_: pairs.append((source, target)))
    run(planner)
    return pairs


def _together(move: Callable[..., None], pairs: list[_Pair], callback: Any, kwargs: dict[str, Any]) -> None:
    callback = callback or NoOpCallback()
    callback.set_size(len(pairs))

    def one(pair: _Pair) -> None:
        with callback.branched(*pair) as child:
            move(*pair, callback=child, **kwargs)

    if len(pairs) == 1:
        one(pairs[0])
        callback.relative_update(1)
        return
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            for _ in pool.map(one, pairs):
                callback.relative_update(1)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def pour(source: Any, target: Any, callback: Any = DEFAULT_CALLBACK) -> None:
    """Copy the bytes of one file object into another, piece by piece."""
    while data := source.read(_CHUNK_BYTES):
        target.write(data)
        callback.relative_update(len(data))
