"""Gifts: taken in with what a receipt tells, and followed to what they did (捐赠、票据、去向).

A donor finds the own gift by receipt number and code without an account, and hears of purposes, places and outcomes; never
who was helped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hmac import compare_digest

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity import ledger
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.fund_models import (
    Allocation,
    Asset,
    Donation,
    Fund,
    FundEntry,
    GiftPart,
    PartUse,
    visible,
)
from doudi.contexts.charity.fundraising_models import Campaign
from doudi.contexts.charity.funds import FundNotFound, Tied, numbered, own_fund, positive
from doudi.contexts.charity.need_models import Claim
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.money import capital_yuan, show_yuan
from doudi.house.documents import Paper, table, text
from doudi.house.keyring import keyring

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_CODE = 10


class GiftUnknown(DoudiError):
    """No gift of that number and code; which of the two is wrong is not said."""

    code = "gift_not_found"


def donations(*, by: User, fund: Fund | None = None) -> QuerySet[Donation]:
    """Gifts that ``by`` may see, newest first; who gave is in the row, sealed, and for the charity alone."""
    found = visible(Donation.objects.all(), by, Act.VIEW_FUNDS).select_related(
        "fund", "organisation", "entry"
    )
    return found.filter(fund=fund) if fund is not None else found


def donation_of(number: str, *, by: User) -> Donation:
    """One gift, or :class:`FundNotFound`."""
    found = donations(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到捐赠 {number}。", f"No gift {number} for you.")
    return found


@transaction.atomic
def look_at_donation(number: str, *, by: User) -> Donation:
    """:func:`donation_of`, with the look at a donor in the audit log."""
    found = donation_of(number, by=by)
    record(
        by=by, act=Act.VIEW_FUNDS, subject=f"donation:{number}", region_code=found.organisation.region_code
    )
    return found


def donor_shown(donation: Donation, by: User | None) -> str:
    """Who gave, as ``by`` may read it: whole for the own charity, masked for the office, by consent for everybody (第八十二条)."""
    if donation.anonymous or not donation.donor_name:
        return "匿名"
    own = by is not None and by.organisation == donation.organisation.code
    if own or (by is None and donation.show_name):
        return str(donation.donor_name)
    if by is None:
        return "爱心人士"
    return (
        donation.donor_name
        if donation.donor_kind == Donation.DonorKind.BODY
        else identity.mask_name(donation.donor_name)
    )


@transaction.atomic
def record_gift(
    *,
    fund_number: str,
    amount_fen: int,
    received_on: date,
    handler: str,
    way: str,
    by: User,
    asset: str = Asset.MONEY,
    donor_name: str = "",
    donor_kind: str = Donation.DonorKind.PERSON,
    donor_phone: str = "",
    anonymous: bool = False,
    show_name: bool = False,
    goods_name: str = "",
    unit: str = "",
    quantity: int | None = None,
    goods_expire_on: date | None = None,
    intent: str = "",
    receipt_no: str = "",
    receipt_declined: bool = False,
    campaign_number: str = "",
    beneficiary_tied: bool = False,
    token: str = "",
) -> Donation:
    """Take a gift into a fund (登记捐赠); the same ``token`` again gives the gift that is there.

    ``amount_fen`` of goods is their fair value. ``beneficiary_tied``: the donor names a beneficiary of the own interested
    persons, which is refused (第四十条).
    """
    take_turn()
    fund = own_fund(fund_number, by=by, act=Act.KEEP_FUNDS)
    if (again := ledger.entry_of_token(token)) is not None:
        return Donation.objects.get(entry=again)
    _complete(
        fund,
        amount_fen,
        received_on,
        handler,
        way,
        asset,
        donor_name,
        anonymous,
        receipt_no,
        receipt_declined,
    )
    if beneficiary_tied:
        raise Tied(
            "捐赠人不得指定其利害关系人作为受益人（慈善法第四十条）。请改为不指定受益人，或由捐赠人直接帮助。",
            "A donor may not name an interested person as the beneficiary (Charity Law art. 40).",
        )
    if asset == Asset.GOODS:
        _goods(goods_name, unit, quantity, amount_fen, goods_expire_on, received_on)
    if (
        receipt_no
        and Donation.objects.filter(organisation=fund.organisation, receipt_no=receipt_no.strip()).exists()
    ):
        raise StepRefused(
            f"票据号 {receipt_no} 已经登记。",
            f"Receipt {receipt_no} is entered already.",
            code="receipt_used",
        )
    campaign = _campaign(fund, campaign_number, received_on)
    number = numbered(Donation, "JZ", received_on)
    entry = ledger.enter(
        kind=FundEntry.Kind.GIFT,
        lines={
            (fund, ledger.THING[Asset(asset)]): amount_fen,
            (fund, ledger.FREE[Asset(asset)]): -amount_fen,
        },
        amount_fen=amount_fen,
        on=received_on,
        memo=f"捐赠 {number}",
        by=by,
        act=Act.KEEP_FUNDS,
        token=token,
    )
    made = Donation.objects.create(
        number=number,
        organisation=fund.organisation,
        fund=fund,
        campaign=campaign,
        entry=entry,
        anonymous=anonymous,
        donor_kind=donor_kind,
        donor_name=donor_name.strip(),
        donor_phone=donor_phone.strip(),
        show_name=show_name and not anonymous,
        asset=asset,
        amount_fen=amount_fen,
        goods_name=goods_name.strip(),
        unit=unit.strip(),
        quantity=quantity if asset == Asset.GOODS else None,
        goods_expire_on=goods_expire_on if asset == Asset.GOODS else None,
        way=way,
        received_on=received_on,
        handler=handler.strip(),
        intent=intent.strip(),
        receipt_no=receipt_no.strip(),
        receipt_declined=receipt_declined or (anonymous and not receipt_no.strip()),
        recorded_by=by.username,
    )
    GiftPart.objects.create(
        donation=made,
        fund=fund,
        entry=entry,
        asset=asset,
        amount_fen=amount_fen,
        left_fen=amount_fen,
        quantity=made.quantity,
        left_quantity=made.quantity,
        expires_on=made.goods_expire_on,
    )
    fund.given_fen += amount_fen
    fund.save(update_fields=["given_fen"])
    return made


def _complete(
    fund: Fund,
    amount_fen: int,
    received_on: date,
    handler: str,
    way: str,
    asset: str,
    donor_name: str,
    anonymous: bool,
    receipt_no: str,
    declined: bool,
) -> None:
    positive(amount_fen)
    if asset not in Asset.values or way not in Donation.Way.values or not handler.strip():
        raise StepRefused("请填写种类、捐赠方式和经手人。", "Give the kind, the way and the handler.")
    if not anonymous and len(donor_name.strip()) < 2:
        raise StepRefused(
            "请填写捐赠人；不愿留名的请选“匿名”。", "Give the donor, or mark the gift as anonymous."
        )
    if not anonymous and not declined and not receipt_no.strip():
        raise StepRefused(
            "请填写票据号（财政部门统一监制的捐赠票据）；捐赠人不要票据的请勾选“不要票据”（慈善法第三十八条）。",
            "Give the receipt's number, or mark that the donor declines a receipt (Charity Law art. 38).",
        )
    if fund.closed_on is not None or (fund.expires_on is not None and received_on > fund.expires_on):
        raise StepRefused("这项资金已终止或期满，不能再接受捐赠。", "The fund is closed or expired.")


def _goods(
    name: str, unit: str, quantity: int | None, worth: int, expires_on: date | None, received_on: date
) -> None:
    if not name.strip() or not unit.strip() or not quantity or quantity < 1:
        raise StepRefused("物资请填写名称、数量和计量单位。", "Give the goods' name, quantity and unit.")
    if worth < quantity:
        raise StepRefused("每件物资的公允价值至少一分。", "Each piece is worth a fen or more.")
    if expires_on is not None and expires_on < received_on:
        raise StepRefused(
            "物资已经过期，不能接受（慈善法第三十六条：捐赠财产应当具有使用价值）。",
            "The goods have expired.",
        )


def _campaign(fund: Fund, number: str, on: date) -> Campaign | None:
    if not number:
        return None
    found = Campaign.objects.filter(number=number, organisation=fund.organisation).first()
    if found is None:
        raise FundNotFound(f"没有找到募捐方案 {number}。", f"No plan {number} for you.")
    if found.fund_id != fund.pk:
        raise StepRefused("募捐所得须记入方案写明的资金。", "What was raised goes to the fund of the plan.")
    running = found.status == Campaign.Status.RECORDED or (
        found.emergency and found.status == Campaign.Status.FILED
    )
    if not running or not found.starts_on <= on <= found.ends_on:
        raise StepRefused(
            "募捐方案还没有备案，或不在募捐期内，不能接受这次募捐的捐赠。",
            "The plan is not recorded or not running on that day.",
        )
    return found


# ---- the receipt ------------------------------------------------------------------------------------------------


def code_of(donation: Donation) -> str:
    """The code with which the donor finds the gift: it follows from the number and the office's key, and is kept nowhere."""
    value = int.from_bytes(keyring().digest(donation.number, purpose="donation.code"), "big")
    letters = []
    for _ in range(_CODE):
        value, place = divmod(value, len(_ALPHABET))
        letters.append(_ALPHABET[place])
    return "".join(letters)


@transaction.atomic
def receipt(number: str, *, by: User) -> tuple[Donation, Paper]:
    """The receipt of a gift with the fields of art. 38, or the record where the donor is anonymous or wants none."""
    donation = donation_of(number, by=by)
    require(
        by,
        Act.KEEP_FUNDS,
        region_code=donation.organisation.region_code,
        organisation=donation.organisation.code,
    )
    record(
        by=by,
        act="print_receipt",
        subject=f"donation:{number}",
        region_code=donation.organisation.region_code,
    )
    plain = bool(donation.receipt_no)
    thing = (
        f"{donation.goods_name} {donation.quantity} {donation.unit}（公允价值 {show_yuan(donation.amount_fen)}）"
        if donation.asset == Asset.GOODS
        else f"资金 {show_yuan(donation.amount_fen)}（人民币{capital_yuan(donation.amount_fen)}）"
    )
    rows: list[tuple[str, ...]] = [
        ("捐赠人", donor_shown(donation, by)),
        ("捐赠财产的种类及数量", thing),
        ("慈善组织", f"{donation.organisation.name}（{donation.organisation.code}）"),
        ("经手人", donation.handler),
        ("日期", f"{donation.received_on:%Y-%m-%d}"),
        ("用途约定", f"{donation.fund.name}{'；' + donation.intent if donation.intent else ''}"),
        ("捐赠票据号" if plain else "票据", donation.receipt_no or "捐赠人匿名或不要票据，留此记录"),
        ("捐赠编号", donation.number),
        ("查询码", code_of(donation)),
    ]
    return donation, Paper(
        title="捐赠凭证" if plain else "捐赠记录",
        subtitle="《慈善法》第三十八条",
        blocks=(
            table(("项目", "内容"), rows),
            text("凭捐赠编号（或票据号）和查询码，可以在本县“慈善公开”网页查询这笔捐赠的去向。"),
            text("本凭证随财政部门统一监（印）制的公益事业捐赠票据出具，不代替票据。"),
        ),
        foot=(donation.organisation.name, f"{donation.received_on:%Y-%m-%d}"),
    )


# ---- what a gift did --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One thing a gift did, without anybody's identity: the stage, how much of the gift, for what, where, what came of it."""

    stage: str
    """``free``, ``arranged``, ``paid``, ``admin``, ``expired`` or ``reversed``."""
    amount_fen: int
    on: date | None = None
    purpose: str = ""
    region_code: str = ""
    result: str = ""
    people: int = 0
    text: str = ""
    fund: str = ""


@dataclass(frozen=True)
class Story:
    """A gift's story: the steps add up to its amount."""

    donation: Donation
    steps: tuple[Step, ...]


def story(donation: Donation) -> Story:
    """What became of each fen of a gift (捐赠去向)."""
    steps: list[Step] = []
    borne: dict[str, list[PartUse]] = {"admin": [], "expired": [], "reversed": []}
    for part in GiftPart.objects.filter(donation=donation).select_related("fund"):
        if part.left_fen:
            steps.append(Step("free", part.left_fen, fund=part.fund.name))
        taken: dict[int, int] = {}
        for use in part.uses.select_related("entry__reverses"):
            entry = use.entry
            kind = FundEntry.Kind(entry.reverses.kind if entry.reverses else entry.kind)
            if kind in (FundEntry.Kind.ALLOT, FundEntry.Kind.RELEASE):
                allotted = entry.of_id or entry.pk
                taken[allotted] = taken.get(allotted, 0) + use.amount_fen
            elif kind in _BORNE:  # of a move the part that it made in the other fund tells the rest
                borne[_BORNE[kind]].append(use)
        steps += _arranged(taken)
    steps += [step for stage, uses in borne.items() for step in _netted(stage, uses)]
    order = {"paid": 0, "arranged": 1, "free": 2, "admin": 3, "expired": 4, "reversed": 5}
    return Story(donation, tuple(sorted(steps, key=lambda step: (order[step.stage], step.on or date.max))))


_BORNE = {FundEntry.Kind.ADMIN: "admin", FundEntry.Kind.EXPIRY: "expired", FundEntry.Kind.GIFT: "reversed"}


def _netted(stage: str, uses: list[PartUse]) -> list[Step]:
    """What a gift bore of administration or expiry, its reversals taken off."""
    net = sum(use.amount_fen for use in uses)
    return [Step(stage, net, on=uses[-1].entry.on)] if net else []


def _arranged(taken: dict[int, int]) -> list[Step]:
    steps = []
    for entry, fen in taken.items():
        if fen <= 0:
            continue
        found = Allocation.objects.get(entry_id=entry)
        last = found.outcomes.last()
        paid = found.grants.last() if found.paid_fen else None
        steps.append(
            Step(
                "paid" if paid else "arranged",
                fen,
                on=paid.paid_on if paid else timezone.localdate(found.decided_at),
                purpose=found.purpose,
                region_code=found.region_code[:9],
                result=last.result if last else _result_of(found.claim),
                people=last.people if last else 0,
                text=last.text if last else "",
                fund=found.fund.name,
            )
        )
    return steps


def _result_of(claim_number: str) -> str:
    """What the office that answers for the household said of a claimed need; its words stay with the office."""
    claim = Claim.objects.filter(number=claim_number).first() if claim_number else None
    return claim.result if claim else ""


def find_gift(number: str, code: str) -> Story:
    """The story of a gift, for who has its number or receipt number and its code; else :class:`GiftUnknown`."""
    typed, key = number.strip(), code.strip().upper().replace("-", "").replace(" ", "")
    for donation in Donation.objects.filter(number=typed.upper()) | Donation.objects.filter(receipt_no=typed):
        if typed and compare_digest(code_of(donation).encode(), key.encode()):
            return story(donation)
    raise GiftUnknown(
        "没有找到：请核对凭证上的捐赠编号（或票据号）和查询码。",
        "Not found: compare the gift's number (or receipt number) and code on your receipt.",
    )
