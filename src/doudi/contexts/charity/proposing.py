"""Who should serve whom (供需匹配): the open needs and running projects of a county go to the engine, a person decides.

Order: urgency, gap to income, waiting; restricted money first where it can. The same lists give the same proposal.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.charity.claims import hold
from doudi.contexts.charity.conditions import Condition, Left, barred_pairs, conditions, left_of, most_to_give
from doudi.contexts.charity.errors import NeedNotFound, StepRefused
from doudi.contexts.charity.models import Claim, MatchRun, Need, Project, Proposal
from doudi.contexts.charity.needs import need_of
from doudi.contexts.charity.projects import projects
from doudi.contexts.charity.telling import tell_held
from doudi.contexts.registry import services as registry
from doudi.engine import matching
from doudi.engine.matching.offers import built_in_fit
from doudi.engine.money import show_yuan
from doudi.engine.packs.linking import LinkageRules

TIME_LIMIT = 10.0


@transaction.atomic
def propose(*, rules: LinkageRules, by: User) -> MatchRun:
    """Reckon anew for the asker's area; undecided proposals of earlier runs become stale."""
    require(by, Act.MATCH_NEEDS)
    take_turn()
    today = timezone.localdate()
    waiting = [
        need
        for need in Need.objects.consented(today)
        .filter(status=Need.Status.PUBLISHED, region_code__startswith=by.region_code)
        .order_by("code")
        if need.gap_fen is None or need.gap_fen > 0
    ]
    running = list(
        Project.objects.filter(
            Q(ends_on=None) | Q(ends_on__gte=today),
            status=Project.Status.OPEN,
            starts_on__lte=today,
            organisation__closed_on=None,
            organisation__region_code__startswith=by.region_code[:6],
        )
        .select_related("organisation")
        .order_by("number")
    )
    left, tied = left_of(running), barred_pairs(waiting, running)
    found = _reckon(waiting, running, left, tied, rules)
    by_code, by_number = {need.code: need for need in waiting}, {one.number: one for one in running}
    for pair in found.pairs:
        left[by_number[pair.project].pk] = _less(left[by_number[pair.project].pk], pair.amount or 0)
    alone = dict(found.why_unserved())
    shared = _in_parts([by_code[code] for code in alone], running, left, tied, rules)
    given: Counter[str] = Counter()
    for part in shared:
        given[part.need.code] += part.amount_fen or 0
    earlier = MatchRun.objects.filter(number__startswith=f"PP{today:%Y%m%d}").count()
    run = MatchRun.objects.create(
        number=f"PP{today:%Y%m%d}-{earlier + 1:02d}",
        region_code=by.region_code,
        run_by=by.username,
        needs=len(waiting),
        projects=len(running),
        optimal=found.optimal,
        served={str(tier): count for tier, count in found.served_by_tier.items()},
        unserved=[
            {"need": code, "why": _in_words(why, rules)}
            for code, why in alone.items()
            if code not in given or given[code] < (by_code[code].gap_fen or 0)
        ],
    )
    Proposal.objects.filter(
        status=Proposal.Status.PROPOSED, run__region_code__startswith=by.region_code
    ).update(status=Proposal.Status.STALE)
    whole = [
        Proposal(
            run=run,
            need=by_code[pair.need],
            project=by_number[pair.project],
            amount_fen=pair.amount,
            fit=pair.fit,
            why=_in_words(why, rules),
        )
        for pair, why in found.why_served()
    ]
    for part in shared:
        part.run = run
    Proposal.objects.bulk_create([*whole, *shared])
    record(
        by=by, act=Act.MATCH_NEEDS, subject=f"match:{run.number}", region_code=by.region_code,
        detail={"needs": len(waiting), "projects": len(running), "pairs": len(found.pairs), "parts": len(shared), "optimal": found.optimal},
    )  # fmt: skip
    return run


def _less(left: Left, fen: int) -> Left:
    """What a project has left after one more gift."""
    return Left(
        None if left.fen is None else max(0, left.fen - fen),
        None if left.places is None else max(0, left.places - 1),
    )


def _in_parts(
    left_over: list[Need],
    running: list[Project],
    left: dict[int, Left],
    tied: set[tuple[int, int]],
    rules: LinkageRules,
) -> list[Proposal]:
    """What no project can give alone, shared among several, each up to its own sum (分担); ``left`` goes down with it.

    The most urgent and longest waiting first; of the projects the narrowest first, so that free money stays for others.
    """
    today, found = timezone.localdate(), []
    narrow = sorted(
        running, key=lambda one: (not one.kinds, not one.groups, len(one.regions) != 1, one.number)
    )
    queue = sorted(left_over, key=lambda need: (need.tier, need.published_on or today, need.code))
    for need in queue:
        gap = need.gap_fen
        if need.whole or not gap:
            continue
        parts: list[tuple[Project, int]] = []
        for one in narrow:
            room = left[one.pk]
            if room.fen == 0 or room.places == 0 or (one.kinds and need.kind not in one.kinds):
                continue
            if all(
                part.holds
                for part in conditions(
                    need, one, left=room, is_barred=(one.pk, need.pk) in tied, rules=rules, on=today
                )
            ):
                fen = min(gap, most_to_give(need, one, room) or 0)
                parts.append((one, fen))
                gap -= fen
            if not gap:
                break
        for one, fen in parts:
            left[one.pk] = _less(left[one.pk], fen)
            rest = f"还缺 {show_yuan(gap)}" if gap else "合起来给足"
            found.append(
                Proposal(
                    need=need, project=one, amount_fen=fen, fit=0.0,
                    why=f"没有一个项目能单独给足，{len(parts)} 个项目分担，{rest}"
                    f" / no project can give it alone; {len(parts)} share it, {gap} fen still missing",
                )
            )  # fmt: skip
    return found


def _reckon(
    waiting: list[Need],
    running: list[Project],
    left: dict[int, Left],
    tied: set[tuple[int, int]],
    rules: LinkageRules,
) -> matching.Assignment:
    today = timezone.localdate()
    asking = [
        matching.Need(
            id=need.code,
            tier=need.tier,
            amount=need.gap_fen,
            region=need.lives_in or need.region_code,
            kind=need.kind,
            group=need.group,
            waiting_days=(today - need.published_on).days if need.published_on else 0,
            gap_to_income=need.gap_fen / need.income_fen if need.gap_fen and need.income_fen else None,
        )
        for need in waiting
    ]
    offering = [
        matching.Project(
            id=one.number,
            places=left[one.pk].places,
            budget=left[one.pk].fen,
            region=one.regions[0] if len(one.regions) == 1 else "",
            kinds=frozenset(one.kinds),
            groups=frozenset(one.groups),
            interested_persons=frozenset(need.code for need in waiting if (one.pk, need.pk) in tied),
        )
        for one in running
    ]
    if all(len(one.regions) <= 1 and one.most_fen is None for one in running):
        return matching.match(asking, offering, time_limit=TIME_LIMIT)
    # several areas, or a most for each household: the pairs are listed one by one
    pairs = [
        (at, to, built_in_fit(offering[to]))
        for at, need in enumerate(waiting)
        for to, one in enumerate(running)
        if all(
            condition.holds
            for condition in conditions(
                need, one, left=left[one.pk], is_barred=(one.pk, need.pk) in tied, rules=rules, on=today
            )
        )
        and most_to_give(need, one, left[one.pk]) == need.gap_fen
    ]
    table = np.array(pairs, dtype=np.int64).reshape(len(pairs), 3)
    offers = matching.listed_offers(asking, offering, table[:, 0], table[:, 1], table[:, 2])
    return matching.match(asking, offering, offers, time_limit=TIME_LIMIT)


def _in_words(why: str, rules: LinkageRules) -> str:
    """The engine's sentence with the pack's words for its codes, each half in its own language."""
    zh, slash, en = why.partition(" / ")
    for term in (*rules.kinds.values(), *rules.groups.values()):
        zh, en = (
            zh.replace(f"“{term.code}”", f"“{term.label}”"),
            en.replace(f"“{term.code}”", f"“{term.label_en}”"),
        )
    return f"{zh}{slash}{en}"


def runs(*, by: User) -> QuerySet[MatchRun]:
    """The reckonings of the area, newest first."""
    require(by, Act.MATCH_NEEDS)
    return MatchRun.objects.filter(region_code__startswith=by.region_code)


def run_of(number: str, *, by: User) -> MatchRun:
    """One reckoning of the area, or :class:`NeedNotFound`."""
    found = runs(by=by).filter(number=number).first()
    if found is None:
        raise NeedNotFound(f"没有找到匹配 {number}。", f"No match {number} in your area.")
    return found


def _proposal(pk: int, by: User) -> Proposal:
    take_turn()
    found = (
        Proposal.objects.select_related("run", "need", "project__organisation")
        .filter(pk=pk, run__region_code__startswith=by.region_code)
        .first()
    )
    if found is None:
        raise NeedNotFound("没有找到这条匹配建议。", "No such proposal in your area.")
    require(by, Act.MATCH_NEEDS, region_code=found.need.region_code)
    registry.refuse_own_record(f"need:{found.need.code}", by=by, household_no=found.need.household_no)
    return found


@transaction.atomic
def accept_proposal(pk: int, *, rules: LinkageRules, by: User) -> Claim:
    """Accept a pair: the need is held for the project's body, which grants it or sends it back (采纳)."""
    found = _proposal(pk, by)
    standing = Claim.objects.filter(proposal=found).first()
    if standing is not None:
        return standing
    if found.status != Proposal.Status.PROPOSED:
        raise StepRefused(
            f"建议现为“{found.get_status_display()}”，请重新匹配。",
            f"The proposal is {found.status}; match anew.",
        )
    claim = hold(found.need, found.project, proposal=found, rules=rules, by=by)
    Proposal.objects.filter(pk=pk).update(
        status=Proposal.Status.ACCEPTED, decided_by=by.username, decided_at=timezone.now()
    )
    tell_held(claim)
    return claim


@transaction.atomic
def refuse_proposal(pk: int, *, ground: str, by: User) -> Proposal:
    """Do not accept a pair, with the reason (不采纳)."""
    found = _proposal(pk, by)
    if len(ground.strip()) < 4:
        raise StepRefused("请写明不采纳的理由（至少四个字）。", "State the reason.")
    if not Proposal.objects.filter(pk=pk, status=Proposal.Status.PROPOSED).update(
        status=Proposal.Status.REFUSED,
        ground=ground.strip()[:300],
        decided_by=by.username,
        decided_at=timezone.now(),
    ):
        raise StepRefused("这条建议已有决定。", "The proposal is decided already.", code="already_decided")
    record(
        by=by, act=Act.MATCH_NEEDS, subject=f"need:{found.need.code}", region_code=found.need.region_code,
        reason=ground, detail={"step": "refuse_proposal", "project": found.project.number},
    )  # fmt: skip
    found.refresh_from_db()
    return found


@dataclass(frozen=True)
class PairExplained:
    """One project beside a need: whether it may serve, every condition, the most it may give."""

    project: Project
    fits: bool
    conditions: tuple[Condition, ...]
    most_fen: int | None


def explain_pairs(number: str, *, rules: LinkageRules, by: User) -> list[tuple[Proposal, list[Condition]]]:
    """Each pair of a reckoning with every condition as it stands now; needs of kin are somebody else's to decide."""
    there = registry.but_own(run_of(number, by=by).proposals.all(), by=by, household="need__household_no")
    pairs = list(there.select_related("need", "project__organisation"))
    beside = {pair.project_id: pair.project for pair in pairs}
    left = left_of(beside.values())
    tied = barred_pairs({pair.need_id: pair.need for pair in pairs}.values(), beside.values())
    today = timezone.localdate()
    return [
        (
            pair,
            conditions(
                pair.need,
                pair.project,
                left=left[pair.project_id],
                is_barred=(pair.project_id, pair.need_id) in tied,
                rules=rules,
                on=today,
            ),
        )
        for pair in pairs
    ]


def left_over(number: str, *, by: User) -> list[dict[str, str]]:
    """The needs that a reckoning served by nothing, each ``need`` with its ``why``; without those of kin."""
    rows = run_of(number, by=by).unserved
    there = Need.objects.filter(code__in=[row["need"] for row in rows])
    shown = set(registry.but_own(there, by=by, household="household_no").values_list("code", flat=True))
    return [row for row in rows if row["need"] in shown]


def why_each(code: str, *, rules: LinkageRules, by: User) -> list[PairExplained]:
    """Every project beside a need: why this, why not that; those that fit first (逐项说明).

    An office sees all projects of its county, a body its own.
    """
    need = need_of(code, by=by)
    beside = list(projects(by=by).exclude(status=Project.Status.ENDED))
    left, tied = left_of(beside), barred_pairs([need], beside)
    today = timezone.localdate()
    found = []
    for one in beside:
        said = tuple(
            conditions(
                need, one, left=left[one.pk], is_barred=(one.pk, need.pk) in tied, rules=rules, on=today
            )
        )
        found.append(
            PairExplained(one, all(part.holds for part in said), said, most_to_give(need, one, left[one.pk]))
        )
    return sorted(found, key=lambda row: (not row.fits, row.project.number))
