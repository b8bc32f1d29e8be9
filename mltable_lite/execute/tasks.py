"""Partitions that are executed by themselves: in another thread, another process, on another machine.

`split` cuts a query into parts, one a partition. Steps that count rows or partitions are resolved then, so that each
part knows which of its rows they keep: from row counts in metadata, or else by executing the plan below them as far as
is needed. A `PartitionTask` takes some parts along with the files they lie in, and nothing else of the table.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import pyarrow as pa

from mltable_lite.execute.scan import ScanTask
from mltable_lite.execute.sources import Resolved
from mltable_lite.execute.stream import refuse_missing_partitions, row_wise_stage
from mltable_lite.execute.together import Together
from mltable_lite.formats.file_table import FILE_NUMBER, FilesSource
from mltable_lite.optimise import optimise
from mltable_lite.optimise.push_projection import push_projection
from mltable_lite.plan import (
    Convert,
    Files,
    Filter,
    Limit,
    PartitionColumns,
    Plan,
    Project,
    Scan,
    SelectPartitions,
    Skip,
    output_columns,
)
from mltable_lite.spec.model import Names

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from mltable_lite.errors import Notices
    from mltable_lite.execute.query import Query
    from mltable_lite.execute.stream import Block, Stage
    from mltable_lite.expr import Expr
    from mltable_lite.formats.base import Partition

#: Rows [start, stop) of what reaches a step; without a stop to the end.
Range = tuple[int, int | None]
#: Stands for the input of a node that was taken out of its plan.
_NOTHING = Files(())


@dataclass(frozen=True, slots=True)
class Slice(Plan):
    """What is left of a step that counts rows: each part's own range of rows. No rule moves anything across it."""

    source: Plan
    number: int

    @property
    def input(self) -> Plan:
        """The plan whose rows are cut."""
        return self.source

    def describe(self) -> str:
        """Return which of a part's ranges it is."""
        return f"Slice({self.number})"


class Part(NamedTuple):
    """One partition, with the range of its rows that each `Slice` of the plan keeps."""

    partition: Partition
    ordinal: int
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Constants:
    """The values of partition formats after the read step, one row a file; what `row_wise_stage` asks a catalogue."""

    values: dict[Plan, tuple[pa.Table, pa.Array | None]] = field(default_factory=dict)

    def partition_columns(self, node: PartitionColumns) -> pa.Table:
        """Return the values that a partition format adds."""
        return self.values[node.with_input(_NOTHING)][0]

    def matching_files(self, node: PartitionColumns) -> pa.Array | None:
        """Return which files match the format; `None` for all."""
        return self.values[node.with_input(_NOTHING)][1]

    def select(self, files: Sequence[int]) -> Constants:
        """Return the values of only some files."""
        if not self.values:
            return self
        taken = {
            node: (_rows(values, files), None if matching is None else matching.take(pa.array(files)))
            for node, (values, matching) in self.values.items()
        }
        return Constants(taken)


@dataclass(frozen=True, slots=True)
class Program:
    """What is done to every part, without the files: a bound, optimised plan as scan and steps, bottom up."""

    scan: Scan
    steps: tuple[Plan, ...]
    schema: pa.Schema
    strict: bool = False

    def known_rows(self, part: Part) -> int | None:
        """Return how many rows a part gives, where that is known without reading."""
        kept = self.scan.predicate is None and not self.scan.samples
        rows = part.partition.rows if kept else None
        for step in self.steps:
            match step:
                case Slice():
                    start, stop = part.ranges[step.number]
                    # A range with an end was counted out: it has all its rows.
                    rows = stop - start if stop is not None else None if rows is None else rows - start
                case Project() | Convert() | PartitionColumns(ignore_errors=False):
                    pass
                case _:
                    rows = None
        return rows


@dataclass(frozen=True, slots=True)
class PartitionTask:
    """Some parts of a query and the files they lie in: everything that is needed to make rows of them.

    It pickles without credentials, opens files only while `batches` runs, and gives the same rows wherever that is.
    """

    program: Program
    resolved: Resolved
    constants: Constants
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """Which rows these are, for a person."""
        if not self.parts:
            return "no partition"
        places = [
            f"{self.resolved.source.files[part.partition.file].uri}, partition {part.partition.number}"
            for part in (self.parts[0], self.parts[-1])
        ]
        return places[0] if len(self.parts) == 1 else " to ".join(places)

    def batches(self, notices: Notices) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as batches with the program's schema; empty ones are left out.

        Raises:
            SchemaMismatchError: A value does not fit the type that was guessed from a sample.
            MLTableError: With the file and the place in it.
        """
        task = ScanTask(self.program.scan, self.resolved)
        stages = [
            step if isinstance(step, Slice) else row_wise_stage(step, self.constants)
            for step in self.program.steps
        ]
        names = self.program.schema.names
        numbered = [(part.ordinal, part.partition) for part in self.parts]
        for part, (blocks, report) in zip(
            self.parts, Together(task).in_turn(numbered, threading.Event()), strict=True
        ):
            cuts = [_Cut(*bounds) for bounds in part.ranges]
            with closing(blocks):
                for block in blocks:
                    rows = _through(block, stages, cuts, report.notices).batch
                    if rows.num_rows:
                        yield rows.select(names)
                    if any(cut.done for cut in cuts):
                        break
            notices.extend(report.notices)


@dataclass(frozen=True, slots=True)
class Split:
    """A query cut into parts. Picklable without credentials.

    Attributes:
        plan: The plan, bound and optimised, with a `Slice` for each step that counts rows.
        resolved: What its scan reads.
        constants: The values of partition formats after the read step.
        parts: One for each partition that is left, in row order.
        program: The plan as scan and steps.
    """

    plan: Plan
    resolved: Resolved
    constants: Constants
    parts: tuple[Part, ...]
    program: Program

    def narrowed(self, columns: Sequence[str] | None, predicate: Expr | None) -> Program:
        """Return the program for only the rows that pass a bound predicate and only some columns, in their order.

        Both are pushed into the scan as far as they go. Parts and their ranges stay the same.
        """
        plan = self.plan
        if predicate is not None:
            plan = Filter(plan, predicate)
        names = tuple(columns) if columns is not None else output_columns(plan)
        if names != output_columns(plan):
            plan = Project(plan, Names(names))
        schema = self.program.schema
        schema = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
        return _compiled(optimise(plan), schema, strict=self.program.strict)

    def task(self, program: Program, numbers: Sequence[int]) -> PartitionTask:
        """Return the parts with these numbers (ascending) as a task of their own."""
        parts = [self.parts[number] for number in numbers]
        if isinstance(self.resolved.source, FilesSource):  # its one partition is made of all files
            return PartitionTask(program, self.resolved, self.constants, tuple(parts))
        files = list(dict.fromkeys(part.partition.file for part in parts))
        index = {file: i for i, file in enumerate(files)}
        moved = [p._replace(partition=p.partition._replace(file=index[p.partition.file])) for p in parts]
        whole = self.resolved
        # Made anew, not by `replace`: there is a task for each of 100,000 partitions.
        resolved = Resolved(
            whole.source.select(files), _rows(whole.constants, files), whole.schema, whole.names_skipped
        )
        return PartitionTask(program, resolved, self.constants.select(files), tuple(moved))


def split(query: Query) -> Split:
    """Return the query cut into parts. Reads metadata, and rows only where their number decides what is kept.

    Raises:
        SchemaMismatchError: A row that had to be counted does not fit the guessed schema.
    """
    leaf, *nodes = reversed(_to_leaf(query.plan))
    plan, slices = leaf, 0
    constants = Constants()
    parts: Iterable[Part] = (Part(partition, number) for number, partition in query.partitions())
    for node in nodes:
        if isinstance(node, PartitionColumns):
            found = query.catalogue.partition_columns(node), query.catalogue.matching_files(node)
            constants.values[node.with_input(_NOTHING)] = found
        if node.row_wise:
            plan = node.with_input(plan)
        elif isinstance(node, SelectPartitions):
            parts = _selected(parts, node.indices)
        else:
            assert isinstance(node, Limit | Skip)
            counter = _Counter(query, node.source, _program(plan, query))
            parts = (_limited if isinstance(node, Limit) else _skipped)(parts, node.count, counter)
            plan, slices = Slice(plan, slices), slices + 1
    kept = tuple(part for part in parts if all(start != stop for start, stop in part.ranges))
    return Split(plan, query.resolved, constants, kept, _program(plan, query))


def _to_leaf(plan: Plan) -> list[Plan]:
    nodes = []
    for node in plan.walk():
        nodes.append(node)
        if isinstance(node, Scan):
            break
    return nodes


def _program(plan: Plan, query: Query) -> Program:
    return _compiled(plan, query.schema, strict=query.settings.strict)


def _compiled(plan: Plan, schema: pa.Schema, *, strict: bool) -> Program:
    leaf, *steps = reversed(_to_leaf(plan))
    if isinstance(leaf, Files):
        leaf = Scan(_NOTHING, None, (leaf.column, FILE_NUMBER))
    assert isinstance(leaf, Scan)
    scan = replace(leaf, source=_NOTHING, partitions=None)
    return Program(scan, tuple(step.with_input(_NOTHING) for step in steps), schema, strict)


# --------------------------------------------------------------------------- steps that count
class _Counter:
    """Tells how many rows of a part reach a step; asked in row order, it executes no more than it is asked for."""

    def __init__(self, query: Query, below: Plan, program: Program) -> None:
        self._query = query
        self._below = below
        self._program = program
        self._counted: Iterator[tuple[int, int]] | None = None
        self._next: tuple[int, int] | None = None

    def rows(self, part: Part) -> int:
        known = self._program.known_rows(part)
        if known is not None:
            return known
        if self._counted is None:
            self._counted = self._execute()
            self._next = next(self._counted, None)
        while self._next is not None and self._next[0] < part.ordinal:
            self._next = next(self._counted, None)
        return self._next[1] if self._next is not None and self._next[0] == part.ordinal else 0

    def _execute(self) -> Iterator[tuple[int, int]]:
        # One column is enough to count, and what only makes other columns is left out.
        least = Project(self._below, Names(output_columns(self._below)[:1]))
        blocks = self._query.run(optimise(least, (push_projection,)))
        with closing(cast("Generator[Block]", blocks)):
            for ordinal, group in itertools.groupby(blocks, key=lambda block: block.ordinal):
                yield ordinal, sum(block.batch.num_rows for block in group)

    def close(self) -> None:
        if self._counted is not None:
            self._counted.close()  # type: ignore[attr-defined]


def _limited(parts: Iterable[Part], count: int, counter: _Counter) -> Iterator[Part]:
    left = count
    with closing(counter):
        for part in parts:
            rows = min(counter.rows(part), left)
            yield part._replace(ranges=(*part.ranges, (0, rows)))
            left -= rows
            if left == 0:
                return


def _skipped(parts: Iterable[Part], count: int, counter: _Counter) -> Iterator[Part]:
    left = count
    with closing(counter):
        for part in parts:
            if left:
                rows = counter.rows(part)
                if rows <= left:
                    left -= rows
                    continue
            yield part._replace(ranges=(*part.ranges, (left, None)))
            left = 0


def _selected(parts: Iterable[Part], indices: tuple[int, ...]) -> Iterator[Part]:
    wanted = set(indices)
    number = -1
    for number, part in enumerate(parts):
        if number in wanted:
            yield part
    refuse_missing_partitions(indices, number + 1)


# --------------------------------------------------------------------------- rows
def _rows(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
    """Return some rows of a table; one without columns has none."""
    return table.take(pa.array(numbers, pa.int64())) if table.num_columns else table


@dataclass(slots=True)
class _Cut:
    """Keeps the rows [start, stop) of the blocks of one part that come by."""

    start: int
    stop: int | None
    seen: int = 0

    @property
    def done(self) -> bool:
        return self.stop is not None and self.seen >= self.stop

    def keep(self, block: Block) -> Block:
        rows = np.arange(self.seen, self.seen + block.batch.num_rows)
        self.seen += block.batch.num_rows
        kept = rows >= self.start
        if self.stop is not None:
            kept &= rows < self.stop
        return block.keep(pa.array(kept))


def _through(block: Block, stages: Sequence[Stage | Slice], cuts: Sequence[_Cut], notices: Notices) -> Block:
    for stage in stages:
        block = cuts[stage.number].keep(block) if isinstance(stage, Slice) else stage(block, notices)
    return block
