"""The meal network at work: what the demonstration shows on its first day.

A canteen with a meal point, old people of the register, a week of menus, last month's and today's meals, a round on
the road and a settlement in hand. Coordinates lie round the county seat and are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.errors import DoudiError
from doudi.house.keyring import write_aside
from doudi.house.paths import home

_SEAT = (106.977, 26.453)
_DISHES: tuple[tuple[str, list[str], list[str], list[str], list[str], dict[str, float]], ...] = (
    (
        "番茄炒蛋",
        ["番茄", "鸡蛋"],
        ["蛋"],
        [],
        ["soft", "minced"],
        {"鱼肉蛋": 60, "蔬菜": 120, "油": 6, "盐": 0.8},
    ),
    (
        "红烧肉",
        ["猪肉", "白糖", "酱油"],
        ["大豆"],
        ["高糖", "荤"],
        ["soft"],
        {"鱼肉蛋": 80, "油": 8, "盐": 1.2},
    ),
    (
        "清蒸鲈鱼",
        ["鲈鱼", "姜"],
        ["鱼"],
        ["高嘌呤", "荤"],
        ["soft", "minced"],
        {"鱼肉蛋": 90, "油": 4, "盐": 0.8},
    ),
    ("蒜蓉菠菜", ["菠菜", "大蒜"], [], [], ["soft", "minced"], {"蔬菜": 150, "油": 4, "盐": 0.8}),
    ("酸辣土豆丝", ["土豆", "辣椒"], [], [], [], {"谷薯": 80, "蔬菜": 30, "油": 5, "盐": 1}),
    ("米饭", ["大米"], [], [], ["soft", "minced", "liquid"], {"谷薯": 100}),
)
_MOST = 14


def seed(people: dict[Role, User], township: str) -> None:
    """Add the room's work in hand; called once, with one account per role and the busiest township's code."""
    county, cook = people[Role.COUNTY], people[Role.CANTEEN]
    canteen, point = _places(county, cook.organisation, township)
    _menus(canteen, cook)
    diners = _diners(people[Role.TOWNSHIP], (canteen, point), township)
    if not diners:
        return
    today = timezone.localdate()
    last = today.replace(day=1) - timedelta(days=1)
    for back in range(4):
        _serve(diners, last - timedelta(days=back), cook, everybody=back == 0)
    meals.make_settlement(canteen, month=f"{last:%Y-%m}", rules=chain.meal_network(), by=county)
    _in_hospital(diners[-1], people[Role.TOWNSHIP])
    _today(diners, canteen, cook, people[Role.COURIER])
    _family(diners[0], cook, township)


def _places(county: User, organisation: str, township: str) -> tuple[meals.Site, meals.Site]:
    today = timezone.localdate()
    canteen = meals.open_site(
        code=organisation,
        name="龙山社区老年食堂（虚构）",
        kind="canteen",
        region_code=township,
        opened_on=date(2024, 3, 1),
        operator="褚氏餐饮服务部（虚构）",
        operator_account="褚氏餐饮服务部 虚构账号",
        address="虚构路1号",
        phone="10010001000",
        seats=60,
        area_m2=120,
        longitude=_SEAT[0],
        latitude=_SEAT[1],
        by=county,
    )
    point = meals.open_site(
        code=f"{organisation[:-1]}2",
        name="三组助餐点（虚构）",
        kind="point",
        region_code=township,
        opened_on=date(2024, 5, 1),
        organisation=organisation,
        operator="褚氏餐饮服务部（虚构）",
        seats=20,
        area_m2=30,
        longitude=_SEAT[0] + 0.02,
        latitude=_SEAT[1] + 0.01,
        supplied_by=canteen,
        by=county,
    )
    for place, days in ((canteen, 400), (point, 40)):
        meals.keep_paper(
            place,
            kind="licence",
            number=f"JY-虚构-{place.pk}",
            valid_until=today + timedelta(days=days),
            by=county,
        )
        meals.set_hours(
            place,
            meal="lunch",
            serves_from=time(11),
            serves_until=time(13),
            capacity=place.seats * 2,
            by=county,
        )
    return canteen, point


def _menus(canteen: meals.Site, cook: User) -> None:
    rules = chain.meal_network()
    kept = [
        meals.keep_dish(
            canteen,
            name=name,
            ingredients=parts,
            allergens=allergens,
            flags=flags,
            textures=textures,
            amounts=amounts,
            by=cook,
            rules=rules,
        )
        for name, parts, allergens, flags, textures, amounts in _DISHES
    ]
    rice = kept[-1]
    for ahead in range(6):
        first, second = kept[ahead % 3], kept[3 + ahead % 2]
        meals.publish_menu(
            canteen,
            day=timezone.localdate() + timedelta(days=ahead),
            meal="lunch",
            price_fen=1600,
            dish_keys=[first.pk, second.pk, rice.pk],
            by=cook,
        )


def _elders(clerk: User, township: str) -> Iterator[registry.Person]:
    today = timezone.localdate()
    for household in registry.households(by=clerk, region_code=township)[:120]:
        for member in registry.people_for(household, by=clerk, reason="演示：登记助餐"):
            born = identity.birth_date_of(member.person.id_number)
            if member.person.died_on is None and meals.age_on(born, today) >= 60:
                yield member.person


def _diners(clerk: User, places: tuple[meals.Site, meals.Site], township: str) -> list[meals.Diner]:
    told: tuple[dict[str, Any], ...] = (
        {"texture": "soft", "diets": ("low_salt",)},
        {"halal": True},
        {"allergies": ("花生",), "diets": ("low_sugar",)},
        {},
    )
    found: list[meals.Diner] = []
    for number, person in enumerate(_elders(clerk, township)):
        if len(found) == _MOST:
            break
        away = number % 2 == 0
        try:
            found.append(
                chain.enrol_diner(
                    meals.Enrolment(
                        name=person.name,
                        id_number=person.id_number,
                        region_code=township,
                        registered_region=township,
                        site_code=places[number % 3 == 2].code,
                        channel="village",
                        consent_on=timezone.localdate(),
                        consent_by="本人",
                        consent_how="本人签字",
                        phone=f"1001000{number:04d}",
                        address=f"虚构村{number + 1}号",
                        living="独居" if away else "与家人同住",
                        delivered=away,
                        longitude=_SEAT[0] + 0.004 * (number % 5 - 2),
                        latitude=_SEAT[1] + 0.003 * (number % 4 - 1),
                        carer_name="家属（虚构）",
                        carer_phone=f"1002000{number:04d}",
                        worker_name="吴网格（虚构）",
                        worker_phone="10030000001",
                        **told[number % len(told)],
                    ),
                    by=clerk,
                )
            )
        except DoudiError:
            continue
    return found


def _serve(diners: list[meals.Diner], day: date, cook: User, *, everybody: bool) -> None:
    """Lunch of a day of last month, as a till that was offline sent it in."""
    for place, person in enumerate(diners):
        if not everybody and place % 3 == day.day % 3:
            continue
        at = timezone.make_aware(datetime.combine(day, time(11, 20 + place % 30, 7)))
        token = uuid5(NAMESPACE_URL, f"doudi-demo/{person.number}/{day}")
        tap = meals.Tap(token, person.code, "lunch", at, list_fen=1600, offline=True)
        chain.serve_meal(person.site.code, tap, by=cook)


def _today(diners: list[meals.Diner], canteen: meals.Site, cook: User, courier: User) -> None:
    today = timezone.localdate()
    for person in diners:
        meals.keep_pattern(
            person, place=person.site, meal="lunch", weekdays=[1, 2, 3, 4, 5, 6, 7], since=today, by=cook
        )
    for place in {person.site.code: person.site for person in diners}.values():
        for ahead in (0, 1):
            meals.orders_from_patterns(
                place, day=today + timedelta(days=ahead), rules=chain.meal_network(), by=cook
            )
    meals.plan_delivery(canteen, day=today, meal="lunch", rules=chain.meal_network(), by=cook)
    waiting = meals.rounds(by=courier, day=today).first()
    if waiting is not None:
        meals.take_round(waiting.pk, by=courier)
    for person in [one for one in diners if not one.delivered][:3]:
        token = uuid5(NAMESPACE_URL, f"doudi-demo/{person.number}/{today}")
        tap = meals.Tap(token, person.code, "lunch", timezone.now())
        chain.serve_meal(person.site.code, tap, by=cook)


def _in_hospital(person: meals.Diner, clerk: User) -> None:
    """The reference pack has no file of the insurer's: the township enters the stay, and nothing is subsidised."""
    today = timezone.localdate()
    # not before this month: the last one's meals are served and settled
    since = max(today - timedelta(days=2), today.replace(day=1))
    meals.record_stop(person, kind="hospital", since=since, source="村医（虚构）", by=clerk)


def family_note() -> Path:
    """Where the demonstration keeps the code of its invented daughter; a code is told once, by whoever issued it."""
    return home().root / "demonstration-family"


def _family(mother: meals.Diner, cook: User, township: str) -> None:
    """A daughter with a code and her first order, and an old man who asked for meals himself and waits."""
    code = chain.issue_family_code(mother.number, who="女儿（虚构）", consent_how="本人签字", by=cook)
    tail = mother.id_number[-4:]
    note = f"家属码 code {code}　老人证件末四位 last four {tail}\n"
    write_aside(family_note(), note.encode())
    tomorrow = timezone.localdate() + timedelta(days=1)
    slots = chain.family_view(code, tail).slots
    later = [slot.key for slot in slots if slot.day > tomorrow][:2]
    chain.family_order(code, tail, shown=later, wanted=later)
    first = "52273019470203001"
    chain.enrol_by_oneself(
        meals.Enrolment(
            name="骆大爷",
            id_number=first + identity.check_digit(first),
            region_code=township,
            site_code=mother.site.code,
            channel="self",
            consent_on=timezone.localdate(),
            consent_by="本人",
            consent_how=meals.CONSENT_ONLINE,
            phone="10010009999",
            address="虚构村99号",
        )
    )
