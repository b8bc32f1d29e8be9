"""Why the same table differs after a step: each rule is a row of docs/compatibility.md."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import meaning
from compare import Answer, Column, column_of, same_value

_LIMITS = (2**63 - 1, -(2**63))


@dataclass(frozen=True)
class Step:
    """A step and the answers before and after it.

    Attributes:
        name: The step's name.
        value: Its value.
        before: Our answer before it, which that of the reference does not differ from in what the step uses.
        reference: The reference's answer after it.
        ours: Ours.
    """

    name: str
    value: Any
    before: Answer
    reference: Answer
    ours: Answer


def explain_step(step: Step) -> str | None:
    """Return why rows, columns or success differ after a step, or `None`."""
    reference, ours = step.reference, step.ours
    if (
        "error" not in ours
        and ours["rows"] == 0
        and (reference.get("columns") == [] or _has_no_columns(reference))
    ):
        return "empty-keeps-columns"
    if "error" not in ours and "error" not in reference and lost_empty_columns(reference, ours):
        return "columns-follow-rows"
    if step.name == "filter":
        return _filter(step)
    if step.name in ("drop_columns", "keep_columns") and "NoColumns" in reference.get("text", ""):
        rows = zip(*ours.get("values", []), strict=True)
        return "every-column-of-a-file" if any(set(row) == {None} for row in rows) else None
    if step.name == "drop_columns" and ours.get("error") == "NoColumnsError":
        return "every-column-dropped" if not set(step.before["columns"]) - set(_listed(step.value)) else None
    if ours.get("error") == "ColumnNotFoundError" and _missing(step):
        return {"keep_columns": "keep-missing", "convert_column_types": "convert-missing-column"}.get(
            step.name
        )
    return None


def _has_no_columns(reference: Answer) -> bool:
    return "NoColumns { record_count: 0 }" in reference.get("text", "")


def lost_empty_columns(reference: Answer, ours: Answer) -> bool:
    """Tell whether the reference lacks only columns in which no row has a value, or has the others in another order."""
    lost = set(ours["columns"]) - set(reference["columns"])
    left = set(ours["columns"]) - lost == set(reference["columns"])
    empty = all(value is None for name in lost for value in column_of(ours, name).values)
    return (
        left and empty and ours["columns"] != reference["columns"] and ours["rows"] == reference["rows"] > 0
    )


def names_used(step: dict[str, Any], columns: list[str]) -> set[str]:
    """Return the columns that a step uses, of those given."""
    ((name, value),) = step.items()
    if name == "filter":
        return {column for column in columns if re.search(rf"\b{re.escape(column)}\b", value)}
    if name == "convert_column_types":
        return {column for item in value for column in _listed(item["columns"])} & set(columns)
    return set()


def _listed(names: Any) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _missing(step: Step) -> list[str]:
    if step.name == "convert_column_types":
        return [n for item in step.value for n in _listed(item["columns"]) if n not in step.before["columns"]]
    return [n for n in _listed(step.value) if n not in step.before["columns"]]


# --------------------------------------------------------------------------- filter
_LEAF = re.compile(
    r'(?:col\("(?P<quoted>[^"]+)"\)|(?P<bare>[A-Za-z_]\w*))(?P<sum> (?:\+|-|\*|/|%|//|\*\*) \d)? '
    r'(?P<operator>==|!=|<=|>=|<|>) (?P<literal>datetime\([^)]*\)|"[^"]*"|\'[^\']*\'|-?[\d.]+|True|False|None|col\("[^"]+"\)|[A-Za-z_]\w*)'
)
_CALL = re.compile(
    r'(?P<function>startswith|ToLower|Length)\((?:col\("(?P<quoted>[^"]+)"\)|(?P<bare>\w+))|(?:col\("(?P<quoted2>[^"]+)"\)|(?P<bare2>\w+))\.startswith\('
)


def _filter(step: Step) -> str | None:
    reference, ours, before = step.reference, step.ours, step.before
    leaves = [(m["quoted"] or m["bare"], m) for m in _LEAF.finditer(step.value)]
    calls = [
        (m["quoted"] or m["bare"] or m["quoted2"] or m["bare2"], m["function"] or "startswith")
        for m in _CALL.finditer(step.value)
    ]
    names = {name for name, _ in [*leaves, *calls]}
    kinds = {name: kind_of(before, name) for name in names if name in before["columns"]}
    if ours.get("error") == "ColumnNotFoundError" and not names <= set(before["columns"]):
        return "filter-missing-column"
    mixed = any(_mixes(kinds[name], leaf) for name, leaf in leaves if name in kinds)
    mixed |= any(kinds[name] not in ("text", "nothing") for name, function in calls if name in kinds)
    if ours.get("error") == "FilterTypeError":
        empty = any(kind == "nothing" for kind in kinds.values()) and re.search(
            "compares|computes|takes", ours["text"]
        )
        return "filter-kinds" if mixed or empty else None
    lengths = {name for name, function in calls if function == "Length" and name in kinds}
    if "error" not in reference and any(
        isinstance(v, str) and not v.isascii() for n in lengths for v in column_of(before, n).values
    ):
        return "filter-length"
    nulls = {name for name in kinds if any(v is None for v in column_of(before, name).values)}
    if "error" in reference and nulls & {name for name, _ in calls}:
        return "filter-null-functions"
    if "None" in step.value:
        return "filter-none"
    if "error" in reference and "Microsoft.DPrep.ErrorValues" in reference["text"] and nulls:
        return "filter-misfit-cells"
    if ours.get("error") == "EvaluationError" and "overflows" in ours["text"]:
        return "filter-overflow"
    if any(kinds.get(name) == "date" and (leaf["literal"][0] in "\"'") for name, leaf in leaves):
        return "filter-date-text"
    if " // " in step.value and "error" not in ours and "error" not in reference:
        odd = any(
            isinstance(v, list) or (isinstance(v, (int, float)) and v < 0)  # a list of "float" is infinite
            for name in kinds
            for v in column_of(before, name).values
        )
        return "filter-floor" if odd else None
    return None


def _mixes(kind: str, leaf: re.Match[str]) -> bool:
    """Tell whether a comparison is one of two kinds."""
    literal = leaf["literal"]
    other = (
        "date"
        if literal.startswith("datetime(")
        else "text"
        if literal[0] in "\"'"
        else "boolean"
        if literal in ("True", "False")
        else "number"
        if literal[0] in "-0123456789"
        else kind
    )
    if kind == "nothing" or literal == "None":
        return False
    ordered_booleans = kind == "boolean" and leaf["operator"] not in ("==", "!=")
    return (
        kind != other
        or (bool(leaf["sum"]) and kind != "number")
        or ordered_booleans
        or kind in ("list", "record", "bytes", "time")
    )


def kind_of(answer: Answer, name: str) -> str:
    """Return the kind of a column as the filter sees it."""
    column = column_of(answer, name)
    values = [value for value in column.values if value is not None]
    if column.dtype.startswith("datetime"):
        return "date"
    if not values and column.dtype == "object":
        return "nothing"
    if column.dtype == "str" or (values and isinstance(values[0], str)):
        return "text"
    if column.dtype in ("bool", "boolean") or (values and isinstance(values[0], bool)):
        return "boolean"
    if values and isinstance(values[0], list):
        tag = values[0][0]
        return {"date": "date", "datetime": "date", "decimal": "number", "float": "number"}.get(tag, tag)
    return "record" if values and isinstance(values[0], dict) else "number"


# --------------------------------------------------------------------------- convert_column_types
def explain_conversion(
    target: Any, source: list[Any], reference: Column, ours: Column, name: str
) -> set[str]:
    """Return the rules that explain every difference of a converted column, an empty set where something is left.

    `name` is the beginning of the rules' names: ``convert``, or ``override`` for a type given to the reader.
    """
    found = set()
    for value, theirs, our in zip(source, reference.values, ours.values, strict=True):
        if same_value(theirs, our):
            continue
        rule = _conversion(target, value, theirs, our, ours)
        if rule is None:
            return set()
        found.add(
            "override-int"
            if name == "override" and target == "int" and rule != "big-integers-with-nulls"
            else rule
        )
    if found:
        return found
    if (reference.dtype, ours.dtype) == ("datetime", "datetime zoned"):
        return {"row-path-zones"}
    if reference.dtype == "object":
        some = any(value is not None for value in ours.values)
        return {"null-files-keep-type" if some else "all-null-keeps-type"}
    return found


def _conversion(target: Any, value: Any, theirs: Any, our: Any, ours: Column) -> str | None:
    if (
        isinstance(value, list)
        and value[0] in ("date", "datetime")
        and not "1677-09-22" <= value[1][:10] <= "2262-04-11"
    ):
        return "row-path-far-timestamps"
    number = value
    if isinstance(value, str):
        integer = meaning.as_int(value)
        number = meaning.as_float(value) if integer is None else integer
    if isinstance(value, list) and value[0] == "float":
        number = float(value[1])
    if (
        isinstance(number, float)
        and math.isnan(number)
        and target == "int"
        and theirs in (0, 0.0)
        and our is None
    ):
        return "convert-nan"
    if (
        target == "int"
        and our is None
        and theirs in (*_LIMITS, *map(float, _LIMITS))
        and number is not None
        and not -(2**63) <= number < 2**63
    ):
        return "convert-overflow"
    if isinstance(our, int) and ours.dtype == "int64" and isinstance(theirs, float) and theirs == float(our):
        return "big-integers-with-nulls"
    if isinstance(value, dict) and isinstance(our, str) and isinstance(theirs, str):
        return "json-record-keys" if _known_keys(our) == _known_keys(theirs) else None
    if isinstance(value, list) and value[0] == "time" and theirs is None and our == value[1]:
        return "convert-time-text"
    if isinstance(value, list) and value[0] == "datetime" and our == f"{value[1]}+00:00":
        return "convert-zone-text"
    if isinstance(value, list) and value[0] == "datetime" and ours.dtype == "datetime zoned" and our == value:
        return "row-path-zones"
    if isinstance(value, int) and value >= 2**63:
        wrapped = value - 2**64
        return "row-path-uint64" if theirs in (wrapped, float(wrapped), str(wrapped)) else None
    if isinstance(value, bool) and target in ("int", "float") and theirs is None and our == int(value):
        return "convert-bool-number"
    if (
        isinstance(target, dict)
        and "boolean" in target
        and not isinstance(value, (str, bool))
        and theirs == _is_true(value)
    ):
        return "convert-bool-lists"
    return (
        _conversion_to_date(target, value, theirs, our)
        if isinstance(target, dict) and "datetime" in target
        else None
    )


def _is_true(value: Any) -> bool | None:
    """Return what a number is as a boolean; `None` for no number."""
    if isinstance(value, list) and value[0] in ("float", "decimal"):
        value = float(value[1])
    return value != 0 if isinstance(value, (int, float)) else None


def _known_keys(record: str) -> list[str]:
    """Return the parts of a record's text that have a value."""
    return sorted(part for part in re.split("[{},] ?", record) if part and not part.endswith(": Null"))


def _conversion_to_date(target: Any, value: Any, theirs: Any, our: Any) -> str | None:
    formats = _listed(target["datetime"]["formats"])
    if not isinstance(value, str):
        return None
    instants = meaning.instants(value)
    if theirs is None and our is not None and our[1] in instants:
        if not "1677-09-22" <= our[1][:10] <= "2262-04-11":
            return "convert-far-date"
        return "convert-next-format" if len(formats) > 1 else None
    if (
        our is None
        and theirs is not None
        and re.match(r"\d{1,3}-", value)
        and any("%Y" in f for f in formats)
    ):
        return "convert-short-year"
    return None
