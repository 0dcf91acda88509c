"""A venture call through the browser, from its publication to the last payment."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role
from doudi.contexts.charity import milestones, ventures
from tests.cast import PASSWORD, assemble
from tests.giving import open_house
from tests.journeys.test_a_need_to_the_donors_page import do


@pytest.fixture
def staffed(county) -> None:
    cast = assemble()
    open_house(cast)
    accounts.create_user(
        username="county2", password=PASSWORD, display_name="周二办", role=Role.COUNTY, region_code="520102",
        by=accounts.system_user(),
    )  # fmt: skip


def test_a_call_from_publication_to_payment(staffed, sit_down) -> None:
    today = timezone.localdate()

    # the county publishes a call and appoints three jurors
    county = sit_down("county")
    county.open("/ventures/new/")
    for name, value in {
        "title": "银龄助餐公益创投", "text": "支持助老助餐的小项目", "budget": "90000", "most": "50000", "money": "福彩公益金",
        "opens_on": f"{today}", "closes_on": f"{today + timedelta(days=10)}", "criteria": "需求 40\n可行 60",
    }.items():  # fmt: skip
        county.page.fill(f"[name={name}]", value)
    county.press("main form button")
    number = re.search(r"CT\d{4}-\d{6}", county.page.url).group()
    for juror in ("township", "department", "verifier"):
        assert "评委已聘请" in do(county, "juror", username=juror)
    assert "已发布" in do(county, "publish")

    # a charity applies
    body = sit_down("charity")
    body.open(f"/ventures/{number}/")
    said = do(
        body, "apply", title="送餐上门", problem="高龄独居老人吃饭难，子女不在身边。", approach="每天两次送餐，顺便探访登记。",
        beneficiaries="独居老人五十人", budget="人员补贴 30000\n保温箱 1000.50",
    )  # fmt: skip
    assert "申报已收到" in said

    # the days pass; three jurors declare and score by letter
    ventures.Call.objects.update(opens_on=today - timedelta(days=9), closes_on=today - timedelta(days=1))
    county.open(f"/ventures/{number}/")
    assert "评审已开始" in do(county, "begin")
    for username in ("township", "department", "verifier"):
        juror = sit_down(username)
        juror.open(f"/ventures/{number}/")
        assert "送餐上门" not in juror.text()
        assert "可以评分" in do(juror, "declare")
        assert "送餐上门" in juror.text()
        seen = juror.page.inner_text("article")
        assert "虚构区慈善会" not in seen
        for name, value in {"c1": "90", "c2": "80", "comment": "做法可行"}.items():
            juror.page.fill(f"article [name={name}]", value)
        juror.press("article form button")
        assert "84.00" in juror.text()

    # the county proposes, the director decides
    county.open(f"/ventures/{number}/")
    assert "84.00" in county.text()
    one = ventures.Application.objects.get()
    assert "已提交分管领导" in do(county, "propose", **{one.number: "20000"})
    director = sit_down("director")
    director.open(f"/ventures/{number}/")
    assert "已决定" in do(director, "decide", approve="yes", document="虚构创投1号")

    # milestones: agreed, reported, accepted, and paid by a second officer
    there = f"/ventures/applications/{one.number}/"
    county.open(there)
    steps = f"启动 {today + timedelta(days=20)} 10000\n结项 {today + timedelta(days=90)} 10000"
    assert "里程碑已约定" in do(county, "plan", steps=steps)
    other = sit_down("county2")
    for place, row in enumerate(one.milestones.all()):
        for desk, step, typed, words in (
            (body, "report", {"report": "已服务老人五十名"}, "等待验收"),
            (county, "accept", {"accept": "yes"}, "验收已登记"),
            (other, "pay", {"voucher": f"V-{place}", "on": f"{today}"}, "拨付已登记"),
        ):
            desk.open(there)
            form = f"form[action='/ventures/milestones/{row.pk}/{step}/']"
            desk.page.click(f"details:has({form}) summary")
            for name, value in typed.items():
                if name == "accept":
                    desk.page.check(f"{form} [name=accept][value=yes]")
                else:
                    desk.page.fill(f"{form} [name={name}]", value)
            desk.press(f"{form} button")
            assert words in desk.page.inner_text("#messages")
    county.open(there)
    assert "已登记并公开" in do(county, "evaluate", grade="good", people="50", text="按期完成，老人满意。")
    assert milestones.paid_of(one) == 2_000_000
    assert not [trouble for desk in (county, body, director, other) for trouble in desk.troubles]
