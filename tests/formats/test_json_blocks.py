"""What lines look like is seen in parts, and alike wherever the parts meet."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mltable_lite.formats.json_blocks import decode_block

PART = 128 * 1024  # bytes looked at together
SCHEMA = pa.schema([("a", pa.int64()), ("s", pa.string())])


def padded(size: int, end: bytes) -> bytes:
    """Return a line of so many bytes."""
    line = b'{"a":1,"s":"%s"}' + end
    return line % (b"x" * (size - len(line) + 2))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [PART - 3, PART, PART + 1, PART + 2, PART + 3, 2 * PART + 2, 10 * PART])
def test_lines_are_counted_wherever_they_end(end: bytes, size: int) -> None:
    data = padded(size, end) + b'{"a":2}' + end + b'{"a":3}' + end

    table = decode_block(data, SCHEMA, "error")

    assert table is not None
    assert table["a"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("before", range(PART - 8, PART + 4))
def test_an_object_over_two_lines_is_seen_wherever_it_breaks(end: bytes, before: int) -> None:
    first = padded(before, end)
    broken = b'{"a":2,' + end + b'"s":"t"}' + end
    two = b'{"a":2}{"a":3}' + end

    assert decode_block(first + broken + two, SCHEMA, "error") is None
    assert decode_block(first + broken, SCHEMA, "error") is None
    assert decode_block(first + two, SCHEMA, "error") is None


@pytest.mark.parametrize(
    "data",
    [
        b'{\n"a":1}\n',
        b'{\r\n"a":1}\r\n',
        b'{"a":1\n}\n',
        b'{"a":1}\n\n"s":1}\n',
        b'{"a":1},\n{"a":2}\n',
        b'{"a":1}x\r\n',
    ],
)
def test_lines_that_are_no_objects_are_left_to_the_exact_way(data: bytes) -> None:
    assert decode_block(data, SCHEMA, "error") is None


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity"])
@pytest.mark.parametrize("before", range(PART - 8, PART + 4))
def test_numbers_that_json_has_not_are_seen_in_columns_that_nobody_asked_for(
    value: bytes, before: int
) -> None:
    data = padded(before, b"\n") + b'{"a":2,"x":' + value + b"}\n"

    assert decode_block(data, pa.schema([("a", pa.int64())]), "ignore") is None
    assert decode_block(memoryview(data)[:before], pa.schema([("a", pa.int64())]), "ignore") is not None


def test_lines_with_other_ends_and_blank_ones_are_decoded_all_the_same() -> None:
    table = decode_block(b' {"a":1}\r\n\n{"a":2} \n{"a":3}', SCHEMA, "error")

    assert table is not None
    assert table["a"].to_pylist() == [1, 2, 3]
