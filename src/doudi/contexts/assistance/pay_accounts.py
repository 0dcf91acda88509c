"""Where people are paid (收款账户): entered by one, confirmed by another; numbers sealed, the last four shown.

A changed card is the commonest way in which money goes astray: no account is used before a second person has seen it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.benefit_models import BenefitDecision, PayAccount
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.registry import services as registry
from doudi.engine.csvfile import CsvFile
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring

Status = PayAccount.Status
CARD_PURPOSE = "pay.card"
COLUMNS = ("户编号", "户名", "账号")


class AccountNotFound(DoudiError):
    """No such account in the asker's area."""

    code = "account_not_found"


def check_card(text: str) -> str:
    """A card or account number as digits, or a refusal: 8–30 digits, a card of the 62 range with its check digit right."""
    digits = "".join(text.split()).replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 30):
        raise StepRefused("账号应为 8–30 位数字。请核对后重填。", "An account number has 8–30 digits.")
    if digits.startswith("62") and 16 <= len(digits) <= 19 and _luhn(digits):
        raise StepRefused(
            "卡号的校验位不对，可能写错了一位。请对照卡面重填。", "The card's check digit is wrong."
        )
    return digits


def _luhn(digits: str) -> int:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10


def pay_accounts(*, by: User, status: str = "", household_no: str = "") -> QuerySet[PayAccount]:
    """Accounts of the asker's area; the number itself stays sealed, pages show the last four."""
    require(by, Act.VIEW_ROSTERS)
    found = PayAccount.objects.filter(region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="household_no", persons=("person_id",))
    if status:
        found = found.filter(status=status)
    if household_no:
        found = found.filter(household_no=household_no)
    return found.order_by("household_no", "person_id", "-pk")


@transaction.atomic
def propose_account(
    *,
    household_no: str,
    holder_name: str,
    card: str,
    by: User,
    person_id: int = 0,
    bank: str = "",
    ground: str = "",
) -> PayAccount:
    """Enter the account of a household or person that a decision pays; another person confirms it."""
    area = _area_of(household_no)
    require(by, Act.PROPOSE_ACCOUNT, region_code=area)
    take_turn()
    digits = check_card(card)
    if not holder_name.strip():
        raise StepRefused("请填写户名。", "Give the holder's name.")
    made = _propose(household_no, person_id, holder_name, digits, bank, ground, area, by)
    record(
        by=by,
        act=Act.PROPOSE_ACCOUNT,
        subject=f"household:{household_no}",
        region_code=area,
        detail={"account": made.pk, "person": person_id},
    )
    return made


def _area_of(household_no: str) -> str:
    area = (
        BenefitDecision.objects.filter(household_no=household_no)
        .order_by("-pk")
        .values_list("region_code", flat=True)
        .first()
    )
    if area is None:
        raise AccountNotFound(
            f"{household_no} 没有待遇决定，不用登记收款账户。", f"{household_no} has no benefit decision."
        )
    return area


def _propose(
    household_no: str, person_id: int, holder: str, digits: str, bank: str, ground: str, area: str, by: User
) -> PayAccount:
    blind = keyring().digest(digits, purpose=CARD_PURPOSE)
    mine = PayAccount.objects.filter(household_no=household_no, person_id=person_id)
    waiting = mine.filter(status=Status.PROPOSED).first()
    if waiting is not None:
        if bytes(waiting.card_blind) == blind and waiting.holder_name == holder.strip():
            return waiting
        raise StepRefused(
            f"{household_no} 已有一个账户等待确认（尾号 {waiting.last4}）。请先确认或不同意。",
            f"An account of {household_no} waits to be confirmed already.",
        )
    current = mine.filter(status=Status.IN_FORCE).first()
    if current is not None and bytes(current.card_blind) == blind and current.holder_name == holder.strip():
        return current
    return PayAccount.objects.create(
        household_no=household_no,
        person_id=person_id,
        region_code=area,
        holder_name=holder.strip()[:80],
        card=digits,
        card_blind=blind,
        last4=digits[-4:],
        bank=bank.strip()[:80],
        status=Status.PROPOSED,
        ground=ground.strip()[:200],
        proposed_by=by.username,
    )


@transaction.atomic
def confirm_account(pk: int, *, agree: bool, by: User) -> PayAccount:
    """A second person confirms an entered account, or not; a confirmed one takes the place of the earlier one."""
    take_turn()
    found = PayAccount.objects.filter(pk=pk, region_code__startswith=by.region_code).first()
    if found is None:
        raise AccountNotFound("没有找到这个收款账户。", "No such account in your area.")
    registry.refuse_own_record(
        f"account:{pk}", by=by, household_no=found.household_no, person_id=found.person_id
    )
    require(by, Act.CONFIRM_ACCOUNT, region_code=found.region_code)
    if found.status in (Status.IN_FORCE, Status.REFUSED) and found.decided_by == by.username:
        return found
    _decide([found], agree=agree, by=by)
    record(
        by=by,
        act=Act.CONFIRM_ACCOUNT,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"account": pk, "agree": agree},
    )
    found.refresh_from_db()
    return found


def _decide(accounts: Iterable[PayAccount], *, agree: bool, by: User) -> None:
    now = timezone.now()
    for found in accounts:
        if found.status != Status.PROPOSED:
            raise StepRefused("这个账户已经处理过。", "This account was decided already.")
        if found.proposed_by == by.username:
            raise SamePerson(
                "收款账户须由登记人以外的人确认。", "Who entered an account does not confirm it."
            )
        if agree:
            PayAccount.objects.filter(
                household_no=found.household_no,
                person_id__in=registry.records_of(found.person_id) if found.person_id else (0,),
                status=Status.IN_FORCE,
            ).update(status=Status.REPLACED, decided_at=now)
        found.status = Status.IN_FORCE if agree else Status.REFUSED
        found.decided_by, found.decided_at = by.username, now
        found.save()


@transaction.atomic
def import_accounts(path: Path, *, by: User) -> int:
    """Enter the accounts of a CSV list (户编号, 户名, 账号; also 人员, 开户行); all of them or none. Returns how many are new."""
    require(by, Act.PROPOSE_ACCOUNT)
    take_turn()
    table = CsvFile(path, COLUMNS)
    columns = [table.text(name) for name in (*COLUMNS, "人员", "开户行")]
    faults: list[str] = []
    made = 0
    areas = dict(
        BenefitDecision.objects.filter(region_code__startswith=by.region_code)
        .order_by("pk")
        .values_list("household_no", "region_code")
    )
    for place, (number, holder, card, person, bank) in enumerate(zip(*columns, strict=True), 2):
        try:
            if number not in areas:
                raise StepRefused(
                    f"户编号 {number} 没有待遇决定，或不在辖区", f"{number} has no decision here"
                )
            if person and not (person.isascii() and person.isdigit()):
                raise StepRefused("“人员”应为人员编号", "人员 is a person's number")
            if not holder:
                raise StepRefused("没有户名", "no holder")
            account = _propose(
                number, int(person or 0), holder, check_card(card), bank, "批量导入", areas[number], by
            )
            made += account.status == Status.PROPOSED
        except StepRefused as fault:
            faults.append(f"第{place}行：{fault.zh}")
    if faults:
        raise StepRefused(
            f"{path.name} 有 {len(faults)} 处问题，整份没有登记。{'；'.join(faults[:10])}",
            f"{path.name}: {len(faults)} rows are wrong; nothing was entered.",
        )
    record(by=by, act=Act.PROPOSE_ACCOUNT, region_code=by.region_code, detail={"imported": made})
    return made


@transaction.atomic
def confirm_imported(*, by: User) -> int:
    """Confirm every account of the area that another person entered (批量确认); returns how many."""
    require(by, Act.CONFIRM_ACCOUNT)
    take_turn()
    waiting = pay_accounts(by=by, status=Status.PROPOSED)  # none of one's own files
    found = list(waiting.exclude(proposed_by=by.username))
    _decide(found, agree=True, by=by)
    record(by=by, act=Act.CONFIRM_ACCOUNT, region_code=by.region_code, detail={"confirmed": len(found)})
    return len(found)
