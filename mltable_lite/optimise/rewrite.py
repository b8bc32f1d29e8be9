"""How rules that look at one place at a time are applied to a whole plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mltable_lite.plan import Plan, Scan

if TYPE_CHECKING:
    from collections.abc import Callable


def everywhere(plan: Plan, rewrite: Callable[[Plan], Plan]) -> Plan:
    """Return the plan with `rewrite` applied to each node, top down, again where it changed something.

    `rewrite` gives the same object back when it has nothing to do. What chooses a scan's files stays as it is: binding
    has executed it, with its warnings, and the scan is known by it.
    """
    while (changed := rewrite(plan)) is not plan:
        plan = changed
    if plan.input is None or isinstance(plan, Scan):
        return plan
    return plan.with_input(everywhere(plan.input, rewrite))
