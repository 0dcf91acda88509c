"""SP-DCI social registry (``/dci/registry/…``): another system searches households by the interface standard.

After the Digital Convergence Initiative's Social Registry API 1.0.0 (Apache-2.0). Answers are given at once
(``/sync/``); a search that would call the asker back is not accepted, for this office opens no connection to an address
that a message names. Who asks has an API key that covers seeing households (and, to search by identity number, revealing
identity); numbers come masked but for the one that was asked for, and every household shown stands in the audit log
with the transaction.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeGuard

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from doudi.contexts.accounts.services import (
    Act,
    KeyRefused,
    NotAllowed,
    User,
    require,
    user_of_api_key,
)
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.services import Asked
from doudi.engine.errors import DoudiError

VERSION = "1.0.0"
MOST_SEARCHES, MOST_ROWS = 20, 100
CONTEXT = {"@vocab": "https://schema.spdci.org/extensions/social/v1"}
ID_TYPES = ("NID", "NationalID", "UIN")
"""Identifier types that mean the resident identity number (公民身份号码, GB 11643)."""
HOUSEHOLD_TYPES = ("HouseholdNo", "HOUSEHOLD_NO", "group_identifier", "household_identifier")
_REGION, _CATEGORY, _SETTING = "sub_region_code", "category", "urban_rural"
_SIZES = ("group_size", "household_size")
_ATTRIBUTES = (*ID_TYPES, "group_identifier", *_SIZES, _REGION, _CATEGORY, _SETTING)
_SEX = {"男": "male", "女": "female"}
_NUMBER = re.compile(r"\d{17}[\dXx]")
_BODY = 256 * 1024


class Refused(Exception):
    """A message or one of its searches that is not answered, by the standard's own code."""

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code)
        self.code, self.said = code, f"{zh} / {en}"[:999]


# ---- the door ----------------------------------------------------------------------------------------------------


def _errors(status: int, code: str, said: str) -> HttpResponse:
    answer = JsonResponse({"errors": [{"code": code, "message": said[:999]}]}, status=status)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _operation(work: Callable[[User, dict[str, Any], dict[str, Any]], dict[str, Any]]) -> Any:
    """An operation behind a key; what cannot be read or may not be asked is refused in the standard's shape."""

    @csrf_exempt  # a key, not a session: no other site's page can send it
    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            if kind.lower() != "bearer":
                raise KeyRefused("请在 Authorization 头里带接口密钥。", "Send the API key as a bearer token.")
            by, _key = user_of_api_key(token.strip())
        except KeyRefused as problem:
            return _errors(401, "err.request.unauthorized", f"{problem.zh} / {problem.en}")
        try:
            require(by, Act.VIEW_HOUSEHOLDS)
        except DoudiError as problem:
            return _errors(403, "err.request.forbidden", f"{problem.zh} / {problem.en}")
        try:
            said = json.loads(request.body) if len(request.body) <= _BODY else None
        except ValueError:
            said = None
        header = said.get("header") if isinstance(said, dict) else None
        message = said.get("message") if isinstance(said, dict) else None
        if not isinstance(header, dict) or not isinstance(message, dict):
            return _errors(
                400,
                "err.request.bad",
                "消息须是有 header 和 message 的 JSON 对象 / header and message are needed",
            )
        answer = JsonResponse(work(by, header, message), json_dumps_params={"ensure_ascii": False})
        answer.headers["Cache-Control"] = "no-store"
        return answer

    return view


def _now() -> str:
    return timezone.now().isoformat()


def _text(value: Any, most: int = 99) -> str:
    return value[:most] if isinstance(value, str) else ""


def _header(
    asked: dict[str, Any], action: str, *, refused: Refused | None = None, count: int = 0
) -> dict[str, Any]:
    said: dict[str, Any] = {
        "version": VERSION,
        "message_id": _text(asked.get("message_id")),
        "message_ts": _now(),
        "action": action,
        "status": "rjct" if refused else "succ",
        "total_count": count,
        "completed_count": 0 if refused else count,
        "sender_id": "doudi",
        "receiver_id": _text(asked.get("sender_id")),
        "is_msg_encrypted": False,
    }
    if refused:
        said |= {"status_reason_code": refused.code, "status_reason_message": refused.said}
    return said


def _taken(header: dict[str, Any], action: str) -> None:
    """Whether the header is one this office understands, or :class:`Refused`."""
    if header.get("version", VERSION) not in (VERSION, "v1.0.0"):
        raise Refused("rjct.version.invalid", f"只支持版本 {VERSION}", f"version {VERSION} only")
    if header.get("action") != action:
        raise Refused("rjct.action.invalid", f"此地址的 action 应为 {action}", f"action must be {action}")
    if header.get("is_msg_encrypted") is True:
        raise Refused("rjct.action.not_supported", "不接收加密消息", "encrypted messages are not taken")
    _moment(header.get("message_ts"), "rjct.message_ts.invalid", "message_ts")


def _moment(value: Any, code: str, name: str) -> None:
    try:
        datetime.fromisoformat(_text(value))
    except ValueError:
        raise Refused(code, f"{name} 不是 ISO 8601 时间", f"{name} is no ISO 8601 time") from None


# ---- what is asked -----------------------------------------------------------------------------------------------


def _criteria(criteria: Any) -> tuple[Asked, int, int, bool]:
    """What is looked for, page, page size, and whether members instead of households are wanted."""
    if not isinstance(criteria, dict):
        raise _unclear("缺少 search_criteria", "search_criteria is missing")
    kind, query = criteria.get("query_type"), criteria.get("query")
    if kind == "idtype-value" and isinstance(query, dict):
        asked = _with(Asked(), query.get("type"), "eq", query.get("value"))
    elif kind == "expression" and isinstance(query, dict):
        asked = _expression(query)
    elif kind in ("predicate", "expression") and isinstance(query, list):
        asked = _predicates(query)
    else:
        raise _unclear(
            "query_type 应为 idtype-value、expression 或 predicate，并带相应的 query",
            "query_type is idtype-value, expression or predicate with its query",
        )
    if not any(
        (asked.household_no, asked.id_number, asked.region, asked.category, asked.urban_rural, asked.size)
    ):
        raise _unclear("没有任何查询条件", "no condition is given")
    asked = _sorted(asked, criteria.get("sort"))
    page, size = _pagination(criteria.get("pagination"))
    return asked, page, size, _text(criteria.get("response_entity")).lower() in ("member", "person")


def _unclear(zh: str, en: str) -> Refused:
    return Refused("rjct.search_criteria.invalid", zh, en)


def _expression(query: dict[str, Any]) -> Asked:
    """``{"value": {"expression": {"query": {"$and": [{attribute: {"$lt": 5}}]}}}}``."""
    value = query.get("value")
    inner = value.get("expression") if isinstance(value, dict) else None
    said = inner.get("query") if isinstance(inner, dict) else None
    conditions = said.get("$and") if isinstance(said, dict) else None
    if not isinstance(conditions, list):
        raise _unclear(
            "expression 只支持 query.$and 的条件列表", "only a list under query.$and is understood"
        )
    asked = Asked()
    for condition in conditions:
        if not isinstance(condition, dict):
            raise _unclear("条件应为对象", "a condition is an object")
        for attribute, compared in condition.items():
            pairs = compared.items() if isinstance(compared, dict) else [("$eq", compared)]
            for operator, wanted in pairs:
                asked = _with(asked, attribute, _OPERATORS.get(operator, operator), wanted)
    return asked


_OPERATORS = {"$eq": "eq", "$lt": "lt", "$lte": "le", "$gt": "gt", "$gte": "ge"}


def _predicates(query: list[Any]) -> Asked:
    asked = Asked()
    for predicate in query:
        if not isinstance(predicate, dict):
            raise _unclear("条件应为对象", "a predicate is an object")
        if _text(predicate.get("condition")) not in ("", "and"):
            raise _unclear("条件之间只支持 and", "conditions are joined by and only")
        for part in ("expression1", "expression2"):
            compared = predicate.get(part)
            if isinstance(compared, dict) and compared:
                asked = _with(
                    asked,
                    compared.get("attribute_name"),
                    compared.get("operator"),
                    compared.get("attribute_value"),
                )
    return asked


def _with(asked: Asked, attribute: Any, operator: Any, value: Any) -> Asked:
    """The search with one more condition; an attribute or a comparison that is not understood is refused, never left out."""
    if attribute in _SIZES and operator in registry.SIZE_COMPARISONS and _whole(value):
        return replace(asked, size={**asked.size, operator: int(value)})
    if operator == "eq" and isinstance(value, str) and value:
        if attribute in ID_TYPES:
            if not _NUMBER.fullmatch(value):
                raise _unclear("证件号应为 18 位公民身份号码", "the identity number has 18 signs")
            return replace(asked, id_number=value.upper())
        if attribute in HOUSEHOLD_TYPES:
            return replace(asked, household_no=value[:60])
        if attribute == _REGION and re.fullmatch(r"\d{2,12}", value):
            return replace(asked, region=value)
        if attribute == _CATEGORY:
            return replace(asked, category=value[:20])
        if attribute == _SETTING:
            return replace(asked, urban_rural=value[:4])
    raise _unclear(
        f"不支持的条件 {_text(attribute, 40)!r} {_text(operator, 10)!r}；可用：{'、'.join(_ATTRIBUTES)}"
        "（人数可比大小，其余只能等于）",
        f"condition not understood; attributes: {', '.join(_ATTRIBUTES)} (sizes compare, others equal)",
    )


def _whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000


def _sorted(asked: Asked, sort: Any) -> Asked:
    if not isinstance(sort, list) or not sort:
        return asked
    first = sort[0] if isinstance(sort[0], dict) else {}
    names = {"group_identifier": "household_no", **dict.fromkeys(_SIZES, "persons")}
    name = names.get(_text(first.get("attribute_name")))
    if (
        len(sort) > 1
        or name not in registry.EXCHANGE_ORDERS
        or first.get("sort_order", "asc") not in ("asc", "desc")
    ):
        raise Refused(
            "rjct.sort.invalid",
            f"只能按 {'、'.join(names)} 之一排序",
            f"sort by one of {', '.join(names)}",
        )
    return replace(asked, order=name, descending=first.get("sort_order") == "desc")


def _pagination(said: Any) -> tuple[int, int]:
    if said is None:
        return 1, 25
    page = said.get("page_number", 1) if isinstance(said, dict) else 0
    size = said.get("page_size") if isinstance(said, dict) else 0
    if not (_whole(page) and _whole(size) and page >= 1 and 1 <= size <= MOST_ROWS):
        raise Refused(
            "rjct.pagination.invalid",
            f"page_number 从 1 起，page_size 为 1–{MOST_ROWS}",
            f"page_number from 1, page_size 1–{MOST_ROWS}",
        )
    return page, size


# ---- what is answered --------------------------------------------------------------------------------------------


def _group(found: registry.Exchanged, number: str) -> dict[str, Any]:
    household = found.household
    head = next((m for m in found.members if m.relation in ("户主", "本人")), None)
    said = {
        "@context": CONTEXT,
        "@type": "Group",
        "@id": household.household_no,
        "group_identifier": [_identifier("HouseholdNo", household.household_no)],
        "group_type": "household",
        "place": {"@type": "Place", "address": registry.region_path(household.responsible_region)},
        "address": {
            "@type": "Address",
            "sub_region_code": household.responsible_region,
            "country_code": "CN",
        },
        "group_size": household.persons,
        "member_list": [_member(m, found.asked_for, number) for m in found.members],
        "additional_attributes": [
            {"key": _CATEGORY, "value": household.category},
            {"key": _SETTING, "value": household.urban_rural},
        ],
        "registration_date": household.register_date.isoformat() if household.register_date else None,
    }
    if head is not None:
        said["group_head_info"] = _member(head, found.asked_for, number)
    return said


def _identifier(kind: str, value: str) -> dict[str, str]:
    return {"@type": "Identifier", "identifier_type": kind, "identifier_value": value}


def _member(member: registry.Member, asked_for: int | None, number: str) -> dict[str, Any]:
    shown = number if number and member.person_id == asked_for else member.id_shown
    return {
        "@type": "Member",
        "member_identifier": [_identifier("NID", shown)],
        "demographic_info": {
            "@type": "SRPerson",
            "identifier": [_identifier("NID", shown)],
            # a Chinese name is not cut into parts: compound surnames and the names of peoples without any
            "name": {"@type": "Name", "given_name": member.name},
            "sex": _SEX.get(member.sex, "unknown"),
        },
        "relationship_to_head": member.relation,
        "additional_attributes": [
            {"key": "age", "value": member.age},
            {"key": "categories", "value": list(member.labels)},
            {"key": "living_together", "value": member.living_together},
        ],
    }


def _answered(by: User, request: Any, transaction_id: str, seen: set[str]) -> dict[str, Any]:
    """One search of a message with its rows, or why not."""
    reference = _text(request.get("reference_id")) if isinstance(request, dict) else ""
    said: dict[str, Any] = {"reference_id": reference, "timestamp": _now()}
    try:
        if not isinstance(request, dict) or not reference:
            raise Refused("rjct.reference_id.invalid", "缺少 reference_id", "reference_id is missing")
        if reference in seen:
            raise Refused("rjct.reference_id.duplicate", "reference_id 重复", "reference_id is used twice")
        seen.add(reference)
        _moment(request.get("timestamp"), "rjct.timestamp.invalid", "timestamp")
        asked, page, size, members_wanted = _criteria(request.get("search_criteria"))
        total, rows = registry.exchange_households(
            asked, by=by, reason=f"DCI {transaction_id} {reference}"[:300], page=page, page_size=size
        )
    except Refused as why:
        return said | {"status": "rjct", "status_reason_code": why.code, "status_reason_message": why.said}
    except NotAllowed as problem:  # a search by identity number asks for more than seeing households
        closed = _unclear(problem.zh, problem.en)
        return said | {
            "status": "rjct",
            "status_reason_code": closed.code,
            "status_reason_message": closed.said,
        }
    records = [_group(row, asked.id_number) for row in rows]
    if members_wanted:
        records = [
            {"@context": CONTEXT, **_member(m, row.asked_for, asked.id_number)}
            for row in rows
            for m in row.members
            if not asked.id_number or m.person_id == row.asked_for
        ]
    return said | {
        "status": "succ",
        "data": {"version": VERSION, "reg_records": records},
        "pagination": {"page_size": size, "page_number": page, "total_count": total},
        "locale": "zho",
    }


def _search(by: User, header: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    requests = message.get("search_request")
    transaction_id = _text(message.get("transaction_id"))
    body: dict[str, Any] = {
        "transaction_id": transaction_id,
        "correlation_id": _text(header.get("message_id")),
        "search_response": [],
    }
    try:
        _taken(header, "search")
        if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_SEARCHES:
            raise Refused(
                "rjct.total_count.limit_exceeded",
                f"一条消息含 1–{MOST_SEARCHES} 个查询",
                f"a message holds 1–{MOST_SEARCHES} searches",
            )
    except Refused as why:
        return {"header": _header(header, "on-search", refused=why), "message": body}
    seen: set[str] = set()
    body["search_response"] = [_answered(by, one, transaction_id, seen) for one in requests]
    return {"header": _header(header, "on-search", count=len(requests)), "message": body}


def _status(_by: User, header: dict[str, Any], _message: dict[str, Any]) -> dict[str, Any]:
    """A search is answered in the same breath: there is no transaction whose state could be asked."""
    why = Refused(
        "rjct.action.not_supported",
        "查询当场答复，不保留事务状态；请重发查询",
        "searches are answered at once and leave no state; send the search again",
    )
    return {"header": _header(header, "txn-on-status", refused=why)}


def _later(_by: User, header: dict[str, Any], _message: dict[str, Any]) -> dict[str, Any]:
    """The asynchronous road: not taken, and said so."""
    return {
        "message": {
            "ack_status": "NACK",
            "timestamp": _now(),
            "correlation_id": _text(header.get("message_id")),
            "error": {
                "code": "err.service.unavailable",
                "message": "只提供同步查询，请用 /dci/registry/sync/search / synchronous searches only",
            },
        }
    }


urlpatterns = [
    path("registry/sync/search", _operation(_search), name="dci_search"),
    path("registry/sync/txn/status", _operation(_status), name="dci_status"),
    path("registry/search", _operation(_later), name="dci_search_later"),
    path("registry/txn/status", _operation(_later), name="dci_status_later"),
]
