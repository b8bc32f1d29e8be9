"""A table to an MLTable file, with or without its data: all of it appears, or nothing."""

from __future__ import annotations

import os
import posixpath
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mltable_lite import arguments
from mltable_lite.errors import ArgumentError, MLTableError, SaveError, TargetExistsError
from mltable_lite.spec import TableSpec, model, parse_text, to_mapping, to_yaml
from mltable_lite.storage.filesystem import exists, info, write_atomic
from mltable_lite.storage.listing import FileEntry, list_files, list_folders
from mltable_lite.storage.locate import NAME
from mltable_lite.storage.patterns import literally
from mltable_lite.storage.transfer import copy_file
from mltable_lite.storage.uri import Location, parse_uri
from mltable_lite.types import MLTableSaveOverwriteOption

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mltable_lite.storage.options import StorageOptions


def save(
    spec: TableSpec,
    path: str | os.PathLike[str] | None,
    options: StorageOptions,
    *,
    mode: MLTableSaveOverwriteOption,
    colocated: bool,
    show_progress: bool,
) -> None:
    """Write the MLTable file, after the data where it is copied, and only if it loads again to the same table.

    Paths below the target folder become relative, others absolute.

    Raises:
        TargetExistsError: Something exists that may not be replaced; nothing was written.
        SaveError: The target cannot be written; nothing half-written is left under a final name.
    """
    folder = parse_uri(("" if path is None else arguments.place("save", "path", path)) or ".")
    found = info(folder, options)
    if found is not None and found.kind == "file":
        raise TargetExistsError(
            f"save: {folder.uri} is a file (AlreadyExists); give a folder to put the MLTable file in."
        )
    target = folder.join(NAME)
    if exists(target, options):
        if mode is MLTableSaveOverwriteOption.SKIP:
            return
        if mode is MLTableSaveOverwriteOption.FAIL_ON_CONFLICT:
            raise TargetExistsError(
                f"save: {target.uri} exists (AlreadyExists). Save elsewhere, or use overwrite=True."
            )
    with _save_errors(folder):
        if colocated:
            copies = _colocated(spec, options)
            text = _checked_text(
                replace(spec, paths=tuple(path for path, _ in copies), base=folder.uri), target
            )
            _copy(
                [copy for _, entries in copies for copy in entries], folder, options, mode, show=show_progress
            )
        else:
            text = _checked_text(_relocated(spec, folder), target)
            if folder.is_local:
                Path(folder.key).mkdir(parents=True, exist_ok=True)
        write_atomic(target, text.encode(), options)


@contextmanager
def _save_errors(folder: Location) -> Iterator[None]:
    try:
        yield
    except MLTableError:
        raise
    except OSError as error:
        raise SaveError(f"save: {folder.uri} cannot be written: {error.strerror or error}.") from error


def _checked_text(spec: TableSpec, target: Location) -> str:
    """Return the YAML text of a spec, after making sure that it means the same when read."""
    text = to_yaml(to_mapping(spec, full=False))
    read, _ = parse_text(text, source=target.uri, base=spec.base)
    assert read == spec, f"the saved text does not load to the same table:\n{text}"
    return text


# --------------------------------------------------------------------------- data that stays where it is
def _relocated(spec: TableSpec, folder: Location) -> TableSpec:
    paths = []
    for path in spec.paths:
        place = parse_uri(path.value, spec.base)
        if place.is_local and not folder.is_local:
            raise ArgumentError(
                f"save: the data is local ({place.uri}) and the target is not ({folder.uri}), so nobody else could "
                "read it. Use colocated=True to copy the data as well."
            )
        # An address with a credential stays as it is, and writing refuses it: dropping the credential would save a
        # table that does not load.
        shown_from = folder
        if path.kind == "pattern" and ":/" not in path.value and not Path(path.value).is_absolute():
            # In the name of the base no character meant anything but itself; in a pattern from elsewhere it would.
            base = parse_uri(spec.base)
            place = base.at(literally(base.key)).join(path.value)
            shown_from = folder.at(literally(folder.key))
        paths.append(path if place.secrets else replace(path, value=_shown(place, shown_from)))
    return replace(spec, paths=tuple(paths), base=folder.uri)


def _shown(place: Location, folder: Location) -> str:
    if place.is_local and folder.is_local:
        relative = posixpath.relpath(place.key, folder.key)
        if not relative.startswith(".."):
            return f"./{relative}"
    return place.uri


# --------------------------------------------------------------------------- data that comes along
_Copy = tuple[FileEntry, str]


def _colocated(spec: TableSpec, options: StorageOptions) -> list[tuple[model.PathSpec, list[_Copy]]]:
    """Return the new path entries in order, each with the files to copy and their names below the target.

    Names are relative to the deepest folder that holds all sources, so no two sources share one.
    """
    source = spec.source
    if any(isinstance(step, model.ReadDeltaLake) for step in spec.steps):
        tables = list_folders(spec.paths, spec.base, options, source=source)
        parent = _common([table.uri for table in tables])
        result = []
        for table in tables:
            name = _relative(table.uri, parent) or posixpath.basename(table.uri)
            # Everything below the folder belongs to the table, the hidden log too: `**` lists it all.
            every = [model.PathSpec("pattern", f"{table.uri}/**")]
            files = list_files(every, "", options, source=source).entries
            copies = [(file, f"{name}/{_relative(file.uri, table.uri)}") for file in files]
            result.append((model.PathSpec("folder", f"./{name}"), copies))
        return result
    files = list_files(spec.paths, spec.base, options, source=source).entries
    parent = _common([posixpath.dirname(file.uri) for file in files])
    result = []
    for file in files:
        name = _relative(file.uri, parent)
        result.append((model.PathSpec("file", f"./{name}"), [(file, name)]))
    return result


def _common(folders: Sequence[str]) -> str:
    if not folders:
        return ""
    segments = [folder.split("/") for folder in folders]
    shared = posixpath.commonprefix(segments)
    return "/".join(shared)


def _relative(uri: str, parent: str) -> str:
    return uri[len(parent) :].lstrip("/").replace("://", "/")


def _copy(
    copies: Sequence[_Copy],
    folder: Location,
    options: StorageOptions,
    mode: MLTableSaveOverwriteOption,
    *,
    show: bool,
) -> None:
    """Copy the files: on a local disk first into a hidden folder, then each under its name."""
    unique = {name: entry for entry, name in copies}
    taken = [name for name in unique if exists(folder.join(name), options)]
    same = {name for name in taken if folder.join(name).uri == unique[name].uri}
    if set(taken) - same and mode is MLTableSaveOverwriteOption.FAIL_ON_CONFLICT:
        raise TargetExistsError(
            f"save: {folder.join(taken[0]).uri} exists (AlreadyExists). Save elsewhere, or use overwrite=True."
        )
    wanted = {name: entry for name, entry in unique.items() if name not in same}
    if mode is MLTableSaveOverwriteOption.SKIP:
        wanted = {name: entry for name, entry in wanted.items() if name not in taken}
    if not folder.is_local:
        for name, entry in wanted.items():
            copy_file(entry, folder.join(name), options)
            _tell(name, show=show)
        return
    existed = Path(folder.key).exists()
    staging = Path(folder.key) / f".saving-{os.getpid()}"
    try:
        for name, entry in wanted.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            copy_file(entry, parse_uri(str(staging / name)), options)
            _tell(name, show=show)
        for name in wanted:
            final = Path(folder.key) / name
            final.parent.mkdir(parents=True, exist_ok=True)
            (staging / name).replace(final)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        if not existed:
            shutil.rmtree(folder.key, ignore_errors=True)
        raise
    shutil.rmtree(staging, ignore_errors=True)
    Path(folder.key).mkdir(parents=True, exist_ok=True)


def _tell(name: str, *, show: bool) -> None:
    if show:
        print(f"copied {name}")  # noqa: T201 - what show_progress asks for
