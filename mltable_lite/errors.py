"""Errors and warnings: one tree, and the texts made from facts.

Every error a user can cause is a :class:`UserErrorException` and also the fitting builtin, so that code written
for the reference and plain Python both catch it. A text says: where - what was found - what is accepted - what to do.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mltable_lite.masking import masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def did_you_mean(word: str, accepted: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` with the nearest accepted word, or an empty text."""
    words = {candidate.lower(): candidate for candidate in accepted}
    near = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.6)
    return f" Did you mean {words[near[0]]!r}?" if near else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Return names as ``a, b, c``, cut after `most` of them with a count of the rest."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


def _restore(cls: type[MLTableError], args: tuple[Any, ...], state: dict[str, Any]) -> MLTableError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class MLTableError(Exception):
    """The root of every error that mltable_lite raises on purpose. Its text holds no credential."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(masked(each) if isinstance(each, str) else each for each in args))

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""

    def put_before(self, where: str) -> None:
        """Begin the text with where the cause stands (``MLTable:4``), unless that is not known."""
        if where:
            self.args = (f"{where} {self}", *self.args[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take facts, not a text: rebuild from the finished text, so that errors cross processes.
        return _restore, (type(self), self.args, self.__dict__)


class UserErrorException(MLTableError):  # noqa: N818 - the name users of the reference catch
    """Something the caller, the MLTable file or the data has wrong."""


class ArgumentError(UserErrorException, ValueError):
    """An argument has a value that is not accepted."""


class ArgumentTypeError(UserErrorException, TypeError):
    """An argument has a type that is not accepted."""


# --------------------------------------------------------------------------- the MLTable file
@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong in a spec: where it stands and what would be right. Lines and columns count from 1.

    `in_filter` tells that it is about the syntax of a filter.
    """

    message: str
    line: int | None = None
    column: int | None = None
    key: str = ""
    in_filter: bool = False

    def text(self, source: str) -> str:
        """Return ``MLTable:6:7 key: message``; further lines of the message are indented as an error shows issues."""
        place = source + (f":{self.line}:{self.column}" if self.line is not None else "")
        message = self.message.replace("\n", "\n  ")
        return f"{place} {self.key + ': ' if self.key else ''}{message}".strip()


class SpecError(ArgumentError):
    """The MLTable file is not a valid spec; `issues` holds all that is wrong, in file order."""

    def __init__(self, source: str, issues: Sequence[Issue], title: str = "") -> None:
        self.source = source
        self.issues = tuple(issues)
        count = "1 issue" if len(issues) == 1 else f"{len(issues)} issues"
        title = title or f"Given MLTable does not adhere to the MLTable schema, {count}:"
        super().__init__("\n".join([title, *("  " + issue.text(source) for issue in issues)]))

    @staticmethod
    def of(source: str, issues: Sequence[Issue], title: str = "") -> SpecError:
        """Return the error of these issues: one that is a `FilterSyntaxError`, too, where a filter is among them."""
        kind = FilterSpecError if any(issue.in_filter for issue in issues) else SpecError
        return kind(source, issues, title)

    def without_places(self, title: str) -> SpecError:
        """Return the same about values that a caller gave: no file, no lines."""
        return SpecError("", [replace(issue, line=None, column=None) for issue in self.issues], title)


class MLTableNotFoundError(UserErrorException, FileNotFoundError):
    """There is no MLTable file at the place given to ``load``."""


# --------------------------------------------------------------------------- storage
class SourceNotFoundError(UserErrorException, FileNotFoundError):
    """A file, folder or pattern of the table's paths is not there."""


class AccessDeniedError(UserErrorException, PermissionError):
    """The storage refuses to give or take the bytes."""


class StorageError(UserErrorException, OSError):
    """The storage failed; the text names the redacted URI and the cause."""


class SaveError(UserErrorException, OSError):
    """A table could not be saved; nothing was left half-written."""


class TargetExistsError(SaveError, FileExistsError):
    """The target of a save exists and may not be overwritten."""


# --------------------------------------------------------------------------- the data
class DataError(UserErrorException, ValueError):
    """The bytes of a data file are not what the format says."""


class EncodingError(DataError):
    """Bytes that are no text in the declared encoding."""


class CorruptFileError(DataError):
    """A file is truncated, damaged or of another format."""


class InvalidLineError(DataError):
    """A line of a text file cannot be read."""


class SchemaMismatchError(DataError):
    """Values or files that do not fit the table's schema, where an output cannot widen it.

    Attributes:
        column: The column's name, where one column is at fault.
        file: The file's path, where one file is at fault.
        line: The line in that file, counted from 1, where known.
    """

    def __init__(
        self, message: str, *, column: str | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        self.column = column
        self.file = file
        self.line = line
        super().__init__(message)


class UnsupportedFeatureError(UserErrorException, NotImplementedError):
    """The data needs a feature that mltable_lite does not have; refused before reading."""


# --------------------------------------------------------------------------- columns and expressions
class ColumnNotFoundError(UserErrorException, KeyError):
    """A step names a column that the table does not have at that point."""

    def __init__(self, step: str, missing: Sequence[str], available: Sequence[str]) -> None:
        self.missing = tuple(missing)
        names = ", ".join(repr(name) for name in missing)
        noun = "column" if len(missing) == 1 else "columns"
        hint = _uncut(available) or did_you_mean(missing[0], available)
        has = f"the table has: {listed(available)}." if available else "the table has no columns."
        super().__init__(f"{step}: no {noun} {names}; {has}{hint}")


def _uncut(columns: Sequence[str]) -> str:
    """Return what to do where the one column is a whole header line of delimited text."""
    found = next((mark for mark in ";\t|" if len(columns) == 1 and mark in columns[0]), None)
    return (
        f" If {found!r} separates the columns of the file, give it: delimiter: {json.dumps(found)}."
        if found
        else ""
    )


class NoColumnsError(UserErrorException, ValueError):
    """A step leaves the table without any column."""


class FilterSyntaxError(UserErrorException, ValueError):
    """A filter's text is not in the filter language."""


class FilterSpecError(SpecError, FilterSyntaxError):
    """The MLTable file is not a valid spec, and a filter in it is not in the filter language."""


class FilterTypeError(UserErrorException, TypeError):
    """A filter compares or combines kinds of values that do not go together.

    Attributes:
        columns: The columns that the filter names and no step converts, whose types may only seem not to go together.
    """

    columns: tuple[str, ...] = ()


class EvaluationError(UserErrorException, ArithmeticError):
    """A filter cannot be computed on a row, for example a division by zero.

    Attributes:
        row: The number of the row in its batch, from 0, where one row is at fault.
    """

    def __init__(self, message: str, *, row: int | None = None) -> None:
        self.row = row
        super().__init__(message)


class ConversionError(UserErrorException, ValueError):
    """A value cannot be converted: the table asks for an error, or the output has nothing to hold it."""


# --------------------------------------------------------------------------- warnings
class MLTableWarning(UserWarning):
    """The root of every warning; with ``strict=True`` each one is raised as :class:`StrictModeError`."""


class StrictModeError(UserErrorException, ValueError):
    """What would have been a warning, in strict mode."""

    @staticmethod
    def of(notice: Notice) -> StrictModeError:
        """Return the error that a notice is in strict mode."""
        return StrictModeError(f"{notice.text()} (strict mode makes a {notice.category.__name__} an error)")


class SpecWarning(MLTableWarning):
    """A lenient form in an MLTable file was understood; the text says the right spelling."""


class TypeWidenedWarning(MLTableWarning):
    """Values past the sample did not fit the guessed type; the column was widened, nothing was lost."""


class ConversionWarning(MLTableWarning):
    """Values that a conversion could not keep became null or lost a part."""


class MissingColumnWarning(MLTableWarning):
    """A step names a column that is not there and goes on without it."""


class InvalidLinesWarning(MLTableWarning):
    """Invalid lines were dropped, as the table asks."""


class DuplicateKeyWarning(MLTableWarning):
    """A JSON object holds a key twice; the last value was taken."""


class PrecisionWarning(MLTableWarning):
    """Numbers beyond their type's range were read as float64 and lost digits, or became infinite."""


class SkippedFilesWarning(MLTableWarning):
    """Files were left out: those that the table asks to ignore, or a Delta log that is not read."""


class DataChangedWarning(MLTableWarning):
    """The data of a version of a data asset is not as it was when the version was registered."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning in the making: found in a worker, merged per class and column, shown once at the end of a read.

    Attributes:
        category: The warning class.
        column: The column concerned, or an empty text.
        count: How many values, lines or files.
        what: What happened, as the text after the count: ``values are not int64 and became null``.
        first: The first bad value, as text, already shortened.
        where: Where it stands: ``data/part-3.csv line 1048``; or what `str()` makes that of, and may read for it.
        fix: What the user can do, or an empty text.
    """

    category: type[MLTableWarning]
    column: str
    count: int
    what: str
    first: str = ""
    where: object = ""
    fix: str = ""

    def text(self) -> str:
        """Return the warning's text."""
        name = f"column {self.column!r}: " if self.column else ""
        first = f"; first: {self.first}" if self.first else ""
        where = f" at {self.where}" if self.where else ""
        return f"{name}{self.count} {self.what}{first}{where}{'. ' + self.fix if self.fix else ''}"


class Notices:
    """Collects notices of one read in row order and merges those of the same class, column and text."""

    def __init__(self) -> None:
        self._merged: dict[tuple[type[MLTableWarning], str, str], Notice] = {}
        self._handed_on: set[tuple[type[MLTableWarning], str, str]] = set()

    def add(self, notice: Notice) -> None:
        """Add a notice; the first one of a kind keeps its place, later ones only add to its count."""
        key = (notice.category, notice.column, notice.what)
        seen = self._merged.get(key)
        if seen is None:
            self._merged[key] = notice
        else:
            self._merged[key] = Notice(
                seen.category,
                seen.column,
                seen.count + notice.count,
                seen.what,
                seen.first,
                seen.where,
                seen.fix,
            )

    def has(self, category: type[MLTableWarning], column: str, what: str) -> bool:
        """Tell whether there is a notice of this kind, so that nobody asks for the place of another."""
        key = (category, column, what)
        return key in self._merged or key in self._handed_on

    def hand_on(self) -> Notices:
        """Return what was added since the last time: `has` still knows of it, and here it is counted no more."""
        handed = Notices()
        handed._merged = self._merged
        self._handed_on.update(self._merged)
        self._merged = {}
        return handed

    def extend(self, other: Notices) -> None:
        """Add every notice of another collection, in its order."""
        for notice in other:
            self.add(notice)

    def __iter__(self) -> Any:
        return iter(self._merged.values())

    def __len__(self) -> int:
        return len(self._merged)
