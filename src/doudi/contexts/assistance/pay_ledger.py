"""The payment ledger (发放账): freezing owes, the batch is on its way, the return pays or gives back; always balanced.

Written by the steps of paying alone, each entry once under a voucher of its own.
"""

from __future__ import annotations

from datetime import date

from django.db.models import Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, require
from doudi.contexts.assistance.roster_models import PayEntry, PayLine, Roster, RosterRow

Account, Kind = PayLine.Account, PayEntry.Kind


def enter(
    voucher: str, *, kind: str, region_code: str, on: date, memo: str, lines: dict[str, int], by: User
) -> None:
    """Write one balanced entry; an entry of noughts is not written."""
    if sum(lines.values()):
        raise ValueError("an entry balances")
    if not any(lines.values()):
        return
    entry = PayEntry.objects.create(
        voucher=voucher, kind=kind, region_code=region_code, on=on, memo=memo[:200], by=by.username
    )
    PayLine.objects.bulk_create(
        PayLine(entry=entry, account=account, amount_fen=fen) for account, fen in lines.items() if fen
    )


def accrue(roster: Roster, *, by: User) -> None:
    """A frozen roster is owed to its payees (计提); what is kept back towards recoveries is not."""
    offset = (
        RosterRow.objects.filter(roster=roster, kind=RosterRow.Kind.OFFSET).aggregate(fen=Sum("amount_fen"))[
            "fen"
        ]
        or 0
    )
    enter(
        f"{roster.number}-冻结",
        kind=Kind.ACCRUAL,
        region_code=roster.region_code,
        on=timezone.localdate(),
        memo=f"名册 {roster.number} 冻结",
        lines={
            Account.EXPENSE: roster.total_fen - offset,
            Account.PAYABLE: -roster.total_fen,
            Account.OFFSET: offset,
        },
        by=by,
    )


def balances(*, by: User, region_code: str = "") -> dict[str, int]:
    """The balance of each account over an area (试算平衡); they sum to nought."""
    require(by, Act.VIEW_ROSTERS)
    found = PayLine.objects.filter(entry__region_code__startswith=region_code or by.region_code[:6])
    sums = dict(found.order_by().values_list("account").annotate(fen=Sum("amount_fen")))
    return {account.value: int(sums.get(account.value, 0)) for account in Account}
