"""Pictures of the workbench for README and the documents, taken from a running demonstration.

``python tools/screenshots.py http://127.0.0.1:8000`` writes docs/images/*.png; ``--every DIR`` instead takes every page
of every role in both languages on a desk screen and on a telephone, for the eyes of whoever changed a template.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urljoin

from playwright.sync_api import Error, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
PASSWORD = "doudi-demo"  # noqa: S105 — the demonstration's public password
SCREENS = {"desk": (1366, 768), "telephone": (390, 844)}
ACCOUNTS = (
    "county", "township", "department", "director", "auditor", "admin", "verifier", "member", "charity", "canteen",
    "courier", "volunteer",
)  # fmt: skip
PUBLIC = (
    "/login/",
    "/tell/",
    "/tell/status/",
    "/field/",
    "/apply/",
    "/apply/progress/",
    "/charity/",
    "/meals/family/",
    "/meals/join/",
)
_A_FILE = re.compile(
    r"\.(xlsx|csv|pdf|docx|json|geojson|svg|zip|webmanifest)$|/(file|paper|evidence|picture)s?/|/media/"
)
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def signed_in(
    url: str, account: str, *, language: str = "zh-hans", size: tuple[int, int] = SCREENS["desk"]
) -> Iterator[Page]:
    """A browser in which a demonstration account is signed in; nobody, where ``account`` is empty."""
    with sync_playwright() as play, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
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


def take_every(
    url: str, to: Path, accounts: Sequence[str], languages: Sequence[str], screens: Sequence[str]
) -> None:
    """Every page that links lead to, of every role, in the languages and on the screens that are named.

    Of pages that differ in a number or a name alone the first is opened. A page wider than its screen, an answer that is
    no page, and on English pages Chinese that is not marked as such (lang="zh-Hans") are reported.
    """
    to.mkdir(parents=True, exist_ok=True)
    for language in languages:
        for size in (SCREENS[screen] for screen in screens):
            for account in accounts:
                with signed_in(url, account, language=language, size=size) as page:
                    waiting = ["/"] if account else list(PUBLIC)
                    kinds = {kind_of(address) for address in waiting}
                    for number, address in enumerate(waiting):
                        try:
                            answer = page.goto(url + address)
                        except Error as problem:
                            if "Download is starting" not in problem.message:
                                raise
                            continue  # a file whose address does not say so
                        page.wait_for_load_state("networkidle")
                        name = f"{account or 'public'}-{number:03d}-{language[:2]}-{size[0]}.png"
                        page.screenshot(path=to / name, full_page=True)
                        told = page.evaluate(_LOOK)
                        status = answer.status if answer is not None else 0
                        trouble = (
                            f" {status} {told}" if status >= 400 or told["wider"] > 0 or told["bare"] else ""
                        )
                        print(f"{name} {address}{trouble}", flush=True)
                        for link in page.evaluate("[...document.links].map(a => a.getAttribute('href'))"):
                            if link and link.startswith(("/", "?")):
                                there = urljoin(address, link).partition("#")[0]
                                if kind_of(there) not in kinds and not _A_FILE.search(
                                    there.partition("?")[0]
                                ):
                                    kinds.add(kind_of(there))
                                    waiting.append(there)


def kind_of(address: str) -> str:
    """An address without what tells one row of a list from another: parts with a digit, an escape or a capital, and the query."""
    return "/".join(re.sub(r".*[0-9%A-Z].*", "*", part) for part in address.partition("?")[0].split("/"))


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
    parser.add_argument(
        "--account",
        action="append",
        help="with --every: of these accounts ('' is nobody); all where left out",
    )
    parser.add_argument("--language", action="append", choices=("zh-hans", "en"))
    parser.add_argument("--screen", action="append", choices=tuple(SCREENS))
    asked = parser.parse_args()
    if asked.every:
        accounts = asked.account if asked.account is not None else [*ACCOUNTS, ""]
        take_every(
            asked.url.rstrip("/"),
            asked.every,
            accounts,
            asked.language or ["zh-hans", "en"],
            asked.screen or list(SCREENS),
        )
    else:
        take_few(asked.url.rstrip("/"), asked.to)


if __name__ == "__main__":
    main()
