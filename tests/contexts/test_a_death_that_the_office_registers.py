"""A death that the office registers itself asks whether payment stops, like one of a file; nothing stops alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import system_user
from doudi.contexts.assistance import services as assistance
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import CategoryRecord, Person
from tests import small_county as sc
from tests.cast import Cast, assemble

DIED = date(2024, 11, 20)
GROUND = "依据：村委会报告和火化证明"


@pytest.fixture
def people(county: Path) -> Cast:
    return assemble()


def record_death(name: str, household_no: str, by: Any, **more: Any) -> registry.RegistryEvent:
    said = {"person": str(Person.objects.get(name=name).pk), **more}
    return chain.record_change(household_no, "death", on=DIED, said=said, ground=GROUND, by=by)


def asked(people: Cast, name: str, status: str = "open") -> list[monitoring.StopProposal]:
    return list(monitoring.stops(by=people.county, status=status).filter(person_name=name))


def heir() -> str:
    return str(Person.objects.get(name="李丽").pk)


def test_the_countys_entry_opens_a_proposal_due_on_the_next_working_day(people: Cast) -> None:
    event = record_death("张伟", "H001", people.county, new_head=heir())

    (proposal,) = asked(people, "张伟")

    assert (proposal.event_number, proposal.load_number) == (event.number, None)
    assert (proposal.household_no, proposal.died_on, proposal.category) == ("H001", DIED, "低保")
    assert proposal.due_on == chain.doubt_rules().stop.due(timezone.localdate())
    assert not assistance.stops_recorded(by=people.county), "nothing stops until somebody decides"

    chain.decide_stop(proposal.number, confirm=True, ground="火化证明已核对。", by=people.county)
    (stop,) = assistance.stops_recorded(by=people.county)
    assert (stop.person_name, stop.stop_from) == ("张伟", date(2024, 12, 1))


def test_a_townships_word_asks_at_once_and_the_countys_no_answers_it(people: Cast) -> None:
    event = record_death("张伟", "H001", people.township, new_head=heir())
    assert event.status == "proposed" and len(asked(people, "张伟")) == 1

    chain.refuse_change(event.number, note="本人健在，同名同姓", by=people.county)

    assert asked(people, "张伟") == []
    (answered,) = asked(people, "张伟", "refused")
    assert event.number in answered.ground and "健在" in answered.ground
    assert answered.decided_by == people.county.username


def test_the_countys_yes_to_a_township_asks_once(people: Cast) -> None:
    event = record_death("张伟", "H001", people.township, new_head=heir())

    chain.confirm_change(event.number, by=people.county)

    assert [one.event_number for one in asked(people, "张伟", "all")] == [event.number]


def test_what_a_file_has_asked_already_is_not_asked_again(people: Cast) -> None:
    (of_file,) = asked(people, "赵国")

    record_death("赵国", "H003", people.county)

    assert [one.number for one in asked(people, "赵国", "all")] == [of_file.number]


def test_who_receives_nothing_month_by_month_is_not_asked_about(people: Cast) -> None:
    record_death("王强", "H002", people.county)

    assert asked(people, "王强", "all") == []


def test_a_death_taken_back_answers_its_proposal_and_reads_the_files_again(
    county: Path, people: Cast
) -> None:
    event = record_death("张伟", "H001", people.county, new_head=heir())
    later = sc.write_csv(
        county / "later" / "死亡殡葬.csv", sc.DEATH_HEADER, [["张伟", sc.ZHANG_WEI, "2024-11-19", ""]]
    )
    chain.take_in_file(None, later, as_of=date(2024, 11, 25), by=system_user())
    assert len(asked(people, "张伟")) == 1, (
        "the file finds a man who stands nowhere, and the question is asked"
    )

    chain.undo_change(event.number, ground="死亡日期登记有误", by=people.county)

    (of_file,) = asked(people, "张伟")
    assert (of_file.event_number, of_file.died_on) == ("", date(2024, 11, 19))
    (withdrawn,) = asked(people, "张伟", "refused")
    assert "死亡日期登记有误" in withdrawn.ground


def test_a_merge_with_a_record_of_a_dead_person_asks_too(people: Cast) -> None:
    wrong = sc.make_id("19800101", 13)
    said = {"name": "张伟", "id_number": wrong, "relation": "其他", "basis": "other"}
    chain.record_change("H002", "lodger", on=date(2024, 11, 1), said=said, ground=GROUND, by=people.county)
    away = registry.person_by_id(wrong)
    assert away is not None
    chain.record_change(
        "H002", "death", on=DIED, said={"person": str(away.pk)}, ground=GROUND, by=people.county
    )
    assert asked(people, "张伟", "all") == [], "the second record receives nothing"
    keep, away = registry.person_by_id(sc.ZHANG_WEI), registry.person_by_id(wrong)
    assert keep is not None and away is not None

    merge = chain.merge_people(keep, away, ground="核对身份证为同一人", by=people.county)

    (proposal,) = asked(people, "张伟")
    assert (proposal.event_number, proposal.person_id, proposal.household_no) == (
        merge.number,
        keep.pk,
        "H001",
    )
    chain.undo_change(merge.number, ground="核实是两个人", by=people.county)
    assert asked(people, "张伟") == []


def test_of_several_labels_the_one_that_is_paid_for_asks(county: Path, people: Cast) -> None:
    """A second label that counts for less (防返贫监测) hid the 低保, and the file's death asked nothing."""
    wei = Person.objects.get(name="张伟")
    home = wei.memberships.get().household
    CategoryRecord.objects.create(
        household=home, person=wei, category="防返贫监测", since=DIED, valid_from=date(2024, 11, 1)
    )
    later = sc.write_csv(
        county / "later" / "死亡殡葬.csv", sc.DEATH_HEADER, [["张伟", sc.ZHANG_WEI, "2024-11-19", ""]]
    )

    chain.take_in_file(None, later, as_of=date(2024, 11, 25), by=system_user())

    assert [one.category for one in asked(people, "张伟")] == ["低保"]
