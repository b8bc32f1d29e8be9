"""Predicates move towards the files."""

from __future__ import annotations

from dataclasses import replace

from mltable_lite.expr import Expr, can_fail, columns_of, conjoin, conjuncts
from mltable_lite.optimise.rewrite import everywhere
from mltable_lite.plan import Convert, Filter, PartitionColumns, Plan, Project, Scan
from mltable_lite.spec.model import Names


def push_predicate(plan: Plan) -> Plan:
    """Move filters under steps that do not change what they look at, and into the scan.

    Filter(Project(x))           ->  Project(Filter(x))
    Filter(Convert(x))           ->  the conjuncts on columns that are not converted go below
    Filter(PartitionColumns(x))  ->  the conjuncts on other columns go below
    Filter(Scan)                 ->  Scan(predicate and this one)

    No predicate crosses Limit or Skip. It does not cross Sample either: samples are cheaper and go first.
    A conjunct that can fail on a row (a division) stays behind the conjuncts written before it, which may guard it.
    """
    return everywhere(plan, _push)


def _push(plan: Plan) -> Plan:
    match plan:
        case Filter(source=Project() as inner):
            return inner.with_input(Filter(inner.source, plan.predicate))
        case Filter(source=Convert() as inner):
            return _split(plan, inner, _converted(inner))
        case Filter(source=PartitionColumns() as inner):
            return _split(plan, inner, frozenset(inner.names))
        case Filter(source=Scan(limit=None) as scan):
            both = [plan.predicate] if scan.predicate is None else [scan.predicate, plan.predicate]
            return replace(scan, predicate=conjoin(both))
    return plan


def _converted(node: Convert) -> frozenset[str]:
    return frozenset(
        name for columns, _ in node.items if isinstance(columns, Names) for name in columns.names
    )


def _split(plan: Filter, inner: Convert | PartitionColumns, changed: frozenset[str]) -> Plan:
    below: list[Expr] = []
    above: list[Expr] = []
    for conjunct in conjuncts(plan.predicate):
        stays = bool(columns_of(conjunct) & changed) or (bool(above) and can_fail(conjunct))
        (above if stays else below).append(conjunct)
    if not below:
        return plan
    pushed = inner.with_input(Filter(inner.source, conjoin(below)))
    return Filter(pushed, conjoin(above)) if above else pushed
