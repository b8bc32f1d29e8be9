"""A process that does something again and again until it is killed, at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

LOOP = """
import os, sys
while sys.stdin.readline():
    child = os.fork()
    if not child:
        number = 0
        while True:
            number += 1
            again(number)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""


def killed(code: str, *arguments: str, times: int, most_seconds: float) -> Iterator[None]:
    """Yield after each kill -9 of a process that calls what `code` defines: ``again(number)``, from 1 on.

    Each time it is forked from a process that ran the code already, so that it is at work at once.
    """
    chance = random.Random(7)
    command = [sys.executable, "-c", code + LOOP, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        for _ in range(times):
            parent.stdin.write("go\n")
            parent.stdin.flush()
            child = int(parent.stdout.readline())
            time.sleep(chance.random() * most_seconds)
            os.kill(child, signal.SIGKILL)
            assert parent.stdout.readline() == "gone\n"
            yield
        parent.stdin.close()
