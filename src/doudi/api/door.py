"""The door of every operation: who is asking, and may the account do this at all.

A person comes with the workbench's session, a program with a key. What a role may see of which area is settled further
in, by the services in their queries.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ninja.security import HttpBearer
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from doudi.api import problems
from doudi.contexts.accounts.services import (
    ACT_LABELS,
    Act,
    Admission,
    User,
    admit,
    require,
    user_of_api_key,
)

_SAFE = ("GET", "HEAD", "OPTIONS")


class KeyDoor(HttpBearer):
    """A program with an API key."""

    openapi_description = (
        "接口密钥：Authorization: Bearer doudi_…（doudi user key 建立，有事项、辖区和到期时间）"
    )

    def __init__(self, act: Act | None) -> None:
        self.act = act
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> User:
        user, request.api_key = user_of_api_key(token.strip())  # type: ignore[attr-defined]
        if self.act is not None and user.narrowed_to is not None and self.act not in user.narrowed_to:
            raise problems.ApiRefused(
                f"这把接口密钥不含“{ACT_LABELS[self.act]}”。请用含有它的密钥。",
                f"This API key does not cover {self.act.value}.",
                code="key_scope",
            )
        return _let_in(user, self.act)


class SessionDoor(AuthBase):
    """A person signed in to the workbench; what changes something also needs the CSRF token."""

    openapi_type = "apiKey"
    openapi_in = "cookie"
    openapi_name = settings.SESSION_COOKIE_NAME
    openapi_description = "工作台的登录会话；POST 另须 X-CSRFToken 头"

    def __init__(self, act: Act | None) -> None:
        self.act = act
        super().__init__()

    def __call__(self, request: HttpRequest) -> User | None:
        if not request.user.is_authenticated:
            return None
        if request.method not in _SAFE and check_csrf(request):
            raise problems.ApiRefused(
                "缺少防伪令牌。浏览器里的请求须带 X-CSRFToken 头，程序请用接口密钥。",
                "The CSRF token is missing: send X-CSRFToken from a browser, or use an API key from a program.",
                code="csrf",
            )
        said = admit(request.user, request.session, address="", device=request.headers.get("User-Agent", ""))
        if said in (Admission.IDLE, Admission.ENDED):
            request.session.flush()
            return None
        if said is not Admission.GO_ON:
            raise problems.ApiRefused(
                "请先在工作台完成登录：输入动态口令，或修改由他人设定的密码。",
                "Finish signing in at the workbench first: a one-time code, or a password of your own.",
                code="sign_in_unfinished",
            )
        return _let_in(request.user, self.act)


def _let_in(user: User, act: Act | None) -> User:
    user.of_request = {}
    if act is not None:
        require(user, act)
    return user


def behind(act: Act | None, **extra: Any) -> dict[str, Any]:
    """What an operation declares about its door: the act of the policy table, None for every account."""
    return {
        "auth": [KeyDoor(act), SessionDoor(act)],
        "openapi_extra": {"x-act": act.value if act else "", **extra},
    }


def caller(request: HttpRequest) -> User:
    """The account that acts, narrowed to its key where it came with one."""
    return request.auth  # type: ignore[attr-defined, no-any-return]


def why(request: HttpRequest, reason: str = "") -> str:
    """The reason for the audit log: what the caller says, and the key where there was one."""
    key = getattr(request, "api_key", None)
    return f"{reason} 接口密钥 {key.prefix}".strip() if key is not None else reason


def said_as_problem(view: Callable[..., Any]) -> Callable[..., HttpResponse]:
    """``view`` with what the framework itself refuses in the same shape, and nothing kept by caches on the way."""

    @wraps(view)
    def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = view(request, *args, **kwargs)
        except Http404:
            response = problems.not_found(request)
        if response.status_code == 405:
            response = problems.method_not_allowed(response["Allow"])
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return csrf_exempt(enter)  # a session's requests are checked by its door
