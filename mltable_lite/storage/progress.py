"""A line of progress that overwrites itself, in terminals and notebooks alike."""

from __future__ import annotations

import sys
import threading
import time
from typing import Self

_EVERY_SECONDS = 0.2


def size_text(count: float) -> str:
    """Return a number of bytes for people: ``1.4 MB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - the step between units
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


class Progress:
    """Counts bytes as an fsspec callback does, and shows them on standard error.

    Example:
        >>> progress = Progress("copied")
        >>> progress.set_size(100)
    """

    def __init__(self, verb: str, *, show: bool = True) -> None:
        self._verb, self._show = verb, show
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._shown = 0.0
        self._length = 0
        self.size: int | None = None
        self.value = 0

    def set_size(self, size: int) -> None:
        """Tell how many bytes there will be."""
        self.size = size

    def relative_update(self, inc: int = 1) -> None:
        """Count some more bytes."""
        with self._lock:
            self.value += inc
            now = time.monotonic()
            if self._show and now - self._shown >= _EVERY_SECONDS:
                self._shown = now
                self._print()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._show:
            self._print()
            sys.stderr.write("\n")

    def _print(self) -> None:
        rate = self.value / max(time.monotonic() - self._start, 1e-6)
        total = f" of {size_text(self.size)}" if self.size else ""
        line = f"{self._verb} {size_text(self.value)}{total}, {size_text(rate)}/s"
        sys.stderr.write("\r" + line.ljust(self._length))
        sys.stderr.flush()
        self._length = len(line)
