"""Whether help helped (成效): a look 30, 90 and 180 days after a measure, before against after, and what is still missing.

Figures are counted from the very rows that a list shows: a number of the page and the length of its list are one query.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Avg, Count, Q, Sum
from django.db.models.functions import Substr
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.benefit_models import BenefitDecision
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.models import MeasureGiven, Referral
from doudi.contexts.assistance.outcome_models import FollowUp
from doudi.contexts.assistance.roster_models import Roster, RosterRow
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules
from doudi.engine.errors import DoudiError

Result = FollowUp.Result
_NEEDING = (Result.SOLVED, Result.PARTLY, Result.UNSOLVED)
REPEAT_DAYS = 365
TOWNSHIP = 9
"""Digits of a township's code; a household registered with the county alone counts under the county's."""


class FollowUpNotFound(DoudiError):
    """No such follow-up in the asker's area."""

    code = "follow_up_not_found"


@transaction.atomic
def plan_follow_ups(rules: BenefitRules) -> int:
    """Plan the looks at every measure and grant that has none yet, for the office's worker; returns how many.

    A measure that was reversed, and what opening the books took over, is not looked at.
    """
    take_turn()
    known = set(FollowUp.objects.values_list("source", flat=True))
    made: list[FollowUp] = []
    measures = MeasureGiven.objects.filter(reverses=None, reversed_by=None)
    for given in measures.iterator(chunk_size=2000):
        if (source := f"measure:{given.pk}") not in known:
            made += _looks(
                source,
                given.code,
                given.label,
                given.household_no,
                given.region_code,
                given.given_on,
                None,
                rules,
            )
    grants = BenefitDecision.objects.filter(kind="grant", opening=False, reversed_by=None)
    for row in grants.iterator(chunk_size=2000):
        if (source := f"decision:{row.number}") not in known:
            label = rules.benefits[row.benefit].label if row.benefit in rules.benefits else row.benefit
            made += _looks(
                source,
                row.benefit,
                label,
                row.household_no,
                row.region_code,
                row.decided_on,
                row.per_capita_fen,
                rules,
            )
    FollowUp.objects.bulk_create(made, batch_size=500)
    return len(made)


def _looks(
    source: str,
    measure: str,
    label: str,
    household_no: str,
    region: str,
    on: date,
    before: int | None,
    rules: BenefitRules,
) -> list[FollowUp]:
    return [
        FollowUp(
            source=source,
            day=days,
            measure=measure,
            measure_label=label,
            household_no=household_no,
            region_code=region,
            given_on=on,
            due_on=on + timedelta(days=days),
            before_income_fen=before,
        )
        for days in rules.follow_up_days
    ]


def follow_ups(
    *,
    by: User,
    state: str = "",
    measure: str = "",
    region_code: str = "",
    township: str = "",
    result: str = "",
    repeat: bool = False,
    unmet: bool = False,
) -> Any:
    """Looks of the asker's area: ``due`` (from today on back), ``late`` (more than a week), ``done``; empty: all."""
    require(by, Act.VIEW_ROSTERS)
    found = registry.but_own(FollowUp.objects.all().visible_to(by), by=by, household="household_no")
    today = timezone.localdate()
    if state == "due":
        found = found.filter(result="", due_on__lte=today)
    elif state == "late":
        found = found.filter(result="", due_on__lt=today - timedelta(days=7))
    elif state == "done":
        found = found.exclude(result="")
    if measure:
        found = found.filter(measure=measure)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if township:
        found = found.annotate(town=Substr("region_code", 1, TOWNSHIP)).filter(town=township)
    if result:
        found = found.filter(result=result)
    if repeat:
        found = found.filter(repeat_need=True)
    if unmet:
        found = found.exclude(unmet="")
    return found.order_by("due_on", "pk")


def follow_up_of(pk: int, *, by: User) -> FollowUp:
    """One look within the asker's area, or :class:`FollowUpNotFound`."""
    require(by, Act.VIEW_ROSTERS)
    found: FollowUp | None = FollowUp.objects.all().visible_to(by).filter(pk=pk).first()
    if found is None:
        raise FollowUpNotFound("没有找到这次随访，或不在您的辖区。", "No such follow-up in your area.")
    registry.refuse_own_file(found.household_no, by=by)
    return found


@transaction.atomic
def record_follow_up(
    pk: int,
    *,
    result: str,
    done_on: date,
    note: str,
    by: User,
    after_income_fen: int | None = None,
    before_ratio: int | None = None,
    after_ratio: int | None = None,
    satisfaction: int | None = None,
    repeat_need: bool = False,
    unmet: str = "",
) -> FollowUp:
    """Record what a look found; the same again changes nothing, another answer to a finished one is refused."""
    take_turn()
    found = follow_up_of(pk, by=by)
    require(by, Act.FOLLOW_UP, region_code=found.region_code)
    if found.result:
        if (found.result, found.done_by, found.note) == (result, by.username, note.strip()):
            return found
        raise StepRefused(
            "这次随访已经登记过，不能改；有新情况请在下一次随访写明。", "This follow-up is recorded."
        )
    if result not in Result.values:
        raise StepRefused("请选择结果。", f"Choose a result: {', '.join(Result.values)}.")
    if not found.given_on <= done_on <= timezone.localdate():
        raise StepRefused("随访日期应在给予之后、今天之前。", "The look lies between the measure and today.")
    if satisfaction is not None and not 1 <= satisfaction <= 5:
        raise StepRefused("满意度为 1–5。", "Satisfaction is 1–5.")
    if result in (Result.PARTLY, Result.UNSOLVED) and not unmet.strip():
        raise StepRefused("没有完全解决的，请写明还缺什么。", "Say what is still missing.")
    found.result, found.done_on, found.done_by = result, done_on, by.username
    found.after_income_fen, found.before_ratio, found.after_ratio = (
        after_income_fen,
        before_ratio,
        after_ratio,
    )
    found.satisfaction, found.repeat_need = satisfaction, repeat_need
    found.unmet, found.note = unmet.strip()[:300], note.strip()
    found.save()
    record(
        by=by,
        act=Act.FOLLOW_UP,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"follow_up": pk, "day": found.day, "result": result},
    )
    return found


@dataclass(frozen=True)
class Figures:
    """One line of the evaluation: looks due, done and late, results, satisfaction, repeats, unmet needs."""

    key: str
    label: str
    planned: int
    done: int
    late: int
    solved: int
    partly: int
    unsolved: int
    not_needed: int
    repeats: int
    unmet: int
    satisfaction: float | None

    @property
    def met_rate(self) -> float | None:
        """Solved among those who needed it (需求满足率)."""
        needing = self.solved + self.partly + self.unsolved
        return self.solved / needing if needing else None


def outcome_figures(*, by: User, along: str = "measure", region_code: str = "") -> list[Figures]:
    """The evaluation by ``measure`` or by ``township``; each figure is the length of :func:`follow_ups` asked alike."""
    found = follow_ups(by=by, region_code=region_code)
    today = timezone.localdate()
    counted = {
        "planned": Count("pk"),
        "done": Count("pk", filter=~Q(result="")),
        "late": Count("pk", filter=Q(result="", due_on__lt=today - timedelta(days=7))),
        **{result.value: Count("pk", filter=Q(result=result.value)) for result in Result},
        "repeats": Count("pk", filter=Q(repeat_need=True)),
        "unmets": Count("pk", filter=~Q(unmet="")),
        "content": Avg("satisfaction"),
    }
    if along == "measure":
        rows = found.order_by().values("measure", "measure_label").annotate(**counted)
        return sorted(
            (_figures(row["measure"], row["measure_label"], row) for row in rows), key=lambda one: one.key
        )
    towns = (
        found.annotate(town=Substr("region_code", 1, TOWNSHIP)).order_by().values("town").annotate(**counted)
    )
    return sorted((_figures(row["town"], "", row) for row in towns), key=lambda one: one.key)


def _figures(key: str, label: str, row: dict[str, Any]) -> Figures:
    return Figures(
        key, label, row["planned"], row["done"], row["late"], row["solved"], row["partly"], row["unsolved"],
        row["not_needed"], row["repeats"], row["unmets"], row["content"],
    )  # fmt: skip


@dataclass(frozen=True)
class LayerAid:
    """What the households of one layer were given within a year: ``layer`` is the category's code, '' for none."""

    layer: str
    households: int
    people: int
    aid_fen: int

    @property
    def per_head_fen(self) -> int | None:
        """Whole fen a person; None where nobody lives there any more."""
        return round(self.aid_fen / self.people) if self.people else None


def aid_per_head(*, by: User, on: date | None = None) -> list[LayerAid]:
    """Aid of the year before ``on`` per head, by the layer in which the household stands today (分层人均救助).

    Aid is what frozen rosters hold (without what waits or was kept back), measures, and what departments answered with;
    heads are the living members of the households that got any.
    """
    require(by, Act.VIEW_ROSTERS)
    until = on or timezone.localdate()
    since = until - timedelta(days=REPEAT_DAYS)
    mine = {"region_code__startswith": by.region_code}
    rows = RosterRow.objects.filter(
        roster__status=Roster.Status.FROZEN, roster__month__gt=since, roster__month__lte=until, **mine
    ).exclude(kind__in=(RosterRow.Kind.HELD, RosterRow.Kind.OFFSET))
    measures = MeasureGiven.objects.filter(
        reverses=None, reversed_by=None, given_on__gt=since, given_on__lte=until, **mine
    )
    answers = Referral.objects.filter(
        status=Referral.Status.ANSWERED,
        answered_at__date__gt=since,
        answered_at__date__lte=until,
        amount_fen__gt=0,
        **mine,
    )
    given: Counter[str] = Counter()
    for found in (rows, measures, answers):
        given.update(dict(found.order_by().values_list("household_no").annotate(fen=Sum("amount_fen"))))
    given = Counter({number: fen for number, fen in given.items() if fen > 0})
    sums: dict[str, list[int]] = {}
    for number, (layer, people) in registry.layers_of(given).items():
        line = sums.setdefault(layer, [0, 0, 0])
        line[0], line[1], line[2] = line[0] + 1, line[1] + people, line[2] + given[number]
    order = {code: rank for rank, code in enumerate(registry.CATEGORY_CODES.values())}
    return [
        LayerAid(code, *sums[code]) for code in sorted(sums, key=lambda code: order.get(code, len(order)))
    ]


@dataclass(frozen=True)
class Repeated:
    """The same measure given twice to a household within a year (重复救助): shown, not blocked."""

    household_no: str
    region_code: str
    measure: str
    times: int
    total_fen: int


def repeated_aid(*, by: User, on: date | None = None) -> list[Repeated]:
    """Households of the area that got the same one-off measure more than once in the year before ``on``."""
    require(by, Act.VIEW_ROSTERS)
    until = on or timezone.localdate()
    since = until - timedelta(days=REPEAT_DAYS)
    counts: dict[tuple[str, str, str], list[int]] = {}
    measures = MeasureGiven.objects.filter(
        reverses=None,
        reversed_by=None,
        given_on__range=(since, until),
        region_code__startswith=by.region_code,
    )
    for row in measures:
        counts.setdefault((row.household_no, row.region_code, row.label), []).append(row.amount_fen)
    grants = BenefitDecision.objects.filter(
        kind="grant", reversed_by=None, fixed_fen__isnull=False, decided_on__range=(since, until),
        region_code__startswith=by.region_code,
    )  # fmt: skip
    for grant in grants:
        counts.setdefault((grant.household_no, grant.region_code, grant.benefit), []).append(
            grant.fixed_fen or 0
        )
    return [Repeated(*key, len(sums), sum(sums)) for key, sums in sorted(counts.items()) if len(sums) > 1]
