"""Every file of `specs/` gives the text that stands beside it: the portable form, or the error."""

from __future__ import annotations

from pathlib import Path

import pytest

from mltable_lite.errors import SpecError
from mltable_lite.spec import parse_text, to_mapping, to_yaml

SPECS = Path(__file__).parent / "specs"


def named(kind):
    return [pytest.param(path, id=path.stem) for path in sorted((SPECS / kind).glob("*.yaml"))]


def expect(path: Path, found: str, request) -> None:
    beside = path.with_suffix(".txt")
    if request.config.getoption("--update-golden"):
        beside.write_text(found, encoding="utf-8")
    assert found == beside.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", named("valid"))
def test_valid_file_is_read_and_written_in_its_portable_form(path, request):
    spec, notices = parse_text(path.read_bytes(), source="MLTable", base="/d")
    written = to_yaml(to_mapping(spec, full=False))
    expect(path, "".join(f"# {notice.text()}\n" for notice in notices) + written, request)
    assert parse_text(written, source="MLTable", base="/d")[0] == spec


@pytest.mark.parametrize("path", named("invalid"))
def test_invalid_file_is_refused_with_every_issue_explained(path, request):
    with pytest.raises(SpecError) as caught:
        parse_text(path.read_bytes(), source="MLTable", base="/d")
    expect(path, str(caught.value) + "\n", request)
