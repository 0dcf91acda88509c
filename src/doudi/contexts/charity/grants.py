"""What a fund's money and goods are used for: arranged, decided by another person, paid by a third, and what came of it.

An arrangement holds the sum in its fund from the decision on, so that the same fen is never promised twice. What is not
needed is released; what comes back is entered and may be arranged again.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity import ledger
from doudi.contexts.charity.claims import claim_of
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import (
    Allocation,
    Asset,
    FundEntry,
    Grant,
    Outcome,
    visible,
)
from doudi.contexts.charity.funds import (
    FundNotFound,
    another,
    check_use,
    numbered,
    own_fund,
    positive,
    reasoned,
    refuse_tied,
)
from doudi.contexts.charity.need_models import Claim
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine import identity
from doudi.engine.money import show_yuan
from doudi.engine.packs.giving import GivingRules
from doudi.house.keyring import keyring


def allocations(*, by: User, status: str = "") -> QuerySet[Allocation]:
    """Arrangements that ``by`` may see, newest first."""
    found = visible(Allocation.objects.all(), by, Act.VIEW_FUNDS).select_related("fund", "organisation")
    found = registry.but_own(found, by=by, blind="recipient_blind")
    return found.filter(status=status) if status else found


def allocation_of(number: str, *, by: User) -> Allocation:
    """One arrangement, or :class:`FundNotFound`."""
    seen = visible(Allocation.objects.all(), by, Act.VIEW_FUNDS).select_related("fund", "organisation")
    found = seen.filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到安排 {number}。", f"No arrangement {number} for you.")
    registry.refuse_own_record(f"allocation:{number}", by=by, blind=found.recipient_blind)
    return found


@transaction.atomic
def look_at_allocation(number: str, *, by: User) -> Allocation:
    """:func:`allocation_of`, with the look in the audit log: the own charity reads who is helped."""
    found = allocation_of(number, by=by)
    _log(found, by, Act.VIEW_FUNDS, step="look")
    return found


def public_words(text: str, what: str, least: int = 4) -> str:
    """Words that will be published: they say something and hold no number that identifies somebody (第八十二条)."""
    said = reasoned(text, what, "what is asked", least)
    if identity.holds_number(said):
        raise StepRefused(
            f"{what}将会公开，不要写身份证号、电话或账号。",
            "These words are published: no identity, telephone or account numbers.",
            code="identity_in_text",
        )
    return said


@transaction.atomic
def propose_allocation(
    *,
    fund_number: str,
    purpose: str,
    region_code: str,
    use: str,
    rules: GivingRules,
    by: User,
    amount_fen: int = 0,
    asset: str = Asset.MONEY,
    goods_name: str = "",
    quantity: int | None = None,
    group: str = "",
    need_code: str = "",
    claim: str = "",
    recipient_name: str = "",
    recipient_id: str = "",
    recipient_blinds: tuple[bytes, ...] = (),
    token: str = "",
) -> Allocation:
    """Propose a use of a fund (提出安排): within its restrictions, for nobody tied to its donors.

    For a published need ``need_code`` and ``claim`` stand for the person, and ``recipient_blinds`` are the household's
    blind indexes; the charity itself knows no identity.
    """
    take_turn()
    fund = own_fund(fund_number, by=by, act=Act.KEEP_FUNDS)
    if token and (again := Allocation.objects.filter(token=token).first()) is not None:
        return again
    if purpose not in rules.purposes or asset not in Asset.values:
        raise StepRefused("请选择用途和种类。", "Choose the purpose and the kind.")
    if not region_code.isdigit() or not region_code.startswith(fund.organisation.region_code[:6]):
        raise StepRefused(
            "使用地区请填本组织所在地区内的行政区划代码。", "The place is a code within the charity's area."
        )
    if group and group not in rules.groups:
        raise StepRefused("没有这种受益群体。", "No such group.")
    today = timezone.localdate()
    check_use(fund, purpose=purpose, group=group, region_code=region_code, on=today)
    blinds = list(recipient_blinds)
    blind = b""
    if recipient_id:
        number = identity.mend_id(recipient_id)
        if number is None:
            raise StepRefused("受助人的身份证号不对。", "The beneficiary's identity number is not valid.")
        blind = keyring().digest(number, purpose=ID_PURPOSE)
        blinds.append(blind)
    refuse_tied(fund, blinds)
    if asset == Asset.GOODS:
        if not quantity or quantity < 1:
            raise StepRefused("请填写物资名称和数量。", "Give the goods and their quantity.")
        amount_fen = sum(
            piece.amount_fen for piece in ledger.take_goods(fund, goods_name.strip(), quantity, on=today)
        )
    else:
        positive(amount_fen)
        if amount_fen > fund.free_money_fen:
            raise ledger.NotEnough(
                f"“{fund.name}”未安排的只有 {show_yuan(fund.free_money_fen)}。",
                f"The fund has {show_yuan(fund.free_money_fen)} free.",
            )
    if (
        claim
        and Allocation.objects.filter(
            claim=claim,
            status__in=(Allocation.Status.PROPOSED, Allocation.Status.APPROVED, Allocation.Status.PAID),
        ).exists()
    ):
        raise StepRefused(
            f"认领 {claim} 已经安排资金。", f"The claim {claim} has its money arranged already."
        )
    made = Allocation.objects.create(
        number=numbered(Allocation, "AP", today),
        organisation=fund.organisation,
        fund=fund,
        project=fund.project,
        token=token or None,
        asset=asset,
        amount_fen=amount_fen,
        goods_name=goods_name.strip() if asset == Asset.GOODS else "",
        quantity=quantity if asset == Asset.GOODS else None,
        purpose=purpose,
        group=group,
        region_code=region_code,
        need_code=need_code.strip(),
        claim=claim.strip(),
        recipient_name=recipient_name.strip(),
        recipient_blind=blind,
        use=public_words(use, "用于"),
        proposed_by=by.username,
    )
    _log(made, by, Act.KEEP_FUNDS, step="propose", amount_fen=amount_fen)
    return made


@transaction.atomic
def propose_for_claim(
    claim_number: str, *, fund_number: str, use: str, rules: GivingRules, by: User, amount_fen: int = 0
) -> Allocation:
    """Propose a fund's money for a need that the charity holds (为认领的需求安排资金); 0 asks for the whole sum held.

    Kind, group and published place come from the need; nobody in its household is tied to the fund's donors.
    """
    claim = claim_of(claim_number, by=by)
    if claim.status != Claim.Status.RESERVED:
        raise StepRefused(
            f"认领现为“{claim.get_status_display()}”，不能安排资金。", f"The claim is {claim.status}."
        )
    need = claim.need
    return propose_allocation(
        fund_number=fund_number,
        amount_fen=amount_fen or claim.asked_fen or 0,
        purpose=need.kind,
        group=need.group,
        region_code=need.public_region[:9],
        use=use,
        need_code=need.code,
        claim=claim.number,
        recipient_blinds=tuple(blind for _name, blind in registry.people_in(need.household_no)),
        rules=rules,
        by=by,
    )


def _own(number: str, by: User, act: Act) -> Allocation:
    found = allocation_of(number, by=by)
    require(by, act, region_code=found.organisation.region_code, organisation=found.organisation.code)
    return found


@transaction.atomic
def decide_allocation(number: str, *, approve: bool, note: str, by: User) -> Allocation:
    """Another person decides; from then on the sum is held for this use (审批安排)."""
    take_turn()
    found = _own(number, by, Act.DECIDE_FUNDS)
    if found.status != Allocation.Status.PROPOSED:
        raise StepRefused("这项安排已经审批。", "The arrangement is decided already.")
    another(by, found.proposed_by)
    found.decided_by, found.decided_at, found.note = by.username, timezone.now(), note.strip()[:300]
    if not approve:
        found.note = reasoned(note)[:300]
        found.status = Allocation.Status.REFUSED
        found.save()
        _log(found, by, Act.DECIDE_FUNDS, step="refuse")
        return found
    fund, asset, today = found.fund, Asset(found.asset), timezone.localdate()
    check_use(fund, purpose=found.purpose, group=found.group, region_code=found.region_code, on=today)
    refuse_tied(fund, [bytes(found.recipient_blind), *_household_of(found.claim)])
    if asset == Asset.GOODS:
        pieces = ledger.take_goods(fund, found.goods_name, int(found.quantity or 0), on=today)
        found.amount_fen = sum(piece.amount_fen for piece in pieces)
    else:
        pieces = ledger.take_parts(fund, asset, found.amount_fen, on=today)
    found.entry = ledger.enter(
        kind=FundEntry.Kind.ALLOT,
        lines={
            (fund, ledger.FREE[asset]): found.amount_fen,
            (fund, ledger.HELD[asset]): -found.amount_fen,
        },
        amount_fen=found.amount_fen,
        on=today,
        memo=f"{found.number} {found.use}",
        by=by,
        second=found.proposed_by,
        act=Act.DECIDE_FUNDS,
        pieces=pieces,
    )
    found.status = Allocation.Status.APPROVED
    found.save()
    return found


def _household_of(claim_number: str) -> list[bytes]:
    """The blind indexes of the household behind a claim; the people of it never leave this context."""
    claim = Claim.objects.select_related("need").filter(number=claim_number).first() if claim_number else None
    return [blind for _name, blind in registry.people_in(claim.need.household_no)] if claim else []


@transaction.atomic
def pay(
    number: str, *, on: date, by: User, amount_fen: int | None = None, memo: str = "", token: str = ""
) -> Grant:
    """Pay out of what is held (拨付), all that is left unless a part is named; goods go out whole."""
    take_turn()
    found = _own(number, by, Act.PAY_FUNDS)
    if (again := ledger.entry_of_token(token)) is not None:
        return Grant.objects.get(entry=again)
    if found.status not in (Allocation.Status.APPROVED, Allocation.Status.PAID):
        raise StepRefused("这项安排没有批准，不能拨付。", "The arrangement is not approved.")
    another(by, found.decided_by)
    left = held(found)
    amount = left if amount_fen is None else amount_fen
    positive(amount)
    if amount > left:
        raise StepRefused(
            f"这项安排待拨付的只有 {show_yuan(left)}。", f"Only {show_yuan(left)} is held for it."
        )
    if found.asset == Asset.GOODS and amount != left:
        raise StepRefused(
            "物资须一次发放；要分批发放，请分开安排。", "Goods go out whole; arrange them in parts."
        )
    if found.decided_at is not None and on < timezone.localdate(found.decided_at):
        raise StepRefused("拨付日期早于审批日期。", "The payment lies before the decision.")
    return _grant(
        found, amount, FundEntry.Kind.GRANT, on, memo or f"拨付 {found.number} {found.use}", by, token
    )


def _grant(
    found: Allocation, amount: int, kind: FundEntry.Kind, on: date, memo: str, by: User, token: str
) -> Grant:
    fund, asset = found.fund, Asset(found.asset)
    entry = ledger.enter(
        kind=kind,
        lines={(fund, ledger.HELD[asset]): amount, (fund, ledger.THING[asset]): -amount},
        amount_fen=amount,
        on=on,
        memo=memo,
        by=by,
        second=found.decided_by,
        act=Act.PAY_FUNDS,
        token=token,
        of=found.entry,
    )
    made = Grant.objects.create(
        allocation=found, entry=entry, amount_fen=amount, paid_on=on, paid_by=by.username
    )
    found.paid_fen += amount
    if held(found) == 0 and found.paid_fen:
        found.status = Allocation.Status.PAID
    elif found.status == Allocation.Status.PAID:
        found.status = Allocation.Status.APPROVED
    found.save(update_fields=["paid_fen", "status"])
    return made


@transaction.atomic
def take_back(number: str, *, amount_fen: int, on: date, reason: str, by: User, token: str = "") -> Grant:
    """Enter money or goods that came back (退回拨付): it is held again, to be paid anew or released."""
    take_turn()
    found = _own(number, by, Act.PAY_FUNDS)
    if (again := ledger.entry_of_token(token)) is not None:
        return Grant.objects.get(entry=again)
    positive(amount_fen)
    if amount_fen > found.paid_fen:
        raise StepRefused(
            f"已拨付的只有 {show_yuan(found.paid_fen)}，退回不能更多。", "More comes back than was paid."
        )
    if found.asset == Asset.GOODS and amount_fen != found.paid_fen:
        raise StepRefused("物资须整批退回。", "Goods come back whole.")
    return _grant(
        found, -amount_fen, FundEntry.Kind.RETURN, on, f"退回 {found.number}：{reasoned(reason)}", by, token
    )


def held(found: Allocation) -> int:
    """What is still held for an arrangement, in fen: allotted, less released, less paid."""
    if found.entry is None:
        return 0
    releases = FundEntry.objects.filter(of=found.entry, kind=FundEntry.Kind.RELEASE)
    released = sum(releases.values_list("amount_fen", flat=True))
    return int(found.entry.amount_fen - released - found.paid_fen)


@transaction.atomic
def release(number: str, *, reason: str, by: User) -> Allocation:
    """Give what is held and no longer needed back to the gifts it came from, the last taken first (撤回安排)."""
    take_turn()
    found = _own(number, by, Act.DECIDE_FUNDS)
    fund, asset = found.fund, Asset(found.asset)
    if found.status == Allocation.Status.PROPOSED:
        found.status, found.note = Allocation.Status.RELEASED, reasoned(reason)[:300]
        found.save(update_fields=["status", "note"])
        _log(found, by, Act.DECIDE_FUNDS, step="withdraw")
        return found
    left = held(found)
    if left <= 0 or found.entry is None:
        raise StepRefused("没有待拨付的可以撤回。", "Nothing is held that could be released.")
    ledger.enter(
        kind=FundEntry.Kind.RELEASE,
        lines={(fund, ledger.HELD[asset]): left, (fund, ledger.FREE[asset]): -left},
        amount_fen=left,
        on=timezone.localdate(),
        memo=f"撤回 {found.number}：{reasoned(reason)}",
        by=by,
        act=Act.DECIDE_FUNDS,
        pieces=_given_back(found.entry, left),
        of=found.entry,
    )
    found.status = Allocation.Status.PAID if found.paid_fen else Allocation.Status.RELEASED
    found.note = reason.strip()[:300]
    found.save(update_fields=["status", "note"])
    return found


def _given_back(allotted: FundEntry, amount: int) -> list[ledger.Piece]:
    """Pieces of an allotment that make up ``amount``, from its last piece backwards, less what was given back before."""
    taken: dict[int, list[Any]] = {}
    for entry in (allotted, *allotted.followed_by.filter(kind=FundEntry.Kind.RELEASE)):
        for use in entry.uses.select_related("part"):
            row = taken.setdefault(use.part_id, [use.part, 0, 0])
            row[1] += use.amount_fen
            row[2] += use.quantity or 0
    pieces = []
    for part, fen, quantity in reversed(taken.values()):
        back = min(fen, amount)
        if back > 0:
            pieces.append(ledger.Piece(part, -back, -quantity if part.asset == Asset.GOODS else None))
            amount -= back
    return pieces


@transaction.atomic
def record_outcome(number: str, *, result: str, people: int, text: str, on: date, by: User) -> Outcome:
    """Enter what a paid arrangement did, in words that name nobody (登记帮扶结果)."""
    take_turn()
    found = _own(number, by, Act.KEEP_FUNDS)
    if found.paid_fen <= 0:
        raise StepRefused("还没有拨付，没有结果可以登记。", "Nothing was paid yet.")
    if result not in Outcome.Result.values or people < 0:
        raise StepRefused("请选择结果并填写受益人数。", "Choose the result and give how many were helped.")
    if on > timezone.localdate():
        raise StepRefused("日期不能晚于今天。", "The date cannot lie in the future.")
    said = public_words(text, "情况")
    if found.recipient_name and found.recipient_name in said:
        raise StepRefused(
            "情况将会公开，不要写受助人的姓名。",
            "These words are published: no beneficiary's name.",
            code="identity_in_text",
        )
    made = Outcome.objects.create(
        allocation=found, result=result, people=people, text=said[:500], on=on, recorded_by=by.username
    )
    _log(found, by, Act.KEEP_FUNDS, step="outcome", result=result)
    return made


def _log(found: Allocation, by: User, act: Act, **detail: Any) -> None:
    record(
        by=by,
        act=act,
        subject=f"allocation:{found.number}",
        region_code=found.organisation.region_code,
        detail=detail,
    )
