"""Selected partitions move into the scan."""

from __future__ import annotations

from dataclasses import replace

from mltable_lite.optimise.rewrite import everywhere
from mltable_lite.plan import Convert, Filter, PartitionColumns, Plan, Project, Sample, Scan, SelectPartitions


def push_partitions(plan: Plan) -> Plan:
    """Move a selection of partitions into the scan, so that others are not read.

    SelectPartitions(Filter | Project | Convert | PartitionColumns | Sample (x))  ->  the same over SelectPartitions(x)
    SelectPartitions(Scan)                                                        ->  Scan(partitions)

    Filters and samples keep a partition even when none of its rows is left, so numbers mean the same on both sides.
    Not through Limit or Skip, which take partitions away; not into a scan that already has a selection.
    """
    return everywhere(plan, _push)


def _push(plan: Plan) -> Plan:
    match plan:
        case SelectPartitions(source=Filter() | Project() | Convert() | PartitionColumns() as inner):
            return inner.with_input(SelectPartitions(inner.source, plan.indices))
        case SelectPartitions(source=Sample(source=Scan() | SelectPartitions()) as inner):
            # Above anything else the two would trade places for ever: push_sample moves the other way.
            return inner.with_input(SelectPartitions(inner.source, plan.indices))
        case SelectPartitions(source=Scan(partitions=None, limit=None) as scan):
            return replace(scan, partitions=plan.indices)
    return plan
