"""Checks of the sections filter, convert_column_types and Other steps."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from docs.rows import Make, read, row, values

import mltable_lite as mltable
from mltable_lite import DataType, errors
from mltable_lite.errors import ConversionWarning

EXTRACT = "extract_columns_from_partition_format"


def passing(make: Make, expression: str) -> list[int]:
    table = make.csv("a,b,d\n1,x,2020-01-02\n-7,,2021-01-02\n")
    return values(table.filter(expression), "a")


def refused(
    make: Make, expression: str, error: type[errors.UserErrorException], match: str | None = None
) -> None:
    table = make.csv("a,b,c\n1,x,9007199254740993\n")
    with pytest.raises(error, match=match):
        read(table.filter(expression))


# --------------------------------------------------------------------------- filter
@row("filter-syntax")
def filter_syntax(make):
    with pytest.raises(errors.FilterSyntaxError):
        make.csv("a\n1\n").filter("a =")


@row("filter-missing-column")
def filter_missing_column(make):
    refused(make, "bb == 1", errors.ColumnNotFoundError, "Did you mean 'b'")
    with pytest.raises(errors.ColumnNotFoundError):
        read(make.csv("a,b\n1,2\n").drop_columns("a").filter("a == 1"))


@row("filter-col-unquoted")
def filter_col_unquoted(make):
    refused(make, "col(a) == 1", errors.FilterSyntaxError)


@row("filter-none")
def filter_none(make):
    assert passing(make, "b == None") == [-7]
    assert passing(make, "b != None") == [1]


@row("filter-chained")
def filter_chained(make):
    assert passing(make, "-8 < a < 0") == [-7]


@row("filter-kinds")
def filter_kinds(make):
    refused(make, 'a == "2"', errors.FilterTypeError, "without quotes: 2")
    refused(make, "b > 1", errors.FilterTypeError, "convert_column_types")


@row("filter-date-text")
def filter_date_text(make):
    assert passing(make, 'd > "2020-06-01"') == [-7]


@row("filter-floor")
def filter_floor(make):
    assert passing(make, "a // 2 == -4") == [-7]
    table = make.csv("a,b\n1,inf\n2,4.0\n")
    assert values(table.filter("b // 2 > 0"), "a") == [2]


@row("filter-overflow")
def filter_overflow(make):
    refused(make, "c ** 2 > 0", errors.EvaluationError, r"row 1.*1\.0 \* x")


@row("filter-microseconds")
def filter_microseconds(make):
    table = make.parquet(pa.array([5], pa.timestamp("us")))
    assert values(
        table.filter("a == datetime(1970, 1, 1, 0, 0, 0, 5)").convert_column_types({"a": "string"}), "a"
    ) == ["1970-01-01T00:00:00.000005+00:00"]


@row("filter-zones")
def filter_zones(make):
    table = make.parquet(pa.array([dt.datetime(2020, 6, 1)], pa.timestamp("us", "Europe/Paris")))
    assert len(read(table.filter("a == datetime(2020, 6, 1)"))) == 1


@row("filter-null-functions")
def filter_null_functions(make):
    assert passing(make, 'startswith(b, "x")') == [1]


@row("filter-length")
def filter_length(make):
    assert values(make.csv("a,b\né,1\nxy,2\n").filter("Length(a) == 1"), "b") == [1]


@row("filter-misfit-cells")
def filter_misfit_cells(make):
    table = make.converted("int", "1", "x").filter("v == 1")
    assert values(table, "v", ConversionWarning) == [1]


@row("filter-words")
def filter_words(make):
    assert passing(make, "not(a == 1)") == [-7]
    assert passing(make, 'b in ["x"]') == [1]
    assert passing(make, 'b not in ["y"]') == [1]
    assert passing(make, "b is None") == [-7]
    assert passing(make, 'b == ""') == []
    assert passing(make, "true") == [1, -7]
    assert passing(make, "b == null") == [-7]


# --------------------------------------------------------------------------- convert_column_types
@row("convert-failure")
def convert_failure(make):
    assert values(make.converted("int", "x", "1"), "v", ConversionWarning) == [None, 1]


@row("convert-fraction")
def convert_fraction(make):
    assert values(make.converted("int", "2.9"), "v", ConversionWarning) == [2]


@row("convert-nan")
def convert_nan(make):
    assert values(make.converted("int", "NaN"), "v", ConversionWarning) == [None]


@row("convert-overflow")
def convert_overflow(make):
    assert values(make.converted("int", "1e30", "inf"), "v", ConversionWarning) == [None, None]


@row("convert-time-text")
def convert_time_text(make):
    table = make.parquet(pa.array([dt.time(1, 2, 3)], pa.time32("ms")))
    assert values(table.convert_column_types({"a": "string"}), "a") == ["01:02:03"]


@row("convert-zone-text")
def convert_zone_text(make):
    june = pa.array([dt.datetime(2020, 6, 1)], pa.timestamp("us", "Europe/Paris"))
    table = make.parquet(june).convert_column_types({"a": DataType.to_string()})
    assert values(table, "a") == ["2020-06-01T00:00:00+00:00"]


@row("convert-bool-number")
def convert_bool_number(make):
    table = make.csv("a,b\ntrue,false\n").convert_column_types({"a": "int", "b": "float"})
    assert values(table, "a") + values(table, "b") == [1, 0.0]


@row("convert-bool-lists")
def convert_bool_lists(make):
    table = make.csv("a\n0\n1\n2\n")
    lists = DataType.to_bool(["1"], ["0"])
    assert values(table.convert_column_types({"a": lists}), "a", ConversionWarning) == [False, True, None]
    with pytest.raises(errors.ConversionError, match="2 is not boolean"):
        read(table.convert_column_types({"a": DataType.to_bool(["1"], ["0"], "error")}))
    assert values(table.convert_column_types({"a": "boolean"}), "a") == [False, True, True]


@row("convert-bool-error")
def convert_bool_error(make):
    with pytest.raises(errors.ConversionError, match="'x'"):
        read(make.converted(DataType.to_bool(["a"], ["b"], "error"), "x"))


@row("convert-next-format")
def convert_next_format(make):
    formats = DataType.to_datetime(["%m/%d/%Y", "%d/%m/%Y"])
    assert values(make.converted(formats, "13/02/2020"), "v") == [dt.datetime(2020, 2, 13)]


@row("convert-far-date")
def convert_far_date(make):
    assert values(make.converted(DataType.to_datetime("%Y-%m-%d"), "9999-12-31"), "v") == [
        dt.datetime(9999, 12, 31)
    ]


@row("convert-short-year")
def convert_short_year(make):
    assert values(make.converted(DataType.to_datetime("%Y-%m-%d"), "20-01-02"), "v", ConversionWarning) == [
        None
    ]


@row("convert-zone-name")
def convert_zone_name(make):
    kind = DataType.to_datetime("%Y-%m-%d %Z")
    assert values(make.converted(kind, "2020-01-02 EST"), "v", ConversionWarning) == [None]


@row("convert-time-alone")
def convert_time_alone(make):
    with pytest.raises(errors.ArgumentError, match="date_constant"):
        read(make.converted(DataType.to_datetime("%H:%M:%S"), "03:04:05"))


@row("convert-missing-column")
def convert_missing_column(make):
    with pytest.raises(errors.ColumnNotFoundError, match="'q'"):
        read(make.csv("a\n1\n").convert_column_types({"q": "int"}))


@row("convert-ignore-case")
def convert_ignore_case(make):
    for key in ("ignore_case", "ignoreCase"):
        step = f"{{convert_column_types: [{{columns: {{pattern: ^A$, {key}: true}}, column_type: string}}]}}"
        assert values(make.steps(f"read_delimited, {step}"), "a") == ["1"]


# --------------------------------------------------------------------------- other steps
@row("keep-missing")
def keep_missing(make):
    with pytest.raises(errors.ColumnNotFoundError, match="Did you mean 'b'"):
        read(make.csv("a,b\n1,2\n").keep_columns("bb"))


@row("drop-missing")
def drop_missing(make):
    assert list(read(make.csv("a,b\n1,2\n").drop_columns("q"), errors.MissingColumnWarning)) == ["a", "b"]


@row("sample-rows")
def sample_rows(make):
    lines = [f"{i},{i % 7}\n" for i in range(500)]
    table = make.csv("a,b\n" + "".join(lines))
    sample = read(table.take_random_sample(0.3, seed=5))
    filtered = read(table.filter("b > 2").take_random_sample(0.3, seed=5).keep_columns("a"))
    assert filtered["a"].to_list() == sample[sample["b"] > 2]["a"].to_list()
    first, second = (read(part) for part in table.random_split(0.3, seed=5))
    assert first["a"].to_list() == sample["a"].to_list()
    assert sorted([*first["a"], *second["a"]]) == list(range(500))


@row("sample-bounds")
def sample_bounds(make):
    table = make.csv("a\n1\n2\n")
    assert [len(read(table.take_random_sample(share))) for share in (1, 1.0, 0, 0.0)] == [2, 2, 0, 0]


@row("sample-seed")
def sample_seed(make):
    table = make.steps("read_delimited, {take_random_sample: {probability: 0.5}}")
    assert "seed" in str(table)
    assert read(table).equals(read(table))


@row("partition-count")
def partition_count(make):
    pq.write_table(pa.table({"a": range(10)}), make.folder / "a.parquet", row_group_size=4)
    assert mltable.from_parquet_files([{"folder": str(make.folder)}]).get_partition_count() == 3


def extract(text: str, more: str = "") -> str:
    return f"{{{EXTRACT}: {{partition_format: '{text}'{more}}}}}"


@row("partition-after-read")
def partition_after_read(make):
    table = make.steps(f"read_delimited, {extract('{x}/a.csv')}", **{"us/a.csv": "a\n1\n"})
    assert read(table).iloc[0].to_dict() == {"a": 1, "x": "us"}


TWO = {"1/a.csv": "a\n1\n", "2_y/a.csv": "a\n2\n"}


@row("partition-mismatch")
def partition_mismatch(make):
    with pytest.raises(errors.ArgumentError, match="1/a.csv"):
        read(make.steps(f"{extract('{x}_y/a.csv')}, read_delimited", **TWO))


@row("partition-ignored")
def partition_ignored(make):
    table = make.steps(f"{extract('{x}_y/a.csv', ', ignore_errors: true')}, read_delimited", **TWO)
    assert values(table, "a", errors.SkippedFilesWarning) == [2]


@row("partition-literal")
def partition_literal(make):
    table = make.steps(f"{extract('a+(1)?{x}/a.csv')}, read_delimited", **{"a+(1)?z/a.csv": "a\n1\n"})
    assert values(table, "x") == ["z"]


@row("partition-date-order")
def partition_date_order(make):
    table = make.steps(f"{extract('{day:yyyy/dd/MM}')}, read_delimited", **{"2020/13/02/a.csv": "a\n1\n"})
    assert values(table, "day") == [dt.datetime(2020, 2, 13)]


@row("partition-all-paths")
def partition_all_paths(make):
    files = {"1.5/a.csv": "a\n1\n", "x/b.csv": "a\n"}
    table = make.steps(f"{extract('/{x}/{y}.csv')}, read_delimited", **files)
    assert values(table, "x") == ["1.5"]


@row("partition-zeros")
def partition_zeros(make):
    table = make.steps(f"{extract('{x}/a.csv')}, read_delimited", **{"01/a.csv": "a\n1\n"})
    assert values(table, "x") == [1]


@row("traits-missing")
def traits_missing(make):
    table = make.yaml(
        "paths: [{file: a.csv}]\ntransformations: [read_delimited]\ntraits: {index_columns: [q]}\n"
    )
    read(table, errors.MissingColumnWarning)
    with pytest.raises(errors.ColumnNotFoundError, match="traits"):
        table.validate()
