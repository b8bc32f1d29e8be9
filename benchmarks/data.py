"""Makes the benchmark data, once: taxi trips as Parquet, CSV, JSON lines and a Delta table.

    python benchmarks/data.py [--small]

Rows are sorted by pickup time over one month, as data that arrives day by day is. The seed is fixed: two machines
make the same files.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
MONTH = "2024-05-01"
MONTH_SECONDS = 31 * 24 * 3600
NOTES = ["airport run", "long wait", "child seat", "cash only, no receipt", "shared ride", "toll bridge"]

#: The columns of every format; the Delta table has `day` besides.
COLUMNS = (
    "id",
    "vendor",
    "pickup",
    "dropoff",
    "passengers",
    "distance",
    "rate",
    "flag",
    "payment",
    "fare",
    "tip",
    "tolls",
    "total",
    "note",
)


@dataclass(frozen=True, slots=True)
class Size:
    """How many rows a format has, in how many files, and how many rows a Parquet row group holds."""

    name: str
    parquet_rows: int
    csv_rows: int
    json_rows: int
    row_group_rows: int
    parquet_files: int = 10
    csv_files: int = 5
    json_files: int = 4

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return HERE / "data" / self.name

    def rows(self, dataset: str) -> int:
        """Return the number of rows of a dataset."""
        format_name, _, form = dataset.partition("-")
        rows = {"csv": self.csv_rows, "jsonl": self.json_rows}.get(format_name, self.parquet_rows)
        return rows // _MANY[format_name] if form == "2000-files" else rows


#: Which part of its rows a format has in many files.
_MANY = {"parquet": 10, "csv": 5, "jsonl": 2}

FULL = Size("full", 10_000_000, 5_000_000, 2_000_000, 125_000)
SMALL = Size("small", 200_000, 100_000, 40_000, 5_000)
TINY = Size("tiny", 1_000, 500, 400, 50)  # for the run before the clock starts


def trips(first_id: int, rows: int, start_seconds: float, stop_seconds: float):
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng([20240501, first_id])
    pickup = np.sort(rng.integers(int(start_seconds), int(stop_seconds), rows))
    distance = np.round(rng.lognormal(0.7, 0.9, rows), 2)
    fare = np.round(3 + 2.6 * distance + rng.exponential(4, rows), 2)
    tip = np.round(fare * rng.choice([0, 0.1, 0.15, 0.2], rows), 2)
    tolls = np.where(rng.random(rows) < 0.06, 6.94, 0.0)
    midnight = np.datetime64(MONTH, "s")
    moment = (midnight + pickup).astype("datetime64[us]")
    note = pa.array(NOTES).take(pa.array(rng.integers(0, len(NOTES), rows), mask=rng.random(rows) < 0.7))
    return pa.table(
        {
            "id": pa.array(np.arange(first_id, first_id + rows)),
            "vendor": pa.array(["acme", "metro", "yellow"]).take(pa.array(rng.integers(0, 3, rows))),
            "pickup": pa.array(moment),
            "dropoff": pa.array(moment + (60 + distance * 240).astype("timedelta64[s]")),
            "passengers": pa.array(rng.integers(1, 7, rows)),
            "distance": pa.array(distance),
            "rate": pa.array(rng.choice([1, 2, 3, 5], rows, p=[0.9, 0.05, 0.03, 0.02])),
            "flag": pa.array(["N", "Y"]).take(pa.array((rng.random(rows) < 0.02).astype("int8"))),
            "payment": pa.array(["card", "cash", "dispute"]).take(
                pa.array(rng.choice(3, rows, p=[0.7, 0.29, 0.01]))
            ),
            "fare": pa.array(fare),
            "tip": pa.array(tip),
            "tolls": pa.array(tolls),
            "total": pa.array(np.round(fare + tip + tolls, 2)),
            "note": note,
        }
    )


def _chunks(rows: int, files: int):
    each, seconds = rows // files, MONTH_SECONDS / files
    for number in range(files):
        yield number, trips(number * each, each, number * seconds, (number + 1) * seconds)


def _parquet(size: Size, folder: Path) -> None:
    _parquet_files(size.parquet_rows, size.parquet_files, size.row_group_rows, folder)


def _parquet_one(size: Size, folder: Path) -> None:
    _parquet_files(size.parquet_rows, 1, size.row_group_rows, folder)


def _parquet_many(size: Size, folder: Path) -> None:
    _parquet_files(*_many(size, "parquet"), size.row_group_rows, folder)


def _many(size: Size, format_name: str) -> tuple[int, int]:
    """Return how many rows there are in how many small files."""
    rows = size.rows(f"{format_name}-2000-files")
    return rows, min(2000, rows // 10)


def _parquet_files(rows: int, files: int, row_group_rows: int, folder: Path) -> None:
    import pyarrow.parquet as pq

    for number, table in _chunks(rows, files):
        pq.write_table(table, folder / f"trips-{number:04d}.parquet", row_group_size=row_group_rows)


def _csv(size: Size, folder: Path) -> None:
    _csv_files(size.csv_rows, size.csv_files, folder)


def _csv_many(size: Size, folder: Path) -> None:
    _csv_files(*_many(size, "csv"), folder)


def _csv_files(rows: int, files: int, folder: Path) -> None:
    for number, table in _chunks(rows, files):
        table.to_pandas().to_csv(
            folder / f"trips-{number:04d}.csv", index=False, date_format="%Y-%m-%d %H:%M:%S"
        )


def _jsonl(size: Size, folder: Path) -> None:
    _jsonl_files(size.json_rows, size.json_files, folder)


def _jsonl_many(size: Size, folder: Path) -> None:
    _jsonl_files(*_many(size, "jsonl"), folder)


def _jsonl_files(rows: int, files: int, folder: Path) -> None:
    for number, table in _chunks(rows, files):
        table.to_pandas().to_json(
            folder / f"trips-{number:04d}.jsonl",
            orient="records",
            lines=True,
            date_format="iso",
            date_unit="s",
        )


def _delta(size: Size, folder: Path) -> None:
    import pyarrow.compute as pc
    from deltalake import write_deltalake

    for _, table in _chunks(size.parquet_rows, size.parquet_files):
        day = pc.day(table["pickup"]).cast("int32")
        write_deltalake(str(folder), table.append_column("day", day), mode="append", partition_by=["day"])


DATASETS = {
    "parquet": _parquet,
    "csv": _csv,
    "jsonl": _jsonl,
    "delta": _delta,
    "parquet-1-file": _parquet_one,
    "parquet-2000-files": _parquet_many,
    "csv-2000-files": _csv_many,
    "jsonl-2000-files": _jsonl_many,
}


def make(size: Size) -> None:
    """Make what is not there yet; a format half made is made again."""
    for name, write in DATASETS.items():
        done = size.folder / name
        if done.exists():
            continue
        print(f"making {done.relative_to(HERE)} ...", file=sys.stderr, flush=True)
        partial = size.folder / f".{name}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write(size, partial)
        partial.rename(done)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="2 %% of the rows, to try the benchmark itself")
    make(TINY)
    make(SMALL if parser.parse_args().small else FULL)
