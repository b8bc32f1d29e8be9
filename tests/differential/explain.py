"""Which rows of docs/compatibility.md explain the differences of a pair: stage by stage, as the steps are added."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import answers
import rules_arrow
import rules_json
import rules_steps
import rules_text
import written
from compare import Answer, Column, Difference, column_of, differences

import mltable_lite

if TYPE_CHECKING:
    from pathlib import Path

    from case import Case
    from reference import Reference


@dataclass
class Verdict:
    """What became of a pair."""

    same: bool = False
    rules: set[str] = field(default_factory=set)
    unexplained: list[str] = field(default_factory=list)


def ours(folder: Path) -> Answer:
    """Return our answer, in the form that the other one has after its way through JSON."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer: Answer = json.loads(json.dumps(answers.read(mltable_lite, str(folder))))
    return answer


def judge(case: Case, folder: Path, reference: Reference) -> Verdict:
    """Read a pair with both libraries and explain the differences."""
    case.write(folder)
    both = _Both(folder, reference)
    theirs, our = both.read(case)
    if "error" in our and "MLTableError" not in our["tree"]:
        return Verdict(unexplained=[f"no error of the library: {our['error']}: {our['text'][:300]}"])
    if not differences(theirs, our):
        return Verdict(same=True)
    return _Judge(case, both).judge()


class _Both:
    """Reads stages of one pair, whose data stay where they are."""

    def __init__(self, folder: Path, reference: Reference) -> None:
        self._folder, self._reference = folder, reference

    def read(self, case: Case) -> tuple[Answer, Answer]:
        case.write_mltable(self._folder)
        return self._reference.read(self._folder), ours(self._folder)


class _Judge:
    """Goes through the stages of a pair that differs."""

    def __init__(self, case: Case, both: _Both) -> None:
        self.case, self.both = case, both
        self.verdict = Verdict()
        self.tainted: dict[str, set[str]] = {}
        self.texts: tuple[Answer, Answer] | None = None

    def judge(self) -> Verdict:
        if self.case.kind == "delimited":
            self.texts = self.both.read(self.case.read_only(infer_column_types=False))
            if self._stops(self.texts, self._lines, None):
                return self.verdict
        before = self.both.read(self.case.read_only())
        if self._stops(before, self._read, None):
            return self.verdict
        for count in range(1, len(self.case.steps) + 1):
            after = self.both.read(self.case.first_steps(count))
            if self._stops(after, self._step, (count, before[1])):
                return self.verdict
            before = after
        if not self.verdict.rules and not self.verdict.unexplained:
            self.verdict.unexplained.append("the stages do not show the difference")
        return self.verdict

    def _stops(self, pair: tuple[Answer, Answer], explain: Any, context: Any) -> bool:
        """Explain the differences of a stage; tell whether later stages mean nothing."""
        theirs, our = self._in_one_order(*pair)
        stop = "error" in theirs and "error" in our
        for difference in differences(theirs, our):
            if difference.what == "cells" and difference.column in self.tainted:
                continue
            rules = self._panics(theirs, our) or explain(difference, theirs, our, context)
            stop |= difference.what != "cells"
            if rules:
                self.verdict.rules |= rules
            else:
                self.verdict.unexplained.append(describe(difference, theirs, our))
            if difference.what == "cells":
                self.tainted[difference.column] = rules or set()
        return stop

    def _in_one_order(self, theirs: Answer, our: Answer) -> tuple[Answer, Answer]:
        """Return both answers with the rows of a Delta table in one order, which the reference does not keep."""
        if self.case.kind != "delta_lake" or "error" in theirs or "error" in our:
            return theirs, our
        names = [
            column_of(answer, written.ROW).values if written.ROW in answer["columns"] else []
            for answer in (theirs, our)
        ]
        if names[0] == names[1] or sorted(names[0]) != sorted(names[1]):
            return theirs, our
        self.verdict.rules.add("delta-row-order")
        return _sorted(theirs, names[0]), our if names[1] == sorted(names[1]) else _sorted(our, names[1])

    def _panics(self, theirs: Answer, our: Answer) -> set[str]:
        """Explain the one failure of the reference that any stage may have: booleans after a file of nulls."""
        if "error" in our or "list index out of range" not in theirs.get("text", ""):
            return set()
        booleans = any(
            isinstance(value, bool) or value in (0, 1, "true", "false")
            for values in our["values"]
            for value in values
        )
        cut = len(self.case.files) > 1 or "partition_size" in self.case.options
        booleans |= any(
            _override(self.case, name) not in (None, "int", "float", "string") for name in our["columns"]
        )
        return {"null-files-booleans"} if booleans and cut else set()

    # ---------------------------------------------------------------- stages
    def _lines(self, difference: Difference, theirs: Answer, our: Answer, _: Any) -> set[str]:
        rule = rules_text.explain_lines(self.case, theirs, our)
        return {rule} if rule else set()

    def _read(self, difference: Difference, theirs: Answer, our: Answer, _: Any) -> set[str]:
        if difference.what == "cells":
            return self._cells(self.case.read_only(), difference.column, theirs, our)
        if self.texts is not None:
            if "column type override must be in list" in theirs.get("text", ""):
                return {"override-late"}
            given = our.get("error") == "ConversionError" and "mismatch_as" in our["text"]
            return {"override-bool-error"} if given else set()
        rules = rules_json if self.case.kind == "json_lines" else rules_arrow
        rule = rules.explain_answers(self.case, theirs, our)
        if (
            rule is None
            and "error" not in theirs
            and "error" not in our
            and rules_steps.lost_empty_columns(theirs, our)
        ):
            rule = "columns-follow-rows"
        return {rule} if rule else set()

    def _step(self, difference: Difference, theirs: Answer, our: Answer, context: Any) -> set[str]:
        count, unsorted = context
        before = self._in_one_order(our, unsorted)[1]
        step = self.case.steps[count - 1]
        ((name, value),) = step.items()
        earlier = {key for one in self.case.steps[:count] for key in one}
        if "delta-row-order" in self.verdict.rules and earlier & {"take", "skip"}:
            return {"delta-row-order"}  # other rows are first
        if difference.what != "cells" and rules_arrow.counts_empty_files(self.case, name):
            return {"no-rows-counted"}
        if difference.what == "cells":
            if name == "convert_column_types" and difference.column in rules_steps.names_used(
                step, our["columns"]
            ):
                source = column_of(before, difference.column).values
                return rules_steps.explain_conversion(
                    value[0]["column_type"],
                    source,
                    column_of(theirs, difference.column),
                    column_of(our, difference.column),
                    "convert",
                )
            return self._cells(self.case.first_steps(count), difference.column, theirs, our)
        rule = rules_steps.explain_step(rules_steps.Step(name, value, before, theirs, our))
        if rule is None and self.case.kind == "parquet" and "error" in theirs:
            rule = rules_arrow.explain_answers(self.case, theirs, our)
        if rule is not None:
            return {rule}
        used = rules_steps.names_used(step, list(self.tainted))
        return set().union(*(self.tainted[column] for column in used))

    def _cells(self, case: Case, name: str, theirs: Answer, our: Answer) -> set[str]:
        one, two = column_of(theirs, name), column_of(our, name)
        if _nothing_left(one, two):
            return {"all-null-keeps-type"}
        if self.texts is None:
            rows = written.rows(case)
            truth = [rows.get(row, {}).get(name) for row in column_of(our, written.ROW).values]
            rules = rules_json if case.kind == "json_lines" else rules_arrow
            return rules.explain_cells(case, name, truth, one, two)
        texts = self._texts_of(name, our)
        if texts is None:
            return set()
        target = _override(case, name)
        if target is not None:
            return rules_steps.explain_conversion(target, texts, one, two, "override")
        assert self.texts is not None
        whole = column_of(self.texts[0], name).values
        return rules_text.explain_cells(rules_text.Cells(case, whole, texts, one, two))

    def _texts_of(self, name: str, our: Answer) -> list[str | None] | None:
        """Return the texts of a column in the rows that are there."""
        assert self.texts is not None
        texts = self.texts[0]
        if name not in texts["columns"]:
            return None
        values: list[str | None] = column_of(texts, name).values
        if len(values) == our["rows"]:
            return values
        if "rid" not in our["columns"]:
            return None
        by_row = dict(zip(column_of(texts, "rid").values, values, strict=True))
        return [by_row.get(row) for row in column_of(our, "rid").values]


def _sorted(answer: Answer, names: list[Any]) -> Answer:
    order = sorted(range(len(names)), key=lambda row: names[row])
    return {**answer, "values": [[values[row] for row in order] for values in answer["values"]]}


def _nothing_left(theirs: Column, our: Column) -> bool:
    return theirs.dtype == "object" and all(value is None for value in [*theirs.values, *our.values])


def _override(case: Case, name: str) -> Any:
    infer = case.options.get("infer_column_types", True)
    for item in infer.get("column_type_overrides", []) if isinstance(infer, dict) else []:
        if name in ([item["columns"]] if isinstance(item["columns"], str) else item["columns"]):
            return item["column_type"]
    return None


def describe(difference: Difference, theirs: Answer, our: Answer) -> str:
    """Return a difference for a person."""
    match difference.what:
        case "ours fails":
            return f"ours fails: {our['error']}: {our['text'][:300]}"
        case "reference fails":
            return f"the reference fails: {theirs['error']}: {' '.join(theirs['text'].split())[:300]}"
        case "cells":
            one, two = column_of(theirs, difference.column), column_of(our, difference.column)
            pairs = [
                (i, a, b)
                for i, (a, b) in enumerate(zip(one.values, two.values, strict=True))
                if a != b or type(a) is not type(b)
            ]
            return f"column {difference.column!r}: {one.dtype} and {two.dtype}; (row, reference, ours): {pairs[:3]}"
    return f"{difference.what}: {theirs['columns']} x {theirs['rows']} and {our['columns']} x {our['rows']}"
