"""The charity's desk and the public site: pages, steps by three people, nobody named in public."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from tests import small_county as sc
from tests.giving import House, open_house

TODAY = timezone.localdate


@pytest.fixture
def house(county) -> House:
    return open_house(county)


def text(answer: Any) -> str:
    return answer.content.decode()


def gift_form(**other: str) -> dict[str, str]:
    return {
        "token": "a" * 32, "amount": "1,000.00", "way": "bank", "received_on": f"{TODAY()}", "donor_name": "李捐款",
        "donor_kind": "person", "receipt_no": "黔捐0001", "handler": "冯慈善", **other,
    }  # fmt: skip


def test_three_people_take_a_gift_to_its_outcome_and_the_donor_reads_it(house: House, browser) -> None:
    keeper, decider, payer = browser(house.keeper), browser(house.decider), browser(house.payer)
    fund = house.fund()

    assert "登记捐款" in text(keeper.get(reverse("fund", args=[fund.number])))
    assert "账实相符" in text(keeper.get(reverse("fund", args=[fund.number]), {"prove": "1"}))
    taken = keeper.post(reverse("fund_step", args=[fund.number, "gift"]), gift_form())
    again = keeper.post(reverse("fund_step", args=[fund.number, "gift"]), gift_form())
    assert (taken.status_code, again.status_code, giving.donations(by=house.keeper).count()) == (302, 302, 1)
    gift = giving.donations(by=house.keeper).get()

    asked = {"amount": "400", "purpose": "MEDICAL", "region_code": "520102016", "use": "住院自付费用",
             "recipient_id": sc.WANG_QIANG, "recipient_name": "王强"}  # fmt: skip
    assert keeper.post(reverse("fund_step", args=[fund.number, "use"]), asked).status_code == 302
    use = giving.allocations(by=house.keeper).get()
    own = keeper.post(reverse("allocation_step", args=[use.number, "decide"]), {"approve": "yes"})
    assert own.status_code == 422 and "不同的人" in text(own)
    decider.post(reverse("allocation_step", args=[use.number, "decide"]), {"approve": "yes"})
    payer.post(reverse("allocation_step", args=[use.number, "pay"]), {"on": f"{TODAY()}"})
    told = {"result": "solved", "people": "1", "text": "住院费用已结清。", "on": f"{TODAY()}"}
    keeper.post(reverse("allocation_step", args=[use.number, "outcome"]), told)

    donor = Client()
    page = text(donor.post(reverse("charity_gift"), {"number": "黔捐0001", "code": giving.code_of(gift)}))
    assert "400.00" in page and "住院费用已结清" in page and "600.00" in page
    assert "王强" not in page and sc.WANG_QIANG not in page and "李捐款" not in page
    receipt = keeper.get(reverse("gift_receipt", args=[gift.number, "docx"]))
    assert receipt.content[:2] == b"PK"
    assert "王强" in text(keeper.get(reverse("allocation", args=[use.number])))
    assert "王强" not in text(browser(house.cast.county).get(reverse("allocation", args=[use.number])))


def test_a_step_that_another_must_take_is_not_offered_and_the_page_says_why(house: House, browser) -> None:
    keeper, decider, payer = browser(house.keeper), browser(house.decider), browser(house.payer)
    fund = house.fund()
    keeper.post(reverse("fund_step", args=[fund.number, "gift"]), gift_form())
    asked = {"amount": "400", "purpose": "MEDICAL", "region_code": "520102016", "use": "住院自付费用",
             "recipient_id": sc.WANG_QIANG, "recipient_name": "王强"}  # fmt: skip
    keeper.post(reverse("fund_step", args=[fund.number, "use"]), asked)
    page = reverse("allocation", args=[giving.allocations(by=house.keeper).get().number])

    proposed = text(keeper.get(page)), text(decider.get(page))
    decider.post(f"{page}do/decide/", {"approve": "yes"})
    approved = text(decider.get(page)), text(payer.get(page))

    assert "由您提出，须由另一人审批" in proposed[0] and "do/decide/" not in proposed[0]
    assert "由您提出" not in proposed[1] and "do/decide/" in proposed[1]
    assert "由您审批，须由另一人拨付" in approved[0] and "do/pay/" not in approved[0]
    assert "由您审批" not in approved[1] and "do/pay/" in approved[1]


def test_a_wrong_code_is_told_without_saying_which_and_soon_no_more(house: House) -> None:
    donor = Client()
    wrong = {"number": "JZ2026-000001", "code": "AAAAAAAAAA"}

    first = donor.post(reverse("charity_gift"), wrong)
    for _ in range(chain.outreach().looks_per_address):
        last = donor.post(reverse("charity_gift"), wrong)

    assert first.status_code == 422 and "核对" in text(first)
    assert last.status_code == 429


def test_what_was_typed_stays_when_a_step_is_refused(house: House, browser) -> None:
    fund = house.fund()

    answer = browser(house.keeper).post(
        reverse("fund_step", args=[fund.number, "gift"]), gift_form(receipt_no="", intent="给孩子看病")
    )

    assert answer.status_code == 422
    assert "票据号" in text(answer) and "给孩子看病" in text(answer)


def test_a_plan_is_written_filed_recorded_and_read_by_everybody(house: House, browser) -> None:
    charity.Organisation.objects.update(fundraising_since=TODAY() - timedelta(days=60))
    fund = house.fund()
    keeper, county = browser(house.keeper), browser(house.cast.county)
    typed = {
        "fund_number": fund.number, "title": "冬日暖阳", "purpose": "帮助大病家庭过冬", "starts_on": f"{TODAY() + timedelta(days=3)}",
        "ends_on": f"{TODAY() + timedelta(days=90)}", "regions": "520102", "person": "冯慈善", "address": "虚构路8号",
        "ways": ["event", "online"], "platform": "", "receiving": "现场", "account_name": "虚构区慈善会", "account_number": "62001",
        "bank": "虚构银行", "beneficiaries": "大病困难家庭", "use": "自付费用", "cost_fen": "1000", "goal_fen": "",
        "remainder": "转入下一期",
    }  # fmt: skip

    made = keeper.post(reverse("campaign_new"), typed)
    plan = giving.campaigns(by=house.keeper).get()
    assert made["Location"] == reverse("campaign", args=[plan.number])
    assert "指定的平台" in text(keeper.get(reverse("campaign", args=[plan.number])))
    refused = keeper.post(reverse("campaign_step", args=[plan.number, "file"]))
    assert refused.status_code == 422
    keeper.post(reverse("campaign_edit", args=[plan.number]), {**typed, "platform": "own"})
    keeper.post(reverse("campaign_step", args=[plan.number, "file"]))
    assert text(Client().get(reverse("charity_campaigns"))).count("冬日暖阳") == 0
    county.post(
        reverse("campaign_step", args=[plan.number, "record"]), {"accept": "yes", "record_no": "虚构1号"}
    )

    assert "冬日暖阳" in text(Client().get(reverse("charity_campaigns")))
    assert "虚构银行" in text(Client().get(reverse("charity_campaign", args=[plan.number])))


def test_a_year_is_told_and_judged_on_the_page(house: House, browser) -> None:
    desk = browser(house.keeper)
    year = TODAY().year - 1
    told = {"class_code": "public_foundation", "last_income": "10000000", "mean_income": "8000000", "net": "",
            "other_spent": "5800000", "other_admin": "0", "explanation": ""}  # fmt: skip

    assert desk.post(reverse("charity_year", args=[year]), told).status_code == 302

    page = text(desk.get(reverse("charity_year", args=[year])))
    assert "7,000,000.00元" in page and "达到" in page
    assert "7,000,000.00元" in text(browser(house.cast.county).get(reverse("charity_year", args=[year])))


PUBLIC = (
    "charity_home",
    "charity_campaigns",
    "charity_projects",
    "charity_disclosures",
    "charity_needs",
    "charity_gift",
)


def test_public_pages_are_read_without_an_account_and_hold_no_bare_heading(house: House) -> None:
    for name in PUBLIC:
        page = Client().get(reverse(name))
        assert page.status_code == 200, name
        assert len(re.findall(r"<h1[ >]", text(page))) == 1, name
        assert (
            "<script>" not in text(page) and " onclick" not in text(page) and " style=" not in text(page)
        ), name


def test_the_public_site_names_nobody_who_was_helped_or_gave_unasked(house: House) -> None:
    fund = house.fund()
    house.gift(fund, 1000, donor_name="李捐款")
    use = house.paid(fund, 100, recipient_name="王强", recipient_id=sc.WANG_QIANG)
    assert use.paid_fen == 100

    for name in PUBLIC:
        page = text(Client().get(reverse(name)))
        assert not any(word in page for word in ("王强", "李捐款", sc.WANG_QIANG, "H002"))


def test_pages_of_charity_do_not_ask_the_database_once_per_row(
    house: House, browser, django_assert_max_num_queries
) -> None:
    fund = house.fund()
    for place in range(12):
        house.gift(fund, 100 + place)
    desk = browser(house.keeper)

    with django_assert_max_num_queries(30):
        desk.get(reverse("gifts"))
    with django_assert_max_num_queries(30):
        desk.get(reverse("funds"))


WORKBENCH = (
    "funds",
    "gifts",
    "allocations",
    "campaigns",
    "disclosures",
    "ventures",
    "ideas",
    "support",
    "fund_new",
)


def test_an_english_page_shows_chinese_only_where_it_is_marked(house: House, browser) -> None:
    fund = house.fund()
    house.gift(fund, 1000, receipt_no="K1", show_name=True)
    house.paid(fund, 100)
    desk = browser(house.keeper, "en")

    for name in (*WORKBENCH, *PUBLIC, "charity_ventures"):
        page = text(desk.get(reverse(name)))
        page = re.sub(r'<script.*?</script>|<[^>]*lang="zh-Hans"[^>]*>[^<]*<', "<", page, flags=re.S)
        page = re.sub(
            r'<div class="choices">.*?</div>|<option.*?</option>|<span class="who">.*?</span>',
            "",
            page,
            flags=re.S,
        )
        lines = [line.strip() for line in re.sub(r"<[^>]*>", "\n", page).split("\n")]
        left = [line for line in lines if re.search("[\u3400-\u9fff]", line)]
        assert [line for line in left if not re.search("区|县|街道|乡|镇|社区|村", line)] == [], name


def test_a_milestones_evidence_is_opened_by_who_may_see_the_application_and_logged(
    house: House, browser
) -> None:
    assert browser(house.keeper).get(reverse("milestone_evidence", args=[99])).status_code == 404
