"""A warning on the officers' desks: listed, dispatched, visited, closed, and what each role sees of it."""

from __future__ import annotations

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from doudi.contexts.accounts.services import audit_entries
from doudi.contexts.monitoring import services as monitoring
from tests.small_county import TOWNSHIP_A, TOWNSHIP_B

WANG, ZHAO = "YJ20241115-H002", "YJ20241115-H003"


def today() -> str:
    return f"{timezone.localdate():%Y-%m-%d}"


def visit_form(**changed: str) -> dict[str, str]:
    return {
        "visited_on": today(),
        "visitor_1": "李乡办",
        "visitor_2": "吴网格",
        "result_code": "C",
        "finding": "住院自付多，家中无其他收入。",
        **changed,
    }


def text_of(answer) -> str:
    return answer.content.decode()


def dispatched(county, browser, number: str = WANG, to: str = TOWNSHIP_A) -> None:
    answer = browser(county.county).post(reverse("dispatch", args=[number]), {"to": to})
    assert answer.status_code == 302


def visited(county, browser, number: str = WANG) -> None:
    dispatched(county, browser, number)
    answer = browser(county.township).post(reverse("visit", args=[number]), visit_form())
    assert answer.status_code == 302


def test_the_list_is_narrowed_by_level_signal_township_and_text(county, browser) -> None:
    desk = browser(county.county)

    def listed(**asked: str) -> set[str]:
        page = text_of(desk.get(reverse("warnings"), asked))
        return {number for number in ("H001", "H002", "H003") if f">{number}</a>" in page}

    assert {"H002", "H003"} <= listed()
    assert listed(code="M1") == {"H002"}
    assert listed(code="K1") == {"H003"}
    assert "H003" not in listed(region=TOWNSHIP_A)
    assert listed(text="王强") == {"H002"}
    assert listed(status="closed") == set()
    assert listed(overdue="1") == set()


def test_an_htmx_request_gets_the_list_alone(county, browser) -> None:
    desk = browser(county.county)

    part = text_of(desk.get(reverse("warnings"), headers={"hx-request": "true"}))
    back = text_of(
        desk.get(reverse("warnings"), headers={"hx-request": "true", "hx-history-restore-request": "true"})
    )

    assert "<html" not in part and "H002" in part
    assert "<html" in back


def test_a_session_that_ended_sends_the_whole_page_to_the_log_in(county, client) -> None:
    answer = client.get(reverse("warnings"), headers={"hx-request": "true"})

    assert answer["HX-Redirect"].startswith(reverse("login"))


def test_a_page_beyond_the_last_is_the_last(county, browser) -> None:
    assert "H002" in text_of(browser(county.county).get(reverse("warnings"), {"page": "99"}))


def test_ticked_warnings_go_each_to_its_own_township(county, browser) -> None:
    desk = browser(county.county)

    answer = desk.post(
        reverse("dispatch_ticked"), {"number": [WANG, ZHAO], "query": "status=new&sort=due"}, follow=True
    )

    assert answer.redirect_chain[-1][0] == reverse("warnings") + "?status=new&sort=due"
    assert "已派单 2 件" in text_of(answer)
    assert monitoring.case_of(WANG).region_code == TOWNSHIP_A
    assert monitoring.case_of(ZHAO).region_code == TOWNSHIP_B
    again = desk.post(reverse("dispatch_ticked"), {"number": [WANG]}, follow=True)
    assert "刚被他人处理" in text_of(again)


def test_nothing_ticked_is_said(county, browser) -> None:
    answer = browser(county.county).post(reverse("dispatch_ticked"), follow=True)

    assert "没有勾选预警" in text_of(answer)


def test_of_two_officers_who_dispatch_at_once_one_is_told(county, browser) -> None:
    desk = browser(county.county)
    seen = str(monitoring.case_of(WANG).version)
    first = desk.post(reverse("dispatch", args=[WANG]), {"to": TOWNSHIP_A, "seen": seen})

    second = desk.post(reverse("dispatch", args=[WANG]), {"to": TOWNSHIP_B, "seen": seen})

    assert (first.status_code, second.status_code) == (302, 422)
    assert "刚被他人处理" in text_of(second)
    assert monitoring.case_of(WANG).region_code == TOWNSHIP_A


def test_a_township_sees_its_own_work_on_its_home_page(county, browser) -> None:
    dispatched(county, browser)

    assert "王强" in text_of(browser(county.township).get("/"))
    assert "王强" not in text_of(browser(county.other_township).get("/"))


def test_a_visit_with_one_visitor_too_few_is_refused_beside_the_form_and_nothing_typed_is_lost(
    county, browser
) -> None:
    dispatched(county, browser)
    desk = browser(county.township)

    answer = desk.post(reverse("visit", args=[WANG]), visit_form(visitor_2=""))

    assert answer.status_code == 422
    page = text_of(answer)
    assert "须由 2 名入户人员" in page
    assert "住院自付多，家中无其他收入。" in page
    assert monitoring.case_of(WANG).status == "dispatched"


def test_the_refusal_is_english_on_an_english_page(county, browser) -> None:
    dispatched(county, browser)

    answer = browser(county.township, "en").post(reverse("visit", args=[WANG]), visit_form(visitor_2=""))

    assert "needs 2 visitors" in text_of(answer)
    assert "入户人员共同核实" not in text_of(answer)


def test_a_visit_tomorrow_is_refused(county, browser) -> None:
    dispatched(county, browser)
    tomorrow = f"{timezone.localdate() + timedelta(days=1):%Y-%m-%d}"

    answer = browser(county.township).post(reverse("visit", args=[WANG]), visit_form(visited_on=tomorrow))

    assert answer.status_code == 422 and "不能晚于今天" in text_of(answer)


def test_an_amount_is_taken_to_the_fen(county, browser) -> None:
    visited(county, browser)
    desk = browser(county.township)
    form = {"code": "LS_AID", "given_on": today(), "ground": "住院自付多，按临时救助办法给予。"}

    wrong = desk.post(reverse("measure", args=[WANG]), {**form, "amount": "一千五"})
    right = desk.post(reverse("measure", args=[WANG]), {**form, "amount": "1,500.50"})

    assert wrong.status_code == 422 and "不是金额" in text_of(wrong)
    assert right.status_code == 302
    assert "1,500.50" in text_of(desk.get(reverse("warning", args=[WANG])))


def test_a_case_is_closed_only_after_every_department_has_answered(county, browser) -> None:
    visited(county, browser)
    worker, officer = browser(county.township), browser(county.county)
    worker.post(reverse("push", args=[WANG]), {"department": "医保", "need": "核查医疗救助待遇"})

    early = officer.post(reverse("close", args=[WANG]), {"closing_note": "已给予临时救助"})
    assert early.status_code == 422 and "还有部门没有反馈" in text_of(early)

    referral = f"TS-{WANG}-医保-1"
    browser(county.department).post(
        reverse("answer", args=[referral]), {"result": "solved", "amount": "3000", "answer": "已手工报销到户"}
    )
    closed = officer.post(reverse("close", args=[WANG]), {"closing_note": "已给予临时救助"}, follow=True)

    page = text_of(closed)
    assert "预警已办结" in page
    for step in ("发现", "派单", "入户核实", "推送部门", "部门答复", "办结"):
        assert f"<b>{step}</b>" in page


def test_a_director_reads_the_case_but_no_name_no_finances_and_no_forms(county, browser) -> None:
    visited(county, browser)

    page = text_of(browser(county.director).get(reverse("warning", args=[WANG])))

    assert "王*" in page and "王强" not in page
    assert "30,000" not in page and "30000" not in page and "住院自付多" not in page
    assert '<form method="post" action="/warnings/' not in page


def test_the_case_explains_itself_to_those_who_may_see_finances(county, browser) -> None:
    page = text_of(browser(county.county).get(reverse("warning", args=[WANG])))

    assert 'class="paragraph"' in page
    assert "M1" in page and "大额医疗自付" in page


def test_looking_at_a_case_is_in_the_audit_log(county, browser) -> None:
    browser(county.county).get(reverse("warning", args=[WANG]))

    entry = audit_entries(by=county.auditor, actor="county", subject="household:H002").first()
    assert entry is not None and WANG in entry.reason


def test_a_step_asked_for_by_its_address_alone_leads_to_the_case(county, browser) -> None:
    answer = browser(county.county).get(reverse("close", args=[WANG]))

    assert answer["Location"] == reverse("warning", args=[WANG])


def test_a_township_that_the_table_of_divisions_does_not_know_can_still_be_chosen(county, browser) -> None:
    desk = browser(county.county)
    monitoring.WarningCase.objects.filter(number=WANG).update(region_code="520102999")

    page = text_of(desk.get(reverse("warning", args=[WANG])))

    assert '<option value="520102999" selected>' in page
    assert desk.post(reverse("dispatch", args=[WANG]), {"to": "520102999"}).status_code == 302
