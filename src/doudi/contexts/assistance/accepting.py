"""Papers, the one notice of what is missing, acceptance and its clocks, kin of staff, and what an applicant is told."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.application_models import (
    Application,
    ApplicationPaper,
    ApplicationPause,
    KinRecord,
    SupplementNotice,
)
from doudi.contexts.assistance.applications import (
    ApplicationNotFound,
    application,
    go,
    log_step,
    needs_state,
    note,
)
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.procedure import State
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import ID_PURPOSE
from doudi.engine import identity
from doudi.engine.clocks import Pause
from doudi.engine.packs.procedures import PaperAsked, Procedure, Procedures
from doudi.house.attachments import keep_attachment, open_attachment
from doudi.house.keyring import keyring

# ---- papers ------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_paper(
    number: str,
    code: str,
    *,
    rules: Procedures,
    by: User,
    seen_original: bool = False,
    evidence: bytes = b"",
    evidence_name: str = "",
) -> ApplicationPaper:
    """Take a paper (材料): its original seen at the window, a scan, or both."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    if not State(found.state).open:
        raise StepRefused("申请已办结，不再收材料。", "The application is closed; no more papers.")
    asked = {paper.code: paper for paper in rules.of(found.kind, found.region_code).papers}
    if code not in asked:
        raise StepRefused("这个事项不需要这项材料。", "The kind does not need this paper.")
    if not seen_original and not evidence:
        raise StepRefused(
            "请勾选“已核对原件”或上传扫描件。", "Tick that the original was seen, or add a scan."
        )
    taken = ApplicationPaper.objects.create(
        application=found,
        code=code,
        seen_original=seen_original,
        evidence_hash=keep_attachment(evidence).digest if evidence else "",
        evidence_name=evidence_name[:255] if evidence else "",
        taken_by=by.username,
    )
    note(found, by=by, kind="paper", text=f"收到材料：{asked[code].label}")
    log_step(found, by, Act.TAKE_APPLICATION, step="paper", paper=code)
    return taken


def missing_papers(found: Application, kind: Procedure) -> list[PaperAsked]:
    """The required papers that are not there; after the one notice, only those it named."""
    there = set(found.papers.values_list("code", flat=True))
    told = SupplementNotice.objects.filter(application=found).first()
    wanted = [
        paper for paper in kind.papers if paper.required and (told is None or paper.code in told.missing)
    ]
    return [paper for paper in wanted if paper.code not in there]


@transaction.atomic
def tell_missing(number: str, *, rules: Procedures, by: User) -> SupplementNotice:
    """Tell the applicant once of everything that is missing (一次性告知); there is no second notice."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    if SupplementNotice.objects.filter(application=found).exists():
        raise StepRefused(
            "已经一次性告知过，不能再次要求补正。", "The one notice was given; nothing more may be asked for."
        )
    missing = missing_papers(found, rules.of(found.kind, found.region_code))
    if not missing:
        raise StepRefused("必交材料已齐，请直接受理。", "The required papers are all there: accept it.")
    go(found, State.SUPPLEMENT)
    told = SupplementNotice.objects.create(
        application=found,
        missing=[paper.code for paper in missing],
        told_on=timezone.localdate(),
        told_by=by.username,
    )
    note(found, by=by, kind="missing", text="一次性告知缺件：" + "、".join(paper.label for paper in missing))
    log_step(found, by, Act.TAKE_APPLICATION, step="missing", papers=told.missing)
    return told


@transaction.atomic
def accept_application(
    number: str,
    *,
    rules: Procedures,
    by: User,
    kin_of: str = "",
    disability: str = "",
    grade: int | None = None,
    illness: bool = False,
) -> Application:
    """Accept an application whose required papers are there; its clocks run from the next day (受理).

    A near relative of staff is found in the register of kin, or named by ``kin_of``. For who applies alone the facts
    of the disability card or the diagnosis are given; the family's own category is looked at before the decision.
    """
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    kind = rules.of(found.kind, found.region_code)
    if kind.transfers:
        raise StepRefused(
            f"“{kind.label}”由{kind.department}负责，请转办。",
            f"{kind.department} is responsible: transfer it.",
        )
    needs_state(found, State.SUBMITTED, State.SUPPLEMENT, what="受理")
    if not found.household_no:
        raise StepRefused(
            "请先查明是哪一户；不在册的，先新立户。",
            "Say first which household it is, or enter a new family.",
        )
    missing = missing_papers(found, kind)
    if missing:
        raise StepRefused(
            f"还缺：{'、'.join(p.label for p in missing)}。请收齐，或一次性告知申请人。",
            f"Missing: {', '.join(p.label_en for p in missing)}; take them or tell the applicant once.",
            code="papers_missing",
        )
    if found.alone and not rules.alone.may(
        family=rules.alone.categories[0], disability=disability, grade=grade, illness=illness
    ):
        raise StepRefused(
            f"该成员的残疾类别、等级或病情不在单人申请的范围内（{rules.alone.clause}）。可以家庭申请。",
            "The member's disability or illness does not allow an application alone; apply by household.",
            code="not_alone",
        )
    today = timezone.localdate()
    kin_name = kin_of.strip() or kin_found(found)
    begins = "启动调查" if kind.limit("启动调查") else "初审"
    go(
        found,
        State.INVESTIGATING,
        accepted_on=today,
        accepted_by=by.username,
        kin=bool(kin_name),
        kin_of=kin_name[:120],
        step_began_on=today,
        step_limit=begins if kind.limit(begins) else "",
    )
    reckon_limits(found, kind)
    note(found, by=by, kind="accept", text="受理" + ("（工作人员近亲属，县级入户）" if kin_name else ""))
    log_step(found, by, Act.TAKE_APPLICATION, step="accept", kin=bool(kin_name))
    return found


def kin_found(found: Application) -> str:
    """Of which member of staff somebody of the household is a near relative, by the register of kin; '' of none."""
    numbers = {bytes(found.id_blind)}
    if found.household_no:
        numbers |= registry.blinds_of_household(found.household_no)
    kin = KinRecord.objects.filter(id_blind__in=numbers).order_by("pk").first()
    return f"{kin.staff_name}（{kin.staff_post}）" if kin is not None else ""


@transaction.atomic
def withdraw_application(number: str, *, why: str, by: User) -> Application:
    """The applicant takes the application back (撤回)."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    if len(why.strip()) < 4:
        raise StepRefused("请写明撤回的情况（至少四个字）。", "Say why it is withdrawn.")
    go(found, State.WITHDRAWN, ended_why=why.strip(), due_on=None, step_due_on=None)
    note(found, by=by, kind="withdraw", text=f"撤回：{why.strip()}")
    log_step(found, by, Act.TAKE_APPLICATION, step="withdraw")
    return found


# ---- clocks ------------------------------------------------------------------------------------------------------


def reckon_limits(found: Application, kind: Procedure) -> None:
    """Bring the two due dates to the limits of the region, the pauses and the extension."""
    pauses = tuple(
        Pause(_midnight(pause.begins_on), _midnight(pause.ended_on or pause.until_on))
        for pause in found.pauses.all()
    )
    whole = kind.limit("特殊总" if found.extended else "总")
    step = kind.limit(found.step_limit) if found.step_limit else None
    found.due_on = (
        whole.due_on(_midnight(found.accepted_on), pauses)
        if whole is not None and found.accepted_on is not None and State(found.state).open
        else None
    )
    found.step_due_on = (
        step.due_on(_midnight(found.step_began_on), pauses)
        if step is not None and found.step_began_on is not None
        else None
    )
    found.save(update_fields=["due_on", "step_due_on"])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


@transaction.atomic
def pause_application(
    number: str, *, until_on: date, ground: str, rules: Procedures, by: User
) -> Application:
    """Let the clocks stand still until a day at most, for a reason that is on record (时限中止)."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    needs_state(found, State.INVESTIGATING, State.OBJECTED, State.PROPOSED, what="中止时限")
    today = timezone.localdate()
    if found.paused_on is not None:
        raise StepRefused("时限已经中止。", "The clock stands still already.")
    if not today < until_on <= today + timedelta(days=rules.longest_pause):
        raise StepRefused(
            f"中止最迟到 {today + timedelta(days=rules.longest_pause)}。",
            f"A pause ends by {today + timedelta(days=rules.longest_pause)}.",
        )
    if len(ground.strip()) < 4:
        raise StepRefused("请写明中止理由（至少四个字）。", "Say why the clock stands still.")
    ApplicationPause.objects.create(
        application=found, begins_on=today, until_on=until_on, ground=ground.strip()[:300], set_by=by.username
    )
    Application.objects.filter(pk=found.pk).update(paused_on=today)
    found.refresh_from_db()
    reckon_limits(found, rules.of(found.kind, found.region_code))
    note(found, by=by, kind="pause", text=f"时限中止，最迟到 {until_on}：{ground.strip()}")
    log_step(found, by, Act.TAKE_APPLICATION, step="pause", until=until_on)
    return found


@transaction.atomic
def resume_application(number: str, *, rules: Procedures, by: User) -> Application:
    """Let the clocks go on; the days between do not count (恢复计时)."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    if found.paused_on is None:
        raise StepRefused("时限没有中止。", "The clock is not standing still.")
    pause = found.pauses.filter(ended_on=None).order_by("-pk").first()
    assert pause is not None
    pause.ended_on = min(timezone.localdate(), pause.until_on)
    pause.save(update_fields=["ended_on"])
    Application.objects.filter(pk=found.pk).update(paused_on=None)
    found.refresh_from_db()
    reckon_limits(found, rules.of(found.kind, found.region_code))
    note(found, by=by, kind="resume", text="恢复计时")
    log_step(found, by, Act.TAKE_APPLICATION, step="resume")
    return found


@transaction.atomic
def extend_application(number: str, *, ground: str, rules: Procedures, by: User) -> Application:
    """Use the longer limit for a special case (特殊情况延长), once, with a reason."""
    take_turn()
    found = application(number, by=by)
    require(by, Act.TAKE_APPLICATION, region_code=found.region_code)
    kind = rules.of(found.kind, found.region_code)
    if kind.limit("特殊总") is None or found.accepted_on is None or not State(found.state).open:
        raise StepRefused("这件申请不能延长。", "This application cannot be extended.")
    if found.extended or len(ground.strip()) < 4:
        raise StepRefused("只能延长一次，并须写明理由。", "Once only, and with a reason.")
    Application.objects.filter(pk=found.pk).update(extended=True)
    found.refresh_from_db()
    reckon_limits(found, kind)
    note(found, by=by, kind="extend", text=f"特殊情况延长至 {found.due_on}：{ground.strip()}")
    log_step(found, by, Act.TAKE_APPLICATION, step="extend")
    return found


@transaction.atomic
def resume_where_over(*, by: User) -> int:
    """Let the clocks go on whose pause has run out by itself (到期任务); returns how many."""
    require(by, Act.TAKE_APPLICATION)
    take_turn()
    today = timezone.localdate()
    done = 0
    for pause in ApplicationPause.objects.filter(ended_on=None, until_on__lt=today).select_related(
        "application"
    ):
        pause.ended_on = pause.until_on
        pause.save(update_fields=["ended_on"])
        Application.objects.filter(pk=pause.application_id).update(paused_on=None)
        note(pause.application, by=by, kind="resume", text="中止期满，恢复计时")
        log_step(pause.application, by, Act.TAKE_APPLICATION, step="resume")
        done += 1
    return done


# ---- kin of staff ------------------------------------------------------------------------------------------------


@transaction.atomic
def register_kin(
    *, staff_name: str, staff_post: str, relation: str, name: str, id_number: str, by: User
) -> KinRecord:
    """Register a near relative of staff or a village cadre (近亲属备案); the same pair again is the same record."""
    require(by, Act.REGISTER_KIN)
    take_turn()
    reading = identity.read_id(id_number, today=timezone.localdate())
    if reading.number is None or not all(t.strip() for t in (staff_name, staff_post, relation, name)):
        raise StepRefused("请填写完整，并核对身份证号。", "Fill in everything and check the ID number.")
    blind = keyring().digest(reading.number, purpose=ID_PURPOSE)
    again = KinRecord.objects.filter(id_blind=blind, staff_name=staff_name.strip()).first()
    if again is not None:
        return again
    kept = KinRecord.objects.create(
        region_code=by.region_code,
        staff_name=staff_name.strip(),
        staff_post=staff_post.strip(),
        relation=relation.strip(),
        name=name.strip(),
        id_number=reading.number,
        id_blind=blind,
        registered_on=timezone.localdate(),
        registered_by=by.username,
    )
    record(
        by=by,
        act=Act.REGISTER_KIN,
        subject=f"kin:{kept.pk}",
        region_code=by.region_code,
        detail={"fields": ["id"]},
    )
    return kept


def kin_records(*, by: User) -> Any:
    """The register of kin of the area."""
    require(by, Act.REGISTER_KIN)
    return KinRecord.objects.filter(region_code__startswith=by.region_code)


@transaction.atomic
def paper_scan(pk: int, *, by: User) -> tuple[bytes, str]:
    """The scan of a paper with its media type; the look is in the audit log."""
    require(by, Act.REVEAL_IDENTITY)
    paper = ApplicationPaper.objects.select_related("application").filter(pk=pk).first()
    if (
        paper is None
        or not paper.evidence_hash
        or not paper.application.region_code.startswith(by.region_code)
    ):
        raise ApplicationNotFound("没有这份扫描件，或不在您的辖区。", "No such scan in your area.")
    record(
        by=by,
        act=Act.VIEW_APPLICATIONS,
        subject=f"application:{paper.application.number}",
        region_code=paper.application.region_code,
        detail={"paper": paper.code},
    )
    return open_attachment(paper.evidence_hash)
