"""The command: what a person types, what they see, and the exit code."""

import subprocess
import sys

import pytest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.csv").write_text("i,s\n1,x\n2,y\n3,z\n")
    (tmp_path / "MLTable").write_text(
        "paths: [{file: a.csv}]\ntransformations:\n- read_delimited\n- filter: i > 1\n- drop_columns: zzz\n"
    )
    return tmp_path


def run(folder, *words):
    return subprocess.run(
        [sys.executable, "-m", "mltable_lite.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_show_prints_the_first_rows(folder):
    done = run(folder, "show", "-n", "1")
    assert done.returncode == 0
    assert done.stdout.split() == ["i", "s", "0", "2", "y"]
    assert done.stderr.startswith("MissingColumnWarning: ")


def test_explain_prints_the_plan(folder):
    assert "predicate=i > 1" in run(folder, "explain", ".", "--analyze").stdout


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
