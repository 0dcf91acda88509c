"""The source board: what each source has still to answer, lists and replies, connections (来源台)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.verification.requests import day_of, name_of

_BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    """The source board: what each source has still to answer, with lists out and replies in (来源台)."""
    return _board(request, None)


def _board(
    request: HttpRequest, problem: DoudiError | None, password: tuple[str, str] | None = None
) -> HttpResponse:
    shown = {
        "password": password,
        "rows": verification.source_board(chain.verification_rules(), by=asker(request)),
        "problem": problem,
    }
    return render(request, "verification/sources.html", shown, status=422 if problem else 200)


@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    """The sources with owner, basis, fields and marks, lag and who used them (来源目录)."""
    shown = [
        {
            **row,
            "marks": [
                (
                    label,
                    {**vars(one), "shown_label": name_of(one)},
                    [role.label for role in Role if role in one.roles],
                )
                for label, one in row["fields"]
            ],
        }
        for row in chain.source_catalogue(by=asker(request))
    ]
    mark = chain.verification_rules().elements.mark
    return render(request, "verification/catalogue.html", {"rows": shown, "mark": mark})


def query_list(request: HttpRequest, source: str) -> HttpResponse:
    """The workbook of a source's open queries."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_sources")
    locked = request.POST.get("plain") != "1"
    try:
        batch, content = (chain.locked_query_list if locked else chain.query_list)(source, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _board(request, problem)
    kind = "application/zip" if locked else _BOOK
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = f'attachment; filename="{batch.number}.{"zip" if locked else "xlsx"}"'
    return answer


def ask(request: HttpRequest, source: str) -> HttpResponse:
    """Ask a connected source everything that is open."""
    return _act(request, source, _ask)


def _ask(request: HttpRequest, source: str, user: User) -> str:
    outcome = chain.ask_source(source, by=user)
    if outcome.held_back and not outcome.asked:
        raise verification.StepRefused(
            _("暂不能询问：%s。") % outcome.held_back, f"Nothing can be asked now: {outcome.held_back}."
        )
    said = _(
        "询问 %(asked)s 项：查得 %(known)s，查无 %(none)s，稍后再试 %(again)s，失败 %(failed)s，拒收 %(refused)s。"
    ) % {
        "asked": outcome.asked,
        "known": outcome.known,
        "none": outcome.no_record,
        "again": outcome.again + outcome.pending,
        "failed": outcome.failed,
        "refused": outcome.refused,
    }
    return f"{said} {outcome.problem}".strip()


def suspend(request: HttpRequest, source: str) -> HttpResponse:
    """Stop asking a source by connection, or begin again."""
    return _act(request, source, _suspend)


def _suspend(request: HttpRequest, source: str, user: User) -> str:
    if request.POST.get("resume"):
        verification.resume_source(source, by=user)
        return _("已恢复直连查询。")
    chain.suspend_source(source, why=request.POST.get("why", ""), by=user)
    return _("已停用直连查询；待回复的查询不动。")


def _act(request: HttpRequest, source: str, act: Callable[[HttpRequest, str, User], str]) -> HttpResponse:
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_sources")
    try:
        said = act(request, source, user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _board(request, problem)
    messages.success(request, said)
    return redirect("verification_sources")


def password(request: HttpRequest, source: str) -> HttpResponse:
    """The password of a source's encrypted files, to be told over another channel; the look is in the audit log."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_sources")
    try:
        shown = verification.password_for(source, rules=chain.verification_rules(), by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _board(request, problem)
    return _board(request, None, password=(source, shown))


def take_reply(request: HttpRequest, source: str) -> HttpResponse:
    """A department's reply, or the word that the source failed."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_sources")
    try:
        file = request.FILES.get("file")
        if file is None:
            raise verification.StepRefused(_("请选择部门回复的文件。"), "Choose the department's reply.")
        as_of = day_of(request.POST.get("as_of", ""))
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"reply{Path(file.name or '').suffix[:8].lower()}"
            path.write_bytes(file.read())
            outcome = chain.take_reply(
                source,
                path,
                as_of=as_of,
                by=user,
                file_name=file.name or "",
                complete=not request.POST.get("incomplete"),
            )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _board(request, problem)
    messages.success(
        request,
        _("回复已入库：查得 %(found)s，查无 %(none)s；未委托的 %(others)s 行不留，坏行 %(bad)s。")
        % {
            "found": outcome.with_rows,
            "none": outcome.no_record,
            "others": outcome.not_asked_for,
            "bad": outcome.quarantined,
        },
    )
    return redirect("verification_sources")


def return_rows(request: HttpRequest, source: str) -> HttpResponse:
    """The department's own bad rows, marked, to send back; given once."""
    user = asker(request)
    if request.method != "POST":
        return redirect("verification_sources")
    try:
        content = verification.take_return(source, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _board(request, problem)
    answer = HttpResponse(content, content_type=_BOOK)
    answer["Content-Disposition"] = f'attachment; filename="{source}-return.xlsx"'
    return answer
