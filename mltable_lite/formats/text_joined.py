"""The lines of several small files as one text, to be decoded together, and the rows of each of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa


def join(texts: Iterable[bytes]) -> tuple[bytes, list[int]]:
    """Return texts of whole lines as one text, and how many lines each has."""
    ended = [text if text.endswith(b"\n") or not text else text + b"\n" for text in texts]
    # Counted by NumPy, several times as fast as `bytes.count`.
    lines = (np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")) for text in ended)
    return b"".join(ended), [*map(int, lines)]


def cut(batch: pa.RecordBatch, lines: Sequence[int]) -> list[pa.RecordBatch] | None:
    """Return the rows of each text; `None` where not every line is a row, so that nobody knows whose a row is."""
    *starts, end = itertools.accumulate(lines, initial=0)
    if batch.num_rows != end:
        return None
    return [batch.slice(start, count) for start, count in zip(starts, lines, strict=True)]
