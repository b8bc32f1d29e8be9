"""JSON lines: one object a line, JSON's own types, nothing inferred from texts.

A block of lines is decoded by pyarrow where that gives exactly what `json_values` would give, which is the rule;
where it fails or may differ, the block is cut into smaller ones until only the odd lines are decoded the exact way.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import (
    DataError,
    DuplicateKeyWarning,
    InvalidLinesWarning,
    Notices,
)
from mltable_lite.formats.base import Partition, Request, Source
from mltable_lite.formats.json_blocks import decode_block, holds
from mltable_lite.formats.json_losses import LossCounter, invalid, mismatch, new_key, text_of
from mltable_lite.formats.json_regular import PIECE_BYTES, RegularLines
from mltable_lite.formats.json_values import (
    Doubled,
    Misfit,
    Shape,
    convert,
    doubled_in,
    parse_lines,
    shortened,
    to_text,
)
from mltable_lite.formats.text_blocks import Block, read_block, read_blocks, read_pieces, split_ranges
from mltable_lite.formats.text_joined import join, with_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from mltable_lite.formats.base import InputFile
    from mltable_lite.spec.model import ReadJsonLines

#: The types are guessed from so much of the first files together, but from no less than the least of each.
SAMPLE_BYTES = 1024 * 1024
LEAST_SAMPLE_BYTES = 64 * 1024
SAMPLE_FILES = 16
FIRST_BYTES = 256 * 1024
EXACT_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class JsonLinesSource(Source):
    """JSON lines files under one schema.

    Attributes:
        files: The files.
        schema: The columns in order of first appearance.
        reader: The read step.
        exact: The schema comes from every line, not from a sample.
    """

    joins = True
    files: Sequence[InputFile]
    schema: pa.Schema
    reader: ReadJsonLines
    exact: bool = False

    def partitions(self) -> Iterator[Partition]:
        """Yield blocks of `partition_size` bytes, file by file; a compressed file is one partition."""
        for index, file in enumerate(self.files):
            for number, (start, stop) in enumerate(split_ranges(file, self.reader.partition_size)):
                yield Partition(index, number, start, stop)

    def read(self, partition: Partition, request: Request) -> Iterator[pa.RecordBatch]:
        """Decode a partition, in batches of some megabytes of text.

        Raises:
            SchemaMismatchError: A value or key came that the sample did not show.
            InvalidLineError: A line is no JSON object, and the table does not drop such lines.
        """
        decoder = _Decoder(self, request)
        for block in self._blocks(partition, small_first=request.first_rows is not None):
            request.bytes_read += block.stored_bytes
            yield from decoder.decode(block)

    def read_together(
        self, partitions: Sequence[Partition], request: Request
    ) -> tuple[pa.RecordBatch, list[int]] | None:
        """Decode partitions as one text, where all their lines have the same keys."""
        blocks = [read_block(self.files[p.file], p, self.reader.encoding) for p in partitions]
        if any(block.cr_only for block in blocks):
            return None
        request.bytes_read += sum(block.stored_bytes for block in blocks)
        text, lines = join(block.data for block in blocks)
        batch = _Decoder(self, request).regularly(text)
        return None if batch is None else with_rows(batch, lines)

    def may_change(self, column: str) -> bool:  # noqa: ARG002 - any column
        """Tell whether lines past the sample may have this key, or other kinds of values for it."""
        return not self.exact

    def widen(self, columns: tuple[str, ...]) -> tuple[Source, Notices] | None:
        """Return this source with the schema of every line of every file.

        What is lost in it (mixed kinds, long integers) is reported by `read`, so there is nothing to report here.
        """
        del columns  # one pass finds the types of all
        if self.exact:
            return None
        return replace(self, schema=_schema(self._everything), exact=True), Notices()

    def _everything(self) -> Iterator[bytes]:
        for partition in self.partitions():
            yield from map(_data, self._blocks(partition, small_first=False))

    def _blocks(self, partition: Partition, *, small_first: bool) -> Iterator[Block]:
        file, encoding = self.files[partition.file], self.reader.encoding
        if partition.stop < 0:
            yield from read_blocks(file, encoding, _whole_lines, FIRST_BYTES if small_first else SAMPLE_BYTES)
            return
        start = partition.start
        if small_first:
            start = min(start + FIRST_BYTES, partition.stop)
            yield read_block(file, partition._replace(stop=start), encoding)
        if start < partition.stop:
            yield from read_pieces(file, partition._replace(start=start), encoding, PIECE_BYTES)


def inspect(read: ReadJsonLines, files: Sequence[InputFile]) -> JsonLinesSource:
    """Return a source whose schema is guessed from the beginnings of the first files.

    Raises:
        InvalidLineError: No line shown is an object, and one is invalid.
        DataError: Every line is an empty object.
    """
    shown = files[:SAMPLE_FILES]
    each = max(SAMPLE_BYTES // max(len(shown), 1), LEAST_SAMPLE_BYTES)
    found = [_beginning(file, read.encoding, each) for file in shown]
    blocks = [block for block, _ in found if block is not None]
    whole = len(files) <= SAMPLE_FILES and all(is_whole for _, is_whole in found)
    sample = b"".join(text if text.endswith(b"\n") else text + b"\n" for text in map(_data, blocks))
    source = JsonLinesSource(files, _schema(lambda: [sample]), read, exact=whole)
    if not source.schema.names and not whole:
        source = replace(source, schema=_schema(source._everything), exact=True)  # noqa: SLF001 - its own module
    if not source.schema.names:
        for block in blocks:
            _refuse_no_columns(block, read.invalid_lines)
    return source


def _beginning(file: InputFile, encoding: str, size: int) -> tuple[Block | None, bool]:
    """Return a file's first lines, and whether these are all; no block for an empty file."""
    ranges = list(itertools.islice(split_ranges(file, size), 2))
    if not ranges:
        return None, True
    start, stop = ranges[0]
    if stop >= 0:
        return read_block(file, Partition(0, 0, start, stop), encoding), len(ranges) == 1
    blocks = list(itertools.islice(read_blocks(file, encoding, _whole_lines, size), 2))
    return blocks[0], all(not block.data for block in blocks[1:])


def _refuse_no_columns(block: Block, invalid_lines: str) -> None:
    data = _data(block)
    for line in parse_lines(data, 0, len(data)):
        if line.value is None:
            raise invalid(block, data, line, dropped=invalid_lines == "drop")
        raise DataError(f"{block.file.uri}: every line is an empty object {{}}, so there are no columns.")


# --------------------------------------------------------------------------- schema
def _schema(texts: Callable[[], Iterable[bytes]]) -> pa.Schema:
    """Return the schema of all lines.

    What fits a column's type fits every type that later lines widen it to, with one exception: uint64. Where that
    comes out, the texts are gone over again, for negative numbers seen before.
    """
    shape, before, schema = Shape(), None, None
    while schema is None or (schema != before and any(holds(t, pt.is_uint64) for t in schema.types)):
        before = schema
        for text in texts():
            _learn(shape, text)
        schema = pa.schema(shape.columns)
    return schema


def _learn(shape: Shape, data: bytes) -> None:
    """Add to a shape what lines show beyond it; lines that fit it already are only decoded, the fast ways."""
    start = data.find(b"\n", EXACT_BYTES // 2) + 1
    if not shape.fields and 0 < start < len(data):  # most often the first lines tell it all
        _learn(shape, data[:start])
        data = data[start:]
    known = pa.schema(shape.columns)
    regular = RegularLines(known, known.names, new_keys=False).decode(data)
    if regular is not None or decode_block(data, known, "error") is not None:
        return
    parts = _parts(data, 0, len(data))
    if len(parts) > 1:
        for start, stop in parts:
            _learn(shape, data[start:stop])
    else:
        shape.add([line.value for line in parse_lines(data, 0, len(data)) if line.value is not None])


def _parts(data: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """Cut a range of lines into about eight, at line ends; a short one and a single line stay one."""
    step = max((stop - start) // 8, EXACT_BYTES // 2) if stop - start > EXACT_BYTES else stop - start
    parts = []
    while start < stop:
        end = data.find(b"\n", start + step, stop) + 1
        parts.append((start, end or stop))
        start = end or stop
    return parts


def _whole_lines(data: bytes, final: bool) -> int:
    return len(data) if final else data.rfind(b"\n") + 1


def _data(block: Block) -> bytes:
    return block.data.replace(b"\r", b"\n") if block.cr_only else block.data


# --------------------------------------------------------------------------- reading
class _Decoder:
    """Decodes blocks into the columns of one request."""

    def __init__(self, source: JsonLinesSource, request: Request) -> None:
        self._drop = source.reader.invalid_lines == "drop"
        self._notices = request.notices
        self._texts = request.texts
        self._known = source.schema
        self._wanted = pa.schema([source.schema.field(name) for name in request.columns])
        # A schema that comes from every line has no new keys to look for.
        self._new_columns = request.new_columns and not source.exact
        # Unasked keys are not decoded; but pyarrow would leave out unknown keys inside an asked object, too.
        self._ignores = not self._new_columns and not any(holds(t, pt.is_struct) for t in self._wanted.types)
        regular = RegularLines(self._known, self._wanted.names, new_keys=not self._new_columns)
        self._regular: RegularLines | None = regular

    def regularly(self, text: bytes) -> pa.RecordBatch | None:
        """Return the rows of whole lines, if the fastest way is for them."""
        return None if self._regular is None else self._regular.decode(text)

    def decode(self, block: Block) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a block: each way ends at the first piece that it is not for, the fastest one for good."""
        if block.cr_only:
            yield from self._apart(block, _data(block), 0, len(_data(block)))
            return
        text, start, stop = block.text, block.begin, block.end
        lines = memoryview(text)
        while self._regular is not None and start < stop:
            far = start + PIECE_BYTES
            end = stop if far >= stop else text.rfind(b"\n", start, far) + 1 or stop
            batch = self._regular.decode(lines[start:end])
            if batch is None:
                self._regular = None
            else:
                yield batch
                start = end
        if start == stop:
            return
        table = self._by_arrow(lines[start:stop])
        if table is not None:
            yield from table.to_batches()
        else:
            yield from self._apart(block, block.data, start - block.begin, stop - block.begin)

    def _by_arrow(self, data: bytes | memoryview) -> pa.Table | None:
        if self._ignores:
            return decode_block(data, self._wanted, "ignore")
        table = decode_block(data, self._known, "error")
        return None if table is None else table.select(self._wanted.names)

    def _apart(self, block: Block, data: bytes, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Yield the rows of ``data[start:stop]``, of which Arrow cannot decode all lines."""
        parts = _parts(data, start, stop)
        if len(parts) == 1:
            yield self._exact(block, data, start, stop)
            return
        for part in parts:
            table = self._by_arrow(data[slice(*part)])
            if table is not None:
                yield from table.to_batches()
            else:
                yield from self._apart(block, data, *part)

    def _exact(self, block: Block, data: bytes, start: int, stop: int) -> pa.RecordBatch:
        losses = LossCounter(block, self._notices)
        positions, rows = [], []
        for line in parse_lines(data, start, stop):
            if line.value is not None:
                positions.append(line.position)
                rows.append(line.value)
            elif self._drop:
                losses.add(
                    InvalidLinesWarning,
                    "",
                    line.position,
                    shortened(f"{text_of(data, line)} ({line.reason})"),
                )
            else:
                raise invalid(block, data, line)
        if self._new_columns:
            self._refuse_new_keys(block, positions, rows)
        arrays = []
        for field in self._wanted:
            values = []
            for position, row in zip(positions, rows, strict=True):
                value = row.get(field.name)
                here = type(row) is Doubled and field.name in row.doubled
                key = field.name if here else doubled_in(value)
                if key is not None:
                    losses.add(DuplicateKeyWarning, field.name, position, key)
                if value is not None and field.name in self._texts and pt.is_string(field.type):
                    values.append(to_text(value))
                    continue
                try:
                    values.append(convert(value, field.type, losses.of(field.name, position)))
                except Misfit as misfit:
                    raise mismatch(block, position, field, misfit) from None
            arrays.append(pa.array(values, field.type))
        losses.report()
        return pa.record_batch(arrays, schema=self._wanted)

    def _refuse_new_keys(self, block: Block, positions: list[int], rows: list[dict[str, Any]]) -> None:
        known = set(self._known.names)
        for position, row in zip(positions, rows, strict=True):
            if not row.keys() <= known:
                key = next(key for key in row if key not in known)
                raise new_key(block, position, key, row[key])
