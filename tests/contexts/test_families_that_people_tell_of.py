"""主动发现: from a neighbour's word or the hotline's file to a warning on the same chain, and back to who told."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, read_audit, system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.services import StepRefused, TooMany
from tests.cast import Cast, assemble
from tests.small_county import AS_OF, TOWNSHIP_A, TOWNSHIP_B


@pytest.fixture
def cast(county: Path) -> Cast:
    return assemble()


def tell(token: int = 1, **other: Any) -> monitoring.FamilyReport:
    told = {
        "channel": "neighbour",
        "region_code": TOWNSHIP_A,
        "difficulty": "ILLNESS",
        "family_name": "钱生",
        "place": "虚构路9号",
        "text": "老人病了没人管，家里没有钱。",
        "contact": "10000000001",
    }
    return chain.take_report(token=f"{token:032x}", **{**told, **other})


def progress(report: monitoring.FamilyReport) -> str:
    return monitoring.progress_of(report.receipt, rules=chain.outreach()).step


def test_a_family_nobody_knew_goes_the_whole_way_and_who_told_hears_of_it(cast: Cast) -> None:
    report = tell()
    assert progress(report) == "received"

    case = chain.open_from_report(report.number, by=cast.township)

    assert (case.provisional, case.source, case.level, case.head_name) == (True, "report", "orange", "钱生")
    assert (case.number, case.household_no) == (report.number, f"LS-{report.number}")
    assert progress(report) == "waiting"
    chain.dispatch(case.number, to=TOWNSHIP_A, by=cast.county)
    assert progress(report) == "sent"
    chain.record_visit(
        case.number,
        visited_on=date.today(),
        visitors=["李乡办", "吴网格"],
        result_code="C",
        finding="独居老人生病，无人照料，家中没有积蓄。",
        by=cast.township,
    )
    chain.give_measure(
        case.number,
        code="LS_AID",
        amount_fen=150_000,
        given_on=date.today(),
        ground="急难型救助",
        by=cast.township,
    )
    assert progress(report) == "helping"
    chain.close(case.number, closing_note="已给予临时救助", by=cast.county)
    monitoring.answer_report(report, answer="已上门了解并给予帮助，谢谢您。", by=cast.township)
    assert progress(report) == "done"
    found = {row.source: row for row in monitoring.found_by(by=cast.county)}
    assert (found["report"].found, found["report"].visited, found["report"].precision) == (1, 1, 1.0)
    assert (found["screen"].found, found["screen"].visited) == (2, 0)


def test_a_report_of_a_household_with_an_open_warning_joins_it_and_raises_it(cast: Cast) -> None:
    before = monitoring.warning("YJ20241115-H002", by=cast.county)
    report = tell(difficulty="DISASTER", family_name="王强")

    case = chain.open_from_report(report.number, household_no="H002", by=cast.county)

    assert case.number == before.number
    assert (case.level, case.source, case.provisional) == ("red", "screen", False)
    assert "REPORT" in {signal.code for signal in case.signals.all()}


def test_a_screen_neither_clears_nor_lowers_what_people_told(cast: Cast) -> None:
    stranger = chain.open_from_report(tell(1).number, by=cast.county)
    known = chain.open_from_report(tell(2, difficulty="CHILD").number, household_no="H001", by=cast.county)

    chain.screen(as_of=date.fromisoformat(AS_OF), by=system_user())

    for case, level in ((stranger, "orange"), (known, "red")):
        case.refresh_from_db()
        assert (case.status, case.level) == ("new", level)
        assert case.signals.get(code="REPORT").active


def test_a_report_is_opened_once_and_needs_no_second_warning(cast: Cast) -> None:
    report = tell()
    chain.open_from_report(report.number, by=cast.county)

    with pytest.raises(StepRefused):
        chain.open_from_report(report.number, by=cast.township)
    assert monitoring.warnings(by=cast.county).filter(source="report").count() == 1


def test_the_same_form_sent_twice_is_one_report(cast: Cast) -> None:
    first, second = tell(7), tell(7, text="再点了一次提交。")

    assert first.pk == second.pk and first.receipt == second.receipt


def test_a_provisional_family_is_matched_to_the_register_before_a_department_is_asked(cast: Cast) -> None:
    case = chain.open_from_report(tell().number, by=cast.county)
    chain.dispatch(case.number, to=TOWNSHIP_A, by=cast.county)
    chain.record_visit(
        case.number,
        visited_on=date.today(),
        visitors=["李乡办"],
        result_code="D",
        finding="需要医保部门帮助。",
        by=cast.township,
    )
    with pytest.raises(StepRefused, match="临时户号"):
        chain.push_need(case.number, department="医保", need="核查医疗救助待遇", by=cast.township)
    with pytest.raises(StepRefused, match="已有未办结的预警"):
        chain.identify(case.number, household_no="H002", by=cast.township)

    chain.identify(case.number, household_no="H001", by=cast.township)

    sent = chain.push_need(case.number, department="医保", need="核查医疗救助待遇", by=cast.township)
    case.refresh_from_db()
    assert (sent.household_no, case.household_no, case.provisional) == ("H001", "H001", False)


def test_answering_without_a_warning_needs_a_ground(cast: Cast) -> None:
    report = tell()

    with pytest.raises(StepRefused):
        monitoring.answer_report(report, answer="已向您说明政策。", by=cast.township)
    monitoring.answer_report(report, answer="已向您说明政策。", ground="家庭不在本地居住", by=cast.township)

    seen = monitoring.progress_of(report.receipt, rules=chain.outreach())
    assert (seen.step, seen.answer) == ("answered", "已向您说明政策。")


def test_another_area_sees_no_report_and_a_role_without_the_act_is_refused(cast: Cast) -> None:
    report = tell()

    for person in (cast.other_township, cast.stranger):
        assert not monitoring.reports(by=person, status="all").exists()
        with pytest.raises(monitoring.ReportNotFound):
            monitoring.look_at_report(report.number, by=person)
    with pytest.raises(NotAllowed):
        chain.open_from_report(report.number, by=cast.auditor)


def test_what_was_said_is_sealed_in_the_database_and_absent_from_the_log(cast: Cast) -> None:
    from django.db import connection

    report = tell()

    with connection.cursor() as cursor:
        cursor.execute("select * from monitoring_familyreport")
        row = b" ".join(
            bytes(v) if isinstance(v, (bytes, memoryview)) else str(v).encode() for v in cursor.fetchone()
        )
    log = str([(e.subject, e.detail, e.reason) for e in read_audit(by=cast.auditor)])
    for secret in ("钱生", "虚构路9号", "没人管", "10000000001"):
        assert secret.encode() not in row
        assert secret not in log
    assert report.number in log


def test_one_address_and_one_device_are_limited_apart(cast: Cast) -> None:
    most = chain.outreach().per_device
    for number in range(most):
        tell(number, address="10.0.0.1", device="a")

    with pytest.raises(TooMany):
        tell(90, address="10.0.0.1", device="a")
    tell(91, address="10.0.0.1", device="b")
    for number in range(most + 1, chain.outreach().per_address):
        tell(100 + number, address="10.0.0.1", device=f"c{number}")
    with pytest.raises(TooMany):
        tell(92, address="10.0.0.1", device="d")
    tell(93, address="10.0.0.2", device="e")


def test_guessing_receipts_is_limited(cast: Cast) -> None:
    rules = chain.outreach()
    for _ in range(rules.looks_per_address):
        assert monitoring.progress_of("AAAAABBBBB", rules=rules, address="10.0.0.9").step == "unknown"

    with pytest.raises(TooMany):
        monitoring.progress_of("AAAAABBBBB", rules=rules, address="10.0.0.9")


# ---- the hotline -------------------------------------------------------------------------------------------------


def workbook(path: Path, rows: list[list[Any]]) -> Path:
    book = Workbook()
    for row in [
        ["12345热线工单", "", "", "", "", ""],
        ["工单编号", "受理时间", "诉求内容", "诉求地址", "来电号码", "诉求人"],
        *rows,
    ]:
        book.active.append(row)
    book.save(path)
    return path


def test_the_hotlines_file_is_taken_in_and_its_answers_go_back(cast: Cast, tmp_path: Path) -> None:
    first = ["GD001", "2024-11-20 08:30", "邻居家着火，房屋烧毁", "虚构路5号", "10000000002", "孙先生"]
    path = workbook(
        tmp_path / "热线.xlsx",
        [first, ["GD002", "昨天", "没有收入", "", "", ""], ["", "", "没有编号", "", "", ""], first],
    )

    outcome = chain.take_hotline_file(path, by=cast.county)
    again = chain.take_hotline_file(path, by=cast.county)

    assert (len(outcome.taken), outcome.duplicates) == (1, ["GD001"])
    assert [row for row, _zh, _en in outcome.problems] == [4, 5]
    assert (again.taken, again.duplicates) == ([], ["GD001", "GD001"])
    report = monitoring.report(outcome.taken[0], by=cast.county)
    assert (report.contact, report.hotline_no) == ("孙先生 10000000002", "GD001")
    monitoring.answer_report(
        report, answer="=cmd|' /C calc'!A0 已转应急部门", ground="不属民政职责", by=cast.county
    )
    back = load_workbook(io.BytesIO(monitoring.hotline_answers(by=cast.county))).active
    assert [cell.value for cell in back[2]][::3] == ["GD001", "已答复"]
    assert back["E2"].data_type == "s"


def test_a_file_without_the_columns_is_refused_whole(cast: Cast, tmp_path: Path) -> None:
    from doudi.engine.errors import DoudiError

    path = tmp_path / "x.csv"
    path.write_text("编码,说明\n1,2\n", encoding="utf-8")

    with pytest.raises(DoudiError, match="没有找到表头"):
        chain.take_hotline_file(path, by=cast.county)


def test_an_address_that_names_a_township_goes_there(cast: Cast, tmp_path: Path) -> None:
    from doudi.contexts.registry import services as registry

    name = registry.region_name(TOWNSHIP_B)
    path = workbook(tmp_path / "热线.xlsx", [["GD009", "2024-11-20", "生活困难", f"{name}虚构村", "", ""]])

    outcome = chain.take_hotline_file(path, by=cast.county)

    report = monitoring.report(outcome.taken[0], by=cast.county)
    assert report.region_code.startswith(TOWNSHIP_B)
