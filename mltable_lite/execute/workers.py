"""Threads that are gone when the read is over, also when Ctrl-C ends it."""

from __future__ import annotations

import itertools
import threading
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
T = TypeVar("T")

_numbers = itertools.count()
#: How long a thread takes to start at most, and how often that is looked at.
_START_SECONDS = 0.2
_STARTS = 100
#: No array that decoding needs for a while is larger.
_REUSED_BYTES = 8 * 1024 * 1024


@contextmanager
def workers(count: int) -> Iterator[tuple[Executor, threading.Event]]:
    """Give a pool of threads (of none: work is done when it is submitted), and an event that is set when the block ends, for work to stop early.

    Queued work is then dropped and running work waited for.

    A Ctrl-C can arrive while the pool starts a thread, which the pool then does not know, or while it waits for them:
    threads are therefore found by their name, and the wait goes on after an interrupt, which is raised at its end.
    """
    if not count:
        yield HERE, threading.Event()
        return
    name = f"mltable-lite-{next(_numbers)}-"
    pool = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_reuse_memory)
    stop = threading.Event()
    try:
        yield pool, stop
    finally:
        stop.set()
        interrupt: KeyboardInterrupt | None = None
        while True:
            try:
                pool.shutdown(wait=True, cancel_futures=True)
                for thread in threading.enumerate():
                    if thread.name.startswith(name):
                        _join(thread)
                break
            except KeyboardInterrupt as pressed:
                interrupt = pressed
        if interrupt is not None:
            raise interrupt


@cache
def _reuse_memory() -> None:
    """Let the arrays that decoding needs for a while use the same memory again and again.

    glibc takes an array of more than 128 kB from the system and gives it back with it: each page is then cleared and
    mapped anew, a third of the time that JSON lines take. Up to the size of the largest array that was ever given back it
    keeps memory instead, so one is given back here, which nobody has written to: by a thread, for that has no free memory
    of its own yet, which the array would come from. Other allocators do not mind.
    """
    np.empty(_REUSED_BYTES, np.uint8)


class _Here(Executor):
    """Does the work when it is submitted: starting a thread would take longer."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


#: The calling thread, as a pool.
HERE = _Here()


def _join(thread: threading.Thread) -> None:
    """Wait for a thread; one whose start was interrupted is there soon or never."""
    for _ in range(_STARTS):
        try:
            thread.join()
        except RuntimeError:  # not started
            time.sleep(_START_SECONDS / _STARTS)
        else:
            return
