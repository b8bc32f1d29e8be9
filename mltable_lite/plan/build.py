"""TableSpec to plan: the only place that translates MLTable's words into plan words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal

from mltable_lite.errors import ArgumentError, UnsupportedFeatureError
from mltable_lite.expr import parse
from mltable_lite.plan import nodes
from mltable_lite.plan.partition_format import compile_format
from mltable_lite.spec import model
from mltable_lite.spec.rules import too_many_readers

if TYPE_CHECKING:
    from collections.abc import Callable

_READERS = (model.ReadDelimited, model.ReadParquet, model.ReadJsonLines, model.ReadDeltaLake)


def build(spec: model.TableSpec) -> nodes.Plan:
    """Return the plan of a spec, unbound: no file is touched.

    Steps before the read step work on the table of files (``take: 1`` takes the first file), steps after it on rows.
    Without a read step the table of files is the result.

    Raises:
        UnsupportedFeatureError: The table comes from a database.
        ArgumentError: There is more than one read step, or a partition format is malformed.
        FilterSyntaxError: A filter is not in the filter language.
    """
    if spec.query_source is not None:
        raise UnsupportedFeatureError(
            f"{spec.source}: query_source is understood but not executed: databases cannot be read yet. Export the "
            "query's result to files and name them in paths."
        )
    readers = [step for step in spec.steps if isinstance(step, _READERS)]
    names = [re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(reader).__name__).lower() for reader in readers]
    if wrong := too_many_readers(names):
        raise ArgumentError(f"{spec.source}: {wrong}")
    reader = readers[0] if readers else None
    listing: Literal["files", "places", "tables"] = "places" if reader is None else "files"
    if isinstance(reader, model.ReadDeltaLake):
        listing = "tables"
    plan: nodes.Plan = nodes.Files(spec.paths, spec.base, listing=listing)
    draws = 0
    for step, line in zip_longest(spec.steps, spec.step_lines):
        above = _TRANSLATE[type(step)](plan, step, _Place(reader, draws))
        plan = above if line is None or above is plan else replace(above, where=f"{spec.source}:{line}")
        draws += isinstance(step, model.TakeRandomSample | model.Sample)
    return plan


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a step stands: the read step of its table, and how many sampling steps come before it.

    Samples are numbered among themselves, so that a filter put before one does not change its draw.
    """

    reader: model.Reader | None
    draws: int


def _scan(plan: nodes.Plan, step: Any, _: _Place) -> nodes.Plan:
    return nodes.Scan(plan, step)


def _filter(plan: nodes.Plan, step: model.Filter, _: _Place) -> nodes.Plan:
    return nodes.Filter(plan, parse(step.expression), step.expression)


def _keep(plan: nodes.Plan, step: model.KeepColumns, _: _Place) -> nodes.Plan:
    return nodes.Project(plan, step.columns)


def _drop(plan: nodes.Plan, step: model.DropColumns, _: _Place) -> nodes.Plan:
    return nodes.Project(plan, step.columns, drop=True)


def _convert(plan: nodes.Plan, step: model.ConvertColumnTypes, _: _Place) -> nodes.Plan:
    items = tuple((item.columns, item.target) for item in step.items)
    return nodes.Convert(plan, items) if items else plan


def _take(plan: nodes.Plan, step: model.Take, _: _Place) -> nodes.Plan:
    return nodes.Limit(plan, step.count)


def _skip(plan: nodes.Plan, step: model.Skip, _: _Place) -> nodes.Plan:
    return nodes.Skip(plan, step.count)


def _take_sample(plan: nodes.Plan, step: model.TakeRandomSample, place: _Place) -> nodes.Plan:
    return nodes.Sample(plan, nodes.Sampling(0.0, step.probability, step.seed, place.draws))


def _sample(plan: nodes.Plan, step: model.Sample, place: _Place) -> nodes.Plan:
    return nodes.Sample(plan, nodes.Sampling(step.lower, step.upper, step.seed, place.draws))


def _select(plan: nodes.Plan, step: model.SelectPartitions, _: _Place) -> nodes.Plan:
    return nodes.SelectPartitions(plan, tuple(sorted(set(step.indices))))


def _partition_columns(plan: nodes.Plan, step: model.ExtractPartitionColumns, place: _Place) -> nodes.Plan:
    typed = isinstance(place.reader, model.ReadDelimited) and place.reader.infer_column_types is not False
    return nodes.PartitionColumns(
        plan, step.partition_format, compile_format(step.partition_format).names, step.ignore_errors, typed
    )


_TRANSLATE: dict[type, Callable[[nodes.Plan, Any, _Place], nodes.Plan]] = {
    **dict.fromkeys(_READERS, _scan),
    model.Filter: _filter,
    model.KeepColumns: _keep,
    model.DropColumns: _drop,
    model.ConvertColumnTypes: _convert,
    model.Take: _take,
    model.Skip: _skip,
    model.TakeRandomSample: _take_sample,
    model.Sample: _sample,
    model.SelectPartitions: _select,
    model.ExtractPartitionColumns: _partition_columns,
}
