"""Databricks' filesystem: fsspec's, with the retries of this library, a timeout, and files that appear whole."""

from __future__ import annotations

import contextlib
import posixpath
import secrets
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mltable_lite.storage.uri import Location


def databricks_filesystem(location: Location, given: Mapping[str, Any], seconds: float) -> Any:
    """Return fsspec's filesystem for a workspace; each of its calls takes at most so many seconds.

    Raises:
        ArgumentError: It is not known which workspace, or by which token.
    """
    missing = next((name for name in ("instance", "token") if not given.get(name)), None)
    if missing is not None:
        raise ArgumentError(
            f"{location.uri}: the {missing} of the Databricks workspace is not known; register it with "
            "mltable_lite.datastores.register_dbfs(datastore_name, instance, token), or give "
            "storage_options={'instance': 'adb-....azuredatabricks.net', 'token': ...}."
        )
    return _filesystem_class()(seconds, skip_instance_cache=True, use_listings_cache=False, **given)


@cache
def _filesystem_class() -> Any:
    from fsspec.implementations.dbfs import DatabricksFileSystem
    from requests.adapters import HTTPAdapter

    class _DatabricksFileSystem(DatabricksFileSystem):  # type: ignore[misc]
        def __init__(self, seconds: float, **given: Any) -> None:
            super().__init__(**given)
            # The policy stands above all libraries.
            self.session.mount("https://", HTTPAdapter(max_retries=0))
            self.session.request = partial(self.session.request, timeout=seconds)

        def rm_file(self, path: str) -> None:
            self.rm(path)

        def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
            with self._whole(path) as beside:
                super().pipe_file(beside, value, **kwargs)

        def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
            with self._whole(rpath) as beside:
                super().put_file(lpath, beside, **kwargs)

        @contextlib.contextmanager
        def _whole(self, path: str) -> Iterator[str]:
            """Give a name beside the file's, which becomes the file's: the service shows a file that is being written."""
            folder, name = posixpath.split(path)
            beside = f"{folder}/.{name}.{secrets.token_hex(6)}.tmp"
            try:
                yield beside
                if self.exists(path):  # the service moves to a free name only
                    self.rm(path)
                self.mv(beside, path)
            except BaseException:
                with contextlib.suppress(Exception):
                    self.rm(beside)
                raise

    return _DatabricksFileSystem
