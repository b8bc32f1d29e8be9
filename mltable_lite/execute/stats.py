"""What a read listed, opened, skipped and decoded: the proof of pushdown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ScanStats:
    """Counts of one read, added up in row order as partitions are consumed.

    Attributes:
        files_listed: Files of the table's paths, after steps before the read step.
        names_skipped: Names in folders that are no data (hidden files, markers).
        files_opened: Files of which at least one partition was decoded.
        partitions: All partitions of the listed files (row groups, text blocks).
        partitions_read: Partitions that were decoded.
        partitions_skipped: Partitions that statistics, samples or constant columns ruled out unread.
        rows_decoded: Rows decoded, before samples and predicate.
        rows_out: Rows that left the scan.
        bytes_read: Stored bytes read for them, as far as the format tells.
        columns_read: Names of the columns decoded.
    """

    files_listed: int = 0
    names_skipped: int = 0
    partitions: int = 0
    partitions_read: int = 0
    partitions_skipped: int = 0
    rows_decoded: int = 0
    rows_out: int = 0
    bytes_read: int = 0
    columns_read: tuple[str, ...] = ()
    opened: set[int] = field(default_factory=set, repr=False)

    @property
    def files_opened(self) -> int:
        """Files of which at least one partition was decoded."""
        return len(self.opened)

    def lines(self) -> list[str]:
        """Return the counts as lines for a person."""
        return [
            f"files       {self.files_listed} listed, {self.files_opened} opened",
            f"partitions  {self.partitions} in all, {self.partitions_read} read, {self.partitions_skipped} ruled out",
            f"rows        {self.rows_decoded} decoded, {self.rows_out} passed on",
            f"bytes       {self.bytes_read} read",
            f"columns     {len(self.columns_read)} read: {', '.join(self.columns_read) or '-'}",
        ]
