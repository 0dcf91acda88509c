"""Two journeys in a browser: a threshold changed by two persons, and a warning from its signal to the revisit."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tests.cast import assemble

CASE = "/warnings/YJ20241115-H002/"
PAGES = {
    "county": ("/clocks/", "/clocks/handover/", "/notices/", "/outbox/", "/indicators/", "/indicators/M1/", "/indicators/changes/"),
    "director": ("/indicators/", "/notices/"),
}  # fmt: skip


@pytest.fixture
def loaded(county: Path, transactional_db: None) -> None:
    assemble()


def test_a_threshold_is_back_tested_submitted_and_approved_by_another(loaded, sit_down) -> None:
    from_on = timezone.localdate() + timedelta(days=10)
    officer = sit_down("county")
    # a back-test of twelve months is the longest wait of the workbench, and a busy machine makes it longer
    officer.page.context.set_default_timeout(90_000)
    officer.open("/indicators/")
    assert "可能致困（向上）" in officer.text() and "不知道" in officer.text()
    officer.press("a[href='/indicators/M1/']")
    officer.page.fill("#id_value", "45000元")
    officer.page.fill("#id_from_on", from_on.isoformat())
    officer.page.fill("#id_ground", "统计局公布了新的人均可支配收入")
    officer.press("button[name=test]")
    assert "现行" in officer.text() and "45000元" in officer.text()
    officer.press("button[name=submit]")
    assert "等另一人审批" in officer.text()
    assert officer.page.locator("button[value=approve]").count() == 0

    leader = sit_down("director")
    assert leader.page.locator("header .unread").count() == 1
    leader.open("/notices/")
    leader.press("main a[href*='/indicators/changes/']")
    assert "统计局公布" in leader.text()
    leader.page.fill("#id_decision", "同意")
    leader.press("button[value=approve]")
    assert "已批准" in leader.text()

    officer.open("/indicators/M1/")
    assert f"自 {from_on} 起" in officer.text() and "45,000元" in officer.text()
    assert officer.troubles == [] and leader.troubles == []


def test_a_warning_from_its_signal_to_the_revisit(loaded, sit_down) -> None:
    officer, township = sit_down("county"), sit_down("township")
    officer.open(CASE)
    officer.press("section[aria-labelledby=s-dispatch] button")
    township.open("/notices/")
    township.press("main a[href*='/warnings/']")
    today = timezone.localdate()
    township.page.fill("#suspend_until_on", (today + timedelta(days=7)).isoformat())
    township.page.fill("#suspend_ground", "户主外出就医，邻居证实")
    township.press("section[aria-labelledby=s-suspend] button")
    assert "时限中止" in township.text()
    township.press("section[aria-labelledby=s-resume] button")
    township.page.fill("#attempt_visitor_1", "李乡办")
    township.page.fill("#attempt_finding", "门锁着，邻居说去了医院")
    township.press("section[aria-labelledby=s-attempt] button")
    assert "寻访未遇" in township.text()
    township.page.fill("#visit_visitor_1", "李乡办")
    township.page.fill("#visit_visitor_2", "张村主任")
    township.page.check("input[name=result_code][value=C]")
    township.page.fill("#visit_finding", "住院花费大，家里没有积蓄。")
    township.press("section[aria-labelledby=s-visit] button")
    officer.open(CASE)
    officer.page.fill("#close_closing_note", "临时救助已发放")
    officer.press("section[aria-labelledby=s-close] button")
    assert "已办结" in officer.text()

    township.open("/warnings/?status=revisit")
    township.press("#result a[href*='/warnings/YJ']")
    township.page.fill("#revisit_visitor_1", "李乡办")
    township.page.check("input[name=result][value=unsolved]")
    township.page.fill("#revisit_finding", "又住院，救助已用完")
    township.press("section[aria-labelledby=s-revisit] button")
    assert "YJ20241115-H002-HF1" in township.text()
    officer.open("/warnings/YJ20241115-H002-HF1/")
    assert "由回访转来" in officer.text()
    assert officer.troubles == [] and township.troubles == []


def test_no_page_of_the_chain_is_wider_than_its_screen(loaded, sit_down) -> None:
    for language in ("zh-hans", "en"):
        for account, pages in PAGES.items():
            desk = sit_down(account, language=language)
            for address in pages:
                desk.open(address)
                for width in (1366, 390):
                    desk.page.set_viewport_size({"width": width, "height": 800})
                    wide = desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert wide <= 0, f"{address} at {width} in {language}: {wide}px"
            assert desk.troubles == [], f"{account} {language}"
