"""A bound plan in execution: cut in two, what workers do to a partition and what needs the order of rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from mltable_lite.errors import MLTableError, Notices
from mltable_lite.execute.ahead import Ahead
from mltable_lite.execute.scan import Report, ScanTask
from mltable_lite.execute.sources import Catalogue, Resolved
from mltable_lite.execute.stream import Block, Stage, ordered_stage, refuse_missing_partitions, row_wise_stage
from mltable_lite.execute.together import Executed, Together
from mltable_lite.execute.width import SMALL_ROWS, Width
from mltable_lite.execute.workers import HERE, workers
from mltable_lite.formats.base import Partition
from mltable_lite.formats.file_table import FILE_NUMBER
from mltable_lite.plan import Files, Plan, Scan

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Future

    from mltable_lite.execute.stats import ScanStats

#: Called with the notices of each partition, in row order.
TakeNotices = Callable[[Notices], None]

#: What one worker takes: partitions with their numbers.
_Group = list[tuple[int, Partition]]
#: What becomes of one of them.
_Done = tuple[list[Block], Report] | MLTableError

#: Called in a worker with batches of the result, one after the other, and the number of the first row.
Put = Callable[[Sequence[pa.RecordBatch], int], None]


def partitions_of(scan: Scan, resolved: Resolved) -> Iterator[tuple[int, Partition]]:
    """Yield the partitions that a scan reads, with their numbers."""
    if scan.partitions is None:
        source = resolved.source if scan.predicate is None else resolved.source.prune(scan.predicate)
        yield from enumerate(source.partitions())
        return
    every = list(resolved.source.partitions())
    refuse_missing_partitions(scan.partitions, len(every))
    for index in scan.partitions:
        yield index, every[index]


class Pipeline:
    """A bound plan cut in two: what workers do to a partition, and what needs the order of rows."""

    def __init__(self, plan: Plan, catalogue: Catalogue) -> None:
        chain: list[Plan] = []
        for node in plan.walk():
            chain.append(node)
            if isinstance(node, Scan):
                break
        leaf, *steps = reversed(chain)
        if isinstance(leaf, Files):
            source, skipped, _ = catalogue.files(leaf)
            resolved = Resolved(source, pa.table({}), source.schema, skipped)
            leaf = Scan(leaf, None, tuple(source.schema.names))
        else:
            assert isinstance(leaf, Scan)
            resolved = catalogue.scan(leaf)
        self.scan = leaf
        self.resolved = resolved
        self.task = ScanTask(leaf, resolved)
        self.together = Together(self.task)
        self._nothing = _no_rows(self.task.schema)
        self.local: list[Stage] = []
        self.ordered: list[Plan | Stage] = []
        schema = self.task.schema
        for node in steps:
            if not node.row_wise:
                self.ordered.append(node)
                continue
            stage = row_wise_stage(node, catalogue)
            if self.ordered:
                self.ordered.append(stage)
            else:
                self.local.append(stage)
            schema = _schema_after(stage, schema)
        self.full_schema = schema
        self.schema = pa.schema([f for f in schema if f.name != FILE_NUMBER], metadata=schema.metadata)

    def run(
        self,
        stats: ScanStats,
        take_notices: TakeNotices,
        put: Put | None = None,
        most_bytes: int | None = None,
    ) -> Iterator[Block]:
        """Yield the blocks of the result in row order; `put` and `most_bytes` are those of `Query.blocks`."""
        stats.files_listed = len(self.resolved.source.files)
        stats.names_skipped = self.resolved.names_skipped
        stats.columns_read = self.task.columns
        if most_bytes is None:
            blocks = self._scan_blocks(stats, take_notices, put)
        else:
            blocks = self._bounded_blocks(stats, take_notices, most_bytes)
        for step in self.ordered:
            blocks = (
                ordered_stage(step, blocks) if isinstance(step, Plan) else _mapped(step, blocks, take_notices)
            )
        return blocks

    def _scan_blocks(self, stats: ScanStats, take_notices: TakeNotices, put: Put | None) -> Iterator[Block]:
        """Yield blocks in row order while workers are ahead by a bounded number of partitions.

        A limit makes the head start small at first: most often the first partition is all that is needed.
        """
        width = Width(self.resolved.source)
        groups = width.together(partitions_of(self.scan, self.resolved))
        window = 1 if self.scan.limit is not None else width.threads + 2
        waiting: deque[tuple[_Group, Future[list[_Done]]]] = deque()
        row = 0
        with workers(width.threads) as (pool, stop):
            while True:
                while width.has_room(window) and (item := next(groups, None)) is not None:
                    group, size = item
                    stats.partitions += len(group)
                    width.begin(size)
                    worker = pool if width.is_worth_a_thread(len(group), size) else HERE
                    waiting.append((group, worker.submit(self._work_on, group, stop, put, row)))
                    row += sum(partition.rows or 0 for _, partition in group)
                if not waiting:
                    return
                group, future = waiting.popleft()
                done = future.result()
                del future
                width.end()
                for _, partition in group:
                    found = done.pop(0)
                    if isinstance(found, MLTableError):
                        raise found
                    blocks, report = found
                    report.add_to(stats, partition)
                    take_notices(report.notices)
                    while blocks:
                        yield blocks.pop(0)
                window = width.wider(window)

    def _work_on(self, group: _Group, stop: threading.Event, put: Put | None, row: int) -> list[_Done]:
        """Return what became of each partition; nothing is done after an error, whose turn comes after the rows before."""
        done: list[_Done] = []
        taken = None if put is None else _Handover(put, row)
        try:
            for blocks, report in self._executed(group, stop):
                if taken is None:
                    done.append((list(blocks), report))
                else:
                    for block in blocks:
                        taken.add(block.batch)
                    done.append(([], report))
                if stop.is_set():
                    break
            if taken is not None:
                taken.flush()
        except MLTableError as error:
            done.append(error)
        return done

    def _executed(self, group: _Group, stop: threading.Event) -> Iterator[Executed]:
        """Yield what becomes of each partition, after the stages that do not need the order: at least one block."""
        for (ordinal, partition), (blocks, report) in zip(
            group, self.together.in_turn(group, stop), strict=True
        ):
            yield self._staged(blocks, report, partition, ordinal), report

    def _staged(
        self, blocks: Iterator[Block], report: Report, partition: Partition, ordinal: int
    ) -> Generator[Block]:
        block = None
        for block in blocks:
            for stage in self.local:
                block = stage(block, report.notices)  # noqa: PLW2901 - the stages are a chain
            yield block
        if block is None:
            yield self._empty(partition, ordinal)

    def _bounded_blocks(
        self, stats: ScanStats, take_notices: TakeNotices, most_bytes: int
    ) -> Iterator[Block]:
        """Yield blocks as `_scan_blocks` does, but each as soon as it is decoded, and within a number of bytes."""
        width = Width(self.resolved.source)
        threads = Ahead.threads(most_bytes, width.threads)
        most = threads + 2
        with ExitStack() as last, workers(threads) as (pool, stop):

            def work(group: _Group) -> Generator[tuple[Block, Notices], None, list[Report]]:
                reports = []
                for blocks, report in self._executed(group, stop):
                    reports.append(report)
                    # A limit may end the reading after any block, so what is worth a warning comes with it.
                    for block in blocks:
                        yield block, report.notices.hand_on()
                return reports

            first = 1 if self.scan.limit is not None else most
            ahead = Ahead(pool, stop, most_bytes, work)
            last.callback(ahead.close)
            groups = (group for group, _ in width.together(partitions_of(self.scan, self.resolved)))
            for group, found in ahead.run(groups, first, most):
                if isinstance(found, tuple):
                    take_notices(found[1])
                    yield found[0]
                    continue
                stats.partitions += len(group)
                for (_, partition), report in zip(group, found, strict=True):
                    report.add_to(stats, partition)
                    take_notices(report.notices)

    def _empty(self, partition: Partition, ordinal: int) -> Block:
        block = Block(self._nothing, self.resolved.source.files[partition.file], partition, ordinal)
        for stage in self.local:
            block = stage(block, Notices())
        return block


@dataclass(slots=True)
class _Handover:
    """Hands batches over in order, short ones together: each costs more than its rows."""

    put: Put
    row: int
    _held: list[pa.RecordBatch] = field(default_factory=list)
    _rows: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self._held.append(batch)
        self._rows += batch.num_rows
        if self._rows >= SMALL_ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self.put(self._held, self.row)
        self.row, self._held, self._rows = self.row + self._rows, [], 0


def _mapped(stage: Stage, blocks: Iterator[Block], take_notices: TakeNotices) -> Iterator[Block]:
    for block in blocks:
        notices = Notices()
        staged = stage(block, notices)
        take_notices(notices)
        yield staged


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)


class _NoFile:
    """Stands for the file of the empty batch that a schema is derived from."""

    uri = path = ""
    size = 0
    position = 0


def _schema_after(stage: Stage, schema: pa.Schema) -> pa.Schema:
    """Return the schema that a stage makes of another: what it does to no rows."""
    return stage(Block(_no_rows(schema), _NoFile(), Partition(0, 0), 0), Notices()).batch.schema  # type: ignore[arg-type]
