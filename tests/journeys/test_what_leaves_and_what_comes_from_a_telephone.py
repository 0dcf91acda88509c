"""A month goes upward and comes back, a department subscribes, and an applicant adds a picture: each in a browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from doudi import chain
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.upward_models import UpwardRow
from tests.cast import assemble
from tests.engine.test_pictures import END, JFIF, SCAN, TABLE
from tests.payday import PayOffice, open_office
from tests.small_county import TOWNSHIP_A, WANG_QIANG

PHOTO = b"\xff\xd8" + JFIF + TABLE + SCAN + END


@pytest.fixture
def pay(county: Path, transactional_db: None, settings: Any) -> PayOffice:
    settings.WEBHOOK_HOSTS = frozenset({"127.0.0.1"})
    made = open_office(assemble())
    made.decide("H001")
    made.decide("H002")
    made.frozen()
    return made


def test_a_month_is_reported_and_worked_off(pay: PayOffice, sit_down: Callable, tmp_path: Path) -> None:
    county = sit_down("county")
    county.open("/upward/")
    county.page.fill("#id_month", "2024-11")
    county.press("form[action='/upward/'] button >> nth=0")
    assert "上报文件已生成" in county.page.inner_text("#messages")
    county.press("section[aria-labelledby=h-reports] table a")
    with county.page.expect_download() as waiting:
        county.page.click("form[action$='/file/'] button")
    waiting.value.save_as(tmp_path / "上报.xlsx")
    book = openpyxl.load_workbook(tmp_path / "上报.xlsx")
    assert [cell.value for cell in book.active[1]][:2] == ["业务编号", "行政区划代码"]

    first, second = UpwardRow.objects.order_by("serial").values_list("key", flat=True)
    back = openpyxl.Workbook()
    for row in (
        ("业务编号", "校验结果", "失败原因"),
        (first, "通过", ""),
        (second, "不通过", "证件号码校验失败"),
    ):
        back.active.append(row)
    path = tmp_path / "回执.xlsx"
    back.save(path)
    county.page.set_input_files("#return_file", str(path))
    county.press("input[value=return] ~ button")
    assert "证件号码校验失败" in county.text()
    county.page.click("details.step:nth-of-type(2) summary")
    county.page.fill("#settle_key", second)
    county.page.check("#settle_state_0")
    county.page.fill("#settle_reason", "已迁出本县，由迁入地上报")
    county.press("input[value=settle] ~ button")
    county.open("/upward/?code=pay&region_code=520102&month=2024-11")
    assert "2 行全部办清" in county.text()

    county.open("/webhooks/")
    county.page.click("details.step summary")
    county.page.select_option("#id_department", "医保")
    county.page.fill("#id_url", "http://127.0.0.1:9/hook")
    county.press("details.step form button")
    assert len(county.page.inner_text("#secret")) > 30
    assert county.troubles == []


def test_a_picture_of_a_paper_from_a_telephone(pay: PayOffice, sit_down: Callable, tmp_path: Path) -> None:
    found = chain.start_by_oneself(
        kind="DB",
        applicant=assistance.Applicant("王强", WANG_QIANG, "13900000000"),
        reason="没有收入来源",
        region_code=TOWNSHIP_A,
        token="a" * 32,
    )
    picture = tmp_path / "身份证.jpg"
    picture.write_bytes(PHOTO)
    phone = sit_down("township", size=(390, 844))
    phone.page.context.clear_cookies()
    phone.open("/apply/progress/")
    phone.page.fill("#receipt", found.receipt)
    phone.page.fill("#tail", WANG_QIANG[-4:])
    phone.press("form.card button")
    assert "必交，未收" in phone.text()
    phone.page.set_input_files("#picture_identity", str(picture))
    phone.press("form:has(#picture_identity) button")
    assert "照片已收到" in phone.text()
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    window = sit_down("township")
    window.open(f"/window/{found.number}/")
    assert "看扫描件" in window.text()
    assert phone.troubles == window.troubles == []
