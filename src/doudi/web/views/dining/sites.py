"""Places of the network: list with what runs out, one place with its steps, its operating account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.steps import take_step
from doudi.web.views.dining.stepping import clock_typed, day_typed, fen_typed, run_step, the_day, whole_typed

_ITEMS = {
    "food_safety": gettext_lazy("食品安全"),
    "coverage": gettext_lazy("覆盖和困难老人可及"),
    "price": gettext_lazy("价格"),
    "satisfaction": gettext_lazy("满意度"),
    "operation": gettext_lazy("可持续运营"),
    "charity": gettext_lazy("慈善和志愿"),
    "information": gettext_lazy("信息化"),
}


class SiteForm(forms.Form):
    """A new place of the network."""

    code = forms.RegexField(
        r"^[A-Za-z0-9-]{3,40}$",
        label=gettext_lazy("编号"),
        help_text=gettext_lazy("字母、数字和短横，例如 CT-520102-3"),
    )
    name = forms.CharField(label=gettext_lazy("名称"), max_length=120)
    kind = forms.ChoiceField(label=gettext_lazy("类型"))
    region_code = forms.RegexField(
        r"^\d{6}(\d{3})?(\d{3})?$",
        label=gettext_lazy("地区代码"),
        help_text=gettext_lazy("县六位、乡镇九位、村十二位"),
    )
    organisation = forms.CharField(
        label=gettext_lazy("运营单位编号（可不填，默认同编号）"), max_length=40, required=False
    )
    operator = forms.CharField(label=gettext_lazy("运营单位"), max_length=120)
    operator_account = forms.CharField(
        label=gettext_lazy("收款账号（户名和账号）"), max_length=120, required=False
    )
    address = forms.CharField(label=gettext_lazy("地址"), max_length=200)
    phone = forms.CharField(label=gettext_lazy("订餐电话"), max_length=40, required=False)
    seats = forms.IntegerField(label=gettext_lazy("座位"), min_value=0, max_value=2000)
    longitude = forms.FloatField(
        label=gettext_lazy("经度（CGCS2000，可不填）"), min_value=73, max_value=136, required=False
    )
    latitude = forms.FloatField(
        label=gettext_lazy("纬度（可不填）"), min_value=3, max_value=54, required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(value, _(str(label))) for value, label in meals.Site.Kind.choices]  # type: ignore[attr-defined]


@require_safe
def site_list(request: HttpRequest) -> HttpResponse:
    """The places an account may see, and papers that run out."""
    user = asker(request)
    days = chain.meal_network().expiry_days
    shown = {
        "sites": meals.sites(by=user).select_related("supplied_by"),
        "expiring": meals.expiring(by=user, within_days=days),
        "days": days,
    }
    return render(request, "dining/sites.html", shown)


def site_new(request: HttpRequest) -> HttpResponse:
    """Enter a place; it begins as planned and opens once its licence is registered."""
    form = SiteForm(request.POST or None)

    def again(problem: DoudiError | None) -> HttpResponse:
        shown = {"form": form, "problem": problem}
        return render(request, "dining/site_new.html", shown, status=422 if form.is_bound else 200)

    if request.method != "POST":
        return again(None)

    def act(typed: dict[str, Any], user: User) -> None:
        plain = {name: value for name, value in typed.items() if value not in (None, "")}
        meals.open_site(**plain, opened_on=None, state=meals.Site.State.PLANNED, by=user)

    then = (
        redirect("meal_site", code=request.POST.get("code") or "-")
        if form.is_valid()
        else redirect("meal_sites")
    )
    return take_step(request, form, act, again=again, done=_("助餐点已登记，登记证照后可以营业。"), then=then)


@require_safe
def site_page(request: HttpRequest, code: str) -> HttpResponse:
    """One place: hours, papers, evaluation, and what can be done."""
    return _page(request, code)


def _page(request: HttpRequest, code: str, problem: DoudiError | None = None) -> HttpResponse:
    user = asker(request)
    found = meals.site(code, by=user)
    rules = chain.meal_network().evaluation
    today = timezone.localdate()
    heard = meals.heard_of(found, on=today, rules=rules, best=chain.volunteer_rules().stars[1])
    shown = {
        "site": found,
        "problem": problem,
        "typed": request.POST if problem else {},
        "hours": list(found.hours.all()),
        "papers": list(found.papers.all()),
        "evaluations": list(found.evaluations.all()[:5]),
        "marks": [(name, _ITEMS[name], most) for name, most in rules.full.items() if name != "satisfaction"],
        "heard": heard,
        "heard_mean": f"{float(heard.mean):.2f}" if heard.mean is not None else "",
        "heard_full": rules.full["satisfaction"],
        "heard_least": rules.least_replies,
        "paper_kinds": meals.SitePaper.Kind.choices,
        "states": [choice for choice in meals.Site.State.choices if choice[0] != "planned"],
        "meal_kinds": meals.Meal.choices,
        "manage": may(user, Act.MANAGE_SITES),
        "licensed": found.licensed(today),
        "today": today,
    }
    return render(request, "dining/site.html", shown, status=422 if problem else 200)


def site_step(request: HttpRequest, code: str, step: str) -> HttpResponse:
    """One step at a place: its hours, a paper, open or close it, an evaluation."""
    found = meals.site(code, by=asker(request))
    typed = request.POST

    def hours(_request: HttpRequest, user: User) -> str:
        meals.set_hours(
            found,
            meal=typed.get("meal", ""),
            serves_from=clock_typed(typed.get("serves_from", "")),
            serves_until=clock_typed(typed.get("serves_until", "")),
            capacity=whole_typed(typed.get("capacity", "")),
            by=user,
        )
        return _("供餐时段已保存。")

    def paper(_request: HttpRequest, user: User) -> str:
        meals.keep_paper(
            found,
            kind=typed.get("kind", ""),
            number=typed.get("number", ""),
            issued_on=day_typed(typed.get("issued_on", ""), empty=True),
            valid_until=day_typed(typed.get("valid_until", ""), empty=True),
            by=user,
        )
        return _("证照已登记。")

    def state(_request: HttpRequest, user: User) -> str:
        meals.change_site_state(found, state=typed.get("state", ""), ground=typed.get("ground", ""), by=user)
        return _("状态已更改。")

    def evaluate(_request: HttpRequest, user: User) -> str:
        rules = chain.meal_network().evaluation
        made = meals.evaluate_site(
            found,
            scores={name: whole_typed(typed.get(name, "")) for name in rules.full if name != "satisfaction"},
            best_stars=chain.volunteer_rules().stars[1],
            income_fen=fen_typed(typed.get("income", "")),
            cost_fen=fen_typed(typed.get("cost", "")),
            accident=bool(typed.get("accident")),
            evaluated_on=the_day(typed.get("evaluated_on", "")),
            rules=rules,
            ground=typed.get("ground", ""),
            by=user,
        )
        return _("评价已登记：%d 分。") % made.total

    steps = {"hours": hours, "paper": paper, "state": state, "evaluate": evaluate}
    return run_step(
        request,
        steps,
        step,
        again=lambda problem: _page(request, code, problem),
        then=redirect("meal_site", code=code),
    )


def account(request: HttpRequest, code: str) -> HttpResponse:
    """A place's income and cost, entered and undone by its operator."""
    user = asker(request)
    found = meals.site(code, by=user)
    problem = None
    if request.method == "POST":
        try:
            if request.POST.get("reverse"):
                meals.reverse_account_line(
                    found, whole_typed(request.POST["reverse"]), memo=request.POST.get("memo", ""), by=user
                )
            else:
                meals.keep_account_line(
                    found,
                    on=the_day(request.POST.get("on", "")),
                    kind=request.POST.get("kind", ""),
                    amount_fen=fen_typed(request.POST.get("amount", "")),
                    memo=request.POST.get("memo", ""),
                    by=user,
                )
            return redirect("meal_account", code=code)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
    shown = {
        "site": found,
        "problem": problem,
        "typed": request.POST if problem else {},
        "months": meals.account_of(found, by=user),
        "lines": meals.account_lines(found, by=user)[:50],
        "kinds": [one for one in meals.AccountLine.Kind.choices if one[0] not in ("paid", "subsidy")],
        "keep": may(user, Act.KEEP_SITE_ACCOUNT),
        "today": timezone.localdate(),
    }
    return render(request, "dining/account.html", shown, status=422 if problem else 200)
