"""Blocks of text: every line is in exactly one, decoded, whatever the encoding, line end and compression."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import re
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from formats.delimited_files import write
from hypothesis import given, settings
from hypothesis import strategies as st

from mltable_lite.errors import ArgumentError, CorruptFileError, EncodingError, UnsupportedFeatureError
from mltable_lite.formats.base import Partition
from mltable_lite.formats.text_blocks import (
    HEAD_BYTES,
    decode_name,
    line_number,
    read_block,
    read_blocks,
    read_pieces,
    split_ranges,
)

ENCODINGS = {
    "utf8": "utf-8",
    "ascii": "utf-8-sig",
    "latin1": "cp1252",
    "utf16": "utf-16",
    "utf-16": "utf-16-le",
    "utf32": "utf-32",
}


def blocks_of(file, size, encoding):
    return [read_block(file, Partition(0, 0, *r), encoding) for r in split_ranges(file, size)]


def seen(blocks):
    """Return what blocks tell, each looked at before the next one is asked for."""
    return [(b.data, b.offset, b.leading, b.line_at(0), b.cr_only) for b in blocks if b.data]


def whole_lines(data, final):
    return len(data) if final else data.rfind(b"\n") + 1


@settings(max_examples=60)
@given(
    lines=st.lists(st.text("ab€Ċ,ਊ\U0001f600é", max_size=4), max_size=6),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    size=st.integers(1, 30),
    encoding=st.sampled_from(sorted(ENCODINGS)),
)
def test_every_line_is_in_the_block_where_it_starts(lines, end, size, encoding):
    text = "".join(line + end for line in lines)
    codec = ENCODINGS[encoding]
    try:
        data = text.encode(codec)
    except UnicodeEncodeError:
        return
    with tempfile.TemporaryDirectory() as folder:
        (file,) = write(Path(folder), data)
        before = ""
        for (start, stop), block in zip(
            split_ranges(file, size), blocks_of(file, size, encoding), strict=True
        ):
            if block.data:
                assert block.leading == (not before.strip("\r\n"))
                mark = len("".encode(codec))
                assert start <= block.offset - mark * (start == 0) < stop
                assert block.offset == mark + len((before + "x").encode(codec)) - len("x".encode(codec))
                assert block.line_at(0) == 1 + before.count(end)
            before += block.data.decode()
        assert before == text


@settings(max_examples=100)
@given(
    data=st.lists(
        st.sampled_from([b"a", b"\xe9", "é".encode(), b"\n", b"\n\n", b"\r\n", b"\r", codecs.BOM_UTF8])
    ).map(b"".join),
    size=st.integers(1, 60),
    piece=st.integers(1, 20),
    encoding=st.sampled_from(["utf8", "latin1"]),
)
def test_pieces_are_the_block_of_their_partition(data, size, piece, encoding):
    with tempfile.TemporaryDirectory() as folder:
        (file,) = write(Path(folder), data)
        for bounds in split_ranges(file, size):
            partition = Partition(0, 0, *bounds)
            pieces = read_pieces(file, partition, encoding, piece)
            try:
                whole = read_block(file, partition, encoding)
            except EncodingError as error:
                with pytest.raises(EncodingError, match=f"^{re.escape(str(error))}$"):
                    seen(pieces)
                continue
            found = seen(pieces)
            assert b"".join(text for text, *_ in found) == whole.data
            assert [rest for _, *rest in found[:1]] == [rest for _, *rest in seen([whole])]
            mark = data.startswith(codecs.BOM_UTF8) and encoding == "utf8"
            for _, offset, leading, line, cr_only in found:
                before = data[3 * mark : offset]
                assert leading == (not before.strip(b"\r\n")) or b"\xe9" in before  # an error by then
                assert line == 1 + before.count(b"\r" if cr_only else b"\n")


def test_a_piece_of_a_big_file_holds_about_what_was_asked_for(tmp_path):
    lines = [b"line %d\n" % number for number in range(100_000)]
    (file,) = write(tmp_path, b"".join(lines))
    pieces = [block.data for block in read_pieces(file, Partition(0, 0, 0, file.size), "utf8", 100_000)]
    assert b"".join(pieces) == b"".join(lines)
    assert max(map(len, pieces)) <= 100_000
    assert all(piece.endswith(b"\n") for piece in pieces)


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_the_byte_order_mark_tells_the_order(tmp_path, codec):
    (file,) = write(tmp_path, "\ufeffa,é\n1,2\n".encode(codec))
    block = read_block(file, Partition(0, 0, 0, 1000), codec[:6].replace("-", ""))
    assert block.data.decode() == "a,é\n1,2\n"


def test_big_endian_without_a_mark_is_known_by_its_line_ends(tmp_path):
    (file,) = write(tmp_path, "a,é\n1,2\n".encode("utf-16-be"))
    assert read_block(file, Partition(0, 0, 0, 1000), "utf16").data.decode() == "a,é\n1,2\n"


@pytest.mark.parametrize("encoding", ["utf8", "latin1", "utf16", "utf32"])
@pytest.mark.parametrize(
    ("text", "cr_only"),
    [
        ('a,b\r1,"x\ny"\r', True),
        ('a,b\r1,"x\r\ny"\r', True),
        ('"a\r\nb",c\r1,2\r', True),
        ('"a","b"\r1,"x ""\n"" y"\r', True),
        ('a 5",b 6"\r1,"x\ny"\r', True),
        ('a,b\r1,"cut off\n', True),
        ('a,b\r\n1,"x\ry"\r\n', False),
        ('"a","b"\r\n1,"x\ry"\r\n', False),
        ('"a\r\nb",c\r\n1,2\r\n', False),
        ('a,b\n1,"x\ry"\n', False),
        ('a 5",b\n1,x\ry\n2,"z"\n', False),
        ('a,"x\ry"', False),
    ],
)
def test_what_stands_in_quotes_does_not_tell_how_lines_end(text, cr_only, encoding):
    codec = {"utf8": "utf-8"}.get(encoding, encoding)
    assert decode_name(encoding, text.encode(codec)).cr_only == cr_only


def test_latin1_is_windows_1252_and_undefined_bytes_pass(tmp_path):
    (file,) = write(tmp_path, bytes(range(0x80, 0xA0)) + b"\xe9\n")
    text = read_block(file, Partition(0, 0, 0, 100), "latin1").data.decode()
    assert text[:2] + text[-3:] == "€\x81žŸé\n"[:2] + "Ÿé\n"
    assert all(text[byte - 0x80] == chr(byte) for byte in (0x81, 0x8D, 0x8F, 0x90, 0x9D))


def test_an_unknown_encoding_lists_the_known_ones():
    with pytest.raises(ArgumentError, match=r"'cp437' is not accepted; accepted: utf8, .*windows1252"):
        decode_name("cp437", b"")


@pytest.mark.parametrize("size", [4, 1000])
def test_bytes_that_do_not_decode_are_an_error_with_line_and_offset(tmp_path, size):
    (file,) = write(tmp_path, b"a,b\nx,1\ny\xff,2\n")
    with pytest.raises(EncodingError, match=r"f1.csv:3 byte 9: 0xff is no utf-8 \(invalid start byte\)"):
        blocks_of(file, size, "utf8")


def test_an_eight_bit_file_is_no_utf16(tmp_path):
    (file,) = write(tmp_path, b"a,b\n1,2\n")
    with pytest.raises(EncodingError, match="this is no utf-16 .no byte order mark and no zero byte"):
        read_block(file, Partition(0, 0, 0, 8), "utf16")


def test_a_utf16_file_read_as_utf8_says_what_it_is(tmp_path):
    (file,) = write(tmp_path, "a\n".encode("utf-16"))
    with pytest.raises(EncodingError, match=r"f1.csv:1 byte 0: .* set encoding: utf16"):
        read_block(file, Partition(0, 0, 0, 8), "utf8")


def test_half_a_character_at_the_end_is_an_error(tmp_path):
    (file,) = write(tmp_path, "a\nb".encode("utf-16-le")[:-1])
    with pytest.raises(EncodingError, match=r"f1.csv:2 byte 4: .*truncated"):
        read_block(file, Partition(0, 0, 0, 8), "utf16")


def test_a_line_longer_than_what_is_read_at_once_stays_whole(tmp_path):
    long = "x" * (5 * HEAD_BYTES)
    (file,) = write(tmp_path, f"a\n{long}\n{long}\nb\n")
    blocks = blocks_of(file, 50_000, "utf8")
    assert [block.data.decode() for block in blocks if block.data] == [f"a\n{long}\n", f"{long}\n", "b\n"]


def test_an_empty_file_has_no_partition(tmp_path):
    (file,) = write(tmp_path, b"")
    assert list(split_ranges(file, 10)) == list(split_ranges(file, 10, whole=True)) == []


def test_a_partition_size_of_zero_is_refused(tmp_path):
    (file,) = write(tmp_path, b"a")
    with pytest.raises(ArgumentError, match="partition_size: 0 is not accepted"):
        list(split_ranges(file, 0))


# --------------------------------------------------------------------------- compression
def zipped(**members):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return sink.getvalue()


COMPRESS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: pa.compress(data, "zstd", asbytes=True),
    "zip": lambda data: zipped(inside=data),
}


@pytest.mark.parametrize("kind", COMPRESS)
def test_compressed_text_is_one_partition_and_is_decompressed(tmp_path, kind):
    data = b"a,b\n" + b"".join(b"%d,x\n" % i for i in range(1000))
    (file,) = write(tmp_path, COMPRESS[kind](data), name="f{}.csv." + kind)
    assert list(split_ranges(file, 10)) == [(0, -1)]
    block = read_block(file, Partition(0, 0, 0, -1), "utf8")
    assert block.data == data
    assert block.line_at(4) == 2


@pytest.mark.parametrize("kind", COMPRESS)
def test_a_damaged_compressed_file_is_named(tmp_path, kind):
    data = bytes(i * i % 251 for i in range(100_000))
    content = COMPRESS[kind](data)
    (file,) = write(tmp_path, content[: len(content) // 2], name="f{}.csv." + kind)
    with pytest.raises(CorruptFileError, match=rf"f1.csv.{kind}: this is no whole .{kind} file"):
        read_block(file, Partition(0, 0, 0, -1), "latin1")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_several_streams_one_after_the_other_are_all_read(tmp_path, kind):
    streams = [COMPRESS[kind](text) for text in (b"a\n" * 100_000, b"b\n", b"", b"c\n")]
    between = b"" if kind == "zst" else bytes(8)
    (file,) = write(tmp_path, between.join([*streams, b""]), name="f{}.csv." + kind)
    assert read_block(file, Partition(0, 0, 0, -1), "utf8").data == b"a\n" * 100_000 + b"b\nc\n"


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_a_later_stream_that_is_damaged_is_no_end_of_the_data(tmp_path, kind):
    first, second = COMPRESS[kind](b"a\n"), bytearray(COMPRESS[kind](b"b\n"))
    second[0] ^= 1
    (file,) = write(tmp_path, first + second, name="f{}.csv." + kind)
    with pytest.raises(CorruptFileError, match=rf"f1.csv.{kind}: this is no whole .{kind} file"):
        read_block(file, Partition(0, 0, 0, -1), "utf8")


@pytest.mark.parametrize("content", [b"P", b"PK\x03\x04", zipped(inside=b"a\n")[:-3] + b"\xff\x00\x00"])
def test_a_stub_of_an_archive_is_named(tmp_path, content):
    (file,) = write(tmp_path, content, name="f{}.csv.zip")
    with pytest.raises(CorruptFileError, match=r"f1\.csv\.zip: this is no whole \.zip file"):
        read_block(file, Partition(0, 0, 0, -1), "utf8")


def test_an_archive_of_two_files_is_refused(tmp_path):
    (file,) = write(tmp_path, zipped(one="1", two="2"), name="f{}.zip")
    with pytest.raises(
        UnsupportedFeatureError, match=r"^[^:]*f1\.zip: the archive has 2 files;[^:]*: unpack it\.$"
    ):
        read_block(file, Partition(0, 0, 0, -1), "utf8")


@pytest.mark.parametrize("encoding", ["utf8", "utf16", "latin1"])
def test_a_whole_file_comes_in_blocks_of_whole_lines(tmp_path, encoding):
    text = "".join(f"{i},é\n" for i in range(60_000))
    data = text.encode({"latin1": "cp1252", "utf16": "utf-16"}.get(encoding, encoding))
    (file,) = write(tmp_path, gzip.compress(data, 1), name="f{}.gz")
    blocks = list(read_blocks(file, encoding, whole_lines, first_bytes=1000))
    assert "".join(block.data.decode() for block in blocks) == text
    assert len(blocks) > 1
    assert all(block.data.endswith(b"\n") for block in blocks if block.data)
    lines = 1
    for block in blocks:
        assert block.line == lines
        lines += block.data.count(b"\n")


def test_line_numbers_count_the_lines_before(tmp_path):
    (file,) = write(tmp_path, "é\r\nb\r\nc".encode("utf-16"))
    assert [line_number(file, offset, "utf16") for offset in (2, 8, 14)] == [1, 2, 3]
