"""The public site of charity (慈善公开), without log-in: fundraising, projects, disclosures, how to help and how to ask for it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.charity import activities, giving, incubation, ventures
from doudi.engine.errors import DoudiError
from doudi.web.addresses import client_address
from doudi.web.guard import refused
from doudi.web.paging import LongList
from doudi.web.views.giving.funds import terms
from doudi.web.views.giving.raising import platform_name, workbook
from doudi.web.views.linkage.forms import from_pack

PAGE = 20


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What is going on: fundraising that runs, the latest disclosures, the doors to help."""
    today = timezone.localdate()
    shown = {
        "campaigns": giving.public_campaigns(today).filter(
            starts_on__lte=today, ends_on__gte=today, status=giving.Campaign.Status.RECORDED
        )[:5],
        "disclosures": giving.public_disclosures()[:5],
        "projects": giving.public_projects()[:5],
        "needs": len(giving.public_needs()),
        "here": "home",
    }
    return render(request, "giving/public/home.html", shown)


@require_safe
def campaigns(request: HttpRequest) -> HttpResponse:
    """Every recorded fundraising."""
    page = LongList(giving.public_campaigns(timezone.localdate()), PAGE).get_page(request.GET.get("page"))
    shown = {"page": page, "today": timezone.localdate(), "here": "campaigns"}
    return render(request, "giving/public/campaigns.html", shown)


@require_safe
def campaign(request: HttpRequest, number: str) -> HttpResponse:
    """One fundraising with its plan, its figures and what was disclosed."""
    try:
        plan = giving.public_campaign(number)
    except DoudiError as problem:
        return refused(request, problem)
    shown = {
        "plan": plan,
        "raised": giving.raised(plan),
        "ways": [dict(giving.Campaign.Way.choices).get(way, way) for way in plan.ways],
        "platform": platform_name(plan),
        "disclosures": giving.public_disclosures().filter(duty__campaign=plan),
        "here": "campaigns",
    }
    return render(request, "giving/public/campaign.html", shown)


@require_safe
def projects(request: HttpRequest) -> HttpResponse:
    """Every project of a charity."""
    page = LongList(giving.public_projects(), PAGE).get_page(request.GET.get("page"))
    return render(request, "giving/public/projects.html", {"page": page, "here": "projects", **terms()})


@require_safe
def project(request: HttpRequest, number: str) -> HttpResponse:
    """One project: for what and whom, what it did, what was disclosed."""
    try:
        found = giving.public_project(number)
    except DoudiError as problem:
        return refused(request, problem)
    shown = {
        "project": found,
        "figures": giving.project_figures(found),
        "photos": activities.photos_of(found),
        "brand": incubation.public_brands().filter(project=found).first(),
        "disclosures": giving.public_disclosures().filter(duty__project=found),
        "here": "projects",
        **terms(),
    }
    return render(request, "giving/public/project.html", shown)


@require_safe
def photo(request: HttpRequest, pk: int) -> HttpResponse:
    """A picture of an activity; shown as nothing but a picture."""
    try:
        content, media = activities.public_photo(pk)
    except DoudiError as problem:
        return refused(request, problem)
    return HttpResponse(content, content_type=media, headers={"Content-Disposition": "inline"})


@require_safe
def disclosures(request: HttpRequest) -> HttpResponse:
    """Everything that was published."""
    found = giving.public_disclosures(organisation_code=request.GET.get("organisation", "")[:40])
    shown = {
        "page": LongList(found, PAGE).get_page(request.GET.get("page")),
        "bodies": giving.public_bodies(),
        "thanks": giving.donation_wall(),
        "here": "disclosures",
    }
    return render(request, "giving/public/disclosures.html", shown)


@require_safe
def disclosure(request: HttpRequest, number: str) -> HttpResponse:
    """One publication as it stood then."""
    try:
        found = giving.public_disclosure(number)
    except DoudiError as problem:
        return refused(request, problem)
    shown = {"made": found, "content": found.content, "here": "disclosures"}
    return render(request, "giving/public/disclosure.html", shown)


@require_safe
def disclosure_book(request: HttpRequest, number: str) -> HttpResponse:
    """A publication as a workbook."""
    try:
        found = giving.public_disclosure(number)
    except DoudiError as problem:
        return refused(request, problem)
    return workbook(giving.to_workbook(found.content, found.note), f"{found.number}.xlsx")


@require_safe
def needs(request: HttpRequest) -> HttpResponse:
    """Needs without identity, and how to give help."""
    kind = request.GET.get("kind", "")[:20]
    shown = {
        "needs": giving.public_needs(kind=kind),
        "kind": kind,
        "kinds": from_pack("kinds") + from_pack("broader_kinds"),
        "bodies": giving.public_bodies(),
        "here": "needs",
        **terms(),
    }
    return render(request, "giving/public/needs.html", shown)


@require_safe
def venture_list(request: HttpRequest) -> HttpResponse:
    """Venture calls with who was awarded what, brand projects with their results, honours."""
    shown = {
        "calls": [(call, ventures.public_awards(call)) for call in ventures.public_calls()[:10]],
        "brands": incubation.public_brands(),
        "honours": incubation.honours()[:50],
        "here": "ventures",
    }
    return render(request, "giving/public/ventures.html", shown)


@never_cache
def gift(request: HttpRequest) -> HttpResponse:
    """What a gift did, by its number and code; both come in the body, so that they stand in no server's log."""
    shown: dict[str, object] = {"here": "gift", **terms()}
    if request.method != "POST":
        return render(request, "giving/public/gift.html", shown)
    try:
        story = chain.find_gift(
            request.POST.get("number", "")[:40],
            request.POST.get("code", "")[:20],
            address=client_address(request),
        )
    except DoudiError as problem:
        status = 429 if problem.code == "too_many" else 422
        return render(request, "giving/public/gift.html", {**shown, "problem": problem}, status=status)
    return render(request, "giving/public/gift.html", {**shown, "story": story, "gift": story.donation})
