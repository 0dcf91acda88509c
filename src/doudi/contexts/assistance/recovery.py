"""Getting overpaid money back (追缴台账): a double-entry ledger per family, tied out to the fen.

Every act is one entry whose lines sum to nought. What was entered is never changed: a wrong entry is reversed by a
counter-entry, a claim that was too high is reduced by one, and what a family paid beyond the claim is owed back to it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.recovery_models import (
    Account,
    Instalment,
    LedgerEntry,
    LedgerLine,
    Recovery,
    RecoveryQuerySet,
    WriteOffRequest,
)
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.engine.money import show_yuan

_KEPT = {  # column of Recovery ← what it sums
    "due_fen": ((Account.EXPENSE,), -1),
    "written_off_fen": ((Account.WRITTEN_OFF,), 1),
    "outstanding_fen": ((Account.RECEIVABLE,), 1),
    "refund_fen": ((Account.REFUND,), -1),
    "received_fen": ((Account.CASH, Account.BANK), 1),
}
MAX_INSTALMENTS = 120


class RecoveryNotFound(DoudiError):
    """No such recovery in the asker's area."""

    code = "recovery_not_found"


class VoucherUsed(DoudiError):
    """The voucher number bears another entry."""

    code = "voucher_used"


# ---- looking ----------------------------------------------------------------------------------------------------------


def recoveries(
    *,
    by: User,
    status: str = "",
    kind: str = "",
    region_code: str = "",
    text: str = "",
    since: date | None = None,
    until: date | None = None,
) -> RecoveryQuerySet:
    """Recoveries that ``by`` may see; ``status`` is ``open``, ``late``, ``settled`` or ``all``."""
    require(by, Act.VIEW_RECOVERY)
    found = registry.but_own(Recovery.objects.visible_to(by), by=by, household="household_no")
    if status in ("", "open"):
        found = found.filter(Q(outstanding_fen__gt=0) | Q(refund_fen__gt=0))
    elif status == "late":
        found = found.filter(outstanding_fen__gt=0, next_due_on__lt=timezone.localdate())
    elif status == "settled":
        found = found.filter(outstanding_fen=0, refund_fen=0)
    if kind:
        found = found.filter(kind=kind)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if text.strip():
        typed = text.strip()
        found = found.filter(
            Q(household_no__icontains=typed) | Q(debtor_name__startswith=typed) | Q(number__icontains=typed)
        )
    if since is not None:
        found = found.filter(opened_on__gte=since)
    if until is not None:
        found = found.filter(opened_on__lte=until)
    return found.order_by("-outstanding_fen", "pk")


def recovery_of(number: str, *, by: User) -> Recovery:
    """One recovery within the asker's area, or :class:`RecoveryNotFound`."""
    require(by, Act.VIEW_RECOVERY)
    found = Recovery.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise RecoveryNotFound(
            f"没有找到追缴 {number}，或不在您的辖区。",
            f"No recovery {number} in your area; check the number.",
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


@transaction.atomic
def look_at_recovery(number: str, *, by: User) -> Recovery:
    """:func:`recovery_of`, with the look in the audit log."""
    found = recovery_of(number, by=by)
    record(
        by=by,
        act=Act.VIEW_RECOVERY,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"recovery": number},
    )
    return found


def recovery_for(doubt_number: str, *, by: User) -> Recovery | None:
    """The recovery that a doubt led to."""
    require(by, Act.VIEW_RECOVERY)
    return Recovery.objects.visible_to(by).filter(doubt_number=doubt_number).first()


@dataclass(frozen=True)
class Due:
    """An instalment with what was paid towards it, the oldest first."""

    place: int
    due_on: date
    amount_fen: int
    paid_fen: int

    @property
    def open_fen(self) -> int:
        return self.amount_fen - self.paid_fen


def plan_of(recovery: Recovery) -> list[Due]:
    """The plan in force; what the family has paid since the plan was made fills it from the first instalment on."""
    rows = list(recovery.instalments.filter(plan=recovery.plan_number)) if recovery.plan_number else []
    left = sum(row.amount_fen for row in rows) - recovery.outstanding_fen
    dues = []
    for row in rows:
        paid = max(0, min(left, row.amount_fen))
        left -= paid
        dues.append(Due(row.place, row.due_on, row.amount_fen, paid))
    return dues


def trial_balance(*, by: User, region_code: str = "") -> dict[str, int]:
    """The balance of each account over the account's area (试算平衡); they sum to nought."""
    require(by, Act.VIEW_RECOVERY)
    found = Recovery.objects.visible_to(by)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    sums = dict(
        LedgerLine.objects.filter(entry__recovery__in=found)
        .order_by()
        .values_list("account")
        .annotate(total=Sum("amount_fen"))
    )
    return {account.value: int(sums.get(account.value, 0)) for account in Account}


def prove(recovery: Recovery) -> bool:
    """Whether every entry balances and the kept sums are those of the entries."""
    lines = LedgerLine.objects.filter(entry__recovery=recovery).order_by()
    unbalanced = lines.values("entry").annotate(total=Sum("amount_fen")).exclude(total=0).exists()
    fresh = _sums(recovery)
    return not unbalanced and all(getattr(recovery, column) == value for column, value in fresh.items())


def _sums(recovery: Recovery) -> dict[str, int]:
    lines = LedgerLine.objects.filter(entry__recovery=recovery).order_by()
    balance: dict[str, int] = defaultdict(int)
    for account, total in lines.values_list("account").annotate(total=Sum("amount_fen")):
        balance[account] = int(total)
    return {
        column: sign * sum(balance[account] for account in accounts)
        for column, (accounts, sign) in _KEPT.items()
    }


# ---- entering -----------------------------------------------------------------------------------------------------------


def _enter(
    recovery: Recovery,
    *,
    kind: LedgerEntry.Kind,
    voucher: str,
    on: date,
    memo: str,
    lines: dict[str, int],
    by: User,
    second: str = "",
    reverses: LedgerEntry | None = None,
) -> LedgerEntry:
    """Write one balanced entry and bring the kept sums up to it; the caller holds the turn."""
    if sum(lines.values()) or not any(lines.values()):
        raise ValueError("an entry balances and is not empty")
    if on > timezone.localdate():
        raise StepRefused("记账日期不能晚于今天。", "An entry cannot lie in the future.")
    if not voucher.strip() or len(voucher) > 80:
        raise StepRefused("请填写凭证号（80 字以内）。", "Give the voucher number (80 characters at most).")
    entry = LedgerEntry.objects.create(
        recovery=recovery,
        kind=kind,
        voucher=voucher.strip(),
        on=on,
        memo=memo.strip()[:300],
        by=by.username,
        second=second,
        reverses=reverses,
    )
    LedgerLine.objects.bulk_create(
        LedgerLine(entry=entry, account=account, amount_fen=fen) for account, fen in lines.items() if fen
    )
    _follow(recovery)
    record(
        by=by,
        act=Act.KEEP_RECOVERY,
        subject=f"household:{recovery.household_no}",
        region_code=recovery.region_code,
        detail={"recovery": recovery.number, "entry": kind.value, "voucher": entry.voucher, "lines": lines},
    )
    return entry


def _follow(recovery: Recovery) -> None:
    for column, value in _sums(recovery).items():
        setattr(recovery, column, value)
    open_dues = [due.due_on for due in plan_of(recovery) if due.open_fen > 0]
    recovery.next_due_on = open_dues[0] if open_dues and recovery.outstanding_fen else None
    recovery.save()


def _for_entry(number: str, by: User) -> Recovery:
    take_turn()
    found = recovery_of(number, by=by)
    require(by, Act.KEEP_RECOVERY, region_code=found.region_code)
    return found


@transaction.atomic
def open_recovery(
    *,
    doubt_number: str,
    kind: str,
    household_no: str,
    debtor_name: str,
    region_code: str,
    amount_fen: int,
    by: User,
    document: str = "",
) -> Recovery:
    """Open a recovery for a concluded doubt: the family owes, the expense falls (立案). The same doubt again is the same."""
    require(by, Act.KEEP_RECOVERY, region_code=region_code)
    take_turn()
    standing = Recovery.objects.filter(doubt_number=doubt_number).first()
    if standing is not None:
        return standing
    if amount_fen <= 0:
        raise StepRefused("应追缴金额须大于零。", "The sum to be recovered is greater than nought.")
    today = timezone.localdate()
    recovery = Recovery.objects.create(
        number=f"ZJ{doubt_number.removeprefix('YD')}",
        doubt_number=doubt_number,
        kind=kind,
        household_no=household_no,
        debtor_name=debtor_name,
        region_code=region_code,
        opened_on=today,
        document=document or doubt_number,
    )
    _enter(
        recovery,
        kind=LedgerEntry.Kind.OPENING,
        voucher=f"{recovery.number}-立案",
        on=today,
        memo=f"疑点 {doubt_number} 复核定性",
        lines={Account.RECEIVABLE: amount_fen, Account.EXPENSE: -amount_fen},
        by=by,
    )
    return recovery


@transaction.atomic
def receive(
    number: str, *, amount_fen: int, voucher: str, on: date, into: str = "bank", by: User, memo: str = ""
) -> LedgerEntry:
    """Record money that came back (收款), by the number of its receipt; the same receipt again changes nothing.

    More than is outstanding is refused: money that is not owed is not taken.
    """
    recovery = _for_entry(number, by)
    if into not in (Account.CASH, Account.BANK):
        raise StepRefused("收到哪里：cash 现金，或 bank 银行。", "Into cash or bank.")
    standing = LedgerEntry.objects.filter(voucher=voucher.strip()).first()
    if standing is not None:
        lines = dict(standing.lines.values_list("account", "amount_fen"))
        if standing.recovery_id == recovery.pk and standing.on == on and lines.get(into) == amount_fen:
            return standing
        raise VoucherUsed(
            f"凭证号 {voucher} 已用于另一笔（{standing.on}，{standing.get_kind_display()}）。请核对票据号。",
            f"Voucher {voucher} bears another entry ({standing.on}); check the receipt.",
        )
    _positive(amount_fen)
    if amount_fen > recovery.outstanding_fen:
        raise StepRefused(
            f"收款 {show_yuan(amount_fen)} 超过未追回的 {show_yuan(recovery.outstanding_fen)}。请按应缴金额收取。",
            "The receipt is more than is outstanding; take what is owed.",
        )
    return _enter(
        recovery,
        kind=LedgerEntry.Kind.RECEIPT,
        voucher=voucher,
        on=on,
        memo=memo or "收到退款",
        lines={into: amount_fen, Account.RECEIVABLE: -amount_fen},
        by=by,
    )


@transaction.atomic
def deposit_cash(number: str, *, amount_fen: int, voucher: str, on: date, by: User) -> LedgerEntry:
    """Record that cash was paid into the bank (现金缴存)."""
    recovery = _for_entry(number, by)
    _fresh(voucher)
    _positive(amount_fen)
    if amount_fen > _balance(recovery, Account.CASH):
        raise StepRefused("缴存金额超过这一案的库存现金。", "More than the cash in hand of this recovery.")
    return _enter(
        recovery,
        kind=LedgerEntry.Kind.DEPOSIT,
        voucher=voucher,
        on=on,
        memo="现金缴存银行",
        lines={Account.BANK: amount_fen, Account.CASH: -amount_fen},
        by=by,
    )


@transaction.atomic
def reduce_claim(
    number: str, *, amount_fen: int, document: str, voucher: str, on: date, ground: str, by: User
) -> LedgerEntry:
    """Lower a claim that was too high, by a document (核减); what was paid beyond it is owed back to the family."""
    recovery = _for_entry(number, by)
    _fresh(voucher)
    _positive(amount_fen)
    _documented(document, ground)
    claim = recovery.due_fen - recovery.written_off_fen
    if amount_fen > claim:
        raise StepRefused(
            f"核减不能超过应追缴减去已核销的 {show_yuan(claim)}。", "The reduction is more than the claim."
        )
    open_part = min(amount_fen, recovery.outstanding_fen)
    return _enter(
        recovery,
        kind=LedgerEntry.Kind.REDUCTION,
        voucher=voucher,
        on=on,
        memo=f"{document.strip()} {ground.strip()}",
        lines={
            Account.EXPENSE: amount_fen,
            Account.RECEIVABLE: -open_part,
            Account.REFUND: open_part - amount_fen,
        },
        by=by,
    )


@transaction.atomic
def refund(number: str, *, amount_fen: int, voucher: str, on: date, by: User, memo: str = "") -> LedgerEntry:
    """Pay back what a family paid beyond the claim (退还家庭), from the bank."""
    recovery = _for_entry(number, by)
    _fresh(voucher)
    _positive(amount_fen)
    if amount_fen > recovery.refund_fen:
        raise StepRefused(
            f"应退还家庭的只有 {show_yuan(recovery.refund_fen)}。", "More than is owed back to the family."
        )
    if amount_fen > _balance(recovery, Account.BANK):
        raise StepRefused("这一案的银行存款不够，请先把现金缴存银行。", "The bank balance does not cover it.")
    return _enter(
        recovery,
        kind=LedgerEntry.Kind.REFUND,
        voucher=voucher,
        on=on,
        memo=memo or "退还家庭",
        lines={Account.REFUND: amount_fen, Account.BANK: -amount_fen},
        by=by,
    )


@transaction.atomic
def ask_write_off(number: str, *, amount_fen: int, ground: str, by: User) -> WriteOffRequest:
    """Ask that a sum be written off (申请核销); another person decides."""
    recovery = _for_entry(number, by)
    _positive(amount_fen)
    if amount_fen > recovery.outstanding_fen:
        raise StepRefused(
            f"申请核销的超过未追回的 {show_yuan(recovery.outstanding_fen)}。", "More than is outstanding."
        )
    if len(ground.strip()) < 10:
        raise StepRefused("请写明核销理由（至少十个字）。", "State the ground (10 characters or more).")
    if recovery.write_offs.filter(status=WriteOffRequest.Status.OPEN).exists():
        raise StepRefused("已有一份核销申请等待决定。", "A request to write off is waiting already.")
    request = WriteOffRequest.objects.create(
        recovery=recovery, amount_fen=amount_fen, ground=ground.strip(), asked_by=by.username
    )
    record(
        by=by,
        act=Act.KEEP_RECOVERY,
        subject=f"household:{recovery.household_no}",
        region_code=recovery.region_code,
        detail={"recovery": number, "write_off_asked_fen": amount_fen},
    )
    return request


@transaction.atomic
def decide_write_off(number: str, *, approve: bool, document: str, note: str, by: User) -> WriteOffRequest:
    """A second person writes the sum off by a document, or refuses (决定核销)."""
    take_turn()
    recovery = recovery_of(number, by=by)
    require(by, Act.DECIDE_WRITE_OFF, region_code=recovery.region_code)
    request = recovery.write_offs.filter(status=WriteOffRequest.Status.OPEN).first()
    if request is None:
        raise StepRefused("没有等待决定的核销申请。", "No request to write off is waiting.")
    if request.asked_by == by.username:
        raise StepRefused("申请人不能决定自己的申请。", "Who asked may not decide.")
    _documented(document if approve else "不同意", note)
    if approve and request.amount_fen > recovery.outstanding_fen:
        raise StepRefused(
            f"申请之后又有收款，未追回的只剩 {show_yuan(recovery.outstanding_fen)}。请退回重新申请。",
            "Money came in since the request: less is outstanding. Refuse it and ask again.",
        )
    request.status = WriteOffRequest.Status.APPROVED if approve else WriteOffRequest.Status.REFUSED
    request.document, request.note = document.strip(), note.strip()
    request.decided_by, request.decided_at = by.username, timezone.now()
    request.save()
    if approve:
        _enter(
            recovery,
            kind=LedgerEntry.Kind.WRITE_OFF,
            voucher=f"{recovery.number}-核销{request.pk}",
            on=timezone.localdate(),
            memo=f"{document.strip()} {note.strip()}",
            lines={Account.WRITTEN_OFF: request.amount_fen, Account.RECEIVABLE: -request.amount_fen},
            by=by,
            second=request.asked_by,
        )
    else:
        record(
            by=by,
            act=Act.DECIDE_WRITE_OFF,
            subject=f"household:{recovery.household_no}",
            region_code=recovery.region_code,
            detail={"recovery": number, "approve": False},
        )
    return request


@transaction.atomic
def reverse_entry(number: str, *, entry: int, voucher: str, ground: str, on: date, by: User) -> LedgerEntry:
    """Reverse an entry by its counter-entry (冲正); a reversal that would leave an account below nought is refused."""
    recovery = _for_entry(number, by)
    _fresh(voucher)
    wrong = recovery.entries.filter(pk=entry).first()
    if wrong is None:
        raise RecoveryNotFound("这一案没有这笔凭证。", "No such entry in this recovery.")
    if wrong.kind == LedgerEntry.Kind.REVERSAL or LedgerEntry.objects.filter(reverses=wrong).exists():
        raise StepRefused(
            "这笔已经冲正，或本身就是冲正。", "The entry is reversed already, or is a reversal."
        )
    if len(ground.strip()) < 4:
        raise StepRefused("请写明冲正理由（至少四个字）。", "State the ground (four characters or more).")
    lines = {account: -fen for account, fen in wrong.lines.values_list("account", "amount_fen")}
    for account in (Account.RECEIVABLE, Account.CASH, Account.BANK):
        if _balance(recovery, account) + lines.get(account, 0) < 0:
            raise StepRefused(
                f"冲正后“{account.label}”会小于零。请先冲正后面的凭证。",
                f"The reversal would leave {account.value} below nought; reverse later entries first.",
            )
    if -_balance(recovery, Account.REFUND) - lines.get(Account.REFUND, 0) < 0:
        raise StepRefused(
            "冲正后“应退还家庭”会小于零。请先冲正退款。",
            "The reversal would undo money already paid back; reverse the refund first.",
        )
    return _enter(
        recovery,
        kind=LedgerEntry.Kind.REVERSAL,
        voucher=voucher,
        on=on,
        memo=f"冲正 {wrong.voucher}：{ground.strip()}",
        lines=lines,
        by=by,
        reverses=wrong,
    )


@transaction.atomic
def agree_plan(number: str, *, dues: list[tuple[date, int]], by: User) -> Recovery:
    """Agree on instalments that add up to what is outstanding (分期); a later plan takes the earlier one's place."""
    recovery = _for_entry(number, by)
    if not dues or len(dues) > MAX_INSTALMENTS:
        raise StepRefused(f"分期须在 1 到 {MAX_INSTALMENTS} 期之间。", f"1 to {MAX_INSTALMENTS} instalments.")
    if any(fen <= 0 for _day, fen in dues) or [day for day, _ in dues] != sorted({day for day, _ in dues}):
        raise StepRefused("每期金额须大于零，日期须由先到后、不重复。", "Sums above nought, dates ascending.")
    if sum(fen for _day, fen in dues) != recovery.outstanding_fen:
        raise StepRefused(
            f"各期合计须等于未追回的 {show_yuan(recovery.outstanding_fen)}。",
            "The instalments must add up to what is outstanding.",
        )
    recovery.plan_number += 1
    Instalment.objects.bulk_create(
        Instalment(
            recovery=recovery,
            plan=recovery.plan_number,
            place=place,
            due_on=day,
            amount_fen=fen,
            agreed_by=by.username,
        )
        for place, (day, fen) in enumerate(dues, 1)
    )
    recovery.save(update_fields=["plan_number"])
    _follow(recovery)
    record(
        by=by,
        act=Act.KEEP_RECOVERY,
        subject=f"household:{recovery.household_no}",
        region_code=recovery.region_code,
        detail={"recovery": number, "plan": recovery.plan_number, "instalments": len(dues)},
    )
    return recovery


def even_instalments(outstanding_fen: int, months: int, first: date) -> list[tuple[date, int]]:
    """A sum over equal months to the fen, the odd fen in the first; due on the day of ``first``, or the month's last."""
    share, odd = divmod(outstanding_fen, months)
    return [
        (first + relativedelta(months=place), share + (odd if place == 0 else 0)) for place in range(months)
    ]


def _balance(recovery: Recovery, account: str) -> int:
    total: Any = LedgerLine.objects.filter(entry__recovery=recovery, account=account).aggregate(
        total=Sum("amount_fen")
    )["total"]
    return int(total or 0)


def _fresh(voucher: str) -> None:
    if LedgerEntry.objects.filter(voucher=voucher.strip()).exists():
        raise VoucherUsed(
            f"凭证号 {voucher} 已经用过。请核对。", f"Voucher {voucher} is used already; check it."
        )


def _positive(amount_fen: int) -> None:
    if amount_fen <= 0:
        raise StepRefused("金额须大于零。", "The amount is greater than nought.")


def _documented(document: str, ground: str) -> None:
    if len(document.strip()) < 2 or len(ground.strip()) < 4:
        raise StepRefused("请写明决定文号和理由。", "Give the number of the decision and the ground.")
