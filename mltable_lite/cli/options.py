"""Options that several commands take."""

from __future__ import annotations

from typing import Any

import click

_WORDS = {"true": True, "false": False}


def _named(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} has no value; write NAME=VALUE, for example anon=true.")
        options[name] = _WORDS.get(value.lower(), value)
    return options


storage_options = click.option(
    "-o",
    "--option",
    "options",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_named,
    help="A storage option; several times. Keep secrets in the environment: others see command lines.",
)
