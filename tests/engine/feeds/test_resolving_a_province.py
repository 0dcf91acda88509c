"""Bulk resolution: a province's tables give the same rows as a county's, file by file."""

from __future__ import annotations

import csv
import random
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.feeds import Grades, build_register, load_feed_specs, parse_file, resolve_feed
from doudi.engine.feeds.bulk import BulkGrades, resolve_bulk
from doudi.engine.feeds.bulk_reading import NO_NUMBER, ODD_NAME, numbers_of
from doudi.engine.feeds.snapshots import HOUSEHOLDS, MEMBERS
from doudi.engine.feeds.validating import parsed_of_rows
from doudi.engine.identity import SAME_NAME, check_digit, normal_name
from tests.engine.screening.county import REFERENCE, SAMPLE, blind

SPECS = load_feed_specs(REFERENCE / "feeds")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample county's checked rows as Parquet, each feed in two parts, and resolved the ordinary way."""
    folder = tmp_path_factory.mktemp("sent")
    with (SAMPLE / "manifest.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            parsed = parse_file(SPECS[row["feed"]], SAMPLE / row["file"], today=date(2024, 12, 1))
            if row["feed"] == "household_register":
                build_register(parsed, folder / "ordinary" / "register", blind=blind)
            else:
                to = folder / "ordinary" / f"{row['feed']}.parquet"
                grades = resolve_feed(parsed, folder / "ordinary" / "register", to, blind=blind)
                (folder / f"{row['feed']}.grades").write_text(repr(_counts(grades)))
            half = parsed.rows.num_rows // 2
            parts = folder / "departments" / row["feed"]
            parts.mkdir(parents=True)
            rows = parsed.rows.drop_columns(["row_no", "row_digest", "id_derived"])
            pq.write_table(rows.slice(0, half), parts / "1.parquet")
            pq.write_table(rows.slice(half), parts / "2.parquet")
    return folder


@pytest.fixture(scope="module")
def bulk(sent: Path) -> Path:
    parts = {f.name: sorted(f.glob("*.parquet")) for f in (sent / "departments").iterdir()}
    register = parts.pop("household_register")
    done = resolve_bulk(SPECS, register, parts, sent / "bulk", key=b"tests only")
    for feed, grades in done.grades.items():
        (sent / f"{feed}.bulk").write_text(repr(_counts(grades)))
    return sent / "bulk"


def _counts(g: Grades | BulkGrades) -> tuple[int, ...]:
    return (g.a, g.b, g.c, g.leads, g.not_registered)


def _rows(path: Path, *, without: tuple[str, ...] = ()) -> pa.Table:
    return pq.read_table(path).drop_columns(list(without))


def _types(table: pa.Table) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in table.schema]


def test_the_register_has_the_same_keys_heads_and_facts(sent: Path, bulk: Path) -> None:
    for name in (MEMBERS, HOUSEHOLDS):
        one, two = _rows(sent / "ordinary" / "register" / name), _rows(bulk / "register" / name)

        assert _types(two) == _types(one)
        assert two.to_pylist() == one.to_pylist()


@pytest.mark.parametrize("feed", sorted(set(SPECS) - {"household_register"}))
def test_every_feed_has_the_same_rows_and_grades(sent: Path, bulk: Path, feed: str) -> None:
    one = _rows(sent / "ordinary" / f"{feed}.parquet", without=("row_digest",))
    two = _rows(bulk / f"{feed}.parquet", without=("row_digest",))

    assert _types(two) == _types(one)
    assert two.to_pylist() == one.to_pylist()
    assert (sent / f"{feed}.bulk").read_text() == (sent / f"{feed}.grades").read_text()


def test_no_work_file_that_names_people_is_left(bulk: Path) -> None:
    assert sorted(p.name for p in bulk.iterdir() if p.is_dir()) == ["register"]
    assert sorted(p.name for p in (bulk / "register").iterdir()) == [HOUSEHOLDS, MEMBERS]


def test_equal_events_of_two_loads_have_one_digest_and_nobody_can_guess_it(
    sent: Path, tmp_path: Path
) -> None:
    parts = sorted((sent / "departments" / "medical").glob("*.parquet"))
    register = sorted((sent / "departments" / "household_register").glob("*.parquet"))

    def load(name: str, files: list[Path], key: bytes) -> list[int]:
        done = resolve_bulk(SPECS, register, {"medical": files}, tmp_path / name, key=key)
        return pq.read_table(done.feeds["medical"])["row_digest"].to_pylist()

    whole, second = load("whole", parts, b"a"), load("second", parts[1:], b"a")

    assert len(set(whole)) == len(whole) > 0
    assert set(second) < set(whole)
    assert not set(whole) & set(load("other", parts, b"b"))


def test_a_member_in_another_region_stands_with_the_head(tmp_path: Path) -> None:
    """The head lives in 610102, the smallest number and the file's first row do not."""
    rows = [
        ("H2", "520102199001010010", "配偶", "520102"),
        ("H2", "520102198501010019", "户主", "610102"),
        ("H1", "520102197001010015", "户主", "520103"),
    ]
    columns = SPECS["household_register"].columns
    table = pa.table(
        {
            "household_no": [r[0] for r in rows], "id_number": [r[1] for r in rows], "name": ["甲", "乙", "丙"],
            "relation": [r[2] for r in rows], "region_code": [r[3] for r in rows], "urban_rural": ["农村"] * 3,
            "living_together": [True] * 3, "category": pa.array([None] * 3, pa.string()),
            "category_since": pa.array([None] * 3, pa.date32()), "left_on": pa.array([None] * 3, pa.date32()),
        }
    )  # fmt: skip
    assert set(table.column_names) <= {c.name for c in columns}
    pq.write_table(table, tmp_path / "register.parquet")

    done = resolve_bulk(SPECS, [tmp_path / "register.parquet"], {}, tmp_path / "out", key=b"k")

    homes = pq.read_table(done.register / HOUSEHOLDS).to_pylist()
    members = pq.read_table(done.register / MEMBERS).to_pylist()
    assert [(h["household_no"], h["region_code"], h["persons"]) for h in homes] == [
        ("H1", "520103", 1),
        ("H2", "610102", 2),
    ]
    assert [(m["household_key"], m["person_key"], m["relation"], m["is_head"]) for m in members] == [
        (0, 0, "户主", True),
        (1, 1, "户主", True),
        (1, 2, "配偶", False),
    ]


_NO_NUMBERS = [
    "",
    "1",
    "5201021990010100１0",
    "52010219900101001x",
    "５201021990010100",
    " 0102199001010011",
    "/20102199001010015",
    "52010219900101001:",
]
_SIGNS = [chr(sign) for sign in SAME_NAME if sign] + list("张三阿依'峯😀")


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.sampled_from(_SIGNS), max_size=12), min_size=1))
def test_only_names_that_have_another_normal_spelling_are_looked_at(names: list[str]) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {ODD_NAME} FROM (SELECT unnest($names) AS name)", {"names": names}
        )

        assert [row[0] for row in found.fetchall()] == [n if normal_name(n) != n else None for n in names]


@given(
    st.lists(
        st.one_of(st.none(), st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True), st.sampled_from(_NO_NUMBERS))
    )
)
def test_numbers_are_whole_numbers_in_the_order_of_their_texts(texts: list[str | None]) -> None:
    numbers = numbers_of(pa.array(["0" * 18, *texts], pa.string()).slice(1)).tolist()

    right = [t is not None and re.fullmatch("[0-9]{17}[0-9X]", t) is not None for t in texts]
    assert [number != NO_NUMBER for number in numbers] == right
    pairs = sorted(
        (text or "", number) for text, number, fits in zip(texts, numbers, right, strict=True) if fits
    )
    assert [number for _, number in pairs] == sorted(number for _, number in pairs)
    assert len({number for _, number in pairs}) == len({text for text, _ in pairs})


# ---- any register, any feed ----------------------------------------------------------------------------------

_NAMES = (
    "张峰",
    "张峯",
    "張峰",
    "李云·雲",
    "李云云",
    "阿依古丽·买买提",
    "阿依古丽买买提",
    "王 伟",
    "王伟",
    "赵一",
)


def with_check_digit(first17: str) -> str:
    return first17 + check_digit(first17)


def _any_register(draw: random.Random, people: list[str], width: int) -> list[dict[str, Any]]:
    """Households of one to four, some in two regions, some people twice, in one household or in two."""
    rows = []
    for home in range(draw.randint(1, 25)):
        region = draw.choice(["520102", "520102001", "520103", "610102", "610102000000"])
        number = f"户{home * 7919 % 1000:0{width}d}" if width else "户" + "9" * (home % 4) + str(home)
        since, left = (draw.choice([None, date(2024, draw.randint(1, 12), 3)]) for _ in range(2))
        for id_number in draw.sample(people, draw.randint(1, 4)):
            rows.append(
                {
                    "id_number": id_number, "name": draw.choice(_NAMES), "household_no": number,
                    "relation": draw.choice(["户主", "配偶", "子", "其他"]),
                    "region_code": draw.choice([region, region, region, "520103"]), "urban_rural": "农村",
                    "living_together": draw.random() < 0.8, "category": draw.choice(["低保", "特困", None]),
                    "category_since": since, "left_on": left,
                }
            )  # fmt: skip
            if draw.random() < 0.1:
                rows.append(rows[-1] | {"name": draw.choice(_NAMES), "relation": draw.choice(["户主", "子"])})
    draw.shuffle(rows)
    return rows


def _any_bills(draw: random.Random, people: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "id_number": draw.choice([*people, *people, None]), "name": draw.choice(_NAMES),
            "settled_on": date(2024, draw.randint(1, 12), 1), "total_cost": draw.choice([100, 200]),
            "own_paid": draw.choice([0, 10]), "serious_illness": draw.random() < 0.5,
        }
        for _ in range(draw.randint(0, 60))
    ]  # fmt: skip


def _any_houses(draw: random.Random, people: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "id_number": draw.choice([*people, None]), "name": draw.choice(_NAMES), "unit_no": f"单元{draw.randint(0, 40)}",
            "use": draw.choice(["住宅", "商业"]), "area": Decimal("80.5000"), "share": Decimal("50.0000"),
            "registered_on": date(2020, 1, draw.randint(1, 28)),
        }
        for _ in range(draw.randint(1, 60))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_any_register_and_feed_are_resolved_as_a_county_s_are(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    people = [with_check_digit(f"520102{1950 + i % 50}0101{i:03d}") for i in range(40)]
    drawn = {
        "household_register": _any_register(draw, people[:32], draw.choice([0, 4, 9, 12])),
        "medical": _any_bills(draw, people), "real_estate": _any_houses(draw, people),
    }  # fmt: skip
    parts: dict[str, list[Path]] = {}
    counted = {}
    for feed, rows in drawn.items():
        parsed = parsed_of_rows(SPECS[feed], rows, file_hash="x")
        if feed == "household_register":
            build_register(parsed, tmp_path / "ordinary" / "register", blind=blind)
        else:
            to = tmp_path / "ordinary" / f"{feed}.parquet"
            counted[feed] = _counts(resolve_feed(parsed, tmp_path / "ordinary" / "register", to, blind=blind))
        checked = parsed.rows.drop_columns(["row_no", "row_digest", "id_derived"])
        half = checked.num_rows // 3
        parts[feed] = [tmp_path / f"{feed}-{n}.parquet" for n in (0, 1)]
        pq.write_table(checked.slice(0, half), parts[feed][0], row_group_size=4)
        pq.write_table(checked.slice(half), parts[feed][1], row_group_size=7)

    done = resolve_bulk(
        SPECS, parts.pop("household_register"), parts, tmp_path / "bulk", key=b"k", at_once=8, held=20
    )  # fmt: skip

    for name in (f"register/{MEMBERS}", f"register/{HOUSEHOLDS}"):
        assert _rows(tmp_path / "bulk" / name).to_pylist() == _rows(tmp_path / "ordinary" / name).to_pylist()
    for feed, counts in counted.items():
        one = _rows(tmp_path / "ordinary" / f"{feed}.parquet", without=("row_digest",))
        two = _rows(done.feeds[feed], without=("row_digest",))
        assert _types(two) == _types(one)
        assert two.to_pylist() == one.to_pylist()
        assert _counts(done.grades[feed]) == counts
    digests = [
        pq.read_table(f)["row_digest"].to_pylist()
        for f in (tmp_path / "ordinary" / "medical.parquet", done.feeds["medical"])
    ]
    assert [digests[0].index(d) for d in digests[0]] == [digests[1].index(d) for d in digests[1]]
