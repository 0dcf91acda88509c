"""What counts as a change when a household is checked again (定期复查): the same for one household and for a million.

In come what was found then and now, and what was declared; out come the names of what is otherwise. A change is one of people,
of the category or what it is paid, of what is undecided, or a declared item that is found otherwise by more than the pack calls
minor. Where something stands above the declaration already, any value that moves is one: the advice may hang on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from doudi.engine.verification.declarations import Item, Rules


@dataclass(frozen=True)
class Line:
    """One household's finding, as far as a re-check compares it. Money in fen; what nobody knows is None."""

    people: Any
    category: str
    amount: int | None
    """What its category is paid a month; None where an earlier report did not say."""
    undecided: Any
    held: Any
    holds: Any
    """For each category of the purpose whether its conditions hold."""
    found: Mapping[str, int | None]
    """By declared item, as the pack counts it."""
    values: Mapping[str, Any]
    """Every value on the way, by whatever name; equal mappings mean that nothing moved."""


def changes_between(
    rules: Rules, then: Line, now: Line, *, said: Mapping[str, int], limits: Mapping[str, Fraction | None]
) -> list[str]:
    """The names of what is otherwise now, for people to look at; empty: the last finding is confirmed.

    ``limits``: by item of a balance what its minor part is taken of, as it is now.
    """
    told = [
        name
        for name, one, two in (
            ("家庭成员", then.people, now.people),
            ("类别", then.category, now.category),
            ("待核", then.undecided, now.undecided),
            ("同号不同名的记录", then.held, now.held),
            ("符合条件", then.holds, now.holds),
        )
        if one != two
    ]
    if then.amount is not None and then.amount != now.amount:
        told.append("救助金额")
    above = False
    for item in rules.items.values():
        before, after = then.found.get(item.name), now.found.get(item.name)
        own, limit = said.get(item.name, 0), limits.get(item.name)
        above = above or any(
            found is not None and found > own and not is_minor(rules, item, own, found, limit)
            for found in (before, after)
        )
        if before != after and (
            before is None or after is None or not is_minor(rules, item, before, after, limit)
        ):
            told.append(item.name)
    if above:
        names = then.values.keys() | now.values.keys()
        told += sorted({name for name in names if then.values.get(name) != now.values.get(name)} - set(told))
    return told


def is_minor(rules: Rules, item: Item, said: int, found: int, limit: Fraction | None) -> bool:
    """Whether a gap is within what the pack calls minor (轻微): both limits of an income, a part of an asset's limit."""
    gap = abs(found - said)
    if item.measure == "年":
        return gap <= rules.minor_income_ratio * said and gap <= rules.minor_income_fen
    if item.measure == "额" and item.limit:
        return limit is not None and gap <= rules.minor_asset_ratio * limit
    return False
