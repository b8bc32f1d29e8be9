"""Data of any kind -> a stream of Arrow batches -> pieces of the size of a row group, or of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import ArgumentError, ArgumentTypeError, ColumnNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A row group ends at whichever comes first: enough rows for a scan to be quick, few enough to be a partition.
ROW_GROUP_ROWS = 1_000_000
ROW_GROUP_BYTES = 64 * 1024 * 1024
_FRAME_ROWS = 131_072


def reader_of(data: Any) -> pa.RecordBatchReader:
    """Return the data as a stream of batches.

    Raises:
        ArgumentTypeError: It is of no kind that has rows.
        ArgumentError: A column of a frame has no Arrow type.
    """
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.Table):
        return data.to_reader()
    if (
        type(data).__module__.partition(".")[0] == "pandas"
        and hasattr(data, "iloc")
        and hasattr(data, "columns")
    ):
        return _frame_reader(data)
    if hasattr(data, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(data)
    if hasattr(data, "__arrow_c_array__"):
        batch = pa.record_batch(data)
        return pa.RecordBatchReader.from_batches(batch.schema, [batch])
    raise ArgumentTypeError(
        f"write: data of type {type(data).__name__} is not accepted; give a pandas DataFrame, a pyarrow Table or "
        "RecordBatchReader, an MLTable, or anything with the Arrow C stream interface."
    )


def _frame_reader(frame: Any) -> pa.RecordBatchReader:
    keep = all(name is not None for name in frame.index.names)
    try:
        schema = pa.Schema.from_pandas(frame, preserve_index=keep)
    except (pa.ArrowException, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArgumentError(
            f"write: {_culprit(frame)} has values that go together in no type: {reason}. Convert it first."
        ) from error

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(frame), _FRAME_ROWS):
            part = frame.iloc[start : start + _FRAME_ROWS]
            yield pa.RecordBatch.from_pandas(part, schema=schema, preserve_index=keep)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _culprit(frame: Any) -> str:
    """Return the column of a frame that has no Arrow type."""
    for name in frame.columns:
        try:
            pa.Schema.from_pandas(frame[[name]], preserve_index=False)
        except (pa.ArrowException, ValueError, TypeError):
            return f"column {name!r}"
    return "the index"


def check_columns(schema: pa.Schema, keys: Sequence[str]) -> None:
    """Refuse columns that share a name, and keys that are no columns.

    Raises:
        ArgumentError: Two columns have one name.
        ColumnNotFoundError: A key is not there.
    """
    twice = next((name for i, name in enumerate(schema.names) if name in schema.names[:i]), None)
    if twice is not None:
        raise ArgumentError(f"write: two columns are called {twice!r}; give them different names.")
    missing = [key for key in keys if key not in schema.names]
    if missing:
        raise ColumnNotFoundError("write: partition_by", missing, schema.names)


def row_groups(rows: pa.RecordBatchReader) -> Iterator[pa.Table]:
    """Yield the rows in order, in tables of the size of a row group."""
    waiting: list[pa.RecordBatch] = []
    count = size = 0
    for batch in rows:
        for start in range(0, batch.num_rows, ROW_GROUP_ROWS):
            piece = batch.slice(start, ROW_GROUP_ROWS)
            if waiting and (count + piece.num_rows > ROW_GROUP_ROWS or size >= ROW_GROUP_BYTES):
                yield pa.Table.from_batches(waiting, rows.schema)
                waiting, count, size = [], 0, 0
            waiting.append(piece)
            count += piece.num_rows
            size += piece.nbytes
    if waiting:
        yield pa.Table.from_batches(waiting, rows.schema)


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table in row groups."""
    for start in range(0, table.num_rows, ROW_GROUP_ROWS):
        yield table.slice(start, ROW_GROUP_ROWS)


def split(table: pa.Table, keys: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
    """Yield each folder with its rows, in the order in which folders and rows first come."""
    numbers = pa.array(range(table.num_rows), pa.int64())
    key = pa.repeat(pa.scalar("", pa.string()), table.num_rows)
    for name in keys:
        values = pc.unique(table.column(name))
        index = pc.index_in(table.column(name), values, skip_nulls=False)
        texts = pa.array([f"{quote(name, safe='')}={_folder_text(value)}/" for value in values.to_pylist()])
        key = pc.binary_join_element_wise(key, texts.take(index.combine_chunks()), "")
    if table.num_rows:
        grouped = (
            pa.table({"key": key, "row": numbers})
            .group_by("key", use_threads=False)
            .aggregate([("row", "list")])
        )
        for folder, selected in zip(grouped["key"].to_pylist(), grouped["row_list"], strict=True):
            yield folder, table.take(selected.values)


def _folder_text(value: Any) -> str:
    """Return a value as a folder's name, as Hive writes it."""
    return "__HIVE_DEFAULT_PARTITION__" if value is None or value == "" else quote(str(value), safe=" ")
