"""Many requests at once (批量委托、定期复查): a workbook of households, or everyone on a programme; who has not changed is filed.

A periodic re-check passes only those households to people whose finding differs from their last report by what counts
(``engine.verification.changing``), or is not whole; :mod:`sweeping` does the same of everybody in one pass.
Being filed as unchanged decides nothing: it says that the last report was confirmed.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import xlsxwriter
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.registry import services as registry
from doudi.contexts.verification.models import Report, RequestBatch, VerificationRequest
from doudi.contexts.verification.reckoning import Finding, found_of, pieces_of
from doudi.contexts.verification.requests import StepRefused, go, note, request_of
from doudi.contexts.verification.supporting import latest_statement
from doudi.engine import identity, money
from doudi.engine.feeds.containers import open_file
from doudi.engine.packs import Pack
from doudi.engine.verification import Line, Rules, State, changes_between
from doudi.house.attachments import declare_single, keep_single, open_single

HOUSEHOLD, KIND, PURPOSE, AS_OF, PERSON = "户编号", "委托种类", "用途", "核对基准日", "身份证号"
RESULT = "办理结果"
MOST_ROWS = 5000
_MARKED = declare_single("verification.batch")
_OPEN = [state.value for state in State if state.open]


@dataclass
class Wanted:
    """One household of a workbook: the rows it stands on, what for, and what its members declared, by ID."""

    household_no: str
    rows: list[int]
    kind: str = "new"
    purpose: str = ""
    as_of: date | None = None
    declared: dict[str, dict[str, int]] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class BatchFile:
    """A workbook as it came: its cells, and the households in it, in order."""

    cells: list[list[Any]]
    header_row: int
    wanted: list[Wanted]


def read_batch(path: Path, rules: Rules) -> BatchFile:
    """Read a workbook or CSV of households: 户编号, 用途, and if wanted 委托种类, 核对基准日, 身份证号 and the pack's items.

    A household may stand on several rows, one a member. What is wrong with a row is said in its ``problem``; raises
    :class:`StepRefused` where there is no such table at all.
    """
    for sheet in open_file(path).tables:
        at = next(
            (row for row, cells in enumerate(sheet.top) if HOUSEHOLD in [_text(cell) for cell in cells]), None
        )
        if at is None:
            continue
        places = {_text(cell): place for place, cell in enumerate(sheet.top[at]) if _text(cell)}
        if PURPOSE not in places:
            break
        cells = [list(row) for row in sheet.top[: at + 1]]
        wanted: dict[str, Wanted] = {}
        for block in sheet.blocks(below=at + 1, width=max(places.values()) + 1):
            for place in range(block.height):
                if len(cells) > MOST_ROWS:
                    raise StepRefused(
                        f"一次最多 {MOST_ROWS} 行，请分成几个文件。", f"At most {MOST_ROWS} rows."
                    )
                values = [_cell(column[place]) for column in block.columns]
                cells.append(values)
                told = {name: values[at_] for name, at_ in places.items() if at_ < len(values)}
                _enter(wanted, told, len(cells) - 1, rules)
        return BatchFile(cells, at, list(wanted.values()))
    raise StepRefused(
        f"表格里没有表头“{HOUSEHOLD}”和“{PURPOSE}”。请下载模板填写。",
        f"The table has no headers {HOUSEHOLD} and {PURPOSE}; use the template.",
        code="batch_header",
    )


def _cell(cell: Any) -> Any:
    return cell.as_py() if hasattr(cell, "as_py") else cell


def _text(cell: Any) -> str:
    cell = _cell(cell)
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else str(cell).strip()


def _enter(wanted: dict[str, Wanted], told: Mapping[str, Any], row: int, rules: Rules) -> None:
    number = _text(told.get(HOUSEHOLD))
    if not number:
        return
    one = wanted.setdefault(number, Wanted(number, []))
    one.rows.append(row)
    try:
        one.purpose = _chosen(told.get(PURPOSE), rules.purposes, PURPOSE) or one.purpose
        one.kind = _chosen(told.get(KIND), rules.kinds, KIND) or one.kind
        one.as_of = _day(told.get(AS_OF)) or one.as_of
        amounts = {name: _text(told.get(name)) for name in rules.items if _text(told.get(name))}
        if amounts:
            person = identity.mend_id(_text(told.get(PERSON)))
            if person is None:
                raise ValueError("填了申报，身份证号却不对")
            one.declared.setdefault(str(person), {}).update(
                {name: _amount(name, text, rules) for name, text in amounts.items()}
            )
    except ValueError as problem:
        one.problem = one.problem or str(problem)


def _chosen(cell: Any, declared: Mapping[str, Any], what: str) -> str:
    """A code or its name as the pack has it."""
    text = _text(cell)
    found = next((code for code, one in declared.items() if text in (code, one.label, one.label_en)), "")
    if text and not found:
        raise ValueError(f"没有这种{what}：{text[:20]}")
    return found


def _day(cell: Any) -> date | None:
    cell = _cell(cell)
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    text = _text(cell).replace("/", "-")
    if not text:
        return None
    try:
        year, month, day = text.split("-")
        return date(int(year), int(month), int(day))
    except ValueError:
        raise ValueError(f"日期读不懂：{text[:20]}") from None


def _amount(name: str, text: str, rules: Rules) -> int:
    if rules.items[name].measure == "数":
        if not text.isascii() or not text.isdigit():
            raise ValueError(f"{name}应填件数")
        return int(text)
    fen, fault = money.parse_fen(text)
    if fen is None or fault is not None:
        raise ValueError(f"{name}的金额读不懂")
    return fen


def marked_book(file: BatchFile, told: Mapping[int, str]) -> bytes:
    """The sender's rows with a column 办理结果 behind them; ``told`` by row."""
    out = io.BytesIO()
    width = max(len(row) for row in file.cells)
    with xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "default_date_format": "yyyy-mm-dd"}
    ) as book:
        sheet = book.add_worksheet("批量委托")
        sheet.set_column(0, width, 18, book.add_format({"num_format": "@"}))
        bold = book.add_format({"bold": True})
        for row, cells in enumerate(file.cells):
            for column, cell in enumerate(cells):
                if isinstance(cell, int | float | date) and not isinstance(cell, bool):
                    sheet.write(row, column, cell)
                elif cell is not None:
                    sheet.write_string(row, column, str(cell))
            if row in told:
                sheet.write_string(row, width, told[row])
        sheet.write_string(file.header_row, width, RESULT, bold)
    return out.getvalue()


def template(rules: Rules) -> bytes:
    """An empty workbook to fill in."""
    headers = [HOUSEHOLD, PURPOSE, KIND, AS_OF, PERSON, *rules.items]
    return marked_book(BatchFile([headers], 0, []), {})


@transaction.atomic
def open_batch(*, origin: str, by: User, **facts: Any) -> RequestBatch:
    """Begin a batch; its requests are opened one by one, each for itself (批量委托).

    One of the same account and facts that broke off before it was closed is gone on with: its requests stand already.
    """
    require(by, Act.REQUEST_VERIFICATION)
    take_turn()
    left = RequestBatch.objects.filter(
        origin=origin,
        region_code=by.region_code,
        made_by=by.username,
        opened=0,
        refused=0,
        marked="",
        whole=False,
    )
    broken_off = None if facts.get("whole") else left.filter(**facts).order_by("pk").first()
    if broken_off is not None:
        return broken_off
    batch = RequestBatch.objects.create(
        number=f"PL{timezone.localdate():%Y%m%d}-{secrets.token_hex(4)}",
        origin=origin,
        region_code=by.region_code,
        made_by=by.username,
        **facts,
    )
    record(by=by, act="open_batch", subject=f"batch:{batch.number}", region_code=by.region_code,
           detail={"origin": origin, "purpose": batch.purpose, "file": batch.file_hash})  # fmt: skip
    return batch


@transaction.atomic
def open_whole(
    purpose: str, *, as_of: date, since: date, requested_by: str, rules: Rules, by: User
) -> RequestBatch:
    """Begin a re-check of everybody in one pass, held against the files of ``since`` (整批复查).

    One for an area, a purpose and a date: begun again it is the one that stands.
    """
    require(by, Act.REQUEST_VERIFICATION)
    take_turn()
    if purpose not in rules.purposes:
        raise StepRefused("请选择核对用途。", f"Choose a purpose: {', '.join(rules.purposes)}.")
    if not since < as_of <= timezone.localdate():
        raise StepRefused(
            "核对基准日不能晚于今天，并且要晚于用来比的那一天。",
            "The reference date is not in the future and later than the day it is held against.",
            code="dates",
        )
    standing = RequestBatch.objects.filter(
        whole=True, purpose=purpose, as_of=as_of, region_code=by.region_code
    ).first()
    if standing is not None:
        return standing
    return open_batch(
        origin="recheck",
        purpose=purpose,
        as_of=as_of,
        since=since,
        whole=True,
        requested_by=requested_by,
        by=by,
    )


@transaction.atomic
def close_batch(batch: RequestBatch, *, refused: int, by: User, marked: bytes = b"") -> RequestBatch:
    """Write down what came of opening a batch, with the sender's workbook marked up."""
    require(by, Act.REQUEST_VERIFICATION, region_code=batch.region_code)
    batch.opened, batch.refused = batch.requests.count(), refused
    batch.marked = keep_single(marked, purpose=_MARKED) if marked else ""
    batch.save(update_fields=["opened", "refused", "marked"])
    record(by=by, act="open_batch", subject=f"batch:{batch.number}", region_code=batch.region_code,
           detail={"opened": batch.opened, "refused": refused})  # fmt: skip
    return batch


def batches(*, by: User) -> QuerySet[RequestBatch]:
    """Batches of the account's area, newest first, with how far their requests are."""
    require(by, Act.VIEW_VERIFICATION)
    return (
        RequestBatch.objects.filter(region_code__startswith=by.region_code)
        .annotate(
            waiting=Count("requests", filter=Q(requests__state__in=[State.ACCEPTED, State.AUTHORISED])),
            asked=Count("requests", filter=Q(requests__state__in=[State.QUERYING, State.PARTIAL])),
            to_sift=Count("requests", filter=Q(requests__state=State.COMPARING, requests__sifted="")),
            unchanged=Count("requests", filter=Q(requests__sifted="unchanged")),
            for_people=Count(
                "requests",
                filter=Q(requests__sifted__in=["changed", "first", "incomplete"], requests__state__in=_OPEN),
            ),
        )
        .order_by("-pk")
    )


def batch_of(number: str, *, by: User) -> RequestBatch:
    """One batch of the account's area."""
    found = batches(by=by).filter(number=number).first()
    if found is None:
        raise StepRefused(f"没有批次 {number}。", f"No batch {number}.", code="batch_not_found")
    return found


def opened_already(batch: RequestBatch) -> dict[str, str]:
    """Household number → number of the request that a batch, gone on with, has opened for it."""
    return dict(batch.requests.values_list("household_no", "number"))


def requests_in(batch: RequestBatch, *, by: User, show: str) -> QuerySet[VerificationRequest]:
    """Requests of a batch: those ``people`` have still to handle, ``unchanged``, or all."""
    require(by, Act.VIEW_VERIFICATION, region_code=batch.region_code)
    found = batch.requests.order_by("pk")
    found = registry.but_own(found, by=by, household="household_no", blind="people__id_blind")
    if show == "unchanged":
        return found.filter(sifted="unchanged")
    return found.filter(state__in=_OPEN).exclude(sifted="unchanged") if show == "people" else found


def waiting_in(number: str, *, by: User, to: str) -> list[str]:
    """Numbers of a batch's requests that wait: ``ask`` for their queries, ``sift`` for the comparison."""
    require(by, Act.QUERY_SOURCES if to == "ask" else Act.ISSUE_REPORT)
    batch = batch_of(number, by=by)
    if to == "ask":
        found = batch.requests.filter(state__in=[State.ACCEPTED, State.AUTHORISED])
    else:
        found = batch.requests.filter(state=State.COMPARING, sifted="", kind="periodic")
    return list(found.order_by("pk").values_list("number", flat=True))


def marked_of(number: str, *, by: User) -> bytes:
    """The sender's workbook with the results, as it was marked when the batch was opened."""
    require(by, Act.REQUEST_VERIFICATION)
    batch = batch_of(number, by=by)
    if not batch.marked:
        raise StepRefused("这个批次不是由表格建立的。", "The batch did not come from a workbook.")
    record(by=by, act="take_batch_file", subject=f"batch:{number}", region_code=batch.region_code)
    return open_single(batch.marked, purpose=_MARKED)


def last_declared(household_no: str, purpose: str) -> dict[str, dict[str, int]]:
    """What a household's members declared when it was last verified for a purpose, by ID: a re-check is held against it."""
    last = _last_report(household_no, purpose, before=None)
    if last is None:
        return {}
    return {
        person.id_number: {line.item: line.amount for line in person.declared.all()}
        for person in last.request.people.all()
        if person.declared.exists()
    }


def _last_report(household_no: str, purpose: str, *, before: VerificationRequest | None) -> Report | None:
    found = Report.objects.filter(request__household_no=household_no, request__purpose=purpose)
    if before is not None:
        found = found.exclude(request=before)
    return found.order_by("-pk").first()


@transaction.atomic
def sift(number: str, *, pack: Pack, rules: Rules, by: User) -> str:
    """Hold a periodic re-check against the household's last report; unchanged and whole it is filed, else it is for people.

    Gives unchanged, changed, first or incomplete. Asked again it says what it said.
    """
    take_turn()
    request = request_of(number, by=by)
    require(by, Act.ISSUE_REPORT, region_code=request.region_code)
    if request.sifted:
        return request.sifted
    if request.kind != "periodic" or request.state != State.COMPARING:
        raise StepRefused(
            f"委托单 {number} 不是待比对的定期复查。",
            f"Request {number} is no re-check that waits for comparison.",
        )
    last = _last_report(request.household_no, request.purpose, before=request)
    pieces = pieces_of(request)
    told: Sequence[str] = ()
    if any(not piece.status.decided for piece in pieces):
        result, text = "incomplete", "有来源没有答复或未授权，须人工办理"
    elif last is None:
        result, text = "first", "没有以前的核对报告，须人工办理"
    else:
        told = _changes(last, found_of(request, pieces, pack, rules, latest_statement(request)), rules)
        result = "changed" if told else "unchanged"
        text = (
            f"与 {last.number} 相比有变化：{'、'.join(told)[:300]}"
            if told
            else f"与 {last.number} 相比无变化，归档"
        )
    if result == "unchanged":
        go(request, State.ARCHIVED, due_on=None, sifted=result)
    else:
        VerificationRequest.objects.filter(pk=request.pk).update(sifted=result)
    note(request, by=by, kind="sift", text=text)
    record(by=by, act="sift_recheck", subject=f"verification:{number}", region_code=request.region_code,
           detail={"result": result, "last": last.number if last else "", "changes": len(told)})  # fmt: skip
    return result


def _changes(last: Report, now: Finding, rules: Rules) -> list[str]:
    """The names of what is otherwise than in the last report."""
    before = json.loads(last.content)["computed"]
    told = changes_between(
        rules,
        _line(before, now.fits),
        _line(now.computed, now.fits),
        said={found["item"]: found["declared"] for found in now.computed["differences"]},
        limits=now.limits,
    )
    if before["advice"]["advice"] != now.computed["advice"]["advice"]:
        told.append("意见")
    return told


def _line(computed: Mapping[str, Any], fits: Sequence[str]) -> Line:
    """What a report's content says, as a re-check compares it."""
    situation = computed["situation"]
    values = {
        f"{v['name']}（{v['person']}）" if v["person"] else v["name"]: v["value"]
        for v in situation["variables"]
        if v["kind"] != "文本"
    }
    return Line(
        people=[_person(person) for person in computed["people"]],
        category=situation["category"],
        amount=situation.get("monthly_cost"),
        undecided=situation["undecided"],
        held=situation["held"],
        holds=[values.get(name) for name in fits],
        found={found["item"]: found["found"] for found in computed["differences"]},
        values=values,
    )


def _person(told: Mapping[str, Any]) -> tuple[Any, ...]:
    return told["name"], told["id_number"], told["relation"], told["living_together"]
