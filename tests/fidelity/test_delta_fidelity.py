"""Delta tables where a reader may lose, change or hide rows: each with the exact answer or error."""

from __future__ import annotations

import json

import pyarrow as pa
from fidelity.fidelity_case import Case, by_name
from formats.delta_tables import DAY, FIRST, LONG, add, info, metadata, protocol

from mltable_lite.errors import ArgumentError, UnsupportedFeatureError

TABLE = "[{folder: t}]"
INTEGER = {"type": "integer", "nullable": True, "metadata": {}}
TEXT = {"type": "string", "nullable": True, "metadata": {}}
NICE = {**LONG, "metadata": {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-abc"}}


def log(*commits, table="t"):
    """Return the files of a log, one a commit."""
    return {
        f"{table}/_delta_log/{version:020d}.json": "".join(f"{json.dumps(action)}\n" for action in actions)
        for version, actions in enumerate(commits)
    }


def data(name, table="t", **columns):
    return {f"{table}/{name}.parquet": pa.table(columns)}


A = metadata([{"name": "a", **LONG}])
HISTORY = {
    **log(
        [info(FIRST), protocol(), A, add("p0.parquet", 1)],
        [info(FIRST + DAY), add("p1.parquet", 1)],
    ),
    **data("p0", a=[1]),
    **data("p1", a=[2]),
}
DELETED = {
    "storageType": "i",
    "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000005c8Xg0rr91",
    "sizeInBytes": 34,
    "cardinality": 1,
}


def reads(name, files, frame, dtypes, steps="[read_delta_lake]", paths=TABLE):
    return Case(name, files, steps, frame=frame, dtypes=dtypes, paths=paths)


CASES = [
    Case(
        "a_time_before_the_first_version",
        HISTORY,
        "[{read_delta_lake: {timestamp_as_of: '2019-12-31T23:59:59Z'}}]",
        error=(ArgumentError, ("2019-12-31T23:59:59Z", "before the first version", "2020-01-01T00:00:00Z")),
        paths=TABLE,
    ),
    reads(
        "the_commits_own_time_counts",
        HISTORY,
        {"a": [1]},
        "int64",
        "[{read_delta_lake: {timestamp_as_of: '2020-01-01T12:00:00Z'}}]",
    ),
    reads("no_option_is_the_latest_version", HISTORY, {"a": [1, 2]}, "int64"),
    reads(
        "partition_columns_are_there",
        {
            **log(
                [
                    info(FIRST),
                    protocol(),
                    metadata([{"name": "a", **LONG}, {"name": "y", **INTEGER}], ["y"]),
                    add("y=2020/p0.parquet", partition={"y": "2020"}),
                    add("y=2021/p1.parquet", partition={"y": "2021"}),
                ]
            ),
            **data("y=2020/p0", a=[1]),
            **data("y=2021/p1", a=[2]),
        },
        {"a": [1, 2], "y": [2020, 2021]},
        "int64 int32",
    ),
    reads(
        "mapped_columns_have_their_names",
        {
            **log(
                [
                    info(FIRST),
                    {"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}},
                    metadata([{"name": "nice", **NICE}], delta_columnMapping_mode="name"),
                    add("p0.parquet"),
                ]
            ),
            **data("p0", **{"col-abc": [1, 2]}),
        },
        {"nice": [1, 2]},
        "int64",
    ),
    Case(
        "a_deletion_vector_that_cannot_be_read",
        {
            **log(
                [
                    info(FIRST),
                    protocol("deletionVectors"),
                    metadata([{"name": "a", **LONG}], delta_enableDeletionVectors="true"),
                    add("p0.parquet", deletionVector=DELETED),
                ]
            ),
            **data("p0", a=[1, 2, 3]),
        },
        "[read_delta_lake]",
        error=(UnsupportedFeatureError, ("deletion vector", "REORG TABLE")),
        paths=TABLE,
    ),
    reads("a_table_without_files_has_its_columns", log([info(FIRST), protocol(), A]), {"a": []}, "int64"),
    reads(
        "every_folder_is_read",
        {
            **HISTORY,
            **log(
                [
                    info(FIRST),
                    protocol(),
                    metadata([{"name": "a", **LONG}, {"name": "b", **TEXT}]),
                    add("p0.parquet"),
                ],
                table="u",
            ),
            **data("p0", table="u", a=[9], b=["n"]),
        },
        {"a": [1, 2, 9], "b": [None, None, "n"]},
        "int64 str",
        paths="[{folder: t}, {folder: u}]",
    ),
]


def test_the_path_column_names_the_file_of_each_row(tmp_path):
    case = reads("", HISTORY, None, "", "[{read_delta_lake: {include_path_column: true}}]")
    frame = case.load(tmp_path).to_pandas_dataframe()
    assert frame["Path"].tolist() == [str(tmp_path / "t" / f"p{n}.parquet") for n in (0, 1)]
    assert frame["a"].tolist() == [1, 2]


@by_name(CASES)
def test_no_row_is_lost(case, tmp_path):
    case.check(tmp_path)
