"""Where two answers differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

Answer = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One difference of two answers.

    Attributes:
        what: ``ours fails``, ``reference fails``, ``columns``, ``rows`` or ``cells``.
        column: The column, for cells.
    """

    what: str
    column: str = ""


def differences(reference: Answer, ours: Answer) -> list[Difference]:
    """Return how our answer differs from that of the reference; two errors are alike."""
    if "error" in reference or "error" in ours:
        if "error" in reference and "error" in ours:
            return []
        return [Difference("ours fails" if "error" in ours else "reference fails")]
    found = []
    if reference["columns"] != ours["columns"]:
        found.append(Difference("columns"))
    if reference["rows"] != ours["rows"]:
        found.append(Difference("rows"))
        return found
    for name in ours["columns"]:
        if name not in reference["columns"]:
            continue
        one, two = column_of(reference, name), column_of(ours, name)
        if not same_dtype(one.dtype, two.dtype) or not all(map(same_value, one.values, two.values)):
            found.append(Difference("cells", name))
    return found


@dataclass(frozen=True)
class Column:
    """A column of an answer."""

    dtype: str
    values: list[Any]


def column_of(answer: Answer, name: str) -> Column:
    """Return a column of an answer."""
    index = answer["columns"].index(name)
    return Column(kind(answer["dtypes"][index]), answer["values"][index])


def kind(dtype: str) -> str:
    """Return a dtype's kind: all units of datetimes are one, and all spellings of text."""
    dtype = dtype.lower()
    if dtype.startswith("datetime64"):
        return "datetime" + (" zoned" if "," in dtype else "")
    return "str" if dtype in ("string", "str", "large_string") else dtype


def same_dtype(one: str, two: str) -> bool:
    """Tell whether two kinds of dtypes are alike; text is str, or object where there is nothing."""
    return one == two or {one, two} == {"str", "object"}


def same_value(one: Any, two: Any) -> bool:
    """Tell whether two values are equal, of the same kind, and floats but for their last digit."""
    if isinstance(one, bool) or isinstance(two, bool):
        return one is two
    if isinstance(one, (int, float)) and isinstance(two, (int, float)):
        return one == two or (
            isinstance(one, float) and isinstance(two, float) and math.isclose(one, two, rel_tol=1e-15)
        )
    if isinstance(one, list) and isinstance(two, list):
        return len(one) == len(two) and all(map(same_value, one, two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same_value(one[key], two[key]) for key in one)
    return bool(one == two)
