"""Layers lie over one another, worked cases run through the screen's own query, and a change shows where it stands."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from doudi.engine.errors import DoudiError
from doudi.engine.packs import (
    check_pack,
    diff_packs,
    load_pack,
    new_pack,
    show_rule,
    test_pack,
    with_parameters,
)
from tests.engine.packs.little import REFERENCE, RULES, child_pack, little_pack

OWN_NUMBER = """\
参数:
  标准:
    值:
      - {地区: "520102", 城乡: 城镇, 自: 2024-07-01, 为: 700元, 文件: 本县}
例:
  - {名: 本县到线, 地区: "520102", 城乡: 城镇, 日: 2024-07-01, 人口: 1人, 月收入: 700元, 应为: {收入低于标准: 否}}
  - {名: 本县差一分, 地区: "520102", 城乡: 城镇, 日: 2024-07-01, 人口: 1人, 月收入: 699.99元, 应为: {收入低于标准: 是}}
"""


def test_the_reference_pack_passes_its_own_cases_and_turns_every_condition_both_ways() -> None:
    report = test_pack(REFERENCE)

    assert report.passed, str(report)
    assert report.cases >= 45
    assert report.never_true == []
    assert report.never_false == []


def test_a_county_replaces_a_number_for_its_region_from_a_day(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    county = load_pack(child_pack(tmp_path / "county", OWN_NUMBER))

    def standard(region: str, on: date) -> Fraction | None:
        found = county.parameter("标准", region=region, urban_rural="城镇", on=on)
        return None if found is None else found.value

    assert standard("520102003", date(2024, 7, 1)) == 70000
    assert standard("520102003", date(2024, 6, 30)) == 60000
    assert standard("520103003", date(2024, 7, 1)) == 60000
    assert test_pack(tmp_path / "county").passed


def test_the_chain_of_overrides_is_shown(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    county = load_pack(child_pack(tmp_path / "county", OWN_NUMBER))

    shown = show_rule(county, "收入低于标准", "520102", date(2024, 8, 1))

    assert "→ 城镇 700元  地区 520102  自 2024-07-01  文件 本县" in shown.text
    assert "被覆盖: 城镇 600元  地区 全国" in shown.text
    assert "[county/rules.yaml:4]" in shown.text
    assert "[little/rules.yaml:" in shown.text
    chain = shown.to_json()["parameters"]["标准"]["values"]["城镇"]
    assert [row["value"] for row in chain] == ["700元", "600元"]


def test_a_county_replaces_a_comparator_and_must_bring_a_case(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    rule = "变量:\n  收入低于标准: {改自: 上级, 比较: ≤, 依据: 本县 第一条}\n"
    child_pack(tmp_path / "county", rule)

    assert [p.code for p in check_pack(tmp_path / "county")] == ["no_case"]

    case = "例:\n  - {名: 到线也算低, 城乡: 城镇, 人口: 1人, 月收入: 600元, 应为: {收入低于标准: 是}}\n"
    child_pack(tmp_path / "county", rule + case)
    report = test_pack(tmp_path / "county")

    assert report.passed
    assert report.superseded == ["一人刚好到线"]


def test_a_county_replaces_a_whole_rule_and_keeps_the_rest(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    rule = """\
变量:
  月收入: {改自: 上级, 公式: "成员最大(养老收入)", 依据: 本县 第二条}
例:
  - 名: 只看最高的一人
    城乡: 城镇
    成员: [{养老待遇: [{月待遇: 700元}]}, {养老待遇: [{月待遇: 600元}]}]
    应为: {月收入: 700元, 类别: DB}
"""
    county = load_pack(child_pack(tmp_path / "county", rule))

    assert county.variables["月收入"].unit == "元/月"
    assert county.variables["月收入"].place.layer == "county"
    assert test_pack(tmp_path / "county").passed


def test_a_child_does_not_replace_by_accident(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    rule = "变量:\n  月收入: {对象: 家庭, 类型: 金额, 单位: 元/月, 公式: 成员最大(养老收入), 依据: 本县 二}\n"

    problems = check_pack(child_pack(tmp_path / "county", rule))

    assert [(p.code, p.file, p.line) for p in problems] == [("exists_in_parent", "rules.yaml", 2)]


def test_a_category_of_the_childs_own_stands_before_the_rest(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")
    rule = """\
类别:
  - {代码: BY, 名: 边缘, 条件: 月收入 < 2 * 标准 * 人口, 依据: 本县 第三条}
例:
  - {名: 两倍以下, 城乡: 城镇, 人口: 1人, 月收入: 1199.99元, 应为: {类别: BY}}
"""
    county = load_pack(child_pack(tmp_path / "county", rule))

    assert [c.code for c in county.categories] == ["DB", "BY", "NONE"]
    assert test_pack(tmp_path / "county").passed


def test_a_case_that_comes_out_otherwise_fails_with_both_values(tmp_path: Path) -> None:
    little_pack(
        tmp_path,
        RULES.replace("应为: {收入低于标准: 否, 类别: NONE}", "应为: {收入低于标准: 是, 类别: NONE}"),
    )

    [failure] = test_pack(tmp_path).failures

    assert (failure.case, failure.what, failure.expected, failure.found) == (
        "一人刚好到线",
        "收入低于标准",
        "是",
        "否",
    )
    assert failure.place.startswith("little/rules.yaml:")


def test_a_condition_that_was_only_ever_one_way_is_reported(tmp_path: Path) -> None:
    report = test_pack(little_pack(tmp_path))

    assert report.never_true == ["收入低于标准", "类别:低保"]
    assert report.never_false == []


def test_exceptions_that_hold_at_once_and_differ_are_for_a_person(tmp_path: Path) -> None:
    rules = RULES.replace(
        "    公式: 成员计数(是)\n",
        """\
    公式: 成员计数(是)
    例外:
      - {名: 高收入, 当: 月收入 > 100元, 为: 2, 依据: 县标准 第七条}
      - {名: 低收入, 当: 月收入 < 200元, 为: 3, 依据: 县标准 第八条}
""",
    )
    cases = """\
  - {名: 只有一条成立, 城乡: 城镇, 月收入: 300元, 应为: {人口: 2人}}
  - {名: 另一条成立, 城乡: 城镇, 月收入: 50元, 应为: {人口: 3人}}
  - {名: 两条都成立而不同, 城乡: 城镇, 月收入: 150元, 应为: {人口: 待核}}
"""
    rules = rules.replace("月待遇: 600元", "月待遇: 1200元")

    report = test_pack(little_pack(tmp_path, rules + cases))

    assert report.passed, str(report)


def test_two_packs_are_compared_number_by_number(tmp_path: Path) -> None:
    little = load_pack(little_pack(tmp_path / "little"))
    county = load_pack(child_pack(tmp_path / "county", OWN_NUMBER))

    differences = diff_packs(little, county)

    assert [(d.kind, d.change, d.after) for d in differences] == [("参数", "added", "700元 (本县)")]
    assert diff_packs(little, little) == []


def test_a_new_county_pack_passes_its_check_as_it_stands(tmp_path: Path) -> None:
    little_pack(tmp_path / "little")

    folder = new_pack("little", "520103", tmp_path / "yunyan")

    assert check_pack(folder) == []
    pack = load_pack(folder)
    assert pack.layers == ("little", "yunyan")
    assert pack.regions == ("520103",)
    with pytest.raises(DoudiError, match="不是空文件夹"):
        new_pack("little", "520103", folder)
    with pytest.raises(DoudiError, match="找不到上级包"):
        new_pack("nobody", "520103", tmp_path / "other")


def test_other_numbers_for_a_what_if_leave_the_pack_alone(tmp_path: Path) -> None:
    little = load_pack(little_pack(tmp_path))

    dearer = with_parameters(little, {("城镇标准", "520102"): "650", ("农村标准", ""): "510.50元"})

    def value(pack, region, side):  # type: ignore[no-untyped-def]
        return pack.parameter("标准", region=region, urban_rural=side, on=date(2024, 1, 1)).value

    assert value(dearer, "520102001", "城镇") == 65000
    assert value(dearer, "610102", "城镇") == 60000
    assert value(dearer, "610102", "农村") == 51050
    assert value(little, "520102001", "城镇") == 60000
    assert dearer.hash != little.hash
    for bad in (("没有", ""), ("标准", "贵阳")):
        with pytest.raises(DoudiError):
            with_parameters(little, {bad: "600"})
    with pytest.raises(DoudiError):
        with_parameters(little, {("标准", ""): "很多"})
