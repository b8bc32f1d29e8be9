"""A read can be stopped: by Ctrl-C, by a consumer that has enough; nothing is left running."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

import mltable_lite as mltable
from mltable_lite.execute.workers import workers

SCRIPT = """
import sys, threading, time
import mltable_lite as mltable
from mltable_lite.execute.workers import workers
table = mltable.from_delimited_files([{{"folder": {folder!r}}}])
print("ready", flush=True)
try:
    while True:
        table.to_arrow_table()
except KeyboardInterrupt:
    left = [t.name for t in threading.enumerate() if t is not threading.main_thread()]
    print("stopped", left, flush=True)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("big")
    text = "a,b,c\n" + "".join(f"{i},{i / 7},some text {i}\n" for i in range(200_000))
    for number in range(6):
        (folder / f"{number}.csv").write_text(text)
    return folder


@pytest.mark.parametrize("delay", [0.05, 0.4, 0.9])
def test_ctrl_c_stops_a_read_soon(folder, delay):
    code = SCRIPT.format(folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "ready\n"
        time.sleep(delay)
        sent = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        line = child.stdout.readline()
        took = time.monotonic() - sent
        child.wait(timeout=10)
    assert line == "stopped []\n"
    assert took < 5  # benchmarks/soak.py measures it; here a busy machine may add to it


def test_a_consumer_that_stops_leaves_no_thread(folder):
    reader = mltable.from_delimited_files([{"folder": str(folder)}]).to_arrow_batches()
    assert reader.read_next_batch().num_rows > 0
    reader.close()
    del reader
    assert [t.name for t in threading.enumerate() if t.name.startswith("mltable-lite")] == []


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize("files", [1, 3, 12, 60])
def test_json_lines_never_hang_on_one_or_two_threads(tmp_path, monkeypatch, threads, files):
    monkeypatch.setenv("MLTABLE_LITE_THREADS", threads)
    for number in range(files):
        (tmp_path / f"{number:03}.jsonl").write_text(
            "".join(f'{{"a": {i}, "b": "x{i}"}}\n' for i in range(3000))
        )
    table = mltable.from_json_lines_files([{"folder": str(tmp_path)}])
    for _ in range(3):
        assert table.to_arrow_table().num_rows == files * 3000


def test_a_thread_whose_start_was_interrupted_is_not_waited_for_ever():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), workers(1) as (pool, _):  # noqa: PT012 - all of it is interrupted
        pool.submit(int)
        # What is left of a start that Ctrl-C cut off: the thread is known by its name, and never runs.
        name = next(t.name for t in threading.enumerate() if t.name.startswith("mltable-lite"))
        halted = threading.Thread(name=name + "x")
        threading._limbo[halted] = halted
        raise KeyboardInterrupt
    del threading._limbo[halted]
    assert time.monotonic() - started < 5
