"""The ledger under charity's money: double entry, written once, each fund balanced in itself, no account below nought.

Every line keeps the balance after it and every month its movement, so that the balance of a fund today or on any day is
read, not summed over its life. Callers hold the turn (``take_turn``): what was read still stands when it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from django.db.models import F, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import (
    Account,
    Asset,
    Fund,
    FundEntry,
    FundLine,
    FundMonth,
    GiftPart,
    PartUse,
)
from doudi.engine.errors import DoudiError
from doudi.engine.money import show_yuan

CREDITED = frozenset({Account.FREE_MONEY, Account.FREE_GOODS, Account.HELD_MONEY, Account.HELD_GOODS})
"""Accounts whose balance is a credit."""
FREE = {Asset.MONEY: Account.FREE_MONEY, Asset.GOODS: Account.FREE_GOODS}
HELD = {Asset.MONEY: Account.HELD_MONEY, Asset.GOODS: Account.HELD_GOODS}
THING = {Asset.MONEY: Account.MONEY, Asset.GOODS: Account.GOODS}
_KEPT = {
    "free_money_fen": Account.FREE_MONEY,
    "free_goods_fen": Account.FREE_GOODS,
    "held_money_fen": Account.HELD_MONEY,
    "held_goods_fen": Account.HELD_GOODS,
}


class NotEnough(DoudiError):
    """A fund does not hold that much."""

    code = "fund_too_small"


@dataclass(frozen=True)
class Piece:
    """What an entry takes of a gift's part (negative: gives back)."""

    part: GiftPart
    amount_fen: int
    quantity: int | None = None


def next_number(prefix: str, on: date) -> str:
    """The next voucher number of a kind within a year: ``PZ2025-000123``; the caller holds the turn."""
    head = f"{prefix}{on:%Y}-"
    last = (
        FundEntry.objects.filter(voucher__startswith=head)
        .order_by("-voucher")
        .values_list("voucher", flat=True)
        .first()
    )
    return f"{head}{int(last.removeprefix(head)) + 1 if last else 1:06d}"


def entry_of_token(token: str) -> FundEntry | None:
    """The entry that the same request wrote before, if it was sent twice."""
    return FundEntry.objects.filter(token=token).first() if token else None


def enter(
    *,
    kind: FundEntry.Kind,
    lines: Mapping[tuple[Fund, Account], int],
    amount_fen: int,
    on: date,
    memo: str,
    by: User,
    act: Act,
    pieces: Iterable[Piece] = (),
    second: str = "",
    token: str = "",
    reverses: FundEntry | None = None,
    of: FundEntry | None = None,
) -> FundEntry:
    """Write one entry that balances within each fund, bring balances, months and parts up to it, and log it.

    Raises :class:`NotEnough` where an account would fall below nought; then nothing was written.
    """
    funds = {fund.pk: fund for fund, _account in lines}
    for pk in funds:
        if sum(fen for (fund, _account), fen in lines.items() if fund.pk == pk):
            raise ValueError("an entry balances within each fund")
    if on > timezone.localdate():
        raise StepRefused("日期不能晚于今天。", "The date cannot lie in the future.")
    fund = next(iter(funds.values()))
    entry = FundEntry(
        organisation_id=fund.organisation_id,
        kind=kind,
        voucher=next_number("PZ", on),
        token=token or None,
        on=on,
        memo=memo.strip()[:300],
        amount_fen=amount_fen,
        by=by.username,
        second=second,
        reverses=reverses,
        of=of,
    )
    written = []
    for (its, account), fen in lines.items():
        if not fen:
            continue
        after = balance(its, account) + fen
        if (-after if account in CREDITED else after) < 0:
            raise NotEnough(
                f"“{its.name}”的{account.label}只有 {show_yuan(abs(after - fen))}，不够 {show_yuan(abs(fen))}。",
                f"The fund {its.number} holds {show_yuan(abs(after - fen))} of {account.value}, not {show_yuan(abs(fen))}.",
            )
        written.append(
            FundLine(entry=entry, fund=its, account=account, on=on, amount_fen=fen, balance_fen=after)
        )
    entry.save()
    FundLine.objects.bulk_create(written)
    for line in written:
        of_month = {"fund": line.fund, "account": line.account, "month": on.replace(day=1)}
        if not FundMonth.objects.filter(**of_month).update(moved_fen=F("moved_fen") + line.amount_fen):
            FundMonth.objects.create(**of_month, moved_fen=line.amount_fen)
    _use(entry, pieces)
    for its in funds.values():
        _follow(its, [line for line in written if line.fund == its])
    record(
        by=by,
        act=act,
        subject=f"fund:{fund.number}",
        region_code=fund.organisation.region_code,
        detail={"entry": kind.value, "voucher": entry.voucher, "amount_fen": amount_fen},
    )
    return entry


def _use(entry: FundEntry, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        PartUse.objects.create(
            entry=entry, part=piece.part, amount_fen=piece.amount_fen, quantity=piece.quantity
        )
        piece.part.refresh_from_db()
        piece.part.left_fen -= piece.amount_fen
        if piece.quantity is not None and piece.part.left_quantity is not None:
            piece.part.left_quantity -= piece.quantity
        piece.part.save(update_fields=["left_fen", "left_quantity"])


def _follow(fund: Fund, lines: Iterable[FundLine]) -> None:
    """Bring the kept sums of a fund up to the lines that were just written."""
    columns = {account: column for column, account in _KEPT.items()}
    moved = {columns[Account(line.account)]: -line.balance_fen for line in lines if line.account in columns}
    for column, fen in moved.items():
        setattr(fund, column, fen)
    fund.save(update_fields=list(moved))


# ---- balances ---------------------------------------------------------------------------------------------------


def balance(fund: Fund, account: str) -> int:
    """The balance of an account now, in fen; a credit is negative."""
    last = (
        FundLine.objects.filter(fund=fund, account=account)
        .order_by("-id")
        .values_list("balance_fen", flat=True)
        .first()
    )
    return int(last or 0)


def balance_on(fund: Fund, account: str, day: date) -> int:
    """The balance of an account at the end of ``day``: whole months from their sums, the days of its own month by line."""
    month = day.replace(day=1)
    before = FundMonth.objects.filter(fund=fund, account=account, month__lt=month).aggregate(
        total=Sum("moved_fen")
    )["total"]
    within = FundLine.objects.filter(fund=fund, account=account, on__gte=month, on__lte=day).aggregate(
        total=Sum("amount_fen")
    )["total"]
    return int(before or 0) + int(within or 0)


def trial_balance(funds: Iterable[Fund]) -> dict[str, int]:
    """The balance of each account over some funds (试算平衡); they sum to nought."""
    sums: dict[str, int] = defaultdict(int)
    rows = (
        FundMonth.objects.filter(fund__in=list(funds))
        .order_by()
        .values_list("account")
        .annotate(total=Sum("moved_fen"))
    )
    for account, total in rows:
        sums[account] += int(total)
    return {account.value: sums[account.value] for account in Account}


def prove(fund: Fund) -> bool:
    """Whether everything kept beside the lines of a fund is what the lines say, and gifts say the same as the ledger."""
    fund.refresh_from_db()
    lines = FundLine.objects.filter(fund=fund)
    sums = dict(lines.order_by().values_list("account").annotate(total=Sum("amount_fen")))
    months = dict(
        FundMonth.objects.filter(fund=fund).order_by().values_list("account").annotate(total=Sum("moved_fen"))
    )
    if sum(sums.values()) != 0 or any(months.get(account, 0) != total for account, total in sums.items()):
        return False
    if lines.order_by().values("entry").annotate(total=Sum("amount_fen")).exclude(total=0).exists():
        return False
    if any(balance(fund, account) != total for account, total in sums.items()):
        return False
    if any(getattr(fund, column) != -sums.get(account, 0) for column, account in _KEPT.items()):
        return False
    left = dict(
        GiftPart.objects.filter(fund=fund).order_by().values_list("asset").annotate(total=Sum("left_fen"))
    )
    return all(left.get(asset, 0) == fund.free_fen(asset) for asset in Asset) and _parts_proved(fund)


def _parts_proved(fund: Fund) -> bool:
    parts = GiftPart.objects.filter(fund=fund).annotate(used=Sum("uses__amount_fen"))
    return all(part.amount_fen - int(part.used or 0) == part.left_fen for part in parts)


# ---- which gift is used -----------------------------------------------------------------------------------------


def take_parts(
    fund: Fund, asset: str, amount_fen: int, *, on: date, donation_id: int | None = None
) -> list[Piece]:
    """Pieces of gifts that make up a sum of money, the earliest gift first."""
    pieces, wanted = [], amount_fen
    parts = GiftPart.objects.filter(fund=fund, asset=asset, left_fen__gt=0)
    if donation_id is not None:
        parts = parts.filter(donation_id=donation_id)
    for part in parts.order_by("pk"):
        taken = min(part.left_fen, wanted)
        pieces.append(Piece(part, taken, part.left_quantity if asset == Asset.GOODS else None))
        wanted -= taken
        if not wanted:
            return pieces
    raise NotEnough(
        f"“{fund.name}”未安排的只有 {show_yuan(amount_fen - wanted)}，不够 {show_yuan(amount_fen)}。",
        f"The fund {fund.number} has {show_yuan(amount_fen - wanted)} free, not {show_yuan(amount_fen)}.",
    )


def take_goods(fund: Fund, goods_name: str, quantity: int, *, on: date) -> list[Piece]:
    """Pieces of goods of a name, those that expire first going first; what has expired is not given (先到期先发)."""
    pieces, wanted = [], quantity
    parts = GiftPart.objects.filter(
        fund=fund, asset=Asset.GOODS, left_quantity__gt=0, donation__goods_name=goods_name
    )
    for part in sorted(parts, key=lambda part: (part.expires_on or date.max, part.pk)):
        if part.expires_on is not None and part.expires_on < on:
            continue
        left = int(part.left_quantity or 0)
        taken = min(left, wanted)
        # the last piece takes what value is left, so that no fen is lost by dividing
        worth = part.left_fen if taken == left else part.left_fen * taken // left
        pieces.append(Piece(part, worth, taken))
        wanted -= taken
        if not wanted:
            return pieces
    raise NotEnough(
        f"“{fund.name}”没有过期的“{goods_name}”只有 {quantity - wanted}，不够 {quantity}。",
        f"The fund {fund.number} has {quantity - wanted} unexpired {goods_name}, not {quantity}.",
    )


def turned(pieces: Iterable[PartUse]) -> list[Piece]:
    """The same pieces given back."""
    return [
        Piece(use.part, -use.amount_fen, None if use.quantity is None else -use.quantity) for use in pieces
    ]
