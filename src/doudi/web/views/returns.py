"""Exported workbooks that come back changed: sent in, looked at cell by cell, confirmed, answered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.forms import MAX_UPLOAD_BYTES
from doudi.web.guard import asker
from doudi.web.views.loads import set_down

PAGE = 50
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class ReturnForm(forms.Form):
    """The workbook that was exported here and changed."""

    file = forms.FileField(
        label=gettext_lazy("改好的表格（.xlsx）"),
        widget=forms.FileInput(attrs={"accept": ".xlsx"}),
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(_("文件太大，请分成几个文件。"))
        return file


def send(request: HttpRequest) -> HttpResponse:
    """Take the workbook for a look; nothing changes yet."""
    form = ReturnForm(request.POST or None, request.FILES or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        user = asker(request)
        try:
            with set_down(form.cleaned_data["file"]) as path:
                registry.read_return(path, by=user)
                token = registry.hold_return(path, by=user)
            return redirect("returned", token)
        except DoudiError as refusal:
            if refusal.code == "not_allowed":
                raise
            problem = refusal
    failed = request.method == "POST"
    return render(
        request, "registry/return.html", {"form": form, "problem": problem}, status=422 if failed else 200
    )


def returned(request: HttpRequest, token: str) -> HttpResponse:
    """What the workbook would change; with the sender's yes it does."""
    user, problem = asker(request), None
    try:
        with registry.held_return(token, by=user) as path:
            if request.method == "POST":
                try:
                    done = registry.take_return(path, seen=request.POST.get("seen", ""), by=user)
                except DoudiError as refusal:
                    if refusal.code == "not_allowed":
                        raise
                    problem = refusal
                else:
                    messages.success(
                        request,
                        _("已更改 %(taken)d 格，提交县级确认 %(proposed)d 格；未接收的请看批注表。")
                        % done.counts,
                    )
                    return redirect("returned", token)
            judged = registry.read_return(path, by=user)
    except registry.ReturnNotFound as gone:
        raise Http404(str(gone)) from gone
    page = Paginator(judged.cells, PAGE).get_page(request.GET.get("page"))
    shown = {
        "judged": judged,
        "token": token,
        "page": page,
        "rows": [(cell, judged.label(cell.column) if cell.column else "") for cell in page],
        "counts": [(verdict.label, judged.count(verdict)) for verdict in registry.Verdict],
        "problem": problem,
    }
    return render(request, "registry/returned.html", shown, status=422 if problem else 200)


@require_safe
def marked(request: HttpRequest, token: str) -> HttpResponse:
    """The sender's own workbook with the answers."""
    user = asker(request)
    try:
        with registry.held_return(token, by=user) as path:
            judged = registry.read_return(path, by=user)
            content = registry.marked_return(path, by=user)
    except registry.ReturnNotFound as gone:
        raise Http404(str(gone)) from gone
    return HttpResponse(
        content,
        content_type=_WORKBOOK,
        headers={"Content-Disposition": f'attachment; filename="{judged.export.number}-answer.xlsx"'},
    )
