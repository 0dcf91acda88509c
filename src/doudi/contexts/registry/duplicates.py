"""People who stand in the registry twice: a look at entry, a search in batches, and the queue in which a person decides.

Identity numbers, telephones and addresses are opened in memory for the comparison and are kept nowhere; what stays is
grades and a probability. Nothing is merged here by likeness alone below the certainty that the pack sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from doudi.contexts.accounts.services import ID_PURPOSE, Act, User, record, require, take_turn
from doudi.contexts.registry.changes import change_of
from doudi.contexts.registry.merging import unmerge
from doudi.contexts.registry.models import DuplicatePair, DuplicatePairQuerySet, Membership, Person
from doudi.contexts.registry.people import but_own, people_by_blind, person_by_id
from doudi.contexts.registry.standing import ChangeRefused
from doudi.engine import identity, linkage
from doudi.engine.errors import DoudiError
from doudi.engine.linkage import PersonRecord, Reason
from doudi.engine.linkage.names import read_name
from doudi.engine.linkage.reasons import differing_places
from doudi.engine.linkage.records import plain_id
from doudi.engine.packs.duplicates import DuplicateRules
from doudi.house.keyring import keyring

Merger = Callable[..., Any]
"""``chain.merge_people(keep, away, *, ground, by)``: the registry's merge with the repairs of the higher contexts."""
Status = DuplicatePair.Status
OPEN = (Status.WAITING, Status.DOUBTFUL)
_BATCH = 500
_CANDIDATES = 200


class PairNotFound(DoudiError):
    """No such pair, or not in the asker's area: the answer is the same."""

    code = "pair_not_found"


class PairDecided(DoudiError):
    """Somebody else has decided meanwhile, or the step does not follow the pair's state."""

    code = "pair_decided"


# ---- at entry ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PossibleDuplicate:
    """A person of the registry who may be the one that is being entered.

    Of somebody outside the asker's area (``elsewhere``) only the area and the likeness are told, so that the two offices
    can talk; the name and household stay there.
    """

    person_id: int
    name: str
    id_shown: str
    household_no: str
    region_code: str
    probability: float
    reasons: tuple[Reason, ...]
    elsewhere: bool
    former_number: bool
    """Found by a number that this person had before it was corrected, or on a record merged since."""


@transaction.atomic
def possible_duplicates(
    *,
    name: str,
    id_number: str = "",
    born_on: date | None = None,
    address: str = "",
    phone: str = "",
    rules: DuplicateRules,
    by: User,
) -> list[PossibleDuplicate]:
    """Who of the registry may be the person about to be entered, most probable first (录入前查重).

    Candidates come from the blind index (the number and all one slip away from it), the name and the birth date; they
    are weighed by the comparisons of the search. The look goes into the log.
    """
    require(by, Act.CHECK_DUPLICATE)
    if not name.strip() and not id_number.strip():
        raise DoudiError(
            "请至少填写姓名或证件号。", "Give a name or an ID number at least.", code="check_empty"
        )
    number = plain_id(id_number)
    born_on = born_on or _birth_in(number)
    asked = PersonRecord(0, name.strip(), number, born_on, address, phone)
    candidates = _candidates(asked)
    homes = _homes(candidates)
    scored = linkage.score(
        asked,
        [record for _person, record in candidates.values()],
        records=max(2, Person.objects.count()),
        expected_share=rules.expected_share,
        namesakes={asked.name: Person.objects.filter(name=asked.name).count()},
    )
    found = [
        _possible(asked, *candidates[pair.second], homes.get(pair.second, ("", "")), pair, by)
        for pair in scored
        if pair.probability >= rules.hint_at
    ]
    record(
        by=by,
        act=Act.CHECK_DUPLICATE,
        region_code=by.region_code,
        detail={"id": identity.mask_id(number), "found": [one.person_id for one in found]},
    )
    return found


def possible_duplicates_of(
    people: Iterable[tuple[str, str]], *, rules: DuplicateRules, by: User
) -> list[PossibleDuplicate]:
    """Who of the registry may be one of the people (name, number) about to be entered (录入时查重).

    A number that is registered is that person's and no question; one that is not valid is refused at entry itself.
    """
    found: dict[int, PossibleDuplicate] = {}
    for name, number in people:
        meant = identity.read_id(number, today=timezone.localdate()).number
        if meant is not None and person_by_id(meant) is None:
            for one in possible_duplicates(name=name, id_number=meant, rules=rules, by=by):
                found.setdefault(one.person_id, one)
    return list(found.values())


def _birth_in(number: str) -> date | None:
    try:
        return identity.birth_date_of(number) if len(number) == 18 else None
    except ValueError:
        return None


def _candidates(asked: PersonRecord) -> dict[int, tuple[Person, PersonRecord]]:
    """Who may be meant, each with the record to compare: under the number that led there, be it a former one."""
    people = _living_records()
    led: dict[int, str] = {}
    found: list[Person] = []
    if asked.id_number:
        near_numbers = sorted({asked.id_number, *linkage.one_sign_apart(asked.id_number)})
        blinds = dict(zip(keyring().digests(near_numbers, purpose=ID_PURPOSE), near_numbers, strict=True))
        for blind, person in people_by_blind(blinds).items():
            found.append(person)
            if led.get(person.pk) != asked.id_number:
                led[person.pk] = blinds[blind]
    reading = read_name(asked.name)
    heard = {*reading.close_sounds, *reading.parts}
    if asked.name:
        found += people.filter(name=asked.name)[:_CANDIDATES]
    near = people.filter(born_on__in=_birth_dates(asked.born_on)).values_list("pk", "name", "born_on")
    likely = []
    for pk, name, born_on in near:
        other = read_name(name)
        alike = heard & {*other.close_sounds, *other.parts} or set(reading.lookalikes) & set(other.lookalikes)
        same_day = born_on == asked.born_on
        if alike or (same_day and (not asked.name or reading.surname == other.surname)):
            likely.append(pk)
    found += people.filter(pk__in=likely[:_CANDIDATES])
    return {
        person.pk: (person, replace(_record_of(person), id_number=led.get(person.pk, person.id_number)))
        for person in found
    }


def _living_records() -> Any:
    """The records that stand for a person of their own; one that was merged into another does not."""
    return Person.objects.filter(merged_into=None)


def _birth_dates(born_on: date | None) -> list[date]:
    """The day itself, its slips of one digit in day or month, day and month swapped, a year more and less."""
    if born_on is None:
        return []
    text = f"{born_on:%Y%m%d}"
    written = {text, text[:4] + text[6:] + text[4:6]}
    for place in range(2, 8):
        written.update(f"{text[:place]}{digit}{text[place + 1 :]}" for digit in "0123456789")
    days = {day for one in written if (day := _day(one)) is not None}
    days.update(day for year in (-1, 1) if (day := _day(f"{born_on.year + year}{text[4:]}")) is not None)
    return sorted(days | {born_on - timedelta(days=1), born_on + timedelta(days=1)})


def _day(text: str) -> date | None:
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def _possible(
    asked: PersonRecord,
    person: Person,
    compared: PersonRecord,
    home: tuple[str, str],
    pair: linkage.ScoredPair,
    by: User,
) -> PossibleDuplicate:
    household_no, region = home
    elsewhere = not region.startswith(by.region_code)
    told = linkage.reasons(asked, compared, pair.grades)
    if elsewhere:
        told = [
            Reason(r.comparison, r.zh.partition("（")[0], r.en.partition(" (")[0], r.speaks) for r in told
        ]
    return PossibleDuplicate(
        person_id=person.pk,
        name=identity.mask_name(person.name) if elsewhere else person.name,
        id_shown="" if elsewhere else identity.mask_id(person.id_number),
        household_no="" if elsewhere else household_no,
        region_code=region,
        probability=pair.probability,
        reasons=tuple(told),
        elsewhere=elsewhere,
        former_number=compared.id_number != person.id_number,
    )


def _record_of(person: Person) -> PersonRecord:
    return PersonRecord(
        person.pk, person.name, person.id_number, person.born_on, person.address, person.phone
    )


def _homes(people: Iterable[int]) -> dict[int, tuple[str, str]]:
    """The household and the area that answers for it, by person."""
    return {
        person: (household_no, region)
        for person, household_no, region in _standing()
        .filter(person__in=list(people))
        .order_by("-pk")  # of several the one that stood longest, as after a merge
        .values_list("person_id", "household__household_no", "household__responsible_region")
    }


def _standing() -> Any:
    return Membership.objects.filter(valid_to=None, retracted_at=None).order_by("pk")


# ---- in batches --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchOutcome:
    """What a search of the registry came to; ``keys_too_common`` were left out so that it stayed bounded."""

    people: int
    new: int
    again: int
    settled: int
    gone: int
    merged: int
    keys_too_common: int


def find_duplicates(
    rules: DuplicateRules, *, by: User, merge: Merger, region_code: str = ""
) -> SearchOutcome:
    """Search the people of an area for those who stand twice, and bring the queue up to date (批量查重).

    The search itself holds no lock. A pair decided before is asked again only if what was compared has changed since;
    one that waits and is no longer alike leaves the queue.
    """
    area = region_code or by.region_code
    require(by, Act.FIND_DUPLICATES, region_code=area)
    standing = _standing().filter(household__responsible_region__startswith=area)
    regions: dict[int, str] = dict(standing.values_list("person_id", "household__responsible_region"))
    people = _people(regions)
    found = linkage.search(
        (_record_of(person) for person in people.values()),
        at_least=rules.review_at,
        expected_share=rules.expected_share,
        most_alike=rules.most_alike,
    )
    return _queue(found, people, regions, rules, by=by, area=area, merge=merge)


def _people(wanted: Iterable[int]) -> dict[int, Person]:
    keys = sorted(wanted)
    people: dict[int, Person] = {}
    for start in range(0, len(keys), _BATCH):
        people.update(_living_records().in_bulk(keys[start : start + _BATCH]))
    return people


@transaction.atomic
def _queue(
    found: linkage.Search,
    people: dict[int, Person],
    regions: dict[int, str],
    rules: DuplicateRules,
    *,
    by: User,
    area: str,
    merge: Merger,
) -> SearchOutcome:
    take_turn()
    known = {
        (pair.first_id, pair.second_id): pair
        for pair in DuplicatePair.objects.filter(
            first_region__startswith=area, second_region__startswith=area
        ).select_for_update()
    }
    new: list[DuplicatePair] = []
    again = settled = 0
    for scored in found.pairs:
        first, second = sorted((scored.first, scored.second))
        compared = _digest(people[first], people[second])
        pair = known.pop((first, second), None)
        facts = {
            "probability": scored.probability,
            "grades": dict(scored.grades),
            "compared": compared,
            "first_region": regions[first],
            "second_region": regions[second],
        }
        if pair is None:
            new.append(DuplicatePair(first_id=first, second_id=second, status=Status.WAITING, **facts))
        elif pair.status in (*OPEN, Status.GONE) or bytes(pair.compared) != compared:
            again += 1
            if pair.status not in OPEN:
                pair.status = Status.WAITING
            for name, value in facts.items():
                setattr(pair, name, value)
            pair.save()
        else:
            settled += 1
    DuplicatePair.objects.bulk_create(new, batch_size=_BATCH)
    gone = [pair.pk for pair in known.values() if pair.status in OPEN]
    DuplicatePair.objects.filter(pk__in=gone).update(status=Status.GONE)
    outcome = SearchOutcome(
        people=found.records,
        new=len(new),
        again=again,
        settled=settled,
        gone=len(gone),
        merged=_merge_certain(rules, area, merge, by),
        keys_too_common=found.keys_too_common,
    )
    record(by=by, act=Act.FIND_DUPLICATES, region_code=area, detail=vars(outcome))
    return outcome


def _merge_certain(rules: DuplicateRules, area: str, merge: Merger, by: User) -> int:
    """Merge the pairs at or above the pack's certainty; at 1.0 there are none. One that cannot be merged waits on."""
    if rules.merge_at >= 1:
        return 0
    certain = DuplicatePair.objects.filter(
        status=Status.WAITING,
        probability__gte=rules.merge_at,
        first_region__startswith=area,
        second_region__startswith=area,
    )
    merged = 0
    for pair in list(certain):
        ground = f"概率 {pair.probability:.4f}，达到政策包的自动合并概率 {rules.merge_at}"
        try:
            decide_pair(pair.pk, verdict=Status.SAME, ground=ground, keep=pair.first_id, merge=merge, by=by)
        except ChangeRefused:
            continue  # of three alike the third is merged already; or sex and birth date speak against it
        merged += 1
    return merged


def _digest(first: Person, second: Person) -> bytes:
    said = "\x00".join(
        "\x01".join((one.name, one.id_number, str(one.born_on), one.address, one.phone))
        for one in (first, second)
    )
    return keyring().digest(said, purpose="duplicate.pair")


# ---- the queue ---------------------------------------------------------------------------------------------------


def duplicate_pairs(*, by: User, status: str = "", region_code: str = "") -> DuplicatePairQuerySet:
    """The pairs that the account may see, most probable first; ``status`` "open" is what waits for somebody."""
    require(by, Act.VIEW_DUPLICATES)
    found = DuplicatePair.objects.visible_to(by).select_related("first", "second")
    found = but_own(found, by=by, persons=("first", "second"))
    if status == "open":
        found = found.filter(status__in=OPEN)
    elif status:
        found = found.filter(status=status)
    if region_code:
        found = found.filter(
            Q(first_region__startswith=region_code) | Q(second_region__startswith=region_code)
        )
    return found


def duplicate_counts(*, by: User) -> dict[str, int]:
    """Pairs by status within the account's area, and ``beyond``: open ones with a side outside, for the level above."""
    require(by, Act.VIEW_DUPLICATES)
    counts = dict.fromkeys(Status.values, 0)
    visible = DuplicatePair.objects.visible_to(by)
    counts.update(visible.order_by().values_list("status").annotate(n=Count("pk")))
    if by.region_code:
        area = by.region_code
        either = Q(first_region__startswith=area) | Q(second_region__startswith=area)
        both = Q(first_region__startswith=area) & Q(second_region__startswith=area)
        counts["beyond"] = DuplicatePair.objects.filter(either & ~both, status__in=OPEN).count()
    return counts


@dataclass(frozen=True)
class Side:
    """One of the two records as the page shows it; ``id_signs`` are masked but for the signs that differ."""

    person_id: int
    name: str
    id_signs: tuple[tuple[str, bool], ...]
    sex: str
    born_on: date | None
    phone: str
    address: str
    household_no: str
    region_code: str


@dataclass(frozen=True)
class PairShown:
    """A pair with both sides and the reasons."""

    pair: DuplicatePair
    sides: tuple[Side, Side]
    reasons: tuple[Reason, ...]


def duplicate_pair(pk: int, *, by: User) -> DuplicatePair:
    """One pair within the asker's area, or :class:`PairNotFound`."""
    require(by, Act.VIEW_DUPLICATES)
    pair = duplicate_pairs(by=by).filter(pk=pk).first()
    if pair is None:
        raise PairNotFound(
            f"没有第 {pk} 号疑似重复，或有一方不在您的辖区（由上级判定）。",
            f"No pair {pk}, or one side is outside your area (the level above decides).",
        )
    return pair


@transaction.atomic
def look_at_pair(pk: int, *, by: User) -> PairShown:
    """A pair side by side, with the look in the audit log."""
    pair = duplicate_pair(pk, by=by)
    record(
        by=by,
        act=Act.VIEW_DUPLICATES,
        subject=f"duplicate:{pk}",
        region_code=pair.first_region,
        detail={"people": [pair.first_id, pair.second_id]},
    )
    return shown(pair, by=by)


def shown(pair: DuplicatePair, *, by: User) -> PairShown:
    """A pair that the caller already looked up, made ready for a page."""
    identified = by.role != "auditor"
    first, second = pair.first, pair.second
    places = differing_places(first.id_number, second.id_number)
    homes = _homes((first.pk, second.pk))
    sides = (_side(first, places, homes, identified), _side(second, places, homes, identified))
    told = linkage.reasons(_record_of(first), _record_of(second), pair.grades)
    if not identified:
        told = [
            Reason(r.comparison, r.zh.partition("（")[0], r.en.partition(" (")[0], r.speaks) for r in told
        ]
    return PairShown(pair, sides, tuple(told))


def _side(person: Person, places: list[int], homes: dict[int, tuple[str, str]], identified: bool) -> Side:
    masked = identity.mask_id(person.id_number)
    signs = tuple(
        (sign if place in places and identified else hidden, place in places)
        for place, (sign, hidden) in enumerate(zip(person.id_number, masked, strict=True))
    )
    household_no, region = homes.get(person.pk, ("", ""))
    phone = person.phone
    return Side(
        person_id=person.pk,
        name=person.name if identified else identity.mask_name(person.name),
        id_signs=signs,
        sex=person.sex,
        born_on=person.born_on,
        phone=f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 7 else phone,
        address=person.address if identified else "",
        household_no=household_no,
        region_code=region,
    )


@transaction.atomic
def decide_pair(
    pk: int,
    *,
    verdict: str,
    ground: str,
    by: User,
    merge: Merger,
    keep: int | None = None,
) -> DuplicatePair:
    """Say whether two records are one person (判定); one person is merged in the same step.

    ``keep`` is the record that stays. Where two decide at once the first wins and the other is told who it was.
    """
    take_turn()
    pair = duplicate_pair(pk, by=by)
    require(by, Act.DECIDE_DUPLICATE, region_code=pair.first_region)
    require(by, Act.DECIDE_DUPLICATE, region_code=pair.second_region)
    if verdict not in (Status.SAME, Status.DIFFERENT, Status.DOUBTFUL):
        raise DoudiError(
            "请选择：同一人、不是同一人或存疑。",
            "Choose: one person, two people, or in doubt.",
            code="verdict_missing",
        )
    if len(ground.strip()) < 4:
        raise DoudiError(
            "请写明判定理由（至少四个字），如“入户见到本人，证件号登记有误”。",
            "State the ground (four characters or more), such as what was seen on a visit.",
            code="ground_missing",
        )
    if pair.status not in OPEN:
        raise PairDecided(
            f"这一对已由 {pair.decided_by or '系统'} 判定为“{pair.get_status_display()}”，您的判定没有保存。",
            f"{pair.decided_by or 'The system'} has already decided this pair ({pair.status}); yours was not kept.",
        )
    pair.status = verdict
    pair.ground = ground.strip()
    pair.decided_by = by.username
    pair.decided_at = timezone.now()
    if verdict == Status.SAME:
        pair.merge_number = _merged(pair, keep, merge, ground.strip(), by)
    pair.save()
    record(
        by=by,
        act=Act.DECIDE_DUPLICATE,
        subject=f"duplicate:{pk}",
        region_code=pair.first_region,
        reason=pair.ground,
        detail={"verdict": verdict, "people": [pair.first_id, pair.second_id], "merge": pair.merge_number},
    )
    return pair


def _merged(pair: DuplicatePair, keep: int | None, merge: Merger, ground: str, by: User) -> str:
    if keep not in (pair.first_id, pair.second_id):
        raise DoudiError(
            "请选择合并后保留哪一条记录。", "Choose which of the two records stays.", code="keep_missing"
        )
    stays, goes = (pair.first, pair.second) if keep == pair.first_id else (pair.second, pair.first)
    return str(merge(stays, goes, ground=ground, by=by).number)


@transaction.atomic
def reopen_pair(pk: int, *, ground: str, by: User) -> DuplicatePair:
    """Take a decision back (撤销判定): the pair is in doubt again, and people who were merged are two again."""
    take_turn()
    pair = duplicate_pair(pk, by=by)
    require(by, Act.DECIDE_DUPLICATE, region_code=pair.first_region)
    if pair.status not in (Status.SAME, Status.DIFFERENT):
        raise PairDecided(
            "这一对还没有判定，无可撤销。", "This pair is not decided; there is nothing to take back."
        )
    if len(ground.strip()) < 4:
        raise DoudiError(
            "请写明撤销理由（至少四个字）。",
            "State the ground (four characters or more).",
            code="ground_missing",
        )
    if pair.merge_number:
        unmerge(change_of(pair.merge_number, by=by), ground=ground.strip(), by=by)
    pair.status, pair.merge_number = Status.DOUBTFUL, ""
    pair.ground, pair.decided_by, pair.decided_at = ground.strip(), by.username, timezone.now()
    pair.save()
    record(
        by=by,
        act=Act.DECIDE_DUPLICATE,
        subject=f"duplicate:{pk}",
        region_code=pair.first_region,
        reason=pair.ground,
        detail={"verdict": "reopened", "people": [pair.first_id, pair.second_id]},
    )
    return pair
