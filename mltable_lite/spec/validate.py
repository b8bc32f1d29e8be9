"""Checks the tree of a YAML file against its JSON Schema and tells all that is wrong at once, in file order."""

from __future__ import annotations

import json
import pathlib
import pkgutil
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import Issue, Notices, SpecError, did_you_mean, listed
from mltable_lite.masking import MASK, shown
from mltable_lite.spec.fits import fits, is_integer, is_number
from mltable_lite.spec.hints import comment_hint, key_hint, value_hint
from mltable_lite.spec.lenient import Schema, kind, kinds, settle
from mltable_lite.spec.rules import FORM

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

    from mltable_lite.spec.hints import Path
    from mltable_lite.spec.read import Node, Place
    from mltable_lite.spec.rules import Rules

MAX_ISSUES = 50
_HUGE = 2**63 - 1


def validate(root: Node, source: str, rules: Rules) -> tuple[Node, Notices]:
    """Return the tree in the right forms only, and a notice of every lenient form that was understood.

    `rules` are asked for beside those of the form.

    Raises:
        SpecError: Something is not accepted; the error holds all issues.
    """
    root, notices = settle(root, load_schema(), source)
    check(root, source, _MLTABLE, {**FORM, **rules})
    return root, notices


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: the name of its schema, what texts call it, and hints about its keys and values."""

    schema: str
    name: str
    key_hint: Callable[[Path, str, Collection[str]], str] = lambda _path, _key, _beside: ""
    value_hint: Callable[[Path, object, str], str] = lambda _path, _value, _takes: ""
    title: str = ""


_MLTABLE = FileKind("MLTable", "an MLTable file", key_hint, value_hint)


def check(root: Node, source: str, what: FileKind, rules: Rules = FORM) -> None:
    """Check a tree against the schema of its kind of file, and the rules that the schema names.

    Raises:
        SpecError: Something is not accepted; the error holds all issues.
    """
    value, schema = root.plain(), load_schema(what.schema)
    if fits(value, schema, schema.get("$defs", {}), rules):
        return
    errors = validator(what.schema, rules).iter_errors(value)
    found = (issue for error in errors for issue in _Explainer(root, error, what, rules).issues())
    issues = in_order(list(islice(found, MAX_ISSUES)))
    if len(issues) == MAX_ISSUES:
        issues.append(replace(issues[-1], message="there may be more issues after this one.", key=""))
    if issues:
        raise SpecError.of(source, issues, what.title)


def in_order(issues: list[Issue]) -> list[Issue]:
    """Return the issues in file order."""
    return sorted(issues, key=lambda issue: (issue.line or 0, issue.column or 0))


@cache
def load_schema(name: str = "MLTable") -> Schema:
    """Return the JSON Schema of MLTable files, or of another kind of file, from the wheel or the checkout."""
    file = f"schemas/{name}.schema.json"
    try:
        text = pkgutil.get_data("mltable_lite", file)
    except FileNotFoundError:
        text = (pathlib.Path(__file__).parents[2] / file).read_bytes()
    assert text is not None
    return json.loads(text)


def validator(name: str, rules: Rules = FORM) -> Validator:
    """Return what says all that is wrong with a value, by the schema of a kind of file and the rules that it names."""
    from jsonschema import Draft202012Validator, ValidationError, validators

    def judge(_: Validator, name: str, value: object, __: Schema) -> Iterator[ValidationError]:
        for message, path in rules[name](value):
            yield ValidationError(message, path=path)

    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": lambda _, value: is_integer(value), "number": lambda _, value: is_number(value)}
    )
    strict: type[Validator] = validators.extend(  # type: ignore[no-untyped-call]
        Draft202012Validator, {"format": judge}, type_checker=checker
    )
    return strict(load_schema(name))


def key_path(path: tuple[str | int, ...]) -> str:
    """Return a path as ``transformations[0].read_delimited.encoding``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def accepted(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return what a schema takes, in words: ``a whole number of at least 1``."""
    if "$ref" in schema:
        return accepted(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(accepted(branch, definitions) for branch in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(str(word) for word in schema["enum"] if word is not None)
    words = [_words(name, schema) for name in ("boolean", "integer", "number", "string", "array", "object")]
    takes = kinds(schema, definitions) - ({"integer"} if schema.get("type") == "number" else set())
    return " or ".join(word for name, word in words if name in takes)


def _words(name: str, schema: Schema) -> tuple[str, str]:
    low, high = schema.get("minimum"), schema.get("maximum", _HUGE)
    bounds = "" if low is None else f" of at least {low}" if high == _HUGE else f" from {low} to {high}"
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    length = f" of {least} or {most} characters" if most else " that is not empty" if least else ""
    if "pattern" in schema:
        # An expression is not for people: the description says it in words.
        words = schema["description"].rstrip(".")
        length = f" ({words[:1].lower()}{words[1:]})"
    keys = listed(schema.get("properties", ()), 20)
    return name, {
        "boolean": "true or false",
        "integer": f"a whole number{bounds}",
        "number": f"a number{bounds}",
        "string": f"a text{length}",
        "array": f"a list{' that is not empty' if schema.get('minItems') else ''}",
        "object": f"a mapping with {keys}" if keys else "a mapping",
    }[name]


class _Explainer:
    """Turns one finding of the JSON Schema validator into issues for people."""

    def __init__(self, root: Node, error: ValidationError, what: FileKind, rules: Rules) -> None:
        self._root = root
        self._error = error
        self._what = what
        self._rules = rules
        self._path: tuple[str | int, ...] = tuple(error.absolute_path)
        self._node = root.at(self._path)
        self._schema: Any = error.schema
        self._definitions = load_schema(what.schema).get("$defs", {})

    def issues(self) -> Iterator[Issue]:
        """Yield the issues, the innermost cause where the validator only says that no branch fits."""
        match self._error.validator:
            case "anyOf":
                yield from self._union()
            case "additionalProperties":
                yield from self._unknown_keys()
            case "required" | "dependentRequired":
                yield from self._missing_keys()
            case "minProperties" | "maxProperties":
                yield from self._wrong_count()
            case "not":
                yield self._issue("version_as_of and timestamp_as_of exclude each other; keep one of them.")
            case "format":
                yield self._broken(str(self._error.validator_value))
            case _:
                yield self._issue(self._not_accepted())

    def _issue(self, message: str, place: Place | None = None) -> Issue:
        # An absent value has no place of its own: point to its key.
        own = self._node.key_place if self._node.value is None else None
        line, column = place or own or self._node.place
        return Issue(message, line, column, key_path(self._path))

    def _broken(self, rule: str) -> Issue:
        message, node = self._error.message, self._node
        whole = node.spelling + node.comment
        if node.comment and not any(self._rules[rule](whole)):
            message += comment_hint(self._name(), whole)
        return replace(self._issue(message), in_filter=rule == "filter")

    def _not_accepted(self) -> str:
        value = self._node.value
        if self._path[:1] == ("transformations",) and len(self._path) == 2 and isinstance(value, str):  # noqa: PLR2004
            return self._bare_step(value)
        words = [word for word in self._schema.get("enum", ()) if word is not None]
        takes = accepted(self._schema, self._definitions)
        if self._error.validator == "maximum" and self._error.validator_value == _HUGE:
            takes += f" and at most {_HUGE}"
        guess = did_you_mean(value, words) if isinstance(value, str) else ""
        hint = self._what.value_hint(self._path, value, takes) or guess
        # What the schema marks so is a secret, or may be one: it is never repeated.
        given = MASK if self._schema.get("writeOnly") else shown(value)
        found = (
            f"nothing is given for {self._name()}"
            if value is None
            else f"{given} is not accepted for {self._name()}"
        )
        return f"{found}; accepted: {takes}.{hint}"

    def _name(self) -> str:
        name = next((part for part in reversed(self._path) if isinstance(part, str)), self._what.name)
        return f"an item of {name}" if self._path and isinstance(self._path[-1], int) else name

    def _bare_step(self, name: str) -> str:
        steps = self._definitions["step"]["anyOf"][1]["properties"]
        if name in steps:
            hint = value_hint(self._path, name, "")
            return f"the step {name} has no value; only read steps stand alone.{hint}"
        hint = key_hint(self._path, name) or did_you_mean(name, steps)
        return f"unknown step {shown(name)}; accepted: {listed(steps, 20)}.{hint}"

    def _union(self) -> Iterator[Issue]:
        branches: dict[Any, list[ValidationError]] = {}
        for error in self._error.context or ():
            branches.setdefault(error.relative_schema_path[0], []).append(error)
        fitting = [errors for errors in branches.values() if not any(map(_wrong_kind, errors))]
        if len(fitting) != 1:
            yield self._issue(self._not_accepted())
            return
        # A step with too many keys is badly cut: what else is wrong with it only follows from that.
        for error in [e for e in fitting[0] if e.validator == "maxProperties"] or fitting[0]:
            yield from _Explainer(self._root, error, self._what, self._rules).issues()

    def _unknown_keys(self) -> Iterator[Issue]:
        keys = list(self._schema["properties"])
        is_step = self._schema.get("title") == "Step with options"
        noun = "step" if is_step else "key"
        given = [key for key, _ in self._children()]
        for key, child in self._children():
            if key not in keys:
                hint = self._what.key_hint(self._path, key, given) or did_you_mean(key, keys)
                text = f"unknown {noun} {shown(key)}; accepted: {listed(keys, 20)}.{hint}"
                yield self._issue(text, child.key_place)

    def _missing_keys(self) -> Iterator[Issue]:
        given = [key for key, _ in self._children()]
        needed: Any = self._error.validator_value
        properties = self._schema.get("properties") or load_schema(self._what.schema)["properties"]
        if isinstance(needed, dict):
            needed = [key for trigger, keys in needed.items() if trigger in given for key in keys]
        for key in needed:
            if key not in given and f"'{key}' is" in self._error.message:
                takes = accepted(properties.get(key, {}), self._definitions)
                yield self._issue(f"the key '{key}' is missing; accepted: {takes}.")

    def _wrong_count(self) -> Iterator[Issue]:
        keys = [key for key, _ in self._children()]
        found = f"{len(keys)} keys ({', '.join(map(shown, keys))})" if keys else "no key"
        wanted = listed(self._schema["properties"], 20)
        yield self._issue(f"{found} where exactly one belongs; accepted: {wanted}.{self._count_hint(keys)}")

    def _count_hint(self, keys: list[str]) -> str:
        if self._schema.get("title") != "Step with options" or not keys:
            return ""
        first = self._node.at((keys[0],))
        if first.value is None and keys[1] not in self._schema["properties"]:
            return f" Indent the options of {keys[0]} further than its name."
        return " Begin each step with '- '."

    def _children(self) -> list[tuple[str, Node]]:
        return list(self._node.value.items()) if isinstance(self._node.value, dict) else []


def _wrong_kind(error: ValidationError) -> bool:
    """Tell whether a branch of a union is not even of the value's kind."""
    if error.relative_path and len(error.relative_path) > 0:
        return False
    return error.validator == "type" or (error.validator == "enum" and kind(error.instance) != "string")
