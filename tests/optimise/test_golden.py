"""Golden plans: one text file a rule, each case a spec, its plan, and what the optimiser makes of it.

Write a new case without its plans and run ``pytest tests/optimise/test_golden.py --update-golden`` to see them.
"""

import re
from pathlib import Path

import pytest

from mltable_lite.optimise import optimise
from mltable_lite.plan import bind, build
from mltable_lite.plan.explain import explain
from mltable_lite.spec import parse_text
from mltable_lite.types import Field, Kind

GOLDEN = Path(__file__).parent.parent / "golden"


class Columns:
    """The schema of every scan, as the case says it."""

    def __init__(self, text):
        pairs = (pair.split() for pair in text.split(","))
        self.fields = [Field(name, Kind(kind)) for name, kind in pairs]

    def scan_fields(self, scan):
        return self.fields

    def partition_fields(self, node):
        return [Field(name, Kind.STRING) for name in node.names]


def plans(case):
    """Return the case's text with its plans as they are now."""
    head = re.split(r"\n(?:-->|\Z)", case)[0].strip("\n")
    _title, columns, *steps = head.split("\n")
    yaml = "paths: [{pattern: '*.parquet'}]\ntransformations:\n" + "\n".join(steps)
    spec, _ = parse_text(yaml, source="MLTable", base="/data")
    bound = bind(build(spec), Columns(columns.removeprefix("columns:"))).plan
    return f"{head}\n--> plan\n{explain(bound)}\n--> optimised\n{explain(optimise(bound))}\n"


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.txt")), ids=lambda path: path.stem)
def test_the_optimised_plan_is_the_golden_one(path, request):
    text = path.read_text()
    intro, *cases = re.split(r"^(?=== )", text, flags=re.MULTILINE)
    now = intro + "\n".join(plans(case) for case in cases)
    if request.config.getoption("--update-golden"):
        path.write_text(now)
    assert now == text


def test_a_rule_gives_the_same_object_back_when_it_has_nothing_to_do():
    spec, _ = parse_text(
        "paths: [{file: a.parquet}]\ntransformations: [read_parquet, {take: 3}, {filter: 'a > 1'}]",
        source="MLTable",
        base="/data",
    )
    plan = optimise(bind(build(spec), Columns("a integer")).plan)
    assert optimise(plan) is plan
