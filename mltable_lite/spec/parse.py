"""MLTable text -> TableSpec: read, validate, and one function for every construct."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import ArgumentError, Issue, Notices, SpecError
from mltable_lite.spec.credentials import shown
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
from mltable_lite.spec.validate import in_order, key_path, validate
from mltable_lite.types import DataType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.spec.read import Node

_LARGEST_SEED = 2**31


def parse_text(text: str | bytes, *, source: str, base: str) -> tuple[TableSpec, Notices]:
    """Return the spec in an MLTable text and a notice of every lenient form in it.

    Args:
        text: The content of the file; bytes are UTF-8.
        source: How error texts call the file.
        base: The absolute folder or URI that relative paths are relative to.

    Raises:
        SpecError: The text is no YAML ("MLTable yaml is invalid") or no MLTable ("Given MLTable does not adhere to").
    """
    root, notices = validate(read(text, source), source)
    return _Parser(root, source).table(base), notices


def drawn_seed() -> int:
    """Return a new seed, for a sampling step that gives none."""
    return random.SystemRandom().randrange(_LARGEST_SEED)


class _Parser:
    """Builds the spec from a tree that fits the schema; collects what a schema cannot tell."""

    def __init__(self, root: Node, source: str) -> None:
        self._root = root
        self._source = source
        self._issues: list[Issue] = []

    def table(self, base: str) -> TableSpec:
        mapping = self._root.plain()
        paths = mapping.get("paths", [])
        steps = mapping.get("transformations", [])
        schema = mapping.get("$schema")
        spec = TableSpec(
            paths=tuple(self._path(i, entry) for i, entry in enumerate(paths)),
            steps=tuple(self._step(i, step) for i, step in enumerate(steps)),
            base=base,
            query_source=mapping.get("query_source"),
            traits=_traits(mapping.get("traits")),
            metadata=mapping.get("metadata"),
            schema=schema if isinstance(schema, str) else None,
            source=self._source,
            step_lines=tuple(self._line("transformations", i) for i in range(len(steps))),
        )
        if self._issues:
            raise SpecError(self._source, in_order(self._issues))
        return spec

    def _line(self, *path: str | int) -> int:
        return self._root.at(path).place.line

    def _issue(self, path: tuple[str | int, ...], message: str) -> None:
        place = self._root.at(path).place
        self._issues.append(Issue(message, *place, key_path(path)))

    def _path(self, index: int, entry: Mapping[str, str]) -> PathSpec:
        ((kind, value),) = entry.items()
        return PathSpec(kind, value, self._line("paths", index))  # type: ignore[arg-type] # the schema knows the kinds

    def _step(self, index: int, step: str | Mapping[str, Any]) -> Step:
        ((name, value),) = step.items() if not isinstance(step, str) else ((step, {}),)
        builders: dict[str, Callable[[tuple[str | int, ...], Any], Step]] = {
            "read_delimited": self._read_delimited,
            "read_parquet": lambda _, v: ReadParquet(**v),
            "read_json_lines": lambda _, v: ReadJsonLines(**v),
            "read_delta_lake": lambda _, v: ReadDeltaLake(**v),
            "filter": lambda _, v: Filter(v),
            "keep_columns": lambda _, v: KeepColumns(_columns(v)),
            "drop_columns": lambda _, v: DropColumns(_columns(v)),
            "convert_column_types": self._convert,
            "take": lambda _, v: Take(v),
            "skip": lambda _, v: Skip(v),
            "take_random_sample": lambda _, v: TakeRandomSample(float(v["probability"]), _seed(v)),
            "sample": self._sample,
            "select_partitions": lambda _, v: SelectPartitions(tuple(v)),
            "extract_columns_from_partition_format": lambda _, v: _partition_columns(v),
        }
        return builders[name](("transformations", index, name), value)

    def _read_delimited(self, path: tuple[str | int, ...], options: dict[str, Any]) -> ReadDelimited:
        given = dict(options)
        delimiter = given.get("delimiter", ",")
        if delimiter == r"\t":
            given["delimiter"] = "\t"
        elif any(character in delimiter for character in '\r\n\0"'):
            text = f"{shown(delimiter)} is not accepted for delimiter; accepted: a text without quotes and line ends."
            self._issue((*path, "delimiter"), text)
        infer = given.get("infer_column_types")
        if isinstance(infer, dict):
            overrides = infer.get("column_type_overrides", [])
            where = (*path, "infer_column_types", "column_type_overrides")
            types = [
                (_names(item["columns"]).names, self._type((*where, i, "column_type"), item["column_type"]))
                for i, item in enumerate(overrides)
            ]
            size = {"sample_size": infer["sample_size"]} if "sample_size" in infer else {}
            given["infer_column_types"] = InferTypes(overrides=tuple(types), **size)
        return ReadDelimited(**given)

    def _convert(self, path: tuple[str | int, ...], items: list[dict[str, Any]]) -> ConvertColumnTypes:
        return ConvertColumnTypes(
            tuple(
                Conversion(
                    _columns(item["columns"]), self._type((*path, i, "column_type"), item["column_type"])
                )
                for i, item in enumerate(items)
            )
        )

    def _type(self, path: tuple[str | int, ...], value: str | dict[str, Any]) -> DataType:
        if isinstance(value, str):
            return DataType(value)
        ((name, options),) = value.items()
        try:
            if name == "datetime":
                return DataType.to_datetime(**options)
            if name == "boolean":
                return DataType.to_bool(**options)
        except ArgumentError as error:
            self._issue((*path, name), str(error).partition(": ")[2])
            return DataType(name)
        texts = {key: str(text).lower() if isinstance(text, bool) else text for key, text in options.items()}
        return DataType("stream_info", workspace=tuple(sorted(texts.items())))

    def _sample(self, path: tuple[str | int, ...], options: dict[str, Any]) -> Sample:
        draw = options["sampler_arguments"]
        upper, lower = float(draw["probability"]), float(draw.get("probability_lower_bound", 0.0))
        if lower > upper:
            text = f"{lower} is above probability, which is {upper}; swap them."
            self._issue((*path, "sampler_arguments", "probability_lower_bound"), text)
        return Sample(upper, _seed(draw), lower)


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
