"""What a place earns and spends (运营账), and whether it can go on: entries by hand, the till's takings by themselves."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, take_turn
from doudi.contexts.meals.order_models import MealServed
from doudi.contexts.meals.settlement_models import AccountLine
from doudi.contexts.meals.site_models import Site
from doudi.contexts.meals.sites import StepRefused, require_at


@dataclass(frozen=True)
class AccountMonth:
    """Income and cost of a month in fen; ``result`` is (income − cost) ÷ cost in %, None without any cost."""

    month: str
    income_fen: int
    cost_fen: int
    by_kind: dict[str, int]

    @property
    def result(self) -> float | None:
        if not self.cost_fen:
            return None
        return round((self.income_fen - self.cost_fen) * 100 / self.cost_fen, 1)


@transaction.atomic
def keep_account_line(
    place: Site, *, on: date, kind: str, amount_fen: int, memo: str, by: User
) -> AccountLine:
    """Enter income or cost of a place (运营账); what old people paid at the till and subsidies come by themselves."""
    require_at(by, Act.KEEP_SITE_ACCOUNT, place)
    take_turn()
    own = {AccountLine.Kind.PUBLIC: 1, AccountLine.Kind.DONATION: 1}
    if kind in (AccountLine.Kind.PAID, AccountLine.Kind.SUBSIDY) or kind not in AccountLine.Kind.values:
        raise StepRefused(
            "老人自付和补贴由系统计入，请选择其他科目。", "Choose another kind; these two come by themselves."
        )
    if amount_fen <= 0 or on > timezone.localdate() or not memo.strip():
        raise StepRefused(
            "请填写金额、摘要，日期不能晚于今天。", "Give the sum and a note; the day cannot be to come."
        )
    kept = AccountLine.objects.create(
        site=place,
        on=on,
        kind=kind,
        amount_fen=amount_fen * own.get(AccountLine.Kind(kind), -1),
        memo=memo.strip()[:200],
        by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_SITE_ACCOUNT,
        subject=f"site:{place.code}",
        region_code=place.region_code,
        detail={"kind": kind, "amount_fen": kept.amount_fen},
    )
    return kept


@transaction.atomic
def reverse_account_line(place: Site, pk: int, *, memo: str, by: User) -> AccountLine:
    """Undo an entry by its opposite (冲销); a second time it is the one that is there."""
    require_at(by, Act.KEEP_SITE_ACCOUNT, place)
    take_turn()
    found = AccountLine.objects.filter(site=place, pk=pk, reverses=None).first()
    if found is None or found.kind == AccountLine.Kind.SUBSIDY:
        raise StepRefused("没有可以冲销的这一笔。", "No such entry to reverse.")
    before = AccountLine.objects.filter(reverses=found).first()
    if before is not None:
        return before
    kept = AccountLine.objects.create(
        site=place,
        on=timezone.localdate(),
        kind=found.kind,
        amount_fen=-found.amount_fen,
        memo=f"冲销：{memo.strip()}"[:200],
        reverses=found,
        by=by.username,
    )
    record(by=by, act="reverse_account_line", subject=f"site:{place.code}", region_code=place.region_code)
    return kept


def account_lines(place: Site, *, by: User) -> QuerySet[AccountLine]:
    """The entries of a place's account, newest first."""
    require_at(by, Act.VIEW_SETTLEMENT, place)
    return AccountLine.objects.filter(site=place).select_related("reversed_by").order_by("-on", "-pk")


def account_of(place: Site, *, months: int = 12, by: User) -> list[AccountMonth]:
    """Income and cost of a place by month, the latest first: entries, and what old people paid at the till."""
    require_at(by, Act.VIEW_SETTLEMENT, place)
    first = timezone.localdate().replace(day=1) - relativedelta(months=months - 1)
    kinds: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for line in AccountLine.objects.filter(site=place, on__gte=first):
        kinds[f"{line.on:%Y-%m}"][line.kind] += line.amount_fen
    paid = (
        MealServed.objects.filter(site=place, state=MealServed.State.VALID, day__gte=first)
        .values("day__year", "day__month")
        .annotate(fen=Sum("paid_fen"))
        .order_by()
    )
    for row in paid:
        kinds[f"{row['day__year']}-{row['day__month']:02d}"][AccountLine.Kind.PAID] += row["fen"]
    return [
        AccountMonth(
            month,
            sum(fen for kind, fen in by_kind.items() if kind in _INCOME),
            -sum(fen for kind, fen in by_kind.items() if kind not in _INCOME),
            {str(AccountLine.Kind(kind).label): fen for kind, fen in by_kind.items()},
        )
        for month, by_kind in sorted(kinds.items(), reverse=True)
    ]


_INCOME = (
    AccountLine.Kind.PAID,
    AccountLine.Kind.SUBSIDY,
    AccountLine.Kind.PUBLIC,
    AccountLine.Kind.DONATION,
)
