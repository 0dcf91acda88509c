"""Papers that a check stands on (证据): sealed in the state folder by the hash of their content.

What a file is, its first bytes say, not its name; the name it came with is not kept. A file is opened again only
through a look that goes into the log.
"""

from __future__ import annotations

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.monitoring.cases import StepRefused
from doudi.contexts.monitoring.models import Doubt, DoubtEvidence
from doudi.engine.errors import DoudiError
from doudi.house.attachments import keep_attachment, open_attachment


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
    kept = keep_attachment(content)
    standing = doubt.evidence.filter(sha256=kept.digest).first()
    if standing is not None:
        return standing
    added = DoubtEvidence.objects.create(
        doubt=doubt,
        label=label.strip()[:120],
        sha256=kept.digest,
        media_type=kept.media_type,
        size=kept.size,
        added_by=by.username,
    )
    record(
        by=by,
        act=Act.CHECK_DOUBT,
        subject=f"household:{doubt.household_no}",
        region_code=doubt.region_code,
        detail={"doubt": doubt.number, "evidence": kept.digest, "type": kept.media_type},
    )
    return added


@transaction.atomic
def open_evidence(doubt: Doubt, pk: int, *, by: User) -> tuple[DoubtEvidence, bytes]:
    """A paper of a doubt as it came, with the look in the log."""
    require(by, Act.VIEW_FINANCES, region_code=doubt.region_code)
    found = doubt.evidence.filter(pk=pk).first()
    if found is None:
        raise DoudiError(
            "没有找到这份证据。如果确曾上传，请从备份恢复状态目录。",
            "No such paper on this doubt; if it was there, restore the state folder from a backup.",
            code="evidence_not_found",
        )
    content, _media_type = open_attachment(found.sha256)
    record(
        by=by,
        act="view_evidence",
        subject=f"household:{doubt.household_no}",
        region_code=doubt.region_code,
        detail={"doubt": doubt.number, "evidence": found.sha256},
    )
    return found, content
