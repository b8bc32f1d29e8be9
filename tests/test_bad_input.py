"""Everything that can be wrong with the input is one error of one class, with the place and the way out."""

import os
import warnings
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite import errors


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("name,age\nAnn,31\nBob,45\n")
    pq.write_table(pa.table({"a": range(1000), "s": ["x" * 20] * 1000}), tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "latin.csv").write_bytes(b"name,age\nAnn,31\nJos\xe9,45\n")
    (tmp_path / "bad.jsonl").write_text('{"a": 1}\n{"a": 2\n{"a": 3}\n')
    (tmp_path / "array.jsonl").write_text('[{"a": 1}]\n')
    (tmp_path / "open.csv").write_text('a,b\n1,"never closed\n2,y\n')
    (tmp_path / "other.csv").write_text("name,height\nCid,180\n")
    return tmp_path


def csv(folder, *names):
    return mltable.from_delimited_files([{"file": str(folder / name)} for name in names])


CASES = {
    "missing file": (
        lambda f: csv(f, "b.csv"),
        errors.SourceNotFoundError,
        ["b.csv", "The requested stream was not found", "a.csv"],
    ),
    "empty pattern": (
        lambda f: mltable.from_parquet_files([{"pattern": str(f / "*.parq")}]),
        errors.SourceNotFoundError,
        ["*.parq", "The requested stream was not found"],
    ),
    "missing folder": (
        lambda f: mltable.from_parquet_files([{"folder": str(f / "dat")}]),
        errors.SourceNotFoundError,
        ["dat", "The requested stream was not found"],
    ),
    "glob in file": (
        lambda f: csv(f, "*.csv"),
        errors.SourceNotFoundError,
        ["*.csv", "pattern:"],
    ),
    "wrong format": (
        lambda f: mltable.from_parquet_files([{"file": str(f / "a.csv")}]),
        errors.CorruptFileError,
        ["a.csv", "Parquet"],
    ),
    "truncated Parquet": (
        lambda f: mltable.from_parquet_files([{"file": str(f / "cut.parquet")}]),
        errors.CorruptFileError,
        ["cut.parquet"],
    ),
    "undecodable bytes": (
        lambda f: csv(f, "latin.csv"),
        errors.EncodingError,
        ["latin.csv", "3", "utf"],
    ),
    "bad JSON line": (
        lambda f: mltable.from_json_lines_files([{"file": str(f / "bad.jsonl")}]),
        errors.InvalidLineError,
        ["bad.jsonl", "2", "invalid_lines"],
    ),
    "top-level JSON array": (
        lambda f: mltable.from_json_lines_files([{"file": str(f / "array.jsonl")}]),
        errors.InvalidLineError,
        ["array.jsonl", "array"],
    ),
    "open quote": (
        lambda f: csv(f, "open.csv"),
        errors.InvalidLineError,
        ["open.csv", "2", "support_multi_line"],
    ),
    "other header": (
        lambda f: csv(f, "a.csv", "other.csv"),
        errors.SchemaMismatchError,
        ["other.csv", "age", "height", "all_files_different_headers"],
    ),
    "no Delta table": (
        lambda f: mltable.from_delta_lake(str(f)),
        errors.UserErrorException,
        [],
    ),
    "unknown column kept": (
        lambda f: csv(f, "a.csv").keep_columns("agee"),
        errors.ColumnNotFoundError,
        ["keep_columns", "agee", "Did you mean 'age'?"],
    ),
    "unknown column filtered": (
        lambda f: csv(f, "a.csv").filter("agee > 3"),
        errors.ColumnNotFoundError,
        ["agee", "Did you mean 'age'?"],
    ),
    "unknown column converted": (
        lambda f: csv(f, "a.csv").convert_column_types({"agee": "float"}),
        errors.ColumnNotFoundError,
        ["convert_column_types", "agee"],
    ),
    "kinds that do not compare": (
        lambda f: csv(f, "a.csv").filter('age > "3"'),
        errors.FilterTypeError,
        ["integer", "string"],
    ),
    "division by zero": (
        lambda f: csv(f, "a.csv").filter("age / (age - 31) > 1"),
        errors.EvaluationError,
        ["a.csv", "row 1"],
    ),
    "impossible conversion": (
        lambda f: csv(f, "a.csv").convert_column_types(
            {"name": mltable.DataType.to_bool(["yes"], ["no"], mismatch_as="error")}
        ),
        errors.ConversionError,
        ["name", "Ann"],
    ),
    "all columns dropped": (
        lambda f: csv(f, "a.csv").drop_columns(["name", "age"]),
        errors.NoColumnsError,
        ["drop_columns"],
    ),
    "partition out of range": (
        lambda f: csv(f, "a.csv").select_partitions([4]),
        errors.ArgumentError,
        ["select_partitions", "4"],
    ),
    "path that does not match": (
        lambda f: csv(f, "a.csv").extract_columns_from_partition_format("/year={year}/"),
        errors.ArgumentError,
        ["a.csv", "ignore_errors"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_error_with_place_and_way_out(folder, name):
    make, error, parts = CASES[name]
    with pytest.raises(error) as caught:
        make(folder).to_pandas_dataframe()
    assert isinstance(caught.value, mltable.UserErrorException)
    text = str(caught.value)
    assert [part for part in parts if part not in text] == [], text
    assert "Traceback" not in text


def test_conversions_that_lose_values_warn_with_a_count_and_the_first(folder):
    table = csv(folder, "a.csv").convert_column_types({"name": "int"})
    with pytest.warns(errors.ConversionWarning, match=r"(?s)'name'.*2 .*Ann"):
        assert table.to_pandas_dataframe()["name"].isna().all()


@pytest.mark.skipif(
    os.geteuid() == 0 and not Path("/proc/sys").exists(), reason="needs a place root cannot write"
)
def test_a_target_that_cannot_be_written_is_an_error(folder):
    with pytest.raises(errors.SaveError, match=r"/proc"):
        csv(folder, "a.csv").save("/proc/sys/nowhere")


def test_a_clean_read_warns_of_nothing(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        csv(folder, "a.csv").to_pandas_dataframe()
