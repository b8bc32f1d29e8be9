"""Writing datastores down: the one way, and a function for each storage that is not Azure's.

A secret is kept in this process only, unless it is given as a reference: ``env:NAME``, ``file:PATH`` or
``keyring:SERVICE/USER``. References are written into the file. Public in `mltable_lite.datastores`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mltable_lite import arguments
from mltable_lite.errors import ArgumentError, SpecError, TargetExistsError
from mltable_lite.storage import registry
from mltable_lite.storage.credentials import is_reference
from mltable_lite.storage.datastores import Datastore
from mltable_lite.storage.filesystem import replacing
from mltable_lite.storage.records import DatastoreRecord, datastore_record
from mltable_lite.storage.resolve import forget
from mltable_lite.storage.uri import is_remote, parse_uri

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

#: What is written down as it is.
_NO_SECRETS = ("tenant_id", "client_id", "identity", "resource_url", "authority_url")


def registered(record: DatastoreRecord, credentials: Mapping[str, Any], *, overwrite: bool) -> Datastore:
    """Write a datastore down, keep its secrets in this process, and return it."""
    arguments.flag(f"datastore {record.name!r}", "overwrite", overwrite)
    told = {name: value for name, value in credentials.items() if value is not None}
    written = {name: value for name, value in told.items() if name in _NO_SECRETS or is_reference(value)}
    secrets = {name: value for name, value in told.items() if name not in written}
    record = DatastoreRecord(
        record.name, record.type, record.fields, written, record.description, record.tags
    )
    text = record.text()
    if secrets:
        text = (
            f"# Given in the process that registered it, and not kept: {', '.join(sorted(secrets))}.\n{text}"
        )
    try:
        datastore_record(text, "datastore")
    except SpecError as error:
        raise error.without_places("The datastore is not registered:") from None
    before = registry.datastore(record.name)
    if before is not None and before != record and not overwrite:
        raise TargetExistsError(
            f"datastore {record.name!r} is registered (AlreadyExists) in {before.file}, as another one; use another name, "
            "or overwrite=True."
        )
    file = registry.folder_for_new() / "datastores" / f"{record.name}.yml"
    if before is not None and before.file is not None:
        file = before.file
    with replacing(file) as target:
        target.write(text.encode())
    registry.keep_secrets(file, secrets)
    forget()
    return Datastore(record.name, record.type, record.description)


def given(fields: Mapping[str, str | None]) -> dict[str, str]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def tags_of(function: str, tags: object) -> dict[str, str]:
    """Return tags as a mapping of their own."""
    return arguments.mapping(function, "tags", tags, "{'city': 'Rome'}")


def register_local(
    datastore_name: str,
    root: str | os.PathLike[str],
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register a local folder and return it. A folder beside or below the registry is kept as a relative path.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        root: The folder; it is made when something is written into it.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.

    Example:
        >>> from mltable_lite import datastores
        >>> datastores.register_local(datastore_name="examples", root="docs/examples", overwrite=True)
        Datastore(name='examples', type='local')
    """
    place = parse_uri(arguments.place("register_local", "root", root))
    if not place.is_local:
        raise ArgumentError(f"register_local: {place.uri} is not a local folder; use register_fsspec.")
    folder = registry.folder_for_new().parent
    text = place.key
    if Path(text).is_relative_to(folder):
        text = "./" + Path(text).relative_to(folder).as_posix()
    record = DatastoreRecord(
        datastore_name, "local", {"root": text}, {}, description, tags_of("register_local", tags)
    )
    return registered(record, {}, overwrite=overwrite)


def register_s3(
    datastore_name: str,
    bucket: str,
    prefix: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    session_token: str | None = None,
    region: str | None = None,
    endpoint: str | None = None,
    anonymous: bool = False,
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register an S3 bucket, or a folder in it, and return it. Needs the package s3fs when it is used.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        bucket: The bucket.
        prefix: The folder in it; by default all of it.
        access_key_id: The key's name, or a reference to it; without it the environment's credentials are used.
        secret_access_key: The key, or a reference to it.
        session_token: For keys with an end, or a reference to it.
        region: The bucket's region.
        endpoint: The address of a service that is not Amazon's.
        anonymous: The bucket is public.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    fields = given({"bucket": bucket, "prefix": prefix, "region": region, "endpoint": endpoint})
    credentials = {
        "access_key_id": access_key_id,
        "secret_access_key": secret_access_key,
        "session_token": session_token,
        "identity": "anonymous" if anonymous else None,
    }
    record = DatastoreRecord(datastore_name, "s3", fields, {}, description, tags_of("register_s3", tags))
    return registered(record, credentials, overwrite=overwrite)


def register_gcs(
    datastore_name: str,
    bucket: str,
    prefix: str | None = None,
    token: Any = None,
    project: str | None = None,
    endpoint: str | None = None,
    anonymous: bool = False,
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register a bucket of Google Cloud Storage, or a folder in it. Needs the package gcsfs when it is used.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        bucket: The bucket.
        prefix: The folder in it; by default all of it.
        token: What gcsfs takes, kept in this process; or a reference to it.
        project: The project.
        endpoint: The address of an emulator.
        anonymous: The bucket is public.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    fields = given({"bucket": bucket, "prefix": prefix, "project": project, "endpoint": endpoint})
    credentials = {"token": token, "identity": "anonymous" if anonymous else None}
    record = DatastoreRecord(datastore_name, "gcs", fields, {}, description, tags_of("register_gcs", tags))
    return registered(record, credentials, overwrite=overwrite)


def register_dbfs(
    datastore_name: str,
    instance: str,
    token: str | None = None,
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Datastore:
    """Register the filesystem of a Databricks workspace and return it.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        instance: The host of the workspace, without ``https://``.
        token: A personal access token, or a reference to it.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    instance = arguments.text("register_dbfs", "instance", instance)
    fields = {"instance": instance.removeprefix("https://").rstrip("/")}
    record = DatastoreRecord(datastore_name, "dbfs", fields, {}, description, tags_of("register_dbfs", tags))
    return registered(record, {"token": token}, overwrite=overwrite)


def register_fsspec(
    datastore_name: str,
    root: str,
    overwrite: bool = False,
    *,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    **secrets: Any,
) -> Datastore:
    """Register a folder on any storage that fsspec knows and return it.

    Args:
        datastore_name: Its name: letters, digits, - and _.
        root: The folder's address, without credentials: ``sftp://host/data``.
        overwrite: Replace a datastore of that name.
        description: For people.
        tags: For people and tools.
        **secrets: Options of the filesystem, kept in this process; or references to them, which are written down.

    Raises:
        TargetExistsError: Another datastore has that name.
        SpecError: A value is not accepted.
    """
    if not is_remote(arguments.text("register_fsspec", "root", root)):
        raise ArgumentError(f"register_fsspec: {root!r} is a local path; use register_local.")
    place = parse_uri(root)
    if place.secrets:
        raise ArgumentError(
            f"register_fsspec: {place.uri}: a datastore's address holds no credential; give it as an option, for "
            "example password='env:SFTP_PASSWORD'."
        )
    record = DatastoreRecord(
        datastore_name, "fsspec", {"root": root}, {}, description, tags_of("register_fsspec", tags)
    )
    return registered(record, secrets, overwrite=overwrite)
