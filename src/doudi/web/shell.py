"""What stands around every page: the way to the other pages, who is signed in, language and type size."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from doudi.contexts.accounts.services import Act, Role, User, acts_of
from doudi.contexts.monitoring import services as monitoring

LARGE_COOKIE = "doudi_large"

_ONE_ROW = 9
"""As many pages fit beside each other on an old screen."""

_MENU: tuple[tuple[str, tuple[tuple[str, str, Act | None], ...]], ...] = (
    (
        gettext_noop("监测预警"),
        (
            ("warnings", gettext_noop("预警"), Act.VIEW_WARNINGS),
            ("reports", gettext_noop("群众报告"), Act.VIEW_REPORTS),
            ("clocks", gettext_noop("我的时限"), Act.VIEW_WARNINGS),
            ("quality", gettext_noop("监测质量"), Act.VIEW_QUALITY),
            ("indicators", gettext_noop("预警指标"), Act.VIEW_INDICATORS),
            ("outbox", gettext_noop("外发消息"), Act.VIEW_OUTBOX),
        ),
    ),
    (
        gettext_noop("登记"),
        (
            ("households", gettext_noop("家庭"), Act.VIEW_HOUSEHOLDS),
            ("changes", gettext_noop("登记变动"), Act.VIEW_HOUSEHOLDS),
            ("duplicates", gettext_noop("查重"), Act.VIEW_DUPLICATES),
            ("loads", gettext_noop("数据装载"), Act.VIEW_LOADS),
            ("statistics", gettext_noop("低收入人口统计"), Act.VIEW_DASHBOARD),
        ),
    ),
    (
        gettext_noop("核对"),
        (("verifications", gettext_noop("核对委托"), Act.VIEW_VERIFICATION),),
    ),
    (
        gettext_noop("救助"),
        (
            ("window", gettext_noop("受理窗口"), Act.VIEW_APPLICATIONS),
            ("inbox", gettext_noop("部门推送"), Act.VIEW_REFERRALS),
            ("resources", gettext_noop("资源清单"), Act.VIEW_RESOURCES),
            ("care_list", gettext_noop("救助服务"), Act.VIEW_CARE),
            ("webhooks", gettext_noop("部门接口推送"), Act.VIEW_WEBHOOKS),
        ),
    ),
    (
        gettext_noop("资金发放"),
        (
            ("rosters", gettext_noop("发放名册"), Act.VIEW_ROSTERS),
            ("payments", gettext_noop("发放和回盘"), Act.VIEW_ROSTERS),
            ("pay_accounts", gettext_noop("收款账户"), Act.VIEW_ROSTERS),
            ("pay_statistics", gettext_noop("发放统计"), Act.VIEW_ROSTERS),
            ("upward", gettext_noop("上报"), Act.VIEW_UPWARD),
            ("outcomes", gettext_noop("救助成效"), Act.VIEW_ROSTERS),
            ("reviews", gettext_noop("定期复查"), Act.VIEW_ROSTERS),
            ("doubts", gettext_noop("疑点核查"), Act.VIEW_DOUBTS),
        ),
    ),
    (
        gettext_noop("慈善衔接"),
        (
            ("needs", gettext_noop("帮扶需求"), Act.VIEW_NEEDS),
            ("claims", gettext_noop("认领与给予"), Act.VIEW_NEEDS),
            ("filings", gettext_noop("帮扶备案"), Act.VIEW_FILINGS),
            ("projects", gettext_noop("慈善项目"), Act.VIEW_PROJECTS),
            ("organisations", gettext_noop("帮扶主体"), Act.MANAGE_ORGANISATIONS),
            ("meetings", gettext_noop("联席会议"), Act.VIEW_MEETINGS),
        ),
    ),
    (
        gettext_noop("慈善资金"),
        (
            ("funds", gettext_noop("资金"), Act.VIEW_FUNDS),
            ("gifts", gettext_noop("捐赠"), Act.VIEW_FUNDS),
            ("allocations", gettext_noop("安排和拨付"), Act.VIEW_FUNDS),
            ("campaigns", gettext_noop("募捐方案"), Act.VIEW_FUNDS),
            ("disclosures", gettext_noop("信息公开"), Act.VIEW_FUNDS),
            ("ventures", gettext_noop("公益创投"), Act.VIEW_VENTURES),
        ),
    ),
    (
        gettext_noop("老年助餐"),
        (
            ("till", gettext_noop("就餐登记"), Act.SERVE_MEAL),
            ("meal_orders", gettext_noop("订餐"), Act.VIEW_DINERS),
            ("diners", gettext_noop("助餐对象"), Act.VIEW_DINERS),
            ("meal_menus", gettext_noop("菜单"), Act.VIEW_SITES),
            ("deliveries", gettext_noop("送餐"), Act.VIEW_DINERS),
            ("rounds", gettext_noop("送餐路线"), Act.DELIVER_MEAL),
            ("safety", gettext_noop("食品安全"), Act.VIEW_SAFETY),
            ("meal_sites", gettext_noop("助餐点"), Act.VIEW_SITES),
            ("site_plans", gettext_noop("助餐选址"), Act.VIEW_PLANS),
            ("settlements", gettext_noop("助餐结算"), Act.VIEW_SETTLEMENT),
            ("volunteers", gettext_noop("志愿服务"), Act.VIEW_VOLUNTEERS),
        ),
    ),
    (
        gettext_noop("总览"),
        (
            ("dashboard", gettext_noop("总览"), Act.VIEW_DASHBOARD),
            ("what_if", gettext_noop("测算"), Act.SIMULATE),
        ),
    ),
    (
        gettext_noop("管理"),
        (
            ("privacy", gettext_noop("个人信息保护"), Act.VIEW_PRIVACY),
            ("audit", gettext_noop("审计日志"), Act.VIEW_AUDIT),
            ("security", gettext_noop("安全预警"), Act.VIEW_SECURITY),
            ("users", gettext_noop("账号管理"), Act.MANAGE_USERS),
        ),
    ),
)
"""The workbench's rooms and their pages; a page is shown to who may do its act."""

_BELOW = {
    "care_list": ("/care-settlements/", "/care-visits/"),
    "households": ("/persons/", "/exports/", "/linkage/received/"),
    "webhooks": ("/webhook-events/",),
    "needs": ("/linkage/matching/",),
    "filings": ("/linkage/books/",),
    "projects": ("/linkage/stock/",),
    "rosters": ("/benefits/",),
    "doubts": ("/stops/", "/recovery/", "/rectification/"),
}
"""Pages that hang under an entry of the menu though their address does not."""


def shell(request: HttpRequest) -> dict[str, Any]:
    """The frame's own words for the templates; asks the database for the signed-in account and its unread notices."""
    user = getattr(request, "user", None)
    frame: dict[str, Any] = {
        "large": request.COOKIES.get(LARGE_COOKIE) == "1",
        "here": request.get_full_path() if request.method == "GET" else "/",
        "demonstration": settings.DEMONSTRATION,
        "menu": [],
        "can": {},
    }
    if isinstance(user, User):
        at = request.path
        acts = acts_of(user)
        frame["can"] = _can(acts)
        frame["unread"] = monitoring.unread_count(user)
        frame["role_label"] = _(Role(user.role).label)
        frame["menu"], frame["submenu"] = _menu(acts, at)
    return frame


@cache
def _can(acts: frozenset[Act]) -> Mapping[str, bool]:
    """Which acts a page offers, by name."""
    return MappingProxyType({act.value: act in acts for act in Act})


@cache
def _rooms(acts: frozenset[Act], _language: str) -> tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]:
    """The rooms that have a page for the acts, with name, address and label of each, in the language of the page."""
    rooms = (
        (
            _(room),
            tuple(
                (name, reverse(name), _(label)) for name, label, act in pages if act is None or act in acts
            ),
        )
        for room, pages in _MENU
    )
    return tuple((room, pages) for room, pages in rooms if pages)


def _reach(at: str, name: str, href: str) -> int:
    """How many signs of the address an entry of the menu accounts for; 0 where the page is none of its."""
    return max((len(begin) for begin in (href, *_BELOW.get(name, ())) if at.startswith(begin)), default=0)


def _menu(acts: frozenset[Act], at: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rooms and the pages of the room one stands in; an account with few pages sees them all in one row."""
    home = reverse("home")
    first = {"href": home, "label": _("今日待办"), "current": at == home}
    offered = _rooms(acts, get_language() or "")
    # an address that lies below another entry's belongs to the nearer one: /funds/campaigns/ is not /funds/ too
    stands = max(
        (_reach(at, name, href) for _room, pages in offered for name, href, _label in pages), default=0
    )
    rooms: list[tuple[str, list[dict[str, Any]]]] = [
        (
            room,
            [
                {"href": href, "label": label, "current": 0 < stands == _reach(at, name, href)}
                for name, href, label in pages
            ],
        )
        for room, pages in offered
    ]
    if sum(len(shown) for _room, shown in rooms) <= _ONE_ROW:
        return [first, *(page for _room, shown in rooms for page in shown)], []
    here: list[dict[str, Any]] = []
    menu = [first]
    for room, shown in rooms:
        inside = any(page["current"] for page in shown)
        label = shown[0]["label"] if len(shown) == 1 else room
        menu.append({"href": shown[0]["href"], "label": label, "current": inside})
        if inside and len(shown) > 1:
            here = shown
    return menu, here
