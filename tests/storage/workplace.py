"""A working directory with a registry of its own, cut off from the machine's."""

from __future__ import annotations

import os

import pytest

from mltable_lite.storage import registry
from mltable_lite.storage.resolve import forget


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """The working directory, with an empty `.mltable` in it; nothing of Azure in the environment."""
    for name in list(os.environ):
        if name.startswith(("AZURE_", "AZUREML_", "MLTABLE_LITE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / "work"
    (folder / ".mltable").mkdir(parents=True)
    monkeypatch.chdir(folder)
    forget()
    yield folder
    forget()
    registry._SECRETS.clear()
