"""The tokens of a filter: what Python's parser must not see is refused here, with the right spelling.

Python's grammar is larger than ours, and wants newlines and keywords in their places. So the text is cut into tokens
first: unknown characters, foreign operators and runaway brackets are refused with a caret under them, newlines become
blanks, and Python's other keywords (``class``, ``from``) become plain names, as they are good column names.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from dataclasses import dataclass, field

from mltable_lite.errors import FilterSyntaxError

MAX_CHARACTERS = 10_000
MAX_NESTING = 100
_SHOWN_CHARACTERS = 100

#: The words with a meaning of their own; every other word is a name.
WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "True", "False", "None"})
#: Words that are a column if there is one, else a literal.
SOFT_WORDS = frozenset({"true", "false", "null"})

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+)
    | (?P<string>[rR]?(?:"(?:[^"\\\n\r\0]|\\[^\n\r\0])*"|'(?:[^'\\\n\r\0]|\\[^\n\r\0])*'))
    | (?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?)
    | (?P<word>[^\W\d]\w*)
    | (?P<operator>===|!==|<>|=<|=>|&&|\|\||==|!=|<=|>=|//|\*\*|[-+*/%<>()\[\],.&|~!=])
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"""\\(?:[\\'"abfnrtv]|[0-3][0-7]{2}|[0-7]{1,2}(?![0-7])
    |x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^{}]+\})""",
    re.VERBOSE,
)
_RIGHT_SPELLING = {
    "&": "and",
    "&&": "and",
    "|": "or",
    "||": "or",
    "~": "not ",
    "!": "not ",
    "=": "==",
    "===": "==",
    "!==": "!=",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
}
_RIGHT_WORD = {"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "IS": "is", "NULL": "None"}
_FORM_INSTEAD = {
    "like": "use x.startswith('a'), x.endswith('a'), x.contains('a') or x.matches('a.*b')",
    "between": "write 1 <= x <= 2",
    "xor": "write (a) != (b)",
}
_CHARACTER_HINTS = {
    "#": "comments are not part of a filter",
    ";": "a filter is one expression",
    "`": 'write a column name with blanks as col("the name")',
    "$": 'write a column as col("name")',
    "@": 'write a column as col("name")',
    "{": "write a list with [ ]",
    "}": "write a list with [ ]",
    ":": "write comparisons and ternaries (x if c else y) only",
    "?": "write c ? x : y as x if c else y",
    "\\": "a filter may go over several lines as it is",
}


@dataclass(slots=True)
class Tokens:
    """A checked text.

    Attributes:
        text: As the user wrote it.
        code: The same for Python's parser: on one line, in brackets.
        names: The name that ends at a byte of `code`, as the user wrote it.
        inserted: The bytes of `code` that are not in the text.
    """

    text: str
    code: str = ""
    names: dict[int, str] = field(default_factory=dict)
    inserted: list[int] = field(default_factory=list)

    def position(self, byte: int) -> int:
        """Return the position in the text, in characters, of a byte of `code`."""
        byte -= sum(inserted < byte for inserted in self.inserted)
        return len(self.text.encode()[:byte].decode(errors="ignore"))


def is_bare_name(name: str) -> bool:
    """Tell whether a column or field can be written without ``col("...")``."""
    return name.isidentifier() and name not in WORDS | SOFT_WORDS and unicodedata.is_normalized("NFKC", name)


def syntax_error(text: str, position: int, message: str) -> FilterSyntaxError:
    """Return the error with the text around a position (in characters) and a caret under it."""
    return FilterSyntaxError(f"filter: {message}\n{picture(text, position)}")


def picture(text: str, position: int) -> str:
    """Return two lines: the text around a position, in characters, and a caret under it."""
    start = max(0, position - _SHOWN_CHARACTERS * 2 // 3)
    shown = "".join(c if c.isprintable() else " " for c in text[start : start + _SHOWN_CHARACTERS])
    before, after = "..." if start else "", "..." if start + _SHOWN_CHARACTERS < len(text) else ""
    caret = " " * (position - start + len(before)) + "^"
    return f"    {before}{shown}{after}\n    {caret}"


def tokenise(text: str) -> Tokens:
    """Return the checked tokens of a filter's text.

    Raises:
        FilterSyntaxError: A character, operator or bracket has no place in the language, or the text is too long.
    """
    if len(text) > MAX_CHARACTERS:
        raise FilterSyntaxError(
            f"filter: the expression has {len(text)} characters, more than {MAX_CHARACTERS}; "
            "split it into several filter steps, or use 'x in [...]' for many values."
        )
    if not text.strip():
        raise FilterSyntaxError('filter: the expression is empty; write a condition such as col("a") > 1.')
    tokens = Tokens(text, inserted=[0])
    code = ["("]
    brackets: list[tuple[str, int]] = []
    position, end_byte = 0, 1
    previous = before = ""
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or not _encodable(token[0]):
            raise _unknown_character(text, position)
        kind, value = str(token.lastgroup), token[0]
        if kind == "word" and previous == "number":
            if value not in WORDS:
                raise syntax_error(
                    text, position, f'a name after a number; write it as col("{before}{value}").'
                )
            tokens.inserted.append(end_byte)
            code.append(" ")
            end_byte += 1
        end_byte += len(value.encode())
        if kind == "string":
            _check_string(text, position, value, previous, before)
        elif kind == "operator":
            if value in _RIGHT_SPELLING:
                raise _foreign(text, position, value)
            _match_bracket(text, position, value, brackets)
        elif kind == "word":
            if not unicodedata.is_normalized("NFKC", value):
                raise syntax_error(text, position, f'write this name as col("{value}").')
            tokens.names[end_byte] = value
        code.append(_for_python(kind, value))
        # Blanks part a number or a prefix from what follows, but not two texts.
        previous, before = (kind, value) if kind != "blank" or previous != "string" else (previous, before)
        position = token.end()
    if brackets:
        raise syntax_error(text, brackets[-1][1], f"{brackets[-1][0]!r} is never closed.")
    tokens.code = "".join([*code, ")"])
    return tokens


def _check_string(text: str, position: int, value: str, previous: str, before: str) -> None:
    if previous == "string":
        raise syntax_error(text, position, "two text literals without an operator or comma between them.")
    if previous == "word" and before not in WORDS:
        raise syntax_error(text, position, "a text literal may only have the prefix r.")
    if value[0] not in "rR":
        at = value.find("\\")
        while at >= 0:
            escape = _ESCAPE.match(value, at)
            if escape is None:
                hint = r"an unknown escape in a text literal; write \\ for a backslash, or r'...'."
                raise syntax_error(text, position + at, hint)
            at = value.find("\\", escape.end())


def suggest(text: str) -> str:
    """Return the sentence that shows a text in the language's own spelling; empty when that is of no help."""
    found = [(str(t.lastgroup), t[0]) for t in _TOKEN.finditer(text)]
    if "".join(value for _, value in found) != text:
        return ""
    for kind, value in found:
        if kind == "word" and value.lower() in _FORM_INSTEAD:
            return f" Instead of {value!r}, {_FORM_INSTEAD[value.lower()]}."
    spelled = "".join(
        _RIGHT_SPELLING.get(value, value)
        if kind == "operator"
        else _RIGHT_WORD.get(value, value)
        if kind == "word"
        else value
        for kind, value in found
    )
    spelled = " ".join(spelled.split())
    return f" Write: {spelled}" if spelled != " ".join(text.split()) else ""


def _foreign(text: str, position: int, operator: str) -> FilterSyntaxError:
    right = _RIGHT_SPELLING[operator].strip()
    return syntax_error(
        text, position, f"{operator!r} is not an operator here; it is written {right!r}.{suggest(text)}"
    )


def _unknown_character(text: str, position: int) -> FilterSyntaxError:
    character = text[position]
    if character in "\"'":
        return syntax_error(text, position, "this text literal is not closed on its line.")
    if not _encodable(character) or character == "\0":
        return syntax_error(text, position, f"{character!r} is not a character of any text.")
    if character in "\u201c\u201d\u2018\u2019":
        return syntax_error(text, position, f"{character!r} is a typographic quote; write \" or '.")
    hint = _CHARACTER_HINTS.get(character, 'write such a name as col("...") and such a text in quotes')
    return syntax_error(text, position, f"{character!r} has no meaning here; {hint}.")


def _match_bracket(text: str, position: int, value: str, brackets: list[tuple[str, int]]) -> None:
    if value in "([":
        brackets.append((value, position))
        if len(brackets) > MAX_NESTING:
            raise syntax_error(text, position, f"more than {MAX_NESTING} brackets inside each other.")
    elif value in ")]":
        if not brackets or brackets[-1][0] != {")": "(", "]": "["}[value]:
            raise syntax_error(text, position, f"{value!r} closes nothing.")
        brackets.pop()


def _for_python(kind: str, value: str) -> str:
    if kind == "blank":
        return " " * len(value.encode())
    if kind == "word" and keyword.iskeyword(value) and value not in WORDS:
        return "_" * len(value)
    return value


def _encodable(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)
