"""One pair: data files and an MLTable file, to be read by both libraries."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Commit:
    """One version of a Delta table: rows that are written, or a predicate of rows that are deleted."""

    rows: pa.Table | None = None
    delete: str = ""
    mode: str = "append"
    partition_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A pair.

    Attributes:
        number: The seed that it was made from.
        kind: ``delimited``, ``json_lines``, ``parquet`` or ``delta_lake``.
        files: Bytes, or a table for a Parquet file, or commits for the folder of a Delta table; in reading order.
        paths: The entries of ``paths``; by default the files one by one.
        before: Steps before the read step.
        options: The options of the read step.
        steps: Steps after it.
    """

    number: int
    kind: str
    files: dict[str, bytes | pa.Table | tuple[Commit, ...]]
    paths: tuple[dict[str, str], ...] = ()
    before: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    steps: tuple[dict[str, Any], ...] = ()

    def read_only(self, **options: Any) -> Case:
        """Return the pair without the steps after the read step, with other options; `None` removes one."""
        changed = {name: value for name, value in {**self.options, **options}.items() if value is not None}
        return replace(self, options=changed, steps=())

    def first_steps(self, count: int) -> Case:
        """Return the pair with only so many of the steps after the read step."""
        return replace(self, steps=self.steps[:count])

    @property
    def text(self) -> str:
        """The MLTable file."""
        kind = "folder" if self.kind == "delta_lake" else "file"
        paths = list(self.paths) or [{kind: f"./{name}"} for name in self.files]
        steps = [*self.before, {f"read_{self.kind}": self.options}, *self.steps]
        return yaml.safe_dump({"paths": paths, "transformations": steps}, sort_keys=False, allow_unicode=True)

    def write(self, folder: Path) -> None:
        """Write everything into a folder, which is emptied before."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif isinstance(content, pa.Table):
                pq.write_table(content, path)
            else:
                _write_delta(content, path)
        self.write_mltable(folder)

    def write_mltable(self, folder: Path) -> None:
        """Write the MLTable file only."""
        (folder / "MLTable").write_text(self.text, encoding="utf-8")


def _write_delta(commits: tuple[Commit, ...], path: Path) -> None:
    from deltalake import DeltaTable, write_deltalake

    for commit in commits:
        if commit.rows is None:
            DeltaTable(path).delete(commit.delete)
        else:
            by = list(commit.partition_by) or None
            write_deltalake(path, commit.rows, mode=commit.mode, schema_mode="merge", partition_by=by)
