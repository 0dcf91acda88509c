"""Shifts and what became of them (班次): signing up, coming and going, and the two confirmations that make hours count."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.numbers import next_number
from doudi.contexts.meals.points import counted_on, earn
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.contexts.meals.volunteer_models import Service, Shift, Volunteer
from doudi.contexts.meals.volunteer_register import VolunteerNotFound, insured, own_places, trained
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.packs.food_safety import FoodSafety
from doudi.engine.packs.volunteers import VolunteerRules

EARLY = timedelta(minutes=60)
"""How long before a shift one may sign in; what counts begins with the shift."""
LATE = timedelta(hours=4)
"""How long after a shift one may sign out."""


@transaction.atomic
def make_shift(
    place: Site,
    *,
    token: str,
    post: str,
    starts_at: datetime,
    ends_at: datetime,
    places: int,
    receiver_name: str,
    rules: VolunteerRules,
    by: User,
    receiver: Diner | None = None,
) -> Shift:
    """Plan a shift (排班). ``receiver_name`` is who is served, or who speaks for the diners; ``token`` names the form."""
    require_at(by, Act.MANAGE_VOLUNTEERS, place)
    take_turn()
    again = Shift.objects.filter(token=token).first()
    if again is not None:
        return again
    hours = (ends_at - starts_at).total_seconds() / 3600
    if post not in rules.posts or not 0 < hours <= 12 or not 1 <= places <= 50:
        raise StepRefused(
            "请选择岗位；班次长不超过 12 小时，人数 1 到 50。",
            "Choose the post; a shift has at most 12 hours and 1 to 50 places.",
        )
    if not receiver_name.strip():
        raise StepRefused(
            "请填写受助人或就餐老人代表，服务要由其确认。", "Name who is served: that person confirms it."
        )
    kept = Shift.objects.create(
        number=next_number(Shift, "BC", timezone.localdate(starts_at)),
        token=token,
        site=place,
        post=post,
        day=timezone.localdate(starts_at),
        starts_at=starts_at,
        ends_at=ends_at,
        places=places,
        receiver=receiver,
        receiver_name=receiver_name.strip(),
        made_by=by.username,
    )
    record(by=by, act="make_shift", subject=f"shift:{kept.number}", region_code=place.region_code)
    return kept


def served_diner(place: Site, number: str) -> Diner:
    """The diner of a place by number, for a caller that may plan its shifts."""
    found = Diner.objects.filter(site=place, number=number).first()
    if found is None:
        raise VolunteerNotFound(f"本点没有编号为 {number} 的助餐老人。", f"No diner {number} at this place.")
    return found


def shifts(*, by: User, since: date | None = None) -> QuerySet[Shift]:
    """Shifts of the account's places from a day on, earliest first; without those that serve kin alone."""
    found = registry.but_own(
        _shifts_inside(by), by=by, household="receiver__household_no", blind="receiver__id_blind"
    )
    return found.filter(day__gte=since) if since else found


def _shifts_inside(by: User) -> QuerySet[Shift]:
    scope = require(by, Act.VIEW_VOLUNTEERS)
    return Shift.objects.filter(reach(scope, by, "site__"), cancelled_at=None).select_related("site")


def shift(number: str, *, by: User) -> Shift:
    """One shift that ``by`` may see."""
    found = _shifts_inside(by).filter(number=number).select_related("receiver").first()
    if found is None:
        raise VolunteerNotFound(f"没有找到班次 {number}。", f"No shift {number} for you.")
    _not_kins(found, by)
    return found


def _not_kins(shift: Shift, by: User) -> None:
    if shift.receiver is not None:
        registry.refuse_own_record(
            f"shift:{shift.number}",
            by=by,
            household_no=shift.receiver.household_no,
            blind=shift.receiver.id_blind,
        )


def services(*, by: User, state: str = "") -> QuerySet[Service]:
    """Services of the account's places but those by or for kin, newest first; a volunteer sees the own ones."""
    found = _services_inside(by)
    if by.role != Role.VOLUNTEER:
        found = registry.but_own(found, by=by, blind="volunteer__id_blind")
        found = registry.but_own(
            found, by=by, household="shift__receiver__household_no", blind="shift__receiver__id_blind"
        )
    return found.filter(state=state) if state else found


def _services_inside(by: User) -> QuerySet[Service]:
    scope = require(by, Act.VIEW_VOLUNTEERS)
    found = Service.objects.select_related("shift__site", "volunteer")
    own = by.role == Role.VOLUNTEER
    return found.filter(Q(volunteer__account=by.username) if own else reach(scope, by, "shift__site__"))


def _service(pk: int, by: User) -> Service:
    found = _services_inside(by).select_related("shift__receiver").filter(pk=pk).first()
    if found is None:
        raise VolunteerNotFound("没有找到这条服务记录。", "No such service for you.")
    if by.role != Role.VOLUNTEER:
        registry.refuse_own_record(
            f"volunteer:{found.volunteer.number}", by=by, blind=found.volunteer.id_blind
        )
        _not_kins(found.shift, by)
    return found


def _note(service: Service, act: str, by: User, **detail: object) -> None:
    record(
        by=by,
        act=act,
        subject=f"shift:{service.shift.number}",
        region_code=service.shift.site.region_code,
        detail={"volunteer": service.volunteer.number, **detail},
    )


def _may_act_for(person: Volunteer, place: Site, by: User) -> None:
    """A volunteer acts for oneself at the places of the own organisation; the place's desk acts for anybody there."""
    if by.role == Role.VOLUNTEER:
        require(by, Act.SERVE_SHIFT, region_code=place.region_code)
        if person.account != by.username or not own_places(by).filter(pk=place.pk).exists():
            raise VolunteerNotFound("没有找到这个班次。", "No such shift for you.")
    else:
        require_at(by, Act.MANAGE_VOLUNTEERS, place)


@transaction.atomic
def sign_up(number: str, person: Volunteer, *, rules: VolunteerRules, by: User) -> Service:
    """Sign a volunteer up for a shift; twice is once.

    Dangerous work asks for an accident insurance that covers the day, some for a training (志愿服务条例 art.16, 17). A
    full shift, and one at the same time as another of the same person, is refused.
    """
    take_turn()
    found = shift(number, by=by)
    _may_act_for(person, found.site, by)
    there = found.services.filter(volunteer=person).exclude(state=Service.State.CANCELLED).first()
    if there is not None:
        return there
    if not person.serves or person.left_on is not None or person.died_on is not None:
        raise StepRefused("这名志愿者已退出或不参加服务。", "This volunteer does not serve any more.")
    if timezone.now() >= found.ends_at:
        raise StepRefused("班次已结束。", "The shift is over.")
    post = rules.posts[found.post]
    if post.insured and not insured(person, found.day):
        raise StepRefused(
            f"“{post.label}”须先买意外保险，{person.name} 在 {found.day} 没有保险。请先登记保单。",
            f"{post.label_en} asks for an accident insurance on {found.day}; register the policy first.",
            code="not_insured",
        )
    if post.trained and not trained(person, found.day):
        raise StepRefused(
            f"“{post.label}”须先培训。请先登记培训。",
            f"{post.label_en} asks for a training.",
            code="not_trained",
        )
    if found.services.exclude(state=Service.State.CANCELLED).count() >= found.places:
        raise StepRefused("这个班次已报满，请选别的班次。", "The shift is full.", code="shift_full")
    clash = person.services.filter(
        shift__starts_at__lt=found.ends_at, shift__ends_at__gt=found.starts_at, shift__cancelled_at=None
    ).exclude(state__in=(Service.State.CANCELLED, Service.State.NO_SHOW))
    if clash.exists():
        raise StepRefused("同一时间已有别的班次。", "There is another shift at that time.")
    kept = Service.objects.create(shift=found, volunteer=person, state=Service.State.SIGNED_UP)
    _note(kept, "sign_up", by)
    return kept


@transaction.atomic
def cancel(pk: int, *, by: User) -> Service:
    """Take a place in a shift back, before it begins."""
    take_turn()
    service = _service(pk, by)
    _may_act_for(service.volunteer, service.shift.site, by)
    if service.state == Service.State.CANCELLED:
        return service
    if service.state != Service.State.SIGNED_UP or timezone.now() >= service.shift.starts_at:
        raise StepRefused("班次已开始，不能取消。", "The shift has begun.")
    service.state = Service.State.CANCELLED
    service.save(update_fields=["state"])
    _note(service, "cancel_service", by)
    return service


@transaction.atomic
def sign_in(pk: int, *, by: User, at: datetime | None = None) -> Service:
    """Come to a shift (签到); twice is once. From an hour before it begins until it ends."""
    take_turn()
    service = _service(pk, by)
    _may_act_for(service.volunteer, service.shift.site, by)
    if service.state in (Service.State.IN, Service.State.OUT):
        return service
    now = _moment(at, by)
    if service.state not in (Service.State.SIGNED_UP, Service.State.NO_SHOW):
        raise StepRefused("这条报名已取消或已办完。", "This place was cancelled or is done.")
    if not service.shift.starts_at - EARLY <= now <= service.shift.ends_at:
        raise StepRefused(
            "只能在班次开始前一小时到结束之间签到。", "Sign in from an hour before the shift until it ends."
        )
    service.state, service.in_at = Service.State.IN, now
    service.save(update_fields=["state", "in_at"])
    _note(service, "come_to_shift", by)
    return service


@transaction.atomic
def sign_out(pk: int, *, by: User, at: datetime | None = None) -> Service:
    """Leave (签退); what counts is the time within the shift. Twice is once."""
    take_turn()
    service = _service(pk, by)
    _may_act_for(service.volunteer, service.shift.site, by)
    if service.state == Service.State.OUT:
        return service
    now = _moment(at, by)
    if service.state != Service.State.IN or service.in_at is None or now < service.in_at:
        raise StepRefused("请先签到。", "Sign in first.")
    if now > service.shift.ends_at + LATE:
        raise StepRefused(
            "已过签退时间，请由助餐点登记签退。" if at is None else "签退时间太晚。",
            "It is too late to sign out.",
        )
    began, ended = max(service.in_at, service.shift.starts_at), min(now, service.shift.ends_at)
    service.state, service.out_at = Service.State.OUT, now
    service.minutes = max(0, int((ended - began).total_seconds() // 60))
    service.save(update_fields=["state", "out_at", "minutes"])
    _note(service, "leave_shift", by, minutes=service.minutes)
    return service


def _moment(at: datetime | None, by: User) -> datetime:
    """Now; the desk may enter an earlier moment from a paper list, a volunteer may not."""
    now = timezone.now()
    if at is None or by.role == Role.VOLUNTEER:
        return now
    if at > now:
        raise StepRefused("时间不能在将来。", "The time cannot lie in the future.")
    return at


@transaction.atomic
def close_shift(number: str, *, rules: VolunteerRules, by: User) -> int:
    """Mark those who signed up and did not come as absent (未到); gives how many. After the pack's minutes alone."""
    take_turn()
    found = shift(number, by=by)
    require_at(by, Act.CONFIRM_SERVICE, found.site)
    if timezone.now() < found.starts_at + timedelta(minutes=rules.late_minutes):
        raise StepRefused(
            f"班次开始 {rules.late_minutes} 分钟后才能记未到。",
            f"Absences are marked {rules.late_minutes} minutes after the shift began.",
        )
    absent = found.services.filter(state=Service.State.SIGNED_UP).update(state=Service.State.NO_SHOW)
    if absent:
        record(
            by=by,
            act="close_shift",
            subject=f"shift:{number}",
            region_code=found.site.region_code,
            detail={"absent": absent},
        )
    return absent


# ---- two confirmations -------------------------------------------------------------------------------------------


@transaction.atomic
def confirm_by_site(
    pk: int, *, rules: VolunteerRules, by: User, minutes: int | None = None, refuse: str = ""
) -> Service:
    """The place confirms a service, with no more minutes than were worked, or refuses it with a reason.

    Nobody confirms oneself: the account of the volunteer is refused, whatever its role.
    """
    take_turn()
    service = _service(pk, by)
    require_at(by, Act.CONFIRM_SERVICE, service.shift.site)
    _not_oneself(service, by)
    if service.site_at is not None or service.state == Service.State.REFUSED:
        return service
    if service.state != Service.State.OUT:
        raise StepRefused("还没有签退。", "The volunteer has not signed out.")
    if refuse:
        service.state, service.refused_why = Service.State.REFUSED, refuse.strip()[:200]
        service.save(update_fields=["state", "refused_why"])
        _note(service, "refuse_service", by)
        return service
    if minutes is not None and not 0 < minutes <= service.minutes:
        raise StepRefused(
            f"确认的时间不能超过签到签退之间的 {service.minutes} 分钟。",
            f"No more than the {service.minutes} minutes that were worked.",
        )
    service.minutes = service.minutes if minutes is None else minutes
    service.site_by, service.site_at = by.username, timezone.now()
    service.save(update_fields=["minutes", "site_by", "site_at"])
    _note(service, "confirm_by_site", by, minutes=service.minutes)
    return _settle(service, rules, by)


@transaction.atomic
def confirm_by_call(pk: int, *, rules: VolunteerRules, by: User) -> Service:
    """The township or county asked the receiver, who confirmed (电话回访); never the place, never the volunteer."""
    take_turn()
    service = _service(pk, by)
    require_at(by, Act.CONFIRM_RECEIPT, service.shift.site)
    _not_oneself(service, by)
    if service.site_by == by.username:
        raise StepRefused(
            "双方确认不能由同一人办理。", "One person does not confirm for both.", code="same_person"
        )
    return _confirm_receipt(service, "call", by, rules)


def confirm_by_code(
    shift_number: str, meal_code: str, *, rules: VolunteerRules, limits: FoodSafety, address: str = ""
) -> int:
    """The receiver confirms on the public page, by the shift's number and the own meal code; gives how many services.

    Every try counts against the address, so that codes cannot be tried out.
    """
    with transaction.atomic():
        take_turn()
        monitoring.let_through("receipt", address, limits.per_address, minutes=limits.window_minutes)
    return _confirm_by_code(shift_number.strip().upper(), meal_code.strip(), rules)


@transaction.atomic
def _confirm_by_code(shift_number: str, meal_code: str, rules: VolunteerRules) -> int:
    take_turn()
    found = (
        Shift.objects.select_related("site", "receiver")
        .filter(number=shift_number, receiver__code=meal_code, cancelled_at=None)
        .first()
    )
    if found is None:
        raise StepRefused(
            "班次号或取餐码不对，请对照服务单再输入。", "Shift or meal code is wrong; look at the slip again."
        )
    done = 0
    waiting = found.services.filter(receiver_at=None, state=Service.State.OUT).select_related(
        "shift__site", "volunteer"
    )
    for service in waiting:
        _confirm_receipt(service, "code", monitoring.passer_by(), rules)
        done += 1
    return done


def _confirm_receipt(service: Service, how: str, by: User, rules: VolunteerRules) -> Service:
    if service.receiver_at is not None:
        return service
    if service.state != Service.State.OUT:
        raise StepRefused("这次服务还没有签退，或未获确认。", "The service is not over, or was refused.")
    service.receiver_by, service.receiver_how = by.username, how
    service.receiver_at = timezone.now()
    service.save(update_fields=["receiver_by", "receiver_how", "receiver_at"])
    _note(service, "confirm_receipt", by, how=how)
    return _settle(service, rules, by)


def _not_oneself(service: Service, by: User) -> None:
    if service.volunteer.account and service.volunteer.account == by.username:
        raise StepRefused(
            "志愿者不能确认自己的服务。", "Nobody confirms the own service.", code="same_person"
        )


def _settle(service: Service, rules: VolunteerRules, by: User) -> Service:
    """Once both sides confirmed, the service counts and earns its points within the day's cap."""
    if service.site_at is None or service.receiver_at is None:
        return service
    already = counted_on(service.volunteer, service.shift.day)
    points, counted = rules.points(service.minutes, counted_today=already)
    service.state, service.counted = Service.State.CONFIRMED, counted
    service.save(update_fields=["state", "counted"])
    earn(service, points=points, expires_on=rules.expires_on(service.shift.day), by=by)
    return service


def to_confirm(*, by: User) -> QuerySet[Service]:
    """Services that wait for this account's confirmation."""
    found = services(by=by, state=Service.State.OUT)
    if by.role == Role.CANTEEN:
        return found.filter(site_at=None)
    return found.filter(receiver_at=None)


def open_for(person: Volunteer, *, by: User) -> QuerySet[Shift]:
    """Shifts from today on that a volunteer could still sign up for."""
    taken = person.services.exclude(state=Service.State.CANCELLED).values("shift")
    mine = Q(site__in=own_places(by)) if by.role == Role.VOLUNTEER else Q(site=person.site)
    return (
        shifts(by=by, since=timezone.localdate())
        .filter(mine, ends_at__gt=timezone.now())
        .exclude(pk__in=taken)
    )
