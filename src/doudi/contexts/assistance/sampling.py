"""The county's random sample of what townships decided on its delegation (县级抽查): seeded, documented, repeatable.

The population is fixed first and its digest goes into the ranking with a seed drawn afterwards, so that nobody can
choose whom it hits; with the record anybody can draw it again.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Sequence
from datetime import date
from fractions import Fraction

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.application_models import Decision, SampleDraw, SampleResult
from doudi.contexts.assistance.errors import StepRefused
from doudi.engine.packs.procedures import Procedures


def drawn(population: Sequence[str], *, seed: str, share: Fraction, least: int) -> list[str]:
    """Which of a population a seed hits: ranked by SHA-256 of population digest, seed and number; the first count."""
    ordered = sorted(set(population))
    digest = hashlib.sha256("\n".join(ordered).encode()).hexdigest()
    count = min(len(ordered), max(least, math.ceil(share * len(ordered))))
    ranked = sorted(
        ordered, key=lambda number: hashlib.sha256(f"{digest}:{seed}:{number}".encode()).hexdigest()
    )
    return sorted(ranked[:count])


@transaction.atomic
def draw_sample(*, first: date, last: date, rules: Procedures, by: User) -> SampleDraw:
    """Draw the sample of a period's delegated decisions in the county; the same period is drawn once."""
    require(by, Act.DRAW_SAMPLE)
    take_turn()
    if first > last or last > timezone.localdate():
        raise StepRefused("请填写已过去的一段日期。", "Give a period that has passed.")
    again = SampleDraw.objects.filter(region_code=by.region_code, first=first, last=last).first()
    if again is not None:
        return again
    population = list(
        Decision.objects.filter(
            region_code__startswith=by.region_code, delegated=True, decided_on__range=(first, last)
        )
        .order_by("number")
        .values_list("number", flat=True)
    )
    if not population:
        raise StepRefused("这段时间没有乡镇受委托确认的决定。", "No delegated decision in that period.")
    seed = secrets.token_hex(16)
    made = SampleDraw.objects.create(
        number=f"CC{first:%Y%m%d}-{last:%Y%m%d}-{by.region_code}",
        region_code=by.region_code,
        first=first,
        last=last,
        population=population,
        share=str(rules.sample_share),
        seed=seed,
        chosen=drawn(population, seed=seed, share=rules.sample_share, least=rules.sample_least),
        drawn_by=by.username,
    )
    record(
        by=by,
        act=Act.DRAW_SAMPLE,
        subject=f"draw:{made.number}",
        region_code=by.region_code,
        detail={"population": len(population), "chosen": made.chosen, "seed": seed},
    )
    return made


@transaction.atomic
def record_sample_result(
    draw_number: str, decision_number: str, *, correct: bool, findings: str, checked_on: date, by: User
) -> SampleResult:
    """Record what the county found at a sampled household; who decided does not check the decision."""
    require(by, Act.DRAW_SAMPLE)
    take_turn()
    draw = samples(by=by).filter(number=draw_number).first()
    if draw is None or decision_number not in draw.chosen:
        raise StepRefused("这项决定没有被抽中。", "That decision is not in the sample.")
    if draw.results.filter(decision_number=decision_number).exists():
        raise StepRefused("这项决定的抽查结果已登记。", "Its result is recorded already.")
    decided = Decision.objects.get(number=decision_number)
    if by.username == decided.decided_by:
        raise StepRefused(
            "作决定的人不抽查自己的决定。", "Who decided does not check it.", code="same_person"
        )
    if len(findings.strip()) < 4 or not draw.first <= checked_on <= timezone.localdate():
        raise StepRefused("请写明抽查情况和日期。", "Write what was found and when.")
    made = SampleResult.objects.create(
        draw=draw,
        decision_number=decision_number,
        correct=correct,
        findings=findings.strip(),
        checked_on=checked_on,
        checked_by=by.username,
    )
    record(
        by=by,
        act=Act.DRAW_SAMPLE,
        subject=f"household:{decided.household_no}",
        region_code=decided.region_code,
        detail={"sample": draw_number, "decision": decision_number, "correct": correct},
    )
    return made


def samples(*, by: User) -> QuerySet[SampleDraw]:
    """Samples of the area, newest first."""
    require(by, Act.DRAW_SAMPLE)
    return SampleDraw.objects.filter(region_code__startswith=by.region_code)
