"""mltable_lite, through its public functions."""

from __future__ import annotations

import mltable_lite as mltable

NAME = "mltable_lite"


def _open(format_name: str, folder: str) -> mltable.MLTable:
    if format_name == "parquet":
        return mltable.from_parquet_files([{"folder": folder}])
    if format_name == "csv":
        return mltable.from_delimited_files([{"folder": folder}])
    if format_name == "jsonl":
        return mltable.from_json_lines_files([{"folder": folder}])
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
    when = f"day == {number}"  # of Delta a partition
    if format_name == "parquet":
        when = f"pickup >= '2024-05-{number}' and pickup < '2024-05-{number + 1}'"
    return _open(format_name, folder).filter(when).keep_columns(names).to_pandas_dataframe()
