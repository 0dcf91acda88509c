"""Coming in by the government's single sign-on (统一身份认证, OpenID Connect Core 1.0, code flow with PKCE).

The library leads to the provider and fetches its answer; what an answer must prove is checked here: signature, issuer,
audience, time, nonce. It is off, and these addresses are not there, until ``DOUDI_OIDC_ISSUER`` is set.
"""

from __future__ import annotations

import hmac
import logging
import re
from typing import Any

import jwt
import requests
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import SignOnRefused
from doudi.web.guard import asker
from doudi.web.views.session import welcome

_log = logging.getLogger("doudi.sign_on")
_STATES, _NEXT, _LINKING = "oidc_states", "oidc_login_next", "oidc_linking"
_CLOCKS_DIFFER = 60
"""Seconds by which the provider's clock may differ from ours."""


class Provider(OIDCAuthenticationBackend):  # type: ignore[misc]
    """What the provider says of who is there; it finds and makes no account."""

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """The claims of an identity token, or an error of ``jwt`` (OpenID Connect Core 1.0 §3.1.3.7).

        The library checks neither issuer nor audience, and takes a token without an end.
        """
        claims: dict[str, Any] = jwt.decode(
            token,
            self.retrieve_matching_jwk(token),
            algorithms=[settings.OIDC_RP_SIGN_ALGO],
            audience=settings.OIDC_RP_CLIENT_ID,
            issuer=settings.OIDC_ISSUER,
            leeway=_CLOCKS_DIFFER,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "nonce"]},
        )
        if not hmac.compare_digest(str(claims["nonce"]).encode(), str(kwargs["nonce"]).encode()):
            raise jwt.InvalidTokenError("nonce")
        for_us = claims["aud"] == settings.OIDC_RP_CLIENT_ID or claims["aud"] == [settings.OIDC_RP_CLIENT_ID]
        if claims.get("azp", settings.OIDC_RP_CLIENT_ID if for_us else None) != settings.OIDC_RP_CLIENT_ID:
            raise jwt.InvalidTokenError("azp")
        return claims

    def retrieve_matching_jwk(self, token: str) -> jwt.PyJWK:
        """The provider's key of that number; a provider with one key need not number it (§10.1), which the library asks."""
        answer = requests.get(settings.OIDC_OP_JWKS_ENDPOINT, timeout=settings.OIDC_TIMEOUT)
        answer.raise_for_status()
        number = jwt.get_unverified_header(token).get("kid")
        way = settings.OIDC_RP_SIGN_ALGO
        fitting = [
            key
            for key in answer.json()["keys"]
            if key.get("alg", way) == way
            and key.get("use", "sig") == "sig"
            and (number is None or key.get("kid", number) == number)
        ]
        if len(fitting) != 1:
            raise jwt.InvalidKeyError("no key, or several")
        return jwt.PyJWK(fitting[0], algorithm=way)

    def identity(self, *, code: str, nonce: str, verifier: str, back: str) -> str:
        """The value of the claim that accounts are linked by."""
        tokens = self.get_token(
            {
                "client_id": self.OIDC_RP_CLIENT_ID,
                "client_secret": self.OIDC_RP_CLIENT_SECRET,
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": back,
                "code_verifier": verifier,
            }
        )
        claims = self.verify_token(tokens["id_token"], nonce=nonce)
        if settings.OIDC_CLAIM not in claims:
            more = self.get_userinfo(tokens["access_token"], tokens["id_token"], claims)
            if more["sub"] != claims["sub"]:  # §5.3.2: else the answer is about somebody else
                raise jwt.InvalidTokenError("sub of userinfo")
            claims = more
        said = claims[settings.OIDC_CLAIM]
        if not isinstance(said, str | int):
            raise jwt.InvalidTokenError("the claim is no text")
        return str(said)


def _there() -> None:
    if not settings.OIDC_ISSUER:
        raise Http404("no single sign-on")


@never_cache
@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """The way to the provider."""
    _there()
    request.session.pop(_LINKING, None)
    way: HttpResponse = OIDCAuthenticationRequestView().get(request)
    return way


def link(request: HttpRequest) -> HttpResponse:
    """The way to the provider, to link who one is there to one's own account; or the link taken off."""
    _there()
    if request.method != "POST":
        return redirect("account")
    if request.POST.get("wish") == "off":
        accounts.unlink_identity(asker(request), by=asker(request))
        messages.success(request, _("已解除绑定。"))
        return redirect("account")
    request.session[_LINKING] = asker(request).pk
    way: HttpResponse = OIDCAuthenticationRequestView().get(request)
    return way


@never_cache
@require_safe
def back(request: HttpRequest) -> HttpResponse:
    """The way back from the provider: in, or linked, or told why not."""
    _there()
    linking = request.session.pop(_LINKING, None)
    there = request.session.pop(_NEXT, None)
    own = linking is not None and linking == request.user.pk
    try:
        identity = _vouched(request)
        if own:
            accounts.link_identity(asker(request), identity, by=asker(request))
            messages.success(request, _("已绑定，下次可以用%(name)s登录。") % {"name": _(settings.OIDC_NAME)})
            return redirect("account")
        user = accounts.account_of_identity(identity)
    except SignOnRefused as problem:
        _log.warning("sign_on_refused %s", problem.code)
        messages.error(request, problem.en if get_language() == "en" else problem.zh)
        return redirect("account" if own else "login")
    login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    accounts.note_sign_on(request.session)
    welcome(request)
    return redirect(there or "home")


def _vouched(request: HttpRequest) -> str:
    """Who the provider says is there, or :class:`SignOnRefused`; each way to the provider leads back once."""
    states = request.session.get(_STATES, {})
    begun = states.pop(request.GET.get("state", ""), None)
    request.session[_STATES] = states
    code = request.GET.get("code", "")
    if not code:
        said = request.GET.get("error", "")
        said = said if re.fullmatch(r"[a-z_]{1,40}", said) else "no code"
        raise SignOnRefused(
            f"统一身份认证没有放行（{said}）。请重试，或用账号密码登录。",
            f"The single sign-on did not let you in ({said}). Try again, or use your password.",
            code="sign_on_denied",
        )
    if begun is None:
        raise SignOnRefused(
            "这次登录不是从本页开始的，或已经用过、过期。请重新点“用统一身份认证登录”。",
            "This sign-on was not begun here, or is used up or too old. Begin again from the sign-in page.",
            code="sign_on_not_begun",
        )
    try:
        return Provider().identity(
            code=code,
            nonce=begun["nonce"],
            verifier=begun["code_verifier"],
            back=request.build_absolute_uri(reverse("sign_on_back")),
        )
    except requests.RequestException:
        raise SignOnRefused(
            "统一身份认证没有回应。请稍后再试，或用账号密码登录。",
            "The single sign-on does not answer. Try later, or use your password.",
            code="sign_on_unreachable",
            retry=True,
        ) from None
    # whatever else a provider sends that cannot be read proves nothing
    except (
        jwt.PyJWTError,
        SuspiciousOperation,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ) as problem:
        _log.warning("sign_on_unproven %s", type(problem).__name__)
        raise SignOnRefused(
            "统一身份认证的答复没有通过核验（签名、签发方、受众、时间或随机数不符）。请重试；仍不行请联系管理员核对设置和时钟。",
            "The answer of the single sign-on did not pass the checks (signature, issuer, audience, time or nonce). Try "
            "again; if it stays so, ask the administrator to compare settings and clocks.",
            code="sign_on_unproven",
        ) from None
