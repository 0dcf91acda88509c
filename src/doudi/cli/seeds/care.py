"""Services for families: what the demonstration shows on its first day."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.assistance import care
from doudi.contexts.registry import services as registry

_ITEM = "counsel"
"""The one that needs no picture."""


def seed(people: dict[Role, User], township: str) -> None:
    """Three orders: one that waits to be given to a provider, one served twice, one that nobody came for."""
    worker, county, provider = (people[role] for role in (Role.TOWNSHIP, Role.COUNTY, Role.CHARITY))
    homes = [
        home
        for home in registry.households(by=worker, category="低保")[:6]
        if any(one.died_on is None for one in registry.counted_members(home.household_no))
    ][:3]
    for place, home in enumerate(homes):
        order = _order(home.household_no, worker)
        if place == 0:
            continue
        order = chain.assign_care(order.number, provider=provider.organisation, by=county)
        if place == 1:
            for days in (9, 2):
                _visit(order, days, provider)
        else:
            care.complain_of_care(
                order.number, kind="no_show", visit=None, said_on=timezone.localdate(),
                text="约好上午来，一直没有人上门（演示）。", by=worker,
            )  # fmt: skip


def _order(household_no: str, by: User) -> care.CareOrder:
    today = timezone.localdate()
    person = next(one for one in registry.counted_members(household_no) if one.died_on is None)
    return chain.order_care(
        household_no=household_no,
        person_id=person.person_id,
        item=_ITEM,
        units=6,
        starts_on=today - timedelta(days=20),
        ends_on=today + timedelta(days=60),
        address="虚构路 1 号，先打电话 0000-0000000",
        consent_on=today - timedelta(days=21),
        consent="本人签字的服务同意书（演示）",
        by=by,
    )


def _visit(order: care.CareOrder, days: int, by: User) -> None:
    begun = timezone.localtime().replace(hour=0, minute=30, second=0, microsecond=0) - timedelta(days=days)
    chain.record_care_visit(
        order.number,
        begun_at=begun.replace(hour=10),
        place="服务对象家中",
        units=1,
        worker="护理员甲（虚构）",
        code=order.code,
        note="谈了四十分钟，情绪平稳。",
        by=by,
    )
