"""The workbench on a telephone, at twice the size, by keyboard alone, and in a browser without scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import small_county
from tests.cast import assemble
from tests.journeys.conftest import until

CASE, HOUSEHOLD = "/warnings/YJ20241115-H002/", "/households/H002/"
PAGES = {
    "county": (
        "/",
        "/warnings/",
        CASE,
        "/households/",
        HOUSEHOLD,
        "/inbox/",
        "/loads/",
        "/dashboard/",
        "/password/",
    ),
    "admin": ("/users/", "/audit/"),
}
DESK, TELEPHONE = (1366, 768), (390, 844)
TWICE_THE_SIZE = (683, 384)  # what 1366 × 768 leaves at 200 %


@pytest.fixture
def loaded(county: Path, transactional_db: None) -> None:
    assemble()


def test_no_page_is_wider_than_its_screen_and_none_complains(loaded, sit_down) -> None:
    for language in ("zh-hans", "en"):
        for account, pages in PAGES.items():
            desk = sit_down(account, language=language)
            for address in pages:
                desk.open(address)
                for width, height in (DESK, TWICE_THE_SIZE, TELEPHONE):
                    desk.page.set_viewport_size({"width": width, "height": height})
                    wide = desk.page.evaluate("document.documentElement.scrollWidth - innerWidth")
                    assert wide <= 0, f"{address} at {width} in {language}: {wide}px"
            assert desk.troubles == [], f"{account} {language}"


def test_charts_and_map_are_drawn_over_their_tables(loaded, sit_down) -> None:
    desk = sit_down("county")
    desk.open("/dashboard/")

    assert desk.page.locator(".chart canvas").count() == 4
    desk.page.wait_for_selector("#map path")
    assert desk.page.locator("#map path").count() == 88
    assert "审图号" in desk.page.inner_text("#map-note")


def test_a_boundary_file_that_cannot_be_read_leaves_the_table(
    loaded, sit_down, settings, tmp_path: Path
) -> None:
    settings.BOUNDARIES = tmp_path / "broken.geojson"
    settings.BOUNDARIES.write_text("{ not json")
    desk = sit_down("county")
    desk.open("/dashboard/")

    until(
        desk.page,
        "document.getElementById('map-note').textContent.includes('边界文件读取失败')",
    )
    assert not desk.page.is_visible("#map")
    assert "南明区" in desk.text()


def test_a_worker_finds_and_opens_a_warning_by_keyboard_alone(loaded, sit_down) -> None:
    desk = sit_down("county")
    desk.page.keyboard.press("Tab")
    assert desk.page.evaluate("document.activeElement.className") == "skip"
    desk.page.keyboard.press("Enter")
    for _step in range(12):
        desk.page.keyboard.press("Tab")
        if "/warnings/YJ" in (desk.page.evaluate("document.activeElement.href") or ""):
            break
    ring = desk.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    desk.page.keyboard.press("Enter")

    desk.page.wait_for_url("**/warnings/YJ**")
    assert ring == "solid"


def test_without_scripts_the_list_is_narrowed_and_warnings_are_dispatched(loaded, sit_down) -> None:
    desk = sit_down("county", java_script_enabled=False)
    desk.open("/warnings/")
    desk.page.select_option("#code", "M1")
    desk.press("#filters button")
    assert desk.page.locator("#result tbody tr").count() == 1

    desk.page.check("input[name=number]")
    desk.press("#result form button")

    assert "已派单 1 件" in desk.page.inner_text("#messages")
    assert "待核实" in desk.text()


def test_a_whole_id_is_shown_in_place_after_a_reason(loaded, sit_down) -> None:
    desk = sit_down("county")
    desk.open(HOUSEHOLD)
    assert small_county.WANG_QIANG not in desk.page.content()

    desk.page.click("td summary")
    desk.page.fill("td input[name=reason]", "核对医保报销材料")
    desk.page.click("td form button")

    desk.page.wait_for_selector(".revealed")
    assert small_county.WANG_QIANG in desk.text()


def test_the_language_switch_stays_on_the_page(loaded, sit_down) -> None:
    desk = sit_down("county")
    desk.open("/warnings/?code=M1")
    desk.press("button[value=en]")

    assert desk.page.url.endswith("/warnings/?code=M1")
    assert desk.page.inner_text("h1") == "Warnings"


def test_large_type_is_larger_and_fits(loaded, sit_down) -> None:
    desk = sit_down("county")
    before = desk.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
    desk.press("button[name=large]")

    assert desk.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") >= before * 1.25
    assert desk.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
