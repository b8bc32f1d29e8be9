"""The nodes of a filter expression: frozen data that compares, hashes, pickles and prints.

A node knows nothing of Arrow and nothing of a table. Text becomes nodes in `parse`, nodes become text again in `text`;
`bind` checks them against a table's columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar
from typing import Literal as OneOf

if TYPE_CHECKING:
    from collections.abc import Iterator

CompareOperator = OneOf["==", "!=", "<", "<=", ">", ">="]
ArithmeticOperator = OneOf["+", "-", "*", "/", "//", "%", "**"]
Value = None | bool | int | float | Decimal | str | datetime


class Expr:
    """The root of all nodes."""

    __slots__ = ()

    @property
    def children(self) -> tuple[Expr, ...]:
        """The expressions directly below, in evaluation order."""
        return ()

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """Return this node over other children, as many as it has."""
        assert not children
        return self

    def walk(self) -> Iterator[Expr]:
        """Yield this node and all below it, top down."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Column(Expr):
    """A column by its exact name."""

    name: str


@dataclass(frozen=True, slots=True)
class Word(Expr):
    """The bare word ``true``, ``false`` or ``null``: the column of that name if there is one, else the literal.

    `bind` decides; a bound expression holds none.
    """

    name: str

    MEANINGS: ClassVar[dict[str, bool | None]] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True, eq=False)
class Literal(Expr):
    """A constant. A datetime has no zone and means UTC; a Decimal only comes from binding.

    Literals are equal when both kind and value are: ``1``, ``1.0`` and ``True`` are three literals.
    """

    value: Value

    @property
    def _key(self) -> tuple[type, str]:
        return type(self.value), repr(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Literal) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


# --------------------------------------------------------------------------- shapes
@dataclass(frozen=True, slots=True)
class _Unary(Expr):
    operand: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return (self.operand,)

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operand=children[0])


@dataclass(frozen=True, slots=True)
class _Binary(Expr):
    operator: str
    left: Expr
    right: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.left, self.right

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, left=children[0], right=children[1])


@dataclass(frozen=True, slots=True)
class _Variadic(Expr):
    operands: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        return self.operands

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        return replace(self, operands=children)


# --------------------------------------------------------------------------- logic
@dataclass(frozen=True, slots=True)
class And(_Variadic):
    """All of two or more operands, left to right, in three-valued logic."""


@dataclass(frozen=True, slots=True)
class Or(_Variadic):
    """Any of two or more operands, left to right, in three-valued logic."""


@dataclass(frozen=True, slots=True)
class Not(_Unary):
    """The opposite; null stays null."""


@dataclass(frozen=True, slots=True)
class Compare(_Binary):
    """One comparison; null when a side is null. A chain is parsed as an `And` of comparisons."""

    operator: CompareOperator


@dataclass(frozen=True, slots=True)
class IsNull(_Unary):
    """Whether the operand is null; never null itself. NaN is not null."""


@dataclass(frozen=True, slots=True)
class In(Expr):
    """Whether the operand equals an item; an item ``None`` asks whether it is null. Of no items: false."""

    operand: Expr
    items: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        """The operand, then the items."""
        return self.operand, *self.items

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """Return this node over other children."""
        return In(children[0], children[1:])


@dataclass(frozen=True, slots=True)
class IfElse(Expr):
    """`then` where the condition is true, `otherwise` where it is false or null."""

    condition: Expr
    then: Expr
    otherwise: Expr

    @property
    def children(self) -> tuple[Expr, ...]:
        """The condition, then both branches."""
        return self.condition, self.then, self.otherwise

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """Return this node over other children."""
        return IfElse(*children)


# --------------------------------------------------------------------------- values
@dataclass(frozen=True, slots=True)
class Arithmetic(_Binary):
    """An operation on two numbers, or the concatenation ``+`` of two texts."""

    operator: ArithmeticOperator


@dataclass(frozen=True, slots=True)
class Negate(_Unary):
    """The number with the opposite sign; of a literal, `parse` makes a negative literal instead."""


@dataclass(frozen=True, slots=True)
class FieldAccess(_Unary):
    """A field of a struct; null where the struct is null."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(Expr):
    """A function of `functions.FUNCTIONS`, by its canonical name."""

    function: str
    arguments: tuple[Expr, ...]

    @property
    def children(self) -> tuple[Expr, ...]:
        """The arguments."""
        return self.arguments

    def with_children(self, children: tuple[Expr, ...]) -> Expr:
        """Return this node over other children."""
        return Call(self.function, children)
