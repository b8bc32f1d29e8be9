"""Many files looked at side by side, with their results in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from mltable_lite.formats.base import cores

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mltable_lite.formats.base import InputFile

Item = TypeVar("Item")
T = TypeVar("T")

_THREADS = 32
_CHUNK = 256
_LOCAL_FILES = 64


def in_parallel(work: Callable[[Item], T], items: Sequence[Item], *, local: bool) -> Iterator[T]:
    """Yield what `work` returns for each item, in order; the first error in that order is raised.

    Remote files are waited for, many at once. Local ones are worked on, many by each of few threads: handing a single
    one over would take as long as reading it.
    """
    threads, size = (cores(), _LOCAL_FILES) if local else (_THREADS, 1)
    if len(items) <= size:
        yield from map(work, items)
        return

    def together(start: int) -> list[T]:
        return [work(item) for item in items[start : start + size]]

    starts = range(0, len(items), size)
    with ThreadPoolExecutor(min(threads, len(starts))) as pool:
        # By chunks: a future for each of 100,000 files at once would take more memory than all results.
        for first in range(0, len(starts), _CHUNK):
            try:
                for results in pool.map(together, starts[first : first + _CHUNK]):
                    yield from results
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def are_local(files: Sequence[InputFile]) -> bool:
    """Tell whether the files are on this machine; those of one listing mostly are all or none."""
    return not files or "://" not in files[0].uri
