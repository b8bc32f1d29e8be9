"""Azure: one set of credentials in the words of adlfs and in those of object_store (deltalake), and the filesystem."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import ArgumentError
from mltable_lite.storage.credentials import asynchronous, bearer_token, identity
from mltable_lite.storage.retry import RetryPolicy

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
    told = _told(location, options)
    told["credential"] = asynchronous(told.get("credential"))
    endpoint = told.pop("endpoint", None)
    if endpoint is None:
        return {name: value for name, value in told.items() if value is not None}
    if endpoint.startswith("https://"):
        told["account_host"] = endpoint.removeprefix("https://")
        return {name: value for name, value in told.items() if value is not None}
    # An address without https, as an emulator has one, is only taken in a connection string.
    parts = [f"AccountName={told['account_name']}", f"BlobEndpoint={endpoint}"]
    if told.get("account_key"):
        parts.append(f"AccountKey={told['account_key']}")
    elif told.get("sas_token"):
        parts.append(f"SharedAccessSignature={told['sas_token'].lstrip('?')}")
    kept = {name: value for name, value in told.items() if name not in (*_CREDENTIALS, "anon")}
    return {**kept, "connection_string": ";".join(parts)}


def object_store_options(location: Location, options: Mapping[str, Any]) -> dict[str, str]:
    """Return the options of object_store, all of them texts, from the same credentials as `adlfs_options`."""
    told = _told(location, options)
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
    elif told.get("endpoint"):
        result["endpoint"] = told["endpoint"]
    elif told.get("account_host"):
        result["endpoint"] = f"https://{told['account_host']}"
    if result.get("endpoint", "").startswith("http:"):
        result["allow_http"] = "true"
    if hasattr(told.get("credential"), "get_token"):
        result["bearer_token"] = bearer_token(told["credential"])
    elif location.bucket and not (
        any(told.get(name) for name in (*_CREDENTIALS, "anon")) or _in_environment()
    ):
        result.update(_identity_or_nobody(location, result))
    if told.get("anon"):
        result["skip_signature"] = "true"
    return result


def _identity_or_nobody(location: Location, known: Mapping[str, str]) -> dict[str, str]:
    """Return the token of the caller's identity, or nobody's signature for a container that turned out public."""
    from azure.core.exceptions import ClientAuthenticationError

    from mltable_lite.storage.anonymous import is_public

    host = known.get("endpoint", f"https://{known.get('account_name')}.blob.core.windows.net")
    if not host.startswith("https:") or is_public(host.removeprefix("https://"), location.bucket.rstrip("/")):
        return {"skip_signature": "true"}
    try:
        return {"bearer_token": bearer_token(identity("default"))}
    except ClientAuthenticationError:
        return {"skip_signature": "true"}


def _in_environment() -> bool:
    return any(os.environ.get(name) for name in _ENVIRONMENT)


def _told(location: Location, options: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {**dict(location.options), **dict(location.secrets), **options}
    if "anon" not in options:
        if any(told.get(name) for name in _CREDENTIALS):
            told["anon"] = False
        elif "anon" in told and not _in_environment():
            told["anon"] = True
        else:
            told.pop("anon", None)
    return told


# --------------------------------------------------------------------------- the filesystem
def azure_filesystem(location: Location, options: Mapping[str, Any]) -> Any:
    """Return adlfs' filesystem for a place: no retries of its own, a timeout for every call, `anon` as it should be.

    Without any credential the identity of the caller asks, and nobody's where that is refused.
    """
    given = {
        name: value
        for name, value in adlfs_options(location, options).items()
        if name not in ("retry", "ml_client", "override_credentials")
    }
    seconds = RetryPolicy.of(options).attempt_seconds
    return _filesystem_class()(seconds, given, skip_instance_cache=True, use_listings_cache=False)


@cache
def _filesystem_class() -> Any:
    from adlfs import AzureBlobFileSystem
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

    from mltable_lite.storage.anonymous import Identity, OrAnonymous

    class _AzureBlobFileSystem(AzureBlobFileSystem):  # type: ignore[misc]
        def __init__(self, seconds: float, given: dict[str, Any], **more: Any) -> None:
            self._given = given
            self._client_options: dict[str, Any] = {
                # The policy stands above all libraries.
                "retry_policy": ExponentialRetry(retry_total=0),
                "connection_timeout": seconds,
                "read_timeout": seconds,
            }
            # Here `anon` only keeps adlfs from making identities of its own: `do_connect` knows who asks.
            super().__init__(**{**given, "anon": True}, **more)

        def do_connect(self) -> None:
            given, options = self._given, self._client_options
            own = any(given.get(name) for name in _CREDENTIALS)
            text = given.get("connection_string") or (
                "" if own else self._for_this_account(self.connection_string)
            )
            if text:
                self.service_client = BlobServiceClient.from_connection_string(text, **options)
                return
            if not self.account_name:
                raise ArgumentError(
                    "the storage account is not known; write it in the address "
                    "(abfss://container@account.dfs.core.windows.net/path) or give storage_options={'account_name': ...}."
                )
            self.account_url = (
                f"https://{given.get('account_host') or self.account_name + '.blob.core.windows.net'}"
            )
            credential, sas = self._credential_of(own=own)
            if credential is None and not sas and not given.get("anon"):
                credential = Identity(identity("default"))
                options = {**options, "transport": OrAnonymous(credential, self.account_name, **options)}
            query = f"?{sas.lstrip('?')}" if sas else ""
            self.service_client = BlobServiceClient(
                self.account_url + query, credential=credential, **options
            )

        async def _info(self, path: str, refresh: bool = False, **kwargs: Any) -> dict[str, Any]:
            container, key, _ = self.split_path(path)
            if key or not container:
                told: dict[str, Any] = await super()._info(path, refresh=refresh, **kwargs)
                return told
            # A signature for a container may list it, but not ask for its properties.
            try:
                async with self.service_client.get_container_client(container) as client:
                    async for _page in client.list_blobs(results_per_page=1).by_page():
                        break
            except ResourceNotFoundError:
                raise FileNotFoundError(container) from None
            return {"name": container, "size": None, "type": "directory"}

        def _for_this_account(self, text: str | None) -> str | None:
            """Return the connection string of the environment, unless it is for another account."""
            account = self._given.get("account_name")
            return text if text and (not account or f"AccountName={account};" in text + ";") else None

        def _credential_of(self, *, own: bool) -> tuple[Any, str | None]:
            """Return a credential or a SAS: what was given, else what the environment holds."""
            given = self._given
            if own:
                return given.get("credential") or self._key(given) or self.credential, given.get("sas_token")
            other_account = (
                os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", self.account_name) != self.account_name
            )
            if given.get("anon") or other_account:
                return None, None
            return self.credential or self._key(vars(self)), self.sas_token

        def _key(self, told: Mapping[str, Any]) -> dict[str, str] | None:
            key = told.get("account_key")
            return {"account_name": self.account_name, "account_key": key} if key else None

    return _AzureBlobFileSystem
