"""What a pack says of siting (选址默认值): radius by age and place, detour, how many take part.

Radii are metres on the ground; shares are fractions of one; the pace of old people is metres a minute on foot.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from doudi.engine.packs.sections import read_section

_SCHEMA = Path(__file__).with_name("siting.schema.json")


@dataclass(frozen=True)
class SitingRules:
    """The siting defaults of a pack, each for the planner to change."""

    walking_metres: int
    frail_metres: int
    rural_metres: int
    old_age: int
    very_old_age: int
    detour_flat: float
    detour_hilly: float
    share_all: Decimal
    share_hard: Decimal
    turns: int
    metres_a_minute: int

    def radius(self, *, age: int, disabled: bool = False) -> int:
        """How far somebody walks, in metres."""
        return self.frail_metres if disabled or age >= self.very_old_age else self.walking_metres

    def within(self, metres: float, *, age: int, disabled: bool = False) -> bool:
        """Whether a place ``metres`` away on the ground is within walking distance."""
        return metres <= self.radius(age=age, disabled=disabled)


@dataclass(frozen=True)
class CommunityCoverage:
    """Coverage of communities (社区覆盖率): with a place, or with regular delivery only, of all."""

    communities: int
    with_point: int
    with_delivery_only: int

    @property
    def point_only(self) -> float:
        return self.with_point / self.communities if self.communities else 0.0

    @property
    def whole(self) -> float:
        return (self.with_point + self.with_delivery_only) / self.communities if self.communities else 0.0


def load_siting_rules(folder: Path) -> SitingRules:
    """The defaults of a pack folder: its own ``siting.yaml``, or that of the nearest layer below it."""
    plain = read_section(folder, "siting.yaml", _SCHEMA, about="选址").plain()
    radius, detour, share = plain["半径"], plain["绕行"], plain["参与率"]
    return SitingRules(
        walking_metres=int(radius["步行"]),
        frail_metres=int(radius["高龄或失能"]),
        rural_metres=int(radius["农村"]),
        old_age=int(plain["老年年龄"]),
        very_old_age=int(plain["高龄年龄"]),
        detour_flat=float(detour["平地"]),
        detour_hilly=float(detour["山地"]),
        share_all=Decimal(share["一般"].rstrip("%")) / 100,
        share_hard=Decimal(share["特殊困难"].rstrip("%")) / 100,
        turns=int(plain["座位轮次"]),
        metres_a_minute=int(plain["步行速度"]),
    )
