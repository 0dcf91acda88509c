"""Reporting upward (上报): a month's rows in the layout of a system above, its return file, and what is left to work off.

Entered once. A row has a lasting number; what was not accepted goes out again with the next file, corrected where it is
kept and nowhere else. Every row of the source stands in exactly one state, so that the counts tie out.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import cast

from django.db import transaction
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.sheets import read_rows, written
from doudi.contexts.assistance.upward_models import UpwardAnswer, UpwardBatch, UpwardReturn, UpwardRow
from doudi.contexts.assistance.upward_sources import Source, rows_of
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import first_of, month_text
from doudi.engine.csvfile import harmless
from doudi.engine.errors import DoudiError
from doudi.engine.packs.upward import CellLacking, UpwardPack, UpwardRules

__all__ = [
    "MOST_RETURNED",
    "State",
    "UpwardAnswer",
    "UpwardBatch",
    "UpwardNotFound",
    "UpwardReturn",
    "UpwardRow",
    "UpwardStanding",
    "answer_upward",
    "make_upward",
    "settle_upward",
    "take_upward_return",
    "upward_batches",
    "upward_figures",
    "upward_file",
    "upward_of",
    "upward_rows",
    "upward_standing",
]

State = UpwardRow.State
MOST_RETURNED = 200_000
"""Rows of a return file."""
_TOLD = 10
_AGAIN = (State.REJECTED, State.HELD)
"""What the next file of the month takes up again."""


class UpwardNotFound(DoudiError):
    """No such report in the asker's area."""

    code = "upward_not_found"


# ---- out ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def make_upward(*, code: str, region_code: str, month: date, rules: UpwardRules, by: User) -> UpwardBatch:
    """Report what a month has that was not reported yet or was not accepted (生成上报).

    A row that lacks something the layout needs is kept back with the reason and holds up no other. Raises
    :class:`StepRefused` where there is nothing to report, with what is missing.
    """
    require(by, Act.REPORT_UPWARD, region_code=region_code)
    take_turn()
    pack, month = rules.pack(code), first_of(month)
    if len(region_code) != 6 or month > timezone.localdate():
        raise StepRefused(
            "请填写县级区划代码（六位）和已经开始的月份。", "Give a county code and a month that has begun."
        )
    last = _last_rows(code, region_code, month)
    due = [
        one
        for one in rows_of(pack, region_code=region_code, month=month)
        if one.key not in last or last[one.key].state in _AGAIN
    ]
    ready, held = _sorted_out(pack, due)
    if not ready:
        raise _nothing(pack, month, held)
    count = UpwardBatch.objects.filter(region_code=region_code, pack=code, month=month).count() + 1
    header = [column.label for column in pack.columns]
    batch = UpwardBatch.objects.create(
        number=f"SB{region_code}-{code}-{month:%Y%m}-{count:02d}",
        pack=code,
        label=pack.label,
        region_code=region_code,
        month=month,
        header=header,
        count=len(ready),
        total_fen=sum(one.amount_fen for one, _cells in ready),
        held_count=len(held),
        sha256=_digest(header, [cells for _one, cells in ready]),
        made_by=by.username,
    )
    UpwardRow.objects.bulk_create(
        [
            *(_row(batch, serial, one, cells, State.SENT) for serial, (one, cells) in enumerate(ready, 1)),
            *(_row(batch, 0, one, [], State.HELD, why) for one, why in held),
        ],
        batch_size=500,
    )
    for one in due:
        if one.key in last:
            _turn(last[one.key], State.RESENT, f"随 {batch.number} 重报", by=by)
    record(
        by=by,
        act=Act.REPORT_UPWARD,
        subject=f"upward:{batch.number}",
        region_code=region_code,
        detail={"count": batch.count, "held": batch.held_count, "total_fen": batch.total_fen, "sha256": batch.sha256},
    )  # fmt: skip
    return batch


def _sorted_out(
    pack: UpwardPack, due: Sequence[Source]
) -> tuple[list[tuple[Source, list[str]]], list[tuple[Source, str]]]:
    ready: list[tuple[Source, list[str]]] = []
    held: list[tuple[Source, str]] = []
    for one in due:
        one.facts["序号"] = len(ready) + 1
        try:
            ready.append((one, pack.row(one.facts)))
        except CellLacking as problem:
            held.append((one, str(problem)))
    return ready, held


def _nothing(pack: UpwardPack, month: date, held: Sequence[tuple[Source, str]]) -> StepRefused:
    if held:
        told = "；".join(f"{one.household_no} {why}" for one, why in held[:_TOLD])
        return StepRefused(
            f"{month_text(month)}的{pack.label}有 {len(held)} 行，但都缺项，没有生成：{told}。请在登记里补齐后再报。",
            f"All {len(held)} rows lack something; complete them first: {told}.",
            code="upward_lacking",
        )
    return StepRefused(
        f"{month_text(month)}的{pack.label}没有要报的：名册没有冻结、当月没有决定，或都已上报。",
        "Nothing to report: no frozen roster or decision in that month, or everything was reported.",
        code="upward_nothing",
    )


def _row(
    batch: UpwardBatch, serial: int, one: Source, cells: list[str], state: State, why: str = ""
) -> UpwardRow:
    return UpwardRow(
        batch=batch,
        serial=serial,
        key=one.key,
        household_no=one.household_no,
        region_code=one.region_code,
        amount_fen=one.amount_fen,
        cells=json.dumps(cells, ensure_ascii=False) if cells else "",
        state=state,
        reason=why[:300],
    )


def _last_rows(code: str, region_code: str, month: date) -> dict[str, UpwardRow]:
    rows = UpwardRow.objects.filter(
        batch__pack=code, batch__region_code=region_code, batch__month=month
    ).defer("cells")
    return {row.key: row for row in rows.order_by("pk")}


def _digest(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    hashed = hashlib.sha256()
    for row in (header, *rows):
        hashed.update(json.dumps(list(row), ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return hashed.hexdigest()


@transaction.atomic
def upward_file(number: str, *, rules: UpwardRules, by: User) -> tuple[bytes, str]:
    """A report's file with whole identities and its name; the taking is in the log. The content is that of then."""
    batch = upward_of(number, by=by)
    require(by, Act.REPORT_UPWARD, region_code=batch.region_code)
    pack = rules.pack(batch.pack)
    rows = [
        json.loads(cast(str, cells)) for cells in batch.rows.exclude(serial=0).values_list("cells", flat=True)
    ]
    if _digest(batch.header, rows) != batch.sha256:
        raise StepRefused("上报内容与生成时不同，请用当时下载的文件。", "The content differs from the one that was made.")  # fmt: skip
    record(
        by=by,
        act="take_upward_file",
        subject=f"upward:{number}",
        region_code=batch.region_code,
        detail={"count": batch.count, "sha256": batch.sha256},
    )
    if pack.format == "xlsx":
        return written(batch.header, rows, sheet=pack.sheet), f"{number}.xlsx"
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([batch.header, *([harmless(cell) for cell in row] for row in rows)])
    # a character that the encoding lacks is told, not mangled: the system above compares names
    try:
        return out.getvalue().encode(pack.encoding), f"{number}.csv"
    except UnicodeEncodeError as fault:
        raise StepRefused(
            f"“{fault.object[fault.start : fault.end]}”在约定的编码 {pack.encoding} 里没有。请在 upward.yaml 里改编码。",
            f"A character does not exist in {pack.encoding}; change the encoding in upward.yaml.",
        ) from None


# ---- back -----------------------------------------------------------------------------------------------------------


@transaction.atomic
def take_upward_return(
    number: str, path: Path, *, file_name: str, rules: UpwardRules, by: User
) -> UpwardReturn:
    """Take the return file of a report in (回执): each row matched by its number; the same file again changes nothing.

    A file with a row that answers nothing of the report is refused whole and the rows are named.
    """
    take_turn()
    batch = upward_of(number, by=by)
    require(by, Act.REPORT_UPWARD, region_code=batch.region_code)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    standing = batch.returns.filter(sha256=digest).first()
    if standing is not None:
        return standing
    reply = rules.pack(batch.pack).reply
    book = read_rows(path, (reply.key, reply.result), most=MOST_RETURNED)
    told = [
        (
            f"第{row.number}行",
            row.cells.get(reply.key, "").lstrip("'"),
            row.cells.get(reply.result, ""),
            row.cells.get(reply.reason, ""),
        )
        for row in book.rows
    ]
    answers = _matched(batch, told, reply.accepted)
    if reply.silent_accepts:
        named = {row.pk for row, _state, _reason in answers}
        rest = batch.rows.filter(state=State.SENT).defer("cells").exclude(serial=0)
        answers += [(row, State.ACCEPTED, "") for row in rest if row.pk not in named]
    return _answered(batch, answers, digest=digest, file_name=file_name, by=by)


@transaction.atomic
def answer_upward(number: str, told: Mapping[str, str], *, by: User) -> UpwardReturn:
    """What a system above says of rows, by program: row number → '' where it was accepted, else the reason.

    The same answers again are the same return.
    """
    take_turn()
    batch = upward_of(number, by=by)
    require(by, Act.REPORT_UPWARD, region_code=batch.region_code)
    digest = _digest([number], sorted([key, why] for key, why in told.items()))
    standing = batch.returns.filter(sha256=digest).first()
    if standing is not None:
        return standing
    lines = [(key, key, "1" if not why else "0", why) for key, why in told.items()]
    return _answered(batch, _matched(batch, lines, frozenset({"1"})), digest=digest, file_name="接口", by=by)


def _matched(
    batch: UpwardBatch, told: Sequence[tuple[str, str, str, str]], accepted: frozenset[str]
) -> list[tuple[UpwardRow, State, str]]:
    """Each told row (place, number, result, reason) as what it answers, or a refusal of all that names the bad ones."""
    rows = {row.key: row for row in batch.rows.exclude(serial=0).defer("cells")}
    seen: set[str] = set()
    faults, answers = [], []
    for place, key, result, reason in told:
        row = rows.get(key)
        state = State.ACCEPTED if result in accepted else State.REJECTED
        if row is None:
            faults.append(f"{place}：业务编号“{key[:60]}”不在这次上报里")
        elif key in seen:
            faults.append(f"{place}：业务编号 {key} 重复")
        elif not result:
            faults.append(f"{place}：{key} 没有结果")
        elif row.state not in (State.SENT, state):
            faults.append(f"{place}：{key} 现为“{row.get_state_display()}”，回执说的相反")
        else:
            answers.append((row, state, "" if state is State.ACCEPTED else reason or result))
        seen.add(key)
    if faults or not told:
        more = f"……共 {len(faults)} 处" if len(faults) > _TOLD else ""
        raise StepRefused(
            "回执里没有一行结果，没有受理。"
            if not told
            else f"回执与上报对不上，整份没有受理。{'；'.join(faults[:_TOLD])}{more}。请核对是否选错文件。",
            f"The return does not answer this report ({len(faults)} rows); nothing was taken.",
            code="upward_return_refused",
        )
    return answers


def _answered(
    batch: UpwardBatch,
    answers: Sequence[tuple[UpwardRow, State, str]],
    *,
    digest: str,
    file_name: str,
    by: User,
) -> UpwardReturn:
    taken = [state for _row, state, _reason in answers]
    returned = UpwardReturn.objects.create(
        batch=batch,
        sha256=digest,
        file_name=file_name[:255],
        accepted_count=taken.count(State.ACCEPTED),
        rejected_count=taken.count(State.REJECTED),
        taken_by=by.username,
    )
    for row, state, reason in answers:
        if row.state != state:
            _turn(row, state, reason, by=by, returned=returned)
    record(
        by=by,
        act="take_upward_return",
        subject=f"upward:{batch.number}",
        region_code=batch.region_code,
        detail={"accepted": returned.accepted_count, "rejected": returned.rejected_count, "sha256": digest},
    )
    return returned


def _turn(
    row: UpwardRow, state: State, reason: str, *, by: User, returned: UpwardReturn | None = None
) -> None:
    UpwardRow.objects.filter(pk=row.pk).update(state=state, reason=reason[:300])
    UpwardAnswer.objects.create(
        row=row, returned=returned, state=state, reason=reason[:300], recorded_by=by.username
    )


@transaction.atomic
def settle_upward(number: str, key: str, *, state: str, reason: str, by: User) -> UpwardRow:
    """Work a row off by hand: ``dropped`` (not reported any more) or ``rejected`` (sent back after it was accepted).

    A rejected row that was corrected in the register needs no hand: the next report of the month takes it up.
    """
    take_turn()
    batch = upward_of(number, by=by)
    require(by, Act.REPORT_UPWARD, region_code=batch.region_code)
    row = batch.rows.filter(key=key).defer("cells").first()
    if row is not None:
        registry.refuse_own_file(row.household_no, by=by)
    from_states = {State.DROPPED: _AGAIN, State.REJECTED: (State.ACCEPTED,)}.get(State(state), ())
    if row is None or row.state not in from_states:
        raise StepRefused(
            "只有被退回或缺项的能定为不再上报，只有已接受的能登记为又被退回。",
            "Only a rejected or held row is dropped; only an accepted one is rejected afterwards.",
        )
    if len(reason.strip()) < 4:
        raise StepRefused("请写明理由（至少四个字）。", "State the reason (four characters or more).")
    _turn(row, State(state), reason.strip(), by=by)
    record(
        by=by,
        act="settle_upward",
        subject=f"household:{row.household_no}",
        region_code=row.region_code,
        reason=reason.strip(),
        detail={"report": number, "row": key, "state": state},
    )
    row.refresh_from_db()
    return row


# ---- what stands ----------------------------------------------------------------------------------------------------


def upward_batches(*, by: User, code: str = "", month: date | None = None) -> QuerySet[UpwardBatch]:
    """Reports of the asker's area, the newest first."""
    require(by, Act.VIEW_UPWARD)
    found = UpwardBatch.objects.filter(region_code__startswith=by.region_code)
    if code:
        found = found.filter(pack=code)
    return found.filter(month=first_of(month)) if month else found


def upward_of(number: str, *, by: User) -> UpwardBatch:
    """One report within the asker's area, or :class:`UpwardNotFound`."""
    found = upward_batches(by=by).filter(number=number).first()
    if found is None:
        raise UpwardNotFound(f"没有找到上报 {number}，或不在您的辖区。", f"No report {number} in your area.")
    return found


def upward_rows(batch: UpwardBatch, *, by: User, state: str = "") -> QuerySet[UpwardRow]:
    """The rows of a report without their sealed cells, what is to be worked off first."""
    require(by, Act.VIEW_UPWARD)
    found = batch.rows.defer("cells").order_by("serial", "pk")
    if state:
        found = found.filter(state=state)
    return registry.but_own(found, by=by, household="household_no")


def upward_figures(batch: UpwardBatch) -> dict[str, tuple[int, int]]:
    """State → rows and fen of a report; the rows add up to what was sent and kept back."""
    found = {
        state: (count, fen)
        for state, count, fen in batch.rows.order_by()
        .values_list("state")
        .annotate(n=Count("pk"), fen=Sum("amount_fen"))
    }
    return {state: found.get(state, (0, 0)) for state in State.values}


@dataclass(frozen=True)
class UpwardStanding:
    """A month of a layout: every row of the source in exactly one state, in rows and fen; '' is not reported yet."""

    source: tuple[int, int]
    states: Mapping[str, tuple[int, int]]
    strays: tuple[str, ...]
    """Reported rows that the source no longer has: to be withdrawn above by hand."""

    @property
    def whole(self) -> bool:
        """Whether the states add up to the source, in rows and to the fen."""
        rows = sum(count for count, _fen in self.states.values())
        fen = sum(fen for _count, fen in self.states.values())
        return (rows, fen) == self.source and not self.strays

    @property
    def settled(self) -> bool:
        """Whether the system above accepted everything that was not dropped on purpose."""
        open_states = set(self.states) - {State.ACCEPTED, State.DROPPED}
        return self.whole and not any(self.states[state][0] for state in open_states)


def upward_standing(
    *, code: str, region_code: str, month: date, rules: UpwardRules, by: User
) -> UpwardStanding:
    """Hold a month's source against everything that was reported of it and answered (核销对账)."""
    require(by, Act.VIEW_UPWARD, region_code=region_code)
    month = first_of(month)
    source = rows_of(rules.pack(code), region_code=region_code, month=month)
    last = _last_rows(code, region_code, month)
    states: dict[str, tuple[int, int]] = dict.fromkeys(("", *State.values), (0, 0))
    for one in source:
        row = last.pop(one.key, None)
        state, fen = (row.state, row.amount_fen) if row is not None else ("", one.amount_fen)
        count, sum_fen = states[state]
        states[state] = (count + 1, sum_fen + fen)
    return UpwardStanding((len(source), sum(one.amount_fen for one in source)), states, tuple(sorted(last)))
