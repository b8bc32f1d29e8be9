"""The rules in their order, and the loop that applies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mltable_lite.optimise.merge import merge
from mltable_lite.optimise.push_limit import push_limit
from mltable_lite.optimise.push_partitions import push_partitions
from mltable_lite.optimise.push_predicate import push_predicate
from mltable_lite.optimise.push_projection import push_projection
from mltable_lite.optimise.push_sample import push_sample
from mltable_lite.plan import Plan

Rule = Callable[[Plan], Plan]

#: Every rule, in the order of one round. The result does not depend on the order, the number of rounds does.
RULES: tuple[Rule, ...] = (merge, push_limit, push_sample, push_partitions, push_predicate, push_projection)

#: Each round moves every node at least one place down or stops, so a plan needs fewer rounds than it has nodes.
_MOST_ROUNDS = 1000


def optimise(plan: Plan, rules: Sequence[Rule] = RULES) -> Plan:
    """Return a bound plan with the same rows in the same order that reads less.

    Rules are applied in rounds until a round changes nothing. A rule gives the same object back when it has nothing
    to do, so that is a cheap test.
    """
    for _ in range(_MOST_ROUNDS):
        before = plan
        for rule in rules:
            plan = rule(plan)
        if plan is before:
            return plan
    raise AssertionError("rules undo each other")
