"""What each role has to do today (今日待办)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from doudi import chain
from doudi.contexts.accounts import services as accounts
from doudi.contexts.accounts.services import Act, Role, User, may
from doudi.contexts.assistance import payroll
from doudi.contexts.assistance import services as assistance
from doudi.contexts.charity import giving
from doudi.contexts.meals import services as meals
from doudi.contexts.meals import volunteering
from doudi.contexts.monitoring import services as monitoring
from doudi.contexts.registry import services as registry
from doudi.contexts.verification import services as verification
from doudi.web.guard import asker
from doudi.web.views.linkage import homes

_SHOWN = 10


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The work of the signed-in role."""
    user = asker(request)
    return render(request, f"home/{user.role}.html", _WORK[Role(user.role)](user))


def _latest_loads(user: User) -> list[tuple[registry.FeedLoad, Any]]:
    """The newest files, for whoever answers for the whole office; a part of it does not see them."""
    if not registry.covers_office(user):
        return []
    return registry.counted(registry.loads(by=user)[:6])


def _some(rows: Any) -> dict[str, Any]:
    """The first rows and how many there are, counted only where there are more than are shown."""
    first = list(rows[: _SHOWN + 1])
    return {"rows": first[:_SHOWN], "count": rows.count() if len(first) > _SHOWN else len(first)}


def _doubts_to_do(user: User) -> dict[str, Any]:
    """Deaths that wait for a decision, doubts that wait for a check or a review, money that is late."""
    return {
        "stops_open": monitoring.stops(by=user).count(),
        "doubts_assigned": monitoring.doubts(by=user, status="assigned").count(),
        "doubts_checked": monitoring.doubts(by=user, status="checked").count(),
        "recoveries_late": assistance.recoveries(by=user, status="late").count(),
    }


def _dining(user: User) -> dict[str, Any]:
    """What waits in the meal network, for whoever may see it."""
    seen = may(user, Act.VIEW_SETTLEMENT)
    return {
        "to_confirm": meals.diners(by=user, status="applied").count(),
        "shut": meals.open_doors(by=user, day=timezone.localdate()).count(),
        "expiring": len(meals.expiring(by=user, within_days=chain.meal_network().expiry_days)),
        "disputed": meals.settlements(by=user).filter(state="draft").count() if seen else 0,
    }


def _money_to_do(user: User) -> dict[str, Any]:
    """Rosters to be checked, cards that failed, accounts to be confirmed, looks and reviews that are due."""
    return {
        "rosters": payroll.rosters(by=user, status="computed").exclude(computed_by=user.username).count()
        if may(user, Act.CHECK_ROSTER)
        else 0,
        "failed": payroll.failed_count(by=user),
        "accounts": payroll.pay_accounts(by=user, status="proposed")
        .exclude(proposed_by=user.username)
        .count()
        if may(user, Act.CONFIRM_ACCOUNT)
        else 0,
        "follow_ups": payroll.follow_ups(by=user, state="due").count() if may(user, Act.FOLLOW_UP) else 0,
        "reviews": payroll.reviews(by=user, state="due").count() if may(user, Act.REVIEW_BENEFIT) else 0,
    }


def _county(user: User) -> dict[str, Any]:
    return {
        "money": _money_to_do(user),
        "applications": assistance.application_counts(by=user),
        "late_transfers": assistance.late_transfers(by=user).count(),
        "sample_visits": assistance.sample_visits(by=user, open_only=True, mine=True).count(),
        "plans_filed": giving.campaigns(by=user, status="filed").count(),
        "linkage": homes.office(user),
        "dining": _dining(user),
        "doubts": _doubts_to_do(user),
        "to_dispatch": _some(monitoring.warnings(by=user, status="new")),
        "overdue": _some(monitoring.warnings(by=user, overdue=True, sort="due")),
        "to_close": _some(monitoring.warnings(by=user, status="visited", sort="due")),
        "loads": _latest_loads(user),
        "run": monitoring.latest_run(),
        "told": {"count": monitoring.reports(by=user, status="new").count()},
    }


def _township(user: User) -> dict[str, Any]:
    return {
        "money": _money_to_do(user),
        "applications": assistance.application_counts(by=user),
        "linkage": homes.office(user),
        "dining": _dining(user),
        "doubts": _doubts_to_do(user),
        "to_visit": _some(monitoring.warnings(by=user, status="dispatched", sort="due")),
        "to_settle": _some(monitoring.warnings(by=user, status="visited", sort="due")),
        "pending": _some(assistance.referrals(by=user, status="pending")),
        "from_field": {"count": monitoring.field_visits(by=user).count()},
        "told": {"count": monitoring.reports(by=user, status="new").count()},
    }


def _department(user: User) -> dict[str, Any]:
    return {"pending": _some(assistance.referrals(by=user, status="pending"))}


def _director(user: User) -> dict[str, Any]:
    townships = monitoring.by_township(by=user)
    return {
        "money": _money_to_do(user),
        "applications": assistance.application_counts(by=user),
        "loop": monitoring.loop_figures(by=user),
        "levels": monitoring.by_level(by=user),
        "referrals": assistance.referral_counts(by=user),
        "late_townships": sorted(
            (row for row in townships if row["overdue"]), key=lambda row: -row["overdue"]
        ),
        "overdue": _some(monitoring.warnings(by=user, overdue=True, sort="due")),
        "run": monitoring.latest_run(),
    }


def _auditor(user: User) -> dict[str, Any]:
    return {
        "looks": accounts.audit_entries(by=user)[:_SHOWN],
        "loads": _latest_loads(user),
    }


def _verifier(user: User) -> dict[str, Any]:
    return {
        "overdue": _some(verification.requests(by=user, state="overdue")),
        "open": _some(verification.requests(by=user, state="open")),
    }


def _admin(user: User) -> dict[str, Any]:
    return {"users": accounts.users(by=user)}


def _canteen(user: User) -> dict[str, Any]:
    today = timezone.localdate()
    tomorrow = today + timedelta(days=1)
    planned = {
        menu.day
        for menu in meals.menus(by=user, first=today, last=today + timedelta(days=6)).filter(meal="lunch")
    }
    return {
        "served": meals.servings(by=user, day=today).filter(state="valid").count(),
        "ordered": meals.orders(by=user, day=today).exclude(state="cancelled").count(),
        "ordered_tomorrow": meals.orders(by=user, day=tomorrow).exclude(state="cancelled").count(),
        "tomorrow": tomorrow,
        "shut": meals.open_doors(by=user, day=today).count(),
        "no_menu": 7 - len(planned),
        "expiring": meals.expiring(by=user, within_days=chain.meal_network().expiry_days),
        "sites": meals.sites(by=user),
        "settlements": meals.settlements(by=user)[:3],
    }


def _courier(user: User) -> dict[str, Any]:
    return {"rounds": list(meals.rounds(by=user))}


def _volunteer(user: User) -> dict[str, Any]:
    """The own shifts, those one could join, and the points."""
    person = volunteering.myself(user)
    if person is None:
        return {"person": None}
    return {
        "person": person,
        "figures": volunteering.figures(person),
        "balance": volunteering.balance(person),
        "mine": volunteering.services(by=user).filter(state__in=("signed_up", "in", "out"))[:_SHOWN],
        "open_shifts": volunteering.open_for(person, by=user)[:_SHOWN],
        "asked": person.redemptions.filter(state="asked").select_related("site"),
    }


def _charity(user: User) -> dict[str, Any]:
    return {
        **homes.of_charity(user),
        "to_decide": giving.allocations(by=user, status="proposed").count(),
        "to_pay": giving.allocations(by=user, status="approved").count(),
        "to_disclose": giving.duties(by=user).count(),
        "disclosures_late": giving.duties(by=user, state="late").count(),
    }


_WORK = {
    Role.COUNTY: _county,
    Role.TOWNSHIP: _township,
    Role.DEPARTMENT: _department,
    Role.DIRECTOR: _director,
    Role.AUDITOR: _auditor,
    Role.ADMIN: _admin,
    Role.VERIFIER: _verifier,
    Role.MEMBER: homes.member,
    Role.CHARITY: _charity,
    Role.CANTEEN: _canteen,
    Role.COURIER: _courier,
    Role.VOLUNTEER: _volunteer,
}
