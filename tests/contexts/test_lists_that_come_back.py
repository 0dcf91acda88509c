"""A workbook that left comes back changed: row by row, against what the registry says by then, and only once."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.registry import returning
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Household, ListChange, ListExport, Person, RegistryEvent
from doudi.contexts.registry.services import HOUSEHOLDS, PERSONS, Conditions, Verdict
from doudi.engine.errors import DoudiError
from tests import small_county as sc

pytestmark = pytest.mark.django_db
REASON = "电话住址核对"
COLUMNS = {
    PERSONS: ["name", "household_no", "phone_whole", "address", "remark", "age"],
    HOUSEHOLDS: ["household_no", "responsible", "remark"],
}


@pytest.fixture
def officer(county, make_user):
    return make_user("officer", "county", "520102")


@pytest.fixture
def worker(county, make_user):
    return make_user("worker", "township", sc.TOWNSHIP_A)


def leave(by, subject: str, folder: Path) -> tuple[ListExport, Path]:
    """The list as a workbook in the asker's folder."""
    export = chain.request_export(subject, Conditions(), columns=COLUMNS[subject], reason=REASON, by=by)
    export, content = chain.take_export(export.pk, by=by)
    path = folder / f"{export.number}.xlsx"
    path.write_bytes(b"".join(content))
    return export, path


def edit(path: Path, act: Callable[[Any, dict[str, int], dict[str, int]], None]) -> Path:
    """Open in Excel, change, save: ``act`` gets the sheet, the column of a header and the row of a first cell."""
    book = openpyxl.load_workbook(path)
    sheet = book.active
    columns = {cell.value: cell.column for cell in sheet[2] if cell.value}
    rows = {sheet.cell(line, 1).value: line for line in range(3, sheet.max_row + 1)}
    act(sheet, columns, rows)
    book.save(path)
    return path


def put(**cells: Any) -> Callable:
    """``王强__联系电话="…"`` puts that into the cell."""

    def act(sheet, columns, rows) -> None:
        for place, value in cells.items():
            row, label = place.split("__")
            sheet.cell(rows[row], columns[label]).value = value

    return act


def verdicts(judged) -> dict[tuple[str, str], str]:
    return {(cell.household_no, cell.column): cell.verdict.value for cell in judged.cells}


def enter(path: Path, by):
    return registry.take_return(path, seen=registry.read_return(path, by=by).mark, by=by)


def test_a_clerk_mends_telephones_and_the_registry_follows(worker, make_user, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    assert sc.WANG_QIANG.encode() not in path.read_bytes()
    edit(path, put(王强__联系电话="139 1234 5678", 王强__住址="虚构路9号", 张伟__备注="独居老人每周探访"))

    judged = registry.read_return(path, by=worker)
    assert {cell.verdict for cell in judged.cells} == {Verdict.TAKEN} and len(judged.cells) == 3
    assert Person.objects.get(name="王强").phone == "10087654321"
    enter(path, worker)

    wang = Person.objects.get(name="王强")
    assert (wang.phone, wang.address) == ("13912345678", "虚构路9号")
    assert Household.objects.get(household_no="H001").remark == "独居老人每周探访"
    found = chain.list_page(PERSONS, Conditions(text="13912345678"), by=worker)
    assert [row.person.name for row in found.rows] == ["王强"]
    changed = {(one.field, one.before, one.after) for one in ListChange.objects.all()}
    assert ("phone", "10087654321", "13912345678") in changed and len(changed) == 3
    auditor = make_user("checker", "auditor", "520102")
    entry = accounts.audit_entries(by=auditor, act="return_list").get()
    assert entry.detail["taken"] == 3 and "13912345678" not in str(entry.detail)


def test_the_same_file_again_changes_nothing(worker, make_user, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))
    enter(path, worker)

    again = enter(path, worker)

    assert verdicts(again) == {("H002", "phone_whole"): "same"}
    assert ListChange.objects.count() == 1
    auditor = make_user("checker", "auditor", "520102")
    assert accounts.audit_entries(by=auditor, act="return_list").count() == 1

    # taken once, changed back by somebody: the old file does not win again
    Person.objects.filter(name="王强").update(phone="10087654321")
    assert verdicts(enter(path, worker)) == {("H002", "phone_whole"): "conflict"}


def test_what_changed_since_the_export_is_told_and_left(worker, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678", 王强__住址="虚构路9号"))
    Person.objects.filter(name="王强").update(phone="13700000000")

    judged = enter(path, worker)

    assert verdicts(judged) == {("H002", "phone_whole"): "conflict", ("H002", "address"): "taken"}
    told = next(cell.zh for cell in judged.cells if cell.verdict is Verdict.CONFLICT)
    assert "137****0000" in told
    assert Person.objects.get(name="王强").phone == "13700000000"


def test_wrong_cells_closed_columns_and_formulas_are_told(worker, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(
        path,
        put(
            王强__联系电话="12345",
            王强__年龄=99,
            王强__备注="=HYPERLINK(1)",
            王强__住址=None,
            张伟__联系电话="无",
        ),
    )

    judged = enter(path, worker)

    assert verdicts(judged) == {
        ("H002", "phone_whole"): "wrong",
        ("H002", "age"): "closed",
        ("H002", "remark"): "wrong",
        ("H002", "address"): "wrong",
        ("H001", "phone_whole"): "taken",
    }
    wang = Person.objects.get(name="王强")
    assert (wang.phone, wang.address) == ("10087654321", "虚构路2号")
    assert Person.objects.get(name="张伟").phone == ""

    sheet = openpyxl.load_workbook(io.BytesIO(registry.marked_return(path, by=worker))).active
    line = next(row for row in sheet.iter_rows(min_row=3) if row[0].value == "王强")
    answer = line[-1].value
    assert sheet.cell(2, len(line)).value == "回传结果"
    assert "不是电话号码" in answer and "公式" in answer and "此列不能在表里改" in answer
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    # a mended copy of the answer is taken as it is
    (tmp_path / "mended.xlsx").write_bytes(registry.marked_return(path, by=worker))
    mended = edit(tmp_path / "mended.xlsx", put(王强__联系电话="13912345678"))
    assert verdicts(registry.read_return(mended, by=worker))["H002", "phone_whole"] == "taken"


def test_rows_are_known_by_their_mark_alone(officer, tmp_path) -> None:
    _, path = leave(officer, PERSONS, tmp_path)
    other, elsewhere = leave(officer, PERSONS, tmp_path)
    key = "行标识"

    def shuffle(sheet, columns, rows) -> None:
        at = next(place for label, place in columns.items() if label.startswith(key))
        sheet.delete_rows(rows["李丽"])
        rows = {sheet.cell(line, 1).value: line for line in range(3, sheet.max_row + 1)}
        sheet.cell(rows["张伟"], at).value = sheet.cell(rows["王强"], at).value
        forged = sheet.cell(rows["赵敏"], at)
        forged.value = forged.value[:-4] + "AAAA"
        sheet.append(["新来的", "H009"])

    judged = enter(edit(path, shuffle), officer)

    assert sorted(cell.zh[:6] for cell in judged.cells) == sorted(
        ["同一行标识出", "同一行标识出", "行标识不认识", "没有行标识；"]
    )
    assert judged.absent == 3 and judged.acting == 0

    foreign = openpyxl.load_workbook(elsewhere).active.cell(3, 7).value

    def borrow(sheet, columns, rows) -> None:
        sheet.cell(rows["赵国"], 7).value = foreign
        sheet.cell(rows["赵国"], columns["联系电话"]).value = "13912345678"

    judged = registry.read_return(edit(path, borrow), by=officer)
    assert judged.acting == 0 and other.pk


def test_a_workbook_without_marks_or_of_another_kind_is_refused(worker, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, lambda sheet, columns, rows: sheet.delete_cols(7))
    with pytest.raises(DoudiError, match="行标识"):
        registry.read_return(path, by=worker)
    text = tmp_path / "list.csv"
    text.write_text("姓名,联系电话\n")
    with pytest.raises(DoudiError, match="xlsx"):
        registry.read_return(text, by=worker)


def test_another_area_answers_for_a_household(officer, worker, tmp_path) -> None:
    _, path = leave(officer, HOUSEHOLDS, tmp_path)
    edit(
        path,
        put(H001__负责地区=sc.TOWNSHIP_B, H002__负责地区="610102001", H003__负责地区="没有这个街道"),
    )

    judged = enter(path, officer)

    assert verdicts(judged) == {
        ("H001", "responsible"): "taken",
        ("H002", "responsible"): "wrong",
        ("H003", "responsible"): "wrong",
    }
    moved = Household.objects.get(household_no="H001")
    assert (moved.region_code, moved.responsible_region) == (sc.TOWNSHIP_A, sc.TOWNSHIP_B)
    event = RegistryEvent.objects.get(kind="move")
    assert event.status == "in_force" and "表格回传" in event.ground
    assert not chain.list_page(HOUSEHOLDS, Conditions(text="H001"), by=worker).rows
    chain.undo_change(event.number, ground="填错了负责地区", by=officer)
    assert Household.objects.get(household_no="H001").responsible_region == sc.TOWNSHIP_A


def test_a_township_proposes_another_area_and_the_county_decides(worker, officer, tmp_path) -> None:
    village = next((code for code, _ in registry.children(sc.TOWNSHIP_A)), f"{sc.TOWNSHIP_A}001")
    _, path = leave(worker, HOUSEHOLDS, tmp_path)
    edit(path, put(H001__负责地区=village))

    judged = enter(path, worker)

    assert verdicts(judged) == {("H001", "responsible"): "proposed"}
    assert Household.objects.get(household_no="H001").responsible_region == sc.TOWNSHIP_A
    assert verdicts(enter(path, worker)) == {("H001", "responsible"): "same"}
    event = RegistryEvent.objects.get(kind="move")
    registry.confirm_change(event.number, by=officer)
    assert Household.objects.get(household_no="H001").responsible_region == village


def test_rows_of_one_household_must_agree(officer, tmp_path) -> None:
    _, path = leave(officer, PERSONS, tmp_path)
    edit(path, put(张伟__备注="甲", 李丽__备注="乙", 赵敏__备注="丙", 赵国__备注="丙"))

    judged = enter(path, officer)

    assert [cell.verdict for cell in judged.cells].count(Verdict.WRONG) == 2
    assert Household.objects.get(household_no="H001").remark == ""
    assert Household.objects.get(household_no="H003").remark == "丙"


def test_nobody_confirms_what_he_has_not_seen(worker, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))
    seen = registry.read_return(path, by=worker).mark
    Person.objects.filter(name="王强").update(phone="13700000000")

    with pytest.raises(DoudiError, match="预览之后"):
        registry.take_return(path, seen=seen, by=worker)


def test_it_is_all_or_nothing_and_never_without_its_entry(worker, tmp_path, monkeypatch) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))

    def broken(**_told):
        raise OSError("the log is full")

    monkeypatch.setattr(returning, "record", broken)
    with pytest.raises(OSError):
        enter(path, worker)

    assert Person.objects.get(name="王强").phone == "10087654321"
    assert not ListChange.objects.exists()


def test_only_who_took_the_list_and_those_above_send_it_back(worker, officer, make_user, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))
    other = make_user("other", "township", sc.TOWNSHIP_B)
    boss = make_user("boss", "director", "520102")

    with pytest.raises(DoudiError, match="没有找到"):
        registry.read_return(path, by=other)
    with pytest.raises(NotAllowed):
        registry.read_return(path, by=boss)
    assert registry.read_return(path, by=officer).acting == 1
    token = registry.hold_return(path, by=worker)
    with registry.held_return(token, by=worker) as held:
        assert held.read_bytes() == path.read_bytes()
    with pytest.raises(DoudiError), registry.held_return(token, by=officer):
        pass


def test_a_household_that_left_the_area_is_not_touched(worker, tmp_path) -> None:
    _, path = leave(worker, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))
    Household.objects.filter(household_no="H002").update(responsible_region=sc.TOWNSHIP_B)

    judged = registry.read_return(path, by=worker)

    assert judged.acting == 0 and "辖区" in judged.cells[0].zh


def test_a_register_that_lags_does_not_undo_a_mended_telephone(county, by, officer, tmp_path) -> None:
    _, path = leave(officer, PERSONS, tmp_path)
    edit(path, put(王强__联系电话="13912345678"))
    enter(path, officer)

    def load(day: str, phone: str) -> str:
        rows = [[phone if cell == "10087654321" else cell for cell in row] for row in sc.REGISTER]
        register = sc.write_csv(tmp_path / day / "低收入家庭花名册.csv", sc.REGISTER_HEADER, rows)
        chain.take_in_file("household_register", register, as_of=date.fromisoformat(day), by=by)
        return Person.objects.get(name="王强").phone

    assert load("2024-12-15", "10087654321") == "13912345678"
    assert load("2025-01-15", "13800001111") == "13800001111"
    assert load("2025-02-15", "10087654321") == "10087654321"
