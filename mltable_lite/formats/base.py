"""What a format is: a source that knows its schema, cuts its files into partitions and decodes one partition.

A partition is the unit of everything (parallelism, retry, error context, sampling). It is fixed by the data alone:
a Parquet row group, a block of text cut at line ends, a whole file where lines cannot be cut. Filtering, sampling,
limits and constant columns (path, partition columns) are done once, for every format, by ``execute``; a source
only decodes the columns asked for, in row order, and stops when its consumer stops iterating.
"""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from mltable_lite.errors import Notices

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from mltable_lite.expr import Bounds, Expr


@cache
def cores() -> int:
    """Return how many cores this process may use, where the system tells, else how many there are."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class InputFile(Protocol):
    """A file of the listing, as formats see it; `storage` makes them. Small, frozen, picklable, no secrets."""

    @property
    def uri(self) -> str:
        """Where it is, for error texts: a path for local files, else a URI without credentials."""

    @property
    def path(self) -> str:
        """What the path column shows: an absolute local path, or the full URI."""

    @property
    def size(self) -> int | None:
        """Bytes, when the listing told; never guessed."""

    @property
    def position(self) -> int:
        """Its number in the listing: part of every row's identity."""

    def open(self, ranges: Sequence[tuple[int, int]] = ()) -> pa.NativeFile:
        """Open for random access; errors come as errors of our tree and name the file.

        Args:
            ranges: The bytes of a remote file that will be read, where they are known: they are fetched at once.
        """

    def read_range(self, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop), fewer only where the file ends."""


class InputFolder(Protocol):
    """A folder of the listing that holds a table with a log of its own; `storage` makes them, as small as files."""

    @property
    def uri(self) -> str:
        """Where it is, for error texts: a path for local folders, else a URI without credentials."""

    @property
    def path(self) -> str:
        """What the path column would show: an absolute local path, or the full URI."""

    @property
    def position(self) -> int:
        """Its number in the listing."""

    def delta_options(self) -> dict[str, str]:
        """Return deltalake's storage options; they may hold secrets and are never kept."""

    def table_uri(self) -> str:
        """Return what ``DeltaTable()`` takes."""

    def file(self, relative: str, size: int | None, position: int) -> InputFile:
        """Return a file below the folder, by its decoded relative path."""


class Partition(NamedTuple):
    """One unit of work.

    Attributes:
        file: The index of its file in the source's `files`.
        number: Its number within the file, from 0.
        start: The first byte, or the first row group.
        stop: The end (exclusive) of the bytes or row groups; -1 for "to the end".
        rows: The exact number of rows, where metadata tells; else `None`.
    """

    file: int
    number: int
    start: int = 0
    stop: int = -1
    rows: int | None = None


@dataclass(slots=True)
class Request:
    """What a read of one partition wants, and where it reports.

    Attributes:
        columns: Columns to decode, at least one, names of the source's schema. Batches hold exactly these, in this
            order, with the schema's types.
        new_columns: Whether a row may not bring a column that the schema does not have: then it does not fit. Else
            such a column is of no interest.
        first_rows: A hint that only about this many rows will be consumed: decode little at first.
        encoded: Texts may come dictionary-encoded, as they are stored: most rows will be dropped, and whoever drops
            them decodes the others.
        texts: Columns that will be made texts: values of several kinds in one of them are written as
            ``convert_column_types: string`` writes each kind, and not as the format does.
        notices: Where the source reports what becomes a warning.
        bytes_read: The source adds the bytes it read (compressed, as stored) for the statistics.
    """

    columns: tuple[str, ...]
    first_rows: int | None = None
    new_columns: bool = True
    encoded: bool = False
    texts: tuple[str, ...] = ()
    notices: Notices = field(default_factory=Notices)
    bytes_read: int = 0


class Source(ABC):
    """Files of one format under one schema. Picklable; holds no open file."""

    files: Sequence[InputFile]
    schema: pa.Schema
    #: Whether columns are stored apart, so that some can be read first and the others later, or not at all.
    columnar: ClassVar[bool] = False
    #: How many threads more than cores keep all cores busy, where threads often wait for Python's lock.
    spare_threads: ClassVar[int] = 0
    #: Whether small partitions are decoded together (`read_together`).
    joins: ClassVar[bool] = False
    #: Whether nothing has to be read: the rows are known.
    in_memory: ClassVar[bool] = False

    @abstractmethod
    def partitions(self) -> Iterator[Partition]:
        """Yield the partitions in row order, file by file, without reading data."""

    @abstractmethod
    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:
        """Decode a partition: all of its rows in order, as batches with the columns of the request.

        Raises:
            SchemaMismatchError: A value does not fit the schema, or a column is new and wanted. Outputs that can start again then call `widen`.
            DataError: The bytes are not what the format says; names file, line or row group, and column.
        """

    def read_together(
        self,
        partitions: Sequence[Partition],  # noqa: ARG002 - for formats that join
        request: Request,  # noqa: ARG002
    ) -> tuple[pa.RecordBatch, list[int]] | None:
        """Decode small partitions, or the first of them, into one batch, with how many of its rows are each one's.

        `None` where `read` has to do it: wherever a row does not fit, or there is something to tell, for only `read`
        knows the places.
        """
        return None

    def stored_bytes(self, partition: Partition) -> int:
        """Return about how many bytes of its file a partition is, at most; 0 where nobody knows."""
        if partition.rows is None and partition.stop > 0:  # a block of text
            return partition.stop - partition.start
        return self.files[partition.file].size or 0

    def can_skip(self, partition: Partition, predicate: Expr) -> bool:  # noqa: ARG002 - for formats with statistics
        """Tell whether statistics prove that no row of the partition passes the (bound) predicate."""
        return False

    def prune(self, predicate: Expr) -> Source:  # noqa: ARG002 - for formats whose log has statistics
        """Return this source without the files that can be ruled out before they are opened, or itself.

        Files keep their index and their position, so a pruned source yields the same partitions with fewer files.
        """
        return self

    def select(self, files: Sequence[int]) -> Source:
        """Return this source over only some files, ascending: what is sent to where their partitions are read.

        Partitions of the result name a file by its place in `files`; in all else they are the same. A format that
        keeps more of each file than its entry in `files` selects that, too.
        """
        chosen = copy.copy(self)
        # Sources are frozen for everyone else.
        object.__setattr__(chosen, "files", tuple(self.files[file] for file in files))
        return chosen

    def bounds(self, partition: Partition, columns: Sequence[str]) -> Mapping[str, Bounds]:  # noqa: ARG002 - see can_skip
        """Return what metadata tells of the values of columns in a partition; nothing of those it does not know."""
        return {}

    def may_change(self, column: str) -> bool:  # noqa: ARG002 - for formats that look at a sample
        """Tell whether rows that were not looked at may bring this column, or give it another type than `schema`.

        No longer so after a `widen` with it.
        """
        return False

    def widen(self, columns: tuple[str, ...]) -> tuple[Source, Notices] | None:  # noqa: ARG002 - for guessed types
        """Return this source with the schema that the whole input has in these columns, and what was widened.

        `None` where the format's schema is exact. After one call `read` must not raise `SchemaMismatchError`
        for these columns any more.
        """
        return None

    @property
    def notices(self) -> Notices:
        """What `inspect` found that is worth a warning."""
        return Notices()

    @property
    def pushdown(self) -> str:
        """What `can_skip` prunes by, for explain: ``row-group statistics``; empty where it never prunes."""
        return ""
