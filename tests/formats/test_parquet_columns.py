"""Columns of Parquet files that Arrow reads as something else, or under another name, in every output."""

import datetime as dt

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mltable_lite
from mltable_lite.errors import SchemaMismatchError
from mltable_lite.formats.conform import conform, without_views

VIEW, BYTES_VIEW, I64 = pa.string_view(), pa.binary_view(), pa.int64()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "1.parquet"


def table_of(path, columns, **options):
    pq.write_table(pa.table(columns), path, **options)
    return mltable_lite.from_parquet_files([{"file": str(path)}])


# ------------------------------------------------------------------ views
VIEWS = {
    "texts": (["a", None, "more than twelve bytes"], VIEW, pa.large_string()),
    "bytes": ([b"a", None, b"more than twelve bytes"], BYTES_VIEW, pa.large_binary()),
    "lists": ([[1, None], None, []], pa.list_view(I64), pa.list_(I64)),
    "large lists": ([[1, None], None, []], pa.large_list_view(I64), pa.large_list(I64)),
    "lists of texts": ([["a", None], None, []], pa.list_view(VIEW), pa.list_(pa.large_string())),
    "lists of lists": (
        [[[1], [2, 3]], None, [[], None]],
        pa.list_view(pa.list_view(I64)),
        pa.list_(pa.list_(I64)),
    ),
    "pairs": ([["a", None], None, ["b", "c"]], pa.list_(VIEW, 2), pa.list_(pa.large_string(), 2)),
    "structs": ([{"x": "a"}, None, {"x": None}], pa.struct({"x": VIEW}), pa.struct({"x": pa.large_string()})),
    "lists in structs": (
        [{"x": [1]}, None, {"x": [2, 3]}],
        pa.struct({"x": pa.list_view(I64)}),
        pa.struct({"x": pa.list_(I64)}),
    ),
    "maps": (
        [[("k", [1])], None, []],
        pa.map_(VIEW, pa.list_view(I64)),
        pa.map_(pa.large_string(), pa.list_(I64)),
    ),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_read_as_what_every_step_and_output_knows(path, name):
    values, view, plain = VIEWS[name]
    table = table_of(path, {"k": [1, 2, 3], "c": pa.array(values, view)})
    read = table.to_arrow_table()
    assert read.schema.field("c").type.equals(plain)
    read.validate(full=True)
    expected = pa.array(values, plain).to_pylist()
    assert read["c"].to_pylist() == expected
    table.validate()
    assert len(table.show(2)) == 2
    assert table.filter("k >= 2").to_arrow_table()["c"].to_pylist() == expected[1:]
    assert table.filter("k >= 100").to_pandas_dataframe().shape == (0, 2)
    assert table.filter("k >= 100").to_arrow_table().schema.field("c").type.equals(plain)
    assert table.skip(1).take(1).to_arrow_table()["c"].to_pylist() == expected[1:2]
    assert table.take_random_sample(1, seed=1).to_arrow_table()["c"].to_pylist() == expected
    assert table.to_arrow_batches(batch_rows=2).read_all()["c"].to_pylist() == expected
    assert len(table.to_dask_dataframe().compute(scheduler="sync")) == 3
    assert len(table.to_pandas_dataframe(dtype_backend="pyarrow")) == 3


def test_texts_that_repeat_are_read_from_views_as_well(path):
    values = [f"text {number % 7}" if number % 5 else None for number in range(40_000)]
    table = table_of(path, {"k": range(40_000), "c": pa.array(values, VIEW)})
    assert table.to_arrow_table()["c"].to_pylist() == values
    assert table.filter("k % 3 == 0").to_arrow_table()["c"].to_pylist() == values[::3]
    assert table.filter("c == 'text 3'").count_rows() == values.count("text 3")


def test_views_are_joined_with_plain_texts(path, tmp_path):
    other = tmp_path / "2.parquet"
    table_of(path, {"c": pa.array(["a"], VIEW), "l": pa.array([[1]], pa.list_view(I64))})
    table_of(other, {"c": ["b"], "l": [[2]]})
    table = mltable_lite.from_parquet_files([{"file": str(path)}, {"file": str(other)}])
    assert table.to_arrow_table().to_pydict() == {"c": ["a", "b"], "l": [[1], [2]]}


def test_an_extension_over_views_is_its_storage(path):
    column = pa.ExtensionArray.from_storage(pa.json_(VIEW), pa.array(["{}", None], VIEW))
    table = table_of(path, {"c": column})
    assert table.filter("c is not None").to_arrow_table().schema == pa.schema({"c": pa.large_string()})


@st.composite
def nested(draw):
    """Draw a type that may hold views, and values of it."""
    kind = draw(
        st.recursive(
            st.sampled_from([VIEW, BYTES_VIEW, pa.string(), I64]),
            lambda inner: st.one_of(
                inner.map(pa.list_view),
                inner.map(pa.large_list_view),
                inner.map(pa.list_),
                inner.map(lambda t: pa.struct([("x", t), ("y", I64)])),
                inner.map(lambda t: pa.map_(pa.string(), t)),
                inner.map(lambda t: pa.list_(t, 2)),
            ),
            max_leaves=4,
        )
    )
    return kind, draw(st.lists(_values(kind), min_size=1, max_size=6))


def _values(kind):
    if pa.types.is_integer(kind):
        return st.none() | st.integers(0, 9)
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return st.none() | st.sampled_from(["", "a", "more than twelve bytes"])
    if pa.types.is_binary_view(kind):
        return st.none() | st.sampled_from([b"", b"a", b"more than twelve bytes"])
    if pa.types.is_struct(kind):
        return st.none() | st.fixed_dictionaries({field.name: _values(field.type) for field in kind})
    if pa.types.is_map(kind):
        return st.none() | st.lists(st.tuples(st.sampled_from("kl"), _values(kind.item_type)), max_size=2)
    most = 2 if pa.types.is_fixed_size_list(kind) else 3
    least = 2 if pa.types.is_fixed_size_list(kind) else 0
    return st.none() | st.lists(_values(kind.value_type), min_size=least, max_size=most)


@settings(max_examples=300)
@given(nested(), st.integers(0, 5))
def test_no_value_is_lost_with_the_views(drawn, start):
    kind, values = drawn
    plain = without_views(kind)
    array = conform(pa.array(values, kind).slice(start), plain)
    array.validate(full=True)
    assert array.type.equals(plain)
    assert "view" not in str(plain)
    assert array.to_pylist() == pa.array(values, plain).slice(start).to_pylist()


# ------------------------------------------------------------------ names with dots
DOTTED = {
    "s.t": [10, 20],
    "s": [{"t": 1, "u": 3}, {"t": 2, "u": 4}],
    "p": [{"t": 100}, {"t": 200}],
    "p.t": ["x", "y"],
    "q": [7, 8],
}


@pytest.mark.parametrize(
    "order", [("s.t", "s", "p", "p.t", "q"), ("q", "p.t", "s", "p", "s.t"), ("s", "s.t", "p", "q", "p.t")]
)
def test_a_column_with_the_path_of_a_field_of_a_struct_is_told_from_it(path, order):
    table = table_of(path, {name: DOTTED[name] for name in order})
    assert table.to_arrow_table().to_pydict() == {name: DOTTED[name] for name in order}
    for dropped in order:
        left = {name: DOTTED[name] for name in order if name != dropped}
        without = table.drop_columns(dropped)
        assert without.to_arrow_table().to_pydict() == left
        assert without.to_pandas_dataframe().to_dict("list") == left
        assert table.keep_columns(dropped).to_arrow_table().to_pydict() == {dropped: DOTTED[dropped]}
        assert (
            table.filter("q == 8").keep_columns(dropped).to_arrow_table()[dropped].to_pylist()
            == DOTTED[dropped][1:]
        )


def test_statistics_are_those_of_the_column_and_not_of_the_field(path):
    table = table_of(path, DOTTED)
    assert table.filter("col('s.t') == 20").to_arrow_table()["q"].to_pylist() == [8]
    assert table.filter("col('s.t') == 2").count_rows() == 0
    assert "1 ruled out" in str(table.filter("col('s.t') == 2").explain(analyze=True))


def test_texts_that_repeat_beside_a_struct_with_their_path(path):
    rows = 20_000
    columns = {"s": [{"t": "a"}] * rows, "s.t": ["b"] * rows, "k": [*range(rows)]}
    table = table_of(path, columns)
    assert table.keep_columns(["s.t", "k"]).to_arrow_table().to_pydict() == {
        "s.t": columns["s.t"],
        "k": columns["k"],
    }
    assert table.filter("k == 1").to_arrow_table().to_pylist() == [{"s": {"t": "a"}, "s.t": "b", "k": 1}]


# ------------------------------------------------------------------ INT96
FAR = dt.datetime(9999, 12, 31, 23, 59, 59)
NEAR = dt.datetime(2020, 1, 1)
US = pa.timestamp("us")


def int96(path, columns, **options):
    return table_of(path, columns, use_deprecated_int96_timestamps=True, **options)


def test_far_years_are_read_whatever_is_read_beside_them(path):
    table = int96(path, {"k": [1, 2], "t": pa.array([NEAR, FAR], US)})
    assert table.to_arrow_table().to_pydict() == {"k": [1, 2], "t": [NEAR, FAR]}
    assert table.to_arrow_table().schema.field("t").type == US
    frame = table.to_pandas_dataframe()
    assert frame["t"].dtype == "datetime64[us]"
    assert [*frame["t"].dt.to_pydatetime()] == [NEAR, FAR]
    assert table.keep_columns("t").to_arrow_table()["t"].to_pylist() == [NEAR, FAR]
    assert table.filter("k == 2").to_arrow_table()["t"].to_pylist() == [FAR]
    assert table.filter("k == 2").count_rows() == 1
    assert table.filter("t > '2021-01-01'").to_arrow_table()["k"].to_pylist() == [2]


INSIDE = {
    "struct": (lambda t: {"t": t, "u": 1}, pa.struct([("t", US), ("u", I64)])),
    "list": (lambda t: [{"t": t}, None], pa.list_(pa.field("element", pa.struct([("t", US)])))),
    "map": (lambda t: [("k", t)], pa.map_(pa.string(), US)),
}


@pytest.mark.parametrize("name", INSIDE)
def test_far_years_inside_other_values_are_read_as_well(path, name):
    holding, kind = INSIDE[name]
    column = pa.array([holding(NEAR), None, holding(FAR)], kind)
    table = int96(path, {"k": [1, 2, 3], "t": column})
    read = table.to_arrow_table()
    assert read["t"].to_pylist() == column.to_pylist()
    assert read.schema.field("t").type.equals(kind)
    assert table.keep_columns("k").to_arrow_table()["k"].to_pylist() == [1, 2, 3]


def test_outputs_in_pieces_say_that_far_years_are_read_as_a_whole(path):
    table = int96(path, {"k": [1, 2], "t": pa.array([NEAR, FAR], US)})
    message = r"1\.parquet: row group 0, column 't'.*9999-12-31.*does not fit ns.*as a whole"
    with pytest.raises(SchemaMismatchError, match=message):
        table.to_arrow_batches().read_all()
    with pytest.raises(SchemaMismatchError, match=message):
        list(table.iter_pandas())
    with pytest.raises(SchemaMismatchError, match=message):
        table.to_dask_dataframe().compute(scheduler="sync")


def test_a_year_that_python_has_no_date_for_is_read_as_well(path):
    far = pa.array([10**17, 0], I64).view(US)
    table = int96(path, {"k": [1, 2], "t": far})
    assert table.to_arrow_table()["t"].combine_chunks().equals(far)


def test_a_value_that_does_not_fit_leaves_timestamps_beside_it_in_nanoseconds(path, tmp_path):
    # Read again in microseconds, the timestamp would be blamed.
    exact = pa.array([1], pa.timestamp("ns"))
    int96(path, {"t": exact, "f": [0.5]})
    int96(tmp_path / "2.parquet", {"t": exact, "f": [2**53 + 1]})
    table = mltable_lite.from_parquet_files([{"folder": str(tmp_path)}])
    with pytest.raises(SchemaMismatchError, match=r"2\.parquet: row group 0, column 'f'"):
        table.to_arrow_table()


def test_a_flat_column_is_not_taken_for_an_old_timestamp_inside_a_struct(path):
    columns = {"s.t": [1, 2], "s": [{"t": NEAR}, {"t": FAR}]}
    table = int96(path, columns)
    assert table.keep_columns("s.t").to_arrow_table().to_pydict() == {"s.t": [1, 2]}
    assert table.to_arrow_table().to_pydict() == columns
