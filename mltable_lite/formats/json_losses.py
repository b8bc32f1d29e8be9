"""What is told about JSON lines that are not as they should be: what is lost in them, and errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mltable_lite.errors import (
    DuplicateKeyWarning,
    InvalidLineError,
    InvalidLinesWarning,
    MLTableWarning,
    Notice,
    Notices,
    PrecisionWarning,
    SchemaMismatchError,
    TypeWidenedWarning,
)
from mltable_lite.formats.json_blocks import WHITE
from mltable_lite.formats.json_values import Losses, shortened

if TYPE_CHECKING:
    import pyarrow as pa

    from mltable_lite.formats.json_values import Line, Misfit
    from mltable_lite.formats.text_blocks import Block

#: How far into a file a warning counts lines; beyond, it gives the byte.
COUNTED_BYTES = 256 * 1024 * 1024


class LossCounter:
    """Counts what was lost in one piece of a block, by warning and column, and reports it once."""

    _WHAT = {  # noqa: RUF012 - a constant
        InvalidLinesWarning: ("lines are no JSON objects and were dropped", ""),
        DuplicateKeyWarning: ("lines hold this key more than once; the last value was taken", ""),
        TypeWidenedWarning: (
            "values are of another kind than the others; the column is text and holds their JSON",
            "Write values of one kind only to have that type.",
        ),
        PrecisionWarning: ("integers have more digits than float64 holds and were rounded", ""),
    }

    def __init__(self, block: Block, notices: Notices) -> None:
        self._block, self._notices = block, notices
        self._seen: dict[tuple[type[MLTableWarning], str], tuple[int, int, str]] = {}

    def add(self, category: type[MLTableWarning], column: str, position: int, value: Any) -> None:
        """Count a value that was lost at a position of the block."""
        count, first, text = self._seen.get((category, column), (0, position, shortened(value)))
        self._seen[category, column] = (count + 1, first, text)

    def of(self, column: str, position: int) -> Losses:
        """Return the place where `convert` reports for one value."""
        return Losses(
            lambda value: self.add(TypeWidenedWarning, column, position, value),
            lambda value: self.add(PrecisionWarning, column, position, value),
        )

    def report(self) -> None:
        """Tell what was counted."""
        for (category, column), (count, position, first) in self._seen.items():
            what, fix = self._WHAT[category]
            # Only the first notice of a kind needs its place.
            where = "" if self._notices.has(category, column, what) else self._where(position)
            self._notices.add(Notice(category, column, count, what, first, where, fix))

    def _where(self, position: int) -> object:
        block = self._block
        if block.line is None and block.offset > COUNTED_BYTES:
            return f"{block.file.uri} byte {block.offset + position}"
        return block.place(position)


def text_of(data: bytes, line: Line) -> str:
    """Return a line's text."""
    end = data.find(b"\n", line.position)
    return data[line.position : end if end >= 0 else None].decode().strip()


def invalid(block: Block, data: bytes, line: Line, *, dropped: bool = False) -> InvalidLineError:
    """Return the error for a line that is no object, or for one of those that are `dropped`, which leaves none."""
    text = text_of(data, line)
    at = f"{block.file.uri}:{block.line_at(line.position)}"
    if text.startswith("[") and not data[: line.position].strip(WHITE):
        return InvalidLineError(
            f"{at}: the file begins with an array '['; JSON lines are one object a line, without brackets and commas "
            "around them. Write each object of the array on a line of its own."
        )
    if dropped:
        return InvalidLineError(f"{at}: {line.reason}; there is no such line, so there are no columns.")
    return InvalidLineError(
        f"{at}: {shortened(text)!r} is invalid: {line.reason}. Correct the line, or leave such lines out with "
        "invalid_lines: drop"
    )


def mismatch(block: Block, position: int, field: pa.Field[Any], misfit: Misfit) -> SchemaMismatchError:
    """Return the error for a value that does not fit its column."""
    line = block.line_at(position)
    return SchemaMismatchError(
        f"{block.file.uri}:{line} column {field.name!r}: {shortened(misfit.value)} is not {misfit.wanted}, the type "
        "guessed from the beginnings of the files; read the table as a whole (to_pandas_dataframe), which widens the "
        "column, or make the values of one kind.",
        column=field.name,
        file=block.file.path,
        line=line,
    )


def new_key(block: Block, position: int, key: str, value: Any) -> SchemaMismatchError:
    """Return the error for a key that no line of the sample had."""
    line = block.line_at(position)
    return SchemaMismatchError(
        f"{block.file.uri}:{line} column {key!r}: this key, here with {shortened(value)}, does not occur in the lines "
        "from which the columns were guessed; name the columns you want (keep_columns), or read the table as a whole "
        "(to_pandas_dataframe), which finds all columns.",
        column=key,
        file=block.file.path,
        line=line,
    )
