"""Random JSON lines, Parquet files and Delta tables, whose columns have kinds."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from case import Case, Commit
from make_steps import steps

if TYPE_CHECKING:
    from random import Random

_JSON: dict[str, list[Any]] = {
    "int": [0, 1, -5, 42, 2**53 + 1],
    "big": [1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1],
    "float": [1.5, 0.0, -2.25, 1e300, 3.0],
    "number": [1, 1.5, 2, 2.0],
    "text": ["x", "é", "", "1", "2020-01-02", 'q"q', "日本"],
    "boolean": [True, False],
    "list": [[1, 2], [], [3], None],
    "texts": [["a"], ["b", "c"]],
    "mixed list": [[1, 2.5], ["x"], [1]],
    "object": [{"b": 1}, {"b": 2, "c": "x"}, {"c": "y"}, {}],
    "mixed object": [{"b": 1}, {"b": "x"}, {"b": 1.5}],
    "mixed": [1, "x", True, 1.5, {"b": 1}, [1]],
    "int or text": [1, "x"],
}
_USUAL = ["int", "float", "text", "boolean", "list", "object"]


def make_json(random: Random, number: int) -> Case:
    """Return a pair of one to three files of JSON lines."""
    options: dict[str, Any] = {}
    if random.random() < 0.15:
        options["invalid_lines"] = random.choice(["error", "drop"])
    if random.random() < 0.1:
        options["include_path_column"] = True
    if random.random() < 0.1:
        options["encoding"] = random.choice(["utf8", "latin1", "utf16", "ascii"])
    if random.random() < 0.1:
        options["partition_size"] = random.choice([30, 200])
    themes = {name: _JSON[random.choice(_USUAL if random.random() < 0.75 else list(_JSON))] for name in "abc"}
    odd = random.random() < 0.12
    files = {}
    row = 0
    for index in range(random.choice([1, 1, 1, 2, 3])):
        names = list(themes)
        if index and random.random() < 0.25:
            names = random.choice([names[::-1], names[:-1], [*names, "d"]])
        lines = []
        for _ in range(random.choice([0, 1, 2, 4, 8]) if random.random() < 0.95 else 210):
            lines.append(_line(random, names, themes, row, odd=odd))
            row += 1
        end = random.choice(["\n", "\n", "\r\n"])
        text = end.join(lines) + (end if lines and random.random() < 0.9 else "")
        encoding = {"latin1": "cp1252", "utf16": "utf-16"}.get(options.get("encoding", "utf8"), "utf8")
        files[f"f{index}.jsonl"] = text.encode(encoding, errors="replace") if text else b""
    return Case(number, "json_lines", files, options=options, steps=steps(random, ["rid", *themes]))


def _line(random: Random, names: list[str], themes: dict[str, list[Any]], row: int, *, odd: bool) -> str:
    values: dict[str, Any] = {"rid": f"r{row}"}
    for name in names:
        draw = random.random()
        if draw < 0.85:
            values[name] = random.choice(themes.get(name, _JSON["int"]))
        elif draw < 0.93:
            values[name] = None
    line = json.dumps(
        values, ensure_ascii=random.random() < 0.5, separators=random.choice([(",", ":"), (", ", ": ")])
    )
    if odd and random.random() < 0.2:
        line = random.choice(
            [
                "",
                "   ",
                "junk",
                "[1]",
                "null",
                line + "}",
                line + " x",
                line[:-1] + ',"a":7}',
                "  " + line,
                line.replace("r", "\\ud800", 1),
            ]
        )
    return line


# --------------------------------------------------------------------------- Arrow types
_DAY = dt.datetime(2020, 1, 2, 3, 4, 5, 678901)
_ARROW: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int8": (pa.int8(), [1, -2, 127]),
    "int32": (pa.int32(), [1, 2, -(2**31)]),
    "int64": (pa.int64(), [1, 2, 5, 2**53 + 1]),
    "uint8": (pa.uint8(), [0, 255]),
    "uint64": (pa.uint64(), [1, 2**63, 2**64 - 1]),
    "float32": (pa.float32(), [1.5, 0.25, -2.0]),
    "float64": (pa.float64(), [1.5, 0.1, float("inf")]),
    "boolean": (pa.bool_(), [True, False]),
    "text": (pa.string(), ["x", "", "é", "2020"]),
    "large text": (pa.large_string(), ["x", "y"]),
    "bytes": (pa.binary(), [b"ab", b""]),
    "decimal": (pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-3.25")]),
    "day": (pa.date32(), [dt.date(2020, 1, 2), dt.date(1500, 1, 1)]),
    "ms": (pa.timestamp("ms"), [_DAY.replace(microsecond=678000), dt.datetime(3000, 1, 1)]),
    "us": (pa.timestamp("us"), [_DAY, dt.datetime(1, 1, 1), dt.datetime(2020, 6, 1)]),
    "ns": (pa.timestamp("ns"), [_DAY, dt.datetime(2020, 6, 1)]),
    "seconds": (pa.timestamp("s"), [_DAY.replace(microsecond=0)]),
    "utc": (pa.timestamp("us", "UTC"), [_DAY, dt.datetime(2020, 6, 1)]),
    "paris": (pa.timestamp("us", "Europe/Paris"), [_DAY, dt.datetime(2020, 6, 1)]),
    "time": (pa.time64("us"), [dt.time(1, 2, 3), dt.time(4, 5, 6, 7)]),
    "time ms": (pa.time32("ms"), [dt.time(1, 2, 3)]),
    "time s": (pa.time32("s"), [dt.time(1, 2, 3)]),
    "list": (pa.list_(pa.int64()), [[1, 2], [], [3]]),
    "struct": (pa.struct([("x", pa.int64()), ("y", pa.string())]), [{"x": 1, "y": "a"}, {"x": 2, "y": None}]),
    "lists": (pa.list_(pa.list_(pa.int64())), [[[1]], []]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("k", 1)]]),
    "duration": (pa.duration("us"), [dt.timedelta(seconds=5)]),
    "half": (pa.float16(), [1.5]),
    "category": (pa.dictionary(pa.int32(), pa.string()), ["a", "b"]),
    "null": (pa.null(), [None]),
}
_PLAIN = [
    "int64",
    "int32",
    "float64",
    "boolean",
    "text",
    "us",
    "day",
    "decimal",
    "ns",
    "int8",
    "float32",
    "list",
    "struct",
]
_DELTA = [
    "int8",
    "int32",
    "int64",
    "float32",
    "float64",
    "boolean",
    "text",
    "bytes",
    "decimal",
    "day",
    "utc",
    "list",
    "struct",
]


def make_parquet(random: Random, number: int) -> Case:
    """Return a pair of one to three Parquet files."""
    options: dict[str, Any] = {"include_path_column": True} if random.random() < 0.1 else {}
    kinds = {name: random.choice(_PLAIN if random.random() < 0.8 else list(_ARROW)) for name in "abc"}
    files: dict[str, Any] = {}
    row = 0
    for index in range(random.choice([1, 1, 1, 2, 3])):
        names = list(kinds)
        these = dict(kinds)
        if index and random.random() < 0.4:
            names = random.choice([names[::-1], names[:-1], [*names, "d"], names])
            these[random.choice(names)] = random.choice(_PLAIN)
        rows = random.choice([0, 1, 2, 3, 5, 8])
        files[f"f{index}.parquet"] = _table(
            random, {name: these.get(name, "int64") for name in names}, rows, row
        )
        row += rows
    return Case(number, "parquet", files, options=options, steps=steps(random, ["rid", *kinds]))


def _table(random: Random, kinds: dict[str, str], rows: int, first: int) -> pa.Table:
    columns = {"rid": pa.array([f"r{first + i}" for i in range(rows)], pa.string())}
    nulls = random.random() < 0.5
    for name, kind in kinds.items():
        arrow, values = _ARROW[kind]
        drawn = [None if nulls and random.random() < 0.25 else random.choice(values) for _ in range(rows)]
        columns[name] = pa.array(drawn, arrow)
    return pa.table(columns)


def make_delta(random: Random, number: int) -> Case:
    """Return a pair of a Delta table of one to four versions."""
    kinds = {name: random.choice(_DELTA) for name in "abc"}
    by = ("p",) if random.random() < 0.25 else ()
    commits = []
    row = 0
    for version in range(random.randint(1, 4)):
        draw = random.random()
        if version and draw < 0.2:
            commits.append(Commit(delete=f"rid = 'r{random.randrange(max(row, 1))}'"))
            continue
        names = dict(kinds)
        if version and draw < 0.35:
            names["d"] = "int64"
        rows = random.choice([1, 2, 3, 5])
        table = _table(random, names, rows, row)
        if by:
            table = table.append_column("p", pa.array([random.choice(["u", "v"]) for _ in range(rows)]))
        commits.append(
            Commit(table, mode="overwrite" if version and draw > 0.9 else "append", partition_by=by)
        )
        row += rows
    options: dict[str, Any] = {}
    if random.random() < 0.3:
        options["version_as_of"] = random.randrange(len(commits) + 1)
    if random.random() < 0.1:
        options["include_path_column"] = True
    return Case(
        number, "delta_lake", {"t": tuple(commits)}, options=options, steps=steps(random, ["rid", *kinds])
    )
