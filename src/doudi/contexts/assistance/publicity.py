"""The public notice of a first opinion or of aid given (公示): masked, dated, proven; and objections to it.

Handbook 01 §1.7: seven days, and a mere recognition as marginal or rigid-expenditure household is not published.
"""

from __future__ import annotations

from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.application_models import Application, NoticeObjection, PublicNotice
from doudi.contexts.assistance.applications import application, go, needs_state, note
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.investigating import to_decision
from doudi.contexts.assistance.procedure import State
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.packs.procedures import NOTICE, Procedures
from doudi.house.attachments import keep_attachment


def notice_text(found: Application, rules: Procedures) -> str:
    """What is hung up: masked name, village, kind, persons; no number, no illness, no sum of a person's income."""
    kind = rules.of(found.kind, found.region_code)
    count = len(found.persons) or len(registry.people_of_household(found.household_no))
    place = registry.region_name(found.region_code)
    last = found.opinions.order_by("-pk").first()
    words = "已给予" if kind.notice_after else "拟确认"
    day = last.given_on if last is not None else timezone.localdate()
    return (
        f"{place}：{identity.mask_name(found.applicant_name)}，申请{kind.label}，{count}人，{words}（{day}）。"
        f"公示期{kind.notice_days}天，如有异议请向本单位反映。"
    )


@transaction.atomic
def post_notice(
    number: str,
    *,
    place: str,
    posted_on: date,
    evidence: bytes,
    evidence_name: str,
    rules: Procedures,
    by: User,
) -> PublicNotice:
    """Register that the notice was hung up, with a picture as proof; its days run from the next day."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.GIVE_OPINION, region_code=found.region_code)
    kind = rules.of(found.kind, found.region_code)
    if NOTICE not in kind.steps:
        raise StepRefused(
            f"“{kind.label}”只作认定，不公示；谁救助谁公示。",
            "A mere recognition is not published.",
            code="no_notice",
        )
    if kind.notice_after:
        needs_state(found, State.GRANTED, State.AIDED, what="公示（先救助后公示）")
    else:
        needs_state(found, State.NOTICE, what="公示")
    if found.notices.filter(closed_on=None).exists():
        raise StepRefused("已有一份公示在张贴中。", "A notice hangs already.")
    last = found.opinions.order_by("-pk").first()
    earliest = last.given_on if last is not None and not kind.notice_after else found.submitted_on
    if not earliest <= posted_on <= timezone.localdate():
        raise StepRefused(
            "张贴日期在初审之后、今天以前。", "The notice is hung up between the opinion and today."
        )
    if not place.strip() or not evidence:
        raise StepRefused("请写明公示地点并上传张贴照片。", "Say where it hangs and add a picture.")
    hung = PublicNotice.objects.create(
        application=found,
        text=notice_text(found, rules),
        place=place.strip()[:120],
        posted_on=posted_on,
        last_day=posted_on + timedelta(days=kind.notice_days),
        evidence_hash=keep_attachment(evidence).digest,
        evidence_name=evidence_name[:255],
        posted_by=by.username,
    )
    note(found, by=by, kind="notice", text=f"公示：{hung.place}，{posted_on} 至 {hung.last_day}")
    _log(found, by, {"notice": hung.pk, "until": hung.last_day})
    return hung


@transaction.atomic
def object_to_notice(number: str, *, ground: str, by_whom: str, by: User) -> NoticeObjection:
    """Register an objection while the notice hangs: the file goes back to a new investigation."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.GIVE_OPINION, region_code=found.region_code)
    hung = found.notices.filter(closed_on=None).order_by("-pk").first()
    if hung is None:
        raise StepRefused("现在没有张贴中的公示。", "No notice hangs now.")
    if len(ground.strip()) < 4:
        raise StepRefused("请写明异议内容（至少四个字）。", "Write what is objected.")
    today = timezone.localdate()
    filed = NoticeObjection.objects.create(
        notice=hung, filed_on=today, ground=ground.strip(), by_whom=by_whom.strip(), recorded_by=by.username
    )
    if found.state == State.NOTICE:
        PublicNotice.objects.filter(pk=hung.pk).update(
            closed_on=today, closed_by=by.username, outcome="objected"
        )
        go(found, State.OBJECTED)
    note(found, by=by, kind="objection", text=f"公示异议：{ground.strip()}")
    _log(found, by, {"objection": filed.pk})
    return filed


@transaction.atomic
def close_notice(number: str, *, rules: Procedures, by: User) -> PublicNotice:
    """Take the notice down after its last day without objection; the file goes to the decision."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.GIVE_OPINION, region_code=found.region_code)
    hung = found.notices.filter(closed_on=None).order_by("-pk").first()
    if hung is None:
        raise StepRefused("现在没有张贴中的公示。", "No notice hangs now.")
    today = timezone.localdate()
    if today <= hung.last_day:
        raise StepRefused(
            f"公示到 {hung.last_day} 期满，此前不能结束。",
            f"The notice runs until {hung.last_day}.",
            code="notice_runs",
        )
    PublicNotice.objects.filter(pk=hung.pk).update(closed_on=today, closed_by=by.username, outcome="clear")
    if found.state == State.NOTICE:
        to_decision(found, rules)
    note(found, by=by, kind="notice_end", text="公示期满")
    _log(found, by, {"notice_end": hung.pk})
    hung.refresh_from_db()
    return hung


def _log(found: Application, by: User, detail: dict[str, object]) -> None:
    record(
        by=by,
        act=Act.GIVE_OPINION,
        subject=f"application:{found.number}",
        region_code=found.region_code,
        detail=detail,
    )
