"""Text to an unbound expression: Python's own parser behind an allow-list. Nothing is ever executed."""

from __future__ import annotations

import ast
from datetime import datetime
from typing import cast

from mltable_lite.errors import ArgumentTypeError, FilterSyntaxError, did_you_mean, listed
from mltable_lite.expr import functions
from mltable_lite.expr.lex import MAX_NESTING, SOFT_WORDS, Tokens, suggest, syntax_error, tokenise
from mltable_lite.expr.nodes import (
    And,
    Arithmetic,
    ArithmeticOperator,
    Call,
    Column,
    Compare,
    CompareOperator,
    Expr,
    FieldAccess,
    IfElse,
    In,
    IsNull,
    Literal,
    Negate,
    Not,
    Or,
    Word,
)

#: A chain repeats its middle operands; this bounds what nested chains can grow to.
_MAX_REPEATED_NODES = 10_000
#: More digits than any integer or decimal column can hold.
_LARGEST_INTEGER = 10**76

_COMPARE: dict[type[ast.cmpop], CompareOperator] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_ARITHMETIC: dict[type[ast.operator], ArithmeticOperator] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_ACCEPTED = (
    "columns, literals, comparisons, and/or/not, in [...], is None, + - * / // % **, x if c else y, functions"
)


def parse(text: str) -> Expr:
    """Return the unbound expression that a filter's text says; columns are not checked yet.

    Raises:
        FilterSyntaxError: The text is not in the filter language; shows where, and the right spelling.
        ArgumentTypeError: Not a text.

    Example:
        >>> from mltable_lite.expr import parse
        >>> parse('col("fare") > 10')
        Compare(operator='>', left=Column(name='fare'), right=Literal(value=10))
    """
    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"filter: {text!r} is not a text; write a condition such as 'col(\"a\") > 1'."
        )
    try:
        tokens = tokenise(text)
        return _Translator(tokens).expression(_python_tree(tokens))
    except FilterSyntaxError as error:
        # The suggestion is only worth showing when it is right itself.
        head, mark, tail = str(error).partition(" Write: ")
        spelled, _, picture = tail.partition("\n")
        if mark and not _is_filter(spelled):
            raise FilterSyntaxError(f"{head}\n{picture}") from None
        raise


def places(text: str) -> list[tuple[Expr, int, int]]:
    """Return the expressions that a filter's text says, from the inside out, each with its first character and its end.

    Raises:
        FilterSyntaxError: The text is not in the filter language.
    """
    tokens = tokenise(text)
    translator = _Translator(tokens)
    translator.expression(_python_tree(tokens))
    return translator.places


def _is_filter(text: str) -> bool:
    try:
        tokens = tokenise(text)
        _Translator(tokens).expression(_python_tree(tokens))
    except FilterSyntaxError:
        return False
    return True


def _python_tree(tokens: Tokens) -> ast.expr:
    try:
        tree = ast.parse(tokens.code, mode="eval").body
    except SyntaxError as error:
        position = tokens.position(len(tokens.code[: (error.offset or 1) - 1].encode()))
        raise syntax_error(tokens.text, position, _what_is_wrong(tokens.text, position, error.msg)) from None
    except (ValueError, RecursionError, MemoryError, OverflowError):
        raise _too_deep() from None
    _check_depth(tree)
    return tree


def _what_is_wrong(text: str, position: int, python_message: str) -> str:
    if "escape" in python_message:
        return "an unknown character name in a text literal."
    if "digits" in python_message or "leading zeros" in python_message:
        return "an integer with leading zeros or too many digits; in quotes it is a text."
    end = position >= len(text.rstrip())
    where = "the expression ends too early" if end else "the expression cannot be read from here"
    return f"{where}; accepted: {_ACCEPTED}.{suggest(text)}"


def _too_deep() -> FilterSyntaxError:
    return FilterSyntaxError(
        f"filter: more than {MAX_NESTING} forms inside each other; split the filter into several steps."
    )


def _check_depth(tree: ast.expr) -> None:
    # Without recursion: this is what makes recursion safe afterwards.
    level: list[ast.AST] = [tree]
    for _ in range(MAX_NESTING):
        level = [
            child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)
        ]
        if not level:
            return
    raise _too_deep()


class _Translator:
    """Python's tree to ours; what has no place here is refused with its position."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.repeated = 0
        self.places: list[tuple[Expr, int, int]] = []

    def fail(self, node: ast.expr, message: str) -> FilterSyntaxError:
        return syntax_error(self.tokens.text, self.tokens.position(node.col_offset), message)

    def source(self, node: ast.expr) -> str:
        start, end = self.span(node, node)
        return self.tokens.text[start:end]

    def span(self, first: ast.expr, last: ast.expr) -> tuple[int, int]:
        return self.tokens.position(first.col_offset), self.tokens.position(last.end_col_offset or 0)

    def name(self, node: ast.expr, fallback: str) -> str:
        """Return a name as the user wrote it, found by where it ends."""
        return self.tokens.names.get(node.end_col_offset or 0, fallback)

    def expression(self, node: ast.expr) -> Expr:
        found = self.translated(node)
        self.places.append((found, *self.span(node, node)))
        return found

    def translated(self, node: ast.expr) -> Expr:
        match node:
            case ast.BoolOp():
                operands = tuple(self.expression(value) for value in node.values)
                return And(operands) if isinstance(node.op, ast.And) else Or(operands)
            case ast.Compare():
                return self.comparison(node)
            case ast.UnaryOp():
                return self.unary(node)
            case ast.BinOp() if type(node.op) in _ARITHMETIC:
                left, right = self.expression(node.left), self.expression(node.right)
                return Arithmetic(_ARITHMETIC[type(node.op)], left, right)
            case ast.IfExp():
                return IfElse(*(self.expression(part) for part in (node.test, node.body, node.orelse)))
            case ast.Constant():
                return self.constant(node)
            case ast.Name():
                name = self.name(node, node.id)
                return Word(name) if name in SOFT_WORDS else Column(name)
            case ast.Attribute():
                return FieldAccess(self.expression(node.value), self.name(node, node.attr))
            case ast.Subscript():
                if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                    return FieldAccess(self.expression(node.value), node.slice.value)
                raise self.fail(
                    node.slice, 'items are not accessible; only fields of a struct are: x["field"].'
                )
            case ast.Call():
                return self.call(node)
            case ast.List() | ast.Tuple():
                raise self.fail(node, "a list only stands after in: x in [1, 2].")
        raise self.fail(node, f"{self.source(node)!r} has no place in a filter; accepted: {_ACCEPTED}.")

    def constant(self, node: ast.Constant) -> Literal:
        value = node.value
        if isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
            raise self.fail(node, "an integer with more digits than any column can hold.")
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            raise self.fail(node, "a number beyond the range of float64.")
        if isinstance(value, str) and any("\ud800" <= c <= "\udfff" for c in value):
            raise self.fail(node, "half of a surrogate pair is not a character of any text.")
        if value is None or isinstance(value, (bool, int, float, str)):
            return Literal(value)
        raise self.fail(node, f"{self.source(node)!r} is not a literal of the filter language.")

    def unary(self, node: ast.UnaryOp) -> Expr:
        operand = self.expression(node.operand)
        if isinstance(node.op, ast.Not):
            return Not(operand)
        if isinstance(operand, Literal) and not _is_number(operand.value):
            raise self.fail(node, f"a sign before {self.source(node.operand)!r}, which is no number.")
        if isinstance(node.op, ast.UAdd):
            return operand
        if isinstance(operand, Literal):
            return Literal(-cast("int | float", operand.value))
        return Negate(operand)

    # ------------------------------------------------------------------ comparisons
    def comparison(self, node: ast.Compare) -> Expr:
        pairs = zip([node.left, *node.comparators], node.ops, node.comparators, strict=False)
        expressions: dict[ast.expr, Expr] = {}
        parts = tuple(self.pair(left, op, right, expressions) for left, op, right in pairs)
        for part, left, right in zip(parts, [node.left, *node.comparators], node.comparators, strict=False):
            self.places.append((part, *self.span(left, right)))
        if len(parts) == 1:
            return parts[0]
        for middle in node.comparators[:-1]:
            for _ in expressions[middle].walk() if middle in expressions else ():
                self.repeated += 1
                if self.repeated > _MAX_REPEATED_NODES:
                    raise self.fail(node, "chained comparisons inside each other grow too large; use and.")
        return And(parts)

    def pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr, known: dict[ast.expr, Expr]) -> Expr:
        def side(node: ast.expr) -> Expr:
            if node not in known:
                known[node] = self.expression(node)
            return known[node]

        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple)):
                hint = "x in [1, 2]; a part of a text is found by x.contains('a')"
                raise self.fail(right, f"after in stands a list: {hint}.")
            found: Expr = In(side(left), tuple(self.expression(item) for item in right.elts))
            return Not(found) if isinstance(op, ast.NotIn) else found
        if isinstance(op, (ast.Is, ast.IsNot)):
            if isinstance(right, ast.Name) and right.id == "null":
                # Binding tells whether this is null or a column of that name.
                return Compare("!=" if isinstance(op, ast.IsNot) else "==", side(left), side(right))
            if not _is_none(right):
                spelled = "!=" if isinstance(op, ast.IsNot) else "=="
                raise self.fail(
                    right,
                    f"only None stands after is; compare values with {spelled}.{suggest(self.tokens.text)}",
                )
            return Not(IsNull(side(left))) if isinstance(op, ast.IsNot) else IsNull(side(left))
        operator = _COMPARE[type(op)]
        if operator in ("==", "!=") and (_is_none(left) or _is_none(right)):
            tested = IsNull(side(left if _is_none(right) else right))
            return Not(tested) if operator == "!=" else tested
        return Compare(operator, side(left), side(right))

    # ------------------------------------------------------------------ functions
    def call(self, node: ast.Call) -> Expr:
        if isinstance(node.func, ast.Name):
            name, given = self.name(node.func, node.func.id), node.args
        elif isinstance(node.func, ast.Attribute):
            name, given = self.name(node.func, node.func.attr), [node.func.value, *node.args]
        else:
            raise self.fail(node, "only a function's name can be called.")
        if node.keywords or any(isinstance(argument, ast.Starred) for argument in node.args):
            raise self.fail(node, f"arguments of {name} are given by position, without names and stars.")
        if name == "col" and isinstance(node.func, ast.Name):
            return self.column(node)
        if name in ("datetime", "CreateDateTime") and isinstance(node.func, ast.Name):
            return self.datetime(node)
        if name in functions.STREAM_ONLY:
            raise self.fail(
                node,
                f"{name} is not supported; a stream column compares as its path or URI: Path.contains('2024').",
            )
        arguments = tuple(self.expression(argument) for argument in given)
        if name in ("isnull", "notnull"):
            self.check_count(node, name, len(arguments), 1, 1)
            return IsNull(*arguments) if name == "isnull" else Not(IsNull(*arguments))
        if name in functions.OPERATORS:
            self.check_count(node, name, len(arguments), 2, 2)
            return Arithmetic(functions.OPERATORS[name], *arguments)
        name = functions.ALIASES.get(name, name)
        function = functions.FUNCTIONS.get(name)
        if function is None:
            raise self.unknown_function(node, name)
        self.check_count(node, name, len(arguments), function.required, len(function.parameters) or None)
        return Call(name, arguments)

    def unknown_function(self, node: ast.Call, name: str) -> FilterSyntaxError:
        hint = (
            suggest(self.tokens.text)
            if name.lower() in ("not", "and", "or", "in", "is", "like", "between")
            else ""
        )
        if name in functions.SPECIAL:
            return self.fail(node, f"{name} is no method; write {name}(...).")
        hint = hint or did_you_mean(name, functions.NAMES)
        names = (*functions.FUNCTIONS, *functions.SPECIAL)
        return self.fail(node, f"no function {name!r}; there are: {listed(names, len(names))}.{hint}")

    def check_count(self, node: ast.Call, name: str, count: int, least: int, most: int | None) -> None:
        if count < least or (most is not None and count > most):
            accepted = (
                f"{least} or more" if most is None else str(least) if least == most else f"{least} to {most}"
            )
            raise self.fail(node, f"{name} takes {accepted} argument{'s' * (accepted != '1')}, not {count}.")

    def column(self, node: ast.Call) -> Column:
        if len(node.args) == 1:
            argument = node.args[0]
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                return Column(str(self.constant(argument).value))
            if isinstance(argument, ast.Name):
                name = self.name(argument, argument.id)
                raise self.fail(argument, f'col takes the name in quotes: col("{name}").')
        raise self.fail(node, 'col takes one column name in quotes: col("name").')

    def datetime(self, node: ast.Call) -> Literal:
        self.check_count(node, "datetime", len(node.args), 1, 7)
        parts = [self.datetime_part(argument) for argument in node.args]
        try:
            return Literal(datetime(*[*parts, 1, 1][: max(3, len(parts))]))  # type: ignore[arg-type] # noqa: DTZ001 - naive means UTC here
        except (ValueError, OverflowError) as error:
            raise self.fail(
                node,
                f"no such moment: {error}; parts are year, month, day, hour, minute, second, microsecond.",
            ) from None

    def datetime_part(self, node: ast.expr) -> int:
        value = self.expression(node)
        part = value.value if isinstance(value, Literal) else None
        if isinstance(part, str) and part.isascii() and part.isdigit() and len(part) <= 6:  # noqa: PLR2004 - microseconds
            return int(part)
        if isinstance(part, int) and not isinstance(part, bool):
            return part
        raise self.fail(node, "a part of datetime(...) is an integer, such as datetime(2024, 1, 31).")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
