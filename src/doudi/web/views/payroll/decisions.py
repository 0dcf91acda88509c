"""A household's benefits: what was decided, what it makes due this month line by line, what was paid, and new decisions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import payroll
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.benefits import Recipient, first_of
from doudi.engine.errors import DoudiError
from doudi.web import payroll_forms as typed
from doudi.web.guard import asker
from doudi.web.steps import take_step


@require_safe
def household_benefits(request: HttpRequest, household_no: str) -> HttpResponse:
    """One household's benefits; the look is logged."""
    registry.look_at_household(household_no, by=asker(request))
    return _page(request, household_no)


def _people(household_no: str, user: User) -> list[tuple[str, str]]:
    whole = may(user, Act.REVEAL_IDENTITY)
    return [
        (str(one.person_id), f"{one.name if whole else identity.mask_name(one.name)} · {one.person_id}")
        for one in registry.counted_members(household_no)
        if one.died_on is None
    ]


def _page(
    request: HttpRequest,
    household_no: str,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    found = registry.household(household_no, by=user)
    rules = chain.benefit_rules()
    month = typed.month_asked(request.GET.get("month", "")) or first_of(timezone.localdate())
    decisions = list(payroll.decisions(by=user, household_no=household_no))
    undone = {row.reverses_id for row in decisions if row.reverses_id}
    standing = [payroll.standing(household_no, code, month) for code in {row.benefit for row in decisions}]
    in_force = [row for row in standing if row is not None and rules.benefits[row.benefit].monthly]
    shown = {
        "household": found,
        "month": month,
        "decisions": [(row, row.pk in undone) for row in reversed(decisions)],
        "reckoned": [(row, chain.explain_decision(row.number, month=month, by=user)) for row in in_force],
        "paid": payroll.paid_rows(household_no, by=user),
        "accounts": payroll.pay_accounts(by=user, household_no=household_no, status="in_force"),
        "decide_form": bound
        if step == "decide"
        else typed.DecisionForm(rules=rules, people=_people(household_no, user)),
        "reverse_form": bound if step == "reverse" else _reverse_form(decisions, undone),
        "step": step,
        "problem": problem,
    }
    failed = problem is not None or bound is not None
    return render(request, "payroll/benefits.html", shown, status=422 if failed else 200)


def _reverse_form(decisions: list[Any], undone: set[Any], *args: Any) -> typed.ReverseDecisionForm:
    open_rows = [row for row in decisions if row.pk not in undone and row.reverses_id is None]
    return typed.ReverseDecisionForm(
        *args,
        auto_id="reverse_%s",
        numbers=[
            (row.number, f"{row.number} {_(row.get_kind_display())} {row.decision_no}") for row in open_rows
        ],
    )


def decide(request: HttpRequest, household_no: str) -> HttpResponse:
    """Record a decision."""
    if request.method != "POST":
        return redirect("benefits", household_no=household_no)
    user = asker(request)
    found = registry.household(household_no, by=user)
    form = typed.DecisionForm(request.POST, rules=chain.benefit_rules(), people=_people(household_no, user))

    def act(told: dict[str, Any], by: User) -> None:
        if told["kind"] == "taper":
            chain.taper_benefit(
                household_no=household_no,
                benefit=told["benefit"],
                per_capita_income_fen=told["per_capita"],
                decided_on=told["decided_on"],
                decision_no=told["decision_no"],
                ground=told["ground"],
                by=by,
            )
            return
        needs = (told["needs"],) if told["needs"] else ()
        chain.record_decision(
            kind=told["kind"],
            benefit=told["benefit"],
            household_no=household_no,
            region_code=found.responsible_region,
            urban_rural=found.urban_rural,
            persons=[
                Recipient(int(one), needs=needs, failed_items=told["failed_items"]) for one in told["people"]
            ],
            per_capita_income_fen=told["per_capita"],
            amount_fen=told["amount"] or None,
            band=told["band"],
            single=told["single"],
            decided_on=told["decided_on"],
            decision_no=told["decision_no"],
            starts_on=told["starts_on"],
            ends_on=told["ends_on"],
            ground=told["ground"],
            by=by,
        )

    return take_step(
        request,
        form,
        act,
        again=lambda problem: _page(request, household_no, step="decide", bound=form, problem=problem),
        done=_("决定已登记。"),
        then=redirect("benefits", household_no=household_no),
    )


def reverse(request: HttpRequest, household_no: str) -> HttpResponse:
    """Undo a decision."""
    if request.method != "POST":
        return redirect("benefits", household_no=household_no)
    rows = list(payroll.decisions(by=asker(request), household_no=household_no))
    form = _reverse_form(rows, {row.reverses_id for row in rows if row.reverses_id}, request.POST)
    return take_step(
        request,
        form,
        lambda told, by: payroll.reverse_decision(
            told["number"], decision_no=told["decision_no"], ground=told["ground"], by=by
        ),
        again=lambda problem: _page(request, household_no, step="reverse", bound=form, problem=problem),
        done=_("决定已撤销，已发的月份在下一份名册里补发或扣回。"),
        then=redirect("benefits", household_no=household_no),
    )
