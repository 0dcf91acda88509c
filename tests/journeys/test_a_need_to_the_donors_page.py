"""A need through the browser: claimed, paid for out of a gift by three people, its outcome told, read by the donor."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from tests import linked_county
from tests.cast import assemble
from tests.giving import open_house
from tests.small_county import WANG_QIANG


@pytest.fixture
def linked(county, monkeypatch) -> linked_county.Linked:
    found = linked_county.link(assemble(), monkeypatch)
    open_house(found.cast)
    return found


def do(desk, step: str, **typed: str) -> str:
    """Fill a step's form on the page and press its button."""
    form = f"form[action$='/do/{step}/']"
    if not desk.page.is_visible(f"{form} button"):
        desk.page.click(f"details:has({form}) summary")
    for name, value in typed.items():
        box = f"{form} [name={name}]"
        kind = desk.page.get_attribute(box, "type")
        if kind == "radio":
            desk.page.check(f"{box}[value={value}]")
        elif desk.page.evaluate("(box) => document.querySelector(box).tagName", box) == "SELECT":
            desk.page.select_option(box, value)
        else:
            desk.page.fill(box, value)
    desk.press(f"{form} button")
    return desk.page.inner_text("#messages")


def test_a_need_is_met_out_of_a_gift_and_its_donor_reads_it(linked, sit_down, chromium, live_server) -> None:
    today = f"{timezone.localdate():%Y-%m-%d}"

    # the charity opens a fund and takes a gift
    keeper = sit_down("charity")
    keeper.open("/funds/new/")
    keeper.page.select_option("#id_kind", "restricted")
    keeper.page.fill("#id_name", "大病帮扶")
    keeper.page.check("input[name=purposes][value=MEDICAL]")
    keeper.press("main form button")
    assert re.search(r"ZJ\d{4}-\d{6}", keeper.page.url)
    assert "捐款已登记" in do(
        keeper,
        "gift",
        amount="30,000.00",
        donor_name="李捐款",
        receipt_no="黔捐0001",
        handler="冯慈善",
        received_on=today,
    )
    gift = re.search(r"JZ\d{4}-\d{6}", keeper.text()).group()
    code = _code(gift)

    # money for the need that it holds: proposed, decided, paid by three people
    assert "等待审批" in do(keeper, "claim-use", claim=linked.claim.number, use="补充医疗费用")
    use = re.search(r"AP\d{4}-\d{6}", keeper.text()).group()
    decider = sit_down("decider")
    decider.open(f"/funds/uses/{use}/")
    assert "已审批" in do(decider, "decide", approve="yes")
    payer = sit_down("payer")
    payer.open(f"/funds/uses/{use}/")
    assert "拨付已登记" in do(payer, "pay", on=today)
    keeper.open(f"/funds/uses/{use}/")
    assert "捐赠人可以查到" in do(
        keeper, "outcome", result="solved", people="1", text="住院费用已结清。", on=today
    )

    # the need is met, and the household's page at the township shows what it received
    linked.need.refresh_from_db()
    assert linked.need.status == "met"

    # the donor has the number and the code, and no account
    window = chromium.new_context(viewport={"width": 390, "height": 844})
    page = window.new_page()
    page.goto(f"{live_server.url}/charity/gift/")
    page.fill("#number", "黔捐0001")
    page.fill("#code", code)
    page.click("main form button")
    page.wait_for_selector("#h-story")
    told = page.inner_text("main")
    assert "27,000.00" in told or "25,000.00" in told
    assert "住院费用已结清" in told and "解决" in told
    assert not any(secret in told for secret in ("王强", "H002", WANG_QIANG, "白血病", linked.need.code))
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def _code(number: str) -> str:
    """The code that stands on the gift's receipt."""
    from doudi.contexts.charity import giving

    return giving.code_of(giving.Donation.objects.get(number=number))
