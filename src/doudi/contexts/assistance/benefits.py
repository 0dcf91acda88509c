"""Deciding on a household's benefit (待遇决定): granted, changed, tapering, stopped, undone; always by a new row.

A decision names the people, the income it was reckoned from and its document; the sum of each month follows from it and
the pack (:mod:`doudi.engine.benefits`). Payment begins in the month after the decision.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.benefit_models import BenefitDecision, DecisionQuerySet
from doudi.contexts.assistance.entitlement import applicable, as_kept, in_force
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.recovery_models import PaymentStop
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import (
    BenefitRules,
    Claim,
    Due,
    Numbers,
    Recipient,
    due,
    first_of,
    month_text,
    next_month,
    one_off_ceiling,
    shift,
)
from doudi.engine.errors import DoudiError
from doudi.engine.money import show_yuan

Kind = BenefitDecision.Kind
_GIVING = (Kind.GRANT, Kind.CHANGE, Kind.TAPER)
_CONTENT = (
    "kind", "benefit", "household_no", "people", "per_capita_fen", "band", "fixed_fen", "single", "decided_on",
    "starts_on", "ends_on",
)  # fmt: skip


class DecisionNotFound(DoudiError):
    """No such decision in the asker's area."""

    code = "decision_not_found"


class ExclusiveBenefit(DoudiError):
    """A person would receive two benefits of which only one may be had."""

    code = "benefit_exclusive"


def decisions(*, by: User, household_no: str = "", benefit: str = "") -> DecisionQuerySet:
    """Decisions of the account's area, in the order in which they begin."""
    require(by, Act.VIEW_ROSTERS)
    found = registry.but_own(BenefitDecision.objects.visible_to(by), by=by, household="household_no")
    if household_no:
        found = found.filter(household_no=household_no)
    if benefit:
        found = found.filter(benefit=benefit)
    return found.order_by("starts_on", "pk")


def decision_of(number: str, *, by: User) -> BenefitDecision:
    """One decision within the asker's area, or :class:`DecisionNotFound`."""
    require(by, Act.VIEW_ROSTERS)
    found = BenefitDecision.objects.visible_to(by).filter(number=number).first()
    if found is None:
        raise DecisionNotFound(
            f"没有找到决定 {number}，或不在您的辖区。",
            f"No decision {number} in your area; check the number.",
        )
    registry.refuse_own_file(found.household_no, by=by)
    return found


def standing(household_no: str, benefit: str, month: date) -> BenefitDecision | None:
    """The decision in force in a month, for a caller that has settled who may see it."""
    rows = BenefitDecision.objects.filter(household_no=household_no, benefit=benefit)
    return in_force(list(rows.order_by("starts_on", "pk")), month)


def _people(recipients: Sequence[Recipient]) -> str:
    return json.dumps(
        [[one.person_id, list(one.needs), one.failed_items] for one in recipients], separators=(",", ":")
    )


@transaction.atomic
def record_decision(
    *,
    rules: BenefitRules,
    numbers: Numbers,
    kind: str,
    benefit: str,
    household_no: str,
    region_code: str,
    urban_rural: str,
    decided_on: date,
    decision_no: str,
    by: User,
    persons: Sequence[Recipient] = (),
    per_capita_income_fen: int = 0,
    amount_fen: int | None = None,
    band: str = "",
    single: bool = False,
    starts_on: date | None = None,
    ends_on: date | None = None,
    ground: str = "",
    source: str = "",
) -> BenefitDecision:
    """Record a grant, change or stop; ``starts_on`` defaults to the month after the decision (one-off aid: its month).

    The same ``source`` with the same content again is the same decision; with another content it is refused.
    """
    require(by, Act.DECIDE_BENEFIT, region_code=region_code)
    take_turn()
    chosen = rules.benefit(benefit)
    if kind not in (Kind.GRANT, Kind.CHANGE, Kind.STOP):
        raise StepRefused("决定的种类只能是批准、调整或停止。", "A decision grants, changes or stops.")
    if not decision_no.strip():
        raise StepRefused("请填写决定的文号。", "Give the number of the decision's document.")
    if decided_on > timezone.localdate():
        raise StepRefused("决定日期不能晚于今天。", "The decision lies in the future.")
    later = next_month(decided_on) if rules.start_next_month and chosen.monthly else first_of(decided_on)
    begins = first_of(starts_on) if starts_on is not None else later
    if kind == Kind.GRANT and chosen.monthly and begins < later and not ground.strip():
        raise StepRefused(
            f"待遇从决定的次月起发，即{month_text(later)}。提前起发须写明理由和依据。",
            f"Payment begins in {later:%Y-%m}, the month after the decision; say why it should begin earlier.",
        )
    if ends_on is not None and first_of(ends_on) < begins:
        raise StepRefused("最后一个月早于起始月。", "The last month lies before the first.")
    asked = BenefitDecision(
        source=source or f"{decision_no.strip()}:{household_no}:{benefit}:{kind}:{begins:%Y%m}",
        kind=kind,
        benefit=benefit,
        household_no=household_no,
        region_code=region_code,
        urban_rural=urban_rural,
        people=_people(persons),
        per_capita_fen=per_capita_income_fen,
        band=band,
        fixed_fen=amount_fen,
        single=single,
        decided_on=decided_on,
        decision_no=decision_no.strip()[:80],
        starts_on=begins,
        ends_on=first_of(ends_on) if ends_on else None,
        ground=ground.strip(),
    )
    earlier = _same(asked)
    if earlier is not None:
        return earlier
    _consider(asked, rules, numbers)
    return _written(asked, by=by)


def _same(asked: BenefitDecision) -> BenefitDecision | None:
    found = BenefitDecision.objects.filter(source=asked.source).first()
    if found is not None and any(getattr(found, name) != getattr(asked, name) for name in _CONTENT):
        raise StepRefused(
            f"同一来源（{asked.source}）已登记过另一项决定 {found.number}，内容不同。请核对文号；要改的另作调整决定。",
            f"The same source bears another decision {found.number}; check the number or record a change.",
        )
    return found


def _consider(asked: BenefitDecision, rules: BenefitRules, numbers: Numbers) -> None:
    """Refuse what cannot stand beside the decisions there are."""
    chosen = rules.benefit(asked.benefit)
    before = standing(asked.household_no, asked.benefit, asked.starts_on) if chosen.monthly else None
    if asked.kind == Kind.GRANT and before is not None:
        raise StepRefused(
            f"{asked.household_no} 在{month_text(asked.starts_on)}已享受{chosen.label}（{before.number}）。请作调整决定。",
            f"{asked.household_no} already receives {chosen.code} ({before.number}); record a change.",
        )
    if asked.kind != Kind.GRANT and before is None:
        raise StepRefused(
            f"{asked.household_no} 在{month_text(asked.starts_on)}没有享受{chosen.label}，不能调整或停止。",
            f"{asked.household_no} does not receive {chosen.code} in {asked.starts_on:%Y-%m}.",
        )
    if asked.kind == Kind.STOP:
        return
    if not asked.recipients:
        raise StepRefused("请选择享受待遇的人员。", "Say who receives.")
    if asked.per_capita_fen < 0 or (asked.fixed_fen or 0) < 0:
        raise StepRefused("金额不能为负。", "A sum is not negative.")
    _living(asked)
    _exclusive(asked, rules)
    claim = asked.claim
    if not chosen.monthly:
        ceiling, line = one_off_ceiling(rules, numbers, claim, asked.starts_on)
        if not claim.fixed_fen:
            raise StepRefused("请填写核定金额。", "Give the sum that was set.")
        if ceiling is not None and line is not None and claim.fixed_fen > ceiling:
            raise StepRefused(
                f"核定金额 {show_yuan(claim.fixed_fen)} 超过上限：{line.text}（{line.clause}）。",
                f"{show_yuan(claim.fixed_fen)} is more than the ceiling of {show_yuan(ceiling)}.",
            )
        return
    found = due(rules, numbers, claim, asked.starts_on)
    if found.fen is None:
        raise StepRefused(
            f"金额算不出来：{found.missing}。请先在政策包里填这个数。",
            "The pack lacks a number for this sum.",
        )
    if found.fen == 0:
        raise StepRefused(
            f"按人均月收入 {show_yuan(asked.per_capita_fen)}，{chosen.label}应发为零，不能批准。",
            "Nothing would be due at this income.",
        )


def _living(asked: BenefitDecision) -> None:
    ids = [one.person_id for one in asked.recipients]
    if len(_today(asked)) != len(ids):
        raise StepRefused("同一人写了两次。", "A person stands twice.")
    known = registry.people_briefs(ids)
    if missing := [one for one in ids if one not in known]:
        raise StepRefused(f"登记里没有这些人：{missing}。", f"The register does not know {missing}.")
    for one in known.values():
        if one.died_on is not None:
            raise StepRefused(
                f"{one.name}已于 {one.died_on} 死亡，不能享受待遇。", f"{one.name} died on {one.died_on}."
            )
    if asked.kind == Kind.CHANGE:
        stops = PaymentStop.objects.filter(household_no=asked.household_no, person_id__in=ids)
        granted = _granted_at(asked)
        stopped = [stop.person_name for stop in stops if granted is None or stop.recorded_at > granted]
        if stopped:
            raise StepRefused(
                f"{'、'.join(stopped)}已决定停发，调整决定里不能再列入。恢复享受须重新批准。",
                f"{', '.join(stopped)} were stopped; a change cannot bring them back, a new grant can.",
            )


def _granted_at(asked: BenefitDecision) -> datetime | None:
    rows = BenefitDecision.objects.filter(
        household_no=asked.household_no, benefit=asked.benefit, kind=Kind.GRANT, reversed_by=None
    )
    return rows.order_by("-pk").values_list("recorded_at", flat=True).first()


def _today(decision: BenefitDecision) -> set[int]:
    """The people of a decision as the records that they are today."""
    ids = [one.person_id for one in decision.recipients]
    kept = registry.kept_persons(ids)
    return {kept.get(one, one) for one in ids}


def _exclusive(asked: BenefitDecision, rules: BenefitRules) -> None:
    """A person has one of the exclusive benefits of a month (互斥)."""
    people = _today(asked)
    for group in rules.exclusive:
        if asked.benefit not in group:
            continue
        for other in group:
            if other == asked.benefit:
                continue
            found = standing(asked.household_no, other, asked.starts_on)
            both = people & _today(found) if found else set()
            if found is not None and both:
                names = "、".join(one.name for one in registry.people_briefs(both).values())
                raise ExclusiveBenefit(
                    f"{names}在{month_text(asked.starts_on)}已享受{rules.benefit(other).label}（{found.number}），"
                    f"不能同时享受{rules.benefit(asked.benefit).label}。请先停止或调整前一项。",
                    f"{names} already receive {other} ({found.number}); both may not be had.",
                )


def _written(asked: BenefitDecision, *, by: User) -> BenefitDecision:
    asked.recorded_by = by.username
    asked.number = f"DY{asked.decided_on:%Y%m}-{BenefitDecision.objects.count() + 1:06d}"
    asked.save()
    record(
        by=by,
        act=Act.DECIDE_BENEFIT,
        subject=f"household:{asked.household_no}",
        region_code=asked.region_code,
        detail={
            "decision": asked.number,
            "kind": asked.kind,
            "benefit": asked.benefit,
            "starts_on": asked.starts_on,
            "persons": len(asked.recipients),
        },
    )
    return asked


@transaction.atomic
def taper(
    *,
    rules: BenefitRules,
    numbers: Numbers,
    household_no: str,
    benefit: str,
    per_capita_income_fen: int,
    decided_on: date,
    decision_no: str,
    ground: str,
    by: User,
    months: int | None = None,
) -> BenefitDecision:
    """Let a benefit go on for a limited time after work raised the income above the standard (渐退期).

    The sum of the month before goes on; refused above the pack's multiple of the standard (default 2 ×).
    """
    begins = next_month(decided_on)
    before = standing(household_no, benefit, shift(begins, -1))
    if before is None:
        raise StepRefused(
            f"{household_no} 没有正在享受的{rules.benefit(benefit).label}，不能渐退。", "Nothing to taper."
        )
    require(by, Act.DECIDE_BENEFIT, region_code=before.region_code)
    take_turn()
    length = rules.taper_months if months is None else months
    if not 0 < length <= rules.taper_longest:
        raise StepRefused(
            f"渐退期最长 {rules.taper_longest} 个月。", f"A tail lasts {rules.taper_longest} months at most."
        )
    standard = numbers.get(rules.benefit(benefit).standard, before.region_code, before.urban_rural, begins)
    factor = numbers.get(rules.taper_factor, before.region_code, before.urban_rural, begins)
    if standard is None or factor is None:
        raise StepRefused("政策包里没有低保标准或渐退倍数。", "The pack lacks the standard or the multiple.")
    if not standard.value <= per_capita_income_fen <= standard.value * factor.value:
        raise StepRefused(
            f"渐退要求人均月收入达到标准 {standard.text}、不超过它的 {factor.text}；现为 {show_yuan(per_capita_income_fen)}。",
            "A tail asks for an income from the standard up to its multiple.",
        )
    sum_before = due(rules, numbers, before.claim, shift(begins, -1)).fen
    asked = BenefitDecision(
        source=f"{decision_no.strip()}:{household_no}:{benefit}:taper:{begins:%Y%m}",
        kind=Kind.TAPER,
        benefit=benefit,
        household_no=household_no,
        region_code=before.region_code,
        urban_rural=before.urban_rural,
        people=before.people,
        per_capita_fen=per_capita_income_fen,
        band=before.band,
        fixed_fen=sum_before,
        single=before.single,
        decided_on=decided_on,
        decision_no=decision_no.strip(),
        starts_on=begins,
        ends_on=shift(begins, length - 1),
        ground=ground.strip(),
    )
    return _same(asked) or _written(asked, by=by)


@transaction.atomic
def reverse_decision(number: str, *, decision_no: str, ground: str, by: User) -> BenefitDecision:
    """Undo a decision as if it had never been (撤销); months already paid by it become 补发 or 扣回."""
    take_turn()
    found = decision_of(number, by=by)
    require(by, Act.DECIDE_BENEFIT, region_code=found.region_code)
    if found.kind == Kind.REVERSE:
        raise StepRefused("撤销决定本身不能再撤销，请另作决定。", "A reversal is not reversed; decide anew.")
    if len(ground.strip()) < 4 or not decision_no.strip():
        raise StepRefused("请写明撤销的文号和理由。", "Give the document and the ground.")
    standing_reversal = BenefitDecision.objects.filter(reverses=found).first()
    if standing_reversal is not None:
        return standing_reversal
    asked = BenefitDecision(
        source=f"reverse:{found.number}",
        kind=Kind.REVERSE,
        reverses=found,
        decided_on=timezone.localdate(),
        decision_no=decision_no.strip(),
        ground=ground.strip(),
        **{
            name: getattr(found, name)
            for name in ("benefit", "household_no", "region_code", "urban_rural", "starts_on")
        },
    )
    return _written(asked, by=by)


def explained(decision: BenefitDecision, month: date, *, rules: BenefitRules, numbers: Numbers) -> Due:
    """What a decision makes due in a month, line by line, with who is still counted."""
    stops = list(PaymentStop.objects.filter(household_no=decision.household_no))
    kept = registry.kept_persons(one.person_id for one in decision.recipients)
    recipients = as_kept(decision.recipients, kept)
    people = registry.people_briefs(one.person_id for one in recipients)
    counted, _left = applicable(decision, month, stops, people, recipients)
    return due(rules, numbers, decision.claim, month, recipients=counted)


# ---- opening the books ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Opened:
    """What opening the books recorded: decisions by benefit, households without an income, or above the standard."""

    recorded: Mapping[str, int]
    no_income: tuple[str, ...]
    above: tuple[str, ...]


@transaction.atomic
def open_books(
    *,
    rules: BenefitRules,
    numbers: Numbers,
    region_code: str,
    month: date,
    incomes: Mapping[str, int],
    decision_no: str,
    by: User,
) -> Opened:
    """Take the registry's present recipients over as decisions that begin in ``month`` (开账); again: only the new ones.

    ``incomes`` maps household numbers to the per-capita monthly income in fen as last reckoned; a household without one
    is named, not guessed. Elderly and minors follow from birth dates; other special needs are entered by change.
    """
    require(by, Act.DECIDE_BENEFIT, region_code=region_code)
    take_turn()
    begins = first_of(month)
    counts: dict[str, int] = {}
    no_income: list[str] = []
    above: list[str] = []
    made: list[BenefitDecision] = []
    known = set(
        BenefitDecision.objects.filter(region_code__startswith=region_code).values_list("source", flat=True)
    )
    for chosen in rules.benefits.values():
        if not chosen.category or not chosen.monthly:
            continue
        for found in registry.recipients(chosen.category, region_code=region_code, on=begins):
            number = found.household.household_no
            source = f"opening:{chosen.code}:{number}"
            if source in known:
                continue
            if not chosen.of_person and number not in incomes:
                no_income.append(number)
                continue
            decision = _opening(chosen.code, source, found, begins, incomes.get(number, 0), decision_no, by)
            if due(rules, numbers, decision.claim, begins, explain=False).fen == 0:
                above.append(number)
                continue
            made.append(decision)
            counts[chosen.code] = counts.get(chosen.code, 0) + 1
    start = BenefitDecision.objects.count()
    for place, decision in enumerate(made, start + 1):
        decision.number = f"DY{begins:%Y%m}-{place:06d}"
    BenefitDecision.objects.bulk_create(made, batch_size=500)
    record(
        by=by,
        act="open_books",
        region_code=region_code,
        detail={"month": begins, "recorded": counts, "no_income": len(no_income), "above": len(above)},
    )
    return Opened(counts, tuple(no_income), tuple(above))


def _opening(
    code: str,
    source: str,
    found: registry.RecipientHousehold,
    begins: date,
    income_fen: int,
    decision_no: str,
    by: User,
) -> BenefitDecision:
    return BenefitDecision(
        source=source,
        kind=Kind.GRANT,
        benefit=code,
        household_no=found.household.household_no,
        region_code=found.household.responsible_region,
        urban_rural=found.household.urban_rural,
        people=_people(
            [Recipient(one.person_id, needs=tuple(needs_by_age(one, begins))) for one in found.people]
        ),
        per_capita_fen=income_fen,
        decided_on=shift(begins, -1),
        decision_no=decision_no,
        starts_on=begins,
        opening=True,
        ground="开账：沿用花名册现有类别",
        recorded_by=by.username,
    )


def needs_by_age(one: registry.PersonBrief, on: date) -> Iterator[str]:
    if one.born_on is None:
        return
    age = relativedelta(on, one.born_on).years
    if age >= 60:
        yield "elderly"
    elif age < 18:
        yield "minor"


def claims_of(rows: Iterable[BenefitDecision]) -> dict[str, Claim]:
    """The facts of decisions by their number."""
    return {row.number: row.claim for row in rows if row.kind in _GIVING}
