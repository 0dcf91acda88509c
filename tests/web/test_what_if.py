"""The what-if page: another standard, another warning threshold, for whom, and what leaves the house."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.urls import reverse

from doudi.contexts.accounts.services import read_audit
from doudi.contexts.monitoring.services import WarningCase
from tests import small_county

pytestmark = pytest.mark.django_db
HIGHER = {"as_of": small_county.AS_OF, "城镇低保标准": "900"}
M1 = {
    "threshold": "M1:城镇人均可支配收入",
    "values": "5万 70000",
    "months": "12",
    "as_of": small_county.AS_OF,
}
CHINESE = re.compile(r"[\u3400-\u9fff]")


def plain(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def rows_of(answer) -> list[dict[str, str]]:
    text = answer.content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_the_numbers_in_force_stand_with_their_document(county, browser) -> None:
    page = plain(browser(county.county).get(reverse("what_if")))

    assert "城镇低保标准 每人每月 745元 兜底参考规则(虚构, 供测试) 南明区" in page
    assert "不保存，不改动任何标准、家庭或预警" in page
    assert "2024-11-15" in browser(county.county).get(reverse("what_if")).content.decode()


def test_a_higher_standard_says_who_gains_and_what_it_costs(county, browser) -> None:
    desk = browser(county.county)

    answer = desk.get(reverse("what_if"), HIGHER)

    page = plain(answer)
    assert answer.status_code == 200
    assert "城镇低保标准 745元 → 900" in page
    assert "2 户得益" in page and "0 户失去" in page and "0 户待核" in page
    assert "+465.00 元/月（差）" in page
    assert "H001" in page and f'href="{reverse("household", args=["H001"])}"' in answer.content.decode()
    assert WarningCase.objects.filter(version__gt=0).count() == 0


def test_an_office_of_several_counties_changes_one_of_them(county, browser) -> None:
    from doudi.contexts.accounts.services import Role, create_user, system_user

    city = create_user(
        username="city", display_name="市办", password="a-long-test-password", role=Role.COUNTY, region_code="5201", by=system_user()
    )  # fmt: skip
    desk = browser(city)

    whole = desk.get(reverse("what_if"), {"as_of": small_county.AS_OF})
    part = desk.get(reverse("what_if"), {**HIGHER, "area": "520102"})
    elsewhere = desk.get(reverse("what_if"), {**HIGHER, "area": "610102"})

    assert "城镇低保标准 每人每月 700元" in plain(whole) and "辖区内另有 1 处自己的值" in plain(whole)
    assert "城镇低保标准 745元 → 900" in plain(part) and "2 户得益" in plain(part)
    assert 'id="id_area_error"' in elsewhere.content.decode() and "户得益" not in plain(elsewhere)


def test_a_director_sees_sums_and_no_household(county, browser) -> None:
    desk = browser(county.director)

    page = plain(desk.get(reverse("what_if"), HIGHER))
    file = desk.get(reverse("what_if_csv"), HIGHER)

    assert "2 户得益" in page and "您的角色只看合计" in page
    assert "H001" not in page and "H001" not in file.content.decode()


@pytest.mark.parametrize("who", ["township", "department", "auditor", "admin"])
def test_other_roles_have_no_such_page_and_no_way_to_it(county, browser, who: str) -> None:
    desk = browser(getattr(county, who))

    for name in ("what_if", "what_if_csv", "back_test", "back_test_csv"):
        assert desk.get(reverse(name), HIGHER).status_code == 403
    assert reverse("what_if") not in desk.get(reverse("home")).content.decode()


def test_a_stranger_counts_nobody_here(county, browser) -> None:
    page = plain(browser(county.stranger).get(reverse("what_if"), HIGHER))

    assert "共 0 户" in page and "H001" not in page


def test_households_that_cannot_be_decided_are_counted_apart(cast, browser) -> None:
    from tests.web.test_loads_page import register, send

    desk = browser(cast.county)
    send(desk, register())

    page = plain(desk.get(reverse("what_if"), HIGHER))

    assert "0 户得益" in page and "3 户待核" in page
    assert re.search(r"待核 3 3 0\.00 0\.00 ", page)


def test_the_csv_opens_in_excel_with_every_figure_and_is_in_the_log(county, browser) -> None:
    answer = browser(county.county).get(reverse("what_if_csv"), HIGHER)

    assert answer.content.startswith("\ufeff".encode())
    rows = rows_of(answer)
    [total] = [row for row in rows if row["范围"] == "合计"]
    households = [row for row in rows if row["范围"] == "户"]
    assert (total["得益户"], total["月支出（现行，元）"]) == ("2", "2855.00")
    assert [row["代码"] for row in households] == ["H001", "H002"]
    assert sum(float(row["月支出（改后，元）"] or 0) for row in rows if row["范围"] == "类别") == float(
        total["月支出（改后，元）"]
    )
    entry = read_audit(by=county.auditor).filter(act="export_simulation").last()
    assert entry.actor == "county" and entry.detail["households"] == 2


def test_a_value_that_is_none_is_refused_in_words_and_kept_in_its_field(county, browser) -> None:
    answer = browser(county.county).get(reverse("what_if"), {**HIGHER, "城镇低保标准": "很高"})

    assert answer.status_code == 422
    assert "“很高”不是“低保标准”的值" in plain(answer) and 'value="很高"' in answer.content.decode()


def test_a_date_before_any_register_and_a_date_that_is_none_are_said(county, browser) -> None:
    desk = browser(county.county)

    assert desk.get(reverse("what_if"), {**HIGHER, "as_of": "2020-01-01"}).status_code == 422
    assert "error" in desk.get(reverse("what_if"), {**HIGHER, "as_of": "2024-13-40"}).content.decode()
    assert desk.get(reverse("what_if"), {"as_of": small_county.AS_OF}).status_code == 200


def test_a_threshold_put_to_the_past(county, browser) -> None:
    answer = browser(county.county).get(reverse("back_test"), M1)

    page = plain(answer)
    assert answer.status_code == 200
    assert "现行 46,000元 1 0.1（0–1） 1 0 0 —" in page
    assert "5万 1 0.1（0–1） 1 0 0 —" in page and "70000 0 0.0（0–0） 0 0 0 —" in page
    assert "2024-06 1 1 0 1 0 0 0" in page
    assert "学籍" in page


def test_only_thresholds_that_are_parameters_are_offered(county, browser) -> None:
    desk = browser(county.county)

    page = desk.get(reverse("back_test")).content.decode()
    answer = desk.get(reverse("back_test"), {**M1, "threshold": "E2:城镇低保标准"})

    assert "M1:城镇人均可支配收入" in page and 'value="E2' not in page
    assert 'id="id_threshold_error"' in answer.content.decode()


def test_too_many_values_are_asked_to_be_fewer(county, browser) -> None:
    answer = browser(county.county).get(reverse("back_test"), {**M1, "values": "1 2 3 4 5"})

    assert "请填 1 到 4 个值" in plain(answer)


def test_the_back_test_leaves_as_a_table_and_is_in_the_log(county, browser) -> None:
    answer = browser(county.director).get(reverse("back_test_csv"), M1)

    rows = rows_of(answer)
    assert sum(int(row["新增户"]) for row in rows if row["线"] == "现行") == 1
    assert len({row["月份"] for row in rows}) == 12
    entry = read_audit(by=county.auditor).filter(act="export_simulation").last()
    assert entry.detail["indicator"] == "M1"


@pytest.mark.parametrize(("name", "asked"), [("what_if", HIGHER), ("back_test", M1)])
def test_an_english_page_is_english_but_for_the_words_of_the_pack(
    county, browser, name: str, asked: dict
) -> None:
    text = browser(county.county, "en").get(reverse(name), asked).content.decode()

    text = re.sub(r"<script.*?</script>|<option.*?</option>", "", text, flags=re.S)
    for _again in range(3):
        text = re.sub(r'<(\w+)[^>]*lang="zh-Hans"[^>]*>(?:(?!</\1>).)*</\1>', "", text, flags=re.S)
    text = re.sub(r'<span class="who">.*?</span>|<td>[^<]*</td>|<small>[^<]*</small>', "", text, flags=re.S)
    left = [line.strip() for line in re.sub(r"<[^>]*>", "\n", text).split("\n") if CHINESE.search(line)]
    places = re.compile(r"区|县|街道|乡|镇|元$|万$")
    assert [line for line in left if not places.search(line)] == []
