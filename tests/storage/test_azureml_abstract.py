"""fsspec's own test-suite over the azureml filesystem, on datastores of three kinds."""

from __future__ import annotations

import posixpath
import uuid

import pytest
from fsspec.implementations.local import LocalFileSystem, make_path_posix
from fsspec.tests.abstract import (
    AbstractCopyTests,
    AbstractFixtures,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
)
from storage.servers import ACCOUNT, KEY, endpoint_of

from mltable_lite import datastores

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


class Fixtures(AbstractFixtures):
    @pytest.fixture
    def fs_join(self):
        return posixpath.join

    @pytest.fixture
    def fs_path(self):
        return f"d-{uuid.uuid4().hex[:8]}"

    @pytest.fixture
    def local_fs(self):
        return LocalFileSystem(auto_mkdir=True)

    @pytest.fixture
    def local_join(self):
        return posixpath.join

    @pytest.fixture
    def local_path(self, tmp_path):
        (tmp_path / "local").mkdir()
        return make_path_posix(str(tmp_path / "local"))

    @pytest.fixture(autouse=True)
    def registry(self, tmp_path, monkeypatch):
        (tmp_path / ".mltable").mkdir()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


class Local(Fixtures):
    @pytest.fixture
    def fs(self, tmp_path, registry):
        return datastores.register_local(datastore_name="store", root=tmp_path / "root").filesystem()


class Memory(Fixtures):
    @pytest.fixture
    def fs(self, memory, registry):
        return datastores.register_fsspec(datastore_name="store", root="memory://root").filesystem()


class Azure(Fixtures):
    @pytest.fixture
    def supports_empty_directories(self):
        return False

    @pytest.fixture
    def fs(self, azurite, registry):
        return datastores.register_azure_blob_container(
            datastore_name="store",
            container_name="abstract",
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=endpoint_of(azurite),
            create_if_not_exists=True,
        ).filesystem()


STORES = {"Local": Local, "Memory": Memory, "Azure": Azure}
SUITES = [
    AbstractCopyTests,
    AbstractGetTests,
    AbstractOpenTests,
    AbstractPipeTests,
    AbstractPutTests,
]

for _store, _fixtures in STORES.items():
    for _suite in SUITES:
        _name = f"Test{_store}{_suite.__name__.removeprefix('Abstract')}"
        globals()[_name] = type(_name, (_fixtures, _suite), {"__module__": __name__})
