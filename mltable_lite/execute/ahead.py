"""Blocks decoded ahead of their consumer, in order, within a number of bytes.

Several partitions are decoded at once, each into a lane of its own. A worker whose next block finds no room waits, so a
slow consumer stops the reading instead of filling memory. Only the lane that is consumed now may always hold one block:
that keeps the stream going when later lanes have taken all the room.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future

    from mltable_lite.errors import Notices
    from mltable_lite.execute.stream import Block

    #: A block, and what came to light while it was decoded.
    Told: TypeAlias = tuple[Block, Notices]

T = TypeVar("T")
R = TypeVar("R")

#: How often a waiting thread looks whether the reading was stopped.
_LOOK_SECONDS = 0.1
#: What decoding a partition takes in a worker, about, beside the blocks that it gives: stored pages and their text.
_WORKER_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Lane(Generic[T, R]):
    item: T
    blocks: deque[Told] = field(default_factory=deque)
    done: bool = False
    future: Future[R] | None = None


class Ahead(Generic[T, R]):
    """Runs work on items in a pool and hands its blocks over, in the order of the items.

    Args:
        pool: Where the work runs.
        stop: Set when the reading ends, for whatever reason.
        most_bytes: How much the blocks take that wait, and what is being decoded.
        work: Called with an item and a function that takes each block, with its notices, and tells whether to go on.
    """

    def __init__(
        self,
        pool: Executor,
        stop: threading.Event,
        most_bytes: int,
        work: Callable[[T, Callable[[Told], bool]], R],
    ) -> None:
        self._pool = pool
        self._stop = stop
        self._room = most_bytes // 4
        self._work = work
        self._held = 0
        self._changed = threading.Condition()
        self._lanes: deque[_Lane[T, R]] = deque()

    @staticmethod
    def threads(most_bytes: int, threads: int) -> int:
        """Return how many of some threads can work within a number of bytes; at least one."""
        return max(1, min(threads, most_bytes // 2 // _WORKER_BYTES))

    def run(self, items: Iterator[T], first_lanes: int, most_lanes: int) -> Iterator[tuple[T, Told | R]]:
        """Yield each item's blocks and then what its work returned."""
        lanes = first_lanes
        while True:
            while len(self._lanes) < lanes and (item := next(items, None)) is not None:
                lane: _Lane[T, R] = _Lane(item)
                self._lanes.append(lane)
                lane.future = self._pool.submit(self._fill, lane)
            if not self._lanes:
                return
            head = self._lanes[0]
            while (told := self._take(head)) is not None:
                yield head.item, told
                del told
            assert head.future is not None
            result = head.future.result()
            with self._changed:
                self._lanes.popleft()
                self._changed.notify_all()
            yield head.item, result
            lanes = min(2 * lanes, most_lanes)

    def _fill(self, lane: _Lane[T, R]) -> R:
        try:
            return self._work(lane.item, lambda told: self._put(lane, told))
        finally:
            with self._changed:
                lane.done = True
                self._changed.notify_all()

    def _put(self, lane: _Lane[T, R], told: Told) -> bool:
        with self._changed:
            while not self._has_room(lane):
                if self._stop.is_set():
                    return False
                self._changed.wait(_LOOK_SECONDS)
            lane.blocks.append(told)
            self._held += told[0].batch.nbytes
            self._changed.notify_all()
        return not self._stop.is_set()

    def _has_room(self, lane: _Lane[T, R]) -> bool:
        return self._held < self._room or (lane is self._lanes[0] and not lane.blocks)

    def _take(self, lane: _Lane[T, R]) -> Told | None:
        """Return the lane's next block once there is one, or `None` when it has given all."""
        with self._changed:
            while not lane.blocks:
                if lane.done:
                    return None
                self._changed.wait(_LOOK_SECONDS)
            told = lane.blocks.popleft()
            self._held -= told[0].batch.nbytes
            self._changed.notify_all()
            return told
