"""Every address, every role: a page, a way elsewhere, or a refusal in plain words; never a fault of ours."""

from __future__ import annotations

import pytest
from django.urls import get_resolver, reverse

from doudi.contexts.accounts.services import POLICY, Act, Role
from doudi.web.guard import Entry, Route
from doudi.web.urls import ROUTES
from tests.small_county import TOWNSHIP_A

PUBLIC = {
    "check_report",
    "healthz",
    "login",
    "logout",
    "set_language",
    "set_large",
    "tell",
    "tell_status",
    "apply",
    "apply_progress",
    "apply_papers",
    "charity_home",
    "charity_ventures",
    "charity_campaigns",
    "charity_campaign",
    "charity_projects",
    "charity_photo",
    "charity_project",
    "charity_disclosures",
    "charity_disclosure",
    "charity_disclosure_book",
    "charity_needs",
    "charity_gift",
    "field",
    "field_worker",
    "field_manifest",
    "courier",
    "courier_worker",
    "courier_manifest",
    "open_scores",
    "rate_meal",
    "meal_family",
    "meal_join",
    "complain_of_meal",
    "service_receipt",
    "sign_on",
    "sign_on_back",
}
WARNING = "YJ20241115-H002"
ARGUMENTS = {
    "blind": "A01",
    "year": 2025,
    "kind": "death",
    "token": "0" * 24,
    "number": WARNING,
    "household_no": "H002",
    "person": 1,
    "measure": "precision",
    "pk": 1,
    "place": 1,
    "username": "township",
    "report_no": "XS20241115-0001",
    "code": "M1",
    "form": "docx",
    "source": "deposit",
    "step": "query",
    "letter_no": "SQ20241115-0001-受理-1",
    "resource_no": "ZY-520102-0001",
}


def address(route: Route, **other: object) -> str:
    names = [part.split(":")[1] for part in route.pattern.replace(">", "<").split("<") if ":" in part]
    return reverse(route.name, kwargs={name: {**ARGUMENTS, **other}[name] for name in names})


def test_no_address_stands_outside_the_table() -> None:
    patterns = {str(pattern.pattern) for pattern in get_resolver("doudi.web.urls").url_patterns}

    assert patterns == {route.pattern for route in ROUTES}


def test_only_the_doorstep_is_public() -> None:
    assert {route.name for route in ROUTES if route.policy is Entry.PUBLIC} == PUBLIC


WHOLE_OFFICE = (Act.LOAD_FEEDS, Act.VIEW_LOADS, Act.SCREEN)
"""Acts on department files of everybody: another county's officer is refused."""


@pytest.mark.parametrize("route", [r for r in ROUTES if r.policy is not Entry.PUBLIC], ids=lambda r: r.name)
@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.django_db
def test_a_passer_by_is_sent_to_the_log_in(client, route: Route, method: str) -> None:
    answer = getattr(client, method)(address(route))

    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("login"))


def test_each_role_gets_what_the_table_says_and_never_a_fault(county, browser) -> None:
    for person in county.everybody():
        desk = browser(person)
        for route in ROUTES:
            if route.name == "logout":
                continue
            for method in ("get", "post"):
                answer = getattr(desk, method)(address(route))
                where = f"{person.username} {method} {route.name}: {answer.status_code}"
                if route.policy in WHOLE_OFFICE and person is county.stranger:
                    assert answer.status_code in (302, 400, 403, 405, 422), where
                elif (
                    route.policy in (Entry.PUBLIC, Entry.SIGNED_IN)
                    or Role(person.role) in POLICY[route.policy]
                ):
                    assert answer.status_code in (200, 302, 400, 404, 405, 422), where
                    assert answer.status_code != 405 or method == "post" or route.policy is Entry.PUBLIC, (
                        where
                    )
                else:
                    assert answer.status_code == 403, where
                    assert person.username in answer.content.decode(), where


def test_rows_of_another_area_are_not_there(county, browser) -> None:
    here = ["warning", "household", "dispatch", "visit", "measure", "push", "close", "reveal"]
    routes = [route for route in ROUTES if route.name in here]

    for person in (county.stranger, county.other_township):
        desk = browser(person)
        for route in routes:
            ask = desk.get if route.name in ("warning", "household") else desk.post
            answer = ask(address(route))
            assert answer.status_code in (403, 404), f"{person.username} {route.name} {answer.status_code}"
            assert "王强" not in answer.content.decode()

    assert TOWNSHIP_A not in browser(county.stranger).get(reverse("warnings")).content.decode()


def test_foreign_numbers_are_neither_listed_nor_found(county, browser) -> None:
    desk = browser(county.stranger)

    lists = [
        desk.get(reverse(name), {"status": "all"}).content.decode() for name in ("warnings", "inbox", "home")
    ]
    searched = desk.post(reverse("households"), {"text": "王强"}).content.decode()

    assert not any("H002" in page or "王强" in page for page in lists)
    assert "没有符合条件的家庭" in searched
