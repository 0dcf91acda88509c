"""Visits made where there is no signal (离线入户): tasks taken along on a telephone, and visits that come back.

What a telephone sends is kept as it was sent and never overwrites anything. It becomes a visit of the warning where
nobody else acted meanwhile; else it waits, with both sides, for a person. The same visit sent again is the same visit.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.cases import StepRefused, WarningNotFound, note
from doudi.contexts.monitoring.models import FieldFile, FieldTask, FieldVisit, Visit, WarningCase
from doudi.contexts.registry import services as registry
from doudi.engine import pictures
from doudi.engine.errors import DoudiError
from doudi.house.attachments import declare_single, keep_single, open_single, remove_single
from doudi.house.keyring import keyring

MOST_TASKS = 100
MOST_FILES = 8
MOST_BYTES = 3 << 20
PART_BYTES = 256 << 10
KINDS = ("photo", "signature")
_PICTURE = declare_single("field.file")
_UNCLAIMED = timedelta(days=30)
_NOBODYS_STEP = ("update", "remind", "suspend", "resume")
"""Lines of a timeline that outrun no visit: a screen's update, a reminder, a clock that stood still."""
_TO_VISIT = (WarningCase.Status.DISPATCHED, WarningCase.Status.VISITED)
PENDING = (FieldVisit.State.CONFLICT, FieldVisit.State.DUPLICATE)


class FilesMissing(DoudiError):
    """A photo or signature that the visit names has not come whole yet."""

    code = "field_files_missing"
    retry = True


class SentDifferently(DoudiError):
    """A visit of this number was taken in before, with another content."""

    code = "field_visit_differs"


class FieldVisitNotFound(DoudiError):
    """No such visit from a telephone in the asker's area."""

    code = "field_visit_not_found"


# ---- taking tasks along ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TakenAlong:
    """One warning as a visitor needs it: whom to visit, where, why, and no figure of the household's economy."""

    case: WarningCase
    place: str
    phone: str
    people: list[registry.Member] = field(default_factory=list)

    @property
    def tried_on(self) -> list[date]:
        """The days on which nobody was found."""
        return list(self.case.attempts.order_by("tried_on").values_list("tried_on", flat=True))


@transaction.atomic
def take_along(*, by: User, keep_days: int) -> list[TakenAlong]:
    """The warnings that ``by`` is to visit, most urgent first; each is a look at the household and noted as taken along.

    Address and telephone are whole, since the visitor has to find the family; IDs and finances stay here.
    """
    require(by, Act.RECORD_VISIT)
    take_turn()
    _sweep()
    cases = list(
        registry.but_own(WarningCase.objects.visible_to(by), by=by, household="household_no")
        .filter(status__in=_TO_VISIT, assignee__in=("", by.username))
        .order_by("due_on", "-level_rank", "pk")
        .prefetch_related("signals")[:MOST_TASKS]
    )
    until = timezone.localdate() + timedelta(days=keep_days)
    taken = []
    for case in cases:
        last = case.events.order_by("-pk").first()
        FieldTask.objects.create(
            case=case,
            account=by.username,
            version=case.version,
            last_event=last.pk if last is not None else 0,
            keep_until=until,
        )
        record(
            by=by,
            act="take_along",
            subject=f"household:{case.household_no}",
            region_code=case.region_code,
            detail={"warning": case.number, "until": until, "fields": ["name", "address", "phone"]},
        )
        taken.append(_as_needed(case, by))
    return taken


def _as_needed(case: WarningCase, by: User) -> TakenAlong:
    report = case.reports.order_by("-pk").first()
    if case.provisional:
        return TakenAlong(case, report.place if report is not None else "", "")
    try:
        household = registry.household(case.household_no, by=by)
        contact = registry.contact_of(household)
    except registry.HouseholdNotFound:
        return TakenAlong(case, "", "")
    return TakenAlong(case, contact.address, contact.phone, registry.members(household, by=by))


def _sweep() -> None:
    """Drop files that no visit came for."""
    stale = FieldFile.objects.filter(field_visit=None, begun_at__lt=timezone.now() - _UNCLAIMED)
    for left in stale:
        if left.stored:
            remove_single(left.stored)
    stale.delete()


# ---- photos and signatures ---------------------------------------------------------------------------------------


@transaction.atomic
def take_part(
    *,
    client_id: UUID,
    name: str,
    kind: str,
    size: int,
    sha256: str,
    offset: int,
    content: bytes,
    by: User,
    act: Act = Act.RECORD_VISIT,
) -> FieldFile:
    """Take a part of a photo or signature in, ``size`` bytes in all; the answer says how many have come.

    ``act`` is what the picture proves: a visit, or another act out of reach of the network (:func:`hand_on_file`).

    A part that does not begin where the last one ended changes nothing: the telephone goes on from ``received``.
    What is here is sealed from the first part on; once it is whole it is stripped of metadata and put on disk.
    """
    require(by, act)
    if kind not in KINDS or not 0 < size <= MOST_BYTES or len(content) > PART_BYTES:
        raise StepRefused(
            f"照片或签名最大 {MOST_BYTES >> 20} MB，每次最多传 {PART_BYTES >> 10} KB。",
            f"A photo or signature has at most {MOST_BYTES >> 20} MB and comes in parts of {PART_BYTES >> 10} KB.",
        )
    take_turn()
    _require_own(client_id, by)
    file = FieldFile.objects.filter(client_id=client_id, name=name).first()
    if file is None:
        if FieldFile.objects.filter(client_id=client_id).count() >= MOST_FILES:
            raise StepRefused(
                f"一次入户最多 {MOST_FILES} 张照片和签名。",
                f"At most {MOST_FILES} photos and signatures a visit.",
            )
        file = FieldFile(account=by.username, client_id=client_id, name=name)
    elif file.stored and (file.sha256 == sha256 or file.field_visit_id is not None):
        return file
    if file.sha256 != sha256:
        # taken again before it was sent: begin anew
        if file.stored:
            remove_single(file.stored)
        file.kind, file.size, file.sha256, file.received = kind, size, sha256, 0
        file.content, file.stored = b"", ""
    if offset == file.received and file.received + len(content) <= file.size:
        whole = _so_far(file) + content
        file.received = len(whole)
        file.content = keyring().seal(whole, purpose=_part_purpose(file))
        if file.received == file.size:
            _complete(file, whole, by)
    file.save()
    return file


def _require_own(client_id: UUID, by: User) -> None:
    """A visit's number belongs to the account that first used it."""
    others = FieldFile.objects.filter(client_id=client_id).exclude(account=by.username).exists()
    if others or FieldVisit.objects.filter(client_id=client_id).exclude(account=by.username).exists():
        raise FieldVisitNotFound(
            "这次入户是另一个账号填写的，请用那个账号登录后再传。",
            "This visit was filled in under another account; sign in with that one to send it.",
        )


def _part_purpose(file: FieldFile) -> str:
    return f"field.part:{file.client_id}:{file.name}"


def _so_far(file: FieldFile) -> bytes:
    return keyring().open(bytes(file.content), purpose=_part_purpose(file)) if file.received else b""


def _complete(file: FieldFile, whole: bytes, by: User) -> None:
    if hashlib.sha256(whole).hexdigest() != file.sha256:
        # what came is not what was announced: the telephone sends it from the start
        file.received, file.content = 0, b""
        return
    file.stored = keep_single(pictures.strip(whole), purpose=_PICTURE)
    file.content = b""
    record(
        by=by,
        act="take_field_file",
        subject=f"field_visit:{file.client_id}",
        region_code=by.region_code,
        detail={"kind": file.kind, "sha256": file.sha256},
    )


@transaction.atomic
def hand_on_file(client_id: UUID, name: str, *, by: User) -> tuple[str, bytes]:
    """The kind and content of a picture that came for another act than a visit; once that is kept, it is kept there alone.

    Raises :class:`FilesMissing` where it has not come whole.
    """
    found = FieldFile.objects.filter(
        client_id=client_id, name=name, account=by.username, field_visit=None, stored__gt=""
    ).first()
    if found is None:
        raise FilesMissing("照片或签名没有传完。", "The photo or signature has not come whole.")
    stored, kind, content = found.stored, found.kind, open_single(found.stored, purpose=_PICTURE)
    found.delete()
    transaction.on_commit(lambda: remove_single(stored))
    return kind, content


def look_at_file(file_id: int, *, by: User) -> bytes:
    """A photo or signature, with the look in the audit log."""
    file = FieldFile.objects.select_related("field_visit__case").filter(pk=file_id, stored__gt="").first()
    if file is None or file.field_visit is None:
        raise FieldVisitNotFound("没有这张照片或签名。", "No such photo or signature.")
    kept = field_visit(file.field_visit.pk, by=by)
    record(
        by=by,
        act="look_at_evidence",
        subject=f"household:{kept.case.household_no}",
        region_code=kept.case.region_code,
        detail={"warning": kept.case.number, "kind": file.kind},
    )
    return open_single(file.stored, purpose=_PICTURE)


# ---- visits that come back ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SentVisit:
    """A visit as the telephone sends it; ``seen`` is the version of the warning that was taken along."""

    client_id: UUID
    number: str
    seen: int
    filled_at: datetime
    visited_on: date
    visitors: list[str]
    result_code: str
    finding: str
    consent: bool = False
    location: str = ""
    """``latitude,longitude,metres`` (WGS 84), only where the family agreed; else empty."""
    files: list[str] = field(default_factory=list)
    attempt: bool = False
    """Nobody was found (寻访未遇): a try and no visit, so ``result_code`` is empty."""
    signed: bool = False
    witnesses: list[str] = field(default_factory=list)
    consent_by: str = ""
    consent_how: str = ""

    def as_text(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, default=str)

    def for_record(self) -> dict[str, Any]:
        """What the service that records visits, or tries, asks for."""
        if self.attempt:
            return {"tried_on": self.visited_on, "visitors": self.visitors, "finding": self.finding}
        return {
            "visited_on": self.visited_on,
            "visitors": self.visitors,
            "result_code": self.result_code,
            "finding": self.finding,
            "consent": self.consent,
            "consent_by": self.consent_by,
            "consent_how": self.consent_how,
            "signed": self.signed,
            "witnesses": self.witnesses,
        }


def sent_before(sent: SentVisit, *, by: User) -> FieldVisit | None:
    """What a visit of this number became, where it was taken in before; another content under it is refused."""
    require(by, Act.RECORD_VISIT)
    _require_own(sent.client_id, by)
    kept = FieldVisit.objects.select_related("case").filter(client_id=sent.client_id).first()
    if kept is not None and bytes(kept.digest) != _digest(sent):
        raise SentDifferently(
            "这次入户此前已按原来的内容收下，没有被改动。要更正请在工作台另记一次入户。",
            "This visit was taken in before as it was then; to correct it record another visit at the workbench.",
        )
    return kept


def _digest(sent: SentVisit) -> bytes:
    return keyring().digest(sent.as_text(), purpose="field.digest")


@transaction.atomic
def keep_field_visit(sent: SentVisit, *, by: User) -> FieldVisit:
    """Keep a visit as it was sent, and say whether it may be recorded or has to wait for a person.

    It waits where somebody else stepped in after the task was taken along, where the warning is closed or went to
    another area, or where a visit of that day is on record already.
    """
    require(by, Act.RECORD_VISIT)
    take_turn()
    task = (
        FieldTask.objects.select_related("case")
        .filter(case__number=sent.number, account=by.username, version=sent.seen)
        .order_by("-pk")
        .first()
    )
    if task is None:
        raise WarningNotFound(
            f"预警 {sent.number} 不是账号“{by.username}”带走的任务。请用带走任务的账号登录后再传。",
            f"Warning {sent.number} was not taken along by {by.username!r}; sign in with the account that took it.",
        )
    files = list(FieldFile.objects.filter(client_id=sent.client_id, name__in=sent.files, stored__gt=""))
    if missing := set(sent.files) - {file.name for file in files}:
        raise FilesMissing(
            f"还有 {len(missing)} 张照片或签名没有传完。",
            f"{len(missing)} photos or signatures have not come whole.",
        )
    if sent.signed and not any(file.kind == "signature" for file in files):
        raise StepRefused(
            "写着本人已签字，但没有签名图。请本人在手机上签字，或取消签字改填见证人。",
            "It says signed, but there is no signature; let the person sign on the telephone, or name witnesses.",
        )
    state, why, why_en = _judged(task, sent, by)
    kept = FieldVisit.objects.create(
        client_id=sent.client_id,
        case=task.case,
        region_code=by.region_code,
        account=by.username,
        content=sent.as_text(),
        digest=_digest(sent),
        seen=sent.seen,
        state=state,
        why=why[:300],
        why_en=why_en[:300],
        filled_at=sent.filled_at,
    )
    FieldFile.objects.filter(pk__in=[file.pk for file in files]).update(field_visit=kept)
    record(
        by=by,
        act="take_field_visit",
        subject=f"household:{task.case.household_no}",
        region_code=task.case.region_code,
        detail={"warning": task.case.number, "state": state, "files": len(files)},
    )
    return kept


def _judged(task: FieldTask, sent: SentVisit, by: User) -> tuple[str, str, str]:
    case = task.case
    same_day = case.visits.filter(visited_on=sent.visited_on).order_by("-pk").first()
    if same_day is not None:
        return (
            FieldVisit.State.DUPLICATE,
            f"{sent.visited_on} 已有一次入户记录（{same_day.visitors}，{same_day.result_code}），请核对是不是同一次。",
            f"A visit of {sent.visited_on} is on record ({same_day.visitors}, {same_day.result_code}); is it the same?",
        )
    if sent.attempt and case.attempts.filter(tried_on=sent.visited_on).exists():
        return (
            FieldVisit.State.DUPLICATE,
            f"{sent.visited_on} 已有一次寻访未遇的记录，请核对是不是同一次。",
            f"A try of {sent.visited_on} is on record; is it the same?",
        )
    if not case.region_code.startswith(by.region_code):
        place = registry.region_name(case.region_code)
        return (
            FieldVisit.State.CONFLICT,
            f"带走之后，预警已改派 {place}。",
            f"After it was taken along the warning went to {place}.",
        )
    if case.status not in _TO_VISIT:
        return (
            FieldVisit.State.CONFLICT,
            f"带走之后，预警已变为“{case.get_status_display()}”。",
            f"After it was taken along the warning became {case.status}.",
        )
    steps = (
        case.events.filter(pk__gt=task.last_event)
        .exclude(kind__in=_NOBODYS_STEP)
        .exclude(actor=by.username)
        .order_by("pk")
    )
    if first := steps.first():
        when = f"{timezone.localtime(first.at):%m-%d %H:%M}"
        return (
            FieldVisit.State.CONFLICT,
            f"带走之后，{first.actor_name}于 {when} 办过：{first.text}",
            f"After it was taken along {first.actor_name} acted on {when} ({first.kind}).",
        )
    return FieldVisit.State.RECORDED, "", ""


def mark_recorded(kept: FieldVisit, visit: Visit | None) -> FieldVisit:
    """Tie what the telephone sent to the visit it became, None for a try; the caller holds the transaction."""
    FieldVisit.objects.filter(pk=kept.pk).update(visit=visit, state=FieldVisit.State.RECORDED)
    kept.refresh_from_db()
    return kept


# ---- what waits for a person -------------------------------------------------------------------------------------


def field_visits(*, by: User, pending: bool = True) -> QuerySet[FieldVisit]:
    """Visits from telephones of the account's area, or of warnings it answers for now; newest first."""
    require(by, Act.VIEW_FINANCES)
    mine = Q(region_code__startswith=by.region_code) | Q(case__region_code__startswith=by.region_code)
    found = registry.but_own(
        FieldVisit.objects.select_related("case", "visit").filter(mine), by=by, household="case__household_no"
    )
    return found.filter(state__in=PENDING) if pending else found


def field_visit(number: int, *, by: User) -> FieldVisit:
    """One visit from a telephone, or :class:`FieldVisitNotFound`."""
    found = field_visits(by=by, pending=False).prefetch_related("files").filter(pk=number).first()
    if found is None:
        raise FieldVisitNotFound(
            "没有这次手机回传，或不在您的辖区。", "No such visit from a telephone in your area."
        )
    return found


@transaction.atomic
def look_at_field_visit(number: int, *, by: User) -> FieldVisit:
    """:func:`field_visit`, with the look in the audit log."""
    found = field_visit(number, by=by)
    record(
        by=by,
        act="look_at_field_visit",
        subject=f"household:{found.case.household_no}",
        region_code=found.case.region_code,
        detail={"warning": found.case.number},
    )
    return found


def sent_visit(kept: FieldVisit) -> SentVisit:
    """What the telephone sent."""
    raw = json.loads(kept.content)
    return SentVisit(
        **{
            **raw,
            "client_id": UUID(raw["client_id"]),
            "filled_at": datetime.fromisoformat(raw["filled_at"]),
            "visited_on": date.fromisoformat(raw["visited_on"]),
        }
    )


@transaction.atomic
def settle_field_visit(
    kept: FieldVisit, *, to: str, ground: str, by: User, visit: Visit | None = None
) -> FieldVisit:
    """Settle a visit that waits: recorded as ``visit``, noted on the timeline, or set aside, each with a ground."""
    require(by, Act.RECORD_VISIT, region_code=kept.case.region_code)
    take_turn()
    if len(ground.strip()) < 4:
        raise StepRefused("请写明处理理由（至少四个字）。", "Give a ground (four characters or more).")
    done = FieldVisit.objects.filter(pk=kept.pk, state__in=PENDING).update(
        state=to,
        visit=visit,
        settled_by=by.username,
        settled_at=timezone.now(),
        ground=ground.strip()[:300],
    )
    if not done:
        raise StepRefused(
            "这次手机回传已由他人处理，请刷新。", "Somebody else settled this visit; reload the page."
        )
    kept.refresh_from_db()
    sent = sent_visit(kept)
    people = "、".join(sent.visitors)
    words = {
        FieldVisit.State.RECORDED: "采用手机回传的入户记录",
        FieldVisit.State.NOTED: f"手机回传（只记入时间线）：{sent.visited_on} {people}，{sent.result_code}，{sent.finding}",
        FieldVisit.State.SET_ASIDE: f"搁置 {sent.visited_on} {people} 的手机回传",
    }[FieldVisit.State(to)]
    note(kept.case, by=by, kind="field", text=f"{words}。{kept.ground}")
    record(
        by=by,
        act="settle_field_visit",
        subject=f"household:{kept.case.household_no}",
        region_code=kept.case.region_code,
        detail={"warning": kept.case.number, "to": to},
    )
    return kept
