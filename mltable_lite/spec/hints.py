"""What to do about the mistakes that people make in MLTable files: one sentence each, with a leading blank."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from mltable_lite.errors import Issue
from mltable_lite.masking import masked, shown

if TYPE_CHECKING:
    from collections.abc import Collection

Path = tuple[str | int, ...]

#: A hint looks at no more of a line.
_LINE = 500

_CONFLICT = re.compile(r"^(<{7}|={7}|>{7})( .*)?$", re.MULTILINE)
_NO_BLANK = re.compile(r"^\s*(?:- )?([A-Za-z_$]+):(?![\s/\\]|$)")
_UNQUOTED_BRACE = re.compile(r":\s+(\{[^{}]*\}[^\s,}\]].*)$")
_VALUE = re.compile(r"^\s*(?:- +)*([A-Za-z_$]+):\s+(.+)$")
#: The value of a line up to a comment; what stands in quotes holds none.
_UP_TO_COMMENT = re.compile(r"""(?:"[^"]*"|'[^']*'|(?!\s\#).)*""", re.VERBOSE)
#: What YAML ends too early or takes for something else: quotes around a part, a colon with a blank, a sign that it keeps.
_CUT = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*[^\s\#]|[@`%]|[^"'\[{|>&*!%@`\#].*:(?:\s|$)""", re.VERBOSE
)

# --------------------------------------------------------------------------- YAML syntax


def syntax_issues(text: str, error: Any) -> list[Issue]:
    """Return what a YAML parser's error means for the author of the file."""
    markers = [
        Issue("a merge conflict marker; keep one of the two versions and take the marker lines out.", line, 1)
        for line, content in enumerate(text.splitlines(), start=1)
        if _CONFLICT.match(content)
    ]
    if markers:
        return markers
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return [_character_issue(text, getattr(error, "character", None))]
    start = error.context_mark
    since = f" (from line {start.line + 1})" if start is not None and start.line != mark.line else ""
    problem = f"{error.context}{since} {error.problem}" if error.context else str(error.problem)
    lines = [*text.splitlines(), ""]
    # The cause often stands before the place where the parser gives up.
    around = [n for n in (mark.line, mark.line - 1, start.line if start else 0) if 0 <= n < len(lines)]
    hint = next(filter(None, (_line_hint(lines[n][:_LINE]) for n in around)), "")
    if not hint and "flow" not in problem and lines[around[0]].lstrip().startswith("- "):
        hint = " The items of a list begin in the same column: check the indentation."
    return [Issue(masked(f"{problem}.{hint}"), mark.line + 1, mark.column + 1)]


def _character_issue(text: str, code: object) -> Issue:
    """Return the issue of a character that YAML does not allow."""
    if not isinstance(code, int):
        return Issue("this is no YAML; the file must be plain text.", 1, 1)
    before = text.partition(chr(code))[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Issue(f"the character U+{code:04X} is not accepted; the file must be plain text.", line, column)


def _line_hint(line: str) -> str:
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return " Indent with blanks, not with tabs."
    if found := _NO_BLANK.match(line):
        return f" Write a blank after '{found[1]}:'."
    if found := _UNQUOTED_BRACE.search(line):
        return f" A text that begins with {{ stands in quotes: '{found[1].strip()}'."
    if (found := _VALUE.match(line)) and _CUT.match(found[2]):
        value = _UP_TO_COMMENT.match(found[2])
        return f" {_in_quotes(found[1], (value[0] if value else found[2]).strip())}"
    return ""


def comment_hint(key: str, text: str) -> str:
    """Return what to do about a text that YAML ends at `` #``."""
    return f"\nYAML takes ' #' for the beginning of a comment. {_in_quotes(key, text)}"


def _in_quotes(key: str, text: str) -> str:
    """Return the sentence that shows a value in the quotes that it needs; single ones where a text has none itself."""
    if "'" not in text or '"' in text or "\\" in text:
        quoted = "'" + text.replace("'", "''") + "'"
    else:
        quoted = f'"{text}"'
    what = "filter" if key == "filter" else "text"
    return f"Put the whole {what} in quotes: {key}: {quoted}"


# --------------------------------------------------------------------------- keys
_PATH_KEYS = dict.fromkeys(
    ("url", "uri", "path"),
    " Write 'file:' for one file or URL, 'folder:' for all files below, 'pattern:' for a glob.",
)
_ASSET_KEYS = dict.fromkeys(
    ("name", "version", "description", "tags", "path"),
    " It belongs to the data asset that is made of this folder, not to the MLTable file.",
)
_OPTION_KEYS = {
    "delta_table_version": " Write version_as_of: 3, or leave it out for the latest version.",
    "sep": " Did you mean 'delimiter'?",
    "separator": " Did you mean 'delimiter'?",
    "skip": " Write a step of its own after the read step: - skip: 1.",
    "columns": " Write a step of its own after the read step: - keep_columns: [a].",
    "column_types": " Did you mean 'infer_column_types'?",
    "dtype": " Did you mean 'infer_column_types'?",
}


_STEP_KEYS = {
    "read_csv": " Did you mean 'read_delimited'?",
    "read_text": " Did you mean 'read_delimited'?",
    "read_json": " Did you mean 'read_json_lines'?",
    "read_delta": " Did you mean 'read_delta_lake'?",
    "head": " Did you mean 'take'?",
    "limit": " Did you mean 'take'?",
    "select_columns": " Did you mean 'keep_columns'?",
}


def key_hint(path: Path, key: str, beside: Collection[str] = ()) -> str:
    """Return what to write instead of an unknown key, where more can be said than the nearest word.

    `beside` are all keys of its mapping.
    """
    match path:
        case () if key == "path" and "paths" not in beside:
            return ""
        case ():
            return _ASSET_KEYS.get(key, "")
        case ("paths", int()):
            return _PATH_KEYS.get(key, "")
        case ("transformations", int()):
            return _STEP_KEYS.get(key, "")
        case ("transformations", int(), str(step)) if step.startswith("read_"):
            return _OPTION_KEYS.get(key, "")
    return ""


# --------------------------------------------------------------------------- values
_TYPE_NAMES = {
    **dict.fromkeys(("bool",), "boolean"),
    **dict.fromkeys(("str", "text", "object"), "string"),
    **dict.fromkeys(("long", "integer", "int32", "int64", "bigint"), "int"),
    **dict.fromkeys(("double", "float32", "float64", "number", "decimal"), "float"),
    **dict.fromkeys(("datetime", "date", "timestamp", "datetime64"), "datetime"),
    **dict.fromkeys(("stream",), "stream_info"),
}


def type_meant(name: str) -> str:
    """Return the column type that other tools call so, or an empty text; ``datetime`` is none without its formats."""
    return _TYPE_NAMES.get(name.lower(), "")


def value_hint(path: Path, value: object, takes: str) -> str:
    """Return what to write instead of a value, or an empty text; `takes` says in words what is accepted."""
    match path:
        case ():
            return _root_hint(value)
        case ("paths", *rest):
            hint = _paths_hint(rest, value)
        case ("transformations", *rest):
            hint = _steps_hint(rest, value)
        case _:
            hint = ""
    return hint or _quotes_hint(value, takes)


def _root_hint(value: object) -> str:
    what = "The file is empty: begin" if value is None else "Begin"
    return f" {what} with 'paths:' and a list such as '- file: ./data.csv'."


def _paths_hint(rest: list[str | int], value: object) -> str:
    match rest, value:
        case [], str():
            return f" Write a list: '- file: {shown(value)[1:-1]}'."
        case [], dict():
            return " Put '- ' before each entry."
        case [int()], str():
            return f" Write '- file: {shown(value)[1:-1]}' (or folder, pattern)."
    return ""


def _steps_hint(rest: list[str | int], value: object) -> str:
    match rest, value:
        case [], None:
            return " List the steps, or leave 'transformations' out."
        case [], dict():
            return " Put '- ' before each step."
        case [int()], str():
            return _bare_step_hint(value)
        case [int(), str(step)], None if step.startswith("read_"):
            return f" Write '- {step}' without ':' for all defaults, or indent the options further than the name."
        case [int(), "filter"], dict() if "expression" in value:
            return " Write the expression itself: - filter: 'col(\"a\") > 1'."
        case [int(), "convert_column_types"], dict():
            return " Write a list: '- columns: a' and below it 'column_type: int'."
        case [*_, "column_type_overrides"], dict():
            return " Write a list: '- columns: a' and below it 'column_type: int'."
        case [*_, "column_type"], str():
            meant = type_meant(value)
            if meant == "datetime":
                return " A datetime needs its formats: {datetime: {formats: ['%Y-%m-%d']}}."
            return meant and f" Write {meant}."
        case [*_, "version_as_of"], "latest":
            return " Leave it out for the latest version."
        case [*_, "mismatch_as"], bool():
            return f" Write it in quotes: '{str(value).lower()}'."
    return ""


#: An example of each step that cannot stand without a value.
_STEP_EXAMPLES = {
    "filter": "'col(\"a\") > 1'",
    "keep_columns": "[a]",
    "drop_columns": "[a]",
    "convert_column_types": "[{columns: a, column_type: int}]",
    "take": "10",
    "skip": "1",
    "take_random_sample": "{probability: 0.1}",
    "select_partitions": "[0]",
    "extract_columns_from_partition_format": "'/{year}/'",
}


def _bare_step_hint(name: str) -> str:
    return f" Write '- {name}: {_STEP_EXAMPLES[name]}'." if name in _STEP_EXAMPLES else ""


def _quotes_hint(value: object, takes: str) -> str:
    if isinstance(value, (bool, int, float)) and "a text" in takes:
        return " In quotes it is a text."
    if isinstance(value, str) and value.isascii() and value.isdigit() and "a whole number" in takes:
        return f" Write {value.lstrip('0') or '0'}, without quotes."
    if value is None:
        return " Give a value after the ':'."
    return ""
