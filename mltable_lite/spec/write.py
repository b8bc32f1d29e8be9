"""TableSpec -> the mapping and the YAML text of an MLTable file."""

from __future__ import annotations

import posixpath
import re
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, assert_never

from mltable_lite.errors import ArgumentTypeError, SaveError, listed
from mltable_lite.masking import has_credential, masked
from mltable_lite.spec.model import (
    SAMPLE_ROWS,
    Columns,
    ConvertColumnTypes,
    DropColumns,
    ExtractPartitionColumns,
    Filter,
    InferTypes,
    KeepColumns,
    NamePattern,
    ReadDelimited,
    ReadDeltaLake,
    Reader,
    ReadJsonLines,
    ReadParquet,
    Sample,
    SelectPartitions,
    Skip,
    Step,
    TableSpec,
    Take,
    TakeRandomSample,
)
from mltable_lite.spec.read import resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.types import DataType

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_NO_FOLDING = 2**31 - 1


def to_text(spec: TableSpec) -> str:
    """Return what `str(table)` shows: every default spelled out, absolute URIs, credentials masked."""
    return to_yaml(to_mapping(spec, full=True, credentials="mask"))


def to_mapping(
    spec: TableSpec, *, full: bool, credentials: Literal["refuse", "mask"] = "refuse"
) -> dict[str, Any]:
    """Return the spec as plain values that `parse_text` reads back.

    Args:
        spec: The spec.
        full: Spell out all defaults and make local paths absolute URIs; otherwise only what differs from the
            defaults, and paths as given.
        credentials: Whether a signature, key or password in a text is an error or shown as ``***``.

    Raises:
        SaveError: A text holds a credential and `credentials` is ``"refuse"``.
    """
    mapping: dict[str, Any] = {
        "paths": [{p.kind: absolute(p.value, spec.base) if full else p.value} for p in spec.paths],
        "type": "mltable",
    }
    if spec.schema is not None and not full:
        mapping["$schema"] = spec.schema
    if spec.steps:
        mapping["transformations"] = [_step(step, full=full) for step in spec.steps]
    if spec.traits is not None:
        index = spec.traits.index_columns
        known = {
            "timestamp_column": spec.traits.timestamp_column,
            "index_columns": None if index is None else list(index),
        }
        mapping["traits"] = {**spec.traits.extra, **_given(known)}
    if spec.metadata is not None:
        mapping["metadata"] = dict(spec.metadata)
    if spec.query_source is not None:
        mapping["query_source"] = dict(spec.query_source)
    protect = _refuse if credentials == "refuse" else masked
    return {key: _protected(value, protect) for key, value in mapping.items()}


def to_yaml(mapping: Mapping[str, Any]) -> str:
    """Return a mapping as YAML: keys sorted at every level, lists not indented, long texts on one line.

    Raises:
        ArgumentTypeError: The mapping holds an object that YAML has no plain form for.
    """
    import yaml

    try:
        return yaml.dump(dict(mapping), Dumper=_dumper(), allow_unicode=True, width=_NO_FOLDING)
    except (yaml.YAMLError, TypeError) as error:
        text = f"metadata and traits hold texts, numbers, true, false, lists and mappings with text keys: {error}"
        raise ArgumentTypeError(text) from error


def absolute(value: str, base: str) -> str:
    """Return a path of a spec as an absolute URI: local ones as ``file:///folder/name``, nothing percent-encoded."""
    drive = _DRIVE.match(value)
    if _URI.match(value) and not drive:
        return value
    if value.startswith("/") or drive:
        return _file_uri(value)
    scheme, slashes, rest = base.partition("://")
    if not slashes or scheme == "file":
        return _file_uri(posixpath.join(rest if slashes else base, value))
    location, mark, query = rest.partition("?")
    authority, _, folder = location.partition("/")
    return f"{scheme}://{authority}{posixpath.normpath(posixpath.join('/', folder, value))}{mark}{query}"


def _file_uri(path: str) -> str:
    path = path.replace("\\", "/") if _DRIVE.match(path) else path
    return "file:///" + posixpath.normpath(path).lstrip("/")


# --------------------------------------------------------------------------- steps
def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _step(step: Step, *, full: bool) -> str | dict[str, Any]:
    match step:
        case ReadDelimited() | ReadParquet() | ReadJsonLines() | ReadDeltaLake():
            name, options = _READERS[type(step)], _reader(step, full=full)
            return {name: options} if options else name
        case Filter():
            return {"filter": step.expression}
        case KeepColumns():
            return {"keep_columns": _columns(step.columns, full=full)}
        case DropColumns():
            return {"drop_columns": _columns(step.columns, full=full)}
        case ConvertColumnTypes():
            items = [
                {"columns": _columns(item.columns, full=full), "column_type": _type(item.target, full=full)}
                for item in step.items
            ]
            return {"convert_column_types": items}
        case Take():
            return {"take": step.count}
        case Skip():
            return {"skip": step.count}
        case TakeRandomSample():
            return {"take_random_sample": {"probability": step.probability, "seed": step.seed}}
        case Sample():
            draw = {"probability": step.upper, "probability_lower_bound": step.lower, "seed": step.seed}
            return {"sample": {"sampler": "random_percent", "sampler_arguments": draw}}
        case SelectPartitions():
            return {"select_partitions": list(step.indices)}
        case ExtractPartitionColumns():
            return {"extract_columns_from_partition_format": _options(step, full=full)}
        case _:
            assert_never(step)


_READERS: dict[type[Reader], str] = {
    ReadDelimited: "read_delimited",
    ReadParquet: "read_parquet",
    ReadJsonLines: "read_json_lines",
    ReadDeltaLake: "read_delta_lake",
}


def _options(step: Step, *, full: bool) -> dict[str, Any]:
    return _given({f.name: v for f in fields(step) if (v := getattr(step, f.name)) != f.default or full})


def _reader(step: Reader, *, full: bool) -> dict[str, Any]:
    options = _options(step, full=full)
    infer = options.get("infer_column_types")
    if isinstance(infer, InferTypes):
        options["infer_column_types"] = _infer(infer, full=full)
    if isinstance(step, ReadDeltaLake) and step.path_column == "Path":
        options.pop("path_column", None)  # the reference knows no such option here
    return options


def _infer(infer: InferTypes, *, full: bool) -> dict[str, Any]:
    overrides = [
        {"columns": names[0] if len(names) == 1 else list(names), "column_type": _type(target, full=full)}
        for names, target in infer.overrides
    ]
    size = {"sample_size": infer.sample_size} if full or infer.sample_size != SAMPLE_ROWS else {}
    return {**size, **({"column_type_overrides": overrides} if overrides else {})}


def _columns(columns: Columns, *, full: bool) -> str | list[str] | dict[str, Any]:
    if isinstance(columns, NamePattern):
        # ignoreCase and not ignore_case, which the reference silently ignores.
        flags = {"ignoreCase": columns.ignore_case, "invert": columns.invert}
        return {"pattern": columns.pattern, **{key: value for key, value in flags.items() if full or value}}
    single = columns.single and len(columns.names) == 1
    return columns.names[0] if single else list(columns.names)


def _type(target: DataType, *, full: bool) -> str | dict[str, Any]:
    formats: str | list[str] = list(target.formats)
    options = _given(
        {
            "formats": (formats[0] if full and len(formats) == 1 else formats) or None,
            "date_constant": target.date_constant,
            "true_values": list(target.true_values) or None,
            "false_values": list(target.false_values) or None,
            "mismatch_as": target.mismatch_as,
            **{key: text == "true" if key == "escaped" else text for key, text in target.workspace},
        }
    )
    return {target.name: options} if options else target.name


# --------------------------------------------------------------------------- credentials
def _refuse(text: str) -> str:
    if has_credential(text):
        raise SaveError(
            f"{masked(text)!r} holds a credential, which is never written; take it out of the text and give it when "
            "the table is read, for example as storage_options."
        )
    return text


def _protected(value: Any, protect: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ArgumentTypeError(
                f"metadata and traits have texts as keys, not {listed(map(repr, value))}."
            )
        return {_protected(key, protect): _protected(inner, protect) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_protected(inner, protect) for inner in value]
    return protect(value) if isinstance(value, str) else value


# --------------------------------------------------------------------------- YAML
@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
            return True

    def text(dumper: Dumper, value: str) -> yaml.ScalarNode:
        # PyYAML's own words are those of YAML 1.1; here also the numbers of YAML 1.2, such as 1e3, get quotes.
        # Line ends of any kind are escaped: YAML folds them otherwise.
        style = None if isinstance(resolve(value), str) else "'"
        style = style if value.isprintable() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)

    Dumper.add_representer(str, text)
    for unreadable in (set, bytes):
        Dumper.add_representer(unreadable, Dumper.represent_undefined)
    return Dumper
