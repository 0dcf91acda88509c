"""One subsidy a meal and day over all places, none after death, in custody or hospital: with either pack, from the files."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.meals import services as meals
from tests.a_meal_place import POINT, cook, open_canteen, tap, today
from tests.cast import Cast, assemble
from tests.conftest import PROJECT
from tests.small_county import TOWNSHIP_B, ZHAO_GUO

SINCE = today() - timedelta(days=3)


@pytest.fixture(params=["reference", "cn"])
def pack(request, settings) -> str:
    settings.PACK = PROJECT / "packs" / request.param
    return request.param


@pytest.fixture
def cast(pack: str, county) -> Cast:
    return assemble()


@pytest.fixture
def places(cast) -> list[meals.Site]:
    made = [open_canteen(cast), open_canteen(cast, code=POINT, organisation="CT-520102-1")]
    for place in made:
        cook(cast, place)
    return made


@pytest.fixture
def old_man(cast, places) -> meals.Diner:
    told = meals.Enrolment(
        name="赵国", id_number=ZHAO_GUO, region_code=TOWNSHIP_B, site_code=places[0].code, channel="village",
        consent_on=today(), consent_by="本人", consent_how="本人签字", registered_region="520102",
    )  # fmt: skip
    return chain.enrol_diner(told, by=cast.county)


def take_in(folder: Path, feed: str, row: dict[str, str]) -> None:
    """A department's file of one row, as of today, with the columns that the pack's feed asks for."""
    columns = chain.rules()[0].feeds[feed].columns
    path = folder / f"{feed}.csv"
    lines = [",".join(one.label for one in columns), ",".join(row.get(one.name, "") for one in columns)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    chain.take_in_file(feed, path, as_of=today(), by=accounts.system_user())


def eat(cast: Cast, place: meals.Site, person: meals.Diner, meal: str = "lunch") -> meals.MealServed:
    return chain.serve_meal(place.code, tap(person, meal=meal, list_fen=2000), by=cast.canteen).serving


def test_one_subsidy_a_meal_and_a_day_over_all_places(cast, places, old_man) -> None:
    first, elsewhere = (eat(cast, place, old_man) for place in places)
    dinner = eat(cast, places[0], old_man, "dinner")

    assert first.subsidy_fen > 0
    assert (elsewhere.subsidy_fen, dinner.subsidy_fen) == (0, 0)


def test_none_in_custody(cast, places, old_man, tmp_path, nobody_died) -> None:
    take_in(tmp_path, "custody", {"name": "赵国", "id_number": ZHAO_GUO, "from_on": f"{SINCE}"})
    chain.follow_register(on=today(), by=cast.county)

    assert eat(cast, places[0], old_man).subsidy_fen == 0
    assert old_man.stops.get().kind == "custody"


def test_none_in_hospital_by_the_insurers_file_or_by_the_township(
    cast, places, old_man, tmp_path, pack, nobody_died
) -> None:
    if pack == "cn":
        take_in(tmp_path, "hospital", {"name": "赵国", "id_number": ZHAO_GUO, "admitted_on": f"{SINCE}"})
        chain.follow_register(on=today(), by=cast.county)
    else:
        # the reference pack holds the twenty-four feeds of the contract and no other
        assert "hospital" not in chain.rules()[0].feeds
        meals.record_stop(old_man, kind="hospital", since=SINCE, source="村医", by=cast.county)

    served = eat(cast, places[0], old_man)

    assert served.subsidy_fen == 0 and any("住院" in line["zh"] for line in served.receipt)


def test_none_after_death_that_a_file_tells_before_the_register_does(cast, places, old_man) -> None:
    followed = chain.follow_register(on=today(), by=cast.county)

    stop = old_man.stops.get()
    assert (followed.stops, stop.kind, f"{stop.since}") == (1, "death", "2024-10-01")
    assert eat(cast, places[0], old_man).subsidy_fen == 0
    assert chain.follow_register(on=today(), by=cast.county).stops == 0
