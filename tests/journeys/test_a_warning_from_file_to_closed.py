"""One warning through all hands in a real browser: from the department's file to the closed case."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import expect

from doudi import chain
from doudi.contexts.accounts.services import system_user
from doudi.contexts.monitoring import services as monitoring
from tests import small_county
from tests.cast import assemble

WANG = "/warnings/YJ20241115-H002/"


@pytest.fixture
def empty_office(transactional_db: None, office: Path) -> None:
    assemble()


def send_file(desk, path: Path) -> str:
    desk.page.set_input_files("#id_file", str(path))
    desk.page.fill("#id_as_of", small_county.AS_OF)
    desk.press("form[action='/loads/upload/'] button")
    return desk.page.inner_text("#messages")


def press(desk, step: str) -> str:
    """Press the button of a step's form; gives what the page says afterwards."""
    desk.press(f"form[action='{WANG}{step}/'] button")
    return desk.page.inner_text("#messages")


def test_a_warning_walks_from_file_to_closed_case(empty_office, sit_down, tmp_path: Path) -> None:
    files = small_county.write_county(tmp_path / "files")
    by_browser = ("低收入家庭花名册", "医疗结算", "死亡殡葬")

    # the county officer takes the department's files in and screens
    county = sit_down("county")
    county.open("/loads/")
    for name in by_browser:
        assert f"已装载 {name}.csv" in send_file(county, files / f"{name}.csv")
    # the other departments' files came over night at the command line
    chain.take_in_folder(files, as_of=date.fromisoformat(small_county.AS_OF), by=system_user())
    county.page.fill("#screen_as_of", small_county.AS_OF)
    county.press("form[action='/loads/screen/'] button")
    assert "已筛查 3 户 5 人" in county.page.inner_text("#messages")

    # the warning is on the list, is found by typing, and is dispatched
    county.open("/warnings/")
    county.page.fill("#text", "王强")
    expect(county.page.locator("#result tbody tr")).to_have_count(1)
    county.press("#result tbody a")
    assert "M2 新确诊重病" in county.text()
    county.page.select_option("#dispatch_to", small_county.TOWNSHIP_A)
    assert "已派单" in press(county, "dispatch")

    # the township worker visits, gives temporary aid, and asks the medical insurance office
    township = sit_down("township")
    assert "王强" in township.text()
    township.press("main table a")
    township.page.fill("#visit_visitor_1", "李乡办")
    township.page.click("input[name=result_code][value=C]")
    township.page.fill("#visit_finding", "住院自付三万元，家中无其他收入。")
    press(township, "visit")
    assert "须由 2 名入户人员共同核实" in township.text()
    assert township.page.input_value("#visit_finding") == "住院自付三万元，家中无其他收入。"
    township.page.fill("#visit_visitor_2", "吴网格")
    assert "入户核实已记录" in press(township, "visit")
    township.page.select_option("#measure_code", "LS_AID")
    township.page.fill("#measure_amount", "1500.50")
    township.page.fill("#measure_ground", "按临时救助办法，急难型。")
    assert "救助措施已记录" in press(township, "measure")
    township.page.select_option("#push_department", "医保")
    township.page.fill("#push_need", "核查医疗救助待遇，协助手工报销。")
    assert "需求已推送部门" in press(township, "push")

    # the case cannot be closed before the department has answered
    county.open(WANG)
    county.page.fill("#close_closing_note", "已给予临时救助")
    press(county, "close")
    assert "还有部门没有反馈" in county.text()

    # the department accepts and answers
    department = sit_down("department")
    department.press("main table a")
    assert small_county.WANG_QIANG in department.text()
    department.press("form[action$='/accept/'] button")
    department.page.select_option("#id_result", "solved")
    department.page.fill("#id_amount", "3000")
    department.page.fill("#id_answer", "已手工报销，补助三千元到户。")
    department.press("form[action$='/answer/'] button")
    assert "已反馈民政部门" in department.page.inner_text("#messages")

    # the county officer closes; who did what when stands on one timeline
    county.open(WANG)
    county.page.fill("#close_closing_note", "临时救助已发放，医保已报销。")
    assert "预警已办结" in press(county, "close")
    timeline = [line.inner_text() for line in county.page.locator("ol.timeline li").all()]
    steps = ["发现", "派单", "入户核实", "给予措施", "推送部门", "部门答复", "部门答复", "办结"]
    people = ["陈县办", "陈县办", "李乡办", "李乡办", "李乡办", "王医保", "王医保", "陈县办"]
    assert len(timeline) == len(steps)
    for line, step, person in zip(timeline, steps, people, strict=True):
        assert step in line and person in line, line
    assert "1500.50元" in timeline[3] and "3000.00元" in timeline[6]

    # the director sees the loop, the auditor a whole chain
    director = sit_down("director")
    figures = director.page.inner_text(".figures")
    assert "1 已办结" in figures.replace("\n", " ") and "100%" in figures
    auditor = sit_down("auditor")
    auditor.page.wait_for_selector("#chain .note.success")
    assert "审计链完整" in auditor.text()
    for desk in (county, township, department, director, auditor):
        # the browser notes each refused form as a failed load; nothing else may be complained of
        assert [trouble for trouble in desk.troubles if "422" not in trouble] == []


def test_a_second_click_on_a_slow_line_records_one_visit(county, sit_down) -> None:
    assemble()
    chain.dispatch("YJ20241115-H002", to=small_county.TOWNSHIP_A, by=system_user())
    desk = sit_down("township")
    desk.open(WANG)
    desk.page.fill("#visit_visitor_1", "李乡办")
    desk.page.click("input[name=result_code][value=F]")
    desk.page.fill("#visit_finding", "家中有退休金，无困难，不需要救助。")

    desk.page.dblclick(f"form[action='{WANG}visit/'] button")
    desk.page.wait_for_selector("#messages .success")

    assert monitoring.case_of("YJ20241115-H002").visits.count() == 1
