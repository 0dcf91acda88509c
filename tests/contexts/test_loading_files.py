"""Department files come in once, in any order, and the register keeps its history."""

from __future__ import annotations

from datetime import date

import pytest

from doudi import chain
from doudi.chain import packs
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import in_force
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import CategoryRecord, FeedLoad, Membership, Person
from doudi.engine import feeds
from doudi.engine.errors import DoudiError
from tests import small_county as sc

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)


def test_the_same_file_again_changes_nothing(county, by):
    before = (FeedLoad.objects.count(), Membership.objects.count(), Person.objects.count())

    outcome = chain.take_in_folder(county, as_of=D, by=by)

    assert all(o.unchanged for o in outcome.outcomes)
    assert (FeedLoad.objects.count(), Membership.objects.count(), Person.objects.count()) == before


def test_a_file_before_its_register_is_graded_when_the_register_comes(office, by, tmp_path):
    medical = sc.write_csv(tmp_path / "医疗结算.csv", sc.MEDICAL_HEADER, sc.MEDICAL)
    register = sc.write_csv(tmp_path / "花名册.csv", sc.REGISTER_HEADER, sc.REGISTER)

    first = chain.take_in_file("medical", medical, as_of=D, by=by)
    assert first.counts["grades"] == {"A": 0, "B": 0, "C": 0}
    chain.take_in_file("household_register", register, as_of=D, by=by)

    assert registry.counts_of(first.load)["grades"] == {"A": 1, "B": 0, "C": 0}
    assert registry.counts_of(first.load)["not_registered"] == 0


def test_a_file_is_read_once_and_its_sealed_original_gives_the_same_snapshot(
    office, by, tmp_path, monkeypatch
):
    medical = sc.write_csv(tmp_path / "医疗结算.csv", sc.MEDICAL_HEADER, sc.MEDICAL)
    register = sc.write_csv(tmp_path / "花名册.csv", sc.REGISTER_HEADER, sc.REGISTER)
    chain.take_in_file("household_register", register, as_of=D, by=by)
    read: list[str] = []
    parse_file = feeds.parse_file
    monkeypatch.setattr(
        feeds, "parse_file", lambda spec, *a, **k: read.append(spec.name) or parse_file(spec, *a, **k)
    )

    chain.take_in_file("medical", medical, as_of=D, by=by)

    assert read == ["medical"]
    [resolved] = in_force.folder_of_register_on(D).glob("medical-*.parquet")
    at_hand = resolved.read_bytes()
    resolved.unlink()
    registry.bring_up_to_date(packs.rules()[0].feeds)
    assert read == ["medical", "medical"]
    assert resolved.read_bytes() == at_hand


def test_a_later_register_grades_the_kept_files_again(office, by, tmp_path):
    files = sc.write_county(tmp_path / "files")
    register = files / "低收入家庭花名册.csv"
    november = date(2024, 11, 1)
    sc.write_csv(register, sc.REGISTER_HEADER, [row for row in sc.REGISTER if row[0] != "王强"])
    chain.take_in_folder(files, as_of=november, by=by)
    load = FeedLoad.objects.get(feed="medical")
    assert registry.counts_of(load)["not_registered"] == 1

    sc.write_csv(register, sc.REGISTER_HEADER, sc.REGISTER)
    chain.take_in_file("household_register", register, as_of=D, by=by)
    chain.screen(as_of=D, by=by)

    assert "M1" in {signal.code for case in monitoring.warnings(by=by) for signal in case.signals.all()}


def test_a_refused_file_leaves_the_last_snapshot_in_force(county, by, tmp_path):
    broken = sc.write_csv(
        tmp_path / "坏.csv", ["姓名", "身份证号", "结算日期"], [["王强", sc.WANG_QIANG, "2024-06-01"]]
    )

    with pytest.raises(DoudiError):
        chain.take_in_file("medical", broken, as_of=D, by=by)

    refused = FeedLoad.objects.get(status="refused")
    assert "总费用" in refused.problem
    assert "medical" not in registry.snapshots_on(chain.rules()[0].feeds, D).missing


def test_a_corrected_snapshot_of_the_same_date_takes_the_place_of_the_first(county, by, tmp_path):
    moved = [[*row[:7], "低保边缘" if row[0] == "张伟" else row[7], *row[8:]] for row in sc.REGISTER]
    corrected = sc.write_csv(tmp_path / "花名册-更正.csv", sc.REGISTER_HEADER, moved)

    chain.take_in_file("household_register", corrected, as_of=D, by=by)

    assert registry.household("H001", by=by).category == "低保边缘"
    zhang = CategoryRecord.objects.filter(person__name="张伟")
    assert zhang.filter(retracted_at=None).get().category == "低保边缘"
    assert zhang.exclude(retracted_at=None).get().category == "低保"


def test_an_event_sent_again_in_a_longer_file_counts_once(county, by, tmp_path):
    another = ["王强", sc.WANG_QIANG, "2024-07-01", "100", "50", "否"]
    longer = sc.write_csv(tmp_path / "医疗-十二月.csv", sc.MEDICAL_HEADER, [*sc.MEDICAL, another])

    chain.take_in_file("medical", longer, as_of=D, by=by)
    chain.screen(as_of=D, by=by)

    row = next(r for r in monitoring.result_rows(monitoring.latest_run(D)) if r["household_no"] == "H002")
    assert row["rigid_expenditure"] == 30_050_00


def test_a_new_register_ends_what_changed_and_goes_on_with_what_did_not(county, by, tmp_path):
    december = date(2024, 12, 1)
    gone = [row for row in sc.REGISTER if row[0] != "李丽"]
    chain.take_in_file(
        "household_register",
        sc.write_csv(tmp_path / "12月.csv", sc.REGISTER_HEADER, gone),
        as_of=december,
        by=by,
    )

    li = Membership.objects.get(person__name="李丽")
    zhang = Membership.objects.get(person__name="张伟")
    assert (li.valid_from, li.valid_to) == (D, december)
    assert (zhang.valid_from, zhang.valid_to) == (D, None)
    household = registry.household("H001", by=by)
    assert [m.name for m in registry.members(household, by=by)] == ["张伟"]
    assert [m.name for m in registry.members(household, by=by, on=D)] == ["张伟", "李丽"]


def test_a_register_that_comes_late_fills_the_past_and_leaves_the_present(county, by, tmp_path):
    october = date(2024, 10, 1)
    earlier = [[*row[:7], "", "", *row[9:]] for row in sc.REGISTER if row[0] == "张伟"]
    chain.take_in_file(
        "household_register",
        sc.write_csv(tmp_path / "10月.csv", sc.REGISTER_HEADER, earlier),
        as_of=october,
        by=by,
    )

    history = CategoryRecord.objects.filter(person__name="张伟", retracted_at=None).order_by("valid_from")
    assert [(f.category, f.valid_from, f.valid_to) for f in history] == [("", october, D), ("低保", D, None)]
    assert registry.household("H001", by=by).category == "低保"


def test_identity_is_sealed_in_the_database_and_absent_from_snapshots(county, by, office):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select id_number, id_blind, phone from registry_person")
        stored = cursor.fetchall()

    assert all(sc.ZHANG_WEI.encode() not in bytes(cell or b"") for row in stored for cell in row)
    assert {person.id_number for person in Person.objects.all()} >= {sc.ZHANG_WEI, sc.WANG_QIANG}
    for path in office.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert sc.WANG_QIANG.encode() not in content, path
            assert "王强".encode() not in content or path.suffix == ".sqlite3", path


def test_a_person_is_found_by_the_whole_id_and_by_name(county, by):
    assert [h.household_no for h in registry.households(by=by, text=sc.WANG_QIANG)] == ["H002"]
    assert [h.household_no for h in registry.households(by=by, text="赵国")] == ["H003"]
    assert [h.household_no for h in registry.households(by=by, text="h00")] == ["H001", "H002", "H003"]
