"""MLTable text -> TableSpec: read, validate, and one function for every construct."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from mltable_lite.spec.model import (
    Columns,
    Conversion,
    ConvertColumnTypes,
    DropColumns,
    ExtractPartitionColumns,
    Filter,
    InferTypes,
    KeepColumns,
    NamePattern,
    Names,
    PathSpec,
    ReadDelimited,
    ReadDeltaLake,
    ReadJsonLines,
    ReadParquet,
    Sample,
    SelectPartitions,
    Skip,
    Step,
    TableSpec,
    Take,
    TakeRandomSample,
    Traits,
)
from mltable_lite.spec.read import read
from mltable_lite.spec.validate import validate
from mltable_lite.types import DataType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.errors import Notices
    from mltable_lite.spec.read import Node
    from mltable_lite.spec.rules import Rules

_LARGEST_SEED = 2**31


def parse_text(
    text: str | bytes, *, source: str, base: str, rules: Rules | None = None
) -> tuple[TableSpec, Notices]:
    """Return the spec in an MLTable text and a notice of every lenient form in it.

    Args:
        text: The content of the file; bytes are UTF-8.
        source: How error texts call the file.
        base: The absolute folder or URI that relative paths are relative to.
        rules: What the texts in it must be besides texts, by the name that the schema gives each rule.

    Raises:
        SpecError: The text is no YAML ("MLTable yaml is invalid") or no MLTable ("Given MLTable does not adhere to").
    """
    root, notices = validate(read(text, source), source, rules or {})
    return _table(root, source, base), notices


def drawn_seed() -> int:
    """Return a new seed, for a sampling step that gives none."""
    return random.SystemRandom().randrange(_LARGEST_SEED)


def _table(root: Node, source: str, base: str) -> TableSpec:
    """Return the spec of a tree that fits the schema."""

    def line(*path: str | int) -> int:
        return root.at(path).place.line

    mapping = root.plain()
    schema = mapping.get("$schema")
    steps = mapping.get("transformations", [])
    paths = enumerate(mapping.get("paths", []))
    return TableSpec(
        paths=tuple(
            PathSpec(kind, value, line("paths", i)) for i, entry in paths for kind, value in entry.items()
        ),
        steps=tuple(_step(step) for step in steps),
        base=base,
        query_source=mapping.get("query_source"),
        traits=_traits(mapping.get("traits")),
        metadata=mapping.get("metadata"),
        schema=schema if isinstance(schema, str) else None,
        source=source,
        step_lines=tuple(line("transformations", i) for i in range(len(steps))),
    )


def _step(step: str | Mapping[str, Any]) -> Step:
    ((name, value),) = step.items() if not isinstance(step, str) else ((step, {}),)
    return _BUILDERS[name](value)


def _read_delimited(options: dict[str, Any]) -> ReadDelimited:
    given = dict(options)
    if given.get("delimiter") == r"\t":
        given["delimiter"] = "\t"
    infer = given.get("infer_column_types")
    if isinstance(infer, dict):
        overrides = infer.get("column_type_overrides", [])
        types = tuple((_names(item["columns"]).names, column_type(item["column_type"])) for item in overrides)
        size = {"sample_size": infer["sample_size"]} if "sample_size" in infer else {}
        given["infer_column_types"] = InferTypes(overrides=types, **size)
    return ReadDelimited(**given)


def _convert(items: list[dict[str, Any]]) -> ConvertColumnTypes:
    return ConvertColumnTypes(
        tuple(Conversion(_columns(item["columns"]), column_type(item["column_type"])) for item in items)
    )


def column_type(value: str | dict[str, Any]) -> DataType:
    """Return the type that a ``column_type`` says."""
    if isinstance(value, str):
        return DataType(value)
    ((name, options),) = value.items()
    if name == "datetime":
        return DataType.to_datetime(**options)
    if name == "boolean":
        return DataType.to_bool(**options)
    texts = {key: str(text).lower() if isinstance(text, bool) else text for key, text in options.items()}
    return DataType("stream_info", workspace=tuple(sorted(texts.items())))


def _sample(options: dict[str, Any]) -> Sample:
    draw = options["sampler_arguments"]
    return Sample(float(draw["probability"]), _seed(draw), float(draw.get("probability_lower_bound", 0.0)))


def _seed(options: Mapping[str, Any]) -> int:
    seed: int | None = options.get("seed")
    return drawn_seed() if seed is None else seed


def _names(value: str | list[str]) -> Names:
    return Names((value,), single=True) if isinstance(value, str) else Names(tuple(value))


def _columns(value: str | list[str] | dict[str, Any]) -> Columns:
    if not isinstance(value, dict):
        return _names(value)
    ignore_case = value.get("ignore_case", False) or value.get("ignoreCase", False)
    return NamePattern(value["pattern"], ignore_case, value.get("invert", False))


def _partition_columns(value: str | dict[str, Any]) -> ExtractPartitionColumns:
    return ExtractPartitionColumns(value) if isinstance(value, str) else ExtractPartitionColumns(**value)


def _traits(value: Mapping[str, Any] | None) -> Traits | None:
    if value is None:
        return None
    extra = dict(value)
    timestamp, index = extra.pop("timestamp_column", None), extra.pop("index_columns", None)
    return Traits(timestamp, None if index is None else tuple(index), extra)


_BUILDERS: dict[str, Callable[[Any], Step]] = {
    "read_delimited": _read_delimited,
    "read_parquet": lambda v: ReadParquet(**v),
    "read_json_lines": lambda v: ReadJsonLines(**v),
    "read_delta_lake": lambda v: ReadDeltaLake(**v),
    "filter": Filter,
    "keep_columns": lambda v: KeepColumns(_columns(v)),
    "drop_columns": lambda v: DropColumns(_columns(v)),
    "convert_column_types": _convert,
    "take": Take,
    "skip": Skip,
    "take_random_sample": lambda v: TakeRandomSample(float(v["probability"]), _seed(v)),
    "sample": _sample,
    "select_partitions": lambda v: SelectPartitions(tuple(v)),
    "extract_columns_from_partition_format": _partition_columns,
}
