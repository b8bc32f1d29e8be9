"""Runs one task once, in this process, and prints what it took as one line of JSON. Called by run.py.

python benchmarks/measure.py LIBRARY FORMAT TASK FOLDER TINY_FOLDER
"""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))  # this repository's mltable_lite, installed or not

NAMES = ["distance", "total"]  # 2 of the 14 columns
FARE = 60.0
PROBABILITY = 0.01
DAY = 14
ROWS = 20

ARGUMENTS = {
    "full": (),
    "columns": (NAMES,),
    "selective": (NAMES, FARE),
    "day": (NAMES, DAY),
    "sample": (PROBABILITY,),
    "take": (ROWS,),
}


def measure(library: str, format_name: str, task: str, folder: str, tiny_folder: str) -> dict:
    """Return seconds of the work (imports excluded), the peak of the process, and what came out."""
    run = getattr(importlib.import_module(f"libraries.{library}"), task)
    # Once on a tiny table: libraries load parts of themselves, and of others, when they are first used.
    run(format_name, tiny_folder, *ARGUMENTS[task])

    start = time.perf_counter()
    frame = run(format_name, folder, *ARGUMENTS[task])
    seconds = time.perf_counter() - start
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": round(seconds, 4),
        "peak_mb": round(peak_kib / 1024),
        "rows": len(frame),
        "columns": list(map(str, frame.columns)),
    }


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = measure(*sys.argv[1:])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
    print(json.dumps(answer))
