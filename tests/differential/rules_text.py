"""Why delimited text differs: each rule is a row of docs/compatibility.md, and checks what that row says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import meaning
import rules_steps
from compare import Column, same_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from case import Case
    from compare import Answer

_SAMPLE = 200
_NS = ("1677-09-22", "2262-04-11")


# --------------------------------------------------------------------------- lines
def explain_lines(case: Case, reference: Answer, ours: Answer) -> str | None:
    """Return why the texts of the cells differ, or `None`."""
    texts = [_decoded(case, content) for content in case.files.values() if isinstance(content, bytes)]
    multi = bool(case.options.get("support_multi_line"))
    failed = ours.get("error", "")
    if failed == "InvalidLineError":
        if not multi and any(_open_quote(case, text) for text in texts):
            return "quote-over-lines"
        if multi and any(text.count('"') % 2 for text in texts):
            return "quote-never-closed"
    if failed == "SchemaMismatchError" and "the header is" in ours["text"]:
        return "header-differs" if len({_header(text) for text in texts if text}) > 1 else None
    if "error" in ours:
        return None
    if "error" in reference:
        ahead = case.options.get("include_path_column") or case.before
        return "empty-name-position" if ahead and "FieldNameConflict" in reference["text"] else None
    if any("\r" in text and "\n" not in text for text in texts):
        return "cr-only"
    if case.options.get("encoding") == "utf16" and any(
        c.startswith(b"\xfe\xff") for c in case.files.values() if isinstance(c, bytes)
    ):
        return "utf16-big-endian"
    if reference.get("columns") == [] and reference["rows"] == ours["rows"] == 0:
        return "header-only"
    if rules_steps.lost_empty_columns(reference, ours):
        return "columns-follow-rows"
    if _columns_are_numbered_otherwise(case, reference, ours):
        return "empty-name-position"
    if not multi and 0 < reference["rows"] - ours["rows"] <= sum(_blank_lines(text) for text in texts):
        return "blank-crlf-lines"
    if multi and any(re.search(r"(^|\n)\r?\n", text) for text in texts):
        return "multi-line-blank-lines"
    return None


def _blank_lines(text: str) -> int:
    """Return how many lines of a file hold nothing but a carriage return."""
    return len(re.findall(r"(?:^|(?<=\n))\r\n", text))


def _columns_are_numbered_otherwise(case: Case, reference: Answer, ours: Answer) -> bool:
    """Tell whether the positions in names count the columns that come before those of the file."""
    formats = [step["extract_columns_from_partition_format"]["partition_format"] for step in case.before]
    ahead = int(bool(case.options.get("include_path_column"))) + sum(text.count("{") for text in formats)
    moved = [
        re.sub(r"^Column(\d+)$", lambda m: f"Column{int(m[1]) + ahead}", name) for name in ours["columns"]
    ]
    pairs = zip(reference["columns"], ours["columns"], moved, strict=False)
    return ahead > 0 and len(reference["columns"]) == len(moved) and all(a in (b, c) for a, b, c in pairs)


def _decoded(case: Case, content: bytes) -> str:
    encoding = case.options.get("encoding", "utf8")
    if encoding == "utf16":
        encoding = "utf-16-be" if content.startswith(b"\xfe\xff") else "utf-16-le"
    elif encoding in ("latin1", "windows1252", "iso88591"):
        encoding = "cp1252"
    else:
        encoding = "utf-8"
    return content.decode(encoding, errors="replace").removeprefix("\ufeff")


def _header(text: str) -> str:
    return re.split(r"\r\n|\n|\r", text.lstrip("\r\n"), maxsplit=1)[0].replace('"', "")


def _open_quote(case: Case, text: str) -> bool:
    """Tell whether a line has a field that begins with a quote which the line does not close."""
    delimiter = re.escape(case.options.get("delimiter", ","))
    closed = rf'(?:"(?:[^"\n]|"")*"(?!")[^{delimiter}\n]*|[^"{delimiter}\n][^{delimiter}\n]*|)'
    line = re.compile(rf"(?:{closed}(?:{delimiter}{closed})*)\r?")
    return any(not line.fullmatch(part) for part in text.split("\n" if "\n" in text else "\r"))


# --------------------------------------------------------------------------- types
@dataclass(frozen=True)
class Cells:
    """A column that differs: its texts, in all rows and in those that are left, and what each library makes of them."""

    case: Case
    whole: list[str | None]
    texts: list[str | None]
    reference: Column
    ours: Column

    @property
    def sample(self) -> int:
        """How many rows the types are guessed from."""
        infer = self.case.options.get("infer_column_types", True)
        return infer.get("sample_size", _SAMPLE) if isinstance(infer, dict) else _SAMPLE

    @property
    def sampled(self) -> list[str]:
        """The texts that are there, among those the types are guessed from."""
        return [text for text in self.whole[: self.sample] if text]

    def rows(self) -> Iterator[tuple[int, str | None, Any, Any]]:
        """Yield number, text and both values of every row."""
        for i, row in enumerate(zip(self.texts, self.reference.values, self.ours.values, strict=True)):
            yield i, *row


def explain_cells(cells: Cells) -> set[str]:
    """Return the rules that explain every difference of a column, an empty set where something is left.

    Whatever the rule, our values must hold what the texts say, and the values of the reference must do so wherever no
    rule tells of a loss.
    """
    if not all(
        meaning.is_kept(text, value) for text, value in zip(cells.texts, cells.ours.values, strict=True)
    ):
        return set()
    found = set()
    for row in cells.rows():
        _, text, theirs, our = row
        if same_value(theirs, our):
            continue
        rule = next((name for name, holds in _RULES.items() if holds(cells, *row)), None)
        if rule is not None:
            found.add(rule)
        elif not meaning.is_kept(text, theirs):
            return set()
    return found or _whole_column(cells)


def _whole_column(cells: Cells) -> set[str]:
    """Return the rules of columns in which no single value differs, but the type does."""
    if cells.reference.dtype == "object" and not any(v is not None for v in cells.reference.values):
        return {"all-null-keeps-type"} if all(v is None for v in cells.ours.values) else set()
    in_paths = {path.removeprefix("p_").split("/")[0] for path in cells.case.files}
    if cells.case.before and set(cells.texts) < in_paths and cells.ours.dtype == "str":
        return {"partition-all-paths"}
    late = [text for text in cells.whole[cells.sample :] if text]
    if _is_int(cells) and any(
        meaning.as_int(text) is None and meaning.as_float(text) is not None for text in late
    ):
        return {"late-fraction-in-int"}  # such as 1e5, an integer cut off nothing
    if (cells.reference.dtype, cells.ours.dtype) == ("int64", "float64") and -(
        2**63
    ) in cells.reference.values:
        return {"late-nan-in-int"}  # cut to the smallest integer, which is the float that is nearest, too
    return set()


def _bits(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return isinstance(theirs, bool) and text in ("0", "1") and our == int(text) and not isinstance(our, bool)


def _signed_bits(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return (
        bool(text) and theirs is None and meaning.is_bit(text or "") and text not in ("0", "1") and _words(c)
    )


def _words(c: Cells) -> bool:
    return bool(c.sampled) and all(meaning.is_bit(t) or meaning.as_bool(t) is not None for t in c.sampled)


def _late_after_bits(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    return i >= c.sample and theirs is None and bool(c.sampled) and all(map(meaning.is_bit, c.sampled))


def _big_with_nulls(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    exact = isinstance(our, int) and isinstance(theirs, float)
    return (
        exact and c.ours.dtype == "int64" and any(v is None for v in c.ours.values) and theirs == float(our)
    )


def _quoted_empty(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return (
        theirs == text
        and "" in c.whole
        and not c.case.options.get("empty_as_string")
        and c.ours.dtype != "str"
    )


def _empty_as_string(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return (
        bool(c.case.options.get("empty_as_string"))
        and theirs == (text or "")
        and "" in c.whole
        and c.ours.dtype != "str"
    )


def _is_int(c: Cells) -> bool:
    return bool(c.sampled) and all(meaning.as_int(text) is not None for text in c.sampled)


def _is_float(c: Cells) -> bool:
    return bool(c.sampled) and all(meaning.as_float(text) is not None for text in c.sampled)


def _late_fraction(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    number = meaning.as_float(text or "")
    return (
        i >= c.sample and _is_int(c) and number is not None and theirs == int(number)
        if number is not None and abs(number) < 2**63
        else False
    )


def _late_nan(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    number = meaning.as_float(text or "")
    odd = number is not None and not abs(number) < 2**63
    return (
        i >= c.sample and _is_int(c) and odd and theirs in (0, 2**63 - 1, -(2**63), 0.0, float(2**63), None)
    )


def _late_in_int(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    return i >= c.sample and _is_int(c) and bool(text) and theirs is None and our == text


def _late_in_float(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    return i >= c.sample and _is_float(c) and bool(text) and theirs is None and our == text


def _late_in_bool(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    return i >= c.sample and _words(c) and bool(text) and theirs is None and our == text


def _late_date(c: Cells, i: int, text: str | None, theirs: Any, our: Any) -> bool:
    dates = bool(c.sampled) and all(meaning.instants(t) for t in c.sampled)
    return i >= c.sample and dates and bool(text) and theirs is None


def _dates(c: Cells) -> bool:
    return all(meaning.instants(t) for t in c.sampled) and bool(c.sampled)


def _ambiguous(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return _dates(c) and theirs is None and our == text and all(meaning.is_ambiguous(t) for t in c.sampled)


def _short_year(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return _dates(c) and our == text and meaning.has_two_digit_year(text or "")


def _mixed_order(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return _dates(c) and our == text and theirs is None and meaning.is_year_last(text or "")


def _order_by_column(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    decided = any(meaning.is_year_last(t) and not meaning.is_ambiguous(t) for t in c.whole if t)
    if isinstance(theirs, list) and our == text and meaning.has_both_orders(c.whole):
        return True
    return theirs is None and isinstance(our, list) and meaning.is_ambiguous(text or "") and decided


def _mixed_zones(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    zoned = {meaning.is_zoned(t) for t in c.whole if t}
    return _dates(c) and our == text and len(zoned) > 1


def _far(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    if text and text.startswith("0000") and our == text:
        return True
    far = any(not _NS[0] <= instant[:10] <= _NS[1] for instant in meaning.instants(text or ""))
    return _dates(c) and theirs is None and far


def _late_column(c: Cells, _: int, text: str | None, theirs: Any, our: Any) -> bool:
    return not c.sampled and theirs == text and our != text


_RULES: dict[str, Callable[[Cells, int, str | None, Any, Any], bool]] = {
    "bits": _bits,
    "signed-bits": _signed_bits,
    "big-integers-with-nulls": _big_with_nulls,
    "quoted-empty": _quoted_empty,
    "empty-as-string": _empty_as_string,
    "date-ambiguous": _ambiguous,
    "date-two-digit-year": _short_year,
    "date-far": _far,
    "date-order-by-column": _order_by_column,
    "date-mixed-order": _mixed_order,
    "date-mixed-zones": _mixed_zones,
    "late-after-bits": _late_after_bits,
    "late-fraction-in-int": _late_fraction,
    "late-nan-in-int": _late_nan,
    "late-text-in-int": _late_in_int,
    "late-text-in-float": _late_in_float,
    "late-word-in-bool": _late_in_bool,
    "late-date-form": _late_date,
    "late-new-column": _late_column,
}
