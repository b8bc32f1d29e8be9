"""Parquet files that say other things than they hold: an error in every output, and one that can be followed."""

import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

import mltable_lite
from mltable_lite.errors import CorruptFileError, MLTableError, SourceNotFoundError

OUTPUTS = {
    "pandas": lambda table: table.to_pandas_dataframe(),
    "pandas with arrow types": lambda table: table.to_pandas_dataframe(dtype_backend="pyarrow"),
    "arrow": lambda table: table.to_arrow_table(),
    "batches": lambda table: table.to_arrow_batches().read_all(),
    "frames": lambda table: list(table.iter_pandas()),
    "dask": lambda table: table.to_dask_dataframe().compute(scheduler="sync"),
    "filter": lambda table: table.filter("a is not None").to_arrow_table(),
    "sample": lambda table: table.take_random_sample(0.999, seed=1).to_pandas_dataframe(),
}


@pytest.fixture(params=OUTPUTS)
def output(request):
    return OUTPUTS[request.param]


def parquet(*paths):
    return mltable_lite.from_parquet_files([{"file": str(path)} for path in paths])


def varint(number):
    """Return a non-negative integer as Thrift's compact protocol writes it."""
    number, data = 2 * number, b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def say(path, rows, instead):
    """Make the footer of a file with one row group say another number of rows for that."""
    data = path.read_bytes()
    told, other = b"\x16" + varint(rows), b"\x16" + varint(instead)
    at = data.rindex(told)
    path.write_bytes(data[:at] + other + data[at + len(told) :])
    assert pq.read_metadata(path).row_group(0).num_rows == instead


# ------------------------------------------------------------------ numbers of rows
def test_a_row_that_cannot_be_put_together_is_an_error_and_no_missing_row(tmp_path, output):
    path = tmp_path / "1.parquet"
    columns = {"a": [7], "l": pa.array([[1, 2, 3]], pa.list_(pa.int64()))}
    pq.write_table(pa.table(columns), path, data_page_size=1)  # Arrow cuts the list in two pages
    with pytest.raises(
        CorruptFileError, match=r"1\.parquet: row group 0, column 'l' holds 0 values, but .* 1 rows"
    ):
        output(parquet(path))


@pytest.mark.parametrize("beside", [0, 2])
@pytest.mark.parametrize("instead", [+100, -100])
@pytest.mark.parametrize("rows", [1_000, 100_000])
def test_a_wrong_number_of_rows_in_a_footer_is_an_error(tmp_path, output, rows, instead, beside):
    path = tmp_path / "1.parquet"
    columns = {"a": [*range(rows)], "b": ["x"] * rows, "l": [[1, 2]] * rows}
    pq.write_table(pa.table(columns), path, use_dictionary=False)
    say(path, rows, rows + instead)
    others = [tmp_path / f"{number}.parquet" for number in range(2, 2 + beside)]
    for other in others:
        pq.write_table(pa.table(columns), other, use_dictionary=False)
    with pytest.raises(CorruptFileError, match=r"1\.parquet"):
        output(parquet(path, *others))


@pytest.mark.parametrize("column", ["a", "b", "l", "s"])
@pytest.mark.parametrize("instead", [1_100, 900])
def test_each_column_alone_shows_the_wrong_number_of_rows(tmp_path, column, instead):
    path = tmp_path / "1.parquet"
    columns = {
        "l": [[1, 2]] * 1_000,
        "s": [{"x": 1}] * 1_000,
        "a": [*range(1_000)],
        "b": ["x", None] * 500,
    }
    pq.write_table(pa.table(columns), path)
    say(path, 1_000, instead)
    with pytest.raises(CorruptFileError, match=rf"row group 0, column '[abls]'.*1000 values.*{instead} rows"):
        parquet(path).keep_columns(column).to_arrow_table()


def test_who_stops_early_has_its_rows_all_the_same(tmp_path):
    path = tmp_path / "1.parquet"
    pq.write_table(pa.table({"a": range(100_000)}), path)
    say(path, 100_000, 100_100)
    assert parquet(path).take(5).to_arrow_table()["a"].to_pylist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("instead", [1_100, 900])
def test_a_data_file_of_a_delta_table_is_held_to_its_footer_as_well(tmp_path, output, instead):
    write_deltalake(str(tmp_path / "t"), pa.table({"a": range(1_000), "p": ["x"] * 1_000}), partition_by="p")
    (path,) = (tmp_path / "t" / "p=x").glob("*.parquet")
    say(path, 1_000, instead)
    with pytest.raises(CorruptFileError, match=r"row group 0, column 'a' holds 1000 values"):
        output(mltable_lite.from_delta_lake(str(tmp_path / "t")))


def test_values_inside_lists_and_null_ones_count_as_no_rows_too_many(tmp_path):
    path = tmp_path / "1.parquet"
    columns = {
        "l": [[1, 2, 3], None, []],
        "m": [[[1], [2]], [], None],
        "n": pa.nulls(3),
        "t": [None, "x", None],
    }
    pq.write_table(pa.table(columns), path)
    assert parquet(path).to_arrow_table().to_pydict() == pa.table(columns).to_pydict()


# ------------------------------------------------------------------ causes
def assert_ends(error, above=()):
    """Follow what an error came from, by every way, as schedulers do that tell errors from one another."""
    assert error not in above, "an error came from itself"
    for cause in (error.__cause__, error.__context__):
        if cause is not None:
            assert_ends(cause, (*above, error))


def missing(path):
    path.unlink()


def rewritten(path):
    pq.write_table(pa.table({"a": range(11)}), path)


def cut_off(path):
    path.write_bytes(path.read_bytes()[:-20])


def overwritten(path):
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 40 + data[44:])


def empty(path):
    path.write_bytes(b"")


@pytest.fixture(params=[10, 100_000])
def two_files(request, tmp_path):
    paths = [tmp_path / f"{number}.parquet" for number in range(2)]
    for path in paths:
        pq.write_table(pa.table({"a": range(request.param), "b": ["x"] * request.param}), path)
    return paths


@pytest.mark.parametrize("spoil", [missing, cut_off, overwritten, empty])
def test_no_error_is_its_own_cause(two_files, output, spoil):
    spoil(two_files[1])
    with pytest.raises(MLTableError, match=r"1\.parquet") as caught:
        output(parquet(*two_files))
    assert_ends(caught.value)


@pytest.mark.parametrize("spoil", [missing, rewritten, cut_off, overwritten, empty])
def test_no_error_after_planning_is_its_own_cause(two_files, spoil):
    frame = parquet(*two_files).to_dask_dataframe()
    spoil(two_files[1])
    with pytest.raises(MLTableError, match=r"1\.parquet") as caught:
        frame.compute(scheduler="sync")
    assert_ends(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("spoil", [missing, cut_off, overwritten])
def test_no_error_of_a_delta_table_is_its_own_cause(tmp_path, output, spoil):
    write_deltalake(str(tmp_path / "t"), pa.table({"a": range(10)}))
    (path,) = (tmp_path / "t").glob("*.parquet")
    spoil(path)
    with pytest.raises(MLTableError) as caught:
        output(mltable_lite.from_delta_lake(str(tmp_path / "t")))
    assert_ends(caught.value)


def test_no_error_of_a_delta_log_is_its_own_cause(tmp_path):
    (tmp_path / "t" / "_delta_log").mkdir(parents=True)
    with pytest.raises(SourceNotFoundError) as caught:
        mltable_lite.from_delta_lake(str(tmp_path / "t")).to_arrow_table()
    assert_ends(caught.value)


# --------------------------------------------------------------------------- texts that are none
def latin1(rows):
    """Return a column of text whose second value is no UTF-8."""
    values = [b"a", "café".encode("latin1"), b"c"] * (rows // 3)
    buffers = pa.array(values, pa.binary()).buffers()
    return pa.Array.from_buffers(pa.string(), len(values), buffers)


@pytest.mark.parametrize("rows", [3, 60_000], ids=["plain", "dictionary"])
@pytest.mark.parametrize("delta", [False, True], ids=["parquet", "delta"])
def test_bytes_that_are_no_text_are_an_error_where_they_are_read(tmp_path, output, rows, delta):
    data = pa.table({"a": range(rows), "t": latin1(rows)})
    if delta:
        write_deltalake(str(tmp_path), pa.table({"a": range(rows), "t": pa.array(["x"] * rows)}))
        (file,) = tmp_path.glob("*.parquet")
        table = mltable_lite.from_delta_lake(str(tmp_path))
    else:
        file = tmp_path / "a.parquet"
        table = parquet(file)
    pq.write_table(data, file)
    match = rf"{file}: row group 0, column 't' holds bytes that are no UTF-8 text: b'caf\\xe9'\. Write"
    with pytest.raises(CorruptFileError, match=match):
        output(table)
    assert len(output(table.keep_columns("a"))) > 0


@pytest.mark.parametrize(
    "nested",
    [
        lambda text: pa.ListArray.from_arrays([0, 1, 2, 3], text),
        lambda text: pa.StructArray.from_arrays([text], ["s"]),
        lambda text: pa.MapArray.from_arrays([0, 1, 2, 3], text, pa.array([1, 2, 3])),
    ],
    ids=["list", "struct", "map"],
)
def test_bytes_that_are_no_text_are_an_error_inside_others_too(tmp_path, nested):
    pq.write_table(pa.table({"a": range(3), "t": nested(latin1(3))}), tmp_path / "a.parquet")
    with pytest.raises(CorruptFileError, match="row group 0, column 't' holds bytes that are no UTF-8 text"):
        parquet(tmp_path / "a.parquet").to_arrow_table()
