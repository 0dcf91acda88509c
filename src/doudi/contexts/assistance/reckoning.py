"""From what is due to the rows of a roster: this month, 补发, 扣回, 扣抵, and what waits for a person (名册计算).

All rows of one payee net to nought or more: a 扣回 takes no more than the payee receives in this roster, and what is
left of it comes back by itself, for the earlier month still holds more than is due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum

from doudi.contexts.assistance.benefit_models import OffsetAgreement
from doudi.contexts.assistance.entitlement import Books, Entitled, Key
from doudi.contexts.assistance.recovery_models import LedgerLine, Recovery
from doudi.contexts.assistance.roster_models import Roster, RosterRow
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules, Due, Numbers, month_text, months_between, shift
from doudi.engine.money import format_yuan

Made = dict[str, Any]
Kind = RosterRow.Kind
_PAID = (Kind.REGULAR, Kind.BACKPAY, Kind.CLAWBACK)


@dataclass
class _Payee:
    """What is gathered for one payee of a household before it becomes rows."""

    plus: list[Made]
    minus: list[Made]


def reckon_rows(roster: Roster, rules: BenefitRules, numbers: Numbers) -> Iterator[Made]:
    """The rows of a roster, household by household, without names and places."""
    books = Books.read(roster.region_code, rules, numbers)
    floor = shift(roster.month, -rules.months_back)
    held_so_far = _rostered(roster.region_code, floor, books)
    claims = _recovery_claims(roster.region_code)
    agreements = _agreements(roster.region_code)
    noted = _noted(roster.region_code)
    for number in sorted(books.households):
        first = max(floor, books.first_month(number))
        earlier = held_so_far.get(number, {})
        if earlier:
            first = max(floor, min(first, min(month for _key, month in earlier)))
        due, held = _due(books, number, roster.month, first, earlier)
        yield from held
        payees = _differences(number, due, earlier, roster.month, noted)
        yield from _netted(payees, claims.get(number, 0), agreements.get(number), roster)


def _rostered(region_code: str, floor: date, books: Books) -> dict[str, dict[tuple[Key, date], int]]:
    """What frozen rosters hold: household → (key, month) → fen."""
    rows = (
        RosterRow.objects.filter(
            roster__region_code=region_code,
            roster__status=Roster.Status.FROZEN,
            kind__in=_PAID,
            for_month__gte=floor,
        )
        .order_by()
        .values_list("household_no", "person_id", "benefit", "for_month")
        .annotate(fen=Sum("amount_fen"))
    )
    found: dict[str, dict[tuple[Key, date], int]] = defaultdict(dict)
    held_rows = list(rows)
    kept = registry.kept_persons({person for _number, person, *_rest in held_rows if person})
    for number, person, benefit, month, fen in held_rows:
        # a frozen row names the record of its day; what it paid was paid to the person
        held, paid = found[number], ((number, kept.get(person, person), benefit), month)
        held[paid] = held.get(paid, 0) + fen
    for number, held in found.items():
        for key, month in [
            each for each in held if each[0][1] and each[0][1] not in books.named(number, each[0][2])
        ]:
            own = _own_key(books, key, {one for one, when in held if when == month})
            if own is not None:
                held[own, month] = held.pop((key, month))
    return found


def _own_key(books: Books, key: Key, rostered: set[Key]) -> Key | None:
    """Whose a row is that names a person whom no decision names: two records were one when it was made, and are two again.

    It is the one person's of the benefit who has no row of that month; where more could be meant, it stays as it is.
    """
    number, _person, benefit = key
    others = {(number, one, benefit) for one in books.named(number, benefit)} - rostered
    return others.pop() if len(others) == 1 else None


def _recovery_claims(region_code: str) -> dict[str, int]:
    """Household → fen already claimed back through the recovery ledger: not taken a second time here."""
    rows = Recovery.objects.filter(region_code__startswith=region_code).order_by().values_list("household_no")
    return dict(rows.annotate(fen=Sum("due_fen")))


@dataclass(frozen=True)
class _Agreement:
    number: str
    monthly_fen: int
    open_fen: int
    """What may still be kept back: outstanding, less what frozen rosters kept back and the ledger has not received yet."""
    surplus_fen: int
    """Kept back beyond what the recovery could take: goes back to the family."""


def _agreements(region_code: str) -> dict[str, _Agreement]:
    rows = list(OffsetAgreement.objects.filter(region_code__startswith=region_code))
    if not rows:
        return {}
    recoveries = {
        one.number: one for one in Recovery.objects.filter(number__in=[row.recovery_number for row in rows])
    }
    found = {}
    for row in rows:
        recovery = recoveries.get(row.recovery_number)
        if recovery is None:
            continue
        kept = -(
            RosterRow.objects.filter(
                roster__status=Roster.Status.FROZEN, kind=Kind.OFFSET, decision=row.recovery_number
            ).aggregate(fen=Sum("amount_fen"))["fen"]
            or 0
        )
        received = (
            LedgerLine.objects.filter(
                entry__recovery=recovery,
                entry__voucher__startswith=f"{recovery.number}-扣抵-",
                account="bank",
            ).aggregate(fen=Sum("amount_fen"))["fen"]
            or 0
        )
        waiting = kept - received
        open_fen = max(0, recovery.outstanding_fen - waiting) if row.ended_at is None else 0
        surplus = max(0, waiting - recovery.outstanding_fen)
        found[row.household_no] = _Agreement(row.recovery_number, row.monthly_fen, open_fen, surplus)
    return found


def _noted(region_code: str) -> set[str]:
    """Households of which a proposed stop still waits for somebody's decision: the checker sees it."""
    return set(monitoring.stops_waiting(region_code))


def _due(
    books: Books, number: str, month: date, first: date, earlier: dict[tuple[Key, date], int]
) -> tuple[dict[tuple[Key, date], Entitled], list[Made]]:
    """Everything a household is due from ``first`` to ``month``, and rows for what could not be reckoned."""
    due: dict[tuple[Key, date], Entitled] = {}
    held: list[Made] = []
    for each in months_between(first, month):
        for found in books.due_in(number, each, explain=each == month):
            if found.due.fen is None:
                # unknown is neither nought nor a reason to take anything back
                fen = earlier.get((found.key, each), 0)
                held.append(_row(found, each, Kind.HELD, 0, remark=found.due.missing))
                found = Entitled(found.key, found.decision, found.persons, Due(fen))
            elif each == month and found.due.fen == 0 and found.persons:
                held.append(_row(found, each, Kind.HELD, 0, remark="按现有收入和标准应发为零，请复查"))
            due[found.key, each] = found
    # several months of one unknown are one question
    seen: set[Key] = set()
    once = []
    for row in reversed(held):
        key = (row["household_no"], row["person_id"], row["benefit"])
        if key not in seen:
            seen.add(key)
            once.append(row)
    return due, once


def _row(found: Entitled, month: date, kind: str, fen: int, *, remark: str = "") -> Made:
    number, person, benefit = found.key
    return {
        "kind": kind,
        "benefit": benefit,
        "for_month": month,
        "household_no": number,
        "person_id": person,
        "region_code": found.decision.region_code,
        "persons": found.persons,
        "amount_fen": fen,
        "decision": found.decision.number,
        "lines": [line.plain() for line in found.due.lines],
        "remark": remark[:300],
    }


def _differences(
    number: str,
    due: dict[tuple[Key, date], Entitled],
    earlier: dict[tuple[Key, date], int],
    month: date,
    noted: set[str],
) -> dict[int, _Payee]:
    """Rows by payee: what is due beyond what was rostered, and what was rostered beyond what is due."""
    payees: dict[int, _Payee] = {}
    remark = "有停发建议还没有决定，请核对" if number in noted else ""
    last: dict[Key, Entitled] = {key: found for (key, _month), found in due.items()}
    for key, each in sorted(due.keys() | earlier.keys(), key=lambda pair: (pair[1], pair[0])):
        found = due.get((key, each))
        before = earlier.get((key, each), 0)
        now = found.due.fen or 0 if found is not None else 0
        if now == before:
            continue
        mine = payees.setdefault(key[1], _Payee([], []))
        basis = found or last.get(key)
        if each == month and before == 0 and basis is not None:
            mine.plus.append(_row(basis, each, Kind.REGULAR, now, remark=remark))
            continue
        kind = Kind.BACKPAY if now > before else Kind.CLAWBACK
        told = f"{month_text(each)}应发 {format_yuan(now)}元，已列 {format_yuan(before)}元"
        row = (
            _row(basis, each, kind, now - before, remark=told)
            if basis
            else _loose(key, each, kind, now - before, told)
        )
        row["lines"] = []
        (mine.plus if now > before else mine.minus).append(row)
    return payees


def _loose(key: Key, month: date, kind: str, fen: int, remark: str) -> Made:
    """A row for a month whose decision no longer names the key: everything of it was undone."""
    number, person, benefit = key
    area = (
        RosterRow.objects.filter(household_no=number).order_by("-pk").values_list("region_code", flat=True)[0]
    )
    return {
        "kind": kind, "benefit": benefit, "for_month": month, "household_no": number, "person_id": person,
        "region_code": area, "persons": 0, "amount_fen": fen, "decision": "", "lines": [], "remark": remark,
    }  # fmt: skip


def _netted(
    payees: dict[int, _Payee], claimed: int, agreement: _Agreement | None, roster: Roster
) -> Iterator[Made]:
    """The rows of a household's payees, each of them netting to nought or more."""
    if agreement is not None and agreement.surplus_fen and 0 not in payees:
        payees[0] = _Payee([], [])
    for person, mine in sorted(payees.items()):
        yield from mine.plus
        left = sum(row["amount_fen"] for row in mine.plus)
        over = -sum(row["amount_fen"] for row in mine.minus)
        # what the recovery ledger claims already is not taken back here as well
        allowed = max(0, over - claimed)
        claimed = max(0, claimed - over)
        open_fen = allowed
        for row in mine.minus:
            part = min(-row["amount_fen"], left, open_fen)
            if part:
                yield {**row, "amount_fen": -part}
                left -= part
                open_fen -= part
        if open_fen:
            first = mine.minus[0]
            yield {
                **first, "kind": Kind.HELD, "for_month": roster.month, "amount_fen": 0, "lines": [],
                "remark": f"还有 {format_yuan(open_fen)}元多发未扣回，本月发放额不够扣；不再发放的请转追缴",
            }  # fmt: skip
        if person == 0 and agreement is not None:
            yield from _offset(mine, left, agreement, roster)


def _offset(mine: _Payee, left: int, agreement: _Agreement, roster: Roster) -> Iterator[Made]:
    """What the family agreed to have kept back this month, or gets back because the recovery took less."""
    basis = mine.plus[0] if mine.plus else None
    fen = agreement.surplus_fen - min(agreement.monthly_fen, agreement.open_fen, left)
    if basis is None and agreement.surplus_fen:
        row = RosterRow.objects.filter(kind=Kind.OFFSET, decision=agreement.number).order_by("-pk")[0]
        basis = {
            name: getattr(row, name)
            for name in ("benefit", "household_no", "person_id", "region_code", "persons")
        }
    if fen and basis is not None:
        yield {
            **basis, "kind": Kind.OFFSET, "for_month": roster.month, "amount_fen": fen, "lines": [],
            "decision": agreement.number,
            "remark": f"按扣抵协议抵减追缴 {agreement.number}" if fen < 0 else f"追缴 {agreement.number} 已结清，多扣的退回",
        }  # fmt: skip
