"""A service from the family's consent to the provider's money: ordered, given, proven, complained of, settled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, audit_entries
from doudi.contexts.assistance import care
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.charity import services as charity
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Person
from doudi.engine.errors import DoudiError
from doudi.engine.packs.care_services import load_care
from tests.cast import CHARITY
from tests.payday import COUNTY, PayOffice, open_office

PHOTO = b"\xff\xd8\xff\xe0 a picture"
OTHER = "home-520102"


@dataclass
class Desk:
    pay: PayOffice
    first: date
    """The first day of the month before this one."""

    def order(self, **more: Any) -> care.CareOrder:
        told: dict[str, Any] = {
            "household_no": "H002", "person_id": registry.counted_members("H002")[0].person_id,
            "item": "care_visit", "units": 4, "starts_on": self.first, "ends_on": self.first + timedelta(days=60),
            "address": "虚构路2号，找王强", "consent_on": self.first, "consent": "本人签字的服务同意书",
            "by": self.pay.cast.township,
        }  # fmt: skip
        return chain.order_care(**{**told, **more})

    def given(self, **more: Any) -> care.CareOrder:
        return chain.assign_care(self.order(**more).number, provider=CHARITY, by=self.pay.decider)

    def at(self, day: int) -> datetime:
        return timezone.make_aware(
            datetime.combine(self.first + timedelta(days=day - 1), datetime.min.time())
        )

    def visit(self, order: care.CareOrder, day: int = 3, **more: Any) -> care.CareVisit:
        order.refresh_from_db()
        told: dict[str, Any] = {
            "begun_at": self.at(day), "place": "虚构路2号", "units": 1, "worker": "护理员甲", "code": order.code,
            "photo": PHOTO, "by": self.pay.cast.charity,
        }  # fmt: skip
        return chain.record_care_visit(order.number, **{**told, **more})

    def settled(self) -> care.CareSettlement:
        return care.settle_care(
            region_code=COUNTY, provider=CHARITY, month=self.first, by=self.pay.cast.county
        )


@pytest.fixture
def desk(county: Path) -> Desk:
    from tests.cast import assemble

    pay = open_office(assemble())
    for code, name, kind in ((CHARITY, "虚构慈善会", "charity"), (OTHER, "另一家虚构机构", "member")):
        charity.register_organisation(
            code=code, name=name, kind=kind, region_code=COUNTY, registered_on=date(2020, 1, 1), by=pay.cast.county
        )  # fmt: skip
    today = timezone.localdate()
    return Desk(pay, (today.replace(day=1) - timedelta(days=1)).replace(day=1))


def test_an_order_needs_consent_a_member_a_price_and_another_hand_to_give_it(desk: Desk) -> None:
    with pytest.raises(StepRefused) as refused:
        desk.order(consent=" ")
    assert "同意" in refused.value.zh
    with pytest.raises(StepRefused):
        desk.order(person_id=registry.counted_members("H001")[0].person_id)
    with pytest.raises(StepRefused):
        desk.order(starts_on=desk.first - timedelta(days=1))
    with pytest.raises(DoudiError):
        desk.order(item="nothing")
    with pytest.raises(StepRefused) as priceless:
        care.order_care(
            rules=load_care(Path("packs/cn")), household_no="H002",
            person_id=registry.counted_members("H002")[0].person_id, item="care_visit", units=1,
            starts_on=desk.first, ends_on=desk.first, address="x", consent_on=desk.first, consent="同意书",
            by=desk.pay.cast.township,
        )  # fmt: skip
    assert "单价" in priceless.value.zh
    with pytest.raises(DoudiError):
        desk.order(by=desk.pay.cast.other_township)
    with pytest.raises(NotAllowed):
        desk.order(by=desk.pay.cast.director)

    order = desk.order()
    assert desk.order().pk == order.pk  # a double click is one order
    with pytest.raises(NotAllowed):
        chain.assign_care(order.number, provider=CHARITY, by=desk.pay.cast.township)
    own = desk.order(by=desk.pay.cast.county)
    with pytest.raises(SamePerson):
        chain.assign_care(own.number, provider=CHARITY, by=desk.pay.cast.county)
    charity.close_organisation(OTHER, why="虚构停用", by=desk.pay.cast.county)
    with pytest.raises(DoudiError) as closed:
        chain.assign_care(order.number, provider=OTHER, by=desk.pay.cast.county)
    assert "停用" in closed.value.zh
    given = chain.assign_care(order.number, provider=CHARITY, by=desk.pay.cast.county)
    assert (given.state, given.provider_name) == ("assigned", "虚构慈善会")


def test_a_provider_sees_its_own_orders_only(desk: Desk) -> None:
    waiting, mine = desk.order(units=2), desk.given()

    assert [one.number for one in care.care_orders(by=desk.pay.cast.charity)] == [mine.number]
    assert not care.care_orders(by=desk.pay.cast.member)
    with pytest.raises(care.CareNotFound):
        desk.visit(waiting)
    with pytest.raises(care.CareNotFound):
        care.look_at_care(mine.number, by=desk.pay.cast.stranger)
    with pytest.raises(NotAllowed):
        desk.visit(mine, by=desk.pay.cast.township)
    care.look_at_care(mine.number, by=desk.pay.cast.charity)
    assert audit_entries(by=desk.pay.cast.auditor).filter(act="view_care", actor="charity").count() == 1


def test_a_visit_is_proven_by_the_receiver_and_a_wrong_code_is_counted(desk: Desk) -> None:
    order = desk.given()
    wrong = "000000" if order.code != "000000" else "111111"

    for without in ({"code": ""}, {"photo": b""}, {"units": 5}, {"begun_at": desk.at(-3)}, {"place": " "}):
        with pytest.raises(StepRefused):
            desk.visit(order, **without)
    for _ in range(chain.care_rules().wrong_codes):
        with pytest.raises(StepRefused):
            desk.visit(order, code=wrong)
    with pytest.raises(StepRefused) as locked:
        desk.visit(order)
    assert locked.value.code == "care_code_locked"

    old = care.look_at_care(order.number, by=desk.pay.cast.township).code
    care.renew_code(order.number, by=desk.pay.cast.township)
    order.refresh_from_db()
    by_code = desk.visit(order)
    assert desk.visit(order).pk == by_code.pk  # sent twice, proven once
    signed = desk.visit(order, 4, code=old, signature=PHOTO)
    assert (by_code.proof, signed.proof) == ("code", "signature")
    assert care.care_proof(by_code.pk, "photo", by=desk.pay.cast.county) == (PHOTO, "image/jpeg")
    assert care.used_units(order) == 2

    care.reverse_care_visit(signed.pk, reason="登记错了日期", by=desk.pay.cast.charity)
    assert care.used_units(order) == 1
    assert desk.visit(order, 4).pk != signed.pk
    care.end_care(order.number, reason="家人已回来照料", by=desk.pay.cast.township)
    with pytest.raises(StepRefused):
        desk.visit(order, 5)


def test_a_month_is_settled_from_proofs_by_three_hands(desk: Desk) -> None:
    order = desk.given()
    desk.visit(order, 3), desk.visit(order, 10, units=2)

    made = desk.settled()
    assert desk.settled().pk == made.pk
    assert (made.due_fen, made.lines.count()) == (3 * 4000, 2)
    with pytest.raises(SamePerson):
        care.check_care_settlement(made.number, by=desk.pay.cast.county)
    with pytest.raises(StepRefused):
        care.pay_care_settlement(
            made.number, voucher="付1", paid_on=desk.first, by=desk.pay.cashier
        )  # nobody checked it
    with pytest.raises(NotAllowed):
        care.check_care_settlement(made.number, by=desk.pay.cast.charity)
    care.check_care_settlement(made.number, by=desk.pay.cast.director)
    for who in (desk.pay.cast.county, desk.pay.decider):  # who made it, and who chose the provider
        with pytest.raises(SamePerson):
            care.pay_care_settlement(made.number, voucher="付1", paid_on=desk.first, by=who)
    told = {"voucher": "付1", "paid_on": timezone.localdate(), "by": desk.pay.cashier}
    paid = care.pay_care_settlement(made.number, **told)
    assert care.pay_care_settlement(made.number, **told).pk == paid.pk
    assert (paid.state, paid.voucher) == ("paid", "付1")
    with pytest.raises(StepRefused):
        care.withdraw_care_settlement(made.number, reason="想重新做", by=desk.pay.cast.county)
    assert [one.number for one in care.care_settlements(by=desk.pay.cast.charity)] == [made.number]
    assert not care.care_settlements(by=desk.pay.cast.member)
    assert not care.care_settlements(by=desk.pay.cast.township)


def test_a_visit_complained_of_waits_and_an_untrue_one_is_never_paid(desk: Desk) -> None:
    order = desk.given()
    good, bad = desk.visit(order, 3), desk.visit(order, 5)
    said = {"kind": "false", "said_on": desk.first, "text": "那天没有人来过", "by": desk.pay.cast.township}
    with pytest.raises(StepRefused):
        care.complain_of_care(order.number, **said)
    complaint = care.complain_of_care(order.number, visit=bad.pk, **said)

    held = desk.settled()
    assert (held.due_fen, [one.why for one in held.lines.filter(state="held")]) == (4000, ["有投诉待处理"])
    with pytest.raises(NotAllowed):
        care.decide_care_complaint(
            complaint.pk, upheld=True, finding="照片不是当天的", by=desk.pay.cast.township
        )
    late = care.complain_of_care(order.number, visit=good.pk, **said | {"text": "来了五分钟就走"})
    with pytest.raises(StepRefused) as since:
        care.check_care_settlement(held.number, by=desk.pay.cast.director)
    assert since.value.code == "care_complained"

    care.withdraw_care_settlement(held.number, reason="有新的投诉", by=desk.pay.cast.county)
    care.decide_care_complaint(complaint.pk, upheld=True, finding="照片不是当天的", by=desk.pay.cast.county)
    care.decide_care_complaint(late.pk, upheld=False, finding="服务满一小时", by=desk.pay.cast.county)
    again = desk.settled()
    assert [(one.visit_id, one.state, one.amount_fen) for one in again.lines.all()] == [
        (good.pk, "due", 4000)
    ]


def test_what_was_paid_for_an_untrue_visit_comes_back_from_a_later_month(desk: Desk) -> None:
    order = desk.given()
    bad = desk.visit(order, 3)
    made = desk.settled()
    care.check_care_settlement(made.number, by=desk.pay.cast.director)
    care.pay_care_settlement(made.number, voucher="付1", paid_on=timezone.localdate(), by=desk.pay.cashier)
    complaint = care.complain_of_care(
        order.number, kind="false", visit=bad.pk, said_on=desk.first, text="那天没有人来过", by=desk.pay.cast.township
    )  # fmt: skip
    care.decide_care_complaint(complaint.pk, upheld=True, finding="查实没有来", by=desk.pay.cast.county)

    # the same month once more has nothing to give: nothing is below nought
    older = desk.first - timedelta(days=1)
    with pytest.raises(StepRefused):
        care.settle_care(region_code=COUNTY, provider=CHARITY, month=older, by=desk.pay.cast.county)
    desk.visit(order, 6), desk.visit(order, 7)
    care.CareSettlement.objects.filter(pk=made.pk).update(month=older.replace(day=1))
    later = desk.settled()
    assert sorted(one.amount_fen for one in later.lines.all()) == [-4000, 4000, 4000]
    assert later.due_fen == 4000


def test_a_visit_after_the_receivers_death_is_not_paid(desk: Desk) -> None:
    order = desk.given()
    desk.visit(order, 3), desk.visit(order, 9)
    Person.objects.filter(name="王强").update(died_on=desk.first + timedelta(days=4))

    made = desk.settled()

    assert made.due_fen == 4000
    assert "死亡" in made.lines.get(state="held").why


def test_a_catalogue_with_a_fault_is_refused_and_names_it(tmp_path: Path) -> None:
    text = Path("packs/reference/care_services.yaml").read_text("utf-8")
    for wrong in (
        text.replace("40元", "四十"),
        text.replace("照片: 是", "照片: 可以"),
        "服务: []\n确认码: {最多输错: 5}\n",
    ):
        (tmp_path / "pack.yaml").write_text("名称: own\n版本: '1'\n虚构: 是\n", encoding="utf-8")
        (tmp_path / "care_services.yaml").write_text(wrong, encoding="utf-8")
        with pytest.raises(DoudiError) as refused:
            load_care(tmp_path)
        assert refused.value.code == "care_invalid"


def test_an_order_ends_by_itself_once_late_proofs_had_their_days(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, waiting = desk.given(), desk.order(units=2)
    desk.visit(served)
    last = served.ends_on + timedelta(days=chain.care_rules().grace_days)

    for day, ended in ((last, 0), (last + timedelta(days=1), 2), (last + timedelta(days=2), 0)):
        with monkeypatch.context() as clock:
            clock.setattr(timezone, "localdate", lambda *_a, day=day: day)
            assert chain.end_due_care() == ended

    told = [one.timeline.order_by("-pk").first() for one in (served, waiting)]
    assert [line.text for line in told if line] == [
        "结束：服务期满，用去 1/4 次", "结束：服务期满，一直没有派单，用去 0/2 次",
    ]  # fmt: skip
    with pytest.raises(StepRefused):
        desk.visit(served, day=4)


@pytest.mark.parametrize(
    "said", ["update assistance_carevisit set units = 9", "delete from assistance_carevisit"]
)
def test_no_road_changes_a_recorded_visit(desk: Desk, said: str) -> None:
    desk.visit(desk.given())
    with pytest.raises((IntegrityError, DatabaseError)), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(said)
    assert care.CareVisit.objects.get().units == 1
