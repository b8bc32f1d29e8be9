"""Finding the MLTable file that a user names by its folder, by itself, or by a URI."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mltable_lite.errors import (
    ArgumentTypeError,
    MLTableNotFoundError,
    SourceNotFoundError,
    StorageError,
    listed,
)
from mltable_lite.storage.filesystem import info, read_text, settled
from mltable_lite.storage.options import without_secrets
from mltable_lite.storage.resolve import pinned
from mltable_lite.storage.uri import Location, parse_uri
from mltable_lite.storage.walk import children

if TYPE_CHECKING:
    from mltable_lite.storage.options import StorageOptions

NAME = "MLTable"
#: What a file's name says about the function that reads it, compressed or not.
_READERS = {
    **dict.fromkeys((".csv", ".tsv", ".txt"), "from_delimited_files"),
    **dict.fromkeys((".json", ".ndjson"), "from_json_lines_files"),
    ".parquet": "from_parquet_files",
}


class Found(NamedTuple):
    """An MLTable file.

    Attributes:
        text: Its bytes.
        base: The folder that its relative paths belong to.
        source: How error texts call it.
        options: The storage options, with the credentials that stood in its address for what lies beside it.
        asset: The address of the data asset that it was found by, with its version, or an empty text.
    """

    text: bytes
    base: str
    source: str
    options: StorageOptions
    asset: str


def read_mltable(uri: object, options: StorageOptions) -> Found:
    """Return an MLTable file, its bytes and what belongs to it.

    Args:
        uri: The folder or the file; an empty text is the working directory.
        options: Storage options.

    Raises:
        MLTableNotFoundError: With what is there instead.
    """
    if not isinstance(uri, str | os.PathLike):
        raise ArgumentTypeError(
            f"load: {uri!r} is not accepted; give the folder of an MLTable file, a path or a URI."
        )
    given = os.fspath(uri)
    if not isinstance(given, str):
        raise ArgumentTypeError(f"load: {uri!r} is bytes; give a text.")
    place, asset = pinned(parse_uri(given or "."), options)
    folder = settled(place, options)
    if folder.name == NAME and (found := info(folder, options)) is not None and found.kind == "file":
        file, folder = folder, folder.parent
    else:
        file = folder.join(NAME)
    try:
        text = read_text(file, options)
    except SourceNotFoundError as error:
        raise _missing(given, folder, options) from error
    except StorageError as error:
        # A folder called MLTable, or a file where its folder should be, is no failure of the storage.
        if (found := info(file, options)) is not None and found.kind == "file":
            raise
        raise _missing(given, folder, options) from error
    return Found(text, folder.uri, _shown(file), options.keeping_secrets_of(folder), asset)


def _shown(file: Location) -> str:
    """Return the file's name for error texts: relative to the working directory where it is below it."""
    if not file.is_local:
        return file.uri
    try:
        return str(Path(file.key).relative_to(Path.cwd()))
    except ValueError:
        return file.key


def _missing(given: str, folder: Location, options: StorageOptions) -> MLTableNotFoundError:
    start = f"Not able to find MLTable file: load({without_secrets(given)!r}): {folder.uri}"
    found = info(folder, options)
    if found is None:
        return MLTableNotFoundError(
            f"{start} does not exist{_nor_its_root(folder, options)}. Give the folder that holds a file called MLTable."
        )
    if found.kind == "file":
        if _is_nearly_named(folder.name):
            return MLTableNotFoundError(f"{start} is not called MLTable; rename it to 'MLTable'.")
        reader = next((name for ending, name in _READERS.items() if ending in folder.name.lower()), "")
        return MLTableNotFoundError(
            f"{start} is a file and not called MLTable. Give the folder that holds a file called MLTable"
            + (
                f", or read the file itself: {reader}([{{'file': {without_secrets(given)!r}}}])."
                * bool(reader)
                or "."
            )
        )
    names = sorted(child.key.rstrip("/").rpartition("/")[2] for child in children(folder, options))
    near = [name for name in names if _is_nearly_named(name)]
    if NAME in names:
        return MLTableNotFoundError(f"{start}/MLTable is a folder; it must be a file.")
    if near:
        return MLTableNotFoundError(f"{start} holds {near[0]!r}; rename it to 'MLTable'.")
    return MLTableNotFoundError(
        f"{start} has no file called MLTable. It holds: {listed(names) or 'nothing'}."
    )


def _is_nearly_named(name: str) -> bool:
    return name.lower().split(".")[0] == "mltable"


def _nor_its_root(folder: Location, options: StorageOptions) -> str:
    """Return that the container itself is missing, where that is so and can be asked."""
    root = folder.at("")
    if folder.is_local or folder.protocol in ("http", "https") or info(root, options) is not None:
        return ""
    return f", and neither does {root.uri}: check the names of the account and the container"
