"""What a household has received from all sides (家庭所受帮扶): public aid, member bodies, charities, on one page.

A line per aid with day, layer, giver, kind and fen; each look is in the audit log. Who may see it: :mod:`field_rules`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from django.db import transaction

from doudi.contexts.accounts.services import Act, User, record, require
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity.models import AidFiling, Need, Organisation
from doudi.contexts.registry import services as registry
from doudi.engine.packs.linking import LinkageRules

LAYERS = {"public": "政府救助", "member": "成员单位帮扶", "charity": "慈善帮扶"}


@dataclass(frozen=True)
class ReceivedLine:
    """One aid: ``layer`` public, member or charity; ``kind`` a code of the pack or ''; fen."""

    given_on: date
    layer: str
    giver: str
    label: str
    kind: str
    amount_fen: int
    number: str


@dataclass(frozen=True)
class Received:
    """Everything a household received, the sums by layer and by kind, and its needs."""

    household: registry.Household
    lines: tuple[ReceivedLine, ...]
    by_layer: dict[str, int]
    by_kind: dict[str, int]
    needs: tuple[Need, ...]


@transaction.atomic
def received(household_no: str, *, since: date | None = None, rules: LinkageRules, by: User) -> Received:
    """What a household of the asker's area received, newest first."""
    household = registry.household(household_no, by=by)
    require(by, Act.VIEW_RECEIVED, region_code=household.responsible_region)
    lines = [
        ReceivedLine(
            row.given_on,
            "public",
            row.giver,
            rules.public_label(row.code, row.label),
            _kind_of(row, rules),
            row.amount_fen,
            "",
        )
        for row in assistance.aid_given([household_no], since=since)
    ]
    filed = AidFiling.objects.standing().filter(household_no=household_no).select_related("organisation")
    if since is not None:
        filed = filed.filter(aided_on__gte=since)
    lines += [
        ReceivedLine(
            row.aided_on,
            "member" if row.organisation.kind == Organisation.Kind.MEMBER else "charity",
            row.organisation.name,
            row.what or row.project or row.get_way_display(),
            row.kind,
            row.amount_fen,
            row.number,
        )
        for row in filed
    ]
    by_layer: dict[str, int] = dict.fromkeys(LAYERS, 0)
    by_kind: dict[str, int] = defaultdict(int)
    for line in lines:
        by_layer[line.layer] += line.amount_fen
        by_kind[line.kind] += line.amount_fen
    record(
        by=by, act=Act.VIEW_RECEIVED, subject=f"household:{household_no}",
        region_code=household.responsible_region, detail={"lines": len(lines)},
    )  # fmt: skip
    return Received(
        household=household,
        lines=tuple(sorted(lines, key=lambda line: (line.given_on, line.number), reverse=True)),
        by_layer=by_layer,
        by_kind=dict(by_kind),
        needs=tuple(Need.objects.filter(household_no=household_no).order_by("-pk")),
    )


def _kind_of(row: assistance.AidGiven, rules: LinkageRules) -> str:
    return next((code for code in rules.kinds if rules.meets(code, measure=row.code, giver=row.giver)), "")
