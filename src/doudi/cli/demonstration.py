"""The demonstration: the invented county of samples/longli, screened, with work in every stage and for every role."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import date

from django.conf import settings
from django.utils import timezone
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from doudi import chain
from doudi.cli.seeds import ROOMS, verifying
from doudi.cli.seeds.dining import family_note
from doudi.cli.shell import console
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.engine.errors import DoudiError
from doudi.house.keyring import write_aside
from doudi.house.paths import home

PASSWORD = "doudi-demo"  # noqa: S105 — public on purpose; doudi serve refuses a demonstration's folder
AS_OF = date(2024, 11, 15)
_DEPARTMENT = "医保"
_PLACES = {
    "520102007": "示例街道（虚构）",
    "520102007003": "示例社区（虚构）",
    "522730101": "示例镇（虚构）",
    "522730101004": "示例村（虚构）",
}
"""Divisions of the sample that the country's table does not have, or no longer has."""
UNION, CHARITY, CANTEEN = "union-522730", "53522730MJ0000001D", "CT-522730-1"
_ORGANISATIONS = {
    Role.MEMBER: UNION,
    Role.CHARITY: CHARITY,
    Role.CANTEEN: CANTEEN,
    Role.COURIER: CANTEEN,
    Role.VOLUNTEER: CANTEEN,
}


def _flag() -> bool:
    return (home().root / "demonstration").exists()


def is_demonstration() -> bool:
    """Whether this state folder was made by ``doudi demo``."""
    return _flag()


def prepare() -> None:
    """Load, screen and staff the demonstration; what is there already is left as it is."""
    if not _flag():
        if accounts.any_users() or registry.latest_register_date() is not None:
            raise DoudiError(
                f"{home().root} 里已有正式数据，演示会加入公开密码的账号，因此不能在这里运行。请把 DOUDI_HOME 设为另一个空目录。",
                f"{home().root} holds real data; the demonstration would add accounts with public passwords. "
                "Set DOUDI_HOME to another, empty folder.",
                code="not_empty",
            )
        write_aside(home().root / "demonstration", b"made by doudi demo\n")
    by = accounts.system_user()
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
    ) as bar:
        task = bar.add_task("装载样本县 24 种部门数据 / loading 24 department files")
        if registry.register_on(AS_OF) is None or monitoring.latest_run(AS_OF) is None:
            chain.take_in_folder(
                settings.PROJECT / "samples" / "longli" / "files",
                as_of=AS_OF,
                by=by,
                progress=lambda what: bar.update(task, description=f"已装载 {what}"),
            )
            registry.name_divisions(_PLACES)
            bar.update(task, description="筛查 400 户 / screening 400 households")
            chain.screen(as_of=AS_OF, by=by)
        bar.update(task, description="建演示账号和在办事项 / accounts and work in hand")
        township = _busiest_township(by)
        people = _staff(by, township)
        if people:
            _work_in_hand(people, township)
        bar.update(task, description="演示已就绪 / the demonstration is ready", total=1, completed=1)


def _busiest_township(by: User) -> str:
    areas = Counter(
        case.region_code[:9]
        for case in monitoring.warnings(by=by, status="all")
        if len(case.region_code) >= 9
    )
    return min(areas, key=lambda code: (-areas[code], code))


def _staff(by: User, township: str) -> dict[Role, User]:
    """One account per role; empty when they are there already."""
    people = (
        ("county", "陈县办", Role.COUNTY, "", ""),
        ("township", "李乡办", Role.TOWNSHIP, township, ""),
        ("department", "王医保", Role.DEPARTMENT, "", _DEPARTMENT),
        ("director", "赵局长", Role.DIRECTOR, "", ""),
        ("auditor", "孙审计", Role.AUDITOR, "", ""),
        ("admin", "周管理", Role.ADMIN, "", ""),
        ("verifier", "钱核对", Role.VERIFIER, "", ""),
        ("member", "郑工会", Role.MEMBER, "", ""),
        ("charity", "冯慈善", Role.CHARITY, "", ""),
        ("canteen", "褚食堂", Role.CANTEEN, "", ""),
        ("courier", "卫送餐", Role.COURIER, "", ""),
        ("volunteer", "蒋志愿", Role.VOLUNTEER, "", ""),
    )
    known = accounts.usernames()
    return {
        role: accounts.create_user(
            username=username,
            password=PASSWORD,
            display_name=name,
            role=role,
            region_code=region,
            department=department,
            organisation=_ORGANISATIONS.get(role, ""),
            by=by,
            check_password=False,
        )
        for username, name, role, region, department in people
        if username not in known
    }


def _work_in_hand(people: dict[Role, User], township: str) -> None:
    """Some warnings on their way, so that every desk has something to do on the first day."""
    county, worker = people[Role.COUNTY], people[Role.TOWNSHIP]
    mine = [case.number for case in monitoring.warnings(by=county, region_code=township)[:6]]
    for number in mine:
        chain.dispatch(number, to=township, by=county)
    today = timezone.localdate()
    for number in mine[:2]:
        chain.record_visit(
            number,
            by=worker,
            visited_on=today,
            visitors=["李乡办", "吴网格"],
            result_code="D",
            finding="家中老人住院，自付费用多，要求医保部门核报。",
        )
        chain.push_need(
            number, department=_DEPARTMENT, need="核查医疗救助待遇，协助办理手工报销。", by=worker
        )
    chain.take_report(
        token=secrets.token_hex(16),
        channel="neighbour",
        region_code=township,
        difficulty="ALONE",
        family_name="吴大爷",
        place="三组村口小卖部旁（虚构）",
        text="老人独居，上月摔伤后没有人照看，靠邻居送饭。",
    )
    chain.find_doubts(as_of=AS_OF, by=county)
    verifying.seed(people, monitoring.warning(mine[-1], by=county).household_no)
    for room in ROOMS:
        room.seed(people, township)


def welcome(port: int | None) -> None:
    """Say who can log in and where to look first."""
    table = Table(title=f"演示账号，密码都是 {PASSWORD} / accounts, each with the password {PASSWORD}")
    table.add_column("账号 account")
    table.add_column("角色 role")
    table.add_column("先看什么 look first at")
    for name, role, first in (
        ("county", "县级民政经办", "今日待派单的预警；派给乡镇 / warnings to dispatch"),
        ("township", "乡镇经办", "待入户的预警；填核实结果 / visits due"),
        ("department", "部门用户（医保）", "收件箱；接收并反馈 / the inbox"),
        ("director", "分管领导", "总览：级别、乡镇、闭环 / the dashboard"),
        ("auditor", "审计人员", "审计日志，链条是否完整 / the audit log"),
        ("admin", "系统管理员", "账号管理 / accounts"),
        ("verifier", "核对经办", "委托单、来源台、核对报告 / verification requests"),
        ("member", "成员单位（总工会）", "本单位的帮扶备案 / the own body's filings"),
        ("charity", "慈善组织", "求助需求、资金和项目 / needs, funds, projects"),
        ("charity-decider", "慈善组织（审批）", "待审批的资金安排 / uses to decide"),
        ("charity-payer", "慈善组织（出纳）", "待拨付的安排 / payments due"),
        ("canteen", "助餐机构", "今日订餐、备餐、结算 / today's orders"),
        ("courier", "送餐员", "今日路线 / today's route"),
        ("volunteer", "志愿者", "班次和积分 / shifts and points"),
    ):
        table.add_row(name, role, first)
    console.print(table)
    if family_note().is_file():
        told = family_note().read_text(encoding="utf-8").strip()
        console.print(f"家属订餐 a relative orders  /meals/family/  {told}")
    if port is not None:
        console.print(f"打开 / open  http://127.0.0.1:{port}/   （Ctrl+C 停止 / to stop）")
