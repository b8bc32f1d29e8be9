"""What torch's DataLoader does with a dataset, without torch: worker processes that are forked after the parent has read,
or spawned with a pickle; each with a seed of its own; several epochs by the same workers. And images."""

from __future__ import annotations

import io
import multiprocessing
import random

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from storage.servers import ACCOUNT, KEY, endpoint_of

import mltable_lite
from mltable_lite import datastores

WORKERS = 2

pytestmark = [
    pytest.mark.usefixtures("workplace"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


@pytest.fixture(params=["local", "azure"])
def fs(request, workplace, monkeypatch):
    if request.param == "local":
        return datastores.register_local("store", workplace / "data").filesystem()
    azurite = request.getfixturevalue("azurite")
    monkeypatch.setenv(
        "THE_KEY", KEY
    )  # a secret that every process can find; the key itself is never pickled
    name = azurite.uri.rpartition("/")[2]
    given = {"account_key": "env:THE_KEY", "endpoint": endpoint_of(azurite), "create_if_not_exists": True}
    return datastores.register_azure_blob_container("store", name, ACCOUNT, **given).filesystem()


class Files:
    """A map-style dataset."""

    def __init__(self, fs, names):
        self.fs, self.names = fs, names

    def rows(self, number):
        for name in self.names[number::WORKERS]:
            with self.fs.open(name) as file:
                yield name, len(file.read())


class Rows:
    """An iterable dataset: every worker reads partitions of its own."""

    def __init__(self, table):
        self.table = table

    def rows(self, number):
        mine = list(range(number, self.table.get_partition_count(), WORKERS))
        for batch in self.table.select_partitions(mine).to_arrow_batches():
            yield from batch.column("x").to_pylist()


def work(datasets, number, asked, answers):
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002 - as DataLoader does it
    while (dataset := asked.get()) is not None:
        answers.put(list(datasets[dataset].rows(number)))


def loaded(method, datasets, order):
    """Return what all workers read of a dataset, sorted, for each number in the order; the workers stay the same."""
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    queues = [context.Queue() for _ in range(WORKERS)]
    children = [
        context.Process(target=work, args=(datasets, number, queue, answers))
        for number, queue in enumerate(queues)
    ]
    for child in children:
        child.start()
    result = []
    for dataset in order:
        for queue in queues:
            queue.put(dataset)
        result.append(sorted(row for _ in children for row in answers.get(timeout=60)))
    for queue in queues:
        queue.put(None)
    for child in children:
        child.join(20)
        assert child.exitcode == 0
    return result


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_read_files_and_partitions_after_the_parent_has(fs, method):
    files = {f"i/{i:02}.bin": b"x" * i for i in range(20)}
    fs.pipe(files)
    frame = pd.DataFrame({"x": range(3000)})
    with fs.open("t.parquet", "wb") as file:
        frame.to_parquet(file, row_group_size=300)
    table = mltable_lite.from_parquet_files([{"file": fs.unstrip_protocol("t.parquet")}])
    sample = table.take_random_sample(0.5, seed=7)
    assert table.count_rows() == 3000
    chosen = sample.to_pandas_dataframe()["x"].tolist()
    assert len(fs.cat("i", recursive=True)) == 20
    rows = list(range(3000))
    sizes = [(name, len(data)) for name, data in files.items()]
    read = loaded(method, [Files(fs, list(files)), Rows(table), Rows(sample)], order=[0, 0, 1, 1, 2])
    assert read == [sizes, sizes, rows, rows, chosen]  # a sample is the same whatever the workers' seeds are


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_images_are_opened_from_it(fs, kind):
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (64, 48, 3), dtype="u1")
    name = f"image.{kind.lower()}"
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, kind)
    fs.pipe_file(name, kept.getvalue())
    with Image.open(fs.open(name)) as image:
        assert (image.format, image.size) == (kind, (48, 64))
        assert np.array_equal(np.asarray(image), np.asarray(Image.open(kept)))
    with fs.open(name) as file:
        assert Image.open(file).convert("L").resize((8, 8)).size == (8, 8)
    with fs.open(name) as file:
        Image.open(file).verify()
