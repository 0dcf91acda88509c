"""Signing in and out, language and type size, and the sign of life."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django.views.i18n import set_language as _set_language

from doudi.contexts.accounts.services import Role, record
from doudi.web.guard import asker
from doudi.web.shell import LARGE_COOKIE

_YEAR = 365 * 24 * 3600

login = LoginView.as_view(
    template_name="accounts/login.html",
    authentication_form=AuthenticationForm,
    redirect_authenticated_user=True,
    extra_context={"roles": [role.value for role in Role]},
)
logout = LogoutView.as_view()
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
        form.save()
        record(
            by=asker(request),
            act="set_password",
            subject=f"user:{form.user.username}",
            region_code=asker(request).region_code,
        )
        update_session_auth_hash(request, form.user)
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
