"""What JSON Schema has no keyword for: a schema names a rule by ``format``, here it is judged.

`FORM` are the rules without which a file means nothing. `MEANING` are those of what stands in its texts: a file that
breaks one has a meaning that nothing can execute; `load` asks for them, and adds those of the languages that are not
known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mltable_lite.errors import UserErrorException
from mltable_lite.masking import masked, shown
from mltable_lite.spec.datetime_format import compile_format, moment, whole_format
from mltable_lite.types import DataType


class Broken(NamedTuple):
    """How a value breaks a rule; `path` leads to the part of it that is wrong."""

    message: str
    path: tuple[str | int, ...] = ()


#: A rule looks at a plain value of any kind; one that the schema does not take anyway is none of its business.
Rule = Callable[[Any], Iterable[Broken]]
Rules = Mapping[str, Rule]

_READ_STEPS = ("read_delimited", "read_parquet", "read_json_lines", "read_delta_lake")
_REGEX_ERRORS = (re.error, OverflowError, RecursionError)


def refused(call: Callable[..., object], *given: Any, path: tuple[str | int, ...] = ()) -> Iterator[Broken]:
    """Yield what a function that checks its arguments has against them; its own name before the text is left out."""
    try:
        call(*given)
    except UserErrorException as error:
        yield Broken(masked(str(error).partition(": ")[2]), path)


def of_text(check: Callable[[str], object]) -> Rule:
    """Return the rule that a text is one which a function takes."""
    return lambda value: refused(check, value) if isinstance(value, str) else ()


def too_many_readers(names: Sequence[str]) -> str:
    """Return what is wrong with these read steps in one table; empty for one or none."""
    if len(names) < 2:  # noqa: PLR2004 - more than one
        return ""
    return f"{len(names)} read steps ({', '.join(names)}); a table has one. Remove all but one."


# --------------------------------------------------------------------------- form
def _regex(value: object) -> Iterator[Broken]:
    if isinstance(value, str):
        try:
            re.compile(value)
        except _REGEX_ERRORS as error:
            yield Broken(f"{shown(value)} is no regular expression: {error}.")


def _delimiter(value: object) -> Iterator[Broken]:
    if isinstance(value, str) and value != r"\t" and any(character in value for character in '\r\n\0"'):
        text = f"{shown(value)} is not accepted for delimiter; accepted: a text without quotes and line ends."
        yield Broken(text)


def _boolean(value: object) -> Iterator[Broken]:
    true, false = _parts(value, "true_values", "false_values")
    if _are_texts(true) and _are_texts(false):
        yield from refused(DataType.to_bool, true, false)


def _sampler_arguments(value: object) -> Iterator[Broken]:
    upper, lower = _parts(value, "probability", "probability_lower_bound")
    if isinstance(upper, int | float) and isinstance(lower, int | float) and lower > upper:
        text = f"{float(lower)} is above probability, which is {float(upper)}; swap them."
        yield Broken(text, ("probability_lower_bound",))


# --------------------------------------------------------------------------- meaning
def _datetime(value: object) -> Iterator[Broken]:
    """Judge formats that are right each by itself: whether they say whole instants, with or without the constant."""
    formats, constant = _parts(value, "formats", "date_constant")
    for path, text in _texts(formats):
        if not any(refused(compile_format, text)):
            yield from refused(
                lambda text: whole_format(text, dated=constant is not None), text, path=("formats", *path)
            )


def _steps(value: object) -> Iterator[Broken]:
    if isinstance(value, list):
        names = [step if isinstance(step, str) else _only_key(step) for step in value]
        readers = [index for index, name in enumerate(names) if name in _READ_STEPS]
        text = too_many_readers([names[index] for index in readers])
        if text:
            yield Broken(text, (readers[1],))


def _parts(value: object, *keys: str) -> list[Any]:
    return [value.get(key) if isinstance(value, dict) else None for key in keys]


def _texts(value: object) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the texts of a text or list of texts, each with the path to it."""
    if isinstance(value, str):
        yield (), value
    elif isinstance(value, list):
        yield from (((index,), text) for index, text in enumerate(value) if isinstance(text, str))


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _only_key(step: object) -> str:
    return next(iter(step)) if isinstance(step, dict) and len(step) == 1 else ""


def _timestamp(text: str) -> object:
    return moment("read_delta_lake", text)


def _unknown_here(_: object) -> Iterable[Broken]:
    return ()


FORM: Rules = {
    "regex": _regex,
    "delimiter": _delimiter,
    "boolean": _boolean,
    "sampler_arguments": _sampler_arguments,
    **dict.fromkeys(
        ("steps", "datetime", "datetime_format", "timestamp", "filter", "partition_format"), _unknown_here
    ),
}
MEANING: Rules = {
    "steps": _steps,
    "datetime": _datetime,
    "datetime_format": of_text(compile_format),
    "timestamp": of_text(_timestamp),
}
