"""What a Parquet file's own schema tells, found out once for all files that have it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from mltable_lite.errors import UnsupportedFeatureError
from mltable_lite.expr import can_match
from mltable_lite.formats.conform import stored_fields, without_views
from mltable_lite.formats.footers import ARROW_ERRORS, explained
from mltable_lite.formats.statistics import chunk_bounds

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from mltable_lite.expr import Bounds, Expr
    from mltable_lite.formats.base import InputFile

#: Schemas that are remembered: a table rarely has more, and a thousand files of each. No lock: it is only replaced.
_MOST_KNOWN = 8
#: A remembered schema keeps the footer that it came with, which should not be a big one.
_MOST_BYTES = 256 * 1024
_known: tuple[tuple[pq.ParquetSchema, dict[bytes, bytes] | None, Stored], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Stored:
    """A file's own schema. There is one object for each schema, so that what follows from it is found out once.

    Attributes:
        schema: As Arrow sees it, without views and without the file's metadata.
        pandas: What pandas wrote about its index and its types.
        fields: Its fields.
        paths: The dotted path of each column chunk.
        int96: The columns that hold values stored as INT96, the old timestamps.
        leaves: The chunk of each column that is one value a row, by the column's name.
        dotted: Whether a column's name has a dot: the field b of a struct a has the path of a column called 'a.b'.
    """

    schema: pa.Schema
    pandas: bytes | None
    fields: tuple[pa.Field, ...]
    paths: tuple[str, ...]
    int96: tuple[str, ...]
    leaves: Mapping[str, int]
    dotted: bool

    def chunks(self, names: Collection[str]) -> list[int]:
        """Return the numbers of the column chunks that are read for columns: those that hold them, and their likes."""
        wanted = set(names)
        return [number for number, path in enumerate(self.paths) if _within(path, wanted)]

    def bounds(self, footer: pq.FileMetaData, group: int, wanted: Sequence[pa.Field]) -> dict[str, Bounds]:
        """Return the bounds of fields of the table in a row group, by the table's names."""
        row_group = footer.row_group(group)
        bounds: dict[str, Bounds] = {}
        for field, index in zip(wanted, stored_fields(self.fields, wanted), strict=True):
            stored = None if index is None else self.fields[index]
            leaf = None if stored is None else self.leaves.get(stored.name)
            if stored is not None and leaf is None:
                continue
            found = chunk_bounds(row_group, leaf, None if stored is None else stored.type, field.type)
            if found is not None:
                bounds[field.name] = found
        return bounds

    def may_match(
        self, footer: pq.FileMetaData, group: int, wanted: Sequence[pa.Field], predicate: Expr
    ) -> bool:
        """Tell whether a row of the row group may pass the predicate, by its statistics of the wanted fields."""
        return can_match(predicate, self.bounds(footer, group, wanted))


def stored_of(file: InputFile, footer: pq.FileMetaData) -> Stored:
    """Return what a file's footer tells of its schema.

    Raises:
        UnsupportedFeatureError: Two columns have one name.
        CorruptFileError: The footer describes no schema that Arrow knows.
    """
    global _known  # noqa: PLW0603 - what one process knows
    metadata = footer.metadata
    # Not `footer.schema`: that is kept by the footer, which it keeps itself, and such a pair waits for the garbage
    # collector. A process that reads often would hold the footers of many reads.
    parquet = pq.ParquetSchema(footer)
    alike = None
    for schema, noted, stored in _known:
        if parquet.equals(schema):
            if metadata == noted:
                return stored
            alike = stored
    stored = _described(file, footer, parquet, alike)
    if footer.serialized_size <= _MOST_BYTES:
        _known = ((parquet, metadata, stored), *_known[: _MOST_KNOWN - 1])
    return stored


def _described(
    file: InputFile, footer: pq.FileMetaData, parquet: pq.ParquetSchema, alike: Stored | None
) -> Stored:
    """Return what a footer tells; `alike` has the same columns, and perhaps other metadata."""
    try:
        schema = parquet.to_arrow_schema()
    except ARROW_ERRORS as error:
        raise explained(error, file.uri, "has no readable schema") from error
    pandas = (schema.metadata or {}).get(b"pandas")
    schema = pa.schema([f.with_type(without_views(f.type)) for f in schema])
    if alike is not None:
        return replace(alike, schema=schema, pandas=pandas, fields=tuple(schema))
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for i, name in enumerate(schema.names) if name in schema.names[:i])
        raise UnsupportedFeatureError(
            f"{file.uri}: two columns are called {twice!r}; columns are told apart by their names. "
            "Write the file with different names."
        )
    columns = [parquet.column(number) for number in range(footer.num_columns)]
    leaves = {
        column.path: number
        for number, column in enumerate(columns)
        if column.name == column.path and not column.max_repetition_level
    }
    old = [column.path for column in columns if column.physical_type == "INT96"]
    return Stored(
        schema,
        pandas,
        tuple(schema),
        paths=tuple(column.path for column in columns),
        int96=tuple(name for name in schema.names if any(_within(path, {name}) for path in old)),
        leaves=leaves,
        dotted=any("." in name for name in schema.names),
    )


def _within(path: str, names: AbstractSet[str]) -> bool:
    """Tell whether a dotted path is that of one of these columns, or of a field inside one."""
    return path in names or ("." in path and any(path[:i] in names for i, c in enumerate(path) if c == "."))
