"""Azure's options: one set of credentials in the words of adlfs and in those of object_store (deltalake)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltable_lite.storage.uri import Location

_CREDENTIALS = ("account_key", "connection_string", "credential", "sas_token", "client_secret")
_ENVIRONMENT = (
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_STORAGE_CLIENT_SECRET",
)
_OBJECT_STORE = ("account_name", "account_key", "sas_token", "tenant_id", "client_id", "client_secret")


def adlfs_options(location: Location, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of adlfs: what the caller gave, over what the URI tells.

    `anon` is always explicit where we can know it, because adlfs changed its default in 2026.4: with a credential
    it is off, for a plain web address of a blob on. Else it is left to adlfs, which tries the identity of the caller.
    """
    told: dict[str, Any] = {**dict(location.options), **dict(location.secrets), **options}
    if "anon" not in options:
        if any(told.get(name) for name in _CREDENTIALS):
            told["anon"] = False
        elif "anon" in told and not any(os.environ.get(name) for name in _ENVIRONMENT):
            told["anon"] = True
        else:
            told.pop("anon", None)
    return told


def object_store_options(location: Location, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of object_store, all of them texts, from the same credentials as `adlfs_options`."""
    told = adlfs_options(location, options)
    result = {name: str(told[name]) for name in _OBJECT_STORE if told.get(name)}
    if told.get("connection_string"):
        parts = dict(part.split("=", 1) for part in str(told["connection_string"]).split(";") if "=" in part)
        named = {
            "account_name": parts.get("AccountName"),
            "account_key": parts.get("AccountKey"),
            "sas_token": parts.get("SharedAccessSignature"),
            "endpoint": parts.get("BlobEndpoint"),
        }
        result.update({name: value for name, value in named.items() if value})
        if result.get("endpoint", "").startswith("http:"):
            result["allow_http"] = "true"
    elif told.get("account_host"):
        result["endpoint"] = f"https://{told['account_host']}"
    if told.get("anon"):
        result["skip_signature"] = "true"
    return result
