"""A verification from the one window to the second report, with everything that goes wrong on the way.

The worked cases 5 to 10 of handbook 03 stand here; the identity cases (1 to 4) stand in tests/engine/test_identity.py.
"""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from doudi.contexts.verification import services as verification
from doudi.contexts.verification.models import Query, Reply, Report
from doudi.contexts.verification.services import StepRefused, Unauthorised
from doudi.engine.status import Status
from doudi.engine.verification import State
from tests.contexts.verification.desk import answer_all, reply, started
from tests.small_county import LI_LI, ZHANG_WEI, make_id

CHILD = make_id("20180606", 66)


def test_no_query_goes_out_for_who_has_not_signed(opened, sign, clerk, verifier, rules, pack, tmp_path):
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    sign("张伟", ZHANG_WEI)
    with pytest.raises(Unauthorised, match="李丽"):
        verification.confirm_authorised(request.number, by=clerk)
    counts = verification.start_queries(request.number, rules=rules, by=verifier)
    assert counts == {"asked": len(rules.sources), "unauthorised": len(rules.sources), "standing": 0}
    _batch, workbook = verification.make_query_list("deposit", rules=rules, specs=pack.feeds, by=verifier)
    (tmp_path / "list.xlsx").write_bytes(workbook)
    from python_calamine import CalamineWorkbook

    lines = CalamineWorkbook.from_path(tmp_path / "list.xlsx").get_sheet_by_index(0).to_python()
    assert [line[1] for line in lines[1:]] == ["张伟"]

    # worked case 6: the report says 未授权, nothing is complete, and nothing is taken for "no"
    answer_all(pack, rules, tmp_path, verifier)
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    content = json.loads(report.content)
    deposit = next(s for s in content["computed"]["sources"] if s["source"] == "deposit")
    assert [person["label"] for person in deposit["people"]] == ["查无", "未授权"]
    assert report.partial
    assert report.advice == "需入户核实"
    assert content["computed"]["situation"]["category"] == "UNKNOWN"


@pytest.mark.parametrize("role", ["county", "township", "director", "auditor", "admin", "department"])
def test_no_other_role_asks_a_source(role, opened, clerk, make_user, rules):
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    somebody = make_user(f"some_{role}", role, "520102", "医保" if role == "department" else "")
    with pytest.raises(Exception, match="无权"):
        verification.start_queries(request.number, rules=rules, by=somebody)
    assert not Query.objects.exists()


def test_withdrawing_stops_what_is_out_and_what_would_go(opened, sign, clerk, verifier, rules, pack):
    request = opened()
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("张伟", ZHANG_WEI)
    verification.start_queries(request.number, rules=rules, by=verifier)
    stopped = verification.withdraw_authorisation(given.number, why="本人要求撤回", by=clerk)
    assert stopped == len(rules.sources)
    assert set(Query.objects.values_list("status", flat=True)) == {Status.UNAUTHORISED}
    with pytest.raises(StepRefused):
        verification.make_query_list("deposit", rules=rules, specs=pack.feeds, by=verifier)
    assert verification.withdraw_authorisation(given.number, why="再撤一次", by=clerk) == 0


@pytest.mark.parametrize(
    "how",
    [
        {"signed_on": timezone.localdate() - timedelta(days=400)},
        {"purposes": ["rigid"]},
        {"sources": ["vehicle"]},
    ],
    ids=["expired", "other purpose", "other source"],
)
def test_an_authorisation_covers_what_it_says_and_no_more(how, opened, sign, clerk, verifier, rules, pack):
    request = opened(sources=["deposit"])
    verification.accept_request(request.number, rules=rules, by=clerk)
    sign("张伟", ZHANG_WEI, **how)
    assert verification.start_queries(request.number, rules=rules, by=verifier)["asked"] == 0


def test_a_child_needs_the_guardian(sign):
    with pytest.raises(StepRefused, match="监护"):
        sign("张小", CHILD)
    given = sign("张小", CHILD, signer="张伟", guardian_relation="父亲")
    assert given.signer == "张伟"
    with pytest.raises(StepRefused, match="本人签署"):
        sign("李丽", LI_LI, signer="张伟")


def test_every_illegal_step_is_refused(opened, clerk, verifier, rules, pack):
    request = opened()
    for step in (
        lambda: verification.start_queries(request.number, rules=rules, by=verifier),
        lambda: verification.issue_report(request.number, pack=pack, rules=rules, by=verifier),
        lambda: verification.begin_review(request.number, by=verifier),
        lambda: verification.archive_request(request.number, by=verifier),
        lambda: verification.close_queries(request.number, by=verifier),
    ):
        with pytest.raises(StepRefused):
            step()
    verification.end_request(request.number, to=State.WITHDRAWN, why="申请人撤回申请", by=clerk)
    with pytest.raises(StepRefused):
        verification.accept_request(request.number, rules=rules, by=clerk)


def test_a_failed_source_is_never_no(opened, sign, clerk, verifier, rules, pack, tmp_path):
    # worked case 10
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, besides=("deposit",))
    request.refresh_from_db()
    assert request.state == State.PARTIAL
    verification.mark_failed(request.number, "deposit", why="银行接口停机", rules=rules, by=verifier)
    request.refresh_from_db()
    assert request.state == State.COMPARING
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    content = json.loads(report.content)
    assert report.partial
    assert content["computed"]["situation"]["missing"]["deposit"] == "failed"
    assert "银行存款（失败）" in content["computed"]["situation"]["paragraph"]
    assert next(d for d in content["computed"]["differences"] if d["item"] == "存款")["found"] is None


def test_savings_over_the_limit_are_named_with_the_amount(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    # worked case 7 with the reference county's standard: 745 × 24 × 2 = 35,760; 30,000 + 15,000 found
    request = started(opened, sign, rules, verifier, clerk)
    bank = {
        "name": "张伟",
        "id_number": ZHANG_WEI,
        "institution": "甲",
        "balance": "30000",
        "balance_on": "2024-11-01",
    }
    stocks = {
        "name": "李丽",
        "id_number": LI_LI,
        "institution": "乙",
        "market_value": "15000",
        "balance_on": "2024-11-01",
    }
    wages = [
        {"name": "张伟", "id_number": ZHANG_WEI, "kind": "工资薪金", "amount": "12450", "month": "2024-10"}
    ]
    answer_all(
        pack, rules, tmp_path, verifier, rows={"deposit": [bank], "securities": [stocks], "tax_income": wages}
    )
    said = verification.preview(request.number, pack=pack, rules=rules, by=verifier)
    grades = {d["item"]: d["grade"] for d in said["differences"]}
    # worked case 9: 450 of 12,000 a year is minor; the savings would have been within the limit as declared
    assert grades == {"工资": "轻微", "存款": "重大", "车辆": "一致", "房产": "一致"}
    assert said["advice"]["advice"] == "不符合"
    assert any(
        "金融资产45,000元，超过24个月标准的限额35,760元，多9,240元" in r for r in said["advice"]["reasons"]
    )


def test_same_id_and_another_name_is_held_and_in_no_total(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    # worked case 5
    request = started(opened, sign, rules, verifier, clerk)
    bank = {
        "name": "王五",
        "id_number": ZHANG_WEI,
        "institution": "甲",
        "balance": "90000",
        "balance_on": "2024-11-01",
    }
    answer_all(pack, rules, tmp_path, verifier, rows={"deposit": [bank]})
    said = verification.preview(request.number, pack=pack, rules=rules, by=verifier)
    assert said["situation"]["held"] == {"deposit": 1}
    assert said["situation"]["category"] == "DB"
    assert said["advice"]["advice"] == "需入户核实"


def test_from_an_undeclared_car_over_an_objection_to_the_second_report(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    car = {"name": "李丽", "id_number": LI_LI, "plate": "虚A0001", "vehicle_type": "小型", "use": "非营运",
           "registered_on": "2023-05-01", "status": "正常"}  # fmt: skip
    saved = {
        "name": "张伟",
        "id_number": ZHANG_WEI,
        "institution": "甲",
        "balance": "10000",
        "balance_on": "2024-11-01",
    }
    wages = [
        {"name": "张伟", "id_number": ZHANG_WEI, "kind": "工资薪金", "amount": "12000", "month": "2024-10"}
    ]
    answer_all(
        pack, rules, tmp_path, verifier, rows={"vehicle": [car], "deposit": [saved], "tax_income": wages}
    )
    asked = verification.ask_explanations(request.number, pack=pack, rules=rules, by=verifier)
    assert [(e.item, e.grade) for e in asked] == [("车辆", "未申报")]
    assert verification.ask_explanations(request.number, pack=pack, rules=rules, by=verifier) == []
    verification.answer_explanation(request.number, "车辆", answer="车已于去年卖掉，未过户", by=clerk)
    first = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert first.advice == "不符合"
    before = first.content

    verification.object_to(
        first.number, sources=["vehicle"], ground="车辆已经过户，请重查", rules=rules, by=clerk
    )
    verification.begin_review(request.number, by=verifier)
    verification.start_queries(request.number, rules=rules, by=verifier, again=["vehicle"])
    sold = {**car, "status": "注销"}
    outcome = reply(pack, rules, tmp_path, "vehicle", [sold], verifier)
    assert (outcome.answered, outcome.with_rows) == (2, 1)
    second = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    request.refresh_from_db()
    assert request.state == State.REVIEWED
    assert second.follows == first
    assert second.advice == "符合"
    changed = {
        line["what"]: (line["before"], line["now"])
        for line in json.loads(second.content)["recorded"]["changed_since"]
    }
    assert changed["意见"] == ("不符合", "符合")
    assert changed["查得车辆"] == (1, 0)
    first.refresh_from_db()
    assert first.content == before
    with pytest.raises(StepRefused, match=second.number):
        verification.valid_report(first.number, on=timezone.localdate(), by=clerk)
    assert verification.valid_report(second.number, on=timezone.localdate(), by=clerk) == second
    with pytest.raises(StepRefused, match="过期"):
        verification.valid_report(second.number, on=second.valid_to + timedelta(days=1), by=clerk)


def test_a_late_reply_leads_to_a_second_report_and_leaves_the_first(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, besides=("vehicle",))
    verification.close_queries(request.number, by=verifier)
    first = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert first.partial
    outcome = reply(pack, rules, tmp_path, "vehicle", [], verifier)
    assert outcome.late == 2
    request.refresh_from_db()
    assert request.state == State.REVIEWING
    second = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert not second.partial
    assert second.advice == "符合"


def test_the_same_reply_twice_answers_once(opened, sign, clerk, verifier, rules, pack, tmp_path):
    started(opened, sign, rules, verifier, clerk)
    assert reply(pack, rules, tmp_path, "vehicle", [], verifier).answered == 2
    assert reply(pack, rules, tmp_path, "vehicle", [], verifier).answered == 0
    assert Reply.objects.count() == 2


def test_a_report_is_computed_again_and_a_changed_byte_is_found(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    bank = {
        "name": "张伟",
        "id_number": ZHANG_WEI,
        "institution": "甲",
        "balance": "10000",
        "balance_on": "2024-11-01",
    }
    answer_all(pack, rules, tmp_path, verifier, rows={"deposit": [bank]})
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert verification.check_report(report, pack=pack, rules=rules).equal

    held = report.content.encode()
    assert verification.check_report(report, pack=pack, rules=rules, given=held).equal
    forged = held.replace(b'"advice":"', b'"advice":"\xe4\xb8\x8d', 1)
    found = verification.check_report(report, pack=pack, rules=rules, given=forged)
    assert not found.equal
    assert [d["path"] for d in found.differences] == ["file.computed.advice.advice"]

    # somebody with the keys rewrites the kept report, and then a kept reply
    Report.objects.filter(pk=report.pk).update(content=report.content.replace("张伟", "张卫"))
    changed = verification.check_report(Report.objects.get(pk=report.pk), pack=pack, rules=rules)
    assert {"sha256", "sm3"} <= {d["path"] for d in changed.differences}
    Report.objects.filter(pk=report.pk).update(content=report.content)
    with_rows = Reply.objects.get(row_count=1)
    Reply.objects.filter(pk=with_rows.pk).update(rows=with_rows.rows.replace("1000000", "9000000"))
    changed = verification.check_report(Report.objects.get(pk=report.pk), pack=pack, rules=rules)
    assert [d["path"] for d in changed.differences] == ["evidence"]


def test_who_opens_a_request_does_not_issue_its_report(opened, sign, clerk, verifier, rules, pack, tmp_path):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier)
    verification.VerificationRequest.objects.filter(pk=request.pk).update(created_by=verifier.username)
    with pytest.raises(StepRefused, match="委托人"):
        verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)


def test_another_county_sees_nothing(opened, make_user, verifier):
    request = opened()
    stranger = make_user("stranger1", "verifier", "610102")
    with pytest.raises(verification.RequestNotFound):
        verification.look_at_request(request.number, by=stranger)
    assert not verification.requests(by=stranger).exists()


def test_a_second_click_opens_no_second_request(opened):
    first = opened(household_no="H001")
    with pytest.raises(StepRefused, match=first.number):
        opened(household_no="H001")
    assert verification.VerificationRequest.objects.count() == 1


def test_a_source_that_failed_may_recover_without_being_asked_again(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier, besides=("deposit",))
    verification.mark_failed(request.number, "deposit", why="银行接口停机", rules=rules, by=verifier)
    assert reply(pack, rules, tmp_path, "deposit", [], verifier).answered == 2
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    assert not report.partial


def test_withdrawing_the_last_open_queries_lets_the_request_go_on(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = opened(sources=["deposit", "vehicle"])
    verification.accept_request(request.number, rules=rules, by=clerk)
    given = sign("张伟", ZHANG_WEI)
    sign("李丽", LI_LI)
    verification.start_queries(request.number, rules=rules, by=verifier)
    reply(pack, rules, tmp_path, "vehicle", [], verifier)
    verification.withdraw_authorisation(given.number, why="本人要求撤回", by=clerk)
    reply(pack, rules, tmp_path, "deposit", [], verifier)
    request.refresh_from_db()
    assert request.state == State.COMPARING


def test_a_report_cannot_support_a_decision_made_before_it(
    opened, sign, clerk, verifier, rules, pack, tmp_path
):
    request = started(opened, sign, rules, verifier, clerk)
    answer_all(pack, rules, tmp_path, verifier)
    report = verification.issue_report(request.number, pack=pack, rules=rules, by=verifier)
    with pytest.raises(StepRefused, match="不能作为此前决定"):
        verification.valid_report(report.number, on=report.issued_on - timedelta(days=1), by=clerk)
