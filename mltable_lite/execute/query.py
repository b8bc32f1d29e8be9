"""A query: one plan, bound to its sources, optimised, and executed partition by partition, in order, in parallel."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from mltable_lite.errors import Notices, StrictModeError
from mltable_lite.execute.scan import Report, ScanTask
from mltable_lite.execute.sources import Catalogue, Resolved
from mltable_lite.execute.stats import ScanStats
from mltable_lite.execute.stream import Block, Stage, ordered_stage, refuse_missing_partitions, row_wise_stage
from mltable_lite.execute.workers import workers
from mltable_lite.formats.base import Partition
from mltable_lite.formats.file_table import FILE_NUMBER
from mltable_lite.optimise import optimise
from mltable_lite.plan import Convert, Files, Limit, Plan, Project, Scan, Skip, bind
from mltable_lite.spec.model import Names
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions

if TYPE_CHECKING:
    import threading
    from concurrent.futures import Future


def thread_count() -> int:
    """Return how many partitions are worked on at once: ``MLTABLE_LITE_THREADS``, or the cores this process may use."""
    given = os.environ.get("MLTABLE_LITE_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else len(os.sched_getaffinity(0))


#: Called with the notices of each partition, in row order.
_TakeNotices = Callable[[Notices], None]

#: Called in a worker with a batch of the result and the number of its first row.
Put = Callable[[pa.RecordBatch, int], None]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a query needs besides its plan.

    Attributes:
        options: Storage options, credentials among them.
        origin: How error texts call the table: ``data/MLTable``.
        strict: Whether what would be a warning is an error.
    """

    options: StorageOptions = NO_OPTIONS
    origin: str = "MLTable"
    strict: bool = False


class Query:
    """A plan on its way through binding, optimising and executing. Made anew for every read; not shared."""

    def __init__(self, logical: Plan, settings: Settings, *, optimised: bool = True) -> None:
        self.logical = logical
        self.settings = settings
        self.stats = ScanStats()
        self._notices = Notices()
        self._optimise = optimised
        self._widened = False
        self.catalogue = Catalogue(settings.options, settings.origin, self._run_files)
        self._prepare()

    def _prepare(self) -> None:
        bound = bind(self.logical, self.catalogue)
        self._bound_notices = bound.notices
        self.use(optimise(bound.plan) if self._optimise else bound.plan)

    def use(self, plan: Plan) -> None:
        """Execute this bound plan from now on; it must be an equivalent of the one before."""
        self.plan = plan
        self._pipeline = _Pipeline(plan, self.catalogue)
        self.schema = self._pipeline.schema

    @property
    def notices(self) -> Notices:
        """Everything worth a warning so far."""
        every = Notices()
        for part in (self._bound_notices, self.catalogue.notices, self._notices):
            every.extend(part)
        return every

    @property
    def scan(self) -> Scan | None:
        """The plan's scan; `None` for a table of files."""
        return next((node for node in self.plan.walk() if isinstance(node, Scan)), None)

    @property
    def resolved(self) -> Resolved:
        """What the plan's scan reads."""
        return self._pipeline.resolved

    def partitions(self) -> Iterator[tuple[int, Partition]]:
        """Yield the partitions that the scan reads, with their numbers. Reads metadata only."""
        return _partitions(self._pipeline.scan, self._pipeline.resolved)

    # ---------------------------------------------------------------- rows
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the result's batches in row order, each with the query's schema; empty ones are left out.

        Raises:
            SchemaMismatchError: A value past the sample does not fit; `widen` and start again, or give up.
            StrictModeError: In strict mode, as soon as something is worth a warning.
        """
        self._check_strict(self.notices)
        for block in self.blocks():
            if block.batch.num_rows:
                yield block.batch.select(self.schema.names)

    def blocks(self, put: Put | None = None) -> Iterator[Block]:
        """Yield the result as blocks: at least one, perhaps empty, for every partition that is left.

        With `put`, workers hand their rows over to it, each with its row number, and the blocks come out empty. Only
        where `row_numbers_are_known`.
        """
        self.stats = ScanStats()
        self._notices = Notices()
        return self._pipeline.run(self.stats, self._take_notices, put)

    @property
    def row_numbers_are_known(self) -> bool:
        """Whether metadata tells which rows of the result each partition is: nothing filters, skips or stops."""
        return not self._pipeline.ordered and self._known_rows(self.plan) is not None

    def _take_notices(self, notices: Notices) -> None:
        self._notices.extend(notices)
        self._check_strict(notices)

    def _check_strict(self, notices: Notices) -> None:
        if self.settings.strict:
            for notice in notices:
                raise StrictModeError(
                    f"{notice.text()} (strict mode makes a {notice.category.__name__} an error)"
                )

    def widen(self) -> bool:
        """Give the scan the schema of its whole input; tell whether that can help, which it can once."""
        scan = self.scan
        if scan is None or self._widened or self.settings.strict:
            return False
        self._widened = True
        notices = self.catalogue.widen(scan, ScanTask(scan, self.catalogue.scan(scan)).columns)
        if notices is None:
            return False
        self.catalogue.notices.extend(notices)
        self._prepare()
        return True

    def run(self, plan: Plan) -> Iterator[Block]:
        """Yield the blocks of another bound plan over the same sources; the query's statistics do not count it."""
        return _Pipeline(plan, self.catalogue).run(ScanStats(), lambda _: None)

    def _run_files(self, plan: Plan) -> pa.Table:
        pipeline = _Pipeline(plan, self.catalogue)
        blocks = pipeline.run(ScanStats(), self._take_notices)
        return pa.Table.from_batches((block.batch for block in blocks), schema=pipeline.full_schema)

    # ---------------------------------------------------------------- counts
    def count_rows(self) -> int:
        """Return the number of rows: from metadata where it tells, else by reading as little as counts them."""
        known = self._known_rows(self.plan)
        if known is not None:
            return known
        # Rows are counted by one column, the narrowest there is.
        narrow = min(self.schema, key=lambda column: _width(column.type), default=None)
        if narrow is not None:
            self.use(optimise(Project(self.plan, Names((narrow.name,)))))
        return sum(block.batch.num_rows for block in self.blocks())

    def _known_rows(self, plan: Plan) -> int | None:
        match plan:
            case Scan(predicate=None, samples=()):
                rows = [partition.rows for _, partition in _partitions(plan, self.catalogue.scan(plan))]
                return None if None in rows else sum(r for r in rows if r is not None)
            case Files():
                return len(self.catalogue.files(plan)[0].files)
            case Project() | Convert():
                return self._known_rows(plan.source)
            case Limit() | Skip():
                rows_below = self._known_rows(plan.source)
                if rows_below is None:
                    return None
                return (
                    min(rows_below, plan.count)
                    if isinstance(plan, Limit)
                    else max(0, rows_below - plan.count)
                )
        return None

    def count_partitions(self) -> int:
        """Return the number of partitions that are left; steps that count rows make it read."""
        scan = self.scan
        if scan is not None and all(node is scan or node.row_wise for node in _above(self.plan, scan)):
            return sum(1 for _ in _partitions(scan, self.catalogue.scan(scan)))
        return len({block.ordinal for block in self.blocks()})


def _width(kind: pa.DataType) -> int:
    """Return about how many bits a value takes; what has no fixed width comes last."""
    try:
        return int(kind.bit_width)
    except ValueError:
        return 1 << 20


def _above(plan: Plan, leaf: Plan) -> Iterator[Plan]:
    for node in plan.walk():
        yield node
        if node is leaf:
            return


def _partitions(scan: Scan, resolved: Resolved) -> Iterator[tuple[int, Partition]]:
    """Yield the partitions that a scan reads, with their numbers."""
    if scan.partitions is None:
        source = resolved.source if scan.predicate is None else resolved.source.prune(scan.predicate)
        yield from enumerate(source.partitions())
        return
    every = list(resolved.source.partitions())
    refuse_missing_partitions(scan.partitions, len(every))
    for index in scan.partitions:
        yield index, every[index]


class _Pipeline:
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

    def run(self, stats: ScanStats, take_notices: _TakeNotices, put: Put | None = None) -> Iterator[Block]:
        stats.files_listed = len(self.resolved.source.files)
        stats.names_skipped = self.resolved.names_skipped
        stats.columns_read = self.task.columns
        blocks = self._scan_blocks(stats, take_notices, put)
        for step in self.ordered:
            blocks = (
                ordered_stage(step, blocks) if isinstance(step, Plan) else _mapped(step, blocks, take_notices)
            )
        return blocks

    def _scan_blocks(self, stats: ScanStats, take_notices: _TakeNotices, put: Put | None) -> Iterator[Block]:
        """Yield blocks in row order while workers are ahead by a bounded number of partitions.

        A limit makes the head start small at first: most often the first partition is all that is needed.
        """
        partitions = _partitions(self.scan, self.resolved)
        threads = thread_count()
        most = (
            threads + 2
        )  # so many partitions are in memory at once: decoded, being decoded, or being consumed
        window = 1 if self.scan.limit is not None else most
        waiting: deque[tuple[int, Partition, Future[tuple[list[Block], Report]]]] = deque()
        row = 0
        with workers(threads) as (pool, stop):
            while True:
                while len(waiting) < window and (item := next(partitions, None)) is not None:
                    stats.partitions += 1
                    waiting.append((*item, pool.submit(self._work, item[1], item[0], stop, put, row)))
                    row += item[1].rows or 0
                if not waiting:
                    return
                ordinal, partition, future = waiting.popleft()
                blocks, report = future.result()
                del future
                report.add_to(stats, partition)
                take_notices(report.notices)
                if not blocks:
                    yield self._empty(partition, ordinal)
                while blocks:
                    yield blocks.pop(0)
                window = min(2 * window, most)

    def _work(
        self, partition: Partition, ordinal: int, stop: threading.Event, put: Put | None, row: int
    ) -> tuple[list[Block], Report]:
        report = Report()
        blocks = []
        for block in self.task.run(partition, ordinal, report, stop):
            for stage in self.local:
                block = stage(block, report.notices)  # noqa: PLW2901 - the stages are a chain
            if put is None:
                blocks.append(block)
            else:
                put(block.batch, row)
                row += block.batch.num_rows
        return blocks, report

    def _empty(self, partition: Partition, ordinal: int) -> Block:
        block = Block(
            _no_rows(self.task.schema), self.resolved.source.files[partition.file], partition, ordinal
        )
        for stage in self.local:
            block = stage(block, Notices())
        return block


def _mapped(stage: Stage, blocks: Iterator[Block], take_notices: _TakeNotices) -> Iterator[Block]:
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
