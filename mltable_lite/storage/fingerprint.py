"""What data looks like from outside: which files, how big, which version of each. Reads listings, no data."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mltable_lite.errors import MLTableError, SourceNotFoundError, listed
from mltable_lite.spec import model, parse_text
from mltable_lite.storage.filesystem import info, read_text
from mltable_lite.storage.listing import list_files, list_folders
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.walk import children, files_below

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mltable_lite.storage.uri import Location

_COMMIT = re.compile(r"(\d{20})(?:\.checkpoint.*)?\.(?:json|parquet)")
_MLTABLE = "MLTable"


class FileState(NamedTuple):
    """A file as a listing tells of it; `mark` is its ETag or time of change, and another one when it is rewritten."""

    size: int | None
    mark: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of some data by their name, and the versions of the Delta tables among it by their folder."""

    files: Mapping[str, FileState]
    tables: Mapping[str, int]

    def lines(self) -> str:
        """Return the snapshot as JSON lines, sorted by name."""
        rows: list[list[Any]] = [[name, state.size, state.mark] for name, state in sorted(self.files.items())]
        rows += [[name, {"delta_version": version}] for name, version in sorted(self.tables.items())]
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    @staticmethod
    def of_lines(text: str) -> Snapshot:
        """Return the snapshot that `lines` wrote."""
        files, tables = {}, {}
        for line in text.splitlines():
            name, *state = json.loads(line)
            if isinstance(state[0], dict):
                tables[name] = int(state[0]["delta_version"])
            else:
                files[name] = FileState(*state)
        return Snapshot(files, tables)

    def summary(self) -> dict[str, Any]:
        """Return what a fingerprint says of it: the number of files, their bytes, and a digest."""
        told: dict[str, Any] = {
            "files": len(self.files),
            "bytes": sum(state.size or 0 for state in self.files.values()),
            "digest": hashlib.sha256(self.lines().encode()).hexdigest(),
        }
        if len(self.tables) == 1:
            told["delta_version"] = next(iter(self.tables.values()))
        return told


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different in data since a version of its asset was registered; false where nothing is.

    Attributes:
        asset: The version's address.
        added: Files that were not there.
        removed: Files that are gone.
        modified: Files with another size, ETag or time of change.
        tables: Delta tables with another version, as text.
    """

    asset: str
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.modified or self.tables)

    def __str__(self) -> str:
        if not self:
            return f"{self.asset} is as it was registered."
        parts = [
            f"{len(names)} file{'s' * (len(names) != 1)} {what} ({listed(names, 3)})"
            for what, names in (("added", self.added), ("removed", self.removed), ("changed", self.modified))
            if names
        ]
        return f"{self.asset} has changed since it was registered: {'; '.join([*parts, *self.tables])}."


def compare(asset: str, before: Snapshot, now: Snapshot) -> Changes:
    """Return what is different between two snapshots."""
    both = before.files.keys() & now.files.keys()
    return Changes(
        asset,
        tuple(sorted(now.files.keys() - before.files.keys())),
        tuple(sorted(before.files.keys() - now.files.keys())),
        tuple(sorted(name for name in both if before.files[name] != now.files[name])),
        tuple(
            f"Delta table {name or '.'} from version {before.tables.get(name)} to {now.tables.get(name)}"
            for name in sorted(before.tables.keys() | now.tables.keys())
            if before.tables.get(name) != now.tables.get(name)
        ),
    )


# --------------------------------------------------------------------------- taking one
def snapshot(place: Location, kind: str, options: StorageOptions = NO_OPTIONS) -> Snapshot:
    """Return what the data of an asset looks like now.

    Args:
        place: Its file or folder.
        kind: ``uri_file``, ``uri_folder``, or ``mltable``: then the files that the MLTable file names belong to it.
        options: Storage options.

    Raises:
        SourceNotFoundError: There is nothing at the place.
    """
    if kind == "mltable":
        return _of_table(place, options)
    found = info(place, options)
    if found is None:
        raise SourceNotFoundError(f"{place.uri}: The requested stream was not found.")
    if found.kind == "file":
        return Snapshot({place.name: _state(found.size, found.tag)}, {})
    version = _delta_version(place, options)
    return Snapshot(dict(_below(place, options)), {} if version is None else {"": version})


def _below(folder: Location, options: StorageOptions) -> Iterator[tuple[str, FileState]]:
    start = len(folder.key.rstrip("/")) + 1 if folder.key else 0
    for file in files_below(folder, options, lambda name: name.endswith(".tmp"), []):
        yield file.key[start:], _state(file.size, file.tag)


def _state(size: int | None, tag: str | None) -> FileState:
    # Of a local file only the time of change counts: it is the same in a copy that keeps it.
    return FileState(size, (tag or "").rpartition(".")[2] if (tag or "").startswith("@") else tag or "")


def _of_table(folder: Location, options: StorageOptions) -> Snapshot:
    file = folder.join(_MLTABLE)
    spec, _ = parse_text(read_text(file, options), source=file.uri, base=folder.uri)
    found = info(file, options)
    assert found is not None
    files = {_MLTABLE: _state(found.size, found.tag)}
    tables: dict[str, int] = {}
    prefix = folder.uri.rstrip("/") + "/"
    if any(isinstance(step, model.ReadDeltaLake) for step in spec.steps):
        for table in list_folders(spec.paths, spec.base, options, source=spec.source):
            version = _delta_version(table.location, options)
            if version is not None:
                tables[table.uri.removeprefix(prefix)] = version
    else:
        for entry in list_files(spec.paths, spec.base, options, source=spec.source, expand=True).entries:
            files[entry.uri.removeprefix(prefix)] = _state(entry.size, entry.tag)
    return Snapshot(files, tables)


def _delta_version(folder: Location, options: StorageOptions) -> int | None:
    try:
        names = [child.name for child in children(folder.join("_delta_log"), options)]
    except MLTableError:  # a storage without listings has no Delta table either
        return None
    versions = [int(match[1]) for name in names if (match := _COMMIT.fullmatch(name))]
    return max(versions, default=None)
