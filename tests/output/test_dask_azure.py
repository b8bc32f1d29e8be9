"""dask DataFrames of a remote storage: workers have credentials of their own, the graph has none."""

import pickle

import distributed
import pytest
from pandas.testing import assert_frame_equal
from storage.servers import KEY, azurite, azurite_session  # noqa: F401 - fixtures
from test_matrix import write

import mltable_lite as mltable


@pytest.fixture(scope="module")
def client(azurite_session):  # noqa: F811 - the fixture
    """A cluster of two processes that have the storage's credential in their environment."""
    environment = {"AZURE_STORAGE_CONNECTION_STRING": azurite_session.options["connection_string"]}
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            env=environment,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_workers_read_with_the_credentials_of_their_environment(azurite, client, tmp_path):  # noqa: F811 - the fixture
    write("parquet", tmp_path)
    folder = azurite.put_folder(tmp_path, "t")
    made = mltable.from_parquet_files([{"folder": folder}], storage_options=azurite.options)
    frame = made.to_dask_dataframe(partition_bytes=500)
    assert KEY.encode() not in pickle.dumps(list(frame.optimize().__dask_graph__().values()))
    expected = made.to_pandas_dataframe()
    assert_frame_equal(frame.compute().reset_index(drop=True), expected)
    assert frame[frame.id > 40][["word"]].compute().word.tolist() == expected[expected.id > 40].word.tolist()
