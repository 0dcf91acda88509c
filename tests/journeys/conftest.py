"""A real browser before a real server on the small county, empty or already loaded."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CHROMIUM = os.environ.get("DOUDI_CHROMIUM", "/usr/bin/chromium")
PATIENCE = int(os.environ.get("DOUDI_PATIENCE", "20"))
"""Seconds that a page may take; more on a machine that others work on too."""
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not Path(CHROMIUM).exists():
                item.add_marker(
                    pytest.mark.skip(reason=f"没有浏览器 no browser at {CHROMIUM}: apt-get install chromium")
                )


def until(page: object, expression: str, *, seconds: float = PATIENCE) -> None:
    """Ask the page until ``expression`` is true.

    Playwright's own ``wait_for_function`` asks again from inside the page by ``eval``, which the pages' content
    security policy refuses: it passes only where the first answer is already true.
    """
    last = time.monotonic() + seconds
    while not page.evaluate(f"Boolean({expression})"):
        assert time.monotonic() < last, f"not true within {seconds:.0f} s: {expression}"
        page.wait_for_timeout(100)


@dataclass
class Desk:
    """A browser window of one account; ``troubles`` gathers what a page complains of in its console."""

    page: object
    url: str
    troubles: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        self.page.goto(f"{self.url}{address}")
        self.page.wait_for_load_state("networkidle")

    def press(self, button: str) -> None:
        """Press a button that leads to another page and wait for that page."""
        with self.page.expect_navigation():
            self.page.click(button)
        self.page.wait_for_load_state("networkidle")

    def text(self) -> str:
        return self.page.inner_text("main")


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    # Playwright's own loop runs in this thread; the test's few look-ups in the database are safe beside it
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as play, tempfile.TemporaryDirectory() as profile:
        monkeypatch.setenv("HOME", profile)
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def sit_down(chromium, transactional_db: None, live_server) -> Callable[..., Desk]:
    """Sign an account in through the log-in page, in a window of its own."""
    from doudi.web.translations import compile_catalogue
    from tests.cast import PASSWORD

    compile_catalogue()

    def sign_in(
        username: str, *, size: tuple[int, int] = (1366, 768), language: str = "zh-hans", **more: object
    ) -> Desk:
        window = chromium.new_context(viewport={"width": size[0], "height": size[1]}, **more)
        window.set_default_timeout(PATIENCE * 1000)
        window.add_cookies([{"name": "django_language", "value": language, "url": live_server.url}])
        desk = Desk(window.new_page(), live_server.url)
        desk.page.on(
            "console",
            lambda said: said.type == "error" and desk.troubles.append(f"{said.text} {said.location['url']}"),
        )
        desk.page.on("pageerror", lambda fault: desk.troubles.append(str(fault)))
        desk.open("/login/")
        desk.page.fill("#id_username", username)
        desk.page.fill("#id_password", PASSWORD)
        desk.page.click("main button")
        desk.page.wait_for_url(f"{live_server.url}/")
        return desk

    return sign_in


@pytest.fixture
def telephones(
    transactional_db: None, live_server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., object]]:
    """Switch telephones on, each with a storage of its own that outlives its browser."""
    from playwright.sync_api import sync_playwright

    from doudi.web.translations import compile_catalogue

    compile_catalogue()
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    made: list = []
    with sync_playwright() as play:

        def switch_on(kind: type, name: str) -> object:
            made.append(kind(play, live_server.url, tmp_path / f"telephone-{name}"))
            return made[-1]

        yield switch_on
        for one in made:
            one.context.close()
