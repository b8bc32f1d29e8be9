"""dask's filters as expressions of the filter language, where both mean exactly the same.

Comparisons of a column with a constant, joined by ``&`` and ``|``. What differs stays with dask: a comparison is taken
over only where its dtype and its constant compare by value. pandas has two rules for nulls. In its NumPy dtypes and
in `str` a null is no value: every comparison with it is false, but for ``!=``, which is true. In nullable dtypes a
comparison with a null is null, and such a row is left out.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pt
from dask.dataframe.dask_expr._accessor import FunctionMap, PropertyMap
from dask.dataframe.dask_expr._expr import (
    EQ,
    GE,
    GT,
    LE,
    LT,
    NE,
    And,
    AsType,
    Between,
    Binop,
    Isin,
    IsNa,
    NotNull,
    Projection,
    Unaryop,
    _DelayedExpr,
)
from dask.dataframe.dask_expr._expr import Expr as DaskExpr
from dask.dataframe.dask_expr._expr import Or as DaskOr

from mltable_lite.expr import Column, Compare, Expr, IsNull, Literal, Or, conjoin

if TYPE_CHECKING:
    from mltable_lite.expr.nodes import CompareOperator, Value
    from mltable_lite.output.dask_expr import ReadMLTable

_OPERATORS: dict[type, CompareOperator] = {EQ: "==", NE: "!=", LT: "<", LE: "<=", GT: ">", GE: ">="}
_FLIPPED: dict[CompareOperator, CompareOperator] = {
    "==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<=",
}  # fmt: skip
#: What dask makes of each row by itself, and a constant of it.
_ROW_WISE = (AsType, Between, Binop, IsNa, Isin, NotNull, Projection, Unaryop, _DelayedExpr)
#: Below this, integers and floats compare alike whether the one is made the other or not.
_EXACT = 2**53


def split_predicate(predicate: Any, table: ReadMLTable) -> tuple[list[Expr], Any]:
    """Return what the table can filter by itself, and what is left for dask, or `None`."""
    if isinstance(predicate, And):
        taken_left, left = split_predicate(predicate.left, table)
        taken_right, right = split_predicate(predicate.right, table)
        rest = right if left is None else left if right is None else And(left, right)
        return [*taken_left, *taken_right], rest
    translated = _translated(predicate, table)
    return ([], predicate) if translated is None else ([translated], None)


def is_row_wise(expression: Any, table: ReadMLTable) -> bool:
    """Tell whether each value is made of one row of the table, so that it is the same when rows are left out before.

    A mean is not, nor what looks at other rows or at the index.
    """
    if not isinstance(expression, DaskExpr):
        return True
    if expression._name == table._name:  # noqa: SLF001 - what tells dask's expressions apart
        return True
    of_values = isinstance(expression, FunctionMap | PropertyMap) and expression.accessor in ("str", "dt")
    return (of_values or isinstance(expression, _ROW_WISE)) and all(
        is_row_wise(operand, table) for operand in expression.operands
    )


def _translated(predicate: Any, table: ReadMLTable) -> Expr | None:
    if isinstance(predicate, And | DaskOr):
        left, right = _translated(predicate.left, table), _translated(predicate.right, table)
        if left is None or right is None:
            return None
        return conjoin([left, right]) if isinstance(predicate, And) else Or((left, right))
    operator = _OPERATORS.get(type(predicate))
    if operator is None:
        return None
    column, constant = predicate.left, predicate.right
    if isinstance(constant, DaskExpr):
        column, constant, operator = constant, column, _FLIPPED[operator]
    if not isinstance(column, Projection) or column.ndim != 1:
        return None
    if column.frame._name != table._name:  # noqa: SLF001 - what tells dask's expressions apart
        return None
    name = column.columns[0]
    return _comparison(name, operator, constant, table)


def _comparison(name: str, operator: CompareOperator, constant: Any, table: ReadMLTable) -> Expr | None:
    dtype = table.dtypes_by_name[name]
    schema = table.frames.split.program.schema
    value = _value(constant, schema.field(name).type, dtype)
    if value is None:
        return None
    compared = Compare(operator, Column(name), Literal(value))
    if operator != "!=":
        return compared if _is_ordered(value) or operator == "==" else None
    if not _null_is_unequal(dtype):
        # Whether NaN is null in a nullable dtype is an option of pandas.
        return None if pt.is_floating(schema.field(name).type) else compared
    return Or((IsNull(Column(name)), compared))


def _value(constant: Any, kind: pa.DataType, dtype: Any) -> Value:
    """Return the constant as the filter language has it, if a column compares with it exactly as in pandas."""
    if dtype.kind == "O" and isinstance(dtype, np.dtype):
        return None
    if isinstance(constant, np.generic) and not isinstance(constant, np.datetime64):
        constant = constant.item()
    if pt.is_boolean(kind):
        return constant if isinstance(constant, bool) else None
    if isinstance(constant, bool):
        return None
    if pt.is_integer(kind) and isinstance(constant, int | float):
        return constant if abs(constant) < _EXACT else None  # not for NaN either
    if (pt.is_float64(kind) or pt.is_float32(kind)) and isinstance(constant, int | float):
        exact = math.isfinite(constant) and abs(constant) < _EXACT
        # NumPy brings the constant to the column's width.
        return (
            constant if exact and (pt.is_float64(kind) or float(np.float32(constant)) == constant) else None
        )
    if (pt.is_string(kind) or pt.is_large_string(kind)) and isinstance(constant, str):
        return constant
    if pt.is_timestamp(kind):
        return _instant(constant, zoned=kind.tz is not None)
    return None


def _instant(constant: Any, *, zoned: bool) -> dt.datetime | None:
    """Return a moment as a naive datetime in UTC; `None` for one that Python's datetimes do not hold."""
    if not isinstance(constant, dt.datetime | np.datetime64):
        return None
    moment = pd.Timestamp(constant)
    if pd.isna(moment) or moment.nanosecond or (moment.tzinfo is not None) != zoned:
        return None
    if zoned:
        moment = moment.tz_convert("UTC").tz_localize(None)
    return moment.to_pydatetime()


def _is_ordered(value: Value) -> bool:
    return not isinstance(value, bool)


def _null_is_unequal(dtype: Any) -> bool:
    """Tell whether ``null != value`` is true in a dtype, and not null."""
    if isinstance(dtype, pd.StringDtype):
        return dtype.na_value is not pd.NA
    return not isinstance(dtype, pd.api.extensions.ExtensionDtype) or isinstance(dtype, pd.DatetimeTZDtype)
