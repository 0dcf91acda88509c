"""A venture call on the pages: applied for, scored blind, decided, accepted and paid by other hands; read by everybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.charity import incubation, milestones, ventures
from doudi.contexts.charity import services as charity
from tests.cast import PASSWORD
from tests.giving import House, open_house

TODAY = timezone.localdate


@pytest.fixture
def house(county) -> House:
    return open_house(county)


def text(answer: Any) -> str:
    return answer.content.decode()


def people_pay(place: int) -> accounts.User:
    """One more officer of the county, for a step that needs another pair of hands."""
    return accounts.create_user(
        username=f"county{place}", password=PASSWORD, display_name=f"经办{place}", role=Role.COUNTY,
        region_code="520102", by=accounts.system_user(),
    )  # fmt: skip


def test_a_call_from_publication_to_payment_on_the_pages(house: House, browser) -> None:
    cast = house.cast
    county, body, director = browser(cast.county), browser(house.keeper), browser(cast.director)
    county.post(reverse("venture_new"), {
        "title": "银龄助餐公益创投", "text": "支持助老助餐的小项目", "budget": "90000", "most": "50000", "money": "福彩公益金",
        "opens_on": f"{TODAY()}", "closes_on": f"{TODAY() + timedelta(days=10)}", "criteria": "需求 40\n可行，60",
    })  # fmt: skip
    call = ventures.calls(by=cast.county).get()
    here = reverse("venture", args=[call.number])

    def step(desk: Client, name: str, **typed: Any) -> Any:
        return desk.post(reverse("venture_step", args=[call.number, name]), typed)

    assert body.get(here).status_code == 404
    step(county, "publish")
    wrong = step(body, "apply", title="送餐上门", problem="高龄独居老人吃饭难，子女不在身边。", approach="每天两次送餐。",
                 beneficiaries="独居老人五十人", budget="人员补贴 三万")  # fmt: skip
    assert wrong.status_code == 422 and "不是金额" in text(wrong) and "高龄独居老人" in text(wrong)
    step(body, "apply", title="送餐上门", problem="高龄独居老人吃饭难，子女不在身边。", approach="每天两次送餐，顺便探访登记。",
         beneficiaries="独居老人五十人", budget="人员补贴 30000\n保温箱 1000.50")  # fmt: skip
    one = ventures.Application.objects.get()
    jurors = [cast.township, cast.department, cast.verifier]
    for juror in jurors:
        step(county, "juror", username=juror.username)
    ventures.Call.objects.update(opens_on=TODAY() - timedelta(days=9), closes_on=TODAY() - timedelta(days=1))
    step(county, "begin")

    for juror in jurors:
        desk = browser(juror)
        assert "送餐上门" not in text(desk.get(here))
        step(desk, "declare", words="无利益冲突")
        page = text(desk.get(here))
        assert "送餐上门" in page and "虚构区慈善会" not in page and house.body.code not in page
        bad = desk.post(
            reverse("venture_score", args=[call.number, "A01"]), {"c1": "90", "comment": "可行可推广"}
        )
        assert bad.status_code == 422 and "可行可推广" in text(bad)
        desk.post(
            reverse("venture_score", args=[call.number, "A01"]),
            {"c1": "90", "c2": "80", "comment": "可行可推广"},
        )
    assert "84.00" in text(county.get(here))
    assert "84.00" not in text(body.get(here)) and "可行可推广" not in text(body.get(here))
    step(county, "propose", **{one.number: "20000"})
    step(director, "decide", approve="yes", document="虚构创投1号")

    there = reverse("venture_application", args=[one.number])
    county.post(
        f"{there}do/plan/",
        {"steps": f"启动 {TODAY() + timedelta(days=20)} 10000\n结项 {TODAY() + timedelta(days=90)} 10000"},
    )
    second = people_pay(2)
    for place, row in enumerate(one.milestones.all()):
        body.post(reverse("milestone_step", args=[row.pk, "report"]), {"report": "已服务老人五十名"})
        county.post(reverse("milestone_step", args=[row.pk, "accept"]), {"accept": "yes"})
        own = county.post(
            reverse("milestone_step", args=[row.pk, "pay"]), {"voucher": f"V-{place}", "on": f"{TODAY()}"}
        )
        assert own.status_code == 422 and "不同的人" in text(own)
        browser(second).post(
            reverse("milestone_step", args=[row.pk, "pay"]), {"voucher": f"V-{place}", "on": f"{TODAY()}"}
        )
    # one payment came back: asked by who paid, confirmed by another, paid again
    back, third = one.milestones.first(), browser(people_pay(3))
    payer = browser(second)
    payer.post(
        reverse("milestone_step", args=[back.pk, "reverse"]),
        {"voucher": "C-0", "on": f"{TODAY()}", "ground": "银行退回"},
    )
    page = text(payer.get(there))
    assert "待确认" in page and "银行退回" in page
    assert milestones.paid_of(one) == 2_000_000
    third.post(reverse("milestone_step", args=[back.pk, "reversal"]), {"confirm": "yes"})
    assert milestones.paid_of(one) == 1_000_000 and "已冲正" in text(county.get(there))
    payer.post(reverse("milestone_step", args=[back.pk, "pay"]), {"voucher": "V-0b", "on": f"{TODAY()}"})
    county.post(f"{there}do/evaluate/", {"grade": "good", "people": "50", "text": "按期完成，老人满意。"})

    one.refresh_from_db()
    assert milestones.paid_of(one) == 2_000_000
    public = text(Client().get(reverse("charity_ventures")))
    assert "送餐上门" in public and "按期完成" in public and "20,000.00" in public


def test_an_idea_becomes_a_brand_and_support_is_decided_on_the_pages(house: House, browser) -> None:
    charity.Organisation.objects.update(kind="hub")
    county, hub, director = browser(house.cast.county), browser(house.keeper), browser(house.cast.director)
    made = hub.post(reverse("idea_new"), {
        "title": "邻里餐桌", "problem": "村里独居老人多，做饭不便。", "approach": "在村委会开小灶，邻里轮流帮厨。", "kinds": ["CARE"],
        "groups": ["ELDER"], "budget": "20000",
    })  # fmt: skip
    idea = incubation.ideas(by=house.keeper).get()
    assert made["Location"] == reverse("idea", args=[idea.number])

    for desk, step, typed in (
        (county, "review", {"verdict": "ready", "note": "可以启动"}),
        (hub, "launch", {"starts_on": f"{TODAY()}"}),
        (county, "brand", {"results": "一年服务老人二百名。"}),
    ):
        assert desk.post(reverse("idea_step", args=[idea.number, step]), typed).status_code == 302
    assert "一年服务老人二百名" in text(Client().get(reverse("charity_ventures")))

    asked = {
        "code": house.body.code,
        "kind": "startup",
        "year": TODAY().year,
        "amount": "30000",
        "ground": "启动补助",
    }
    over = county.post(reverse("support_enter", args=["support"]), asked)
    assert over.status_code == 422 and "每年最高" in text(over)
    county.post(reverse("support_enter", args=["support"]), {**asked, "amount": "20000"})
    row = incubation.supports(by=house.cast.county).get()
    director.post(reverse("support_decide", args=[row.number]), {"approve": "yes", "document": "虚构1号"})
    row.refresh_from_db()
    assert row.status == "approved"
    assert "虚构1号" in text(county.get(reverse("support")))
