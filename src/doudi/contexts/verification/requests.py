"""Requests (委托单): opening, declaring, accepting, sending back; each step only where the state allows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, refuse_own, require, take_turn
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.contexts.verification.models import (
    DeclaredItem,
    Query,
    RequestBatch,
    RequestEvent,
    RequestPerson,
    RequestQuerySet,
    VerificationRequest,
)
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.status import Status
from doudi.engine.verification import Kind, Rules, State, may_go
from doudi.engine.workdays import add_workdays
from doudi.house.keyring import keyring


class RequestNotFound(DoudiError):
    """No such request in the asker's area."""

    code = "request_not_found"


class StepRefused(DoudiError):
    """The step does not fit the state of the request, or something it needs is missing."""

    code = "step_refused"


@dataclass(frozen=True)
class PersonAsked:
    """A person as the request names him; ``declared`` maps an item to a year's or balance's fen, or a count."""

    name: str
    id_number: str
    relation: str
    living_together: bool = True
    supporter: bool = False
    category: str = ""
    declared: Mapping[str, int] | None = None


def requests(*, by: User, state: str = "") -> RequestQuerySet:
    """Requests of the asker's area; ``state`` a state, ``open``, ``overdue`` or empty for all."""
    require(by, Act.VIEW_VERIFICATION)
    found = registry.but_own(
        VerificationRequest.objects.visible_to(by), by=by, household="household_no", blind="people__id_blind"
    )
    if state == "open":
        return found.open()
    if state == "overdue":
        return found.overdue(timezone.localdate())
    return found.filter(state=state) if state else found.order_by("-pk")


def request_of(number: str, *, by: User) -> VerificationRequest:
    """One request within the asker's area, or :class:`RequestNotFound`."""
    require(by, Act.VIEW_VERIFICATION)
    found = VerificationRequest.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise RequestNotFound(
            f"没有找到委托单 {number}，或不在您的辖区。请核对编号。",
            f"No request {number} in your area; check the number.",
        )
    registry.refuse_own_file(found.household_no, by=by)
    # who is named in it need not be of the household: supporters, people of another house's check
    refuse_own(found.people.values_list("id_blind", flat=True), subject=f"verification:{found.number}", by=by)
    return found


@transaction.atomic
def look_at_request(number: str, *, by: User) -> VerificationRequest:
    """:func:`request_of`, with the look in the audit log."""
    found = request_of(number, by=by)
    record(
        by=by,
        act=Act.VIEW_VERIFICATION,
        subject=f"verification:{number}",
        region_code=found.region_code,
        detail={"fields": ["people", "queries", "reports"]},
    )
    return found


def note(request: VerificationRequest, *, by: User, kind: str, text: str) -> RequestEvent:
    """One line on the timeline."""
    return RequestEvent.write(request=request, by=by, kind=kind, text=text)


def go(request: VerificationRequest, to: State, *, seen: int | None = None, **changes: Any) -> None:
    """Bring a request to another state by a conditional update; an illegal step and a step outrun are refused."""
    if not may_go(State(request.state), to):
        raise StepRefused(
            f"委托单 {request.number} 现为“{State(request.state).label}”，不能转为“{to.label}”。",
            f"Request {request.number} is {request.state}; it cannot become {to.value}.",
        )
    version = request.version if seen is None else seen
    done = VerificationRequest.objects.filter(pk=request.pk, version=version, state=request.state).update(
        state=to, version=version + 1, **changes
    )
    if not done:
        now = VerificationRequest.objects.get(pk=request.pk)
        raise StepRefused(
            f"委托单 {request.number} 刚被他人处理，现为“{now.get_state_display()}”。请刷新后再办。",
            f"Request {request.number} was just handled by somebody else and is {now.state}; reload the page.",
            code="outrun",
        )
    request.refresh_from_db()


def latest_queries(request: VerificationRequest) -> list[Query]:
    """The newest round of every person, source and place of a request."""
    # not by select_related: a person's sealed number would be opened once for each question
    people = {person.pk: person for person in request.people.all()}
    newest: dict[tuple[int, str, str], Query] = {}
    for query in request.queries.order_by("round"):
        query.person = people[query.person_id]
        newest[(query.person_id, query.source, query.place)] = query
    return sorted(newest.values(), key=lambda query: (query.person.position, query.source, query.place))


def settle(request: VerificationRequest, *, by: User) -> None:
    """Bring the state to what the replies say: 部分返回 while some are out, 比对 once every one has an end."""
    request.refresh_from_db()
    if request.state in (State.REPORTED, State.REVIEWED):
        go(request, State.REVIEWING)
        note(request, by=by, kind="state", text="报告出具后收到迟到的回复，转入复核，另出报告")
        return
    if request.state not in (State.QUERYING, State.PARTIAL, State.COMPARING):
        return
    newest = {
        (person, source, place): status
        for person, source, place, status in request.queries.order_by("round").values_list(
            "person_id", "source", "place", "status"
        )
    }
    if not newest:
        return
    statuses = list(newest.values())
    waiting = statuses.count(Status.NOT_ARRIVED)
    wanted = State.COMPARING if not waiting else State.PARTIAL
    if waiting and waiting == len(statuses) - statuses.count(Status.UNAUTHORISED):
        wanted = State.QUERYING
    if wanted != request.state:
        go(request, wanted)
        note(request, by=by, kind="state", text=f"转为“{wanted.label}”")


@transaction.atomic
def open_request(
    rules: Rules,
    *,
    kind: str,
    purpose: str,
    people: Sequence[PersonAsked],
    region_code: str,
    urban_rural: str,
    as_of: date,
    requested_by: str,
    by: User,
    household_no: str = "",
    sources: Sequence[str] = (),
    warning_number: str = "",
    batch: RequestBatch | None = None,
) -> VerificationRequest:
    """Open a request as a draft; ``sources`` empty asks every declared source.

    Raises :class:`StepRefused` where a person, the kind, the purpose or a source is not right: nothing is kept then.
    """
    require(by, Act.REQUEST_VERIFICATION, region_code=region_code)
    take_turn()
    _check(rules, kind, purpose, people, urban_rural, sources, as_of)
    _refuse_a_second(household_no, kind, purpose)
    request = VerificationRequest.objects.create(
        number=_next_number(timezone.localdate()),
        kind=kind,
        purpose=purpose,
        household_no=household_no,
        region_code=region_code,
        urban_rural=urban_rural,
        sources=list(sources or rules.sources),
        as_of=as_of,
        requested_by=requested_by,
        warning_number=warning_number,
        batch=batch,
        created_by=by.username,
    )
    for position, person in enumerate(people, 1):
        number = str(identity.mend_id(person.id_number))
        entered = RequestPerson.objects.create(
            request=request,
            position=position,
            part=RequestPerson.Part.SUPPORTER if person.supporter else RequestPerson.Part.MEMBER,
            name=person.name.strip(),
            id_number=number,
            id_blind=keyring().digest(number, purpose=ID_PURPOSE),
            relation=person.relation,
            living_together=person.living_together and not person.supporter,
            category=person.category,
        )
        for item, amount in (person.declared or {}).items():
            DeclaredItem.objects.create(person=entered, item=item, amount=amount)
    note(
        request,
        by=by,
        kind="open",
        text=f"建立委托单：{rules.kinds[kind].label}，{rules.purposes[purpose].label}",
    )
    record(
        by=by,
        act=Act.REQUEST_VERIFICATION,
        subject=f"verification:{request.number}",
        region_code=region_code,
        detail={"kind": kind, "purpose": purpose, "people": len(people), "sources": request.sources},
    )
    return request


def open_many(
    rules: Rules, homes: Sequence[Mapping[str, Any]], *, batch: RequestBatch, by: User
) -> dict[str, str]:
    """Requests of a re-check for many households of the register at once, accepted; number by household.

    The caller holds the turn, has looked for open ones and writes the audit entry; they are in the name of who made the batch,
    who issues none of their reports.
    """
    assert batch.as_of is not None
    today, kind = timezone.localdate(), rules.kinds["periodic"]
    first = _count_of(today) + 1
    opened = VerificationRequest.objects.bulk_create(
        [
            VerificationRequest(
                number=_number(today, first + place),
                kind=kind.code,
                purpose=batch.purpose,
                household_no=home["household_no"],
                region_code=home["region_code"],
                urban_rural=home["urban_rural"],
                sources=list(rules.sources),
                as_of=batch.as_of,
                requested_by=batch.requested_by,
                state=State.ACCEPTED,
                accepted_on=today,
                start_due_on=add_workdays(today, kind.start),
                due_on=add_workdays(today, kind.report),
                created_by=batch.made_by,
                batch=batch,
                sifted=home["sifted"],
            )
            for place, home in enumerate(homes)
        ],
        batch_size=500,
    )
    people: list[tuple[RequestPerson, Mapping[str, int]]] = [
        (
            RequestPerson(
                request=request,
                position=position,
                name=person.name,
                id_number=person.id_number,
                id_blind=keyring().digest(person.id_number, purpose=ID_PURPOSE),
                relation=person.relation,
                living_together=person.living_together,
                category=person.category,
            ),
            person.declared or {},
        )
        for request, home in zip(opened, homes, strict=True)
        for position, person in enumerate(home["people"], 1)
    ]
    RequestPerson.objects.bulk_create([person for person, _ in people], batch_size=500)
    DeclaredItem.objects.bulk_create(
        [
            DeclaredItem(person=person, item=item, amount=amount)
            for person, lines in people
            for item, amount in lines.items()
        ],
        batch_size=500,
    )
    RequestEvent.objects.bulk_create(
        [
            RequestEvent(
                request=request, actor=by.username, actor_name=by.display_name or by.username, kind="sift",
                text=home["why"],
            )
            for request, home in zip(opened, homes, strict=True)
        ],
        batch_size=500,
    )  # fmt: skip
    return {request.household_no: request.number for request in opened}


def accept_entrusted(*, kind: Kind, by: User, **facts: Any) -> VerificationRequest:
    """A request of another house (异地协查), accepted at once; the caller holds the turn and enters the people."""
    today = timezone.localdate()
    request = VerificationRequest.objects.create(
        number=_next_number(today),
        kind=kind.code,
        created_by=by.username,
        state=State.ACCEPTED,
        accepted_on=today,
        start_due_on=add_workdays(today, kind.start),
        due_on=add_workdays(today, kind.report),
        **facts,
    )
    note(
        request, by=by, kind="open", text=f"受理{kind.label}：{request.requested_by}，{request.due_on} 前答复"
    )
    return request


def _next_number(today: date) -> str:
    """The next number of the day; the caller holds the turn."""
    return _number(today, _count_of(today) + 1)


def _count_of(today: date) -> int:
    return VerificationRequest.objects.filter(number__startswith=f"HD{today:%Y%m%d}").count()


def _number(today: date, place: int) -> str:
    return f"HD{today:%Y%m%d}-{place:04d}"


def _refuse_a_second(household_no: str, kind: str, purpose: str) -> None:
    """A second click, or a second clerk, opens no second request of a household for the same."""
    standing = (
        VerificationRequest.objects.open()
        .filter(household_no=household_no, kind=kind, purpose=purpose)
        .first()
        if household_no
        else None
    )
    if standing is not None:
        raise StepRefused(
            f"户 {household_no} 已有同一用途的在办委托单 {standing.number}，不必重复委托。",
            f"Household {household_no} has the open request {standing.number} for the same purpose.",
            code="already_open",
        )


def _check(
    rules: Rules,
    kind: str,
    purpose: str,
    people: Sequence[PersonAsked],
    urban_rural: str,
    sources: Sequence[str],
    as_of: date,
) -> None:
    if kind not in rules.kinds:
        raise StepRefused("请选择委托种类。", f"Choose a kind: {', '.join(rules.kinds)}.")
    if purpose not in rules.purposes:
        raise StepRefused("请选择核对用途。", f"Choose a purpose: {', '.join(rules.purposes)}.")
    if urban_rural not in ("城镇", "农村"):
        raise StepRefused("请选择城镇或农村。", "Choose urban or rural.")
    unknown = [source for source in sources if source not in rules.sources]
    if unknown:
        raise StepRefused(
            f"没有声明的数据来源：{'、'.join(unknown)}。", f"Sources not declared: {', '.join(unknown)}."
        )
    if as_of > timezone.localdate():
        raise StepRefused("核对基准日不能晚于今天。", "The reference date cannot lie in the future.")
    if not any(person.living_together and not person.supporter for person in people):
        raise StepRefused("至少要有一名共同生活的家庭成员。", "At least one jointly living member is needed.")
    seen: dict[str, int] = {}
    for place, person in enumerate(people, 1):
        number = identity.mend_id(person.id_number)
        if number is None:
            raise StepRefused(
                f"第{place}人“{person.name}”的身份证号不对，请核对后重填。",
                f"Person {place}: the ID is not valid; check it.",
                code="id_invalid",
            )
        if number in seen:
            raise StepRefused(
                f"第{place}人与第{seen[number]}人是同一个身份证号，请删去一个。",
                f"Persons {seen[number]} and {place} bear the same ID.",
                code="person_twice",
            )
        seen[number] = place
        if not person.name.strip():
            raise StepRefused(f"第{place}人没有填姓名。", f"Person {place} has no name.")
        for item, amount in (person.declared or {}).items():
            if item not in rules.items:
                raise StepRefused(f"没有申报项“{item}”。", f"No declared item {item}.")
            if amount < 0:
                raise StepRefused(f"{person.name}申报的{item}不能为负。", f"{item} is not negative.")


@transaction.atomic
def accept_request(number: str, *, rules: Rules, by: User, seen: int | None = None) -> VerificationRequest:
    """Accept a draft: from now the clocks of its kind run, in working days (受理)."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.REQUEST_VERIFICATION, region_code=request.region_code)
    kind, today = rules.kinds[request.kind], timezone.localdate()
    go(
        request,
        State.ACCEPTED,
        seen=seen,
        accepted_on=today,
        start_due_on=add_workdays(today, kind.start),
        due_on=add_workdays(today, kind.report),
    )
    note(
        request,
        by=by,
        kind="accept",
        text=f"受理，{request.start_due_on} 前启动查询，{request.due_on} 前出报告",
    )
    record(by=by, act=Act.REQUEST_VERIFICATION, subject=f"verification:{number}", region_code=request.region_code,
           detail={"state": request.state, "due_on": request.due_on})  # fmt: skip
    return request


@transaction.atomic
def end_request(
    number: str, *, to: State, why: str, by: User, seen: int | None = None
) -> VerificationRequest:
    """Send a request back (退回) or withdraw it (撤销), with the reason; open queries are cancelled."""
    take_turn()
    request = request_of(number, by=by)
    if to not in (State.RETURNED, State.WITHDRAWN):
        raise StepRefused("只能退回或撤销。", "A request is returned or withdrawn.")
    require(
        by,
        Act.QUERY_SOURCES if to is State.RETURNED else Act.REQUEST_VERIFICATION,
        region_code=request.region_code,
    )
    if len(why.strip()) < 4:
        raise StepRefused("请写明理由（至少四个字）。", "State the reason (four characters or more).")
    go(request, to, seen=seen, ended_why=why.strip(), due_on=None)
    request.queries.filter(status=Status.NOT_ARRIVED).update(
        status=Status.NOT_ASKED, problem=f"委托单{to.label}，查询停止"
    )
    note(request, by=by, kind="end", text=f"{to.label}：{why.strip()}")
    record(by=by, act=Act.REQUEST_VERIFICATION, subject=f"verification:{number}", region_code=request.region_code,
           reason=why, detail={"state": request.state})  # fmt: skip
    return request


@transaction.atomic
def archive_request(number: str, *, by: User, seen: int | None = None) -> VerificationRequest:
    """Archive a request whose report stands (归档)."""
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    if request.state not in (State.REPORTED, State.REVIEWED):
        raise StepRefused(
            f"委托单 {number} 现为“{State(request.state).label}”，出具报告后才能归档。",
            f"Request {number} is {request.state}; it is archived after its report.",
        )
    go(request, State.ARCHIVED, seen=seen, due_on=None)
    note(request, by=by, kind="archive", text="归档")
    record(by=by, act=Act.ISSUE_REPORT, subject=f"verification:{number}", region_code=request.region_code,
           detail={"state": request.state})  # fmt: skip
    return request


def numbers_of(household_nos: Iterable[str]) -> list[str]:
    """The numbers of every request about some households, for telling a person who looked."""
    found = VerificationRequest.objects.filter(household_no__in=list(household_nos))
    return list(found.values_list("number", flat=True))
