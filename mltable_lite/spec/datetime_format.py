"""The language of datetime formats such as ``%d/%m/%Y %H:%M``, and of times such as ``2024-05-31T12:00:00Z``.

A format is compiled to a regular expression (in the syntax of RE2) with a group for each field. This says what a format
means; `formats.datetime_text` reads texts by it.

Directives mean what they mean in chrono (the Rust library), as the reference was observed to use them, except:
``%Y`` takes exactly four digits, because ``20-01-02`` is hardly a date of the year 20; ``%f`` reads its digits as a
decimal fraction wherever it stands; ``%Z`` accepts only names of UTC, because another zone would be ignored.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mltable_lite.errors import ArgumentError, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

# fmt: off
MONTHS = [
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
]
WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
# fmt: on

DATE_FIELDS = frozenset(
    "year year_of_century century month day day_of_year iso_year iso_week weekday unix".split()  # noqa: SIM905
)
TIME_FIELDS = frozenset(("hour", "hour12", "half_day", "minute", "second"))

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
NUMBERS = {
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


def short(names: list[str]) -> list[str]:
    """Return the first three letters of each name."""
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
    "b": _words("month_name", short(MONTHS)),
    "B": _words("month_name", MONTHS + short(MONTHS)),
    "a": _words("weekday_name", short(WEEKDAYS)),
    "A": _words("weekday_name", WEEKDAYS + short(WEEKDAYS)),
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
_BEGIN_WITH_DIGITS = frozenset([*NUMBERS, "Y", "G", "s", "f", "3f", "6f", "9f", "+"])
_FINE = frozenset(("f", ".f", "9f", "+"))  # these may hold more than six digits
_GROUP = re.compile(r"\(\?P<([a-z0-9_]+)>")
_TOKEN = re.compile(r"%[-_0]?(?P<name>\.[369]?f|[369]f|[:#]z|.)|(?P<space>\s+)|(?P<literal>[^%])", re.DOTALL)
_OTHER_STYLE = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class DatetimeFormat(NamedTuple):
    """A compiled format.

    Attributes:
        tokens: ``("name" | "space" | "literal", text)`` for each of its parts.
        pattern: A regular expression whose groups are ``g0``, ``g1``, ...: a field may stand twice.
        groups: The field of each group; names of months and weekdays as ``month_name`` and ``weekday_name``.
        fine: Whether it takes more than six digits of a second.
    """

    tokens: tuple[tuple[str, str], ...]
    pattern: str
    groups: tuple[str, ...]
    fine: bool

    @property
    def fields(self) -> frozenset[str]:
        """The fields that a text of this format gives."""
        return frozenset(map(field_of, self.groups))


def field_of(group: str) -> str:
    """Return the field that a group gives."""
    return group.removesuffix("_name")


def whole_format(text: str, *, dated: bool) -> DatetimeFormat:
    """Return the compiled format of whole instants; with `dated`, a date stands before each text if it says none itself.

    Raises:
        ArgumentError: It has an unknown directive or does not say an instant.
    """
    compiled = compile_format(text)
    if dated and not compiled.fields & DATE_FIELDS:
        compiled = compile_format(f"%Y-%m-%d {text}")
    why = _incomplete(compiled.fields)
    if why:
        fix = " Give date_constant, or put the date into the format." if "no date" in why else ""
        raise ArgumentError(
            f"datetime: format {text!r} {why}; a format must say a date and may say a time.{fix}"
        )
    return compiled


@lru_cache(maxsize=256)
def compile_format(text: str) -> DatetimeFormat:
    """Return the compiled format, whether or not it says an instant.

    Raises:
        ArgumentError: It has an unknown directive, or none.
    """
    tokens = tuple(_tokens(text))
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
    fine = any(kind == "name" and token in _FINE for kind, token in tokens)
    return DatetimeFormat(tokens, f"^{pattern}$", tuple(names), fine)


def moment(function: str, text: str) -> dt.datetime:
    """Return the time that an RFC 3339 text for ``timestamp_as_of`` says; it has a zone.

    Raises:
        ArgumentError: The text is none, or has no zone.
    """
    if _RFC3339.fullmatch(text):
        try:
            return dt.datetime.fromisoformat(text.upper())
        except ValueError:
            pass
    raise ArgumentError(
        f"{function}: timestamp_as_of {text!r} is not an RFC 3339 time with a zone; "
        "write it as '2024-05-31T12:00:00Z' or '2024-05-31T12:00:00+02:00'."
    )


def _incomplete(fields: frozenset[str]) -> str:
    """Return why these fields do not fix an instant, or an empty text; a missing month, day or time is the first."""
    if "unix" in fields:
        more = fields & (DATE_FIELDS | TIME_FIELDS) - {"unix"}
        return "puts other fields next to %s, which is a whole instant" if more else ""
    if "century" in fields and "year_of_century" not in fields:
        return "has a century (%C) without %y"
    if not fields & DATE_FIELDS:
        return "says a time but no date"
    if not fields & {"year", "year_of_century"} and not {"iso_year", "iso_week", "weekday"} <= fields:
        return "says no year" if not fields & {"iso_year"} else "needs %G, %V and %u together"
    if "hour12" in fields and not fields & {"half_day", "hour"}:
        return "has a 12-hour clock (%I) without %p"
    if "half_day" in fields and not fields & {"hour12", "hour"}:
        return "has %p without an hour"
    return ""


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
    if name not in NUMBERS:
        return _PATTERNS.get(name)
    field, most = NUMBERS[name]
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
        (f"%{name}" for name in sorted([*NUMBERS, *_PATTERNS, *_EXPANDED], key=str.lower)), most=99
    )
    return ArgumentError(f"datetime: {what}; accepted: {accepted}.{hint}")
