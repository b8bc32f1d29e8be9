"""Reads from Azure Blob storage, side by side: this library, pyarrow over plain adlfs, pyarrow's own AzureFileSystem.

    python benchmarks/storage.py [--latency-ms 20] [--rounds 3] [--only many] [--small]

The storage is Azurite. Seconds of `many` are through a proxy that answers every request later, as a storage far away
does; seconds of `one` go straight to Azurite. Bytes and requests are what the proxy counted. Every measurement is a
fresh process; the best round counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
# Instead of this folder, in which this file has the name of the package with the servers.
sys.path[0] = str(HERE.parent / "tests")

from storage.servers import ACCOUNT, KEY, Proxy, azure_connection, azurite_process, proxied  # noqa: E402

LIBRARIES = ("ours", "adlfs", "native")
TASKS = {
    "many": "200 small files, every column",
    "one": "one file of 200 MB, every column",
    "columns": "2 of 10 columns of the same file",
}


# --------------------------------------------------------------------------- one measurement, in a process of its own
def dataset(library: str, port: int):
    """Return a dataset factory over a library's filesystem."""
    import pyarrow.dataset as ds

    if library == "native":
        from pyarrow.fs import AzureFileSystem

        fs = AzureFileSystem(
            account_name=ACCOUNT,
            account_key=KEY,
            **{f"{kind}_storage_authority": f"127.0.0.1:{port}" for kind in ("blob", "dfs")},
            **{f"{kind}_storage_scheme": "http" for kind in ("blob", "dfs")},
        )
    else:
        from adlfs import AzureBlobFileSystem

        fs = AzureBlobFileSystem(connection_string=azure_connection(port))
    return lambda path: ds.dataset(path, filesystem=fs, format="parquet")


def read(library: str, task: str, port: int) -> int:
    """Do a task and return the rows."""
    columns = ["c0", "c5"] if task == "columns" else None
    folder = "many" if task == "many" else "one"
    if library == "ours":
        import mltable_lite as mltable

        options = {"connection_string": azure_connection(port)}
        table = mltable.from_parquet_files([{"folder": f"az://data/{folder}"}], storage_options=options)
        return (table if columns is None else table.keep_columns(columns)).to_arrow_table().num_rows
    ahead = {"fragment_readahead": 32} if task == "many" else {}
    return dataset(library, port)(f"data/{folder}").to_table(columns=columns, **ahead).num_rows


def child(library: str, task: str, port: int) -> None:
    import pyarrow.parquet  # noqa: F401 - imports are not what is measured

    if library == "ours":
        import mltable_lite.execute.query
        import mltable_lite.storage.azure  # noqa: F401
    if library != "native":
        import adlfs  # noqa: F401
    start = time.perf_counter()
    rows = read(library, task, port)
    print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}))


# --------------------------------------------------------------------------- all of them
def make_data(port: int, *, small: bool) -> dict[str, float]:
    """Store the files; return the bytes that each task needs."""
    import adlfs
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(1)
    fs = adlfs.AzureBlobFileSystem(connection_string=azure_connection(port))
    fs.mkdir("data")
    rows = 250_000 if small else 2_600_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "one.parquet"
        columns = {f"c{i}": rng.random(rows) for i in range(10)}
        pq.write_table(pa.table(columns), path, row_group_size=rows // 10, use_dictionary=False)
        fs.put_file(str(path), "data/one/one.parquet")
        footer = pq.read_metadata(path)
        useful = sum(
            footer.row_group(group).column(column).total_compressed_size
            for group in range(footer.num_row_groups)
            for column in (0, 5)
        )
        size = path.stat().st_size
        many = 0
        for number in range(200):
            part = pa.table({f"c{i}": rng.random(1000) for i in range(10)})
            pq.write_table(part, path)
            many += path.stat().st_size
            fs.put_file(str(path), f"data/many/{number:03}.parquet")
    return {"many": many, "one": size, "columns": useful}


def measure(library: str, task: str, port: int) -> float | str:
    command = [sys.executable, __file__, "--child", library, task, str(port)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=os.environ)
    lines = done.stdout.splitlines()
    return json.loads(lines[-1])["seconds"] if done.returncode == 0 and lines else done.stderr[-300:]


def counted(proxy: Proxy, library: str, task: str) -> tuple[float, int]:
    """Return megabytes and requests of one read."""
    proxy.fault()
    measure(library, task, proxy.port)
    asked = proxy.requests()
    return sum(request["bytes"] for request in asked), len(asked)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency-ms", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="tasks, with commas")
    parser.add_argument("--libraries", default=",".join(LIBRARIES))
    parser.add_argument("--small", action="store_true", help="a tenth of the bytes")
    parser.add_argument("--child", nargs=3)
    given = parser.parse_args()
    if given.child:
        child(given.child[0], given.child[1], int(given.child[2]))
        return
    tasks = [task for task in TASKS if not given.only or task in given.only.split(",")]
    libraries = given.libraries.split(",")
    with azurite_process() as port, proxied(port) as proxy:
        useful = make_data(port, small=given.small)
        print(f"latency of `many`: {given.latency_ms:g} ms\n")
        print("| task | library | seconds | / native | MB downloaded | / useful | requests |")
        print("|---|---|---|---|---|---|---|")
        for task in tasks:
            bytes_of = {library: counted(proxy, library, task) for library in libraries}
            if task == "many":
                proxy.fault({"do": "delay", "seconds": given.latency_ms / 1000})
            at = proxy.port if task == "many" else port
            seconds: dict[str, list[float]] = {library: [] for library in libraries}
            for _ in range(given.rounds):
                for library in libraries:
                    found = measure(library, task, at)
                    if isinstance(found, str):
                        print(f"{library} failed: {found}", file=sys.stderr)
                    else:
                        seconds[library].append(found)
            best = {library: min(all_of, default=float("nan")) for library, all_of in seconds.items()}
            for library in libraries:
                size, requests = bytes_of[library]
                ratio = best[library] / best.get("native", float("nan"))
                print(
                    f"| {TASKS[task]} | {library} | {best[library]:.2f} | {ratio:.2f} | {size / 1e6:.1f} | "
                    f"{size / useful[task]:.2f} | {requests} |"
                )


if __name__ == "__main__":
    main()
