"""Plain pyarrow: datasets, with filters and columns pushed down by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.json as pj

NAME = "pyarrow"


def _open(format_name: str, folder: str) -> ds.Dataset:
    if format_name == "delta":
        from deltalake import DeltaTable

        return DeltaTable(folder).to_pyarrow_dataset()
    if format_name == "jsonl":
        # Not ds.dataset(folder, format="json"): on one or two cores it can wait for itself for ever.
        return ds.dataset(pa.concat_tables(pj.read_json(file) for file in _files(folder)))
    return ds.dataset(folder, format=format_name)


def _files(folder: str) -> list[Path]:
    return sorted(Path(folder).iterdir())


def full(format_name, folder):
    return _open(format_name, folder).to_table().to_pandas()


def columns(format_name, folder, names):
    return _open(format_name, folder).to_table(columns=names).to_pandas()


def selective(format_name, folder, names, fare):
    return _open(format_name, folder).to_table(columns=names, filter=ds.field("fare") > fare).to_pandas()


def sample(format_name, folder, probability):
    random = np.random.default_rng(1)
    dataset = _open(format_name, folder)
    kept = [
        batch.take(pa.array(np.flatnonzero(random.random(batch.num_rows) < probability)))
        for batch in dataset.to_batches()
    ]
    return pa.Table.from_batches(kept, dataset.schema).to_pandas()


def take(format_name, folder, rows):
    if format_name == "jsonl":
        return pj.open_json(_files(folder)[0]).read_next_batch().slice(0, rows).to_pandas()
    # Without the read-ahead of a full scan, which head() would start on every file.
    dataset = _open(format_name, folder)
    return dataset.scanner(batch_size=rows, batch_readahead=0, fragment_readahead=1).head(rows).to_pandas()


def day(format_name, folder, names, number):
    when = ds.field("day") == number
    if format_name == "parquet":
        start = dt.datetime(2024, 5, number)  # noqa: DTZ001 - as the column
        when = (ds.field("pickup") >= start) & (ds.field("pickup") < start + dt.timedelta(days=1))
    return _open(format_name, folder).to_table(columns=names, filter=when).to_pandas()
