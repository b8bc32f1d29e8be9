"""The command `mltable-lite`: look at a table without writing Python."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import click

import mltable_lite
from mltable_lite.cli.files import cp, ls
from mltable_lite.cli.layout import echo, echo_frame
from mltable_lite.cli.options import storage_options
from mltable_lite.errors import MLTableError

if TYPE_CHECKING:
    from collections.abc import Callable

_TABLE = click.argument("table", type=str, default=".")


class _Commands(click.Group):
    """Runs a command; an error of ours is one message on standard error and exit code 1, never a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        warnings.showwarning = lambda message, category, *_: echo(f"{category.__name__}: {message}", err=True)
        try:
            return super().invoke(ctx)
        except MLTableError as error:
            echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Commands)
@click.version_option(mltable_lite.__version__, prog_name="mltable-lite")
def main() -> None:
    """Look at tables that are described in a file named MLTable.

    TABLE is the folder of an MLTable file, the file itself, or a URI; by default the working directory.
    """


main.add_command(cp)
main.add_command(ls)


def _command(function: Callable[..., None]) -> click.Command:
    return main.command()(_TABLE(storage_options(function)))


@_command
def validate(table: str, *, options: dict[str, Any]) -> None:
    """Check a table, and read its first rows.

    Checked are the MLTable file, its paths, columns and filters.
    """
    mltable_lite.load(table, options).validate()
    click.echo(f"{table}: valid")


@_command
@click.option(
    "-n", "--rows", type=click.IntRange(min=1), default=20, show_default=True, help="How many rows."
)
def show(table: str, *, rows: int, options: dict[str, Any]) -> None:
    """Print the first rows.

    On a terminal as many columns side by side as fit; into a file or a pipe every row in one line, and nothing cut.
    """
    echo_frame(mltable_lite.load(table, options).show(rows))


@_command
@click.option("--analyze", is_flag=True, help="Also run it, and say what was opened, skipped and read.")
def explain(table: str, *, analyze: bool, options: dict[str, Any]) -> None:
    """Print the plan of reading a table.

    As declared, as optimised, and what is pushed into the scan.
    """
    echo(mltable_lite.load(table, options).explain(analyze=analyze))


@_command
def schema(table: str, *, options: dict[str, Any]) -> None:
    """Print the columns and their Arrow types."""
    for field in mltable_lite.load(table, options).schema:
        echo(f"{field.name}: {field.type}")


@_command
def count(table: str, *, options: dict[str, Any]) -> None:
    """Print the number of rows."""
    click.echo(mltable_lite.load(table, options).count_rows())
