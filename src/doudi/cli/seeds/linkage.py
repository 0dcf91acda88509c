"""Member bodies and needs: what the demonstration shows on its first day."""

from __future__ import annotations

import io
from datetime import date, timedelta
from typing import Any

import openpyxl
from dateutil.relativedelta import relativedelta
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.charity import services as charity
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError

_BODIES = (
    ("women-522730", "龙里县妇女联合会（虚构）"),
    ("youth-522730", "共青团龙里县委员会（虚构）"),
    ("disabled-522730", "龙里县残疾人联合会（虚构）"),
    ("redcross-522730", "龙里县红十字会（虚构）"),
)
_TEXTS = {
    "MEDICAL": "家中有人重病，自付费用较高，政府救助后仍有缺口。",
    "EDUCATION": "家中子女今年升学，学费和生活费还差一部分。",
    "LIVING": "家中老人独居，冬季取暖和口粮有困难，希望得到物资。",
}


def seed(people: dict[Role, User], township: str) -> None:
    """Add the room's work in hand; called once, with one account per role and the busiest township's code."""
    county, window, member, body = (
        people[role] for role in (Role.COUNTY, Role.TOWNSHIP, Role.MEMBER, Role.CHARITY)
    )
    today = timezone.localdate()
    area = county.region_code or township[:6]
    charity.register_organisation(
        code=member.organisation, name="龙里县总工会（虚构）", kind="member", region_code=area, by=county
    )
    for code, name in _BODIES:
        charity.register_organisation(code=code, name=name, kind="member", region_code=area, by=county)
    charity.register_organisation(
        code=body.organisation, name="龙里县慈善总会（虚构）", kind="hub", region_code=area,
        registered_on=date(2018, 6, 1), by=county,
    )  # fmt: skip
    homes = [
        (home.household_no, registry.people_for(home, by=window, reason="演示：帮扶备案")[0].person)
        for home in registry.households(by=window)[:8]
    ]
    _file(homes, member, today)
    _project_and_needs([number for number, _person in homes], county, window, body, today)
    meeting = charity.call_meeting(
        title="政府救助与慈善帮扶衔接联席会议（演示）", held_on=today, place="县民政局三楼会议室",
        bodies=[member.organisation, body.organisation, *(code for code, _name in _BODIES)], by=county,
    )  # fmt: skip
    charity.add_item(meeting.number, subject="冬季取暖物资的统筹发放", by=county)
    charity.resolve(
        meeting.number, 1, what="总会备棉被 200 床，工会核对困难职工名单",
        responsible=member.organisation, due_on=today + timedelta(days=7), by=county,
    )  # fmt: skip


def _file(homes: list[tuple[str, Any]], member: User, today: date) -> None:
    """Last month's workbook filed and closed, and this month's waiting for its columns."""
    last = today.replace(day=1) - timedelta(days=3)
    rows = [
        [at, person.name, person.id_number, f"{last:%Y-%m-%d}", 1000 + 200 * at, kind]
        for at, ((_number, person), kind) in enumerate(
            zip(homes, ["大病", "大病", "助学", "送温暖", "大病", "大病"] * 3, strict=False), 1
        )
    ]
    rows.append([len(rows) + 1, "虚构职工", "522730199001019999", f"{last:%Y-%m-%d}", 500, "送温暖"])
    header = ["序号", "困难职工姓名", "身份证号码", "慰问时间", "慰问金（元）", "救助类型"]
    done = chain.receive_batch(
        _book(header, rows), file_name="上月困难职工帮扶表.xlsx", month=last, by=member
    )
    columns, _defaults = charity.suggested_columns(done, chain.linkage_rules())
    chain.assign_columns(
        done.number, columns=columns, defaults={"帮扶方式": "cash", "资金来源": "UNION"}, by=member
    )
    chain.take_batch(done.number, by=member)
    chain.close_month(last, by=member)
    chain.receive_batch(
        _book([*header, "所属工会"], [[*row, "第一分会"] for row in rows[:2]]),
        file_name="本月困难职工帮扶表（新表头）.xlsx", month=today, by=member,
    )  # fmt: skip


def _book(header: list[str], rows: list[list[Any]]) -> bytes:
    made = openpyxl.Workbook()
    page = made.active
    assert page is not None
    page.append(["虚构数据，供演示"])
    for row in (header, *rows):
        page.append(row)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _project_and_needs(homes: list[str], county: User, window: User, body: User, today: date) -> None:
    """Two projects, goods, three needs: one published, one claimed, one that waits for the county."""
    start = today - relativedelta(months=6)
    medical = charity.open_project(
        name="大病关爱", kinds=["MEDICAL"], budget_fen=200_000_00, most_fen=30_000_00, starts_on=start,
        donor_intent="用于本县大病家庭自付费用", by=body,
    )  # fmt: skip
    charity.open_project(
        name="圆梦助学", kinds=["EDUCATION"], budget_fen=80_000_00, places=20, starts_on=start, by=body
    )
    chain.take_in_goods(
        name="大米", unit="袋", kind="LIVING", quantity=120, expires_on=today + timedelta(days=20), by=body
    )
    chain.take_in_goods(name="棉被", unit="床", kind="LIVING", quantity=200, by=body)
    chain.offer_service(name="陪诊", unit="次", kind="MEDICAL", per_month=40, by=body)
    wanted = (("MEDICAL", "ANY", 1, 20_000_00), ("MEDICAL", "ANY", 2, 12_000_00), ("EDUCATION", "ANY", 2, 6_000_00),
              ("LIVING", "ANY", 3, None))  # fmt: skip
    raised = []
    for number, (kind, group, tier, fen) in zip(homes, wanted, strict=False):
        need = chain.raise_need(
            number, kind=kind, group=group, tier=tier, need_fen=fen, origin="window",
            story="演示：政府救助之后仍有困难，本人愿意接受慈善帮扶。", by=window,
        )  # fmt: skip
        chain.give_consent(
            need.code, kind="publish", given="witnessed", signer="户主本人", given_on=today, by=window
        )
        raised.append((need, kind))
    shown = [(need, kind) for need, kind in raised[:3] if _published(need, _TEXTS[kind], county)]
    for need in [need for need, kind in shown if kind == "MEDICAL"][:1]:
        chain.claim_need(need.code, project_number=medical.number, by=body)


def _published(need: charity.Need, text: str, county: User) -> bool:
    """Publish a need; in a small sample too few families may be alike, and it stays with the county."""
    try:
        chain.publish_need(need.code, public_text=text, by=county)
    except DoudiError as refused:
        if refused.code != "cell_small":
            raise
        return False
    return True
