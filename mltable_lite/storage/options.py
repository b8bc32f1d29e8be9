"""The options and credentials of a storage: an immutable mapping that never shows and never pickles a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mltable_lite.storage.retry import RetryPolicy

if TYPE_CHECKING:
    from mltable_lite.storage.uri import Location, Site

_Pairs = tuple[tuple[str, str], ...]

_SECRET = re.compile(r"key|secret|token|passw|pwd|sas|credential|connection_string|auth", re.IGNORECASE)
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"<>]*")
#: Before the ``@`` of a web address; in others a lone name there is a container, and ``name:word`` a password.
_USERINFO = re.compile(
    r"(https?://)[^\s/@'\"]+@|(\b[a-z][a-z0-9+.-]*://)[^\s/@:'\"]*:[^\s/@'\"]*@", re.IGNORECASE
)


class StorageOptions(Mapping[str, Any]):
    """What ``storage_options`` holds, as fsspec takes it.

    Values under a name that sounds like a credential, and objects that are no plain values, are shown as ``***``
    and stay behind when the options are pickled; `dropped` then names them. Credentials that stood in an address
    are kept beside the values, for the container or server of that address alone.
    """

    __slots__ = ("_of_addresses", "_values", "dropped")

    def __init__(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        dropped: tuple[str, ...] = (),
        of_addresses: Mapping[Site, _Pairs] | None = None,
    ) -> None:
        self._values: dict[str, Any] = dict(values or {})
        self._of_addresses: dict[Site, _Pairs] = dict(of_addresses or {})
        if "retry" in self._values:  # as plain values, so that they can be shown, compared and sent along
            self._values["retry"] = asdict(RetryPolicy.of(self._values))
        self.dropped = dropped

    def keeping_secrets_of(self, location: Location) -> StorageOptions:
        """Return options that also hold the credentials in an address, for all that lies beside it."""
        if not location.secrets:
            return self
        kept = {**self._of_addresses, location.site: location.secrets}
        return StorageOptions(self._values, dropped=self.dropped, of_addresses=kept)

    def sign(self, location: Location) -> Location:
        """Return a place with the credentials of an address beside it, if it has none of its own."""
        if not self._of_addresses or location.secrets:
            return location
        secrets = self._of_addresses.get(location.site)
        if secrets is None:
            return location
        return replace(location, secrets=secrets, lost_secrets=not secrets)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __bool__(self) -> bool:
        return bool(self._values or self._of_addresses or self.dropped)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, StorageOptions)
            and self._values == other._values
            and self._of_addresses == other._of_addresses
        )

    def __hash__(self) -> int:
        return hash((_hashable(self._values), _hashable(self._of_addresses)))

    def __repr__(self) -> str:
        return f"StorageOptions({_redacted(self._values)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        public = _public(self._values)
        gone = tuple(name for name, value in self._values.items() if public.get(name, _ABSENT) != value)
        return _restore, (public, (*self.dropped, *gone), dict.fromkeys(self._of_addresses, ()))

    def public(self) -> dict[str, Any]:
        """Return the options without the secrets."""
        return _public(self._values)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret texts, longest first, so that they can be taken out of other people's messages."""
        of_addresses = (value for pairs in self._of_addresses.values() for _, value in pairs)
        return tuple(sorted({*_secret_texts(self._values), *of_addresses}, key=len, reverse=True))


NO_OPTIONS = StorageOptions()
_ABSENT = object()


def without_secrets(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a text of another library without URI queries, user names in URIs and the given secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return _USERINFO.sub(r"\1\2", _QUERY.sub(r"\1", text))


def _restore(
    values: dict[str, Any], dropped: tuple[str, ...], of_addresses: dict[Site, _Pairs]
) -> StorageOptions:
    return StorageOptions(values, dropped=dropped, of_addresses=of_addresses)


def _is_secret(name: str, value: Any) -> bool:
    return not isinstance(value, bool | None) and (
        bool(_SECRET.search(str(name)))
        or not isinstance(value, str | int | float | list | tuple | dict)
        or (isinstance(value, str) and without_secrets(value) != value)
    )


def _redacted(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _redacted(value) if isinstance(value, dict) else "***" if _is_secret(name, value) else value
        for name, value in values.items()
    }


def _public(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _public(value) if isinstance(value, dict) else value
        for name, value in values.items()
        if not _is_secret(name, value)
    }


def _secret_texts(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _secret_texts(value)
        elif isinstance(value, str) and len(value) > 3 and _is_secret(name, value):  # noqa: PLR2004 - 'a' is no secret
            yield value


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), _hashable(inner)) for name, inner in value.items()))
    if isinstance(value, list | tuple):
        return tuple(_hashable(inner) for inner in value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value
