"""What is on a plate: whether a person may eat it, and what it gives against WS/T 556-2017 老年人膳食指导."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Clash:
    """A dish a person may not eat, and which word of the dish says so (忌口冲突)."""

    dish: str
    kind: str
    """``allergy``, ``diet`` or ``texture``."""
    word: str
    """The allergen, the diet's Chinese name, or the texture that is not made."""

    @property
    def zh(self) -> str:
        return {
            "allergy": f"“{self.dish}”含过敏原“{self.word}”",
            "diet": f"“{self.dish}”不合“{self.word}”",
            "texture": f"“{self.dish}”不能做成“{self.word}”",
        }[self.kind]


def clashes(
    *,
    dish: str,
    ingredients: Collection[str],
    allergens: Collection[str],
    flags: Collection[str],
    textures: Collection[str],
    allergies: Iterable[str],
    diets: Mapping[str, Collection[str]],
    texture: str,
    texture_label: str,
) -> list[Clash]:
    """Every reason why a person may not eat a dish.

    ``diets`` holds the person's diets by Chinese name with what each avoids: flags, or words found in an ingredient's
    name. An allergy is met by the dish's allergens or by an ingredient that bears the word: a kitchen forgets to tick.
    """
    found = []
    for allergy in allergies:
        if allergy in allergens or any(allergy in part for part in ingredients):
            found.append(Clash(dish, "allergy", allergy))
    for name, avoided in diets.items():
        if any(word in flags or any(word in part for part in ingredients) for word in avoided):
            found.append(Clash(dish, "diet", name))
    if texture != "ordinary" and texture not in textures:
        found.append(Clash(dish, "texture", texture_label))
    return found


@dataclass(frozen=True)
class Shortfall:
    """One food group of a meal against its part of the day: ``state`` is under, over or fine, unknown if not stated."""

    group: str
    unit: str
    amount: float | None
    low: float | None
    high: float | None
    state: str


def nutrition_of(
    dishes: Iterable[Mapping[str, float]],
    amounts: Mapping[str, tuple[str, float | None, float | None]],
    share: Fraction,
) -> list[Shortfall]:
    """What a meal's dishes give in each food group, against ``share`` of a day's amounts (group → unit, low, high).

    A dish that states nothing at all makes every group unknown: not stated is not nothing.
    """
    stated = [dict(dish) for dish in dishes]
    unknown = not stated or any(not dish for dish in stated)
    rows = []
    for group, (unit, low, high) in amounts.items():
        least = None if low is None else round(float(low * share), 1)
        most = None if high is None else round(float(high * share), 1)
        if unknown:
            rows.append(Shortfall(group, unit, None, least, most, "unknown"))
            continue
        amount = round(sum(dish.get(group, 0.0) for dish in stated), 1)
        state = "fine"
        if least is not None and amount < least:
            state = "under"
        if most is not None and amount > most:
            state = "over"
        rows.append(Shortfall(group, unit, amount, least, most, state))
    return rows
