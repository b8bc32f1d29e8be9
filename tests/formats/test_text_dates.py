"""ISO dates are read fast where that gives what the exact reading gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.formats.text_dates import read_dates, read_iso

ZONES = st.sampled_from(["", "", "Z", "Z", " Z", "+00:00", "-0130", "+02", "UTC"])


@st.composite
def iso_texts(draw):
    """Texts of one form, and now and then one of another: nearly dates, with all kinds of separators."""
    mark, middle = draw(st.sampled_from("-/")), draw(st.sampled_from(["T", " ", "  "]))
    digits, zone = draw(st.integers(0, 10)), draw(ZONES)

    def text():
        year, month, day = draw(st.sampled_from([0, 1, 1677, 1970, 2262, 9999])), draw(st.integers(0, 13)), 28
        clock = f"{draw(st.integers(0, 24)):02}:{draw(st.integers(0, 60)):02}:{draw(st.integers(0, 60)):02}"
        fraction = "." + "".join(draw(st.sampled_from("0159")) for _ in range(digits)) if digits else ""
        return f"{year:04}{mark}{month:02}{mark}{day:02}{middle}{clock}{fraction}{zone}"

    return [draw(st.none() | st.builds(text)) for _ in range(draw(st.integers(1, 4)))]


@given(iso_texts(), st.sampled_from(["ns", "us"]), st.booleans())
def test_the_fast_reading_gives_what_the_exact_one_gives(values, unit, zoned):
    texts = pa.array(values, pa.string())
    fast = read_iso(texts, unit, zoned=zoned)
    if fast is None:
        return
    dates, missing = read_dates(texts), np.asarray(texts.is_null())
    assert (dates.found | missing).all()
    assert (dates.zoned[~missing] == zoned).all()
    assert not dates.far.any() if unit == "ns" else not dates.fine.any()
    assert fast.equals(dates.timestamps(unit, missing))


@pytest.mark.parametrize(
    ("text", "zoned"),
    [
        ("2024-05-01 00:00:00.000", False),
        ("2024-05-01T10:20:30.123456Z", True),
        ("2024-05-01T10:20:30Z", True),
    ],
)
def test_what_writers_write_is_read_fast(text, zoned):
    assert read_iso(pa.array([text] * 3 + [None]), "ns", zoned=zoned) is not None
