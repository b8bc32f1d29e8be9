"""Reads again and again, and is interrupted: counts what hangs, what comes back late, and what is left behind.

    python benchmarks/soak.py [--runs 20] [--moments 100] [--seed 1]

Hangs: every format x 1 and 2 threads x 1, 3, 12 and 200 files, so many runs each, to a frame and to batches. Interrupts:
a process that reads in a loop gets SIGINT at a random moment, and tells how long it took to come back, and which
threads, open files, sockets and temporary files it still has. The exit code tells whether all was well.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))  # this repository's mltable_lite, installed or not

FORMATS = ("parquet", "csv", "jsonl", "delta")
THREADS = (1, 2)
FILES = (1, 3, 12, 200)
ROWS = 60_000
BIG_ROWS = 3_000_000
LIMIT_SECONDS = 60
BACK_SECONDS = 1.0


def make(folder: Path, format_name: str, files: int, rows: int) -> Path:
    """Write a dataset once and return its folder."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq
    from deltalake import write_deltalake

    target = folder / f"{format_name}-{files}-{rows}"
    if target.exists():
        return target
    partial = folder / f".{target.name}"
    partial.mkdir(parents=True)
    for number in range(files):
        ids = np.arange(number * rows // files, (number + 1) * rows // files)
        table = pa.table({"id": ids, "x": ids * 0.5, "text": np.char.add("row ", ids.astype(str))})
        if format_name == "parquet":
            pq.write_table(table, partial / f"{number:03d}.parquet", row_group_size=250_000)
        elif format_name == "csv":
            pc.write_csv(table, partial / f"{number:03d}.csv")
        elif format_name == "jsonl":
            table.to_pandas().to_json(partial / f"{number:03d}.jsonl", orient="records", lines=True)
        else:
            write_deltalake(str(partial), table, mode="append")
    partial.rename(target)
    return target


def open_table(format_name: str, folder: Path):
    import mltable_lite as mltable

    if format_name == "delta":
        return mltable.from_delta_lake(str(folder))
    read = {
        "parquet": mltable.from_parquet_files,
        "csv": mltable.from_delimited_files,
        "jsonl": mltable.from_json_lines_files,
    }[format_name]
    return read([{"folder": str(folder)}])


# --------------------------------------------------------------------------- in a process of its own
def read_often(format_name: str, folder: str, rows: str, runs: str) -> None:
    """Read a table so many times, to a frame and to batches."""
    for number in range(int(runs)):
        table = open_table(format_name, Path(folder))
        found = (
            table.to_arrow_batches(max_memory=None if number % 4 == 1 else "64MB").read_all().num_rows
            if number % 2
            else len(table.to_pandas_dataframe())
        )
        if found != int(rows):
            sys.exit(f"{found} rows, not {rows}")


def read_until_stopped(format_name: str, folder: str) -> None:
    """Read a table in a loop until SIGINT, then print when that came through and what is left."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background ignores it
    open_table(format_name, Path(folder)).to_pandas_dataframe()  # what libraries keep for good is there now
    before, opened = threads(), open_files()
    print("ready", flush=True)
    try:
        while True:
            open_table(format_name, Path(folder)).to_pandas_dataframe()
            for _ in open_table(format_name, Path(folder)).to_arrow_batches(max_memory="64MB"):
                pass
    except KeyboardInterrupt:
        back = time.monotonic()
    left = sorted(threads() - before)
    files = [link for link in open_files() if link not in opened]
    temporary = [path.name for path in Path(tempfile.gettempdir()).iterdir()]
    print(json.dumps({"back": back, "threads": left, "files": files, "temporary": temporary}), flush=True)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def open_files() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except OSError:  # that of the listing itself
            continue
    return found


# --------------------------------------------------------------------------- from outside
def hangs(data: Path, runs: int) -> int:
    """Return how many combinations hung or failed."""
    bad = 0
    for format_name in FORMATS:
        for files in FILES:
            folder = make(data, format_name, files, ROWS)
            for count in THREADS:
                command = [
                    sys.executable,
                    __file__,
                    "--child",
                    "read_often",
                    format_name,
                    str(folder),
                    str(ROWS),
                ]
                environment = {**os.environ, "MLTABLE_LITE_THREADS": str(count)}
                start = time.monotonic()
                try:
                    done = subprocess.run(
                        [*command, str(runs)],
                        env=environment,
                        timeout=LIMIT_SECONDS,
                        capture_output=True,
                        text=True,
                        check=False,
                    )
                    verdict = "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
                except subprocess.TimeoutExpired:
                    verdict = f"hangs: longer than {LIMIT_SECONDS} s"
                bad += bool(verdict)
                took = time.monotonic() - start
                print(
                    f"{format_name}, {files} files, {count} threads: {runs} runs, {took:.1f} s {verdict}",
                    flush=True,
                )
    return bad


def interrupts(data: Path, moments: int, seed: int) -> int:
    """Return after how many interrupts the process was late or left something behind."""
    chance = random.Random(seed)
    seconds: list[float] = []
    left: collections.Counter[str] = collections.Counter()
    for number in range(moments):
        format_name = FORMATS[number % len(FORMATS)]
        folder = make(data, format_name, 12, BIG_ROWS)
        with tempfile.TemporaryDirectory() as temporary:
            command = [sys.executable, __file__, "--child", "read_until_stopped", format_name, str(folder)]
            child = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": temporary}
            )
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0, 3))
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            try:
                answer = json.loads(child.communicate(timeout=LIMIT_SECONDS)[0] or "{}")
            except subprocess.TimeoutExpired:
                child.kill()
                answer = {}
        if not answer:
            left["no answer"] += 1
            continue
        seconds.append(answer["back"] - sent)
        left.update(f"{kind}: {one}" for kind in ("threads", "files", "temporary") for one in answer[kind])
    late = sum(took > BACK_SECONDS for took in seconds)
    ordered = sorted(seconds) or [float("nan")]
    print(
        f"{moments} interrupts: back after {ordered[len(ordered) // 2]:.3f} s (median), {ordered[-1]:.3f} s at most; "
        f"{late} later than {BACK_SECONDS} s; left behind: {dict(left) or 'nothing'}"
    )
    return late + sum(left.values())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        {"read_often": read_often, "read_until_stopped": read_until_stopped}[sys.argv[2]](*sys.argv[3:])
        sys.exit()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    place = HERE / "data" / "soak"
    hung = hangs(place, options.runs) if options.runs else 0
    sys.exit(bool(hung + interrupts(place, options.moments, options.seed)))
