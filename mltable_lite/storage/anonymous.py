"""Azure without a given credential: the identity first, then nobody's, once for each container, and remembered.

A public container refuses an identity of a foreign tenant, and a machine may have no identity at all; both read a
public container all the same. A private container is never asked twice without a signature.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Self
from urllib.parse import urlsplit

from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport

#: Stands for a token where there is no identity; never sent.
_NOBODY = "nobody"
_ASK_AGAIN_SECONDS = 300
_DENIED = (401, 403)
#: What a private container answers to nobody, besides what it answers to somebody without the right.
_HIDDEN = (401, 403, 404, 409)
_MISSING_BLOB = "BlobNotFound"
#: Containers that were read without a signature, as host and container.
_PUBLIC: set[tuple[str, str]] = set()


def is_public(host: str, container: str) -> bool:
    """Tell whether a container was read without a signature in this process."""
    return (host.lower(), container) in _PUBLIC


class Identity:
    """A credential that has a token even where there is no identity: one that `OrAnonymous` takes away again."""

    def __init__(self, credential: Any) -> None:
        self._credential = credential
        self.missing = ""

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Return a token; for five minutes the one of nobody where there is no identity."""
        try:
            token: AccessToken = await asyncio.to_thread(self._credential.get_token, *scopes, **options)
        except ClientAuthenticationError as error:
            self.missing = str(error).strip().partition("\n")[0] or type(error).__name__
            return AccessToken(_NOBODY, int(time.time()) + _ASK_AGAIN_SECONDS)
        self.missing = ""
        return token

    async def close(self) -> None:
        """Do nothing: other filesystems use the same identity."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


class OrAnonymous(AioHttpTransport):  # type: ignore[misc]
    """Sends requests; one that is refused to the identity is sent once more without it."""

    def __init__(self, identity: Identity, account: str, **options: Any) -> None:
        super().__init__(**options)
        self._identity = identity
        self._account = account
        self._private: set[tuple[str, str]] = set()

    async def send(self, request: Any, **options: Any) -> Any:
        """Return the response, of the second attempt only if the container is public."""
        place = self._place(request.url)
        nobody = request.headers.get("Authorization") == f"Bearer {_NOBODY}"
        if nobody or place in _PUBLIC:
            del request.headers["Authorization"]
            response = await super().send(request, **options)
            if nobody and place not in _PUBLIC:
                await self._learn(place, response)
            return response
        response = await super().send(request, **options)
        if (
            response.status_code not in _DENIED
            or request.method not in ("GET", "HEAD")
            or place in self._private
        ):
            return response
        del request.headers["Authorization"]
        again = await super().send(request, **options)
        if again.status_code in _HIDDEN and again.headers.get("x-ms-error-code") != _MISSING_BLOB:
            self._private.add(place)
            again.internal_response.close()
            return response
        _PUBLIC.add(place)
        response.internal_response.close()
        return again

    async def _learn(self, place: tuple[str, str], response: Any) -> None:
        """Remember a public container; refuse for a private one, which to nobody looks like a missing one."""
        if response.status_code not in _HIDDEN or response.headers.get("x-ms-error-code") == _MISSING_BLOB:
            _PUBLIC.add(place)
            return
        response.internal_response.close()
        raise ClientAuthenticationError(
            f"there is no identity on this machine ({self._identity.missing}) and the container is not public"
        )

    def _place(self, url: str) -> tuple[str, str]:
        parts = urlsplit(url)
        segments = parts.path.lstrip("/").split("/")
        in_path = segments[0] == self._account and not (parts.hostname or "").startswith(self._account + ".")
        return parts.netloc.lower(), segments[1 if in_path and len(segments) > 1 else 0]
