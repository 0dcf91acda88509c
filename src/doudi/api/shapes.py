"""Shapes that all routers share: text, days, pages, and the retry key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from django.http import HttpRequest
from ninja import Header, Schema
from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints

from doudi.api.door import caller
from doudi.contexts.accounts.services import once

MAX_PAGE_SIZE = 100

_LINE = r"^[^\x00-\x1f\x7f]*$"
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$"
Line = Annotated[str, StringConstraints(pattern=_LINE, max_length=80)]
"""One line of text."""
Text = Annotated[str, StringConstraints(pattern=_TEXT, max_length=2000)]
"""Text of several lines."""
Number = Annotated[str, StringConstraints(pattern=_LINE, min_length=1, max_length=80)]
"""The number of a household, a warning or a referral."""
RegionPrefix = Annotated[str, StringConstraints(pattern=r"^[0-9]{0,12}$")]
"""A division code (GB/T 2260) or the beginning of one."""
Fen = Annotated[int, Field(ge=0, le=10**13, description="单位：分")]
"""Money, whole fen (分)."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _iso_day(value: Any) -> Any:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        # pydantic would read 20241115 as seconds since 1970
        raise ValueError("not a day YYYY-MM-DD")
    return value


Day = Annotated[date, BeforeValidator(_iso_day), Field(ge=date(1990, 1, 1), lt=date(2100, 1, 1))]
"""A calendar day, YYYY-MM-DD."""


RetryKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{8,80}$",
        title="幂等键",
        description="8–80 个可见 ASCII 字符，每个新请求换一个。重发时用同一个值：得到首次的答复，不会办两次。保留七天。",
    ),
]


class Body(Schema):
    """A request body; an unknown field is refused, so that a misspelt amount is not taken for nothing."""

    model_config = ConfigDict(extra="forbid")


class Paging(Schema):
    """Which page."""

    page: int = Field(1, ge=1, le=100_000, title="页码")
    page_size: int = Field(25, ge=1, le=MAX_PAGE_SIZE, title="每页条数", description=f"最多 {MAX_PAGE_SIZE}")


T = TypeVar("T")


class Page(Schema, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(title="本页")
    total: int = Field(title="总条数")
    page: int = Field(title="页码")
    page_size: int = Field(title="每页条数")


def page_of(found: Any, asked: Paging, show: Callable[[Any], T]) -> dict[str, Any]:
    """The asked page of a queryset, each row shown; a page beyond the end is empty."""
    start = (asked.page - 1) * asked.page_size
    return {
        "items": [show(row) for row in found[start : start + asked.page_size]],
        "total": found.count(),
        "page": asked.page,
        "page_size": asked.page_size,
    }


def retriable(
    request: HttpRequest, key: str | None, body: Schema | None, act: Callable[[], Schema]
) -> dict[str, Any]:
    """Do ``act`` and show what came of it; with a retry key a second call gets the first answer."""
    if key is None:
        return act().model_dump(mode="json")
    by = caller(request)
    # two keys of one account may see different things: an answer is repeated only to who could see it
    sight = None if by.narrowed_to is None else [by.region_code, *sorted(by.narrowed_to)]
    asked = json.dumps(
        [request.method, request.path, body.model_dump(mode="json") if body else None, sight],
        ensure_ascii=False,
    )
    shown, _again = once(key, asked, lambda: act().model_dump(mode="json"), by=by)
    return dict(shown)
