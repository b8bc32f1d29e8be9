"""Writing Azure's datastores down. Public in `mltable_lite.datastores`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from mltable_lite.errors import ArgumentError, UnsupportedFeatureError, listed
from mltable_lite.storage.filesystem import filesystem as filesystem_of
from mltable_lite.storage.filesystem import opened
from mltable_lite.storage.options import NO_OPTIONS
from mltable_lite.storage.records import GEN1_RETIRED, DatastoreRecord
from mltable_lite.storage.register import given, registered, tags_of
from mltable_lite.storage.uri import parse_uri

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltable_lite.storage.datastores import Datastore

_IDENTITIES = ("default", "managed", "cli", "interactive", "anonymous")


def register_azure_blob_container(
    datastore_name: str,
    container_name: str,
    account_name: str,
    account_key: str | None = None,
    sas_token: str | None = None,
    credential: Any = None,
    endpoint: str | None = None,
    protocol: str = "https",
    create_if_not_exists: bool = False,
    overwrite: bool = False,
    *,
    tenant_id: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register a container of Azure Blob Storage and return it.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        container_name: The container.
        account_name: The storage account.
        account_key: The account's key, or a reference to it.
        sas_token: A shared access signature, or a reference to it.
        credential: A credential object of azure-identity, kept in this process; or one of the words ``default``,
            ``managed``, ``cli``, ``interactive`` (opens a browser) and ``anonymous``. Without any credential the
            default identity asks, and nobody's where a public container refuses that.
        endpoint: The domain after ``account.blob.``, or the whole address of an emulator: ``http://127.0.0.1:10000``.
        protocol: ``https``, or ``wasbs`` for the same.
        create_if_not_exists: Make the container if it is not there.
        overwrite: Replace a datastore of that name; otherwise only the same one can be registered again.
        tenant_id: The tenant of an application.
        client_id: The application, or the managed identity to use.
        client_secret: The application's secret, or a reference to it.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    fields = {
        "account_name": account_name,
        "container_name": container_name,
        "endpoint": endpoint,
        "protocol": protocol if protocol != "https" else None,
    }
    store = registered(
        DatastoreRecord(
            datastore_name,
            "azure_blob",
            given(fields),
            {},
            description,
            tags_of("register_azure_blob_container", tags),
        ),
        _azure(credential, account_key, sas_token, tenant_id, client_id, client_secret),
        overwrite=overwrite,
    )
    return _with_container(store, container_name, create=create_if_not_exists)


def register_azure_data_lake_gen2(
    datastore_name: str,
    filesystem: str,
    account_name: str,
    tenant_id: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
    resource_url: str | None = None,
    authority_url: str | None = None,
    account_key: str | None = None,
    sas_token: str | None = None,
    credential: Any = None,
    endpoint: str | None = None,
    protocol: str = "https",
    create_if_not_exists: bool = False,
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register a filesystem of Azure Data Lake Storage Gen2 and return it.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        filesystem: The filesystem: what a container is called in Gen2.
        account_name: The storage account.
        tenant_id: The tenant of an application.
        client_id: The application, or the managed identity to use.
        client_secret: The application's secret, or a reference to it.
        resource_url: Kept in the file for other tools.
        authority_url: Where the application signs in, if not at login.microsoftonline.com.
        account_key: The account's key, or a reference to it.
        sas_token: A shared access signature, or a reference to it.
        credential: As in `register_azure_blob_container`.
        endpoint: The domain after ``account.dfs.``, or a whole address.
        protocol: ``https``, or ``abfss`` for the same.
        create_if_not_exists: Make the filesystem if it is not there.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    fields = {
        "account_name": account_name,
        "filesystem": filesystem,
        "endpoint": endpoint,
        "protocol": protocol if protocol != "https" else None,
    }
    more = {"resource_url": resource_url, "authority_url": authority_url}
    store = registered(
        DatastoreRecord(
            datastore_name,
            "azure_data_lake_gen2",
            given(fields),
            {},
            description,
            tags_of("register_azure_data_lake_gen2", tags),
        ),
        {**_azure(credential, account_key, sas_token, tenant_id, client_id, client_secret), **more},
        overwrite=overwrite,
    )
    return _with_container(store, filesystem, create=create_if_not_exists)


def register_azure_file_share(
    datastore_name: str,
    file_share_name: str,
    account_name: str,
    account_key: str | None = None,
    sas_token: str | None = None,
    endpoint: str | None = None,
    protocol: str = "https",
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register an Azure file share and return it. It is written down for other tools; here it cannot be read.

    Mount the share and use `register_local` for the mounted folder to read it.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    fields = {"account_name": account_name, "file_share_name": file_share_name, "endpoint": endpoint}
    fields["protocol"] = protocol if protocol != "https" else None
    record = DatastoreRecord(
        datastore_name,
        "azure_file",
        given(fields),
        {},
        description,
        tags_of("register_azure_file_share", tags),
    )
    return registered(record, {"account_key": account_key, "sas_token": sas_token}, overwrite=overwrite)


def register_azure_data_lake(datastore_name: str, *_: Any, **__: Any) -> NoReturn:
    """Refuse: Azure Data Lake Storage Gen1 was retired in 2024.

    Raises:
        UnsupportedFeatureError: Always.
    """
    raise UnsupportedFeatureError(f"register_azure_data_lake: {datastore_name!r}: {GEN1_RETIRED}")


# --------------------------------------------------------------------------- inside
def _azure(
    credential: Any,
    account_key: str | None,
    sas_token: str | None,
    tenant_id: str | None,
    client_id: str | None,
    client_secret: str | None,
) -> dict[str, Any]:
    word = credential if isinstance(credential, str) else None
    if word is not None and word not in _IDENTITIES:
        raise ArgumentError(
            f"credential: a text is one of {listed(_IDENTITIES)}; give keys as account_key, signatures as sas_token."
        )
    return {
        "account_key": account_key,
        "sas_token": sas_token,
        "tenant_id": tenant_id,
        "client_id": client_id,
        "client_secret": client_secret,
        "identity": word,
        "credential": None if word else credential,
    }


def _with_container(store: Datastore, container: str, *, create: bool) -> Datastore:
    if create:
        with opened(parse_uri(store.uri), NO_OPTIONS) as (place, own):
            fs = filesystem_of(place, own)
            if not fs.exists(container):
                fs.mkdir(container)
    return store
