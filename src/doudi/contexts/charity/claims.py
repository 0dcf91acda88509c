"""Claims: one body holds a need at a time, gives no more than the gap, or lets it go back to the list.

Two bodies that claim at the same moment: the turn, a conditional update and the database's own constraint leave one.
"""

from __future__ import annotations

from datetime import date

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity.conditions import barred_pairs, conditions, left_of, most_to_give
from doudi.contexts.charity.errors import ClaimNotFound, StepRefused
from doudi.contexts.charity.filing import file_grant
from doudi.contexts.charity.filing_models import Way
from doudi.contexts.charity.models import Claim, Need, Project, Proposal
from doudi.contexts.charity.needs import need_of, note, recount
from doudi.contexts.charity.projects import project as project_of
from doudi.contexts.registry import services as registry
from doudi.engine.charity import within_gap
from doudi.engine.money import show_yuan
from doudi.engine.packs.linking import LinkageRules
from doudi.engine.workdays import add_workdays

_S = Claim.Status


def claims(*, by: User, status: str = "") -> QuerySet[Claim]:
    """Claims that ``by`` may see: a body its own, an office those of its area's needs."""
    scope = require(by, Act.VIEW_NEEDS)
    found = Claim.objects.select_related("need", "project", "organisation")
    if scope is Scope.ORGANISATION:
        found = found.filter(organisation__code=by.organisation)
    elif by.region_code:
        found = found.filter(need__region_code__startswith=by.region_code)
    found = registry.but_own(found, by=by, household="need__household_no")
    return found.filter(status=status) if status else found


def claim_of(number: str, *, by: User) -> Claim:
    """One claim that ``by`` may see, or :class:`ClaimNotFound`."""
    found = claims(by=by).filter(number=number).first()
    if found is None:
        raise ClaimNotFound(f"没有找到认领 {number}。", f"No claim {number} for you.")
    return found


@transaction.atomic
def claim_need(code: str, *, project_number: str, rules: LinkageRules, by: User) -> Claim:
    """Hold a published need for a project of the own body (认领); the own standing hold is given back on a second click."""
    project = project_of(project_number, by=by)
    require(by, Act.CLAIM_NEED, organisation=project.organisation.code)
    take_turn()
    need = need_of(code, by=by)
    own = need.claims.filter(status=_S.RESERVED, project=project).first()
    return own if own is not None else hold(need, project, proposal=None, rules=rules, by=by)


def hold(need: Need, project: Project, *, proposal: Proposal | None, rules: LinkageRules, by: User) -> Claim:
    """Put a hold on a need; the caller holds the turn and has asked for the act.

    Raises :class:`StepRefused`: ``outrun`` where another was first, ``not_fitting`` with the condition that fails.
    """
    today = timezone.localdate()
    if not Need.objects.published(today).filter(pk=need.pk).exists():
        raise StepRefused(
            f"需求 {need.code} 已撤下或没有发布。",
            f"Need {need.code} is not published.",
            code="not_published",
        )
    recount(need, rules)
    left = left_of([project])[project.pk]
    tied = bool(barred_pairs([need], [project]))
    failed = [
        one
        for one in conditions(need, project, left=left, is_barred=tied, rules=rules, on=today)
        if not one.holds
    ]
    if failed:
        raise StepRefused(f"项目“{project.name}”不能用于这个需求：{'；'.join(one.zh for one in failed)}。",
                          f"The project does not fit: {'; '.join(one.en for one in failed)}.",
                          code="interested_person" if tied else "not_fitting")  # fmt: skip
    if need.gap_fen == 0:
        raise StepRefused("该需求已没有缺口。", "Nothing is missing any more.", code="no_gap")
    if not Need.objects.filter(pk=need.pk, status=Need.Status.PUBLISHED).update(status=Need.Status.CLAIMED):
        raise _outrun(need)
    earlier = Claim.objects.filter(number__startswith=f"RL{today:%Y%m}").count()
    try:
        with transaction.atomic():
            claim = Claim.objects.create(
                number=f"RL{today:%Y%m}-{earlier + 1:04d}",
                need=need,
                project=project,
                organisation=project.organisation,
                proposal=proposal,
                asked_fen=most_to_give(need, project, left),
                status=_S.RESERVED,
                reserved_on=today,
                keep_until=add_workdays(today, rules.keep_workdays),
                reserved_by=by.username,
            )
    except IntegrityError:
        raise _outrun(need) from None
    note(
        need,
        by=by,
        kind="claim",
        text=f"{project.organisation.name}以“{project.name}”认领，保留至 {claim.keep_until}",
    )
    record(
        by=by, act=Act.CLAIM_NEED, subject=f"need:{need.code}", region_code=need.region_code,
        detail={"claim": claim.number, "project": project.number, "keep_until": claim.keep_until},
    )  # fmt: skip
    return claim


def _outrun(need: Need) -> StepRefused:
    return StepRefused(
        f"需求 {need.code} 刚被其他组织认领，请看其他需求。",
        f"Need {need.code} was just claimed by another body.",
        code="outrun",
    )


def _own_claim(number: str, by: User) -> Claim:
    take_turn()
    claim = claim_of(number, by=by)
    require(by, Act.CLAIM_NEED, organisation=claim.organisation.code)
    return claim


@transaction.atomic
def grant_claim(
    number: str,
    *,
    amount_fen: int = 0,
    way: str,
    what: str = "",
    granted_on: date,
    money: str,
    cut_to_gap: bool = False,
    rules: LinkageRules,
    by: User,
) -> Claim:
    """Give what was held for (给予): never more than the gap as it is counted now, nor than the project has left.

    More than the gap is refused with ``over_gap``, or cut to it where ``cut_to_gap`` says so. The gift is filed at once
    as aid of the body, and the need goes back to the list with what is still missing.
    """
    claim = _own_claim(number, by)
    if claim.status == _S.GRANTED and (claim.granted_on, claim.way) == (granted_on, way):
        return claim
    if claim.status != _S.RESERVED:
        raise StepRefused(
            f"认领现为“{claim.get_status_display()}”，不能给予。", f"The claim is {claim.status}."
        )
    today = timezone.localdate()
    if not claim.reserved_on <= granted_on <= today:
        raise StepRefused("给予日期须在认领之后、今天之前。", "The day lies between the claim and today.")
    if way not in Way.values or money not in rules.money:
        raise StepRefused("请选择帮扶方式和资金来源。", "Choose the way and the source of money.")
    if amount_fen < 0 or (way == Way.CASH and amount_fen == 0) or (amount_fen == 0 and not what.strip()):
        raise StepRefused("请填写金额；物资或服务请写明内容。", "Give an amount, or say what is given.")
    need = recount(Need.objects.get(pk=claim.need_id), rules)
    if not Need.objects.consented(today).filter(pk=need.pk).exists():
        raise StepRefused(
            "本人的同意已撤回或到期。", "The person's consent is withdrawn or has run out.", code="no_consent"
        )
    if barred_pairs([need], [claim.project]):
        raise StepRefused("受益人是捐赠人或管理人员的利害关系人，不得受益（慈善法第四十条、第五十九条）。",
                          "An interested person may not benefit (arts. 40, 59).", code="interested_person")  # fmt: skip
    gap = need.gap_fen
    if gap is not None:
        fitting, cut = within_gap(amount_fen, gap)
        if cut and not cut_to_gap:
            raise StepRefused(
                f"给予 {show_yuan(amount_fen)} 超过缺口 {show_yuan(gap)}。请按缺口给予，或由县级民政复核需求。",
                f"{amount_fen} fen is more than the gap of {gap}; give the gap, or have the need reviewed.",
                code="over_gap",
            )
        amount_fen = fitting
        if need.whole and amount_fen < gap:
            raise StepRefused(
                f"需求 {need.code} 须一次给足，还缺 {show_yuan(gap)}。给不足请退回，让给得足的项目认领。",
                f"The need is to be given whole: {gap} fen are missing. Give it back if that is too much.",
                code="not_whole",
            )
    left = left_of([claim.project])[claim.project_id]
    if left.fen is not None and amount_fen > left.fen + (claim.asked_fen or 0):
        raise StepRefused("项目余下的预算不够。", "The project's budget is too small.", code="over_budget")
    if claim.project.most_fen is not None and amount_fen > claim.project.most_fen:
        raise StepRefused(
            f"项目每户最高 {show_yuan(claim.project.most_fen)}。",
            "More than the project gives to one household.",
            code="over_most",
        )
    filing = file_grant(
        need_code=need.code, household_no=need.household_no, region_code=need.region_code, kind=need.kind,
        organisation=claim.organisation, project=claim.project.name, way=way, amount_fen=amount_fen,
        what=what, aided_on=granted_on, money=money, rules=rules, by=by,
    )  # fmt: skip
    if not Claim.objects.filter(pk=claim.pk, status=_S.RESERVED).update(
        status=_S.GRANTED, granted_fen=amount_fen, way=way, what=what.strip()[:300], granted_on=granted_on,
        granted_by=by.username, filing=filing,
    ):  # fmt: skip
        raise StepRefused("刚被他人处理，请刷新。", "Somebody else was first; reload.", code="outrun")
    need = recount(need, rules)
    met = need.gap_fen is None or need.gap_fen == 0
    Need.objects.filter(pk=need.pk, status=Need.Status.CLAIMED).update(
        status=Need.Status.MET if met else Need.Status.PUBLISHED, ended_on=today if met else None
    )
    note(
        need,
        by=by,
        kind="grant",
        text=f"{claim.organisation.name}给予 {show_yuan(amount_fen)}"
        + ("，已落实" if met else "，余下缺口回到清单"),
    )
    record(
        by=by, act=Act.CLAIM_NEED, subject=f"household:{need.household_no}", region_code=need.region_code,
        detail={"claim": number, "step": "grant", "amount_fen": amount_fen, "met": met},
    )  # fmt: skip
    claim.refresh_from_db()
    return claim


def _let_go(claim: Claim, *, status: str, why: str, by: User, act: Act) -> Claim:
    today = timezone.localdate()
    if not Claim.objects.filter(pk=claim.pk, status=_S.RESERVED).update(
        status=status, why=why.strip()[:300], ended_on=today
    ):
        raise StepRefused(
            f"认领现为“{claim.get_status_display()}”，不能这样办。", f"The claim is {claim.status}."
        )
    Need.objects.filter(pk=claim.need_id, status=Need.Status.CLAIMED).update(status=Need.Status.PUBLISHED)
    claim.refresh_from_db()
    note(
        claim.need,
        by=by,
        kind="release",
        text=f"{claim.organisation.name}的认领{claim.get_status_display()}：{why.strip()}，需求回到清单",
    )
    record(
        by=by, act=act, subject=f"need:{claim.need.code}", region_code=claim.need.region_code, reason=why,
        detail={"claim": claim.number, "step": status},
    )  # fmt: skip
    return claim


@transaction.atomic
def refuse_claim(number: str, *, why: str, by: User) -> Claim:
    """The body gives a need back with the reason; it returns to the list (退回)."""
    claim = _own_claim(number, by)
    if len(why.strip()) < 4:
        raise StepRefused("请写明退回理由（至少四个字）。", "Say why it is given back.")
    return _let_go(claim, status=_S.REFUSED, why=why, by=by, act=Act.CLAIM_NEED)


@transaction.atomic
def release_claim(number: str, *, why: str, by: User) -> Claim:
    """The county takes a hold away with the reason; the need returns to the list (收回)."""
    take_turn()
    claim = claim_of(number, by=by)
    require(by, Act.MATCH_NEEDS, region_code=claim.need.region_code)
    if len(why.strip()) < 4:
        raise StepRefused("请写明收回理由（至少四个字）。", "Say why it is taken back.")
    return _let_go(claim, status=_S.RELEASED, why=why, by=by, act=Act.MATCH_NEEDS)


def lapse_claims(by: User) -> int:
    """Let go of what was held past its days; the office's own hand does it, once however often (逾期放回)."""
    count = 0
    late = Claim.objects.filter(status=_S.RESERVED, keep_until__lt=timezone.localdate())
    for pk in list(late.values_list("pk", flat=True)):
        with transaction.atomic():
            take_turn()
            claim = Claim.objects.select_related("need", "organisation").get(pk=pk)
            if claim.status == _S.RESERVED:
                _let_go(claim, status=_S.LAPSED, why="保留期已过", by=by, act=Act.MATCH_NEEDS)
                count += 1
    return count


@transaction.atomic
def record_outcome(number: str, *, result: str, outcome: str, by: User) -> Claim:
    """Say what a gift came to (结果跟踪评价): the office that answers for the household, not who gave. Said once."""
    take_turn()
    claim = claim_of(number, by=by)
    require(by, Act.RAISE_NEED, region_code=claim.need.region_code)
    if claim.status != _S.GRANTED:
        raise StepRefused("还没有给予，不能登记结果。", "Nothing was given yet.")
    if result not in Claim.Result.values:
        raise StepRefused("请选择结果。", "Choose a result.")
    if len(outcome.strip()) < 4:
        raise StepRefused("请写明结果（至少四个字）。", "Describe the outcome.")
    if not Claim.objects.filter(pk=claim.pk, result="").update(
        result=result, outcome=outcome.strip(), outcome_on=timezone.localdate(), outcome_by=by.username
    ):
        raise StepRefused("结果已登记。", "The outcome is recorded.", code="already_recorded")
    note(claim.need, by=by, kind="outcome", text=f"结果：{Claim.Result(result).label}。{outcome.strip()}")
    record(
        by=by, act=Act.RAISE_NEED, subject=f"household:{claim.need.household_no}",
        region_code=claim.need.region_code, detail={"claim": number, "result": result},
    )  # fmt: skip
    claim.refresh_from_db()
    return claim


@transaction.atomic
def contact_for(number: str, *, by: User) -> tuple[str, str]:
    """Name and telephone of whom to deliver to, for the body that holds or served the need, where the person agreed.

    Without that consent the township delivers; each look is in the audit log.
    """
    claim = _own_claim(number, by)
    if claim.status not in (_S.RESERVED, _S.GRANTED):
        raise ClaimNotFound("这份认领已经结束。", "The claim has ended.")
    today = timezone.localdate()
    if not claim.need.consents.filter(kind="contact", withdrawn_on=None, expires_on__gte=today).exists():
        raise StepRefused(
            "本人没有同意提供姓名和电话，请通过乡镇民政服务站转交。",
            "The person has not agreed to be contacted; deliver through the township's station.",
            code="no_consent",
        )
    home = registry.household_briefs([claim.need.household_no])[claim.need.household_no]
    person = registry.contact_of(home)
    record(
        by=by, act=Act.CLAIM_NEED, subject=f"household:{claim.need.household_no}",
        region_code=claim.need.region_code, reason=f"认领 {number} 送达", detail={"fields": ["name", "phone"]},
    )  # fmt: skip
    return person.name, person.phone
