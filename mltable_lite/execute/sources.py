"""Scan nodes meet the storage: files are listed, inspected once, and their constant columns computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    FilterTypeError,
    Notice,
    Notices,
    SkippedFilesWarning,
    UnsupportedFeatureError,
    listed,
)
from mltable_lite.execute.fields import field_of
from mltable_lite.formats.file_table import FILE_NUMBER, FilesSource
from mltable_lite.plan import Files, PartitionColumns, Plan, Scan
from mltable_lite.plan.partition_format import compile_format
from mltable_lite.spec import model
from mltable_lite.storage.listing import list_files, list_folders

if TYPE_CHECKING:
    from mltable_lite.formats.base import Source
    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.types import Field

#: A format is a read step and the module whose ``inspect`` turns listed files into a source. It is loaded when it is
#: first read: a process that reads one format does not wait for the libraries of the others.
FORMATS: dict[type, str] = {
    model.ReadDelimited: "mltable_lite.formats.delimited",
    model.ReadParquet: "mltable_lite.formats.parquet",
    model.ReadJsonLines: "mltable_lite.formats.json_lines",
    model.ReadDeltaLake: "mltable_lite.formats.delta",
}

#: Runs a bound plan over files to the end: (plan, catalogue) -> table with a column of file numbers.
RunFiles = Callable[[Plan, "Catalogue"], pa.Table]


class Listed(NamedTuple):
    """Listed files as a source, how many names in folders were no data, and folders that hold a Delta log."""

    source: FilesSource
    skipped: int = 0
    delta_tables: tuple[str, ...] = ()


@dataclass(slots=True)
class Resolved:
    """What a scan reads: the format's source, the columns that are constant in each file, and the whole schema.

    `constants` has one row a file of the source. `names_skipped` counts names in folders that are no data.
    """

    source: Source
    constants: pa.Table
    schema: pa.Schema
    names_skipped: int = 0


@dataclass(slots=True)
class Catalogue:
    """Resolves the leaves of plans, each one once; implements `plan.Sources`."""

    options: StorageOptions
    origin: str
    run_files: RunFiles
    notices: Notices = field(default_factory=Notices)
    _scans: dict[tuple[Plan, Any], Resolved] = field(default_factory=dict)
    _files: dict[Files, Listed] = field(default_factory=dict)
    _partition_columns: dict[PartitionColumns, pa.Table] = field(default_factory=dict)

    # ---------------------------------------------------------------- plan.Sources
    def scan_fields(self, scan: Scan) -> Sequence[Field]:
        """Return the fields of everything the scan can give."""
        return [field_of(f) for f in self.scan(scan).schema]

    def partition_fields(self, node: PartitionColumns) -> Sequence[Field]:
        """Return the fields that a partition format adds."""
        return [field_of(f) for f in self.partition_columns(node).schema]

    # ---------------------------------------------------------------- resolving
    def files(self, node: Files) -> Listed:
        """Return the listed files as a source of their own, and what was left out."""
        if node not in self._files:
            if node.listing == "tables":
                folders = list_folders(node.paths, node.base, self.options, source=self.origin)
                self._files[node] = Listed(FilesSource(tuple(folders), node.column))
            else:
                listing = list_files(
                    node.paths, node.base, self.options, source=self.origin, expand=node.listing == "files"
                )
                entries = FilesSource(tuple(listing.entries), node.column)
                logs = [PurePosixPath(name) for name in listing.skipped if name.endswith("_delta_log")]
                tables = tuple(str(log.parent) for log in logs)
                self._files[node] = Listed(entries, len(listing.skipped), tables)
        return self._files[node]

    def scan(self, scan: Scan) -> Resolved:
        """Return what the scan reads. Pushed-down parts of the scan do not matter here."""
        key = (scan.source, scan.reader)
        if key not in self._scans:
            self._scans[key] = self._resolve(scan)
        return self._scans[key]

    def widen(self, scan: Scan, columns: tuple[str, ...]) -> Notices | None:
        """Replace the scan's source by one whose schema fits the whole input; `None` if its schema is exact."""
        resolved = self.scan(scan)
        wanted = tuple(name for name in columns if name in resolved.source.schema.names)
        widened = resolved.source.widen(wanted)
        if widened is None:
            return None
        source, notices = widened
        self._scans[scan.source, scan.reader] = self._compose(
            scan, source, resolved.constants, resolved.names_skipped
        )
        return notices

    def look_further(self, error: ColumnNotFoundError | FilterTypeError) -> bool:
        """Look through the whole input where the error may come from the sample; tell whether that was done."""
        known = isinstance(error, FilterTypeError)
        names = error.columns if isinstance(error, FilterTypeError) else error.missing
        for (plan, reader), resolved in list(self._scans.items()):
            source, there = resolved.source, resolved.source.schema.names
            doubtful = tuple(name for name in names if (name in there) == known and source.may_change(name))
            if doubtful:
                notices = self.widen(Scan(plan, reader), doubtful)
                self.notices.extend(notices or Notices())
                return notices is not None
        return False

    def _resolve(self, scan: Scan) -> Resolved:
        leaf = _leaf(scan)
        assert scan.reader is not None
        entries, skipped, delta_tables = self.files(leaf)
        if delta_tables:
            what = "folder holds a Delta table, whose log says which of its files and rows are left; it was not read"
            fix = "Read it with read_delta_lake (from_delta_lake)."
            self.notices.add(
                Notice(SkippedFilesWarning, "", len(delta_tables), what, where=delta_tables[0], fix=fix)
            )
        if scan.reader.path_column != leaf.column:
            raise ColumnNotFoundError("path_column", [scan.reader.path_column], [leaf.column])
        table = self.run_files(scan.source, self)
        chosen = [entries.files[i] for i in table.column(FILE_NUMBER).to_pylist()]
        table = table.drop_columns([FILE_NUMBER])
        if leaf.listing == "tables" and table.num_columns > 1:
            raise UnsupportedFeatureError(
                "extract_columns_from_partition_format before read_delta_lake: a Delta table brings its partition "
                "columns itself. Remove the step, or put it after read_delta_lake to use the data files' paths."
            )
        source: Source = import_module(FORMATS[type(scan.reader)]).inspect(scan.reader, chosen)
        self.notices.extend(source.notices)
        return self._compose(scan, source, table, skipped)

    def _compose(self, scan: Scan, source: Source, constants: pa.Table, skipped: int) -> Resolved:
        leaf = _leaf(scan)
        assert scan.reader is not None
        extra = [name for name in constants.column_names if name != leaf.column]
        added = [constants.schema.field(name) for name in extra]
        values = constants.select(extra).columns
        path = [pa.field(leaf.column, pa.string())] if scan.reader.include_path_column else []
        if path:
            # Those of the data files: a Delta table has more of them than the one folder that was listed.
            values = [pa.array([file.path for file in source.files], pa.string()), *values]
        constants = pa.table(values, schema=pa.schema([*path, *added]))
        first = isinstance(scan.reader, model.ReadDelimited)
        data = list(source.schema)
        fields = [*path, *added, *data] if first else [*path, *data, *added]
        _refuse_clash([f.name for f in [*path, *added]], source.schema.names)
        return Resolved(source, constants, pa.schema(fields, metadata=source.schema.metadata), skipped)

    # ---------------------------------------------------------------- partition formats
    def partition_columns(self, node: PartitionColumns) -> pa.Table:
        """Return the values of a partition format: one row a file of the source below.

        Raises:
            ArgumentError: A path does not match and errors are not ignored.
        """
        key = replace(node, source=_without_steps(node))  # rules move steps, and the values stay the same
        if key not in self._partition_columns:
            self._partition_columns[key] = self._partition_values(key)
        return self._partition_columns[key]

    def matching_files(self, node: PartitionColumns) -> pa.Array | None:
        """Return which files match the format, or `None` for all; only with `ignore_errors` can some be left out."""
        if not node.ignore_errors:
            return None
        compiled = compile_format(node.partition_format)
        return pa.array([compiled.match(path) is not None for path in self._paths(node)], pa.bool_())

    def _paths(self, node: Plan) -> list[str]:
        leaf = _without_steps(node)
        files = self.scan(leaf).source.files if isinstance(leaf, Scan) else self.files(leaf).source.files
        return [file.path for file in files]

    def _partition_values(self, node: PartitionColumns) -> pa.Table:
        compiled = compile_format(node.partition_format)
        paths = self._paths(node)
        matches = [compiled.match(path) for path in paths]
        missed = [path for path, match in zip(paths, matches, strict=True) if match is None]
        if missed and not node.ignore_errors:
            raise ArgumentError(
                f"extract_columns_from_partition_format: {len(missed)} of {len(paths)} paths do not fit "
                f"{node.partition_format!r}: {listed(missed, 3)}. {compiled.why_not(missed[0])} Mend the format, or "
                "leave such files out with ignore_errors: true."
            )
        if missed:
            what = f"files left out, their paths do not match {node.partition_format!r}: {listed(missed, 5)}"
            self.notices.add(Notice(SkippedFilesWarning, "", len(missed), what))
        columns = []
        for name in node.names:
            values = [None if match is None else match[name] for match in matches]
            columns.append(_partition_array(values, typed=node.typed_as_text_file))
        return pa.table(columns, names=list(node.names))


def _partition_array(values: list[Any], *, typed: bool) -> pa.Array:
    if any(value is not None and not isinstance(value, str) for value in values):
        return pa.array(values, pa.timestamp("us"))
    if not typed:
        return pa.array(values, pa.string())
    from mltable_lite.formats.text_types import type_texts

    return type_texts(values)


def _leaf(plan: Plan) -> Files:
    leaf = list(plan.walk())[-1]
    assert isinstance(leaf, Files)
    return leaf


def _without_steps(plan: Plan) -> Scan | Files:
    """Return the leaf that a plan is over, without what was pushed into it."""
    leaf = next(node for node in plan.walk() if isinstance(node, Scan | Files))
    return Scan(leaf.source, leaf.reader) if isinstance(leaf, Scan) else leaf


def _refuse_clash(added: Sequence[str], names: Sequence[str]) -> None:
    clash = [name for name in added if name in names]
    if clash:
        raise ArgumentError(
            f"the data already has a column {clash[0]!r}, which include_path_column or a partition format adds. "
            "Set include_path_column: false or use another name in the partition format."
        )
