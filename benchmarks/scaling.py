"""Measures time and memory against rows, files, columns, row groups and threads; writes plots and text into docs/.

    python benchmarks/scaling.py [--only rows,files] [--rounds 3] [--files 100000]

Each measurement is a fresh process on a warm page cache; the best round counts. Memory is the peak of the process
less what it had before the read, so that it is that of the read and its result.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data import COLUMNS, FULL, TINY, trips
from plot import Panel, chart

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"
DATA = HERE / "data" / "scaling"
sys.path.append(str(HERE.parent))  # this repository's mltable_lite, installed or not

GROUP_ROWS = 125_000
BEGIN, END = "<!-- measured: written by benchmarks/scaling.py -->", "<!-- end of measured -->"


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement: what is done to which folder, and where it stands in the plot."""

    line: str
    x: float
    folder: Path
    work: str = "read"
    columns: tuple[str, ...] = ()
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Law:
    """What is measured against what."""

    title: str
    x_label: str
    finding: str


LAWS = {
    "rows": Law(
        "rows", "rows", "Time and memory of a read grow with the rows of the result, and only with them."
    ),
    "columns": Law("columns", "columns of 14", "A column that is not asked for costs nothing."),
    "groups": Law(
        "row groups",
        "row groups of 2 M rows",
        "One row group is one partition and keeps one core busy; very small ones pay for being opened. A filter on "
        "a column that is sorted reads one row group, whatever their number.",
    ),
    "files": Law(
        "files",
        "files of 1 M rows together",
        "Each file costs a fixed time: it is opened twice, once for its schema.",
    ),
    "threads": Law(
        "threads", "threads", "Partitions are spread over the threads; more threads than cores gain nothing."
    ),
    "planning": Law(
        "planning",
        "files listed",
        "Listing, the schema and the partitions. Of text the first file tells the schema. Of Parquet each file's footer "
        "is read; one of a single row group whose bytes say the same schema as another's is not parsed. Others take a "
        "tenth of a millisecond each: for very many of them a Delta table, whose log holds it all, or fewer files.",
    ),
}


# --------------------------------------------------------------------------- data
def _once(name: str, make) -> Path:
    """Return a folder of data that is made when it is not there yet."""
    folder = DATA / name
    if not folder.exists():
        print(f"making {name} ...", file=sys.stderr, flush=True)
        partial = DATA / f".{name}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        make(partial)
        partial.rename(folder)
    return folder


def _parquet(rows: int, files: int, group_rows: int = GROUP_ROWS) -> Path:
    def make(folder: Path) -> None:
        import pyarrow.parquet as pq

        each = rows // files
        for number in range(files):
            table = trips(number * each, each, number * 60.0, (number + 1) * 60.0)
            pq.write_table(table, folder / f"f{number:05d}.parquet", row_group_size=group_rows)

    return _once(f"parquet-{rows}-{files}-{group_rows}", make)


def _csv(rows: int, files: int) -> Path:
    def make(folder: Path) -> None:
        import pyarrow.csv as pc

        each = rows // files
        for number in range(files):
            pc.write_csv(
                trips(number * each, each, number * 60.0, (number + 1) * 60.0), folder / f"f{number:05d}.csv"
            )

    return _once(f"csv-{rows}-{files}", make)


def _names(kind: str, count: int) -> Path:
    """Return a folder of one tiny file under many names; a file system takes only so many names for one file."""
    tiny = min((TINY.folder / kind).iterdir())
    if kind == "parquet":  # of one row group, as small files are
        tiny = next(_parquet(100, 1).iterdir())

    def make(folder: Path) -> None:
        for number in range(count):
            place = folder / f"part{number // 1000:03d}"
            if number % 1000 == 0:
                place.mkdir()
                shutil.copy(tiny, place / f"f{number:06d}{tiny.suffix}")
                first = place / f"f{number:06d}{tiny.suffix}"
            else:
                os.link(first, place / f"f{number:06d}{tiny.suffix}")

    return _once(f"{kind}-names-{tiny.stem}-{count}", make)


# --------------------------------------------------------------------------- cases
def cases(law: str, most_files: int) -> Iterator[Case]:
    two = ("distance", "total")
    if law == "rows":
        for rows in (250_000, 500_000, 1_000_000, 2_000_000, 4_000_000, 8_000_000):
            folder = _parquet(rows, 2)
            yield Case("parquet, all", rows, folder)
            yield Case("parquet, 2 columns", rows, folder, columns=two)
            yield Case("parquet, 0.1 % sample", rows, folder, "sample")
        for rows in (250_000, 500_000, 1_000_000, 2_000_000):
            yield Case("csv, all", rows, _csv(rows, 2))
    elif law == "columns":
        for count in (1, 2, 4, 7, 10, 14):
            yield Case("parquet", count, _parquet(2_000_000, 2), columns=COLUMNS[-count:])
            yield Case("csv", count, _csv(1_000_000, 2), columns=COLUMNS[-count:])
    elif law == "groups":
        for groups in (1, 4, 16, 64, 256, 1024):
            folder = _parquet(2_000_000, 1, -(-2_000_000 // groups))
            yield Case("all", groups, folder)
            yield Case("one id of 2 M", groups, folder, "one")
    elif law == "files":
        for files in (1, 10, 100, 1000):
            yield Case("parquet, all", files, _parquet(1_000_000, files))
            yield Case("csv, all", files, _csv(1_000_000, files))
            yield Case("parquet, take 20", files, _parquet(1_000_000, files), "take")
            yield Case("csv, take 20", files, _csv(1_000_000, files), "take")
    elif law == "threads":
        for threads in (1, 2, 4, 8):
            for kind in ("parquet", "csv", "jsonl"):
                yield Case(f"{kind}, all", threads, FULL.folder / kind, threads=threads)
    else:
        counts = [count for count in (100, 1_000, 10_000, 100_000) if count <= most_files]
        for count in counts:
            for kind in ("parquet", "csv"):
                yield Case(kind, count, _names(kind, count), "plan")


def run_case(case: dict) -> dict:
    """Do the work of a case in this process and return its seconds and the memory it took."""
    import mltable_lite as mltable

    def opened(folder: Path):
        kind = next(file.suffix for file in folder.rglob("*") if file.is_file())
        opens = {
            ".parquet": mltable.from_parquet_files,
            ".csv": mltable.from_delimited_files,
            ".jsonl": mltable.from_json_lines_files,
        }
        return opens[kind]([{"folder": str(folder)}])

    def work(folder: Path) -> None:
        table = opened(folder)
        if case["columns"]:
            table = table.keep_columns(case["columns"])
        if case["work"] == "sample":
            table = table.take_random_sample(0.001, seed=1)
        if case["work"] == "one":
            table = table.filter("id == 1234567")
        if case["work"] == "plan":
            table.get_partition_count()
        elif case["work"] == "take":
            table.show()
        else:
            table.to_pandas_dataframe()

    folder = Path(case["folder"])
    kind = next(file.suffix for file in folder.rglob("*") if file.is_file())[1:]
    work(TINY.folder / kind)  # libraries load parts of themselves when they are first used
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    work(folder)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}


def measure(case: Case, rounds: int) -> tuple[float, float]:
    """Return the best seconds and the MB of some fresh processes."""
    environment = dict(os.environ)
    if case.threads:
        environment["MLTABLE_LITE_THREADS"] = str(case.threads)
    given = json.dumps({"folder": str(case.folder), "work": case.work, "columns": case.columns})
    found = []
    for _ in range(rounds):
        command = [sys.executable, HERE / "scaling.py", "--case", given]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    return min(f["seconds"] for f in found), max(1.0, min(f["mb"] for f in found))


# --------------------------------------------------------------------------- docs
def section(law: str, points: dict[str, list[tuple[float, float, float]]]) -> str:
    """Write the plot of a law and return its text."""
    about = LAWS[law]
    seconds = {line: [(x, s) for x, s, _ in found] for line, found in points.items()}
    memory = {line: [(x, mb) for x, _, mb in found] for line, found in points.items()}
    (DOCS / f"scaling-{law}.svg").write_text(
        chart([Panel("seconds", about.x_label, seconds), Panel("MB", about.x_label, memory)])
    )
    places = sorted({x for found in points.values() for x, _, _ in found})
    rows = [
        f"| {about.x_label} | {' | '.join(points)} |",
        f"|---:|{'---:|' * len(points)}",
    ]
    for place in places:
        cells = []
        for found in points.values():
            here = next(((s, mb) for x, s, mb in found if x == place), None)
            cells.append("" if here is None else f"{here[0]:.3f} s, {here[1]:.0f} MB")
        rows.append(f"| {place:,.0f} | {' | '.join(cells)} |")
    return (
        f"### Against {about.title}\n{about.finding}\n\n![](scaling-{law}.svg)\n\n" + "\n".join(rows) + "\n"
    )


def write(sections: dict[str, str]) -> None:
    """Put the sections into docs/scaling.md, between its marks; those not measured now stay as they are."""
    page = DOCS / "scaling.md"
    before, begin, rest = page.read_text().partition(BEGIN)
    old, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} lacks the marks {BEGIN} and {END}")
    kept = {part.splitlines()[0]: f"### Against {part}" for part in old.split("### Against ")[1:]}
    texts = [sections.get(law) or kept.get(about.title, "") for law, about in LAWS.items()]
    stamp = f"{os.cpu_count()} cores, {dt.datetime.now(dt.UTC):%Y-%m-%d}; `python benchmarks/scaling.py`."
    measured = "\n\n".join([stamp, *(text.strip() for text in texts if text)])
    page.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(LAWS), help=f"of: {', '.join(LAWS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=100_000, help="the most files that are listed")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--make", action="store_true", help="only make the data")
    options = parser.parse_args()
    if options.case:
        print(json.dumps(run_case(json.loads(options.case))))
        return
    laws = options.only.split(",")
    if options.make:
        for law in laws:
            list(cases(law, options.files))
        return
    # In processes of their own: a child's peak memory begins at that of its parent, so this process stays small.
    subprocess.run([sys.executable, HERE / "data.py"], check=True)
    subprocess.run([sys.executable, *sys.argv, "--make"], check=True)
    sections = {}
    for law in laws:
        points: dict[str, list[tuple[float, float, float]]] = {}
        for case in cases(law, options.files):
            seconds, mb = measure(case, options.rounds)
            print(
                f"{law:10s} {case.line:22s} {case.x:>12,.0f} {seconds:8.3f} s {mb:8.0f} MB", file=sys.stderr
            )
            points.setdefault(case.line, []).append((case.x, seconds, mb))
        sections[law] = section(law, points)
        write(sections)


if __name__ == "__main__":
    main()
