"""Venture calls from publication to payment (公益创投): apply, score blind, decide, milestones, pay, evaluate.

Jurors see an application by its letter, never whose it is, nor each other's scores. Who runs the call does not score, who
decides did not propose, who pays did not accept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, account, may, record, require, take_turn
from doudi.contexts.charity.errors import StepRefused
from doudi.contexts.charity.funds import FundNotFound, another, numbered, positive, reasoned
from doudi.contexts.charity.grants import public_words
from doudi.contexts.charity.organisations import own_organisation
from doudi.contexts.charity.venture_models import (
    Application,
    Call,
    CallLine,
    Evaluation,
    Juror,
    Milestone,
    Score,
    VenturePayment,
    VentureReversal,
)
from doudi.contexts.monitoring import services as monitoring
from doudi.engine.money import show_yuan
from doudi.engine.packs.giving import GivingRules

__all__ = [
    "OPEN_TO_ALL",
    "Application",
    "Ballot",
    "Call",
    "Evaluation",
    "Juror",
    "Milestone",
    "Place",
    "Score",
    "VenturePayment",
    "VentureReversal",
    "applicants",
    "application_of",
    "applications",
    "apply",
    "appoint_juror",
    "ballots",
    "begin_scoring",
    "call_of",
    "calls",
    "decide_awards",
    "declare",
    "draft_call",
    "noted",
    "propose_awards",
    "public_awards",
    "public_call",
    "public_calls",
    "publish_call",
    "ranking",
    "score",
    "seat_of",
    "withdraw_application",
]

OPEN_TO_ALL = (Call.Status.PUBLISHED, Call.Status.SCORING, Call.Status.DECIDED, Call.Status.FINISHED)


# ---- looking ----------------------------------------------------------------------------------------------------


def calls(*, by: User) -> QuerySet[Call]:
    """Calls that ``by`` may see: who runs them all of the area's, the others the published ones of their county."""
    require(by, Act.VIEW_VENTURES)
    found = Call.objects.filter(region_code__startswith=by.region_code[:6])
    return found if may(by, Act.RUN_VENTURE) else found.filter(status__in=OPEN_TO_ALL)


def call_of(number: str, *, by: User) -> Call:
    """One call, or :class:`FundNotFound`."""
    found = calls(by=by).filter(number=number).first()
    if found is None:
        raise FundNotFound(f"没有找到创投 {number}。", f"No call {number} for you.")
    return found


def applications(call: Call, *, by: User) -> QuerySet[Application]:
    """Applications with their names, for who runs, decides or audits the call; a charity sees its own alone.

    A juror sees them by :func:`ballots`.
    """
    scope = require(by, Act.VIEW_VENTURES)
    found = call.applications.select_related("organisation")
    if scope is Scope.ORGANISATION:
        return found.filter(organisation__code=by.organisation)
    if may(by, Act.SCORE_VENTURE):
        return found.none()
    return found.exclude(status=Application.Status.WITHDRAWN)


def application_of(number: str, *, by: User) -> Application:
    """One application, or :class:`FundNotFound`."""
    found = Application.objects.select_related("call", "organisation").filter(number=number).first()
    if (
        found is None
        or not applications(found.call, by=by).filter(pk=found.pk).exists()
        or not (
            found.call.region_code.startswith(by.region_code) or by.organisation == found.organisation.code
        )
    ):
        raise FundNotFound(f"没有找到申报 {number}。", f"No application {number} for you.")
    return found


# ---- the call ---------------------------------------------------------------------------------------------------


def _own_call(number: str, by: User, act: Act) -> Call:
    take_turn()
    found = call_of(number, by=by)
    require(by, act, region_code=found.region_code)
    return found


@transaction.atomic
def draft_call(
    *,
    title: str,
    text: str,
    budget_fen: int,
    most_fen: int,
    money: str,
    opens_on: date,
    closes_on: date,
    criteria: Sequence[tuple[str, int]],
    rules: GivingRules,
    by: User,
    least_jurors: int = 0,
    region_code: str = "",
) -> Call:
    """Write a call; ``criteria`` are names with weights that add up to 100 (发起公益创投).

    ``region_code`` is the county where the account answers for several.
    """
    region = region_code or by.region_code[:6] or _only_county()
    require(by, Act.RUN_VENTURE, region_code=region)
    take_turn()
    again = Call.objects.filter(title=title.strip(), made_by=by.username, status=Call.Status.DRAFT).first()
    if again is not None:
        return again
    reasoned(title, "名称", "the title")
    positive(budget_fen)
    positive(most_fen)
    if most_fen > budget_fen:
        raise StepRefused("单个项目最高不能超过总预算。", "One project is at most the whole budget.")
    if closes_on <= opens_on or closes_on < timezone.localdate():
        raise StepRefused("申报截止须在申报开始之后、今天之后。", "The call closes after it opens.")
    if (
        len(criteria) < 2
        or sum(weight for _name, weight in criteria) != 100
        or any(w <= 0 for _n, w in criteria)
    ):
        raise StepRefused(
            "评分标准至少两项，权重合计 100。", "Two criteria or more, weights adding up to 100."
        )
    made = Call.objects.create(
        number=numbered(Call, "CT", timezone.localdate()),
        region_code=region,
        title=title.strip(),
        text=reasoned(text, "支持方向和要求", "what is asked"),
        budget_fen=budget_fen,
        most_fen=most_fen,
        money=reasoned(money, "资金来源", "where the money comes from", 2),
        opens_on=opens_on,
        closes_on=closes_on,
        criteria=[
            {"code": f"c{place}", "label": name.strip(), "weight": weight}
            for place, (name, weight) in enumerate(criteria, 1)
        ],
        least_jurors=max(least_jurors, rules.jurors_least),
        made_by=by.username,
    )
    noted(made, by, Act.RUN_VENTURE, "draft", "拟定公益创投")
    return made


def _only_county() -> str:
    served = monitoring.served_counties()
    if len(served) != 1:
        raise StepRefused(
            "请写明是哪个县的公益创投。", "Say for which county the call is.", code="region_missing"
        )
    return served[0][0]


@transaction.atomic
def publish_call(number: str, *, by: User) -> Call:
    """Publish a call for everybody to read and charities to apply (发布)."""
    call = _own_call(number, by, Act.RUN_VENTURE)
    if call.status != Call.Status.DRAFT:
        return call
    call.status = Call.Status.PUBLISHED
    call.save(update_fields=["status"])
    noted(call, by, Act.RUN_VENTURE, "publish", "发布")
    return call


@transaction.atomic
def apply(
    number: str,
    *,
    title: str,
    problem: str,
    approach: str,
    beneficiaries: str,
    budget: Sequence[tuple[str, int]],
    by: User,
) -> Application:
    """Apply to a call within its days (申报): the words do not say whose they are, for they are scored blind."""
    take_turn()
    call = call_of(number, by=by)
    body = own_organisation(by)
    require(by, Act.APPLY_VENTURE, organisation=body.code)
    today = timezone.localdate()
    if call.status != Call.Status.PUBLISHED or not call.opens_on <= today <= call.closes_on:
        raise StepRefused("现在不在申报期内。", "The call is not open for applications.")
    again = call.applications.filter(
        organisation=body, title=title.strip(), status=Application.Status.SUBMITTED
    ).first()
    if again is not None:
        return again
    words = {
        "项目名称": reasoned(title, "项目名称", "the title"),
        "要解决的问题": public_words(problem, "要解决的问题", 10),
        "做法和计划": public_words(approach, "做法和计划", 10),
        "受益对象和人数": public_words(beneficiaries, "受益对象和人数"),
    }
    for label, said in words.items():
        if body.name in said or body.code in said:
            raise StepRefused(
                f"匿名评审：“{label}”里不要写本组织的名称。", "Applications are scored blind: do not name yourself.",
                code="not_blind",
            )  # fmt: skip
    if not budget or any(fen <= 0 or not item.strip() for item, fen in budget):
        raise StepRefused("请逐项填写预算，每项金额大于零。", "Give the budget item by item.")
    asked = sum(fen for _item, fen in budget)
    if asked > call.most_fen:
        raise StepRefused(
            f"申请 {show_yuan(asked)} 超过单个项目最高 {show_yuan(call.most_fen)}。",
            "More than one project may ask for.",
        )
    made = Application.objects.create(
        number=numbered(Application, "SB", today),
        blind=f"A{call.applications.count() + 1:02d}",
        call=call,
        organisation=body,
        title=words["项目名称"],
        problem=words["要解决的问题"],
        approach=words["做法和计划"],
        beneficiaries=words["受益对象和人数"],
        budget=[{"item": item.strip(), "fen": fen} for item, fen in budget],
        asked_fen=asked,
        submitted_by=by.username,
    )
    noted(call, by, Act.APPLY_VENTURE, "apply", f"收到申报 {made.blind}", application=made.number)
    return made


@transaction.atomic
def withdraw_application(number: str, *, by: User) -> Application:
    """Take an own application back while the call is open (撤回申报)."""
    take_turn()
    found = application_of(number, by=by)
    require(by, Act.APPLY_VENTURE, organisation=found.organisation.code)
    if found.call.status != Call.Status.PUBLISHED or found.status != Application.Status.SUBMITTED:
        raise StepRefused("评审开始后不能撤回。", "It cannot be withdrawn after scoring began.")
    found.status = Application.Status.WITHDRAWN
    found.save(update_fields=["status"])
    noted(found.call, by, Act.APPLY_VENTURE, "withdraw", f"撤回申报 {found.blind}", application=number)
    return found


# ---- jurors and scores ------------------------------------------------------------------------------------------


@transaction.atomic
def appoint_juror(number: str, *, username: str, by: User) -> Juror:
    """Appoint a juror (聘请评委): an account that may score, of nobody who runs or decides the call."""
    call = _own_call(number, by, Act.RUN_VENTURE)
    if call.status not in (Call.Status.DRAFT, Call.Status.PUBLISHED):
        raise StepRefused("评审已经开始，不能再聘请评委。", "Scoring has begun.")
    person = account(username)
    near = person.region_code.startswith(call.region_code) or call.region_code.startswith(person.region_code)
    if not may(person, Act.SCORE_VENTURE) or not near:
        raise StepRefused(
            "这个账号不能担任评委（须是本县部门、乡镇、成员单位或核对人员）。",
            "This account cannot be a juror.",
            code="no_juror",
        )
    seat, new = Juror.objects.get_or_create(
        call=call, username=person.username, defaults={"name": person.display_name}
    )
    if new:
        noted(call, by, Act.RUN_VENTURE, "juror", f"聘请评委 {person.display_name}")
        word = monitoring.Word(
            "venture",
            f"您被聘为“{call.title}”的评委。",
            f"You are a juror of {call.number}.",
            f"/ventures/{call.number}/",
        )
        monitoring.tell([person], word, key=f"juror:{seat.pk}")
    return seat


@transaction.atomic
def begin_scoring(number: str, *, by: User) -> Call:
    """Close the call and begin scoring (开始评审), after its last day and with jurors enough."""
    call = _own_call(number, by, Act.RUN_VENTURE)
    if call.status == Call.Status.SCORING:
        return call
    if call.status != Call.Status.PUBLISHED or timezone.localdate() <= call.closes_on:
        raise StepRefused(
            f"申报到 {call.closes_on} 截止，次日起才能开始评审。", f"Applications close on {call.closes_on}."
        )
    if call.jurors.count() < call.least_jurors:
        raise StepRefused(
            f"评委不足 {call.least_jurors} 人，请先聘请。", f"{call.least_jurors} jurors or more are needed."
        )
    if not call.applications.filter(status=Application.Status.SUBMITTED).exists():
        raise StepRefused("没有申报。", "There are no applications.")
    call.status = Call.Status.SCORING
    call.save(update_fields=["status"])
    noted(call, by, Act.RUN_VENTURE, "scoring", "申报截止，开始评审")
    return call


def seat_of(call: Call, by: User) -> Juror | None:
    """The juror's seat of an account on a call."""
    return call.jurors.filter(username=by.username).first()


def applicants(call: Call, *, by: User) -> list[tuple[str, str]]:
    """The bodies that applied, for a juror to say with which there is a conflict; not which application is whose."""
    if seat_of(call, by) is None:
        return []
    found = call.applications.filter(status=Application.Status.SUBMITTED).select_related("organisation")
    return sorted({(one.organisation.code, one.organisation.name) for one in found}, key=lambda pair: pair[1])


@transaction.atomic
def declare(number: str, *, conflicts: Sequence[str], words: str, by: User) -> Juror:
    """A juror says once with whom there is a conflict of interest, before seeing anything (利益冲突声明)."""
    take_turn()
    call = call_of(number, by=by)
    require(by, Act.SCORE_VENTURE)
    seat = _seat(call, by)
    if seat.declared_at is not None:
        return seat
    if call.status != Call.Status.SCORING:
        raise StepRefused("评审还没有开始。", "Scoring has not begun.")
    known = {code for code, _name in applicants(call, by=by)}
    own = {by.organisation} & known
    seat.conflicts = sorted((set(conflicts) & known) | own)
    seat.declaration, seat.declared_at = reasoned(words, "声明", "your declaration")[:300], timezone.now()
    seat.save()
    noted(call, by, Act.SCORE_VENTURE, "declare", f"评委声明，回避 {len(seat.conflicts)} 家")
    return seat


def _seat(call: Call, by: User) -> Juror:
    seat = seat_of(call, by)
    if seat is None:
        raise FundNotFound("您不是这次创投的评委。", "You are not a juror of this call.")
    return seat


@dataclass(frozen=True)
class Ballot:
    """An application as a juror sees it: its letter and its words, nobody's name."""

    blind: str
    title: str
    problem: str
    approach: str
    beneficiaries: str
    budget: list[dict[str, Any]]
    asked_fen: int
    total: int | None
    """The juror's own score in hundredths, None where it is still to be given."""


def ballots(call: Call, *, by: User) -> list[Ballot]:
    """What a juror has to score: all applications but those of a conflict, in the order of their letters."""
    seat = _seat(call, by)
    if seat.declared_at is None or call.status == Call.Status.PUBLISHED:
        return []
    given = dict(seat.scores.values_list("application", "total"))
    return [
        Ballot(
            one.blind, one.title, one.problem, one.approach, one.beneficiaries, one.budget, one.asked_fen, given.get(one.pk)
        )
        for one in _standing(call).exclude(organisation__code__in=seat.conflicts).order_by("blind")
    ]  # fmt: skip


@transaction.atomic
def score(number: str, blind: str, *, points: dict[str, int], comment: str, by: User) -> Score:
    """Give one application its points, 0 to 100 on each criterion, once (评分)."""
    take_turn()
    call = call_of(number, by=by)
    require(by, Act.SCORE_VENTURE)
    seat = _seat(call, by)
    if call.status != Call.Status.SCORING or seat.declared_at is None:
        raise StepRefused(
            "请先作利益冲突声明，并在评审期间评分。", "Declare conflicts first, and score while scoring runs."
        )
    found = _standing(call).filter(blind=blind).select_related("organisation").first()
    if found is None:
        raise FundNotFound(f"没有申报 {blind}。", f"No application {blind}.")
    if found.organisation.code in seat.conflicts:
        raise StepRefused(
            "您已声明与这家组织有利益冲突，须回避。",
            "You declared a conflict with this body.",
            code="conflict",
        )
    if (again := seat.scores.filter(application=found).first()) is not None:
        if again.points != points:
            raise StepRefused("这份申报您已评过，评分不能改。", "You scored this already.")
        return again
    codes = {criterion["code"] for criterion in call.criteria}
    if set(points) != codes or any(not 0 <= value <= 100 for value in points.values()):
        raise StepRefused("每项标准请打 0 到 100 分。", "Give 0 to 100 on each criterion.")
    made = Score.objects.create(
        juror=seat,
        application=found,
        points=points,
        total=sum(points[criterion["code"]] * criterion["weight"] for criterion in call.criteria),
        comment=reasoned(comment, "评语", "a comment")[:500],
    )
    noted(call, by, Act.SCORE_VENTURE, "score", f"评委评分 {blind}")
    return made


def _standing(call: Call) -> QuerySet[Application]:
    return call.applications.exclude(status=Application.Status.WITHDRAWN)


@dataclass(frozen=True)
class Place:
    """An application's place: its mean in points, None until jurors enough without a conflict have scored."""

    application: Application
    mean: Fraction | None
    scores: int
    missing: int

    @property
    def shown(self) -> str:
        return "" if self.mean is None else f"{float(self.mean):.2f}"


def ranking(call: Call, *, by: User) -> list[Place]:
    """The applications by mean score, the earlier of two equals first; for who runs, decides or audits the call."""
    require(by, Act.VIEW_VENTURES)
    if may(by, Act.SCORE_VENTURE) or by.organisation:
        return []
    seats = list(call.jurors.all())
    places = []
    for one in _standing(call).select_related("organisation").prefetch_related("scores"):
        free = [seat for seat in seats if one.organisation.code not in seat.conflicts]
        totals = [given.total for given in one.scores.all()]
        mean = Fraction(sum(totals), 100 * len(totals)) if len(totals) >= call.least_jurors else None
        places.append(Place(one, mean, len(totals), max(len(free), call.least_jurors) - len(totals)))
    return sorted(
        places, key=lambda place: (place.mean is None, -(place.mean or 0), place.application.submitted_at)
    )


# ---- the award --------------------------------------------------------------------------------------------------


@transaction.atomic
def propose_awards(number: str, *, awards: dict[str, int], by: User) -> Call:
    """Propose how much each application gets (拟定资助): by its number in fen, within the budgets, scores all given."""
    call = _own_call(number, by, Act.RUN_VENTURE)
    if call.status != Call.Status.SCORING:
        raise StepRefused("不在评审阶段。", "The call is not being scored.")
    places = {place.application.number: place for place in ranking(call, by=by)}
    if any(place.mean is None for place in places.values()):
        raise StepRefused(
            f"还有申报没有评完（每份至少 {call.least_jurors} 位无利益冲突的评委）。",
            f"Some application lacks scores ({call.least_jurors} jurors without a conflict each).",
            code="scores_missing",
        )
    if set(awards) - set(places) or any(fen < 0 for fen in awards.values()):
        raise StepRefused("资助名单与申报不符。", "The list does not match the applications.")
    for place in places.values():
        fen, one = awards.get(place.application.number, 0), place.application
        if fen > min(one.asked_fen, call.most_fen):
            raise StepRefused(
                f"{one.blind} 的拟资助超过申请金额 {show_yuan(one.asked_fen)}。",
                f"{one.blind}: more than was asked for.",
            )
        one.proposed_fen, one.proposed_by = fen, by.username
    if sum(awards.values()) > call.budget_fen or not any(awards.values()):
        raise StepRefused(
            f"拟资助合计须大于零且不超过总预算 {show_yuan(call.budget_fen)}。",
            "The sum is within the call's budget.",
        )
    worst = min(place.mean or 0 for place in places.values() if awards.get(place.application.number))
    skipped = [
        place.application.blind
        for place in places.values()
        if not awards.get(place.application.number) and (place.mean or 0) > worst
    ]
    if skipped:
        raise StepRefused(
            f"{'、'.join(skipped)} 得分更高却没有资助，须按得分先后。",
            "A better score is passed over; follow the ranking.",
            code="out_of_order",
        )
    for place in places.values():
        place.application.save(update_fields=["proposed_fen", "proposed_by"])
    noted(call, by, Act.RUN_VENTURE, "propose", f"拟资助 {sum(1 for fen in awards.values() if fen)} 个项目")
    return call


@transaction.atomic
def decide_awards(number: str, *, approve: bool, document: str, note: str, by: User) -> Call:
    """The director decides the proposed awards by a document, or sends them back (决定资助)."""
    call = _own_call(number, by, Act.DECIDE_VENTURE)
    found = list(_standing(call))
    if call.status != Call.Status.SCORING or any(one.proposed_fen is None for one in found):
        raise StepRefused("没有待决定的资助名单。", "No list waits for a decision.")
    another(by, call.made_by, *(one.proposed_by for one in found))
    if not approve:
        _standing(call).update(proposed_fen=None, proposed_by="")
        noted(call, by, Act.DECIDE_VENTURE, "send_back", f"退回资助名单：{reasoned(note)}")
        return call
    for one in found:
        one.awarded_fen = one.proposed_fen or 0
        one.status = Application.Status.AWARDED if one.awarded_fen else Application.Status.REFUSED
        one.save(update_fields=["awarded_fen", "status"])
    call.status, call.decided_by, call.decided_on = Call.Status.DECIDED, by.username, timezone.localdate()
    call.document = reasoned(document, "决定文号", "the decision's number", 2)
    call.save()
    noted(call, by, Act.DECIDE_VENTURE, "decide", f"公布结果 {call.document}")
    return call


# ---- for everybody --------------------------------------------------------------------------------------------------


def public_calls() -> QuerySet[Call]:
    """Calls that everybody may read, the latest first."""
    return Call.objects.filter(status__in=OPEN_TO_ALL).order_by("-opens_on")


def public_call(number: str) -> Call:
    """One call, for everybody."""
    found = public_calls().filter(number=number).first()
    if found is None:
        raise FundNotFound("没有找到这次创投。", "No such call.")
    return found


def public_awards(call: Call) -> QuerySet[Application]:
    """Who was awarded how much, once decided."""
    return call.applications.filter(Q(status=Application.Status.AWARDED)).select_related(
        "organisation", "evaluation"
    )


def noted(call: Call, by: User, act: Act, kind: str, text: str, **detail: Any) -> None:
    """One line of a call's timeline and one entry of the audit log."""
    CallLine.write(by=by, kind=kind, text=text, call=call)
    record(
        by=by,
        act=act,
        subject=f"venture:{call.number}",
        region_code=call.region_code,
        detail={"step": kind, **detail},
    )
