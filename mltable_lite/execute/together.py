"""Small partitions executed as if they were one: each by itself takes longer than its rows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from mltable_lite.errors import MLTableError, Notices
from mltable_lite.execute.evaluate import mask
from mltable_lite.execute.sampling import keys_of, sample_mask
from mltable_lite.execute.scan import Report
from mltable_lite.execute.stream import Block, with_constants_of
from mltable_lite.execute.width import SMALL_BYTES, SMALL_ROWS

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from mltable_lite.execute.scan import ScanTask
    from mltable_lite.formats.base import Partition

#: A partition after its number among all.
Numbered: TypeAlias = "tuple[int, Partition]"
#: What becomes of a partition: its blocks, and the report that is complete when they are consumed.
Executed: TypeAlias = "tuple[Generator[Block], Report]"

#: How many partitions are executed together, and of about how many stored bytes.
_MOST = 64
_MOST_BYTES = 2 * 1024 * 1024
#: How often that may fail more than it succeeds.
_FAILURES = 3


@dataclass(slots=True)
class _Turn:
    """A partition's turn.

    Attributes:
        ordinal: Its number among all.
        partition: The partition.
        drawn: Which of its rows the samples keep, once that is known.
        executed: What became of it; `None` where it is executed by itself.
    """

    ordinal: int
    partition: Partition
    drawn: np.ndarray | None = None
    executed: Executed | None = None


class Together:
    """Executes partitions of one scan in turn, small ones together: with the same rows, places and warnings."""

    def __init__(self, task: ScanTask) -> None:
        self._task = task
        self._failures_left = _FAILURES if task.source.joins else 0

    def in_turn(self, partitions: Sequence[Numbered], stop: threading.Event) -> Iterator[Executed]:
        """Yield what becomes of each partition: its rows as blocks with the scan's columns, and the report.

        Raises:
            MLTableError: From the blocks, with the file and the place in it.
        """
        turns: deque[_Turn] = deque()
        for place, (ordinal, partition) in enumerate(partitions):
            if not turns:
                turns.extend(_Turn(*each) for each in partitions[place : place + _MOST])
                self._execute(turns)
            executed = turns.popleft().executed
            if executed is None:
                report = Report()
                executed = self._task.run(partition, ordinal, report, stop), report
            yield executed

    def _execute(self, turns: Iterable[_Turn]) -> None:
        """Execute the small ones among the partitions, as far as that goes."""
        if self._failures_left <= 0:
            return
        small = self._small(turns)
        if len(small) <= 1:
            return
        try:
            done = self._together(small)
        except (MLTableError, pa.ArrowException, OSError, ValueError, EOFError):
            done = False  # it is raised when its turn comes
        self._failures_left += 1 if done else -1

    def _small(self, turns: Iterable[_Turn]) -> list[_Turn]:
        source = self._task.source
        left = _MOST_BYTES
        small = []
        for turn in turns:
            stored = source.stored_bytes(turn.partition)
            # Nobody knows how much a compressed one holds.
            known = stored > 0 and turn.partition.stop >= 0
            if left > 0 and known and stored <= SMALL_BYTES and (turn.partition.rows or 0) < SMALL_ROWS:
                small.append(turn)
                left -= stored
        return small

    def _together(self, turns: list[_Turn]) -> bool:
        """Execute partitions together; tell whether that was possible."""
        task = self._task
        turns = [turn for turn in turns if not self._is_ruled_out(turn)]
        if task.scan.samples and turns and turns[0].partition.rows is not None:
            self._draw(turns, [turn.partition.rows or 0 for turn in turns])
            turns = [turn for turn in turns if not self._is_ruled_out(turn)]
        if not turns:
            return True
        request = task.request(task.columns, Notices())
        read = task.source.read_together([turn.partition for turn in turns], request)
        if read is None or len(request.notices):
            return False
        batch, rows = read
        turns = turns[: len(rows)]
        # Nobody knows whose bytes they were: all are about as small.
        read_bytes = np.diff(np.linspace(0, request.bytes_read, len(turns) + 1).astype(int)).tolist()
        reports = [
            Report(decoded=True, rows_decoded=count, bytes_read=size)
            for count, size in zip(rows, read_bytes, strict=True)
        ]
        self._hand_out(turns, batch, reports)
        return True

    def _is_ruled_out(self, turn: _Turn) -> bool:
        """Tell whether no row of a partition is kept, and if so, see to it that it is not read."""
        ruled_out = self._task.is_ruled_out(turn.partition) if turn.drawn is None else not turn.drawn.any()
        if ruled_out:
            turn.executed = _given(), Report()
        return ruled_out

    def _draw(self, turns: Sequence[_Turn], rows: Sequence[int]) -> None:
        """Note which of their rows the samples keep."""
        source, samples = self._task.source, self._task.scan.samples
        identities = [(source.files[turn.partition.file].position, turn.partition.number) for turn in turns]
        keys = keys_of(identities, rows)
        drawn = np.ones(len(keys), bool)
        for each in samples:
            drawn &= sample_mask(keys, each.lower, each.upper, each.seed, each.step)
        for turn, part in zip(turns, np.split(drawn, np.cumsum(rows)[:-1]), strict=True):
            turn.drawn = part

    def _hand_out(self, turns: Sequence[_Turn], batch: pa.RecordBatch, reports: Sequence[Report]) -> None:
        """Give each partition those of its rows that samples and predicate keep."""
        task = self._task
        rows = [report.rows_decoded for report in reports]
        kept: np.ndarray | None = None
        if task.constants.num_columns:
            files = np.repeat([turn.partition.file for turn in turns], rows)
            batch = with_constants_of(batch, task.constants, pa.array(files))
        if task.scan.samples:
            if turns[0].drawn is None:
                self._draw(turns, rows)
            kept = np.concatenate([turn.drawn for turn in turns])
            batch = batch.filter(pa.array(kept))
        if task.scan.predicate is not None:
            passing = mask(task.scan.predicate, batch)
            batch = batch.filter(passing)
            if kept is None:
                kept = np.asarray(passing)
            else:
                kept[kept] = np.asarray(passing)
        batch = task.finished(batch)
        ends = np.cumsum(rows)
        ends_kept = ends if kept is None else np.concatenate([[0], np.cumsum(kept)])[ends]
        selected = None if kept is None else pa.array(kept)
        start = first = 0
        for turn, report, end, last in zip(turns, reports, ends.tolist(), ends_kept.tolist(), strict=True):
            report.rows_out = last - first
            masks = () if selected is None else (selected.slice(start, end - start),)
            file = task.source.files[turn.partition.file]
            block = Block(
                batch.slice(first, report.rows_out), file, turn.partition, turn.ordinal, masks=masks
            )
            turn.executed = _given(block), report
            start, first = end, last


def _given(*blocks: Block) -> Generator[Block]:
    yield from blocks
