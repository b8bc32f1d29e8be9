"""A datastore's record -> the place of its root and the options that open it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mltable_lite.errors import UnsupportedFeatureError
from mltable_lite.storage import credentials, registry
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mltable_lite.storage.records import DatastoreRecord

_PUBLIC_CLOUD = "core.windows.net"
#: The credentials that are texts of their own; all others are references to secrets.
_PLAIN = ("tenant_id", "client_id", "resource_url", "authority_url", "identity")


def root_of(
    record: DatastoreRecord, secrets: Mapping[str, Any] | None = None
) -> tuple[Location, StorageOptions]:
    """Return the root of a datastore and the options that open it, its secrets among them.

    Args:
        record: The datastore.
        secrets: Its secrets; by default those that its references lead to and those of this process.

    Raises:
        AccessDeniedError: A secret is not where its reference says.
        UnsupportedFeatureError: Nothing here can read this type.
    """
    place, options = _TYPES[record.type](record)
    known = {
        name: value for name, value in {**options, **_opened(record, secrets)}.items() if value is not None
    }
    return place, StorageOptions(known)


def _opened(record: DatastoreRecord, secrets: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the credentials as options of the filesystem, references followed."""
    where = f"datastore {record.name!r}, credentials."
    given = {
        name: value if name in _PLAIN else credentials.secret(value, where + name, record.folder)
        for name, value in record.credentials.items()
    }
    given.update(registry.secrets_of(record) if secrets is None else secrets)
    return _CREDENTIALS.get(record.type, dict)(given)


# --------------------------------------------------------------------------- places
def _azure(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    fields = record.fields
    account = fields["account_name"]
    container = fields.get("container_name") or fields["filesystem"]
    endpoint = fields.get("endpoint", _PUBLIC_CLOUD)
    protocol = fields.get("protocol", "https")
    if "://" not in endpoint and protocol == "http":
        endpoint = f"http://{account}.blob.{endpoint}"
    if "://" in endpoint:
        return emulated(endpoint, account, container), {}
    service, scheme = ("blob", "wasbs") if record.type == "azure_blob" else ("dfs", "abfss")
    return parse_uri(f"{scheme}://{container}@{account}.{service}.{endpoint}/"), {}


def emulated(endpoint: str, account: str, container: str) -> Location:
    """Return a container of a blob service at any address; a bare host and port takes the account in the path."""
    address = endpoint.rstrip("/")
    host = urlsplit(address).hostname or ""
    if not host.startswith(account + ".") and not address.endswith("/" + account):
        address = f"{address}/{account}"
    options = (("account_name", account), ("endpoint", address))
    return Location("abfs", "", root=f"{address}/{container}/", bucket=container + "/", options=options)


def _local(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    root = os.path.expanduser(record.fields["root"])  # noqa: PTH111 - it may be an address
    return parse_uri(root, "" if record.folder is None else str(record.folder)), {}


def _s3(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    region = record.fields.get("region")
    return _bucket("s3", record), {
        "endpoint_url": record.fields.get("endpoint"),
        "client_kwargs": {"region_name": region} if region else None,
    }


def _gcs(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    fields = record.fields
    return _bucket("gs", record), {"endpoint_url": fields.get("endpoint"), "project": fields.get("project")}


def _bucket(scheme: str, record: DatastoreRecord) -> Location:
    return parse_uri(f"{scheme}://{record.fields['bucket']}/{record.fields.get('prefix', '').strip('/')}")


def _dbfs(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    return parse_uri("dbfs:/"), {"instance": record.fields["instance"]}


def _file_share(record: DatastoreRecord) -> tuple[Location, dict[str, Any]]:
    fields = record.fields
    host = f"{fields['account_name']}.file.{fields.get('endpoint', _PUBLIC_CLOUD)}"
    raise UnsupportedFeatureError(
        f"datastore {record.name!r} is an Azure file share, which is not read here. Mount the share and register the "
        "mounted folder with mltable_lite.datastores.register_local, or copy the data to a blob container: azcopy copy "
        f"'https://{host}/{fields['file_share_name']}?SAS' 'https://ACCOUNT.blob.{_PUBLIC_CLOUD}/CONTAINER?SAS' --recursive."
    )


_TYPES: dict[str, Callable[[DatastoreRecord], tuple[Location, dict[str, Any]]]] = {
    "azure_blob": _azure,
    "azure_data_lake_gen2": _azure,
    "azure_file": _file_share,
    "local": _local,
    "s3": _s3,
    "gcs": _gcs,
    "dbfs": _dbfs,
    "fsspec": _local,
}


# --------------------------------------------------------------------------- credentials
def _azure_credentials(given: dict[str, Any]) -> dict[str, Any]:
    kind = given.pop("identity", None)
    if given.get("credential") is not None:
        return {"credential": given["credential"]}
    if given.get("account_key") or given.get("sas_token"):
        token = given.get("sas_token")
        return {"account_key": given.get("account_key"), "sas_token": token.lstrip("?") if token else None}
    if given.get("client_secret"):
        tenant, client, word = (str(given[name]) for name in ("tenant_id", "client_id", "client_secret"))
        return {"credential": credentials.service_principal(tenant, client, word, given.get("authority_url"))}
    if kind == "anonymous":
        return {"anon": True}
    if kind is not None:
        return {"credential": credentials.identity(kind, given.get("client_id"), given.get("tenant_id"))}
    return {}


def _s3_credentials(given: dict[str, Any]) -> dict[str, Any]:
    anonymous = True if given.get("identity") == "anonymous" else None
    names = {"key": "access_key_id", "secret": "secret_access_key", "token": "session_token"}
    return {"anon": anonymous, **{option: given.get(name) for option, name in names.items()}}


def _gcs_credentials(given: dict[str, Any]) -> dict[str, Any]:
    return {"token": "anon" if given.get("identity") == "anonymous" else given.get("token")}


_CREDENTIALS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "azure_blob": _azure_credentials,
    "azure_data_lake_gen2": _azure_credentials,
    "s3": _s3_credentials,
    "gcs": _gcs_credentials,
}
