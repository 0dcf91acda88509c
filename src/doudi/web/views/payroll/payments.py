"""Payment files, what came back, failed cards, and the accounts people are paid into."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.assistance import payroll
from doudi.engine.errors import DoudiError
from doudi.web import payroll_forms as typed
from doudi.web.guard import asker
from doudi.web.steps import take_step
from doudi.web.views.payroll.rosters import county_of

PAGE = 50
_OPEN = [
    ("failed", gettext_noop("失败待换卡")),
    ("no_account", gettext_noop("没有账户")),
    ("ready", gettext_noop("可以发放")),
    ("sent", gettext_noop("银行在途")),
]


@require_safe
def payments(request: HttpRequest) -> HttpResponse:
    """Batches, and what is not paid yet: failed cards first."""
    return _payments(request)


def _payments(
    request: HttpRequest, *, bound: forms.Form | None = None, problem: DoudiError | None = None
) -> HttpResponse:
    user = asker(request)
    unpaid = payroll.open_payments(by=user)
    by_state: dict[str, list[payroll.Payable]] = {state: [] for state, _label in _OPEN}
    for one in unpaid:
        by_state[payroll.standing_of(one)].append(one)
    state = request.GET.get("state", "")
    if state not in by_state:
        state = next((name for name, _label in _OPEN if by_state[name]), "failed")
    shown = {
        "batches": payroll.batches(by=user)[:PAGE],
        "states": [
            (name, label, len(by_state[name]), sum(one.amount_fen for one in by_state[name]))
            for name, label in _OPEN
        ],
        "state": state,
        "page": Paginator(by_state[state], PAGE).get_page(request.GET.get("page")),
        "form": bound or typed.BatchForm(rules=chain.benefit_rules(), initial={"region": county_of(user)}),
        "balances": [
            (payroll.PayLine.Account(name).label, max(fen, 0), max(-fen, 0))
            for name, fen in payroll.balances(by=user).items()
        ]
        if len(user.region_code) <= 6
        else [],
        "problem": problem,
    }
    failed = problem is not None or bound is not None
    return render(request, "payroll/payments.html", shown, status=422 if failed else 200)


def make(request: HttpRequest) -> HttpResponse:
    """Make the payment file of everything that can be paid now."""
    if request.method != "POST":
        return redirect("payments")
    form = typed.BatchForm(request.POST, rules=chain.benefit_rules())
    return take_step(
        request,
        form,
        lambda told, user: chain.make_batch(region_code=told["region"], layout=told["layout"], by=user),
        again=lambda problem: _payments(request, bound=form, problem=problem),
        done=_("代发文件已生成，请下载后送银行。"),
        then=redirect("payments"),
    )


@require_safe
def batch_page(request: HttpRequest, number: str) -> HttpResponse:
    """One payment file with what the bank said of it."""
    return _batch(request, payroll.batch_of(number, by=asker(request)))


def _batch(
    request: HttpRequest,
    batch: payroll.PayBatch,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    items = Paginator(payroll.items_of(batch, by=user), PAGE).get_page(request.GET.get("page"))
    shown = {
        "batch": batch,
        "layout": chain.benefit_rules().layouts.get(batch.layout),
        "page": items,
        "rows": [(item, list(item.results.all())[-1:]) for item in items],
        "figures": [
            (label, *payroll.batch_figures(batch)[name])
            for name, label in (*payroll.PayResult.Kind.choices, ("sent", gettext_noop("未回盘")))
        ],
        "returns": batch.returns.all(),
        "tied": payroll.tie_out_batch(batch, by=user),
        "pays": may(user, Act.PAY_ROSTER),
        "upload": bound if step == "return" else typed.BankReturnForm(),
        "bounce": bound if step == "bounce" else typed.BounceForm(auto_id="bounce_%s"),
        "step": step,
        "problem": problem,
    }
    failed = problem is not None or bound is not None
    return render(request, "payroll/batch.html", shown, status=422 if failed else 200)


def take_file(request: HttpRequest, number: str) -> HttpResponse:
    """The payment file itself; taking it is logged."""
    if request.method != "POST":
        return redirect("batch", number=number)
    user = asker(request)
    batch = payroll.batch_of(number, by=user)
    try:
        content = chain.payment_file(number, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _batch(request, batch, step="file", problem=problem)
    return HttpResponse(
        content,
        content_type="application/octet-stream",
        headers={"Content-Disposition": f'attachment; filename="{number}.csv"'},
    )


def take_return(request: HttpRequest, number: str) -> HttpResponse:
    """Take the bank's return file in."""
    if request.method != "POST":
        return redirect("batch", number=number)
    batch = payroll.batch_of(number, by=asker(request))
    form = typed.BankReturnForm(request.POST, request.FILES)
    return take_step(
        request,
        form,
        lambda told, user: chain.take_bank_return(
            number, content=told["file"][1], file_name=told["file"][0], by=user
        ),
        again=lambda problem: _batch(request, batch, step="return", bound=form, problem=problem),
        done=_("回盘已登记。"),
        then=redirect("batch", number=number),
    )


def bounce(request: HttpRequest, number: str) -> HttpResponse:
    """Record that a payment came back."""
    if request.method != "POST":
        return redirect("batch", number=number)
    batch = payroll.batch_of(number, by=asker(request))
    form = typed.BounceForm(request.POST, auto_id="bounce_%s")
    return take_step(
        request,
        form,
        lambda told, user: payroll.record_bounce(number, told["serial"], reason=told["reason"], by=user),
        again=lambda problem: _batch(request, batch, step="bounce", bound=form, problem=problem),
        done=_("退汇已登记，换卡后随下一批重发。"),
        then=redirect("batch", number=number),
    )


# ---- accounts -------------------------------------------------------------------------------------------------------------


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """Accounts of the area, those that wait to be confirmed first."""
    return _accounts(request)


def _accounts(
    request: HttpRequest,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    waiting = payroll.pay_accounts(by=user, status="proposed")
    status = request.GET.get("status", "proposed" if waiting.exists() else "in_force")
    begin = {"household_no": request.GET.get("household", "")}
    shown = {
        "page": Paginator(payroll.pay_accounts(by=user, status=status), PAGE).get_page(
            request.GET.get("page")
        ),
        "status": status,
        "states": payroll.PayAccount.Status.choices,
        "waiting": waiting.exclude(proposed_by=user.username).count()
        if may(user, Act.CONFIRM_ACCOUNT)
        else 0,
        "form": bound if step == "propose" else typed.AccountForm(initial=begin),
        "listed": bound if step == "import" else typed.AccountListForm(auto_id="list_%s"),
        "step": step,
        "problem": problem,
        "mine": user.username,
    }
    failed = problem is not None or bound is not None
    return render(request, "payroll/accounts.html", shown, status=422 if failed else 200)


def propose(request: HttpRequest) -> HttpResponse:
    """Enter an account."""
    if request.method != "POST":
        return redirect("pay_accounts")
    form = typed.AccountForm(request.POST)

    def act(told: dict[str, Any], user: User) -> None:
        payroll.propose_account(**{**told, "person_id": told["person_id"] or 0}, by=user)

    return take_step(
        request,
        form,
        act,
        again=lambda problem: _accounts(request, step="propose", bound=form, problem=problem),
        done=_("账户已登记，等待另一人确认。"),
        then=redirect("pay_accounts"),
    )


def import_list(request: HttpRequest) -> HttpResponse:
    """Enter the accounts of a list."""
    if request.method != "POST":
        return redirect("pay_accounts")
    form = typed.AccountListForm(request.POST, request.FILES)

    def act(told: dict[str, Any], user: User) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder) / Path(told["file"].name).name
            path.write_bytes(told["file"].read())
            payroll.import_accounts(path, by=user)

    return take_step(
        request,
        form,
        act,
        again=lambda problem: _accounts(request, step="import", bound=form, problem=problem),
        done=_("账户表已登记，等待另一人确认。"),
        then=redirect("pay_accounts"),
    )


def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm an account, or not."""
    if request.method == "POST":
        try:
            payroll.confirm_account(pk, agree=request.POST.get("agree") == "yes", by=asker(request))
        except DoudiError as problem:
            if problem.code in ("not_allowed", "account_not_found"):
                raise
            return _accounts(request, step="decide", problem=problem)
        messages.success(request, _("已处理。"))
    return redirect("pay_accounts")


def confirm_all(request: HttpRequest) -> HttpResponse:
    """Confirm every account that another person entered."""
    if request.method == "POST":
        count = payroll.confirm_imported(by=asker(request))
        messages.success(request, _("已确认 %(n)s 个账户。") % {"n": count})
    return redirect("pay_accounts")
