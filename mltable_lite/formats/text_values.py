"""Texts -> numbers and booleans, whole arrays at a time; `datetime_text` does the same for datetimes.

Used by the delimited reader's type overrides and by ``convert_column_types``, so both read a text alike. Nothing is
decided here about what a failure means: each function tells which texts it could not read, and which it read only
in part, and its caller makes null, a warning or an error of it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.formats.datetime_text import DatetimeFormats
from mltable_lite.formats.text_types import FALSE_WORDS, TRUE_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_SPECIAL = r"[+-]?(?i:inf|infinity|nan)"
_INT64_DIGITS = 18  # every integer written with this many characters fits
_INT64_RANGE = range(-(2**63), 2**63)
_SAMPLE_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of an array of texts; three arrays of its length.

    Attributes:
        values: The values; null where the text was null or failed.
        failed: True where a text was there and could not be read. Never null.
        lossy: True where the value leaves out something that the text says (a fraction cut off by an integer,
            digits that float64 cannot hold). Never null.
    """

    values: pa.Array[Any]
    failed: pa.BooleanArray
    lossy: pa.BooleanArray


def parse_int(texts: pa.Array[Any]) -> Parsed:
    """Return int64 values; a fraction is cut towards zero (lossy), NaN and what is beyond int64 fails.

    White space around is ignored; ``007``, ``+3``, ``5.0`` and ``1e3`` are integers.
    """
    trimmed = _trimmed(texts)
    digits = pc.if_else(pc.match_substring_regex(trimmed, r"^[+-]?[0-9]+(?:\.[0-9]*)?$"), trimmed, None)
    lossy = _nowhere(trimmed)
    if _any(pc.match_substring(digits, ".")):
        lossy = pc.match_substring_regex(digits, r"\.0*[1-9]")
        digits = pc.replace_substring_regex(digits, r"\.[0-9]*$", "")
    if _any(pc.starts_with(digits, "+")):
        digits = pc.replace_substring_regex(digits, r"^\+", "")
    digits = pc.if_else(pc.less_equal(pc.binary_length(digits), pa.scalar(_INT64_DIGITS)), digits, None)
    values = digits.cast(pa.int64())
    rest = pc.and_(pc.is_valid(trimmed), pc.is_null(values))
    if _any(rest):
        exact = _by_distinct(trimmed.filter(rest), _exact_int)
        values = pc.replace_with_mask(values, rest, pa.array([value for value, _ in exact], pa.int64()))
        lossy = pc.replace_with_mask(lossy, rest, pa.array([cut for _, cut in exact], pa.bool_()))
    return _parsed(trimmed, values, lossy)


def parse_float(texts: pa.Array[Any]) -> Parsed:
    """Return float64 values; ``inf``, ``infinity`` and ``nan`` in any case are numbers.

    Lossy are a finite text that becomes infinite, one other than zero that becomes zero, and one whose digits before
    the point do not all fit; the usual rounding of a decimal fraction is not.
    """
    trimmed = _trimmed(texts)
    number = pc.match_substring_regex(trimmed, f"^(?:{_NUMBER}|{_SPECIAL})$")
    accepted = pc.if_else(number, trimmed, None)
    values: Any = accepted.cast(pa.float64())
    edge: Any = pc.or_(pc.is_inf(values), pc.equal(values, pa.scalar(0.0)))
    edge = pc.or_(edge, pc.match_substring_regex(accepted, r"^[+-]?0*[1-9][0-9]{15,}(?:\.[0-9]*)?$"))
    edge = pc.fill_null(edge, False)
    lossy = _nowhere(trimmed)
    if _any(edge):
        lossy = pc.replace_with_mask(lossy, edge, pa.array(_by_distinct(accepted.filter(edge), _float_loses)))
    return _parsed(trimmed, values, lossy)


def parse_bool(
    texts: pa.Array[Any],
    true_values: tuple[str, ...] = (),
    false_values: tuple[str, ...] = (),
    mismatch_as: str | None = None,
) -> Parsed:
    """Return booleans; without lists by the words that make a column of delimited text boolean.

    Own lists are compared exactly. The text is trimmed, the lists are not. With `mismatch_as` ``true`` or ``false``
    every other text (also an empty one) takes that value; otherwise it fails, and for ``error`` the caller raises.
    """
    trimmed = _trimmed(texts)
    if not (true_values or false_values):
        true_values, false_values = TRUE_WORDS, FALSE_WORDS
    true = pc.is_in(trimmed, pa.array(true_values, trimmed.type))
    known = pc.or_(true, pc.is_in(trimmed, pa.array(false_values, trimmed.type)))
    other = pa.scalar(mismatch_as == "true" if mismatch_as in ("true", "false") else None, pa.bool_())
    values = pc.if_else(pc.is_valid(trimmed), pc.if_else(known, true, other), pa.scalar(None, pa.bool_()))
    return _parsed(trimmed, values, _nowhere(trimmed))


def parse_datetimes(
    texts: pa.Array[Any], formats: tuple[str, ...], date_constant: str | None = None
) -> Parsed:
    """Return naive timestamps in UTC, of the type ``DatetimeFormats(formats, date_constant).type``.

    The formats are tried in order, also after a field that is out of range. Lossy are digits finer than the type.

    Raises:
        ArgumentError: A format is not understood, or says no date.
    """
    compiled = DatetimeFormats(formats, date_constant)
    trimmed = _trimmed(texts)
    if not _repeats(trimmed):
        values, lossy = compiled.parse(trimmed)
        return _parsed(trimmed, values, lossy)
    encoded = trimmed.dictionary_encode()
    values, lossy = compiled.parse(encoded.dictionary)
    return _parsed(trimmed, values.take(encoded.indices), lossy.take(encoded.indices))


def _parsed(trimmed: Any, values: Any, lossy: Any) -> Parsed:
    failed = pc.and_(pc.is_valid(trimmed), pc.is_null(values))
    return Parsed(values, failed, pc.and_(pc.fill_null(lossy, False), pc.is_valid(values)))


def _nowhere(texts: Any) -> Any:
    return pa.array(np.zeros(len(texts), bool))


def _trimmed(texts: pa.Array[Any]) -> Any:
    """Return texts without the white space around them, as a string or large_string array."""
    plain: Any = texts
    if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
        plain = texts.cast(pa.large_string())  # dictionaries, views and the null type
    return pc.utf8_trim_whitespace(plain)


def _any(mask: Any) -> bool:
    return bool(pc.any(mask, min_count=0).as_py())


def _repeats(texts: Any) -> bool:
    """Tell whether parsing each distinct text once pays; only the speed depends on the answer."""
    head = texts.slice(0, _SAMPLE_ROWS)
    return bool(len(texts) > _SAMPLE_ROWS and pc.count_distinct(head).as_py() * 2 < len(head))


def _by_distinct(texts: Any, parse: Callable[[str], Any]) -> list[Any]:
    """Return the result of a slow Python function for each text, calling it once a distinct text."""
    encoded = texts.dictionary_encode()
    results = [parse(text) for text in encoded.dictionary.to_pylist()]
    return [results[i] for i in np.asarray(encoded.indices)]


def _exact_int(text: str) -> tuple[int | None, bool]:
    """Return the integer and whether a fraction was cut off, with exact arithmetic at any size."""
    if not re.fullmatch(_NUMBER, text):
        return None, False
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of more than eighteen digits
        return None, False
    if number.adjusted() > _INT64_DIGITS and number:
        return None, False
    value = int(number) if number.adjusted() >= 0 else 0
    return (value, number != value) if value in _INT64_RANGE else (None, False)


def _float_loses(text: str) -> bool:
    if re.fullmatch(_SPECIAL, text):
        return False
    value = float(text)
    mantissa = re.split("[eE]", text)[0]
    if value == 0:
        return bool(re.search("[1-9]", mantissa))
    if math.isinf(value) or mantissa != text:
        return math.isinf(value)
    # The exact value, or the shortest text that means it: what a float wrote is not told when it is read back.
    return int(Decimal(text)) not in (int(value), int(Decimal(repr(value))))
