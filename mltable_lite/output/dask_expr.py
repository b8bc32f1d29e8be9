"""What dask's optimiser sees of a table: an expression that takes columns, filters and partitions into its reading."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from dask._task_spec import Task
from dask.dataframe.dask_expr._expr import Filter, Index, Lengths, Literal, PartitionsFiltered, Projection
from dask.dataframe.dask_expr._expr import determine_column_projection as needed_columns
from dask.dataframe.dask_expr._reductions import Len
from dask.dataframe.dask_expr.io import BlockwiseIO
from dask.dataframe.utils import clear_known_categories

from mltable_lite.expr import conjoin, to_text
from mltable_lite.output.dask_filter import is_row_wise, split_predicate

if TYPE_CHECKING:
    import pandas as pd

    from mltable_lite.output.dask import Frames, Reader


class ReadMLTable(PartitionsFiltered, BlockwiseIO):  # type: ignore[misc]  # dask is untyped here
    """The frames of a table.

    Operands:
        frames: The table as groups of parts.
        columns: The columns in their order, or `None` for all.
        predicate: Rows that pass this bound expression are read; `None` for all.
    """

    _parameters = ["frames", "columns", "predicate", "_partitions"]  # noqa: RUF012 - as dask wants it
    _defaults = {"columns": None, "predicate": None, "_partitions": None}  # noqa: RUF012
    _pickle_functools_cache = False
    _absorb_projections = True
    _filter_passthrough = True

    @property
    def frames(self) -> Frames:
        """The table as groups of parts."""
        found: Frames = self.operand("frames")
        return found

    @cached_property
    def _name(self) -> str:
        return f"read-mltable-{self.deterministic_token}"

    @property
    def _funcname(self) -> str:
        return "read_mltable"

    def __str__(self) -> str:
        return f"ReadMLTable({self._name[-7:]})"

    def _tree_repr_argument_construction(self, i: int, op: Any, header: str) -> str:
        name = self._parameters[i]
        if name == "predicate" and op is not None:
            return f"{header} predicate={to_text(op)}"
        shown: str = header if name == "frames" else super()._tree_repr_argument_construction(i, op, header)
        return shown

    # ---------------------------------------------------------------- what it is
    @cached_property
    def _all(self) -> pd.DataFrame:
        # Nobody knows the categories before they are read.
        meta: pd.DataFrame = clear_known_categories(self.frames.meta())
        return meta

    @cached_property
    def _meta(self) -> pd.DataFrame:
        columns = self.operand("columns")
        return self._all if columns is None else self._all[list(columns)]

    @property
    def dtypes_by_name(self) -> pd.Series[Any]:
        """The dtype of each column of the table, selected or not."""
        return self._all.dtypes

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        columns = self.operand("columns")
        return list(self._all.columns if columns is None else columns)

    def _divisions(self) -> tuple[Any, ...]:
        return self.frames.divisions or (None,) * (len(self.frames.groups) + 1)

    # ---------------------------------------------------------------- what it takes in
    def _simplify_up(self, parent: Any, dependents: Any) -> Any:
        if isinstance(parent, Projection):
            return super()._simplify_up(parent, dependents)
        if isinstance(parent, Index):
            return self._without_unneeded(parent, dependents)
        if isinstance(parent, Filter) and self._filter_passthrough_available(parent, dependents):
            return self._filtered_by(parent)
        if isinstance(parent, Lengths | Len):
            lengths = self._lengths()
            if lengths is not None:
                return Literal(lengths if isinstance(parent, Lengths) else sum(lengths))
            if isinstance(parent, Len) and self.columns:
                return Len(self.substitute_parameters({"columns": []}))
        return None

    def _without_unneeded(self, parent: Any, dependents: Any) -> Any:
        wanted = needed_columns(self, parent, dependents)
        columns = [name for name in self.columns if name in wanted]
        if len(columns) == len(self.columns):
            return None
        return Index(self.substitute_parameters({"columns": columns}))

    def _filter_passthrough_available(self, parent: Any, dependents: Any) -> bool:
        if not super()._filter_passthrough_available(parent, dependents):
            return False
        taken, rest = split_predicate(parent.predicate, self)
        return bool(taken) and (rest is None or is_row_wise(rest, self))

    def _filtered_by(self, parent: Any) -> Any:
        taken, rest = split_predicate(parent.predicate, self)
        predicate = self.operand("predicate")
        both = conjoin([*([] if predicate is None else [predicate]), *taken])
        filtered = self.substitute_parameters({"predicate": both})
        if rest is None:
            return filtered
        return Filter(filtered, rest.substitute(self, filtered))

    def _lengths(self) -> tuple[int, ...] | None:
        if self.operand("predicate") is not None:
            return None
        lengths = []
        for group in self._partitions:
            rows = self.frames.rows(group)
            if rows is None:
                return None
            lengths.append(rows)
        return tuple(lengths)

    # ---------------------------------------------------------------- what it does
    @cached_property
    def _reader(self) -> Reader:
        columns = self.operand("columns")
        return self.frames.reader(None if columns is None else tuple(columns), self.operand("predicate"))

    def _filtered_task(self, name: Any, index: int) -> Task:
        task = self.frames.task(self._reader.program, index)
        return Task(name, self._reader, task, _data_producer=True)
