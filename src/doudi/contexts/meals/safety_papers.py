"""Who cooks and from what (人员与进货): health certificates, the morning check, suppliers, deliveries, what went where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.order_models import Dish
from doudi.contexts.meals.safety_models import (
    DishUse,
    FoodBatch,
    HealthCertificate,
    KitchenWorker,
    MorningCheck,
    Supplier,
)
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.engine import pictures
from doudi.engine.errors import DoudiError
from doudi.engine.packs.food_safety import FoodSafety, Verdict
from doudi.house.attachments import keep_attachment


class SafetyNotFound(DoudiError):
    """No such entry of the food safety ledgers that the asker may see."""

    code = "safety_not_found"


def seen(model: Any, by: User, *, at: str = "site__") -> QuerySet[Any]:
    """The entries of a ledger at the places that ``by`` may look after; ``at`` leads to the place."""
    found: QuerySet[Any] = model.objects.filter(reach(require(by, Act.VIEW_SAFETY), by, at))
    return found


def one(model: Any, by: User, **where: Any) -> Any:
    """One entry that ``by`` may see, or :class:`SafetyNotFound`."""
    found = seen(model, by).select_related("site").filter(**where).first()
    if found is None:
        shown = next(iter(where.values()))
        raise SafetyNotFound(f"没有找到 {shown}。", f"Nothing found under {shown}.")
    return found


def kept_paper(content: bytes) -> tuple[str, str]:
    """Seal a photo, rid of its metadata, or a scan: digest and media type; nothing gives empty texts."""
    if not content:
        return "", ""
    clean = content if content.startswith(b"%PDF-") else pictures.strip(content)
    kept = keep_attachment(clean)
    return kept.digest, kept.media_type


# ---- people ------------------------------------------------------------------------------------------------------


@transaction.atomic
def enter_worker(
    place: Site, *, name: str, job: str, joined_on: date, by: User, ready_food: bool = True
) -> KitchenWorker:
    """Enter somebody who works with food; the same name at the same place again is the one who is there."""
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if not name.strip() or not job.strip():
        raise StepRefused("请填写姓名和岗位。", "Give the name and the job.")
    worker, new = KitchenWorker.objects.get_or_create(
        site=place,
        name=name.strip(),
        left_on=None,
        defaults={"job": job.strip(), "joined_on": joined_on, "ready_food": ready_food},
    )
    if new:
        record(by=by, act="enter_worker", subject=f"site:{place.code}", region_code=place.region_code)
    return worker


@transaction.atomic
def worker_left(worker: KitchenWorker, *, on: date, by: User) -> KitchenWorker:
    """Somebody works here no longer."""
    require_at(by, Act.KEEP_SAFETY, worker.site)
    if KitchenWorker.objects.filter(pk=worker.pk, left_on=None).update(left_on=on):
        record(
            by=by, act="worker_left", subject=f"site:{worker.site.code}", region_code=worker.site.region_code
        )
    worker.refresh_from_db()
    return worker


@transaction.atomic
def keep_certificate(
    worker: KitchenWorker,
    *,
    number: str,
    issued_on: date,
    rules: FoodSafety,
    by: User,
    paper: bytes = b"",
) -> HealthCertificate:
    """Register a health certificate (食品安全法 art.45); it holds for the pack's months from the day it was issued."""
    place = worker.site
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if not number.strip() or issued_on > timezone.localdate():
        raise StepRefused(
            "请填写证号；发证日期不能在今天之后。", "Give the number; it cannot be issued after today."
        )
    again = worker.certificates.filter(number=number.strip(), issued_on=issued_on).first()
    if again is not None:
        return again
    kept = HealthCertificate.objects.create(
        site=place,
        worker=worker,
        number=number.strip(),
        issued_on=issued_on,
        valid_until=rules.certificate_until(issued_on),
        paper=kept_paper(paper)[0],
        recorded_by=by.username,
    )
    record(
        by=by,
        act="keep_certificate",
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"until": kept.valid_until},
    )
    return kept


def certificate_of(worker: KitchenWorker, on: date) -> HealthCertificate | None:
    """The certificate that counted on a day: the newest issued by then."""
    return worker.certificates.filter(issued_on__lte=on).order_by("-issued_on", "-pk").first()


@dataclass(frozen=True)
class Standing:
    """How a worker stands on a day: the certificate, the day's check, and whether the person may touch food."""

    worker: KitchenWorker
    certificate: HealthCertificate | None
    check: MorningCheck | None
    verdict: Verdict


def standing(worker: KitchenWorker, on: date, rules: FoodSafety) -> Standing:
    """Whether a worker may touch ready-to-eat food on a day; without a certificate in force nobody may (红线)."""
    certificate = certificate_of(worker, on)
    check = worker.checks.filter(on=on).order_by("-pk").first()
    if check is not None:
        verdict = Verdict(check.fit, check.why, check.why_en)
    elif worker.ready_food:
        until = certificate.valid_until if certificate is not None else None
        verdict = rules.fit_for_work(tenths=0, symptoms=[], certificate_until=until, on=on)
    else:
        verdict = Verdict(True)
    return Standing(worker, certificate, check, verdict)


def staff(place: Site, *, on: date, rules: FoodSafety, by: User) -> list[Standing]:
    """Everybody who works at a place on a day, and whether they may."""
    require_at(by, Act.VIEW_SAFETY, place)
    there = KitchenWorker.objects.filter(site=place, joined_on__lte=on).filter(
        Q(left_on=None) | Q(left_on__gt=on)
    )
    return [standing(worker, on, rules) for worker in there]


@transaction.atomic
def check_morning(
    worker: KitchenWorker, *, on: date, tenths: int, symptoms: Sequence[str], rules: FoodSafety, by: User
) -> MorningCheck:
    """Record a worker's morning check; the system says whether the person may work, nobody chooses it.

    The same figures again are the same check; other figures are a second check, which counts from then on.
    """
    place = worker.site
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if not 340 <= tenths <= 430:
        raise StepRefused("体温请填 34.0 到 43.0 之间的数。", "A temperature lies between 34.0 and 43.0.")
    if on > timezone.localdate() or worker.left_on is not None:
        raise StepRefused(
            "只能为在岗人员登记今天或以前的晨检。", "A check is of today or earlier, of who works here."
        )
    named = [one for one in symptoms if one.strip()]
    certificate = certificate_of(worker, on)
    until = certificate.valid_until if certificate is not None else None
    if worker.ready_food:
        verdict = rules.fit_for_work(tenths=tenths, symptoms=named, certificate_until=until, on=on)
    else:
        verdict = rules.fit_for_work(tenths=tenths, symptoms=named, certificate_until=on, on=on)
    last = worker.checks.filter(on=on).order_by("-pk").first()
    if last is not None and (last.tenths, last.symptoms, last.fit) == (tenths, named, verdict.passed):
        return last
    kept = MorningCheck.objects.create(
        site=place,
        worker=worker,
        on=on,
        tenths=tenths,
        symptoms=named,
        fit=verdict.passed,
        why=verdict.zh,
        why_en=verdict.en,
        recorded_by=by.username,
    )
    record(
        by=by,
        act="check_morning",
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"on": on, "fit": kept.fit},
    )
    return kept


# ---- deliveries --------------------------------------------------------------------------------------------------


@transaction.atomic
def enter_supplier(
    place: Site, *, name: str, licence_no: str, licence_until: date | None, contact: str, by: User
) -> Supplier:
    """Enter who delivers food and the licence that was looked at; again under the same name renews the licence."""
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if not name.strip() or not contact.strip():
        raise StepRefused(
            "请填写供货者名称和联系方式（食品安全法第五十三条）。", "Give the supplier's name and contact."
        )
    supplier, _new = Supplier.objects.update_or_create(
        site=place,
        name=name.strip(),
        defaults={
            "licence_no": licence_no.strip(),
            "licence_until": licence_until,
            "contact": contact.strip(),
        },
    )
    record(by=by, act="enter_supplier", subject=f"site:{place.code}", region_code=place.region_code)
    return supplier


@transaction.atomic
def enter_batch(
    place: Site,
    *,
    token: str,
    supplier: Supplier,
    product: str,
    quantity: Decimal,
    unit: str,
    received_on: date,
    rules: FoodSafety,
    by: User,
    spec: str = "",
    produced_on: date | None = None,
    batch_no: str = "",
    shelf_life_until: date | None = None,
    fresh_produce: bool = False,
    voucher: bytes = b"",
    corrects: FoodBatch | None = None,
    ground: str = "",
) -> FoodBatch:
    """Enter a delivery in the purchase ledger (进货查验, 食品安全法 art.53); ``token`` names the form, sent twice it is one.

    Food past its shelf life, or of a supplier whose licence has run out, is refused: it must not be taken in. A
    mistake is corrected by another entry that names the first.
    """
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    again = FoodBatch.objects.filter(token=token).first()
    if again is not None:
        return again
    if supplier.site_id != place.pk or (corrects is not None and corrects.site_id != place.pk):
        raise SafetyNotFound("没有找到这个供货者或进货记录。", "No such supplier or delivery here.")
    _refuse_bad_delivery(
        supplier, product, quantity, received_on, produced_on, shelf_life_until, fresh_produce
    )
    if corrects is not None and (
        FoodBatch.objects.filter(corrects=corrects).exists() or len(ground.strip()) < 2
    ):
        raise StepRefused(
            "这条记录已更正过，或没有写更正理由。",
            "This entry was corrected already, or no ground was given.",
        )
    kept = FoodBatch.objects.create(
        number=next_number(FoodBatch, "JH", received_on),
        token=token,
        site=place,
        supplier=supplier,
        product=product.strip(),
        spec=spec.strip(),
        quantity=quantity,
        unit=unit.strip(),
        produced_on=produced_on,
        batch_no=batch_no.strip(),
        shelf_life_until=shelf_life_until,
        fresh_produce=fresh_produce,
        received_on=received_on,
        keep_until=rules.keep_until(
            received_on=received_on, shelf_life_until=shelf_life_until, fresh_produce=fresh_produce
        ),
        voucher=kept_paper(voucher)[0],
        corrects=corrects,
        ground=ground.strip(),
        recorded_by=by.username,
    )
    record(
        by=by,
        act="enter_batch",
        subject=f"batch:{kept.number}",
        region_code=place.region_code,
        reason=ground,
        detail={"site": place.code, "corrects": corrects.number if corrects is not None else ""},
    )
    return kept


def _refuse_bad_delivery(
    supplier: Supplier,
    product: str,
    quantity: Decimal,
    received_on: date,
    produced_on: date | None,
    shelf_life_until: date | None,
    fresh_produce: bool,
) -> None:
    if not product.strip() or quantity <= 0 or received_on > timezone.localdate():
        raise StepRefused(
            "请填写品名和大于零的数量，进货日期不能在今天之后。",
            "Give a product and a quantity above nought; it cannot come after today.",
        )
    if produced_on is None and shelf_life_until is None and not fresh_produce:
        raise StepRefused(
            "预包装食品请填写生产日期或保质期；散装农产品请勾选“食用农产品”。",
            "Give the production date or the shelf life, or tick fresh produce.",
        )
    if shelf_life_until is not None and shelf_life_until < received_on:
        raise StepRefused(
            f"“{product}”的保质期到 {shelf_life_until}，已过期，不能入库。请退货。",
            f"{product} was good until {shelf_life_until} only: send it back.",
            code="past_shelf_life",
        )
    if supplier.licence_until is not None and supplier.licence_until < received_on:
        raise StepRefused(
            f"供货者“{supplier.name}”的许可证 {supplier.licence_until} 到期，不能收货。请先更新许可证。",
            f"The licence of {supplier.name} ended on {supplier.licence_until}: renew it first.",
            code="supplier_licence",
        )


@transaction.atomic
def use_batch(batch: FoodBatch, *, dish: Dish, day: date, meal: str, by: User) -> DishUse:
    """Say that a delivery went into a dish of a meal; said twice it is one use. Food past its shelf life is refused."""
    place = batch.site
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if dish.kitchen_id != place.pk or meal not in Meal.values or day < batch.received_on:
        raise StepRefused(
            "请选择本厨房的菜品和餐次，日期不能早于进货日。",
            "Choose a dish of this kitchen and a meal, not before the delivery.",
        )
    if batch.shelf_life_until is not None and day > batch.shelf_life_until:
        raise StepRefused(
            f"{batch.number} {batch.product} 的保质期到 {batch.shelf_life_until}，不能使用。请下架销毁。",
            f"{batch.number} was good until {batch.shelf_life_until} only and must not be used.",
            code="past_shelf_life",
        )
    kept, new = DishUse.objects.get_or_create(
        batch=batch, dish=dish, day=day, meal=meal, defaults={"site": place, "recorded_by": by.username}
    )
    if new:
        record(
            by=by,
            act="use_batch",
            subject=f"batch:{batch.number}",
            region_code=place.region_code,
            detail={"dish": dish.pk, "day": day, "meal": meal},
        )
    return kept


def batches(*, by: User, text: str = "") -> QuerySet[FoodBatch]:
    """The purchase ledger, newest first, narrowed by product, batch number or supplier."""
    found = seen(FoodBatch, by).select_related("supplier", "site", "corrected_by")
    if text:
        found = found.filter(
            Q(product__icontains=text) | Q(batch_no__icontains=text) | Q(supplier__name__icontains=text)
            | Q(number=text)
        )  # fmt: skip
    return found


def running_out(*, by: User, within_days: int) -> QuerySet[FoodBatch]:
    """Deliveries whose shelf life ends within so many days or ended in the last week: use or throw away."""
    today = timezone.localdate()
    return batches(by=by).filter(
        shelf_life_until__range=(today - timedelta(days=7), today + timedelta(days=within_days)),
        corrected_by=None,
    )


# ---- what the forms of a place choose from, for a caller that was shown the place ----------------------------------


def workers_of(place: Site) -> QuerySet[KitchenWorker]:
    """Who works at a place now."""
    return KitchenWorker.objects.filter(site=place, left_on=None).select_related("site")


def suppliers_of(place: Site) -> QuerySet[Supplier]:
    """Who delivers to a place."""
    return Supplier.objects.filter(site=place)


def stock_of(place: Site) -> QuerySet[FoodBatch]:
    """Deliveries to a place that stand, newest first."""
    return FoodBatch.objects.filter(site=place, corrected_by=None).select_related("site")


def dishes_of(place: Site) -> QuerySet[Dish]:
    """The dishes that a place cooks."""
    return Dish.objects.filter(kitchen=place, retired_on=None)
