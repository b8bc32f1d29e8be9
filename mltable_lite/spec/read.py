"""YAML text -> a tree of plain values that know their line and column; refuses what no table needs.

Plain words mean what they mean in YAML 1.2: only ``true`` and ``false`` are booleans, numbers have no leading zero,
and dates, ``1:30`` and ``no`` are text. A scalar keeps its spelling, so that a text can be given where one is wanted.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mltable_lite.errors import Issue, SpecError
from mltable_lite.masking import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_VALUES = 100_000
MAX_ALIASES = 100
MAX_ALIASED_VALUES = 20_000

INVALID = "MLTable yaml is invalid:"

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F][0-9a-fA-F_]*|0b[01][01_]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"([-+]?)\.(inf|Inf|INF|nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_COMMENT = re.compile(r"[ \t]+#[^\r\n]*")
_MOST_DIGITS = 100

_STANDARD = "tag:yaml.org,2002:"
_TAGS = {
    "!",
    *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "timestamp", "seq", "map")),
}


class Place(NamedTuple):
    """Where something stands; both count from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file and where it stands.

    Attributes:
        value: A scalar, a list of nodes, or a mapping from text to nodes.
        place: The value's first character.
        key_place: The first character of its key, where it stands in a mapping.
        spelling: A scalar as written, without quotes.
        quoted: Whether the scalar was written in quotes or as a block of text.
        comment: The comment that follows a scalar without quotes in its line, with the blanks before it.
    """

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    place: Place
    key_place: Place | None = None
    spelling: str = ""
    quoted: bool = False
    comment: str = ""

    def children(self) -> Iterator[Node]:
        """Yield the nodes of a list or mapping."""
        if isinstance(self.value, dict):
            yield from self.value.values()
        elif isinstance(self.value, list):
            yield from self.value

    def plain(self) -> Any:
        """Return the value with plain dicts and lists inside."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def at(self, path: tuple[str | int, ...]) -> Node:
        """Return the node at a path of keys and positions."""
        node = self
        for part in path:
            node = node.value[part]  # type: ignore[index, assignment]
        return node


def read(text: str | bytes, source: str) -> Node:
    """Return the root of a YAML text; a file without content gives a node that holds `None`.

    Raises:
        SpecError: The text is no YAML, or uses what is refused here: keys that stand twice, foreign tags, several
            documents, too many aliases, too deep or too big a tree.
    """
    return _Reader(_decoded(text, source), source).root()


def resolve(text: str) -> str | int | float | bool | None:
    """Return what a plain scalar means."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < _MOST_DIGITS:
        return int(text.replace("_", ""), 0)
    if _FLOAT.fullmatch(text) and any(mark in text for mark in ".eE"):
        return float(text)
    if special := _SPECIAL.fullmatch(text):
        return float(special[1] + special[2]) if special[2].lower() == "inf" else math.nan
    return text


def _decoded(text: str | bytes, source: str) -> str:
    if len(text) > MAX_BYTES:
        raise _refused(
            source, f"the file has more than {MAX_BYTES} bytes; an MLTable file is a short description."
        )
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        column = error.start - text.rfind(b"\n", 0, error.start)
        found = f"the byte 0x{text[error.start]:02x} is not UTF-8; save the file as UTF-8."
        raise _refused(source, found, Place(line, column)) from error


def _refused(source: str, message: str, place: Place = START) -> SpecError:
    return SpecError(source, [Issue(message, *place)], title=INVALID)


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Anchor(NamedTuple):
    node: Node
    size: int
    height: int


class _Reader:
    """Builds nodes from YAML events; events come one by one, so that a limit stops the parser in time."""

    def __init__(self, text: str, source: str) -> None:
        import yaml

        self._yaml = yaml
        self._text = text
        self._source = source
        self._comments = "#" in text
        self._anchors: dict[str, _Anchor] = {}
        self._duplicates: list[Issue] = []
        self._depth = self._deepest = self._values = self._aliases = self._aliased = 0

    def root(self) -> Node:
        """Return the root node."""
        if directive := re.search(r"^%(?!YAML )", self._text, re.MULTILINE):
            place = Place(self._text.count("\n", 0, directive.start()) + 1, 1)
            raise _refused(self._source, "a line that begins with % is a YAML directive; take it out.", place)
        yaml = self._yaml
        try:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(self._text)
            try:
                node = self._documents(loader)
            finally:
                loader.dispose()
        except yaml.YAMLError as error:
            from mltable_lite.spec.hints import syntax_issues

            raise SpecError(self._source, syntax_issues(self._text, error), title=INVALID) from error
        except UnicodeEncodeError as error:
            raise _refused(
                self._source, "the text holds half of a surrogate pair, which is no character."
            ) from error
        if self._duplicates:
            raise SpecError(self._source, self._duplicates, title=INVALID)
        return node

    def _documents(self, loader: Any) -> Node:
        yaml = self._yaml
        loader.get_event()
        if loader.check_event(yaml.StreamEndEvent):
            return Node(None, START)
        loader.get_event()
        node = self._node(loader)
        loader.get_event()
        if not loader.check_event(yaml.StreamEndEvent):
            place = _place(loader.peek_event().start_mark)
            raise _refused(self._source, "a second YAML document begins; an MLTable file holds one.", place)
        return node

    def _node(self, loader: Any) -> Node:
        yaml = self._yaml
        event = loader.get_event()
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, place)
        self._count(place)
        before, deepest_before = self._values + self._aliased, self._deepest
        self._deepest = self._depth
        if event.tag is not None and event.tag not in _TAGS:
            tag = event.tag.replace(_STANDARD, "!!")
            raise _refused(self._source, f"the tag {shown(tag)} is not accepted; leave it out.", place)
        if event.anchor is not None:
            # Until the node is complete an alias to it would stand inside itself.
            self._anchors.pop(event.anchor, None)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] or event.tag not in (None, "!", _STANDARD + "str")
            value = resolve(event.value) if plain else event.value
            node = Node(value, place, spelling=event.value, quoted=event.style not in (None, ""))
            if (
                self._comments
                and not node.quoted
                and (end := _COMMENT.match(self._text, event.end_mark.index))
            ):
                node = replace(node, comment=end[0])
        else:
            self._depth += 1
            self._check_depth(self._depth, place)
            inside = (
                self._list(loader) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(loader)
            )
            self._depth -= 1
            node = Node(inside, place)
        if event.anchor is not None:
            size = self._values + self._aliased - before + 1
            self._anchors[event.anchor] = _Anchor(node, size, self._deepest - self._depth)
        self._deepest = max(self._deepest, deepest_before)
        return node

    def _list(self, loader: Any) -> list[Node]:
        items = []
        while not loader.check_event(self._yaml.SequenceEndEvent):
            items.append(self._node(loader))
        loader.get_event()
        return items

    def _mapping(self, loader: Any) -> dict[str, Node]:
        own: dict[str, Node] = {}
        merged: list[Node] = []
        while not loader.check_event(self._yaml.MappingEndEvent):
            key, value = self._node(loader), self._node(loader)
            if isinstance(key.value, (list, dict)):
                raise _refused(self._source, "a key is a text, not a list or mapping.", key.place)
            if key.spelling == "<<" and not key.quoted:
                merged += value.value if isinstance(value.value, list) else [value]
                continue
            if seen := own.get(key.spelling):
                first = (seen.key_place or seen.place).line
                text = (
                    f"the key {shown(key.spelling)} stands twice: in line {first} and here; keep one of them."
                )
                self._duplicates.append(Issue(text, *key.place))
            own[key.spelling] = replace(value, key_place=key.place)
        loader.get_event()
        for source in merged:
            if not isinstance(source.value, dict):
                raise _refused(self._source, "'<<' takes a mapping or a list of mappings.", source.place)
            own = {**source.value, **own}
        return own

    def _alias(self, name: str, place: Place) -> Node:
        if name not in self._anchors:
            raise _refused(
                self._source, f"the alias {shown('*' + name)} has no complete anchor before it.", place
            )
        anchor = self._anchors[name]
        self._aliases += 1
        self._aliased += anchor.size
        if self._aliases > MAX_ALIASES or self._aliased > MAX_ALIASED_VALUES:
            most = f"more than {MAX_ALIASES} aliases, or {MAX_ALIASED_VALUES} values by aliases"
            raise _refused(self._source, f"{most}; write the values out.", place)
        self._check_depth(self._depth + anchor.height, place)
        return replace(anchor.node, place=place)

    def _count(self, place: Place) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            text = f"more than {MAX_VALUES} values; name folders or patterns instead of single files."
            raise _refused(self._source, text, place)

    def _check_depth(self, depth: int, place: Place) -> None:
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            raise _refused(self._source, f"lists and mappings are nested more than {MAX_DEPTH} deep.", place)
