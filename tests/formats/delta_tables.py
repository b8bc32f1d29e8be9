"""Delta tables by hand: what a log holds, action by action."""

import json

from formats.local_input import folders, read_all

from mltable_lite.formats.delta import inspect
from mltable_lite.spec.model import ReadDeltaLake

LONG = {"type": "long", "nullable": True, "metadata": {}}
DAY = 86_400_000
FIRST = 1_577_836_800_000  # 2020-01-01T00:00:00Z


def source(*tables, **options):
    return inspect(ReadDeltaLake(**options), folders(*tables))


def commit(table, version, *actions):
    log = table / "_delta_log"
    log.mkdir(parents=True, exist_ok=True)
    (log / f"{version:020d}.json").write_text("\n".join(json.dumps(action) for action in actions) + "\n")


def protocol(*features, reader=3, writer=7):
    if not features:
        return {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
    lists = {"readerFeatures": list(features), "writerFeatures": list(features)}
    return {"protocol": {"minReaderVersion": reader, "minWriterVersion": writer, **lists}}


def metadata(fields, partitions=(), **configuration):
    return {
        "metaData": {
            "id": "11111111-1111-1111-1111-111111111111",
            "format": {"provider": "parquet", "options": {}},
            "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": list(partitions),
            "configuration": {key.replace("_", "."): value for key, value in configuration.items()},
            "createdTime": 1,
        }
    }


def add(path, time=FIRST, partition=None, **more):
    action = {
        "path": path,
        "partitionValues": partition or {},
        "size": 1,
        "modificationTime": time,
        "dataChange": True,
    }
    return {"add": {**action, **more}}


def info(time):
    return {"commitInfo": {"timestamp": time, "operation": "WRITE"}}


def numbers(table):
    return read_all(table).column("a").to_pylist()
