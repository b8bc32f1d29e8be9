"""How the bytes of a text file become UTF-8, and where its lines end."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from mltable_lite.errors import ArgumentError, listed

_LAST_ASCII = 127
_WINDOWS_1252 = "".join(
    # Five bytes have no character in the table; they pass through, as in the WHATWG's table.
    bytes([byte]).decode("cp1252", "ignore") or chr(byte)
    for byte in range(256)
)
_FAMILIES = {
    "utf8": "utf-8",
    "utf8bom": "utf-8",
    "ascii": "utf-8",  # most files that are declared so hold UTF-8
    "utf16": "utf-16",
    "utf32": "utf-32",
    "latin1": "windows-1252",
    "iso88591": "windows-1252",
    "windows1252": "windows-1252",
}
#: A quoted field: what stands before is no letter, so that it is a delimiter, whichever that is, or a line end. The last
#: one may be cut off.
_QUOTED = re.compile(rb'(?<!\w)"[^"]*(?:""[^"]*)*(?:"|\Z)')
_MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


@dataclass(frozen=True, slots=True)
class Codec:
    """How the bytes of one file become text.

    Attributes:
        name: ``utf-8``, ``windows-1252``, ``utf-16-le``, ``utf-16-be``, ``utf-32-le`` or ``utf-32-be``.
        unit_bytes: Bytes of a code unit; lines start at multiples of it.
        mark_bytes: Length of the byte order mark at the file's start.
        cr_only: Lines end with CR, because the file's beginning has CR and no LF, but in quoted fields.
    """

    name: str
    unit_bytes: int = 1
    mark_bytes: int = 0
    cr_only: bool = False

    def decode(self, data: bytes) -> bytes:
        """Return whole characters as UTF-8.

        Raises:
            UnicodeDecodeError: The bytes are no text of this encoding; its `start` tells where.
        """
        if self.unit_bytes > 1:
            return data.decode(self.name).encode()
        if data.isascii():
            return data
        if self.name == "windows-1252":
            return codecs.charmap_decode(data, "strict", _WINDOWS_1252)[0].encode()
        if not is_utf8(data):
            data.decode()  # tells where it is wrong
        return data

    def next_line(self, data: bytes, position: int) -> int:
        """Return the start of the first line that begins after `position`, or -1. Both are whole code units."""
        ends = (b"\n", b"\r") if self.cr_only else (b"\n",)
        found = [p + self.unit_bytes for end in ends if (p := self.find(data, end, position)) >= 0]
        return min(found, default=-1)

    def find(self, data: bytes, character: bytes, position: int = 0) -> int:
        """Return where an ASCII character stands at or after `position`, or -1."""
        if self.unit_bytes == 1:
            return data.find(character, position)
        wanted = character.decode().encode(self.name)
        found = data.find(wanted, position)
        while found % self.unit_bytes and found >= 0:
            found = data.find(wanted, found + 1)
        return found


def is_utf8(data: bytes | memoryview) -> bool:
    """Tell whether bytes are UTF-8; no bytes are."""
    if not data or np.frombuffer(data, np.uint8).max() <= _LAST_ASCII:
        return True
    # Arrow validates several times faster than Python decodes.
    offsets = pa.array([0, len(data)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def decode_name(encoding: str, head: bytes) -> Codec:
    """Return the codec of a file that begins with `head`.

    UTF-16 and UTF-32 are read in the order their byte order mark tells; without one, little endian unless the line
    ends say otherwise. A mark of UTF-8 is dropped in UTF-8 only.

    Raises:
        ArgumentError: No such encoding.
        UnicodeDecodeError: The head cannot be text of this encoding.
    """
    family = _FAMILIES.get(encoding.lower().translate(str.maketrans("", "", "-_ ")))
    if family is None:
        raise ArgumentError(f"encoding: {encoding!r} is not accepted; accepted: {listed(_FAMILIES)}.")
    names = [
        name for name in (family, family + "-le", family + "-be") if name in _MARKS or name == "windows-1252"
    ]
    unit = int(family[-2:]) // 8 if family in ("utf-16", "utf-32") else 1
    marked = [name for name in names if head.startswith(_MARKS.get(name, b"\0no mark"))]
    if not marked and unit > 1 and head and b"\0" not in head:
        # Every line end and nearly every delimiter has a zero byte: this is an 8-bit file, not text full of kanji.
        raise UnicodeDecodeError(family, head[:1], 0, 1, "no byte order mark and no zero byte")
    choices = [
        _with_line_ends(Codec(name, unit, len(_MARKS[name]) if marked else 0), head)
        for name in marked or names
    ]
    return next((codec for codec in choices if codec.next_line(head, 0) >= 0), choices[0])


def _with_line_ends(codec: Codec, head: bytes) -> Codec:
    return replace(codec, cr_only=_ends_with_cr(codec, head))


def _ends_with_cr(codec: Codec, head: bytes) -> bool:
    """Tell whether the lines of a text end with CR: it has some, and no LF, but inside quoted fields."""
    if codec.find(head, b"\r") < 0:
        return False
    line_feed, quote = codec.find(head, b"\n"), codec.find(head, b'"')
    if quote < 0 or 0 <= line_feed < quote:
        return line_feed < 0
    text = head if codec.unit_bytes == 1 else head.decode(codec.name, "ignore").encode()
    first = text.find(b"\r")
    if text.startswith(b"\r\n", first) and not text.count(b'"', 0, first) % 2:
        return False  # as nearly always
    bare = _QUOTED.sub(b"", text)
    return b"\r" in bare and b"\n" not in bare
