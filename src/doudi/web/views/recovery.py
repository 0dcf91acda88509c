"""The recovery ledger: the list, one family's account, and the entries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.assistance.services import LedgerEntry, Recovery
from doudi.engine.errors import DoudiError
from doudi.web import doubt_forms as typed_forms
from doudi.web.guard import View, asker
from doudi.web.steps import take_step

PAGE = 25
_SUMS = ("due_fen", "received_fen", "written_off_fen", "outstanding_fen", "refund_fen")


@require_safe
def recovery_list(request: HttpRequest) -> HttpResponse:
    """Recoveries of the account's area with their sums, and the trial balance."""
    user = asker(request)
    asked = {key: request.GET.get(key, "").strip() for key in ("status", "kind", "region", "text")}
    found = assistance.recoveries(
        by=user,
        status=asked["status"],
        kind=asked["kind"],
        region_code=asked["region"],
        text=asked["text"],
    )
    totals = found.aggregate(**{name: Sum(name) for name in _SUMS})
    balance = assistance.trial_balance(by=user)
    everyone = assistance.recoveries(by=user, status="all")
    shown = {
        "page": Paginator(found, PAGE).get_page(request.GET.get("page")),
        "asked": asked,
        "totals": {name: value or 0 for name, value in totals.items()},
        "kinds": chain.doubt_rules().kinds,
        "townships": sorted({code[:9] for code in everyone.order_by().values_list("region_code", flat=True)}),
        "statuses": [("open", "未结清"), ("late", "分期逾期"), ("settled", "已结清"), ("all", "全部")],
        "balance": [
            (assistance.Account(name).label, max(fen, 0), max(-fen, 0)) for name, fen in balance.items()
        ],
        "debit": sum(fen for fen in balance.values() if fen > 0),
        "credit": -sum(fen for fen in balance.values() if fen < 0),
    }
    return render(request, "assistance/recoveries.html", shown)


@require_safe
def recovery_page(request: HttpRequest, number: str) -> HttpResponse:
    """One family's account; the look is logged."""
    return _page(request, assistance.look_at_recovery(number, by=asker(request)))


@dataclass(frozen=True)
class Step:
    """One kind of entry: its words, its form, when it fits, and what it does."""

    title: Any
    form: Callable[..., forms.Form]
    fits: Callable[[Recovery], bool]
    act: Callable[[str, dict[str, Any], User], Any]
    done: Any
    asks: Act = Act.KEEP_RECOVERY


def _entry(service: Callable[..., Any]) -> Callable[[str, dict[str, Any], User], Any]:
    """A service that enters a sum under a voucher, called with what was typed."""

    def enter(number: str, typed: dict[str, Any], user: User) -> Any:
        rest = {name: value for name, value in typed.items() if name != "amount"}
        return service(number, amount_fen=typed["amount"], by=user, **rest)

    return enter


def _plan(number: str, typed: dict[str, Any], user: User) -> Any:
    outstanding = assistance.recovery_of(number, by=user).outstanding_fen
    dues = assistance.even_instalments(outstanding, typed["months"], typed["first"])
    return assistance.agree_plan(number, dues=dues, by=user)


def _reversible(recovery: Recovery) -> list[tuple[str, str]]:
    return [
        (str(entry.pk), f"{entry.voucher} · {entry.on} · {_(str(entry.get_kind_display()))}")
        for entry in recovery.entries.filter(reversed_by=None).exclude(kind=LedgerEntry.Kind.REVERSAL)
    ]


def _offset_stands(recovery: Recovery) -> bool:
    return payroll.offset_stands(recovery.number)


def _request_waits(recovery: Recovery) -> bool:
    return recovery.write_offs.filter(status=assistance.WriteOffRequest.Status.OPEN).exists()


STEPS: dict[str, Step] = {
    "receive": Step(
        gettext_lazy("登记收款"), typed_forms.ReceiveForm, lambda r: r.outstanding_fen > 0, _entry(assistance.receive),
        gettext_lazy("收款已登记。"),
    ),
    "plan": Step(
        gettext_lazy("约定分期"), typed_forms.PlanForm, lambda r: r.outstanding_fen > 0, _plan, gettext_lazy("分期已约定。"),
    ),
    "deposit": Step(
        gettext_lazy("现金缴存银行"), typed_forms.DepositForm, lambda r: r.received_fen > 0,
        _entry(assistance.deposit_cash), gettext_lazy("缴存已登记。"),
    ),
    "reduce": Step(
        gettext_lazy("核减应追缴"), typed_forms.ReduceForm, lambda r: r.due_fen > r.written_off_fen,
        _entry(assistance.reduce_claim), gettext_lazy("核减已登记。"),
    ),
    "refund": Step(
        gettext_lazy("退还家庭"), typed_forms.RefundForm, lambda r: r.refund_fen > 0, _entry(assistance.refund),
        gettext_lazy("退还已登记。"),
    ),
    "reverse": Step(
        gettext_lazy("冲正"), typed_forms.ReverseForm, lambda r: bool(_reversible(r)),
        lambda number, typed, user: assistance.reverse_entry(
            number, by=user, **{**typed, "entry": int(typed["entry"])}
        ),
        gettext_lazy("已冲正。"),
    ),
    "ask-write-off": Step(
        gettext_lazy("申请核销"), typed_forms.AskWriteOffForm,
        lambda r: r.outstanding_fen > 0 and not _request_waits(r), _entry(assistance.ask_write_off),
        gettext_lazy("核销申请已提交，等待分管领导决定。"),
    ),
    "offset": Step(
        gettext_lazy("登记扣抵协议"), typed_forms.OffsetForm,
        lambda r: r.outstanding_fen > 0 and not _offset_stands(r),
        lambda number, typed, user: payroll.agree_offset(
            number, monthly_fen=typed["amount"], agreed_on=typed["on"], ground=typed["ground"], by=user
        ),
        gettext_lazy("扣抵协议已登记，从下一份名册起扣抵。"),
    ),
    "end-offset": Step(
        gettext_lazy("终止扣抵"), forms.Form, lambda r: _offset_stands(r),
        lambda number, typed, user: payroll.end_offset(number, by=user), gettext_lazy("扣抵已终止。"),
    ),
    "decide-write-off": Step(
        gettext_lazy("决定核销"), typed_forms.DecideWriteOffForm, _request_waits,
        lambda number, typed, user: assistance.decide_write_off(
            number, by=user, **{**typed, "approve": typed["approve"] == "yes"}
        ),
        gettext_lazy("核销决定已记录。"), Act.DECIDE_WRITE_OFF,
    ),
}  # fmt: skip


def _form(name: str, recovery: Recovery, *args: Any) -> forms.Form:
    more = {"entries": _reversible(recovery)} if name == "reverse" else {}
    return STEPS[name].form(*args, auto_id=f"{name}_%s", **more)


def _page(
    request: HttpRequest,
    recovery: Recovery,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    steps = [
        {
            "name": name,
            "title": found.title,
            "form": bound if name == step and bound is not None else _form(name, recovery),
            "failed": name == step,
        }
        for name, found in STEPS.items()
        if may(user, found.asks) and found.fits(recovery)
    ]
    shown = {
        "recovery": recovery,
        "kind": chain.doubt_rules().kinds.get(recovery.kind),
        "entries": recovery.entries.prefetch_related("lines"),
        "plan": assistance.plan_of(recovery),
        "write_offs": recovery.write_offs.all(),
        "proved": assistance.prove(recovery),
        "steps": steps,
        "problem": problem,
        "orphan_problem": problem if step not in [found["name"] for found in steps] else None,
    }
    failed = problem is not None or bound is not None
    return render(request, "assistance/recovery.html", shown, status=422 if failed else 200)


def step_view(name: str) -> View:
    """The view of one kind of entry."""

    def enter(request: HttpRequest, number: str) -> HttpResponse:
        if request.method != "POST":
            return redirect("recovery", number=number)
        recovery = assistance.recovery_of(number, by=asker(request))
        form = _form(name, recovery, request.POST)

        def again(problem: DoudiError | None) -> HttpResponse:
            recovery.refresh_from_db()
            return _page(request, recovery, step=name, bound=form, problem=problem)

        return take_step(
            request,
            form,
            lambda typed, user: STEPS[name].act(number, typed, user),
            again=again,
            done=STEPS[name].done,
            then=redirect("recovery", number=number),
        )

    return enter
