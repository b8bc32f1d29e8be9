"""Draws by row identity: the same for ever, uniform, independent, disjoint and complete."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.execute.sampling import row_keys, sample_mask

ROWS = 200_000
KEYS = row_keys(0, 0, 0, ROWS)
seeds = st.integers(-(2**63), 2**63 - 1)
probabilities = st.floats(0, 1, allow_subnormal=True)

GOLDEN_KEYS = [
    17560354174563317247,
    14309231875950826668,
    4814256542235403413,
    17904766978864252130,
    12490758441531299121,
]


def test_keys_are_what_they_always_were():
    assert row_keys(0, 0, 0, 2).tolist() == GOLDEN_KEYS[:2]
    assert row_keys(3, 2, 10, 2).tolist() == GOLDEN_KEYS[2:4]
    assert row_keys(2**40, 2**20, 2**40, 1).tolist() == GOLDEN_KEYS[4:]


@pytest.mark.parametrize(
    ("lower", "upper", "seed", "step", "drawn"),
    [
        (0, 0.5, 42, 0, [0, 2, 6, 13, 14, 15, 16, 18, 21, 23, 27, 28, 29, 31, 32, 35, 39]),
        (0.25, 0.5, -1, 1, [2, 3, 5, 7, 9, 11, 15, 19, 20, 21, 23, 35, 37, 39]),
        (
            0.5,
            1,
            9223372036854775807,
            7,
            [0, 1, 2, 5, 6, 7, 8, 9, 10, 12, 15, 17, 19, 20, 21, 27, 28, 29, 30, 32, 33, 36],
        ),
    ],
)
def test_a_seed_draws_the_rows_it_always_drew(lower, upper, seed, step, drawn):
    mask = sample_mask(row_keys(1, 2, 0, 40), lower, upper, seed, step)
    assert np.flatnonzero(mask).tolist() == drawn


@given(st.integers(0, 100_000), st.integers(0, 40_000))
def test_a_key_does_not_depend_on_the_rows_asked_for_with_it(first, count):
    assert np.array_equal(row_keys(0, 0, first, count), KEYS[first : first + count])


def test_rows_of_many_files_and_partitions_have_distinct_keys():
    keys = np.concatenate([row_keys(file, part, 0, 500) for file in range(30) for part in range(20)])
    assert len(np.unique(keys)) == len(keys)


@given(seeds, st.integers(0, 50))
def test_probability_zero_draws_nothing_and_one_everything(seed, step):
    assert not sample_mask(KEYS[:1000], 0, 0, seed, step).any()
    assert sample_mask(KEYS[:1000], 0, 1, seed, step).all()
    assert sample_mask(KEYS[:1000], 0, 1.0, seed, step).all()


@given(seeds, probabilities)
def test_two_parts_are_disjoint_and_complete(seed, p):
    first = sample_mask(KEYS[:1000], 0, p, seed, 0)
    second = sample_mask(KEYS[:1000], p, 1, seed, 0)
    assert np.array_equal(first, ~second)


def test_drawing_leaves_the_keys_as_they_are():
    keys = KEYS[:100].copy()
    sample_mask(keys, 0, 0.5, 1, 0)
    assert np.array_equal(keys, KEYS[:100])


def test_draws_are_uniform_for_many_seeds():
    edges = np.linspace(0, 1, 11)
    expected = ROWS / 20 / 10
    statistics = []
    for seed in range(-100, 100):
        keys = KEYS[: ROWS // 20]
        counts = [sample_mask(keys, low, high, seed, 0).sum() for low, high in pairwise(edges)]
        statistics.append(sum((count - expected) ** 2 / expected for count in counts))
    # Chi-square with 9 degrees of freedom: mean 9, variance 18; the mean of 200 has a deviation of 0.3.
    assert abs(np.mean(statistics) - 9) < 1.5
    assert max(statistics) < 40


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, 0), (2, 0)), ((1, 0), (1, 1)), ((0, 1), (1, 0)), ((-1, 0), (1, 0)), ((7, 3), (8, 2))],
)
def test_draws_of_other_seeds_and_steps_are_independent(one, other):
    both = sample_mask(KEYS, 0, 0.5, *one) & sample_mask(KEYS, 0, 0.5, *other)
    assert abs(both.mean() - 0.25) < 0.006  # six standard deviations


@pytest.mark.parametrize("other", [row_keys(0, 1, 0, ROWS), row_keys(1, 0, 0, ROWS), row_keys(0, 0, 1, ROWS)])
def test_neighbouring_rows_partitions_and_files_are_independent(other):
    both = sample_mask(KEYS, 0, 0.5, 3, 0) & sample_mask(other, 0, 0.5, 3, 0)
    assert abs(both.mean() - 0.25) < 0.006


def test_an_empty_partition_has_no_keys():
    assert len(row_keys(0, 0, 0, 0)) == 0
    assert len(sample_mask(row_keys(0, 0, 0, 0), 0, 1, 0, 0)) == 0
