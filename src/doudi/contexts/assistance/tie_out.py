"""Three ways to the same fen (三方核对): the roster, the bank's file, and what came back; and the ledger beside them.

Each number is counted from its own rows: the roster's from the rows, the file's from the payments, the return's from the
results, the ledger's from its lines. They tie out or the page says where they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, Subquery, Sum

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.assistance.pay_ledger import Account
from doudi.contexts.assistance.paying import paid_by_roster, payables
from doudi.contexts.assistance.roster_models import (
    BankReturn,
    PayBatch,
    PayItem,
    PayLine,
    PayResult,
    Roster,
    RosterRow,
)


@dataclass(frozen=True)
class TieOut:
    """A frozen roster's money by where it is, in fen; ``whole`` when every way gives the same."""

    roster_fen: int
    rows_fen: int
    paid_fen: int
    sent_fen: int
    failed_fen: int
    unsent_fen: int

    @property
    def open_fen(self) -> int:
        """What the payees have not got yet."""
        return self.roster_fen - self.paid_fen

    @property
    def whole(self) -> bool:
        """Whether no fen appeared or disappeared."""
        return (
            self.roster_fen
            == self.rows_fen
            == self.paid_fen + self.sent_fen + self.failed_fen + self.unsent_fen
        )

    @property
    def settled(self) -> bool:
        """Whether everything of the roster is with its payees."""
        return self.whole and self.paid_fen == self.roster_fen


def tie_out(roster: Roster, *, by: User) -> TieOut:
    """Where a frozen roster's money is, payee by payee."""
    require(by, Act.VIEW_ROSTERS)
    rows = RosterRow.objects.filter(roster=roster).aggregate(fen=Sum("amount_fen"))["fen"] or 0
    paid = paid_by_roster([roster.pk]).get(roster.pk, 0)
    if paid == rows == roster.total_fen:
        return TieOut(roster.total_fen, rows, paid, 0, 0, 0)
    by_state = {"sent": 0, "failed": 0, "new": 0}
    for one in payables([roster]):
        by_state[one.state] += one.amount_fen
    return TieOut(roster.total_fen, rows, paid, by_state["sent"], by_state["failed"], by_state["new"])


@dataclass(frozen=True)
class BatchTieOut:
    """A payment file against its returns, in fen."""

    file_fen: int
    items_fen: int
    paid_fen: int
    failed_fen: int
    waiting_fen: int

    @property
    def whole(self) -> bool:
        """Whether file, payments and returns agree."""
        return self.file_fen == self.items_fen == self.paid_fen + self.failed_fen + self.waiting_fen


def tie_out_batch(batch: PayBatch, *, by: User) -> BatchTieOut:
    """A payment file against what its return files said, bounces left aside."""
    require(by, Act.VIEW_ROSTERS)
    unanswered = ~Exists(PayResult.objects.filter(item=OuterRef("pk")))
    items = batch.items.aggregate(fen=Sum("amount_fen"), waiting=Sum("amount_fen", filter=unanswered))
    said = BankReturn.objects.filter(batch=batch).aggregate(paid=Sum("paid_fen"), failed=Sum("failed_fen"))
    return BatchTieOut(
        batch.total_fen, items["fen"] or 0, said["paid"] or 0, said["failed"] or 0, items["waiting"] or 0
    )


@dataclass(frozen=True)
class LedgerProof:
    """The payment ledger against rosters and payments of an area; ``faults`` names what does not agree."""

    faults: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def prove_ledger(region_code: str) -> LedgerProof:
    """Whether the ledger's balances are those of the rosters, payments and results they tell of."""
    lines = PayLine.objects.filter(entry__region_code=region_code)
    balance = {account.value: 0 for account in Account}
    balance |= dict(lines.order_by().values_list("account").annotate(fen=Sum("amount_fen")))
    faults = []
    if sum(balance.values()):
        faults.append("借贷不平")
    uneven = lines.order_by().values("entry").annotate(fen=Sum("amount_fen")).exclude(fen=0)
    if uneven.exists():
        faults.append("有凭证借贷不平")
    frozen = RosterRow.objects.filter(roster__region_code=region_code, roster__status=Roster.Status.FROZEN)
    offset = Q(kind=RosterRow.Kind.OFFSET)
    sums = frozen.aggregate(owed=Sum("amount_fen"), kept=Sum("amount_fen", filter=offset))
    owed, kept = sums["owed"] or 0, sums["kept"] or 0
    last = PayResult.objects.filter(item=OuterRef("pk")).order_by("-pk").values("kind")[:1]
    items = PayItem.objects.filter(batch__region_code=region_code).annotate(last=Subquery(last))
    stands = dict(items.order_by().values_list("last").annotate(fen=Sum("amount_fen")))
    paid, sent = stands.get(PayResult.Kind.PAID.value, 0), stands.get(None, 0)
    for name, account, fen in (
        ("救助支出", Account.EXPENSE, owed - kept),
        ("扣抵", Account.OFFSET, kept),
        ("财政专户存款", Account.BANK, -paid),
        ("在途", Account.TRANSIT, -sent),
        ("应付救助款", Account.PAYABLE, -(owed - paid - sent)),
    ):
        if balance[account.value] != fen:
            faults.append(f"{name}：账上 {balance[account.value]} 分，名册和回盘 {fen} 分")
    return LedgerProof(tuple(faults))
