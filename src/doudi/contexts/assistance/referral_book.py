"""A department that works by Excel alone: its pending needs as a workbook, and the filled one back (部门回传).

Every row is matched by its number within the department's own needs, taken with the same rules as on the page, and
answered in the sender's rows; one bad row holds up no other, and the same workbook again does nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.assistance.models import Referral
from doudi.contexts.assistance.sheets import Answered, Row, read_rows, written
from doudi.contexts.registry import services as registry
from doudi.engine import money
from doudi.engine.errors import DoudiError

NUMBER, RESULT, AMOUNT, WORDS = "推送编号", "办理结果", "金额（元）", "办理情况"
RETURNED, ACCEPTED = "退回", "接收"
HEADER = (
    NUMBER, "姓名", "身份证号", "联系电话", "地区", "类别", "需求", "反馈期限", "状态", RESULT, AMOUNT, WORDS,
)  # fmt: skip
_REMARK = "只填最后三列：办理结果从下拉选（接收、解决、部分解决、未解决、不需要、退回），金额以元计，办理情况至少四个字。"
_RESULTS = {label: value for value, label in Referral.Result.choices}
Answer = Callable[..., Referral]


@transaction.atomic
def referral_workbook(*, by: User, region_name: Callable[[str], str]) -> bytes:
    """The pending needs of the asker's department with what it needs to act; taking it is in the audit log."""
    scope = require(by, Act.ANSWER_REFERRAL)
    found = registry.but_own(Referral.objects.visible_to(by, scope), by=by, household="household_no")
    rows = list(found.pending().order_by("due_on", "pk"))
    record(
        by=by,
        act="export_referrals",
        region_code=by.region_code,
        detail={"rows": len(rows), "fields": ["person_name", "id_number", "phone", "need"]},
    )
    return written(
        HEADER,
        [
            [
                row.number, row.person_name, row.id_number, row.phone, region_name(row.region_code), row.category,
                row.need, row.due_on.isoformat(), row.get_status_display(), "", "", "",
            ]
            for row in rows
        ],
        choices={RESULT: [ACCEPTED, *_RESULTS, RETURNED]},
        remarks=[_REMARK],
    )  # fmt: skip


def take_referral_workbook(
    path: Path, *, by: User, accept: Answer, answer: Answer, send_back: Answer
) -> Answered:
    """Take a filled workbook in, row by row; ``accept``, ``answer`` and ``send_back`` are the steps of the page."""
    scope = require(by, Act.ANSWER_REFERRAL)
    book = read_rows(path, (NUMBER, RESULT, WORDS))
    seen: set[str] = set()
    for row in book.rows:
        number = row.cells.get(NUMBER, "")
        if not number and not row.cells.get(RESULT):
            continue
        if number in seen:
            row.mark, row.said = "wrong", "这个编号在表里出现两次，只按第一行办理。"
            continue
        seen.add(number)
        mine = registry.but_own(Referral.objects.visible_to(by, scope), by=by, household="household_no")
        found = mine.filter(number=number).first()
        if found is None:
            row.mark, row.said = "wrong", "没有这个推送编号，或不是推送给本部门的。"
            continue
        try:
            with transaction.atomic():
                _take(row, found, by, accept, answer, send_back)
        except DoudiError as problem:
            row.mark, row.said = "wrong", problem.zh
    record(
        by=by,
        act="return_referrals",
        region_code=by.region_code,
        detail={"taken": book.count("good"), "wrong": book.count("wrong"), "same": book.count("same")},
    )
    return book


def _take(row: Row, found: Referral, by: User, accept: Answer, answer: Answer, send_back: Answer) -> None:
    wanted, words = row.cells.get(RESULT, ""), row.cells.get(WORDS, "")
    if not wanted:
        row.mark, row.said = "same", "没有填办理结果，未处理。"
        return
    fen, fault = money.parse_fen(row.cells.get(AMOUNT, "") or "0")
    if fen is None or fault is not None or fen < 0:
        row.mark, row.said = "wrong", f"金额“{row.cells.get(AMOUNT)}”读不懂，请以元填写，最多两位小数。"
        return
    if _done(found, wanted, words, fen):
        row.mark, row.said = "same", "此前已经受理，没有变化。"
    elif wanted == ACCEPTED:
        accept(found.number, by=by)
        row.mark, row.said = "good", "已接收。"
    elif wanted == RETURNED:
        send_back(found.number, why=words, by=by)
        row.mark, row.said = "good", "已退回民政部门。"
    elif wanted in _RESULTS:
        answer(found.number, result=_RESULTS[wanted], answer=words, amount_fen=fen, by=by)
        row.mark, row.said = "good", "已受理。"
    else:
        row.mark, row.said = "wrong", f"办理结果“{wanted}”不认识，请从下拉选。"


def _done(found: Referral, wanted: str, words: str, fen: int) -> bool:
    if wanted == ACCEPTED:
        return found.status == Referral.Status.ACCEPTED
    if wanted == RETURNED:
        return found.status == Referral.Status.RETURNED and found.answer == words
    return (
        found.status == Referral.Status.ANSWERED
        and found.result == _RESULTS.get(wanted)
        and found.answer == words
        and found.amount_fen == fen
    )
