"""Lists of an area, conditions that are kept, and workbooks that leave with a reason and a second person's consent."""

from __future__ import annotations

import hashlib
import io
from datetime import date, timedelta

import openpyxl
import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.registry import exporting
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import Disability, FeedLoad, Household, ListExport, Person
from doudi.contexts.registry.services import HOUSEHOLDS, PERSONS, Conditions
from doudi.engine.errors import DoudiError
from doudi.engine.packs.handling import ExportRules
from doudi.house.paths import home
from tests import small_county as sc

pytestmark = pytest.mark.django_db
REASON = "年度复核入户名单"


def numbers(asked: Conditions, by, subject: str = HOUSEHOLDS) -> list[str]:
    page = chain.list_page(subject, asked, by=by)
    return [row.person.name if row.person else row.household.household_no for row in page.rows]


def test_a_list_is_narrowed_by_what_an_officer_asks(county, by) -> None:
    today = date.today()
    born_1950 = today.year - 1950 - ((today.month, today.day) < (5, 5))
    cases = [
        (Conditions(), ["H001", "H002", "H003"]),
        (Conditions(category="none"), ["H002"]),
        (Conditions(urban_rural="农村"), ["H003"]),
        (Conditions(alone=True), ["H002"]),
        (Conditions(region=sc.TOWNSHIP_B), ["H003"]),
        (Conditions(sex="女"), ["H001", "H003"]),
        (Conditions(age_from=born_1950, age_to=born_1950), ["H003"]),
        (Conditions(since=date(2024, 1, 1)), ["H001", "H003"]),
        (Conditions(since=date(2024, 1, 2)), []),
        (Conditions(text="zs"), []),
        (Conditions(text="赵", category="低保"), ["H003"]),
        (Conditions(text="赵", category="none"), []),
        (Conditions(warned=True), ["H002", "H003"]),
    ]
    for asked, found in cases:
        assert numbers(asked, by) == found, asked
    assert numbers(Conditions(alone=True), by, PERSONS) == ["王强"]
    assert numbers(Conditions(text="zhao"), by, PERSONS) == ["赵国", "赵敏"]


CERTIFICATES = ["姓名", "身份证号", "类别", "等级", "发证日期", "状态"]
HELD = [
    ["李丽", sc.LI_LI, "精神", "2", "2020-01-01", "有效"],
    ["赵国", sc.ZHAO_GUO, "肢体", "3", "2019-01-01", "有效"],
    ["王强", sc.WANG_QIANG, "视力", "1", "2018-01-01", "注销"],
]


def certificates(folder, rows, on: date, by) -> None:
    path = sc.write_csv(folder / str(on) / "残疾人证.csv", CERTIFICATES, rows)
    chain.take_in_file("disability", path, as_of=on, by=by)


def test_a_list_is_narrowed_to_disabled_people_by_grade_and_kind(county, by, tmp_path) -> None:
    certificates(tmp_path, HELD, date(2024, 11, 16), by)

    def people(**asked: str) -> list[str]:
        return numbers(Conditions.read(asked), by, PERSONS)

    assert people(disability="any") == ["李丽", "赵国"], "a certificate that was cancelled is none"
    assert people(disability="severe") == ["李丽"]
    assert people(disability="3", disability_kind="肢体") == ["赵国"]
    assert people(disability="3", disability_kind="精神") == []
    assert people(text="li", disability="any") == ["李丽"]
    assert numbers(Conditions(disability="severe"), by) == ["H001"]
    row = chain.list_page(PERSONS, Conditions(disability="severe"), by=by).rows[0]
    assert registry.told(row, ["disability"], by=by) == {"disability": "精神2级"}

    Disability.objects.all().delete()
    assert people(disability="any") == ["李丽", "赵国"], (
        "an office of the version before is read when it asks"
    )
    certificates(tmp_path, HELD[1:], date(2024, 12, 16), by)
    assert people(disability="any") == ["赵国"], "a later file that lacks a person takes the certificate away"


def test_certificates_that_never_came_are_not_nobody_and_are_not_for_everybody(
    county, by, make_user, tmp_path
) -> None:
    FeedLoad.objects.filter(feed="disability").delete()
    with pytest.raises(DoudiError) as refused:
        chain.list_page(PERSONS, Conditions(disability="any"), by=by)
    assert refused.value.code == "disabilities_not_arrived"
    with pytest.raises(DoudiError):
        chain.request_export(PERSONS, Conditions(), columns=["name", "disability"], reason=REASON, by=by)

    certificates(tmp_path, HELD, date(2024, 11, 16), by)
    boss = make_user("boss", "director", "520102")
    with pytest.raises(NotAllowed):
        chain.list_page(PERSONS, Conditions(disability="any"), by=boss)
    row = chain.list_page(PERSONS, Conditions(text="李"), by=boss).rows[0]
    assert registry.told(row, ["disability"], by=boss) == {"disability": ""}


def test_certificates_go_with_a_person_who_was_merged_and_back(county, by, tmp_path) -> None:
    certificates(tmp_path, HELD, date(2024, 11, 16), by)
    keep, away = (Person.objects.get(name=name) for name in ("赵敏", "李丽"))

    merge = chain.merge_people(keep, away, ground="证明为同一人", by=by)
    merged = numbers(Conditions(disability="severe"), by, PERSONS)
    chain.undo_change(merge.number, ground="实为两人", by=by)

    assert set(merged) == {"赵敏"}
    assert numbers(Conditions(disability="severe"), by, PERSONS) == ["李丽"]


def test_pages_follow_by_key_and_are_counted_to_a_thousand(county, by, monkeypatch) -> None:
    seen, after = [], ""
    while True:
        page = chain.list_page(PERSONS, Conditions(), by=by, after=after, limit=2)
        seen += [row.person.name for row in page.rows]
        assert page.count == (None if after else 5)
        after = page.next
        if not after:
            break

    assert len(seen) == len(set(seen)) == 5


def test_a_list_shows_the_own_area_and_masks(county, make_user) -> None:
    worker = make_user("worker", "township", sc.TOWNSHIP_A)
    boss = make_user("boss", "director", "520102")

    assert numbers(Conditions(region=sc.TOWNSHIP_B), worker) == []
    page = chain.list_page(PERSONS, Conditions(alone=True), by=boss)
    shown = registry.told(page.rows[0], ["name", "id_shown", "phone"], by=boss)
    assert shown == {
        "name": "王*",
        "id_shown": f"{sc.WANG_QIANG[:6]}********{sc.WANG_QIANG[-4:]}",
        "phone": "100****4321",
    }


def test_nonsense_is_refused_by_name() -> None:
    for typed in ({"age_from": "x"}, {"age_to": "999"}, {"since": "2024-13-01"}):
        with pytest.raises(DoudiError):
            Conditions.read(typed)
    assert Conditions.read({"region": "52' or 1=1", "unknown": "1"}) == Conditions()


def test_conditions_are_kept_shared_within_the_office_and_dropped(county, make_user) -> None:
    one, two = make_user("one", "county", "520102"), make_user("two", "county", "520102")
    other = make_user("other", "county", "610102")
    keep = {"subject": HOUSEHOLDS, "columns": ["household_no"], "asked": Conditions(alone=True)}

    registry.save_list("独居户", shared=True, by=one, **keep)
    registry.save_list("我的", shared=False, by=one, **keep)
    with pytest.raises(DoudiError):
        registry.save_list("一个人", shared=True, by=one, **{**keep, "asked": Conditions(text=sc.WANG_QIANG)})

    assert [kept.name for kept in registry.saved_lists(HOUSEHOLDS, by=two)] == ["独居户"]
    assert not registry.saved_lists(HOUSEHOLDS, by=other)
    kept = registry.saved_lists(HOUSEHOLDS, by=two).get()
    assert Conditions.read(kept.asked) == Conditions(alone=True)
    registry.delete_list(kept.pk, by=two)
    assert registry.saved_lists(HOUSEHOLDS, by=two).exists()
    registry.delete_list(kept.pk, by=one)
    assert not registry.saved_lists(HOUSEHOLDS, by=two).exists()


def taken(export: ListExport, by) -> tuple[ListExport, bytes]:
    found, content = chain.take_export(export.pk, by=by)
    return found, b"".join(content)


def test_a_small_list_leaves_with_its_reason_and_its_hash_in_the_log(county, make_user) -> None:
    worker, auditor = (
        make_user("worker", "township", sc.TOWNSHIP_A),
        make_user("checker", "auditor", "520102"),
    )
    Person.objects.filter(name="王强").update(name="=1+1")
    with pytest.raises(DoudiError, match="事由"):
        chain.request_export(PERSONS, Conditions(), columns=["name"], reason="要", by=worker)

    export = chain.request_export(
        PERSONS, Conditions(), columns=["name", "id_shown", "phone_whole"], reason=REASON, by=worker
    )
    found, content = taken(export, worker)
    again, same = taken(export, worker)

    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = list(sheet.values)
    assert export.number in rows[0][0] and "worker" in rows[0][0] and REASON in rows[0][0]
    assert rows[1][:3] == ("姓名", "证件号（遮蔽）", "联系电话")
    assert {row[0] for row in rows[2:]} == {"张伟", "李丽", "=1+1"}
    formula = next(cell for row in sheet.iter_rows(min_row=3) for cell in row if cell.value == "=1+1")
    assert formula.data_type == "s" and formula.quotePrefix
    assert sc.WANG_QIANG not in str(rows)
    assert content == same and again.downloads == 2
    digest = hashlib.sha256(content).hexdigest()
    entries = accounts.audit_entries(by=auditor, act="take_export")
    assert {entry.detail["sha256"] for entry in entries} == {digest} and found.sha256 == digest
    assert content[:200] not in (home().exports / f"{export.number}.sealed").read_bytes()
    assert list(home().work.glob("*.xlsx")) == []


def test_above_the_limit_a_second_person_decides(county, make_user, monkeypatch) -> None:
    rules = chain.rules()
    small = (rules[0], type("H", (), {"exports": ExportRules(free_rows=1, valid_days=7)})())
    monkeypatch.setattr("doudi.chain.packs.rules", lambda: small)
    officer, boss = make_user("officer", "county", "520102"), make_user("boss", "director", "520102")
    worker, stranger = make_user("worker", "township", sc.TOWNSHIP_A), make_user("else", "director", "610102")

    export = chain.request_export(
        HOUSEHOLDS, Conditions(), columns=["household_no"], reason=REASON, by=officer
    )

    assert export.status == "waiting"
    with pytest.raises(DoudiError, match="待审批"):
        chain.take_export(export.pk, by=officer)
    with pytest.raises(DoudiError, match="自己"):
        chain.decide_export(export.pk, grant=True, note="", by=officer)
    for nobody in (worker, stranger):
        with pytest.raises(DoudiError):
            chain.decide_export(export.pk, grant=True, note="", by=nobody)
    assert [one.pk for one in registry.exports(by=boss)] == [export.pk]
    assert not registry.exports(by=stranger) and not registry.exports(by=worker)

    granted = chain.decide_export(export.pk, grant=True, note="同意", by=boss)
    with pytest.raises(DoudiError, match="他人处理"):
        chain.decide_export(export.pk, grant=False, note="不行", by=boss)
    assert granted.expires_at - timezone.now() > timedelta(days=6)
    with pytest.raises(NotAllowed):
        chain.take_export(export.pk, by=boss)
    found, content = taken(export, officer)
    assert found.rows == 3 and "boss" in openpyxl.load_workbook(io.BytesIO(content)).active["A1"].value

    ListExport.objects.update(expires_at=timezone.now())
    with pytest.raises(DoudiError, match="有效期"):
        chain.take_export(export.pk, by=officer)


def test_a_workbook_past_its_time_is_removed_and_its_entry_stays(
    county, make_user, django_capture_on_commit_callbacks
) -> None:
    officer = make_user("exporter2", "county", "520102")
    export = chain.request_export(
        subject=HOUSEHOLDS, asked=Conditions(), columns=["household_no"], reason=REASON, by=officer
    )
    _export, content = chain.take_export(export.pk, by=officer)
    b"".join(content)
    sealed = home().exports / f"{export.number}.sealed"
    rules = ExportRules(kept_days=30)

    def drop() -> int:
        with django_capture_on_commit_callbacks(execute=True):
            return registry.drop_expired_exports(rules)

    ListExport.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(days=29))
    assert drop() == 0
    assert sealed.exists()

    ListExport.objects.filter(pk=export.pk).update(expires_at=timezone.now() - timedelta(days=31))
    assert (drop(), drop()) == (1, 0)
    assert not sealed.exists()
    auditor = make_user("checker2", "auditor", "520102")
    entries = accounts.audit_entries(by=auditor, act="drop_export")
    assert [entry.subject for entry in entries] == [f"export:{export.number}"]
    assert ListExport.objects.get(pk=export.pk).sha256


def test_whole_identity_numbers_always_wait_and_are_not_for_a_director(county, make_user) -> None:
    worker, boss = make_user("worker", "township", sc.TOWNSHIP_A), make_user("boss", "director", "520102")

    export = chain.request_export(PERSONS, Conditions(), columns=["id_number"], reason=REASON, by=worker)

    assert export.status == "waiting"
    with pytest.raises(NotAllowed):
        chain.request_export(PERSONS, Conditions(), columns=["name"], reason=REASON, by=boss)


def test_no_entry_no_file(county, make_user, monkeypatch) -> None:
    worker = make_user("worker", "township", sc.TOWNSHIP_A)
    export = chain.request_export(
        HOUSEHOLDS, Conditions(), columns=["household_no"], reason=REASON, by=worker
    )

    def broken(**_told):
        raise OSError("the log is full")

    monkeypatch.setattr(exporting, "record", broken)
    with pytest.raises(OSError):
        chain.take_export(export.pk, by=worker)

    export.refresh_from_db()
    assert (export.sha256, export.downloads) == ("", 0)


def test_a_screen_is_not_exported_without_its_entry(county, by, monkeypatch, tmp_path) -> None:
    from doudi.contexts.monitoring import screens

    def broken(**_told):
        raise OSError("the log is full")

    monkeypatch.setattr(screens, "record", broken)
    with pytest.raises(OSError):
        chain.export_screening(as_of=date.fromisoformat(sc.AS_OF), to=tmp_path / "out.csv", by=by)

    assert list(tmp_path.glob("*out*")) == []


def test_a_long_list_is_read_page_by_page(county, by, monkeypatch) -> None:
    monkeypatch.setattr(exporting, "_PAGE", 2)

    rows = list(exporting._rows(PERSONS, Conditions(), by=by, warned=None))

    assert len(rows) == 5 and Household.objects.count() == 3


def test_an_office_of_several_counties_begins_with_all_of_them(county, by, make_user) -> None:
    way, below = registry.subtree("", by=by, root="")
    assert way == [("", "全部辖区")] and dict(below) == dict(registry.counties_taken_in())

    way, _ = registry.subtree("520102", by=by, root="")
    assert [code for code, _ in way] == ["", "520102"]

    officer = make_user("officer", "county", "520102")
    assert [code for code, _ in registry.subtree("", by=officer, root="")[0]] == ["520102"]
