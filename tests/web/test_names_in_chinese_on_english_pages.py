"""Names of places stay Chinese on an English page, and are marked so that they are read aloud as Chinese."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse
from django.utils import translation

from doudi.contexts.meals.services import Diner
from doudi.web.templatetags.doudi import days_to, grouped
from tests.web.test_the_kitchen_in_english import left_over


@pytest.mark.parametrize(
    "name",
    [
        "households",
        "persons",
        "dashboard",
        "quality",
        "statistics",
        "reports",
        "back_test",
        "audit",
        "outcomes",
    ],
)
def test_place_names_in_lists_and_tables_are_marked(county, browser, name: str) -> None:
    desk = browser(county.auditor if name == "audit" else county.county, "en")

    answer = desk.get(reverse(name))

    assert answer.status_code == 200
    assert left_over(answer.content.decode()) == []


def test_the_page_of_a_household_and_its_heading_are_marked(county, browser) -> None:
    page = browser(county.county, "en").get(reverse("household", args=["H001"])).content.decode()

    assert [line for line in left_over(page) if "街道" in line or "区" in line] == []
    assert f'<span lang="zh-Hans">{county.county.display_name}</span>' in page


def test_a_time_without_an_end_is_told_from_when_it_runs() -> None:
    first, last = date(2024, 1, 1), date(2024, 12, 31)

    with translation.override("zh-hans"):
        assert days_to(first, last) == "<time>2024-01-01</time> – <time>2024-12-31</time>"
        assert days_to(first, None) == "<time>自 2024-01-01 起</time>"
    with translation.override("en"):
        assert days_to(first, None) == "<time>from 2024-01-01</time>"


def test_people_are_counted_in_groups_of_three() -> None:
    assert (grouped(2436914.0), grouped(45), grouped(None)) == ("2,436,914", "45", "—")


def test_a_security_warning_waits_to_be_checked_and_not_to_be_visited(cast, browser) -> None:
    page = browser(cast.admin, "en").get(reverse("security")).content.decode()

    assert "Not checked yet" in page and "To visit" not in page


def test_an_elder_who_applied_for_meals_is_to_be_checked_and_not_to_be_visited() -> None:
    with translation.override("en"):
        assert translation.gettext(str(Diner.Status.APPLIED.label)) == "To be checked"
