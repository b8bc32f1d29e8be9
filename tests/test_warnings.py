"""Warnings: each once a read, with its count and place, whatever the output, the steps around it and the limit."""

from __future__ import annotations

import re
import warnings

import pytest

import mltable_lite as mltable
from mltable_lite.errors import MLTableWarning, SchemaMismatchError, StrictModeError, TypeWidenedWarning

OUTPUTS = {
    "frame": lambda table: table.to_pandas_dataframe(),
    "arrow": lambda table: table.to_arrow_table(),
    "batches": lambda table: table.to_arrow_batches().read_all(),
    "bounded": lambda table: table.to_arrow_batches(max_memory="64MB").read_all(),
    "frames": lambda table: list(table.iter_pandas(1, dtype_backend="pyarrow", max_memory="64MB")),
    "dask": lambda table: table.to_dask_dataframe(dtype_backend="pyarrow").compute(scheduler="synchronous"),
    "show": lambda table: table.show(500),
    "count": lambda table: table.count_rows(),
    "analyze": lambda table: table.explain(analyze=True),
}
each_output = pytest.mark.parametrize("output", OUTPUTS)


def load(folder, files, steps, **options):
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    paths = ", ".join(f"{{file: {name}}}" for name in files)
    (folder / "MLTable").write_text(f"paths: [{paths}]\ntransformations: [{steps}]\n")
    return mltable.load(folder, **options)


def told(read):
    """Return the texts of the warnings of a read."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        read()
    assert all(issubclass(each.category, MLTableWarning) for each in shown)
    return [str(each.message) for each in shown]


# --------------------------------------------------------------------------- files
FILES = {f"{name}/a": "v\n1\n2\n" for name in ("7_y", "n_y", "8_y", "m_y")}
EXTRACT = "{extract_columns_from_partition_format: '{x}_y/a'}"
CONVERT = "{convert_column_types: [{columns: x, column_type: int}]}"
IGNORE = "{extract_columns_from_partition_format: {partition_format: '{x}_y/a', ignore_errors: true}}"


@pytest.mark.parametrize(
    "steps",
    [
        f"{EXTRACT}, {CONVERT}, {{take: 3}}, read_delimited",
        f"{EXTRACT}, {CONVERT}, {{take_random_sample: {{probability: 1.0, seed: 1}}}}, read_delimited",
        f'{EXTRACT}, {CONVERT}, {{filter: "length(Path) > 0"}}, read_delimited',
        f"{EXTRACT}, {CONVERT}, read_delimited, {{take: 3}}",
    ],
)
@each_output
def test_a_conversion_before_the_read_step_is_told_once(tmp_path, steps, output):
    table = load(tmp_path, FILES, steps)
    (text,) = told(lambda: OUTPUTS[output](table))
    assert text.startswith("column 'x': 2 values are not 64-bit integers and became null; first: 'n' at ")
    assert text.endswith("/n_y/a")


@pytest.mark.parametrize(
    "steps",
    [
        f"{IGNORE}, read_delimited, {{take: 3}}",
        f"{IGNORE}, {{take: 2}}, read_delimited",
        f"read_delimited, {IGNORE}, {{take: 3}}",
        f"read_delimited, {IGNORE}, {{filter: v > 0}}, {{keep_columns: v}}",
        f"{IGNORE}, {{take: 2}}",
    ],
)
@each_output
def test_a_file_that_is_left_out_is_counted_once(tmp_path, steps, output):
    table = load(tmp_path, {**FILES, "other/a": "v\n1\n"}, steps)
    (text,) = told(lambda: OUTPUTS[output](table))
    assert text.startswith("1 files left out, ")


# --------------------------------------------------------------------------- rows
DROP = "{read_json_lines: {invalid_lines: drop}}"
OVERRIDE = "{read_delimited: {infer_column_types: {column_type_overrides: [{columns: v, column_type: int}]}}}"


@pytest.mark.parametrize(
    ("name", "text", "steps", "warning"),
    [
        ("a.jsonl", '{"v":1}\noops\n{"v":2}\n', DROP, "1 lines are no JSON objects .* line 2$"),
        ("a.csv", "v\n1\nx\n2\n", OVERRIDE, "column 'v': 1 values are not int .* line 3$"),
    ],
)
@each_output
def test_a_limit_inside_a_partition_loses_no_warning(tmp_path, name, text, steps, warning, output):
    steps += ", {take: 2}"
    (shown,) = told(lambda: OUTPUTS[output](load(tmp_path, {name: text}, steps)))
    assert re.match(warning, shown)
    with pytest.raises(StrictModeError, match=warning.removesuffix("$")):
        OUTPUTS[output](load(tmp_path, {name: text}, steps, strict=True))


@pytest.mark.parametrize("max_memory", [None, "64MB"])
def test_a_stream_of_which_only_the_first_rows_are_taken_warns_when_it_is_dropped(tmp_path, max_memory):
    table = load(tmp_path, {"a.csv": "v\n1\nx\n2\n"}, OVERRIDE)

    def first_rows():
        for _ in table.iter_pandas(1, dtype_backend="pyarrow", max_memory=max_memory):
            break

    def first_batch():
        table.to_arrow_batches(batch_rows=1, max_memory=max_memory).read_next_batch()

    for read in (first_rows, first_batch):
        (text,) = told(read)
        assert text.startswith("column 'v': 1 values are not int ")


def test_a_stream_of_which_nothing_is_taken_warns_of_nothing(tmp_path):
    table = load(tmp_path, {"a.csv": "v\n1\nx\n2\n"}, OVERRIDE)
    assert told(lambda: (table.iter_pandas(1), table.to_arrow_batches())) == []


@pytest.mark.parametrize("kind", ["parquet", "csv", "json_lines", "delta"])
def test_a_write_warns_once_or_fails_with_the_tables_own_error_and_leaves_nothing(tmp_path, kind):
    files = {"a.csv": "v\n1\nx\n2\n"}
    table = load(tmp_path, files, OVERRIDE)
    (text,) = told(lambda: mltable.write(table, tmp_path / "good", format=kind))
    assert text.startswith("column 'v': 1 values are not int ")
    strict = load(tmp_path, files, OVERRIDE, strict=True)
    with pytest.raises(
        StrictModeError, match=r"^column 'v': 1 values are not int .* line 3 \(strict mode .*\)$"
    ):
        mltable.write(strict, tmp_path / "bad", format=kind)
    late = load(tmp_path, {"a.csv": "v\n" + "1\n" * 200 + "x\n"}, "read_delimited")
    with pytest.raises(SchemaMismatchError, match="a.csv:202 column 'v': 'x' is not int64"):
        mltable.write(late, tmp_path / "bad", format=kind)
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize("step", ["", ", {skip: 1}", ", {filter: a is not None}"])
def test_rows_are_counted_although_every_column_is_widened(tmp_path, step):
    text = "a,b,c\n" + "1,2,3\n" * 200 + "x,2,3\n1,y,3\n1,2,z\n"
    table = load(tmp_path, {"a.csv": text}, f"read_delimited{step}")
    assert told(table.count_rows)
    with pytest.warns(TypeWidenedWarning):
        assert table.count_rows() == len(table.to_pandas_dataframe())


def test_partitions_are_counted_although_a_column_is_widened_on_the_way(tmp_path):
    table = load(tmp_path, {"a.csv": "v\n" + "1\n" * 200 + "x\n"}, "read_delimited, {skip: 5}")
    (text,) = told(table.get_partition_count)
    assert "'v': 1 values are not int64" in text
