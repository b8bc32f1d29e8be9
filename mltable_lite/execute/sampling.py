"""Which rows a random sample keeps: a hash of the row's identity, not a generator's state.

The same rows are drawn on every machine and by every engine, whatever the number of threads, the size of batches or
the columns read. The constants below are part of what a seed means and must never change.

Source: the finaliser of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

Keys: TypeAlias = npt.NDArray[np.uint64]

_STEP = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd: distinct counters give distinct hashes
_MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_SHIFTS = (30, 27, 31)
_WORD = 0xFFFFFFFFFFFFFFFF
_FRACTION_BITS = 53  # what float64 holds exactly
_CHUNK_ROWS = 32768  # two such arrays stay in the processor's cache


def row_keys(file_position: int, partition: int, first_row: int, count: int) -> Keys:
    """Return `count` keys, one for each row of a partition from `first_row` on.

    A row is (position of its file in the listing, partition within the file, row within the partition); its key does
    not depend on which rows are asked for together. Keys of one partition are all distinct.
    """
    rows = np.arange(first_row + 1, first_row + count + 1, dtype=np.uint64)
    return _mix(rows, multiply=_STEP, add=_origin(file_position, partition))


def keys_of(partitions: Sequence[tuple[int, int]], rows: Sequence[int]) -> Keys:
    """Return the keys of all rows of short partitions, one after the other: as `row_keys` gives them for each.

    Args:
        partitions: The position of the file, and the partition within it.
        rows: How many rows each has.
    """
    origins = np.array([_origin(*partition) for partition in partitions], np.uint64)
    firsts = np.cumsum([0, *rows[:-1]])
    numbers = np.arange(1, sum(rows) + 1) - np.repeat(firsts, rows)
    return _mix(numbers.astype(np.uint64) * np.uint64(_STEP) + np.repeat(origins, rows), multiply=1, add=0)


def _origin(file_position: int, partition: int) -> int:
    return _mixed(_mixed(file_position + 1) + partition + 1)


def sample_mask(keys: Keys, lower: float, upper: float, seed: int, step: int) -> npt.NDArray[np.bool_]:
    """Return which rows have a draw in [lower, upper); draws are uniform in [0, 1), of 53 bits.

    Args:
        keys: The rows, from `row_keys`.
        lower: With 0 nothing is cut off below.
        upper: With 1 nothing is cut off above.
        seed: Any integer; its lowest 64 bits count.
        step: The number of the sampling step in the plan: two steps with one seed draw independently.
    """
    draws = _mix(keys.copy(), multiply=1, add=_mixed(_mixed(seed) + step + 1))
    draws >>= np.uint64(64 - _FRACTION_BITS)
    # The limits as integers: u < p is the same as 53-bit integer < ceil(p * 2**53), and that product is exact.
    low, high = (np.uint64(int(np.ceil(np.ldexp(limit, _FRACTION_BITS)))) for limit in (lower, upper))
    return np.asarray((draws >= low) & (draws < high))


def _mixed(number: int) -> int:
    """Return the hash of one integer."""
    value = (number * _STEP) & _WORD
    for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, 1), strict=True):
        value = ((value ^ (value >> shift)) * multiplier) & _WORD
    return value


def _mix(values: Keys, *, multiply: int, add: int) -> Keys:
    """Return the hashes of ``values * multiply + add``, modulo 2**64, in place."""
    spare = np.empty(min(len(values), _CHUNK_ROWS), np.uint64)
    for start in range(0, len(values), _CHUNK_ROWS):
        part = values[start : start + _CHUNK_ROWS]
        shifted = spare[: len(part)]
        part *= np.uint64(multiply)
        part += np.uint64(add)
        for shift, multiplier in zip(_SHIFTS, (*_MULTIPLIERS, 1), strict=True):
            np.right_shift(part, np.uint64(shift), out=shifted)
            part ^= shifted
            if multiplier != 1:
                part *= np.uint64(multiplier)
    return values
