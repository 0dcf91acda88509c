"""Families that people tell of (主动发现): by a public form, or through the 12345 hotline; triage, and what came of it.

A report is a lead. A person reads it, says which household it is, and opens a warning, which then goes the way of all
warnings; or answers it. Who told hears how far it is, and nothing about the family.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, areas_of, record, require, take_turn
from doudi.contexts.monitoring.cases import StepRefused, note
from doudi.contexts.monitoring.joining import Noticed, open_or_join
from doudi.contexts.monitoring.models import (
    OPEN,
    REPORTED,
    FamilyReport,
    Knock,
    WarningCase,
)
from doudi.contexts.monitoring.whatif import HELPING
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import Handling
from doudi.engine.packs.outreach import Outreach
from doudi.house.keyring import keyring

CHANNELS = {
    "self": "本人或家人",
    "neighbour": "邻居亲友",
    "village": "村（社区）干部、网格员",
    "other": "其他",
    "hotline": "12345 热线",
}
"""Who told; the first four may be chosen on the public form."""
PUBLIC_CHANNELS = ("self", "neighbour", "village", "other")
MAX_TEXT = 1000
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_RECEIPT = 10
"""31^10 ≈ 2^49.5 codes: they cannot be guessed within the limit of looks."""


class TooMany(DoudiError):
    """The address or the device used the form too often within the window."""

    code = "too_many"
    retry = True


class ReportNotFound(DoudiError):
    """No such report in the asker's area, or no such receipt."""

    code = "report_not_found"


def passer_by() -> User:
    """The name that the log gives to who uses a public page; no account bears it."""
    return User(username="（公众）", display_name="公众", role="")


def served_counties() -> list[tuple[str, str]]:
    """The counties in which somebody triages reports: elsewhere a report would lie unread, so none is taken."""
    areas = areas_of(Role.COUNTY, Role.TOWNSHIP)
    return [
        (code, name)
        for code, name in registry.counties_taken_in()
        if any(area.startswith(code) or code.startswith(area) for area in areas)
    ]


# ---- taking in ---------------------------------------------------------------------------------------------------


@transaction.atomic
def take_report(
    *,
    token: str,
    channel: str,
    region_code: str,
    difficulty: str,
    text: str,
    rules: Outreach,
    family_name: str = "",
    place: str = "",
    contact: str = "",
    told: bool = False,
    address: str = "",
    device: str = "",
) -> FamilyReport:
    """Take a report of the public form in; the same form sent again is the same report.

    ``token`` names the form that was filled in; ``address`` and ``device`` are whom the limits count, kept as keyed
    digests for the window alone.
    """
    take_turn()
    again = FamilyReport.objects.filter(token=token).first()
    if again is not None:
        return again
    let_through("report", address, rules.per_address, minutes=rules.window_minutes)
    let_through("report", device and f"device:{device}", rules.per_device, minutes=rules.window_minutes)
    if channel not in PUBLIC_CHANNELS or difficulty not in rules.difficulties:
        raise StepRefused("请选择来源和困难类型。", "Choose who tells and what kind of difficulty.")
    if len(text.strip()) < 4 or len(text) > MAX_TEXT:
        raise StepRefused(
            f"请用几句话说明情况（4 到 {MAX_TEXT} 个字）。",
            f"Describe the situation in 4 to {MAX_TEXT} characters.",
        )
    if not (family_name.strip() or place.strip()):
        raise StepRefused(
            "请至少填写家庭姓名或住址中的一项，否则无法找到这户人家。",
            "Give at least the family's name or address, or it cannot be found.",
        )
    return _keep(
        by=passer_by(),
        token=token,
        channel=channel,
        region_code=region_code,
        difficulty=difficulty,
        family_name=family_name.strip(),
        place=place.strip(),
        text=text.strip(),
        contact=contact.strip(),
        told=told,
        said_at=timezone.now(),
    )


def let_through(what: str, who: str, most: int, *, minutes: int) -> None:
    """Count one use of a public form; beyond ``most`` within the window it is refused (:class:`TooMany`).

    In the database, so all workers count as one; ``what`` names the form in ten characters or fewer.
    """
    since = timezone.now() - timedelta(minutes=minutes)
    Knock.objects.filter(what=what, at__lt=since).delete()
    if not who:
        return
    digest = keyring().digest(who, purpose="public.knock")
    if Knock.objects.filter(who=digest, what=what, at__gte=since).count() >= most:
        raise TooMany(
            f"提交太频繁，请 {minutes} 分钟后再试；情况紧急请直接拨打 12345、110 或 120。",
            f"Too many uses; try again in {minutes} minutes. In an emergency call 12345, 110 or 120.",
        )
    Knock.objects.create(who=digest, what=what)


def _keep(*, by: User, **facts: Any) -> FamilyReport:
    today = timezone.localdate()
    prefix = f"XS{today:%Y%m%d}-"
    last = FamilyReport.objects.filter(number__startswith=prefix).aggregate(last=Max("number"))["last"]
    kept = FamilyReport.objects.create(
        number=f"{prefix}{int(last.rpartition('-')[2]) + 1 if last else 1:04d}",
        receipt="".join(secrets.choice(_ALPHABET) for _ in range(_RECEIPT)),
        **facts,
    )
    record(
        by=by,
        act="take_report",
        subject=f"report:{kept.number}",
        region_code=kept.region_code,
        detail={"channel": kept.channel, "difficulty": kept.difficulty},
    )
    return kept


@transaction.atomic
def take_hotline_report(
    *,
    hotline_no: str,
    said_at: datetime | None,
    region_code: str,
    text: str,
    rules: Outreach,
    by: User,
    family_name: str = "",
    place: str = "",
    contact: str = "",
) -> FamilyReport | None:
    """Take one work order (工单) of the hotline in; None where this number was taken in before."""
    require(by, Act.TRIAGE_REPORT, region_code=region_code)
    take_turn()
    if FamilyReport.objects.filter(hotline_no=hotline_no).exists():
        return None
    return _keep(
        by=by,
        token=secrets.token_hex(16),
        channel="hotline",
        hotline_no=hotline_no,
        region_code=region_code,
        difficulty=rules.hotline_difficulty,
        family_name=family_name,
        place=place,
        text=text[:MAX_TEXT],
        contact=contact,
        said_at=said_at or timezone.now(),
    )


# ---- who told asks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """What who told may know: how far it is, since when, and the office's answer."""

    step: str
    """``received``, ``waiting`` (a warning, nobody sent yet), ``sent``, ``helping``, ``done`` or ``answered``."""
    received_at: datetime
    answer: str


@transaction.atomic
def progress_of(receipt: str, *, rules: Outreach, address: str = "") -> Progress:
    """How far a report is, by its receipt code; wrong codes count against the address."""
    take_turn()
    let_through("look", address, rules.looks_per_address, minutes=rules.window_minutes)
    written = receipt.strip().upper().replace("-", "").replace(" ", "")
    report = FamilyReport.objects.select_related("case").filter(receipt=written).first()
    if report is None:
        # no exception here: it would undo the count
        return Progress("unknown", timezone.now(), "")
    return Progress(step_of(report), report.received_at, report.answer)


def step_of(report: FamilyReport) -> str:
    """How far a report is, for who told; see :class:`Progress`."""
    if report.status == FamilyReport.Status.NEW:
        return "received"
    if report.case is None:
        return "answered"
    return {
        WarningCase.Status.NEW: "waiting",
        WarningCase.Status.DISPATCHED: "sent",
        WarningCase.Status.VISITED: "helping",
    }.get(WarningCase.Status(report.case.status), "done")


# ---- triage ------------------------------------------------------------------------------------------------------


def reports(*, by: User, status: str = "", channel: str = "") -> QuerySet[FamilyReport]:
    """Reports of the account's area, the oldest that waits first."""
    require(by, Act.VIEW_REPORTS)
    found = FamilyReport.objects.select_related("case").filter(region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="case__household_no")
    if status and status != "all":
        found = found.filter(status=status)
    if channel:
        found = found.filter(channel=channel)
    return found.order_by("said_at", "pk") if status == FamilyReport.Status.NEW else found.order_by("-pk")


def report(number: str, *, by: User) -> FamilyReport:
    """One report within the asker's area, or :class:`ReportNotFound`."""
    require(by, Act.VIEW_REPORTS)
    found = (
        FamilyReport.objects.select_related("case")
        .filter(number=number, region_code__startswith=by.region_code)
        .first()
    )
    if found is None:
        raise ReportNotFound(
            f"没有找到线索 {number}，或不在您的辖区。", f"No report {number} in your area; check the number."
        )
    if found.case is not None:
        registry.refuse_own_file(found.case.household_no, by=by)
    return found


def reports_about(household_nos: Iterable[str]) -> list[str]:
    """The numbers of the reports that led to warnings of some households, for telling a person who looked."""
    found = FamilyReport.objects.filter(case__household_no__in=list(household_nos))
    return list(found.values_list("number", flat=True))


@transaction.atomic
def look_at_report(number: str, *, by: User) -> FamilyReport:
    """:func:`report` with what was said, and the look in the audit log."""
    found = report(number, by=by)
    record(by=by, act=Act.VIEW_REPORTS, subject=f"report:{found.number}", region_code=found.region_code)
    return found


@transaction.atomic
def open_from_report(
    found: FamilyReport,
    *,
    household: registry.Household | None,
    by: User,
    rules: Outreach,
    handling: Handling,
    ground: str = "",
) -> WarningCase:
    """Make a report a warning of ``household``, or of a family not on the register under a provisional number.

    A household that has an open warning keeps it: the report joins it, and can raise its level but never lower it.
    """
    region = household.responsible_region if household is not None else found.region_code
    require(by, Act.TRIAGE_REPORT, region_code=found.region_code)
    take_turn()
    found.refresh_from_db()
    if found.status != FamilyReport.Status.NEW:
        raise StepRefused(
            f"线索 {found.number} 已由他人处理（{found.get_status_display()}）。请刷新。",
            f"Report {found.number} was handled by somebody else; reload the page.",
        )
    kind = rules.difficulties.get(found.difficulty)
    level = kind.level if kind is not None else "yellow"
    household_no = household.household_no if household is not None else f"LS-{found.number}"
    case, kind_of_line = open_or_join(
        Noticed(
            number=found.number,
            source=WarningCase.Source.REPORT,
            household_no=household_no,
            provisional=household is None,
            head_name=household.head_name if household is not None else found.family_name,
            region_code=region,
            level=level,
            category=household.category if household is not None else "",
            signal=REPORTED,
        ),
        handling=handling,
    )
    label = kind.label if kind is not None else found.difficulty
    note(
        case,
        by=by,
        kind=kind_of_line,
        text=f"群众报告（线索 {found.number}，{CHANNELS[found.channel]}）：{label}。{ground.strip()}".strip(),
    )
    _settle(found, FamilyReport.Status.OPENED, by, ground=ground, case=case)
    record(
        by=by,
        act=Act.TRIAGE_REPORT,
        subject=f"household:{household_no}",
        region_code=region,
        detail={"report": found.number, "warning": case.number, "level": level},
    )
    return case


@transaction.atomic
def answer_report(found: FamilyReport, *, answer: str, ground: str = "", by: User) -> FamilyReport:
    """Answer who told; a report that waits is settled by it without a warning, which needs a ground."""
    require(by, Act.TRIAGE_REPORT, region_code=found.region_code)
    take_turn()
    found.refresh_from_db()
    if len(answer.strip()) < 4:
        raise StepRefused(
            "请写明答复（至少四个字，报告人会看到，不要写家庭的个人情况）。",
            "Write the answer (four characters or more; who told will read it, so nothing personal).",
        )
    if found.status == FamilyReport.Status.NEW:
        if len(ground.strip()) < 4:
            raise StepRefused(
                "不立预警须写明理由（至少四个字）。",
                "Not opening a warning needs a ground (four characters or more).",
            )
        _settle(found, FamilyReport.Status.ANSWERED, by, ground=ground, answer=answer.strip()[:300])
    else:
        FamilyReport.objects.filter(pk=found.pk).update(answer=answer.strip()[:300])
    record(
        by=by,
        act="answer_report",
        subject=f"report:{found.number}",
        region_code=found.region_code,
        detail={"status": found.status},
    )
    found.refresh_from_db()
    return found


def _settle(found: FamilyReport, status: str, by: User, *, ground: str, **more: Any) -> None:
    FamilyReport.objects.filter(pk=found.pk).update(
        status=status,
        ground=ground.strip()[:300],
        settled_by=by.username,
        settled_at=timezone.now(),
        **more,
    )
    found.refresh_from_db()


@transaction.atomic
def identify(case: WarningCase, household: registry.Household, *, by: User) -> WarningCase:
    """Say which household of the register a provisional warning is of; its provisional number ends there."""
    require(by, Act.TRIAGE_REPORT, region_code=case.region_code)
    take_turn()
    if not case.provisional:
        raise StepRefused(
            f"预警 {case.number} 的户编号不是临时的。", f"Warning {case.number} has no provisional household."
        )
    before = case.household_no
    try:
        with transaction.atomic():
            WarningCase.objects.filter(pk=case.pk, provisional=True).update(
                household_no=household.household_no,
                head_name=household.head_name,
                register_category=household.category,
                provisional=False,
                version=case.version + 1,
            )
    except IntegrityError:
        other = WarningCase.objects.open().get(household_no=household.household_no)
        raise StepRefused(
            f"户 {household.household_no} 已有未办结的预警 {other.number}，请在那件预警里办理，并办结本件。",
            f"Household {household.household_no} has the open warning {other.number}; work on that one and close this.",
        ) from None
    case.refresh_from_db()
    note(case, by=by, kind="update", text=f"查明为在册家庭，户编号 {before} → {household.household_no}")
    record(
        by=by,
        act=Act.TRIAGE_REPORT,
        subject=f"household:{household.household_no}",
        region_code=case.region_code,
        detail={"warning": case.number, "before": before},
    )
    return case


def likely_households(found: FamilyReport, *, by: User, text: str = "") -> list[registry.Household]:
    """Households of the register that the report may speak of: those searched for, else of that name nearby."""
    asked = text.strip() or found.family_name
    if not asked or found.status != FamilyReport.Status.NEW:
        return []
    everywhere = registry.households(by=by, text=asked)
    near = list(everywhere.filter(region_code__startswith=found.region_code[:9])[:10])
    if text.strip() or not near:
        near += [more for more in everywhere[:10] if more not in near]
    return near[:10]


# ---- figures -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FoundBy:
    """How families were found, and what came of it: by data or by people."""

    source: str
    found: int
    visited: int
    helped: int
    open: int

    @property
    def precision(self) -> float | None:
        """Warnings leading to help ÷ warnings visited (handbook 02 §2.7); None before the first visit."""
        return self.helped / self.visited if self.visited else None


def found_by(*, by: User) -> list[FoundBy]:
    """The account's area's warnings by how they were found."""
    require(by, Act.VIEW_DASHBOARD)
    counted: dict[str, dict[str, Any]] = {
        row["source"]: dict(row)
        for row in WarningCase.objects.visible_to(by)
        .order_by()
        .values("source")
        .annotate(
            found=Count("pk"),
            visited=Count("pk", filter=~Q(result_code="")),
            helped=Count("pk", filter=Q(result_code__in=list(HELPING))),
            open=Count("pk", filter=Q(status__in=OPEN)),
        )
    }
    figures = ("found", "visited", "helped", "open")
    return [
        FoundBy(source, *(counted.get(source, {}).get(name, 0) for name in figures))
        for source in WarningCase.Source.values
    ]


def report_counts(*, by: User) -> dict[str, int]:
    """Reports of the account's area by status."""
    require(by, Act.VIEW_REPORTS)
    counted = dict(
        FamilyReport.objects.filter(region_code__startswith=by.region_code)
        .order_by()
        .values_list("status")
        .annotate(n=Count("pk"))
    )
    return {status: counted.get(status, 0) for status in FamilyReport.Status.values}
