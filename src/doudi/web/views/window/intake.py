"""The one window's intake (受理窗口): the desk, finding who stands there, a new family, a new application."""

from __future__ import annotations

import secrets

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english
from doudi.web.views.window.forms import IntakeForm, NewFamilyForm

PAGE = 25
State = assistance.ApplicationState


def kind_names() -> dict[str, str]:
    """Kinds of application by code, in the reader's language."""
    return {k.code: k.label_en if english() else k.label for k in chain.procedures().kinds.values()}


@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """Applications of the area by state; a search by number, name or identity number."""
    user = asker(request)
    state = request.GET.get("state", "open")
    found = assistance.applications(
        by=user, state="" if state == "all" else state, text=request.GET.get("q", "")[:80]
    )
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "state": state,
        "q": request.GET.get("q", ""),
        "states": [
            ("open", gettext_lazy("在办")),
            ("overdue", gettext_lazy("已超期")),
            *(
                (s.value, s.label)
                for s in (State.SUBMITTED, State.SUPPLEMENT, State.INVESTIGATING, State.NOTICE, State.PROPOSED,
                          State.AIDED, State.TRANSFERRED, State.GRANTED, State.REFUSED)
            ),
            ("all", gettext_lazy("全部")),
        ],
        "counts": assistance.application_counts(by=user),
        "kinds": kind_names(),
        "due_letters": chain.letters_due(by=user)[:10],
        "unbooked": chain.unbooked_decisions(by=user) if may(user, Act.DECIDE_BENEFIT) else [],
    }  # fmt: skip
    return render(request, "window/desk.html", shown)


def new(request: HttpRequest) -> HttpResponse:
    """Find the person or the household, then take the application in; nobody is sent away."""
    user = asker(request)
    household_no = request.POST.get("household", request.GET.get("household", ""))[:60]
    if household_no:
        return _take(request, household_no)
    text = request.GET.get("q", "").strip()[:80]
    found = registry.find(text, by=user, limit=20) if text else None
    return render(request, "window/new.html", {"q": text, "found": found})


def _take(request: HttpRequest, household_no: str) -> HttpResponse:
    user = asker(request)
    household = registry.look_at_household(household_no, by=user, reason="窗口受理申请")
    members = registry.members(household, by=user)
    form = IntakeForm(request.POST or None, members=members, initial={"token": secrets.token_hex(16)})
    problem = None
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        person = registry.reveal_identity(
            household, int(typed["applicant"]), by=user, reason="窗口受理申请，核对申请人身份"
        )
        try:
            found = chain.start_application(
                kind=typed["kind"],
                applicant=assistance.Applicant(person.name, person.id_number, typed["phone"] or person.phone),
                reason=typed["reason"],
                household_no=household_no,
                persons=[person.pk] if typed["alone"] else [],
                alone=typed["alone"],
                token=typed["token"],
                by=user,
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            wanted = {p.code for p in chain.procedures().of(found.kind, found.region_code).papers}
            there = set(found.papers.values_list("code", flat=True))
            for code in typed["papers"]:
                if code in wanted - there:
                    chain.take_paper(found.number, code, by=user, seen_original=True)
            messages.success(request, _("申请已登记，请打印回执。"))
            return redirect("application", number=found.number)
    shown = {"household": household, "form": form, "problem": problem, "members": members}
    return render(request, "window/take.html", shown, status=422 if form.is_bound else 200)


def new_family(request: HttpRequest) -> HttpResponse:
    """Enter a family that is not on the register, then go on with its application."""
    user = asker(request)
    form = NewFamilyForm(
        request.POST or None, area=user.region_code, initial={"token": secrets.token_hex(16)}
    )
    problem, possible = None, []
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        if may(user, Act.CHECK_DUPLICATE) and not request.POST.get("looked"):
            people = [(member.name, member.id_number) for member in form.people()]
            possible = chain.possible_duplicates_of(people, by=user)
        if possible:
            shown = {"form": form, "possible": possible}
            return render(request, "window/family.html", shown, status=422)
        try:
            family = registry.register_family(
                region_code=typed["region_code"],
                urban_rural=typed["urban_rural"],
                people=form.people(),
                ground=typed["ground"],
                token=typed["token"],
                by=user,
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已登记为新立户，请继续登记申请。"))
            response = redirect("window_new")
            response["Location"] += f"?household={family.household_no}"
            return response
    status = 422 if form.is_bound else 200
    return render(request, "window/family.html", {"form": form, "problem": problem}, status=status)
