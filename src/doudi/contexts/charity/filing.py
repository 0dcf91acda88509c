"""Filing aid that was given (备案): one aid by page or API, its limit, what it overlaps with, its reversal.

Shanxi's mechanism (2023-11-20): members push aid information in time to civil affairs and file it on the platform.
The register is compared with by the ID; who files sees whether a filing was taken, never what the register holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity.errors import FilingNotFound, StepRefused
from doudi.contexts.charity.filing_models import AidFilingQuerySet, Way
from doudi.contexts.charity.models import AidFiling, FilingBatch, FilingOverlap, MonthClosing, Organisation
from doudi.contexts.charity.organisations import own_organisation
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.packs.linking import LinkageRules
from doudi.engine.workdays import add_workdays, workdays_between
from doudi.house.keyring import keyring


@dataclass(frozen=True)
class Aid:
    """One aid as a body tells it: a person by name and ID, or a group by its count; fen; ``consent`` None not told."""

    aided_on: date
    kind: str
    way: str
    money: str
    name: str = ""
    id_number: str = ""
    group_count: int | None = None
    amount_fen: int = 0
    what: str = ""
    project: str = ""
    consent: bool | None = None
    need_code: str = ""
    row: int | None = None


def limit(aided_on: date, filed_on: date, workdays: int) -> tuple[date, int]:
    """The last day for filing, and by how many working days a filing is late (0 is in time)."""
    due_on = add_workdays(aided_on, workdays)
    return due_on, workdays_between(due_on, filed_on)


def fault_of(aid: Aid, rules: LinkageRules, *, today: date) -> tuple[str, str, str] | None:
    """What is wrong with an aid as told: a code, Chinese, English; None where it can be filed."""
    if aid.group_count is None:
        if not aid.name.strip():
            return "name_missing", "没有姓名；集体帮扶请填人数", "no name; for a group give the count"
        if identity.mend_id(aid.id_number) is None:
            return "id_invalid", "身份证号不对", "the ID is not valid"
    elif aid.id_number.strip():
        return "person_and_group", "一行里既有证件号又有集体人数，请分开填", "a person and a group in one row"
    elif aid.group_count < 1:
        return "count_invalid", "集体帮扶人数须大于零", "the count is positive"
    if aid.aided_on > today:
        return "date_future", "帮扶日期晚于今天", "the day of the aid lies in the future"
    if aid.aided_on < today - timedelta(days=3 * 366):
        return "date_old", "帮扶日期在三年以前，请核对", "the aid is over three years old; check the day"
    if aid.kind not in rules.kinds:
        return "kind_unknown", "需求种类不在名单里", "the kind of need is not on the list"
    if aid.way not in Way.values:
        return "way_unknown", "帮扶方式只能是资金、物资或服务", "the way is cash, goods or service"
    if aid.money not in rules.money:
        return "money_unknown", "资金来源不在名单里", "the source of money is not on the list"
    if aid.amount_fen < 0 or (aid.way == Way.CASH and aid.amount_fen == 0):
        return "amount_missing", "资金帮扶须有大于零的金额", "cash aid has a positive amount"
    if aid.amount_fen == 0 and not aid.what.strip():
        return "nothing_given", "既没有金额也没有内容", "neither an amount nor what was given"
    return None


@transaction.atomic
def file_aid(aid: Aid, *, rules: LinkageRules, by: User) -> AidFiling:
    """File one aid of the account's own body; the very same aid again gives the filing that is there.

    Raises :class:`StepRefused` with the code of :func:`fault_of`, or ``name_differs``.
    """
    require(by, Act.FILE_AID)
    body = own_organisation(by)
    take_turn()
    today = timezone.localdate()
    fault = fault_of(aid, rules, today=today)
    if fault is not None:
        raise StepRefused(f"{fault[1]}。", f"{fault[2]}.", code=fault[0])
    filed, known, refused = enter([aid], body=body, rules=rules, by=by, batch=None)
    if refused:
        raise StepRefused(refused[0][2], refused[0][3], code=refused[0][1])
    if known:
        return known[0][1]
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"filing:{filed[0].number}",
        region_code=filed[0].region_code,
        detail={"organisation": body.code, "kind": aid.kind, "way": aid.way},
    )
    return filed[0]


def enter(
    aids: Sequence[Aid], *, body: Organisation, rules: LinkageRules, by: User, batch: FilingBatch | None
) -> tuple[list[AidFiling], list[tuple[Aid, AidFiling]], list[tuple[Aid, str, str, str]]]:
    """Enter sound aids of one body; the caller holds the turn and writes the log.

    Gives what was filed, what was filed before, and what the register refuses (code, Chinese, English).
    """
    today = timezone.localdate()
    numbers = {aid: identity.mend_id(aid.id_number) or "" for aid in aids if aid.group_count is None}
    people = registry.placed(number for number in numbers.values() if number)
    closed = set(MonthClosing.objects.filter(organisation=body).values_list("month", flat=True))
    next_number = _next_number(today)
    filed: list[AidFiling] = []
    known: list[tuple[Aid, AidFiling]] = []
    refused: list[tuple[Aid, str, str, str]] = []
    for aid in aids:
        number = numbers.get(aid, "")
        person = people.get(number)
        if person is not None and identity.normal_name(person.name) != identity.normal_name(aid.name):
            refused.append(
                (
                    aid,
                    "name_differs",
                    "姓名与证件号对不上，请核对后再报。",
                    "Name and ID do not belong together.",
                )
            )
            continue
        if person is not None and person.died_on is not None and aid.aided_on > person.died_on:
            refused.append(
                (
                    aid,
                    "person_died",
                    "帮扶日期在该人死亡之后，请核对。",
                    "The person had died before that day; check.",
                )
            )
            continue
        blind = keyring().digest(number, purpose=registry.ID_PURPOSE) if number else None
        twin = _twin(aid, body, blind)
        if twin is not None:
            known.append((aid, twin))
            continue
        due_on, late = limit(aid.aided_on, today, rules.file_workdays)
        filing = AidFiling.objects.create(
            number=f"BA{today:%Y}-{next_number:06d}",
            organisation=body,
            region_code=(person.responsible_region if person else "") or body.region_code,
            household_no=person.household_no if person else "",
            name=aid.name.strip() if number else "",
            id_number=number,
            id_blind=blind,
            group_count=aid.group_count,
            category=person.category if person else "",
            kind=aid.kind,
            way=aid.way,
            amount_fen=aid.amount_fen,
            what=aid.what.strip()[:300],
            aided_on=aid.aided_on,
            project=aid.project.strip()[:120],
            money=aid.money,
            consent=aid.consent,
            need_code=aid.need_code,
            filed_on=today,
            filed_by=by.username,
            due_on=due_on,
            late_workdays=late,
            supplements=aid.aided_on.replace(day=1) in closed,
            batch=batch,
            batch_row=aid.row,
        )
        next_number += 1
        filed.append(filing)
    _keep_overlaps(filed, rules)
    return filed, known, refused


def _twin(aid: Aid, body: Organisation, blind: bytes | None) -> AidFiling | None:
    """The standing filing of the very same aid: body, person or group, kind, way, sum, day and content."""
    same = AidFiling.objects.standing().filter(
        organisation=body, kind=aid.kind, way=aid.way, amount_fen=aid.amount_fen, aided_on=aid.aided_on,
        id_blind=blind, group_count=aid.group_count, what=aid.what.strip()[:300],
        project=aid.project.strip()[:120],
    )  # fmt: skip
    return same.first()


def _keep_overlaps(filed: Iterable[AidFiling], rules: LinkageRules) -> None:
    """Keep what each filing met: aid of the same kind to the same household within the pack's days before or after."""
    matched = [filing for filing in filed if filing.household_no]
    if not matched:
        return
    days = timedelta(days=rules.overlap_days)
    homes = {filing.household_no for filing in matched}
    public: dict[str, list[assistance.AidGiven]] = {}
    for given in assistance.aid_given(homes, since=min(f.aided_on for f in matched) - days):
        public.setdefault(given.household_no, []).append(given)
    others: dict[str, list[AidFiling]] = {}
    near = AidFiling.objects.standing().filter(
        household_no__in=homes,
        aided_on__range=(min(f.aided_on for f in matched) - days, max(f.aided_on for f in matched) + days),
    )
    for other in near.select_related("organisation"):
        others.setdefault(other.household_no, []).append(other)
    met: list[FilingOverlap] = []
    for filing in matched:
        for given in public.get(filing.household_no, ()):
            if abs(given.given_on - filing.aided_on) <= days and rules.meets(
                filing.kind, measure=given.code, giver=given.giver
            ):
                met.append(
                    FilingOverlap(
                        filing=filing,
                        source=FilingOverlap.Source.PUBLIC,
                        giver=given.giver,
                        label=rules.public_label(given.code, given.label)[:120],
                        amount_fen=given.amount_fen,
                        given_on=given.given_on,
                    )
                )
        for other in others.get(filing.household_no, ()):
            # each pair once: on the later of the two filings
            if (
                other.pk >= filing.pk
                or other.kind != filing.kind
                or abs(other.aided_on - filing.aided_on) > days
            ):
                continue
            own = other.organisation_id == filing.organisation_id
            met.append(
                FilingOverlap(
                    filing=filing,
                    source=FilingOverlap.Source.SAME if own else FilingOverlap.Source.OTHER,
                    giver=other.organisation.name, label=other.number,
                    amount_fen=other.amount_fen, given_on=other.aided_on,
                )
            )  # fmt: skip
    for overlap in met:
        overlap.save()


def file_grant(
    *,
    need_code: str,
    household_no: str,
    region_code: str,
    kind: str,
    organisation: Organisation,
    project: str,
    way: str,
    amount_fen: int,
    what: str,
    aided_on: date,
    money: str,
    rules: LinkageRules,
    by: User,
) -> AidFiling:
    """File what was given for a published need; the body does not learn whom it is for. The caller holds the turn."""
    today = timezone.localdate()
    due_on, late = limit(aided_on, today, rules.file_workdays)
    filing = AidFiling.objects.create(
        number=f"BA{today:%Y}-{_next_number(today):06d}",
        organisation=organisation,
        region_code=region_code,
        household_no=household_no,
        kind=kind,
        way=way,
        amount_fen=amount_fen,
        what=what.strip()[:300],
        aided_on=aided_on,
        project=project[:120],
        money=money,
        consent=True,
        need_code=need_code,
        filed_on=today,
        filed_by=by.username,
        due_on=due_on,
        late_workdays=late,
    )
    _keep_overlaps([filing], rules)
    return filing


def _next_number(today: date) -> int:
    """The next filing of the year; a counter-entry bears its filing's number and takes none."""
    return AidFiling.objects.filter(number__startswith=f"BA{today:%Y}", reverses=None).count() + 1


def filings(
    *, by: User, organisation: str = "", month: date | None = None, late: bool = False
) -> AidFilingQuerySet:
    """Filings that ``by`` may see: a body its own, an office its area's; narrowed by body, month of aid, lateness."""
    found = _inside(by)
    found = registry.but_own(found, by=by, household="household_no", blind="id_blind")
    if organisation:
        found = found.filter(organisation__code=organisation)
    if month is not None:
        found = found.filter(aided_on__range=month_of(month))
    return found.filter(late_workdays__gt=0) if late else found


def _inside(by: User) -> AidFilingQuerySet:
    scope = require(by, Act.VIEW_FILINGS)
    return AidFiling.objects.visible_to(by, scope).select_related("organisation", "reversed_by", "reverses")


def filing(number: str, *, by: User) -> AidFiling:
    """One filing that ``by`` may see, or :class:`FilingNotFound`."""
    found = _inside(by).filter(number=number).first()
    if found is None:
        raise FilingNotFound(f"没有找到备案 {number}。", f"No filing {number} for you.")
    registry.refuse_own_record(
        f"filing:{number}", by=by, household_no=found.household_no, blind=found.id_blind
    )
    return found


@transaction.atomic
def look_at_filing(number: str, *, by: User) -> AidFiling:
    """:func:`filing`, with the look at the person in the audit log."""
    found = filing(number, by=by)
    record(
        by=by,
        act=Act.VIEW_FILINGS,
        subject=f"household:{found.household_no}" if found.household_no else f"filing:{number}",
        region_code=found.region_code,
        reason=f"备案 {number}",
        detail={"fields": ["name", "kind", "amount_fen"]},
    )
    return found


@transaction.atomic
def reverse_filing(number: str, *, ground: str, by: User) -> AidFiling:
    """Undo a wrong filing by a counter-entry (冲正); the right one is filed anew. A second click gives the first."""
    take_turn()
    found = filing(number, by=by)
    require(by, Act.FILE_AID, organisation=found.organisation.code)
    if found.reverses_id is not None:
        raise StepRefused("冲正不能再冲正，请重新备案。", "A counter-entry is not countered; file anew.")
    standing = AidFiling.objects.filter(reverses=found).first()
    if standing is not None:
        return standing
    if len(ground.strip()) < 4:
        raise StepRefused("请写明冲正理由（至少四个字）。", "State the reason (four characters or more).")
    today = timezone.localdate()
    counter = AidFiling.objects.create(
        number=f"{found.number}-CZ",
        organisation=found.organisation,
        region_code=found.region_code,
        household_no=found.household_no,
        name=found.name,
        id_number=found.id_number,
        id_blind=found.id_blind,
        group_count=found.group_count,
        category=found.category,
        kind=found.kind,
        way=found.way,
        amount_fen=-found.amount_fen,
        what=found.what,
        aided_on=found.aided_on,
        project=found.project,
        money=found.money,
        consent=found.consent,
        need_code=found.need_code,
        filed_on=today,
        filed_by=by.username,
        due_on=found.due_on,
        reverses=found,
        reverse_ground=ground.strip()[:300],
    )
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"filing:{number}",
        region_code=found.region_code,
        reason=ground,
        detail={"step": "reverse"},
    )
    return counter


def month_of(day: date) -> tuple[date, date]:
    """The first and last day of a day's month."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
