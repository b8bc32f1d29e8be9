"""What a copy is made of: which file goes where, and what is there now."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mltable_lite.errors import ArgumentError, SourceNotFoundError
from mltable_lite.storage.filesystem import info, settled
from mltable_lite.storage.listing import list_all
from mltable_lite.storage.patterns import is_glob
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mltable_lite.storage.options import StorageOptions

WORKERS = 8
#: More files than these are looked for in a listing of their folder, which may hold many others.
_ASKED_ONE_BY_ONE = 100
Place = str | os.PathLike[str]
T = TypeVar("T")
R = TypeVar("R")


class Pair(NamedTuple):
    """One file of a copy: where it is, where it goes, what the listing told, and the size of what is there now."""

    source: Location
    target: Location
    size: int | None
    tag: str | None
    target_size: int | None


def ask_each(question: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """Return the answers to a question about each thing, some asked at once."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(question, things))


def place_of(given: Place, options: StorageOptions) -> Location:
    """Return the place that a user names; one that ends in a slash names a folder."""
    text = os.fspath(given)
    if not isinstance(text, str):
        raise ArgumentError(f"copy: {given!r} is bytes; give a text.")
    place = settled(parse_uri(text), options)
    # The slash counts whether the folder is there or not.
    return place.at(place.key.rstrip("/") + "/") if text.endswith(("/", os.sep)) else place


def planned(
    source: Location, target: Location, mine: StorageOptions, theirs: StorageOptions, *, recursive: bool
) -> list[Pair]:
    """Return what is to be copied where, in the order of names."""
    found = None if is_glob(source.key) else info(source, mine)
    if found is not None and found.kind == "file":
        folder = target.key.endswith("/")
        there = info(target.at(target.key.rstrip("/")) if folder else target, theirs)
        if folder or (there is not None and there.kind == "folder"):
            target = target.join(source.name)
            there = info(target, theirs)
        return [Pair(source, target, found.size, found.tag, None if there is None else there.size)]
    if found is None and not is_glob(source.key):
        raise SourceNotFoundError(
            f"{source.uri}: The requested stream was not found: there is nothing to copy."
        )
    if found is not None and not recursive:
        raise ArgumentError(
            f"copy: {source.uri} is a folder; give recursive=True (--recursive) to copy all of it."
        )
    folder_of, files = list_all(source.at(source.key.rstrip("/")) if source.key != "/" else source, mine)
    if not files:
        raise SourceNotFoundError(f"{source.uri}: The requested stream was not found: no file is there.")
    base = target.at(target.key.rstrip("/")) if target.key != "/" else target
    start = len(folder_of.key.rstrip("/")) + 1 if folder_of.key else 0
    files = sorted(files, key=lambda file: file.key)
    targets = [base.join(below(file.key[start:], source, target)) for file in files]
    return [
        Pair(source.at(file.key), new, file.size, file.tag, size)
        for file, new, size in zip(files, targets, sizes_at(targets, theirs, base), strict=True)
    ]


def below(name: str, source: Location, target: Location) -> str:
    """Return a name that stays below its folder.

    Raises:
        ArgumentError: It does not.
    """
    if ".." in name.split("/") or name.startswith("/"):
        raise ArgumentError(
            f"copy: the name {name!r} in {source.uri} leads out of {target.uri}; rename it first."
        )
    return name


def sizes_at(
    targets: Sequence[Location], options: StorageOptions, base: Location | None = None
) -> list[int | None]:
    """Return the sizes of what is at the places now; `None` for nothing. Many below one folder are listed."""

    def size(target: Location) -> int | None:
        found = info(target, options)
        return found.size or 0 if found is not None and found.kind == "file" else None

    if any(target.protocol in ("http", "https") for target in targets[:1]):
        return [None] * len(targets)
    if base is None or len(targets) <= _ASKED_ONE_BY_ONE:
        return ask_each(size, targets)
    there = {file.key: file.size for file in list_all(base, options)[1]} if info(base, options) else {}
    return [there.get(target.key) for target in targets]
