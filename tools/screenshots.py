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
LISTS = {
    "county": ("/", "/warnings/", "/households/", "/inbox/", "/loads/", "/dashboard/"),
    "township": ("/", "/warnings/"),
    "department": ("/", "/inbox/?status=all"),
    "director": ("/", "/dashboard/"),
    "auditor": ("/", "/audit/"),
    "admin": ("/users/",),
}
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def signed_in(
    url: str, account: str, *, language: str = "zh-hans", size: tuple[int, int] = DESK
) -> Iterator[Page]:
    """A browser in which a demonstration account is signed in."""
    with sync_playwright() as play, tempfile.TemporaryDirectory() as profile:
        browser = play.chromium.launch_persistent_context(
            profile,
            executable_path=os.environ.get("DOUDI_CHROMIUM", CHROMIUM),
            args=_FLAGS,
            viewport={"width": size[0], "height": size[1]},
        )
        browser.add_cookies([{"name": "django_language", "value": language, "url": url}])
        page = browser.pages[0]
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
    """Every page of every role, both languages, desk and telephone; a page wider than its screen is reported."""
    to.mkdir(parents=True, exist_ok=True)
    for language in ("zh-hans", "en"):
        for size in (DESK, TELEPHONE):
            for account, addresses in LISTS.items():
                with signed_in(url, account, language=language, size=size) as page:
                    more = []
                    if account in ("county", "township", "director"):
                        for status in (
                            ("new", "dispatched", "visited") if account == "county" else ("visited",)
                        ):
                            show(page, f"{url}/warnings/?status={status}")
                            more.append(first_link(page, r"^/warnings/YJ"))
                        more.append(more[-1].replace("warnings/YJ20241115-", "households/"))
                    if account == "department":
                        show(page, f"{url}/inbox/?status=all")
                        more.append(first_link(page, r"^/inbox/TS"))
                    for number, address in enumerate((*addresses, *more)):
                        show(page, url + address)
                        name = f"{account}-{number}-{language[:2]}-{size[0]}.png"
                        page.screenshot(path=to / name, full_page=True)
                        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                        print(name, address, f"宽出 wider by {wide}px" if wide > 0 else "", flush=True)


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
