"""What a hub body and the county do for projects and charities: ideas to launch, brands, support and honours (孵化、激励)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import visible
from doudi.contexts.charity.funds import FundNotFound, another, numbered, positive, reasoned
from doudi.contexts.charity.grants import public_words
from doudi.contexts.charity.organisation_models import Organisation
from doudi.contexts.charity.organisations import organisation, own_organisation
from doudi.contexts.charity.projects import open_project
from doudi.contexts.charity.venture_models import Honour, Idea, IdeaLine, Support
from doudi.engine.money import show_yuan
from doudi.engine.packs.giving import GivingRules

__all__ = [
    "Honour",
    "Idea",
    "Support",
    "bring_idea",
    "decide_support",
    "honours",
    "idea_of",
    "ideas",
    "launch_idea",
    "make_brand",
    "propose_support",
    "public_brands",
    "record_honour",
    "review_idea",
    "supports",
]


def ideas(*, by: User, status: str = "") -> QuerySet[Idea]:
    """Ideas that ``by`` may see, newest first."""
    found = visible(Idea.objects.all(), by, Act.VIEW_VENTURES).select_related("organisation", "project")
    return found.filter(status=status) if status else found


def idea_of(number: str, *, by: User) -> Idea:
    """One idea, or :class:`FundNotFound`."""
    found = ideas(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到孵化项目 {number}。", f"No idea {number} for you.")
    return found


@transaction.atomic
def bring_idea(
    *,
    title: str,
    problem: str,
    approach: str,
    kinds: Sequence[str],
    groups: Sequence[str],
    budget_fen: int,
    rules: GivingRules,
    by: User,
    partner: str = "",
    number: str = "",
) -> Idea:
    """A hub body brings up an idea, or one that came back with more to it (提出孵化项目)."""
    take_turn()
    body = own_organisation(by)
    require(by, Act.INCUBATE, region_code=body.region_code, organisation=body.code)
    if body.kind != Organisation.Kind.HUB:
        raise StepRefused(
            "项目孵化由枢纽型慈善组织（慈善联合会、慈善会）提出。",
            "Ideas are brought up by a hub body.",
            code="no_hub",
        )
    positive(budget_fen)
    if not kinds or set(kinds) - set(rules.purposes) or set(groups) - set(rules.groups):
        raise StepRefused("请选择用途和人群。", "Choose the purposes and groups.")
    facts = {
        "title": reasoned(title, "项目名称", "the title"),
        "problem": reasoned(problem, "看到的问题", "the problem", 10),
        "approach": reasoned(approach, "做法", "the approach", 10),
        "kinds": sorted(set(kinds)),
        "groups": sorted(set(groups)),
        "budget_fen": budget_fen,
        "partner": partner.strip(),
    }
    if number:
        found = idea_of(number, by=by)
        if found.status != Idea.Status.RETURNED:
            raise StepRefused("只有退回的可以再报。", "Only a returned idea is brought up again.")
        for name, value in facts.items():
            setattr(found, name, value)
        found.status = Idea.Status.IDEA
        found.save()
    else:
        again = Idea.objects.filter(organisation=body, title=facts["title"], status=Idea.Status.IDEA).first()
        if again is not None:
            return again
        found = Idea.objects.create(
            number=numbered(Idea, "FH", timezone.localdate()), organisation=body, made_by=by.username, **facts
        )
    _note(found, by, Act.INCUBATE, "idea", "提出项目")
    return found


@transaction.atomic
def review_idea(number: str, *, verdict: str, note: str, by: User) -> Idea:
    """The county reviews an idea: ``ready``, ``returned`` or ``refused`` (评审)."""
    take_turn()
    found = idea_of(number, by=by)
    require(by, Act.REVIEW_IDEA, region_code=found.organisation.region_code)
    if found.status != Idea.Status.IDEA or verdict not in ("ready", "returned", "refused"):
        raise StepRefused("没有待评审的项目，或结论不对。", "No idea waits, or the verdict is unknown.")
    another(by, found.made_by)
    found.status, found.reviewed_by = verdict, by.username
    found.save(update_fields=["status", "reviewed_by"])
    _note(found, by, Act.REVIEW_IDEA, "review", f"{found.get_status_display()}：{reasoned(note)}")
    return found


@transaction.atomic
def launch_idea(number: str, *, starts_on: date, ends_on: date | None, by: User) -> Idea:
    """Launch a reviewed idea as a project of the hub body (启动)."""
    take_turn()
    found = idea_of(number, by=by)
    require(by, Act.INCUBATE, organisation=found.organisation.code)
    if found.status == Idea.Status.LAUNCHED:
        return found
    if found.status != Idea.Status.READY:
        raise StepRefused("评审通过之后才能启动。", "It is launched after a favourable review.")
    found.project = open_project(
        name=found.title,
        kinds=found.kinds,
        groups=found.groups,
        budget_fen=found.budget_fen,
        starts_on=starts_on,
        ends_on=ends_on,
        content=found.approach,
        by=by,
    )
    found.status = Idea.Status.LAUNCHED
    found.save(update_fields=["project", "status"])
    _note(found, by, Act.INCUBATE, "launch", f"启动为项目 {found.project.number}")
    return found


@transaction.atomic
def make_brand(number: str, *, results: str, by: User) -> Idea:
    """Name a launched project a brand, with what it achieved for everybody to read (品牌项目)."""
    take_turn()
    found = idea_of(number, by=by)
    require(by, Act.REVIEW_IDEA, region_code=found.organisation.region_code)
    if found.status != Idea.Status.LAUNCHED:
        raise StepRefused("项目启动之后才能成为品牌项目。", "A project is launched before it is a brand.")
    found.results = public_words(results, "成果", 10)
    found.brand_since = found.brand_since or timezone.localdate()
    found.save(update_fields=["results", "brand_since"])
    _note(found, by, Act.REVIEW_IDEA, "brand", "列为品牌项目")
    return found


def public_brands() -> QuerySet[Idea]:
    """Brand projects with their results, for everybody."""
    return (
        Idea.objects.exclude(brand_since=None)
        .select_related("organisation", "project")
        .order_by("-brand_since")
    )


# ---- support and honours ----------------------------------------------------------------------------------------


def supports(*, by: User) -> QuerySet[Support]:
    """Support that ``by`` may see, newest first."""
    found = visible(Support.objects.all(), by, Act.VIEW_VENTURES).select_related("organisation")
    return found


@transaction.atomic
def propose_support(
    *, code: str, kind: str, year: int, amount_fen: int, ground: str, rules: GivingRules, by: User
) -> Support:
    """Propose a subsidy, reward, premises or fee reduction, within the pack's yearly limit (提出支持激励)."""
    take_turn()
    require(by, Act.SUPPORT_CHARITY, region_code=by.region_code)
    body = organisation(code, by=by)
    if kind not in rules.support or amount_fen < 0 or not 2000 <= year <= timezone.localdate().year + 1:
        raise StepRefused("请选择种类并填写年度和金额。", "Choose the kind, the year and the sum.")
    most = rules.support[kind].yearly_fen
    standing = body.support.filter(kind=kind, year=year).exclude(status=Support.Status.REFUSED)
    spent = int(standing.aggregate(total=Sum("amount_fen"))["total"] or 0)
    if amount_fen > most - spent:
        raise StepRefused(
            f"“{rules.support[kind].label}”每年最高 {show_yuan(most)}，今年还可 {show_yuan(max(0, most - spent))}。",
            f"At most {show_yuan(max(0, most - spent))} more this year.",
            code="over_yearly",
        )
    made = Support.objects.create(
        number=numbered(Support, "ZC", timezone.localdate()),
        organisation=body,
        kind=kind,
        year=year,
        amount_fen=amount_fen,
        ground=reasoned(ground, "事由", "the ground"),
        proposed_by=by.username,
    )
    _log(body, by, Act.SUPPORT_CHARITY, step="propose", kind=kind, amount_fen=amount_fen)
    return made


@transaction.atomic
def decide_support(number: str, *, approve: bool, document: str, by: User) -> Support:
    """The director decides on proposed support by a document (决定)."""
    take_turn()
    found = supports(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到支持 {number}。", f"No support {number} for you.")
    require(by, Act.DECIDE_VENTURE, region_code=found.organisation.region_code)
    if found.status != Support.Status.PROPOSED:
        raise StepRefused("已经决定。", "It is decided already.")
    another(by, found.proposed_by)
    found.status = Support.Status.APPROVED if approve else Support.Status.REFUSED
    found.document = reasoned(document, "文号或理由", "the document or the ground", 2)
    found.decided_by = by.username
    found.save()
    _log(found.organisation, by, Act.DECIDE_VENTURE, step="decide", approve=approve)
    return found


@transaction.atomic
def record_honour(*, code: str, title: str, year: int, issuer: str, by: User, document: str = "") -> Honour:
    """Enter an honour of a charity (登记荣誉); the same one again is the one that is there."""
    take_turn()
    require(by, Act.SUPPORT_CHARITY, region_code=by.region_code)
    body = organisation(code, by=by)
    title = reasoned(title, "荣誉", "the honour", 2)
    again = Honour.objects.filter(organisation=body, title=title, year=year).first()
    if again is not None:
        return again
    if not 1990 <= year <= timezone.localdate().year:
        raise StepRefused("年度不对。", "The year is not right.")
    made = Honour.objects.create(
        organisation=body,
        title=title,
        year=year,
        issuer=reasoned(issuer, "授予单位", "who gave it", 2),
        document=document.strip(),
        recorded_by=by.username,
    )
    _log(body, by, Act.SUPPORT_CHARITY, step="honour")
    return made


def honours() -> QuerySet[Honour]:
    """Honours, for everybody."""
    return Honour.objects.select_related("organisation")


def _note(idea: Idea, by: User, act: Act, kind: str, text: str) -> None:
    IdeaLine.write(by=by, kind=kind, text=text, idea=idea)
    record(
        by=by,
        act=act,
        subject=f"idea:{idea.number}",
        region_code=idea.organisation.region_code,
        detail={"step": kind},
    )


def _log(body: Organisation, by: User, act: Act, **detail: Any) -> None:
    record(by=by, act=act, subject=f"organisation:{body.code}", region_code=body.region_code, detail=detail)
