"""One account as its administrator looks after it: closing, a new password, sessions, and whose files it must not open."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import User
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker


class CloseForm(forms.Form):
    """Who takes the open work, and why the account is closed."""

    hand_to = forms.ChoiceField(label=gettext_lazy("未办完的工作交给"), required=False)
    ground = forms.CharField(label=gettext_lazy("停用理由"), min_length=4, max_length=200)

    def __init__(self, *args: Any, officers: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["hand_to"].choices = [("", _("没有未办完的工作")), *officers]  # type: ignore[attr-defined]


class PasswordForm(forms.Form):
    """A first password, which the person changes at the next sign-in."""

    password = forms.CharField(
        label=gettext_lazy("新的初始密码"),
        help_text=gettext_lazy("本人下次登录时须先修改"),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class OwnPersonForm(forms.Form):
    """The officer or a relative, by number."""

    relation = forms.ChoiceField(
        label=gettext_lazy("与该账号本人的关系"),
        choices=[(name, gettext_lazy(name)) for name in accounts.RELATIONS],
    )
    id_number = forms.CharField(
        label=gettext_lazy("证件号"),
        max_length=30,
        help_text=gettext_lazy("只保存加密索引和末四位，用于回避，不能还原"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class IdentityForm(forms.Form):
    """Who the person is at the government's single sign-on."""

    identity = forms.CharField(
        label=gettext_lazy("统一身份认证的标识"),
        max_length=200,
        help_text=gettext_lazy("由认证平台给出；只保存加密索引和末四位"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class GroundForm(forms.Form):
    """Why somebody else's second factor is turned off."""

    ground = forms.CharField(label=gettext_lazy("停用动态口令的理由"), min_length=4, max_length=200)


def _forms(found: User, by: User, *, step: str = "", typed: Any = None) -> dict[str, forms.Form]:
    """The forms of the page; the one of ``step`` holds what was typed."""
    officers = [
        (one.username, str(one)) for one in accounts.users(by=by) if one.is_active and one.pk != found.pk
    ]

    def data(name: str) -> Any:
        return typed if name == step else None

    return {
        "close": CloseForm(data("close"), officers=officers, auto_id="close_%s"),
        "password": PasswordForm(data("password"), auto_id="password_%s"),
        "own_person": OwnPersonForm(data("own_person"), auto_id="own_%s"),
        "identity": IdentityForm(data("identity"), auto_id="identity_%s"),
        "factor_off": GroundForm(data("factor_off"), auto_id="factor_%s"),
    }


def _page(request: HttpRequest, found: User, *, status: int = 200, **shown: Any) -> HttpResponse:
    by = asker(request)
    shown = {
        "account": found,
        "own_people": accounts.own_people(found, by=by),
        "sign_on": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "linked": accounts.linked_identity(found, by=by),
        "forms": _forms(found, by),
        **shown,
    }
    return render(request, "trust/staff.html", shown, status=status)


def staff(request: HttpRequest, username: str) -> HttpResponse:
    """One account."""
    return _page(request, accounts.managed_account(username, by=asker(request)))


def step(request: HttpRequest, username: str, step: str) -> HttpResponse:
    """One of the things an administrator does to an account."""
    by = asker(request)
    found = accounts.managed_account(username, by=by)
    if request.method != "POST":
        return redirect("staff", username=username)
    filled = _forms(found, by, step=step, typed=request.POST)
    form = filled.get(step)
    if form is not None and not form.is_valid():
        return _page(request, found, forms=filled, status=422)
    try:
        said = _do(step, found, form.cleaned_data if form is not None else request.POST, by)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, found, forms=filled, problem=problem, status=422)
    if said:
        messages.success(request, said)
    return redirect("staff", username=username)


def _do(step: str, found: User, typed: Any, by: User) -> str:
    name = {"name": found.username}
    if step == "close":
        chain.close_account(found.username, hand_to=typed["hand_to"], ground=typed["ground"], by=by)
        return _("账号“%(name)s”已停用。") % name
    if step == "password":
        accounts.set_password(found.username, typed["password"], by=by)
        accounts.end_sessions(found, by=by)
        return _("已设初始密码，该账号的登录已全部结束。")
    if step == "own_person":
        accounts.note_own_person(found, id_number=typed["id_number"], relation=typed["relation"], by=by)
        return _("已登记，该账号今后打不开此人所在家庭的档案。")
    if step == "factor_off":
        accounts.end_second_factor(found.username, by=by, ground=typed["ground"])
        return _("动态口令已停用，请本人重新设置。")
    if step == "identity":
        accounts.link_identity(found, typed["identity"], by=by)
        return _("已绑定。")
    if step == "identity_off":
        accounts.unlink_identity(found, by=by)
        return _("已解除绑定，该账号的登录已全部结束。")
    if step == "forget":
        accounts.forget_own_person(int(typed["pk"]) if str(typed.get("pk", "")).isdigit() else 0, by=by)
        return _("已撤销登记。")
    if step == "sessions":
        return _("已结束登录 %(number)d 个。") % {"number": accounts.end_sessions(found, by=by)}
    raise DoudiError("没有这项操作。", "No such step.", code="step_not_found")
