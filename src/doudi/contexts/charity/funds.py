"""Funds of a charity: opened with their restrictions, charged with administration, moved between by rule, reversed by counter-entry.

A special or named fund stays an account of its charity. What a donor restricted stays restricted: money leaves a fund for
another use only by the donor's consent, a plan filed again, the agreement on remainders, or a similar purpose made public.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import models, transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity import ledger
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import (
    Account,
    Asset,
    Donation,
    Fund,
    FundEntry,
    GiftPart,
    MoveRequest,
    TiedPerson,
    visible,
)
from doudi.contexts.charity.organisations import own_organisation
from doudi.contexts.charity.projects import barred, project
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.money import show_yuan
from doudi.engine.packs.giving import GivingRules
from doudi.house.keyring import keyring


class FundNotFound(DoudiError):
    """No such fund, gift or arrangement that the asker may see."""

    code = "fund_not_found"


class SamePerson(DoudiError):
    """Who proposed may not decide, who decided may not pay."""

    code = "same_person"


class Restricted(DoudiError):
    """The fund's restrictions do not allow the use."""

    code = "fund_restricted"


class Tied(DoudiError):
    """The beneficiary is an interested person of the donor or a manager (慈善法第四十条、第五十九条)."""

    code = "interested_person"


def numbered(model: type[models.Model], prefix: str, on: date) -> str:
    """The next number of a kind within a year; the caller holds the turn."""
    head = f"{prefix}{on:%Y}-"
    last = (
        model._default_manager.filter(number__startswith=head)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )
    return f"{head}{int(str(last).removeprefix(head)) + 1 if last else 1:06d}"


def reasoned(text: str, what: str = "理由", what_en: str = "the reason", least: int = 4) -> str:
    """``text`` trimmed, or refused where it says nothing."""
    if len(text.strip()) < least:
        raise StepRefused(
            f"请写明{what}（至少 {least} 个字）。", f"State {what_en} ({least} characters or more)."
        )
    return text.strip()


def positive(amount_fen: int) -> None:
    if amount_fen <= 0:
        raise StepRefused("金额须大于零。", "The amount is greater than nought.")


def another(by: User, *others: str) -> None:
    """Refuse where ``by`` had a hand in the earlier step."""
    if by.username in others:
        raise SamePerson(
            "提出、审批、拨付须由不同的人办理。请换一个账号办理这一步。",
            "Who proposed does not decide, who decided does not pay: another account takes this step.",
        )


# ---- looking ----------------------------------------------------------------------------------------------------


def funds(*, by: User, open_only: bool = False) -> QuerySet[Fund]:
    """Funds that ``by`` may see: a charity its own, the county and the auditor those of their area."""
    found = visible(Fund.objects.all(), by, Act.VIEW_FUNDS).select_related("organisation", "project")
    return found.filter(closed_on=None) if open_only else found


def fund_of(number: str, *, by: User) -> Fund:
    """One fund, or :class:`FundNotFound`."""
    found = funds(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到资金 {number}，或不属于您的组织。", f"No fund {number} for you.")
    return found


def entries(fund: Fund) -> QuerySet[FundEntry]:
    """The fund's entries, newest first, with their lines."""
    return FundEntry.objects.filter(lines__fund=fund).distinct().prefetch_related("lines").order_by("-pk")


def own_fund(number: str, *, by: User, act: Act) -> Fund:
    """A fund that ``by`` may do ``act`` on; the caller holds the turn."""
    found = fund_of(number, by=by)
    require(by, act, region_code=found.organisation.region_code, organisation=found.organisation.code)
    return found


# ---- opening and closing ----------------------------------------------------------------------------------------


@transaction.atomic
def open_fund(
    *,
    kind: str,
    name: str,
    rules: GivingRules,
    by: User,
    purposes: Sequence[str] = (),
    groups: Sequence[str] = (),
    regions: Sequence[str] = (),
    terms: str = "",
    remainder: str = "",
    admin_permille: int = 0,
    opened_on: date | None = None,
    expires_on: date | None = None,
    project_number: str = "",
) -> Fund:
    """Open a fund of the account's own charity; the same name again gives the one that is there (设立资金)."""
    body = own_organisation(by)
    require(by, Act.KEEP_FUNDS, region_code=body.region_code, organisation=body.code)
    take_turn()
    name, opened = name.strip(), opened_on or timezone.localdate()
    if len(name) < 2 or kind not in Fund.Kind.values:
        raise StepRefused("请填写名称和种类。", "Give the name and the kind.")
    standing = Fund.objects.filter(organisation=body, name=name, closed_on=None).first()
    if standing is not None:
        return standing
    if strange := set(purposes) - set(rules.purposes):
        raise StepRefused(
            f"没有这种用途：{'、'.join(sorted(strange))}。", f"No such purpose: {sorted(strange)}."
        )
    if any(
        not code.isdigit() or not body.region_code.startswith(code[: len(body.region_code)])
        for code in regions
    ):
        raise StepRefused(
            "使用地区请填本组织登记地区及以下的行政区划代码。", "Regions are codes within the charity's area."
        )
    if kind == Fund.Kind.GENERAL and (purposes or groups or regions):
        raise StepRefused(
            "非限定资金不设用途限制；要限制用途请选“限定用途资金”。",
            "A general fund has no restriction; choose a restricted one.",
        )
    if kind != Fund.Kind.GENERAL and not purposes:
        raise StepRefused("限定用途的资金请至少选择一种用途。", "Choose at least one purpose.")
    if kind in (Fund.Kind.SPECIAL, Fund.Kind.NAMED) and len(terms.strip()) < 4:
        raise StepRefused(
            "专项基金、冠名基金请写明使用约定（设立协议）。", "State the agreement that the fund stands on."
        )
    if not 0 <= admin_permille <= 200:
        raise StepRefused("约定管理费用在 0 到 200‰ 之间。", "Administration is agreed at 0 to 200 permille.")
    if expires_on is not None and expires_on <= opened:
        raise StepRefused("期满日期须晚于设立日期。", "A fund expires after it is opened.")
    made = Fund.objects.create(
        number=numbered(Fund, "ZJ", opened),
        organisation=body,
        kind=kind,
        name=name,
        purposes=sorted(set(purposes)),
        groups=sorted(set(groups)),
        regions=sorted(set(regions)),
        terms=terms.strip(),
        remainder=remainder.strip(),
        admin_permille=admin_permille,
        project=project(project_number, by=by) if project_number else None,
        opened_on=opened,
        expires_on=expires_on,
        opened_by=by.username,
    )
    _log(made, by, Act.KEEP_FUNDS, step="open", kind=kind)
    return made


@transaction.atomic
def close_fund(number: str, *, reason: str, by: User) -> Fund:
    """Close a fund that holds nothing more (终止); what is left is moved first."""
    take_turn()
    fund = own_fund(number, by=by, act=Act.DECIDE_FUNDS)
    if fund.closed_on is not None:
        return fund
    if fund.balance_fen:
        raise StepRefused(
            f"“{fund.name}”还有 {show_yuan(fund.balance_fen)}，请先用完或划转剩余财产。",
            f"The fund still holds {show_yuan(fund.balance_fen)}; use or move it first.",
        )
    fund.closed_on = timezone.localdate()
    fund.save(update_fields=["closed_on"])
    _log(fund, by, Act.DECIDE_FUNDS, step="close", reason=reasoned(reason))
    return fund


# ---- who may not be helped --------------------------------------------------------------------------------------


@transaction.atomic
def name_tied_person(
    *, name: str, id_number: str, relation: str, by: User, fund_number: str = ""
) -> TiedPerson:
    """Enter an interested person of a fund's donor, or of a manager of the charity (利害关系人)."""
    take_turn()
    body = own_organisation(by)
    require(by, Act.KEEP_FUNDS, region_code=body.region_code, organisation=body.code)
    fund = own_fund(fund_number, by=by, act=Act.KEEP_FUNDS) if fund_number else None
    number = identity.mend_id(id_number)
    if number is None or len(name.strip()) < 2 or not relation.strip():
        raise StepRefused(
            "请填写姓名、关系和正确的身份证号。", "Give the name, the relation and a valid identity number."
        )
    blind = keyring().digest(number, purpose=ID_PURPOSE)
    standing = TiedPerson.objects.filter(organisation=body, fund=fund, id_blind=blind).first()
    if standing is not None:
        return standing
    made = TiedPerson.objects.create(
        organisation=body,
        fund=fund,
        name=name.strip(),
        id_blind=blind,
        relation=relation.strip(),
        recorded_by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_FUNDS,
        subject=f"fund:{fund.number}" if fund else f"organisation:{body.code}",
        region_code=body.region_code,
        detail={"step": "tied_person"},
    )
    return made


def refuse_tied(fund: Fund, blinds: Sequence[bytes]) -> None:
    """Refuse where one of these people is tied to the fund's donors, the charity's managers or the fund's project."""
    held = [blind for blind in blinds if blind]
    if not held:
        return
    tied = TiedPerson.objects.filter(organisation=fund.organisation, id_blind__in=held).filter(
        models.Q(fund=None) | models.Q(fund=fund)
    )
    if tied.exists() or (fund.project is not None and barred(fund.project, held)):
        raise Tied(
            "受助人是捐赠人或管理人员的利害关系人，不得作为受益人（慈善法第四十条、第五十九条）。请另选受助人。",
            "The beneficiary is an interested person of the donor or a manager (Charity Law art. 40, 59); choose another.",
        )


# ---- what a fund allows -----------------------------------------------------------------------------------------


def why_not(fund: Fund, *, purpose: str, group: str, region_code: str, on: date) -> list[str]:
    """What stands against a use of the fund, in words; empty where it is allowed."""
    against = []
    if fund.closed_on is not None:
        against.append("资金已终止")
    if fund.expires_on is not None and on > fund.expires_on:
        against.append(f"资金已于 {fund.expires_on} 期满，只能按约定处理剩余财产")
    if fund.purposes and purpose not in fund.purposes:
        against.append("用途不在捐赠人限定的范围内")
    if fund.groups and group not in fund.groups:
        against.append("受益群体不在限定的范围内")
    if fund.regions and not any(region_code.startswith(prefix) for prefix in fund.regions):
        against.append("使用地区不在限定的范围内")
    return against


def check_use(fund: Fund, *, purpose: str, group: str, region_code: str, on: date) -> None:
    """Refuse a use that the fund's restrictions do not allow."""
    if against := why_not(fund, purpose=purpose, group=group, region_code=region_code, on=on):
        raise Restricted(
            f"“{fund.name}”不能这样使用：{'；'.join(against)}。请换一项资金，或先办理变更用途（慈善法第五十六条）。",
            f"The fund {fund.number} is restricted and does not allow this use; choose another fund or have its use changed.",
        )


# ---- administration, expiry, reversal ---------------------------------------------------------------------------


@transaction.atomic
def charge_admin(
    number: str, *, amount_fen: int, on: date, memo: str, by: User, token: str = ""
) -> FundEntry:
    """Charge administration to a fund (列支管理费用): a restricted one up to the share that was agreed with its donors."""
    take_turn()
    fund = own_fund(number, by=by, act=Act.PAY_FUNDS)
    if (again := ledger.entry_of_token(token)) is not None:
        return again
    positive(amount_fen)
    if fund.kind != Fund.Kind.GENERAL:
        most = fund.given_fen * fund.admin_permille // 1000 - fund.admin_fen
        if amount_fen > most:
            raise Restricted(
                f"“{fund.name}”约定管理费用不超过捐赠的 {fund.admin_permille}‰，还可列支 {show_yuan(max(0, most))}。",
                f"Agreed administration leaves {show_yuan(max(0, most))} to charge.",
            )
    pieces = ledger.take_parts(fund, Asset.MONEY, amount_fen, on=on)
    entry = ledger.enter(
        kind=FundEntry.Kind.ADMIN,
        lines={(fund, Account.FREE_MONEY): amount_fen, (fund, Account.MONEY): -amount_fen},
        amount_fen=amount_fen,
        on=on,
        memo=reasoned(memo, "摘要", "what it was for"),
        by=by,
        act=Act.PAY_FUNDS,
        pieces=pieces,
        token=token,
    )
    fund.admin_fen += amount_fen
    fund.save(update_fields=["admin_fen"])
    return entry


def expired_goods(fund: Fund, today: date) -> QuerySet[GiftPart]:
    """Goods of a fund that have expired and were not given."""
    return GiftPart.objects.filter(
        fund=fund, asset=Asset.GOODS, left_fen__gt=0, expires_on__lt=today
    ).select_related("donation")


@transaction.atomic
def write_off_expired(number: str, *, on: date, memo: str, by: User, token: str = "") -> FundEntry:
    """Take goods that have expired off the books (过期报废); by another person than who took them in."""
    take_turn()
    fund = own_fund(number, by=by, act=Act.DECIDE_FUNDS)
    if (again := ledger.entry_of_token(token)) is not None:
        return again
    parts = list(expired_goods(fund, on))
    if not parts:
        raise StepRefused("没有过期的物资。", "No goods have expired.")
    another(by, *(part.donation.recorded_by for part in parts))
    worth = sum(part.left_fen for part in parts)
    return ledger.enter(
        kind=FundEntry.Kind.EXPIRY,
        lines={(fund, Account.FREE_GOODS): worth, (fund, Account.GOODS): -worth},
        amount_fen=worth,
        on=on,
        memo=reasoned(memo, "处理情况", "what became of them"),
        by=by,
        act=Act.DECIDE_FUNDS,
        pieces=[ledger.Piece(part, part.left_fen, part.left_quantity) for part in parts],
        token=token,
    )


REVERSIBLE = (FundEntry.Kind.GIFT, FundEntry.Kind.ADMIN, FundEntry.Kind.EXPIRY)
"""Arrangements are released, payments come back and moves are moved again by acts of their own."""


@transaction.atomic
def reverse_entry(voucher: str, *, reason: str, on: date, by: User) -> FundEntry:
    """Reverse an entry by its counter-entry (冲正), by another person than who made it.

    A gift of which a part is arranged already is reversed only after the arrangement was released; one of which a part was
    moved to another fund is not, for that fund rests on it.
    """
    take_turn()
    found = visible(FundEntry.objects.all(), by, Act.VIEW_FUNDS)
    wrong = found.filter(voucher=voucher).select_related("organisation").first()
    if wrong is None:
        raise FundNotFound(f"没有找到凭证 {voucher}。", f"No voucher {voucher} for you.")
    require(
        by,
        Act.DECIDE_FUNDS,
        region_code=wrong.organisation.region_code,
        organisation=wrong.organisation.code,
    )
    if wrong.kind not in REVERSIBLE:
        raise StepRefused(
            "这种凭证不能直接冲正：安排请撤回，拨付请登记退回，划转请再划转。",
            "Such an entry is not reversed: release an arrangement, enter a payment's return, move money back.",
        )
    if FundEntry.objects.filter(reverses=wrong).exists():
        raise StepRefused("这笔已经冲正。", "The entry is reversed already.")
    another(by, wrong.by)
    uses, made = list(wrong.uses.select_related("part")), list(wrong.made_parts.all())
    if any(part.left_fen != part.amount_fen for part in made):
        raise StepRefused(
            "这笔捐赠已有一部分安排使用或划转。安排的请先撤回，费用和核销请先冲正；已划转到别的项目的不能再冲正。",
            "Part of the gift is arranged, spent or moved: release or reverse that first; what was moved is not reversed.",
        )
    pieces = ledger.turned(uses) + [ledger.Piece(part, part.left_fen, part.left_quantity) for part in made]
    lines = {
        (line.fund, Account(line.account)): -line.amount_fen for line in wrong.lines.select_related("fund")
    }
    fund = next(iter(lines))[0]
    entry = ledger.enter(
        kind=FundEntry.Kind.REVERSAL,
        lines=lines,
        amount_fen=-wrong.amount_fen,
        on=on,
        memo=f"冲正 {wrong.voucher}：{reasoned(reason)}",
        by=by,
        second=wrong.by,
        act=Act.DECIDE_FUNDS,
        pieces=pieces,
        reverses=wrong,
    )
    column = {FundEntry.Kind.GIFT: "given_fen", FundEntry.Kind.ADMIN: "admin_fen"}.get(
        FundEntry.Kind(wrong.kind)
    )
    if column:
        setattr(fund, column, getattr(fund, column) - wrong.amount_fen)
        fund.save(update_fields=[column])
    return entry


def _log(fund: Fund, by: User, act: Act, *, reason: str = "", **detail: Any) -> None:
    record(
        by=by,
        act=act,
        subject=f"fund:{fund.number}",
        region_code=fund.organisation.region_code,
        reason=reason,
        detail=detail,
    )


# ---- change of use and remainder --------------------------------------------------------------------------------


@transaction.atomic
def ask_move(
    source: str,
    *,
    target: str,
    basis: str,
    document: str,
    reason: str,
    by: User,
    donation_number: str = "",
) -> MoveRequest:
    """Ask that what is free in a fund, or in one gift of it, go to another fund of the charity (变更用途、处理剩余财产)."""
    take_turn()
    fund, to = own_fund(source, by=by, act=Act.KEEP_FUNDS), own_fund(target, by=by, act=Act.KEEP_FUNDS)
    if basis not in MoveRequest.Basis.values or len(document.strip()) < 2:
        raise StepRefused(
            "请选择依据并写明文件（同意书、备案编号或协议条款）。", "Choose the basis and name its document."
        )
    if fund.organisation_id != to.organisation_id or fund.pk == to.pk:
        raise StepRefused("请选择本组织的另一项资金。", "Choose another fund of the same charity.")
    donation = None
    if donation_number:
        donation = Donation.objects.filter(
            number=donation_number, organisation=fund.organisation, parts__fund=fund
        ).first()
        if donation is None:
            raise FundNotFound("这项资金里没有这笔捐赠。", "The fund holds no such gift.")
    if basis == MoveRequest.Basis.CONSENT and donation is None:
        raise StepRefused(
            "变更协议用途须逐笔取得捐赠人同意：请写明是哪一笔捐赠。",
            "Consent is each donor's own: name the gift.",
        )
    _moves_allowed(fund, to, basis)
    if MoveRequest.objects.filter(source=fund, status=MoveRequest.Status.OPEN).exists():
        raise StepRefused("这项资金已有一份划转申请待审批。", "A request for this fund waits already.")
    made = MoveRequest.objects.create(
        number=numbered(MoveRequest, "HZ", timezone.localdate()),
        organisation=fund.organisation,
        source=fund,
        target=to,
        donation=donation,
        basis=basis,
        document=document.strip(),
        reason=reasoned(reason),
        asked_by=by.username,
    )
    _log(fund, by, Act.KEEP_FUNDS, step="ask_move", to=to.number, basis=basis)
    return made


def _moves_allowed(fund: Fund, to: Fund, basis: str) -> None:
    today = timezone.localdate()
    if to.closed_on is not None or (to.expires_on is not None and to.expires_on < today):
        raise StepRefused("转入的资金已终止或期满。", "The other fund is closed or expired.")
    over = fund.expires_on is not None and fund.expires_on < today
    if basis in (MoveRequest.Basis.AGREED, MoveRequest.Basis.SIMILAR) and not over:
        raise StepRefused(
            "资金还没有期满，没有剩余财产可以处理；要改变用途，请选变更用途的依据。",
            "The fund has not expired, so there is no remainder; use a basis for changing the use.",
        )
    if basis == MoveRequest.Basis.AGREED and not fund.remainder:
        raise StepRefused(
            "没有约定剩余财产的处理，只能用于目的相同或相近的项目（慈善法第五十八条）。",
            "Nothing was agreed on a remainder: it goes to a similar purpose (art. 58).",
        )
    if basis == MoveRequest.Basis.SIMILAR and not (
        set(to.purposes) and (not fund.purposes or set(to.purposes) <= set(fund.purposes))
    ):
        raise Restricted(
            "转入的资金用途与原用途不相同也不相近（慈善法第五十八条）。请选用途在原范围内的资金。",
            "The other fund's purpose is neither the same nor similar (art. 58).",
        )


@transaction.atomic
def decide_move(number: str, *, approve: bool, reason: str, by: User) -> MoveRequest:
    """Another person approves a move, which is entered at once, or refuses it."""
    take_turn()
    found = visible(MoveRequest.objects.all(), by, Act.VIEW_FUNDS)
    move = found.filter(number=number).select_related("source", "target").first()
    if move is None:
        raise FundNotFound(f"没有找到划转申请 {number}。", f"No request {number} for you.")
    fund, to = own_fund(move.source.number, by=by, act=Act.DECIDE_FUNDS), move.target
    if move.status != MoveRequest.Status.OPEN:
        raise StepRefused("这份申请已经审批。", "The request is decided already.")
    another(by, move.asked_by)
    move.decided_by, move.decided_at = by.username, timezone.now()
    if not approve:
        move.status = MoveRequest.Status.REFUSED
        move.save()
        _log(fund, by, Act.DECIDE_FUNDS, reason=reasoned(reason), step="refuse_move")
        return move
    _moves_allowed(fund, to, move.basis)
    parts = GiftPart.objects.filter(fund=fund, left_fen__gt=0)
    if move.donation is not None:
        parts = parts.filter(donation=move.donation)
    pieces = [ledger.Piece(part, part.left_fen, part.left_quantity) for part in parts]
    if not pieces:
        raise StepRefused("没有未安排的余额可以划转。", "Nothing free is left to move.")
    lines: dict[tuple[Fund, Account], int] = {}
    for asset in Asset:
        worth = sum(piece.amount_fen for piece in pieces if piece.part.asset == asset)
        lines |= {
            (fund, ledger.FREE[asset]): worth, (fund, ledger.THING[asset]): -worth,
            (to, ledger.THING[asset]): worth, (to, ledger.FREE[asset]): -worth,
        }  # fmt: skip
    moved = sum(piece.amount_fen for piece in pieces)
    kept = [(piece.part, piece.amount_fen, piece.quantity) for piece in pieces]
    move.entry = ledger.enter(
        kind=FundEntry.Kind.MOVE,
        lines=lines,
        amount_fen=moved,
        on=timezone.localdate(),
        memo=f"{move.get_basis_display()} {move.document}",
        by=by,
        second=move.asked_by,
        act=Act.DECIDE_FUNDS,
        pieces=pieces,
    )
    for part, fen, quantity in kept:
        GiftPart.objects.create(
            donation_id=part.donation_id,
            fund=to,
            entry=move.entry,
            asset=part.asset,
            amount_fen=fen,
            left_fen=fen,
            quantity=quantity,
            left_quantity=quantity,
            expires_on=part.expires_on,
        )
    move.status, move.moved_fen = MoveRequest.Status.APPROVED, moved
    move.save()
    return move
