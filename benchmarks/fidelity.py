"""What it costs to lose nothing: this library against pyarrow alone, told the types, on clean text.

    python benchmarks/fidelity.py [--small] [--rounds 5] [--only csv]

Both read the same columns of the same files into a pandas frame: on one thread, in seconds of the processor, so that
what else the machine does counts little; and on all cores, in seconds. Every measurement is a fresh process, and before
one that takes gigabytes as much memory is touched, as in run.py; README.md explains. Medians are printed, and as ratio
the median of each round's: a round's two processes run one after the other, in the same mood of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from data import COLUMNS, FULL, SMALL, TINY
from run import touch_memory

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent))  # this repository's mltable_lite, installed or not

SELECTIONS = {
    "all": [*COLUMNS],
    "2 columns": ["distance", "total"],
    "1 column": ["total"],
    "1 text": ["vendor"],
}
INTEGERS, FLOATS, DATES = (
    {"id", "passengers", "rate"},
    {"distance", "fare", "tip", "tolls", "total"},
    {"pickup", "dropoff"},
)


def plain(format_name: str, folder: Path, names: list[str]):
    """Return a frame as pyarrow alone reads it, on as many threads as it takes, or as we are told to take: one."""
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.json as pa_json

    def kind(name: str) -> pa.DataType:
        if name in DATES and format_name == "csv":
            return pa.timestamp("ns")
        return pa.int64() if name in INTEGERS else pa.float64() if name in FLOATS else pa.string()

    schema = pa.schema([(name, kind(name)) for name in names])
    tables = []
    threads = "MLTABLE_LITE_THREADS" not in os.environ
    for file in sorted(folder.iterdir()):
        if format_name == "csv":
            convert = pa_csv.ConvertOptions(
                column_types=schema, include_columns=names, strings_can_be_null=True, null_values=[""]
            )
            tables.append(
                pa_csv.read_csv(file, pa_csv.ReadOptions(use_threads=threads), convert_options=convert)
            )
        else:
            parse = pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
            tables.append(pa_json.read_json(file, pa_json.ReadOptions(use_threads=threads), parse))
    return pa.concat_tables(tables).to_pandas(use_threads=threads, split_blocks=True)


def ours(format_name: str, folder: Path, names: list[str]):
    """Return the same frame, with the types guessed and nothing lost."""
    import mltable_lite as mltable

    opened = mltable.from_delimited_files if format_name == "csv" else mltable.from_json_lines_files
    return opened([{"folder": str(folder)}]).keep_columns(names).to_pandas_dataframe()


def measure(library: str, format_name: str, folder: Path, selection: str) -> tuple[float, float]:
    """Return the processor's seconds, and the seconds, of one read in this process."""
    read, names = {"plain": plain, "ours": ours}[library], SELECTIONS[selection]
    read(format_name, TINY.folder / format_name, names)  # imports, and what is made once
    start = time.process_time(), time.perf_counter()
    frame = read(format_name, folder / format_name, names)
    seconds = time.process_time() - start[0], time.perf_counter() - start[1]
    assert list(frame.columns) == names
    return seconds


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="csv,jsonl")
    parser.add_argument(
        "--one", nargs=3, metavar=("LIBRARY", "FORMAT", "SELECTION"), help="measure here, print seconds"
    )
    options = parser.parse_args()
    folder = (SMALL if options.small else FULL).folder
    if options.one:
        library, format_name, selection = options.one
        print(json.dumps(measure(library, format_name, folder, selection)))
        return
    print("| | one thread: plain | ours | ours / plain | all cores: plain | ours | ours / plain |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for format_name in options.only.split(","):
        for selection in SELECTIONS:
            cells = []
            for one_thread in (True, False):
                seconds: dict[str, list[float]] = {"plain": [], "ours": []}
                for _ in range(options.rounds):
                    for library, measured in seconds.items():
                        command = [sys.executable, __file__, *["--small"] * options.small]
                        command += ["--one", library, format_name, selection]
                        environment = _one_thread() if one_thread else None
                        if selection == "all":
                            touch_memory()
                        done = subprocess.run(
                            command, capture_output=True, text=True, check=True, env=environment
                        )
                        measured.append(json.loads(done.stdout)[0 if one_thread else 1])
                pairs = zip(seconds["ours"], seconds["plain"], strict=True)
                ratio = statistics.median(here / alone for here, alone in pairs)
                cells += [f"{statistics.median(found):.2f} s" for found in seconds.values()] + [
                    f"{ratio:.2f}"
                ]
            print(f"| {format_name}, {selection} | {' | '.join(cells)} |", flush=True)


def _one_thread() -> dict[str, str]:
    return {**os.environ, "MLTABLE_LITE_THREADS": "1", "OMP_NUM_THREADS": "1"}


if __name__ == "__main__":
    main()
