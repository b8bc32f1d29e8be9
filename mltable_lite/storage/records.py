"""What the YAML files of datastores and data assets hold: one frozen dataclass each, from text and back.

A record is data and holds no secret: credentials stand in it as references.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import UnsupportedFeatureError
from mltable_lite.spec.read import Node, read
from mltable_lite.spec.validate import FileKind, check
from mltable_lite.spec.write import to_yaml
from mltable_lite.storage.uri import is_remote

if TYPE_CHECKING:
    from collections.abc import Mapping

GEN1_RETIRED = (
    "Azure Data Lake Storage Gen1 was retired in 2024 and cannot be read; copy the data to Gen2 and register that: "
    "register_azure_data_lake_gen2(datastore_name=..., filesystem=..., account_name=...)."
)
_COMMON = ("$schema", "name", "type", "description", "tags", "credentials")


@dataclass(frozen=True, slots=True)
class DatastoreRecord:
    """A named storage.

    Attributes:
        name: Its name.
        type: ``azure_blob``, ``local`` and so on.
        fields: What the type needs, such as the account's name.
        credentials: References to secrets, and the identity to use.
        description: For people.
        tags: For people and tools.
        file: The file that holds it.
    """

    name: str
    type: str
    fields: Mapping[str, str] = field(hash=False)
    credentials: Mapping[str, str] = field(default_factory=dict, hash=False)
    description: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict, hash=False)
    file: Path | None = field(default=None, compare=False)

    @property
    def folder(self) -> Path | None:
        """What relative paths in it are relative to: the folder that holds the registry."""
        return None if self.file is None else self.file.parent.parent.parent

    def text(self) -> str:
        """Return the record as YAML."""
        return to_yaml(
            _given(
                name=self.name,
                type=self.type,
                **self.fields,
                credentials=dict(self.credentials),
                description=self.description,
                tags=dict(self.tags),
            )
        )


@dataclass(frozen=True, slots=True)
class DataAsset:
    """A version of named data.

    Attributes:
        name: Its name.
        version: Its version.
        path: An address, or an absolute local path.
        type: ``uri_file``, ``uri_folder`` or ``mltable``.
        description: For people.
        tags: For people and tools.
        created: When it was registered: RFC 3339, UTC; empty where the file does not tell.
        fingerprint: What the data looked like then; empty where the file does not tell.
        file: The file that holds it.
    """

    name: str
    version: str
    path: str
    type: str = "uri_folder"
    description: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict, hash=False)
    created: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict, hash=False)
    file: Path | None = field(default=None, compare=False)

    @property
    def uri(self) -> str:
        """Its address, as `load` and the paths of tables take it."""
        return f"azureml:{self.name}:{self.version}"

    def text(self) -> str:
        """Return the record as YAML."""
        return to_yaml(
            _given(
                name=self.name,
                version=self.version,
                type=self.type,
                path=self.path,
                description=self.description,
                tags=dict(self.tags),
                created=self.created,
                fingerprint=dict(self.fingerprint),
            )
        )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", {})}


def _secret_hint(path: tuple[str | int, ...], _value: object, _takes: str) -> str:
    if path[:1] == ("credentials",) and path != ("credentials",):
        return " Write where the secret is: env:NAME, file:PATH or keyring:SERVICE/USER; a file never holds the secret."
    return ""


_DATASTORE = FileKind(
    "datastore", "a datastore", value_hint=_secret_hint, title="The file does not describe a datastore:"
)
_ASSET = FileKind("asset", "a data asset", title="The file does not describe a data asset:")


def datastore_record(text: str | bytes, source: str, file: Path | None = None) -> DatastoreRecord:
    """Return the datastore that a YAML text describes.

    Raises:
        SpecError: The text is no YAML or not a datastore; all that is wrong with line and column, no secret repeated.
        UnsupportedFeatureError: The type is one that no longer exists.
    """
    root = read(text, source)
    check(root, source, _DATASTORE)
    values = _texts(root)
    if values["type"] == "azure_data_lake_gen1":
        raise UnsupportedFeatureError(f"{source}: datastore {values['name']!r}: {GEN1_RETIRED}")
    return DatastoreRecord(
        name=values["name"],
        type=values["type"],
        fields={name: value for name, value in values.items() if name not in _COMMON},
        credentials=values.get("credentials", {}),
        description=values.get("description"),
        tags=values.get("tags", {}),
        file=file,
    )


def asset_record(text: str | bytes, source: str, file: Path | None = None) -> DataAsset:
    """Return the version of a data asset that a YAML text describes.

    Raises:
        SpecError: The text is no YAML or not a data asset; all that is wrong with line and column.
    """
    root = read(text, source)
    check(root, source, _ASSET)
    values = _texts(root)
    fingerprint = root.plain().get("fingerprint", {})
    values.pop("$schema", None)
    if file is not None:
        # Relative to the folder that holds the registry: .mltable/data/NAME/VERSION.yml is four levels below it.
        values["path"] = _absolute(values["path"], file.parents[3])
    return DataAsset(**{"version": "1", **values, "fingerprint": fingerprint, "file": file})


def _absolute(path: str, folder: Path) -> str:
    if is_remote(path) or path.lower().startswith("file:"):
        return path
    return os.path.normpath(folder / Path(path).expanduser())


def _texts(root: Node) -> dict[str, Any]:
    """Return a mapping with scalars as they are written: the version 1.10 is not 1.1."""
    assert isinstance(root.value, dict)
    return {
        name: _texts(node) if isinstance(node.value, dict) else node.spelling
        for name, node in root.value.items()
    }
