"""The API as one thing: its routers and its OpenAPI 3.1 description."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import REF_TEMPLATE
from ninja.renderers import JSONRenderer

import doudi
from doudi.api import (
    accounts,
    assistance,
    care,
    changes,
    clocks,
    dining,
    doubts,
    fieldwork,
    giving,
    kitchen,
    linkage,
    monitoring,
    outreach,
    payroll,
    people,
    privacy,
    registry,
    rounds,
    thresholds,
    upward,
    verification,
    window,
)
from doudi.api.problems import MEDIA_TYPE, Problem, say_problems

_TEXT = """低收入人口动态监测与救助帮扶的接口：家庭、预警、推送、数据装载、审计。

- 登录：工作台的会话（POST 另须 X-CSRFToken），或接口密钥 `Authorization: Bearer doudi_…`。
- 每个操作的 `x-act` 是它所要的权限；看得到哪些行由账号的辖区和部门决定。
- 金额一律为整数分（字段名以 `_fen` 结尾）；证件号和电话遮蔽，完整证件号要写事由，另行查看并记入审计日志。
- 拒绝一律为 `application/problem+json`：`code` 给程序，`zh`、`en` 给人，`retry` 说明重试有无用处。"""

_REFUSALS = {
    "400": "请求读不出来 / unreadable",
    "401": "未登录或密钥无效 / not signed in",
    "403": "无权办理 / not allowed",
    "404": "没有找到，或不在辖区 / not found, or not in the area",
    "409": "他人先办 / somebody else acted first",
    "422": "不能受理，见 code 与 fields / refused",
    "503": "系统忙，可重试 / busy",
}


class _Plain(JSONRenderer):
    json_dumps_params = {"ensure_ascii": False}


class _Api(NinjaAPI):
    def get_openapi_schema(self, **where: Any) -> Any:
        """The description, with the one shape of every refusal."""
        described = super().get_openapi_schema(**where)
        problem = Problem.model_json_schema(ref_template=REF_TEMPLATE)
        described["components"]["schemas"].update(problem.pop("$defs", {}))
        described["components"]["schemas"]["Problem"] = problem
        shape = {MEDIA_TYPE: {"schema": {"$ref": REF_TEMPLATE.format(model="Problem")}}}
        for methods in described["paths"].values():
            for operation in methods.values():
                for status, words in _REFUSALS.items():
                    operation["responses"][status] = {"description": words, "content": shape}
        return described


@lru_cache(maxsize=1)
def api() -> NinjaAPI:
    """The API, made once."""
    made = _Api(
        title="兜底 doudi API",
        version=doudi.__version__,
        description=_TEXT,
        urls_namespace="api",
        docs_url=None,
        renderer=_Plain(),
    )
    say_problems(made)
    # the address of a warning takes any number: what goes on behind one stands before it
    faces = (
        accounts, changes, window, people, registry, outreach, privacy, fieldwork, clocks, monitoring, assistance, doubts,
        thresholds, verification, linkage, giving, dining, rounds, kitchen, payroll, care, upward,
    )  # fmt: skip
    for module in faces:
        made.add_router("", module.router)
    return made
