"""JSON lines -> Arrow the fastest way: where every line has the same keys in the same order, as machines write them.

Values are not parsed one after the other, but cut out from between the keys, all of a piece of lines together. It is
then proved that nothing but such lines can have looked like that:

* between each two values stands what should: a comma, the next key and its colon, or a line's end and the first key;
* a text has no quote inside, for there are no other quotes than around texts and keys, no escapes, and no control
  characters but line ends;
* whatever else is a value is null, true, false or a number as JSON writes it.

That holds for the columns that nobody asked for, too; only, their values are not kept. Lines that are not like that
(other keys, spaces elsewhere, escapes, nested values) are left to the other ways.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from mltable_lite.formats.json_blocks import is_doubtful

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What is decoded at once stays in the processor's caches while it is looked at several times.
PIECE_BYTES = 2 * 1024 * 1024
#: Places in a piece are told by 32 bits.
_MOST_BYTES = 2**31 - 1
_FIRST_PRINTABLE = 32
_WORDS = (b"null", b"true", b"false")
_NINE = 9
#: A number of so many digits is no infinity.
_SAFE_DIGITS = 300
#: Bits that choose pieces of a text.
_EVERY_FIRST, _EVERY_SECOND = 0b01010101, 0b10101010

_Bytes = npt.NDArray[np.uint8]
_Flags = npt.NDArray[np.bool_]
_Places = npt.NDArray[np.int64]


class _Irregular(Exception):  # noqa: N818 - never leaves this module
    """It is not proved what lines are."""


class RegularLines:
    """Decodes pieces of lines whose keys are those of the piece's first line.

    Args:
        known: The types of the keys.
        wanted: The columns to decode; of the others it is only made sure that they are JSON.
        new_keys: Whether lines may have other keys than those known.
    """

    def __init__(self, known: pa.Schema, wanted: Sequence[str], *, new_keys: bool) -> None:
        self._known = None if new_keys else set(known.names)
        self._schema = pa.schema([known.field(name) for name in wanted])
        self._frame: _Frame | None = None

    def decode(self, data: bytes | memoryview) -> pa.RecordBatch | None:
        """Return the wanted columns of whole lines of UTF-8, or `None` where it is not proved what they are."""
        form = _Form.of(data) if len(data) <= _MOST_BYTES else None
        if form is None or not (self._known is None or self._known.issuperset(form.keys)):
            return None
        try:
            closed, lines, quotes = _closed_keys(np.frombuffer(data, np.uint8))
            if not lines or len(closed) != lines * len(form.keys):
                return None
            if self._frame is None or self._frame.form != form or self._frame.lines < lines:
                self._frame = _Frame.of(form, 2 * lines)
            values = _Values.at(data, *self._frame.places(data, closed, lines), quotes)
            kinds = {field.name: field.type for field in self._schema}
            columns: dict[str, Any] = {}
            for kind in dict.fromkeys(map(kinds.get, form.keys)):
                places = [place for place, key in enumerate(form.keys) if kinds.get(key) == kind]
                if kind is None:
                    values.prove_numbers(places)
                else:
                    names = (form.keys[place] for place in places)
                    columns |= zip(names, values.columns(places, kind), strict=True)
        except (_Irregular, pa.ArrowInvalid):
            return None
        arrays = [columns[f.name] if f.name in columns else pa.nulls(lines, f.type) for f in self._schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


# --------------------------------------------------------------------------- between values
@dataclass(frozen=True, slots=True)
class _Form:
    """How a program writes its lines.

    Attributes:
        keys: The keys of each line.
        colon: What stands between a key and its value.
        comma: What stands between a value and the next key.
    """

    keys: tuple[str, ...]
    colon: str
    comma: str

    @classmethod
    def of(cls, data: bytes | memoryview) -> _Form | None:
        """Return how the first line of a text seems to be written, `None` where there is no telling."""
        line = _first_line(data)
        try:
            pairs = json.loads(line, object_pairs_hook=list) if line.startswith(b'{"') else []
            keys = tuple(key for key, _ in pairs)
            "".join(keys).encode()
        except (ValueError, RecursionError):  # no JSON, or half of a character
            return None
        if not keys or len(set(keys)) < len(keys):
            return None
        spaced = line.startswith(f'{{"{keys[0]}": '.encode())
        return cls(keys, ": ", ", ") if spaced else cls(keys, ":", ",")

    @property
    def between(self) -> list[bytes]:
        """What stands before each value and after the one before it, which may be the line before's."""
        starts = ["}\n{", *[self.comma] * (len(self.keys) - 1)]
        return [f'{start}"{key}"{self.colon}'.encode() for start, key in zip(starts, self.keys, strict=True)]


def _first_line(data: bytes | memoryview) -> bytes:
    size = 1024
    while b"\n" not in (start := bytes(data[:size])) and size < len(data):
        size *= 8
    return start.partition(b"\n")[0]


@dataclass(frozen=True, slots=True)
class _Frame:
    """What stands between the values of many lines.

    Attributes:
        form: How the lines are written.
        lines: How many there are.
        between: All of it in one piece.
        lengths: How many bytes of each part of it come before the quote that closes the key.
    """

    form: _Form
    lines: int
    between: pa.Buffer
    lengths: _Places

    @classmethod
    def of(cls, form: _Form, lines: int) -> _Frame:
        """Return the frame of so many lines."""
        between = form.between
        lengths = np.array([len(part) - len(form.colon) - 1 for part in between])
        return cls(form, lines, pa.py_buffer(b"".join(between) * lines), np.tile(lengths, lines))

    def places(
        self, data: bytes | memoryview, closed: _Places, lines: int
    ) -> tuple[_Places, _Places, pa.StringArray]:
        """Return where the values of lines begin and end whose keys are closed there, each line by key.

        And all values, and what stands between them, by turns and in place.

        Raises:
            _Irregular: Something else stands between them.
        """
        between = self.form.between
        firsts = closed + (1 + len(self.form.colon))
        ends = np.empty_like(firsts)
        np.subtract(closed[1:], self.lengths[1 : len(closed)], out=ends[:-1])
        ends[-1] = len(data) - len("}\n")
        begin = between[0].removeprefix(b"}\n")
        if firsts[0] != len(begin) or data[: len(begin)] != begin or data[-2:] != b"}\n":
            raise _Irregular
        if not (firsts < ends).all():
            raise _Irregular
        turns = _pieces(data, firsts, ends)
        size = lines * sum(map(len, between)) - len(between[0])
        if size:
            found = _chosen(turns, _EVERY_SECOND).buffers()[2]
            if not self.between.slice(len(between[0]), size).equals(found.slice(0, size)):
                raise _Irregular
        return firsts.reshape(lines, -1), ends.reshape(lines, -1), turns


def _closed_keys(text: _Bytes) -> tuple[_Places, int, int]:
    """Return where a quote is followed by a colon, and how many control characters and quotes there are.

    Raises:
        _Irregular: There is an escape.
    """
    before, after = text[:-1], text[1:]
    found, colons = np.equal(after, ord("\\")), np.empty(len(after), bool)
    if found.any():
        raise _Irregular
    controls = int(np.count_nonzero(np.less(after, _FIRST_PRINTABLE, out=found)))
    quotes = int(np.count_nonzero(np.equal(before, ord('"'), out=found)))
    np.logical_and(found, np.equal(after, ord(":"), out=colons), out=found)
    return np.flatnonzero(found), controls, quotes


# --------------------------------------------------------------------------- values
@dataclass(frozen=True, slots=True)
class _Values:
    """Values between keys, each line by key: each is a text, null, true or false, or maybe a number.

    Attributes:
        data: The text that holds them.
        firsts: Where they begin.
        ends: Where they end.
        turns: They and what stands between them.
        begins: Their first characters.
        others: Which of them can only be numbers.
    """

    data: bytes | memoryview
    firsts: _Places
    ends: _Places
    turns: pa.StringArray
    begins: _Bytes
    others: _Flags

    @classmethod
    def at(
        cls,
        data: bytes | memoryview,
        firsts: _Places,
        ends: _Places,
        turns: pa.StringArray,
        quotes: int,
    ) -> _Values:
        """Return the values at some places, in a text with so many quotes.

        Raises:
            _Irregular: One begins like a text or word, and is none.
        """
        text = np.frombuffer(data, np.uint8)
        begins, lengths = text.take(firsts), ends - firsts
        quoted = begins == ord('"')
        if ((text.take(ends - 1) == ord('"')) != quoted).any() or not (lengths > quoted).all():
            raise _Irregular
        if quotes != 2 * (firsts.size + np.count_nonzero(quoted)):
            raise _Irregular
        others = ~quoted
        for word in _WORDS:
            here = np.flatnonzero(begins == word[0])
            places = firsts.ravel()[here]
            if (lengths.ravel()[here] != len(word)).any():
                raise _Irregular
            if any((text.take(places + place) != word[place]).any() for place in range(1, len(word))):
                raise _Irregular
            others.ravel()[here] = False
        return cls(data, firsts, ends, turns, begins, others)

    def columns(self, places: Sequence[int], kind: pa.DataType) -> list[Any]:
        """Return some columns, which are of one type.

        Raises:
            _Irregular: A value is not of the type, or its text is not to be taken as it stands.
            ArrowInvalid: The same.
        """
        begins = self.begins[:, places]
        given = begins != ord("n")
        if not given.any():
            return [pa.nulls(len(given), kind)] * len(places)
        if pt.is_boolean(kind):
            true = begins == ord("t")
            if ((true | (begins == ord("f"))) != given).any():
                raise _Irregular
            return [pa.array(t, mask=~g) for t, g in zip(true.T, given.T, strict=True)]
        if pt.is_string(kind):
            if ((begins == ord('"')) != given).any():
                raise _Irregular
            each = zip(places, given.T, strict=True)
            return [_texts(self.data, self.firsts[:, p] + g, self.ends[:, p] - g, g) for p, g in each]
        if not (pt.is_integer(kind) or pt.is_float64(kind)) or (self.others[:, places] != given).any():
            raise _Irregular
        numbers = _numbers(self._cells(self.others, places), kind)
        if is_doubtful(numbers):
            raise _Irregular
        table: npt.NDArray[Any] = np.zeros(given.shape, kind.to_pandas_dtype())
        if given.all():
            table = np.asarray(numbers).reshape(given.shape)
        else:
            table[given] = np.asarray(numbers)
        columns = zip(table.T, given.T, strict=True)
        return [pa.array(np.ascontiguousarray(v), mask=None if g.all() else ~g) for v, g in columns]

    def prove_numbers(self, places: Sequence[int]) -> None:
        """Make sure that what can only be numbers in some columns are numbers.

        Raises:
            _Irregular: One is none, or too big.
            ArrowInvalid: One is none.
        """
        digits = (self.ends - self.firsts == 1) & (self.begins - np.uint8(ord("0")) <= _NINE)
        chosen = self.others & ~digits
        dotted = {place for place in places if b"." in self._first(place)}
        for group in (dotted, {*places} - dotted):
            cells = self._cells(chosen, [*group])
            if (
                not _are_plain(cells, dotted=group is dotted)
                and pc.any(pc.is_inf(_numbers(cells, pa.float64()))).as_py()
            ):
                raise _Irregular

    def _first(self, place: int) -> bytes:
        """Return the first line's value."""
        return bytes(self.data[self.firsts[0, place] : self.ends[0, place]])

    def _cells(self, chosen: _Flags, places: Sequence[int]) -> Any:
        """Return copies of the chosen values in some columns, line by line."""
        by_turns = np.zeros((*chosen.shape, 2), bool)
        by_turns[:, places, 0] = chosen[:, places]
        return _chosen(self.turns, np.packbits(by_turns, bitorder="little"))


def _numbers(cells: Any, kind: pa.DataType) -> Any:
    """Return texts as numbers.

    Raises:
        _Irregular: One is what Arrow takes for a number, but not JSON: 07, .5, 5., 0x5, nan or inf.
        ArrowInvalid: One is no number, or none that the type can hold.
    """
    numbers = cells.cast(kind)
    if not len(cells):
        return numbers
    text, firsts, lasts = _bounds(cells)
    digits = text - np.uint8(ord("0")) <= _NINE  # characters before 0 wrap
    firsts = firsts + (text.take(firsts) == ord("-"))
    led_by_zero = (text.take(firsts) == ord("0")) & (lasts > firsts)
    if (
        not digits.take(firsts).all()
        or not digits.take(lasts).all()
        or (led_by_zero & (text.take(firsts + 1, mode="clip") != ord("."))).any()
        or ((text[:-1] == ord(".")) & ~digits[1:]).any()
    ):
        raise _Irregular
    return numbers


def _are_plain(cells: Any, *, dotted: bool) -> bool:
    """Tell, faster than by making numbers of them, whether texts are digits, with a dot inside each or in none."""
    if not len(cells):
        return True
    text, firsts, lasts = _bounds(cells)
    led_by_zero = (text.take(firsts) == ord("0")) & (lasts > firsts)
    others = np.flatnonzero(text - np.uint8(ord("0")) > _NINE)
    if (lasts - firsts).max() > _SAFE_DIGITS:
        return False
    if not dotted:
        return not (len(others) or led_by_zero.any())
    return (
        len(others) == len(cells)
        and bool(((firsts < others) & (others < lasts)).all())
        and bool((text.take(others) == ord(".")).all())
        and not (led_by_zero & (others > firsts + 1)).any()
    )


def _bounds(cells: Any) -> tuple[_Bytes, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return the bytes of texts that follow each other, and where in them each begins and has its last one."""
    _, offsets, data = cells.buffers()
    bounds = np.frombuffer(offsets, np.int32)[: len(cells) + 1]
    return np.frombuffer(data, np.uint8)[: bounds[-1]], bounds[:-1], bounds[1:] - 1


def _texts(data: bytes | memoryview, firsts: _Places, ends: _Places, given: _Flags) -> Any:
    """Return copies of pieces of a text that follow each other, null where none is given."""
    if given.all():
        return _chosen(_pieces(data, firsts, ends), _EVERY_FIRST)
    cells = _chosen(_pieces(data, firsts, np.where(given, ends, firsts)), _EVERY_FIRST)
    valid = pa.py_buffer(np.packbits(given, bitorder="little"))
    return pa.Array.from_buffers(pa.string(), len(firsts), [valid, *cells.buffers()[1:]])


def _pieces(data: bytes | memoryview, firsts: _Places, ends: _Places) -> pa.StringArray:
    """Return, in place, the pieces of a text from each first to its end, and between them those up to the next."""
    places = np.empty(2 * len(firsts), np.int32)
    places[::2] = firsts
    places[1::2] = ends
    return pa.StringArray.from_buffers(len(places) - 1, pa.py_buffer(places), pa.py_buffer(data))


def _chosen(pieces: pa.StringArray, bits: int | _Bytes) -> Any:
    """Return copies of the pieces whose bits are set: a bit for each, or eight bits that recur."""
    every = np.full(len(pieces) // 8 + 1, bits, np.uint8) if isinstance(bits, int) else bits
    return pieces.filter(pa.Array.from_buffers(pa.bool_(), len(pieces), [None, pa.py_buffer(every)]))
