"""A death walks in a real browser from the file to the money that came back, and into the report."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from doudi import chain
from doudi.contexts.accounts.services import system_user
from tests import small_county as sc
from tests.cast import assemble

GRANTS = ["2024-09-10", "2024-10-10", "2024-11-10", "2024-12-10"]


@pytest.fixture
def paying_office(transactional_db: None, office: Path, tmp_path: Path) -> Path:
    """The small county with its payments, before the funeral home's file has come; gives that file."""
    assemble()
    files = sc.write_county(tmp_path / "files")
    death = (files / "死亡殡葬.csv").rename(tmp_path / "死亡殡葬.csv")
    sc.write_csv(
        files / "救助发放.csv",
        ["姓名", "身份证号", "救助项目", "金额", "发放日期"],
        [["赵国", sc.ZHAO_GUO, "低保金", "452.30", day] for day in GRANTS],
    )
    chain.take_in_folder(files, as_of=date(2024, 12, 20), by=system_user())
    return death


def test_a_death_walks_from_the_file_to_the_money_that_came_back(
    paying_office: Path, sit_down, tmp_path: Path
) -> None:
    # the file arrives; the county officer finds the proposal, due the next working day, and nothing stopped
    county = sit_down("county")
    county.open("/loads/")
    county.page.set_input_files("#id_file", str(paying_office))
    county.page.fill("#id_as_of", "2024-12-20")
    county.press("form[action='/loads/upload/'] button")
    county.open("/stops/")
    assert "赵国" in county.text() and "待决定" in county.text()
    county.press("main table a")
    county.page.click("input[name=confirm][value=yes]")
    county.page.fill("#id_ground", "火化证明已核对，是本人。")
    county.press("form[action$='/decide/'] button")
    assert "已记录从 2024-11 起停发" in county.page.inner_text("#messages")

    # the overpaid months are there, payment by payment; the doubt goes to the village
    county.press("ul.signals a")
    assert "904.60" in county.text() and "2024-10当月及以前，照发" in county.text()
    doubt = county.page.url.removeprefix(county.url)
    county.page.fill("#assign_to", "钱村干")
    county.press("form[action$='/assign/'] button")

    # the township hears the family and brings a paper
    township = sit_down("other_township")
    township.open("/doubts/")
    township.press("main table a")
    paper = tmp_path / "证明.pdf"
    paper.write_bytes(b"%PDF-1.4 fictitious")
    township.page.fill("#evidence_label", "火化证明")
    township.page.set_input_files("#evidence_file", str(paper))
    township.press("form[action$='/evidence/'] button")
    assert "证据已加密保存" in township.page.inner_text("#messages")
    township.page.fill("#check_checker_1", "吴乡办")
    township.page.fill("#check_checker_2", "钱村干")
    township.page.fill("#check_finding", "火化证明与发放流水核对一致，属实。")
    township.page.click("input[name=conclusion][value=A]")
    township.press("form[action$='/check/'] button")
    assert "听取家庭陈述" in township.text()
    township.page.fill("#check_heard", "女儿承认领取，愿意分两期退还。")
    township.press("form[action$='/check/'] button")
    assert "等待另一人复核" in township.page.inner_text("#messages")

    # a second person lets it stand; the money comes back in two instalments
    county.open(doubt)
    county.page.click("input[name=approve][value=yes]")
    county.page.fill("#review_note", "同意，证据充分。")
    county.press("form[action$='/review/'] button")
    county.press("a[href^='/recovery/ZJ']")
    county.page.click("details:has(form[action$='/plan/']) summary")
    county.page.fill("#plan_months", "2")
    county.page.fill("#plan_first", f"{date.today() + timedelta(days=20)}")
    county.press("form[action$='/plan/'] button")
    for voucher in ("SJ-0001", "SJ-0002"):
        county.page.fill("#receive_amount", "452.30")
        county.page.fill("#receive_voucher", voucher)
        county.press("form[action$='/receive/'] button")
        assert "收款已登记" in county.page.inner_text("#messages")
    assert "已结清" in county.text() and "账实相符" in county.text()

    # the director sees the same sums, with no name
    director = sit_down("director")
    director.open("/rectification/")
    total = director.page.inner_text("#total").replace("\n", " ")
    assert "904.60 应追缴" in total and "904.60 已追回" in total and "0.00 未追回" in total
    assert "赵国" not in director.text()
    with director.page.expect_download() as saved:
        director.page.click("text=下载 Word")
    assert Path(saved.value.path()).read_bytes().startswith(b"PK")
    for desk in (county, township, director):
        assert [trouble for trouble in desk.troubles if "422" not in trouble] == []
