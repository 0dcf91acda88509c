"""A person is counted once, under the first category; tails follow from decisions; the same figure by two roads."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from doudi import chain
from doudi.contexts.accounts.models import AuditEntry
from doudi.contexts.registry import services as registry
from doudi.contexts.registry.models import CategoryRecord, Person
from doudi.contexts.registry.precedence import RANKS
from doudi.contexts.registry.statistics import months_before

ON = date(2024, 11, 20)
GROUND = "县民政局决定书原件"


def record(kind: str, household_no: str, on: date, name: str, by: Any, **said: Any) -> Any:
    key = str(Person.objects.get(name=name).pk)
    return registry.change(household_no, kind, on=on, said={"people": [key], **said}, ground=GROUND, by=by)


def counted(on: date, by: Any, **asked: Any) -> tuple[dict[str, int], dict[str, int]]:
    table = registry.statistics(on=on, by=by, tails=chain.tails(), **asked)
    names = [label for label, _code in table.categories]
    return (
        {n: c for n, c in zip(names, table.total.once, strict=True) if c},
        {n: c for n, c in zip(names, table.total.labelled, strict=True) if c},
    )


def by_hand(on: date) -> Counter[str]:
    """The other road: every record read in Python, one person at a time."""
    best: dict[int, int] = {}
    start = months_before(on, 12)
    records = list(CategoryRecord.objects.filter(retracted_at=None, valid_from__lte=on))
    for person in {fact.person_id for fact in records}:
        ranks = []
        mine = [fact for fact in records if fact.person_id == person]
        for fact in mine:
            ends = [day for day in (fact.valid_to, fact.left_on) if day is not None]
            end = min(ends, default=date.max)
            if fact.category in RANKS and end > on:
                ranks.append(RANKS[fact.category])
            elif fact.category in ("特困", "低保") and start < end <= on:
                ranks.append(RANKS["退出监测"])
            elif fact.category == "临时救助" and start < fact.since <= on:
                ranks.append(RANKS["临时救助监测"])
        if ranks:
            best[person] = min(ranks)
    names = list(RANKS)
    return Counter(names[rank] for rank in best.values())


def test_a_person_with_two_labels_is_counted_once_and_keeps_both(county: Any, by: Any) -> None:
    record(
        "recognise", "H001", ON, "张伟", by, category="防返贫监测", decided_by="农业农村局", source="imported"
    )

    once, labelled = counted(ON, by)

    assert once == {"低保": 4} and labelled == {"低保": 4, "防返贫监测": 1}
    assert by_hand(ON) == once
    behind = registry.people_counted(on=ON, by=by, tails=chain.tails(), label="防返贫监测", once=False)
    assert [(person.name, home) for person, home in behind] == [("张伟", "H001")]
    assert registry.people_counted(on=ON, by=by, tails=chain.tails(), label="防返贫监测") == []
    looks = AuditEntry.objects.filter(subject="statistics:防返贫监测").order_by("number")
    assert [(look.act, look.detail["people"]) for look in looks] == [
        ("view_households", 1),
        ("view_households", 0),
    ]


def test_who_left_less_than_a_year_ago_is_watched_and_then_no_longer(county: Any, by: Any) -> None:
    record("leave_category", "H001", ON, "张伟", by, category="低保", exit_reason="收入超过标准")

    assert counted(date(2024, 11, 19), by)[0] == {"低保": 4}
    for day, expected in {
        date(2024, 11, 20): {"低保": 3, "退出监测": 1},
        date(2025, 11, 19): {"低保": 3, "退出监测": 1},
        date(2025, 11, 20): {"低保": 3},
    }.items():
        assert counted(day, by)[0] == expected == by_hand(day), day


def test_temporary_aid_is_watched_for_a_year(county: Any, by: Any) -> None:
    record("recognise", "H002", ON, "王强", by, category="临时救助", decided_by="乡镇", source="own")

    assert counted(ON, by)[0] == {"低保": 4, "临时救助监测": 1} == by_hand(ON)
    assert counted(date(2025, 11, 20), by)[0] == {"低保": 4} == by_hand(date(2025, 11, 20))


def test_what_was_known_before_a_correction_can_be_counted_again(county: Any, by: Any) -> None:
    from django.utils import timezone

    before = timezone.now()
    record("leave_category", "H001", ON, "李丽", by, category="低保", exit_reason="收入超过标准")

    assert counted(ON, by, known_at=before)[0] == {"低保": 4}
    assert counted(ON, by)[0] == {"低保": 3, "退出监测": 1}
