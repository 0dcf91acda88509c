"""The county's random sample of what townships decided on its delegation (县级抽查): seeded, documented, repeatable.

The population is fixed first and its digest goes into the ranking with a seed drawn afterwards, so that nobody can
choose whom it hits; with the record anybody can draw it again. Each household it hits is a visit of one county officer,
who did not decide it, with a day by which it is done.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Sequence
from datetime import date, datetime, time
from fractions import Fraction

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Role, User, record, require, take_turn
from doudi.contexts.assistance.application_models import (
    Decision,
    SampleDraw,
    SampleResult,
    SampleVisit,
)
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
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
    _give_out(made, rules)
    return made


def _give_out(draw: SampleDraw, rules: Procedures) -> None:
    """Each sampled household to the county officer with the fewest open ones who did not decide it."""
    noon = timezone.make_aware(datetime.combine(timezone.localdate(), time(12)))
    due = rules.sample_limit.due_on(noon)
    officers = [one.username for one in monitoring.people(Role.COUNTY, draw.region_code)]
    waiting = {name: SampleVisit.objects.filter(assigned_to=name, done_on=None).count() for name in officers}
    for decided in Decision.objects.filter(number__in=draw.chosen).order_by("number"):
        free = sorted(
            (name for name in officers if name != decided.decided_by), key=lambda n: (waiting[n], n)
        )
        to = free[0] if free else ""
        visit = SampleVisit.objects.create(
            draw=draw, decision_number=decided.number, assigned_to=to, due_on=due
        )
        if to:
            waiting[to] += 1
        _tell(visit, "given")


def _tell(visit: SampleVisit, what: str) -> int:
    zh, en = {
        "given": (f"由您办理，{visit.due_on} 前完成。", f"is yours to visit by {visit.due_on}."),
        "late": (f"已超期（{visit.due_on}）。", f"was to be visited by {visit.due_on}."),
    }[what]
    mine = [
        one
        for one in monitoring.people(Role.COUNTY, visit.draw.region_code)
        if one.username == visit.assigned_to or not visit.assigned_to
    ]
    link = f"/window/samples/{visit.draw.number}/"
    return monitoring.tell(
        mine,
        monitoring.Word(
            "sample",
            f"抽查入户 {visit.decision_number} {zh}",
            f"The sampled {visit.decision_number} {en}",
            link,
        ),
        key=f"sample:{visit.pk}:{visit.assigned_to}:{what}",
    )


@transaction.atomic
def assign_sample(draw_number: str, decision_number: str, *, to: str, by: User) -> SampleVisit:
    """Give a sampled household to another officer of the county (改派); its day stays."""
    require(by, Act.DRAW_SAMPLE)
    take_turn()
    visit = sample_visits(by=by).filter(draw__number=draw_number, decision_number=decision_number).first()
    if visit is None or visit.done_on is not None:
        raise StepRefused("这项抽查不在待办里。", "That visit is not open.")
    decided = Decision.objects.get(number=decision_number)
    officers = {one.username for one in monitoring.people(Role.COUNTY, visit.draw.region_code)}
    if to not in officers or to == decided.decided_by:
        raise StepRefused(
            "请选择本县另一名经办，作决定的人不抽查自己的决定。",
            "Choose a county officer who did not decide it.",
            code="sample_officer",
        )
    SampleVisit.objects.filter(pk=visit.pk).update(assigned_to=to)
    visit.assigned_to = to
    _tell(visit, "given")
    record(
        by=by,
        act=Act.DRAW_SAMPLE,
        subject=f"household:{decided.household_no}",
        region_code=decided.region_code,
        detail={"sample": draw_number, "decision": decision_number, "assigned_to": to},
    )
    return visit


def sample_officers(draw: SampleDraw, *, by: User) -> list[tuple[str, str]]:
    """Account and name of the county officers who may be given a visit of a sample."""
    require(by, Act.DRAW_SAMPLE, region_code=draw.region_code)
    return [(one.username, one.display_name) for one in monitoring.people(Role.COUNTY, draw.region_code)]


def sample_visits(*, by: User, open_only: bool = False, mine: bool = False) -> QuerySet[SampleVisit]:
    """Visits of the area's samples, the one due first on top."""
    require(by, Act.DRAW_SAMPLE)
    found = SampleVisit.objects.filter(draw__region_code__startswith=by.region_code).select_related("draw")
    if open_only:
        found = found.filter(done_on=None)
    return found.filter(assigned_to=by.username) if mine else found


@transaction.atomic
def remind_samples(*, today: date | None = None) -> int:
    """Tell who is late with a sampled household, each once; returns how many were told (到期任务)."""
    late = SampleVisit.objects.filter(done_on=None, due_on__lt=today or timezone.localdate()).select_related(
        "draw"
    )
    return sum(_tell(one, "late") for one in late)


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
    registry.refuse_own_file(decided.household_no, by=by)
    visit = draw.visits.filter(decision_number=decision_number).first()
    if visit is not None and visit.assigned_to not in ("", by.username):
        raise StepRefused(
            f"这户由 {visit.assigned_to} 抽查。请由其登记，或先改派。",
            f"{visit.assigned_to} visits this household; let them record it, or give it to another first.",
            code="not_assigned",
        )
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
    draw.visits.filter(decision_number=decision_number).update(
        done_on=timezone.localdate(), assigned_to=by.username
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
