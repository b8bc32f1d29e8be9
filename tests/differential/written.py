"""What a pair says of its cells: the values that were written, by the name of their row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import answers
import pyarrow as pa

if TYPE_CHECKING:
    from case import Case

#: The column that names each row.
ROW = "rid"


def rows(case: Case) -> dict[str, dict[str, Any]]:
    """Return the values of every row by its name, as answers have them."""
    if case.kind == "json_lines":
        found = [row for content in case.files.values() for row in _json_rows(json_lines(case, content))]
    else:
        found = [row for table in tables(case) for row in _arrow_rows(table)]
    return {row.get(ROW, ""): row for row in found}


def json_lines(case: Case, content: Any) -> list[str]:
    """Return the lines of a file."""
    encoding = {"latin1": "cp1252", "utf16": "utf-16"}.get(case.options.get("encoding", "utf8"), "utf-8")
    return list(content.decode(encoding).split("\n"))


def _json_rows(lines: list[str]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            found.append({key: plain_json(value) for key, value in row.items()})
    return found


def plain_json(value: Any) -> Any:
    """Return a value of JSON as answers have it."""
    if isinstance(value, list):
        return ["list", [plain_json(item) for item in value]]
    return {key: plain_json(item) for key, item in value.items()} if isinstance(value, dict) else value


def tables(case: Case) -> list[pa.Table]:
    """Return the tables that were written to files, or by the commits of a Delta table."""
    found: list[pa.Table] = []
    for content in case.files.values():
        if isinstance(content, pa.Table):
            found.append(content)
        elif not isinstance(content, bytes):
            found += [commit.rows for commit in content if commit.rows is not None]
    return found


def _arrow_rows(table: pa.Table) -> list[dict[str, Any]]:
    columns = {}
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):  # as microseconds: Python has no finer time
            column = column.cast(pa.timestamp("us", column.type.tz))
        columns[name] = [answers.plain(value) for value in column.to_pylist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def arrow_types(case: Case, name: str) -> list[pa.DataType]:
    """Return the types that a column has, one a table that has the column."""
    return [table.schema.field(name).type for table in tables(case) if name in table.column_names]
