"""The main job, shown: an MLTable file, the plan made of it, the frame, and what was read for it.

python docs/examples/demo.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import mltable_lite as mltable
from mltable_lite.cli.layout import wrapped

WIDTH = 100


def show(title: str, text: object) -> None:
    """Print a titled block."""
    print(f"\n── {title} {'─' * (WIDTH - 4 - len(title))}\n")
    print(wrapped(str(text), WIDTH))


def main(folder: Path) -> None:
    """Show the table that `folder` declares."""
    pd.set_option("display.width", WIDTH, "display.max_columns", None, "display.max_rows", 10)
    table = mltable.load(folder)
    show(f"{folder.name}/MLTable", (folder / "MLTable").read_text(encoding="utf8").rstrip())
    show("table.explain(analyze=True)", table.explain(analyze=True))
    show("table.to_pandas_dataframe()", table.to_pandas_dataframe())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "taxi")
