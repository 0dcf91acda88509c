"""Accounts, for the administrator."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.engine.errors import DoudiError
from doudi.web.forms import UserForm
from doudi.web.guard import asker


def user_list(request: HttpRequest) -> HttpResponse:
    """All accounts, and a form to open one."""
    user = asker(request)
    form = UserForm(request.POST or None, handling=chain.rules()[1])
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            accounts.create_user(**{**typed, "role": Role(typed["role"])}, by=user, first_password=True)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("账号“%(name)s”已开通。") % {"name": typed["username"]})
            return redirect("users")
    failed = problem is not None or bool(form.errors)
    shown = {"users": accounts.users(by=user), "form": form, "problem": problem}
    return render(request, "accounts/users.html", shown, status=422 if failed else 200)
