"""The loop's table of contents: what comes after what, from a department's file to a household that is helped.

One function per step. Each calls the context that owns the step and then the next one above it, in one transaction;
there are no queries and no rules here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import User, take_turn
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.engine import screening
from doudi.engine.errors import DoudiError
from doudi.engine.feeds import SnapshotSet
from doudi.engine.packs import Pack, load_pack
from doudi.engine.packs.civil import tail_months
from doudi.engine.packs.doubting import DoubtRules, load_doubts
from doudi.engine.packs.duplicates import DuplicateRules, load_duplicate_rules
from doudi.engine.packs.handling import Handling, load_handling
from doudi.engine.packs.outreach import Outreach, load_outreach
from doudi.engine.verification import Rules as VerificationRules
from doudi.engine.verification import load_rules as load_verification_rules


@lru_cache(maxsize=4)
def _pack(folder: Path, base: Path) -> tuple[Pack, Handling]:
    return load_pack(folder, roots=(base.parent,)), load_handling(base)


def rules() -> tuple[Pack, Handling]:
    """The policy pack with what was approved over it, and its handling rules (政策包); read once for each content."""
    return _pack(monitoring.pack_in_force(settings.PACK), settings.PACK)


def _rules_now() -> tuple[Pack, Handling]:
    """As :func:`rules`, with what was approved a moment ago in another process too."""
    return _pack(monitoring.pack_in_force(settings.PACK, fresh=True), settings.PACK)


def _keep(pack: Pack) -> None:
    """Keep the layers of the pack in force, the approved one among them, for a later replay."""
    folder = monitoring.pack_in_force(settings.PACK)
    if _pack(folder, settings.PACK)[0].hash != pack.hash:
        # a change was approved between the two looks: nothing is kept under another pack's name
        raise DoudiError(
            "阈值刚被批准调整，请再办一次。", "A number was just changed; try again.", code="pack_changed"
        )
    monitoring.keep_pack(pack, folder, roots=(settings.PACK.parent,))


@lru_cache(maxsize=4)
def _doubt_rules(folder: Path) -> DoubtRules:
    return load_doubts(folder)


def doubt_rules() -> DoubtRules:
    """The doubt rules of the pack in force (疑点核查规则); read once a process."""
    return _doubt_rules(settings.PACK)


def _outreach(folder: Path) -> Outreach:
    return load_outreach(folder)


def outreach() -> Outreach:
    """How the pack has reports of families taken in (主动发现); read once a process."""
    return _outreach(settings.PACK)


@lru_cache(maxsize=4)
def _duplicate_rules(folder: Path) -> DuplicateRules:
    return load_duplicate_rules(folder)


def duplicate_rules() -> DuplicateRules:
    """From which certainty on two records are one person, as the pack has it (查重); read once a process."""
    return _duplicate_rules(settings.PACK)


@dataclass(frozen=True)
class _Evidence:
    """A pack and the snapshots it is put to, known by their digests, so that a warm explainer is found again."""

    digest: str
    pack: Pack = field(compare=False)
    snapshots: SnapshotSet = field(compare=False)


@lru_cache(maxsize=2)
def _explainer(evidence: _Evidence) -> screening.Explainer:
    return screening.Explainer(evidence.pack, evidence.snapshots)


# ---- 1 department files ------------------------------------------------------------------------------------------


def check_file(
    feed: str | None, path: Path, *, by: User, returns: Path | None = None
) -> tuple[str, dict[str, Any]]:
    """Check a file and keep nothing (试装)."""
    return registry.check_file(rules()[0].feeds, feed, path, by=by, returns=returns)


def take_in_file(
    feed: str | None, path: Path, *, as_of: date, by: User, source: str = "", file_name: str = ""
) -> registry.LoadOutcome:
    """Take one department file in (装载); a death among recipients asks whether payment stops."""
    outcome = registry.load_file(
        rules()[0].feeds, feed, path, as_of=as_of, by=by, source=source, file_name=file_name
    )
    monitoring.propose_stops(doubt_rules(), by=by)
    return outcome


def take_in_folder(
    folder: Path, *, as_of: date | None, by: User, progress: Callable[[str], None] | None = None
) -> registry.FolderOutcome:
    """Take a whole folder in, the register first (批量装载); then as :func:`take_in_file`."""
    outcome = registry.load_folder(rules()[0].feeds, folder, as_of=as_of, by=by, progress=progress)
    monitoring.propose_stops(doubt_rules(), by=by)
    return outcome


# ---- 2 screening and what it says of one household ---------------------------------------------------------------


def screen(*, as_of: date, by: User, **options: Any) -> monitoring.ScreeningRun:
    """Screen everyone and bring the warnings up to date (筛查)."""
    pack, handling = _rules_now()
    _keep(pack)
    run = monitoring.screen(pack, handling, as_of=as_of, by=by, **options)
    monitoring.propose_stops(doubt_rules(), by=by)
    monitoring.run_clocks(handling)
    return run


def replay(run_number: int, *, by: User) -> monitoring.Replay:
    """Compute a screen again with the pack and the files of then, and say whether it is the same (重演)."""
    run = monitoring.run_of(run_number)
    return monitoring.replay(run, monitoring.kept_pack(run.pack_hash), by=by)


def explain(household_no: str, *, as_of: date) -> screening.Explanation:
    """Why a household is what it is on a date (解释), by the same compiled query as the screen."""
    pack, _handling = rules()
    snapshots = registry.snapshots_on(pack.feeds, as_of)
    return _explainer(_Evidence(f"{pack.hash}:{snapshots.digest}", pack, snapshots)).explain(household_no)


def export_screening(*, as_of: date, to: Path, by: User) -> int:
    """Write the latest screen of a date as CSV, with the export in the audit log; returns the rows (导出)."""
    return monitoring.export_result(as_of=as_of, to=to, by=by)


def simulate(
    *, as_of: date, changes: dict[tuple[str, str], str], by: User, region_code: str = ""
) -> screening.Simulation:
    """What other parameters would do to everyone of an area on a date (测算); nothing is kept."""
    return monitoring.simulate(rules()[0], as_of=as_of, changes=changes, by=by, region_code=region_code)


def back_test(
    indicator: str,
    *,
    as_of: date,
    alternatives: list[dict[tuple[str, str], str]],
    months: int = 12,
    by: User,
    region_code: str = "",
) -> monitoring.BackTested:
    """What a warning would have raised at other thresholds, and what came of it (回测); nothing is kept."""
    return monitoring.back_test(
        rules()[0],
        indicator=indicator,
        alternatives=alternatives,
        as_of=as_of,
        months=months,
        by=by,
        region_code=region_code,
    )


# ---- 3 from a warning to its end ---------------------------------------------------------------------------------


@transaction.atomic
def dispatch(
    number: str, *, to: str, by: User, remark: str = "", assignee: str = "", seen: int | None = None
) -> monitoring.WarningCase:
    """Send a warning to a township, which from then on answers for the household (派单)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    household = None if case.provisional else registry.household(case.household_no, by=by)
    registry.require_division(to, near=household, also=case.region_code)
    done = monitoring.dispatch_warning(
        case, to=to, by=by, handling=rules()[1], remark=remark, assignee=assignee, seen=seen
    )
    if household is not None:
        registry.entrust(household, to)
    return done


@transaction.atomic
def record_visit(number: str, *, by: User, **visit: Any) -> monitoring.Visit:
    """Record a visit and its result (入户核实)."""
    take_turn()
    pack, handling = rules()
    case = monitoring.warning(number, by=by)
    done = monitoring.record_visit(case, by=by, handling=handling, **visit)
    if handling.results[done.result_code].tell_supplier:
        monitoring.tell_suppliers(case, pack.suppliers_of(monitoring.active_codes(case)), by=by)
    return done


@transaction.atomic
def reassign(number: str, *, to: str, ground: str, by: User, **more: Any) -> monitoring.WarningCase:
    """Give a dispatched warning to another officer or township (改派)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    household = None if case.provisional else registry.household(case.household_no, by=by)
    if household is not None:
        registry.require_division(to, near=household, also=case.region_code)
    done = monitoring.reassign_warning(case, to=to, ground=ground, by=by, handling=rules()[1], **more)
    if household is not None:
        registry.entrust(household, to)
    return done


@dataclass(frozen=True)
class Dispatched:
    """What became of each of many warnings: sent to which township, or why not."""

    sent: tuple[monitoring.WarningCase, ...]
    refused: tuple[tuple[str, DoudiError], ...]


def dispatch_many(numbers: Iterable[str], *, by: User) -> Dispatched:
    """Send each warning to the township its household lives in; one that cannot be sent holds up no other (批量派单)."""
    sent, refused = [], []
    for number in dict.fromkeys(numbers):
        try:
            home = monitoring.township_of(monitoring.warning(number, by=by))
            sent.append(dispatch(number, to=home, by=by))
        except DoudiError as problem:
            refused.append((number, problem))
    return Dispatched(tuple(sent), tuple(refused))


def record_attempt(number: str, *, by: User, **attempt: Any) -> monitoring.Attempt:
    """Record a visit at which nobody was found (寻访未遇)."""
    return monitoring.record_attempt(monitoring.warning(number, by=by), by=by, **attempt)


def suspend_clock(number: str, *, until_on: date, ground: str, by: User) -> monitoring.Suspension:
    """Let a warning's clock stand still until a day (时限中止)."""
    case = monitoring.warning(number, by=by)
    return monitoring.suspend_clock(case, until_on=until_on, ground=ground, by=by, handling=rules()[1])


def resume_clock(number: str, *, by: User) -> monitoring.Suspension:
    """Let a clock go on before its day (恢复计时)."""
    return monitoring.resume_clock(monitoring.warning(number, by=by), by=by, handling=rules()[1])


def record_revisit(number: str, *, by: User, **revisit: Any) -> monitoring.Revisit:
    """Record the revisit; an unsolved difficulty goes on as a linked warning (回访)."""
    return monitoring.record_revisit(monitoring.warning(number, by=by), by=by, handling=rules()[1], **revisit)


@transaction.atomic
def close_account(username: str, *, by: User, hand_to: str = "", ground: str = "") -> User:
    """Close an account once nobody waits for it; its open work may be handed over in the same act (停用账号)."""
    take_turn()
    if hand_to:
        monitoring.hand_over(username, hand_to, ground=ground, by=by)
    monitoring.refuse_while_work_is_left(username)
    return accounts.close_account(username, by=by)


# ---- an indicator's number ---------------------------------------------------------------------------------------


def propose_threshold(
    *, indicator: str, parameter: str, value: str, from_on: date, ground: str, as_of: date, by: User
) -> monitoring.ThresholdChange:
    """Back-test another value of an indicator's number and submit it with its figures (提交阈值调整)."""
    tested = back_test(indicator, as_of=as_of, alternatives=[{(parameter, by.region_code): value}], by=by)
    return monitoring.propose_threshold(
        settings.PACK,
        rules()[0],
        indicator=indicator,
        parameter=parameter,
        value=value,
        from_on=from_on,
        ground=ground,
        tested=tested,
        by=by,
    )


def decide_threshold(number: str, *, approve: bool, decision: str, by: User) -> monitoring.ThresholdChange:
    """Approve a change of an indicator's number, or return it (审批阈值调整)."""
    return monitoring.decide_threshold(number, approve=approve, decision=decision, base=settings.PACK, by=by)


# ---- what runs by itself -----------------------------------------------------------------------------------------


def run_jobs() -> dict[str, int]:
    """Everything that is due: reminders of the warnings' clocks, messages on their way out (到期任务)."""
    reminders = monitoring.run_clocks(rules()[1])
    return {"reminders": reminders, **monitoring.deliver()}


@transaction.atomic
def give_measure(
    number: str, *, code: str, amount_fen: int, given_on: date, ground: str, by: User
) -> assistance.MeasureGiven:
    """Give the household a measure of the pack (给予措施)."""
    case = _visited(number, by)
    measure = rules()[0].measures.get(code)
    if measure is None:
        raise DoudiError("请选择措施。", "Choose a measure.", code="measure_unknown")
    given = assistance.give_measure(
        warning_number=number,
        household_no=case.household_no,
        region_code=case.region_code,
        code=code,
        label=measure.name,
        amount_fen=amount_fen,
        given_on=given_on,
        ground=ground,
        by=by,
    )
    amount = f" {amount_fen // 100}.{amount_fen % 100:02d}元" if amount_fen else ""
    monitoring.note(case, by=by, kind="measure", text=f"给予{measure.name}{amount}：{given.ground}")
    return given


@transaction.atomic
def push_need(number: str, *, department: str, need: str, by: User) -> assistance.Referral:
    """Push the household's need to a department (需求推送)."""
    case = _visited(number, by)
    if case.provisional:
        raise monitoring.StepRefused(
            "这户尚未与花名册对上（临时户号），部门无法核对身份。请先“查明是哪一户”，再推送。",
            "This family is not matched to the register yet, so a department could not identify it. Match it first.",
        )
    referral = assistance.send_referral(
        warning_number=number,
        household=registry.household(case.household_no, by=by),
        region_code=case.region_code,
        department=department,
        need=need,
        by=by,
        handling=rules()[1],
    )
    monitoring.note(
        case, by=by, kind="referral", text=f"推送{department}：{referral.need}（{referral.due_on} 前反馈）"
    )
    return referral


def _visited(number: str, by: User) -> monitoring.WarningCase:
    take_turn()
    case = monitoring.warning(number, by=by)
    if case.status != monitoring.WarningCase.Status.VISITED:
        raise monitoring.StepRefused(
            f"预警现为“{case.get_status_display()}”，入户核实之后、办结之前才能给予措施或推送。",
            f"The warning is {case.status}; measures and referrals follow a visit and precede the closing.",
        )
    return case


@transaction.atomic
def accept_referral(number: str, *, by: User) -> assistance.Referral:
    """The department takes the need on (接收)."""
    referral = assistance.accept_referral(number, by=by)
    _note_referral(referral, by, f"{referral.department}已接收")
    return referral


@transaction.atomic
def answer_referral(
    number: str, *, result: str, answer: str, amount_fen: int = 0, by: User
) -> assistance.Referral:
    """The department's answer comes back to the warning (反馈)."""
    referral = assistance.answer_referral(number, result=result, answer=answer, amount_fen=amount_fen, by=by)
    amount = f"，{amount_fen // 100}.{amount_fen % 100:02d}元" if amount_fen else ""
    _note_referral(
        referral, by, f"{referral.department}反馈：{referral.get_result_display()}{amount}。{answer.strip()}"
    )
    return referral


@transaction.atomic
def return_referral(number: str, *, why: str, by: User) -> assistance.Referral:
    """The department sends the need back, and the warning says why (退回)."""
    referral = assistance.return_referral(number, why=why, by=by)
    _note_referral(referral, by, f"{referral.department}退回：{why.strip()}")
    return referral


def _note_referral(referral: assistance.Referral, by: User, text: str) -> None:
    monitoring.note(monitoring.case_of(referral.warning_number), by=by, kind="answer", text=text)


@transaction.atomic
def close(number: str, *, closing_note: str, by: User, seen: int | None = None) -> monitoring.WarningCase:
    """Close a warning once every department has answered (办结)."""
    take_turn()
    case = monitoring.warning(number, by=by)
    if assistance.has_pending(number):
        raise monitoring.StepRefused(
            "还有部门没有反馈，不能办结。请等反馈，或由部门退回。",
            "A department has still to answer; the warning cannot be closed yet.",
        )
    return monitoring.close_warning(case, closing_note=closing_note, by=by, handling=rules()[1], seen=seen)


# ---- 5 from a doubt to the money that came back ------------------------------------------------------------------


def find_doubts(*, as_of: date, by: User) -> monitoring.DoubtRound:
    """Search everyone for doubts on a date (疑点筛查)."""
    return monitoring.find_doubts(doubt_rules(), as_of=as_of, by=by)


@transaction.atomic
def decide_stop(
    number: str,
    *,
    confirm: bool,
    ground: str,
    by: User,
    stop_from: date | None = None,
    identity_confirmed: bool = False,
    as_of: date | None = None,
) -> monitoring.StopProposal:
    """Decide on a proposed stop (决定停发); a confirmed one is recorded and the overpaid months become a doubt."""
    take_turn()
    decided = monitoring.decide_stop(
        number,
        confirm=confirm,
        ground=ground,
        by=by,
        stop_from=stop_from,
        identity_confirmed=identity_confirmed,
    )
    if decided.stop_from is not None:
        assistance.record_stop(
            source=number,
            household_no=decided.household_no,
            person_id=decided.person_id,
            person_name=decided.person_name,
            region_code=decided.region_code,
            stop_from=decided.stop_from,
            ground=decided.ground,
            by=by,
        )
        monitoring.find_doubts(
            doubt_rules(), as_of=as_of or timezone.localdate(), by=by, household_no=decided.household_no
        )
    return decided


def assign_doubt(number: str, *, to: str, by: User, seen: int | None = None) -> monitoring.Doubt:
    """Give a doubt to a township or village worker (派核)."""
    return monitoring.assign_doubt(number, to=to, by=by, rules=doubt_rules(), seen=seen)


def check_doubt(number: str, *, by: User, **check: Any) -> monitoring.Doubt:
    """Record a check and its conclusion (核查)."""
    return monitoring.check_doubt(number, by=by, rules=doubt_rules(), **check)


@transaction.atomic
def review_doubt(
    number: str, *, approve: bool, note: str, by: User, seen: int | None = None
) -> monitoring.Doubt:
    """Review a check (复核); a true doubt stops the payment from next month and opens the recovery."""
    take_turn()
    doubt = monitoring.review_doubt(number, approve=approve, note=note, by=by, rules=doubt_rules(), seen=seen)
    if not approve:
        return doubt
    chosen = doubt_rules().conclusions[doubt.conclusion]
    if chosen.stop and not assistance.is_stopped(doubt.household_no, doubt.person_id):
        assistance.record_stop(
            source=number,
            household_no=doubt.household_no,
            person_id=doubt.person_id,
            person_name=doubt.person_name,
            region_code=doubt.region_code,
            stop_from=monitoring.month_after(timezone.localdate()),
            ground=doubt.review_note,
            by=by,
        )
    if chosen.recover and doubt.overpaid_fen:
        opened = assistance.open_recovery(
            doubt_number=number,
            kind=doubt.kind,
            household_no=doubt.household_no,
            debtor_name=doubt.person_name,
            region_code=doubt.region_code,
            amount_fen=doubt.overpaid_fen,
            by=by,
        )
        monitoring.note_on_doubt(doubt, by=by, kind="recovery", text=f"立追缴案 {opened.number}")
    return doubt


def rectify(*, since: date, until: date, region_code: str = "", by: User) -> assistance.Rectification:
    """The figures of a rectification report (整改报告)."""
    return assistance.rectify(since=since, until=until, region_code=region_code, by=by, rules=doubt_rules())


def export_rectification(
    *, since: date, until: date, region_code: str = "", form: str, by: User
) -> tuple[bytes, str]:
    """A rectification report as Word or PDF, with the hash of its content."""
    return assistance.export_rectification(
        since=since, until=until, region_code=region_code, form=form, by=by, rules=doubt_rules()
    )


# ---- 4 families that people tell of ------------------------------------------------------------------------------


def take_report(**told: Any) -> monitoring.FamilyReport:
    """Take a report of the public form in (主动发现)."""
    return monitoring.take_report(rules=outreach(), **told)


def take_hotline_file(path: Path, *, by: User) -> monitoring.HotlineOutcome:
    """Take the hotline's work orders in (12345 工单)."""
    return monitoring.take_hotline_file(path, rules=outreach(), by=by)


@transaction.atomic
def open_from_report(
    number: str, *, household_no: str = "", ground: str = "", by: User
) -> monitoring.WarningCase:
    """Make a report a warning of a household of the register, or of a family not on it (立预警)."""
    take_turn()
    return monitoring.open_from_report(
        monitoring.report(number, by=by),
        household=registry.household(household_no, by=by) if household_no else None,
        by=by,
        rules=outreach(),
        handling=rules()[1],
        ground=ground,
    )


@transaction.atomic
def identify(number: str, *, household_no: str, by: User) -> monitoring.WarningCase:
    """Say which household of the register a reported family is (查明是哪一户)."""
    take_turn()
    household = registry.household(household_no, by=by)
    return monitoring.identify(monitoring.warning(number, by=by), household, by=by)


# ---- 6 people who stand in the registry twice --------------------------------------------------------------------


def possible_duplicates(**asked: Any) -> list[registry.PossibleDuplicate]:
    """Who of the registry may be the person about to be entered (录入前查重)."""
    return registry.possible_duplicates(rules=duplicate_rules(), **asked)


def find_duplicates(*, by: User, region_code: str = "") -> registry.SearchOutcome:
    """Search an area for people who stand twice (批量查重)."""
    return registry.find_duplicates(duplicate_rules(), by=by, region_code=region_code, merge=merge_people)


def decide_pair(pk: int, **decision: Any) -> registry.DuplicatePair:
    """Say whether two records are one person, who is then merged (判定)."""
    return registry.decide_pair(pk, merge=merge_people, **decision)


def reopen_pair(pk: int, *, ground: str, by: User) -> registry.DuplicatePair:
    """Take a decision back; merged people are two again (撤销判定)."""
    return registry.reopen_pair(pk, ground=ground, by=by)


# ---- 4 verification of a household's economic status -------------------------------------------------------------


@lru_cache(maxsize=4)
def _verification_rules(folder: Path) -> VerificationRules:
    return load_verification_rules(folder)


def verification_rules() -> VerificationRules:
    """The verification rules of the pack in force (核对规则)."""
    return _verification_rules(settings.PACK)


def open_verification(*, by: User, **request: Any) -> verification.VerificationRequest:
    """Open a request (建立委托单)."""
    return verification.open_request(verification_rules(), by=by, **request)


@transaction.atomic
def verify_household(
    household_no: str,
    *,
    declared: dict[int, dict[str, int]],
    by: User,
    **request: Any,
) -> verification.VerificationRequest:
    """Open and accept a request for a household of the register; ``declared`` by person key (委托核对)."""
    take_turn()
    household = registry.household(household_no, by=by)
    people = [
        verification.PersonAsked(
            name=place.person.name,
            id_number=place.person.id_number,
            relation=place.relation,
            living_together=place.living_together,
            category=household.category,
            declared=declared.get(place.person_id),
        )
        for place in registry.people_for(household, by=by, reason="委托核对")
    ]
    opened = open_verification(
        people=people,
        household_no=household_no,
        region_code=household.responsible_region,
        urban_rural=household.urban_rural,
        by=by,
        **request,
    )
    return accept_verification(opened.number, by=by)


def accept_verification(
    number: str, *, by: User, seen: int | None = None
) -> verification.VerificationRequest:
    """Accept a request; its clocks run (受理)."""
    return verification.accept_request(number, rules=verification_rules(), by=by, seen=seen)


def authorise_verification(*, by: User, **authorisation: Any) -> verification.Authorisation:
    """Register a signed authorisation (登记授权书)."""
    return verification.authorise(verification_rules(), by=by, **authorisation)


def query_sources(number: str, *, by: User, **how: Any) -> dict[str, int]:
    """Ask every source about who authorised it (查询)."""
    return verification.start_queries(number, rules=verification_rules(), by=by, **how)


def query_list(source: str, *, by: User) -> tuple[verification.QueryBatch, bytes]:
    """The list of a source's open queries in its own layout (查询清单)."""
    return verification.make_query_list(source, rules=verification_rules(), specs=rules()[0].feeds, by=by)


def take_reply(
    source: str, path: Path, *, as_of: date, by: User, file_name: str = "", complete: bool = True
) -> verification.ReplyOutcome:
    """Take a department's reply file in (回复入库)."""
    return verification.take_reply_file(
        source,
        path,
        rules=verification_rules(),
        specs=rules()[0].feeds,
        as_of=as_of,
        by=by,
        complete=complete,
        file_name=file_name,
    )


def mark_source_failed(number: str, source: str, *, why: str, by: User) -> int:
    """Say that a source failed for a request (失败)."""
    return verification.mark_failed(number, source, why=why, rules=verification_rules(), by=by)


def preview_report(number: str, *, by: User) -> dict[str, Any]:
    """What the report would say now (比对)."""
    return verification.preview(number, pack=rules()[0], rules=verification_rules(), by=by)


def ask_explanations(number: str, *, by: User) -> int:
    """Ask the applicant to explain what differs (差异说明); returns how many were asked."""
    return len(verification.ask_explanations(number, pack=rules()[0], rules=verification_rules(), by=by))


def issue_report(number: str, *, by: User, seen: int | None = None) -> verification.Report:
    """Issue the report and keep the pack it stands on (出具核对报告)."""
    pack = rules()[0]
    _keep(pack)
    return verification.issue_report(number, pack=pack, rules=verification_rules(), by=by, seen=seen)


def object_to_report(report_number: str, *, by: User, **objection: Any) -> verification.Objection:
    """Register an objection to a report (异议)."""
    return verification.object_to(report_number, rules=verification_rules(), by=by, **objection)


def check_report(report_number: str, *, by: User, given: bytes | None = None) -> verification.Checked:
    """Compute a report again with the pack of then, and say whether it is the same (查验)."""
    report = verification.report_of(report_number, by=by)
    folder = monitoring.kept_folder(report.pack_hash)
    return verification.check_report(
        report,
        pack=monitoring.kept_pack(report.pack_hash),
        rules=_verification_rules(folder),
        given=given,
    )


def report_file(report_number: str, *, by: User) -> bytes:
    """A report's canonical content, with the export in the audit log (导出报告)."""
    return verification.export_report(report_number, by=by)


# ---- 5 visits that come back from a telephone --------------------------------------------------------------------


@transaction.atomic
def take_field_visit(sent: monitoring.SentVisit, *, by: User) -> monitoring.FieldVisit:
    """Take a visit from a telephone in: recorded as any visit, or kept for a person; sent again it is the same (回传)."""
    take_turn()
    before = monitoring.sent_before(sent, by=by)
    if before is not None:
        return before
    kept = monitoring.keep_field_visit(sent, by=by)
    if kept.state != monitoring.FieldVisit.State.RECORDED:
        return kept
    return monitoring.mark_recorded(kept, _record_sent(sent, by))


def _record_sent(sent: monitoring.SentVisit, by: User) -> monitoring.Visit | None:
    if sent.attempt:
        record_attempt(sent.number, by=by, **sent.for_record())
        return None
    return record_visit(sent.number, by=by, **sent.for_record())


@transaction.atomic
def settle_field_visit(number: int, *, to: str, ground: str, by: User) -> monitoring.FieldVisit:
    """Settle a visit that waits for a person; one that is taken up is recorded as any visit (处理冲突)."""
    take_turn()
    kept = monitoring.field_visit(number, by=by)
    taken_up = to == monitoring.FieldVisit.State.RECORDED
    sent = monitoring.sent_visit(kept)
    visit = _record_sent(sent, by) if taken_up else None
    return monitoring.settle_field_visit(kept, to=to, ground=ground, by=by, visit=visit)


# ---- people and households: what higher contexts hold of them ------------------------------------------------------


def tails() -> registry.Tails:
    """For how many months somebody is watched after leaving and after temporary aid, as the pack says."""
    left, aid = tail_months(settings.PACK)
    return registry.Tails(left_months=left, aid_months=aid)


def undo_change(number: str, *, ground: str, by: User) -> registry.RegistryEvent:
    """Take an event back; of a merge of people, with the references of every context (撤销变动)."""
    event = registry.change_of(number, by=by)
    if event.kind == registry.MERGE:
        return registry.unmerge(event, ground=ground, by=by)
    return registry.undo_change(number, ground=ground, by=by)


def merge_people(
    keep: registry.Person, away: registry.Person, *, ground: str, by: User
) -> registry.RegistryEvent:
    """Two records become one person, in the registry and in every context that names one (人员合并)."""
    holders = (monitoring.Doubt, monitoring.StopProposal, assistance.PaymentStop)
    return registry.merge_people(keep, away, ground=ground, by=by, holders=holders)


REFERENCES: dict[str, str] = {
    "accounts.AuditEntry.subject": "kept: the log says what was looked at then",
    "registry.Household.household_no": "the household itself",
    "registry.Household.merged_into": "the way from a merged household",
    "registry.Person.merged_into": "the way from a merged record",
    "registry.PersonAlias.person": "turned to the kept person",
    "registry.RegistryEvent.household": "kept: where it was recorded",
    "registry.EventPerson.person": "kept: whom it concerned then",
    "registry.Membership.household": "recorded anew by the event",
    "registry.Membership.person": "recorded anew under the kept person",
    "registry.SupportTie.obligor": "recorded anew under the kept person",
    "registry.SupportTie.supported": "recorded anew under the kept person",
    "registry.AreaRecord.household": "kept with its household",
    "registry.CategoryRecord.household": "recorded anew by the event",
    "registry.CategoryRecord.person": "recorded anew under the kept person",
    "registry.DuplicatePair.first": "kept: the two records that were compared",
    "registry.DuplicatePair.second": "kept: the two records that were compared",
    "registry.SearchTerm.household": "made again by the index",
    "registry.SearchTerm.person": "made again by the index",
    "registry.ListColumns.subject": "names a list and nobody on it",
    "registry.ListExport.subject": "names a list and nobody on it",
    "registry.SavedList.subject": "names a list and nobody on it",
    "registry.ListChange.household": "kept: what was changed then",
    "registry.ListChange.person": "kept: whose cell was changed then",
    "verification.VerificationRequest.household_no": "kept with its household",
    "monitoring.DoubtRound.household_no": "kept: a check of that household",
    "monitoring.Doubt.subject": "kept: what was doubted then",
    "monitoring.Doubt.household_no": "kept with its household",
    "monitoring.Doubt.person_id": "turned to the kept person, and back",
    "monitoring.StopProposal.household_no": "kept with its household",
    "monitoring.StopProposal.person_id": "turned to the kept person, and back",
    "monitoring.WarningCase.household_no": "kept with its household",
    "assistance.PaymentStop.household_no": "kept with its household",
    "assistance.PaymentStop.person_id": "turned to the kept person, and back",
    "assistance.Recovery.household_no": "kept with its household",
    "assistance.MeasureGiven.household_no": "kept: a ledger entry",
    "assistance.Referral.household_no": "kept with its household",
}
"""Every column that points to a person or a household, and what becomes of it when two people are merged."""


# ---- lists, their workbooks, and how well the warnings work ------------------------------------------------------


def _warned(asked: registry.Conditions, by: User) -> Any:
    return monitoring.open_household_numbers(by=by) if asked.warned else None


def list_page(
    subject: str, asked: registry.Conditions, *, by: User, after: str = "", limit: int = 25
) -> registry.ListPage:
    """One page of a list of households or people (列表)."""
    return registry.list_page(subject, asked, by=by, warned=_warned(asked, by), after=after, limit=limit)


def request_export(
    subject: str, asked: registry.Conditions, *, columns: list[str], reason: str, by: User
) -> registry.ListExport:
    """Ask for a list as a workbook (申请导出)."""
    return registry.request_export(
        subject=subject,
        asked=asked,
        columns=columns,
        reason=reason,
        by=by,
        rules=rules()[1].exports,
        warned=_warned(asked, by),
    )


def decide_export(pk: int, *, grant: bool, note: str, by: User) -> registry.ListExport:
    """The second person's word on an export (审批导出)."""
    return registry.decide_export(pk, grant=grant, note=note, by=by, rules=rules()[1].exports)


def take_export(pk: int, *, by: User) -> tuple[registry.ListExport, Iterator[bytes]]:
    """The workbook that was granted (下载)."""
    asked = registry.asked_of(registry.export_of(pk, by=by))
    return registry.take_export(pk, by=by, warned=_warned(asked, by))


def quality(*, first: date, last: date, by: User) -> monitoring.Quality:
    """How well the warnings of an area worked in a period (监测质量)."""
    pack, handling = rules()
    aided = {name for category in pack.categories for name in category.registered_as}
    return monitoring.quality(
        first=first,
        last=last,
        by=by,
        handling=handling,
        recognised=registry.newly_recognised(by=by, first=first, last=last, categories=aided),
        referrals=assistance.referral_facts(by=by, first=first, last=last),
        villages=registry.households_by_village(by=by),
        village_of=registry.villages_of,
    )
