"""Bodies that give and their projects: codes checked, the year before public fundraising, people tied to donors."""

from __future__ import annotations

from datetime import date

import pytest

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.services import StepRefused
from tests.cast import CHARITY, UNION, assemble
from tests.small_county import ZHANG_WEI


@pytest.fixture
def cast(office, db):
    return assemble()


def enter(cast, **more):
    return charity.register_organisation(
        **{
            "code": CHARITY, "name": "虚构县慈善会", "kind": "charity", "region_code": "520102",
            "registered_on": date(2024, 3, 1), "by": cast.county, **more,
        }
    )  # fmt: skip


def test_a_code_with_a_wrong_check_digit_is_refused(cast) -> None:
    with pytest.raises(StepRefused) as refused:
        enter(cast, code=CHARITY[:-1] + "8")

    assert refused.value.code == "uscc_invalid"
    assert not charity.organisations(by=cast.county).exists()


def test_a_member_body_needs_no_unified_code_and_a_second_click_no_second_row(cast) -> None:
    one = enter(cast, code=UNION, name="虚构县总工会", kind="member", registered_on=None)

    assert enter(cast, code=UNION, name="虚构县总工会", kind="member", registered_on=None).pk == one.pk


def test_a_body_sees_itself_and_only_the_county_enters_one(cast) -> None:
    enter(cast)
    enter(cast, code=UNION, name="虚构县总工会", kind="member", registered_on=None)

    assert [body.code for body in charity.organisations(by=cast.charity)] == [CHARITY]
    assert charity.organisations(by=cast.township).count() == 2
    assert not charity.organisations(by=cast.stranger).exists()
    for person in (cast.charity, cast.township, cast.stranger):
        with pytest.raises(NotAllowed):
            enter(cast, code="53520102MJ00000022", by=person)


def test_case_1_public_fundraising_after_a_full_year(cast) -> None:
    enter(cast)

    with pytest.raises(StepRefused) as refused:
        charity.apply_for_qualification(
            CHARITY, applied_on=date(2025, 2, 20), rules=chain.giving_rules(), by=cast.county
        )
    assert refused.value.code == "under_a_year"
    assert "2025-03-01" in str(refused.value)

    asked = charity.apply_for_qualification(
        CHARITY, applied_on=date(2025, 3, 1), rules=chain.giving_rules(), by=cast.county
    )
    assert asked.decide_by == date(2025, 3, 21)


def test_who_entered_the_application_does_not_decide_it(cast, make_user) -> None:
    enter(cast)
    asked = charity.apply_for_qualification(
        CHARITY, applied_on=date(2025, 3, 1), rules=chain.giving_rules(), by=cast.county
    )

    with pytest.raises(StepRefused, match="另一人"):
        charity.decide_qualification(asked.pk, grant=True, by=cast.county)

    second = make_user("county2", "county", "520102")
    charity.decide_qualification(asked.pk, grant=True, by=second)
    assert charity.organisation(CHARITY, by=cast.county).fundraising_since is not None
    with pytest.raises(StepRefused):
        charity.decide_qualification(asked.pk, grant=False, ground="重复决定", by=second)


def test_a_project_belongs_to_its_body(cast) -> None:
    enter(cast)
    project = charity.open_project(
        name="助医", kinds=["MED"], regions=["520102"], budget_fen=100_000_00, starts_on=date(2024, 1, 1), by=cast.charity
    )  # fmt: skip

    again = charity.open_project(name="助医", starts_on=date(2024, 1, 1), by=cast.charity)
    assert again.pk == project.pk
    assert charity.projects(by=cast.county).count() == 1
    assert not charity.projects(by=cast.member).exists()
    with pytest.raises(NotAllowed):
        charity.set_project_status(project.number, status="ended", why="县里不能结束", by=cast.county)


def test_a_relative_of_the_donor_is_barred_by_id_and_the_id_is_sealed(cast) -> None:
    from doudi.contexts.charity.models import InterestedPerson
    from doudi.contexts.registry.services import ID_PURPOSE
    from doudi.house.keyring import keyring

    enter(cast)
    project = charity.open_project(name="助医", starts_on=date(2024, 1, 1), by=cast.charity)
    person = {"name": "张伟", "id_number": ZHANG_WEI, "tie": "donor", "relation": "侄子", "by": cast.charity}

    charity.name_interested_person(project.number, **person)
    charity.name_interested_person(project.number, **person)

    assert InterestedPerson.objects.count() == 1
    assert charity.barred(project, [keyring().digest(ZHANG_WEI, purpose=ID_PURPOSE)])
    with pytest.raises(StepRefused, match="身份证号"):
        charity.name_interested_person(project.number, **{**person, "id_number": "123"})
