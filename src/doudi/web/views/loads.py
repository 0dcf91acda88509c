"""Department files: what was taken in, taking one in, sending quarantined rows back, screening everyone."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house.paths import home
from doudi.web.forms import ScreenForm, UploadForm
from doudi.web.guard import asker

PAGE = 25
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@require_safe
def load_list(request: HttpRequest) -> HttpResponse:
    """Every file that was sent, with what came of it."""
    return _page(request)


def _page(
    request: HttpRequest,
    *,
    upload_form: forms.Form | None = None,
    screen_form: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    specs = chain.rules()[0].feeds
    latest = registry.latest_register_date()
    page = Paginator(registry.loads(by=user), PAGE).get_page(request.GET.get("page"))
    shown: dict[str, Any] = {
        "page": page,
        "rows": registry.counted(page),
        "run": monitoring.latest_run(),
        "problem": problem,
    }
    if may(user, Act.LOAD_FEEDS):
        shown["upload_form"] = upload_form or UploadForm(specs=specs, initial={"as_of": latest})
    if may(user, Act.SCREEN):
        shown["screen_form"] = screen_form or ScreenForm(initial={"as_of": latest}, auto_id="screen_%s")
    failed = problem is not None or upload_form is not None or screen_form is not None
    return render(request, "registry/loads.html", shown, status=422 if failed else 200)


def upload(request: HttpRequest) -> HttpResponse:
    """Take one file in."""
    if request.method != "POST":
        return redirect("loads")
    user = asker(request)
    form = UploadForm(request.POST, request.FILES, specs=chain.rules()[0].feeds)
    if not form.is_valid():
        return _page(request, upload_form=form)
    typed = form.cleaned_data
    try:
        with set_down(typed["file"]) as path:
            outcome = chain.take_in_file(
                typed["feed"] or None, path, as_of=typed["as_of"], by=user, source=typed["source"].strip()
            )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, upload_form=form, problem=problem)
    said = {
        "file": outcome.file,
        "feed": _(chain.rules()[0].feeds[outcome.feed].label),
        "read": outcome.counts["read"],
        "good": outcome.counts["good"],
        "quarantined": outcome.counts["quarantined"],
    }
    if outcome.unchanged:
        messages.info(request, _("%(file)s（%(feed)s）此前已装载，没有变化。") % said)
    elif said["quarantined"]:
        messages.warning(
            request,
            _("已装载 %(file)s（%(feed)s）：读入 %(read)d 行，可用 %(good)d 行，隔离 %(quarantined)d 行。"
              "请下载退回表交来源单位更正。") % said,
        )  # fmt: skip
    else:
        messages.success(
            request, _("已装载 %(file)s（%(feed)s）：读入 %(read)d 行，可用 %(good)d 行，没有隔离。") % said
        )
    return redirect("loads")


@contextmanager
def set_down(upload: UploadedFile[Any]) -> Iterator[Path]:
    """The uploaded file under its own name in a folder only this office's account can read, gone afterwards."""
    folder = home().work / f"upload-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        path = folder / Path(upload.name or "upload").name
        with path.open("wb") as out:
            for block in upload.chunks():
                out.write(block)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def screen(request: HttpRequest) -> HttpResponse:
    """Screen everyone as of a date."""
    if request.method != "POST":
        return redirect("loads")
    form = ScreenForm(request.POST, auto_id="screen_%s")
    if not form.is_valid():
        return _page(request, screen_form=form)
    try:
        run = chain.screen(as_of=form.cleaned_data["as_of"], by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, screen_form=form, problem=problem)
    messages.success(
        request,
        _(
            "已筛查 %(households)d 户 %(persons)d 人：新增预警 %(opened)d 件，更新 %(updated)d 件，消除 %(closed)d 件。"
        )
        % {"households": run.households, "persons": run.persons, **run.warnings},
    )
    return redirect("loads")


@require_safe
def quarantine(request: HttpRequest, pk: int) -> HttpResponse:
    """The sender's own workbook with the wrong cells marked."""
    user = asker(request)
    load = registry.loads(by=user).filter(pk=pk).first()
    if load is None:
        raise Http404
    content = registry.quarantine_workbook(load, by=user)
    name = f"退回_{Path(load.file_name).stem}_{load.as_of}.xlsx"
    return HttpResponse(
        content,
        content_type=_WORKBOOK,
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
    )
