"""Rows that came over a network, checked as the rows of a department's file are."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from doudi.contexts.verification.connectors.answers import Told
from doudi.engine import feeds
from doudi.engine.feeds import FeedSpec

CheckedRows = list[dict[str, Any]] | str
"""Typed rows of one answer, or why it cannot be used."""


def checked_rows(
    spec: FeedSpec, told: Mapping[str, Told], whose: Mapping[str, str]
) -> dict[str, CheckedRows]:
    """The rows of each answer with the types of the feed's columns; ``whose`` is the ID asked for, each at most once.

    A row about somebody else, or one that cannot be read, makes its whole answer unusable: half of what is known of a
    person is not what is known of him.
    """
    columns = list(spec.columns)
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow([column.label for column in columns])
    keys: list[str] = []
    for key, one in told.items():
        for row in one.rows:
            writer.writerow([row.get(column.name, row.get(column.label, "")) for column in columns])
            keys.append(key)
    checked: dict[str, CheckedRows] = {key: [] for key in told}
    if not keys:
        return checked
    parsed = feeds.parse_file(spec, lines.getvalue().encode(), today=timezone.localdate())
    if parsed.read != len(keys):
        return {key: "答复里有空行或合计行，不能使用" if one.rows else [] for key, one in told.items()}
    labels = {column.name: column.label for column in columns}
    for fault in parsed.faults:
        checked[keys[fault.row_no - 2]] = f"答复的“{labels.get(fault.column, '一行')}”读不懂，整项不采用"
    for row in parsed.rows.drop_columns(["row_digest"]).to_pylist():
        key = keys[row.pop("row_no") - 2]
        rows = checked[key]
        if isinstance(rows, str):
            continue
        if row["id_number"] != whose.get(key):
            checked[key] = "答复了别人的记录，整项不采用"
        else:
            rows.append(row)
    return checked
