"""Coming in by the government's single sign-on, against a provider that runs as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.urls import reverse

from doudi.contexts.accounts.models import AuditEntry, LinkedIdentity, SignIn, User
from doudi.contexts.accounts.services import (
    SignOnRefused,
    begin_second_factor,
    close_account,
    confirm_second_factor,
    link_identity,
    linked_identity,
    system_user,
)
from doudi.web.views.trust import single_sign_on
from tests.a_provider import provider_of, use
from tests.cast import PASSWORD
from tests.contexts.test_coming_in import code_of

pytestmark = pytest.mark.django_db
ID, ELSE = "gov-330001-chen", "gov-330002-li"

PLACES = {f"{name}_URL": "https://provider.example/" for name in ("AUTHORIZE", "TOKEN", "KEYS", "USERINFO")}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with provider_of() as at:
        yield at


@pytest.fixture
def on(settings, provider) -> str:
    use(settings, provider)
    return provider


def _at_theprovider_of(way: str, sub: str, **form: str) -> str:
    """What a person does there; gives the way back."""
    answer = requests.post(way, data={"sub": sub, **form}, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"].removeprefix("http://testserver")


def _sign_on(client, sub: str, start: str = ""):
    way = client.get(reverse("sign_on") + start)["Location"]
    return client.get(_at_theprovider_of(way, sub), follow=True)


def test_it_is_off_unless_an_issuer_is_named(cast, browser, client) -> None:
    assert client.get(reverse("sign_on")).status_code == 404
    assert client.get(reverse("sign_on_back"), {"code": "x", "state": "y"}).status_code == 404
    assert browser(cast.county).post(reverse("sign_on_link")).status_code == 404
    assert reverse("sign_on") not in client.get(reverse("login")).content.decode()


def test_a_linked_person_comes_in_is_told_of_the_last_time_and_goes_out_there_too(
    cast, client, on, settings
) -> None:
    settings.OIDC_LOGOUT_URL = f"{on}/oauth2/end_session"
    link_identity(cast.county, ID, by=system_user())
    page = client.get(reverse("login") + "?next=/warnings/%3Flevel=red").content.decode()
    assert "用统一身份认证登录" in page and "?next=%2Fwarnings%2F%3Flevel%3Dred" in page

    answer = _sign_on(client, ID, "?next=/warnings/%3Flevel=red")

    assert answer.redirect_chain[-1][0] == "/warnings/?level=red"
    assert "陈县办" in answer.content.decode()
    entry = AuditEntry.objects.get(act="sign_in")
    assert (entry.actor, entry.detail["way"]) == ("county", "single_sign_on")
    assert User.objects.count() == len(cast.everybody()), "no account is made"
    out = client.post(reverse("logout"))["Location"]
    assert out.startswith(f"{on}/oauth2/end_session?client_id=doudi&post_logout_redirect_uri=http")
    assert requests.get(out, timeout=10).ok
    assert client.get("/warnings/").status_code == 302
    assert SignIn.objects.get().ended_how == "signed_out"
    assert "上次登录" in _sign_on(client, ID).content.decode()


def test_who_is_linked_to_nobody_stays_out_and_no_account_is_made(cast, client, on) -> None:
    answer = _sign_on(client, "somebody-new")

    assert answer.redirect_chain[-1][0] == reverse("login")
    assert "还没有绑定本系统的账号" in answer.content.decode()
    assert client.get("/warnings/").status_code == 302
    assert User.objects.count() == len(cast.everybody())


def test_an_account_is_linked_by_its_holder_and_the_link_is_taken_off(cast, browser, client, on) -> None:
    desk = browser(cast.county)
    assert "去绑定" in desk.get(reverse("account")).content.decode()

    way = desk.post(reverse("sign_on_link"))["Location"]
    answer = desk.get(_at_theprovider_of(way, ID), follow=True)

    assert "已绑定，下次可以用统一身份认证登录" in answer.content.decode()
    assert f"末四位 {ID[-4:]}" in answer.content.decode()
    assert "陈县办" in _sign_on(client, ID).content.decode()
    desk.post(reverse("sign_on_link"), {"wish": "off"})
    assert not LinkedIdentity.objects.exists()
    assert list(AuditEntry.objects.filter(act__contains="link_identity").values_list("act", flat=True)) == [
        "unlink_identity",
        "link_identity",
    ]


def test_one_identity_opens_one_account(cast, browser, on) -> None:
    link_identity(cast.county, ID, by=system_user())
    desk = browser(cast.township)

    answer = desk.get(_at_theprovider_of(desk.post(reverse("sign_on_link"))["Location"], ID), follow=True)

    assert "已绑定本系统的另一个账号" in answer.content.decode()
    assert linked_identity(cast.township, by=cast.township) is None


def test_the_administrator_links_and_unlinks_and_nobody_else(cast, browser, client, on) -> None:
    desk = browser(cast.admin)
    there = reverse("staff_step", args=["township", "identity"])
    assert browser(cast.county).post(there, {"identity": ELSE}).status_code == 403
    with pytest.raises(Exception, match="无权"):
        link_identity(cast.township, ELSE, by=cast.county)

    desk.post(there, {"identity": ELSE})
    assert "李乡办" in _sign_on(client, ELSE).content.decode()
    assert "末四位 2-li" in desk.get(reverse("staff", args=["township"])).content.decode()

    desk.post(reverse("staff_step", args=["township", "identity_off"]))
    assert client.get("/warnings/").status_code == 302, "the session has ended"
    assert "还没有绑定" in _sign_on(client, ELSE).content.decode()


def test_a_closed_account_stays_closed_and_the_try_is_on_record(cast, client, on) -> None:
    link_identity(cast.township, ELSE, by=system_user())
    close_account("township", by=system_user())

    assert "绑定的账号已停用" in _sign_on(client, ELSE).content.decode()
    assert AuditEntry.objects.filter(act="sign_in_refused", subject="user:township").count() == 1


def test_the_second_factor_is_asked_for_all_the_same_and_the_first_password_is_not(cast, client, on) -> None:
    link_identity(cast.county, ID, by=system_user())
    begin_second_factor(by=cast.county)
    codes = confirm_second_factor(code_of(cast.county), by=cast.county)
    User.objects.filter(pk=cast.county.pk).update(must_change_password=True)

    _sign_on(client, ID)

    assert client.get("/warnings/")["Location"] == reverse("second_factor_check")
    client.post(reverse("second_factor_check"), {"code": codes[0]})
    assert client.get("/warnings/").status_code == 200


def test_wrong_passwords_do_not_lock_the_sign_on_which_frees_the_password_as_a_right_one_does(
    cast, client, on
) -> None:
    link_identity(cast.county, ID, by=system_user())
    for _attempt in range(5):
        client.post(reverse("login"), {"username": "county", "password": "wrong-password"})

    assert client.post(reverse("login"), {"username": "county", "password": PASSWORD}).status_code == 429
    assert "陈县办" in _sign_on(client, ID).content.decode()
    client.post(reverse("logout"))
    assert client.post(reverse("login"), {"username": "county", "password": PASSWORD}).status_code == 302


def test_a_way_back_that_was_not_begun_here_or_is_used_up_leads_nowhere(cast, client, on, browser) -> None:
    link_identity(cast.county, ID, by=system_user())
    back = _at_theprovider_of(client.get(reverse("sign_on"))["Location"], ID)

    stranger = browser(cast.township)
    assert "不是从本页开始的" in stranger.get(back, follow=True).content.decode()
    assert "李乡办" in stranger.get("/").content.decode(), "nobody was exchanged for somebody else"
    assert "陈县办" in client.get(back, follow=True).content.decode()
    client.post(reverse("logout"))
    assert "不是从本页开始的" in client.get(back, follow=True).content.decode()


def test_a_refusal_there_is_told_and_nothing_of_the_address_is_repeated(cast, client, on) -> None:
    back = _at_theprovider_of(client.get(reverse("sign_on"))["Location"], ID, action="deny")
    assert "没有放行（access_denied）" in client.get(back, follow=True).content.decode()

    state = parse_qs(urlsplit(client.get(reverse("sign_on"))["Location"]).query)["state"][0]
    page = client.get(
        reverse("sign_on_back"), {"state": state, "error": "<b>x"}, follow=True
    ).content.decode()
    assert "没有放行（no code）" in page and "&lt;b&gt;" not in page


def test_nobody_is_led_elsewhere_after_it(cast, client, on) -> None:
    link_identity(cast.county, ID, by=system_user())

    answer = _sign_on(client, ID, "?next=https://elsewhere.example/")

    assert answer.redirect_chain[-1][0] == reverse("home")


def test_another_issuer_nonce_or_audience_an_old_token_and_a_dead_provider_are_refused(
    cast, client, on, settings
) -> None:
    link_identity(cast.county, ID, by=system_user())
    refused = "没有通过核验"

    settings.OIDC_ISSUER = "https://other.example"
    assert refused in _sign_on(client, ID).content.decode()

    use(settings, on)
    back = _at_theprovider_of(client.get(reverse("sign_on"))["Location"], ID)
    session = client.session
    for one in session["oidc_states"].values():
        one["nonce"] = "another"
    session.save()
    assert refused in client.get(back, follow=True).content.decode()

    with provider_of("--token-max-age", "-120") as late:
        use(settings, late)
        link_identity(cast.township, ELSE, by=system_user())
        assert refused in _sign_on(client, ELSE).content.decode()
        back = _at_theprovider_of(client.get(reverse("sign_on"))["Location"], ELSE)
    assert "没有回应" in client.get(back, follow=True).content.decode()
    assert client.get("/warnings/").status_code == 302


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"aud": ["doudi", "other"], "azp": "doudi"}, True),
        ({"aud": ["doudi", "other"]}, False),
        ({"aud": "other"}, False),
        ({"azp": "other"}, False),
        ({"iss": "https://other.example"}, False),
        ({"exp": 1_700_000_000}, False),
        ({"exp": None}, False),
        ({"nonce": "other"}, False),
        ({"nonce": None}, False),
        ({"sub": None}, False),
        ({"sub": ""}, False),
        ({"alg": "HS256"}, False),
        ({"alg": "none"}, False),
        ({"signer": "stranger"}, False),
    ],
    ids=str,
)
def test_what_an_identity_token_must_prove(changed, holds, settings, monkeypatch) -> None:
    use(settings, "https://provider.example")
    ours, stranger = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _key in range(2))
    given = {
        "iss": settings.OIDC_ISSUER,
        "aud": "doudi",
        "sub": ID,
        "nonce": "n",
        "iat": time.time(),
        "exp": time.time() + 60,
    }
    given = {name: said for name, said in {**given, **changed}.items() if said is not None}
    algorithm, signer = given.pop("alg", "RS256"), given.pop("signer", "")
    key = {"HS256": "k" * 32, "none": None}.get(algorithm, stranger if signer else ours)
    token = jwt.encode(given, key, algorithm=algorithm, headers={"kid": "1"})
    public = jwt.PyJWK(
        jwt.algorithms.RSAAlgorithm.to_jwk(ours.public_key(), as_dict=True) | {"kid": "1", "alg": "RS256"}
    )
    monkeypatch.setattr(single_sign_on.Provider, "retrieve_matching_jwk", lambda _self, _token: public)
    monkeypatch.setattr(
        single_sign_on.Provider, "get_token", lambda _self, _asked: {"id_token": token, "access_token": "a"}
    )

    def ask() -> str:
        return single_sign_on.Provider().identity(code="c", nonce="n", verifier="v", back="/")

    if holds:
        assert ask() == ID
    else:
        with pytest.raises((jwt.PyJWTError, SignOnRefused)):
            link_identity(User(pk=0), ask(), by=User(pk=0))


def test_the_claim_may_come_from_the_userinfo_of_the_same_person_alone(
    cast, client, on, settings, monkeypatch
) -> None:
    settings.OIDC_CLAIM, settings.OIDC_RP_SCOPES = "staff_no", "openid profile"
    link_identity(cast.county, "330001", by=system_user())
    told = {"sub": ID, "staff_no": "330001"}
    monkeypatch.setattr(single_sign_on.Provider, "get_userinfo", lambda *_given: told)
    assert "陈县办" in _sign_on(client, ID).content.decode()
    client.post(reverse("logout"))

    told["sub"] = "somebody else"

    assert "没有通过核验" in _sign_on(client, ID).content.decode()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "DOUDI_OIDC_AUTHORIZE_URL"),
        ({"AUTHORIZE_URL": "http://provider.example/"}, "https://"),
        (PLACES, "DOUDI_OIDC_CLIENT_ID"),
        (PLACES | {"CLIENT_ID": "doudi", "CLIENT_SECRET": "s", "ALGORITHM": "none"}, "RS256"),
    ],
)
def test_half_a_setting_is_refused_by_name(given, said, tmp_path) -> None:
    names = {
        f"DOUDI_OIDC_{name}": value
        for name, value in ({"ISSUER": "https://provider.example"} | given).items()
    }
    done = subprocess.run(
        [sys.executable, "-c", "import doudi.house.settings"],
        env={**os.environ, **names, "DOUDI_HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode and said in done.stderr.splitlines()[-1]


def test_a_whole_setting_lets_forms_lead_to_the_provider(tmp_path) -> None:
    given = PLACES | {"ISSUER": "https://provider.example", "CLIENT_ID": "doudi", "CLIENT_SECRET": "s"}
    asked = "from doudi.house.settings import CONTENT_SECURITY_POLICY as p; print(*p['DIRECTIVES']['form-action'])"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={**os.environ, **{f"DOUDI_OIDC_{name}": one for name, one in given.items()}, "DOUDI_HOME": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.split() == ["'self'", "https://provider.example"]
