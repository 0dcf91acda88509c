"""Who applied asks and adds (手机自助): how far the own application is, what is missing, and pictures of papers.

The code of the receipt and the last four of the applicant's number open one application and nothing else; every try is
counted, a wrong one too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import transaction

from doudi.contexts.accounts.services import Act, take_turn
from doudi.contexts.assistance.accepting import missing_papers
from doudi.contexts.assistance.application_models import Application, ApplicationPaper, SupplementNotice
from doudi.contexts.assistance.applications import log_step, note
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.procedure import State
from doudi.contexts.monitoring import services as monitoring
from doudi.engine import pictures
from doudi.engine.packs.outreach import Outreach
from doudi.engine.packs.procedures import Procedure, Procedures
from doudi.house.attachments import LIMIT, keep_attachment

MOST_PICTURES = 30
"""Pictures that one applicant may send to one application: nobody fills the office's disk from a telephone."""
_TAKES = (State.SUBMITTED, State.SUPPLEMENT)


@dataclass(frozen=True)
class PaperState:
    """A paper as the applicant sees it: in how many pictures it is there, whether it is still asked for."""

    code: str
    label: str
    label_en: str
    required: bool
    there: int
    seen_original: bool
    asked: bool


@dataclass(frozen=True)
class Progress:
    """What an applicant is told of the own application: how far, since when, until when, what is missing."""

    found: bool
    state: str = ""
    kind: str = ""
    submitted_on: date | None = None
    accepted_on: date | None = None
    due_on: date | None = None
    missing: tuple[str, ...] = ()
    told_on: date | None = None
    """When the one notice of what is missing was given (一次性告知)."""
    papers: tuple[PaperState, ...] = ()
    """Every paper of the kind; empty once nothing more is taken from a telephone."""


def application_progress(
    receipt: str, tail: str, *, rules: Procedures, limits: Outreach, address: str = ""
) -> Progress:
    """How far an application is, by its code and the last four of the applicant's number; wrong ones count."""
    found = _opened(receipt, tail, limits, address)
    return _progress(found, rules) if found is not None else Progress(False)


def hand_in_paper(
    receipt: str,
    tail: str,
    code: str,
    picture: bytes,
    *,
    rules: Procedures,
    limits: Outreach,
    address: str = "",
) -> Progress:
    """Take a picture of a paper from the applicant (手机补交材料); the same picture again is the same paper.

    Before it is sealed it loses place, time and all else that is not the picture. Raises :class:`StepRefused`,
    :class:`PictureRefused`, :class:`TooMany`; a wrong code gives a progress that is not found.
    """
    found = _opened(receipt, tail, limits, address)
    if found is None:
        return Progress(False)
    if len(picture) > LIMIT:
        raise StepRefused(
            f"照片超过 {LIMIT >> 20} MB，请调低分辨率后重拍。",
            f"The picture is larger than {LIMIT >> 20} MB; make it smaller.",
            code="picture_large",
        )
    _keep(found, code, pictures.strip(picture), rules)
    return _progress(found, rules)


@transaction.atomic
def _opened(receipt: str, tail: str, limits: Outreach, address: str) -> Application | None:
    """The application that a code opens; no exception for a wrong one, which would undo the count."""
    take_turn()
    monitoring.let_through("progress", address, limits.looks_per_address, minutes=limits.window_minutes)
    written = receipt.strip().upper().replace("-", "").replace(" ", "")
    found = Application.objects.filter(receipt=written).first()
    right = found is not None and len(tail.strip()) == 4 and found.id_number[-4:] == tail.strip().upper()
    return found if right else None


@transaction.atomic
def _keep(found: Application, code: str, picture: bytes, rules: Procedures) -> None:
    take_turn()
    found.refresh_from_db()
    kind = rules.of(found.kind, found.region_code)
    asked = {paper.code: paper for paper in kind.papers}
    if found.state not in _TAKES or code not in asked:
        raise StepRefused(
            "这件申请现在不能从手机补交这项材料，请联系受理窗口。",
            "This paper cannot be added by telephone now; ask the window.",
            code="paper_not_taken",
        )
    by = monitoring.passer_by()
    mine = ApplicationPaper.objects.filter(application=found, taken_by=by.username)
    if mine.count() >= MOST_PICTURES:
        raise StepRefused(
            f"已收到 {MOST_PICTURES} 张照片，其余请带到受理窗口。",
            f"{MOST_PICTURES} pictures were received; bring the rest to the window.",
            code="too_many_pictures",
        )
    digest = keep_attachment(picture).digest
    if mine.filter(code=code, evidence_hash=digest).exists():
        return
    ApplicationPaper.objects.create(
        application=found,
        code=code,
        evidence_hash=digest,
        evidence_name="手机照片",
        taken_by=by.username,
    )
    note(found, by=by, kind="paper", text=f"本人手机补交：{asked[code].label}")
    log_step(found, by, Act.TAKE_APPLICATION, step="paper", paper=code)


def _progress(found: Application, rules: Procedures) -> Progress:
    kind = rules.of(found.kind, found.region_code)
    told = SupplementNotice.objects.filter(application=found).first()
    missing = missing_papers(found, kind) if found.state == State.SUPPLEMENT else []
    return Progress(
        True,
        State(found.state).label,
        kind.label,
        found.submitted_on,
        found.accepted_on,
        found.due_on,
        tuple(paper.label for paper in missing),
        told.told_on if told is not None else None,
        _papers(found, kind) if found.state in _TAKES else (),
    )


def _papers(found: Application, kind: Procedure) -> tuple[PaperState, ...]:
    there: dict[str, list[ApplicationPaper]] = {}
    for row in found.papers.all():
        there.setdefault(row.code, []).append(row)
    asked = {paper.code for paper in missing_papers(found, kind)}
    return tuple(
        PaperState(
            paper.code,
            paper.label,
            paper.label_en,
            paper.required,
            len(there.get(paper.code, [])),
            any(row.seen_original for row in there.get(paper.code, [])),
            paper.code in asked,
        )
        for paper in kind.papers
    )
