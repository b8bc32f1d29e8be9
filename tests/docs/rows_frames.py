"""Checks of the sections Frames, Paths, and Files and objects."""

from __future__ import annotations

import copy
import datetime as dt
import gzip
import pickle

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from docs.rows import Make, dtypes, read, row, values

import mltable_lite as mltable
from mltable_lite import errors


def after_every_step(make: Make, column: pa.Array) -> list[pa.Array]:
    """Return what is left of a column, whose first value is not wanted, after steps over rows."""
    table = make.tables(pa.table({"a": column, "n": range(len(column))}))
    tables = [
        table.take(9).skip(1),
        table.filter("n > 0"),
        table.convert_column_types({"n": "string"}).skip(1),
    ]
    return [table.to_arrow_table()["a"].combine_chunks() for table in tables]


def kept(make: Make, column: pa.Array) -> None:
    for left in after_every_step(make, column):
        assert left == column[1:]


# --------------------------------------------------------------------------- frames
@row("empty-keeps-columns")
def empty_keeps_columns(make):
    table = make.csv("a,b\n1,x\n")
    for empty in (table.filter("a > 5"), table.skip(1)):
        assert dtypes(read(empty)) == ["int64", "str"]
    assert list(
        read(make.steps("read_delimited, {take: 0}", "[{file: 0.csv}]", **{"0.csv": "a,b\n1,x\n"}))
    ) == ["a", "b"]


@row("row-path-types")
def row_path_types(make):
    for column in (
        pa.array([1, 2], pa.int8()),
        pa.array([1.5, 2], pa.float32()),
        pa.array([dt.date(2020, 1, 1), None], pa.date32()),
        pa.array([1, 2], pa.decimal128(5, 2)),
    ):
        kept(make, column)


@row("row-path-uint64")
def row_path_uint64(make):
    kept(make, pa.array([1, 2**63], pa.uint64()))


@row("row-path-far-timestamps")
def row_path_far_timestamps(make):
    kept(make, pa.array([None, dt.datetime(1500, 1, 1)], pa.timestamp("us")))
    kept(make, pa.array([None, dt.date(1500, 1, 1)], pa.date32()))


@row("row-path-zones")
def row_path_zones(make):
    kept(make, pa.array([0, 1], pa.timestamp("us", "Europe/Paris")))


@row("row-path-times")
def row_path_times(make):
    kept(make, pa.array([None, dt.time(3)], pa.time64("us")))


@row("big-integers-with-nulls")
def big_integers_with_nulls(make):
    table = make.parquet(pa.array([2**53 + 1, None]))
    assert dtypes(read(table)) == ["Int64"]
    assert values(table, "a") == [2**53 + 1, None]
    assert str(table.to_pandas_dataframe(dtype_backend="pyarrow")["a"].dtype) == "int64[pyarrow]"


@row("dtypes-follow-rows")
def dtypes_follow_rows(make):
    table = make.csv("a,b\n1,x\n,y\n")
    assert dtypes(read(table)) == ["float64", "str"]
    assert dtypes(read(table.filter("a > 0"))) == ["int64", "str"]


@row("all-null-keeps-type")
def all_null_keeps_type(make):
    assert dtypes(read(make.converted("int", "x"), errors.ConversionWarning)) == ["str", "float64"]
    assert dtypes(read(make.csv("a,d\n1,2020-01-01\n2,\n").skip(1))) == ["int64", "datetime64[ns]"]


@row("null-files-keep-type")
def null_files_keep_type(make):
    tables = [pa.table({"a": pa.array(column, pa.int64())}) for column in ([None], [1])]
    frame = read(make.tables(*tables).take(5))
    assert dtypes(frame) == ["float64"]
    assert frame["a"].isna().tolist() == [True, False]


@row("null-files-booleans")
def null_files_booleans(make):
    table = make.csv("k,v\nx,\n", "k,v\nx,true\n")
    assert values(table, "v") == [None, True]


@row("columns-follow-rows")
def columns_follow_rows(make):
    assert list(read(make.csv("a,b,c\n1,2\n"))) == ["a", "b", "c"]
    assert list(read(make.json('{"a":1,"c":2};{"b":3,"a":1}').skip(1))) == ["a", "c", "b"]


@row("records-keep-integers")
def records_keep_integers(make):
    assert read(make.json('{"a":{"x":1}};{"a":null}'))["a"][0] == {"x": 1}
    assert type(read(make.json('{"a":{"x":1}};{"a":null}'))["a"][0]["x"]) is int
    lists = read(make.json('{"a":[9007199254740993]};{"a":[1,null]}'))["a"]
    assert [array.tolist() for array in lists] == [[9007199254740993], [1, None]]


@row("every-column-of-a-file")
def every_column_of_a_file(make):
    different = mltable.MLTableHeaders.all_files_different_headers
    assert values(make.csv("a\n1\n", "a,b\n3,4\n", header=different).drop_columns("a"), "b") == [None, 4]


@row("every-column-dropped")
def every_column_dropped(make):
    with pytest.raises(errors.NoColumnsError):
        read(make.csv("a\n1\n").drop_columns("a"))


# --------------------------------------------------------------------------- paths
FOLDER = {"t/b.csv": "a\n2\n", "t/a.csv": "a\n1\n", "t/_SUCCESS": "", "t/.hidden": "x", "t/c.csv.crc": "x"}


@row("folder-order")
def folder_order(make):
    assert values(make.steps("read_delimited", "[{folder: t}]", **FOLDER), "a") == [1, 2]


@row("folder-markers")
def folder_markers(make):
    table = make.steps("read_delimited", "[{folder: t}]", **FOLDER)
    assert values(table, "a") == [1, 2]
    assert "3" in str(table.explain())


@row("delta-as-files")
def delta_as_files(make):
    for _ in range(2):
        write_deltalake(make.folder / "t", pa.table({"a": [1, 2]}), mode="overwrite")
    table = mltable.from_parquet_files([{"folder": str(make.folder / "t")}])
    assert sorted(values(table, "a", errors.SkippedFilesWarning)) == [1, 1, 2, 2]
    assert values(mltable.from_delta_lake(str(make.folder / "t")), "a") == [1, 2]


@row("missing-named")
def missing_named(make):
    table = make.steps("read_delimited", "[{file: a.csw}]")
    with pytest.raises(errors.SourceNotFoundError, match=r"MLTable:1.*a\.csw.*Did you mean 'a\.csv'"):
        read(table)


@row("missing-without-read")
def missing_without_read(make):
    with pytest.raises(errors.SourceNotFoundError, match=r"none\.csv"):
        read(mltable.from_paths([{"file": str(make.folder / "none.csv")}]))


@row("file-is-folder")
def file_is_folder(make):
    assert values(make.steps("read_delimited", "[{file: t}]", **FOLDER), "a") == [1, 2]


@row("file-with-star")
def file_with_star(make):
    with pytest.raises(errors.SourceNotFoundError, match="pattern:"):
        read(make.steps("read_delimited", "[{file: '*.csv'}]"))


@row("pattern-below")
def pattern_below(make):
    files = {"t/a.csv": "a\n1\n", "t/u/b.csv": "a\n2\n"}
    assert values(make.steps("read_delimited", "[{pattern: 't/**'}]", **files), "a") == [1, 2]


@row("pattern-braces")
def pattern_braces(make):
    files = {"t/a.csv": "a\n1\n", "t/b.csv": "a\n2\n", "t/c.csv": "a\n3\n"}
    assert values(make.steps("read_delimited", "[{pattern: 't/{a,b}.csv'}]", **files), "a") == [1, 2]


@row("compressed-text")
def compressed_text(make):
    (make.folder / "a.csv.gz").write_bytes(gzip.compress(b"a\n1\n"))
    assert values(mltable.from_delimited_files([{"folder": str(make.folder)}]), "a") == [1]


# --------------------------------------------------------------------------- files and objects
@row("yaml-duplicate-key")
def yaml_duplicate_key(make):
    with pytest.raises(errors.SpecError, match=r"MLTable:2:.*line 1"):
        make.yaml("paths: [{file: a.csv}]\npaths: [{file: a.csv}]\n")


@row("load-forms")
def load_forms(make):
    table = make.steps("read_delimited")
    for place in (make.folder / "MLTable", str(make.folder), make.folder.as_uri()):
        assert mltable.load(place) == table


@row("all-mistakes")
def all_mistakes(make):
    with pytest.raises(errors.SpecError, match=r"(?s)2 issues.*MLTable:1:10.*MLTable:2:20"):
        make.yaml("paths: [{fil: a.csv}]\ntransformations: [{tak: 1}]\n")


@row("yaml-text-boolean")
def yaml_text_boolean(make):
    with pytest.warns(errors.SpecWarning):
        table = make.steps("{read_delimited: {include_path_column: 'true'}}")
    assert list(read(table)) == ["Path", "a"]


@row("yaml-unquoted-format")
def yaml_unquoted_format(make):
    with pytest.warns(errors.SpecWarning):
        make.steps(
            "{extract_columns_from_partition_format: {partition_format: {day:yyyy/MM}}}, read_delimited"
        )


@row("object-hash")
def object_hash(make):
    table = make.csv("a\n1\n")
    for again in (pickle.loads(pickle.dumps(table)), copy.deepcopy(table)):
        assert again == table
        assert hash(again) == hash(table)


@row("validate-error")
def validate_error(make):
    with pytest.raises(errors.ColumnNotFoundError, match="'q'"):
        make.csv("a\n1\n").filter("q == 1").validate()


@row("save-uri")
def save_uri(make):
    make.steps("read_delimited").save((make.folder / "out").as_uri())
    assert values(mltable.load(make.folder / "out"), "a") == [1]


@row("save-one-name")
def save_one_name(make):
    for name in ("one", "two"):
        (make.folder / name).mkdir()
        (make.folder / name / "a.csv").write_text(f"a\n{name}\n")
    paths = [{"file": str(make.folder / name / "a.csv")} for name in ("one", "two")]
    mltable.from_delimited_files(paths).save(str(make.folder / "out"), colocated=True)
    assert values(mltable.load(make.folder / "out"), "a") == ["one", "two"]


@row("save-failure")
def save_failure(make):
    table = make.steps("read_delimited", "[{file: a.csv}, {file: none.csv}]", **{"a.csv": "a\n1\n"})
    with pytest.raises(errors.SourceNotFoundError):
        table.save(str(make.folder / "out"), colocated=True)
    assert not (make.folder / "out").exists()


@row("save-defaults")
def save_defaults(make):
    table = make.steps("read_delimited")
    table.save(str(make.folder / "out"))
    assert "encoding" not in (make.folder / "out" / "MLTable").read_text()
    assert "encoding: utf8" in str(table)


@row("exception-tree")
def exception_tree(make):
    for kind, builtin in (
        (errors.SourceNotFoundError, FileNotFoundError),
        (errors.ColumnNotFoundError, KeyError),
        (errors.SpecError, ValueError),
        (errors.FilterTypeError, TypeError),
        (errors.AccessDeniedError, PermissionError),
    ):
        assert issubclass(kind, errors.UserErrorException)
        assert issubclass(kind, builtin)
    assert issubclass(errors.UserErrorException, errors.MLTableError)
