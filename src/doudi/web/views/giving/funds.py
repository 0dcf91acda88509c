"""A charity's funds, gifts and uses: lists, one fund with its ledger, one use with its three hands, receipts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import giving
from doudi.contexts.charity import services as charity
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house.documents import to_pdf, to_word
from doudi.web import giving_forms as typed_forms
from doudi.web.guard import asker
from doudi.web.paging import LongList
from doudi.web.templatetags.doudi import category, english
from doudi.web.views.giving.board import Step, shown_steps, take

PAGE = 25


def terms() -> dict[str, dict[str, str]]:
    """Words for the pack's purposes and groups."""
    rules = chain.giving_rules()
    return {
        name: {code: term.label_en if english() else term.label for code, term in found.items()}
        for name, found in (("purposes", rules.purposes), ("groups", rules.groups))
    }


@require_safe
def fund_list(request: HttpRequest) -> HttpResponse:
    """Funds with what is free and what is held, and the trial balance."""
    user = asker(request)
    found = list(giving.funds(by=user, open_only=request.GET.get("all") != "1"))
    balance = giving.trial_balance(found)
    shown = {
        "funds": found,
        "all": request.GET.get("all") == "1",
        "totals": {
            name: sum(getattr(fund, name) for fund in found)
            for name in ("free_money_fen", "held_money_fen", "free_goods_fen", "held_goods_fen", "given_fen")
        },
        "balance": [(giving.Account(name).label, max(fen, 0), max(-fen, 0)) for name, fen in balance.items()],
        "debit": sum(fen for fen in balance.values() if fen > 0),
        "credit": -sum(fen for fen in balance.values() if fen < 0),
        **terms(),
    }
    return render(request, "giving/funds.html", shown)


def new_fund(request: HttpRequest) -> HttpResponse:
    """Open a fund (设立资金)."""
    user = asker(request)
    body = charity.own_organisation(user)
    form = typed_forms.FundForm(request.POST or None, region_code=body.region_code)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            made = giving.open_fund(rules=chain.giving_rules(), by=user, **form.cleaned_data)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("资金已设立。"))
            return redirect("fund", number=made.number)
    shown = {"form": form, "problem": problem}
    return render(request, "giving/fund_new.html", shown, status=422 if form.is_bound else 200)


# ---- one fund ---------------------------------------------------------------------------------------------------


def _gift(fund: giving.Fund, typed: dict[str, Any], user: User) -> Any:
    rest = {name: value for name, value in typed.items() if name != "amount"}
    asset = giving.Asset.GOODS if "goods_name" in typed else giving.Asset.MONEY
    return giving.record_gift(
        fund_number=fund.number, amount_fen=typed["amount"], asset=asset, by=user, **rest
    )


def _use(fund: giving.Fund, typed: dict[str, Any], user: User) -> Any:
    rest = {name: value for name, value in typed.items() if name != "amount"}
    asset = giving.Asset.GOODS if "goods_name" in typed else giving.Asset.MONEY
    return giving.propose_allocation(
        fund_number=fund.number,
        amount_fen=typed.get("amount") or 0,
        asset=asset,
        rules=chain.giving_rules(),
        by=user,
        **rest,
    )


def _standing(fund: giving.Fund, user: User) -> bool:
    return fund.closed_on is None


def _open_move(fund: giving.Fund) -> giving.MoveRequest | None:
    return fund.moves_out.filter(status=giving.MoveRequest.Status.OPEN).first()


def _decides_move(fund: giving.Fund, user: User) -> bool:
    """Whether a request waits that somebody else made: one's own is refused, so it is not offered."""
    move = _open_move(fund)
    return move is not None and move.asked_by != user.username


def _decide_move(fund: giving.Fund, typed: dict[str, Any], user: User) -> Any:
    move = _open_move(fund)
    if move is None:
        raise giving.StepRefused("没有待审批的划转申请。", "No request waits.")
    return giving.decide_move(move.number, approve=typed["approve"] == "yes", reason=typed["note"], by=user)


FUND_STEPS: dict[str, Step[giving.Fund]] = {
    "decide-move": Step(
        gettext_lazy("审批划转"), typed_forms.DecideForm, lambda f, u: _decides_move(f, u), _decide_move,
        gettext_lazy("划转申请已审批。"), Act.DECIDE_FUNDS, first=True,
    ),
    "gift": Step(
        gettext_lazy("登记捐款"), typed_forms.GiftForm, _standing, _gift, gettext_lazy("捐款已登记，可以打印凭证。"), Act.KEEP_FUNDS,
        first=True,
    ),
    "goods": Step(
        gettext_lazy("登记捐物"), typed_forms.GoodsForm, _standing, _gift, gettext_lazy("捐物已登记，可以打印凭证。"), Act.KEEP_FUNDS
    ),
    "use": Step(
        gettext_lazy("提出资金安排"), typed_forms.UseForm, lambda f, u: _standing(f, u) and f.free_money_fen > 0, _use,
        gettext_lazy("安排已提出，等待审批。"), Act.KEEP_FUNDS,
    ),
    "claim-use": Step(
        gettext_lazy("为认领的需求安排资金"), typed_forms.ClaimUseForm,
        lambda f, u: _standing(f, u) and f.free_money_fen > 0 and bool(_claims(u)),
        lambda f, typed, u: chain.propose_for_claim(
            typed["claim"], fund_number=f.number, amount_fen=typed["amount"] or 0, use=typed["use"], by=u
        ),
        gettext_lazy("安排已提出，等待审批。"), Act.KEEP_FUNDS,
    ),
    "goods-use": Step(
        gettext_lazy("提出物资安排"), typed_forms.GoodsUseForm, lambda f, u: _standing(f, u) and f.free_goods_fen > 0, _use,
        gettext_lazy("安排已提出，等待审批。"), Act.KEEP_FUNDS,
    ),
    "admin": Step(
        gettext_lazy("列支管理费用"), typed_forms.AdminForm, lambda f, u: _standing(f, u) and f.free_money_fen > 0,
        lambda f, typed, u: giving.charge_admin(
            f.number, amount_fen=typed["amount"], on=typed["on"], memo=typed["memo"], token=typed["token"], by=u
        ),
        gettext_lazy("管理费用已列支。"), Act.PAY_FUNDS,
    ),
    "tied": Step(
        gettext_lazy("登记利害关系人"), typed_forms.TiedForm, _standing,
        lambda f, typed, u: giving.name_tied_person(fund_number=f.number, by=u, **typed),
        gettext_lazy("利害关系人已登记，不能作为这项资金的受益人。"), Act.KEEP_FUNDS,
    ),
    "move": Step(
        gettext_lazy("申请变更用途或处理剩余"), typed_forms.MoveForm,
        lambda f, u: _standing(f, u) and f.free_money_fen + f.free_goods_fen > 0 and _open_move(f) is None,
        lambda f, typed, u: giving.ask_move(f.number, by=u, **typed),
        gettext_lazy("申请已提交，等待另一人审批。"), Act.KEEP_FUNDS,
    ),
    "expiry": Step(
        gettext_lazy("过期物资报废"), typed_forms.ExpiryForm,
        lambda f, u: giving.expired_goods(f, timezone.localdate()).exists(),
        lambda f, typed, u: giving.write_off_expired(f.number, by=u, **typed),
        gettext_lazy("过期物资已报废。"), Act.DECIDE_FUNDS,
    ),
    "reverse": Step(
        gettext_lazy("冲正"), typed_forms.ReverseForm, lambda f, u: bool(_reversible(f)),
        lambda f, typed, u: giving.reverse_entry(typed["voucher"], reason=typed["reason"], on=typed["on"], by=u),
        gettext_lazy("已冲正。"), Act.DECIDE_FUNDS,
    ),
    "close": Step(
        gettext_lazy("终止资金"), typed_forms.ReasonForm, lambda f, u: _standing(f, u) and f.balance_fen == 0,
        lambda f, typed, u: giving.close_fund(f.number, reason=typed["reason"], by=u),
        gettext_lazy("资金已终止。"), Act.DECIDE_FUNDS,
    ),
}  # fmt: skip


def _claims(user: User) -> list[tuple[str, str]]:
    """Needs that the charity holds and for which no money is arranged."""
    arranged = set(
        giving.allocations(by=user)
        .exclude(claim="")
        .exclude(status__in=("refused", "released"))
        .values_list("claim", flat=True)
    )
    kinds = terms()["purposes"]
    return [
        (claim.number, f"{claim.need.code} · {kinds.get(claim.need.kind, claim.need.kind)}")
        for claim in charity.claims(by=user, status="reserved")
        if claim.number not in arranged
    ]


def _reversible(fund: giving.Fund) -> list[tuple[str, str]]:
    found = giving.entries(fund).filter(kind__in=giving.REVERSIBLE, reversed_by=None)[:200]
    return [
        (entry.voucher, f"{entry.voucher} · {entry.on} · {_(str(entry.get_kind_display()))}")
        for entry in found
    ]


def _more(fund: giving.Fund, user: User) -> dict[str, dict[str, Any]]:
    others = [
        other
        for other in giving.funds(by=user, open_only=True)
        if other.organisation_id == fund.organisation_id
    ]
    return {
        **{name: {"fund": fund} for name in ("gift", "goods", "use", "goods-use")},
        "claim-use": {"claims": _claims(user) if user.organisation else []},
        "move": {"fund": fund, "others": others},
        "reverse": {"vouchers": _reversible(fund)},
    }


@require_safe
def fund_page(request: HttpRequest, number: str) -> HttpResponse:
    """One fund: restrictions, sums, gifts, uses, the ledger, and the steps that fit."""
    return _fund(request, giving.fund_of(number, by=asker(request)))


def _fund(
    request: HttpRequest,
    fund: giving.Fund,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    entries = giving.entries(fund)
    shown = {
        "fund": fund,
        "page": LongList(entries, PAGE).get_page(request.GET.get("page")),
        "gifts": [
            (gift, giving.donor_shown(gift, user)) for gift in giving.donations(by=user, fund=fund)[:10]
        ],
        "uses": giving.allocations(by=user).filter(fund=fund)[:10],
        "move": _open_move(fund),
        # a proof reads every line of the fund: on demand
        "proved": giving.prove(fund) if request.GET.get("prove") == "1" else None,
        "base": reverse("fund", args=[fund.number]) + "do/",
        **terms(),
        **shown_steps(
            FUND_STEPS, request, fund, step=step, bound=bound, problem=problem, more=_more(fund, user)
        ),
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/fund.html", shown, status=422 if failed else 200)


def fund_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on a fund."""
    user = asker(request)
    fund = giving.fund_of(number, by=user)
    return take(
        request, FUND_STEPS, step, fund, show=_fund, then=("fund", fund.number), more=_more(fund, user)
    )


# ---- gifts ------------------------------------------------------------------------------------------------------


@require_safe
def gift_list(request: HttpRequest) -> HttpResponse:
    """Gifts, newest first."""
    user = asker(request)
    page = LongList(giving.donations(by=user), PAGE).get_page(request.GET.get("page"))
    rows = [(gift, giving.donor_shown(gift, user)) for gift in page]
    return render(request, "giving/gifts.html", {"page": page, "rows": rows})


@require_safe
def gift_page(request: HttpRequest, number: str) -> HttpResponse:
    """One gift and what it did."""
    user = asker(request)
    gift = giving.look_at_donation(number, by=user)
    shown = {"gift": gift, "donor": giving.donor_shown(gift, user), "story": giving.story(gift), **terms()}
    return render(request, "giving/gift.html", shown)


@require_safe
def gift_receipt(request: HttpRequest, number: str, form: str) -> HttpResponse:
    """The receipt as PDF or Word."""
    made = {"pdf": (to_pdf, "application/pdf"),
            "docx": (to_word, "application/vnd.openxmlformats-officedocument.wordprocessingml.document")}  # fmt: skip
    if form not in made:
        raise Http404
    gift, paper = giving.receipt(number, by=asker(request))
    write, media = made[form]
    response = HttpResponse(write(paper), content_type=media)
    response["Content-Disposition"] = f'attachment; filename="{gift.number}.{form}"'
    return response


# ---- uses -------------------------------------------------------------------------------------------------------


@require_safe
def use_list(request: HttpRequest) -> HttpResponse:
    """Uses by state; what waits for a decision or a payment first."""
    user = asker(request)
    status = request.GET.get("status", "")
    found = giving.allocations(by=user, status=status if status in giving.Allocation.Status.values else "")
    shown = {
        "page": LongList(found, PAGE).get_page(request.GET.get("page")),
        "status": status,
        "statuses": [("", gettext_lazy("全部")), *giving.Allocation.Status.choices],
        **terms(),
    }
    return render(request, "giving/uses.html", shown)


def _may_pay_meals(use: giving.Allocation) -> bool:
    return (
        use.status == "approved"
        and not use.paid_fen
        and not use.claim
        and use.purpose in chain.meal_network().gift_purposes
        and not meals.is_meal_gift(use.number)
    )


def _meal_due(use: giving.Allocation, user: User) -> list[meals.Owed]:
    standing = meals.gift_standing(use.number, by=user)
    return standing.owed if standing is not None else []


def _in_force(use: giving.Allocation, user: User) -> bool:
    standing = meals.gift_standing(use.number, by=user)
    return standing is not None and standing.gift.stopped_on is None


def _meal_choices(use: giving.Allocation, user: User) -> dict[str, dict[str, Any]]:
    """What the forms about meals let choose: places, categories, settlements that ask for money."""
    keeps = may(user, Act.KEEP_FUNDS)
    return {
        "meals": {
            "places": meals.gift_places(by=user) if keeps else [],
            "groups": [(label, category(label)) for label in registry.CATEGORY_CODES],
        },
        "meals-pay": {"due": _meal_due(use, user)},
    }


USE_STEPS: dict[str, Step[giving.Allocation]] = {
    "decide": Step(
        gettext_lazy("审批安排"), typed_forms.DecideForm, lambda a, u: a.status == "proposed" and a.proposed_by != u.username,
        lambda a, typed, u: giving.decide_allocation(
            a.number, approve=typed["approve"] == "yes", note=typed["note"], by=u
        ),
        gettext_lazy("安排已审批。"), Act.DECIDE_FUNDS, first=True,
    ),
    "pay": Step(
        gettext_lazy("拨付"), typed_forms.PayForm,
        lambda a, u: a.status in ("approved", "paid") and a.decided_by != u.username and giving.held(a) > 0
        and not meals.is_meal_gift(a.number),
        lambda a, typed, u: chain.pay_use(
            a.number, on=typed["on"], amount_fen=typed["amount"], token=typed["token"], by=u
        ),
        gettext_lazy("拨付已登记。"), Act.PAY_FUNDS, first=True,
    ),
    "meals": Step(
        gettext_lazy("用于助餐"), typed_forms.MealGiftForm, lambda a, u: _may_pay_meals(a),
        lambda a, typed, u: chain.keep_meal_gift(
            a.number, site_code=typed["site_code"], per_meal_fen=typed["per_meal"], categories=typed["categories"],
            since=typed["since"], until=typed["until"], by=u,
        ),
        gettext_lazy("已用于助餐，收银时自动补，小票写明资金名称。"), Act.KEEP_FUNDS,
    ),
    "meals-pay": Step(
        gettext_lazy("按助餐结算拨付"), typed_forms.MealPayForm, lambda a, u: bool(_meal_due(a, u)),
        lambda a, typed, u: meals.pay_meal_gift(a.number, settlement=typed["settlement"], on=typed["on"], by=u),
        gettext_lazy("已按结算拨付，捐赠人可以查到补了多少餐。"), Act.PAY_FUNDS, first=True,
    ),
    "meals-stop": Step(
        gettext_lazy("停止助餐捐助"), typed_forms.EmptyForm, lambda a, u: _in_force(a, u),
        lambda a, typed, u: meals.stop_meal_gift(a.number, by=u),
        gettext_lazy("已停止，已补的仍按结算拨付。"), Act.KEEP_FUNDS,
    ),
    "outcome": Step(
        gettext_lazy("登记帮扶结果"), typed_forms.OutcomeForm, lambda a, u: a.paid_fen > 0,
        lambda a, typed, u: giving.record_outcome(a.number, by=u, **typed),
        gettext_lazy("帮扶结果已登记，捐赠人可以查到。"), Act.KEEP_FUNDS,
    ),
    "back": Step(
        gettext_lazy("登记退回"), typed_forms.BackForm, lambda a, u: a.paid_fen > 0,
        lambda a, typed, u: giving.take_back(
            a.number, amount_fen=typed["amount"], on=typed["on"], reason=typed["reason"], token=typed["token"], by=u
        ),
        gettext_lazy("退回已登记。"), Act.PAY_FUNDS,
    ),
    "release": Step(
        gettext_lazy("撤回安排"), typed_forms.ReasonForm, lambda a, u: a.status == "proposed" or giving.held(a) > 0,
        lambda a, typed, u: chain.release_use(a.number, reason=typed["reason"], by=u),
        gettext_lazy("安排已撤回，余额回到原捐赠。"), Act.DECIDE_FUNDS,
    ),
}  # fmt: skip


@require_safe
def use_page(request: HttpRequest, number: str) -> HttpResponse:
    """One use: who proposed, decided and paid, and what came of it."""
    return _one_use(request, giving.look_at_allocation(number, by=asker(request)))


def _one_use(
    request: HttpRequest,
    use: giving.Allocation,
    *,
    step: str = "",
    bound: forms.Form | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    own = asker(request).organisation == use.organisation.code
    shown = {
        "use": use,
        "held": giving.held(use),
        "recipient": use.recipient_name if own else "",
        "grants": use.grants.select_related("entry"),
        "outcomes": use.outcomes.all(),
        "base": reverse("allocation", args=[use.number]) + "do/",
        **terms(),
        "meals": meals.gift_standing(use.number, by=asker(request)),
        **shown_steps(
            USE_STEPS,
            request,
            use,
            step=step,
            bound=bound,
            problem=problem,
            more=_meal_choices(use, asker(request)),
        ),
    }
    failed = problem is not None or bound is not None
    return render(request, "giving/use.html", shown, status=422 if failed else 200)


def use_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One step on a use."""
    use = giving.allocation_of(number, by=asker(request))
    return take(
        request,
        USE_STEPS,
        step,
        use,
        show=_one_use,
        then=("allocation", use.number),
        more=_meal_choices(use, asker(request)),
    )
