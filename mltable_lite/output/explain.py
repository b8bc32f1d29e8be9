"""A query to text: the plans, what was pushed into the scan, what stays and why, and what a run did."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mltable_lite.expr import Expr, columns_of, conjuncts, to_text
from mltable_lite.output.arrow import restarting
from mltable_lite.plan.explain import explain as plan_text

if TYPE_CHECKING:
    from mltable_lite.execute.query import Query

_INDENT = "  "


class Explanation(str):
    """A text that shows itself as it is at a prompt and in a notebook."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def explain(query: Query, *, analyze: bool) -> Explanation:
    """Return the logical and the optimised plan and what the scan will do; with `analyze`, also what it did."""
    run = _run_lines(query) if analyze else []  # first: a column that is widened there may change the plan
    parts = [
        "Logical plan",
        _indented(plan_text(query.logical)),
        "",
        "Optimised plan",
        _indented(plan_text(query.plan)),
    ]
    scan_lines = _scan_lines(query)
    if scan_lines:
        parts += ["", "Scan", *(_INDENT + line for line in scan_lines)]
    if analyze:
        parts += ["", "Run", *(_INDENT + line for line in run)]
    return Explanation("\n".join(parts))


def _indented(text: str) -> str:
    return "\n".join(_INDENT + line for line in text.splitlines())


def _scan_lines(query: Query) -> list[str]:
    scan = query.scan
    if scan is None:
        return []
    resolved = query.catalogue.scan(scan)
    source = resolved.source
    skipped = f", {resolved.names_skipped} other names skipped" if resolved.names_skipped else ""
    every = list(source.partitions())
    assert scan.columns is not None
    lines = [
        f"files       {len(source.files)}{skipped}",
        f"partitions  {len(every) if scan.partitions is None else f'{len(scan.partitions)} of {len(every)}'}",
        f"columns     {len(scan.columns)} of {len(resolved.schema.names)}",
    ]
    constant = set(resolved.constants.column_names)
    if scan.predicate is not None:
        ruled_out = sum(1 for partition in every if source.can_skip(partition, scan.predicate))
        lines += [
            f"predicate   {to_text(conjunct)}: {_how(conjunct, constant, source.pushdown)}"
            for conjunct in conjuncts(scan.predicate)
        ]
        if source.pushdown:
            lines.append(f"            {ruled_out} of {len(every)} partitions are ruled out unread")
    lines += [f"sample      {sampling}: drawn by row identity" for sampling in scan.samples]
    if scan.limit is not None:
        lines.append(f"limit       {scan.limit}: reading stops there")
    return lines


def _how(conjunct: Expr, constant: set[str], pushdown: str) -> str:
    columns = columns_of(conjunct)
    if columns and columns <= constant:
        return "decided per file, from its path"
    residual = "residual on decoded rows"
    if not pushdown:
        return f"{residual} (the format has no statistics)"
    return f"prunes by {pushdown}, {residual}"


def _run_lines(query: Query) -> list[str]:
    began = time.perf_counter()
    rows = restarting(query, lambda query: sum(block.batch.num_rows for block in query.blocks()))
    seconds = time.perf_counter() - began
    return [*query.stats.lines(), f"result      {rows} rows in {seconds:.3f} s"]
