"""A seeded population for the benchmarks: 100 counties, households, and what 22 departments know of them.

It is written twice from the same draws: as resolved snapshots (integer keys, household order) and as the departments
would send them (identity number and name on every row, in no order). Nobody in it exists; nothing of it is committed.

    python -m benchmarks.population --persons 1e6

Sparsity is that of a low-income register: everyone is in the population register, one in three has a deposit, one in
seventeen pays social insurance, one in a hundred and fifty died. About 3.3 department rows stand for each person.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from doudi.engine.feeds import FeedSpec, load_feed_specs
from doudi.engine.feeds.snapshots import HOUSEHOLDS, MEMBERS, ROW_GROUP
from doudi.engine.feeds.spec import IDENTIFYING
from doudi.engine.feeds.validating import ARROW

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "benchmarks" / "out"
REFERENCE = ROOT / "packs" / "reference"
AS_OF = date(2024, 11, 15)
SEED = 20241115

_COUNTIES = sorted({f"{p}{c:02d}{d:02d}" for p in (52, 61, 14, 51) for c in range(1, 6) for d in range(1, 6)})
_PREFECTURES = 5  # in a province
_TOWNSHIPS = 20
_HOUSEHOLD_SIZES = (0.30, 0.27, 0.20, 0.14, 0.06, 0.03)
_MEAN_SIZE = sum(size * share for size, share in enumerate(_HOUSEHOLD_SIZES, 1))
_CHUNK = 400_000  # households in memory at a time
_DRAWN = 8_000_000  # a multiple of this is drawn once and repeated
_PART = 4_000_000  # rows of one department part file, shuffled in memory
_DAY, _MONTH = (AS_OF - date(1970, 1, 1)).days, AS_OF.year * 12 + AS_OF.month - 1
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CATEGORIES = ("特困", "低保", "低保边缘", "刚性支出困难", "防返贫监测", None)
_CATEGORY_SHARES = (0.05, 0.45, 0.10, 0.03, 0.10, 0.27)

Column = Callable[[np.random.Generator, int], pa.Array]


# ---- what a column may hold ----------------------------------------------------------------------------------


def _one_of(*values: str, p: tuple[float, ...] | None = None) -> Column:
    return lambda r, n: pa.array(values, pa.string()).take(pa.array(_picks(r, n, len(values), p)))


def _picks(r: np.random.Generator, n: int, size: int, p: tuple[float, ...] | None) -> np.ndarray:
    if p is None:
        return r.integers(0, size, n)
    return np.searchsorted(np.cumsum(p)[:-1], r.random(n)).astype(np.int64)


def _fen(mean: float, *, spread: float = 0.8) -> Column:
    """Log-normal money whose mean is given in 元."""
    middle = np.log(mean * 100) - spread**2 / 2
    return lambda r, n: pa.array(np.exp(r.normal(middle, spread, n)).astype(np.int64))


def _within(days: int, *, empty: float = 0.0, ahead: int = 0) -> Column:
    def draw(r: np.random.Generator, n: int) -> pa.Array:
        drawn = (_DAY + ahead - r.integers(0, days, n)).astype(np.int32)
        mask = r.random(n) < empty if empty else None
        return pa.array(drawn, pa.int32(), mask=mask).cast(pa.date32())

    return draw


def _months(count: int) -> Column:
    return lambda r, n: pa.array((_MONTH - r.integers(0, count, n)).astype(np.int32))


def _yes(share: float) -> Column:
    return lambda r, n: pa.array(r.random(n) < share)


def _whole(*values: int, p: tuple[float, ...]) -> Column:
    return lambda r, n: pa.array(np.array(values, np.int64)[_picks(r, n, len(values), p)])


def _numbered(prefix: str, digits: int) -> Column:
    def draw(r: np.random.Generator, n: int) -> pa.Array:
        numbers = _digits(r.integers(0, 10**digits, n), digits)
        head = np.tile(np.frombuffer(prefix.encode(), np.uint8), (n, 1))
        return _fixed(np.concatenate([head, numbers], axis=1))

    return draw


def _decimal(low: int, high: int) -> Column:
    return lambda r, n: (
        pa.array(r.integers(low, high, n))
        .cast(pa.decimal128(19, 0))
        .cast(pa.decimal128(23, 4))
        .cast(pa.decimal128(18, 4))
    )


@dataclass(frozen=True)
class _Kind:
    """How many rows a department has of a person, and what they say."""

    share: float
    columns: dict[str, Column]
    rows: int = 1


_BANKS = _one_of("农村信用社", "农业银行", "工商银行", "邮储银行", "建设银行")
_KINDS: dict[str, _Kind] = {
    "population": _Kind(1.0, {
        "sex": _one_of("男", "女"), "status": _one_of("正常", "死亡", "迁出", p=(0.992, 0.005, 0.003)),
        "status_on": _within(1500), "region_code": _one_of(*_COUNTIES),
    }),
    "vehicle": _Kind(0.05, {
        "plate": _numbered("贵A", 5), "vehicle_type": _one_of("小型汽车", "摩托车"),
        "use": _one_of("非营运", "营运", "残疾人专用", "农用", p=(0.7, 0.1, 0.05, 0.15)),
        "registered_on": _within(4000), "status": _one_of("正常", "注销", p=(0.9, 0.1)),
    }),
    "real_estate": _Kind(0.15, {
        "unit_no": _numbered("5201", 16), "use": _one_of("住宅", "商业", "其他", p=(0.92, 0.04, 0.04)),
        "area": _decimal(30, 160), "share": _decimal(20, 101), "registered_on": _within(8000),
    }),
    "deposit": _Kind(0.30, {"institution": _BANKS, "balance": _fen(9_000, spread=1.5), "balance_on": _within(30)}),
    "securities": _Kind(0.01, {
        "institution": _one_of("华创证券", "中信证券"), "market_value": _fen(20_000, spread=1.2), "balance_on": _within(30),
    }),
    "insurance_policy": _Kind(0.04, {"product": _one_of("寿险", "年金", "万能险"), "cash_value": _fen(8_000)}),
    "social_insurance": _Kind(0.06, {
        "scheme": _one_of("企业职工基本养老保险"), "employer": _numbered("用人单位", 5), "base": _fen(3_600, spread=0.3),
        "month": _months(6),
    }, rows=5),
    "pension": _Kind(0.18, {
        "scheme": _one_of("职工养老金", "城乡居民基础养老金", "其他", p=(0.12, 0.85, 0.03)), "monthly_amount": _fen(600, spread=0.6),
    }),
    "unemployment": _Kind(0.012, {
        "registered_on": _within(900), "benefit": _fen(1_400, spread=0.2), "benefit_until": _within(900, ahead=300),
    }),
    "housing_fund": _Kind(0.015, {"base": _fen(4_000, spread=0.3), "month": _months(12), "balance": _fen(20_000)}),
    "business": _Kind(0.03, {
        "entity": _numbered("个体户", 6), "uscc": _numbered("92520102MA", 8), "role": _one_of("经营者", "股东", "法定代表人"),
        "status": _one_of("存续", "注销", p=(0.7, 0.3)), "registered_on": _within(4000),
    }),
    "tax_income": _Kind(0.04, {
        "kind": _one_of("工资薪金", "经营所得", "财产租赁", "利息股息", p=(0.85, 0.1, 0.03, 0.02)), "amount": _fen(3_200, spread=0.5),
        "month": _months(14),
    }, rows=6),
    "medical": _Kind(0.25, {
        "settled_on": _within(730), "total_cost": _fen(4_000, spread=1.4), "own_paid": _fen(1_300, spread=1.6),
        "serious_illness": _yes(0.02),
    }, rows=2),
    "disability": _Kind(0.09, {
        "kind": _one_of("视力", "听力", "言语", "肢体", "智力", "精神", "多重"), "grade": _whole(1, 2, 3, 4, p=(0.15, 0.3, 0.25, 0.3)),
        "issued_on": _within(4000), "status": _one_of("有效", "注销", p=(0.95, 0.05)),
    }),
    "death": _Kind(0.006, {"died_on": _within(1500), "cremated_on": _within(1500, empty=0.3)}),
    "custody": _Kind(0.003, {"from_on": _within(1500), "to_on": _within(2000, empty=0.3, ahead=1000)}),
    "education": _Kind(0.17, {
        "school": _numbered("学校", 4),
        "stage": _one_of("小学", "初中", "高中", "中职", "专科", "本科", "研究生", p=(0.45, 0.25, 0.1, 0.07, 0.06, 0.06, 0.01)),
        "full_time": _yes(0.98), "yearly_fee": _fen(2_500), "status": _one_of("在读", "休学", "辍学", p=(0.985, 0.01, 0.005)),
        "enrolled_on": _within(1500),
    }),
    "marriage": _Kind(0.012, {"event": _one_of("结婚", "离婚"), "event_on": _within(1200)}),
    "dangerous_house": _Kind(0.004, {"grade": _one_of("C", "D", p=(0.7, 0.3)), "assessed_on": _within(2500)}),
    "disaster": _Kind(0.004, {"event": _one_of("洪涝", "风雹", "干旱"), "event_on": _within(900), "loss": _fen(6_000)}),
    "grant": _Kind(0.16, {
        "programme": _one_of("低保金", "特困供养", "临时救助", "医疗救助", p=(0.75, 0.05, 0.1, 0.1)), "amount": _fen(400, spread=0.5),
        "granted_on": _within(400),
    }, rows=2),
    "member_aid": _Kind(0.01, {
        "organisation": _one_of("县总工会", "县残联", "县红十字会"), "aid_kind": _one_of("资金", "物资", "服务"),
        "need": _one_of("生活", "医疗", "教育"), "value": _fen(500), "aided_on": _within(700), "funding": _one_of("财政", "捐赠"),
        "consent": _yes(0.9),
    }),
}  # fmt: skip


# ---- people --------------------------------------------------------------------------------------------------


def _digits(numbers: np.ndarray, width: int) -> np.ndarray:
    """Decimal digits as ASCII, shape (n, width)."""
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    return ((numbers[:, None] // powers) % 10 + 48).astype(np.uint8)


def _fixed(characters: np.ndarray) -> pa.Array:
    """Texts of one width from their bytes, shape (n, width)."""
    n, width = characters.shape
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(
        n, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    )


_BIRTHDAYS = np.array(
    [int(f"{date.fromordinal(day):%Y%m%d}") for day in range(date(1935, 1, 1).toordinal(), date(2024, 1, 1).toordinal())],
    np.int64,
)  # fmt: skip
_IN_COUNTY = len(_BIRTHDAYS) * 1000


def _identity(county: np.ndarray, serial: np.ndarray) -> np.ndarray:
    """Valid numbers (GB 11643 check character included), one for each (county, serial): shape (n, 18)."""
    place = (serial * 7_368_787 + 12_345) % _IN_COUNTY
    body = county * 10**11 + _BIRTHDAYS[place // 1000] * 1000 + place % 1000
    characters = np.empty((len(body), 18), np.uint8)
    characters[:, :17] = _digits(body, 17)
    return _checked(characters)


def _checked(characters: np.ndarray) -> np.ndarray:
    remainder = (characters[:, :17].astype(np.int64) - 48) @ _WEIGHTS % 11
    characters[:, 17] = np.frombuffer(b"10X98765432", np.uint8)[remainder]
    return characters


_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰萍红梅鹏飞波斌宇浩凯健俊帆雪婷慧莹琳晶倩云龙凤国"
    "建文志海山林春秋冬夏福禄寿喜安康宁顺德才学义仁信礼智峰群"
)


def _name_pool() -> pa.Array:
    singles = [s + g for s in _SURNAMES for g in _GIVEN]
    doubles = [s + a + b for s in _SURNAMES for a in _GIVEN for b in _GIVEN[::3]]
    return pa.array(singles + doubles, pa.string())


_VARIANTS = {
    "峰": "峯",
    "群": "羣",
    "杰": "傑",
    "强": "強",
    "云": "雲",
    "丽": "麗",
    "黄": "黃",
    "张": "張",
    "刘": "劉",
    "陈": "陳",
}


@dataclass
class _Chunk:
    """Some households and their people, in key order."""

    first_household: int
    first_person: int
    household_of: np.ndarray
    ids: np.ndarray
    names: np.ndarray
    members: pa.Table
    households: pa.Table
    household_no: pa.Array


def _chunks(persons: int, names: int) -> Iterator[_Chunk]:
    """Households county by county; keys are dense, people of a household stand by identity number."""
    households = max(len(_COUNTIES), round(persons / _MEAN_SIZE))
    edges = [households * i // len(_COUNTIES) for i in range(len(_COUNTIES) + 1)]
    first_person = 0
    for number, county in enumerate(_COUNTIES):
        serial = 0
        for low in range(edges[number], edges[number + 1], _CHUNK):
            high = min(low + _CHUNK, edges[number + 1])
            chunk = _some_households(number, county, low, high, edges, serial, first_person, names)
            yield chunk
            serial += len(chunk.household_of)
            first_person += len(chunk.household_of)


def _some_households(
    number: int,
    county: str,
    low: int,
    high: int,
    edges: list[int],
    serial: int,
    first_person: int,
    names: int,
) -> _Chunk:
    r = np.random.default_rng([SEED, low])
    n = high - low
    in_county = np.arange(low, high) - edges[number]
    size_of = _picks(r, n, len(_HOUSEHOLD_SIZES), _HOUSEHOLD_SIZES) + 1
    household_of = np.repeat(np.arange(n), size_of)
    count = len(household_of)
    ids = _identity(np.full(count, int(county)), serial + np.arange(count))
    order = np.lexsort((*ids.T[::-1], household_of))
    ids = ids[order]
    start = np.concatenate([[0], np.cumsum(size_of)[:-1]])
    place = np.arange(count) - start[household_of]
    head_place = (r.random(n) * size_of).astype(np.int64)
    is_head = place == head_place[household_of]
    relation = np.where(is_head, 0, _picks(r, count, 7, (0.35, 0.2, 0.2, 0.08, 0.08, 0.05, 0.04)) + 1)
    township = in_county * _TOWNSHIPS // max(1, edges[number + 1] - edges[number])
    regions = np.array([f"{county}{100 + t:03d}" for t in range(_TOWNSHIPS)])
    region = pa.array(regions).take(pa.array(township))
    urban = pa.array(["城镇", "农村"]).take(pa.array((r.random(n) < 0.7).astype(np.int64)))
    category_place = _picks(r, n, len(_CATEGORIES), _CATEGORY_SHARES)
    category = pa.array([c or "" for c in _CATEGORIES]).take(pa.array(category_place))
    since = _within(2500)(r, n)
    since = pa.array(since.cast(pa.int32()).to_numpy(), pa.int32(), mask=category_place == 5).cast(
        pa.date32()
    )
    left = _within(900)(r, n).cast(pa.int32()).to_numpy()
    left_on = pa.array(left, pa.int32(), mask=(category_place != 5) | (r.random(n) > 0.05)).cast(pa.date32())
    household_no = _fixed(
        np.concatenate(
            [np.tile(np.frombuffer(f"H{county}".encode(), np.uint8), (n, 1)), _digits(in_county, 7)], axis=1
        )
    )
    owner = pa.array(household_of)
    members = pa.table(
        {
            "household_key": pa.array(household_of + low, pa.int64()),
            "person_key": pa.array(np.arange(first_person, first_person + count), pa.int64()),
            "relation": pa.array(["户主", "配偶", "子", "女", "父", "母", "孙子女", "其他"]).take(
                pa.array(relation)
            ),
            "living_together": pa.array(r.random(count) < 0.95),
            "left_on": left_on.take(owner),
            "category": category.take(owner),
            "category_since": since.take(owner),
            "urban_rural": urban.take(owner),
            "region_code": region.take(owner),
            "is_head": pa.array(is_head),
        }
    )
    households = pa.table(
        {
            "household_key": pa.array(np.arange(low, high), pa.int64()),
            "household_no": household_no,
            "region_code": region,
            "urban_rural": urban,
            "category": category,
            "persons": pa.array(size_of, pa.int32()),
        }
    )
    return _Chunk(
        low, first_person, household_of, ids, r.integers(0, names, count), members, households, household_no
    )


# ---- writing -------------------------------------------------------------------------------------------------


def feed_schema(spec: FeedSpec) -> pa.Schema:
    """The columns of a resolved feed file (feeds.resolving writes the same)."""
    kept = [(c.name, ARROW[c.type]) for c in spec.columns if c.type not in IDENTIFYING]
    keys = [("household_key", pa.int64()), ("person_key", pa.int64())]
    return pa.schema([*keys, *kept, ("row_digest", pa.int64())])


class _Resolved:
    """Growing Parquet files in household order."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.writers = folder, {}

    def write(self, name: str, table: pa.Table) -> None:
        if name not in self.writers:
            path = self.folder / f"{name}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd", store_schema=False)
        self.writers[name].write_table(table, row_group_size=ROW_GROUP)

    def close(self) -> None:
        for writer in self.writers.values():
            writer.close()


class _Departments:
    """Files as departments send them: rows scattered over parts, every part shuffled."""

    def __init__(self, folder: Path, persons: int) -> None:
        self.folder, self.persons, self.writers, self.schemas = folder, persons, {}, {}

    def write(self, feed: str, table: pa.Table, rows_in_all: float) -> None:
        parts = max(1, round(rows_in_all / _PART))
        r = np.random.default_rng([SEED, table.num_rows, parts])
        table = table.take(pa.array(r.permutation(table.num_rows)))
        for part in range(parts):
            low, high = (table.num_rows * p // parts for p in (part, part + 1))
            key = (feed, part)
            if key not in self.writers:
                path = self.folder / feed / f".part-{part:03d}.growing"
                path.parent.mkdir(parents=True, exist_ok=True)
                self.writers[key] = pq.ParquetWriter(
                    path, table.schema, compression="lz4", store_schema=False
                )
            self.writers[key].write_table(table.slice(low, high - low))

    def close(self) -> None:
        for (feed, part), writer in self.writers.items():
            writer.close()
            growing = self.folder / feed / f".part-{part:03d}.growing"
            table = pq.read_table(growing)
            r = np.random.default_rng([SEED, part])
            table = table.take(pa.array(r.permutation(table.num_rows))).combine_chunks()
            pq.write_table(
                table, self.folder / feed / f"part-{part:03d}.parquet", compression="zstd", row_group_size=ROW_GROUP, store_schema=False,
            )  # fmt: skip
            growing.unlink()


def _department_rows(
    r: np.random.Generator,
    kind: _Kind,
    facts: dict[str, pa.Array],
    chunk: _Chunk,
    who: np.ndarray,
    pool: pa.Array,
) -> pa.Table:
    """The rows of one department: those resolved, some whose name does not fit, and strangers."""
    n = len(who)
    names = pool.take(pa.array(chunk.names[who]))
    ids = chunk.ids[who]
    strangers = r.integers(0, n, max(1, n // 50)) if n else np.zeros(0, np.int64)
    drawn = r.integers(0, len(chunk.ids), len(strangers))
    unknown = chunk.ids[drawn].copy()
    unknown[:, 6:17] = _digits(
        18_500_101_000 + r.integers(0, 900, len(drawn)), 11
    )  # no one on the register is that old
    all_ids = _fixed(np.concatenate([ids, _checked(unknown)]))
    all_names = pa.concat_arrays([names, names.take(pa.array(strangers))])
    back = pa.array(np.concatenate([np.arange(n), strangers]))
    return pa.table({"id_number": all_ids, "name": all_names} | {c: v.take(back) for c, v in facts.items()})


def generate(persons: int, folder: Path, *, departments: bool = True) -> None:
    """Write ``folder/resolved`` and ``folder/departments`` for about ``persons`` people."""
    specs = load_feed_specs(REFERENCE / "feeds")
    shutil.rmtree(folder, ignore_errors=True)
    growing = folder.with_name(folder.name + ".growing")
    shutil.rmtree(growing, ignore_errors=True)
    resolved, sent = _Resolved(growing / "resolved"), _Departments(growing / "departments", persons)
    pool = _name_pool()
    for chunk in _chunks(persons, len(pool)):
        r = np.random.default_rng([SEED, chunk.first_household, 1])
        resolved.write(f"register/{MEMBERS.removesuffix('.parquet')}", chunk.members)
        resolved.write(f"register/{HOUSEHOLDS.removesuffix('.parquet')}", chunk.households)
        if departments:
            sent.write("household_register", _register_rows(chunk, pool), persons)
        for feed, kind in _KINDS.items():
            who = np.flatnonzero(r.random(len(chunk.ids)) < kind.share)
            who = np.repeat(who, kind.rows)
            facts = {name: draw(r, len(who)) for name, draw in kind.columns.items()}
            if feed == "population":
                normal = pc.equal(facts["status"], "正常")
                facts["status_on"] = pc.if_else(normal, pa.scalar(None, pa.date32()), facts["status_on"])
            schema = feed_schema(specs[feed])
            keys = {
                "household_key": pa.array(chunk.household_of[who] + chunk.first_household),
                "person_key": pa.array(who + chunk.first_person),
                "row_digest": pa.array(r.integers(-(2**63), 2**63 - 1, len(who))),
            }
            resolved.write(feed, pa.table([(keys | facts)[name] for name in schema.names], schema=schema))
            if departments:
                rows = _department_rows(r, kind, facts, chunk, who, pool)
                sent.write(feed, rows, persons * kind.share * kind.rows)
    declaration = feed_schema(specs["declaration"])
    resolved.write("declaration", declaration.empty_table())
    resolved.close()
    sent.close()
    growing.rename(folder)


def _register_rows(chunk: _Chunk, pool: pa.Array) -> pa.Table:
    owner = pa.array(chunk.household_of)
    columns = {
        "household_no": chunk.household_no.take(owner),
        "id_number": _fixed(chunk.ids),
        "name": pool.take(pa.array(chunk.names)),
    }
    kept = chunk.members.drop_columns(["household_key", "person_key", "is_head"])
    return pa.table(columns | {name: kept[name] for name in kept.column_names})


def tile(base: Path, folder: Path, times: int) -> None:
    """Repeat a resolved population side by side under new keys: a country of ``times`` such provinces.

    Drawing 80 million people takes an hour; a screen costs the same whether the tenth province resembles the first.
    """
    growing = folder.with_name(folder.name + ".growing")
    shutil.rmtree(growing, ignore_errors=True)
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        members = base / "resolved" / "register" / MEMBERS
        sql = f"SELECT max(household_key) + 1, max(person_key) + 1 FROM read_parquet('{members}')"
        households, persons = connection.execute(sql).fetchall()[0]
        for source in sorted((base / "resolved").rglob("*.parquet")):
            to = growing / source.relative_to(base)
            to.parent.mkdir(parents=True, exist_ok=True)
            names = pq.read_schema(source).names
            tiles = " UNION ALL ".join(
                "SELECT * REPLACE ("
                + ", ".join(_moved(name, t, households, persons) for name in names if name in _MOVED)
                + f") FROM read_parquet('{source}')"
                for t in range(times)
            )
            connection.execute(
                f"COPY ({tiles}) TO '{to}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
            )
    for source in sorted((base / "departments").rglob("*.parquet")):
        to = growing / source.relative_to(base)
        to.parent.mkdir(parents=True, exist_ok=True)
        to.with_name(f"tile-00-{source.name}").hardlink_to(source)
        for t in range(1, times):
            _elsewhere(source, to.with_name(f"tile-{t:02d}-{source.name}"), t)
    growing.rename(folder)


def _elsewhere(source: Path, to: Path, t: int) -> None:
    """A department's part again, of other people in other prefectures, row group by row group."""
    listed = [name for name in ("region_code", "name") if name in pq.read_schema(source).names]
    with pq.ParquetFile(source, read_dictionary=listed) as file:
        writer: pq.ParquetWriter | None = None
        for number in range(file.metadata.num_row_groups):
            table = file.read_row_group(number)
            ids = (
                np.frombuffer(table["id_number"].combine_chunks().buffers()[2], np.uint8)
                .reshape(-1, 18)
                .copy()
            )
            prefecture = (ids[:, 2] - 48) * 10 + ids[:, 3] - 48 + _PREFECTURES * t
            ids[:, 2:4] = _digits(prefecture.astype(np.int64), 2)
            moved: dict[str, pa.Array] = {"id_number": _fixed(_checked(ids))}
            if "region_code" in table.column_names:
                codes = table["region_code"].combine_chunks()
                there = [
                    f"{c[:2]}{int(c[2:4]) + _PREFECTURES * t:02d}{c[4:]}"
                    for c in codes.dictionary.to_pylist()
                ]
                moved["region_code"] = pa.DictionaryArray.from_arrays(
                    codes.indices, pa.array(there, pa.string())
                )
            if "household_no" in table.column_names:
                moved["household_no"] = pc.replace_substring(
                    table["household_no"], "H", chr(ord("H") + t), max_replacements=1
                )
            for name, column in moved.items():
                table = table.set_column(table.column_names.index(name), name, column)
            if writer is None:
                writer = pq.ParquetWriter(to, table.schema, compression="zstd", store_schema=False)
            writer.write_table(table)
        if writer is not None:
            writer.close()


_MOVED = ("household_key", "person_key", "household_no")


def _moved(name: str, t: int, households: int, persons: int) -> str:
    if name == "household_no":
        return f"'{chr(ord('A') + t)}' || household_no[2:] AS household_no"
    return f"{name} + {t * (households if name == 'household_key' else persons)} AS {name}"


def folder_of(persons: int) -> Path:
    return OUT / f"population-{persons}"


def population(persons: int) -> Path:
    """The folder of the population of that size, made now if it is not there yet."""
    folder = folder_of(persons)
    if not folder.is_dir() and persons > _DRAWN and persons % _DRAWN == 0:
        tile(population(_DRAWN), folder, persons // _DRAWN)
    elif not folder.is_dir():
        generate(persons, folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--persons", type=float, default=1e6)
    options = parser.parse_args()
    print(population(round(options.persons)))


if __name__ == "__main__":
    main()
