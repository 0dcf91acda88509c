"""One household reckoned in its own session gives what the county's files and the county's query give of it."""

from __future__ import annotations

import hashlib
import random
from collections import OrderedDict
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from doudi.engine import feeds, screening
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import load_pack
from doudi.engine.status import Status
from doudi.engine.verification import Answer, HouseholdMember, reckon, session
from doudi.engine.verification.small import NotSmall, in_sqlite
from tests.small_county import make_id

PACKS = Path(__file__).resolve().parents[3] / "packs"
PACK = PACKS / "reference"
AS_OF = date(2024, 11, 15)
REGISTER = "household_register"
NEVER = ("member_aid", "declaration")


def blind(texts):
    return [hashlib.sha256(text.encode()).digest()[:16] for text in texts]


def by_the_countys_road(pack, members, answers, folder: Path):
    """Register and feeds as files, matched as loads are, explained as any household of the county is."""
    rows = [
        {
            "id_number": m.id_number, "name": m.name, "household_no": "H1", "relation": m.relation, "region_code": "520102001",
            "urban_rural": "城镇", "living_together": m.living_together, "category": m.category or None,
            "category_since": m.category_since, "left_on": m.left_on,
        }
        for m in members
    ]  # fmt: skip
    register = folder / "register"
    feeds.build_register(
        feeds.parsed_of_rows(pack.feeds[REGISTER], rows, file_hash="r"), register, blind=blind
    )
    found, missing, held = {}, {}, {}
    for name, spec in pack.feeds.items():
        answer = answers.get(name, Answer(Status.NOT_ASKED))
        if name == REGISTER:
            continue
        if not answer.status.decided:
            missing[name] = answer.status
            continue
        path = folder / f"{name}.parquet"
        grades = feeds.resolve_feed(
            feeds.parsed_of_rows(spec, answer.rows, file_hash=name), register, path, blind=blind
        )
        found[name] = (path,)
        if grades.c:
            held[name] = grades.c
    explainer = screening.Explainer(pack, SnapshotSet(AS_OF, register, found, missing, "d"))
    try:
        return explainer.explain("H1"), held
    finally:
        explainer.close()


def drawn(draw: random.Random, pack):
    people = [
        make_id(f"{draw.randrange(1940, 2015)}0101", 100 + place) for place in range(draw.randrange(1, 5))
    ]
    members = [
        HouseholdMember(
            number, f"买买提·{place}", "户主" if place == 1 else "其他", draw.random() < 0.9, draw.choice(["", "低保"])
        )
        for place, number in enumerate(people)
    ]  # fmt: skip
    answers = {}
    for name, spec in pack.feeds.items():
        if name == REGISTER or name in NEVER:
            continue
        if draw.random() < 0.1:
            answers[name] = Answer(Status.FAILED)
            continue
        rows = []
        for _row in range(draw.randrange(3)):
            row = {column.name: _cell(draw, column) for column in spec.columns}
            member = draw.choice(members)
            # grade A, B by another separator, C by another name, and a stranger
            name_given = draw.choice(
                [member.name, member.name, member.name, member.name.replace("·", "•"), "王五"]
            )
            number = draw.choice(
                [member.id_number, member.id_number, member.id_number, make_id("19990101", 900)]
            )
            rows.append({**row, "id_number": number, "name": name_given})
        # a row sent twice is one
        rows += rows[: draw.randrange(2)]
        answers[name] = Answer(Status.KNOWN if rows else Status.NO_RECORD, tuple(rows))
    return members, answers


def _cell(draw: random.Random, column):
    if column.codes:
        code = draw.choice(column.codes)
        return int(code) if column.type == "int" else code
    return {
        "money": draw.randrange(0, 2_000_000), "date": date(2024, draw.randrange(1, 11), 3), "int": draw.randrange(1, 4),
        "month": 2024 * 12 + draw.randrange(0, 11), "bool": draw.random() < 0.5, "decimal": Decimal(draw.randrange(1, 90)),
        "region": "520102001",
    }.get(column.type, f"文{draw.randrange(9)}")  # fmt: skip


@pytest.mark.parametrize("which", ["reference", "cn"])
@pytest.mark.parametrize("seed", range(4))
def test_both_roads_lead_to_the_same_values(seed: int, which: str, tmp_path: Path) -> None:
    """The county's road is DuckDB over files, the household's SQLite over rows: one text, two machines."""
    pack = load_pack(PACKS / which)
    members, answers = drawn(random.Random(seed), pack)

    expected, held = by_the_countys_road(pack, members, answers, tmp_path)
    found = reckon(
        pack, members, answers, household_no="H1", region_code="520102001", urban_rural="城镇", as_of=AS_OF
    )

    assert found.held == held
    told = found.explanation
    assert (told.category, told.row, told.missing) == (expected.category, expected.row, expected.missing)
    assert told.paragraph == expected.paragraph
    assert [(v.name, v.member, v.value, v.sentence, v.inputs) for v in told.variables] == [
        (v.name, v.member, v.value, v.sentence, v.inputs) for v in expected.variables
    ]


def test_a_sum_that_does_not_fit_is_refused_and_the_next_household_is_not_touched() -> None:
    pack = load_pack(PACK)
    member = [HouseholdMember(make_id("19800101", 101), "张伟", "户主", True)]
    decided = {name: Answer(Status.NO_RECORD) for name in pack.feeds if name != REGISTER}
    place = {"household_no": "H1", "region_code": "520102001", "urban_rural": "城镇", "as_of": AS_OF}
    row = {
        "institution": "甲",
        "balance_on": date(2024, 11, 1),
        "name": "张伟",
        "id_number": member[0].id_number,
    }
    for balances in ([2**63 - 1, 2**62], [2**63 - 1]):  # a sum of rows; a sum over columns
        rows = tuple({**row, "institution": str(n), "balance": b} for n, b in enumerate(balances))
        answers = {**decided, "deposit": Answer(Status.KNOWN, rows)}
        if len(balances) == 1:
            more = {**row, "market_value": 1}
            answers["securities"] = Answer(Status.KNOWN, (more,))
        with pytest.raises(screening.ScreeningError) as refused:
            reckon(pack, member, answers, **place)
        assert refused.value.code == "out_of_range"

    assert reckon(pack, member, decided, **place).value("金融资产") == 0


def test_a_query_that_sqlite_does_not_know_stays_with_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    pack = load_pack(PACK)
    members, answers = drawn(random.Random(11), pack)
    place = {"household_no": "H1", "region_code": "520102001", "urban_rural": "城镇", "as_of": AS_OF}
    small = reckon(pack, members, answers, **place)

    def refuse(_text: str) -> str:
        raise NotSmall("SOMETHING")

    monkeypatch.setattr(session, "in_sqlite", refuse)
    monkeypatch.setattr(session, "_sessions", OrderedDict())
    assert reckon(pack, members, answers, **place) == small
    with pytest.raises(NotSmall):
        in_sqlite("SELECT SOUNDEX(a) AS a FROM t")


def test_nothing_of_a_household_is_left_for_the_next(tmp_path: Path) -> None:
    pack = load_pack(PACK)
    rich = (
        {"institution": "甲", "balance": 9_000_000, "balance_on": date(2024, 11, 1), "name": "张伟",
         "id_number": make_id("19800101", 101)},
    )  # fmt: skip
    member = [HouseholdMember(make_id("19800101", 101), "张伟", "户主", True)]
    decided = {name: Answer(Status.NO_RECORD) for name in pack.feeds if name != REGISTER}
    place = {"household_no": "H1", "region_code": "520102001", "urban_rural": "城镇", "as_of": AS_OF}

    first = reckon(pack, member, {**decided, "deposit": Answer(Status.KNOWN, rich)}, **place)
    second = reckon(pack, member, decided, **place)

    assert (first.value("金融资产"), second.value("金融资产")) == (9_000_000, 0)


def test_each_place_has_its_own_numbers_in_one_session() -> None:
    pack = load_pack(PACK)
    member = [HouseholdMember(make_id("19800101", 101), "张伟", "户主", True)]
    decided = {name: Answer(Status.NO_RECORD) for name in pack.feeds if name != REGISTER}

    def standard(region: str, urban_rural: str):
        found = reckon(
            pack, member, decided, household_no="H1", region_code=region, urban_rural=urban_rural, as_of=AS_OF
        )
        return found.value("低保标准")

    assert [standard("520102001", "城镇"), standard("610102001", "农村"), standard("520102001", "城镇")] == [
        745_00, 640_00, 745_00,
    ]  # fmt: skip
