"""The pages that a whole province opens at once ask the database a bounded number of things, however long their lists are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from doudi import chain
from doudi.contexts.accounts.models import OwnPerson
from doudi.contexts.monitoring.models import Signal, WarningCase
from tests import small_county as sc

OFFICERS = (
    # page, account, most queries: measured at 3 to 5 fewer
    ("home", "county", 42),
    ("home", "township", 30),
    ("home", "director", 20),
    ("warnings", "county", 12),
    ("warnings", "township", 12),
    ("clocks", "county", 12),
    ("clocks", "township", 12),
    ("households", "county", 14),
)
PUBLIC = (
    ("charity_home", 6),
    ("charity_needs", 4),
    ("charity_projects", 3),
    ("open_scores", 2),
    ("apply_progress", 0),
    ("tell", 5),
    ("tell_status", 0),
    ("login", 0),
)


def _asked(desk: Client, address: str) -> int:
    desk.get(address)  # what is read once a process is not counted
    with CaptureQueriesContext(connection) as asked:
        assert desk.get(address).status_code == 200
    return len(asked)


def _open_warnings(count: int) -> None:
    for number in range(count):
        case = WarningCase.objects.create(
            number=f"YJ-C{number}", household_no=f"C{number}", head_name="张某", region_code=f"{sc.TOWNSHIP_A}001",
            level="red", level_rank=4, found_category="DB", change="same", status="dispatched",
            opened_on="2024-11-15", as_of="2024-11-15", due_on="2024-11-20",
        )  # fmt: skip
        Signal.objects.create(case=case, code="M1", first_seen="2024-11-15", last_seen="2024-11-15")


@pytest.mark.parametrize(("page", "who", "most"), OFFICERS)
def test_an_officers_page_is_bounded_whatever_the_list_holds(county, browser, page, who, most) -> None:
    desk = browser(getattr(county, who))
    few = _asked(desk, reverse(page))

    _open_warnings(30)

    many = _asked(desk, reverse(page))
    assert many <= most
    assert many <= few + 3  # the lists that were empty, not their rows


@pytest.mark.parametrize(("page", "most"), PUBLIC)
def test_a_public_page_is_bounded(county, page, most) -> None:
    asked = _asked(Client(), reverse(page))
    assert asked <= most


def test_a_warning_asks_for_little_more_than_what_it_shows(county, browser) -> None:
    number = WarningCase.objects.filter(status="new").values_list("number", flat=True)[0]

    asked = _asked(browser(county.county), reverse("warning", args=[number]))

    assert asked <= 28


def test_an_officers_kin_are_read_once_a_page(county, browser) -> None:
    with CaptureQueriesContext(connection) as asked:
        browser(county.county).get(reverse("home"))

    about = [one for one in asked.captured_queries if OwnPerson._meta.db_table in one["sql"]]
    assert len(about) == 1


def test_a_warning_says_what_its_screen_saw_until_the_next_screen(county, tmp_path) -> None:
    case = WarningCase.objects.get(household_no="H002")
    another = ["王强", sc.WANG_QIANG, "2024-07-01", "100", "50", "否"]
    chain.take_in_file(
        "medical",
        sc.write_csv(tmp_path / "医疗2.csv", sc.MEDICAL_HEADER, [another]),
        as_of=case.as_of,
        by=county.county,
    )

    def medical_bill(found) -> set[str]:
        return {part.sentence for part in found.variables if "30050" in part.sentence.replace(",", "")}

    assert not medical_bill(chain.explain_screened("H002", as_of=case.as_of))
    assert medical_bill(chain.explain("H002", as_of=case.as_of))


def test_a_closed_warning_leads_to_the_explanation_and_does_not_compute_it(
    county, browser, monkeypatch
) -> None:
    case = WarningCase.objects.filter(status="new").first()
    WarningCase.objects.filter(pk=case.pk).update(status="closed")
    monkeypatch.setattr(chain, "explain_screened", lambda *_args, **_named: pytest.fail("computed"))

    page = browser(county.county).get(reverse("warning", args=[case.number])).content.decode()

    there = f"{reverse('household', args=[case.household_no])}?on={case.as_of:%Y-%m-%d}#h-variables"
    assert there in page and "每一项的数值、参数和依据" in page
