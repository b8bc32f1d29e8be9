"""A column of delimited text: its type, guessed or given, and the conversion of its cells."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    ConversionError,
    ConversionWarning,
    Notice,
    Notices,
    PrecisionWarning,
    SchemaMismatchError,
)
from mltable_lite.formats.datetime_text import DatetimeFormats
from mltable_lite.formats.text_types import (
    TEXT,
    Kind,
    Misfits,
    TextType,
    convert,
    find_overflowed,
    find_rounded,
)
from mltable_lite.formats.text_values import Parsed, parse_bool, parse_datetimes, parse_float, parse_int

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mltable_lite.formats.delimited_pieces import Piece
    from mltable_lite.spec.model import InferTypes
    from mltable_lite.types import DataType

_OFFSET = r"[+-][0-9]{2}:?[0-9]{2}$"
_UTC = r"[+-]00:?00$"
_SHOWN_CHARACTERS = 60
_BY_ARROW = (Kind.INT, Kind.FLOAT, Kind.BOOL)
#: What guessed floats may lose: each is looked for by a function, and told with a text.
_FLOAT_LOSSES = (
    (find_rounded, "integers are beyond int64 or have more digits than float64 holds: read as float64"),
    (find_overflowed, "numbers are beyond float64 and became infinite"),
)
_NAMES = {"int": pa.int64(), "float": pa.float64(), "boolean": pa.bool_(), "string": pa.string()}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table.

    Attributes:
        name: Its name.
        type: What its cells were seen to be.
        given: The type that the table gives it, in place of that.
        date_only: No cell that was seen has a time: only a hint for speed.
        exact: Every cell was seen, not only those of a sample.
    """

    name: str
    type: TextType
    given: DataType | None = None
    date_only: bool = False
    exact: bool = False

    @property
    def is_guess(self) -> bool:
        """Whether cells that were not seen may be of another type."""
        return not self.exact and self.given is None and self.type != TEXT

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type of its values."""
        if self.given is None:
            return self.type.arrow
        return (
            _NAMES[self.given.name]
            if self.given.name in _NAMES
            else DatetimeFormats(self.given.formats, self.given.date_constant).type
        )

    @property
    def read_as(self) -> pa.DataType:
        """The type that Arrow's reader is asked for."""
        if self.given is None and self.type.kind in _BY_ARROW:
            return self.type.arrow
        if self.given is None and self.type.kind is Kind.DATETIME and self.date_only and not self.type.zoned:
            return pa.date32()
        return pa.string()

    def values(self, cells: Any, piece: Piece, notices: Notices, guessed_from: str) -> Any:
        """Return the values of a piece's cells, which are texts or already read by Arrow as `read_as` says.

        Raises:
            SchemaMismatchError: A cell does not fit the guessed type.
            ConversionError: A cell is no boolean and the table asks for an error.
        """
        if self.given is not None:
            return self._given_values(cells, piece, notices)
        if not pa.types.is_string(cells.type):
            return cells.cast(self.arrow)
        values = convert(cells, self.type)
        if isinstance(values, Misfits):
            raise self._mismatch(cells[values.first].as_py(), piece, values.first, guessed_from)
        self._tell_of_zones(cells, piece, notices)
        if self.type.kind is Kind.FLOAT:
            for find, what in _FLOAT_LOSSES:
                lost = find(cells, values)
                if lost is not None:
                    fix = f"To keep the digits read the column as text: {_override(self.name)}"
                    first = shown(cells[lost.first].as_py())
                    notice = Notice(PrecisionWarning, self.name, lost.count, what, first, fix=fix)
                    _tell(notice, piece, lost.first, notices)
        return values

    def _tell_of_zones(self, cells: Any, piece: Piece, notices: Notices) -> None:
        if self.type.kind is not Kind.DATETIME or not self.type.zoned:
            return
        elsewhere = pc.and_(
            pc.match_substring_regex(cells, _OFFSET), pc.invert(pc.match_substring_regex(cells, _UTC))
        )
        count = pc.sum(elsewhere).as_py()
        if count:
            row = pc.index(elsewhere, True).as_py()
            what = "datetimes have an offset other than UTC: their time is given in UTC, without a zone"
            first = shown(cells[row].as_py())
            _tell(Notice(ConversionWarning, self.name, count, what, first), piece, row, notices)

    def _mismatch(self, cell: str, piece: Piece, row: int, guessed_from: str) -> SchemaMismatchError:
        uri, line = piece.block.file.uri, piece.line_of(row)
        return SchemaMismatchError(
            f"{uri}:{line} column {self.name!r}: {shown(cell)} is not {self.type.called} (guessed from "
            f"{guessed_from}); to read the column as text add\n    {_override(self.name)}",
            column=self.name,
            file=uri,
            line=line,
        )

    def _given_values(self, cells: Any, piece: Piece, notices: Notices) -> Any:
        assert self.given is not None
        if self.given.name == "string":
            return cells
        texts = cells
        if self.given.mismatch_as not in ("true", "false"):
            # A quoted empty cell is no number, no date and no boolean; it may only be a mismatch that has a value.
            texts = pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
        parsed = _parse(texts, self.given)
        for mask, became in ((parsed.failed, "became null"), (parsed.lossy, "lost a part")):
            count = pc.sum(mask).as_py()
            if not count:
                continue
            row = pc.index(mask, True).as_py()
            cell = shown(cells[row].as_py())
            if mask is parsed.failed and self.given.mismatch_as == "error":
                raise ConversionError(
                    f"{piece.block.file.uri}:{piece.line_of(row)} column {self.name!r}: {cell} is none of the values for true and false, and mismatch_as "
                    f"is 'error'; accepted: {', '.join(self.given.true_values + self.given.false_values)}."
                )
            what = (
                f"values are not {self.given.name} and {became}"
                if mask is parsed.failed
                else (f"values are {self.given.name} in part only: they {became}")
            )
            _tell(Notice(ConversionWarning, self.name, count, what, cell), piece, row, notices)
        return parsed.values


def _parse(texts: Any, given: DataType) -> Parsed:
    if given.name == "boolean":
        return parse_bool(texts, given.true_values, given.false_values, given.mismatch_as)
    if given.name == "datetime":
        return parse_datetimes(texts, given.formats, given.date_constant)
    return parse_int(texts) if given.name == "int" else parse_float(texts)


def given_types(infer: InferTypes, names: Sequence[str]) -> dict[str, DataType]:
    """Return the overrides by column.

    Raises:
        ColumnNotFoundError: An override names a column that is not there.
        ArgumentError: An override is to stream_info.
    """
    given = {name: to for columns, to in infer.overrides for name in columns}
    missing = [name for name in given if name not in names]
    if missing:
        raise ColumnNotFoundError("read_delimited: column_type_overrides", missing, names)
    for name, to in given.items():
        if to.name not in (*_NAMES, "datetime"):
            raise ArgumentError(
                f"read_delimited: column_type_overrides: column {name!r} cannot be read as {to.name}; accepted: "
                "boolean, datetime, float, int, string. Convert it in a convert_column_types step."
            )
    return given


def _override(name: str) -> str:
    plain = (
        name if re.fullmatch(r"[A-Za-z_][\w ]*\w|[A-Za-z_]", name) else json.dumps(name, ensure_ascii=False)
    )
    return f"infer_column_types: {{column_type_overrides: [{{columns: {plain}, column_type: string}}]}}"


def _tell(notice: Notice, piece: Piece, row: int, notices: Notices) -> None:
    """Add a notice about rows of a piece; finding the place of the first one takes time, which one of a kind is worth."""
    known = notices.has(notice.category, notice.column, notice.what)
    notices.add(notice if known else replace(notice, where=piece.place(row)))


def shown(cell: str | None) -> str:
    """Return a cell for a message, shortened."""
    text = cell or ""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "...")
