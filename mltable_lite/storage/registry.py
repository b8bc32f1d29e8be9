"""Where datastores and data assets are written down: folders of YAML files, looked through in a fixed order.

1. ``.mltable`` in the working directory or the nearest folder above it that has one;
2. the user's configuration folder, ``mltable_lite`` in it;
3. the folders that ``MLTABLE_LITE_DATASTORES`` names.

In each, ``datastores/NAME.yml`` is a datastore and ``data/NAME/VERSION.yml`` a version of a data asset. This module
only reads. Secrets that were given to a register function are kept here, for this process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mltable_lite.errors import MLTableError
from mltable_lite.storage.records import DataAsset, DatastoreRecord, asset_record, datastore_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FOLDER = ".mltable"
VARIABLE = "MLTABLE_LITE_DATASTORES"
DEFAULT = "default-datastore"

_Record = TypeVar("_Record", DatastoreRecord, DataAsset)
#: Records by file, with the time and size of the file that they were read from.
_READ: dict[Path, tuple[tuple[int, int], Any]] = {}
#: Secrets and credential objects of this process by the file of their datastore.
_SECRETS: dict[Path, dict[str, Any]] = {}


# --------------------------------------------------------------------------- folders
def folders() -> list[Path]:
    """Return the folders to look through, in their order; they need not exist."""
    here = Path.cwd()
    found = [above / FOLDER for above in (here, *here.parents) if (above / FOLDER).is_dir()][:1]
    named = [Path(part).expanduser() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part]
    return [*found, _user_folder(), *(folder.absolute() for folder in named)]


def folder_for_new() -> Path:
    """Return the folder in which something new is written down: one that exists, not the user's, or a new one here."""
    user = _user_folder()
    return next((folder for folder in folders() if folder != user), Path.cwd() / FOLDER)


def _user_folder() -> Path:
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or "~/AppData/Roaming"
    elif sys.platform == "darwin":
        base = "~/Library/Application Support"
    else:
        base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "mltable_lite"


def state() -> tuple[str, ...]:
    """Return what decides where is looked: as long as it is the same, so are the folders."""
    names = (VARIABLE, "XDG_CONFIG_HOME", "APPDATA", "HOME")
    return (os.getcwd(), *(os.environ.get(name, "") for name in names))  # noqa: PTH109 - called for every file


# --------------------------------------------------------------------------- datastores
def datastore(name: str) -> DatastoreRecord | None:
    """Return a datastore by its name, or `None`.

    Raises:
        SpecError: The datastore's file is not valid, or it may be in one that is not.
    """
    broken: MLTableError | None = None
    for folder in folders():
        own = folder / "datastores" / f"{name}.yml"
        # Its own file first: an error in another one is no reason to fail.
        for file in sorted(_files(folder / "datastores"), key=lambda file: file != own):
            try:
                record = _record(file, datastore_record)
            except MLTableError as error:
                if file.stem == name:
                    raise
                broken = broken or error
                continue
            if record.name == name:
                return record
    if broken is not None:
        raise broken
    return None


def datastores() -> list[DatastoreRecord]:
    """Return all datastores, sorted by name; where a name stands twice, the one that is found first.

    Raises:
        SpecError: A file is not valid.
    """
    found: dict[str, DatastoreRecord] = {}
    for folder in folders():
        for file in _files(folder / "datastores"):
            record = _record(file, datastore_record)
            found.setdefault(record.name, record)
    return [found[name] for name in sorted(found)]


def default_datastore() -> str | None:
    """Return the name of the default datastore, or `None`."""
    for folder in folders():
        file = folder / DEFAULT
        if file.is_file():
            return file.read_text(encoding="utf-8").strip()
    return None


def keep_secrets(file: Path, secrets: Mapping[str, Any]) -> None:
    """Keep the secrets of a datastore for this process only; none forgets those from before."""
    _SECRETS.pop(file, None)
    if secrets:
        _SECRETS[file] = dict(secrets)


def secrets_of(record: DatastoreRecord) -> Mapping[str, Any]:
    """Return the secrets and credential objects that were given in this process."""
    return {} if record.file is None else _SECRETS.get(record.file, {})


# --------------------------------------------------------------------------- data assets
def asset_versions(name: str) -> list[DataAsset]:
    """Return the versions of a data asset, the oldest first; from the first folder that has the asset.

    Raises:
        SpecError: A file is not valid.
    """
    for folder in folders():
        records = [_record(file, asset_record) for file in _files(folder / "data" / name)]
        if records:
            # The latest is the one created last; versions of the same second go by their numbers.
            return sorted(records, key=lambda r: (r.created, [_number(p) for p in r.version.split(".")]))
    return []


def asset_names() -> list[str]:
    """Return the names of all data assets, sorted."""
    found = set()
    for folder in folders():
        data = folder / "data"
        if data.is_dir():
            found |= {entry.name for entry in data.iterdir() if entry.is_dir() and _files(entry)}
    return sorted(found)


def _number(part: str) -> tuple[int, str]:
    return (int(part), "") if part.isascii() and part.isdigit() else (0, part)


# --------------------------------------------------------------------------- files
def _files(folder: Path) -> list[Path]:
    def listed() -> Iterator[Path]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((".yml", ".yaml")) and not entry.name.startswith("."):
                    yield folder / entry.name

    try:
        return sorted(listed())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _record(file: Path, parse: Callable[[bytes, str, Path], _Record]) -> _Record:
    stat = file.stat()
    stamp = (stat.st_mtime_ns, stat.st_size)
    seen = _READ.get(file)
    if seen is None or seen[0] != stamp:
        seen = _READ[file] = (stamp, parse(file.read_bytes(), str(file), file))
    record: _Record = seen[1]
    return record
