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
        today = date.today()  # noqa: DTZ011 — a calendar day
        found = registry.rows_of_people(self.spec, self.specs, [one.id_blind for one in asked], on=today)
        if found is None:
            raise SourceUnavailable(
                f"《{self.spec.label}》还没有装载，不能查本地快照。",
                f"No file of {self.spec.name} was loaded yet.",
            )
        told = {}
        for one in asked:
            person = found.people.get(one.id_blind)
            if person is None or person.held:
                # outside the register nothing is kept, and a held row is for a person to look at: neither is 查无
                why = "本人不在本地名册内，快照不能答复" if person is None else "同号不同名的记录待人工核对"
                told[one.key] = Told(Status.NOT_ARRIVED, why=why)
                continue
            rows = tuple({**row, "name": one.name, "id_number": one.id_number} for row in person.rows)
            told[one.key] = Told(Status.KNOWN if rows else Status.NO_RECORD, rows)
        return Answered(found.as_of, told, typed=True)
