"""A call from publication to payment: scored blind by people without a conflict, decided and paid by other hands."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.charity import incubation, milestones, venture_reversals, ventures
from doudi.contexts.charity import services as charity
from doudi.engine.errors import DoudiError
from tests.cast import PASSWORD, UNION, Cast, assemble

TODAY = timezone.localdate


def uscc(body: str) -> str:
    """A unified code with its check character (GB 32100-2015)."""
    signs, weights = (
        "0123456789ABCDEFGHJKLMNPQRTUWXY",
        (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28),
    )
    total = sum(signs.index(sign) * weight for sign, weight in zip(body, weights, strict=True))
    return body + signs[(31 - total % 31) % 31]


def user(name: str, role: Role, region: str = "520102", **more: Any) -> User:
    return accounts.create_user(
        username=name, password=PASSWORD, display_name=name, role=role, region_code=region,
        by=accounts.system_user(), check_password=False, **more,
    )  # fmt: skip


@pytest.fixture
def people(office, db) -> Cast:
    return assemble()


@pytest.fixture
def bodies(people: Cast) -> list[User]:
    """Three charities, each with an account."""
    found = []
    for place in range(3):
        code = uscc(f"53520102MJ000001{place}"[:17].ljust(17, "0"))
        charity.register_organisation(
            code=code, name=f"虚构慈善{'甲乙丙'[place]}会", kind="charity", region_code="520102",
            registered_on=date(2020, 1, 1), by=people.county,
        )  # fmt: skip
        found.append(user(f"body{place}", Role.CHARITY, organisation=code))
    return found


@pytest.fixture
def call(people: Cast) -> ventures.Call:
    made = ventures.draft_call(
        title="银龄助餐公益创投", text="支持助老助餐的小项目", budget_fen=9_000_000, most_fen=5_000_000, money="福彩公益金",
        opens_on=TODAY(), closes_on=TODAY() + timedelta(days=10), criteria=[("需求", 40), ("可行", 60)],
        rules=chain.giving_rules(), by=people.county,
    )  # fmt: skip
    return ventures.publish_call(made.number, by=people.county)


def applied(
    call: ventures.Call, by: User, title: str = "送餐上门", fen: int = 4_000_000, **other: Any
) -> ventures.Application:
    words = {
        "title": title, "problem": "高龄独居老人吃饭难，子女不在身边。", "approach": "每天两次送餐，顺便探访登记。",
        "beneficiaries": "独居老人五十人", "budget": [("人员补贴", fen - 100), ("保温箱", 100)], **other,
    }  # fmt: skip
    return ventures.apply(call.number, by=by, **words)


def jurors(people: Cast) -> list[User]:
    return [people.township, people.department, people.member, people.verifier]


def begun(call: ventures.Call, people: Cast) -> ventures.Call:
    for juror in jurors(people):
        ventures.appoint_juror(call.number, username=juror.username, by=people.county)
    ventures.Call.objects.update(opens_on=TODAY() - timedelta(days=9), closes_on=TODAY() - timedelta(days=1))
    ventures.begin_scoring(call.number, by=people.county)
    call.refresh_from_db()
    return call


def scored(call: ventures.Call, people: Cast, points: dict[str, int]) -> None:
    for juror in jurors(people):
        ventures.declare(call.number, conflicts=[], words="无利益冲突", by=juror)
        for ballot in ventures.ballots(call, by=juror):
            ventures.score(
                call.number,
                ballot.blind,
                points={"c1": points[ballot.blind], "c2": 80},
                comment="可行可推广",
                by=juror,
            )


def awarded(call: ventures.Call, people: Cast, one: ventures.Application, fen: int = 3_000_000) -> None:
    ventures.propose_awards(call.number, awards={one.number: fen}, by=people.county)
    ventures.decide_awards(call.number, approve=True, document="虚构创投1号", note="", by=people.director)


def test_a_call_from_publication_to_payment_and_evaluation(people: Cast, bodies, call) -> None:
    best, other = applied(call, bodies[0]), applied(call, bodies[1], "长者食堂")
    begun(call, people)
    scored(call, people, {"A01": 90, "A02": 70})
    places = ventures.ranking(ventures.call_of(call.number, by=people.county), by=people.county)
    assert [(place.application.blind, place.shown) for place in places] == [
        ("A01", "84.00"),
        ("A02", "76.00"),
    ]

    awarded(call, people, best)
    steps = [
        ("启动", TODAY() + timedelta(days=20), 1_500_000),
        ("结项", TODAY() + timedelta(days=90), 1_500_000),
    ]
    planned = milestones.plan_milestones(
        best.number, steps=steps, rules=chain.giving_rules(), by=people.county
    )
    second = user("county2", Role.COUNTY)
    for place, step in enumerate(planned):
        milestones.report_milestone(step.pk, report="已服务老人五十名", evidence=b"%PDF-1.4 x", by=bodies[0])
        milestones.accept_milestone(step.pk, accept=True, note="符合", by=people.county)
        with pytest.raises(DoudiError) as refused:
            milestones.pay_milestone(step.pk, voucher=f"V{place}", on=TODAY(), by=people.county)
        assert refused.value.code == "same_person"
        one = milestones.pay_milestone(step.pk, voucher=f"V{place}", on=TODAY(), by=second)
        assert milestones.pay_milestone(step.pk, voucher=f"V{place}", on=TODAY(), by=second).pk == one.pk
    milestones.evaluate(best.number, grade="good", people=50, text="按期完成，老人满意。", by=people.county)

    other.refresh_from_db()
    best.refresh_from_db()
    assert (other.status, best.status, milestones.paid_of(best)) == ("refused", "awarded", 3_000_000)
    assert ventures.public_call(call.number).status == "finished"
    assert [one.organisation.name for one in ventures.public_awards(call)] == ["虚构慈善甲会"]


def test_a_wrong_payment_is_reversed_by_two_people_and_paid_again_rightly(people: Cast, bodies, call) -> None:
    one = applied(call, bodies[0])
    applied(call, bodies[1], "长者食堂")
    begun(call, people)
    scored(call, people, {"A01": 90, "A02": 70})
    awarded(call, people, one)
    steps = [
        (words, TODAY() + timedelta(days=days), 1_500_000) for words, days in (("启动", 20), ("结项", 90))
    ]
    first = milestones.plan_milestones(one.number, steps=steps, rules=chain.giving_rules(), by=people.county)[
        0
    ]
    payer, other = user("county2", Role.COUNTY), user("county3", Role.COUNTY)
    milestones.report_milestone(first.pk, report="已服务老人五十名", by=bodies[0])
    milestones.accept_milestone(first.pk, accept=True, note="符合", by=people.county)
    told = {"voucher": "C1", "on": TODAY(), "ground": "账号填错，银行退回"}
    with pytest.raises(DoudiError, match="没有可冲正"):
        venture_reversals.ask_reversal(first.pk, **told, by=payer)
    wrong = milestones.pay_milestone(first.pk, voucher="V1", on=TODAY(), by=payer)

    with pytest.raises(DoudiError):  # the charity does not undo what it was paid
        venture_reversals.ask_reversal(first.pk, **told, by=bodies[0])
    with pytest.raises(DoudiError) as refused:
        venture_reversals.ask_reversal(first.pk, **{**told, "voucher": "V1"}, by=payer)
    assert refused.value.code == "voucher_used"
    asked = venture_reversals.ask_reversal(first.pk, **told, by=payer)
    assert venture_reversals.ask_reversal(first.pk, **told, by=payer).pk == asked.pk
    with pytest.raises(DoudiError) as refused:
        venture_reversals.decide_reversal(first.pk, confirm=True, note="", by=payer)
    assert refused.value.code == "same_person"
    assert milestones.paid_of(one) == 1_500_000  # nothing comes off before the second person

    done = venture_reversals.decide_reversal(first.pk, confirm=True, note="", by=other)
    assert venture_reversals.decide_reversal(first.pk, confirm=True, note="", by=other).pk == done.pk
    first.refresh_from_db()
    assert (first.status, first.payment, milestones.paid_of(one)) == ("accepted", None, 0)

    with pytest.raises(DoudiError) as refused:
        milestones.pay_milestone(first.pk, voucher="C1", on=TODAY(), by=payer)
    assert refused.value.code == "voucher_used"
    right = milestones.pay_milestone(first.pk, voucher="V2", on=TODAY(), by=payer)
    assert (right.turn, milestones.paid_of(one)) == (2, 1_500_000)
    assert [row.voucher for row in first.payments.all()] == ["V1", "V2"] and wrong.pk != right.pk


def test_a_reversal_that_is_refused_leaves_the_payment_and_may_be_asked_again(
    people: Cast, bodies, call
) -> None:
    one = applied(call, bodies[0])
    applied(call, bodies[1], "长者食堂")
    begun(call, people)
    scored(call, people, {"A01": 90, "A02": 70})
    awarded(call, people, one)
    steps = [
        (words, TODAY() + timedelta(days=days), 1_500_000) for words, days in (("启动", 20), ("结项", 90))
    ]
    first = milestones.plan_milestones(one.number, steps=steps, rules=chain.giving_rules(), by=people.county)[
        0
    ]
    payer, other = user("county2", Role.COUNTY), user("county3", Role.COUNTY)
    milestones.report_milestone(first.pk, report="已服务老人五十名", by=bodies[0])
    milestones.accept_milestone(first.pk, accept=True, note="符合", by=people.county)
    milestones.pay_milestone(first.pk, voucher="V1", on=TODAY(), by=payer)

    venture_reversals.ask_reversal(first.pk, voucher="C1", on=TODAY(), ground="以为重复", by=payer)
    with pytest.raises(DoudiError):  # a refusal says why
        venture_reversals.decide_reversal(first.pk, confirm=False, note="", by=other)
    venture_reversals.decide_reversal(first.pk, confirm=False, note="没有重复，拨付无误", by=other)

    first.refresh_from_db()
    assert (first.status, milestones.paid_of(one)) == ("paid", 1_500_000)
    again = venture_reversals.ask_reversal(first.pk, voucher="C2", on=TODAY(), ground="银行退回", by=payer)
    assert [row.status for row in first.reversals] == ["refused", "asked"] and again.amount_fen == -1_500_000


def test_jurors_see_a_letter_and_nobodys_name_nor_each_others_scores(people: Cast, bodies, call) -> None:
    with pytest.raises(DoudiError) as refused:
        applied(call, bodies[0], approach="虚构慈善甲会每天两次送餐上门。")
    assert refused.value.code == "not_blind"
    applied(call, bodies[0])
    begun(call, people)
    juror = people.township
    assert ventures.ballots(call, by=juror) == []  # before the declaration nothing is shown

    ventures.declare(call.number, conflicts=[], words="无利益冲突", by=juror)
    call.refresh_from_db()
    seen = ventures.ballots(call, by=juror)

    assert [ballot.blind for ballot in seen] == ["A01"]
    assert "虚构慈善" not in str(seen) and bodies[0].organisation not in str(seen)
    assert not ventures.applications(call, by=juror).exists()
    assert ventures.ranking(call, by=juror) == []
    for stranger in (people.other_township, people.stranger):
        with pytest.raises(DoudiError):
            ventures.ballots(call, by=stranger)


def test_a_juror_with_a_conflict_steps_aside_and_three_others_must_score(people: Cast, bodies, call) -> None:
    one = applied(call, bodies[0])
    applied(call, bodies[1], "长者食堂")
    begun(call, people)
    call.refresh_from_db()
    tied, *free = jurors(people)
    assert (
        ventures.applicants(call, by=tied)[0][1] == "虚构慈善乙会"
        or len(ventures.applicants(call, by=tied)) == 2
    )
    ventures.declare(call.number, conflicts=[bodies[0].organisation], words="曾任该会理事", by=tied)

    assert [ballot.title for ballot in ventures.ballots(call, by=tied)] == ["长者食堂"]
    with pytest.raises(DoudiError) as refused:
        ventures.score(call.number, one.blind, points={"c1": 1, "c2": 1}, comment="不宜资助", by=tied)
    assert refused.value.code == "conflict"
    for juror in free[:2]:
        ventures.declare(call.number, conflicts=[], words="无利益冲突", by=juror)
        ventures.score(call.number, one.blind, points={"c1": 90, "c2": 90}, comment="值得资助", by=juror)
    with pytest.raises(DoudiError) as refused:
        ventures.propose_awards(call.number, awards={one.number: 100}, by=people.county)
    assert refused.value.code == "scores_missing"


def test_a_score_is_given_once_and_a_second_click_is_the_same(people: Cast, bodies, call) -> None:
    applied(call, bodies[0])
    begun(call, people)
    ventures.declare(call.number, conflicts=[], words="无利益冲突", by=people.township)
    given = {"points": {"c1": 90, "c2": 80}, "comment": "可行可推广", "by": people.township}

    one = ventures.score(call.number, "A01", **given)

    assert ventures.score(call.number, "A01", **given).pk == one.pk
    assert one.total == 90 * 40 + 80 * 60
    for points in ({"c1": 100, "c2": 100}, {"c1": 90}, {"c1": 900, "c2": 1}):
        with pytest.raises(DoudiError):
            ventures.score(call.number, "A01", **{**given, "points": points})


def test_awards_follow_the_ranking_and_the_budget_and_the_director_decides(
    people: Cast, bodies, call
) -> None:
    best, worse = applied(call, bodies[0]), applied(call, bodies[1], "长者食堂")
    begun(call, people)
    scored(call, people, {"A01": 90, "A02": 10})
    ask = {"by": people.county}

    for awards, code in (
        ({worse.number: 100}, "out_of_order"),
        ({best.number: 4_000_001}, "step_refused"),
        ({best.number: 0}, "step_refused"),
        ({"SB-x": 5}, "step_refused"),
    ):
        with pytest.raises(DoudiError) as refused:
            ventures.propose_awards(call.number, awards=awards, **ask)
        assert refused.value.code == code
    ventures.propose_awards(call.number, awards={best.number: 100}, **ask)
    for person in (people.county, people.auditor, bodies[0]):
        with pytest.raises(DoudiError):
            ventures.decide_awards(call.number, approve=True, document="1号", note="", by=person)


def test_milestones_add_up_to_the_award_and_the_first_is_not_the_larger_part(
    people: Cast, bodies, call
) -> None:
    one = applied(call, bodies[0])
    begun(call, people)
    scored(call, people, {"A01": 90})
    awarded(call, people, one)
    later = [TODAY() + timedelta(days=days) for days in (10, 20)]

    for sums in ((1_000_000, 1_000_000), (2_000_000, 1_000_000), (3_000_000,)):
        with pytest.raises(DoudiError):
            steps = [(f"第{place}步", later[place], fen) for place, fen in enumerate(sums)]
            milestones.plan_milestones(one.number, steps=steps, rules=chain.giving_rules(), by=people.county)


def test_who_runs_or_decides_a_call_is_no_juror(people: Cast, call) -> None:
    for name in ("county", "director", "charity", "stranger"):
        with pytest.raises(DoudiError) as refused:
            ventures.appoint_juror(call.number, username=name, by=people.county)
        assert refused.value.code == "no_juror"


def test_support_stays_within_the_year_and_the_director_decides(people: Cast, bodies) -> None:
    ask = {"code": bodies[0].organisation, "kind": "startup", "year": TODAY().year, "ground": "新登记慈善组织启动",
           "rules": chain.giving_rules(), "by": people.county}  # fmt: skip
    one = incubation.propose_support(amount_fen=1_500_000, **ask)

    with pytest.raises(DoudiError) as refused:
        incubation.propose_support(amount_fen=500_001, **ask)
    assert refused.value.code == "over_yearly"
    with pytest.raises(DoudiError):
        incubation.decide_support(one.number, approve=True, document="1号", by=people.county)
    assert (
        incubation.decide_support(one.number, approve=True, document="1号", by=people.director).status
        == "approved"
    )
    honour = {
        "code": bodies[0].organisation,
        "title": "5A 级社会组织",
        "year": 2024,
        "issuer": "虚构县民政局",
    }
    assert incubation.record_honour(by=people.county, **honour) == incubation.record_honour(
        by=people.county, **honour
    )


def test_an_idea_of_a_hub_body_is_reviewed_launched_and_becomes_a_brand(people: Cast, bodies) -> None:
    charity.Organisation.objects.filter(code=bodies[0].organisation).update(kind="hub")
    told = {"title": "邻里餐桌", "problem": "村里独居老人多，做饭不便。", "approach": "在村委会开小灶，邻里轮流帮厨。", "kinds": ["CARE"],
            "groups": ["ELDER"], "budget_fen": 2_000_000, "rules": chain.giving_rules()}  # fmt: skip
    with pytest.raises(DoudiError) as refused:
        incubation.bring_idea(by=bodies[1], **told)
    assert refused.value.code == "no_hub"
    idea = incubation.bring_idea(by=bodies[0], **told)

    incubation.review_idea(idea.number, verdict="returned", note="请补充承接组织", by=people.county)
    incubation.bring_idea(by=bodies[0], number=idea.number, **{**told, "partner": "助餐协会"})
    with pytest.raises(DoudiError):
        incubation.launch_idea(idea.number, starts_on=TODAY(), ends_on=None, by=bodies[0])
    incubation.review_idea(idea.number, verdict="ready", note="可以启动", by=people.county)
    launched = incubation.launch_idea(idea.number, starts_on=TODAY(), ends_on=None, by=bodies[0])
    incubation.make_brand(idea.number, results="一年服务老人二百名。", by=people.county)

    assert launched.project.name == "邻里餐桌" and launched.project.kinds == ["CARE"]
    assert [brand.title for brand in incubation.public_brands()] == ["邻里餐桌"]
    assert not incubation.ideas(by=bodies[1]).exists()


def test_a_member_bodys_account_may_be_a_juror_and_sees_calls_only_when_published(people: Cast) -> None:
    draft = ventures.draft_call(
        title="第二届创投", text="支持儿童项目", budget_fen=100, most_fen=100, money="福彩公益金", opens_on=TODAY(),
        closes_on=TODAY() + timedelta(days=1), criteria=[("甲", 50), ("乙", 50)], rules=chain.giving_rules(),
        by=people.county,
    )  # fmt: skip

    assert people.member.organisation == UNION
    with pytest.raises(DoudiError):
        ventures.call_of(draft.number, by=people.member)
    ventures.publish_call(draft.number, by=people.county)
    assert ventures.call_of(draft.number, by=people.member)
    with pytest.raises(DoudiError):
        ventures.call_of(draft.number, by=people.stranger)
