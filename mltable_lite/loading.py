"""How tables come to be: from an MLTable file, or from paths and reader options."""

from __future__ import annotations

import datetime as dt
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from typing import Any

from mltable_lite import arguments
from mltable_lite.errors import ArgumentError, ArgumentTypeError, StrictModeError, did_you_mean
from mltable_lite.spec import TableSpec, model, parse_text
from mltable_lite.spec.datetime_format import moment
from mltable_lite.spec.rules import MEANING, Rules, of_text
from mltable_lite.storage import locate
from mltable_lite.storage.options import StorageOptions
from mltable_lite.table import MLTable
from mltable_lite.types import DataType, MLTableFileEncoding, MLTableHeaders

Paths = Iterable[Mapping[str, str | os.PathLike[str]]]

_ENCODINGS = {
    "utf8": "utf8",
    "utf-8": "utf8",
    "iso88591": "iso88591",
    "iso-8859-1": "iso88591",
    "latin1": "latin1",
    "latin-1": "latin1",
    "ascii": "ascii",
    "utf16": "utf16",
    "utf-16": "utf16",
    "utf32": "utf32",
    "utf-32": "utf32",
    "utf8bom": "utf8bom",
    "windows1252": "windows1252",
    "windows-1252": "windows1252",
}


def _filter(text: str) -> object:
    from mltable_lite.expr import parse

    return parse(text)


def _partition_format(text: str) -> object:
    from mltable_lite.plan.partition_format import compile_format

    return compile_format(text)


#: What `load` asks of the texts in an MLTable file. The languages are loaded with the first file that speaks them.
_RULES: Rules = {**MEANING, "filter": of_text(_filter), "partition_format": of_text(_partition_format)}


def load(
    uri: str | os.PathLike[str],
    storage_options: Mapping[str, Any] | None = None,
    ml_client: Any = None,
    *,
    strict: bool | None = None,
) -> MLTable:
    """Return the table that an MLTable file describes. Reads the file, no data.

    Args:
        uri: The folder that holds the MLTable file, or the file itself: a local path, ``file://``, any fsspec URI, or a
            data asset: ``azureml:NAME:VERSION``, ``azureml:NAME@latest``.
        storage_options: Options for the storage, as fsspec takes them, used for the file and for its data.
        ml_client: A client of an Azure ML workspace, for ``azureml:`` names that are not registered here.
        strict: Raise where there would be a warning; by default as ``MLTABLE_LITE_STRICT=1`` says.

    Raises:
        MLTableNotFoundError: There is no MLTable file.
        SpecError: The file is not valid; the text lists every issue with line and column. Where the syntax of a filter
            is among them it is a FilterSyntaxError, too.
        ArgumentError: Another argument is not accepted.

    Example:
        >>> import mltable_lite as mltable
        >>> mltable.load("docs/examples/taxi").show(2).shape[0]
        2
    """
    strictly = _strict("load", strict)
    options = _options("load", storage_options, **({} if ml_client is None else {"ml_client": ml_client}))
    found = locate.read_mltable(uri, options)
    spec, notices = parse_text(found.text, source=found.source, base=found.base, rules=_RULES)
    for notice in notices:
        if strictly:
            raise StrictModeError(
                f"{notice.text()} (strict mode makes a {notice.category.__name__} an error)"
            )
        warnings.warn(notice.text(), notice.category, stacklevel=2)
    return MLTable(replace(spec, asset=found.asset), found.options, strict=strictly)


def from_paths(
    paths: Paths, *, storage_options: Mapping[str, Any] | None = None, strict: bool | None = None
) -> MLTable:
    """Return the table of files: one row a file, with one stream column ``Path``.

    Args:
        paths: Mappings with one of the keys ``file``, ``folder`` or ``pattern``. Relative ones are relative to the
            working directory of now.
        storage_options: Options for the storage, as fsspec takes them.
        strict: Raise where there would be a warning.
    """
    return _table("from_paths", paths, None, storage_options, strict)


def from_delimited_files(
    paths: Paths,
    header: str | MLTableHeaders = "all_files_same_headers",
    delimiter: str = ",",
    support_multi_line: bool = False,
    empty_as_string: bool = False,
    encoding: str | MLTableFileEncoding = "utf8",
    include_path_column: bool = False,
    infer_column_types: bool | Mapping[str, Any] = True,
    *,
    storage_options: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> MLTable:
    """Return a table over delimited text files.

    Args:
        paths: As in `from_paths`.
        header: How header lines are used: an `MLTableHeaders` member or its name.
        delimiter: One or two characters between fields.
        support_multi_line: Whether quoted fields may hold line breaks; files are then not cut into partitions.
        empty_as_string: Whether empty fields of text columns are ``''`` instead of null.
        encoding: An `MLTableFileEncoding` member or its name.
        include_path_column: Whether the first column is ``Path``, the file of each row.
        infer_column_types: Whether types are guessed from the first 200 rows; or a mapping with ``sample_size`` and
            ``column_type_overrides``: column names to types, or a list of ``columns`` and ``column_type`` as in YAML.
        storage_options: Options for the storage, as fsspec takes them.
        strict: Raise where there would be a warning.

    Raises:
        ArgumentError: An option is not accepted.
    """
    function = "from_delimited_files"
    reader = model.ReadDelimited(
        delimiter=arguments.text(function, "delimiter", delimiter),
        header=_word(function, "header", header, {m.name: m.name for m in MLTableHeaders}),  # type: ignore[arg-type]
        encoding=_word(function, "encoding", encoding, _ENCODINGS),
        support_multi_line=arguments.flag(function, "support_multi_line", support_multi_line),
        empty_as_string=arguments.flag(function, "empty_as_string", empty_as_string),
        include_path_column=arguments.flag(function, "include_path_column", include_path_column),
        infer_column_types=_inference(infer_column_types),
    )
    return _table(function, paths, reader, storage_options, strict)


def from_parquet_files(
    paths: Paths,
    include_path_column: bool = False,
    *,
    storage_options: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> MLTable:
    """Return a table over Parquet files; several schemas are united by name where nothing is lost.

    Args:
        paths: Mappings with one key: file, folder (recursive) or pattern. Local paths belong to the working directory.
        include_path_column: Whether the first column is ``Path``, the file of each row.
        storage_options: Options for the storage, as fsspec takes them.
        strict: Raise where there would be a warning.

    Raises:
        ArgumentError: An argument is not accepted.

    Example:
        >>> from mltable_lite import from_parquet_files
        >>> from_parquet_files([{"file": "docs/examples/trips-parquet/trips.parquet"}]).schema.names[:2]
        ['pickup', 'dropoff']
    """
    function = "from_parquet_files"
    reader = model.ReadParquet(arguments.flag(function, "include_path_column", include_path_column))
    return _table(function, paths, reader, storage_options, strict)


def from_json_lines_files(
    paths: Paths,
    invalid_lines: str = "error",
    encoding: str | MLTableFileEncoding = "utf8",
    include_path_column: bool = False,
    *,
    storage_options: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> MLTable:
    """Return a table over JSON lines files: one object a line.

    Args:
        paths: As in `from_parquet_files`.
        invalid_lines: What becomes of a line that is no JSON object: ``"error"``, or ``"drop"``, with a warning that
            counts them.
        encoding: An encoding's name, or an `MLTableFileEncoding`; a byte order mark goes before it.
        include_path_column: Whether the first column is ``Path``, the file of each row.
        storage_options: Options for the storage, as fsspec takes them.
        strict: Raise where there would be a warning.

    Raises:
        ArgumentError: An argument is not accepted.
    """
    function = "from_json_lines_files"
    reader = model.ReadJsonLines(
        invalid_lines=_word(function, "invalid_lines", invalid_lines, {"error": "error", "drop": "drop"}),  # type: ignore[arg-type]
        encoding=_word(function, "encoding", encoding, _ENCODINGS),
        include_path_column=arguments.flag(function, "include_path_column", include_path_column),
    )
    return _table(function, paths, reader, storage_options, strict)


def from_delta_lake(
    delta_table_uri: str | os.PathLike[str],
    timestamp_as_of: str | dt.date | None = None,
    version_as_of: int | None = None,
    include_path_column: bool = False,
    *,
    storage_options: Mapping[str, Any] | None = None,
    strict: bool | None = None,
) -> MLTable:
    """Return a table over a Delta table.

    Args:
        delta_table_uri: The table's folder, local or a URI.
        timestamp_as_of: The version of that time: RFC 3339 text with a zone (``2024-05-01T00:00:00Z``), or a datetime,
            in UTC where it has no zone, or a date, which is its first moment in UTC.
        version_as_of: The version's number; without either the latest.
        include_path_column: Whether the first column is ``Path``, the data file of each row.
        storage_options: Options for the storage, as fsspec takes them.
        strict: Raise where there would be a warning.

    Raises:
        ArgumentError: Both a version and a timestamp are given, the timestamp is no RFC 3339 text, or the table's URI is
            empty.
    """
    function = "from_delta_lake"
    if timestamp_as_of is not None and version_as_of is not None:
        raise ArgumentError(f"{function}: give version_as_of or timestamp_as_of, not both.")
    if not isinstance(delta_table_uri, str | os.PathLike):
        raise ArgumentTypeError(
            f"{function}: delta_table_uri={delta_table_uri!r} is not accepted; give one folder, a path or a URI. Several "
            "tables are read as one by an MLTable file with a path for each."
        )
    if not os.fspath(delta_table_uri):
        raise ArgumentError(f"{function}: delta_table_uri is empty; give the folder that holds _delta_log.")
    if version_as_of is not None and (isinstance(version_as_of, bool) or not isinstance(version_as_of, int)):
        raise ArgumentError(f"{function}: version_as_of={version_as_of!r} is not an integer.")
    flag = arguments.flag(function, "include_path_column", include_path_column)
    reader = model.ReadDeltaLake(version_as_of, _timestamp(function, timestamp_as_of), flag)
    return _table(function, [{"folder": delta_table_uri}], reader, storage_options, strict)


def install_as_mltable() -> None:
    """Let ``import mltable`` give this library, so that old code runs unchanged. Nothing is written to disk."""
    this = sys.modules["mltable_lite"]
    sys.modules["mltable"] = sys.modules["mltable.mltable"] = this


def _table(
    function: str,
    paths: Paths,
    reader: model.Reader | None,
    storage_options: Mapping[str, Any] | None,
    strict: bool | None,
) -> MLTable:
    spec = TableSpec(
        paths=arguments.paths(function, paths),
        steps=() if reader is None else (reader,),
        base=os.getcwd(),  # noqa: PTH109 - kept as text
        source=function,
    )
    return MLTable(spec, _options(function, storage_options), strict=_strict(function, strict))


def _strict(function: str, given: bool | None) -> bool:
    if given is None:
        return os.environ.get("MLTABLE_LITE_STRICT", "") == "1"
    return arguments.flag(function, "strict", given)


def _options(function: str, given: Mapping[str, Any] | None, **more: object) -> StorageOptions:
    return StorageOptions({**arguments.mapping(function, "storage_options", given), **more})


def _word(function: str, name: str, value: object, accepted: Mapping[str, str]) -> str:
    word = value.name if isinstance(value, Enum) else value
    if isinstance(word, str) and word.lower() in accepted:
        return accepted[word.lower()]
    hint = did_you_mean(word, accepted) if isinstance(word, str) else ""
    raise ArgumentError(
        f"{function}: {name}={value!r} is not accepted; use one of {', '.join(accepted)}.{hint}"
    )


def _timestamp(function: str, given: object) -> str | None:
    if given is None:
        return None
    text = given
    if isinstance(given, dt.date):
        time = given if isinstance(given, dt.datetime) else dt.datetime.combine(given, dt.time())
        text = (time if time.tzinfo is not None else time.replace(tzinfo=dt.UTC)).isoformat()
    if not isinstance(text, str):
        version = f" A version's number is version_as_of={given}." * (type(given) is int)
        raise ArgumentTypeError(
            f"{function}: timestamp_as_of={given!r} is not accepted; give an RFC 3339 text such as "
            f"'2024-05-31T12:00:00Z', a datetime or a date.{version}"
        )
    moment(function, text)
    return text


def _inference(value: bool | Mapping[str, Any]) -> bool | model.InferTypes:
    function = "from_delimited_files"
    if isinstance(value, bool):
        return value
    if not isinstance(value, Mapping) or not set(value) <= {"sample_size", "column_type_overrides"}:
        raise ArgumentError(
            f"{function}: infer_column_types={value!r} is not accepted; use True, False, or a mapping with sample_size "
            "and column_type_overrides."
        )
    size = value.get("sample_size", model.SAMPLE_ROWS)
    overrides = value.get("column_type_overrides") or {}
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ArgumentError(f"{function}: sample_size={size!r} is not accepted; give an integer from 1.")
    return model.InferTypes(size, _overrides(function, overrides))


def _overrides(function: str, given: object) -> tuple[tuple[tuple[str, ...], DataType], ...]:
    """Return columns and their types, given as a mapping, or as the YAML file and errors have it."""
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, list) and all(_is_override(item) for item in given):
        pairs = [(item["columns"], item["column_type"]) for item in given]
    else:
        raise ArgumentError(
            f"{function}: column_type_overrides={given!r} is not accepted; give a mapping of columns to types, or a list "
            "such as [{'columns': 'a', 'column_type': 'string'}]."
        )
    return tuple((arguments.columns(function, names), arguments.data_type(target)) for names, target in pairs)


def _is_override(item: object) -> bool:
    return isinstance(item, Mapping) and set(item) == {"columns", "column_type"}
