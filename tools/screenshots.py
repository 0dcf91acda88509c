"""Pictures of the workbench for README and the documents, taken from a running demonstration.

``python tools/screenshots.py http://127.0.0.1:8000`` writes docs/images/*.png; ``--every DIR`` instead takes every page
of every role in both languages on a desk screen and on a telephone, for the eyes of whoever changed a template.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "doudi-demo"  # noqa: S105 — the demonstration's public password
DESK, TELEPHONE = (1366, 768), (390, 844)
_OFFICE = (
    "/", "/warnings/?status=all", "/clocks/", "/notices/", "/indicators/", "/indicators/changes/", "/changes/",
    "/statistics/", "/households/", "/persons/", "/quality/", "/verification/?state=all", "/reports/",
    "/field-visits/", "/duplicates/", "/doubts/", "/stops/", "/recovery/",
)  # fmt: skip
LISTS = {
    "county": (
        *_OFFICE, "/clocks/handover/", "/outbox/", "/exports/", "/exports/return/", "/inbox/", "/loads/", "/dashboard/",
        "/what-if/", "/what-if/back-test/", "/duplicates/check/", "/rectification/",
    ),
    "township": _OFFICE,
    "department": ("/", "/inbox/?status=all"),
    "director": ("/", "/dashboard/", "/indicators/", "/quality/", "/rectification/"),
    "auditor": ("/", "/audit/", "/statistics/", "/verification/?state=all"),
    "admin": ("/", "/users/"),
    "verifier": ("/", "/verification/?state=all", "/verification/sources/"),
}  # fmt: skip
PUBLIC = ("/login/", "/tell/", "/tell/status/", "/field/")
DETAILS = (
    r"^/warnings/YJ", r"^/households/[^/?]+/$", r"/change/\w+/$", r"^/verification/HD", r"^/verification/reports/",
    r"^/verification/new/", r"^/doubts/[^/?]+/$", r"^/reports/XS\w+", r"^/inbox/TS", r"^/indicators/[A-Z]\w+/$",
    r"^/quality/\w+/", r"^/statistics/people/", r"^/tell/\?at=\d{6}",
)  # fmt: skip
"""Pages behind a list: the first link of each kind is followed, once an account."""
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def signed_in(
    url: str, account: str, *, language: str = "zh-hans", size: tuple[int, int] = DESK
) -> Iterator[Page]:
    """A browser in which a demonstration account is signed in; nobody, where ``account`` is empty."""
    with sync_playwright() as play, tempfile.TemporaryDirectory() as profile:
        browser = play.chromium.launch_persistent_context(
            profile,
            executable_path=os.environ.get("DOUDI_CHROMIUM", CHROMIUM),
            args=_FLAGS,
            viewport={"width": size[0], "height": size[1]},
        )
        browser.add_cookies([{"name": "django_language", "value": language, "url": url}])
        page = browser.pages[0]
        if not account:
            yield page
            browser.close()
            return
        page.goto(f"{url}/login/")
        page.fill("#id_username", account)
        page.fill("#id_password", PASSWORD)
        page.click("main button")
        page.wait_for_load_state("networkidle")
        yield page
        browser.close()


def show(page: Page, address: str) -> None:
    """Open an address and wait until its charts and map are drawn."""
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)


def first_link(page: Page, pattern: str) -> str:
    """The first link of the page whose address fits."""
    for link in page.locator("main a[href]").all():
        found = link.get_attribute("href") or ""
        if re.search(pattern, found):
            return found
    raise SystemExit(f"{page.url}: 没有找到链接 no link like {pattern}")


def take_few(url: str, to: Path) -> None:
    """The pictures of README and the documents."""
    to.mkdir(parents=True, exist_ok=True)
    for language, suffix in (("zh-hans", "zh"), ("en", "en")):
        with signed_in(url, "county", language=language) as page:
            show(page, f"{url}/")
            page.screenshot(path=to / f"home-{suffix}.png")
            show(page, f"{url}/dashboard/")
            page.screenshot(path=to / f"dashboard-{suffix}.png")
            show(page, f"{url}/warnings/?status=visited")
            show(page, url + first_link(page, r"^/warnings/YJ"))
            page.screenshot(path=to / f"warning-{suffix}.png")


def take_every(url: str, to: Path) -> None:
    """Every page of every role, both languages, desk and telephone; a page wider than its screen is reported.

    On English pages Chinese that is not marked as such (lang="zh-Hans") is reported too.
    """
    to.mkdir(parents=True, exist_ok=True)
    for language in ("zh-hans", "en"):
        for size in (DESK, TELEPHONE):
            for account, addresses in (*LISTS.items(), ("", PUBLIC)):
                with signed_in(url, account, language=language, size=size) as page:
                    waiting, seen, kinds = list(addresses), set(addresses), set()
                    for number, address in enumerate(waiting):
                        show(page, url + address)
                        name = f"{account or 'public'}-{number:02d}-{language[:2]}-{size[0]}.png"
                        page.screenshot(path=to / name, full_page=True)
                        told = page.evaluate(_LOOK)
                        print(name, address, told if told["wider"] > 0 or told["bare"] else "", flush=True)
                        for link in page.evaluate("[...document.links].map(a => a.getAttribute('href'))"):
                            kind = next((d for d in DETAILS if link and re.search(d, link)), None)
                            if kind is not None and kind not in kinds and link not in seen:
                                kinds.add(kind)
                                seen.add(link)
                                waiting.append(link)


_LOOK = """() => {
  const walk = document.createTreeWalker(document.querySelector('main') || document.body, NodeFilter.SHOW_TEXT);
  const bare = [];
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim();
    const inside = walk.currentNode.parentElement;
    if (document.documentElement.lang === 'en' && /[\u4e00-\u9fff]/.test(text) && inside.offsetParent
        && !inside.closest('[lang="zh-Hans"], option, select, script')) bare.push(text.slice(0, 24));
  }
  return {wider: document.documentElement.scrollWidth - innerWidth, bare: bare.slice(0, 6)};
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?", default="http://127.0.0.1:8000")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    parser.add_argument("--every", type=Path, metavar="DIR")
    asked = parser.parse_args()
    if asked.every:
        take_every(asked.url.rstrip("/"), asked.every)
    else:
        take_few(asked.url.rstrip("/"), asked.to)


if __name__ == "__main__":
    main()
