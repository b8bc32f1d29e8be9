"""One schema for several files: union of the columns by name, types joined only where no value is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import SchemaMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNITS = ("s", "ms", "us", "ns")
_SIGNED = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_UNSIGNED = {8: pa.uint8(), 16: pa.uint16(), 32: pa.uint32(), 64: pa.uint64()}
_FLOATS = {16: pa.float16(), 32: pa.float32(), 64: pa.float64()}
#: Decimal digits that hold every value of an integer type.
_DIGITS = {
    pa.int8(): 3, pa.int16(): 5, pa.int32(): 10, pa.int64(): 19,
    pa.uint8(): 3, pa.uint16(): 5, pa.uint32(): 10, pa.uint64(): 20,
}  # fmt: skip
_DECIMAL128_DIGITS, _DECIMAL256_DIGITS = 38, 76


def unify(schemas: Sequence[tuple[str, pa.Schema]]) -> pa.Schema:
    """Return the union of the columns by name, in order of first appearance, with types that hold all values.

    A column that a file lacks is nullable. A field keeps the metadata of its first file, without the Parquet field
    id, which belongs to one file only. The schema itself has no metadata.

    Args:
        schemas: Pairs of a file's name, for the error text, and its schema.

    Raises:
        SchemaMismatchError: A column has types that no type holds without loss; names both files and both types.
    """
    fields: dict[str, pa.Field] = {}
    seen_in: dict[str, int] = {}
    for number, (file, schema) in enumerate(schemas):
        for field in schema:
            name = field.name
            known = fields.get(name)
            if known is None:
                fields[name] = _without_field_id(field)
            elif known.type != field.type:
                joined = promote(known.type, field.type)
                if joined is None:
                    raise _mismatch(name, schemas[:number], file, field.type, known.type)
                fields[name] = known.with_type(joined)
            if field.nullable:
                fields[name] = fields[name].with_nullable(True)
            seen_in[name] = seen_in.get(name, 0) + 1
    everywhere = len(schemas)
    return pa.schema(
        field if field.nullable or seen_in[name] == everywhere else field.with_nullable(True)
        for name, field in fields.items()
    )


def promote(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """Return the type that holds the values of both types without loss, or `None` where there is none.

    Three pairs are joined although not every value fits, because nearly all data does; the cast of a file's
    values must then be checked (a safe cast does):

    - 64-bit integers with floats give float64: integers beyond 2**53 do not fit;
    - uint64 with a signed integer gives int64, not a decimal, so that the column stays a number in every output;
    - a coarse time unit with a finer one gives the finer one: far years do not fit nanoseconds.

    Different time zones give UTC: the instants stay. A naive timestamp is no instant and never joins a zoned one.
    """
    if a == b:
        return a
    if pt.is_null(a) or pt.is_null(b):
        return b if pt.is_null(a) else a
    plain_a, plain_b = _decoded(a), _decoded(b)
    if plain_a != a or plain_b != b:
        both = isinstance(a, pa.BaseExtensionType) and isinstance(b, pa.BaseExtensionType)
        return None if both else promote(plain_a, plain_b)
    for join in (_numbers, _decimals, _instants, _spans, _texts, _lists, _maps, _structs):
        joined = join(a, b)
        if joined is not None:
            return joined
    return None


def _decoded(t: pa.DataType) -> pa.DataType:
    """Return the type of the values of a dictionary, run-end encoded or extension type."""
    if pt.is_dictionary(t) or pt.is_run_end_encoded(t):
        return t.value_type
    return t.storage_type if isinstance(t, pa.BaseExtensionType) else t


def _numbers(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not all(pt.is_integer(t) or pt.is_floating(t) for t in (a, b)):
        return None
    if pt.is_floating(a) and pt.is_floating(b):
        return _FLOATS[max(a.bit_width, b.bit_width)]
    if pt.is_floating(a) or pt.is_floating(b):
        number, real = (b, a) if pt.is_floating(a) else (a, b)
        exact_in = {8: 16, 16: 32, 32: 64, 64: 64}[number.bit_width]  # significands have 11, 24 and 53 bits
        return _FLOATS[max(exact_in, real.bit_width)]
    if pt.is_signed_integer(a) == pt.is_signed_integer(b):
        return (_SIGNED if pt.is_signed_integer(a) else _UNSIGNED)[max(a.bit_width, b.bit_width)]
    signed, unsigned = (a, b) if pt.is_signed_integer(a) else (b, a)
    return _SIGNED[min(64, max(signed.bit_width, 2 * unsigned.bit_width))]


def _decimals(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (pt.is_decimal(a) or pt.is_decimal(b)):
        return None
    shapes = [(t.precision, t.scale) if pt.is_decimal(t) else (_DIGITS.get(t, 0), 0) for t in (a, b)]
    if (0, 0) in shapes:
        return None
    scale = max(scale for _, scale in shapes)
    digits = max(digits - scale for digits, scale in shapes) + scale
    if digits > _DECIMAL256_DIGITS:
        return None
    return pa.decimal128(digits, scale) if digits <= _DECIMAL128_DIGITS else pa.decimal256(digits, scale)


def _finer(a: pa.DataType, b: pa.DataType) -> str:
    return _UNITS[max(_UNITS.index(a.unit), _UNITS.index(b.unit))]


def _instants(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if pt.is_date(a) and pt.is_date(b):
        return pa.date32()
    if pt.is_date(a) or pt.is_date(b):
        stamp = b if pt.is_date(a) else a
        return stamp if pt.is_timestamp(stamp) and stamp.tz is None else None
    if not (pt.is_timestamp(a) and pt.is_timestamp(b)) or (a.tz is None) != (b.tz is None):
        return None
    return pa.timestamp(_finer(a, b), a.tz if a.tz == b.tz else "UTC")


def _spans(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if pt.is_duration(a) and pt.is_duration(b):
        return pa.duration(_finer(a, b))
    if pt.is_time(a) and pt.is_time(b):
        unit = _finer(a, b)
        return pa.time64(unit) if unit in ("us", "ns") else pa.time32(unit)
    return None


def _texts(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if _is_text(a) and _is_text(b):
        return pa.large_string() if pt.is_large_string(a) or pt.is_large_string(b) else pa.string()
    if _is_bytes(a) and _is_bytes(b):
        return pa.large_binary() if pt.is_large_binary(a) or pt.is_large_binary(b) else pa.binary()
    return None


def _is_text(t: pa.DataType) -> bool:
    return any(test(t) for test in (pt.is_string, pt.is_large_string, pt.is_string_view))


def _is_bytes(t: pa.DataType) -> bool:
    tests = (pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary, pt.is_binary_view)
    return any(test(t) for test in tests) and not pt.is_decimal(t)


def is_list(t: pa.DataType) -> bool:
    """Tell whether a type is a list of any layout."""
    tests = (pt.is_list, pt.is_large_list, pt.is_fixed_size_list, pt.is_list_view, pt.is_large_list_view)
    return any(test(t) for test in tests)


def _lists(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (is_list(a) and is_list(b)):
        return None
    item = promote(a.value_type, b.value_type)
    if item is None:
        return None
    value = pa.field(a.value_field.name, item, a.value_field.nullable or b.value_field.nullable)
    if pt.is_fixed_size_list(a) and pt.is_fixed_size_list(b) and a.list_size == b.list_size:
        return pa.list_(value, a.list_size)
    large = any(pt.is_large_list(t) or pt.is_large_list_view(t) for t in (a, b))
    return pa.large_list(value) if large else pa.list_(value)


def _maps(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (pt.is_map(a) and pt.is_map(b)):
        return None
    key, item = promote(a.key_type, b.key_type), promote(a.item_type, b.item_type)
    return None if key is None or item is None else pa.map_(key, item)


def _structs(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    if not (pt.is_struct(a) and pt.is_struct(b)):
        return None
    fields = {field.name: field for field in a}
    in_both = set(fields) & {field.name for field in b}
    for field in b:
        known = fields.get(field.name, field)
        joined = promote(known.type, field.type)
        if joined is None:
            return None
        fields[field.name] = known.with_type(joined).with_nullable(known.nullable or field.nullable)
    return pa.struct(
        field if field.name in in_both else field.with_nullable(True) for field in fields.values()
    )


def _without_field_id(field: pa.Field) -> pa.Field:
    metadata = {k: v for k, v in (field.metadata or {}).items() if k != b"PARQUET:field_id"}
    return field.with_metadata(metadata) if metadata else field.remove_metadata()


def _mismatch(
    name: str, earlier: Iterable[tuple[str, pa.Schema]], file: str, found: pa.DataType, joined: pa.DataType
) -> SchemaMismatchError:
    having = [(other, schema.field(name).type) for other, schema in earlier if name in schema.names]
    first, first_type = next(
        ((other, t) for other, t in having if promote(t, found) is None), (having[0][0], joined)
    )
    return SchemaMismatchError(
        f"{file}: column {name!r} is {found} here but {first_type} in {first}; columns of several files are joined "
        "only where no value is lost. Leave one of the files out of the paths, or read the files as two tables and "
        "make the types equal with convert_column_types, or write one of the files anew.",
        column=name,
        file=file,
    )
