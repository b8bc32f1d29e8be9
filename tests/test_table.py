"""The front object: immutable, comparable, picklable; verbs that check their arguments at once."""

import copy
import pickle

import pytest

import mltable_lite as mltable
from mltable_lite.errors import (
    ArgumentError,
    FilterSyntaxError,
    MLTableNotFoundError,
    SpecError,
    UnsupportedFeatureError,
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("i,v,s\n1,10,x\n2,20,y\n3,30,z\n")
    (tmp_path / "MLTable").write_text(
        "paths:\n- file: ./a.csv\ntransformations:\n- read_delimited\ntraits:\n  index_columns: [i]\nmetadata: {k: v}\n"
    )
    return tmp_path


@pytest.fixture
def table(folder):
    return mltable.load(folder)


@pytest.mark.parametrize(
    "form", [str, lambda p: p, lambda p: f"file://{p}", lambda p: p / "MLTable", lambda p: f"{p}/"]
)
def test_load_takes_the_folder_the_file_a_uri_and_a_path_object(folder, form):
    assert mltable.load(form(folder)).to_pandas_dataframe()["v"].tolist() == [10, 20, 30]


def test_load_takes_any_fsspec_uri(tmp_path):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/tables/t/a.csv", b"a,b\n1,x\n2,y\n")
    memory.pipe("/tables/t/MLTable", b"paths: [{file: a.csv}]\ntransformations: [read_delimited]\n")
    assert mltable.load("memory://tables/t").to_pandas_dataframe()["b"].tolist() == ["x", "y"]


def test_a_missing_mltable_file_says_what_is_there(tmp_path):
    (tmp_path / "MLTable.yaml").write_text("paths: []")
    with pytest.raises(MLTableNotFoundError, match=r"Not able to find MLTable file.*rename it to 'MLTable'"):
        mltable.load(tmp_path)


def test_a_data_file_is_no_mltable_file(folder):
    with pytest.raises(MLTableNotFoundError, match=r"Not able to find MLTable file.*a\.csv is a file"):
        mltable.load(folder / "a.csv")


def test_a_folder_called_mltable_is_no_mltable_file(tmp_path):
    (tmp_path / "MLTable").mkdir()
    with pytest.raises(MLTableNotFoundError, match="is a folder"):
        mltable.load(tmp_path)


def test_a_database_source_is_refused_by_name_and_never_an_empty_table(tmp_path):
    (tmp_path / "MLTable").write_text("query_source: {type: database, query: select 1}\n")
    with pytest.raises(UnsupportedFeatureError, match="query_source"):
        mltable.load(tmp_path).to_pandas_dataframe()


def test_two_read_steps_are_refused_by_their_names(folder):
    table = mltable.load(folder)._add_transformation_step("read_parquet")
    with pytest.raises(ArgumentError, match="read_delimited, read_parquet"):
        table.to_pandas_dataframe()


def test_a_verb_returns_a_new_table_and_leaves_the_old_one(table):
    assert table.take(1) != table
    assert len(table.to_pandas_dataframe()) == 3


def test_building_a_table_touches_no_data_file(tmp_path):
    table = mltable.from_parquet_files([{"file": str(tmp_path / "missing.parquet")}])
    table.filter("a > 1").take(3).keep_columns("a")


def test_tables_compare_and_hash_by_content(folder, table):
    assert table == mltable.load(folder)
    assert hash(table) == hash(mltable.load(folder))
    assert table.take(2) == table.take(2)
    assert table.take(2) != table.take(3)
    assert table != 5
    assert len({table, mltable.load(folder), table.take(1)}) == 2


def test_traits_and_metadata_are_set_in_place_and_are_no_part_of_the_hash(table):
    before = hash(table)
    table.traits.timestamp_column = "v"
    table.metadata.add("more", [1])
    assert hash(table) == before
    assert table.take(1).traits.timestamp_column == "v"
    assert table.take(1).metadata.get("more") == [1]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_tables_copy_and_pickle(table, copied):
    twin = copied(table.filter("v > 10"))
    assert twin == table.filter("v > 10")
    assert twin.to_pandas_dataframe()["i"].tolist() == [2, 3]


def test_a_pickle_holds_no_credential(folder):
    table = mltable.load(folder, storage_options={"account_key": "SECRETKEY", "anon": False})
    assert b"SECRETKEY" not in pickle.dumps(table)
    assert "SECRETKEY" not in repr(table)


def test_the_arrow_stream_protocol_feeds_polars_and_duckdb(table):
    import duckdb
    import polars

    assert polars.DataFrame(table)["v"].to_list() == [10, 20, 30]
    source = table  # noqa: F841 - duckdb finds it by its name
    assert duckdb.sql("select sum(v) from source").fetchall() == [(60,)]


def test_a_filter_with_a_syntax_error_is_refused_at_once(table):
    with pytest.raises(FilterSyntaxError):
        table.filter("v >")


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.take(0),
        lambda t: t.take(True),
        lambda t: t.take("1"),
        lambda t: t.skip(-1),
        lambda t: t.show(0),
        lambda t: t.take_random_sample(1.5),
        lambda t: t.take_random_sample(0.5, seed="1"),
        lambda t: t.random_split(-0.1),
        lambda t: t.keep_columns(["i", "i"]),
        lambda t: t.keep_columns({"i": 1}),
        lambda t: t.drop_columns("i"),
        lambda t: t.keep_columns("v"),
        lambda t: t.convert_column_types({}),
        lambda t: t.convert_column_types({"v": "bool"}),
        lambda t: t.convert_column_types({"v": "int", ("v", "s"): "float"}),
        lambda t: t.select_partitions([]),
        lambda t: t.save(overwrite="perhaps"),
        lambda t: t.extract_columns_from_partition_format("no braces"),
        lambda t: t.traits.timestamp_column,
        lambda t: t.metadata.get(5),
    ],
)
def test_a_bad_argument_is_one_clear_error(table, call):
    with pytest.raises(mltable.UserErrorException) as caught:
        call(table)
    assert len(str(caught.value)) > 20


def test_from_functions_refuse_what_is_no_list_of_paths():
    for paths in ("a.csv", {"file": "a.csv"}, ["a.csv"], [{"files": "a.csv"}], [{"file": 5}], None):
        with pytest.raises(mltable.UserErrorException):
            mltable.from_paths(paths)
    with pytest.raises(ArgumentError, match="header='no'.*all_files_same_headers"):
        mltable.from_delimited_files([{"file": "a.csv"}], header="no")


def test_relative_paths_are_fixed_when_the_table_is_built(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    table = mltable.from_delimited_files([{"file": "a.csv"}])
    monkeypatch.chdir("/")
    assert len(table.to_pandas_dataframe()) == 3
    assert table.paths == [{"file": "a.csv"}]


def test_every_issue_of_a_file_comes_with_its_line(tmp_path):
    (tmp_path / "MLTable").write_text(
        "paths:\n- patern: ./*.csv\ntransformations:\n- read_delimited:\n    encodng: utf8\n"
    )
    with pytest.raises(SpecError, match=r"(?s):2:3.*patern.*pattern.*:5:5.*encodng.*encoding"):
        mltable.load(tmp_path)


def test_counts_come_without_reading_where_metadata_tells(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": range(100)}), tmp_path / "a.parquet", row_group_size=10)
    table = mltable.from_parquet_files([{"folder": str(tmp_path)}])
    assert table.count_rows() == 100
    assert table.take(30).skip(5).count_rows() == 25
    assert table.filter("a < 7").count_rows() == 7
    assert table.get_partition_count() == 10


def test_old_code_keeps_its_import(folder):
    import subprocess
    import sys

    code = (
        "import mltable_lite; mltable_lite.install_as_mltable()\n"
        "import mltable\nfrom mltable import load\nfrom mltable.mltable import MLTable\n"
        f"print(len(mltable.load({str(folder)!r}).to_pandas_dataframe()), load is mltable_lite.load)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "True"]


def test_traits_that_name_no_column_are_an_error_in_validate_and_a_warning_when_reading(table):
    table.traits.timestamp_column = "when"
    with pytest.raises(mltable.UserErrorException, match="when"):
        table.validate()
    with pytest.warns(mltable.MLTableWarning, match="when"):
        table.to_pandas_dataframe()


def test_strict_mode_makes_a_warning_an_error(folder):
    table = mltable.load(folder, strict=True).drop_columns("zzz")
    with pytest.raises(mltable.UserErrorException, match="zzz"):
        table.to_pandas_dataframe()
