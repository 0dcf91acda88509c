"""Needs on pages: the list for office and bodies, one need with its steps, raising one, what a household received."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, Scope, User, may, scope_of
from doudi.contexts.charity import services as charity
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.steps import take_step
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import (
    ClaimForm,
    ConsentForm,
    GroundForm,
    NeedForm,
    PublishForm,
    WithdrawForm,
    from_pack,
)
from doudi.web.views.linkage.stepping import Step

PAGE = 25
_Status = charity.Need.Status


def _body(by: User) -> bool:
    return scope_of(by, Act.VIEW_NEEDS) is Scope.ORGANISATION


@require_safe
def need_list(request: HttpRequest) -> HttpResponse:
    """Needs that the account may see, the most urgent first (帮扶需求)."""
    user = asker(request)
    body = _body(user)
    status = request.GET.get("status", "published" if body else "open")
    kind = request.GET.get("kind", "")
    found = charity.needs(by=user, status="" if status == "all" else status, kind=kind)
    page = LongList(found, PAGE).get_page(request.GET.get("page"))
    statuses = [("published", _Status.PUBLISHED.label), ("claimed", _Status.CLAIMED.label), ("all", "全部")]
    if not body:
        statuses = [
            ("open", "在办"),
            ("raised", _Status.RAISED.label),
            *statuses[:2],
            ("met", _Status.MET.label),
            ("all", "全部"),
        ]
    shown = {
        "page": page,
        "rows": [charity.need_fields(need, user) for need in page],
        "labels": dict(_Status.choices),
        "status": status,
        "statuses": statuses,
        "kind": kind,
        "kinds": from_pack("kinds") + (from_pack("broader_kinds") if body else []),
        "body": body,
    }
    return render(request, "linkage/needs.html", shown)


def _consent(code: str, typed: dict[str, Any], by: User) -> Any:
    file = typed.pop("evidence", None)
    return chain.give_consent(code, evidence=file.read() if file else b"", by=by, **typed)


STEPS = {
    "consent": Step(
        ConsentForm, Act.RAISE_NEED, gettext_lazy("登记本人同意"), gettext_lazy("登记同意"), _consent, gettext_lazy("同意已登记。"),
    ),
    "publish": Step(
        PublishForm, Act.PUBLISH_NEED, gettext_lazy("审核发布"), gettext_lazy("发布（不含身份）"),
        lambda code, typed, by: chain.publish_need(code, public_text=typed["public_text"], by=by),
        gettext_lazy("已发布，慈善组织可以认领。"),
    ),
    "claim": Step(
        ClaimForm, Act.CLAIM_NEED, gettext_lazy("认领"), gettext_lazy("认领这个需求"),
        lambda code, typed, by: chain.claim_need(code, project_number=typed["project"], by=by),
        gettext_lazy("已认领。请在保留期内给予，或退回。"),
    ),
    "withdraw": Step(
        WithdrawForm, Act.RAISE_NEED, gettext_lazy("本人撤回同意"), gettext_lazy("撤回并撤下"),
        lambda code, typed, by: chain.withdraw_consent(code, told_on=typed["told_on"], by=by),
        gettext_lazy("已撤下，慈善组织再也看不到。"), second=True,
    ),
    "close": Step(
        GroundForm, Act.RAISE_NEED, gettext_lazy("关闭需求"), gettext_lazy("关闭"),
        lambda code, typed, by: charity.close_need(code, why=typed["ground"], by=by), gettext_lazy("已关闭。"), second=True,
    ),
}  # fmt: skip


@require_safe
def need_page(request: HttpRequest, code: str) -> HttpResponse:
    """One need; the look is in the audit log."""
    charity.look_at_need(code, by=asker(request))
    return _page(request, code, {}, None)


def _projects(code: str, by: User) -> list[charity.PairExplained]:
    return chain.why_each_project(code, by=by)


def _page(
    request: HttpRequest, code: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    need = charity.need_of(code, by=user)
    body = _body(user)
    pairs = _projects(code, user) if need.status in (_Status.PUBLISHED, _Status.CLAIMED) else []
    fitting = [(pair.project.number, pair.project.name) for pair in pairs if pair.fits]
    names: list[str] = []
    if need.status == _Status.RAISED:
        names = ["consent", *(["publish"] if need.raised_by != user.username else []), "close"]
    elif need.status == _Status.PUBLISHED:
        names = [*(["claim"] if fitting else []), "consent", "withdraw", "close"]
    elif need.status == _Status.CLAIMED:
        names = ["consent", "withdraw"]
    shown = {
        "need": charity.need_fields(need, user),
        "status_label": need.get_status_display(),
        "body": body,
        "pairs": pairs,
        "consents": [] if body else list(need.consents.all()),
        "claims": charity.claims(by=user).filter(need=need),
        "parts": charity.parts_of(need),
        "events": [] if body else list(need.events.all()),
        "own_raised": need.raised_by == user.username and may(user, Act.PUBLISH_NEED),
        "problem": problem,
        "steps": stepping.offer(
            STEPS,
            names,
            user,
            url=lambda name: reverse("need_step", args=[code, name]),
            sent=sent,
            projects=fitting,
        ),
    }
    return render(request, "linkage/need.html", shown, status=422 if sent else 200)


def step(request: HttpRequest, code: str, step: str) -> HttpResponse:
    """A step of a need."""
    user = asker(request)
    charity.need_of(code, by=user)
    fitting = []
    if step == "claim" and may(user, Act.CLAIM_NEED):
        fitting = [(pair.project.number, pair.project.name) for pair in _projects(code, user)]
    return stepping.do(
        request, code, step, STEPS, page=_page, projects=fitting,
        there=stepping.back_to("need", code=code) if step != "claim" else stepping.back_to("claims"),
    )  # fmt: skip


def new(request: HttpRequest, household_no: str) -> HttpResponse:
    """Raise a household's need from the window (登记需求)."""
    user = asker(request)
    household = registry.household(household_no, by=user)
    return _raise(
        request, household, lambda typed, by: chain.raise_need(household_no, origin="window", by=by, **typed)
    )


def of_warning(request: HttpRequest, number: str) -> HttpResponse:
    """Raise the need that a visit found (转介慈善)."""
    user = asker(request)
    case = monitoring.warning(number, by=user)
    household = registry.household(case.household_no, by=user)
    return _raise(request, household, lambda typed, by: chain.raise_need_of_warning(number, by=by, **typed))


def _raise(request: HttpRequest, household: registry.Household, act: Any) -> HttpResponse:
    form = NeedForm(request.POST or None)

    def again(problem: DoudiError | None) -> HttpResponse:
        shown = {
            "form": form,
            "problem": problem,
            "household": household,
            "title": _("登记帮扶需求"),
            "button": _("登记需求"),
        }
        return render(request, "linkage/form.html", shown, status=422 if form.is_bound else 200)

    if request.method != "POST":
        return again(None)
    raised: list[charity.Need] = []
    answer = take_step(
        request,
        form,
        lambda typed, by: raised.append(act(form.need(), by)),
        again=again,
        done=_("需求已登记。请登记本人同意，由县级审核后发布。"),
        then=redirect("needs"),
    )
    return redirect("need", code=raised[0].code) if raised else answer


@require_safe
def received(request: HttpRequest, household_no: str) -> HttpResponse:
    """What a household received from all sides (所受帮扶); the look is in the audit log."""
    user = asker(request)
    found = chain.received(household_no, by=user)
    shown = {
        "household": found.household,
        "lines": found.lines,
        "layers": [(charity.LAYERS[layer], fen) for layer, fen in found.by_layer.items()],
        "layer_names": charity.LAYERS,
        "by_kind": sorted(found.by_kind.items()),
        "needs": [
            charity.need_fields(need, user) | {"label": need.get_status_display()} for need in found.needs
        ],
    }
    return render(request, "linkage/received.html", shown)


@require_safe
def demand(request: HttpRequest) -> HttpResponse:
    """Needs by township and kind, shaded by number, against what projects have left (需求热力)."""
    found = chain.demand(by=asker(request))
    shown = {
        "kinds": found.kinds,
        "rows": [(place, list(zip(found.kinds, cells, strict=True))) for place, cells in found.rows],
        "columns": list(zip(found.kinds, found.totals, found.supply, strict=True)),
        "short": found.short,
    }
    return render(request, "linkage/demand.html", shown)
