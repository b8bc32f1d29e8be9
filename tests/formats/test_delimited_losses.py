"""What a guessed type changes in a value is told: digits that float64 does not hold, offsets that UTC replaces."""

import warnings

import pytest

import mltable_lite as mltable
from mltable_lite.errors import ConversionWarning, PrecisionWarning


def read(folder, *cells, **options):
    (folder / "a.csv").write_text("k,v\n" + "".join(f"x,{cell}\n" for cell in cells))
    return mltable.from_delimited_files([{"file": str(folder / "a.csv")}], **options).to_pandas_dataframe()[
        "v"
    ]


@pytest.mark.parametrize("cells", [("9223372036854775808", "5"), ("1.5", "9007199254740993"), ("1" * 30,)])
def test_integers_that_become_floats_are_counted(tmp_path, cells):
    with pytest.warns(PrecisionWarning, match=r"'v': 1 integers .*a\.csv line \d.*column_type: string"):
        assert read(tmp_path, *cells).dtype == "float64"


def test_an_offset_other_than_utc_is_told(tmp_path):
    with pytest.warns(ConversionWarning, match=r"'v': 1 datetimes .*\+02:00.*a\.csv line 2"):
        values = read(tmp_path, "2020-01-02T03:04:05+02:00", "2020-01-02T03:04:05Z")
    assert values.astype(str).tolist() == ["2020-01-02 01:04:05", "2020-01-02 03:04:05"]


@pytest.mark.parametrize(
    "cells", [("2020-01-02T03:04:05Z", "2020-01-02T03:04:05+00:00"), ("1.5", "9007199254740992"), ("1", "")]
)
def test_what_keeps_its_value_is_not_told(tmp_path, cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, *cells)
