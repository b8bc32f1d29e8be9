"""The command: what a person types, what they see, and the exit code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mltable_lite.cli.layout import wrapped


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("i,s\n1,x\n2,y\n3,z\n")
    (tmp_path / "MLTable").write_text(
        "paths: [{file: a.csv}]\ntransformations:\n- read_delimited\n- filter: i > 1\n- drop_columns: zzz\n"
    )
    return tmp_path


@pytest.fixture
def wide(tmp_path):
    """A table of 20 columns, one of long texts and one of long lists."""
    columns = {f"measure_{number:02}": [0.25] for number in range(18)}
    pq.write_table(pa.table({**columns, "text": ["word " * 30], "list": [[7] * 150]}), tmp_path / "a.parquet")
    (tmp_path / "MLTable").write_text("paths: [{file: a.parquet}]\ntransformations: [read_parquet]\n")
    return tmp_path


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "mltable_lite", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def on_terminal(folder, *words, columns=80):
    """Return the lines that a terminal of so many columns is given."""
    import fcntl
    import pty
    import struct
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "mltable_lite", *words]
    with subprocess.Popen(command, cwd=folder, stdout=its, stderr=its, env=environment):
        os.close(its)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:  # Linux says so that the terminal has no writer any more
            pass
    os.close(ours)
    return shown.decode().splitlines()


needs_terminals = pytest.mark.skipif(sys.platform == "win32", reason="no pty")


def test_show_prints_the_first_rows(folder):
    done = run(folder, "show", "-n", "1")
    assert done.returncode == 0
    assert done.stdout.split() == ["i", "s", "0", "2", "y"]
    assert done.stderr.startswith("MissingColumnWarning: ")


def test_show_of_no_rows_is_a_usage_error(folder):
    done = run(folder, "show", "-n", "0")
    assert done.returncode == 2
    assert "'-n' / '--rows': 0 is not in the range x>=1" in done.stderr


def test_show_into_a_pipe_is_one_line_a_row_with_nothing_cut(wide):
    header, row = run(wide, "show").stdout.splitlines()
    assert [header.split()[0], header.split()[-1]] == ["measure_00", "list"]
    assert row.count("word") == 30
    assert row.count("7") == 150


@needs_terminals
@pytest.mark.parametrize("columns", [80, 40])
def test_show_on_a_terminal_has_every_column_and_no_longer_line(wide, columns):
    lines = on_terminal(wide, "show", columns=columns)
    assert max(map(len, lines)) <= columns
    words = " ".join(lines).split()
    assert [w for w in words if w.startswith("measure_")] == [f"measure_{n:02}" for n in range(18)]
    assert "list" in words


@needs_terminals
def test_show_on_a_terminal_wraps_the_names_of_a_table_without_rows(wide):
    (wide / "MLTable").write_text(
        "paths: [{file: a.parquet}]\ntransformations: [read_parquet, filter: measure_00 > 1]\n"
    )
    lines = on_terminal(wide, "show")
    assert max(map(len, lines)) <= 80
    assert "measure_17" in " ".join(lines)


def test_explain_prints_the_plan(folder):
    assert "predicate=i > 1" in run(folder, "explain", ".", "--analyze").stdout


@needs_terminals
def test_a_terminal_is_given_whole_words(folder):
    (folder / "MLTable").write_text(
        "paths: [{file: a.csv}]\ntransformations:\n- read_delimited\n- filter: i > 1"
        + ' and s != "a long text to compare with"' * 4
        + "\n"
    )
    lines = on_terminal(folder, "explain")
    whole = run(folder, "explain").stdout
    assert max(map(len, whole.splitlines())) > 150
    assert max(map(len, lines)) <= 80
    assert " ".join(lines).split() == whole.split()


@needs_terminals
def test_an_error_on_a_terminal_is_wrapped(folder):
    lines = on_terminal(folder, "show", "no-such-folder")
    assert lines[0].startswith("MLTableNotFoundError: ")
    assert all(len(line) <= 80 or " " not in line.strip() for line in lines)


def test_a_line_goes_on_below_deeper_indented_with_its_words_whole():
    long = "x" * 30
    assert wrapped(f"  one two\n  {long} {long}\n", 20) == f"  one two\n  {long}\n      {long}"


def test_schema_and_count_print_what_they_say(folder):
    assert run(folder, "schema").stdout == "i: int64\ns: string\n"
    assert run(folder, "count").stdout == "2\n"


def test_validate_says_that_a_table_is_valid(folder):
    assert run(folder, "validate", str(folder)).stdout == f"{folder}: valid\n"


def test_a_mistake_is_one_message_and_exit_code_1(folder):
    (folder / "MLTable").write_text("paths: [{fil: a.csv}]\n")
    done = run(folder, "validate")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "MLTable:1:10 paths[0]: unknown key 'fil'" in done.stderr


def test_the_installed_command_is_the_module(folder):
    command = shutil.which("mltable-lite", path=Path(sys.executable).parent)
    if command is None:
        pytest.skip("the package is not installed")
    done = subprocess.run([command, "count"], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "2\n"
