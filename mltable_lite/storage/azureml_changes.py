"""What changes files of the ``azureml`` filesystem, one at a time or by folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from mltable_lite.errors import SourceNotFoundError
from mltable_lite.storage.filesystem import info
from mltable_lite.storage.remote import ask
from mltable_lite.storage.transfer import copy_found

if TYPE_CHECKING:
    from mltable_lite.storage.options import StorageOptions

#: Storages that list names, not folders.
FLAT = ("abfs", "s3", "gs")


class Changes(AbstractFileSystem):  # type: ignore[misc]
    """How files are written, moved and removed. A part of `AzureMachineLearningFileSystem`."""

    def pipe_file(self, path: Any, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        """Write the bytes of a file; readers see the old or the new ones."""
        with self.open(path, "xb" if mode == "create" else "wb", **kwargs) as file:
            file.write(value)

    def touch(self, path: Any, truncate: bool = True, **kwargs: Any) -> None:
        """Make an empty file; with `truncate` off, an existing one keeps its bytes and gets a new time."""
        if truncate or not self.exists(path):
            self.pipe_file(path, b"", **kwargs)
        else:
            self._ask("touch", path, truncate=False, **kwargs)

    def mkdir(self, path: Any, create_parents: bool = True, **kwargs: Any) -> None:
        """Make a folder; blob storages have none and do nothing.

        Raises:
            FileExistsError: There is one.
        """
        if self.exists(path):
            raise FileExistsError(self.unstrip_protocol(path))
        self._ask("makedirs" if create_parents else "mkdir", path, **kwargs)

    def makedirs(self, path: Any, exist_ok: bool = False) -> None:
        """Make a folder and those above it.

        Raises:
            FileExistsError: There is one, and `exist_ok` is off.
        """
        self._ask("makedirs", path, exist_ok=exist_ok)

    def rmdir(self, path: Any) -> None:
        """Remove an empty folder."""
        self._ask("rmdir", path)

    def rm_file(self, path: Any) -> None:
        """Remove a file."""
        self._ask("rm_file", path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Remove files, with `recursive` folders and all below.

        Raises:
            SourceNotFoundError: There is nothing.
        """
        paths = [path] if isinstance(path, str | os.PathLike) else list(path)
        if not recursive or maxdepth is not None:
            super().rm(paths, recursive=recursive, maxdepth=maxdepth)
            return
        for one in self.expand_path(paths, recursive=False):
            self._ask("rm", one, recursive=True)

    def cp_file(self, path1: Any, path2: Any, **_: Any) -> None:
        """Copy a file inside the storage."""
        source, target = (self._root.at(self._own(path)) for path in (path1, path2))
        found = info(source, self._options)
        if found is None:
            raise SourceNotFoundError(f"{source.uri}: The requested stream was not found.")
        if found.kind == "file":
            copy_found(source, target, found, self._options)
        elif self._full(path2).protocol not in FLAT:  # there a folder is in the names of its files
            self.makedirs(path2, exist_ok=True)

    def mv(
        self, path1: Any, path2: Any, recursive: bool = False, maxdepth: int | None = None, **kwargs: Any
    ) -> None:
        """Move a file, with `recursive` a folder; on a local disk in one step."""
        source, target = self._full(path1), self._full(path2)
        if not source.is_local:
            super().mv(path1, path2, recursive=recursive, maxdepth=maxdepth, **kwargs)
            return
        with self._at(path1) as (fs, _, _):
            Path(target.key).parent.mkdir(parents=True, exist_ok=True)
            fs.mv(source.key, target.key, recursive=recursive)


def asked(fs: Any, own: StorageOptions, method: str, *args: Any, **kwargs: Any) -> Any:
    """Return what a method of the filesystem returns; a remote one under the retry policy."""
    if isinstance(fs, LocalFileSystem):
        return getattr(fs, method)(*args, **kwargs)
    return ask(fs, own, method, *args, **kwargs)
