"""The public vocabulary: column types, header modes, encodings, and the kinds of columns that plans speak of.

Pure Python: no pyarrow here. Names and members of the enums are those of the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

from mltable_lite.errors import ArgumentError, ArgumentTypeError

if TYPE_CHECKING:
    from decimal import Decimal


class MLTableHeaders(Enum):
    """How the header lines of delimited files are used.

    Attributes:
        no_header: There are none; columns are called Column1, Column2 and so on.
        from_first_file: Only the first file has one.
        all_files_different_headers: Each file has its own; columns are united by name.
        all_files_same_headers: Each file has the same one; another is an error.
    """

    no_header = 1
    from_first_file = 2
    all_files_different_headers = 3
    all_files_same_headers = 4


class MLTableFileEncoding(Enum):
    """Encodings of text files. `ascii` accepts UTF-8, `latin1` and `iso88591` use the windows-1252 table."""

    utf8 = 1
    iso88591 = 2
    latin1 = 3
    ascii = 4
    utf16 = 5
    utf8bom = 6
    windows1252 = 7


class MLTablePartitionSize(Enum):
    """Units for the size of a partition of a text file, each 1024 times the one before."""

    byte = 0
    kilobyte = 1
    megabyte = 2
    gigabyte = 3


class MLTableSaveOverwriteOption(Enum):
    """What `MLTable.save` does when its target exists."""

    FAIL_ON_CONFLICT = 1
    OVERWRITE = 2
    SKIP = 3


def _texts(name: str, value: object, *, single: bool = False) -> tuple[str, ...]:
    if single and isinstance(value, str):
        return (value,)
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, str) for v in value):
        return tuple(value)
    raise ArgumentError(
        f"{name}: {value!r} is not accepted; give a {'text or a ' if single else ''}list of texts."
    )


@dataclass(frozen=True, slots=True, repr=False)
class DataType:
    """A target of `MLTable.convert_column_types`; make one with the ``to_*`` methods.

    Example:
        >>> from mltable_lite import DataType
        >>> DataType.to_datetime("%d/%m/%Y")
        DataType.to_datetime(formats=['%d/%m/%Y'])
    """

    name: str
    formats: tuple[str, ...] = ()
    date_constant: str | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    mismatch_as: str | None = None
    workspace: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def to_int() -> DataType:
        """Return the 64-bit integer type."""
        return DataType("int")

    @staticmethod
    def to_float() -> DataType:
        """Return the 64-bit floating point type."""
        return DataType("float")

    @staticmethod
    def to_string() -> DataType:
        """Return the text type."""
        return DataType("string")

    @staticmethod
    def to_stream() -> DataType:
        """Return the stream type: the text is a path or URI, the value an object with ``open()``."""
        return DataType("stream_info")

    @staticmethod
    def to_bool(
        true_values: list[str] | None = None,
        false_values: list[str] | None = None,
        mismatch_as: str | None = None,
    ) -> DataType:
        """Return the boolean type.

        Args:
            true_values: Texts that mean true; given together with `false_values`, or neither.
            false_values: Texts that mean false.
            mismatch_as: ``"true"``, ``"false"`` or ``"error"`` for every other text; `None` gives null and warns.

        Raises:
            ArgumentError: Only one of the lists is given, they overlap, or `mismatch_as` is another word.
        """
        true = _texts("true_values", true_values, single=True) if true_values is not None else ()
        false = _texts("false_values", false_values, single=True) if false_values is not None else ()
        if bool(true) != bool(false):
            raise ArgumentError("DataType.to_bool: give both true_values and false_values, or neither.")
        overlap = sorted(set(true) & set(false))
        if overlap:
            raise ArgumentError(
                f"DataType.to_bool: {overlap[0]!r} stands in both true_values and false_values."
            )
        if mismatch_as not in (None, "error", "true", "false"):
            raise ArgumentError(
                f"DataType.to_bool: mismatch_as={mismatch_as!r} is not accepted; use 'error', 'true' or 'false'."
            )
        return DataType("boolean", true_values=true, false_values=false, mismatch_as=mismatch_as)

    @staticmethod
    def to_datetime(formats: str | list[str], date_constant: str | None = None) -> DataType:
        """Return the datetime type.

        Args:
            formats: One or several formats such as ``"%Y-%m-%d"``, tried in order.
            date_constant: A date put before every value, for formats that only hold a time.

        Raises:
            ArgumentError: No format is given, or one is not a text.
        """
        parsed = _texts("formats", formats, single=True)
        if not parsed:
            raise ArgumentError("DataType.to_datetime: give at least one format, such as '%Y-%m-%d'.")
        if date_constant is not None and not isinstance(date_constant, str):
            raise ArgumentTypeError(f"DataType.to_datetime: date_constant={date_constant!r} is not a text.")
        return DataType("datetime", formats=parsed, date_constant=date_constant)

    def __repr__(self) -> str:
        method = {"boolean": "bool", "stream_info": "stream"}.get(self.name, self.name)
        given = {
            "formats": list(self.formats) or None,
            "date_constant": self.date_constant,
            "true_values": list(self.true_values) or None,
            "false_values": list(self.false_values) or None,
            "mismatch_as": self.mismatch_as,
        }
        return f"DataType.to_{method}({', '.join(f'{k}={v!r}' for k, v in given.items() if v is not None)})"


# --------------------------------------------------------------------------- columns as plans see them
class Kind(StrEnum):
    """What a column holds, as far as plans and filters need to know; widths and units stay with Arrow."""

    NULL = "null"
    BOOLEAN = "boolean"
    INTEGER = "integer"
    FLOAT = "float"
    DECIMAL = "decimal"
    STRING = "string"
    BINARY = "binary"
    DATE = "date"
    DATETIME = "datetime"
    TIME = "time"
    DURATION = "duration"
    LIST = "list"
    STRUCT = "struct"
    MAP = "map"
    STREAM = "stream"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its name and kind, and for a struct its fields. `zoned` tells a datetime with a time zone."""

    name: str
    kind: Kind
    zoned: bool = False
    fields: tuple[Field, ...] = ()


def plain_digits(value: Decimal) -> str:
    """Return a number as text without an exponent, and without zeros that end its fraction."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
