"""How many partitions are worked on at once: as many as the cores, and more where a storage keeps them waiting."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from mltable_lite.errors import ArgumentError
from mltable_lite.formats.base import cores

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltable_lite.formats.base import Partition, Source

#: At 20 ms a request and two requests a partition, 32 partitions in flight are 800 a second.
_REMOTE_THREADS = 32
#: Stored bytes of the partitions that are in flight beyond the cores' own. Decoded they take some times as much.
_REMOTE_BYTES = 64 * 1024 * 1024
#: Stored bytes of a local partition, or of those decoded together, that are read where they are handed out. Most of what
#: it takes needs Python's lock, which two threads would only take from each other.
_HERE_BYTES = 64 * 1024
#: Stored bytes of a partition that is small.
SMALL_BYTES = 256 * 1024
#: Rows below which a partition, or a batch, costs more by itself than by its rows.
SMALL_ROWS = 1 << 14
#: How many small local partitions a worker takes at once, and up to how many stored bytes.
_MOST_TOGETHER = 64
_BYTES_TOGETHER = 2 * 1024 * 1024


def thread_count() -> int:
    """Return how many partitions are worked on at once: ``MLTABLE_LITE_THREADS``, or the cores this process may use."""
    return _given_threads() or cores()


def _given_threads() -> int:
    given = os.environ.get("MLTABLE_LITE_THREADS", "").strip()
    if not given:
        return 0
    if not (given.isascii() and given.isdigit() and int(given)):
        raise ArgumentError(
            f"the environment variable MLTABLE_LITE_THREADS is {given!r}; set it to a number of threads from 1 on, or "
            f"leave it out for one thread a core (here {cores()})."
        )
    return int(given)


class Width:
    """How far the workers of one read may be ahead.

    Local files keep the cores busy, and no more partitions are held than that takes. A remote storage lets each
    partition wait for some round trips: small ones are then asked for by the dozen, big ones, whose bytes take longer
    than the round trips, stay as few as local ones. So memory is bounded either way.

    Attributes:
        threads: How many threads work; none where nothing has to be read.
        least: How many partitions may always be in memory: decoded, being decoded, or being consumed.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._sizes: deque[int] = deque()
        self._remote = bool(source.files) and "://" in source.files[0].uri
        local = _given_threads() or thread_count() + source.spare_threads
        self.threads = _given_threads() or (max(_REMOTE_THREADS, local) if self._remote else local)
        if source.in_memory:
            self.threads = 0
        self.least = local + 2
        self._most = self.threads + 2

    def has_room(self, window: int) -> bool:
        """Tell whether one more partition may begin, when no more than `window` should be in flight for now."""
        waiting = len(self._sizes)
        return waiting < min(window, self.least) or (
            waiting < min(window, self._most) and sum(self._sizes) < _REMOTE_BYTES
        )

    def together(
        self, partitions: Iterator[tuple[int, Partition]]
    ) -> Iterator[tuple[list[tuple[int, Partition]], int]]:
        """Yield partitions as one worker takes them, with their stored bytes.

        Small local ones go together: handing one over would take as long as reading it. The first are few, for whoever
        waits for the first rows, or needs no others.
        """
        most = 1
        held: list[tuple[int, Partition]] = []
        size = 0
        for partition in partitions:
            added = self._source.stored_bytes(partition[1])
            if held and added > SMALL_BYTES:
                yield held, size
                held, size = [], 0
            held.append(partition)
            size += added
            if len(held) == most or size >= _BYTES_TOGETHER or added > SMALL_BYTES:
                yield held, size
                held, size = [], 0
                most = 1 if self._remote else min(2 * most, _MOST_TOGETHER)
        if held:
            yield held, size

    def is_worth_a_thread(self, partitions: int, size: int) -> bool:
        """Tell whether partitions of so many stored bytes together gain by another thread."""
        return self._remote or size > (1 if self._source.joins else partitions) * _HERE_BYTES

    def begin(self, size: int) -> None:
        """Count in what one worker takes, by its stored bytes."""
        self._sizes.append(size)

    def end(self) -> None:
        """Count out what began first."""
        self._sizes.popleft()

    def wider(self, window: int) -> int:
        """Return the next window of a read that began small."""
        return min(2 * window, self._most)
