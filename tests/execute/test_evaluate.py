"""Bound expressions on record batches: exact values, three-valued logic, guards, and agreement with SQLite and DuckDB."""

import datetime as dt
import math
import os
import random
import sqlite3
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.errors import EvaluationError
from mltable_lite.execute.evaluate import evaluate, mask
from mltable_lite.execute.fields import field_of
from mltable_lite.expr import bind, fold, parse
from mltable_lite.formats.streams import STREAM_METADATA
from mltable_lite.types import Field, Kind

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DAYS = [dt.date(2020, 1, 2), dt.date(1, 1, 1), None, dt.date(9999, 12, 31)]
MOMENTS = [dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(1, 1, 1), None, dt.datetime(9999, 12, 31)]
ZONED = [dt.datetime(2020, 1, 2, 3, 4, 5), dt.datetime(2020, 6, 1), None, dt.datetime(2019, 12, 31, 23, 30)]
TEXTS = ["a", "Bc", None, ""]
BATCH = pa.record_batch(
    {
        "i": pa.array([1, -7, None, 2**53 + 1]),
        "i8": pa.array([127, -128, None, 0], pa.int8()),
        "low": pa.array([-(2**63), 2**63 - 1, None, 0]),
        "u": pa.array([2**63, 1, None, 2**64 - 1], pa.uint64()),
        "f": pa.array([1.5, math.nan, None, -0.0]),
        "g": pa.array([2.0**53, 1, 2, 3]),
        "f16": pa.array([1.5, 2, None, 0.1], pa.float16()),
        "f32": pa.array([1.5, 2, None, 0.1], pa.float32()),
        "s": pa.array(TEXTS),
        "view": pa.array(TEXTS, pa.string_view()),
        "large": pa.array(TEXTS, pa.large_string()),
        "coded": pa.array(TEXTS).dictionary_encode(),
        "d": pa.array(DAYS),
        "d64": pa.array(DAYS, pa.date64()),
        "us": pa.array(MOMENTS, pa.timestamp("us")),
        "sec": pa.array(MOMENTS, pa.timestamp("s")),
        "ns": pa.array([1577934245000000001, 0, None, 2**62], pa.timestamp("ns")),
        "paris": pa.array(ZONED, pa.timestamp("us", "Europe/Paris")),
        "dec": pa.array([Decimal("0.10"), Decimal(-1), None, Decimal("99999999.99")], pa.decimal128(10, 2)),
        "wide": pa.array([Decimal("0.1"), Decimal(-1), None, Decimal(10) ** 60], pa.decimal256(70, 3)),
        "b": pa.array([True, False, None, True]),
        "n": pa.nulls(4),
        "l": pa.array([[1], [], None, [1, 2]]),
        "r": pa.array([{"x": 1, "y z": "q"}, {"x": None, "y z": "w"}, None, {"x": 3, "y z": None}]),
        "bin": pa.array([b"a", b"", None, b"abc"]),
        "runs": pc.run_end_encode(pa.array([5, 5, 6, 6])),
    }
)
FIELDS = [field_of(field) for field in BATCH.schema]
T, F, N = True, False, None


def values(text, batch=BATCH):
    """The results of the expression, which are the same folded and the same in any slice."""
    expr = bind(parse(text), [field_of(field) for field in batch.schema])
    result = evaluate(expr, batch).to_pylist()
    assert evaluate(fold(expr), batch).to_pylist() == result
    assert evaluate(expr, batch.slice(1)).to_pylist() == result[1:]
    assert evaluate(expr, batch.slice(0, 0)).to_pylist() == []
    passing = mask(expr, batch)
    assert passing.type == pa.bool_()
    assert passing.to_pylist() == [value is True for value in result]
    return result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # numbers compare by value
        ("i == 9007199254740992.0", [F, F, N, F]),
        ("i == g", [F, F, N, F]),
        ("i > g", [F, F, N, T]),
        ("g < i", [F, F, N, T]),
        ("i > 0.5", [T, F, N, T]),
        ("i <= 1.5", [T, T, N, F]),
        ("i == 1.5", [F, F, N, F]),
        ("i != 1.5", [T, T, N, T]),
        ("1.5 > i", [T, T, N, F]),
        ("i8 < 1000", [T, T, N, T]),
        ("i8 >= -1000", [T, T, N, T]),
        ("low == -9223372036854775808", [T, F, N, F]),
        ("low <= 9223372036854775807", [T, T, N, T]),
        ("low < 99999999999999999999999", [T, T, N, T]),
        ("low == 9223372036854775808", [F, F, N, F]),
        ("u > -1", [T, T, N, T]),
        ("u == 9223372036854775808", [T, F, N, F]),
        ("u == 9223372036854775809", [F, F, N, F]),
        ("u >= 18446744073709551615", [F, F, N, T]),
        ("u > i", [T, T, N, T]),
        ("i in [1, 2.5, -7.0, 99999999999999999999]", [T, T, N, F]),
        ("u in [9223372036854775808, -1]", [T, F, N, F]),
        ("f16 == 1.5", [T, F, N, F]),
        ("f16 >= f", [T, F, N, T]),
        ("f32 == 0.1", [F, F, N, F]),
        ("f32 > 0.1", [T, T, N, T]),
        ("g == 9007199254740993", [F, F, F, F]),
        ("g < 9007199254740993", [T, T, T, T]),
        ("g in [9007199254740993, 1]", [F, T, F, F]),
        ("runs == 5", [T, T, F, F]),
        # NaN is as in IEEE, and no null
        ("f == f", [T, F, N, T]),
        ("f != 1", [T, T, N, T]),
        ("not (f > 1)", [F, T, N, T]),
        ("f is None", [F, F, T, F]),
        ("f in [0, 1.5]", [T, F, N, T]),
        # decimals
        ("dec == 0.1", [T, F, N, F]),
        ("dec in [0.1, -1, 0.105]", [T, T, N, F]),
        ("dec == 0.105", [F, F, N, F]),
        ("dec < 0.105", [T, T, N, F]),
        ("dec <= 0.105 and dec >= 0.095", [T, F, N, F]),
        ("dec < 1000000000000", [T, T, N, T]),
        ("dec == wide", [T, T, N, F]),
        ("wide > i", [F, T, N, T]),
        ("wide == 1e60", [F, F, N, T]),
        ("wide == 1e60 + 1", [F, F, N, T]),
        ("dec > f", [F, F, N, T]),
        ("dec == 0.05 + 0.05", [T, F, N, F]),
        ("dec in [0.05 + 0.05, -1]", [T, T, N, F]),
        ("dec == f32 - 1.4 or dec < f", [T, F, N, F]),
        ("dec * 2 == 0.2", [T, F, N, F]),
        # texts
        ("s == ''", [F, F, N, T]),
        ("view == 'a' or coded == 'Bc'", [T, T, N, F]),
        ("large >= 'a'", [T, F, N, F]),
        ("view == large and coded == view and s == large", [T, T, N, T]),
        ("coded in ['a', None]", [T, F, T, F]),
        ("view not in ['a', None]", [F, T, F, T]),
        ("s not in ['a']", [F, T, N, T]),
        ("s in ['a', upper(s)]", [T, F, N, T]),
        ("s in []", [F, F, F, F]),
        ("s not in []", [T, T, T, T]),
        ("s + 'x' == 'ax' or s + large == 'BcBc'", [T, T, N, F]),
        ("bin == bin", [T, T, N, T]),
        # dates and times
        ("d == '2020-01-02'", [T, F, N, F]),
        ("d < '2020-01-02T00:00:01'", [T, T, N, F]),
        ("d == '2020-01-02T00:00:01'", [F, F, N, F]),
        ("d64 == datetime(1, 1, 1)", [F, T, N, F]),
        ("d == d64", [T, T, N, T]),
        ("d <= us", [T, T, N, T]),
        ("us == sec", [T, T, N, T]),
        ("us == '2020-01-02T03:04:05Z'", [T, F, N, F]),
        ("sec < '2020-01-02T03:04:05.5'", [T, T, N, F]),
        ("sec == '2020-01-02T03:04:05.5'", [F, F, N, F]),
        ("ns > datetime(2020, 1, 2, 3, 4, 5)", [T, F, N, T]),
        ("ns == datetime(2020, 1, 2, 3, 4, 5)", [F, F, N, F]),
        ("ns < '9999-01-01' and ns > '0001-01-01'", [T, T, N, T]),
        ("ns < us", [F, F, N, T]),
        ("ns == us", [F, F, N, F]),
        ("ns in ['1970-01-01', '9999-01-01']", [F, T, N, F]),
        ("us in ['2020-01-02T03:04:05', '0001-01-01']", [T, T, N, F]),
        ("paris == datetime(2020, 1, 2, 3, 4, 5)", [T, F, N, F]),
        ("paris == '2020-01-02T04:04:05+01:00'", [T, F, N, F]),
        ("paris == us", [T, F, N, F]),
        ("paris in ['2020-06-01']", [F, T, N, F]),
        ("year(paris) == 2019 and hour(paris) == 23", [F, F, N, T]),
        ("year(d) == 1 and month(us) == 1 and day(sec) == 1 and hour(d64) == 0", [F, T, N, F]),
        # logic
        ("not b", [F, T, N, F]),
        ("b == False", [F, T, N, F]),
        ("b in [True]", [T, F, N, T]),
        ("b and n", [N, F, N, N]),
        ("b or n", [T, N, N, T]),
        ("b or True", [T, T, T, T]),
        ("False and b", [F, F, F, F]),
        ("n", [N, N, N, N]),
        ("n == 1 or n + 1 == 2 or lower(n) == 'x' or n.x or -n == 1", [N, N, N, N]),
        ("n is None", [T, T, T, T]),
        ("n in [1, None]", [T, T, T, T]),
        ("i == None", [F, F, T, F]),
        ("i != null", [T, T, F, T]),
        ("(1 if b else None) is None", [F, T, T, F]),
        ("True if b else False", [T, F, F, T]),
        ("False if s == s else True", [F, F, T, F]),
        ("-10 < i < 4", [T, T, N, F]),
        ("(i > 0) == b", [T, T, N, T]),
        ("True", [T, T, T, T]),
        # structs and lists
        ("r.x == 1", [T, N, N, F]),
        ("r['y z'] == 'q'", [T, F, N, N]),
        ("r.x is None", [F, T, T, F]),
        ("length(l) == 0", [F, T, N, F]),
        ("length(bin) == 3", [F, F, N, T]),
    ],
)
def test_results_are_exact_and_three_valued(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 / 2 == 3.5", T),
        ("i / 2 == 0.5", T),
        ("-7 // 2 == -4", T),
        ("-7 % 3 == 2", T),
        ("7 % -3 == -2", T),
        ("-7.5 // 2 == -4.0", T),
        ("-7.5 % 2 == 0.5", T),
        ("-2 ** 2 == -4", T),
        ("2 ** -1 == 0.5", T),
        ("2 ** 3 ** 2 == 512", T),
        ("abs(-7) == 7 and abs(-1.5) == 1.5", T),
        ("round(2.5) == 2 and round(-1.25, 1) == -1.2 and round(7) == 7", T),
        ("length('größe') == 5", T),
        ("lower('ÄB') == 'äb' and upper('äb') == 'ÄB' and strip(' a\\t') == 'a'", T),
        ("'abc'.startswith('ab') and 'abc'.endswith('bc') and 'abc'.contains('b')", T),
        ("'a.c'.contains('.') and not 'abc'.contains('.')", T),
        ("'abc'.contains('') and ''.startswith('')", T),
        ("matches('abc', 'b') and not matches('abc', '^b') and matches('abc', '^a.c$')", T),
        ("matches('ABC', '(?i)b')", T),
        ("coalesce(None, 2, 3) == 2", T),
        ("coalesce(None, None) is None", T),
        ("year('2020-05-06') == 2020", None),
        ("datetime(2020, 5, 6, 7).hour() == 7", T),
        ("18446744073709551615 == 18446744073709551615.0", F),
        ("99999999999999999999 > 1", T),
    ],
)
def test_functions_and_operators_mean_what_python_means(text, expected):
    batch = pa.record_batch({"i": [1]})
    expr = parse(text)
    if expected is None:
        with pytest.raises(TypeError):
            bind(expr, [Field("i", Kind.INTEGER)])
        return
    bound = bind(expr, [Field("i", Kind.INTEGER)])
    # Folded or not: what Python computes while folding, Arrow computes as well.
    assert evaluate(bound, batch).to_pylist() == [expected]
    assert evaluate(fold(bound), batch).to_pylist() == [expected]


def test_functions_on_columns_give_null_on_null():
    assert values("upper(s) == 'BC' or strip(coded) == 'a'") == [T, T, N, F]
    assert values("view.startswith('B')") == [F, T, N, F]
    assert values("s.startswith(large)") == [T, T, N, T]
    assert values("s.lower().endswith('c') or large.contains('a')") == [T, T, N, F]
    assert values("matches(view, '^[A-Z]')") == [F, T, N, F]
    assert values("coalesce(i, 0) == 0") == [F, F, T, F]
    assert values("coalesce(n, s, 'z') == 'z'") == [F, F, T, F]
    assert values("coalesce(us, '2020-01-01') == '2020-01-01'") == [F, F, T, F]
    assert values("coalesce(d, us, sec) == '0001-01-01'", BATCH.slice(1, 2)) == [T, N]
    assert values("(i if b else u) == 1") == [T, T, N, F]
    assert values("(i if b else f) == 1") == [T, F, N, F]
    assert values("(dec if b else i) == -7") == [F, T, N, F]
    assert values("round(f) == 2 or abs(f) == 0") == [T, F, N, T]


@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)])
def test_parts_of_the_first_and_last_moments_are_those_of_the_calendar(unit, per_second):
    for tick in (-(2**63), -(2**63) + 1, 2**63 - 1):
        batch = pa.record_batch({"t": pa.array([tick, None], pa.int64()).view(pa.timestamp(unit))})
        hours = tick // per_second // 3600
        eras, days = divmod(hours // 24, 146_097)  # the calendar repeats every 400 years
        date = dt.date(1970, 1, 1) + dt.timedelta(days=days)
        year = date.year + 400 * eras
        text = f"year(t) == {year} and month(t) == {date.month} and day(t) == {date.day} and hour(t) == {hours % 24}"
        assert values(text, batch) == [T, N]


def test_a_stream_column_compares_as_its_text():
    field = pa.field("Path", pa.string(), metadata=STREAM_METADATA)
    batch = pa.record_batch([pa.array(["/data/2023/a.csv", "/data/2024/b.csv"])], schema=pa.schema([field]))
    assert field_of(field) == Field("Path", Kind.STREAM)
    assert values("Path.contains('2024') and Path == '/data/2024/b.csv'", batch) == [F, T]


def test_arrow_fields_become_kinds():
    schema = {field.name: field_of(field).kind for field in BATCH.schema}
    assert [schema[name] for name in ("i", "u", "f16", "view", "coded", "d64", "paris", "wide", "n", "l", "runs", "bin")] == [
        "integer", "integer", "float", "string", "string", "date", "datetime", "decimal", "null", "list", "integer", "binary",
    ]  # fmt: skip
    assert field_of(BATCH.schema.field("paris")).zoned
    assert not field_of(BATCH.schema.field("us")).zoned
    assert field_of(BATCH.schema.field("r")).fields == (Field("x", Kind.INTEGER), Field("y z", Kind.STRING))
    assert field_of(pa.field("m", pa.map_(pa.string(), pa.int8()))).kind is Kind.MAP
    assert field_of(pa.field("t", pa.time64("us"))).kind is Kind.TIME
    assert field_of(pa.field("x", pa.duration("s"))).kind is Kind.DURATION
    assert field_of(pa.field("x", pa.month_day_nano_interval())).kind is Kind.OTHER
    assert field_of(pa.field("x", pa.uuid())).kind is Kind.BINARY


# --------------------------------------------------------------------------- failures and guards
DIVISORS = pa.record_batch(
    {"a": [10, 20, None, 40, None], "b": [5, 0, 0, None, 2], "x": [1.0, 0.0, 0.0, None, 2.0]}
)


@pytest.mark.parametrize(
    "text", ["a / b > 1", "a // b > 1", "a % b == 0", "a / x > 1", "a // x > 1", "a % x > 1", "b ** -1 > 0"]
)
def test_a_division_by_zero_names_the_expression_and_the_row(text):
    with pytest.raises(EvaluationError, match="divides by zero|negative power") as caught:
        values(text, DIVISORS)
    assert caught.value.row == 1
    assert str(caught.value).startswith(f"'{text.rsplit(' ', 2)[0]}'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b != 0 and a / b > 1", [T, F, F, N, N]),
        ("b == 0 or a / b > 1", [T, T, T, N, N]),
        ("(a / b > 1) if b != 0 else False", [T, F, F, F, N]),
        ("False if b == 0 else a // b > 1", [T, F, F, N, N]),
        ("b > 0 and a > 0 and a % b == 0", [T, F, F, N, N]),
        ("b != 0 and (x == 0 or a / b / x > 1)", [T, F, F, N, N]),
        ("False and 1 / 0 > 1", [F] * 5),
        ("True or 1 / 0 > 1", [T] * 5),
        ("a is None or b == 0 or a / b > 1", [T, T, T, N, T]),
    ],
)
def test_what_can_fail_is_only_evaluated_where_it_is_needed(text, expected):
    assert values(text, DIVISORS) == expected


def test_a_failure_under_a_guard_names_the_row_of_the_whole_batch():
    batch = pa.record_batch({"a": [1, 2, 3, 4, 5], "b": [0, 1, 0, 0, 1], "c": [0, 1, 1, 0, 0]})
    with pytest.raises(EvaluationError) as caught:
        values("a > 1 and (a > 2 and 1 / b > 0)", batch)
    assert caught.value.row == 2
    with pytest.raises(EvaluationError) as caught:
        values("(1 / c > 0) if b == 1 else True", batch)
    assert caught.value.row == 4


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("low + 1 > 0", 1),
        ("low - 1 > 0", 0),
        ("low * 2 > 0", 0),
        ("-low > 0", 0),
        ("abs(low) > 0", 0),
        ("low // -1 > 0", 0),
        ("u + 1 > 0", 3),
        ("-u < 0", 3),
        ("u * u > 0", 0),
        ("i ** 4 > 0", 3),
        ("i ** 999999999 > 0", 1),
    ],
)
def test_an_integer_never_wraps(text, row):
    with pytest.raises(EvaluationError, match="overflows (int64|64-bit integers)") as caught:
        values(text)
    assert caught.value.row == row


def test_integers_above_int64_and_below_zero_stand_in_one_batch_or_in_two():
    batch = pa.record_batch({"u": pa.array([2**63 + 10, 1, None], pa.uint64())})
    assert values("u - 5 > 9223372036854775807", batch) == [T, F, N]
    assert values("u - 5 == -4", batch) == [F, T, N]
    assert values("(u - 5) * 1 + 5 == u and abs(u - 5) > 0", batch) == [
        T,
        T,
        N,
    ]
    assert values("coalesce(u - 5, 0) % 2 == 1", batch) == [T, F, F]


def test_integers_between_int64_and_uint64_are_computed_exactly():
    assert values("u - 1 == 9223372036854775807") == [T, F, N, F]
    assert values("u // 2 == 4611686018427387904") == [T, F, N, F]
    assert values("u % 10 == 5") == [F, F, N, T]
    assert values("low // 2 == -4611686018427387904") == [T, F, N, F]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**40), 2**40), st.integers(-9, 9), st.floats(-1e6, 1e6), st.floats(-9, 9)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["+", "-", "*", "/", "//", "%"]),
    st.sampled_from([("i", "j"), ("f", "g"), ("i", "g")]),
)
def test_arithmetic_is_pythons(rows, operator, columns):
    i, j, f, g = (list(column) for column in zip(*rows, strict=True))
    batch = pa.record_batch({"i": i, "j": j, "f": f, "g": g})
    left, right = (batch[name].to_pylist() for name in columns)
    if operator in "//%" and 0 in right:
        with pytest.raises(EvaluationError):
            values(f"{columns[0]} {operator} {columns[1]} > 0", batch)
        return
    expected = [eval(f"l {operator} r", {"l": l, "r": r}) for l, r in zip(left, right, strict=True)]  # noqa: E741
    found = evaluate(parse(f"{columns[0]} {operator} {columns[1]}"), batch).to_pylist()
    assert found == expected


# --------------------------------------------------------------------------- against SQL
SQL_ROWS = 24


def sql_data(chance):
    def some(pool):
        return [chance.choice(pool) for _ in range(SQL_ROWS)]

    return {
        "i": pa.array(some([None, -3, -1, 0, 1, 2, 5, 100, 1000]), pa.int64()),
        "j": pa.array(some([None, -2, 0, 1, 3, 7]), pa.int32()),
        "f": pa.array(some([None, -1.5, 0.0, 0.5, 1.0, 2.25, 1e10]), pa.float64()),
        "s": pa.array(some([None, "", "a", "ab", "b", "Z", "é", "a b"]), pa.string()),
        "p": pa.array(some([None, True, False]), pa.bool_()),
    }


class Generator:
    """Random predicates, each as our text and as SQL with the same meaning."""

    def __init__(self, chance):
        self.chance = chance

    def number(self, depth):
        roll = self.chance.random()
        if depth > 0 and roll < 0.3:
            (a, a_sql), (b, b_sql) = self.number(depth - 1), self.number(depth - 1)
            operator = self.chance.choice("+-*")
            return f"({a} {operator} {b})", f"({a_sql} {operator} {b_sql})"
        if depth > 0 and roll < 0.35:
            a, sql = self.number(depth - 1)
            return f"(-{a})", f"(- {sql})"
        if depth > 0 and roll < 0.4:
            (a, a_sql), (b, b_sql) = self.number(depth - 1), self.number(depth - 1)
            return f"coalesce({a}, {b})", f"coalesce({a_sql}, {b_sql})"
        if roll < 0.75:
            name = self.chance.choice("ijf")
            return name, name
        literal = repr(self.chance.choice([0, 1, 2, -1, 3, 0.5, 2.25, 100]))
        # DuckDB reads 0.5 as a decimal.
        return literal, f"cast({literal} as double)" if "." in literal else literal

    def text(self):
        if self.chance.random() < 0.6:
            return "s", "s"
        literal = self.chance.choice(["", "a", "ab", "é", "B"])
        return f"'{literal}'", f"'{literal}'"

    def atom(self):
        kind = self.chance.choice(
            ["number", "number", "number", "text", "in", "in text", "null", "bool", "prefix"]
        )
        negated = self.chance.random() < 0.5
        if kind in ("number", "text"):
            make = self.text if kind == "text" else lambda: self.number(2)
            (a, a_sql), (b, b_sql) = make(), make()
            operator = self.chance.choice(["==", "!=", "<", "<=", ">", ">="])
            return f"{a} {operator} {b}", f"{a_sql} {'=' if operator == '==' else operator} {b_sql}"
        if kind in ("in", "in text"):
            make = self.text if kind == "in text" else lambda: self.number(1)
            (a, a_sql), items = make(), [make() for _ in range(self.chance.randint(1, 3))]
            word = "not in" if negated else "in"
            ours, theirs = (", ".join(part) for part in zip(*items, strict=True))
            return f"{a} {word} [{ours}]", f"{a_sql} {word} ({theirs})"
        if kind == "null":
            name = self.chance.choice("ijfsp")
            return f"{name} is {'not ' * negated}None", f"{name} is {'not ' * negated}null"
        if kind == "prefix":
            return "s.startswith('a')", "substr(s, 1, 1) = 'a'"
        return self.chance.choice(
            [("p", "p"), ("p == True", "p = true"), ("True", "true"), ("False", "false")]
        )

    def predicate(self, depth):
        roll = self.chance.random()
        if depth == 0 or roll < 0.25:
            return self.atom()
        if roll < 0.4:
            a, sql = self.predicate(depth - 1)
            return f"not ({a})", f"not ({sql})"
        if roll < 0.5:
            parts = [self.predicate(depth - 1) for _ in range(3)]
            (c, c_sql), (a, a_sql), (b, b_sql) = parts
            return f"({a}) if ({c}) else ({b})", f"case when ({c_sql}) then ({a_sql}) else ({b_sql}) end"
        word = self.chance.choice(["and", "or"])
        (a, a_sql), (b, b_sql) = self.predicate(depth - 1), self.predicate(depth - 1)
        return f"({a}) {word} ({b})", f"({a_sql}) {word} ({b_sql})"


def truth(value):
    return None if value is None else bool(value)


@pytest.mark.parametrize(
    ("engine", "count"), [("sqlite", 20_000 if DEEP else 3_000), ("duckdb", 4_000 if DEEP else 400)]
)
def test_random_predicates_agree_with_sql(engine, count):
    chance = random.Random(7)
    generator = Generator(chance)
    batch = pa.record_batch(sql_data(chance))
    fields = [field_of(field) for field in batch.schema]
    rows = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    database = sqlite3.connect(":memory:") if engine == "sqlite" else duckdb.connect()
    try:
        types = (
            ("integer", "integer", "real", "text", "integer")
            if engine == "sqlite"
            else ("bigint", "integer", "double", "varchar", "boolean")
        )
        database.execute(
            f"create table t (n integer, {', '.join(f'{c} {t}' for c, t in zip('ijfsp', types, strict=True))})"
        )
        database.executemany(
            "insert into t values (?, ?, ?, ?, ?, ?)", [(n, *row) for n, row in enumerate(rows)]
        )
        for start in range(0, count, 50):
            pairs = [generator.predicate(3) for _ in range(50)]
            found = database.execute(
                f"select {', '.join(f'({sql})' for _, sql in pairs)} from t order by n"
            ).fetchall()
            for (text, sql), expected in zip(pairs, zip(*found, strict=True), strict=True):
                expr = bind(parse(text), fields)
                ours = evaluate(expr, batch).to_pylist()
                assert ours == [truth(value) for value in expected], (start, text, sql)
                folded = fold(expr)
                assert folded is expr or evaluate(folded, batch).to_pylist() == ours, text
    finally:
        database.close()
