"""What a cell of text means, in plain Python: written apart from the library, to check it."""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

TRUE, FALSE = (
    {"true", "True", "TRUE", "t", "T", "Y", "Yes", "YES"},
    {"false", "False", "FALSE", "f", "F", "N", "No", "NO"},
)
_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE
)
_BIT = re.compile(r"[+-]?0*[01]")
_CLOCK = r"(?:[ T](?P<hour>\d{1,2}):(?P<minute>\d{1,2})(?::(?P<second>\d{1,2}))?(?P<fraction>\.\d{1,9})?(?: (?P<half>[AaPp][Mm]))?)?"
_ZONE = r"(?P<zone>Z| UTC| ?[+-]\d\d:?\d\d)?"
_FORMS = tuple(
    re.compile(form + _CLOCK + _ZONE)
    for form in (
        r"(?P<y>\d{4})(?P<mark>[-/])(?P<m>\d{1,2})(?P=mark)(?P<d>\d{1,2})",
        r"(?P<d>\d{1,2})(?P<mark>[-/])(?P<m>\d{1,2})(?P=mark)(?P<y>\d{2}|\d{4})",
        r"(?P<m>\d{1,2})(?P<mark>[-/])(?P<d>\d{1,2})(?P=mark)(?P<y>\d{2}|\d{4})",
        r"(?P<d>\d{1,2})(?P<mark>[-/])(?P<name>[A-Za-z]{3})(?P=mark)(?P<y>\d{2}|\d{4})",
    )
)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def as_int(text: str) -> int | None:
    """Return the integer that a text is."""
    return int(text) if _INT.fullmatch(text.strip()) else None


def as_float(text: str) -> float | None:
    """Return the number that a text is."""
    return float(text) if _FLOAT.fullmatch(text.strip()) else None


def as_bool(text: str) -> bool | None:
    """Return the truth value that a text is."""
    text = text.strip()
    return True if text in TRUE | {"1"} else False if text in FALSE | {"0"} else None


def is_bit(text: str) -> bool:
    """Tell whether a text is a zero or a one, however written."""
    return _BIT.fullmatch(text.strip()) is not None


def instants(text: str) -> set[str]:
    """Return the instants that a text may be, in UTC, as ISO 8601."""
    found = set()
    for form in _FORMS:
        match = form.fullmatch(text)
        value = match and _instant(match.groupdict())
        if value:
            found.add(value.isoformat())
    return found


def has_two_digit_year(text: str) -> bool:
    """Tell whether a text is a date whose year has two digits."""
    return any((m := form.fullmatch(text)) and len(m["y"]) == 2 for form in _FORMS) and bool(instants(text))


def is_zoned(text: str) -> bool:
    """Tell whether a text is a date with a zone."""
    return any((m := form.fullmatch(text)) and m["zone"] for form in _FORMS)


def is_ambiguous(text: str) -> bool:
    """Tell whether a text is a date with the year last whose day may be its month."""
    return len(instants(text)) > 1 or (_year_last(text) and _same_parts(text))


def is_year_last(text: str) -> bool:
    """Tell whether a text is a date in numbers with the year last."""
    return _year_last(text) and bool(instants(text))


def has_both_orders(texts: list[str | None]) -> bool:
    """Tell whether some dates can only be day first, and others only month first."""
    forms = [(_FORMS[1].fullmatch(t), _FORMS[2].fullmatch(t)) for t in texts if t]
    only = {(bool(d and _instant(d.groupdict())), bool(m and _instant(m.groupdict()))) for d, m in forms}
    return (True, False) in only and (False, True) in only


def _year_last(text: str) -> bool:
    return any(form.fullmatch(text) for form in _FORMS[1:3])


def _same_parts(text: str) -> bool:
    return any((m := form.fullmatch(text)) and m["d"] == m["m"] for form in _FORMS[1:3])


def _instant(parts: dict[str, str | None]) -> dt.datetime | None:
    number = {key: int(parts.get(key) or 0) for key in ("y", "d", "hour", "minute", "second")}
    name = (parts.get("name") or "").lower()
    month = _MONTHS.index(name) + 1 if name in _MONTHS else 0 if name else int(parts.get("m") or 0)
    year = number["y"] + (2000 if len(parts["y"] or "") == 2 else 0)
    hour = number["hour"]
    if parts.get("half"):
        hour = hour % 12 + (12 if (parts["half"] or "").lower() == "pm" else 0)
    micros = int(((parts.get("fraction") or ".0")[1:] + "000000")[:6])
    try:
        value = dt.datetime(year, month, number["d"], hour, number["minute"], 0, micros)
        value += dt.timedelta(seconds=number["second"])
    except (ValueError, OverflowError):
        return None
    zone = (parts.get("zone") or "").strip()
    if zone and zone[0] in "+-":
        digits = zone[1:].replace(":", "")
        offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        value = value - offset if zone[0] == "+" else value + offset
    return value


def is_kept(text: str | None, value: Any) -> bool:
    """Tell whether a value holds what a cell says: the text itself, or the number, truth value or instant it is.

    Digits that float64 does not hold may go, as the warning about them says.
    """
    if text is None or text == "":
        return value is None or value == ""
    if value is None:
        return (number := as_float(text)) is not None and math.isnan(number)
    if isinstance(value, bool):
        return as_bool(text) is value
    if isinstance(value, int):
        return as_int(text) == value
    if isinstance(value, float):
        return as_float(text) == value
    if isinstance(value, list):
        if value[0] == "float":
            return as_float(text) == float(value[1])
        return value[0] == "datetime" and _micros(value[1]) in map(_micros, instants(text.strip()))
    return bool(value == text)


def _micros(instant: str) -> str:
    """Return an instant with six digits of a second."""
    whole, _, fraction = instant.partition(".")
    return f"{whole}.{fraction[:6]:0<6}"
