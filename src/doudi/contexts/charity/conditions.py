"""Whether a project may serve a need, condition by condition (为什么能、为什么不能): the one place that knows them all.

慈善法 第四十、五十九条 bar the interested persons; a restricted purpose stays restricted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Count, Q, Sum

from doudi.contexts.charity.models import Claim, InterestedPerson, Need, Project
from doudi.contexts.registry import services as registry
from doudi.engine.money import show_yuan
from doudi.engine.packs.linking import LinkageRules, Term


@dataclass(frozen=True)
class Condition:
    """One condition of a pair: its code, whether it holds, and the sentence for a person."""

    code: str
    holds: bool
    zh: str
    en: str


@dataclass(frozen=True)
class Left:
    """What a project has left: fen and places, None without a limit."""

    fen: int | None
    places: int | None


def left_of(projects: Iterable[Project]) -> dict[int, Left]:
    """Key of project → what is left after what was granted and what is held."""
    wanted = list(projects)
    taken = {
        row["project"]: row
        for row in Claim.objects.filter(
            project__in=wanted, status__in=(Claim.Status.RESERVED, Claim.Status.GRANTED)
        )
        .order_by()
        .values("project")
        .annotate(
            granted=Sum("granted_fen", filter=Q(status=Claim.Status.GRANTED)),
            held=Sum("asked_fen", filter=Q(status=Claim.Status.RESERVED)),
            count=Count("pk"),
        )
    }
    found = {}
    for project in wanted:
        row: Mapping[str, Any] = taken.get(project.pk, {})
        spent = (row.get("granted") or 0) + (row.get("held") or 0)
        found[project.pk] = Left(
            None if project.budget_fen is None else max(0, project.budget_fen - spent),
            None if project.places is None else max(0, project.places - row.get("count", 0)),
        )
    return found


def barred_pairs(needs: Iterable[Need], projects: Iterable[Project]) -> set[tuple[int, int]]:
    """(project, need) keys where a member of the household is tied to the project's donor or manager."""
    tied: dict[bytes, set[int]] = {}
    for project, blind in InterestedPerson.objects.filter(project__in=list(projects)).values_list(
        "project", "id_blind"
    ):
        tied.setdefault(bytes(blind), set()).add(project)
    if not tied:
        return set()
    return {
        (project, need.pk)
        for need in needs
        for _name, blind in registry.people_in(need.household_no)
        for project in tied.get(blind, ())
    }


def conditions(
    need: Need, project: Project, *, left: Left, is_barred: bool, rules: LinkageRules, on: date
) -> list[Condition]:
    """Every condition of a pair with its sentence, those that fail among them."""
    gap, place = need.gap_fen, need.lives_in or need.region_code
    runs = (
        project.status == Project.Status.OPEN
        and project.starts_on <= on
        and (project.ends_on is None or on <= project.ends_on)
    )
    near = not project.regions or any(place.startswith(code) for code in project.regions)
    kind, kinds = _beside(need.kind, project.kinds, rules.kinds)
    group, groups = _beside(need.group, project.groups, rules.groups)
    places = "不限" if left.places is None else f"余 {left.places} 个"
    money = "不限" if left.fen is None else f"余 {show_yuan(left.fen)}"
    said = [
        Condition(
            "running", runs, "项目在进行期内" if runs else "项目不在进行期内", "the project runs" if runs else "it does not run"
        ),
        Condition(
            "interested",
            not is_barred,
            "受益人是捐赠人或管理人员的利害关系人，不得受益（慈善法第四十条、第五十九条）"
            if is_barred
            else "与捐赠人、管理人员没有利害关系",
            "an interested person may not benefit (arts. 40, 59)" if is_barred else "no tie to donor or manager",
        ),
        Condition("kind", not project.kinds or need.kind in project.kinds,
                  f"用途：需求是“{kind}”，项目{kinds}", f"purpose: {need.kind} beside {', '.join(project.kinds) or 'any'}"),
        Condition("group", not project.groups or need.group in project.groups,
                  f"人群：需求是“{group}”，项目{groups}", f"group: {need.group} beside {', '.join(project.groups) or 'any'}"),
        Condition("region", near, "在项目地区内" if near else "不在项目地区内", "in its area" if near else "outside its area"),
        Condition("places", left.places is None or left.places > 0, f"名额：{places}", f"places left: {left.places}"),
        Condition("budget", gap is None or left.fen is None or left.fen > 0, f"预算：{money}", f"budget left: {left.fen} fen"),
    ]  # fmt: skip
    if need.whole and gap is not None:
        most = most_to_give(need, project, left) or 0
        said.append(
            Condition(
                "whole",
                most == gap,
                f"须一次给足：缺 {show_yuan(gap)}，项目最多给 {show_yuan(most)}",
                f"to be given whole: {gap} fen are missing, the project gives {most} at most",
            )
        )
    return said


def _beside(code: str, allowed: list[str], terms: Mapping[str, Term]) -> tuple[str, str]:
    """The word of a need's code, and what a project says to it."""
    named = "、".join(terms[one].label for one in allowed if one in terms)
    return terms[code].label if code in terms else code, f"限“{named}”" if allowed else "不限"


def most_to_give(need: Need, project: Project, left: Left) -> int | None:
    """The most a project may give a need: the gap, the project's most for a household, what is left; None no money."""
    gap = need.gap_fen
    if gap is None:
        return None
    return min(value for value in (gap, project.most_fen, left.fen) if value is not None)
