"""A department's inbox: the least that it needs, its answer, and its way to say no."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Act, audit_entries
from tests.small_county import TOWNSHIP_A, WANG_QIANG

WANG = "YJ20241115-H002"


def text_of(answer) -> str:
    return answer.content.decode()


@pytest.fixture
def pushed(county):
    """A need of 王强, pushed to 医保; and one to 残联, which 医保 must not see."""
    chain.dispatch(WANG, to=TOWNSHIP_A, by=county.county)
    chain.record_visit(
        WANG,
        by=county.township,
        visited_on=timezone.localdate(),
        visitors=["李乡办", "吴网格"],
        result_code="D",
        finding="住院自付多，无人照料。",
    )
    chain.push_need(WANG, department="残联", need="评估辅具需要", by=county.township)
    return chain.push_need(WANG, department="医保", need="核查医疗救助待遇", by=county.township).number


def test_a_department_sees_its_own_needs_and_the_person_it_must_call(county, pushed, browser) -> None:
    desk = browser(county.department)

    listed = text_of(desk.get(reverse("inbox")))
    page = text_of(desk.get(reverse("referral", args=[pushed])))

    assert "核查医疗救助待遇" in listed and "评估辅具需要" not in listed
    assert WANG_QIANG not in listed
    assert WANG_QIANG in page and "10087654321" in page
    assert "住院自付多" not in page and "30,000" not in page


def test_opening_it_is_in_the_audit_log(county, pushed, browser) -> None:
    browser(county.department).get(reverse("referral", args=[pushed]))

    entry = audit_entries(by=county.auditor, act=Act.VIEW_REFERRALS).get()
    assert (entry.actor, entry.subject) == ("department", "household:H002")


def test_another_departments_need_is_not_there(county, pushed, browser) -> None:
    other = pushed.replace("医保", "残联")

    assert browser(county.department).get(reverse("referral", args=[other])).status_code == 404


def test_civil_affairs_sees_the_state_but_the_id_masked(county, pushed, browser) -> None:
    page = text_of(browser(county.township).get(reverse("referral", args=[pushed])))

    assert WANG_QIANG not in page and f"{WANG_QIANG[:6]}********{WANG_QIANG[-4:]}" in page


def test_it_is_accepted_and_answered(county, pushed, browser) -> None:
    desk = browser(county.department)
    desk.post(reverse("accept", args=[pushed]))
    unfinished = desk.post(
        reverse("answer", args=[pushed]), {"result": "solved", "amount": "3000", "answer": "好"}
    )
    assert unfinished.status_code == 422 and "请写明办理情况" in text_of(unfinished)

    done = desk.post(
        reverse("answer", args=[pushed]),
        {"result": "solved", "amount": "3,000", "answer": "已手工报销到户"},
        follow=True,
    )

    assert "已反馈民政部门" in text_of(done) and "3,000.00" in text_of(done)
    assert "没有这一类推送" in text_of(desk.get(reverse("inbox")))


def test_a_second_click_is_told_and_changes_nothing(county, pushed, browser) -> None:
    desk = browser(county.department)
    desk.post(reverse("accept", args=[pushed]))

    again = desk.post(reverse("accept", args=[pushed]))

    assert again.status_code == 422 and "不能接收" in text_of(again)


def test_it_is_returned_with_a_reason(county, pushed, browser) -> None:
    desk = browser(county.department)

    assert desk.post(reverse("send_back", args=[pushed]), {"why": "不"}).status_code == 422
    answer = desk.post(
        reverse("send_back", args=[pushed]), {"why": "该户已参加新农合并足额报销"}, follow=True
    )

    assert "已退回" in text_of(answer)
    timeline = text_of(browser(county.township).get(reverse("warning", args=[WANG])))
    assert "医保退回" in timeline
