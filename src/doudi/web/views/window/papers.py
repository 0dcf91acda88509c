"""Letters as files, scans of papers, and what follows a decision."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.assistance import services as assistance
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.window.forms import ChangeForm, EndForm, income_of
from doudi.web.views.window.intake import kind_names


def issue(request: HttpRequest, number: str) -> HttpResponse:
    """Issue a letter on an application, then hand it over as PDF or Word."""
    user = asker(request)
    if request.method != "POST":
        return redirect("application", number=number)
    form = request.POST.get("form", "pdf")
    issued = chain.issue_letter(
        letter=request.POST.get("letter", ""),
        application_number=number,
        decision_number=request.POST.get("decision", ""),
        progress_at=request.build_absolute_uri(reverse("apply_progress")),
        by=user,
    )
    return _file(assistance.letter_file(issued.number, form, by=user))


@require_safe
def letter(request: HttpRequest, letter_no: str, form: str) -> HttpResponse:
    """A letter that was issued before."""
    return _file(assistance.letter_file(letter_no, form, by=asker(request)))


def _file(found: assistance.LetterFile) -> HttpResponse:
    return HttpResponse(
        found.content,
        content_type=found.media_type,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(found.name)}"},
    )


@require_safe
def scan(request: HttpRequest, pk: int) -> HttpResponse:
    """The scan of a paper; the look is in the audit log."""
    content, media_type = assistance.paper_scan(pk, by=asker(request))
    return HttpResponse(content, content_type=media_type, headers={"Content-Disposition": "inline"})


@require_safe
def decision_page(request: HttpRequest, number: str) -> HttpResponse:
    """One decision with what it rests on and what may follow."""
    return _decision(request, number)


def _decision(
    request: HttpRequest,
    number: str,
    *,
    end: EndForm | None = None,
    change: ChangeForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    found = assistance.look_at_decision(number, by=user)
    open_one = found.result in ("granted", "changed") and found.amount_fen is None and not found.is_followed
    may_follow = open_one and may(user, Act.DECIDE_APPLICATION)
    shown = {
        "decision": found,
        "kind": kind_names().get(found.kind, found.kind),
        "end_form": (end or EndForm(label_suffix="", auto_id="end_%s")) if may_follow else None,
        "change_form": (change or ChangeForm(label_suffix="", auto_id="change_%s")) if may_follow else None,
        "problem": problem,
        "letters": list(found.letters.order_by("pk")),
    }
    return render(request, "window/decision.html", shown, status=422 if end or change else 200)


def end_decision(request: HttpRequest, number: str) -> HttpResponse:
    """End a benefit."""
    if request.method != "POST":
        return redirect("decision", number=number)
    form = EndForm(request.POST, label_suffix="", auto_id="end_%s")
    if not form.is_valid():
        return _decision(request, number, end=form)
    try:
        made = chain.end_decision(number, **form.cleaned_data, by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _decision(request, number, end=form, problem=problem)
    messages.success(request, _("停止决定已作出，请送达文书。"))
    return redirect("decision", number=made.number)


def change_decision(request: HttpRequest, number: str) -> HttpResponse:
    """Change what a benefit is reckoned on."""
    if request.method != "POST":
        return redirect("decision", number=number)
    form = ChangeForm(request.POST, label_suffix="", auto_id="change_%s")
    if not form.is_valid():
        return _decision(request, number, change=form)
    typed = dict(form.cleaned_data)
    del typed["income"]
    try:
        made = chain.change_decision(number, **typed, income_fen=income_of(form), by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _decision(request, number, change=form, problem=problem)
    messages.success(request, _("变更决定已作出，请送达文书。"))
    return redirect("decision", number=made.number)


def book(request: HttpRequest, number: str) -> HttpResponse:
    """Book a decision as what is to be paid."""
    if request.method == "POST":
        chain.book_decision(number, by=asker(request))
        messages.success(request, _("已转入待遇。"))
    return redirect("decision", number=number)
