"""Datastores and data assets of an Azure ML workspace, asked through azure-ai-ml: the one place that knows it.

Needed only for names that are not registered here. The client is the one that the caller gave, or is made for the
workspace that the address, the job's ``AZUREML_ARM_*`` variables or a ``config.json`` name.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mltable_lite.errors import (
    AccessDeniedError,
    ArgumentError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFeatureError,
)
from mltable_lite.storage import credentials
from mltable_lite.storage.failures import raise_alone
from mltable_lite.storage.options import without_secrets
from mltable_lite.storage.records import DatastoreRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES = {
    "subscription": "AZUREML_ARM_SUBSCRIPTION",
    "resource_group": "AZUREML_ARM_RESOURCEGROUP",
    "workspace": "AZUREML_ARM_WORKSPACE_NAME",
}
_NOT_FOUND = 404
_CONFIG = {
    "subscription": "subscription_id",
    "resource_group": "resource_group",
    "workspace": "workspace_name",
}
_TYPES = {
    "azureblob": "azure_blob",
    "azuredatalakegen2": "azure_data_lake_gen2",
    "azurefile": "azure_file",
    "azuredatalakegen1": "azure_data_lake_gen1",
}
_FIELDS = ("account_name", "container_name", "filesystem", "file_share_name", "endpoint", "protocol")
_SECRETS = ("account_key", "sas_token", "tenant_id", "client_id", "client_secret", "authority_url")


class Workspace(NamedTuple):
    """A client of a workspace or registry, and how texts call it."""

    client: Any
    name: str


def workspace(parts: Mapping[str, str], ml_client: Any, credential: Any) -> Workspace | None:
    """Return the workspace that an address belongs to; `None` where nothing names one.

    Args:
        parts: What the address tells: subscription, resource_group, workspace, or registry.
        ml_client: The caller's client, or `None`.
        credential: The caller's credential for a new client, or `None` for the default chain.

    Raises:
        ArgumentError: The client is one of another workspace.
        UnsupportedFeatureError: The package azure-ai-ml is not installed.
    """
    registry = parts.get("registry")
    if ml_client is not None:
        own, asked = getattr(ml_client, "workspace_name", None), parts.get("workspace")
        if asked and own and asked.lower() != own.lower():
            raise ArgumentError(
                f"the address names the workspace {asked!r} and ml_client is a client of {own!r}; give a client of the "
                "workspace in the address."
            )
        return Workspace(ml_client, f"registry {registry!r}" if registry else f"workspace {own or asked!r}")
    if registry:
        return Workspace(
            _client(os.getpid(), credential, (("registry_name", registry),)), f"registry {registry!r}"
        )
    told = parts if "workspace" in parts else _of_job() or _of_config()
    if told is None:
        return None
    names = {
        "subscription_id": told["subscription"],
        "resource_group_name": told["resource_group"],
        "workspace_name": told["workspace"],
    }
    return Workspace(
        _client(os.getpid(), credential, tuple(names.items())), f"workspace {told['workspace']!r}"
    )


def _of_job() -> dict[str, str] | None:
    told = {part: os.environ.get(variable, "") for part, variable in _VARIABLES.items()}
    return told if all(told.values()) else None


def _of_config() -> dict[str, str] | None:
    here = Path.cwd()
    for folder in (here, *here.parents):
        for file in (folder / "config.json", folder / ".azureml" / "config.json"):
            try:
                config = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):
                continue
            if isinstance(config, dict) and all(isinstance(config.get(key), str) for key in _CONFIG.values()):
                return {part: config[key] for part, key in _CONFIG.items()}
    return None


@cache
def _client(_process: int, credential: Any, names: tuple[tuple[str, str], ...]) -> Any:
    try:
        from azure.ai.ml import MLClient
    except ImportError:
        raise UnsupportedFeatureError(
            "a name that is not registered here is looked up in its Azure ML workspace, which needs the package "
            "azure-ai-ml; install it with: pip install mltable-lite[azureml]"
        ) from None
    return MLClient(credential if credential is not None else credentials.identity("default"), **dict(names))


# --------------------------------------------------------------------------- asking
def datastore(where: Workspace, name: str) -> tuple[DatastoreRecord, dict[str, Any]]:
    """Return a datastore of a workspace and its secrets; for one without secrets the identity that asked.

    Raises:
        SourceNotFoundError: The workspace has no such datastore.
        AccessDeniedError: The identity may not ask.
        UnsupportedFeatureError: The datastore is of a type that nothing here can read.
    """
    found = _asked(
        where, f"datastore {name!r}", lambda client: client.datastores.get(name, include_secrets=True)
    )
    kind = str(getattr(found, "type", "")).rpartition(".")[2].replace("_", "").lower()
    if kind not in _TYPES:
        raise UnsupportedFeatureError(
            f"datastore {name!r} of the {where.name} has the type {kind or 'unknown'!r}, which is not known here."
        )
    told = getattr(found, "credentials", None)
    secrets = {key: value for key in _SECRETS if (value := getattr(told, key, None))}
    if not secrets and (own := getattr(where.client, "_credential", None)) is not None:
        secrets["credential"] = own
    fields = {key: str(value) for key in _FIELDS if (value := getattr(found, key, None))}
    return DatastoreRecord(name, _TYPES[kind], fields), secrets


def asset_path(where: Workspace, name: str, version: str | None) -> str:
    """Return the path of a version of a data asset; of the latest one without a version.

    Raises:
        SourceNotFoundError: There is no such version.
        AccessDeniedError: The identity may not ask.
    """
    which = {"label": "latest"} if version in (None, "latest") else {"version": version}
    found = _asked(
        where, f"data asset {name!r} ({which})", lambda client: client.data.get(name=name, **which)
    )
    return str(found.path)


def _asked(where: Workspace, what: str, ask: Any) -> Any:
    try:
        return ask(where.client)
    except Exception as error:  # noqa: BLE001 - the SDK raises of many trees
        status = getattr(error, "status_code", None)
        name = type(error).__name__
        if (
            status == _NOT_FOUND
            or name == "ResourceNotFoundError"
            or "does not exist in workspace" in str(error)
        ):
            raise_alone(
                SourceNotFoundError(f"The requested stream was not found: the {where.name} has no {what}.")
            )
        lines = without_secrets(str(error)).strip().splitlines()
        reason = f"{name}: {lines[0]}" if lines else name
        if status in (401, 403) or name in ("ClientAuthenticationError", "CredentialUnavailableError"):
            raise_alone(
                AccessDeniedError(
                    f"the {where.name} does not tell its {what} to this identity ({reason}). Sign in with 'az login', or give "
                    "ml_client or storage_options={'credential': ...}; the identity needs the role AzureML Data Scientist."
                )
            )
        raise_alone(StorageError(f"the {where.name} could not be asked for its {what}: {reason}"))
