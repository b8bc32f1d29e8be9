"""Patterns of paths: ``*`` ``?`` ``[a-c]`` ``[!ab]`` ``**`` ``{a,b}`` -> regular expressions, segment by segment.

Pure text. ``*`` and ``?`` match leading dots and never a ``/``; ``**`` is a whole segment and matches any number of
folders, at the end of a pattern all files below.
"""

from __future__ import annotations

import itertools
import re

from mltable_lite.errors import ArgumentError

_MOST_ALTERNATIVES = 1000


def is_glob(text: str) -> bool:
    """Tell whether a text holds a character that means something in a pattern."""
    return any(c in text for c in "*?[") or any("," in text[i:j] for i, j in _braces(text))


def literally(text: str) -> str:
    """Return the pattern that stands for a text and nothing else."""
    return re.sub(r"[*?\[{]", r"[\g<0>]", text)


def split_pattern(pattern: str) -> list[list[str]]:
    """Return the pattern's segments; several lists where braces hold a ``/``. Runs of ``**`` become one.

    Raises:
        ArgumentError: ``**`` stands beside other characters, or the braces give too many patterns.
    """
    result = []
    for one in _expand(pattern):
        segments = [
            s for s, following in itertools.pairwise([*one.split("/"), ""]) if not s == following == "**"
        ]
        for segment in segments:
            if "**" in segment and segment != "**":
                raise ArgumentError(
                    f"pattern {pattern!r}: '**' must be a whole segment, not {segment!r}; "
                    f"write {segment.replace('**', '**/*', 1)!r} for files at any depth, or a single '*'."
                )
        result.append(segments)
    return result


def translate(segments: list[str]) -> re.Pattern[str]:
    """Return the expression that a path of these segments matches in full."""
    parts = []
    for i, segment in enumerate(segments):
        last = i == len(segments) - 1
        if segment == "**":
            parts.append(".+" if last else "(?:[^/]+/)*")
        else:
            parts.append(_segment(segment) + ("" if last else "/"))
    return re.compile("".join(parts), re.DOTALL)


def _segment(text: str) -> str:
    out = []
    groups = dict(_braces(text))
    i = 0
    while i < len(text):
        char = text[i]
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := text.find("]", i + 2 + text.startswith("[!", i))) > 0:
            out.append(_character_class(text[i + 1 : end]))
            i = end
        elif char == "{" and i in groups:
            end = groups[i]
            if len(alternatives := _alternatives(text[i + 1 : end])) > 1:
                out.append("(?:" + "|".join(map(_segment, alternatives)) + ")")
                i = end
            else:
                out.append(r"\{")
        else:
            out.append(re.escape(char))
        i += 1
    return "".join(out)


def _character_class(inside: str) -> str:
    negated = inside.startswith("!")
    inside = inside[negated:]
    items, i = [], 0
    while i < len(inside):
        if inside[i + 1 : i + 2] == "-" and i + 2 < len(inside):
            if inside[i] <= inside[i + 2]:
                items.append(f"{re.escape(inside[i])}-{re.escape(inside[i + 2])}")
            i += 3
        else:
            items.append(re.escape(inside[i]))
            i += 1
    if negated:
        return f"[^/{''.join(items)}]"
    return f"(?!/)[{''.join(items)}]" if items else "(?!)"


def _braces(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) of every closed pair of braces."""
    pairs, opened = [], []
    for i, char in enumerate(text):
        if char == "{":
            opened.append(i)
        elif char == "}" and opened:
            pairs.append((opened.pop(), i))
    return sorted(pairs)


def _alternatives(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _expand(pattern: str) -> list[str]:
    """Return the pattern with every pair of braces that holds a ``/`` written out."""
    done, todo = [], [pattern]
    while todo:
        one = todo.pop(0)
        pair = next(((i, j) for i, j in _braces(one) if "/" in one[i:j]), None)
        choices = _alternatives(one[pair[0] + 1 : pair[1]]) if pair else []
        if pair is None or len(choices) == 1:
            done.append(one)
        else:
            todo += [one[: pair[0]] + choice + one[pair[1] + 1 :] for choice in choices]
        if len(done) + len(todo) > _MOST_ALTERNATIVES:
            raise ArgumentError(
                f"pattern {pattern!r}: its braces stand for more than {_MOST_ALTERNATIVES} patterns."
            )
    return done
