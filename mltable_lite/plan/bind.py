"""Binding: a plan meets the schema of its sources, before any data file is read.

Patterns and drops become explicit names, filters become typed, missing columns become errors. A bound plan needs no
further look-up: `output_columns` of every node follows from the plan alone, so rules stay pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mltable_lite.errors import (
    ArgumentError,
    ColumnNotFoundError,
    FilterTypeError,
    MissingColumnWarning,
    NoColumnsError,
    Notice,
    Notices,
)
from mltable_lite.expr import bind as bind_expression
from mltable_lite.expr import columns_of, fold, show_place
from mltable_lite.plan import nodes
from mltable_lite.spec.model import Columns, NamePattern, Names
from mltable_lite.types import DataType, Field, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a conversion makes of a column, as far as plans need to know.
CONVERTED_KINDS = {
    "int": Kind.INTEGER,
    "float": Kind.FLOAT,
    "string": Kind.STRING,
    "boolean": Kind.BOOLEAN,
    "datetime": Kind.DATETIME,
    "stream_info": Kind.STREAM,
}


class Sources(Protocol):
    """Who knows the schemas; `execute` implements it by listing and inspecting files."""

    def scan_fields(self, scan: nodes.Scan) -> Sequence[Field]:
        """Return all columns that the scan of a bound input can give, in output order."""

    def partition_fields(self, node: nodes.PartitionColumns) -> Sequence[Field]:
        """Return the columns that a partition format adds to its bound input."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound plan, its output columns, and what is worth a warning."""

    plan: nodes.Plan
    fields: tuple[Field, ...]
    notices: Notices


def bind(plan: nodes.Plan, sources: Sources) -> Bound:
    """Return the bound plan.

    Errors begin with the place of the step in its MLTable file, where there is one.

    Raises:
        ColumnNotFoundError: A step names a column that is not there.
        NoColumnsError: A step leaves no column.
        FilterTypeError: A filter compares kinds that do not compare.
        ArgumentError: A partition column has the name of another column.
    """
    notices = Notices()
    bound, fields = _bind(plan, sources, notices, new_columns=True)
    return Bound(_with_texts(bound), fields, notices)


def output_columns(plan: nodes.Plan) -> tuple[str, ...]:
    """Return the names of a bound plan's output columns, in order."""
    match plan:
        case nodes.Files():
            return (plan.column,)
        case nodes.Scan():
            assert plan.columns is not None, "the plan is not bound"
            return plan.columns
        case nodes.Project():
            return plan.names
        case nodes.PartitionColumns():
            return output_columns(plan.input) + plan.names
        case _:
            assert plan.input is not None
            return output_columns(plan.input)


def _bind(
    plan: nodes.Plan, sources: Sources, notices: Notices, *, new_columns: bool
) -> tuple[nodes.Plan, tuple[Field, ...]]:
    """Bind a plan from its leaf upwards; `new_columns` tells whether the steps above let unknown columns through."""
    if isinstance(plan, nodes.Files):
        return plan, (Field(plan.column, Kind.STREAM),)
    assert plan.input is not None
    by_name = isinstance(plan, nodes.Project) and not plan.drop and isinstance(plan.columns, Names)
    below = _bind(plan.input, sources, notices, new_columns=new_columns and not by_name)
    try:
        return _bind_node(plan, below, sources, notices, new_columns=new_columns)
    except (ArgumentError, ColumnNotFoundError, FilterTypeError, NoColumnsError) as error:
        error.put_before(plan.where)
        raise


def _bind_node(
    plan: nodes.Plan,
    below: tuple[nodes.Plan, tuple[Field, ...]],
    sources: Sources,
    notices: Notices,
    *,
    new_columns: bool,
) -> tuple[nodes.Plan, tuple[Field, ...]]:
    """Bind one node over its bound input."""
    source, fields = below
    names = [field.name for field in fields]
    match plan:
        case nodes.Scan():
            scan = replace(plan, source=source)
            found = tuple(sources.scan_fields(scan))
            columns = tuple(field.name for field in found)
            return replace(scan, columns=columns, new_columns=new_columns), found
        case nodes.Filter():
            try:
                predicate = fold(bind_expression(plan.predicate, fields))
            except (ColumnNotFoundError, FilterTypeError) as error:
                if isinstance(error, FilterTypeError):
                    error.columns = tuple(sorted(columns_of(plan.predicate) - _converted(source)))
                if plan.text:
                    show_place(error, plan.text)
                raise
            return replace(plan, source=source, predicate=predicate), fields
        case nodes.Project():
            kept = _drop(plan, names, notices) if plan.drop else _keep(plan.columns, names)
            if not kept and names:
                step = "drop_columns" if plan.drop else "keep_columns"
                raise NoColumnsError(
                    f"{step}: no column is left; the table had {', '.join(names)}. Keep at least one."
                )
            kept_fields = tuple(field for field in fields if field.name in kept)
            return nodes.Project(source, Names(tuple(kept))), kept_fields
        case nodes.Convert():
            items, converted = _convert(plan.items, fields)
            return (replace(plan, source=source, items=items), converted) if items else (source, fields)
        case nodes.PartitionColumns():
            node = replace(plan, source=source)
            clash = sorted(set(node.names) & set(names))
            if clash:
                raise ArgumentError(
                    f"extract_columns_from_partition_format: the table already has a column {clash[0]!r}; "
                    f"use another name in the format {plan.partition_format!r}."
                )
            return node, fields + tuple(sources.partition_fields(node))
        case _:
            return plan.with_input(source), fields


def _with_texts(plan: nodes.Plan) -> nodes.Plan:
    """Return a bound plan whose scan knows its `texts`."""
    chain = list(plan.walk())
    seen: set[str] = set()
    texts: list[str] = []
    for node in reversed(chain):
        match node:
            case nodes.Filter():
                seen |= columns_of(node.predicate)
            case nodes.Convert():
                for columns, target in node.items:
                    assert isinstance(columns, Names)
                    if target.name == "string":
                        texts += [name for name in columns.names if name not in seen]
                    seen.update(columns.names)
    for place, node in enumerate(chain):
        if isinstance(node, nodes.Scan) and texts:
            changed: nodes.Plan = replace(node, texts=tuple(texts))
            for above in reversed(chain[:place]):
                changed = above.with_input(changed)
            return changed
    return plan


def _converted(plan: nodes.Plan) -> set[str]:
    """Return the columns whose types the (bound) plan sets."""
    converts = (node for node in plan.walk() if isinstance(node, nodes.Convert))
    items = [columns for node in converts for columns, _ in node.items]
    return {name for columns in items if isinstance(columns, Names) for name in columns.names}


def _matching(pattern: NamePattern, names: Sequence[str]) -> list[str]:
    expression = re.compile(pattern.pattern, re.IGNORECASE if pattern.ignore_case else 0)
    return [name for name in names if (expression.search(name) is None) == pattern.invert]


def _keep(columns: Columns, names: Sequence[str]) -> list[str]:
    """Return the kept names in the table's order."""
    if isinstance(columns, NamePattern):
        return _matching(columns, names)
    _require("keep_columns", columns.names, names)
    wanted = set(columns.names)
    return [name for name in names if name in wanted]


def _drop(plan: nodes.Project, names: Sequence[str], notices: Notices) -> list[str]:
    columns = plan.columns
    if isinstance(columns, NamePattern):
        dropped = set(_matching(columns, names))
    else:
        dropped = set(columns.names)
        for missing in (name for name in columns.names if name not in names):
            text = str(ColumnNotFoundError("drop_columns", [missing], names))
            what = "column to drop is not there"
            notices.add(Notice(MissingColumnWarning, missing, 1, what, where=plan.where, fix=text))
    return [name for name in names if name not in dropped]


def _require(step: str, wanted: Sequence[str], names: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ColumnNotFoundError(step, missing, names)


def _convert(
    items: Sequence[tuple[Columns, DataType]], fields: tuple[Field, ...]
) -> tuple[tuple[tuple[Columns, DataType], ...], tuple[Field, ...]]:
    names = [field.name for field in fields]
    bound: list[tuple[Columns, DataType]] = []
    kinds: dict[str, Kind] = {}
    for columns, target in items:
        if isinstance(columns, NamePattern):
            chosen = tuple(_matching(columns, names))
        else:
            chosen = tuple(dict.fromkeys(columns.names))
            _require("convert_column_types", chosen, names)
        if chosen:
            bound.append((Names(chosen), target))
            kinds.update(dict.fromkeys(chosen, CONVERTED_KINDS[target.name]))
    converted = tuple(Field(f.name, kinds[f.name]) if f.name in kinds else f for f in fields)
    return tuple(bound), converted
