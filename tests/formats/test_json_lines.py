from __future__ import annotations

import gzip
import json
import pickle

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mltable_lite.errors import (
    DataError,
    DuplicateKeyWarning,
    EncodingError,
    InvalidLineError,
    InvalidLinesWarning,
    Notices,
    PrecisionWarning,
    SchemaMismatchError,
    TypeWidenedWarning,
)
from mltable_lite.formats import json_lines
from mltable_lite.formats.base import Request
from mltable_lite.formats.json_blocks import decode_block
from mltable_lite.formats.json_lines import inspect
from mltable_lite.formats.json_values import Shape, parse_lines
from mltable_lite.spec.model import PathSpec, ReadJsonLines
from mltable_lite.storage.listing import list_files


@pytest.fixture
def source(tmp_path):
    """Make a source of files with the given texts or bytes."""

    def make(*contents, names=None, **options):
        names = names or [f"{i}.jsonl" for i in range(len(contents))]
        for name, content in zip(names, contents, strict=True):
            (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        files = list_files([PathSpec("file", name) for name in names], str(tmp_path)).entries
        return inspect(ReadJsonLines(**options), files)

    return make


def read(source, columns=None, first_rows=None, **more):
    """Return all rows as a table, and the notices."""
    request = Request(tuple(columns or source.schema.names), first_rows, **more)
    schema = pa.schema([source.schema.field(name) for name in request.columns])
    batches = [batch for partition in source.partitions() for batch in source.read(partition, request)]
    return pa.Table.from_batches(batches, schema), request.notices


def widened(source, columns=None):
    """Read as an output does that can start again."""
    try:
        return read(source, columns)
    except SchemaMismatchError:
        source, notices = source.widen(tuple(columns or source.schema.names))
        assert len(notices) == 0
        return read(source, columns)


def rows(*values):
    return "".join(json.dumps(value) + "\n" for value in values)


# --------------------------------------------------------------------------- types
@pytest.mark.parametrize(
    ("text", "kind", "values"),
    [
        ('{"a":5}\n{"a":null}\n', pa.int64(), [5, None]),
        ('{"a":1}\n{"a":1.5}\n', pa.float64(), [1.0, 1.5]),
        ('{"a":1.5}\n{"a":2}\n', pa.float64(), [1.5, 2.0]),
        ('{"a":1e3}\n', pa.float64(), [1000.0]),
        ('{"a":true}\n{"a":null}\n', pa.bool_(), [True, None]),
        ('{"a":"2020-01-01"}\n', pa.string(), ["2020-01-01"]),
        ('{"a":"1"}\n', pa.string(), ["1"]),
        ('{"a":null}\n', pa.null(), [None]),
        ('{"a":18446744073709551615}\n', pa.uint64(), [2**64 - 1]),
        ('{"a":9223372036854775808}\n{"a":-1}\n', pa.float64(), [2.0**63, -1.0]),
        ('{"a":123456789012345678901234567890}\n', pa.float64(), [1.2345678901234568e29]),
        ('{"a":[1,2.5]}\n', pa.list_(pa.float64()), [[1.0, 2.5]]),
        ('{"a":[]}\n{"a":[1]}\n', pa.list_(pa.int64()), [[], [1]]),
        (
            '{"a":{"b":1,"c":["x"]}}\n',
            pa.struct({"b": pa.int64(), "c": pa.list_(pa.string())}),
            [{"b": 1, "c": ["x"]}],
        ),
        (
            '{"a":{"b":1}}\n{"a":{"c":"q"}}\n',
            pa.struct({"b": pa.int64(), "c": pa.string()}),
            [{"b": 1, "c": None}, {"b": None, "c": "q"}],
        ),
        ('{"a":1}\n{"a":"x"}\n', pa.string(), ["1", "x"]),
        ('{"a":1}\n{"a":"a"}\n{"a":2.5}\n{"a":true}\n', pa.string(), ["1", "a", "2.5", "true"]),
        ('{"a":true}\n{"a":1}\n', pa.string(), ["true", "1"]),
        ('{"a":{"b":1}}\n{"a":5}\n', pa.string(), ['{"b":1}', "5"]),
        ('{"a":["x",1]}\n', pa.list_(pa.string()), [["x", "1"]]),
        ('{"a":{"b":1}}\n{"a":{"b":"é"}}\n', pa.struct({"b": pa.string()}), [{"b": "1"}, {"b": "é"}]),
    ],
)
def test_a_column_has_the_narrowest_type_that_loses_nothing(source, text, kind, values):
    table, _ = read(source(text))
    assert table.schema.field("a").type == kind
    assert table["a"].to_pylist() == values


def test_columns_are_the_union_of_keys_in_order_of_first_appearance(source):
    table, notices = read(source(rows({"a": 1}, {"b": "x", "a": 2}, {"c": 1}), rows({"d": True, "a": 3})))
    assert table.schema.names == ["a", "b", "c", "d"]
    assert table.to_pydict()["a"] == [1, 2, None, 3]
    assert table.to_pydict()["d"] == [None, None, None, True]
    assert not len(notices)


def test_lines_may_be_blank_padded_crlf_or_unended(source):
    table, _ = read(source('\n  {"a":5} \r\n\t \n\r\n{"a":6}\n\n {"a":7}'))
    assert table["a"].to_pylist() == [5, 6, 7]


def test_an_empty_file_has_no_columns_and_no_partitions(source):
    empty = source("", "\n \n")
    assert empty.schema.names == []
    assert source("", rows({"a": 1})).schema.names == ["a"]


def test_only_asked_columns_come_in_the_asked_order(source):
    made = source(rows({"a": 1, "b": {"x": 1}, "c": "t"}, {"a": 2, "b": {"x": 2}, "c": "u"}))
    table, _ = read(made, ["c", "a"])
    assert table.to_pydict() == {"c": ["t", "u"], "a": [1, 2]}
    table, _ = read(made, ["b"])
    assert table["b"].to_pylist() == [{"x": 1}, {"x": 2}]


# --------------------------------------------------------------------------- warnings
def notice(notices):
    (only,) = notices
    return only


def test_mixed_kinds_are_warned_with_count_value_and_line(source, tmp_path):
    table, notices = read(source(rows({"v": "x"}, {"v": 1}, {"v": [True, None]})))
    assert table["v"].to_pylist() == ["x", "1", "[true,null]"]
    only = notice(notices)
    assert (only.category, only.column, only.count, only.first) == (TypeWidenedWarning, "v", 2, "1")
    assert str(only.where) == f"{tmp_path}/0.jsonl line 2"


def test_integers_that_float64_rounds_are_warned_also_beside_floats(source):
    for text in (
        rows({"v": 0.5}, {"v": 9007199254740993}),
        rows({"v": 2**70 + 1}),
        rows({"v": [0.5, 2**53 + 1]}),
    ):
        table, notices = read(source(text))
        assert "double" in str(table.schema.field("v").type)
        assert (notice(notices).category, notice(notices).count) == (PrecisionWarning, 1)
    assert not len(read(source(rows({"v": 0.5}, {"v": 2**53}, {"v": 1e300})))[1])


def test_a_repeated_key_takes_the_last_value_and_is_warned(source, tmp_path):
    made = source('{"a":1,"b":7}\n{"a":2,"b":8,"a":3}\n{"a":4,"b":9,"a":5}\n')
    table, notices = read(made)
    assert table.to_pydict() == {"a": [1, 3, 5], "b": [7, 8, 9]}
    only = notice(notices)
    assert (only.category, only.column, only.count) == (DuplicateKeyWarning, "a", 2)
    assert str(only.where) == f"{tmp_path}/0.jsonl line 2"
    table, notices = read(made, ["b"])
    assert not len(notices)
    table, notices = read(source('{"o":{"x":1,"x":2}}\n'))
    assert table["o"].to_pylist() == [{"x": 2}]
    assert notice(notices).column == "o"


@pytest.mark.parametrize("columns", [["a"], ["b"], ["a", "b"]])
def test_every_repeated_key_of_a_line_is_warned_of(source, columns):
    table, notices = read(source('{"a":1,"a":2,"b":3,"b":4,"a":5}\n{"a":6,"b":7}\n'), columns)
    assert table.to_pydict() == {name: {"a": [5, 6], "b": [4, 7]}[name] for name in columns}
    assert [(n.category, n.column, n.count) for n in notices] == [
        (DuplicateKeyWarning, c, 1) for c in columns
    ]


@pytest.mark.parametrize(
    "text",
    ['{"a":{"x":1,"x":2}}\n{"a":5}\n', '{"a":[{"x":1,"x":2},{"x":1,"x":3}]}\n', '{"a":[[{"x":1,"x":2}]]}\n'],
)
@pytest.mark.parametrize("texts", [(), ("a",)])
def test_a_line_whose_value_repeats_keys_is_counted_once_also_as_text(source, text, texts):
    _, notices = read(source(text), texts=texts)
    (only,) = [each for each in notices if each.category is DuplicateKeyWarning]
    assert (only.column, only.count, only.first) == ("a", 1, "x")


def test_integers_beyond_float64_are_infinite_and_warned(source):
    table, notices = read(source('{"a":' + "9" * 400 + '}\n{"a":-' + "9" * 5000 + '}\n{"a":1}\n'))
    assert table["a"].to_pylist() == [float("inf"), float("-inf"), 1.0]
    assert (notice(notices).category, notice(notices).count) == (PrecisionWarning, 2)


# --------------------------------------------------------------------------- invalid lines
INVALID = [
    "{bad", '{"a":5}{"a":6}', '{"a":7},', '{"a":1} junk', "[1]", "5", "null", '"x"', "true", '{"a":NaN}', '{"a":-Infinity}',
    '{"a":1e400}', '{"a":01}', '{"a":"\t"}', '{"a":"\\ud800"}', "{'a':1}", '{"a":1,}', '{"a":1}null{"a":2}',
    '{"b":NaN}', '{"a":', "\x00", '{"a":1}\x0b',
]  # fmt: skip


@pytest.mark.parametrize("line", INVALID, ids=lambda line: line[:20])
@pytest.mark.parametrize("columns", [["a"], ["a", "b"]])
def test_an_invalid_line_is_an_error_or_dropped_with_a_warning(source, tmp_path, line, columns):
    good = '{"a":1,"b":2.5}\n'
    text = good * 3 + line + "\n" + good
    with pytest.raises(InvalidLineError, match=r"0\.jsonl:4: .* is invalid: .*invalid_lines: drop"):
        read(source(text), columns)
    table, notices = read(source(text, invalid_lines="drop"), columns)
    assert table["a"].to_pylist() == [1] * 4
    only = notice(notices)
    assert (only.category, only.count, str(only.where)) == (
        InvalidLinesWarning,
        1,
        f"{tmp_path}/0.jsonl line 4",
    )


@pytest.mark.parametrize("mode", ["error", "drop"])
def test_a_top_level_array_is_an_error_that_says_so(source, mode):
    with pytest.raises(InvalidLineError, match=r"begins with an array '\['"):
        source('[{"a":1},\n{"a":2}]\n', invalid_lines=mode)
    with pytest.raises(InvalidLineError, match="begins with an array"):
        read(source(rows({"a": 1}), "\n[1]\n"))


def test_an_object_over_several_lines_is_invalid_even_where_the_counts_agree(source):
    text = '{"a":1,"b":\n{"x":2}}\n{"a":1}{"a":2}\n{"a":1}\n'
    with pytest.raises(InvalidLineError, match=":1:"):
        read(source(text))


def test_empty_objects_only_are_an_error_and_beside_others_a_row_of_nulls(source):
    with pytest.raises(DataError, match="no columns"):
        source("{}\n{}\n")
    assert read(source('{"a":1}\n{}\n'))[0]["a"].to_pylist() == [1, None]


# --------------------------------------------------------------------------- bytes
@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("utf8", '\ufeff{"a":"é"}\n'.encode()),
        ("ascii", '{"a":"é"}\n'.encode()),
        ("latin1", '{"a":"é"}\n'.encode("latin1")),
        ("utf16", '{"a":"é"}\n'.encode("utf-16-le")),
        ("utf16", '\ufeff{"a":"é"}\n'.encode("utf-16-be")),
    ],
)
def test_encodings_give_the_same_text(source, encoding, data):
    assert read(source(data, encoding=encoding))[0]["a"].to_pylist() == ["é"]


def test_bytes_that_are_no_text_are_an_error_even_with_drop(source):
    with pytest.raises(EncodingError, match=r"0\.jsonl:2"):
        source(b'{"a":1}\n{"a":"\xe9"}\n', invalid_lines="drop")


def test_a_compressed_file_is_read_in_blocks(source, monkeypatch):
    values = [{"a": i, "t": "x" * 50} for i in range(30_000)]
    made = source(gzip.compress(rows(*values).encode()), names=["a.jsonl.gz"])
    assert not made.exact
    assert len(list(made.partitions())) == 1
    assert read(made)[0].to_pylist() == values
    assert read(source(gzip.compress(b'{"a":1}\n'), names=["b.jsonl.gz"]))[0].to_pylist() == [{"a": 1}]


@given(st.integers(1, 400))
@settings(max_examples=30, deadline=None)
def test_any_partition_size_gives_the_same_rows(tmp_path_factory, size):
    path = tmp_path_factory.mktemp("p") / "a.jsonl"
    values = [{"a": i, "s": "é" * (i % 7)} for i in range(40)]
    path.write_text("\r\n".join(json.dumps(v, ensure_ascii=False) for v in values), "utf-8")
    files = list_files([PathSpec("file", str(path))], "").entries
    assert read(inspect(ReadJsonLines(partition_size=size), files))[0].to_pylist() == values


def test_the_first_rows_come_from_a_small_beginning(source):
    made = source(rows(*({"a": i, "t": "x" * 80} for i in range(40_000))))
    request = Request(("a",), first_rows=5)
    first = next(made.read(next(made.partitions()), request))
    assert first["a"][:3].to_pylist() == [0, 1, 2]
    assert first.num_rows < 5000
    assert request.bytes_read < 600_000
    assert read(made, first_rows=5)[0].num_rows == 40_000


# --------------------------------------------------------------------------- the sample and beyond
@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(json_lines, "LEAST_SAMPLE_BYTES", 60)
    monkeypatch.setattr(json_lines, "SAMPLE_BYTES", 60)
    monkeypatch.setattr(json_lines, "SAMPLE_FILES", 2)


@pytest.mark.parametrize(
    ("late", "kind", "last"),
    [
        ('{"a":1.5}', pa.float64(), 1.5),
        ('{"a":"x"}', pa.string(), "x"),
        ('{"a":[1]}', pa.string(), "[1]"),
        ('{"a":9223372036854775808}', pa.uint64(), 2**63),
    ],
)
def test_a_late_value_is_a_mismatch_and_widening_gives_what_a_full_sample_would(
    source, tmp_path, small_sample, late, kind, last
):
    made = source(rows(*({"a": i} for i in range(200))) + late + "\n")
    assert made.schema.field("a").type == pa.int64()
    with pytest.raises(SchemaMismatchError, match=r"0\.jsonl:201 column 'a': .* is not int64") as caught:
        read(made)
    assert (caught.value.column, caught.value.file, caught.value.line) == ("a", f"{tmp_path}/0.jsonl", 201)
    table, _ = widened(made)
    assert table.schema.field("a").type == kind
    assert table["a"].to_pylist()[-1] == last
    assert made.widen(("a",))[0].widen(("a",)) is None


def test_a_negative_number_before_a_late_uint64_makes_a_float(source, small_sample):
    made = source(rows({"a": 1}) + rows(*({"a": -i} for i in range(5000))) + rows({"a": 2**63}))
    table, notices = widened(made)
    assert table.schema.field("a").type == pa.float64()
    assert table["a"].to_pylist()[-1] == 2.0**63
    assert not len(notices)


def test_a_late_key_is_a_mismatch_unless_columns_are_kept_by_name(source, small_sample):
    made = source(rows(*({"a": i, "b": 1} for i in range(200)), {"a": 5, "z": 1}), rows({"y": 1}))
    assert made.schema.names == ["a", "b", "y"]
    for columns in (None, ["a", "b"]):
        with pytest.raises(SchemaMismatchError, match=r"0\.jsonl:201 column 'z': this key, here with 1,"):
            read(made, columns)
    assert read(made, ["a", "b"], new_columns=False)[0].num_rows == 202
    assert widened(made)[0].schema.names == ["a", "b", "z", "y"]


def test_a_late_key_inside_an_object_is_never_left_out(source, small_sample):
    made = source(rows(*({"a": i, "o": {"x": 1}} for i in range(200)), {"a": 5, "o": {"x": 1, "y": 2}}))
    for columns in (["o"], ["a", "o"]):
        with pytest.raises(SchemaMismatchError, match="column 'o'"):
            read(made, columns)
    assert widened(made, ["o"])[0]["o"].to_pylist()[-1] == {"x": 1, "y": 2}


def test_a_sample_without_columns_looks_further(source, small_sample):
    assert source("{}\n" * 100 + '{"a":1}\n').schema.names == ["a"]


def test_one_odd_line_does_not_send_the_whole_block_the_exact_way(source, monkeypatch):
    seen = []
    real = json_lines.parse_lines
    monkeypatch.setattr(
        json_lines,
        "parse_lines",
        lambda data, start, stop: seen.append(stop - start) or real(data, start, stop),
    )
    values = [{"a": i, "t": "x" * 80} for i in range(20_000)]
    text = rows(*values[:9000]) + "junk\n" + rows(*values[9000:])
    table, notices = read(source(text, invalid_lines="drop"))
    assert table["a"].to_pylist() == list(range(20_000))
    assert str(notice(notices).where).endswith("line 9001")
    assert sum(seen) < 5 * json_lines.EXACT_BYTES


@pytest.mark.parametrize("size", [40_000, 3_000_000])
def test_a_long_line_is_one_line_valid_or_not(source, size):
    long = {"a": 1, "t": "x" * size}
    table, _ = read(source(rows({"a": 0, "t": "y"}, long, {"a": 2, "t": "z"})))
    assert table["a"].to_pylist() == [0, 1, 2]
    assert len(table["t"][1].as_py()) == size
    table, notices = read(
        source(rows({"a": 0, "t": "y"}, long)[:-1] + "junk\n" + rows(long), invalid_lines="drop")
    )
    assert table["a"].to_pylist() == [0, 1]
    assert notice(notices).count == 1


def test_a_source_is_picklable_and_reads_the_same(source):
    made = source(rows({"a": 1, "b": [1.5]}))
    assert read(pickle.loads(pickle.dumps(made)))[0].equals(read(made)[0])


def test_cr_only_lines_are_split(source):
    assert read(source('{"a":1}\r{"a":2}\r'))[0]["a"].to_pylist() == [1, 2]


# --------------------------------------------------------------------------- both ways
_scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.integers(-9, 9)
    | st.floats(allow_nan=True, allow_infinity=True) | st.text(st.characters(blacklist_categories=["Cs"]), max_size=4)
    | st.just("2020-01-01")
)  # fmt: skip
_keys = st.sampled_from(["a", "b", "é", ""])
_values = st.recursive(
    _scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(_keys, v, max_size=3), max_leaves=5
)
_objects = st.dictionaries(_keys, _values, max_size=4).map(lambda o: json.dumps(o, ensure_ascii=False))
_like = st.fixed_dictionaries({"a": st.integers(), "b": st.text(max_size=3)}).map(json.dumps)
_lines = st.lists(
    _objects | _like | st.sampled_from([*INVALID, "", "  ", '{"a":1,"a":2}', ' {"b":"x"} ', '{"a":1}\r']),
    max_size=12,
)


@given(_lines | st.lists(_like, min_size=1), st.sampled_from(["error", "ignore"]), st.booleans())
@example(['{"a":[null,null]}'], "error", False)
@settings(max_examples=400, deadline=None)
def test_where_the_fast_way_answers_the_exact_way_gives_the_same(lines, unexpected, some):
    data = "\n".join(lines).encode("utf-8", "replace")
    found = list(parse_lines(data, 0, len(data)))
    shape = Shape()
    shape.add([line.value for line in found if line.value is not None])
    schema = pa.schema(shape.columns[: 1 if some and unexpected == "ignore" else None])
    table = decode_block(data, schema, unexpected)
    if table is None:
        return
    assert all(line.value is not None for line in found)
    from mltable_lite.formats.json_values import Losses, convert, doubled_in

    lost = []
    losses = Losses(lost.append, lost.append)
    for field in schema:
        assert not any(doubled_in(line.value.get(field.name)) for line in found)
        exact = pa.array(
            [convert(line.value.get(field.name), field.type, losses) for line in found], field.type
        )
        assert table[field.name].combine_chunks().equals(exact) or table.num_rows == 0
    assert not lost


@given(st.lists(_like, min_size=1))
def test_plain_lines_do_go_the_fast_way(lines):
    data = ("\n".join(lines) + "\n").encode()
    shape = Shape()
    shape.add([line.value for line in parse_lines(data, 0, len(data))])
    if pa.types.is_int64(shape.type.field("a").type):
        assert decode_block(data, pa.schema(shape.columns), "error") is not None


def test_notices_are_empty_where_nothing_is_lost(source):
    assert isinstance(read(source(rows({"a": 1}, {"a": 2.5})))[1], Notices)
    assert not len(read(source(rows({"a": 1}, {"a": 2.5})))[1])
