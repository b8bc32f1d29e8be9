"""The table of files: what a table is before its read step, or without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mltable_lite.formats.base import InputFile, Partition, Request, Source
from mltable_lite.formats.streams import stream_field

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        """Yield the files as one batch."""
        files: tuple[InputFile, ...] = self.files
        schema = pa.schema([self.schema.field(name) for name in request.columns])
        arrays = [
            pa.array(range(len(files)), pa.int64())
            if name == FILE_NUMBER
            else pa.array([file.path for file in files], pa.string())
            for name in request.columns
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
