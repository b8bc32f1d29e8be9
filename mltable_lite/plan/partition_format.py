"""Columns from the path of a file: ``/{country}/{date:yyyy/MM/dd}/*.csv`` -> a value for each part in braces.

A format is looked for anywhere in the path, its first place from the left counts:

* ``{name}`` takes as many characters as it can, at least one, but no slash;
* ``{name:yyyy/MM/dd/HH/mm/ss}`` is a date, with every digit written and any separators; at most one a format;
* ``*`` and ``**`` stand for any characters but a slash, also none;
* everything else, case included, must stand in the path as written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mltable_lite.errors import ArgumentError

_STEP = "extract_columns_from_partition_format"
_BRACES = re.compile(r"\{(?P<inside>[^{}]*)\}|(?P<stars>\*+)|(?P<brace>[{}])|(?P<literal>[^{}*]+)")
_DATE_WORDS = {"yyyy": "year", "MM": "month", "dd": "day", "HH": "hour", "mm": "minute", "ss": "second"}
_DATE_PARTS = re.compile("|".join(_DATE_WORDS) + r"|[A-SU-Ya-z]+|.", re.DOTALL)  # T and Z may be separators
_EXAMPLE = "'/{country}/{date:yyyy/MM/dd}/'"


@dataclass(frozen=True, slots=True)
class PartitionFormat:
    """A compiled partition format.

    Attributes:
        text: The format as written.
        names: The columns in their order: as in the format, the date after all others.
        date: The name of the date column, if there is one.
    """

    text: str
    names: tuple[str, ...]
    date: str | None
    _pattern: re.Pattern[str]

    def match(self, path: str) -> dict[str, str | datetime] | None:
        """Return the value of every column in the order of `names`, or `None` when the path does not match.

        A date that is not in the calendar, such as month 13, does not match either.
        """
        found = self._pattern.search(path)
        if found is None:
            return None
        try:
            return {
                name: _date(found) if name == self.date else found[f"_{i}"]
                for i, name in enumerate(self.names)
            }
        except ValueError:
            return None

    def why_not(self, path: str) -> str:
        """Return the sentence that says why a path does not match, for an error's text that names the path."""
        if self._pattern.search(path) is None:
            return "A {name} takes one or more characters but no slash; all else must stand in the path as written."
        return f"There is no such date as {self.date!r} has in the first of them."


def compile_format(text: str) -> PartitionFormat:
    """Return the compiled format.

    Raises:
        ArgumentError: The format has no part in braces, unbalanced braces, a part without a name, a name twice, more
            than one date, or a date without a year or with gaps.
    """
    pattern = ""
    names: list[str] = []
    date: str | None = None
    for token in _BRACES.finditer(text):
        if token["brace"]:
            raise _refused(text, f"the {token['brace']!r} at character {token.start() + 1} has no partner")
        if token["stars"]:
            pattern += "[^/]*"
        elif token["literal"]:
            pattern += re.escape(token["literal"])
        else:
            name, colon, date_format = token["inside"].partition(":")
            _check_name(text, name, [*names, *([date] if date is not None else [])])
            if not colon:
                pattern += f"(?P<_{len(names)}>[^/]+)"
                names.append(name)
            elif date is not None:
                raise _refused(text, f"both {date!r} and {name!r} are dates, only one part may be a date")
            else:
                date = name
                pattern += _date_pattern(text, name, date_format)
    if not names and date is None:
        raise _refused(text, "it has no part in braces")
    return PartitionFormat(text, tuple(names) if date is None else (*names, date), date, re.compile(pattern))


def _check_name(text: str, name: str, earlier: list[str]) -> None:
    if not name.strip():
        raise _refused(text, "a part in braces has no name")
    if name in earlier:
        raise _refused(text, f"the name {name!r} stands in it twice; columns need names of their own")


def _date_pattern(text: str, name: str, date_format: str) -> str:
    """Return a regular expression with a named group for each part of the date."""
    pattern = ""
    words: list[str] = []
    for part in _DATE_PARTS.findall(date_format):
        if part in _DATE_WORDS:
            if part in words:
                raise _refused(text, f"the date {name!r} has {part!r} twice")
            words.append(part)
            pattern += f"(?P<{_DATE_WORDS[part]}>[0-9]{{{len(part)}}})"
        elif part.isalpha() and part not in ("T", "Z"):
            raise _refused(text, f"the date {name!r} has an unknown part {part!r} (known: {_known()})")
        else:
            pattern += re.escape(part)
    coarse_to_fine = list(_DATE_WORDS)
    missing = [word for word in coarse_to_fine[: len(words)] if word not in words]
    if not words or missing:
        raise _refused(
            text, f"the date {name!r} needs {missing[0] if missing else 'yyyy'!r} (known: {_known()})"
        )
    return pattern


def _known() -> str:
    return ", ".join(_DATE_WORDS)


def _date(found: re.Match[str]) -> datetime:
    groups = {key: int(value) for key, value in found.groupdict().items() if not key.startswith("_")}
    return datetime(**{"month": 1, "day": 1, **groups})  # type: ignore[arg-type]  # noqa: DTZ001 - naive, as in data


def _refused(text: str, why: str) -> ArgumentError:
    return ArgumentError(f"{_STEP}: partition_format {text!r}: {why}. Write it like {_EXAMPLE}.")
