"""The table of files: what a table is before its read step, or without one."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mltable_lite.errors import EncodingError
from mltable_lite.formats.base import InputFile, Partition, Request, Source
from mltable_lite.formats.streams import stream_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The hidden column that leads from a row of a table of files back to its entry. Steps carry it along.
FILE_NUMBER = "\0file"


@dataclass(frozen=True)
class FilesSource(Source):
    """One row a listed file: its path as a stream, and its hidden number."""

    in_memory = True
    files: tuple[Any, ...]
    column: str
    schema: pa.Schema = field(init=False)

    def __post_init__(self) -> None:
        schema = pa.schema([stream_field(self.column), pa.field(FILE_NUMBER, pa.int64())])
        object.__setattr__(self, "schema", schema)

    def partitions(self) -> Iterator[Partition]:
        """Yield the one partition that all files are, if there are any."""
        if self.files:
            yield Partition(0, 0, rows=len(self.files))

    def stored_bytes(self, partition: Partition) -> int:  # noqa: ARG002 - nothing is read
        """Return 0: what the listing told is in memory already."""
        return 0

    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - there is one
        """Yield the files as one batch.

        Raises:
            EncodingError: A file's name is no text.
        """
        files: tuple[InputFile, ...] = self.files
        schema = pa.schema([self.schema.field(name) for name in request.columns])
        arrays = [
            pa.array(range(len(files)), pa.int64()) if name == FILE_NUMBER else _paths(files)
            for name in request.columns
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _paths(files: Sequence[InputFile]) -> pa.Array:
    try:
        return pa.array([file.path for file in files], pa.string())
    except UnicodeEncodeError:
        # Python has a place in text for bytes that are none, Arrow has not.
        names = (os.fsencode(file.uri).decode("utf-8", "backslashreplace") for file in files)
        shown = next(name for name, file in zip(names, files, strict=True) if name != file.uri)
        raise EncodingError(
            f"{shown}: the file's name is no UTF-8, and a table holds the paths of its files as text. Rename the file, "
            "or leave it out with a pattern."
        ) from None
