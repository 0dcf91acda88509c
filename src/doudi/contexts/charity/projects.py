"""Charity projects: what each is for, for whom, where, and who is tied to its donors and managers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.errors import ProjectNotFound, StepRefused
from doudi.contexts.charity.models import InterestedPerson, Project
from doudi.contexts.charity.organisations import own_organisation
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine import identity
from doudi.house.keyring import keyring


@transaction.atomic
def open_project(
    *,
    name: str,
    kinds: Sequence[str] = (),
    groups: Sequence[str] = (),
    regions: Sequence[str] = (),
    places: int | None = None,
    budget_fen: int | None = None,
    most_fen: int | None = None,
    starts_on: date,
    ends_on: date | None = None,
    donor_intent: str = "",
    content: str = "",
    by: User,
) -> Project:
    """Enter a project of the account's own body; the same name while one is open gives the one that is there."""
    require(by, Act.KEEP_PROJECTS)
    body = own_organisation(by)
    take_turn()
    name = name.strip()
    if len(name) < 2:
        raise StepRefused("请填写项目名称。", "Give the project a name.")
    standing = body.projects.filter(name=name, status=Project.Status.OPEN).first()
    if standing is not None:
        return standing
    if ends_on is not None and ends_on < starts_on:
        raise StepRefused("结束日期早于开始日期。", "The project ends before it starts.")
    for label, value in (("名额", places), ("预算", budget_fen), ("每户最高", most_fen)):
        if value is not None and value <= 0:
            raise StepRefused(
                f"{label}应大于零；不限请留空。", f"{label} is positive; leave it empty for no limit."
            )
    wrong = [code for code in regions if not code.isdigit() or len(code) not in (2, 4, 6, 9, 12)]
    if wrong:
        raise StepRefused(
            f"行政区划代码不对：{'、'.join(wrong)}。", f"No division codes: {', '.join(wrong)}."
        )
    today = timezone.localdate()
    earlier = Project.objects.filter(number__startswith=f"XM{today:%Y}").count()
    new = Project.objects.create(
        number=f"XM{today:%Y}-{earlier + 1:04d}",
        organisation=body,
        name=name,
        kinds=sorted(set(kinds)),
        groups=sorted(set(groups)),
        regions=sorted(set(regions)),
        places=places,
        budget_fen=budget_fen,
        most_fen=most_fen,
        starts_on=starts_on,
        ends_on=ends_on,
        donor_intent=donor_intent.strip(),
        content=content.strip(),
        made_by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_PROJECTS,
        subject=f"project:{new.number}",
        region_code=body.region_code,
        detail={"step": "open", "organisation": body.code, "budget_fen": budget_fen},
    )
    return new


def projects(*, by: User, status: str = "") -> QuerySet[Project]:
    """Projects of the account's area; a body's own account sees its own."""
    scope = require(by, Act.VIEW_PROJECTS)
    found = Project.objects.select_related("organisation")
    if scope is Scope.ORGANISATION:
        found = found.filter(organisation__code=by.organisation)
    elif by.region_code:
        found = found.filter(organisation__region_code__startswith=by.region_code[:6])
    return found.filter(status=status) if status else found


def project(number: str, *, by: User) -> Project:
    """One project that ``by`` may see, or :class:`ProjectNotFound`."""
    found = projects(by=by).filter(number=number).first()
    if found is None:
        raise ProjectNotFound(f"没有找到项目 {number}。", f"No project {number} for you.")
    return found


@transaction.atomic
def set_project_status(number: str, *, status: str, why: str, by: User) -> Project:
    """Pause, reopen or end a project; an ended one stays ended."""
    take_turn()
    found = project(number, by=by)
    require(by, Act.KEEP_PROJECTS, organisation=found.organisation.code)
    if status not in Project.Status.values:
        raise StepRefused("请选择状态。", "Choose a status.")
    if len(why.strip()) < 4:
        raise StepRefused("请写明理由（至少四个字）。", "State the reason (four characters or more).")
    if not (
        Project.objects.filter(pk=found.pk)
        .exclude(status__in=(Project.Status.ENDED, status))
        .update(status=status)
    ):
        raise StepRefused(
            f"项目现为“{found.get_status_display()}”，不能这样改。", f"The project is {found.status}."
        )
    record(
        by=by,
        act=Act.KEEP_PROJECTS,
        subject=f"project:{number}",
        region_code=found.organisation.region_code,
        reason=why,
        detail={"step": status},
    )
    found.refresh_from_db()
    return found


@transaction.atomic
def name_interested_person(
    number: str, *, name: str, id_number: str, tie: str, relation: str, by: User
) -> InterestedPerson:
    """Name a person tied to the donor or manager, who may not be helped by the project (利害关系人)."""
    take_turn()
    found = project(number, by=by)
    require(by, Act.KEEP_PROJECTS, organisation=found.organisation.code)
    right = identity.mend_id(id_number)
    if right is None:
        raise StepRefused("身份证号不对，请核对后重填。", "The ID is not valid; check it.", code="id_invalid")
    if tie not in InterestedPerson.Tie.values or not relation.strip() or not name.strip():
        raise StepRefused("请填写姓名、关系类别和关系。", "Give the name, the kind of tie and the relation.")
    named, new = InterestedPerson.objects.get_or_create(
        project=found,
        id_blind=keyring().digest(right, purpose=ID_PURPOSE),
        defaults={
            "name": name.strip(),
            "id_number": right,
            "tie": tie,
            "relation": relation.strip(),
            "entered_by": by.username,
        },
    )
    if new:
        record(
            by=by,
            act=Act.KEEP_PROJECTS,
            subject=f"project:{number}",
            region_code=found.organisation.region_code,
            detail={"step": "interested_person", "tie": tie},
        )
    return named


def barred(found: Project, blinds: Sequence[bytes]) -> bool:
    """Whether one of these people (blind indexes of their IDs) may not be helped by the project."""
    return InterestedPerson.objects.filter(project=found, id_blind__in=list(blinds)).exists()
