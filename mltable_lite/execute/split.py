"""A query cut into parts, one a partition, for outputs that execute each by itself.

Steps that count rows or partitions are resolved then, so that each part knows which of its rows they keep: from row
counts in metadata, or else by executing the plan below them as far as is needed.
"""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from mltable_lite.execute.sources import Resolved
from mltable_lite.execute.stream import refuse_missing_partitions
from mltable_lite.execute.tasks import NOTHING, Constants, Part, PartitionTask, Program, Slice, rows_of
from mltable_lite.expr import columns_of
from mltable_lite.formats.file_table import FILE_NUMBER, FilesSource
from mltable_lite.optimise import optimise
from mltable_lite.optimise.push_projection import push_projection
from mltable_lite.plan import (
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

    from mltable_lite.execute.query import Query
    from mltable_lite.execute.stream import Block
    from mltable_lite.expr import Expr


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

    def narrowed(
        self, columns: Sequence[str] | None, predicate: Expr | None, *, numbered: bool = False
    ) -> Program:
        """Return the program for only the rows that pass a bound predicate and only some columns, in their order.

        Both are pushed into the scan as far as they go. Parts and their ranges stay the same. A program whose rows are
        `numbered` in `PartitionTask.batches` evaluates the predicate last where the scan loses count of them.
        """
        plan = self.plan
        last = None
        if numbered and not self.program.keeps_rows:
            last = predicate
        elif predicate is not None:
            plan = Filter(plan, predicate)
        every = output_columns(plan)
        names = tuple(columns) if columns is not None else every
        asked = columns_of(last) if last is not None else set()
        needed = (*names, *(name for name in every if name in asked and name not in names))
        if needed != every:
            plan = Project(plan, Names(needed))
        schema = self.program.schema
        schema = pa.schema([schema.field(name) for name in names], metadata=schema.metadata)
        return replace(_compiled(optimise(plan), schema, strict=self.program.strict), last=last)

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
            whole.source.select(files), rows_of(whole.constants, files), whole.schema, whole.names_skipped
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
            constants.values[node.with_input(NOTHING)] = found
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
        leaf = Scan(NOTHING, None, (leaf.column, FILE_NUMBER))
    assert isinstance(leaf, Scan)
    scan = replace(leaf, source=NOTHING, partitions=None)
    return Program(scan, tuple(step.with_input(NOTHING) for step in steps), schema, strict)


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
