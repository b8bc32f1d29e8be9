"""One snapshot of a Delta table, as its log tells it: version, schema, data files, statistics, deleted rows.

Source: the Delta transaction log protocol. The log itself is read by `deltalake`.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from mltable_lite.errors import (
    AccessDeniedError,
    ArgumentError,
    CorruptFileError,
    MLTableError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFeatureError,
    UserErrorException,
    listed,
)
from mltable_lite.formats.conform import STORED_ID, STORED_NAME
from mltable_lite.formats.delta_library import delta_library
from mltable_lite.formats.unify import is_list
from mltable_lite.spec.datetime_format import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deltalake import DeltaTable
    from numpy.typing import NDArray

    from mltable_lite.formats.base import InputFolder
    from mltable_lite.spec.model import ReadDeltaLake

#: Reader features that this reader gives right answers for; any other is refused before reading.
_FEATURES = frozenset(
    {
        "columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview",
        "v2Checkpoint", "vacuumProtocolCheck",
    }
)  # fmt: skip
#: Features that only matter to a table that has such a column; writers list them for any table.
_VARIANT_FEATURES = frozenset({"variantType", "variantType-preview", "variantShredding-preview"})

_REFUSED = re.compile(
    r"unauthori[sz]ed|forbidden|permission|authenticat|not authori[sz]ed|access denied|privileges",
    re.IGNORECASE,
)
_MAPPING = b"delta.columnMapping."
#: Versions have 64 bits; deltalake counts on from the one it is asked for, and never ends at the last of them.
_LAST_VERSION = 2**63 - 2
#: The protocol's text of a binary partition value, which deltalake writes but does not read back.
_ESCAPED = re.compile(rb"(?:\\u00[0-9A-Fa-f]{2})+")
_COMMIT = re.compile(r'filename: "0*(\d+)\.json"')


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """A table at one version.

    Attributes:
        folder: The table's folder.
        version: The version.
        schema: The table's columns, partition columns among them; fields know the name or id they are stored by.
        partition_columns: The names of the partition columns.
        files: One row a data file, in reading order: ``path`` (decoded), ``size_bytes``, ``num_records`` and structs
            ``partition`` (by name), ``null_count``, ``min``, ``max`` (by stored name) where the table has them.
        deleted: For the index of a file the sorted numbers of its rows that a deletion vector deletes.
    """

    folder: InputFolder
    version: int
    schema: pa.Schema
    partition_columns: tuple[str, ...]
    files: pa.Table
    deleted: dict[int, NDArray[np.int64]]

    def constant(self, index: int, column: str) -> pa.Scalar:
        """Return the value of a partition column in a file."""
        values = self.files.column("partition")[index]
        if not values.is_valid:
            return pa.scalar(None, self.schema.field(column).type)
        value = values[column]
        if value.is_valid and pt.is_binary(value.type) and _ESCAPED.fullmatch(value.as_py()):
            return pa.scalar(bytes.fromhex(value.as_py().replace(b"\\u00", b"").decode()), value.type)
        return value

    def select(self, indices: Sequence[int]) -> Snapshot:
        """Return the snapshot with only some of its files."""
        deleted = {new: self.deleted[old] for new, old in enumerate(indices) if old in self.deleted}
        return replace(self, files=self.files.take(pa.array(indices, pa.int64())), deleted=deleted)


def open_snapshot(read: ReadDeltaLake, folder: InputFolder) -> Snapshot:
    """Return the snapshot that the read step asks for.

    Data files are ordered by the time they were added (their modification time in the log), then by path: the same
    order on every read, and for appended data the order of writing.

    Raises:
        ArgumentError: Version and timestamp are both given or do not exist in the table.
        SourceNotFoundError: There is no folder, or no table in it.
        UnsupportedFeatureError: The table needs a feature that would be read wrongly.
    """
    if read.version_as_of is not None and read.timestamp_as_of is not None:
        raise ArgumentError("read_delta_lake: give version_as_of or timestamp_as_of, not both.")
    version = read.version_as_of
    if read.timestamp_as_of is not None:
        version = _version_at(folder, read.timestamp_as_of)
    table = _open(folder, version)
    _refuse_features(folder, table)
    configuration = table.metadata().configuration
    mode = configuration.get("delta.columnMapping.mode", "none")
    if mode not in ("none", "name", "id"):
        raise UnsupportedFeatureError(
            f"{folder.uri}: Delta column mapping mode {mode!r}; none, name and id are read."
        )
    schema = pa.schema([_field(f, mode) for f in pa.schema(table.schema().to_arrow())])
    files = _files(folder, table)
    deleted = _deleted_rows(folder, table, files.column("path").to_pylist())
    return Snapshot(
        folder, table.version(), schema, tuple(table.metadata().partition_columns), files, deleted
    )


def _open(folder: InputFolder, version: int | None) -> DeltaTable:
    if version is not None and not 0 <= version <= _LAST_VERSION:
        raise _no_version(folder, version)
    try:
        with delta_library(folder.uri) as deltalake:
            table: DeltaTable = deltalake.DeltaTable(
                folder.table_uri(), version=version, storage_options=folder.delta_options()
            )
    except MLTableError:
        raise
    except Exception as error:
        # Of a version before the first checkpoint of a cut log, deltalake says that there is no table.
        absent = type(error).__name__ == "TableNotFoundError" or "No files in log segment" in str(error)
        if version is not None and (absent or type(error).__name__ == "DeltaError"):
            latest = _open(folder, None)
            if absent or version > latest.version():
                raise _no_version(folder, version, latest) from error
        raise _explained(folder, error) from error
    return table


def _no_version(folder: InputFolder, version: int, latest: DeltaTable | None = None) -> UserErrorException:
    latest = latest or _open(folder, None)
    oldest = latest.version() + 1 - len(latest.history())
    # Commits without commitInfo are not counted; then, and where only a checkpoint is left, the first version is
    # not known.
    known = oldest == 0 or (oldest <= latest.version() and not _has_commit(folder, oldest - 1))
    has = f"its log has versions {oldest} to" if known else "the latest version is"
    return ArgumentError(f"{folder.uri}: the Delta table has no version {version}; {has} {latest.version()}.")


def _reason(error: Exception) -> str:
    """Return an error's text as one line, without colours and frames of deltalake's stack.

    Query strings, where keys may stand, are cut.
    """
    text = re.split(r"\n\s*0: ", str(error), maxsplit=1)[0]
    gap = _COMMIT.findall(text) if "contiguous commit files" in text else []
    if len(gap) == 2:  # noqa: PLR2004 - the commits before and after
        return f"commits between version {gap[0]} and version {gap[1]} are missing"
    line = " ".join(re.sub(r"\x1b\[\d*m|↳", "", text).split())
    return re.sub(r"\?[^\s\"')]*", "?...", line)[:400].rstrip(".")


def _explained(folder: InputFolder, error: Exception) -> MLTableError:
    """Return an error of deltalake as one of ours."""
    reason, place = _reason(error), folder.uri
    absent = ("No files in log segment", "Path does not exist")
    if any(text in reason for text in absent) or type(error).__name__ == "TableNotFoundError":
        return SourceNotFoundError(
            f"{place}: not a Delta table: it has no _delta_log folder with commits. The requested stream was not found. "
            "read_delta_lake takes the table's folder ('folder:' in paths, not 'file:'); for plain Parquet files "
            "use read_parquet."
        )
    if "Unsupported" in reason:
        return UnsupportedFeatureError(f"{place}: the Delta table needs a newer reader: {reason}.")
    if _REFUSED.search(reason):
        return AccessDeniedError(f"{place}: the storage refuses to give the Delta log: {reason}.")
    if isinstance(error, OSError) or "object store" in reason or "Object at location" in reason:
        return StorageError(f"{place}: the Delta log cannot be read: {reason}.")
    return CorruptFileError(f"{place}: the Delta log cannot be read: {reason}.")


# --------------------------------------------------------------------------- features and schema
def _refuse_features(folder: InputFolder, table: DeltaTable) -> None:
    features = set(table.protocol().reader_features or ())
    known = _FEATURES if '"variant"' in table.schema().to_json() else _FEATURES | _VARIANT_FEATURES
    unknown = sorted(features - known)
    if "deletionVectors" in features and not hasattr(table, "deletion_vectors"):
        unknown.append("deletionVectors (needs a newer deltalake)")
    if unknown:
        raise UnsupportedFeatureError(
            f"{folder.uri}: the Delta table needs reader features that mltable_lite does not have: {listed(unknown)}. "
            "Write the table without them."
        )


def _field(field: pa.Field, mode: str) -> pa.Field:
    """Return a column with the name or id that data files store it by, on every level of nesting."""
    metadata = field.metadata or {}
    own = {}
    if mode != "none" and (name := metadata.get(_MAPPING + b"physicalName")):
        own[STORED_NAME] = name
    if mode == "id" and (identity := metadata.get(_MAPPING + b"id")):
        own[STORED_ID] = identity
    return pa.field(field.name, _type(field.type, mode), field.nullable, own or None)


def _type(t: pa.DataType, mode: str) -> pa.DataType:
    if mode == "none":
        return t
    if pt.is_struct(t):
        return pa.struct([_field(f, mode) for f in t])
    if pt.is_map(t):
        return pa.map_(_type(t.key_type, mode), _type(t.item_type, mode))
    if is_list(t):
        return pa.list_(t.value_field.with_type(_type(t.value_type, mode)))
    return t


# --------------------------------------------------------------------------- time travel
def _version_at(folder: InputFolder, text: str) -> int:
    """Return the latest version that was committed at or before a time, by the commits' own times."""
    moment_ms = _milliseconds(text)
    latest = _open(folder, None)
    commits = sorted(latest.history(), key=lambda commit: int(commit["version"]))
    times: list[Any] = [commit.get("inCommitTimestamp", commit.get("timestamp")) for commit in commits]
    first = latest.version() + 1 - len(commits)
    # deltalake counts only commits that have commitInfo: were one without, the numbers would be shifted.
    if not commits or None in times or (first > 0 and _has_commit(folder, first - 1)):
        raise UnsupportedFeatureError(
            f"{folder.uri}: timestamp_as_of: commits of this Delta table do not tell their time. Use version_as_of, "
            f"up to {latest.version()}."
        )
    reached = [first + i for i, time in enumerate(times) if time <= moment_ms]
    if not reached:
        raise ArgumentError(
            f"{folder.uri}: timestamp_as_of {text!r} lies before the first version in the log (version {first}, "
            f"committed {_shown(min(times))})."
        )
    return reached[-1]


def _milliseconds(text: str) -> int:
    return (moment("read_delta_lake", text) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(
        milliseconds=1
    )


def _shown(milliseconds: int) -> str:
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=milliseconds)
    return moment.isoformat().replace("+00:00", "Z")


def _has_commit(folder: InputFolder, version: int) -> bool:
    try:
        folder.file(f"_delta_log/{version:020d}.json", None, 0).read_range(0, 1)
    except MLTableError:
        return False
    return True


# --------------------------------------------------------------------------- data files
def _files(folder: InputFolder, table: DeltaTable) -> pa.Table:
    actions = pa.table(table.get_add_actions())
    actions = actions.sort_by([("modification_time", "ascending"), ("path", "ascending")])
    encoded = actions.column("path").to_pylist()
    outside = next((path for path in encoded if path.startswith(("/", "file:")) or "://" in path), None)
    if outside is not None:
        raise UnsupportedFeatureError(
            f"{folder.uri}: the Delta table has data files outside its folder, as shallow clones do; "
            "mltable_lite reads only files below the folder. Make a deep clone."
        )
    paths = pa.array([unquote(path) if "%" in path else path for path in encoded], pa.string())
    return actions.set_column(actions.schema.get_field_index("path"), "path", paths)


def _deleted_rows(
    folder: InputFolder, table: DeltaTable, paths: Sequence[str]
) -> dict[int, NDArray[np.int64]]:
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    by_path = {path: index for index, path in enumerate(paths)}
    deleted: dict[int, NDArray[np.int64]] = {}
    try:
        for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors()):
            for uri, keep in zip(
                batch.column("filepath").to_pylist(), batch.column("selection_vector"), strict=True
            ):
                rows = np.asarray(keep.values.to_numpy(zero_copy_only=False), dtype=bool)
                deleted[_index_of(folder, uri, by_path)] = np.flatnonzero(~rows)
    except MLTableError:
        raise
    except Exception as error:
        raise UnsupportedFeatureError(
            f"{folder.uri}: the Delta table has a deletion vector that cannot be read: {_reason(error)}. "
            "Rewrite the table without deletion vectors (REORG TABLE ... APPLY (PURGE))."
        ) from error
    return deleted


def _index_of(folder: InputFolder, uri: str, by_path: dict[str, int]) -> int:
    """Return which file a full URI names: the path below the folder is a suffix of it."""
    parts = unquote(uri).split("/")
    found: list[Any] = [
        by_path[path] for i in range(1, len(parts)) if (path := "/".join(parts[i:])) in by_path
    ]
    if len(found) != 1:
        raise UnsupportedFeatureError(
            f"{folder.uri}: the deletion vector of {parts[-1]!r} cannot be told to belong to one data file."
        )
    return int(found[0])
