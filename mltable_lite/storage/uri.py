"""Any path or URI -> `Location`: which filesystem, which path on it, and a text that is safe to show.

Pure: nothing here touches a disk or a network. Names are never percent-decoded, because a file may well be called
``a%20b``; the one exception are https addresses of Azure blobs, which are URLs and not names.
"""

# ruff: noqa: PTH100, PTH117, PTH118, PTH120 - places are texts here; Path would change them
from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

from mltable_lite.errors import ArgumentError, UnsupportedFeatureError, did_you_mean

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_COLON_FORM = re.compile(r"(azureml|dbfs|file):/*", re.IGNORECASE)
#: Microsoft's blob emulators: an address, or the emulators' own account, where a storage account would be a host name.
_EMULATOR = re.compile(r"(?:localhost|127\.[\d.]+|host\.docker\.internal|azurite)(?::\d+)?", re.IGNORECASE)
_EMULATED = "devstoreaccount1"
_QUERY = re.compile(r"\?(?=[\w.%-]+=)")
_SAS = re.compile(r"\?(?=(?:[^?]*&)?sig=)")
_AZURE_HOST = re.compile(r"[\w-]+\.(?:blob|dfs)\.[\w.-]+")
_WORKSPACE = (
    r"/*subscriptions/(?P<subscription>[^/]+)/resourcegroups/(?P<resource_group>[^/]+)"
    r"(?:/providers/Microsoft\.MachineLearningServices)?/workspaces/(?P<workspace>[^/]+)/"
)
_AZUREML = tuple(
    re.compile(form, re.DOTALL | re.IGNORECASE)
    for form in (
        rf"(?:{_WORKSPACE})?/*datastores?/(?P<datastore>[^/]+)(?:/paths(?=/|$))?(?P<key>/.*)?",
        (
            rf"(?:{_WORKSPACE}|/*registries/(?P<registry>[^/]+)/)?"
            r"data/(?P<asset>[^/]+)(?:/(?:versions|labels)/(?P<version>[^/]+))?(?P<key>/.*)?"
        ),
        # The short form of an asset has no slashes after the scheme.
        r"(?P<asset>[\w.-]+)(?:[:@](?P<version>[\w.-]+))?(?P<key>/.*)?",
    )
)


Site = tuple[str, tuple[tuple[str, str], ...], str]


@dataclass(frozen=True, slots=True)
class Location:
    """One place: a file, a folder or a pattern on some filesystem.

    Attributes:
        protocol: The filesystem's name: ``file``, ``abfs``, ``https``, ``s3``, ``gs``, ``memory``, ``dbfs``,
            ``azureml``, or any other that fsspec knows.
        key: The name below `root`; for local files the absolute path.
        root: What stands before the key in the URI that may be shown; empty for local files.
        bucket: What stands before the key in the path that the filesystem is asked for; a whole address where the
            filesystem takes addresses, as those of web servers do.
        options: Filesystem options that the URI itself tells, such as the account; never secret.
        secrets: Credentials that stood in the URI. Never shown and never pickled.
        lost_secrets: The secrets were dropped on the way into this process.
        percent: A local path from a ``file://`` URI that holds a ``%``: it may be meant decoded.
    """

    protocol: str
    key: str
    root: str = ""
    bucket: str = ""
    options: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    lost_secrets: bool = field(default=False, repr=False, compare=False)
    percent: bool = field(default=False, repr=False, compare=False)

    @property
    def is_local(self) -> bool:
        """Whether the place is on this machine's disks."""
        return self.protocol == "file"

    @property
    def uri(self) -> str:
        """The place as text without credentials: a path for local files, else a URI."""
        return self.uri_at(self.key)

    def uri_at(self, key: str) -> str:
        """Return the `uri` of the place with another key."""
        if self.protocol == "abfs" and self.root.startswith(("https:", "http:")):
            return self.root + quote(key)
        return self.root + key if key or self.root.endswith("//") else self.root.removesuffix("/")

    @property
    def display(self) -> str:
        """What a path column shows: the same text as `uri`."""
        return self.uri

    @property
    def path(self) -> str:
        """What the filesystem is asked for. May hold credentials; never for a text."""
        if "://" not in self.bucket:
            return self.bucket + self.key
        secrets = dict(self.secrets)
        userinfo, query = secrets.get("userinfo", ""), secrets.get("query", "")
        scheme, _, host = self.bucket.partition("://")
        return (
            f"{scheme}://{userinfo + '@' if userinfo else ''}{host}{self.key}{'?' + query if query else ''}"
        )

    @property
    def name(self) -> str:
        """The last segment of the key."""
        return self.key.rstrip("/").rpartition("/")[2]

    @property
    def site(self) -> Site:
        """The container, bucket or server of the place: what a credential in its address is good for."""
        return self.protocol, tuple(o for o in self.options if o[0] != "anon"), self.bucket

    @property
    def parent(self) -> Location:
        """The folder that holds the place; the root is its own parent."""
        if self.is_local:
            return self.at(os.path.dirname(self.key.rstrip("/")) or "/")
        return self.at(self.key.rstrip("/").rpartition("/")[0])

    def at(self, key: str) -> Location:
        """Return the place with another key on the same filesystem, under the same credentials."""
        # Called for every file of a listing: `dataclasses.replace` takes three times as long.
        return Location(
            self.protocol,
            key,
            self.root,
            self.bucket,
            self.options,
            self.secrets,
            self.lost_secrets,
            self.percent,
        )

    def join(self, relative: str) -> Location:
        """Return the place that `relative` names from this folder; ``.``, ``..`` and ``//`` are resolved."""
        if self.is_local:
            return self.at(os.path.normpath(os.path.join(self.key, relative)))
        segments: list[str] = []
        for segment in [*self.key.split("/"), *relative.split("/")]:
            if segment == "..":
                del segments[-1:]
            elif segment not in ("", "."):
                segments.append(segment)
        return self.at("/".join(segments))

    def delta_uri(self) -> str:
        """Return the place as deltalake takes it.

        Raises:
            UnsupportedFeatureError: deltalake would take the name for that of another folder, and read the log there.
        """
        other = unquote(self.key).replace("\\", os.sep)
        if other != self.key:
            raise UnsupportedFeatureError(
                f"{self.uri}: deltalake takes this name for {self.uri_at(other)!r}; rename the folder of the Delta table."
            )
        return f"az://{self.path}" if self.protocol == "abfs" else self.uri

    def decoded(self) -> Location | None:
        """Return the place that a ``file://`` URI names when its ``%20`` means a space, or `None`."""
        return replace(self, key=unquote(self.key), percent=False) if self.percent else None

    def __str__(self) -> str:
        return self.uri

    def __reduce__(self) -> tuple[Any, ...]:
        lost = bool(self.secrets) or self.lost_secrets
        return Location, (
            self.protocol, self.key, self.root, self.bucket, self.options, (), lost, self.percent,
        )  # fmt: skip


def parse_uri(text: str, base: str = "") -> Location:
    """Return the place that a path or URI names.

    Args:
        text: A local path, a URI, or a path relative to `base`.
        base: A local folder or a URI; empty for the working directory.

    Raises:
        ArgumentError: The URI is malformed, or its scheme is not known.
        UnsupportedFeatureError: The scheme belongs to a service that no longer exists.
    """
    if text.lower().startswith("azureml:") and _SCHEME.match(text, len("azureml:")):
        text = text[len("azureml:") :]
    match = _SCHEME.match(text) or _COLON_FORM.match(text)
    if match is None:
        return (
            _local(text, base) if not is_remote(base) or os.path.isabs(text) else parse_uri(base).join(text)
        )
    scheme, rest = match.group(1).lower(), text[match.end() :]
    if scheme == "file":
        return _file(text, rest)
    if scheme == "azureml":
        return _azureml(text)
    if scheme == "adl":
        raise UnsupportedFeatureError(
            f"{_without_query(text)}: Azure Data Lake Storage Gen1 (adl://) was retired in 2024 and cannot be read; "
            "give the address of the copy in Gen2: abfss://container@account.dfs.core.windows.net/path"
        )
    if scheme in ("http", "https"):
        return _http(scheme, rest)
    if scheme in ("az", "abfs", "abfss", "wasb", "wasbs"):
        return _azure(scheme, rest)
    if scheme in ("s3", "s3a", "gs", "gcs"):
        return _bucket(scheme, rest)
    if scheme in ("memory", "dbfs"):
        key = rest.strip("/")
        return Location(scheme, key, root=f"{scheme}:///" if scheme == "dbfs" else "memory://", bucket="/")
    if scheme == "amldatastore":  # as the first generation of Azure ML wrote it
        name, _, key = rest.partition("/")
        return _azureml(f"azureml://datastores/{name}/paths/{key}")
    if scheme == "local":
        return _file(text, rest)
    return _other(text, scheme, rest)


def is_remote(base: str) -> bool:
    """Tell whether a text is the address of something on another machine."""
    match = _SCHEME.match(base) or _COLON_FORM.match(base)
    return match is not None and match.group(1).lower() != "file"


def _local(text: str, base: str) -> Location:
    if _COLON_FORM.match(base) and not os.path.isabs(text):
        base = parse_uri(base).key
    return Location("file", os.path.abspath(os.path.join(base, text)))


def _file(text: str, rest: str) -> Location:
    if text[len("file:") :].startswith("//"):
        host, slash, path = rest.partition("/")
        if rest and not text[len("file:") :].startswith("///"):
            if host.lower() not in ("", "localhost"):
                raise ArgumentError(f"{text}: a file URI has three slashes before the path: file:///{rest}")
            rest = slash + path
    path = "/" + rest.lstrip("/")
    if re.match(r"/[A-Za-z]:[/\\]", path):
        path = path[1:]
    return Location("file", os.path.abspath(path), percent="%" in path)


def _http(scheme: str, rest: str) -> Location:
    plain, query = _split(rest, _QUERY)
    netloc, _, key = plain.partition("/")
    userinfo, _, host = netloc.rpartition("@")
    if not host:
        raise ArgumentError(f"{scheme}:// address without a host; accepted: {scheme}://host/path/file")
    if _AZURE_HOST.fullmatch(host):
        container, _, blob = key.partition("/")
        secrets = (("sas_token", query),) if query else ()
        # Whoever gives the web address of a blob without any credential means what a browser would see.
        options = (*_account(host), *((("anon", "true"),) if not query else ()))
        root = f"{scheme}://{host}/{container}/"
        return Location(
            "abfs", unquote(blob), root=root, bucket=container + "/", options=options, secrets=secrets
        )
    if _EMULATOR.fullmatch(host) and (_is_sas(query) or key.startswith(_EMULATED + "/")):
        account, _, inside = key.partition("/")
        container, _, blob = inside.partition("/")
        return Location(
            "abfs",
            unquote(blob),
            root=f"{scheme}://{host}/{account}/{container}/",
            bucket=container + "/",
            options=(
                ("account_name", account),
                ("endpoint", f"{scheme}://{host}/{account}"),
                *((("anon", "true"),) if not query else ()),
            ),
            secrets=(("sas_token", query),) if query else (),
        )
    given = tuple((name, value) for name, value in (("query", query), ("userinfo", userinfo)) if value)
    root = f"{scheme}://{host}/"
    return Location(scheme, key, root=root, bucket=root, secrets=given)


def _azure(scheme: str, rest: str) -> Location:
    plain, query = _split(rest, _SAS)
    netloc, _, key = plain.partition("/")
    container, at, host = netloc.partition("@")
    if not container or (at and not host):
        raise ArgumentError(
            f"{scheme}://{netloc}: the container is missing; accepted: {scheme}://container@account.dfs.core.windows.net"
            f"/path, or {scheme}://container/path with storage_options={{'account_name': ...}}"
        )
    return Location(
        "abfs",
        key.strip("/"),
        root=f"{scheme}://{netloc}/",
        bucket=container + "/",
        options=_account(host) if host else (),
        secrets=(("sas_token", query),) if query else (),
    )


def _is_sas(query: str) -> bool:
    return {"sv", "sig"} <= {part.partition("=")[0] for part in query.split("&")}


def _account(host: str) -> tuple[tuple[str, str], ...]:
    """Return the filesystem options that the host tells; data is read through the blob endpoint."""
    name, _, domain = host.lower().partition(".")
    blob_domain = re.sub(r"^dfs\.", "blob.", domain)
    if blob_domain in ("blob.core.windows.net", ""):
        return (("account_name", name),)
    return (("account_name", name), ("account_host", f"{name}.{blob_domain}"))


def _bucket(scheme: str, rest: str) -> Location:
    bucket, _, key = rest.partition("/")
    if "@" in bucket:
        raise ArgumentError(
            f"{scheme}://...@{bucket.rpartition('@')[2]}: credentials in the address are not accepted; give them in "
            "storage_options or in the environment."
        )
    if not bucket:
        raise ArgumentError(f"{scheme}://{rest}: the bucket is missing; accepted: {scheme}://bucket/path")
    protocol = "gs" if scheme in ("gs", "gcs") else "s3"
    return Location(protocol, key.rstrip("/"), root=f"{scheme}://{bucket}/", bucket=bucket + "/")


def _other(text: str, scheme: str, rest: str) -> Location:
    """Return a place on a filesystem that fsspec knows and this module does not: it takes the address as it is."""
    import fsspec

    known = {*fsspec.available_protocols(), *fsspec.registry}
    if scheme not in known or "::" in rest:
        raise ArgumentError(
            f"{_without_query(text)}: the scheme {scheme!r} is not known; accepted are local paths and file, https, "
            "http, abfss, abfs, az, wasbs, wasb, s3, gs, dbfs, memory, azureml, and what fsspec knows."
            f"{did_you_mean(scheme, [*known, 'abfss', 'wasbs', 'azureml'])}"
            if "::" not in rest
            else f"{_without_query(text)}: addresses in addresses ('::') are not accepted; give the file itself."
        )
    netloc, _, key = rest.partition("/")
    userinfo, _, host = netloc.rpartition("@")
    root = f"{scheme}://{host}/"
    return Location(
        scheme, key.rstrip("/"), root=root, bucket=root, secrets=(("userinfo", userinfo),) if userinfo else ()
    )


def _azureml(text: str) -> Location:
    for form in _AZUREML:
        match = form.fullmatch(text, len("azureml:"))
        if match is not None:
            parts = {name: value for name, value in match.groupdict().items() if value}
            key = parts.pop("key", "").strip("/")
            root = text[: match.end("datastore")] + "/paths/" if "datastore" in parts else text
            if "asset" in parts:
                root = text[: match.end("version" if "version" in parts else "asset")] + "/"
            return Location("azureml", key, root=root, options=tuple(parts.items()))
    raise ArgumentError(
        f"{text}: not an azureml address; accepted: azureml://datastores/NAME/paths/PATH, azureml:NAME:VERSION, or the "
        "long form azureml://subscriptions/.../resourcegroups/.../workspaces/.../datastores/NAME/paths/PATH"
    )


def _split(rest: str, query: re.Pattern[str]) -> tuple[str, str]:
    """Split the query off; a lone ``?`` is no query but a character of a pattern."""
    match = query.search(rest)
    return (rest, "") if match is None else (rest[: match.start()], rest[match.end() :])


def _without_query(text: str) -> str:
    """Return the URI without the parts that may hold credentials."""
    scheme, separator, rest = text.partition("://")
    netloc, slash, path = rest.partition("?")[0].partition("/")
    return scheme + separator + netloc.rpartition("@")[2] + slash + path
