"""Projects, goods and services of a body on pages, and for the county the bodies themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.charity import activities
from doudi.contexts.charity import services as charity
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.steps import take_step
from doudi.web.views.linkage import stepping
from doudi.web.views.linkage.forms import (
    ApplyForm,
    DecideForm,
    GroundForm,
    InterestedForm,
    LotForm,
    OfferForm,
    OrganisationForm,
    PhotoDownForm,
    PhotoForm,
    ProjectForm,
    StatusForm,
)
from doudi.web.views.linkage.stepping import Step

PAGE = 25


@require_safe
def project_list(request: HttpRequest) -> HttpResponse:
    """Projects with what is left of each (慈善项目)."""
    user = asker(request)
    page = Paginator(charity.projects(by=user), PAGE).get_page(request.GET.get("page"))
    left = charity.left_of(page)
    return render(
        request, "linkage/projects.html", {"page": page, "rows": [(one, left[one.pk]) for one in page]}
    )


def new_project(request: HttpRequest) -> HttpResponse:
    """Enter a project of the own body."""
    form = ProjectForm(request.POST or None)

    def again(problem: DoudiError | None) -> HttpResponse:
        shown = {"form": form, "problem": problem, "title": _("登记慈善项目"), "button": _("登记项目")}
        return render(request, "linkage/form.html", shown, status=422 if form.is_bound else 200)

    if request.method != "POST":
        return again(None)
    return take_step(
        request,
        form,
        lambda typed, user: charity.open_project(by=user, **form.project()),
        again=again,
        done=_("项目已登记。"),
        then=redirect("projects"),
    )


PROJECT_STEPS = {
    "interested": Step(
        InterestedForm, Act.KEEP_PROJECTS, gettext_lazy("登记利害关系人"), gettext_lazy("登记"),
        lambda number, typed, by: charity.name_interested_person(number, by=by, **typed),
        gettext_lazy("已登记；此人和同户家庭不能受益于这个项目。"),
    ),
    "photo": Step(
        PhotoForm, Act.KEEP_PROJECTS, gettext_lazy("上传活动照片"), gettext_lazy("上传并公开"),
        lambda number, typed, by: activities.add_photo(number, by=by, **typed),
        gettext_lazy("照片已公开在项目页。"),
    ),
    "photo_down": Step(
        PhotoDownForm, Act.VIEW_PROJECTS, gettext_lazy("撤下照片"), gettext_lazy("撤下并删除"),
        lambda number, typed, by: activities.take_down_photo(int(typed["photo"]), why=typed["why"], by=by),
        gettext_lazy("照片已撤下并删除。"), second=True,
    ),
    "status": Step(
        StatusForm, Act.KEEP_PROJECTS, gettext_lazy("暂停、恢复或结束"), gettext_lazy("改变状态"),
        lambda number, typed, by: charity.set_project_status(number, by=by, **typed), gettext_lazy("已改变。"), second=True,
    ),
}  # fmt: skip


@require_safe
def project_page(request: HttpRequest, number: str) -> HttpResponse:
    """One project."""
    return _project(request, number, {}, None)


def _project(
    request: HttpRequest, number: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    found = charity.project(number, by=user)
    photos = activities.photos_of(found)
    names = ["photo", "interested", "status"] if found.status != charity.Project.Status.ENDED else ["photo"]
    if photos and (may(user, Act.KEEP_PROJECTS) or may(user, Act.REVIEW_IDEA)):
        names.append("photo_down")
    shown = {
        "project": found,
        "photos": photos,
        "left": charity.left_of([found])[found.pk],
        "interested": [
            (one, identity.mask_name(one.name), identity.mask_id(one.id_number)) for one in found.interested.all()
        ],
        "problem": problem,
        "steps": stepping.offer(
            PROJECT_STEPS, names, user,
            url=lambda name: reverse("project_step", args=[number, name]), sent=sent, photos=_choices(photos),
        ),
    }  # fmt: skip
    return render(request, "linkage/project.html", shown, status=422 if sent else 200)


def _choices(photos: Iterable[activities.ActivityPhoto]) -> list[tuple[int, str]]:
    return [(one.pk, f"{one.taken_on} {one.caption}") for one in photos]


def project_step(request: HttpRequest, number: str, step: str) -> HttpResponse:
    """A step of a project."""
    found = charity.project(number, by=asker(request))
    return stepping.do(
        request, number, step, PROJECT_STEPS, page=_project, there=stepping.back_to("project", number=number),
        photos=_choices(activities.photos_of(found)),
    )  # fmt: skip


STOCK_STEPS = {
    "lot": Step(
        LotForm, Act.KEEP_PROJECTS, gettext_lazy("物资入库"), gettext_lazy("入库"),
        lambda key, typed, by: chain.take_in_goods(by=by, **typed), gettext_lazy("已入库。"),
    ),
    "offer": Step(
        OfferForm, Act.KEEP_PROJECTS, gettext_lazy("登记服务"), gettext_lazy("登记"),
        lambda key, typed, by: chain.offer_service(by=by, **typed), gettext_lazy("已登记。"), second=True,
    ),
}  # fmt: skip


@require_safe
def stock(request: HttpRequest) -> HttpResponse:
    """Goods by date of expiry, and services with what is free this month (物资与服务)."""
    return _stock(request, None, {}, None)


def _stock(
    request: HttpRequest, key: Any, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    today = timezone.localdate()
    shown = {
        "lots": charity.lots(by=user),
        "services": [(offer, charity.free_units(offer, today)) for offer in charity.services(by=user)],
        "today": today,
        "problem": problem,
        "steps": stepping.offer(
            STOCK_STEPS,
            list(STOCK_STEPS),
            user,
            url=lambda name: reverse("stock_step", args=[name]),
            sent=sent,
        ),
    }
    return render(request, "linkage/stock.html", shown, status=422 if sent or problem else 200)


def stock_step(request: HttpRequest, step: str) -> HttpResponse:
    """Goods in, or a service offered."""
    return stepping.do(request, None, step, STOCK_STEPS, page=_stock, there=stepping.back_to("stock"))


def write_off(request: HttpRequest, pk: int) -> HttpResponse:
    """Write off what is past its date."""
    if request.method != "POST":
        return redirect("stock")
    try:
        charity.write_off_expired(pk, by=asker(request))
    except DoudiError as problem:
        if problem.code == "not_allowed" or problem.code.endswith("_not_found"):
            raise
        return _stock(request, None, {}, problem)
    messages.success(request, _("已报废过期物资。"))
    return redirect("stock")


# ---- bodies ------------------------------------------------------------------------------------------------------


def organisation_list(request: HttpRequest) -> HttpResponse:
    """Bodies of the county, and the form to enter one (帮扶主体)."""
    user = asker(request)
    form = OrganisationForm(request.POST or None)
    problem = None
    if request.method == "POST" and form.is_valid():
        try:
            charity.register_organisation(region_code=user.region_code, by=user, **form.cleaned_data)
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            messages.success(request, _("已登记。"))
            return redirect("organisations")
    shown = {
        "page": Paginator(charity.organisations(by=user, closed=True), PAGE).get_page(
            request.GET.get("page")
        ),
        "form": form if may(user, Act.MANAGE_ORGANISATIONS) else None,
        "problem": problem,
    }
    return render(request, "linkage/organisations.html", shown, status=422 if form.is_bound else 200)


def _decide(code: str, typed: dict[str, Any], by: User) -> Any:
    asked = charity.organisation(code, by=by).qualifications.filter(status="asked").first()
    return charity.decide_qualification(
        asked.pk if asked else 0, grant=typed["decision"] == "grant", ground=typed["ground"], by=by
    )


BODY_STEPS = {
    "apply": Step(
        ApplyForm, Act.MANAGE_ORGANISATIONS, gettext_lazy("登记公开募捐资格申请"), gettext_lazy("登记申请"),
        lambda code, typed, by: charity.apply_for_qualification(
            code, rules=chain.giving_rules(), by=by, **typed
        ), gettext_lazy("申请已登记，由另一人决定。"),
    ),
    "decide": Step(
        DecideForm, Act.MANAGE_ORGANISATIONS, gettext_lazy("决定申请"), gettext_lazy("作出决定"), _decide, gettext_lazy("已决定。"),
    ),
    "close": Step(
        GroundForm, Act.MANAGE_ORGANISATIONS, gettext_lazy("停用"), gettext_lazy("停用"),
        lambda code, typed, by: charity.close_organisation(code, why=typed["ground"], by=by), gettext_lazy("已停用。"), second=True,
    ),
}  # fmt: skip


@require_safe
def organisation_page(request: HttpRequest, code: str) -> HttpResponse:
    """One body with its qualification."""
    return _body(request, code, {}, None)


def _body(
    request: HttpRequest, code: str, sent: dict[str, forms.Form], problem: DoudiError | None
) -> HttpResponse:
    user = asker(request)
    found = charity.organisation(code, by=user)
    asked = list(found.qualifications.all())
    open_ = any(one.status == "asked" for one in asked)
    names = []
    if found.kind != charity.Organisation.Kind.MEMBER and found.fundraising_since is None:
        names = ["decide"] if open_ else ["apply"]
    names += [] if found.closed_on else ["close"]
    shown = {
        "body": found,
        "may_apply_from": charity.may_apply_from(found.registered_on, chain.giving_rules())
        if found.registered_on
        else None,
        "qualifications": asked,
        "projects": charity.projects(by=user).filter(organisation=found)[:PAGE],
        "problem": problem,
        "steps": stepping.offer(
            BODY_STEPS,
            names,
            user,
            url=lambda name: reverse("organisation_step", args=[code, name]),
            sent=sent,
        ),
    }
    return render(request, "linkage/organisation.html", shown, status=422 if sent else 200)


def organisation_step(request: HttpRequest, code: str, step: str) -> HttpResponse:
    """A step of a body."""
    charity.organisation(code, by=asker(request))
    return stepping.do(
        request, code, step, BODY_STEPS, page=_body, there=stepping.back_to("organisation", code=code)
    )
