"""Header lines: where they are, whether they agree, and the column names they give."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from mltable_lite.errors import SchemaMismatchError, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mltable_lite.spec.model import Header


def column_names(header: Sequence[str], width: int) -> tuple[str, ...]:
    """Return unique names for at least `width` columns.

    A column without a name is called ``Column<n>``, n its position from 1. A name that an earlier column has gets
    ``_1``, the next one ``_2`` and so on, whatever the names are: ``a, b, a, b`` become ``a, b, a_1, b_2``.

    Source: observed on the reference.
    """
    names: dict[str, None] = {}
    doubled = 0
    for position, (cell, _) in enumerate(zip_longest(header, range(width))):
        name = cell or f"Column{position + 1}"
        while name in names:
            doubled += 1
            name = f"{name}_{doubled}"
        names[name] = None
    return tuple(names)


@dataclass(slots=True)
class Headers:
    """The header lines met so far.

    A layout is the header that the rows of a file go by: one for all files, or with ``all_files_different_headers``
    one a file.

    Attributes:
        mode: How header lines are used.
        cells: For each layout that is known, its header cells, trimmed.
        first: The number and URI of the first file that has a line.
    """

    mode: Header
    cells: dict[int, tuple[str, ...]] = field(default_factory=dict)
    first: tuple[int, str] | None = None

    def layout(self, file: int) -> int:
        """Return the number of the layout of a file."""
        return file if self.mode == "all_files_different_headers" else 0

    def has_header(self, file: int) -> bool:
        """Tell whether the first line of a file is a header, if it has a line."""
        if self.mode == "from_first_file":
            return self.first is None or self.first[0] == file
        return self.mode != "no_header"

    def meet(self, file: int, uri: str, line: int, cells: Iterable[str | None]) -> None:
        """Take the header line of a file.

        Raises:
            SchemaMismatchError: It is not that of the first file, and must be.
        """
        header = tuple((cell or "").strip() for cell in cells)
        self.first = self.first or (file, uri)
        known = self.cells.setdefault(self.layout(file), header)
        if header != known:
            raise SchemaMismatchError(
                f"{uri}:{line}: the header is {_shown(header)}, but that of {self.first[1]} is {_shown(known)}; "
                "all files must have the same one. To align columns by name set\n"
                "    header: all_files_different_headers",
                file=uri,
                line=line,
            )


def _shown(header: Sequence[str]) -> str:
    """Return a header for a person: what has no glyph is escaped, as it may be all that differs."""
    names = ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in name) for name in header]
    return f"[{listed(names, 20)}]"
