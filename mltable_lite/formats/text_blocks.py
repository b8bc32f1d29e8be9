"""Blocks of text: decompressed, decoded to UTF-8, and cut so that each holds the lines that start in its range.

A byte range [start, stop) of a text file holds exactly the lines whose first byte lies inside it. So neighbouring
ranges share nothing and miss nothing, whatever their sizes, and each can be read alone. Lines end with LF or CRLF;
in a file whose beginning has CR and no LF, but in quoted fields, with CR.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mltable_lite.errors import ArgumentError, EncodingError
from mltable_lite.formats.parallel import are_local
from mltable_lite.formats.text_codec import Codec, decode_name, is_utf8
from mltable_lite.formats.text_files import is_compressed, open_text, size_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from mltable_lite.formats.base import InputFile, Partition

__all__ = [
    "Block",
    "Place",
    "decode_name",
    "is_compressed",
    "line_number",
    "read_block",
    "read_blocks",
    "read_pieces",
    "split_ranges",
]

HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file, as UTF-8 without a byte order mark.

    Attributes:
        file: The file.
        encoding: Its declared encoding.
        text: Text that holds the lines, from `begin` to `end`; so they need not be copied. Where it is a buffer, it
            holds them until the next block is asked for.
        offset: Where they begin, in bytes of the (decompressed) file.
        leading: No line but blank ones comes before: a header would be here.
        cr_only: Lines end with CR (LF ends them, too).
        stored_bytes: Bytes taken from the storage for this block.
        line: The number of the first line, where it is known without counting.
    """

    file: InputFile
    encoding: str
    text: bytes | bytearray
    begin: int
    end: int
    offset: int
    leading: bool
    cr_only: bool = False
    stored_bytes: int = 0
    line: int | None = None

    @property
    def data(self) -> bytes:
        """The lines, copied."""
        return bytes(self.text[self.begin : self.end])

    def line_at(self, position: int) -> int:
        """Return the number, from 1, of the file's line that holds `position` of `data`. For errors: it reads."""
        return self.place(position).line

    def place(self, position: int, lines: int = 0) -> Place:
        """Return the line that holds `position` of `data`, or one so many lines later."""
        lines += _count_lines(self.text[self.begin : self.begin + position], cr_only=self.cr_only)
        return Place(self.file, self.encoding, self.offset, self.line, lines)


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file, for warnings: which one is counted when it is shown, by a read of all that comes before.

    Attributes:
        file: The file.
        encoding: Its declared encoding.
        offset: Where a block of the file begins, in bytes.
        first: The number of the block's first line, where it is known without counting.
        lines: How many lines of the block come before.
    """

    file: InputFile
    encoding: str
    offset: int
    first: int | None
    lines: int

    @property
    def line(self) -> int:
        """The number of the line in the file, from 1."""
        return (self.first or line_number(self.file, self.offset, self.encoding)) + self.lines

    def __str__(self) -> str:
        """Return what a warning says."""
        return f"{self.file.uri} line {self.line}"


def split_ranges(file: InputFile, partition_size: int, *, whole: bool = False) -> Iterator[tuple[int, int]]:
    """Yield the (start, stop) of a file's partitions in order, by its size alone; nothing for an empty file.

    Compressed text is one partition (0, -1), and so is a file where `whole` says that lines cannot be cut.

    Raises:
        ArgumentError: `partition_size` is not positive.
    """
    if partition_size < 1:
        raise ArgumentError(
            f"partition_size: {partition_size} is not accepted; give a positive number of bytes."
        )
    size = size_of(file)
    if not size:
        return
    if whole or is_compressed(file):
        yield 0, -1
        return
    for start in range(0, size, partition_size):
        yield start, min(start + partition_size, size)


def read_block(file: InputFile, partition: Partition, encoding: str) -> Block:
    """Return the lines that start inside a partition, in one piece.

    Raises:
        EncodingError: Bytes that are no text; names file, line and byte offset.
        CorruptFileError: Compressed bytes are damaged.
    """
    start, stop = partition.start, partition.stop
    if stop < 0:
        with open_text(file) as stream:
            data = stream.read()
        codec = _codec(file, encoding, data[:HEAD_BYTES])
        text = _decode(file, codec, data[codec.mark_bytes :], codec.mark_bytes)
        return Block(
            file,
            encoding,
            text,
            0,
            len(text),
            codec.mark_bytes,
            leading=True,
            cr_only=codec.cr_only,
            stored_bytes=size_of(file),
            line=1,
        )
    # A line starts after a line end: look for one from the code unit before the range on. Units have 1, 2 or 4 bytes.
    base, asked = max(start // 4 * 4 - 4, 0), stop + HEAD_BYTES
    data = file.read_range(base, asked)
    head = _grown_head(file, file.read_range(0, HEAD_BYTES) if base else data[:HEAD_BYTES])
    codec = _codec(file, encoding, head)
    first = codec.mark_bytes if start == 0 else _first_line_in(codec, data, start - base)
    if first < 0 or (start and base + first >= stop):
        first = end = len(data)  # the range lies inside one line
    else:
        while (end := _first_line_in(codec, data, stop - base)) < 0 and base + len(data) == asked:
            # The last line goes on past what was read: double it, so that long lines cost no more than twice.
            step = len(data)
            data += file.read_range(asked, asked + step)
            asked += step
        end = len(data) if end < 0 else end
        first = min(first, end)
    stored = len(data) + (len(head) if base else 0)
    offset = base + first
    if not (codec.name == "utf-8" and data.isascii()):
        data = _decode(file, codec, data[first:end], offset)
        first, end = 0, len(data)
    return Block(
        file,
        encoding,
        data,
        first,
        end,
        offset,
        leading=start == 0 or _is_blank(file, codec, head, offset),
        cr_only=codec.cr_only,
        stored_bytes=stored,
        line=None if start else 1,
    )


def read_pieces(file: InputFile, partition: Partition, encoding: str, most_bytes: int) -> Iterator[Block]:
    """Yield the lines that start inside a partition, in blocks of about so many bytes or all in one.

    Local text is read into one buffer again and again, which stays in the processor's cache: so a block is gone when
    the next one is asked for. A remote storage is asked once.

    Raises:
        EncodingError: Bytes that are no text; names file, line and byte offset.
        CorruptFileError: Compressed bytes are damaged.
    """
    start, stop = partition.start, partition.stop
    codec = None
    if stop - start > most_bytes and are_local([file]):
        head = _grown_head(file, file.read_range(0, HEAD_BYTES))
        codec = _codec(file, encoding, head)
    if codec is None or codec.unit_bytes > 1 or codec.cr_only:
        yield read_block(file, partition, encoding)
        return
    with file.open() as stream:
        position, line = (_line_after(stream, start, stop), None) if start else (codec.mark_bytes, 1)
        leading = start == 0 or (position < stop and _is_blank(file, codec, head, position))
        buffer, ahead = bytearray(most_bytes), HEAD_BYTES
        while position < stop:
            asked = min(len(buffer), stop - position + ahead)
            stream.seek(position)
            size = stream.readinto(memoryview(buffer)[:asked])
            past = buffer.find(b"\n", max(stop - position - 1, 0), size) + 1
            end = past or (size if size < asked else buffer.rfind(b"\n", 0, size) + 1)
            if end:
                data = memoryview(buffer)[:end]
                as_it_is = codec.name == "utf-8" and is_utf8(data)
                text = buffer if as_it_is else _decode(file, codec, bytes(data), position, line)
                length = end if as_it_is else len(text)
                yield Block(file, encoding, text, 0, length, position, leading, False, size, line)
                leading = leading and buffer[0] in b"\r\n" and not data.tobytes().strip(b"\r\n")
                position, line = position + end, None
            elif size == asked:  # a line is longer
                buffer, ahead = bytearray(2 * len(buffer)), 2 * ahead
            if size < asked:
                return


def _line_after(stream: pa.NativeFile, start: int, stop: int) -> int:
    """Return where the first line starts from `start` on, or `stop` where none starts before it."""
    position = start - 1
    while position < stop and (data := stream.read_at(HEAD_BYTES, position)):
        found: int = data.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(data)
    return stop


def read_blocks(
    file: InputFile,
    encoding: str,
    whole_records: Callable[[bytes, bool], int],
    first_bytes: int = CHUNK_BYTES,
) -> Iterator[Block]:
    """Yield a whole file, compressed or not, in blocks of some megabytes: read once, in bounded memory.

    Args:
        file: The file.
        encoding: Its declared encoding.
        whole_records: Takes UTF-8 that begins with a record, and whether the file ends with it; returns how many
            of its bytes are whole records, or 0 to see more.
        first_bytes: About the length of the first block; later ones have some `CHUNK_BYTES`.

    Raises:
        EncodingError: Bytes that are no text; names file, line and byte offset.
        CorruptFileError: Compressed bytes are damaged.
    """
    with open_text(file) as stream:
        chunk = stream.read(max(first_bytes, HEAD_BYTES))
        codec = _codec(file, encoding, chunk[:HEAD_BYTES])
        decoder = codecs.getincrementaldecoder(codec.name)() if codec.unit_bytes > 1 else None
        taken, offset, line, leading = codec.mark_bytes, codec.mark_bytes, 1, True
        chunk, pending, stored = chunk[codec.mark_bytes :], b"", size_of(file)
        while True:
            final = not chunk
            try:
                pending += decoder.decode(chunk, final).encode() if decoder else chunk
            except UnicodeDecodeError as error:
                raise _encoding_error(file, codec, error, taken, line) from error
            taken += len(chunk)
            end = whole_records(pending, final)
            if end or final:
                data = pending[:end]
                text = data if decoder else _decode(file, codec, data, offset, line)
                yield Block(file, encoding, text, 0, len(text), offset, leading, codec.cr_only, stored, line)
                leading = leading and not data.strip(b"\r\n")
                line += _count_lines(data, cr_only=codec.cr_only)
                pending, offset, stored = pending[end:], offset + end, 0
            if final:
                return
            chunk = stream.read(max(CHUNK_BYTES, len(pending)))


def line_number(file: InputFile, offset: int, encoding: str) -> int:
    """Return the number, from 1, of the line at a byte offset. Reads the file up to there."""
    count, codec = 1, _codec(file, encoding, _grown_head(file, file.read_range(0, HEAD_BYTES)))
    for start in range(0, offset, CHUNK_BYTES):
        data = file.read_range(start, min(start + CHUNK_BYTES, offset))
        text = data if codec.unit_bytes == 1 else data.decode(codec.name, "ignore").encode()
        count += _count_lines(text, cr_only=codec.cr_only)
    return count


# --------------------------------------------------------------------------- lines
def _first_line_in(codec: Codec, data: bytes, position: int) -> int:
    """Return where the first line starts at or after `position`, which is not the data's start; or -1."""
    unit = codec.unit_bytes
    return codec.next_line(data, max(-(-position // unit) * unit - unit, 0))


def _count_lines(data: bytes | bytearray, *, cr_only: bool) -> int:
    count = data.count(b"\n")
    return count + data.count(b"\r") - data.count(b"\r\n") if cr_only else count


def _is_blank(file: InputFile, codec: Codec, head: bytes, offset: int) -> bool:
    """Tell whether only line ends come before an offset. `head` nearly always knows."""
    before = head[codec.mark_bytes : offset]
    if before.decode(codec.name, "ignore").strip("\r\n"):
        return False
    if offset > len(head):
        return not file.read_range(codec.mark_bytes, offset).decode(codec.name, "ignore").strip("\r\n")
    return True


def _grown_head(file: InputFile, head: bytes) -> bytes:
    """Return the file's beginning, far enough to see how lines end."""
    while len(head) >= HEAD_BYTES and b"\n" not in head and b"\r" not in head:
        more = file.read_range(len(head), 4 * len(head))
        if not more:
            break
        head += more
    return head


# --------------------------------------------------------------------------- bytes to text
#: How files begin that are no text, and what to do with them.
_NO_TEXT = {
    b"PAR1": "Parquet: read it with read_parquet",
    b"\x1f\x8b": "compressed by gzip: let its name end in .gz",
    b"PK\x03\x04": "a zip archive, as Excel's files are too: let its name end in .zip, or save the sheet as CSV",
}


def _codec(file: InputFile, encoding: str, head: bytes) -> Codec:
    try:
        return decode_name(encoding, head)
    except UnicodeDecodeError as error:
        raise EncodingError(
            f"{file.uri}:1 byte 0: this is no {error.encoding} ({error.reason}); set the encoding the file has."
        ) from error


def _decode(file: InputFile, codec: Codec, data: bytes, offset: int, line: int | None = None) -> bytes:
    try:
        return codec.decode(data)
    except UnicodeDecodeError as error:
        raise _encoding_error(file, codec, error, offset, line) from error


def _encoding_error(
    file: InputFile, codec: Codec, error: UnicodeDecodeError, offset: int, line: int | None
) -> EncodingError:
    """Make the error for bytes at `offset`, the start of line `line` where that is known."""
    before = bytes(error.object[: error.start])
    text = before if codec.unit_bytes == 1 else before.decode(codec.name, "ignore").encode()
    if line is None:
        line = line_number(file, offset, codec.name.removesuffix("-le").removesuffix("-be")) if offset else 1
    at = f"{file.uri}:{line + _count_lines(text, cr_only=codec.cr_only)} byte {offset + error.start}"
    bad = bytes(error.object[error.start : error.end])
    marks = {codecs.BOM_UTF16_LE: "utf16", codecs.BOM_UTF16_BE: "utf16"}
    found = marks.get(
        bad + bytes(error.object[error.end : error.end + 1]) if offset + error.start == 0 else b""
    )
    advice = "set the encoding the file has, such as latin1 or utf16."
    if found:
        advice = f"the file begins with the mark of {found}: set encoding: {found}."
    elif other := next(
        (what for mark, what in _NO_TEXT.items() if file.read_range(0, 4).startswith(mark)), ""
    ):
        advice = f"by its first bytes it is no text but {other}."
    return EncodingError(f"{at}: 0x{bad.hex()} is no {codec.name} ({error.reason}); {advice}")
