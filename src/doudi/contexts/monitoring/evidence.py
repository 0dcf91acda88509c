"""Papers that a check stands on (证据): sealed in the state folder by the hash of their content.

What a file is, its first bytes say, not its name; the name it came with is not kept. A file is opened again only
through a look that goes into the log.
"""

from __future__ import annotations

import hashlib

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.cases import StepRefused
from doudi.contexts.monitoring.models import Doubt, DoubtEvidence
from doudi.engine.errors import DoudiError
from doudi.house.keyring import keyring, write_aside
from doudi.house.paths import home

MAX_EVIDENCE_BYTES = 10 << 20
_PURPOSE = "doubt.evidence"
_SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
SUFFIXES = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


def media_type_of(content: bytes) -> str | None:
    """PDF, JPEG or PNG by the first bytes; None for anything else."""
    return next((kind for begin, kind in _SIGNATURES if content.startswith(begin)), None)


@transaction.atomic
def add_evidence(doubt: Doubt, *, label: str, content: bytes, by: User) -> DoubtEvidence:
    """Put a paper to a doubt; the same paper again changes nothing."""
    require(by, Act.CHECK_DOUBT, region_code=doubt.region_code)
    take_turn()
    if doubt.status not in (Doubt.Status.ASSIGNED, Doubt.Status.CHECKED):
        raise StepRefused(
            f"疑点现为“{doubt.get_status_display()}”，派核之后、定性之前才能上传证据。",
            f"The doubt is {doubt.status}; papers are added between assignment and conclusion.",
        )
    if len(label.strip()) < 2:
        raise StepRefused(
            "请写明这份证据是什么（至少两个字）。", "Say what the paper is (two characters or more)."
        )
    if not content or len(content) > MAX_EVIDENCE_BYTES:
        raise StepRefused(
            f"证据文件须在 1 字节到 {MAX_EVIDENCE_BYTES >> 20} MB 之间。请压缩后再传。",
            f"A paper has 1 byte to {MAX_EVIDENCE_BYTES >> 20} MB; compress it and send it again.",
        )
    media_type = media_type_of(content)
    if media_type is None:
        raise StepRefused(
            "只收 PDF、JPG、PNG 文件；按内容判断，改扩展名没有用。请扫描或拍照后再传。",
            "Only PDF, JPEG and PNG are taken, judged by content; scan or photograph the paper.",
        )
    digest = hashlib.sha256(content).hexdigest()
    standing = doubt.evidence.filter(sha256=digest).first()
    if standing is not None:
        return standing
    path = home().evidence / f"{digest}.sealed"
    if not path.exists():
        write_aside(path, keyring().seal(content, purpose=f"{_PURPOSE}:{digest}"))
    added = DoubtEvidence.objects.create(
        doubt=doubt,
        label=label.strip()[:120],
        sha256=digest,
        media_type=media_type,
        size=len(content),
        added_by=by.username,
    )
    record(
        by=by,
        act=Act.CHECK_DOUBT,
        subject=f"household:{doubt.household_no}",
        region_code=doubt.region_code,
        detail={"doubt": doubt.number, "evidence": digest, "type": media_type},
    )
    return added


@transaction.atomic
def open_evidence(doubt: Doubt, pk: int, *, by: User) -> tuple[DoubtEvidence, bytes]:
    """A paper of a doubt as it came, with the look in the log."""
    require(by, Act.VIEW_FINANCES, region_code=doubt.region_code)
    found = doubt.evidence.filter(pk=pk).first()
    path = home().evidence / f"{found.sha256}.sealed" if found else None
    if found is None or path is None or not path.exists():
        raise DoudiError(
            "没有找到这份证据。如果确曾上传，请从备份恢复状态目录。",
            "No such paper on this doubt; if it was there, restore the state folder from a backup.",
            code="evidence_not_found",
        )
    content = keyring().open(path.read_bytes(), purpose=f"{_PURPOSE}:{found.sha256}")
    record(
        by=by,
        act="view_evidence",
        subject=f"household:{doubt.household_no}",
        region_code=doubt.region_code,
        detail={"doubt": doubt.number, "evidence": found.sha256},
    )
    return found, content
