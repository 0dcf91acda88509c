"""A range screened in arrays and by the one query: the same rows in the same order, and when arrays are refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack, load_pack
from doudi.engine.packs.arrays import PLACED
from doudi.engine.packs.relations import parameter_table
from doudi.engine.screening import ScreeningError, screen
from doudi.engine.screening.arrays import NoPlaces, bound, lay_out
from doudi.engine.screening.running import open_snapshots, prepare
from tests.engine.screening.county import REFERENCE
from tests.engine.screening.families import FEEDS, Families
from tests.engine.screening.small_files import write_snapshots

PACK = load_pack(REFERENCE)
DAY = date(2024, 11, 15)
HOUSEHOLDS = 240


def both(pack: Pack, snapshots: SnapshotSet, low: int, high: int) -> tuple[list[tuple], list[tuple]]:
    """The rows of a range in arrays and by the one query."""
    with open_snapshots(pack, snapshots, threads=1) as connection:
        prepared = prepare(connection, pack, snapshots)
        connection.register("given_parameters", parameter_table(prepared.compiled, prepared.pairs))
        connection.execute("CREATE TABLE parameters AS SELECT * FROM given_parameters")
        plan = prepared.compiled.arrays
        assert plan is not None
        query, laid = lay_out(connection, plan, low, high)
        connection.register(PLACED, laid)
        placed = connection.execute(query).fetchall()
        return placed, connection.execute(bound(prepared.compiled.sql(), low, high)).fetchall()


@pytest.mark.parametrize("missing", [[], ["death", "social_insurance"], list(FEEDS)])
def test_arrays_and_the_one_query_give_the_same_rows(tmp_path: Path, missing: list[str]) -> None:
    families = Families(41, DAY).some(HOUSEHOLDS)
    snapshots = write_snapshots(families, tmp_path, PACK.feeds, as_of=DAY, missing=missing)

    placed, queried = both(PACK, snapshots, 30, 200)

    assert len(placed) == 170
    assert placed == queried


def test_a_feed_may_count_values_by_what_its_rows_members_are(tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    shutil.copytree(REFERENCE, folder)
    (folder / "rules" / "90-more.yaml").write_text(MORE, encoding="utf-8")
    (folder / "cases" / "more.yaml").write_text(CASE, encoding="utf-8")
    pack = load_pack(folder)
    snapshots = write_snapshots(Families(5, DAY).some(HOUSEHOLDS), tmp_path / "s", pack.feeds, as_of=DAY)

    placed, queried = both(pack, snapshots, 0, HOUSEHOLDS)

    assert placed == queried
    assert any("Z1" in row[16].split(";") for row in placed)


MORE = """变量:
  加试银行数:
    对象: 家庭
    类型: 整数
    单位: 套
    依据: 参考规则 住房
    公式: 去重计数(银行存款.机构, 户主或配偶)
指标:
  Z1:
    名: 加试
    方向: 向下
    来源: 人社
    数据: [银行存款]
    依据: 参考规则 住房
    等级: {黄: 加试银行数 ≥ 1}
    句: 加试
    需求: [生活]
"""
CASE = (
    "例:\n  - {名: 加试, 城乡: 城镇, 日: 2024-11-15, 成员: [{与户主关系: 户主}], 应为: {加试银行数: 0套}}\n"
)


def test_a_person_listed_twice_is_screened_by_the_one_query(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(6, DAY).some(20), tmp_path, PACK.feeds, as_of=DAY)
    members = snapshots.register / "members.parquet"
    table = pq.read_table(members)
    pq.write_table(pa.concat_tables([table.slice(0, 1), table]), members)
    with pytest.raises(NoPlaces):
        both(PACK, snapshots, 0, 20)

    result = screen(PACK, snapshots, to=tmp_path / "result")

    assert pq.read_table(result.files[0])["counted_persons"][0].as_py() >= 1
    assert result.households == 20


def test_a_row_of_a_stranger_is_no_ones(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(7, DAY).some(20), tmp_path, PACK.feeds, as_of=DAY)
    [deposit] = snapshots.feeds["deposit"]
    table = pq.read_table(deposit)
    rows = {name: [table[name][0].as_py()] for name in table.column_names} | {"person_key": [10**6]}
    pq.write_table(pa.concat_tables([table, pa.table(rows, schema=table.schema)]), deposit)
    with pytest.raises(NoPlaces):
        both(PACK, snapshots, 0, 20)

    assert screen(PACK, snapshots, to=tmp_path / "result").households == 20


def test_ranges_screened_at_once_stand_in_order_and_one_that_fails_stops_the_screen(tmp_path: Path) -> None:
    snapshots = write_snapshots(Families(8, DAY).some(60), tmp_path / "s", PACK.feeds, as_of=DAY)
    one = screen(PACK, snapshots, to=tmp_path / "one", chunks=3, threads=1)
    two = screen(PACK, snapshots, to=tmp_path / "two", chunks=3, threads=2)
    assert [path.read_bytes() for path in one.files] == [path.read_bytes() for path in two.files]

    [deposit] = snapshots.feeds["deposit"]
    table = pq.read_table(deposit)
    absurd = pa.array([2**62] * len(table), pa.int64())
    pq.write_table(table.set_column(table.column_names.index("balance"), "balance", absurd), deposit)
    many = replace(snapshots, digest="absurd", feeds={**snapshots.feeds, "deposit": (deposit, deposit)})
    with pytest.raises(ScreeningError, match="金额太大"):
        screen(PACK, many, to=tmp_path / "four", chunks=3, threads=2)

    assert not (tmp_path / "four" / "result.json").exists()
