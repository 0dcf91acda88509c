"""A need from the visit to what came of it: public aid first, consent, no identity, one hold, no more than the gap."""

from __future__ import annotations

import threading
from datetime import date, timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import NotAllowed
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.models import AidFiling, Claim, Consent, Need
from doudi.contexts.charity.services import StepRefused
from tests.cast import CHARITY, UNION, assemble
from tests.linked_county import small_cells as small_county_cells
from tests.small_county import WANG_QIANG

SCAN = b"%PDF-1.4 signed by hand"
TODAY = date(2024, 11, 15)
TEXT = "家中有人重病，自付费用较高，希望补充部分医疗费用。"


@pytest.fixture(autouse=True)
def today(monkeypatch):
    """The office's today, which a test may move."""
    now = {"day": TODAY}
    monkeypatch.setattr(timezone, "localdate", lambda *_: now["day"])
    return now


@pytest.fixture
def small_cells(monkeypatch):
    small_county_cells(monkeypatch)
    return chain.linkage_rules()


@pytest.fixture
def cast(county, small_cells):
    people = assemble()
    for code, name, kind, since in (
        (UNION, "虚构县总工会", "member", None),
        (CHARITY, "虚构县慈善会", "charity", date(2020, 1, 1)),
    ):
        charity.register_organisation(
            code=code, name=name, kind=kind, region_code="520102", registered_on=since, by=people.county
        )
    return people


def raised(cast, **more) -> Need:
    return chain.raise_need(
        "H002",
        **{
            "kind": "MEDICAL", "group": "ILL", "tier": 1, "need_fen": 50_000_00, "origin": "window",
            "story": "王强患白血病，已借款八万元，无力继续治疗。", "by": cast.township, **more,
        },
    )  # fmt: skip


def agreed(cast, need, **more) -> Consent:
    return chain.give_consent(
        need.code,
        **{
            "kind": "publish", "given": "paper", "signer": "王强", "given_on": TODAY, "evidence": SCAN,
            "by": cast.township, **more,
        },
    )  # fmt: skip


def published(cast, **more) -> Need:
    need = raised(cast, **more)
    agreed(cast, need)
    return chain.publish_need(need.code, public_text=TEXT, by=cast.county)


def project(cast, by=None, **more):
    return charity.open_project(
        **{"name": "大病补充", "kinds": ["MEDICAL"], "regions": ["520102"], "budget_fen": 100_000_00,
           "starts_on": date(2024, 1, 1), "by": by or cast.charity, **more}
    )  # fmt: skip


def give(cast, claim, **more):
    return chain.grant_claim(
        claim.number,
        **{
            "amount_fen": 27_000_00,
            "way": "cash",
            "granted_on": TODAY,
            "money": "DONATION",
            "by": cast.charity,
            **more,
        },
    )


def medical_aid(cast, fen=18_000_00):
    return assistance.give_measure(
        warning_number="YJ20241115-H002", household_no="H002", region_code="520102016", code="MED_AID",
        label="医疗救助", amount_fen=fen, given_on=date(2024, 10, 20), ground="手工报销", by=cast.township,
    )  # fmt: skip


def union_aid(cast, fen=5_000_00):
    return chain.file_aid(
        charity.Aid(
            aided_on=date(2024, 11, 4), kind="MEDICAL", way="cash", money="UNION", name="王强",
            id_number=WANG_QIANG, amount_fen=fen, project="大病帮扶",
        ),
        by=cast.member,
    )  # fmt: skip


# ---- raising -------------------------------------------------------------------------------------------------------


def test_case_6_the_gap_is_what_public_and_other_aid_leave(cast) -> None:
    medical_aid(cast)
    union_aid(cast)

    need = raised(cast)

    assert (need.public_aid_fen, need.other_aid_fen, need.gap_fen) == (18_000_00, 5_000_00, 27_000_00)


def test_a_need_that_is_met_already_is_not_raised(cast) -> None:
    medical_aid(cast, 60_000_00)

    with pytest.raises(StepRefused) as refused:
        raised(cast)

    assert refused.value.code == "no_gap"
    assert "超过需求" in str(refused.value)
    assert not Need.objects.exists()


def test_aid_of_another_kind_does_not_count_and_a_second_click_is_one_need(cast) -> None:
    assistance.give_measure(
        warning_number="YJ20241115-H002", household_no="H002", region_code="520102016", code="EDU_AID",
        label="教育救助", amount_fen=9_000_00, given_on=date(2024, 10, 20), ground="学费减免", by=cast.township,
    )  # fmt: skip

    one, again = raised(cast), raised(cast)

    assert one.pk == again.pk
    assert one.gap_fen == 50_000_00


def test_another_area_raises_nothing(cast) -> None:
    for person in (cast.other_township, cast.stranger):
        with pytest.raises(Exception) as refused:
            raised(cast, by=person)
        assert refused.value.code == "household_not_found"
    with pytest.raises(NotAllowed):
        raised(cast, by=cast.charity)


# ---- consent and publication ---------------------------------------------------------------------------------------


def test_without_consent_nothing_is_published(cast) -> None:
    need = raised(cast)

    with pytest.raises(StepRefused) as refused:
        chain.publish_need(need.code, public_text=TEXT, by=cast.county)

    assert refused.value.code == "no_consent"


def test_who_raised_it_does_not_publish_it(cast, make_user) -> None:
    need = raised(cast, by=cast.county)
    agreed(cast, need, by=cast.county)

    with pytest.raises(StepRefused, match="另一人"):
        chain.publish_need(need.code, public_text=TEXT, by=cast.county)

    second = make_user("county2", "county", "520102")
    assert chain.publish_need(need.code, public_text=TEXT, by=second).status == "published"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("王强家中有人重病，希望补充医疗费用。", "name_in_text"),
        ("王 强家中有人重病，希望补充医疗费用。", "name_in_text"),
        (f"家中有人重病，身份证 {WANG_QIANG}，请帮忙。", "identity_in_text"),
        ("家中有人重病，电话 138 0000 1234，请帮忙。", "identity_in_text"),
        ("家中有人患白血病，自付费用较高，请帮忙。", "disease_in_text"),
        ("户编号 H002 家中有人重病，请帮忙补充。", "identity_in_text"),
        ("太短", "text_length"),
    ],
)
def test_a_text_that_gives_a_person_away_is_not_published(cast, text, code) -> None:
    need = raised(cast)
    agreed(cast, need)

    with pytest.raises(StepRefused) as refused:
        chain.publish_need(need.code, public_text=text, by=cast.county)

    assert refused.value.code == code
    assert not Need.objects.filter(status="published").exists()


def test_the_place_is_widened_until_enough_households_are_alike(cast, small_cells) -> None:
    from dataclasses import replace

    from doudi.contexts.charity.publishing import Shown, what_to_show

    # two households live in the township, three in the county
    assert what_to_show("520102016", "ILL", "LIVING", small_cells, on=TODAY) == Shown(
        "520102016", "LIVING", 2
    )
    assert what_to_show("520102017", "ILL", "LIVING", small_cells, on=TODAY) == Shown("520102", "LIVING", 3)
    # only the third has a living member over 60 no more: nobody is alike
    with pytest.raises(StepRefused) as refused:
        what_to_show("520102016", "ELDER", "LIVING", small_cells, on=TODAY)
    assert refused.value.code == "cell_small"
    with pytest.raises(StepRefused):
        what_to_show("520102016", "ILL", "LIVING", replace(small_cells, smallest_cell=5), on=TODAY)


def test_a_group_the_register_cannot_count_is_not_shown_to_the_village(cast, small_cells) -> None:
    from doudi.contexts.charity.publishing import what_to_show

    assert what_to_show("520102016001", "ILL", "LIVING", small_cells, on=TODAY).place == "520102016"


def test_consent_ends_and_the_need_is_gone_without_anybody_doing_anything(cast, today) -> None:
    need = raised(cast)
    agreed(cast, need, expires_on=TODAY + timedelta(days=10))
    chain.publish_need(need.code, public_text=TEXT, by=cast.county)
    assert charity.needs(by=cast.charity).count() == 1

    today["day"] = TODAY + timedelta(days=11)

    assert not charity.needs(by=cast.charity).exists()
    with pytest.raises(charity.NeedNotFound):
        charity.look_at_need(need.code, by=cast.charity)
    assert chain.run_jobs()["needs_run_out"] == 1
    assert chain.run_jobs()["needs_run_out"] == 0
    assert Need.objects.get().status == "withdrawn"


def test_a_withdrawn_consent_takes_the_need_down_in_the_same_moment(cast, today) -> None:
    need = published(cast)
    claim = chain.claim_need(need.code, project_number=project(cast).number, by=cast.charity)

    chain.withdraw_consent(need.code, told_on=TODAY, by=cast.township)

    assert not charity.needs(by=cast.charity).exists()
    assert charity.claim_of(claim.number, by=cast.charity).status == "released"
    with pytest.raises(StepRefused):
        give(cast, claim)
    consent = Consent.objects.get()
    assert consent.taken_down_on <= consent.withdraw_by
    assert not AidFiling.objects.exists()


def test_consent_is_not_for_ever_and_a_signature_has_its_scan(cast) -> None:
    need = raised(cast)

    with pytest.raises(StepRefused, match="12 个月"):
        agreed(cast, need, expires_on=TODAY + timedelta(days=400))
    with pytest.raises(StepRefused) as refused:
        agreed(cast, need, evidence=b"")
    assert refused.value.code == "evidence_missing"
    assert agreed(cast, need, given="witnessed", evidence=b"").expires_on == date(2025, 11, 15)


def test_the_consent_that_a_visit_recorded_goes_along(cast) -> None:
    chain.dispatch("YJ20241115-H002", to="520102016", by=cast.county)
    chain.record_visit(
        "YJ20241115-H002", by=cast.township, visited_on=TODAY, visitors=["李乡办", "吴网格"], result_code="E",
        finding="家中无力承担后续治疗费用。", consent=True, consent_by="王强", consent_how="口头（两人在场）",
    )  # fmt: skip

    need = chain.raise_need_of_warning(
        "YJ20241115-H002", kind="MEDICAL", group="ILL", tier=2, need_fen=10_000_00,
        story="入户时本人同意转介慈善组织。", by=cast.township,
    )  # fmt: skip

    assert (need.origin, need.origin_no) == ("visit", "YJ20241115-H002")
    assert need.consents.get().given == "witnessed"


# ---- what a body sees ----------------------------------------------------------------------------------------------


def test_a_body_sees_the_need_and_never_who_it_is(cast) -> None:
    need = published(cast)

    seen = charity.need_fields(charity.look_at_need(need.code, by=cast.charity), cast.charity)
    office = charity.need_fields(need, cast.township)

    assert seen["gap_fen"] == 50_000_00
    assert not {
        "household_no",
        "story",
        "income_fen",
        "region_code",
        "lives_in",
        "origin_no",
        "raised_by",
    } & set(seen)
    assert {"household_no", "story", "income_fen"} <= set(office)
    assert set(seen) == {name for name, who in charity.NEED_FIELDS.items() if charity.Viewer.BODY in who}
    said = str(seen)
    assert "王强" not in said and "H002" not in said and "白血病" not in said


def test_every_field_of_a_need_is_in_the_table_or_named_as_kept_back(cast) -> None:
    """A field added to the model is shown to nobody until the table says to whom."""
    kept = {"id", "raised_at"}
    columns = {field.name for field in Need._meta.fields}

    assert columns - set(charity.NEED_FIELDS) == kept
    assert charity.allowed({"bank_balance": 1}, charity.NEED_FIELDS, cast.county) == {}


def test_a_household_on_one_page_for_the_office_alone(cast) -> None:
    medical_aid(cast)
    union_aid(cast)
    claim = chain.claim_need(published(cast).code, project_number=project(cast).number, by=cast.charity)
    give(cast, claim)

    page = chain.received("H002", by=cast.township)

    assert page.by_layer == {"public": 18_000_00, "member": 5_000_00, "charity": 27_000_00}
    assert page.by_kind == {"MEDICAL": 50_000_00}
    for person in (cast.charity, cast.member, cast.director):
        with pytest.raises(NotAllowed):
            chain.received("H002", by=person)
    with pytest.raises(Exception, match="H002"):
        chain.received("H002", by=cast.other_township)


# ---- claiming and giving -------------------------------------------------------------------------------------------


def test_a_grant_above_the_gap_is_refused_or_cut_to_it(cast) -> None:
    medical_aid(cast)
    union_aid(cast)
    claim = chain.claim_need(published(cast).code, project_number=project(cast).number, by=cast.charity)

    with pytest.raises(StepRefused) as refused:
        give(cast, claim, amount_fen=30_000_00)
    assert refused.value.code == "over_gap"

    done = give(cast, claim, amount_fen=30_000_00, cut_to_gap=True)

    assert done.granted_fen == 27_000_00
    assert Need.objects.get().status == "met"
    assert give(cast, claim, amount_fen=27_000_00).pk == done.pk
    assert AidFiling.objects.filter(organisation__code=CHARITY).count() == 1


def test_a_part_goes_back_to_the_list_with_what_is_still_missing(cast) -> None:
    need = published(cast)
    claim = chain.claim_need(
        need.code, project_number=project(cast, most_fen=20_000_00).number, by=cast.charity
    )
    assert claim.asked_fen == 20_000_00
    with pytest.raises(StepRefused, match="每户最高"):
        give(cast, claim, amount_fen=20_000_01)

    give(cast, claim, amount_fen=20_000_00)

    need.refresh_from_db()
    assert (need.status, need.gap_fen) == ("published", 30_000_00)


def test_several_projects_share_what_none_gives_alone(cast) -> None:
    need = published(cast)
    first = project(cast, name="大病补充一", most_fen=20_000_00)
    second = project(cast, name="大病补充二", budget_fen=18_000_00)
    third = project(cast, name="大病补充三", most_fen=20_000_00)

    run = chain.propose_matches(by=cast.county)

    parts = list(run.proposals.order_by("pk"))
    assert [(one.project, one.amount_fen) for one in parts] == [
        (first, 20_000_00), (second, 18_000_00), (third, 12_000_00),
    ]  # fmt: skip
    assert "3 个项目分担，合起来给足" in parts[0].why and run.unserved == []
    missing = []
    for part in parts:
        claim = chain.accept_proposal(part.pk, by=cast.county)
        assert claim.asked_fen == part.amount_fen
        give(cast, claim, amount_fen=part.amount_fen)
        need.refresh_from_db()
        missing.append((need.status, need.gap_fen))
    assert missing == [("published", 30_000_00), ("published", 12_000_00), ("met", 0)]
    assert charity.parts_of(need) == (3, 50_000_00)


def test_parts_that_do_not_fill_the_gap_say_what_is_missing(cast) -> None:
    published(cast)
    project(cast, budget_fen=5_000_00)

    run = chain.propose_matches(by=cast.county)

    (part,) = run.proposals.all()
    assert part.amount_fen == 5_000_00 and "还缺 45,000.00元" in part.why
    assert [row["need"] for row in run.unserved] == [part.need.code]


def test_what_must_be_given_whole_is_not_shared(cast) -> None:
    need = published(cast, whole=True)
    small, large = project(cast, name="小额", most_fen=20_000_00), project(cast, name="大额")

    with pytest.raises(StepRefused, match="须一次给足"):
        chain.claim_need(need.code, project_number=small.number, by=cast.charity)
    claim = chain.claim_need(need.code, project_number=large.number, by=cast.charity)
    with pytest.raises(StepRefused) as refused:
        give(cast, claim, amount_fen=20_000_00)

    assert refused.value.code == "not_whole"
    give(cast, claim, amount_fen=50_000_00)
    need.refresh_from_db()
    assert need.status == "met"


def test_a_whole_need_is_left_over_with_its_reason(cast) -> None:
    need = published(cast, whole=True)
    project(cast, most_fen=20_000_00)

    run = chain.propose_matches(by=cast.county)

    assert not run.proposals.exists()
    assert [row["need"] for row in run.unserved] == [need.code]


def test_aid_that_came_in_between_shrinks_the_gap(cast) -> None:
    claim = chain.claim_need(published(cast).code, project_number=project(cast).number, by=cast.charity)
    union_aid(cast, 45_000_00)

    with pytest.raises(StepRefused, match=r"5,000\.00元"):
        give(cast, claim, amount_fen=27_000_00)


def test_case_8_an_interested_person_is_blocked(cast) -> None:
    need, one = published(cast), project(cast)
    charity.name_interested_person(
        one.number, name="王强", id_number=WANG_QIANG, tie="donor", relation="侄子", by=cast.charity
    )

    with pytest.raises(StepRefused) as refused:
        chain.claim_need(need.code, project_number=one.number, by=cast.charity)

    assert refused.value.code == "interested_person"
    assert "第四十条" in str(refused.value)
    run = chain.propose_matches(by=cast.county)
    assert not run.proposals.exists()


def test_a_restricted_project_serves_its_purpose_only(cast) -> None:
    need = published(cast)
    school = project(cast, name="助学", kinds=["EDUCATION"])

    with pytest.raises(StepRefused) as refused:
        chain.claim_need(need.code, project_number=school.number, by=cast.charity)
    assert refused.value.code == "not_fitting"
    assert "医疗" in str(refused.value)

    (explained,) = chain.why_each_project(need.code, by=cast.county)
    assert [one.code for one in explained.conditions if not one.holds] == ["kind"]


def test_a_refusal_and_a_lapsed_hold_go_back_to_the_list(cast, today) -> None:
    need, one = published(cast), project(cast)
    claim = chain.claim_need(need.code, project_number=one.number, by=cast.charity)
    charity.refuse_claim(claim.number, why="本月名额已满", by=cast.charity)
    assert charity.need_of(need.code, by=cast.charity).status == "published"

    again = chain.claim_need(need.code, project_number=one.number, by=cast.charity)
    assert again.keep_until == date(2024, 11, 22)
    today["day"] = date(2024, 11, 25)
    assert chain.run_jobs()["claims_lapsed"] == 1
    assert charity.claim_of(again.number, by=cast.charity).status == "lapsed"
    assert charity.need_of(need.code, by=cast.charity).status == "published"


def test_the_second_body_is_told_that_it_was_not_first(cast) -> None:
    need = published(cast)
    first, second = project(cast), project(cast, by=cast.member, name="职工大病")

    chain.claim_need(need.code, project_number=first.number, by=cast.charity)
    with pytest.raises(StepRefused) as refused:
        chain.claim_need(need.code, project_number=second.number, by=cast.member)

    assert refused.value.code == "outrun"
    assert chain.claim_need(need.code, project_number=first.number, by=cast.charity).need.pk == need.pk
    assert Claim.objects.count() == 1


def test_the_database_itself_refuses_a_second_hold(cast) -> None:
    from django.db import IntegrityError, transaction

    need, one = published(cast), project(cast)
    claim = chain.claim_need(need.code, project_number=one.number, by=cast.charity)

    with pytest.raises(IntegrityError), transaction.atomic():
        Claim.objects.create(
            number="RL-2", need=need, project=one, organisation=one.organisation, status="reserved",
            reserved_on=TODAY, keep_until=TODAY, reserved_by="charity",
        )  # fmt: skip
    assert Claim.objects.get() == claim


def test_the_body_learns_whom_to_deliver_to_only_with_that_consent(cast) -> None:
    need = published(cast)
    claim = chain.claim_need(need.code, project_number=project(cast).number, by=cast.charity)
    with pytest.raises(StepRefused, match="乡镇民政服务站"):
        charity.contact_for(claim.number, by=cast.charity)

    agreed(cast, need, kind="contact")

    assert charity.contact_for(claim.number, by=cast.charity) == ("王强", "10087654321")
    with pytest.raises(charity.ClaimNotFound):
        charity.contact_for(claim.number, by=cast.member)


def test_the_outcome_is_said_by_the_office_and_once(cast) -> None:
    claim = chain.claim_need(published(cast).code, project_number=project(cast).number, by=cast.charity)
    with pytest.raises(StepRefused, match="还没有给予"):
        charity.record_outcome(claim.number, result="solved", outcome="费用已结清", by=cast.township)
    give(cast, claim)

    with pytest.raises(NotAllowed):
        charity.record_outcome(claim.number, result="solved", outcome="费用已结清", by=cast.charity)
    done = charity.record_outcome(claim.number, result="partly", outcome="费用结清一半", by=cast.township)

    assert done.result == "partly"
    with pytest.raises(StepRefused):
        charity.record_outcome(claim.number, result="solved", outcome="又改了一次", by=cast.township)


# ---- matching ------------------------------------------------------------------------------------------------------


def test_the_most_urgent_is_served_first_and_a_person_decides(cast) -> None:
    urgent = published(cast)
    other = chain.raise_need(
        "H001", kind="MEDICAL", group="ILL", tier=3, need_fen=50_000_00, origin="window",
        story="张家有人慢性病，费用较高。", by=cast.township,
    )  # fmt: skip
    agreed(cast, other)
    chain.publish_need(other.code, public_text=TEXT, by=cast.county)
    project(cast, budget_fen=60_000_00)

    run = chain.propose_matches(by=cast.county)

    pair, part = run.proposals.order_by("pk")
    assert pair.need == urgent
    assert (part.need, part.amount_fen) == (other, 10_000_00)
    assert run.optimal
    assert [row["need"] for row in run.unserved] == [other.code]
    assert "档" in pair.why
    assert not Claim.objects.exists()
    claim = chain.accept_proposal(pair.pk, by=cast.county)
    assert chain.accept_proposal(pair.pk, by=cast.county).pk == claim.pk
    assert charity.claims(by=cast.charity).get() == claim
    from doudi.contexts.monitoring import services as monitoring

    assert claim.need.code in monitoring.notices(by=cast.charity).get().text


def test_a_new_reckoning_makes_the_old_one_stale_and_a_refusal_has_its_reason(cast) -> None:
    published(cast)
    project(cast)
    old = chain.propose_matches(by=cast.county).proposals.get()
    new = chain.propose_matches(by=cast.county).proposals.get()

    with pytest.raises(StepRefused, match="重新匹配"):
        chain.accept_proposal(old.pk, by=cast.county)
    with pytest.raises(StepRefused, match="理由"):
        charity.refuse_proposal(new.pk, ground="", by=cast.county)
    assert charity.refuse_proposal(new.pk, ground="家属愿等另一项目", by=cast.county).status == "refused"
    for person in (cast.township, cast.charity):
        with pytest.raises(NotAllowed):
            chain.propose_matches(by=person)


def test_projects_of_several_areas_are_matched_by_each(cast) -> None:
    need = published(cast)
    project(cast, regions=["520102017", "520102016"])

    assert chain.propose_matches(by=cast.county).proposals.get().need == need


# ---- goods and services --------------------------------------------------------------------------------------------


def test_what_expires_first_goes_first_and_the_expired_not_at_all(cast, today) -> None:
    for days, quantity in ((3, 10), (30, 10), (10, 10)):
        chain.take_in_goods(
            name="大米", unit="袋", kind="LIVING", quantity=quantity, expires_on=TODAY + timedelta(days=days), by=cast.charity
        )  # fmt: skip
    claim = chain.claim_need(
        published(cast, kind="LIVING", need_fen=None).code,
        project_number=project(cast, kinds=["LIVING"]).number,
        by=cast.charity,
    )
    today["day"] = TODAY + timedelta(days=5)

    moves = charity.give_goods(claim.number, name="大米", quantity=12, retry_key="k", by=cast.charity)
    again = charity.give_goods(claim.number, name="大米", quantity=12, retry_key="k", by=cast.charity)

    assert [(m.lot.expires_on - TODAY).days for m in moves] == [10, 30]
    assert [m.quantity for m in moves] == [10, 2]
    assert [m.pk for m in again] == [m.pk for m in moves]
    with pytest.raises(StepRefused) as refused:
        charity.give_goods(claim.number, name="大米", quantity=9, by=cast.charity)
    assert refused.value.code == "not_enough"
    expired = charity.lots(by=cast.charity).get(expires_on=TODAY + timedelta(days=3))
    assert charity.write_off_expired(expired.pk, by=cast.charity).quantity == 10


def test_capacity_is_not_booked_twice(cast) -> None:
    offer = chain.offer_service(name="陪诊", unit="次", kind="MEDICAL", per_month=4, by=cast.charity)
    claim = chain.claim_need(published(cast).code, project_number=project(cast).number, by=cast.charity)

    charity.book_service(claim.number, offer=offer.pk, month=TODAY, units=3, by=cast.charity)
    charity.book_service(claim.number, offer=offer.pk, month=TODAY, units=3, by=cast.charity)

    assert charity.free_units(offer, TODAY) == 1
    with pytest.raises(StepRefused, match="只余 4"):
        charity.book_service(claim.number, offer=offer.pk, month=date(2024, 12, 1), units=5, by=cast.charity)


# ---- two at once ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_bodies_claim_at_the_same_moment_and_one_holds(cast) -> None:
    need = published(cast)
    tries = [
        (project(cast).number, cast.charity),
        (project(cast, by=cast.member, name="职工大病").number, cast.member),
    ]
    start, told = threading.Barrier(len(tries)), []

    def claim(number, by) -> None:
        try:
            start.wait(5)
            told.append(chain.claim_need(need.code, project_number=number, by=by).number)
        except StepRefused as refused:
            told.append(refused.code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=claim, args=one) for one in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(told)[1] == "outrun", told
    assert Claim.objects.filter(status="reserved").count() == 1
    assert connection.vendor in ("sqlite", "postgresql")


# ---- demand --------------------------------------------------------------------------------------------------------


def test_the_demand_map_says_where_money_is_short_and_no_finer_than_published(cast) -> None:
    published(cast)
    project(cast, budget_fen=40_000_00)

    office, body = chain.demand(by=cast.county), chain.demand(by=cast.charity)

    assert office.kinds == ("MEDICAL",)
    assert [(place, cells[0].count, cells[0].shade) for place, cells in office.rows] == [("520102016", 1, 4)]
    assert office.short == {"MEDICAL"}
    assert body.rows[0][0] == Need.objects.get().public_region[:9]
    project(cast, name="再加一个", budget_fen=10_000_00)
    assert chain.demand(by=cast.county).short == frozenset()


# ---- what the public hand pays -------------------------------------------------------------------------------------


def test_monthly_allowances_are_shown_and_one_off_aid_is_counted_once(cast) -> None:
    from tests.payday import NOV, open_office

    pay = open_office(cast)
    pay.decide("H001", decided_on=date(2024, 10, 20))
    pay.decide(
        "H001", benefit="LS", decided_on=date(2024, 11, 5), amount_fen=2_000_00, decision_no="临时救助1"
    )
    pay.frozen(NOV)

    page = chain.received("H001", by=cast.township)
    need = chain.raise_need(
        "H001", kind="LIVING", group="ANY", tier=2, need_fen=5_000_00, origin="window",
        story="冬季取暖费用不足，老人怕冷。", by=cast.township,
    )  # fmt: skip

    assert {(line.label, line.kind, line.amount_fen) for line in page.lines} == {
        ("最低生活保障金 2024-11", "", 1_290_00),
        ("临时救助金 临时救助1", "LIVING", 2_000_00),
    }
    assert (need.public_aid_fen, need.gap_fen) == (2_000_00, 3_000_00)
