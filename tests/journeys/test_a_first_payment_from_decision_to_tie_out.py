"""A first payment walks in a real browser from the decision over four desks to the tie-out, one card failing on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from doudi.contexts.assistance import payroll
from tests.cast import assemble
from tests.payday import CARDS, COUNTY, PayOffice, open_office


@pytest.fixture
def pay(county: Path, transactional_db: None) -> PayOffice:
    return open_office(assemble())


def enter_account(desk, number: str, card: str) -> None:
    desk.open(f"/pay-accounts/?household={number}")
    desk.page.fill("#id_holder_name", "户主")
    desk.page.fill("#id_card", card)
    desk.press("form[action$='/propose/'] button")


def test_from_the_decision_to_the_last_fen(pay: PayOffice, sit_down, tmp_path: Path) -> None:
    # decided at one desk; the page tells the sum line by line
    decider = sit_down("decider")
    for number, income in (("H001", "100"), ("H002", "300")):
        decider.open(f"/benefits/{number}/")
        decider.page.select_option("#id_benefit", "DB")
        for box in decider.page.query_selector_all("input[name=people]"):
            box.check()
        decider.page.fill("#id_per_capita", income)
        decider.page.fill("#id_decided_on", "2024-10-20")
        decider.page.fill("#id_decision_no", f"虚构民决〔2024〕{number}")
        decider.press("form[action$='/decide/'] button")
        assert "决定已登记" in decider.page.inner_text("#messages")
        enter_account(decider, number, CARDS[number])
    decider.open("/benefits/H001/?month=2024-11")
    assert "（标准 745元 − 人均月收入 100.00元）× 2人 = 1290.00元" in decider.text()

    # reckoned at another, which may not check it
    county = sit_down("county")
    county.open("/rosters/")
    county.page.fill("#compute_month", "2024-11")
    county.press("form[action$='/compute/'] button")
    county.press("main table a")
    assert "须由另一人核对" in county.text()

    # checked and frozen at a third
    director = sit_down("director")
    director.open("/rosters/")
    director.press("main table a")
    director.page.fill("#id_note", "逐行核对，无误。")
    director.press("form[action$='/freeze/'] button")
    assert "已冻结" in director.text()

    # paid at a fourth: accounts confirmed, the file made and taken, the bank's answer with one failure
    cashier = sit_down("cashier")
    cashier.open("/pay-accounts/")
    cashier.press("form[action$='/confirm-all/'] button")
    cashier.open("/payments/")
    cashier.press("form[action$='/make/'] button")
    cashier.press("section[aria-labelledby=h-batches] table a")
    with cashier.page.expect_download() as taken:
        cashier.page.click("form[action$='/file/'] button")
    assert "1290.00" in Path(taken.value.path()).read_bytes().decode("gb18030")
    batch = payroll.PayBatch.objects.get()
    answer = tmp_path / "回盘.csv"
    answer.write_bytes(pay.answer(batch, failed=[2]))
    cashier.page.set_input_files("#id_file", str(answer))
    cashier.press(".step form[action$='/return/'] button")
    assert "一分不差" in cashier.text() and "账户已销户" in cashier.text()

    # the failed card is worked off and goes out with the next batch
    township = sit_down("township", size=(390, 844))
    township.open("/payments/?state=failed")
    assert "H002" in township.text() and "账户已销户" in township.text()
    enter_account(township, "H002", "6222020000000000042")
    cashier.open("/pay-accounts/")
    cashier.press("button[value=yes]")
    cashier.open("/payments/")
    cashier.press("form[action$='/make/'] button")
    second = payroll.PayBatch.objects.order_by("-pk")[0]
    answer.write_bytes(pay.answer(second))
    cashier.open(f"/payments/{second.number}/")
    cashier.page.set_input_files("#id_file", str(answer))
    cashier.press(".step form[action$='/return/'] button")

    # and everything of the roster is with its people
    director.open("/rosters/")
    director.press("main table a")
    assert "名册、代发、回盘一分不差" in director.text()
    roster = payroll.Roster.objects.get()
    assert payroll.tie_out(roster, by=pay.cast.auditor).settled
    assert payroll.prove_ledger(COUNTY).whole
    assert not any(desk.troubles for desk in (decider, county, director, cashier, township))
