"""The network's places: opening and closing them, their hours and papers, their evaluation, what runs out (助餐点)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from doudi.contexts.accounts.services import Act, Scope, User, record, require, take_turn
from doudi.contexts.meals.satisfaction import heard_of
from doudi.contexts.meals.site_models import Meal, Site, SiteEvaluation, SiteHours, SitePaper
from doudi.engine.errors import DoudiError
from doudi.engine.packs.meals import EvaluationRules


class SiteNotFound(DoudiError):
    """No such place that the asker may see."""

    code = "site_not_found"


class StepRefused(DoudiError):
    """The step cannot be taken here or now."""

    code = "step_refused"


def own(by: User, prefix: str = "") -> Q:
    """The rows whose place ``by``'s organisation runs; ``prefix`` leads to the place."""
    return Q(**{f"{prefix}organisation": by.organisation}) | Q(**{f"{prefix}code": by.organisation})


def reach(scope: Scope, by: User, prefix: str = "") -> Q:
    """The rows an account may see by their place: its area's, or its own organisation's."""
    area = Q(**{f"{prefix}region_code__startswith": by.region_code})
    return area & own(by, prefix) if scope is Scope.ORGANISATION else area


def require_at(by: User, act: Act, place: Site) -> Scope:
    """:func:`require` for an act at one place, in its area and by its operator's accounts alone."""
    mine = by.organisation in (place.organisation, place.code)
    return require(
        by,
        act,
        region_code=place.region_code,
        organisation=by.organisation if mine else place.organisation or place.code,
    )


@transaction.atomic
def open_site(
    *, code: str, name: str, kind: str, region_code: str, opened_on: date | None, by: User, **more: Any
) -> Site:
    """Enter a place of the network; the same code twice gives the one that is there."""
    require(by, Act.MANAGE_SITES, region_code=region_code)
    if kind not in Site.Kind.values:
        raise StepRefused("请选择助餐点类型。", "Choose the kind of place.")
    take_turn()
    found, new = Site.objects.get_or_create(
        code=code,
        defaults={
            "name": name,
            "kind": kind,
            "region_code": region_code,
            "opened_on": opened_on,
            "organisation": code,
            **more,
        },
    )
    if new:
        record(by=by, act="open_site", subject=f"site:{code}", region_code=region_code)
    return found


def sites(*, by: User) -> QuerySet[Site]:
    """The places of the account's area; a canteen's own account sees its own."""
    return Site.objects.filter(reach(require(by, Act.VIEW_SITES), by))


def site(code: str, *, by: User, act: Act = Act.VIEW_SITES) -> Site:
    """One place at which ``by`` may do ``act``, or :class:`SiteNotFound`; a till's key need not see lists to serve."""
    found = (
        Site.objects.filter(reach(require(by, act), by))
        .select_related("supplied_by")
        .filter(code=code)
        .first()
    )
    if found is None:
        raise SiteNotFound(f"没有找到助餐点 {code}。", f"No meal place {code} for you.")
    return found


@transaction.atomic
def set_hours(
    found: Site, *, meal: str, serves_from: time, serves_until: time, capacity: int, by: User
) -> SiteHours:
    """Say when a meal is handed out and how many portions there can be."""
    require_at(by, Act.MANAGE_SITES, found)
    if meal not in Meal.values or serves_until <= serves_from or capacity < 1:
        raise StepRefused(
            "供餐时段要先开始后结束，份数至少 1 份。",
            "The hours must begin before they end, with at least one portion.",
        )
    kept, _new = SiteHours.objects.update_or_create(
        site=found,
        meal=meal,
        defaults={"serves_from": serves_from, "serves_until": serves_until, "capacity": capacity},
    )
    record(by=by, act="set_site_hours", subject=f"site:{found.code}", region_code=found.region_code)
    return kept


@transaction.atomic
def keep_paper(
    found: Site,
    *,
    kind: str,
    number: str,
    by: User,
    issued_on: date | None = None,
    valid_until: date | None = None,
) -> SitePaper:
    """Register a paper of a place; a food licence also becomes the licence in force."""
    require_at(by, Act.MANAGE_SITES, found)
    if kind not in SitePaper.Kind.values or not number.strip():
        raise StepRefused("请选择证照并填写证号。", "Choose the paper and give its number.")
    kept = SitePaper.objects.create(
        site=found,
        kind=kind,
        number=number.strip(),
        issued_on=issued_on,
        valid_until=valid_until,
        recorded_by=by.username,
    )
    if kind == SitePaper.Kind.LICENCE:
        found.licence_no, found.licence_until = number.strip()[:40], valid_until
        found.save(update_fields=["licence_no", "licence_until"])
    record(
        by=by,
        act="keep_site_paper",
        subject=f"site:{found.code}",
        region_code=found.region_code,
        detail={"kind": kind, "valid_until": valid_until},
    )
    return kept


@transaction.atomic
def change_site_state(found: Site, *, state: str, ground: str, by: User) -> Site:
    """Open, suspend or close a place; it opens with a food licence in force alone (食品安全法 第三十五条)."""
    require_at(by, Act.MANAGE_SITES, found)
    today = timezone.localdate()
    if state not in Site.State.values or len(ground.strip()) < 2:
        raise StepRefused("请选择状态并写明原因。", "Choose the state and say why.")
    if state == Site.State.OPEN and not found.licensed(today):
        raise StepRefused(
            f"“{found.name}”没有在有效期内的食品经营许可证，不能营业。请先登记证照。",
            f"{found.name} has no food licence in force; register the paper first.",
            code="licence_missing",
        )
    found.state = state
    found.closed_on = today if state == Site.State.CLOSED else None
    if state == Site.State.OPEN and found.opened_on is None:
        found.opened_on = today
    found.save(update_fields=["state", "closed_on", "opened_on"])
    record(
        by=by,
        act="change_site_state",
        subject=f"site:{found.code}",
        region_code=found.region_code,
        reason=ground,
        detail={"state": state},
    )
    return found


@dataclass(frozen=True)
class Expiry:
    """A paper that has run out or soon will: the place, what, until when."""

    site: Site
    what: str
    until: date
    days: int


def expiring(*, by: User, within_days: int, on: date | None = None) -> list[Expiry]:
    """Papers of open places that run out within so many days or have, soonest first (到期提醒)."""
    today = on or timezone.localdate()
    last = today + timedelta(days=within_days)
    found = list(
        sites(by=by).exclude(state__in=(Site.State.CLOSED, Site.State.PLANNED)).prefetch_related("papers")
    )
    rows = []
    for place in found:
        newest: dict[str, SitePaper] = {}
        for paper in place.papers.all():
            newest.setdefault(paper.kind, paper)
        if SitePaper.Kind.LICENCE not in newest and place.licence_until is not None:
            rows.append((place, str(SitePaper.Kind.LICENCE.label), place.licence_until))
        rows += [
            (place, str(paper.get_kind_display()), paper.valid_until)
            for paper in newest.values()
            if paper.valid_until is not None
        ]
    due = [Expiry(place, what, until, (until - today).days) for place, what, until in rows if until <= last]
    return sorted(due, key=lambda row: (row.until, row.site.name))


@transaction.atomic
def evaluate_site(
    found: Site,
    *,
    scores: Mapping[str, int],
    best_stars: int,
    income_fen: int,
    cost_fen: int,
    accident: bool,
    evaluated_on: date,
    rules: EvaluationRules,
    by: User,
    ground: str = "",
) -> SiteEvaluation:
    """Score a demonstration agency (示范机构评价): a lapsed licence or an accident takes the marks for safety and the pass.

    Satisfaction is what people who ate said (:func:`~doudi.contexts.meals.satisfaction.heard_of`), never typed; too
    few replies or too great a loss take the marks of their item. Items and numbers are the pack's (§5.8).
    """
    require(by, Act.MANAGE_SITES, region_code=found.region_code)
    if evaluated_on > timezone.localdate():
        raise StepRefused("评价日期不能在今天之后。", "The evaluation is not after today.")
    heard = heard_of(found, on=evaluated_on, rules=rules, best=best_stars)
    given = {**scores, "satisfaction": heard.marks}
    wrong = [name for name, most in rules.full.items() if not 0 <= given.get(name, -1) <= most]
    if wrong:
        raise StepRefused(
            f"得分缺项或超出满分：{'、'.join(wrong)}。",
            f"Marks missing or above the full mark: {', '.join(wrong)}.",
        )
    marks = {name: given[name] for name in rules.full}
    red = []
    if not found.licensed(evaluated_on):
        red.append("licence")
    if accident:
        red.append("accident")
    if red:
        marks["food_safety"] = 0
    if (income_fen - cost_fen) * 100 < rules.least_result * cost_fen:
        marks["operation"] = 0
    total = sum(marks.values())
    passed = not red and total >= rules.pass_mark
    kept = SiteEvaluation.objects.create(
        site=found,
        evaluated_on=evaluated_on,
        scores=marks,
        red_lines=red,
        total=total,
        passed=passed,
        valid_until=evaluated_on + relativedelta(years=rules.valid_years) if passed else None,
        replies=heard.replies,
        ground=ground,
        by=by.username,
    )
    if passed and found.demonstration_on is None:
        found.demonstration_on = evaluated_on
        found.save(update_fields=["demonstration_on"])
    record(
        by=by,
        act="evaluate_site",
        subject=f"site:{found.code}",
        region_code=found.region_code,
        detail={"total": total, "passed": passed},
    )
    return kept
