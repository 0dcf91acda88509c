"""What is known of a household now and what follows from it (核对结果): from kept replies to values, differences and advice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.verification.asking import rows_of
from doudi.contexts.verification.models import (
    Query,
    Reply,
    RequestPerson,
    SupportStatement,
    VerificationRequest,
)
from doudi.contexts.verification.requests import latest_queries, request_of
from doudi.contexts.verification.supporting import latest_statement, support_answer, support_told
from doudi.engine import identity
from doudi.engine import verification as engine
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification import (
    Answer,
    DeclaredAmount,
    HouseholdMember,
    Rules,
)

_WORST_FIRST = (Status.UNAUTHORISED, Status.FAILED, Status.NOT_ARRIVED, Status.NOT_ASKED)


@dataclass(frozen=True)
class Piece:
    """One query as a report saw it: its status then, and the reply it rests on."""

    query: Query
    status: Status
    reply: Reply | None


def pieces_of(request: VerificationRequest) -> list[Piece]:
    """What is known now: the newest round of every person and source."""
    queries = latest_queries(request)
    newest: dict[int, Reply] = {}
    for reply in Reply.objects.filter(query__in=[query.pk for query in queries]).order_by("pk"):
        newest[reply.query_id] = reply
    return [Piece(query, Status(query.status), newest.get(query.pk)) for query in queries]


def preview(number: str, *, pack: Pack, rules: Rules, by: User) -> dict[str, Any]:
    """What the report would say now (比对): situation, differences, advice; kept nowhere."""
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    return finding_of(request, pieces_of(request), pack, rules, latest_statement(request))


@dataclass(frozen=True)
class Finding:
    """What a report would say, with what a re-check measures a gap by."""

    computed: dict[str, Any]
    fits: tuple[str, ...]
    """The values that say whether the categories of the purpose hold."""
    limits: Mapping[str, Fraction | None]
    """By item of a balance what its minor part is taken of."""


def finding_of(
    request: VerificationRequest,
    pieces: Sequence[Piece],
    pack: Pack,
    rules: Rules,
    statement: SupportStatement | None,
) -> dict[str, Any]:
    """What follows from replies, and from what the township stated of supporters who live apart."""
    return found_of(request, pieces, pack, rules, statement).computed


def found_of(
    request: VerificationRequest,
    pieces: Sequence[Piece],
    pack: Pack,
    rules: Rules,
    statement: SupportStatement | None,
) -> Finding:
    """:func:`finding_of`, with what a re-check measures a gap by."""
    people = list(request.people.all())
    members = [person for person in people if person.part == RequestPerson.Part.MEMBER]
    household = [
        HouseholdMember(p.id_number, p.name, p.relation, p.living_together, p.category) for p in members
    ]
    answers = _answers(request, pieces, members, pack, rules)
    if statement is not None and rules.support is not None:
        answers[rules.support.feed] = support_answer(statement, rules.support)
    declared = [
        DeclaredAmount(person.id_number, line.item, line.amount)
        for person in members
        for line in person.declared.order_by("item")
    ]

    facts: dict[str, Any] = {
        "household_no": request.household_no or request.number,
        "region_code": request.region_code,
        "urban_rural": request.urban_rural,
        "as_of": request.as_of,
    }
    situation = engine.reckon(pack, household, answers, **facts)
    differences = engine.compare(
        rules,
        pack.feeds,
        situation,
        declared,
        answers,
        members=household,
        as_of=request.as_of,
        category_again=lambda given: engine.category_of(pack, household, given, **facts),
    )
    advice = engine.advise(pack, rules.purposes[request.purpose], situation, differences)
    explanation = situation.explanation
    order = {p.id_number: p.position for p in members}
    by_key = [order[number] for number in sorted(order)]
    support = {}
    if statement is not None and rules.support is not None:
        places = dict(enumerate(by_key, 1))
        # a report of before there were statements has no such part, and is computed again without it
        support = {"support": support_told(statement, rules.support, situation, places)}
    computed = {
        **support,
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
            "monthly_cost": explanation.row["monthly_cost"],
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
    wanted = rules.purposes[request.purpose].categories
    return Finding(
        computed,
        tuple(f"类别:{c.name}" for c in pack.categories if c.code in wanted and c.condition is not None),
        {item.name: engine.limit_of(item, situation) for item in rules.items.values()},
    )


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
        here = [piece for piece in found if not piece.query.place]
        # what was asked elsewhere (异地协查) counts with it: neither is whole without the other
        statuses = {piece.status for piece in found} if len(here) == len(own) else {Status.NOT_ASKED}
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
        found = {p.query.person_id: p for p in pieces if p.query.source == code and not p.query.place}
        rows = [_source_row(person, found.get(person.pk)) for person in people]
        told.append({"source": code, "label": rules.sources[code].label, "people": rows})
    for check in request.entrusted.all():
        for code in check.sources:
            found = {
                p.query.person_id: p for p in pieces if p.query.source == code and p.query.place == check.peer
            }
            if not found:
                continue
            told.append(
                {
                    "source": code,
                    "label": f"{rules.sources[code].label}（异地：{check.peer_label}）",
                    "place": check.peer,
                    "people": [_source_row(person, found.get(person.pk)) for person in people],
                }
            )
    return told


def _source_row(person: RequestPerson, piece: Piece | None) -> dict[str, Any]:
    status = piece.status if piece is not None else Status.NOT_ASKED
    reply = piece.reply if piece is not None and status.decided else None
    return {
        "person": person.position,
        "status": str(status),
        "label": status.label,
        "as_of": reply.source_as_of.isoformat() if reply is not None else None,
        "rows": reply.row_count if reply is not None else None,
        "raw_hash": reply.raw_hash if reply is not None else None,
    }
