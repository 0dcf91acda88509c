"""The worked cases of handbook 02 (动态监测预警) from dated department files to warnings, through the real services.

One household at a time in a county of its own: disposable income 30,000 元, everything fictitious.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import system_user
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.feeds import load_feed_specs
from tests import small_county as sc
from tests.conftest import kept_once

pytestmark = pytest.mark.django_db
PACKS = Path(__file__).resolve().parents[2] / "packs"
DAY = date(2024, 3, 1)
SUN, SON, ZHOU = sc.make_id("19800606", 66), sc.make_id("20060707", 77), sc.make_id("19790808", 88)
WU, ZHENG, WANG = (sc.make_id("19700101", serial) for serial in (101, 102, 103))
ON_DIBAO, LEFT, NOTHING = ("低保", "2023-01-01", ""), ("", "", "2023-10-02"), ("", "", "")
REGISTERED = [
    ("孙阳", SUN, "H100", "户主", ON_DIBAO),
    ("孙国", SON, "H100", "子", ON_DIBAO),
    ("周明", ZHOU, "H200", "户主", LEFT),
    ("吴一", WU, "H301", "户主", NOTHING),
    ("郑二", ZHENG, "H302", "户主", NOTHING),
    ("王三", WANG, "H303", "户主", NOTHING),
]


@dataclass
class County:
    """An office with a pack of its own that takes files in and screens."""

    folder: Path
    by: Any
    make_user: Any = None
    loads: int = 0

    def register(self, on: date) -> None:
        """孙阳 with his son 孙国, on 低保; 周明, who left it on 2023-10-02; 吴, 郑 and 王, on nothing."""
        body = [
            [name, number, household, relation, sc.TOWNSHIP_A, "城镇", "是", *category, "", "虚构路8号"]
            for name, number, household, relation, category in REGISTERED
        ]
        self.load("household_register", on, [dict(zip(sc.REGISTER_HEADER, row, strict=True)) for row in body])

    def load(self, feed: str, on: date, rows: list[dict[str, str]] = []) -> None:
        """One department's file of a date; a column that is not named is empty."""
        self.loads += 1
        spec = SPECS[feed]
        header = [column.label for column in spec.columns]
        body = [[row.get(label, "") for label in header] for row in rows]
        path = sc.write_csv(self.folder / f"{self.loads}-{feed}.csv", header, body)
        outcome = chain.take_in_file(feed, path, as_of=on, by=self.by)
        assert outcome.counts["quarantined"] == 0, outcome.counts

    def nothing_new(self, on: date, *feeds: str) -> None:
        """The feeds of a date with a header and no row; all of them if none is named."""
        for feed in feeds or [name for name in SPECS if name != "household_register"]:
            self.load(feed, on)

    def screen(self, on: date) -> None:
        chain.screen(as_of=on, by=self.by)

    def cases(self) -> list[monitoring.WarningCase]:
        return list(monitoring.WarningCase.objects.order_by("pk"))

    def case(self) -> monitoring.WarningCase:
        (found,) = monitoring.WarningCase.objects.open()
        return found

    def close(self, case: monitoring.WarningCase, result: str, on: date) -> None:
        """Dispatch, visit and close, as if all of it had been done on ``on``."""
        chain.dispatch(case.number, to=sc.TOWNSHIP_A, by=self.by)
        township = self.make_user("township", "township", sc.TOWNSHIP_A)
        chain.record_visit(
            case.number,
            visited_on=timezone.localdate(),
            visitors=["甲", "乙"],
            result_code=result,
            finding="入户看过，家里有积蓄，没有困难，已向本人说明。",
            by=township,
        )
        chain.close(case.number, closing_note="核实无困难", by=self.by)
        closed = timezone.make_aware(datetime(on.year, on.month, on.day, 9))
        monitoring.WarningCase.objects.filter(pk=case.pk).update(closed_at=closed)


SPECS = load_feed_specs(PACKS / "cn" / "feeds")
PACK = """\
名称: lianxi
版本: "1"
上级: cn
地区: "520102"
虚构: 是
说明: 手册例用的虚构县
文件:
  练习: {全称: 练习用的虚构数, 文号: 无, 标: "[fictitious]"}
参数:
  低保标准: {值: [{城乡: 城镇, 自: 始终, 为: 600元, 文件: 练习}, {城乡: 农村, 自: 始终, 为: 600元, 文件: 练习}]}
  人均可支配收入: {值: [{城乡: 城镇, 自: 始终, 为: 30000元, 文件: 练习}, {城乡: 农村, 自: 始终, 为: 30000元, 文件: 练习}]}
  刚性支出占比: {值: [{自: 始终, 为: 60%, 文件: 练习}]}
"""


@pytest.fixture(scope="session")
def pack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "lianxi"
    folder.mkdir()
    (folder / "pack.yaml").write_text(PACK, "utf-8")
    return folder


@pytest.fixture
def county(
    office: Path,
    by: Any,
    make_user: Any,
    settings: Any,
    pack_folder: Path,
    _kept: Any,
    tmp_path_factory: Any,
    tmp_path: Path,
) -> County:
    """The county on its first day: everybody registered, every department's file arrived and empty."""
    settings.PACK = pack_folder

    def first_day(files: Path) -> None:
        fresh = County(files, system_user())
        fresh.register(DAY)
        fresh.nothing_new(DAY)

    kept_once("handbook 02", _kept, office, tmp_path_factory.mktemp("handbook"), first_day)
    return County(tmp_path / "files", by, make_user, loads=100)


def paid(amount: str, on: str = "2024-02-01", who: tuple[str, str] = ("孙阳", SUN)) -> dict[str, str]:
    return {
        "姓名": who[0],
        "身份证号": who[1],
        "结算日期": on,
        "总费用": amount,
        "个人自付": amount,
        "重病登记": "否",
    }


def unemployed(on: str, who: tuple[str, str] = ("孙阳", SUN)) -> dict[str, str]:
    return {"姓名": who[0], "身份证号": who[1], "登记日期": on}


def enrolled(on: str) -> dict[str, str]:
    return {
        "姓名": "孙国",
        "身份证号": SON,
        "学校": "某中学",
        "学段": "高中",
        "全日制": "是",
        "状态": "在读",
        "入学日期": on,
    }


def test_1_to_3_own_paid_medical_cost(county: County) -> None:
    costs = {"15000": ("吴一", WU), "18000": ("郑二", ZHENG), "31000": ("王三", WANG)}
    county.load("medical", DAY, [paid(amount, who=who) for amount, who in costs.items()])

    county.screen(DAY)

    found = {
        case.household_no: (case.level, [(s.code, s.value, s.in_fen) for s in case.signals.all()])
        for case in county.cases()
    }
    assert found == {
        "H302": ("orange", [("M1", 18_000_00, True)]),
        "H303": ("red", [("M1", 31_000_00, True)]),
    }


def test_4_two_different_yellows_forty_days_apart_make_orange(county: County) -> None:
    county.load("unemployment", DAY, [unemployed("2024-02-20")])
    county.screen(DAY)
    assert county.case().level == "yellow"

    county.load("education", date(2024, 4, 10), [enrolled("2024-04-01")])
    county.screen(date(2024, 4, 10))

    case = county.case()
    assert (case.level, [s.code for s in case.signals.all()]) == ("orange", ["E1", "U1"])
    assert "黄 → 橙" in case.events.last().text


def test_5_the_same_signal_again_is_one_case_with_two_observations(county: County) -> None:
    county.load("unemployment", DAY, [unemployed("2024-02-20")])
    county.screen(DAY)
    county.screen(DAY + timedelta(days=1))
    county.load("unemployment", date(2024, 4, 1), [unemployed("2024-02-20"), unemployed("2024-03-31")])

    county.screen(date(2024, 4, 1))

    case = county.case()
    (signal,) = case.signals.all()
    assert (len(county.cases()), case.level, signal.code, signal.observations) == (1, "yellow", "U1", 2)
    assert [seen.observed_on for seen in signal.history.all()] == [DAY, date(2024, 4, 1)]


def test_6_within_the_window_of_leaving_one_level_more(county: County, settings: Any, tmp_path: Path) -> None:
    county.load("unemployment", DAY, [unemployed("2024-02-20", ("周明", ZHOU))])
    county.screen(DAY)
    case = county.case()
    assert ([s.code for s in case.signals.all()], case.level) == (["U1", "X1"], "orange")

    settings.PACK = tmp_path / "packs" / "lianxi"
    settings.PACK.mkdir(parents=True)
    own = PACK + '  退出观察期: {值: [{地区: "520102", 自: 2020-01-01, 为: 4个月, 文件: 练习}]}\n'
    (settings.PACK / "pack.yaml").write_text(own, "utf-8")
    county.screen(DAY)

    case = county.case()
    assert ([s.code for s in case.signals.all() if s.active], case.level) == (["U1"], "yellow")


def test_7_a_cremation_is_red_on_the_risk_side_alone_and_stops_nothing(county: County) -> None:
    dead = {"姓名": "孙國", "身份证号": SON, "死亡日期": "2024-02-25", "火化日期": "2024-02-26"}
    county.load("death", DAY, [dead])
    county.load("medical", DAY, [paid("18000")])

    county.screen(DAY)

    case = county.case()
    assert [(s.code, s.name_differs) for s in case.signals.all()] == [("K1", True), ("M1", False)]
    # the red of the risk side and the orange of the need stand side by side: neither moves the other
    assert (case.level, case.risk_level) == ("orange", "red")
    assert (case.found_category, case.status) == ("DB", "new")


def test_9_a_muted_signal_wakes_when_it_has_grown_by_thirty_percent(county: County) -> None:
    county.load("medical", DAY, [paid("18000")])
    county.screen(DAY)
    county.close(county.case(), "F", DAY)

    for day, more in ((60, "2000"), (65, "3399.99")):
        county.load("medical", DAY + timedelta(days=day), [paid(more, f"2024-04-{day - 59:02d}")])
        county.screen(DAY + timedelta(days=day))
        assert [case.status for case in county.cases()] == ["closed"]

    day_70 = DAY + timedelta(days=70)
    county.load("medical", day_70, [paid("0.01", "2024-05-01")])
    county.screen(day_70)

    assert [case.status for case in county.cases()] == ["closed", "new"]
    assert [signal.value for signal in county.case().signals.all()] == [23_400_00]


def test_another_person_or_another_signal_is_not_muted(county: County) -> None:
    county.load("medical", DAY, [paid("18000")])
    county.screen(DAY)
    county.close(county.case(), "F", DAY)
    county.load("medical", DAY + timedelta(days=20), [paid("18000", who=("孙国", SON))])

    county.screen(DAY + timedelta(days=20))

    case = county.case()
    assert [(s.code, s.value, len(s.amounts)) for s in case.signals.all()] == [("M1", 18_000_00, 1)]


def test_a_late_source_is_unknown_and_clears_nothing(county: County) -> None:
    county.load("unemployment", DAY, [unemployed("2024-02-20")])
    county.screen(DAY)
    late = DAY + timedelta(days=63)
    county.load("social_insurance", late)

    county.screen(late)

    case = county.case()
    assert (case.status, case.level) == ("new", "yellow")
    assert case.unknown["M1"] == "late"
    assert [(s.code, s.active) for s in case.signals.all()] == [("U1", True)]

    county.screen(DAY + timedelta(days=200))
    signal = county.case().signals.get()
    assert (signal.active, signal.unknown, county.case().unknown["U1"]) == (True, "late", "late")
    assert "现在不知道" in county.case().events.last().text

    county.load("unemployment", DAY + timedelta(days=201))
    county.load("social_insurance", DAY + timedelta(days=201))
    back = DAY + timedelta(days=366)
    county.load("unemployment", back)
    county.load("social_insurance", back)
    county.screen(back)
    assert [case.status for case in county.cases()] == ["cleared"]


def test_what_comes_later_the_same_day_is_screened_for_its_household_alone(county: County) -> None:
    county.load("medical", DAY, [paid("15000")])
    county.screen(DAY)
    county.load("medical", DAY, [paid("3000", "2024-02-20")])

    run = chain.screen(as_of=DAY, by=county.by)

    assert (run.recomputed, run.why_full, run.households) == (1, "", 5)
    assert county.case().signals.get().value == 18_000_00
    whole = chain.screen(as_of=DAY, by=county.by, full=True)
    assert (whole.recomputed, whole.result_hash) == (None, run.result_hash)
    assert chain.replay(run.pk, by=county.by).equal
