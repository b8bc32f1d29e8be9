"""Plan to an equivalent, cheaper plan: rules applied until nothing changes."""

from mltable_lite.optimise.pipeline import RULES, optimise

__all__ = ["RULES", "optimise"]
