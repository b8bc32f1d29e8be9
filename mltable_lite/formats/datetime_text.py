"""Texts -> timestamps by formats such as ``%d/%m/%Y %H:%M``, whole arrays at a time.

A format is compiled to a regular expression with a group for each field (`spec.datetime_format` says what formats mean).
The groups of all texts are extracted at once and become arrays of numbers, which `datetime_fields` puts together.
Formats whose texts have a fixed width are read by position first (`datetime_fixed`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import ArgumentError
from mltable_lite.formats import datetime_fields
from mltable_lite.formats.datetime_fixed import Layout
from mltable_lite.spec.datetime_format import (
    DATE_FIELDS,
    MONTHS,
    NUMBERS,
    WEEKDAYS,
    compile_format,
    field_of,
    short,
    whole_format,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.formats.datetime_fields import Bools, Fields, Ints

_MICROS = 1_000_000
_NANOS = 1_000_000_000

_FIXED = {**NUMBERS, "Y": ("year", 4), "G": ("iso_year", 4), ".f": ("fraction", 0)}


@dataclass(frozen=True, slots=True)
class _Expression:
    """A regular expression and the field of each of its groups ``g0``, ``g1``, ..."""

    pattern: str
    groups: tuple[str, ...]

    def extract(self, texts: Any) -> tuple[Ints, Fields, Bools]:
        """Return the positions of the texts that match, their fields, and where digits were cut off."""
        found = pc.extract_regex(texts, self.pattern)
        matched = np.flatnonzero(np.asarray(found.is_valid()))
        found = found.take(pa.array(matched))
        fields: Fields = {}
        agree = np.ones(len(matched), bool)
        cut = np.zeros(len(matched), bool)
        for number, name in enumerate(self.groups):
            group = found.field(number)
            value = _READ.get(name, _number)(group)
            agree &= fields.setdefault(field_of(name), value) == value  # a field that stands twice
            if name == "fraction":
                cut |= np.asarray(pc.match_substring_regex(group, "^[0-9]{9}0*[1-9]"))
        return matched[agree], {name: value[agree] for name, value in fields.items()}, cut[agree]


@dataclass(frozen=True, slots=True)
class _Format:
    """A compiled format: the ways to read it, fastest first, and if it needs nanoseconds."""

    ways: tuple[Layout | _Expression, ...]
    fine: bool


class DatetimeFormats:
    """Compiled formats; `type` is what they parse to.

    The formats alone decide the type, so that it is the same for every batch of a column: nanoseconds where a
    format takes more than six digits of a second (``%f``, ``%.f``, ``%9f``, ``%+``), else microseconds. What
    nanoseconds cannot hold (before 1678, after 2261) then fails; ``%6f`` in place of ``%f`` reads it.

    Args:
        formats: Tried in order for each text; the first one that fits and gives a valid date wins.
        date_constant: Put before every text, with a blank. For a format that only says a time it must be
            ``YYYY-MM-DD``.

    Raises:
        ArgumentError: A format has an unknown directive or does not say an instant.
    """

    def __init__(self, formats: tuple[str, ...], date_constant: str | None = None) -> None:
        self._constant = date_constant
        self._formats = tuple(_dated(text, date_constant) for text in formats)
        self.type = pa.timestamp("ns" if any(compiled.fine for compiled in self._formats) else "us")

    def parse(self, texts: Any) -> tuple[Any, Any]:
        """Return timestamps, null where no format fits, and where digits were cut off. Texts are trimmed."""
        if self._constant is not None:
            texts = pc.binary_join_element_wise(
                pa.scalar(self._constant.strip(), texts.type), texts, pa.scalar(" ", texts.type)
            )
        values = np.zeros(len(texts), np.int64)
        missing = np.ones(len(texts), bool)
        cut = np.zeros(len(texts), bool)
        todo = np.arange(len(texts))
        for way in (way for compiled in self._formats for way in compiled.ways):
            part = texts if len(todo) == len(texts) else texts.take(pa.array(todo))
            matched, fields, lossy = way.extract(part)
            value, valid = self._values(fields) if len(matched) else (matched, np.zeros(0, bool))
            rows = todo[matched[valid]]
            values[rows], cut[rows], missing[rows] = value[valid], lossy[valid], False
            todo = np.flatnonzero(missing)
        return pa.array(values, pa.int64(), mask=missing).cast(self.type), pa.array(cut)

    def _values(self, fields: Fields) -> tuple[Ints, Bools]:
        """Return timestamps in the unit of the type, and which of them are valid."""
        seconds, valid = datetime_fields.instants(fields)
        if self.type.unit == "us":
            return seconds * _MICROS + fields.get("fraction", 0) // 1000, valid
        valid &= np.abs(seconds) < np.iinfo(np.int64).max // _NANOS
        return seconds * _NANOS + fields.get("fraction", 0), valid


# --------------------------------------------------------------------------- groups of text -> numbers
def _number(group: Any) -> Ints:
    """Return a group of digits as numbers; an optional group that is not there is 0."""
    digits: Any = pc.utf8_trim_whitespace(group)
    return np.asarray(pc.if_else(pc.equal(digits, pa.scalar("", digits.type)), "0", digits).cast(pa.int64()))


def _fraction(group: Any) -> Ints:
    return _number(pc.utf8_slice_codeunits(pc.utf8_rpad(group, 9, "0"), 0, 9))


def _sign(group: Any) -> Ints:
    return np.where(np.asarray(pc.is_in(group, pa.array(["", "+"], group.type))), 1, -1)


def _place_in(names: list[str], first: int) -> Callable[[Any], Ints]:
    def place(group: Any) -> Ints:
        letters = pc.ascii_lower(pc.utf8_slice_codeunits(group, 0, 3))
        return np.asarray(pc.index_in(letters, pa.array(names, letters.type)).cast(pa.int64())) + first

    return place


_READ: Mapping[str, Callable[[Any], Ints]] = {
    "fraction": _fraction,
    "offset_sign": _sign,
    "half_day": _place_in(["am", "pm"], 0),
    "month_name": _place_in(short(MONTHS), 1),
    "weekday_name": _place_in(short(WEEKDAYS), 1),
}


# --------------------------------------------------------------------------- format -> ways to read it
@lru_cache(maxsize=256)
def _dated(text: str, date_constant: str | None) -> _Format:
    compiled = whole_format(text, dated=date_constant is not None)
    if (
        date_constant is not None
        and not compile_format(text).fields & DATE_FIELDS
        and DatetimeFormats(("%Y-%m-%d",)).parse(pa.array([date_constant.strip()]))[0].null_count
    ):
        raise ArgumentError(
            f"datetime: date_constant {date_constant!r} is not a date; format {text!r} says no date itself, so"
            " give the constant as YYYY-MM-DD."
        )
    layout = _layout(compiled.tokens)
    expression = _Expression(compiled.pattern, compiled.groups)
    return _Format((layout, expression) if layout else (expression,), compiled.fine)


def _layout(tokens: tuple[tuple[str, str], ...]) -> Layout | None:
    """Return the format as parts of fixed width; `None` where a part has none."""
    parts: list[str | tuple[str, int]] = []
    for kind, token in tokens:
        if kind == "name" and token in _FIXED:
            parts.append(_FIXED[token])
        elif kind == "name" or not token.isascii():
            return None
        else:
            parts += token
    return Layout(tuple(parts)) if parts.count(("fraction", 0)) <= 1 else None
