"""Named datastores: a name for a storage, its credentials, and a folder of files in it.

``mltable_lite.datastores.register_local(datastore_name="mine", root="data")`` makes ``azureml://datastores/mine/paths/...``
an address that `load`, `save`, pandas, dask and pyarrow take.
"""

from mltable_lite.storage.datastores import Datastore, default, get, list, set_default, unregister  # noqa: A004
from mltable_lite.storage.register import (
    register_dbfs,
    register_fsspec,
    register_gcs,
    register_local,
    register_s3,
)
from mltable_lite.storage.register_azure import (
    register_azure_blob_container,
    register_azure_data_lake,
    register_azure_data_lake_gen2,
    register_azure_file_share,
)

__all__ = [
    "Datastore",
    "default",
    "get",
    "list",
    "register_azure_blob_container",
    "register_azure_data_lake",
    "register_azure_data_lake_gen2",
    "register_azure_file_share",
    "register_dbfs",
    "register_fsspec",
    "register_gcs",
    "register_local",
    "register_s3",
    "set_default",
    "unregister",
]
