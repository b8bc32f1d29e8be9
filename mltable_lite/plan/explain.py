"""Plan to text: one line a node, the input below its consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mltable_lite.plan.nodes import Plan


def explain(plan: Plan, indent: str = "  ") -> str:
    """Return the plan as indented lines, the last step first, the files last."""
    return "\n".join(indent * depth + node.describe() for depth, node in enumerate(plan.walk()))
