"""Authorisations (核对授权): who allowed which queries until when, and the gate that every query passes.

《社会救助暂行办法》第五十八条: at the family's request or on its authorisation; 个人信息保护法 第二十九条, 第三十一条.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.contexts.verification.models import (
    Authorisation,
    Query,
    RequestPerson,
    VerificationRequest,
)
from doudi.contexts.verification.requests import StepRefused, go, note, request_of, settle
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.status import Status
from doudi.engine.verification import Rules, State
from doudi.house.attachments import keep_attachment
from doudi.house.keyring import keyring

ADULT = 18
"""Years: below it a guardian signs (民法典 第十七条, 第二十七条)."""


class Unauthorised(DoudiError):
    """No authorisation in force covers the query: it does not go out."""

    code = "unauthorised"


@dataclass(frozen=True)
class Gap:
    """A person and the sources for which no authorisation is in force."""

    person: RequestPerson
    sources: tuple[str, ...]


@transaction.atomic
def authorise(
    rules: Rules,
    *,
    name: str,
    id_number: str,
    region_code: str,
    purposes: Sequence[str],
    sources: Sequence[str],
    signed_on: date,
    way: str,
    signer: str,
    evidence: bytes,
    evidence_name: str,
    by: User,
    guardian_relation: str = "",
    months: int | None = None,
    limited_capacity: bool = False,
) -> Authorisation:
    """Register a signed authorisation with its scan, photo or signature; ``months`` at most the pack's.

    For a person under eighteen or of limited capacity the guardian signs and says in which relation. The same paper
    of the same person again gives the authorisation that stands. Raises :class:`StepRefused`, keeps nothing then.
    """
    require(by, Act.COLLECT_AUTHORISATION, region_code=region_code)
    take_turn()
    number = identity.mend_id(id_number)
    today = timezone.localdate()
    if number is None:
        raise StepRefused(
            "授权人的身份证号不对，请核对。", "The ID is not valid; check it.", code="id_invalid"
        )
    if signed_on > today:
        raise StepRefused("签署日期不能晚于今天。", "The signature cannot lie in the future.")
    if way not in Authorisation.Way.values:
        raise StepRefused("请选择签署方式。", "Choose how it was signed.")
    unknown = [code for code in purposes if code not in rules.purposes]
    unknown += [code for code in sources if code not in rules.sources]
    if unknown or not purposes or not sources:
        raise StepRefused(
            "授权书要写明用途和查询范围，且须在目录之内。",
            "An authorisation names purposes and sources of the list.",
        )
    born = identity.birth_date_of(number)
    age = relativedelta(signed_on, born).years
    if age < ADULT or limited_capacity:
        if not guardian_relation.strip() or signer.strip() == name.strip():
            raise StepRefused(
                f"{name}未满{ADULT}周岁或行为能力受限，须由监护人签署并写明监护关系。",
                f"{name} is a minor or of limited capacity: the guardian signs and states the relation.",
                code="guardian_needed",
            )
    elif signer.strip() != name.strip():
        raise StepRefused(
            f"授权书须由{name}本人签署；签署人写的是“{signer}”。",
            "An adult signs for himself; the signer is somebody else.",
            code="own_signature_needed",
        )
    kept = keep_attachment(evidence)
    blind = keyring().digest(number, purpose=ID_PURPOSE)
    standing = Authorisation.objects.filter(
        id_blind=blind, evidence_hash=kept.digest, withdrawn_at=None
    ).first()
    if standing is not None:
        return standing
    most = rules.authorisation_months
    earlier = Authorisation.objects.filter(number__startswith=f"SQ{today:%Y%m%d}").count()
    given = Authorisation.objects.create(
        number=f"SQ{today:%Y%m%d}-{earlier + 1:04d}",
        id_blind=blind,
        name=name.strip(),
        region_code=region_code,
        purposes=list(purposes),
        sources=list(sources),
        signed_on=signed_on,
        valid_to=signed_on + relativedelta(months=min(months or most, most), days=-1),
        way=way,
        signer=signer.strip(),
        guardian_relation=guardian_relation.strip(),
        evidence_hash=kept.digest,
        evidence_name=evidence_name[-255:],
        collected_by=by.username,
    )
    record(
        by=by,
        act=Act.COLLECT_AUTHORISATION,
        subject=f"authorisation:{given.number}",
        region_code=region_code,
        detail={"purposes": given.purposes, "sources": given.sources, "valid_to": given.valid_to,
                "evidence": kept.digest},
    )  # fmt: skip
    return given


@transaction.atomic
def withdraw_authorisation(number: str, *, why: str, by: User) -> int:
    """Withdraw an authorisation (撤回); queries on it that nobody has answered are cancelled. Returns how many."""
    require(by, Act.COLLECT_AUTHORISATION)
    take_turn()
    found = Authorisation.objects.filter(number=number, region_code__startswith=by.region_code).first()
    if found is None:
        raise Unauthorised(
            f"没有找到授权书 {number}。", f"No authorisation {number}.", code="authorisation_unknown"
        )
    if found.withdrawn_at is not None:
        return 0
    found.withdrawn_at, found.withdrawn_why = timezone.now(), why.strip()[:300]
    found.save(update_fields=["withdrawn_at", "withdrawn_why"])
    waiting = Query.objects.filter(authorisation=found, status=Status.NOT_ARRIVED)
    touched = list(VerificationRequest.objects.filter(queries__in=waiting).distinct())
    stopped = waiting.update(status=Status.UNAUTHORISED, problem="授权已撤回，查询停止")
    for request in touched:
        note(request, by=by, kind="withdraw", text=f"{found.name}撤回授权 {number}，未返回的查询停止")
        settle(request, by=by)
    record(
        by=by,
        act="withdraw_authorisation",
        subject=f"authorisation:{number}",
        region_code=found.region_code,
        reason=why,
        detail={"queries_stopped": stopped},
    )
    return stopped


def authorisation_for(person: RequestPerson, *, purpose: str, source: str, on: date) -> Authorisation | None:
    """The authorisation in force that covers a query, the newest if there are several; None: it must not go out."""
    return covering([person], purpose=purpose, on=on)(person, source)


def covering(
    people: Sequence[RequestPerson], *, purpose: str, on: date
) -> Callable[[RequestPerson, str], Authorisation | None]:
    """:func:`authorisation_for` of many people and sources at one moment, read at once."""
    by_blind: dict[bytes, list[Authorisation]] = {}
    for given in Authorisation.objects.filter(
        id_blind__in=[bytes(person.id_blind) for person in people], withdrawn_at=None, valid_to__gte=on
    ):
        by_blind.setdefault(bytes(given.id_blind), []).append(given)

    def of(person: RequestPerson, source: str) -> Authorisation | None:
        mine = by_blind.get(bytes(person.id_blind), [])
        return next((given for given in mine if given.covers(purpose=purpose, source=source, on=on)), None)

    return of


def authorisations_of(request: VerificationRequest, *, by: User) -> QuerySet[Authorisation]:
    """Every authorisation that the people of a request ever gave, newest first."""
    require(by, Act.VIEW_VERIFICATION, region_code=request.region_code)
    return Authorisation.objects.filter(id_blind__in=[bytes(p.id_blind) for p in request.people.all()])


def authorisations_by(number: str) -> QuerySet[Authorisation]:
    """Every authorisation that a person ever gave, by the 18-digit number, for telling the person."""
    return Authorisation.objects.filter(id_blind=keyring().digest(number, purpose=ID_PURPOSE))


def gaps(request: VerificationRequest) -> list[Gap]:
    """For whom an authorisation is missing, and for which sources of the request."""
    on = timezone.localdate()
    missing = []
    people = list(request.people.all())
    given = covering(people, purpose=request.purpose, on=on)
    for person in people:
        uncovered = tuple(source for source in request.sources if given(person, source) is None)
        if uncovered:
            missing.append(Gap(person, uncovered))
    return missing


@transaction.atomic
def confirm_authorised(number: str, *, by: User, seen: int | None = None) -> VerificationRequest:
    """Mark a request as authorised: every member's authorisation covers every source (已授权).

    Raises :class:`Unauthorised` and names who is missing; the request can still be queried for the others.
    """
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.COLLECT_AUTHORISATION, region_code=request.region_code)
    missing = [gap for gap in gaps(request) if gap.person.part == RequestPerson.Part.MEMBER]
    if missing:
        names = "、".join(gap.person.name for gap in missing)
        raise Unauthorised(
            f"还缺 {names} 的授权（或已过期、撤回、范围不够）。请补齐授权书。",
            f"Authorisation is missing for {len(missing)} member(s).",
        )
    go(request, State.AUTHORISED, seen=seen)
    note(request, by=by, kind="authorise", text="成员授权齐全")
    record(by=by, act=Act.COLLECT_AUTHORISATION, subject=f"verification:{number}",
           region_code=request.region_code, detail={"state": request.state})  # fmt: skip
    return request
