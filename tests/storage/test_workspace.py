"""Names that are not registered are asked for in an Azure ML workspace: through a client like azure-ai-ml's, and the
real azure-ai-ml over a small fake of its REST calls."""

from __future__ import annotations

import http.server
import json
import threading
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

import mltable_lite
from mltable_lite import datastores
from mltable_lite.errors import (
    AccessDeniedError,
    ArgumentError,
    SourceNotFoundError,
    StorageError,
    UnsupportedFeatureError,
)
from mltable_lite.storage import resolve as resolving
from mltable_lite.storage import workspace
from mltable_lite.storage.azureml import AzureMachineLearningFileSystem
from mltable_lite.storage.options import StorageOptions
from mltable_lite.storage.resolve import resolve
from mltable_lite.storage.uri import parse_uri

SECRET = "c2VjcmV0LXMzY3IzdA=="
LONG = "azureml://subscriptions/s/resourcegroups/r/workspaces/w/"

pytestmark = pytest.mark.usefixtures("workplace")


class Asked:
    """Answers `get` from a dict of results and errors, and remembers what it was asked."""

    def __init__(self, answers):
        self.answers, self.seen = answers, []

    def get(self, name, version=None, label=None, include_secrets=None):
        self.seen.append((name, version or label or include_secrets))
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


def client(stores=None, data=None, workspace_name="w", credential=None):
    return SimpleNamespace(
        datastores=Asked(stores or {}),
        data=Asked(data or {}),
        workspace_name=workspace_name,
        _credential=credential,
    )


def blob(**credentials):
    return SimpleNamespace(
        type="AzureBlob",
        account_name="acc",
        container_name="c",
        endpoint="core.windows.net",
        protocol="https",
        credentials=SimpleNamespace(**credentials),
    )


def found(uri, **options):
    return resolve(parse_uri(uri), StorageOptions(options))


# --------------------------------------------------------------------------- through any client
@pytest.mark.parametrize(
    ("store", "uri", "options"),
    [
        (blob(account_key=SECRET), "wasbs://c@acc.blob.core.windows.net/p/a.csv", {"account_key": SECRET}),
        (
            blob(sas_token="?sig=" + SECRET),
            "wasbs://c@acc.blob.core.windows.net/p/a.csv",
            {"sas_token": "sig=" + SECRET},
        ),
        (
            SimpleNamespace(
                type="AZURE_DATA_LAKE_GEN2", account_name="acc", filesystem="f", credentials=None
            ),
            "abfss://f@acc.dfs.core.windows.net/p/a.csv",
            {"credential": "the client's"},
        ),
    ],
)
def test_a_datastore_comes_with_its_secret_or_else_the_clients_credential_is_used(store, uri, options):
    ml_client = client({"store": store}, credential="the client's")
    for form in ("azureml://datastores/store/paths/p/a.csv", LONG + "datastores/store/paths/p/a.csv"):
        place, own = found(form, ml_client=ml_client)
        assert place.uri == uri
        assert dict(own) == options
    assert ml_client.datastores.seen == [("store", True)] * 2


def test_a_registered_name_comes_before_the_workspace(workplace):
    datastores.register_local("store", "data")
    ml_client = client({"store": blob(account_key=SECRET)})
    assert found(LONG + "datastores/store/paths/a", ml_client=ml_client)[0].path == str(workplace / "data/a")
    assert ml_client.datastores.seen == []


def test_an_answer_holds_for_a_while(monkeypatch):
    ml_client = client({"store": blob(account_key=SECRET)})
    options = StorageOptions({"ml_client": ml_client})
    place = parse_uri("azureml://datastores/store/paths/a")
    for _ in range(5):
        resolve(place, options)
    assert len(ml_client.datastores.seen) == 1
    monkeypatch.setattr(resolving, "_FRESH_SECONDS", 0.0)
    resolving.forget()
    for _ in range(3):
        resolve(place, options)
    assert len(ml_client.datastores.seen) == 4


def test_an_asset_of_the_workspace_is_loaded(workplace):
    datastores.register_local("store", "data")
    (workplace / "data/t").mkdir(parents=True)
    (workplace / "data/t/a.csv").write_text("x\n1\n")
    (workplace / "data/t/MLTable").write_text("paths: [{file: ./a.csv}]\ntransformations: [read_delimited]\n")
    path = SimpleNamespace(path=LONG + "datastores/store/paths/t/")
    ml_client = client(data={"trips": path})
    for uri in ("azureml:trips:3", "azureml:trips@latest", LONG + "data/trips/versions/3"):
        assert mltable_lite.load(uri, ml_client=ml_client).to_pandas_dataframe()["x"].tolist() == [1]
    assert set(ml_client.data.seen) == {("trips", "3"), ("trips", "latest")}
    fs = AzureMachineLearningFileSystem(LONG + "data/trips/versions/3", ml_client=ml_client)
    assert pd.read_csv(fs.open("a.csv"))["x"].tolist() == [1]


@pytest.mark.parametrize(
    ("error", "expected", "match"),
    [
        (
            ResourceNotFoundError("no such thing"),
            SourceNotFoundError,
            "the workspace 'w' has no datastore 'store'",
        ),
        (ClientAuthenticationError("please sign in"), AccessDeniedError, "az login.*AzureML Data Scientist"),
        (
            HttpResponseError("busy ?sig=" + SECRET),
            StorageError,
            "could not be asked for its datastore 'store'",
        ),
    ],
)
def test_what_the_workspace_answers_is_told(error, expected, match):
    ml_client = client({"store": error})
    with pytest.raises(expected, match=match) as caught:
        mltable_lite.load("azureml://datastores/store/paths/t", ml_client=ml_client)
    assert caught.value.__cause__ is None


def test_a_client_of_another_workspace_and_an_unknown_type_are_refused():
    ml_client = client({"store": SimpleNamespace(type="OneLake")}, workspace_name="other")
    with pytest.raises(ArgumentError, match="names the workspace 'w' and ml_client is a client of 'other'"):
        found(LONG + "datastores/store/paths/a", ml_client=ml_client)
    with pytest.raises(UnsupportedFeatureError, match="has the type 'onelake'"):
        found("azureml://datastores/store/paths/a", ml_client=ml_client)


def test_the_workspace_is_that_of_the_address_the_job_or_the_config_file(workplace, monkeypatch):
    made = []

    def make(_process, credential, names):
        made.append((credential, dict(names)))
        return client({"store": blob(account_key=SECRET)})

    monkeypatch.setattr(workspace, "_client", make)
    with pytest.raises(SourceNotFoundError, match="no datastore 'store'; none is registered"):
        found("azureml://datastores/store/paths/a")
    config = {"subscription_id": "1", "resource_group": "2", "workspace_name": "3"}
    (workplace / ".azureml").mkdir()
    (workplace / ".azureml/config.json").write_text(json.dumps(config))
    found("azureml://datastores/store/paths/a")
    for name, value in {"SUBSCRIPTION": "4", "RESOURCEGROUP": "5", "WORKSPACE_NAME": "6"}.items():
        monkeypatch.setenv(f"AZUREML_ARM_{name}", value)
    resolving.forget()
    found("azureml://datastores/store/paths/a")
    found(LONG + "datastores/store/paths/a", credential="mine")
    told = [tuple(names.values()) for _, names in made]
    assert told == [("1", "2", "3"), ("4", "5", "6"), ("s", "r", "w")]
    assert made[-1][0] == "mine"


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "azure.ai.ml", None)
    workspace._client.cache_clear()
    with pytest.raises(UnsupportedFeatureError, match=r"pip install mltable-lite\[azureml\]"):
        found(LONG + "datastores/not-registered/paths/a")


# --------------------------------------------------------------------------- through azure-ai-ml
class _Workspace(http.server.BaseHTTPRequestHandler):
    """The REST calls of a workspace that are needed here."""

    base = "/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/w"

    def log_message(self, *args):
        pass

    def _answer(self):
        path = self.path.partition("?")[0]
        store = {
            "datastoreType": "AzureBlob",
            "accountName": "acc",
            "containerName": "c",
            "endpoint": "core.windows.net",
            "protocol": "https",
            "credentials": {"credentialsType": "AccountKey"},
        }
        asset = {"dataType": "uri_folder", "dataUri": LONG + "datastores/store/paths/t/"}
        answers = {
            "/datastores/store": {
                "id": self.base + "/datastores/store",
                "name": "store",
                "properties": store,
            },
            "/datastores/store/listSecrets": {"secretsType": "AccountKey", "key": SECRET},
            "/data/trips": {
                "id": self.base + "/data/trips",
                "name": "trips",
                "properties": {"latestVersion": "3"},
            },
            "/data/trips/versions/3": {
                "id": self.base + "/data/trips/versions/3",
                "name": "3",
                "properties": asset,
            },
        }
        answer = answers.get(path.removeprefix(self.base))
        data = json.dumps(answer or {"error": {"code": "NotFound"}}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()


@pytest.fixture
def ml_client():
    from azure.ai.ml import MLClient
    from azure.core.credentials import AccessToken
    from azure.core.pipeline.transport import RequestsTransport

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Workspace)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    class Here(RequestsTransport):
        def send(self, request, **options):
            request.url = request.url.replace(
                "https://management.azure.com", f"http://127.0.0.1:{server.server_port}"
            )
            return super().send(request, **options)

    class Token:
        def get_token(self, *scopes, **options):
            return AccessToken("token", int(time.time()) + 3600)

    yield MLClient(Token(), "s", "r", "w", transport=Here())
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.filterwarnings("ignore")
def test_azure_ai_ml_finds_datastores_and_assets(ml_client):
    place, own = found("azureml://datastores/store/paths/p/a.csv", ml_client=ml_client)
    assert place.uri == "wasbs://c@acc.blob.core.windows.net/p/a.csv"
    assert dict(own) == {"account_key": SECRET}
    for uri in ("azureml:trips:3", "azureml:trips@latest", LONG + "data/trips/versions/3"):
        assert found(uri + "/a.csv" if "@" not in uri else uri, ml_client=ml_client)[0].uri.startswith(
            "wasbs://c@acc.blob.core.windows.net/t"
        )


@pytest.mark.filterwarnings("ignore")
def test_azure_ai_ml_does_not_find_what_is_not_there(ml_client):
    for uri in (
        "azureml://datastores/other/paths/a",
        "azureml:other:1",
        "azureml:other@latest",
        "azureml:trips:9",
    ):
        with pytest.raises(SourceNotFoundError, match="the workspace 'w' has no"):
            found(uri, ml_client=ml_client)
