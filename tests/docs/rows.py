"""The rows of docs/compatibility.md, and the checks that assert them: one function a row, named by the row's id."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import mltable_lite as mltable

PAGE = Path(__file__).parent.parent.parent / "docs" / "compatibility.md"
SAMPLE_ROWS = 200
Check = Callable[["Make"], None]
#: The check of each row, by the row's id.
CHECKS: dict[str, Check] = {}


def rows() -> dict[str, list[str]]:
    """Return the cells of every row of the page's tables, by the row's id."""
    found: dict[str, list[str]] = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| `([a-z0-9-]+)` \| (.*) \|$", line)
        if match:
            assert match[1] not in found, f"two rows are called {match[1]}"
            found[match[1]] = [cell.strip() for cell in re.split(r"(?<!\\)\|", match[2])]
    return found


def row(name: str) -> Callable[[Check], Check]:
    """Return the decorator that makes a function the check of a row."""

    def keep(check: Check) -> Check:
        assert name not in CHECKS, f"two checks for {name}"
        CHECKS[name] = check
        return check

    return keep


class Make:
    """Makes tables over small real files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(self, *texts: str | bytes, **options):
        paths = []
        for number, text in enumerate(texts):
            file = self.folder / f"{number}.csv"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append({"file": str(file)})
        return mltable.from_delimited_files(paths, **options)

    def column(self, *cells: str, **options):
        """Return a table of a column ``v`` beside one of texts, so that no line is blank."""
        return self.csv("k,v\n" + "".join(f"x,{cell}\n" for cell in cells), **options)

    def late(self, usual: str, *late: str):
        return self.column(*[usual] * SAMPLE_ROWS, *late)

    def converted(self, target, *cells: str):
        return self.column(*cells, infer_column_types=False).convert_column_types({"v": target})

    def parquet(self, *columns: pa.Array):
        return self.tables(*(pa.table({"a": column}) for column in columns))

    def tables(self, *tables: pa.Table, **options):
        for number, table in enumerate(tables):
            pq.write_table(table, self.folder / f"{number}.parquet", **options)
        return mltable.from_parquet_files([{"pattern": str(self.folder / "*.parquet")}])

    def json(self, *files: str, **options):
        """Return a table of files, the lines of each separated by semicolons."""
        for number, lines in enumerate(files):
            (self.folder / f"{number}.jsonl").write_text(lines.replace(";", "\n") + "\n")
        return mltable.from_json_lines_files([{"pattern": str(self.folder / "*.jsonl")}], **options)

    def yaml(self, text: str, **files: str):
        for name, content in (files or {"a.csv": "a\n1\n"}).items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        (self.folder / "MLTable").write_text(text)
        return mltable.load(self.folder)

    def steps(self, steps: str, paths: str = "[{pattern: '**/*.csv'}]", **files: str):
        return self.yaml(f"paths: {paths}\ntransformations: [{steps}]\n", **files)


def read(table, *expected_warnings) -> pd.DataFrame:
    """Return the frame; exactly these classes of warnings must have been shown."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        frame = table.to_pandas_dataframe()
    assert [w.category for w in shown] == list(expected_warnings)
    return frame


def values(table, column: str, *expected_warnings) -> list:
    """Return the values of a column, null as `None`."""
    frame = read(table, *expected_warnings)
    return [None if not isinstance(v, (list, dict)) and pd.isna(v) else v for v in frame[column].tolist()]


def dtypes(frame: pd.DataFrame) -> list[str]:
    return [str(dtype) for dtype in frame.dtypes]
