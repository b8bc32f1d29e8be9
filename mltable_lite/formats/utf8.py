"""Texts that are no UTF-8: Arrow decodes them without a look, and whoever touches them later fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import CorruptFileError

if TYPE_CHECKING:
    from collections.abc import Iterable


def holds_text(t: pa.DataType) -> bool:
    """Tell whether values of a type are or hold text."""
    if pt.is_dictionary(t):
        return holds_text(t.value_type)
    return (
        pt.is_string(t)
        or pt.is_large_string(t)
        or any(holds_text(t.field(i).type) for i in range(t.num_fields))
    )


def check_texts(batch: pa.RecordBatch, names: Iterable[str], place: str) -> None:
    """Refuse bytes that are no UTF-8 in columns that hold text.

    Args:
        batch: Rows of a file.
        names: Its columns that hold text.
        place: Where the rows are from, for the error.

    Raises:
        CorruptFileError: There are such bytes; names the place, the column and, where it is not nested, the value.
    """
    for name in names:
        array: Any = batch.column(name)
        if pt.is_dictionary(array.type):
            array = array.dictionary
        try:
            array.validate(full=True)
        except pa.ArrowInvalid:
            raise CorruptFileError(
                f"{place}, column {name!r} holds bytes that are no UTF-8 text{_found(array)}. Write the file anew with "
                "UTF-8 or as binary, or leave the column out of the table with keep_columns or drop_columns."
            ) from None


def _found(array: Any) -> str:
    if pt.is_nested(array.type):
        return ""
    for value in array.cast(pa.large_binary()).to_pylist():
        try:
            (value or b"").decode()
        except UnicodeDecodeError:
            return f": {value[:40]!r}"
    return ""
