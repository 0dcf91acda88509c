"""The pages about personal data: a request from the window to its answer, an assessment, who looked."""

from __future__ import annotations

import pytest
from django.urls import reverse

from doudi.house.documents import FontMissing, chinese_font
from tests import small_county as sc

REASON = "本人持身份证到窗口"


def test_a_request_goes_from_the_window_to_its_answer(county, browser):
    window, director = browser(county.township), browser(county.director)
    typed = {
        "kind": "更正",
        "name": "王强",
        "id_number": sc.WANG_QIANG,
        "asked_by": "本人",
        "asked": "电话号码写错了",
    }
    empty = window.post(reverse("receive_data_request"), {})
    assert empty.status_code == 422

    page = window.post(reverse("receive_data_request"), typed, follow=True)
    address = page.redirect_chain[-1][0]
    text = page.content.decode()
    assert "电话号码写错了" in text and sc.WANG_QIANG not in text and sc.WANG_QIANG[:6] in text
    assert "办理并答复" not in text, "who took it does not decide it"

    assert director.post(address, {"grant": "no", "answer": "不"}).status_code == 422
    done = director.post(
        address, {"grant": "yes", "answer": "已在登记中更正电话"}, follow=True
    ).content.decode()
    assert "已在登记中更正电话" in done and "王强" not in done, "a director sees no single person's name"
    assert browser(county.stranger).get(address).status_code == 404


def test_an_assessment_is_written_and_approved_by_another(county, browser):
    clerk, director = browser(county.county), browser(county.director)
    told = {
        "purpose": "VERIFY", "necessity": "核对是作出决定的法定依据之一。", "risks": "泄露会伤害家庭的财产安全。",
        "measures": "授权后查询，加密保存，到期删除。",
    }  # fmt: skip
    page = clerk.post(reverse("assess"), told, follow=True)
    address = page.redirect_chain[-1][0]

    assert "待审定" in page.content.decode()
    assert director.post(address, {"approve": "no", "note": ""}).status_code == 422
    assert "已审定" in director.post(address, {"approve": "yes"}, follow=True).content.decode()


def test_a_person_is_told_at_the_window_who_looked(county, browser):
    browser(county.county).get(reverse("household", args=["H002"]))
    window = browser(county.township)
    assert window.post(reverse("looks"), {"id_number": sc.WANG_QIANG, "reason": ""}).status_code == 422

    text = window.post(reverse("looks"), {"id_number": sc.WANG_QIANG, "reason": REASON}).content.decode()

    assert "县级民政经办 陈**" in text and "查看家庭" in text
    unknown = window.post(reverse("looks"), {"id_number": "11010519491231002X", "reason": REASON})
    assert unknown.status_code == 422 and "没有这个证件号" in unknown.content.decode()


def test_what_is_told_is_printed_for_the_person(county, browser):
    try:
        chinese_font()
    except FontMissing:
        pytest.skip("no Chinese font")
    browser(county.county).get(reverse("household", args=["H002"]))

    answer = browser(county.township).post(
        reverse("looks"), {"id_number": sc.WANG_QIANG, "reason": REASON, "as": "pdf"}
    )

    assert answer["Content-Type"] == "application/pdf" and answer.content.startswith(b"%PDF-")


def test_a_program_asks_the_same(county, browser):
    desk = browser(county.county)
    desk.get(reverse("household", args=["H002"]))
    token = desk.get("/").cookies["csrftoken"].value if "csrftoken" in desk.get("/").cookies else ""

    answer = desk.post(
        "/api/v1/privacy/looks", {"id_number": sc.WANG_QIANG, "reason": REASON},
        content_type="application/json", headers={"X-CSRFToken": token},
    )  # fmt: skip

    assert answer.status_code == 200, answer.content
    assert answer.json()["name"] == "王*"
    assert any(look["act"] == "查看家庭" for look in answer.json()["looks"])
    assert desk.get("/api/v1/privacy/requests").json()["total"] == 0


def test_anchors_are_shown_to_who_checks(cast, browser):
    from doudi.contexts.accounts import services as accounts

    accounts.anchor_audit(by=cast.auditor)

    assert (
        accounts.anchors(by=cast.auditor)[0].digest
        in browser(cast.auditor).get(reverse("audit_anchors")).content.decode()
    )
