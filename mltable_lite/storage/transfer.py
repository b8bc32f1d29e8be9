"""Copy files between storages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from mltable_lite.storage.filesystem import filesystem, replacing, storage_errors
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions

if TYPE_CHECKING:
    from mltable_lite.storage.listing import FileEntry
    from mltable_lite.storage.uri import Location

CHUNK_BYTES = 8 * 1024 * 1024


def copy_file(entry: FileEntry, target: Location, options: StorageOptions = NO_OPTIONS) -> None:
    """Copy a listed file to `target`, in chunks; a local target appears whole or not at all."""
    with entry.open() as source, storage_errors(target, options):
        if target.is_local:
            with replacing(Path(target.key)) as sink:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
        else:
            with filesystem(target, options).open(target.path, "wb") as sink:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
