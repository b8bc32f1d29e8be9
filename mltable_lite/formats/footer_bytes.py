"""Parquet footers that differ from a known one in nothing but rows and row groups, told by comparing bytes.

Of many files by one writer each footer says the same schema again, and parsing it is most of what planning costs. A
footer is a struct in Thrift's compact protocol: version, schema, number of rows, row groups, and what the writer added.
Where the bytes before the number of rows and behind the row groups are those of a footer that Arrow has parsed, Arrow
would find the same schema and metadata again.
"""

from __future__ import annotations

from dataclasses import dataclass

_MAGIC = b"PAR1"
_LENGTH_BYTES = 4
#: Behind a footer: its length and the magic.
TRAILER_BYTES = _LENGTH_BYTES + len(_MAGIC)
#: Bytes of a value, by its type, as a field (where the type itself says true or false) and in a list.
_FIELD_BYTES = {1: 0, 2: 0, 3: 1, 7: 8}
_ELEMENT_BYTES = {1: 1, 2: 1, 3: 1, 7: 8}
_INTEGERS = (4, 5, 6)
_BINARY, _LIST, _SET, _STRUCT = 8, 9, 10, 12
_I64 = 6
_ROWS, _ROW_GROUPS = 3, 4
#: How a field begins that follows the one before it in number: with one, and its type.
_ROWS_HEAD, _ROW_GROUPS_HEAD = bytes([0x10 | _I64]), 0x10 | _LIST
_LONG_LIST = 15


@dataclass(frozen=True, slots=True)
class Likeness:
    """What footers of one schema and one writer share.

    Attributes:
        before: The bytes up to the number of rows, and the byte that says that it follows.
        after: The bytes behind the row groups.
    """

    before: bytes
    after: bytes

    @classmethod
    def of(cls, tail: bytes) -> Likeness | None:
        """Return the likeness of the footer at the end of these bytes; `None` where it is not laid out as usual."""
        footer = footer_in(tail)
        if footer is None:
            return None
        position = number = 0
        before = None
        try:
            while footer[position]:
                start = position
                kind, position, number = _field(footer, position, number)
                if number == _ROWS and kind == _I64:
                    before = footer[:start] + _ROWS_HEAD
                position = _skip(footer, position, kind)
                if number == _ROW_GROUPS and kind == _LIST and before:
                    return cls(before, footer[position:])
        except (IndexError, ValueError, RecursionError):
            pass
        return None

    def rows(self, tail: bytes) -> int | None:
        """Return the rows of a file by its last bytes; `None` where only a parser can tell.

        That is so where the footer is another one, or not all of it is in these bytes, or there are more row groups
        than one.
        """
        start, end = _start(tail), len(tail) - TRAILER_BYTES
        # Nothing is cut out of the bytes: this is done for 100,000 files.
        if start is None or not (
            tail.startswith(self.before, start, end) and tail.endswith(self.after, start, end)
        ):
            return None
        rows, position = _varint(tail, start + len(self.before))
        one = position + 1 < end and tail[position] == _ROW_GROUPS_HEAD and tail[position + 1] >> 4 == 1
        return rows >> 1 if one and not rows & 1 else None  # zigzag: odd stands for negative


def footer_in(tail: bytes) -> bytes | None:
    """Return the footer at the end of a file's last bytes, without its length and the magic; `None`: not all is there."""
    start = _start(tail)
    return None if start is None else tail[start:-TRAILER_BYTES]


def _start(tail: bytes) -> int | None:
    """Return where the footer begins; `None` where not all of it is there."""
    if not tail.endswith(_MAGIC):
        return None
    length = int.from_bytes(tail[-TRAILER_BYTES : -len(_MAGIC)], "little")
    start = len(tail) - TRAILER_BYTES - length
    return start if length and start >= 0 else None


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value, position
        shift += 7


def _field(data: bytes, position: int, number: int) -> tuple[int, int, int]:
    """Return the type of the field that begins here, where its value begins, and its number."""
    head = data[position]
    if head >> 4:
        return head & 15, position + 1, number + (head >> 4)
    number, position = _varint(data, position + 1)
    return head & 15, position, number >> 1


def _skip(data: bytes, position: int, kind: int) -> int:
    """Return where the value that begins here ends."""
    if kind in _FIELD_BYTES:
        return position + _FIELD_BYTES[kind]
    if kind in _INTEGERS:
        return _varint(data, position)[1]
    if kind == _BINARY:
        length, position = _varint(data, position)
        return position + length
    if kind in (_LIST, _SET):
        count, kind = data[position] >> 4, data[position] & 15
        position += 1
        if count == _LONG_LIST:
            count, position = _varint(data, position)
        if kind in _ELEMENT_BYTES:
            return position + count * _ELEMENT_BYTES[kind]
        for _ in range(count):
            position = _skip(data, position, kind)
        return position
    if kind == _STRUCT:
        while data[position]:
            kind, position, _ = _field(data, position, 0)
            position = _skip(data, position, kind)
        return position + 1
    msg = f"no footer has a value of kind {kind}"
    raise ValueError(msg)
