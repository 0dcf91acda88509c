"""Finding people and households by what a clerk has at hand (查找): part of a name, pinyin, the end of a number.

In come what was typed and who asks; out come hits within the asker's area, page by page, each page read straight from
an index whatever the size of the register. The index is an inverted list of *terms*: one row per way to find a person
in a household. Terms of identity and telephone numbers are keyed digests, so that the list gives no number away.
"""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from doudi.contexts.accounts.services import Act, User, may, record, require
from doudi.contexts.registry.models import Household, Membership, Person, SearchTerm
from doudi.contexts.registry.people import but_own
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.engine.pinyin import spellings
from doudi.house.keyring import keyring

ID_PURPOSE = "id"
_BATCH = 500
_LAST = b"\xff"
_LONGEST = 80
"""Bytes of a term; a longer name is found by its beginning."""
_MOBILE = re.compile(r"1\d{10}", re.ASCII)
_LANDLINE = re.compile(r"0\d{9,11}", re.ASCII)
_TAIL = re.compile(r"\d{3}[\dXx]|\d{5}[\dXx]", re.ASCII)
_LATIN = re.compile(r"[a-z]+", re.ASCII)
_CHINESE = re.compile(r"[\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Kind(StrEnum):
    """What a typed text was taken for, in the order in which hits are shown."""

    ID = "id"
    NAME = "name"
    HOUSEHOLD = "household"
    INITIALS = "initials"
    PINYIN = "pinyin"
    ID_TAIL = "id_tail"
    PHONE = "phone"
    PHONE_TAIL = "phone_tail"
    HOUSEHOLD_END = "household_end"
    NAME_PART = "name_part"


KIND_LABELS = {
    Kind.ID: "证件号",
    Kind.NAME: "姓名开头",
    Kind.HOUSEHOLD: "户编号开头",
    Kind.INITIALS: "拼音首字母",
    Kind.PINYIN: "全拼",
    Kind.ID_TAIL: "证件号末位",
    Kind.PHONE: "电话",
    Kind.PHONE_TAIL: "电话末四位",
    Kind.HOUSEHOLD_END: "户编号末尾",
    Kind.NAME_PART: "姓名中间",
}

_SIGN = {
    Kind.ID: b"q", Kind.NAME: b"n", Kind.HOUSEHOLD: b"h", Kind.INITIALS: b"i", Kind.PINYIN: b"p", Kind.ID_TAIL: b"d",
    Kind.PHONE: b"t", Kind.PHONE_TAIL: b"u", Kind.HOUSEHOLD_END: b"r", Kind.NAME_PART: b"s",
}  # fmt: skip
_IDENTITY = (Kind.ID, Kind.ID_TAIL, Kind.PHONE, Kind.PHONE_TAIL)
"""Kinds that ask whether a certain person is on the register: for those who may know it, and each in the log."""


class CursorInvalid(DoudiError):
    """The mark of the next page is not one of ours, or belongs to another search."""

    code = "cursor_invalid"


@dataclass(frozen=True)
class Part:
    """One way to read a typed text: the kind, and the range of terms it covers."""

    kind: Kind
    low: bytes
    high: bytes | None
    """None for one term exactly, else the end of the range."""

    def q(self) -> Q:
        return Q(term=self.low) if self.high is None else Q(term__gte=self.low, term__lt=self.high)


@dataclass(frozen=True)
class Hit:
    """A person in a household, and by which kind of text they were found."""

    household: Household
    person: Person
    kind: Kind


@dataclass(frozen=True)
class Found:
    """One page of hits; ``next`` is the mark of the next page, empty on the last."""

    hits: tuple[Hit, ...]
    kinds: tuple[Kind, ...]
    next: str


# ---- the terms of a person ----------------------------------------------------------------------------------------


def _digest(text: str, purpose: str) -> bytes:
    return keyring().digest(text, purpose=purpose)[:8]


def _range(kind: Kind, text: str) -> Part:
    low = (_SIGN[kind] + text.encode())[:_LONGEST]
    return Part(kind, low, low + _LAST)


def _exact(kind: Kind, text: str) -> Part:
    return Part(kind, _SIGN[kind] + _digest(text, f"find.{kind}"), None)


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", unicodedata.normalize("NFKC", phone)).removeprefix("86")


def name_terms(written: str) -> set[bytes]:
    """Every term by which a name is found: its characters, its pinyin and initials in every reading."""
    name = identity.normal_name(written)
    terms = {_SIGN[Kind.NAME] + name.encode()}
    terms |= {_SIGN[Kind.NAME_PART] + name[start:].encode() for start in range(1, min(len(name), 12))}
    for full, initials in spellings(name):
        terms |= {_SIGN[Kind.PINYIN] + full.encode(), _SIGN[Kind.INITIALS] + initials.encode()}
    return {term[:_LONGEST] for term in terms}


def person_terms(person: Person) -> set[bytes]:
    """Every term by which a person is found, whatever the household: by former numbers too, and by those of records
    that were merged into this one."""
    terms = name_terms(person.name)
    former = [alias.id_number for alias in person.aliases.all()]
    former += [record.id_number for record in person.merged_from.all()]
    for number in (one.upper() for one in (person.id_number, *former)):
        if len(number) >= 15:
            terms |= {_exact(Kind.ID_TAIL, number[-4:]).low, _exact(Kind.ID_TAIL, number[-6:]).low}
            terms.add(_exact(Kind.ID, number).low)
    phone = _digits(person.phone)
    if len(phone) >= 7:
        terms |= {_exact(Kind.PHONE, phone).low, _exact(Kind.PHONE_TAIL, phone[-4:]).low}
    return {term[:_LONGEST] for term in terms}


def household_terms(household: Household) -> set[bytes]:
    """The terms of a household's number; they stand with its head."""
    number = household.household_no.lower()
    return {_SIGN[Kind.HOUSEHOLD] + number.encode(), _SIGN[Kind.HOUSEHOLD_END] + number[::-1].encode()}


@transaction.atomic
def index_households(households: Iterable[int]) -> int:
    """Bring the terms of these households (primary keys) to what the register says now; returns the rows written.

    Every act that changes a name, a number, a telephone, who lives where or who answers for a household calls this
    in its own transaction; a household that left the register is no longer found.
    """
    written = 0
    keys = sorted(set(households))
    for batch in (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH)):
        SearchTerm.objects.filter(household_id__in=batch).delete()
        standing = (
            Membership.objects.filter(
                household_id__in=batch, household__listed=True, valid_to=None, retracted_at=None
            )
            .select_related("household", "person")
            .prefetch_related("person__aliases", "person__merged_from")
            .order_by("household_id", "pk")
        )
        rows: dict[int, list[Membership]] = {}
        for membership in standing:
            rows.setdefault(membership.household_id, []).append(membership)
        terms = [
            SearchTerm(
                term=term,
                county=membership.household.responsible_region[:6],
                region_code=membership.household.responsible_region,
                household_id=membership.household_id,
                person_id=membership.person_id,
            )
            for members in rows.values()
            for place, membership in enumerate(sorted(members, key=lambda m: m.relation != "户主"))
            for term in person_terms(membership.person)
            | (household_terms(membership.household) if place == 0 else set())
        ]
        SearchTerm.objects.bulk_create(terms, batch_size=2000)
        written += len(terms)
    return written


def index_everything() -> int:
    """Build the list anew, as after an upgrade; returns the rows written."""
    SearchTerm.objects.all().delete()
    return index_households(
        Household.objects.current().values_list("pk", flat=True).iterator(chunk_size=10_000)
    )


def index_if_missing() -> int:
    """Build the list where a register was taken in before there was one; returns the rows written."""
    if SearchTerm.objects.exists() or not Household.objects.current().exists():
        return 0
    return index_everything()


# ---- reading what was typed ----------------------------------------------------------------------------------------


def understood(text: str) -> tuple[Part, ...]:
    """The ways to read a typed text, in the order in which hits are shown; an empty text has none."""
    plain = "".join(unicodedata.normalize("NFKC", text).split())[:60]
    if not plain:
        return ()
    number = identity.mend_id(plain)
    if number is not None:
        return (_exact(Kind.ID, number),)
    bare = plain.replace("-", "")
    if _MOBILE.fullmatch(bare) or _LANDLINE.fullmatch(bare):
        return (_exact(Kind.PHONE, bare), *_of_household(plain))
    if _TAIL.fullmatch(plain):
        tails = [_exact(Kind.ID_TAIL, plain.upper())]
        if len(plain) == 4 and plain.isdigit():
            tails.append(_exact(Kind.PHONE_TAIL, plain))
        return (*tails, *_of_household(plain))
    if _CHINESE.search(plain):
        name = identity.normal_name(plain)
        return (_range(Kind.NAME, name), _range(Kind.HOUSEHOLD, plain.lower()), _range(Kind.NAME_PART, name))
    spelt = plain.lower().replace("ü", "v").replace("'", "")
    if _LATIN.fullmatch(spelt):
        return (_range(Kind.INITIALS, spelt), _range(Kind.PINYIN, spelt), *_of_household(plain))
    return _of_household(plain)


def _of_household(plain: str) -> tuple[Part, ...]:
    number = plain.lower()
    return (_range(Kind.HOUSEHOLD, number), _range(Kind.HOUSEHOLD_END, number[::-1]))


def _allowed(parts: Sequence[Part], by: User) -> tuple[Part, ...]:
    """The readings that ``by`` may ask for; a whole number asked for by others is refused, a tail passed over."""
    if any(part.kind in (Kind.ID, Kind.PHONE) for part in parts):
        require(by, Act.REVEAL_IDENTITY)
    if may(by, Act.REVEAL_IDENTITY):
        return tuple(parts)
    return tuple(part for part in parts if part.kind not in _IDENTITY)


def _note(parts: Sequence[Part], text: str, by: User) -> None:
    """Asking whether a certain person is on the register is a look at that person."""
    asked = [part.kind for part in parts if part.kind in _IDENTITY]
    if not asked:
        return
    number = identity.mend_id(text)
    told = {"id": identity.mask_id(number)} if number is not None else {"by": sorted(asked)}
    record(by=by, act="search_identity", region_code=by.region_code, detail=told)


# ---- finding --------------------------------------------------------------------------------------------------------


def _in_area(area: str) -> Q:
    """The terms of an area; from a county down through the index that begins with the county."""
    if not area:
        return Q()
    inside = Q(region_code__startswith=area)
    return inside & Q(county=area[:6]) if len(area) >= 6 else inside


def narrower(one: str, other: str) -> str | None:
    """The smaller of two areas where one lies in the other, None where they are apart."""
    if one.startswith(other):
        return one
    return other if other.startswith(one) else None


def matching(text: str, *, by: User) -> Q:
    """A condition on households for a search combined with others; the look is put into the log."""
    parts = _allowed(understood(text), by)
    _note(parts, text, by)
    found = SearchTerm.objects.filter(_in_area(by.region_code))
    any_of = Q(pk=None)
    for part in parts:
        any_of |= part.q()
    return Q(pk__in=found.filter(any_of).values("household_id"))


def find(
    text: str,
    *,
    by: User,
    region_code: str = "",
    narrowed: Q | None = None,
    after: str = "",
    limit: int = 25,
    one_per_household: bool = False,
) -> Found:
    """One page of the people (or, ``one_per_household``, the households) that a typed text means, within the area.

    ``narrowed`` are further conditions, on ``household__…`` and ``person__…``. ``after`` is the ``next`` of the page
    before. The first page of a search for a person is noted in the audit log.
    """
    require(by, Act.VIEW_HOUSEHOLDS)
    parts = _allowed(understood(text), by)
    area = narrower(by.region_code, region_code)
    kinds = tuple(part.kind for part in parts)
    if not after:
        _note(parts, text, by)
    if area is None or not parts:
        return Found((), kinds, "")
    place, mark = _read_cursor(after, len(parts))
    hits: list[Hit] = []
    seen: set[Any] = set()
    while place < len(parts):
        part = parts[place]
        base = SearchTerm.objects.filter(_in_area(area)).filter(part.q())
        base = but_own(base, by=by, household="household__household_no")
        if narrowed is not None:
            base = base.filter(narrowed)
        for term in _from(base, mark, limit - len(hits) + 1).select_related("household", "person"):
            if len(hits) == limit:
                return Found(tuple(hits), kinds, _cursor(place, mark))
            mark = (bytes(term.term), term.region_code, term.pk)
            key = term.household_id if one_per_household else (term.household_id, term.person_id)
            if key not in seen and not _told_before(term, part, parts[:place], one_per_household):
                seen.add(key)
                hits.append(Hit(term.household, term.person, part.kind))
        if len(hits) < limit and _more(base, mark):
            continue
        place, mark = place + 1, None
    return Found(tuple(hits), kinds, "")


def _from(
    base: QuerySet[SearchTerm], mark: tuple[bytes, str, int] | None, count: int
) -> QuerySet[SearchTerm]:
    """The rows after a mark, in the order of the index."""
    if mark is not None:
        term, region, pk = mark
        base = base.filter(
            Q(term__gt=term)
            | Q(term=term, region_code__gt=region)
            | Q(term=term, region_code=region, pk__gt=pk)
        ).filter(term__gte=term)
    return base.order_by("term", "region_code", "pk")[:count]


def _more(base: QuerySet[SearchTerm], mark: tuple[bytes, str, int] | None) -> bool:
    """Whether rows that were passed over as doubles left room on the page though more stand behind them."""
    return mark is not None and _from(base, mark, 1).exists()


def _told_before(term: SearchTerm, part: Part, earlier: Sequence[Part], one_per_household: bool) -> bool:
    """Whether a better reading of the text has already shown this row (兰兰 begins with 兰 and contains it)."""
    if one_per_household or part.kind is not Kind.NAME_PART:
        return False
    begins = next((one.low[1:] for one in earlier if one.kind is Kind.NAME), None)
    return begins is not None and identity.normal_name(term.person.name).encode().startswith(begins)


def asks_for_a_person(text: str) -> bool:
    """Whether a text is read as an identity or telephone number, whole or its end."""
    return any(part.kind in _IDENTITY for part in understood(text))


def seal_mark(mark: list[Any]) -> str:
    """The place where a page ended, sealed: it may stand on a page and be sent back, and says nothing to others."""
    written = json.dumps(mark).encode()
    return base64.urlsafe_b64encode(keyring().seal(written, purpose="list.mark")).decode().rstrip("=")


def read_mark(text: str) -> list[Any]:
    """What :func:`seal_mark` sealed, or :class:`CursorInvalid`."""
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return list(json.loads(keyring().open(sealed, purpose="list.mark")))
    except (DoudiError, ValueError, TypeError):
        raise CursorInvalid(
            "翻页标记不对或已过期，请重新查找。", "The mark of the next page is not valid; search again."
        ) from None


def _cursor(place: int, mark: tuple[bytes, str, int] | None) -> str:
    return seal_mark([place, None if mark is None else [mark[0].hex(), mark[1], mark[2]]])


def _read_cursor(text: str, parts: int) -> tuple[int, tuple[bytes, str, int] | None]:
    if not text:
        return 0, None
    try:
        place, mark = read_mark(text)
        return min(int(place), parts), None if mark is None else (bytes.fromhex(mark[0]), mark[1], mark[2])
    except (ValueError, TypeError):
        raise CursorInvalid(
            "翻页标记属于另一次查找，请重新查找。", "The mark belongs to another search; search again."
        ) from None
