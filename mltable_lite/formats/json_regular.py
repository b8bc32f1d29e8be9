"""JSON lines -> Arrow the fastest way: where every line has the same keys in the same order, as machines write them.

A piece of lines is copied with marks between keys and values, and read as if it were delimited text: a third faster
than parsing the objects. It is then proved that nothing but such objects can have looked like that. A mark and a
closed key are control characters, which JSON texts do not hold, so:

* a key's cell is the key with its quotes and the colon after it, and comes after a comma or the line's ``{``;
* a last cell that is empty comes after ``}`` at the line's end;
* between them is a value without a quote inside: null or of its column's type, written as JSON writes it.

Lines that are not like that (other keys, spaces elsewhere, escapes, nested values) are left to the other ways.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.types as pt

from mltable_lite.formats.json_blocks import is_doubtful

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What is decoded at once stays in the processor's caches while it is looked at several times.
PIECE_BYTES = 2 * 1024 * 1024
#: The same for what is marked at once; with less, the calls would cost more than the work.
_MARKED_BYTES = 128 * 1024
_MARK = "\x01"
_FIRST_PRINTABLE = 32

_Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Style:
    """How a program writes the characters between values, and what becomes of them.

    Attributes:
        colon: What stands between a key's name and its value.
        comma: What stands between a value and the next key's name.
    """

    colon: tuple[bytes, bytes]
    comma: tuple[bytes, bytes]

    def cells(self, keys: Sequence[str]) -> list[str]:
        """Return what becomes of keys and of the line's end."""
        (_, colon), (_, comma) = self.colon, self.comma
        between = [b'{"', *[comma[1:]] * (len(keys) - 1)]
        closed = [start + key.encode() + colon[:-1] for start, key in zip(between, keys, strict=True)]
        return [cell.decode() for cell in (*closed, b"")]


_COMPACT = _Style((b'":', b"\x02\x01"), (b',"', b'\x01"'))
_SPACED = _Style((b'": ', b"\x02:\x01"), (b', "', b'\x01 "'))
_END = (b"}\n", b"\x01\n")


class RegularLines:
    """Decodes pieces of lines whose keys are those of the piece's first line.

    Args:
        known: The types of the keys.
        wanted: The columns to decode; of the others it is only made sure that they are what they should be.
    """

    def __init__(self, known: pa.Schema, wanted: Sequence[str]) -> None:
        self._known = known
        self._schema = pa.schema([known.field(name) for name in wanted])
        self._expected: tuple[list[str], list[Any]] = ([], [])

    def decode(self, data: bytes) -> pa.RecordBatch | None:
        """Return the wanted columns of whole lines of UTF-8, or `None` where it is not proved what they are."""
        keys, style = _first_line(data)
        if style is None or not data.endswith(b"\n") or not set(keys) <= set(self._known.names):
            return None
        text = np.frombuffer(data, np.uint8)
        control = np.count_nonzero(text < _FIRST_PRINTABLE)
        if b"\\" in data or control != np.count_nonzero(text == ord("\n")):
            return None
        marked = _replaced(text, (style.colon, style.comma, _END))
        try:
            cells = _cut(marked, 2 * len(keys) + 1)
            if not self._are_keys(cells[::2], style.cells(keys)):
                return None
            values = {
                key: _values(column, self._known.field(key).type, wanted=key in self._schema.names)
                for key, column in zip(keys, cells[1::2], strict=True)
            }
        except pa.ArrowInvalid:
            return None
        if any(value is None for value in values.values()):
            return None
        size = len(cells[0])
        arrays = [values[f.name] if f.name in values else pa.nulls(size, f.type) for f in self._schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _are_keys(self, columns: Sequence[Any], texts: list[str]) -> bool:
        """Tell whether each column holds nothing but its text."""
        size = len(columns[0])
        if self._expected[0] != texts or len(self._expected[1][0]) < size:
            self._expected = (texts, [pa.repeat(pa.scalar(text), 2 * size) for text in texts])
        return all(
            column.equals(expected[:size])
            for column, expected in zip(columns, self._expected[1], strict=True)
        )


def _first_line(data: bytes) -> tuple[list[str], _Style | None]:
    """Return the keys of the first line and how it seems to be written; no style where it has a key twice."""
    line = data[: data.find(b"\n")]
    try:
        pairs = json.loads(line, object_pairs_hook=list) if line.startswith(b'{"') else []
    except (ValueError, RecursionError):
        pairs = []
    keys = [key for key, _ in pairs]
    if not keys or len(set(keys)) < len(keys):
        return [], None
    return keys, _SPACED if line.startswith(b'{"%s": ' % keys[0].encode()) else _COMPACT


def _replaced(text: _Bytes, replacements: Sequence[tuple[bytes, bytes]]) -> _Bytes:
    """Return a copy of a text in which each occurrence of some characters is replaced by as many others."""
    copy = text.copy()
    found, more = np.empty(_MARKED_BYTES, np.uint8), np.empty(_MARKED_BYTES, np.uint8)
    for start in range(0, len(text), _MARKED_BYTES):
        for old, new in replacements:
            size = min(_MARKED_BYTES, len(text) - start - len(old) + 1)
            if size <= 0:
                continue
            here, other = found[:size], more[:size]
            np.equal(text[start : start + size], old[0], out=here.view(bool))
            for place in range(1, len(old)):
                np.equal(text[start + place : start + place + size], old[place], out=other.view(bool))
                np.bitwise_and(here, other, out=here)
            for place in range(len(old)):
                if old[place] != new[place]:
                    target = copy[start + place : start + place + size]
                    np.multiply(here, np.uint8(old[place] - new[place]), out=other)
                    np.subtract(target, other, out=target)
    return copy


def _cut(marked: _Bytes, width: int) -> list[Any]:
    """Return the columns of cells between marks, null where ``null`` is written.

    Raises:
        ArrowInvalid: A line has another number of cells.
    """
    names = [str(position) for position in range(width)]
    table = pa_csv.read_csv(
        pa.py_buffer(marked),
        pa_csv.ReadOptions(use_threads=False, block_size=len(marked) + 1, column_names=names),
        pa_csv.ParseOptions(delimiter=_MARK, quote_char=False),
        pa_csv.ConvertOptions(
            check_utf8=False,  # the block is checked already
            column_types=dict.fromkeys(names, pa.string()),
            null_values=["null"],
            strings_can_be_null=True,
        ),
    )
    return [column.chunk(0) for column in table.columns]


def _values(cells: Any, kind: pa.DataType, *, wanted: bool) -> Any:
    """Return the values of cells (whatever, if not wanted), or `None` where one is not written as JSON writes it.

    Raises:
        ArrowInvalid: A number is none.
    """
    if cells.null_count == len(cells):
        return pa.nulls(len(cells), kind)
    if pt.is_string(kind):
        if not _are_quoted(cells):
            return None
        return pc.ascii_trim(cells, characters='"') if wanted else cells
    if pt.is_boolean(kind):
        true = pc.equal(cells, "true")
        return true if pc.all(pc.or_(true, pc.equal(cells, "false"))).as_py() else None
    if pt.is_integer(kind) or pt.is_float64(kind):
        values = cells.cast(kind)
        return values if _are_json_numbers(cells) and not is_doubtful(values) else None
    return None


def _are_quoted(cells: Any) -> bool:
    """Tell whether each text begins and ends with a quote, and has no other."""
    text, firsts, lasts = _places(cells)
    quotes = text == ord('"')
    return bool(
        (lasts > firsts).all()
        and quotes.take(firsts).all()
        and quotes.take(lasts).all()
        and np.count_nonzero(quotes) == 2 * len(firsts)
    )


def _are_json_numbers(cells: Any) -> bool:
    """Tell whether numbers as Arrow reads them are such of JSON, which has no 07, .5, 5., 0x5, nan or inf."""
    text, firsts, lasts = _places(cells)
    digits = text - np.uint8(ord("0")) <= 9  # noqa: PLR2004 - characters before 0 have wrapped
    firsts = firsts + (text.take(firsts) == ord("-"))
    led_by_zero = (text.take(firsts) == ord("0")) & (lasts > firsts)
    return bool(
        digits.take(firsts).all()
        and digits.take(lasts).all()
        and not (led_by_zero & (text.take(firsts + 1, mode="clip") != ord("."))).any()
        and not ((text[:-1] == ord(".")) & ~digits[1:]).any()
    )


def _places(cells: Any) -> tuple[_Bytes, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the bytes of all cells, and where each that is not null has its first and its last."""
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, np.int32)[: len(cells) + 1]
    firsts, lasts = ends[:-1], ends[1:] - 1
    if cells.null_count:
        valid = np.asarray(cells.is_valid())
        firsts, lasts = firsts[valid], lasts[valid]
    return np.frombuffer(data, np.uint8)[: ends[-1]], firsts, lasts
