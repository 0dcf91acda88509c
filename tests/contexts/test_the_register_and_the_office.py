"""A register that comes after an event confirms it or disputes it; it never undoes it silently."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import EventPerson, Household, Membership, Person
from doudi.engine.errors import DoudiError
from tests import small_county as sc

ON = date(2024, 11, 20)
LATER = date(2024, 12, 1)
GROUND = "死亡医学证明原件"


def names(household_no: str) -> set[str]:
    return set(
        Membership.objects.as_known()
        .filter(household__household_no=household_no)
        .values_list("person__name", flat=True)
    )


def load_register(folder: Path, rows: list[list[str]], by: Any, as_of: date = LATER) -> None:
    path = folder / f"register-{as_of}.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([sc.REGISTER_HEADER, *rows])
    chain.take_in_file("household_register", path, as_of=as_of, by=by)


def death_of_guo(by: Any) -> Any:
    key = str(Person.objects.get(name="赵国").pk)
    return registry.change("H003", "death", on=ON, said={"person": key}, ground=GROUND, by=by)


def test_a_later_register_that_agrees_confirms(county: Path, by: Any, tmp_path: Path) -> None:
    event = death_of_guo(by)

    load_register(tmp_path, [row for row in sc.REGISTER if row[0] != "赵国"], by)

    assert EventPerson.objects.get(event=event).word == EventPerson.Word.CONFIRMED
    with pytest.raises(DoudiError) as refused:
        registry.undo_change(event.number, ground="想要撤销", by=by)
    assert str(LATER) in refused.value.zh


def test_a_later_register_that_differs_is_shown_and_settled(county: Path, by: Any, tmp_path: Path) -> None:
    death_of_guo(by)

    load_register(tmp_path, sc.REGISTER, by)

    assert names("H003") == {"赵敏"}
    (difference,) = registry.differences(by=by)
    assert [row[:2] for row in difference.said] == [["H003", "父"]]
    registry.settle(difference.pk, follow_register=False, ground="已核对死亡证明", by=by)
    assert names("H003") == {"赵敏"} and not registry.differences(by=by)

    load_register(tmp_path, [*sc.REGISTER[:-1]], by, as_of=date(2025, 1, 1))
    assert not registry.differences(by=by)


def test_following_the_register_brings_its_word_back(county: Path, by: Any, tmp_path: Path) -> None:
    death_of_guo(by)
    load_register(tmp_path, sc.REGISTER, by)

    registry.settle(registry.differences(by=by)[0].pk, follow_register=True, ground="死亡登记有误", by=by)

    assert names("H003") == {"赵敏", "赵国"}
    assert Person.objects.get(name="赵国").died_on is None


def test_where_a_family_lived_before_a_register_moved_it_stays_known(
    county: Path, by: Any, tmp_path: Path
) -> None:
    moved = [[*row[:4], sc.TOWNSHIP_B, *row[5:]] if row[2] == "H001" else row for row in sc.REGISTER]
    before = timezone.now()
    load_register(tmp_path, moved, by, date(2024, 12, 10))
    home = Household.objects.get(household_no="H001")

    def area(**then: Any) -> str:
        return registry.household_then(home, **then).region_code

    assert home.region_code == sc.TOWNSHIP_B
    assert area(on=date(2024, 12, 1)) == sc.TOWNSHIP_A
    assert area(on=date(2024, 12, 10)) == sc.TOWNSHIP_B
    assert area(on=date(2024, 12, 10), known_at=before) == sc.TOWNSHIP_A, "on that day nobody knew yet"

    registry.entrust(home, sc.TOWNSHIP_A)
    then, now = registry.household_then(home, on=date(2024, 12, 20)), registry.household_then(home)
    assert (then.responsible_region, now.responsible_region) == (sc.TOWNSHIP_B, sc.TOWNSHIP_A)


def test_a_number_of_two_counties_refuses_the_register(county: Path, by: Any, tmp_path: Path) -> None:
    other = ["外人", sc.make_id("19700707", 77), "H002", "户主", "520103001", *sc.REGISTER[2][5:]]

    with pytest.raises(DoudiError) as refused:
        load_register(tmp_path, [*sc.REGISTER[:2], other, *sc.REGISTER[3:]], by)

    assert refused.value.code == "household_number_shared"
    assert names("H002") == {"王强"} and Household.objects.get(household_no="H002").listed


def test_a_township_proposes_and_the_county_confirms(county: Path, make_user: Any) -> None:
    clerk = make_user("clerk", "township", sc.TOWNSHIP_B)
    neighbour = make_user("neighbour", "township", sc.TOWNSHIP_A)
    officer = make_user("officer", "county", "520102")

    event = death_of_guo(clerk)

    assert event.status == "proposed" and names("H003") == {"赵敏", "赵国"}
    with pytest.raises(NotAllowed):
        registry.confirm_change(event.number, by=clerk)
    with pytest.raises(DoudiError):
        registry.change_of(event.number, by=neighbour)
    registry.confirm_change(event.number, by=officer)
    assert names("H003") == {"赵敏"}
    with pytest.raises(DoudiError):
        registry.confirm_change(event.number, by=officer)
