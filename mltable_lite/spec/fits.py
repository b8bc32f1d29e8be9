"""Whether a value fits a JSON Schema: yes or no, without the library that says why not.

Most files are right, and jsonschema takes longer to load than a small table to read. So this answers first: it knows the
keywords that the schemas of this package use, and no others. What is wrong with a value only jsonschema says.
"""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from mltable_lite.spec.lenient import Schema, kind
from mltable_lite.spec.rules import FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.spec.rules import Rules


def fits(value: Any, schema: Schema, definitions: Mapping[str, Schema], rules: Rules = FORM) -> bool:
    """Tell whether a plain value fits a schema, and the rules that it names by ``format``.

    Raises:
        KeyError: The schema has a keyword that is not known here, or names such a rule.
    """
    if isinstance(schema, bool):
        return schema
    inside = partial(fits, definitions=definitions, rules=rules)
    for keyword, wanted in schema.items():
        if keyword == "$ref":
            fitting = inside(value, definitions[wanted.removeprefix("#/$defs/")])
        elif keyword == "format":
            fitting = not any(rules[wanted](value))
        elif keyword in _NESTING:
            fitting = _NESTING[keyword](value, wanted, schema, inside)
        else:
            concerns, holds = _PLAIN[keyword]
            fitting = not concerns(value) or holds(value, wanted)
        if not fitting:
            return False
    return True


def is_integer(value: object) -> bool:
    """Tell whether a value is a count, which 2.0 is not, though JSON Schema says so."""
    return kind(value) == "integer"


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number: JSON Schema knows no infinity."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


# --------------------------------------------------------------------------- keywords
def _anything(_: object) -> bool:
    return True


def _nothing(_: object) -> bool:
    return False


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _is_mapping(value: object) -> bool:
    return isinstance(value, dict)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_of(value: object, names: str | list[str]) -> bool:
    return any(
        is_number(value) if name == "number" else kind(value) == name
        for name in ([names] if isinstance(names, str) else names)
    )


def _is_word(value: object, words: list[str | None]) -> bool:
    return (value is None or isinstance(value, str)) and value in words


def _has_companions(value: Mapping[str, Any], companions: Mapping[str, list[str]]) -> bool:
    return all(other in value for key, others in companions.items() if key in value for other in others)


#: Keywords about a value itself: which values they concern, and what must hold of those.
_PLAIN: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(
        (
            "$schema",
            "$id",
            "$defs",
            "title",
            "description",
            "default",
            "examples",
            "writeOnly",
            "then",
            "else",
        ),
        (_nothing, lambda _, __: True),
    ),
    "type": (_anything, _is_of),
    "enum": (_anything, _is_word),
    "const": (_anything, lambda value, word: _is_word(value, [word])),
    "pattern": (_is_text, lambda text, pattern: bool(re.search(pattern, text))),
    "minLength": (_is_text, lambda text, least: len(text) >= least),
    "maxLength": (_is_text, lambda text, most: len(text) <= most),
    "minimum": (is_number, lambda number, least: bool(number >= least)),
    "maximum": (is_number, lambda number, most: bool(number <= most)),
    "minItems": (_is_list, lambda items, least: len(items) >= least),
    "minProperties": (_is_mapping, lambda mapping, least: len(mapping) >= least),
    "maxProperties": (_is_mapping, lambda mapping, most: len(mapping) <= most),
    "required": (_is_mapping, lambda mapping, keys: all(key in mapping for key in keys)),
    "dependentRequired": (_is_mapping, _has_companions),
}

_Inside = partial[bool]


def _properties(value: Any, wanted: Mapping[str, Schema], _: Schema, inside: _Inside) -> bool:
    return not isinstance(value, dict) or all(
        inside(each, wanted[key]) for key, each in value.items() if key in wanted
    )


def _further_properties(value: Any, wanted: Schema, schema: Schema, inside: _Inside) -> bool:
    named = schema.get("properties", ())
    return not isinstance(value, dict) or all(
        inside(each, wanted) for key, each in value.items() if key not in named
    )


def _items(value: Any, wanted: Schema, _: Schema, inside: _Inside) -> bool:
    return not isinstance(value, list) or all(inside(item, wanted) for item in value)


#: Keywords that hold schemas.
_NESTING: dict[str, Callable[[Any, Any, Schema, _Inside], bool]] = {
    "properties": _properties,
    "additionalProperties": _further_properties,
    "items": _items,
    "anyOf": lambda value, branches, _, inside: any(inside(value, branch) for branch in branches),
    "allOf": lambda value, branches, _, inside: all(inside(value, branch) for branch in branches),
    "not": lambda value, unwanted, _, inside: not inside(value, unwanted),
    "if": lambda value, test, schema, inside: inside(
        value, schema.get("then" if inside(value, test) else "else", True)
    ),
}
