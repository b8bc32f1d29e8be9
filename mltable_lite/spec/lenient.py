"""Understands the forms that real files use besides the right ones, and says the right one in a warning.

`settle` walks the tree along the schema. A rule belongs to a named definition of the schema: where the schema says
`#/$defs/flag`, the rule `flag` sees the node first and gives it back, or another one in its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import Notice, Notices, SpecWarning
from mltable_lite.masking import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltable_lite.spec.read import Node

Schema = Any

_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
ENCODINGS = ("utf8", "utf8bom", "ascii", "latin1", "iso88591", "windows1252", "utf16", "utf32")
_PARTITION_KEYS = {"partition_format", "ignore_errors", "path_column"}


def kind(value: object) -> str:
    """Return the JSON Schema type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def kinds(schema: Schema, definitions: Mapping[str, Schema]) -> set[str]:
    """Return the JSON Schema types that a schema takes."""
    if "$ref" in schema:
        return kinds(definitions[_name(schema)], definitions)
    if "anyOf" in schema:
        return set().union(*(kinds(branch, definitions) for branch in schema["anyOf"]))
    if "enum" in schema:
        return {kind(value) for value in schema["enum"]}
    given = schema.get("type", ())
    found = {given} if isinstance(given, str) else set(given)
    return found | {"integer"} if "number" in found else found


def settle(node: Node, schema: Schema, source: str) -> tuple[Node, Notices]:
    """Return the tree with lenient forms replaced by the right ones, and a notice of each that deserves one."""
    settler = _Settler(schema["$defs"], source)
    return settler.settle(node, schema), settler.notices


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).rsplit("/", 1)[-1]


class _Settler:
    def __init__(self, definitions: Mapping[str, Schema], source: str) -> None:
        self.notices = Notices()
        self._definitions = definitions
        self._source = source

    def settle(self, node: Node, schema: Schema) -> Node:
        if "$ref" in schema:
            name = _name(schema)
            return self.settle(self._ruled(name, node), self._definitions[name])
        if "anyOf" in schema:
            return self._union(node, schema["anyOf"])
        if isinstance(node.value, dict):
            known = schema.get("properties", {})
            return replace(node, value={k: self.settle(v, known.get(k, {})) for k, v in node.value.items()})
        if isinstance(node.value, list):
            return replace(node, value=[self.settle(item, schema.get("items", {})) for item in node.value])
        return node

    def _ruled(self, name: str, node: Node) -> Node:
        """Return what the rule for a definition of the schema makes of a node."""
        match name:
            case "flag":
                return self._flag(node)
            case "column_name" | "word" | "datetime_format":
                return _spelled(node)
            case "column_names":
                return self._column_names(node)
            case "column_selection":
                return self._column_selection(node)
            case "encoding":
                return _encoding(node)
            case "partition_format" | "partition_columns":
                return self._partition_format(node)
            case "table_type":
                return self._table_type(node)
        return node

    def _union(self, node: Node, branches: list[Schema]) -> Node:
        """Settle along the branch that takes the node's type, or else along one whose rule changes the node."""
        of_type = [branch for branch in branches if kind(node.value) in kinds(branch, self._definitions)]
        for branch in of_type or branches:
            changed = self.settle(node, branch)
            if of_type or changed is not node:
                return changed
        return node

    # ------------------------------------------------------------------ rules
    def _flag(self, node: Node) -> Node:
        value = _FLAGS.get(node.value.lower()) if isinstance(node.value, str) else None
        if value is None:
            return node
        if node.quoted:
            right = str(value).lower()
            self._notice(node, "boolean(s) written as text", node.spelling, f"Write {right} without quotes.")
        return replace(node, value=value)

    def _column_names(self, node: Node) -> Node:
        """Take one name where only a list is right (``index_columns: id``)."""
        if isinstance(node.value, (list, dict)) or node.value is None:
            return node
        self._notice(node, "column name(s) where a list belongs", node.spelling, f"Write [{node.spelling}].")
        return replace(node, value=[replace(_spelled(node), key_place=None)])

    def _column_selection(self, node: Node) -> Node:
        """Take ``{columns: [...]}`` for the list itself."""
        if not isinstance(node.value, dict) or set(node.value) != {"columns"}:
            return node
        self._notice(
            node, "list(s) of columns under a further key", "columns", "Leave the key 'columns' out."
        )
        return replace(node.value["columns"], key_place=node.key_place)

    def _partition_format(self, node: Node) -> Node:
        """Rebuild ``{time:yyyy/MM/dd}`` written without quotes, which YAML takes for a mapping."""
        if not isinstance(node.value, dict) or len(node.value) != 1:
            return node
        ((key, child),) = node.value.items()
        if child.value is not None or child.spelling or key in _PARTITION_KEYS:
            return node
        text = f"{{{key}}}"
        self._notice(node, "partition format(s) without quotes", text, f"Write '{text}'.")
        return replace(node, value=text, spelling=text)

    def _table_type(self, node: Node) -> Node:
        if node.value != "table":
            return node
        self._notice(node, "table type under another name", "table", "Write type: mltable.")
        return replace(node, value="mltable")

    def _notice(self, node: Node, what: str, first: str, fix: str) -> None:
        where = f"{self._source}:{node.place.line}:{node.place.column}"
        self.notices.add(Notice(SpecWarning, "", 1, what, masked(first), where, fix))


def _spelled(node: Node) -> Node:
    """Take a number or truth value for the text that was written."""
    return replace(node, value=node.spelling) if isinstance(node.value, (bool, int, float)) else node


def _encoding(node: Node) -> Node:
    """Take an encoding's name with any dashes, blanks and upper case."""
    if not isinstance(node.value, str):
        return node
    name = node.value.lower().replace("-", "").replace("_", "").replace(" ", "")
    return replace(node, value=name) if name in ENCODINGS else node
