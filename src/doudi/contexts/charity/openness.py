"""What everybody may read without an account (慈善公开): bodies, projects, needs without identity."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.charity.fund_models import Allocation
from doudi.contexts.charity.funds import FundNotFound
from doudi.contexts.charity.need_models import Need
from doudi.contexts.charity.organisation_models import Organisation, Project


@dataclass(frozen=True)
class OpenNeed:
    """A published need as everybody may read it: no household, no sum that tells of income; ``kind`` may be a class of kinds."""

    code: str
    kind: str
    group: str
    tier: int
    region_code: str
    text: str
    gap_fen: int | None


def public_bodies() -> QuerySet[Organisation]:
    """Charities and hubs that are standing, by name, with whether they may raise funds (第二十五条)."""
    return Organisation.objects.filter(closed_on=None).exclude(kind=Organisation.Kind.MEMBER).order_by("name")


def public_projects() -> QuerySet[Project]:
    """Projects of charities and hubs, the latest first."""
    return (
        Project.objects.exclude(organisation__kind=Organisation.Kind.MEMBER)
        .filter(organisation__closed_on=None)
        .select_related("organisation")
        .order_by("-starts_on", "-pk")
    )


def public_project(number: str) -> Project:
    """One project, for everybody."""
    found = public_projects().filter(number=number).first()
    if found is None:
        raise FundNotFound("没有找到这个项目。", "No such project.")
    return found


def project_figures(project: Project) -> dict[str, int]:
    """How much a project paid, how often, and how many people that helped."""
    uses = Allocation.objects.filter(project=project, paid_fen__gt=0).prefetch_related("outcomes")
    people = 0
    for use in uses:
        outcomes = list(use.outcomes.all())
        people += outcomes[-1].people if outcomes else 0
    paid = uses.aggregate(total=Sum("paid_fen"))["total"] or 0
    return {"uses": len(uses), "paid_fen": int(paid), "people": people}


def public_needs(*, kind: str = "") -> list[OpenNeed]:
    """Needs that wait for help and whose publication the person agrees to, the most urgent first."""
    found = Need.objects.published(timezone.localdate()).filter(status=Need.Status.PUBLISHED)
    if kind:
        found = found.filter(public_kind=kind)
    return [
        OpenNeed(
            need.code,
            need.public_kind,
            need.group,
            need.tier,
            need.public_region,
            need.public_text,
            need.gap_fen,
        )
        for need in found.order_by("tier", "published_on", "pk")[:200]
    ]
