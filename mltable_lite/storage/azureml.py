"""The ``azureml`` filesystem of fsspec: a datastore, or a data asset, of whatever storage it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.core import get_compression
from fsspec.implementations.local import LocalFileSystem

from mltable_lite.errors import ArgumentError, MLTableError
from mltable_lite.storage.azureml_changes import FLAT, Changes, asked
from mltable_lite.storage.azureml_files import (
    LocalReadFile,
    ReadFile,
    TextFile,
    WriteFile,
    compressed,
    refuse_mode,
)
from mltable_lite.storage.azureml_moves import Moves
from mltable_lite.storage.azureml_paths import folders, relative, same_root
from mltable_lite.storage.failures import raise_alone, storage_error
from mltable_lite.storage.filesystem import filesystem, named
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions, without_secrets
from mltable_lite.storage.remote import RangeFile, Remote, tag_of
from mltable_lite.storage.resolve import forget, resolve
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What fsspec gives to any filesystem and means nothing for this one.
_FSSPEC_WORDS = frozenset(
    {
        "asynchronous",
        "loop",
        "use_listings_cache",
        "listings_expiry_time",
        "max_paths",
        "auto_mkdir",
        "on_error",
    }
)
#: Errors that callers tell apart; they keep their class.
_KINDS = (FileExistsError, IsADirectoryError, NotADirectoryError, ValueError, TypeError, NotImplementedError)


class AzureMachineLearningFileSystem(Moves, Changes):
    """A datastore or a data asset as a filesystem of fsspec; also what ``azureml://`` means to pandas, dask, pyarrow.

    Paths are relative to the root of the datastore, or to the data asset; a leading ``/`` or ``./`` and a whole
    ``azureml://`` address in their place mean the same.

    Args:
        uri: ``azureml://datastores/NAME[/paths/PATH]``, the long form with the workspace, or a data asset. The path in
            it is only what `ls` lists when it is called without one.
        ml_client: A client of the workspace, for names that are not registered here.
        credential: A credential of azure-identity, used for the storage and the workspace.
        **storage_options: Further options for the storage behind it.

    Raises:
        ArgumentError: The uri is no azureml address.

    Example:
        >>> from mltable_lite import datastores
        >>> store = datastores.register_local(datastore_name="examples", root="docs/examples", overwrite=True)
        >>> fs = AzureMachineLearningFileSystem("azureml://datastores/examples")
        >>> fs.glob("taxi/2024/*/*.csv")[0]
        'taxi/2024/01/trips.csv'
    """

    protocol = "azureml"
    cachable = False  # it is cheap, and a cache would hold credentials
    root_marker = ""

    def __init__(
        self,
        uri: str | os.PathLike[str] | None = None,
        ml_client: Any = None,
        credential: Any = None,
        **storage_options: Any,
    ) -> None:
        super().__init__()
        location = parse_uri(os.fspath(uri)) if uri is not None else None
        if location is None or location.protocol != "azureml":
            raise ArgumentError(
                f"AzureMachineLearningFileSystem: {without_secrets(repr(uri))} is not an azureml address; give "
                "azureml://datastores/NAME, its long form with the workspace, or a data asset."
            )
        given = {"ml_client": ml_client, "credential": credential, **storage_options}
        kept = {n: v for n, v in given.items() if v is not None and n not in _FSSPEC_WORDS}
        self._set(location, StorageOptions({**kept, "override_credentials": True} if kept else None))

    @classmethod
    def of(cls, location: Location, options: StorageOptions = NO_OPTIONS) -> AzureMachineLearningFileSystem:
        """Return the filesystem of a location's datastore or data asset."""
        fs: AzureMachineLearningFileSystem = cls(location.uri)
        fs._set(location, options)
        return fs

    def _set(self, location: Location, options: StorageOptions) -> None:
        self._root = location.at("")
        self._options = options
        # What `ls` lists when it is called without a path.
        self._start = relative(location.key)
        # The classmethod takes the path out of any address; of this datastore only its own addresses are right.
        self._strip_protocol = self._own  # type: ignore[method-assign]

    # ---------------------------------------------------------------- what it is
    @property
    def uri(self) -> str:
        """The address of the root."""
        return self._root.uri

    @property
    def fsid(self) -> str:
        """The address of the root: the same in every process."""
        return self._root.uri

    @property
    def _fs_token(self) -> str:
        return hashlib.sha256(f"{self._root.uri} {self._options!r}".encode()).hexdigest()[:32]

    @property
    def storage_args(self) -> tuple[str, ...]:
        """What makes the filesystem again, without credentials."""
        return (self._root.at(self._start).uri,)

    @storage_args.setter
    def storage_args(self, _: object) -> None:
        """Forget what fsspec wants to keep: it may hold credentials."""

    @property
    def storage_options(self) -> dict[str, Any]:
        """The options without credentials."""
        return self._options.public()

    @storage_options.setter
    def storage_options(self, _: object) -> None:
        """Forget what fsspec wants to keep: it may hold credentials."""

    def __repr__(self) -> str:
        return f"AzureMachineLearningFileSystem({self._root.uri!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return AzureMachineLearningFileSystem.of, (self._root.at(self._start), self._options)

    # ---------------------------------------------------------------- paths
    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        if isinstance(path, list):
            return [cls._strip_protocol(one) for one in path]
        text = os.fspath(path)
        return relative(parse_uri(text).key if text.lower().startswith("azureml:") else text)

    def _own(self, path: Any) -> Any:
        if isinstance(path, list):
            return [self._own(one) for one in path]
        text = os.fspath(path)
        if text.lower().startswith("azureml:"):
            location = parse_uri(text)
            if not same_root(location, self._root):
                raise ArgumentError(
                    f"{location.uri} is not in {self._root.uri}; make a filesystem for it: "
                    f"AzureMachineLearningFileSystem({location.at('').uri!r})."
                )
            text = location.key
        return relative(text)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        return {"uri": parse_uri(path).at("").uri}

    def unstrip_protocol(self, name: str) -> str:
        """Return the whole address of a path."""
        return self._root.at(self._own(name)).uri

    to_absolute_path = unstrip_protocol

    # ---------------------------------------------------------------- the storage behind it
    def _store(self) -> tuple[Any, Location, StorageOptions]:
        """Return the filesystem behind this one, its root, and the options that open it; anew in every process."""
        place, own = resolve(self._root, self._options)
        fs = (
            LocalFileSystem(auto_mkdir=True, skip_instance_cache=True)
            if place.is_local
            else filesystem(place, own)
        )
        return fs, place, own

    def _full(self, path: Any) -> Location:
        """Return the place of a path."""
        return resolve(self._root.at(self._own(path)), self._options)[0]

    @contextlib.contextmanager
    def _at(self, path: Any) -> Iterator[tuple[Any, Location, StorageOptions]]:
        """Give the filesystem, the place of a path and the options; errors name the path and no credential."""
        fs, _, own = self._store()
        location = self._root.at(self._own(path))
        place = self._full(path)
        try:
            yield fs, place, own
        except MLTableError:
            raise
        except _KINDS as error:
            raise_alone(type(error)(without_secrets(str(error) or location.uri, own.secrets)))
        except Exception as error:  # noqa: BLE001 - every storage library has its own tree
            raise_alone(named(storage_error(error, place, own), location, place))

    def _ask(self, method: str, path: Any, *args: Any, **kwargs: Any) -> Any:
        with self._at(path) as (fs, place, own):
            return asked(fs, own, method, place.path, *args, **kwargs)

    def _named(self, entry: dict[str, Any], start: str) -> dict[str, Any]:
        """Return an entry of the storage with its name in here."""
        name = entry["name"].strip("/")
        return {**entry, "name": name[len(start) :].lstrip("/") if name.startswith(start) else name}

    def _prefix(self) -> str:
        fs, root, _ = self._store()
        return str(fs._strip_protocol(root.path)).strip("/")  # noqa: SLF001 - fsspec's word for it

    # ---------------------------------------------------------------- asking
    def info(self, path: Any, **kwargs: Any) -> dict[str, Any]:
        """Return name, type and size of a file or folder, and what else the storage tells.

        Raises:
            SourceNotFoundError: There is nothing.
        """
        entry = self._ask("info", path, **kwargs)
        return {**entry, "name": self._own(path)}

    def ls(self, path: Any = None, detail: bool = False, **kwargs: Any) -> list[Any]:
        """Return what lies in a folder; without `path` in the one that the filesystem was made with.

        Raises:
            SourceNotFoundError: There is no such folder or file.
        """
        path = self._start if path is None else path
        start = self._prefix()
        kwargs.pop("refresh", None)
        entries = [self._named(entry, start) for entry in self._ask("ls", path, detail=True)]
        own = self._own(path)
        # Some storages list the folder itself by its marker.
        entries = [e for e in entries if e["name"] and (e["name"] != own or e["type"] != "directory")]
        entries.sort(key=lambda entry: entry["name"])
        return entries if detail else [entry["name"] for entry in entries]

    def find(
        self,
        path: Any,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return all files below a folder, sorted, with `withdirs` also the folders; nothing where nothing is."""
        _, root, _ = self._store()
        flat = root.protocol in FLAT and maxdepth is None
        if not flat and (withdirs or maxdepth is not None):
            found = super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
            return found if detail else list(found)
        start = self._prefix()
        try:
            told = self._ask("find", path, detail=True)
        except FileNotFoundError:
            told = {}
        # adlfs returns a bare name where the path is a file.
        entries = told.values() if isinstance(told, dict) else [self._ask("info", path)] if told else []
        named = {entry["name"]: entry for entry in (self._named(entry, start) for entry in entries)}
        if withdirs:
            named |= folders(self._own(path), named)
        found = {name: named[name] for name in sorted(named)}
        return found if detail else list(found)

    def created(self, path: Any) -> Any:
        """Return when a file was made, where the storage tells."""
        return self._ask("created", path)

    def modified(self, path: Any) -> Any:
        """Return when a file was last changed, where the storage tells."""
        return self._ask("modified", path)

    def sign(self, path: Any, expiration: int = 100, **kwargs: Any) -> str:
        """Return an address of a file that anybody can read for so many seconds."""
        return str(self._ask("sign", path, expiration=expiration, **kwargs))

    def invalidate_cache(self, path: Any = None) -> None:
        """Forget what was listed and which storage stands behind the name."""
        forget()
        fs, _, _ = self._store()
        fs.invalidate_cache()
        super().invalidate_cache(path)

    # ---------------------------------------------------------------- reading
    def cat(self, path: Any, recursive: bool = False, on_error: str = "raise", **kwargs: Any) -> Any:
        """Return the bytes of a file, or a dict of the bytes of several, with `recursive` of all below a folder."""
        if recursive:
            path = [name for name in self.expand_path(path, recursive=True) if not self.isdir(name)]
        return super().cat(path, on_error=on_error, **kwargs)

    def open(
        self,
        path: Any,
        mode: str = "rb",
        block_size: int | None = None,
        cache_options: dict[str, Any] | None = None,
        compression: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return a file object.

        A file opened for writing appears under its name when it is closed, and not at all where its block fails.
        """
        if "b" in mode:
            file = super().open(path, mode, block_size, cache_options, None, **kwargs)
            name = get_compression(self._own(path), compression)
            return file if name is None else compressed(file, mode, name)
        words = {name: kwargs.pop(name) for name in ("encoding", "errors", "newline") if name in kwargs}
        file = self.open(path, mode.replace("t", "") + "b", block_size, cache_options, compression, **kwargs)
        return TextFile(file, **words)

    def _open(self, path: str, mode: str = "rb", autocommit: bool = True, **kwargs: Any) -> Any:
        kwargs = {name: value for name, value in kwargs.items() if value is not None and name != "cache_type"}
        with self._at(path) as (fs, place, own):
            if mode == "rb":
                return self._reading(fs, place, own)
            if mode not in ("wb", "xb", "ab", "r+b"):
                raise refuse_mode(mode)
            if mode in ("ab", "r+b"):
                return Path(place.key).open(mode) if place.is_local else fs.open(place.path, mode, **kwargs)
            location = self._root.at(self._own(path))
            return WriteFile(location, self._options, exclusive=mode == "xb", autocommit=autocommit)

    def _reading(self, fs: Any, place: Location, own: StorageOptions) -> Any:
        if place.is_local:
            return LocalReadFile(place.key)
        told = asked(fs, own, "info", place.path)
        if told["type"] == "directory":
            raise IsADirectoryError(f"{place.name} is a folder")
        if told.get("size") is None:
            return fs.open(place.path, "rb")
        size = int(told["size"])
        return ReadFile(RangeFile(Remote(fs, place, own, size, tag_of(told))), size)

    def cat_file(self, path: Any, start: int | None = None, end: int | None = None, **kwargs: Any) -> bytes:
        """Return the bytes of a file, or those from `start` to `end`, both as in a slice."""
        with self.open(path, "rb", **kwargs) as file:
            if start is None and end is None:
                return bytes(file.read())
            size = file.seek(0, os.SEEK_END)
            first, last, _ = slice(start, end).indices(size)
            file.seek(first)
            return bytes(file.read(max(0, last - first)))
