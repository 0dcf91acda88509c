"""What the applicant says to a finding: explanations of differences, objections and their review (差异说明、异议、复核)."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.models import (
    Explanation,
    Objection,
    VerificationRequest,
)
from doudi.contexts.verification.reckoning import finding_of, pieces_of
from doudi.contexts.verification.reporting import report_of
from doudi.contexts.verification.requests import StepRefused, go, note, request_of
from doudi.contexts.verification.supporting import latest_statement
from doudi.engine.packs import Pack
from doudi.engine.verification import (
    Rules,
    State,
)
from doudi.engine.workdays import add_workdays
from doudi.house.attachments import keep_attachment


@transaction.atomic
def ask_explanations(number: str, *, pack: Pack, rules: Rules, by: User) -> list[Explanation]:
    """Ask the applicant to explain every material or undeclared difference, once each, within the pack's days."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    if request.state not in (State.COMPARING, State.PARTIAL, State.REVIEWING):
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，比对后才能请申请人说明。",
            f"Request {number} is {request.state}; explanations are asked after the comparison.",
        )
    today = timezone.localdate()
    asked = []
    found = finding_of(request, pieces_of(request), pack, rules, latest_statement(request))
    for difference in found["differences"]:
        if difference["grade"] not in rules.explained_grades:
            continue
        explanation, fresh = Explanation.objects.get_or_create(
            request=request,
            item=difference["item"],
            defaults={
                "grade": difference["grade"],
                "declared": difference["declared"],
                "found": difference["found"],
                "asked_on": today,
                "due_on": add_workdays(today, rules.explanation_days),
            },
        )
        if fresh:
            asked.append(explanation)
    if asked:
        items = "、".join(explanation.item for explanation in asked)
        note(request, by=by, kind="explain", text=f"请申请人说明：{items}，{asked[0].due_on} 前答复")
        record(by=by, act=Act.ISSUE_REPORT, subject=f"verification:{number}", region_code=request.region_code,
               detail={"explanations_asked": len(asked)})  # fmt: skip
    return asked


@transaction.atomic
def answer_explanation(
    number: str,
    item: str,
    *,
    answer: str,
    by: User,
    accepted: bool | None = None,
    evidence: bytes = b"",
    evidence_name: str = "",
) -> Explanation:
    """Enter the applicant's answer (township or county), or the verifier's finding on it (``accepted``)."""
    take_turn()
    request = request_of(number, by=by)
    explanation = Explanation.objects.filter(request=request, item=item).first()
    if explanation is None:
        raise StepRefused(f"没有请申请人说明“{item}”。", f"No explanation was asked of {item}.")
    if accepted is None:
        require(by, Act.COLLECT_AUTHORISATION, region_code=request.region_code)
        if len(answer.strip()) < 4:
            raise StepRefused("请写明申请人的说明（至少四个字）。", "Write the applicant's answer.")
        explanation.answer, explanation.answered_on = answer.strip(), timezone.localdate()
        if evidence:
            kept = keep_attachment(evidence)
            explanation.evidence_hash, explanation.evidence_name = kept.digest, evidence_name[-255:]
    else:
        require(by, Act.ISSUE_REPORT, region_code=request.region_code)
        if explanation.answered_on is None:
            raise StepRefused("申请人还没有说明，不能认定。", "There is no answer to judge yet.")
        explanation.accepted, explanation.judged_by = accepted, by.username
    explanation.save()
    text = (
        f"{item}说明：{explanation.answer}"
        if accepted is None
        else f"{item}说明{'成立' if accepted else '不成立'}"
    )
    note(request, by=by, kind="explain", text=text)
    record(by=by, act="explain_difference", subject=f"verification:{number}", region_code=request.region_code,
           detail={"item": item, "accepted": accepted})  # fmt: skip
    return explanation


@transaction.atomic
def object_to(
    report_number: str,
    *,
    sources: Sequence[str],
    ground: str,
    rules: Rules,
    by: User,
    evidence: bytes = b"",
    evidence_name: str = "",
) -> Objection:
    """Register the applicant's objection (异议): the contested sources will be asked again, and a second report follows."""
    take_turn()
    report = report_of(report_number, by=by)
    request = report.request
    require(by, Act.REQUEST_VERIFICATION, region_code=request.region_code)
    unknown = [source for source in sources if source not in request.sources]
    if unknown or not sources:
        raise StepRefused("请选择有异议的来源。", "Choose the contested sources of this request.")
    if len(ground.strip()) < 4:
        raise StepRefused("请写明异议理由（至少四个字）。", "State the ground (four characters or more).")
    kept = keep_attachment(evidence) if evidence else None
    today = timezone.localdate()
    due_on = add_workdays(today, rules.kinds["review"].report)
    go(request, State.OBJECTED, due_on=due_on)
    objection = Objection.objects.create(
        report=report,
        sources=list(sources),
        ground=ground.strip(),
        evidence_hash=kept.digest if kept else "",
        evidence_name=evidence_name[-255:] if kept else "",
        filed_on=today,
        due_on=due_on,
        recorded_by=by.username,
    )
    labels = "、".join(rules.sources[source].label for source in sources)
    note(
        request, by=by, kind="objection", text=f"申请人对{labels}提出异议：{ground.strip()}；{due_on} 前复核"
    )
    record(by=by, act="object_to_report", subject=f"verification:{request.number}",
           region_code=request.region_code, detail={"report": report.number, "sources": list(sources)})  # fmt: skip
    return objection


@transaction.atomic
def begin_review(number: str, *, by: User, seen: int | None = None) -> VerificationRequest:
    """Take an objection up (复核): from here the contested sources are asked again and a second report is issued."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.QUERY_SOURCES, region_code=request.region_code)
    go(request, State.REVIEWING, seen=seen)
    note(request, by=by, kind="review", text="开始复核")
    record(by=by, act=Act.QUERY_SOURCES, subject=f"verification:{number}", region_code=request.region_code,
           detail={"state": request.state})  # fmt: skip
    return request
