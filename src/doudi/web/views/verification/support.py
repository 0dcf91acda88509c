"""Stating the legal supporters who live apart (登记赡养情况): one form for all of them, the whole list each time."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from doudi import chain
from doudi.contexts.verification import services as verification
from doudi.engine import money
from doudi.engine.errors import DoudiError
from doudi.engine.verification import Obligor
from doudi.web.forms import YuanField
from doudi.web.guard import asker

SPARE = 3
"""Empty lines below those that were stated."""


class ObligorForm(forms.Form):
    """One supporter; a line whose name is empty is left out."""

    name = forms.CharField(label=gettext_lazy("姓名"), max_length=80, required=False)
    relation = forms.CharField(label=gettext_lazy("与被赡养人关系"), max_length=20, required=False)
    supported = forms.MultipleChoiceField(
        label=gettext_lazy("赡养哪几位成员"), required=False, widget=forms.CheckboxSelectMultiple
    )
    judged = YuanField(label=gettext_lazy("判决、调解或协议（元／月，每位老人）"), required=False)
    paid = YuanField(label=gettext_lazy("实际支付（元／月，每位老人）"), required=False)
    category = forms.ChoiceField(label=gettext_lazy("义务人类别"), required=False)
    persons = forms.IntegerField(
        label=gettext_lazy("义务人家庭人口"), required=False, min_value=1, max_value=30
    )
    income = YuanField(label=gettext_lazy("义务人家庭月收入（元）"), required=False)
    parents = forms.IntegerField(
        label=gettext_lazy("赡养老人数（含双方父母）"), required=False, min_value=1, max_value=4
    )

    def __init__(
        self, *args: Any, members: list[tuple[str, str]], categories: tuple[str, ...], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["supported"].choices = members  # type: ignore[attr-defined]
        self.fields["category"].choices = [("", _("请选择")), *[(c, _(c)) for c in categories]]  # type: ignore[attr-defined]

    def obligor(self) -> Obligor | None:
        """The typed line; None where no name was typed. An empty amount is none, a nought is one."""
        typed = self.cleaned_data
        if not typed["name"] and not any(typed[key] for key in ("judged", "paid", "income", "persons")):
            return None
        return Obligor(
            name=typed["name"],
            relation=typed["relation"],
            supported=tuple(int(place) for place in typed["supported"]),
            judged=self._amount("judged"),
            paid=self._amount("paid"),
            category=typed["category"],
            persons=typed["persons"] or 0,
            income=typed["income"],
            parents=typed["parents"] or 0,
        )

    def _amount(self, name: str) -> int | None:
        written = str(self.data.get(self.add_prefix(name), "")).strip()
        return int(self.cleaned_data[name]) if written else None


def support(request: HttpRequest, number: str) -> HttpResponse:
    """State the supporters of a request; what does not fit is said above the form, and what was typed stays."""
    user = asker(request)
    found = verification.look_at_request(number, by=user)
    rules = chain.verification_rules()
    if rules.support is None:
        messages.error(request, _("现行政策包没有赡养费的核算规则。"))
        return redirect("verification", number=number)
    stated = verification.obligors_of(verification.latest_statement(found))
    members = [(str(p.position), p.name) for p in verification.members_of(found)]
    options: dict[str, Any] = {
        "members": members,
        "categories": rules.support.categories(chain.rules()[0].feeds[rules.support.feed]),
    }
    posted = request.POST or None
    lines = [
        ObligorForm(
            posted,
            prefix=f"o{place}",
            initial=_initial(stated[place]) if place < len(stated) else None,
            **options,
        )
        for place in range(len(stated) + SPARE)
    ]
    problem: DoudiError | None = None
    if request.method == "POST" and False not in [line.is_valid() for line in lines]:
        file = request.FILES.get("evidence")
        obligors = [obligor for line in lines if (obligor := line.obligor()) is not None]
        try:
            if not obligors and not request.POST.get("nobody"):
                raise verification.StepRefused(
                    "没有填任何赡养人。确实没有的，请勾选“没有不共同生活的法定赡养人”。",
                    "No supporter was stated; tick the box if there is none.",
                )
            chain.state_support(
                number,
                obligors,
                by=user,
                evidence=file.read() if file is not None else b"",
                evidence_name=(file.name or "") if file is not None else "",
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("赡养情况已登记。"))
            return redirect("verification", number=number)
    shown = {"request_": found, "lines": lines, "problem": problem, "typed": request.POST}
    return render(
        request, "verification/support.html", shown, status=422 if request.method == "POST" else 200
    )


def _initial(one: Obligor) -> dict[str, Any]:
    return {
        "name": one.name,
        "relation": one.relation,
        "supported": [str(place) for place in one.supported],
        "judged": "" if one.judged is None else _yuan(one.judged),
        "paid": "" if one.paid is None else _yuan(one.paid),
        "category": one.category,
        "persons": one.persons or None,
        "income": _yuan(one.income) if one.persons else "",
        "parents": one.parents or None,
    }


def _yuan(fen: int) -> str:
    return money.format_yuan(fen).replace(",", "")
