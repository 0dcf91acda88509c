"""A fundraising from its plan to its last disclosure; the year's ratios; nobody is named."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.errors import DoudiError
from tests.cast import assemble
from tests.giving import House, open_house

TODAY = timezone.localdate


@pytest.fixture
def house(office, db) -> House:
    return open_house(assemble())


@pytest.fixture
def qualified(house: House) -> House:
    charity.Organisation.objects.update(fundraising_since=TODAY() - timedelta(days=60))
    return house


def plan(house: House, fund: giving.Fund, **other: Any) -> giving.Campaign:
    fields: dict[str, Any] = {
        "title": "冬日暖阳", "purpose": "帮助大病家庭过冬", "starts_on": TODAY() + timedelta(days=3),
        "ends_on": TODAY() + timedelta(days=90), "regions": ["520102"], "person": "冯慈善", "address": "虚构路8号",
        "ways": ["event"], "receiving": "现场和银行转账", "account_name": "虚构区慈善会", "account_number": "6200000000001",
        "bank": "虚构银行", "beneficiaries": "区内大病困难家庭", "use": "住院自付费用", "cost_fen": 100_000,
        "remainder": "转入下一期大病帮扶", **other,
    }  # fmt: skip
    return giving.draft_campaign(fund_number=fund.number, by=house.keeper, **fields)


def filed(house: House, fund: giving.Fund, **other: Any) -> giving.Campaign:
    return giving.file_campaign(
        plan(house, fund, **other).number, rules=chain.giving_rules(), by=house.keeper
    )


def recorded(house: House, fund: giving.Fund, **other: Any) -> giving.Campaign:
    return giving.decide_campaign(
        filed(house, fund, **other).number, accept=True, record_no="虚构募备〔2026〕1号", rules=chain.giving_rules(),
        by=house.cast.county,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("remainder", "", "剩余财产的处理"),
        ("beneficiaries", " ", "受益人"),
        ("regions", [], "活动地域"),
        ("regions", ["520103"], "活动地民政部门备案"),
        ("account_name", "冠名基金管委会", "没有自己的募捐账户"),
        ("partner", "爱心公司", "评估合作方"),
        ("starts_on", date(2026, 1, 1), "募捐开始之前"),
        ("ways", ["online"], "指定的平台"),
    ],
)
def test_a_plan_that_lacks_what_the_law_asks_is_not_filed(qualified: House, field, value, words) -> None:
    found = plan(qualified, qualified.fund(), **{field: value})

    with pytest.raises(DoudiError) as refused:
        giving.file_campaign(found.number, rules=chain.giving_rules(), by=qualified.keeper)

    assert words in refused.value.zh
    found.refresh_from_db()
    assert found.status == "draft"


def test_a_charity_without_the_qualification_raises_no_funds(house: House) -> None:
    with pytest.raises(DoudiError) as refused:
        filed(house, house.fund())

    assert "没有公开募捐资格" in refused.value.zh


def test_the_county_records_a_plan_and_gifts_come_in_only_while_it_runs(qualified: House) -> None:
    fund = qualified.fund()
    found = filed(qualified, fund, starts_on=TODAY() + timedelta(days=1))
    assert monitoring.notices(by=qualified.cast.county).count() == 1

    with pytest.raises(DoudiError):
        qualified.gift(fund, 100, campaign_number=found.number)
    for person in (qualified.keeper, qualified.cast.township, qualified.cast.stranger):
        with pytest.raises(DoudiError):
            giving.decide_campaign(
                found.number, accept=True, record_no="1号", rules=chain.giving_rules(), by=person
            )
    giving.decide_campaign(
        found.number, accept=False, note="地域不清楚", rules=chain.giving_rules(), by=qualified.cast.county
    )
    giving.draft_campaign(number=found.number, fund_number=fund.number, address="新址", by=qualified.keeper)
    giving.file_campaign(found.number, rules=chain.giving_rules(), by=qualified.keeper)
    giving.decide_campaign(
        found.number, accept=True, record_no="1号", rules=chain.giving_rules(), by=qualified.cast.county
    )
    giving.Campaign.objects.update(starts_on=TODAY())
    qualified.gift(fund, 100, campaign_number=found.number)

    found.refresh_from_db()
    assert giving.raised(found) == {"gifts": 1, "money_fen": 100, "goods_fen": 0}
    assert [line.kind for line in found.events.all()] == [
        "draft",
        "file",
        "return",
        "draft",
        "file",
        "record",
    ]


def test_case_9_an_emergency_plan_is_late_after_ten_days(qualified: House) -> None:
    fund = qualified.fund()
    in_time = filed(qualified, fund, title="甲", emergency=True, starts_on=TODAY() - timedelta(days=10))
    late = filed(qualified, fund, title="乙", emergency=True, starts_on=TODAY() - timedelta(days=11))

    assert (in_time.filing_due, in_time.filed_late) == (TODAY(), False)
    assert late.filed_late
    qualified.gift(fund, 100, campaign_number=in_time.number)


def test_a_long_fundraising_owes_interims_and_a_stopped_one_its_account_from_now(qualified: House) -> None:
    found = recorded(qualified, qualified.fund(), ends_on=TODAY() + timedelta(days=300))
    parts = [duty.part for duty in giving.duties(by=qualified.keeper)]
    assert parts == ["interim", "interim", "interim", "final"]

    giving.Campaign.objects.update(starts_on=TODAY() - timedelta(days=20))
    giving.stop_campaign(found.number, reason="目标已完成", rules=chain.giving_rules(), by=qualified.keeper)

    assert [duty.part for duty in giving.duties(by=qualified.keeper)] == ["final"]


def test_what_is_published_stays_and_names_nobody(qualified: House) -> None:
    fund = qualified.fund()
    found = recorded(qualified, fund, starts_on=TODAY() + timedelta(days=1))
    giving.Campaign.objects.update(starts_on=TODAY() - timedelta(days=20), ends_on=TODAY())
    qualified.gift(fund, 60_000, campaign_number=found.number, donor_name="李捐款")
    qualified.paid(fund, 20_000, recipient_name="王强")
    giving.Campaign.objects.update(ends_on=TODAY() - timedelta(days=1))
    giving.DisclosureDuty.objects.update(until_on=TODAY() - timedelta(days=1))
    duty = giving.duties(by=qualified.keeper).get()

    one = giving.publish(duty.pk, rules=chain.giving_rules(), by=qualified.keeper)
    again = giving.publish(duty.pk, rules=chain.giving_rules(), by=qualified.keeper)
    other = giving.publish(duty.pk, rules=chain.giving_rules(), by=qualified.keeper, note="补充说明")

    assert one.pk == again.pk != other.pk
    told = str(one.content)
    assert "600.00" in told and "200.00" in told and "医疗" in told
    assert "李捐款" not in told and "王强" not in told
    book = openpyxl.load_workbook(io.BytesIO(giving.to_workbook(one.content)))
    assert 600 in [cell.value for row in book.active.iter_rows() for cell in row]
    assert giving.public_disclosure(one.number).pk == one.pk
    with pytest.raises(TypeError):
        one.save()


def test_a_period_that_still_runs_is_not_published(qualified: House) -> None:
    recorded(qualified, qualified.fund())
    duty = giving.duties(by=qualified.keeper).get()

    with pytest.raises(DoudiError):
        giving.publish(duty.pk, rules=chain.giving_rules(), by=qualified.keeper)


def test_the_worker_reminds_the_charity_and_tells_the_county_when_it_is_late(qualified: House) -> None:
    recorded(qualified, qualified.fund())
    duty = giving.duties(by=qualified.keeper).get()

    def told(days: int) -> int:
        return giving.owe_and_remind(chain.giving_rules(), today=duty.due_on + timedelta(days=days))

    before = monitoring.notices(by=qualified.cast.county).count()
    assert [told(-60), told(-30), told(-29), told(-6), told(0), told(1), told(2)] == [0, 3, 0, 3, 3, 4, 0]
    assert monitoring.notices(by=qualified.cast.county).count() == before + 1


def test_the_year_is_judged_by_the_ledger_and_a_miss_is_explained_before_it_is_published(
    house: House,
) -> None:
    year = TODAY().year - 1
    day = date(year, 6, 1)
    fund = house.fund(kind="general", purposes=[], opened_on=date(year, 1, 1))
    house.gift(fund, 800_000_000, received_on=day)
    giving.charge_admin(fund.number, amount_fen=60_000_000, on=day, memo="人员办公", by=house.payer)
    told: dict[str, Any] = {
        "year": year, "class_code": "public_foundation", "last_income_fen": 1_000_000_000,
        "mean_income_fen": 800_000_000, "net_fen": None, "other_spent_fen": 520_000_000, "rules": chain.giving_rules(),
        "by": house.keeper,
    }  # fmt: skip
    giving.tell_year(**told)

    _figures, sums, verdict = giving.year_verdict(
        house.body.code, year, rules=chain.giving_rules(), by=house.keeper
    )
    assert sums == {"income": 800_000_000, "spent": 0, "admin": 60_000_000}
    assert verdict is not None and (verdict.spending, verdict.administration) == (False, False)

    giving.owe_and_remind(chain.giving_rules())
    duty = giving.duties(by=house.keeper).get(part="annual")
    with pytest.raises(DoudiError) as refused:
        giving.publish(duty.pk, rules=chain.giving_rules(), by=house.keeper)
    assert refused.value.code == "explanation_missing"
    giving.tell_year(**told, explanation="项目跨年执行，已向登记机关书面报告。")
    made = giving.publish(duty.pk, rules=chain.giving_rules(), by=house.keeper)
    assert "不符合" in str(made.content) and "跨年执行" in str(made.content)


def test_a_cell_of_few_families_is_told_for_the_county(house: House) -> None:
    project = charity.open_project(
        name="大病帮扶", kinds=["MEDICAL"], starts_on=TODAY() - timedelta(days=200),
        ends_on=TODAY() - timedelta(days=1), by=house.keeper,
    )  # fmt: skip
    fund = house.fund(project_number=project.number)
    house.gift(fund, 100_000)
    for _ in range(chain.giving_rules().smallest_cell):
        house.paid(fund, 100, region_code="520102016")
    house.paid(fund, 100, region_code="520102017")

    giving.owe_and_remind(chain.giving_rules())
    duty = giving.duties(by=house.keeper).get(part="final")
    rows = giving.content_of(duty, chain.giving_rules())["tables"][1]["rows"]

    assert len(rows) == 2
    assert sorted(row[2] for row in rows) == ["1.00", "5.00"]
