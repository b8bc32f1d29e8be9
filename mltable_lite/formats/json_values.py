"""JSON exactly as it is written: lines -> Python values -> the type that holds them all -> Arrow arrays.

This is the slow, exact way, which decides what JSON lines mean; `json_lines` takes a fast way where both agree.
"""

from __future__ import annotations

import itertools
import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.types import plain_digits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WHITE = b" \t\r"
_INT64, _UINT64 = (-(2**63), 2**63 - 1), (0, 2**64 - 1)
_PARSED_DIGITS = 4000
_SHOWN_CHARACTERS = 60


class Line(NamedTuple):
    """A line that is not blank: where it begins in its block, and its object, or why it is invalid."""

    position: int
    value: dict[str, Any] | None
    reason: str = ""


class Doubled(dict[str, Any]):
    """An object whose text holds the keys `doubled` more than once; their last values are kept."""

    doubled: tuple[str, ...]


class Misfit(Exception):  # noqa: N818 - never leaves this package's formats
    """A value that its column's type cannot hold."""

    def __init__(self, value: Any, wanted: pa.DataType) -> None:
        super().__init__(value, wanted)
        self.value, self.wanted = value, wanted


# --------------------------------------------------------------------------- text -> values
def parse_lines(data: bytes, start: int, stop: int) -> Iterator[Line]:
    """Yield the lines of ``data[start:stop]`` that are not blank."""
    while start < stop:
        end = data.find(b"\n", start, stop)
        end = stop if end < 0 else end
        line = data[start:end].strip(_WHITE)
        if line:
            yield _parse(start, line.decode())
        start = end + 1


def _parse(position: int, text: str) -> Line:
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:  # half of a surrogate pair is no character
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        return Line(position, None, "it is nested too deeply")
    except UnicodeEncodeError:
        return Line(position, None, "a \\u escape is half of a character")
    except ValueError as error:
        reason = (
            f"{error.msg} at character {error.pos + 1}"
            if isinstance(error, json.JSONDecodeError)
            else str(error)
        )
        return Line(position, None, reason)
    if isinstance(value, dict):
        return Line(position, value)
    kind = {list: "an array", str: "a text", type(None): "null"}.get(type(value), "a single value")
    return Line(position, None, f"it is {kind}; every line must be one object: {{...}}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    doubled, left = Doubled(value), set(value)
    doubled.doubled = tuple(key for key, _ in pairs if key not in left or left.remove(key))  # type: ignore[func-returns-value]
    return doubled


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{shortened(text)} is too big a number")
    return value


def _integer(text: str) -> int:
    # Python refuses to parse more than 4300 digits; no float64 tells such numbers apart.
    return int(text) if len(text) <= _PARSED_DIGITS else (-1 if text[0] == "-" else 1) * 10**_PARSED_DIGITS


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_real, parse_int=_integer
)


_NESTED = (dict, list, Doubled)


def doubled_in(value: Any) -> str | None:
    """Return a key that an object holds more than once, anywhere in a value."""
    if type(value) is Doubled:
        return value.doubled[0]
    if type(value) is dict or type(value) is list:
        for inner in value.values() if type(value) is dict else value:
            if type(inner) in _NESTED and (key := doubled_in(inner)) is not None:
                return key
    return None


def shortened(value: Any) -> str:
    """Return a value as JSON text for a message, cut to some characters."""
    text = value if isinstance(value, str) else to_json(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."


def to_json(value: Any) -> str:
    """Return a value as compact JSON text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def to_text(value: Any, *, quoted: bool = False) -> str:
    """Return what ``convert_column_types: string`` makes of a value by itself; `quoted` is the style inside lists."""
    match value:
        case None:
            return "null" if quoted else "Null"
        case str():
            return '"' + value.replace('"', '\\"') + '"' if quoted else value
        case bool():
            return str(value).lower() if quoted else str(value)
        case float():
            return plain_digits(Decimal(repr(value)))
        case list():
            return f"[{', '.join(to_text(item, quoted=True) for item in value)}]"
        case dict():
            keys = (json.dumps(key, ensure_ascii=False) if quoted else key for key in value)
            return (
                "{"
                + ", ".join(
                    f"{k}: {to_text(v, quoted=quoted)}" for k, v in zip(keys, value.values(), strict=True)
                )
                + "}"
            )
    return str(value)


# --------------------------------------------------------------------------- values -> type
class Shape:
    """What was seen in one place of many values: the kinds, and below lists and objects the same again."""

    __slots__ = ("fields", "high", "item", "kinds", "low")

    def __init__(self) -> None:
        self.kinds: set[type] = set()
        self.low, self.high = 0, 0
        self.item: Shape | None = None
        self.fields: dict[str, Shape] = {}

    def add(self, values: list[Any]) -> None:
        """Add values. Keys keep the order in which they are first seen."""
        kinds = {dict if kind is Doubled else kind for kind in set(map(type, values))}
        self.kinds |= kinds - {type(None)}
        if int in kinds:
            numbers = [value for value in values if type(value) is int]
            self.low, self.high = min(self.low, *numbers), max(self.high, *numbers)
        if list in kinds:
            self.item = self.item or Shape()
            self.item.add(list(itertools.chain.from_iterable(v for v in values if type(v) is list)))
        if dict in kinds:
            objects = [value for value in values if isinstance(value, dict)]
            for key in dict.fromkeys(itertools.chain.from_iterable(objects)):
                self.fields.setdefault(key, Shape()).add([o[key] for o in objects if key in o])

    @property
    def type(self) -> pa.DataType:
        """The narrowest type that holds every value: numbers together, else only like with like, else text."""
        match sorted(kind.__name__ for kind in self.kinds):
            case []:
                return pa.null()
            case ["bool"]:
                return pa.bool_()
            case ["int"] if self.low >= _INT64[0] and self.high <= _INT64[1]:
                return pa.int64()
            case ["int"] if self.low >= 0 and self.high <= _UINT64[1]:
                return pa.uint64()
            case ["int"] | ["float"] | ["float", "int"]:
                return pa.float64()
            case ["list"]:
                assert self.item is not None
                return pa.list_(self.item.type)
            case ["dict"]:
                return pa.struct(self.columns)
            case _:
                return pa.string()

    @property
    def columns(self) -> list[pa.Field[Any]]:
        """The keys of the objects, as fields."""
        return [pa.field(name, shape.type) for name, shape in self.fields.items()]


# --------------------------------------------------------------------------- values -> arrays
class Losses(NamedTuple):
    """Where `convert` tells of what it changed, each with the value: text made of another kind, and rounding."""

    widened: Callable[[Any], None]
    rounded: Callable[[Any], None]


def convert(value: Any, wanted: pa.DataType, losses: Losses) -> Any:
    """Return a value as `pa.array` takes it for a type.

    Raises:
        Misfit: The type cannot hold the value.
    """
    kind = type(value)
    if value is None:
        return None
    if pt.is_string(wanted):
        if kind is str:
            return value
        losses.widened(value)
        return to_json(value)
    if pt.is_float64(wanted) and kind in (int, float):
        real = _float(value)
        if kind is int and real != value:
            losses.rounded(value)
        return real
    if pt.is_integer(wanted) and kind is int:
        low, high = _INT64 if pt.is_int64(wanted) else _UINT64
        if low <= value <= high:
            return value
    elif pt.is_boolean(wanted) and kind is bool:
        return value
    elif pt.is_list(wanted) and kind is list:
        return [convert(inner, wanted.value_type, losses) for inner in value]
    elif pt.is_struct(wanted) and kind in (dict, Doubled):
        fields = {field.name: field.type for field in wanted}
        if value.keys() <= fields.keys():
            return {key: convert(inner, fields[key], losses) for key, inner in value.items()}
    raise Misfit(value, wanted)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
