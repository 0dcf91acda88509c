"""Deciding on applications (审核确认): grants, refusals, and aid first in an emergency.

Who accepted, investigated, checked the economy or gave the first opinion does not decide.
"""

from __future__ import annotations

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, NotAllowed, User, record, require, take_turn
from doudi.contexts.assistance.accepting import kin_found, missing_papers, reckon_limits
from doudi.contexts.assistance.application_models import Application, ApplicationVisit, Decision
from doudi.contexts.assistance.applications import application, go, is_township, needs_state, note
from doudi.contexts.assistance.decisions import log_decision, number_of_today, signed
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.investigating import report_of_application
from doudi.contexts.assistance.procedure import State
from doudi.contexts.assistance.reasoning import Reasons, reasons_of
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine.errors import DoudiError
from doudi.engine.money import format_yuan
from doudi.engine.packs import Pack
from doudi.engine.packs.procedures import VERIFY, Procedure, Procedures

_MIN_GROUND = 4


def reasons_for(found: Application, *, rules: Procedures, pack: Pack, by: User) -> Reasons | None:
    """What the report says for an application, for who decides; None where there is no report that may carry it."""
    kind = rules.of(found.kind, found.region_code)
    if VERIFY not in kind.steps:
        return None
    try:
        report = report_of_application(found, on=timezone.localdate(), by=by)
    except DoudiError:
        return None
    return reasons_of(verification.look_at_report(report.number, by=by)[1], kind, pack)


# ---- deciding ----------------------------------------------------------------------------------------------------


@transaction.atomic
def decide_application(
    number: str,
    *,
    grant: bool,
    ground: str,
    rules: Procedures,
    pack: Pack,
    by: User,
    amount_fen: int | None = None,
    income_fen: int | None = None,
    change_sentence: str = "",
) -> Decision:
    """Confirm or refuse (确认、不予确认); a grant of a monthly kind enters the register from the month after.

    ``amount_fen`` is the sum of single aid. ``income_fen`` is the household's monthly income where the visit found
    another than the report. A decision that departs from the report, or rests on an undecided one, says why in ten
    characters or more. ``change_sentence`` says what would change a refusal where no report says it.
    """
    take_turn()
    found = application(number, by=by)
    require(by, Act.DECIDE_APPLICATION, region_code=found.region_code)
    needs_state(found, State.PROPOSED, what="审核确认")
    kind = rules.of(found.kind, found.region_code)
    _refuse_own_hand(found, by)
    _refuse_township(found, kind, amount_fen if grant else None, by)
    if len(ground.strip()) < _MIN_GROUND:
        raise StepRefused("请写明决定理由（至少四个字）。", "State the ground of the decision.")
    if found.kin:
        _require_county_visit(found)
    reasons, report = _report_reasons(found, kind, pack, by)
    departs = _departs(found, grant, reasons, rules, ground)
    if grant and kind.once:
        _check_sum(found, kind, amount_fen, rules, pack)
    elif amount_fen:
        raise StepRefused("按月发放的事项不在这里填金额。", "A monthly kind has no single sum.")
    if not grant and reasons is None and len(change_sentence.strip()) < _MIN_GROUND:
        raise StepRefused(
            "不予确认须写明“什么变化会改变这一结论”。", "A refusal says what would change the result."
        )
    today = timezone.localdate()
    begins = (today.replace(day=1) + relativedelta(months=1)) if not kind.once else today
    made = Decision.objects.create(
        number=number_of_today(today),
        application=found,
        result=Decision.Result.GRANTED if grant else Decision.Result.REFUSED,
        kind=found.kind,
        category=kind.category,
        persons=_covered(found),
        income_fen=income_fen if income_fen is not None else reasons.income_fen if reasons else None,
        counted=reasons.counted if reasons else None,
        amount_fen=amount_fen if grant and kind.once else None,
        decided_on=today,
        valid_from=begins if grant else None,
        valid_to=begins + relativedelta(months=kind.valid_months) if grant and kind.valid_months else None,
        ground=ground.strip(),
        sentence=reasons.sentence if reasons else ground.strip(),
        change_sentence=(reasons.changes if reasons else "") or change_sentence.strip(),
        clause="；".join(dict.fromkeys((*(reasons.clauses if reasons else ()), kind.clause)))[:300],
        report_number=report,
        departs=departs,
        registry_event=f"JD-{number_of_today(today)}"
        if grant and found.household_no and kind.category
        else "",
        delegated=is_township(by),
        **_of_household(found),
        **signed(by),
    )
    if grant:
        _enter(made, by)
    go(found, State.GRANTED if grant else State.REFUSED, due_on=None, step_due_on=None, report_number=report)
    said = "确认" if grant else "不予确认"
    note(found, by=by, kind="decide", text=f"{said}（{made.number}）：{made.ground}")
    log_decision(made, by)
    return made


def _report_reasons(found: Application, kind: Procedure, pack: Pack, by: User) -> tuple[Reasons | None, str]:
    """The report in force and what it says; an expired or overtaken one supports no decision, either way."""
    if VERIFY not in kind.steps:
        return None, ""
    report = report_of_application(found, on=timezone.localdate(), by=by)
    if report.issued_by == by.username:
        raise StepRefused(
            "出具核对报告的人不作决定。", "Who issued the report does not decide.", code="same_person"
        )
    return reasons_of(verification.look_at_report(report.number, by=by)[1], kind, pack), report.number


def _departs(
    found: Application, grant: bool, reasons: Reasons | None, rules: Procedures, ground: str
) -> bool:
    if reasons is None:
        return False
    if found.alone:
        # the family is not counted, but its own category is the precondition (手册 01 §1.3)
        if grant and reasons.category not in rules.alone.categories:
            raise StepRefused(
                f"单人申请的前提是家庭属于低保边缘；核对结果是“{reasons.category}”。",
                "An application alone presupposes a marginal household; the report says otherwise.",
                code="not_alone",
            )
        return False
    departs = reasons.supports is not grant
    if departs and len(ground.strip()) < 10:
        raise StepRefused(
            f"核对意见为“{reasons.advice}”，与决定不同；请用十个字以上写明为什么。",
            f"The report says {reasons.advice}: say in ten characters or more why the decision departs.",
            code="departs",
        )
    return departs


def _refuse_own_hand(found: Application, by: User) -> None:
    """Accepting, investigating, first opinion and decision lie in different hands (办审分离)."""
    hands = {found.accepted_by}
    hands |= {opinion.given_by for opinion in found.opinions.all()}
    names = set()
    for visit in found.visits.all():
        hands.add(visit.recorded_by)
        names |= {who["name"] for who in visit.investigators}
    if by.username in hands or (by.display_name and by.display_name in names):
        raise StepRefused(
            "受理、入户、初审过这件申请的人不能作决定，请由另一人审核确认。",
            "Who accepted, investigated or gave the opinion does not decide; somebody else must.",
            code="same_person",
        )


def _refuse_township(found: Application, kind: Procedure, amount_fen: int | None, by: User) -> None:
    """A township decides only on delegation or within the small sum, and never on kin of staff."""
    if not is_township(by):
        return
    small = kind.once and (amount_fen or 0) <= kind.small_fen
    if found.kin or not (kind.delegated or small):
        raise NotAllowed(
            f"“{kind.label}”须由县级确认"
            + (f"（乡镇审批限 {format_yuan(kind.small_fen)} 元以内）" if kind.once else "")
            + "。请报县级民政部门。",
            "The county decides on this one.",
        )


def _require_county_visit(found: Application) -> None:
    if not found.visits.filter(level=ApplicationVisit.Level.COUNTY).exists():
        raise StepRefused(
            "工作人员近亲属的申请，县级须逐户入户后才能确认。",
            "A near relative of staff is visited by the county before the decision.",
            code="kin_not_visited",
        )


def _check_sum(
    found: Application, kind: Procedure, amount_fen: int | None, rules: Procedures, pack: Pack
) -> None:
    if amount_fen is None or amount_fen <= 0:
        raise StepRefused("请填写救助金额。", "Give the sum.")
    persons = len(_covered(found)) or 1
    side = _of_household(found)["urban_rural"] or "城镇"
    standard = pack.parameters[rules.standard].lookup(
        region=found.region_code, urban_rural=side, on=timezone.localdate()
    )
    if standard is None:
        raise StepRefused(
            f"政策包里没有本地的“{rules.standard}”，不能核定上限。请先填写县包。",
            f"The pack holds no {rules.standard} here, so the ceiling is unknown.",
            code="standard_missing",
        )
    most = kind.most_fen(int(standard.value), persons)
    if amount_fen > most:
        raise StepRefused(
            f"一次救助不超过 {format_yuan(most)} 元（{rules.standard}{standard.text}×{persons}人×{kind.months}个月）。",
            f"At most {format_yuan(most)} yuan: standard × {persons} persons × {kind.months} months.",
            code="over_ceiling",
        )
    if kind.times_a_year and found.household_no:
        year = timezone.localdate().year
        given = Decision.objects.filter(
            household_no=found.household_no,
            kind__in=[code for code, k in rules.kinds.items() if k.category == kind.category],
            result=Decision.Result.GRANTED,
            decided_on__year=year,
        ).count()
        if given >= kind.times_a_year:
            raise StepRefused(
                f"该户今年已给予{kind.category} {given} 次，达到上限 {kind.times_a_year} 次。",
                f"The household had it {given} times this year, the most allowed.",
                code="too_often",
            )


# ---- aid first ---------------------------------------------------------------------------------------------------


@transaction.atomic
def aid_first(
    number: str, *, amount_fen: int, ground: str, rules: Procedures, pack: Pack, by: User
) -> Decision:
    """Give emergency aid before the papers (先行救助): within the township's small sum; the papers follow in time."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.DECIDE_APPLICATION, region_code=found.region_code)
    kind = rules.of(found.kind, found.region_code)
    if not kind.aid_first:
        raise StepRefused(f"“{kind.label}”不能先行救助。", "This kind has no aid before the papers.")
    needs_state(found, State.SUBMITTED, State.SUPPLEMENT, what="先行救助")
    if len(ground.strip()) < _MIN_GROUND:
        raise StepRefused("请写明急难情况（至少四个字）。", "Describe the emergency.")
    if amount_fen > kind.small_fen and is_township(by):
        raise StepRefused(
            f"乡镇先行救助限 {format_yuan(kind.small_fen)} 元以内，超过的报县级。",
            f"A township gives up to {format_yuan(kind.small_fen)} yuan; more is the county's.",
            code="over_small",
        )
    _check_sum(found, kind, amount_fen, rules, pack)
    today = timezone.localdate()
    made = Decision.objects.create(
        number=number_of_today(today),
        application=found,
        result=Decision.Result.GRANTED,
        kind=found.kind,
        category=kind.category,
        persons=_covered(found),
        amount_fen=amount_fen,
        decided_on=today,
        valid_from=today,
        ground=ground.strip(),
        sentence=ground.strip(),
        clause=kind.clause[:300],
        registry_event="",
        delegated=is_township(by),
        **_of_household(found),
        **signed(by),
    )
    kin = kin_found(found)
    go(
        found,
        State.AIDED,
        kin=bool(kin),
        kin_of=kin[:120],
        accepted_on=today,
        accepted_by=by.username,
        step_began_on=today,
        step_limit="补手续" if kind.limit("补手续") else "",
    )
    reckon_limits(found, kind)
    note(
        found,
        by=by,
        kind="aid",
        text=f"先行救助 {format_yuan(amount_fen)} 元（{made.number}），手续在 {found.step_due_on} 前补齐",
    )
    log_decision(made, by)
    return made


@transaction.atomic
def complete_papers(number: str, *, note_text: str, rules: Procedures, by: User) -> Application:
    """Say that the papers and the visit after emergency aid are there (补手续): by another than who gave it."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.DECIDE_APPLICATION, region_code=found.region_code)
    needs_state(found, State.AIDED, what="确认补齐手续")
    given = found.decisions.order_by("pk").first()
    assert given is not None
    if by.username in (given.decided_by, found.created_by):
        raise StepRefused(
            "给予先行救助或受理的人不能自己确认手续，请由另一人确认。",
            "Who gave the aid does not confirm its papers; somebody else must.",
            code="same_person",
        )
    missing = missing_papers(found, rules.of(found.kind, found.region_code))
    if missing:
        raise StepRefused(
            f"还缺：{'、'.join(paper.label for paper in missing)}。",
            "Papers are missing.",
            code="papers_missing",
        )
    if not found.visits.exists() or not found.household_no:
        raise StepRefused("还没有入户调查或未查明是哪一户。", "A visit and the household are missing.")
    if found.kin or kin_found(found):
        _require_county_visit(found)
    persons = _covered(found)
    go(found, State.GRANTED, step_due_on=None, due_on=None)
    registry.record_decision(
        found.household_no,
        number=given.number,
        category=given.category,
        people=persons,
        decided_on=given.decided_on,
        valid_from=given.decided_on,
        decided_by=registry.region_name(given.region_code),
        ground=given.ground,
        by=by,
    )
    note(found, by=by, kind="papers", text=f"手续补齐：{note_text.strip()}")
    record(
        by=by,
        act=Act.DECIDE_APPLICATION,
        subject=f"application:{number}",
        region_code=found.region_code,
        detail={"step": "papers", "decision": given.number},
    )
    return found


# ---- inside ----------------------------------------------------------------------------------------------------


def _covered(found: Application) -> list[int]:
    """Whom it covers: the named persons, else who lives together in the household."""
    if found.persons or not found.household_no:
        kept = registry.kept_persons(found.persons)
        return list(dict.fromkeys(kept.get(key, key) for key in found.persons))
    people = registry.people_of_household(found.household_no)
    return [key for key, _name, _relation, together in people if together]


def _of_household(found: Application) -> dict[str, str]:
    brief = (
        registry.household_briefs([found.household_no]).get(found.household_no)
        if found.household_no
        else None
    )
    return {
        "household_no": found.household_no,
        "region_code": found.region_code,
        "urban_rural": brief.urban_rural if brief is not None else "",
    }


def _enter(made: Decision, by: User) -> None:
    """Write a grant into the register, where the household stands in it."""
    if not made.category or not made.household_no or made.valid_from is None:
        return
    registry.record_decision(
        made.household_no,
        number=made.number,
        category=made.category,
        people=made.persons,
        decided_on=made.decided_on,
        valid_from=made.valid_from,
        decided_by=registry.region_name(made.region_code[:6]) or made.region_code,
        ground=made.ground,
        by=by,
    )
