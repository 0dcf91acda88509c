"""What ships is whole: no fault, no failed case, no condition that was tried one way only, no invented number."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from doudi.engine.feeds import load_feed_specs
from doudi.engine.packs import Pack, check_pack, load_pack, test_pack
from doudi.engine.packs.cases import run_cases
from doudi.engine.packs.handling import load_handling

PACKS = Path(__file__).resolve().parents[2] / "packs"
SHIPPED = ("cn", "shaanxi", "shanxi", "sichuan", "guizhou")
PROVINCES = {"shaanxi": "61", "shanxi": "14", "sichuan": "51", "guizhou": "52"}
LOCAL = (
    "低保标准",
    "人均可支配收入",
    "刚性支出占比",
    "照料费全自理",
    "照料费半护理",
    "照料费全护理",
    "分类施保比例",
)
OWN_FEEDS = {"birth", "grant_elsewhere", "hospital", "payroll", "self_care", "support_survey", "utility_use"}
DIFFERING_FEEDS = {"household_register"}


@cache
def shipped(name: str) -> Pack:
    return load_pack(PACKS / name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_has_no_fault(name: str) -> None:
    assert check_pack(PACKS / name) == []


# 陕西 has numbers of its own, so its cases are run in full; the other three are the base with a case more (below)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cn", "shaanxi"])
def test_every_case_holds_and_every_condition_was_tried_both_ways(name: str) -> None:
    report = test_pack(PACKS / name)

    assert report.failures == []
    assert report.cases > 80
    assert (report.never_true, report.never_false) == ([], [])


@pytest.mark.parametrize("name", ["shanxi", "sichuan", "guizhou"])
def test_a_province_without_numbers_keeps_the_bases_rules_and_its_own_case_holds(name: str) -> None:
    base, pack = shipped("cn"), shipped(name)

    assert {n: (v.formula, v.expr, v.exceptions) for n, v in pack.variables.items()} == {
        n: (v.formula, v.expr, v.exceptions) for n, v in base.variables.items()
    }
    assert {n: [(v.value, v.region, v.valid_from) for v in p.values] for n, p in pack.parameters.items()} == {
        n: [(v.value, v.region, v.valid_from) for v in p.values] for n, p in base.parameters.items()
    }
    assert [(c.name, c.condition) for c in pack.categories] == [
        (c.name, c.condition) for c in base.categories
    ]
    assert pack.replaced == frozenset()

    report = run_cases(replace(pack, cases=tuple(case for case in pack.cases if case.place.layer == name)))

    assert (report.cases, report.failures) == (1, [])


@pytest.mark.parametrize("name", SHIPPED)
def test_no_local_number_is_invented(name: str) -> None:
    pack = shipped(name)

    assert {p for p in LOCAL if pack.parameters[p].values} == set()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_number_is_marked_and_an_assumption_is_marked_as_one(name: str) -> None:
    pack = shipped(name)
    values = [value for parameter in pack.parameters.values() for value in parameter.values]

    assert values
    assert {value.mark for value in values} <= {"[verified]", "[recalled]", "[assumed]"}
    assert all(value.mark == "[assumed]" for value in values if value.document == "假定")
    assert all(document.mark for document in pack.documents.values())
    assert not pack.fictitious


@pytest.mark.parametrize(("name", "region"), PROVINCES.items())
def test_a_province_speaks_only_for_itself(name: str, region: str) -> None:
    base, pack = shipped("cn"), shipped(name)
    added = [
        value
        for parameter in pack.parameters.values()
        for value in parameter.values
        if value not in base.parameters[parameter.name].values and value.place.layer == name
    ]

    assert pack.layers == ("cn", name)
    assert pack.regions == (region,)
    assert {value.region for value in added} <= {region}
    assert pack.variables.keys() == base.variables.keys()
    assert {code: i.formulas for code, i in pack.indicators.items()} == {
        code: i.formulas for code, i in base.indicators.items()
    }


def test_the_base_reads_the_contracts_feeds_and_tables_of_its_own() -> None:
    contract = load_feed_specs(PACKS / "reference" / "feeds")
    own = load_feed_specs(PACKS / "cn" / "feeds")

    assert own.keys() - contract.keys() == OWN_FEEDS
    assert contract.keys() <= own.keys()
    assert {name for name in contract if own[name] != contract[name]} == DIFFERING_FEEDS
    categories = own["household_register"].column("category").codes
    assert set(categories) - set(contract["household_register"].column("category").codes) == {"其他困难"}


def test_shanxi_pushes_to_its_six_members_and_offers_their_aid() -> None:
    members = {"工会", "团委", "妇联", "残联", "红十字会", "少工委"}
    pack = shipped("shanxi")

    assert members <= load_handling(PACKS / "shanxi").departments.keys()
    assert {m.department for code, m in pack.measures.items() if code.startswith("SX_")} == members


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_pack_says_how_a_warning_is_handled(name: str) -> None:
    handling = load_handling(PACKS / name)

    assert sorted(handling.results) == list("ABCDEFGHIJ")
    assert {code for code, result in handling.results.items() if result.ground} == set("FGHIJ")
    assert (handling.limits["red"].dispatch, handling.limits["red"].visit) == (0, 2)
    assert handling.limits["blue"].revisit is None


# handbook 04 §4.1: ● and ○ of each measure, and who gives it
MEASURES = {
    "TK_AID": ("民政", {"TK"}),
    "DB_AID": ("民政", {"DB", "BY"}),
    "MED_PREMIUM": ("医保", {"TK", "DB", "BY", "FP"}),
    "EDU_AID": ("教育", {"TK", "DB", "BY", "GX", "FP"}),
    "HOUSE_AID": ("住建", {"TK", "DB", "BY", "FP"}),
    "JOB_AID": ("人社", {"DB", "BY", "GX", "FP"}),
    "DIS_LIVING": ("民政", {"DB"}),
    "LEGAL_AID": ("司法", {"TK", "DB", "BY"}),
    "UTILITY_AID": ("民政", {"TK", "DB", "BY"}),
}


@pytest.mark.parametrize(("code", "department", "categories"), [(c, *row) for c, row in MEASURES.items()])
def test_a_measure_goes_to_whom_the_handbook_gives_it(
    code: str, department: str, categories: set[str]
) -> None:
    measure = shipped("cn").measures[code]

    assert measure.department == department
    assert set(measure.categories) == categories


def test_emergency_and_temporary_aid_are_open_to_people_outside_every_category() -> None:
    pack = shipped("cn")
    codes = {category.code for category in pack.categories}

    for code in ("LS_AID", "DIS_AID", "CHARITY"):
        assert set(pack.measures[code].categories) == codes


def test_every_indicator_of_the_handbook_is_there_with_its_colours() -> None:
    pack = shipped("cn")
    up = {"M1": "红橙", "M2": "黄", "D1": "橙黄", "U1": "黄", "E1": "黄", "E2": "橙", "S1": "红", "H1": "红橙", "P1": "橙",
          "P2": "红", "C1": "红", "R1": "黄", "L1": "橙", "X1": "升"}  # fmt: skip
    down = {
        "K1": "红",
        "K2": "橙",
        "K3": "橙",
        "K4": "橙",
        "K5": "黄",
        "K6": "黄",
        "K7": "黄",
        "K8": "橙",
        "K9": "黄",
    }
    words = {"red": "红", "orange": "橙", "yellow": "黄", "raise": "升"}

    found = {code: "".join(words[level] for level in i.levels) for code, i in pack.indicators.items()}

    assert found == up | down
    assert {code for code, i in pack.indicators.items() if i.up} == up.keys()
    assert [(rule.of, rule.count, rule.becomes) for rule in pack.merge_rules] == [
        ("yellow", 2, "orange"),
        ("orange", 2, "red"),
    ]
