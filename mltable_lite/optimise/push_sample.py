"""Samples move towards the files."""

from __future__ import annotations

from dataclasses import replace

from mltable_lite.optimise.rewrite import everywhere
from mltable_lite.plan import Convert, Filter, PartitionColumns, Plan, Project, Sample, Scan, SelectPartitions


def push_sample(plan: Plan) -> Plan:
    """Move samples under every step that treats rows one by one, into the scan.

    A draw depends on the row's identity alone, so it commutes with filters, columns and conversions.

    Sample(Filter | Project | Convert | PartitionColumns | SelectPartitions (x))  ->  the same over Sample(x)
    Sample(Scan)                                                                  ->  Scan(samples + this one)

    Not through Limit or Skip: the draw is over the rows that they leave.
    """
    return everywhere(plan, _push)


def _push(plan: Plan) -> Plan:
    match plan:
        case Sample(
            source=Filter() | Project() | Convert() | PartitionColumns() | SelectPartitions() as inner
        ):
            return inner.with_input(Sample(inner.source, plan.sampling))
        case Sample(source=Scan(limit=None) as scan):
            return replace(scan, samples=(*scan.samples, plan.sampling))
    return plan
