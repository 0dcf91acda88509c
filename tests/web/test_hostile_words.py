"""What means harm stays words: scripts in names, SQL in filters, ways elsewhere, ways upward, forms of other sites."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse

from doudi.contexts.accounts.services import POLICY, Role
from doudi.contexts.registry.models import Household, Person
from doudi.web.guard import Entry, Route
from doudi.web.urls import ROUTES
from tests.web.test_every_route_has_a_policy import address
from tests.web.test_the_frame import Outline

EVERYTHING = bool(os.environ.get("DOUDI_HOSTILE"))
"""Every injection on every page, and two people; part of ``make prove``."""
SCRIPT = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>{{7*7}}${7*7}"
LIVE = ("<script>alert(1)", "<img src=x", "onerror=alert(2)>{{")
FILTERS = (
    "text", "q", "status", "level", "code", "region", "page", "page_size", "sort", "on", "valid_on", "known_on", "as_of",
    "since", "until", "from", "to", "kind", "state", "category", "actor", "act", "subject", "after", "month", "next", "tab",
    "site", "week", "day", "number", "feed", "purpose",
)  # fmt: skip
INJECTIONS = (
    "' or 1=1 --",
    "1; drop table accounts_user; --",
    '") union select password from accounts_user --',
    "9" * 40,
    "-1",
    "2024-02-30",
    "\x00",
    "%",
    "../../../../etc/passwd",
    SCRIPT,
)


def _pages(user) -> Iterator[Route]:
    """What the person may read, but for ways out and downloads of other kinds."""
    for route in ROUTES:
        allowed = route.policy in (Entry.PUBLIC, Entry.SIGNED_IN) or (
            not isinstance(route.policy, Entry) and Role(user.role) in POLICY[route.policy]
        )
        if allowed and route.name not in ("logout", "set_language", "set_large"):
            yield route


def _is_page(answer) -> bool:
    return answer.get("Content-Type", "").startswith("text/html")


def test_a_script_in_a_name_stays_words_on_every_page(county, browser):
    Person.objects.filter(name="王强").update(name=SCRIPT[:80], address=SCRIPT, phone=SCRIPT)
    Household.objects.filter(household_no="H002").update(head_name=SCRIPT[:80])
    seen = 0
    for user in (county.county, county.township)[: 2 if EVERYTHING else 1]:
        user.display_name = SCRIPT[:60]
        user.save()
        desk = browser(user)
        for route in _pages(user):
            answer = desk.get(address(route))
            if not _is_page(answer):
                continue
            text = answer.content.decode()
            seen += "alert(1)" in text
            assert not any(live in text for live in LIVE), f"{user.username} {route.name}"
            assert Outline(text).handlers == [], route.name
            assert "49$49" not in text and "{{49" not in text, f"{route.name} evaluates what people type"
    assert seen > 20, "the name must really have been on the pages"


def test_nothing_typed_into_a_filter_breaks_or_runs(county, browser):
    """Each page with every filter name at once and one of the injections; with ``DOUDI_HOSTILE`` with each."""
    desk = browser(county.county)
    users = county.county.__class__.objects.count()
    for number, route in enumerate(_pages(county.county)):
        for injection in INJECTIONS if EVERYTHING else (INJECTIONS[number % len(INJECTIONS)],):
            answer = desk.get(address(route), dict.fromkeys(FILTERS, injection))
            where = f"{route.name} {injection!r} {answer.status_code}"
            assert answer.status_code < 500, where
            if _is_page(answer):
                text = answer.content.decode()
                assert not any(live in text for live in LIVE), where
                assert "pbkdf2_" not in text and "md5$" not in text, where
    assert county.county.__class__.objects.count() == users


@pytest.mark.parametrize("injection", INJECTIONS)
def test_the_search_box_takes_anything(county, browser, injection):
    answer = browser(county.county).post(reverse("households"), {"text": injection})

    assert answer.status_code in (200, 400, 422)
    assert not any(live in answer.content.decode() for live in LIVE)
    assert "H001" not in answer.content.decode(), "what matches nothing finds nobody"


@pytest.mark.parametrize(
    "there",
    [
        "https://elsewhere.example/", "//elsewhere.example", "///elsewhere.example", "/\\elsewhere.example",
        "http:elsewhere.example", "javascript:alert(1)", "\thttps://elsewhere.example", "https:/elsewhere.example",
        "https://127.0.0.1@elsewhere.example/", "data:text/html,x", "/%0d%0aLocation:%20https://elsewhere.example",
    ],
)  # fmt: skip
def test_nobody_is_led_elsewhere(cast, there):
    from tests.cast import PASSWORD

    client = Client()
    answer = client.post(reverse("login"), {"username": "county", "password": PASSWORD, "next": there})
    assert answer["Location"].startswith("/") and not answer["Location"].startswith(("//", "/\\")), answer[
        "Location"
    ]
    for name, field in (("set_language", "language"), ("set_large", "large")):
        to = client.post(reverse(name), {field: "en", "next": there})["Location"]
        assert to.startswith("/") and not to.startswith(("//", "/\\")), f"{name} {to}"
    cast.county.refresh_from_db()


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../etc/passwd", "/static/%2e%2e/%2e%2e/house/settings.py", "/static/..%2f..%2fguard.py",
        "/warnings/../../etc/passwd/", "/warnings/%2e%2e%2f%2e%2e%2fetc%2fpasswd/", "/households/..%5c..%5cboot.ini/",
        "/exports/return/..%2f..%2fkeys/", "/households/%00/", "/field/../manage.py", "/.git/config", "/keys/keyring.json",
    ],
)  # fmt: skip
def test_no_way_leads_upward(county, browser, path):
    answer = browser(county.county).get(path)

    assert answer.status_code in (301, 302, 400, 404), f"{path} {answer.status_code}"
    assert b"root:" not in answer.content and b"SECRET_KEY" not in answer.content


def test_every_page_has_the_headers_that_keep_it_to_itself(county, browser):
    desk = browser(county.county)
    for route in _pages(county.county):
        answer = desk.get(address(route))
        where = f"{route.name} {answer.status_code}"
        assert answer["X-Content-Type-Options"] == "nosniff", where
        if not _is_page(answer):
            continue
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer["Content-Security-Policy"].split(";")
            if " " in part.strip()
        )
        assert policy["script-src"] == "'self'", where
        assert policy["object-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'", where
        assert policy["form-action"] == "'self'" and "unsafe-eval" not in answer["Content-Security-Policy"], (
            where
        )
        assert answer["X-Frame-Options"] == "DENY", where
        assert answer["Referrer-Policy"] == "same-origin", where
        if route.policy is not Entry.PUBLIC:
            assert answer["Cache-Control"] == "private, no-store", where
    assert desk.cookies["sessionid"]["httponly"] and desk.cookies["sessionid"]["samesite"] == "Lax"


def test_behind_tls_cookies_and_pages_are_for_tls_alone(monkeypatch):
    """The settings as a deployment behind a proxy has them, read in a process of its own."""
    import subprocess
    import sys

    script = (
        "import os,tempfile;os.environ.update(DOUDI_HOME=tempfile.mkdtemp(),DOUDI_TLS='true');"
        "from doudi.house import settings as s;"
        "print(s.SESSION_COOKIE_SECURE,s.CSRF_COOKIE_SECURE,s.SECURE_HSTS_SECONDS>=31536000,s.DEBUG)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()

    assert said == ["True", "True", "True", "False"]


def test_a_form_of_another_site_changes_nothing_anywhere(county):
    """Every address that takes a form, signed in, without the token."""
    outside = Client(enforce_csrf_checks=True)
    outside.force_login(county.county, backend="django.contrib.auth.backends.ModelBackend")
    for route in _pages(county.county):
        answer = outside.post(address(route), {"x": "1"})
        assert answer.status_code in (403, 405), f"{route.name} {answer.status_code}"


def test_a_form_of_too_many_fields_is_refused(cast):
    answer = Client().post(reverse("login"), {f"f{number}": "x" for number in range(3000)})

    assert answer.status_code == 400


def test_no_template_turns_escaping_off():
    from pathlib import Path

    for path in (Path("src/doudi/web/templates")).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe\b|autoescape\s+off|mark_safe", text), path
    forbidden = re.compile(
        r"\bmark_safe\(|\.extra\(|\beval\(|\bexec\(|pickle\.loads|yaml\.load\([^)]*Loader=yaml\.(?:Loader|UnsafeLoader)"
    )
    for path in Path("src/doudi").rglob("*.py"):
        assert not forbidden.search(path.read_text(encoding="utf-8")), path


def test_no_workbook_takes_a_cell_for_a_formula():
    """Every place that writes a workbook says so; openpyxl alone writes a worksheet of numbers that the pack made."""
    from pathlib import Path

    writers = 0
    for path in Path("src/doudi").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for found in re.finditer(r"xlsxwriter\.Workbook\(", source):
            writers += 1
            assert '"strings_to_formulas": False' in source[found.start() : found.start() + 400], path
    assert writers >= 6
