"""The linkage on pages: the union's workbook to filed, a need to its outcome, and what a body never gets to see."""

from __future__ import annotations

import json
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from doudi import chain
from doudi.contexts.charity import services as charity
from doudi.contexts.charity.models import AidFiling, Claim, Need, Resolution
from doudi.web.urls import ROUTES
from tests.cast import CHARITY, UNION
from tests.linked_county import SECRETS, STORY, TEXT, bodies, link, small_cells, workbook
from tests.small_county import WANG_QIANG
from tests.web.test_every_route_has_a_policy import ARGUMENTS, address


@pytest.fixture
def linked(county, monkeypatch):
    return link(county, monkeypatch)


def arguments(linked) -> dict[str, list[dict[str, object]]]:
    """For the routes of this room the arguments that lead to something."""
    numbers = {
        "filing": linked.filing.number, "filing_step": linked.filing.number,
        "filing_batch": linked.batch.number, "filing_batch_step": linked.batch.number,
        "filing_batch_marked": linked.batch.number, "claim": linked.claim.number, "claim_step": linked.claim.number,
        "claim_contact": linked.claim.number, "match_run": linked.run.number, "project": linked.project.number,
        "project_step": linked.project.number, "meeting": linked.meeting.number, "meeting_step": linked.meeting.number,
    }  # fmt: skip
    codes = {"need": [linked.need.code, linked.raised.code], "need_step": [linked.need.code],
             "organisation": [CHARITY, UNION], "organisation_step": [CHARITY]}  # fmt: skip
    found: dict[str, list[dict[str, object]]] = {
        name: [{"number": number}] for name, number in numbers.items()
    }
    found |= {name: [{"code": code} for code in all_] for name, all_ in codes.items()}
    return found


def test_no_page_for_the_charity_holds_what_it_may_not_see(linked, browser) -> None:
    """Every address of the workbench, asked and pressed as the charity; its own claim and its own need's text among them."""
    desk, places, seen = browser(linked.cast.charity), arguments(linked), 0
    for route in ROUTES:
        if route.name in ("logout", "set_language", "set_large", "password"):
            continue
        for more in places.get(route.name, [{}]):
            for answer in (desk.get(address(route, **more)), desk.post(address(route, **more))):
                page = answer.content.decode(errors="replace") if not answer.streaming else ""
                seen += answer.status_code == 200
                for secret in SECRETS:
                    if secret in str(ARGUMENTS.values()) and answer.status_code >= 400:
                        continue  # the address itself, told back in a refusal
                    assert secret not in page, f"{route.name} {answer.status_code}: {secret}"
    assert seen > 20
    assert TEXT in desk.get(reverse("need", args=[linked.need.code])).content.decode()


def test_the_union_sees_its_own_rows_and_no_household(linked, browser) -> None:
    desk, places = browser(linked.cast.member), arguments(linked)
    others = [s for s in SECRETS if s not in ("王强", "王*", WANG_QIANG)]
    for route in ROUTES:
        if "linkage/" not in route.pattern and route.name != "home":
            continue
        for more in places.get(route.name, [{}]):
            answer = desk.get(address(route, **more))
            page = answer.getvalue().decode(errors="replace")
            for secret in others:
                if secret in str(ARGUMENTS.values()) and answer.status_code >= 400:
                    continue
                assert secret not in page, f"{route.name} {answer.status_code}: {secret}"
    assert "18,000.00" not in desk.get(reverse("filing", args=[linked.filing.number])).content.decode()
    assert "医疗救助" in desk.get(reverse("filing_overlaps")).content.decode()


def test_every_page_of_the_room_opens_for_the_office(linked, browser) -> None:
    places = arguments(linked) | {
        "need_new": [{"household_no": "H002"}], "received": [{"household_no": "H002"}],
        "need_of_warning": [{"number": "YJ20241115-H002"}],
    }  # fmt: skip
    for person in (linked.cast.county, linked.cast.township, linked.cast.auditor):
        desk = browser(person)
        for route in ROUTES:
            if "linkage/" not in route.pattern or "/do/" in route.pattern:
                continue
            for more in places.get(route.name, [{}]):
                answer = desk.get(address(route, **more))
                # a county body's workbook is the county's to see, not a township's
                gone = person is linked.cast.township and route.name.startswith("filing_batch")
                where = f"{person.username} {route.name} {answer.status_code}"
                assert answer.status_code in (200, 302, 403, *([404] if gone else [])), where
    assert (
        STORY in browser(linked.cast.township).get(reverse("need", args=[linked.need.code])).content.decode()
    )


@pytest.mark.parametrize("who", ["county", "charity", "member"])
def test_the_room_is_said_in_english(linked, browser, who: str) -> None:
    desk, places = browser(getattr(linked.cast, who), "en"), arguments(linked)
    left = {}
    for route in ROUTES:
        if ("linkage/" not in route.pattern and route.name != "home") or "/do/" in route.pattern:
            continue
        for more in places.get(route.name, [{}]):
            answer = desk.get(address(route, **more))
            if answer.status_code != 200 or "html" not in answer["Content-Type"]:
                continue
            text = re.sub(
                r"<script.*?</script>|<option.*?</option>|<textarea.*?</textarea>",
                "",
                answer.content.decode(),
                flags=re.S,
            )
            text = re.sub(r'<(\w+)[^>]*lang="zh-Hans"[^>]*>.*?</\1>', "<", text, flags=re.S)
            text = re.sub(r'<span class="who">.*?</span>', "", text, flags=re.S)
            words = [
                w.strip()
                for w in re.sub(r"<[^>]*>", "\n", text).split("\n")
                if re.search(r"[\u3400-\u9fff]", w)
            ]
            words = [w for w in words if not re.search(r"虚构|区|街道|简体|大字|演示", w)]
            if words:
                left[route.name] = words
    assert left == {}


def test_the_unions_workbook_from_upload_to_the_marked_answer(county, browser, monkeypatch) -> None:
    bodies(county)
    desk = browser(county.member)

    sent = desk.post(
        reverse("filing_batches"),
        {"file": SimpleUploadedFile("本月.xlsx", workbook()), "month": "2024-10-31"},
    )
    batch = charity.batches(by=county.member).get()
    assert sent["Location"] == reverse("filing_batch", args=[batch.number])
    page = desk.get(sent["Location"]).content.decode()
    assert "第一次见到这样的表头" in page
    assert re.search(r'<option value="困难职工姓名" selected>', page)

    first = {"columns-c0": "困难职工姓名", "columns-c1": "身份证号码", "columns-c2": "慰问时间", "columns-c3": "慰问金（元）",
             "columns-c4": "救助类型"}  # fmt: skip
    step = reverse("filing_batch_step", args=[batch.number, "columns"])
    refused = desk.post(step, first)
    assert refused.status_code == 422
    assert "资金来源" in refused.content.decode()
    assert re.search(r'<option value="慰问时间" selected>', refused.content.decode())
    desk.post(step, first | {"columns-way": "cash", "columns-money": "UNION"})
    assert "行可以备案" in desk.get(sent["Location"]).content.decode()
    for _twice in range(2):
        desk.post(reverse("filing_batch_step", args=[batch.number, "take"]))

    assert AidFiling.objects.get().household_no == "H002"
    marked = desk.get(reverse("filing_batch_marked", args=[batch.number]))
    assert marked.content.startswith(b"PK")
    assert browser(county.charity).get(reverse("filing_batch_marked", args=[batch.number])).status_code == 404
    assert "2,000.00" in desk.get(reverse("filing_year")).content.decode()


def test_a_need_on_pages_from_the_window_to_its_outcome(county, browser, monkeypatch) -> None:
    small_cells(monkeypatch)
    bodies(county)
    window, office, body = browser(county.township), browser(county.county), browser(county.charity)
    body.post(
        reverse("project_new"),
        {"name": "大病补充", "kinds": ["MEDICAL"], "budget_fen": "100000", "starts_on": "2024-01-01"},
    )

    window.post(
        reverse("need_new", args=["H002"]),
        {"kind": "MEDICAL", "group": "ILL", "tier": "1", "need_fen": "50000", "story": STORY},
    )
    need = Need.objects.get()
    page = reverse("need", args=[need.code])
    assert body.get(page).status_code == 404

    def press(desk, name: str, **typed):
        return desk.post(
            reverse("need_step", args=[need.code, name]),
            {f"{name}-{key}": value for key, value in typed.items()},
        )

    scan = SimpleUploadedFile("同意书.pdf", b"%PDF-1.4 signed")
    press(
        window, "consent", kind="publish", given="paper", signer="王强", given_on="2024-11-15", evidence=scan
    )
    if not need.consents.exists():  # consent is at most a year old: today is later than the story
        from django.utils import timezone

        scan = SimpleUploadedFile("同意书.pdf", b"%PDF-1.4 signed")
        press(
            window,
            "consent",
            kind="publish",
            given="paper",
            signer="王强",
            given_on=f"{timezone.localdate()}",
            evidence=scan,
        )
    assert press(window, "publish", public_text=TEXT).status_code == 403
    refused = press(office, "publish", public_text="王强家中有人重病，请补充费用。")
    assert refused.status_code == 422
    assert "姓名" in refused.content.decode()
    assert "王强家中有人重病，请补充费用。" in refused.content.decode()
    press(office, "publish", public_text=TEXT)
    assert "大病补充" in body.get(page).content.decode()

    press(body, "claim", project=charity.projects(by=county.charity).get().number)
    claim = Claim.objects.get()

    def hold(desk, name: str, **typed):
        return desk.post(
            reverse("claim_step", args=[claim.number, name]),
            {f"{name}-{key}": value for key, value in typed.items()},
        )

    given = {"way": "cash", "granted_on": f"{claim.reserved_on}", "money": "DONATION"}
    assert hold(body, "grant", amount_fen="50001", **given).status_code == 422
    hold(body, "grant", amount_fen="50000", **given)
    assert hold(body, "outcome", result="solved", outcome="费用已结清").status_code == 403
    hold(window, "outcome", result="solved", outcome="费用已结清")

    claim.refresh_from_db()
    assert (claim.status, claim.result, claim.granted_fen) == ("granted", "solved", 50_000_00)
    received = window.get(reverse("received", args=["H002"])).content.decode()
    assert "虚构县慈善会" in received
    assert "50,000.00" in received


def test_the_county_decides_on_each_proposal(county, browser, monkeypatch) -> None:
    linked = link(county, monkeypatch)
    charity.refuse_claim(linked.claim.number, why="改由县里匹配", by=county.charity)
    office = browser(county.county)

    there = office.post(reverse("matching"))["Location"]
    pair = charity.runs(by=county.county).first().proposals.get()
    assert "面向“医疗”" in pair.why
    page = office.get(there).content.decode()
    assert pair.why.partition(" / ")[0] in page
    assert pair.why.partition(" / ")[2] not in page
    decide = reverse("proposal_decide", args=[pair.pk])
    refused = office.post(decide, {"run": pair.run.number, "decision": "refuse", "ground": ""})
    assert refused.status_code == 422
    office.post(decide, {"run": pair.run.number, "decision": "accept"})

    assert charity.claims(by=county.charity, status="reserved").count() == 1
    assert browser(county.stranger).post(decide, {"decision": "accept"}).status_code == 404


def test_a_decision_of_the_meeting_is_reported_by_whom_it_was_given_to(linked, browser) -> None:
    one = Resolution.objects.get()
    done = reverse("resolution_done", args=[one.pk])

    assert browser(linked.cast.member).post(done, {"outcome": "工会代为办结"}).status_code == 404
    assert browser(linked.cast.county).post(done, {"outcome": "县里代为办结"}).status_code == 404
    assert browser(linked.cast.charity).post(done, {"outcome": ""}).status_code == 422
    browser(linked.cast.charity).post(done, {"outcome": "已补足缺口"})

    one.refresh_from_db()
    assert (one.status, one.done_by) == ("done", "charity")


def test_the_homes_of_the_bodies(linked, browser) -> None:
    member = browser(linked.cast.member).get(reverse("home")).content.decode()
    home = browser(linked.cast.charity).get(reverse("home")).content.decode()

    assert "月报表待确认" in member
    assert linked.filing.number in member
    assert linked.claim.number in home
    assert "帮扶需求待审核发布" in browser(linked.cast.county).get(reverse("home")).content.decode()


def test_a_body_that_is_not_entered_is_told_so(county, browser) -> None:
    assert "还没有登记为帮扶主体" in browser(county.member).get(reverse("home")).content.decode()
    answer = browser(county.member).post(
        reverse("filing_new"),
        {"name": "王强", "id_number": WANG_QIANG, "aided_on": "2024-11-15", "kind": "MEDICAL", "way": "cash",
         "amount_fen": "10", "money": "UNION"},
    )  # fmt: skip
    assert answer.status_code == 422
    assert "请联系县级民政" in answer.content.decode()


def test_a_person_named_is_masked_for_who_may_not_see_identity(linked, browser) -> None:
    assert "王强" not in browser(linked.cast.auditor).get(reverse("filings")).content.decode()
    assert chain.received("H002", by=linked.cast.auditor).lines


def test_on_a_telephone_each_number_of_the_demand_says_of_which_kind_it_is(linked, browser) -> None:
    page = browser(linked.cast.county).get(reverse("demand")).content.decode()
    table = re.search(r'<table class="stack">.*?</table>', page, re.S)[0]

    heads = re.findall(r'<th scope="col" class="n">([^<]+)</th>', table)
    labels = re.findall(r'<td class="n shade-\d" data-label="([^"]+)">', table)
    assert heads and set(labels) == set(heads)


def test_a_body_without_members_is_not_told_of_an_empty_limit(linked, browser) -> None:
    charity_desk, county = browser(linked.cast.charity), browser(linked.cast.county)

    assert "月结期限 。" not in charity_desk.get(reverse("filing_months")).content.decode()
    assert re.search(r"月结期限 \d{4}-\d\d-\d\d。", county.get(reverse("filing_months")).content.decode())


def test_a_bodys_year_draws_on_a_map_what_its_table_says(linked, browser) -> None:
    desk = browser(linked.cast.member)
    page = desk.get(reverse("filing_year"), {"year": linked.filing.aided_on.year}).content.decode()

    drawn = json.loads(re.search(r'<script id="pictures"[^>]*>(.*?)</script>', page)[1])["map"]
    assert "备案 1 笔" in drawn["tips"]["520102"]
    assert set(drawn["counts"]) == set(drawn["tips"])
    borders = desk.get(reverse("coverage_boundaries"))
    assert (borders.status_code, borders["Content-Type"]) == (200, "application/geo+json")
