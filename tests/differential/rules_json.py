"""Why JSON lines differ: each rule is a row of docs/compatibility.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import written
from compare import Answer, Column, same_value

if TYPE_CHECKING:
    from case import Case


def explain_answers(case: Case, reference: Answer, ours: Answer) -> str | None:
    """Return why rows, columns or success differ after the read step, or `None`."""
    lines = [line for content in case.files.values() for line in written.json_lines(case, content)]
    fewer = "error" not in ours and "error" not in reference and ours["rows"] < reference["rows"]
    if ours.get("error") == "InvalidLineError" and "there are no columns" in ours["text"]:
        return "json-array" if reference.get("columns") == [] else None
    if ours.get("error") == "InvalidLineError" or fewer:
        return "json-trailing-text" if any(map(_has_trailing_text, lines)) else None
    if "error" in reference and "error" not in ours:
        if any(
            (line and not line.strip()) or (not line and case.options.get("encoding") == "utf16")
            for line in lines
        ):
            return "json-white-line"
        if any(map(_repeats_a_key, lines)):
            return "json-duplicate-key"
        if "StructArray" in reference["text"]:
            return "json-record-panic"
    if "error" not in ours and reference.get("columns") == [] and ours["rows"] == reference["rows"] == 0:
        return "empty-keeps-columns"
    return None


def _has_trailing_text(line: str) -> bool:
    text = line.lstrip()
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return False
    return bool(text[end:].strip())


def _repeats_a_key(line: str) -> bool:
    found: list[bool] = []

    def pairs(items: list[tuple[str, Any]]) -> None:
        found.append(len({key for key, _ in items}) < len(items))

    try:
        json.loads(line, object_pairs_hook=pairs)
    except ValueError:
        return False
    return any(found)


# --------------------------------------------------------------------------- cells
def explain_cells(case: Case, name: str, truth: list[Any], reference: Column, ours: Column) -> set[str]:
    """Return the rules that explain every difference of a column, an empty set where something is left.

    Whatever the rule, our values must hold what was written.
    """
    if not all(is_kept(value, our) for value, our in zip(truth, ours.values, strict=True)):
        return set()
    kinds = _kinds([row.get(name) for row in written.rows(case).values()])
    found: set[str] = set()
    for value, theirs, our in zip(truth, reference.values, ours.values, strict=True):
        if same_value(theirs, our):
            continue
        rules = {"json-record-keys"} if _lacks_keys(theirs, our) else _cell(kinds, value, theirs)
        if not rules:
            return set()
        found |= rules
    if found:
        return found
    numbers = ours.dtype == "float64" and reference.dtype in ("int64", "object")
    return {"json-int-float"} if numbers and kinds.get("") == {"int", "float"} else set()


def is_kept(value: Any, our: Any) -> bool:
    """Tell whether a value holds what was written: itself, the same number, or its JSON as text."""
    if value is None or our is None:
        return value is our or value == {}
    if same_value(value, our):
        return True
    if isinstance(value, list) and isinstance(our, list):
        return (
            value[0] == our[0] == "list"
            and len(value[1]) == len(our[1])
            and all(map(is_kept, value[1], our[1]))
        )
    if isinstance(value, dict) and isinstance(our, dict):
        return value.keys() <= our.keys() and all(is_kept(value.get(key), our[key]) for key in our)
    if isinstance(our, str) and not isinstance(value, str):
        try:
            return bool(written.plain_json(json.loads(our)) == value)
        except ValueError:
            return False
    numbers = isinstance(value, (int, float)) and isinstance(our, float) and not isinstance(value, bool)
    return numbers and float(value) == our


def _lacks_keys(theirs: Any, our: Any) -> bool:
    """Tell whether two objects differ in nothing but keys without a value, which ours has."""
    if not (isinstance(theirs, dict) and isinstance(our, dict) and theirs.keys() < our.keys()):
        return False
    return all(same_value(theirs.get(key), our[key]) for key in our)


def _cell(kinds: dict[str, set[str]], value: Any, theirs: Any, path: str = "") -> set[str]:
    """Return why a value differs from what the reference has in its place; empty where nothing known is the cause."""
    mixed = kinds.get(path, set())
    if same_value(value, theirs) or (value is None and theirs is None):
        # The same, and ours is another form of it: text among mixed kinds, a float beside a fraction.
        return (
            {"json-int-float"}
            if mixed == {"int", "float"}
            else {"json-mixed"}
            if len(mixed) > 1
            else _below(kinds, path)
        )
    if theirs is None:
        if len(mixed) > 1:
            return {"json-int-float"} if mixed == {"int", "float"} else {"json-mixed"}
        return {"json-empty-object"} if value == {} else set()
    if isinstance(value, int) and not isinstance(value, bool):
        if theirs in (value - 2**64, float(value - 2**64)):
            return {"json-uint64"}
        if isinstance(theirs, float) and theirs == float(value):
            return (
                {"records-keep-integers"}
                if path
                else {"big-integers-with-nulls"}
                if abs(value) > 2**53
                else _number(mixed)
            )
    if isinstance(value, list) and isinstance(theirs, list) and len(value[1]) == len(theirs[1]):
        parts = [
            _cell(kinds, a, b, f"{path}[")
            for a, b in zip(value[1], theirs[1], strict=True)
            if not same_value(a, b)
        ]
        return set().union(*parts) if all(parts) else set()
    if isinstance(value, dict) and isinstance(theirs, dict):
        keys = value.keys() | theirs.keys()
        parts = [
            _cell(kinds, value.get(key), theirs.get(key), f"{path}.{key}")
            for key in keys
            if not same_value(value.get(key), theirs.get(key))
        ]
        if not parts:
            return {"json-record-keys"} if len(mixed) < 2 else {"json-mixed"}
        return set().union(*parts) if all(parts) else set()
    return set()


def _number(mixed: set[str]) -> set[str]:
    return {"json-int-float"} if mixed == {"int", "float"} else {"json-mixed"} if len(mixed) > 1 else set()


def _below(kinds: dict[str, set[str]], path: str) -> set[str]:
    """Return the rule of mixed kinds inside lists and objects."""
    mixed = [found for inner, found in kinds.items() if inner.startswith(path) and len(found) > 1]
    if not mixed:
        return set()
    return {"json-int-float"} if all(found == {"int", "float"} for found in mixed) else {"json-mixed"}


def _kinds(values: list[Any]) -> dict[str, set[str]]:
    """Return the kinds of values in a column, by the place inside it."""
    found: dict[str, set[str]] = {}

    def see(value: Any, path: str) -> None:
        if value is None:
            return
        kind = {bool: "boolean", int: "int", float: "float", str: "text", list: "list", dict: "object"}[
            type(value)
        ]
        if kind == "int" and not -(2**63) <= value < 2**64:
            kind = "float"  # as the reference has it
        found.setdefault(path, set()).add(kind)
        if isinstance(value, list):
            for item in value[1]:
                see(item, f"{path}[")
        elif isinstance(value, dict):
            for key, item in value.items():
                see(item, f"{path}.{key}")

    for value in values:
        see(value, "")
    return found
