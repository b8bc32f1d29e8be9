"""An ``azureml`` address -> the place behind it and the options that open it; the credential of an address given once.

Names are looked for in the registry first, then in the workspace that the address or the surroundings name. A place
on any other storage is its own answer.
"""

from __future__ import annotations

import os
import time
from typing import Any

from mltable_lite.errors import ArgumentError, SourceNotFoundError, did_you_mean, listed
from mltable_lite.storage import registry, stores, workspace
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.uri import Location, parse_uri

Resolved = tuple[Location, StorageOptions]

#: Files of the registry may be edited at any time; for so long an answer holds.
_FRESH_SECONDS = 2.0
_MOST_KEPT = 256
_MOST_NAMES = 8
_KEPT: dict[tuple[Any, ...], tuple[float, Resolved]] = {}
_CREDENTIALS = (
    "account_key", "sas_token", "credential", "connection_string", "client_secret", "anon", "key", "secret", "token",
)  # fmt: skip


def resolve(location: Location, options: StorageOptions = NO_OPTIONS) -> Resolved:
    """Return the place on a real storage that a location names, and the options that open it.

    The caller's options come before those of the datastore, but the account and its credentials are the datastore's: a
    table may mix storages, and the credential of one must not reach another. ``override_credentials`` says that the
    caller's are meant for this datastore.

    Raises:
        SourceNotFoundError: No datastore or data asset has that name.
        ArgumentError: The path leaves the datastore.
        AccessDeniedError: A secret of the datastore is not where its reference says.
    """
    if location.protocol != "azureml":
        return options.sign(location), options
    root, root_options = _root(location, options)
    return _below(root, location), root_options


def _below(root: Location, location: Location) -> Location:
    """Return the place below a root that the key of a location names."""
    if ".." in location.key.split("/"):
        raise ArgumentError(f"{location.uri}: the path must not leave what it is in; write it without '..'.")
    key = location.key.lstrip("/")
    if not key or not root.key:
        return root.at(key or root.key)
    return root.at(f"{root.key.rstrip('/')}/{key}")


def forget() -> None:
    """Forget all answers, because the registry has changed."""
    _KEPT.clear()


# --------------------------------------------------------------------------- roots
def _root(location: Location, options: StorageOptions) -> Resolved:
    key = (os.getpid(), location.options, options, registry.state())
    kept = _KEPT.get(key)
    if kept is not None and kept[0] > time.monotonic():
        return kept[1]
    found = _found(location, options, 0)
    if len(_KEPT) > _MOST_KEPT:
        _KEPT.clear()
    _KEPT[key] = (time.monotonic() + _FRESH_SECONDS, found)
    return found


def _found(location: Location, options: StorageOptions, names: int) -> Resolved:
    parts = dict(location.options)
    if "datastore" in parts:
        root, own = _datastore(location, parts, options)
        return root, _merged(own, options)
    if names == _MOST_NAMES:
        raise ArgumentError(f"{location.uri}: data assets that name each other never come to a place.")
    inner = asset_place(location, options)
    if inner.protocol != "azureml":
        return options.sign(inner), options
    root, own = _found(inner, options, names + 1)
    return _below(root, inner), own


def _merged(own: StorageOptions, options: StorageOptions) -> StorageOptions:
    given = {
        name: value
        for name, value in options.items()
        if name not in ("ml_client", "account_name", "account_host", "endpoint", "endpoint_url")
    }
    kept = dict(own)
    weaker = kept if given.pop("override_credentials", False) else given
    stronger = given if weaker is kept else kept
    if any(stronger.get(name) is not None for name in _CREDENTIALS):
        for name in _CREDENTIALS:
            weaker.pop(name, None)
    return StorageOptions({**kept, **given}, dropped=options.dropped)


def _datastore(location: Location, parts: dict[str, str], options: StorageOptions) -> Resolved:
    name = parts["datastore"]
    record = registry.datastore(name)
    if record is not None:
        return stores.root_of(record)
    where = workspace.workspace(parts, options.get("ml_client"), options.get("credential"))
    if where is not None:
        record, secrets = workspace.datastore(where, name)
        return stores.root_of(record, secrets)
    names = [other.name for other in registry.datastores()]
    has = f"registered are {listed(names)}." if names else "none is registered."
    raise SourceNotFoundError(
        f"{location.uri}: The requested stream was not found: no datastore {name!r}; {has}{did_you_mean(name, names)} "
        f"Register it with mltable_lite.datastores.register_local(datastore_name={name!r}, root=...) or one of its "
        "siblings, or name the workspace that has it: ml_client, AZUREML_ARM_* variables, config.json."
    )


def asset_place(location: Location, options: StorageOptions = NO_OPTIONS) -> Location:
    """Return the place that a data asset names; it may be in a datastore.

    Raises:
        SourceNotFoundError: There is no such asset, or no such version of it.
    """
    parts = dict(location.options)
    name, version = parts["asset"], parts.get("version")
    versions = registry.asset_versions(name)
    wanted = versions[-1:] if version in (None, "latest") else [r for r in versions if r.version == version]
    if wanted:
        return parse_uri(wanted[0].path)
    where = workspace.workspace(parts, options.get("ml_client"), options.get("credential"))
    if where is not None:
        return parse_uri(workspace.asset_path(where, name, version))
    start = f"{location.uri}: The requested stream was not found:"
    if versions:
        known = listed(record.version for record in versions)
        raise SourceNotFoundError(f"{start} data asset {name!r} has no version {version!r}; it has {known}.")
    names = registry.asset_names()
    has = f"registered are {listed(names)}." if names else "none is registered."
    raise SourceNotFoundError(
        f"{start} no data asset {name!r}; {has}{did_you_mean(name, names)} Register it with "
        f"mltable_lite.assets.register({name!r}, path=...), or name the workspace that has it: ml_client, AZUREML_ARM_* "
        "variables, config.json."
    )


def pinned(location: Location, options: StorageOptions = NO_OPTIONS) -> tuple[Location, str]:
    """Return the place behind a data asset and the asset's address with its version; other places with ``""``.

    What is read stays the same when a newer version is registered meanwhile.
    """
    parts = dict(location.options)
    if location.protocol != "azureml" or "asset" not in parts:
        return location, ""
    place = asset_place(location, options)
    place = place.join(location.key) if location.key else place
    versions = registry.asset_versions(parts["asset"])
    if parts.get("version") in (None, "latest") and versions:
        return place, versions[-1].uri
    return place, location.at("").uri
