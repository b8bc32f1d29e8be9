"""Data of any kind -> a stream of Arrow batches of plain types -> pieces of the size of a row group, or of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from mltable_lite.errors import ArgumentError, ArgumentTypeError, ColumnNotFoundError
from mltable_lite.formats.conform import conform, with_inner, without_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

#: A row group ends at whichever comes first: enough rows for a scan to be quick, few enough to be a partition.
ROW_GROUP_ROWS = 1_000_000
ROW_GROUP_BYTES = 64 * 1024 * 1024
_BATCH_ROWS = 131_072


def reader_of(data: Any) -> pa.RecordBatchReader:
    """Return the data as a stream of batches.

    Raises:
        ArgumentTypeError: It is of no kind that has rows and columns.
        ArgumentError: A column has no Arrow type, or a name that is no text.
    """
    if isinstance(data, pa.RecordBatchReader):
        return data
    if isinstance(data, pa.Table):
        return data.to_reader()
    if hasattr(data, "to_arrow_batches"):
        # An MLTable: through the interface for strangers its errors would be texts.
        reader: pa.RecordBatchReader = data.to_arrow_batches()
        return reader
    if (
        type(data).__module__.partition(".")[0] == "pandas"
        and hasattr(data, "iloc")
        and hasattr(data, "columns")
    ):
        return _frame_reader(data)
    try:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data)
        if hasattr(data, "__arrow_c_array__"):
            batch = pa.record_batch(data)
            return pa.RecordBatchReader.from_batches(batch.schema, [batch])
    except pa.ArrowException as error:
        # A series has the interface as well, but one column and no others beside it.
        if not hasattr(data, "to_frame") and not isinstance(data, pa.Array | pa.ChunkedArray):
            reason = str(error).splitlines()[0].rstrip(".")
            raise ArgumentError(
                f"write: pyarrow cannot take the columns of this {type(data).__name__}: {reason}. Convert them first."
            ) from error
    hint = " data.to_frame() makes a table of one column." if hasattr(data, "to_frame") else ""
    raise ArgumentTypeError(
        f"write: data of type {type(data).__name__} is not accepted; give a pandas DataFrame, a pyarrow Table or "
        f"RecordBatchReader, an MLTable, or a table with the Arrow C stream interface.{hint}"
    )


def _frame_reader(frame: Any) -> pa.RecordBatchReader:
    odd = next((name for name in frame.columns if not isinstance(name, str)), None)
    if odd is not None:
        raise ArgumentError(
            f"write: column {odd!r} has a name that is no text. Name the columns first, for example: "
            "frame.columns = frame.columns.map(str)"
        )
    keep = all(name is not None for name in frame.index.names)
    try:
        schema = pa.Schema.from_pandas(frame, preserve_index=keep)
    except (pa.ArrowException, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ArgumentError(
            f"write: {_culprit(frame)} has values that go together in no type: {reason}. Convert it first."
        ) from error

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, len(frame), _BATCH_ROWS):
            part = frame.iloc[start : start + _BATCH_ROWS]
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


# --------------------------------------------------------------------------- plain types
def plain(rows: pa.RecordBatchReader, *, dictionaries: bool) -> pa.RecordBatchReader:
    """Return the same rows with plain columns for views, and values for dictionaries.

    polars has views for every text; few of the functions that write files know them.

    Args:
        rows: The stream.
        dictionaries: Keep dictionaries, of plain values.
    """
    flat = _retyped(rows.schema, without_views)
    wanted = flat if dictionaries else _retyped(flat, _without_dictionaries)
    if wanted.equals(rows.schema):
        return rows

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in rows:
            # A frame may come as one batch; it is not to be held twice.
            for start in range(0, batch.num_rows, _BATCH_ROWS):
                # Two steps: pyarrow has no cast from a dictionary of views to values.
                arrays = [
                    conform(conform(column, between.type), field.type)
                    for column, between, field in zip(
                        batch.slice(start, _BATCH_ROWS).columns, flat, wanted, strict=True
                    )
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=wanted)

    return pa.RecordBatchReader.from_batches(wanted, batches())


def _retyped(schema: pa.Schema, change: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    return pa.schema([field.with_type(change(field.type)) for field in schema], schema.metadata)


def _without_dictionaries(kind: pa.DataType) -> pa.DataType:
    return (
        _without_dictionaries(kind.value_type)
        if pt.is_dictionary(kind)
        else with_inner(kind, _without_dictionaries)
    )


# --------------------------------------------------------------------------- pieces
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
        column = table.column(name)
        column = column.cast(_without_dictionaries(column.type))
        values = pc.unique(column)
        index = pc.index_in(column, values, skip_nulls=False)
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
