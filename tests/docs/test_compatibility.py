"""Every row of docs/compatibility.md is asserted: the test reads the page, and each row has a check of its id."""

from __future__ import annotations

import re

import pytest

pytest.register_assert_rewrite(
    "docs.rows", "docs.rows_frames", "docs.rows_text", "docs.rows_formats", "docs.rows_steps"
)

from docs.rows import CHECKS, Make, rows  # noqa: E402

from docs import rows_formats, rows_frames, rows_steps, rows_text  # noqa: E402, F401 - they fill CHECKS
from mltable_lite import errors  # noqa: E402

ROWS = rows()


@pytest.mark.parametrize("name", ROWS)
def test_every_row_holds(name, tmp_path):
    assert name in CHECKS, f"no check for the row {name}: add one beside those of its section"
    CHECKS[name](Make(tmp_path))


def test_every_check_has_a_row():
    assert set(CHECKS) <= set(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_every_row_is_whole_and_names_only_classes_that_there_are(name):
    cells = ROWS[name]
    assert len(cells) == len(["input", "reference", "here", "why", "option"])
    assert all(cells[:3])
    for word in re.findall(r"`(\w+(?:Error|Warning))`", cells[2]):
        assert hasattr(errors, word)
