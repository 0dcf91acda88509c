"""Orders of a day, the telephone's one page, the kitchen's count and labels."""

from __future__ import annotations

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, may
from doudi.contexts.meals import services as meals
from doudi.engine.errors import DoudiError
from doudi.house.documents import Paper, heading, table, to_pdf
from doudi.web.guard import asker
from doudi.web.views.dining.stepping import chosen_day, chosen_meal, chosen_site, the_day

_HITS = 8


@require_safe
def order_list(request: HttpRequest) -> HttpResponse:
    """The orders of a day and meal."""
    user = asker(request)
    today = timezone.localdate()
    day, meal = chosen_day(request, today), chosen_meal(request)
    listed, place = chosen_site(request, user)
    shown = {
        "sites": listed,
        "site": place,
        "orders": meals.orders(by=user, day=day, meal=meal, place=place) if place is not None else [],
        "day": day,
        "meal": meal,
        "meal_kinds": meals.Meal.choices,
        "take": may(user, Act.TAKE_ORDER),
        "today": today,
    }
    return render(request, "dining/orders.html", shown)


def from_patterns(request: HttpRequest) -> HttpResponse:
    """Turn the weekly patterns into the orders of a day."""
    user = asker(request)
    if request.method != "POST":
        return redirect("meal_orders")
    place = meals.site(request.POST.get("site", ""), by=user)
    day = the_day(request.POST.get("day", ""))
    made = meals.orders_from_patterns(place, day=day, rules=chain.meal_network(), by=user)
    messages.success(request, _("按周订餐生成 %d 份。") % made.made)
    for person, problem in made.refused:
        messages.warning(request, f"{person.name}：{problem.zh}")
    return redirect(f"{reverse('meal_orders')}?site={place.code}&day={day:%Y-%m-%d}")


def phone_order(request: HttpRequest) -> HttpResponse:
    """An order by telephone: type, Enter, Enter; the person, the day and the meal are filled in (≤ 20 seconds)."""
    user = asker(request)
    today = timezone.localdate()
    text = request.GET.get("text", "") or request.POST.get("text", "")
    problem = None
    if request.method == "POST" and request.POST.get("diner"):
        try:
            made = chain.place_order(
                request.POST["diner"],
                site_code=request.POST.get("site", ""),
                day=the_day(request.POST.get("day", "")),
                meal=request.POST.get("meal", ""),
                channel=request.POST.get("channel", "phone"),
                delivery=bool(request.POST.get("delivery")),
                placed_for=request.POST.get("placed_for", ""),
                by=user,
            )
        except DoudiError as refused:
            if refused.code == "not_allowed":
                raise
            problem = refused
        else:
            said = _("%(name)s 的%(meal)s已订，编号 %(number)s。") % {
                "name": made.diner.name,
                "meal": _(str(made.get_meal_display())),
                "number": made.number,
            }
            messages.success(request, said)
            for clash in made.clash:
                messages.warning(request, clash)
            return redirect("phone_order")
    found = list(meals.diners(by=user, text=text, status="active")[:_HITS]) if text.strip() else []
    late = timezone.localtime().hour >= 10
    shown = {
        "text": text,
        "found": found,
        "problem": problem,
        "typed": request.POST if problem else {},
        "meal_kinds": meals.Meal.choices,
        "meal": chosen_meal(request),
        "day": today + timedelta(days=1) if late else today,
        "today": today,
        "last": today + timedelta(days=chain.meal_network().order_days),
    }
    return render(request, "dining/phone_order.html", shown, status=422 if problem else 200)


def cancel(request: HttpRequest, number: str) -> HttpResponse:
    """Cancel an order that was not served."""
    found = meals.order(number, by=asker(request))
    if request.method == "POST":
        try:
            meals.cancel_order(number, by=asker(request))
            messages.success(request, _("已取消 %s。") % found.diner.name)
        except meals.StepRefused as problem:
            messages.error(request, problem.zh)
    there = f"{reverse('meal_orders')}?site={found.site.code}&day={found.day:%Y-%m-%d}&meal={found.meal}"
    return redirect(there)


@require_safe
def kitchen_count(request: HttpRequest, code: str) -> HttpResponse:
    """The kitchen's count sheet of a meal; the look is in the audit log."""
    user = asker(request)
    found = meals.site(code, by=user)
    day, meal = chosen_day(request, timezone.localdate()), chosen_meal(request)
    count = meals.kitchen_count(found, day=day, meal=meal, rules=chain.meal_network(), by=user)
    shown = {
        "site": found,
        "count": count,
        "meal_label": meals.Meal(meal).label,
        "meal_kinds": meals.Meal.choices,
    }
    return render(request, "dining/count.html", shown)


@require_safe
def labels(request: HttpRequest, code: str) -> HttpResponse:
    """Labels for the boxes of a meal as PDF: name, code, texture, what to leave out."""
    user = asker(request)
    found = meals.site(code, by=user)
    day, meal = chosen_day(request, timezone.localdate()), chosen_meal(request)
    rules = chain.meal_network()
    count = meals.kitchen_count(found, day=day, meal=meal, rules=rules, by=user)
    rows: list[tuple[str, ...]] = [
        (
            one.diner.name,
            one.site.name,
            str(one.diner.get_texture_display()),
            "、".join(
                [
                    *(rules.diets[c].label for c in one.diner.diets if c in rules.diets),
                    *(["清真"] if one.diner.halal else []),
                ]
            ),
            "、".join(one.diner.allergies),
            "送餐" if one.delivery else "堂食",
        )
        for one in count.orders
    ]
    paper = Paper(
        f"{found.name} 餐盒标签",
        f"{day} {meals.Meal(meal).label} 共 {count.portions} 份",
        (heading("逐份标签"), table(("姓名", "助餐点", "质地", "膳食", "过敏", "方式"), rows)),
        (found.name, f"{timezone.localtime():%Y-%m-%d %H:%M}"),
    )
    answer = HttpResponse(to_pdf(paper), content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="labels-{found.code}-{day}-{meal}.pdf"'
    return answer
