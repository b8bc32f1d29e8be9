"""A folder with a Delta log that is read as plain files: removed rows come back, so somebody says so."""

import fsspec
import pandas as pd
import pytest
from deltalake import write_deltalake

import mltable_lite as mltable
from mltable_lite.errors import SkippedFilesWarning, StrictModeError


@pytest.fixture
def folder(tmp_path):
    for _ in range(2):
        write_deltalake(tmp_path / "t", pd.DataFrame({"a": range(10)}), mode="overwrite")
    return tmp_path


def test_a_delta_table_read_as_parquet_is_a_warning_that_names_the_way_out(folder):
    table = mltable.from_parquet_files([{"folder": str(folder)}])
    with pytest.warns(
        SkippedFilesWarning, match=r"1 folder holds a Delta table.* at .*/t\. .*read_delta_lake"
    ):
        assert len(table.to_pandas_dataframe()) == 20
    with pytest.raises(StrictModeError, match="Delta table"):
        mltable.from_parquet_files([{"folder": str(folder)}], strict=True).to_pandas_dataframe()


def test_nothing_is_said_where_the_log_is_read_or_files_are_only_named(folder):
    assert len(mltable.from_delta_lake(str(folder / "t")).to_pandas_dataframe()) == 10
    assert len(mltable.from_paths([{"folder": str(folder)}]).to_pandas_dataframe()) == 2


def test_the_folder_is_named_on_a_storage_too(folder):
    memory = fsspec.filesystem("memory")
    for file in (folder / "t").rglob("*.*"):
        memory.pipe(f"/logged/t/{file.relative_to(folder / 't')}", file.read_bytes())
    table = mltable.from_parquet_files([{"folder": "memory://logged/t"}])
    with pytest.warns(SkippedFilesWarning, match=r"at .*logged/t\. "):
        assert table.count_rows() == 20
