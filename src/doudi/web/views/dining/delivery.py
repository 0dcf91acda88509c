"""Rounds: planned by the canteen with a sheet to print, driven by the courier on a telephone."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts.services import Act, User, may
from doudi.contexts.meals import services as meals
from doudi.engine import pictures
from doudi.engine.errors import DoudiError
from doudi.house.attachments import keep_attachment
from doudi.house.documents import Paper, heading, table, text, to_pdf
from doudi.web.guard import asker
from doudi.web.views.dining.stepping import (
    chosen_day,
    chosen_meal,
    chosen_site,
    run_step,
    signature_typed,
    the_day,
)


def day_plan(request: HttpRequest) -> HttpResponse:
    """The rounds of a day; the canteen plans them from the orders."""
    user = asker(request)
    problem = None
    if request.method == "POST":
        try:
            place = meals.site(request.POST.get("site", ""), by=user)
            meals.plan_delivery(
                place,
                day=the_day(request.POST.get("day", "")),
                meal=chosen_meal(request),
                rules=chain.meal_network(),
                by=user,
            )
            messages.success(request, _("送餐路线已排好。"))
            return redirect("deliveries")
        except DoudiError as refused:
            if refused.code == "not_allowed" or refused.code.endswith("_not_found"):
                raise
            problem = refused
    today = timezone.localdate()
    day = chosen_day(request, today)
    listed, place = chosen_site(request, user)
    shown = {
        "problem": problem,
        "sites": listed,
        "site": place,
        "day": day,
        "meal": chosen_meal(request),
        "meal_kinds": meals.Meal.choices,
        "plans": list(meals.deliveries(by=user, day=day)),
        "shut": list(meals.open_doors(by=user, day=day)),
        "plan": may(user, Act.PLAN_DELIVERY),
        "hot": chain.meal_network().delivery.hot_minutes,
    }
    return render(request, "dining/deliveries.html", shown, status=422 if problem else 200)


@require_safe
def sheet(request: HttpRequest, pk: int) -> HttpResponse:
    """The route sheet of a plan as PDF: doors in order, with time, name, address and what to mind."""
    found = meals.look_at_delivery(pk, by=asker(request))
    blocks: list[Any] = []
    for trip in found.rounds.all():
        blocks.append(
            heading(
                f"第 {trip.place} 趟　{trip.leaves_at:%H:%M} 出发　{trip.load} 份　车程 {trip.minutes:.0f} 分钟"
            )
        )
        rows: list[tuple[str, ...]] = [
            (
                str(stop.place),
                f"{stop.due_at:%H:%M}",
                stop.order.diner.name,
                stop.order.diner.address,
                str(stop.order.diner.get_texture_display()),
                stop.order.diner.remark,
                "",
            )
            for stop in trip.stops.all()
        ]
        blocks.append(table(("序", "预计", "姓名", "住址", "质地", "提示", "签收"), rows))
    if found.unserved:
        blocks.append(heading("热食送不到，请另行安排"))
        blocks += [text(f"{one['diner']}：{one['why']}") for one in found.unserved]
    paper = Paper(
        f"{found.site.name} 送餐单",
        f"{found.day} {meals.Meal(found.meal).label}",
        tuple(blocks),
        (found.site.name, f"{timezone.localtime():%Y-%m-%d %H:%M}"),
    )
    answer = HttpResponse(to_pdf(paper), content_type="application/pdf")
    answer["Content-Disposition"] = f'inline; filename="route-{found.site.code}-{found.day}.pdf"'
    return answer


@require_safe
def unreached(request: HttpRequest) -> HttpResponse:
    """Whom no hot meal reached in the last month, as the demand file of ``doudi meals plan`` (id, lon, lat, weight, group)."""
    today = timezone.localdate()
    rows = meals.unreached(by=asker(request), first=today - timedelta(days=30), last=today)
    out = io.StringIO()
    sheet = csv.writer(out)
    sheet.writerow(("id", "lon", "lat", "weight", "group"))
    sheet.writerows((one.number, one.longitude, one.latitude, one.times, one.township) for one in rows)
    answer = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="unreached-{today}.csv"'
    return answer


# ---- the courier's telephone -------------------------------------------------------------------------------------


@require_safe
def my_rounds(request: HttpRequest) -> HttpResponse:
    """Today's rounds that the courier took or may take."""
    return render(request, "dining/rounds.html", {"rounds": list(meals.rounds(by=asker(request)))})


def take(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a round on and leave."""
    if request.method == "POST":
        meals.take_round(pk, by=asker(request))
    return redirect("round", pk=pk)


@require_safe
def round_page(request: HttpRequest, pk: int) -> HttpResponse:
    """The doors of a round in their order."""
    return _page(request, pk)


def _page(request: HttpRequest, pk: int, problem: DoudiError | None = None, at: int = 0) -> HttpResponse:
    user = asker(request)
    found = meals.round_of(pk, by=user)
    doors = meals.doors(found, rules=chain.meal_network().door, by=user)
    shown = {
        "round": found,
        "mine": found.courier == user.username,
        "doors": [(door, str(uuid4())) for door in doors],
        "done": sum(door.stop.state != "waiting" for door in doors),
        "problem": problem,
        "at": at,
        "results": meals.DoorCall.Result.choices,
    }
    return render(request, "dining/round.html", shown, status=422 if problem else 200)


def door_step(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """What happened at a door: handed over, nobody opened, a call and what it brought."""
    stop = meals.stop_of(pk, by=asker(request))
    typed = request.POST

    def hand(_request: HttpRequest, user: User) -> str:
        proof, kept = "code", ""
        photo = request.FILES.get("photo")
        if not typed.get("key", "").strip():
            proof, kept = "signature", signature_typed(typed.get("signature", ""))
            if not kept and photo is not None:
                proof, kept = "photo", keep_attachment(pictures.strip(photo.read())).digest
        try:
            token = UUID(typed.get("token", ""))
        except ValueError:
            raise meals.StepRefused("页面已过期，请刷新后再登记。", "The page is stale; reload it.") from None
        tap = meals.Tap(
            token, typed.get("key", ""), stop.order.meal, timezone.now(), proof=proof, proof_file=kept
        )
        given = chain.hand_over(pk, tap, by=user)
        return _("已交付，自付 %s 元。") % f"{given.serving.paid_fen / 100:.2f}"

    def shut(_request: HttpRequest, user: User) -> str:
        done = chain.door_shut(pk, by=user)
        return _raised(done) or _("请按顺序打电话。")

    def call(_request: HttpRequest, user: User) -> str:
        done = chain.record_call(
            pk,
            whom=typed.get("whom", ""),
            result=typed.get("result", ""),
            note=typed.get("note", ""),
            by=user,
        )
        return _raised(done) or _("已登记联络结果。")

    trip = stop.round_id
    return run_step(
        request,
        {"hand": hand, "shut": shut, "call": call},
        step,
        again=lambda problem: _page(request, trip, problem, at=pk),
        then=redirect("round", pk=trip),
    )


def _raised(done: meals.DoorStop) -> str:
    if not done.warning_no:
        return ""
    return _("联系不上老人，已立预警 %s，民政部门会派人上门。") % done.warning_no
