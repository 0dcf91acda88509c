"""What an office does with monitoring: screen, list, dispatch, visit, close, count."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q
from django.db.models.functions import Substr
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.monitoring.cases import (
    Outrun,
    StepRefused,
    WarningNotFound,
    close_warning,
    dispatch_warning,
    note,
    record_visit,
    tell_suppliers,
    warning,
)
from doudi.contexts.monitoring.clocks import (
    ClockRefused,
    Running,
    as_running,
    my_clocks,
    officers_of,
    resume_clock,
    run_clocks,
    standing_still,
    suspend_clock,
)
from doudi.contexts.monitoring.disposal import CONSENT_WAYS, record_attempt
from doudi.contexts.monitoring.doubt_models import DoubtQuerySet, StopProposalQuerySet
from doudi.contexts.monitoring.doubts import (
    DoubtNotFound,
    assign_doubt,
    check_doubt,
    content_of,
    count_doubts,
    doubt_of,
    doubts,
    latest_round,
    look_at_doubt,
    note_on_doubt,
    review_doubt,
)
from doudi.contexts.monitoring.doubts import find as find_doubts
from doudi.contexts.monitoring.evidence import add_evidence, open_evidence
from doudi.contexts.monitoring.fieldwork import (
    FieldVisitNotFound,
    FilesMissing,
    SentDifferently,
    SentVisit,
    TakenAlong,
    field_visit,
    field_visits,
    hand_on_file,
    keep_field_visit,
    look_at_field_visit,
    look_at_file,
    mark_recorded,
    sent_before,
    sent_visit,
    settle_field_visit,
    take_along,
    take_part,
)
from doudi.contexts.monitoring.handover import (
    Handover,
    WorkLeft,
    hand_over,
    officers_with_work,
    open_work,
    preview_handover,
    reassign_warning,
    refuse_while_work_is_left,
)
from doudi.contexts.monitoring.hotline import HotlineOutcome, hotline_answers, take_hotline_file
from doudi.contexts.monitoring.joining import Noticed, raise_from_service
from doudi.contexts.monitoring.keeping import keep_pack, kept_folder, kept_pack
from doudi.contexts.monitoring.models import (
    LEVELS,
    OPEN,
    Attempt,
    CaseEvent,
    Doubt,
    DoubtEvidence,
    DoubtRound,
    FamilyReport,
    FieldVisit,
    Outgoing,
    Push,
    Reminder,
    Revisit,
    ScreeningRun,
    Signal,
    StopProposal,
    Suspension,
    ThresholdChange,
    Visit,
    WarningCase,
    WarningQuerySet,
)
from doudi.contexts.monitoring.notices import (
    PushFailed,
    Word,
    attempt,
    deliver,
    notices,
    outbox,
    people,
    read_notices,
    release,
    send_again,
    tell,
    unread_count,
)
from doudi.contexts.monitoring.outreach import (
    CHANNELS,
    MAX_TEXT,
    PUBLIC_CHANNELS,
    FoundBy,
    Progress,
    ReportNotFound,
    TooMany,
    answer_report,
    found_by,
    identify,
    let_through,
    likely_households,
    look_at_report,
    open_from_report,
    passer_by,
    progress_of,
    report,
    report_counts,
    reports,
    reports_about,
    served_counties,
    step_of,
    take_report,
)
from doudi.contexts.monitoring.quality import (
    MEASURES,
    Figure,
    Item,
    PeriodInvalid,
    Quality,
    behind,
    period,
    precision_in_the_database,
    quality,
)
from doudi.contexts.monitoring.revisits import record_revisit
from doudi.contexts.monitoring.screens import (
    Replay,
    evidence_of,
    export_result,
    latest_run,
    per_capita_incomes,
    replay,
    result_folder,
    result_rows,
    run_of,
    screen,
)
from doudi.contexts.monitoring.stops import (
    StopNotFound,
    decide_stop,
    month_after,
    propose_stops,
    propose_stops_of,
    stop_of,
    stops,
    stops_waiting,
    withdraw_stops,
)
from doudi.contexts.monitoring.thresholds import (
    IndicatorState,
    ThresholdRefused,
    decide_threshold,
    indicator_states,
    pack_in_force,
    propose_threshold,
    threshold_change,
    threshold_changes,
    withdraw_threshold,
)
from doudi.contexts.monitoring.whatif import (
    HELPING,
    BackTested,
    Outcome,
    TrialOutcome,
    back_test,
    may_see_movers,
    record_export,
    simulate,
)
from doudi.contexts.registry import services as registry

__all__ = [
    "CHANNELS",
    "CONSENT_WAYS",
    "HELPING",
    "LEVELS",
    "MAX_TEXT",
    "MEASURES",
    "PUBLIC_CHANNELS",
    "Attempt",
    "BackTested",
    "CaseEvent",
    "ClockRefused",
    "Doubt",
    "DoubtEvidence",
    "DoubtNotFound",
    "DoubtQuerySet",
    "DoubtRound",
    "FamilyReport",
    "FieldVisit",
    "FieldVisitNotFound",
    "Figure",
    "FilesMissing",
    "FoundBy",
    "Handover",
    "HotlineOutcome",
    "IndicatorState",
    "Item",
    "LoopFigures",
    "Noticed",
    "Outcome",
    "Outgoing",
    "Outrun",
    "PeriodInvalid",
    "Progress",
    "Push",
    "PushFailed",
    "Quality",
    "Reminder",
    "Replay",
    "ReportNotFound",
    "Revisit",
    "Running",
    "ScreeningRun",
    "SentDifferently",
    "SentVisit",
    "StepRefused",
    "StopNotFound",
    "StopProposal",
    "StopProposalQuerySet",
    "Suspension",
    "TakenAlong",
    "ThresholdChange",
    "ThresholdRefused",
    "TooMany",
    "TrialOutcome",
    "Visit",
    "WarningCase",
    "WarningNotFound",
    "WarningQuerySet",
    "Word",
    "WorkLeft",
    "active_codes",
    "add_evidence",
    "answer_report",
    "as_running",
    "assign_doubt",
    "assignee_name",
    "attempt",
    "back_test",
    "behind",
    "by_level",
    "by_township",
    "case_of",
    "check_doubt",
    "close_warning",
    "code_counts",
    "content_of",
    "count_doubts",
    "decide_stop",
    "decide_threshold",
    "deliver",
    "dispatch_warning",
    "doubt_of",
    "doubts",
    "evidence_of",
    "export_result",
    "field_visit",
    "field_visits",
    "find_doubts",
    "found_by",
    "hand_on_file",
    "hand_over",
    "hotline_answers",
    "household_warnings",
    "identify",
    "indicator_counts",
    "indicator_states",
    "keep_field_visit",
    "keep_pack",
    "kept_folder",
    "kept_pack",
    "latest_round",
    "latest_run",
    "let_through",
    "likely_households",
    "look_at_doubt",
    "look_at_field_visit",
    "look_at_file",
    "look_at_report",
    "loop_figures",
    "mark_recorded",
    "may_see_movers",
    "month_after",
    "my_clocks",
    "note",
    "note_on_doubt",
    "notices",
    "officers_of",
    "officers_with_work",
    "open_evidence",
    "open_from_report",
    "open_household_numbers",
    "open_work",
    "outbox",
    "pack_in_force",
    "passer_by",
    "people",
    "per_capita_incomes",
    "period",
    "precision_in_the_database",
    "preview_handover",
    "progress_of",
    "propose_stops",
    "propose_stops_of",
    "propose_threshold",
    "quality",
    "raise_from_service",
    "read_notices",
    "reassign_warning",
    "record_attempt",
    "record_export",
    "record_revisit",
    "record_visit",
    "refuse_while_work_is_left",
    "release",
    "replay",
    "report",
    "report_counts",
    "reports",
    "reports_about",
    "result_folder",
    "result_rows",
    "resume_clock",
    "review_doubt",
    "revisit_of",
    "run_clocks",
    "run_of",
    "runs",
    "screen",
    "send_again",
    "sent_before",
    "sent_visit",
    "served_counties",
    "settle_field_visit",
    "simulate",
    "standing_still",
    "step_of",
    "stop_of",
    "stops",
    "stops_waiting",
    "suspend_clock",
    "take_along",
    "take_hotline_file",
    "take_part",
    "take_report",
    "tell",
    "tell_suppliers",
    "threshold_change",
    "threshold_changes",
    "township_of",
    "townships_with_work",
    "unread_count",
    "warning",
    "warnings",
    "withdraw_stops",
    "withdraw_threshold",
]

SORTS: dict[str, tuple[Any, ...]] = {
    "urgent": ("-level_rank", F("due_on").asc(nulls_last=True), "pk"),
    "due": (F("due_on").asc(nulls_last=True), "-level_rank", "pk"),
    "new": ("-opened_at", "-pk"),
    "region": ("region_code", "-level_rank", "pk"),
    "household": ("household_no",),
}


def warnings(
    *,
    by: User,
    status: str = "",
    level: str = "",
    code: str = "",
    region_code: str = "",
    text: str = "",
    overdue: bool = False,
    sort: str = "urgent",
) -> WarningQuerySet:
    """Warnings that ``by`` may see, narrowed and sorted; ``status`` is a status, ``open``, ``revisit`` or ``all``."""
    require(by, Act.VIEW_WARNINGS)
    found = registry.but_own(WarningCase.objects.visible_to(by), by=by, household="household_no")
    if status in ("", "open"):
        found = found.open()
    elif status == "revisit":
        found = found.to_revisit()
    elif status != "all":
        found = found.filter(status=status)
    if level:
        found = found.filter(Q(level=level) | Q(risk_level=level))
    if code:
        found = found.filter(signals__code=code, signals__active=True)
    if region_code:
        found = found.in_region(region_code)
    if overdue:
        found = found.overdue(timezone.localdate())
    if text.strip():
        text = text.strip()
        # beginnings are found by index in any number of closed warnings; the part of a number only among the open
        part = "icontains" if status in ("", "open", *OPEN) else "startswith"
        found = found.filter(
            Q(**{f"household_no__{part}": text})
            | Q(head_name__startswith=text)
            | Q(**{f"number__{part}": text})
        )
    return found.order_by(*SORTS.get(sort, SORTS["urgent"])).prefetch_related("signals")


def active_codes(case: WarningCase) -> list[str]:
    """The indicators that still stand on a warning."""
    return sorted(signal.code for signal in case.signals.all() if signal.active)


def revisit_of(case: WarningCase) -> Revisit | None:
    """The revisit of a closed warning, where there was one."""
    return Revisit.objects.filter(case=case).select_related("led_to").first()


def assignee_name(case: WarningCase) -> str:
    """Whom a warning was given to by name; '' where it is the whole township's."""
    if not case.assignee:
        return ""
    return next(
        (one.display_name for one in officers_of(case.region_code) if one.username == case.assignee),
        case.assignee,
    )


def township_of(case: WarningCase) -> str:
    """The township a warning's household lives in, by the register."""
    if len(case.region_code) < 9:
        raise StepRefused(
            f"{case.number}：花名册上的住址只到县，请打开预警选择乡镇（街道）。",
            f"{case.number}: the register names the county only; open the warning and choose the township.",
        )
    return case.region_code[:9]


def case_of(number: str) -> WarningCase:
    """A warning by number, for a step of the chain that has already settled who may act."""
    return WarningCase.objects.get(number=number)


def household_warnings(household_no: str, *, by: User) -> WarningQuerySet:
    """All warnings of a household, newest first."""
    require(by, Act.VIEW_WARNINGS)
    found = WarningCase.objects.visible_to(by).filter(household_no=household_no)
    return registry.but_own(found, by=by, household="household_no").order_by("-pk")


def runs(*, by: User) -> Any:
    """Screens, newest first."""
    require(by, Act.VIEW_DASHBOARD)
    return ScreeningRun.objects.filter(status=ScreeningRun.Status.DONE).order_by("-pk")


def by_level(*, by: User) -> dict[str, int]:
    """Open warnings of the account's area by upward level, most urgent first, then those with a risk side only."""
    require(by, Act.VIEW_DASHBOARD)
    counted = dict(
        WarningCase.objects.visible_to(by).open().order_by().values_list("level").annotate(n=Count("pk"))
    )
    return {level: counted.get(level, 0) for level in reversed(LEVELS)}


def townships_with_work(*, by: User) -> list[str]:
    """The townships in which the account's area has open warnings."""
    require(by, Act.VIEW_WARNINGS)
    codes = WarningCase.objects.visible_to(by).open().order_by().annotate(code=Substr("region_code", 1, 9))
    return list(codes.values_list("code", flat=True).distinct())


def by_township(*, by: User) -> list[dict[str, Any]]:
    """Open warnings per responsible area: how many, how many red, orange, yellow, how many overdue."""
    require(by, Act.VIEW_DASHBOARD)
    counted = (
        WarningCase.objects.visible_to(by)
        .open()
        .order_by()
        .values("region_code")
        .annotate(
            total=Count("pk"),
            red=Count("pk", filter=Q(level="red")),
            orange=Count("pk", filter=Q(level="orange")),
            yellow=Count("pk", filter=Q(level="yellow")),
            risk=Count("pk", filter=~Q(risk_level="none")),
            overdue=Count("pk", filter=Q(due_on__lt=timezone.localdate())),
        )
        .order_by("-total")
    )
    return [dict(row) for row in counted]


def indicator_counts(*, by: User) -> dict[str, int]:
    """Open warnings of the account's area by indicator, for the page of the indicators."""
    require(by, Act.VIEW_INDICATORS)
    return _by_code(by)


def code_counts(*, by: User) -> dict[str, int]:
    """Open warnings of the account's area by indicator."""
    require(by, Act.VIEW_DASHBOARD)
    return _by_code(by)


def _by_code(by: User) -> dict[str, int]:
    inside = WarningCase.objects.visible_to(by).open()
    return dict(
        Signal.objects.filter(active=True, case__in=inside)
        .order_by("code")
        .values_list("code")
        .annotate(n=Count("pk"))
    )


@dataclass(frozen=True)
class LoopFigures:
    """The loop 发现→派单→核实→办结 in numbers, over all warnings of an area."""

    found: int
    dispatched: int
    visited: int
    closed: int
    cleared: int
    overdue: int
    helped: int
    precision: float | None
    """Warnings leading to help (A–E, H) ÷ warnings visited (handbook 02 §2.7); None before the first visit."""


def loop_figures(*, by: User, helping: Iterable[str] = HELPING) -> LoopFigures:
    """Count the loop for the account's area."""
    require(by, Act.VIEW_DASHBOARD)
    figures = WarningCase.objects.visible_to(by).aggregate(
        found=Count("pk"),
        dispatched=Count("pk", filter=Q(dispatched_at__isnull=False)),
        visited=Count("pk", filter=~Q(result_code="")),
        closed=Count("pk", filter=Q(status=WarningCase.Status.CLOSED)),
        cleared=Count("pk", filter=Q(status=WarningCase.Status.CLEARED)),
        overdue=Count("pk", filter=Q(due_on__lt=timezone.localdate(), closed_at=None)),
        helped=Count("pk", filter=Q(result_code__in=list(helping))),
    )
    precision = figures["helped"] / figures["visited"] if figures["visited"] else None
    return LoopFigures(**figures, precision=precision)


def open_household_numbers(*, by: User) -> Any:
    """The numbers of the households with an open warning in the area, as a query for a list to narrow itself by."""
    require(by, Act.VIEW_WARNINGS)
    return WarningCase.objects.visible_to(by).open().order_by().values_list("household_no", flat=True)
