"""Menus a week ahead: dishes with what is in them, what they give, and whom they do not suit (菜单)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, User, record, require, take_turn
from doudi.contexts.meals.diner_models import Diner
from doudi.contexts.meals.order_models import Dish, Menu
from doudi.contexts.meals.site_models import Meal, Site
from doudi.contexts.meals.sites import StepRefused, reach, require_at
from doudi.engine.meals import Clash, Shortfall, clashes, nutrition_of
from doudi.engine.packs.meals import NetworkRules

TEXTURES = ("soft", "minced", "liquid")


def dishes(kitchen: Site) -> QuerySet[Dish]:
    """The dishes a kitchen makes."""
    return Dish.objects.filter(kitchen=kitchen, retired_on=None)


@transaction.atomic
def keep_dish(
    kitchen: Site,
    *,
    name: str,
    ingredients: Sequence[str],
    by: User,
    rules: NetworkRules,
    allergens: Sequence[str] = (),
    flags: Sequence[str] = (),
    textures: Sequence[str] = (),
    amounts: Mapping[str, float] | None = None,
    energy_kcal: int | None = None,
) -> Dish:
    """Enter a dish or describe it anew: ingredients, allergens, flags, textures, amounts per portion by food group."""
    require_at(by, Act.KEEP_MENU, kitchen)
    take_turn()
    parts = [part.strip() for part in ingredients if part.strip()]
    if not name.strip() or not parts:
        raise StepRefused("请填写菜名和配料（忌口靠配料判断）。", "Give the name and the ingredients.")
    if (
        set(allergens) - set(rules.allergens)
        or set(flags) - set(rules.flags)
        or set(textures) - set(TEXTURES)
    ):
        raise StepRefused(
            "过敏原、特点、质地请从列表选择。", "Choose allergens, flags and textures from the list."
        )
    given = dict(amounts or {})
    if set(given) - set(rules.amounts) or any(value < 0 for value in given.values()):
        raise StepRefused(
            "用量只能按列表里的食物类别填写，不能是负数。", "Amounts go by the listed food groups."
        )
    kept, _new = Dish.objects.update_or_create(
        kitchen=kitchen,
        name=name.strip(),
        defaults={
            "ingredients": parts,
            "allergens": list(allergens),
            "flags": list(flags),
            "textures": list(textures),
            "amounts": given,
            "energy_kcal": energy_kcal,
            "retired_on": None,
        },
    )
    record(by=by, act="keep_dish", subject=f"site:{kitchen.code}", region_code=kitchen.region_code)
    return kept


@transaction.atomic
def publish_menu(
    kitchen: Site, *, day: date, meal: str, price_fen: int, dish_keys: Sequence[int], by: User
) -> Menu:
    """Publish the set meal of a day; once somebody was served from it, it stands."""
    require_at(by, Act.KEEP_MENU, kitchen)
    take_turn()
    today = timezone.localdate()
    chosen = list(dishes(kitchen).filter(pk__in=dish_keys))
    if meal not in Meal.values or day < today:
        raise StepRefused("请选择餐次，日期不能早于今天。", "Choose the meal; the day cannot be past.")
    if not chosen or len(chosen) != len(set(dish_keys)) or not 0 < price_fen <= 100_000:
        raise StepRefused(
            "请至少选一道菜，并填写标价（元）。", "Choose at least one dish and give the list price."
        )
    kept = Menu.objects.filter(kitchen=kitchen, day=day, meal=meal).first()
    if kept is not None and kitchen.cooked.filter(day=day, meal=meal, state="valid").exists():
        raise StepRefused(
            "这一餐已有人就餐，菜单不能再改。", "Somebody was served from this menu; it stands."
        )
    if kept is None:
        kept = Menu(kitchen=kitchen, day=day, meal=meal)
    kept.price_fen = price_fen
    kept.published_at, kept.published_by = timezone.now(), by.username
    kept.save()
    kept.dishes.set(chosen)
    record(
        by=by,
        act=Act.KEEP_MENU,
        subject=f"site:{kitchen.code}",
        region_code=kitchen.region_code,
        detail={"day": day, "meal": meal, "dishes": len(chosen)},
    )
    return kept


@transaction.atomic
def copy_week(kitchen: Site, *, week_of: date, by: User) -> int:
    """Publish last week's menus again for the week of a day, where there is none yet; gives how many."""
    require_at(by, Act.KEEP_MENU, kitchen)
    monday = week_of - timedelta(days=week_of.weekday())
    made = 0
    for menu in Menu.objects.filter(
        kitchen=kitchen, day__range=(monday - timedelta(days=7), monday - timedelta(days=1))
    ).prefetch_related("dishes"):
        day = menu.day + timedelta(days=7)
        keys = [dish.pk for dish in menu.dishes.all() if dish.retired_on is None]
        if (
            day < timezone.localdate()
            or not keys
            or Menu.objects.filter(kitchen=kitchen, day=day, meal=menu.meal).exists()
        ):
            continue
        publish_menu(kitchen, day=day, meal=menu.meal, price_fen=menu.price_fen, dish_keys=keys, by=by)
        made += 1
    return made


def menu_of(place: Site, day: date, meal: str) -> Menu | None:
    """The menu of a place's kitchen for a meal of a day."""
    return Menu.objects.filter(kitchen=place.kitchen, day=day, meal=meal).prefetch_related("dishes").first()


def menus(*, by: User, first: date, last: date) -> QuerySet[Menu]:
    """Menus of the kitchens an account may see, with those that supply its places."""
    scope = require(by, Act.VIEW_SITES)
    seen = Site.objects.filter(reach(scope, by))
    return (
        Menu.objects.filter(
            Q(kitchen__in=seen) | Q(kitchen__in=seen.values("supplied_by")), day__range=(first, last)
        )
        .select_related("kitchen")
        .prefetch_related("dishes")
        .order_by("day", "meal", "kitchen__name")
    )


def nutrition(menu: Menu, rules: NetworkRules) -> list[Shortfall]:
    """What a menu gives in each food group against its share of the day (WS/T 556)."""
    return nutrition_of([dish.amounts for dish in menu.dishes.all()], rules.amounts, rules.shares[menu.meal])


def clashes_of(person: Diner, menu: Menu | None, rules: NetworkRules) -> list[Clash]:
    """Every dish of a menu that a person may not eat, and why."""
    if menu is None:
        return []
    codes = [*person.diets, *(["halal"] if person.halal and "halal" not in person.diets else [])]
    avoided = {rules.diets[code].label: rules.diets[code].avoids for code in codes if code in rules.diets}
    return [
        clash
        for dish in menu.dishes.all()
        for clash in clashes(
            dish=dish.name,
            ingredients=dish.ingredients,
            allergens=dish.allergens,
            flags=dish.flags,
            textures=dish.textures,
            allergies=person.allergies,
            diets=avoided,
            texture=person.texture,
            texture_label=str(person.get_texture_display()),
        )
    ]
