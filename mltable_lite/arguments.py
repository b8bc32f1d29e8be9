"""Arguments of the public functions, checked where they are given; errors name the function and what it accepts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import Any

from mltable_lite.errors import ArgumentError, ArgumentTypeError, did_you_mean
from mltable_lite.spec import model
from mltable_lite.spec.hints import type_meant
from mltable_lite.spec.parse import drawn_seed
from mltable_lite.types import DataType, MLTableSaveOverwriteOption

_INT64_MAX = 2**63 - 1
_NAMED_TYPES = {
    "int": DataType.to_int(),
    "float": DataType.to_float(),
    "string": DataType.to_string(),
    "boolean": DataType.to_bool(),
    "stream_info": DataType.to_stream(),
}
_TYPES_WITH_OPTIONS: dict[str, Callable[..., DataType]] = {
    "datetime": DataType.to_datetime,
    "boolean": DataType.to_bool,
}


def text(function: str, name: str, value: object) -> str:
    """Return a text as it is."""
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{function}: {name}={value!r} is not a text.")
    return value


def place(function: str, name: str, value: object) -> str:
    """Return a path or URI as a text."""
    given = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(given, str):
        raise ArgumentTypeError(f"{function}: {name}={value!r} is not accepted; give a path or a URI.")
    return given


def mapping(function: str, name: str, value: object, example: str = "{'anon': True}") -> dict[str, Any]:
    """Return a mapping as a new one; an empty one for `None`."""
    if value is not None and not isinstance(value, Mapping):
        raise ArgumentTypeError(
            f"{function}: {name}={value!r} is not accepted; give a mapping such as {example}."
        )
    return dict(value or {})


def flag(function: str, name: str, value: object) -> bool:
    """Return a boolean as it is; 0, 1 and words are refused."""
    if not isinstance(value, bool):
        raise ArgumentError(f"{function}: {name}={value!r} is not accepted; use True or False.")
    return value


def positive(function: str, name: str, value: object) -> int:
    """Return an integer above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= _INT64_MAX:
        raise ArgumentError(
            f"{function}: {name}={value!r} is not accepted; Number of rows must be a positive integer."
        )
    return value


_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{letter}{end}": 1000**n for n, letter in enumerate("kmgt", 1) for end in ("", "b")}
_UNITS |= {f"{letter}ib": 1024**n for n, letter in enumerate("kmgt", 1)}
_BYTES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*")


def byte_count(function: str, name: str, value: object) -> int:
    """Return a number of bytes above 0, given as an integer or as a text such as ``512MB`` or ``64 MiB``."""
    found = _BYTES.fullmatch(value.lower()) if isinstance(value, str) else None
    if found is not None and found[2] in _UNITS:
        count = int(float(found[1]) * _UNITS[found[2]])
    else:
        count = value if isinstance(value, int) and not isinstance(value, bool) else 0
    if count < 1:
        raise ArgumentError(
            f"{function}: {name}={value!r} is not accepted; give a number of bytes, or a text such as '512MB'."
        )
    return count


def stream_sizes(function: str, name: str, rows: object, max_memory: object) -> tuple[int | None, int | None]:
    """Return how many rows each piece of a stream has and how many bytes it may take; `None` where not given."""
    return (
        None if rows is None else positive(function, name, rows),
        None if max_memory is None else byte_count(function, "max_memory", max_memory),
    )


def probability(function: str, value: object) -> float:
    """Return a probability as a float from 0 to 1, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ArgumentError(f"{function}: probability={value!r} is not accepted; give a number from 0 to 1.")
    return float(value)


def percent(function: str, value: object) -> float:
    """Return the share of the first of two parts, between 0 and 1: neither part is empty on purpose."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ArgumentError(
            f"{function}: percent={value!r} is not accepted; give a number between 0 and 1, like 0.8."
        )
    return float(value)


def seed(function: str, value: object) -> int:
    """Return a seed: an integer from 0 that fits 64 bits; one that is drawn now for `None`."""
    if value is None:
        return drawn_seed()
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _INT64_MAX:
        raise ArgumentError(
            f"{function}: seed={value!r} is not accepted; the seed must be an integer from 0."
        )
    return value


def columns(function: str, value: object) -> tuple[str, ...]:
    """Return column names given as one text or a list, tuple or set of texts; a set in sorted order."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple | set) or not all(isinstance(name, str) for name in value):
        raise ArgumentError(
            f"{function}: {value!r} is not accepted; give a text, or a list, tuple or set of texts."
        )
    names = sorted(value) if isinstance(value, set) else list(value)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ArgumentError(f"{function}: column {twice!r} stands twice. Name each column once.")
    return tuple(names)


def indices(function: str, value: object) -> tuple[int, ...]:
    """Return partition numbers given as one integer or a non-empty list of them."""
    given = [value] if isinstance(value, int) else value
    valid = isinstance(given, list | tuple) and len(given) > 0
    if not valid or not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in given):  # type: ignore[attr-defined]
        raise ArgumentError(
            f"{function}: {value!r} is not accepted; give a partition's number, counted from 0, or a non-empty list."
        )
    return tuple(given)  # type: ignore[arg-type]


def conversions(value: object) -> tuple[model.Conversion, ...]:
    """Return the items of a mapping from columns to types."""
    if not isinstance(value, Mapping) or not value:
        raise ArgumentError(
            f"convert_column_types: {value!r} is not accepted; give a non-empty mapping of columns to types."
        )
    seen: set[str] = set()
    items = []
    for key, target in value.items():
        if not isinstance(key, str | tuple) or not key or not all(isinstance(name, str) for name in key):
            raise ArgumentTypeError(
                f"convert_column_types: {key!r} is not accepted; give a name or a tuple of names."
            )
        names = (key,) if isinstance(key, str) else key
        for name in names:
            if name in seen:
                raise ArgumentError(
                    f"convert_column_types: column {name!r} stands twice. Convert each column once."
                )
            seen.add(name)
        items.append(model.Conversion(model.Names(names, single=isinstance(key, str)), data_type(target)))
    return tuple(items)


def data_type(value: object) -> DataType:
    """Return a `DataType` given as one, as a word, or as the mapping that YAML has for a type with options."""
    if isinstance(value, DataType):
        return value
    if isinstance(value, str) and value in _NAMED_TYPES:
        return _NAMED_TYPES[value]
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        if name in _TYPES_WITH_OPTIONS and isinstance(options, Mapping):
            with suppress(TypeError):  # another option than there are
                return _TYPES_WITH_OPTIONS[name](**options)
    hint = ""
    if isinstance(value, str):
        meant = type_meant(value)
        hint = f" Did you mean {meant!r}?" if meant in _NAMED_TYPES else did_you_mean(value, _NAMED_TYPES)
        if meant == "datetime":
            hint = " A datetime needs its formats: DataType.to_datetime(['%Y-%m-%d'])."
    raise ArgumentError(
        f"{value!r} is not a column type; use a DataType, for example DataType.to_int() or "
        f"DataType.to_datetime('%Y-%m-%d'), or one of {', '.join(_NAMED_TYPES)}.{hint}"
    )


def overwrite_mode(value: object) -> MLTableSaveOverwriteOption:
    """Return the overwrite option given as a boolean, an option, or its name in any case."""
    if isinstance(value, bool):
        return MLTableSaveOverwriteOption.OVERWRITE if value else MLTableSaveOverwriteOption.FAIL_ON_CONFLICT
    if isinstance(value, MLTableSaveOverwriteOption):
        return value
    names = {option.name.lower(): option for option in MLTableSaveOverwriteOption}
    if isinstance(value, str) and value.lower() in names:
        return names[value.lower()]
    raise ArgumentError(
        f"save: overwrite={value!r} is not accepted; use True, False, or one of {', '.join(names)}."
    )


def paths(function: str, value: object) -> tuple[model.PathSpec, ...]:
    """Return path entries given as mappings with one of the keys file, folder and pattern."""
    if isinstance(value, str | Mapping | PurePath) or not isinstance(value, Iterable):
        raise ArgumentTypeError(
            f"{function}: paths={value!r} is not accepted; give a list of mappings, for example [{{'file': 'a.csv'}}]."
        )
    return tuple(_path(function, entry) for entry in value)


def _path(function: str, entry: Any) -> model.PathSpec:
    if not isinstance(entry, Mapping):
        raise ArgumentTypeError(
            f"{function}: the path {entry!r} is not accepted; write {{'file': {str(entry)!r}}}."
        )
    if len(entry) != 1 or next(iter(entry)) not in ("file", "folder", "pattern"):
        keys = ", ".join(map(repr, entry)) or "none"
        raise ArgumentError(
            f"{function}: a path has one of the keys 'file', 'folder', 'pattern'; found {keys}."
        )
    ((kind, target),) = entry.items()
    if not isinstance(target, str | os.PathLike):
        raise ArgumentTypeError(f"{function}: {kind}: {target!r} is not a text or a path.")
    return model.PathSpec(kind, os.fspath(target))
