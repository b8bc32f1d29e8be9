"""Data assets: versions of named data that never change their meaning. Public as `mltable_lite.assets`."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mltable_lite import arguments
from mltable_lite.errors import (
    ArgumentError,
    DataChangedWarning,
    MLTableError,
    Notice,
    SourceNotFoundError,
    SpecError,
    TargetExistsError,
    did_you_mean,
    listed,
)
from mltable_lite.storage import registry
from mltable_lite.storage.filesystem import info, replacing
from mltable_lite.storage.fingerprint import Changes, Snapshot, compare, snapshot
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.records import DataAsset, asset_record
from mltable_lite.storage.resolve import forget, pinned
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping

    from mltable_lite.spec import TableSpec

_TYPES = ("uri_file", "uri_folder", "mltable")


def register(
    name: str,
    path: str | os.PathLike[str],
    version: str | int | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    type: str | None = None,  # noqa: A002 - its name in Azure ML
    *,
    storage_options: Mapping[str, Any] | None = None,
) -> DataAsset:
    """Write down a version of named data and return it. ``azureml:NAME:VERSION`` then means this data.

    A listing of its files is kept with it, by which `changes` tells what is different later.

    Args:
        name: Its name: letters, digits, -, _ and dots.
        path: A file, a folder, or the folder of an MLTable file: a local path or any address. A local path below the
            folder of the registry is kept as a relative one.
        version: By default the next whole number.
        description: For people.
        tags: For people and tools.
        type: ``uri_file``, ``uri_folder`` or ``mltable``; by default what is there.
        storage_options: Options for looking at the data; they are not kept.

    Raises:
        TargetExistsError: The version is registered with other data.
        SourceNotFoundError: There is nothing at the path.

    Example:
        >>> from mltable_lite import assets, load
        >>> assets.register("trips", "docs/examples/trips-parquet", version=1).type
        'mltable'
        >>> load("azureml:trips:1").count_rows()
        100
    """
    if type not in (None, *_TYPES):
        raise ArgumentError(
            f"assets.register: type={type!r} is not accepted; use one of {', '.join(_TYPES)}."
        )
    options = StorageOptions(arguments.mapping("assets.register", "storage_options", storage_options))
    name = arguments.text("assets.register", "name", name)
    place, _ = pinned(parse_uri(arguments.place("assets.register", "path", path)), options)
    if place.secrets:
        raise ArgumentError(
            f"assets.register: {place.uri}: an asset's path holds no credential; register a datastore with it and use "
            "azureml://datastores/NAME/paths/PATH."
        )
    kind = type or _kind(place, options)
    state = snapshot(place, kind, options)
    known = registry.asset_versions(name)
    number = str(version) if version is not None else _next(known)
    folder = registry.folder_for_new()
    if known and known[0].file is not None:
        folder = known[0].file.parents[2]
    listing = f"{number}.files.jsonl"
    asset = DataAsset(
        name=name,
        version=number,
        path=_kept(place, folder.parent),
        type=kind,
        description=description,
        tags=arguments.mapping("assets.register", "tags", tags, "{'city': 'Rome'}"),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="microseconds"),
        fingerprint={**state.summary(), "listing": listing},
        file=folder / "data" / name / f"{number}.yml",
    )
    try:
        written = asset_record(asset.text(), "data asset", asset.file)
    except SpecError as error:
        raise error.without_places("The data asset is not registered:") from None
    same = next((record for record in known if record.version == number), None)
    if same is not None:
        if (same.path, same.type) == (written.path, written.type) and same.fingerprint == asset.fingerprint:
            return same
        raise _exists(same)
    assert asset.file is not None
    with replacing(asset.file.with_name(listing)) as target:
        target.write(state.lines().encode())
    _create(asset.file, asset.text(), written)
    forget()
    return written


def get(name: str, version: str | int | None = None, label: str | None = None) -> DataAsset:
    """Return a version of a data asset, by default the latest: the one that was registered last.

    Raises:
        SourceNotFoundError: There is no such asset or version.
    """
    if label not in (None, "latest"):
        raise ArgumentError(f"assets.get: label={label!r} is not accepted; the only label is 'latest'.")
    known = versions(name)
    if version is None or version == "latest":
        return known[-1]
    for record in known:
        if record.version == str(version):
            return record
    numbers = listed(record.version for record in known)
    raise SourceNotFoundError(f"data asset {name!r} has no version {str(version)!r}; it has {numbers}.")


def list() -> builtins.list[DataAsset]:  # noqa: A001 - `assets.list()` is its name
    """Return the latest version of every data asset, sorted by name."""
    return [registry.asset_versions(name)[-1] for name in registry.asset_names()]


def versions(name: str) -> builtins.list[DataAsset]:
    """Return all versions of a data asset, in the order of their registration.

    Raises:
        SourceNotFoundError: There is no such asset.
    """
    known = registry.asset_versions(arguments.text("assets", "name", name))
    if not known:
        names = registry.asset_names()
        has = f"registered are {listed(names)}." if names else "none is registered."
        raise SourceNotFoundError(f"no data asset {name!r}; {has}{did_you_mean(name, names)}")
    return known


def changes(
    name: str, version: str | int | None = None, *, storage_options: Mapping[str, Any] | None = None
) -> Changes:
    """Return what is different in the data of an asset since the version was registered.

    Raises:
        SourceNotFoundError: There is no such asset or version, or its data is gone.
    """
    options = arguments.mapping("assets.changes", "storage_options", storage_options)
    return _changes(get(name, version), StorageOptions(options))


def change_notices(spec: TableSpec, options: StorageOptions = NO_OPTIONS) -> builtins.list[Notice]:
    """Return a notice for each data asset that a table is made of and whose data has changed since."""
    addresses = [spec.asset, *(path.value for path in spec.paths)]
    found = (_registered(text) for text in dict.fromkeys(addresses) if text.lower().startswith("azureml:"))
    return [
        Notice(DataChangedWarning, "", 1, f"data asset is not as it was registered. {told}")
        for asset in found
        if asset is not None and (told := _changes(asset, options))
    ]


# --------------------------------------------------------------------------- inside
def _registered(address: str) -> DataAsset | None:
    try:
        parts = dict(parse_uri(address).options)
    except MLTableError:
        return None
    known = registry.asset_versions(parts["asset"]) if "asset" in parts else []
    version = parts.get("version")
    if version in (None, "latest"):
        return known[-1] if known else None
    return next((record for record in known if record.version == version), None)


def _changes(asset: DataAsset, options: StorageOptions) -> Changes:
    listing = asset.fingerprint.get("listing")
    if listing is None or asset.file is None:
        raise SourceNotFoundError(
            f"{asset.uri}: no listing was kept when it was written down, so nothing can be compared; register a new version."
        )
    file = asset.file.with_name(listing)
    try:
        before = Snapshot.of_lines(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SourceNotFoundError(
            f"{asset.uri}: the listing {file} cannot be read ({error}); register a new version."
        ) from None
    place, _ = pinned(parse_uri(asset.path), options)
    return compare(asset.uri, before, snapshot(place, asset.type, options))


def _kind(place: Location, options: StorageOptions) -> str:
    found = info(place, options)
    if found is None:
        raise SourceNotFoundError(f"assets.register: {place.uri}: The requested stream was not found.")
    if found.kind == "file":
        return "uri_file"
    inside = info(place.join("MLTable"), options)
    return "mltable" if inside is not None and inside.kind == "file" else "uri_folder"


def _kept(place: Location, folder: Path) -> str:
    if place.is_local and Path(place.key).is_relative_to(folder):
        return "./" + Path(place.key).relative_to(folder).as_posix()
    return place.uri


def _next(known: Iterable[DataAsset]) -> str:
    return str(
        max((int(r.version) for r in known if r.version.isascii() and r.version.isdigit()), default=0) + 1
    )


def _create(file: Path, text: str, asset: DataAsset) -> None:
    """Write a new file that appears whole, and never in the place of another."""
    beside = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    with replacing(beside) as target:
        target.write(text.encode())
    try:
        os.link(beside, file)
    except FileExistsError:
        raise _exists(asset) from None
    except OSError:  # a disk without links
        try:
            with file.open("xb") as target:
                target.write(text.encode())
        except FileExistsError:
            raise _exists(asset) from None
    finally:
        beside.unlink()


def _exists(asset: DataAsset) -> TargetExistsError:
    return TargetExistsError(
        f"{asset.uri} is registered (AlreadyExists) and a version never changes; leave the version out to register the "
        "next one."
    )
