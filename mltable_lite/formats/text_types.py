"""Types of text columns: what the cells allow, and the vectorised conversion to it.

What the cells of a column are is a set of flags, `Seen`. Sets of two parts of a column join with ``|`` to the set of
the whole, so a sample, a partition and the whole input are typed by the same code, in bounded memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.formats.text_bytes import begin_with, holds, trim, without_empty
from mltable_lite.formats.text_dates import Order, read_dates, read_iso

TRUE_WORDS = ("true", "True", "TRUE", "t", "T", "Y", "Yes", "YES", "1")
FALSE_WORDS = ("false", "False", "FALSE", "f", "F", "N", "No", "NO", "0")
_BITS = ("0", "1")
_INT = r"^[+-]?[0-9]+$"
_FLOAT = r"^[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|(?i:inf|infinity|nan))$"
_DIGITS = b"0123456789"
#: Whatever is a number for us or for Arrow begins with one of these; most texts do not, which is seen at once.
_NUMBER_STARTS = _DIGITS + b"+-.iInN"
_DATE_CHARACTERS = len("2020-01-02")
_SAFE_CHARACTERS = 18  # an integer of so many characters fits into int64
_TRIED_ROWS = 64
EXACT_FLOAT = 2.0**53


class Seen(IntFlag):
    """What the cells of a column are; a blank cell is nothing."""

    EMPTY = 1  # quoted
    WORD = 2  # a word for true or false
    BIT = 4  # 0 or 1
    INT = 8  # another integer, or another spelling of 0 and 1
    BIG = 16  # an integer beyond int64
    FLOAT = 32
    NAIVE = 64  # a datetime that can be read in one way only
    ZONED = 128
    DAY_FIRST = 256
    MONTH_FIRST = 512
    EITHER = 1024  # day first or month first
    FAR = 2048  # a datetime that nanoseconds do not reach
    FINE = 4096  # a datetime that microseconds do not hold
    CLOCK = 8192  # a datetime with a time; says nothing about the type
    TEXT = 16384


NUMBERS = Seen.BIT | Seen.INT | Seen.BIG | Seen.FLOAT
_ANYTHING = Seen((1 << 15) - 1)
_ORDERED = Seen.DAY_FIRST | Seen.MONTH_FIRST | Seen.EITHER
_DATES = Seen.NAIVE | Seen.ZONED | _ORDERED | Seen.FAR | Seen.FINE | Seen.CLOCK
NOTHING = Seen(0)


class Kind(StrEnum):
    """What a text column is converted to."""

    NULL = "blank"
    BOOL = "bool"
    INT = "int64"
    FLOAT = "float64"
    DATETIME = "datetime"
    TEXT = "text"


_ARROW = {
    Kind.NULL: pa.null(),
    Kind.BOOL: pa.bool_(),
    Kind.INT: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.TEXT: pa.string(),
}
_FITTING = {
    Kind.NULL: NOTHING,
    Kind.BOOL: Seen.EMPTY | Seen.WORD | Seen.BIT,
    Kind.INT: Seen.EMPTY | Seen.BIT | Seen.INT,
    Kind.FLOAT: Seen.EMPTY | NUMBERS,
    Kind.TEXT: _ANYTHING,
}


@dataclass(frozen=True, slots=True)
class TextType:
    """The type of a text column.

    `order`, `zoned` and `unit` say how datetimes are read. `narrows` is for texts that are so only for lack of others:
    the cells that would make them something else.
    """

    kind: Kind
    order: Order = Order.NONE
    zoned: bool = False
    unit: str = "ns"
    narrows: Seen = NOTHING

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of its values."""
        return pa.timestamp(self.unit) if self.kind is Kind.DATETIME else _ARROW[self.kind]

    @property
    def called(self) -> str:
        """What messages call it."""
        if self.narrows:
            return "empty" if self.narrows == _TYPED else "a date that is day first or month first alike"
        if self.kind is not Kind.DATETIME:
            return self.kind.value
        details = [text for text in (self.order.value, "with zone" * self.zoned) if text]
        return "a datetime" + (f" ({', '.join(details)})" if details else "")

    @property
    def fitting(self) -> Seen:
        """What a cell may be without changing the type."""
        if self.kind is not Kind.DATETIME:
            return _FITTING[self.kind] & ~self.narrows
        reach = Seen.EMPTY | Seen.CLOCK | (Seen.FINE if self.unit == "ns" else Seen.FAR)
        if self.zoned:
            return reach | Seen.ZONED
        either = NOTHING if self.order is Order.NONE else Seen.EITHER
        return reach | Seen.NAIVE | either | _EVIDENCE[self.order]


_EVIDENCE = {Order.NONE: NOTHING, Order.DAY_FIRST: Seen.DAY_FIRST, Order.MONTH_FIRST: Seen.MONTH_FIRST}
_ORDERS = Seen.DAY_FIRST | Seen.MONTH_FIRST
_TYPED = Seen.WORD | NUMBERS | Seen.NAIVE | Seen.ZONED | _ORDERS
TEXT = TextType(Kind.TEXT)
EMPTY_TEXT = TextType(Kind.TEXT, narrows=_TYPED)
NULL = TextType(Kind.NULL)


def type_of(seen: Seen) -> TextType:
    """Return the narrowest type that loses none of the cells."""
    values = seen & ~Seen.EMPTY
    if not values:
        return EMPTY_TEXT if seen else NULL
    for kind in (Kind.INT, Kind.BOOL, Kind.FLOAT):
        if not values & ~_FITTING[kind]:
            return TextType(kind)
    return TEXT if values & ~_DATES else _datetime_type(values)


def _datetime_type(seen: Seen) -> TextType:
    zoned = bool(seen & Seen.ZONED)
    evidence = seen & _ORDERS
    ambiguous = evidence == _ORDERS or (seen & Seen.EITHER and not evidence)
    mixed = zoned and seen & (Seen.NAIVE | _ORDERED)
    if mixed or (Seen.FAR in seen and Seen.FINE in seen):
        return TEXT
    if ambiguous:
        return TEXT if evidence else TextType(Kind.TEXT, narrows=_ORDERS)
    order = next(order for order, flag in _EVIDENCE.items() if flag == evidence)
    return TextType(Kind.DATETIME, order, zoned, "us" if Seen.FAR in seen else "ns")


# --------------------------------------------------------------------------- what cells are
def classify(texts: Any) -> npt.NDArray[np.int16]:
    """Return the flags of each cell, 0 for null."""
    codes = np.zeros(len(texts), np.int16)
    todo = np.flatnonzero(np.asarray(texts.is_valid()))
    for test in (_classify_integers, _classify_words, _classify_floats, _classify_dates):
        if not len(todo):
            break
        codes[todo] = test(texts if len(todo) == len(texts) else texts.take(pa.array(todo)))
        todo = todo[codes[todo] == 0]
    codes[todo] = Seen.TEXT
    return codes


def see(texts: Any) -> Seen:
    """Return what the cells are, all together.

    Where one number tells as much as another, only one is told: integers past 0 and 1 hide these, floats hide integers.
    """
    quick = _see_quickly(texts)
    return Seen(int(np.bitwise_or.reduce(classify(texts), initial=0))) if quick is None else quick


def _see_quickly(texts: Any) -> Seen | None:
    """Return what the cells of a column of plain numbers or plain dates are, else `None`."""
    if texts.null_count == len(texts):
        return NOTHING
    integers = _cast(texts, pa.int64(), "xX")
    if integers is not None:
        ends = pc.min_max(integers).as_py()
        return Seen.INT if ends["min"] < 0 or ends["max"] > 1 else None  # 0, 1, 00, +1: the spelling tells
    if _cast(texts, pa.float64(), "(") is not None:
        return Seen.FLOAT if holds(texts, ".eEnN") else None  # all integers
    dates = read_iso(texts, "us")
    if dates is None:
        return None
    clock = Seen.CLOCK if pc.max(pc.binary_length(texts)).as_py() > _DATE_CHARACTERS else NOTHING
    return Seen.NAIVE | clock | (NOTHING if read_iso(texts, "ns") is not None else Seen.FAR)


def _cast(texts: Any, to: pa.DataType, never: str) -> Any:
    """Return Arrow's reading of texts, `None` where it cannot read one or what it reads too much of is there."""
    if holds(texts, never):
        return None
    trimmed = trim(texts)
    if not begin_with(trimmed, _NUMBER_STARTS).all():
        return None
    try:
        trimmed.slice(0, _TRIED_ROWS).cast(to)  # a cast that fails is slow: fail on a few
        return trimmed.cast(to)
    except pa.ArrowInvalid:
        return None


def _classify_integers(texts: Any) -> npt.NDArray[np.int16]:
    trimmed = trim(texts)
    digits = _are_numbers(trimmed, _INT)
    bits = _mask(pc.is_in(trimmed, pa.array(_BITS, trimmed.type)))
    codes = np.where(bits, Seen.BIT, np.where(digits, Seen.INT, 0)).astype(np.int16)
    codes[_mask(pc.equal(texts, ""))] = Seen.EMPTY
    for i in np.flatnonzero(digits & np.asarray(pc.greater(pc.binary_length(trimmed), _SAFE_CHARACTERS))):
        codes[i] = Seen.INT if -(2**63) <= _int(trimmed[int(i)].as_py()) < 2**63 else Seen.BIG
    return codes


def _int(text: str) -> int:
    """Return the integer a text says; one too long for Python to read is just as well beyond int64."""
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-").lstrip("0")
    return sign * (int(digits or "0") if len(digits) <= 2 * _SAFE_CHARACTERS else 2**64)


def _classify_words(texts: Any) -> npt.NDArray[np.int16]:
    words = _mask(pc.is_in(trim(texts), pa.array(TRUE_WORDS + FALSE_WORDS, texts.type)))
    return np.where(words, Seen.WORD, 0).astype(np.int16)


def _classify_floats(texts: Any) -> npt.NDArray[np.int16]:
    floats = _are_numbers(trim(texts), _FLOAT)
    return np.where(floats, Seen.FLOAT, 0).astype(np.int16)


def _are_numbers(trimmed: Any, pattern: str) -> npt.NDArray[np.bool_]:
    """Return which texts a pattern of numbers matches."""
    if not begin_with(trimmed, _NUMBER_STARTS).any():
        return np.zeros(len(trimmed), bool)
    return _mask(pc.match_substring_regex(trimmed, pattern))


def _classify_dates(texts: Any) -> npt.NDArray[np.int16]:
    if not begin_with(texts, _DIGITS).any():
        return np.zeros(len(texts), np.int16)
    dates = read_dates(texts)
    either = dates.day_first & dates.month_first
    forms = (
        (dates.zoned, Seen.ZONED),
        (either, Seen.EITHER),
        (dates.day_first & ~either, Seen.DAY_FIRST),
        (dates.month_first & ~either, Seen.MONTH_FIRST),
        (dates.found & ~(dates.zoned | dates.day_first | dates.month_first), Seen.NAIVE),
        (dates.far, Seen.FAR),
        (dates.fine, Seen.FINE),
        (dates.found & np.asarray(pc.greater(pc.binary_length(texts), _DATE_CHARACTERS)), Seen.CLOCK),
    )
    codes = np.zeros(len(texts), np.int16)
    for mask, flag in forms:
        codes[mask] |= flag.value
    return codes


def _mask(array: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.fill_null(array, False))


# --------------------------------------------------------------------------- cells to values
@dataclass(frozen=True, slots=True)
class Misfits:
    """Cells that do not fit a type: how many, and the position of the first."""

    count: int
    first: int


def convert(texts: Any, to: TextType) -> Any:
    """Return the values of cells as an array of ``to.arrow``, or as `Misfits` which of them do not fit.

    Null stays null; a quoted empty cell is an empty text, and null in columns of every other type.
    """
    if to == TEXT:
        return texts
    if to.kind not in (Kind.NULL, Kind.TEXT):
        quick = _convert_quickly(without_empty(texts), to)
        if quick is not None:
            return quick
    misfits = find_misfits(texts, to)
    return _convert_fitting(texts, to) if misfits is None else misfits


def find_misfits(texts: Any, to: TextType) -> Misfits | None:
    """Return the cells that do not fit a type, or `None`."""
    wrong = np.flatnonzero(classify(texts) & ~np.int16(to.fitting))
    return Misfits(len(wrong), int(wrong[0])) if len(wrong) else None


def _convert_quickly(texts: Any, to: TextType) -> Any:
    if to.kind is Kind.INT:
        return _cast(texts, pa.int64(), "xX")
    if to.kind is Kind.FLOAT:
        return _cast(texts, pa.float64(), "(")
    return read_iso(texts, to.unit, zoned=to.zoned) if to.kind is Kind.DATETIME else None


def _convert_fitting(texts: Any, to: TextType) -> Any:
    if to.kind is Kind.TEXT:
        return texts
    if to.kind is Kind.NULL:
        return pa.nulls(len(texts))
    blank = pc.or_kleene(texts.is_null(), pc.equal(texts, ""))
    if to.kind is Kind.DATETIME:
        return read_dates(texts, to.order).timestamps(to.unit, np.asarray(blank))
    trimmed = pc.if_else(blank, pa.scalar(None, texts.type), trim(texts))
    if to.kind is Kind.BOOL:
        true = pc.is_in(trimmed, pa.array(TRUE_WORDS, texts.type))
        return pc.if_else(blank, pa.scalar(None, pa.bool_()), true)
    if to.kind is Kind.INT:
        # Arrow takes no plus sign.
        trimmed = pc.replace_substring_regex(trimmed, r"^\+", "")
    return trimmed.cast(to.arrow)


def find_rounded(texts: Any, values: Any) -> Misfits | None:
    """Return which cells are integers beyond int64 or rounded by float64, or `None`; soon where all are small."""
    large = np.flatnonzero(_mask(pc.greater_equal(pc.abs(values), EXACT_FLOAT)))
    if not len(large):
        return None
    trimmed = trim(texts.take(pa.array(large)))
    integers = _mask(pc.match_substring_regex(trimmed, _INT)).tolist()
    numbers = values.take(pa.array(large)).to_pylist()
    rounded = [
        not (math.isfinite(number) and int(number) == _int(text) and -(2**63) <= _int(text) < 2**63)
        for text, number, integer in zip(trimmed.to_pylist(), numbers, integers, strict=True)
        if integer
    ]
    if not any(rounded):
        return None
    first = large[integers][rounded.index(True)]
    return Misfits(sum(rounded), int(first))


def find_overflowed(texts: Any, values: Any) -> Misfits | None:
    """Return which cells are numbers with a point or an exponent that float64 has no room for, or `None`."""
    infinite = np.flatnonzero(_mask(pc.is_inf(values)))
    trimmed = trim(texts.take(pa.array(infinite)))
    numbers = _mask(
        pc.and_(
            pc.match_substring_regex(trimmed, "[0-9]"), pc.invert(pc.match_substring_regex(trimmed, _INT))
        )
    )
    overflowed = infinite[numbers]
    return Misfits(len(overflowed), int(overflowed[0])) if len(overflowed) else None


def type_texts(values: list[str | None]) -> pa.Array:
    """Return texts as values of the type that all of them allow, as a column of delimited text would have it."""
    texts = pa.array(values, pa.string())
    return convert(texts, type_of(see(texts)))
