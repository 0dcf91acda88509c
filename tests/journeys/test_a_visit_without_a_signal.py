"""A township worker's telephone in a village without a signal: tasks taken along, a visit filled in, sent back later."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from doudi import chain
from doudi.contexts.accounts.services import system_user
from doudi.contexts.monitoring import services as monitoring
from tests.cast import Cast, assemble
from tests.journeys import telephone as telephone_of
from tests.journeys.conftest import until
from tests.journeys.telephone import PIN, a_photo
from tests.small_county import TOWNSHIP_A

WANG = "YJ20241115-H002"
FINDING = "住院自付三万元，家中无其他收入。"
SECRETS = ("王强", "虚构路2号", "10087654321", FINDING, "李乡办", WANG)


@pytest.fixture
def cast(county: Path) -> Cast:
    cast = assemble()
    chain.dispatch(WANG, to=TOWNSHIP_A, by=system_user())
    return cast


class Telephone(telephone_of.Telephone):
    """A township officer's telephone with the offline visit."""

    def sign_in(self, username: str = "township") -> None:
        super().sign_in(username)

    def take_along(self) -> None:
        self.page.click("#take")
        expect(self.page.locator("#tasks article")).to_have_count(1)
        self.shell_kept()

    def fill_in(self, *, photo: bool = True) -> None:
        page = self.page
        page.click("#tasks article button")
        page.fill("#visitor_1", "李乡办")
        page.fill("#visitor_2", "吴网格")
        page.click("input[name=result_code][value=C]")
        page.fill("#finding", FINDING)
        if photo:
            page.set_input_files("#photo", {"name": "IMG.jpg", "mimeType": "image/jpeg", "buffer": a_photo()})
            expect(page.locator("#photos img")).to_have_count(1)
            self.sign()

    def done(self) -> None:
        self.page.click("#done")
        expect(self.page.locator("#list")).to_be_visible()

    def state(self) -> str:
        return self.page.inner_text("#visits")


@pytest.fixture
def telephone(telephones: Callable[..., Any]) -> Callable[..., Telephone]:
    return lambda name="one": telephones(Telephone, name)


def test_days_without_a_signal_lose_nothing_and_leave_nothing_readable(
    cast: Cast, telephone: Callable[..., Telephone]
) -> None:
    phone = telephone()
    phone.sign_in()
    phone.set_pin()
    phone.take_along()

    # out of reach: the page opens again, asks for the PIN, and a wrong one opens nothing
    phone.away()
    phone.page.goto(f"{phone.url}/field/")
    phone.unlock("wrong-pin")
    expect(phone.page.locator("#message")).to_contain_text("还可以试 9 次")
    assert "王强" not in phone.page.content()
    phone.unlock()
    expect(phone.page.locator("#tasks")).to_contain_text("虚构路2号")

    # what the pack asks of a result is checked out there
    phone.fill_in()
    phone.page.fill("#visitor_2", "")
    phone.page.click("#done")
    expect(phone.page.locator("#wrong")).to_contain_text("须由 2 名入户人员共同核实")
    phone.page.fill("#visitor_2", "吴网格")

    # the battery dies in the middle of it: the draft is there
    expect(phone.page.locator("#saved")).to_contain_text("已保存")
    phone.page.wait_for_timeout(600)
    phone.switch_off_and_on()
    stored = phone.stored()
    for secret in SECRETS:
        for encoding in ("utf-8", "utf-16-le"):
            assert secret.encode(encoding) not in stored, secret
    assert b"SECRET-TELEPHONE" not in stored and PIN.encode() not in stored
    assert b"JFIF" not in b"".join(
        path.read_bytes() for path in phone.profile.rglob("*") if path.is_file() and "IndexedDB" in str(path)
    )
    phone.away()
    phone.page.goto(f"{phone.url}/field/")
    phone.unlock()
    phone.page.click("#tasks article button")
    expect(phone.page.locator("#finding")).to_have_value(FINDING)
    expect(phone.page.locator("#photos img")).to_have_count(1)
    phone.done()
    expect(phone.page.locator("#visits")).to_contain_text("等待传回")
    assert phone.page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0

    # home again, but the session has ended: the data stay, and after signing in they go
    phone.context.clear_cookies()
    phone.back()
    phone.page.click("#send")
    expect(phone.page.locator("#login")).to_contain_text("登录已过期")
    expect(phone.page.locator("#visits")).to_contain_text("等待传回")
    phone.sign_in()
    phone.unlock()
    expect(phone.page.locator("#visits")).to_contain_text("已传回并记录")

    case = monitoring.warning(WANG, by=cast.county)
    visit = case.visits.get()
    assert (case.status, visit.finding, visit.visitors) == ("visited", FINDING, "李乡办、吴网格")
    files = {file.kind: file for file in visit.field_visits.get().files.all()}
    assert set(files) == {"photo", "signature"}
    photo = monitoring.look_at_file(files["photo"].pk, by=cast.county)
    assert photo.startswith(b"\xff\xd8") and b"SECRET-TELEPHONE" not in photo
    image = pytest.importorskip("PIL.Image").open(io.BytesIO(photo))
    assert max(image.size) == 1280

    # the telephone has nothing left of it, and the warning's page shows the pictures
    assert phone.files_kept("doudi-field") == 0
    phone.page.goto(f"{phone.url}/warnings/{WANG}/")
    expect(phone.page.locator(".pictures img")).to_have_count(2)
    phone.page.locator(".pictures").scroll_into_view_if_needed()
    until(
        phone.page,
        "Array.from(document.images).every((one) => one.complete && one.naturalWidth > 0)",
    )
    assert phone.troubles == []


def test_two_telephones_at_one_door_are_shown_to_a_person(
    cast: Cast, telephone: Callable[..., Telephone]
) -> None:
    phones = [telephone(name) for name in ("one", "two")]
    for phone in phones:
        phone.sign_in()
        phone.set_pin()
        phone.take_along()
        phone.away()
        phone.fill_in(photo=False)
        phone.done()

    for phone in phones:
        phone.back()
        phone.page.click("#send")
        expect(phone.page.locator("#visits")).to_contain_text("已传回")

    assert "已传回并记录" in phones[0].state() and "疑似重复" in phones[1].state()
    assert monitoring.warning(WANG, by=cast.county).visits.count() == 1
    page = phones[1].page
    page.goto(f"{phones[1].url}/field-visits/")
    page.click("tbody a")
    page.click("input[name=to][value=set_aside]")
    page.fill("#settle_ground", "两人同去，是同一次入户")
    with page.expect_navigation():
        page.click("form[action$='/settle/'] button")
    assert "已搁置" in page.inner_text("main")


def test_an_answer_that_got_lost_and_a_step_in_between(
    cast: Cast, telephone: Callable[..., Telephone]
) -> None:
    phone = telephone()
    phone.sign_in()
    phone.set_pin()
    phone.take_along()
    phone.fill_in(photo=False)

    # the server took it in, but its answer never arrived: sent again it is the same visit
    def swallow(route: Any) -> None:
        route.fetch()
        route.abort()

    phone.page.route("**/api/v1/field/visits", swallow)
    phone.done()
    expect(phone.page.locator("#message")).to_contain_text("没有网络")
    phone.page.unroute("**/api/v1/field/visits")
    phone.page.click("#send")
    expect(phone.page.locator("#visits")).to_contain_text("已传回并记录")
    assert monitoring.warning(WANG, by=cast.county).visits.count() == 1

    # taken along once more, closed by the county meanwhile: kept with both sides
    phone.take_along()
    chain.close(WANG, closing_note="已给予临时救助", by=system_user())
    phone.page.click("#tasks article button")
    phone.page.fill("#visited_on", "2026-01-05")
    for field, value in (("#visitor_1", "李乡办"), ("#visitor_2", "吴网格"), ("#finding", FINDING)):
        phone.page.fill(field, value)
    phone.page.click("input[name=result_code][value=C]")
    phone.done()
    expect(phone.page.locator("#visits")).to_contain_text("冲突")
    assert monitoring.warning(WANG, by=cast.county).status == "closed"
    assert monitoring.field_visits(by=cast.county).get().state == "conflict"


def test_ten_wrong_pins_remove_everything(cast: Cast, telephone: Callable[..., Telephone]) -> None:
    phone = telephone()
    phone.sign_in()
    phone.set_pin()
    phone.take_along()
    phone.page.click("#lock")
    phone.page.clock.install()

    for number in range(1, 11):
        phone.page.clock.fast_forward(24 * 3600 * 1000)
        phone.unlock(f"wrong-{number}")
        expect(phone.page.locator("#message")).to_contain_text(
            f"试 {10 - number} 次" if number < 10 else "已全部清除"
        )
    assert phone.page.evaluate("fieldStore.names().then((names) => names.length)") == 0
    expect(phone.page.locator("#setup")).to_be_visible()


def test_consent_and_a_refusal_of_help_say_who_stands_for_them(
    cast: Cast, telephone: Callable[..., Telephone]
) -> None:
    phone = telephone()
    phone.sign_in()
    phone.set_pin()
    phone.take_along()

    # charity: whose consent and how is asked once consent is ticked
    phone.fill_in(photo=False)
    phone.page.fill("#visited_on", "2026-01-05")
    phone.page.click("input[name=result_code][value=E]")
    phone.page.click("#done")
    expect(phone.page.locator("#wrong")).to_contain_text("须先征得本人同意")
    expect(phone.page.locator("#consented")).to_be_hidden()
    phone.page.check("#consent")
    phone.page.fill("#consent_by", "王强")
    phone.page.select_option("#consent_how", "口头（两人在场）")
    phone.done()
    expect(phone.page.locator("#visits")).to_contain_text("已传回并记录")

    # help refused: without a signature two witnesses stand for it
    phone.take_along()
    phone.fill_in(photo=False)
    phone.page.click("input[name=result_code][value=J]")
    phone.page.fill("#witness_1", "村主任")
    phone.page.click("#done")
    expect(phone.page.locator("#wrong")).to_contain_text("须有本人签名，或写明两名见证人")
    phone.page.fill("#witness_2", "邻居赵某")
    phone.done()
    expect(phone.page.locator("#visits article:nth-child(2)")).to_contain_text("已传回并记录")

    charity, refusal = monitoring.warning(WANG, by=cast.county).visits.all()
    assert (charity.result_code, charity.consent_by, charity.consent_how) == (
        "E",
        "王强",
        "口头（两人在场）",
    )
    assert (refusal.result_code, refusal.signed, refusal.witnesses) == ("J", False, "村主任、邻居赵某")
    assert phone.troubles == []
