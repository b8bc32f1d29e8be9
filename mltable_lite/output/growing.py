"""A frame that is filled while rows come, of which nobody knows beforehand how many there will be."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from mltable_lite.execute.width import SMALL_ROWS, thread_count
from mltable_lite.execute.workers import workers
from mltable_lite.output.frame import SHORT_ROWS, FrameBuilder

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

    import pandas as pd
    import pyarrow as pa

    from mltable_lite.execute.query import Query

#: Room for somewhat more rows than expected: memory that is never written to costs nothing, a move costs much.
_MORE = 1.05


def fill_as_rows_come(query: Query) -> pd.DataFrame:
    """Return the rows of a query as a frame, of which no second copy ever exists."""
    with workers(thread_count()) as (pool, _):
        growing = _Growing(query, pool)
        partition, read = -1, 0
        for block in query.blocks():
            if block.ordinal != partition:
                # The bytes of a partition are counted before its first rows are seen.
                growing.expect(read)
                partition, read = block.ordinal, query.stats.bytes_read
            growing.put(block.batch)
        return growing.frame()


class _Growing:
    """Places batches while others are read.

    Those of the first partition wait: how many rows it has tells how many there will be in all.
    """

    def __init__(self, query: Query, pool: Executor) -> None:
        self._bytes = sum(file.size or 0 for file in query.resolved.source.files)
        self._builder = FrameBuilder(query.schema, 0)
        self._pool = pool
        self._waiting: deque[pa.RecordBatch] = deque()
        self._puts: deque[Future[None]] = deque()
        self._most_puts = 2 * thread_count()
        self._rows = self._placed = self._expected = 0

    def expect(self, read: int) -> None:
        """Take note that all rows so far came from so many stored bytes."""
        if read:
            self._expected = int(_MORE * self._rows * self._bytes / read)

    def put(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        if not batch.num_rows:
            return
        self._rows += batch.num_rows
        self._waiting.append(batch)
        if self._rows > self._builder.rows and self._expected:
            self._resize(max(self._expected, self._rows + self._rows // 2))
        if self._placed + SHORT_ROWS <= self._rows <= self._builder.rows:
            self._place()

    def frame(self) -> pd.DataFrame:
        """Return the frame."""
        self._resize(self._rows)
        self._place()
        self._settle(0)
        return self._builder.frame()

    def _resize(self, rows: int) -> None:
        self._settle(0)
        self._builder.resize(rows, self._placed)

    def _place(self) -> None:
        while self._waiting:
            row, batches = self._placed, []
            while self._waiting and self._placed - row < SHORT_ROWS:
                batches.append(self._waiting.popleft())
                self._placed += batches[-1].num_rows
            if self._placed - row < SMALL_ROWS:  # handing them over would take longer
                self._builder.put(batches, row)
            else:
                self._puts.append(self._pool.submit(self._builder.put, batches, row))
                self._settle(self._most_puts)

    def _settle(self, left: int) -> None:
        """Wait until no more than so many batches are being placed."""
        while len(self._puts) > left:
            self._puts.popleft().result()
