"""What a person's formula comes to when some feeds hold no row of them.

Most people stand in few of the twenty departments' files. Where a formula is "no" or nought for whoever is absent
from a feed, only those present need to be computed for their household's sum. :func:`at_rest` finds that value and
the feeds it hangs on; where it cannot be shown, everybody is computed, as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from doudi.engine.packs.terms import Agg, Expr
from doudi.engine.packs.units import Kind

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": eq, "neq": ne, "lt": lt, "lte": le, "gt": gt, "gte": ge,
}  # fmt: skip
_CALCULATE: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "neg": lambda a: -a,
    "annual": lambda a: a * 12, "greatest": max, "least": min,
}  # fmt: skip


@dataclass(frozen=True)
class Rest:
    """The value of a formula for whoever has no row in ``feeds``."""

    value: Any
    feeds: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Ground:
    """What the reasoning asks of the pack being compiled."""

    variable: Callable[[str], Expr | None]
    """The formula of a person's variable, None where it has exceptions."""
    absent: Callable[[Agg], bool]
    """Whether a feed's aggregate is nought or "no" without a row (False: it never arrived, or a number is unknown)."""
    sure_nonneg: Callable[[Expr], bool]
    """Whether a value is known and not below nought."""
    known: Callable[[Expr], bool]
    """Whether a value cannot be unknown."""


def at_rest(expr: Expr, ground: Ground, memo: dict[str, Rest | None]) -> Rest | None:
    """The value of ``expr`` for a person absent from the named feeds; None where it is not the same for all of them."""

    def rest(one: Expr) -> Rest | None:
        return at_rest(one, ground, memo)

    if expr.op == "lit":
        return Rest(expr.data)
    if expr.op == "var":
        if expr.data not in memo:
            memo[expr.data] = None
            formula = ground.variable(expr.data)
            memo[expr.data] = rest(formula) if formula is not None else None
        return memo[expr.data]
    if expr.op == "agg":
        agg: Agg = expr.data
        if (
            agg.feed is None
            or expr.kind not in (Kind.BOOL, Kind.MONEY, Kind.NUMBER)
            or not ground.absent(agg)
        ):
            return None
        return Rest(False if expr.kind is Kind.BOOL else 0, frozenset({agg.feed}))
    if expr.op in ("self", "col", "param", "cut", "asof", "asofmonth", "head", "isnull", "born", "age"):
        return None
    found = [rest(arg) for arg in expr.args]
    if expr.op in ("and", "or"):
        return _logical(expr.op == "or", found)
    if expr.op in ("gt", "lt") and None in found:
        # nought is not above what is never below nought
        small, large = found if expr.op == "gt" else found[::-1]
        other = expr.args[1 if expr.op == "gt" else 0]
        return (
            Rest(False, small.feeds)
            if large is None and small is not None and small.value <= 0 and ground.sure_nonneg(other)
            else None
        )
    if expr.op == "mul" and None in found:
        one, other = (found[0], expr.args[1]) if found[0] is not None else (found[1], expr.args[0])
        return one if one is not None and one.value == 0 and ground.known(other) else None
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    feeds = frozenset[str]().union(*(one.feeds for one in known))
    values = [one.value for one in known]
    if expr.op == "not":
        return Rest(not values[0], feeds)
    if expr.op in _COMPARE:
        return Rest(_COMPARE[expr.op](*values), feeds)
    if expr.op in _CALCULATE:
        return Rest(_CALCULATE[expr.op](*values), feeds)
    if expr.op == "idiv":
        return Rest(Fraction(values[0]) // expr.data, feeds)
    if expr.op == "in":
        return Rest(values[0] in values[1:], feeds)
    if expr.op == "case":
        chosen = next((v for c, v in zip(values[:-1:2], values[1::2], strict=True) if c), values[-1])
        return Rest(chosen, feeds)
    return None


def _logical(decides: bool, found: list[Rest | None]) -> Rest | None:
    """AND is decided by one "no", OR by one "yes", whatever the other side is, unknown too."""
    deciding = [one for one in found if one is not None and one.value is decides]
    if deciding:
        return min(deciding, key=lambda one: (len(one.feeds), sorted(one.feeds)))
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return Rest(not decides, frozenset[str]().union(*(one.feeds for one in known)))
