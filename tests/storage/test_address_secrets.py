"""A credential that stands in an address is used, and is in no text, no pickle and no error, nor in what an error was made of."""

import http.server
import pickle
import threading
import traceback

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import mltable_lite as mltable

CANARY = "TOPSECRET"
ADDRESSES = {
    "signature": f"http://{{host}}/data/{{name}}?sp=r&sig={CANARY}",
    "token": f"http://{{host}}/data/{{name}}?token={CANARY}",
    "aws": f"http://{{host}}/data/{{name}}?X-Amz-Date=1&X-Amz-Signature={CANARY}",
    "user": f"http://user:{CANARY}@{{host}}/data/{{name}}",
}


@pytest.fixture(scope="module")
def host():
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2, 3]}), sink)
    content = sink.getvalue().to_pybytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.partition("?")[0].rpartition("/")[2]
            status = {"a.parquet": 200, "denied.parquet": 403}.get(name, 404)
            self.send_response(status)
            body = content if status == 200 else b""
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as http.server calls it

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def everything(error):
    """All texts of an error and of whatever it hangs on."""
    texts = [traceback.format_exc(), pickle.dumps(error).decode("latin1")]
    seen = []
    while error is not None and error not in seen:
        seen.append(error)
        texts += [str(error), repr(error.args), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return texts


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_table_shows_and_pickles_no_credential_of_its_address(kind, host):
    address = ADDRESSES[kind].format(host=host, name="a.parquet")
    table = mltable.from_parquet_files([{"file": address}])
    assert table.to_pandas_dataframe()["a"].tolist() == [1, 2, 3]
    texts = [
        str(table),
        repr(table),
        repr(table._spec),
        table.explain(),
        table.explain(analyze=True),
        pickle.dumps(table).decode("latin1"),
        repr(table.to_dask_dataframe().expr.tree_repr()),
    ]
    assert [text for text in texts if CANARY in text] == []
    assert str(pickle.loads(pickle.dumps(table))) == str(table)


@pytest.mark.parametrize("name", ["denied.parquet", "gone.parquet"])
@pytest.mark.parametrize("kind", ADDRESSES)
def test_an_error_holds_no_credential_of_the_address(kind, name, host):
    address = ADDRESSES[kind].format(host=host, name=name)
    table = mltable.from_parquet_files([{"file": address}], storage_options={"retry": {"attempts": 1}})
    for read in (table.to_pandas_dataframe, table.validate, table.show, table.to_dask_dataframe):
        with pytest.raises(mltable.MLTableError) as caught:
            read()
        assert "pattern:" not in str(caught.value)
        assert [text for text in everything(caught.value) if CANARY in text] == []


@pytest.mark.parametrize("kind", ADDRESSES)
def test_a_refused_argument_is_shown_without_its_credential(kind, host):
    address = ADDRESSES[kind].format(host=host, name="a.parquet")
    for call in (
        lambda: mltable.from_parquet_files(address),
        lambda: mltable.from_parquet_files([address]),
        lambda: mltable.from_paths({"file": address}),
        lambda: mltable.load([address]),
        lambda: mltable.from_delta_lake([address]),
        lambda: mltable.from_parquet_files([{"file": [address]}]),
    ):
        with pytest.raises(mltable.MLTableError) as caught:
            call()
        assert [text for text in everything(caught.value) if CANARY in text] == []
