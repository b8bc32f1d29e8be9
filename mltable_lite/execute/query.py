"""A query: one plan, bound to its sources, optimised, and executed partition by partition, in order, in parallel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from mltable_lite.errors import ColumnNotFoundError, FilterTypeError, Notices, StrictModeError
from mltable_lite.execute.pipeline import Pipeline, Put, partitions_of
from mltable_lite.execute.scan import ScanTask
from mltable_lite.execute.sources import Catalogue, Resolved
from mltable_lite.execute.stats import ScanStats
from mltable_lite.optimise import optimise
from mltable_lite.plan import Bound, Convert, Files, Limit, Plan, Project, Scan, Skip, bind
from mltable_lite.spec.model import Names
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltable_lite.execute.stream import Block
    from mltable_lite.formats.base import Partition


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
        self.catalogue = Catalogue(settings.options, settings.origin, _run_files)
        self._prepare()

    def _prepare(self) -> None:
        bound = self._bind()
        self._bound_notices = bound.notices
        self.use(optimise(bound.plan) if self._optimise else bound.plan)

    def _bind(self) -> Bound:
        while True:
            try:
                return bind(self.logical, self.catalogue)
            except (ColumnNotFoundError, FilterTypeError) as error:
                # A sample only guesses which columns there are, and of what type. After each look less is a guess.
                if not self.catalogue.look_further(error):
                    raise

    def use(self, plan: Plan) -> None:
        """Execute this bound plan from now on; it must be an equivalent of the one before."""
        self.plan = plan
        self._pipeline = Pipeline(plan, self.catalogue)
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
        return partitions_of(self._pipeline.scan, self._pipeline.resolved)

    # ---------------------------------------------------------------- rows
    def batches(self, most_bytes: int | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the result's batches in row order, each with the query's schema; empty ones are left out.

        Without `most_bytes` memory is bounded by the partitions in flight, with it by about so many bytes.

        Raises:
            SchemaMismatchError: A value past the sample does not fit; `widen` and start again, or give up.
            StrictModeError: In strict mode, as soon as something is worth a warning.
        """
        for block in self.blocks(most_bytes=most_bytes):
            if block.batch.num_rows:
                yield block.batch.select(self.schema.names)

    def blocks(self, put: Put | None = None, most_bytes: int | None = None) -> Iterator[Block]:
        """Yield the result as blocks: at least one, perhaps empty, for every partition that is left.

        With `put`, workers hand their rows over to it, with their row numbers, and no blocks come out. Only where
        `row_numbers_are_known`.

        Raises:
            StrictModeError: In strict mode, where the plan or the files alone are worth a warning.
        """
        self.stats = ScanStats()
        self._notices = Notices()
        self._check_strict(self.notices)
        return self._pipeline.run(self.stats, self._take_notices, put, most_bytes)

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
                raise StrictModeError.of(notice)

    def widen(self, column: str | None = None) -> bool:
        """Give the scan the schema of its whole input; tell whether that can help, which it can once.

        Args:
            column: The one that a value did not fit, where that is known.
        """
        scan = self.scan
        if scan is None or self._widened or self.settings.strict:
            return False
        self._widened = True
        notices = self.catalogue.widen(scan, ScanTask(scan, self.catalogue.scan(scan)).columns)
        if notices is None and column is not None:
            # The types of most columns are exact, but perhaps not that of this one.
            notices = self.catalogue.widen(scan, (column,))
        if notices is None:
            return False
        self.catalogue.notices.extend(notices)
        self._prepare()
        return True

    def run(self, plan: Plan) -> Iterator[Block]:
        """Yield the blocks of another bound plan over the same sources; the query's statistics do not count it."""
        return Pipeline(plan, self.catalogue).run(ScanStats(), lambda _: None)

    # ---------------------------------------------------------------- counts
    def count_rows(self) -> int:
        """Return the number of rows: from metadata where it tells, else by reading as little as counts them."""
        known = self._known_rows(self.plan)
        if known is not None:
            return known
        # Rows are counted by one column, the narrowest there is. Once the one that was tried had to be widened, another
        # that is only guessed might have to be, too.
        narrow = min(self.schema, key=self._counting_costs, default=None)
        if narrow is not None:
            self.use(optimise(Project(_of_known_columns(self.plan), Names((narrow.name,)))))
        return sum(block.batch.num_rows for block in self.blocks())

    def _counting_costs(self, column: pa.Field[Any]) -> tuple[bool, int]:
        doubtful = self._widened and self.resolved.source.may_change(column.name)
        return doubtful, _width(column.type)

    def _known_rows(self, plan: Plan) -> int | None:
        match plan:
            case Scan(predicate=None, samples=()):
                rows = [partition.rows for _, partition in partitions_of(plan, self.catalogue.scan(plan))]
                return None if None in rows else sum(r for r in rows if r is not None)
            case Files():
                return len(self.catalogue.files(plan).source.files)
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
            return sum(1 for _ in partitions_of(scan, self.catalogue.scan(scan)))
        return len({block.ordinal for block in self.blocks()})


def _of_known_columns(plan: Plan) -> Plan:
    """Return the plan whose scan takes no interest in columns that only later rows bring."""
    if isinstance(plan, Scan):
        return replace(plan, new_columns=False)
    return plan if plan.input is None else plan.with_input(_of_known_columns(plan.input))


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


def _run_files(plan: Plan, catalogue: Catalogue) -> pa.Table:
    """Return what a plan over files gives; a method would keep each query until the garbage collector comes."""
    pipeline = Pipeline(plan, catalogue)
    blocks = pipeline.run(ScanStats(), catalogue.notices.extend)
    return pa.Table.from_batches((block.batch for block in blocks), schema=pipeline.full_schema)
