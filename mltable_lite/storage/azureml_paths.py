"""Paths in the ``azureml`` filesystem: from its root, without a slash at either end."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import ArgumentError

if TYPE_CHECKING:
    from mltable_lite.storage.uri import Location


def folders(root: str, files: dict[str, Any]) -> dict[str, Any]:
    """Return the folders that the names of files tell of, from the root they were listed below."""
    names = set()
    for name in files:
        above = posixpath.dirname(name)
        while above not in names and len(above) >= len(root) and above:
            names.add(above)
            above = posixpath.dirname(above)
    return {name: {"name": name, "size": 0, "type": "directory"} for name in names if name not in files}


def relative(path: str) -> str:
    """Return a path from the root: no ``.``, no ``..``, no slash at either end."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if not segments:
                raise ArgumentError(f"{path}: the path leaves the datastore; write it without '..'.")
            segments.pop()
        elif segment not in ("", "."):
            segments.append(segment)
    return "/".join(segments)


def same_root(one: Location, other: Location) -> bool:
    """Tell whether two addresses name the same datastore or asset; one of them may leave the workspace out."""
    first, second = dict(one.options), dict(other.options)
    if one.protocol != "azureml":
        return False
    kinds = ("datastore", "asset", "version", "registry")
    return all(first.get(kind) == second.get(kind) for kind in kinds) and all(
        first[part].lower() == second[part].lower() for part in first.keys() & second.keys() - set(kinds)
    )
