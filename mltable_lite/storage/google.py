"""Google Cloud Storage: gcsfs, with the retries and the errors of this library."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


#: What gcsfs tells in its own words: not found, not as expected, upload cancelled.
_LEFT_TO_GCSFS = (404, 412, 499)


def google_filesystem(given: Mapping[str, Any]) -> Any:
    """Return gcsfs' filesystem: no retries of its own, and errors with the status and headers of the answer."""
    session = {**given.get("session_kwargs", {}), "raise_for_status": _refused}
    given = {**given, "session_kwargs": session}
    return _filesystem_class()(skip_instance_cache=True, use_listings_cache=False, **given)


async def _refused(response: Any) -> None:
    if response.status not in _LEFT_TO_GCSFS:
        response.raise_for_status()


@cache
def _filesystem_class() -> Any:
    # Not the class of the package's face: that one asks Google about the kind of every bucket, also an emulator's.
    from gcsfs.core import GCSFileSystem

    class _GoogleFileSystem(GCSFileSystem):  # type: ignore[misc]
        # The policy stands above all libraries.
        _request = GCSFileSystem._request.__wrapped__  # noqa: SLF001

    return _GoogleFileSystem
