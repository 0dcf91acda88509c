"""A canteen of the small county with two dishes, two diners and meals handed out: what food safety tests begin with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from doudi.contexts.accounts.services import User
from doudi.contexts.meals import services as meals
from doudi.contexts.meals.models import Diner, Dish, MealServed, Site
from doudi.house.keyring import keyring
from tests.cast import CANTEEN
from tests.small_county import TOWNSHIP_A

REGION = f"{TOWNSHIP_A}001"


@dataclass
class Kitchen:
    """The place with its dishes and diners."""

    site: Site
    tofu: Dish
    soup: Dish
    diners: list[Diner]

    def serve(
        self, diner: Diner, dishes: list[Dish], *, day: date | None = None, meal: str = "lunch"
    ) -> MealServed:
        """A meal handed out with these dishes noted; none: the till did not note any."""
        number = f"C{MealServed.objects.count() + 1:05d}"
        return MealServed.objects.create(
            token=uuid.uuid4(), number=number, diner=diner, site=self.site, kitchen=self.site,
            day=day or timezone.localdate(), meal=meal, at=timezone.now(), proof="code",
            dishes="".join(f",{dish.pk}" for dish in dishes) + "," if dishes else "",
            list_fen=1200, discount_fen=0, subsidy_fen=0, paid_fen=1200, pack_hash="0" * 64, served_by="canteen",
        )  # fmt: skip


def open_kitchen(by: User, *, code: str = CANTEEN, region: str = REGION, **more: Any) -> Kitchen:
    """A licensed canteen, opened long ago."""
    facts = {
        "name": "花果园社区老年食堂",
        "kind": "canteen",
        "licence_no": "JY35201020000001",
        "licence_until": date(2030, 12, 31),
        **more,
    }
    site = meals.open_site(code=code, region_code=region, opened_on=date(2024, 1, 1), by=by, **facts)
    dishes = [Dish.objects.create(kitchen=site, name=name) for name in ("麻婆豆腐", "青菜汤")]
    return Kitchen(site, *dishes, [_diner(site, "罗奶奶", 1), _diner(site, "石爷爷", 2)])


def _diner(site: Site, name: str, place: int) -> Diner:
    number = f"{site.code}-D{place}"
    return Diner.objects.create(
        number=number, code=f"{Diner.objects.count() + 100001}", status="active", channel="village", name=name,
        id_number=f"52010219400101{place:03d}X", id_blind=keyring().digest(number, purpose="diner.id_number"),
        born_on=date(1940, 1, 1), region_code=site.region_code, registered_region=site.region_code[:6],
        site=site, enrolled_on=date(2024, 1, 1), enrolled_by="township",
    )  # fmt: skip


def at(text: str) -> datetime:
    """A moment of office time."""
    return timezone.make_aware(datetime.fromisoformat(text))
