"""Reports (核对报告): from kept evidence to a content with a digest, that can be computed again years later."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.contexts.verification.asking import latest_queries, rows_of
from doudi.contexts.verification.models import (
    Explanation,
    Objection,
    Query,
    Reply,
    Report,
    RequestPerson,
    VerificationRequest,
)
from doudi.contexts.verification.requests import StepRefused, go, note, request_of
from doudi.engine import identity
from doudi.engine import verification as engine
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import (
    Answer,
    DeclaredAmount,
    HouseholdMember,
    Rules,
    State,
    canonical,
    differences_between,
    sha256_of,
    sm3_of,
)
from doudi.engine.workdays import add_workdays
from doudi.house.attachments import keep_attachment
from doudi.house.keyring import SealBroken, keyring
from doudi.house.paths import home

FORM = "doudi-verification-report/1"
_WORST_FIRST = (Status.UNAUTHORISED, Status.FAILED, Status.NOT_ARRIVED, Status.NOT_ASKED)


class ReportNotFound(DoudiError):
    """No such report in the asker's area."""

    code = "report_not_found"


@dataclass(frozen=True)
class Piece:
    """One query as a report saw it: its status then, and the reply it rests on."""

    query: Query
    status: Status
    reply: Reply | None


@dataclass(frozen=True)
class Checked:
    """Whether a report is what it was: the differences found, each ``{"path", "stored", "recomputed"}``."""

    number: str
    equal: bool
    differences: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {"report": self.number, "equal": self.equal, "differences": list(self.differences)}


# ---- what is known and what follows from it ------------------------------------------------------------------


def pieces_of(request: VerificationRequest) -> list[Piece]:
    """What is known now: the newest round of every person and source."""
    return [
        Piece(query, Status(query.status), query.replies.order_by("-pk").first())
        for query in latest_queries(request)
    ]


def preview(number: str, *, pack: Pack, rules: Rules, by: User) -> dict[str, Any]:
    """What the report would say now (比对): situation, differences, advice; kept nowhere."""
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    return _computed(request, pieces_of(request), pack, rules)


def _computed(
    request: VerificationRequest, pieces: Sequence[Piece], pack: Pack, rules: Rules
) -> dict[str, Any]:
    people = list(request.people.all())
    members = [person for person in people if person.part == RequestPerson.Part.MEMBER]
    household = [
        HouseholdMember(p.id_number, p.name, p.relation, p.living_together, p.category) for p in members
    ]
    answers = _answers(request, pieces, members, pack, rules)
    declared = [
        DeclaredAmount(person.id_number, line.item, line.amount)
        for person in members
        for line in person.declared.order_by("item")
    ]

    def reckon(given: Mapping[str, Answer]) -> engine.Situation:
        with _folder() as work:
            return engine.reckon(
                pack,
                household,
                given,
                household_no=request.household_no or request.number,
                region_code=request.region_code,
                urban_rural=request.urban_rural,
                as_of=request.as_of,
                work=work,
                blind=lambda texts: keyring().digests(texts, purpose=ID_PURPOSE),
            )

    situation = reckon(answers)
    differences = engine.compare(
        rules,
        pack.feeds,
        situation,
        declared,
        answers,
        members=household,
        as_of=request.as_of,
        reckon_again=reckon,
    )
    advice = engine.advise(pack, rules.purposes[request.purpose], situation, differences)
    explanation = situation.explanation
    order = {p.id_number: p.position for p in members}
    by_key = [order[number] for number in sorted(order)]
    return {
        "people": [
            {
                "position": p.position,
                "part": str(p.part),
                "name": p.name,
                "id_number": identity.mask_id(p.id_number),
                "relation": p.relation,
                "living_together": p.living_together,
            }
            for p in people
        ],
        "sources": _sources(request, pieces, people, rules),
        "situation": {
            "category": explanation.category,
            "label": explanation.label,
            "paragraph": explanation.paragraph,
            "undecided": list(explanation.row["undecided"]),
            "missing": {feed: str(status) for feed, status in sorted(explanation.missing.items())},
            "held": dict(sorted(situation.held.items())),
            "leads": dict(sorted(situation.leads.items())),
            "variables": [
                {
                    "name": told.name,
                    "person": by_key[told.member - 1] if told.member is not None else None,
                    "value": _written(told.value),
                    "unit": told.unit,
                    "kind": told.kind,
                    "clause": told.clause,
                    "sentence": told.sentence,
                    "parameters": [f"{p.parameter}={p.text}（{p.document}）" for p in told.parameters],
                }
                for told in explanation.variables
                if told.name not in pack.indicators
            ],
        },
        "differences": [difference.to_json() for difference in differences],
        "advice": {
            "advice": advice.advice,
            "reasons": list(advice.reasons),
            "clauses": list(advice.clauses),
        },
        "pack": {"name": pack.name, "version": pack.version, "hash": pack.hash},
    }


def _written(value: Any) -> Any:
    """A value as the canonical form holds it: whole numbers as they are, other fractions as text."""
    if value is None or isinstance(value, bool | str | int):
        return value
    exact = Fraction(value)
    return exact.numerator if exact.denominator == 1 else f"{exact.numerator}/{exact.denominator}"


def _answers(
    request: VerificationRequest,
    pieces: Sequence[Piece],
    members: Sequence[RequestPerson],
    pack: Pack,
    rules: Rules,
) -> dict[str, Answer]:
    """By feed: decided only where every member's query is; else the worst of them (one missing member, no total)."""
    answers: dict[str, Answer] = {}
    own = {person.pk for person in members}
    for code in request.sources:
        source = rules.sources[code]
        spec = pack.feeds[source.feed]
        found = [piece for piece in pieces if piece.query.source == code and piece.query.person_id in own]
        statuses = {piece.status for piece in found} if len(found) == len(own) else {Status.NOT_ASKED}
        worst = next((status for status in _WORST_FIRST if status in statuses), None)
        rows = tuple(
            row for piece in found if piece.reply is not None and piece.status.decided
            for row in rows_of(piece.reply, spec)
        )  # fmt: skip
        if worst is not None:
            answers[source.feed] = Answer(worst)
        else:
            answers[source.feed] = Answer(Status.KNOWN if rows else Status.NO_RECORD, rows)
    return answers


def _sources(
    request: VerificationRequest, pieces: Sequence[Piece], people: Sequence[RequestPerson], rules: Rules
) -> list[dict[str, Any]]:
    told = []
    for code in request.sources:
        found = {piece.query.person_id: piece for piece in pieces if piece.query.source == code}
        rows = []
        for person in people:
            piece = found.get(person.pk)
            status = piece.status if piece is not None else Status.NOT_ASKED
            reply = piece.reply if piece is not None and status.decided else None
            rows.append(
                {
                    "person": person.position,
                    "status": str(status),
                    "label": status.label,
                    "as_of": reply.source_as_of.isoformat() if reply is not None else None,
                    "rows": reply.row_count if reply is not None else None,
                    "raw_hash": reply.raw_hash if reply is not None else None,
                }
            )
        told.append({"source": code, "label": rules.sources[code].label, "people": rows})
    return told


@contextmanager
def _folder() -> Iterator[Path]:
    folder = home().work / f"verify-{secrets.token_hex(8)}"
    folder.mkdir(mode=0o700, parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---- explanation of differences ------------------------------------------------------------------------------


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
    for difference in _computed(request, pieces_of(request), pack, rules)["differences"]:
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


# ---- the report ----------------------------------------------------------------------------------------------


@transaction.atomic
def issue_report(number: str, *, pack: Pack, rules: Rules, by: User, seen: int | None = None) -> Report:
    """Issue the report of a request (出具报告); a second one cites the first and says what differs.

    Who opened the request does not issue its report. ``pack`` must be kept by its hash by the caller.
    """
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    if by.username == request.created_by:
        raise StepRefused(
            "委托人不能出具自己委托的核对报告，请由另一名核对人员出具。",
            "Who opened the request does not issue its report.",
            code="same_person",
        )
    review = request.state == State.REVIEWING
    if request.state not in (State.COMPARING, State.REVIEWING):
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，比对后才能出报告。",
            f"Request {number} is {request.state}; a report follows the comparison.",
        )
    pieces = pieces_of(request)
    computed = _computed(request, pieces, pack, rules)
    today = timezone.localdate()
    earlier = request.reports.order_by("-pk").first()
    count = Report.objects.filter(number__startswith=f"BG{today:%Y%m%d}").count()
    recorded = {
        "number": f"BG{today:%Y%m%d}-{count + 1:04d}",
        "request": request.number,
        "kind": rules.kinds[request.kind].label,
        "purpose": rules.purposes[request.purpose].label,
        "requested_by": request.requested_by,
        "as_of": request.as_of.isoformat(),
        "issued_on": today.isoformat(),
        "valid_to": (today + relativedelta(months=rules.report_months, days=-1)).isoformat(),
        "issued_by": by.display_name or by.username,
        "check_code": secrets.token_hex(8).upper(),
        "follows": earlier.number if earlier is not None else None,
        "partial": any(not piece.status.decided for piece in pieces),
        "authorisations": sorted({p.query.authorisation.number for p in pieces if p.query.authorisation}),
        "explanations": [
            {
                "item": e.item,
                "grade": e.grade,
                "declared": e.declared,
                "found": e.found,
                "answer": e.answer,
                "answered_on": e.answered_on.isoformat() if e.answered_on else None,
                "due_on": e.due_on.isoformat(),
                "accepted": e.accepted,
            }
            for e in request.explanations.all()
        ],
        "changed_since": _changed_since(earlier, computed),
    }
    content = {"form": FORM, "recorded": recorded, "computed": computed}
    body = canonical(content)
    report = Report.objects.create(
        request=request,
        number=recorded["number"],
        content=body.decode(),
        sha256=sha256_of(body),
        sm3=sm3_of(body),
        pack_hash=pack.hash,
        advice=computed["advice"]["advice"],
        partial=recorded["partial"],
        issued_on=today,
        valid_to=date.fromisoformat(recorded["valid_to"]),
        issued_by=by.username,
        check_code=recorded["check_code"],
        follows=earlier,
        evidence=[[p.query.pk, str(p.status), p.reply.pk if p.reply is not None else None] for p in pieces],
    )
    go(request, State.REVIEWED if review else State.REPORTED, seen=seen, due_on=None)
    if review:
        Objection.objects.filter(report__request=request, answered_by_report=None).update(
            answered_by_report=report, outcome=f"复核后意见：{report.advice}"
        )
    note(request, by=by, kind="report", text=f"出具核对报告 {report.number}：{report.advice}")
    record(
        by=by,
        act=Act.ISSUE_REPORT,
        subject=f"verification:{number}",
        region_code=request.region_code,
        detail={"report": report.number, "advice": report.advice, "sha256": report.sha256},
    )
    return report


def _changed_since(earlier: Report | None, computed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a second report says otherwise than the one before it, in the reader's words."""
    if earlier is None:
        return []
    before = json.loads(earlier.content)["computed"]
    told: list[dict[str, Any]] = []
    if before["advice"]["advice"] != computed["advice"]["advice"]:
        told.append(
            {"what": "意见", "before": before["advice"]["advice"], "now": computed["advice"]["advice"]}
        )
    if before["situation"]["label"] != computed["situation"]["label"]:
        told.append(
            {"what": "类别", "before": before["situation"]["label"], "now": computed["situation"]["label"]}
        )
    names = {person["position"]: person["name"] for person in computed["people"]}
    for one, other in zip(before["sources"], computed["sources"], strict=False):
        for old, new in zip(one["people"], other["people"], strict=False):
            if (old["status"], old["raw_hash"]) != (new["status"], new["raw_hash"]):
                what = f"{other['label']}（{names[new['person']]}）"
                shown = [f"{side['label']} {side['rows'] or 0}条" for side in (old, new)]
                told.append({"what": what, "before": shown[0], "now": shown[1]})
    now = {difference["item"]: difference for difference in computed["differences"]}
    for difference in before["differences"]:
        new = now.get(difference["item"])
        if new is not None and new["found"] != difference["found"]:
            told.append(
                {"what": f"查得{difference['item']}", "before": difference["found"], "now": new["found"]}
            )
    return told


def reports_of(request: VerificationRequest, *, by: User) -> list[Report]:
    """The reports of a request, oldest first."""
    require(by, Act.VIEW_VERIFICATION, region_code=request.region_code)
    return list(request.reports.order_by("pk"))


def report_of(number: str, *, by: User) -> Report:
    """One report within the asker's area, or :class:`ReportNotFound`."""
    require(by, Act.VIEW_VERIFICATION)
    found = Report.objects.filter(number=number, request__region_code__startswith=by.region_code).first()
    if found is None:
        raise ReportNotFound(f"没有找到核对报告 {number}。", f"No report {number} in your area.")
    return found


def valid_report(number: str, *, on: date, by: User) -> Report:
    """A report that can support a decision on a day: in force, and no later one of its request stands.

    Raises :class:`StepRefused` for an expired or overtaken one.
    """
    report = report_of(number, by=by)
    if on > report.valid_to:
        raise StepRefused(
            f"核对报告 {number} 已于 {report.valid_to} 过期，不能作为审核依据。请重新核对。",
            f"Report {number} expired on {report.valid_to}; verify again.",
            code="report_expired",
        )
    later = report.followers.order_by("-pk").first()
    if later is not None:
        raise StepRefused(
            f"核对报告 {number} 之后有复核报告 {later.number}，请以后者为准。",
            f"Report {number} was followed by {later.number}; use that one.",
            code="report_overtaken",
        )
    return report


@transaction.atomic
def export_report(number: str, *, by: User) -> bytes:
    """The canonical content of a report, as somebody else may check it; the export is in the audit log."""
    report = report_of(number, by=by)
    record(
        by=by,
        act="export_report",
        subject=f"verification:{report.request.number}",
        region_code=report.request.region_code,
        detail={"report": number, "sha256": report.sha256},
    )
    return str(report.content).encode()


@transaction.atomic
def look_at_report(number: str, *, by: User) -> tuple[Report, dict[str, Any]]:
    """A report and its content for reading; the look is in the audit log."""
    report = report_of(number, by=by)
    record(
        by=by,
        act=Act.VIEW_VERIFICATION,
        subject=f"verification:{report.request.number}",
        region_code=report.request.region_code,
        detail={"report": number},
    )
    return report, json.loads(report.content)


# ---- checking it again ---------------------------------------------------------------------------------------


def check_report(report: Report, *, pack: Pack, rules: Rules, given: bytes | None = None) -> Checked:
    """Compute a report again from its kept evidence and the pack of then, and say whether it is the same (查验).

    ``given`` is a canonical file that somebody holds: it is compared byte for byte with what was issued.
    """
    try:
        body = report.content.encode()
    except SealBroken as problem:
        return Checked(report.number, False, ({"path": "content", "stored": problem.en, "recomputed": None},))
    found: list[dict[str, Any]] = []
    for name, computed in (("sha256", sha256_of(body)), ("sm3", sm3_of(body))):
        if getattr(report, name) != computed:
            found.append({"path": name, "stored": getattr(report, name), "recomputed": computed})
    content = json.loads(body)
    if given is not None and given != body:
        try:
            found += differences_between(json.loads(given), content, "file")
        except ValueError:
            found.append(
                {"path": "file", "stored": "不是报告的规范格式 / not a canonical report", "recomputed": None}
            )
        if not found:
            found.append({"path": "file", "stored": sha256_of(given), "recomputed": report.sha256})
    try:
        again = json.loads(canonical(_computed(report.request, _pieces_then(report), pack, rules)))
    except DoudiError as problem:
        found.append({"path": "evidence", "stored": problem.en, "recomputed": None})
    else:
        found += differences_between(content["computed"], again, "computed")
    return Checked(report.number, not found, tuple(found))


def _pieces_then(report: Report) -> list[Piece]:
    queries = Query.objects.select_related("person").in_bulk([entry[0] for entry in report.evidence])
    replies = Reply.objects.in_bulk([entry[2] for entry in report.evidence if entry[2] is not None])
    return [
        Piece(queries[query], Status(status), replies[reply] if reply is not None else None)
        for query, status, reply in report.evidence
    ]


# ---- objection -----------------------------------------------------------------------------------------------


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
