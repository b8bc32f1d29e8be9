"""How rules that look at one place at a time are applied to a whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mltable_lite.plan import Plan


def everywhere(plan: Plan, rewrite: Callable[[Plan], Plan]) -> Plan:
    """Return the plan with `rewrite` applied to each node, top down, again where it changed something.

    `rewrite` gives the same object back when it has nothing to do.
    """
    while (changed := rewrite(plan)) is not plan:
        plan = changed
    if plan.input is None:
        return plan
    return plan.with_input(everywhere(plan.input, rewrite))
