"""Lists of households and of people (列表): conditions, columns, one page at a time.

In come conditions and the mark of a page; out come rows of the asker's area, numbers masked. A page reads no more than
itself: pages follow a key, never a count of what lies before, and a list is counted to a thousand and no further.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from doudi.contexts.accounts.services import Act, User, may, require
from doudi.contexts.registry import regions
from doudi.contexts.registry.finding import Kind, find, narrower, read_mark, seal_mark
from doudi.contexts.registry.models import (
    CategoryRecord,
    Disability,
    Household,
    Membership,
    Person,
)
from doudi.contexts.registry.people import but_own
from doudi.engine import identity
from doudi.engine.errors import DoudiError

COUNTED_TO = 1000
_COUNTY_DIGITS = 6
_SEVERE = 2
"""Grades 1 and 2 are severe (重度残疾, 困难残疾人生活补贴和重度残疾人护理补贴)."""
HOUSEHOLDS, PERSONS = "households", "persons"
SUBJECTS = {HOUSEHOLDS: "家庭", PERSONS: "人员"}


class ListInvalid(DoudiError):
    """A condition or a column that the list does not know."""

    code = "list_invalid"


@dataclass(frozen=True)
class Conditions:
    """What a list is narrowed to; empty is everybody of the area. Ages in whole years."""

    text: str = ""
    region: str = ""
    lives_in: str = ""
    """Where the household lives (住址地区), which need not be the area that answers for it (人户分离)."""
    category: str = ""
    urban_rural: str = ""
    sex: str = ""
    age_from: int | None = None
    age_to: int | None = None
    alone: bool = False
    disability: str = ""
    """One of :data:`DISABILITY`; for those who may see what departments say."""
    disability_kind: str = ""
    warned: bool = False
    since: date | None = None

    def to_json(self) -> dict[str, Any]:
        """The conditions that say something, for keeping."""
        return {
            key: value.isoformat() if isinstance(value, date) else value
            for key, value in asdict(self).items()
            if value not in ("", None, False)
        }

    @classmethod
    def read(cls, typed: Mapping[str, Any]) -> Conditions:
        """Conditions from a form, an address or what was kept; what makes no sense is refused, by name."""
        known = {field.name for field in fields(cls)}
        read: dict[str, Any] = {}
        for key, value in typed.items():
            if key not in known or value in ("", None, False):
                continue
            try:
                read[key] = _READ[key](value) if key in _READ else str(value).strip()
            except ValueError:
                raise ListInvalid(
                    f"“{CONDITION_LABELS[key]}”填写的“{str(value)[:20]}”不对，请改正。",
                    f"{str(value)[:20]!r} is no {key.replace('_', ' ')}.",
                ) from None
        for area in ("region", "lives_in"):
            if not read.get(area, "").isdigit():
                read.pop(area, None)
        return cls(**read)


DISABILITY = {
    "any": "有残疾人证",
    "severe": "一、二级（重度）",
    "1": "一级",
    "2": "二级",
    "3": "三级",
    "4": "四级",
}
"""What a list may be narrowed to of the certificates in force (GB/T 26341: grade 1 is the heaviest)."""


def _disability_read(value: Any) -> str:
    if str(value) not in DISABILITY:
        raise ValueError
    return str(value)


def _age_read(value: Any) -> int:
    age = int(str(value))
    if not 0 <= age <= 150:
        raise ValueError
    return age


def _day_read(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


_READ: dict[str, Callable[[Any], Any]] = {
    "age_from": _age_read,
    "age_to": _age_read,
    "since": _day_read,
    "disability": _disability_read,
    "alone": lambda value: str(value) in ("1", "on", "True", "true"),
    "warned": lambda value: str(value) in ("1", "on", "True", "true"),
}

CONDITION_LABELS = {
    "text": "查找",
    "region": "地区",
    "lives_in": "住址地区",
    "category": "现有类别",
    "urban_rural": "城乡类型",
    "sex": "性别",
    "age_from": "年龄从",
    "age_to": "年龄到",
    "alone": "独居",
    "disability": "残疾",
    "disability_kind": "残疾类别",
    "warned": "有未办结预警",
    "since": "认定日期自",
}

COLUMNS = {
    HOUSEHOLDS: {
        "household_no": "户编号",
        "head_name": "户主",
        "persons": "人数",
        "category": "现有类别",
        "urban_rural": "城乡类型",
        "region": "住址地区",
        "responsible": "负责地区",
        "register_date": "花名册日期",
        "remark": "备注",
    },
    PERSONS: {
        "name": "姓名",
        "id_shown": "证件号（遮蔽）",
        "sex": "性别",
        "age": "年龄",
        "relation": "与户主关系",
        "household_no": "户编号",
        "category": "现有类别",
        "urban_rural": "城乡类型",
        "region": "住址地区",
        "responsible": "负责地区",
        "phone": "联系电话（遮蔽）",
        "disability": "残疾",
        "remark": "备注",
    },
}
FIRST_COLUMNS = {
    HOUSEHOLDS: ("household_no", "head_name", "persons", "category", "urban_rural", "region"),
    PERSONS: ("name", "id_shown", "sex", "age", "household_no", "category", "region"),
}


@dataclass(frozen=True)
class Row:
    """A household or a person of a list."""

    household: Household
    person: Person | None = None
    relation: str = ""


@dataclass(frozen=True)
class ListPage:
    """One page: rows, the mark of the next, how many there are (at most 1000 are counted), how a text was read."""

    rows: tuple[Row, ...]
    next: str
    count: int | None
    """None where a text was searched for; 1001 stands for more than a thousand."""
    kinds: tuple[Kind, ...] = ()


def chosen(subject: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that the list knows, in the order asked for; the usual ones where none is left."""
    known = tuple(column for column in columns if column in COLUMNS[subject])
    return known or FIRST_COLUMNS[subject]


def list_page(
    subject: str,
    asked: Conditions,
    *,
    by: User,
    warned: QuerySet[Any] | None = None,
    after: str = "",
    limit: int = 25,
    counted: bool = True,
) -> ListPage:
    """One page of a list within the asker's area.

    ``warned`` are the numbers of the households with an open warning, as the caller's context gives them; asked for
    and not given, the list is refused rather than shown without the condition.
    """
    require(by, Act.VIEW_HOUSEHOLDS)
    if asked.disability or asked.disability_kind:
        require(by, Act.VIEW_FINANCES)
    if asked.warned and warned is None:
        raise ListInvalid("无法按预警筛选。", "Open warnings are not known here.")
    if asked.text:
        narrowed = _narrowed(asked, warned, to_household="household__", to_person="person__")
        found = find(
            asked.text,
            by=by,
            region_code=asked.region,
            narrowed=narrowed,
            after=after,
            limit=limit,
            one_per_household=subject == HOUSEHOLDS,
        )
        rows = tuple(Row(hit.household, hit.person if subject == PERSONS else None) for hit in found.hits)
        return ListPage(_with_relations(rows), found.next, None, found.kinds)
    area = narrower(by.region_code, asked.region)
    if area is None:
        return ListPage((), "", 0)
    reading = _households(asked, area, warned) if subject == HOUSEHOLDS else _people(asked, area, warned)
    reading = replace(reading, found=but_own(reading.found, by=by, household=f"{reading.prefix}household_no"))
    count = reading.found.order_by()[: COUNTED_TO + 1].count() if counted and not after else None
    if after:
        reading = reading.from_mark(read_mark(after))
    taken = list(reading.found[: limit + 1])
    rows = tuple(map(reading.row, taken[:limit]))
    return ListPage(rows, seal_mark(reading.mark(taken[limit - 1])) if len(taken) > limit else "", count)


@dataclass(frozen=True)
class _Reading:
    """A list in the order of an index: area, household number, and for people the membership."""

    found: QuerySet[Any]
    prefix: str
    row: Callable[[Any], Row]
    mark: Callable[[Any], list[Any]]

    def from_mark(self, mark: list[Any]) -> _Reading:
        area, number, pk = f"{self.prefix}responsible_region", f"{self.prefix}household_no", mark[2]
        later = Q(**{f"{area}__gt": mark[0]}) | Q(**{area: mark[0], f"{number}__gt": mark[1]})
        if pk is not None:
            later |= Q(**{area: mark[0], number: mark[1], "pk__gt": pk})
        found = self.found.filter(**{f"{area}__gte": mark[0]}).filter(later)
        return _Reading(found, self.prefix, self.row, self.mark)


def _households(asked: Conditions, area: str, warned: QuerySet[Any] | None) -> _Reading:
    found = Household.objects.current().filter(responsible_region__startswith=area)
    return _Reading(
        found.filter(_narrowed(asked, warned, to_household="", to_person=None)).order_by(
            "responsible_region", "household_no"
        ),
        "",
        Row,
        lambda row: [row.responsible_region, row.household_no, None],
    )


def _people(asked: Conditions, area: str, warned: QuerySet[Any] | None) -> _Reading:
    found = Membership.objects.filter(
        valid_to=None,
        retracted_at=None,
        household__listed=True,
        household__responsible_region__startswith=area,
    )
    return _Reading(
        found.filter(_narrowed(asked, warned, to_household="household__", to_person="person__"))
        .select_related("household", "person")
        .order_by("household__responsible_region", "household__household_no", "pk"),
        "household__",
        lambda row: Row(row.household, row.person, row.relation),
        lambda row: [row.household.responsible_region, row.household.household_no, row.pk],
    )


def _narrowed(
    asked: Conditions, warned: QuerySet[Any] | None, *, to_household: str, to_person: str | None
) -> Q:
    """The conditions on the road from the list's rows to the household, and to the person where a row is one."""
    wanted = Q()
    if asked.category:
        wanted &= Q(**{f"{to_household}category": "" if asked.category == "none" else asked.category})
    if asked.lives_in:
        wanted &= Q(**{f"{to_household}region_code__startswith": asked.lives_in})
    if asked.urban_rural:
        wanted &= Q(**{f"{to_household}urban_rural": asked.urban_rural})
    if asked.alone:
        wanted &= Q(**{f"{to_household}persons": 1})
    if asked.warned and warned is not None:
        wanted &= Q(**{f"{to_household}household_no__in": warned})
    household = OuterRef(f"{to_household}pk")
    if asked.since is not None:
        wanted &= Q(
            Exists(
                CategoryRecord.objects.filter(
                    household=household, valid_to=None, retracted_at=None, since__gte=asked.since
                )
            )
        )
    if to_person is not None:
        return wanted & _of_person(asked, to_person)
    of_member = _of_person(asked, "person__")
    if of_member:
        members = Membership.objects.filter(of_member, household=household, valid_to=None, retracted_at=None)
        wanted &= Q(Exists(members))
    return wanted


def _of_person(asked: Conditions, to_person: str) -> Q:
    wanted = Q()
    today = date.today()  # noqa: DTZ011 — the office's own calendar day
    if asked.sex:
        wanted &= Q(**{f"{to_person}sex": asked.sex})
    if asked.age_from is not None:
        wanted &= Q(**{f"{to_person}born_on__lte": _years_before(today, asked.age_from)})
    if asked.age_to is not None:
        wanted &= Q(**{f"{to_person}born_on__gt": _years_before(today, asked.age_to + 1)})
    if asked.disability or asked.disability_kind:
        held = Disability.objects.filter(person=OuterRef(f"{to_person}pk"))
        if asked.disability_kind:
            held = held.filter(kind=asked.disability_kind)
        if asked.disability == "severe":
            held = held.filter(grade__lte=_SEVERE)
        elif asked.disability.isdecimal():
            held = held.filter(grade=int(asked.disability))
        wanted &= Q(Exists(held))
    return wanted


def _years_before(today: date, years: int) -> date:
    try:
        return today.replace(year=max(1, today.year - years))
    except ValueError:
        return today.replace(year=today.year - years, day=28)


def _with_relations(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    """People found by a text, with their place in the household."""
    people = [row.person.pk for row in rows if row.person is not None]
    if not people:
        return rows
    standing = Membership.objects.filter(person_id__in=people, valid_to=None, retracted_at=None)
    relations = dict(
        standing.annotate(key=F("household_id")).values_list("person_id", "relation").order_by("pk")
    )
    return tuple(
        Row(row.household, row.person, relations.get(row.person.pk, "") if row.person else "") for row in rows
    )


def told(row: Row, columns: Sequence[str], *, by: User) -> dict[str, Any]:
    """A row as its columns say it, numbers masked, and the name too for those who need not know it."""
    named = (lambda name: name) if may(by, Act.REVEAL_IDENTITY) else identity.mask_name
    person, household = row.person, row.household
    say: dict[str, Callable[[], Any]] = {
        "household_no": lambda: household.household_no,
        "head_name": lambda: named(household.head_name),
        "persons": lambda: household.persons,
        "category": lambda: household.category,
        "urban_rural": lambda: household.urban_rural,
        "region": lambda: regions.region_path(household.region_code),
        "responsible": lambda: regions.region_path(household.responsible_region),
        "register_date": lambda: household.register_date,
        "remark": lambda: household.remark,
    }
    if person is not None:
        say |= {
            "name": lambda: named(person.name),
            "id_shown": lambda: identity.mask_id(person.id_number),
            "sex": lambda: person.sex,
            "age": lambda: age_on(person.born_on, date.today()),  # noqa: DTZ011 — the office's own calendar day
            "relation": lambda: row.relation,
            "phone": lambda: masked_phone(person.phone),
            "disability": lambda: _disabilities(person) if may(by, Act.VIEW_FINANCES) else "",
        }
    return {column: say[column]() for column in columns}


def _disabilities(person: Person) -> str:
    return "、".join(f"{one.kind}{one.grade}级" for one in person.disabilities.all())


def age_on(born: date | None, on: date) -> int | None:
    """Whole years of age on a day, None where the birth date is not known."""
    if born is None:
        return None
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def masked_phone(phone: str) -> str:
    """A telephone number as screens show it: the first three and the last four digits."""
    return f"{phone[:3]}****{phone[-4:]}" if len(phone) >= 7 else phone


def in_words(asked: Conditions) -> str:
    """The conditions as an approver and an auditor read them; a text that was searched for is named, not said."""
    said = []
    for key, value in asked.to_json().items():
        shown = "（有）" if key == "text" else value
        if key == "disability":
            shown = DISABILITY[value]
        if key in ("region", "lives_in"):
            shown = regions.region_path(value)
        said.append(
            CONDITION_LABELS[key] + ("" if value is True else f"：{'无' if value == 'none' else shown}")
        )
    return "；".join(said) or "全部"


def subtree(region: str, *, by: User, root: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The way from the account's area down to ``region``, and the divisions below it (code, name).

    An office of several counties begins with all of them, under the code ''.
    """
    top = by.region_code or root
    at = region if region.startswith(top) else top
    least = len(top) or _COUNTY_DIGITS
    way = [(code, regions.region_name(code)) for code in regions.path_of(at) if len(code) >= least]
    if not top:
        way.insert(0, ("", "全部辖区"))
    return way, regions.children(at) if at else regions.counties_taken_in()
