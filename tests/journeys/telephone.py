"""A telephone that is carried out of reach: its storage outlives its browser, and the network can be cut."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.cast import PASSWORD
from tests.journeys.conftest import CHROMIUM, FLAGS, PATIENCE, until

PIN = "xiang2024"


class Telephone:
    """A telephone with its storage: it can be switched off and on, and carried out of reach of the network."""

    address = "/field/"

    def __init__(self, play: Any, url: str, profile: Path) -> None:
        self._play, self.url, self.profile = play, url, profile
        self.troubles: list[str] = []
        self._on()

    def _on(self) -> None:
        self.context = self._play.chromium.launch_persistent_context(
            self.profile, executable_path=CHROMIUM, args=FLAGS, viewport={"width": 390, "height": 844}
        )
        self.context.set_default_timeout(1.5 * PATIENCE * 1000)
        # a photo goes up in parts, which takes its time on a busy machine
        expect.set_options(timeout=1.5 * PATIENCE * 1000)
        self.page: Page = self.context.pages[0]
        self.page.on("pageerror", lambda fault: self.troubles.append(str(fault)))
        self.page.on("dialog", lambda question: question.accept())

    def switch_off_and_on(self) -> None:
        self.context.close()
        self._on()

    def sign_in(self, username: str) -> None:
        self.page.goto(f"{self.url}/login/?next={self.address}")
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_url(f"{self.url}{self.address}")

    def set_pin(self) -> None:
        self.page.fill("#pin1", PIN)
        self.page.fill("#pin2", PIN)
        self.page.click("#setup button")
        expect(self.page.locator("#list")).to_be_visible()

    def unlock(self, pin: str = PIN) -> None:
        self.page.fill("#pin", pin)
        self.page.click("#unlock button:not([type])")

    def shell_kept(self) -> None:
        """The shell is kept before anybody walks out of reach."""
        self.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        until(self.page, "navigator.serviceWorker.controller !== null")

    def away(self) -> None:
        self.context.set_offline(True)

    def back(self) -> None:
        self.context.set_offline(False)

    def sign(self) -> None:
        pad = self.page.locator("#pad")
        pad.scroll_into_view_if_needed()
        box = pad.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + 30, box["y"] + 40)
        self.page.mouse.down()
        for step in range(1, 8):
            self.page.mouse.move(box["x"] + 30 + 25 * step, box["y"] + 40 + 30 * (step % 2))
        self.page.mouse.up()

    def stored(self) -> bytes:
        """Everything the browser wrote to disk for this site, after it was closed."""
        return b"".join(
            path.read_bytes() for path in self.profile.rglob("*") if path.is_file() and not path.is_symlink()
        )

    def files_kept(self, store: str) -> int:
        """How many pictures lie in a store of the telephone."""
        return self.page.evaluate(
            f"new Promise((done) => {{ const ask = indexedDB.open('{store}'); ask.onsuccess = () => {{"
            " const count = ask.result.transaction('files').objectStore('files').count(); count.onsuccess = () => done(count.result); }; })"
        )


def a_photo() -> bytes:
    """A large photo of noise with the place it was taken at."""
    image = pytest.importorskip("PIL.Image")
    made = image.effect_noise((2400, 1800), 60).convert("RGB")
    exif = image.Exif()
    exif[0x010F] = "SECRET-TELEPHONE"
    out = io.BytesIO()
    made.save(out, "jpeg", exif=exif, quality=80)
    return out.getvalue()
