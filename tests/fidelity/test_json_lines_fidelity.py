"""JSON lines where a reader may lose, change or hide values: each with the exact answer, warning or error."""

from __future__ import annotations

from fidelity.fidelity_case import Case, by_name, warned

from mltable_lite.errors import (
    DuplicateKeyWarning,
    InvalidLineError,
    InvalidLinesWarning,
    PrecisionWarning,
    TypeWidenedWarning,
)

STEP = "[read_json_lines]"
DROP = "[{read_json_lines: {invalid_lines: drop}}]"
KEPT = "are of another kind than the others; the column is text and holds their JSON"


def lines(name, *texts, values=None, dtype="", warns=(), error=None, steps=STEP):
    frame = None if values is None else {"v": values}
    text = "".join(f"{text}\n" for text in texts)
    return Case(name, {"a.jsonl": text}, steps, frame=frame, dtypes=dtype, warns=tuple(warns), error=error)


def mixed(count, first, line):
    return warned(TypeWidenedWarning, count, KEPT, f"first: {first} at ", f"a.jsonl line {line}")


CASES = [
    lines("integer_then_fraction", '{"v":1}', '{"v":1.5}', values=[1.0, 1.5], dtype="float64"),
    lines("fraction_then_integer", '{"v":1.5}', '{"v":2}', values=[1.5, 2.0], dtype="float64"),
    lines(
        "integer_then_text", '{"v":1}', '{"v":"x"}', values=["1", "x"], dtype="str", warns=[mixed(1, "1", 1)]
    ),
    lines(
        "text_then_numbers",
        '{"v":"x"}',
        '{"v":null}',
        '{"v":1}',
        '{"v":2.50}',
        values=["x", None, "1", "2.5"],
        dtype="str",
        warns=[mixed(2, "1", 3)],
    ),
    lines(
        "boolean_then_integer",
        '{"v":true}',
        '{"v":1}',
        values=["true", "1"],
        dtype="str",
        warns=[mixed(2, "true", 1)],
    ),
    lines(
        "object_then_number",
        '{"v":{"b":1}}',
        '{"v":5}',
        values=['{"b":1}', "5"],
        dtype="str",
        warns=[mixed(2, '{"b":1}', 1)],
    ),
    lines("numbers_in_a_list", '{"v":[1,2.5]}', values=[[1.0, 2.5]], dtype="object"),
    lines("kinds_in_a_list", '{"v":["x",1]}', values=[["x", "1"]], dtype="object", warns=[mixed(1, "1", 1)]),
    lines(
        "kinds_in_an_object",
        '{"v":{"b":1}}',
        '{"v":{"b":"x"}}',
        values=[{"b": "1"}, {"b": "x"}],
        dtype="object",
        warns=[mixed(1, "1", 1)],
    ),
    lines("the_largest_uint64", '{"v":18446744073709551615}', values=[2**64 - 1], dtype="uint64"),
    lines("an_integer_past_int64", '{"v":1}', '{"v":9223372036854775808}', values=[1, 2**63], dtype="uint64"),
    lines(
        "negative_and_past_int64",
        '{"v":-1}',
        '{"v":18446744073709551615}',
        values=[-1.0, 2.0**64],
        dtype="float64",
        warns=[warned(PrecisionWarning, 1, "18446744073709551615", "a.jsonl line 2")],
    ),
    lines("a_line_of_blanks", '{"v":5}', "   ", '{"v":6}', values=[5, 6], dtype="int64"),
    lines(
        "text_after_an_object",
        '{"v":5}',
        '{"v":5}{"v":6} junk',
        error=(InvalidLineError, ("a.jsonl:2", '{"v":5}{"v":6} junk', "invalid_lines: drop")),
    ),
    lines("a_comma_after_an_object", '{"v":5},', error=(InvalidLineError, ("a.jsonl:1", '{"v":5},'))),
    lines(
        "invalid_lines_are_counted",
        '{"v":5}',
        "junk",
        '{"v":6}',
        '{"v":7},',
        steps=DROP,
        values=[5, 6],
        dtype="int64",
        warns=[warned(InvalidLinesWarning, 2, "were dropped", "first: junk", "a.jsonl line 2")],
    ),
    lines("an_array", '[{"v":1}]', steps=DROP, error=(InvalidLineError, ("a.jsonl:1", "array"))),
    lines(
        "a_key_twice",
        '{"v":1}',
        '{"v":1,"v":2}',
        values=[1, 2],
        dtype="int64",
        warns=[warned(DuplicateKeyWarning, 1, "last value was taken", "a.jsonl line 2")],
    ),
    Case(
        "another_file_changes_no_value",
        {"a.jsonl": '{"v":1}\n{"v":1.5}\n', "b.jsonl": '{"w":"x"}\n'},
        STEP,
        frame={"v": [1.0, 1.5, None], "w": [None, None, "x"]},
        dtypes="float64 str",
    ),
]


@by_name(CASES)
def test_no_value_is_lost(case, tmp_path):
    case.check(tmp_path)
