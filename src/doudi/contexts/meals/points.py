"""The ledger of service points (服务积分, 时间银行): double entry, append-only, never cash.

Each movement's legs sum to nought, lot by lot, so that no sequence of acts makes or loses a point. What an account
holds is the sum of its legs; a mistake is taken back by a counter-entry.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, require_at
from doudi.contexts.meals.volunteer_models import (
    PointLeg,
    PointMovement,
    Redemption,
    Service,
    Volunteer,
)
from doudi.contexts.meals.volunteer_register import VolunteerNotFound, require_self_or_desk
from doudi.engine.packs.volunteers import VolunteerRules

_Kind, _Account = PointMovement.Kind, PointLeg.Account


@dataclass(frozen=True)
class Lot:
    """Points of one earning that somebody holds at one place, with the last day on which they may be used."""

    lot: int
    site: int
    expires_on: date | None
    points: int


@dataclass(frozen=True)
class Part:
    """One leg to be written."""

    account: str
    points: int
    lot: int
    site: int
    expires_on: date | None
    volunteer: int | None = None


# ---- what somebody holds -----------------------------------------------------------------------------------------


def lots(person: Volunteer, *, site: Site | None = None, on: date | None = None) -> list[Lot]:
    """What a volunteer may use on a day, soonest to expire first; None: everything, expired or not."""
    found = person.legs.filter(account=_Account.HELD)
    if site is not None:
        found = found.filter(site=site)
    rows = found.order_by().values("lot", "site", "expires_on").annotate(sum=Sum("points")).filter(sum__gt=0)
    held = [Lot(row["lot"], row["site"], row["expires_on"], row["sum"]) for row in rows]
    if on is not None:
        held = [one for one in held if one.expires_on is None or one.expires_on >= on]
    return sorted(held, key=lambda one: (one.expires_on or date.max, one.lot, one.site))


def balance(person: Volunteer, *, site: Site | None = None) -> int:
    """Points that may be used today, at one place or at all."""
    return sum(one.points for one in lots(person, site=site, on=timezone.localdate()))


def pool_balance() -> int:
    """Points in the public pool (公益池)."""
    found = PointLeg.objects.filter(account=_Account.POOL).aggregate(sum=Sum("points", default=0))
    return int(found["sum"])


def counted_on(person: Volunteer, day: date) -> int:
    """Minutes that already count on a day, over all places; what was taken back does not."""
    found = person.services.filter(
        state=Service.State.CONFIRMED, shift__day=day, movement__reversed_by=None, movement__isnull=False
    )
    return int(found.aggregate(sum=Sum("counted", default=0))["sum"])


def statement(person: Volunteer, *, by: User) -> QuerySet[PointLeg]:
    """The lines of a volunteer's account, newest first."""
    require(by, Act.VIEW_VOLUNTEERS)
    return person.legs.filter(account=_Account.HELD).select_related("movement", "site").order_by("-pk")


# ---- writing -----------------------------------------------------------------------------------------------------


def _write(
    kind: str, parts: Iterable[Part], *, token: str, note: str, by: User, on: date | None = None, **more: Any
) -> PointMovement:
    """Write a movement; its legs must sum to nought in every lot. The caller holds its turn."""
    movement = PointMovement.objects.create(
        number=next_number(PointMovement, "JF", timezone.localdate()),
        token=token,
        kind=kind,
        on=on or timezone.localdate(),
        note=note[:200],
        by=by.username,
        **more,
    )
    sums: dict[int, int] = {}
    for part in parts:
        lot = part.lot or movement.pk
        sums[lot] = sums.get(lot, 0) + part.points
        PointLeg.objects.create(
            movement=movement,
            account=part.account,
            volunteer_id=part.volunteer,
            site_id=part.site,
            lot_id=lot,
            expires_on=part.expires_on,
            points=part.points,
        )
    if any(sums.values()):
        raise AssertionError(f"movement {movement.number} makes or loses points")
    return movement


def _taken(person: Volunteer, points: int, *, site: Site | None = None) -> list[Lot]:
    """The lots that make up so many points, soonest to expire first; refused where there are not as many."""
    if points <= 0:
        raise StepRefused("积分数应大于零。", "Give a number of points above nought.")
    taken, left = [], points
    for one in lots(person, site=site, on=timezone.localdate()):
        part = min(left, one.points)
        if part:
            taken.append(Lot(one.lot, one.site, one.expires_on, part))
            left -= part
    if left:
        where = f"在{site.name}" if site is not None else ""
        raise StepRefused(
            f"{person.name}{where}只有 {points - left} 分可用，不够 {points} 分。",
            f"Only {points - left} points can be used here, not {points}.",
            code="points_short",
        )
    return taken


def _note(
    movement: PointMovement, person: Volunteer | None, by: User, region_code: str, **detail: Any
) -> None:
    record(
        by=by,
        act=f"points_{movement.kind}",
        subject=f"points:{movement.number}",
        region_code=region_code,
        detail={"volunteer": person.number if person is not None else "", **detail},
    )


def _before(token: str) -> PointMovement | None:
    return PointMovement.objects.filter(token=token).first()


def earn(service: Service, *, points: int, expires_on: date | None, by: User) -> PointMovement | None:
    """Points for a service that both sides confirmed; a service earns once, and less than a point earns none."""
    if points <= 0:
        return None
    person, site = service.volunteer, service.shift.site
    parts = [
        Part(_Account.ISSUED, -points, 0, site.pk, expires_on),
        Part(_Account.HELD, points, 0, site.pk, expires_on, person.pk),
    ]
    movement = _write(
        _Kind.EARN,
        parts,
        token=f"service:{service.pk}",
        note=f"{service.shift.number} 服务 {service.minutes} 分钟",
        by=by,
        on=service.shift.day,
        service=service,
    )
    _note(movement, person, by, site.region_code, points=points)
    return movement


@transaction.atomic
def give_points(
    person: Volunteer, to: Volunteer, *, points: int, token: str, by: User, note: str = ""
) -> PointMovement:
    """Give points to a relative or another volunteer (转赠); they keep their expiry. ``token`` names the form."""
    require_self_or_desk(by, Act.USE_POINTS, person)
    take_turn()
    if (done := _before(token)) is not None:
        return done
    if to.pk == person.pk or to.died_on is not None:
        raise StepRefused("不能转赠给本人或已去世的人。", "Points are given to somebody else who is alive.")
    parts = []
    for one in _taken(person, points):
        parts.append(Part(_Account.HELD, -one.points, one.lot, one.site, one.expires_on, person.pk))
        parts.append(Part(_Account.HELD, one.points, one.lot, one.site, one.expires_on, to.pk))
    movement = _write(_Kind.GIFT, parts, token=token, note=note or f"转赠给 {to.number}", by=by)
    _note(movement, person, by, person.site.region_code, points=points, to=to.number)
    return movement


@transaction.atomic
def carry_points(
    person: Volunteer, *, from_site: Site, to_site: Site, points: int, token: str, by: User
) -> PointMovement:
    """Carry points from one place to another (换点使用), as when somebody moves house; they keep their expiry."""
    require_self_or_desk(by, Act.USE_POINTS, person)
    take_turn()
    if (done := _before(token)) is not None:
        return done
    if from_site.pk == to_site.pk or from_site.region_code[:6] != to_site.region_code[:6]:
        raise StepRefused(
            "只能在本县的两个助餐点之间转。", "Points are carried between two places of the county."
        )
    parts = []
    for one in _taken(person, points, site=from_site):
        parts.append(Part(_Account.HELD, -one.points, one.lot, from_site.pk, one.expires_on, person.pk))
        parts.append(Part(_Account.HELD, one.points, one.lot, to_site.pk, one.expires_on, person.pk))
    movement = _write(_Kind.TRANSFER, parts, token=token, note=f"{from_site.name} 转 {to_site.name}", by=by)
    _note(movement, person, by, person.site.region_code, points=points, to=to_site.code)
    return movement


@transaction.atomic
def redeem(
    person: Volunteer, *, offer: str, site: Site, token: str, rules: VolunteerRules, by: User
) -> Redemption:
    """Give points for a meal or a service of a place (兑换); the pack says what there is, and cash is not among it."""
    require_self_or_desk(by, Act.USE_POINTS, person)
    take_turn()
    if (done := _before(token)) is not None:
        return done.redemption
    wanted = rules.offers.get(offer)
    if wanted is None:
        raise StepRefused("没有这个兑换项目；积分不能兑换现金。", "No such offer; points are never cash.")
    parts = []
    for one in _taken(person, wanted.points, site=site):
        parts.append(Part(_Account.HELD, -one.points, one.lot, site.pk, one.expires_on, person.pk))
        parts.append(Part(_Account.REDEEMED, one.points, one.lot, site.pk, one.expires_on))
    movement = _write(_Kind.REDEEM, parts, token=token, note=f"兑换 {wanted.label}", by=by)
    kept = Redemption.objects.create(
        number=next_number(Redemption, "DH", timezone.localdate()),
        volunteer=person,
        site=site,
        movement=movement,
        offer=offer,
        label=wanted.label,
        points=wanted.points,
    )
    _note(movement, person, by, site.region_code, points=wanted.points, offer=offer)
    return kept


@transaction.atomic
def hand_over(number: str, *, by: User) -> Redemption:
    """The place hands over what was redeemed (兑付); never to oneself."""
    take_turn()
    found = _redemption(number)
    require_at(by, Act.CONFIRM_SERVICE, found.site)
    if found.volunteer.account and found.volunteer.account == by.username:
        raise StepRefused("不能给自己兑付。", "Nobody hands over to oneself.", code="same_person")
    if found.state != Redemption.State.ASKED:
        return found
    found.state, found.given_at, found.given_by = Redemption.State.GIVEN, timezone.now(), by.username
    found.save(update_fields=["state", "given_at", "given_by"])
    record(by=by, act="hand_over_points", subject=f"points:{number}", region_code=found.site.region_code)
    return found


@transaction.atomic
def cancel_redemption(number: str, *, by: User) -> Redemption:
    """Take a redemption back before it is handed over; the points come back by a counter-entry."""
    take_turn()
    found = _redemption(number)
    require_self_or_desk(by, Act.USE_POINTS, found.volunteer)
    if found.state == Redemption.State.CANCELLED:
        return found
    if found.state == Redemption.State.GIVEN:
        raise StepRefused("已经兑付，不能撤销。", "It was handed over already.")
    _reverse(found.movement, note=f"撤销兑换 {number}", by=by)
    found.state = Redemption.State.CANCELLED
    found.save(update_fields=["state"])
    return found


def _redemption(number: str) -> Redemption:
    found = (
        Redemption.objects.select_related("volunteer__site", "site", "movement").filter(number=number).first()
    )
    if found is None:
        raise VolunteerNotFound(f"没有找到兑换 {number}。", f"No redemption {number}.")
    return found


@transaction.atomic
def reverse_movement(number: str, *, why: str, by: User) -> PointMovement:
    """Take a movement back by its counter-entry (冲销); what was used meanwhile cannot be taken back."""
    take_turn()
    found = PointMovement.objects.filter(number=number).first()
    if found is None:
        raise VolunteerNotFound(f"没有找到凭证 {number}。", f"No movement {number}.")
    for site in Site.objects.filter(pk__in=found.legs.values("site")):
        require_at(by, Act.CORRECT_POINTS, site)
    if len(why.strip()) < 2:
        raise StepRefused("请写明冲销理由。", "Say why it is taken back.")
    if hasattr(found, "redemption") and found.redemption.state == Redemption.State.GIVEN:
        raise StepRefused("已经兑付的兑换不能冲销。", "What was handed over is not taken back.")
    done = PointMovement.objects.filter(reverses=found).first()
    if done is not None:
        return done
    made = _reverse(found, note=why.strip(), by=by)
    Redemption.objects.filter(movement=found).update(state=Redemption.State.CANCELLED)
    return made


def _reverse(found: PointMovement, *, note: str, by: User) -> PointMovement:
    if found.reverses_id is not None:
        raise StepRefused(
            "冲销凭证不能再冲销，请另作一笔。", "A counter-entry is not reversed; make a new movement."
        )
    legs = list(found.legs.select_related("site", "volunteer"))
    for leg in legs:
        if leg.points > 0 and _held_in(leg) < leg.points:
            raise StepRefused(
                f"{found.number} 的积分已有部分使用，不能冲销。",
                f"Points of {found.number} were used already.",
            )
    parts = [
        Part(leg.account, -leg.points, leg.lot_id, leg.site_id, leg.expires_on, leg.volunteer_id)
        for leg in legs
    ]
    movement = _write(_Kind.REVERSE, parts, token=f"reverse:{found.pk}", note=note, by=by, reverses=found)
    person = next((leg.volunteer for leg in legs if leg.volunteer is not None), None)
    _note(movement, person, by, legs[0].site.region_code, reverses=found.number)
    return movement


def _held_in(leg: PointLeg) -> int:
    """What the account of a leg still has of its lot."""
    same = PointLeg.objects.filter(
        account=leg.account, volunteer=leg.volunteer_id, lot=leg.lot_id, site=leg.site_id
    )
    return int(same.aggregate(sum=Sum("points", default=0))["sum"])


@transaction.atomic
def settle_estate(person: Volunteer, *, died_on: date, by: User) -> PointMovement | None:
    """After a death the points go to the named heir, else to the public pool (handbook 05 §5.7, assumed)."""
    require_at(by, Act.CORRECT_POINTS, person.site)
    take_turn()
    token = f"estate:{person.pk}"
    if (done := _before(token)) is not None:
        return done
    Volunteer.objects.filter(pk=person.pk).update(died_on=died_on, left_on=died_on)
    person.refresh_from_db()
    heir = person.heir if person.heir is not None and person.heir.died_on is None else None
    parts = []
    for one in lots(person, on=timezone.localdate()):
        parts.append(Part(_Account.HELD, -one.points, one.lot, one.site, one.expires_on, person.pk))
        to = _Account.HELD if heir is not None else _Account.POOL
        parts.append(Part(to, one.points, one.lot, one.site, one.expires_on, heir.pk if heir else None))
    if not parts:
        return None
    note = f"{person.number} 去世，积分转 {heir.number if heir else '公益池'}"
    movement = _write(_Kind.INHERIT, parts, token=token, note=note, by=by)
    _note(movement, person, by, person.site.region_code, heir=heir.number if heir else "")
    return movement


@transaction.atomic
def grant_from_pool(person: Volunteer, *, points: int, token: str, why: str, by: User) -> PointMovement:
    """Give points of the public pool to somebody in need (公益池发放)."""
    require_at(by, Act.CORRECT_POINTS, person.site)
    take_turn()
    if (done := _before(token)) is not None:
        return done
    if len(why.strip()) < 2 or points <= 0:
        raise StepRefused("请写明理由，积分数大于零。", "Say why, and a number above nought.")
    rows = (
        PointLeg.objects.filter(account=_Account.POOL)
        .order_by()
        .values("lot", "site", "expires_on")
        .annotate(sum=Sum("points"))
        .filter(sum__gt=0)
        .order_by(F("expires_on").asc(nulls_last=True), "lot", "site")
    )
    today, parts, left = timezone.localdate(), [], points
    for row in rows:
        part = min(left, row["sum"])
        if not part or (row["expires_on"] is not None and row["expires_on"] < today):
            continue
        parts.append(Part(_Account.POOL, -part, row["lot"], row["site"], row["expires_on"]))
        parts.append(Part(_Account.HELD, part, row["lot"], row["site"], row["expires_on"], person.pk))
        left -= part
    if left:
        raise StepRefused("公益池积分不够。", "The public pool has not as many points.", code="points_short")
    movement = _write(_Kind.POOL, parts, token=token, note=why.strip(), by=by)
    _note(movement, person, by, person.site.region_code, points=points)
    return movement


@transaction.atomic
def expire_points(*, by: User, on: date | None = None) -> int:
    """Move what has expired out of people's accounts and the pool; again on the same day there is nothing left to move."""
    require(by, Act.CORRECT_POINTS)
    take_turn()
    today = on or timezone.localdate()
    rows = (
        PointLeg.objects.filter(account__in=(_Account.HELD, _Account.POOL), expires_on__lt=today)
        .filter(site__region_code__startswith=by.region_code)
        .order_by()
        .values("account", "volunteer", "lot", "site", "expires_on")
        .annotate(sum=Sum("points"))
        .filter(sum__gt=0)
    )
    parts, gone = [], 0
    for row in rows:
        parts.append(
            Part(row["account"], -row["sum"], row["lot"], row["site"], row["expires_on"], row["volunteer"])
        )
        parts.append(Part(_Account.EXPIRED, row["sum"], row["lot"], row["site"], row["expires_on"]))
        gone += row["sum"]
    if parts:
        stamp = timezone.now()
        movement = _write(
            _Kind.EXPIRE, parts, token=f"expire:{today}:{stamp:%H%M%S%f}", note=f"{today} 前到期", by=by
        )
        _note(movement, None, by, by.region_code, points=gone)
    return gone


@dataclass(frozen=True)
class Totals:
    """The whole ledger: issued = held + redeemed + expired + pool, always."""

    issued: int
    held: int
    redeemed: int
    expired: int
    pool: int

    @property
    def whole(self) -> bool:
        return self.issued == self.held + self.redeemed + self.expired + self.pool


def totals() -> Totals:
    """What was ever issued and where it is now."""
    rows = PointLeg.objects.order_by().values("account").annotate(sum=Sum("points"))
    found = {row["account"]: row["sum"] for row in rows}
    return Totals(
        issued=-found.get("issued", 0),
        held=found.get("held", 0),
        redeemed=found.get("redeemed", 0),
        expired=found.get("expired", 0),
        pool=found.get("pool", 0),
    )
