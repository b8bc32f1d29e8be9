"""The documentation is true: every code block of README.md and docs/ runs, every YAML block is a valid MLTable."""

from __future__ import annotations

import contextlib
import doctest
import io
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import mltable_lite
from mltable_lite import assets, datastores, errors, transfer
from mltable_lite.spec import parse_text

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string, its text, and the line of the page on which the text begins."""

    info: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf8")
    return [
        Block(match["info"].strip(), match["body"], text.count("\n", 0, match.start("body")) + 1)
        for match in FENCE.finditer(text)
    ]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    """A folder that looks like the repository to a reader: docs/examples is there and may be written to."""
    shutil.copytree(ROOT / "docs/examples", tmp_path / "docs/examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_doctest(block: Block, namespace: dict, page: Path) -> None:
    test = doctest.DocTestParser().get_doctest(
        block.text, namespace, name_of(page), str(page), block.line - 1
    )
    test.globs = namespace  # not a copy: later blocks of the page go on with these names
    report = io.StringIO()
    doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(test, out=report.write, clear_globs=False)
    assert not report.getvalue(), report.getvalue()


def run_plain(block: Block, namespace: dict, page: Path, expected: str | None) -> None:
    code = compile("\n" * (block.line - 1) + block.text, str(page), "exec")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code, namespace)
    if expected is not None:
        same = doctest.OutputChecker().check_output(expected, printed.getvalue(), FLAGS)
        assert same, (
            f"{name_of(page)}:{block.line} printed\n{printed.getvalue()}\nbut the page says\n{expected}"
        )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_of_a_page_run_and_print_what_it_says(page, work_dir):
    blocks = blocks_of(page)
    namespace: dict = {"__name__": "__main__"}
    for block, following in itertools.pairwise([*blocks, None]):
        if block.info != "python":
            continue
        if block.text.lstrip().startswith(">>>"):
            run_doctest(block, namespace, page)
        else:
            expected = following.text if following is not None and following.info == "text output" else None
            run_plain(block, namespace, page, expected)


def run_command(command: str) -> str:
    """Return what `mltable-lite ...` prints, and its exit code where that is not 0."""
    name, *words = shlex.split(command)
    assert name == "mltable-lite", command
    done = subprocess.run(
        [sys.executable, "-m", "mltable_lite", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout + f"[exit code {done.returncode}]\n" * (done.returncode != 0)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_shell_sessions_of_a_page_print_what_it_says(page, work_dir):
    for block in blocks_of(page):
        if block.info != "shell-session":  # `console` is what cannot run here
            continue
        _, *commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
        for command, expected in (text.split("\n", 1) for text in commands):
            printed = run_command(command)
            same = doctest.OutputChecker().check_output(expected, printed, FLAGS)
            assert same, f"{name_of(page)}: {command} printed\n{printed}\nbut the page says\n{expected}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_yaml_blocks_of_a_page_are_valid(page, tmp_path):
    for block in blocks_of(page):
        if block.info != "yaml":
            continue
        text = block.text
        if text.startswith("- "):  # steps alone
            text = "paths: [{file: ./data}]\ntransformations:\n" + text
        parse_text(text, source=f"{name_of(page)}:{block.line}", base=str(tmp_path))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_yaml_block_that_follows_the_name_of_an_example_is_that_file(page):
    lines = page.read_text(encoding="utf8").splitlines()
    for block in blocks_of(page):
        before = [line for line in lines[: block.line - 2] if line][-1:]
        named = re.search(r"`(docs/examples/[^`]+)`:$", before[0]) if before else None
        if block.info == "yaml" and named:
            assert block.text == (ROOT / named[1]).read_text(encoding="utf8"), name_of(page)


def test_every_block_says_its_language():
    unnamed = [
        f"{name_of(page)}:{block.line}" for page in PAGES for block in blocks_of(page) if not block.info
    ]
    assert unnamed == []


def keys_of(schema: object) -> set[str]:
    """Return every property name in a JSON Schema."""
    if isinstance(schema, list):
        return set().union(*map(keys_of, schema)) if schema else set()
    if not isinstance(schema, dict):
        return set()
    own = set(schema["properties"]) if isinstance(schema.get("properties"), dict) else set()
    return own.union(*map(keys_of, schema.values()))


def test_every_key_of_the_format_is_documented():
    schema = json.loads((ROOT / "schemas/MLTable.schema.json").read_text(encoding="utf8"))
    page = (ROOT / "docs/mltable-file.md").read_text(encoding="utf8")
    missing = sorted(key for key in keys_of(schema) if f"`{key}`" not in page)
    assert missing == []


def test_every_error_and_warning_is_documented():
    page = (ROOT / "docs/errors.md").read_text(encoding="utf8")
    classes = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, (errors.MLTableError, errors.MLTableWarning))
    ]
    assert [name for name in classes if f"`{name}`" not in page] == []


def test_links_between_pages_lead_to_files():
    link = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(#[^)]*)?\)")
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"]
    broken = [
        f"{name_of(page)}: {match[1]}"
        for page in pages
        for match in link.finditer(page.read_text(encoding="utf8"))
        if not (page.parent / match[1]).exists()
    ]
    assert broken == []


def test_every_public_name_is_on_the_api_page():
    module, documented = "mltable_lite", set()
    for line in (ROOT / "docs/api.md").read_text(encoding="utf8").splitlines():
        directive = re.match(r"\.\. (\w+):: ([\w.]+)$", line)
        if directive and directive[1] == "currentmodule":
            module = directive[2]
        elif directive:
            name = directive[2]
            documented.add(name if name.startswith("mltable_lite.") else f"{module}.{name}")
    in_errors = {
        f"mltable_lite.errors.{name}"
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, (errors.MLTableError, errors.MLTableWarning))
    }
    public = (
        {f"mltable_lite.{name}" for name in mltable_lite.__all__ if not hasattr(errors, name)}
        | {f"mltable_lite.MLTable.{name}" for name in vars(mltable_lite.MLTable) if not name.startswith("_")}
        | {
            f"{module.__name__}.{name}"
            for module in (assets, datastores, transfer)
            for name in module.__all__
        }
        | in_errors
    )
    assert sorted(public - documented) == []
