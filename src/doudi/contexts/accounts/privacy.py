"""What people may ask of their own data, and what the office must have thought of first (个人信息保护).

In come requests at the window and assessments of uses; out come answers within the limit, by somebody else than who
took the request or wrote the assessment. Law: 个人信息保护法 art.15, 45 to 47, 50, 55, 56.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.acts import ACT_LABELS, Act
from doudi.contexts.accounts.audit import record, take_turn
from doudi.contexts.accounts.kin import ID_PURPOSE
from doudi.contexts.accounts.models import AuditEntry, User
from doudi.contexts.accounts.policies import Role, require
from doudi.contexts.accounts.privacy_models import DataRequest, DataRequestLine, ImpactAssessment
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.packs.privacy import PrivacyRules, Purpose
from doudi.engine.workdays import add_workdays
from doudi.house.keyring import keyring


class PrivacyRefused(DoudiError):
    """A request or an assessment that may not be taken or decided like this."""

    code = "privacy_refused"


# ---- assessments -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PurposeState:
    """A use of the register with its newest approved assessment; ``missing`` where a sensitive use has none in force."""

    purpose: Purpose
    assessment: ImpactAssessment | None
    missing: bool


def purposes(*, by: User, rules: PrivacyRules) -> list[PurposeState]:
    """The register of uses (用途登记), each with the assessment that stands behind it."""
    require(by, Act.VIEW_PRIVACY)
    today, found = timezone.localdate(), []
    approved = assessments(by=by).filter(status=ImpactAssessment.Status.APPROVED)
    for purpose in rules.purposes.values():
        newest = approved.filter(purpose=purpose.code).order_by("-decided_at").first()
        in_force = newest is not None and newest.valid_to is not None and newest.valid_to >= today
        found.append(PurposeState(purpose, newest, missing=purpose.sensitive and not in_force))
    return found


def assessments(*, by: User) -> QuerySet[ImpactAssessment]:
    """The assessments of the asker's area and of the areas above it, which hold here too."""
    require(by, Act.VIEW_PRIVACY)
    above = [by.region_code[:end] for end in (0, 2, 4, 6) if end <= len(by.region_code)]
    return ImpactAssessment.objects.filter(
        region_code__startswith=by.region_code
    ) | ImpactAssessment.objects.filter(region_code__in=above)


@transaction.atomic
def write_assessment(
    *, purpose: str, necessity: str, risks: str, measures: str, by: User, rules: PrivacyRules
) -> ImpactAssessment:
    """Write down an assessment of a use (art.55, 56); it holds once somebody else has approved it."""
    require(by, Act.KEEP_PRIVACY)
    if purpose not in rules.purposes:
        raise PrivacyRefused("没有登记这种用途。", "No such purpose in the register.")
    if min(len(part.strip()) for part in (necessity, risks, measures)) < 10:
        raise PrivacyRefused(
            "必要性、风险、保护措施三项都要写清（每项至少十个字），见个人信息保护法第五十六条。",
            "Necessity, risks and measures must each be told (ten characters or more; art.56).",
        )
    take_turn()
    today = timezone.localdate()
    made = ImpactAssessment.objects.create(
        number=_number("PG", today, ImpactAssessment),
        purpose=purpose,
        region_code=by.region_code,
        necessity=necessity.strip(),
        risks=risks.strip(),
        measures=measures.strip(),
        made_by=by.username,
    )
    record(
        by=by,
        act=Act.KEEP_PRIVACY,
        subject=f"assessment:{made.number}",
        region_code=by.region_code,
        detail={"purpose": purpose},
    )
    return made


@transaction.atomic
def decide_assessment(
    number: str, *, approve: bool, note: str, by: User, rules: PrivacyRules
) -> ImpactAssessment:
    """Approve an assessment or send it back; never one's own. It holds for the pack's months and is kept three years."""
    take_turn()
    found = assessments(by=by).filter(number=number).first()
    if found is None:
        raise PrivacyRefused("没有找到这份评估。", "No such assessment.", code="assessment_not_found")
    require(by, Act.DECIDE_PRIVACY, region_code=found.region_code)
    if found.made_by == by.username:
        raise PrivacyRefused("不能审定自己写的评估。", "Nobody approves an assessment of one's own.")
    if not approve and len(note.strip()) < 4:
        raise PrivacyRefused("退回时请写明理由。", "Say why it is sent back.", code="reason_missing")
    now, today = timezone.now(), timezone.localdate()
    valid_to = today + relativedelta(months=rules.assessment_months)
    done = ImpactAssessment.objects.filter(pk=found.pk, status=ImpactAssessment.Status.WAITING).update(
        status=ImpactAssessment.Status.APPROVED if approve else ImpactAssessment.Status.RETURNED,
        decided_by=by.username,
        decided_at=now,
        decision_note=note.strip()[:300],
        valid_to=valid_to if approve else None,
        keep_until=(valid_to if approve else today) + relativedelta(years=rules.assessment_years),
    )
    if not done:
        raise PrivacyRefused(f"{number} 已由他人处理。", f"{number} was decided already.", code="outrun")
    record(
        by=by,
        act=Act.DECIDE_PRIVACY,
        subject=f"assessment:{number}",
        region_code=found.region_code,
        reason=note.strip(),
        detail={"approved": approve},
    )
    found.refresh_from_db()
    return found


# ---- people's requests -------------------------------------------------------------------------------------------


@transaction.atomic
def receive_request(
    *,
    kind: str,
    name: str,
    id_number: str,
    asked: str,
    asked_by: str = "本人",
    received_on: date | None = None,
    by: User,
    rules: PrivacyRules,
) -> DataRequest:
    """Take down what a person asks for; the limit runs from the day after (pack, working days).

    The same open request of the same person is given back, not taken twice.
    """
    require(by, Act.RECEIVE_PRIVACY)
    reading = identity.read_id(id_number)
    if kind not in rules.limits:
        raise PrivacyRefused("请选择事项。", "Choose what is asked for.")
    if reading.number is None:
        raise PrivacyRefused(
            "证件号不是有效的身份证号，请核对。", "That is no valid identity number.", code="id_invalid"
        )
    if not name.strip() or len(asked.strip()) < 4:
        raise PrivacyRefused("请写明姓名和请求内容（至少四个字）。", "Say who asks and for what.")
    on = received_on or timezone.localdate()
    if on > timezone.localdate():
        raise PrivacyRefused("收到日期不能晚于今天。", "The day it was received cannot be after today.")
    take_turn()
    blind = keyring().digest(reading.number, purpose=ID_PURPOSE)
    for there in DataRequest.objects.filter(id_blind=blind, kind=kind, status=DataRequest.Status.OPEN):
        if there.asked == asked.strip() and there.region_code == by.region_code:
            return there
    made = DataRequest.objects.create(
        number=_number("XX", on, DataRequest),
        kind=kind,
        region_code=by.region_code,
        person_name=name.strip()[:80],
        id_number=reading.number,
        id_blind=blind,
        asked=asked.strip(),
        asked_by=asked_by.strip()[:30] or "本人",
        received_on=on,
        due_on=add_workdays(on, rules.limits[kind]),
        received_by=by.username,
    )
    DataRequestLine.write(by=by, kind="receive", text=f"收到{kind}请求，{made.due_on} 前答复", request=made)
    record(
        by=by,
        act=Act.RECEIVE_PRIVACY,
        subject=f"data_request:{made.number}",
        region_code=made.region_code,
        detail={"kind": kind, "due_on": made.due_on},
    )
    return made


def data_requests(*, by: User, status: str = "") -> QuerySet[DataRequest]:
    """The requests of the asker's area, the most urgent first."""
    require(by, Act.VIEW_PRIVACY)
    found = DataRequest.objects.filter(region_code__startswith=by.region_code)
    return found.filter(status=status) if status else found


def data_request(number: str, *, by: User) -> DataRequest:
    """One request of the asker's area; the look goes into the log."""
    found = data_requests(by=by).filter(number=number).first()
    if found is None:
        raise PrivacyRefused("没有找到这个请求。", "No such request.", code="data_request_not_found")
    record(by=by, act=Act.VIEW_PRIVACY, subject=f"data_request:{number}", region_code=found.region_code)
    return found


@transaction.atomic
def decide_request(number: str, *, grant: bool, answer: str, by: User) -> DataRequest:
    """Answer a request (art.50: a refusal says why); never one that one took oneself."""
    take_turn()
    found = data_requests(by=by).filter(number=number).first()
    if found is None:
        raise PrivacyRefused("没有找到这个请求。", "No such request.", code="data_request_not_found")
    require(by, Act.DECIDE_PRIVACY, region_code=found.region_code)
    if found.received_by == by.username:
        raise PrivacyRefused("受理和办理须是两个人。", "Who took the request does not decide it.")
    if len(answer.strip()) < 6:
        raise PrivacyRefused(
            "请写明怎样办理的，或不予办理的理由（至少六个字），这段话会答复本人。",
            "Say what was done, or why not; the person is told these words.",
            code="reason_missing",
        )
    now = timezone.now()
    done = DataRequest.objects.filter(pk=found.pk, status=DataRequest.Status.OPEN).update(
        status=DataRequest.Status.GRANTED if grant else DataRequest.Status.REFUSED,
        decided_by=by.username,
        decided_at=now,
        answer=answer.strip(),
    )
    if not done:
        raise PrivacyRefused(f"{number} 已由他人办理。", f"{number} was decided already.", code="outrun")
    found.refresh_from_db()
    DataRequestLine.write(by=by, kind="decide", text=found.get_status_display(), request=found)
    record(
        by=by,
        act=Act.DECIDE_PRIVACY,
        subject=f"data_request:{number}",
        region_code=found.region_code,
        detail={"granted": grant, "late": now.date() > found.due_on},
    )
    return found


def _number(letters: str, on: date, model: type[ImpactAssessment] | type[DataRequest]) -> str:
    """The next number of a day; who calls holds the turn."""
    begin = f"{letters}{on:%Y%m%d}-"
    newest = (
        model.objects.filter(number__startswith=begin)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )
    return f"{begin}{int(newest.removeprefix(begin)) + 1 if newest else 1:04d}"


# ---- who looked --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Look:
    """One look at a person's data as the person is told of it: when, who by role and office, what, and why."""

    at: str
    who: str
    office: str
    act: str
    reason: str
    fields: str


@dataclass(frozen=True)
class Known:
    """Under what name and in which area a room knows a person, whether registered or not."""

    name: str
    region_code: str


@dataclass(frozen=True)
class GivenConsent:
    """One consent of a person: for what, until when, and whether it was taken back."""

    kind: str
    number: str
    given_on: date
    valid_to: date | None
    withdrawn_on: date | None
    scope: str


_FIELD_WORDS = {
    "id_number": "完整证件号", "phone": "联系电话", "phone_whole": "联系电话", "address": "住址", "name": "姓名",
    "applicant_name": "姓名", "person_name": "姓名", "reason": "申请理由", "visits": "入户情况", "need": "需求",
    "kind": "帮扶种类", "amount_fen": "金额", "people": "核对对象", "queries": "查询结果", "reports": "核对报告",
}  # fmt: skip


@transaction.atomic
def looks_at(
    subjects: set[str],
    *,
    persons: set[int],
    by: User,
    reason: str,
    subject: str,
    region_code: str,
    act_words: dict[str, str] | None = None,
) -> list[Look]:
    """Every look at some subjects, newest first, for the person they are about (art.44, 45); telling it is itself on record.

    ``persons`` are the keys of the person in the registry: what was revealed of another member is not told.
    """
    require(by, Act.TELL_LOOKS, region_code=region_code)
    if len(reason.strip()) < 4:
        raise PrivacyRefused(
            "请写明由谁提出、怎样核对了身份（至少四个字）。",
            "Say who asks and how the identity was checked.",
            code="reason_missing",
        )
    staff = {user.username: user for user in User.objects.all()}
    labels = {act.value: label for act, label in ACT_LABELS.items()} | (act_words or {})
    found = []
    for entry in AuditEntry.objects.filter(subject__in=subjects).order_by("-number").iterator(chunk_size=500):
        about = entry.detail.get("person")
        if isinstance(about, int) and about not in persons:
            continue
        who = staff.get(entry.actor)
        role = Role(entry.role).label if entry.role in set(Role) else ""
        named = identity.mask_name(who.display_name) if who is not None else ""
        fields = [_FIELD_WORDS.get(str(name), str(name)) for name in entry.detail.get("fields", [])]
        if entry.detail.get("finances"):
            fields.append("经济状况")
        found.append(
            Look(
                at=f"{timezone.localtime(entry.at):%Y-%m-%d %H:%M}",
                who=f"{role} {named}".strip() or "系统",
                office=who.department or who.region_code if who is not None else "",
                act=labels.get(entry.act, entry.act),
                reason=entry.reason,
                fields="、".join(dict.fromkeys(fields)),
            )
        )
    record(
        by=by,
        act=Act.TELL_LOOKS,
        subject=subject,
        region_code=region_code,
        reason=reason.strip(),
        detail={"looks": len(found)},
    )
    return found
