"""pandas: its readers with the pyarrow engine where there is one; Delta through `deltalake`, as its users do."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

NAME = "pandas"
DATES = ["pickup", "dropoff"]


def _files(folder: str) -> list[str]:
    return sorted(str(file) for file in Path(folder).iterdir())


def _concat(frames) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True)


def _csv(folder, names=None):
    dates = [name for name in DATES if names is None or name in names]
    return (pd.read_csv(f, usecols=names, parse_dates=dates, engine="pyarrow") for f in _files(folder))


def _delta(folder, names=None, filters=None):
    from deltalake import DeltaTable

    return DeltaTable(folder).to_pandas(columns=names, filters=filters)


def full(format_name, folder):
    if format_name == "parquet":
        return pd.read_parquet(folder)
    if format_name == "csv":
        return _concat(_csv(folder))
    if format_name == "jsonl":
        return _concat(pd.read_json(f, lines=True, engine="pyarrow") for f in _files(folder))
    return _delta(folder)


def columns(format_name, folder, names):
    if format_name == "parquet":
        return pd.read_parquet(folder, columns=names)
    if format_name == "csv":
        return _concat(_csv(folder, names))
    if format_name == "jsonl":
        return _concat(pd.read_json(f, lines=True, engine="pyarrow")[names] for f in _files(folder))
    return _delta(folder, names)


def selective(format_name, folder, names, fare):
    if format_name == "parquet":
        return pd.read_parquet(folder, columns=names, filters=[("fare", ">", fare)])
    if format_name == "csv":
        return _concat(frame.loc[frame["fare"] > fare, names] for frame in _csv(folder, [*names, "fare"]))
    if format_name == "jsonl":
        frames = (pd.read_json(f, lines=True, engine="pyarrow") for f in _files(folder))
        return _concat(frame.loc[frame["fare"] > fare, names] for frame in frames)
    return _delta(folder, names, [("fare", ">", fare)])


def sample(format_name, folder, probability):
    if format_name == "csv":
        return _concat(frame.sample(frac=probability, random_state=1) for frame in _csv(folder))
    return full(format_name, folder).sample(frac=probability, random_state=1)


def take(format_name, folder, rows):
    first = _files(folder)[0]
    if format_name == "csv":
        return pd.read_csv(first, nrows=rows, parse_dates=DATES)
    if format_name == "jsonl":
        return pd.read_json(first, lines=True, nrows=rows)
    raise NotImplementedError("pandas has no limit for this format")


def day(format_name, folder, names, number):
    if format_name == "delta":
        return _delta(folder, names, [("day", "=", number)])
    start = pd.Timestamp(2024, 5, number)
    filters = [("pickup", ">=", start), ("pickup", "<", start + pd.Timedelta(days=1))]
    return pd.read_parquet(folder, columns=names, filters=filters)
