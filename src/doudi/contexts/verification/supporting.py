"""The support of those who live apart (赡养费核算): what the township found out of the legal supporters, and what follows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.verification.models import RequestPerson, SupportStatement, VerificationRequest
from doudi.contexts.verification.requests import StepRefused, note, request_of
from doudi.engine import identity
from doudi.engine.feeds import FeedSpec
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import (
    Answer,
    Obligor,
    Rules,
    Situation,
    State,
    SupportRules,
    canonical,
    evidence_of,
    support_rows,
)
from doudi.house.attachments import keep_attachment


@transaction.atomic
def state_support(
    number: str,
    obligors: Sequence[Obligor],
    *,
    pack: Pack,
    rules: Rules,
    by: User,
    evidence: bytes = b"",
    evidence_name: str = "",
) -> SupportStatement:
    """State every legal supporter who lives apart of a request (赡养情况); an empty list says there is none.

    A later statement takes the place of the earlier, which is kept; the same again writes nothing. Raises
    :class:`StepRefused` where a line is not whole, or the request has its report and is not under review.
    """
    request = request_of(number, by=by)
    require(by, Act.COLLECT_AUTHORISATION, region_code=request.region_code)
    take_turn()
    request.refresh_from_db()
    support = _declared(rules)
    if not State(request.state).open:
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，赡养情况不能再改；有不同意见请登记异议。",
            f"Request {number} is {request.state}; the support can no longer be changed: register an objection.",
        )
    _check(obligors, support, pack.feeds[support.feed], _members(request))
    body = canonical([obligor.to_json() for obligor in obligors]).decode()
    last = latest_statement(request)
    kept = keep_attachment(evidence) if evidence else None
    if last is not None and last.lines == body and (kept is None or kept.digest == last.evidence_hash):
        return last
    statement = SupportStatement.objects.create(
        request=request,
        lines=body,
        stated_by=by.username,
        evidence_hash=kept.digest if kept else "",
        evidence_name=evidence_name[-255:] if kept else "",
    )
    said = f"{len(obligors)} 名不共同生活的法定赡养人" if obligors else "没有不共同生活的法定赡养人"
    note(request, by=by, kind="support", text=f"登记赡养情况：{said}")
    record(by=by, act="state_support", subject=f"verification:{number}", region_code=request.region_code,
           detail={"statement": statement.pk, "obligors": len(obligors), "follows": last.pk if last else None})  # fmt: skip
    return statement


def latest_statement(request: VerificationRequest) -> SupportStatement | None:
    """The statement that counts now; None where the township has not said anything."""
    return request.support.order_by("-pk").first()


def obligors_of(statement: SupportStatement | None) -> list[Obligor]:
    """The supporters of a statement in its order."""
    return [Obligor.from_json(line) for line in json.loads(statement.lines)] if statement is not None else []


def support_answer(statement: SupportStatement, support: SupportRules) -> Answer:
    """The statement as the answer of the pack's feed."""
    members = _members(statement.request)
    rows = support_rows(
        support, obligors_of(statement), {place: (one.id_number, one.name) for place, one in members.items()}
    )
    return Answer(Status.KNOWN if rows else Status.NO_RECORD, tuple(rows))


def support_told(
    statement: SupportStatement, support: SupportRules, situation: Situation, position_of: Mapping[int, int]
) -> dict[str, Any]:
    """What a report says of the support: who owes on what evidence, how much is owed to whom, by which parameters.

    ``position_of``: member of the explanation → position in the request. Of an obligor no more than the surname.
    """
    owed = [told for told in situation.explanation.variables if told.name == support.amount]
    counted = situation.value(support.counted)
    parameters = {
        p.parameter: f"{p.parameter}={p.text}（{p.document}）" for told in owed for p in told.parameters
    }
    lines = []
    for obligor in obligors_of(statement):
        evidence, amount = evidence_of(support, obligor)
        lines.append(
            {
                "name": identity.mask_name(obligor.name),
                "relation": obligor.relation,
                "supported": list(obligor.supported),
                "evidence": evidence,
                "amount": amount,
                "category": obligor.category,
                "persons": obligor.persons if amount is None else None,
                "income": obligor.income if amount is None else None,
                "parents": obligor.parents if amount is None else None,
            }
        )
    return {
        "statement": statement.pk,
        "lines": lines,
        "owed": [
            {"person": position_of[told.member], "amount": None if told.value is None else int(told.value)}
            for told in owed
            if told.member is not None
        ],
        "counted": None if counted is None else int(counted),
        "clause": owed[0].clause if owed else "",
        "reason": owed[0].reason if owed else "",
        "parameters": list(parameters.values()),
    }  # fmt: skip


def _declared(rules: Rules) -> SupportRules:
    if rules.support is None:
        raise StepRefused(
            "现行政策包没有赡养费的核算规则（verification.yaml 的“赡养”）。",
            "The pack in force declares no rules for support (赡养 in verification.yaml).",
            code="support_undeclared",
        )
    return rules.support


def members_of(request: VerificationRequest) -> list[RequestPerson]:
    """The jointly living members of a request in its order, supporters left out."""
    return list(request.people.filter(part=RequestPerson.Part.MEMBER))


def _members(request: VerificationRequest) -> dict[int, RequestPerson]:
    return {person.position: person for person in members_of(request)}


def _check(
    obligors: Sequence[Obligor], support: SupportRules, spec: FeedSpec, members: Mapping[int, RequestPerson]
) -> None:
    most = max(int(code) for code in spec.column(support.parents).codes)
    categories = support.categories(spec)
    for place, one in enumerate(obligors, 1):
        wrong = ""
        if not one.name.strip():
            wrong = "请填姓名"
        elif not one.supported or set(one.supported) - set(members):
            wrong = "请选择赡养的是哪几位成员"
        elif any(amount is not None and amount < 0 for amount in (one.judged, one.paid, one.income)):
            wrong = "金额不能是负数"
        elif one.category not in (categories if evidence_of(support, one)[1] is None else ("", *categories)):
            wrong = f"请选择义务人类别（{'、'.join(categories)}）"
        elif evidence_of(support, one)[1] is None and (one.persons < 1 or not 1 <= one.parents <= most):
            wrong = f"没有判决、协议和实际支付的，请填家庭人口、家庭月收入和赡养老人数（1 至 {most}）"
        elif evidence_of(support, one)[1] is None and one.parents < len(one.supported):
            wrong = "赡养老人数不能少于选中的成员数"
        if wrong:
            raise StepRefused(
                f"第 {place} 名赡养人（{one.name.strip() or '未填姓名'}）：{wrong}。",
                f"Supporter {place}: name, whom, and either an amount or persons, income and number of parents.",
                code="support_incomplete",
            )
