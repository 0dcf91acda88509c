"""A clerk types what is at hand, and the right family comes up, in the own area alone."""

from __future__ import annotations

from datetime import date

import pytest

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.registry import finding
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.finding import Kind, find, understood
from doudi.contexts.registry.models import SearchTerm
from doudi.engine.pinyin import spellings
from tests import small_county as sc

pytestmark = pytest.mark.django_db


def names(text: str, by, **options) -> list[str]:
    return [hit.person.name for hit in find(text, by=by, **options).hits]


@pytest.mark.parametrize(
    ("typed", "kinds"),
    [
        (sc.WANG_QIANG, [Kind.ID]),
        (f" {sc.WANG_QIANG[:6]} {sc.WANG_QIANG[6:]} ", [Kind.ID]),
        ("１００８７６５４３２１", [Kind.PHONE, Kind.HOUSEHOLD, Kind.HOUSEHOLD_END]),
        ("033x", [Kind.ID_TAIL, Kind.HOUSEHOLD, Kind.HOUSEHOLD_END]),
        ("4321", [Kind.ID_TAIL, Kind.PHONE_TAIL, Kind.HOUSEHOLD, Kind.HOUSEHOLD_END]),
        ("zs", [Kind.INITIALS, Kind.PINYIN, Kind.HOUSEHOLD, Kind.HOUSEHOLD_END]),
        ("张 三", [Kind.NAME, Kind.HOUSEHOLD, Kind.NAME_PART]),
        ("H001", [Kind.HOUSEHOLD, Kind.HOUSEHOLD_END]),
        ("   ", []),
    ],
)
def test_the_box_understands_what_was_typed(typed: str, kinds: list[Kind]) -> None:
    assert [part.kind for part in understood(typed)] == kinds


@pytest.mark.parametrize(
    ("name", "typed"),
    [("单丽", "shanli"), ("单丽", "danli"), ("单丽", "sl"), ("曾强", "zengqiang"), ("曾强", "cq"), ("吕布", "lvbu"),
     ("吕布", "lubu"), ("尉迟恭", "ycg"), ("仇和", "qiuhe"), ("仇和", "chouhe")],
)  # fmt: skip
def test_a_surname_of_two_readings_is_spelt_both_ways(name: str, typed: str) -> None:
    assert any(typed in pair for pair in spellings(name))


AT_HAND = [
    ("王", ["王强"]),
    ("强", ["王强"]),
    ("張", ["张伟"]),
    ("wq", ["王强"]),
    ("WangQ", ["王强"]),
    ("zhao", ["赵国", "赵敏"]),
    (sc.ZHAO_GUO, ["赵国"]),
    (sc.LI_LI[-4:], ["李丽"]),
    (sc.LI_LI[-6:], ["李丽"]),
    ("100-8765-4321", ["王强"]),
    ("5678", ["张伟"]),
    ("h00", ["张伟", "王强", "赵敏"]),
    ("003", ["赵敏"]),
    ("不存在", []),
    ("%", []),
    ("_", []),
]


def test_people_are_found_by_what_is_at_hand(county, by) -> None:
    for typed, found in AT_HAND:
        assert sorted(names(typed, by)) == sorted(found), typed


def test_only_the_own_area_answers(county, make_user) -> None:
    here = make_user("worker", "township", sc.TOWNSHIP_A)
    elsewhere = make_user("stranger", "county", "610102")

    assert names("赵", here) == [] and names("zm", here) == [] and names(sc.ZHAO_MIN, here) == []
    assert names("王", here) == ["王强"]
    assert names("王", here, region_code=sc.TOWNSHIP_B) == []
    assert names("王", elsewhere) == [] and names(sc.WANG_QIANG[-4:], elsewhere) == []


def test_a_search_by_number_is_a_look_and_stands_in_the_log(county, make_user) -> None:
    officer, director = make_user("officer", "county", "520102"), make_user("boss", "director", "520102")

    find(sc.WANG_QIANG[-4:], by=officer)
    find("王", by=officer)
    with pytest.raises(NotAllowed):
        find("10087654321", by=director)
    assert names(sc.WANG_QIANG[-4:], director) == []

    auditor = make_user("checker", "auditor", "520102")
    entry = accounts.audit_entries(by=auditor, act="search_identity").get()
    assert entry.actor == "officer"
    assert "4321" not in str(entry.detail) and sc.WANG_QIANG not in str(entry.detail)


def test_no_number_stands_in_the_index(county) -> None:
    terms = b" ".join(bytes(term) for term in SearchTerm.objects.values_list("term", flat=True))

    for number in (sc.WANG_QIANG, sc.LI_LI[-6:], "10087654321", "4321"):
        assert number.encode() not in terms


def test_pages_follow_each_other_and_miss_nobody(county, by) -> None:
    shown, after = [], ""
    for _page in range(20):
        page = find("h0", by=by, limit=1, after=after)
        shown += [hit.household.household_no for hit in page.hits]
        after = page.next
        if not after:
            break

    assert shown == ["H001", "H002", "H003"]


def test_a_page_mark_of_another_hand_is_refused(county, by) -> None:
    for mark in ("x", "AAAA", "é"):
        with pytest.raises(finding.CursorInvalid):
            find("王", by=by, after=mark)


def test_who_is_renamed_moves_or_leaves_is_found_anew(county, by, tmp_path) -> None:
    header, rows = sc.REGISTER_HEADER, [list(row) for row in sc.REGISTER[:3]]
    rows[2][0], rows[2][10], rows[1][4], rows[0][4] = "王小强", "10011112222", sc.TOWNSHIP_B, sc.TOWNSHIP_B
    chain.take_in_file(
        "household_register", sc.write_csv(tmp_path / "r.csv", header, rows), as_of=date(2024, 12, 1), by=by
    )

    assert names("小", by) == ["王小强"] and names("10011112222", by) == ["王小强"]
    assert names("10087654321", by) == [] and names("赵", by) == []
    assert names("张", by, region_code=sc.TOWNSHIP_B) == ["张伟"]


GROUND = "依据：户口簿和证明原件"
EVENT_DAY = date(2024, 11, 20)


def test_a_child_is_found_from_its_birth_on(county, by) -> None:
    said = {"name": "张小兰", "id_number": sc.make_id("20241120", 12), "relation": "女"}

    birth = registry.change("H001", "birth", on=EVENT_DAY, said=said, ground=GROUND, by=by)
    assert names("zhangxiaolan", by) == names("zxl", by) == ["张小兰"]

    chain.undo_change(birth.number, ground="登记有误，撤销", by=by)
    assert names("zxl", by) == []


def test_a_corrected_number_finds_the_person_and_so_does_the_former_one(county, by) -> None:
    right = sc.make_id("19750303", 53)
    key = str(registry.person_by_id(sc.WANG_QIANG).pk)

    registry.change(
        "H002",
        "id_change",
        on=EVENT_DAY,
        said={"person": key, "id_number": right, "reason": "wrong"},
        ground=GROUND,
        by=by,
    )

    for typed in (right, sc.WANG_QIANG, right[-4:], sc.WANG_QIANG[-4:]):
        assert names(typed, by) == ["王强"]
    (entered,) = chain.possible_duplicates(name="王强", id_number=sc.WANG_QIANG, by=by)
    assert (entered.household_no, entered.former_number) == ("H002", True)


def test_one_person_entered_twice_is_found_once_after_the_merge_and_twice_again(county, by) -> None:
    twin = sc.make_id("19750303", 35)
    said = {"name": "王强", "id_number": twin, "relation": "其他", "basis": "other"}
    registry.change("H002", "lodger", on=EVENT_DAY, said=said, ground=GROUND, by=by)
    assert names("wangqiang", by) == ["王强", "王强"]
    keep, away = registry.person_by_id(sc.WANG_QIANG), registry.person_by_id(twin)

    merge = chain.merge_people(keep, away, ground="村委会证明为同一人", by=by)
    assert names("wangqiang", by) == names(twin, by) == names(sc.WANG_QIANG, by) == ["王强"]

    chain.undo_change(merge.number, ground="核实是两个人", by=by)
    assert names("wangqiang", by) == ["王强", "王强"]
    assert find(twin, by=by).hits[0].person == away


def test_a_register_that_names_both_numbers_keeps_the_name_of_the_present_one(county, by, tmp_path) -> None:
    twin = sc.make_id("19750303", 35)
    said = {"name": "王墙", "id_number": twin, "relation": "其他", "basis": "other"}
    registry.change("H003", "lodger", on=EVENT_DAY, said=said, ground=GROUND, by=by)
    keep = registry.person_by_id(sc.WANG_QIANG)
    chain.merge_people(keep, registry.person_by_id(twin), ground="村委会证明为同一人", by=by)
    again = ["王墙", twin, "H003", "其他", *sc.REGISTER[3][4:10], "10099999999", "虚构村3号"]
    header, rows = sc.REGISTER_HEADER, [*sc.REGISTER, again]
    chain.take_in_file(
        "household_register", sc.write_csv(tmp_path / "r.csv", header, rows), as_of=date(2024, 12, 1), by=by
    )

    keep.refresh_from_db()
    assert (keep.name, keep.phone) == ("王强", "10087654321")
    assert {hit.person for hit in find("wangqiang", by=by).hits} == {keep}


def test_who_answers_for_a_household_finds_it(county, by, make_user) -> None:
    there = make_user("there", "township", sc.TOWNSHIP_B)
    assert names("王", there) == []

    registry.entrust(registry.household("H002", by=by), sc.TOWNSHIP_B)

    assert names("王", there) == ["王强"]


def test_the_whole_index_can_be_built_anew(county, by) -> None:
    stood = set(SearchTerm.objects.values_list("term", "person_id", "region_code"))

    finding.index_everything()

    assert {
        (bytes(t), p, r) for t, p, r in SearchTerm.objects.values_list("term", "person_id", "region_code")
    } == {(bytes(t), p, r) for t, p, r in stood}
