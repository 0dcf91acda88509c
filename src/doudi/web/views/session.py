"""Signing in and out, language and type size, and the sign of life."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language as _set_language

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.web.addresses import client_address
from doudi.web.attendance import attend
from doudi.web.guard import asker
from doudi.web.shell import LARGE_COOKIE
from doudi.web.templatetags.doudi import moment

_YEAR = 365 * 24 * 3600


def welcome(request: HttpRequest) -> None:
    """Note who has just come in, and tell of the last time, so that somebody else's sign-in is noticed."""
    user = asker(request)
    attend(request, user, "")
    accounts.note_sign_in(user, address=client_address(request), session=request.session)
    before = accounts.previous_sign_in(user, request.session)
    if before is not None:
        messages.info(
            request,
            _("上次登录：%(at)s，来自 %(address)s。如不是您本人，请立即修改密码并结束其他登录。")
            % {"at": moment(before.begun_at), "address": before.address or _("未知地址")},
        )


class _Login(LoginView):
    """The door."""

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        welcome(self.request)
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs) | {
            "sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else ""
        }


class _Logout(LogoutView):
    """Out again; the session is noted as ended, here and at the single sign-on that opened it."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        accounts.end_this(request.session)
        by_sign_on = accounts.came_by_sign_on(request.session)
        response = super().post(request, *args, **kwargs)
        if by_sign_on and settings.OIDC_LOGOUT_URL:
            back = request.build_absolute_uri(reverse("login"))
            asked = urlencode({"client_id": settings.OIDC_RP_CLIENT_ID, "post_logout_redirect_uri": back})
            return redirect(f"{settings.OIDC_LOGOUT_URL}?{asked}")
        return response


login = _Login.as_view(
    template_name="accounts/login.html",
    authentication_form=AuthenticationForm,
    redirect_authenticated_user=True,
    extra_context={"roles": [role.value for role in Role]},
)
logout = _Logout.as_view()
set_language = _set_language


@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while the database answers, 503 when it does not; says nothing else."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
    except DatabaseError:
        return JsonResponse({"status": "database_unreachable"}, status=503)
    return JsonResponse({"status": "ok"})


@require_POST
def set_large(request: HttpRequest) -> HttpResponse:
    """Large type for older eyes (适老化大字版), kept in a cookie of this browser."""
    response = redirect(_back(request))
    if request.POST.get("large") == "1":
        response.set_cookie(LARGE_COOKIE, "1", max_age=_YEAR, samesite="Lax", httponly=True)
    else:
        response.delete_cookie(LARGE_COOKIE, samesite="Lax")
    return response


def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password; the session goes on."""
    form = PasswordChangeForm(asker(request), request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = accounts.set_password(
            asker(request).username, form.cleaned_data["new_password1"], by=asker(request)
        )
        update_session_auth_hash(request, user)
        messages.success(request, _("密码已修改。"))
        return redirect("home")
    return render(request, "accounts/password.html", {"form": form}, status=422 if form.errors else 200)


def _back(request: HttpRequest) -> str:
    there = request.POST.get("next", "/")
    if url_has_allowed_host_and_scheme(
        there, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return there
    return "/"
