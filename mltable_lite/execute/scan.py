"""One partition of a scan: decode, attach constant columns, then sample, filter, limit and drop columns, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from mltable_lite.errors import DataError, MLTableError, Notices
from mltable_lite.execute.stream import Block, drawn_rows, keep_matching, with_constants
from mltable_lite.expr import Bounds, can_match, columns_of
from mltable_lite.formats.base import Partition, Request

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator

    from mltable_lite.execute.sources import Resolved
    from mltable_lite.execute.stats import ScanStats
    from mltable_lite.plan import Scan


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


class ScanTask:
    """Executes the partitions of one scan, each by itself and in any thread."""

    def __init__(self, scan: Scan, resolved: Resolved) -> None:
        assert scan.columns is not None
        self.scan = scan
        self.source = resolved.source
        needed = set(scan.columns)
        if scan.predicate is not None:
            needed |= columns_of(scan.predicate)
        data = self.source.schema.names
        # Rows are counted by a decoded column, so at least one is, even when only constant columns are wanted.
        self.columns = tuple(name for name in data if name in needed) or tuple(data[:1])
        self.constants = resolved.constants.select(
            [n for n in resolved.constants.column_names if n in needed]
        )
        self.schema = pa.schema(
            [resolved.schema.field(name) for name in scan.columns], metadata=resolved.schema.metadata
        )

    def run(
        self, partition: Partition, ordinal: int, report: Report, stop: threading.Event
    ) -> Iterator[Block]:
        """Yield the partition's rows as blocks with the scan's columns; nothing where it can be ruled out.

        Raises:
            MLTableError: With the file and the place in it.
        """
        file = self.source.files[partition.file]
        try:
            if not self._ruled_out(partition):
                yield from self._decode(partition, ordinal, report, stop)
        except MLTableError:
            raise
        except (pa.ArrowException, OSError, ValueError, EOFError) as error:
            raise DataError(f"{file.uri}, partition {partition.number}: {error}") from error

    def _ruled_out(self, partition: Partition) -> bool:
        scan = self.scan
        if scan.predicate is not None:
            bounds = {}
            for name in self.constants.column_names:
                value = self.constants.column(name)[partition.file].as_py()
                bounds[name] = Bounds.of(value)
            if not can_match(scan.predicate, bounds) or self.source.can_skip(partition, scan.predicate):
                return True
        if scan.samples and partition.rows is not None:
            rows = np.arange(partition.rows, dtype=np.int64)
            for sampling in scan.samples:
                rows = rows[drawn_rows(self.source.files[partition.file], partition, rows, sampling)]
            return len(rows) == 0
        return False

    def _decode(
        self, partition: Partition, ordinal: int, report: Report, stop: threading.Event
    ) -> Iterator[Block]:
        scan = self.scan
        request = Request(self.columns, first_rows=scan.limit, notices=report.notices)
        file = self.source.files[partition.file]
        report.decoded = True
        first_row = 0
        left = scan.limit
        for batch in self.source.read(partition, request):
            block = Block(batch, file, partition, ordinal, first_row)
            first_row += batch.num_rows
            report.rows_decoded += batch.num_rows
            for sampling in scan.samples:
                block = block.keep(pa.array(drawn_rows(file, partition, block.row_numbers(), sampling)))
            block = self._finish(block)
            report.rows_out += block.batch.num_rows
            report.bytes_read = request.bytes_read
            yield block
            if left is not None:
                left -= block.batch.num_rows
                if left <= 0:
                    return
            if stop.is_set():
                return

    def _finish(self, block: Block) -> Block:
        batch = block.batch
        if self.constants.num_columns:
            batch = with_constants(batch, self.constants, block.partition.file)
        block = Block(batch, block.file, block.partition, block.ordinal, block.first_row, block.masks)
        if self.scan.predicate is not None:
            block = keep_matching(block, self.scan.predicate)
        batch = block.batch.select(self.schema.names).replace_schema_metadata(self.schema.metadata)
        return Block(batch, block.file, block.partition, block.ordinal, block.first_row, block.masks)
