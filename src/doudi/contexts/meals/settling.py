"""Settling a month with an operator (助餐结算): from proofs alone; made, checked and paid by three different people.

What looks odd is held back until a person has decided. Decided in the operator's favour after the settlement was
checked, it is paid with the next month's.
"""

from __future__ import annotations

import io
import re
from datetime import date

import xlsxwriter
from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.settlement_models import AccountLine, Settlement, SettlementEvent, SettlementLine
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.engine.errors import DoudiError
from doudi.engine.meals.anomalies import Eaten, anomalies
from doudi.engine.money import format_yuan, show_yuan
from doudi.engine.packs.meals import NetworkRules

ANOMALIES = {
    "burst": "一分钟内份数过多",
    "capacity": "超过供餐能力",
    "twice": "同一餐次登记两次",
    "no_proof": "缺少凭据",
    "death": "死亡之后",
    "hospital": "住院期间",
    "custody": "在押期间",
}
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
COUNTS = (SettlementLine.State.DUE, SettlementLine.State.ALLOWED)


class SettlementNotFound(DoudiError):
    """No such settlement that the asker may see."""

    code = "settlement_not_found"


def month_of(text: str) -> tuple[date, date]:
    """The first and last day of a month written ``2026-11``."""
    if not _MONTH.fullmatch(text):
        raise StepRefused("月份请写成 2026-11 这样。", "Write the month like 2026-11.")
    first = date(int(text[:4]), int(text[5:]), 1)
    return first, first + relativedelta(months=1, days=-1)


@transaction.atomic
def make_settlement(place: Site, *, month: str, rules: NetworkRules, by: User) -> Settlement:
    """Make the settlement of a place for a month that is over (编制); the same again is the one that is there.

    Meals of earlier months that came late from a till's queue, or were decided late, are settled with it.
    """
    require(by, Act.MAKE_SETTLEMENT, region_code=place.region_code)
    take_turn()
    first, last = month_of(month)
    before = (
        Settlement.objects.filter(site=place, month=month).exclude(state=Settlement.State.WITHDRAWN).first()
    )
    if before is not None:
        return before
    if last >= timezone.localdate():
        raise StepRefused(f"{month} 还没有过完，不能结算。", f"{month} is not over yet.", code="month_open")
    settled = SettlementLine.objects.exclude(settlement__state=Settlement.State.WITHDRAWN).exclude(
        state=SettlementLine.State.CARRIED
    )
    carried = SettlementLine.objects.filter(state=SettlementLine.State.CARRIED).exclude(
        settlement__state=Settlement.State.WITHDRAWN
    )
    due = list(
        MealServed.objects.filter(site=place, state=MealServed.State.VALID, day__lte=last)
        .filter(Q(subsidy_fen__gt=0) | Q(given_fen__gt=0))
        .exclude(pk__in=settled.values("serving"))
        .order_by("day", "at", "pk")
    )
    allowed = set(carried.filter(serving__in=due).values_list("serving", flat=True))
    odd = _odd(place, min([first, *(one.day for one in due)]), last, rules)
    kept = Settlement.objects.create(
        number=f"ZCJS{month.replace('-', '')}-{place.code}-{Settlement.objects.filter(site=place, month=month).count() + 1}",
        site=place,
        month=month,
        meals=0,
        due_fen=0,
        made_by=by.username,
    )
    SettlementLine.objects.bulk_create(
        SettlementLine(
            settlement=kept,
            serving=one,
            amount_fen=one.subsidy_fen,
            given_fen=one.given_fen,
            anomalies=list(odd.get(one.pk, ())),
            state=SettlementLine.State.DUE
            if one.pk in allowed or one.pk not in odd
            else SettlementLine.State.DISPUTED,
        )
        for one in due
    )
    _add_up(kept)
    _say(
        kept,
        by,
        "make",
        f"编制 {month} 结算：补贴 {kept.meals} 餐，应拨 {show_yuan(kept.due_fen)}，"
        f"慈善另付 {show_yuan(kept.given_fen)}，存疑 {kept.disputed_meals} 餐",
    )
    _log(kept, by, Act.MAKE_SETTLEMENT)
    return kept


def _odd(place: Site, first: date, last: date, rules: NetworkRules) -> dict[int, tuple[str, ...]]:
    """What is odd about each meal of a place in a time, by what is known now of its diners."""
    mine = MealServed.objects.filter(site=place, state=MealServed.State.VALID, day__range=(first, last))
    eaten = list(mine.prefetch_related("diner__stops"))
    others = MealServed.objects.filter(
        state=MealServed.State.VALID, day__range=(first, last), diner__in=mine.values("diner")
    ).exclude(site=place)
    rows = [
        Eaten(
            one.pk,
            one.diner_id,
            one.day,
            one.meal,
            one.at,
            one.delivered,
            one.proof in (MealServed.Proof.CARD, MealServed.Proof.CODE) or bool(one.proof_file),
            tuple(stop.kind for stop in one.diner.stops.all() if stop.covers(one.day)),
        )
        for one in eaten
    ]
    rows += [
        Eaten(one.pk, one.diner_id, one.day, one.meal, one.at, one.delivered, True, elsewhere=True)
        for one in others
    ]
    capacity = dict(place.hours.values_list("meal", "capacity"))
    return anomalies(rows, most_a_minute=rules.most_a_minute, capacity=capacity)


def _add_up(found: Settlement) -> None:
    """The sums of a settlement are those of its lines, never typed."""
    sums = found.lines.aggregate(
        meals=Count("pk", filter=Q(state__in=COUNTS, amount_fen__gt=0)),
        due=Sum("amount_fen", filter=Q(state__in=COUNTS)),
        given=Sum("given_fen", filter=Q(state__in=COUNTS)),
        odd=Count("pk", filter=Q(state=SettlementLine.State.DISPUTED)),
        odd_fen=Sum("amount_fen", filter=Q(state=SettlementLine.State.DISPUTED)),
    )
    found.meals, found.due_fen = sums["meals"], sums["due"] or 0
    found.disputed_meals, found.disputed_fen = sums["odd"], sums["odd_fen"] or 0
    found.given_fen = sums["given"] or 0
    found.save(update_fields=["meals", "due_fen", "given_fen", "disputed_meals", "disputed_fen"])


def _say(found: Settlement, by: User, kind: str, text: str) -> None:
    SettlementEvent.write(by=by, kind=kind, text=text, settlement=found)


def _log(found: Settlement, by: User, act: Act | str) -> None:
    record(
        by=by,
        act=act,
        subject=f"settlement:{found.number}",
        region_code=found.site.region_code,
        detail={"meals": found.meals, "due_fen": found.due_fen, "disputed": found.disputed_meals},
    )


@transaction.atomic
def dispute_line(number: str, pk: int, *, ground: str, by: User) -> SettlementLine:
    """Hold a meal's money back, or, for the operator, object to a meal that was rejected (提出异议)."""
    found = settlement(number, by=by)
    mine = by.organisation and by.organisation in (found.site.organisation, found.site.code)
    if mine:
        require_at(by, Act.VIEW_SETTLEMENT, found.site)
    else:
        require(by, Act.MAKE_SETTLEMENT, region_code=found.site.region_code)
    take_turn()
    if len(ground.strip()) < 4:
        raise StepRefused("请写明异议理由（至少四个字）。", "Say why in four characters or more.")
    line = _line(found, pk)
    from_state = SettlementLine.State.REJECTED if mine else SettlementLine.State.DUE
    if line.state != from_state or (not mine and found.state != Settlement.State.DRAFT):
        raise StepRefused(
            "这一餐现在不能提出异议。", "This meal cannot be disputed now.", code="not_disputable"
        )
    SettlementLine.objects.filter(pk=line.pk).update(
        state=SettlementLine.State.DISPUTED, ground=ground.strip()[:300]
    )
    _add_up(found)
    _say(found, by, "dispute", f"{line.serving.number} 提出异议：{ground.strip()}")
    _log(found, by, "dispute_line")
    line.refresh_from_db()
    return line


@transaction.atomic
def decide_line(number: str, pk: int, *, allowed: bool, ground: str, by: User) -> SettlementLine:
    """Decide a meal that is in doubt; never by who made the settlement (认定)."""
    found = settlement(number, by=by)
    require(by, Act.CHECK_SETTLEMENT, region_code=found.site.region_code)
    take_turn()
    _another(found.made_by, by)
    if len(ground.strip()) < 4:
        raise StepRefused("请写明认定理由（至少四个字）。", "Say why in four characters or more.")
    line = _line(found, pk)
    if line.state != SettlementLine.State.DISPUTED:
        raise StepRefused(
            "这一餐不在存疑之列，或已由他人认定。",
            "This meal is not in doubt, or was decided.",
            code="not_in_doubt",
        )
    state = SettlementLine.State.REJECTED
    if allowed:
        draft = found.state == Settlement.State.DRAFT
        state = SettlementLine.State.ALLOWED if draft else SettlementLine.State.CARRIED
    SettlementLine.objects.filter(pk=line.pk).update(
        state=state, decided_by=by.username, ground=ground.strip()[:300]
    )
    line.refresh_from_db()
    _add_up(found)
    _say(found, by, "decide", f"{line.serving.number} {line.get_state_display()}：{ground.strip()}")
    _log(found, by, "decide_line")
    return line


def _line(found: Settlement, pk: int) -> SettlementLine:
    line = found.lines.select_related("serving").filter(pk=pk).first()
    if line is None:
        raise SettlementNotFound("结算里没有这一餐。", "No such meal in this settlement.")
    return line


def _another(first: str, by: User) -> None:
    if first == by.username:
        raise StepRefused(
            "编制、复核、拨付须由不同的人办理。",
            "Making, checking and paying are for different people.",
            code="same_person",
        )


@transaction.atomic
def check_settlement(number: str, *, by: User) -> Settlement:
    """Check a settlement (复核); what is still in doubt is left out of its sum."""
    found = settlement(number, by=by)
    require(by, Act.CHECK_SETTLEMENT, region_code=found.site.region_code)
    take_turn()
    _another(found.made_by, by)
    done = Settlement.objects.filter(pk=found.pk, state=Settlement.State.DRAFT).update(
        state=Settlement.State.CHECKED, checked_by=by.username, checked_at=timezone.now()
    )
    found.refresh_from_db()
    if done:
        _say(found, by, "check", f"复核同意，应拨 {show_yuan(found.due_fen)}")
        _log(found, by, Act.CHECK_SETTLEMENT)
    return found


@transaction.atomic
def withdraw_settlement(number: str, *, ground: str, by: User) -> Settlement:
    """Put a settlement aside that was not checked yet, to make it anew (作废)."""
    found = settlement(number, by=by)
    require(by, Act.MAKE_SETTLEMENT, region_code=found.site.region_code)
    take_turn()
    if len(ground.strip()) < 4:
        raise StepRefused("请写明作废理由（至少四个字）。", "Say why in four characters or more.")
    done = Settlement.objects.filter(pk=found.pk, state=Settlement.State.DRAFT).update(
        state=Settlement.State.WITHDRAWN
    )
    found.refresh_from_db()
    if not done and found.state != Settlement.State.WITHDRAWN:
        raise StepRefused("已复核的结算不能作废。", "A checked settlement stands.")
    if done:
        _say(found, by, "withdraw", f"作废：{ground.strip()}")
        _log(found, by, "withdraw_settlement")
    return found


@transaction.atomic
def pay_settlement(number: str, *, voucher: str, paid_on: date, by: User) -> Settlement:
    """Say that a checked settlement was paid (拨付), with the voucher; the operator's account takes the income."""
    found = settlement(number, by=by)
    require(by, Act.PAY_SETTLEMENT, region_code=found.site.region_code)
    take_turn()
    _another(found.made_by, by)
    _another(found.checked_by, by)
    if not voucher.strip() or paid_on > timezone.localdate():
        raise StepRefused(
            "请填写拨付凭证号，日期不能晚于今天。", "Give the voucher; the day cannot be to come."
        )
    done = Settlement.objects.filter(pk=found.pk, state=Settlement.State.CHECKED).update(
        state=Settlement.State.PAID, paid_by=by.username, paid_on=paid_on, voucher=voucher.strip()[:60]
    )
    found.refresh_from_db()
    if not done and not (found.state == Settlement.State.PAID and found.voucher == voucher.strip()[:60]):
        raise StepRefused(
            "复核之后才能拨付一次。", "It is paid once, after it was checked.", code="not_payable"
        )
    if done:
        AccountLine.objects.create(
            site=found.site,
            on=paid_on,
            kind=AccountLine.Kind.SUBSIDY,
            amount_fen=found.due_fen,
            memo=f"{found.month} 助餐补贴 {found.number}",
            by=by.username,
        )
        _say(found, by, "pay", f"拨付 {show_yuan(found.due_fen)}，凭证 {found.voucher}")
        _log(found, by, Act.PAY_SETTLEMENT)
    return found


# ---- reading -----------------------------------------------------------------------------------------------------


def settlements(*, by: User, month: str = "") -> QuerySet[Settlement]:
    """Settlements of the places an account may see, the latest month first."""
    scope = require(by, Act.VIEW_SETTLEMENT)
    found = Settlement.objects.filter(reach(scope, by, "site__")).select_related("site")
    return found.filter(month=month) if month else found


def settlement(number: str, *, by: User) -> Settlement:
    """One settlement, or :class:`SettlementNotFound`."""
    found = settlements(by=by).filter(number=number).first()
    if found is None:
        raise SettlementNotFound(f"没有找到结算 {number}。", f"No settlement {number} for you.")
    return found


@transaction.atomic
def payment_file(*, month: str, by: User) -> bytes:
    """The checked settlements of a month as a workbook for the payer: operator, account, meals, sum, and a total."""
    require(by, Act.PAY_SETTLEMENT)
    month_of(month)
    rows = list(settlements(by=by, month=month).filter(state=Settlement.State.CHECKED).order_by("site__name"))
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet("助餐补贴拨付")
    bold = book.add_format({"bold": True})
    header = ("结算编号", "助餐点", "运营单位", "收款账号", "月份", "补贴餐数", "应拨（元）")
    sheet.write_row(0, 0, header, bold)
    for at, one in enumerate(rows, start=1):
        cells = (one.number, one.site.name, one.site.operator, one.site.operator_account, one.month)
        for column, text in enumerate(cells):
            sheet.write_string(at, column, text)
        sheet.write_number(at, 5, one.meals)
        sheet.write_string(at, 6, format_yuan(one.due_fen))
    sheet.write_string(len(rows) + 1, 0, "合计", bold)
    sheet.write_number(len(rows) + 1, 5, sum(one.meals for one in rows))
    sheet.write_string(len(rows) + 1, 6, format_yuan(sum(one.due_fen for one in rows)))
    sheet.set_column(0, 4, 24)
    book.close()
    record(
        by=by,
        act="payment_file",
        region_code=by.region_code,
        detail={"month": month, "settlements": len(rows)},
    )
    return out.getvalue()
