"""Volunteers and service points as the pack says (志愿服务、服务积分): what an hour earns, what a point buys.

Points are whole. A point is earned by so many minutes that site and receiver both confirmed; it is never cash, and the
schema of the section has no kind of redemption that would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from dateutil.relativedelta import relativedelta

from doudi.engine.packs.food_safety import Named
from doudi.engine.packs.sections import read_section

_SCHEMA = Path(__file__).with_name("volunteers.schema.json")


@dataclass(frozen=True)
class Post(Named):
    """A kind of work (岗位); dangerous work wants an accident insurance in force (志愿服务条例 art.17)."""

    insured: bool
    trained: bool


@dataclass(frozen=True)
class Offer(Named):
    """What points are given for (兑换): a meal or a service, at so many points."""

    kind: str
    points: int


@dataclass(frozen=True)
class VolunteerRules:
    """The rules of a pack; ``valid_months`` None: points never expire."""

    minutes_per_point: int
    hours_per_day: int
    valid_months: int | None
    posts: Mapping[str, Post]
    late_minutes: int
    offers: Mapping[str, Offer]
    stars: tuple[int, int]
    satisfied: int

    def points(self, minutes: int, *, counted_today: int) -> tuple[int, int]:
        """Points and counted minutes of a service of ``minutes``, when ``counted_today`` were counted that day already.

        The day's minutes above the cap count nothing; points are those of the day's sum, so that two services of
        twenty minutes earn what one of forty does.
        """
        most = self.hours_per_day * 60
        counted = max(0, min(minutes, most - counted_today))
        before = counted_today // self.minutes_per_point
        return (counted_today + counted) // self.minutes_per_point - before, counted

    def expires_on(self, earned_on: date) -> date | None:
        """The last day on which points may be used."""
        return None if self.valid_months is None else earned_on + relativedelta(months=self.valid_months)


def load_volunteer_rules(folder: Path) -> VolunteerRules:
    """The rules of a pack folder: its own ``volunteers.yaml``, or that of the nearest layer below it."""
    plain = read_section(folder, "volunteers.yaml", _SCHEMA, about="志愿服务").plain()
    points = plain["积分"]
    return VolunteerRules(
        minutes_per_point=max(1, int(points["分钟"])),
        hours_per_day=int(points["每日小时上限"]),
        valid_months=int(points["有效月数"]) if points["有效月数"] else None,
        posts={
            row["码"]: Post(row["码"], row["名"], row["英"], row["需保险"] == "是", row["需培训"] == "是")
            for row in plain["岗位"]
        },
        late_minutes=int(plain["未到"]["迟到分钟"]),
        offers={
            row["码"]: Offer(row["码"], row["名"], row["英"], row["类"], int(row["积分"]))
            for row in plain["兑换"]
        },
        stars=(int(plain["满意度"]["起"]), int(plain["满意度"]["止"])),
        satisfied=int(plain["满意度"]["满意"]),
    )
