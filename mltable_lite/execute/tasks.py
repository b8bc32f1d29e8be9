"""Partitions that are executed by themselves: in another thread, another process, on another machine.

A `PartitionTask` takes some parts of a query (`split` makes them) along with the files they lie in, and nothing else of
the table.
"""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from mltable_lite.execute.scan import Report, ScanTask
from mltable_lite.execute.stream import keep_matching, row_wise_stage
from mltable_lite.execute.together import Together
from mltable_lite.plan import (
    Convert,
    Files,
    PartitionColumns,
    Plan,
    Project,
    Scan,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mltable_lite.errors import Notices
    from mltable_lite.execute.sources import Resolved
    from mltable_lite.execute.stream import Block, Stage
    from mltable_lite.expr import Expr
    from mltable_lite.formats.base import Partition

#: Rows [start, stop) of what reaches a step; without a stop to the end.
Range = tuple[int, int | None]
#: Stands for the input of a node that was taken out of its plan.
NOTHING = Files(())


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
        return self.values[node.with_input(NOTHING)][0]

    def matching_files(self, node: PartitionColumns) -> pa.Array | None:
        """Return which files match the format; `None` for all."""
        return self.values[node.with_input(NOTHING)][1]

    def select(self, files: Sequence[int]) -> Constants:
        """Return the values of only some files."""
        if not self.values:
            return self
        taken = {
            node: (rows_of(values, files), None if matching is None else matching.take(pa.array(files)))
            for node, (values, matching) in self.values.items()
        }
        return Constants(taken)


@dataclass(frozen=True, slots=True)
class Program:
    """What is done to every part, without the files: a bound, optimised plan as scan and steps, bottom up.

    Attributes:
        scan: The scan.
        steps: What is done to its rows.
        schema: The columns that come out.
        strict: Whether what is worth a warning is an error.
        last: Only rows that pass this bound predicate come out.
    """

    scan: Scan
    steps: tuple[Plan, ...]
    schema: pa.Schema
    strict: bool = False
    last: Expr | None = None

    @property
    def keeps_rows(self) -> bool:
        """Whether every row of a partition comes out, so that its number tells which one it is."""
        return self.scan.predicate is None and not self.scan.samples and all(map(_keeps_rows, self.steps))

    def known_rows(self, part: Part) -> int | None:
        """Return how many rows a part gives, where that is known without reading."""
        kept = self.scan.predicate is None and not self.scan.samples
        rows = part.partition.rows if kept else None
        for step in self.steps:
            if isinstance(step, Slice):
                start, stop = part.ranges[step.number]
                # A range with an end was counted out: it has all its rows.
                rows = stop - start if stop is not None else None if rows is None else rows - start
            elif not _keeps_rows(step):
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

    def batches(self, notices: Notices, numbers: list[np.ndarray] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order, as batches with the program's schema; empty ones are left out.

        Args:
            notices: What becomes a warning goes there.
            numbers: For each batch the numbers of its rows go there, counted from 0 before the predicate of a program
                that was narrowed to `numbered` rows.

        Raises:
            SchemaMismatchError: A value does not fit the type that was guessed from a sample.
            MLTableError: With the file and the place in it.
        """
        last = self.program.last
        task = ScanTask(self.program.scan, self.resolved)
        stages = [
            step if isinstance(step, Slice) else row_wise_stage(step, self.constants)
            for step in self.program.steps
        ]
        names = self.program.schema.names
        partitions = [(part.ordinal, part.partition) for part in self.parts]
        first = 0
        skipped: list[Part] = []
        for part, (blocks, report) in zip(
            self.parts, Together(task).in_turn(partitions, threading.Event()), strict=True
        ):
            cuts = [_Cut(*bounds) for bounds in part.ranges]
            with closing(blocks):
                for each in blocks:
                    block = _through(each, stages, cuts, report.notices)
                    reached = block.batch.num_rows
                    if last is not None:
                        block = keep_matching(replace(block, first_row=0, masks=()), last)
                    if block.batch.num_rows:
                        if numbers is not None:
                            first += self._count(skipped)
                            skipped.clear()
                            numbers.append(first + block.row_numbers())
                        yield block.batch.select(names)
                    if last is not None:
                        first += reached
                    if any(cut.done for cut in cuts):
                        break
            notices.extend(report.notices)
            if last is None and report.decoded:
                first += report.rows_decoded
            elif last is None:
                skipped.append(part)

    def _count(self, parts: Sequence[Part]) -> int:
        """Return how many rows parts have that the predicate ruled out."""
        count = 0
        scan = self.program.scan
        for part in parts:
            rows = part.partition.rows
            if rows is None:  # text: lines are counted by reading them
                column = (scan.columns or ())[:1]
                task = ScanTask(
                    replace(scan, predicate=None, columns=column, new_columns=False), self.resolved
                )
                blocks = task.run(part.partition, part.ordinal, Report(), threading.Event())
                rows = sum(block.batch.num_rows for block in blocks)
            count += rows
        return count


def _keeps_rows(step: Plan) -> bool:
    match step:
        case Project() | Convert() | PartitionColumns(ignore_errors=False):
            return True
    return False


# --------------------------------------------------------------------------- rows
def rows_of(table: pa.Table, numbers: Sequence[int]) -> pa.Table:
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
