"""Named datastores: look them up, and move files in and out of them. Public in `mltable_lite.datastores`."""

from __future__ import annotations

import os
import posixpath
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mltable_lite import arguments
from mltable_lite.errors import ArgumentError, SourceNotFoundError, did_you_mean, listed
from mltable_lite.storage import registry
from mltable_lite.storage.azureml import AzureMachineLearningFileSystem
from mltable_lite.storage.filesystem import Info, info, replacing
from mltable_lite.storage.listing import list_all
from mltable_lite.storage.pairs import below
from mltable_lite.storage.resolve import forget
from mltable_lite.storage.transfer import copy_each
from mltable_lite.storage.uri import parse_uri

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Sequence

    from mltable_lite.storage.records import DatastoreRecord
    from mltable_lite.storage.uri import Location


# --------------------------------------------------------------------------- the object
@dataclass(frozen=True, slots=True, repr=False)
class Datastore:
    """A named storage. Any path in it is ``azureml://datastores/NAME/paths/PATH``, for `load`, `save`, pandas and dask.

    Example:
        >>> from mltable_lite import datastores
        >>> store = datastores.register_local(datastore_name="examples", root="docs/examples", overwrite=True)
        >>> store.path("taxi")
        'azureml://datastores/examples/paths/taxi'
    """

    name: str
    type: str
    description: str | None = None

    def __repr__(self) -> str:
        return f"Datastore(name={self.name!r}, type={self.type!r})"

    @property
    def uri(self) -> str:
        """The address of its root."""
        return f"azureml://datastores/{self.name}"

    def path(self, relative: str = "") -> str:
        """Return the address of a path in it."""
        return f"{self.uri}/paths/{relative.lstrip('/').removeprefix('./')}"

    def filesystem(self, **storage_options: Any) -> AzureMachineLearningFileSystem:
        """Return it as a filesystem of fsspec, with paths relative to its root."""
        return AzureMachineLearningFileSystem(self.uri, **storage_options)

    def upload(
        self,
        src_dir: str | os.PathLike[str],
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> str:
        """Copy all files below a local folder, and return the address of the folder they are in.

        As `mltable_lite.transfer` does it: several at once, verified, and resumed when it is called again.

        Args:
            src_dir: The local folder.
            target_path: The folder in the datastore; by default its root.
            overwrite: Replace files that are there, unless their checksum is the same; otherwise they are kept.
            show_progress: Show the progress on standard error, and print how many files were copied.

        Raises:
            SourceNotFoundError: There is no such folder.
        """
        root = Path(src_dir)
        if not root.is_dir():
            raise SourceNotFoundError(f"upload: {root}: The requested stream was not found: it is no folder.")
        files = sorted(str(path) for path in root.rglob("*") if path.is_file())
        return self.upload_files(files, str(root), target_path, overwrite, show_progress)

    def upload_files(
        self,
        files: Iterable[str | os.PathLike[str]],
        relative_root: str | os.PathLike[str] | None = None,
        target_path: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> str:
        """Copy local files, and return the address of the folder they are in.

        Args:
            files: The files.
            relative_root: The folder whose structure is kept; without it all files land in `target_path` itself.
            target_path: The folder in the datastore; by default its root.
            overwrite: Replace files that are there, unless their checksum is the same; otherwise they are kept.
            show_progress: Show the progress on standard error, and print how many files were copied.

        Raises:
            SourceNotFoundError: A file is not there; nothing was copied.
            ArgumentError: Two files would get the same name.
        """
        sources = [os.fspath(file) for file in files]
        relative = [
            os.path.relpath(source, relative_root) if relative_root else Path(source).name
            for source in sources
        ]
        targets = [posixpath.join(target_path or "", name.replace(os.sep, "/")) for name in relative]
        twice = next((target for target, count in Counter(targets).items() if count > 1), None)
        if twice is not None and not relative_root:
            raise ArgumentError(
                f"upload_files: two files would become {twice!r}; give relative_root to keep their folders."
            )
        found = []
        for source, target in zip(sources, targets, strict=True):
            place = parse_uri(source)
            file = info(place)
            if file is None or file.kind != "file":
                raise SourceNotFoundError(f"upload_files: {source}: The requested stream was not found.")
            found.append((place, file, parse_uri(self.path(target))))
        _move(f"upload to {self.name}", found, overwrite=overwrite, show_progress=show_progress)
        return self.path(target_path or "")

    def download(
        self,
        target_path: str | os.PathLike[str],
        prefix: str | None = None,
        overwrite: bool = False,
        show_progress: bool = True,
    ) -> int:
        """Copy files to a local folder, under the paths they have in the datastore, and return how many were copied.

        Args:
            target_path: The local folder.
            prefix: A folder or file in the datastore; by default everything.
            overwrite: Replace local files that are there, unless their checksum is the same; otherwise they are kept.
            show_progress: Show the progress on standard error, and print how many files were copied.

        Raises:
            SourceNotFoundError: There is nothing under `prefix`.
        """
        root = parse_uri(self.path(prefix or ""))
        found = info(root)
        files = [] if found is None else [(root.key, found)]
        if found is not None and found.kind == "folder":
            files = [(file.key, Info("file", file.size, file.tag)) for file in list_all(root)[1]]
        if not files:
            raise SourceNotFoundError(
                f"download: {root.uri}: The requested stream was not found: there are no files."
            )
        folder = parse_uri(os.fspath(target_path))
        wanted = [
            (root.at(key), file, folder.join(below(key.lstrip("/"), root, folder)))
            for key, file in sorted(files)
        ]
        return _move(f"download from {self.name}", wanted, overwrite=overwrite, show_progress=show_progress)

    def as_download(self, path_on_compute: str | os.PathLike[str] | None = None) -> str:
        """Copy everything to a local folder, by default a new temporary one, and return its path."""
        folder = (
            os.fspath(path_on_compute)
            if path_on_compute is not None
            else tempfile.mkdtemp(prefix=f"{self.name}-")
        )
        self.download(folder, overwrite=True, show_progress=False)
        return folder


def _move(
    what: str, files: Sequence[tuple[Location, Info, Location]], *, overwrite: bool, show_progress: bool
) -> int:
    """Copy files, tell how many were copied and kept, and return the first number."""
    done = copy_each(files, overwrite=overwrite, show_progress=show_progress)
    if show_progress:
        count, kept = done.copied_files, done.skipped_files
        also = f", {kept} kept as they are" if kept else ""
        print(f"{what}: {count} file{'s' * (count != 1)}{also}")  # noqa: T201 - what was asked for
    return done.copied_files


# --------------------------------------------------------------------------- looking up
def get(name: str) -> Datastore:
    """Return a registered datastore.

    Raises:
        SourceNotFoundError: None has that name.
        SpecError: Its file is not valid.
    """
    return _datastore(_record(name))


def list() -> builtins.list[Datastore]:  # noqa: A001 - `datastores.list()` is its name
    """Return all registered datastores, sorted by name.

    Raises:
        SpecError: A file is not valid.
    """
    return [_datastore(record) for record in registry.datastores()]


def default() -> Datastore:
    """Return the datastore that `set_default` named.

    Raises:
        SourceNotFoundError: None was named, or it is gone.
    """
    name = registry.default_datastore()
    if name is None:
        raise SourceNotFoundError("no default datastore is set; name one with datastores.set_default(name).")
    return get(name)


def set_default(name: str) -> None:
    """Make a registered datastore the default one.

    Raises:
        SourceNotFoundError: None has that name.
    """
    _record(name)
    with replacing(registry.folder_for_new() / registry.DEFAULT) as file:
        file.write(f"{name}\n".encode())


def unregister(name: str) -> None:
    """Forget a datastore; its data stays where it is.

    Raises:
        SourceNotFoundError: None has that name.
    """
    record = _record(name)
    assert record.file is not None
    record.file.unlink()
    registry.keep_secrets(record.file, {})
    if registry.default_datastore() == name:
        for folder in registry.folders():
            (folder / registry.DEFAULT).unlink(missing_ok=True)
    forget()


def _record(name: str) -> DatastoreRecord:
    record = registry.datastore(arguments.text("datastores", "name", name))
    if record is None:
        names = [other.name for other in registry.datastores()]
        has = f"registered are {listed(names)}." if names else "none is registered."
        raise SourceNotFoundError(f"no datastore {name!r}; {has}{did_you_mean(name, names)}")
    return record


def _datastore(record: DatastoreRecord) -> Datastore:
    return Datastore(record.name, record.type, record.description)
