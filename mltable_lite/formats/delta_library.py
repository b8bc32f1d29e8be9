"""The library deltalake, in the processes where it works, and with its panics as exceptions."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mltable_lite.errors import UnsupportedFeatureError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

#: Where it has worked: this process, or one that this process was forked from.
_PROCESSES: set[int] = set()


@contextmanager
def delta_library(place: str) -> Iterator[ModuleType]:
    """Give deltalake for work on the table at a place.

    Its threads do not live on in a fork, and there it panics. A panic is no `Exception`, and a pool of processes that
    ends with one waits or breaks.

    Raises:
        UnsupportedFeatureError: It has worked in a process that this one was forked from.
    """
    import deltalake

    if _PROCESSES and os.getpid() not in _PROCESSES:
        raise _forked(place)
    _PROCESSES.add(os.getpid())
    try:
        yield deltalake
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        if "Forked process" in str(error):  # somebody else has used it there
            raise _forked(place) from None
        raise RuntimeError(str(error)) from None


def _forked(place: str) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"{place}: deltalake, which reads the Delta log, does not work in a process that was forked from one where it "
        "has worked. Start processes with 'spawn' or 'forkserver', for example multiprocessing.get_context('spawn') or "
        "DataLoader(..., multiprocessing_context='spawn'); or fork before the first Delta table is read."
    )
