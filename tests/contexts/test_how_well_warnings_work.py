"""Quality of monitoring (handbook 02 §2.7, worked case 10): each number with the list behind it, by two roads."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.monitoring.models import Signal, Visit, WarningCase
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import HOUSEHOLDS, Conditions
from tests import small_county as sc

pytestmark = pytest.mark.django_db
FIRST, LAST = date(2024, 3, 1), date(2024, 3, 31)
MONDAY = date(2024, 3, 4)


def case(
    number: int, *, result: str = "", region: str = sc.TOWNSHIP_A, visited: date | None = None, **more
) -> WarningCase:
    made = WarningCase.objects.create(
        number=f"W{number}", household_no=more.pop("household", f"X{number}"), region_code=region, level="orange",
        level_rank=3, found_category="NONE", change="same", opened_on=more.pop("opened", MONDAY), as_of=MONDAY,
        status=more.pop("status", "closed" if result else "dispatched"), result_code=result, **more,
    )  # fmt: skip
    Signal.objects.create(case=made, code="M1" if number % 2 else "U1", first_seen=MONDAY, last_seen=MONDAY)
    if result:
        Visit.objects.create(
            case=made,
            visited_on=visited or MONDAY,
            visitors="甲、乙",
            result_code=result,
            finding="x",
            recorded_by="x",
        )
    return made


def told(by, **options):
    return chain.quality(first=options.get("first", FIRST), last=options.get("last", LAST), by=by)


def test_worked_case_10_seventy_of_a_hundred(db, office, by) -> None:
    results = ["ABCDE"[n % 5] for n in range(120)] + ["H"] * 20 + ["FGIJ"[n % 4] for n in range(60)]
    for number, result in enumerate(results):
        case(number, result=result)
    case(900)
    case(901, result="A", visited=date(2024, 4, 1))

    found = told(by)
    precision = found.whole["precision"]

    assert (precision.above, precision.below, precision.share) == (140, 200, 0.7)
    assert len(monitoring.behind(found, "precision", counts="no")) == 60
    assert monitoring.precision_in_the_database(first=FIRST, last=LAST, by=by) == (140, 200)
    parts = [found.by_code[code]["precision"].below for code in ("M1", "U1")]
    assert sum(parts) == 200 and len(monitoring.behind(found, "precision", code="M1")) == parts[0]


def test_visited_within_the_limit_among_those_due(db, office, by) -> None:
    at = timezone.make_aware(timezone.datetime(2024, 3, 4, 9))
    case(1, result="A", visited=date(2024, 3, 11), dispatched_at=at)
    case(2, result="A", visited=date(2024, 3, 12), dispatched_at=at)
    case(3, dispatched_at=at)
    case(4)

    timeliness = told(by).whole["timeliness"]

    assert {item.number: item.counts for item in timeliness.items} == {"W1": True, "W2": False, "W3": False}
    assert {item.on for item in timeliness.items} == {date(2024, 3, 11)}


def test_new_recipients_who_had_been_warned_of_before(county, by) -> None:
    case(1, household="H001", status="cleared", opened=date(2023, 12, 1))
    case(2, household="H003", status="cleared", region=sc.TOWNSHIP_B, opened=date(2024, 1, 1))

    found = told(by, first=date(2024, 1, 1), last=date(2024, 1, 31))

    assert {item.number: item.counts for item in found.whole["coverage"].items} == {
        "H001": True,
        "H003": False,
    }
    assert found.by_township[sc.TOWNSHIP_B]["coverage"].share == 0.0
    assert told(by, first=date(2020, 1, 1), last=date(2020, 2, 1)).whole["coverage"].share is None


def test_an_area_sees_its_own_figures(county, make_user) -> None:
    case(1, result="A")
    case(2, result="A", region="610102001")
    here, there = make_user("here", "county", "520102"), make_user("there", "director", "610102")

    assert [item.number for item in told(here).whole["precision"].items] == ["W1"]
    assert [item.number for item in told(there).whole["precision"].items] == ["W2"]


def test_silent_villages_are_where_households_live_and_nobody_was_warned_of(county, by) -> None:
    from doudi.contexts.registry.models import Household

    Household.objects.filter(household_no="H001").update(region_code="520102016001")
    Household.objects.filter(household_no="H002").update(region_code="520102016002")
    case(1, household="H002", status="cleared")

    found = told(by)

    assert found.silent == (("520102016001", 1),)
    assert found.village_unknown == 1, (
        "of H003 the register names the township alone: nobody says that all is well there"
    )
    behind = registry.list_page(HOUSEHOLDS, Conditions(lives_in="520102016001"), by=by)
    assert [row.household.household_no for row in behind.rows] == ["H001"]


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    today = date(2024, 12, 31)
    with pytest.raises(monitoring.PeriodInvalid):
        monitoring.period(today, today - timedelta(days=1), today=today)
    assert monitoring.period(None, None, today=today) == (date(2024, 1, 2), today)
