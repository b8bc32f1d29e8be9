"""The quick verdict about a file is that of jsonschema, whatever stands in it."""

from __future__ import annotations

import copy

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mltable_lite.spec import to_mapping
from mltable_lite.spec.fits import fits
from mltable_lite.spec.validate import load_schema, validator

from .strategies import INT64, TRAPS, plain_values, tables

KINDS = ("MLTable", "asset", "datastore")


def words(schema) -> set[str]:
    """Return every key and word that a schema knows."""
    if isinstance(schema, dict):
        return set(schema).union(*(words(inner) for inner in schema.values()))
    if isinstance(schema, list):
        return set().union(*(words(inner) for inner in schema))
    return {schema} if isinstance(schema, str) and len(schema) < 40 else set()


WORDS = sorted(set().union(*(words(load_schema(kind)) for kind in KINDS)))
keys = st.sampled_from(WORDS)
#: What stands at the borders of what schemas take.
edges = st.sampled_from(
    [0, -1, 1, 2.0, 0.5, 1.5, -0.0, INT64, INT64 + 1, float("inf"), float("nan"), 10**90, True, False, None, "", "(",
     "a{9999999999}", "x" * 3, [], {}, [[]], [None], [""], {"": None}, *TRAPS]
)  # fmt: skip
values = st.one_of(edges, keys, plain_values)
#: Mappings and lists of known keys and words, nested: right here and there, mostly wrong.
documents = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)


def places(value, path=()):
    """Return the path of every value inside a value."""
    found = [path]
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        found += places(inner, (*path, key))
    return found


@st.composite
def nearly_right(draw):
    """Return a right MLTable file in which some values are replaced, left out, renamed or added."""
    document = copy.deepcopy(to_mapping(draw(tables()), full=draw(st.booleans())))
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from([path for path in places(document) if path] or [("paths",)]))
        parent = document
        for part in above:
            parent = parent[part]
        change = draw(st.sampled_from(["replace", "drop", "add", "rename"]))
        if change == "drop" and len(parent):
            parent.pop(last, None) if isinstance(parent, dict) else parent.pop(last)
        elif change == "add" and isinstance(parent, list):
            parent.append(draw(values))
        elif change in ("add", "rename") and isinstance(parent, dict):
            kept = parent.pop(last, None) if change == "rename" else draw(values)
            parent[draw(keys)] = kept
        elif len(parent):
            parent[last] = draw(values)
    return document


def verdicts(document, kind) -> tuple[bool, bool]:
    schema = load_schema(kind)
    return fits(document, schema, schema.get("$defs", {})), validator(kind).is_valid(document)


@given(nearly_right())
@example(
    {"paths": [], "transformations": [{"read_delta_lake": {"version_as_of": 1, "timestamp_as_of": "t"}}]}
)
@example({"query_source": {}})
@example({"paths": [{"file": "a", "folder": "b"}]})
@example({"paths": [], "transformations": [{"keep_columns": {"pattern": "("}}]})
@example({"paths": [], "transformations": [{"keep_columns": {"pattern": "a{9999999999}"}}]})
@example({"paths": [], "transformations": [{"take": 2.0}]})
@example({"paths": [], "transformations": [{"take_random_sample": {"probability": float("inf")}}]})
def test_mltable_file_with_mistakes_fits_where_jsonschema_finds_nothing(document):
    quick, thorough = verdicts(document, "MLTable")
    assert quick == thorough


@pytest.mark.parametrize("kind", KINDS)
@given(document=documents)
def test_any_document_fits_where_jsonschema_finds_nothing(kind, document):
    quick, thorough = verdicts(document, kind)
    assert quick == thorough


@given(
    st.dictionaries(keys, values, max_size=5),
    st.sampled_from(load_schema("datastore")["properties"]["type"]["enum"]),
)
def test_datastore_fits_where_jsonschema_finds_nothing(document, kind):
    quick, thorough = verdicts({"name": "a", "root": "/", **document, "type": kind}, "datastore")
    assert quick == thorough


@pytest.mark.parametrize("kind", KINDS)
def test_each_part_of_each_schema_judges_each_edge_as_jsonschema_does(kind):
    schema = load_schema(kind)
    definitions = schema.get("$defs", {})
    thorough = validator(kind)
    probes = [
        0, 1, -1, 2.0, 0.5, INT64 + 1, True, None, "", "(", "a", "abc", "error", "true", [], ["a"], [1], {},
        {"pattern": "a"}, {"columns": "a"}, {"datetime": {"formats": ["%Y"]}}, {"boolean": {"true_values": ["1"]}},
        {"file": "a"}, {"type": "s3"}, {"probability": 1, "seed": None}, float("nan"), float("inf"),
    ]  # fmt: skip
    for name, part in definitions.items():
        for probe in probes:
            whole = thorough.evolve(schema={**part, "$defs": definitions})
            assert fits(probe, part, definitions) == whole.is_valid(probe), (name, probe)


def test_keyword_that_is_not_known_is_no_silent_yes():
    with pytest.raises(KeyError, match="uniqueItems"):
        fits([1, 1], {"uniqueItems": True}, {})
