"""What must hold for any delimited text: one answer whatever the way, the partition or the sample."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from formats.delimited_files import read_all, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mltable_lite.errors import InvalidLineError, SchemaMismatchError
from mltable_lite.formats import delimited_parse, delimited_pieces
from mltable_lite.formats.delimited import inspect
from mltable_lite.spec.model import InferTypes, ReadDelimited

EVERYTHING = 10**9
CELLS = st.sampled_from(
    [
        *(
            "",
            '""',
            " ",
            "  5 ",
            "0",
            "1",
            "2",
            "-3",
            "+4",
            "007",
            "00",
            "0x10",
            "12345678901",
            "9223372036854775807",
        ),
        *(
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "9007199254740993",
            "1e5",
            "1.5",
        ),
        *(
            ".5",
            "1.",
            "-0",
            "nan",
            "nan(1)",
            "inf",
            "-Infinity",
            "1e400",
            "NaN",
            "true",
            "False",
            "T",
            "N",
            "yes",
        ),
        *("2020-01-02", "2020-1-2", "2020/01/02", "2020-01-02 03:04:05", "2020-01-02T03:04:05.123456789"),
        *(
            "2020-01-02T03:04:05Z",
            "2020-01-02 03:04",
            "2020-01-02 03",
            "3000-01-01",
            "0000-01-01",
            "2020-02-30",
        ),
        *(
            "1677-09-22",
            "01/02/2020",
            "13/02/2020",
            "02/13/2020",
            "02-Jan-2020",
            "2020-01-02 23:59:60",
            "01/02/20",
        ),
        *(
            "x",
            "é",
            "a\xa0",
            "5\xa0",
            "NA",
            "\ufeffx",
            '"x"',
            '"5"',
            '"a""b"',
            '"a,b"',
            'a"b',
            '"x"y',
            '"x" ',
            '""""',
        ),
        *("a\rb", "\x00", "'"),
    ]
)
PLAIN = [
    ["0", "1", "2", "-3", "007", "+4", "12345678901", ""],
    ["1.5", "2", "1e5", "nan", "", ".5", "9223372036854775808"],
    ["true", "False", "1", "0", "", "T"],
    ["2020-01-02", "2020-02-29", "", "2020-1-2", "2020-01-02 03:04:05", "13/02/2020", "01/02/2020"],
    ["01/02/2020", "02/01/2020", "13/02/2020", "02/13/2020"],
    ["2020-01-02T03:04:05Z", "2020-01-02T03:04:05+02:00", "3000-01-01", "2020-01-02T03:04:05.000000001Z"],
    ["", '""', "", '""', "x"],
    ["", "", "", "5"],
]
COLUMN = st.sampled_from(PLAIN).flatmap(
    lambda cells: st.lists(st.sampled_from(cells) | CELLS.filter(_rare), max_size=12)
)
LINE_END = st.sampled_from(["\n", "\r\n"])
FAST = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def _rare(cell: str) -> bool:
    return len(cell) % 5 == 1


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Text of ragged rows of any cells."""
    width = draw(st.integers(1, 4))
    ragged = draw(st.booleans())
    fewest, most = (1, width + 1) if ragged else (width, width)
    rows = draw(st.lists(st.lists(CELLS, min_size=fewest, max_size=most), max_size=8))
    end = draw(LINE_END)
    lines = [",".join(f"c{i}" for i in range(width)), *(",".join(row) for row in rows)]
    blank = draw(st.sampled_from(["", "", end]))
    return end.join(line + blank for line in lines) + draw(st.sampled_from(["", end]))


@st.composite
def tables(draw: st.DrawFn) -> str:
    """Text of columns that mostly have one type."""
    columns = [draw(COLUMN) for _ in range(draw(st.integers(1, 3)))]
    rows = max((len(column) for column in columns), default=0)
    lines = [",".join(f"c{i}" for i in range(len(columns)))]
    lines += [",".join(column[i % len(column)] if column else "" for column in columns) for i in range(rows)]
    return "\n".join(lines)


def outcome(read: ReadDelimited, text: str, columns: tuple[str, ...] = ()) -> object:
    """Return the table, or the class of the error and where it is."""
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), text)
        try:
            source = inspect(read, files)
            table, notices = read_all(source, *columns)
        except SchemaMismatchError as error:
            return "mismatch", error.column, error.line
        except InvalidLineError as error:
            return "invalid", str(error).partition("f1.csv")[2]
        shown = [replace(notice, where=str(notice.where).partition("f1.csv")[2]) for notice in notices]
        return table.schema, repr(table.to_pylist()), shown


def exactly(monkeypatch: pytest.MonkeyPatch, read: ReadDelimited, text: str) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(delimited_parse.Parser, "_read", lambda *_: None)
        return outcome(read, text)


@FAST
@given(
    text=texts() | tables(), multi_line=st.booleans(), empty=st.booleans(), sample=st.sampled_from([1, 200])
)
def test_the_fast_way_never_differs_from_the_exact_one(text, multi_line, empty, sample):
    read = ReadDelimited(
        support_multi_line=multi_line,
        empty_as_string=empty,
        infer_column_types=InferTypes(sample_size=sample),
    )
    assert outcome(read, text) == exactly(pytest.MonkeyPatch(), read, text)


@FAST
@given(
    text=texts(),
    size=st.integers(1, 60),
    piece=st.integers(1, 60),
    encoding=st.sampled_from(["utf8", "utf16", "latin1"]),
)
def test_the_size_of_partitions_and_pieces_changes_nothing(text, size, piece, encoding):
    read = ReadDelimited(encoding=encoding, infer_column_types=False)
    data = text.encode(encoding.replace("utf16", "utf-16"), "ignore")
    whole = outcome(read, data)
    assert outcome(replace(read, partition_size=size), data) == whole
    with pytest.MonkeyPatch().context() as patch:
        patch.setattr(delimited_pieces, "PIECE_BYTES", piece)
        assert outcome(read, data) == outcome(replace(read, partition_size=size), data) == whole


@FAST
@given(text=tables() | texts(), sample=st.sampled_from([1, 2, 5, 200]))
def test_widening_gives_what_a_sample_of_everything_gives(text, sample):
    with tempfile.TemporaryDirectory() as folder:
        files = write(Path(folder), text)
        try:
            whole = inspect(ReadDelimited(infer_column_types=InferTypes(EVERYTHING)), files)
            guessed = inspect(ReadDelimited(infer_column_types=InferTypes(sample)), files)
            wide, _ = guessed.widen(tuple(guessed.schema.names))
        except InvalidLineError:
            return
        assert wide.schema == whole.schema
        table, _ = read_all(wide)
        assert repr(table.to_pylist()) == repr(read_all(whole)[0].to_pylist())
        try:
            first, _ = read_all(guessed)
        except SchemaMismatchError:
            return
        assert repr(first.to_pylist()) == repr(table.to_pylist()), (
            "what needs no widening is not changed by it"
        )


@FAST
@given(text=tables())
def test_columns_read_alone_are_those_read_together(text):
    with tempfile.TemporaryDirectory() as folder:
        source = inspect(ReadDelimited(), write(Path(folder), text))
        table, _ = read_all(source)
        for name in source.schema.names:
            assert repr(read_all(source, name)[0].to_pylist()) == repr(table.select([name]).to_pylist())
