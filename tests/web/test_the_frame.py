"""What holds for every page: no foreign address, no script inside the page, every field with its label."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.urls import reverse

WEB = Path(__file__).parents[2] / "src" / "doudi" / "web"
PAGES = (
    "home",
    "warnings",
    "households",
    "inbox",
    "loads",
    "dashboard",
    "audit",
    "users",
    "password",
    "account",
    "second_factor",
    "privacy",
    "looks",
)


class Outline(HTMLParser):
    """The parts of a page that people with a keyboard or a screen reader depend on."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.labels: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.scripts: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.handlers: list[str] = []
        self.inside_label = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.handlers += [name for name in found if name.startswith("on")]
        if "id" in found:
            self.ids.append(str(found["id"]))
        if tag == "label":
            self.inside_label = True
            if found.get("for"):
                self.labels.add(str(found["for"]))
        elif tag in ("select", "textarea") or (
            tag == "input" and found.get("type") not in ("hidden", "submit")
        ):
            # a field inside its label is labelled by it (HTML, 4.10.4)
            own = "its own" if self.inside_label else None
            self.fields.append({**found, "aria-label": found.get("aria-label") or own})
        elif tag == "script":
            self.scripts.append(found)
        elif re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self.inside_label = False


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """Pages by account and address, fetched by the first test that asks."""
    return {}


@pytest.fixture
def pages(county, browser, shown: dict[str, str]) -> dict[str, str]:
    if shown:
        return shown
    for person in county.everybody():
        desk = browser(person)
        addresses = [reverse(name) for name in PAGES]
        addresses += [reverse("warning", args=["YJ20241115-H002"]), reverse("household", args=["H002"])]
        for address in addresses:
            answer = desk.get(address)
            if answer.status_code == 200:
                shown[f"{person.username} {address}"] = answer.content.decode()
    return shown


def test_every_field_has_a_label_every_id_is_one_and_headings_leave_no_step_out(pages) -> None:
    assert len(pages) > 30
    for where, page in pages.items():
        outline = Outline(page)
        for field in outline.fields:
            assert field.get("aria-label") or field.get("id") in outline.labels, f"{where}: {field}"
        assert len(outline.ids) == len(set(outline.ids)), where
        assert outline.headings.count(1) == 1, where
        steps = zip(outline.headings, outline.headings[1:], strict=False)
        assert all(after <= before + 1 for before, after in steps), where


def test_no_page_has_a_script_or_a_handler_inside_it(pages) -> None:
    for where, page in pages.items():
        outline = Outline(page)
        assert outline.handlers == [], where
        assert all(
            str(script.get("src", "")).startswith("/static/") or script.get("type") == "application/json"
            for script in outline.scripts
        ), where


def test_no_page_calls_a_foreign_address(pages) -> None:
    for where, page in pages.items():
        addresses = re.findall(r'(?:src|href|action)="([^"]*)"', page)
        assert all(not re.match(r"https?:|//", address) for address in addresses), where


def test_scripts_come_from_the_house_alone(cast, browser) -> None:
    policy = browser(cast.county).get("/")["Content-Security-Policy"]

    assert "script-src 'self';" in policy + ";" and "unsafe-eval" not in policy


def test_what_the_pages_ask_for_is_there() -> None:
    if finders.find("vendor/echarts/echarts.min.js") is None:
        pytest.skip("前端文件尚未取得（tools/frontend.py）/ front-end files not fetched")
    for path in (WEB / "templates").rglob("*.html"):
        for name in re.findall(r"{% static '([^']+)' %}", path.read_text(encoding="utf-8")):
            assert finders.find(name), f"{path.name}: {name}"


def test_the_stylesheet_stays_small() -> None:
    assert (WEB / "static" / "doudi" / "doudi.css").stat().st_size < 30_000


def luminance(colour: str) -> float:
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_is_readable_on_its_ground() -> None:
    css = (WEB / "static" / "doudi" / "doudi.css").read_text(encoding="utf-8")
    named = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6})", css))
    grounds = [named[name] for name in ("paper", "ground", "soft")]
    pairs = [(named[ink], ground) for ink in ("ink", "quiet", "link") for ground in grounds]
    pairs += [(named["red"], named[ground]) for ground in ("paper", "bad-ground", "ground")]
    pairs += [
        (named["accent-ink"], named["accent"]),
        (named["accent-ink"], "#0b3b48"),
        ("#d5e4e8", named["accent"]),
    ]
    pairs += [
        (named["good"], named["paper"]),
        (named["ink"], named["warn-ground"]),
        (named["ink"], named["good-ground"]),
    ]
    for block in re.findall(r"\.level\.(?:red|orange|yellow|blue) {([^}]*)}", css):
        ground = re.search(r"background: (#\w+|var\(--red\))", block)[1]
        ink = re.search(r"(?<!-)color: (#\w+)", block)[1]
        pairs.append((ink, named["red"] if ground.startswith("var") else ground))

    assert len(pairs) > 18
    assert {pair: round(contrast(*pair), 2) for pair in pairs if contrast(*pair) < 4.5} == {}


def test_a_source_that_is_behind_its_period_is_called_late(county, browser) -> None:
    page = browser(county.county).get(reverse("dashboard")).content.decode()

    # the files of the small county stand for November 2024: every monthly source is behind, an occasional one is not
    assert "迟报" in page and "不定期" in page


def test_one_entry_of_the_menu_is_the_page_one_stands_on(cast, browser) -> None:
    desk = browser(cast.county)

    for name in ("campaigns", "funds", "gifts", "meal_sites", "site_plans", "persons", "stops"):
        within = (
            desk.get(reverse(name)).content.decode().partition('<ul class="within">')[2].partition("</ul>")[0]
        )
        current = re.findall(r'<a href="([^"]+)" aria-current="page"', within)
        assert len(current) == 1 and current[0] in (
            reverse(name),
            reverse("households"),
            reverse("doubts"),
        ), name
