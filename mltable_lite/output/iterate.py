"""The stream while it comes: as Arrow batches, or as DataFrames, in bounded memory."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from mltable_lite.execute.width import thread_count
from mltable_lite.output.arrow import warn
from mltable_lite.output.dtypes import decide
from mltable_lite.output.pandas import check_backend

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    import pandas as pd

    from mltable_lite.execute.query import Query
    from mltable_lite.output.pandas import DtypeBackend
    from mltable_lite.storage.options import StorageOptions


#: Of partitions that are bigger, stored, the rows are given out as they are decoded, within so much memory: at least,
#: and a thread, so that all of them have room.
_BIG_PARTITION_BYTES = 64 * 1024 * 1024
_BIG_STREAM_BYTES = 512 * 1024 * 1024
_THREAD_BYTES = 128 * 1024 * 1024


def to_reader(
    query: Query, batch_rows: int | None = None, most_bytes: int | None = None
) -> pa.RecordBatchReader:
    """Return the rows as a stream of batches; nothing is read before the first is asked for.

    A value that does not fit the schema raises `SchemaMismatchError` from the reader: batches already given out
    cannot change their type.

    Args:
        query: What to read.
        batch_rows: How many rows each batch has, but the last; by default as they are decoded.
        most_bytes: About how much memory the reading takes; by default a few partitions.
    """
    return pa.RecordBatchReader.from_batches(query.schema, _batches(query, batch_rows, most_bytes))


def iter_frames(
    query: Query,
    rows: int | None,
    most_bytes: int | None,
    backend: DtypeBackend | None,
    options: StorageOptions,
) -> Iterator[pd.DataFrame]:
    """Return an iterator of frames of so many rows, the last one of fewer.

    All have the same dtypes, but for the categories of categorical columns, which are those of each piece; see `dtypes`.

    Raises:
        ArgumentError: The backend is another word.
    """
    check_backend(backend)
    return _frames(query, rows, most_bytes, backend, options)


def _frames(
    query: Query,
    rows: int | None,
    most_bytes: int | None,
    backend: DtypeBackend | None,
    options: StorageOptions,
) -> Iterator[pd.DataFrame]:
    dtypes = decide(query, (partition for _, partition in query.partitions()), backend, options)
    first = 0
    with closing(_batches(query, rows, most_bytes)) as batches:
        for batch in batches:
            frame = dtypes.frame([batch], options, f"rows {first + 1} to {first + batch.num_rows}")
            if frame.index.name is None and frame.index.nlevels == 1:
                frame.index += first
            first += batch.num_rows
            del batch
            yield frame


def _batches(
    query: Query, batch_rows: int | None, most_bytes: int | None
) -> Generator[pa.RecordBatch, None, None]:
    if most_bytes is None and _has_big_partitions(query):
        most_bytes = max(_BIG_STREAM_BYTES, _THREAD_BYTES * thread_count())
    try:
        with closing(cast("Generator[pa.RecordBatch]", query.batches(most_bytes))) as batches:
            yield from batches if batch_rows is None else _of_rows(batches, batch_rows, query.schema)
    except GeneratorExit:
        # The consumer has enough: the rows that it took are the read. When Python ends nobody is told any more.
        if not sys.is_finalizing():
            warn(query)
        raise
    warn(query)


def _has_big_partitions(query: Query) -> bool:
    """Tell whether a partition is too big to be held as a whole, such as a file whose lines cannot be cut."""
    source = query.resolved.source
    return any(source.stored_bytes(partition) > _BIG_PARTITION_BYTES for _, partition in query.partitions())


def _of_rows(batches: Iterable[pa.RecordBatch], rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the same rows in batches of exactly so many, the last one of fewer."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while count + batch.num_rows - start >= rows:
            part = batch.slice(start, rows - count)
            start += part.num_rows
            yield _joined([*held, part], schema)
            held, count = [], 0
        if start < batch.num_rows:
            held.append(batch.slice(start))
            count += batch.num_rows - start
    if held:
        yield _joined(held, schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    if len(batches) == 1:
        return batches[0]
    return pa.concat_batches(batches).replace_schema_metadata(schema.metadata)
