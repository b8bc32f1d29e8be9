"""Random tables and random steps, read by the reference and by this library; each difference is explained or shown.

    make differential OPTIONS="--pairs 5000 --seed 1"

Every rule that explains a difference is the id of a row of docs/compatibility.md. What no rule explains is kept in the
folder given by --keep, and makes the command fail.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import make_text
import make_typed
from explain import judge
from reference import Reference

MAKERS = {
    "delimited": make_text.make,
    "json_lines": make_typed.make_json,
    "parquet": make_typed.make_parquet,
    "delta_lake": make_typed.make_delta,
}
SHARES = ("delimited", "delimited", "json_lines", "parquet", "delta_lake")


def say(text: str, **options: Any) -> None:
    print(text, **options)  # noqa: T201 - what the command is for


def main() -> int:
    """Run, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="the number of the first pair")
    parser.add_argument("--kind", choices=MAKERS, help="one format only")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "differential")
    options = parser.parse_args()
    reference = Reference()
    started = time.monotonic()
    pairs: Counter[str] = Counter()
    same: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    unexplained = []
    for number in range(options.seed, options.seed + options.pairs):
        kind = options.kind or SHARES[number % len(SHARES)]
        case = MAKERS[kind](Random(number), number)
        folder = options.keep / str(number)
        verdict = judge(case, options.keep / "pair", reference)
        pairs[kind] += 1
        same[kind] += verdict.same
        rules.update(verdict.rules)
        if verdict.unexplained:
            unexplained.append(number)
            case.write(folder)
            say(f"pair {number} ({kind}) in {folder}, besides {sorted(verdict.rules)}:", flush=True)
            for line in verdict.unexplained[:4]:
                say(f"    {line}", flush=True)
    reference.close()
    differed = sum(pairs.values()) - sum(same.values())
    say(
        f"{sum(pairs.values())} pairs in {time.monotonic() - started:.0f} s, {reference.restarts} restarts of the reference"
    )
    for kind in pairs:
        say(f"    {kind}: {pairs[kind]} pairs, {pairs[kind] - same[kind]} differed")
    say(f"{differed} differed; by rule (a pair may have several):")
    for rule, count in rules.most_common():
        say(f"    {count:5} {rule}")
    say(f"{len(unexplained)} not explained: {unexplained[:50]}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
