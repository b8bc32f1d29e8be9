"""polars: lazy scans, collected and handed to pandas."""

from __future__ import annotations

import polars as pl

NAME = "polars"


def _open(format_name: str, folder: str) -> pl.LazyFrame:
    if format_name == "parquet":
        return pl.scan_parquet(f"{folder}/*.parquet")
    if format_name == "csv":
        return pl.scan_csv(f"{folder}/*.csv", try_parse_dates=True)
    if format_name == "jsonl":
        return pl.scan_ndjson(f"{folder}/*.jsonl")
    return pl.scan_delta(folder)


def full(format_name, folder):
    return _open(format_name, folder).collect(engine="streaming").to_pandas()


def columns(format_name, folder, names):
    return _open(format_name, folder).select(names).collect(engine="streaming").to_pandas()


def selective(format_name, folder, names, fare):
    frame = _open(format_name, folder).filter(pl.col("fare") > fare).select(names)
    return frame.collect(engine="streaming").to_pandas()


def sample(format_name, folder, probability):
    return (
        _open(format_name, folder)
        .collect(engine="streaming")
        .sample(fraction=probability, seed=1)
        .to_pandas()
    )


def take(format_name, folder, rows):
    return _open(format_name, folder).head(rows).collect(engine="streaming").to_pandas()


def day(format_name, folder, names, number):
    when = pl.col("day") == number
    if format_name == "parquet":
        start = pl.datetime(2024, 5, number)
        when = (pl.col("pickup") >= start) & (pl.col("pickup") < start + pl.duration(days=1))
    return _open(format_name, folder).filter(when).select(names).collect(engine="streaming").to_pandas()
