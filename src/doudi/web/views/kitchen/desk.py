"""The food safety desk: the supervisors' dashboard, and one place with its ledgers and the forms that fill them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import safety
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.kitchen import forms

TABS = (
    ("today", gettext_lazy("今天")),
    ("staff", gettext_lazy("人员")),
    ("stock", gettext_lazy("进货")),
    ("cook", gettext_lazy("加工与留样")),
    ("tours", gettext_lazy("检查与整改")),
    ("trouble", gettext_lazy("事件与评价")),
)
_ROWS = 30


@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """Where the account looks first: scores, what is late, what runs out, what the public said."""
    user = asker(request)
    rules = chain.food_safety()
    places = list(meals.sites(by=user).exclude(state__in=("closed", "planned")))
    today = timezone.localdate()
    shown = {
        "scores": safety.scores(by=user, rules=rules),
        "incidents": safety.incidents(by=user).exclude(state="closed"),
        "stops": safety.stops(by=user),
        "late": safety.mendings(by=user, state="late"),
        "done": safety.mendings(by=user, state="done"),
        "expiring": meals.expiring(by=user, within_days=rules.licence_warning_days),
        "workers": safety.expired_workers(places, within_days=rules.certificate_warning_days, on=today),
        "owed": safety.tours_due(places, rules=rules, on=today),
        "complaints": safety.words(by=user, kind="complaint", open_only=True),
        "today": today,
    }
    return render(request, "kitchen/desk.html", shown)


@dataclass(frozen=True)
class Step:
    """What a form of the place page does: which form, on which tab, which act it asks for, what is said afterwards."""

    form: type[forms.KitchenForm]
    tab: str
    asks: Act
    act: Callable[[meals.Site, Any, dict[str, Any], User], Any]
    said: Any


def _batch(place: meals.Site, pk: str) -> safety.FoodBatch | None:
    return safety.stock_of(place).filter(pk=pk).first() if pk else None


def _enter_batch(place: meals.Site, form: Any, typed: dict[str, Any], user: User) -> Any:
    supplier = safety.suppliers_of(place).get(pk=typed.pop("supplier"))
    wrong = _batch(place, typed.pop("corrects"))
    return safety.enter_batch(
        place, supplier=supplier, corrects=wrong, rules=chain.food_safety(), by=user, **typed
    )


def _use_batch(place: meals.Site, form: Any, typed: dict[str, Any], user: User) -> Any:
    batch = safety.stock_of(place).get(pk=typed["batch"])
    return safety.use_batch(
        batch, dish=form.chosen_dish(typed["dish"]), day=typed["day"], meal=typed["meal"], by=user
    )


def _keep_sample(place: meals.Site, form: Any, typed: dict[str, Any], user: User) -> Any:
    dish = form.chosen_dish(typed.pop("dish"))
    return safety.keep_sample(place, dish=dish, rules=chain.food_safety(), by=user, **typed)


def _open_incident(place: meals.Site, form: Any, typed: dict[str, Any], user: User) -> Any:
    batch = _batch(place, typed.pop("batch"))
    typed["people"] = typed["people"] or 0
    return safety.open_incident(place, batch=batch, rules=chain.food_safety(), by=user, **typed)


def _make_tour(place: meals.Site, form: Any, typed: dict[str, Any], user: User) -> Any:
    asked = {name: value for name, value in typed.items() if not name.startswith("fault_")}
    return safety.make_tour(place, faults=form.faults(), rules=chain.food_safety(), by=user, **asked)


STEPS: dict[str, Step] = {
    "worker": Step(
        forms.WorkerForm, "staff", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.enter_worker(place, by=user, **typed),
        gettext_lazy("人员已登记。"),
    ),
    "certificate": Step(
        forms.CertificateForm, "staff", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.keep_certificate(
            form.chosen(), number=typed["number"], issued_on=typed["issued_on"], paper=typed["paper"],
            rules=chain.food_safety(), by=user,
        ),
        gettext_lazy("健康证已登记。"),
    ),
    "left": Step(
        forms.LeftForm, "staff", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.worker_left(form.chosen(), on=typed["on"], by=user),
        gettext_lazy("已登记离岗。"),
    ),
    "morning": Step(
        forms.MorningForm, "today", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.check_morning(
            form.chosen(), on=timezone.localdate(), tenths=typed["tenths"], symptoms=typed["symptoms"],
            rules=chain.food_safety(), by=user,
        ),
        gettext_lazy("晨检已登记。"),
    ),
    "supplier": Step(
        forms.SupplierForm, "stock", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.enter_supplier(place, by=user, **typed),
        gettext_lazy("供货者已登记。"),
    ),
    "batch": Step(forms.BatchForm, "stock", Act.KEEP_SAFETY, _enter_batch, gettext_lazy("进货已登记。")),
    "use": Step(forms.UseForm, "stock", Act.KEEP_SAFETY, _use_batch, gettext_lazy("用料已登记。")),
    "reading": Step(
        forms.ReadingForm, "cook", Act.KEEP_SAFETY,
        lambda place, form, typed, user: safety.take_reading(
            place, rules=chain.food_safety(), by=user, **typed
        ),
        gettext_lazy("温度已登记。"),
    ),
    "sample": Step(forms.SampleForm, "cook", Act.KEEP_SAFETY, _keep_sample, gettext_lazy("留样已登记，标签可打印。")),
    "tour": Step(forms.TourForm, "tours", Act.VIEW_SAFETY, _make_tour, gettext_lazy("检查已登记。")),
    "stop": Step(
        forms.StopForm, "trouble", Act.STOP_MEAL,
        lambda place, form, typed, user: safety.stop_food(
            place, dish=form.chosen_dish(typed["dish"]), why=typed["why"], by=user
        ),
        gettext_lazy("已暂停，收银台即刻拒收。"),
    ),
    "incident": Step(
        forms.IncidentForm, "trouble", Act.STOP_MEAL, _open_incident,
        gettext_lazy("事件已登记，有关批次或助餐点已暂停，留样已封存。请在时限内报告。"),
    ),
    "rating": Step(
        forms.RatingForm, "trouble", Act.RECORD_RATING,
        lambda place, form, typed, user: safety.record_rating(
            place, scale=chain.volunteer_rules(), by=user, **typed
        ),
        gettext_lazy("评价已登记。"),
    ),
}  # fmt: skip
"""The forms of a place's page, by the last part of their address."""


@require_safe
def place_page(request: HttpRequest, code: str) -> HttpResponse:
    """One place: what is to do today, and its ledgers by tab."""
    return _page(request, _place(code, asker(request)))


def _place(code: str, user: User) -> meals.Site:
    return meals.site(code, by=user)


def _form(step: str, place: meals.Site, kind: str, *args: Any) -> forms.KitchenForm:
    more = {"kind": kind} if step == "tour" else {}
    return STEPS[step].form(*args, place=place, auto_id=f"{step}_%s", **more)


def _kind(request: HttpRequest, user: User) -> str:
    kinds = _kinds(user)
    asked = request.POST.get("kind") or request.GET.get("kind") or ""
    return asked if asked in kinds else next(iter(kinds), "daily")


def _kinds(user: User) -> dict[str, str]:
    """The inspections that the account makes: an operator its own, the county its supervision."""
    tours = chain.food_safety().tours.values()
    own = may(user, Act.KEEP_SAFETY)
    return {tour.code: forms.named(tour) for tour in tours if (tour.code == safety.SUPERVISION) is not own}


def _page(
    request: HttpRequest,
    place: meals.Site,
    *,
    at: str = "",
    form: forms.KitchenForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user, rules, today = asker(request), chain.food_safety(), timezone.localdate()
    tab = STEPS[at].tab if at else request.GET.get("tab", "today")
    tab = tab if tab in dict(TABS) else "today"
    kind = _kind(request, user)
    mine: dict[str, Any] = {}
    for name, step in STEPS.items():
        allowed = _may_tour(user) if name == "tour" else may(user, step.asks)
        if step.tab == tab and allowed:
            mine[name] = form if name == at and form is not None else _form(name, place, kind)
    shown: dict[str, Any] = {
        "place": place,
        "tab": tab,
        "tabs": TABS,
        "forms": mine,
        "problem": problem,
        "today": today,
        "kind": kind,
        "kinds": _kinds(user),
        "rules": rules,
        "staff": safety.staff(place, on=today, rules=rules, by=user) if tab in ("today", "staff") else [],
    }
    here = {"site": place}
    if tab == "today":
        shown["owed"] = safety.tours_due([place], rules=rules, on=today)
        shown["ripe"] = safety.samples(by=user, state="ripe").filter(**here)
        shown["mendings"] = safety.mendings(by=user, state="open").filter(**here)
    if tab == "stock":
        shown["batches"] = safety.batches(by=user, text=request.GET.get("q", "").strip()).filter(**here)[
            :_ROWS
        ]
        shown["running_out"] = safety.running_out(by=user, within_days=7).filter(**here)
    if tab == "cook":
        shown["readings"] = safety.readings(by=user).filter(**here)[:_ROWS]
        shown["samples"] = safety.samples(by=user, state="all").filter(**here)[:_ROWS]
    if tab == "tours":
        shown["tours"] = safety.tours(by=user).filter(**here)[:_ROWS]
        shown["mendings"] = safety.mendings(by=user, state="all").filter(**here)[:_ROWS]
    if tab == "trouble":
        shown["incidents"] = safety.incidents(by=user).filter(**here)[:_ROWS]
        shown["stops"] = safety.stops(by=user).filter(**here)
        shown["words"] = safety.words(by=user).filter(**here)[:_ROWS]
    failed = problem is not None or form is not None
    return render(request, "kitchen/place.html", shown, status=422 if failed else 200)


def _may_tour(user: User) -> bool:
    return may(user, Act.KEEP_SAFETY) or may(user, Act.SUPERVISE_SAFETY)


def step(request: HttpRequest, code: str, step: str) -> HttpResponse:
    """One form of a place's page; what does not fit is said there, and what was typed stays."""
    user = asker(request)
    place = _place(code, user)
    found = STEPS.get(step)
    if request.method != "POST" or found is None:
        return redirect("kitchen_place", code=place.code)
    form = _form(step, place, _kind(request, user), request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, place, at=step, form=form)
    try:
        made = found.act(place, form, dict(form.cleaned_data), user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _page(request, place, at=step, form=form, problem=problem)
    messages.success(request, str(found.said))
    if step == "incident":
        return redirect("kitchen_incident", number=made.number)
    if step == "morning" and not made.fit:
        messages.warning(request, _("%(name)s 今天不能上岗。") % {"name": made.worker.name})
    return redirect(f"{_address(place)}?tab={found.tab}")


def _address(place: meals.Site) -> str:
    return redirect("kitchen_place", code=place.code)["Location"]
