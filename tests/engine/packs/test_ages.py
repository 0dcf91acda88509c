"""周岁 and 出生日期 in a pack's formulas: whole years completed on the date, unknown where the birth is."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack, load_pack
from doudi.engine.packs.cases import run_cases
from doudi.engine.packs.problems import PackError
from doudi.engine.packs.relations import parameter_table
from doudi.engine.screening.running import open_snapshots, prepare
from tests.engine.packs.little import RULES, little_pack
from tests.engine.screening.small_files import write_snapshots

AGED = RULES.replace(
    "类别:\n",
    """\
  满六十:
    对象: 人员
    类型: 是否
    依据: 县标准 第六条
    公式: 周岁 >= 60
  两岁以内:
    对象: 人员
    类型: 是否
    依据: 县标准 第六条
    公式: 近月(出生日期, 24)
  老人数:
    对象: 家庭
    类型: 整数
    单位: 人
    依据: 县标准 第六条
    公式: 成员计数(满六十)
  有婴儿:
    对象: 家庭
    类型: 是否
    依据: 县标准 第六条
    公式: 任一成员(两岁以内)
  最年长:
    对象: 家庭
    类型: 整数
    单位: 岁
    依据: 县标准 第六条
    公式: 成员最大(周岁)
类别:
""",
    1,
)
CASE = """\
  - 名: {name}
    城乡: 城镇
    日: {day}
    成员: [{{与户主关系: 户主, 出生日期: {born}}}, {{与户主关系: 子{child}}}]
    应为: {{老人数: {aged}, 有婴儿: {infant}, 最年长: {eldest}}}
"""
ORDINARY = CASE.format(
    name="年龄",
    day="2024-11-15",
    born="1950-01-01",
    child=", 出生日期: 2023-01-01",
    aged="1人",
    infant="是",
    eldest="74岁",
)


@pytest.mark.parametrize(
    ("day", "born", "child", "aged", "infant", "eldest"),
    [
        ("2024-11-15", "1964-11-15", ", 出生日期: 2022-11-15", "1人", "否", "60岁"),
        ("2024-11-15", "1964-11-16", ", 出生日期: 2022-11-16", "0人", "是", "59岁"),
        ("2024-02-28", "1964-02-29", ", 出生日期: 2024-03-01", "0人", "否", "59岁"),
        ("2025-02-28", "1964-02-29", ", 出生日期: 2020-01-01", "1人", "否", "60岁"),
        ("2024-11-15", "1950-01-01", "", "待核", "待核", "待核"),
    ],
)
def test_a_birthday_counts_and_a_birth_nobody_told_is_not_known(
    tmp_path: Path, day: str, born: str, child: str, aged: str, infant: str, eldest: str
) -> None:
    case = CASE.format(name="年龄", day=day, born=born, child=child, aged=aged, infant=infant, eldest=eldest)
    pack = load_pack(little_pack(tmp_path / "little", AGED + case))

    assert [str(f) for f in run_cases(pack).failures] == []


def test_a_worksheet_gives_births_too(tmp_path: Path) -> None:
    folder = little_pack(tmp_path / "little", AGED + ORDINARY)
    (folder / "cases").mkdir()
    table = (
        "名,日,城乡,成员.与户主关系,成员.出生日期,应为.最年长\n表里,2024-11-15,城镇,户主,1964-11-16,60岁\n"
    )
    (folder / "cases" / "ages.csv").write_text(table, "utf-8")

    [failure] = run_cases(load_pack(folder)).failures

    assert (failure.case, failure.expected, failure.found) == ("表里", "60", "59")


def _snapshots(folder: Path, births: list[date | None], on: date, pack: Pack) -> SnapshotSet:
    families = [
        [
            {
                "id_number": i, "relation": "户主", "region_code": "520102", "urban_rural": "城镇", "category": "",
                "living_together": True, "birth_on": born, "rows": {},
            }
        ]
        for i, born in enumerate(births)
    ]  # fmt: skip
    return write_snapshots(families, folder, pack.feeds, as_of=on)


def _plainly(born: date | None, on: date) -> int | None:
    if born is None:
        return None
    return max(0, on.year - born.year - ((on.month, on.day) < (born.month, born.day)))


def _ages(pack: Pack, snapshots: SnapshotSet) -> list[int | None]:
    with open_snapshots(pack, snapshots) as connection:
        prepared = prepare(connection, pack, snapshots)
        connection.register("parameters", parameter_table(prepared.compiled, prepared.pairs))
        sql = prepared.compiled.sql(select="trace").replace("$lo", "0").replace("$hi", "1000000")
        return [
            row[0]
            for row in connection.execute(f"SELECT 最年长 FROM ({sql}) ORDER BY household_key").fetchall()
        ]


@pytest.mark.parametrize("on", [date(2024, 2, 29), date(2025, 2, 28), date(2024, 12, 31)])
def test_every_age_is_that_of_the_calendar(tmp_path: Path, on: date) -> None:
    pack = load_pack(little_pack(tmp_path / "little", AGED + ORDINARY))
    draw = random.Random(on.toordinal())
    births: list[date | None] = [date(1900, 1, 1) + timedelta(draw.randrange(46_000)) for _ in range(2_000)]
    births += [None, on, on + timedelta(1), date(1964, 2, 29), date(2000, 2, 28), date(2000, 3, 1)]

    found = _ages(pack, _snapshots(tmp_path / "shots", births, on, pack))

    assert found == [_plainly(born, on) for born in births]


def test_a_register_resolved_before_births_were_kept_leaves_ages_unknown(tmp_path: Path) -> None:
    pack = load_pack(little_pack(tmp_path / "little", AGED + ORDINARY))
    shots = _snapshots(tmp_path / "shots", [date(1950, 1, 1)], date(2024, 11, 15), pack)
    members = shots.register / "members.parquet"
    pq.write_table(pq.read_table(members).drop_columns(["birth_on"]), members)

    assert _ages(pack, shots) == [None]


@pytest.mark.parametrize(
    ("formula", "code"),
    [
        ("周岁 >= 60", "scope"),
        ("合计(养老待遇.月待遇, 周岁 > 1) > 1元", "scope"),
        ("任一成员(出生日期 > 1)", "kind"),
    ],
)
def test_an_age_is_a_person_s_and_a_birth_is_a_date(tmp_path: Path, formula: str, code: str) -> None:
    broken = AGED.replace("任一成员(两岁以内)", formula)

    with pytest.raises(PackError) as refused:
        load_pack(little_pack(tmp_path / "little", broken + ORDINARY))

    assert code in {problem.code for problem in refused.value.problems}
