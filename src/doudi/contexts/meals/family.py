"""A daughter orders for her mother (家属订餐): a code on paper and the end of the mother's number open the orders alone.

Of the diner nothing is told but the first character of the name, the menu, the orders and the pauses; why an order is
refused is said in general words where the reason is the diner's own. What the public's page does is in the log.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, take_turn
from doudi.contexts.meals.diner_models import Diner, DinerEvent, FamilyCode
from doudi.contexts.meals.diners import CONSENT_ONLINE, CONSENT_WAYS, Enrolment, keep_enrolment
from doudi.contexts.meals.door import knock
from doudi.contexts.meals.menus import menu_of
from doudi.contexts.meals.order_models import MealOrder, OrderPause
from doudi.contexts.meals.orders import keep_order, keep_pause, undo_order
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import SiteNotFound, StepRefused, require_at
from doudi.contexts.monitoring import services as monitoring
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import NetworkRules
from doudi.engine.packs.outreach import Outreach
from doudi.house.keyring import keyring

__all__ = [
    "Done",
    "FamilyView",
    "Slot",
    "end_family_code",
    "enrol_by_oneself",
    "family_codes",
    "family_order",
    "family_pause",
    "family_view",
    "issue_family_code",
    "places_to_join",
]

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_LENGTH = 10
"""31^10 ≈ 2^49.5 codes, and four characters of the diner's number besides."""
_TOLD = {"full", "meal_not_served", "cut_off"}
"""Refusals that are about the place and the clock, not about the diner."""


# ---- the code, at the desk ---------------------------------------------------------------------------------------


@transaction.atomic
def issue_family_code(found: Diner, *, who: str, consent_how: str, rules: NetworkRules, by: User) -> str:
    """A fresh code for a relative, which the diner agreed to; it is told once, only its digest stays."""
    require_at(by, Act.TAKE_ORDER, found.site)
    take_turn()
    if found.status != Diner.Status.ACTIVE:
        raise StepRefused("助餐登记没有生效，不能发家属码。", "The enrolment is not in force.")
    if len(who.strip()) < 2 or consent_how not in CONSENT_WAYS:
        raise StepRefused(
            "请写明给哪位家属，并选择老人怎样同意的。", "Say for whom, and how the old person agreed."
        )
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    today = timezone.localdate()
    FamilyCode.objects.create(
        diner=found,
        digest=_digest(code),
        who=who.strip()[:80],
        consent_how=consent_how,
        issued_on=today,
        issued_by=by.username,
        until=today + timedelta(days=rules.family_days),
    )
    DinerEvent.write(
        by=by, kind="family", text=f"发放家属码：{who.strip()[:80]}（{consent_how}）", diner=found
    )
    record(
        by=by, act="issue_family_code", subject=f"diner:{found.number}", region_code=found.site.region_code
    )
    return f"{code[:5]}-{code[5:]}"


@transaction.atomic
def end_family_code(found: Diner, pk: int, *, by: User) -> None:
    """Stop a code (停用家属码); again changes nothing."""
    require_at(by, Act.TAKE_ORDER, found.site)
    take_turn()
    done = FamilyCode.objects.filter(pk=pk, diner=found, ended_on=None).update(
        ended_on=timezone.localdate(), ended_by=by.username
    )
    if done:
        DinerEvent.write(by=by, kind="family", text="停用家属码", diner=found)
        record(
            by=by, act="end_family_code", subject=f"diner:{found.number}", region_code=found.site.region_code
        )


def family_codes(found: Diner) -> QuerySet[FamilyCode]:
    """The codes of a diner that are good today; for a caller that may see the diner."""
    return found.family_codes.filter(ended_on=None, until__gte=timezone.localdate())


def _digest(code: str) -> bytes:
    return keyring().digest(code.upper().replace("-", "").replace(" ", ""), purpose="meals.family_code")


# ---- the page ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """One meal that may be ordered: what is cooked, its list price in fen, until when, and what stands."""

    day: date
    meal: str
    label: str
    dishes: tuple[str, ...]
    price_fen: int | None
    closes_at: datetime
    open: bool
    state: str
    weekly: bool

    @property
    def key(self) -> str:
        """How a form names it."""
        return f"{self.day:%Y-%m-%d}.{self.meal}"

    @property
    def ordered(self) -> bool:
        """Whether an order stands."""
        return self.state in (MealOrder.State.ORDERED, MealOrder.State.SERVED)


@dataclass(frozen=True)
class FamilyView:
    """What a relative sees: the first character of the name, the place, the meals of the coming days, the pauses."""

    name: str
    site: str
    phone: str
    slots: tuple[Slot, ...]
    pauses: tuple[OrderPause, ...]


@dataclass(frozen=True)
class Done:
    """What a relative's wish changed, and what could not be, each with its reason."""

    made: int
    cancelled: int
    refused: tuple[tuple[Slot, DoudiError], ...]


def family_view(
    code: str, tail: str, *, rules: NetworkRules, limits: Outreach, address: str = ""
) -> FamilyView:
    """The meals of the coming days for who holds the code and knows the end of the number; a wrong try counts."""
    return _look(_opened(code, tail, limits, address), rules)


@transaction.atomic
def _look(held: FamilyCode, rules: NetworkRules) -> FamilyView:
    person = held.diner
    record(
        by=monitoring.passer_by(),
        act="family_look",
        subject=f"diner:{person.number}",
        region_code=person.site.region_code,
        detail={"code": held.pk},
    )
    pauses = person.pauses.filter(until__gte=timezone.localdate()).order_by("since")
    return FamilyView(
        identity.mask_name(person.name),
        person.site.name,
        person.site.phone,
        tuple(_slots(person, rules)),
        tuple(pauses),
    )


def _opened(code: str, tail: str, limits: Outreach, address: str) -> FamilyCode:
    knock("family", address, limits.looks_per_address, minutes=limits.window_minutes)
    held = FamilyCode.objects.select_related("diner__site__supplied_by").filter(digest=_digest(code)).first()
    good = (
        held is not None
        and held.ended_on is None
        and held.until >= timezone.localdate()
        and held.diner.status == Diner.Status.ACTIVE
        and len(tail.strip()) == 4
        and secrets.compare_digest(held.diner.id_number[-4:].encode(), tail.strip().upper().encode())
    )
    if held is None or not good:
        raise StepRefused(
            "家属码或身份证号末四位不对，或家属码已停用。请核对，或请助餐点、村（社区）重新发放。",
            "The code or the end of the number is wrong, or the code was stopped; ask the meal place for another.",
            code="family_code_wrong",
        )
    return held


def _slots(person: Diner, rules: NetworkRules) -> Iterator[Slot]:
    today, now = timezone.localdate(), timezone.localtime().replace(tzinfo=None)
    days = [today + timedelta(days=after) for after in range(min(rules.menu_days, rules.order_days) + 1)]
    served = [hours.meal for hours in person.site.hours.all()]
    orders = {
        (one.day, one.meal): one.state
        for one in MealOrder.objects.filter(diner=person, day__in=days).exclude(
            state=MealOrder.State.CANCELLED
        )
    }
    cancelled = set(
        MealOrder.objects.filter(diner=person, day__in=days, state=MealOrder.State.CANCELLED).values_list(
            "day", "meal"
        )
    )
    patterns = list(person.patterns.filter(since__lte=days[-1]))
    pauses = list(person.pauses.filter(until__gte=today))
    for day, meal in product(days, served):
        until = rules.cut_offs[meal].until(day)
        menu = menu_of(person.site, day, meal)
        weekly = (day, meal) not in cancelled and any(
            one.meal == meal
            and day.isoweekday() in one.weekdays
            and one.since <= day
            and (one.until is None or one.until >= day)
            for one in patterns
        )
        paused = any(one.since <= day <= one.until for one in pauses)
        yield Slot(
            day,
            meal,
            str(Meal(meal).label),
            tuple(dish.name for dish in menu.dishes.all()) if menu is not None else (),
            menu.price_fen if menu is not None else None,
            until,
            now <= until,
            orders.get((day, meal), ""),
            weekly and not paused,
        )


def family_order(
    code: str,
    tail: str,
    *,
    shown: Collection[str],
    wanted: Collection[str],
    rules: NetworkRules,
    limits: Outreach,
    address: str = "",
) -> Done:
    """Order what is ``wanted`` of the meals ``shown`` and cancel the rest of them; sent again it changes nothing.

    Keys are those of :attr:`Slot.key`. After the cut-off what stands is being cooked and is not touched.
    """
    return _order_of_family(_opened(code, tail, limits, address), set(shown), set(wanted), rules)


@transaction.atomic
def _order_of_family(held: FamilyCode, shown: set[str], wanted: set[str], rules: NetworkRules) -> Done:
    take_turn()
    person, by = held.diner, monitoring.passer_by()
    made = cancelled = 0
    refused: list[tuple[Slot, DoudiError]] = []
    for slot in list(_slots(person, rules)):
        wish = slot.key in wanted
        if slot.key not in shown or wish == slot.ordered or slot.state == MealOrder.State.SERVED:
            continue
        try:
            if not slot.open:
                raise StepRefused(
                    f"已过截止时间（{slot.closes_at:%m月%d日 %H:%M}），请打电话给助餐点。",
                    f"The cut-off ({slot.closes_at:%Y-%m-%d %H:%M}) is past; call the meal place.",
                    code="cut_off",
                )
            with transaction.atomic():
                if wish:
                    keep_order(
                        person, person.site, slot.day, slot.meal, MealOrder.Channel.FAMILY, rules, by, None,
                        held.who,
                    )  # fmt: skip
                    made += 1
                else:
                    standing = MealOrder.objects.select_related("diner", "site").get(
                        diner=person, day=slot.day, meal=slot.meal, state=MealOrder.State.ORDERED
                    )
                    undo_order(standing, by=by)
                    cancelled += 1
        except DoudiError as problem:
            refused.append((slot, problem if problem.code in _TOLD else _in_general()))
    if made or cancelled:
        text = f"家属订餐（{held.who}）：订 {made} 餐，退 {cancelled} 餐"
        DinerEvent.write(by=by, kind="family", text=text, diner=person)
    return Done(made, cancelled, tuple(refused))


def _in_general() -> DoudiError:
    return StepRefused(
        "这一餐现在不能在网上订，请打电话给助餐点或村（社区）。",
        "This meal cannot be ordered here now; call the meal place or the village.",
    )


def family_pause(
    code: str,
    tail: str,
    *,
    since: date,
    until: date,
    rules: NetworkRules,
    limits: Outreach,
    address: str = "",
) -> OrderPause:
    """Want nothing for some days; a meal whose cut-off is past stands, as it is being cooked. Sent again it is one pause."""
    return _pause_of_family(_opened(code, tail, limits, address), since, until, rules)


@transaction.atomic
def _pause_of_family(held: FamilyCode, since: date, until: date, rules: NetworkRules) -> OrderPause:
    take_turn()
    person, today = held.diner, timezone.localdate()
    again = person.pauses.filter(since=since, until=until).first()
    if again is not None:
        return again
    if not today <= since <= until <= today + timedelta(days=rules.family_days):
        raise StepRefused(
            "暂停的日期不对：先起后止，从今天起。",
            "The pause begins today or later and ends after it begins.",
        )
    late = [slot for slot in _slots(person, rules) if not slot.open and slot.ordered]
    keep = [
        pk
        for pk, day, meal in MealOrder.objects.filter(
            diner=person, state=MealOrder.State.ORDERED
        ).values_list("pk", "day", "meal")
        if any((slot.day, slot.meal) == (day, meal) for slot in late)
    ]
    by = monitoring.passer_by()
    return keep_pause(person, since=since, until=until, by=by, ground=f"家属：{held.who}", keep=keep)


# ---- joining -----------------------------------------------------------------------------------------------------


def places_to_join() -> QuerySet[Site]:
    """Open places in counties where somebody confirms; elsewhere an enrolment would lie unread."""
    codes = [code for code, _name in monitoring.served_counties()]
    area = Q(pk__in=[])
    for code in codes:
        area |= Q(region_code__startswith=code)
    return Site.objects.filter(area, state=Site.State.OPEN)


def enrol_by_oneself(
    told: Enrolment, *, rules: NetworkRules, limits: Outreach, address: str = "", device: str = ""
) -> None:
    """An old person, or a relative, asks for meals from a telephone (自助登记); the township confirms.

    Nothing comes back, whether the person is known, on the register or enrolled already. ``address`` and ``device`` are
    whom the limits count.
    """
    knock("join", address, limits.per_address, minutes=limits.window_minutes)
    knock("join", device and f"device:{device}", limits.per_device, minutes=limits.window_minutes)
    _enrol_by_oneself(told, rules)


@transaction.atomic
def _enrol_by_oneself(told: Enrolment, rules: NetworkRules) -> None:
    place = places_to_join().filter(code=told.site_code).first()
    if place is None:
        raise SiteNotFound("没有找到这个助餐点。", "No such meal place.")
    if told.region_code[:6] != place.region_code[:6]:
        raise StepRefused("请选择居住的村（社区）或乡镇。", "Choose where the person lives.")
    if told.consent_how != CONSENT_ONLINE or told.channel not in (Diner.Channel.SELF, Diner.Channel.FAMILY):
        raise StepRefused("请勾选同意。", "Tick that you agree.")
    keep_enrolment(told, place, rules=rules, by=monitoring.passer_by(), waits=True, public=True)
