"""What a role may see of a verification (敏感信息标识): every value by the mark of its data element, and nothing besides.

In come a report's content or a source's rows; out comes what is shown to this account. Pages, papers and the API ask
here; the marks are the pack's (``data_elements.yaml``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, is_office_hand, record, require
from doudi.contexts.verification.asking import rows_of
from doudi.contexts.verification.requests import StepRefused, latest_queries, request_of
from doudi.engine.feeds import ColumnSpec, FeedSpec
from doudi.engine.status import Status
from doudi.engine.verification import HIDDEN, Rules, rows_as_text

_MONEY = "金额"
_NO_NAME = frozenset({"id_number", "name"})


@dataclass(frozen=True)
class Sight:
    """What one account sees of a pack's data elements."""

    rules: Rules
    role: str
    everything: bool = False
    """The office's own hand (backup, checks): it shows nothing to anybody."""

    def name(self, name: str) -> str:
        """A person's name."""
        return name if self.everything else self.rules.elements.of_column("", "name").shown(name, self.role)

    def cell(self, feed: str, column: str, text: str) -> str:
        """A cell of a feed's row."""
        return text if self.everything else self.rules.elements.of_column(feed, column).shown(text, self.role)

    def hides(self, name: str, kind: str) -> bool:
        """Whether a variable or declared item is hidden; ``kind`` that of a pack's variable."""
        element = self.rules.elements.of_value(name, kind)
        return not self.everything and element is not None and self.role not in element.roles

    def hides_item(self, item: str, measure: str) -> bool:
        """Whether a declared item (工资, 存款 …) is hidden; ``measure`` 年, 额 or 数."""
        return self.hides(item, _MONEY if measure != "数" else "数量")


def sight_of(rules: Rules, by: User) -> Sight:
    """What an account sees."""
    return Sight(rules, by.role, is_office_hand(by))


def content_shown(content: Mapping[str, Any], sight: Sight) -> dict[str, Any]:
    """A report's content, or a preview of one under ``computed``, as the account sees it; ``masked`` where anything is hidden.

    Sentences name amounts, so that they go with them.
    """
    computed, recorded = dict(content["computed"]), dict(content.get("recorded", {}))
    computed["people"] = [{**p, "name": sight.name(p["name"])} for p in computed["people"]]
    computed["differences"] = [
        {**d, "declared": HIDDEN, "found": HIDDEN, "hidden": True}
        if sight.hides_item(d["item"], d["measure"])
        else d
        for d in computed["differences"]
    ]
    situation = dict(computed["situation"])
    situation["variables"] = [
        {**v, "value": HIDDEN, "sentence": HIDDEN, "hidden": True} if sight.hides(v["name"], v["kind"]) else v
        for v in situation["variables"]
    ]
    support = sight.rules.support
    no_support = support is not None and sight.hides(support.amount, _MONEY)
    if no_support:
        computed.pop("support", None)
    hidden = [v["name"] for v in situation["variables"] if v.get("hidden")]
    hidden += [d["item"] for d in computed["differences"] if d.get("hidden")]
    if hidden or no_support:
        situation["paragraph"] = HIDDEN
        computed["advice"] = {**computed["advice"], "reasons": [HIDDEN]}
        recorded["changed_since"] = [
            line if line["what"] in ("意见", "类别") else {**line, "before": HIDDEN, "now": HIDDEN}
            for line in recorded.get("changed_since", [])
        ]
    computed["situation"] = situation
    return {**content, "recorded": recorded, "computed": computed, "masked": bool(hidden or no_support)}


def require_whole(content: Mapping[str, Any], sight: Sight) -> None:
    """Refuse the canonical form to who may not see all of it: masked it could not be checked."""
    if content_shown(content, sight)["masked"]:
        raise StepRefused(
            "规范 JSON 含您的角色不可见的数据元，不能导出。请下载 PDF 或 Word（已遮蔽），或请核对经办导出。",
            "The canonical JSON holds data elements that your role may not see; take the PDF or Word, which are masked.",
            code="elements_hidden",
        )


@transaction.atomic
def found_rows(number: str, *, rules: Rules, specs: Mapping[str, FeedSpec], by: User) -> list[dict[str, Any]]:
    """The rows that each source returned of each person (查得明细), every cell as the account sees it; the look is logged.

    One entry a source with rows: ``source``, ``label``, ``columns`` (label, grade, English label), ``headings`` (the
    labels with the unit of a sum, for a page) and ``rows`` of ``{"position", "name", "as_of", "cells"}``. What was
    reduced by its time shows the totals that are left.
    """
    request = request_of(number, by=by)
    require(by, Act.VIEW_VERIFICATION, region_code=request.region_code)
    sight = sight_of(rules, by)
    told: list[dict[str, Any]] = []
    for code in request.sources:
        source = rules.sources.get(code)
        if source is None:
            continue
        spec = specs[source.feed]
        columns = [column for column in spec.columns if column.name not in _NO_NAME]
        rows = [
            {
                "position": query.person.position,
                "name": sight.name(query.person.name),
                "as_of": reply.source_as_of,
                "cells": [
                    sight.cell(spec.name, column.name, _plain(column.type, row.get(column.name, "")))
                    for column in columns
                ],
            }
            for query in latest_queries(request)
            if query.source == code and query.status == Status.KNOWN
            for reply in query.replies.order_by("-pk")[:1]
            for row in rows_as_text(spec, rows_of(reply, spec))
        ]
        if rows:
            marks = [rules.elements.of_column(spec.name, column.name) for column in columns]
            told.append(
                {
                    "source": code,
                    "label": source.label,
                    "columns": list(zip([column.label for column in columns], marks, strict=True)),
                    "headings": [_headed(column) for column in columns],
                    "rows": rows,
                }
            )
    record(by=by, act=Act.VIEW_VERIFICATION, subject=f"verification:{number}", region_code=request.region_code,
           detail={"fields": sorted({mark.code for entry in told for _label, mark in entry["columns"]
                                     if sight.everything or by.role in mark.roles})})  # fmt: skip
    return told


def _headed(column: ColumnSpec) -> str:
    """A column's label with its unit; sums stand in yuan, and a department writes them without."""
    unit = "元" if column.type == "money" else column.unit
    return f"{column.label}（{unit}）" if unit else column.label


def _plain(kind: str, text: str) -> str:
    """A cell for reading: 104.51 and not 104.5100."""
    return text.rstrip("0").removesuffix(".") if kind == "decimal" and "." in text else text
