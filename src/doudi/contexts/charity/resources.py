"""Goods and services that a body can give: what expires first goes first, capacity is never booked twice.

In come lots and offers; out go goods for a claim and bookings for a month. A lot past its date is never given.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import F, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.claims import claim_of
from doudi.contexts.charity.errors import ResourceNotFound, StepRefused
from doudi.contexts.charity.models import Claim, GoodsLot, GoodsMove, ServiceBooking, ServiceOffer
from doudi.contexts.charity.organisations import own_organisation
from doudi.engine.packs.linking import LinkageRules


def lots(*, by: User, held: bool = True) -> QuerySet[GoodsLot]:
    """Goods that ``by`` may see, what expires first above; ``held`` leaves out what is used up."""
    scope = require(by, Act.VIEW_PROJECTS)
    found = GoodsLot.objects.select_related("organisation")
    if scope is Scope.ORGANISATION:
        found = found.filter(organisation__code=by.organisation)
    elif by.region_code:
        found = found.filter(organisation__region_code__startswith=by.region_code[:6])
    return found.filter(left__gt=0) if held else found


@transaction.atomic
def take_in_goods(
    *,
    name: str,
    unit: str,
    kind: str,
    quantity: int,
    expires_on: date | None = None,
    source: str = "",
    rules: LinkageRules,
    by: User,
) -> GoodsLot:
    """Take goods of one date of expiry in (入库)."""
    require(by, Act.KEEP_PROJECTS)
    body = own_organisation(by)
    take_turn()
    today = timezone.localdate()
    if len(name.strip()) < 1 or not unit.strip() or kind not in rules.kinds:
        raise StepRefused("请填写名称、单位和需求种类。", "Give the name, the unit and the kind of need.")
    if not 0 < quantity <= 10_000_000:
        raise StepRefused("数量应大于零。", "The quantity is positive.")
    if expires_on is not None and expires_on < today:
        raise StepRefused(
            "已过有效期的物资不能入库。", "Goods past their date are not taken in.", code="expired"
        )
    lot = GoodsLot.objects.create(
        organisation=body, name=name.strip(), unit=unit.strip(), kind=kind, quantity=quantity, left=quantity,
        expires_on=expires_on, received_on=today, source=source.strip(), entered_by=by.username,
    )  # fmt: skip
    record(
        by=by, act=Act.KEEP_PROJECTS, subject=f"goods:{lot.pk}", region_code=body.region_code,
        detail={"step": "in", "quantity": quantity, "expires_on": expires_on},
    )  # fmt: skip
    return lot


@transaction.atomic
def give_goods(
    claim_number: str, *, name: str, quantity: int, retry_key: str = "", by: User
) -> list[GoodsMove]:
    """Give goods for a claim, what expires first going first (先到期先出); all of it or nothing.

    ``retry_key`` makes a request that is sent again give once.
    """
    take_turn()
    claim = claim_of(claim_number, by=by)
    require(by, Act.CLAIM_NEED, organisation=claim.organisation.code)
    if retry_key:
        done = list(GoodsMove.objects.filter(claim=claim, retry_key=retry_key))
        if done:
            return done
    if claim.status not in (Claim.Status.RESERVED, Claim.Status.GRANTED):
        raise StepRefused("这份认领已经结束。", "The claim has ended.")
    if quantity <= 0:
        raise StepRefused("数量应大于零。", "The quantity is positive.")
    today = timezone.localdate()
    standing = [
        lot
        for lot in GoodsLot.objects.filter(
            organisation=claim.organisation, name=name.strip(), left__gt=0
        ).order_by(F("expires_on").asc(nulls_last=True), "received_on", "pk")
        if lot.expires_on is None or lot.expires_on >= today
    ]
    if sum(lot.left for lot in standing) < quantity:
        raise StepRefused(
            f"“{name.strip()}”未过期的余量只有 {sum(lot.left for lot in standing)}，不够 {quantity}。",
            "Not enough of it is left within its date.",
            code="not_enough",
        )
    moves, wanted = [], quantity
    for lot in standing:
        if not wanted:
            break
        part = min(lot.left, wanted)
        if not GoodsLot.objects.filter(pk=lot.pk, left__gte=part).update(left=F("left") - part):
            raise StepRefused(
                "库存刚有变动，请再办一次。", "The stock just changed; try again.", code="outrun"
            )
        move = GoodsMove(
            lot=lot, kind=GoodsMove.Kind.GIVEN, quantity=part, claim=claim, retry_key=retry_key, moved_on=today,
            moved_by=by.username,
        )  # fmt: skip
        move.save()
        moves.append(move)
        wanted -= part
    record(
        by=by, act=Act.CLAIM_NEED, subject=f"need:{claim.need.code}", region_code=claim.need.region_code,
        detail={"claim": claim_number, "step": "goods", "quantity": quantity, "lots": len(moves)},
    )  # fmt: skip
    return moves


@transaction.atomic
def write_off_expired(pk: int, *, by: User) -> GoodsMove:
    """Write off what is left of a lot past its date (过期报废)."""
    require(by, Act.KEEP_PROJECTS)
    take_turn()
    lot = lots(by=by, held=False).filter(pk=pk).first()
    if lot is None:
        raise ResourceNotFound("没有找到这批物资。", "No such lot.")
    if lot.expires_on is None or lot.expires_on >= timezone.localdate():
        raise StepRefused("这批物资还没有过期。", "The lot is within its date.")
    if lot.left == 0:
        raise StepRefused("这批物资没有余量。", "Nothing of it is left.", code="already_done")
    move = GoodsMove(
        lot=lot,
        kind=GoodsMove.Kind.EXPIRED,
        quantity=lot.left,
        moved_on=timezone.localdate(),
        moved_by=by.username,
    )
    move.save()
    GoodsLot.objects.filter(pk=pk).update(left=0)
    record(
        by=by, act=Act.KEEP_PROJECTS, subject=f"goods:{pk}", region_code=lot.organisation.region_code,
        detail={"step": "expired", "quantity": move.quantity},
    )  # fmt: skip
    return move


def services(*, by: User) -> QuerySet[ServiceOffer]:
    """Services that ``by`` may see."""
    scope = require(by, Act.VIEW_PROJECTS)
    found = ServiceOffer.objects.select_related("organisation").filter(ended_on=None)
    if scope is Scope.ORGANISATION:
        return found.filter(organisation__code=by.organisation)
    return found.filter(organisation__region_code__startswith=by.region_code[:6]) if by.region_code else found


@transaction.atomic
def offer_service(
    *,
    name: str,
    unit: str,
    kind: str,
    per_month: int,
    regions: Sequence[str] = (),
    rules: LinkageRules,
    by: User,
) -> ServiceOffer:
    """Offer a service with its capacity a month (服务资源)."""
    require(by, Act.KEEP_PROJECTS)
    body = own_organisation(by)
    take_turn()
    if not name.strip() or not unit.strip() or kind not in rules.kinds or per_month <= 0:
        raise StepRefused("请填写名称、单位、需求种类和每月容量。", "Give the name, unit, kind and capacity.")
    offer, new = ServiceOffer.objects.get_or_create(
        organisation=body, name=name.strip(), ended_on=None,
        defaults={"unit": unit.strip(), "kind": kind, "per_month": per_month, "regions": list(regions),
                  "entered_by": by.username},
    )  # fmt: skip
    if new:
        record(
            by=by, act=Act.KEEP_PROJECTS, subject=f"service:{offer.pk}", region_code=body.region_code,
            detail={"step": "offer", "per_month": per_month},
        )  # fmt: skip
    return offer


def free_units(offer: ServiceOffer, month: date) -> int:
    """What is left of a service's capacity in a month."""
    taken = offer.bookings.filter(month=month.replace(day=1)).aggregate(n=Sum("units"))["n"] or 0
    return max(0, offer.per_month - taken)


@transaction.atomic
def book_service(claim_number: str, *, offer: int, month: date, units: int, by: User) -> ServiceBooking:
    """Book capacity of a month for a claim; never more than there is. The same booking again gives the first."""
    take_turn()
    claim = claim_of(claim_number, by=by)
    require(by, Act.CLAIM_NEED, organisation=claim.organisation.code)
    found = services(by=by).filter(pk=offer, organisation=claim.organisation).first()
    if found is None:
        raise ResourceNotFound("没有找到这项服务。", "No such service.")
    first = month.replace(day=1)
    standing = found.bookings.filter(month=first, claim=claim).first()
    if standing is not None:
        return standing
    if claim.status not in (Claim.Status.RESERVED, Claim.Status.GRANTED):
        raise StepRefused("这份认领已经结束。", "The claim has ended.")
    free = free_units(found, first)
    if not 0 < units <= free:
        raise StepRefused(
            f"{first:%Y年%m月}只余 {free} {found.unit}。",
            f"Only {free} are free in that month.",
            code="not_enough",
        )
    booking = ServiceBooking(offer=found, month=first, units=units, claim=claim, booked_by=by.username)
    booking.save()
    record(
        by=by, act=Act.CLAIM_NEED, subject=f"need:{claim.need.code}", region_code=claim.need.region_code,
        detail={"claim": claim_number, "step": "service", "units": units, "month": first},
    )  # fmt: skip
    return booking
