"""What a user gets by installing and importing: quick, complete, documented."""

from __future__ import annotations

import inspect
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import mltable_lite

ROOT = Path(__file__).parents[1]
SLOW_PACKAGES = ("pyarrow", "pandas", "numpy", "dask", "adlfs", "azure", "deltalake", "jsonschema", "fsspec")


def loaded_by(code: str) -> set[str]:
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; {report}"], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_import_loads_no_slow_package_and_little_of_the_standard_library():
    loaded = loaded_by("import mltable_lite")
    assert "mltable_lite" in loaded
    assert loaded & set(SLOW_PACKAGES) == set()
    assert len(loaded - loaded_by("pass")) < 30


@pytest.mark.parametrize("package", ["dask", "adlfs", "azure", "deltalake", "fsspec", "jsonschema", "ssl"])
def test_reading_a_local_csv_loads_no_package_it_does_not_need(package, tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "MLTable").write_text("paths: [{file: ./a.csv}]\ntransformations: [read_delimited]\n")
    loaded = loaded_by(f"import mltable_lite; mltable_lite.load({str(tmp_path)!r}).to_arrow_table()")
    assert "pyarrow" in loaded
    assert package not in loaded


def test_version_is_that_of_the_project_file():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert mltable_lite.__version__ == project["version"]


def test_every_public_name_resolves_and_has_a_docstring():
    undocumented = [name for name in mltable_lite.__all__ if not inspect.getdoc(getattr(mltable_lite, name))]
    assert undocumented == []


def test_every_public_method_of_a_table_has_a_docstring():
    members = {name: value for name, value in vars(mltable_lite.MLTable).items() if not name.startswith("_")}
    assert "to_pandas_dataframe" in members
    assert [name for name, value in members.items() if not inspect.getdoc(value)] == []


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        mltable_lite.laod


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    from hatchling.builders.wheel import WheelBuilder

    target = tmp_path_factory.mktemp("wheel")
    path = next(WheelBuilder(str(ROOT)).build(directory=str(target), versions=["standard"]))
    return zipfile.ZipFile(path)


def test_wheel_holds_the_schemas_and_the_typing_marker(wheel):
    names = set(wheel.namelist())
    for schema in (ROOT / "schemas").glob("*.json"):
        assert wheel.read(f"mltable_lite/schemas/{schema.name}") == schema.read_bytes()
    assert "mltable_lite/py.typed" in names


def test_wheel_holds_every_module_and_nothing_else(wheel):
    inside = {name for name in wheel.namelist() if name.endswith(".py")}
    assert inside == {path.relative_to(ROOT).as_posix() for path in (ROOT / "mltable_lite").rglob("*.py")}


def test_wheel_gives_the_command_and_the_licence(wheel):
    info = f"mltable_lite-{mltable_lite.__version__}.dist-info"
    assert b"mltable-lite = mltable_lite.cli:main" in wheel.read(f"{info}/entry_points.txt")
    assert b"Apache License" in wheel.read(f"{info}/licenses/LICENSE")
