"""Lines that all look alike are decoded the fastest way only where that gives what the exact way gives."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mltable_lite.formats.json_regular import RegularLines
from mltable_lite.formats.json_values import Losses, convert, doubled_in, parse_lines

KNOWN = pa.schema(
    [
        ("id", pa.int64()),
        ("näme", pa.string()),
        ("x", pa.float64()),
        ("ok", pa.bool_()),
        ("big", pa.uint64()),
        ("none", pa.null()),
    ]
)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "näme": "acme", "x": 1.5, "ok": True, "big": 2**63, "none": None},
    {"id": -20, "näme": "a, b: {c}", "x": 0.25, "ok": None, "big": 0, "none": None},
    {"id": None, "näme": None, "x": None, "ok": False, "big": None, "none": None},
    {"id": 0, "näme": "", "x": -3e-7, "ok": True, "big": 7, "none": None},
    {"id": 10, "näme": "null", "x": 12, "ok": True, "big": 7, "none": None},
]
STYLES = ((",", ":"), (", ", ": "))


def written(rows: list[dict[str, Any]], separators: tuple[str, str] = STYLES[0]) -> bytes:
    return "".join(json.dumps(row, separators=separators, ensure_ascii=False) + "\n" for row in rows).encode()


def quickly(data: bytes, wanted: list[str], *, new_keys: bool = False) -> pa.RecordBatch | None:
    """Decode the fastest way, from memory that holds something else afterwards."""
    buffer = bytearray(data)
    found = RegularLines(KNOWN, wanted, new_keys=new_keys).decode(memoryview(buffer))
    buffer[:] = b"x" * len(buffer)
    if found is not None:
        found.validate(full=True)
    return found


def exactly(data: bytes, wanted: list[str], *, new_keys: bool = False) -> pa.RecordBatch:
    """Decode as `json_values` does; every line must be an object, and nothing may be lost."""

    def lose(value: Any) -> None:
        raise AssertionError(f"{value!r} is changed")

    rows = []
    for line in parse_lines(data, 0, len(data)):
        assert line.value is not None, line.reason
        assert doubled_in(line.value) is None
        assert new_keys or line.value.keys() <= set(KNOWN.names)
        rows.append(line.value)
    losses = Losses(lose, lose)
    schema = pa.schema([KNOWN.field(name) for name in wanted])
    return pa.record_batch(
        [pa.array([convert(row.get(f.name), f.type, losses) for row in rows], f.type) for f in schema], schema
    )


@pytest.mark.parametrize("separators", STYLES)
@pytest.mark.parametrize("wanted", [KNOWN.names, ["x", "id"], ["none"]])
def test_lines_with_the_same_keys_are_decoded_the_fastest_way(
    separators: tuple[str, str], wanted: list[str]
) -> None:
    for rows in (ROWS, ROWS[:1], 500 * ROWS):
        data = written(rows, separators)

        found = quickly(data, wanted)

        assert found is not None
        assert found.equals(exactly(data, wanted))


def test_a_key_that_no_line_of_a_piece_has_is_null() -> None:
    found = quickly(b'{"id":1}\n{"id":2}\n', ["x", "id"])

    assert found is not None
    assert found.to_pydict() == {"x": [None, None], "id": [1, 2]}


def test_pieces_with_more_lines_and_other_keys_follow_each_other() -> None:
    lines = RegularLines(KNOWN, ["id"], new_keys=False)

    for data in (b'{"id":1}\n', b'{"id":1}\n' * 100, b'{"x":1.0,"id":1}\n' * 300, b'{"id": 1, "x": 1}\n'):
        found = lines.decode(data)
        assert found is not None
        assert found.equals(exactly(data, ["id"]))


def around(line: bytes) -> bytes:
    """Return a line between two good ones with the same key."""
    key = line.decode().split('"')[1] if b'"' in line else "id"
    good = {"id": "1", "x": "0.5", "ok": "true", "näme": '"a"', "none": "null"}.get(key, "1")
    before = f'{{"{key}":{good}}}\n'.encode()
    return before + line + b"\n" + before


@pytest.mark.parametrize("wanted", [["big"], KNOWN.names])
@pytest.mark.parametrize(
    "line",
    [
        b'{"id":07}',
        b'{"id":-07}',
        b'{"id":0x1F}',
        b'{"id":-0x1F}',
        b'{"id":+1}',
        b'{"id":-}',
        b'{"id":}',
        b'{"id":  1}',
        b'{"id":1 }',
        b'{"id":1-1}',
        b'{"x":.5}',
        b'{"x":-.5}',
        b'{"x":5.}',
        b'{"x":5.e1}',
        b'{"x":5.1.2}',
        b'{"x":5e}',
        b'{"x":nan}',
        b'{"x":-inf}',
        b'{"x":Infinity}',
        b'{"x":NaN}',
        b'{"x":1e999}',
        b'{"x":' + 400 * b"9" + b".5}",
        b'{"x":00.5}',
        b'{"x":-00.5}',
        b'{"ok":True}',
        b'{"ok":tru}',
        b'{"none":nul}',
        '{"näme":acme}'.encode(),
        '{"näme":"ac"me"}'.encode(),
        '{"näme":"a\t"}'.encode(),
        '{"näme":"a\\"}'.encode(),
        '{"näme":"a\\x"}'.encode(),
        '{"näme":"a\\u12"}'.encode(),
        '{"näme":"a\\ud800"}'.encode(),
        '{"näme":"}'.encode(),
        '{"näme":["a"]}'.encode(),
        '{"näme":{"a":1}}'.encode(),
        '{"näme":"a\\n"}'.encode(),
        b'{"id","x","ok":1}',
        b'{"id":1,"id":1}',
        b'{"id":1}{"id":1}',
        b'{"id":1},',
        b'{"id":1',
        b'\xef\xbb\xbf{"id":1}',
        b'{"id":1}\r{"id":1}',
        b'{"id":1}\r',
        b'{"new":1}',
        b"null",
        b"{}",
    ],
)
def test_what_is_no_such_line_is_left_to_the_other_ways_whatever_is_asked_for(
    line: bytes, wanted: list[str]
) -> None:
    assert quickly(line + b"\n", wanted) is None
    assert quickly(around(line), wanted) is None
    assert quickly(b'{"id":1}\n' + line, wanted) is None


def test_each_number_is_proved_by_itself() -> None:
    for one, other in ((b"10.5.5", b"10"), (b"10", b"10.5.5"), (b"1.05.", b"105"), (b"5.10", b".510")):
        assert quickly(b'{"x":10.5}\n{"x":%b}\n{"x":%b}\n' % (one, other), ["id"]) is None
    assert quickly(b'{"x":10.5}\n{"x":10}\n{"x":-1e5}\n', ["id"]) is not None


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":"1"}',
        b'{"id":1.0}',
        b'{"id":9223372036854775808}',
        b'{"x":9007199254740993}',
        b'{"x":true}',
        b'{"ok":1}',
        b'{"ok":"true"}',
        b'{"none":1}',
        '{"näme":5}'.encode(),
    ],
)
def test_json_of_another_kind_hinders_only_who_asks_for_it(line: bytes) -> None:
    for data in (line + b"\n", around(line)):
        found = quickly(data, ["big"])

        assert quickly(data, KNOWN.names) is None
        assert found is not None
        assert found.equals(exactly(data, ["big"]))


def test_an_escaped_quote_before_a_colon_does_not_shift_the_values() -> None:
    row = {"näme": '":1,"id":2', "id": 1}
    for rows in ([row], [row, row], [{"näme": '":', "id": 1}] * 2):
        assert quickly(written(rows), ["id"]) is None


def test_keys_that_nobody_knows_hinder_only_where_they_would_be_columns() -> None:
    data = b'{"new":1,"id":2}\n{"new":"x","id":3}\n'

    found = quickly(data, ["id"], new_keys=True)

    assert quickly(data, ["id"]) is None
    assert found is not None
    assert found["id"].to_pylist() == [2, 3]


@pytest.mark.parametrize(
    "key", ["a.b*", "(", "a\\E+", '"', "é", "\n", "", " ", ",", ":y", "}", "a,", "x" * 3000]
)
def test_any_key_is_taken_as_it_is_written_or_not_at_all(key: str) -> None:
    known = pa.schema([("id", pa.int64()), (key, pa.int64())])
    lines = RegularLines(known, [key, "id"], new_keys=False)
    data = written([{"id": 1, key: 2}])

    found = lines.decode(data)

    taken = json.dumps(key, ensure_ascii=False) == f'"{key}"' and not key.startswith(":")
    assert (found is not None) == taken
    assert found is None or found.to_pylist() == [{key: 2, "id": 1}]
    assert lines.decode(data + b'{"id":1,"aab":2}\n') is None


def test_a_text_that_looks_like_a_key_is_none() -> None:
    known = pa.schema([("a", pa.string()), (",", pa.int64()), ("b", pa.int64())])
    data = b'{"a":"x",",":1,"b":2}\n' + b'{"a":"x,",":y":1,"b":2}\n'

    assert RegularLines(known, ["b"], new_keys=True).decode(data) is None


_PIECES = st.sampled_from(
    [
        *'{}[]":, \\\n\t\r.-+01e',
        "null",
        "true",
        "\\n",
        '\\"',
        "\\ud834",
        "1e9",
        '""',
        '","',
        '":',
        '":"',
        "}\n",
        ',"',
        '": "',
        "\x01",
        "\x02",
    ]
)
_CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), _PIECES), min_size=1, max_size=3)
_CHOSEN = st.lists(st.sampled_from(ROWS), min_size=1, max_size=4)


@given(
    _CHOSEN,
    st.sampled_from(STYLES),
    st.lists(st.sampled_from(KNOWN.names), min_size=1, unique=True),
    _CHANGES,
    st.lists(st.sampled_from(KNOWN.names), min_size=1, max_size=2, unique=True),
    st.booleans(),
)
@example([ROWS[0]], STYLES[0], ["id"], [(5, 1, ",")], ["id"], False)
@example([ROWS[0]], STYLES[0], ["id", "big"], [(2, 2, "big")], ["big"], True)
@settings(max_examples=400, deadline=None)
def test_lines_changed_anywhere_are_never_decoded_otherwise(
    rows: list[dict[str, Any]],
    separators: tuple[str, str],
    names: list[str],
    changes: list[tuple[int, int, str]],
    wanted: list[str],
    new_keys: bool,
) -> None:
    text = written([{name: row[name] for name in names} for row in rows], separators).decode()
    for place, length, new in changes:
        at = place % (len(text) + 1)
        text = text[:at] + new + text[at + length :]
    data = text.encode()

    found = quickly(data, wanted, new_keys=new_keys)

    if found is not None:
        assert found.equals(exactly(data, wanted, new_keys=new_keys))
