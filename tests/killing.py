"""A process that does something again and again until it is killed, at random moments."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

GIVE_UP_SECONDS = 120

LOOP = """
import os, sys
for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if not child:
        number = int(line)
        while True:
            again(number)
            number += 1
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def killed(
    code: str, *arguments: str, times: int, most_seconds: float, until: Callable[[], bool]
) -> Iterator[None]:
    """Yield after each kill -9 of a process that calls what `code` defines: ``again(number)``.

    Each time it is forked from a process that ran the code already, so that it is at work at once. It counts
    from 0 and from 1 in turn. After so many `times` it lives longer and longer until `until` is true: a busy
    machine may be so slow that nothing was done before.
    """
    chance = random.Random(7)
    give_up = time.monotonic() + GIVE_UP_SECONDS
    command = [sys.executable, "-c", code + LOOP, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        for number in itertools.count():
            if number >= times:
                if until() or time.monotonic() > give_up:
                    break
                most_seconds *= 1.1
            parent.stdin.write(f"{number % 2}\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(chance.random() * most_seconds)
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"
            yield
        parent.stdin.close()
