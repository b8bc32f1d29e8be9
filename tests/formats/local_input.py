"""Local files and folders as the formats see them, without the storage layer."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

import pyarrow as pa

from mltable_lite.errors import SourceNotFoundError
from mltable_lite.formats.base import Request


@dataclass(frozen=True)
class LocalFile:
    path: str
    position: int = 0
    opened: ClassVar[set[str]] = set()

    @property
    def uri(self):
        return self.path

    @property
    def size(self):
        return Path(self.path).stat().st_size

    def open(self, ranges=()):
        self.opened.add(self.path)
        try:
            return pa.OSFile(self.path)
        except FileNotFoundError as error:
            raise SourceNotFoundError(f"{self.path}: The requested stream was not found.") from error

    def read_range(self, start, stop):
        with self.open() as stream:
            stream.seek(start)
            return stream.read(stop - start)


@dataclass(frozen=True)
class LocalFolder:
    path: str
    position: int = 0

    @property
    def uri(self):
        return self.path

    def delta_options(self):
        return {}

    def table_uri(self):
        return self.path

    def file(self, relative, size, position):
        assert relative == unquote(relative) or "%" in relative
        return LocalFile(str(Path(self.path) / relative), position)


def files(*paths):
    return [LocalFile(str(path), position) for position, path in enumerate(paths)]


def folders(*paths):
    return [LocalFolder(str(path), position) for position, path in enumerate(paths)]


def read_all(source, columns=None, **request):
    """Return the whole table, through the partitions."""
    names = tuple(source.schema.names if columns is None else columns)
    schema = pa.schema([source.schema.field(name) for name in names])
    batches = [b for p in source.partitions() for b in source.read(p, Request(names, **request))]
    table = pa.Table.from_batches(batches, schema=schema)
    table.validate(full=True)
    return table
