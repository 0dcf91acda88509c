"""A body's monthly workbook on pages: upload, columns, preview, filed, the marked workbook back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import ColumnsForm, NothingForm, WorkbookForm
from doudi.web.views.linkage.stepping import Step

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ROWS = 20
_Status = charity.FilingBatch.Status


def batch_list(request: HttpRequest) -> HttpResponse:
    """Workbooks that were sent, and the form to send one (月报表)."""
    user = asker(request)
    form = WorkbookForm(request.POST or None, request.FILES or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            batch = chain.receive_batch(
                file.read(), file_name=file.name or "", month=form.cleaned_data["month"], by=user
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            return redirect("filing_batch", number=batch.number)
    shown = {
        "page": Paginator(charity.batches(by=user), _ROWS).get_page(request.GET.get("page")),
        "form": form if may(user, Act.FILE_AID) else None,
        "problem": problem,
    }
    return render(request, "linkage/batches.html", shown, status=422 if form.is_bound else 200)


STEPS = {
    "take": Step(
        NothingForm, Act.FILE_AID, gettext_lazy("确认备案"), gettext_lazy("备案可以备案的各行"),
        lambda key, typed, by: chain.take_batch(key, by=by),
        gettext_lazy("已备案。没有备案的行请按批注表改好再传，已备案的不会重复。"),
    ),
    "drop": Step(
        NothingForm, Act.FILE_AID, gettext_lazy("作废"), gettext_lazy("不备案，作废这张表"),
        lambda key, typed, by: charity.drop_batch(key, by=by), gettext_lazy("已作废。"), second=True,
    ),
}  # fmt: skip


def batch_page(request: HttpRequest, number: str) -> HttpResponse:
    """One workbook: its columns, what it would file, what came of it."""
    return _page(request, number, {}, None)


def _page(
    request: HttpRequest, number: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    batch = charity.batch_of(number, by=user)
    own = may(user, Act.FILE_AID)
    open_ = batch.status in (_Status.MAPPING, _Status.READ)
    shown: dict[str, Any] = {"batch": batch, "problem": problem, "own": own}
    if own and open_:
        shown["columns_form"] = sent.get("columns") or ColumnsForm(
            prefix="columns",
            header=batch.header,
            initial=ColumnsForm.first(*charity.suggested_columns(batch, chain.linkage_rules())),
        )
    if own and batch.status == _Status.READ:
        preview = chain.preview_batch(number, by=user)
        shown["preview"] = preview
        shown["good"], shown["bad"] = preview.good[:_ROWS], preview.bad[:_ROWS]
    if batch.status == _Status.TAKEN:
        shown["bad_rows"] = [
            (row, said) for row, said in sorted(batch.verdicts.items(), key=lambda pair: int(pair[0])) if said["state"] == "bad"
        ][:_ROWS]  # fmt: skip
    names = ["take", "drop"] if batch.status == _Status.READ else ["drop"] if open_ else []
    shown["steps"] = stepping.offer(
        STEPS, names if own else [], user,
        url=lambda name: reverse("filing_batch_step", args=[number, name]), sent=sent,
    )  # fmt: skip
    return render(request, "linkage/batch.html", shown, status=422 if sent or problem else 200)


def step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """A step of a workbook; the columns come with a form of their own."""
    user = asker(request)
    batch = charity.batch_of(number, by=user)
    if step != "columns":
        return stepping.do(
            request, number, step, STEPS, page=_page, there=stepping.back_to("filing_batch", number=number)
        )
    if request.method != "POST":
        return redirect("filing_batch", number=number)
    form = ColumnsForm(request.POST, prefix="columns", header=batch.header)
    if not form.is_valid():
        return _page(request, number, {"columns": form}, None)
    try:
        chain.assign_columns(number, columns=form.columns(), defaults=form.defaults(), by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, number, {"columns": form}, problem)
    return redirect("filing_batch", number=number)


def marked(request: HttpRequest, number: str) -> HttpResponse:
    """The body's own workbook with the answer to each row."""
    content = chain.marked_batch(number, by=asker(request))
    answer = HttpResponse(content, content_type=XLSX)
    answer["Content-Disposition"] = f'attachment; filename="{number}-marked.xlsx"'
    return answer
