"""Runs mltable_lite and its peers side by side and prints seconds, peak memory and the ratio to the best peer.

    python benchmarks/run.py [--small] [--rounds 3] [--only parquet/take,csv] [--libraries ours,polars]

Every measurement is a fresh process on a warm page cache; libraries take turns within a round. README.md explains.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import statistics
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from data import COLUMNS, FULL, SMALL, TINY, Size
from measure import ARGUMENTS, NAMES, PROBABILITY, ROWS

HERE = Path(__file__).parent
LIBRARIES = ("ours", "pyarrow_", "polars_", "duckdb_", "pandas_", "reference")
#: What is read: the format, under the name of its folder.
DATASETS = {
    "parquet": "parquet",
    "csv": "csv",
    "jsonl": "jsonl",
    "delta": "delta",
    "parquet-1-file": "parquet",
    "parquet-2000-files": "parquet",
    "csv-2000-files": "csv",
    "jsonl-2000-files": "jsonl",
}
#: Where the name of a day prunes.
BY_DAY = ("parquet", "delta")
REFERENCE = HERE / ".reference"
REFERENCE_PACKAGE = "mltable==1.7.0"
LIMIT_SECONDS = 180
#: Tasks that take gigabytes.
HEAVY = ("full",)
TOUCHED_BYTES = 5 * 10**9
TITLES = {
    "full": "full read",
    "columns": "2 of 14 columns",
    "selective": "fare > 60, 2 columns",
    "day": "one day of 31, 2 columns",
    "sample": "1 % sample",
    "take": "take 20",
}


def install_reference() -> bool:
    """Make the reference's own environment, where it installs; tell whether it is there."""
    python = REFERENCE / "bin/python"
    if not python.exists():
        print(f"installing {REFERENCE_PACKAGE} into {REFERENCE.name} ...", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", REFERENCE], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", REFERENCE_PACKAGE, "pandas"], check=False)
    return subprocess.run([python, "-c", "import mltable"], check=False, capture_output=True).returncode == 0


def warm(folder: Path) -> None:
    """Read every file once, so that no library pays for the disk: memory may have been wanted since the last one."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as stream:
                while stream.read(1 << 24):
                    pass


def touch_memory() -> None:
    """Use as much memory as any library takes, and give it back.

    A virtual machine's host backs memory when it is first touched, which takes longer than all the reading: whoever
    came first would pay for it.
    """
    touched = f"import numpy; numpy.ones({TOUCHED_BYTES // 8})"
    subprocess.run([sys.executable, "-c", touched], check=False, capture_output=True)


def run_once(library: str, format_name: str, task: str, folder: Path, threads: int) -> dict:
    """Return the measurement of one fresh process, or ``{"error": ...}``."""
    names = ("MLTABLE_LITE_THREADS", "POLARS_MAX_THREADS", "OMP_NUM_THREADS", "BENCHMARK_THREADS")
    environment = os.environ | dict.fromkeys(names if threads else (), str(threads))
    python = REFERENCE / "bin/python" if library == "reference" else sys.executable
    command = [
        python,
        HERE / "measure.py",
        library,
        format_name,
        task,
        folder.resolve(),
        TINY.folder.resolve() / format_name,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return {"error": f"longer than {LIMIT_SECONDS} s"}
    lines = done.stdout.splitlines()
    return json.loads(lines[-1]) if lines else {"error": done.stderr[-500:] or f"exit code {done.returncode}"}


def disagreement(task: str, format_name: str, result: dict, rows: int, matching: int | None) -> str:
    """Return what is wrong with a result, or an empty text: all libraries must do the same work."""
    expected = {*NAMES} if task in ("columns", "selective", "day") else {*COLUMNS}
    if format_name == "delta" and len(expected) > len(NAMES):
        expected |= {"day"}
    if set(result["columns"]) != expected:
        missing, more = expected - {*result["columns"]}, {*result["columns"]} - expected
        return " ".join(
            filter(None, [f"lacks {sorted(missing)}" * bool(missing), f"has {sorted(more)}" * bool(more)])
        )
    if task == "sample":
        expected_rows = rows * PROBABILITY
        spread = 6 * expected_rows**0.5  # six standard deviations of a Bernoulli draw
        return "" if abs(result["rows"] - expected_rows) <= spread else f"{result['rows']} rows"
    wanted = {"take": ROWS, "selective": matching, "day": matching}.get(task, rows)
    return "" if wanted is None or result["rows"] == wanted else f"{result['rows']} rows, not {wanted}"


def summarise(rounds: list[dict]) -> dict:
    """Return the best of the rounds of one library, or its error: what else the machine does only adds seconds."""
    failed = [r["error"] for r in rounds if "error" in r]
    if failed:
        return {"error": failed[0]}
    return {
        "seconds": min(r["seconds"] for r in rounds),
        "peak_mb": max(r["peak_mb"] for r in rounds),
        "rows": rounds[0]["rows"],
        "columns": rounds[0]["columns"],
        "rounds": [r["seconds"] for r in rounds],
    }


def measure_task(
    dataset: str, task: str, libraries: list[str], size: Size, rounds: int, threads: int
) -> dict[str, dict]:
    """Return each library's summary for one task, checked for agreement."""
    folder, format_name = size.folder / dataset, DATASETS[dataset]
    measured: dict[str, list[dict]] = {library: [] for library in libraries}
    for number in range(rounds):
        if task in HEAVY:
            touch_memory()
        first = number % len(libraries)
        for library in libraries[first:] + libraries[:first]:
            if not (measured[library] and "error" in measured[library][0]):
                warm(folder)
                measured[library].append(run_once(library, format_name, task, folder, threads))
    results = {library: summarise(each) for library, each in measured.items()}
    good = [r for r in results.values() if "error" not in r]
    # How many rows match is the answer of the majority: a library that disagrees is marked, whichever it is.
    matching = statistics.mode([r["rows"] for r in good]) if task in ("selective", "day") and good else None
    for result in good:
        wrong = disagreement(task, format_name, result, size.rows(dataset), matching)
        if wrong:
            result["disagrees"] = wrong
    return results


def ratio(results: dict[str, dict]) -> str:
    """Return our seconds over those of the fastest peer that gives the whole answer."""
    ours = results.get("ours", {}).get("seconds")
    peers = [
        r["seconds"]
        for name, r in results.items()
        if name != "ours" and "seconds" in r and "disagrees" not in r
    ]
    return f"{ours / min(peers):.2f}" if ours and peers else "-"


def cell(result: dict) -> str:
    """Return ``seconds / MB``; `*` marks a result that lacks rows or columns."""
    if "error" in result:
        return "-"
    digits = 2 if result["seconds"] >= 0.1 else 3
    return f"{result['seconds']:.{digits}f} s / {result['peak_mb']:.0f} MB{' *' if 'disagrees' in result else ''}"


def table(every: dict[str, dict[str, dict]], libraries: list[str]) -> str:
    """Return the Markdown table of all tasks."""
    names = [name.rstrip("_") for name in libraries]
    lines = [
        f"| | {' | '.join(names)} | ours / best peer |",
        f"|---|{'---:|' * len(names)}---:|",
    ]
    for key, results in every.items():
        dataset, task = key.split("/")
        cells = [cell(results[library]) for library in libraries]
        lines.append(f"| {dataset}, {TITLES[task]} | {' | '.join(cells)} | {ratio(results)} |")
    notes = {
        f"`*` {library.rstrip('_')}, {key}: {result['disagrees']}"
        for key, results in every.items()
        for library, result in results.items()
        if "disagrees" in result
    }
    return "\n".join([*lines, "", *sorted(notes)])


def machine() -> dict[str, object]:
    """Return what the numbers depend on."""

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    packages = ("mltable-lite", "pyarrow", "polars", "duckdb", "pandas", "deltalake", "numpy")
    return {
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: installed(name) for name in packages} | {"reference": REFERENCE_PACKAGE},
    }


def wanted(only: str, dataset: str, task: str) -> bool:
    """Tell whether `dataset/task` is asked for: by ``dataset``, by ``task`` or by both."""
    if task == "day" and DATASETS[dataset] not in BY_DAY:
        return False
    return not only or any(word in (dataset, task, f"{dataset}/{task}") for word in only.split(","))


def main() -> None:
    """Measure, print, write results/*.json."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--small", action="store_true", help="2 %% of the rows, to try the benchmark itself")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--threads", type=int, default=0, help="for each library; by default as many as it takes"
    )
    parser.add_argument("--only", default="", help="datasets, tasks or dataset/task, separated by commas")
    parser.add_argument("--libraries", default="", help=f"of: {', '.join(n.rstrip('_') for n in LIBRARIES)}")
    options = parser.parse_args()
    size = SMALL if options.small else FULL
    # In its own process: a child's peak memory begins at that of its parent, so this process stays small.
    subprocess.run([sys.executable, HERE / "data.py", *["--small"] * options.small], check=True)
    asked = options.libraries.split(",") if options.libraries else []
    libraries = [name for name in LIBRARIES if not asked or name.rstrip("_") in asked]
    if "reference" in libraries and not install_reference():
        print("the reference does not install here; it is left out", file=sys.stderr)
        libraries.remove("reference")

    every: dict[str, dict[str, dict]] = {}
    target = HERE / "results" / f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H%M%S}-{size.name}.json"
    target.parent.mkdir(exist_ok=True)
    for dataset in DATASETS:
        tasks = [task for task in ARGUMENTS if wanted(options.only, dataset, task)]
        for task in tasks:
            print(f"{dataset}/{task} ...", file=sys.stderr, flush=True)
            every[f"{dataset}/{task}"] = measure_task(
                dataset, task, libraries, size, options.rounds, options.threads
            )
            # Written after every task: a run that is stopped keeps what it measured.
            target.write_text(
                json.dumps(
                    {"size": size.name, "threads": options.threads, "machine": machine(), "results": every},
                    indent=1,
                )
                + "\n"
            )
    print(table(every, libraries))
    print(f"\n{target.relative_to(HERE.parent)}", file=sys.stderr)


if __name__ == "__main__":
    main()
