"""Recipients are looked at again by kind and rhythm (定期复查); an exit is heard first and decided by another person.

Work that was refused is counted: the pack's number of times in a row without a good reason proposes a review of that
person (社会救助暂行办法 第四十五条). Nothing is reduced by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.benefit_models import BenefitDecision
from doudi.contexts.assistance.benefits import record_decision
from doudi.contexts.assistance.entitlement import in_force
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.outcome_models import Review, WorkRefusal
from doudi.contexts.assistance.rosters import SamePerson
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules, Numbers, first_of, next_month
from doudi.engine.errors import DoudiError

Status, Result = Review.Status, Review.Result
AHEAD = timedelta(days=30)
"""A review is opened so long before it is due."""
REFUSED_WORK = "refusal"


class ReviewNotFound(DoudiError):
    """No such review in the asker's area."""

    code = "review_not_found"


@transaction.atomic
def open_reviews(rules: BenefitRules, *, today: date | None = None) -> int:
    """Open the reviews that come due within a month, for the office's worker; returns how many. Again: only new ones."""
    take_turn()
    now = today or timezone.localdate()
    reviewed = _last_reviews()
    made = [
        review for rows in _by_household() if (review := _due_review(rules, rows, now, reviewed)) is not None
    ]
    known = set(Review.objects.exclude(status=Status.DONE).values_list("source", flat=True))
    known |= set(
        Review.objects.filter(due_on__gte=now - timedelta(days=800)).values_list("source", flat=True)
    )
    fresh = [one for one in made if one.source not in known]
    Review.objects.bulk_create(fresh, batch_size=500)
    return len(fresh)


def _last_reviews() -> dict[tuple[str, str], date]:
    """Household and benefit → when a review was last finished."""
    done = Review.objects.filter(status=Status.DONE, reviewed_on__isnull=False).exclude(rhythm=REFUSED_WORK)
    rows = done.order_by().values_list("household_no", "benefit").annotate(on=Max("reviewed_on"))
    return {(number, benefit): on for number, benefit, on in rows}


def _by_household() -> Iterator[list[BenefitDecision]]:
    gathered: list[BenefitDecision] = []
    found = BenefitDecision.objects.order_by("household_no", "benefit", "starts_on", "pk")
    for row in found.iterator(chunk_size=5000):
        if gathered and (gathered[0].household_no, gathered[0].benefit) != (row.household_no, row.benefit):
            yield gathered
            gathered = []
        gathered.append(row)
    if gathered:
        yield gathered


def rhythm_of(rules: BenefitRules, decision: BenefitDecision) -> str:
    """特困 by its own rhythm; a household of people who cannot work is steady, any other is looked at twice a year."""
    if decision.benefit in rules.rhythms:
        return decision.benefit
    recipients = decision.recipients
    return "steady" if recipients and all(one.needs for one in recipients) else "irregular"


def _due_review(
    rules: BenefitRules, rows: list[BenefitDecision], now: date, reviewed: dict[tuple[str, str], date]
) -> Review | None:
    benefit = rules.benefits.get(rows[0].benefit)
    standing = in_force(rows, first_of(now)) if benefit is not None and benefit.monthly else None
    if standing is None:
        return None
    rhythm = rules.rhythms.get(rhythm_of(rules, standing))
    if rhythm is None:
        return None
    last = reviewed.get((standing.household_no, standing.benefit))
    since = max(last or standing.decided_on, standing.decided_on)
    due = since + relativedelta(months=rhythm.months)
    if due - AHEAD > now:
        return None
    return Review(
        source=f"review:{standing.benefit}:{standing.household_no}:{due}",
        household_no=standing.household_no,
        region_code=standing.region_code,
        benefit=standing.benefit,
        rhythm=rhythm.code,
        due_on=due,
        status=Status.DUE,
    )


def reviews(*, by: User, state: str = "", region_code: str = "") -> Any:
    """Reviews of the asker's area: ``due``, ``late``, ``hearing``, ``done``; empty: all."""
    require(by, Act.VIEW_ROSTERS)
    found = registry.but_own(Review.objects.all().visible_to(by), by=by, household="household_no")
    if state == "late":
        found = found.filter(status=Status.DUE, due_on__lt=timezone.localdate())
    elif state:
        found = found.filter(status=state)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    return found.order_by("due_on", "pk")


def review_of(pk: int, *, by: User) -> Review:
    """One review within the asker's area, or :class:`ReviewNotFound`."""
    require(by, Act.VIEW_ROSTERS)
    found: Review | None = Review.objects.all().visible_to(by).filter(pk=pk).first()
    if found is None:
        raise ReviewNotFound("没有找到这次复查，或不在您的辖区。", "No such review in your area.")
    registry.refuse_own_file(found.household_no, by=by)
    return found


def _step(pk: int, by: User, act: Act, status: str) -> Review:
    take_turn()
    found = review_of(pk, by=by)
    require(by, act, region_code=found.region_code)
    if found.status != status:
        raise StepRefused(
            f"这次复查现为“{found.get_status_display()}”，不能办这一步。", f"The review is {found.status}."
        )
    return found


def _log(found: Review, by: User, step: str) -> None:
    record(
        by=by,
        act=Act.REVIEW_BENEFIT,
        subject=f"household:{found.household_no}",
        region_code=found.region_code,
        detail={"review": found.pk, "step": step, "result": found.result},
    )


@transaction.atomic
def record_review(pk: int, *, result: str, finding: str, reviewed_on: date, by: User) -> Review:
    """Record what a review found: it goes on, its sum changes (by a decision of its own), or the exit is proposed."""
    found = _step(pk, by, Act.REVIEW_BENEFIT, Status.DUE)
    if result not in Result.values:
        raise StepRefused("请选择复查结果。", f"Choose a result: {', '.join(Result.values)}.")
    if len(finding.strip()) < 6:
        raise StepRefused("请写明复查情况（至少六个字）。", "Say what was found.")
    if reviewed_on > timezone.localdate():
        raise StepRefused("复查日期不能晚于今天。", "The review lies in the future.")
    found.result, found.finding = result, finding.strip()
    found.reviewed_on, found.reviewed_by = reviewed_on, by.username
    found.status = Status.HEARING if result == Result.EXIT else Status.DONE
    found.save()
    _log(found, by, "review")
    return found


@transaction.atomic
def record_hearing(pk: int, *, heard_on: date, heard: str, by: User) -> Review:
    """Record what the family said before an exit is decided (听取陈述); one that would not speak is recorded so."""
    found = _step(pk, by, Act.REVIEW_BENEFIT, Status.HEARING)
    if len(heard.strip()) < 2:
        raise StepRefused("请写明家庭的陈述；拒绝陈述的也写明。", "Say what the family said.")
    if found.reviewed_on is not None and not found.reviewed_on <= heard_on <= timezone.localdate():
        raise StepRefused(
            "听取陈述应在复查之后、今天之前。", "The hearing lies between the review and today."
        )
    found.heard_on, found.heard = heard_on, heard.strip()
    found.save()
    _log(found, by, "hearing")
    return found


@transaction.atomic
def decide_exit(
    pk: int, *, agree: bool, decision_no: str, by: User, rules: BenefitRules, numbers: Numbers
) -> Review:
    """Another person decides on a proposed exit after the hearing: the benefit stops from the next month, or goes on."""
    found = _step(pk, by, Act.DECIDE_BENEFIT, Status.HEARING)
    if found.reviewed_by == by.username:
        raise SamePerson("退出须由复查人以外的人决定。", "Who reviewed does not decide on the exit.")
    if found.heard_on is None:
        raise StepRefused("还没有听取家庭陈述，不能决定退出。", "The family has not been heard.")
    if agree:
        today = timezone.localdate()
        standing = BenefitDecision.objects.filter(household_no=found.household_no, benefit=found.benefit)
        last = in_force(list(standing.order_by("starts_on", "pk")), next_month(today))
        if last is None:
            raise StepRefused("这户已不享受该待遇。", "The household no longer receives it.")
        stop = record_decision(
            rules=rules,
            numbers=numbers,
            kind="stop",
            benefit=found.benefit,
            household_no=found.household_no,
            region_code=last.region_code,
            urban_rural=last.urban_rural,
            decided_on=today,
            decision_no=decision_no,
            source=f"exit:{found.pk}",
            ground=f"复查退出：{found.finding}",
            by=by,
        )
        found.decision = stop.number
    else:
        found.result = Result.KEEP
    found.status, found.decided_by = Status.DONE, by.username
    found.save()
    _log(found, by, "decision")
    return found


# ---- work that was offered --------------------------------------------------------------------------------------------


@transaction.atomic
def record_offer(
    *,
    household_no: str,
    person_id: int,
    offered_on: date,
    job: str,
    accepted: bool,
    justified: bool,
    reason: str,
    rules: BenefitRules,
    by: User,
) -> WorkRefusal:
    """Record suitable work that was offered (介绍工作), accepted or refused; enough refusals in a row propose a review."""
    home = registry.household(household_no, by=by)
    require(by, Act.REVIEW_BENEFIT, region_code=home.responsible_region)
    take_turn()
    if person_id not in {one.person_id for one in registry.counted_members(household_no)}:
        raise StepRefused("这个人不是该户共同生活的成员。", "Not a member of this household.")
    if not job.strip() or offered_on > timezone.localdate():
        raise StepRefused(
            "请填写岗位，介绍日期不能晚于今天。", "Give the job; the offer is not in the future."
        )
    if not accepted and len(reason.strip()) < 2:
        raise StepRefused("拒绝的请写明理由；没有理由的写“无”以外的说明。", "Say why it was refused.")
    offer, fresh = WorkRefusal.objects.get_or_create(
        person_id=person_id,
        offered_on=offered_on,
        job=job.strip()[:120],
        defaults={
            "household_no": household_no,
            "region_code": home.responsible_region,
            "reason": reason.strip()[:200],
            "justified": justified,
            "accepted": accepted,
            "recorded_by": by.username,
        },
    )
    if fresh:
        record(
            by=by,
            act=Act.REVIEW_BENEFIT,
            subject=f"household:{household_no}",
            region_code=home.responsible_region,
            detail={"offer": offer.pk, "accepted": accepted, "justified": justified},
        )
        _propose_after(offer, rules)
    return offer


def refusals_in_a_row(person_id: int) -> int:
    """How often a person refused work without a good reason since the last time it was otherwise."""
    count = 0
    for offer in WorkRefusal.objects.filter(person_id__in=registry.records_of(person_id)).order_by(
        "-offered_on", "-pk"
    ):
        if offer.accepted or offer.justified:
            break
        count += 1
    return count


def _propose_after(offer: WorkRefusal, rules: BenefitRules) -> None:
    count = refusals_in_a_row(offer.person_id)
    decision = (
        BenefitDecision.objects.filter(household_no=offer.household_no, kind__in=("grant", "change"))
        .order_by("-pk")
        .first()
    )
    if not count or count % rules.refusals or decision is None:
        return
    name = registry.people_briefs([offer.person_id])[offer.person_id].name
    Review.objects.get_or_create(
        source=f"refusal:{offer.person_id}:{offer.pk}",
        defaults={
            "household_no": offer.household_no,
            "region_code": offer.region_code,
            "benefit": decision.benefit,
            "rhythm": REFUSED_WORK,
            "due_on": timezone.localdate(),
            "status": Status.DUE,
            "finding": f"{name}连续{count}次无正当理由拒绝介绍的工作，"
            f"请研究减发或停发其本人的待遇（{rules.refusal_clause}）",
        },
    )
