"""A bound plan in execution: cut in two, what workers do to a partition and what needs the order of rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from mltable_lite.errors import MLTableError, Notices
from mltable_lite.execute.ahead import Ahead
from mltable_lite.execute.scan import Report, ScanTask
from mltable_lite.execute.sources import Catalogue, Resolved
from mltable_lite.execute.stream import Block, Stage, ordered_stage, refuse_missing_partitions, row_wise_stage
from mltable_lite.execute.width import Width
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

#: Called in a worker with a batch of the result and the number of its first row.
Put = Callable[[pa.RecordBatch, int], None]


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
            source, skipped = catalogue.files(leaf)
            resolved = Resolved(source, pa.table({}), source.schema, skipped)
            leaf = Scan(leaf, None, tuple(source.schema.names))
        else:
            assert isinstance(leaf, Scan)
            resolved = catalogue.scan(leaf)
        self.scan = leaf
        self.resolved = resolved
        self.task = ScanTask(leaf, resolved)
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
                for ordinal, partition in group:
                    found = done.pop(0)
                    if isinstance(found, MLTableError):
                        raise found
                    blocks, report = found
                    report.add_to(stats, partition)
                    take_notices(report.notices)
                    if not blocks:
                        yield self._empty(partition, ordinal)
                    while blocks:
                        yield blocks.pop(0)
                window = width.wider(window)

    def _work_on(self, group: _Group, stop: threading.Event, put: Put | None, row: int) -> list[_Done]:
        """Return what became of each partition; nothing is done after an error, whose turn comes after the rows before."""
        done: list[_Done] = []
        decoded = self.task.together(partition for _, partition in group)
        for ordinal, partition in group:
            if stop.is_set():
                break
            try:
                done.append(self._work(partition, ordinal, stop, put, row, decoded.pop(partition, None)))
            except MLTableError as error:
                done.append(error)
                break
            row += partition.rows or 0
        return done

    def _work(
        self,
        partition: Partition,
        ordinal: int,
        stop: threading.Event,
        put: Put | None,
        row: int,
        decoded: pa.RecordBatch | None,
    ) -> tuple[list[Block], Report]:
        report = Report()
        blocks = []
        for block in self.task.run(partition, ordinal, report, stop, decoded):
            for stage in self.local:
                block = stage(block, report.notices)  # noqa: PLW2901 - the stages are a chain
            if put is None:
                blocks.append(block)
            else:
                put(block.batch, row)
                row += block.batch.num_rows
        return blocks, report

    def _bounded_blocks(
        self, stats: ScanStats, take_notices: TakeNotices, most_bytes: int
    ) -> Iterator[Block]:
        """Yield blocks as `_scan_blocks` does, but each as soon as it is decoded, and within a number of bytes."""
        threads = Ahead.threads(most_bytes, Width(self.resolved.source).threads)
        most = threads + 2
        with workers(threads) as (pool, stop):

            def work(item: tuple[int, Partition], put: Callable[[Block], bool]) -> Report:
                report = Report()
                for block in self.task.run(item[1], item[0], report, stop):
                    for stage in self.local:
                        block = stage(block, report.notices)  # noqa: PLW2901 - the stages are a chain
                    if not put(block):
                        break
                return report

            empty = True
            first = 1 if self.scan.limit is not None else most
            ahead = Ahead(pool, stop, most_bytes, work)
            for (ordinal, partition), found in ahead.run(
                partitions_of(self.scan, self.resolved), first, most
            ):
                if not isinstance(found, Report):
                    empty = False
                    yield found
                    continue
                stats.partitions += 1
                found.add_to(stats, partition)
                take_notices(found.notices)
                if empty:
                    yield self._empty(partition, ordinal)
                empty = True

    def _empty(self, partition: Partition, ordinal: int) -> Block:
        block = Block(self._nothing, self.resolved.source.files[partition.file], partition, ordinal)
        for stage in self.local:
            block = stage(block, Notices())
        return block


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
