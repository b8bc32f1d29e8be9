"""Statistics against expressions: a proof when no, a maybe when yes."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.execute.evaluate import mask
from mltable_lite.execute.fields import field_of
from mltable_lite.expr import Bounds, bind, can_match, parse
from mltable_lite.types import Field, Kind

FIELDS = [
    Field("i", Kind.INTEGER),
    Field("f", Kind.FLOAT),
    Field("dec", Kind.DECIMAL),
    Field("s", Kind.STRING),
    Field("b", Kind.BOOLEAN),
    Field("d", Kind.DATE),
    Field("t", Kind.DATETIME),
]
BOUNDS = {
    "i": Bounds(5, 9, nulls=0, rows=10),
    "f": Bounds(1.0, 2.0, nulls=0, rows=10),
    "dec": Bounds(Decimal("0.1"), Decimal("0.2"), nulls=1, rows=10),
    "s": Bounds("abc", "abx", nulls=None, rows=10),
    "b": Bounds(False, False, nulls=0, rows=10),
    "d": Bounds(date(2020, 1, 1), date(2020, 12, 31), nulls=0, rows=10),
    "t": Bounds(datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 12, 31, tzinfo=UTC), nulls=0, rows=10),
}


def matches(text, bounds=BOUNDS):
    return can_match(bind(parse(text), FIELDS), bounds)


@pytest.mark.parametrize(
    "text",
    [
        "i > 9",
        "i < 5",
        "9 < i",
        "i == 4",
        "i == 5.5 and i > 9.5",
        "i in [1, 2, 10]",
        "i is None",
        "not (i is not None)",
        "not (i > 4)",
        "not (i in [5, 6] or i >= 5)",
        "i > 9 or i < 5",
        "i > 6 and i < 5",
        "10 < i < 20",
        "i != i and i > 9",
        "f > 2",
        "f == 3.0",
        "dec < 0.1",
        "dec > 1",
        "s < 'abc'",
        "s == 'b'",
        "s.startswith('abz')",
        "s.startswith('aba')",
        "s.startswith('b')",
        "not s.startswith('ab')",
        "b",
        "b == True",
        "b != False",
        "d < '2020-01-01'",
        "d >= '2021-01-01'",
        "t > datetime(2020, 12, 31)",
        "year(t) == 2019",
        "year(d) > 2020",
        "False",
        "i > 9 if i > 4 else True",
        "(i > 9) == True",
        "(i is None) == (i > 0)",
        "f > i",
        "i < 5 and s == 'abc'",
    ],
)
def test_no_row_can_pass(text):
    assert not matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "i > 8",
        "i != 5",
        "i == 5",
        "not (i > 5)",
        "i + 1 > 100",
        "not (f > 0)",  # NaN
        "not (f < 3)",
        "f != f",
        "f != 1.5",
        "not (f == f)",
        "dec is None",
        "dec == 0.1",
        "dec == f",
        "s is None",
        "s.startswith('ab')",
        "s.startswith('abcd')",
        "not s.startswith('abc')",
        "s >= 'abw'",
        "lower(s) == 'z'",
        "not b",
        "d == '2020-12-31'",
        "t == datetime(2020, 12, 31)",
        "month(t) == 13",
        "i > 9 or s == 'abd'",
        "i > 9 if b else i > 5",
        "i in [1, 5]",
        "i not in [5, 6]",
        "s in [None]",
        "1 / i > 100",
    ],
)
def test_a_row_may_pass(text):
    assert matches(text)


@pytest.mark.parametrize(
    "text",
    [
        "i > 9",
        "i == 1",
        "s.startswith('x')",
        "b",
        "t > '2030-01-01'",
        "not (i > 0)",
        "i is None",
        "i in [1]",
        "year(t) == 1",
    ],
)
@pytest.mark.parametrize(
    "strange",
    [
        Bounds(),
        Bounds("a", 3),
        Bounds(3, "a", 0, 10),
        Bounds(object(), object(), 0, 10),
        Bounds(Decimal("sNaN"), Decimal("NaN"), 0, 10),
        Bounds(math.nan, 1.0, 0, 10),
        Bounds(9, 5, 0, 10),
        Bounds(1j, 2j),
        Bounds(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), None),
        Bounds([1], [2], 1, None),
    ],
)
def test_strange_bounds_are_unknown(text, strange):
    null = text == "i is None" and strange.nulls == 0
    assert matches(text, dict.fromkeys("ifsbdt", strange)) is not null


def test_columns_without_bounds_are_unknown():
    assert matches("i > 100", {})
    assert not matches("i > 100 and s > 'z'", {"s": Bounds(None, "y")})


def test_a_partition_without_rows_never_matches():
    assert not matches("True", {"i": Bounds(rows=0, nulls=0)})


def test_all_null_columns_only_pass_null_tests():
    known = {"i": Bounds(nulls=10, rows=10), "s": Bounds(nulls=10, rows=10)}
    assert not matches("i > 1 or not (i > 1) or i in [1] or s.startswith('a') or i + 1 == 2", known)
    assert matches("i is None", known)
    assert not matches("i is not None", known)
    assert matches("i in [1, None]", known)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("country == 'us'", True),
        ("country != 'us'", False),
        ("upper(country) == 'US'", True),
        ("upper(country) == 'DE'", False),
        ("country.contains('x')", False),
        ("length(country) == 2 and country + 'a' == 'usa'", True),
        ("country.endswith('x') or month(day) == 6", False),
        ("year(day) == 2023 and month(day) == 5 and day(day) == 1 and hour(day) == 4", True),
        ("day >= datetime(2023, 5, 1, 4) and day <= datetime(2023, 5, 2, 4)", True),
        ("day > datetime(2023, 5, 1, 4)", False),
        ("nothing is None", True),
        ("nothing == 'x'", False),
        ("coalesce(nothing, country) == 'us'", True),
        ("coalesce(nothing, country) == 'de'", False),
        ("rate != 0.5", False),
        ("not (rate > 0.1)", False),
        ("number * 2 == 6 and number % 2 == 1", True),
        ("number * 2 == 7", False),
        ("country in ['de', 'fr']", False),
        ("country not in ['de', 'fr']", True),
        ("(country == 'us') == (number == 4)", False),
    ],
)
def test_constants_are_decided_exactly(text, passes):
    fields = [
        Field("country", Kind.STRING),
        Field("day", Kind.DATETIME),
        Field("nothing", Kind.STRING),
        Field("rate", Kind.FLOAT),
        Field("number", Kind.INTEGER),
    ]
    values = {"country": "us", "day": datetime(2023, 5, 1, 4), "nothing": None, "rate": 0.5, "number": 3}
    known = {name: Bounds.of(value) for name, value in values.items()}
    assert can_match(bind(parse(text), fields), known) is passes


# --------------------------------------------------------------------------- against evaluation
NAN = math.nan
POOL = {
    "i": [-2, -1, 0, 1, 2, 3, None],
    "j": [0, 1, 2, None],
    "f": [-1.0, -0.0, 0.0, 0.5, 1.0, NAN, math.inf, None],
    "s": ["", "a", "ab", "abc", "b", "ba", None],
    "b": [True, False, None],
}
TYPES = {"i": pa.int64(), "j": pa.int64(), "f": pa.float64(), "s": pa.string(), "b": pa.bool_()}
SCHEMA_FIELDS = [field_of(pa.field(name, t)) for name, t in TYPES.items()]
OPERATORS = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
NUMBERS = st.sampled_from(["i", "j", "f", "-1", "0", "1", "0.5", "2", "-i", "i + j", "coalesce(i, j)"])
STRINGS = st.sampled_from(["s", "'a'", "'ab'", "''", "'b'", "lower(s)", "s + 'a'"])
ATOMS = st.one_of(
    st.builds("{} {} {}".format, NUMBERS, OPERATORS, NUMBERS),
    st.builds("{} {} {}".format, STRINGS, OPERATORS, STRINGS),
    st.builds(
        "{} in [{}, {}]".format, st.sampled_from(["i", "f"]), NUMBERS, st.sampled_from(["None", "1", "2"])
    ),
    st.builds("s not in [{}]".format, STRINGS),
    st.builds("s.startswith({})".format, st.sampled_from(["''", "'a'", "'ab'", "'b'"])),
    st.builds("{} is None".format, st.sampled_from(list(TYPES))),
    st.sampled_from(["b", "b == True", "b != False", "True", "False"]),
)
PREDICATES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("(({}) == ({}))".format, inner, inner),
        st.builds("(({}) is None)".format, inner),
    ),
    max_leaves=5,
)


@st.composite
def partitions(draw):
    rows = draw(st.integers(1, 4))
    return {
        name: draw(st.lists(st.sampled_from(values), min_size=rows, max_size=rows))
        for name, values in POOL.items()
    }


def bounds_of(values, loose):
    known = [value for value in values if value is not None and value is not NAN]
    nulls = values.count(None)
    if not known:
        return Bounds(None, None, nulls, len(values))
    least, greatest = min(known), max(known)
    if loose and isinstance(least, str):
        least, greatest = least[:1], greatest[:1] + "\U0010ffff"
    constant = len(set(values)) == 1 and NAN not in values and not (loose and isinstance(least, str))
    return Bounds(least, greatest, None if loose and nulls else nulls, len(values), constant)


@settings(max_examples=400, deadline=None)
@given(PREDICATES, partitions(), st.booleans(), st.sets(st.sampled_from(list(TYPES))))
def test_a_pruned_partition_holds_no_row_that_passes(text, data, loose, unknown):
    batch = pa.record_batch({name: pa.array(values, TYPES[name]) for name, values in data.items()})
    expr = bind(parse(text), SCHEMA_FIELDS)
    known = {name: bounds_of(values, loose) for name, values in data.items() if name not in unknown}
    if not can_match(expr, known):
        assert mask(expr, batch).true_count == 0


@settings(max_examples=200, deadline=None)
@given(PREDICATES, partitions())
def test_one_known_row_is_decided_exactly_where_nothing_is_nan(text, data):
    row = {name: [values[0] if values[0] == values[0] else None] for name, values in data.items()}
    batch = pa.record_batch({name: pa.array(values, TYPES[name]) for name, values in row.items()})
    expr = bind(parse(text), SCHEMA_FIELDS)
    known = {name: Bounds.of(values[0], 1) for name, values in row.items()}
    passes = mask(expr, batch)[0].as_py()
    # The items of a list that are computed to null stay undecided.
    assert can_match(expr, known) == passes or (" in [" in text and not passes)
