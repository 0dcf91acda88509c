"""Reports (核对报告): from kept evidence to a content with a digest, that can be computed again years later."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, refuse_own, require, take_turn
from doudi.contexts.verification.marks import require_whole, sight_of
from doudi.contexts.verification.models import (
    Objection,
    Query,
    Reply,
    Report,
    SupportStatement,
    VerificationRequest,
)
from doudi.contexts.verification.reckoning import Piece, finding_of, pieces_of
from doudi.contexts.verification.requests import StepRefused, go, note, request_of
from doudi.contexts.verification.supporting import latest_statement
from doudi.engine import money
from doudi.engine.errors import DoudiError
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import (
    Rules,
    State,
    canonical,
    differences_between,
    sha256_of,
    sm3_of,
)
from doudi.house.keyring import SealBroken

FORM = "doudi-verification-report/1"


class ReportNotFound(DoudiError):
    """No such report in the asker's area."""

    code = "report_not_found"


@dataclass(frozen=True)
class Checked:
    """Whether a report is what it was: the differences found, each ``{"path", "stored", "recomputed"}``."""

    number: str
    equal: bool
    differences: tuple[dict[str, Any], ...]

    def to_json(self) -> dict[str, Any]:
        return {"report": self.number, "equal": self.equal, "differences": list(self.differences)}


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
    computed = finding_of(request, pieces, pack, rules, latest_statement(request))
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
        "entrusted": [
            {
                "number": check.number,
                "peer": check.peer_label,
                "sources": [rules.sources[code].label for code in check.sources],
                "asked_on": check.asked_on.isoformat(),
                "due_on": check.due_on.isoformat(),
                "receipt": check.receipt or None,
                "state": check.get_state_display(),
                "overdue": check.state != check.State.ANSWERED and check.due_on < today,
            }
            for check in request.entrusted.all()
        ],
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
    earlier_of = {(source["source"], source.get("place", "")): source for source in before["sources"]}
    for other in computed["sources"]:
        one = earlier_of.get((other["source"], other.get("place", "")))
        if one is None:
            told.append({"what": other["label"], "before": "未查", "now": "已委托异地协查"})
            continue
        for old, new in zip(one["people"], other["people"], strict=False):
            if (old["status"], old["raw_hash"]) != (new["status"], new["raw_hash"]):
                what = f"{other['label']}（{names[new['person']]}）"
                shown = [f"{side['label']} {side['rows'] or 0}条" for side in (old, new)]
                told.append({"what": what, "before": shown[0], "now": shown[1]})
    old_support, new_support = (_owed(side) for side in (before, computed))
    if old_support != new_support:
        told.append({"what": "应付赡养费", "before": old_support, "now": new_support})
    now = {difference["item"]: difference for difference in computed["differences"]}
    for difference in before["differences"]:
        new = now.get(difference["item"])
        if new is not None and new["found"] != difference["found"]:
            told.append(
                {"what": f"查得{difference['item']}", "before": difference["found"], "now": new["found"]}
            )
    return told


def _owed(computed: Mapping[str, Any]) -> str:
    if "support" not in computed:
        return "未登记"
    amounts = [line["amount"] for line in computed["support"]["owed"]]
    return "待核" if None in amounts else f"{money.format_yuan(sum(amounts))}元／月"


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
    people = [bytes(person.id_blind) for person in found.request.people.all()]
    refuse_own(people, subject=f"verification:{found.request.number}", by=by)
    return found


@dataclass(frozen=True)
class Standing:
    """What anybody who holds a report's code may know of it: whether it stands, and its digests; nothing of the family."""

    number: str
    issued_on: date
    valid_to: date
    expired: bool
    followed_by: str
    sha256: str
    sm3: str


def report_by_code(code: str) -> Standing | None:
    """The standing of the report with a code (查验码) as it is printed on the paper; the code cannot be guessed (64 bits)."""
    written = code.strip().upper()
    found = Report.objects.filter(check_code=written).first() if len(written) == 16 else None
    if found is None:
        return None
    later = found.followers.order_by("-pk").first()
    return Standing(
        found.number, found.issued_on, found.valid_to, timezone.localdate() > found.valid_to,
        later.number if later is not None else "", found.sha256, found.sm3,
    )  # fmt: skip


def valid_report(number: str, *, on: date, by: User) -> Report:
    """A report that can support a decision on a day: in force, and no later one of its request stands.

    Raises :class:`StepRefused` for an expired or overtaken one.
    """
    report = report_of(number, by=by)
    if on < report.issued_on:
        raise StepRefused(
            f"核对报告 {number} 于 {report.issued_on} 出具，不能作为此前决定的依据。",
            f"Report {number} was issued on {report.issued_on}, after that day.",
            code="report_later",
        )
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
def export_report(number: str, *, rules: Rules, by: User) -> bytes:
    """The canonical content of a report, as somebody else may check it; the export is in the audit log.

    Raises :class:`StepRefused` where the account may not see every data element in it.
    """
    report = report_of(number, by=by)
    require_whole(json.loads(report.content), sight_of(rules, by))
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
        then = _statement_then(report.request, content["computed"])
        again = json.loads(canonical(finding_of(report.request, _pieces_then(report), pack, rules, then)))
    except DoudiError as problem:
        found.append({"path": "evidence", "stored": problem.en, "recomputed": None})
    else:
        if "monthly_cost" not in content["computed"]["situation"]:
            # a report of before the amount stood in it is computed again without it
            del again["situation"]["monthly_cost"]
        found += differences_between(content["computed"], again, "computed")
    return Checked(report.number, not found, tuple(found))


def _statement_then(request: VerificationRequest, computed: Mapping[str, Any]) -> SupportStatement | None:
    """The statement of supporters that a report stands on; a later one is not looked at."""
    told = computed.get("support")
    return request.support.filter(pk=told["statement"]).first() if told is not None else None


def _pieces_then(report: Report) -> list[Piece]:
    queries = Query.objects.select_related("person").in_bulk([entry[0] for entry in report.evidence])
    replies = Reply.objects.in_bulk([entry[2] for entry in report.evidence if entry[2] is not None])
    return [
        Piece(queries[query], Status(status), replies[reply] if reply is not None else None)
        for query, status, reply in report.evidence
    ]
