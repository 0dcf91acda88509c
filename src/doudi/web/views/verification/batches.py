"""Many requests at once: workbooks of households, periodic re-checks, what came of them (批量委托、定期复查)."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import User
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.verification.requests import day_of, name_of

_BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PAGE = 25


@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    """The batches of the area, and the two ways to begin one."""
    return _list(request, None)


def _list(request: HttpRequest, problem: DoudiError | None) -> HttpResponse:
    user = asker(request)
    rules = chain.verification_rules()
    shown = {
        "page": Paginator(verification.batches(by=user), PAGE).get_page(request.GET.get("page")),
        "purposes": [(purpose.code, name_of(purpose)) for purpose in rules.purposes.values()],
        "labels": {purpose.code: name_of(purpose) for purpose in rules.purposes.values()},
        "today": timezone.localdate(),
        "unit": registry.region_name(user.region_code) if user.region_code else "",
        "typed": request.POST if problem else {},
        "problem": problem,
    }
    return render(request, "verification/batches.html", shown, status=422 if problem else 200)


@require_safe
def template(request: HttpRequest) -> HttpResponse:
    """An empty workbook to fill in."""
    return _book(verification.template(chain.verification_rules()), "批量委托模板")


def _book(content: bytes, name: str) -> HttpResponse:
    answer = HttpResponse(content, content_type=_BOOK)
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}.xlsx"
    return answer


def upload(request: HttpRequest) -> HttpResponse:
    """Open a request for each household of a workbook."""
    return _begin(request, _upload)


def _upload(request: HttpRequest, user: User) -> verification.RequestBatch:
    file = request.FILES.get("file")
    if file is None:
        raise verification.StepRefused(_("请选择表格。"), "Choose the workbook.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"batch{Path(file.name or '').suffix[:8].lower()}"
        path.write_bytes(file.read())
        return chain.request_batch(path, file_name=file.name or "", requested_by=_unit(request), by=user)


def _unit(request: HttpRequest) -> str:
    unit = request.POST.get("requested_by", "").strip()[:80]
    if not unit:
        raise verification.StepRefused(_("请填写委托单位。"), "Say who requests.")
    return unit


def recheck(request: HttpRequest) -> HttpResponse:
    """Begin a periodic re-check of everyone on a programme."""
    return _begin(request, _recheck)


def _recheck(request: HttpRequest, user: User) -> verification.RequestBatch:
    if request.POST.get("whole"):
        since = request.POST.get("since", "")
        return chain.begin_whole_recheck(
            request.POST.get("purpose", ""),
            as_of=day_of(request.POST.get("as_of", "")),
            since=day_of(since) if since else None,
            requested_by=_unit(request),
            by=user,
        )
    return chain.begin_recheck(
        request.POST.get("purpose", ""),
        as_of=day_of(request.POST.get("as_of", "")),
        requested_by=_unit(request),
        by=user,
    )


def _begin(request: HttpRequest, begin: Any) -> HttpResponse:
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_batches")
    try:
        made = begin(request, user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list(request, problem)
    if not made.whole:
        messages.success(
            request,
            _("受理 %(opened)s 户，未受理 %(refused)s 户。")
            % {"opened": made.opened, "refused": made.refused},
        )
    return redirect("verification_batch", number=made.number)


@require_safe
def batch_page(request: HttpRequest, number: str) -> HttpResponse:
    """One batch with its requests; those for people first."""
    user = asker(request)
    batch = verification.batch_of(number, by=user)
    if batch.whole:
        return _whole_page(request, batch, user)
    wanted = request.GET.get("show", "people")
    found = verification.requests_in(batch, by=user, show=wanted)
    shown = {
        "batch": batch,
        "show": wanted,
        "shows": [("people", _("要人办理")), ("unchanged", _("无变化")), ("all", _("全部"))],
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
    }
    return render(request, "verification/batch.html", shown)


def _whole_page(request: HttpRequest, batch: verification.RequestBatch, user: User) -> HttpResponse:
    """A re-check in one pass: what it stood on, how many of each result, and the list of one result."""
    rules = chain.verification_rules()
    outcome = verification.outcome_of(batch, by=user)
    wanted = request.GET.get("show", "changed")
    wanted = wanted if wanted in verification.RESULTS else "changed"
    page = None
    rows: list[dict[str, str]] = []
    if outcome is not None:
        _none, total = verification.list_of(outcome, by=user, result=wanted, most=0)
        page = Paginator(range(total), PAGE).get_page(request.GET.get("page"))
        rows, _total = verification.list_of(
            outcome, by=user, result=wanted, start=(page.number - 1) * PAGE, most=PAGE
        )
    shown = {
        "batch": batch,
        "purpose": name_of(rules.purposes[batch.purpose])
        if batch.purpose in rules.purposes
        else batch.purpose,
        "outcome": outcome,
        "show": wanted,
        "shows": [
            (code, _(label), outcome.counts[code] if outcome else 0)
            for code, label in verification.RESULTS.items()
        ],
        "sources": [
            (rules.sources[code].label if code in rules.sources else code, told)
            for code, told in (outcome.sources.items() if outcome else ())
        ],
        "rows": rows,
        "page": page,
    }
    return render(request, "verification/whole.html", shown)


@require_safe
def marked(request: HttpRequest, number: str) -> HttpResponse:
    """The sender's workbook with the results."""
    try:
        return _book(verification.marked_of(number, by=asker(request)), f"{number}")
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list(request, problem)


def ask(request: HttpRequest, number: str) -> HttpResponse:
    """Ask every source about a batch, and compare what is whole."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_batch", number=number)
    try:
        if verification.batch_of(number, by=user).whole:
            chain.ask_whole_batch(number, by=user)
            messages.success(request, _("已排入，下次运行 doudi worker 时比对，结果在本页。"))
            return redirect("verification_batch", number=number)
        told = {**chain.ask_batch(number, by=user), **chain.sift_batch(number, by=user)}
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _list(request, problem)
    messages.success(
        request,
        _(
            "发出查询 %(asked)s 项，未授权 %(unauthorised)s 项；无变化归档 %(unchanged)s 户，有变化 %(changed)s 户，"
            "首次 %(first)s 户，不完整 %(incomplete)s 户。"
        )
        % told,
    )
    return redirect("verification_batch", number=number)
