"""The one form of a formula that checker, compiler and explanation share, and the names it may use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from doudi.engine.packs.units import Kind, Unit

REGISTER = "household_register"
PERSON = "人员"
HOUSEHOLD = "家庭"
AS_OF = "截止日"
AS_OF_MONTH = "截止月"
BORN = "出生日期"
AGE = "周岁"
BIRTH_COLUMN = "birth_on"
"""The column of the resolved register that holds the date of birth, from the identity number (GB 11643)."""


@dataclass(frozen=True)
class Agg:
    """One aggregate: over the rows of ``feed``, or over the members of a household where it is None."""

    func: str
    feed: str | None
    value: Expr | None = None
    by: Expr | None = None
    where: Expr | None = None
    member: Expr | None = None
    other: Expr | None = None


@dataclass(frozen=True)
class Expr:
    """A checked expression. ``unit`` None fits any unit (a feed's money, a plain zero)."""

    op: str
    args: tuple[Expr, ...] = ()
    kind: Kind = Kind.NUMBER
    unit: Unit | None = None
    data: Any = None
    nullable: bool = False

    def walk(self) -> Iterator[Expr]:
        """This expression and all below it, into the aggregates too."""
        yield self
        for arg in self.args:
            yield from arg.walk()
        if self.op == "agg":
            for part in (self.data.value, self.data.by, self.data.where, self.data.member, self.data.other):
                if part is not None:
                    yield from part.walk()

    def variables(self) -> set[str]:
        return {node.data for node in self.walk() if node.op == "var"}

    def parameters(self) -> set[str]:
        named = {node.data for node in self.walk() if node.op == "param"}
        return named | {node.data for node in self.walk() if node.op == "cut" and isinstance(node.data, str)}

    def aggregates(self) -> list[Agg]:
        return [node.data for node in self.walk() if node.op == "agg"]

    def feeds(self) -> set[str]:
        return {agg.feed for agg in self.aggregates() if agg.feed is not None}


class ColumnLike(Protocol):
    name: str
    label: str
    type: str
    nullable: bool
    codes: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """What a name stands for outside the feeds: a variable of an entity, or an indicator of the household."""

    entity: str
    kind: Kind
    unit: Unit | None


@dataclass(frozen=True)
class Names:
    """Every name that a formula of this pack may use."""

    feeds: Mapping[str, Any]
    variables: Mapping[str, Known]
    parameters: Mapping[str, Known]

    def feed_by_label(self, label: str) -> Any | None:
        return next((spec for spec in self.feeds.values() if spec.label == label), None)
