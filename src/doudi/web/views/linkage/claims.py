"""Claims and proposals on pages: what a body holds, gives or sends back; what the county's reckoning proposes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import BookingForm, GoodsForm, GrantForm, GroundForm, OutcomeForm
from doudi.web.views.linkage.stepping import Step

PAGE = 25
_Status = charity.Claim.Status


@require_safe
def claim_list(request: HttpRequest) -> HttpResponse:
    """What is held, given, sent back (认领)."""
    user = asker(request)
    status = request.GET.get("status", "reserved")
    found = charity.claims(by=user, status="" if status == "all" else status)
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": [*_Status.choices, ("all", gettext_lazy("全部"))],
    }
    return render(request, "linkage/claims.html", shown)


STEPS = {
    "grant": Step(
        GrantForm, Act.CLAIM_NEED, gettext_lazy("给予"), gettext_lazy("登记给予"),
        lambda number, typed, by: chain.grant_claim(number, by=by, **typed), gettext_lazy("已登记给予，并已备案。"),
    ),
    "goods": Step(
        GoodsForm, Act.CLAIM_NEED, gettext_lazy("发放物资（先到期先出）"), gettext_lazy("出库"),
        lambda number, typed, by: charity.give_goods(number, name=typed["name"], quantity=typed["quantity"], by=by),
        gettext_lazy("已出库。"), second=True,
    ),
    "book": Step(
        BookingForm, Act.CLAIM_NEED, gettext_lazy("预约服务"), gettext_lazy("预约"),
        lambda number, typed, by: charity.book_service(number, by=by, **typed), gettext_lazy("已预约。"), second=True,
    ),
    "refuse": Step(
        GroundForm, Act.CLAIM_NEED, gettext_lazy("退回清单"), gettext_lazy("退回"),
        lambda number, typed, by: charity.refuse_claim(number, why=typed["ground"], by=by),
        gettext_lazy("已退回，需求回到清单。"), second=True,
    ),
    "release": Step(
        GroundForm, Act.MATCH_NEEDS, gettext_lazy("收回认领"), gettext_lazy("收回"),
        lambda number, typed, by: charity.release_claim(number, why=typed["ground"], by=by),
        gettext_lazy("已收回，需求回到清单。"), second=True,
    ),
    "outcome": Step(
        OutcomeForm, Act.RAISE_NEED, gettext_lazy("登记结果"), gettext_lazy("登记结果"),
        lambda number, typed, by: charity.record_outcome(number, by=by, **typed), gettext_lazy("结果已登记。"),
    ),
}  # fmt: skip


def _resources(claim: charity.Claim, by: User) -> dict[str, Any]:
    """What the body has on its shelves and in its calendar."""
    if not may(by, Act.CLAIM_NEED):
        return {"goods": [], "services": []}
    names: dict[str, str] = {}
    for lot in charity.lots(by=by):
        names.setdefault(lot.name, f"{lot.name}（{lot.unit}）")
    return {
        "goods": list(names.items()),
        "services": [(offer.pk, f"{offer.name}（{offer.unit}）") for offer in charity.services(by=by)],
    }


def claim_page(request: HttpRequest, number: str) -> HttpResponse:
    """One claim with its steps."""
    return _page(request, number, {}, None)


def _page(
    request: HttpRequest, number: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    claim = charity.claim_of(number, by=user)
    resources = _resources(claim, user)
    names: list[str] = []
    if claim.status == _Status.RESERVED:
        names = ["grant"]
    if claim.status in (_Status.RESERVED, _Status.GRANTED):
        names += [
            name for name, has in (("goods", resources["goods"]), ("book", resources["services"])) if has
        ]
    if claim.status == _Status.RESERVED:
        names += ["refuse", "release"]
    if claim.status == _Status.GRANTED and not claim.result:
        names.append("outcome")
    try:
        need: dict[str, Any] | None = charity.need_fields(charity.need_of(claim.need.code, by=user), user)
    except charity.NeedNotFound:
        need = None
    shown = {
        "claim": claim,
        "need": need,
        "goods": list(claim.goods.select_related("lot")),
        "bookings": list(claim.bookings.select_related("offer")),
        "can_contact": may(user, Act.CLAIM_NEED) and claim.status in (_Status.RESERVED, _Status.GRANTED),
        "problem": problem,
        "steps": stepping.offer(
            STEPS,
            names,
            user,
            url=lambda name: reverse("claim_step", args=[number, name]),
            sent=sent,
            **resources,
        ),
    }
    return render(request, "linkage/claim.html", shown, status=422 if sent or problem else 200)


def step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """A step of a claim."""
    user = asker(request)
    claim = charity.claim_of(number, by=user)
    return stepping.do(
        request, number, step, STEPS, page=_page, there=stepping.back_to("claim", number=number),
        **_resources(claim, user),
    )  # fmt: skip


def contact(request: HttpRequest, number: str) -> HttpResponse:
    """Whom to deliver to, where the person agreed to it; the look is in the audit log."""
    user = asker(request)
    if request.method != "POST":
        return redirect("claim", number=number)
    charity.claim_of(number, by=user)
    try:
        name, phone = charity.contact_for(number, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, number, {}, problem)
    return render(request, "linkage/contact.html", {"number": number, "name": name, "phone": phone})


# ---- proposals -------------------------------------------------------------------------------------------------


def matching(request: HttpRequest) -> HttpResponse:
    """Reckonings of who should serve whom (供需匹配)."""
    user = asker(request)
    if request.method == "POST":
        run = chain.propose_matches(by=user)
        messages.success(request, _("已提出建议，请逐条决定。"))
        return redirect("match_run", number=run.number)
    return render(
        request,
        "linkage/matching.html",
        {"page": Paginator(charity.runs(by=user), PAGE).get_page(request.GET.get("page"))},
    )


@require_safe
def run_page(request: HttpRequest, number: str) -> HttpResponse:
    """One reckoning: each pair with its reason, each need left over with its own."""
    return _run(request, number, None)


def _run(request: HttpRequest, number: str, problem: DoudiError | None, refused: int = 0) -> HttpResponse:
    run = charity.run_of(number, by=asker(request))
    shown = {
        "run": run,
        "pairs": chain.explain_pairs(number, by=asker(request)),
        "left_over": charity.left_over(number, by=asker(request)),
        "served": sorted((int(tier), count) for tier, count in run.served.items()),
        "problem": problem,
        "refused": refused,
    }
    return render(request, "linkage/run.html", shown, status=422 if problem else 200)


def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept or refuse one pair."""
    user = asker(request)
    number = request.POST.get("run", "")
    if request.method != "POST":
        return redirect("matching")
    try:
        if request.POST.get("decision") == "accept":
            chain.accept_proposal(pk, by=user)
            messages.success(request, _("已采纳，需求为该组织保留。"))
        else:
            charity.refuse_proposal(pk, ground=request.POST.get("ground", ""), by=user)
            messages.success(request, _("已记为不采纳。"))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _run(request, number, problem, refused=pk)
    return redirect("match_run", number=number)
