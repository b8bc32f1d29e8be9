"""Everything that can be wrong with the input is one error of one class, with the place and the way out."""

import datetime as dt
import gzip
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


def test_a_file_read_with_another_format_s_step_is_told_by_what_it_is(folder):
    content = (folder / "a.csv").read_bytes()
    pq.write_table(pa.table({"a": [1.5, None]}), folder / "p.parquet")
    (folder / "g.csv").write_bytes(gzip.compress(content))
    for name, hint in [("p.parquet", "read_parquet"), ("g.csv", r"end in \.gz")]:
        for read in (mltable.from_delimited_files, mltable.from_json_lines_files):
            with pytest.raises(errors.EncodingError, match=f"no text but .*{hint}"):
                read([{"file": str(folder / name)}]).to_pandas_dataframe()
    with pytest.raises(
        errors.CorruptFileError, match=r"By its name it is text: read it with read_delimited\."
    ):
        mltable.from_parquet_files([{"file": str(folder / "a.csv")}]).to_pandas_dataframe()


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


# --------------------------------------------------------------------------- arguments
def test_a_data_file_given_to_load_names_the_function_that_reads_it(folder):
    for name, function in [
        ("a.csv", "from_delimited_files"),
        ("a.parquet", "from_parquet_files"),
        ("bad.jsonl", "from_json_lines_files"),
    ]:
        path = str(folder / name)
        with pytest.raises(errors.MLTableNotFoundError) as caught:
            mltable.load(path)
        assert f"{function}([{{'file': {path!r}}}])." in str(caught.value)


def test_a_file_that_is_nearly_called_mltable_is_to_be_renamed(folder):
    (folder / "MLTable.yaml").write_text("paths: []")
    for given in (folder, folder / "MLTable.yaml"):
        with pytest.raises(errors.MLTableNotFoundError, match="rename it to 'MLTable'"):
            mltable.load(given)


#: A call, and the argument that must be named, with a value of a wrong type.
CALLS = {
    "save path": lambda: mltable.from_paths([{"file": "a"}]).save(7),
    "write uri": lambda: mltable.write(pa.table({"x": [1]}), 7),
    "write partition_by": lambda: mltable.write(pa.table({"x": [1]}), "w", partition_by=7),
    "write storage_options": lambda: mltable.write(pa.table({"x": [1]}), "w", storage_options=7),
    "copy source": lambda: mltable.transfer.copy(7, "w"),
    "copy target": lambda: mltable.transfer.copy("w", 7),
    "copy target_options": lambda: mltable.transfer.copy("w", "v", target_options=7),
    "upload source": lambda: mltable.transfer.upload(7, "w"),
    "download target": lambda: mltable.transfer.download("w", 7),
    "assets.register name": lambda: mltable.assets.register(7, "w"),
    "assets.register path": lambda: mltable.assets.register("a", 7),
    "assets.register tags": lambda: mltable.assets.register("a", ".", tags=7),
    "assets.changes storage_options": lambda: mltable.assets.changes("a", storage_options=7),
    "assets name": lambda: mltable.assets.get(7),
    "datastores name": lambda: mltable.datastores.get(7),
    "register_local root": lambda: mltable.datastores.register_local("a", 7),
    "register_local tags": lambda: mltable.datastores.register_local("a", "w", tags=7),
    "register_s3 tags": lambda: mltable.datastores.register_s3("a", "w", tags=7),
    "register_dbfs instance": lambda: mltable.datastores.register_dbfs("a", 7),
    "register_fsspec root": lambda: mltable.datastores.register_fsspec("a", 7),
}


@pytest.mark.parametrize("call", CALLS)
def test_an_argument_of_a_wrong_type_is_named(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, name = call.split()
    with pytest.raises((errors.ArgumentTypeError, errors.ArgumentError), match=rf"^{function}: {name}.*7"):
        CALLS[call]()
    assert not list(tmp_path.iterdir())


MAKERS = [
    lambda **given: mltable.load("nowhere", **given),
    lambda **given: mltable.from_paths([{"file": "a"}], **given),
    lambda **given: mltable.from_delta_lake("a", **given),
]


@pytest.mark.parametrize("make", MAKERS)
def test_strict_is_true_or_false_and_storage_options_are_a_mapping(make):
    with pytest.raises(errors.ArgumentError, match="strict='no' is not accepted; use True or False"):
        make(strict="no")
    with pytest.raises(errors.ArgumentTypeError, match="storage_options='x' is not accepted; give a mapping"):
        make(storage_options="x")


def test_the_version_of_a_delta_table_is_checked_when_the_table_is_made():
    with pytest.raises(
        errors.ArgumentTypeError, match="timestamp_as_of=1 .*a datetime or a date. .*version_as_of=1"
    ):
        mltable.from_delta_lake("dl", 1)
    with pytest.raises(errors.ArgumentTypeError, match="timestamp_as_of=True"):
        mltable.from_delta_lake("dl", True)
    with pytest.raises(
        errors.ArgumentError, match="from_delta_lake: timestamp_as_of '2024-05-01' is not an RFC 3339"
    ):
        mltable.from_delta_lake("dl", "2024-05-01")


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (dt.date(2024, 5, 1), "2024-05-01T00:00:00+00:00"),
        (dt.datetime(2024, 5, 1, 12, 30), "2024-05-01T12:30:00+00:00"),
        (dt.datetime(2024, 5, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2024-05-01T00:00:00+02:00"),
        ("2024-05-01T00:00:00Z", "2024-05-01T00:00:00Z"),
    ],
)
def test_a_moment_of_a_delta_table_is_a_text_a_datetime_or_a_date(given, written):
    assert f"timestamp_as_of: '{written}'" in str(mltable.from_delta_lake("dl", given))


def test_traits_and_metadata_take_a_mapping(folder):
    table = csv(folder, "a.csv")
    table.traits = {"index_columns": ["name"], "timestamp_column": "age"}
    table.metadata = {"owner": "me"}
    taken = table.take(1)
    assert (taken.traits.index_columns, taken.traits.timestamp_column) == (["name"], "age")
    assert taken.metadata.get("owner") == "me"
    table.traits = taken.traits
    assert table.traits is taken.traits


def test_what_is_no_traits_and_no_metadata_is_refused_where_it_is_set(folder):
    table = csv(folder, "a.csv")
    for wrong in ({"index": ["name"]}, ["name"], None):
        with pytest.raises(errors.ArgumentTypeError, match="traits: .*timestamp_column.*index_columns"):
            table.traits = wrong
    with pytest.raises(errors.ArgumentTypeError, match="index_columns: 'name' is not accepted"):
        table.traits = {"index_columns": "name"}
    with pytest.raises(
        errors.ArgumentTypeError, match="metadata: 3 is not accepted; give Metadata, or a mapping"
    ):
        table.metadata = 3
    assert len(table.take(1).to_pandas_dataframe()) == 1


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("datetime", r"formats: DataType\.to_datetime"),
        ("timestamp", r"formats: DataType\.to_datetime"),
        ("long", "Did you mean 'int'"),
        ("flot", "Did you mean 'float'"),
        ({"datetime": {"format": "%Y"}}, r"DataType\.to_datetime"),
    ],
)
def test_a_type_that_is_none_is_told_with_the_right_one(folder, given, hint):
    with pytest.raises(errors.ArgumentError, match=f"is not a column type; .*{hint}"):
        csv(folder, "a.csv").convert_column_types({"name": given})


@pytest.mark.parametrize(
    "overrides",
    [
        {"age": "string"},
        {("age",): mltable.DataType.to_string()},
        [{"columns": "age", "column_type": "string"}],
        [{"columns": ["age"], "column_type": mltable.DataType.to_string()}],
    ],
)
def test_overrides_are_a_mapping_or_what_the_yaml_file_has(folder, overrides):
    table = mltable.from_delimited_files(
        [{"file": str(folder / "a.csv")}], infer_column_types={"column_type_overrides": overrides}
    )
    assert table.to_pandas_dataframe()["age"].tolist() == ["31", "45"]


def test_an_override_with_options_is_what_the_yaml_file_has(folder):
    overrides = [{"columns": "age", "column_type": {"datetime": {"formats": "%y"}}}]
    table = mltable.from_delimited_files(
        [{"file": str(folder / "a.csv")}], infer_column_types={"column_type_overrides": overrides}
    )
    assert [moment.year for moment in table.to_pandas_dataframe()["age"]] == [2031, 2045]


@pytest.mark.parametrize("overrides", ["age", ["age"], [{"column": "age", "column_type": "string"}], 5])
def test_other_overrides_are_refused_with_both_forms(folder, overrides):
    with pytest.raises(errors.ArgumentError, match="mapping of columns to types, or a list such as"):
        mltable.from_delimited_files(
            [{"file": str(folder / "a.csv")}], infer_column_types={"column_type_overrides": overrides}
        )


def test_the_override_of_an_error_can_be_pasted_into_python(tmp_path):
    """What `SchemaMismatchError` says stands in the form of YAML, and Python takes it."""
    import yaml

    (tmp_path / "a.csv").write_text("a\n" + "1\n" * 300 + "x\n")
    files = [{"file": str(tmp_path / "a.csv")}]
    with pytest.raises(errors.SchemaMismatchError) as caught:
        mltable.from_delimited_files(files).to_arrow_batches().read_all()
    line = next(line for line in str(caught.value).split("\n") if "infer_column_types:" in line)
    pasted = yaml.safe_load(line)["infer_column_types"]
    read = mltable.from_delimited_files(files, infer_column_types=pasted).to_arrow_batches().read_all()
    assert read.column("a").to_pylist()[-1] == "x"


def test_a_name_that_no_datastore_can_have_is_told_without_a_file(tmp_path, monkeypatch):
    from mltable_lite import assets, datastores

    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.SpecError) as caught:
        datastores.register_local("my loc!", tmp_path)
    assert str(caught.value) == (
        "The datastore is not registered:\n"
        "  name: 'my loc!' is not accepted for name; accepted: a text (letters, digits, - and _)."
    )
    with pytest.raises(errors.SpecError, match=r"not registered:\n  name: .*letters, digits, -, _ and dots"):
        assets.register("my loc!", tmp_path)


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "0", "\u00b2"])
def test_a_number_of_threads_that_is_none_is_told(tmp_path, monkeypatch, value):
    (tmp_path / "a.csv").write_text("a\n1\n")
    monkeypatch.setenv("MLTABLE_LITE_THREADS", value)
    table = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}])
    with pytest.raises(
        errors.ArgumentError, match=r"MLTABLE_LITE_THREADS is '.*'; set it to a number of threads"
    ):
        table.to_pandas_dataframe()


def test_a_delimiter_that_arrow_does_not_know_is_one(tmp_path):
    (tmp_path / "a.csv").write_text("a\0b\n1\0x\n")
    table = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}], delimiter="\0")
    assert table.to_arrow_table().to_pylist() == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(("mark", "shown"), [(";", '";"'), ("\t", r'"\\t"'), ("|", r'"\|"')])
def test_a_header_that_was_not_cut_is_noticed_where_a_column_is_missing(tmp_path, mark, shown):
    (tmp_path / "a.csv").write_text(f"id{mark}fare\n1{mark}2\n")
    table = mltable.from_delimited_files([{"file": str(tmp_path / "a.csv")}]).filter("fare > 1")
    with pytest.raises(
        errors.ColumnNotFoundError, match=rf"no column 'fare'.* give it: delimiter: {shown}\."
    ):
        table.to_pandas_dataframe()
