"""A department that works by Excel alone: its list down, filled in a spreadsheet, up again, each row answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest

from doudi import chain
from doudi.contexts.assistance.models import Application, Referral
from tests.applying import applied
from tests.cast import Cast, assemble
from tests.small_county import LI_LI, WANG_QIANG


@pytest.fixture
def sent(county: Path, transactional_db: None) -> Cast:
    cast = assemble()
    for name, number, home in (("王强", WANG_QIANG, "H002"), ("李丽", LI_LI, "H001")):
        found = applied(cast.township, kind="MED", name=name, id_number=number, household_no=home)
        chain.transfer_application(
            found.number, department="医保", why="医疗费用由医保负责", by=cast.township
        )
    return cast


def test_the_list_goes_down_and_comes_back_filled(sent: Cast, sit_down: Callable, tmp_path: Path) -> None:
    department = sit_down("department")
    department.open("/inbox/")
    with department.page.expect_download() as waiting:
        department.page.click("main a[href$='/inbox/workbook/']")
    path = tmp_path / "待办.xlsx"
    waiting.value.save_as(path)

    book = openpyxl.load_workbook(path)
    sheet = book.active
    top = next(row for row in range(1, 6) if sheet.cell(row, 1).value == "推送编号")
    at = {cell.value: cell.column for cell in sheet[top]}
    filled = {"办理结果": "解决", "金额（元）": "3200", "办理情况": "按规定报销并结算"}
    for label, text in filled.items():
        sheet.cell(top + 1, at[label]).value = text
    sheet.cell(top + 2, at["办理结果"]).value = "退回"
    book.save(path)

    def upload() -> str:
        department.open("/inbox/")
        department.page.click("main details summary")
        department.page.set_input_files("#bk", str(path))
        department.press("form[action='/inbox/workbook/'] button")
        return str(department.text())

    told = upload()
    assert "已受理。" in told and "退回理由" in told
    again = upload()
    assert "此前已经受理，没有变化。" in again, "sent again, nothing happens twice"
    first = Referral.objects.get(status="answered")
    assert (first.result, first.amount_fen) == ("solved", 3200_00)
    closed = Application.objects.get(number=first.application_number)
    assert closed.state == "closed", "the department's word closes the transfer, the sender cannot"
    assert Referral.objects.filter(status="sent").count() == 1
    township = sit_down("township", size=(390, 844))
    township.open(f"/window/{closed.number}/")
    assert "按规定报销并结算" in township.text()
    assert department.troubles == township.troubles == []
