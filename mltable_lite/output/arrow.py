"""The stream to an Arrow table, and what every output does: start again, warn."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from mltable_lite.errors import SchemaMismatchError, StrictModeError
from mltable_lite.execute.query import Query

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")


def to_table(query: Query) -> pa.Table:
    """Return all rows."""
    batches = restarting(query, lambda query: list(query.batches()))
    return pa.Table.from_batches(batches, schema=query.schema)


def count(query: Query) -> int:
    """Return the number of rows, reading no more than counting needs."""
    return restarting(query, Query.count_rows)


def count_partitions(query: Query) -> int:
    """Return the number of partitions, reading only where rows are counted below."""
    return restarting(query, Query.count_partitions)


def restarting(query: Query, read: Callable[[Query], _T]) -> _T:
    """Return what `read` makes of the query and show its warnings.

    Where a value does not fit the guessed schema, the read starts again, once, with the whole input's schema.
    """
    while True:
        try:
            result = read(query)
        except SchemaMismatchError as error:
            if not query.widen(error.column):
                raise
        else:
            warn(query)
            return result


def warn(query: Query) -> None:
    """Show every notice of a finished read as a warning of its class, at the line of the user's call.

    Raises:
        StrictModeError: In strict mode, where metadata was all that was read; rows would have raised it.
    """
    for notice in query.notices:
        if query.settings.strict:
            raise StrictModeError.of(notice)
        warnings.warn(notice.text(), notice.category, stacklevel=_frames_to_user())


def _frames_to_user() -> int:
    """Return the stacklevel, seen from `warn`, of the first frame outside this package."""
    import sys

    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - the documented way to look at the caller's frames
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("mltable_lite"):
        frame = frame.f_back
        level += 1
    return level
