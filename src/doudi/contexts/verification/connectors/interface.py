"""A department's HTTP interface (接口): the protocol that ``house/source-interface.json`` describes.

``POST …/v1/queries`` with a batch of questions; each is answered found, none, pending or failed. The answer is signed over
the request's nonce. The same batch number again is the same question: the source answers it as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from doudi.contexts.verification.connectors.answers import Answered, Asked, SourceLied, Told
from doudi.contexts.verification.connectors.calling import call
from doudi.contexts.verification.connectors.declared import Connection
from doudi.engine.status import Status

_RESULTS = {
    "found": Status.KNOWN,
    "none": Status.NO_RECORD,
    "pending": Status.NOT_ARRIVED,
    "failed": Status.FAILED,
}
_MOST_ROWS = 2000
"""Rows about one person; more is no answer to a question about one."""


class HttpSource:
    """A source behind the interface."""

    way = "http"

    def __init__(self, source: str, connection: Connection) -> None:
        self.source, self.connection = source, connection

    def ask(self, batch: str, asked: Sequence[Asked]) -> Answered:
        told = call(
            self.connection,
            "POST",
            "/v1/queries",
            {
                "batch": batch,
                "source": self.source,
                "queries": [
                    {
                        "query": one.key,
                        "name": one.name,
                        "id_number": one.id_number,
                        "purpose": one.purpose,
                        "authorisation": one.authorisation,
                        "authorised_to": one.authorised_to.isoformat(),
                    }
                    for one in asked
                ],
            },
        )
        return read_answer(told, batch, {one.key for one in asked}, name=self.connection.name)


def read_answer(told: Mapping[str, Any], batch: str, keys: set[str], *, name: str) -> Answered:
    """Read an answer strictly; raises :class:`SourceLied` where its shape is wrong or a question is answered twice."""

    def lied(zh: str, en: str) -> SourceLied:
        return SourceLied(f"{name} 的答复{zh}，整批不采用。", f"{name}: {en}; nothing of it is used.")

    if told.get("batch") != batch:
        raise lied("是另一批的", "the answer is to another batch")
    try:
        as_of = date.fromisoformat(told["as_of"])
        answers = told["answers"]
    except (KeyError, TypeError, ValueError):
        raise lied("缺数据日期或答复", "as_of or answers is missing") from None
    if not isinstance(answers, list):
        raise lied("不是列表", "answers is no list")
    if as_of > date.today():  # noqa: DTZ011 — a calendar day
        raise lied("数据日期在今后", "as_of lies in the future")
    read: dict[str, Told] = {}
    strangers = 0
    for answer in answers:
        if not isinstance(answer, dict) or not isinstance(answer.get("query"), str):
            raise lied("里有一项没有查询编号", "an answer has no query number")
        key = answer["query"]
        if key not in keys:
            strangers += 1
            continue
        if key in read:
            raise lied(f"里 {key} 出现两次", f"{key} is answered twice")
        read[key] = _one(answer, lied)
    return Answered(as_of, read, strangers)


def _one(answer: Mapping[str, Any], lied: Any) -> Told:
    status = _RESULTS.get(answer.get("result", ""))
    rows = answer.get("rows", [])
    if status is None or not isinstance(rows, list) or len(rows) > _MOST_ROWS:
        raise lied(f"里 {answer['query']} 的结果不对", f"{answer['query']} has no valid result")
    if (status is Status.KNOWN) != bool(rows):
        # "none" with rows, or "found" without: one of the two is untrue
        raise lied(f"里 {answer['query']} 的结果与记录相矛盾", f"{answer['query']}: result and rows disagree")
    for row in rows:
        if not isinstance(row, dict) or not all(
            isinstance(cell, str) and isinstance(name, str) and len(cell) <= 2000
            for name, cell in row.items()
        ):
            raise lied(f"里 {answer['query']} 的记录不是文本", f"{answer['query']}: a row is not of texts")
    return Told(status, tuple(rows), str(answer.get("why", ""))[:200])
