"""Data assets: versions of named data. ``mltable_lite.load("azureml:NAME:VERSION")`` loads one, ``@latest`` the newest."""

from mltable_lite.storage.assets import changes, get, list, register, versions  # noqa: A004
from mltable_lite.storage.fingerprint import Changes
from mltable_lite.storage.records import DataAsset

__all__ = ["Changes", "DataAsset", "changes", "get", "list", "register", "versions"]
