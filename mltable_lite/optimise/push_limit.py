"""Limits move towards the files."""

from __future__ import annotations

from dataclasses import replace

from mltable_lite.optimise.rewrite import everywhere
from mltable_lite.plan import Convert, Limit, PartitionColumns, Plan, Project, Scan, Skip


def push_limit(plan: Plan) -> Plan:
    """Move limits under steps that keep every row, and hint the scan; the Limit stays, for the exact count.

    Limit(Project | Convert | PartitionColumns (x))  ->  the same over Limit(x)
    Limit(Skip(x, k), n)                             ->  Skip(Limit(x, n + k), k)
    Limit(Scan, n)                                   ->  Limit(Scan(limit=n), n)

    Not through Filter or Sample: they change which rows come first. Not through SelectPartitions: it counts
    partitions of its own input.
    """
    return everywhere(plan, _push)


def _push(plan: Plan) -> Plan:
    match plan:
        case Limit(source=Project() | Convert() | PartitionColumns() as inner):
            return inner.with_input(Limit(inner.source, plan.count))
        case Limit(source=Skip() as inner):
            return Skip(Limit(inner.source, plan.count + inner.count), inner.count)
        case Limit(source=Scan(limit=limit) as scan) if limit is None or limit > plan.count:
            return replace(plan, source=replace(scan, limit=plan.count))
    return plan
