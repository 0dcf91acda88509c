"""How a refusal is said to a program: one shape, a status, a stable code, and never a person's data."""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any

from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import Field

from doudi.contexts.accounts.services import KeyRefused, NotAllowed, OwnFile, flag_own_file
from doudi.engine.errors import DoudiError

MEDIA_TYPE = "application/problem+json"
_log = logging.getLogger("doudi.api")


class FieldProblem(Schema):
    """One field that cannot be taken."""

    where: str = Field(title="位置", description="来源与字段名，如 body.amount_fen；不含填写的内容")
    zh: str = Field(title="问题")
    en: str = Field(title="Problem")


class Problem(Schema):
    """A refusal (RFC 9457 problem details)."""

    type: str = Field(title="类型")
    title: str = Field(title="标题")
    status: int = Field(title="HTTP 状态码")
    code: str = Field(title="代码", description="给程序用，不随文字改变")
    zh: str = Field(title="说明", description="错在哪里、怎么办")
    en: str = Field(title="Explanation")
    retry: bool = Field(title="可否重试", description="同样的请求稍后再发是否可能成功")
    fields: list[FieldProblem] = Field(title="字段问题", description="只在 422 invalid 时有")


class ApiRefused(DoudiError):
    """The request itself cannot be taken."""

    code = "invalid"


_STATUS = {
    "csrf": 403,
    "key_scope": 403,
    "own_file": 403,
    "sign_in_unfinished": 403,
    "outrun": 409,
    "field_visit_differs": 409,
    "serving_differs": 409,
    "already_sent": 409,
    "no_household": 404,
    "nothing_quarantined": 404,
    "original_missing": 500,
    "seal_broken": 500,
    "keys_missing": 500,
}
_TITLES = {
    400: "请求无法读取",
    401: "未登录",
    403: "无权办理",
    404: "没有找到",
    405: "不支持的方法",
    409: "与现状冲突",
    422: "不能受理",
    500: "系统故障",
    503: "系统忙",
}


def status_of(problem: DoudiError) -> int:
    """The HTTP status that goes with a refusal of the services."""
    if isinstance(problem, KeyRefused):
        return 401
    if isinstance(problem, NotAllowed):
        return 403
    if problem.code in _STATUS:
        return _STATUS[problem.code]
    if problem.code.endswith("_not_found"):
        return 404
    return 503 if problem.retry else 422


def answer(
    status: int, *, code: str, zh: str, en: str, retry: bool = False, fields: list[FieldProblem] | None = None
) -> HttpResponse:
    """The response that says a problem."""
    said = Problem(
        type="about:blank",
        title=_TITLES[status],
        status=status,
        code=code,
        zh=zh,
        en=en,
        retry=retry,
        fields=fields or [],
    )
    response = HttpResponse(said.model_dump_json(), status=status, content_type=MEDIA_TYPE)
    # Django would log the whole address of each refusal; the tally has its route and status
    response._has_been_logged = True  # type: ignore[attr-defined]
    if status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="doudi"'
    if status == 503:
        response["Retry-After"] = "5"
    return response


def refused(request: HttpRequest, problem: Any) -> HttpResponse:
    """A refusal of the services; a try at one's own file is flagged."""
    by = getattr(request, "auth", None)
    if isinstance(problem, OwnFile) and by is not None:
        flag_own_file(problem, by=by)
    zh, en = problem.zh, problem.en
    if problem.code == "outrun":
        # the service's own words quote the last line of the timeline, which may tell of a person
        zh = "该预警刚被他人处理，状态已变。请重新读取预警，核对后再办。"
        en = "The warning was just handled by somebody else; read it again before you act."
    return answer(status_of(problem), code=problem.code, zh=zh, en=en, retry=problem.retry)


def not_signed_in(_request: HttpRequest, _problem: Any) -> HttpResponse:
    """Nobody's request."""
    return answer(
        401,
        code="not_signed_in",
        zh="请先登录工作台，或在 Authorization 头里带上接口密钥（Bearer）。",
        en="Sign in to the workbench, or send an API key in the Authorization header (Bearer).",
    )


def not_found(_request: HttpRequest, _problem: Any = None) -> HttpResponse:
    """No such address or thing."""
    return answer(404, code="not_found", zh="没有这个地址或对象。", en="There is nothing here.")


def unreadable(_request: HttpRequest, problem: Any) -> HttpResponse:
    """A body that is no JSON or no form."""
    status = problem.status_code if problem.status_code in _TITLES else 400
    return answer(
        status,
        code="unreadable",
        zh="请求内容读不出来，应为 UTF-8 的 JSON（装载文件时为 multipart/form-data）。",
        en="The request cannot be read; send JSON in UTF-8 (multipart/form-data for files).",
    )


def method_not_allowed(allowed: str) -> HttpResponse:
    """The address is right and the method is not."""
    response = answer(
        405,
        code="method_not_allowed",
        zh=f"这个地址只支持 {allowed}。",
        en=f"This address takes {allowed} only.",
    )
    response["Allow"] = allowed
    return response


_WORDS = {
    "missing": "缺少这一项",
    "extra_forbidden": "没有这一项，请核对字段名",
    "string_too_short": "太短",
    "string_too_long": "太长",
    "string_pattern_mismatch": "格式不对，或含有控制字符",
    "greater_than_equal": "太小",
    "less_than_equal": "太大",
    "literal_error": "不在可选值之内",
}
_NAME = re.compile(r"[A-Za-z_-]{1,40}|\d{1,3}")


def _place(loc: tuple[Any, ...]) -> str:
    """The field's name as the caller wrote it; what is no name of a field may be a person's data."""
    parts = [str(part) for part in loc[:8]]
    if parts[:1] == ["body"]:
        del parts[1:2]  # the name of our own argument
    return ".".join(part if _NAME.fullmatch(part) else "?" for part in parts)


def invalid(_request: HttpRequest, problem: Any) -> HttpResponse:
    """Fields that do not fit the description; what was sent in them is not repeated."""
    fields = [
        FieldProblem(
            where=_place(fault.get("loc", ())),
            zh=_WORDS.get(fault["type"], "填写不合要求"),
            en=fault["type"].replace("_", " "),
        )
        for fault in problem.errors[:20]
    ]
    return answer(
        422,
        code="invalid",
        zh="有字段不合要求，见 fields；格式见 /api/v1/openapi.json。",
        en="Some fields do not fit, see fields; /api/v1/openapi.json describes them.",
        fields=fields,
    )


def busy(_request: HttpRequest, _problem: Any) -> HttpResponse:
    """The database did not answer in time."""
    return answer(
        503, code="busy", zh="系统忙，请稍后再试。", en="The office is busy; try again shortly.", retry=True
    )


def fault(request: HttpRequest, problem: Any) -> HttpResponse:
    """A fault of ours: the log gets the place, without the message, which may quote what a person sent."""
    place = "".join(traceback.format_list(traceback.extract_tb(problem.__traceback__)[-6:]))
    match = request.resolver_match
    _log.error("%s %s: %s\n%s", request.method, match.route if match else "?", type(problem).__name__, place)
    return answer(
        500,
        code="fault",
        zh="系统出错，已记录。请把时间和办理的事项告诉管理员。",
        en="Something failed on our side and was noted; tell the administrator when and what.",
    )


def say_problems(api: NinjaAPI) -> None:
    """Make every refusal of ``api`` a problem of this shape."""
    api.add_exception_handler(DoudiError, refused)
    api.add_exception_handler(AuthenticationError, not_signed_in)
    api.add_exception_handler(ValidationError, invalid)
    api.add_exception_handler(HttpError, unreadable)
    api.add_exception_handler(Http404, not_found)
    api.add_exception_handler(OperationalError, busy)
    api.add_exception_handler(Exception, fault)
