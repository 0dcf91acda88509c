"""How the food was handled (加工过程): temperatures, and the samples that are kept with their clock (留样)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, take_turn
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.order_models import Dish
from doudi.contexts.meals.safety_models import FoodSample, Reading
from doudi.contexts.meals.safety_papers import seen
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, require_at
from doudi.engine.packs.food_safety import FoodSafety, Verdict


@transaction.atomic
def take_reading(
    place: Site,
    *,
    point: str,
    what: str,
    tenths: int,
    at: datetime,
    rules: FoodSafety,
    by: User,
    minutes: int | None = None,
    action: str = "",
) -> Reading:
    """Record a temperature; out of range it is kept as what it is, with what was done about it (复热、销毁、报修).

    ``minutes``: how long the food stood so far; between cold and hot it may stand for the pack's minutes alone. The
    same reading at the same moment again is the same.
    """
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if point not in rules.ranges or not what.strip():
        raise StepRefused(
            "请选择测温点并写明菜品或设备。", "Choose the point and name the dish or the device."
        )
    if at > timezone.now() + timedelta(minutes=5):
        raise StepRefused("测温时间不能在将来。", "A reading cannot lie in the future.")
    again = Reading.objects.filter(site=place, point=point, what=what.strip(), at=at, tenths=tenths).first()
    if again is not None:
        return again
    warm = rules.kept_warm(tenths, minutes) if minutes is not None else Verdict(True)
    # food on its way through the danger zone is judged by time; what stands still by its range
    verdict = warm if not warm.passed else rules.measured(point, tenths)
    if not verdict.passed and len(action.strip()) < 2:
        raise StepRefused(
            f"不合格：{verdict.zh}。请写明怎样处理（如复热、销毁、报修）。",
            f"Out of range: {verdict.en}. Say what was done about it.",
            code="action_missing",
        )
    kept = Reading.objects.create(
        site=place,
        point=point,
        what=what.strip(),
        tenths=tenths,
        minutes=minutes,
        at=at,
        passed=verdict.passed,
        why=verdict.zh,
        why_en=verdict.en,
        action=action.strip(),
        recorded_by=by.username,
    )
    record(
        by=by,
        act="take_reading",
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"point": point, "passed": kept.passed},
    )
    return kept


@transaction.atomic
def keep_sample(
    place: Site,
    *,
    dish: Dish,
    day: date,
    meal: str,
    grams: int,
    taken_at: datetime,
    taken_by: str,
    rules: FoodSafety,
    by: User,
) -> FoodSample:
    """Keep a sample of a dish of a meal (留样): at least the pack's grams, from now on with its clock.

    A sample that is too light is refused while the dish is still there to take more of. One dish and meal has one
    sample; kept again it is the one that is there.
    """
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    if dish.kitchen_id != place.pk or meal not in Meal.values or not taken_by.strip():
        raise StepRefused(
            "请选择本厨房的菜品、餐次，并填写留样人。", "Choose dish and meal and say who took it."
        )
    if taken_at > timezone.now() + timedelta(minutes=5):
        raise StepRefused("留样时间不能在将来。", "A sample cannot be taken in the future.")
    there = FoodSample.objects.filter(site=place, dish=dish, day=day, meal=meal).first()
    if there is not None:
        return there
    if grams < rules.sample_grams:
        raise StepRefused(
            f"留样只有 {grams} 克，至少 {rules.sample_grams} 克。请补足后再登记。",
            f"The sample has {grams} g; at least {rules.sample_grams} g are kept.",
            code="sample_light",
        )
    kept = FoodSample.objects.create(
        number=next_number(FoodSample, "LY", day),
        site=place,
        dish=dish,
        day=day,
        meal=meal,
        grams=grams,
        taken_at=taken_at,
        taken_by=taken_by.strip(),
        keep_until=taken_at + timedelta(hours=rules.sample_hours),
        recorded_by=by.username,
    )
    record(
        by=by,
        act="keep_sample",
        subject=f"sample:{kept.number}",
        region_code=place.region_code,
        detail={"site": place.code},
    )
    return kept


@transaction.atomic
def end_sample(
    sample: FoodSample,
    *,
    ended_by: str,
    rules: FoodSafety,
    by: User,
    at: datetime | None = None,
    why: str = "",
) -> FoodSample:
    """Throw a sample away (销毁留样). Before its time only with a reason, and it then counts as failed; held, never."""
    place = sample.site
    require_at(by, Act.KEEP_SAFETY, place)
    take_turn()
    sample.refresh_from_db()
    if sample.ended_at is not None:
        return sample
    if sample.held:
        raise StepRefused(
            "这份留样因食品安全事件封存，结案前不能销毁。",
            "This sample is held for an incident until it is closed.",
            code="sample_held",
        )
    now = at or timezone.now()
    if now > timezone.now() + timedelta(minutes=5) or now < sample.taken_at:
        raise StepRefused(
            "销毁时间应在留样之后、现在之前。", "It ends after it was taken and not in the future."
        )
    hours = (now - sample.taken_at).total_seconds() / 3600
    verdict = rules.sample(grams=sample.grams, hours=hours)
    if not verdict.passed and len(why.strip()) < 2:
        left = rules.sample_hours - hours
        raise StepRefused(
            f"还要再保留 {left:.1f} 小时（到 {timezone.localtime(sample.keep_until):%m月%d日 %H:%M}）。"
            "如已被监管部门取走或损坏，请写明原因，将记为不合格。",
            f"It is to be kept {left:.1f} hours more. If it was taken or broken say why; it then counts as failed.",
            code="sample_too_early",
        )
    sample.ended_at, sample.ended_by, sample.ended_why = now, ended_by.strip() or by.display_name, why.strip()
    sample.passed, sample.why, sample.why_en = verdict.passed, verdict.zh, verdict.en
    sample.save(update_fields=["ended_at", "ended_by", "ended_why", "passed", "why", "why_en"])
    record(
        by=by,
        act="end_sample",
        subject=f"sample:{sample.number}",
        region_code=place.region_code,
        reason=why,
        detail={"passed": verdict.passed},
    )
    return sample


def samples(*, by: User, state: str = "kept") -> QuerySet[FoodSample]:
    """Samples by state: ``kept`` in the fridge, ``ripe`` (may go), ``ended``; any other word gives all."""
    found = seen(FoodSample, by).select_related("dish", "site")
    if state == "kept":
        return found.filter(ended_at=None)
    if state == "ripe":
        return found.filter(ended_at=None, held=False, keep_until__lte=timezone.now())
    return found.exclude(ended_at=None) if state == "ended" else found


def readings(*, by: User) -> QuerySet[Reading]:
    """Temperatures, newest first."""
    return seen(Reading, by).select_related("site")
