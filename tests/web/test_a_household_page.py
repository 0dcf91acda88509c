"""A household's page: masked by default, facts with their source, and every look in the log."""

from __future__ import annotations

import re
from datetime import date, timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Act, audit_entries, system_user
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Person
from tests import small_county
from tests.small_county import WANG_QIANG, ZHANG_WEI

PAGE = ["H002"]


def text_of(answer) -> str:
    return answer.content.decode()


def person(county, number: str = "H002") -> int:
    found = registry.household(number, by=county.county)
    return registry.members(found, by=county.county)[0].person_id


def test_ids_and_telephones_are_masked_for_everybody(county, browser) -> None:
    for who in (county.county, county.township, county.director, county.auditor):
        page = text_of(browser(who).get(reverse("household", args=PAGE)))
        assert WANG_QIANG not in page
        assert "10087654321" not in page
        assert f"{WANG_QIANG[:6]}********{WANG_QIANG[-4:]}" in page


def test_the_whole_id_asks_for_a_reason_and_the_reason_is_kept(county, browser) -> None:
    desk = browser(county.township)
    address = reverse("reveal", args=["H002", person(county)])

    refused = desk.post(address, {"reason": "看"}, headers={"hx-request": "true"})
    assert WANG_QIANG not in text_of(refused) and "请写明查看完整证件号的事由" in text_of(refused)

    shown = desk.post(address, {"reason": "核对医保报销材料"}, headers={"hx-request": "true"})
    assert WANG_QIANG in text_of(shown) and "<html" not in text_of(shown)
    entry = audit_entries(by=county.auditor, act=Act.REVEAL_IDENTITY).get()
    assert (entry.actor, entry.reason) == ("township", "核对医保报销材料")


def test_without_scripts_the_whole_id_comes_on_a_page_of_its_own(county, browser) -> None:
    answer = browser(county.county).post(
        reverse("reveal", args=["H002", person(county)]), {"reason": "核对医保报销材料"}
    )

    assert WANG_QIANG in text_of(answer) and "<html" in text_of(answer)


def test_a_member_of_another_household_is_not_revealed_here(county, browser) -> None:
    answer = browser(county.county).post(
        reverse("reveal", args=["H002", person(county, "H001")]), {"reason": "核对医保报销材料"}
    )

    assert answer.status_code == 404 and ZHANG_WEI not in text_of(answer)


def test_facts_carry_source_and_date(county, browser) -> None:
    page = text_of(browser(county.county).get(reverse("household", args=PAGE)))

    medical = page[page.index("医疗结算 ") :]
    assert "个人自付：30,000.00元" in medical or "个人自付：30000.00元" in medical
    assert "医疗结算.csv" in medical and "2024-11-15" in medical
    assert page.count("数据已到，没有这一户的记录") == 22


def test_what_never_arrived_is_not_called_none(cast, browser, tmp_path) -> None:
    few = small_county.write_county(tmp_path / "files")
    for path in few.iterdir():
        if path.stem not in ("低收入家庭花名册", "医疗结算"):
            path.unlink()
    chain.take_in_folder(few, as_of=date.fromisoformat(small_county.AS_OF), by=cast.county)

    page = text_of(browser(cast.county).get(reverse("household", args=["H001"]), {"on": small_county.AS_OF}))

    assert page.count("数据没有到，不等于没有") == 22
    assert "待核" in page and "银行存款" in page


def test_every_variable_is_shown_with_its_clause(county, browser) -> None:
    page = text_of(browser(county.county).get(reverse("household", args=["H001"])))

    assert "家庭月收入" in page
    assert "低保标准" in page
    assert "条" in page[page.index('id="h-variables"') :]


def test_a_director_sees_the_category_and_no_finances(county, browser) -> None:
    page = text_of(browser(county.director).get(reverse("household", args=PAGE)))

    assert "筛查类别" in page
    assert "30,000" not in page and "30000" not in page
    assert "部门数据</h2>" not in page and 'class="paragraph"' not in page
    assert "王强" not in page


def test_who_looked_is_shown_to_the_auditor_and_not_to_a_township(county, browser) -> None:
    browser(county.township).get(reverse("household", args=PAGE))

    seen = text_of(browser(county.auditor).get(reverse("household", args=PAGE)))
    assert "谁看过这一户" in seen and "township" in seen
    assert "谁看过这一户" not in text_of(browser(county.township).get(reverse("household", args=PAGE)))


def test_a_household_is_found_by_name_number_and_whole_id(county, browser) -> None:
    desk = browser(county.county)

    for text in ("王强", "H002", WANG_QIANG, f" {WANG_QIANG.lower()} "):
        page = text_of(desk.post(reverse("households"), {"text": text}))
        assert ">H002</a>" in page and ">H001</a>" not in page, text


def test_a_whole_id_that_is_searched_for_never_stands_in_an_address(county, browser) -> None:
    page = text_of(browser(county.county).get(reverse("households")))

    assert 'id="search" method="post"' in page


def test_a_date_without_register_is_said_and_does_not_fail(county, browser) -> None:
    answer = browser(county.county).get(reverse("household", args=PAGE), {"on": "2020-01-01"})

    assert answer.status_code == 200
    assert "没有装载过《低收入家庭花名册》" in text_of(answer)


def test_a_nonsense_date_is_taken_as_none(county, browser) -> None:
    for nonsense in ("2024-13-40", "yesterday", "'; drop table"):
        assert (
            browser(county.county).get(reverse("household", args=PAGE), {"on": nonsense}).status_code == 200
        )


def test_a_page_asks_the_database_no_more_for_each_feed_of_the_pack(county, browser) -> None:
    desk = browser(county.county)
    desk.get(reverse("household", args=PAGE))

    with CaptureQueriesContext(connection) as asked:
        desk.get(reverse("household", args=PAGE))

    assert len(asked) < 45  # 39 with 24 feeds; it was 105 when each feed was asked for by itself


def test_a_page_of_an_earlier_day_says_who_was_head_then_and_what_was_known(county, browser) -> None:
    wei, li = (Person.objects.get(name=name).pk for name in ("张伟", "李丽"))
    said = {"person": str(wei), "new_head": str(li)}
    chain.record_change(
        "H001", "death", on=date(2024, 11, 20), said=said, ground="依据：火化证明", by=county.county
    )
    desk = browser(county.county)

    def heading(**asked: str) -> str:
        page = desk.get(reverse("household", args=["H001"]), asked).content.decode()
        return re.search(r"<h1>.*?</h1>", page, re.S)[0]

    assert "李丽" in heading()
    assert "张伟" in heading(valid_on="2024-11-19")
    page = desk.get(
        reverse("household", args=["H001"]), {"valid_on": "2024-11-19", "known_on": "2024-11-18"}
    ).content.decode()
    assert "按 2024-11-18 所知" in page


def test_of_two_offices_that_send_one_feed_the_late_one_is_on_the_dashboard(
    county, browser, tmp_path
) -> None:
    today = timezone.localdate()
    for source, on in (("甲区残联", today), ("乙区残联", today - timedelta(days=400))):
        header = ["姓名", "身份证号", "类别", "等级", "发证日期", "状态"]
        path = small_county.write_csv(tmp_path / source / "残疾人证.csv", header, [])
        chain.take_in_file("disability", path, as_of=on, by=system_user(), source=source)

    page = browser(county.county).get(reverse("dashboard")).content.decode()

    rows = {
        source: next(row for row in re.findall(r"<tr>.*?</tr>", page, re.S) if source in row)
        for source in ("甲区残联", "乙区残联")
    }
    assert "迟报" not in rows["甲区残联"] and "相关指标不知道" not in rows["甲区残联"]
    assert "400 迟报" in rows["乙区残联"] and "相关指标不知道" in rows["乙区残联"]
