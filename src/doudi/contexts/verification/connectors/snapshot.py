"""The department files that were loaded here (本地快照): a household's people looked up without sending anything out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from doudi.contexts.registry import services as registry
from doudi.contexts.verification.connectors.answers import Answered, Asked, SourceUnavailable, Told
from doudi.engine.feeds import FeedSpec
from doudi.engine.status import Status


class SnapshotSource:
    """A feed's files in force today."""

    way = "snapshot"

    def __init__(self, source: str, spec: FeedSpec, specs: Mapping[str, FeedSpec]) -> None:
        self.source, self.spec, self.specs = source, spec, specs

    def ask(self, batch: str, asked: Sequence[Asked]) -> Answered:
        answered = answers_of({self.source: (self.spec, asked)}, self.specs).get(self.source)
        if answered is None:
            raise SourceUnavailable(
                f"《{self.spec.label}》还没有装载，不能查本地快照。",
                f"No file of {self.spec.name} was loaded yet.",
            )
        return answered


def answers_of(
    questions: Mapping[str, tuple[FeedSpec, Sequence[Asked]]], specs: Mapping[str, FeedSpec]
) -> dict[str, Answered]:
    """The answers of several sources from the files in force today, by source; one never loaded is not in it."""
    today = date.today()  # noqa: DTZ011 — a calendar day
    people = {one.id_blind: one.name for _spec, asked in questions.values() for one in asked}
    found = registry.rows_of_people([spec for spec, _asked in questions.values()], specs, people, on=today)
    told = {}
    for source, (spec, asked) in questions.items():
        rows = found.get(spec.name)
        if rows is not None:
            told[source] = Answered(
                rows.as_of, {one.key: _told(one, rows.people.get(one.id_blind)) for one in asked}, typed=True
            )
    return told


def _told(one: Asked, person: registry.PersonRows | None) -> Told:
    why = _why_undecided(person)
    if person is None or why:
        return Told(Status.NOT_ARRIVED, why=why)
    rows = tuple({**row, "name": one.name, "id_number": one.id_number} for row in person.rows)
    return Told(Status.KNOWN if rows else Status.NO_RECORD, rows)


def _why_undecided(person: registry.PersonRows | None) -> str:
    """Why the files cannot answer for a person: neither what is missing nor what was not understood is 查无."""
    if person is None:
        return "本人不在本地名册内，快照不能答复"
    if person.unread:
        return "已装载的文件里有关于本人的行读不懂、已隔离，不能答查无；请来源更正，或用查询清单另问"
    return "同号不同名的记录待人工核对" if person.held else ""
