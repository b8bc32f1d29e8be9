"""The reference (`mltable` from the registry), in its own environment; seen from its public functions only."""

from __future__ import annotations

import logging

logging.disable(logging.CRITICAL)

import mltable  # noqa: E402 - after its logging is off

NAME = "reference"


def _open(format_name: str, folder: str) -> mltable.MLTable:
    suffix = {"parquet": "parquet", "csv": "csv", "jsonl": "jsonl"}.get(format_name)
    # A pattern, because the reference reads the files of a folder in the order of the file system.
    paths = [{"pattern": f"{folder}/*.{suffix}"}]
    if format_name == "parquet":
        return mltable.from_parquet_files(paths)
    if format_name == "csv":
        return mltable.from_delimited_files(paths)
    if format_name == "jsonl":
        return mltable.from_json_lines_files(paths)
    return mltable.from_delta_lake(folder)


def full(format_name, folder):
    return _open(format_name, folder).to_pandas_dataframe()


def columns(format_name, folder, names):
    return _open(format_name, folder).keep_columns(names).to_pandas_dataframe()


def selective(format_name, folder, names, fare):
    return _open(format_name, folder).filter(f"fare > {fare}").keep_columns(names).to_pandas_dataframe()


def sample(format_name, folder, probability):
    return _open(format_name, folder).take_random_sample(probability, seed=1).to_pandas_dataframe()


def take(format_name, folder, rows):
    return _open(format_name, folder).take(rows).to_pandas_dataframe()


def day(format_name, folder, names, number):
    when = f"col('day') == {number}"
    if format_name == "parquet":
        when = f"col('pickup') >= datetime(2024, 5, {number}) and col('pickup') < datetime(2024, 5, {number + 1})"
    return _open(format_name, folder).filter(when).keep_columns(names).to_pandas_dataframe()
