"""Why Parquet files and Delta tables differ: each rule is a row of docs/compatibility.md."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import written
from compare import Answer, Column, column_of, same_value

if TYPE_CHECKING:
    from case import Case

_NS = ("1677-09-22", "2262-04-11")
_ROW_WISE = ("filter", "take", "skip", "convert_column_types")
_UNREAD = ("map<", "duration", "halffloat", "dictionary", "list<item: list", "list<element: list")


def explain_answers(case: Case, reference: Answer, ours: Answer) -> str | None:
    """Return why rows, columns or success differ, or `None`."""
    types = {str(field.type) for table in written.tables(case) for field in table.schema}
    if "error" in ours:
        return _conflict(case, ours) if ours["error"] == "SchemaMismatchError" else None
    if "error" in reference:
        if (
            "timestamp[s]" in types
            and "time32[s]" not in types
            and "out of range" in reference["text"].lower()
        ):
            return "seconds-timestamp"
        if "time32[s]" in types and "hour must be in" in reference["text"]:
            return "seconds-time"
        if any(word in t for t in types for word in _UNREAD):
            return "more-arrow-types"
        if "UNKNOWN 24" in reference["text"]:  # a view of texts, which Delta writes when it deletes
            return "more-arrow-types"
        if "Unable to find any parquet files" in reference["text"]:
            return "delta-no-rows" if ours["rows"] == 0 else None
        empty = any(table.num_rows == 0 for table in written.tables(case))
        return "no-rows-parquet" if empty and "NoColumns { record_count: 0 }" in reference["text"] else None
    lost = set(ours["columns"]) - set(reference["columns"])
    if case.kind == "delta_lake" and "p" in lost:
        empty = all(set(column_of(ours, name).values) <= {None} for name in lost - {"p"})
        return "delta-partition-columns" if empty else None  # the others follow the rows
    if reference["rows"] == ours["rows"] and set(ours["columns"]) - set(
        reference["columns"]
    ) <= _of_empty_files(case):
        return "no-rows-parquet"
    return None


def counts_empty_files(case: Case, step: str) -> bool:
    """Tell whether the reference counts files without rows in a step that counts rows."""
    empty = any(isinstance(content, pa.Table) and content.num_rows == 0 for content in case.files.values())
    return empty and bool(case.options.get("include_path_column")) and step in ("take", "skip")


def _of_empty_files(case: Case) -> set[str]:
    """Return the columns that only files without rows have; all columns, with that of the path, where all are such."""
    full = {name for table in written.tables(case) if table.num_rows for name in table.column_names}
    every = {name for table in written.tables(case) for name in table.column_names}
    return every - full if full else every | {"Path"}


def _conflict(case: Case, ours: Answer) -> str | None:
    """Return the rule for files whose types have none in common: the error names the column and two types."""
    for name in "abcd":
        types = written.arrow_types(case, name)
        if (
            f"column {name!r}" in ours["text"]
            and "double" in ours["text"]
            and "Integer value" in ours["text"]
        ):
            return "int64-float" if any(map(pa.types.is_floating, types)) else None
        texts = {_stored(t) for t in types}
        if f"column {name!r}" not in ours["text"] or sum(text in ours["text"] for text in texts) < 2:
            continue
        if all(pa.types.is_timestamp(t) for t in types) and len({bool(t.tz) for t in types}) > 1:
            return "naive-and-zoned"
        if all(pa.types.is_integer(t) for t in types):
            return "int64-uint64"
        return "text-and-numbers"
    return None


def _stored(arrow: pa.DataType) -> str:
    """Return the text of a type as a Parquet file has it, which knows no seconds."""
    return str(arrow).replace("<item:", "<element:").replace("[s]", "[ms]")


# --------------------------------------------------------------------------- cells
def explain_cells(case: Case, name: str, truth: list[Any], reference: Column, ours: Column) -> set[str]:
    """Return the rules that explain every difference of a column, an empty set where something is left.

    Whatever the rule, our values must be those that were written.
    """
    if not all(is_kept(value, our) for value, our in zip(truth, ours.values, strict=True)):
        return set()
    types = written.arrow_types(case, name)
    path = _path(case)
    found = set()
    for value, theirs, our in zip(truth, reference.values, ours.values, strict=True):
        if not same_value(theirs, our):
            rule = _cell(types, path, value, theirs, our)
            if rule is None:
                return set()
            found.add(rule)
    if found:
        return found
    if reference.dtype == "object" and any(value is None for value in ours.values) and ours.dtype != "str":
        return {"null-files-keep-type"}
    if ours.dtype in ("int64", "uint64") and reference.dtype == "float64" and None in ours.values:
        return {"big-integers-with-nulls"}  # of which the nearest float is one
    narrow = ours.dtype.startswith(("int", "uint", "float")) and reference.dtype in ("int64", "float64")
    zoned = any(pa.types.is_timestamp(t) and t.tz for t in types)
    if path and zoned and (reference.dtype, ours.dtype) == ("datetime", "datetime zoned"):
        return {"row-path-zones"}
    return {path} if path and narrow else set()


def _path(case: Case) -> str:
    """Return the rule by which the reference gives up types: a step over rows, or files that differ."""
    if any(step.keys() & set(_ROW_WISE) for step in case.steps):
        return "row-path-types"
    schemas = {
        tuple((field.name, str(field.type)) for field in table.schema) for table in written.tables(case)
    }
    return "files-differ" if len(schemas) > 1 else ""


def is_kept(value: Any, our: Any) -> bool:
    """Tell whether a value is what was written, or the same number or instant in a wider type."""
    if value is None or our is None:
        return value is our
    if same_value(value, our):
        return True
    if (
        isinstance(value, list)
        and isinstance(our, list)
        and value[0] == "date"
        and our == ["datetime", f"{value[1]}T00:00:00"]
    ):
        return True
    numbers = _number(value), _number(our)
    return None not in numbers and numbers[0] == numbers[1]


def _number(value: Any) -> Decimal | None:
    if isinstance(value, list) and value[0] == "decimal":
        return Decimal(value[1])
    return Decimal(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _cell(types: list[pa.DataType], path: str, value: Any, theirs: Any, our: Any) -> str | None:
    tag = value[0] if isinstance(value, list) else ""
    if (
        isinstance(value, int)
        and isinstance(our, int)
        and isinstance(theirs, float)
        and theirs == float(value)
    ):
        return "big-integers-with-nulls"
    if tag == "datetime" and pa.timestamp("s") in types:
        return "seconds-timestamp"
    if isinstance(value, dict) and isinstance(theirs, dict) and _equal_records(value, theirs):
        return "records-keep-integers"
    if tag == "list" and isinstance(theirs, list) and _is_float_of(value, theirs):
        return "records-keep-integers"
    if not path:
        return None
    if tag in ("date", "datetime") and not _NS[0] <= value[1][:10] <= _NS[1]:
        return "row-path-far-timestamps"
    if tag == "date" and isinstance(theirs, list) and theirs == ["datetime", f"{value[1]}T00:00:00"]:
        return path
    if isinstance(our, list) and our[0] == "decimal" and theirs == float(our[1]) and len(set(types)) > 1:
        return "decimal-scales"
    if tag == "decimal" and isinstance(theirs, float) and theirs == float(value[1]):
        return "decimal-scales" if len(set(types)) > 1 else path
    if isinstance(value, int) and value >= 2**63 and theirs in (value - 2**64, float(value - 2**64)):
        return "row-path-uint64"
    if tag == "datetime" and any(pa.types.is_timestamp(t) and t.tz for t in types):
        return "row-path-zones"
    return "row-path-times" if tag == "time" and theirs is None else None


def _equal_records(value: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return value.keys() == theirs.keys() and all(is_kept(value[key], theirs[key]) for key in value)


def _is_float_of(value: list[Any], theirs: list[Any]) -> bool:
    return len(value[1]) == len(theirs[1]) and all(map(is_kept, value[1], theirs[1]))
