# ruff: noqa: S608 - SQL is put together here from checked names of the pack only
"""Finding what an audit asks: who was paid though dead, in custody, paid twice, well-off (疑点核查).

In come the doubt rules and the snapshots that a screen stands on; out come findings with the facts, every payment
that was looked at, and the overpaid sum where the rules can count it. A kind whose feed never arrived is told as not
asked, never as nothing found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb

from doudi.engine.feeds.snapshots import INDEX, rows_of
from doudi.engine.packs.dates import month_index
from doudi.engine.packs.doubting import (
    BY_HAND,
    FROM_NEXT_MONTH,
    SAME_MONTH,
    DatedColumn,
    DoubtKind,
    DoubtRules,
)
from doudi.engine.packs.relations import parameter_table
from doudi.engine.screening.running import household_ranges, open_snapshots, prepare
from doudi.engine.status import Status

if TYPE_CHECKING:
    from doudi.engine.feeds import SnapshotSet


@dataclass(frozen=True)
class Payment:
    """One payment that was looked at: counted as overpaid or not, and why."""

    paid_on: date
    programme: str
    amount_fen: int
    member: int
    """Whose account: the place of the person in the household, by ID."""
    counted: bool
    why: str


@dataclass(frozen=True)
class Finding:
    """One doubt on one person or household (疑点)."""

    kind: str
    household_no: str
    region_code: str
    member: int | None
    """The place of the person in the household by ID (1, 2, …); None for a doubt on the whole household."""
    since: date | None
    until: date | None
    payments: tuple[Payment, ...]
    overpaid_fen: int | None
    """Whole fen; None where a person must set the sum."""
    how: str
    """How the sum came about, in words."""
    facts: tuple[tuple[str, int, dict[str, Any]], ...] = field(default=())
    """Feed, member and row of each fact that the doubt stands on."""


@dataclass(frozen=True)
class Found:
    """All findings of a date, and the kinds that could not be asked with the feeds that are missing."""

    findings: tuple[Finding, ...]
    unasked: dict[str, dict[str, Status]]


def find_doubts(
    rules: DoubtRules, snapshots: SnapshotSet, *, household_no: str | None = None, memory: str = "2GB"
) -> Found:
    """Every doubt of every kind on the date of the snapshots, of one household where it is named."""
    with open_snapshots(rules.pack, snapshots, memory=memory) as connection:
        prepared = prepare(connection, rules.pack, snapshots)
        unasked = _unasked(rules, prepared.missing, prepared.compiled.undecidable)
        asked = [kind for code, kind in rules.kinds.items() if code not in unasked]
        parameters = parameter_table(prepared.compiled, prepared.pairs)
        connection.register("parameters", parameters)
        connection.execute("CREATE TEMP TABLE hits (kind VARCHAR, household_key BIGINT, person_key BIGINT)")
        for low, high in _ranges(connection, household_no):
            for select, of_person in (("persons", True), ("trace", False)):
                chosen = [kind for kind in asked if kind.variable and kind.of_person == of_person]
                if chosen:
                    _keep_hits(connection, prepared.compiled.sql(select=select), low, high, chosen)
        if any(kind.comparison for kind in asked) and household_no is None:
            _keep_two_counties(connection, snapshots, [kind for kind in asked if kind.comparison])
        return Found(tuple(_findings(connection, rules, snapshots, asked)), unasked)


def _ranges(connection: duckdb.DuckDBPyConnection, household_no: str | None) -> list[tuple[int, int]]:
    if household_no is None:
        return household_ranges(connection.execute("SELECT count(*) FROM households").fetchall()[0][0], None)
    keys = connection.execute(
        "SELECT household_key FROM households WHERE household_no = ?", [household_no]
    ).fetchall()
    return [(key, key + 1) for (key,) in keys]


def _unasked(rules: DoubtRules, missing: Any, undecidable: frozenset[str]) -> dict[str, dict[str, Status]]:
    """Kinds whose condition or payments rest on a feed that is not there."""
    found: dict[str, dict[str, Status]] = {}
    for code, kind in rules.kinds.items():
        needed = {rules.paid_feed, *kind.facts}
        absent = {feed: missing[feed] for feed in sorted(needed) if feed in missing}
        begins = {column.feed for column in kind.begins}
        if begins and begins - set(absent) and rules.paid_feed not in absent:
            absent = {}  # another source of the same fact is there
        if kind.variable and kind.variable in undecidable and not absent and not begins:
            absent = {feed: status for feed, status in missing.items() if feed in kind.facts} or dict(missing)
        if absent:
            found[code] = absent
    return found


def _keep_hits(
    connection: duckdb.DuckDBPyConnection, sql: str, low: int, high: int, kinds: list[DoubtKind]
) -> None:
    person = "person_key" if kinds[0].of_person else "NULL"
    arms = " UNION ALL ".join(
        f"SELECT '{kind.code}', household_key, {person} FROM valued WHERE \"{kind.variable}\""
        for kind in kinds
    )
    bound = sql.replace("$lo", str(low)).replace("$hi", str(high))
    connection.execute(f"INSERT INTO hits WITH valued AS MATERIALIZED ({bound}) {arms}")


def _keep_two_counties(
    connection: duckdb.DuckDBPyConnection, snapshots: SnapshotSet, kinds: list[DoubtKind]
) -> None:
    """People whose ID stands in recipients' households of two counties."""
    index = rows_of(snapshots.register / INDEX)
    for kind in kinds:
        connection.execute(f"""
            INSERT INTO hits
            WITH placed AS (
                SELECT DISTINCT i.id_blind, i.household_key, i.person_key, left(h.region_code, 6) AS county
                FROM {index} i JOIN households h USING (household_key) WHERE h.category <> ''
            ), twice AS (SELECT id_blind FROM placed GROUP BY id_blind HAVING count(DISTINCT county) > 1)
            SELECT '{kind.code}', household_key, person_key FROM placed JOIN twice USING (id_blind)
        """)


def _findings(
    connection: duckdb.DuckDBPyConnection, rules: DoubtRules, snapshots: SnapshotSet, kinds: list[DoubtKind]
) -> Iterable[Finding]:
    as_of = snapshots.as_of
    connection.execute("""
        CREATE TEMP TABLE places AS
        SELECT household_key, person_key,
            row_number() OVER (PARTITION BY household_key ORDER BY person_key)::INTEGER AS place
        FROM (SELECT DISTINCT household_key, person_key FROM members
              WHERE household_key IN (SELECT household_key FROM hits))
    """)
    place = {(h, p): n for h, p, n in connection.execute("FROM places").fetchall()}
    homes = {
        key: (number, region)
        for key, number, region in connection.execute(
            "SELECT household_key, household_no, region_code FROM households"
            " WHERE household_key IN (SELECT household_key FROM hits)"
        ).fetchall()
    }
    hits = connection.execute(
        "SELECT DISTINCT kind, household_key, person_key FROM hits ORDER BY household_key, kind, person_key"
    ).fetchall()
    paid = _payments(connection, rules, as_of)
    dates = {
        column: _dates(connection, column)
        for kind in kinds
        for column in (*kind.begins, *((kind.ends,) if kind.ends else ()))
        if column.feed in snapshots.feeds
    }
    facts = {
        feed: _facts(connection, rules, feed)
        for feed in dict.fromkeys(feed for kind in kinds for feed in kind.facts)
        if snapshots.feeds.get(feed)
    }
    for code, household, person in hits:
        kind = rules.kinds[code]
        since, until = _span(kind, dates, household, person, as_of)
        judged = _judge(rules, kind, paid.get(household, []), person, since, until, as_of)
        if judged is None:
            continue
        payments, overpaid, how = judged
        number, region = homes[household]
        yield Finding(
            kind=code,
            household_no=number,
            region_code=region,
            member=None if person is None else place[household, person],
            since=since,
            until=until,
            payments=tuple(
                Payment(day, programme, fen, place[household, payer], counted, why)
                for day, programme, fen, payer, counted, why in payments
            ),
            overpaid_fen=overpaid,
            how=how,
            facts=tuple(
                (feed, place[household, owner], row)
                for feed in kind.facts
                for owner, row in facts.get(feed, {}).get(household, [])
                if person is None or owner == person
            ),
        )


_Paid = tuple[date, str, int, int]
_Judged = tuple[date, str, int, int, bool, str]


def _payments(
    connection: duckdb.DuckDBPyConnection, rules: DoubtRules, as_of: date
) -> dict[int, list[_Paid]]:
    rows = connection.execute(
        f'SELECT household_key, "{rules.paid_on}", "{rules.paid_programme}", "{rules.paid_sum}", person_key'
        f" FROM feed_{rules.paid_feed} WHERE household_key IN (SELECT household_key FROM hits)"
        f' AND "{rules.paid_on}" <= $on AND list_contains($programmes, "{rules.paid_programme}")'
        f' ORDER BY household_key, "{rules.paid_on}", person_key, "{rules.paid_programme}"',
        {"on": as_of, "programmes": list(rules.programmes)},
    ).fetchall()
    found: dict[int, list[_Paid]] = defaultdict(list)
    for household, day, programme, fen, payer in rows:
        found[household].append((day, programme, int(fen), payer))
    return found


def _dates(
    connection: duckdb.DuckDBPyConnection, column: DatedColumn
) -> dict[tuple[int, int], list[date | None]]:
    where = f"AND \"{column.when[0]}\" = '{column.when[1]}'" if column.when else ""
    rows = connection.execute(
        f'SELECT household_key, person_key, "{column.column}" FROM feed_{column.feed}'
        f" WHERE household_key IN (SELECT household_key FROM hits) {where}"
    ).fetchall()
    found: dict[tuple[int, int], list[date | None]] = defaultdict(list)
    for household, person, day in rows:
        found[household, person].append(day)
    return found


def _span(
    kind: DoubtKind,
    dates: dict[DatedColumn, dict[tuple[int, int], list[date | None]]],
    household: int,
    person: int | None,
    as_of: date,
) -> tuple[date | None, date | None]:
    """From when the doubt holds to when: the earliest begin; the latest end, None where one is still open."""
    if person is None:
        return None, None
    begins = [
        day
        for column in kind.begins
        for day in dates.get(column, {}).get((household, person), [])
        if day is not None and day <= as_of
    ]
    ends = dates.get(kind.ends, {}).get((household, person), []) if kind.ends else []
    until = None if not ends or any(day is None for day in ends) else max(day for day in ends if day)
    return (min(begins) if begins else None), until


def _facts(
    connection: duckdb.DuckDBPyConnection, rules: DoubtRules, feed: str
) -> dict[int, list[tuple[int, dict[str, Any]]]]:
    answer = connection.execute(
        f"SELECT * FROM feed_{feed} WHERE household_key IN (SELECT household_key FROM hits)"
        " ORDER BY household_key, person_key, row_digest"
    )
    names = [column[0] for column in answer.description or []]
    shown = {column.name for column in rules.pack.feeds[feed].columns}
    found: dict[int, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for row in answer.fetchall():
        values = dict(zip(names, row, strict=True))
        found[values["household_key"]].append(
            (values["person_key"], {name: value for name, value in values.items() if name in shown})
        )
    return found


def _month(day: date) -> int:
    return month_index(day)


def _judge(
    rules: DoubtRules,
    kind: DoubtKind,
    paid: list[_Paid],
    person: int | None,
    since: date | None,
    until: date | None,
    as_of: date,
) -> tuple[list[_Judged], int | None, str] | None:
    """The payments with what counts, the sum and the words for it; None where nothing was paid that matters."""
    if kind.counting == SAME_MONTH:
        return _twice_in_a_month(kind, [row for row in paid if row[3] == person], as_of)
    if kind.counting == FROM_NEXT_MONTH:
        if since is None:
            return None
        return _after(paid, person, since, until)
    recent = [row for row in paid if _month(row[0]) > _month(as_of) - rules.months_back]
    if since is not None:
        recent = [row for row in recent if row[0] >= since]
    if not recent:
        return None
    told = [(*row, False, BY_HAND) for row in recent]
    sum_fen = sum(row[2] for row in recent)
    return (
        told,
        None,
        f"近{rules.months_back}个月全户已发 {len(recent)} 笔，合计 {_yuan(sum_fen)}元；多发金额由核查人核定",
    )


def _after(
    paid: list[_Paid], person: int | None, since: date, until: date | None
) -> tuple[list[_Judged], int | None, str] | None:
    """Payments of the months after the one in which it began, up to the month in which it ended."""

    def counts(day: date) -> str:
        if _month(day) <= _month(since):
            return f"{since:%Y-%m}当月及以前，照发"
        if until is not None and _month(day) > _month(until):
            return f"{until:%Y-%m}以后，照发"
        return ""

    own = [
        (*row, not (why := counts(row[0])), why or f"{since:%Y-%m}的次月起")
        for row in paid
        if row[3] == person
    ]
    if any(row[4] for row in own):
        months = sorted({f"{row[0]:%Y-%m}" for row in own if row[4]})
        total = sum(row[2] for row in own if row[4])
        return own, total, f"{months[0]} 至 {months[-1]} 共 {len(months)} 个月，发到本人名下 {_yuan(total)}元"
    if own:
        return None  # paid in the own name, and stopped in time
    others = [(*row, False, "发在其他成员名下，须核定本人份额") for row in paid if not counts(row[0])]
    if not others:
        return None
    total = sum(row[2] for row in others)
    return (
        others,
        None,
        (
            f"本人名下没有发放；{since:%Y-%m} 次月起全户发放 {len(others)} 笔、合计 {_yuan(total)}元，"
            "本人份额由核查人核定"
        ),
    )


def _twice_in_a_month(
    kind: DoubtKind, paid: list[_Paid], as_of: date
) -> tuple[list[_Judged], int | None, str] | None:
    programmes: dict[int, set[str]] = defaultdict(set)
    for day, programme, _fen, _payer in paid:
        programmes[_month(day)].add(programme)
    double = {month for month, found in programmes.items() if len(found) > 1 and kind.programme in found}
    told = [
        (
            *row,
            row[1] == kind.programme,
            f"同月另有{'、'.join(sorted(programmes[_month(row[0])] - {row[1]}))}",
        )
        for row in paid
        if _month(row[0]) in double
    ]
    if not told:
        return None
    total = sum(row[2] for row in told if row[4])
    return told, total, f"{len(double)} 个月重复，按{kind.programme}计多发 {_yuan(total)}元"


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


__all__ = ["Finding", "Found", "Payment", "find_doubts"]
