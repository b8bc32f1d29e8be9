"""Arrow rows -> the bytes of a data file: Parquet, CSV or JSON lines; whatever would lose a value is refused."""

from __future__ import annotations

import contextlib
import io
import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pyarrow.types as pt

from mltable_lite.errors import ArgumentError
from mltable_lite.spec import model
from mltable_lite.types import DataType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mltable_lite.storage.upload import Sink


_JSON_TIME = "%Y-%m-%dT%H:%M:%S.%f"


class CountingSink(io.RawIOBase):
    """Passes bytes on and counts them; writers may close it, the file stays open."""

    def __init__(self, sink: Sink) -> None:
        self._sink: Sink | None = sink
        self.count = 0

    def forget(self) -> None:
        """Drop the file: what is written from now on goes nowhere."""
        self._sink = None

    def writable(self) -> bool:
        """Return true."""
        return True

    def write(self, data: Any) -> int:
        """Take some bytes."""
        if self._sink is not None:
            self._sink.write(data)
            self.count += len(data)
        return len(data)


class Encoder(ABC):
    """Writes the rows of files, one after the other; `steps` tells in the end how they are read.

    Columns have no views, and for the text formats no dictionaries: see `rows.plain`.
    """

    extension: str

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema

    @contextlib.contextmanager
    def file(self, raw: Sink) -> Iterator[CountingSink]:
        """Begin a file and end it with the block; one whose block fails is given up."""
        sink = CountingSink(raw)
        try:
            self.begin(sink)
            yield sink
        except BaseException:
            # A writer of pyarrow ends its file when it is collected, long after the file is gone.
            sink.forget()
            with contextlib.suppress(Exception):
                self.end()
            raise
        self.end()

    @abstractmethod
    def begin(self, sink: CountingSink) -> None:
        """Begin a file."""

    @abstractmethod
    def write(self, table: pa.Table) -> None:
        """Write some rows."""

    @abstractmethod
    def end(self) -> None:
        """End the file."""

    @abstractmethod
    def steps(self) -> tuple[model.Step, ...]:
        """Return the steps that give back what was written."""


class _Parquet(Encoder):
    """Each call of `write` is a row group; pages carry checksums, so that a flipped bit is noticed."""

    extension = "parquet"

    def __init__(self, schema: pa.Schema) -> None:
        if not _fits_parquet(schema):
            _refuse(schema, "parquet", lambda kind: _fits_parquet(pa.schema([("column", kind)])))
        super().__init__(schema)

    def begin(self, sink: CountingSink) -> None:
        self._writer = pq.ParquetWriter(sink, self.schema, compression="snappy", write_page_checksum=True)

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def end(self) -> None:
        self._writer.close()

    def steps(self) -> tuple[model.Step, ...]:
        return (model.ReadParquet(),)


class _Csv(Encoder):
    """Text is quoted, null is nothing, an empty text is two quotes; the read step names the columns that are text."""

    extension = "csv"

    def __init__(self, schema: pa.Schema) -> None:
        _refuse(schema, "csv", _fits_csv)
        if len(schema) == 0:
            raise ArgumentError("write: a CSV file needs a column; the data has none.")
        super().__init__(schema)
        self._multi_line = any("\n" in name or "\r" in name for name in schema.names)

    def begin(self, sink: CountingSink) -> None:
        self._writer = pcsv.CSVWriter(sink, self.schema)

    def write(self, table: pa.Table) -> None:
        texts = (c for c in table.columns if not self._multi_line and _is_text(c.type))
        self._multi_line |= any(pc.any(pc.match_substring_regex(c, "[\r\n]")).as_py() for c in texts)
        self._writer.write_table(table)

    def end(self) -> None:
        self._writer.close()

    def steps(self) -> tuple[model.Step, ...]:
        texts = tuple(f.name for f in self.schema if _is_text(f.type))
        types = model.InferTypes(overrides=((texts, DataType.to_string()),)) if texts else True
        return (model.ReadDelimited(support_multi_line=self._multi_line, infer_column_types=types),)


class _JsonLines(Encoder):
    """Times are ISO 8601 text, which a further step converts; NaN and infinity, which JSON has not, are refused."""

    extension = "jsonl"

    def __init__(self, schema: pa.Schema) -> None:
        _refuse(schema, "json_lines", _fits_json)
        super().__init__(schema)

    def begin(self, sink: CountingSink) -> None:
        self._sink = sink

    def write(self, table: pa.Table) -> None:
        for index, field in enumerate(table.schema):
            if _is_moment(field.type):
                table = table.set_column(index, field.name, _texts(table.column(index), field))
        for batch in table.to_batches(max_chunksize=8192):
            try:
                lines = [
                    json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in batch.to_pylist()
                ]
            except ValueError as error:
                raise ArgumentError(
                    f"write: {_not_finite(batch)} holds NaN or infinity, which JSON has not. Write Parquet, or replace "
                    "them by null first."
                ) from error
            self._sink.write("".join(lines).encode())

    def end(self) -> None:
        pass

    def steps(self) -> tuple[model.Step, ...]:
        moments = tuple(field.name for field in self.schema if _is_moment(field.type))
        if not moments:
            return (model.ReadJsonLines(),)
        conversion = model.Conversion(model.Names(moments), DataType.to_datetime(_JSON_TIME))
        return model.ReadJsonLines(), model.ConvertColumnTypes((conversion,))


ENCODERS: dict[str, type[Encoder]] = {
    "parquet": _Parquet,
    "csv": _Csv,
    "json_lines": _JsonLines,
}


# --------------------------------------------------------------------------- what fits
def _refuse(schema: pa.Schema, name: str, fits: Callable[[pa.DataType], bool]) -> None:
    for field in schema:
        if not fits(field.type):
            other = "" if name == "parquet" else "use format='parquet', or "
            raise ArgumentError(
                f"write: column {field.name!r} is {field.type}, which format={name!r} does not keep; {other}convert the "
                "column first."
            )


def _fits_parquet(schema: pa.Schema) -> bool:
    """Tell whether pyarrow writes such columns; it alone knows."""
    try:
        with pq.ParquetWriter(io.BytesIO(), schema) as writer:
            writer.write_table(schema.empty_table())
    except pa.ArrowException:
        return False
    return True


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind))


def _fits_csv(kind: pa.DataType) -> bool:
    number = pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind)
    # A zoned time would come back without its zone.
    moment = pt.is_date(kind) or (pt.is_timestamp(kind) and kind.tz is None)
    return bool(number or moment or _is_text(kind) or pt.is_null(kind))


def _fits_json(kind: pa.DataType) -> bool:
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return _fits_json(kind.value_type)
    if pt.is_struct(kind):
        return all(_fits_json(field.type) for field in kind)
    return _fits_csv(kind)


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pt.is_date(kind) or pt.is_timestamp(kind))


def _texts(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    try:
        return pc.strftime(pc.cast(column, pa.timestamp("us")), format="%Y-%m-%dT%H:%M:%S")
    except pa.ArrowInvalid as error:
        raise ArgumentError(
            f"write: column {field.name!r} is {field.type} and holds nanoseconds, of which format='json_lines' keeps "
            "microseconds; use format='parquet'."
        ) from error


def _not_finite(batch: pa.RecordBatch) -> str:
    """Return which column has a number that JSON has not."""
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if pt.is_floating(field.type) and pc.any(pc.invert(pc.is_finite(column))).as_py():
            return f"column {field.name!r}"
    return "a nested value"
