"""One partition of a scan: decode, attach constant columns, then sample, filter, limit and drop columns, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import DataError, MLTableError, Notices
from mltable_lite.execute.stream import Block, drawn_rows, keep_matching, with_constants
from mltable_lite.execute.width import SMALL_ROWS
from mltable_lite.expr import Bounds, can_match, columns_of
from mltable_lite.formats.base import Partition, Request

if TYPE_CHECKING:
    import threading
    from collections.abc import Generator, Iterable, Iterator

    from mltable_lite.execute.sources import Resolved
    from mltable_lite.execute.stats import ScanStats
    from mltable_lite.formats.base import InputFile
    from mltable_lite.plan import Scan


#: Rows that draws are made for at once: their hashes stay in the processor's cache, however long a row group is.
_DRAWN_ROWS = 1 << 16
#: Partitions that are read in two goes before it is judged, and the share of them that must have been spared.
_TRIALS = 4


@dataclass(slots=True)
class Report:
    """What executing one partition found out, besides its rows."""

    decoded: bool = False
    rows_decoded: int = 0
    rows_out: int = 0
    bytes_read: int = 0
    notices: Notices = field(default_factory=Notices)

    def add_to(self, stats: ScanStats, partition: Partition) -> None:
        """Add this partition's counts to the statistics of the read."""
        stats.partitions_read += self.decoded
        stats.partitions_skipped += not self.decoded
        stats.rows_decoded += self.rows_decoded
        stats.rows_out += self.rows_out
        stats.bytes_read += self.bytes_read
        if self.decoded:
            stats.opened.add(partition.file)


@dataclass(frozen=True, slots=True)
class _Turn:
    """One partition's turn.

    Attributes:
        partition: The partition.
        ordinal: Its number among all.
        drawn: Which of its rows the samples keep, where that is known before they are read.
        report: What is found out goes there.
        stop: Set when nobody wants further rows.
    """

    partition: Partition
    ordinal: int
    drawn: np.ndarray | None
    report: Report
    stop: threading.Event


class ScanTask:
    """Executes the partitions of one scan, each by itself and in any thread."""

    def __init__(self, scan: Scan, resolved: Resolved) -> None:
        assert scan.columns is not None
        self.scan = scan
        self.source = resolved.source
        asked = columns_of(scan.predicate) if scan.predicate is not None else set()
        needed = {*scan.columns, *asked}
        data = self.source.schema.names
        # Rows are counted by a decoded column, so at least one is, even when only constant columns are wanted.
        self.columns = tuple(name for name in data if name in needed) or tuple(data[:1])
        self._tried = self._spared = 0
        self.deciding: tuple[str, ...] = ()
        self.others: tuple[str, ...] = ()
        if self.source.columnar:
            deciding = tuple(name for name in self.columns if name in asked)
            if 0 < len(deciding) < len(self.columns):
                self.deciding = deciding
                self.others = tuple(name for name in self.columns if name not in asked)
        self.constants = resolved.constants.select(
            [n for n in resolved.constants.column_names if n in needed]
        )
        self._asked_constants = self.constants.select([n for n in self.constants.column_names if n in asked])
        self._matches: dict[tuple[Any, ...], bool] = {}
        self.schema = pa.schema(
            [resolved.schema.field(name) for name in scan.columns], metadata=resolved.schema.metadata
        )

    def run(
        self, partition: Partition, ordinal: int, report: Report, stop: threading.Event
    ) -> Generator[Block]:
        """Yield the partition's rows as blocks with the scan's columns; nothing where it can be ruled out.

        Args:
            partition: The partition.
            ordinal: Its number among all.
            report: What is found out goes there.
            stop: Set when nobody wants further rows.

        Raises:
            MLTableError: With the file and the place in it.
        """
        file = self.source.files[partition.file]
        try:
            drawn = self._drawn(partition)
            if not self.is_ruled_out(partition) and (drawn is None or drawn.any()):
                yield from self._decode(_Turn(partition, ordinal, drawn, report, stop))
        except MLTableError:
            raise
        except (pa.ArrowException, OSError, ValueError, EOFError) as error:
            raise DataError(f"{file.uri}, partition {partition.number}: {error}") from error

    def is_ruled_out(self, partition: Partition) -> bool:
        """Tell whether metadata proves that no row of a partition passes the predicate."""
        predicate = self.scan.predicate
        return predicate is not None and (
            not self._may_match(partition.file) or self.source.can_skip(partition, predicate)
        )

    def _may_match(self, file: int) -> bool:
        """Tell whether the predicate may hold with a file's constants; found out once for the files of one folder."""
        assert self.scan.predicate is not None
        values = tuple(column[file].as_py() for column in self._asked_constants.columns)
        if values not in self._matches:
            names = self._asked_constants.column_names
            bounds = {name: Bounds.of(value) for name, value in zip(names, values, strict=True)}
            self._matches[values] = can_match(self.scan.predicate, bounds)
        return self._matches[values]

    def _drawn(self, partition: Partition) -> np.ndarray | None:
        """Return which rows of a partition the samples keep, where metadata tells how many it has."""
        if not self.scan.samples or partition.rows is None:
            return None
        file = self.source.files[partition.file]
        kept = [
            self._sampled(file, partition, np.arange(start, min(start + _DRAWN_ROWS, partition.rows)))
            for start in range(0, partition.rows, _DRAWN_ROWS)
        ]
        return np.concatenate(kept) if kept else np.zeros(0, bool)

    def _sampled(self, file: InputFile, partition: Partition, rows: np.ndarray) -> np.ndarray:
        """Return which of the rows with these consecutive numbers all samples keep."""
        kept = rows
        for sampling in self.scan.samples:
            kept = kept[drawn_rows(file, partition, kept, sampling)]
        mask = np.zeros(len(rows), bool)
        mask[kept - rows[:1]] = True
        return mask

    def _decode(self, turn: _Turn) -> Iterator[Block]:
        turn.report.decoded = True
        left = self.scan.limit
        blocks = self._in_two_goes(turn) if self._pays(turn.partition) else self._in_one_go(turn)
        for block in blocks:
            for finished in self._finished(block):
                turn.report.rows_out += finished.batch.num_rows
                yield finished
                if left is not None:
                    left -= finished.batch.num_rows
            if left is not None and left <= 0:
                return

    def _pays(self, partition: Partition) -> bool:
        """Whether the predicate's columns are read first: it spares much where no row passes, and costs some else."""
        if not self.deciding or (partition.rows or 0) < SMALL_ROWS:
            return False
        return self._tried < _TRIALS or self._spared * _TRIALS >= self._tried

    def _in_one_go(self, turn: _Turn, columns: tuple[str, ...] = ()) -> Iterator[Block]:
        """Yield the rows that samples and predicate keep, with the columns read and the constant ones."""
        request = self.request(columns or self.columns, turn.report.notices)
        batches = self._counted(self.source.read(turn.partition, request), request, turn.report)
        yield from self._kept(batches, turn)

    def request(self, columns: tuple[str, ...], notices: Notices) -> Request:
        """Return what is asked of the source, for some columns."""
        scan = self.scan
        return Request(
            columns,
            scan.limit,
            new_columns=scan.new_columns,
            encoded=bool(scan.samples) or scan.predicate is not None,
            texts=scan.texts,
            notices=notices,
        )

    @staticmethod
    def _counted(
        batches: Iterable[pa.RecordBatch], request: Request, report: Report
    ) -> Iterator[pa.RecordBatch]:
        """Yield batches while the bytes that were read for them are counted."""
        for batch in batches:
            report.bytes_read += request.bytes_read
            request.bytes_read = 0
            yield batch

    def _kept(self, batches: Iterable[pa.RecordBatch], turn: _Turn) -> Iterator[Block]:
        """Yield the rows of a partition's batches that samples and predicate keep, with the constant columns."""
        scan, partition, drawn = self.scan, turn.partition, turn.drawn
        file = self.source.files[partition.file]
        rows_are = self.source.files if self.source.in_memory else ()
        first_row = 0
        for batch in batches:
            if self.constants.num_columns:
                batch = with_constants(batch, self.constants, partition.file)  # noqa: PLW2901
            block = Block(batch, file, partition, turn.ordinal, first_row, rows_are=rows_are)
            first_row += batch.num_rows
            turn.report.rows_decoded += batch.num_rows
            if scan.samples:
                kept = (
                    self._sampled(file, partition, block.row_numbers())
                    if drawn is None
                    else drawn[block.first_row : first_row]
                )
                block = block.keep(pa.array(kept))
            yield block if scan.predicate is None else keep_matching(block, scan.predicate)
            if turn.stop.is_set():
                return

    def _in_two_goes(self, turn: _Turn) -> Iterator[Block]:
        """Yield the same rows; what the predicate does not ask for is decoded only up to the last row that passes."""
        request = self.request(self.others, turn.report.notices)
        others: Iterator[pa.RecordBatch] = iter(())
        start = end = 0  # the rows of the partition that `batch` holds
        for block in self._in_one_go(turn, self.deciding):
            if not block.batch.num_rows:
                continue
            numbers = block.row_numbers()
            others = others if end else self.source.read(turn.partition, request)
            first = 0
            while first < len(numbers):
                while end <= numbers[first]:
                    batch = next(others)
                    start, end = end, end + batch.num_rows
                last = int(np.searchsorted(numbers, end))
                kept = np.zeros(batch.num_rows, bool)
                kept[numbers[first:last] - start] = True
                mask = pa.array(kept)
                both = [block.batch.slice(first, last - first), batch.filter(mask)]
                joined = pa.RecordBatch.from_arrays(
                    [column for each in both for column in each.columns],
                    schema=pa.schema([field for each in both for field in each.schema]),
                )
                yield Block(joined, block.file, turn.partition, turn.ordinal, start, (mask,))
                first = last
            turn.report.bytes_read += request.bytes_read
            request.bytes_read = 0
        self._tried += 1
        self._spared += not end

    def _finished(self, block: Block) -> Iterator[Block]:
        """Yield the rows with the scan's columns, in parts where one array cannot hold the texts."""
        try:
            batch = self.finished(block.batch)
        except pa.ArrowInvalid:
            rows = np.arange(block.batch.num_rows)
            if len(rows) < 2:  # noqa: PLR2004 - nothing to cut
                raise
            for half in (rows < len(rows) // 2, rows >= len(rows) // 2):
                yield from self._finished(block.keep(pa.array(half)))
        else:
            yield block if batch is block.batch else replace(block, batch=batch)

    def finished(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the rows with the scan's columns; encoded texts are decoded.

        Raises:
            pa.ArrowInvalid: One array cannot hold the texts.
        """
        if batch.schema.equals(self.schema, check_metadata=True):
            return batch
        arrays = [
            array.dictionary.take(array.indices)
            if array.type != field.type and pt.is_dictionary(array.type)
            else array
            for array, field in zip(map(batch.column, self.schema.names), self.schema, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)
