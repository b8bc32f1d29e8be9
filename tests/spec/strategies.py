"""Hypothesis strategies for specs: every step, every option, and whole tables. Reused by other test folders."""

from __future__ import annotations

from hypothesis import strategies as st

from mltable_lite import spec as m
from mltable_lite.types import DataType

INT64 = 2**63 - 1

#: Words that YAML 1.1 or 1.2 takes for something else than text.
TRAPS = ("yes", "no", "on", "null", "~", "true", "012", "0x1F", "1e3", "1:30", "2020-01-01", "<<", "=", "1_0", ".inf",
         "{a}", "[a]", "a: b", "- a", "# a", "'", '"', "\\", "é", "日本", "a\nb", "a\tb", " a ", "%a", "*a", "&a", "!a",
         "\u2028", "\x85", "\ufeff", "😀")  # fmt: skip

_plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
texts = st.one_of(st.sampled_from(TRAPS), _plain)
filled_texts = texts.filter(bool)
fractions = st.floats(0, 1).map(float)
counts = st.integers(0, INT64)
seeds = st.integers(0, INT64)

local_paths = st.sampled_from(
    ["./a.csv", "a b/é.csv", "../up.csv", "sub/**/*.csv", "yes", "1e3", "/abs/a.csv"]
)
uris = st.sampled_from(
    [
        "file:///d/a.csv",
        "https://host/x y.csv",
        "wasbs://c@acc.blob.core.windows.net/x/*.csv",
        "azureml://datastores/d/paths/x",
    ]
)
any_path = st.one_of(local_paths, uris)
kinds = st.sampled_from(["file", "folder", "pattern"])


def paths(values=any_path):
    return st.builds(m.PathSpec, kinds, values)


names = st.one_of(
    filled_texts.map(lambda name: m.Names((name,), single=True)),
    st.lists(texts, max_size=3).map(lambda many: m.Names(tuple(many))),
)
patterns = st.builds(
    m.NamePattern, st.sampled_from(["^a$", "yes", "_id$", "(?i)x", "é"]), st.booleans(), st.booleans()
)
columns = st.one_of(names, patterns)

_words = st.lists(texts, min_size=1, max_size=3)
booleans = st.builds(
    lambda true, false, mismatch: DataType.to_bool(
        true, [w for w in false if w not in true] or ["-no-"], mismatch
    ),
    _words.filter(lambda w: "-no-" not in w),
    _words,
    st.sampled_from([None, "error", "true", "false"]),
)
datetimes = st.builds(
    DataType.to_datetime, st.lists(filled_texts, min_size=1, max_size=3), st.one_of(st.none(), texts)
)
streams = st.dictionaries(
    st.sampled_from(["subscription", "resource_group", "workspace_name"]), texts, min_size=1
).map(lambda given: DataType("stream_info", workspace=tuple(sorted({**given, "escaped": "false"}.items()))))
data_types = st.one_of(
    st.sampled_from(["int", "float", "string", "boolean", "stream_info"]).map(DataType),
    booleans,
    datetimes,
    streams,
)

infer_types = st.builds(
    m.InferTypes,
    st.integers(1, INT64),
    st.lists(st.tuples(st.lists(texts, max_size=2).map(tuple), data_types), max_size=2).map(tuple),
)
encodings = st.sampled_from(
    ["utf8", "utf8bom", "ascii", "latin1", "iso88591", "windows1252", "utf16", "utf32"]
)
sizes = st.integers(1, INT64)
read_delimited = st.builds(
    m.ReadDelimited,
    delimiter=st.sampled_from([",", ";", "\t", "|", " ", "::", "§", "~", "1", "-"]),
    header=st.sampled_from(
        ["no_header", "from_first_file", "all_files_different_headers", "all_files_same_headers"]
    ),
    encoding=encodings,
    support_multi_line=st.booleans(),
    empty_as_string=st.booleans(),
    include_path_column=st.booleans(),
    infer_column_types=st.one_of(st.booleans(), infer_types),
    partition_size=sizes,
    path_column=texts,
)
read_parquet = st.builds(m.ReadParquet, st.booleans(), texts)
read_json_lines = st.builds(
    m.ReadJsonLines, st.sampled_from(["error", "drop"]), encodings, st.booleans(), sizes, texts
)
read_delta_lake = st.one_of(
    st.builds(m.ReadDeltaLake, counts, st.none(), st.booleans(), texts),
    st.builds(m.ReadDeltaLake, st.none(), st.one_of(st.none(), texts), st.booleans(), texts),
)
readers = st.one_of(read_delimited, read_parquet, read_json_lines, read_delta_lake)

conversions = st.builds(m.Conversion, columns, data_types)
samples = st.builds(
    lambda bounds, seed: m.Sample(max(bounds), seed, min(bounds)), st.tuples(fractions, fractions), seeds
)
steps = st.one_of(
    readers,
    st.builds(m.Filter, texts),
    st.builds(m.KeepColumns, columns),
    st.builds(m.DropColumns, columns),
    st.builds(m.ConvertColumnTypes, st.lists(conversions, max_size=3).map(tuple)),
    st.builds(m.Take, counts),
    st.builds(m.Skip, counts),
    st.builds(m.TakeRandomSample, fractions, seeds),
    samples,
    st.builds(m.SelectPartitions, st.lists(counts, max_size=3).map(tuple)),
    st.builds(m.ExtractPartitionColumns, filled_texts, st.booleans(), texts),
)

_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), texts
)
plain_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(texts, plain_values, max_size=3)
extras = st.dictionaries(
    texts.filter(lambda key: key not in ("timestamp_column", "index_columns")), plain_values, max_size=2
)
traits = st.builds(
    m.Traits,
    st.one_of(st.none(), texts),
    st.one_of(st.none(), st.lists(texts, max_size=3).map(tuple)),
    extras,
)


def tables(path_values=any_path):
    """Return whole specs whose paths are drawn from `path_values`."""
    return st.builds(
        m.TableSpec,
        paths=st.lists(paths(path_values), max_size=3).map(tuple),
        steps=st.lists(steps, max_size=4).map(tuple),
        base=st.just("/base/folder"),
        query_source=st.one_of(st.none(), mappings),
        traits=st.one_of(st.none(), traits),
        metadata=st.one_of(st.none(), mappings),
        schema=st.one_of(st.none(), texts),
    )
