"""Blocks decoded ahead of their consumer, in order, within a number of bytes.

Several partitions are decoded at once, each into a lane of its own. Where there is no room left a worker leaves its lane,
and one goes on when the consumer has made room, so a slow consumer stops the reading instead of filling memory. No worker
ever waits for that: Python waits for workers when it ends, so a program that left a stream open would never end. Only the
lane that is consumed now may always hold one block: that keeps the stream going when later lanes have taken all the room.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Executor

    from mltable_lite.errors import Notices
    from mltable_lite.execute.stream import Block

    #: A block, and what came to light while it was decoded.
    Told: TypeAlias = tuple[Block, Notices]

T = TypeVar("T")
R = TypeVar("R")

#: How often a waiting consumer looks whether Ctrl-C was pressed, where nothing else wakes it.
_LOOK_SECONDS = 0.1
#: What decoding a partition takes in a worker, about, beside the blocks that it gives: stored pages and their text.
_WORKER_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class _Lane(Generic[T, R]):
    """The blocks of an item, and what is left of its work while no worker is at it."""

    item: T
    left: Generator[Told, None, R] | None
    blocks: deque[Told] = field(default_factory=deque)
    end: Future[R] = field(default_factory=Future)


class Ahead(Generic[T, R]):
    """Runs work on items in a pool and hands its blocks over, in the order of the items.

    Args:
        pool: Where the work runs.
        stop: Set when the reading ends, for whatever reason.
        most_bytes: How much the blocks take that wait, and what is being decoded.
        work: Yields an item's blocks, with their notices, and returns what is told of them together.
    """

    def __init__(
        self,
        pool: Executor,
        stop: threading.Event,
        most_bytes: int,
        work: Callable[[T], Generator[Told, None, R]],
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
                lane: _Lane[T, R] = _Lane(item, self._work(item))
                self._lanes.append(lane)
                self._go_on(lane)
            if not self._lanes:
                return
            head = self._lanes[0]
            while (told := self._take(head)) is not None:
                yield head.item, told
                del told
            result = head.end.result()
            with self._changed:
                self._lanes.popleft()
            yield head.item, result
            lanes = min(2 * lanes, most_lanes)

    def close(self) -> None:
        """Give up what is left of the work, and with it open files. Only after the pool was shut down."""
        for lane in self._lanes:
            if lane.left is not None:
                lane.left.close()

    def _go_on(self, lane: _Lane[T, R]) -> None:
        left, lane.left = lane.left, None
        assert left is not None
        self._pool.submit(self._fill, lane, left)

    def _fill(self, lane: _Lane[T, R], left: Generator[Told, None, R]) -> None:
        """Put a lane's next blocks into it, as long as there is room."""
        try:
            while self._put(lane, next(left), left):
                pass
        except StopIteration as end:
            lane.end.set_result(end.value)
        except BaseException as error:  # noqa: BLE001 - it is raised when its turn comes
            lane.end.set_exception(error)
        with self._changed:
            self._changed.notify_all()

    def _put(self, lane: _Lane[T, R], told: Told, left: Generator[Told, None, R]) -> bool:
        """Put a block into a lane; tell whether to go on, and else leave there what is left of the work."""
        with self._changed:
            lane.blocks.append(told)
            self._held += told[0].batch.nbytes
            self._changed.notify_all()
            if self._has_room(lane) and not self._stop.is_set():
                return True
            lane.left = left
            return False

    def _has_room(self, lane: _Lane[T, R]) -> bool:
        return self._held < self._room or (lane is self._lanes[0] and not lane.blocks)

    def _take(self, lane: _Lane[T, R]) -> Told | None:
        """Return the lane's next block once there is one, or `None` when it has given all."""
        with self._changed:
            while not lane.blocks:
                if lane.end.done():
                    return None
                self._use_room()
                self._changed.wait(_LOOK_SECONDS)
            told = lane.blocks.popleft()
            self._held -= told[0].batch.nbytes
            self._use_room()
            return told

    def _use_room(self) -> None:
        for lane in self._lanes:
            if lane.left is not None and self._has_room(lane):
                self._go_on(lane)
