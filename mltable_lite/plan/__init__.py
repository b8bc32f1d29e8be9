"""The logical plan: nodes, how a spec becomes one, how it is bound to the schema of its sources."""

from mltable_lite.plan.bind import Bound, Sources, bind, output_columns
from mltable_lite.plan.build import build
from mltable_lite.plan.nodes import (
    Convert,
    Files,
    Filter,
    Limit,
    PartitionColumns,
    Plan,
    Project,
    Sample,
    Sampling,
    Scan,
    SelectPartitions,
    Skip,
)

__all__ = [
    "Bound",
    "Convert",
    "Files",
    "Filter",
    "Limit",
    "PartitionColumns",
    "Plan",
    "Project",
    "Sample",
    "Sampling",
    "Scan",
    "SelectPartitions",
    "Skip",
    "Sources",
    "bind",
    "build",
    "output_columns",
]
