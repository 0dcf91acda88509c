"""Exported workbooks that come back changed (表格回传): read, judged cell by cell, taken in at one stroke, marked up.

In comes the sender's workbook; each row is known by its mark, never by an ID. A cell counts as changed where it
differs from the workbook as it left. Only the green columns are taken; what the register says otherwise by now, what is
not valid and what was changed elsewhere is told by row and left alone. The same file again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, may, record, require, take_turn
from doudi.contexts.registry import regions
from doudi.contexts.registry.changes import change
from doudi.contexts.registry.exporting import (
    EDITABLE,
    EXPORT_COLUMNS,
    KEY_LABEL,
    export_of,
    key_header,
    read_row_key,
)
from doudi.contexts.registry.finding import index_households
from doudi.contexts.registry.listing import masked_phone
from doudi.contexts.registry.lookup import require_division
from doudi.contexts.registry.models import (
    Household,
    ListChange,
    ListExport,
    Membership,
    Person,
    RegistryEvent,
)
from doudi.contexts.registry.people import batches
from doudi.contexts.registry.returned_book import (
    Book,
    Line,
    ReturnRefused,
    open_returned,
    rows_as_left,
    text_of,
)
from doudi.engine.errors import DoudiError

_LONGEST = 200
_EMPTIED = "无"
_PHONE = re.compile(r"1\d{10}|(0\d{2,3}-?)?[2-9]\d{6,7}(-\d{1,6})?")
_STORED = {
    "phone_whole": "phone",
    "address": "address",
    "remark": "remark",
    "responsible": "responsible_region",
}
"""Column of the workbook → the field it is kept in."""


class Verdict(StrEnum):
    """What becomes of a cell that was changed."""

    TAKEN = "taken"
    PROPOSED = "proposed"
    SAME = "same"
    CONFLICT = "conflict"
    WRONG = "wrong"
    CLOSED = "closed"

    @property
    def label(self) -> str:
        return _VERDICTS[self]


_VERDICTS = {
    Verdict.TAKEN: "将更改",
    Verdict.PROPOSED: "将提交县级确认",
    Verdict.SAME: "已是此值",
    Verdict.CONFLICT: "导出后已变",
    Verdict.WRONG: "填写不对",
    Verdict.CLOSED: "不接收",
}


@dataclass(frozen=True)
class Cell:
    """A changed cell, or with ``column`` empty a whole row: what stood there, what stands now, what becomes of it."""

    line: int
    column: str
    verdict: Verdict
    zh: str = ""
    en: str = ""
    before: str = ""
    after: str = ""
    household_no: str = ""
    household: int = 0
    person: int | None = None
    value: str = ""
    """The value as it is kept: digits of a telephone, the code of a division."""

    @property
    def shown_before(self) -> str:
        return masked_phone(self.before) if self.column == "phone_whole" else self.before

    @property
    def shown_after(self) -> str:
        return masked_phone(self.after) if self.column == "phone_whole" else self.after

    @property
    def acts(self) -> bool:
        return self.verdict in (Verdict.TAKEN, Verdict.PROPOSED)


@dataclass(frozen=True)
class Return:
    """A returned workbook, judged."""

    export: ListExport
    cells: tuple[Cell, ...]
    rows: int
    absent: int
    """Rows of the export that did not come back; nothing becomes of them."""
    digest: str
    book: Book = field(repr=False)

    @property
    def mark(self) -> str:
        """Stands for what would change; the confirmation names it, so that nobody confirms what he has not seen."""
        acting = [
            (cell.household, cell.person, cell.column, cell.value, cell.verdict)
            for cell in self.cells
            if cell.acts
        ]
        said = json.dumps([self.digest, acting], ensure_ascii=False)
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def count(self, verdict: Verdict) -> int:
        return sum(cell.verdict is verdict for cell in self.cells)

    @property
    def counts(self) -> dict[str, int]:
        return {verdict.value: self.count(verdict) for verdict in Verdict}

    @property
    def acting(self) -> int:
        return sum(cell.acts for cell in self.cells)

    def label(self, column: str) -> str:
        return EXPORT_COLUMNS[self.export.subject].get(column, column)


def read_return(path: Path, *, by: User) -> Return:
    """What a returned workbook would change, cell by cell; changes nothing (预览)."""
    require(by, Act.RETURN_LIST)
    return _judged(open_returned(path), by)


def take_return(path: Path, *, seen: str, by: User) -> Return:
    """Take in what a returned workbook changes, all or nothing; ``seen`` is the mark of what was shown.

    Telephone, address and remark change at once. Another responsible area is a move of the household: the county's
    is in force, a township's waits for the county's word. Returns the workbook as it was judged.
    """
    require(by, Act.RETURN_LIST)
    book = open_returned(path)
    with transaction.atomic():
        take_turn()
        judged = _judged(book, by)
        acting = [cell for cell in judged.cells if cell.acts]
        if judged.mark != seen:
            raise ReturnRefused(
                "预览之后内容又有变化，请核对新的预览再确认。",
                "What would change is no longer what was shown; look at it again, then confirm.",
                code="return_changed",
            )
        if acting:
            _enter(judged, acting, by)
    return judged


# ---- judging -----------------------------------------------------------------------------------------------------


def _judged(book: Book, by: User) -> Return:
    export = export_of(book.number, by=by)
    if not any(label == key_header(export) for label in book.columns):
        raise ReturnRefused(
            f"“{KEY_LABEL}”列的表头被改动，请用原来导出的表格。",
            "The header of the row marks was changed; use the exported workbook.",
        )
    originals, left = rows_as_left(export, {line.key for line in book.lines if line.key})
    times: dict[str, int] = {}
    for line in book.lines:
        times[line.key] = times.get(line.key, 0) + 1
    standing = _Standing(export, [read_row_key(export, key) for key in originals], by)
    cells: list[Cell] = []
    for line in book.lines:
        if not line.key:
            if any(line.values.values()):
                cells.append(
                    _row(line, "没有行标识；新增的行不接收。", "No row mark; new rows are not taken.")
                )
        elif line.key not in originals or (who := read_row_key(export, line.key)) is None:
            cells.append(
                _row(
                    line,
                    "行标识不认识：被改动，或不属于这份导出。",
                    "The row mark is not of this export, or was changed.",
                )
            )
        elif times[line.key] > 1:
            cells.append(
                _row(
                    line,
                    "同一行标识出现两次，两行都不接收。",
                    "The same row mark stands twice; neither row is taken.",
                )
            )
        else:
            cells += _row_cells(line, who, originals[line.key], standing, by)
    return Return(export, tuple(_agreed(cells)), len(book.lines), left - len(originals), book.digest, book)


def _row(line: Line, zh: str, en: str) -> Cell:
    return Cell(line.number, "", Verdict.CLOSED, zh, en)


class _Standing:
    """What the registry says now of the households and people of the rows."""

    def __init__(self, export: ListExport, whose: list[tuple[int, int | None] | None], by: User) -> None:
        self.export = export
        homes = {who[0] for who in whose if who}
        people = {who[1] for who in whose if who and who[1] is not None}
        self.households: dict[int, Household] = {}
        self.people: dict[int, Person] = {}
        self.members: set[tuple[int, int]] = set()
        self.taken: set[tuple[int, int | None, str, str]] = set()
        self.waiting: set[tuple[int, str]] = set()
        for batch in batches(homes):
            seen = Household.objects.visible_to(by).current().filter(pk__in=batch)
            self.households.update({home.pk: home for home in seen})
            for event in RegistryEvent.objects.filter(
                household_id__in=batch, kind="move", status=RegistryEvent.Status.PROPOSED
            ):
                wanted = json.loads(event.details).get("responsible_region", "")
                self.waiting.add((event.household_id or 0, wanted))
            for word in ListChange.objects.filter(export=export, household_id__in=batch):
                self.taken.add((word.household_id, word.person_id, word.field, word.after))
        for batch in batches(people):
            self.people.update(Person.objects.in_bulk(batch))
            self.members.update(
                Membership.objects.filter(person_id__in=batch, valid_to=None, retracted_at=None).values_list(
                    "household_id", "person_id"
                )
            )

    def now(self, column: str, household: Household, person: Person | None) -> str:
        """What the export would print today."""
        if column == "responsible":
            return regions.region_path(household.responsible_region)
        if column == "remark":
            return text_of(household.remark)
        return text_of(getattr(person, _STORED[column]))


def _row_cells(
    line: Line, who: tuple[int, int | None], left: dict[str, str], standing: _Standing, by: User
) -> Iterator[Cell]:
    labels = EXPORT_COLUMNS[standing.export.subject]
    differing = [
        column
        for column in left
        if labels[column] in line.values and line.values[labels[column]] != left[column]
    ]
    if not differing:
        return
    household, person = standing.households.get(who[0]), standing.people.get(who[1] or 0)
    if household is None:
        yield _row(
            line, "该户已不在册，或已不由您的辖区负责。", "The household left the register, or your area."
        )
        return
    gone = who[1] is not None and (
        person is None or person.merged_into_id is not None or (who[0], who[1]) not in standing.members
    )
    if gone:
        yield _row(line, "此人已不在该户，或已并入他人。", "The person left the household, or was merged.")
        return
    for column in differing:
        label = labels[column]
        cell = Cell(
            line.number,
            column,
            Verdict.CLOSED,
            before=left[column],
            after=line.values[label],
            household_no=household.household_no,
            household=household.pk,
            person=person.pk if person is not None and column in ("phone_whole", "address") else None,
        )
        if column not in EDITABLE[standing.export.subject]:
            yield replace(cell, zh="此列不能在表里改，未接收。", en="This column is not changed by workbook.")
        elif label in line.formulas:
            yield replace(
                cell,
                verdict=Verdict.WRONG,
                zh="单元格是公式，请改成文字。",
                en="The cell is a formula; type the text itself.",
            )
        else:
            yield _judged_cell(cell, household, person, standing, by)


def _judged_cell(
    cell: Cell, household: Household, person: Person | None, standing: _Standing, by: User
) -> Cell:
    try:
        value = _read_value(cell, household, by)
    except DoudiError as problem:
        return replace(cell, verdict=Verdict.WRONG, zh=problem.zh, en=problem.en)
    cell = replace(cell, value=value)
    kept = household if cell.person is None else person
    now = standing.now(cell.column, household, person)
    if getattr(kept, _STORED[cell.column]) == value:
        return replace(cell, verdict=Verdict.SAME)
    if now != cell.before:
        shown = masked_phone(now) if cell.column == "phone_whole" else now
        return replace(
            cell,
            verdict=Verdict.CONFLICT,
            zh=f"导出后已改为“{shown or '（空）'}”，请核对后重新导出再改。",
            en=f"Changed to “{shown or '(empty)'}” since the export; check, and export again.",
        )
    if (household.pk, cell.person, _STORED[cell.column], value) in standing.taken:
        return replace(
            cell,
            verdict=Verdict.CONFLICT,
            zh="曾按本表改过，后来又改了回去；如需再改，请重新导出。",
            en="Taken from this workbook once and changed back since; export again to change it anew.",
        )
    if cell.column != "responsible":
        return replace(cell, verdict=Verdict.TAKEN)
    if (household.pk, value) in standing.waiting:
        return replace(
            cell,
            verdict=Verdict.SAME,
            zh="已提交，待县级确认。",
            en="Proposed already, the county has not decided.",
        )
    return replace(cell, verdict=Verdict.TAKEN if may(by, Act.CONFIRM_CHANGE) else Verdict.PROPOSED)


def _read_value(cell: Cell, household: Household, by: User) -> str:
    """The value as it is kept, or a refusal in words."""
    typed = cell.after
    if not typed:
        raise ReturnRefused(
            f"清空不算更改；确要清空请填“{_EMPTIED}”。",
            f"An emptied cell is no change; to clear it type {_EMPTIED}.",
        )
    if cell.column == "responsible":
        return _division(typed, household, by)
    if typed == _EMPTIED:
        return ""
    if cell.column == "phone_whole":
        phone = re.sub(r"[\s()（）]", "", unicodedata.normalize("NFKC", typed)).removeprefix("+86")
        if not _PHONE.fullmatch(phone):
            raise ReturnRefused(
                "不是电话号码：手机 11 位，固定电话可带区号。",
                "No telephone number: 11 digits of a mobile, or a landline with its area code.",
            )
        return phone
    if len(typed) > _LONGEST or not typed.isprintable():
        raise ReturnRefused(
            f"不能超过 {_LONGEST} 字，不能换行。", f"At most {_LONGEST} characters and no line breaks."
        )
    return typed


def _division(typed: str, household: Household, by: User) -> str:
    """The code of the division that is meant: a code, its names from the county down, or a name only one bears."""
    county = household.responsible_region[:6]
    if typed.isascii() and typed.isdecimal():
        found = [typed]
    else:
        said = " ".join(typed.split())
        inside = {code: name for code, name in regions.names().items() if code.startswith(county)}
        found = [code for code in inside if regions.region_path(code) == said] or [
            code for code, name in inside.items() if name == said
        ]
    if len(found) != 1 or len(found[0]) not in (9, 12):
        raise ReturnRefused(
            "区划表里没有这个乡镇（街道）或村（社区），或有同名；请填 9 位或 12 位代码。",
            "No township or village of that name, or several; give its code of 9 or 12 digits.",
        )
    if not found[0].startswith(by.region_code):
        raise ReturnRefused(
            "不在您的辖区；转出辖区请在家庭页登记“迁移和人户分离”。",
            "Not in your area; to hand the household to another area, record a move on its page.",
        )
    require_division(found[0], near=household)
    return found[0]


def _agreed(cells: list[Cell]) -> Iterator[Cell]:
    """Rows of one household that say different things of it are all left alone; the same said twice acts once."""
    words: dict[tuple[int, int | None, str], set[str]] = {}
    for cell in cells:
        if cell.acts:
            words.setdefault((cell.household, cell.person, cell.column), set()).add(cell.value)
    done: set[tuple[int, int | None, str]] = set()
    for cell in cells:
        place = (cell.household, cell.person, cell.column)
        if cell.acts and len(words[place]) > 1:
            yield replace(
                cell,
                verdict=Verdict.WRONG,
                zh="同一户的几行填得不一样，请改成一致。",
                en="Rows of one household say different things; make them agree.",
            )
        elif cell.acts and place in done:
            yield replace(
                cell, verdict=Verdict.SAME, zh="同户另一行已改。", en="Another row of the household says so."
            )
        else:
            if cell.acts:
                done.add(place)
            yield cell


# ---- taking in ---------------------------------------------------------------------------------------------------


def _enter(judged: Return, acting: list[Cell], by: User) -> None:
    """Write what acts; the caller holds the turn and the transaction."""
    export, now = judged.export, timezone.localdate()
    words = []
    for cell in acting:
        name = _STORED[cell.column]
        row: Household | Person
        row = (
            Person.objects.get(pk=cell.person)
            if cell.person is not None
            else Household.objects.get(pk=cell.household)
        )
        before = getattr(row, name)
        if cell.column == "responsible":
            change(
                cell.household_no,
                "move",
                on=now,
                said={"responsible_region": cell.value},
                ground=f"表格回传 {export.number}：{export.reason}",
                by=by,
            )
        else:
            setattr(row, name, cell.value)
            row.save(update_fields=[name])
        if cell.verdict is Verdict.TAKEN:
            words.append(
                ListChange(
                    export=export,
                    household_id=cell.household,
                    person_id=cell.person,
                    field=name,
                    before=before,
                    after=cell.value,
                    by=by.username,
                )
            )
    ListChange.objects.bulk_create(words, batch_size=500)
    index_households({cell.household for cell in acting})
    record(
        by=by,
        act=Act.RETURN_LIST,
        subject=f"export:{export.number}",
        region_code=export.region_code,
        reason=export.reason,
        detail={
            "sha256": judged.digest,
            "rows": judged.rows,
            **judged.counts,
            "households": sorted({cell.household_no for cell in acting}),
            "fields": sorted({_STORED[cell.column] for cell in acting}),
        },
    )
