"""Bulk resolution: a province's tables give the same rows as a county's, file by file."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doudi.engine.feeds import Grades, build_register, load_feed_specs, parse_file, resolve_feed
from doudi.engine.feeds.bulk import BulkGrades, _normal, resolve_bulk
from doudi.engine.feeds.snapshots import HOUSEHOLDS, MEMBERS
from doudi.engine.identity import SAME_NAME, normal_name
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
    done = resolve_bulk(SPECS, register, parts, sent / "bulk", key=b"tests only", memory="500MB")
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


_SIGNS = [chr(sign) for sign in SAME_NAME if sign] + list("张三阿依'峯😀")


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from(_SIGNS), max_size=12), min_size=1))
def test_names_are_made_normal_in_sql_as_in_python(names: list[str]) -> None:
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {_normal('n')} FROM (SELECT unnest($names) AS n)", {"names": names}
        )

        assert [row[0] for row in found.fetchall()] == [normal_name(name) for name in names]
