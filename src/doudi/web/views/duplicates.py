"""People who stand twice: the queue, a pair side by side, the decision, and the look before somebody is entered."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import english

PAGE = 25
_ELSEWHERE = ("not_allowed", "pair_not_found")


class CheckForm(forms.Form):
    """What is known of a person about to be entered."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80, required=False)
    id_number = forms.CharField(label=gettext_lazy("证件号"), max_length=40, required=False)
    born_on = forms.DateField(
        label=gettext_lazy("出生日期"), required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    address = forms.CharField(label=gettext_lazy("住址"), max_length=200, required=False)
    phone = forms.CharField(label=gettext_lazy("联系电话"), max_length=30, required=False)


class DecisionForm(forms.Form):
    """Whether two records are one person, which stays, and why."""

    verdict = forms.ChoiceField(
        label=gettext_lazy("判定"),
        choices=(
            ("same", gettext_lazy("同一人")),
            ("different", gettext_lazy("不是同一人")),
            ("doubtful", gettext_lazy("存疑")),
        ),
        widget=forms.RadioSelect,
    )
    keep = forms.TypedChoiceField(
        label=gettext_lazy("同一人时保留"),
        coerce=int,
        empty_value=None,
        required=False,
        widget=forms.RadioSelect,
    )
    ground = forms.CharField(
        label=gettext_lazy("判定理由"),
        max_length=300,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("例如：入户见到本人和身份证，另一条证件号登记有误。"),
    )

    def __init__(self, typed: QueryDict | None = None, *, pair: Any) -> None:
        super().__init__(typed, label_suffix="")
        self.fields["keep"].choices = [  # type: ignore[attr-defined]
            (pair.first_id, _("左边的记录")),
            (pair.second_id, _("右边的记录")),
        ]


def _statuses() -> dict[str, str]:
    return {"open": _("待判定")} | {
        code: _(str(label)) for code, label in registry.DuplicatePair.Status.choices if code != "waiting"
    }


@require_safe
def pair_list(request: HttpRequest) -> HttpResponse:
    """Pairs that wait, the most probable on top."""
    user = asker(request)
    status = request.GET.get("status", "open")
    if status not in _statuses():
        status = "open"
    counts = registry.duplicate_counts(by=user)
    counts["open"] = counts["waiting"] + counts["doubtful"]
    page = Paginator(registry.duplicate_pairs(by=user, status=status), PAGE).get_page(request.GET.get("page"))
    shown = {
        "page": page,
        "rows": [registry.shown(pair, by=user) for pair in page],
        "status": status,
        "statuses": _statuses(),
        "counts": counts,
        "rules": chain.duplicate_rules(),
        "two_homes": registry.left_in_two_homes(by=user),
    }
    return render(request, "duplicates/pairs.html", shown)


@require_safe
def pair_page(request: HttpRequest, pk: int) -> HttpResponse:
    """Two records side by side, what differs marked, and the decision."""
    return _pair(request, pk)


def _pair(
    request: HttpRequest, pk: int, *, form: DecisionForm | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    found = registry.look_at_pair(pk, by=user)
    shown = {
        "shown": found,
        "pair": found.pair,
        "form": form or DecisionForm(pair=found.pair),
        "deciding": may(user, Act.DECIDE_DUPLICATE),
        "problem": problem,
    }
    return render(request, "duplicates/pair.html", shown, status=422 if problem or form else 200)


def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Decide a pair."""
    if request.method != "POST":
        return redirect("duplicate", pk=pk)
    user = asker(request)
    form = DecisionForm(request.POST, pair=registry.duplicate_pair(pk, by=user))
    if not form.is_valid():
        return _pair(request, pk, form=form)
    try:
        decided = chain.decide_pair(pk, by=user, **form.cleaned_data)
    except DoudiError as problem:
        if problem.code in _ELSEWHERE:
            raise
        return _pair(request, pk, form=form, problem=problem)
    if decided.merge_number:
        # what became of the two records, and whether the one person now stands in two households, is told there
        messages.success(request, _("已判定为同一人，两条记录已合并。"))
        return redirect("event", number=decided.merge_number)
    messages.success(request, _("判定已保存。"))
    return redirect("duplicates")


def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a decision back."""
    if request.method != "POST":
        return redirect("duplicate", pk=pk)
    try:
        chain.reopen_pair(pk, ground=request.POST.get("ground", "")[:300], by=asker(request))
    except DoudiError as problem:
        if problem.code in _ELSEWHERE:
            raise
        return _pair(request, pk, problem=problem)
    messages.success(request, _("判定已撤销，这一对重新存疑。"))
    return redirect("duplicate", pk=pk)


def find(request: HttpRequest) -> HttpResponse:
    """Search the account's area."""
    if request.method != "POST":
        return redirect("duplicates")
    try:
        outcome = chain.find_duplicates(by=asker(request))
    except DoudiError as problem:
        if problem.code in _ELSEWHERE:
            raise
        messages.error(request, problem.en if english() else problem.zh)
    else:
        messages.success(
            request,
            _("比对 %(people)s 人：新增 %(new)s 对，仍待判定 %(again)s 对，已判定不再问 %(settled)s 对。")
            % vars(outcome),
        )
    return redirect("duplicates")


def check(request: HttpRequest) -> HttpResponse:
    """Who of the registry may be the person about to be entered; sent by POST, so that no number stands in an address."""
    form = CheckForm(request.POST if request.method == "POST" else None, label_suffix="")
    shown: dict[str, Any] = {"form": form, "found": None, "problem": None}
    status = 200
    if form.is_bound:
        if form.is_valid():
            try:
                shown["found"] = chain.possible_duplicates(by=asker(request), **form.cleaned_data)
            except DoudiError as problem:
                if problem.code in _ELSEWHERE:
                    raise
                shown["problem"], status = problem, 422
        else:
            status = 422
    return render(request, "duplicates/check.html", shown, status=status)
