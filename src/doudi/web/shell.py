"""What stands around every page: the way to the other pages, who is signed in, language and type size."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from doudi.contexts.accounts.services import Act, Role, User, may
from doudi.contexts.monitoring import services as monitoring

LARGE_COOKIE = "doudi_large"

_MENU: tuple[tuple[str, str, Act | None], ...] = (
    ("home", gettext_noop("今日待办"), None),
    ("warnings", gettext_noop("预警"), Act.VIEW_WARNINGS),
    ("reports", gettext_noop("群众报告"), Act.VIEW_REPORTS),
    ("clocks", gettext_noop("我的时限"), Act.VIEW_WARNINGS),
    ("households", gettext_noop("家庭"), Act.VIEW_HOUSEHOLDS),
    ("changes", gettext_noop("登记变动"), Act.VIEW_HOUSEHOLDS),
    ("duplicates", gettext_noop("查重"), Act.VIEW_DUPLICATES),
    ("verifications", gettext_noop("核对"), Act.VIEW_VERIFICATION),
    ("inbox", gettext_noop("部门推送"), Act.VIEW_REFERRALS),
    ("loads", gettext_noop("数据装载"), Act.VIEW_LOADS),
    ("doubts", gettext_noop("疑点核查"), Act.VIEW_DOUBTS),
    ("dashboard", gettext_noop("总览"), Act.VIEW_DASHBOARD),
    ("statistics", gettext_noop("低收入人口统计"), Act.VIEW_DASHBOARD),
    ("quality", gettext_noop("监测质量"), Act.VIEW_QUALITY),
    ("what_if", gettext_noop("测算"), Act.SIMULATE),
    ("indicators", gettext_noop("预警指标"), Act.VIEW_INDICATORS),
    ("outbox", gettext_noop("外发消息"), Act.VIEW_OUTBOX),
    ("audit", gettext_noop("审计日志"), Act.VIEW_AUDIT),
    ("users", gettext_noop("账号管理"), Act.MANAGE_USERS),
)

_BELOW = {"households": ("/persons/", "/exports/"), "doubts": ("/stops/", "/recovery/", "/rectification/")}
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
        frame["can"] = {act.value: may(user, act) for act in Act}
        frame["unread"] = monitoring.unread_count(user)
        frame["role_label"] = _(Role(user.role).label)
        frame["menu"] = [
            {
                "href": href,
                "label": _(label),
                "current": at == href if name == "home" else at.startswith((href, *_BELOW.get(name, ()))),
            }
            for name, label, act in _MENU
            if act is None or may(user, act)
            for href in (reverse(name),)
        ]
    return frame
