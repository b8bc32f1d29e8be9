"""Rows to files in any storage, with an MLTable file that reads them back: streamed, and visible only when whole."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from mltable_lite import arguments
from mltable_lite.errors import ArgumentError, MLTableError, SaveError, TargetExistsError, did_you_mean
from mltable_lite.formats.delta_library import delta_library
from mltable_lite.output.encode import ENCODERS, Encoder
from mltable_lite.output.rows import check_columns, plain, reader_of, row_groups, slices, split
from mltable_lite.spec import TableSpec, model, parse_text, to_mapping, to_yaml
from mltable_lite.storage.filesystem import filesystem, info, opened, write_atomic
from mltable_lite.storage.listing import FolderEntry, list_all
from mltable_lite.storage.locate import NAME
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.remote import ask
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.upload import new_file
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from mltable_lite.storage.upload import Sink

#: A file ends when it is longer.
FILE_BYTES = 256 * 1024 * 1024
#: With `partition_by` so many bytes of rows wait for more of their folder, over all folders.
PARTITIONS_BYTES = 256 * 1024 * 1024
_DATA = r"part-[0-9a-f]{12}-\d{5,}\.(?:parquet|csv|jsonl)"
#: What `write` makes, and what is left of it on a local disk when the process is killed.
_OURS = re.compile(rf"(?:.*/)?(?:{_DATA}|\.(?:{_DATA}|{NAME})\.[0-9a-f]{{12}}\.tmp)")
#: A name that ends so is a file's to everyone who reads it.
_FILE = re.compile(
    r"\.(?:parquet|pq|csv|tsv|txt|json|jsonl|ndjson)(?:\.(?:gz|bz2|zst|xz|zip))?\Z", re.IGNORECASE
)
_FORMATS = (*ENCODERS, "delta")
_ALIASES = {"jsonl": "json_lines", "json": "json_lines", "delimited": "csv", "delta_lake": "delta"}


@dataclass(frozen=True, slots=True)
class Written:
    """What `write` wrote.

    Attributes:
        uri: What `load` takes, or the folder of the data without an MLTable file.
        format: The format's name.
        rows: How many rows.
        files: The names of the data files, below the folder.
        bytes: What they take, together.
    """

    uri: str
    format: str
    rows: int
    files: tuple[str, ...]
    bytes: int


def write(
    data: Any,
    uri: str | os.PathLike[str],
    *,
    format: str = "parquet",  # noqa: A002 - the word everyone uses
    partition_by: str | Sequence[str] = (),
    mltable: bool = True,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> Written:
    """Write rows as data files into a folder of any storage, with an MLTable file that reads them back.

    `uri` is the folder, not a file: ``"out"``, and not ``"out.parquet"``, which is refused.

    Rows are streamed: memory holds some row groups, whatever the size of the data. Data files get fresh names and
    the MLTable file, which names them, comes last: a reader sees the old table or the new one. A write that fails
    leaves nothing behind.

    Args:
        data: A pandas DataFrame, a pyarrow Table or RecordBatchReader, an `MLTable`, or a table with the Arrow C
            stream interface (polars, duckdb). A named index of a DataFrame becomes columns, an unnamed one is left.
            Categories stay categories in Parquet; in the other formats they are the values.
        uri: The folder, local or a URI; it is made when missing. One with a file's name ends in a slash.
        format: ``"parquet"`` (with page checksums, row groups of at most a million rows), ``"delta"``, ``"csv"`` or
            ``"json_lines"``. The text formats refuse types that they would not give back.
        partition_by: Columns to make folders ``name=value/`` of. The columns stay in the files, so that types and
            nulls are kept.
        mltable: Whether to write the MLTable file.
        overwrite: `True` replaces what an earlier `write` left in the folder; other files are never touched. `False`
            raises when the folder is not empty.
        storage_options: Options for the storage, as fsspec takes them.

    Raises:
        TargetExistsError: The folder is not empty, or with `overwrite` holds files that `write` did not make.
        ArgumentError: The format is not known, or cannot keep the type of a column; `overwrite` is no boolean; the
            folder is called as a file.
        ArgumentTypeError: The data is of no such kind.
        SaveError, StorageError: The data cannot be written, as on a full disk; nothing is left of it.

    Example:
        >>> import pandas as pd, mltable_lite as mltable
        >>> written = mltable.write(pd.DataFrame({"x": [1, 2]}), "memory://written")
        >>> mltable.load(written.uri).to_pandas_dataframe().x.tolist()
        [1, 2]
    """
    overwrite = arguments.flag("write", "overwrite", overwrite)
    word = _ALIASES.get(str(format).lower(), str(format).lower())
    if word not in _FORMATS:
        raise ArgumentError(
            f"write: format={format!r} is not accepted; use one of {', '.join(_FORMATS)}.{did_you_mean(word, _FORMATS)}"
        )
    rows = plain(reader_of(data), dictionaries=word == "parquet")
    keys = arguments.columns("write: partition_by", partition_by)
    check_columns(rows.schema, keys)
    given = StorageOptions(arguments.mapping("write", "storage_options", storage_options))
    place = parse_uri(arguments.place("write", "uri", uri))
    folder, options = resolve(place, given)
    folder = folder.at(folder.key.rstrip("/") or folder.key[:1])
    shown = place.uri
    with _errors(folder):
        if not (place.key.endswith("/") or os.fspath(uri).endswith(("/", os.sep))):
            _refuse_file(folder, options)
        old = _existing(folder, options, word, overwrite=overwrite)
        if word == "delta":
            return _write_delta(rows, folder, options, shown, keys, mltable=mltable, overwrite=overwrite)
        target = _Target(folder, options)
        with target:
            encoder = ENCODERS[word](rows.schema)
            count = (_partitioned if keys else _streamed)(rows, encoder, target, keys)
        if mltable:
            pattern = f"./{'**/' if keys else ''}part-{target.token}-*.{encoder.extension}"
            try:
                _write_mltable(folder, options, model.PathSpec("pattern", pattern), encoder.steps())
            except BaseException:
                _delete(folder, options, target.names)
                raise
        _delete(folder, options, [key for key in old if _OURS.fullmatch(key)])
        if not mltable:
            _delete(folder, options, [key for key in old if key.endswith(NAME)])
    names = tuple(f"{shown.rstrip('/')}/{name}" for name in target.names)
    return Written(shown, word, count, names, target.bytes)


# --------------------------------------------------------------------------- files
@dataclass(slots=True)
class _Target:
    """The new data files: on a local disk they wait in a hidden folder until all are there."""

    folder: Location
    options: StorageOptions
    token: str = field(default_factory=lambda: secrets.token_hex(6))
    names: list[str] = field(default_factory=list)
    bytes: int = 0
    made: bool = False

    @property
    def _staging(self) -> Location:
        return self.folder.join(f".writing-{self.token}") if self.folder.is_local else self.folder

    def file(self, subfolder: str, extension: str) -> AbstractContextManager[Sink]:
        """Return a new file in a folder below the target."""
        name = f"{subfolder}part-{self.token}-{len(self.names):05d}.{extension}"
        self.names.append(name)
        return new_file(self._staging.join(name), self.options)

    def __enter__(self) -> Self:
        self.made = self.folder.is_local and not Path(self.folder.key).exists()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        if not self.folder.is_local:
            if error is not None:
                _delete(self.folder, self.options, self.names)
            return
        staging = Path(self._staging.key)
        try:
            for name in self.names if error is None else ():
                final = Path(self.folder.key) / name
                final.parent.mkdir(parents=True, exist_ok=True)
                (staging / name).replace(final)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            if error is not None and self.made:
                shutil.rmtree(self.folder.key, ignore_errors=True)


def _streamed(rows: pa.RecordBatchReader, encoder: Encoder, target: _Target, _: Sequence[str]) -> int:
    """Write the rows in order into files of some size, at least one; return their number."""
    groups = row_groups(rows)
    group = next(groups, rows.schema.empty_table())
    count = 0
    more: pa.Table | None = group
    while more is not None:
        with target.file("", encoder.extension) as raw, encoder.file(raw) as sink:
            while more is not None and sink.count < FILE_BYTES:
                encoder.write(more)
                count += more.num_rows
                more = next(groups, None)
        target.bytes += sink.count
    return count


def _partitioned(rows: pa.RecordBatchReader, encoder: Encoder, target: _Target, keys: Sequence[str]) -> int:
    """Write the rows into a folder for each combination of the keys' values; return their number.

    Rows wait until they are a row group or memory is full; then those of the folder with most rows become a file.
    """
    waiting: dict[str, list[pa.Table]] = {}
    sizes: dict[str, int] = {}
    count = 0

    def flush(subfolder: str) -> None:
        table = pa.concat_tables(waiting.pop(subfolder))
        sizes.pop(subfolder)
        with target.file(subfolder, encoder.extension) as raw, encoder.file(raw) as sink:
            for group in slices(table):
                encoder.write(group)
        target.bytes += sink.count

    for table in row_groups(rows):
        count += table.num_rows
        for subfolder, part in split(table, keys):
            waiting.setdefault(subfolder, []).append(part)
            sizes[subfolder] = sizes.get(subfolder, 0) + part.nbytes
        while sum(sizes.values()) > PARTITIONS_BYTES:
            flush(max(sizes, key=lambda name: sizes[name]))
    for subfolder in list(waiting):
        flush(subfolder)
    if not target.names:
        with target.file("", encoder.extension) as raw, encoder.file(raw):
            encoder.write(rows.schema.empty_table())
    return count


# --------------------------------------------------------------------------- delta
def _write_delta(
    rows: pa.RecordBatchReader,
    folder: Location,
    options: StorageOptions,
    shown: str,
    keys: Sequence[str],
    *,
    mltable: bool,
    overwrite: bool,
) -> Written:
    counted = _Counted(rows)
    folder.delta_uri()  # a name that the library misreads is refused as the user gave it
    with delta_library(shown) as deltalake, _whole(folder, shown) as place:
        entry = FolderEntry(place, 0, options)
        try:
            deltalake.write_deltalake(
                entry.table_uri(),
                pa.RecordBatchReader.from_batches(rows.schema, counted),
                mode="overwrite" if overwrite else "error",
                schema_mode="overwrite" if overwrite else None,
                partition_by=list(keys) or None,
                storage_options=entry.delta_options(),
            )
        except Exception:
            if counted.error is not None:  # its own class, and no text of the library around it
                raise counted.error from None
            raise
        if mltable:
            _write_mltable(place, options, model.PathSpec("folder", "."), (model.ReadDeltaLake(),))
        table = deltalake.DeltaTable(entry.table_uri(), storage_options=entry.delta_options())
        actions = pa.table(table.get_add_actions())
    files = tuple(f"{shown.rstrip('/')}/{path}" for path in actions.column("path").to_pylist())
    return Written(shown, "delta", counted.rows, files, sum(actions.column("size_bytes").to_pylist()))


@contextmanager
def _whole(folder: Location, shown: str) -> Iterator[Location]:
    """Give the place to write a table to: a new local folder gets its name when all of it is there."""
    path = Path(folder.key)
    if not folder.is_local or path.exists():
        yield folder
        return
    beside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    beside.mkdir(parents=True)
    try:
        yield parse_uri(str(beside))
        if path.exists() and os.listdir(path):  # noqa: PTH208 - any name will do
            raise TargetExistsError(
                f"write: {shown} was made by somebody else meanwhile; nothing was written."
            )
        beside.rename(path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


class _Counted:
    """The batches of a reader, counted as they pass, and the error that ends them."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.rows = 0
        self.error: MLTableError | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._reader:
                self.rows += batch.num_rows
                yield batch
        except MLTableError as error:
            self.error = error
            raise


# --------------------------------------------------------------------------- what is there, and what comes last
def _refuse_file(folder: Location, options: StorageOptions) -> None:
    """Refuse to make a folder with a file's name; one that is there, others may have called so.

    Raises:
        ArgumentError: The folder would be new.
    """
    named = _FILE.search(folder.name)
    if named is not None and info(folder, options) is None:
        other = folder.name[: named.start()] or "data"
        raise ArgumentError(
            f"write: {folder.uri} is the name of a file, and write() makes a folder of data files with an MLTable file. "
            f"Give a folder, for example {other!r}, or end the name in a slash to have a folder {folder.name!r}."
        )


def _existing(folder: Location, options: StorageOptions, word: str, *, overwrite: bool) -> list[str]:
    """Return the names of the files in the folder, after making sure that they may be replaced.

    Raises:
        TargetExistsError: They may not.
    """
    found = info(folder, options)
    if found is None:
        return []
    if found.kind == "file":
        raise TargetExistsError(f"write: {folder.uri} is a file; give a folder to put the data in.")
    start = len(folder.key) + 1 if folder.key else 0
    names = sorted(file.key[start:] for file in list_all(folder, options)[1])
    if names and not overwrite:
        raise TargetExistsError(
            f"write: {folder.uri} is not empty, it holds {names[0]!r}. Write elsewhere, or use overwrite=True."
        )
    delta = any(name.startswith("_delta_log/") for name in names)
    foreign = [name for name in names if name != NAME and not _OURS.fullmatch(name)]
    if delta != (word == "delta") and names:
        raise TargetExistsError(
            f"write: {folder.uri} holds {'a Delta table' if delta else f'{names[0]!r}'}, which format={word!r} does not "
            "replace. Write elsewhere."
        )
    if foreign and not delta:
        raise TargetExistsError(
            f"write: {folder.uri} holds {foreign[0]!r}, which write() did not make and will not delete. Write elsewhere, "
            "or delete it first."
        )
    return names


def _write_mltable(
    folder: Location, options: StorageOptions, path: model.PathSpec, steps: tuple[model.Step, ...]
) -> None:
    spec = TableSpec(paths=(path,), steps=steps, base=folder.uri)
    text = to_yaml(to_mapping(spec, full=False))
    target = folder.join(NAME)
    read, _ = parse_text(text, source=target.uri, base=spec.base)
    assert read == spec, f"the text does not load to the same table:\n{text}"
    write_atomic(target, text.encode(), options)


def _delete(folder: Location, options: StorageOptions, names: Sequence[str]) -> None:
    """Delete files below the folder; one that is gone already is no matter."""
    for name in names:
        with opened(folder.join(name), options) as (place, own):
            if place.is_local:
                Path(place.key).unlink(missing_ok=True)
            elif info(place, own) is not None:
                ask(filesystem(place, own), own, "rm_file", place.path)


@contextmanager
def _errors(folder: Location) -> Iterator[None]:
    try:
        yield
    except MLTableError:
        raise
    except OSError as error:
        raise SaveError(f"write: {folder.uri} cannot be written: {error.strerror or error}.") from error
    except Exception as error:  # pyarrow's and deltalake's trees
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise SaveError(f"write: {folder.uri} cannot be written: {reason}.") from error
