"""Checks that we make for another house (异地协查), the other side: take it with a receipt, say how far it is, stop.

The request is signed with the secret of both houses and comes through an account of this one, whose key covers this act
alone. It becomes a request like any other: the people's authorisations are registered with the digest of the paper, whose
original the asking house keeps, and the gate stands before every source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.contexts.verification.asking import rows_of
from doudi.contexts.verification.connectors import Peer, peers, secret_of
from doudi.contexts.verification.models import (
    Authorisation,
    Query,
    RequestPerson,
    SeenNonce,
    VerificationRequest,
)
from doudi.contexts.verification.requests import StepRefused, accept_entrusted, latest_queries, note, settle
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import Rules, State, rows_as_text
from doudi.house import signing
from doudi.house.keyring import keyring

KIND = "cross_region"
MOST_PEOPLE = 30


@dataclass(frozen=True)
class Sender:
    """A house whose signature was checked: its code and secret for the answer."""

    peer: Peer
    nonce: str
    secret: str
    algorithm: str


@dataclass(frozen=True)
class EntrustedPaper:
    """The authorisation of one person as the asking house registered it."""

    number: str
    signed_on: date
    valid_to: date
    way: str
    signer: str
    guardian_relation: str
    evidence_sha256: str


@dataclass(frozen=True)
class EntrustedPerson:
    """A person to be checked, at which sources, on which paper."""

    position: int
    name: str
    id_number: str
    relation: str
    sources: Sequence[str]
    authorisation: EntrustedPaper


def sender_of(method: str, path: str, body: bytes, headers: Mapping[str, str], *, by: User) -> Sender:
    """Who signed a request, its nonce let through once. Raises :class:`SignatureRefused`."""
    require(by, Act.TAKE_ENTRUSTED)
    key = headers.get(signing.KEY, "")
    peer = next((found for found in peers().values() if found.connection.key == key), None)
    if peer is None:
        raise signing.SignatureRefused(
            "请求没有签名，或签名的账号不在 connectors.yaml 的 peers 里。",
            "The request is not signed, or by a key that is no peer's.",
            code="signature_missing" if not key else "signature_unknown",
        )
    secret = secret_of(peer.connection.secret, what=peer.label)
    nonce = signing.check(method, path, body, headers, secret=secret)
    now = timezone.now()
    SeenNonce.objects.filter(at__lt=now - timedelta(seconds=3 * signing.WINDOW)).delete()
    try:
        with transaction.atomic():
            SeenNonce.objects.create(key=key, nonce=nonce)
    except IntegrityError:
        raise signing.SignatureRefused(
            "这条请求已经来过。", "This request has come before.", code="signature_replayed"
        ) from None
    return Sender(peer, nonce, secret, headers[signing.ALGORITHM])


@transaction.atomic
def take_entrusted(
    sender: Sender,
    *,
    number: str,
    purpose: str,
    as_of: date,
    urban_rural: str,
    requested_by: str,
    people: Sequence[EntrustedPerson],
    rules: Rules,
    by: User,
) -> VerificationRequest:
    """Take another house's check in; the same number again gives the same request, whose number is the receipt.

    Raises :class:`StepRefused` where something is not right; nothing is kept then.
    """
    require(by, Act.TAKE_ENTRUSTED)
    take_turn()
    peer = sender.peer
    standing = VerificationRequest.objects.filter(entrusted_by=peer.code, entrusted_number=number).first()
    if standing is not None:
        return standing
    if len(by.region_code) < 6:
        raise StepRefused(
            "接收异地协查的账号须属于一个县。", "The account that takes checks belongs to a county."
        )
    if purpose not in rules.purposes:
        raise StepRefused(
            f"本地没有用途“{purpose}”。", f"No purpose {purpose!r} here.", code="purpose_unknown"
        )
    if not 1 <= len(people) <= MOST_PEOPLE:
        raise StepRefused(f"一次协查 1 到 {MOST_PEOPLE} 人。", f"A check is of 1 to {MOST_PEOPLE} people.")
    wanted = sorted({source for person in people for source in person.sources} & set(rules.sources))
    if not wanted:
        raise StepRefused(
            "本地没有所要的来源。", "None of the sources is declared here.", code="source_unknown"
        )
    today = timezone.localdate()
    for person in people:
        _check(person, today)
    request = accept_entrusted(
        kind=rules.kinds[KIND], purpose=purpose, region_code=by.region_code, urban_rural=urban_rural,
        sources=wanted, as_of=as_of, requested_by=f"{peer.label}：{requested_by}"[:80],
        entrusted_by=peer.code, entrusted_number=number, by=by,
    )  # fmt: skip
    for person in people:
        _enter(
            request, person, peer, purpose, [code for code in person.sources if code in rules.sources], by=by
        )
    record(by=by, act=Act.TAKE_ENTRUSTED, subject=f"verification:{request.number}", region_code=by.region_code,
           detail={"peer": peer.code, "number": number, "people": len(people), "sources": wanted})  # fmt: skip
    return request


def _check(person: EntrustedPerson, today: date) -> None:
    if identity.mend_id(person.id_number) != person.id_number or not person.name.strip():
        raise StepRefused(
            f"第 {person.position} 人的姓名或身份证号不对。", f"Person {person.position}: name or ID is not valid.",
            code="id_invalid",
        )  # fmt: skip
    paper = person.authorisation
    if not paper.signed_on <= today <= paper.valid_to or len(paper.evidence_sha256) != 64:
        raise StepRefused(
            f"第 {person.position} 人的授权书不在有效期内，或没有凭证摘要。",
            f"Person {person.position}: the authorisation is not in force, or without digest.",
            code="unauthorised",
        )
    if paper.way not in Authorisation.Way.values:
        raise StepRefused("签署方式不对。", "The way of signing is unknown.")


def _enter(
    request: VerificationRequest,
    person: EntrustedPerson,
    peer: Peer,
    purpose: str,
    sources: list[str],
    *,
    by: User,
) -> None:
    blind = keyring().digest(person.id_number, purpose=ID_PURPOSE)
    paper = person.authorisation
    RequestPerson.objects.create(
        request=request, position=person.position, name=person.name.strip(), id_number=person.id_number,
        id_blind=blind, relation=person.relation, living_together=True,
    )  # fmt: skip
    Authorisation.objects.get_or_create(
        number=f"{request.number}-{person.position}",
        defaults={
            "id_blind": blind,
            "name": person.name.strip(),
            "region_code": by.region_code,
            "purposes": [purpose],
            "sources": sources,
            "signed_on": paper.signed_on,
            "valid_to": paper.valid_to,
            "way": paper.way,
            "signer": paper.signer,
            "guardian_relation": paper.guardian_relation,
            "evidence_hash": paper.evidence_sha256,
            "evidence_name": f"{peer.label} {paper.number}（原件由委托方留存）"[:255],
            "collected_by": by.username,
        },
    )


def entrusted_request(sender: Sender, number: str, *, by: User) -> VerificationRequest:
    """The request that another house's number became, its own alone."""
    require(by, Act.TAKE_ENTRUSTED)
    found = VerificationRequest.objects.filter(
        entrusted_by=sender.peer.code, entrusted_number=number, region_code__startswith=by.region_code
    ).first()
    if found is None:
        raise DoudiError(f"没有协查 {number}。", f"No check {number}.", code="entrusted_not_found")
    return found


@transaction.atomic
def entrusted_answers(
    sender: Sender, number: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User
) -> tuple[VerificationRequest, list[dict[str, Any]]]:
    """What our sources said so far, as texts by position and source; the giving is in the audit log."""
    request = entrusted_request(sender, number, by=by)
    answers = []
    for query in latest_queries(request):
        if query.place:
            continue
        status = Status(query.status)
        reply = query.replies.order_by("-pk").first() if status.decided else None
        spec = specs[rules.sources[query.source].feed]
        answers.append(
            {
                "position": query.person.position,
                "source": query.source,
                "status": str(status),
                "as_of": reply.source_as_of.isoformat() if reply is not None else None,
                "rows": rows_as_text(spec, rows_of(reply, spec)) if reply is not None else [],
                "why": query.problem if status is Status.FAILED else "",
            }
        )
    record(by=by, act="give_entrusted", subject=f"verification:{request.number}", region_code=request.region_code,
           detail={"peer": sender.peer.code, "answers": sum(bool(one["as_of"]) for one in answers)})  # fmt: skip
    return request, answers


@transaction.atomic
def stop_entrusted(sender: Sender, number: str, positions: Sequence[int], *, by: User) -> int:
    """People withdrew at the asking house: their authorisations end here too, and open queries stop. Returns how many."""
    take_turn()
    request = entrusted_request(sender, number, by=by)
    numbers = [f"{request.number}-{position}" for position in positions]
    now = timezone.now()
    Authorisation.objects.filter(number__in=numbers, withdrawn_at=None).update(
        withdrawn_at=now, withdrawn_why="委托方告知：本人撤回"
    )
    stopped = Query.objects.filter(
        request=request, authorisation__number__in=numbers, status=Status.NOT_ARRIVED
    ).update(status=Status.UNAUTHORISED, problem="授权已撤回，查询停止")
    note(request, by=by, kind="withdraw", text=f"委托方告知 {len(positions)} 人撤回授权，未返回的查询停止")
    record(by=by, act="withdraw_authorisation", subject=f"verification:{request.number}",
           region_code=request.region_code, detail={"people": len(positions), "queries_stopped": stopped})  # fmt: skip
    if State(request.state).open:
        settle(request, by=by)
    return stopped
