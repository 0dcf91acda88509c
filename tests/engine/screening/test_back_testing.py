"""A threshold put to the past: every month as a screen of that day would have found it, and what cannot be tried."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from doudi.engine.errors import DoudiError
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack, load_pack, new_pack, with_parameters
from doudi.engine.screening import (
    BackTest,
    BackTestRefused,
    back_test,
    read_result,
    screen,
    threshold_parameters,
)
from doudi.engine.screening.backtesting import whole_months
from doudi.engine.status import Status
from tests.engine.screening.county import REFERENCE, load_county, on, without

PACK = load_pack(REFERENCE)
INCOME = "人均可支配收入"
LINE = """\
文件:
  虚构文件: {全称: 虚构的县预警标准(只供测试), 文号: 无, 标: "[fictitious]"}
参数:
  大额自付线:
    单位: 元/年
    值:
      - {自: 始终, 为: "20,000元", 文件: 虚构文件, 标: "[fictitious]"}
指标:
  M1:
    改自: 上级
    名: 大额医疗自付
    方向: 向上
    来源: 医保
    依据: 参考规则 M1
    等级: {橙: 任一成员(计入人口 且 近一年自付 > 大额自付线)}
    句: 有成员近12个月医疗自付{最高个人自付:元}, 超过{大额自付线:元}
    需求: [医疗]
例:
  - 名: 自付刚好两万不报
    地区: "520102"
    城乡: 城镇
    日: 2024-11-15
    成员: [{与户主关系: 户主, 医疗结算: [{结算日期: 2024-05-01, 个人自付: 20000元}]}]
    应为: {M1: 否}
  - 名: 多一分就报
    地区: "520102"
    城乡: 城镇
    日: 2024-11-15
    成员: [{与户主关系: 户主, 医疗结算: [{结算日期: 2024-05-01, 个人自付: 20000.01元}]}]
    应为: {M1: 橙}
"""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> SnapshotSet:
    return load_county(tmp_path_factory.mktemp("county"))


@pytest.fixture(scope="module")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    """The reference pack in a county that made M1's line a number of its own."""
    folder = new_pack("reference", "52", tmp_path_factory.mktemp("packs") / "lined")
    (folder / "parameters" / "standards.yaml").unlink()
    (folder / "line.yaml").write_text(LINE, "utf-8")
    header = folder / "pack.yaml"
    header.write_text(header.read_text("utf-8").replace("文件: {}\n", ""), "utf-8")
    return load_pack(folder)


def raised_by_screens(
    pack: Pack, county: SnapshotSet, code: str, days: list[date], folder: Path
) -> Iterator[dict[str, bool | None]]:
    """The same by the whole pack's screen of each day: True raised, None undecided."""
    for number, day in enumerate(days):
        to = folder / f"{abs(hash(pack.hash))}-{number}"
        screen(pack, on(county, day), to=to)
        yield {
            row["household_no"]: True
            if code in row["warnings"]
            else None
            if code in row["undecided"]
            else False
            for row in read_result(to)
        }


def regions(county: SnapshotSet, folder: Path) -> dict[str, str]:
    screen(PACK, county, to=folder / "places")
    return {row["household_no"]: row["region_code"][:9] for row in read_result(folder / "places")}


def assert_agrees(found: BackTest, packs: list[Pack], county: SnapshotSet, months: int, folder: Path) -> None:
    places = regions(county, folder)
    days = whole_months(county.as_of, months + 1)
    assert list(found.months) == days[1:]
    for trial, pack in zip(found.trials, packs, strict=True):
        screens = list(raised_by_screens(pack, county, found.indicator, days, folder))
        for day, (before, now) in zip(days[1:], pairwise(screens), strict=True):
            new = sorted(no for no, state in now.items() if state and not before[no])
            assert list(trial.new[day]) == new, (trial.label, day)
            for count in (count for count in trial.counts if count.month == day):
                inside = [no for no, place in places.items() if place == count.region]
                assert count.new == len(set(inside) & set(new))
                assert count.raised == sum(now[no] is True for no in inside)
                assert count.undecided == sum(now[no] is None for no in inside)


@pytest.mark.parametrize(
    ("code", "changes"), [("M1", {(INCOME, ""): "30000"}), ("X1", {("退出观察期", "520102"): "6个月"})]
)
def test_every_month_is_what_a_screen_of_that_day_finds(
    county: SnapshotSet, tmp_path: Path, code: str, changes: dict[tuple[str, str], str]
) -> None:
    found = back_test(PACK, county, indicator=code, alternatives=[changes], months=4, chunks=2)

    assert_agrees(found, [PACK, with_parameters(PACK, changes)], county, 4, tmp_path)
    assert found.present.total != found.trials[1].total


def test_a_feed_that_never_arrived_leaves_households_undecided_and_not_clear(
    county: SnapshotSet, tmp_path: Path
) -> None:
    county = without(county, ["medical"])

    found = back_test(PACK, county, indicator="M1", months=2)

    assert_agrees(found, [PACK], county, 2, tmp_path)
    assert found.missing == {"medical": Status.NOT_ARRIVED}
    # where no member counts, M1 is "no" whatever the hospital says; everyone else is open
    assert all(row["undecided"] > 390 and row["new"] == 0 for row in found.present.by_month())


def test_a_county_tries_its_own_line_at_twenty_and_thirty_thousand(
    county: SnapshotSet, layered: Pack
) -> None:
    found = back_test(
        layered, county, indicator="M1",
        alternatives=[{("大额自付线", ""): "30,000元"}, {("大额自付线", "520102"): "3万"}, {("大额自付线", ""): "20000"}],
    )  # fmt: skip

    present, higher, higher_here, same = found.trials
    assert len(found.months) == 12
    assert 0 < higher.total < higher_here.total < present.total == same.total
    assert present.counts == same.counts
    assert present.forecast().least <= present.forecast().mean <= present.forecast().most
    assert sum(f.mean for f in present.by_region()) == pytest.approx(
        present.total / 12, abs=0.05 * len(present.by_region())
    )
    answer = found.to_json()
    assert answer["trials"][1]["changes"] == [{"parameter": "大额自付线", "region": "", "value": "30,000元"}]
    assert [month["new"] for month in answer["trials"][0]["months"]] == [
        sum(month["regions"].values()) for month in answer["trials"][0]["months"]
    ]


def test_one_county_of_the_files_alone(county: SnapshotSet) -> None:
    whole = back_test(PACK, county, indicator="M1", months=3)

    part = back_test(PACK, county, indicator="M1", months=3, region="610102")

    assert 0 < part.households < whole.households
    assert part.present.counts == tuple(c for c in whole.present.counts if c.region.startswith("610102"))


def test_a_number_inside_the_formula_is_refused_with_the_parameters_there_are(county: SnapshotSet) -> None:
    with pytest.raises(BackTestRefused, match=f"用到的参数: .*{INCOME}") as refused:
        back_test(PACK, county, indicator="M1", alternatives=[{("大额自付线", ""): "20000"}])
    with pytest.raises(BackTestRefused, match="没有用到参数, 它的数写在公式里"):
        back_test(PACK, county, indicator="E2", alternatives=[{("低保标准", ""): "800"}])
    with pytest.raises(BackTestRefused, match="没有用到“低保标准”"):
        back_test(PACK, county, indicator="M1", alternatives=[{("低保标准", ""): "800"}])

    assert INCOME in refused.value.en


def test_what_makes_no_sense_is_refused(county: SnapshotSet) -> None:
    with pytest.raises(DoudiError, match="没有指标“M9”"):
        back_test(PACK, county, indicator="M9")
    with pytest.raises(DoudiError, match="不是“人均可支配收入”的值"):
        back_test(PACK, county, indicator="M1", alternatives=[{(INCOME, ""): "很多"}])
    with pytest.raises(DoudiError, match="回测月数"):
        back_test(PACK, county, indicator="M1", months=0)


def test_an_indicator_knows_the_parameters_it_reaches() -> None:
    assert set(threshold_parameters(PACK, "M1")) == {INCOME, "大额自付橙线", "大额自付红线"}
    assert set(threshold_parameters(PACK, "X1")) == {INCOME, "退出观察期", "大额自付橙线", "大额自付红线"}
    assert threshold_parameters(PACK, "E2") == ()


@pytest.mark.parametrize(
    ("as_of", "last"),
    [(date(2024, 11, 15), date(2024, 10, 31)), (date(2024, 11, 30), date(2024, 11, 30)),
     (date(2024, 2, 29), date(2024, 2, 29)), (date(2024, 3, 1), date(2024, 2, 29)), (date(2025, 1, 1), date(2024, 12, 31))],
)  # fmt: skip
def test_only_months_that_have_ended_count(as_of: date, last: date) -> None:
    months = whole_months(as_of, 13)

    assert months[-1] == last
    assert len({(day.year, day.month) for day in months}) == 13


def test_feeds_without_a_past_are_named(county: SnapshotSet) -> None:
    found = back_test(PACK, replace(county, as_of=date(2024, 10, 31)), indicator="M1", months=1)

    assert found.standing == ("education", "population")
