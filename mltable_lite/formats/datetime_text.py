"""Texts -> timestamps by formats such as ``%d/%m/%Y %H:%M``, whole arrays at a time.

A format is compiled to a regular expression with a group for each field. The groups of all texts are extracted at
once and become arrays of numbers, which `datetime_fields` puts together. Formats whose texts have a fixed width are
read by position first (`datetime_fixed`).

Directives mean what they mean in chrono (the Rust library), as the reference was observed to use them, except:
``%Y`` takes exactly four digits, because ``20-01-02`` is hardly a date of the year 20; ``%f`` reads its digits as a
decimal fraction wherever it stands; ``%Z`` accepts only names of UTC, because another zone would be ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import ArgumentError, listed
from mltable_lite.formats import datetime_fields
from mltable_lite.formats.datetime_fixed import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mltable_lite.formats.datetime_fields import Bools, Fields, Ints

# fmt: off
_MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# fmt: on
_MICROS = 1_000_000
_NANOS = 1_000_000_000

#: Directives that stand for several others.
_EXPANDED = {
    "F": "%Y-%m-%d",
    "D": "%m/%d/%y",
    "x": "%m/%d/%y",
    "v": "%e-%b-%Y",
    "T": "%H:%M:%S",
    "X": "%H:%M:%S",
    "R": "%H:%M",
    "r": "%I:%M:%S %p",
    "n": " ",
    "t": " ",
    "h": "%b",
    "P": "%p",
    ":z": "%z",
    ".3f": "%.f",
    ".6f": "%.f",
    ".9f": "%.f",
}
#: Directive -> field and its most digits. Fewer digits, and blanks before them, are accepted.
_NUMBERS = {
    "m": ("month", 2),
    "d": ("day", 2),
    "e": ("day", 2),
    "j": ("day_of_year", 3),
    "y": ("year_of_century", 2),
    "C": ("century", 2),
    "V": ("iso_week", 2),
    "u": ("weekday", 1),
    "H": ("hour", 2),
    "k": ("hour", 2),
    "I": ("hour12", 2),
    "l": ("hour12", 2),
    "M": ("minute", 2),
    "S": ("second", 2),
}


def _short(names: list[str]) -> list[str]:
    return [name[:3] for name in names]


def _words(field: str, names: list[str]) -> str:
    return f"(?P<{field}>(?i:{'|'.join(names)}))"


def _offset(separator: str, minutes: str = "") -> str:
    hours = "(?P<offset_sign>[-+\u2212])(?P<offset_hours>[0-9]{2})"
    return f"{hours}(?:{separator}(?P<offset_minutes>[0-9]{{2}})){minutes}"


#: Directive -> regular expression, with groups called by their field.
_PATTERNS = {
    "Y": r"\s*\+?(?P<year>[0-9]{4})",
    "G": r"\s*\+?(?P<iso_year>[0-9]{4})",
    "s": r"\s*\+?(?P<unix>-?[0-9]{1,12})",
    "b": _words("month_name", _short(_MONTHS)),
    "B": _words("month_name", _MONTHS + _short(_MONTHS)),
    "a": _words("weekday_name", _short(_WEEKDAYS)),
    "A": _words("weekday_name", _WEEKDAYS + _short(_WEEKDAYS)),
    "p": r"(?P<half_day>(?i:am|pm))",
    "f": r"(?P<fraction>[0-9]{1,9})",
    "3f": r"(?P<fraction>[0-9]{3})",
    "6f": r"(?P<fraction>[0-9]{6})",
    "9f": r"(?P<fraction>[0-9]{9})",
    ".f": r"(?:\.(?P<fraction>[0-9]+))?",
    "z": r"\s*(?:" + _offset(r"[\s:]*") + "|(?i:z|utc))",
    "#z": r"\s*(?:" + _offset(r"[\s:]*", "?") + "|(?i:z|utc))",
    "Z": r"(?i:utc|ut|gmt|z)?",
    "+": (
        r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})[Tt]"
        r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]+))?"
        "(?:" + _offset(":") + "|[Zz])"
    ),
    "%": "%",
}
_FIXED = {**_NUMBERS, "Y": ("year", 4), "G": ("iso_year", 4), ".f": ("fraction", 0)}
_BEGIN_WITH_DIGITS = frozenset([*_NUMBERS, "Y", "G", "s", "f", "3f", "6f", "9f", "+"])
_FINE = frozenset(("f", ".f", "9f", "+"))  # these may hold more than six digits
_GROUP = re.compile(r"\(\?P<([a-z0-9_]+)>")
_TOKEN = re.compile(r"%[-_0]?(?P<name>\.[369]?f|[369]f|[:#]z|.)|(?P<space>\s+)|(?P<literal>[^%])", re.DOTALL)
_OTHER_STYLE = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}


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
            agree &= fields.setdefault(_field(name), value) == value  # a field that stands twice
            if name == "fraction":
                cut |= np.asarray(pc.match_substring_regex(group, "^[0-9]{9}0*[1-9]"))
        return matched[agree], {name: value[agree] for name, value in fields.items()}, cut[agree]


@dataclass(frozen=True, slots=True)
class _Format:
    """A compiled format: the ways to read it, fastest first, the fields it gives, and if it needs nanoseconds."""

    ways: tuple[Layout | _Expression, ...]
    fields: frozenset[str]
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
    "month_name": _place_in(_short(_MONTHS), 1),
    "weekday_name": _place_in(_short(_WEEKDAYS), 1),
}


# --------------------------------------------------------------------------- format -> expression
def _dated(text: str, date_constant: str | None) -> _Format:
    compiled = _compile(text)
    if date_constant is not None and not compiled.fields & datetime_fields.DATE_FIELDS:
        if DatetimeFormats(("%Y-%m-%d",)).parse(pa.array([date_constant.strip()]))[0].null_count:
            raise ArgumentError(
                f"datetime: date_constant {date_constant!r} is not a date; format {text!r} says no date itself, so"
                " give the constant as YYYY-MM-DD."
            )
        compiled = _compile(f"%Y-%m-%d {text}")
    why = datetime_fields.incomplete(compiled.fields)
    if why:
        fix = " Give date_constant, or put the date into the format." if "no date" in why else ""
        raise ArgumentError(
            f"datetime: format {text!r} {why}; a format must say a date and may say a time.{fix}"
        )
    return compiled


@lru_cache(maxsize=256)
def _compile(text: str) -> _Format:
    tokens = list(_tokens(text))
    if not any(kind == "name" for kind, _ in tokens):
        raise _unknown(text, f"format {text!r} has no directive")
    pattern = ""
    for index, (kind, token) in enumerate(tokens):
        if kind == "space":
            pattern += r"\s*"
        elif kind == "literal":
            pattern += re.escape(token)
        else:
            after = next(((k, t) for k, t in tokens[index + 1 :] if k != "space"), ("", ""))
            item = _item(token, before_digit=_begins_with_digit(*after))
            if item is None:
                raise _unknown(text, f"'%{token}' in format {text!r} is not known")
            pattern += item
    names = _GROUP.findall(pattern)
    number = iter(range(len(names)))
    # A field may stand twice in a format, but a group's name not in an expression.
    pattern = _GROUP.sub(lambda _: f"(?P<g{next(number)}>", pattern)
    expression = _Expression(f"^{pattern}$", tuple(names))
    layout = _layout(tokens)
    fine = any(kind == "name" and token in _FINE for kind, token in tokens)
    return _Format((layout, expression) if layout else (expression,), frozenset(map(_field, names)), fine)


def _field(group: str) -> str:
    return group.removesuffix("_name")


def _layout(tokens: list[tuple[str, str]]) -> Layout | None:
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


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield ("name" | "space" | "literal", text); composed directives are taken apart, `.%f` is one directive."""
    rest = text
    while rest:
        if rest.startswith(".%f"):
            rest = "%" + rest.replace("%", "", 1)
        match = _TOKEN.match(rest)
        if match is None:  # a lone % at the end
            raise _unknown(text, f"format {text!r} ends in '%'")
        rest = rest[match.end() :]
        kind, token = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "name" and token in _EXPANDED:
            rest = _EXPANDED[token] + rest
        else:
            yield kind, token


def _item(name: str, *, before_digit: bool) -> str | None:
    """Return the expression of a directive, `None` for an unknown one.

    A number takes as many digits as it may. Where another digit follows, only a blank may end it earlier; else the
    expression would give digits back to make the rest fit.
    """
    if name not in _NUMBERS:
        return _PATTERNS.get(name)
    field, most = _NUMBERS[name]
    if not before_digit:
        return rf"\s*(?P<{field}>[0-9]{{1,{most}}})"
    shorter = rf"|[0-9]{{1,{most - 1}}}\s+" if most > 1 else ""
    return rf"\s*(?P<{field}>[0-9]{{{most}}}{shorter})"


def _begins_with_digit(kind: str, token: str) -> bool:
    return token in _BEGIN_WITH_DIGITS if kind == "name" else token.isdigit()


def _unknown(text: str, what: str) -> ArgumentError:
    meant = text
    for other, directive in _OTHER_STYLE.items():
        meant = meant.replace(other, directive)
    hint = f" Did you mean {meant!r}?" if meant != text and "%" not in text else ""
    accepted = listed(
        (f"%{name}" for name in sorted([*_NUMBERS, *_PATTERNS, *_EXPANDED], key=str.lower)), most=99
    )
    return ArgumentError(f"datetime: {what}; accepted: {accepted}.{hint}")
