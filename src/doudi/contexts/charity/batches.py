"""A body's monthly workbook from upload to filed: its columns assigned once, its rows judged, taken as a whole, answered.

上传 → 指定列（第一次）→ 预览 → 确认备案 → 批注表.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.charity import workbook
from doudi.contexts.charity.errors import FilingNotFound, StepRefused
from doudi.contexts.charity.filing import enter, limit
from doudi.contexts.charity.models import AidFiling, ColumnMapping, FilingBatch
from doudi.contexts.charity.organisations import own_organisation
from doudi.engine.packs.linking import LinkageRules
from doudi.house.attachments import declare_single, keep_single, open_single

MOST_BYTES = 20 << 20
_PURPOSE = declare_single("charity.batch")
_Status = FilingBatch.Status


@dataclass(frozen=True)
class Preview:
    """What a batch would do: the rows that can be filed, those that cannot with the reason, and the sum in fen."""

    batch: FilingBatch
    good: tuple[workbook.ReadRow, ...]
    bad: tuple[workbook.ReadRow, ...]
    amount_fen: int
    late: int


@transaction.atomic
def receive_batch(
    content: bytes, *, file_name: str, month: date | None = None, rules: LinkageRules, by: User
) -> FilingBatch:
    """Keep a body's workbook and find its columns; a layout seen before is read as it was. The same file again gives
    the batch that is there.
    """
    require(by, Act.FILE_AID)
    body = own_organisation(by)
    take_turn()
    if len(content) > MOST_BYTES:
        raise StepRefused(
            f"文件超过 {MOST_BYTES >> 20} MB，请分开上传。",
            "The file is too large; split it.",
            code="too_large",
        )
    digest = hashlib.sha256(content).hexdigest()
    standing = body.batches.filter(file_hash=digest).exclude(status=_Status.DROPPED).first()
    if standing is not None:
        return standing
    sheet = workbook.read_sheet(content, rules)
    mapping = ColumnMapping.objects.filter(organisation=body, layout=sheet.layout).first()
    today = timezone.localdate()
    earlier = FilingBatch.objects.filter(number__startswith=f"BB{today:%Y%m}").count()
    batch = FilingBatch.objects.create(
        number=f"BB{today:%Y%m}-{earlier + 1:04d}",
        organisation=body,
        month=(month or workbook.default_month(today)).replace(day=1),
        file_name=file_name[:255],
        file_hash=digest,
        sealed=keep_single(content, purpose=_PURPOSE),
        header=list(sheet.header),
        header_row=sheet.header_row,
        mapping=mapping,
        status=_Status.READ if mapping else _Status.MAPPING,
        sent_by=by.username,
    )
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"book:{batch.number}",
        region_code=body.region_code,
        detail={"step": "receive", "rows": len(sheet.rows), "known_layout": mapping is not None},
    )
    return batch


def batches(*, by: User, status: str = "") -> QuerySet[FilingBatch]:
    """Batches that ``by`` may see, newest first."""
    scope = require(by, Act.VIEW_FILINGS)
    found = FilingBatch.objects.select_related("organisation", "mapping")
    if scope is Scope.ORGANISATION:
        found = found.filter(organisation__code=by.organisation)
    elif by.region_code:
        found = found.filter(organisation__region_code__startswith=by.region_code)
    return found.filter(status=status) if status else found


def batch_of(number: str, *, by: User) -> FilingBatch:
    """One batch that ``by`` may see, or :class:`FilingNotFound`."""
    found = batches(by=by).filter(number=number).first()
    if found is None:
        raise FilingNotFound(f"没有找到报表 {number}。", f"No batch {number} for you.")
    return found


def suggested_columns(batch: FilingBatch, rules: LinkageRules) -> tuple[dict[str, str], dict[str, str]]:
    """What the columns probably are, by the body's earlier layouts and the pack; and the earlier fixed values."""
    if batch.mapping is not None:
        return dict(batch.mapping.columns), dict(batch.mapping.defaults)
    before = ColumnMapping.objects.filter(organisation_id=batch.organisation_id).order_by("-made_at").first()
    guessed = workbook.guess_columns(batch.header, rules, before.columns if before else {})
    return guessed, dict(before.defaults) if before else {}


@transaction.atomic
def assign_columns(
    number: str, *, columns: dict[str, str], defaults: dict[str, str], rules: LinkageRules, by: User
) -> FilingBatch:
    """Say which column is which field; kept for the body and read so from now on (列对应)."""
    take_turn()
    batch = batch_of(number, by=by)
    require(by, Act.FILE_AID, organisation=batch.organisation.code)
    columns = {field: label for field, label in columns.items() if label and field in rules.columns}
    defaults = {field: value for field, value in defaults.items() if value and field not in columns}
    workbook.check_mapping(columns, defaults, batch.header, rules)
    if batch.status not in (_Status.MAPPING, _Status.READ):
        raise _past(batch)
    mapping, _new = ColumnMapping.objects.update_or_create(
        organisation=batch.organisation,
        layout=workbook.layout_of(batch.header),
        defaults={"columns": columns, "defaults": defaults, "made_by": by.username},
    )
    FilingBatch.objects.filter(pk=batch.pk).update(mapping=mapping, status=_Status.READ)
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"book:{number}",
        region_code=batch.organisation.region_code,
        detail={"step": "assign_columns", "fields": sorted(columns)},
    )
    batch.refresh_from_db()
    return batch


def preview_batch(number: str, *, rules: LinkageRules, by: User) -> Preview:
    """What a batch would file, row by row, before anything is."""
    batch = batch_of(number, by=by)
    require(by, Act.FILE_AID, organisation=batch.organisation.code)
    rows = _rows(batch, rules)
    good = tuple(row for row in rows if row.aid is not None)
    today = timezone.localdate()
    return Preview(
        batch=batch,
        good=good,
        bad=tuple(row for row in rows if row.aid is None),
        amount_fen=sum(row.aid.amount_fen for row in good if row.aid),
        late=sum(limit(row.aid.aided_on, today, rules.file_workdays)[1] > 0 for row in good if row.aid),
    )


@transaction.atomic
def take_batch(number: str, *, rules: LinkageRules, by: User) -> FilingBatch:
    """File the rows of a batch that can be; what cannot is answered in the marked workbook. A second click does nothing."""
    take_turn()
    batch = batch_of(number, by=by)
    require(by, Act.FILE_AID, organisation=batch.organisation.code)
    if batch.status == _Status.TAKEN:
        return batch
    if batch.status != _Status.READ:
        raise _past(batch)
    rows = _rows(batch, rules)
    verdicts: dict[str, dict[str, str]] = {}
    for row in rows:
        if row.fault is not None:
            verdicts[str(row.number)] = {
                "state": "bad", "code": row.fault[0], "zh": row.fault[1], "en": row.fault[2], "column": row.column,
            }  # fmt: skip
    seen: dict[object, int] = {}
    aids = []
    for row in rows:
        if row.aid is None:
            continue
        key = _sameness(row)
        if key in seen:
            verdicts[str(row.number)] = {
                "state": "known", "code": "twice_in_file", "zh": f"与第 {seen[key]} 行完全相同，没有重复备案",
                "en": f"the same as row {seen[key]}; not filed twice", "column": "",
            }  # fmt: skip
            continue
        seen[key] = row.number
        aids.append(row.aid)
    filed, known, refused = enter(aids, body=batch.organisation, rules=rules, by=by, batch=batch)
    met = Counter(
        AidFiling.objects.filter(pk__in=[f.pk for f in filed], overlaps__isnull=False).values_list(
            "pk", flat=True
        )
    )
    for filing in filed:
        verdicts[str(filing.batch_row)] = {
            "state": "filed", "code": filing.number,
            "zh": f"已备案 {filing.number}" + (f"，迟 {filing.late_workdays} 个工作日" if filing.late_workdays else "")
            + (f"，与近期同类帮扶重叠 {met[filing.pk]} 笔" if met[filing.pk] else ""),
            "en": f"filed as {filing.number}" + (f", {filing.late_workdays} working days late" if filing.late_workdays else "")
            + (f", overlaps {met[filing.pk]}" if met[filing.pk] else ""),
            "column": "",
        }  # fmt: skip
    for aid, filing in known:
        verdicts[str(aid.row)] = {
            "state": "known", "code": filing.number, "zh": f"此前已备案 {filing.number}，没有重复备案",
            "en": f"filed before as {filing.number}", "column": "",
        }  # fmt: skip
    columns = batch.mapping.columns if batch.mapping else {}
    for aid, code, zh, en in refused:
        verdicts[str(aid.row)] = {
            "state": "bad", "code": code, "zh": zh.rstrip("。"), "en": en, "column": columns.get("姓名", ""),
        }  # fmt: skip
    counts = Counter(verdict["state"] for verdict in verdicts.values())
    FilingBatch.objects.filter(pk=batch.pk, status=_Status.READ).update(
        status=_Status.TAKEN,
        verdicts=verdicts,
        counts={
            "filed": counts["filed"], "known": counts["known"], "bad": counts["bad"],
            "late": sum(filing.late_workdays > 0 for filing in filed),
            "overlaps": len(met), "amount_fen": sum(filing.amount_fen for filing in filed),
        },
        taken_at=timezone.now(),
    )  # fmt: skip
    record(
        by=by,
        act=Act.FILE_AID,
        subject=f"book:{number}",
        region_code=batch.organisation.region_code,
        detail={"step": "take", **counts},
    )
    batch.refresh_from_db()
    return batch


@transaction.atomic
def drop_batch(number: str, *, by: User) -> FilingBatch:
    """Give up a batch that is not filed yet (作废); the file may be sent again."""
    take_turn()
    batch = batch_of(number, by=by)
    require(by, Act.FILE_AID, organisation=batch.organisation.code)
    if batch.status == _Status.DROPPED:
        return batch
    if batch.status not in (_Status.MAPPING, _Status.READ):
        raise _past(batch)
    FilingBatch.objects.filter(pk=batch.pk).update(status=_Status.DROPPED)
    record(
        by=by, act=Act.FILE_AID, subject=f"book:{number}", region_code=batch.organisation.region_code,
        detail={"step": "drop"},
    )  # fmt: skip
    batch.refresh_from_db()
    return batch


@transaction.atomic
def marked_batch(number: str, *, rules: LinkageRules, by: User) -> bytes:
    """The body's own workbook with the answer to each row (批注表); rows that were not filed can be mended and sent again."""
    batch = batch_of(number, by=by)
    require(by, Act.FILE_AID, organisation=batch.organisation.code)
    sheet = workbook.read_sheet(open_single(batch.sealed, purpose=_PURPOSE), rules)
    if batch.status == _Status.TAKEN:
        answers = {
            int(row): (said["zh"], said["state"] != "bad", said["column"])
            for row, said in batch.verdicts.items()
        }
    else:
        answers = {
            row.number: (row.fault[1], False, row.column)
            for row in _rows(batch, rules)
            if row.fault is not None
        }
    record(
        by=by, act=Act.FILE_AID, subject=f"book:{number}", region_code=batch.organisation.region_code,
        detail={"step": "marked_workbook", "rows": len(sheet.rows)},
    )  # fmt: skip
    return workbook.mark_sheet(sheet, answers)


def _rows(batch: FilingBatch, rules: LinkageRules) -> list[workbook.ReadRow]:
    if batch.mapping is None:
        return []
    sheet = workbook.read_sheet(open_single(batch.sealed, purpose=_PURPOSE), rules)
    return list(
        workbook.read_rows(
            sheet, batch.mapping.columns, batch.mapping.defaults, rules, today=timezone.localdate()
        )
    )


def _sameness(row: workbook.ReadRow) -> tuple[object, ...]:
    aid = row.aid
    assert aid is not None
    return (
        aid.id_number.upper(),
        aid.group_count,
        aid.kind,
        aid.way,
        aid.amount_fen,
        aid.aided_on,
        aid.what,
        aid.project,
    )


def _past(batch: FilingBatch) -> StepRefused:
    return StepRefused(
        f"报表 {batch.number} 现为“{batch.get_status_display()}”，不能这样办。",
        f"Batch {batch.number} is {batch.status}.",
    )
