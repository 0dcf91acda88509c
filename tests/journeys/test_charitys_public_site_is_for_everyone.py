"""Charity's public pages for everyone (WCAG 2.2 AA): axe finds nothing, the keyboard reaches everything, zoom hides nothing."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from django.urls import reverse

from doudi.contexts.charity.organisation_models import Project
from tests import linked_county
from tests.cast import assemble
from tests.giving import open_house

AXE = Path(os.environ.get("DOUDI_AXE", Path(__file__).parents[2] / "var" / "axe.min.js"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = (
    "charity_home", "charity_campaigns", "charity_projects", "charity_disclosures", "charity_ventures", "charity_needs",
    "charity_gift",
)  # fmt: skip
HALF = 683
"""A window of 1366 pixels at 200 % shows as much as one of this width."""
FOCUSABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"


@pytest.fixture
def addresses(county, monkeypatch) -> list[str]:
    """Every public page, with something on it, and one project's own."""
    house = open_house(linked_county.link(assemble(), monkeypatch).cast)
    fund = house.fund()
    house.gift(fund, 1000, receipt_no="K1", show_name=True)
    house.paid(fund, 100)
    one = Project.objects.exclude(organisation__kind="member").first()
    return [*map(reverse, PAGES), reverse("charity_project", args=[one.number])]


@pytest.fixture
def visitor(chromium, live_server):
    """A window without an account, of a given width."""
    from doudi.web.translations import compile_catalogue

    compile_catalogue()

    def open_window(*, width: int = 1366, language: str = "zh-hans", **more: str):
        window = chromium.new_context(viewport={"width": width, "height": 768}, reduced_motion="reduce")
        cookies = {"django_language": language, **more}
        window.add_cookies([{"name": k, "value": v, "url": live_server.url} for k, v in cookies.items()])
        return window.new_page()

    return open_window


@pytest.mark.skipif(
    not AXE.exists(), reason=f"没有 axe-core（{AXE}）no axe-core: run python tools/frontend.py"
)
@pytest.mark.parametrize(("width", "language"), [(1366, "zh-hans"), (390, "en")])
def test_axe_finds_nothing_on_any_public_page(
    addresses, visitor, live_server, width: int, language: str
) -> None:
    page, found = visitor(width=width, language=language), {}
    for address in addresses:
        page.goto(f"{live_server.url}{address}")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        told = page.evaluate("(tags) => axe.run({runOnly: tags})", RULES)
        assert told["passes"], address
        found |= {
            (address, one["id"]): [node["html"][:160] for node in one["nodes"]] for one in told["violations"]
        }

    assert found == {}


def test_the_keyboard_reaches_everything_and_shows_where_it_is(addresses, visitor, live_server) -> None:
    page = visitor()
    for address in addresses:
        page.goto(f"{live_server.url}{address}")
        wanted = page.evaluate(
            f"[...document.querySelectorAll(`{FOCUSABLE}`)].filter(x => x.checkVisibility()).length"
        )
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip", address
        reached = 0
        for _ in range(wanted + 2):
            here = page.evaluate(
                """() => { const at = document.activeElement, style = getComputedStyle(at);
                if (at === document.body) return null;
                const seen = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
                return [seen, at.outerHTML.slice(0, 120)]; }"""
            )
            if here is None:
                break
            assert here[0], (address, here[1])
            reached += 1
            page.keyboard.press("Tab")
        assert reached >= wanted, address


def test_nothing_is_cut_off_at_twice_the_size_and_on_a_telephone(addresses, visitor, live_server) -> None:
    for width in (HALF, 390, 320):
        page = visitor(width=width)
        for address in addresses:
            page.goto(f"{live_server.url}{address}")
            over = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert over <= 0, (address, width, over)


def test_a_page_says_what_is_where(addresses, visitor, live_server) -> None:
    """One main and one heading of the first order; each navigation and each table's box has a name, each input its label."""
    page = visitor()
    for address in addresses:
        page.goto(f"{live_server.url}{address}")
        assert page.locator("main").count() == 1 and page.locator("h1").count() == 1, address
        bare = page.evaluate(
            """() => [...document.querySelectorAll('nav, [role=region]')].filter(x => !x.getAttribute('aria-label')
              && !x.getAttribute('aria-labelledby')).concat(
              [...document.querySelectorAll('main input:not([type=hidden]), main select, main textarea')]
              .filter(x => !x.labels.length && !x.getAttribute('aria-label'))).map(x => x.outerHTML.slice(0, 120))"""
        )
        assert bare == [], address
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(x => +x.tagName[1])")
        assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), (address, levels)
