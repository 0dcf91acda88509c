"""One window: what the demonstration shows on its first day."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.assistance import services as assistance
from doudi.contexts.registry import services as registry

_PROJECTS: tuple[dict[str, Any], ...] = (
    {
        "name": "困难家庭大病医疗补助",
        "layer": "special",
        "provider": "县医保局（虚构）",
        "department": "医保",
        "categories": ["TK", "DB", "BY"],
        "content": "cash",
        "amount": "政策范围内自付部分按比例补助，年度封顶",
        "papers": "诊断书、费用结算单",
        "exclusive_with": ["MED_AID"],
    },
    {
        "name": "高龄独居老人助浴",
        "layer": "special",
        "provider": "县养老服务中心（虚构）",
        "department": "民政",
        "age_from": 80,
        "content": "service",
        "amount": "每月两次",
        "papers": "身份证",
    },
    {
        "name": "困难学生助学金",
        "layer": "special",
        "provider": "县教育局（虚构）",
        "department": "教育",
        "categories": ["TK", "DB", "BY"],
        "age_from": 6,
        "age_to": 22,
        "content": "cash",
        "amount": "按学段",
        "papers": "在读证明",
    },
    {
        "name": "冬季取暖补助",
        "layer": "urgent",
        "provider": "县民政局（虚构）",
        "department": "民政",
        "categories": ["TK", "DB"],
        "content": "cash",
        "amount": "每户每年一次",
    },
    {
        "name": "“暖心”慈善助困",
        "layer": "charity",
        "provider": "县慈善会（虚构）",
        "department": "慈善组织",
        "content": "goods",
        "amount": "米面油和棉被",
        "condition": "须本人同意；先用政府救助",
        "stackable_with": ["LS_AID"],
    },
)


def seed(people: dict[Role, User], township: str) -> None:
    """The county's resource list, and applications at every step of their way."""
    county, worker = people[Role.COUNTY], people[Role.TOWNSHIP]
    for project in _PROJECTS:
        chain.keep_resource(
            {
                "basis": "县救助资源项目清单（虚构）",
                "channel": "乡镇（街道）社会救助窗口",
                "contact": "0000-0000000",
                "address": "县政务服务中心（虚构）",
                "valid_from": date(2024, 1, 1),
                **project,
            },
            by=county,
        )
    homes = list(registry.households(by=worker, category="none")[:7])
    if len(homes) < 7:
        return
    _apply(homes[0], "DB", "去年患病后不能外出务工，一家人没有固定收入。", worker, papers=False)
    waiting = _apply(homes[1], "BY", "收入不稳定，孩子上学开支大。", worker, papers=False)
    chain.take_paper(waiting.number, "identity", by=worker, seen_original=True)
    chain.tell_missing(waiting.number, by=worker)
    visited = _apply(homes[2], "DB", "夫妻年老体弱，子女失联。", worker)
    chain.accept_application(visited.number, by=worker)
    _visit(visited, worker)
    for home, grant in ((homes[3], True), (homes[4], None)):
        aided = _apply(home, "LS", "家人住院，短期内无力支付生活费用。", worker)
        chain.accept_application(aided.number, by=worker)
        _visit(aided, worker)
        chain.give_opinion(aided.number, grant=True, ground="突发重病，基本生活暂时困难", by=worker)
        if grant:
            chain.decide_application(
                aided.number, grant=True, ground="情况属实，给予临时救助", amount_fen=900_00, by=county
            )
    night = _apply(homes[5], "JN", "夜间房屋失火，暂无住处和被褥。", worker, papers=False)
    chain.aid_first(night.number, amount_fen=600_00, ground="房屋失火，先行救助", by=worker)
    passed = _apply(homes[6], "MED", "大病住院费用报销后自付仍然很多。", worker)
    chain.transfer_application(passed.number, department="医保", why="医疗费用由医保部门负责", by=worker)
    contact = registry.contact_of(homes[0])
    chain.start_by_oneself(
        kind="EDU",
        applicant=assistance.Applicant(contact.name, contact.id_number, "13900000000"),
        reason="孩子考上高中，学费困难。",
        region_code=township,
        token="demonstration-window",  # noqa: S106 — the mark of a form, no secret
    )


def _apply(
    home: registry.Household, kind: str, reason: str, by: User, *, papers: bool = True
) -> assistance.Application:
    person = registry.contact_of(home)
    found = chain.start_application(
        kind=kind,
        applicant=assistance.Applicant(person.name, person.id_number, person.phone),
        reason=reason,
        household_no=home.household_no,
        token=f"demonstration-{kind}-{home.household_no}"[:40],
        by=by,
    )
    if papers:
        for paper in chain.procedures().of(kind, found.region_code).papers:
            chain.take_paper(found.number, paper.code, by=by, seen_original=True)
    return found


def _visit(found: assistance.Application, by: User) -> None:
    chain.record_application_visit(
        found.number,
        visited_on=timezone.localdate(),
        investigators=["吴网格"],
        findings="与申报一致，住房两间，没有车辆和大额财产。",
        by=by,
    )
