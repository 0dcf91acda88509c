"""Food safety, volunteers and siting: what the demonstration shows on its first day."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from dateutil.relativedelta import relativedelta
from django.conf import settings
from django.utils import timezone

from doudi import chain
from doudi.contexts.accounts.services import Role, User
from doudi.contexts.meals import planning, safety, volunteering
from doudi.contexts.meals import services as meals
from doudi.contexts.registry import services as registry
from doudi.engine import identity
from doudi.engine.siting import CoordinateSystem
from doudi.engine.siting.guizhou import guizhou, inside_county

COUNTY = "522730"
_PICTURE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xda\x00\x02demonstration\xff\xd9"


def seed(people: dict[Role, User], township: str) -> None:
    """Add the room's work in hand; called once, with one account per role and the busiest township's code."""
    place = _place(people, township)
    _kitchen(place, people)
    _volunteers(place, people)
    if (settings.PROJECT / "data" / "guizhou").is_dir():
        _plans(people)


def _place(people: dict[Role, User], township: str) -> meals.Site:
    """The canteen of the demonstration, entered here where it is not there yet."""
    code = people[Role.CANTEEN].organisation
    lon, lat = inside_county(COUNTY, 1, seed=1)[0]
    return meals.open_site(
        code=code,
        name="冠山社区老年食堂（虚构）",
        kind="canteen",
        region_code=township,
        opened_on=date(2024, 3, 1),
        licence_no="JY25227300000001",
        licence_until=timezone.localdate() + timedelta(days=45),
        longitude=lon,
        latitude=lat,
        seats=60,
        by=people[Role.COUNTY],
    )


def _kitchen(place: meals.Site, people: dict[Role, User]) -> None:
    canteen, county, rules = people[Role.CANTEEN], people[Role.COUNTY], chain.food_safety()
    now, today = timezone.now(), timezone.localdate()
    for row, (name, job, months) in enumerate(
        (("田师傅", "厨师长", 3), ("沈师傅", "面点", 13), ("韩阿姨", "打餐", 11))
    ):
        worker = safety.enter_worker(place, name=name, job=job, joined_on=date(2024, 3, 1), by=canteen)
        safety.keep_certificate(
            worker, number=f"52-2024-{row + 1:04d}", issued_on=today - relativedelta(months=months), rules=rules,
            by=canteen,
        )  # fmt: skip
        safety.check_morning(worker, on=today, tenths=364 + row, symptoms=[], rules=rules, by=canteen)
    seller = safety.enter_supplier(
        place, name="惠民粮油店（虚构）", licence_no="JY152273000", licence_until=today + timedelta(days=400),
        contact="0854-0000000", by=canteen,
    )  # fmt: skip
    dishes = list(safety.dishes_of(place)[:2]) or [
        meals.keep_dish(place, name=name, ingredients=[what], by=canteen, rules=chain.meal_network())
        for name, what in (("麻婆豆腐", "豆腐"), ("清炒时蔬", "青菜"))
    ]
    stock = (("豆腐", "公斤", 2), ("菜籽油", "桶", 180), ("酱油", "瓶", 120))
    for row, (product, unit, days) in enumerate(stock):
        batch = safety.enter_batch(
            place, token=f"demo-batch-{row}".ljust(32, "0"), supplier=seller, product=product, quantity=Decimal(20), unit=unit,
            batch_no=f"{today:%Y%m%d}{'ABC'[row]}", received_on=today, shelf_life_until=today + timedelta(days=days),
            rules=rules, by=canteen,
        )  # fmt: skip
        safety.use_batch(batch, dish=dishes[row % len(dishes)], day=today, meal="lunch", by=canteen)
    safety.take_reading(
        place,
        point="core",
        what=dishes[0].name,
        tenths=782,
        at=now - timedelta(hours=2),
        rules=rules,
        by=canteen,
    )
    safety.take_reading(
        place, point="cold", what="一号冷藏柜", tenths=96, at=now - timedelta(hours=1), action="调低温度，半小时后复测",
        rules=rules, by=canteen,
    )  # fmt: skip
    for row, dish in enumerate(dishes):
        taken = now - timedelta(hours=50 if row else 1)
        safety.keep_sample(
            place, dish=dish, day=timezone.localdate(taken), meal="lunch", grams=130, taken_at=taken, taken_by="田师傅",
            rules=rules, by=canteen,
        )  # fmt: skip
    safety.make_tour(
        place, token="demo-daily".ljust(32, "0"), kind="daily", on=today, inspector="田师傅", faults={}, rules=rules,
        by=canteen,
    )  # fmt: skip
    checked = safety.make_tour(
        place, token="demo-supervision".ljust(32, "0"), kind="supervision", on=today - timedelta(days=9),
        inspector="市场监管所 何某", faults={"S3": "留样标签缺留样人", "S4": "洗碗间地面积水"}, photos=[_PICTURE],
        rules=rules, by=county,
    )  # fmt: skip
    safety.mend(
        checked.mendings.get(item="S3").pk, how="标签已补齐并培训打餐员", photos=[_PICTURE], by=canteen
    )
    for stars, code in zip((5, 5, 4), safety.issue_rating_codes(place, count=3, by=county), strict=True):
        safety.rate_by_code(code, stars=stars, rules=rules, scale=chain.volunteer_rules())
    safety.complain(
        place, token="demo-complaint".ljust(32, "0"), text="昨天中午的汤是凉的，请改进保温。", rules=rules
    )


def _id(place: int) -> str:
    first = f"522730195803040{place:02d}"
    return first + identity.check_digit(first)


def _volunteers(place: meals.Site, people: dict[Role, User]) -> None:
    canteen, rules = people[Role.CANTEEN], chain.volunteer_rules()
    now, today = timezone.now().replace(second=0, microsecond=0), timezone.localdate()
    mine = volunteering.register_volunteer(
        place, name="蒋志愿", id_number=_id(11), username=people[Role.VOLUNTEER].username, by=canteen
    )
    other = volunteering.register_volunteer(place, name="邓阿姨", id_number=_id(22), by=canteen)
    volunteering.keep_record(
        mine, kind="training", title="食品安全与文明服务", on=today, minutes=90, by=canteen
    )
    volunteering.insure(
        mine, policy_no="PICC-DEMO-1", insurer="人保（虚构）", from_on=today, until_on=today + timedelta(days=365),
        by=canteen,
    )  # fmt: skip
    for row, person in enumerate((mine, other)):
        shift = volunteering.make_shift(
            place, token=f"demo-shift-{row}".ljust(32, "0"), post="serve", starts_at=now - timedelta(hours=3),
            ends_at=now + timedelta(minutes=5), places=3, receiver_name="就餐老人代表 罗某", rules=rules, by=canteen,
        )  # fmt: skip
        service = volunteering.sign_up(shift.number, person, rules=rules, by=canteen)
        volunteering.sign_in(service.pk, by=canteen, at=shift.starts_at)
        volunteering.sign_out(service.pk, by=canteen, at=now)
        if person is mine:
            volunteering.confirm_by_site(service.pk, rules=rules, by=canteen)
            volunteering.confirm_by_call(service.pk, rules=rules, by=people[Role.COUNTY])
    volunteering.redeem(
        mine,
        offer="lunch",
        site=place,
        token="demo-lunch".ljust(32, "0"),
        rules=rules,
        by=people[Role.VOLUNTEER],
    )
    tomorrow = now + timedelta(days=1)
    volunteering.make_shift(
        place, token="demo-tomorrow".ljust(32, "0"), post="deliver", starts_at=tomorrow,
        ends_at=tomorrow + timedelta(hours=2), places=2, receiver_name="送餐上门的老人代表 石某", rules=rules, by=canteen,
    )  # fmt: skip
    volunteering.form_group(place, name="三栋邻里互助组", leader=mine, formed_on=today, by=canteen)


def _plans(people: dict[Role, User]) -> None:
    """The sample county's plan over synthetic village points, and the province's over its shipped lists."""
    county, rules = people[Role.COUNTY], chain.siting_rules()
    specs = chain.rules()[0].feeds
    found = registry.elders_by_place(
        specs, old_age=rules.old_age, very_old_age=rules.very_old_age, on=timezone.localdate(), by=county
    )
    # a register that says only the county places nobody; the plan's note counts those elders
    codes = [p.region_code for p in found if p.region_code.startswith(COUNTY) and len(p.region_code) > 6]
    if codes:
        with TemporaryDirectory() as folder:
            path = Path(folder) / "points.csv"
            rows = [
                f"{code},{lon:.5f},{lat:.5f}"
                for code, (lon, lat) in zip(codes, inside_county(COUNTY, len(codes)), strict=True)
            ]
            path.write_text("id,lon,lat\n" + "\n".join(rows) + "\n", encoding="utf-8")
            planning.keep_points(path, CoordinateSystem.WGS84, source="合成", synthetic=True, by=county)
        points, notes = planning.elders(specs, rules=rules, on=timezone.localdate(), by=county)
        at = {point.id.removesuffix("-f"): point for point in points}
        places = [
            planning.Place(
                code, point.lon, point.lat, registry.region_name(code), group=point.group, synthetic=True
            )
            for code, point in at.items()
        ]
        question = planning.Question(
            sites=3,
            radius=float(rules.walking_metres),
            detour=rules.detour_hilly,
            delivery_radius=float(rules.rural_metres),
            points=tuple(points),
            places=(*places, *planning.existing_places(by=county)),
            notes=tuple(notes),
        )
        planning.make_plan(
            question,
            token="demo-county".ljust(32, "0"),
            name="样本县助餐点测算",
            region_code=COUNTY,
            by=county,
        )
    planning.make_plan(
        planning.province_question(guizhou(), sites_at_most=300, radius=5000),
        token="demo-province".ljust(32, "0"), name="贵州省示范选址", region_code="52", by=county,
    )  # fmt: skip
