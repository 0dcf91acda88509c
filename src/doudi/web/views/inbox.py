"""Needs pushed to departments: the department's inbox, and for the others the state of what they pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import services as assistance
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.forms import AnswerForm, ReturnForm
from doudi.web.guard import asker

PAGE = 25


@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    """Referrals that the account may see; those that wait for an answer first."""
    user = asker(request)
    status = request.GET.get("status", "pending")
    found = assistance.referrals(by=user, status="" if status == "all" else status)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": [("pending", "待办"), *assistance.Referral.Status.choices, ("all", "全部")],
    }
    return render(request, "assistance/inbox.html", shown)


@require_safe
def referral_page(request: HttpRequest, number: str) -> HttpResponse:
    """One referral; the look is in the audit log."""
    user = asker(request)
    return _page(request, assistance.look_at_referral(number, by=user))


def _page(
    request: HttpRequest,
    referral: assistance.Referral,
    *,
    form: AnswerForm | ReturnForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    receiver = may(asker(request), Act.ANSWER_REFERRAL)
    shown: dict[str, Any] = {
        "referral": referral,
        # the receiving department needs the person; everybody else has the register
        "id_shown": referral.id_number if receiver else identity.mask_id(referral.id_number),
        "phone_shown": referral.phone if receiver else "",
        "receiver": receiver,
        "problem": problem,
    }
    if receiver and referral.is_pending:
        shown["answer_form"] = form if isinstance(form, AnswerForm) else AnswerForm()
        shown["return_form"] = form if isinstance(form, ReturnForm) else ReturnForm()
    failed = problem is not None or form is not None
    return render(request, "assistance/referral.html", shown, status=422 if failed else 200)


def _take(
    request: HttpRequest,
    number: str,
    form: AnswerForm | ReturnForm,
    act: Callable[[dict[str, Any], User], Any],
    done: str,
) -> HttpResponse:
    user = asker(request)
    if request.method != "POST":
        return redirect("referral", number=number)
    referral = assistance.referral(number, by=user)
    if not form.is_valid():
        return _page(request, referral, form=form)
    try:
        act(form.cleaned_data, user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, assistance.referral(number, by=user), problem=problem, form=form)
    messages.success(request, done)
    return redirect("referral", number=number)


def accept(request: HttpRequest, number: str) -> HttpResponse:
    """The department takes the need on."""
    user = asker(request)
    if request.method != "POST":
        return redirect("referral", number=number)
    try:
        chain.accept_referral(number, by=user)
    except DoudiError as problem:
        if problem.code != "step_refused":
            raise
        return _page(request, assistance.referral(number, by=user), problem=problem)
    messages.success(request, _("已接收，请在期限内办理并反馈。"))
    return redirect("referral", number=number)


def answer(request: HttpRequest, number: str) -> HttpResponse:
    """The department says what came of it."""
    return _take(
        request,
        number,
        AnswerForm(request.POST),
        lambda typed, user: chain.answer_referral(
            number, result=typed["result"], answer=typed["answer"], amount_fen=typed["amount"], by=user
        ),
        _("已反馈民政部门。"),
    )


def send_back(request: HttpRequest, number: str) -> HttpResponse:
    """The department sends the need back with a reason."""
    return _take(
        request,
        number,
        ReturnForm(request.POST),
        lambda typed, user: chain.return_referral(number, why=typed["why"], by=user),
        _("已退回民政部门。"),
    )
