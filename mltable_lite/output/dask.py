"""A query to a dask DataFrame: cut into parts, small parts grouped; each group is read by one task, wherever it runs.

`dask_expr` tells dask what the frame is and takes in the columns and filters that are asked for later; `dask_filter`
translates those filters. This module knows nothing of dask's expressions, so that workers need not load them.
"""

from __future__ import annotations

import json
import pickle
import sys
import uuid
import warnings
import zlib
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import ArgumentError, ColumnNotFoundError, Notices, StrictModeError
from mltable_lite.execute.split import split
from mltable_lite.execute.tasks import PartitionTask
from mltable_lite.expr import Bounds
from mltable_lite.formats.text_blocks import is_compressed
from mltable_lite.output.arrow import warn
from mltable_lite.output.dtypes import decide, stored_columns
from mltable_lite.output.pandas import check_backend

if TYPE_CHECKING:
    import pandas as pd
    from dask.dataframe import DataFrame

    from mltable_lite.execute.query import Query
    from mltable_lite.execute.split import Split
    from mltable_lite.execute.tasks import Part, Program
    from mltable_lite.expr import Expr
    from mltable_lite.formats.base import Source
    from mltable_lite.output.dtypes import Dtypes
    from mltable_lite.output.pandas import DtypeBackend
    from mltable_lite.storage.options import StorageOptions

#: What opening a file costs, in the bytes that are decoded in that time: so few files are not read by one task only
#: because they are small.
_OPENING_BYTES = 128 * 1024
#: What compressed text becomes, about.
_COMPRESSION = 4
#: What a value without a fixed width takes, about: a text, a list.
_VALUE_BYTES = 32


def to_dask(
    query: Query,
    backend: DtypeBackend | None,
    options: StorageOptions,
    partition_bytes: int,
    index: str | None = None,
) -> DataFrame:
    """Return the query as a dask DataFrame. Reads metadata; rows only where a step counts rows that metadata does not.

    Raises:
        ArgumentError: The backend is another word, or the index no text.
        ColumnNotFoundError: The index is no column.
    """
    check_backend(backend)
    if index is not None and not isinstance(index, str):
        raise ArgumentError(
            f"to_dask_dataframe: index={index!r} is not accepted; give the name of one column, or leave it out."
        )
    if index is not None and index not in query.schema.names:
        raise ColumnNotFoundError("to_dask_dataframe: index", [index], query.schema.names)
    from dask.dataframe import dask_expr

    from mltable_lite.output.dask_expr import ReadMLTable

    parts = split(query)
    if index is not None:
        parts = replace(parts, program=replace(parts.program, schema=_without_index(parts.program.schema)))
    groups = _groups(parts, partition_bytes)
    dtypes = decide(query, (part.partition for part in parts.parts), backend, options)
    frames = Frames(parts, groups, dtypes.select(parts.program.schema), options, index)
    if index is not None and index in stored_columns(query):
        frames = replace(frames, divisions=_divisions(frames, index))
    warn(query)
    return dask_expr.new_collection(ReadMLTable(frames))


def _without_index(schema: pa.Schema) -> pa.Schema:
    """Return a schema in which pandas noted no index: its columns are columns."""
    metadata = schema.metadata or {}
    if b"pandas" not in metadata:
        return schema
    noted = {**json.loads(metadata[b"pandas"]), "index_columns": []}
    return schema.with_metadata({**metadata, b"pandas": json.dumps(noted).encode()})


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A query as groups of parts, each of which becomes one frame. Picklable without credentials.

    Attributes:
        split: The query cut into parts.
        groups: The first part and the end of each group.
        dtypes: What makes frames of the rows.
        options: For the streams of stream columns.
        index: The column that becomes the index, if one does.
        divisions: As dask has them, where statistics tell that the groups' index values lie one after the other.
        token: Tells this reading of the files from others: they may be written anew in between.
    """

    split: Split
    groups: tuple[tuple[int, int], ...]
    dtypes: Dtypes
    options: StorageOptions
    index: str | None = None
    divisions: tuple[Any, ...] | None = None
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __reduce__(self) -> tuple[Any, ...]:
        # A scheduler gets the whole table in one message: 100,000 paths, which are nearly all alike.
        state = tuple(getattr(self, f.name) for f in fields(self))
        return _unpacked, (zlib.compress(pickle.dumps(state), level=1),)

    def __dask_tokenize__(self) -> str:
        return self.token

    def meta(self) -> pd.DataFrame:
        """Return a frame without rows."""
        frame = self.dtypes.frame([], self.options)
        return frame if self.index is None else frame.set_index(self.index)

    def rows(self, group: int) -> int | None:
        """Return how many rows a group has, where that is known without reading."""
        start, stop = self.groups[group]
        counts = [self.split.program.known_rows(part) for part in self.split.parts[start:stop]]
        return None if None in counts else sum(count for count in counts if count is not None)

    def reader(self, columns: tuple[str, ...] | None, predicate: Expr | None) -> Reader:
        """Return what makes a frame of a group's task: only these columns and rows, beside the index."""
        index_columns = self._index_columns()
        numbered = predicate is not None and not index_columns
        every = self.split.program.schema.names
        wanted = every if columns is None else {*columns, *index_columns}
        # Rows are counted by a column, so one is read even when none is wanted.
        names = [name for name in every if name in wanted] or every[:1]
        program = self.split.narrowed(names, predicate, numbered=numbered)
        dtypes = self.dtypes.select(program.schema)
        return Reader(program, dtypes, columns, self.options, self.index, numbered)

    def task(self, program: Program, group: int) -> GroupTask:
        """Return what reads the rows of a group."""
        return GroupTask(self.split, program, range(*self.groups[group]))

    def _index_columns(self) -> list[str]:
        columns = set(self.meta().columns)
        return [name for name in self.split.program.schema.names if name not in columns]


def _unpacked(packed: bytes) -> Frames:
    return Frames(*pickle.loads(zlib.decompress(packed)))  # noqa: S301 - made by __reduce__, inside a pickle


@dataclass(frozen=True, slots=True, eq=False)
class GroupTask:
    """A group that is cut out of the table when its turn comes: 100,000 cut out at once are a million objects.

    What is pickled is the group, with nothing of the files of others.
    """

    split: Split
    program: Program
    parts: range

    def cut(self) -> PartitionTask:
        """Return the group's parts as a task of their own."""
        return self.split.task(self.program, self.parts)

    def __reduce__(self) -> tuple[Any, ...]:
        cut = self.cut()
        return PartitionTask, (cut.program, cut.resolved, cut.constants, cut.parts)


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    """Makes a frame of a task's rows; one for all tasks of a frame.

    Attributes:
        program: What gives the rows.
        dtypes: What makes a frame of them.
        columns: The columns in their order, or `None` for all.
        options: For the streams of stream columns.
        index: The column that becomes the index, if one does.
        numbered: Whether the index is the rows' numbers before the program's predicate, as a filter of pandas leaves it.
    """

    program: Program
    dtypes: Dtypes
    columns: tuple[str, ...] | None
    options: StorageOptions
    index: str | None
    numbered: bool

    def __call__(self, task: PartitionTask | GroupTask) -> pd.DataFrame:
        """Return the task's rows as a frame.

        Raises:
            SchemaMismatchError: A value does not fit the schema or the dtypes: a frame in pieces cannot start again.
            StrictModeError: In strict mode, when something is worth a warning.
        """
        notices = Notices()
        task = task.cut() if isinstance(task, GroupTask) else task
        numbers: list[np.ndarray] | None = [] if self.numbered else None
        batches = list(task.batches(notices, numbers))
        _tell(notices, strict=self.program.strict)
        frame = self.dtypes.frame(batches, self.options, task.name)
        if self.index is not None:
            frame = frame.set_index(self.index)
        elif numbers is not None:
            frame.index = np.concatenate([np.zeros(0, np.int64), *numbers])
        return frame if self.columns is None else frame[list(self.columns)]


def _tell(notices: Notices, *, strict: bool) -> None:
    for notice in notices:
        if strict:
            raise StrictModeError.of(notice)
        # On a worker of a cluster distributed is there, and its warning reaches the client.
        show = sys.modules.get("distributed", warnings).warn
        show(notice.text(), notice.category)


# --------------------------------------------------------------------------- groups
def _groups(parts: Split, most_bytes: int) -> tuple[tuple[int, int], ...]:
    """Return ranges of parts: as many together as stay below the size, one alone that is bigger; at least one range.

    So groups of small parts have at least half of the size.
    """
    row_bytes = sum(_width(f.type) for f in parts.program.schema)
    groups = []
    start = held = 0
    for number, part in enumerate(parts.parts):
        size = max(_decoded_bytes(part, parts.resolved.source, row_bytes), _OPENING_BYTES)
        if held and held + size > most_bytes:
            groups.append((start, number))
            start, held = number, 0
        held += size
    return (*groups, (start, len(parts.parts)))


def _decoded_bytes(part: Part, source: Source, row_bytes: int) -> int:
    """Return about how much memory a part's rows take, from metadata."""
    partition = part.partition
    if partition.rows is not None:
        return partition.rows * row_bytes
    return source.stored_bytes(partition) * (
        _COMPRESSION if is_compressed(source.files[partition.file]) else 1
    )


def _divisions(frames: Frames, index: str) -> tuple[Any, ...] | None:
    """Return where each group's index values begin and the last ones end, if statistics tell, and in ascending order."""
    ends = []
    source, parts = frames.split.resolved.source, frames.split.parts
    for start, stop in frames.groups:
        found = [source.bounds(part.partition, [index]).get(index, Bounds()) for part in parts[start:stop]]
        if not found or any(known.nulls != 0 or None in (known.min, known.max) for known in found):
            return None
        ends.append((min(known.min for known in found), max(known.max for known in found)))
    if any(earlier[1] >= later[0] for earlier, later in pairwise(ends)):
        return None
    values = [low for low, _ in ends] + [ends[-1][1]]
    kind = frames.split.program.schema.field(index).type
    if pt.is_timestamp(kind):
        import pandas as pd

        moments = pd.DatetimeIndex(values)
        return tuple(moments.tz_convert(kind.tz) if kind.tz else moments)
    return tuple(values) if pt.is_integer(kind) or pt.is_string(kind) else None


def _width(kind: pa.DataType) -> int:
    if pt.is_primitive(kind):
        return max(int(kind.bit_width) // 8, 1)
    return _VALUE_BYTES
