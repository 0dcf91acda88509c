"""Coming in, going out, and the switches that stand on every page."""

from __future__ import annotations

from django.test import Client
from django.urls import reverse

from tests.cast import PASSWORD


def test_a_township_worker_logs_in_and_out(cast, client) -> None:
    answer = client.post(reverse("login"), {"username": "township", "password": PASSWORD}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("home")
    assert "李乡办" in answer.content.decode()

    client.post(reverse("logout"))

    assert client.get(reverse("home")).status_code == 302


def test_the_sixth_wrong_password_is_not_even_looked_at(cast, client) -> None:
    for _attempt in range(5):
        answer = client.post(reverse("login"), {"username": "county", "password": "wrong-password"})

    assert answer.status_code == 429
    assert "账号暂时锁定" in answer.content.decode()
    right = client.post(reverse("login"), {"username": "county", "password": PASSWORD})
    assert right.status_code == 429


def test_after_log_in_the_page_that_was_asked_for_is_shown(cast, client) -> None:
    asked = client.get(reverse("warnings") + "?level=red")

    answer = client.post(
        asked["Location"], {"username": "county", "password": PASSWORD, "next": "/warnings/?level=red"}
    )

    assert answer["Location"] == "/warnings/?level=red"


def test_demonstration_accounts_are_named_in_the_demonstration_alone(db, client, settings) -> None:
    assert "doudi-demo" not in client.get(reverse("login")).content.decode()

    settings.DEMONSTRATION = True

    assert "doudi-demo" in client.get(reverse("login")).content.decode()


def test_the_page_is_chinese_whatever_the_browser_prefers_until_english_is_chosen(cast, browser) -> None:
    desk = browser(cast.county)
    del desk.cookies["django_language"]
    assert "今日待办" in desk.get("/", headers={"accept-language": "en"}).content.decode()

    answer = desk.post(reverse("set_language"), {"language": "en", "next": "/warnings/?level=red"})

    assert answer["Location"] == "/warnings/?level=red"
    assert "Warnings" in desk.get("/warnings/?level=red").content.decode()


def test_large_type_is_kept_and_undone(cast, browser) -> None:
    desk = browser(cast.county)

    answer = desk.post(reverse("set_large"), {"large": "1", "next": "/warnings/"})
    assert answer["Location"] == "/warnings/"
    assert 'class="large"' in desk.get("/").content.decode()

    desk.post(reverse("set_large"), {"large": "0", "next": "https://elsewhere.example/"})
    assert 'class="large"' not in desk.get("/").content.decode()


def test_nobody_is_led_elsewhere_by_the_switches(cast, browser) -> None:
    desk = browser(cast.county)

    for name, field in (("set_large", "large"), ("set_language", "language")):
        answer = desk.post(reverse(name), {field: "en", "next": "https://elsewhere.example/"})
        assert "elsewhere" not in answer["Location"]


def test_a_password_is_changed_and_the_session_goes_on(cast, browser) -> None:
    desk = browser(cast.county)

    weak = desk.post(
        reverse("password"), {"old_password": PASSWORD, "new_password1": "12345", "new_password2": "12345"}
    )
    assert weak.status_code == 422

    new = "another-long-password-9"
    desk.post(reverse("password"), {"old_password": PASSWORD, "new_password1": new, "new_password2": new})

    assert desk.get("/").status_code == 200
    cast.county.refresh_from_db()
    assert cast.county.check_password(new)


def test_the_sign_of_life_asks_for_no_account(db, client) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_the_sign_of_life_fails_with_the_database(client, monkeypatch) -> None:
    from django.db import DatabaseError, connection

    def broken(*_args: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", broken)

    assert client.get("/healthz").status_code == 503


def test_a_page_with_personal_data_is_not_kept_by_the_browser(cast, browser) -> None:
    answer = browser(cast.county).get(reverse("households"))

    assert answer["Cache-Control"] == "private, no-store"


def test_a_form_from_another_site_changes_nothing(cast) -> None:
    outside = Client(enforce_csrf_checks=True)

    answer = outside.post(reverse("login"), {"username": "county", "password": PASSWORD})

    assert answer.status_code == 403
    text = answer.content.decode()
    assert "页面已过期" in text and "The page has expired" in text
