"""Rosters, payment and accounts on the workbench, by each of the people who take a step."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from doudi.contexts.accounts.services import User
from doudi.contexts.assistance import payroll
from tests.payday import CARDS, COUNTY, DEC, NOV, PayOffice, open_office


@pytest.fixture
def pay(county) -> PayOffice:
    return open_office(county)


def test_from_a_typed_decision_to_a_tied_out_roster(pay: PayOffice, browser) -> None:
    decider, county, director, cashier = (
        browser(who) for who in (pay.decider, pay.cast.county, pay.cast.director, pay.cashier)
    )
    people = [str(one.person_id) for one in pay.people("H001")]
    typed = {
        "kind": "grant", "benefit": "DB", "people": people, "per_capita": "100", "decided_on": "2024-10-20",
        "decision_no": "虚构民决1号", "needs": "", "band": "",
    }  # fmt: skip
    assert decider.post("/benefits/H001/decide/", typed).status_code == 302
    assert "1,290.00" in decider.get("/benefits/H001/?month=2024-11").content.decode()
    again = decider.post("/benefits/H001/decide/", {**typed, "decision_no": "虚构民决2号"})
    assert again.status_code == 422 and "已享受" in again.content.decode()
    assert "虚构民决2号" in again.content.decode()  # what was typed stays

    entered = {"household_no": "H001", "holder_name": "张伟", "card": CARDS["H001"]}
    assert decider.post("/pay-accounts/propose/", entered).status_code == 302
    page = cashier.get("/pay-accounts/").content.decode()
    assert CARDS["H001"][-4:] in page and CARDS["H001"] not in page
    assert cashier.post("/pay-accounts/confirm-all/").status_code == 302

    assert county.post("/rosters/compute/", {"region": COUNTY, "month": "2024-11"}).status_code == 302
    roster = payroll.Roster.objects.get()
    own = county.get(f"/rosters/{roster.number}/").content.decode()
    assert "须由另一人核对" in own and "核对无误，冻结</button>" not in own
    assert (
        "（标准 745元 − 人均月收入 100.00元）× 2人"
        in county.get(f"/rosters/{roster.number}/rows/1/").content.decode()
    )
    assert "核对无误，冻结" in director.get(f"/rosters/{roster.number}/").content.decode()
    frozen = director.post(f"/rosters/{roster.number}/freeze/", {"sha256": roster.sha256, "note": "对"})
    assert frozen.status_code == 302

    refused = county.post("/payments/make/", {"region": COUNTY, "layout": "card"})
    assert refused.status_code == 422 and "另一人发放" in refused.content.decode()
    assert cashier.post("/payments/make/", {"region": COUNTY, "layout": "card"}).status_code == 302
    batch = payroll.PayBatch.objects.get()
    file = cashier.post(f"/payments/{batch.number}/file/")
    assert file.content.decode("gb18030").splitlines()[1].startswith(f"1,张伟,{CARDS['H001']},1290.00")
    wrong = cashier.post(
        f"/payments/{batch.number}/return/", {"file": SimpleUploadedFile("回盘.csv", b"\x00\x00")}
    )
    assert wrong.status_code == 422
    answered = cashier.post(
        f"/payments/{batch.number}/return/", {"file": SimpleUploadedFile("回盘.csv", pay.answer(batch))}
    )
    assert answered.status_code == 302
    assert "一分不差" in cashier.get(f"/payments/{batch.number}/").content.decode()
    done = director.get(f"/rosters/{roster.number}/").content.decode()
    assert "名册、代发、回盘一分不差" in done


def test_a_roster_changed_since_it_was_looked_at_is_not_frozen(pay: PayOffice, browser) -> None:
    pay.decide("H001")
    director = browser(pay.cast.director)
    from doudi import chain

    made = chain.compute_roster(region_code=COUNTY, month=NOV, by=pay.cast.county)

    answer = director.post(f"/rosters/{made.number}/freeze/", {"sha256": "0" * 64, "note": ""})

    assert answer.status_code == 422 and "不是您看到的那一份" in answer.content.decode()
    back = director.post(f"/rosters/{made.number}/return/", {"note": "三户金额不对"})
    assert back.status_code == 302


def test_failed_cards_are_shown_first_and_a_township_sees_its_own(pay: PayOffice, browser) -> None:
    for number in ("H001", "H003"):
        pay.decide(number)
    pay.accounts(["H001", "H003"])
    pay.frozen(NOV)
    pay.returned(pay.sent(), failed=[1, 2])

    shown = browser(pay.cast.township).get("/payments/").content.decode()

    assert "账户已销户" in shown and "H001" in shown and "H003" not in shown


def test_a_township_cannot_reckon_check_or_pay(pay: PayOffice, browser) -> None:
    desk = browser(pay.cast.township)
    for address in (
        "/rosters/compute/",
        "/rosters/open/",
        "/rosters/x/freeze/",
        "/payments/make/",
        "/payments/x/file/",
    ):
        assert desk.post(address).status_code == 403


def test_books_are_opened_from_the_page(pay: PayOffice, browser) -> None:
    desk = browser(pay.decider)
    answer = desk.post(
        "/rosters/open/", {"region": COUNTY, "month": f"{DEC:%Y-%m}", "decision_no": "开账1"}, follow=True
    )

    assert "登记了 2 户" in answer.content.decode()
    assert payroll.BenefitDecision.objects.filter(opening=True, starts_on=date(2024, 12, 1)).count() == 2


def test_every_page_of_the_room_is_said_in_english(pay: PayOffice, browser) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    roster = pay.frozen(NOV)
    batch = pay.sent()
    desk = browser(pay.cast.county, "en")

    for address in (
        "/rosters/", f"/rosters/{roster.number}/", f"/rosters/{roster.number}/rows/1/", "/payments/",
        f"/payments/{batch.number}/", "/pay-accounts/", "/benefits/H001/?month=2024-11",
    ):  # fmt: skip
        page = desk.get(address)
        assert page.status_code == 200, address
        text = page.content.decode()
        assert text.count("<h1") == 1
        assert "发放名册</h1>" not in text


def test_a_cell_opens_its_list_and_the_year_its_budget(pay: PayOffice, browser) -> None:
    pay.decide("H001")
    pay.frozen(NOV)
    desk = browser(pay.cast.county)

    page = desk.get("/pay-statistics/?month=2024-11").content.decode()
    assert "1,290.00" in page and "column=db_homes" in page
    listed = desk.get("/pay-statistics/rows/?table=monthly&column=db_homes&month=2024-11&region=520102016")
    assert "H001" in listed.content.decode() and "共 1 行" in listed.content.decode()
    assert desk.get("/pay-statistics/rows/?table=monthly&column=nothing&month=2024-11").status_code == 404
    book = desk.get("/pay-statistics/file/?table=monthly&month=2024-11")
    assert book.content[:2] == b"PK"
    told = {"year": 2024, "region": COUNTY, "benefit": "DB", "amount": "1000", "document": "预算1号"}
    assert desk.post("/pay-statistics/", told).status_code == 302
    assert "1,000.00" in desk.get("/pay-statistics/?month=2024-11").content.decode()
    assert browser(pay.cast.director).post("/pay-statistics/", told).status_code == 403


def test_a_follow_up_and_an_exit_are_recorded_on_their_pages(pay: PayOffice, browser) -> None:
    from doudi import chain

    pay.decide("H001", decided_on=date(2024, 1, 10))
    payroll.plan_follow_ups(chain.benefit_rules())
    payroll.open_reviews(chain.benefit_rules())
    town, county, decider = (browser(who) for who in (pay.cast.township, pay.cast.county, pay.decider))
    look = payroll.follow_ups(by=pay.cast.county).first()
    review = payroll.reviews(by=pay.cast.county).get()
    told = {"result": "partly", "done_on": "2024-12-01", "note": "看过", "unmet": "", "satisfaction": "4"}

    assert town.post(f"/outcomes/{look.pk}/", told).status_code == 422
    assert town.post(f"/outcomes/{look.pk}/", {**told, "unmet": "缺护理"}).status_code == 302
    assert "缺护理" in county.get("/outcomes/?only=unmet&state=").content.decode()
    assert browser(pay.cast.director).post(f"/outcomes/{look.pk}/", told).status_code == 403

    address = f"/reviews/{review.pk}/"
    found = {"step": "review", "result": "exit", "finding": "成员稳定就业了", "reviewed_on": "2024-12-01"}
    assert town.post(address, found).status_code == 302
    early = decider.post(address, {"step": "exit", "agree": "yes", "decision_no": "退1"})
    assert early.status_code == 422 and "听取" in early.content.decode()
    assert (
        town.post(address, {"step": "hearing", "heard_on": "2024-12-02", "heard": "同意"}).status_code == 302
    )
    assert decider.post(address, {"step": "exit", "agree": "yes", "decision_no": "退1"}).status_code == 302
    assert "已完成" in county.get(address).content.decode()


def test_sums_have_their_unit_and_a_township_is_told_whose_they_are(pay: PayOffice, browser) -> None:
    for number in ("H001", "H003"):
        pay.decide(number)
    pay.accounts(["H001", "H003"])
    roster = pay.frozen(NOV)
    batch = pay.sent()
    pay.returned(batch, failed=[1])
    county, town = browser(pay.cast.county), browser(pay.cast.township)

    money = re.compile(r"\d\.\d\d(?!\d)")
    figures = re.compile(r'<ul class="figures small">.*?</ul>', re.S)
    for page in ("/payments/", f"/payments/{batch.number}/"):
        for line in re.findall(r"<li>.*?</li>", figures.search(county.get(page).content.decode())[0]):
            assert not money.search(line) or "元" in line, line
    assert re.search(
        r"<h3>[^<]*\d\.\d\d 元</h3>", county.get("/benefits/H001/?month=2024-11").content.decode()
    )
    assert "合计和发放对象数是全县的" in town.get(f"/rosters/{roster.number}/").content.decode()
    assert "合计和发放对象数是全县的" not in county.get(f"/rosters/{roster.number}/").content.decode()
    for page in ("/benefits/H001/?month=2024-11", f"/rosters/{roster.number}/"):
        assert (
            'class="short">最低生活保障金</td>' in county.get(page).content.decode()
        )  # not a character a line
    batches = town.get("/payments/").content.decode()
    assert "代发批次由县级办理" in batches and "还没有批次" not in batches


def test_who_reckoned_and_who_sent_stand_by_their_names(pay: PayOffice, browser) -> None:
    pay.decide("H001")
    pay.accounts(["H001"])
    roster = pay.frozen(NOV)
    batch = pay.sent()
    county = browser(pay.cast.county)

    for page, username in (
        ("/rosters/", roster.computed_by),
        (f"/rosters/{roster.number}/", roster.computed_by),
        (f"/payments/{batch.number}/", batch.made_by),
    ):
        said = county.get(page).content.decode()
        name = User.objects.get(username=username).display_name
        assert name != username and f'<span lang="zh-Hans" title="{username}">{name}</span>' in said, page
