"""Investigating an application: the report it rests on, visits, a villagers' review, the first opinion (调查、初审).

Who accepted an application does not investigate it alone, and who gives the first opinion does not decide it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.accepting import reckon_limits
from doudi.contexts.assistance.application_models import (
    Application,
    ApplicationVisit,
    Opinion,
    ReviewMeeting,
)
from doudi.contexts.assistance.applications import application, go, needs_state, note
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.procedure import State
from doudi.contexts.verification import services as verification
from doudi.engine.packs.procedures import NOTICE, VERIFY, VISIT, Procedures
from doudi.house.attachments import keep_attachment

_BEFORE_DECISION = (State.INVESTIGATING, State.OBJECTED)


@transaction.atomic
def link_verification(number: str, request_number: str, *, by: User) -> Application:
    """Say by which request the household's economy is checked (委托核对); a later one takes the place of an earlier."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    needs_state(found, *_BEFORE_DECISION, State.PROPOSED, what="委托核对")
    request = verification.request_of(request_number, by=by)
    if request.household_no != found.household_no:
        raise StepRefused(
            f"委托单 {request_number} 核对的不是户 {found.household_no}。",
            f"Request {request_number} is of another household.",
        )
    Application.objects.filter(pk=found.pk).update(verification_number=request_number, report_number="")
    found.refresh_from_db()
    note(found, by=by, kind="verify", text=f"委托核对：{request_number}")
    record(
        by=by,
        act=Act.TAKE_APPLICATION,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"step": "verify", "request": request_number},
    )
    return found


def report_of_application(found: Application, *, on: date, by: User) -> verification.Report:
    """The report that can support a decision on a day: the newest of its request, in force then.

    Raises :class:`StepRefused` where there is none, or it has expired or was overtaken.
    """
    if not found.verification_number:
        raise StepRefused("还没有委托核对。", "No verification was asked for yet.", code="not_verified")
    request = verification.request_of(found.verification_number, by=by)
    reports = verification.reports_of(request, by=by)
    if not reports:
        raise StepRefused(
            f"核对委托 {request.number} 还没有报告（{request.get_state_display()}）。",
            f"Request {request.number} has no report yet.",
            code="not_verified",
        )
    return verification.valid_report(reports[-1].number, on=on, by=by)


@transaction.atomic
def record_application_visit(
    number: str,
    *,
    visited_on: date,
    investigators: Sequence[str],
    findings: str,
    rules: Procedures,
    by: User,
    agrees: bool = True,
    income_fen: int | None = None,
    evidence: bytes = b"",
    evidence_name: str = "",
    county: bool = False,
) -> ApplicationVisit:
    """Record a household visit (入户调查) by at least as many investigators as the kind asks for.

    ``investigators`` are names; who records it went along and is one of them. ``county`` is the county's own visit,
    as to the kin of staff.
    """
    take_turn()
    found = application(number, by=by)
    act = Act.VISIT_FOR_COUNTY if county else Act.INVESTIGATE_APPLICATION
    require(by, act, region_code=found.region_code)
    kind = rules.of(found.kind, found.region_code)
    needs_state(
        found, *_BEFORE_DECISION, State.AIDED, *((State.PROPOSED,) if county else ()), what="登记入户"
    )
    own = by.display_name or by.username
    named = list(dict.fromkeys([own, *(name.strip() for name in investigators if name.strip())]))
    least = max(kind.investigators, 2)
    if len(named) < least:
        raise StepRefused(
            f"入户调查须有 {least} 名以上调查人；受理人不能一人调查。",
            f"A visit needs {least} investigators; who accepted does not investigate alone.",
            code="too_few_investigators",
        )
    today = timezone.localdate()
    if not (found.accepted_on or found.submitted_on) <= visited_on <= today:
        raise StepRefused("入户日期须在受理之后、今天以前。", "The visit lies between acceptance and today.")
    if len(findings.strip()) < 4:
        raise StepRefused("请写明调查情况（至少四个字）。", "Write what was found.")
    if income_fen is not None and income_fen < 0:
        raise StepRefused("收入不能为负。", "Income is not negative.")
    visit = ApplicationVisit.objects.create(
        application=found,
        level=ApplicationVisit.Level.COUNTY if county else ApplicationVisit.Level.TOWNSHIP,
        visited_on=visited_on,
        investigators=[{"name": name, "account": by.username if name == own else ""} for name in named],
        findings=findings.strip(),
        agrees=agrees,
        income_fen=income_fen,
        evidence_hash=keep_attachment(evidence).digest if evidence else "",
        evidence_name=evidence_name[:255] if evidence else "",
        recorded_by=by.username,
    )
    if found.step_limit == "启动调查":
        following = "初审" if kind.limit("初审") else ""
        Application.objects.filter(pk=found.pk).update(step_limit=following)
        found.refresh_from_db()
        reckon_limits(found, kind)
    note(found, by=by, kind="visit", text=f"{visit.get_level_display()}：{'、'.join(named)}")
    record(
        by=by,
        act=act,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"visit": visit.pk, "investigators": len(named), "level": visit.level},
    )
    return visit


@transaction.atomic
def record_meeting(
    number: str,
    *,
    held_on: date,
    present: int,
    in_favour: int,
    summary: str,
    evidence: bytes,
    evidence_name: str,
    by: User,
) -> ReviewMeeting:
    """Record a villagers' review (民主评议): only on an objection, with the signed minutes."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.INVESTIGATE_APPLICATION, region_code=found.region_code)
    needs_state(found, State.OBJECTED, what="登记民主评议（只在有异议时评议）")
    if not 0 <= in_favour <= present or present < 3:
        raise StepRefused("参加评议的不少于三人，认为属实的不多于参加的。", "Three or more take part.")
    if len(summary.strip()) < 4 or not evidence:
        raise StepRefused(
            "请写明评议意见并上传签字的评议记录。", "Write the outcome and add the signed minutes."
        )
    last = found.notices.order_by("-pk").first()
    if held_on > timezone.localdate() or (last is not None and held_on < last.posted_on):
        raise StepRefused("评议日期在公示之后、今天以前。", "The review lies between the notice and today.")
    meeting = ReviewMeeting.objects.create(
        application=found,
        held_on=held_on,
        present=present,
        in_favour=in_favour,
        summary=summary.strip(),
        evidence_hash=keep_attachment(evidence).digest,
        evidence_name=evidence_name[:255],
        recorded_by=by.username,
    )
    note(found, by=by, kind="meeting", text=f"民主评议：{present} 人参加，{in_favour} 人认为属实")
    record(
        by=by,
        act=Act.INVESTIGATE_APPLICATION,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"meeting": meeting.pk},
    )
    return meeting


@transaction.atomic
def give_opinion(number: str, *, grant: bool, ground: str, rules: Procedures, by: User) -> Opinion:
    """Give the township's first opinion (初审): what the kind asks for must be there.

    In favour it goes to the public notice where the kind has one before the decision; else to the decision.
    """
    take_turn()
    found = application(number, by=by)
    require(by, Act.GIVE_OPINION, region_code=found.region_code)
    needs_state(found, *_BEFORE_DECISION, what="初审")
    kind = rules.of(found.kind, found.region_code)
    if len(ground.strip()) < 4:
        raise StepRefused("请写明初审理由（至少四个字）。", "Write the ground of the opinion.")
    if VISIT in kind.steps and not _visited_since_objection(found):
        raise StepRefused(
            "有异议的，请先重新入户调查或民主评议，再出初审意见。"
            if found.state == State.OBJECTED
            else "还没有入户调查，不能初审。",
            "A visit comes before the opinion; after an objection a new visit or a villagers' review.",
            code="not_visited",
        )
    if VERIFY in kind.steps:
        report = report_of_application(found, on=timezone.localdate(), by=by)
        Application.objects.filter(pk=found.pk).update(report_number=report.number)
    opinion = Opinion.objects.create(
        application=found,
        grant=grant,
        ground=ground.strip(),
        given_on=timezone.localdate(),
        given_by=by.username,
    )
    shown_first = grant and NOTICE in kind.steps and not kind.notice_after
    if shown_first:
        go(found, State.NOTICE, step_limit="", step_began_on=None, step_due_on=None)
    else:
        to_decision(found, rules)
    note(
        found, by=by, kind="opinion", text=f"初审：{'拟予确认' if grant else '拟不予确认'}。{ground.strip()}"
    )
    record(
        by=by,
        act=Act.GIVE_OPINION,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"grant": grant, "report": found.report_number},
    )
    return opinion


def to_decision(found: Application, rules: Procedures) -> None:
    """The file goes to who decides; that step's own limit runs from today."""
    kind = rules.of(found.kind, found.region_code)
    limit = "确认" if kind.limit("确认") else ""
    go(found, State.PROPOSED, step_limit=limit, step_began_on=timezone.localdate())
    reckon_limits(found, kind)


def _visited_since_objection(found: Application) -> bool:
    """Whether somebody went there; after an objection, went again or asked the villagers since it was made."""
    if found.state != State.OBJECTED:
        return found.visits.filter(level=ApplicationVisit.Level.TOWNSHIP).exists()
    objected = found.events.filter(kind="objection").order_by("-pk").first()
    since = objected.pk if objected is not None else 0
    return found.events.filter(kind__in=("visit", "meeting"), pk__gt=since).exists()
