"""Texts -> datetimes without a given format: the forms that are recognised when a column's type is guessed.

Recognised are ``2020-01-02`` and ``2020/1/2`` with an optional time to the second or finer and an optional zone;
``13/02/2020`` and ``02-13-2020`` with an optional time, also with AM or PM; ``02-Jan-2020`` with the same times.
Two-digit years are not: nothing tells their century and, mostly, not even which number is the year.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.formats.datetime_fields import Bools, Fields, Ints, instants
from mltable_lite.formats.text_bytes import common_length

_NANOS = 1_000_000_000
_TRIED_ROWS = 64
#: Of a date, of a date and a time, and of these with a fraction of 1 to 9 digits.
_ISO_LENGTHS = (10, 19, *range(21, 30))
#: Years that nanoseconds hold in full: the type runs from September 1677 to April 2262.
NS_YEARS = (1678, 2261)
_CLOCK = r"(?: +(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2})(?::(?P<second>[0-9]{1,2}))?(?: *(?P<half_day>[AaPp][Mm]))?)?"
_ISO = (
    r"^(?P<year>[0-9]{4})(?P<mark1>[-/])(?P<month>[0-9]{1,2})(?P<mark2>[-/])(?P<day>[0-9]{1,2})"
    r"(?:(?:T| +)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})(?:\.(?P<fraction>[0-9]{1,9}))?"
    r"(?P<zone> *(?:Z|UTC|(?P<sign>[+-])(?P<offset_hours>[0-9]{2}):?(?P<offset_minutes>[0-9]{2})))?)?$"
)
_NUMBERS = (
    r"^(?P<one>[0-9]{1,2})(?P<mark1>[-/])(?P<two>[0-9]{1,2})(?P<mark2>[-/])(?P<year>[0-9]{4})" + _CLOCK + "$"
)
_NAMED = (
    r"^(?P<day>[0-9]{1,2})(?P<mark1>[-/])(?P<name>[A-Za-z]{3})(?P<mark2>[-/])(?P<year>[0-9]{4})"
    + _CLOCK
    + "$"
)
_MONTHS = pa.array("jan feb mar apr may jun jul aug sep oct nov dec".split())  # noqa: SIM905


class Order(StrEnum):
    """How ``01/02/2020`` is read; `NONE` where the column has no such dates."""

    NONE = ""
    DAY_FIRST = "day first"
    MONTH_FIRST = "month first"


@dataclass(frozen=True, slots=True)
class Dates:
    """What an array of texts says; every array has its length.

    Attributes:
        seconds: Seconds since 1970 in UTC, by the order asked for; by the only possible order where none was asked.
        nanos: The fraction of the second.
        found: A date in some reading.
        zoned: It has an offset or zone.
        day_first, month_first: Possible readings of a date in numbers with the year at the end.
        far: Nanoseconds do not reach that year.
        fine: Microseconds do not hold its fraction.
    """

    seconds: Ints
    nanos: Ints
    found: Bools
    zoned: Bools
    day_first: Bools
    month_first: Bools
    far: Bools
    fine: Bools

    def timestamps(self, unit: str, missing: Bools) -> pa.Array:
        """Return the dates as timestamps of unit ``ns`` or ``us``, null where `missing`."""
        values = (
            self.seconds * _NANOS + self.nanos if unit == "ns" else self.seconds * 10**6 + self.nanos // 1000
        )
        return pa.array(values, pa.int64(), mask=missing).cast(pa.timestamp(unit))


def read_iso(texts: Any, unit: str, *, zoned: bool = False) -> Any:
    """Return timestamps of texts that all are of one form; else `None`, soon.

    The forms are ``2020-01-02``, ``2020-01-02 03:04:05``, that with a fraction of so many digits, and, where `zoned`,
    with a ``Z`` at the end.
    """
    length = common_length(texts)
    if length is None or length - zoned not in _ISO_LENGTHS:
        return None
    kind = pa.timestamp(unit, "UTC" if zoned else None)
    try:
        texts.slice(0, _TRIED_ROWS).cast(kind)  # a cast that fails is slow: fail on a few
        if zoned and pc.all(pc.ends_with(texts, "Z")).as_py() is not True:
            return None  # Arrow takes further forms of offsets
        values = texts.cast(kind).cast(pa.timestamp(unit))
    except pa.ArrowInvalid:
        return None
    # Arrow reads the year 0, which is no year of ours, and years that nanoseconds reach in part.
    return values if are_within(values, NS_YEARS if unit == "ns" else (1, 9999)) else None


def are_within(dates: Any, years: tuple[int, int]) -> bool:
    """Tell whether all dates or timestamps, nulls apart, are of these years, both included."""
    unit: Any = "D" if pa.types.is_date32(dates.type) else dates.type.unit
    begin, end = (
        np.datetime64(f"{year:04}-01-01", unit).astype(np.int64) for year in (years[0], years[1] + 1)
    )
    numbers = np.asarray(dates.drop_null().view(f"int{dates.type.bit_width}"))
    return not len(numbers) or bool(begin <= numbers.min() and numbers.max() < end)


def read_dates(texts: Any, order: Order = Order.NONE) -> Dates:
    """Return what texts say; nulls and other texts are not `found`."""
    size = len(texts)
    flags = (np.zeros(size, bool) for _ in range(6))
    result = Dates(np.zeros(size, np.int64), np.zeros(size, np.int64), *flags)
    for pattern, read in ((_ISO, _read_iso), (_NUMBERS, _read_numbers), (_NAMED, _read_named)):
        todo = ~(result.found | result.day_first | result.month_first)
        groups = pc.extract_regex(texts, pattern)
        at = np.flatnonzero(np.asarray(groups.is_valid()) & todo)
        if len(at):
            read(_Groups(groups.take(pa.array(at)), at), result, order)
    result.far[:] &= result.found
    return result


class _Groups:
    """The groups that a pattern found in the texts at `positions`."""

    def __init__(self, groups: Any, positions: npt.NDArray[np.intp]) -> None:
        self._groups = groups
        self.at = positions

    def text(self, name: str) -> Any:
        return self._groups.field(name)

    def number(self, name: str) -> Ints:
        """Return a group's numbers; 0 where it is not there."""
        texts = self.text(name)
        return np.asarray(pc.if_else(pc.equal(texts, ""), "0", texts).cast(pa.int64()))

    def given(self, name: str) -> Bools:
        return np.asarray(pc.not_equal(self.text(name), ""))

    def same_marks(self) -> Bools:
        return np.asarray(pc.equal(self.text("mark1"), self.text("mark2")))

    def clock(self) -> Fields:
        """Return hour, minute and second; a 12-hour clock is made one of 24, an hour it has not becomes 99."""
        hour, half = self.number("hour"), self.given("half_day")
        if half.any():
            afternoon = np.asarray(pc.starts_with(self.text("half_day"), "p", ignore_case=True))
            whole = np.where((hour >= 1) & (hour <= 12), hour % 12 + 12 * afternoon, 99)  # noqa: PLR2004
            hour = np.where(half, whole, hour)
        return {"hour": hour, "minute": self.number("minute"), "second": self.number("second")}


def _read_iso(groups: _Groups, result: Dates, _order: Order) -> None:
    at = groups.at
    fields: Fields = {
        name: groups.number(name) for name in ("year", "month", "day", "hour", "minute", "second")
    }
    zoned = groups.given("zone")
    if zoned.any():
        fields["offset_sign"] = np.where(np.asarray(pc.equal(groups.text("sign"), "-")), -1, 1)
        fields["offset_hours"], fields["offset_minutes"] = (
            groups.number("offset_hours"),
            groups.number("offset_minutes"),
        )
    seconds, valid = instants(fields)
    valid = valid & groups.same_marks()
    fraction = pc.utf8_rpad(groups.text("fraction"), 9, "0")
    nanos = np.asarray(fraction.cast(pa.int64()))
    result.nanos[at], result.fine[at] = nanos, valid & (nanos % 1000 != 0)
    result.zoned[at] = zoned & valid
    _store(result, at, seconds, valid, fields["year"])


def _read_numbers(groups: _Groups, result: Dates, order: Order) -> None:
    at, year, clock = groups.at, groups.number("year"), groups.clock()
    one, two, same = groups.number("one"), groups.number("two"), groups.same_marks()
    day_first, valid_day_first = instants({"year": year, "month": two, "day": one, **clock})
    month_first, valid_month_first = instants({"year": year, "month": one, "day": two, **clock})
    result.day_first[at], result.month_first[at] = valid_day_first & same, valid_month_first & same
    take_day_first = valid_day_first if order is Order.NONE else np.full(len(at), order is Order.DAY_FIRST)
    valid = (valid_day_first | valid_month_first) & same
    _store(result, at, np.where(take_day_first, day_first, month_first), valid, year)


def _read_named(groups: _Groups, result: Dates, _order: Order) -> None:
    month = pc.index_in(pc.ascii_lower(groups.text("name")), _MONTHS.cast(groups.text("name").type))
    fields = {
        "year": groups.number("year"),
        "month": np.asarray(pc.fill_null(month, -1)).astype(np.int64) + 1,
        "day": groups.number("day"),
        **groups.clock(),
    }
    seconds, valid = instants(fields)
    _store(result, groups.at, seconds, valid & groups.same_marks(), fields["year"])


def _store(result: Dates, at: npt.NDArray[np.intp], seconds: Ints, valid: Bools, year: Ints) -> None:
    result.seconds[at], result.found[at] = seconds, valid
    result.far[at] = (year < NS_YEARS[0]) | (year > NS_YEARS[1])
