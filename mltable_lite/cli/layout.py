"""How texts and frames are laid out: for a terminal as wide as it is, for files and pipes whole and as they are."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import pandas as pd

#: The longest value that a terminal is shown, as in pandas.
_CELL = 50


def wrapped(text: str, width: int) -> str:
    """Return a text whose longer lines go on below, indented; words stay whole."""
    return "\n".join(
        _wrapped(line, " " * (len(line) - len(line.lstrip())), width) for line in text.splitlines()
    )


def _wrapped(line: str, indent: str, width: int) -> str:
    return textwrap.fill(
        line.strip(),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def echo(text: str, *, err: bool = False) -> None:
    """Print a text, wrapped on a terminal."""
    width = _width(err=err)
    click.echo(text if width is None else wrapped(text, width), err=err)


def echo_frame(frame: pd.DataFrame) -> None:
    """Print a frame: on a terminal in blocks of as many columns as fit, with long values cut; else whole."""
    import pandas as pd

    width = _width()
    with pd.option_context("display.unicode.east_asian_width", True, "display.max_seq_items", None):
        if width is None:
            click.echo(frame.to_string())
        elif frame.empty:
            click.echo(wrapped(frame.to_string(), width))
        else:
            click.echo(frame.to_string(line_width=width, max_colwidth=max(min(_CELL, width - 10), 4)))


def _width(*, err: bool = False) -> int | None:
    """Return the columns of the terminal; `None` where the output is none."""
    stream = sys.stderr if err else sys.stdout
    return shutil.get_terminal_size().columns if stream.isatty() else None
