"""Own and kin's files are in no list and open at no desk, whatever room holds them (回避).

Every table that names a household or a person by number is either listed here with the reading that must leave own
files out, or with the reason why it has none: a new table without an entry fails.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import pytest
from django.apps import apps

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.models import AuditEntry
from doudi.contexts.assistance import care_orders, payroll, upward
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import services as charity
from doudi.contexts.meals import services as meals
from doudi.contexts.meals import volunteer_register, volunteering
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from tests import small_county as sc
from tests.rows import made

HOME = "H002"
AREA = "520102001"


class Reading(NamedTuple):
    """Who looks, the list, and the same row opened by its number (None where nothing opens one)."""

    role: str
    listed: Callable[[Any], Any]
    opened: Callable[[Any, Any], Any] | None


READINGS = {
    "assistance.CareOrder": Reading(
        "county",
        lambda by: care_orders.care_orders(by=by),
        lambda row, by: care_orders.care_order(row.number, by=by),
    ),
    "registry.Household": Reading(
        "county",
        lambda by: registry.households(by=by),
        lambda row, by: registry.household(row.household_no, by=by),
    ),
    "monitoring.WarningCase": Reading(
        "county",
        lambda by: monitoring.warnings(by=by, status="all"),
        lambda row, by: monitoring.warning(row.number, by=by),
    ),
    "monitoring.Doubt": Reading(
        "county",
        lambda by: monitoring.doubts(by=by, status="all"),
        lambda row, by: monitoring.doubt_of(row.number, by=by),
    ),
    "monitoring.StopProposal": Reading(
        "county",
        lambda by: monitoring.stops(by=by, status="all"),
        lambda row, by: monitoring.stop_of(row.number, by=by),
    ),
    "verification.VerificationRequest": Reading(
        "verifier",
        lambda by: verification.requests(by=by),
        lambda row, by: verification.request_of(row.number, by=by),
    ),
    "assistance.Application": Reading(
        "county",
        lambda by: assistance.applications(by=by),
        lambda row, by: assistance.application(row.number, by=by),
    ),
    "assistance.Referral": Reading(
        "county",
        lambda by: assistance.referrals(by=by),
        lambda row, by: assistance.referral(row.number, by=by),
    ),
    "assistance.Recovery": Reading(
        "county",
        lambda by: assistance.recoveries(by=by, status="all"),
        lambda row, by: assistance.recovery_of(row.number, by=by),
    ),
    "assistance.BenefitDecision": Reading(
        "county", lambda by: payroll.decisions(by=by), lambda row, by: payroll.decision_of(row.number, by=by)
    ),
    "assistance.PayAccount": Reading(
        "county",
        lambda by: payroll.pay_accounts(by=by),
        lambda row, by: payroll.confirm_account(row.pk, agree=True, by=by),
    ),
    "assistance.RosterRow": Reading(
        "county",
        lambda by: payroll.rows_of(_roster(), by=by),
        lambda row, by: payroll.paid_rows(row.household_no, by=by),
    ),
    "assistance.PayItem": Reading("county", lambda by: payroll.items_of(_batch(), by=by), None),
    "assistance.UpwardRow": Reading("county", lambda by: upward.upward_rows(_report(), by=by), None),
    "assistance.FollowUp": Reading(
        "county", lambda by: payroll.follow_ups(by=by), lambda row, by: payroll.follow_up_of(row.pk, by=by)
    ),
    "assistance.Review": Reading(
        "county", lambda by: payroll.reviews(by=by), lambda row, by: payroll.review_of(row.pk, by=by)
    ),
    "assistance.Decision": Reading(
        "county",
        lambda by: assistance.decisions(by=by),
        lambda row, by: assistance.decision(row.number, by=by),
    ),
    "assistance.PaymentStop": Reading("county", lambda by: assistance.stops_recorded(by=by), None),
    "assistance.MeasureGiven": Reading("county", lambda by: assistance.measures_given(by=by), None),
    "charity.Need": Reading(
        "county", lambda by: charity.needs(by=by), lambda row, by: charity.look_at_need(row.code, by=by)
    ),
    "charity.AidFiling": Reading(
        "county", lambda by: charity.filings(by=by), lambda row, by: charity.filing(row.number, by=by)
    ),
    "meals.Diner": Reading(
        "county", lambda by: meals.diners(by=by, status="all"), lambda row, by: meals.diner(row.number, by=by)
    ),
    "meals.Volunteer": Reading(
        "county",
        lambda by: volunteer_register.volunteers(by=by),
        lambda row, by: volunteer_register.volunteer(row.number, by=by),
    ),
}

NO_READING = {
    "accounts.OwnPerson": "the note itself, read by administrators",
    "accounts.DataRequest": "taken from the person at the window, answered by another",
    "registry.Person": "read through households, lists and finding",
    "registry.PersonAlias": "read through households",
    "verification.RequestPerson": "read through the request",
    "verification.Authorisation": "read through the request",
    "monitoring.DoubtRound": "how often a doubt was looked for; no list shows it",
    "assistance.KinRecord": "the register of kin itself (近亲属备案)",
    "assistance.OffsetAgreement": "read through the recovery",
    "assistance.WorkRefusal": "counted by the rules; no list shows it",
    "charity.InterestedPerson": "a body's own declaration",
    "charity.TiedPerson": "a body's own declaration",
}


def _roster() -> Any:
    return apps.get_model("assistance", "RosterRow").objects.get(household_no=HOME).roster


def _report() -> Any:
    return apps.get_model("assistance", "UpwardRow").objects.get(household_no=HOME).batch


def _batch() -> Any:
    return apps.get_model("assistance", "PayItem").objects.get(household_no=HOME).batch


def test_every_table_that_names_somebody_is_thought_of():
    naming = {
        model._meta.label
        for model in apps.get_models()
        if {"household_no", "id_blind"} & {field.name for field in model._meta.concrete_fields}
    }
    assert naming == set(READINGS) | set(NO_READING)


@pytest.fixture
def kin(county, by):
    """An officer whose brother lives in H002, and a colleague with the same post."""

    def pair(role: str) -> tuple[accounts.User, accounts.User]:
        officer, colleague = (
            accounts.User.objects.create(username=name, display_name=name, role=role, region_code="520102")
            for name in ("chen", "li")
        )
        accounts.note_own_person(officer, id_number=sc.WANG_QIANG, relation="兄弟姐妹", by=by)
        return officer, colleague

    return pair


@pytest.mark.parametrize("label", READINGS)
def test_the_row_of_kin_is_in_no_list_and_does_not_open(label, kin):
    role, listed, opened = READINGS[label]
    officer, colleague = kin(role)
    blind = registry.person_by_id(sc.WANG_QIANG).id_blind
    model = apps.get_model(label)
    there = (
        model._default_manager.filter(household_no=HOME).first() if hasattr(model, "household_no") else None
    )
    site = (
        {"site": made(apps.get_model("meals", "Site"), region_code=AREA)}
        if label.startswith("meals.")
        else {}
    )
    row = there or made(model, household_no=HOME, id_blind=blind, region_code=AREA, code="N1", **site)

    assert row.pk in {one.pk for one in listed(colleague)}, "a colleague sees the row"
    assert row.pk not in {one.pk for one in listed(officer)}
    if opened is None:
        return
    with pytest.raises(accounts.OwnFile) as refused:
        opened(row, officer)
    accounts.flag_own_file(refused.value, by=officer)
    assert AuditEntry.objects.filter(act="own_file", actor="chen").count() == 1


def test_a_number_is_enough_where_the_household_is_not_known_yet(kin):
    officer, colleague = kin("county")
    blind = registry.person_by_id(sc.WANG_QIANG).id_blind
    row = made(apps.get_model("assistance", "Application"), id_blind=blind, region_code=AREA)
    assert row in assistance.applications(by=colleague)
    assert row not in assistance.applications(by=officer)
    with pytest.raises(accounts.OwnFile):
        assistance.application(row.number, by=officer)


def test_lists_searches_and_the_exports_made_of_them_leave_kin_out(kin):
    officer, colleague = kin("county")
    for subject in (registry.HOUSEHOLDS, registry.PERSONS):
        for asked in (registry.Conditions(), registry.Conditions(text="王强")):
            homes = [
                {row.household.household_no for row in registry.list_page(subject, asked, by=who).rows}
                for who in (colleague, officer)
            ]
            assert homes[0] - homes[1] == {HOME}


def test_a_former_household_is_kins_too_and_sums_stay_whole(kin):
    officer, colleague = kin("county")
    row = made(apps.get_model("assistance", "RosterRow"), household_no=HOME, region_code=AREA, amount_fen=500)
    assert payroll.sums_of(row.roster, by=officer) == payroll.sums_of(row.roster, by=colleague)
    assert (
        payroll.rows_kept_back(row.roster, by=officer),
        payroll.rows_kept_back(row.roster, by=colleague),
    ) == (1, 0)

    apps.get_model("registry", "Membership").objects.filter(household__household_no=HOME).update(
        valid_to=date(2024, 11, 30)
    )
    with pytest.raises(accounts.OwnFile):
        registry.household(HOME, by=officer)


def test_what_names_kin_only_through_another_row_is_closed_too(kin, by):
    officer, colleague = kin("county")
    filing = made(apps.get_model("charity", "AidFiling"), household_no=HOME, region_code=AREA)
    overlap = made(apps.get_model("charity", "FilingOverlap"), filing=filing, source="public")
    need = made(apps.get_model("charity", "Need"), household_no=HOME, region_code=AREA)
    claim = made(apps.get_model("charity", "Claim"), need=need)
    run = made(apps.get_model("charity", "MatchRun"), region_code="520102")
    proposal = made(apps.get_model("charity", "Proposal"), run=run, need=need)

    for listed, row in ((charity.overlaps, overlap), (charity.claims, claim)):
        assert row in listed(by=colleague)
        assert row not in listed(by=officer)
    with pytest.raises(accounts.OwnFile):
        charity.refuse_proposal(proposal.pk, ground="不合适这个项目", by=officer)
    apps.get_model("charity", "MatchRun").objects.filter(pk=run.pk).update(
        unserved=[{"need": need.code, "why": "没有项目"}]
    )
    for who, seen in ((colleague, 1), (officer, 0)):
        assert len(chain.explain_pairs(run.number, by=who)) == seen
        assert len(charity.left_over(run.number, by=who)) == seen


def test_what_volunteers_do_by_kin_or_for_kin_is_closed_too(kin, by):
    officer, colleague = kin("county")
    blind = registry.person_by_id(sc.WANG_QIANG).id_blind
    site = made(apps.get_model("meals", "Site"), region_code=AREA)
    brother = made(apps.get_model("meals", "Volunteer"), id_blind=blind, site=site)
    diner = made(apps.get_model("meals", "Diner"), household_no=HOME, id_blind=b"another", site=site)
    helps, helped = (
        made(apps.get_model("meals", "Shift"), site=site, receiver=receiver) for receiver in (None, diner)
    )
    by_kin = made(apps.get_model("meals", "Service"), shift=helps, volunteer=brother, state="out")
    for_kin = made(apps.get_model("meals", "Service"), shift=helped, state="out")
    group = made(apps.get_model("meals", "MutualGroup"), site=site)
    for one in ({"volunteer": brother}, {"diner": diner}):
        made(apps.get_model("meals", "GroupMember"), group=group, **{"volunteer": None, "diner": None} | one)

    listed = {volunteering.services: {by_kin, for_kin}, volunteering.to_confirm: {by_kin, for_kin}}
    listed |= {volunteering.shifts: {helped}}
    for reading, rows in listed.items():
        assert rows <= set(reading(by=colleague))
        assert not rows & set(reading(by=officer))
    assert helps in volunteering.shifts(by=officer), "others' shifts stay"
    assert [volunteering.members(group, by=who).count() for who in (colleague, officer)] == [2, 0]
    rules = chain.volunteer_rules()
    for row in (by_kin, for_kin):
        with pytest.raises(accounts.OwnFile):
            volunteering.confirm_by_call(row.pk, rules=rules, by=officer)
    with pytest.raises(accounts.OwnFile):
        volunteering.shift(helped.number, by=officer)
