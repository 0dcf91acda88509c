"""The one window in a browser: from the search to the letter; an objection to a refusal; aid at night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, account, create_user, system_user
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.models import Application
from tests.applying import PICTURE, SCAN, verified
from tests.cast import PASSWORD, assemble
from tests.small_county import TOWNSHIP_A, WANG_QIANG


@pytest.fixture
def staffed(county: Path) -> None:
    assemble()


def files(folder: Path) -> tuple[str, str]:
    picture, minutes = folder / "公示.jpg", folder / "评议.pdf"
    picture.write_bytes(PICTURE)
    minutes.write_bytes(SCAN)
    return str(picture), str(minutes)


def step(desk: Any, number: str, name: str) -> str:
    desk.press(f"form[action='/window/{number}/do/{name}/'] button")
    return str(desk.page.inner_text("#messages"))


def refusals_only(desk: Any) -> bool:
    """The browser's console tells of no trouble but the one step that was refused on purpose."""
    return len(desk.troubles) == 1 and "422" in desk.troubles[0]


def take_in(desk: Any, kind: str, papers: tuple[str, ...]) -> str:
    """Find the person by the identity number and take the application in; gives its number."""
    desk.open("/window/new/")
    desk.page.fill("#q", WANG_QIANG)
    desk.press("main form button")
    desk.press("main ul.rows a")
    desk.page.select_option("#id_kind", kind)
    desk.page.fill("#id_reason", "失去劳动能力, 没有收入来源")
    for paper in papers:
        desk.page.check(f"input[name=papers][value={paper}]")
    desk.press("main form.card button")
    return Application.objects.get(kind=kind).number


def investigated(desk: Any, number: str, folder: Path) -> None:
    """Accept, check, visit and give an opinion in favour."""
    assert "已受理" in step(desk, number, "accept")
    verified(number, by=account("township"), verifier=account("verifier"), folder=folder)
    desk.open(f"/window/{number}/")
    desk.page.fill("#visit_investigators", "周某、吴某")
    desk.page.fill("#visit_findings", "与申报一致, 房屋两间, 无大额财产")
    desk.page.check("#visit_agrees_0")
    assert "入户调查已登记" in step(desk, number, "visit")
    desk.page.check("#opinion_grant_0")
    desk.page.fill("#opinion_ground", "符合低保条件")
    assert "初审意见已登记" in step(desk, number, "opinion")


def hang(desk: Any, number: str, picture: str) -> None:
    desk.page.fill("#notice_place", "花果园街道公示栏")
    desk.page.set_input_files("#notice_evidence", picture)
    assert "公示已登记" in step(desk, number, "notice")


def test_from_the_search_to_the_letter_and_the_first_roster(
    staffed: None, sit_down: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, _minutes = files(tmp_path)
    window = sit_down("township")
    number = take_in(window, "DB", ("identity", "declaration", "authorisation"))
    assert "王强" in window.text()
    investigated(window, number, tmp_path)
    hang(window, number, picture)

    later = timezone.localdate() + timedelta(days=8)
    monkeypatch.setattr(timezone, "localdate", lambda *_a, **_k: later)
    window.open(f"/window/{number}/")
    assert "公示已结束" in step(window, number, "notice_end")

    county = sit_down("county")
    county.open(f"/window/{number}/")
    assert "低于低保标准" in county.text()
    county.page.check("#decide_grant_0")
    county.page.fill("#decide_ground", "符合低保条件")
    assert "决定已作出" in step(county, number, "decide")
    county.press("main a[href^='/decisions/']")
    assert "什么变化会改变这一结论" in county.text()
    with county.page.expect_download() as waiting:
        county.page.click("form[action$='/letter/'] button[value=docx]")
    assert Path(waiting.value.path()).read_bytes().startswith(b"PK")

    made = assistance.decisions(by=account("county")).get()
    (booked,) = payroll.decisions(by=account("county"), household_no="H002")
    assert booked.decision_no == made.number
    roster = chain.compute_roster(region_code="520102", month=made.valid_from, by=account("county"))
    # urban standard 745 yuan, no income, one person: the whole difference
    due = {row.household_no: row.amount_fen for row in payroll.rows_of(roster, by=account("county"))}
    assert due == {"H002": 745_00}
    assert window.troubles == county.troubles == []


def test_an_objection_a_villagers_review_and_a_refusal(
    staffed: None, sit_down: Callable, tmp_path: Path
) -> None:
    picture, minutes = files(tmp_path)
    window = sit_down("township", size=(390, 844))
    number = take_in(window, "DB", ("identity", "declaration", "authorisation"))
    investigated(window, number, tmp_path)
    hang(window, number, picture)
    window.page.fill("#objection_ground", "他家有一间门面出租")
    assert "异议已登记" in step(window, number, "objection")

    window.page.check("#opinion_grant_1")
    window.page.fill("#opinion_ground", "查有门面出租")
    window.press(f"form[action='/window/{number}/do/opinion/'] button")
    assert "重新入户调查或民主评议" in window.text()
    assert window.page.input_value("#opinion_ground") == "查有门面出租"

    window.page.fill("#meeting_held_on", f"{timezone.localdate():%Y-%m-%d}")
    window.page.fill("#meeting_present", "9")
    window.page.fill("#meeting_in_favour", "1")
    window.page.fill("#meeting_summary", "门面出租属实，年租金三万余元")
    window.page.set_input_files("#meeting_evidence", minutes)
    assert "民主评议已登记" in step(window, number, "meeting")
    window.page.check("#opinion_grant_1")
    window.page.fill("#opinion_ground", "门面出租属实，收入高于标准")
    assert "初审意见已登记" in step(window, number, "opinion")

    county = sit_down("county")
    county.open(f"/window/{number}/")
    county.page.check("#decide_grant_1")
    county.page.fill("#decide_ground", "入户和评议查明门面出租，年租金三万余元，收入高于标准")
    assert "决定已作出" in step(county, number, "decide")
    county.open("/window/")
    assert "决定待送达" in county.text()
    made = assistance.decisions(by=account("county")).get()
    assert made.departs and made.result == "refused"
    assert refusals_only(window) and county.troubles == []


def test_aid_at_night_and_the_papers_by_another_hand(
    staffed: None, sit_down: Callable, tmp_path: Path
) -> None:
    create_user(
        username="head",
        password=PASSWORD,
        display_name="何镇长",
        role=Role.TOWNSHIP,
        region_code=TOWNSHIP_A,
        by=system_user(),
    )
    night = sit_down("township", size=(390, 844))
    number = take_in(night, "JN", ())
    night.page.fill("#aid_amount", "2000")
    night.page.fill("#aid_ground", "夜间房屋失火，无处安身")
    assert "已给予救助" in step(night, number, "aid")
    for paper in ("identity", "hardship"):
        night.page.select_option("#paper_code", paper)
        night.page.check("#paper_seen_original")
        assert "材料已登记" in step(night, number, "paper")
    night.page.fill("#visit_investigators", "周某")
    night.page.fill("#visit_findings", "房屋过火，家具全毁")
    night.page.check("#visit_agrees_0")
    assert "入户调查已登记" in step(night, number, "visit")
    night.page.fill("#complete_why", "材料和入户补齐")
    night.press(f"form[action='/window/{number}/do/complete/'] button")
    assert "另一人" in night.text()

    head = sit_down("head")
    head.open(f"/window/{number}/")
    head.page.fill("#complete_why", "材料和入户补齐")
    assert "手续已补齐" in step(head, number, "complete")
    assert Application.objects.get(number=number).state == "granted"
    assert refusals_only(night) and head.troubles == []
