"""Lines that all look alike are decoded the fastest way only where that gives what the exact way gives."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mltable_lite.formats.json_regular import RegularLines
from mltable_lite.formats.json_values import Doubled, Losses, convert, parse_lines

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


def exactly(data: bytes, wanted: list[str]) -> pa.RecordBatch:
    """Decode as `json_values` does; every line must be an object, and nothing may be lost."""

    def lose(value: Any) -> None:
        raise AssertionError(f"{value!r} is changed")

    rows = []
    for line in parse_lines(data, 0, len(data)):
        assert line.value is not None, line.reason
        assert type(line.value) is not Doubled
        assert line.value.keys() <= set(KNOWN.names)
        rows.append(line.value)
    losses = Losses(lose, lose, lose)
    schema = pa.schema([KNOWN.field(name) for name in wanted])
    return pa.record_batch(
        [pa.array([convert(row.get(f.name), f.type, losses) for row in rows], f.type) for f in schema], schema
    )


@pytest.mark.parametrize("separators", STYLES)
@pytest.mark.parametrize("wanted", [KNOWN.names, ["x", "id"], ["none"]])
def test_lines_with_the_same_keys_are_decoded_the_fastest_way(
    separators: tuple[str, str], wanted: list[str]
) -> None:
    data = written(ROWS, separators)

    found = RegularLines(KNOWN, wanted).decode(data)

    assert found is not None
    found.validate(full=True)
    assert found.equals(exactly(data, wanted))


def test_a_key_that_no_line_of_a_piece_has_is_null() -> None:
    found = RegularLines(KNOWN, ["x", "id"]).decode(b'{"id":1}\n{"id":2}\n')

    assert found is not None
    assert found.to_pydict() == {"x": [None, None], "id": [1, 2]}


def test_pieces_with_more_lines_and_other_keys_follow_each_other() -> None:
    lines = RegularLines(KNOWN, ["id"])

    for data in (b'{"id":1}\n', b'{"id":1}\n' * 100, b'{"x":1.0,"id":1}\n' * 300, b'{"id": 1, "x": 1}\n'):
        found = lines.decode(data)
        assert found is not None
        assert found.equals(exactly(data, ["id"]))


@pytest.mark.parametrize(
    "line",
    [
        b'{"id":07}',
        b'{"id":-07}',
        b'{"id":0x1F}',
        b'{"id":-0x1F}',
        b'{"id":+1}',
        b'{"id":"1"}',
        b'{"id":1.0}',
        b'{"id":}',
        b'{"id":  1}',
        b'{"id":1 }',
        b'{"id":9223372036854775808}',
        b'{"x":.5}',
        b'{"x":-.5}',
        b'{"x":5.}',
        b'{"x":5.e1}',
        b'{"x":nan}',
        b'{"x":-inf}',
        b'{"x":Infinity}',
        b'{"x":NaN}',
        b'{"x":1e999}',
        b'{"x":00.5}',
        b'{"x":-00.5}',
        b'{"x":9007199254740993}',
        b'{"ok":True}',
        b'{"ok":1}',
        b'{"ok":"true"}',
        '{"näme":acme}'.encode(),
        '{"näme":"ac"me"}'.encode(),
        '{"näme":"a\\n"}'.encode(),
        '{"näme":"a\t"}'.encode(),
        '{"näme":5}'.encode(),
        '{"näme":"}'.encode(),
        '{"näme":["a"]}'.encode(),
        b'{"none":1}',
        b'{"id","x","ok":1}',
        b'{"id":1,"id":1}',
        b'{"id":1}{"id":1}',
        b'{"id":1},',
        b'{"id":1',
        b'{"id\x02\x011\x01',
        b'\xef\xbb\xbf{"id":1}',
        b'{"id":1}\r{"id":1}',
        b'{"new":1}',
        b"null",
        b"{}",
    ],
)
def test_what_json_or_the_type_does_not_know_is_left_to_the_other_ways(line: bytes) -> None:
    key = line.decode().split('"')[1] if b'"' in line else "id"
    good = {"id": "1", "x": "0.5", "ok": "true", "näme": '"a"', "none": "null"}.get(key, "1")
    before = f'{{"{key}":{good}}}\n'.encode()

    assert RegularLines(KNOWN, ["big"]).decode(line + b"\n") is None
    assert RegularLines(KNOWN, KNOWN.names).decode(line + b"\n") is None
    assert RegularLines(KNOWN, KNOWN.names).decode(before + line + b"\n" + before) is None


_PIECES = st.sampled_from(
    [*'{}[]":, \\\n\t\r.-+01e', "null", '""', '","', '":', '":"', "}\n", ',"', '": "', "\x01", "\x02"]
)
_CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 3), _PIECES), min_size=1, max_size=3)
_CHOSEN = st.lists(st.sampled_from(ROWS), min_size=1, max_size=4)


@given(
    _CHOSEN,
    st.sampled_from(STYLES),
    st.lists(st.sampled_from(KNOWN.names), min_size=1, unique=True),
    _CHANGES,
)
@example([ROWS[0]], STYLES[0], ["id"], [(5, 1, ",")])
def test_lines_changed_anywhere_are_never_decoded_otherwise(
    rows: list[dict[str, Any]],
    separators: tuple[str, str],
    names: list[str],
    changes: list[tuple[int, int, str]],
) -> None:
    text = written([{name: row[name] for name in names} for row in rows], separators).decode()
    for place, length, new in changes:
        at = place % (len(text) + 1)
        text = text[:at] + new + text[at + length :]
    data = text.encode()

    found = RegularLines(KNOWN, names[:2]).decode(data)

    if found is not None:
        assert found.equals(exactly(data, names[:2]))
