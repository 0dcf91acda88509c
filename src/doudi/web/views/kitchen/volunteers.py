"""Volunteers' pages: the desk, one person with points, one shift, and the receiver's word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms as django_forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, Role, User, may
from doudi.contexts.meals import services as meals
from doudi.contexts.meals import volunteering
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.addresses import client_address
from doudi.web.guard import asker
from doudi.web.templatetags.doudi import said
from doudi.web.views.kitchen import volunteer_forms as forms
from doudi.web.views.kitchen.incidents import posted

PAGE = 25


# ---- the desk ----------------------------------------------------------------------------------------------------


def _places(user: User) -> list[meals.Site]:
    return (
        list(meals.sites(by=user).exclude(state__in=("closed", "planned")))
        if may(user, Act.VIEW_SITES)
        else []
    )


@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """What waits to be confirmed, the roster, and who serves."""
    return _desk(request)


def _desk(
    request: HttpRequest, problem: DoudiError | None = None, **filled: django_forms.Form
) -> HttpResponse:
    user = asker(request)
    shown: dict[str, Any] = {
        "problem": problem,
        "at": next(iter(filled), ""),
        "to_confirm": volunteering.to_confirm(by=user)[:PAGE],
        "side": "site" if user.role == Role.CANTEEN else "call",
        "shifts": volunteering.shifts(by=user, since=timezone.localdate())[:PAGE],
        "groups": volunteering.groups(by=user),
        "page": Paginator(volunteering.volunteers(by=user), PAGE).get_page(request.GET.get("page")),
        "totals": volunteering.totals() if may(user, Act.CORRECT_POINTS) else None,
    }
    if may(user, Act.MANAGE_VOLUNTEERS):
        places = _places(user)
        shown["register"] = filled.get("register") or forms.RegisterForm(places=places, auto_id="register_%s")
        shown["group_form"] = filled.get("group_form") or forms.GroupForm(places=places, auto_id="group_%s")
        shown["shift"] = filled.get("shift") or forms.ShiftForm(places=places, auto_id="shift_%s")
    return render(request, "kitchen/volunteers.html", shown, status=422 if filled else 200)


@posted
def register(request: HttpRequest) -> HttpResponse:
    """Register a volunteer."""
    user = asker(request)
    form = forms.RegisterForm(request.POST, places=_places(user), auto_id="register_%s")
    if not form.is_valid():
        return _desk(request, register=form)
    typed = dict(form.cleaned_data)
    typed.pop("site")
    try:
        person = volunteering.register_volunteer(form.place(), by=user, **typed)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _desk(request, problem, register=form)
    messages.success(request, _("已登记，志愿者编号 %(number)s。") % {"number": person.number})
    return redirect("volunteer", number=person.number)


@posted
def plan_shift(request: HttpRequest) -> HttpResponse:
    """Plan a shift."""
    user = asker(request)
    form = forms.ShiftForm(request.POST, places=_places(user), auto_id="shift_%s")
    if not form.is_valid():
        return _desk(request, shift=form)
    typed = dict(form.cleaned_data)
    typed.pop("site")
    places, diner_no = typed.pop("places_wanted"), typed.pop("receiver_no").strip()
    try:
        made = volunteering.make_shift(
            form.place(),
            places=places,
            receiver=volunteering.served_diner(form.place(), diner_no) if diner_no else None,
            rules=chain.volunteer_rules(),
            by=user,
            **typed,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _desk(request, problem, shift=form)
    messages.success(request, _("班次已排。"))
    return redirect("shift", number=made.number)


@posted
def form_group(request: HttpRequest) -> HttpResponse:
    """Form a group of neighbours."""
    user = asker(request)
    form = forms.GroupForm(request.POST, places=_places(user), auto_id="group_%s")
    if not form.is_valid():
        return _desk(request, group_form=form)
    typed = form.cleaned_data
    try:
        made = volunteering.form_group(
            form.place(),
            name=typed["name"],
            leader=volunteering.volunteer(typed["leader"].strip(), by=user),
            formed_on=typed["formed_on"],
            by=user,
        )
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _desk(request, problem, group_form=form)
    return redirect("mutual_group", number=made.number)


@require_safe
def group_page(request: HttpRequest, number: str) -> HttpResponse:
    """One group with its members."""
    found = volunteering.group(number, by=asker(request))
    shown = {"group": found, "members": volunteering.members(found, by=asker(request))}
    return render(request, "kitchen/group.html", shown)


@posted
def join_group(request: HttpRequest, number: str) -> HttpResponse:
    """Somebody joins: a volunteer who helps, or a diner who is helped."""
    user = asker(request)
    found = volunteering.group(number, by=user)
    who, diner_no = request.POST.get("volunteer", "").strip(), request.POST.get("diner", "").strip()

    def act() -> Any:
        return volunteering.join_group(
            found,
            helper=volunteering.volunteer(who, by=user) if who else None,
            diner=volunteering.served_diner(found.site, diner_no) if diner_no else None,
            on=timezone.localdate(),
            by=user,
        )

    return _then(request, act, _("已加入。"), f"/meals/volunteers/groups/{number}/")


@posted
def leave_group(request: HttpRequest, number: str, pk: int) -> HttpResponse:
    """Somebody leaves."""
    user = asker(request)
    volunteering.group(number, by=user)
    return _then(
        request,
        lambda: volunteering.leave_group(pk, on=timezone.localdate(), by=user),
        _("已退出。"),
        f"/meals/volunteers/groups/{number}/",
    )


# ---- one person --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """A form of a person's page: which, for whom, what it does, what is said."""

    form: type[forms.PersonForm]
    asks: Act
    act: Callable[[volunteering.Volunteer, dict[str, Any], User], Any]
    said: Any
    title: Any


def _other(number: str, user: User) -> volunteering.Volunteer:
    return volunteering.receiver(number.strip(), by=user)


STEPS: dict[str, Step] = {
    "redeem": Step(
        forms.RedeemForm, Act.USE_POINTS,
        lambda person, typed, user: volunteering.redeem(
            person, site=person.site, rules=chain.volunteer_rules(), by=user, **typed
        ),
        gettext_lazy("已兑换，请凭兑换号到助餐点领取。"), gettext_lazy("兑换"),
    ),
    "gift": Step(
        forms.GiftForm, Act.USE_POINTS,
        lambda person, typed, user: volunteering.give_points(
            person, _other(typed["to"], user), points=typed["points"], token=typed["token"], by=user
        ),
        gettext_lazy("已转赠。"), gettext_lazy("转赠给亲属"),
    ),
    "carry": Step(
        forms.CarryForm, Act.USE_POINTS,
        lambda person, typed, user: volunteering.carry_points(
            person, from_site=volunteering.point_site(typed["from_code"], person),
            to_site=volunteering.point_site(typed["to_code"], person), points=typed["points"],
            token=typed["token"], by=user,
        ),
        gettext_lazy("已转到另一个助餐点。"), gettext_lazy("换助餐点使用"),
    ),
    "heir": Step(
        forms.HeirForm, Act.USE_POINTS,
        lambda person, typed, user: volunteering.name_heir(
            person, _other(typed["heir"], user) if typed["heir"] else None, by=user
        ),
        gettext_lazy("继承人已登记。"), gettext_lazy("指定积分继承人"),
    ),
    "record": Step(
        forms.RecordForm, Act.MANAGE_VOLUNTEERS,
        lambda person, typed, user: volunteering.keep_record(
            person, by=user, **{**typed, "minutes": typed["minutes"] or 0}
        ),
        gettext_lazy("已登记。"), gettext_lazy("登记培训、表彰或评价"),
    ),
    "insure": Step(
        forms.InsuranceForm, Act.MANAGE_VOLUNTEERS,
        lambda person, typed, user: volunteering.insure(person, by=user, **typed),
        gettext_lazy("保险已登记。"), gettext_lazy("登记意外保险"),
    ),
    "estate": Step(
        forms.EstateForm, Act.CORRECT_POINTS,
        lambda person, typed, user: volunteering.settle_estate(person, died_on=typed["died_on"], by=user),
        gettext_lazy("已登记去世，积分已转继承人或公益池。"), gettext_lazy("志愿者去世"),
    ),
    "reverse": Step(
        forms.ReverseForm, Act.CORRECT_POINTS,
        lambda person, typed, user: volunteering.reverse_movement(typed["number"], why=typed["why"], by=user),
        gettext_lazy("已冲销。"), gettext_lazy("冲销积分凭证"),
    ),
}  # fmt: skip
"""The forms of a person's page, by the last part of their address."""


@require_safe
def person_page(request: HttpRequest, number: str) -> HttpResponse:
    """One volunteer with hours, records and points."""
    return _person(request, volunteering.volunteer(number, by=asker(request)))


def _person(
    request: HttpRequest,
    person: volunteering.Volunteer,
    *,
    at: str = "",
    form: forms.PersonForm | None = None,
    problem: DoudiError | None = None,
) -> HttpResponse:
    user = asker(request)
    today = timezone.localdate()
    offered = [
        (
            name,
            step.title,
            form if name == at and form is not None else step.form(person=person, auto_id=f"{name}_%s"),
        )
        for name, step in STEPS.items()
        if may(user, step.asks)
    ]
    shown = {
        "person": person,
        "id_shown": identity.mask_id(person.id_number),
        "figures": volunteering.figures(person),
        "balance": volunteering.balance(person),
        "lots": volunteering.lots(person, on=today),
        "statement": volunteering.statement(person, by=user)[:50],
        "records": person.records.all(),
        "insurances": person.insurances.all(),
        "redemptions": person.redemptions.select_related("site")[:20],
        "services": volunteering.services(by=user).filter(volunteer=person)[:20],
        "forms": offered,
        "at": at,
        "problem": problem,
        "own": person.account == user.username,
    }
    return render(request, "kitchen/volunteer.html", shown, status=422 if at else 200)


def person_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """One form of a person's page."""
    user = asker(request)
    person = volunteering.volunteer(number, by=user)
    found = STEPS.get(step)
    if request.method != "POST" or found is None:
        return redirect("volunteer", number=number)
    form = found.form(request.POST, person=person, auto_id=f"{step}_%s")
    if not form.is_valid():
        return _person(request, person, at=step, form=form)
    try:
        found.act(person, dict(form.cleaned_data), user)
    except DoudiError as problem:
        if problem.code == "not_allowed":
            raise
        return _person(request, person, at=step, form=form, problem=problem)
    messages.success(request, str(found.said))
    return redirect("volunteer", number=number)


@posted
def certificate(request: HttpRequest, number: str) -> HttpResponse:
    """The certificate of service as PDF."""
    content = volunteering.certificate(number, by=asker(request))
    return HttpResponse(
        content,
        content_type="application/pdf",
        headers={"Content-Disposition": f'attachment; filename="{number}.pdf"'},
    )


@posted
def redemption(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """Hand a redemption over, or take it back."""
    user = asker(request)
    acts = {"give": volunteering.hand_over, "cancel": volunteering.cancel_redemption}
    if step not in acts:
        return redirect("volunteers")
    try:
        done = acts[step](number, by=user)
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        messages.error(request, said(problem))
        return redirect("volunteers")
    messages.success(request, _("已兑付。") if step == "give" else _("已撤销，积分已退回。"))
    return redirect("volunteer", number=done.volunteer.number)


# ---- shifts ------------------------------------------------------------------------------------------------------


@require_safe
def shift_page(request: HttpRequest, number: str) -> HttpResponse:
    """One shift with who signed up."""
    user = asker(request)
    found = volunteering.shift(number, by=user)
    mine = volunteering.services(by=user).filter(shift=found).exclude(state="cancelled")
    shown = {
        "shift": found,
        "services": mine,
        "taken": found.services.exclude(state="cancelled").count(),
        "people": volunteering.volunteers(by=user).filter(serves=True, left_on=None)
        if may(user, Act.MANAGE_VOLUNTEERS)
        else [],
        "side": "site" if user.role == Role.CANTEEN else "call",
    }
    return render(request, "kitchen/shift.html", shown)


@posted
def sign_up(request: HttpRequest, number: str) -> HttpResponse:
    """Sign a volunteer, or oneself, up."""
    user = asker(request)

    def act() -> Any:
        person = (
            volunteering.myself(user)
            if user.role == Role.VOLUNTEER
            else volunteering.volunteer(request.POST.get("volunteer", ""), by=user)
        )
        if person is None:
            raise volunteering.VolunteerNotFound(
                "您的账号还没有登记为志愿者，请联系助餐点。",
                "Your account is not registered as a volunteer yet.",
            )
        return volunteering.sign_up(number, person, rules=chain.volunteer_rules(), by=user)

    return _then(
        request,
        act,
        _("已报名。"),
        "home" if user.role == Role.VOLUNTEER else f"/meals/volunteers/shifts/{number}/",
    )


@posted
def close(request: HttpRequest, number: str) -> HttpResponse:
    """Mark who did not come."""
    user = asker(request)
    return _then(
        request,
        lambda: volunteering.close_shift(number, rules=chain.volunteer_rules(), by=user),
        _("已登记未到的人。"),
        f"/meals/volunteers/shifts/{number}/",
    )


def _site_confirms(pk: int, request: HttpRequest, user: User) -> Any:
    typed = request.POST.get("minutes", "").strip()
    return volunteering.confirm_by_site(
        pk,
        minutes=int(typed) if typed.isdigit() else None,
        refuse=request.POST.get("refuse", "").strip(),
        rules=chain.volunteer_rules(),
        by=user,
    )


_SERVICE: dict[str, tuple[Callable[[int, HttpRequest, User], Any], Any]] = {
    "in": (lambda pk, request, user: volunteering.sign_in(pk, by=user), gettext_lazy("已签到。")),
    "out": (lambda pk, request, user: volunteering.sign_out(pk, by=user), gettext_lazy("已签退，等待双方确认。")),
    "cancel": (lambda pk, request, user: volunteering.cancel(pk, by=user), gettext_lazy("已取消报名。")),
    "site": (_site_confirms, gettext_lazy("助餐点已办理确认。")),
    "call": (
        lambda pk, request, user: volunteering.confirm_by_call(pk, rules=chain.volunteer_rules(), by=user),
        gettext_lazy("受助方已确认。"),
    ),
}  # fmt: skip


@posted
def service_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """One step of a service: come, leave, take back, confirm."""
    user = asker(request)
    found = _SERVICE.get(step)
    if found is None:
        return redirect("volunteers")
    act, words = found
    to = "home" if user.role == Role.VOLUNTEER else "volunteers"
    return _then(request, lambda: act(pk, request, user), str(words), to)


def _then(request: HttpRequest, act: Callable[[], Any], words: str, to: str) -> HttpResponse:
    try:
        act()
    except DoudiError as problem:
        if problem.code == "not_allowed" or (
            problem.code.endswith("_not_found") and not isinstance(problem, volunteering.VolunteerNotFound)
        ):
            raise
        messages.error(request, said(problem))
    else:
        messages.success(request, words)
    return redirect(to)


# ---- the receiver's word -----------------------------------------------------------------------------------------


@never_cache
def receipt(request: HttpRequest) -> HttpResponse:
    """Who was served confirms it, without an account: the shift's number and the own meal code."""
    form = forms.ReceiptForm(request.POST if request.method == "POST" else None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            done = volunteering.confirm_by_code(
                form.cleaned_data["number"],
                form.cleaned_data["code"],
                rules=chain.volunteer_rules(),
                limits=chain.food_safety(),
                address=client_address(request),
            )
        except DoudiError as refused:
            problem = refused
        else:
            return render(request, "kitchen/receipt.html", {"done": done, "told": True})
    status = (
        429
        if problem is not None and problem.code == "too_many"
        else 422
        if request.method == "POST"
        else 200
    )
    return render(request, "kitchen/receipt.html", {"form": form, "problem": problem}, status=status)
