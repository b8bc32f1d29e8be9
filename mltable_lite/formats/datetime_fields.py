"""Numbers of year, month, hour, ... -> seconds since 1970, as whole arrays.

A `Fields` mapping holds one int64 array for each field that a text gave. Whatever a text says beyond what fixes its
instant (a weekday, a day of the year) must agree with it, or the text is not valid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Ints: TypeAlias = npt.NDArray[np.int64]
Bools: TypeAlias = npt.NDArray[np.bool_]
Fields: TypeAlias = dict[str, Ints]

_DAY = 86400
# Python's own range of years: every output can hold these. (Days since 1970 of 0001-01-01 and 10000-01-01.)
_FIRST_SECOND = -719162 * _DAY
_END_SECOND = 2932897 * _DAY
_TABLE_YEAR = -1
#: The first day of every month of the years -1 to 10001, as days since 1970: a table is faster than a calendar.
_MONTH_STARTS: Ints = (
    np.arange(f"{_TABLE_YEAR:05}-01", "10002-01", dtype="datetime64[M]")
    .astype("datetime64[D]")
    .astype(np.int64)
)


def instants(fields: Fields) -> tuple[Ints, Bools]:
    """Return seconds since 1970 in UTC and which rows are valid; every array of `fields` has the same length."""
    if "unix" in fields:
        seconds = fields["unix"]  # in UTC already, whatever offset stands beside it
        valid = np.ones(len(seconds), bool)
    else:
        days, valid = _days(fields)
        clock, valid_clock = _clock(fields, len(days))
        seconds = days * _DAY + clock - _offset(fields)
        valid &= valid_clock
    if "offset_hours" in fields:
        valid &= (fields["offset_hours"] <= 23) & (fields["offset_minutes"] <= 59)  # noqa: PLR2004
    return seconds, valid & (seconds >= _FIRST_SECOND) & (seconds < _END_SECOND)


def _offset(fields: Fields) -> Ints | int:
    """Return seconds east of UTC."""
    if "offset_hours" not in fields:
        return 0
    return fields["offset_sign"] * (fields["offset_hours"] * 3600 + fields["offset_minutes"] * 60)


def _days(fields: Fields) -> tuple[Ints, Bools]:
    year = _year(fields)
    if year is None:
        days = _iso_days(fields["iso_year"], fields["iso_week"], fields["weekday"])
        valid = np.ones(len(days), bool)
        known: set[str] = set()
    elif "day_of_year" in fields and not {"month", "day"} <= fields.keys():
        days = _first_of_month(year, np.ones_like(year)) + fields["day_of_year"] - 1
        valid = year == _year_of(days)
        known = set()
    else:
        month = fields.get("month", np.ones_like(year))
        day = fields.get("day", np.ones_like(year))
        real_month = np.clip(month, 1, 12)
        first = _first_of_month(year, real_month)
        days = first + day - 1
        valid = (month == real_month) & (day >= 1) & (days < _first_of_month(year, real_month + 1))
        known = {"month", "day"}
    for name in fields.keys() & _TOLD_BY_DATE.keys() - known:
        valid &= fields[name] == _TOLD_BY_DATE[name](days)
    return days, valid


def _year(fields: Fields) -> Ints | None:
    if "year" in fields:
        return fields["year"]
    short = fields.get("year_of_century")
    if short is None:
        return None
    century = fields.get("century", np.where(short < 70, 20, 19))  # noqa: PLR2004 - POSIX: 1970 to 2069
    return century * 100 + short


def _clock(fields: Fields, length: int) -> tuple[Ints, Bools]:
    """Return seconds since midnight; second 60 is the first one of the next minute, as in a leap second."""
    zero = np.zeros(length, np.int64)
    valid = np.ones(length, bool)
    hour = fields.get("hour")
    if "hour12" in fields:
        twelve = fields["hour12"]
        valid &= (twelve >= 1) & (twelve <= 12)  # noqa: PLR2004
        whole = twelve % 12 + 12 * fields["half_day"] if "half_day" in fields else None
        if hour is None:
            assert whole is not None
            hour = whole
        valid &= hour % 12 == twelve % 12
    if hour is None:
        hour = zero
    if "half_day" in fields:
        valid &= hour // 12 == fields["half_day"]
    minute, second = fields.get("minute", zero), fields.get("second", zero)
    valid &= (hour <= 23) & (minute <= 59) & (second <= 60)  # noqa: PLR2004
    return hour * 3600 + minute * 60 + second, valid


def _iso_days(iso_year: Ints, iso_week: Ints, weekday: Ints) -> Ints:
    january_4 = _first_of_month(iso_year, np.ones_like(iso_year)) + 3  # always in week 1
    return january_4 - _weekday(january_4) + (iso_week - 1) * 7 + weekday


def _weekday(days: Ints) -> Ints:
    """Return 1 for Monday to 7 for Sunday."""
    return (days + 3) % 7 + 1


def _first_of_month(year: Ints, month: Ints) -> Ints:
    """Return days since 1970 of the first of a month; month 13 is January of the next year."""
    return np.asarray(_MONTH_STARTS[(year - _TABLE_YEAR) * 12 + month - 1])


def _year_of(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970


def _month_of(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1


def _day_of_year(days: Ints) -> Ints:
    year = _year_of(days)
    return days - _first_of_month(year, np.ones_like(year)) + 1


def _thursday(days: Ints) -> Ints:
    """Return the Thursday of the same week: its year is the week's year."""
    return days - _weekday(days) + 4


#: What a date says about itself, for the check against what the text says.
_TOLD_BY_DATE: Mapping[str, Callable[[Ints], Ints]] = {
    "century": lambda days: _year_of(days) // 100,
    "year_of_century": lambda days: _year_of(days) % 100,
    "month": _month_of,
    "day": lambda days: days - _first_of_month(_year_of(days), _month_of(days)) + 1,
    "day_of_year": _day_of_year,
    "weekday": _weekday,
    "iso_year": lambda days: _year_of(_thursday(days)),
    "iso_week": lambda days: (_day_of_year(_thursday(days)) - 1) // 7 + 1,
}
