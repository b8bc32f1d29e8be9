"""``convert_column_types`` for one column of one batch.

Which source kinds a target takes, and how, is the table `CONVERSIONS`; every other kind fails. What fails becomes
null, what loses a part keeps the rest, and both are counted: nothing is lost without a notice.

Results do not depend on how a column is cut into batches: the type follows from the source's type and the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import ConversionError, ConversionWarning, Notice
from mltable_lite.execute.as_text import as_text, decoded
from mltable_lite.execute.fields import field_of, value_type
from mltable_lite.formats.datetime_text import DatetimeFormats
from mltable_lite.formats.streams import stream_field
from mltable_lite.formats.text_types import FALSE_WORDS, TRUE_WORDS
from mltable_lite.formats.text_values import Parsed, parse_bool, parse_datetimes, parse_float, parse_int
from mltable_lite.storage.options import without_secrets
from mltable_lite.types import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.errors import Notices
    from mltable_lite.types import DataType

    Converter = Callable[[Any, DataType], Parsed]

_SHOWN_CHARACTERS = 60
_TIMESTAMP_DAYS = 100_000_000  # a little less than what 64 bits of microseconds reach
_LOCATION = r"^(?:[A-Za-z][A-Za-z0-9+.-]*:/|/|[A-Za-z]:[\\/]).*[^\s/]"


# --------------------------------------------------------------------------- the two public functions
def output_field(field: pa.Field[Any], target: DataType) -> pa.Field[Any]:
    """Return the field of a converted column; it depends on the field and the target only, never on values."""
    if target.name == "stream_info":
        return stream_field(field.name)
    source = value_type(field.type)
    types: Mapping[str, pa.DataType] = {
        "int": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "string": pa.large_string() if pa.types.is_large_string(source) else pa.string(),
    }
    if target.name in types:
        return pa.field(field.name, types[target.name])
    match field_of(field).kind:
        case Kind.DATETIME:
            return pa.field(field.name, source)
        case Kind.DATE:
            return pa.field(field.name, pa.timestamp("us"))
    return pa.field(field.name, DatetimeFormats(target.formats, target.date_constant).type)


def convert(
    array: pa.Array[Any] | pa.ChunkedArray[Any],
    field: pa.Field[Any],
    target: DataType,
    *,
    column: str,
    notices: Notices,
    where: Callable[[int], str],
) -> pa.Array[Any]:
    """Return the converted array, of the type of `output_field`.

    Args:
        array: A column of a batch.
        field: The field of the column.
        target: What to convert to.
        column: The column's name, for notices and errors.
        notices: Where values that failed or lost a part are reported.
        where: Tells for a position in the array where the value comes from.

    Raises:
        ConversionError: A value is not boolean and the target has ``mismatch_as: error``.
        ArgumentError: A datetime format is not understood.
    """
    kind = field_of(field).kind
    plain = decoded(array)
    out = output_field(field, target)
    converter = CONVERSIONS[target.name].get(kind, _fail)
    parsed = converter(plain, target)
    report = _Report(plain, kind, target, column, where)
    failed = np.flatnonzero(np.asarray(parsed.failed))
    if len(failed) and target.mismatch_as == "error":
        raise report.error(int(failed[0]))
    if len(failed):
        notices.add(report.notice(failed, *report.failure()))
    lossy = np.flatnonzero(np.asarray(parsed.lossy))
    if len(lossy):
        notices.add(report.notice(lossy, *_LOSSES[target.name]))
    return parsed.values.cast(out.type)


# --------------------------------------------------------------------------- what is reported
_LOSSES: Mapping[str, tuple[str, str]] = {
    "int": ("values lost their fraction", "Convert to float to keep it."),
    "float": (
        "values have more digits than float64 holds and were rounded",
        "Convert to string or int to keep them.",
    ),
    "datetime": ("values lost digits beyond nanoseconds", ""),
    "string": (
        "values hold bytes, of which the text only tells the number",
        "Drop the column, or store it as text.",
    ),
}
_FAILURES: Mapping[str, str] = {
    "int": "values are not 64-bit integers and became null",
    "float": "values are not numbers and became null",
    "stream_info": "values are neither a URI nor an absolute path and became null",
}


@dataclass(frozen=True, slots=True)
class _Report:
    """Texts about values that did not convert."""

    array: Any
    kind: Kind
    target: DataType
    column: str
    where: Callable[[int], str]

    def notice(self, rows: Any, what: str, fix: str) -> Notice:
        first = int(rows[0])
        return Notice(
            ConversionWarning, self.column, len(rows), what, self._value(first), self.where(first), fix
        )

    def failure(self) -> tuple[str, str]:
        """Return what happened and what to do."""
        name = self.target.name
        if self.kind not in CONVERSIONS[name]:
            return f"values of kind {self.kind} cannot become {name} and became null", ""
        if name == "datetime":
            formats = ", ".join(repr(text) for text in self.target.formats)
            return f"values are no datetime of {formats} and became null", self._datetime_fix()
        if name == "boolean":
            return (
                f"values are not boolean ({self._words()}) and became null",
                "Set mismatch_as to choose a value.",
            )
        return _FAILURES[name], ""

    def error(self, row: int) -> ConversionError:
        return ConversionError(
            f"{self.where(row)}: column {self.column!r}: {self._value(row)} is not boolean; accepted: {self._words()}."
            " Add the value to true_values or false_values, or change mismatch_as: error."
        )

    def _words(self) -> str:
        target = self.target
        words = (target.true_values, target.false_values) if target.true_values else (TRUE_WORDS, FALSE_WORDS)
        true, false = (", ".join(map(repr, values)) for values in words)
        return f"true: {true}; false: {false}"

    def _datetime_fix(self) -> str:
        fixes = []
        if any("%Z" in text for text in self.target.formats):
            fixes.append("%Z takes only UTC and GMT; other zones need their offset and %z.")
        if any("%f" in text for text in self.target.formats):
            fixes.append(
                "Years before 1678 and after 2261 need %6f in place of %f: nanoseconds do not reach them."
            )
        return " ".join(fixes)

    def _value(self, row: int) -> str:
        """Return the value for a person: short, on one line, and if it is a URI without what may be a secret."""
        text = without_secrets(as_text(self.array.slice(row, 1), self.kind)[0].as_py())
        shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
        return repr(shown) if self.kind in (Kind.STRING, Kind.STREAM) else shown.replace("\n", "\\n")


# --------------------------------------------------------------------------- source -> target
def _parsed(values: Any, failed: Any = None, lossy: Any = None) -> Parsed:
    nowhere = pa.array(np.zeros(len(values), bool))
    return Parsed(
        values,
        nowhere if failed is None else pc.fill_null(failed, False),
        nowhere if lossy is None else pc.fill_null(lossy, False),
    )


def _fitting(array: Any, fits: Any, out: pa.DataType) -> Parsed:
    """Return the values that fit as another type; the others fail."""
    return _parsed(pc.if_else(fits, array, pa.scalar(None, array.type)).cast(out), pc.invert(fits))


def _fail(array: Any, _: DataType) -> Parsed:
    return _parsed(pa.nulls(len(array)), array.is_valid())


def _keep(array: Any, _: DataType) -> Parsed:
    return _parsed(array)


def _integer_to_int(array: Any, _: DataType) -> Parsed:
    if not pa.types.is_uint64(array.type):
        return _parsed(array)
    return _fitting(array, pc.less(array, pa.scalar(2**63, pa.uint64())), pa.int64())


def _integer_to_float(array: Any, _: DataType) -> Parsed:
    values = array.cast(pa.float64(), safe=False)
    end = pa.scalar(2.0 ** (64 if pa.types.is_uint64(array.type) else 63))
    back = pc.if_else(pc.less(values, end), values, pa.scalar(None, pa.float64())).cast(array.type)
    return _parsed(values, lossy=pc.and_(array.is_valid(), pc.fill_null(pc.not_equal(back, array), True)))


def _float_to_int(array: Any, _: DataType) -> Parsed:
    wide = array.cast(pa.float64())
    whole = pc.trunc(wide)
    end = pa.scalar(2.0**63)
    fits = pc.and_(pc.greater_equal(whole, pc.negate(end)), pc.less(whole, end))  # NaN does not
    return replace(
        _fitting(whole, fits, pa.int64()), lossy=pc.and_(pc.not_equal(whole, wide), pc.fill_null(fits, False))
    )


def _number_to_boolean(array: Any, target: DataType) -> Parsed:
    """Return False for zero; NaN is True, as in Python.

    With own lists of texts the number's text is looked up; 0 and 1 need not stand there.
    """
    if target.true_values:
        known = {*target.true_values, *target.false_values}
        true, false = (*target.true_values, *({"1"} - known)), (*target.false_values, *({"0"} - known))
        wider = replace(target, true_values=true, false_values=false)
        return _string_to_boolean(as_text(array, field_of(pa.field("", array.type)).kind), wider)
    if pa.types.is_decimal(array.type):
        return _parsed(pc.not_equal(array, pa.scalar(Decimal(0), array.type)))
    wide = array.cast(pa.float64()) if pa.types.is_float16(array.type) else array
    return _parsed(wide.cast(pa.bool_()))


def _to_string(array: Any, _: DataType) -> Parsed:
    texts = as_text(array, field_of(pa.field("", array.type)).kind)
    return _parsed(texts, lossy=array.is_valid() if _holds_bytes(array.type) else None)


def _holds_bytes(arrow: pa.DataType) -> bool:
    if field_of(pa.field("", arrow)).kind is Kind.BINARY:
        return True
    return any(_holds_bytes(arrow.field(i).type) for i in range(arrow.num_fields))


def _string_to_boolean(array: Any, target: DataType) -> Parsed:
    return parse_bool(array, target.true_values, target.false_values, target.mismatch_as)


def _string_to_datetime(array: Any, target: DataType) -> Parsed:
    return parse_datetimes(array, target.formats, target.date_constant)


def _date_to_datetime(array: Any, _: DataType) -> Parsed:
    days = array.cast(pa.date32()).cast(pa.int32())
    fits = pc.less(pc.abs(days.cast(pa.int64())), pa.scalar(_TIMESTAMP_DAYS))
    return _fitting(days.cast(pa.date32()), fits, pa.timestamp("us"))


def _string_to_stream(array: Any, _: DataType) -> Parsed:
    texts = array.cast(pa.string())
    return _fitting(texts, pc.match_substring_regex(texts, _LOCATION), pa.string())


#: Target -> source kind -> how. A kind that is not there fails.
CONVERSIONS: Mapping[str, Mapping[Kind, Converter]] = {
    "int": {
        Kind.STRING: lambda array, _: parse_int(array),
        Kind.STREAM: lambda array, _: parse_int(array),
        Kind.INTEGER: _integer_to_int,
        Kind.FLOAT: _float_to_int,
        Kind.DECIMAL: lambda array, _: parse_int(array.cast(pa.string())),
        Kind.BOOLEAN: _keep,
    },
    "float": {
        Kind.STRING: lambda array, _: parse_float(array),
        Kind.STREAM: lambda array, _: parse_float(array),
        Kind.INTEGER: _integer_to_float,
        Kind.FLOAT: _keep,
        Kind.DECIMAL: lambda array, _: parse_float(array.cast(pa.string())),
        Kind.BOOLEAN: _keep,
    },
    "boolean": {
        Kind.STRING: _string_to_boolean,
        Kind.STREAM: _string_to_boolean,
        Kind.INTEGER: _number_to_boolean,
        Kind.FLOAT: _number_to_boolean,
        Kind.DECIMAL: _number_to_boolean,
        Kind.BOOLEAN: _keep,
    },
    "string": dict.fromkeys(Kind, _to_string),
    "datetime": {
        Kind.STRING: _string_to_datetime,
        Kind.STREAM: _string_to_datetime,
        Kind.DATETIME: _keep,
        Kind.DATE: _date_to_datetime,
    },
    "stream_info": {
        Kind.STRING: _string_to_stream,
        Kind.STREAM: _keep,
    },
}
