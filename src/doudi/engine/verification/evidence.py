"""What was found of one household, reckoned by the very query that screens a county (架构 决定2: 个案即一户的批次)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from doudi.engine import identity, money, screening
from doudi.engine.feeds import FeedSpec
from doudi.engine.packs import Pack
from doudi.engine.status import Status
from doudi.engine.verification.session import Session, matched, session_for

REGISTER = "household_register"


@dataclass(frozen=True)
class HouseholdMember:
    """A jointly living member (共同生活的家庭成员) as the request names the person; ``relation`` to the head."""

    id_number: str
    name: str
    relation: str
    living_together: bool
    category: str = ""
    category_since: date | None = None
    left_on: date | None = None


@dataclass(frozen=True)
class Answer:
    """What is known from one source of the whole household: a status and, where decided, the rows found.

    ``rows`` are typed as the feed's columns are (fen, dates, months as year × 12 + month − 1). A source that has not
    answered for every member has not answered for the household: it is as missing as its worst member.
    """

    status: Status
    rows: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Situation:
    """A household's economic situation on a date as far as it was found (家庭经济状况)."""

    explanation: screening.Explanation
    held: Mapping[str, int]
    """Feed → rows whose ID is a member's and whose name is another (grade C): for a person, in no total."""
    leads: Mapping[str, int]

    def value(self, name: str) -> Any:
        """A household variable or parameter's exact value; the sum over members for a person's variable; None is 待核."""
        found = [told for told in self.explanation.variables if told.name == name]
        if not found:
            return next(
                (
                    parameter.value
                    for told in self.explanation.variables
                    for parameter in told.parameters
                    if parameter.parameter == name
                ),
                None,
            )
        if any(told.value is None for told in found):
            return None
        return sum(told.value for told in found) if found[0].member is not None else found[0].value


@dataclass(frozen=True)
class _Laid:
    """A household's rows as a session takes them, and what was left out of them."""

    session: Session
    rows: tuple[Any, ...]
    held: dict[str, int]
    leads: dict[str, int]


def reckon(
    pack: Pack,
    members: Sequence[HouseholdMember],
    answers: Mapping[str, Answer],
    *,
    household_no: str,
    region_code: str,
    urban_rural: str,
    as_of: date,
) -> Situation:
    """Put the pack's rules to what was found.

    ``answers`` by feed; a feed without one was not asked. Deterministic: the same evidence gives the same values.
    """
    laid = _lay(pack, members, answers, (household_no, region_code, urban_rural), as_of)
    return Situation(laid.session.explain(*laid.rows), laid.held, laid.leads)


def category_of(
    pack: Pack,
    members: Sequence[HouseholdMember],
    answers: Mapping[str, Answer],
    *,
    household_no: str,
    region_code: str,
    urban_rural: str,
    as_of: date,
) -> str:
    """The category alone that :func:`reckon` would find: nothing is put into words."""
    laid = _lay(pack, members, answers, (household_no, region_code, urban_rural), as_of)
    return laid.session.category(*laid.rows)


def _lay(
    pack: Pack,
    members: Sequence[HouseholdMember],
    answers: Mapping[str, Answer],
    household: tuple[str, str, str],
    as_of: date,
) -> _Laid:
    household_no, region_code, urban_rural = household
    ranked = sorted(members, key=lambda member: member.id_number)
    people = {member.id_number: (key, member.name) for key, member in enumerate(ranked)}
    # the head is the 户主 with the smallest ID, without one the smallest ID (reference pack)
    head = min(ranked, key=lambda member: (member.relation != "户主", member.id_number))
    missing: dict[str, Status] = {}
    held: dict[str, int] = {}
    leads: dict[str, int] = {}
    rows: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
    for name, spec in pack.feeds.items():
        if name == REGISTER:
            continue
        answer = answers.get(name, Answer(Status.NOT_ASKED))
        if not answer.status.decided:
            missing[name] = answer.status
        elif answer.rows:
            rows[name], held_rows, lead_rows = matched(spec, answer.rows, people)
            held |= {name: held_rows} if held_rows else {}
            leads |= {name: lead_rows} if lead_rows else {}
    session = session_for(pack, as_of, missing, (region_code, urban_rural), register=REGISTER)
    laid = (
        (0, household_no, region_code, urban_rural, head.category, len(people)),
        [
            (
                0, key, member.relation, member.living_together, member.left_on, member.category,
                member.category_since, urban_rural, region_code, member is head, identity.birth_date_of(member.id_number),
            )
            for key, member in enumerate(ranked)
        ],
        rows,
    )  # fmt: skip
    return _Laid(session, laid, held, leads)


def rows_to_plain(spec: FeedSpec, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Typed rows as JSON values that lose nothing: dates as ISO text, decimals as text."""
    types = {column.name: column.type for column in spec.columns}
    return [
        {name: _plain(value) for name, value in row.items() if name in types and value is not None}
        for row in rows
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return f"{value:f}" if isinstance(value, Decimal) else value


def rows_from_plain(spec: FeedSpec, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The inverse of :func:`rows_to_plain`."""
    types = {column.name: column.type for column in spec.columns}
    return [{name: _typed(types[name], value) for name, value in row.items()} for row in rows]


def _typed(kind: str, value: Any) -> Any:
    if kind == "date":
        return date.fromisoformat(value)
    return Decimal(value) if kind == "decimal" else value


def rows_as_text(spec: FeedSpec, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Typed rows as the cells of a file would say them, to be checked again by whoever receives them."""
    types = {column.name: column.type for column in spec.columns}
    return [
        {
            name: _as_text(types[name], value)
            for name, value in row.items()
            if name in types and value is not None
        }
        for row in rows
    ]


def _as_text(kind: str, value: Any) -> str:
    if kind == "money":
        return money.format_yuan(value).replace(",", "")
    if kind == "month":
        return f"{value // 12:04}-{value % 12 + 1:02}"
    if kind == "bool":
        return "是" if value else "否"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def totals_of(
    spec: FeedSpec, rows: Sequence[Mapping[str, Any]], totals: Sequence[str]
) -> list[dict[str, Any]]:
    """Rows with the money columns ``totals`` summed by person and everything else taken out of them.

    As many rows as there were are left, the first of a person with the sums and the others with nothing, texts replaced
    and dates by the latest of the person: counts and sums, and so every report computed from them, stay what they were.
    """
    by_person: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    for row in rows:
        by_person.setdefault((row.get("id_number"), row.get("name")), []).append(row)
    kept: list[dict[str, Any]] = []
    for (number, name), own in by_person.items():
        for place, row in enumerate(own):
            left: dict[str, Any] = {"id_number": number, "name": name}
            for column in spec.columns:
                value = row.get(column.name)
                if column.name in left or value is None:
                    continue
                if column.name in totals:
                    left[column.name] = sum(other.get(column.name) or 0 for other in own) if place == 0 else 0
                elif column.type in ("date", "month"):
                    left[column.name] = max(
                        other[column.name] for other in own if other.get(column.name) is not None
                    )
                elif column.type in ("money", "decimal", "int", "phone", "address"):
                    continue
                elif column.type == "text":
                    left[column.name] = f"合计{place + 1}"
                else:
                    left[column.name] = value
            kept.append(left)
    return kept
