"""Whether a signed-in person goes on to a page, or has something to do first: a code, a password, signing in again."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Admission, User
from doudi.web.addresses import client_address

_FIRST = {
    Admission.TYPE_CODE: "second_factor_check",
    Admission.SET_UP_CODE: "second_factor",
    Admission.CHANGE_PASSWORD: "password",
}
_BESIDE = {Admission.SET_UP_CODE: "second_factor_code"}
"""The picture that the page of what comes first shows."""


def attend(request: HttpRequest, user: User, page: str) -> HttpResponse | None:
    """None where the person goes on to ``page``; else the way to what comes first."""
    said = accounts.admit(
        user,
        request.session,
        address=client_address(request),
        device=request.headers.get("User-Agent", ""),
    )
    if said is Admission.GO_ON:
        return None
    if said in (Admission.IDLE, Admission.ENDED):
        logout(request)
        messages.info(
            request,
            _("长时间没有操作，已自动退出，请重新登录。")
            if said is Admission.IDLE
            else _("这次登录已在别处结束，请重新登录。"),
        )
        there = redirect_to_login(request.get_full_path())["Location"]
    elif page in (_FIRST[said], _BESIDE.get(said)):
        return None
    else:
        if said is Admission.SET_UP_CODE:
            messages.info(request, _("您的角色须启用动态口令，请先设置。"))
        elif said is Admission.CHANGE_PASSWORD:
            messages.info(request, _("密码是他人设定的，请先改成自己的。"))
        there = reverse(_FIRST[said])
    return HttpResponseClientRedirect(there) if getattr(request, "htmx", False) else redirect(there)
