"""The monthly roster: reckoned set-wise by one person, checked and frozen by another (发放名册).

A row is the difference between what is due for a month, as it is known now, and what earlier frozen rosters hold for
it: this month's whole sum, and 补发 or 扣回 for a month that turned out otherwise. Nothing frozen is ever edited.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date

from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.assistance.errors import StepRefused
from doudi.contexts.assistance.pay_ledger import accrue
from doudi.contexts.assistance.reckoning import Made, reckon_rows
from doudi.contexts.assistance.roster_models import Roster, RosterQuerySet, RosterRow
from doudi.contexts.registry import services as registry
from doudi.engine.benefits import BenefitRules, Numbers, first_of, month_text, next_month
from doudi.engine.errors import DoudiError

Kind, Status = RosterRow.Kind, Roster.Status
_BATCH = 1000
COUNTY = 6
"""Digits of a county's code: a roster is a county's."""


class RosterNotFound(DoudiError):
    """No such roster in the asker's area."""

    code = "roster_not_found"


class SamePerson(DoudiError):
    """Two steps that two people take would be taken by one (不相容岗位)."""

    code = "same_person"


def rosters(*, by: User, status: str = "") -> RosterQuerySet:
    """Rosters that ``by`` may see, the latest month first."""
    require(by, Act.VIEW_ROSTERS)
    found = Roster.objects.visible_to(by)
    return (found.filter(status=status) if status else found).order_by("-month", "-pk")


def roster_of(number: str, *, by: User) -> Roster:
    """One roster that touches the asker's area, or :class:`RosterNotFound`."""
    found = rosters(by=by).filter(number=number).first()
    if found is None:
        raise RosterNotFound(
            f"没有找到名册 {number}，或不在您的辖区。", f"No roster {number} in your area; check the number."
        )
    return found


@transaction.atomic
def look_at_roster(number: str, *, by: User) -> Roster:
    """:func:`roster_of`, with the look in the audit log: a roster names people."""
    found = roster_of(number, by=by)
    record(by=by, act=Act.VIEW_ROSTERS, subject=f"roster:{number}", region_code=found.region_code)
    return found


def rows_of(
    roster: Roster, *, by: User, kind: str = "", benefit: str = "", region_code: str = "", text: str = ""
) -> QuerySet[RosterRow]:
    """The rows of a roster in the asker's area, in their order, without those of the asker's own files."""
    found = registry.but_own(_inside(roster, by), by=by, household="household_no", persons=("person_id",))
    if kind:
        found = found.filter(kind=kind)
    if benefit:
        found = found.filter(benefit=benefit)
    if region_code:
        found = found.filter(region_code__startswith=region_code)
    if text.strip():
        typed = text.strip()
        found = found.filter(Q(household_no__icontains=typed) | Q(payee_name__startswith=typed))
    return found.order_by("place")


def rows_kept_back(roster: Roster, *, by: User) -> int:
    """How many rows :func:`rows_of` keeps back because they are the asker's own or kin's (回避)."""
    return _inside(roster, by).count() - rows_of(roster, by=by).count()


def _inside(roster: Roster, by: User) -> QuerySet[RosterRow]:
    require(by, Act.VIEW_ROSTERS)
    found = RosterRow.objects.filter(roster=roster)
    if by.region_code and len(by.region_code) > len(roster.region_code):
        found = found.filter(region_code__startswith=by.region_code)
    return found


def paid_rows(household_no: str, *, by: User) -> QuerySet[RosterRow]:
    """What frozen rosters hold for a household of the asker's area, the latest month first."""
    require(by, Act.VIEW_ROSTERS)
    registry.refuse_own_file(household_no, by=by)
    found = RosterRow.objects.filter(
        household_no=household_no, roster__status=Status.FROZEN, region_code__startswith=by.region_code
    )
    return found.exclude(kind=Kind.HELD).select_related("roster").order_by("-roster__month", "-pk")


def sums_of(roster: Roster, *, by: User) -> list[tuple[str, str, int, int]]:
    """Benefit, kind, rows and fen of a roster in the asker's area, whole: a sum names nobody."""
    found = _inside(roster, by).order_by()
    counted = found.values_list("benefit", "kind").annotate(n=Count("pk"), fen=Sum("amount_fen"))
    return sorted((benefit, kind, n, fen) for benefit, kind, n, fen in counted)


# ---- reckoning ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def compute_roster(
    *, region_code: str, month: date, rules: BenefitRules, numbers: Numbers, by: User
) -> Roster:
    """Reckon the roster of a county for a month; one that waits to be checked must be checked or returned first."""
    require(by, Act.COMPUTE_ROSTER, region_code=region_code)
    take_turn()
    month = first_of(month)
    _may_be_reckoned(region_code, month)
    sequence = Roster.objects.filter(region_code=region_code, month=month).count() + 1
    roster = Roster.objects.create(
        number=f"FF{region_code}-{month:%Y%m}-{sequence:02d}",
        region_code=region_code,
        month=month,
        status=Status.COMPUTING,
        pack_hash=numbers.pack.hash,
        computed_by=by.username,
    )
    digest = hashlib.sha256()
    count = held = total = 0
    payees: set[tuple[str, int]] = set()
    pending: list[RosterRow] = []
    for place, made in enumerate(_named(reckon_rows(roster, rules, numbers)), 1):
        row = RosterRow(roster=roster, place=place, **made)
        digest.update(_line_of(row))
        pending.append(row)
        count += 1
        if row.kind == Kind.HELD:
            held += 1
        else:
            total += row.amount_fen
            payees.add((row.household_no, row.person_id))
        if len(pending) >= _BATCH:
            RosterRow.objects.bulk_create(pending)
            pending = []
    RosterRow.objects.bulk_create(pending)
    roster.rows_count, roster.held_count, roster.total_fen = count, held, total
    roster.payees, roster.sha256, roster.status = len(payees), digest.hexdigest(), Status.COMPUTED
    roster.save()
    record(
        by=by,
        act=Act.COMPUTE_ROSTER,
        subject=f"roster:{roster.number}",
        region_code=region_code,
        detail={"month": month, "rows": count, "total_fen": total, "sha256": roster.sha256},
    )
    return roster


def _may_be_reckoned(region_code: str, month: date) -> None:
    if len(region_code) != COUNTY:
        raise StepRefused("名册按县（六位区划代码）计算。", "A roster is a county's: six digits.")
    if month > next_month(timezone.localdate()):
        raise StepRefused("最多提前一个月计算名册。", "A roster is reckoned one month ahead at most.")
    waiting = Roster.objects.filter(
        region_code=region_code, status__in=[Status.COMPUTING, Status.COMPUTED]
    ).first()
    if waiting is not None:
        raise StepRefused(
            f"名册 {waiting.number} 还没有核对。请先核对冻结或退回。",
            f"Roster {waiting.number} waits to be checked; check or return it first.",
        )
    last = Roster.objects.filter(region_code=region_code, status=Status.FROZEN).order_by("-month").first()
    if last is not None and month < last.month:
        raise StepRefused(
            f"{month_text(last.month)}的名册已冻结，以前月份的变化在后面的名册里补发或扣回。",
            f"The roster of {last.month:%Y-%m} is frozen; changes of earlier months are rows of later rosters.",
        )


def _named(rows: Iterable[Made]) -> Iterator[Made]:
    """Rows with the payee's name and area, read in one piece."""
    gathered = list(rows)
    heads = registry.heads_of(made["household_no"] for made in gathered)
    people = registry.people_briefs(made["person_id"] for made in gathered if made["person_id"])
    for made in gathered:
        head, _area = heads.get(made["household_no"], ("", ""))
        person = people.get(made["person_id"])
        yield {**made, "payee_name": person.name if person else head}


def _line_of(row: RosterRow) -> bytes:
    return (
        json.dumps(row.canonical(), ensure_ascii=False, separators=(",", ":"), default=str).encode() + b"\n"
    )


def digest_of(roster: Roster) -> str:
    """The SHA-256 over the canonical rows as they stand in the database now."""
    digest = hashlib.sha256()
    for row in RosterRow.objects.filter(roster=roster).order_by("place").iterator(chunk_size=5000):
        digest.update(_line_of(row))
    return digest.hexdigest()


def proved(roster: Roster) -> bool:
    """Whether the rows in the database are those that were reckoned, checked and frozen."""
    return digest_of(roster) == roster.sha256


# ---- checking -----------------------------------------------------------------------------------------------------------


def _for_check(found: Roster, by: User) -> Roster:
    number = found.number
    require(by, Act.CHECK_ROSTER, region_code=found.region_code)
    if found.status != Status.COMPUTED:
        raise StepRefused(
            f"名册 {number} 现为“{found.get_status_display()}”，不能核对。",
            f"Roster {number} is {found.status}; it cannot be checked.",
        )
    if found.computed_by == by.username:
        raise SamePerson(
            "名册须由计算人以外的人核对。请另一人登录办理。", "Who reckoned a roster does not check it."
        )
    return found


@transaction.atomic
def freeze_roster(number: str, *, note: str, by: User, sha256: str = "") -> Roster:
    """A second person finds the roster right; from then on nothing of it changes (核对冻结).

    ``sha256`` is the digest the checker looked at, where the page sent it. The rows are hashed again before: what is
    frozen is what was reckoned. The same person again changes nothing.
    """
    take_turn()
    standing = roster_of(number, by=by)
    if standing.is_frozen and standing.checked_by == by.username:
        return standing
    roster = _for_check(standing, by)
    if sha256 and sha256 != roster.sha256:
        raise StepRefused("名册已不是您看到的那一份，请重新打开。", "This is not the roster you looked at.")
    if not proved(roster):
        raise StepRefused(
            "名册的行与计算时的摘要不符，不能冻结。请退回重新计算，并告知系统管理员。",
            "The rows are not those that were reckoned; return the roster and tell the administrator.",
        )
    roster.status = Status.FROZEN
    roster.checked_by = by.username
    roster.checked_at = timezone.now()
    roster.note = note.strip()
    roster.save()
    accrue(roster, by=by)
    record(
        by=by,
        act="freeze_roster",
        subject=f"roster:{number}",
        region_code=roster.region_code,
        detail={"sha256": roster.sha256, "rows": roster.rows_count, "total_fen": roster.total_fen},
    )
    return roster


@transaction.atomic
def return_roster(number: str, *, note: str, by: User) -> Roster:
    """A second person sends the roster back to be reckoned again (退回); its rows stay as they were."""
    take_turn()
    roster = _for_check(roster_of(number, by=by), by)
    if len(note.strip()) < 4:
        raise StepRefused("请写明退回的原因（至少四个字）。", "Say why it is returned.")
    roster.status = Status.WITHDRAWN
    roster.checked_by = by.username
    roster.checked_at = timezone.now()
    roster.note = note.strip()
    roster.save()
    record(
        by=by,
        act="return_roster",
        subject=f"roster:{number}",
        region_code=roster.region_code,
        reason=note,
    )
    return roster
