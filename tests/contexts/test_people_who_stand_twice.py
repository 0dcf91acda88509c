"""查重: found, decided, asked once, merged and taken apart; each office sees its own."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed, read_audit
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import (
    CategoryRecord,
    DuplicatePair,
    Household,
    Membership,
    Person,
)
from doudi.contexts.registry.people import ID_PURPOSE
from doudi.engine.errors import DoudiError
from doudi.engine.packs.duplicates import load_duplicate_rules
from doudi.house.keyring import keyring
from tests.cast import Cast, assemble
from tests.contexts.test_what_happens_to_people import everything
from tests.small_county import WANG_QIANG, ZHAO_GUO, make_id

RULES = load_duplicate_rules(Path("packs/cn"))
TWIN_OF_ZHANG = make_id("19810101", 11)  # one digit of the birth year beside ZHANG_WEI's


@pytest.fixture
def cast(county: Path) -> Cast:
    return assemble()


def enter_again(old: Person, *, id_number: str, **other: Any) -> Person:
    """The same person in a second household of the township, as another clerk entered them."""
    from doudi.contexts.registry.models import FeedLoad, Household, Membership

    home = old.memberships.get().household
    facts = {
        "name": old.name,
        "sex": old.sex,
        "born_on": old.born_on,
        "address": old.address,
        "phone": old.phone,
    }
    person = Person.objects.create(
        id_number=id_number, id_blind=keyring().digest(id_number, purpose=ID_PURPOSE), **{**facts, **other}
    )
    second = Household.objects.create(
        household_no=f"N{person.pk}",
        region_code=home.region_code,
        responsible_region=home.responsible_region,
        urban_rural=home.urban_rural,
        head_name=person.name,
        persons=1,
    )
    load = FeedLoad.objects.first()
    Membership.objects.create(
        household=second,
        person=person,
        relation="户主",
        living_together=True,
        valid_from=load.as_of,
        load=load,
    )
    registry.index_households([second.pk])
    return person


def find(*, by: Any, rules: Any = RULES) -> registry.SearchOutcome:
    return registry.find_duplicates(rules, by=by, merge=chain.merge_people)


@pytest.fixture
def pair(cast: Cast) -> DuplicatePair:
    """张伟 is in the register a second time as 张玮, with a wrong digit in the birth year."""
    old = Person.objects.get(name="张伟")
    enter_again(old, id_number=TWIN_OF_ZHANG, name="张玮", born_on=old.born_on.replace(year=1981))
    outcome = find(by=cast.county)
    assert (outcome.new, outcome.merged) == (1, 0)
    return DuplicatePair.objects.get()


def test_a_person_entered_twice_is_found_with_reasons_and_masked_numbers(
    cast: Cast, pair: DuplicatePair
) -> None:
    shown = registry.look_at_pair(pair.pk, by=cast.county)

    said = [reason.zh for reason in shown.reasons]
    assert said[0] == "姓名同音（张伟／张玮）"
    assert said[1] == "证件号差一位或相邻两位颠倒（第10位 0／1）"
    assert said[3:] == ["住址相同", "电话相同"]
    left, right = ("".join(sign for sign, _ in side.id_signs) for side in shown.sides)
    assert left[:10] == "529900***0" and right[:10] == "529900***1"
    assert "view_duplicates" in [entry.act for entry in read_audit(by=cast.auditor)]


def test_two_people_are_not_asked_about_again_until_their_data_change(
    cast: Cast, pair: DuplicatePair
) -> None:
    chain.decide_pair(pair.pk, verdict="different", ground="入户见到两人，是堂兄弟", by=cast.county)

    again = find(by=cast.county)
    assert (again.new, again.again, again.settled) == (0, 0, 1)
    Person.objects.filter(pk=pair.second_id).update(name="张伟")
    changed = find(by=cast.county)

    assert (changed.new, changed.again) == (0, 1)
    pair.refresh_from_db()
    assert pair.status == "waiting"


def test_a_pair_that_a_correction_made_unlike_leaves_the_queue(cast: Cast, pair: DuplicatePair) -> None:
    other = make_id("19551112", 402)
    Person.objects.filter(pk=pair.second_id).update(
        name="吴建国", id_number=other, born_on="1955-11-12", address="别处9号", phone=""
    )

    assert find(by=cast.county).gone == 1
    pair.refresh_from_db()
    assert pair.status == "gone"


def hits(text: str, by: Any) -> list[tuple[str, str]]:
    return [(hit.person.name, hit.household.household_no) for hit in registry.find(text, by=by).hits]


def test_one_person_is_merged_in_the_same_step_and_can_be_two_again(cast: Cast, pair: DuplicatePair) -> None:
    keep, away = pair.first, pair.second
    second = away.memberships.get().household
    before = everything()
    assert hits("zhangwei", cast.county) == [("张伟", "H001"), ("张玮", second.household_no)]

    decided = chain.decide_pair(
        pair.pk, verdict="same", ground="核对身份证原件", keep=keep.pk, by=cast.county
    )

    assert decided.status == "same" and registry.change_of(decided.merge_number, by=cast.county)
    assert registry.person_by_id(TWIN_OF_ZHANG) == keep
    assert {one.person.pk for one in registry.find(TWIN_OF_ZHANG, by=cast.county).hits} == {keep.pk}
    again = find(by=cast.county)
    assert (again.new, again.again, again.gone) == (0, 0, 0)
    (entered,) = chain.possible_duplicates(by=cast.township, name="张玮", id_number=TWIN_OF_ZHANG)
    assert (entered.person_id, entered.former_number) == (keep.pk, True)

    reopened = chain.reopen_pair(pair.pk, ground="原件看错了", by=cast.county)

    assert (reopened.status, reopened.merge_number) == ("doubtful", "")
    assert everything() == before
    assert hits("zhangwei", cast.county) == [("张伟", "H001"), ("张玮", second.household_no)]
    assert hits(TWIN_OF_ZHANG, cast.county) == [("张玮", second.household_no)]


def test_who_stands_in_two_households_after_a_merge_is_listed_until_one_is_left(
    cast: Cast, pair: DuplicatePair
) -> None:
    ground = "核对身份证原件"
    chain.decide_pair(pair.pk, verdict="same", ground=ground, keep=pair.first_id, by=cast.county)
    second = pair.second.memberships.first().household.household_no

    (waiting,) = registry.left_in_two_homes(by=cast.county)
    assert (waiting.person.name, [home.household_no for home in waiting.households]) == (
        "张伟",
        ["H001", second],
    )
    assert registry.left_in_two_homes(by=cast.stranger) == []

    chain.record_change(
        second, "leave", on=date(2024, 11, 20), ground="村委会证明只住一户", by=cast.county,
        said={"person": str(pair.first_id), "to_number": "H001"},
    )  # fmt: skip

    assert registry.left_in_two_homes(by=cast.county) == []
    homes = Membership.objects.as_known().filter(person=pair.first_id)
    assert [home.household.household_no for home in homes] == ["H001"]
    labels = CategoryRecord.objects.as_known().filter(person=pair.first_id).exclude(category="")
    assert [(label.household.household_no, label.category) for label in labels] == [("H001", "低保")]
    assert not Household.objects.get(household_no=second).listed


def test_a_merge_taken_back_from_the_event_opens_the_pair_too(cast: Cast, pair: DuplicatePair) -> None:
    decided = chain.decide_pair(
        pair.pk, verdict="same", ground="核对身份证原件", keep=pair.first_id, by=cast.county
    )

    chain.undo_change(decided.merge_number, ground="原件看错了", by=cast.county)

    pair.refresh_from_db()
    assert (pair.status, pair.ground, pair.merge_number) == ("doubtful", "原件看错了", "")
    assert find(by=cast.county).again == 1


def test_a_merge_that_later_facts_stand_on_is_not_taken_back(cast: Cast, pair: DuplicatePair) -> None:
    chain.decide_pair(pair.pk, verdict="same", ground="核对身份证原件", keep=pair.first_id, by=cast.county)
    other = pair.second.memberships.first().household.household_no
    joined = registry.change(
        "H001",
        "merge_households",
        on=date(2024, 11, 20),
        said={"other_number": other, "relation": "其他"},
        ground="合并后同一人在两户",
        by=cast.county,
    )

    assert hits("zhangwei", cast.county) == [("张伟", "H001")]
    with pytest.raises(DoudiError, match=joined.number):
        chain.reopen_pair(pair.pk, ground="原件看错了", by=cast.county)
    pair.refresh_from_db()
    assert pair.status == "same"


def test_of_three_alike_the_last_two_questions_are_closed_by_the_merges(
    cast: Cast, pair: DuplicatePair
) -> None:
    third = make_id("19800110", 11)
    enter_again(pair.first, id_number=third, born_on=date(1980, 1, 10))
    find(by=cast.county)
    assert DuplicatePair.objects.filter(status="waiting").count() == 3

    chain.decide_pair(pair.pk, verdict="same", ground="核对身份证原件", keep=pair.first_id, by=cast.county)
    left = DuplicatePair.objects.get(first=pair.second)
    with pytest.raises(registry.ChangeRefused, match="已并入"):
        chain.decide_pair(
            left.pk, verdict="same", ground="核对身份证原件", keep=left.first_id, by=cast.county
        )
    assert find(by=cast.county).gone == 1
    chain.reopen_pair(pair.pk, ground="原件看错了", by=cast.county)

    assert find(by=cast.county).again == 3
    left.refresh_from_db()
    assert left.status == "waiting"


def test_a_merge_that_fails_leaves_the_pair_undecided(cast: Cast, pair: DuplicatePair) -> None:
    def refuses(*_: Any, **__: Any) -> Any:
        raise DoudiError("不行", "no", code="change_refused")

    with pytest.raises(DoudiError):
        registry.decide_pair(
            pair.pk,
            verdict="same",
            ground="核对身份证原件",
            keep=pair.first_id,
            merge=refuses,
            by=cast.county,
        )

    pair.refresh_from_db()
    assert (pair.status, pair.decided_by) == ("waiting", "")


def test_two_officers_decide_and_the_first_wins(cast: Cast, pair: DuplicatePair) -> None:
    chain.decide_pair(pair.pk, verdict="different", ground="入户见到两人", by=cast.county)

    with pytest.raises(registry.PairDecided, match="county"):
        registry.decide_pair(
            pair.pk,
            verdict="same",
            ground="核对身份证原件",
            keep=pair.first_id,
            merge=chain.merge_people,
            by=cast.county,
        )


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"ground": "是"}, "ground_missing"),
        ({"verdict": ""}, "verdict_missing"),
        ({"keep": 0}, "keep_missing"),
    ],
)
def test_a_decision_needs_verdict_ground_and_the_record_that_stays(
    cast: Cast, pair: DuplicatePair, wrong: dict[str, Any], code: str
) -> None:
    asked = {"verdict": "same", "ground": "核对身份证原件", "keep": pair.first_id}
    with pytest.raises(DoudiError) as refused:
        chain.decide_pair(pair.pk, by=cast.county, **{**asked, **wrong})

    assert refused.value.code == code


def test_only_the_county_decides_and_others_see_their_area(cast: Cast, pair: DuplicatePair) -> None:
    assert [p.pk for p in registry.duplicate_pairs(by=cast.township)] == [pair.pk]
    for outsider in (cast.other_township, cast.stranger):
        assert not registry.duplicate_pairs(by=outsider).exists()
        with pytest.raises(registry.PairNotFound):
            registry.look_at_pair(pair.pk, by=outsider)
    with pytest.raises(NotAllowed):
        chain.decide_pair(pair.pk, verdict="different", ground="入户见到两人", by=cast.township)
    masked = registry.look_at_pair(pair.pk, by=cast.auditor)
    assert masked.sides[0].name == "张*" and "伟" not in "".join(reason.zh for reason in masked.reasons)


def test_a_pair_across_two_townships_is_for_the_county(cast: Cast, pair: DuplicatePair) -> None:
    DuplicatePair.objects.update(second_region="520102017")

    assert not registry.duplicate_pairs(by=cast.township).exists()
    assert registry.duplicate_counts(by=cast.township)["beyond"] == 1
    assert registry.duplicate_pairs(by=cast.county).count() == 1


def test_nothing_is_merged_by_itself_until_the_pack_says_so(cast: Cast, pair: DuplicatePair) -> None:
    assert find(by=cast.county).merged == 0

    assert find(by=cast.county, rules=replace(RULES, merge_at=0.95)).merged == 1

    pair.refresh_from_db()
    assert pair.status == "same" and "自动合并概率 0.95" in pair.ground
    assert registry.person_by_id(TWIN_OF_ZHANG) == pair.first


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "王强", "id_number": WANG_QIANG},
        {"name": "王墙", "id_number": WANG_QIANG[:16] + "5" + WANG_QIANG[17]},
        {"name": "王蔷", "id_number": make_id("19750303", 83)},
        {"name": "王強", "id_number": WANG_QIANG[:6] + WANG_QIANG[8:17]},
        {"name": "王强", "id_number": "", "address": "虚构路2号", "phone": "10087654321"},
    ],
)
def test_who_is_about_to_be_entered_twice_is_told_at_the_window(cast: Cast, asked: dict[str, str]) -> None:
    found = chain.possible_duplicates(by=cast.township, **asked)

    assert [one.name for one in found] == ["王强"]
    assert (found[0].household_no, found[0].elsewhere) == ("H002", False)
    entry = next(entry for entry in read_audit(by=cast.auditor) if entry.act == "check_duplicate")
    assert WANG_QIANG not in str(entry.detail)


def test_of_somebody_elsewhere_only_the_area_is_told(cast: Cast) -> None:
    (found,) = chain.possible_duplicates(by=cast.township, name="赵国", id_number=ZHAO_GUO)

    assert (found.elsewhere, found.name, found.id_shown, found.household_no) == (True, "赵*", "", "")
    assert found.region_code == "520102017"


def test_a_new_person_is_nobody_on_the_register(cast: Cast) -> None:
    assert (
        chain.possible_duplicates(by=cast.township, name="冯春花", id_number=make_id("19660606", 302)) == []
    )
    with pytest.raises(DoudiError, match="至少填写"):
        chain.possible_duplicates(by=cast.township, name=" ")
