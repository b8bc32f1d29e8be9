"""Small files for the tests of delimited text, and the two ways to read them."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from formats.local_input import LocalFile

from mltable_lite.errors import Notices, SchemaMismatchError
from mltable_lite.formats.base import Request
from mltable_lite.formats.delimited import DelimitedSource, inspect
from mltable_lite.spec.model import ReadDelimited


def write(folder: Path, *contents: str | bytes, name: str = "f{}.csv") -> list[LocalFile]:
    """Write files f1.csv, f2.csv, ... and return them."""
    files = []
    for number, content in enumerate(contents, 1):
        path = folder / name.format(number)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        files.append(LocalFile(str(path), number - 1))
    return files


def read_all(source: DelimitedSource, *columns: str) -> tuple[pa.Table, Notices]:
    """Return all rows of the columns, by default of all."""
    request = Request(columns or tuple(source.schema.names))
    batches = [batch for partition in source.partitions() for batch in source.read(partition, request)]
    schema = pa.schema([source.schema.field(name) for name in request.columns])
    return pa.Table.from_batches(batches, schema), request.notices


def load(folder: Path, *contents: str | bytes, **options: object) -> dict[str, list[object]]:
    """Return the rows of files, widened where that is needed."""
    source = inspect(ReadDelimited(**options), write(folder, *contents))  # type: ignore[arg-type]
    try:
        table, _ = read_all(source)
    except SchemaMismatchError:
        source, _ = source.widen(tuple(source.schema.names))
        table, _ = read_all(source)
    return table.to_pydict()
