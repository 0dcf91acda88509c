"""A made-up county lays its own standards over 贵州: the handbook's numbers come out, and nothing comes out before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doudi.engine.packs import Pack, check_pack, load_pack, new_pack
from doudi.engine.packs.cases import CaseReport, run_cases

REGION = "520199"
STANDARD, DISPOSABLE, RATIO = 600_00, 20_000_00, 60
# 虚构: handbook 01 uses these to count with, no county has them
NUMBERS = """\
文件:
  虚构标准: {全称: 虚构的县标准(只供测试), 文号: 无, 标: "[fictitious]"}
参数:
  低保标准:
    值:
      - {地区: "520199", 城乡: 城镇, 自: 2024-01-01, 为: 600元, 文件: 虚构标准, 标: "[fictitious]"}
      - {地区: "520199", 城乡: 农村, 自: 2024-01-01, 为: 600元, 文件: 虚构标准, 标: "[fictitious]"}
  人均可支配收入:
    值:
      - {地区: "520199", 城乡: 城镇, 自: 2024-01-01, 为: "20,000元", 文件: 虚构标准, 标: "[fictitious]"}
      - {地区: "520199", 城乡: 农村, 自: 2024-01-01, 为: "20,000元", 文件: 虚构标准, 标: "[fictitious]"}
  刚性支出占比:
    值:
      - {地区: "520199", 自: 2024-01-01, 为: 60%, 文件: 虚构标准, 标: "[fictitious]"}
"""
SETTLED = {
    "登记为特困": "否", "无人计入": "否", "登记为防返贫": "否", "登记为其他困难": "否", "退出未满期户": "否",
    "临时救助未满期户": "否", "车辆数": "0辆", "住房套数": "1套", "商铺数": "0间",
}  # fmt: skip


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = new_pack("guizhou", REGION, tmp_path_factory.mktemp("packs") / "xujia")
    (folder / "parameters" / "standards.yaml").write_text(NUMBERS, "utf-8")
    header = folder / "pack.yaml"
    header.write_text(header.read_text("utf-8").replace("文件: {}\n", ""), "utf-8")
    return folder


@pytest.fixture(scope="module")
def screened(county: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs worked cases of the county's own; the pack is read again for each batch."""

    def run(cases: list[Mapping[str, Any]]) -> CaseReport:
        text = yaml.safe_dump({"例": [dict(case) for case in cases]}, allow_unicode=True)
        (county / "cases" / "own.yaml").write_text(text, "utf-8")
        return run_cases(_own(load_pack(county)))

    return run


def _own(pack: Pack) -> Pack:
    return replace(pack, cases=tuple(case for case in pack.cases if case.place.layer == pack.name))


def _case(name: str, given: Mapping[str, str], expected: Mapping[str, str], *, region: str = REGION) -> Any:
    return {"名": name, "地区": region, "城乡": "农村", "日": "2024-11-15", **given, "应为": dict(expected)}


def test_a_new_county_over_guizhou_passes_the_check_as_it_is_made(tmp_path: Path) -> None:
    folder = new_pack("guizhou", REGION, tmp_path / "fresh")

    assert check_pack(folder) == []
    pack = load_pack(folder)
    assert pack.layers == ("cn", "guizhou", "fresh")
    assert not pack.parameters["低保标准"].values


def test_a_county_with_its_standards_passes_too(county: Path) -> None:
    assert check_pack(county) == []


# (persons, income a month, financial assets, rigid expenditure, category, 补差), money in fen: handbook 01 and 03
HANDBOOK = {
    "01-1": (3, 1_200_00, 0, 0, "DB", 600_00),
    "01-2": (3, 1_800_00, 0, 0, "BY", 0),
    "01-3": (2, 1_800_00, 0, 0, "NONE", 0),
    "01-4": (4, 4_000_00, 0, 30_000_00, "GX", 0),
    "01-5": (4, 4_000_00, 0, 24_000_00, "NONE", 0),
    "03-7": (3, 1_200_00, 45_000_00, 0, "NONE", 600_00),
}


def _numbers(persons: int, income: int, assets: int, rigid: int) -> dict[str, str]:
    return SETTLED | {
        "家庭人口": f"{persons}人",
        "家庭月收入": _yuan(income),
        "金融资产": _yuan(assets),
        "刚性支出": _yuan(rigid),
    }


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}元"


def test_the_handbooks_numbers_come_out(screened: Any) -> None:
    cases = [
        _case(name, _numbers(*row[:4]), {"类别": row[4], "补差": _yuan(row[5])})
        for name, row in HANDBOOK.items()
    ]

    report = screened(cases)

    assert report.failures == []
    assert report.cases == len(HANDBOOK)


def test_a_fen_more_than_the_handbook_says_is_found_out(screened: Any) -> None:
    wrong = _case("01-1", _numbers(3, 1_200_00, 0, 0), {"类别": "DB", "补差": "600.01元"})

    failures = screened([wrong]).failures

    assert [failure.what for failure in failures] == ["补差"]


def test_the_neighbour_county_without_a_standard_stays_undecided(screened: Any) -> None:
    neighbour = _case(
        "邻县", _numbers(3, 1_200_00, 0, 0), {"类别": "待核", "收入低于标准": "待核"}, region="520198"
    )

    assert screened([neighbour]).failures == []


def test_before_the_standard_begins_nothing_is_decided(screened: Any) -> None:
    early = _case("标准施行前", _numbers(3, 1_200_00, 0, 0), {"类别": "待核"}) | {"日": "2023-12-31"}

    assert screened([early]).failures == []


def _by_hand(persons: int, income: int, assets: int, rigid: int) -> str:
    """Handbook 01 §1.1, 1.2 and 1.5 read once more, for households with nothing but these four numbers."""
    line = STANDARD * persons
    if income < line and assets <= 24 * line:
        return "DB"
    if 2 * income < 3 * line and assets <= 24 * line:
        return "BY"
    if 12 * income < DISPOSABLE * persons and assets <= 36 * line and 100 * rigid > RATIO * 12 * income:
        return "GX"
    return "NONE"


@st.composite
def households(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Households that like to stand on a line, or a fen beside it."""
    persons = draw(st.integers(1, 6))
    line = STANDARD * persons
    income = draw(
        st.sampled_from([line, 3 * line // 2, DISPOSABLE * persons // 12]) | st.integers(0, 3 * line)
    )
    assets = draw(st.sampled_from([0, 24 * line, 36 * line]) | st.integers(0, 40 * line))
    rigid = draw(st.sampled_from([RATIO * 12 * income // 100]) | st.integers(0, 24 * income + 100))
    by = draw(st.tuples(*[st.sampled_from([-1, 0, 1])] * 3))
    return persons, max(0, income + by[0]), max(0, assets + by[1]), max(0, rigid + by[2])


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(households(), min_size=150, max_size=150))
def test_the_pack_and_a_reading_by_hand_agree(screened: Any, rows: list[tuple[int, int, int, int]]) -> None:
    cases = [_case(f"第{i}户", _numbers(*row), {"类别": _by_hand(*row)}) for i, row in enumerate(rows)]

    assert screened(cases).failures == []


def test_a_province_that_writes_at_or_below_changes_the_sign_alone(county: Path, screened: Any) -> None:
    rule = county / "rules.yaml"
    rule.write_text("变量:\n  收入低于边缘线: {改自: 上级, 比较: ≤}\n", "utf-8")
    try:
        on_the_line = _case("刚好1.5倍", _numbers(2, 1_800_00, 0, 0), {"收入低于边缘线": "是", "类别": "BY"})
        above = _case("多一分", _numbers(2, 1_800_01, 0, 0), {"收入低于边缘线": "否", "类别": "NONE"})

        assert screened([on_the_line, above]).failures == []
    finally:
        rule.unlink()
