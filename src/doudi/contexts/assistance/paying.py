"""From a frozen roster to the bank and back (发放、回盘): who pays has neither decided, reckoned nor checked.

A payment is what a roster makes due to one payee, in one attempt. One without an account waits; one that failed waits for
a confirmed account and goes out again with the next batch.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Concat
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.application_models import Decision
from doudi.contexts.assistance.benefit_models import BenefitDecision, PayAccount
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.pay_ledger import Account, enter
from doudi.contexts.assistance.pay_ledger import Kind as EntryKind
from doudi.contexts.assistance.recovery import receive
from doudi.contexts.assistance.recovery_models import Recovery
from doudi.contexts.assistance.roster_models import (
    BankReturn,
    PayBatch,
    PayItem,
    PayResult,
    Roster,
    RosterRow,
)
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules, Payment, month_text, read_return, write_payment_file
from doudi.engine.errors import DoudiError

Kind = PayResult.Kind


class BatchNotFound(DoudiError):
    """No such batch in the asker's area."""

    code = "batch_not_found"


@dataclass(frozen=True)
class Payable:
    """What a roster makes due to one payee and has not been paid: ``state`` is new, failed (with why), or sent."""

    roster: Roster
    household_no: str
    person_id: int
    payee_name: str
    region_code: str
    amount_fen: int
    attempt: int
    state: str
    reason: str
    tried_account: int | None
    """The account of the last attempt."""
    account: PayAccount | None


_Payee = tuple[int, str, int]
"""Roster, household and person."""


def payables(rosters: Iterable[Roster]) -> list[Payable]:
    """Every payment of frozen rosters that is not paid yet, roster by roster, for a caller that has settled who may see it."""
    asked = {roster.pk: roster for roster in rosters}
    nets: dict[_Payee, int] = defaultdict(int)
    names: dict[_Payee, tuple[str, str]] = {}
    rows = RosterRow.objects.filter(roster__in=asked).order_by("household_no", "person_id", "place")
    for pk, number, person, kind, fen, name, area in rows.values_list(
        "roster_id", "household_no", "person_id", "kind", "amount_fen", "payee_name", "region_code"
    ).iterator(chunk_size=10_000):
        if kind != RosterRow.Kind.HELD:
            nets[pk, number, person] += fen
            names[pk, number, person] = (name, area)
    tried = _last_attempts(asked)
    due = {key: fen for key, fen in nets.items() if fen and (key not in tried or tried[key][1] != Kind.PAID)}
    accounts = _accounts((number, person) for _pk, number, person in due)
    kept = registry.kept_persons({person for _pk, _number, person in due if person})
    place = {pk: at for at, pk in enumerate(asked)}
    found = []
    for key in sorted(due, key=lambda key: place[key[0]]):
        pk, number, person = key
        name, area = names[key]
        attempt, state, reason, account = tried.get(key, (0, "new", "", None))
        holder = accounts.get((number, kept.get(person, person))) or accounts.get((number, 0))
        found.append(
            Payable(
                asked[pk], number, person, name, area, due[key], attempt, state, reason, account, holder
            )
        )  # fmt: skip
    return found


def _last_attempts(rosters: Iterable[int]) -> dict[_Payee, tuple[int, str, str, int | None]]:
    """Payee → attempt, state, reason and account of the last payment of a roster."""
    found: dict[_Payee, tuple[int, str, str, int | None]] = {}
    items = PayItem.objects.filter(roster__in=list(rosters)).order_by("attempt", "results__pk")
    told = items.values_list(
        "roster_id", "household_no", "person_id", "attempt", "account_id", "results__kind", "results__reason"
    )
    for pk, number, person, attempt, account, kind, reason in told.iterator(chunk_size=10_000):
        state = "sent" if kind is None else "failed" if kind == Kind.BOUNCED else kind
        found[pk, number, person] = (attempt, state, reason or "", account)
    return found


def _accounts(keys: Iterable[tuple[str, int]]) -> dict[tuple[str, int], PayAccount]:
    """Household and person → the account in force; one entered for a record that was merged is the kept person's,
    unless that person has one of its own."""
    found: dict[tuple[str, int], PayAccount] = {}
    of_people: list[PayAccount] = []
    numbers = sorted({number for number, _person in keys})
    for start in range(0, len(numbers), 500):
        batch = numbers[start : start + 500]
        for row in PayAccount.objects.filter(household_no__in=batch, status=PayAccount.Status.IN_FORCE):
            found[row.household_no, row.person_id] = row
            if row.person_id:
                of_people.append(row)
    kept = registry.kept_persons({row.person_id for row in of_people})
    for row in of_people:
        found.setdefault((row.household_no, kept.get(row.person_id, row.person_id)), row)
    return found


def paid_by_roster(rosters: Iterable[int]) -> dict[int, int]:
    """Roster → fen that are with their payees: paid, and not come back."""
    came_back = PayResult.objects.filter(item=OuterRef("pk"), kind=Kind.BOUNCED)
    items = PayItem.objects.filter(roster__in=list(rosters), results__kind=Kind.PAID).exclude(
        Exists(came_back)
    )
    return dict(items.order_by().values_list("roster").annotate(fen=Sum("amount_fen")))


def unsettled(found: QuerySet[Roster]) -> list[Roster]:
    """Frozen rosters of which something is not with its payees yet, the oldest first.

    No payee nets below nought: a roster whose paid sum is its total has nothing open, and its rows need not be read.
    """
    frozen = list(found.filter(status=Roster.Status.FROZEN).order_by("month", "pk"))
    paid = paid_by_roster(roster.pk for roster in frozen)
    return [roster for roster in frozen if paid.get(roster.pk, 0) != roster.total_fen]


def failed_count(*, by: User) -> int:
    """How many payments of the asker's area failed and wait for another account, without reading the rosters."""
    require(by, Act.VIEW_ROSTERS)
    last = PayResult.objects.filter(item=OuterRef("pk")).order_by("-pk").values("kind")[:1]
    later = PayItem.objects.filter(
        roster=OuterRef("roster"),
        household_no=OuterRef("household_no"),
        person_id=OuterRef("person_id"),
        attempt__gt=OuterRef("attempt"),
    )
    items = PayItem.objects.filter(
        region_code__startswith=by.region_code, account__status=PayAccount.Status.IN_FORCE
    )
    failed = items.annotate(last=Subquery(last)).filter(last__in=(Kind.FAILED, Kind.BOUNCED))
    return failed.exclude(Exists(later)).count()


def open_payments(*, by: User, state: str = "") -> list[Payable]:
    """Payments of the asker's area that are not paid: ``no_account``, ``failed``, ``ready``, ``sent``; empty: all."""
    require(by, Act.VIEW_ROSTERS)
    open_now = payables(unsettled(Roster.objects.visible_to(by)))
    found = [one for one in open_now if one.region_code.startswith(by.region_code)]
    if state:
        found = [one for one in found if standing_of(one) == state]
    return found


def standing_of(one: Payable) -> str:
    """Where an open payment stands: sent, failed (its account is the one that failed), no_account, or ready."""
    if one.state == "sent":
        return "sent"
    if one.account is None:
        return "no_account"
    return "failed" if one.state == "failed" and one.tried_account == one.account.pk else "ready"


# ---- out ------------------------------------------------------------------------------------------------------------------


@transaction.atomic
def make_batch(*, region_code: str, layout: str, rules: BenefitRules, by: User) -> PayBatch:
    """Everything of an area's frozen rosters that can be paid now, as one payment file (发放).

    What was tried and failed goes only to another account than the one that failed.
    """
    require(by, Act.PAY_ROSTER, region_code=region_code)
    take_turn()
    chosen = rules.layout(layout)
    waiting = unsettled(Roster.objects.filter(region_code=region_code))
    due = [one for one in payables(waiting) if standing_of(one) == "ready"]
    begun = set(
        PayItem.objects.filter(roster__in=waiting).order_by().values_list("roster_id", flat=True).distinct()
    )
    paying = {one.roster.pk for one in due}
    _apart([roster for roster in waiting if roster.pk in paying or roster.pk not in begun], by)
    if not due:
        raise StepRefused(
            "没有可以发放的：名册未冻结、都已送银行，或收款账户还没有确认。",
            "Nothing to pay: no frozen roster, everything is sent, or accounts wait to be confirmed.",
        )
    today = timezone.localdate()
    count = PayBatch.objects.filter(region_code=region_code).count() + 1
    batch = PayBatch(
        number=f"FP{region_code}-{today:%Y%m%d}-{count:03d}",
        region_code=region_code,
        layout=layout,
        made_on=today,
        count=len(due),
        total_fen=sum(one.amount_fen for one in due),
        made_by=by.username,
    )
    items = [_item(batch, serial, one, rules) for serial, one in enumerate(due, 1)]
    content = write_payment_file(chosen, [_payment(item) for item in items], number=batch.number, on=today)
    batch.file_sha256 = hashlib.sha256(content).hexdigest()
    batch.save()
    PayItem.objects.bulk_create(items, batch_size=500)
    enter(
        f"{batch.number}-送盘",
        kind=EntryKind.BATCH,
        region_code=region_code,
        on=today,
        memo=f"批次 {batch.number} 送银行代发",
        lines={Account.PAYABLE: batch.total_fen, Account.TRANSIT: -batch.total_fen},
        by=by,
    )
    _book_offsets(paying, by=by)
    record(
        by=by,
        act=Act.PAY_ROSTER,
        subject=f"batch:{batch.number}",
        region_code=region_code,
        detail={"count": batch.count, "total_fen": batch.total_fen, "sha256": batch.file_sha256},
    )
    return batch


def _apart(rosters: list[Roster], by: User) -> None:
    """Who pays has neither reckoned nor checked these rosters of a county, nor decided on anything in them (不相容岗位)."""
    for roster in rosters:
        if by.username in (roster.computed_by, roster.checked_by):
            raise SamePerson(
                f"名册 {roster.number} 由您计算或核对，须由另一人发放。",
                "Who reckoned or checked does not pay.",
            )
    if not rosters:
        return
    area = rosters[0].region_code
    mine = BenefitDecision.objects.filter(
        Q(recorded_by=by.username) | Q(source__in=_handled(by, area)), region_code__startswith=area
    )
    row = (
        RosterRow.objects.filter(roster__in=rosters, decision__in=mine.values("number"))
        .order_by("roster", "place")
        .select_related("roster")
        .first()
    )
    if row is None:
        return
    if mine.filter(number=row.decision, recorded_by=by.username).exists():
        raise SamePerson(
            f"名册 {row.roster.number} 里有您登记的待遇决定，须由另一人发放。", "Who decided does not pay."
        )
    raise SamePerson(
        f"名册 {row.roster.number} 里有您受理、入户或审核确认过的申请，须由另一人发放。",
        "Who accepted, investigated or decided an application does not pay on it.",
    )


def _handled(by: User, region_code: str) -> QuerySet[Any, Any]:
    """The sources of benefits that rest on applications in which somebody had a hand, whoever booked them."""
    name = by.username
    hand = (
        Q(decided_by=name)
        | Q(application__accepted_by=name)
        | Q(application__created_by=name)
        | Q(application__visits__recorded_by=name)
        | Q(application__opinions__given_by=name)
    )
    found = Decision.objects.filter(hand, region_code__startswith=region_code)
    return found.annotate(paid_as=Concat(Value("decision:"), "number")).values("paid_as")


def _item(batch: PayBatch, serial: int, one: Payable, rules: BenefitRules) -> PayItem:
    assert one.account is not None
    return PayItem(
        batch=batch,
        serial=serial,
        roster=one.roster,
        household_no=one.household_no,
        person_id=one.person_id,
        attempt=one.attempt + 1,
        region_code=one.region_code,
        account=one.account,
        holder_name=one.account.holder_name,
        amount_fen=one.amount_fen,
        purpose=f"{month_text(one.roster.month)}救助金",
    )


def _payment(item: PayItem) -> Payment:
    return Payment(
        item.serial,
        item.holder_name,
        item.account.card,
        item.amount_fen,
        item.purpose,
        item.household_no,
        item.account.bank,
    )


def _book_offsets(rosters: Iterable[int], *, by: User) -> None:
    """What the family agreed to have kept back arrives in the recovery ledger, as far as it is still owed (扣抵)."""
    kept_back = RosterRow.objects.filter(roster__in=rosters, kind=RosterRow.Kind.OFFSET, amount_fen__lt=0)
    for row in kept_back.select_related("roster").order_by("roster", "place"):
        recovery = Recovery.objects.get(number=row.decision)
        fen = min(-row.amount_fen, recovery.outstanding_fen)
        voucher = f"{recovery.number}-扣抵-{row.roster_id}"[-80:]
        if fen and not recovery.entries.filter(voucher=voucher).exists():
            receive(
                recovery.number,
                amount_fen=fen,
                voucher=voucher,
                on=timezone.localdate(),
                by=by,
                memo=f"名册 {row.roster.number} 扣抵",
            )


def batches(*, by: User) -> QuerySet[PayBatch]:
    """Batches of the asker's area, the newest first; a township has none of its own."""
    require(by, Act.VIEW_ROSTERS)
    return PayBatch.objects.filter(region_code__startswith=by.region_code).order_by("-pk")


def batch_of(number: str, *, by: User) -> PayBatch:
    """One batch within the asker's area, or :class:`BatchNotFound`."""
    found = batches(by=by).filter(number=number).first()
    if found is None:
        raise BatchNotFound(
            f"没有找到批次 {number}，或不在您的辖区。", f"No batch {number} in your area; check the number."
        )
    return found


@transaction.atomic
def payment_file(number: str, *, rules: BenefitRules, by: User) -> bytes:
    """The payment file of a batch with whole account numbers; the taking is in the log and the content is that of then."""
    batch = batch_of(number, by=by)
    require(by, Act.PAY_ROSTER, region_code=batch.region_code)
    items = batch.items.select_related("account").order_by("serial")
    content = write_payment_file(
        rules.layout(batch.layout), [_payment(item) for item in items], number=batch.number, on=batch.made_on
    )
    if hashlib.sha256(content).hexdigest() != batch.file_sha256:
        raise StepRefused(
            "代发文件与生成时不同：版式或账户在那以后改过。请用当时下载的文件。",
            "The file differs from the one that was made: the layout or an account was changed since.",
        )
    record(
        by=by,
        act="take_payment_file",
        subject=f"batch:{number}",
        region_code=batch.region_code,
        detail={"count": batch.count, "sha256": batch.file_sha256},
    )
    return content


# ---- back -----------------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_return(number: str, *, content: bytes, file_name: str, rules: BenefitRules, by: User) -> BankReturn:
    """Take the bank's return file in (回盘); the same file again is the same return, a wrong one is refused whole.

    A file may answer part of a batch; a payment that was answered before must be answered alike.
    """
    take_turn()
    batch = batch_of(number, by=by)
    require(by, Act.PAY_ROSTER, region_code=batch.region_code)
    digest = hashlib.sha256(content).hexdigest()
    standing = batch.returns.filter(sha256=digest).first()
    if standing is not None:
        return standing
    items = {item.serial: item for item in batch.items.select_related("account")}
    outcomes = read_return(
        rules.layout(batch.layout), content, {serial: _payment(item) for serial, item in items.items()}
    )
    known = dict(PayResult.objects.filter(item__batch=batch).order_by("pk").values_list("item_id", "kind"))
    fresh = []
    for outcome in outcomes:
        item = items[outcome.serial]
        kind = Kind.PAID if outcome.paid else Kind.FAILED
        if item.pk not in known:
            fresh.append((item, kind, outcome.reason))
        elif (known[item.pk] == Kind.PAID) != outcome.paid:
            raise StepRefused(
                f"序号 {outcome.serial} 已记为“{Kind(known[item.pk]).label}”，这份回盘说的相反。"
                "整份没有受理；付出后又退回的请登记退汇。",
                f"Payment {outcome.serial} was answered otherwise before; nothing was taken.",
            )
    paid = [item for item, kind, _reason in fresh if kind == Kind.PAID]
    failed = [item for item, kind, _reason in fresh if kind == Kind.FAILED]
    returned = BankReturn.objects.create(
        batch=batch,
        sha256=digest,
        file_name=file_name[:255],
        paid_count=len(paid),
        paid_fen=sum(item.amount_fen for item in paid),
        failed_count=len(failed),
        failed_fen=sum(item.amount_fen for item in failed),
        taken_by=by.username,
    )
    PayResult.objects.bulk_create(
        (
            PayResult(item=item, kind=kind, reason=reason, returned=returned, recorded_by=by.username)
            for item, kind, reason in fresh
        ),
        batch_size=500,
    )
    for entry, fen, account in (
        (EntryKind.PAID, returned.paid_fen, Account.BANK),
        (EntryKind.FAILED, returned.failed_fen, Account.PAYABLE),
    ):
        enter(
            f"{batch.number}-回盘{returned.pk}-{entry.value}",
            kind=entry,
            region_code=batch.region_code,
            on=timezone.localdate(),
            memo=f"批次 {batch.number} 回盘 {file_name}",
            lines={Account.TRANSIT: fen, account: -fen},
            by=by,
        )
    record(
        by=by,
        act="take_bank_return",
        subject=f"batch:{number}",
        region_code=batch.region_code,
        detail={
            "sha256": digest,
            "paid": returned.paid_count,
            "paid_fen": returned.paid_fen,
            "failed": returned.failed_count,
            "failed_fen": returned.failed_fen,
        },
    )
    return returned


@transaction.atomic
def record_bounce(number: str, serial: int, *, reason: str, by: User) -> PayResult:
    """A payment that had succeeded came back (退汇): it is owed again and waits for another account."""
    take_turn()
    batch = batch_of(number, by=by)
    require(by, Act.PAY_ROSTER, region_code=batch.region_code)
    item = batch.items.filter(serial=serial).first()
    last = item.results.order_by("-pk").first() if item else None
    if item is None or last is None or last.kind == Kind.FAILED:
        raise StepRefused("只有已发放成功的才能登记退汇。", "Only a payment that succeeded can bounce.")
    if last.kind == Kind.BOUNCED:
        return last
    if not reason.strip():
        raise StepRefused("请填写退汇原因。", "Say why it came back.")
    result = PayResult.objects.create(
        item=item, kind=Kind.BOUNCED, reason=reason.strip()[:200], recorded_by=by.username
    )
    enter(
        f"{batch.number}-退汇{serial}",
        kind=EntryKind.BOUNCED,
        region_code=batch.region_code,
        on=timezone.localdate(),
        memo=f"批次 {batch.number} 序号 {serial} 退汇",
        lines={Account.BANK: item.amount_fen, Account.PAYABLE: -item.amount_fen},
        by=by,
    )
    record(
        by=by,
        act="record_bounce",
        subject=f"household:{item.household_no}",
        region_code=item.region_code,
        reason=reason,
        detail={"batch": number, "serial": serial, "amount_fen": item.amount_fen},
    )
    return result


def batch_figures(batch: PayBatch) -> dict[str, tuple[int, int]]:
    """Payments and fen of a batch by where they stand: paid, failed, bounced, sent (no answer yet)."""
    last = dict(PayResult.objects.filter(item__batch=batch).order_by("pk").values_list("item_id", "kind"))
    found = {name: [0, 0] for name in (*Kind.values, "sent")}
    for pk, fen in batch.items.values_list("pk", "amount_fen"):
        mine = found[last.get(pk, "sent")]
        mine[0] += 1
        mine[1] += fen
    return {name: (count, fen) for name, (count, fen) in found.items()}


def items_of(batch: PayBatch, *, by: User) -> QuerySet[PayItem]:
    """The payments of a batch with their results."""
    require(by, Act.VIEW_ROSTERS)
    found = batch.items.prefetch_related("results").select_related("account", "roster").order_by("serial")
    return registry.but_own(found, by=by, household="household_no")
