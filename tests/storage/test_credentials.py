"""Credentials are used as they were given; without any, the identity asks first and then nobody; no secret is shown."""

from __future__ import annotations

import asyncio
import base64
import copy
import datetime as dt
import http.server
import json
import logging
import pickle
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from types import SimpleNamespace

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.core.pipeline.transport import HttpRequest
from azure.storage.blob import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from storage.servers import ACCOUNT, KEY, azurite_process

import mltable_lite
from mltable_lite import assets, datastores
from mltable_lite.errors import AccessDeniedError, MLTableError
from mltable_lite.storage import anonymous, credentials
from mltable_lite.storage.anonymous import Identity, OrAnonymous
from mltable_lite.storage.azure import adlfs_options, object_store_options
from mltable_lite.storage.azureml import AzureMachineLearningFileSystem
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.uri import parse_uri

pytestmark = pytest.mark.usefixtures("workplace")


class Token:
    """A credential of azure-identity that is not asynchronous, or one that has no identity."""

    def __init__(self, token="secret-token", error=None):
        self.token, self.error, self.scopes = token, error, []

    def get_token(self, *scopes, **options):
        self.scopes.append(scopes)
        if self.error:
            raise self.error
        return AccessToken(self.token, int(time.time()) + 3600)


# --------------------------------------------------------------------------- references
def test_a_reference_is_told_from_a_secret():
    assert [credentials.is_reference(t) for t in ("env:A", "file:/x", "keyring:s/u")] == [True] * 3
    assert [credentials.is_reference(t) for t in ("?sv=1&sig=x", "a2V5==", "env:", "", None, 3)] == [
        False
    ] * 6


def test_references_lead_to_the_environment_to_files_and_to_the_keyring(tmp_path, monkeypatch):
    monkeypatch.setenv("A", "one")
    (tmp_path / "f").write_text("two\n")
    ring = SimpleNamespace(
        get_password=lambda service, user: {"s/t": {"u": "three"}}.get(service, {}).get(user)
    )
    monkeypatch.setitem(sys.modules, "keyring", ring)
    assert credentials.secret("env:A", "here") == "one"
    assert (
        credentials.secret("file:f", "here", tmp_path)
        == credentials.secret(f"file:{tmp_path}/f", "here")
        == "two"
    )
    assert credentials.secret("keyring:s/t/u", "here") == "three"
    with pytest.raises(AccessDeniedError, match="here: the keyring has no password of 'v' for 's/t'"):
        credentials.secret("keyring:s/t/v", "here")
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(MLTableError, match="pip install keyring"):
        credentials.secret("keyring:s/u", "here")


# --------------------------------------------------------------------------- one credential, many libraries
def test_a_credential_is_used_by_adlfs_and_by_object_store():
    own, place = Token(), parse_uri("abfss://c@acc.dfs.core.windows.net/t")
    given = adlfs_options(place, {"credential": own})
    assert given["anon"] is False
    assert asyncio.run(given["credential"].get_token("scope")).token == "secret-token"
    assert own.scopes == [("scope",)]
    assert object_store_options(place, {"credential": own})["bearer_token"] == "secret-token"
    assert own.scopes[-1] == ("https://storage.azure.com/.default",)


def test_an_asynchronous_credential_is_left_as_it_is():
    class Own:
        async def get_token(self, *scopes, **options):
            return AccessToken("async-token", 0)

    own = Own()
    assert credentials.asynchronous(own) is own
    assert credentials.asynchronous("text") == "text"
    assert credentials.bearer_token(own) == "async-token"


def test_the_same_credential_gives_the_same_filesystem(workplace):
    own = Token()
    first, second = (credentials.asynchronous(own) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)
    assert first != credentials.asynchronous(Token())


# --------------------------------------------------------------------------- identity first, then nobody
class _Blobs(http.server.BaseHTTPRequestHandler):
    """A blob service with a public and a private container; a token is good for `mine` only."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        token = self.headers.get("Authorization")
        self.server.seen.append((self.path, token))
        container = self.path.split("/")[1]
        code, status = "", 200
        if container == "mine" and token != "Bearer good":
            status, code = (403, "AuthorizationPermissionMismatch") if token else (404, "ResourceNotFound")
        elif container == "public" and token:
            status, code = 401, "InvalidAuthenticationInfo"
        elif self.path.endswith("missing"):
            status, code = 404, "BlobNotFound"
        self.send_response(status)
        self.send_header("x-ms-error-code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def blobs():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Blobs)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    anonymous._PUBLIC.clear()
    yield server
    anonymous._PUBLIC.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def ask(server, credential, *paths):
    """Ask for paths through one transport and return the statuses."""

    async def run():
        identity = Identity(credential)
        async with OrAnonymous(identity, "acc") as transport:
            statuses = []
            for path in paths:
                request = HttpRequest("GET", f"http://127.0.0.1:{server.server_port}/{path}")
                token = await identity.get_token("scope")
                request.headers["Authorization"] = f"Bearer {token.token}"
                statuses.append((await transport.send(request)).status_code)
            return statuses

    return asyncio.run(run())


def test_the_identity_asks_first_and_is_enough(blobs):
    assert ask(blobs, Token("good"), "mine/a", "mine/b") == [200, 200]
    assert [token for _, token in blobs.seen] == ["Bearer good"] * 2


def test_a_public_container_that_refuses_the_identity_is_read_by_nobody_and_remembered(blobs):
    assert ask(blobs, Token("good"), "public/a", "public/b", "public/missing") == [200, 200, 404]
    assert blobs.seen == [
        ("/public/a", "Bearer good"),
        ("/public/a", None),
        ("/public/b", None),
        ("/public/missing", None),
    ]
    assert anonymous.is_public(f"127.0.0.1:{blobs.server_port}", "public")


def test_a_private_container_is_asked_without_identity_once_only(blobs):
    assert ask(blobs, Token("bad"), "mine/a", "mine/b") == [403, 403]
    assert [token for _, token in blobs.seen] == ["Bearer bad", None, "Bearer bad"]


def test_without_any_identity_nobody_asks_and_a_refusal_says_that_there_was_none(blobs):
    nobody = Token(error=ClientAuthenticationError("no identity here"))
    assert ask(blobs, nobody, "public/a", "public/missing") == [200, 404]
    assert [token for _, token in blobs.seen] == [None, None]
    with pytest.raises(
        ClientAuthenticationError, match="no identity on this machine .no identity here. and the container is"
    ):
        ask(blobs, nobody, "mine/a")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """The files of an authority, and of a certificate and its key for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificate")
    now = dt.datetime.now(dt.UTC)

    def signed(name, key, issuer, issuer_key, *extensions):
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(issuer_key, hashes.SHA256())

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    import ipaddress

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    # Python 3.13 wants to be told whose key it is.
    own = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    authority = signed(
        named("test authority"),
        authority_key,
        named("test authority"),
        authority_key,
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (usage, True),
        (own, False),
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    leaf = signed(named("127.0.0.1"), key, named("test authority"), authority_key, (host, False), (by, False))
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "cert.pem").write_bytes(leaf.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


def jwt(audience="https://storage.azure.com"):
    """Return a token that the emulator takes: it looks at the claims, not at the signature."""
    now = int(time.time())
    claims = {
        "nbf": now - 60,
        "iat": now - 60,
        "exp": now + 3600,
        "aud": audience,
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
    }
    parts = ({"alg": "none", "typ": "JWT"}, claims, "x")
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts)


def test_a_machine_without_an_identity_is_not_told_so_on_standard_error(tmp_path):
    code = """
from azure.core.exceptions import ClientAuthenticationError
from mltable_lite.storage.credentials import STORAGE_SCOPE, identity
try:
    identity("default").get_token(STORAGE_SCOPE)
except ClientAuthenticationError as error:
    print(str(error).splitlines()[0])
"""
    bare = {"HOME": str(tmp_path), "PATH": "", "AZURE_TOKEN_CREDENTIALS": "dev"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=bare, cwd=tmp_path
    )
    assert "DefaultAzureCredential failed" in done.stdout
    assert done.stderr == ""


def test_identity_and_nobody_against_the_emulator(certificate, workplace):
    """In a process of its own, because the authority is read from the environment when aiohttp is imported."""
    code = """
        import sys, time
        from azure.core.credentials import AccessToken
        from azure.core.exceptions import ClientAuthenticationError
        import mltable_lite
        from mltable_lite import datastores
        from mltable_lite.storage import anonymous, azure, filesystem
        from mltable_lite.errors import AccessDeniedError, SourceNotFoundError

        endpoint, good, foreign = sys.argv[1:]

        class Token:
            def __init__(self, token): self.token = token
            def get_token(self, *scopes, **options):
                if not self.token: raise ClientAuthenticationError("not signed in")
                return AccessToken(self.token, int(time.time()) + 3600)

        def read(name, container, credential=None):
            store = datastores.register_azure_blob_container(
                name, container, "devstoreaccount1", endpoint=endpoint, credential=credential)
            try:
                return store.filesystem().cat("a.csv"), store.filesystem().ls()
            except (AccessDeniedError, SourceNotFoundError) as error:
                return type(error).__name__, str(error)

        print(read("given", "private", Token(good)))
        for token in (good, foreign, ""):
            azure.identity = lambda kind, token=token: Token(token)
            filesystem._FILESYSTEMS.clear()
            anonymous._PUBLIC.clear()
            for container in ("public", "private"):
                print(read(f"{container}-{len(token)}", container))
        print(read("explicit", "public", "anonymous"))
        """
    options = ["--cert", certificate / "cert.pem", "--key", certificate / "key.pem", "--oauth", "basic"]
    with azurite_process(*options) as port:
        endpoint = f"https://127.0.0.1:{port}"
        service = BlobServiceClient(
            f"{endpoint}/{ACCOUNT}",
            {"account_name": ACCOUNT, "account_key": KEY},
            connection_verify=str(certificate / "ca.pem"),
        )
        for name, access in (("public", "container"), ("private", None)):
            service.create_container(name, public_access=access)
            service.get_blob_client(name, "a.csv").upload_blob(b"x")
        service.close()
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), endpoint, jwt(), jwt("https://foreign")],
            env={
                "SSL_CERT_FILE": str(certificate / "ca.pem"),
                "PATH": "/usr/bin",
                "XDG_CONFIG_HOME": str(workplace),
            },
            cwd=workplace,
            capture_output=True,
            text=True,
            check=False,
        )
    lines = done.stdout.splitlines()
    assert len(lines) == 8, done.stderr
    fine = "(b'x', ['a.csv'])"
    assert lines[:2] == [fine, fine]  # a credential that was given is used; so is the identity
    assert lines[2] == fine
    assert lines[3] == fine  # foreign token, public container
    assert lines[4].startswith("('AccessDeniedError'")
    assert lines[5] == fine  # no identity, public container
    assert lines[6].startswith("('AccessDeniedError'")
    assert "not signed in" in lines[6]
    assert lines[7] == fine


# --------------------------------------------------------------------------- the canary
CANARY = "Y2FuYXJ5LXMzY3IzdC1jYW5hcnk="


def surfaces(action):
    """Return every text that comes out of an action that fails: its error, the chain of causes, the traceback."""
    try:
        action()
    except MLTableError as error:
        chain, seen = [], error
        while seen is not None:
            chain += [str(seen), repr(seen)]
            seen = seen.__cause__
        return [*chain, "".join(traceback.format_exception(error))]
    raise AssertionError("the action should fail")


def test_no_surface_shows_a_secret(workplace, caplog, capsys, monkeypatch):
    caplog.set_level(logging.DEBUG)
    given = {
        "account_name": ACCOUNT,
        "endpoint": "http://127.0.0.1:9",
        "overwrite": True,
    }
    sas = f"sv=2024-01-01&sp=r&sig={CANARY}"
    stores = [
        datastores.register_azure_blob_container("key", "ccc", account_key=CANARY, **given),
        datastores.register_azure_blob_container("sas", "ccc", sas_token="?" + sas, **given),
        datastores.register_azure_data_lake_gen2(
            "app",
            "fff",
            ACCOUNT,
            tenant_id="t",
            client_id="c",
            client_secret=CANARY,
            authority_url="https://127.0.0.1:9",
        ),
        datastores.register_s3(
            "s3", "b", access_key_id="id", secret_access_key=CANARY, endpoint="http://127.0.0.1:9"
        ),
        datastores.register_dbfs("dbfs", "127.0.0.1:9", token=CANARY),
        datastores.register_fsspec("any", "sftp://127.0.0.1:9/x", password=CANARY),
    ]
    monkeypatch.setenv("THE_SECRET", CANARY)
    stores.append(
        datastores.register_azure_blob_container("env", "ccc", account_key="env:THE_SECRET", **given)
    )
    quick = {"retry": {"attempts": 1, "deadline_seconds": 2}}
    texts = [capsys.readouterr().out]
    for store in stores:
        fs = store.filesystem(**quick)
        place, own = resolve(fs._root, fs._options)
        data = pickle.dumps([store, fs, place, own, copy.copy(fs)])
        texts += [
            repr(store),
            str(store),
            repr(fs),
            fs.to_json(),
            str(fs.to_dict()),
            str(fs.storage_options),
            fs.fsid,
        ]
        texts += [repr(place), repr(own), data.decode("latin1"), repr(pickle.loads(data)[1].__dict__)]
        if store.name in ("key", "sas", "env"):
            table = mltable_lite.from_delimited_files([{"file": store.path("a.csv")}], storage_options=quick)
            texts += [str(table), repr(table), pickle.dumps(table).decode("latin1")]
            for action in (
                lambda fs=fs: fs.ls(),
                lambda fs=fs: fs.cat("a"),
                lambda fs=fs: fs.pipe_file("a", b"x"),
                lambda fs=fs: fs.rm("a", recursive=True),
                lambda store=store: mltable_lite.load(store.path("t"), storage_options=quick),
                lambda table=table: table.to_pandas_dataframe(),
                lambda store=store: assets.register("a", store.path("x"), storage_options=quick),
                lambda store=store: mltable_lite.from_delta_lake(
                    store.path("d"), storage_options=quick
                ).to_arrow_table(),
            ):
                texts += surfaces(action)
    texts += surfaces(
        lambda: mltable_lite.load(f"http://127.0.0.1:9/{ACCOUNT}/ccc/t?{sas}", storage_options=quick)
    )
    texts += surfaces(lambda: AzureMachineLearningFileSystem(f"https://acc.blob.core.windows.net/c?{sas}"))
    for bad in (
        f"name: x\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: {{account_key: {CANARY}}}\n",
        f"name: x\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: {CANARY}\n",
        f"name: x\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: {{identity: {CANARY}}}\n",
        f"name: x\ntype: s3\nbucket: c\ncredentials: {CANARY}\n",
        f"name: x\ntype: fsspec\nroot: memory://x\ncredentials: {{password: {CANARY}}}\n",
        f"name: x\ntype: azure_blob\naccount_name: a\ncontainer_name: c\ncredentials: [account_key, {CANARY}]\n",
    ):
        (workplace / ".mltable/datastores/x.yml").write_text(bad)
        texts += surfaces(lambda: datastores.get("x"))
    (workplace / ".mltable/datastores/x.yml").unlink()
    texts += [file.read_text() for file in (workplace / ".mltable").rglob("*.*") if file.is_file()]
    texts += [record.getMessage() for record in caplog.records]
    texts += list(capsys.readouterr())
    found = [text for text in texts if CANARY in text or CANARY.rstrip("=") in text]
    assert len(texts) > 200
    assert found == []


def test_options_with_a_credential_object_show_and_send_nothing_of_it():
    options = StorageOptions({"credential": Token(CANARY), "ml_client": SimpleNamespace(secret=CANARY)})
    assert CANARY not in repr(options)
    assert CANARY.encode() not in pickle.dumps(options)
    assert pickle.loads(pickle.dumps(options)).dropped == ("credential", "ml_client")
