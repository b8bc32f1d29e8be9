"""Every format read from every real storage gives the rows of the same files read locally."""

from __future__ import annotations

import datetime as dt
import json

import deltalake
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from storage.servers import FIXTURES

import mltable_lite as mltable
from mltable_lite.errors import UserErrorException

TABLE = pa.table(
    {
        "id": range(90),
        "x": [i / 4 for i in range(90)],
        "word": [None if i % 7 == 0 else f"wörd {i % 5}" for i in range(90)],
        "at": [dt.datetime(2024, 1, 1 + i % 28, 5) for i in range(90)],
    }
)
READERS = {
    "parquet": "read_parquet",
    "csv": "read_delimited",
    "jsonl": "read_json_lines",
    "delta": "read_delta_lake",
}
FROM = {
    "parquet": mltable.from_parquet_files,
    "csv": mltable.from_delimited_files,
    "jsonl": mltable.from_json_lines_files,
}


def write(kind, folder):
    """Write 90 rows as three files, or three commits."""
    folder.mkdir()
    for number in range(3):
        part = TABLE.slice(number * 30, 30)
        if kind == "delta":
            deltalake.write_deltalake(folder, part, mode="append")
        elif kind == "parquet":
            pq.write_table(part, folder / f"{number}.parquet", row_group_size=7, write_page_checksum=True)
        elif kind == "csv":
            pyarrow.csv.write_csv(part, folder / f"{number}.csv")
        else:
            lines = [json.dumps(row, default=str) for row in part.to_pylist()]
            (folder / f"{number}.jsonl").write_text("\n".join(lines))


def entries(kind, server, root):
    if kind == "delta":
        return [{"folder": root}]
    if server.name == "http":  # a web server lists nothing
        return [{"file": f"{root}/{number}.{kind}"} for number in range(3)]
    return [{"pattern": f"{root}/*.{kind}"}]


def table(kind, server, root, **options):
    options = {"storage_options": {**server.options, **options}}
    if kind == "delta":
        return mltable.from_delta_lake(root, **options)
    return FROM[kind](entries(kind, server, root), **options)


def local(kind, folder):
    if kind == "delta":
        return mltable.from_delta_lake(folder).to_arrow_table()
    return FROM[kind]([{"folder": str(folder)}]).to_arrow_table()


@pytest.mark.parametrize("kind", READERS)
def test_a_storage_gives_the_rows_of_local_files(kind, server, tmp_path):
    write(kind, tmp_path / kind)
    root = server.put_folder(tmp_path / kind, kind)
    if kind == "delta" and server.name == "http":
        with pytest.raises(UserErrorException, match="web server"):
            table(kind, server, root).to_arrow_table()
        return
    remote = table(kind, server, root)
    assert remote.to_arrow_table().equals(local(kind, tmp_path / kind))
    assert remote.filter("id >= 40").keep_columns("id").take(3).to_arrow_table().to_pydict() == {
        "id": [40, 41, 42]
    }
    assert remote.count_rows() == 90


#: A Delta table is a folder, and a web server lists none.
CELLS = [(kind, name) for kind in READERS for name in FIXTURES if (kind, name) != ("delta", "http")]


@pytest.mark.parametrize(("kind", "name"), CELLS)
def test_an_mltable_file_beside_its_data_loads_from_a_storage(kind, name, request, tmp_path):
    server = request.getfixturevalue(FIXTURES[name])
    write(kind, tmp_path / kind)
    root = server.put_folder(tmp_path / kind, kind)
    paths = json.dumps(entries(kind, server, ".")).replace('"./', '"./')
    server.put(f"{kind}/MLTable", f"paths: {paths}\ntransformations: [{READERS[kind]}]\n".encode())
    loaded = mltable.load(root, storage_options=server.options)
    assert loaded.to_arrow_table().equals(local(kind, tmp_path / kind))


def test_folders_and_patterns_list_the_same_files_everywhere(azurite, s3):
    for server in (azurite, s3):
        for name in ("t/b/2.csv", "t/a/1.csv", "t/_SUCCESS", "t/a/.hidden", "u/3.csv"):
            server.put(name, b"x\n1\n")

        def files(server=server, **entry):
            paths = [{kind: server.uri + value} for kind, value in entry.items()]
            found = mltable.from_paths(paths, storage_options=server.options).to_arrow_table()
            return [path.removeprefix(server.uri) for path in found.column("Path").to_pylist()]

        assert files(folder="/t") == ["/t/a/1.csv", "/t/b/2.csv"]
        assert files(pattern="/*/*/*.csv") == ["/t/a/1.csv", "/t/b/2.csv"]
        assert files(pattern="/**/*.csv") == ["/t/a/1.csv", "/t/b/2.csv", "/u/3.csv"]
        assert files(file="/u/3.csv") == ["/u/3.csv"]
