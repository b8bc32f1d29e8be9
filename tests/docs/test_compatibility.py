"""Rows of docs/compatibility.md, asserted: what mltable_lite does where it differs from the reference."""

from __future__ import annotations

import datetime as dt
import gzip
import pickle
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable
from mltable_lite import DataType, errors

SAMPLE_ROWS = 200
TIMES_SECONDS = pa.timestamp("s")


@pytest.fixture
def make(tmp_path):
    return Make(tmp_path)


class Make:
    """Makes tables over small real files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(self, *texts: str | bytes, **options):
        paths = []
        for number, text in enumerate(texts):
            file = self.folder / f"{number}.csv"
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
            paths.append({"file": str(file)})
        return mltable.from_delimited_files(paths, **options)

    def texts(self, *values: str):
        return self.csv("\n".join(["a", *values, ""]), infer_column_types=False)

    def late(self, usual: str, late: str):
        return self.csv("\n".join(["a", *[usual] * (SAMPLE_ROWS + 50), late, ""]))

    def parquet(self, *columns: pa.Array):
        for number, column in enumerate(columns):
            pq.write_table(pa.table({"a": column}), self.folder / f"{number}.parquet")
        return mltable.from_parquet_files([{"folder": str(self.folder)}])

    def json(self, *lines: str, **options):
        (self.folder / "a.jsonl").write_text("\n".join([*lines, ""]))
        return mltable.from_json_lines_files([{"folder": str(self.folder)}], **options)

    def yaml(self, text: str, **files: str):
        for name, content in (files or {"a.csv": "a\n1\n"}).items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        (self.folder / "MLTable").write_text(text)
        return mltable.load(self.folder)


def read(table, *expected_warnings):
    """Return the frame; exactly these classes of warnings must have been shown."""
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        frame = table.to_pandas_dataframe()
    assert [w.category for w in shown] == list(expected_warnings)
    return frame


def dtypes(frame: pd.DataFrame) -> list[str]:
    return [str(dtype) for dtype in frame.dtypes]


# --------------------------------------------------------------------------- frames
def test_empty_result_keeps_columns_and_types(make):
    frame = read(make.csv("a,b\n1,x\n").filter("a > 5"))
    assert list(frame) == ["a", "b"]
    assert dtypes(frame) == ["int64", "str"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2], pa.int8()),
        pa.array([2**63, 1], pa.uint64()),
        pa.array([1.5, 2], pa.float32()),
        pa.array([dt.date(1500, 1, 1), None], pa.date32()),
        pa.array([dt.datetime(1500, 1, 1), None], pa.timestamp("us")),
        pa.array([0, 1], pa.timestamp("us", "Europe/Paris")),
        pa.array([dt.time(3), None], pa.time64("us")),
    ],
    ids=lambda column: str(column.type),
)
def test_row_wise_steps_keep_types_and_values(make, column):
    taken = make.parquet(column).take(2).to_arrow_table()
    assert taken["a"].combine_chunks() == column


def test_big_integers_with_nulls_keep_their_digits(make):
    frame = read(make.parquet(pa.array([2**53 + 1, None])))
    assert dtypes(frame) == ["Int64"]
    assert frame["a"][0] == 2**53 + 1


def test_dropping_every_column_is_an_error_before_reading(make):
    with pytest.raises(errors.NoColumnsError):
        read(make.csv("a\n1\n").drop_columns("a"))


# --------------------------------------------------------------------------- paths
def test_missing_file_is_named(make, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        read(mltable.from_delimited_files([{"file": str(tmp_path / "none.csv")}]))


def test_missing_file_without_a_read_step_is_an_error(tmp_path):
    with pytest.raises(errors.SourceNotFoundError, match=r"none\.csv"):
        read(mltable.from_paths([{"file": str(tmp_path / "none.csv")}]))


def test_folder_is_sorted_and_leaves_markers_out(make):
    table = make.yaml(
        "paths: [{folder: ./}]\ntransformations: [read_delimited]\n",
        **{"b.csv": "a\n2\n", "a.csv": "a\n1\n", "_SUCCESS": "", ".hidden": "x", "c.csv.crc": "x"},
    )
    assert read(table)["a"].to_list() == [1, 2]


@pytest.mark.parametrize("entry", ["file: d", "pattern: 'd/**'", "pattern: 'd/{a,b}.csv'"])
def test_lenient_paths_are_read(make, entry):
    table = make.yaml(
        f"paths: [{{{entry}}}]\ntransformations: [read_delimited]\n",
        **{"d/a.csv": "a\n1\n", "d/b.csv": "a\n2\n"},
    )
    assert read(table)["a"].to_list() == [1, 2]


def test_file_with_a_glob_says_use_pattern(make):
    with pytest.raises(errors.SourceNotFoundError, match="pattern:"):
        read(make.yaml("paths: [{file: '*.csv'}]\ntransformations: [read_delimited]\n"))


def test_compressed_text_is_decompressed(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a\n1\n"))
    assert read(mltable.from_delimited_files([{"folder": str(tmp_path)}]))["a"].to_list() == [1]


# --------------------------------------------------------------------------- delimited: types
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["0", "1"], [0, 1]),
        (["00", "01", "+1"], [0, 1, 1]),
        (["01/02/2020", "03/04/2020"], ["01/02/2020", "03/04/2020"]),
        (["1/2/20", "13/1/20"], ["1/2/20", "13/1/20"]),
        (["2020-01-01", "01/02/2020"], ["2020-01-01", "01/02/2020"]),
        (["2020-01-01T00:00:00", "2020-01-01T00:00:00Z"], ["2020-01-01T00:00:00", "2020-01-01T00:00:00Z"]),
        (["3000-01-01"], [dt.datetime(3000, 1, 1)]),
    ],
)
def test_guessed_types_lose_nothing(make, values, expected):
    assert read(make.csv("\n".join(["a", *values, ""])))["a"].to_list() == expected


@pytest.mark.parametrize(
    ("usual", "late", "dtype"),
    [
        ("2", "abc", "str"),
        ("2", "1.5", "float64"),
        ("2", "NaN", "float64"),
        ("2.5", "x", "str"),
        ("true", "perhaps", "str"),
        ("2020-01-01", "soon", "str"),
    ],
)
def test_late_values_widen_the_column(make, usual, late, dtype):
    frame = read(make.late(usual, late), errors.TypeWidenedWarning)
    assert dtypes(frame) == [dtype]
    if dtype == "str":
        assert frame["a"].to_list()[-2:] == [usual, late]


def test_column_that_begins_with_bits_is_a_column_of_numbers(make):
    assert read(make.late("1", "5"))["a"].to_list()[-1] == 5


def test_stream_that_cannot_go_back_raises(make):
    with pytest.raises(errors.SchemaMismatchError, match="column_type_overrides"):
        make.late("1", "abc").to_arrow_batches().read_all()


def test_empty_cells_of_number_columns_are_null(make):
    for options in ({}, {"empty_as_string": True}):
        frame = read(make.csv('a,b\n1,x\n"",""\n,\n', **options))
        assert dtypes(frame) == ["float64", "str"]
        assert frame["a"].isna().to_list() == [False, True, True]


def test_override_with_mismatch_error_raises(make):
    kind = DataType.to_bool(["yes"], ["no"], "error")
    with pytest.raises(errors.ConversionError, match="maybe"):
        read(make.csv("a\nyes\nmaybe\n", infer_column_types={"column_type_overrides": {"a": kind}}))


def test_override_that_loses_warns(make):
    table = make.csv("a\n1.5\nNaN\ninf\n", infer_column_types={"column_type_overrides": {"a": "int"}})
    frame = read(table, errors.ConversionWarning, errors.ConversionWarning)
    assert frame["a"].isna().to_list() == [False, True, True]


# --------------------------------------------------------------------------- delimited: lines
@pytest.mark.parametrize("multi_line", [False, True])
def test_open_quote_is_an_error(make, multi_line):
    with pytest.raises(errors.InvalidLineError, match=":2"):
        read(make.csv('a,b\n"x\ny,2\n', support_multi_line=multi_line))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("a,b\n\n1,2\n\n", {"support_multi_line": True}),
        ("a,b\r1,2\r", {}),
        ("a::b\n1::2\n", {"delimiter": "::"}),
        ("a\tb\n1\t2\n", {"delimiter": "\\t"}),
        ("a§b\n1§2\n", {"delimiter": "§"}),
        ("\ufeffa,b\n1,2\n".encode("utf-16-be"), {"encoding": "utf16"}),
        ("\ufeffa,b\n1,2\n", {"encoding": "utf8bom"}),
        ("\ufeffa,b\n1,2\n".encode("utf-32-le"), {"encoding": "utf32"}),
    ],
)
def test_unusual_text_is_read(make, text, options):
    frame = read(make.csv(text, **options))
    assert list(frame) == ["a", "b"]
    assert frame.to_numpy().tolist() == [[1, 2]]


def test_header_alone_gives_the_columns(make):
    assert list(read(make.csv("a,b\n"))) == ["a", "b"]


def test_differing_headers_are_an_error(make):
    with pytest.raises(errors.SchemaMismatchError, match=r"\[b, a\].*\[a, b\]"):
        read(make.csv("a,b\n1,2\n", "b,a\n1,2\n"))


# --------------------------------------------------------------------------- Parquet
@pytest.mark.parametrize(
    "column",
    [
        pa.array([dt.datetime(2020, 1, 1)], TIMES_SECONDS),
        pa.array([dt.time(3)], pa.time32("s")),
        pa.array(["x"]).dictionary_encode(),
        pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.array([5], pa.duration("s")),
        pa.array([[[1]]]),
        pa.array([b"ab"], pa.binary(2)),
        pa.array([1.5], pa.float16()),
        pa.array([1], pa.decimal256(50, 2)),
    ],
    ids=lambda column: str(column.type),
)
def test_every_arrow_type_is_read(make, column):
    table = make.parquet(column)
    assert table.to_arrow_table()["a"].to_pylist() == column.to_pylist()
    assert len(read(table)) == 1


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (pa.array([1]), pa.array([2], pa.uint64()), pa.int64()),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("ns")), pa.timestamp("ns")),
        (pa.array([1], pa.decimal128(5, 2)), pa.array([1], pa.decimal128(5, 3)), pa.decimal128(6, 3)),
    ],
)
def test_types_are_joined_where_nothing_is_lost(make, first, second, joined):
    table = make.parquet(first, second).to_arrow_table()
    assert table.schema.field("a").type == joined
    assert table["a"].to_pylist() == pa.concat_arrays([first.cast(joined), second.cast(joined)]).to_pylist()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.array([1]), pa.array(["x"])),
        (pa.array([1]), pa.array([2**63], pa.uint64())),
        (pa.array([1], pa.timestamp("us")), pa.array([1], pa.timestamp("us", "UTC"))),
    ],
)
def test_types_without_a_common_one_are_an_error(make, first, second):
    with pytest.raises(errors.SchemaMismatchError, match="'a'"):
        read(make.parquet(first, second))


def test_file_of_no_rows_gives_its_columns(make):
    assert dtypes(read(make.parquet(pa.array([], pa.int64())))) == ["int64"]


def test_file_of_no_bytes_is_an_error(tmp_path):
    (tmp_path / "a.parquet").touch()
    with pytest.raises(errors.CorruptFileError, match=r"a\.parquet"):
        read(mltable.from_parquet_files([{"folder": str(tmp_path)}]))


def test_pandas_index_is_restored_also_after_a_filter(tmp_path):
    pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key")).to_parquet(tmp_path / "a.parquet")
    frame = read(mltable.from_parquet_files([{"folder": str(tmp_path)}]).filter("a > 1"))
    assert frame.index.to_list() == ["y"]


# --------------------------------------------------------------------------- JSON lines
@pytest.mark.parametrize(
    ("lines", "expected", "warned"),
    [
        (['{"a":1}', '{"a":1.5}'], [1.0, 1.5], []),
        (['{"a":1}', '{"a":"x"}'], ["1", "x"], [errors.TypeWidenedWarning]),
        (['{"a":1}', '{"a":18446744073709551615}'], [1, 2**64 - 1], []),
        (['{"a":-1}', '{"a":18446744073709551615}'], [-1.0, 2.0**64], [errors.PrecisionWarning]),
        (['{"a":1}', "   "], [1], []),
        (['{"a":1,"a":2}'], [2], [errors.DuplicateKeyWarning]),
    ],
)
def test_json_values_are_not_lost(make, lines, expected, warned):
    assert read(make.json(*lines), *warned)["a"].to_list() == expected


def test_text_after_an_object_makes_the_line_invalid(make):
    with pytest.raises(errors.InvalidLineError, match=":1"):
        read(make.json('{"a":1} x'))


def test_dropped_lines_are_counted(make):
    assert len(read(make.json('{"a":1}', "x", invalid_lines="drop"), errors.InvalidLinesWarning)) == 1


def test_top_level_array_is_an_error_also_with_drop(make):
    with pytest.raises(errors.InvalidLineError, match="array"):
        read(make.json('[{"a":1}]', invalid_lines="drop"))


# --------------------------------------------------------------------------- Delta
def test_delta_partition_columns_are_there_and_an_empty_uri_is_refused(tmp_path):
    from deltalake import write_deltalake

    write_deltalake(str(tmp_path / "t"), pa.table({"a": [1, 2], "p": ["x", "y"]}), partition_by=["p"])
    frame = read(mltable.from_delta_lake(str(tmp_path / "t")))
    assert sorted(frame["p"]) == ["x", "y"]
    with pytest.raises(errors.ArgumentError, match="empty"):
        mltable.from_delta_lake("")


def test_delta_before_the_first_version_is_an_error(tmp_path):
    from deltalake import write_deltalake

    write_deltalake(str(tmp_path), pa.table({"a": [1]}))
    with pytest.raises(errors.UserErrorException):
        read(mltable.from_delta_lake(str(tmp_path), timestamp_as_of="2001-01-01T00:00:00Z"))


# --------------------------------------------------------------------------- filter
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("b == None", [-7]),
        ("b != None", [1]),
        ("-8 < a < 0", [-7]),
        ('d > "2020-06-01"', [-7]),
        ("a // 2 == -4", [-7]),
        ('startswith(b, "x")', [1]),
        ("not(a == 1)", [-7]),
        ('b in ["x"]', [1]),
        ('b not in ["y"]', [1]),
        ("b is None", [-7]),
        ('b == ""', []),
        ("true", [1, -7]),
    ],
)
def test_filter_says_what_it_means(make, expression, expected):
    table = make.csv("a,b,d\n1,x,2020-01-02\n-7,,2021-01-02\n")
    assert read(table.filter(expression))["a"].to_list() == expected


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("a =", errors.FilterSyntaxError),
        ("col(a) == 1", errors.FilterSyntaxError),
        ("zz == 1", errors.ColumnNotFoundError),
        ('a == "1"', errors.FilterTypeError),
        ("b > 1", errors.FilterTypeError),
    ],
)
def test_filter_that_means_nothing_is_an_error(make, expression, error):
    table = make.csv("a,b\n1,x\n")
    with pytest.raises(error):
        read(table.filter(expression))


# --------------------------------------------------------------------------- convert_column_types
@pytest.mark.parametrize(
    ("value", "target", "expected", "warned"),
    [
        ("x", "int", [None], True),
        ("2.9", "int", [2], True),
        ("NaN", "int", [None], True),
        ("1e30", "int", [None], True),
        ("13/02/2020", DataType.to_datetime(["%m/%d/%Y", "%d/%m/%Y"]), [dt.datetime(2020, 2, 13)], False),
        ("9999-12-31", DataType.to_datetime("%Y-%m-%d"), [dt.datetime(9999, 12, 31)], False),
        ("20-01-02", DataType.to_datetime("%Y-%m-%d"), [None], True),
        ("2020-01-02 EST", DataType.to_datetime("%Y-%m-%d %Z"), [None], True),
    ],
)
def test_conversions_lose_nothing_in_silence(make, value, target, expected, warned):
    table = make.texts(value).convert_column_types({"a": target})
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        values = table.to_arrow_table()["a"].to_pylist()
    assert values == expected
    assert [w.category for w in shown] == [errors.ConversionWarning] * warned


def test_booleans_become_zero_and_one(make):
    table = make.csv("a\ntrue\nfalse\n").convert_column_types({"a": "int"})
    assert read(table)["a"].to_list() == [1, 0]


def test_conversion_errors(make):
    words = DataType.to_bool(["a"], ["b"], "error")
    with pytest.raises(errors.ConversionError):
        read(make.texts("x").convert_column_types({"a": words}))
    with pytest.raises(errors.ArgumentError, match="date_constant"):
        read(make.texts("03:04:05").convert_column_types({"a": DataType.to_datetime("%H:%M:%S")}))
    with pytest.raises(errors.ColumnNotFoundError):
        read(make.texts("x").convert_column_types({"q": "int"}))


# --------------------------------------------------------------------------- other steps
def test_columns_that_are_not_there(make):
    table = make.csv("a,b\n1,2\n")
    with pytest.raises(errors.ColumnNotFoundError):
        read(table.keep_columns("q"))
    assert list(read(table.drop_columns("q"), errors.MissingColumnWarning)) == ["a", "b"]


def test_samples_of_everything_and_nothing(make):
    table = make.csv("a\n1\n2\n")
    assert len(read(table.take_random_sample(1))) == 2
    assert len(read(table.take_random_sample(0))) == 0


def test_sample_does_not_depend_on_columns_or_filters(make):
    table = make.csv("a,b\n" + "".join(f"{i},{i % 7}\n" for i in range(500)))
    sample = read(table.take_random_sample(0.3, seed=5))
    filtered = read(table.filter("b > 2").take_random_sample(0.3, seed=5).keep_columns("a"))
    assert filtered["a"].to_list() == sample[sample["b"] > 2]["a"].to_list()


def test_sample_without_a_seed_loads_and_keeps_its_seed(make):
    step = "[read_delimited, {take_random_sample: {probability: 0.5}}]"
    table = make.yaml(f"paths: [{{file: a.csv}}]\ntransformations: {step}\n")
    assert "seed" in str(table)


def test_partitions_of_parquet_are_row_groups(tmp_path):
    pq.write_table(pa.table({"a": range(10)}), tmp_path / "a.parquet", row_group_size=4)
    assert mltable.from_parquet_files([{"folder": str(tmp_path)}]).get_partition_count() == 3


EXTRACT = "extract_columns_from_partition_format"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (f"[read_delimited, {{{EXTRACT}: {{partition_format: '{{x}}/a.csv'}}}}]", {"a": 1, "x": 1}),
        (f"[{{{EXTRACT}: {{partition_format: '{{x}}/a.csv'}}}}, read_delimited]", {"x": 1, "a": 1}),
    ],
)
def test_partition_format_gives_values_before_and_after_the_read_step(make, steps, expected):
    table = make.yaml(
        f"paths: [{{pattern: '*/a.csv'}}]\ntransformations: {steps}\n", **{"01/a.csv": "a\n1\n"}
    )
    assert read(table).iloc[0].to_dict() == expected


def test_partition_format_that_does_not_match(make):
    text = "paths: [{{pattern: '*/a.csv'}}]\ntransformations: [{{{0}: {1}}}, read_delimited]\n"
    files = {"1/a.csv": "a\n1\n", "2_y/a.csv": "a\n2\n"}
    strict = text.format(EXTRACT, "{partition_format: '{x}_y/a.csv'}")
    with pytest.raises(errors.UserErrorException, match="1/a.csv"):
        read(make.yaml(strict, **files))
    lenient = text.format(EXTRACT, "{partition_format: '{x}_y/a.csv', ignore_errors: true}")
    assert read(make.yaml(lenient, **files), errors.SkippedFilesWarning)["a"].to_list() == [2]


def test_partition_date_is_read_as_written(make):
    step = f"{{{EXTRACT}: {{partition_format: '{{day:yyyy/dd/MM}}'}}}}"
    table = make.yaml(
        f"paths: [{{pattern: '*/*/*/a.csv'}}]\ntransformations: [{step}, read_delimited]\n",
        **{"2020/13/02/a.csv": "a\n1\n"},
    )
    assert read(table)["day"].to_list() == [dt.datetime(2020, 2, 13)]


def test_traits_that_name_no_column(make):
    table = make.yaml(
        "paths: [{file: a.csv}]\ntransformations: [read_delimited]\ntraits: {index_columns: [q]}\n"
    )
    read(table, errors.MissingColumnWarning)
    with pytest.raises(errors.ColumnNotFoundError, match="traits"):
        table.validate()


# --------------------------------------------------------------------------- files and objects
def test_duplicate_keys_are_refused(make):
    with pytest.raises(errors.SpecError, match="twice"):
        make.yaml("paths: [{file: a.csv}]\npaths: [{file: a.csv}]\n")


def test_load_takes_folder_file_uri_and_path(make, tmp_path):
    table = make.yaml("paths: [{file: a.csv}]\ntransformations: [read_delimited]\n")
    for place in (tmp_path / "MLTable", str(tmp_path), tmp_path.as_uri()):
        assert mltable.load(place) == table


@pytest.mark.parametrize(
    "steps",
    [
        "[{read_delimited: {include_path_column: 'true'}}]",
        f"[{{{EXTRACT}: {{partition_format: {{day:yyyy}}}}}}, read_delimited]",
    ],
)
def test_lenient_forms_load_with_a_warning(make, steps):
    with pytest.warns(errors.SpecWarning):
        make.yaml(f"paths: [{{file: a.csv}}]\ntransformations: {steps}\n")


def test_tables_hash_and_pickle(make):
    table = make.csv("a\n1\n")
    again = pickle.loads(pickle.dumps(table))
    assert again == table
    assert hash(again) == hash(table)


def test_save_takes_uris_and_keeps_files_of_one_name(make, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.csv").write_text(f"a\n{name}\n")
    paths = [{"file": str(tmp_path / name / "a.csv")} for name in ("one", "two")]
    target = tmp_path / "saved"
    mltable.from_delimited_files(paths).save(target.as_uri(), colocated=True)
    assert read(mltable.load(target))["a"].to_list() == ["one", "two"]
