"""Lists of people and people who stand twice, by the API: the same rows, masks and decisions as at the workbench."""

from __future__ import annotations

from datetime import date

import pytest

from doudi import chain
from doudi.contexts.registry.models import DuplicatePair, Person
from tests import small_county as sc
from tests.cast import Cast
from tests.contexts.test_people_who_stand_twice import TWIN_OF_ZHANG, enter_again


def names(answer) -> list[str]:
    return [row["name"] for row in answer.json()["items"]]


def test_a_list_of_people_is_narrowed_and_goes_on_by_its_mark(county: Cast, desk) -> None:
    officer = desk(county.county)

    everybody, after = [], ""
    while True:
        page = officer.get("/persons", limit=2, after=after).json()
        everybody += [row["name"] for row in page["items"]]
        after = page["next"]
        if not after:
            break

    assert sorted(everybody) == sorted(["张伟", "李丽", "王强", "赵敏", "赵国"])
    assert names(officer.get("/persons", urban_rural="农村", sex="女")) == ["赵敏"]
    assert names(officer.get("/persons", category="none")) == ["王强"]
    assert names(officer.get("/persons", warned="true", alone="true")) == ["王强"]
    assert names(officer.get("/persons", text="zhao")) == ["赵国", "赵敏"]
    assert officer.get("/persons", age_from=200).status_code == 422
    assert officer.get("/persons", after="nonsense").status_code == 422


def test_people_are_masked_and_of_the_own_area(county: Cast, desk) -> None:
    (row,) = desk(county.county).post("/persons/search", {"text": sc.WANG_QIANG}).json()["items"]
    (seen,) = desk(county.director).get("/persons", alone="true").json()["items"]

    assert (row["household_no"], row["relation"], row["phone"]) == ("H002", "户主", "100****4321")
    assert sc.WANG_QIANG not in str(row) and row["id_shown"].endswith(sc.WANG_QIANG[-4:])
    assert seen["name"] == "王*"
    assert names(desk(county.other_township).get("/persons")) == ["赵国", "赵敏"]
    assert names(desk(county.stranger).get("/persons")) == []
    assert desk(county.county).get("/persons", text=sc.WANG_QIANG).json()["code"] == "id_in_address"
    assert desk(county.director).post("/persons/search", {"text": sc.WANG_QIANG}).status_code == 403


@pytest.fixture
def pair(county: Cast) -> DuplicatePair:
    old = Person.objects.get(name="张伟")
    enter_again(old, id_number=TWIN_OF_ZHANG, name="张玮", born_on=old.born_on.replace(year=1981))
    chain.find_duplicates(by=county.county)
    return DuplicatePair.objects.get()


def test_a_pair_is_found_decided_once_and_taken_back(county: Cast, desk, pair: DuplicatePair) -> None:
    officer = desk(county.county)

    found = officer.post("/duplicates/find", {}).json()
    (row,) = officer.get("/duplicates").json()["items"]
    verdict = {"verdict": "same", "ground": "核对身份证原件", "keep": pair.first_id}
    done = officer.post(f"/duplicates/{pair.pk}/decide", verdict).json()
    late = officer.post(f"/duplicates/{pair.pk}/decide", verdict)
    event = officer.get(f"/changes/{done['merge_number']}").json()
    again = officer.post(f"/duplicates/{pair.pk}/reopen", {"ground": "原件看错了"}).json()

    assert (found["people"], found["new"], found["again"]) == (6, 0, 1)
    assert "姓名同音（张伟／张玮）" in [reason["zh"] for reason in row["reasons"]]
    assert [side["id_shown"][:10] for side in row["sides"]] == ["529900***0", "529900***1"]
    assert done["status"] == "same" and "并入张伟" in event["lines"][0]
    assert (late.status_code, late.json()["code"]) == (422, "pair_decided")
    assert (again["status"], again["merge_number"]) == ("doubtful", "")


def test_who_is_about_to_be_entered_is_asked_for_and_only_the_county_decides(
    county: Cast, desk, pair: DuplicatePair
) -> None:
    clerk = desk(county.township)

    told = clerk.post("/duplicates/check", {"name": "王墙", "id_number": sc.WANG_QIANG}).json()
    elsewhere = clerk.post("/duplicates/check", {"name": "赵国", "id_number": sc.ZHAO_GUO}).json()
    verdict = {"verdict": "different", "ground": "入户见到两人"}

    assert [one["household_no"] for one in told] == ["H002"]
    assert [(one["elsewhere"], one["name"], one["household_no"]) for one in elsewhere] == [(True, "赵*", "")]
    assert clerk.post(f"/duplicates/{pair.pk}/decide", verdict).status_code == 403
    assert desk(county.stranger).get(f"/duplicates/{pair.pk}").status_code == 404


def test_what_a_household_was_and_what_was_known_of_it_is_one_question(county: Cast, desk) -> None:
    officer = desk(county.county)
    wei, li = (Person.objects.get(name=name).pk for name in ("张伟", "李丽"))
    body = {
        "kind": "death",
        "on": "2024-11-20",
        "said": {"person": wei, "new_head": str(li)},
        "ground": "依据：火化证明",
    }
    assert officer.post("/households/H001/changes", body).status_code == 200
    today = date.today().isoformat()

    then = officer.get("/households/H001", valid_on="2024-11-19").json()
    now = officer.get("/households/H001", valid_on=today).json()
    unknown = officer.get("/households/H001", valid_on="2024-11-25", known_on="2024-11-18").json()

    assert (then["head_name"], then["persons"], then["category"]) == ("张伟", 2, "低保")
    assert (now["head_name"], now["persons"], now["category"]) == ("李丽", 1, "低保")
    assert (unknown["persons"], unknown["members"]) == (0, []), "on 18 November nothing was recorded yet"
