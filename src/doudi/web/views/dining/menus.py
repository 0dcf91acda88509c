"""A kitchen's week: dishes, menus with nutrition, and copying last week."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.web.guard import asker
from doudi.web.views.dining.stepping import (
    chosen_day,
    chosen_site,
    fen_typed,
    the_day,
    whole_typed,
    words_typed,
)


def week(request: HttpRequest) -> HttpResponse:
    """The menus of a week; a kitchen's own account publishes them, enters dishes, copies last week."""
    user = asker(request)
    problem = None
    if request.method == "POST":
        try:
            messages.success(request, _acted(request, user))
        except DoudiError as refused:
            if refused.code == "not_allowed" or refused.code.endswith("_not_found"):
                raise
            problem = refused
    listed, place = chosen_site(request, user)
    rules = chain.meal_network()
    today = timezone.localdate()
    day = chosen_day(request, today)
    monday = day - timedelta(days=day.weekday())
    found = meals.menus(by=user, first=monday, last=monday + timedelta(days=6))
    shown = {
        "problem": problem,
        "typed": request.POST if problem else {},
        "sites": [one for one in listed if one.supplied_by_id is None],
        "site": place,
        "menus": [(menu, meals.nutrition(menu, rules)) for menu in found],
        "monday": monday,
        "before": monday - timedelta(days=7),
        "after": monday + timedelta(days=7),
        "dishes": meals.dishes(place) if place is not None else [],
        "keep": may(user, Act.KEEP_MENU),
        "meal_kinds": meals.Meal.choices,
        "textures": [choice for choice in meals.Diner.Texture.choices if choice[0] in meals.TEXTURES],
        "rules": rules,
        "groups": [(group, unit) for group, (unit, _low, _high) in rules.amounts.items()],
        "today": today,
        "picked": [int(key) for key in request.POST.getlist("dishes") if key.isdigit()] if problem else [],
    }
    return render(request, "dining/menus.html", shown, status=422 if problem else 200)


def _acted(request: HttpRequest, user: User) -> str:
    typed = request.POST
    place = meals.site(typed.get("site", ""), by=user)
    do = typed.get("do", "")
    if do == "dish":
        meals.keep_dish(
            place,
            name=typed.get("name", ""),
            ingredients=words_typed(typed.get("ingredients", "")),
            allergens=typed.getlist("allergens"),
            flags=typed.getlist("flags"),
            textures=typed.getlist("textures"),
            amounts=_amounts(typed),
            by=user,
            rules=chain.meal_network(),
        )
        return _("菜品已保存。")
    if do == "copy":
        made = meals.copy_week(place, week_of=the_day(typed.get("week", "")), by=user)
        return _("已照上周公布 %d 份菜单。") % made
    meals.publish_menu(
        place,
        day=the_day(typed.get("day", "")),
        meal=typed.get("meal", ""),
        price_fen=fen_typed(typed.get("price", "")),
        dish_keys=[whole_typed(key) for key in typed.getlist("dishes")],
        by=user,
    )
    return _("菜单已公布。")


def _amounts(typed: Any) -> dict[str, float]:
    given = {}
    for group in chain.meal_network().amounts:
        text = typed.get(f"amount_{group}", "").strip()
        if text:
            try:
                given[group] = float(text)
            except ValueError:
                raise meals.StepRefused(
                    f"“{group}”的用量要填数字。", f"The amount of {group} is a number."
                ) from None
    return given
