"""Monthly settlements: made, questioned, decided, checked, paid, each by the person whose step it is."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.dining.stepping import run_step, the_day, whole_typed

_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def settlement_list(request: HttpRequest) -> HttpResponse:
    """Settlements by month; the county makes those of a month that is over."""
    user = asker(request)
    problem = None
    if request.method == "POST":
        try:
            wanted = meals.sites(by=user)
            if request.POST.get("site"):
                wanted = wanted.filter(code=request.POST["site"])
            made = [
                meals.make_settlement(
                    place, month=request.POST.get("month", ""), rules=chain.meal_network(), by=user
                )
                for place in wanted
            ]
            messages.success(request, _("已编制 %d 份结算。") % len(made))
            return redirect("settlements")
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
    today = timezone.localdate()
    shown = {
        "problem": problem,
        "settlements": meals.settlements(by=user)[:100],
        "sites": meals.sites(by=user) if may(user, Act.MAKE_SETTLEMENT) else [],
        "last": f"{today.year - (today.month == 1)}-{(today.month - 2) % 12 + 1:02d}",
        "make": may(user, Act.MAKE_SETTLEMENT),
        "pay": may(user, Act.PAY_SETTLEMENT),
    }
    return render(request, "dining/settlements.html", shown, status=422 if problem else 200)


@require_safe
def settlement_page(request: HttpRequest, number: str) -> HttpResponse:
    """One settlement with every meal of it."""
    return _page(request, number)


def _page(request: HttpRequest, number: str, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    found = meals.settlement(number, by=user)
    lines = found.lines.select_related("serving__diner")
    doubtful = lines.exclude(anomalies=[]) | lines.exclude(state="due")
    shown = {
        "settlement": found,
        "problem": problem,
        "typed": request.POST if problem else {},
        "odd": [
            (line, [meals.ANOMALIES.get(code, code) for code in line.anomalies])
            for line in doubtful.distinct()[:300]
        ],
        "plain": lines.filter(state="due")[:300],
        "events": list(found.events.all()),
        "decide": may(user, Act.CHECK_SETTLEMENT) and found.made_by != user.username,
        "question": may(user, Act.MAKE_SETTLEMENT) and found.state == "draft",
        "object": bool(user.organisation),
        "check": may(user, Act.CHECK_SETTLEMENT) and found.state == "draft",
        "pay": may(user, Act.PAY_SETTLEMENT) and found.state == "checked",
        "today": timezone.localdate(),
    }
    return render(request, "dining/settlement.html", shown, status=422 if problem else 200)


def settlement_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step of a settlement."""
    meals.settlement(number, by=asker(request))
    typed = request.POST

    def decide(_request: HttpRequest, user: User) -> str:
        meals.decide_line(
            number,
            whole_typed(typed.get("line", "")),
            allowed=typed.get("allowed") == "yes",
            ground=typed.get("ground", ""),
            by=user,
        )
        return _("已认定。")

    def dispute(_request: HttpRequest, user: User) -> str:
        meals.dispute_line(
            number, whole_typed(typed.get("line", "")), ground=typed.get("ground", ""), by=user
        )
        return _("异议已登记。")

    def check(_request: HttpRequest, user: User) -> str:
        meals.check_settlement(number, by=user)
        return _("已复核，可以拨付。")

    def withdraw(_request: HttpRequest, user: User) -> str:
        meals.withdraw_settlement(number, ground=typed.get("ground", ""), by=user)
        return _("已作废，可重新编制。")

    def pay(_request: HttpRequest, user: User) -> str:
        meals.pay_settlement(
            number, voucher=typed.get("voucher", ""), paid_on=the_day(typed.get("paid_on", "")), by=user
        )
        return _("拨付已登记。")

    steps = {"decide": decide, "dispute": dispute, "check": check, "withdraw": withdraw, "pay": pay}
    return run_step(
        request,
        steps,
        step,
        again=lambda problem: _page(request, number, problem),
        then=redirect("settlement", number=number),
    )


@require_safe
def payment_file(request: HttpRequest) -> HttpResponse:
    """The checked settlements of a month as a workbook for the payer."""
    month = request.GET.get("month", "")
    content = meals.payment_file(month=month, by=asker(request))
    answer = HttpResponse(content, content_type=_WORKBOOK)
    answer["Content-Disposition"] = f'attachment; filename="meals-{month}.xlsx"'
    return answer
