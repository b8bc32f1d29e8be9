"""Two steps of the same kind become one."""

from __future__ import annotations

from mltable_lite.expr import Literal, conjoin, fold
from mltable_lite.optimise.rewrite import everywhere
from mltable_lite.plan import Filter, Limit, Plan, Project, Skip


def merge(plan: Plan) -> Plan:
    """Merge neighbours of the same kind and remove steps that do nothing.

    Filter(Filter(x, a), b)  ->  Filter(x, a and b)
    Filter(x, True)          ->  x
    Project(Project(x))      ->  Project(x), the outer names
    Limit(Limit(x))          ->  Limit(x), the smaller
    Skip(Skip(x))            ->  Skip(x), the sum
    Skip(x, 0)               ->  x

    Two samples stay two: their draws are independent. A filter that is never true stays: the scan then skips every
    partition, and they are still counted.
    """
    return everywhere(plan, _merge)


def _merge(plan: Plan) -> Plan:
    match plan:
        case Filter(source=Filter() as inner):
            return Filter(inner.source, fold(conjoin([inner.predicate, plan.predicate])))
        case Filter(predicate=Literal(value=True)):
            return plan.source
        case Project(source=Project() as inner):
            return Project(inner.source, plan.columns)
        case Limit(source=Limit() as inner):
            return Limit(inner.source, min(plan.count, inner.count))
        case Skip(source=Skip() as inner):
            return Skip(inner.source, plan.count + inner.count)
        case Skip(count=0):
            return plan.source
    return plan
