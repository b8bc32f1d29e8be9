"""The commands that move and list files: `cp` and `ls`."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from mltable_lite.cli.options import storage_options


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("-r", "--recursive", is_flag=True, help="Copy all of a folder.")
@click.option("--dry-run", is_flag=True, help="Only print what would be copied.")
@click.option(
    "--overwrite",
    type=click.Choice(["changed", "always", "never"]),
    default="changed",
    show_default=True,
    help="Replace files that differ, all, or none (then a file that differs is an error).",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary.")
@storage_options
def cp(
    source: str,
    target: str,
    *,
    recursive: bool,
    dry_run: bool,
    overwrite: str,
    quiet: bool,
    options: dict[str, Any],
) -> None:
    """Copy files and folders between any two storages.

    SOURCE is a file, a folder, or a pattern; it and TARGET are paths or URIs, also web addresses of blobs with a SAS. A
    folder's content goes into TARGET.
    Files that are there already and equal are left alone, so a copy that was interrupted goes on where it stopped.
    """
    from mltable_lite import transfer

    modes: dict[str, Any] = {"changed": "changed", "always": True, "never": False}
    done = transfer.copy(
        source,
        target,
        recursive=recursive,
        overwrite=modes[overwrite],
        dry_run=dry_run,
        show_progress=not quiet and not dry_run and sys.stderr.isatty(),
        storage_options=options,
    )
    if dry_run:
        for item in done.items:
            click.echo(
                f"{'copy' if item.copied else 'skip'} {item.source} -> {item.target} ({item.bytes} bytes)"
            )
    if not quiet:
        click.echo(done)


@click.command()
@click.argument("uri", default=".")
@click.option("-r", "--recursive", is_flag=True, help="All files below, by their path.")
@storage_options
def ls(uri: str, *, recursive: bool, options: dict[str, Any]) -> None:
    """List a folder of any storage.

    One line each: the bytes of a file and its name; a folder's name ends with a slash.
    """
    from mltable_lite.errors import SourceNotFoundError
    from mltable_lite.storage.filesystem import info, settled
    from mltable_lite.storage.listing import list_all
    from mltable_lite.storage.options import StorageOptions
    from mltable_lite.storage.uri import parse_uri
    from mltable_lite.storage.walk import children

    opened = StorageOptions(options)
    place = settled(parse_uri(uri), opened)
    found = info(place, opened)
    if found is None:
        raise SourceNotFoundError(f"{place.uri}: The requested stream was not found.")
    rows: list[tuple[str, int | None]]
    if found.kind == "file":
        rows = [(place.name, found.size)]
    elif recursive:
        start = len(place.key.rstrip(os.sep)) + 1 if place.key else 0
        rows = [(file.key[start:], file.size) for file in list_all(place, opened)[1]]
    else:
        rows = [(child.name + "/" * child.is_folder, child.size) for child in children(place, opened)]
    width = max((len(str(size)) for _, size in rows if size is not None), default=1)
    for name, size in sorted(rows):
        click.echo(f"{'' if size is None else size:>{width}}  {name}")
