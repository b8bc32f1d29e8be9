"""Traits and metadata of a table: the two things that can be set in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Self, TypeVar, overload

from mltable_lite.errors import ArgumentError, ArgumentTypeError
from mltable_lite.spec import model

_T = TypeVar("_T", "Traits", "Metadata")


class Settable(Generic[_T]):
    """An attribute of a table that holds `Traits` or `Metadata`, and takes a mapping for them as well."""

    def __init__(self, kind: type[_T]) -> None:
        self._kind: Any = kind

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, table: None, _: type) -> Self: ...
    @overload
    def __get__(self, table: object, _: type) -> _T: ...
    def __get__(self, table: object | None, _: type) -> _T | Self:
        if table is None:
            return self
        held: _T = table.__dict__[self._name]
        return held

    def __set__(self, table: object, value: _T | Mapping[str, Any]) -> None:
        table.__dict__[self._name] = value if isinstance(value, self._kind) else self._kind.of(value)


class Traits:
    """Columns with a meaning for tools: a timestamp column and index columns. They change no row and no dtype."""

    __slots__ = ("_extra", "_index_columns", "_timestamp_column")

    def __init__(self, spec: model.Traits | None = None) -> None:
        spec = spec or model.Traits()
        self._timestamp_column = spec.timestamp_column
        self._index_columns = list(spec.index_columns) if spec.index_columns is not None else None
        self._extra = dict(spec.extra)

    @staticmethod
    def of(values: object) -> Traits:
        """Return the traits that a mapping from their names says."""
        if not isinstance(values, Mapping) or not set(values) <= {"timestamp_column", "index_columns"}:
            raise ArgumentTypeError(
                f"traits: {values!r} is not accepted; give Traits, or a mapping with timestamp_column (a column's name) "
                "and index_columns (a list of names)."
            )
        traits = Traits()
        for name, value in values.items():
            setattr(traits, name, value)
        return traits

    @property
    def timestamp_column(self) -> str:
        """The name of the timestamp column; reading it before it is set is an error."""
        if self._timestamp_column is None:
            raise ArgumentError("traits.timestamp_column is not set. Set it to a column's name first.")
        return self._timestamp_column

    @timestamp_column.setter
    def timestamp_column(self, name: str) -> None:
        if not isinstance(name, str):
            raise ArgumentTypeError(
                f"traits.timestamp_column: {name!r} is not accepted; give a column's name."
            )
        self._timestamp_column = name

    @property
    def index_columns(self) -> list[str]:
        """The names of the index columns; reading them before they are set is an error. `None` clears them."""
        if self._index_columns is None:
            raise ArgumentError("traits.index_columns is not set. Set it to a list of columns first.")
        return self._index_columns

    @index_columns.setter
    def index_columns(self, names: list[str] | None) -> None:
        if names is not None and not (
            isinstance(names, list) and all(isinstance(name, str) for name in names)
        ):
            raise ArgumentTypeError(
                f"traits.index_columns: {names!r} is not accepted; give a list of column names."
            )
        self._index_columns = names

    def columns(self) -> list[str]:
        """Return every column that is named, index columns first."""
        timestamp = [self._timestamp_column] if self._timestamp_column is not None else []
        return [*(self._index_columns or []), *timestamp]

    def to_spec(self) -> model.Traits | None:
        """Return the frozen form, or `None` when nothing is set."""
        index = tuple(self._index_columns) if self._index_columns is not None else None
        if self._timestamp_column is None and index is None and not self._extra:
            return None
        return model.Traits(self._timestamp_column, index, dict(self._extra))

    def __repr__(self) -> str:
        return f"Traits(timestamp_column={self._timestamp_column!r}, index_columns={self._index_columns!r})"


class Metadata:
    """Free keys and values that travel with a table."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    @staticmethod
    def of(values: object) -> Metadata:
        """Return the metadata that a mapping holds."""
        if not isinstance(values, Mapping):
            raise ArgumentTypeError(f"metadata: {values!r} is not accepted; give Metadata, or a mapping.")
        return Metadata({_key(key): value for key, value in values.items()})

    def get(self, key: str) -> Any:
        """Return the value of a key, or `None`."""
        return self._values.get(_key(key))

    def has(self, key: str) -> bool:
        """Tell whether a key is there."""
        return _key(key) in self._values

    def add(self, key: str, value: Any) -> None:
        """Set a key, in place."""
        self._values[_key(key)] = value

    def to_spec(self) -> Mapping[str, Any] | None:
        """Return a copy of the mapping, or `None` when it is empty."""
        return dict(self._values) or None

    def __repr__(self) -> str:
        return f"Metadata({self._values!r})"


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ArgumentTypeError(f"metadata: the key {key!r} is not a text.")
    return key
