"""Streams a dataset far larger than memory may be: reads, filters and counts it under a cap, and tells the peak.

    python benchmarks/streaming.py [--gigabytes 10] [--cap 512MB] [--runs 20] [--format parquet] [--pause 0]

The dataset is one file of about a quarter of a gigabyte under many names (hard links), so that it takes no disk. Each
run is a fresh process; its peak is that of the whole process, Python and its libraries included.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))  # this repository's mltable_lite, installed or not

FARE = 60.0
ROW_GROUP_ROWS = 250_000
ROWS = {"parquet": 5_000_000, "csv": 3_500_000, "jsonl": 1_800_000}


def make(folder: Path, format_name: str, gigabytes: float) -> int:
    """Write the dataset and return its size in bytes."""
    import numpy as np
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    first = folder / f"0000.{format_name}"
    if not first.exists():
        random = np.random.default_rng(7)
        rows = ROWS[format_name]
        frame = pd.DataFrame(
            {
                "id": np.arange(rows),
                "distance": random.gamma(2.0, 1.5, rows).round(2),
                "fare": random.gamma(3.0, 7.0, rows),
                "tip": random.random(rows),
                "total": random.random(rows) * 100,
                "at": pd.Timestamp("2024-05-01") + pd.to_timedelta(np.arange(rows), unit="s"),
                "note": random.choice(np.array(["airport run", "long wait", "child seat"]), rows),
            }
        )
        if format_name == "parquet":
            frame.to_parquet(first, row_group_size=ROW_GROUP_ROWS, index=False)
        elif format_name == "csv":
            frame.to_csv(first, index=False)
        else:
            frame.drop(columns="at").to_json(first, orient="records", lines=True)
    size = first.stat().st_size
    count = max(1, round(gigabytes * 1e9 / size))
    for stale in folder.iterdir():
        if stale != first:
            stale.unlink()
    for number in range(1, count):
        os.link(first, folder / f"{number:04d}.{format_name}")
    return size * count


def run(folder: str, format_name: str, cap: str, pause: float) -> None:
    """Stream the dataset in this process and print what that took."""
    import mltable_lite as mltable

    mltable.from_parquet_files([{"folder": folder}])  # libraries are loaded: they are the same for any reader
    importlib.import_module("mltable_lite.execute.query")
    importlib.import_module("mltable_lite.output.iterate")
    readers = {
        "parquet": mltable.from_parquet_files,
        "csv": mltable.from_delimited_files,
        "jsonl": mltable.from_json_lines_files,
    }
    start = time.perf_counter()
    first, rows = 0.0, 0
    table = readers[format_name]([{"folder": folder}]).filter(f"fare > {FARE}")
    for batch in table.to_arrow_batches(max_memory=cap):
        first = first or time.perf_counter() - start
        rows += batch.num_rows
        time.sleep(pause)
    seconds = time.perf_counter() - start
    # Not getrusage: that begins with the peak of the process which started this one.
    status = Path("/proc/self/status").read_text(encoding="utf8")
    peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
    answer = {
        "first_batch_seconds": round(first, 3),
        "seconds": round(seconds, 1),
        "peak_mb": round(peak / 1e6),
        "rows": rows,
    }
    print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=10.0)
    parser.add_argument("--cap", default="512MB")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--format", choices=list(ROWS), default="parquet")
    parser.add_argument(
        "--pause", type=float, default=0.0, help="seconds that the consumer takes for a batch"
    )
    parser.add_argument("--folder", type=Path, default=HERE / "data" / "streaming")
    parser.add_argument("--read", action="store_true", help="stream once, in this process")
    given = parser.parse_args()
    folder = given.folder / given.format
    if given.read:
        run(str(folder), given.format, given.cap, given.pause)
        return
    size = make(folder, given.format, given.gigabytes)
    print(f"{given.format}: {size / 1e9:.1f} GB in {len(list(folder.iterdir()))} files, cap {given.cap}")
    for _ in range(given.runs):
        command = [sys.executable, __file__, "--read", "--format", given.format, "--cap", given.cap]
        command += ["--pause", str(given.pause), "--folder", str(given.folder)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
