"""Linking one's account at the single sign-on, coming in by it, going out of both: in a browser, which holds to our policy."""

from __future__ import annotations

import re

import pytest

from tests.a_provider import provider_of, use
from tests.cast import Cast, assemble
from tests.journeys.conftest import Desk


@pytest.fixture(autouse=True)
def cast(office, transactional_db) -> Cast:
    return assemble()


def _at_the_provider(desk: Desk, at: str) -> None:
    desk.page.wait_for_url(f"{at}/oauth2/authorize*")
    desk.page.fill("input[name=sub]", "gov-330001-chen")
    desk.page.click("button:has-text('Authorize')")
    desk.page.wait_for_url(f"{desk.url}/**")
    desk.page.wait_for_load_state("networkidle")


@pytest.mark.slow
def test_an_officer_links_the_account_and_comes_in_without_a_password(sit_down, settings):
    with provider_of() as at:
        use(settings, at)
        settings.OIDC_LOGOUT_URL = f"{at}/oauth2/end_session"
        desk = sit_down("county")

        desk.open("/account/")
        desk.page.click("button:has-text('去绑定')")
        _at_the_provider(desk, at)
        assert "已绑定，下次可以用统一身份认证登录" in desk.text()
        desk.page.click("header button:has-text('退出登录')")
        desk.page.wait_for_url(re.compile("/login/"))
        desk.open("/login/?next=/warnings/")
        desk.page.click("text=用统一身份认证登录")
        _at_the_provider(desk, at)

        assert desk.page.url == f"{desk.url}/warnings/"
        desk.page.click("header button:has-text('退出登录')")
        desk.page.wait_for_url(f"{at}/oauth2/end_session?**")
        desk.page.click("button:has-text('End session')")
        desk.page.wait_for_url(f"{desk.url}/login/")
        desk.open("/warnings/")
        assert "/login/" in desk.page.url
        # the provider's own pages ask for a style sheet from elsewhere, and for an icon that it has not
        assert [said for said in desk.troubles if desk.url in said] == []
