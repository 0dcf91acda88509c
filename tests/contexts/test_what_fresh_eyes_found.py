"""Faults that a review found, each told as the story in which it would hurt."""

from __future__ import annotations

import os
import time
from datetime import date

import pytest
from django.db import connection
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.models import User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import CategoryRecord
from doudi.engine.errors import DoudiError
from doudi.house import keyring as rings
from doudi.house.paths import home
from tests import small_county as sc

pytestmark = pytest.mark.django_db
D = date.fromisoformat(sc.AS_OF)


def _register(path, **category: str):
    rows = [[*row[:7], category.get(row[0], row[7]), *row[8:]] for row in sc.REGISTER]
    return sc.write_csv(path, sc.REGISTER_HEADER, rows)


def test_an_account_named_system_is_not_the_command_line(office, make_user):
    admin = make_user("admin", "admin", "520102")

    with pytest.raises(DoudiError):
        accounts.create_user(
            username="system", password="a-long-enough-password-1", display_name="", role=accounts.Role.ADMIN,
            region_code="520102", by=admin,
        )  # fmt: skip
    impostor = User.objects.create(username="system", role="admin", region_code="520102", display_name="x")
    with pytest.raises(accounts.NotAllowed):
        accounts.create_user(
            username="wide", password="a-long-enough-password-1", display_name="", role=accounts.Role.COUNTY,
            by=impostor,
        )  # fmt: skip


def test_lost_keys_are_said_to_be_lost_and_never_made_anew(office):
    rings.keyring()
    rings._read.cache_clear()
    (home().keys / "keyring.json").unlink()

    with pytest.raises(DoudiError, match="找不到密钥"):
        rings.keyring()

    assert not (home().keys / "keyring.json").exists()


def test_an_audit_chain_that_was_cut_off_and_closed_again_is_broken(office, by):
    for number in range(4):
        accounts.record(by=by, act="look", subject=f"household:H{number}")

    with connection.cursor() as cursor:
        cursor.execute("delete from accounts_auditentry where number > 2")
        cursor.execute(
            "update accounts_audithead set number = 2, digest = (select digest from accounts_auditentry where number = 2)"
        )

    assert not accounts.verify_audit().whole


def test_a_register_between_two_others_changes_its_own_time_alone(office, by, tmp_path):
    january, february, march = date(2024, 1, 1), date(2024, 2, 1), date(2024, 3, 1)
    chain.take_in_file("household_register", _register(tmp_path / "1.csv", 张伟="低保"), as_of=january, by=by)
    chain.take_in_file(
        "household_register", _register(tmp_path / "3.csv", 张伟="低保", 李丽=""), as_of=march, by=by
    )

    chain.take_in_file(
        "household_register", _register(tmp_path / "2.csv", 张伟="特困"), as_of=february, by=by
    )

    told = CategoryRecord.objects.filter(person__name="张伟", retracted_at=None).order_by("valid_from")
    assert [(f.category, f.valid_from, f.valid_to) for f in told] == [
        ("低保", january, february), ("特困", february, march), ("低保", march, None),
    ]  # fmt: skip
    household = registry.household("H001", by=by)
    assert [m.name for m in registry.members(household, by=by, on=date(2024, 2, 15))] == ["张伟", "李丽"]


def test_the_township_that_answers_for_a_household_keeps_it_and_reads_its_facts(
    county, by, make_user, tmp_path
):
    officer = make_user("officer", "county", "520102")
    worker = make_user("worker_b", "township", sc.TOWNSHIP_B)
    number = monitoring.household_warnings("H002", by=officer).first().number

    chain.dispatch(number, to=sc.TOWNSHIP_B, by=officer)
    december = date(2024, 12, 1)
    again = sc.write_csv(tmp_path / "12.csv", sc.REGISTER_HEADER, sc.REGISTER)
    chain.take_in_file("household_register", again, as_of=december, by=by)

    household = registry.household("H002", by=worker)
    facts = registry.facts(household, chain.rules()[0].feeds, on=D, by=worker)
    assert next(f for f in facts if f.feed == "medical").rows
    person = registry.members(household, by=worker)[0].person_id
    assert (
        registry.reveal_identity(household, person, by=worker, reason="核对证件").id_number == sc.WANG_QIANG
    )


def test_a_case_goes_to_a_township_that_exists_and_can_be_sent_on(county, make_user):
    officer = make_user("officer", "county", "520102")
    number = monitoring.household_warnings("H002", by=officer).first().number

    with pytest.raises(DoudiError, match="不在区划表"):
        chain.dispatch(number, to="520102999", by=officer)
    sent = chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)
    chain.dispatch(number, to=sc.TOWNSHIP_B, by=officer, seen=sent.version)

    assert monitoring.warning(number, by=officer).region_code == sc.TOWNSHIP_B


def test_two_files_of_one_snapshot_in_a_folder_are_not_silently_one(county, by):
    header = ["姓名", "身份证号", "机构", "余额", "余额日期"]
    sc.write_csv(county / "银行存款.csv", header, [["张伟", sc.ZHANG_WEI, "甲行", "100", "2024-11-01"]])
    sc.write_csv(county / "银行存款乙.csv", header, [["张伟", sc.ZHANG_WEI, "乙行", "200", "2024-11-01"]])
    try:
        outcome = chain.take_in_folder(county, as_of=D, by=by)
    finally:
        sc.write_county(county)
        (county / "银行存款乙.csv").unlink()

    assert [o.file for o in outcome.refused] == ["银行存款乙.csv"]
    assert "--source" in outcome.refused[0].problem.zh


def test_a_register_is_not_loaded_by_sender(office, by, tmp_path):
    with pytest.raises(DoudiError, match="一份"):
        chain.take_in_file(
            "household_register", _register(tmp_path / "册.csv"), as_of=D, by=by, source="街道甲"
        )


def test_plain_files_that_a_kill_left_are_swept(office, by):
    left = home().work / "killed"
    left.mkdir()
    (left / ".lock").touch()
    (left / "original.csv").write_text(f"王强,{sc.WANG_QIANG}", encoding="utf-8")

    assert registry.sweep_work() == 1

    assert not left.exists()


def test_what_was_not_whole_when_its_process_was_killed_is_swept_within_a_day(office, by):
    places = [
        home().originals / ".ab12.sealed.0123456789ab",
        home().snapshots / "register-1" / f".members.parquet.{'0' * 32}.aside",
        home().root / ".backup.json.0123456789ab",
    ]
    whole = home().originals / "ab12.sealed"
    for path in (*places, whole):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    places.append(home().snapshots / f".register-2.{'0' * 32}.aside")
    places[-1].mkdir()
    (places[-1] / "members.parquet").write_bytes(b"half")

    swept = home().work / "swept"
    swept.unlink(missing_ok=True)
    assert registry.sweep_work() == 0, "somebody may be writing it"
    for path in (*places, whole):
        os.utime(path, (time.time() - 4000,) * 2)
    assert registry.sweep_work() == 0, "this is looked at once a day"
    os.utime(swept, (time.time() - 90_000,) * 2)
    assert registry.sweep_work() == 4

    assert whole.exists() and not any(path.exists() for path in places)


def test_a_director_sees_no_sums_given_to_one_household(county, make_user):
    officer, worker = make_user("officer", "county", "520102"), make_user("worker", "township", sc.TOWNSHIP_A)
    director = make_user("director", "director", "520102")
    number = monitoring.household_warnings("H002", by=officer).first().number
    chain.dispatch(number, to=sc.TOWNSHIP_A, by=officer)
    chain.record_visit(
        number,
        by=worker,
        visited_on=timezone.localdate(),
        visitors=["甲", "乙"],
        result_code="C",
        finding="住院花费大",
    )
    chain.give_measure(
        number, code=next(iter(chain.rules()[0].measures)), amount_fen=100, given_on=timezone.localdate(),
        ground="临时救助", by=worker,
    )  # fmt: skip

    assert len(assistance.measures_given(by=worker, warning_number=number)) == 1
    assert assistance.measures_given(by=director, warning_number=number) == []


def test_looking_for_a_person_by_id_is_a_look_and_not_for_a_director(county, make_user):
    director, officer = make_user("director", "director", "520102"), make_user("officer", "county", "520102")

    with pytest.raises(accounts.NotAllowed):
        registry.households(by=director, text=sc.WANG_QIANG)
    registry.households(by=officer, text=sc.WANG_QIANG)

    found = accounts.audit_entries(by=make_user("auditor", "auditor", "520102"), act="search_identity").get()
    assert sc.WANG_QIANG not in str(found.detail)


def test_a_clerk_who_leaves_can_no_longer_act(office, by, make_user):
    make_user("leaver", "county", "520102")

    left = accounts.close_account("leaver", by=by)

    assert not accounts.may(left, accounts.Act.VIEW_WARNINGS)
