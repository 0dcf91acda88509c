"""Lists as workbooks (导出): asked for with a reason, agreed to by a second person above the pack's limit, built once.

In come conditions, columns and a reason; out comes a workbook whose first row says who took it, when and why, and whose
hash stands in the audit log before anybody has the file. Numbers stay masked unless whole ones were asked for.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import xlsxwriter
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import (
    Act,
    User,
    may,
    record,
    require,
    system_user,
    take_turn,
)
from doudi.contexts.registry.disabilities import with_disabilities
from doudi.contexts.registry.listing import (
    COLUMNS,
    HOUSEHOLDS,
    PERSONS,
    SUBJECTS,
    Conditions,
    ListInvalid,
    Row,
    in_words,
    list_page,
    told,
)
from doudi.contexts.registry.models import ListExport
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import ExportRules
from doudi.house.keyring import SealBroken, keyring
from doudi.house.paths import home
from doudi.house.resealing import declare_folder
from doudi.house.sealed_files import open_file, seal_file

_PAGE = 2000
_SHEET_ROWS = 1_000_000
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

WHOLE = {"id_number": "证件号", "phone_whole": "联系电话", "address": "住址"}
"""Columns of people that are never on a page, only in a workbook asked for with a reason."""
EXPORT_COLUMNS = {HOUSEHOLDS: COLUMNS[HOUSEHOLDS], PERSONS: {**COLUMNS[PERSONS], **WHOLE}}
EDITABLE = {
    HOUSEHOLDS: ("responsible", "remark"),
    PERSONS: ("phone_whole", "address", "responsible", "remark"),
}
"""Columns that may be changed in the workbook and sent back (表格回传); their headers are green."""
KEY_LABEL = "行标识"


class ExportRefused(DoudiError):
    """An export that may not be asked for, decided or taken now; the message says why."""

    code = "export_refused"


class ExportNotFound(DoudiError):
    """No such export of the asker's, or none that the asker decides."""

    code = "export_not_found"


@transaction.atomic
def request_export(
    *,
    subject: str,
    asked: Conditions,
    columns: Sequence[str],
    reason: str,
    by: User,
    rules: ExportRules,
    warned: QuerySet[Any] | None = None,
) -> ListExport:
    """Ask for a list as a workbook; up to the pack's limit it is granted at once, above it somebody else decides."""
    require(by, Act.EXPORT_LIST)
    if len(reason.strip()) < 4:
        raise ExportRefused(
            "请写明导出事由（至少四个字），它会印在表格第一行并记入审计日志。",
            "State why the list is exported (four characters or more); it stands in the first row and in the log.",
            code="reason_missing",
        )
    if subject not in SUBJECTS:
        raise ListInvalid("没有这种列表。", "No such list.")
    wanted = [column for column in columns if column in EXPORT_COLUMNS[subject]]
    if not wanted:
        raise ListInvalid("请至少选择一列。", "Choose at least one column.")
    if any(column in WHOLE for column in wanted):
        require(by, Act.REVEAL_IDENTITY)
    if "disability" in wanted:
        require(by, Act.VIEW_FINANCES)
    take_turn()
    rows = sum(1 for _ in _rows(subject, asked, by=by, warned=warned))
    if not rows:
        raise ExportRefused(
            "没有符合条件的数据，无需导出。", "Nothing fits the conditions.", code="export_empty"
        )
    free = rows <= rules.free_rows and not (rules.whole_ids_need_approval and "id_number" in wanted)
    now = timezone.now()
    export = ListExport.objects.create(
        subject=subject,
        region_code=by.region_code,
        asked=json.dumps(asked.to_json(), ensure_ascii=False),
        told=in_words(asked)[:500],
        columns=wanted,
        reason=reason.strip()[:200],
        rows=rows,
        status=ListExport.Status.GRANTED if free else ListExport.Status.WAITING,
        requested_by=by.username,
        requested_name=by.display_name or by.username,
        expires_at=now + timedelta(days=rules.valid_days) if free else None,
    )
    record(
        by=by,
        act=Act.EXPORT_LIST,
        subject=f"export:{export.number}",
        region_code=by.region_code,
        reason=export.reason,
        detail={"list": subject, "columns": wanted, "rows": rows, "waiting": not free},
    )
    return export


def exports(*, by: User) -> QuerySet[ListExport]:
    """The asker's own exports, and for who decides or audits those of the area."""
    require(by, Act.VIEW_EXPORTS)
    if may(by, Act.APPROVE_EXPORT) or may(by, Act.VIEW_AUDIT):
        inside = Q(region_code__startswith=by.region_code)
        return ListExport.objects.filter(inside | Q(requested_by=by.username))
    return ListExport.objects.filter(requested_by=by.username)


def export_of(pk: int, *, by: User) -> ListExport:
    """One export that the asker may see, or :class:`ExportNotFound`."""
    found = exports(by=by).filter(pk=pk).first()
    if found is None:
        raise ExportNotFound("没有找到这个导出申请。", "No such export.")
    return found


def asked_of(export: ListExport) -> Conditions:
    """The conditions an export was asked for with."""
    return Conditions.read(json.loads(export.asked))


@transaction.atomic
def decide_export(pk: int, *, grant: bool, note: str, by: User, rules: ExportRules) -> ListExport:
    """Grant or refuse an export of somebody else; of two who decide at once one wins and the other is told."""
    take_turn()
    found = export_of(pk, by=by)
    require(by, Act.APPROVE_EXPORT, region_code=found.region_code)
    if found.requested_by == by.username:
        raise ExportRefused(
            "不能审批自己的导出申请，请由另一位负责人审批。",
            "Nobody decides an export of one's own; ask somebody else.",
        )
    if not grant and len(note.strip()) < 2:
        raise ExportRefused("不批准时请写明理由。", "Say why the export is refused.", code="reason_missing")
    now = timezone.now()
    done = ListExport.objects.filter(pk=pk, status=ListExport.Status.WAITING).update(
        status=ListExport.Status.GRANTED if grant else ListExport.Status.REFUSED,
        decided_by=by.username,
        decided_at=now,
        decision_note=note.strip()[:200],
        expires_at=now + timedelta(days=rules.valid_days) if grant else None,
    )
    found.refresh_from_db()
    if not done:
        raise ExportRefused(
            f"{found.number} 已由他人处理，现为“{found.get_status_display()}”。",
            f"{found.number} was decided already: {found.status}.",
            code="outrun",
        )
    record(
        by=by,
        act=Act.APPROVE_EXPORT,
        subject=f"export:{found.number}",
        region_code=found.region_code,
        reason=found.decision_note,
        detail={"granted": grant, "rows": found.rows, "requested_by": found.requested_by},
    )
    return found


def take_export(
    pk: int, *, by: User, warned: QuerySet[Any] | None = None
) -> tuple[ListExport, Iterator[bytes]]:
    """The workbook for who asked for it, while it is valid: built at the first taking, the same bytes ever after.

    The entry with the hash is committed before the first byte is handed out.
    """
    require(by, Act.EXPORT_LIST)
    found = export_of(pk, by=by)
    if found.requested_by != by.username:
        raise ExportRefused("只有申请人本人可以下载。", "Only who asked for the export may take it.")
    if found.status != ListExport.Status.GRANTED:
        raise ExportRefused(
            f"{found.number} 为“{found.get_status_display()}”，不能下载。",
            f"{found.number} is {found.status}.",
        )
    if found.expires_at is None or found.expires_at <= timezone.now():
        raise ExportRefused(
            f"{found.number} 已过有效期，请重新申请。",
            f"{found.number} has run out; ask again.",
            code="export_expired",
        )
    sealed = home().exports / f"{found.number}.sealed"
    digest, rows = _build_once(found, sealed, by=by, warned=warned)
    with transaction.atomic():
        take_turn()
        ListExport.objects.filter(pk=pk).update(sha256=digest, rows=rows, downloads=F("downloads") + 1)
        record(
            by=by,
            act="take_export",
            subject=f"export:{found.number}",
            region_code=found.region_code,
            reason=found.reason,
            detail={"sha256": digest, "rows": rows, "columns": found.columns},
        )
    found.refresh_from_db()
    return found, open_file(sealed, purpose=_purpose(found))


@transaction.atomic
def drop_expired_exports(rules: ExportRules) -> int:
    """Remove the sealed workbooks that can neither be taken nor sent back any more; returns how many (到期清除).

    The request, its reason, rows and hash stay; an entry of the log says that the file is gone (个人信息保护法 第十九条:
    kept no longer than the purpose needs).
    """
    take_turn()
    past = timezone.now() - timedelta(days=rules.kept_days)
    dropped = 0
    for found in ListExport.objects.filter(expires_at__lt=past).exclude(sha256="").order_by("pk"):
        sealed = home().exports / f"{found.number}.sealed"
        if not sealed.exists():
            continue
        record(
            by=system_user(),
            act="drop_export",
            subject=f"export:{found.number}",
            region_code=found.region_code,
            detail={"sha256": found.sha256, "expired": found.expires_at.date() if found.expires_at else None},
        )
        # after the commit: a file that went while its entry did not would be gone unaccounted for
        transaction.on_commit(partial(_unlink, sealed))
        dropped += 1
    return dropped


def _unlink(sealed: Path) -> None:
    sealed.unlink(missing_ok=True)
    sealed.with_suffix(".lock").unlink(missing_ok=True)


def _purpose(export: ListExport) -> str:
    return f"export:{export.number}"


declare_folder("exports", lambda name: [f"export:{name.removesuffix('.sealed')}"])


def row_key(export: ListExport, row: Row) -> str:
    """The mark of a row: says to this office, of this export alone, which household and person the row is."""
    plain = f"{row.household.pk}:{row.person.pk if row.person else ''}".encode()
    sealed = keyring().seal(plain, purpose=f"{_purpose(export)}:row")
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def read_row_key(export: ListExport, key: str) -> tuple[int, int | None] | None:
    """The household and the person of a row's mark; None where it was not made for this export."""
    try:
        sealed = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
        household, _, person = (
            keyring().open(sealed, purpose=f"{_purpose(export)}:row").decode().partition(":")
        )
    except (SealBroken, ValueError):
        return None
    return int(household), int(person) if person else None


def key_header(export: ListExport) -> str:
    """The header of the column of row marks, which names the export."""
    return f"{KEY_LABEL} {export.number}（请勿改动）"


@contextmanager
def original_of(export: ListExport) -> Iterator[Path]:
    """The workbook as it left, opened for this moment; :class:`ExportRefused` where it is no longer kept."""
    sealed = home().exports / f"{export.number}.sealed"
    if not export.sha256 or not sealed.exists():
        raise ExportRefused(
            f"{export.number} 的原表已不在，无法比对。请重新导出后再改。",
            f"The workbook of {export.number} is no longer kept; export the list again.",
            code="export_gone",
        )
    plain = home().work / f"{secrets.token_hex(8)}.xlsx"
    try:
        with open(os.open(plain, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.writelines(open_file(sealed, purpose=_purpose(export)))
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _build_once(
    export: ListExport, sealed: Path, *, by: User, warned: QuerySet[Any] | None
) -> tuple[str, int]:
    """The hash and the rows of the workbook, which is built if nobody has built it; of two at once one waits."""
    sealed.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sealed.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        export.refresh_from_db()
        if export.sha256 and sealed.exists():
            return export.sha256, export.rows
        plain = home().work / f"{secrets.token_hex(8)}.xlsx"
        try:
            rows = _write(export, plain, by=by, warned=warned)
            with plain.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            seal_file(plain, sealed, purpose=_purpose(export))
        finally:
            plain.unlink(missing_ok=True)
        return digest, rows


def _rows(
    subject: str,
    asked: Conditions,
    *,
    by: User,
    warned: QuerySet[Any] | None,
    columns: Sequence[str] = (),
) -> Iterator[Row]:
    """Every row of a list, read page by page, so that memory does not grow with the list."""
    after = ""
    while True:
        page = list_page(subject, asked, by=by, warned=warned, after=after, limit=_PAGE, counted=False)
        if "disability" in columns:
            with_disabilities(page.rows)
        yield from page.rows
        after = page.next
        if not after:
            return


def _write(export: ListExport, to: Path, *, by: User, warned: QuerySet[Any] | None) -> int:
    """The workbook: who, when, why in the first row; then the header; text as text, so that no cell can act."""
    labels = EXPORT_COLUMNS[export.subject]
    asked = asked_of(export)
    plain = [column for column in export.columns if column not in WHOLE]
    book = xlsxwriter.Workbook(
        str(to),
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "tmpdir": str(home().work),
        },
    )
    header = book.add_format({"bold": True, "bg_color": "#D9E1F2", "border": 1})
    open_header = book.add_format({"bold": True, "bg_color": "#C6E0B4", "border": 1})
    key_format = book.add_format({"num_format": "@", "font_color": "#808080", "font_size": 8})
    editable = [column for column in EDITABLE[export.subject] if column in export.columns]
    mark = book.add_format({"italic": True, "font_color": "#9C0006"})
    text = book.add_format({"num_format": "@"})
    quoted = book.add_format({"num_format": "@", "quote_prefix": True})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    count, sheet, line = 0, None, 0
    for row in _rows(export.subject, asked, by=by, warned=warned, columns=plain):
        if sheet is None or line > _SHEET_ROWS:
            sheet, line = book.add_worksheet(), 2
            sheet.write_string(0, 0, _watermark(export), mark)
            for place, column in enumerate(export.columns):
                sheet.set_column(
                    place, place, 22 if column in ("id_number", "address", "region", "responsible") else 14
                )
                sheet.write_string(1, place, labels[column], open_header if column in editable else header)
            if editable:
                sheet.set_column(len(export.columns), len(export.columns), 26)
                sheet.write_string(1, len(export.columns), key_header(export), header)
            sheet.freeze_panes(2, 0)
            sheet.set_footer(f"&L{export.number}&R&P/&N")
        values = told(row, plain, by=by) | _whole(row)
        for place, column in enumerate(export.columns):
            value = values.get(column)
            if value is None or value == "":
                if column in editable:
                    # what is typed here must stay text, or Excel takes a telephone for a number
                    sheet.write_blank(line, place, None, text)
            elif isinstance(value, int):
                sheet.write_number(line, place, value)
            elif hasattr(value, "isoformat"):
                sheet.write_datetime(line, place, value, day)
            else:
                sheet.write_string(
                    line, place, str(value), quoted if str(value).startswith(_FORMULA_SIGNS) else text
                )
        if editable:
            sheet.write_string(line, len(export.columns), row_key(export, row), key_format)
        line, count = line + 1, count + 1
    if sheet is None:
        sheet = book.add_worksheet()
        sheet.write_string(0, 0, _watermark(export), mark)
    book.close()
    return count


def _whole(row: Row) -> dict[str, str]:
    if row.person is None:
        return {}
    return {"id_number": row.person.id_number, "phone_whole": row.person.phone, "address": row.person.address}


def _watermark(export: ListExport) -> str:
    asked_at = timezone.localtime(export.requested_at)
    approved = f"；审批：{export.decided_by}" if export.decided_by else ""
    editable = any(column in EDITABLE[export.subject] for column in export.columns)
    back = f"绿色表头的列可以改了回传，“{KEY_LABEL}”列请勿改动。" if editable else ""
    return (
        f"{export.number}；{export.requested_name}（{export.requested_by}）于 {asked_at:%Y-%m-%d %H:%M} 申请导出"
        f"{approved}；事由：{export.reason}；条件：{export.told}。含个人信息，只准用于本事由，用后删除。{back}"
    )
