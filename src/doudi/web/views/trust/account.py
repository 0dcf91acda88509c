"""One's own account: the second factor and the sessions that are open (我的账号)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi.contexts.accounts import services as accounts
from doudi.engine.errors import DoudiError
from doudi.house import qrcode
from doudi.web.guard import asker


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Who one is here, whether codes are asked for, and from where one is signed in."""
    user = asker(request)
    shown = {
        "sessions": accounts.own_sessions(by=user, session=request.session),
        "codes_left": accounts.codes_left(user),
        "needed": accounts.needs_second_factor(user),
        "sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "linked": accounts.linked_identity(user, by=user),
    }
    return render(request, "trust/account.html", shown)


def second_factor(request: HttpRequest) -> HttpResponse:
    """Put codes into use, take fresh recovery codes, or turn codes off."""
    user = asker(request)
    shown: dict[str, Any] = {"on": user.second_factor, "codes_left": accounts.codes_left(user)}
    status = 200
    if request.method == "POST":
        code, wish = request.POST.get("code", ""), request.POST.get("wish", "")
        try:
            if wish == "off":
                accounts.end_second_factor(user.username, by=user, code=code)
                messages.success(request, _("动态口令已停用。"))
                return redirect("account")
            if wish == "renew":
                shown["codes"] = accounts.renew_recovery_codes(code, by=user)
            else:
                shown["codes"] = accounts.confirm_second_factor(code, by=user)
                accounts.second_factor_passed(request.session)
            return render(request, "trust/recovery_codes.html", shown)
        except DoudiError as problem:
            shown["problem"], status = problem, 422
    if not user.second_factor:
        factor = accounts.begin_second_factor(by=user)
        secret = factor.secret
        shown["secret"] = " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))
        shown["uri"] = accounts.key_uri(factor, user.username)
    return render(request, "trust/second_factor.html", shown, status=status)


@require_safe
def second_factor_code(request: HttpRequest) -> HttpResponse:
    """The unconfirmed secret as a square for a telephone's camera (SVG); gone once codes are in use."""
    user = asker(request)
    factor = accounts.begin_second_factor(by=user)
    drawn = qrcode.to_svg(accounts.key_uri(factor, user.username))
    return HttpResponse(drawn, content_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def second_factor_check(request: HttpRequest) -> HttpResponse:
    """The code that is asked for after the password."""
    user = asker(request)
    shown: dict[str, Any] = {"next": request.POST.get("next") or request.GET.get("next", "")}
    if request.method == "POST":
        try:
            accounts.check_second_factor(request.POST.get("code", ""), by=user)
        except DoudiError as problem:
            shown["problem"] = problem
            return render(request, "trust/second_factor_check.html", shown, status=422)
        request.session.cycle_key()
        accounts.second_factor_passed(request.session)
        there = shown["next"]
        inside = url_has_allowed_host_and_scheme(there, allowed_hosts={request.get_host()})
        return redirect(there if there and inside else "home")
    return render(request, "trust/second_factor_check.html", shown)


def end_others(request: HttpRequest) -> HttpResponse:
    """End every other session of one's own."""
    if request.method == "POST":
        ended = accounts.end_sessions(asker(request), by=asker(request), but=request.session)
        messages.success(request, _("已结束其他登录 %(number)d 个。") % {"number": ended})
    return redirect("account")
