"""Who serves (志愿者登记): register, training, insurance, groups of neighbours, and the certificate of what was done."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, account, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, own, reach, require_at
from doudi.contexts.meals.volunteer_models import (
    GroupMember,
    MutualGroup,
    Service,
    Volunteer,
    VolunteerInsurance,
    VolunteerRecord,
)
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.documents import Paper, table, text, to_pdf
from doudi.house.keyring import keyring


class VolunteerNotFound(DoudiError):
    """No such volunteer, shift or group that the asker may see."""

    code = "volunteer_not_found"


def _blind(id_number: str) -> bytes:
    return keyring().digest(id_number, purpose="volunteer.id_number")


@transaction.atomic
def register_volunteer(
    place: Site,
    *,
    name: str,
    id_number: str,
    by: User,
    phone: str = "",
    username: str = "",
    serves: bool = True,
    registered_on: date | None = None,
) -> Volunteer:
    """Register a volunteer, or a relative who only receives points; the same person again is the one who is there.

    ``username`` is the person's own log-in of the role volunteer at this organisation, where there is one.
    """
    require_at(by, Act.MANAGE_VOLUNTEERS, place)
    take_turn()
    reading = identity.read_id(id_number.strip())
    number = reading.number
    if not name.strip() or number is None:
        raise StepRefused("请填写姓名和正确的身份证号。", "Give the name and a valid ID number.")
    there = Volunteer.objects.filter(id_blind=_blind(number)).select_related("site").first()
    if there is not None:
        require_at(by, Act.MANAGE_VOLUNTEERS, there.site)
        return there
    if username:
        login = account(username)
        if login.role != Role.VOLUNTEER or login.organisation not in (place.code, place.organisation):
            raise StepRefused(
                f"账号“{username}”不是本机构的志愿者账号。",
                f"{username!r} is no volunteer's account of this place.",
            )
    kept = Volunteer.objects.create(
        number=next_number(Volunteer, "ZY", timezone.localdate()),
        account=username,
        name=name.strip(),
        id_number=number,
        id_blind=_blind(number),
        phone=phone.strip(),
        site=place,
        serves=serves,
        registered_on=registered_on or timezone.localdate(),
        registered_by=by.username,
    )
    record(
        by=by,
        act="register_volunteer",
        subject=f"volunteer:{kept.number}",
        region_code=place.region_code,
        detail={"site": place.code, "serves": serves},
    )
    return kept


def volunteers(*, by: User) -> QuerySet[Volunteer]:
    """The volunteers of the account's places but kin; a volunteer's own account sees itself alone."""
    return (
        registry.but_own(_inside(by), by=by, blind="id_blind") if by.role != Role.VOLUNTEER else _inside(by)
    )


def _inside(by: User) -> QuerySet[Volunteer]:
    scope = require(by, Act.VIEW_VOLUNTEERS)
    found = Volunteer.objects.select_related("site", "heir")
    if by.role == Role.VOLUNTEER:
        return found.filter(account=by.username)
    return found.filter(reach(scope, by, "site__"))


def volunteer(number: str, *, by: User) -> Volunteer:
    """One volunteer, the look in the audit log unless it is one's own."""
    found = _inside(by).filter(number=number).first()
    if found is None:
        raise VolunteerNotFound(f"没有找到志愿者 {number}。", f"No volunteer {number} for you.")
    if found.account != by.username:
        registry.refuse_own_record(f"volunteer:{number}", by=by, blind=found.id_blind)
        record(
            by=by,
            act="look_at_volunteer",
            subject=f"volunteer:{number}",
            region_code=found.site.region_code,
        )
    return found


def myself(by: User) -> Volunteer | None:
    """The volunteer whose own account this is."""
    return (
        Volunteer.objects.select_related("site", "heir")
        .filter(account=by.username)
        .exclude(account="")
        .first()
    )


def receiver(number: str, *, by: User) -> Volunteer:
    """Somebody of the county who may receive points, by number; no more is told of the person than that."""
    require(by, Act.VIEW_VOLUNTEERS)
    found = Volunteer.objects.filter(
        number=number, site__region_code__startswith=by.region_code[:6], died_on=None
    ).first()
    if found is None:
        raise VolunteerNotFound(f"没有编号为 {number} 的志愿者。", f"No volunteer {number}.")
    return found


def point_site(code: str, person: Volunteer) -> Site:
    """A place of the person's county where points can be used, by its code."""
    found = (
        Site.objects.filter(code=code.strip(), region_code__startswith=person.site.region_code[:6])
        .exclude(state__in=(Site.State.PLANNED, Site.State.CLOSED))
        .first()
    )
    if found is None:
        raise StepRefused(f"本县没有助餐点 {code}。", f"No meal place {code} in the county.")
    return found


def require_self_or_desk(by: User, act: Act, person: Volunteer) -> None:
    """An act on a volunteer's own points: by the person's own account, or by the desk of the place."""
    require_at(by, act, person.site)
    if by.role == Role.VOLUNTEER and person.account != by.username:
        raise VolunteerNotFound(f"没有找到志愿者 {person.number}。", f"No volunteer {person.number} for you.")


@transaction.atomic
def keep_record(
    person: Volunteer, *, kind: str, title: str, on: date, by: User, minutes: int = 0
) -> VolunteerRecord:
    """Register a training, an honour or an evaluation; the same again is one."""
    require_at(by, Act.MANAGE_VOLUNTEERS, person.site)
    take_turn()
    if kind not in VolunteerRecord.Kind.values or not title.strip() or on > timezone.localdate():
        raise StepRefused(
            "请选择种类、写明内容，日期不能在今天之后。", "Choose the kind and say what, not after today."
        )
    there = person.records.filter(kind=kind, title=title.strip(), on=on).first()
    if there is not None:
        return there
    kept = VolunteerRecord.objects.create(
        volunteer=person, kind=kind, title=title.strip(), on=on, minutes=minutes, recorded_by=by.username
    )
    record(
        by=by,
        act="keep_volunteer_record",
        subject=f"volunteer:{person.number}",
        region_code=person.site.region_code,
        detail={"kind": kind},
    )
    return kept


@transaction.atomic
def insure(
    person: Volunteer, *, policy_no: str, insurer: str, from_on: date, until_on: date, by: User
) -> VolunteerInsurance:
    """Register an accident insurance (志愿服务条例 art.17); the same policy again is one."""
    require_at(by, Act.MANAGE_VOLUNTEERS, person.site)
    take_turn()
    if not policy_no.strip() or not insurer.strip() or until_on < from_on:
        raise StepRefused("请填写保单号、保险公司和起止日期。", "Give policy, insurer and from when to when.")
    there = person.insurances.filter(policy_no=policy_no.strip()).first()
    if there is not None:
        return there
    kept = VolunteerInsurance.objects.create(
        volunteer=person,
        policy_no=policy_no.strip(),
        insurer=insurer.strip(),
        from_on=from_on,
        until_on=until_on,
        recorded_by=by.username,
    )
    record(
        by=by,
        act="insure_volunteer",
        subject=f"volunteer:{person.number}",
        region_code=person.site.region_code,
        detail={"until": until_on},
    )
    return kept


def insured(person: Volunteer, on: date) -> bool:
    """Whether an accident insurance covers a day."""
    return person.insurances.filter(from_on__lte=on, until_on__gte=on).exists()


def trained(person: Volunteer, on: date) -> bool:
    """Whether the volunteer was trained by a day."""
    return person.records.filter(kind=VolunteerRecord.Kind.TRAINING, on__lte=on).exists()


@transaction.atomic
def name_heir(person: Volunteer, heir: Volunteer | None, *, by: User) -> Volunteer:
    """Say who gets the points that are left at death; None: the public pool."""
    require_self_or_desk(by, Act.USE_POINTS, person)
    take_turn()
    if heir is not None and heir.pk == person.pk:
        raise StepRefused("继承人不能是本人。", "Nobody is one's own heir.")
    Volunteer.objects.filter(pk=person.pk).update(heir=heir)
    person.refresh_from_db()
    record(by=by, act="name_heir", subject=f"volunteer:{person.number}", region_code=person.site.region_code)
    return person


# ---- groups of neighbours ----------------------------------------------------------------------------------------


@transaction.atomic
def form_group(place: Site, *, name: str, leader: Volunteer, formed_on: date, by: User) -> MutualGroup:
    """Form a group of neighbours who help one another; its leader is its first member. The same name again is one."""
    require_at(by, Act.MANAGE_VOLUNTEERS, place)
    take_turn()
    if not name.strip() or leader.site_id != place.pk:
        raise StepRefused(
            "请填写名称，组长应是本点的志愿者。", "Give a name; the leader volunteers at this place."
        )
    group, new = MutualGroup.objects.get_or_create(
        site=place,
        name=name.strip(),
        defaults={
            "number": next_number(MutualGroup, "HZ", timezone.localdate()),
            "leader": leader,
            "formed_on": formed_on,
        },
    )
    if new:
        GroupMember.objects.create(group=group, volunteer=leader, joined_on=formed_on)
        record(by=by, act="form_group", subject=f"group:{group.number}", region_code=place.region_code)
    return group


@transaction.atomic
def join_group(
    group: MutualGroup, *, on: date, by: User, helper: Volunteer | None = None, diner: Diner | None = None
) -> GroupMember:
    """Take a volunteer, or a diner who is helped, into a group; twice is once."""
    require_at(by, Act.MANAGE_VOLUNTEERS, group.site)
    take_turn()
    if (helper is None) == (diner is None) or group.dissolved_on is not None:
        raise StepRefused("请选择一名志愿者或一位助餐老人。", "Choose one volunteer or one diner.")
    there = group.members.filter(volunteer=helper, diner=diner, left_on=None).first()
    if there is not None:
        return there
    kept = GroupMember.objects.create(group=group, volunteer=helper, diner=diner, joined_on=on)
    record(by=by, act="join_group", subject=f"group:{group.number}", region_code=group.site.region_code)
    return kept


@transaction.atomic
def leave_group(pk: int, *, on: date, by: User) -> GroupMember:
    """Somebody leaves a group."""
    member = GroupMember.objects.select_related("group__site").filter(pk=pk).first()
    if member is None:
        raise VolunteerNotFound("没有这名组员。", "No such member.")
    require_at(by, Act.MANAGE_VOLUNTEERS, member.group.site)
    if GroupMember.objects.filter(pk=pk, left_on=None).update(left_on=on):
        record(
            by=by,
            act="leave_group",
            subject=f"group:{member.group.number}",
            region_code=member.group.site.region_code,
        )
    member.refresh_from_db()
    return member


def groups(*, by: User) -> QuerySet[MutualGroup]:
    """The groups of the account's places; a volunteer sees the own ones."""
    scope = require(by, Act.VIEW_VOLUNTEERS)
    found = MutualGroup.objects.filter(dissolved_on=None).select_related("site", "leader")
    if by.role == Role.VOLUNTEER:
        return found.filter(members__volunteer__account=by.username, members__left_on=None).distinct()
    return found.filter(reach(scope, by, "site__"))


def group(number: str, *, by: User) -> MutualGroup:
    """One group that ``by`` may see."""
    found = groups(by=by).filter(number=number).first()
    if found is None:
        raise VolunteerNotFound(f"没有找到互助小组 {number}。", f"No group {number} for you.")
    return found


def members(group: MutualGroup, *, by: User) -> QuerySet[GroupMember]:
    """Who belongs to a group today, but kin; helpers see all whom they help."""
    found = group.members.filter(left_on=None).select_related("volunteer", "diner")
    if by.role == Role.VOLUNTEER:
        return found
    found = registry.but_own(found, by=by, blind="volunteer__id_blind")
    return registry.but_own(found, by=by, household="diner__household_no", blind="diner__id_blind")


# ---- the certificate ---------------------------------------------------------------------------------------------


def figures(person: Volunteer) -> dict[str, int]:
    """What a volunteer did: confirmed services and minutes, and how often nobody came."""
    counted = person.services.aggregate(
        services=Count("pk", filter=Q(state=Service.State.CONFIRMED)),
        minutes=Sum("minutes", filter=Q(state=Service.State.CONFIRMED), default=0),
        no_shows=Count("pk", filter=Q(state=Service.State.NO_SHOW)),
    )
    return {name: int(value or 0) for name, value in counted.items()}


@transaction.atomic
def certificate(number: str, *, by: User) -> bytes:
    """The certificate of volunteer service (志愿服务记录证明) as PDF: free, on request, confirmed services alone (art.21)."""
    person = volunteer(number, by=by)
    done = person.services.filter(state=Service.State.CONFIRMED).select_related("shift__site")
    minutes = figures(person)["minutes"]
    rows: list[tuple[str, ...]] = [
        (f"{one.shift.day}", one.shift.site.name, f"{one.minutes // 60}小时{one.minutes % 60}分")
        for one in done.order_by("shift__starts_at")
    ]
    paper = Paper(
        title="志愿服务记录证明",
        subtitle=person.number,
        blocks=(
            text(
                f"兹证明 {person.name}（证件号 {identity.mask_id(person.id_number)}）自 {person.registered_on} 起在"
                f"{person.site.name}从事老年助餐志愿服务，经助餐点和受助方双方确认的服务共 {len(rows)} 次，"
                f"合计 {minutes // 60} 小时 {minutes % 60} 分钟。"
            ),
            table(("日期", "服务地点", "时长"), rows or [("—", "—", "—")]),
        ),
        foot=(
            person.site.operator or person.site.name,
            f"{timezone.localdate()}",
            "依据：志愿服务条例，免费出具",
        ),
    )
    record(
        by=by,
        act="volunteer_certificate",
        subject=f"volunteer:{number}",
        region_code=person.site.region_code,
        detail={"digest": paper.digest},
    )
    return to_pdf(paper)


def own_places(by: User) -> QuerySet[Site]:
    """The places at which a volunteer's account serves."""
    return Site.objects.filter(own(by), region_code__startswith=by.region_code)
