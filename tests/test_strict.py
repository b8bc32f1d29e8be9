"""Strict mode: whatever would be a warning is an error, of every class, in every output, by argument and by setting."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite import errors
from mltable_lite.errors import (
    ConversionWarning,
    DataChangedWarning,
    DuplicateKeyWarning,
    InvalidLinesWarning,
    MissingColumnWarning,
    MLTableWarning,
    PrecisionWarning,
    SchemaMismatchError,
    SkippedFilesWarning,
    SpecWarning,
    StrictModeError,
    TypeWidenedWarning,
)

EXTRACT = "{extract_columns_from_partition_format: {partition_format: '{x}_y/a', ignore_errors: true}}"

BEFORE_READING = (
    "{extract_columns_from_partition_format: '{x}_y/a'}, "
    "{convert_column_types: [{columns: x, column_type: int}]}, read_delimited"
)


@dataclass(frozen=True)
class Warned:
    """A table that warns: one file, the steps, and the class of the warning."""

    category: type[MLTableWarning]
    name: str
    content: str | pa.Table
    steps: str
    more: dict[str, str] = field(default_factory=dict)
    traits: str = ""

    def load(self, folder: Path, **options) -> mltable.MLTable:
        for name, content in {self.name: self.content, **self.more}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, str):
                path.write_text(content)
            else:
                pq.write_table(content, path)
        paths = ", ".join(f"{{file: {name}}}" for name in (self.name, *self.more))
        text = f"paths: [{paths}]\ntransformations: [{self.steps}]\n{self.traits}"
        (folder / "MLTable").write_text(text)
        return mltable.load(folder, **options)


BIG = pa.table({"a": [1, 2]})
CASES = [
    Warned(SpecWarning, "a.csv", "a\n1\n", "{read_delimited: {include_path_column: 'true'}}"),
    Warned(TypeWidenedWarning, "a.csv", "a\n" + "1\n" * 200 + "x\n", "read_delimited"),
    Warned(TypeWidenedWarning, "a.jsonl", '{"a":1}\n{"a":"x"}\n', "read_json_lines"),
    Warned(
        ConversionWarning,
        "a.csv",
        "a,b\nx,1\n",
        "read_delimited, {convert_column_types: [{columns: a, column_type: int}]}",
    ),
    Warned(
        ConversionWarning,
        "a.csv",
        "a\nx\n",
        "{read_delimited: {infer_column_types: {column_type_overrides: [{columns: a, column_type: int}]}}}",
    ),
    Warned(ConversionWarning, "a.csv", "a\n2020-01-02T03:04:05+02:00\n", "read_delimited"),
    Warned(
        ConversionWarning,
        "a.parquet",
        BIG,
        "read_parquet, {convert_column_types: [{columns: a, column_type: {datetime: {formats: '%Y'}}}]}",
    ),
    Warned(ConversionWarning, "n_y/a", "v\n1\n", BEFORE_READING, more={"7_y/a": "v\n2\n"}),
    Warned(MissingColumnWarning, "a.csv", "a\n1\n", "read_delimited, {drop_columns: q}"),
    Warned(MissingColumnWarning, "a.parquet", BIG, "read_parquet, {drop_columns: q}"),
    Warned(MissingColumnWarning, "a.parquet", BIG, "read_parquet", traits="traits: {index_columns: [q]}\n"),
    Warned(InvalidLinesWarning, "a.jsonl", '{"a":1}\nx\n', "{read_json_lines: {invalid_lines: drop}}"),
    Warned(DuplicateKeyWarning, "a.jsonl", '{"a":1,"a":2}\n', "read_json_lines"),
    Warned(PrecisionWarning, "a.jsonl", '{"a":-1}\n{"a":18446744073709551615}\n', "read_json_lines"),
    Warned(PrecisionWarning, "a.csv", "a\n9223372036854775808\n", "read_delimited"),
    Warned(SkippedFilesWarning, "1_y/a", "v\n1\n", f"{EXTRACT}, read_delimited", more={"2/a": "v\n2\n"}),
    Warned(SkippedFilesWarning, "1_y/a", BIG, f"{EXTRACT}, read_parquet", more={"2/a": BIG}),
    Warned(SkippedFilesWarning, "1_y/a", BIG, f"read_parquet, {EXTRACT}", more={"2/a": BIG}),
]
OUTPUTS = {
    "frame": lambda table: table.to_pandas_dataframe(),
    "arrow": lambda table: table.to_arrow_table(),
    "batches": lambda table: table.to_arrow_batches().read_all(),
    "show": lambda table: table.show(500),
    "dask": lambda table: table.to_dask_dataframe().compute(scheduler="synchronous"),
}
each_case = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.category.__name__}-{case.steps[:20]}"
)
each_output = pytest.mark.parametrize("output", OUTPUTS)


def test_every_class_of_warning_is_provoked():
    every = {
        cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, MLTableWarning)
    }
    # Data that changed is registered first: see the tests of data assets.
    assert {case.category for case in CASES} == every - {MLTableWarning, DataChangedWarning}


@each_case
def test_without_strict_mode_it_is_a_warning(tmp_path, case):
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        assert len(case.load(tmp_path).to_pandas_dataframe()) > 0
    assert {w.category for w in shown} == {case.category}


@each_case
@each_output
def test_in_strict_mode_it_is_an_error(tmp_path, case, output):
    with pytest.raises((StrictModeError, SchemaMismatchError)) as raised:
        OUTPUTS[output](case.load(tmp_path, strict=True))
    if type(raised.value) is SchemaMismatchError:
        assert case.category is TypeWidenedWarning
    else:
        assert f"strict mode makes a {case.category.__name__} an error" in str(raised.value)


@pytest.mark.parametrize("count", [mltable.MLTable.count_rows, mltable.MLTable.get_partition_count])
def test_in_strict_mode_it_is_an_error_although_metadata_tells_the_number(tmp_path, count):
    case = Warned(MissingColumnWarning, "a.parquet", BIG, "read_parquet, {drop_columns: q}")
    with pytest.warns(MissingColumnWarning):
        count(case.load(tmp_path))
    with pytest.raises(StrictModeError):
        count(case.load(tmp_path, strict=True))


@each_case
def test_the_setting_of_the_environment_is_strict_mode(tmp_path, case, monkeypatch):
    monkeypatch.setenv("MLTABLE_LITE_STRICT", "1")
    with pytest.raises((StrictModeError, SchemaMismatchError)):
        case.load(tmp_path).to_pandas_dataframe()


@pytest.mark.parametrize("make", [mltable.from_delimited_files, mltable.from_json_lines_files])
def test_tables_made_of_paths_are_strict_too(tmp_path, make):
    (tmp_path / "a").write_text('{"a":1,"a":2}\n' if "json" in make.__name__ else "a\n9223372036854775808\n")
    with pytest.raises(StrictModeError):
        make([{"file": str(tmp_path / "a")}], strict=True).filter("a > 0").to_pandas_dataframe()


def test_what_is_worth_no_warning_is_read_in_strict_mode(tmp_path):
    for name, content, reader in (
        ("a.csv", "a,b\n1,x\n,\n", "read_delimited"),
        ("a.jsonl", '{"a":1}\n{"a":1.5}\n\n', "read_json_lines"),
        ("a.parquet", BIG, "read_parquet"),
    ):
        case = Warned(
            MLTableWarning,
            name,
            content,
            f"{reader}, {{filter: a > 0}}, {{convert_column_types: [{{columns: a, column_type: string}}]}}",
        )
        assert len(case.load(tmp_path, strict=True).to_pandas_dataframe()) > 0
