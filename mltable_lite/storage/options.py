"""The options and credentials of a storage: an immutable mapping that never shows and never pickles a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_SECRET = re.compile(r"key|secret|token|passw|pwd|sas|credential|connection_string|auth", re.IGNORECASE)
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"<>]*")
_USERINFO = re.compile(r"(https?://)[^\s/@'\"]+@")


class StorageOptions(Mapping[str, Any]):
    """What ``storage_options`` holds, as fsspec takes it.

    Values under a name that sounds like a credential, and objects that are no plain values, are shown as ``***``
    and stay behind when the options are pickled; `dropped` then names them.
    """

    __slots__ = ("_values", "dropped")

    def __init__(self, values: Mapping[str, Any] | None = None, *, dropped: tuple[str, ...] = ()) -> None:
        self._values: dict[str, Any] = dict(values or {})
        self.dropped = dropped

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StorageOptions) and self._values == other._values

    def __hash__(self) -> int:
        return hash(_hashable(self._values))

    def __repr__(self) -> str:
        return f"StorageOptions({_redacted(self._values)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        public = _public(self._values)
        gone = tuple(name for name, value in self._values.items() if public.get(name, _ABSENT) != value)
        return _restore, (public, (*self.dropped, *gone))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secret texts, longest first, so that they can be taken out of other people's messages."""
        return tuple(sorted(_secret_texts(self._values), key=len, reverse=True))


NO_OPTIONS = StorageOptions()
_ABSENT = object()


def without_secrets(text: str, secrets: tuple[str, ...] = ()) -> str:
    """Return a text of another library without URI queries, user names in URIs and the given secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return _USERINFO.sub(r"\1", _QUERY.sub(r"\1", text))


def _restore(values: dict[str, Any], dropped: tuple[str, ...]) -> StorageOptions:
    return StorageOptions(values, dropped=dropped)


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
