"""The logical plan: frozen nodes that say what to do, never how.

A node compares, hashes, pickles and prints; plain values only, no I/O, no pyarrow. `None` means not set, `()` empty.

A plan is built without touching data (`plan.build`), bound to the schema of its sources (`plan.bind`: patterns and
drops become explicit names, expressions become typed), optimised (`optimise`) and executed (`execute`).

Its leaf is `Files`: a table with one stream column and one row a file. `Scan` reads the files of its input plan and
appends that plan's further columns (partition columns) to every row; so a filter on a partition column is an
ordinary filter on the table of files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from mltable_lite.expr import Expr, to_text
from mltable_lite.spec.model import Columns, Names, PathSpec, Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mltable_lite.types import DataType


@dataclass(frozen=True, slots=True)
class Plan:
    """The root of all nodes.

    Attributes:
        where: The place of the step in its MLTable file (``data/MLTable:4``), for errors; empty where there is none.
    """

    #: Whether the node treats each row by itself, so that partitions can be worked on in any order.
    row_wise: ClassVar[bool] = False

    where: str = field(default="", compare=False, repr=False, kw_only=True)

    @property
    def input(self) -> Plan | None:
        """The plan whose rows this node takes; `None` for a leaf."""
        return None

    def with_input(self, new: Plan) -> Plan:
        """Return this node over another input, or itself when nothing changed."""
        return self if new is self.input else replace(self, source=new)  # type: ignore[call-arg]

    def describe(self) -> str:
        """Return the node as one line, as `explain` prints it."""
        shown = (f.name for f in fields(self) if f.name not in ("source", "where"))
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def walk(self) -> Iterator[Plan]:
        """Yield this node and all below it, top down."""
        node: Plan | None = self
        while node is not None:
            yield node
            node = node.input


@dataclass(frozen=True, slots=True)
class Files(Plan):
    """The listed files: one row a file, one stream column called `column`.

    Attributes:
        listing: ``files``: folders and patterns become their files. ``places``: the same, but a ``file:`` entry that
            is a folder stands for itself, as nothing will read it. ``tables``: each entry is a folder that holds a
            table of its own (Delta), and is not listed further.
    """

    paths: tuple[PathSpec, ...]
    base: str = ""
    column: str = "Path"
    listing: Literal["files", "places", "tables"] = "files"

    def describe(self) -> str:
        """Return the paths as written."""
        return f"Files({', '.join(f'{p.kind}: {p.shown}' for p in self.paths)})"


@dataclass(frozen=True, slots=True)
class _Unary(Plan):
    source: Plan

    @property
    def input(self) -> Plan:
        return self.source


@dataclass(frozen=True, slots=True)
class Sampling:
    """A Bernoulli draw: rows whose hash of (seed, step, row identity) falls into [lower, upper).

    `step` is the number of the sampling step in the plan, so that two draws with one seed are independent.
    """

    lower: float
    upper: float
    seed: int
    step: int

    def __str__(self) -> str:
        return f"[{self.lower:g}, {self.upper:g}) seed {self.seed} step {self.step}"


@dataclass(frozen=True, slots=True)
class Scan(_Unary):
    """Read the files of the input plan.

    What rules push into a scan is done in this order: partitions, samples, predicate, limit, columns.

    Attributes:
        reader: The read step; `None` stands for the table of files itself, as execution sees it.
        columns: Output columns in output order; `None` for all.
        predicate: Applied to every row, exactly; partitions that statistics rule out are skipped.
        samples: Draws applied to every row, exactly.
        partitions: Numbers of the partitions to read; `None` for all.
        limit: A hint: the consumer takes no more than this many rows that pass everything above. The exact
            `Limit` stays above.
        new_columns: Whether a column that only some later row brings would be part of the result: not so where a
            step keeps columns by name.
        texts: Columns that a step above makes texts of before any other looks at them. Where a format gives values of
            several kinds as text, each is then written as that step writes it, not as the format does.
    """

    row_wise: ClassVar[bool] = True
    reader: Reader | None
    columns: tuple[str, ...] | None = None
    predicate: Expr | None = None
    samples: tuple[Sampling, ...] = ()
    partitions: tuple[int, ...] | None = None
    limit: int | None = None
    new_columns: bool = True
    texts: tuple[str, ...] = ()

    def describe(self) -> str:
        """Return what is read and what was pushed."""
        parts = [type(self.reader).__name__]
        if self.partitions is not None:
            parts.append(f"partitions={list(self.partitions)}")
        parts += [f"sample={s}" for s in self.samples]
        if self.predicate is not None:
            parts.append(f"predicate={to_text(self.predicate)}")
        if self.limit is not None:
            parts.append(f"limit={self.limit}")
        parts.append("columns=all" if self.columns is None else f"columns=[{', '.join(self.columns)}]")
        return f"Scan({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Filter(_Unary):
    """Keep rows for which the predicate is true; null is not true. `text` is how it was written, for errors."""

    row_wise: ClassVar[bool] = True
    predicate: Expr
    text: str = field(default="", compare=False)

    def describe(self) -> str:
        """Return the predicate in the filter language."""
        return f"Filter({to_text(self.predicate)})"


@dataclass(frozen=True, slots=True)
class Project(_Unary):
    """Keep (or with `drop` leave out) columns; the input's order stays. Bound: `columns` are names, `drop` False."""

    row_wise: ClassVar[bool] = True
    columns: Columns
    drop: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The kept names of a bound projection."""
        assert isinstance(self.columns, Names)
        assert not self.drop
        return self.columns.names

    def describe(self) -> str:
        """Return the names or the pattern."""
        shown = (
            ", ".join(self.columns.names)
            if isinstance(self.columns, Names)
            else f"/{self.columns.pattern}/{'i' * self.columns.ignore_case}{' inverted' * self.columns.invert}"
        )
        return f"{'Drop' if self.drop else 'Project'}({shown})"


@dataclass(frozen=True, slots=True)
class Convert(_Unary):
    """Convert columns, item by item in order. Bound: every item names its columns."""

    row_wise: ClassVar[bool] = True
    items: tuple[tuple[Columns, DataType], ...]

    def describe(self) -> str:
        """Return ``columns: type`` pairs."""

        def columns(c: Columns) -> str:
            return ", ".join(c.names) if isinstance(c, Names) else f"/{c.pattern}/"

        return f"Convert({'; '.join(f'{columns(c)}: {t.name}' for c, t in self.items)})"


@dataclass(frozen=True, slots=True)
class Limit(_Unary):
    """The first `count` rows."""

    count: int

    def describe(self) -> str:
        """Return the count."""
        return f"Limit({self.count})"


@dataclass(frozen=True, slots=True)
class Skip(_Unary):
    """All but the first `count` rows."""

    count: int

    def describe(self) -> str:
        """Return the count."""
        return f"Skip({self.count})"


@dataclass(frozen=True, slots=True)
class Sample(_Unary):
    """A Bernoulli draw by row identity."""

    row_wise: ClassVar[bool] = True
    sampling: Sampling

    def describe(self) -> str:
        """Return the draw."""
        return f"Sample({self.sampling})"


@dataclass(frozen=True, slots=True)
class SelectPartitions(_Unary):
    """The partitions with these numbers, counted over the partitions that the input still has."""

    indices: tuple[int, ...]

    def describe(self) -> str:
        """Return the numbers."""
        return f"SelectPartitions({', '.join(map(str, self.indices))})"


@dataclass(frozen=True, slots=True)
class PartitionColumns(_Unary):
    """Append the columns that a partition format finds in each row's path.

    `typed_as_text_file` tells that values are typed by the rules of delimited text, as before ``read_delimited``.
    """

    row_wise: ClassVar[bool] = True
    partition_format: str
    names: tuple[str, ...]
    ignore_errors: bool = False
    typed_as_text_file: bool = False

    def describe(self) -> str:
        """Return the format."""
        return f"PartitionColumns({self.partition_format} -> {', '.join(self.names)})"
