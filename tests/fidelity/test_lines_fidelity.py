"""The line that an error or a warning names is the file's own line, however the file is stored, cut and read."""

from __future__ import annotations

import bz2
import gzip
import json
import re

import pytest

import mltable_lite as mltable
from mltable_lite.errors import (
    ConversionWarning,
    EncodingError,
    InvalidLineError,
    InvalidLinesWarning,
    SchemaMismatchError,
    TypeWidenedWarning,
)
from mltable_lite.formats import json_lines, text_blocks

#: Blank lines before the header, after it and between rows; the odd line is the last but two.
LINES = [
    "",
    "",
    "a,b",
    "",
    *(f"{number},x{number}" for number in range(6)),
    "",
    "",
    "7,x7",
    "ODD",
    "8,x8",
    "",
]
ODD_LINE = LINES.index("ODD") + 1
#: How many bytes of text a partition has: a few lines, a part of a line, everything.
SIZES = [10, 24, 37, 10_000]
STORED = {
    "utf8": ("utf8", lambda text: text.encode()),
    "mark": ("utf8", lambda text: text.encode("utf-8-sig")),
    "utf16": ("utf16", lambda text: text.encode("utf-16")),
    "utf16 big": ("utf16", lambda text: b"\xfe\xff" + text.encode("utf-16-be")),
    "latin1": ("latin1", lambda text: text.encode("latin1")),
    "gz": ("utf8", lambda text: gzip.compress(text.encode())),
    "bz2 utf16": ("utf16", lambda text: bz2.compress(text.encode("utf-16"))),
}
stored_any_way = pytest.mark.parametrize("stored", STORED)
with_any_end = pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
in_any_partition = pytest.mark.parametrize("size", SIZES)


def write(folder, name, lines, end, stored):
    """Write lines and return the file's name and the read step's encoding."""
    encoding, store = STORED[stored]
    extension = "." + stored.split()[0] if stored.startswith(("gz", "bz2")) else ""
    path = folder / f"{name}{extension}"
    path.write_bytes(store(end.join(lines)))
    return path.name, encoding


def table(folder, name, reader, *steps, **options):
    every = json.dumps([{reader: options}, *steps])
    (folder / "MLTable").write_text(f"paths: [{{file: {name}}}]\ntransformations: {every}\n")
    return mltable.load(folder)


def delimited(folder, odd, end, stored, size, *steps, **options):
    """Return the table of LINES with an odd line, and how its errors begin and its warnings end."""
    lines = [odd if line == "ODD" else line for line in LINES]
    name, encoding = write(folder, "a.csv", lines, end, stored)
    infer = {"sample_size": 4}
    found = table(
        folder,
        name,
        "read_delimited",
        *steps,
        **{"encoding": encoding, "partition_size": size, "infer_column_types": infer, **options},
    )
    place = re.escape(f"{folder}/{name}")
    return found, rf"^{place}:{ODD_LINE}\b", rf"{place} line {ODD_LINE}\b"


@stored_any_way
@with_any_end
@in_any_partition
def test_a_late_misfit(tmp_path, stored, end, size):
    read, error, warning = delimited(tmp_path, "odd,x", end, stored, size)
    with pytest.raises(SchemaMismatchError, match=error) as caught:
        read.to_arrow_batches().read_all()
    assert caught.value.line == ODD_LINE
    with pytest.warns(TypeWidenedWarning, match=warning):
        assert read.to_pandas_dataframe()["a"].tolist()[-2:] == ["odd", "8"]


@stored_any_way
@with_any_end
@in_any_partition
def test_an_open_quote_and_a_long_row(tmp_path, stored, end, size):
    read, error, _ = delimited(tmp_path, '7,"x', end, stored, size)
    for output in (read.to_pandas_dataframe, read.to_arrow_batches().read_all):
        with pytest.raises(InvalidLineError, match=error):
            output()
    read, error, warning = delimited(tmp_path, "7,x,y", end, stored, size)
    with pytest.raises(SchemaMismatchError, match=error):
        read.to_arrow_batches().read_all()
    with pytest.warns(TypeWidenedWarning, match=warning):
        assert read.to_pandas_dataframe()["Column3"].tolist()[-2] == "y"


@stored_any_way
@with_any_end
@in_any_partition
def test_a_cell_of_an_overridden_column(tmp_path, stored, end, size):
    infer = {"sample_size": 4, "column_type_overrides": [{"columns": "a", "column_type": "int"}]}
    read, _, warning = delimited(tmp_path, "odd,x", end, stored, size, infer_column_types=infer)
    with pytest.warns(ConversionWarning, match=f"'odd' at {warning}"):
        read.to_pandas_dataframe()


@stored_any_way
@with_any_end
def test_rows_of_several_lines(tmp_path, stored, end):
    lines = ["", "a,b", f'1,"x{end}y"', "", f'2,"{end}{end}"', "3,x", f'odd,"x{end}"', ""]
    odd_line = "".join(lines[:6]).count(end) + 7
    name, encoding = write(tmp_path, "a.csv", lines, end, stored)
    options = {"support_multi_line": True, "infer_column_types": {"sample_size": 2}, "encoding": encoding}
    read = table(tmp_path, name, "read_delimited", **options)
    with pytest.raises(SchemaMismatchError, match=rf"^{re.escape(str(tmp_path))}/{name}:{odd_line} "):
        read.to_arrow_batches().read_all()
    with pytest.warns(TypeWidenedWarning, match=rf"{name} line {odd_line}\b"):
        assert read.to_pandas_dataframe()["b"].tolist()[1] == f"{end}{end}"


@with_any_end
@in_any_partition
def test_bytes_that_are_no_text(tmp_path, end, size):
    lines = [b"\xff,x" if line == "ODD" else line.encode() for line in LINES]
    data = end.encode().join(lines)
    (tmp_path / "a.csv").write_bytes(data)
    read = table(tmp_path, "a.csv", "read_delimited", partition_size=size)
    with pytest.raises(EncodingError, match=rf"a\.csv:{ODD_LINE} byte {data.index(0xFF)}\b"):
        read.to_arrow_batches().read_all()


# --------------------------------------------------------------------------- JSON lines
OBJECTS = ["", '{"a":1}', " ", *(f'{{"a":{number}}}' for number in range(30)), "", "ODD", '{"a":9}', ""]
ODD_OBJECT = OBJECTS.index("ODD") + 1


@stored_any_way
@with_any_end
@in_any_partition
def test_an_invalid_line_of_json(tmp_path, stored, end, size):
    lines = ["junk" if line == "ODD" else line for line in OBJECTS]
    name, encoding = write(tmp_path, "a.jsonl", lines, end, stored)
    options = {"encoding": encoding, "partition_size": size}
    read = table(tmp_path, name, "read_json_lines", **options)
    with pytest.raises(InvalidLineError, match=rf"^{re.escape(str(tmp_path))}/{name}:{ODD_OBJECT}: 'junk'"):
        read.to_arrow_batches().read_all()
    read = table(tmp_path, name, "read_json_lines", invalid_lines="drop", **options)
    with pytest.warns(InvalidLinesWarning, match=rf"{name} line {ODD_OBJECT}\b"):
        assert len(read.to_pandas_dataframe()) == 32


@stored_any_way
@with_any_end
@pytest.mark.parametrize("size", [60_000, 10_000_000])
def test_a_late_misfit_of_json(tmp_path, stored, end, size, monkeypatch):
    for name in ("SAMPLE_BYTES", "LEAST_SAMPLE_BYTES"):
        monkeypatch.setattr(json_lines, name, 1000)
    lines = ["", *['{"a":1,"b":"' + "x" * 20 + '"}'] * 4000, "", '{"a":"odd"}', '{"a":2}', ""]
    name, encoding = write(tmp_path, "a.jsonl", lines, end, stored)
    odd_line = lines.index('{"a":"odd"}') + 1
    read = table(tmp_path, name, "read_json_lines", encoding=encoding, partition_size=size)
    if end == "\r" and stored in ("gz", "bz2 utf16"):
        # Lines are not cut: everything is the sample.
        with pytest.warns(TypeWidenedWarning, match=rf"first: 1 at .*{name} line 2\b"):
            assert read.to_arrow_batches().read_all()["a"].to_pylist()[-2] == "odd"
        return
    with pytest.raises(SchemaMismatchError, match=rf"{name}:{odd_line} ") as caught:
        read.to_arrow_batches().read_all()
    assert caught.value.line == odd_line


# --------------------------------------------------------------------------- how often it is looked for
@pytest.mark.parametrize("reader", ["read_delimited", "read_json_lines"])
def test_the_line_of_a_warning_is_counted_once_however_many_partitions_warn(tmp_path, monkeypatch, reader):
    counted = []
    count = text_blocks.line_number

    def counting(*place):
        counted.append(place)
        return count(*place)

    monkeypatch.setattr(text_blocks, "line_number", counting)
    if reader == "read_delimited":
        lines = ["a,b", *["1,x"] * 1000, *["odd,x", "2,y"] * 2000, ""]
        infer = {"column_type_overrides": [{"columns": "a", "column_type": "int"}]}
        options = {"infer_column_types": infer, "partition_size": 1000}
        warning = ConversionWarning, r"2000 values .* line 1002\b"
    else:
        lines = ['{"a":1}', *['{"a":1}'] * 1000, *["odd", '{"a":2}'] * 2000, ""]
        options = {"invalid_lines": "drop", "partition_size": 1000}
        warning = InvalidLinesWarning, r"2000 lines .* line 1002\b"
    name, _ = write(tmp_path, "a", lines, "\n", "utf8")
    read = table(tmp_path, name, reader, **options)
    with pytest.warns(warning[0], match=warning[1]):
        assert len(read.to_pandas_dataframe()) in (3001, 5000)
    assert len(counted) == 1
