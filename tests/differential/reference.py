"""The reference in a process of its own: started once, asked many times, killed and started again when it hangs."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = (ROOT / ".venv-differential", ROOT / "benchmarks" / ".reference")
PACKAGES = ("mltable==1.7.0", "pandas")
SECONDS = 30


def python() -> Path:
    """Return the interpreter of an environment that has the reference; make one where there is none.

    Raises:
        SystemExit: The reference does not install here.
    """
    for folder in ENVIRONMENTS:
        if (folder / ".installed").exists() or (
            folder == ENVIRONMENTS[1] and (folder / "bin/python").exists()
        ):
            return folder / "bin/python"
    folder = ENVIRONMENTS[0]
    sys.stderr.write(f"installing {PACKAGES[0]} into {folder} ...\n")
    subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
    done = subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *PACKAGES], check=False)
    if done.returncode:
        raise SystemExit("the reference does not install here, so there is nothing to compare with")
    (folder / ".installed").touch()
    return folder / "bin/python"


class Reference:
    """Answers what the reference makes of a folder with an MLTable file."""

    def __init__(self) -> None:
        self._python = python()
        self.restarts = -1
        self._start()

    def _start(self) -> None:
        self.restarts += 1
        self._process = subprocess.Popen(
            [self._python, HERE / "child.py"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            cwd=HERE,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()
        self._lines.get(timeout=120)

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def read(self, folder: Path) -> dict[str, Any]:
        """Return the answer; an error named Hang or Crash where there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=SECONDS)
        except queue.Empty:
            line = None
        if not line:
            self.close()
            self._start()
            name = "Hang" if line is None else "Crash"
            return {"error": name, "tree": [name], "when": "read", "text": f"no answer within {SECONDS} s"}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
