"""One function a node: what each node of a plan does to a block of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import DataError, EvaluationError, MLTableError, Notices
from mltable_lite.execute.evaluate import mask
from mltable_lite.execute.sampling import row_keys, sample_mask
from mltable_lite.formats.file_table import FILE_NUMBER
from mltable_lite.plan import (
    Convert,
    Filter,
    Limit,
    PartitionColumns,
    Plan,
    Project,
    Sample,
    Sampling,
    SelectPartitions,
    Skip,
)
from mltable_lite.spec.model import Names

if TYPE_CHECKING:
    from mltable_lite.expr import Expr
    from mltable_lite.formats.base import InputFile, Partition


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of one partition, with what tells where they come from.

    Attributes:
        batch: The rows.
        file: The partition's file.
        partition: The partition.
        ordinal: The partition's number among all partitions of the scan.
        first_row: The number in the partition of the first row that was decoded for this block.
        masks: Which of those rows were kept, mask after mask; they lead back to row identities.
        rows_are: In a table of files, the files that are the rows of the partition.
    """

    batch: pa.RecordBatch
    file: InputFile
    partition: Partition
    ordinal: int
    first_row: int = 0
    masks: tuple[pa.BooleanArray, ...] = ()
    rows_are: Sequence[InputFile] = ()

    def keep(self, selected: pa.BooleanArray) -> Block:
        """Return the block with only the selected rows."""
        if selected.true_count == len(selected):
            return self
        return replace(self, batch=self.batch.filter(selected), masks=(*self.masks, selected))

    def row_numbers(self) -> np.ndarray:
        """Return each row's number in its partition, from 0."""
        decoded = len(self.masks[0]) if self.masks else self.batch.num_rows
        rows = np.arange(self.first_row, self.first_row + decoded, dtype=np.int64)
        for selected in self.masks:
            rows = rows[np.asarray(selected)]
        return rows

    def place(self, row: int) -> str:
        """Return where a row of the batch stands, for a person: rows count from 1."""
        number = int(self.row_numbers()[row])
        if self.rows_are:
            return self.rows_are[number].uri
        within = f" of partition {self.partition.number}" if self.partition.number else ""
        return f"{self.file.uri}, row {number + 1}{within}"


#: What a row-wise node does to a block; problems that become warnings go to the notices.
Stage = Callable[[Block, Notices], Block]


class FileValues(Protocol):
    """Knows the values of partition formats, one row a file: the catalogue, or what was taken out of it."""

    def partition_columns(self, node: PartitionColumns) -> pa.Table:
        """Return the values."""

    def matching_files(self, node: PartitionColumns) -> pa.Array | None:
        """Return which files match; `None` for all."""


def row_wise_stage(node: Plan, catalogue: FileValues) -> Stage:
    """Return what a row-wise node of a bound plan does to each block; what the data has wrong is told with the file."""
    stage = _stage_of(node, catalogue)

    def told(block: Block, notices: Notices) -> Block:
        try:
            return stage(block, notices)
        except (MLTableError, MemoryError):
            raise
        except (pa.ArrowException, ValueError) as error:
            raise DataError(f"{block.file.uri}, partition {block.partition.number}: {error}") from error

    return told


def _stage_of(node: Plan, catalogue: FileValues) -> Stage:
    match node:
        case Filter():
            predicate = node.predicate
            return lambda block, _: keep_matching(block, predicate)
        case Sample():
            sampling = node.sampling
            return lambda block, _: block.keep(draw(block, sampling))
        case Project():
            names = node.names
            return lambda block, _: replace(block, batch=_project(block.batch, names))
        case Convert():
            return lambda block, notices: _convert(block, node, notices)
        case PartitionColumns():
            values = catalogue.partition_columns(node)
            matching = catalogue.matching_files(node)
            return lambda block, _: _append_constants(block, values, matching)
    raise AssertionError(f"{type(node).__name__} is not row-wise")


def keep_matching(block: Block, predicate: Expr) -> Block:
    """Return the block's rows for which the predicate is true."""
    try:
        return block.keep(mask(predicate, block.batch))
    except EvaluationError as error:
        row = getattr(error, "row", None)
        where = block.place(row) if row is not None else block.file.uri
        raise EvaluationError(f"filter at {where}: {error}") from error


def draw(block: Block, sampling: Sampling) -> pa.BooleanArray:
    """Return which rows of the block a sample keeps."""
    return pa.array(drawn_rows(block.file, block.partition, block.row_numbers(), sampling))


def drawn_rows(file: InputFile, partition: Partition, rows: np.ndarray, sampling: Sampling) -> np.ndarray:
    """Return which row numbers of a partition a sample keeps."""
    if len(rows) == 0:
        return np.zeros(0, dtype=bool)
    first = int(rows[0])
    keys = row_keys(file.position, partition.number, first, int(rows[-1]) - first + 1)
    if len(keys) > len(rows):
        keys = keys[rows - first]
    return sample_mask(keys, sampling.lower, sampling.upper, sampling.seed, sampling.step)


def with_constants(batch: pa.RecordBatch, constants: pa.Table, file: int) -> pa.RecordBatch:
    """Return the batch with one row of constants appended to every row, as columns."""
    arrays = list(batch.columns)
    fields = list(batch.schema)
    for column, field in zip(constants.columns, constants.schema, strict=True):
        arrays.append(pa.repeat(column[file], batch.num_rows).cast(field.type))
        fields.append(field)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields, metadata=batch.schema.metadata))


def with_constants_of(batch: pa.RecordBatch, constants: pa.Table, files: pa.Array) -> pa.RecordBatch:
    """Return the batch with constants appended, to every row those of its file."""
    taken = constants.take(files).combine_chunks()
    for field in constants.schema:
        column = taken.column(field.name)
        batch = batch.append_column(field, column.chunk(0) if column.num_chunks else pa.array([], field.type))
    return batch


def _project(batch: pa.RecordBatch, names: tuple[str, ...]) -> pa.RecordBatch:
    hidden = [FILE_NUMBER] if FILE_NUMBER in batch.schema.names else []
    return batch.select([*names, *hidden])


def _convert(block: Block, node: Convert, notices: Notices) -> Block:
    # Most tables convert nothing, and these modules are slow to load.
    from mltable_lite.execute.convert import convert, output_field

    batch = block.batch
    for columns, target in node.items:
        assert isinstance(columns, Names)
        for name in columns.names:
            at = batch.schema.get_field_index(name)
            old = batch.schema.field(at)
            array = convert(batch.column(at), old, target, column=name, notices=notices, where=block.place)
            batch = batch.set_column(at, output_field(old, target), array)
    return replace(block, batch=batch)


def _append_constants(block: Block, values: pa.Table, matching: pa.Array | None) -> Block:
    batch = block.batch
    if FILE_NUMBER not in batch.schema.names:
        block = replace(block, batch=with_constants(batch, values, block.partition.file))
        if matching is not None and not matching[block.partition.file].as_py():
            return block.keep(pa.array(np.zeros(batch.num_rows, dtype=bool)))
        return block
    numbers = batch.column(FILE_NUMBER)
    block = replace(block, batch=with_constants_of(batch, values, numbers))
    return block if matching is None else block.keep(pc.take(matching, numbers))


# --------------------------------------------------------------------------- nodes that need the order
def ordered_stage(node: Plan, blocks: Iterable[Block]) -> Iterator[Block]:
    """Apply a node that counts rows or partitions to the ordered stream."""
    match node:
        case Limit():
            return _limit(blocks, node.count)
        case Skip():
            return _skip(blocks, node.count)
        case SelectPartitions():
            return _select(blocks, node.indices)
    raise AssertionError(f"{type(node).__name__} does not need the order")


def _limit(blocks: Iterable[Block], count: int) -> Iterator[Block]:
    if count == 0:
        return
    left = count
    for block in blocks:
        rows = block.batch.num_rows
        yield block if rows <= left else block.keep(_range_mask(rows, 0, left))
        left -= min(rows, left)
        if left == 0:
            return


def _skip(blocks: Iterable[Block], count: int) -> Iterator[Block]:
    left = count
    for block in blocks:
        rows = block.batch.num_rows
        if left >= rows and left > 0:
            left -= rows
            continue
        yield block if left == 0 else block.keep(_range_mask(rows, left, rows))
        left = 0


def _select(blocks: Iterable[Block], indices: tuple[int, ...]) -> Iterator[Block]:
    wanted = set(indices)
    number = -1
    last: int | None = None
    for block in blocks:
        if block.ordinal != last:
            number += 1
            last = block.ordinal
        if number in wanted:
            yield block
    refuse_missing_partitions(indices, number + 1)


def refuse_missing_partitions(indices: tuple[int, ...], count: int) -> None:
    """Raise where a selected partition is not there.

    Raises:
        ArgumentError: An index is `count` or more.
    """
    from mltable_lite.errors import ArgumentError, listed

    missing = [index for index in indices if index >= count]
    if missing:
        have = f"it has {count}, numbered 0 to {count - 1}" if count else "it has none"
        numbers = listed(map(str, missing))
        raise ArgumentError(f"select_partitions: the table has no partition {numbers}; {have}.")


def _range_mask(rows: int, start: int, stop: int) -> pa.BooleanArray:
    numbers = np.arange(rows)
    return pa.array((numbers >= start) & (numbers < stop))
