"""Births, deaths, moves and mistakes: what each changes, that it can be told beforehand, and taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import (
    AreaRecord,
    CategoryRecord,
    Household,
    Membership,
    Person,
    SearchTerm,
    SupportTie,
)
from doudi.engine.errors import DoudiError
from tests import small_county as sc
from tests.small_county import make_id

ON = date(2024, 11, 20)
GROUND = "依据：户口簿和证明原件"


def people(household_no: str) -> dict[str, str]:
    """Name → relation of the members as known now."""
    facts = Membership.objects.as_known().filter(household__household_no=household_no)
    return {fact.person.name: fact.relation for fact in facts.select_related("person")}


def person(name: str) -> Person:
    return Person.objects.get(name=name)


def everything() -> dict[str, Any]:
    """What the registry says now, whatever rows it says it with."""
    members = Membership.objects.as_known().values_list(
        "household__household_no", "person__name", "relation", "registered", "living_together", "valid_from"
    )
    labels = CategoryRecord.objects.as_known().values_list(
        "household__household_no", "person__name", "category", "left_on", "valid_from"
    )
    ties = SupportTie.objects.as_known().values_list("obligor__name", "supported__name", "kind")
    areas = AreaRecord.objects.as_known().values_list("household__household_no", "responsible_region")
    homes = Household.objects.filter(listed=True).values_list(
        "household_no", "head_name", "persons", "category", "region_code", "responsible_region"
    )
    who = Person.objects.filter(merged_into=None).values_list("name", "id_number", "died_on")
    return {
        "members": sorted(map(str, members)),
        "labels": sorted(map(str, labels)),
        "ties": sorted(map(str, ties)),
        "homes": sorted(map(str, homes)),
        "people": sorted(str(row) for row in who if row[0] != "新人"),
        "areas": sorted(map(str, areas)),
    }


def index_is_true() -> bool:
    """Whether the index that finds people is what it would be if it were built anew."""
    columns = ("term", "household_id", "person_id", "region_code")
    stood = sorted((bytes(row[0]), *row[1:]) for row in SearchTerm.objects.values_list(*columns))
    registry.index_everything()
    return stood == sorted((bytes(row[0]), *row[1:]) for row in SearchTerm.objects.values_list(*columns))


def said_of(kind: str) -> tuple[str, dict[str, Any]]:
    """A household and what is said, for one event of every kind."""
    wei, li, guo = (str(person(name).pk) for name in ("张伟", "李丽", "赵国"))
    return {
        "birth": ("H001", {"name": "新人", "id_number": make_id("20241120", 12), "relation": "女"}),
        "death": ("H001", {"person": wei, "new_head": li}),
        "marriage": (
            "H002",
            {
                "person": str(person("王强").pk),
                "spouse_name": "赵敏",
                "spouse_id": sc.ZHAO_MIN,
                "where": "joins",
                "new_head": guo,
            },
        ),
        "divorce": (
            "H001",
            {"person": wei, "spouse": li, "where": "spouse_leaves", "new_number": "H001-2"},
        ),
        "split": ("H003", {"people": [guo], "head": guo, "new_number": "H003-2"}),
        "merge_households": ("H001", {"other_number": "H002", "relation": "兄弟姐妹"}),
        "head_change": ("H001", {"new_head": li, "leaves": "no"}),
        "leave": ("H003", {"person": guo, "to_number": "H002", "relation": "父"}),
        "move": ("H001", {"responsible_region": sc.TOWNSHIP_B}),
        "id_change": ("H001", {"person": wei, "id_number": make_id("19800101", 13), "reason": "wrong"}),
        "living": ("H001", {"person": li, "living": "no", "basis": "prison"}),
        "lodger": (
            "H002",
            {"name": "赵国", "id_number": sc.ZHAO_GUO, "relation": "其他", "basis": "support_duty"},
        ),
        "tie": (
            "H003",
            {
                "person": guo,
                "side": "receives",
                "name": "赵敏",
                "id_number": sc.ZHAO_MIN,
                "kind": "parent",
                "amount_fen": 30000,
                "amount_basis": "court",
                "evidence": "判决书",
            },
        ),
        "recognise": (
            "H002",
            {
                "people": [str(person("王强").pk)],
                "category": "低保",
                "decided_by": "县民政局",
                "source": "own",
                "document_no": "民〔2024〕1号",
            },
        ),
        "leave_category": (
            "H001",
            {"people": [wei, li], "category": "低保", "exit_reason": "收入超过标准"},
        ),
    }[kind]


EXPECTED: dict[str, Callable[[], bool]] = {
    "birth": lambda: people("H001") == {"张伟": "户主", "李丽": "配偶", "新人": "女"},
    "death": lambda: people("H001") == {"李丽": "户主"} and person("张伟").died_on == ON,
    "marriage": lambda: (
        people("H002") == {"王强": "户主", "赵敏": "配偶"} and people("H003") == {"赵国": "户主"}
    ),
    "divorce": lambda: people("H001") == {"张伟": "户主"} and people("H001-2") == {"李丽": "户主"},
    "split": lambda: people("H003") == {"赵敏": "户主"} and people("H003-2") == {"赵国": "户主"},
    "merge_households": lambda: (
        people("H001") == {"张伟": "户主", "李丽": "配偶", "王强": "兄弟姐妹"}
        and not Household.objects.get(household_no="H002").listed
    ),
    "head_change": lambda: people("H001") == {"张伟": "配偶", "李丽": "户主"},
    "leave": lambda: people("H003") == {"赵敏": "户主"} and people("H002") == {"王强": "户主", "赵国": "父"},
    "move": lambda: (
        Household.objects.get(household_no="H001").responsible_region == sc.TOWNSHIP_B
        and Household.objects.get(household_no="H001").region_code == sc.TOWNSHIP_A
    ),
    "id_change": lambda: (
        registry.person_by_id(sc.ZHANG_WEI) == person("张伟")
        and registry.person_by_id(make_id("19800101", 13)) == person("张伟")
    ),
    "living": lambda: not Membership.objects.as_known().get(person__name="李丽").living_together,
    "lodger": lambda: people("H002") == {"王强": "户主", "赵国": "其他"} and "赵国" in people("H003"),
    "tie": lambda: SupportTie.objects.as_known().get(kind="parent").amount_fen == 30000,
    "recognise": lambda: Household.objects.get(household_no="H002").category == "低保",
    "leave_category": lambda: Household.objects.get(household_no="H001").category == "",
}


def test_every_kind_of_event_has_its_story() -> None:
    assert set(EXPECTED) == set(registry.KINDS)


@pytest.mark.parametrize("kind", EXPECTED)
def test_an_event_is_told_done_and_taken_back(county: Any, by: Any, kind: str) -> None:
    household_no, said = said_of(kind)
    before = everything()

    lines = registry.preview(household_no, kind, on=ON, said=said, by=by)
    assert lines and everything() == before

    event = registry.change(household_no, kind, on=ON, said=said, ground=GROUND, by=by)
    assert EXPECTED[kind]()
    assert registry.told_of(event, by=by) == lines
    assert index_is_true()

    registry.undo_change(event.number, ground="登记有误，撤销", by=by)
    assert index_is_true()
    after = everything()
    if kind == "move":  # that the areas are dated now stays, as what was known
        del before["areas"], after["areas"]
    assert after == before


def test_what_was_known_then_is_one_question(county: Any, by: Any) -> None:
    from django.utils import timezone

    def known(at: Any, on: date) -> set[str]:
        found = Membership.objects.as_known(at=at, valid_on=on).filter(household__household_no="H003")
        return set(found.values_list("person__name", flat=True))

    before = timezone.now()
    guo = str(person("赵国").pk)
    event = registry.change("H003", "death", on=ON, said={"person": guo}, ground=GROUND, by=by)
    between = timezone.now()
    registry.undo_change(event.number, ground="同名同姓，登记错人", by=by)
    after = timezone.now()

    day_before, day_after = date(2024, 11, 19), date(2024, 11, 21)
    assert [known(at, day_after) for at in (before, between, after)] == [
        {"赵敏", "赵国"},
        {"赵敏"},
        {"赵敏", "赵国"},
    ]
    assert all(known(at, day_before) == {"赵敏", "赵国"} for at in (before, between, after))
    assert known(before, date(2024, 11, 14)) == set()


def test_two_records_become_one_person_and_two_again(county: Any, by: Any) -> None:
    wrong = make_id("19750303", 35)
    registry.change(
        "H003",
        "lodger",
        on=ON,
        said={"name": "王强", "id_number": wrong, "relation": "其他", "basis": "other"},
        ground=GROUND,
        by=by,
    )
    keep, away = registry.person_by_id(sc.WANG_QIANG), registry.person_by_id(wrong)
    before = everything()

    merge = registry.merge_people(keep, away, ground="证件号差一位，村委会证明为同一人", by=by)

    assert registry.person_by_id(wrong) == keep
    homes = Membership.objects.as_known().filter(person=keep)
    assert set(homes.values_list("household__household_no", flat=True)) == {"H002", "H003"}
    assert not Membership.objects.as_known().filter(person=away).exists()
    assert index_is_true()

    registry.unmerge(merge, ground="核实是两个人", by=by)

    assert registry.person_by_id(wrong) == away
    assert everything() == before and index_is_true()


def test_an_event_that_later_ones_stand_on_is_not_taken_back(county: Any, by: Any) -> None:
    said = said_of("split")[1]
    first = registry.change("H003", "split", on=ON, said=said, ground=GROUND, by=by)
    later = registry.change(
        "H003-2", "death", on=ON, said={"person": str(person("赵国").pk)}, ground=GROUND, by=by
    )

    with pytest.raises(DoudiError) as refused:
        registry.undo_change(first.number, ground="想要撤销", by=by)

    assert later.number in refused.value.zh
    registry.undo_change(later.number, ground="先撤后来的", by=by)
    registry.undo_change(first.number, ground="再撤先前的", by=by)
    assert people("H003") == {"赵敏": "户主", "赵国": "父"}
