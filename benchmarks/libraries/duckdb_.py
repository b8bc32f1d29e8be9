"""duckdb: SQL over the files, results through Arrow."""

from __future__ import annotations

import os

import duckdb

NAME = "duckdb"


def _run(format_name: str, folder: str, select: str, rest: str = ""):
    # A benchmark downloads nothing: Delta is measured only where the extension is installed already.
    config = {"autoinstall_known_extensions": False}
    if threads := os.environ.get("BENCHMARK_THREADS"):
        config["threads"] = int(threads)
    connection = duckdb.connect(config=config)
    if format_name == "delta":
        connection.execute("LOAD delta")
    source = {
        "parquet": f"read_parquet('{folder}/*.parquet')",
        "csv": f"read_csv('{folder}/*.csv')",
        "jsonl": f"read_json('{folder}/*.jsonl', format = 'newline_delimited')",
        "delta": f"delta_scan('{folder}')",
    }[format_name]
    return connection.execute(f"SELECT {select} FROM {source} {rest}").to_arrow_table().to_pandas()


def full(format_name, folder):
    return _run(format_name, folder, "*")


def columns(format_name, folder, names):
    return _run(format_name, folder, ", ".join(names))


def selective(format_name, folder, names, fare):
    return _run(format_name, folder, ", ".join(names), f"WHERE fare > {fare}")


def sample(format_name, folder, probability):
    return _run(format_name, folder, "*", f"USING SAMPLE {probability * 100} PERCENT (bernoulli, 1)")


def take(format_name, folder, rows):
    return _run(format_name, folder, "*", f"LIMIT {rows}")


def day(format_name, folder, names, number):
    when = f"day = {number}"
    if format_name == "parquet":
        when = f"pickup >= '2024-05-{number}' AND pickup < '2024-05-{number + 1}'"
    return _run(format_name, folder, ", ".join(names), f"WHERE {when}")
