"""Only columns that someone needs are decoded."""

from __future__ import annotations

from dataclasses import replace

from mltable_lite.expr import columns_of
from mltable_lite.plan import Convert, Filter, PartitionColumns, Plan, Project, Scan, output_columns
from mltable_lite.spec.model import Names


def push_projection(plan: Plan) -> Plan:
    """Give every scan the columns that the steps above it need, and remove projections that this makes idle.

    Project(... Scan(columns))          ->  Scan(the columns named above, and those of filters on the way)
    Convert(x, items)                   ->  only the items whose columns are needed
    Project(x) with the columns of x    ->  x

    Filters inside the scan see their columns without the scan giving them out. At least one column always stays:
    a batch without columns would forget how many rows it has.
    """
    return _narrow(plan, None)


def _narrow(plan: Plan, needed: frozenset[str] | None) -> Plan:
    match plan:
        case Scan():
            columns = output_columns(plan)
            kept = (
                columns
                if needed is None
                else tuple(name for name in columns if name in needed) or columns[:1]
            )
            return plan if kept == columns else replace(plan, columns=kept)
        case Project():
            names = plan.names
            if needed is not None:
                names = tuple(name for name in names if name in needed) or names[:1]
            source = _narrow(plan.source, frozenset(names))
            if output_columns(source) == names:
                return source
            return plan.with_input(source) if names == plan.names else Project(source, Names(names))
        case Filter():
            below = None if needed is None else needed | columns_of(plan.predicate)
            return plan.with_input(_narrow(plan.source, below))
        case Convert():
            return _narrow_convert(plan, needed)
        case PartitionColumns():
            below = None if needed is None else needed - frozenset(plan.names)
            return plan.with_input(_narrow(plan.source, below))
    return plan if plan.input is None else plan.with_input(_narrow(plan.input, needed))


def _narrow_convert(plan: Convert, needed: frozenset[str] | None) -> Plan:
    source = _narrow(plan.source, needed)
    if needed is None:
        return plan.with_input(source)
    items = []
    for columns, target in plan.items:
        assert isinstance(columns, Names)
        names = tuple(name for name in columns.names if name in needed)
        if names:
            items.append((columns if names == columns.names else Names(names), target))
    if not items:
        return source
    if all(a[0] is b[0] for a, b in zip(items, plan.items, strict=False)) and len(items) == len(plan.items):
        return plan.with_input(source)
    return replace(plan, source=source, items=tuple(items))
