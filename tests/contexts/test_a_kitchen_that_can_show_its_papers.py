"""A kitchen that can show its papers: who cooked, from what, how warm, what was kept (handbook 05 §5.5, cases 6, 7, 10)."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, audit_entries
from doudi.contexts.meals import safety
from doudi.contexts.meals.models import FoodBatch, HealthCertificate, MorningCheck, Reading
from doudi.contexts.meals.services import StepRefused
from tests.a_kitchen import Kitchen, open_kitchen
from tests.cast import Cast, assemble

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02picture\xff\xd9"


@pytest.fixture
def cast(office, db) -> Cast:
    return assemble()


@pytest.fixture
def kitchen(cast) -> Kitchen:
    return open_kitchen(cast.county)


@pytest.fixture
def rules():
    return chain.food_safety()


@pytest.fixture
def cook(cast, kitchen):
    return safety.enter_worker(
        kitchen.site, name="田师傅", job="厨师", joined_on=date(2024, 1, 2), by=cast.canteen
    )


@pytest.fixture
def supplier(cast, kitchen):
    return safety.enter_supplier(
        kitchen.site, name="惠民粮油", licence_no="JY1", licence_until=date(2030, 1, 1), contact="13800001111",
        by=cast.canteen,
    )  # fmt: skip


def delivered(kitchen, supplier, by, rules, *, token: str = "a" * 32, **more) -> FoodBatch:
    facts = {
        "product": "酱油", "quantity": Decimal("20"), "unit": "瓶", "received_on": timezone.localdate(),
        "shelf_life_until": timezone.localdate() + timedelta(days=90), "batch_no": "20261101A", **more,
    }  # fmt: skip
    return safety.enter_batch(kitchen.site, token=token, supplier=supplier, rules=rules, by=by, **facts)


# ---- people ------------------------------------------------------------------------------------------------------


def test_case_6_a_certificate_a_year_and_a_day_old_blocks_the_person(cast, kitchen, cook, rules) -> None:
    safety.keep_certificate(cook, number="52-1", issued_on=date(2024, 5, 10), rules=rules, by=cast.canteen)

    last_day = safety.standing(cook, date(2025, 5, 10), rules)
    day_after = safety.standing(cook, date(2025, 5, 11), rules)

    assert last_day.verdict.passed
    assert not day_after.verdict.passed
    assert "2025-05-10 到期" in day_after.verdict.zh


def test_the_morning_check_decides_by_itself(cast, kitchen, cook, rules) -> None:
    today = timezone.localdate()
    without = safety.check_morning(cook, on=today, tenths=365, symptoms=[], rules=rules, by=cast.canteen)
    safety.keep_certificate(cook, number="52-1", issued_on=today, rules=rules, by=cast.canteen)
    well = safety.check_morning(cook, on=today, tenths=365, symptoms=[], rules=rules, by=cast.canteen)
    again = safety.check_morning(cook, on=today, tenths=365, symptoms=[], rules=rules, by=cast.canteen)
    feverish = safety.check_morning(cook, on=today, tenths=373, symptoms=[], rules=rules, by=cast.canteen)
    ill = safety.check_morning(cook, on=today, tenths=366, symptoms=["腹泻"], rules=rules, by=cast.canteen)

    assert (without.fit, without.why) == (False, "没有健康证")
    assert well.fit and again.pk == well.pk
    assert not feverish.fit and not ill.fit and ill.why == "腹泻"
    assert not safety.standing(cook, today, rules).verdict.passed, "the last check of the day counts"
    assert MorningCheck.objects.count() == 4


def test_nobody_but_the_kitchen_itself_keeps_its_ledgers(cast, kitchen, cook, rules) -> None:
    for who in (cast.county, cast.auditor, cast.stranger, cast.volunteer, cast.township):
        with pytest.raises(NotAllowed):
            safety.keep_certificate(cook, number="x", issued_on=date(2024, 1, 1), rules=rules, by=who)
    assert not HealthCertificate.objects.exists()
    assert not safety.seen(FoodBatch, cast.stranger).exists()


# ---- deliveries --------------------------------------------------------------------------------------------------


def test_case_10_the_record_is_kept_half_a_year_after_the_shelf_life(rules) -> None:
    day = date(2024, 9, 1)

    def keep(shelf_life_until=None, fresh=False):
        return rules.keep_until(received_on=day, shelf_life_until=shelf_life_until, fresh_produce=fresh)

    assert keep(date(2025, 3, 31)) == date(2025, 9, 30)
    assert keep() == date(2026, 9, 1), "two years where there is no shelf life (art.50 para.2)"
    assert keep(fresh=True) == date(2025, 3, 1), "fresh produce: six months (art.65)"


def test_a_delivery_entered_twice_is_one_and_is_corrected_by_another(cast, kitchen, supplier, rules) -> None:
    first = delivered(kitchen, supplier, cast.canteen, rules, voucher=JPEG)
    twice = delivered(kitchen, supplier, cast.canteen, rules, voucher=JPEG)
    right = delivered(
        kitchen, supplier, cast.canteen, rules, token="b" * 32, quantity=Decimal("12"), corrects=first,
        ground="数量写错",
    )  # fmt: skip

    assert twice.pk == first.pk and first.number.startswith("JH")
    assert first.voucher and right.corrects == first
    assert FoodBatch.objects.count() == 2
    with pytest.raises(StepRefused, match="已更正过"):
        delivered(kitchen, supplier, cast.canteen, rules, token="c" * 32, corrects=first, ground="再改一次")
    with pytest.raises(TypeError):
        first.save()


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"shelf_life_until": date(2024, 1, 1)}, "past_shelf_life"),
        ({"quantity": Decimal("0")}, "step_refused"),
        ({"shelf_life_until": None}, "step_refused"),
        ({"received_on": date(2099, 1, 1)}, "step_refused"),
    ],
)
def test_food_that_must_not_come_in_does_not(cast, kitchen, supplier, rules, wrong, code) -> None:
    with pytest.raises(StepRefused) as refused:
        delivered(kitchen, supplier, cast.canteen, rules, **wrong)
    assert refused.value.code == code
    assert not FoodBatch.objects.exists()


def test_a_supplier_without_a_licence_in_force_delivers_nothing(cast, kitchen, rules) -> None:
    old = safety.enter_supplier(
        kitchen.site,
        name="旧粮行",
        licence_no="JY2",
        licence_until=date(2024, 1, 1),
        contact="1",
        by=cast.canteen,
    )
    with pytest.raises(StepRefused, match="许可证"):
        delivered(kitchen, old, cast.canteen, rules)


def test_food_past_its_shelf_life_goes_into_no_dish(cast, kitchen, supplier, rules) -> None:
    today = timezone.localdate()
    batch = delivered(kitchen, supplier, cast.canteen, rules, shelf_life_until=today)

    use = safety.use_batch(batch, dish=kitchen.tofu, day=today, meal="lunch", by=cast.canteen)
    again = safety.use_batch(batch, dish=kitchen.tofu, day=today, meal="lunch", by=cast.canteen)

    assert use.pk == again.pk
    with pytest.raises(StepRefused, match="保质期"):
        safety.use_batch(
            batch, dish=kitchen.tofu, day=today + timedelta(days=1), meal="lunch", by=cast.canteen
        )


# ---- temperatures and samples ------------------------------------------------------------------------------------


def test_a_core_below_seventy_is_kept_with_what_was_done(cast, kitchen, rules) -> None:
    def core(tenths, **more):
        return safety.take_reading(
            kitchen.site, point="core", what="红烧肉", tenths=tenths, at=timezone.now(), rules=rules,
            by=cast.canteen, **more,
        )  # fmt: skip

    assert core(700).passed
    with pytest.raises(StepRefused, match="低于 70"):
        core(699)
    assert not core(699, action="继续加热到 75 ℃").passed
    assert Reading.objects.count() == 2


@pytest.mark.parametrize(
    ("tenths", "minutes", "good"),
    [(590, 120, True), (590, 121, False), (600, 500, True), (80, 500, True), (81, 121, False)],
)
def test_between_cold_and_hot_food_stands_two_hours_at_most(rules, tenths, minutes, good) -> None:
    assert rules.kept_warm(tenths, minutes).passed is good


@pytest.mark.parametrize(
    ("grams", "hours", "good"), [(120, 50, False), (125, 47, False), (125, 48, True), (124, 48, False)]
)
def test_case_7_a_sample_is_heavy_enough_and_old_enough(rules, grams, hours, good) -> None:
    assert rules.sample(grams=grams, hours=hours).passed is good


def test_a_sample_keeps_its_clock(cast, kitchen, rules) -> None:
    began = timezone.now() - timedelta(hours=47)
    asked = {"dish": kitchen.tofu, "day": timezone.localdate(), "meal": "lunch", "taken_by": "田师傅"}
    with pytest.raises(StepRefused, match="至少 125 克"):
        safety.keep_sample(kitchen.site, grams=120, taken_at=began, rules=rules, by=cast.canteen, **asked)
    kept = safety.keep_sample(kitchen.site, grams=130, taken_at=began, rules=rules, by=cast.canteen, **asked)
    twice = safety.keep_sample(kitchen.site, grams=140, taken_at=began, rules=rules, by=cast.canteen, **asked)

    assert twice.pk == kept.pk and twice.grams == 130
    assert kept.keep_until == began + timedelta(hours=48)
    assert not safety.samples(by=cast.canteen, state="ripe").exists()
    with pytest.raises(StepRefused, match="还要再保留"):
        safety.end_sample(kept, ended_by="田师傅", rules=rules, by=cast.canteen)
    gone = safety.end_sample(kept, ended_by="田师傅", why="市场监管局抽走", rules=rules, by=cast.canteen)
    assert gone.passed is False and gone.ended_why == "市场监管局抽走"


def test_a_sample_of_forty_eight_hours_may_go(cast, kitchen, rules) -> None:
    kept = safety.keep_sample(
        kitchen.site, dish=kitchen.soup, day=timezone.localdate(), meal="lunch", grams=125,
        taken_at=timezone.now() - timedelta(hours=48), taken_by="田师傅", rules=rules, by=cast.canteen,
    )  # fmt: skip

    assert list(safety.samples(by=cast.canteen, state="ripe")) == [kept]
    assert safety.end_sample(kept, ended_by="田师傅", rules=rules, by=cast.canteen).passed
    assert audit_entries(by=cast.auditor, act="end_sample").exists()


# ---- inspections -------------------------------------------------------------------------------------------------


def test_a_fault_is_put_right_by_the_kitchen_and_accepted_by_the_county(cast, kitchen, rules) -> None:
    today = timezone.localdate()
    asked = {"on": today, "inspector": "市场监管所 何某", "faults": {"S3": "留样标签不全"}, "rules": rules}
    with pytest.raises(NotAllowed):
        safety.make_tour(kitchen.site, token="1" * 32, kind="supervision", by=cast.canteen, **asked)
    tour = safety.make_tour(
        kitchen.site, token="1" * 32, kind="supervision", by=cast.county, photos=[JPEG], **asked
    )
    safety.make_tour(kitchen.site, token="1" * 32, kind="supervision", by=cast.county, photos=[JPEG], **asked)
    fault = tour.mendings.get()

    assert fault.due_on == today + timedelta(days=7)
    with pytest.raises(NotAllowed):
        safety.mend(fault.pk, how="我来整改好了", by=cast.county)
    safety.mend(fault.pk, how="已补齐标签", by=cast.canteen)
    with pytest.raises(NotAllowed):
        safety.accept_mending(fault.pk, accept=True, by=cast.canteen)
    safety.accept_mending(fault.pk, accept=False, why="照片不清", by=cast.county)
    safety.mend(fault.pk, how="已补齐标签并重拍", photos=[JPEG], by=cast.canteen)
    done = safety.accept_mending(fault.pk, accept=True, by=cast.county)

    assert (done.state, done.returned) == ("accepted", 1)
    assert tour.photos.count() == 2
    content, media_type = safety.look_at_photo(tour.photos.first().pk, by=cast.county)
    assert media_type == "image/jpeg" and content.startswith(b"\xff\xd8")
    with pytest.raises(safety.SafetyNotFound):
        safety.look_at_photo(tour.photos.first().pk, by=cast.stranger)


def test_own_tours_fall_due_by_their_rhythm(cast, kitchen, rules) -> None:
    today = timezone.localdate()
    owed = {due.kind for due in safety.tours_due([kitchen.site], rules=rules, on=today)}
    for number, kind in enumerate(("daily", "weekly")):
        safety.make_tour(
            kitchen.site, token=f"{number}" * 32, kind=kind, on=today, inspector="田师傅", faults={}, rules=rules,
            by=cast.canteen,
        )  # fmt: skip
    after = {due.kind for due in safety.tours_due([kitchen.site], rules=rules, on=today)}
    tomorrow = {
        due.kind for due in safety.tours_due([kitchen.site], rules=rules, on=today + timedelta(days=1))
    }

    assert owed == {"daily", "weekly", "monthly"}
    assert after == {"monthly"}
    assert tomorrow == {"daily", "monthly"}


def test_a_hostile_file_is_no_photo(cast, kitchen, rules) -> None:
    with pytest.raises(Exception, match="JPEG"):
        safety.make_tour(
            kitchen.site, token="9" * 32, kind="daily", on=timezone.localdate(), inspector="田", faults={},
            photos=[b"MZ\x90 not a picture"], rules=rules, by=cast.canteen,
        )  # fmt: skip
