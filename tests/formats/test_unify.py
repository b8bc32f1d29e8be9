import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltable_lite.errors import SchemaMismatchError
from mltable_lite.formats.conform import conform
from mltable_lite.formats.unify import promote, unify

JOINED = [
    (pa.int32(), pa.int64(), pa.int64()),
    (pa.uint8(), pa.int8(), pa.int16()),
    (pa.uint32(), pa.int8(), pa.int64()),
    (pa.uint64(), pa.int64(), pa.int64()),
    (pa.uint16(), pa.uint32(), pa.uint32()),
    (pa.int8(), pa.float16(), pa.float16()),
    (pa.int16(), pa.float16(), pa.float32()),
    (pa.int32(), pa.float32(), pa.float64()),
    (pa.int64(), pa.float32(), pa.float64()),
    (pa.float32(), pa.float64(), pa.float64()),
    (pa.decimal128(5, 2), pa.decimal128(6, 4), pa.decimal128(7, 4)),
    (pa.decimal128(38, 0), pa.decimal128(5, 2), pa.decimal256(40, 2)),
    (pa.decimal128(5, 2), pa.int32(), pa.decimal128(12, 2)),
    (pa.timestamp("ms"), pa.timestamp("ns"), pa.timestamp("ns")),
    (pa.timestamp("us", "Europe/Paris"), pa.timestamp("us", "Asia/Tokyo"), pa.timestamp("us", "UTC")),
    (pa.date32(), pa.date64(), pa.date32()),
    (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
    (pa.time32("s"), pa.time64("us"), pa.time64("us")),
    (pa.time32("s"), pa.time32("ms"), pa.time32("ms")),
    (pa.duration("s"), pa.duration("us"), pa.duration("us")),
    (pa.null(), pa.struct([("a", pa.int8())]), pa.struct([("a", pa.int8())])),
    (pa.string(), pa.large_string(), pa.large_string()),
    (pa.string(), pa.string_view(), pa.string()),
    (pa.binary(2), pa.binary(3), pa.binary()),
    (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
    (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.string()), pa.string()),
    (pa.uuid(), pa.binary(16), pa.binary(16)),
    (pa.list_(pa.int32()), pa.large_list(pa.float64()), pa.large_list(pa.float64())),
    (pa.list_(pa.int32(), 2), pa.list_(pa.int32(), 3), pa.list_(pa.int32())),
    (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int16()), pa.map_(pa.string(), pa.int16())),
    (
        pa.struct([("a", pa.int8()), ("b", pa.string())]),
        pa.struct([("c", pa.int8()), ("a", pa.int64())]),
        pa.struct([("a", pa.int64()), ("b", pa.string()), ("c", pa.int8())]),
    ),
]
REFUSED = [
    (pa.int64(), pa.string()),
    (pa.bool_(), pa.int8()),
    (pa.binary(), pa.string()),
    (pa.decimal128(5, 2), pa.float64()),
    (pa.decimal256(76, 0), pa.decimal128(5, 2)),
    (pa.timestamp("us"), pa.timestamp("us", "UTC")),
    (pa.date32(), pa.timestamp("us", "UTC")),
    (pa.date32(), pa.int32()),
    (pa.duration("s"), pa.int64()),
    (pa.list_(pa.int64()), pa.list_(pa.string())),
    (pa.list_(pa.int64()), pa.int64()),
    (pa.struct([("a", pa.int64())]), pa.struct([("a", pa.string())])),
    (pa.uuid(), pa.json_()),
]


@pytest.mark.parametrize(("a", "b", "joined"), JOINED, ids=str)
def test_types_join_into_one_that_holds_both_whatever_their_order(a, b, joined):
    assert promote(a, b) == joined
    back = promote(b, a)
    if pa.types.is_struct(joined):
        assert {f.name: f.type for f in back} == {f.name: f.type for f in joined}
    else:
        assert back == joined


@pytest.mark.parametrize(("a", "b"), REFUSED, ids=str)
def test_types_without_a_lossless_join_do_not_join(a, b):
    assert promote(a, b) is None
    assert promote(b, a) is None


_SCALARS = [
    *(t() for t in (pa.int8, pa.int16, pa.int32, pa.int64, pa.uint8, pa.uint16, pa.uint32, pa.uint64)),
    *(
        pa.float32(),
        pa.float64(),
        pa.bool_(),
        pa.string(),
        pa.large_string(),
        pa.binary(),
        pa.date32(),
        pa.null(),
    ),
    *(pa.timestamp(u) for u in ("s", "ms", "us", "ns")),
    *(
        pa.timestamp("us", "UTC"),
        pa.decimal128(9, 2),
        pa.decimal128(20, 5),
        pa.duration("ms"),
        pa.time64("us"),
    ),
    pa.dictionary(pa.int32(), pa.string()),
]
types = st.recursive(
    st.sampled_from(_SCALARS),
    lambda inner: st.one_of(
        inner.map(pa.list_),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(lambda d: pa.struct(list(d.items()))),
    ),
    max_leaves=4,
)


@given(types, types)
def test_a_join_is_stable_and_takes_arrays_of_both_types(a, b):
    joined = promote(a, b)
    assert promote(a, a) == a
    if joined is not None:
        assert promote(joined, a) == joined
        assert promote(joined, b) == joined
        for t in (a, b):
            made = conform(pa.nulls(2, t), joined)
            assert made.type == joined
            assert made.null_count == 2


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()))
def test_integers_become_floats_exactly_or_not_at_all(values):
    array = pa.array(values, pa.int64())
    try:
        made = conform(array, promote(pa.int64(), pa.float64()))
    except pa.ArrowInvalid:
        assert any(v is not None and abs(v) > 2**53 for v in values)
    else:
        assert [None if v is None else int(v) for v in made.to_pylist()] == values


def test_unify_keeps_the_order_of_first_appearance_and_makes_missing_columns_nullable():
    schema = unify(
        [
            ("1", pa.schema([pa.field("b", pa.int8(), nullable=False), pa.field("a", pa.null())])),
            ("2", pa.schema([pa.field("c", pa.string(), nullable=False), pa.field("a", pa.date32())])),
        ]
    )
    assert schema == pa.schema([("b", pa.int8()), ("a", pa.date32()), ("c", pa.string())])


def test_unify_keeps_field_metadata_but_not_parquet_field_ids():
    field = pa.field("a", pa.int8(), metadata={"unit": "m", "PARQUET:field_id": "4"})
    assert unify([("1", pa.schema([field], metadata={"x": "y"}))]).field("a").metadata == {b"unit": b"m"}
    assert unify([("1", pa.schema([field], metadata={"x": "y"}))]).metadata is None


def test_unify_of_nothing_has_no_columns():
    assert unify([]) == pa.schema([])


def test_unify_names_both_files_both_types_the_column_and_the_way_out():
    schemas = [
        ("a.parquet", pa.schema([("x", pa.null())])),
        ("b.parquet", pa.schema([("x", pa.int32())])),
        ("c.parquet", pa.schema([("x", pa.string())])),
    ]
    with pytest.raises(
        SchemaMismatchError,
        match=r"c\.parquet: column 'x' is string here but int32 in b\.parquet.*convert_column_types",
    ) as caught:
        unify(schemas)
    assert (caught.value.column, caught.value.file) == ("x", "c.parquet")


def test_conform_takes_struct_fields_by_name_in_lists_maps_and_slices():
    array = pa.array([None, [{"a": 1, "b": "x"}], [], [{"a": 2, "b": None}, None]]).slice(1)
    target = pa.list_(pa.struct([("b", pa.large_string()), ("c", pa.int8()), ("a", pa.float64())]))
    assert conform(array, target).to_pylist() == [
        [{"b": "x", "c": None, "a": 1.0}],
        [],
        [{"b": None, "c": None, "a": 2.0}, None],
    ]
    maps = pa.array([[("k", {"a": 1})], None], pa.map_(pa.string(), pa.struct([("a", pa.int64())])))
    wider = pa.map_(pa.string(), pa.struct([("z", pa.int8()), ("a", pa.int64())]))
    assert conform(maps, wider).to_pylist() == [[("k", {"z": None, "a": 1})], None]
    fixed = pa.array([[{"a": 1}], None], pa.list_(pa.struct([("a", pa.int64())]), 1))
    assert conform(fixed, pa.list_(pa.struct([("a", pa.int32())]))).to_pylist() == [[{"a": 1}], None]
